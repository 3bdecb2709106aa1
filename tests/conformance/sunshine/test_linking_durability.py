"""Confirmations outlive the server: killed while they wait, killed while they are sent, and nothing is lost. And what of all
this stands in its log."""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from sunshine.app import text, unique
from sunshine.clients import Driver
from sunshine.providers import Planned
from sunshine.stage import CHANNELS, Scene, Stage, Workspace, client_for
from support.receiver import Receiver
from support.waiting import wait_until

CREATE = pytest.mark.conformance(operation="create_client", status=201)
LIST = pytest.mark.conformance(operation="list_clients", status=200)
# For so long a process has an item for itself.
LEASE_SECONDS = 120


@pytest.fixture
def own_stage(new_stage: Callable[[], Stage]) -> Stage:
    """A server that the test may kill."""
    return new_stage()


@pytest.fixture
def own_workspace(own_stage: Stage, driver: Callable[[str], Driver], request: pytest.FixtureRequest) -> Workspace:
    return Workspace.create(own_stage, driver, client_for(request.node.nodeid))


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


@CREATE
@LIST
def test_killed_with_confirmations_waiting(own_stage: Stage, own_workspace: Workspace, receiver: Receiver, gate: threading.Event) -> None:
    """On every channel one that a provider does not answer, one that it could not take, and one that waits for the person."""
    scenes: dict[str, list[Scene]] = {}
    for kind in CHANNELS:
        standin = own_stage.standins[kind]
        scenes[kind] = [Scene(own_workspace, standin, standin.account(), receiver) for _ in range(3)]
        hanging, failing, asked = scenes[kind]
        standin.plan(hanging.address, Planned(standin.accepted, gate=gate))
        standin.plan(failing.address, Planned(503))
        for scene in scenes[kind]:
            scene.link("prompt" if scene is asked else "immediate", message=text("Hello!"))
        for scene in scenes[kind]:
            scene.got()
    failed = wait_until(lambda: len(found := [item for item in own_workspace.outbox(state="queued") if item["last_error"]]) == 4 and found, 30, "four wait")
    wait_until(lambda: len(own_workspace.outbox(state="sent")) == 4, 30, "four questions were sent")
    own_stage.server.kill()
    gate.set()
    own_stage.serve()
    again = own_workspace.moved(own_stage.server)
    for kind in CHANNELS:
        for scene in scenes[kind]:
            scene.workspace = again
            assert len(scene.clients()) == 1
    waiting = {item["id"]: item for item in again.outbox(state="queued")}
    assert len(waiting) == 8 and {item["id"] for item in failed} <= set(waiting)
    for item in failed:
        again.throng("outbox", "retry", str(item["id"]))
    for kind in CHANNELS:
        hanging, failing, asked = scenes[kind]
        failing.wait_for("active")
        assert len({sent.own_id for sent in failing.got(2)}) == 1
        assert asked.status() == "pending" and len(asked.got()) == 1
        asked.hears("yes")
        asked.wait_for("active")
        for scene in (failing, asked):
            scene.wait_told("client:add channelLinking", "client:update matched", "client:update confirmed")
        assert hanging.status() == "pending"
    # What was under way when it died is left alone until nobody can still be sending it; then it is sent again. Until then takes
    # longer than a test may: mail's suite waits for it.
    for item in again.outbox(state="queued"):
        due = datetime.datetime.fromisoformat(item["next_attempt"]).timestamp()
        assert time.time() < due <= time.time() + LEASE_SECONDS, item
    assert len(again.outbox(state="queued")) == 4
    assert not own_stage.faults()


@LIST
@CREATE
def test_what_was_heard_before_it_was_killed(own_stage: Stage, own_workspace: Workspace, receiver: Receiver) -> None:
    """An inbound event that was answered 200 is kept, and is still known when it comes again."""
    scenes = [Scene(own_workspace, own_stage.standins[kind], own_stage.standins[kind].account(), receiver) for kind in CHANNELS]
    for scene in scenes:
        scene.link("userActivity")
    told = [scene.writes("hello") for scene in scenes]
    for one in told:
        assert own_stage.deliver(one).status == 200
    own_stage.server.kill()
    own_stage.serve()
    again = own_workspace.moved(own_stage.server)
    for scene, one in zip(scenes, told, strict=True):
        scene.workspace = again
        assert scene.status() == "active" and len(scene.messages()) == 1
        assert own_stage.deliver(one).status == 200
        assert len(scene.messages()) == 1
        # Nothing was sent that a provider could have matched.
        scene.wait_told("client:add channelLinking", "client:update confirmed")


@LIST
@CREATE
def test_nothing_of_it_is_in_the_log(own_stage: Stage, own_workspace: Workspace, receiver: Receiver) -> None:
    """No address, no words, no key, no token of a hook: of what goes well, what fails, and what is not believed."""
    secrets: list[str] = [own_workspace.app.secret, own_workspace.token]
    webhook_receiver = Receiver()
    webhook_receiver.status = 500
    webhook = own_workspace.webhook(webhook_receiver.url)
    secrets.append(webhook["secret"])
    for kind in CHANNELS:
        standin = own_stage.standins[kind]
        good, bad = (Scene(own_workspace, standin, standin.account(), receiver) for _ in range(2))
        words = [unique(f"canary {name} ") for name in ("asked", "written", "posted", "forged", "refused", "name")]
        for scene in (good, bad):
            secrets += [scene.address.removeprefix("+"), *scene.account.secrets, scene.hook_url.rpartition("/")[2], scene.hook["secret"], scene.user["externalId"]]
        good.link("prompt", message=text(words[0], author={"type": "business", "displayName": words[5]}))
        good.got()
        good.hears("yes")
        good.wait_for("active")
        good.hears(words[1])
        good.post(words[2])
        good.got(2)
        forged = good.writes(words[3])
        own_stage.deliver(forged.but(body=(forged.body or b"").replace(b"timestamp=", b"timestamp=1").replace(b"canary", b"kanari")))
        own_stage.deliver(forged.but(url=forged.url[:-1]))
        # A provider repeats to whom it could not send, and what.
        said = f'{{"message": "{bad.address} is wrong: {words[4]} {bad.address}"}}'.encode()
        standin.plan(bad.address, Planned(503, said), Planned(400, said))
        bad.link("immediate", message=text(words[4]))
        item = wait_until(lambda: [item for item in own_workspace.outbox(state="queued") if item["last_error"]], 30, "it waits")[0]
        own_workspace.throng("outbox", "retry", str(item["id"]))
        bad.wait_for(None)
        body = {"matchCriteria": {"type": kind, "integrationId": "x", "phoneNumber": good.address, "address": good.address}, "confirmation": {"type": words[5]}, "target": {"conversationId": words[3]}}
        assert own_workspace.app.send("POST", f"/users/{good.user['externalId']}/clients", body).status in (400, 404)
        secrets += [word.rpartition(" ")[2] for word in words]
    secrets += ["kanari", "canary"]
    wait_until(lambda: [item for item in own_workspace.outbox("webhook") if item["last_error"]], 30, "a webhook fails")
    assert own_stage.server.terminate() == 0
    webhook_receiver.close()
    log = own_stage.server.log.read_text()
    assert "not believed" in log and len(log) > 1000
    found = [secret for secret in secrets if secret in log]
    assert not found, [line for line in log.splitlines() if any(secret in line for secret in found)][:5]
