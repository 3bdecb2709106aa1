"""Where a link leads: addresses as they are written, conversations that end, integrations that are deleted."""

from __future__ import annotations

import pytest

from sunshine.app import text, unique
from sunshine.fixtures import Play
from sunshine.stage import CHANNELS
from support.waiting import wait_until

CREATE = pytest.mark.conformance(operation="create_client", status=201)
LIST = pytest.mark.conformance(operation="list_clients", status=200)
PARTICIPANTS = pytest.mark.conformance(operation="list_participants", status=200)
each_channel = pytest.mark.parametrize("kind", CHANNELS)


@CREATE
@LIST
@each_channel
def test_addresses_as_people_write_them(play: Play, kind: str) -> None:
    """With spaces and hyphens, or capitals: the provider gets the plain form, and knows the person by it."""
    scene = play(kind)
    plain = scene.address
    written = plain.replace("people.", "People.") if kind == "mailgun" else f"{plain[:3]} {plain[3:7]}-{plain[7:]}"
    assert written != plain
    made = scene.link("userActivity", address=written, message=text("Write to us"))
    scene.wait_told("client:add channelLinking", "client:update matched")
    if kind != "mailgun":
        assert made["externalId"] == plain
        scene.got()
    scene.hears("hello")
    scene.wait_for("active")
    # It is one address, however it is written.
    bob = scene.workspace.user()
    scene.link("immediate", user=bob, conversation=scene.workspace.conversation(bob), message=text("Hello!"))
    scene.wait_for("active", bob)
    assert scene.clients() == []


@CREATE
@LIST
@each_channel
def test_nothing_goes_to_whoever_is_not_confirmed(play: Play, kind: str) -> None:
    """The question does; what is said in the conversation does not."""
    scene = play(kind)
    scene.link("prompt", message=text(asked := unique("May we? ")))
    scene.wait_told("client:add channelLinking", "client:update matched")
    scene.post("not for you")
    scene.wait_event("conversation:message")
    scene.hears("yes")
    scene.wait_for("active")
    scene.post("for you")
    assert [asked in sent.text or "for you" in sent.text and "not" not in sent.text for sent in scene.got(2)] == [True, True]


@LIST
@PARTICIPANTS
@pytest.mark.conformance(operation="delete_conversation", status=200)
@each_channel
def test_a_conversation_that_ends(play: Play, kind: str) -> None:
    """The client stays; what the person writes is taken and said nowhere."""
    scene = play(kind)
    group = scene.client.call("create_conversation", {"type": "sdkGroup", "participants": [{"userId": scene.user["id"], "subscribeSDKClient": False}]})["conversation"]
    made = scene.link("immediate", conversation=group, message=text("Hello!"))
    scene.wait_for("active")
    assert scene.associations(conversation=group) == [made["id"]] and scene.associations() == []
    scene.client.call("delete_conversation", group["id"])
    scene.hears("hello?")
    assert scene.status() == "active" and scene.messages() == []
    # Linked for another conversation, it is heard there.
    scene.link("immediate", message=text("Hello again!"))
    wait_until(lambda: not scene.workspace.outbox(state="queued"), 30, "nothing waits")
    assert scene.status() == "active"


@LIST
@PARTICIPANTS
@pytest.mark.conformance(operation="leave_conversation", status=200)
def test_a_conversation_that_the_user_leaves(play: Play) -> None:
    scene = play("twilio")
    group = scene.client.call("create_conversation", {"type": "sdkGroup", "participants": [{"userId": scene.user["id"], "subscribeSDKClient": False}]})["conversation"]
    scene.link("immediate", conversation=group, message=text("Hello!"))
    scene.wait_for("active")
    scene.client.call("leave_conversation", group["id"], {"userId": scene.user["id"]})
    scene.client.call("post_message", group["id"], text("not for you"))
    scene.hears("am I heard?")
    assert [message["content"]["text"] for message in scene.messages(group)] == ["not for you"]
    wait_until(lambda: not scene.workspace.outbox(state="queued"), 30, "nothing waits")
    assert len(scene.got()) == 1 and scene.status() == "active"


@LIST
@PARTICIPANTS
@pytest.mark.conformance(operation="delete_integration", status=200)
@each_channel
def test_an_integration_that_is_deleted(play: Play, kind: str) -> None:
    """Its clients are inactive and in no conversation; nothing goes out through it, and the address can be linked anew."""
    scene = play(kind)
    made = scene.link("immediate", message=text("Hello!"))
    scene.wait_for("active")
    scene.client.call("delete_integration", scene.integration["id"])
    [client] = scene.clients()
    assert (client["id"], client["status"]) == (made["id"], "inactive") and scene.associations() == []
    scene.post("is anybody there?")
    scene.wait_event("conversation:message")
    other = play(kind, scene.standin.account())
    again = other.link("immediate", user=scene.user, conversation=scene.conversation, address=scene.address, message=text("Hello again!"))
    wait_until(lambda: {client["id"]: client["status"] for client in scene.clients()}.get(again["id"]) == "active", 30, "it is linked anew")
    assert scene.associations() == [again["id"]]
    assert len(scene.got(2)) == 2


@CREATE
@each_channel
def test_what_was_sent_is_forgotten(play: Play, kind: str) -> None:
    """The outbox says that something went out, and no longer to whom or what it said."""
    scene = play(kind)
    scene.link("immediate", message=text(words := unique("Hello ")))
    scene.wait_for("active")
    item = scene.workspace.wait_for_item(state="sent")
    shown = scene.workspace.native("GET", f"/outbox/{item['id']}")
    assert [shown[name] for name in ("recipient", "template", "subject", "text", "html")] == [None] * 5
    assert words not in scene.workspace.throng("outbox", "show", str(item["id"]))
