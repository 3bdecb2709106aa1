"""Privacy consents by policy version: open as documented, without the e-mail in the answer, and closed by a switch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from a2.client import CONSENT_FIELDS, NOTHING, UNKNOWN_ID, Account, ThrongA2, answered, invalid, refused, unique_email
from support.site import Site

UPSERT = "privacy_consent_upsert"
GET = "privacy_consent_get"


def consent(account: Account, **changes: Any) -> dict[str, Any]:
    command = {"consent_channel": "web_login", "email": account.email, "is_agreed": True, "policy_version": "1.0.0", "user_id": account.id, **changes}
    return {name: value for name, value in command.items() if value is not NOTHING}


def upsert(a2: ThrongA2, account: Account, **changes: Any) -> dict[str, Any]:
    return answered(a2.post("/privacy/consents", consent(account, **changes)), 200)


def listed(a2: ThrongA2, account: Account) -> list[dict[str, Any]]:
    return answered(a2.get(f"/privacy/consents/{account.id}"), 200)


@pytest.mark.conformance(operation=UPSERT, status=200)
@pytest.mark.conformance(operation=GET, status=200)
def test_a_consent(a2: ThrongA2, ann: Account) -> None:
    assert listed(a2, ann) == []
    made = upsert(a2, ann)
    assert set(made) == CONSENT_FIELDS
    assert {name: made[name] for name in ("consent_channel", "is_agreed", "policy_version", "user_id")} == {
        "consent_channel": "web_login", "is_agreed": True, "policy_version": "1.0.0", "user_id": ann.id,
    }  # fmt: skip
    assert made["created_at"]
    answer = a2.get(f"/privacy/consents/{ann.id}")
    assert answered(answer, 200) == [made]
    assert ann.email not in answer.text


@pytest.mark.conformance(operation=UPSERT, status=200)
@pytest.mark.conformance(operation=GET, status=200)
def test_the_same_version_again_changes_the_answer_and_nothing_else(a2: ThrongA2, ann: Account) -> None:
    made = upsert(a2, ann)
    again = upsert(a2, ann, is_agreed=False, consent_channel="mobile")
    assert again["is_agreed"] is False
    assert {**again, "is_agreed": True, "updated_at": made["updated_at"]} == made
    assert listed(a2, ann) == [again]


@pytest.mark.conformance(operation=UPSERT, status=200)
@pytest.mark.conformance(operation=GET, status=200)
def test_another_version_is_another_row_the_newest_first(a2: ThrongA2, ann: Account) -> None:
    versions = ["1.0.0", "2.0.0", "1.5.0", "next"]
    rows = [upsert(a2, ann, policy_version=version) for version in versions]
    assert listed(a2, ann) == rows[::-1]
    other = a2.account()
    upsert(a2, other)
    assert len(listed(a2, other)) == 1 and len(listed(a2, ann)) == 4


@pytest.mark.conformance(operation=UPSERT, status=200)
def test_what_may_be_left_out(a2: ThrongA2, ann: Account) -> None:
    made = upsert(a2, ann, consent_channel=NOTHING)
    assert made["consent_channel"] is None
    nulls = upsert(a2, ann, policy_version="2", consent_channel=None, consent_date=None, created_at=None, updated_at=None)
    assert set(nulls) == CONSENT_FIELDS
    # Nobody who is not even signed in writes when a row was made.
    old = "1999-01-01T00:00:00Z"
    assert not upsert(a2, ann, policy_version="3", created_at=old, updated_at=old)["created_at"].startswith("1999")


@pytest.mark.conformance(operation=UPSERT, status=404)
@pytest.mark.conformance(operation=GET, status=404)
def test_nobody_s_consent(a2: ThrongA2, ann: Account) -> None:
    other = a2.account()
    for changes in ({"user_id": UNKNOWN_ID}, {"email": unique_email()}, {"email": other.email}):
        refused(a2.post("/privacy/consents", consent(ann, **changes)), 404, "Not Found")
    assert listed(a2, ann) == [] == listed(a2, other)
    for user in (UNKNOWN_ID, "not-a-uuid", "1", "%00"):
        refused(a2.get(f"/privacy/consents/{user}"), 404, "Not Found")
    # The address is compared as everywhere.
    upsert(a2, ann, email=ann.email.upper())


@pytest.mark.conformance(operation=UPSERT, status=422)
@pytest.mark.parametrize("field", ["email", "is_agreed", "policy_version", "user_id"])
def test_what_may_not_be_left_out(a2: ThrongA2, ann: Account, field: str) -> None:
    answer = a2.post("/privacy/consents", consent(ann, **{field: NOTHING}))
    assert invalid(answer, "body", field)["msg"] == "Field required"
    assert invalid(answer, "body", field, type_="missing")["input"] == consent(ann, **{field: NOTHING})
    invalid(a2.post("/privacy/consents", consent(ann, **{field: None})), "body", field)
    assert listed(a2, ann) == []


@pytest.mark.conformance(operation=UPSERT, status=422)
@pytest.mark.parametrize(
    ("field", "value"),
    [("user_id", "not-a-uuid"), ("email", "ann"), ("is_agreed", "maybe"), ("policy_version", 1), ("policy_version", "x" * 10_000), ("consent_channel", {}), ("consent_date", "yesterday")],
)
def test_wrong_values(a2: ThrongA2, ann: Account, field: str, value: Any) -> None:
    assert invalid(a2.post("/privacy/consents", consent(ann, **{field: value})), "body", field)["input"] == value
    assert listed(a2, ann) == []


@pytest.fixture(scope="module")
def closed(new_site: Callable[[], Site]) -> Iterator[ThrongA2]:
    server = new_site().serve("--set", "a2.consents=authenticated", "--set", "rate_limit.a2=off")
    yield ThrongA2(server)
    assert server.terminate() == 0, server.describe()


@pytest.mark.conformance(operation=UPSERT, status=401)
@pytest.mark.conformance(operation=UPSERT, status=403)
@pytest.mark.conformance(operation=UPSERT, status=200)
@pytest.mark.conformance(operation=GET, status=401)
@pytest.mark.conformance(operation=GET, status=403)
@pytest.mark.conformance(operation=GET, status=200)
def test_closed_by_the_switch(closed: ThrongA2) -> None:
    ann, eve = closed.account(), closed.account(role="retailer")
    path = f"/privacy/consents/{ann.id}"
    refused(closed.post("/privacy/consents", consent(ann)), 401, "Unauthorized")
    refused(closed.get(path), 401, "Unauthorized")
    refused(closed.post("/privacy/consents", consent(ann), token=eve.token), 403, "Forbidden")
    refused(closed.get(path, eve.token), 403, "Forbidden")
    assert answered(closed.get(path, ann.token), 200) == []
    made = answered(closed.post("/privacy/consents", consent(ann), token=ann.token), 200)
    assert answered(closed.get(path, closed.admin), 200) == [made]
    answered(closed.post("/privacy/consents", consent(ann, is_agreed=False), token=closed.admin), 200)
