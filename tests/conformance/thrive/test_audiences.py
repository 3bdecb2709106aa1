"""Audiences: made, shown, listed page by page, renamed, found by id and by reference, deleted with what hangs below."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from support.waiting import wait_until
from thrive import scene
from thrive.client import CREATED, Target, Thrive, assert_audience, assert_deleted, assert_error, assert_page, cells, part, unique

LIST = pytest.mark.conformance(operation="list_audiences", status=200)
GET = pytest.mark.conformance(operation="get_audience", status=200)
CREATE = pytest.mark.conformance(operation="create_audience", status=201)
UPDATE = pytest.mark.conformance(operation="update_audience", status=200)
DELETE = pytest.mark.conformance(operation="delete_audience", status=200)
GONE = pytest.mark.conformance(operation="get_audience", status=404)

# What a reference may be, and a path must carry.
REFERENCES = ("a/b", "a/b/", "/a", "a b", "a%2Fb", "a%b", "50%", "a?b#c", "a+b", "..", "../..", ".", "ü디자인", "a@example.com", "members", "a'\"<b>", "x" * 100)


@CREATE
@GET
def test_a_structure_and_its_child(thrive: Thrive) -> None:
    """First the structure, then the child in it, as the documentation's workflow has it."""
    structure = thrive.json("POST", "/audiences", {"name": "Tech Teams", "reference": unique("structure-"), "category": "structure"}, CREATED)
    assert_audience(structure, None)
    child = thrive.json("POST", "/audiences", {"name": "Tech Team", "reference": unique("audience123-"), "parentId": structure["id"], "category": "audience"}, CREATED)
    assert_audience(child, structure)
    for made in (structure, child):
        assert (made["apiControlled"], made["type"]) == (True, "manual")
        assert "memberOperations" not in made
        assert thrive.get(made["id"]) == thrive.get(made["reference"]) == made
    assert structure["id"] < child["id"]


@CREATE
def test_the_category_may_be_left_out(thrive: Thrive) -> None:
    structure = thrive.json("POST", "/audiences", {"name": unique(), "reference": unique()}, CREATED)
    assert_audience(structure, None)
    assert_audience(thrive.json("POST", "/audiences", {"name": unique(), "reference": unique(), "parentId": structure["id"]}, CREATED), structure)


@CREATE
@pytest.mark.parametrize("parent", [None, ""], ids=["null", "blank"])
def test_a_blank_parent_is_none(thrive: Thrive, parent: str | None) -> None:
    """The page says: leave it blank for a structure."""
    assert_audience(thrive.structure(parentId=parent), None)


@CREATE
def test_the_parent_by_reference(thrive: Thrive) -> None:
    structure = thrive.structure()
    assert_audience(thrive.audience(structure["reference"]), structure)


@CREATE
def test_names_are_nobodys_own(thrive: Thrive) -> None:
    """The documentation wants references unique, and says nothing of names."""
    structure = thrive.structure()
    one, two = (thrive.audience(structure, name="The same") for _ in range(2))
    assert (one["name"], two["name"]) == ("The same", "The same") and one["id"] != two["id"]
    assert thrive.structure(name=structure["name"])["id"] != structure["id"]


@GET
@UPDATE
@DELETE
@CREATE
@cells(200, "list_members")
@pytest.mark.parametrize("reference", REFERENCES)
def test_any_reference_in_a_path(thrive: Thrive, reference: str) -> None:
    """Percent-encoded as one part of it, also where it has slashes. `requests` would take dots for folders."""
    made = thrive.structure(reference=reference)
    path = "/audiences/" + "".join(f"%{byte:02X}" for byte in reference.encode())
    try:
        assert thrive.raw("GET", path).json == made
        assert thrive.raw("GET", f"{path}/").json == made
        assert thrive.raw("GET", f"{path}/members").json["results"] == []
        if reference.strip("."):
            assert thrive.get(reference) == made
        for slash in ("", "/"):
            name = unique("renamed ")
            changed = thrive.raw("PATCH", f"{path}{slash}", json.dumps({"name": name}).encode())
            assert (changed.status, changed.json["name"], changed.json["reference"]) == (200, name, reference)
        assert_audience(thrive.audience(reference), changed.json)
    finally:
        assert thrive.raw("DELETE", path).status == 200
    assert not thrive.exists(made["id"])


@UPDATE
@pytest.mark.parametrize("slash", ["", "/"], ids=["without the slash", "with the slash"])
def test_rename(thrive: Thrive, slash: str) -> None:
    """The page has a slash at the end; programs send it without."""
    structure = thrive.structure()
    child = thrive.audience(structure)
    name, reference = unique("renamed "), unique("ref-")
    changed = thrive.json("PATCH", f"/audiences/{child['id']}{slash}", {"name": name})
    assert changed.pop("memberOperations") is None
    assert_audience(changed, structure)
    assert (changed["name"], changed["reference"], changed["createdAt"]) == (name, child["reference"], child["createdAt"])
    changed = thrive.json("PATCH", f"/audiences/{part(child['reference'])}{slash}", {"reference": reference})
    assert changed.pop("memberOperations") is None
    assert (changed["id"], changed["name"], changed["reference"]) == (child["id"], name, reference)
    assert thrive.get(reference) == changed
    assert not thrive.exists(child["reference"])
    # What is its own already is no clash.
    assert thrive.update(child["id"], name=name, reference=reference)["reference"] == reference


@UPDATE
def test_rename_a_structure(thrive: Thrive) -> None:
    structure = thrive.structure()
    child = thrive.audience(structure)
    changed = thrive.update(structure["id"], name=unique("renamed "), reference=unique("ref-"))
    assert changed.pop("memberOperations") is None
    assert_audience(changed, None)
    assert_audience(thrive.get(child["id"]), changed)


@LIST
def test_the_list_has_everything_once(thrive: Thrive) -> None:
    structure = thrive.structure()
    children = [thrive.audience(structure) for _ in range(3)]
    listed = thrive.pages("/audiences")
    assert len({item["id"] for item in listed}) == len(listed)
    found = {item["id"]: item for item in listed}
    for made in (structure, *children):
        assert found[made["id"]] == thrive.get(made["id"]) == made
    # A list does not change its order between two pages: by age.
    assert [item["id"] for item in listed] == sorted(found)


@LIST
def test_pages(thrive: Thrive) -> None:
    structure = thrive.structure()
    for _ in range(4):
        thrive.audience(structure)
    whole = thrive.json("GET", "/audiences", perPage=1000)["results"]
    first = thrive.json("GET", "/audiences")
    assert_page(first, 1, 100)
    assert_page(thrive.json("GET", "/audiences", page=1, perPage=2), 1, 2)
    second = thrive.json("GET", "/audiences", page=2, perPage=2)
    assert_page(second, 2, 2)
    assert second["results"] == whole[2:4]
    beyond = thrive.json("GET", "/audiences", page=100_000, perPage=1000)
    assert_page(beyond, 100_000, 1000)
    assert beyond["results"] == []


@LIST
def test_the_older_parameter_for_the_size(thrive: Thrive) -> None:
    """`limit`, up to 100. Where both are given, the newer says."""
    thrive.structure(), thrive.structure()
    assert_page(thrive.json("GET", "/audiences", limit=1), 1, 1)
    assert_page(thrive.json("GET", "/audiences", limit=1, perPage=2), 1, 2)


@LIST
def test_only_what_the_api_controls(thrive: Thrive) -> None:
    ours = thrive.structure()
    theirs, child, _ = scene.structure_of(thrive, "console")
    both, _, _ = scene.structure_of(thrive, "both")
    assert (ours["apiControlled"], theirs["apiControlled"], child["apiControlled"], both["apiControlled"]) == (True, False, False, True)
    api = {item["id"]: item for item in thrive.pages("/audiences", apiControlled="true")}
    console = {item["id"]: item for item in thrive.pages("/audiences", apiControlled="false")}
    assert {ours["id"], both["id"]} <= set(api) and {theirs["id"], child["id"]} <= set(console)
    assert not set(api) & set(console)
    assert all(item["apiControlled"] for item in api.values()) and not any(item["apiControlled"] for item in console.values())
    assert set(api) | set(console) == {item["id"] for item in thrive.pages("/audiences")}


@LIST
def test_updated_since(thrive: Thrive) -> None:
    """On or after the moment; a rename and a change of members count, and what was deleted is not listed."""
    structure = thrive.structure()
    renamed, joined, quiet, deleted = (thrive.audience(structure) for _ in range(4))
    last = max(item["updatedAt"] for item in (renamed, joined, quiet, deleted))
    moment = after(last)
    thrive.update(renamed["id"], name=unique("renamed "))
    thrive.add(joined["id"], thrive.user()["ref"])
    thrive.delete(deleted["id"])

    def since(text: str) -> set[str]:
        return {item["id"] for item in thrive.pages("/audiences", updatedSince=text)}

    found = since(moment)
    assert {renamed["id"], joined["id"]} <= found
    assert not {quiet["id"], deleted["id"]} & found
    exact = thrive.get(quiet["id"])["updatedAt"]
    assert quiet["id"] in since(exact)
    assert quiet["id"] in since("2020-01-01T00:00:00Z") and quiet["id"] in since("2020-01-01") and quiet["id"] in since(exact.replace("Z", "+00:00"))
    assert since("2999-01-01T00:00:00.000Z") == set()


def after(moment: str) -> str:
    """The next millisecond after one that was answered, once it is over: what happens from then on is on or after it."""
    later = datetime.fromisoformat(moment) + timedelta(milliseconds=1)
    wait_until(lambda: datetime.now(UTC) > later, 10, f"the clock comes to {later}")
    return later.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@LIST
@CREATE
def test_a_criteo_advertiser_is_a_structure(thrive: Thrive) -> None:
    """What other protocols made is in the list too, with ids of Thrive's form."""
    names = {item["name"]: item for item in thrive.pages("/audiences")}
    assert names["Demo shop"]["category"] == "structure" and names["Demo shop"]["apiControlled"] is True
    child = thrive.audience(names["Demo shop"]["id"])
    assert child["parent"]["id"] == names["Demo shop"]["id"]
    thrive.delete(child["id"])


@DELETE
@GONE
def test_delete_a_child(thrive: Thrive, target: Target) -> None:
    thrive.delete(target.child)
    assert_error(thrive.send("GET", f"/audiences/{target.child}"), 404)
    assert_error(thrive.send("DELETE", f"/audiences/{target.child}"), 404)
    assert target.child not in {item["id"] for item in thrive.pages("/audiences")}
    # The structure stays, the user stays, and is in neither.
    assert thrive.exists(target.structure)
    assert thrive.members(target.structure) == set()
    assert thrive.user_audiences(target.ref) == set()


@DELETE
@GONE
@pytest.mark.parametrize("children", [0, 3])
def test_delete_a_structure_with_its_children(thrive: Thrive, people: list[str], children: int) -> None:
    structure = thrive.structure()
    below = [thrive.audience(structure, members=people[:2]) for _ in range(children)]
    thrive.add(structure["id"], people[2])
    assert_deleted(thrive.send("DELETE", f"/audiences/{part(structure['reference'])}"))
    gone = {item["id"] for item in (structure, *below)}
    assert not gone & {item["id"] for item in thrive.pages("/audiences")}
    for item in gone:
        for path in ("", "/members", "/managers"):
            assert_error(thrive.send("GET", f"/audiences/{item}{path}"), 404)
    assert not gone & {audience for ref in people[:3] for audience in thrive.user_audiences(ref)}
    # Their references are free again.
    again = thrive.structure(reference=structure["reference"])
    assert thrive.get(structure["reference"]) == again


@cells(200, "list_audiences", "get_audience", "list_members")
def test_a_smart_audience_is_shown(thrive: Thrive, people: list[str]) -> None:
    """With the members that follow from its rule, and not as one that the API controls."""
    structure = thrive.structure()
    child = thrive.audience(structure, members=people[:2])
    smart = scene.smart_of(thrive, child)
    assert_audience(smart, structure)
    assert (smart["type"], smart["apiControlled"]) == ("smart", False)
    assert smart["id"] in {item["id"] for item in thrive.pages("/audiences", apiControlled="false")}
    assert thrive.members(smart["id"]) == set(people[:2])
    thrive.add(child["id"], people[2])
    assert thrive.members(smart["id"]) == set(people[:3])
