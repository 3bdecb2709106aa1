"""Members: added, replaced, removed and listed by e-mail, reference or id, each for itself; and what that means for the
structure, which has everybody whom one of its children has."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import requests

from support import native
from thrive import scene
from thrive.client import (
    NOWHERE,
    Target,
    Thrive,
    assert_error,
    assert_page,
    cells,
    outcome,
    part,
    reference_of,
    unique,
)

LIST = pytest.mark.conformance(operation="list_members", status=200)
ADD = pytest.mark.conformance(operation="add_members", status=200)
REPLACE = pytest.mark.conformance(operation="replace_members", status=200)
REMOVE = pytest.mark.conformance(operation="remove_member", status=200)
METHODS = pytest.mark.parametrize("method", [pytest.param("POST", id="add"), pytest.param("PATCH", id="replace")])


@pytest.fixture
def structure(thrive: Thrive) -> dict[str, Any]:
    return thrive.structure()


@pytest.fixture
def child(thrive: Thrive, structure: dict[str, Any]) -> str:
    return thrive.audience(structure)["id"]


def put(thrive: Thrive, method: str, audience: str, names: Any) -> requests.Response:
    return thrive.send(method, f"/audiences/{part(audience)}/members", names)


@ADD
@LIST
def test_by_mail_reference_and_id(thrive: Thrive, child: str) -> None:
    """Each is echoed as it was sent."""
    one, two, three = (thrive.user() for _ in range(3))
    names = [one["email"], two["ref"], three["id"]]
    done, failed = outcome(put(thrive, "POST", child, names), 200)
    assert (done, failed) == (names, {})
    assert thrive.members(child) == {one["ref"], two["ref"], three["ref"]}
    listed = {member["userId"]: member for member in thrive.pages(f"/audiences/{child}/members")}
    assert listed[one["id"]] == {"userId": one["id"], "reference": one["ref"], "email": one["email"]}


@ADD
def test_an_address_in_another_case(thrive: Thrive, child: str) -> None:
    user = thrive.user()
    thrive.add(child, user["email"].upper())
    assert thrive.members(child) == {user["ref"]}


@ADD
def test_adding_again_changes_nothing(thrive: Thrive, child: str, people: list[str]) -> None:
    """Somebody who is there already is a success."""
    thrive.add(child, *people[:2])
    thrive.add(child, *people[:3])
    assert thrive.members(child) == set(people[:3])


@ADD
@REPLACE
@METHODS
def test_the_same_twice_in_one_array(thrive: Thrive, child: str, people: list[str], method: str) -> None:
    done, failed = outcome(put(thrive, method, child, [people[0], people[1], people[0]]), 200)
    assert (done, failed) == (people[:2], {})
    assert thrive.members(child) == set(people[:2])


@ADD
@LIST
def test_the_same_person_by_two_names(thrive: Thrive, child: str) -> None:
    user = thrive.user()
    done, _ = outcome(put(thrive, "POST", child, [user["ref"], user["email"], user["id"]]), 200)
    assert done == [user["ref"], user["email"], user["id"]]
    assert thrive.json("GET", f"/audiences/{child}/members")["pagination"]["totalResults"] == 1


@cells(207, "add_members", "replace_members")
@METHODS
def test_some_cannot_be_found(thrive: Thrive, child: str, people: list[str], method: str) -> None:
    names = [people[0], "nobody@example.com", people[1], "NOBODY", NOWHERE]
    done, failed = outcome(put(thrive, method, child, names), 207)
    assert done == people[:2]
    assert set(failed) == {"nobody@example.com", "NOBODY", NOWHERE} and len(set(failed.values())) == 1
    assert thrive.members(child) == set(people[:2])


@cells(207, "add_members", "replace_members")
@METHODS
@pytest.mark.parametrize("why", ["suspended", "ended"])
def test_some_may_not_join(thrive: Thrive, child: str, people: list[str], method: str, why: str) -> None:
    """Suspended, or past the end date. The reason is not the one for those whom nobody knows."""
    gone = left(thrive, why)
    done, failed = outcome(put(thrive, method, child, [people[0], gone, "NOBODY"]), 207)
    assert done == [people[0]]
    assert set(failed) == {gone, "NOBODY"} and failed[gone] != failed["NOBODY"]
    assert thrive.members(child) == {people[0]}


def left(thrive: Thrive, why: str) -> str:
    if why == "suspended":
        user = thrive.user()
        thrive.suspend(user["ref"])
        return user["ref"]
    return thrive.user(endDate="2020-01-31")["ref"]


@cells(422, "add_members", "replace_members")
@METHODS
@pytest.mark.parametrize("count", [1, 3])
def test_nobody_can_be_added(thrive: Thrive, child: str, people: list[str], method: str, count: int) -> None:
    """Nothing is changed: replacing by nobody would have emptied it."""
    thrive.add(child, people[0])
    names = [unique("nobody") for _ in range(count - 1)] + [left(thrive, "suspended")]
    done, failed = outcome(put(thrive, method, child, names), 422)
    assert done == [] and set(failed) == set(names)
    assert thrive.members(child) == {people[0]}


@ADD
@REPLACE
@METHODS
def test_a_hundred_at_once(thrive: Thrive, child: str, hundred: list[str], method: str) -> None:
    done, _ = outcome(put(thrive, method, child, hundred), 200)
    assert done == hundred
    assert thrive.members(child) == set(hundred)


@pytest.fixture(scope="module")
def hundred(thrive: Thrive) -> list[str]:
    return thrive.users(100)


@REPLACE
def test_replacing_removes_everybody_else(thrive: Thrive, structure: dict[str, Any], child: str, people: list[str]) -> None:
    thrive.add(child, *people[:3])
    thrive.replace(child, people[2], people[3])
    assert thrive.members(child) == thrive.members(structure["id"]) == set(people[2:4])


@REMOVE
@pytest.mark.parametrize("by", ["ref", "email", "id"])
def test_one_is_removed(thrive: Thrive, child: str, people: list[str], by: str) -> None:
    user = thrive.user()
    thrive.add(child, user["ref"], people[0])
    thrive.remove(child, user[by])
    assert thrive.members(child) == {people[0]}
    assert_error(thrive.send("DELETE", f"/audiences/{child}/members/{part(user[by])}"), 404)


@REMOVE
@ADD
def test_a_reference_with_a_slash(thrive: Thrive, structure: dict[str, Any]) -> None:
    child = thrive.audience(structure, reference=unique("a/b "))
    user = thrive.user(unique("DE/Köln "), email=f"{unique()}@example.com")
    thrive.add(child["reference"], user["ref"])
    assert thrive.members(child["reference"]) == {user["ref"]}
    thrive.remove(child["reference"], user["ref"])
    assert thrive.members(child["reference"]) == set()


@REMOVE
def test_the_slash_at_the_end(thrive: Thrive, child: str, people: list[str]) -> None:
    thrive.add(child, people[0])
    assert thrive.send("GET", f"/audiences/{child}/members/").json()["pagination"]["totalResults"] == 1
    outcome(thrive.send("POST", f"/audiences/{child}/members/", [people[1]]), 200)
    outcome(thrive.send("PATCH", f"/audiences/{child}/members/", [people[2]]), 200)
    assert thrive.send("DELETE", f"/audiences/{child}/members/{people[2]}/").status_code == 200
    assert thrive.members(child) == set()


@pytest.mark.conformance(operation="remove_member", status=404)
@pytest.mark.parametrize("name", ["NOBODY", "nobody@example.com", NOWHERE])
def test_nobody_of_this_name(thrive: Thrive, child: str, people: list[str], name: str) -> None:
    thrive.add(child, people[0])
    for absent in (name, people[1]):
        assert_error(thrive.send("DELETE", f"/audiences/{child}/members/{part(absent)}"), 404)
    assert thrive.members(child) == {people[0]}


@LIST
def test_pages(thrive: Thrive, child: str, people: list[str]) -> None:
    thrive.add(child, *people[:5])
    whole = thrive.json("GET", f"/audiences/{child}/members")
    assert_page(whole, 1, 100)
    two = [thrive.json("GET", f"/audiences/{child}/members", page=page, perPage=2) for page in (1, 2, 3, 4)]
    for number, page in enumerate(two, 1):
        assert_page(page, number, 2)
    assert [member for page in two for member in page["results"]] == whole["results"]
    assert_page(thrive.json("GET", f"/audiences/{child}/members", limit=3), 1, 3)
    assert {reference_of(member) for member in whole["results"]} == set(people[:5])


# What a structure has.


@ADD
@LIST
def test_a_member_of_a_child_is_one_of_the_structure(thrive: Thrive, structure: dict[str, Any], people: list[str]) -> None:
    one, two = (thrive.audience(structure, members=names)["id"] for names in (people[:2], people[1:3]))
    thrive.add(structure["id"], people[3])
    assert thrive.members(structure["id"]) == set(people[:4])
    assert (thrive.members(one), thrive.members(two)) == (set(people[:2]), set(people[1:3]))
    # Other tests of this file have put them elsewhere too.
    assert thrive.user_audiences(people[1]) >= {structure["id"], one, two}


@REMOVE
def test_removed_from_a_child_and_held_by_another(thrive: Thrive, structure: dict[str, Any], people: list[str]) -> None:
    """Somebody stays in the structure as long as it or one of its children holds them."""
    one, two = (thrive.audience(structure, members=people[:3])["id"] for _ in range(2))
    thrive.add(structure["id"], people[1])
    thrive.remove(two, people[0])
    assert thrive.members(structure["id"]) == set(people[:3])
    for ref in people[:3]:
        if ref != people[0]:
            thrive.remove(two, ref)
        thrive.remove(one, ref)
    assert thrive.members(structure["id"]) == {people[1]}


@REMOVE
@cells(200, "get_user")
def test_removed_from_a_structure_is_removed_below(thrive: Thrive, structure: dict[str, Any], people: list[str]) -> None:
    one, two = (thrive.audience(structure, members=people[:2])["id"] for _ in range(2))
    thrive.add(structure["id"], people[0])
    thrive.remove(structure["id"], people[0])
    assert [thrive.members(audience) for audience in (structure["id"], one, two)] == [{people[1]}] * 3
    assert not {structure["id"], one, two} & thrive.user_audiences(people[0])


@REPLACE
def test_replacing_the_members_of_a_structure(thrive: Thrive, structure: dict[str, Any], people: list[str]) -> None:
    """Everybody not in the list is removed, and so from the children; nobody is put into a child."""
    one, two = (thrive.audience(structure, members=names)["id"] for names in (people[:2], people[1:3]))
    thrive.replace(structure["id"], people[1], people[4])
    assert thrive.members(structure["id"]) == {people[1], people[4]}
    assert (thrive.members(one), thrive.members(two)) == ({people[1]}, {people[1]})


@cells(200, "delete_audience", "list_members")
def test_what_a_deleted_child_leaves(thrive: Thrive, structure: dict[str, Any], people: list[str]) -> None:
    one, two = (thrive.audience(structure, members=names)["id"] for names in (people[:2], people[1:3]))
    thrive.delete(one)
    assert thrive.members(structure["id"]) == thrive.members(two) == set(people[1:3])


# Who may not write.


@cells(403, "add_members", "replace_members", "remove_member")
def test_an_audience_of_the_console(thrive: Thrive, people: list[str]) -> None:
    """Neither the structure nor its child; reading goes on, and writing again once it is the API's."""
    structure, child, native_id = scene.structure_of(thrive, "console")
    before = thrive.members(child["id"])
    (member,) = before
    for audience in (structure["id"], child["id"]):
        for method in ("POST", "PATCH"):
            assert_error(put(thrive, method, audience, [people[0]]), 403)
        assert_error(thrive.send("DELETE", f"/audiences/{audience}/members/{member}"), 403)
        assert thrive.members(audience) == before
    native.call(thrive.server, "PATCH", f"/structures/{native_id}", {"control": "api"})
    thrive.replace(child["id"], people[0])
    assert thrive.members(structure["id"]) == {people[0]}


@cells(409, "add_members", "replace_members", "remove_member")
@LIST
def test_a_smart_audience(thrive: Thrive, structure: dict[str, Any], people: list[str]) -> None:
    """Nobody is put into it or taken out: its members follow from its rule, and it adds nobody to its structure."""
    child = thrive.audience(structure, members=people[:2])
    smart = scene.smart_of(thrive, child)
    for method in ("POST", "PATCH"):
        assert_error(put(thrive, method, smart["id"], [people[2]]), 409)
    assert_error(thrive.send("DELETE", f"/audiences/{smart['id']}/members/{people[0]}"), 409)
    assert thrive.members(smart["id"]) == thrive.members(structure["id"]) == set(people[:2])
    thrive.delete(child["id"])
    assert thrive.members(structure["id"]) == set()


@cells(200, "add_members", "replace_members", "list_members")
def test_two_changes_at_once_take_turns(thrive: Thrive, target: Target, hundred: list[str]) -> None:
    """Where the vendor might answer 409: eight callers add and replace. Each is answered with success, and what is
    there at the end is what one order of them leaves."""
    statuses: list[int] = []

    def caller(number: int) -> None:
        own = Thrive(thrive.server)
        for turn in range(6):
            names = hundred[number * 10 : number * 10 + 10]
            if turn % 3 == 2:
                statuses.append(own.send("PATCH", f"/audiences/{target.child}/members", names).status_code)
            else:
                statuses.append(put(own, "POST", target.child, names).status_code)

    threads = [threading.Thread(target=caller, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 48
    # The last of all was a replacement or came after one: whole tens, and the structure the same.
    found = thrive.members(target.child)
    assert found and all(len(found & set(hundred[ten : ten + 10])) in (0, 10) for ten in range(0, 80, 10))
    assert thrive.members(target.structure) == found
