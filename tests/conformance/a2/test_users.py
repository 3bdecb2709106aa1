"""A2's own routes for users: data, budget, list and delete; who may change what, and of whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from a2.client import UNKNOWN_ID, USER_FIELDS, Account, ThrongA2, answered, invalid, refused, unique_email
from a2.comparison import is_uuid
from support import native

INFO, BUDGET, ALL, DELETE, LOGS = "update_user_data", "update_user_budget", "get_all_users", "delete_user", "get_activity_logs"
# What nobody but an administrator changes: the field, and another value than a new account has.
RESERVED: dict[str, Any] = {
    "is_superuser": True,
    "is_active": False,
    "is_verified": True,
    "budget": 1000,
    "credit": 1000,
    "permissions": {"campaign": ["r", "w"], "advertiser": ["budget"]},
    "role": "admin",
}
COUNTERS = ("campaign_count", "creative_count", "placement_count")


def get(a2: ThrongA2, user: str) -> dict[str, Any]:
    """One user, as an administrator sees it."""
    found = answered(a2.get(f"/users?id={user}", a2.admin), 200)
    assert len(found) == 1, found
    return found[0]


def delete(a2: ThrongA2, token: str | None, command: Any) -> Any:
    return a2.request("DELETE", "/users", json_body=command, token=token)


# PATCH /user/info


@pytest.mark.conformance(operation=INFO, status=200)
def test_one_s_own_data(a2: ThrongA2, ann: Account) -> None:
    before = answered(a2.me(ann.token), 200)
    preferences = {"etc": {"language": "en", "theme": "dark"}, "new": {"a": [1, None]}}
    after = answered(a2.patch("/user/info", {"name": "Ann Smith", "preferences": preferences}, ann.token), 200)
    assert set(after) == USER_FIELDS
    assert after["name"] == "Ann Smith" and after["preferences"]["etc"] == preferences["etc"] and after["preferences"]["new"] == preferences["new"]
    assert {name for name in before if before[name] != after[name]} == {"name", "preferences"}
    assert answered(a2.me(ann.token), 200) == after


@pytest.mark.conformance(operation=INFO, status=200)
def test_what_is_left_out_stays(a2: ThrongA2, ann: Account) -> None:
    """The page lists fields as required; the vendor's own tutorial leaves most of them out."""
    before = answered(a2.me(ann.token), 200)
    for command in ({}, {"id": ann.id}, {"id": ann.id.upper()}, {"nickname": "x"}, {"name": before["name"]}):
        assert answered(a2.patch("/user/info", command, ann.token), 200) == before


@pytest.mark.conformance(operation=INFO, status=200)
def test_the_whole_documented_command(a2: ThrongA2, ann: Account) -> None:
    """The answer sent back as the command, as the seed's own example does it."""
    user = answered(a2.me(ann.token), 200)
    assert answered(a2.patch("/user/info", {**user, "name": "Ann Smith"}, ann.token), 200) == {**user, "name": "Ann Smith"}
    assert answered(a2.patch("/user/info", {**user, "name": "Ann Lee"}, a2.admin), 200) == user


@pytest.mark.conformance(operation=INFO, status=200)
@pytest.mark.parametrize("who", ["advertiser", "retailer"])
@pytest.mark.parametrize("field", [*RESERVED, *COUNTERS])
def test_nobody_raises_themselves(a2: ThrongA2, who: str, field: str) -> None:
    """Dropped without a word, and what stands beside it is done."""
    account = a2.account() if who == "advertiser" else a2.retailer()
    before = answered(a2.me(account.token), 200)
    after = answered(a2.patch("/user/info", {"id": account.id, field: RESERVED.get(field, 7), "name": "Another Name"}, account.token), 200)
    assert after == {**before, "name": "Another Name"}
    assert answered(a2.me(account.token), 200) == after == get(a2, account.id)
    refused(a2.get("/users", account.token), 403, "Forbidden")


@pytest.mark.conformance(operation=INFO, status=200)
@pytest.mark.parametrize("field", ["is_active", "is_verified", "permissions", "budget", "credit"])
def test_what_an_administrator_may_change(a2: ThrongA2, ann: Account, field: str) -> None:
    before = get(a2, ann.id)
    after = answered(a2.patch("/user/info", {"id": ann.id, field: RESERVED[field]}, a2.admin), 200)
    assert after == {**before, field: RESERVED[field]} == get(a2, ann.id)


@pytest.mark.conformance(operation=INFO, status=200)
@pytest.mark.parametrize("field", ["role", *COUNTERS])
def test_what_not_even_an_administrator_changes(a2: ThrongA2, ann: Account, field: str) -> None:
    """The command has no role, and the counters are counted."""
    before = get(a2, ann.id)
    assert answered(a2.patch("/user/info", {"id": ann.id, field: RESERVED.get(field, 7)}, a2.admin), 200) == before == get(a2, ann.id)


@pytest.mark.conformance(operation=INFO, status=200)
@pytest.mark.conformance(operation=INFO, status=403)
def test_an_administrator_makes_another_and_takes_it_back(a2: ThrongA2, ann: Account) -> None:
    promoted = answered(a2.patch("/user/info", {"id": ann.id, "is_superuser": True}, a2.admin), 200)
    assert (promoted["is_superuser"], promoted["role"]) == (True, "admin")
    token = a2.token(ann.email)
    assert answered(a2.get("/users", token), 200)
    demoted = answered(a2.patch("/user/info", {"id": ann.id, "is_superuser": False}, a2.admin), 200)
    assert demoted["is_superuser"] is False and demoted["role"] != "admin"
    refused(a2.get("/users", a2.token(ann.email)), 403, "Forbidden")
    other = a2.account()
    refused(a2.patch("/user/info", {"id": other.id, "name": "Somebody"}, a2.token(ann.email)), 403, "Forbidden")


@pytest.mark.conformance(operation=INFO, status=403)
@pytest.mark.conformance(operation=INFO, status=404)
def test_somebody_else_s_data(a2: ThrongA2, ann: Account, retailer: Account) -> None:
    other = a2.account()
    for account in (ann, retailer):
        # The known and the unknown alike: ids are not to be tried out.
        for user in (other.id, UNKNOWN_ID):
            refused(a2.patch("/user/info", {"id": user, "name": "Somebody"}, account.token), 403, "Forbidden")
    refused(a2.patch("/user/info", {"id": UNKNOWN_ID, "name": "Somebody"}, a2.admin), 404, "Not Found")
    assert get(a2, other.id)["name"] == "Ann Lee"


@pytest.mark.conformance(operation=INFO, status=401)
@pytest.mark.conformance(operation=BUDGET, status=401)
@pytest.mark.conformance(operation=ALL, status=401)
@pytest.mark.conformance(operation=DELETE, status=401)
@pytest.mark.conformance(operation=LOGS, status=401)
def test_nobody(a2: ThrongA2, ann: Account) -> None:
    """Who is asked before what: a broken body of somebody unknown is 401."""
    for token in (None, "x"):
        for method, path in (("PATCH", "/user/info"), ("PATCH", "/user/budget"), ("DELETE", "/users")):
            refused(a2.request(method, path, json_body={"id": ann.id, "name": "Somebody", "budget": 1}, token=token), 401, "Unauthorized")
        for path in ("/users", "/activity-logs"):
            refused(a2.get(path, token), 401, "Unauthorized")
    assert get(a2, ann.id)["name"] == "Ann Lee"


@pytest.mark.conformance(operation=INFO, status=400)
def test_somebody_else_s_address(a2: ThrongA2, ann: Account) -> None:
    other = a2.account()
    for email in (other.email, other.email.upper()):
        refused(a2.patch("/user/info", {"email": email, "name": "Not Written"}, ann.token), 400, "UPDATE_USER_EMAIL_ALREADY_EXISTS")
    assert get(a2, ann.id)["name"] == "Ann Lee"
    # One's own is nobody else's.
    assert answered(a2.patch("/user/info", {"email": ann.email}, ann.token), 200)["email"] == ann.email


@pytest.mark.conformance(operation=INFO, status=422)
@pytest.mark.parametrize(("field", "value"), [("id", "x"), ("id", 1), ("name", "Ann"), ("name", "A" * 33), ("name", "Ann\r\nLee"), ("email", None), ("email", "ann"), ("budget", -1), ("budget", "much"), ("permissions", []), ("preferences", "x"), ("is_active", "maybe")])  # fmt: skip
def test_wrong_values(a2: ThrongA2, ann: Account, field: str, value: Any) -> None:
    """Nothing of the command is done, and an administrator hears no other answer."""
    for token in (ann.token, a2.admin):
        command = {"id": ann.id, "name": "Not Written", field: value}
        assert invalid(a2.patch("/user/info", command, token), "body", field)["input"] == value
    assert get(a2, ann.id)["name"] == "Ann Lee"


# PATCH /user/budget


@pytest.mark.conformance(operation=BUDGET, status=200)
def test_an_administrator_allots_a_budget(a2: ThrongA2, ann: Account) -> None:
    """Absolute values, as the vendor's tutorial sends them; the ledger keeps the differences."""
    before = get(a2, ann.id)
    for command, expected in (
        ({"budget": 100, "credit": 20.5}, (100, 20.5)),
        ({"budget": 70}, (70, 20.5)),
        ({"credit": 0}, (70, 0)),
        ({}, (70, 0)),
        ({"budget": 70}, (70, 0)),
        ({"budget": 0.1}, (0.1, 0)),
    ):
        after = answered(a2.patch("/user/budget", {"id": ann.id, **command}, a2.admin), 200)
        assert (after["budget"], after["credit"]) == expected
        assert after == {**before, "budget": expected[0], "credit": expected[1]} == get(a2, ann.id)
    ledger = native.call(a2.server, "GET", f"/accounts/{native.account_id(a2.server, ann.email)}/ledger")["items"]
    # Newest first within each; what changed nothing is no entry.
    for kind, expected in (("budget", [(-69.9, 0.1), (-30, 70), (100, 100)]), ("credit", [(-20.5, 0), (20.5, 20.5)])):
        assert [(entry["difference"], entry["balance"]) for entry in ledger if entry["kind"] == kind] == expected
    assert all(entry["reason"] for entry in ledger)


@pytest.mark.conformance(operation=BUDGET, status=403)
@pytest.mark.conformance(operation=BUDGET, status=404)
def test_a_budget_is_not_one_s_own_to_set(a2: ThrongA2, ann: Account, retailer: Account) -> None:
    for account in (ann, retailer):
        for command in ({"id": account.id, "budget": 5}, {"budget": 5}, {"id": ann.id, "credit": 5}, {"id": UNKNOWN_ID, "budget": 5}):
            refused(a2.patch("/user/budget", command, account.token), 403, "Forbidden")
        assert (get(a2, account.id)["budget"], get(a2, account.id)["credit"]) == (0, 0)
    refused(a2.patch("/user/budget", {"id": UNKNOWN_ID, "budget": 5}, a2.admin), 404, "Not Found")


@pytest.mark.conformance(operation=BUDGET, status=422)
@pytest.mark.parametrize(("field", "value"), [("budget", -0.01), ("credit", -1), ("budget", "much"), ("budget", {}), ("id", "not-a-uuid"), ("budget", 1e300)])
def test_no_budget(a2: ThrongA2, ann: Account, field: str, value: Any) -> None:
    answered(a2.patch("/user/budget", {"id": ann.id, "budget": 3, "credit": 3}, a2.admin), 200)
    error = invalid(a2.patch("/user/budget", {"id": ann.id, "budget": 9, "credit": 9, field: value}, a2.admin), "body", field)
    assert error["input"] == value
    if value in (-0.01, -1):
        assert (error["type"], error["msg"]) == ("greater_than_equal", "Input should be greater than or equal to 0")
    assert (get(a2, ann.id)["budget"], get(a2, ann.id)["credit"]) == (3, 3)
    for infinite in (b"Infinity", b"NaN", b"-Infinity"):
        body = b'{"id": "%s", "budget": %s}' % (ann.id.encode(), infinite)
        assert a2.request("PATCH", "/user/budget", body=body, token=a2.admin, headers={"Content-Type": "application/json"}).status == 422


# GET /users


@pytest.mark.conformance(operation=ALL, status=200)
def test_all_users(a2: ThrongA2, ann: Account, retailer: Account) -> None:
    """A bare array, without pages."""
    users = answered(a2.get("/users", a2.admin), 200)
    assert isinstance(users, list)
    assert all(set(user) == USER_FIELDS and is_uuid(user["id"]) for user in users)
    ids = [user["id"] for user in users]
    assert len(ids) == len(set(ids)) and {ann.id, retailer.id} <= set(ids)
    for role in ("advertiser", "retailer", "admin"):
        found = answered(a2.get(f"/users?role={role}", a2.admin), 200)
        assert {user["role"] for user in found} == {role}
        assert {user["id"] for user in found} == {user["id"] for user in users if user["role"] == role}
    assert all(user["is_superuser"] is (user["role"] == "admin") for user in users)


@pytest.mark.conformance(operation=ALL, status=200)
def test_one_user(a2: ThrongA2, ann: Account) -> None:
    me = answered(a2.me(ann.token), 200)
    for query in (f"id={ann.id}", f"id={ann.id}&role=advertiser", f"id={ann.id.upper()}"):
        assert answered(a2.get(f"/users?{query}", a2.admin), 200) == [me]
    for query in (f"id={ann.id}&role=retailer", f"id={UNKNOWN_ID}"):
        assert answered(a2.get(f"/users?{query}", a2.admin), 200) == []


@pytest.mark.conformance(operation=ALL, status=422)
def test_a_question_that_is_none(a2: ThrongA2) -> None:
    invalid(a2.get("/users?id=not-a-uuid", a2.admin), "query", "id", type_="uuid_parsing")
    error = invalid(a2.get("/users?role=boss", a2.admin), "query", "role", type_="enum")
    assert error["msg"] == "Input should be 'advertiser', 'retailer' or 'admin'" and error["input"] == "boss"


@pytest.mark.conformance(operation=ALL, status=403)
def test_not_everybody_sees_everybody(a2: ThrongA2, ann: Account, retailer: Account) -> None:
    for account in (ann, retailer):
        for query in ("", f"?id={account.id}", "?role=admin"):
            refused(a2.get(f"/users{query}", account.token), 403, "Forbidden")


# DELETE /users


@pytest.mark.conformance(operation=DELETE, status=200)
@pytest.mark.conformance(operation="get_current_user", status=401)
@pytest.mark.conformance(operation="login", status=400)
def test_deleting_a_user(a2: ThrongA2, ann: Account) -> None:
    user = get(a2, ann.id)
    assert answered(delete(a2, a2.admin, {"id": ann.id}), 200) == user
    assert answered(a2.get(f"/users?id={ann.id}", a2.admin), 200) == []
    refused(a2.me(ann.token), 401, "Unauthorized")
    refused(a2.login(ann.email), 400, "LOGIN_BAD_CREDENTIALS")
    refused(delete(a2, a2.admin, {"id": ann.id}), 404, "Not Found")
    # The address is free, and its next owner is somebody else.
    again = a2.account(ann.email)
    assert again.id != ann.id
    refused(a2.me(ann.token), 401, "Unauthorized")


@pytest.mark.conformance(operation=DELETE, status=200)
def test_deleting_with_the_whole_documented_command(a2: ThrongA2, ann: Account) -> None:
    user = get(a2, ann.id)
    assert answered(delete(a2, a2.admin, {**user, "password": "whatever it says", "name": "Another Name"}), 200) == user


@pytest.mark.conformance(operation=DELETE, status=403)
def test_deleting_is_for_administrators(a2: ThrongA2, ann: Account, retailer: Account) -> None:
    for account in (ann, retailer):
        for user in (ann.id, retailer.id, UNKNOWN_ID):
            refused(delete(a2, account.token, {"id": user}), 403, "Forbidden")
    for account in (ann, retailer):
        answered(a2.me(account.token), 200)


@pytest.mark.conformance(operation=DELETE, status=404)
@pytest.mark.conformance(operation=DELETE, status=422)
def test_deleting_nobody(a2: ThrongA2) -> None:
    before = len(answered(a2.get("/users", a2.admin), 200))
    refused(delete(a2, a2.admin, {"id": UNKNOWN_ID}), 404, "Not Found")
    # An `id` left out is not the caller here.
    invalid(delete(a2, a2.admin, {}), "body", "id", type_="missing")
    invalid(delete(a2, a2.admin, {"id": None}), "body", "id")
    invalid(delete(a2, a2.admin, {"id": "not-a-uuid"}), "body", "id", type_="uuid_parsing")
    invalid(a2.request("DELETE", "/users", token=a2.admin), "body", type_="missing")
    assert len(answered(a2.get("/users", a2.admin), 200)) == before


# GET /activity-logs


def logs(a2: ThrongA2, query: str = "") -> list[dict[str, Any]]:
    return answered(a2.get(f"/activity-logs{query}", a2.admin), 200)


@pytest.mark.conformance(operation=LOGS, status=200)
def test_the_activity_log(a2: ThrongA2, ann: Account) -> None:
    last = logs(a2, "?limit=1")[0]["no"]
    answered(a2.patch("/user/info", {"id": ann.id, "name": "Ann Smith", "password": "a password in no log"}, a2.admin), 200)
    answered(a2.patch("/user/budget", {"id": ann.id, "budget": 5}, a2.admin), 200)
    answer = a2.get("/activity-logs?limit=1000", a2.admin)
    entries = answered(answer, 200)
    admin = answered(a2.me(a2.admin), 200)["id"]
    assert all({"id", "no", "owner_id", "created_by", "created_at", "updated_at", "verb"} <= set(entry) for entry in entries)
    numbers = [entry["no"] for entry in entries]
    assert numbers == sorted(set(numbers), reverse=True)
    assert all(is_uuid(entry["id"]) and entry["verb"] for entry in entries) and len({entry["id"] for entry in entries}) == len(entries)
    # Another test may write to the same server, but not in the administrator's name about Ann.
    assert len([entry for entry in entries if entry["no"] > last and entry["created_by"] == admin]) >= 2
    assert "a password in no log" not in answer.text and a2.admin not in answer.text


@pytest.mark.conformance(operation=LOGS, status=200)
def test_the_activity_log_page_by_page(a2: ThrongA2) -> None:
    for number in range(5):
        a2.account(name=f"Number {number}")
    first = logs(a2, "?limit=2")
    second = logs(a2, f"?limit=2&before={first[-1]['no']}")
    both = logs(a2, f"?limit=4&before={first[0]['no'] + 1}")
    assert len(first) == len(second) == 2 and both == first + second
    assert logs(a2, "?before=1") == []
    assert len(logs(a2)) <= 100


@pytest.mark.conformance(operation=LOGS, status=403)
@pytest.mark.conformance(operation=LOGS, status=422)
def test_the_activity_log_is_for_administrators(a2: ThrongA2, ann: Account, retailer: Account) -> None:
    for account in (ann, retailer):
        refused(a2.get("/activity-logs", account.token), 403, "Forbidden")
    for query in ("limit=0", "limit=1001", "limit=-1", "limit=x"):
        invalid(a2.get(f"/activity-logs?{query}", a2.admin), "query", "limit")
    invalid(a2.get("/activity-logs?before=x", a2.admin), "query", "before")


@pytest.mark.conformance(operation=INFO, status=200)
@pytest.mark.conformance(operation=LOGS, status=200)
def test_what_was_dropped_is_logged(a2: ThrongA2, ann: Account) -> None:
    """Who tries to raise themselves hears nothing of it; the administrator does."""
    last = logs(a2, "?limit=1")[0]["no"]
    answered(a2.patch("/user/info", {"is_superuser": True}, ann.token), 200)
    entries: Callable[[], list[dict[str, Any]]] = lambda: [entry for entry in logs(a2) if entry["no"] > last and entry["created_by"] == ann.id]
    assert any("is_superuser" in str(entry) for entry in entries()), entries()


@pytest.mark.conformance(operation="get_current_user", status=200)
def test_a_user_made_natively_is_a_user_here(a2: ThrongA2) -> None:
    email = unique_email("native")
    native.account_create(a2.server, email, "a horse of nine letters", "retailer", name="Nat Ive")
    user = answered(a2.me(a2.token(email)), 200)
    assert (user["email"], user["name"], user["role"], user["is_superuser"]) == (email, "Nat Ive", "retailer", False)
    assert set(user) == USER_FIELDS
