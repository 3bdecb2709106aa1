"""Linking somebody on each of the four channels: what the provider gets, what the vendor's API and its webhooks tell of it,
and how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from sunshine.app import TIME, text, unique
from sunshine.fixtures import Play
from sunshine.stage import CHANNELS, Scene, Workspace
from support.receiver import Receiver
from support.waiting import wait_until

CREATE = pytest.mark.conformance(operation="create_client", status=201)
LIST = pytest.mark.conformance(operation="list_clients", status=200)
REMOVE = pytest.mark.conformance(operation="remove_client", status=200)
PARTICIPANTS = pytest.mark.conformance(operation="list_participants", status=200)
each_channel = pytest.mark.parametrize("kind", CHANNELS)
ADDED, MATCHED, CONFIRMED = "client:add channelLinking", "client:update matched", "client:update confirmed"


def assert_client(payload: dict[str, Any], scene: Scene, made: dict[str, Any], status: str) -> None:
    """What every event of a client holds of it, its user and its conversation."""
    client = payload["client"]
    assert (client["id"], client["type"], client["status"], client["integrationId"]) == (made["id"], scene.kind, status, scene.integration["id"])
    assert (client.get("linkedAt") is None) == (status == "pending")
    assert payload["user"]["id"] == scene.user["id"] and payload["user"]["externalId"] == scene.user["externalId"]
    assert payload["conversation"]["id"] == scene.conversation["id"] and payload["conversation"]["type"] == "personal"


@CREATE
@LIST
@PARTICIPANTS
@each_channel
def test_immediate(play: Play, kind: str) -> None:
    """Active as soon as the provider takes the message; nothing is asked."""
    scene, words = play(kind), unique("Hello ")
    made = scene.link("immediate", message=text(words))
    assert made["status"] == "pending" and made.get("linkedAt") is None
    active = scene.wait_for("active")
    assert active["id"] == made["id"] and TIME.fullmatch(active["linkedAt"])
    [sent] = scene.got()
    assert words in sent.text and sent.own_id
    events = scene.wait_told(ADDED, MATCHED, CONFIRMED)
    for event, status in zip(events, ("pending", "pending", "active"), strict=True):
        assert_client(event["payload"], scene, made, status)
    assert events[0]["payload"]["source"]["type"] and "source" not in events[1]["payload"]
    assert scene.associations() == [made["id"]]
    # It is the channel's, and no message of the conversation's.
    assert not scene.messages()


@CREATE
@LIST
@each_channel
def test_immediate_without_words(play: Play, kind: str) -> None:
    """There is nothing to be sent, and nothing is."""
    scene = play(kind)
    scene.link("immediate")
    scene.wait_for("active")
    scene.wait_told(ADDED, MATCHED, CONFIRMED)
    # What is sent later is the first that the provider gets.
    scene.post("first")
    [sent] = scene.got()
    assert "first" in sent.text


@CREATE
@LIST
@PARTICIPANTS
@each_channel
def test_user_activity(play: Play, kind: str) -> None:
    """Pending until the person writes, whatever that is."""
    scene, words, written = play(kind), unique("Write to us "), unique("good evening ")
    made = scene.link("userActivity", message=text(words))
    [sent] = scene.got()
    assert words in sent.text
    scene.wait_told(ADDED, MATCHED)
    assert scene.status() == "pending" and scene.associations() == []
    # Somebody else's message changes nothing.
    scene.hears("hello", scene.standin.address())
    assert scene.status() == "pending"
    scene.hears(written)
    active = scene.wait_for("active")
    assert active["id"] == made["id"] and TIME.fullmatch(active["lastSeen"])
    events = scene.wait_told(ADDED, MATCHED, CONFIRMED)
    assert_client(events[2]["payload"], scene, made, "active")
    assert scene.associations() == [made["id"]]
    # What they wrote was said in the conversation.
    assert [message["content"]["text"] for message in scene.messages()] == [written]


@CREATE
@LIST
@pytest.mark.parametrize(("kind", "answer"), [*zip(CHANNELS, ("yes", " YES. ", "Ok", "Oui"), strict=True), ("whatsapp", "yes")])
def test_prompt_and_yes(play: Play, kind: str, answer: str) -> None:
    """The person is asked, and says yes."""
    scene, words = play(kind), unique("May we write to you here? ")
    made = scene.link("prompt", message=text(words))
    [sent] = scene.got()
    assert words in sent.text
    scene.wait_told(ADDED, MATCHED)
    scene.hears("who is this?")
    assert scene.status() == "pending"
    scene.hears(answer)
    assert scene.wait_for("active")["id"] == made["id"]
    scene.wait_told(ADDED, MATCHED, CONFIRMED)


@CREATE
@LIST
@pytest.mark.parametrize(("kind", "answer"), [*zip(CHANNELS, ("no", "No!", "NEIN", "n"), strict=True)])
def test_prompt_and_no(play: Play, kind: str, answer: str) -> None:
    """The person is asked and says no: the client is no more."""
    scene = play(kind)
    made = scene.link("prompt", message=text("May we?"))
    scene.got()
    scene.wait_told(ADDED, MATCHED)
    scene.hears(answer)
    scene.wait_for(None)
    events = scene.wait_told(ADDED, MATCHED, "client:remove linkCancelled")
    assert events[2]["payload"]["client"]["id"] == made["id"] and events[2]["payload"]["source"]["type"] == kind
    assert scene.associations() == [] and not scene.messages()
    # A yes comes too late.
    scene.hears("yes")
    assert scene.status() is None


@CREATE
@LIST
@each_channel
def test_a_prompt_without_words_asks_by_itself(play: Play, kind: str) -> None:
    scene = play(kind)
    scene.link("prompt")
    [sent] = scene.got()
    assert sent.text.strip()
    scene.hears("yes")
    scene.wait_for("active")


@CREATE
@each_channel
def test_a_picture_and_links(play: Play, kind: str) -> None:
    """Each channel shows them as it can."""
    scene = play(kind)
    picture, link = "https://example.org/cat.png", {"type": "link", "text": "Our shop", "uri": "https://example.org/shop?a=1&b=2"}
    content = {"type": "image", "mediaUrl": picture, "altText": "A cat", "text": "Look", "actions": [link]}
    scene.link("immediate", message={"author": {"type": "business"}, "content": content})
    scene.wait_for("active")
    [sent] = scene.got()
    assert "Look" in sent.text and link["uri"] in sent.text
    shown = {"mailgun": lambda: sent.fields["html"], "twilio": lambda: sent.fields["MediaUrl"], "messagebird": lambda: sent.text, "whatsapp": lambda: sent.fields["image"]["link"]}[kind]()
    assert picture in shown


@CREATE
def test_a_mail_has_the_subject_that_was_asked_for(play: Play) -> None:
    scene, subject = play("mailgun"), unique("News for you ")
    scene.link("immediate", message=text("Hello!"), subject=subject)
    [sent] = scene.got()
    assert sent.fields["subject"] == subject
    other = scene.workspace.user()
    address = scene.standin.address()
    scene.link("immediate", user=other, conversation=scene.workspace.conversation(other), address=address, message=text("Hello!"))
    [sent] = scene.got(address=address)
    assert sent.fields["subject"].strip() and "{appName}" not in sent.fields["subject"]


@CREATE
def test_twilio_looks_its_number_up_once(play: Play) -> None:
    """The vendor's integration knows the sid of a number; Twilio wants the number."""
    scene = play("twilio")
    scene.link("immediate", message=text("Hello!"))
    [sent] = scene.got()
    assert sent.sender == scene.standin.number(scene.account)
    for _ in range(2):
        other, address = scene.workspace.user(), scene.standin.address()
        scene.link("immediate", user=other, conversation=scene.workspace.conversation(other), address=address, message=text("Hello!"))
        assert scene.got(address=address)[0].sender == sent.sender
    lookups = [request for request in scene.standin.requests if request.method == "GET" and scene.account.integration["accountSid"] in request.path]
    assert len(lookups) == 1


@CREATE
def test_twilio_through_a_messaging_service(play: Play, workspace: Workspace) -> None:
    account = workspace.stage.standins["twilio"].with_service()
    scene = play("twilio", account)
    scene.link("immediate", message=text("Hello!"))
    scene.wait_for("active")
    [sent] = scene.got()
    assert sent.fields["MessagingServiceSid"] == account.integration["messagingServiceSid"] and "From" not in sent.fields
    assert not [request for request in scene.standin.requests if request.method == "GET" and account.integration["accountSid"] in request.path]


@REMOVE
@LIST
@PARTICIPANTS
@each_channel
def test_removal(play: Play, kind: str) -> None:
    scene = play(kind)
    made = scene.link("immediate", message=text("Hello!"))
    scene.wait_for("active")
    assert scene.associations() == [made["id"]]
    scene.client.call("remove_client", scene.user["externalId"], made["id"])
    assert scene.clients() == [] and scene.associations() == []
    events = scene.wait_told(ADDED, MATCHED, CONFIRMED, "client:remove api")
    assert events[3]["payload"]["client"]["id"] == made["id"] and "error" not in events[3]["payload"]
    # What they write now is nobody's.
    scene.hears("hello?")
    assert not scene.messages()


@REMOVE
def test_removal_of_one_that_waits(play: Play) -> None:
    """What was to be sent is not sent any more."""
    scene = play("twilio")
    scene.standin.plan(scene.address, 503)
    made = scene.link("prompt", message=text("May we?"))
    item = scene.workspace.wait_for_item(attempts=1, state="queued")
    wait_until(lambda: scene.workspace.native("GET", f"/outbox/{item['id']}")["last_error"], 30, "the error is shown")
    scene.client.call("remove_client", scene.user["id"], made["id"])
    scene.workspace.native("POST", f"/outbox/{item['id']}/retry")
    wait_until(lambda: not scene.workspace.outbox(state="queued"), 30, "nothing waits")
    scene.hears("yes")
    assert scene.status() is None and len(scene.standin.to(scene.address)) == 1


@PARTICIPANTS
@CREATE
def test_which_client_is_the_primary_one(play: Play, receiver: Receiver) -> None:
    """`primary` puts a client first when it is linked; a removed one gives its place up."""
    scene = play("mailgun")
    linked = []
    for primary in (True, False, True, False):
        address = scene.standin.address()
        made = scene.link("immediate", address=address, message=text("Hello!"), primary=primary)
        wait_until(lambda made=made: [client for client in scene.clients() if client["id"] == made["id"] and client["status"] == "active"], 30, "it is linked")
        linked.append((made["id"], address))
    (one, at_one), (two, _), (three, at_three), (four, _) = linked
    assert scene.associations() == [three, one, two, four]
    # Whom a message goes to.
    scene.post("to the primary")
    scene.got(2, at_three)
    scene.client.call("remove_client", scene.user["id"], three)
    assert scene.associations() == [one, two, four]
    scene.post("to the next")
    scene.got(2, at_one)
    assert len(scene.standin.to(at_three)) == 2


@CREATE
@LIST
@each_channel
def test_linked_again(play: Play, kind: str) -> None:
    """There is never more than one client for a user's address: a pending one is replaced, a linked one is what is answered."""
    scene = play(kind)
    first = scene.link("prompt", message=text("May we?"))
    second = scene.link("immediate", message=text("Hello!"))
    assert second["id"] != first["id"]
    assert scene.wait_for("active")["id"] == second["id"]
    scene.wait_told(ADDED, *(MATCHED,) * sum(event["payload"]["client"]["id"] == first["id"] for event in scene.told("client:update")), "client:remove api", ADDED, MATCHED, CONFIRMED)
    assert scene.link("immediate", message=text("Hello!"))["id"] == second["id"]
    assert [client["id"] for client in scene.clients()] == [second["id"]]


@CREATE
def test_whatsapp_sends_a_template_as_it_was_written(play: Play) -> None:
    """Native content goes out as the provider's own JSON; its recipient is the client's."""
    scene = play("whatsapp")
    template = {"name": "order_update", "language": {"code": "en_US"}, "components": [{"type": "body", "parameters": [{"type": "text", "text": "42"}]}]}
    native = {"type": "template", "template": template}
    message = {"author": {"type": "business"}, "content": native, "schema": "whatsapp"}
    scene.link("immediate", message=message)
    scene.wait_for("active")
    [sent] = scene.got()
    assert sent.fields["template"] == template and sent.fields["to"].removeprefix("+") == scene.address.removeprefix("+")
