"""Registering: what a new user is, what nobody gives themselves by it, and where the routes stand."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from a2.client import PASSWORD, USER_FIELDS, A2, Account, ThrongA2, answered, invalid, refused, registration, unique_email
from a2.comparison import is_uuid
from support import native

PREFERENCES = {
    "etc": {"language": "ko"},
    "notification_methods": {"email": True, "slack": False, "sms": False},
    "notifications": {"attribute_deleted": True, "campaign_finished": True, "publish_approval": True, "publish_request": True},
}
# What nobody gives themselves at registration: the field, and a value that is not the default.
FORBIDDEN: dict[str, Any] = {
    "is_superuser": True,
    "is_active": False,
    "is_verified": True,
    "budget": 1000,
    "credit": 1000,
    "permissions": {"campaign": ["r", "w"], "advertiser": ["budget"]},
    "campaign_count": 7,
    "creative_count": 7,
    "placement_count": 7,
}
COMMON = ("password", "12345678", "qwertyuiop", "iloveyou")


def register(a2: A2, **changes: Any) -> dict[str, Any]:
    return answered(a2.post("/auth/register", registration(**{"email": unique_email(), **changes})), 201)


@pytest.mark.conformance(operation="register", status=201)
def test_a_new_user(a2: ThrongA2) -> None:
    email = unique_email()
    user = register(a2, email=email)
    assert set(user) == USER_FIELDS
    assert is_uuid(user["id"])
    assert (user["email"], user["name"], user["role"]) == (email, "Ann Lee", "advertiser")
    assert (user["is_active"], user["is_superuser"], user["is_verified"]) == (True, False, False)
    assert [user[name] for name in ("budget", "credit", "campaign_count", "creative_count", "placement_count")] == [0, 0, 0, 0, 0]
    assert user["permissions"] == {}
    methods = user["preferences"].pop("notification_methods_data")
    assert set(methods) == {"slack", "sms"} and methods["sms"] == ""
    assert user["preferences"] == PREFERENCES
    assert PASSWORD not in str(user)


@pytest.mark.conformance(operation="register", status=201)
@pytest.mark.conformance(operation="get_current_user", status=200)
def test_what_registration_answers_is_what_is_kept(a2: ThrongA2) -> None:
    email = unique_email()
    preferences = {"etc": {"language": "en", "theme": {"name": "dark"}}, "new": {"list": [1, None, "x"]}}
    user = register(a2, email=email, preferences=preferences)
    assert user["preferences"]["etc"] == preferences["etc"] and user["preferences"]["new"] == preferences["new"]
    assert answered(a2.me(a2.token(email)), 200) == user


@pytest.mark.conformance(operation="register", status=201)
@pytest.mark.parametrize("role", ["advertiser", "retailer"])
@pytest.mark.parametrize("field", FORBIDDEN)
def test_nobody_raises_themselves(a2: ThrongA2, role: str, field: str) -> None:
    """The field is dropped without a word, as the library does it, and the next answer has not got it either."""
    email = unique_email()
    plain = register(a2, role=role)
    user = register(a2, email=email, role=role, **{field: FORBIDDEN[field]})
    assert user["role"] == role
    assert user[field] == plain[field]
    assert answered(a2.me(a2.token(email)), 200)[field] == plain[field]


@pytest.mark.conformance(operation="register", status=403)
def test_nobody_registers_as_administrator(a2: ThrongA2) -> None:
    email = unique_email()
    for more in ({}, {"is_superuser": True}, {"permissions": {"admin": ["r", "w"]}}):
        refused(a2.post("/auth/register", registration(email, role="admin", **more)), 403, "Forbidden")
    refused(a2.login(email), 400, "LOGIN_BAD_CREDENTIALS")
    assert answered(a2.get("/users?role=admin", a2.admin), 200)
    assert email not in a2.get("/users?role=admin", a2.admin).text


@pytest.mark.conformance(operation="register", status=400)
@pytest.mark.parametrize("password", COMMON)
def test_a_password_that_everybody_has(a2: ThrongA2, password: str) -> None:
    detail = answered(a2.post("/auth/register", registration(unique_email(), password=password)), 400)["detail"]
    assert detail["code"] == "REGISTER_INVALID_PASSWORD" and detail["reason"]


@pytest.mark.conformance(operation="register", status=201)
@pytest.mark.conformance(operation="login", status=200)
@pytest.mark.parametrize("password", ["pä7" * 42 + "xy", "  k7 fjord w  ", "🔑🐎🌙🎲🧵🪁🍋🚲", "k\tz\nq7\u0000 fjord"], ids=["128 letters", "spaces", "8 pictures", "control"])
def test_any_password_of_8_to_128_characters(a2: ThrongA2, password: str) -> None:
    """Counted in characters, kept as it is: nothing is trimmed."""
    email = unique_email()
    register(a2, email=email, password=password)
    assert a2.token(email, password)
    if password != password.strip():
        refused(a2.login(email, password.strip()), 400, "LOGIN_BAD_CREDENTIALS")


@pytest.mark.conformance(operation="register", status=201)
@pytest.mark.conformance(operation="register", status=400)
def test_two_at_once_with_one_address(a2: ThrongA2) -> None:
    for _ in range(5):
        email = unique_email()
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: a2.post("/auth/register", registration(email)), range(8)))
        assert sorted(answer.status for answer in answers) == [201] + [400] * 7
        for answer in answers:
            if answer.status == 400:
                refused(answer, 400, "REGISTER_USER_ALREADY_EXISTS")


@pytest.mark.conformance(operation="register", status=201)
def test_a_look_alike_is_somebody_else(a2: ThrongA2, ann: Account) -> None:
    """A Cyrillic letter for a Latin one: another account, or refused, and never Ann's."""
    look_alike = "\u0430" + ann.email[1:]
    answer = a2.post("/auth/register", registration(look_alike, password="not what Ann has"))
    assert answer.status in (201, 422), answer.text
    refused(a2.login(look_alike), 400, "LOGIN_BAD_CREDENTIALS")
    assert answered(a2.me(ann.token), 200)["email"] == ann.email
    a2.post("/auth/forgot-password", {"email": look_alike})
    a2.reset_token(ann.email)
    assert len(native.mails(a2.server, ann.email, "reset")) == 1


@pytest.mark.conformance(operation="register", status=422)
def test_text_that_is_no_text(a2: ThrongA2) -> None:
    """Half a surrogate pair cannot be kept as UTF-8."""
    body = b'{"email":"%s","name":"Ann \\ud800 Lee","password":"a horse of nine letters","permissions":{},"role":"advertiser"}' % unique_email().encode()
    assert a2.post("/auth/register", body=body, headers={"Content-Type": "application/json"}).status == 422
    a2.server.assert_alive()


@pytest.mark.conformance(operation="register", status=422)
@pytest.mark.parametrize("opening", [b"[", b'{"preferences":'], ids=["arrays", "objects"])
def test_a_body_nested_too_deep(a2: ThrongA2, opening: bytes) -> None:
    answer = a2.post("/auth/register", body=opening * 20_000, headers={"Content-Type": "application/json"})
    # The library's parser gives up with a 400, others call it malformed.
    assert answer.status in (400, 422), answer.text[:500]
    a2.server.assert_alive()


@pytest.mark.conformance(operation="register", status=422)
def test_a_line_break_in_a_name_reaches_no_mail_header(a2: ThrongA2) -> None:
    email = unique_email()
    answer = a2.post("/auth/register", registration(email, name="Ann\r\nBcc: eve@example.com"))
    invalid(answer, "body", "name")
    refused(a2.login(email), 400, "LOGIN_BAD_CREDENTIALS")


@pytest.mark.conformance(operation="register", status=201)
@pytest.mark.conformance(operation="login", status=200)
@pytest.mark.conformance(operation="get_current_user", status=200)
@pytest.mark.conformance(operation="update_user_data", status=200)
@pytest.mark.conformance(operation="update_user_budget", status=200)
@pytest.mark.conformance(operation="get_all_users", status=200)
@pytest.mark.conformance(operation="privacy_consent_upsert", status=200)
@pytest.mark.conformance(operation="privacy_consent_get", status=200)
@pytest.mark.conformance(operation="get_activity_logs", status=200)
@pytest.mark.conformance(operation="request_password_reset", status=202)
@pytest.mark.conformance(operation="reset_password", status=200)
@pytest.mark.conformance(operation="request_verify_token", status=202)
@pytest.mark.conformance(operation="verify", status=200)
@pytest.mark.conformance(operation="logout", status=204)
@pytest.mark.conformance(operation="delete_user", status=200)
@pytest.mark.parametrize("mount", ["/a2", "/a2/api"])
def test_the_life_of_an_account_at_each_mount(a2: ThrongA2, mount: str) -> None:
    """The reference page writes /user/info, the vendor's tutorial /api/user/budget: both are the same place."""
    there = ThrongA2(a2.server, a2.server.url + mount)
    email = unique_email()
    user = register(there, email=email)
    ann = Account(email, user["id"], there.token(email))
    assert answered(a2.me(ann.token), 200) == user == answered(there.me(ann.token), 200)
    assert answered(there.patch("/user/info", {"name": "Ann Smith"}, ann.token), 200)["name"] == "Ann Smith"
    assert answered(there.patch("/user/budget", {"id": ann.id, "budget": 5, "credit": 2.5}, there.admin), 200)["credit"] == 2.5
    consent = {"email": email, "user_id": ann.id, "policy_version": "1.0.0", "is_agreed": True}
    answered(there.post("/privacy/consents", consent), 200)
    assert len(answered(there.get(f"/privacy/consents/{ann.id}"), 200)) == 1
    assert [found["email"] for found in answered(there.get(f"/users?id={ann.id}", there.admin), 200)] == [email]
    answered(there.post("/auth/verify", {"token": there.verify_token(email)}), 200)
    answered(there.post("/auth/reset-password", {"token": there.reset_token(email), "password": "a third horse of nine"}), 200)
    token = there.token(email, "a third horse of nine")
    assert there.post("/auth/jwt/logout", token=token).status == 204
    assert answered(there.get("/activity-logs", there.admin), 200)
    assert answered(there.request("DELETE", "/users", json_body={"id": ann.id}, token=there.admin), 200)["id"] == ann.id
