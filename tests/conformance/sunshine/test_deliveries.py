"""What goes out after somebody is linked: messages through their channel, and events to webhooks."""

from __future__ import annotations

import datetime
import time
from typing import Any

import pytest

from sunshine.app import text, unique
from sunshine.fixtures import Play
from sunshine.providers import Planned
from sunshine.stage import CHANNELS, TRIGGERS, Scene, Workspace
from support.receiver import Receiver
from support.waiting import wait_until

CREATE = pytest.mark.conformance(operation="create_client", status=201)
POST = pytest.mark.conformance(operation="post_message", status=201)
WEBHOOK = pytest.mark.conformance(operation="create_webhook", status=201)
each_channel = pytest.mark.parametrize("kind", CHANNELS)
ADDED, MATCHED, CONFIRMED = "client:add channelLinking", "client:update matched", "client:update confirmed"
FAILED = "client:remove linkFailed"
# The first wait of a webhook's, in seconds; after it twice as long, and so on.
FIRST_WAIT = 60


def linked(play: Play, kind: str) -> Scene:
    scene = play(kind)
    scene.link("immediate", message=text("Hello!"))
    scene.wait_for("active")
    scene.got()
    return scene


# Messages.


@POST
@each_channel
def test_a_message_of_the_business(play: Play, kind: str) -> None:
    """It stands in the conversation, goes to the primary client by its provider, and the webhook is told of both."""
    scene, words = linked(play, kind), unique("Your order is ready ")
    posted = scene.post(words)
    sent = scene.got(2)[1]
    assert words in sent.text and sent.own_id and sent.own_id != scene.got(2)[0].own_id
    assert [message["id"] for message in scene.messages()] == [posted["id"]]
    told = scene.wait_event("conversation:message")
    assert told["message"]["id"] == posted["id"] and told["message"]["author"]["type"] == "business"
    delivered = scene.wait_event("conversation:message:delivery:channel")
    assert delivered["message"]["id"] == posted["id"] and delivered["user"]["id"] == scene.user["id"] and delivered["conversation"]["id"] == scene.conversation["id"]
    assert delivered["destination"]["type"] == kind and delivered["destination"]["integrationId"] == scene.integration["id"]


@POST
@each_channel
def test_a_message_that_the_provider_refuses(play: Play, kind: str) -> None:
    """It stands in the conversation and is told to have failed; whoever was linked stays so."""
    scene = linked(play, kind)
    status, code = {"mailgun": (400, None), "twilio": (400, 21614), "messagebird": (422, 10), "whatsapp": (400, 131047)}[kind]
    scene.standin.plan(scene.address, Planned(status, code=code))
    posted = scene.post()
    failed = scene.wait_event("conversation:message:delivery:failure")
    assert failed["message"]["id"] == posted["id"] and failed["destination"]["type"] == kind
    assert failed["error"]["code"] == (str(code) if code else "http_400") and "as planned" in failed["error"]["message"]
    assert scene.status() == "active" and not scene.told("conversation:message:delivery:channel")
    # The next one is taken.
    scene.post()
    scene.wait_event("conversation:message:delivery:channel")


@POST
@each_channel
def test_a_message_that_fails_later(play: Play, kind: str) -> None:
    """Taken by the provider, and not delivered after all."""
    scene = linked(play, kind)
    posted = scene.post()
    sent = scene.got(2)[1]
    scene.wait_event("conversation:message:delivery:channel")
    told, code = scene.standin.failed(scene.account, scene.hook_url, sent)
    for _ in range(2):
        assert scene.workspace.stage.deliver(told).status == 200
    failed = scene.wait_event("conversation:message:delivery:failure")
    assert failed["message"]["id"] == posted["id"] and failed["error"]["code"] == code and failed["error"]["message"]
    assert scene.status() == "active"


@CREATE
@each_channel
@pytest.mark.parametrize("confirmation", ["immediate", "prompt"])
def test_a_confirmation_that_fails_later(play: Play, kind: str, confirmation: str) -> None:
    """Whoever was linked by it is not: the client is removed with the provider's code."""
    scene = play(kind)
    scene.link(confirmation, message=text("Hello!"))
    [sent] = scene.got()
    before = [ADDED, MATCHED, CONFIRMED] if confirmation == "immediate" else [ADDED, MATCHED]
    scene.wait_told(*before)
    told, code = scene.standin.failed(scene.account, scene.hook_url, sent)
    assert scene.workspace.stage.deliver(told).status == 200
    scene.wait_for(None)
    error = scene.wait_told(*before, FAILED)[-1]["payload"]["error"]
    assert error["code"] == code and error["message"]
    assert scene.associations() == []


@CREATE
@pytest.mark.parametrize("kind", ["twilio", "messagebird", "whatsapp", "mailgun"])
def test_what_was_delivered_changes_nothing(play: Play, kind: str) -> None:
    """Providers tell of every step."""
    scene = linked(play, kind)
    [sent] = scene.got()
    standin, account, hook = scene.standin, scene.account, scene.hook_url
    told = {
        "twilio": lambda: [standin.status(account, sent, status) for status in ("queued", "sent", "delivered", "read")],
        "messagebird": lambda: [standin.report(account, sent, status) for status in ("sent", "buffered", "delivered")],
        "whatsapp": lambda: [standin.status(account, hook, sent, status) for status in ("sent", "delivered", "read")],
        "mailgun": lambda: [standin.event(account, hook, sent, event=event) for event in ("accepted", "delivered", "opened", "clicked")]
        + [standin.event(account, hook, sent, event="failed", severity="temporary", reason="generic")],
    }[kind]()
    for step in told:
        assert scene.workspace.stage.deliver(step).status == 200
    # Told later, so all is told.
    scene.hears("hello")
    assert scene.status() == "active" and [shown["type"] for shown in scene.told("client:remove")] == []


@CREATE
@each_channel
def test_a_failure_of_somebody_elses(play: Play, kind: str) -> None:
    """What an account of the same app is told to have failed says nothing of another's message."""
    scene, other = linked(play, kind), linked(play, kind)
    [sent] = other.got()
    own, code = scene.standin.failed(scene.account, scene.hook_url, sent)
    if kind in ("twilio", "messagebird"):
        # To its own hook, in its own name.
        tail = own.url.partition("?")[2] or sent.callback.partition("?")[2]
        own = scene.standin.told(scene.account, scene.hook_url + "?" + tail, dict(MessageSid=sent.provider_id, MessageStatus="failed", ErrorCode=code)) if kind == "twilio" else scene.standin.told(scene.account, "GET", scene.hook_url + "?" + tail)
    assert scene.workspace.stage.deliver(own).status == 200
    other.hears("hello")
    assert other.status() == "active" and scene.status() == "active"


@POST
def test_a_message_to_a_destination(play: Play) -> None:
    """Another client than the primary one, where the business says so."""
    scene = play("mailgun")
    phone = play("whatsapp")
    scene.link("immediate", message=text("Hello!"))
    scene.wait_for("active")
    made = phone.link("immediate", user=scene.user, conversation=scene.conversation, message=text("Hello!"))
    wait_until(lambda: scene.associations()[:1] == [made["id"]], 30, "WhatsApp is the primary one")
    scene.post("one")
    assert len(phone.got(2)) == 2 and len(scene.got()) == 1
    scene.post("two", destination={"integrationId": scene.integration["id"]})
    assert "two" in scene.got(2)[1].text and len(phone.got(2)) == 2
    # Whoever writes is reached where they wrote last.
    scene.hears("hello")
    scene.post("three")
    assert "three" in scene.got(3)[2].text and len(phone.got(2)) == 2


# Webhooks.


@WEBHOOK
def test_every_event_of_a_conversation(workspace: Workspace, receiver: Receiver) -> None:
    client, webhook = workspace.client, workspace.webhook(receiver.url)
    user, guest = workspace.user(), workspace.user()
    body = {"type": "sdkGroup", "participants": [{"userId": user["id"], "subscribeSDKClient": False}], "metadata": {"a": "b"}}
    room = client.call("create_conversation", body)["conversation"]
    client.call("join_conversation", room["id"], {"userId": guest["id"], "subscribeSDKClient": False})
    [posted] = client.call("post_message", room["id"], text("Hello!"))["messages"]
    client.call("post_activity", room["id"], {"type": "conversation:read", "author": {"type": "user", "userId": user["id"]}})
    for activity in ("typing:start", "typing:stop"):
        client.call("post_activity", room["id"], {"type": activity, "author": {"type": "business"}})
    client.call("leave_conversation", room["id"], {"userId": guest["id"]})
    client.call("update_user", user["id"], {"profile": {"givenName": "Ann"}})
    client.call("delete_conversation", room["id"])
    client.call("delete_user", guest["id"])
    expected = [
        "conversation:create", "conversation:join", "conversation:message", "conversation:read", "conversation:typing", "conversation:typing", "conversation:leave", "user:update",
        "conversation:remove", "user:delete",
    ]  # fmt: skip
    events = wait_until(lambda: len(told := workspace.told(receiver, webhook)) >= len(expected) and told, 30, f"{len(expected)} events")
    assert [event["type"] for event in events] == expected
    payloads = [event["payload"] for event in events]
    for event, payload in zip(events, payloads, strict=True):
        if event["type"].startswith("conversation:"):
            assert payload["conversation"]["id"] == room["id"] and payload["conversation"]["metadata"] == {"a": "b"}, event
    made, joined, message, read, typing, stopped, left, updated, _, deleted = payloads
    assert joined["user"]["id"] == left["user"]["id"] == deleted["user"]["id"] == guest["id"]
    assert message["message"]["id"] == posted["id"] and message["message"]["content"] == {"type": "text", "text": "Hello!"}
    assert [one["activity"]["type"] for one in (read, typing, stopped)] == ["conversation:read", "typing:start", "typing:stop"]
    assert read["activity"]["author"]["userId"] == user["id"]
    assert updated["user"]["id"] == user["id"] and updated["user"]["profile"]["givenName"] == "Ann"


@WEBHOOK
@pytest.mark.parametrize("full", [False, True])
def test_whole_users_for_whoever_asks(workspace: Workspace, receiver: Receiver, full: bool) -> None:
    webhook = workspace.webhook(receiver.url, ["conversation:join"], includeFullUser=full, includeFullSource=full)
    user = workspace.user()
    room = workspace.client.call("create_conversation", {"type": "sdkGroup", "participants": []})["conversation"]
    workspace.client.call("update_user", user["id"], {"profile": {"givenName": "Ann"}, "metadata": {"seat": "14"}})
    workspace.client.call("join_conversation", room["id"], {"userId": user["id"], "subscribeSDKClient": False})
    [joined] = wait_until(lambda: workspace.told(receiver, webhook), 30, "an event")
    shown = joined["payload"]["user"]
    assert shown["id"] == user["id"] and shown["externalId"] == user["externalId"]
    assert (shown.get("profile", {}).get("givenName"), shown.get("metadata")) == (("Ann", {"seat": "14"}) if full else (None, None))


@WEBHOOK
def test_only_what_was_asked_for(workspace: Workspace, play: Play, receiver: Receiver) -> None:
    """Each webhook its own triggers, and each its own key."""
    others = Receiver()
    try:
        webhook = workspace.webhook(others.url, ["client:remove"])
        scene = linked(play, "twilio")
        made = scene.clients()[0]["id"]
        scene.client.call("remove_client", scene.user["id"], made)
        scene.wait_told(ADDED, MATCHED, CONFIRMED, "client:remove api")
        told = wait_until(lambda: workspace.told(others, webhook), 30, "an event")
        assert [event["type"] for event in told] == ["client:remove"] and webhook["secret"] != scene.hook["secret"]
        assert told[0]["id"] == scene.told("client:remove")[0]["id"]
    finally:
        others.close()


@WEBHOOK
def test_nothing_of_another_app(workspace: Workspace, play: Play, stage: Any, driver: Any) -> None:
    scene = linked(play, "mailgun")
    other = Workspace.create(stage, driver, workspace.client.name)
    receiver = Receiver()
    try:
        webhook = other.webhook(receiver.url)
        scene.post("not for them")
        scene.wait_event("conversation:message")
        user = other.user()
        other.client.call("update_user", user["id"], {"profile": {"givenName": "Bob"}})
        told = wait_until(lambda: other.told(receiver, webhook), 30, "an event")
        assert [event["payload"]["user"]["id"] for event in told] == [user["id"]]
    finally:
        receiver.close()


def update(workspace: Workspace, user: dict[str, Any]) -> None:
    """Something that webhooks are told of."""
    workspace.client.call("update_user", user["id"], {"metadata": {"turn": unique()}})


@WEBHOOK
@pytest.mark.parametrize("status", [400, 401, 403, 404, 406])
def test_final_statuses(workspace: Workspace, receiver: Receiver, status: int) -> None:
    """Given up at once; `throng outbox retry` when the receiver is mended."""
    webhook, user = workspace.webhook(receiver.url, ["user:update"]), workspace.user()
    receiver.status = status
    update(workspace, user)
    dead = workspace.wait_for_item("webhook", state="dead")
    assert (dead["attempts"], dead["next_attempt"]) == (1, None) and str(status) in dead["last_error"]
    receiver.status = 200
    workspace.throng("outbox", "retry", str(dead["id"]))
    wait_until(lambda: len(receiver.all()) == 2, 30, "a second delivery")
    assert len(workspace.told(receiver, webhook)) == 1


@WEBHOOK
@pytest.mark.parametrize("status", [500, 503, 429, 408, 410, 302])
def test_statuses_that_pass(workspace: Workspace, receiver: Receiver, status: int) -> None:
    """Tried again after a minute, and with the event's id that it had."""
    webhook, user = workspace.webhook(receiver.url, ["user:update"]), workspace.user()
    receiver.statuses = [status]
    begun = time.time()
    update(workspace, user)
    item = wait_until(lambda: workspace.outbox("webhook", state="queued", attempts=1), 30, "it was tried")[0]
    item = wait_until(lambda: (found := workspace.native("GET", f"/outbox/{item['id']}"))["last_error"] and found, 30, "the error is shown")
    wait = datetime.datetime.fromisoformat(item["next_attempt"]).timestamp() - begun
    assert FIRST_WAIT * 0.5 <= wait <= FIRST_WAIT * 2 + 30, wait
    workspace.throng("outbox", "retry", str(item["id"]))
    wait_until(lambda: not workspace.outbox("webhook", state="queued"), 30, "it was sent")
    assert [delivery.status for delivery in receiver.all()] == [status, 200] and len(workspace.told(receiver, webhook)) == 1
    assert receiver.all()[0].json["events"] == receiver.all()[1].json["events"]


@WEBHOOK
def test_replay(workspace: Workspace, receiver: Receiver, play: Play) -> None:
    """What happened since a time is told again, each event with its id."""
    scene = play("messagebird")
    since = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    scene.link("userActivity", message=text("Write to us"))
    scene.wait_told(ADDED, MATCHED)
    scene.hears("hello")
    before = wait_until(lambda: len(told := scene.told()) >= 4 and told, 30, "four events")
    assert "conversation:message" in [event["type"] for event in before]
    number = int(scene.hook["id"][10:], 16)
    first = len(receiver.all())
    said = workspace.throng("webhook", "replay", str(number), "--since", since)
    assert str(len(before)) in said, said
    wait_until(lambda: len(receiver.all()) >= 2 * first, 30, "all of them again")
    assert scene.told() == before and len(receiver.all()) == 2 * first


@WEBHOOK
def test_a_deleted_webhook_is_told_nothing(workspace: Workspace, receiver: Receiver) -> None:
    webhook, user = workspace.webhook(receiver.url, ["user:update"]), workspace.user()
    receiver.status = 500
    update(workspace, user)
    item = wait_until(lambda: [item for item in workspace.outbox("webhook") if item["last_error"]], 30, "it was tried")[0]
    workspace.client.call("delete_webhook", "me", webhook["id"])
    # At its next attempt.
    workspace.throng("outbox", "retry", str(item["id"]))
    workspace.wait_for_item("webhook", state="dead")
    other = workspace.webhook(receiver.url, ["user:update"])
    receiver.status = 200
    update(workspace, user)
    wait_until(lambda: [delivery for delivery in receiver.all() if delivery.headers["x-api-key"] == other["secret"]], 30, "the other webhook is told")
    assert len([delivery for delivery in receiver.all() if delivery.headers["x-api-key"] == webhook["secret"]]) == 1


@WEBHOOK
def test_triggers_are_what_the_vendor_has(workspace: Workspace, receiver: Receiver) -> None:
    """Those that never happen here are kept and given back beside others; one that would never be told anything is refused."""
    silent = ["switchboard:passControl", "conversation:postback", "user:merge"]
    shown = workspace.webhook(receiver.url, [*TRIGGERS, *silent])
    assert set(shown["triggers"]) == {*TRIGGERS, *silent}
    for triggers in (silent, [], ["client:nonsense"]):
        refused = workspace.client.answer("create_webhook", "me", {"target": receiver.url, "triggers": triggers})
        assert refused.status == 400, refused
