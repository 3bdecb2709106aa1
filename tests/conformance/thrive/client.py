"""A client written from the examples of the vendor's documentation and nothing else: `requests` with the tenant's id and
secret, Authlib for OAuth 2.0. Its operations by name, and the shape of what is answered.

What the documentation leaves open is a constant here, so that it stands in one place.
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session

from support import web
from support.process import Throng

SECONDS = 60
JSON = "application/json"
V1, V2 = "/rest/v1", "/rest/v2"
# Of `memberOperations`, which the documentation describes as two results: of adding and of removing.
ADDED, REMOVED = "added", "removed"
# The documentation shows the body of a new object and no number for it.
CREATED = 201
STAYS = "member of another audience in this structure"
# 24 hex digits that are nobody's.
NOWHERE = "63f8c5361b9c80d3274be7ca"
PHRASES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Payload Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
}
AUDIENCE_FIELDS = ["id", "name", "reference", "apiControlled", "category", "type", "createdAt", "updatedAt"]
CHILD_GROUPS = {"audienceManager": {"manageMembers", "manageContent", "assignments"}, "peopleManager": {"canViewLearnPage", "insights", "manage"}}
STRUCTURE_GROUPS = {**CHILD_GROUPS, "administrator": {"canManageAudiences", "canAddAudienceManagers"}}
TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")


def unique(prefix: str = "t") -> str:
    """One word in lower case, that nothing else contains."""
    return f"{prefix}{uuid.uuid4().hex[:16]}"


def part(text: str) -> str:
    """One part of a path."""
    return quote(text, safe="")


def reference_of(item: dict[str, Any]) -> str:
    return item["reference"]


class Thrive:
    """One tenant of one server: Basic with the tenant's id and secret, as the first of the vendor's examples."""

    def __init__(self, server: Throng, tenant_id: str | None = None, secret: str | None = None, base: str | None = None) -> None:
        settings = server.ready["thrive"]
        self.server = server
        self.base: str = base or settings["base"]
        self.user_base: str = f"{self.base.removesuffix('/thrive')}/thrive-user"
        self.tenant_id: str = settings["tenant_id"] if tenant_id is None else tenant_id
        self.secret: str = settings["api_secret"] if secret is None else secret
        self.session = requests.Session()
        self.session.auth = (self.tenant_id, self.secret)
        self.session.headers.update({"Accept": JSON})

    def authorized(self, session: requests.Session) -> Thrive:
        """The same with another session: one with a token, or one with nothing."""
        other = Thrive(self.server, self.tenant_id, self.secret, self.base)
        other.session = session
        return other

    def oauth(self, scope: str | None = "api/all", **changes: str) -> Thrive:
        """By OAuth 2.0 client credentials: Authlib fetches the token, and a new one when that has ended."""
        session = self.oauth_session(scope)
        session.fetch_token(changes.pop("url", self.token_url), grant_type="client_credentials", **changes)
        return self.authorized(session)

    def oauth_session(self, scope: str | None = "api/all", method: str = "client_secret_post") -> OAuth2Session:
        settings = self.server.ready["thrive"]
        # What it needs to fetch the next token by itself.
        again = {"token_endpoint": self.token_url, "grant_type": "client_credentials"}
        return OAuth2Session(settings["client_id"], settings["client_secret"], scope=scope, token_endpoint_auth_method=method, **again)

    def anonymous(self) -> Thrive:
        return self.authorized(requests.Session())

    @property
    def authorization(self) -> str:
        """The header's value of the tenant's id and secret."""
        return "Basic " + base64.b64encode(f"{self.tenant_id}:{self.secret}".encode()).decode()

    @property
    def token_url(self) -> str:
        return f"{self.base}/oauth2/token/{self.tenant_id}"

    @property
    def user_token_url(self) -> str:
        """Of the other host, whose tokens are for webhooks."""
        return f"{self.user_base}/oauth2/token/{self.tenant_id}"

    def send(self, method: str, path: str, body: Any = None, *, base: str | None = None, **query: Any) -> requests.Response:
        """`path` is below /rest/v1; one of /rest/v2 is given whole, and so is one of another base."""
        whole = path if base or path.startswith("/rest/") else V1 + path
        content = {} if body is None else {"json": body}
        return self.session.request(method, (base or self.base) + whole, params=query or None, timeout=SECONDS, allow_redirects=False, **content)

    def hook(self, method: str, path: str = "", body: Any = None) -> requests.Response:
        """Of the other host, below its /webhooks."""
        return self.send(method, HOOKS + path, body, base=self.user_base)

    def json(self, method: str, path: str, body: Any = None, status: int = 200, **query: Any) -> Any:
        """The same, with an answer that must be of this status and JSON."""
        answer = self.send(method, path, body, **query)
        assert answer.status_code == status, f"{method} {path} answered {answer.status_code} instead of {status}: {answer.text[:500]}"
        assert answer.headers["Content-Type"].partition(";")[0] == JSON, answer.headers
        return answer.json()

    def raw(self, method: str, path: str, body: bytes | None = None, **headers: str | None) -> web.Answer:
        """A request that `requests` would not send; a header of None is left out, and the path goes out as it is."""
        named: dict[str, str | None] = {"Authorization": self.authorization, "Content-Type": None if body is None else JSON}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        whole = path if path.startswith("/rest/") else V1 + path
        return web.request(method, self.base + whole, headers={name: value for name, value in named.items() if value is not None}, body=body)

    # Audiences.

    def structure(self, name: str | None = None, **fields: Any) -> dict[str, Any]:
        body = {"name": name or unique("structure "), "reference": unique("ref-"), "category": "structure", **fields}
        return self.json("POST", "/audiences", body, CREATED)

    def audience(self, parent: dict[str, Any] | str, name: str | None = None, members: Sequence[str] = (), **fields: Any) -> dict[str, Any]:
        """A child, with its first members."""
        parent_id = parent if isinstance(parent, str) else parent["id"]
        body = {"name": name or unique("audience "), "reference": unique("ref-"), "category": "audience", "parentId": parent_id, **fields}
        made = self.json("POST", "/audiences", body, CREATED)
        if members:
            self.add(made["id"], *members)
        return made

    def get(self, audience: str) -> dict[str, Any]:
        return self.json("GET", f"/audiences/{part(audience)}")

    def update(self, audience: str, **fields: Any) -> dict[str, Any]:
        """As the documentation writes it, with the slash."""
        return self.json("PATCH", f"/audiences/{part(audience)}/", fields)

    def delete(self, audience: str) -> None:
        assert_deleted(self.send("DELETE", f"/audiences/{part(audience)}"))

    def exists(self, audience: str) -> bool:
        answer = self.send("GET", f"/audiences/{part(audience)}")
        assert answer.status_code in (200, 404), answer.text
        return answer.status_code == 200

    def pages(self, path: str, per_page: int = 1000, **query: Any) -> list[dict[str, Any]]:
        """Everything of a paged list."""
        found: list[dict[str, Any]] = []
        page = 1
        while True:
            sent = self.send("GET", path, page=page, perPage=per_page, **query)
            assert sent.status_code == 200, f"GET {path} answered {sent.status_code}: {sent.text[:500]}"
            answer = sent.json()
            assert_page(answer, page, per_page)
            found += answer["results"]
            if page >= answer["pagination"]["totalPages"]:
                assert len(found) == answer["pagination"]["totalResults"]
                return found
            page += 1

    def children(self, structure: str) -> set[str]:
        return {item["id"] for item in self.pages("/audiences") if (item.get("parent") or {}).get("id") == structure}

    # Members and managers.

    def add(self, audience: str, *names: str) -> None:
        done, failed = outcome(self.send("POST", f"/audiences/{part(audience)}/members", list(names)), 200)
        assert not failed and len(done) == len(set(names))

    def replace(self, audience: str, *names: str) -> None:
        done, failed = outcome(self.send("PATCH", f"/audiences/{part(audience)}/members", list(names)), 200)
        assert not failed and len(done) == len(set(names))

    def remove(self, audience: str, name: str) -> None:
        assert_deleted(self.send("DELETE", f"/audiences/{part(audience)}/members/{part(name)}"))

    def members(self, audience: str) -> set[str]:
        """By reference."""
        found = self.pages(f"/audiences/{part(audience)}/members")
        assert all(set(member) == {"userId", "reference", "email"} for member in found), found
        assert len({member["userId"] for member in found}) == len(found)
        return {member["reference"] for member in found}

    def managers(self, audience: str) -> list[dict[str, Any]]:
        """A bare array."""
        found = self.json("GET", f"/audiences/{part(audience)}/managers")
        assert isinstance(found, list) and all(set(item) == {"userId", "reference", "email", "permissions"} for item in found), found
        return found

    # Users.

    def user(self, ref: str | None = None, **fields: Any) -> dict[str, Any]:
        return self.json("POST", f"{V2}/users", new_user(ref, **fields), CREATED)

    def users(self, count: int) -> list[str]:
        """So many new users; their references."""
        return [self.user()["ref"] for _ in range(count)]

    def suspend(self, ref: str) -> dict[str, Any]:
        return self.json("PATCH", f"{V2}/users/ref/{part(ref)}/suspend", {})

    def user_audiences(self, ref: str) -> set[str]:
        """The ids of the audiences that somebody is in."""
        found = self.json("GET", f"/users/ref/{part(ref)}")
        return set(self.json("GET", f"/user/{found['id']}")["audiences"])


def new_user(ref: str | None = None, **fields: Any) -> dict[str, Any]:
    """The body of a new user; a field of None is left out."""
    ref = ref or unique("UID")
    body = {"ref": ref, "firstName": "Thomas", "lastName": "Tester", "email": f"{ref.lower()}@example.com", "loginMethod": "email", "role": "learner", **fields}
    return {name: value for name, value in body.items() if value is not None}


def event(kind: str, **user: Any) -> dict[str, Any]:
    """What a personnel system tells, as in the documentation's samples."""
    return {"id": unique("UNIQUEREFERENCE"), "timestamp": "2020-03-09T22:18:26.625Z", "eventType": kind, "content": {"user": user}}


def permissions(*granted: str, structure: bool = False) -> dict[str, dict[str, bool]]:
    """What an input may say: everything but what only an answer has."""
    groups = {"audienceManager": ("manageContent", "assignments"), "peopleManager": ("canViewLearnPage", "insights", "manage")}
    if structure:
        groups["administrator"] = ("canAddAudienceManagers",)
    return {group: {name: name in granted for name in names} for group, names in groups.items()}


def manager(reference: str, *granted: str, structure: bool = False) -> dict[str, Any]:
    return {"reference": reference, "permissions": permissions(*granted, structure=structure)}


def granted(item: dict[str, Any], structure: bool = False) -> set[str]:
    """What a manager may, of an answer that must have every permission of its kind."""
    expected = STRUCTURE_GROUPS if structure else CHILD_GROUPS
    assert {group: set(names) for group, names in item["permissions"].items()} == expected, item
    values = {name: value for names in item["permissions"].values() for name, value in names.items()}
    assert all(isinstance(value, bool) for value in values.values()), item
    return {name for name, value in values.items() if value}


def outcome(answer: requests.Response, status: int) -> tuple[list[str], dict[str, str]]:
    """Who was done and who failed why, of an answer about several people: each count with its list."""
    assert answer.status_code == status, f"{answer.status_code} instead of {status}: {answer.text[:500]}"
    body = answer.json()
    if status == 422:
        # The page's title for it is an error's, its example a partial result: both readings are served.
        assert (body.get("status", 422), body.get("error", PHRASES[422])) == (422, PHRASES[422]), body
        body = {key: value for key, value in body.items() if key not in ("status", "error", "message")}
    assert set(body) == ({"success"} if status == 200 else {"success", "failure"}), body
    return result(body)


def result(body: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    """Of one result: `success` and, where somebody failed, `failure`."""
    assert {"success"} <= set(body) <= {"success", "failure"}, body
    for group in body.values():
        assert set(group) == {"count", "entities"} and group["count"] == len(group["entities"]), group
    done, failed = body["success"]["entities"], body.get("failure", {"entities": []})["entities"]
    assert all(set(entity) == {"reference"} for entity in done), done
    assert all(set(entity) == {"reason", "reference"} and entity["reason"] for entity in failed), failed
    return [entity["reference"] for entity in done], {entity["reference"]: entity["reason"] for entity in failed}


def assert_deleted(answer: requests.Response) -> None:
    """What a caller takes for success: 200 that says so, or nothing at all."""
    assert answer.status_code == 200, f"{answer.status_code} instead of 200: {answer.text[:500]}"
    assert answer.json().get("success", True) is True, answer.text


def assert_page(answer: dict[str, Any], page: int, per_page: int) -> None:
    assert set(answer) == {"results", "pagination"}, answer
    numbers = answer["pagination"]
    assert set(numbers) == {"totalResults", "totalPages", "page", "perPage"} and all(type(number) is int for number in numbers.values()), numbers
    assert (numbers["page"], numbers["perPage"]) == (page, per_page), numbers
    assert numbers["totalPages"] == -(-numbers["totalResults"] // per_page), numbers
    assert len(answer["results"]) == min(per_page, max(0, numbers["totalResults"] - (page - 1) * per_page)), numbers


def assert_audience(body: dict[str, Any], parent: dict[str, Any] | None) -> None:
    """The documented fields, and the parent of a child only."""
    fields = {name: value for name, value in body.items() if name not in ("parent", "memberOperations")}
    assert set(fields) == set(AUDIENCE_FIELDS), body
    assert re.fullmatch(r"[0-9a-f]{24}", body["id"]), body
    assert TIME.fullmatch(body["createdAt"]) and TIME.fullmatch(body["updatedAt"]) and body["createdAt"] <= body["updatedAt"], body
    assert body["category"] == ("audience" if parent else "structure"), body
    if parent:
        assert body["parent"] == {"name": parent["name"], "reference": parent["reference"], "id": parent["id"]}, body
    else:
        assert body.get("parent") is None, body


def assert_error(answer: requests.Response | web.Answer, status: int) -> dict[str, Any]:
    """The vendor's documented error: three fields, the number twice, and a message for people."""
    code = answer.status_code if isinstance(answer, requests.Response) else answer.status
    text = answer.text
    assert code == status, f"{code} instead of {status}: {text[:500]}"
    assert (answer.headers.get("Content-Type") or "").partition(";")[0] == JSON, answer.headers
    body = answer.json() if isinstance(answer, requests.Response) else answer.json
    assert set(body) == {"status", "error", "message"}, body
    assert (body["status"], body["error"]) == (status, PHRASES[status]), body
    assert isinstance(body["message"], str) and body["message"], body
    return body


def assert_token_error(answer: requests.Response, status: int, error: str | None = None) -> None:
    """RFC 6749 section 5.2."""
    assert answer.status_code == status, f"{answer.status_code} instead of {status}: {answer.text[:500]}"
    body = answer.json()
    assert isinstance(body, dict) and isinstance(body.get("error"), str), body
    assert error is None or body["error"] == error, body


# The vendor's webhooks are set up by its support: that they can be subscribed to, and how, is Throng's own.
HOOKS = f"{V1}/webhooks"


@dataclass(frozen=True)
class Target:
    """What an operation is aimed at; what it does not take is ignored, so that one story can be told about all of them."""

    structure: str
    child: str
    # Of a user who is a member and a manager of the child.
    ref: str
    user_id: str
    webhook: str = NOWHERE


NOTHING = Target(NOWHERE, NOWHERE, "nobody-of-this-reference", NOWHERE)

Call = Callable[[Thrive, Target], requests.Response]
OPERATIONS: dict[str, Call] = {
    "list_audiences": lambda thrive, target: thrive.send("GET", "/audiences", perPage=1),
    "get_audience": lambda thrive, target: thrive.send("GET", f"/audiences/{target.child}"),
    "create_audience": lambda thrive, target: thrive.send(
        "POST", "/audiences", {"name": unique(), "reference": unique(), "parentId": target.structure, "category": "audience"}
    ),
    "update_audience": lambda thrive, target: thrive.send("PATCH", f"/audiences/{target.child}/", {"name": unique("renamed ")}),
    "delete_audience": lambda thrive, target: thrive.send("DELETE", f"/audiences/{target.child}"),
    "list_members": lambda thrive, target: thrive.send("GET", f"/audiences/{target.child}/members", perPage=1),
    "add_members": lambda thrive, target: thrive.send("POST", f"/audiences/{target.child}/members", [target.ref]),
    "replace_members": lambda thrive, target: thrive.send("PATCH", f"/audiences/{target.child}/members", [target.ref]),
    "remove_member": lambda thrive, target: thrive.send("DELETE", f"/audiences/{target.child}/members/{target.ref}"),
    "list_managers": lambda thrive, target: thrive.send("GET", f"/audiences/{target.child}/managers"),
    "add_managers": lambda thrive, target: thrive.send("POST", f"/audiences/{target.child}/managers", [manager(target.ref, "insights")]),
    "replace_managers": lambda thrive, target: thrive.send("PATCH", f"/audiences/{target.child}/managers", [manager(target.ref, "insights")]),
    "remove_manager": lambda thrive, target: thrive.send("DELETE", f"/audiences/{target.child}/managers/{target.ref}"),
    "list_users": lambda thrive, target: thrive.send("GET", "/users", perPage=1),
    "get_user": lambda thrive, target: thrive.send("GET", f"/user/{target.user_id}"),
    "get_user_by_ref": lambda thrive, target: thrive.send("GET", f"/users/ref/{target.ref}"),
    "create_user": lambda thrive, target: thrive.send("POST", f"{V2}/users", new_user()),
    "update_user": lambda thrive, target: thrive.send("PATCH", f"{V2}/users/ref/{target.ref}", {"jobTitle": unique()}),
    "suspend_user": lambda thrive, target: thrive.send("PATCH", f"{V2}/users/ref/{target.ref}/suspend", {}),
    "delete_user": lambda thrive, target: thrive.send("DELETE", f"{V2}/users/ref/{target.ref}"),
}
# On the other host.
HOOK_OPERATIONS: dict[str, Call] = {
    "create_webhook": lambda thrive, target: thrive.hook("POST", "", {"url": "http://127.0.0.1:9/nobody", "eventTypes": ["audience.moved"]}),
    "list_webhooks": lambda thrive, target: thrive.hook("GET"),
    "get_webhook": lambda thrive, target: thrive.hook("GET", f"/{target.webhook}"),
    "delete_webhook": lambda thrive, target: thrive.hook("DELETE", f"/{target.webhook}"),
    "provision_user": lambda thrive, target: thrive.hook("POST", "", event("user_updated", ref=target.ref, jobTitle=unique())),
}
ALL_OPERATIONS = {**OPERATIONS, **HOOK_OPERATIONS}
# What is answered with another status than 200.
SUCCESS = {"create_audience": CREATED, "create_user": CREATED, "create_webhook": CREATED}
AUDIENCE_OPERATIONS = (
    "get_audience", "update_audience", "delete_audience", "list_members", "add_members", "replace_members", "remove_member",
    "list_managers", "add_managers", "replace_managers", "remove_manager",
)  # fmt: skip
USER_OPERATIONS = ("get_user", "get_user_by_ref", "update_user", "suspend_user", "delete_user")
READS = ("list_audiences", "get_audience", "list_members", "list_managers", "list_users", "get_user", "get_user_by_ref")
WRITES = tuple(name for name in OPERATIONS if name not in READS)
AUDIENCE_WRITES = tuple(name for name in AUDIENCE_OPERATIONS if name in WRITES)


def succeeding(*names: str) -> list[Any]:
    """The same with the status of success of each."""
    return [parameter for name in names for parameter in each(SUCCESS.get(name, 200), name)]


def each(status: int, *names: str) -> list[Any]:
    """Parameters for one test of several operations, each marked with its own cell."""
    return [pytest.param(name, marks=pytest.mark.conformance(operation=name, status=status), id=name) for name in names]


def cells(status: int, *names: str) -> Callable[[Any], Any]:
    """The marks of one test that proves the same status of several operations."""

    def mark(test: Any) -> Any:
        for name in names:
            test = pytest.mark.conformance(operation=name, status=status)(test)
        return test

    return mark
