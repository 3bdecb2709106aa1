"""Signing in and out: a token ends when it is said to, which the reference library cannot do."""

from __future__ import annotations

import base64
import json

import pytest

from a2.client import OTHER_PASSWORD, PASSWORD, UNKNOWN_ID, Account, ThrongA2, answered, refused
from a2.comparison import decode
from support import native


def ended(a2: ThrongA2, token: str) -> None:
    """Everywhere, not only where it was ended."""
    for path in ("/users/me", "/users", "/activity-logs"):
        refused(a2.get(path, token), 401, "Unauthorized")
    refused(a2.patch("/user/info", {"name": "Somebody"}, token), 401, "Unauthorized")


def works(a2: ThrongA2, token: str) -> None:
    answered(a2.me(token), 200)


@pytest.mark.conformance(operation="login", status=200)
def test_a_token_says_whose_it_is(a2: ThrongA2, ann: Account) -> None:
    header, claims = decode(ann.token)
    assert (header["alg"], header["typ"]) == ("HS256", "JWT")
    assert claims["sub"] == ann.id and claims["aud"] == ["fastapi-users:auth"]
    assert ann.email not in json.dumps(claims)


@pytest.mark.conformance(operation="login", status=200)
def test_an_answer_with_a_token_is_not_kept(a2: ThrongA2, ann: Account) -> None:
    answer = a2.login(ann.email)
    assert answered(answer, 200) == {"access_token": answer.json["access_token"], "token_type": "bearer"}
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.conformance(operation="logout", status=204)
@pytest.mark.conformance(operation="logout", status=401)
@pytest.mark.conformance(operation="get_current_user", status=401)
def test_signing_out_ends_this_token_and_no_other(a2: ThrongA2, ann: Account) -> None:
    other = a2.token(ann.email)
    assert other != ann.token
    answer = a2.post("/auth/jwt/logout", token=ann.token)
    assert (answer.status, answer.body) == (204, b"")
    ended(a2, ann.token)
    works(a2, other)
    refused(a2.post("/auth/jwt/logout", token=ann.token), 401, "Unauthorized")


@pytest.mark.conformance(operation="update_user_data", status=200)
@pytest.mark.conformance(operation="get_current_user", status=401)
def test_a_new_password_ends_the_other_sessions(a2: ThrongA2, ann: Account) -> None:
    others = [a2.token(ann.email) for _ in range(3)]
    answered(a2.patch("/user/info", {"password": OTHER_PASSWORD}, ann.token), 200)
    for token in others:
        ended(a2, token)
    works(a2, ann.token)
    refused(a2.login(ann.email), 400, "LOGIN_BAD_CREDENTIALS")
    works(a2, a2.token(ann.email, OTHER_PASSWORD))


@pytest.mark.conformance(operation="update_user_data", status=200)
@pytest.mark.conformance(operation="get_current_user", status=401)
def test_an_administrator_s_new_password_for_somebody_ends_all_their_sessions(a2: ThrongA2, ann: Account) -> None:
    answered(a2.patch("/user/info", {"id": ann.id, "password": OTHER_PASSWORD}, a2.admin), 200)
    ended(a2, ann.token)
    works(a2, a2.admin)
    works(a2, a2.token(ann.email, OTHER_PASSWORD))


@pytest.mark.conformance(operation="update_user_data", status=200)
@pytest.mark.conformance(operation="login", status=400)
@pytest.mark.conformance(operation="get_current_user", status=401)
def test_deactivation_ends_the_sessions_for_good(a2: ThrongA2, ann: Account) -> None:
    a2.deactivate(ann)
    ended(a2, ann.token)
    refused(a2.login(ann.email), 400, "LOGIN_BAD_CREDENTIALS")
    answered(a2.patch("/user/info", {"id": ann.id, "is_active": True}, a2.admin), 200)
    works(a2, a2.token(ann.email))


@pytest.mark.conformance(operation="get_current_user", status=401)
def test_a_session_revoked_natively_is_ended(a2: ThrongA2, ann: Account) -> None:
    account = native.account_id(a2.server, ann.email)
    sessions = native.call(a2.server, "GET", f"/accounts/{account}/sessions")["items"]
    assert len(sessions) == 1
    native.call(a2.server, "DELETE", f"/accounts/{account}/sessions/{sessions[0]['id']}")
    ended(a2, ann.token)


def forge(token: str, header: dict[str, object] | None = None, claims: dict[str, object] | None = None) -> str:
    """The token with parts changed, under its old signature."""
    old_header, old_claims = decode(token)
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({**old_header, **(header or {})}, {**old_claims, **(claims or {})})]
    return ".".join([*parts, token.split(".")[2]])


@pytest.mark.conformance(operation="get_current_user", status=401)
def test_a_token_that_was_changed(a2: ThrongA2, ann: Account) -> None:
    forged = [
        forge(ann.token, claims={"exp": 4102444800}),
        forge(ann.token, claims={"sub": UNKNOWN_ID}),
        forge(ann.token, header={"alg": "none"}),
        forge(ann.token, header={"alg": "none"}).rpartition(".")[0] + ".",
        forge(ann.token, header={"alg": "HS512"}),
        forge(ann.token, header={"kid": "../../../../dev/null"}),
        forge(ann.token, header={"kid": ["a", {"b": 1}]}),
        ann.token.swapcase(),
        ann.token + "x",
        "." * 2,
        "x" * 5000,
        f"{ann.token}.{ann.token}",
    ]
    for token in forged:
        refused(a2.me(token), 401, "Unauthorized")
    works(a2, ann.token)
    a2.server.assert_alive()


@pytest.mark.conformance(operation="get_current_user", status=401)
def test_a_token_for_another_purpose_opens_nothing(a2: ThrongA2, ann: Account) -> None:
    for token in (a2.reset_token(ann.email), a2.verify_token(ann.email), a2.server.ready["native"]["token"]):
        refused(a2.me(token), 401, "Unauthorized")


@pytest.mark.conformance(operation="get_current_user", status=401)
def test_two_credentials_are_none(a2: ThrongA2, ann: Account) -> None:
    """A cookie is no credential here, and one request has one bearer."""
    refused(a2.request("GET", "/users/me", headers={"Cookie": f"fastapiusersauth={ann.token}"}), 401, "Unauthorized")


@pytest.mark.conformance(operation="login", status=400)
@pytest.mark.conformance(operation="login", status=200)
def test_no_composition_of_the_name_finds_another_account(a2: ThrongA2, ann: Account) -> None:
    for name in (ann.email + "\u0000", ann.email + " x", ann.email + "%", "%", "' OR 1=1 --", "*", "x" * 10_000):
        refused(a2.login(name), 400, "LOGIN_BAD_CREDENTIALS")
    assert a2.token(ann.email, PASSWORD)
