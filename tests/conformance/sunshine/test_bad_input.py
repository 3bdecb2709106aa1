"""Bad input: the vendor's code and body for each, and nothing stored. What is particular to one resource is in its own file."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from support import web
from sunshine.app import JSON, NOWHERE, SETTINGS, App, assert_refused, client_create, part, text, unique
from sunshine.clients import PYTHON_17, Client
from sunshine.operations import HOOK, cells

# As the vendor has it, counted as 1,024 each.
BODY_BYTES_MAX = 100 * 1024
NO_CLIENT = pytest.mark.conformance(operation="create_client", status=400)
NO_USER = pytest.mark.conformance(operation="create_user", status=400)
NO_UPDATE = pytest.mark.conformance(operation="update_user", status=400)


@pytest.fixture(scope="module")
def twilio(app: App) -> dict[str, Any]:
    return app.integration("twilio")


@pytest.fixture(scope="module")
def mailgun(app: App) -> dict[str, Any]:
    return app.integration("mailgun")


def without(body: dict[str, Any], *path: str) -> dict[str, Any]:
    """The body less one member."""
    return set_at(body, path, None, delete=True)


def set_at(body: dict[str, Any], path: tuple[str, ...], value: Any, *, delete: bool = False) -> dict[str, Any]:
    copy = json.loads(json.dumps(body))
    inner = copy
    for name in path[:-1]:
        inner = inner.setdefault(name, {})
    if delete:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return copy


def change(*path: str, to: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda body: set_at(body, path, to)


def drop(*path: str) -> Callable[[dict[str, Any]], Any]:
    return lambda body: without(body, *path)


def message(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return change("confirmation", "message", to={**text(), **changes})


PHONE, ADDRESS = ("matchCriteria", "phoneNumber"), ("matchCriteria", "address")
# What is wrong, and a word that the title has.
LINKS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "nothing": (lambda _: {}, "matchCriteria"),
    "a list": (lambda body: [body], "object"),
    "a text": (lambda _: "x", "object"),
    "null": (lambda _: None, "object"),
    "no criteria": (drop("matchCriteria"), "matchCriteria"),
    "criteria that are null": (change("matchCriteria", to=None), "matchCriteria must be an object, not null"),
    "criteria that are a text": (change("matchCriteria", to="x"), "matchCriteria"),
    "criteria in a list": (lambda body: set_at(body, ("matchCriteria",), [body["matchCriteria"]]), "matchCriteria"),
    "no type": (drop("matchCriteria", "type"), "matchCriteria.type"),
    "an unknown type": (change("matchCriteria", "type", to="carrier-pigeon"), "matchCriteria.type"),
    "a type of version 1": (change("matchCriteria", "type", to="messenger"), "matchCriteria.type"),
    "the type custom": (change("matchCriteria", "type", to="custom"), "matchCriteria.type"),
    "the type sdk": (change("matchCriteria", "type", to="sdk"), "matchCriteria.type"),
    "a type that is null": (change("matchCriteria", "type", to=None), "matchCriteria.type"),
    "no integration": (drop("matchCriteria", "integrationId"), "matchCriteria.integrationId"),
    "an integration that is a number": (change("matchCriteria", "integrationId", to=7), "matchCriteria.integrationId"),
    "no number": (drop(*PHONE), "matchCriteria.phoneNumber"),
    "a number that is null": (change(*PHONE, to=None), "matchCriteria.phoneNumber"),
    "a number that is a number": (change(*PHONE, to=12125552368), "matchCriteria.phoneNumber"),
    "a number without +": (change(*PHONE, to="1 212 555 2368"), "+"),
    "a number without a country": (change(*PHONE, to="212 555 2368"), "+"),
    "a number with letters": (change(*PHONE, to="+1 212 555 CALL"), ""),
    "a number of nothing": (change(*PHONE, to="+"), ""),
    "an empty number": (change(*PHONE, to=""), "matchCriteria.phoneNumber"),
    "a number too short": (change(*PHONE, to="+12"), ""),
    "a number too long": (change(*PHONE, to="+1212555236812345678"), ""),
    "a number with a line break": (change(*PHONE, to="+1212555\n2368"), ""),
    "two numbers": (change(*PHONE, to="+12125552368,+12125552369"), ""),
    "a mail's address for a number": (lambda body: change(*ADDRESS, to="a@example.org")(without(body, *PHONE)), "matchCriteria.phoneNumber"),
    "primary that is a text": (change("matchCriteria", "primary", to="false"), "matchCriteria.primary"),
    "no confirmation": (drop("confirmation"), "confirmation"),
    "a confirmation that is null": (change("confirmation", to=None), "confirmation"),
    "a confirmation of no type": (change("confirmation", to={}), "confirmation.type"),
    "a confirmation of another type": (change("confirmation", "type", to="telepathy"), "confirmation.type"),
    "no target": (drop("target"), "target"),
    "a target that is null": (change("target", to=None), "target"),
    "a target of nothing": (change("target", to={}), "target.conversationId"),
    "a target that is a number": (change("target", "conversationId", to=7), "target.conversationId"),
    "a message of a user": (message(author={"type": "user", "userId": NOWHERE}), "author.type"),
    "a message of a robot": (message(author={"type": "robot"}), "author.type"),
    "a message of nobody": (message(author=None), "author"),
    "a message of nothing": (message(content=None), "content"),
    "a message of another type": (message(content={"type": "file", "mediaUrl": "https://example.org/a.pdf"}), "content.type"),
    "a carousel": (message(content={"type": "carousel", "items": []}), "content.type"),
    "a message with a button": (message(content={"type": "text", "text": "x", "actions": [{"type": "reply", "text": "Yes", "payload": "y"}]}), "actions"),
    "a message too long": (message(content={"type": "text", "text": "x" * 4097}), "content.text"),
    "an empty message": (message(content={"type": "text", "text": ""}), "content.text"),
    "an image at no URL": (message(content={"type": "image", "mediaUrl": "x"}), ""),
    "metadata nested": (message(metadata={"a": {"b": 1}}), "metadata"),
    "metadata in a list": (message(metadata={"a": [1, 2]}), "metadata"),
    "metadata over 4 KB": (message(metadata={"a": "x" * 4096}), "metadata"),
    "a name with a line break": (message(author={"type": "business", "displayName": "Steve\r\nBcc: everybody@example.org"}), ""),
    "a name too long": (message(author={"type": "business", "displayName": "x" * 100_000}), ""),
    "a picture of 2,049": (message(author={"type": "business", "avatarUrl": "https://example.org/" + "x" * 2029}), "avatarUrl"),
}
MAILS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "no address": (drop(*ADDRESS), "matchCriteria.address"),
    "an address that is none": (change(*ADDRESS, to="steveb"), ""),
    "an empty address": (change(*ADDRESS, to=""), "matchCriteria.address"),
    "an address with a line break": (change(*ADDRESS, to="a@example.org\r\nBcc: b@example.org"), ""),
    "two addresses": (change(*ADDRESS, to="a@example.org, b@example.org"), ""),
    "a number for an address": (change(*ADDRESS, to="+12125552368"), ""),
    "an address too long": (change(*ADDRESS, to="x" * 300 + "@example.org"), "matchCriteria.address"),
    "a subject with a line break": (change("matchCriteria", "subject", to="Hi\r\nBcc: b@example.org"), "subject"),
    "a subject too long": (change("matchCriteria", "subject", to="x" * 256), "subject"),
    "a subject that is a number": (change("matchCriteria", "subject", to=7), "subject"),
}


def link_is_refused(app: App, integration: dict[str, Any], make: Callable[[dict[str, Any]], Any], word: str) -> None:
    user, conversation = app.users_conversation()
    body = make(client_create(integration, conversation, "immediate"))
    answer = app.send("POST", f"/users/{user['id']}/clients", raw=json.dumps(body).encode())
    assert_refused(answer, 400, "bad_request", word)
    assert app.clients(user["id"]) == []
    assert app.json("GET", f"/conversations/{conversation['id']}/messages")["messages"] == []


@NO_CLIENT
@cells(200, "list_clients")
@pytest.mark.parametrize("what", LINKS)
def test_what_is_no_link(app: App, twilio: dict[str, Any], what: str) -> None:
    link_is_refused(app, twilio, *LINKS[what])


@NO_CLIENT
@cells(200, "list_clients")
@pytest.mark.parametrize("what", MAILS)
def test_what_is_no_link_by_mail(app: App, mailgun: dict[str, Any], what: str) -> None:
    link_is_refused(app, mailgun, *MAILS[what])


@NO_CLIENT
@pytest.mark.parametrize("number", ["1 212 555 2368", "212 555 2368", "+1 212 555 CALL"])
def test_clients_are_told(client: Client, app: App, twilio: dict[str, Any], number: str) -> None:
    """As version 17 raises it, with the vendor's own class for a bad request."""
    user, conversation = app.users_conversation()
    answer = client.answer("create_client", user["id"], client_create(twilio, conversation, phoneNumber=number))
    assert_refused(answer, 400, "bad_request")
    if client.name == PYTHON_17:
        assert answer.exception == "BadRequestException"
    assert client.call("list_clients", user["id"])["clients"] == []


@NO_CLIENT
def test_everything_that_is_wrong_is_told_at_once(app: App) -> None:
    user = app.user()
    body = {"matchCriteria": {"type": "twilio"}, "confirmation": {"type": "x", "message": {"author": {"type": "user"}, "content": {}}}}
    answer = app.send("POST", f"/users/{user['id']}/clients", body)
    assert_refused(answer, 400, "bad_request", "matchCriteria.integrationId", "matchCriteria.phoneNumber", "confirmation.type", "author.type", "target")
    assert len(answer.json["errors"]) > 4


USERS: dict[str, Any] = {
    "nothing": {},
    "no external id": {"profile": {"givenName": "x"}},
    "an external id that is null": {"externalId": None},
    "an external id that is a number": {"externalId": 7},
    "an empty external id": {"externalId": ""},
    "an external id of 1,025": {"externalId": "x" * 1025},
    "an external id with a NUL": {"externalId": "a\0b"},
    "a list": [{"externalId": "x"}],
}
FIELDS: dict[str, Any] = {
    "a time that is none": {"signedUpAt": "yesterday"},
    "a time that is a number": {"signedUpAt": 1738609808152},
    "a profile that is a text": {"profile": "x"},
    "a profile that is a list": {"profile": []},
    "an empty name": {"profile": {"givenName": ""}},
    "a name of 129": {"profile": {"givenName": "x" * 129}},
    "a surname of 129": {"profile": {"surname": "x" * 129}},
    "an e-mail of 129": {"profile": {"email": "x" * 117 + "@example.org"}},
    "a picture of 2,049": {"profile": {"avatarUrl": "https://example.org/" + "x" * 2029}},
    "a locale of 65": {"profile": {"locale": "x" * 65}},
    "a name that is a number": {"profile": {"givenName": 7}},
    "a name with a NUL": {"profile": {"givenName": "a\0b"}},
    "metadata that is a text": {"metadata": "x"},
    "metadata that is a list": {"metadata": [1]},
    "metadata nested": {"metadata": {"a": {"b": 1}}},
    "metadata in a list": {"metadata": {"a": [1]}},
    "metadata over 4 KB": {"metadata": {"a": "x" * 4089}},
    "metadata of a long name": {"metadata": {"x" * 4092: 1}},
    "metadata with a NUL": {"metadata": {"a": "\0"}},
    "a flag that is a text": {"toBeRetained": "yes"},
}


def user_is_refused(app: App, body: Any) -> None:
    assert_refused(app.send("POST", "/users", body), 400, "bad_request")
    name = body.get("externalId") if isinstance(body, dict) else None
    if isinstance(name, str) and name.isprintable() and name:
        assert app.send("GET", f"/users/{part(name)}").status == 404


@NO_USER
@cells(404, "get_user")
@pytest.mark.parametrize("what", USERS)
def test_what_is_no_user(app: App, what: str) -> None:
    user_is_refused(app, USERS[what])


@NO_USER
@NO_UPDATE
@cells(404, "get_user")
@cells(200, "get_user")
@pytest.mark.parametrize("what", FIELDS)
def test_what_a_user_cannot_have(app: App, what: str) -> None:
    """Neither a new one nor one that is changed: not even the fields beside it are."""
    user_is_refused(app, {"externalId": unique(), **FIELDS[what]})
    user = app.user(profile={"givenName": "Ann", "surname": "Lee"}, metadata={"a": 1})
    body = json.loads(json.dumps(FIELDS[what]))
    if isinstance(body.get("profile"), dict):
        body["profile"] = {"locale": "de", **body["profile"]}
    assert_refused(app.send("PATCH", f"/users/{user['id']}", body), 400, "bad_request")
    assert app.json("GET", f"/users/{user['id']}")["user"] == user


@cells(201, "create_user")
@NO_UPDATE
@cells(200, "update_user")
def test_metadata_up_to_4_kb(app: App) -> None:
    """And with what is there already."""
    full = {"a": "x" * (4096 - len('{"a":""}'))}
    user = app.user(metadata=full)
    assert user["metadata"] == full
    assert_refused(app.send("PATCH", f"/users/{user['id']}", {"metadata": {"b": 1}}), 400, "bad_request", "metadata")
    assert app.json("GET", f"/users/{user['id']}")["user"]["metadata"] == full
    assert app.json("PATCH", f"/users/{user['id']}", {"metadata": {"a": None, "b": 1}})["user"]["metadata"] == {"b": 1}


CONVERSATIONS: dict[str, Any] = {
    "nothing": {},
    "no type": {"participants": []},
    "another type": {"type": "group"},
    "a type that is null": {"type": None},
    "participants that are one": {"type": "sdkGroup", "participants": {"userId": NOWHERE}},
    "participants that are texts": {"type": "sdkGroup", "participants": [NOWHERE]},
    "a participant of no name": {"type": "personal", "participants": [{}]},
    "a participant of two names": {"type": "personal", "participants": [{"userId": NOWHERE, "userExternalId": "x"}]},
    "an empty name": {"type": "sdkGroup", "displayName": ""},
    "a name of 101": {"type": "sdkGroup", "displayName": "x" * 101},
    "a description of 101": {"type": "sdkGroup", "description": "x" * 101},
    "a picture of 2,049": {"type": "sdkGroup", "iconUrl": "https://example.org/" + "x" * 2029},
    "metadata nested": {"type": "sdkGroup", "metadata": {"a": {"b": 1}}},
    "metadata over 4 KB": {"type": "sdkGroup", "metadata": {"a": "x" * 4089}},
}


@cells(400, "create_conversation")
@cells(200, "list_conversations")
@pytest.mark.parametrize("what", CONVERSATIONS)
def test_what_is_no_conversation(app: App, what: str) -> None:
    """Whoever else is named in it is in none afterwards."""
    user = app.user()
    body = CONVERSATIONS[what]
    if what.startswith(("an ", "a name", "a desc", "a pict", "metadata", "another")):
        body = {**body, "participants": [{"userId": user["id"], "subscribeSDKClient": False}]}
    assert_refused(app.send("POST", "/conversations", body), 400, "bad_request")
    assert app.json("GET", f"/conversations?filter[userId]={user['id']}")["conversations"] == []


NOT_JSON = {
    "nothing": b"",
    "a brace": b"{",
    "two objects": b"{}{}",
    "trailing words": b'{"externalId":"x"} and more',
    "single quotes": b"{'externalId':'x'}",
    "a comma": b'{"externalId":"x",}',
    "not UTF-8": b'{"externalId":"\xff"}',
    "half a surrogate": b'{"externalId":"\\ud800"}',
    "a byte order mark": b'\xef\xbb\xbf{"externalId":"x"}',
    "NaN": b'{"externalId":"x","metadata":{"a":NaN}}',
    "nested too deep": b'{"a":' * 5000,
    "a form": b"externalId=x",
}


@cells(400, "create_user", "create_client", "create_conversation", "create_app_key", "post_message", "update_user", "create_webhook", "create_integration", "update_conversation", "post_activity")
@pytest.mark.parametrize("what", NOT_JSON)
def test_what_is_no_json(app: App, what: str) -> None:
    user, conversation = app.users_conversation()
    one = f"/conversations/{conversation['id']}"
    paths = (
        ("POST", "/users"), ("PATCH", f"/users/{user['id']}"), ("POST", f"/users/{user['id']}/clients"), ("POST", "/conversations"), ("PATCH", one),
        ("POST", f"{one}/messages"), ("POST", f"{one}/activity"), ("POST", "/keys"), ("POST", "/integrations"), ("POST", "/integrations/me/webhooks"),
    )  # fmt: skip
    for method, path in paths:
        assert_refused(app.send(method, path, raw=NOT_JSON[what]), 400, "bad_request")
    assert app.json("GET", f"/users/{user['id']}")["user"] == user and app.json("GET", one)["conversation"] == conversation


@cells(201, "create_user")
def test_the_content_type_is_not_asked_for(app: App) -> None:
    """Version 9 sends one where there is no body; what else there is, is nobody's concern."""
    for kind in ("application/json", "application/json; charset=utf-8", "text/plain", None):
        headers = app.basic | ({"Content-Type": kind} if kind else {})
        assert app.send("POST", "/users", {"externalId": unique()}, headers=headers).status == 201
    assert app.send("GET", "", headers=app.basic | JSON).status == 200


LONG = ("create_user", "update_user", "create_client", "create_conversation", "update_conversation", "post_message", "create_integration")


@cells(413, *LONG)
@cells(200, "get_user", "list_messages")
def test_over_100_kb(client: Client, app: App, twilio: dict[str, Any]) -> None:
    """Told by each client, whatever is in it; nothing is stored."""
    user, conversation = app.users_conversation()
    filler = {"metadata": {"a": "x" * BODY_BYTES_MAX}}
    external_id = unique()
    linked = client_create(twilio, conversation)
    linked["confirmation"]["message"] = text(**filler)
    if client.name == PYTHON_17:
        # Its classes would not hold so long a name.
        integration = {"type": "twilio", **SETTINGS["twilio"], "accountSid": "A" * BODY_BYTES_MAX}
    else:
        integration = {"type": "twilio", **SETTINGS["twilio"], **filler}
    calls: dict[str, tuple[Any, ...]] = {
        "create_user": ({"externalId": external_id, **filler},),
        "update_user": (user["id"], filler),
        "create_client": (user["id"], linked),
        "create_conversation": ({"type": "personal", "participants": [{"userId": user["id"], "subscribeSDKClient": False}], **filler},),
        "update_conversation": (conversation["id"], filler),
        "post_message": (conversation["id"], text(**filler)),
        "create_integration": (integration,),
    }
    assert set(calls) == set(LONG)
    before = app.json("GET", "/integrations?page[size]=100")
    for operation, arguments in calls.items():
        answer = client.answer(operation, *arguments)
        assert answer.status == 413, (operation, answer)
        assert_refused(answer, 413, "payload_too_large", str(BODY_BYTES_MAX))
    assert app.send("GET", f"/users/{external_id}").status == 404
    assert app.json("GET", f"/users/{user['id']}")["user"] == user
    assert app.clients(user["id"]) == []
    assert app.json("GET", f"/conversations?filter[userId]={user['id']}")["conversations"] == [conversation]
    assert app.json("GET", f"/conversations/{conversation['id']}/messages")["messages"] == []
    assert app.json("GET", "/integrations?page[size]=100") == before


@cells(201, "create_user")
@cells(413, "create_user")
def test_exactly_100_kb(app: App) -> None:
    body = json.dumps({"externalId": unique(), "other": ""})
    fits = body.replace('""', '"' + "x" * (BODY_BYTES_MAX - len(body)) + '"').encode()
    assert len(fits) == BODY_BYTES_MAX
    assert app.send("POST", "/users", raw=fits).status == 201
    assert_refused(app.send("POST", "/users", raw=fits.replace(b"x", b"xx", 1)), 413, "payload_too_large")


ROUTES = [
    ("GET", "/nothing", 404), ("POST", "/users/x/y/z", 404), ("GET", "/users/x/clients/y/z", 404), ("GET", "/attachments", 404), ("POST", "/attachments?access=public", 404),
    ("GET", "/switchboards", 404), ("POST", "/conversations/x/passControl", 404), ("GET", "/users/x/devices", 404), ("POST", "/users/x/sync", 404),
    ("POST", "/conversations/x/download", 404), ("GET", "/clients", 404), ("GET", "/messages", 404), ("GET", "/Users/x", 404),
    ("PUT", "/users/x", 405), ("DELETE", "/users", 405), ("PATCH", "/users/x/clients", 405), ("GET", "/users/x/clients/y", 405), ("PUT", "/conversations/x", 405),
    ("GET", "/conversations/x/join", 405), ("GET", "/conversations/x/messages/y", 405), ("PATCH", "/keys/x", 405), ("POST", "/users/x", 405), ("GET", "/users", 405), ("GET", "/users/x/personalinformation", 405),
]  # fmt: skip


@cells(404, "get_user")
@pytest.mark.parametrize(("method", "path", "status"), ROUTES)
def test_there_is_no_such_route(app: App, method: str, path: str, status: int) -> None:
    answer = app.send(method, path, {} if method in ("POST", "PUT", "PATCH") else None)
    assert_refused(answer, status, "not_found" if status == 404 else "method_not_allowed")
    assert ("allow" in answer.headers) == (status == 405)
    assert answer.media_type == "application/json"


@cells(404, "get_user")
@pytest.mark.parametrize("path", ["/", "/v1", "/v1/apps", "/v2", "/v3/apps", "/oauth/token", "/v2/tokenInfo", "/v2/app", "/x"])
def test_there_is_nothing_beside_the_apps(app: App, path: str) -> None:
    answer = web.request("GET", app.base + path, headers=app.basic)
    assert_refused(answer, 404, "not_found")


@cells(404, "get_user", "get_conversation")
@pytest.mark.parametrize("name", ["%ff", "%00", "%", "%zz", "..", "%2e%2e", "%2F", "x" * 5000, "%0d%0aX-Header:%201", "{user}", "%C0%AF"], ids=range(11))
def test_paths_of_odd_bytes(app: App, name: str) -> None:
    """Refused as one that is not there or cannot be read; never as an error of the server."""
    for path in (f"/users/{name}", f"/users/{name}/clients", f"/conversations/{name}"):
        answer = app.send("GET", path)
        assert answer.status in (400, 404, 405, 414, 431), (answer.status, answer.text)
        assert "x-header" not in answer.headers


@cells(200, "get_user", "list_clients")
@cells(404, "get_user")
def test_a_slash_is_part_of_a_name_only_where_it_is_encoded(app: App) -> None:
    name = f"{unique()}/clients"
    user = app.json("POST", "/users", {"externalId": name}, 201)["user"]
    assert app.json("GET", f"/users/{part(name)}")["user"]["id"] == user["id"]
    assert app.json("GET", f"/users/{part(name)}/clients")["clients"] == []
    assert app.send("GET", f"/users/{name}").status == 404


@cells(400, "create_user")
def test_what_is_told_says_no_more_than_it_must(app: App) -> None:
    """Neither what is in the server nor what was sent."""
    secret = unique("canary")
    answer = app.send("POST", "/users", {"externalId": unique(), "profile": {"givenName": secret * 20}})
    assert_refused(answer, 400, "bad_request", "profile.givenName")
    assert secret not in answer.text
    for word in ("panicked", ".rs", "sql", "0x"):
        assert word not in answer.text.lower()


@cells(201, "create_user", "create_integration", "create_webhook")
def test_what_nobody_knows_is_left_alone(app: App) -> None:
    """Fields that the vendor may add."""
    extra = {"future": {"deeply": [{"nested": True}]}}
    user = app.user(**extra, profile={"givenName": "Ann", "localeOrigin": "api"})
    assert "future" not in user and user["profile"] == {"givenName": "Ann"}
    app.integration("twilio", **extra)
    custom = app.integration("custom")
    app.json("POST", f"/integrations/{custom['id']}/webhooks", {**HOOK, **extra}, 201)
