"""Managers: who may what in an audience, in the documented objects; a bare array, added to, replaced, taken from."""

from __future__ import annotations

import concurrent.futures
from typing import Any

import pytest

from thrive import scene
from thrive.client import NOWHERE, Thrive, assert_error, cells, granted, manager, outcome, part, permissions, unique

LIST = pytest.mark.conformance(operation="list_managers", status=200)
ADD = pytest.mark.conformance(operation="add_managers", status=200)
REPLACE = pytest.mark.conformance(operation="replace_managers", status=200)
REMOVE = pytest.mark.conformance(operation="remove_manager", status=200)
METHODS = pytest.mark.parametrize("method", [pytest.param("POST", id="add"), pytest.param("PATCH", id="replace")])
CHILD_ALL = {"manageContent", "assignments", "canViewLearnPage", "insights", "manage"}
STRUCTURE_ALL = CHILD_ALL | {"canAddAudienceManagers"}


@pytest.fixture
def structure(thrive: Thrive) -> dict[str, Any]:
    return thrive.structure()


@pytest.fixture
def child(thrive: Thrive, structure: dict[str, Any]) -> str:
    return thrive.audience(structure)["id"]


def put(thrive: Thrive, method: str, audience: str, *items: Any, status: int = 200) -> tuple[list[str], dict[str, str]]:
    return outcome(thrive.send(method, f"/audiences/{part(audience)}/managers", list(items)), status)


def by_reference(thrive: Thrive, audience: str, structure: bool = False) -> dict[str, set[str]]:
    """What each manager may; the shape of each is looked at."""
    found = thrive.managers(audience)
    return {item["reference"]: granted(item, structure) for item in found}


@ADD
@LIST
def test_a_manager_of_a_child(thrive: Thrive, child: str) -> None:
    user = thrive.user()
    assert thrive.managers(child) == []
    assert put(thrive, "POST", child, manager(user["ref"], *CHILD_ALL)) == ([user["ref"]], {})
    (item,) = thrive.managers(child)
    assert (item["userId"], item["reference"], item["email"]) == (user["id"], user["ref"], user["email"])
    # What the API cannot give is false.
    assert granted(item) == CHILD_ALL
    assert "administrator" not in item["permissions"]


@ADD
@LIST
def test_a_manager_of_a_structure(thrive: Thrive, structure: dict[str, Any], people: list[str]) -> None:
    put(thrive, "POST", structure["id"], manager(people[0], *STRUCTURE_ALL, structure=True))
    assert by_reference(thrive, structure["id"], structure=True) == {people[0]: STRUCTURE_ALL}
    # Who manages a structure is not listed as one of its child's own.
    assert thrive.managers(thrive.audience(structure)["id"]) == []


@ADD
@LIST
@pytest.mark.parametrize("given", [None, {}, {"audienceManager": {}}, {"peopleManager": {"insights": False}}, permissions()], ids=str)
def test_what_is_not_given_is_false(thrive: Thrive, child: str, people: list[str], given: Any) -> None:
    item = {"reference": people[0], "permissions": given} if given is not None else {"reference": people[0]}
    put(thrive, "POST", child, item)
    assert by_reference(thrive, child) == {people[0]: set()}


@ADD
@LIST
@pytest.mark.parametrize("name", sorted(CHILD_ALL))
def test_each_permission_is_its_own(thrive: Thrive, child: str, people: list[str], name: str) -> None:
    put(thrive, "POST", child, manager(people[0], name))
    assert by_reference(thrive, child) == {people[0]: {name}}


@ADD
@LIST
def test_the_documentations_example(thrive: Thrive, structure: dict[str, Any], child: str) -> None:
    """It shows an input with the fields of an answer: the id and the e-mail beside the reference, and permissions that are
    read only. A child has no `administrator`, which programs send all the same."""
    user = thrive.user()
    item = {
        "userId": user["id"], "reference": user["ref"], "email": user["email"],
        "permissions": {
            "audienceManager": {"manageMembers": False, "manageContent": True, "assignments": True},
            "peopleManager": {"canViewLearnPage": True, "insights": True, "manage": True},
            "administrator": {"canManageAudiences": False, "canAddAudienceManagers": True},
        },
    }  # fmt: skip
    put(thrive, "POST", structure["id"], item)
    put(thrive, "POST", child, item)
    assert by_reference(thrive, structure["id"], structure=True) == {user["ref"]: STRUCTURE_ALL}
    assert by_reference(thrive, child) == {user["ref"]: CHILD_ALL}


@ADD
@LIST
def test_by_mail_and_by_id(thrive: Thrive, child: str) -> None:
    one, two = thrive.user(), thrive.user()
    assert put(thrive, "POST", child, manager(one["email"]), manager(two["id"])) == ([one["email"], two["id"]], {})
    assert set(by_reference(thrive, child)) == {one["ref"], two["ref"]}


@ADD
@LIST
def test_adding_again_gives_what_is_new(thrive: Thrive, child: str, people: list[str]) -> None:
    """The permissions are what the last request said; others keep theirs."""
    put(thrive, "POST", child, manager(people[0], "insights"), manager(people[1], "manage"))
    put(thrive, "POST", child, manager(people[0], "assignments"))
    assert by_reference(thrive, child) == {people[0]: {"assignments"}, people[1]: {"manage"}}


@REPLACE
@LIST
def test_replacing_removes_everybody_else(thrive: Thrive, child: str, people: list[str]) -> None:
    put(thrive, "POST", child, manager(people[0], "insights"), manager(people[1], "manage"))
    assert put(thrive, "PATCH", child, manager(people[1]), manager(people[2], "insights")) == (people[1:3], {})
    assert by_reference(thrive, child) == {people[1]: set(), people[2]: {"insights"}}


@ADD
@REPLACE
@METHODS
def test_the_same_twice_in_one_array(thrive: Thrive, child: str, people: list[str], method: str) -> None:
    assert put(thrive, method, child, manager(people[0], "insights"), manager(people[1]), manager(people[0], "insights")) == (people[:2], {})
    assert by_reference(thrive, child) == {people[0]: {"insights"}, people[1]: set()}


@cells(207, "add_managers", "replace_managers")
@LIST
@METHODS
def test_some_cannot_be_found(thrive: Thrive, child: str, people: list[str], method: str) -> None:
    done, failed = put(thrive, method, child, manager("NOBODY"), manager(people[0], "insights"), manager(NOWHERE), status=207)
    assert done == [people[0]] and set(failed) == {"NOBODY", NOWHERE}
    assert by_reference(thrive, child) == {people[0]: {"insights"}}


@cells(422, "add_managers", "replace_managers")
@LIST
@METHODS
def test_nobody_can_be_found(thrive: Thrive, child: str, people: list[str], method: str) -> None:
    put(thrive, "POST", child, manager(people[0], "insights"))
    done, failed = put(thrive, method, child, manager("NOBODY"), manager("nobody@example.com"), status=422)
    assert done == [] and set(failed) == {"NOBODY", "nobody@example.com"}
    assert by_reference(thrive, child) == {people[0]: {"insights"}}


@REMOVE
@LIST
@pytest.mark.parametrize("by", ["ref", "email", "id"])
def test_one_is_removed(thrive: Thrive, child: str, people: list[str], by: str) -> None:
    user = thrive.user()
    put(thrive, "POST", child, manager(user["ref"]), manager(people[0]))
    assert thrive.send("DELETE", f"/audiences/{child}/managers/{part(user[by])}").status_code == 200
    assert set(by_reference(thrive, child)) == {people[0]}
    assert_error(thrive.send("DELETE", f"/audiences/{child}/managers/{part(user[by])}"), 404)


@pytest.mark.conformance(operation="remove_manager", status=404)
@pytest.mark.parametrize("name", ["NOBODY", "nobody@example.com", NOWHERE])
def test_nobody_of_this_name(thrive: Thrive, child: str, people: list[str], name: str) -> None:
    for absent in (name, people[0]):
        assert_error(thrive.send("DELETE", f"/audiences/{child}/managers/{part(absent)}"), 404)


@ADD
@LIST
def test_managers_are_no_members(thrive: Thrive, child: str, people: list[str]) -> None:
    thrive.add(child, people[1])
    put(thrive, "POST", child, manager(people[0]))
    assert thrive.members(child) == {people[1]}
    assert set(by_reference(thrive, child)) == {people[0]}


@ADD
@REMOVE
@cells(200, "delete_audience")
def test_a_deleted_audience_has_no_managers(thrive: Thrive, structure: dict[str, Any], people: list[str]) -> None:
    reference = unique("ref-")
    child = thrive.audience(structure, reference=reference)
    put(thrive, "POST", child["id"], manager(people[0]))
    thrive.delete(child["id"])
    again = thrive.audience(structure, reference=reference)
    assert thrive.managers(again["id"]) == []


@ADD
@REMOVE
@REPLACE
def test_the_slash_at_the_end(thrive: Thrive, child: str, people: list[str]) -> None:
    outcome(thrive.send("POST", f"/audiences/{child}/managers/", [manager(people[0])]), 200)
    outcome(thrive.send("PATCH", f"/audiences/{child}/managers/", [manager(people[1])]), 200)
    assert [item["reference"] for item in thrive.send("GET", f"/audiences/{child}/managers/").json()] == [people[1]]
    assert thrive.send("DELETE", f"/audiences/{child}/managers/{people[1]}/").status_code == 200


@cells(403, "add_managers", "replace_managers", "remove_manager")
@LIST
def test_an_audience_of_the_console(thrive: Thrive, people: list[str]) -> None:
    structure, child, _ = scene.structure_of(thrive, "console")
    for audience in (structure["id"], child["id"]):
        for method in ("POST", "PATCH"):
            assert_error(thrive.send(method, f"/audiences/{audience}/managers", [manager(people[0])]), 403)
        assert_error(thrive.send("DELETE", f"/audiences/{audience}/managers/{people[0]}"), 403)
        assert thrive.managers(audience) == []


@ADD
@REPLACE
@LIST
def test_two_changes_at_once_take_turns(thrive: Thrive, child: str, people: list[str]) -> None:
    """Where the vendor might answer 409: four callers add and replace, and each is answered with success."""

    def caller(number: int) -> list[int]:
        own, names = Thrive(thrive.server), people[number * 2 : number * 2 + 2]
        body = [manager(name, "insights") for name in names]
        return [own.send("PATCH" if turn % 3 == 2 else "POST", f"/audiences/{child}/managers", body).status_code for turn in range(6)]

    with concurrent.futures.ThreadPoolExecutor(4) as callers:
        assert [status for statuses in callers.map(caller, range(4)) for status in statuses] == [200] * 24
    # The last change of all was a replacement.
    assert set(by_reference(thrive, child)) in [set(people[number * 2 : number * 2 + 2]) for number in range(4)]
