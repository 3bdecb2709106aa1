"""Forgotten passwords and unverified addresses, through the mail in the outbox; and that nobody learns from it who is known."""

from __future__ import annotations

from html import unescape

import pytest

from a2.client import OTHER_PASSWORD, PASSWORD, Account, ThrongA2, answered, refused, unique_email
from support import native

MAILS = [
    pytest.param("/auth/forgot-password", "reset", marks=pytest.mark.conformance(operation="request_password_reset", status=202), id="forgot"),
    pytest.param("/auth/request-verify-token", "verify", marks=pytest.mark.conformance(operation="request_verify_token", status=202), id="verify"),
]
# How often somebody may ask for the same mail before they get no more: at least, and at most.
RESENDS_MIN, ASKED = 3, 30


@pytest.mark.parametrize(("path", "page"), MAILS)
def test_the_mail(a2: ThrongA2, ann: Account, path: str, page: str) -> None:
    answered(a2.post(path, {"email": ann.email}), 202)
    token = native.mailed_token(a2.server, ann.email, page)
    mail = native.mails(a2.server, ann.email, page)[0]
    assert mail["state"] == "queued" and mail["recipient"] == ann.email
    link = f"{a2.server.url}/account/{page}?token={token}"
    assert link in mail["text"] and link in unescape(mail["html"])
    assert mail["subject"].strip() and "\n" not in mail["subject"]
    assert PASSWORD not in mail["text"] + mail["html"]
    # 128 bits or more, and nothing in it to read.
    assert len(token) >= 22
    for other in range(2, RESENDS_MIN + 1):
        answered(a2.post(path, {"email": ann.email}), 202)
        assert native.mailed_token(a2.server, ann.email, page, other) != token


@pytest.mark.parametrize(("path", "page"), MAILS)
def test_the_mail_s_language(a2: ThrongA2, path: str, page: str) -> None:
    """Of the account's preferences: Korean is the documented default."""

    def hangul(text: str) -> bool:
        return any("\uac00" <= letter <= "\ud7a3" for letter in text)

    for preferences, korean in (({}, True), ({"preferences": {"etc": {"language": "ko"}}}, True), ({"preferences": {"etc": {"language": "en"}}}, False), ({"preferences": {"etc": {"language": "tlh"}}}, False)):
        account = a2.account(**preferences)
        answered(a2.post(path, {"email": account.email}), 202)
        native.mailed_token(a2.server, account.email, page)
        mail = native.mails(a2.server, account.email, page)[0]
        assert [hangul(mail[part]) for part in ("subject", "text", "html")] == [korean] * 3, (preferences, mail)


@pytest.mark.parametrize(("path", "page"), MAILS)
def test_nobody_learns_who_is_known(a2: ThrongA2, ann: Account, path: str, page: str) -> None:
    inactive, verified, unknown = a2.account(), a2.account(), unique_email()
    a2.deactivate(inactive)
    a2.verified(verified)
    before = {email: len(native.outbox(a2.server, email)) for email in (inactive.email, verified.email, unknown)}
    answers = [a2.post(path, {"email": email}) for email in (ann.email, ann.email.upper(), inactive.email, verified.email, unknown)]
    assert {(answer.status, answer.body, answer.headers["content-type"]) for answer in answers} == {(202, b"null", "application/json")}
    varying = {"date", "x-request-id", "ratelimit", "ratelimit-policy"}
    assert len({frozenset((name.lower(), value) for name, value in answer.headers.items() if name.lower() not in varying) for answer in answers}) == 1
    # The two for Ann are there, so whatever was written for the others would be there as well.
    native.mailed_token(a2.server, ann.email, page, 2)
    assert len(native.outbox(a2.server, unknown)) == 0
    assert len(native.outbox(a2.server, inactive.email)) == before[inactive.email]
    expected = before[verified.email] + (1 if page == "reset" else 0)
    assert len(native.outbox(a2.server, verified.email)) == expected


@pytest.mark.parametrize(("path", "page"), MAILS)
def test_nobody_s_mail_box_is_filled(a2: ThrongA2, ann: Account, path: str, page: str) -> None:
    """Asking on is answered alike, for the known and the unknown, and sends no more."""
    unknown = unique_email()
    answers = [(a2.post(path, {"email": ann.email}), a2.post(path, {"email": unknown})) for _ in range(ASKED)]
    assert all((known.status, known.body) == (other.status, other.body) for known, other in answers)
    assert {known.status for known, _ in answers} == {202}
    assert RESENDS_MIN <= len(native.mails(a2.server, ann.email, page)) < ASKED / 2


@pytest.mark.conformance(operation="reset_password", status=200)
@pytest.mark.conformance(operation="reset_password", status=400)
@pytest.mark.conformance(operation="get_current_user", status=401)
def test_a_reset(a2: ThrongA2, ann: Account) -> None:
    other = a2.token(ann.email)
    token = a2.reset_token(ann.email)
    # Asking for it has changed nothing yet.
    answered(a2.me(ann.token), 200)
    assert answered(a2.post("/auth/reset-password", {"token": token, "password": OTHER_PASSWORD}), 200) is None
    for session in (ann.token, other):
        refused(a2.me(session), 401, "Unauthorized")
    refused(a2.login(ann.email), 400, "LOGIN_BAD_CREDENTIALS")
    answered(a2.me(a2.token(ann.email, OTHER_PASSWORD)), 200)
    refused(a2.post("/auth/reset-password", {"token": token, "password": "a third password"}), 400, "RESET_PASSWORD_BAD_TOKEN")
    assert a2.token(ann.email, OTHER_PASSWORD)


@pytest.mark.conformance(operation="reset_password", status=400)
def test_one_reset_uses_up_every_mail_before_it(a2: ThrongA2, ann: Account) -> None:
    first, second = a2.reset_token(ann.email), a2.reset_token(ann.email)
    answered(a2.post("/auth/reset-password", {"token": second, "password": OTHER_PASSWORD}), 200)
    refused(a2.post("/auth/reset-password", {"token": first, "password": PASSWORD}), 400, "RESET_PASSWORD_BAD_TOKEN")


@pytest.mark.conformance(operation="reset_password", status=400)
def test_a_password_changed_meanwhile_uses_up_the_mail(a2: ThrongA2, ann: Account) -> None:
    token = a2.reset_token(ann.email)
    answered(a2.patch("/user/info", {"password": OTHER_PASSWORD}, ann.token), 200)
    refused(a2.post("/auth/reset-password", {"token": token, "password": PASSWORD}), 400, "RESET_PASSWORD_BAD_TOKEN")


@pytest.mark.conformance(operation="reset_password", status=400)
@pytest.mark.conformance(operation="reset_password", status=200)
def test_a_refused_password_does_not_use_up_the_mail(a2: ThrongA2, ann: Account) -> None:
    token = a2.reset_token(ann.email)
    for password in ("short", "password", "x" * 129):
        detail = answered(a2.post("/auth/reset-password", {"token": token, "password": password}), 400)["detail"]
        assert detail["code"] == "RESET_PASSWORD_INVALID_PASSWORD" and detail["reason"]
    answered(a2.post("/auth/reset-password", {"token": token, "password": OTHER_PASSWORD}), 200)


@pytest.mark.conformance(operation="reset_password", status=400)
def test_the_deleted_have_no_password(a2: ThrongA2, ann: Account) -> None:
    token = a2.reset_token(ann.email)
    answered(a2.request("DELETE", "/users", json_body={"id": ann.id}, token=a2.admin), 200)
    refused(a2.post("/auth/reset-password", {"token": token, "password": OTHER_PASSWORD}), 400, "RESET_PASSWORD_BAD_TOKEN")


@pytest.mark.conformance(operation="verify", status=200)
@pytest.mark.conformance(operation="verify", status=400)
def test_verifying(a2: ThrongA2, ann: Account) -> None:
    token = a2.verify_token(ann.email)
    user = answered(a2.post("/auth/verify", {"token": token}), 200)
    assert (user["id"], user["is_verified"]) == (ann.id, True)
    assert answered(a2.me(ann.token), 200) == user
    refused(a2.post("/auth/verify", {"token": token}), 400, "VERIFY_USER_ALREADY_VERIFIED")


@pytest.mark.conformance(operation="verify", status=400)
@pytest.mark.conformance(operation="update_user_data", status=200)
def test_a_new_address_is_not_verified_by_the_old_one_s_mail(a2: ThrongA2, ann: Account) -> None:
    token = a2.verify_token(ann.email)
    moved = unique_email("moved")
    user = answered(a2.patch("/user/info", {"email": moved}, ann.token), 200)
    assert (user["email"], user["is_verified"]) == (moved, False)
    refused(a2.post("/auth/verify", {"token": token}), 400, "VERIFY_USER_BAD_TOKEN")
    assert answered(a2.me(ann.token), 200)["is_verified"] is False
    answered(a2.post("/auth/verify", {"token": a2.verify_token(moved)}), 200)


@pytest.mark.conformance(operation="login", status=400)
def test_signing_in_tells_nobody_who_is_known(a2: ThrongA2, ann: Account) -> None:
    inactive = a2.account()
    a2.deactivate(inactive)
    answers = [a2.login(email, "not the password") for email in (ann.email, inactive.email, unique_email())] + [a2.login(inactive.email)]
    assert {(answer.status, answer.body) for answer in answers} == {(400, b'{"detail":"LOGIN_BAD_CREDENTIALS"}')}
