"""One app of one server, in plain HTTP: what no client can be made to send, and the scenes that tests begin with."""

from __future__ import annotations

import base64
import json
import re
import time
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import jwt

from support import native, web
from support.process import Throng

ID = re.compile(r"[0-9a-f]{24}")
TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")
JSON = {"Content-Type": "application/json"}
# 24 digits that are nobody's.
NOWHERE = "63f8c5361b9c80d3274be7ca"
UNAUTHORIZED = {"errors": [{"code": "unauthorized", "title": "Authorization is required"}]}

# What each type of integration is created from; `custom` needs a webhook besides. No provider knows any of it.
SETTINGS: dict[str, dict[str, Any]] = {
    "mailgun": {"apiKey": "canary-mailgun-key", "domain": "mail.example.org", "incomingAddress": "in@mail.example.org"},
    "twilio": {"accountSid": "AC0123456789abcdef0123456789abcdef", "authToken": "canary-twilio-token", "phoneNumberSid": "PN0123456789abcdef0123456789abcdef"},
    "messagebird": {"accessKey": "canary-messagebird-key", "signingKey": "canary-messagebird-signing", "originator": "+12125550199"},
    "whatsapp": {"deploymentId": "5e554d2cac66fb73a3c01871"},
    "custom": {"webhooks": [{"target": "https://example.org/hook", "triggers": ["client:add"]}]},
}
SECRETS = ("canary-mailgun-key", "canary-twilio-token", "canary-messagebird-key", "canary-messagebird-signing")


def unique(prefix: str = "t") -> str:
    """One word in lower case, that nothing else contains."""
    return f"{prefix}{uuid.uuid4().hex[:16]}"


def phone() -> str:
    """A number that no other test has."""
    return f"+1{uuid.uuid4().int % 10**10:010}"


def part(text: str) -> str:
    """One part of a path."""
    return quote(text, safe="")


def hex_id(workspace: int, kind: int, number: int) -> str:
    """An id as the server writes it: workspace, kind, number."""
    return f"{workspace:08x}{kind:02x}{number:014x}"


@dataclass
class App:
    """An app and a key that may use all of it."""

    server: Throng
    base: str
    app_id: str
    key_id: str
    secret: str

    @property
    def root(self) -> str:
        return f"{self.base}/v2/apps/{self.app_id}"

    @property
    def basic(self) -> dict[str, str]:
        return basic(self.key_id, self.secret)

    def with_key(self, key_id: str, secret: str) -> App:
        return App(self.server, self.base, self.app_id, key_id, secret)

    def token(self, scope: str | None = "app", *, secret: str | None = None, headers: dict[str, Any] | None = None, algorithm: str = "HS256", **claims: Any) -> str:
        """A JSON Web Token as the vendor's guide has one made; a header or claim that is None is left out."""
        head = {"kid": self.key_id, **(headers or {})}
        claims = {name: value for name, value in {"scope": scope, **claims}.items() if value is not None}
        return jwt.encode(claims, self.secret if secret is None else secret, algorithm, {name: value for name, value in head.items() if value is not None})

    def send(self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None, raw: bytes | None = None) -> web.Answer:
        """`path` is below the app, or a whole one where it begins with http. `headers` come instead of Basic and its type."""
        content = raw if raw is not None else None if body is None else json.dumps(body).encode()
        url = path if path.startswith("http") else self.root + path
        return web.request(method, url, headers=headers if headers is not None else {**self.basic, **(JSON if content is not None else {})}, body=content)

    def json(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = self.send(method, path, body)
        assert answer.status == status, f"{method} {path} answered {answer.status}: {answer.text}"
        return answer.json

    # Scenes.

    def user(self, **fields: Any) -> dict[str, Any]:
        return self.json("POST", "/users", {"externalId": unique("user-"), **fields}, 201)["user"]

    def conversation(self, *users: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """A personal conversation of one user, or a group's."""
        kind = "personal" if len(users) == 1 else "sdkGroup"
        participants = [{"userId": user["id"], "subscribeSDKClient": False} for user in users]
        return self.json("POST", "/conversations", {"type": kind, "participants": participants, **fields}, 201)["conversation"]

    def integration(self, kind: str, **fields: Any) -> dict[str, Any]:
        return self.json("POST", "/integrations", {"type": kind, **SETTINGS[kind], **fields}, 201)["integration"]

    def users_conversation(self) -> tuple[dict[str, Any], dict[str, Any]]:
        user = self.user()
        return user, self.conversation(user)

    def link(self, user: dict[str, Any], conversation: dict[str, Any], integration: dict[str, Any], confirmation: str = "userActivity", **criteria: Any) -> dict[str, Any]:
        body = client_create(integration, conversation, confirmation, **criteria)
        return self.json("POST", f"/users/{user['id']}/clients", body, 201)["client"]

    def clients(self, user: str) -> list[dict[str, Any]]:
        """The clients of a user, of whichever id, on one page."""
        return self.json("GET", f"/users/{part(user)}/clients?page[size]=100")["clients"]


def client_create(integration: dict[str, Any], conversation: dict[str, Any], confirmation: str = "userActivity", **criteria: Any) -> dict[str, Any]:
    """`ClientCreate` in the vendor's JSON, to an address of its own."""
    address = {"address": f"{unique()}@example.org"} if integration["type"] == "mailgun" else {"phoneNumber": phone()}
    return {
        "matchCriteria": {"type": integration["type"], "integrationId": integration["id"], **address, **criteria},
        "confirmation": {"type": confirmation},
        "target": {"conversationId": conversation["id"]},
    }


def text(words: str = "Hello!", **fields: Any) -> dict[str, Any]:
    """`MessagePost` of the business."""
    return {"author": {"type": "business"}, "content": {"type": "text", "text": words}, **fields}


def basic(key_id: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{key_id}:{secret}".encode()).decode()}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def app_of(server: Throng) -> App:
    """The app that the demo has made."""
    told = server.ready["sunshine"]
    return App(server, told["base"], told["app_id"], told["key_id"], told["secret"])


def app_create(server: Throng) -> App:
    """An app of its own: a new workspace with a key."""
    slug = unique("app-")
    token = native.call(server, "POST", "/workspaces", {"slug": slug, "name": "Another"})["token"]
    workspace = native.call(server, "GET", "/me", token=token)["workspace"]
    made = native.call(server, "POST", "/credentials", {"dialect": "sunshine", "name": "Another"}, token)
    # An app is a workspace: the kind is the one in the id of the demo's app.
    kind = int(server.ready["sunshine"]["app_id"][8:10], 16)
    return App(server, server.ready["sunshine"]["base"], hex_id(workspace, kind, workspace), f"app_{made['client_id']}", made["secret"])


def account_key(app: App, **fields: Any) -> App:
    """The same app with a key of its account."""
    made = native.call(app.server, "POST", "/credentials", {"dialect": "sunshine", "name": "Account", "scopes": ["admin", "channels", "integrations", "people:read", "people:write", "webhooks"], **fields})
    return app.with_key(f"act_{made['client_id']}", made["secret"])


def assert_refused(answer: Any, status: int, code: str, *titles: str) -> None:
    """The vendor's one shape of an error; each of `titles` is part of one that is told."""
    shown = answer.body if isinstance(answer.body, str) else answer.text
    assert answer.status == status, f"{answer.status} instead of {status}: {shown}"
    body = answer.json
    assert list(body) == ["errors"] and body["errors"], shown
    assert status == 400 or len(body["errors"]) == 1, shown
    for error in body["errors"]:
        assert set(error) == {"code", "title"} and error["title"], shown
        assert error["code"] == code, shown
    told = "\n".join(error["title"] for error in body["errors"])
    for title in titles:
        assert title in told, shown


def seconds_from_now(seconds: int) -> int:
    return int(time.time()) + seconds
