"""Moving a child to another structure: everybody joins or nothing is moved, and who is held by another child stays behind."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
import requests

from support import native
from thrive import scene
from thrive.client import (
    ADDED,
    NOWHERE,
    REMOVED,
    STAYS,
    Thrive,
    assert_audience,
    assert_error,
    outcome,
    part,
    result,
    unique,
)

MOVED = pytest.mark.conformance(operation="update_audience", status=200)
PARTLY = pytest.mark.conformance(operation="update_audience", status=207)
REFUSED = pytest.mark.conformance(operation="update_audience", status=422)
LIST = pytest.mark.conformance(operation="list_members", status=200)


class Tree:
    """Two structures, `old` with the child that is moved."""

    def __init__(self, thrive: Thrive, members: list[str]) -> None:
        self.thrive = thrive
        self.old, self.new = thrive.structure(), thrive.structure()
        self.child = thrive.audience(self.old, members=members)

    def move(self, to: str | None = None, **fields: Any) -> requests.Response:
        return self.thrive.send("PATCH", f"/audiences/{self.child['id']}/", {"parentId": to or self.new["id"], **fields})

    def sibling(self, *members: str) -> dict[str, Any]:
        return self.thrive.audience(self.old, members=members)

    def people(self) -> tuple[set[str], set[str], set[str]]:
        """Of the old structure, the new one and the child."""
        return self.thrive.members(self.old["id"]), self.thrive.members(self.new["id"]), self.thrive.members(self.child["id"])


def moved(answer: requests.Response, status: int, parent: dict[str, Any]) -> tuple[tuple[list[str], dict[str, str]], tuple[list[str], dict[str, str]]]:
    """What was added and removed, of an answer that is the audience in its new place; lists in an order of their own."""
    assert answer.status_code == status, f"{answer.status_code} instead of {status}: {answer.text[:500]}"
    body = answer.json()
    assert_audience(body, parent)
    operations = body["memberOperations"]
    assert set(operations) == {ADDED, REMOVED}, operations
    assert set(operations[ADDED]) == {"success"}
    assert set(operations[REMOVED]) == ({"success"} if status == 200 else {"success", "failure"})
    (added, none), removed = result(operations[ADDED]), result(operations[REMOVED])
    assert none == {}
    return (sorted(added), {}), (sorted(removed[0]), removed[1])


@MOVED
@LIST
def test_everybody_moves(thrive: Thrive, people: list[str]) -> None:
    tree = Tree(thrive, people[:3])
    assert moved(tree.move(), 200, tree.new) == ((sorted(people[:3]), {}), (sorted(people[:3]), {}))
    assert tree.people() == (set(), set(people[:3]), set(people[:3]))
    assert thrive.get(tree.child["id"])["parent"]["id"] == tree.new["id"]
    assert thrive.children(tree.old["id"]) == set() and thrive.children(tree.new["id"]) == {tree.child["id"]}
    # And back.
    moved(tree.move(tree.old["reference"]), 200, tree.old)
    assert tree.people() == (set(people[:3]), set(), set(people[:3]))


@MOVED
def test_the_slash_is_not_needed(thrive: Thrive, people: list[str]) -> None:
    tree = Tree(thrive, people[:1])
    moved(thrive.send("PATCH", f"/audiences/{part(tree.child['reference'])}", {"parentId": tree.new["reference"]}), 200, tree.new)


@MOVED
def test_nobody_moves(thrive: Thrive) -> None:
    """An empty audience is moved all the same: memberOperations is null only where nothing was moved."""
    tree = Tree(thrive, [])
    assert moved(tree.move(), 200, tree.new) == (([], {}), ([], {}))


@MOVED
def test_moved_and_renamed_at_once(thrive: Thrive, people: list[str]) -> None:
    tree = Tree(thrive, people[:1])
    name, reference = unique("renamed "), unique("ref-")
    answer = tree.move(name=name, reference=reference)
    moved(answer, 200, tree.new)
    assert (answer.json()["name"], answer.json()["reference"]) == (name, reference)
    assert thrive.get(reference)["parent"]["id"] == tree.new["id"]


@MOVED
@pytest.mark.parametrize("by", ["id", "reference"])
def test_to_where_it_is_already(thrive: Thrive, people: list[str], by: str) -> None:
    """Not moved: null. A new name beside it is given."""
    tree = Tree(thrive, people[:1])
    name = unique("renamed ")
    answer = tree.move(tree.old[by], name=name)
    assert answer.status_code == 200
    assert (answer.json()["memberOperations"], answer.json()["name"]) == (None, name)
    assert tree.people() == (set(people[:1]), set(), set(people[:1]))


@MOVED
def test_who_is_in_the_new_structure_already(thrive: Thrive, people: list[str]) -> None:
    """Joins again, which changes nothing."""
    tree = Tree(thrive, people[:3])
    thrive.audience(tree.new, members=people[1:2])
    thrive.add(tree.new["id"], people[2], people[3])
    assert moved(tree.move(), 200, tree.new)[0] == (sorted(people[:3]), {})
    assert tree.people() == (set(), set(people[:4]), set(people[:3]))


@PARTLY
@LIST
def test_who_is_held_by_another_child_stays(thrive: Thrive, people: list[str]) -> None:
    """Moved, and in both structures from now on."""
    tree = Tree(thrive, people[:4])
    tree.sibling(people[1], people[5])
    tree.sibling(people[1], people[2])
    added, removed = moved(tree.move(), 207, tree.new)
    assert added == (sorted(people[:4]), {})
    assert removed == (sorted([people[0], people[3]]), {people[1]: STAYS, people[2]: STAYS})
    assert tree.people() == ({people[1], people[2], people[5]}, set(people[:4]), set(people[:4]))
    assert thrive.children(tree.new["id"]) == {tree.child["id"]}


@PARTLY
def test_everybody_stays(thrive: Thrive, people: list[str]) -> None:
    tree = Tree(thrive, people[:2])
    tree.sibling(*people[:2])
    assert moved(tree.move(), 207, tree.new)[1] == ([], dict.fromkeys(people[:2], STAYS))
    assert tree.people() == (set(people[:2]), set(people[:2]), set(people[:2]))


@PARTLY
def test_who_is_held_by_the_structure_itself_stays(thrive: Thrive, people: list[str]) -> None:
    """For a reason of its own, which is not another audience."""
    tree = Tree(thrive, people[:2])
    thrive.add(tree.old["id"], people[0])
    _, (removed, failed) = moved(tree.move(), 207, tree.new)
    assert removed == [people[1]] and set(failed) == {people[0]} and failed[people[0]] != STAYS
    assert tree.people() == ({people[0]}, set(people[:2]), set(people[:2]))


@PARTLY
def test_those_without_a_user_are_named_too(thrive: Thrive, people: list[str]) -> None:
    """A hash that another protocol brought: there is nobody to name, and the counts are right all the same."""
    tree = Tree(thrive, people[:1])
    sibling = tree.sibling(people[0])
    known, both = (hashlib.sha256(f"{unique()}@example.com".encode()).hexdigest() for _ in range(2))
    native.call(thrive.server, "POST", f"/audiences/{scene.native_id(tree.child['id'])}/members/add", {"kind": "email", "values": [known, both]})
    native.call(thrive.server, "POST", f"/audiences/{scene.native_id(sibling['id'])}/members/add", {"kind": "email", "values": [both]})
    (added, _), (removed, failed) = moved(tree.move(), 207, tree.new)
    assert (len(added), len(removed), len(failed)) == (3, 1, 2)
    assert failed[people[0]] == STAYS and set(removed) | set(failed) == set(added)
    assert all(isinstance(name, str) and name for name in added) and known not in added and both not in added


@REFUSED
@LIST
@pytest.mark.parametrize("why", ["suspended", "ended"])
def test_one_who_may_not_join_keeps_everybody(thrive: Thrive, people: list[str], why: str) -> None:
    """Somebody who has left since they became a member. All or nothing: the audience stays, and nothing of it is changed."""
    leaver = thrive.user()["ref"]
    tree = Tree(thrive, [*people[:2], leaver])
    tree.sibling(people[1])
    if why == "suspended":
        thrive.suspend(leaver)
    else:
        thrive.json("PATCH", f"/rest/v2/users/ref/{leaver}", {"endDate": "2020-01-31"})
    before = thrive.get(tree.child["id"]), tree.people()
    done, failed = outcome(tree.move(name=unique("renamed "), reference=unique("ref-")), 422)
    assert set(failed) == {leaver} and failed[leaver] != STAYS
    assert set(done) <= set(people[:2])
    assert (thrive.get(tree.child["id"]), tree.people()) == before
    assert thrive.children(tree.new["id"]) == set()


@REFUSED
@MOVED
def test_nobody_may_join(thrive: Thrive) -> None:
    leavers = thrive.users(2)
    tree = Tree(thrive, leavers)
    for ref in leavers:
        thrive.suspend(ref)
    done, failed = outcome(tree.move(), 422)
    assert done == [] and set(failed) == set(leavers)
    # Once they are out of it, it can be moved.
    for ref in leavers:
        thrive.remove(tree.child["id"], ref)
    moved(tree.move(), 200, tree.new)


@pytest.mark.conformance(operation="update_audience", status=403)
@LIST
def test_out_of_and_into_a_structure_of_the_console(thrive: Thrive, people: list[str]) -> None:
    theirs, child, native_id = scene.structure_of(thrive, "console")
    tree = Tree(thrive, people[:2])
    before = tree.people(), thrive.members(theirs["id"])
    assert_error(tree.move(theirs["id"]), 403)
    assert_error(thrive.send("PATCH", f"/audiences/{child['id']}/", {"parentId": tree.new["id"]}), 403)
    assert (tree.people(), thrive.members(theirs["id"])) == before
    native.call(thrive.server, "PATCH", f"/structures/{native_id}", {"control": "both"})
    moved(tree.move(theirs["id"]), 200, theirs)


@pytest.mark.conformance(operation="update_audience", status=404)
@pytest.mark.parametrize("parent", [NOWHERE, "no-such-reference"])
def test_to_nowhere(thrive: Thrive, people: list[str], parent: str) -> None:
    tree = Tree(thrive, people[:1])
    before = thrive.get(tree.child["id"])
    assert_error(tree.move(parent, name=unique("renamed ")), 404)
    assert thrive.get(tree.child["id"]) == before


@pytest.mark.conformance(operation="update_audience", status=409)
@LIST
def test_a_reference_in_use_moves_nothing(thrive: Thrive, people: list[str]) -> None:
    tree = Tree(thrive, people[:2])
    before = thrive.get(tree.child["id"]), tree.people()
    assert_error(tree.move(name=unique("renamed "), reference=tree.new["reference"]), 409)
    assert (thrive.get(tree.child["id"]), tree.people()) == before


@pytest.mark.conformance(operation="update_audience", status=409)
@MOVED
def test_a_name_in_use_where_names_are_unique(thrive: Thrive, people: list[str]) -> None:
    """Structures that other protocols made want their audiences' names apart, also of one that comes from elsewhere."""
    theirs, child, _ = scene.structure_of(thrive, "both")
    tree = Tree(thrive, people[:1])
    thrive.update(tree.child["id"], name=child["name"])
    before = tree.people()
    assert_error(tree.move(theirs["id"]), 409)
    assert tree.people() == before
    moved(tree.move(theirs["id"], name=unique("another ")), 200, theirs)


@pytest.mark.conformance(operation="update_audience", status=400)
@LIST
def test_what_cannot_be_a_parent(thrive: Thrive, people: list[str]) -> None:
    """A child, itself; and a structure has no parent. Nothing of the request is done."""
    tree = Tree(thrive, people[:1])
    sibling = tree.sibling(people[1])
    before = thrive.get(tree.child["id"]), tree.people()
    for parent in (sibling["id"], sibling["reference"], tree.child["id"], tree.child["reference"]):
        assert_error(tree.move(parent, name=unique("renamed ")), 400)
    assert (thrive.get(tree.child["id"]), tree.people()) == before
    structures = thrive.get(tree.old["id"]), thrive.get(tree.new["id"])
    for structure, parent in ((tree.old, tree.new), (tree.old, tree.old), (tree.old, tree.child)):
        assert_error(thrive.send("PATCH", f"/audiences/{structure['id']}/", {"parentId": parent["id"], "name": unique("renamed ")}), 400)
    assert (thrive.get(tree.old["id"]), thrive.get(tree.new["id"])) == structures
