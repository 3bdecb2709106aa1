"""Input that no well-meaning client sends: the documented status in the documented shape, nothing half done, the process
goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from thrive import scene
from thrive.client import JSON, Target, Thrive, assert_error, each, manager, part, unique
from support import web

ARRAYS = ("add_members", "replace_members", "add_managers", "replace_managers")
METHODS = {"add_members": "POST", "replace_members": "PATCH", "add_managers": "POST", "replace_managers": "PATCH"}
NAME_CHARACTERS_MAX = 100
ITEMS_MAX = 100
HUGE_BYTES = 50 * 1024 * 1024


@pytest.fixture(scope="module")
def scenery(thrive: Thrive) -> Target:
    """What every test of this file aims at and none may change."""
    return scene.target_create(thrive)


@pytest.fixture(autouse=True)
def nothing_is_changed(thrive: Thrive, scenery: Target) -> Iterator[None]:
    before = snapshot(thrive, scenery)
    yield
    thrive.server.assert_alive()
    assert snapshot(thrive, scenery) == before


def snapshot(thrive: Thrive, target: Target) -> Any:
    audiences = thrive.get(target.child), thrive.get(target.structure), thrive.children(target.structure)
    return audiences, [(thrive.members(audience), thrive.managers(audience)) for audience in (target.child, target.structure)]


def path_of(operation: str, audience: str) -> str:
    return f"/audiences/{audience}/{operation.partition('_')[2]}"


def item(operation: str, name: str) -> Any:
    return name if operation.endswith("members") else manager(name, "insights")


def put(thrive: Thrive, operation: str, audience: str, body: bytes | None) -> web.Answer:
    return thrive.raw(METHODS[operation], path_of(operation, audience), body)


NO_ARRAYS = {
    "nothing": b"",
    "cut off": b'["x"',
    "a comma too many": b'["x",]',
    "an object": b"{}",
    "an object around it": b'{"members": ["x"]}',
    "a string": b'"x"',
    "null": b"null",
    "a number": b"7",
    "two arrays": b'["x"]["y"]',
    "not UTF-8": b'["\xff"]',
    "half a surrogate": b'["\\ud800"]',
    "a form": b"member=x",
    "nested deep": b"[" * 100_000 + b"]" * 100_000,
    "a null in it": b"[null]",
    "a number in it": b"[7]",
    "an array in it": b'[["x"]]',
    "an empty array": b"[]",
}


@pytest.mark.parametrize("operation", each(400, *ARRAYS))
@pytest.mark.parametrize("body", NO_ARRAYS.values(), ids=list(NO_ARRAYS))
@pytest.mark.parametrize("where", ["child", "structure"])
def test_no_array_of_people(thrive: Thrive, scenery: Target, operation: str, body: bytes, where: str) -> None:
    assert_error(put(thrive, operation, getattr(scenery, where), body), 400)


@pytest.mark.parametrize("operation", each(400, *ARRAYS))
@pytest.mark.parametrize("count", [ITEMS_MAX + 1, 1000])
@pytest.mark.parametrize("kind", ["different", "the same"])
def test_too_many(thrive: Thrive, scenery: Target, operation: str, count: int, kind: str) -> None:
    """A hundred at most, counted before what comes twice is left out; the user who is in it is not added on the way."""
    names = [scenery.ref if kind == "the same" else f"nobody{number}" for number in range(count)]
    body = json.dumps([item(operation, name) for name in [scenery.ref, *names[1:]]]).encode()
    assert_error(put(thrive, operation, scenery.child, body), 400)


@pytest.mark.parametrize("operation", each(422, *ARRAYS))
@pytest.mark.parametrize("name", ["", " ", "a\0b", "\r\n", "x" * 10_000, "../..", "'; DROP TABLE audience; --", "ünïcode"], ids=repr)
def test_a_name_that_nobody_can_have(thrive: Thrive, scenery: Target, operation: str, name: str) -> None:
    """Is nobody's: 422 as for any other, or 400 where it is no name at all."""
    answer = put(thrive, operation, scenery.child, json.dumps([item(operation, name)]).encode())
    if answer.status == 400:
        assert_error(answer, 400)
    else:
        assert answer.status == 422 and answer.json["success"] == {"count": 0, "entities": []}, answer.text
        assert [failed["reference"] for failed in answer.json["failure"]["entities"]] == [name]


WRONG_MANAGERS = {
    "a string": "x",
    "nobody": {},
    "nobody but permissions": {"permissions": {}},
    "a number": {"reference": 7},
    "permissions in words": {"permissions": "all"},
    "a group in words": {"permissions": {"peopleManager": "all"}},
    "a permission in words": {"permissions": {"peopleManager": {"insights": "yes"}}},
    "a permission as a number": {"permissions": {"peopleManager": {"insights": 1}}},
    "a permission of null": {"permissions": {"audienceManager": {"assignments": None}}},
}


@pytest.mark.parametrize("operation", each(400, "add_managers", "replace_managers"))
@pytest.mark.parametrize("wrong", WRONG_MANAGERS.values(), ids=list(WRONG_MANAGERS))
def test_a_manager_that_is_wrong(thrive: Thrive, scenery: Target, operation: str, wrong: Any) -> None:
    """Beside one that is right, who is not taken either."""
    given = {"reference": scenery.ref, **wrong} if isinstance(wrong, dict) and "permissions" in wrong and wrong["permissions"] else wrong
    body = json.dumps([manager(scenery.ref, "manage"), given]).encode()
    assert_error(put(thrive, operation, scenery.child, body), 400)


NO_OBJECTS = {"nothing": b"", "cut off": b'{"name": "x', "an array": b"[]", "a string": b'"x"', "null": b"null", "not UTF-8": b'{"name": "\xff"}', "an empty object": b"{}", "a form": b"name=x"}
WRONG = {
    "an empty name": {"name": ""},
    "a blank name": {"name": "  "},
    "a name of null": {"name": None},
    "a number for a name": {"name": 7},
    "a NUL": {"name": "a\0b"},
    "a line's end": {"name": "a\nb"},
    "a long name": {"name": "x" * (NAME_CHARACTERS_MAX + 1)},
    "a long reference": {"name": "x", "reference": "x" * (NAME_CHARACTERS_MAX + 1)},
    "an empty reference": {"name": "x", "reference": ""},
    "a number for a reference": {"name": "x", "reference": 7},
    "a parent of a wrong type": {"name": "x", "parentId": {"id": "x"}},
}


@pytest.mark.parametrize("operation", each(400, "create_audience", "update_audience"))
@pytest.mark.parametrize("body", [*NO_OBJECTS.values(), *(json.dumps(body).encode() for body in WRONG.values())], ids=[*NO_OBJECTS, *WRONG])
def test_an_audience_that_is_wrong(thrive: Thrive, scenery: Target, operation: str, body: bytes) -> None:
    total = thrive.json("GET", "/audiences", perPage=1)["pagination"]["totalResults"]
    method, path = ("POST", "/audiences") if operation == "create_audience" else ("PATCH", f"/audiences/{scenery.child}/")
    assert_error(thrive.raw(method, path, body), 400)
    assert thrive.json("GET", "/audiences", perPage=1)["pagination"]["totalResults"] == total


@pytest.mark.conformance(operation="create_audience", status=201)
def test_as_long_as_it_may_be(thrive: Thrive) -> None:
    """Characters are counted, not bytes."""
    made = thrive.structure("ü" * NAME_CHARACTERS_MAX, reference=unique("디") + "디" * (NAME_CHARACTERS_MAX - 17))
    assert len(made["reference"]) == NAME_CHARACTERS_MAX
    assert thrive.get(made["reference"])["name"] == "ü" * NAME_CHARACTERS_MAX


@pytest.mark.conformance(operation="create_audience", status=400)
@pytest.mark.parametrize("category", ["structure", "audience", "Structure", "smart", "", 7])
def test_category_and_parent_must_agree(thrive: Thrive, scenery: Target, category: Any) -> None:
    """A structure has no parent, an audience has one, and there is nothing else."""
    parent = {"parentId": scenery.structure} if category != "audience" else {}
    assert_error(thrive.send("POST", "/audiences", {"name": unique(), "reference": unique(), "category": category, **parent}), 400)


@pytest.mark.conformance(operation="create_audience", status=400)
@pytest.mark.parametrize("by", ["id", "reference"])
def test_a_child_as_a_parent(thrive: Thrive, scenery: Target, by: str) -> None:
    parent = scenery.child if by == "id" else thrive.get(scenery.child)["reference"]
    assert_error(thrive.send("POST", "/audiences", {"name": unique(), "reference": unique(), "category": "audience", "parentId": parent}), 400)


@pytest.mark.parametrize("operation", each(409, "create_audience", "update_audience"))
@pytest.mark.parametrize("whose", ["a structure's", "a child's"])
def test_a_reference_in_use(thrive: Thrive, scenery: Target, operation: str, whose: str) -> None:
    reference = thrive.get(scenery.structure if whose == "a structure's" else scenery.child)["reference"]
    other = thrive.structure()
    if operation == "create_audience":
        for parent in ({}, {"parentId": other["id"]}):
            assert_error(thrive.send("POST", "/audiences", {"name": unique(), "reference": reference, **parent}), 409)
    else:
        child = thrive.audience(other)
        for audience in (other, child):
            assert_error(thrive.send("PATCH", f"/audiences/{audience['id']}/", {"name": unique(), "reference": reference}), 409)
            assert thrive.get(audience["id"])["name"] == audience["name"]


@pytest.mark.parametrize("operation", each(409, "create_audience", "update_audience"))
@pytest.mark.parametrize("whose", ["a child's", "a structure's", "nobody's yet"])
def test_a_reference_that_is_an_id(thrive: Thrive, scenery: Target, operation: str, whose: str) -> None:
    """Would name two at once, now or one day. Its own id is nobody else's."""
    identifier = {"a child's": scenery.child, "a structure's": scenery.structure, "nobody's yet": f"{int(scenery.child, 16) + 1_000_000:024x}"}[whose]
    other = thrive.structure()
    if operation == "create_audience":
        assert_error(thrive.send("POST", "/audiences", {"name": unique(), "reference": identifier}), 409)
    else:
        assert_error(thrive.send("PATCH", f"/audiences/{other['id']}/", {"reference": identifier}), 409)
        assert thrive.get(other["id"]) == other
    assert thrive.exists(identifier) == (whose != "nobody's yet")
    assert thrive.update(other["id"], reference=other["id"])["reference"] == other["id"]


@pytest.mark.conformance(operation="list_audiences", status=400)
@pytest.mark.parametrize(
    "query",
    ["page=0", "page=-1", "page=x", "page=1.5", "page=99999999999999999999", "perPage=0", "perPage=1001", "perPage=all", "limit=0", "limit=101", "apiControlled=maybe", "apiControlled=1", "updatedSince=yesterday", "updatedSince=1700000000", "page=%ff"],
)
def test_a_list_that_cannot_be_asked_for(thrive: Thrive, query: str) -> None:
    assert_error(thrive.raw("GET", f"/audiences?{query}"), 400)


@pytest.mark.conformance(operation="list_members", status=400)
@pytest.mark.parametrize("query", ["page=0", "page=x", "perPage=0", "perPage=1001", "limit=101"])
def test_members_that_cannot_be_asked_for(thrive: Thrive, scenery: Target, query: str) -> None:
    assert_error(thrive.raw("GET", f"/audiences/{scenery.child}/members?{query}"), 400)


@pytest.mark.parametrize("operation", each(400, "get_audience"))
def test_a_path_that_is_not_utf_8(thrive: Thrive, operation: str) -> None:
    assert_error(thrive.raw("GET", "/audiences/%ff%fe"), 400)


@pytest.mark.conformance(operation="get_audience", status=404)
@pytest.mark.parametrize("name", ["%00", "%0D%0AX-Injected:%201", "..%2F..%2Fetc%2Fpasswd", "%27%20OR%201=1", "x" * 4000, "63F8C5361B9C80D3274BE7CA", "0", "-1"])
def test_a_name_that_no_audience_can_have(thrive: Thrive, name: str) -> None:
    answer = thrive.raw("GET", f"/audiences/{name}")
    assert "x-injected" not in answer.headers
    assert_error(answer, 404)


@pytest.mark.conformance(operation="get_audience", status=404)
def test_an_id_in_capitals_is_another(thrive: Thrive, scenery: Target) -> None:
    """An exact match: what looks like an id and is none may be somebody's reference."""
    if scenery.child.upper() != scenery.child:
        assert_error(thrive.send("GET", f"/audiences/{scenery.child.upper()}"), 404)
    assert_error(thrive.send("GET", f"/audiences/{part(' ' + scenery.child)}"), 404)
    assert_error(thrive.send("GET", f"/audiences/{int(scenery.child, 16)}"), 404)


@pytest.mark.conformance(operation="add_members", status=400)
def test_a_body_of_fifty_megabytes(thrive: Thrive, scenery: Target) -> None:
    """Is refused without being held: by its length alone, or when there has been too much of it."""
    before = thrive.server.memory_peak()
    body = b'["' + b"x" * HUGE_BYTES + b'"]'
    try:
        answer = put(thrive, "add_members", scenery.child, body)
    except (BrokenPipeError, ConnectionResetError):
        # The answer may come before the last byte is sent.
        pass
    else:
        assert_error(answer, 400)
    assert thrive.server.memory_peak() - before < HUGE_BYTES / 2


@pytest.mark.conformance(operation="add_members", status=200)
@pytest.mark.parametrize("kind", [None, "text/plain", JSON, "application/json; charset=utf-8", "application/x-www-form-urlencoded"])
def test_the_media_type_is_not_asked_for(thrive: Thrive, scenery: Target, kind: str | None) -> None:
    """The documentation names none in its answers."""
    body = json.dumps([scenery.ref]).encode()
    assert thrive.raw("POST", f"/audiences/{scenery.child}/members", body, Content_Type=kind).status == 200
