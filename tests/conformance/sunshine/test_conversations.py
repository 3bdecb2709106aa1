"""Conversations and who takes part in them; what is noticed that is no message."""

from __future__ import annotations

from typing import Any

import pytest

from sunshine.app import ID, NOWHERE, TIME, App, assert_refused, text, unique
from sunshine.clients import NODE, PYTHON_9, Client, from_dict, model
from sunshine.operations import cells

CREATE = pytest.mark.conformance(operation="create_conversation", status=201)
GET = pytest.mark.conformance(operation="get_conversation", status=200)
LIST = pytest.mark.conformance(operation="list_conversations", status=200)
UPDATE = pytest.mark.conformance(operation="update_conversation", status=200)
DELETE = pytest.mark.conformance(operation="delete_conversation", status=200)
PARTICIPANTS = pytest.mark.conformance(operation="list_participants", status=200)
JOIN = pytest.mark.conformance(operation="join_conversation", status=201)
LEAVE = pytest.mark.conformance(operation="leave_conversation", status=200)
ACTIVITY = pytest.mark.conformance(operation="post_activity", status=200)

NAMED = {"displayName": "Order 1", "description": "Of Monday", "iconUrl": "https://example.org/icon.png", "metadata": {"a": "one", "b": 2, "c": True}}


def participants(app: App, conversation: dict[str, Any]) -> list[dict[str, Any]]:
    return app.json("GET", f"/conversations/{conversation['id']}/participants?page[size]=100")["participants"]


@CREATE
@GET
@PARTICIPANTS
@pytest.mark.parametrize("way", ["userId", "userExternalId"])
def test_a_personal_one(client: Client, app: App, way: str) -> None:
    """A user's first is the default one."""
    user = app.user()
    name = user["id"] if way == "userId" else user["externalId"]
    made = client.call("create_conversation", {"type": "personal", "participants": [{way: name, "subscribeSDKClient": False}], **NAMED})["conversation"]
    assert ID.fullmatch(made["id"])
    assert (made["type"], made["isDefault"]) == ("personal", True)
    assert {field: made[field] for field in NAMED} == NAMED
    got = client.call("get_conversation", made["id"])["conversation"]
    assert {field: got[field] for field in ("id", "type", "isDefault", *NAMED)} == {field: made[field] for field in ("id", "type", "isDefault", *NAMED)}
    raw = app.json("GET", f"/conversations/{made['id']}")["conversation"]
    assert TIME.fullmatch(raw["createdAt"]) and "" not in raw.values()
    (one,) = client.call("list_participants", made["id"])["participants"]
    assert (one["userId"], one["userExternalId"], one["unreadCount"]) == (user["id"], user["externalId"], 0)
    assert ID.fullmatch(one["id"]) and one["clientAssociations"] == []
    second = client.call("create_conversation", {"type": "personal", "participants": [{way: name, "subscribeSDKClient": False}]})["conversation"]
    assert second["isDefault"] is False


@CREATE
@PARTICIPANTS
def test_a_group(client: Client, app: App) -> None:
    """Ten at most, by either name; nobody at all is a group too."""
    users = [app.user() for _ in range(10)]
    named = [{"userId": it["id"], "subscribeSDKClient": False} if number % 2 else {"userExternalId": it["externalId"], "subscribeSDKClient": True} for number, it in enumerate(users)]
    made = client.call("create_conversation", {"type": "sdkGroup", "participants": named, "displayName": "Ten"})["conversation"]
    assert (made["type"], made["isDefault"]) == ("sdkGroup", False)
    listed = client.call("list_participants", made["id"])["participants"]
    assert {it["userId"] for it in listed} == {it["id"] for it in users} and len(listed) == 10
    empty = client.call("create_conversation", {"type": "sdkGroup", "displayName": "Nobody"})["conversation"]
    assert client.call("list_participants", empty["id"])["participants"] == []


@CREATE
def test_as_classes(client: Client, app: App) -> None:
    user = app.user()
    if client.name == NODE:
        body = from_dict("ConversationCreateBody", {"type": "personal", "participants": [{"userId": user["id"]}]})
    elif client.name == PYTHON_9:
        body = model("ConversationCreateBody", type="personal", participants=[model("ParticipantSubSchema", user_id=user["id"], subscribe_sdk_client=False)])
    else:
        one = {"$model": "ParticipantSubSchema", "wraps": model("ParticipantWithUserId", user_id=user["id"], subscribe_sdk_client=False)}
        body = model("ConversationCreateBody", type="personal", participants=[one])
    made = client.call("create_conversation", body)["conversation"]
    assert [it["userId"] for it in participants(app, made)] == [user["id"]]


@cells(404, "create_conversation", "list_conversations")
def test_of_nobody(client: Client) -> None:
    for named in ({"userId": NOWHERE}, {"userExternalId": unique()}):
        for kind in ("personal", "sdkGroup"):
            answer = client.answer("create_conversation", {"type": kind, "participants": [{**named, "subscribeSDKClient": False}]})
            assert_refused(answer, 404, "user_not_found", "User not found")
        assert_refused(client.answer("list_conversations", filter=named), 404, "user_not_found")


@cells(400, "create_conversation")
@LIST
def test_one_who_is_too_many_or_too_few(client: Client, app: App) -> None:
    """Exactly one in a personal one; eleven in none. Nothing is stored of it."""
    user = app.user()
    two = [{"userId": it["id"], "subscribeSDKClient": False} for it in (user, app.user())]
    for body in ({"type": "personal", "participants": two}, {"type": "personal"}, {"type": "personal", "participants": []}):
        assert_refused(client.answer("create_conversation", body), 400, "bad_request", "participants")
    eleven = [{"userId": user["id"], "subscribeSDKClient": False}] * 11
    answer = app.send("POST", "/conversations", {"type": "sdkGroup", "participants": eleven})
    assert_refused(answer, 400, "bad_request", "participants")
    assert client.call("list_conversations", filter={"userId": user["id"]})["conversations"] == []


@LIST
@pytest.mark.parametrize("way", ["userId", "userExternalId"])
def test_listed_by_either_filter(client: Client, app: App, way: str) -> None:
    """Each client writes the filter in its own way; only the user's own are listed, oldest first."""
    user, first = app.users_conversation()
    second, group = app.conversation(user), app.conversation(user, app.user())
    app.users_conversation()
    name = user["id"] if way == "userId" else user["externalId"]
    listed = client.call("list_conversations", filter={way: name})
    assert [it["id"] for it in listed["conversations"]] == [first["id"], second["id"], group["id"]]
    assert [it["isDefault"] for it in listed["conversations"]] == [True, False, False]
    assert listed["meta"]["hasMore"] is False


@cells(400, "list_conversations")
def test_a_filter_is_needed(app: App) -> None:
    """One of two; the clients ask for it themselves, so this is sent by hand."""
    user = app.user()
    by_id, by_name = f"filter[userId]={user['id']}", f"filter[userExternalId]={user['externalId']}"
    for query in ("", "?", f"?{by_id}&{by_name}", "?filter[userId]=", "?filter={}", "?filter=x", "?filter=[]", f"?userId={user['id']}", "?filter[other]=x", f"?{by_id}&{by_id}"):
        assert_refused(app.send("GET", f"/conversations{query}"), 400, "bad_request")


@UPDATE
@GET
def test_a_change_merges_and_null_clears(client: Client, app: App) -> None:
    _, conversation = app.users_conversation()

    def change(**body: Any) -> dict[str, Any]:
        made = client.call("update_conversation", conversation["id"], body)["conversation"]
        assert made["id"] == conversation["id"]
        return app.json("GET", f"/conversations/{conversation['id']}")["conversation"]

    now = change(**NAMED)
    assert {field: now[field] for field in NAMED} == NAMED
    now = change(displayName="Order 2")
    assert {field: now[field] for field in NAMED} == {**NAMED, "displayName": "Order 2"}
    now = change(description=None, iconUrl=None)
    assert (now.get("description"), now.get("iconUrl"), now["displayName"]) == (None, None, "Order 2")
    assert change(displayName=None).get("displayName") is None
    assert change(description="Again")["description"] == "Again"


@cells(400, "update_conversation")
@pytest.mark.parametrize(
    "body",
    [{"displayName": ""}, {"displayName": "x" * 101}, {"description": "x" * 101}, {"iconUrl": "x" * 2049}, {"displayName": 7}, {"metadata": {"a": {}}}, {"metadata": {"a": "x" * 4096}}],
    ids=range(7),
)
def test_a_change_that_is_refused(app: App, body: dict[str, Any]) -> None:
    _, conversation = app.users_conversation()
    before = app.json("GET", f"/conversations/{conversation['id']}")
    assert_refused(app.send("PATCH", f"/conversations/{conversation['id']}", body), 400, "bad_request", next(iter(body)))
    assert app.json("GET", f"/conversations/{conversation['id']}") == before


@DELETE
@cells(404, "get_conversation", "delete_conversation", "list_messages")
def test_deleted(client: Client, app: App) -> None:
    user, _ = app.users_conversation()
    second, group = app.conversation(user), app.conversation(user, app.user())
    for conversation in (second, group):
        assert client.call("delete_conversation", conversation["id"]) == {}
        for operation in ("get_conversation", "delete_conversation", "list_messages"):
            assert_refused(client.answer(operation, conversation["id"]), 404, "conversation_not_found", "Conversation not found")
    assert len(client.call("list_conversations", filter={"userId": user["id"]})["conversations"]) == 1


@cells(400, "delete_conversation")
@GET
def test_the_default_one_stays(client: Client, app: App) -> None:
    _, conversation = app.users_conversation()
    app.json("POST", f"/conversations/{conversation['id']}/messages", text(), 201)
    assert_refused(client.answer("delete_conversation", conversation["id"]), 400, "bad_request", "default")
    assert client.call("get_conversation", conversation["id"])["conversation"]["isDefault"] is True
    assert len(app.json("GET", f"/conversations/{conversation['id']}/messages")["messages"]) == 1


@JOIN
@LEAVE
@PARTICIPANTS
@cells(404, "leave_conversation")
def test_joining_and_leaving(client: Client, app: App) -> None:
    """By each of the names that there are: a user's two, and a participant's."""
    first, second, third = (app.user() for _ in range(3))
    group = app.conversation(first, second)
    joined = client.call("join_conversation", group["id"], {"userExternalId": third["externalId"], "subscribeSDKClient": False})["participant"]
    assert (joined["userId"], joined["userExternalId"], joined["unreadCount"]) == (third["id"], third["externalId"], 0)
    assert [it["userId"] for it in client.call("list_participants", group["id"])["participants"]] == [first["id"], second["id"], third["id"]]
    for body in ({"participantId": joined["id"]}, {"userId": second["id"]}, {"userExternalId": first["externalId"]}):
        assert client.call("leave_conversation", group["id"], body) == {}
        assert_refused(client.answer("leave_conversation", group["id"], body), 404, "not_found", "Participant not found")
    assert client.call("list_participants", group["id"])["participants"] == []
    again = client.call("join_conversation", group["id"], {"userId": third["id"], "subscribeSDKClient": False})["participant"]
    assert [it["id"] for it in participants(app, group)] == [again["id"]]


@JOIN
@PARTICIPANTS
def test_joining_twice(client: Client, app: App) -> None:
    """Is answered with the participant that there is."""
    first, second = app.user(), app.user()
    group = app.conversation(first, second)
    before = participants(app, group)
    again = client.call("join_conversation", group["id"], {"userId": first["id"], "subscribeSDKClient": False})["participant"]
    assert again["id"] == before[0]["id"]
    assert participants(app, group) == before


@cells(400, "join_conversation")
@PARTICIPANTS
def test_an_eleventh_and_a_second(client: Client, app: App) -> None:
    """A group is full at ten, and a personal conversation at one."""
    full = app.conversation(*(app.user() for _ in range(10)))
    _, personal = app.users_conversation()
    for conversation in (full, personal):
        before = participants(app, conversation)
        answer = client.answer("join_conversation", conversation["id"], {"userId": app.user()["id"], "subscribeSDKClient": False})
        assert_refused(answer, 400, "bad_request")
        assert participants(app, conversation) == before


@cells(404, "join_conversation", "leave_conversation")
@PARTICIPANTS
def test_nobody_joins_or_leaves(client: Client, app: App) -> None:
    group = app.conversation(app.user(), app.user())
    before = participants(app, group)
    for named in ({"userId": NOWHERE}, {"userExternalId": unique()}):
        assert_refused(client.answer("join_conversation", group["id"], {**named, "subscribeSDKClient": False}), 404, "user_not_found", "User not found")
        assert_refused(client.answer("leave_conversation", group["id"], named), 404, "user_not_found", "User not found")
    outsider = app.user()
    for named in ({"userId": outsider["id"]}, {"participantId": NOWHERE}, {"participantId": participants(app, app.conversation(outsider))[0]["id"]}):
        assert_refused(client.answer("leave_conversation", group["id"], named), 404, "not_found", "Participant not found")
    assert participants(app, group) == before


@cells(400, "join_conversation", "leave_conversation")
@pytest.mark.parametrize("body", [{}, {"userId": "a", "userExternalId": "b"}, {"userId": 7}, {"userId": None}, {"userExternalId": ""}, {"participantId": "a", "userId": "b"}], ids=repr)
def test_joining_and_leaving_of_no_one(app: App, body: dict[str, Any]) -> None:
    group = app.conversation(app.user(), app.user())
    before = participants(app, group)
    for way in ("leave",) if "participantId" in body else ("join", "leave"):
        assert_refused(app.send("POST", f"/conversations/{group['id']}/{way}", body), 400, "bad_request")
    assert participants(app, group) == before


@ACTIVITY
@PARTICIPANTS
@GET
def test_reading(client: Client, app: App) -> None:
    """A message is unread until its reader says so; the business's reading has a time in the conversation."""
    user, conversation = app.users_conversation()
    for number in range(3):
        app.json("POST", f"/conversations/{conversation['id']}/messages", text(str(number)), 201)
    (one,) = client.call("list_participants", conversation["id"])["participants"]
    assert one["unreadCount"] == 3
    assert client.call("post_activity", conversation["id"], {"type": "conversation:read", "author": {"type": "user", "userId": user["id"]}}) == {}
    (one,) = client.call("list_participants", conversation["id"])["participants"]
    assert one["unreadCount"] == 0 and TIME.fullmatch(one["lastRead"])
    assert app.json("GET", f"/conversations/{conversation['id']}")["conversation"].get("businessLastRead") is None
    assert client.call("post_activity", conversation["id"], {"type": "conversation:read", "author": {"type": "business"}}) == {}
    assert TIME.fullmatch(client.call("get_conversation", conversation["id"])["conversation"]["businessLastRead"])


@ACTIVITY
@GET
def test_typing(client: Client, app: App) -> None:
    _, conversation = app.users_conversation()
    before = app.json("GET", f"/conversations/{conversation['id']}")
    for kind in ("typing:start", "typing:stop"):
        body = {"type": kind, "author": {"type": "business", "displayName": "Steve", "avatarUrl": "https://example.org/s.png"}}
        assert client.call("post_activity", conversation["id"], body) == {}
    assert app.json("GET", f"/conversations/{conversation['id']}") == before


@cells(400, "post_activity")
@cells(404, "post_activity")
def test_what_is_no_activity(app: App) -> None:
    user, conversation = app.users_conversation()
    path = f"/conversations/{conversation['id']}/activity"
    for body in (
        {"type": "conversation:write", "author": {"type": "business"}},
        {"type": "typing:start"},
        {"author": {"type": "business"}},
        {"type": "typing:start", "author": {"type": "robot"}},
        {"type": "conversation:read", "author": {"type": "user"}},
        {"type": "conversation:read", "author": {"type": "user", "userId": user["id"], "userExternalId": user["externalId"]}},
        # "If the author type is `user`, only `conversation:read` is supported."
        {"type": "typing:start", "author": {"type": "user", "userId": user["id"]}},
    ):
        assert_refused(app.send("POST", path, body), 400, "bad_request")
    answer = app.send("POST", path, {"type": "conversation:read", "author": {"type": "user", "userId": NOWHERE}})
    assert_refused(answer, 404, "user_not_found")
    # Somebody else's reading is not this one's.
    answer = app.send("POST", path, {"type": "conversation:read", "author": {"type": "user", "userId": app.user()["id"]}})
    assert_refused(answer, 404, "not_found", "Participant not found")
    assert participants(app, conversation)[0].get("lastRead") is None
