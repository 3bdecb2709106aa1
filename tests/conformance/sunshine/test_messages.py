"""Messages: posted by the business and by users, listed, deleted one by one and all."""

from __future__ import annotations

from typing import Any

import pytest

from sunshine.app import ID, NOWHERE, TIME, App, assert_refused, text
from sunshine.clients import NODE, PYTHON_17, Client, from_dict, model, wrapped
from sunshine.operations import cells

POST = pytest.mark.conformance(operation="post_message", status=201)
REFUSED = pytest.mark.conformance(operation="post_message", status=400)
LIST = pytest.mark.conformance(operation="list_messages", status=200)
DELETE = pytest.mark.conformance(operation="delete_message", status=200)
DELETE_ALL = pytest.mark.conformance(operation="delete_all_messages", status=200)

LINK = {"type": "link", "text": "Go", "uri": "https://example.org/"}
CONTENTS: dict[str, dict[str, Any]] = {
    "text": {"type": "text", "text": "Hello, Wörld! 👋\nSecond line"},
    "text with a link": {"type": "text", "text": "Hello", "actions": [LINK]},
    "the longest text": {"type": "text", "text": "x" * 4096},
    "image": {"type": "image", "mediaUrl": "https://example.org/a.png"},
    "image with words": {"type": "image", "mediaUrl": "https://example.org/a.png", "altText": "A", "text": "Look", "actions": [LINK]},
}


def messages(app: App, conversation: dict[str, Any]) -> list[dict[str, Any]]:
    return app.json("GET", f"/conversations/{conversation['id']}/messages?page[size]=100")["messages"]


def reduced(content: Any) -> Any:
    """What was said, without what a client fills in for what is not there."""
    if isinstance(content, dict):
        return {name: reduced(value) for name, value in content.items() if value is not None and name not in {"default", "extraChannelOptions"}}
    return [reduced(item) for item in content] if isinstance(content, list) else content


@POST
@LIST
@pytest.mark.parametrize("kind", CONTENTS)
@pytest.mark.parametrize("author", ["business", "userId", "userExternalId"])
def test_posted_and_listed(client: Client, app: App, kind: str, author: str) -> None:
    user, conversation = app.users_conversation()
    who: dict[str, Any] = {"type": "business", "displayName": "Steve", "avatarUrl": "https://example.org/steve.png"}
    if author != "business":
        who = {"type": "user", author: user["id"] if author == "userId" else user["externalId"]}
    body = {"author": who, "content": CONTENTS[kind], "metadata": {"a": "one", "b": 2, "c": True}}
    (posted,) = client.call("post_message", conversation["id"], body)["messages"]
    assert ID.fullmatch(posted["id"])
    assert reduced(posted["content"]) == reduced(CONTENTS[kind]) or client.name == "python-9.15.0"
    listed = client.call("list_messages", conversation["id"])
    assert [it["id"] for it in listed["messages"]] == [posted["id"]]
    (raw,) = messages(app, conversation)
    assert TIME.fullmatch(raw["received"]) and raw["source"]["type"] and raw["metadata"] == body["metadata"]
    assert reduced(raw["content"]) == CONTENTS[kind]
    if author == "business":
        assert raw["author"] == who
    else:
        assert raw["author"] == {"type": "user", "userId": user["id"], "userExternalId": user["externalId"]}


@POST
def test_as_classes(client: Client, app: App) -> None:
    _, conversation = app.users_conversation()
    content = model("TextMessage", type="text", text="Hello!")
    if client.name == NODE:
        body = from_dict("MessagePost", text())
    else:
        content = wrapped("Content", content) if client.name == PYTHON_17 else content
        body = model("MessagePost", author=model("Author", type="business"), content=content)
    client.call("post_message", conversation["id"], body)
    assert [it["content"] for it in messages(app, conversation)] == [{"type": "text", "text": "Hello!"}]


@POST
@LIST
@cells(200, "get_conversation")
def test_a_message_moves_the_conversation(client: Client, app: App) -> None:
    """Oldest first in the list; the conversation has the time of the last."""
    user, conversation = app.users_conversation()
    assert app.json("GET", f"/conversations/{conversation['id']}")["conversation"].get("lastUpdatedAt") is None
    for number in range(3):
        client.call("post_message", conversation["id"], text(str(number)))
    listed = client.call("list_messages", conversation["id"])["messages"]
    assert [it["content"]["text"] for it in listed] == ["0", "1", "2"]
    raw = app.json("GET", f"/conversations/{conversation['id']}")["conversation"]
    assert raw["lastUpdatedAt"] == messages(app, conversation)[-1]["received"]


@DELETE
@LIST
@cells(404, "delete_message")
def test_one_deleted(client: Client, app: App) -> None:
    (_, conversation), (_, other) = app.users_conversation(), app.users_conversation()
    first, second = (app.json("POST", f"/conversations/{conversation['id']}/messages", text(str(number)), 201)["messages"][0] for number in range(2))
    # Not by the path of another conversation.
    assert_refused(client.answer("delete_message", other["id"], first["id"]), 404, "not_found")
    assert client.call("delete_message", conversation["id"], first["id"]) == {}
    assert [it["id"] for it in client.call("list_messages", conversation["id"])["messages"]] == [second["id"]]
    for nothing in (first["id"], NOWHERE, "x", conversation["id"]):
        assert_refused(client.answer("delete_message", conversation["id"], nothing), 404, "not_found", "Message not found")


@DELETE_ALL
@LIST
@POST
def test_all_deleted(client: Client, app: App) -> None:
    user, conversation = app.users_conversation()
    other = app.conversation(user)
    for one in (conversation, conversation, other):
        client.call("post_message", one["id"], text())
    assert client.call("delete_all_messages", conversation["id"]) == {}
    assert client.call("list_messages", conversation["id"])["messages"] == []
    assert client.call("delete_all_messages", conversation["id"]) == {}
    assert len(client.call("list_messages", other["id"])["messages"]) == 1
    client.call("post_message", conversation["id"], text("Again"))
    assert [it["content"]["text"] for it in client.call("list_messages", conversation["id"])["messages"]] == ["Again"]


BAD: dict[str, Any] = {
    "nothing": {},
    "no author": {"content": {"type": "text", "text": "x"}},
    "no content": {"author": {"type": "business"}},
    "content null": text() | {"content": None},
    "author null": text() | {"author": None},
    "an author of no type": text() | {"author": {}},
    "an author of another type": text() | {"author": {"type": "robot"}},
    "a user of no name": text() | {"author": {"type": "user"}},
    "a user of two names": text() | {"author": {"type": "user", "userId": NOWHERE, "userExternalId": "x"}},
    "no type": text() | {"content": {"text": "x"}},
    "another type": text() | {"content": {"type": "carousel", "items": []}},
    "no text": text() | {"content": {"type": "text"}},
    "an empty text": text(""),
    "a text too long": text("x" * 4097),
    "a text that is a number": text() | {"content": {"type": "text", "text": 7}},
    "an image of nothing": text() | {"content": {"type": "image"}},
    "an image at no URL": text() | {"content": {"type": "image", "mediaUrl": "a.png"}},
    "an image in the machine": text() | {"content": {"type": "image", "mediaUrl": "javascript:alert(1)"}},
    "an action of another type": text() | {"content": {"type": "text", "text": "x", "actions": [{"type": "postback", "text": "x", "payload": "y"}]}},
    "a link to nowhere": text() | {"content": {"type": "text", "text": "x", "actions": [{"type": "link", "text": "x"}]}},
    "eleven actions": text() | {"content": {"type": "text", "text": "x", "actions": [LINK] * 11}},
    "metadata nested": text(metadata={"a": {"b": 1}}),
    "metadata in a list": text(metadata={"a": [1]}),
    "metadata that is a list": text(metadata=[1]),
    "metadata too long": text(metadata={"a": "x" * 4096}),
    "a destination of nothing": text(destination={}),
    "a destination of two": text(destination={"integrationId": NOWHERE, "integrationType": "twilio"}),
    "a destination of no type": text(destination={"integrationType": "fax"}),
    "an override": text(override={"whatsapp": {}}),
    "a list": [],
    "a text alone": "x",
}


@REFUSED
@LIST
@pytest.mark.parametrize("what", BAD)
def test_what_is_no_message(app: App, what: str) -> None:
    _, conversation = app.users_conversation()
    assert_refused(app.send("POST", f"/conversations/{conversation['id']}/messages", BAD[what]), 400, "bad_request")
    assert messages(app, conversation) == []
    assert app.json("GET", f"/conversations/{conversation['id']}")["conversation"].get("lastUpdatedAt") is None


@cells(404, "post_message")
@LIST
def test_who_is_not_in_it_says_nothing(client: Client, app: App) -> None:
    _, conversation = app.users_conversation()
    for user, code, title in ((app.user()["id"], "not_found", "Participant not found"), (NOWHERE, "user_not_found", "User not found")):
        answer = client.answer("post_message", conversation["id"], {"author": {"type": "user", "userId": user}, "content": {"type": "text", "text": "x"}})
        assert_refused(answer, 404, code, title)
    assert messages(app, conversation) == []


@POST
def test_nulls_are_absences(app: App) -> None:
    """Version 17 writes them for what it has no value for."""
    _, conversation = app.users_conversation()
    body = {
        "author": {"type": "business", "userId": None, "displayName": None, "avatarUrl": None, "subtypes": None},
        "content": {"type": "text", "text": "x", "htmlText": None, "markdownText": None, "actions": None, "payload": None, "blockChatInput": None},
        "destination": None,
        "metadata": None,
        "override": None,
        "schema": None,
    }
    app.json("POST", f"/conversations/{conversation['id']}/messages", body, 201)
    assert [it["content"] for it in messages(app, conversation)] == [{"type": "text", "text": "x"}]
