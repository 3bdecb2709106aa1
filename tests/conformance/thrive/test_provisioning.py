"""What a personnel system tells by the vendor's inbound webhook: people join, change, are suspended, come back and leave."""

from __future__ import annotations

from typing import Any

import pytest

from thrive.client import Thrive, assert_error, assert_deleted, event, new_user, unique

TOLD = pytest.mark.conformance(operation="provision_user", status=200)
REFUSED = pytest.mark.conformance(operation="provision_user", status=400)


def tell(thrive: Thrive, kind: str, **user: Any) -> None:
    assert_deleted(thrive.hook("POST", "", event(kind, **user)))


def found(thrive: Thrive, ref: str) -> dict[str, Any]:
    return thrive.json("GET", f"/users/ref/{ref}")


@TOLD
@pytest.mark.conformance(operation="get_user_by_ref", status=200)
@pytest.mark.conformance(operation="suspend_user", status=200)
def test_a_life(thrive: Thrive) -> None:
    """By a token for webhooks. Whoever was suspended is back with the event that also makes people."""
    hooks = thrive.oauth("api/webhooks", url=thrive.user_token_url)
    ref = unique("UID")
    sample = {"ref": ref, "email": f"{ref}@example.com", "firstName": "Thomas", "lastName": "Anderson", "jobTitle": "Analyst", "managerRef": "UID0034234555", "startDate": "2020-03-09", "timeZone": "Europe/London", "languageCode": "en-gb"}
    tell(hooks, "user_joined", **sample)
    assert (found(thrive, ref)["firstName"], found(thrive, ref)["status"]) == ("Thomas", "active")
    tell(hooks, "user_updated", ref=ref, firstName="Tom")
    assert (found(thrive, ref)["firstName"], found(thrive, ref)["lastName"]) == ("Tom", "Anderson")
    tell(hooks, "user_suspended", ref=ref)
    assert found(thrive, ref)["status"] == "inactive"
    tell(hooks, "user_joined", **sample)
    assert found(thrive, ref)["status"] == "active"
    thrive.suspend(ref)
    tell(hooks, "user_joined", **sample)
    assert found(thrive, ref)["status"] == "active"
    structure = thrive.structure()
    thrive.add(structure["id"], ref)
    tell(hooks, "user_deleted", ref=ref)
    assert_error(thrive.send("GET", f"/users/ref/{ref}"), 404)


@TOLD
def test_the_same_event_twice(thrive: Thrive) -> None:
    """A sender that got no answer sends it again."""
    user = new_user()
    body = event("user_joined", **user)
    for _ in range(2):
        assert_deleted(thrive.hook("POST", "", body))
    assert [item["ref"] for item in thrive.json("GET", "/users", email=user["email"])["results"]] == [user["ref"]]


@pytest.mark.conformance(operation="provision_user", status=404)
@pytest.mark.parametrize("kind", ["user_updated", "user_suspended", "user_deleted"])
def test_about_nobody(thrive: Thrive, kind: str) -> None:
    assert_error(thrive.hook("POST", "", event(kind, ref=unique("nobody"), firstName="x")), 404)


@pytest.mark.conformance(operation="provision_user", status=409)
def test_an_address_that_somebody_has(thrive: Thrive) -> None:
    user = thrive.user()
    assert_error(thrive.hook("POST", "", event("user_joined", **new_user(email=user["email"]))), 409)


WRONG = {
    "a kind that there is not": event("user_promoted", ref="x"),
    "no kind": {"id": "x", "content": {"user": {"ref": "x"}}},
    "no content": {"id": "x", "eventType": "user_joined"},
    "nobody": event("user_joined"),
    "no names": event("user_joined", ref="new", email="new@example.com"),
    "no e-mail": event("user_joined", ref="new", firstName="x", lastName="y"),
    "a number for a ref": event("user_suspended", ref=7),
    "a user in words": {"eventType": "user_joined", "content": {"user": "x"}},
    "two events": [event("user_suspended", ref="x")] * 2,
}


@REFUSED
@pytest.mark.parametrize("body", WRONG.values(), ids=list(WRONG))
def test_an_event_that_is_wrong(thrive: Thrive, body: Any) -> None:
    total = thrive.json("GET", "/users", perPage=1)["pagination"]["totalResults"]
    assert_error(thrive.hook("POST", "", body), 400)
    assert thrive.json("GET", "/users", perPage=1)["pagination"]["totalResults"] == total


@pytest.mark.conformance(operation="provision_user", status=401)
@pytest.mark.conformance(operation="provision_user", status=403)
@pytest.mark.parametrize("scope", [None, "api/read", "api/write"])
def test_without_the_right(thrive: Thrive, scope: str | None) -> None:
    user = thrive.user()
    caller = thrive.oauth(scope) if scope else thrive.anonymous()
    assert_error(caller.hook("POST", "", event("user_suspended", ref=user["ref"])), 403 if scope else 401)
    assert found(thrive, user["ref"])["status"] == "active"
