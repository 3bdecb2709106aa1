"""The generated client pointed at the server under test, its operations by name, and the shape of the vendor's errors."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import opendatasoft_automation
import pytest
from opendatasoft_automation import (
    ApiException,
    APIKey,
    APIKeysApi,
    Configuration,
    PostApikeysApikeyUidRevokeRequest,
    ProvisionUsersRequest,
    ProvisionUsersRequestAllOfIdentityProvider,
    RelatedUser,
    SearchApikeyRequest,
    User,
    UserGroup,
    UserGroups,
    UserGroupsApi,
    UserGroupsOneOfInner,
    UsersApi,
)

from support import web
from support.process import Throng

JSON = "application/json"
PERMISSIONS = (
    "edit_domain", "create_page", "edit_page", "manage_page", "explore_restricted_page", "create_dataset", "edit_dataset",
    "publish_dataset", "manage_dataset", "explore_restricted_dataset", "edit_reuse", "manage_subdomains", "explore_monitoring",
    "edit_theme", "edit_form", "submit_private_form", "create_external_asset", "edit_external_asset",
    "explore_restricted_external_asset", "manage_glossary", "manage_showcase_requests",
)  # fmt: skip
ERROR_FIELDS = {"error_code", "message", "trace_id", "detail"}
CODES_OF_STATUS = {
    400: {"validation_error", "bad_request", "last_administrator"},
    401: {"unauthorized"},
    403: {"forbidden"},
    404: {"not_found"},
    405: {"method_not_allowed"},
    413: {"request_too_large"},
    429: {"too_many_requests"},
    500: {"internal_error"},
}
# Where the client takes the key from: (in the header, in the query), as `Configuration` is told.
WAYS = {
    "Apikey": ("Apikey", False),
    "apikey": ("apikey", False),
    "APIKEY": ("APIKEY", False),
    "bare": ("", False),
    "query": (None, True),
    "both": ("Apikey", True),
    # As in the vendor's sample program.
    "both, bare": ("", True),
}


def connect(base: str, key: str | None, way: str = "Apikey") -> opendatasoft_automation.ApiClient:
    prefix, in_query = WAYS[way]
    configuration = Configuration(host=base)
    if key is not None and prefix is not None:
        configuration.api_key["HeaderAPIKey"] = key
        if prefix:
            configuration.api_key_prefix["HeaderAPIKey"] = prefix
    if key is not None and in_query:
        configuration.api_key["QueryAPIKey"] = key
    return opendatasoft_automation.ApiClient(configuration)


def unique(prefix: str = "u") -> str:
    """One word in lower case, that nothing else contains."""
    return f"{prefix}{uuid.uuid4().hex[:16]}"


def email(word: str | None = None) -> str:
    return f"{word or unique()}@example.com"


def in_groups(*uids: str) -> UserGroups:
    return UserGroups([UserGroupsOneOfInner(uid=uid) for uid in uids])


def uids(user: User) -> set[str]:
    """Of the user's groups. The client holds them in an object of its own."""
    return {group.uid for group in user.groups.actual_instance} if user.groups else set()


class Ods:
    """One API key of one server, with the three APIs ready to use; the demo's key if none is given."""

    def __init__(self, server: Throng, key: str | None = None, base: str | None = None, way: str = "Apikey") -> None:
        settings = server.ready["opendatasoft"]
        self.server = server
        self.base: str = base or settings["base"]
        self.key: str = settings["api_key"] if key is None else key
        client = connect(self.base, self.key or None, way)
        self.users = UsersApi(client)
        self.groups = UserGroupsApi(client)
        self.keys = APIKeysApi(client)

    def with_key(self, key: str) -> Ods:
        return Ods(self.server, key, self.base)

    def raw(self, method: str, path: str, body: Any = None, **headers: str | None) -> web.Answer:
        """A request that the client would not send. `body` is bytes, or is sent as JSON; a header of None is left out."""
        named: dict[str, str | None] = {"Authorization": f"Apikey {self.key}", "Content-Type": None if body is None else JSON}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        return web.request(method, self.base + path, headers={name: value for name, value in named.items() if value is not None}, body=content)

    def json(self, method: str, path: str, body: Any = None) -> Any:
        """The same, with an answer that must be JSON and a success."""
        answer = self.raw(method, path, body)
        assert 200 <= answer.status < 300, f"{method} {path} answered {answer.status}: {answer.text}"
        assert answer.media_type == JSON, answer.headers
        return answer.json

    def invite(self, *users: User) -> list[User]:
        """Invites people of whom each must be taken, and returns them in the order given."""
        answer = self.users.invite_users(list(users))
        assert set(answer) == {str(number) for number in range(len(users))}
        assert all(item.status_code == "success" for item in answer.values()), answer
        return [answer[str(number)].data for number in range(len(users))]

    def person(self, word: str | None = None, **fields: Any) -> User:
        """One invited person."""
        return self.invite(User(email=email(word), **fields))[0]

    def group(self, title: str | None = None, **fields: Any) -> UserGroup:
        # The model demands a uid, although it is the server's to make and the client does not send it.
        return self.groups.create_user_group(UserGroup(uid="", title=title or unique("group"), **fields))

    def total(self) -> tuple[int, int, int]:
        """How many users, groups and keys there are."""
        return (
            self.users.get_users(limit=0).total_count,
            self.groups.list_user_groups(limit=0).total_count,
            self.keys.get_apikeys(limit=0).total_count,
        )

    def exists(self, username: str) -> bool:
        try:
            return self.users.get_user(username).username == username
        except ApiException as error:
            assert error.status == 404, error
            return False


def page_after(next_url: str) -> dict[str, float]:
    """As the vendor's example program finds the next page: `limit` and `offset` from the query of `next`."""
    query = parse_qs(urlsplit(next_url).query, strict_parsing=True)
    return {name: float(query[name][0]) for name in ("limit", "offset")}


def path_of(url: str, base: str) -> str:
    """What comes after the base, of an absolute URL that the server made."""
    assert url.startswith(f"{base}/"), f"{url} is not below {base}"
    return url.removeprefix(base)


def user_path(username: str) -> str:
    return f"/users/{quote(username, safe='')}/"


@dataclass(frozen=True)
class Target:
    """What an operation is aimed at; what it does not take is ignored, so that one story can be told about all of them."""

    username: str
    email: str
    group: str
    key: str


NOWHERE = Target("nobody-of-this-name", "nobody@example.com", "no_such_group", "no_such_key")

Call = Callable[[Ods, Target], Any]
OPERATIONS: dict[str, Call] = {
    "get_users": lambda ods, target: ods.users.get_users(limit=1),
    "get_user": lambda ods, target: ods.users.get_user(target.username),
    "update_user": lambda ods, target: ods.users.update_user(target.username, User(email=target.email, first_name="Changed")),
    "delete_user": lambda ods, target: ods.users.delete_user(target.username),
    "invite_users": lambda ods, target: ods.users.invite_users([User(email=email())]),
    "provision_users": lambda ods, target: ods.users.provision_users(
        ProvisionUsersRequest(email=email(), identity_provider=ProvisionUsersRequestAllOfIdentityProvider(uid="none"))
    ),
    "users_export": lambda ods, target: ods.users.users_export(),
    "list_user_groups": lambda ods, target: ods.groups.list_user_groups(limit=1),
    "create_user_group": lambda ods, target: ods.group(),
    "retrieve_user_group": lambda ods, target: ods.groups.retrieve_user_group(target.group),
    "update_user_group": lambda ods, target: ods.groups.update_user_group(target.group, UserGroup(uid="", title="Changed")),
    "delete_user_group": lambda ods, target: ods.groups.delete_user_group(target.group),
    "list_users_of_a_user_group": lambda ods, target: ods.groups.list_users_of_a_user_group(target.group),
    "add_user_to_user_group": lambda ods, target: ods.groups.add_user_to_user_group(target.group, RelatedUser(username=target.username)),
    "batch_add_users_to_user_group": lambda ods, target: ods.groups.batch_add_users_to_user_group(target.group, [RelatedUser(username=target.username)]),
    "delete_user_of_a_user_group": lambda ods, target: ods.groups.delete_user_of_a_user_group(target.group, target.username),
    "get_apikeys": lambda ods, target: ods.keys.get_apikeys(limit=1),
    "post_apikeys": lambda ods, target: ods.keys.post_apikeys(APIKey(label=unique("key"), permissions=["edit_domain"])),
    "get_apikey": lambda ods, target: ods.keys.get_apikey(target.key),
    "put_apikeys_apikey_uid": lambda ods, target: ods.keys.put_apikeys_apikey_uid(target.key, APIKey(label="Changed")),
    "post_apikeys_apikey_uid_revoke": lambda ods, target: ods.keys.post_apikeys_apikey_uid_revoke(
        target.key, PostApikeysApikeyUidRevokeRequest(reason="a test")
    ),
    "search_apikey": lambda ods, target: ods.keys.search_apikey(SearchApikeyRequest(key=target.key)),
}
USER_OPERATIONS = ("get_user", "update_user", "delete_user")
GROUP_OPERATIONS = (
    "retrieve_user_group",
    "update_user_group",
    "delete_user_group",
    "list_users_of_a_user_group",
    "add_user_to_user_group",
    "batch_add_users_to_user_group",
    "delete_user_of_a_user_group",
)
KEY_OPERATIONS = ("get_apikey", "put_apikeys_apikey_uid", "post_apikeys_apikey_uid_revoke")


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


def assert_error(body: str | bytes, status: int, code: str | None = None, field: str | None = None) -> dict[str, Any]:
    """That a body is the vendor's documented error shape, with a code that fits the status; returns it."""
    document = json.loads(body)
    assert isinstance(document, dict), f"an error is a JSON object, not {document!r}"
    assert {"error_code", "message"} <= set(document) <= ERROR_FIELDS, f"not the vendor's fields: {document!r}"
    assert isinstance(document["message"], str) and document["message"], document
    assert document["error_code"] in CODES_OF_STATUS[status], f"{document['error_code']} with status {status}: {document!r}"
    assert code is None or document["error_code"] == code, f"not {code}: {document!r}"
    if document["error_code"] == "validation_error":
        detail = document["detail"]
        assert isinstance(detail, dict) and detail, f"the detail is required: {document!r}"
        assert all(isinstance(texts, list) and texts and all(isinstance(text, str) and text for text in texts) for texts in detail.values()), detail
        assert field is None or field in detail, f"nothing about {field}: {document!r}"
    if document["error_code"] == "not_found":
        assert document["message"] == "Not found."
    if "trace_id" in document or document["error_code"] == "internal_error":
        assert uuid.UUID(document["trace_id"])
    return document


def assert_refused(answer: web.Answer, status: int = 400, code: str | None = None, field: str | None = None) -> None:
    assert answer.status == status, f"{answer.status} instead of {status}: {answer.text[:500]}"
    assert answer.media_type == JSON, answer.headers
    # With it, the client's urllib3 would sleep and repeat the request by itself (413, 429 and 503).
    assert "retry-after" not in answer.headers
    assert_error(answer.body, status, code, field)


@contextmanager
def refused(status: int, code: str | None = None, field: str | None = None) -> Iterator[pytest.ExceptionInfo[ApiException]]:
    """That the client raises its exception for this status, with a body that it could read as its documented error."""
    with pytest.raises(ApiException) as caught:
        yield caught
    assert caught.value.status == status, f"{caught.value.status} instead of {status}: {caught.value.body!r}"
    assert caught.value.data is not None, f"the client cannot read this error: {caught.value.body!r}"
    assert_error(caught.value.body, status, code, field)


BULK_CODES = {"already-member", "invalid-email", "forbidden-email", "validation_error", "unknown-group", "unknown-identity-provider"}


def outcomes(answer: Any) -> list[str]:
    """Of a bulk answer in JSON, in the order of the request: "success" or the error's code."""
    assert isinstance(answer, dict), f"a bulk answer is an object, not {answer!r}"
    assert set(answer) == {str(number) for number in range(len(answer))}, list(answer)
    found = []
    for number in range(len(answer)):
        item = answer[str(number)]
        if item["status_code"] == "success":
            assert set(item) == {"status_code", "data"} and "@" in item["data"]["email"], item
            found.append("success")
        else:
            assert item["status_code"] == "error" and set(item) == {"status_code", "error"}, item
            assert set(item["error"]) == {"error_code", "message"} and item["error"]["message"], item
            assert item["error"]["error_code"] in BULK_CODES, item
            found.append(item["error"]["error_code"])
    return found


def names(users: Sequence[User]) -> list[str]:
    return [user.username for user in users]


def slug_like(uid: str) -> bool:
    return re.fullmatch(r"[a-z0-9]+([_-][a-z0-9]+)*", uid) is not None
