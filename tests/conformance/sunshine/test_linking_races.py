"""Linking when much happens at once: the same told many times over, two people for one address, a provider that hangs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sunshine.app import text, unique
from sunshine.fixtures import Play
from sunshine.providers import Planned
from sunshine.stage import CHANNELS
from support.waiting import wait_until

CREATE = pytest.mark.conformance(operation="create_client", status=201)
LIST = pytest.mark.conformance(operation="list_clients", status=200)
MESSAGES = pytest.mark.conformance(operation="list_messages", status=200)
REMOVE = pytest.mark.conformance(operation="remove_client", status=200)
each_channel = pytest.mark.parametrize("kind", CHANNELS)
AT_ONCE = 8


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What many calls give that begin together."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        barrier.wait(30)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@MESSAGES
@LIST
@each_channel
def test_one_event_told_many_times_at_once(play: Play, kind: str) -> None:
    scene = play(kind)
    scene.link("userActivity", message=text("Write to us"))
    scene.wait_told("client:add channelLinking", "client:update matched")
    told, deliver = scene.writes("hello"), scene.workspace.stage.deliver
    answers = at_once(*[lambda: deliver(told)] * AT_ONCE)
    assert {answer.status for answer in answers} == {200}
    scene.wait_for("active")
    assert len(scene.messages()) == 1
    scene.wait_told("client:add channelLinking", "client:update matched", "client:update confirmed")


@CREATE
@LIST
@each_channel
def test_two_users_linked_to_one_address_at_once(play: Play, kind: str) -> None:
    """One has it in the end, whoever that is; never both."""
    scene = play(kind)
    app = scene.workspace.app
    users = [scene.workspace.user() for _ in range(AT_ONCE)]
    rooms = [scene.workspace.conversation(user) for user in users]
    name = "address" if kind == "mailgun" else "phoneNumber"

    def link(user: dict[str, Any], room: dict[str, Any]) -> Callable[[], Any]:
        body = {
            "matchCriteria": {"type": kind, "integrationId": scene.integration["id"], name: scene.address},
            "confirmation": {"type": "immediate", "message": text("Hello!")},
            "target": {"conversationId": room["id"]},
        }
        return lambda: app.send("POST", f"/users/{user['id']}/clients", body)

    assert {answer.status for answer in at_once(*map(link, users, rooms))} == {201}
    wait_until(lambda: not scene.workspace.outbox(state="queued"), 60, "all was sent")
    linked = [user for user in users if scene.status(user) == "active"]
    assert len(linked) == 1 and {scene.status(user) for user in users} == {"active", None}
    winner = users.index(linked[0])
    scene.hears(words := unique("hello "))
    assert [words in [message["content"].get("text") for message in scene.messages(room)] for room in rooms] == [at == winner for at in range(AT_ONCE)]


@CREATE
@LIST
def test_one_link_asked_for_many_times_at_once(play: Play) -> None:
    scene = play("whatsapp")
    app = scene.workspace.app
    body = {
        "matchCriteria": {"type": "whatsapp", "integrationId": scene.integration["id"], "phoneNumber": scene.address},
        "confirmation": {"type": "prompt"},
        "target": {"conversationId": scene.conversation["id"]},
    }
    answers = at_once(*[lambda: app.send("POST", f"/users/{scene.user['id']}/clients", body)] * AT_ONCE)
    assert {answer.status for answer in answers} == {201}
    assert scene.status() == "pending"
    scene.hears("yes")
    scene.wait_for("active")


@REMOVE
@LIST
@each_channel
def test_removed_while_the_person_says_yes(play: Play, kind: str) -> None:
    """Whichever came first: no client is left, and no conversation has it."""
    scene = play(kind)
    made = scene.link("prompt", message=text("May we?"))
    scene.wait_told("client:add channelLinking", "client:update matched")
    told, app = scene.writes("yes"), scene.workspace.app
    answer, heard = at_once(lambda: app.send("DELETE", f"/users/{scene.user['id']}/clients/{made['id']}"), lambda: scene.workspace.stage.deliver(told))
    assert (answer.status, heard.status) == (200, 200)
    assert scene.status() is None and scene.associations() == []


@CREATE
@LIST
@each_channel
def test_a_provider_that_hangs_holds_up_nobody_else(play: Play, kind: str, gate: threading.Event) -> None:
    """Neither the others' messages, nor whoever writes to the API."""
    scene, other = play(kind), play(CHANNELS[CHANNELS.index(kind) - 1])
    addresses = [scene.standin.address() for _ in range(4)]
    for address in addresses:
        scene.standin.plan(address, Planned(scene.standin.accepted, gate=gate))
        user = scene.workspace.user()
        scene.link("immediate", user=user, conversation=scene.workspace.conversation(user), address=address, message=text("Hello!"))
    for address in addresses:
        scene.got(address=address)
    other.link("immediate", message=text("Hello!"))
    other.wait_for("active")
    assert scene.clients() == [] and not gate.is_set()
    gate.set()
    wait_until(lambda: not scene.workspace.outbox(state="queued"), 30, "all was sent")
