"""Users: two shapes of one, by id, by reference and by e-mail; made, changed, suspended, come back, deleted."""

from __future__ import annotations

import re
from typing import Any

import pytest

from thrive.client import CREATED, NOWHERE, TIME, V2, Thrive, assert_deleted, assert_error, assert_page, cells, new_user, part, unique

LIST = pytest.mark.conformance(operation="list_users", status=200)
GET = pytest.mark.conformance(operation="get_user", status=200)
BY_REF = pytest.mark.conformance(operation="get_user_by_ref", status=200)
CREATE = pytest.mark.conformance(operation="create_user", status=201)
UPDATE = pytest.mark.conformance(operation="update_user", status=200)
SUSPEND = pytest.mark.conformance(operation="suspend_user", status=200)
DELETE = pytest.mark.conformance(operation="delete_user", status=200)

# `UserLifecycleResource`, `BasicUser` and what `User` has besides.
RESOURCE = {
    "id", "loginMethod", "ref", "email", "firstName", "lastName", "role", "jobTitle", "managerRef", "startDate", "endDate",
    "timeZone", "languageCode", "active", "createdAt", "updatedAt", "sso", "domain", "additionalFields",
}  # fmt: skip
BASIC = {"id", "ref", "firstName", "lastName", "email", "role", "status", "positions", "additionalFields", "languageCode"}
USER = BASIC | {
    "deleted", "compliance", "level", "firstLogin", "lastLogin", "tags", "usersFollowing", "tagsFollowing", "createdAt", "updatedAt",
    "hasPicture", "timeZone", "summary", "relevancy", "rank", "agreedTerms", "onboarded", "audiences", "singleSignOn",
}  # fmt: skip


def by_ref(thrive: Thrive, ref: str) -> dict[str, Any]:
    return thrive.json("GET", f"/users/ref/{part(ref)}")


def update(thrive: Thrive, ref: str, **fields: Any) -> dict[str, Any]:
    return thrive.json("PATCH", f"{V2}/users/ref/{part(ref)}", fields)


@CREATE
@BY_REF
@GET
def test_the_documentations_example(thrive: Thrive) -> None:
    ref = unique("UID")
    body = {
        "ref": ref, "firstName": "Thomas", "lastName": "Anderson", "email": f"{ref}@example.com", "loginMethod": "email", "role": "learner",
        "jobTitle": "Analyst", "managerRef": "UID0034234555", "startDate": "2020-01-01T09:00:00.000Z", "timeZone": "Europe/London",
        "languageCode": "en-gb", "sso": False, "additionalFields": {"location": "London"},
    }  # fmt: skip
    made = thrive.json("POST", f"{V2}/users", body, CREATED)
    assert set(made) == RESOURCE
    assert re.fullmatch(r"[0-9a-f]{24}", made["id"]) and TIME.fullmatch(made["createdAt"])
    for name in ("ref", "firstName", "lastName", "email", "loginMethod", "role", "jobTitle", "managerRef", "timeZone", "languageCode", "sso", "additionalFields"):
        assert made[name] == body[name], name
    assert (made["active"], made["endDate"], made["startDate"][:10]) == (True, None, "2020-01-01")
    basic = by_ref(thrive, ref)
    assert set(basic) == BASIC
    assert {name: basic[name] for name in ("id", "ref", "firstName", "lastName", "email", "role", "additionalFields", "languageCode")} == {
        **{name: body[name] for name in ("ref", "firstName", "lastName", "email", "role", "additionalFields", "languageCode")},
        "id": made["id"],
    }
    assert basic["status"] == "active"
    user = thrive.json("GET", f"/user/{made['id']}")
    assert set(user) == USER
    assert {name: user[name] for name in BASIC} == basic
    assert (user["deleted"], user["audiences"], user["singleSignOn"], user["timeZone"]) == (False, [], False, "Europe/London")


@CREATE
def test_the_fewest_fields(thrive: Thrive) -> None:
    """Reference, names and e-mail; without an e-mail where people sign in by reference."""
    ref = unique("UID")
    made = thrive.json("POST", f"{V2}/users", {"ref": ref, "firstName": "T", "lastName": "A", "email": f"{ref}@example.com"}, CREATED)
    assert (made["loginMethod"], made["role"], made["managerRef"], made["startDate"], made["endDate"]) == ("email", "learner", None, None, None)
    ref = unique("UID")
    made = thrive.json("POST", f"{V2}/users", {"ref": ref, "firstName": "T", "lastName": "A", "loginMethod": "ref"}, CREATED)
    assert (made["loginMethod"], made["ref"], made.get("email")) == ("ref", ref, None)
    assert by_ref(thrive, ref)["email"] is None


@CREATE
@BY_REF
@pytest.mark.parametrize("ref", ["{}/x", "a b {}", "{}%2F", "{}?#", "ü{}", "{}@example.com"])
def test_any_reference(thrive: Thrive, ref: str) -> None:
    made = thrive.user(ref.format(unique()), email=f"{unique()}@example.com")
    assert by_ref(thrive, made["ref"])["id"] == made["id"]
    assert update(thrive, made["ref"], jobTitle="Analyst")["jobTitle"] == "Analyst"
    assert_deleted(thrive.send("DELETE", f"{V2}/users/ref/{part(made['ref'])}"))


@pytest.mark.conformance(operation="create_user", status=409)
@LIST
@pytest.mark.parametrize("field", ["ref", "email", "both", "email in another case", "id as a ref", "email as a ref"])
def test_what_somebody_else_has(thrive: Thrive, field: str) -> None:
    user = thrive.user()
    total = thrive.json("GET", "/users", perPage=1)["pagination"]["totalResults"]
    body = new_user()
    if field in ("ref", "both"):
        body["ref"] = user["ref"]
    if field in ("email", "both"):
        body["email"] = user["email"]
    if field == "email in another case":
        body["email"] = user["email"].upper()
    if field.endswith("as a ref"):
        # A name of a member must not mean two people.
        body["ref"] = user[field.partition(" ")[0]]
    assert_error(thrive.send("POST", f"{V2}/users", body), 409)
    assert thrive.json("GET", "/users", perPage=1)["pagination"]["totalResults"] == total


WRONG = {
    "no ref": {"ref": None},
    "no firstName": {"firstName": None},
    "no lastName": {"lastName": None},
    "no email": {"email": None},
    "no email, but a loginMethod of email": {"email": None, "loginMethod": "email"},
    "an empty ref": {"ref": ""},
    "a number for a ref": {"ref": 7},
    "a NUL in the ref": {"ref": "a\0b"},
    "a long ref": {"ref": "x" * 1000},
    "no e-mail address": {"email": "nobody"},
    "two at signs": {"email": "a@b@example.com"},
    "a loginMethod that there is not": {"loginMethod": "phone"},
    "a role that there is not": {"role": "emperor"},
    "a startDate that is none": {"startDate": "yesterday"},
    "a day that there is not": {"endDate": "2021-02-30"},
    "a date as it is written elsewhere": {"startDate": "31/12/2020"},
    "sso in words": {"sso": "yes"},
    "additionalFields as an array": {"additionalFields": ["x"]},
    "a firstName of a wrong type": {"firstName": {"x": 1}},
}


@pytest.mark.conformance(operation="create_user", status=400)
@LIST
@pytest.mark.parametrize("change", WRONG.values(), ids=list(WRONG))
def test_a_new_user_that_is_wrong(thrive: Thrive, change: dict[str, Any]) -> None:
    total = thrive.json("GET", "/users", perPage=1)["pagination"]["totalResults"]
    body = {name: value for name, value in {**new_user(), **change}.items() if value is not None}
    assert_error(thrive.send("POST", f"{V2}/users", body), 400)
    assert thrive.json("GET", "/users", perPage=1)["pagination"]["totalResults"] == total


@pytest.mark.conformance(operation="update_user", status=400)
@pytest.mark.parametrize("change", [change for change in WRONG.values() if None not in change.values() and "ref" not in change], ids=str)
def test_a_change_that_is_wrong(thrive: Thrive, change: dict[str, Any]) -> None:
    user = thrive.user()
    assert_error(thrive.send("PATCH", f"{V2}/users/ref/{user['ref']}", {"firstName": "Changed", **change}), 400)
    assert by_ref(thrive, user["ref"])["firstName"] == user["firstName"]


@UPDATE
@BY_REF
def test_what_is_omitted_stays_and_null_clears(thrive: Thrive) -> None:
    user = thrive.user(jobTitle="Analyst", managerRef="UID1", startDate="2020-01-01", additionalFields={"location": "London"})
    changed = update(thrive, user["ref"], firstName="Tom", jobTitle="Manager")
    assert set(changed) == RESOURCE
    assert (changed["id"], changed["firstName"], changed["lastName"], changed["jobTitle"], changed["managerRef"]) == (user["id"], "Tom", user["lastName"], "Manager", "UID1")
    changed = update(thrive, user["ref"], managerRef=None, startDate=None, additionalFields=None)
    assert (changed["managerRef"], changed["startDate"], changed["additionalFields"]) == (None, None, None)
    assert (changed["firstName"], changed["jobTitle"]) == ("Tom", "Manager")
    assert changed["updatedAt"] >= user["updatedAt"] and changed["createdAt"] == user["createdAt"]
    assert by_ref(thrive, user["ref"])["firstName"] == "Tom"


@UPDATE
@LIST
def test_a_new_address(thrive: Thrive) -> None:
    """Somebody's audiences are theirs under any address; the old one names nobody any more."""
    user, structure = thrive.user(), thrive.structure()
    thrive.add(structure["id"], user["email"])
    address = f"{unique()}@example.com"
    assert update(thrive, user["ref"], email=address)["email"] == address
    assert thrive.members(structure["id"]) == {user["ref"]}
    thrive.remove(structure["id"], address)
    assert thrive.members(structure["id"]) == set()


@pytest.mark.conformance(operation="update_user", status=409)
def test_an_address_that_somebody_has(thrive: Thrive) -> None:
    one, two = thrive.user(), thrive.user()
    assert_error(thrive.send("PATCH", f"{V2}/users/ref/{two['ref']}", {"email": one["email"], "firstName": "Changed"}), 409)
    found = by_ref(thrive, two["ref"])
    assert (found["email"], found["firstName"]) == (two["email"], two["firstName"])


@SUSPEND
@BY_REF
@GET
def test_suspended(thrive: Thrive) -> None:
    """The profile and the audiences stay."""
    user, structure = thrive.user(), thrive.structure()
    thrive.add(structure["id"], user["ref"])
    suspended = thrive.suspend(user["ref"])
    assert set(suspended) == RESOURCE
    assert (suspended["id"], suspended["active"]) == (user["id"], False)
    assert by_ref(thrive, user["ref"])["status"] == "inactive"
    assert thrive.json("GET", f"/user/{user['id']}")["audiences"] == [structure["id"]]
    assert thrive.members(structure["id"]) == {user["ref"]}
    # Again changes nothing.
    assert thrive.suspend(user["ref"])["active"] is False


@SUSPEND
def test_suspended_with_an_end_date(thrive: Thrive) -> None:
    user = thrive.user()
    suspended = thrive.json("PATCH", f"{V2}/users/ref/{user['ref']}/suspend", {"endDate": "2024-06-30T17:00:00.000Z"})
    assert (suspended["active"], suspended["endDate"][:10]) == (False, "2024-06-30")


@SUSPEND
def test_suspended_without_a_body(thrive: Thrive) -> None:
    user = thrive.user()
    answer = thrive.send("PATCH", f"{V2}/users/ref/{user['ref']}/suspend")
    assert (answer.status_code, answer.json()["active"]) == (200, False)


@pytest.mark.conformance(operation="suspend_user", status=400)
@pytest.mark.parametrize("body", [{"endDate": "soon"}, {"endDate": 7}, [], "x"], ids=str)
def test_suspended_wrongly(thrive: Thrive, body: Any) -> None:
    user = thrive.user()
    assert_error(thrive.send("PATCH", f"{V2}/users/ref/{user['ref']}/suspend", body), 400)
    assert by_ref(thrive, user["ref"])["status"] == "active"


@CREATE
@UPDATE
@LIST
def test_an_end_date_that_has_passed(thrive: Thrive) -> None:
    """Is expired; one to come, or today's, is not."""
    past, future = thrive.user(endDate="2020-01-31"), thrive.user(endDate="2999-12-31")
    assert (by_ref(thrive, past["ref"])["status"], by_ref(thrive, future["ref"])["status"]) == ("expired", "active")
    update(thrive, past["ref"], endDate=None)
    assert by_ref(thrive, past["ref"])["status"] == "active"
    structure = thrive.structure()
    thrive.add(structure["id"], past["ref"], future["ref"])


@DELETE
@cells(404, "get_user_by_ref", "delete_user", "update_user", "suspend_user")
def test_deleted(thrive: Thrive) -> None:
    """For good: nobody of this reference or address is left, and both are free again."""
    user, structure = thrive.user(), thrive.structure()
    child = thrive.audience(structure, members=[user["ref"]])
    assert_deleted(thrive.send("DELETE", f"{V2}/users/ref/{user['ref']}"))
    assert_error(thrive.send("GET", f"/users/ref/{user['ref']}"), 404)
    for method, path, body in (("DELETE", "", None), ("PATCH", "", {"jobTitle": "Analyst"}), ("PATCH", "/suspend", {})):
        assert_error(thrive.send(method, f"{V2}/users/ref/{user['ref']}{path}", body), 404)
    assert user["id"] not in {item["id"] for item in thrive.pages("/users")}
    assert user["ref"] not in thrive.members(child["id"]) and user["email"] not in {member["email"] for member in thrive.pages(f"/audiences/{child['id']}/members")}
    again = thrive.user(user["ref"], email=user["email"])
    assert again["id"] != user["id"]


@pytest.mark.conformance(operation="delete_user", status=400)
@pytest.mark.parametrize("path", ["/users/ref/", "/users/ref/%ff"])
def test_deleted_without_a_reference(thrive: Thrive, path: str) -> None:
    """The documentation's case of 400: the reference is missing."""
    assert_error(thrive.raw("DELETE", f"{V2}{path}"), 400)


@pytest.mark.conformance(operation="get_user_by_ref", status=400)
@pytest.mark.parametrize("path", ["/users/ref/", "/users/ref/%ff"])
def test_asked_for_without_a_reference(thrive: Thrive, path: str) -> None:
    assert_error(thrive.raw("GET", path), 400)


@pytest.mark.conformance(operation="get_user", status=404)
@pytest.mark.parametrize("name", [NOWHERE, "x", "0", "63f8c5361b9c80d3274be7c", "63F8C5361B9C80D3274BE7CA"])
def test_no_such_id(thrive: Thrive, name: str) -> None:
    user = thrive.user()
    assert_error(thrive.send("GET", f"/user/{name}"), 404)
    # A reference is not an id here.
    assert_error(thrive.send("GET", f"/user/{user['ref']}"), 404)
    assert_error(thrive.send("GET", f"/users/ref/{user['id']}"), 404)


@LIST
def test_the_list(thrive: Thrive) -> None:
    made = [thrive.user() for _ in range(3)]
    users = thrive.pages("/users")
    found = {user["id"]: user for user in users}
    assert len(found) == len(users)
    assert all(set(user) == USER for user in users)
    for user in made:
        assert found[user["id"]] == thrive.json("GET", f"/user/{user['id']}")
    assert [user["id"] for user in users] == sorted(found)
    assert_page(thrive.json("GET", "/users"), 1, 100)
    two = thrive.json("GET", "/users", page=2, perPage=2)
    assert_page(two, 2, 2)
    assert two["results"] == users[2:4]


@LIST
def test_found_by_mail(thrive: Thrive) -> None:
    """Ours: no page of the vendor's has it, and its clients would walk through the list."""
    user = thrive.user()
    for address in (user["email"], user["email"].upper()):
        page = thrive.json("GET", "/users", email=address)
        assert ([item["id"] for item in page["results"]], page["pagination"]["totalResults"]) == ([user["id"]], 1)
    assert thrive.json("GET", "/users", email=f"{unique()}@example.com")["results"] == []


@LIST
def test_by_status(thrive: Thrive) -> None:
    active, suspended, ended = thrive.user()["id"], thrive.user(), thrive.user(endDate="2020-01-31")["id"]
    thrive.suspend(suspended["ref"])

    def found(**query: str) -> set[str]:
        return {user["id"] for user in thrive.pages("/users", **query)} & {active, suspended["id"], ended}

    assert found() == {active, suspended["id"], ended}
    assert found(status="active") == found(statuses="active") == {active}
    assert found(status="inactive") == {suspended["id"]}
    assert found(status="expired") == {ended}
    assert found(statuses="active,expired") == found(omitStatuses="inactive") == {active, ended}
    assert found(omitStatuses="active,inactive,expired,new") == found(status="new") == set()


@LIST
def test_updated_since(thrive: Thrive) -> None:
    old, changed = thrive.user(), thrive.user()
    changed = update(thrive, changed["ref"], firstName="Changed")

    def since(moment: str) -> set[str]:
        return {user["id"] for user in thrive.pages("/users", updatedSince=moment)}

    assert {old["id"], changed["id"]} <= since(old["updatedAt"])
    assert changed["id"] in since(changed["updatedAt"])
    assert since("2999-01-01T00:00:00Z") == set()


@pytest.mark.conformance(operation="list_users", status=400)
@pytest.mark.parametrize("query", ["page=0", "page=x", "perPage=0", "perPage=1001", "page=1.5", "updatedSince=yesterday", "status=asleep", "statuses=active,asleep", "omitStatuses=,"])
def test_a_list_that_cannot_be_asked_for(thrive: Thrive, query: str) -> None:
    assert_error(thrive.raw("GET", f"/users?{query}"), 400)
