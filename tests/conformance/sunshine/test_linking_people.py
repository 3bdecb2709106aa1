"""Links that meet: two users with one address, somebody who wants nothing more, and the user's own program."""

from __future__ import annotations

import time
from typing import Any

import pytest

from sunshine.app import App, bearer, basic, text, unique
from sunshine.fixtures import Play
from sunshine.stage import CHANNELS, Scene, Workspace
from support import web
from support.waiting import wait_until

CREATE = pytest.mark.conformance(operation="create_client", status=201)
LIST = pytest.mark.conformance(operation="list_clients", status=200)
REMOVE = pytest.mark.conformance(operation="remove_client", status=200)
PARTICIPANTS = pytest.mark.conformance(operation="list_participants", status=200)
each_channel = pytest.mark.parametrize("kind", CHANNELS)
ADDED, MATCHED, CONFIRMED = "client:add channelLinking", "client:update matched", "client:update confirmed"
BLOCKED, UNBLOCKED = "client:update blocked", "client:update unblocked"


@CREATE
@LIST
@PARTICIPANTS
@pytest.mark.parametrize(("kind", "confirmation"), [("mailgun", "immediate"), ("twilio", "userActivity"), ("messagebird", "prompt"), ("whatsapp", "userActivity"), ("whatsapp", "immediate")])
def test_theft(play: Play, kind: str, confirmation: str) -> None:
    """Somebody else is confirmed at the address: the client is theirs, and the one who had it is told."""
    scene = play(kind)
    first = scene.link("immediate", message=text("Hello!"))
    scene.wait_for("active")
    bob = scene.workspace.user()
    room = scene.workspace.conversation(bob)
    second = scene.link(confirmation, user=bob, conversation=room, message=text("Hello Bob!"))
    if confirmation != "immediate":
        # So far, it is Ann's.
        scene.wait_told(ADDED, MATCHED, user=bob)
        assert scene.status() == "active"
        scene.hears("yes")
    scene.wait_for("active", bob)
    assert scene.clients() == [] and scene.associations() == []
    assert scene.associations(bob, room) == [second["id"]]
    stolen = scene.wait_told(ADDED, MATCHED, CONFIRMED, "client:remove theft")[3]
    assert stolen["payload"]["client"]["id"] == first["id"] and stolen["payload"]["conversation"]["id"] == scene.conversation["id"]
    confirmed = scene.wait_told(ADDED, MATCHED, CONFIRMED, user=bob)[2]
    # What is written from now on is Bob's.
    words = unique("hello ")
    scene.hears(words)
    assert words in [message["content"]["text"] for message in scene.messages(room)]
    assert words not in [message["content"].get("text") for message in scene.messages()]
    assert confirmed["payload"]["client"]["id"] == second["id"]


@CREATE
@LIST
def test_one_address_of_two_integrations(play: Play) -> None:
    """Each integration has its own client for it: nothing is taken over."""
    one = play("twilio")
    other = play("twilio")
    one.link("immediate", message=text("Hello!"))
    one.wait_for("active")
    other.link("immediate", address=one.address, message=text("Hello!"))
    other.wait_for("active")
    assert one.status() == "active"
    # Nor is what is told to the one the other's.
    other.hears("stop", one.address)
    other.wait_for("blocked")
    assert one.status() == "active"


@CREATE
@LIST
@PARTICIPANTS
@each_channel
@pytest.mark.parametrize(("stop", "start"), [("STOP", "START"), (" unsubscribe\n", "unstop")])
def test_stop_and_start(play: Play, kind: str, stop: str, start: str) -> None:
    scene = play(kind)
    made = scene.link("immediate", message=text("Hello!"))
    scene.wait_for("active")
    scene.hears(stop)
    scene.wait_for("blocked")
    assert scene.wait_told(ADDED, MATCHED, CONFIRMED, BLOCKED)[3]["payload"]["client"]["id"] == made["id"]
    # Nothing goes out to them, and it is told that it does not.
    scene.post("are you there?")
    assert len(scene.got()) == 1
    scene.hears("what?")
    scene.hears(start)
    scene.wait_for("active")
    scene.wait_told(ADDED, MATCHED, CONFIRMED, BLOCKED, UNBLOCKED)
    scene.post(again := unique("again "))
    scene.got(2)
    assert [again in sent.text for sent in scene.got(2)] == [False, True]


@CREATE
@LIST
@pytest.mark.parametrize("by", ["OptOutType", "error 21610", "mail", "user_preferences"])
def test_stop_by_the_provider(play: Play, by: str) -> None:
    """Providers tell of it in ways of their own."""
    scene = play({"mail": "mailgun", "user_preferences": "whatsapp"}.get(by, "twilio"))
    deliver, standin = scene.workspace.stage.deliver, scene.standin
    scene.link("immediate", message=text("Hello!"))
    scene.wait_for("active")
    if by == "OptOutType":
        # Advanced Opt-Out knows words that we do not.
        scene.hears("basta", OptOutType="STOP")
        scene.wait_for("blocked")
        scene.hears("vamos", OptOutType="START")
    elif by == "error 21610":
        [sent] = scene.got()
        assert deliver(standin.status(scene.account, sent, "failed", ErrorCode="21610")).status == 200
        # The message did not arrive, so nobody was linked by it.
        scene.wait_for(None)
        return
    elif by == "mail":
        [sent] = scene.got()
        assert deliver(standin.event(scene.account, scene.hook_url, sent, event="unsubscribed")).status == 200
        scene.wait_for("blocked")
        scene.hears("start")
    else:
        told = {"wa_id": scene.address.removeprefix("+"), "detail": "User requested to stop marketing messages", "category": "marketing_messages", "timestamp": str(int(time.time()))}
        assert deliver(standin.told(scene.account, scene.hook_url, standin.value(scene.account, user_preferences=[{**told, "value": "stop"}]))).status == 200
        scene.wait_for("blocked")
        scene.hears("start")
    scene.wait_for("active")


@CREATE
@LIST
@REMOVE
@each_channel
@pytest.mark.parametrize("confirmation", ["immediate", "userActivity"])
def test_linking_again_is_no_way_around_stop(play: Play, kind: str, confirmation: str) -> None:
    """Whoever wants nothing more gets nothing more, for whichever user of the app, until they say start."""
    scene = play(kind)
    made = scene.link("immediate", message=text("Hello!"))
    scene.wait_for("active")
    scene.hears("STOP")
    scene.wait_for("blocked")
    scene.client.call("remove_client", scene.user["id"], made["id"])
    bob = scene.workspace.user()
    room = scene.workspace.conversation(bob)
    for user, conversation in ((scene.user, scene.conversation), (bob, room)):
        scene.link(confirmation, user=user, conversation=conversation, message=text("Hello again!"))
        wait_until(lambda user=user: scene.status(user) is None, 30, "it is no more")
    for user in (scene.user, bob):
        [failed] = [event for event in scene.told("client:remove") if event["payload"]["reason"] == "linkFailed" and event["payload"]["user"]["id"] == user["id"]]
        assert failed["payload"]["error"]["code"] == "blocked", failed
    # One that only waits for the person waits on.
    scene.link("userActivity", user=bob, conversation=room)
    scene.hears("hm?")
    assert (scene.status(), scene.status(bob)) == (None, "pending")
    assert len(scene.got()) == 1
    scene.hears("start")
    scene.wait_for("active", bob)


@CREATE
def test_a_message_to_a_blocked_client_fails(play: Play) -> None:
    scene = play("messagebird")
    scene.link("immediate", message=text("Hello!"))
    scene.wait_for("active")
    scene.hears("stop")
    scene.wait_for("blocked")
    posted = scene.post("are you there?")
    assert posted["id"] in [message["id"] for message in scene.messages()]
    assert len(scene.got()) == 1


def sdk(app: App, path: str, user: str, device: str, status: int, **claims: Any) -> Any:
    """A request of the user's own program, whose token names the user."""
    token = app.token("user", external_id=user, **claims)
    answer = app.send("POST", path, {"client": {"id": device, "platform": "web", "appVersion": "1.2"}}, headers={**bearer(token), "Content-Type": "application/json"})
    assert answer.status == status, f"{answer.status}: {answer.text}"
    return answer.json


@LIST
@pytest.mark.conformance(operation="remove_client", status=400)
def test_the_users_own_program(workspace: Workspace, play: Play) -> None:
    """A client of the type sdk comes by a sign-in and goes by a sign-out; the API cannot remove it."""
    scene = play("mailgun")
    app, user, device = workspace.app, scene.user, unique("device-")
    made = sdk(app, "/login", user["externalId"], device, 201)
    assert made["user"]["id"] == user["id"]
    client = made["client"]
    assert (client["type"], client["status"]) == ("sdk", "active") and client.get("integrationId") is None and client.get("externalId") is None
    assert scene.clients()[0]["type"] == "sdk"
    # Signed in again, it is the same.
    assert sdk(app, "/login", user["externalId"], device, 201)["client"]["id"] == client["id"]
    refused = scene.client.answer("remove_client", user["id"], client["id"])
    assert (refused.status, refused.json["errors"][0]["code"]) == (400, "bad_request") and "sdk" in refused.json["errors"][0]["title"]
    assert [one["id"] for one in scene.clients()] == [client["id"]]
    sdk(app, "/logout", user["externalId"], device, 200)
    assert scene.clients() == []
    events = scene.wait_told("client:add sdkLogin", "client:remove sdk")
    assert [event["payload"]["client"]["type"] for event in events] == ["sdk", "sdk"]


@LIST
def test_a_token_of_a_user_signs_that_user_in_and_no_more(workspace: Workspace) -> None:
    app, user, other = workspace.app, workspace.user(), workspace.user()
    token = app.token("user", external_id=user["externalId"])
    headers = {**bearer(token), "Content-Type": "application/json"}
    body = {"userExternalId": other["externalId"], "client": {"id": "d", "platform": "ios"}}
    assert app.send("POST", "/login", body, headers=headers).status == 403
    assert app.send("GET", f"/users/{user['id']}", headers=bearer(token)).status in (401, 403)
    # Nor does an app's key sign somebody in, nor a token that has ended or that somebody else signed.
    assert app.send("POST", "/login", {"userExternalId": user["externalId"], "client": {"id": "d", "platform": "ios"}}).status in (401, 403)
    sdk(app, "/login", user["externalId"], "d", 401, exp=int(time.time()) - 600)
    sdk(app, "/login", user["externalId"], "d", 401, secret="0" * 40)
    for one in (user, other):
        assert workspace.client.call("list_clients", one["id"])["clients"] == []


@LIST
@pytest.mark.conformance(operation="delete_user", status=200)
def test_a_user_who_is_deleted(play: Play) -> None:
    """So are the clients; what was to be sent to them is not sent, and what they write is nobody's."""
    scene = play("whatsapp")
    scene.standin.plan(scene.address, 503)
    scene.link("prompt", message=text("May we?"))
    item = wait_until(lambda: [item for item in scene.workspace.outbox(state="queued") if item["last_error"]], 30, "it waits")[0]
    scene.client.call("delete_user", scene.user["id"])
    assert scene.client.answer("list_clients", scene.user["id"]).status == 404
    scene.workspace.native("POST", f"/outbox/{item['id']}/retry")
    wait_until(lambda: not scene.workspace.outbox(state="queued"), 30, "nothing waits")
    assert len(scene.got()) == 1
    scene.hears("yes")
    assert scene.wait_event("user:delete")["user"]["id"] == scene.user["id"]
    assert not [event for event in scene.told("client:update") if event["payload"]["reason"] == "confirmed"]


@LIST
@pytest.mark.conformance(operation="delete_user_personal_information", status=200)
def test_personal_information_that_is_deleted(play: Play) -> None:
    """What a channel told of somebody goes; the client stays."""
    scene = play("whatsapp")
    scene.link("userActivity")
    scene.hears("hello", name="Ann of the canaries")
    client = scene.wait_for("active")
    assert client["displayName"] == "Ann of the canaries"
    scene.client.call("delete_user_personal_information", scene.user["id"])
    [client] = scene.clients()
    assert client["status"] == "active" and not [name for name in ("displayName", "avatarUrl", "info", "raw") if client.get(name)], client
    scene.post("are you still there?")
    scene.got(1)


@LIST
@CREATE
def test_how_many_are_reached(play: Play) -> None:
    """Everyone with an active client on a channel is a set: it counts, and audiences can be made of it."""
    scene = play("whatsapp")

    def counted() -> int:
        [count] = [one["people"] for one in scene.workspace.native("GET", "/channels")["items"] if one["channel"] == "whatsapp"]
        assert f"{count}" in scene.workspace.throng("channel", "counts")
        return count

    assert counted() == 0
    users = [(scene.user, scene.conversation, scene.address)]
    users += [(user, scene.workspace.conversation(user), scene.standin.address()) for user in (scene.workspace.user(), scene.workspace.user())]
    for user, room, address in users:
        scene.link("userActivity", user=user, conversation=room, address=address)
    assert counted() == 0
    for _, _, address in users:
        scene.hears("hello", address)
    assert counted() == 3
    # Somebody on a second number is one person still.
    second = scene.standin.address()
    scene.link("userActivity", address=second)
    scene.hears("hello", second)
    assert counted() == 3
    scene.hears("stop", users[1][2])
    assert counted() == 2
    scene.client.call("delete_user", users[2][0]["id"])
    assert counted() == 1
    scene.hears("start", users[1][2])
    assert counted() == 2
