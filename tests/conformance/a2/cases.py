"""The requests that test_against_reference.py sends to both servers: each documented answer of the library's routes.

A case is a story with one answer at its end. It gets a server and an e-mail address that nobody has there; the address
is the same on both, so that the answers can be compared as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from a2.client import A2, BAD_TOKEN, NOTHING, OTHER_PASSWORD, PASSWORD, registration
from support.web import Answer

Story = Callable[[A2, str], Answer]

REGISTER, LOGIN, LOGOUT, ME = "/auth/register", "/auth/jwt/login", "/auth/jwt/logout", "/users/me"
FORGOT, RESET = "/auth/forgot-password", "/auth/reset-password"
REQUEST_VERIFY, VERIFY = "/auth/request-verify-token", "/auth/verify"
SHORT, LONG = "1234567", "x" * 129


@dataclass(frozen=True)
class Case:
    name: str
    operation: str
    # Of Throng: the cell of CONFORMANCE.md.
    status: int
    story: Story
    # Of the library, where a row of comparison.DIFFERENCES allows another.
    reference_status: int | None = None


def sends(method: str, path: str, **request: Any) -> Story:
    """A request that is the same whoever asks."""
    return lambda server, email: server.request(method, path, **request)


def registers(**changes: Any) -> Story:
    return lambda server, email: server.post(REGISTER, registration(**{"email": email, **changes}))


def register_twice(second: Callable[[str], str]) -> Story:
    def story(server: A2, email: str) -> Answer:
        server.account(email)
        return server.post(REGISTER, registration(second(email), name="Somebody Else"))

    return story


def logs_in(**form: str) -> Story:
    """With the right form but for the fields given; an empty one is left out."""

    def story(server: A2, email: str) -> Answer:
        server.account(email)
        whole = {"username": email, "password": PASSWORD, **form}
        return server.post(LOGIN, form={name: value for name, value in whole.items() if value})

    return story


def login_of_other_case(server: A2, email: str) -> Answer:
    server.account(email)
    return server.login(email.upper())


def login_inactive(server: A2, email: str) -> Answer:
    server.deactivate(server.account(email))
    return server.login(email)


def login_multipart(server: A2, email: str) -> Answer:
    server.account(email)
    parts = "".join(f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in (("username", email), ("password", PASSWORD)))
    return server.post(LOGIN, body=f"{parts}--edge--\r\n".encode(), headers={"Content-Type": "multipart/form-data; boundary=edge"})


def with_header(method: str, path: str, value: Callable[[str], str]) -> Story:
    """Signed in, with an Authorization header made from the token."""
    return lambda server, email: server.request(method, path, headers={"Authorization": value(server.account(email).token)})


def inactive(method: str, path: str) -> Story:
    def story(server: A2, email: str) -> Answer:
        account = server.account(email)
        server.deactivate(account)
        return server.request(method, path, token=account.token)

    return story


def me_after(what: Callable[[A2, Any], Any]) -> Story:
    def story(server: A2, email: str) -> Answer:
        account = server.account(email)
        what(server, account)
        return server.me(account.token)

    return story


def signs_out(server: A2, account: Any) -> None:
    assert server.post(LOGOUT, token=account.token).status == 204


def resets(server: A2, account: Any) -> None:
    assert server.post(RESET, {"token": server.reset_token(account.email), "password": OTHER_PASSWORD}).status == 200


def asks(path: str, prepare: Callable[[A2, str], Any]) -> Story:
    """For a mail, by somebody who is known, unknown or something else."""

    def story(server: A2, email: str) -> Answer:
        prepare(server, email)
        return server.post(path, {"email": email})

    return story


def nobody(server: A2, email: str) -> None:
    pass


def somebody(server: A2, email: str) -> None:
    server.account(email)


def somebody_inactive(server: A2, email: str) -> None:
    server.deactivate(server.account(email))


def somebody_verified(server: A2, email: str) -> None:
    server.verified(server.account(email))


def resets_with(password: str, times: int = 1, then: Callable[[A2, Any], Any] | None = None) -> Story:
    """The last of several uses of one token; `then` happens between the mail and its use."""

    def story(server: A2, email: str) -> Answer:
        account = server.account(email)
        token = server.reset_token(email)
        if then:
            then(server, account)
        for number in range(1, times):
            assert server.post(RESET, {"token": token, "password": f"{password} {number}"}).status == 200
        return server.post(RESET, {"token": token, "password": password})

    return story


def login_after_reset(password: str) -> Story:
    def story(server: A2, email: str) -> Answer:
        resets(server, server.account(email))
        return server.login(email, password)

    return story


def verifies(times: int = 1) -> Story:
    def story(server: A2, email: str) -> Answer:
        server.account(email)
        token = server.verify_token(email)
        for _ in range(1, times):
            assert server.post(VERIFY, {"token": token}).status == 200
        return server.post(VERIFY, {"token": token})

    return story


def verifies_with_reset_token(server: A2, email: str) -> Answer:
    server.account(email)
    return server.post(VERIFY, {"token": server.reset_token(email)})


def resets_with_verify_token(server: A2, email: str) -> Answer:
    server.account(email)
    return server.post(RESET, {"token": server.verify_token(email), "password": OTHER_PASSWORD})


def verifies_after_moving(server: A2, email: str) -> Answer:
    """The token names the address that it was mailed to."""
    account = server.account(email)
    token = server.verify_token(email)
    assert server.patch(server.info_path, {"email": f"moved-{email}"}, account.token).status == 200
    return server.post(VERIFY, {"token": token})


def updates(**changes: Any) -> Story:
    return lambda server, email: server.patch(server.info_path, changes, server.account(email).token)


def updates_email(change: Callable[[str], str]) -> Story:
    def story(server: A2, email: str) -> Answer:
        account = server.verified(server.account(email))
        return server.patch(server.info_path, {"email": change(email)}, account.token)

    return story


def updates_to_a_taken_email(server: A2, email: str) -> Answer:
    server.account(f"first-{email}")
    return server.patch(server.info_path, {"email": f"FIRST-{email}"}, server.account(email).token)


BAD_ADDRESSES = {
    "no @": "ann",
    "empty": "",
    "two @": "ann@b@example.com",
    "no domain": "ann@",
    "nobody": "@example.com",
    "no dot": "ann@localhost",
    "a space": "an n@example.com",
    "a line": "ann@example.com\r\nBcc: eve@example.com",
    "two dots": "ann..lee@example.com",
    "a long host": f"ann@{'a' * 64}.com",
}
WRONG_TYPES: dict[str, dict[str, Any]] = {
    "email a number": {"email": 1},
    "email null": {"email": None},
    "email a list": {"email": ["ann@example.com"]},
    "password a number": {"password": 12345678},
    "password null": {"password": None},
    "name null": {"name": None},
    "name an object": {"name": {}},
    "role unknown": {"role": "boss"},
    "role null": {"role": None},
    "role in capitals": {"role": "ADMIN"},
    "permissions a list": {"permissions": []},
    "permissions null": {"permissions": None},
    "a permission no list": {"permissions": {"campaign": "r"}},
    "a permission no text": {"permissions": {"campaign": ["r", 1]}},
    "budget a word": {"budget": "much"},
    "budget below zero": {"budget": -1},
    "budget null": {"budget": None},
    "credit below zero": {"credit": -0.01},
    "is_active a word": {"is_active": "maybe"},
    "is_superuser a list": {"is_superuser": []},
    "preferences a number": {"preferences": 3},
    "several at once": {"email": "ann", "password": 1, "role": "boss", "budget": -1},
}
BODIES: dict[str, dict[str, Any]] = {
    "json: cut off": {"body": b'{"email":', "headers": {"Content-Type": "application/json"}},
    "json: a brace": {"body": b"{", "headers": {"Content-Type": "application/json"}},
    "json: a word": {"body": b"email", "headers": {"Content-Type": "application/json"}},
    "json: two values": {"body": b"{} {}", "headers": {"Content-Type": "application/json"}},
    "no body": {"headers": {"Content-Type": "application/json"}},
    "no body and no type": {},
    "an array": {"json_body": []},
    "a text": {"json_body": "email"},
    "a number": {"json_body": 1},
    "null": {"json_body": None},
    "an empty object": {"json_body": {}},
    "a form": {"form": {"email": "ann@example.com"}},
    "plain text": {"body": b'{"email": "ann@example.com"}', "headers": {"Content-Type": "text/plain"}},
}
MERGE = {"json with a charset": "application/json; charset=utf-8", "json of a vendor": "application/vnd.a2+json"}

CASES: tuple[Case, ...] = (
    # Register.
    Case("register", "register", 201, registers()),
    Case("register a retailer", "register", 201, registers(role="retailer")),
    Case("register with unknown fields", "register", 201, registers(nickname="x", id="7")),
    Case("register as superuser", "register", 201, registers(is_superuser=True, is_verified=True, is_active=False)),
    Case("register with a budget", "register", 201, registers(budget=5, credit=7.5, permissions={"campaign": ["r", "w"]})),
    Case("register with numbers as text", "register", 201, registers(budget="5", is_superuser="true")),
    Case("register with preferences", "register", 201, registers(preferences={"etc": {"language": "en", "theme": "dark"}, "new": {"a": [1, None]}})),
    Case("register with capitals in the e-mail", "register", 201, lambda server, email: server.post(REGISTER, registration("Ann." + email.replace("example.com", "EXAMPLE.Com")))),
    Case("register with spaces around the e-mail", "register", 201, lambda server, email: server.post(REGISTER, registration(f" {email} "))),
    Case("register twice", "register", 400, register_twice(lambda email: email)),
    Case("register twice in other case", "register", 400, register_twice(str.upper)),
    Case("password: too short to register", "register", 400, registers(password=SHORT)),
    Case("password: too long to register", "register", 400, registers(password=LONG)),
    Case("password: empty at registration", "register", 400, registers(password="")),
    *(Case(f"register without {name}", "register", 422, registers(**{name: NOTHING})) for name in ("email", "password", "name", "permissions", "role")),
    *(Case(f"email: register with {name}", "register", 422, registers(email=address)) for name, address in BAD_ADDRESSES.items()),
    *(Case(f"register with {name}", "register", 422, registers(**changes)) for name, changes in WRONG_TYPES.items()),
    *(Case(name, "register", 422, sends("POST", REGISTER, **request)) for name, request in BODIES.items()),
    *(
        Case(name, "register", 422, sends("POST", REGISTER, body=b'{"email": 1}', headers={"Content-Type": media_type}))
        for name, media_type in MERGE.items()
    ),
    Case("register in no text at all", "register", 400, sends("POST", REGISTER, body=b'{"email":"\xff"}', headers={"Content-Type": "application/json"})),
    Case("GET register", "register", 405, sends("GET", REGISTER)),
    # Sign in.
    Case("sign in", "login", 200, logs_in()),
    Case("sign in with the grant", "login", 200, logs_in(grant_type="password", scope="a b", client_id="x", client_secret="y")),
    Case("sign in in other case", "login", 200, login_of_other_case),
    Case("sign in by multipart", "login", 200, login_multipart),
    Case("sign in with a wrong password", "login", 400, logs_in(password="not it at all")),
    Case("sign in with a longer password", "login", 400, logs_in(password=PASSWORD + "x")),
    Case("sign in with a password of another case", "login", 400, logs_in(password=PASSWORD.upper())),
    Case("sign in as nobody", "login", 400, lambda server, email: server.login(email)),
    Case("sign in with no address", "login", 400, logs_in(username="ann")),
    Case("sign in while inactive", "login", 400, login_inactive),
    Case("sign in with another grant", "login", 422, logs_in(grant_type="refresh_token")),
    Case("sign in without password", "login", 422, logs_in(password="")),
    Case("sign in without name", "login", 422, logs_in(username="")),
    Case("sign in with an empty password", "login", 422, sends("POST", LOGIN, form={"username": "ann@example.com", "password": ""})),
    Case("sign in by JSON", "login", 422, sends("POST", LOGIN, json_body={"username": "ann@example.com", "password": PASSWORD})),
    Case("sign in with no body", "login", 422, sends("POST", LOGIN)),
    Case("GET login", "login", 405, sends("GET", LOGIN)),
    # The bearer: who am I, and signing out.
    Case("me", "get_current_user", 200, with_header("GET", ME, lambda token: f"Bearer {token}")),
    Case("me by bearer in lower case", "get_current_user", 200, with_header("GET", ME, lambda token: f"bearer {token}")),
    *(
        case
        for method, path, operation in (("GET", ME, "get_current_user"), ("POST", LOGOUT, "logout"))
        for case in (
            Case(f"{operation} without a token", operation, 401, sends(method, path)),
            Case(f"{operation} with a bad token", operation, 401, sends(method, path, token=BAD_TOKEN)),
            Case(f"{operation} with no JWT", operation, 401, sends(method, path, token="x")),
            Case(f"{operation} with an empty token", operation, 401, sends(method, path, headers={"Authorization": "Bearer "})),
            Case(f"{operation} by another scheme", operation, 401, with_header(method, path, lambda token: f"Token {token}")),
            Case(f"{operation} by basic", operation, 401, sends(method, path, headers={"Authorization": "Basic YW5uOmxlZQ=="})),
            Case(f"{operation} by the bare token", operation, 401, with_header(method, path, lambda token: token)),
            Case(f"{operation} with a cut token", operation, 401, with_header(method, path, lambda token: f"Bearer {token[:-1]}")),
            Case(f"{operation} while inactive", operation, 401, inactive(method, path)),
        )
    ),
    Case("a token in the query", "get_current_user", 401, lambda server, email: server.get(f"{ME}?access_token={server.account(email).token}")),
    Case("a slash too many", "get_current_user", 307, sends("GET", ME + "/")),
    Case("a slash too many and a query", "get_current_user", 307, sends("GET", ME + "/?a=b%20c")),
    Case("a slash too many after register", "register", 307, lambda server, email: server.post(REGISTER + "/", registration(email))),
    Case("POST me", "get_current_user", 405, sends("POST", ME)),
    Case("sign out", "logout", 204, with_header("POST", LOGOUT, lambda token: f"Bearer {token}")),
    Case("GET logout", "logout", 405, sends("GET", LOGOUT)),
    Case("no such path", "get_current_user", 404, sends("GET", "/nothing/here")),
    Case("no such path below auth", "login", 404, sends("POST", "/auth/jwt/refresh")),
    Case("after signing out the token is ended", "logout", 401, me_after(signs_out), reference_status=200),
    Case("after a reset the token is ended", "reset_password", 401, me_after(resets), reference_status=200),
    # Forgotten passwords.
    Case("forgot", "request_password_reset", 202, asks(FORGOT, somebody)),
    Case("forgot, unknown", "request_password_reset", 202, asks(FORGOT, nobody)),
    Case("forgot, inactive", "request_password_reset", 202, asks(FORGOT, somebody_inactive)),
    Case("email: forgot with no address", "request_password_reset", 422, sends("POST", FORGOT, json_body={"email": "ann"})),
    Case("forgot without e-mail", "request_password_reset", 422, sends("POST", FORGOT, json_body={})),
    Case("forgot with null", "request_password_reset", 422, sends("POST", FORGOT, json_body={"email": None})),
    Case("json: forgot", "request_password_reset", 422, sends("POST", FORGOT, body=b"{", headers={"Content-Type": "application/json"})),
    Case("reset", "reset_password", 200, resets_with(OTHER_PASSWORD)),
    Case("sign in with the new password", "login", 200, login_after_reset(OTHER_PASSWORD)),
    Case("sign in with the old password", "login", 400, login_after_reset(PASSWORD)),
    Case("reset twice by one token", "reset_password", 400, resets_with(OTHER_PASSWORD, times=2)),
    Case("reset after becoming inactive", "reset_password", 400, resets_with(OTHER_PASSWORD, then=lambda server, account: server.deactivate(account))),
    Case("reset by a bad token", "reset_password", 400, sends("POST", RESET, json_body={"token": BAD_TOKEN, "password": OTHER_PASSWORD})),
    Case("reset by no token", "reset_password", 400, sends("POST", RESET, json_body={"token": "", "password": OTHER_PASSWORD})),
    Case("reset by a verify token", "reset_password", 400, resets_with_verify_token),
    Case("reset by an access token", "reset_password", 400, lambda server, email: server.post(RESET, {"token": server.account(email).token, "password": OTHER_PASSWORD})),
    Case("password: too short to reset", "reset_password", 400, resets_with(SHORT)),
    Case("reset without password", "reset_password", 422, sends("POST", RESET, json_body={"token": "x"})),
    Case("reset without token", "reset_password", 422, sends("POST", RESET, json_body={"password": OTHER_PASSWORD})),
    Case("reset with nulls", "reset_password", 422, sends("POST", RESET, json_body={"token": None, "password": None})),
    # Verifying an address.
    Case("request verify", "request_verify_token", 202, asks(REQUEST_VERIFY, somebody)),
    Case("request verify, unknown", "request_verify_token", 202, asks(REQUEST_VERIFY, nobody)),
    Case("request verify, inactive", "request_verify_token", 202, asks(REQUEST_VERIFY, somebody_inactive)),
    Case("request verify, verified", "request_verify_token", 202, asks(REQUEST_VERIFY, somebody_verified)),
    Case("request verify without e-mail", "request_verify_token", 422, sends("POST", REQUEST_VERIFY, json_body={})),
    Case("request verify with null", "request_verify_token", 422, sends("POST", REQUEST_VERIFY, json_body={"email": None})),
    Case("verify", "verify", 200, verifies()),
    Case("verify twice", "verify", 400, verifies(times=2)),
    Case("verify by a bad token", "verify", 400, sends("POST", VERIFY, json_body={"token": BAD_TOKEN})),
    Case("verify by a reset token", "verify", 400, verifies_with_reset_token),
    Case("verify an address that was left", "verify", 400, verifies_after_moving),
    Case("verify without token", "verify", 422, sends("POST", VERIFY, json_body={})),
    Case("verify with a number", "verify", 422, sends("POST", VERIFY, json_body={"token": 1})),
    # Changing oneself: the library's PATCH /users/me is A2's PATCH /user/info.
    Case("update the name", "update_user_data", 200, updates(name="Ann Smith")),
    Case("update nothing", "update_user_data", 200, updates()),
    Case("update to superuser", "update_user_data", 200, updates(is_superuser=True, is_verified=True, is_active=False, budget=9, permissions={"campaign": ["w"]}, campaign_count=3)),
    Case("update preferences", "update_user_data", 200, updates(preferences={"etc": {"language": "en"}, "new": {"a": 1}})),
    Case("update the e-mail of a verified user", "update_user_data", 200, updates_email(lambda email: f"new-{email}")),
    Case("update the e-mail to a taken one", "update_user_data", 400, updates_to_a_taken_email),
    Case("password: too short to update", "update_user_data", 400, updates(password=SHORT)),
    Case("update without a token", "update_user_data", 401, lambda server, email: server.request("PATCH", server.info_path, json_body={"name": "Ann Smith"})),
    Case("email: update with no address", "update_user_data", 422, updates(email="ann")),
    Case("null e-mail in an update", "update_user_data", 422, updates(email=None), reference_status=500),
    Case("update to a short name", "update_user_data", 422, updates(name="Ann")),
    Case("update to a long name", "update_user_data", 422, updates(name="A" * 33)),
    Case("update with a number for a name", "update_user_data", 422, updates(name=4)),
    Case("update with a malformed id", "update_user_data", 422, updates(id="not-a-uuid")),
    Case("update with a budget below zero", "update_user_data", 422, updates(budget=-1)),
    Case("update with a count below zero", "update_user_data", 422, updates(campaign_count=-1)),
    Case("update with half a count", "update_user_data", 422, updates(campaign_count=1.5)),
)
