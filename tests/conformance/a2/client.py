"""A2's protocol over plain HTTP (the vendor publishes no client), and the two servers that speak it: Throng and the
FastAPI-Users application."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urljoin

from a2.reference import Reference
from support import native, web
from support.process import Throng

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PASSWORD = "a horse of nine letters"
OTHER_PASSWORD = "another horse of nine"
UNKNOWN_ID = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
# Of any credential, where a test is not about it.
BAD_TOKEN = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ4In0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

# The field of a user, in the documentation's order.
USER_FIELDS = {
    "budget", "campaign_count", "creative_count", "credit", "email", "id", "is_active", "is_superuser", "is_verified",
    "name", "permissions", "placement_count", "preferences", "role",
}  # fmt: skip
CONSENT_FIELDS = {"consent_channel", "consent_date", "created_at", "is_agreed", "policy_version", "updated_at", "user_id"}
NOTHING: Any = object()


def unique_email(prefix: str = "ann") -> str:
    return f"{prefix}-{uuid.uuid4().hex[:12]}@example.com"


def registration(email: str, **changes: Any) -> dict[str, Any]:
    """The documented command with its required fields; a change to NOTHING leaves a field out."""
    command = {"email": email, "name": "Ann Lee", "password": PASSWORD, "permissions": {}, "role": "advertiser", **changes}
    return {name: value for name, value in command.items() if value is not NOTHING}


@dataclass
class Account:
    email: str
    id: str
    token: str
    password: str = PASSWORD


@dataclass
class A2:
    """One server at one base; `request` sends what it is told, the rest is scenery."""

    base: str
    admin_email: str = ""
    admin_password: str = ""
    _admin: str = field(default="", repr=False)

    def request(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        json_body: Any = NOTHING,
        form: dict[str, str] | None = None,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> web.Answer:
        sent = {} if token is None else {"Authorization": f"Bearer {token}"}
        if json_body is not NOTHING:
            body, sent = json.dumps(json_body).encode(), {**sent, **JSON}
        elif form is not None:
            body, sent = urlencode(form).encode(), {**sent, **FORM}
        return web.request(method, self.base + path, headers={**sent, **(headers or {})}, body=body)

    def post(self, path: str, json_body: Any = NOTHING, **more: Any) -> web.Answer:
        return self.request("POST", path, json_body=json_body, **more)

    def patch(self, path: str, json_body: Any, token: str | None = None) -> web.Answer:
        return self.request("PATCH", path, json_body=json_body, token=token)

    def get(self, path: str, token: str | None = None) -> web.Answer:
        return self.request("GET", path, token=token)

    def login(self, email: str, password: str = PASSWORD) -> web.Answer:
        return self.post("/auth/jwt/login", form={"username": email, "password": password})

    def token(self, email: str, password: str = PASSWORD) -> str:
        return answered(self.login(email, password), 200)["access_token"]

    def me(self, token: str) -> web.Answer:
        return self.get("/users/me", token)

    def account(self, email: str | None = None, **changes: Any) -> Account:
        """Registered and signed in."""
        email = email or unique_email()
        user = answered(self.post("/auth/register", registration(email, **changes)), 201)
        password = changes.get("password", PASSWORD)
        return Account(user["email"], user["id"], self.token(email, password), password)

    @property
    def admin(self) -> str:
        """The administrator's token."""
        if not self._admin:
            self._admin = self.token(self.admin_email, self.admin_password)
        return self._admin

    # Where a mail would be opened, and what only an administrator does: each server has its own way.
    info_path = "/user/info"

    def reset_token(self, email: str) -> str:
        raise NotImplementedError

    def verify_token(self, email: str) -> str:
        raise NotImplementedError

    def deactivate(self, account: Account) -> None:
        raise NotImplementedError

    def verified(self, account: Account) -> Account:
        answered(self.post("/auth/verify", {"token": self.verify_token(account.email)}), 200)
        return account


class ThrongA2(A2):
    def __init__(self, server: Throng, base: str | None = None) -> None:
        settings = server.ready["a2"]
        super().__init__(base or settings["base"], settings["admin"]["email"], settings["admin"]["password"])
        self.server = server

    def retailer(self) -> Account:
        return self._made("retailer")

    def administrator(self) -> Account:
        """One more administrator."""
        return self._made("admin")

    def _made(self, role: str) -> Account:
        email = unique_email(role)
        native.account_create(self.server, email, PASSWORD, role, name=f"A {role}")
        token = self.token(email)
        return Account(email, answered(self.me(token), 200)["id"], token)

    def reset_token(self, email: str) -> str:
        before = len(native.mails(self.server, email, "reset"))
        answered(self.post("/auth/forgot-password", {"email": email}), 202)
        return native.mailed_token(self.server, email, "reset", before + 1)

    def verify_token(self, email: str) -> str:
        before = len(native.mails(self.server, email, "verify"))
        answered(self.post("/auth/request-verify-token", {"email": email}), 202)
        return native.mailed_token(self.server, email, "verify", before + 1)

    def deactivate(self, account: Account) -> None:
        assert answered(self.patch("/user/info", {"id": account.id, "is_active": False}, self.admin), 200)["is_active"] is False


class ReferenceA2(A2):
    # A2 replaced the library's route by its own.
    info_path = "/users/me"

    def __init__(self, reference: Reference) -> None:
        super().__init__(reference.url, reference.admin["email"], reference.admin["password"])
        self.reference = reference

    def reset_token(self, email: str) -> str:
        answered(self.post("/auth/forgot-password", {"email": email}), 202)
        return self.reference.token("reset", email)

    def verify_token(self, email: str) -> str:
        answered(self.post("/auth/request-verify-token", {"email": email}), 202)
        return self.reference.token("verify", email)

    def deactivate(self, account: Account) -> None:
        answered(self.patch(f"/users/{account.id}", {"is_active": False}, self.admin), 200)


def answered(answer: web.Answer, status: int) -> Any:
    """The body of an answer that must have this status."""
    assert answer.status == status, f"{answer.status} instead of {status}: {answer.text[:2000]}"
    return answer.json if answer.body else None


def refused(answer: web.Answer, status: int, detail: str) -> None:
    """FastAPI's shape of an error, and nothing beside it."""
    assert answered(answer, status) == {"detail": detail}
    assert answer.media_type == "application/json"


def invalid(answer: web.Answer, *loc: str, type_: str | None = None) -> dict[str, Any]:
    """422 with one error at this place; returns it."""
    details = answered(answer, 422)["detail"]
    found = [error for error in details if error["loc"] == list(loc)]
    assert len(found) == 1, f"no single error at {loc}: {details}"
    assert {"type", "loc", "msg", "input"} <= set(found[0]), found[0]
    assert type_ is None or found[0]["type"] == type_, found[0]
    return found[0]


def location(answer: web.Answer, base: str) -> str | None:
    """Where an answer redirects to, below the server's base; a relative one is as good as an absolute one."""
    found = answer.headers.get("location")
    if found is None:
        return None
    whole = urljoin(base + "/", found)
    return whole.removeprefix(base) if whole.startswith(base) else whole
