"""Linking that the provider refuses, cannot do now, or that lacks what the provider needs."""

from __future__ import annotations

import pytest

from sunshine.app import text
from sunshine.fixtures import Play
from sunshine.providers import Planned
from sunshine.stage import CHANNELS, Workspace
from support.waiting import wait_until

CREATE = pytest.mark.conformance(operation="create_client", status=201)
LIST = pytest.mark.conformance(operation="list_clients", status=200)
each_channel = pytest.mark.parametrize("kind", CHANNELS)
ADDED, MATCHED, CONFIRMED = "client:add channelLinking", "client:update matched", "client:update confirmed"


@CREATE
@LIST
@each_channel
@pytest.mark.parametrize("confirmation", ["immediate", "userActivity", "prompt"])
def test_what_the_provider_refuses(play: Play, kind: str, confirmation: str) -> None:
    """A refusal for ever: the client is no more, and whoever asked is told in the provider's words."""
    scene = play(kind)
    status, code = {"mailgun": (400, None), "twilio": (400, 21614), "messagebird": (422, 10), "whatsapp": (400, 131026)}[kind]
    scene.standin.plan(scene.address, Planned(status, code=code))
    made = scene.link(confirmation, message=text("Hello!"))
    scene.wait_for(None)
    events = scene.wait_told(ADDED, "client:remove linkFailed")
    payload = events[1]["payload"]
    assert payload["client"]["id"] == made["id"] and payload["source"]["type"] == kind
    assert payload["error"]["code"] == (str(code) if code else "http_400") and "as planned" in payload["error"]["message"], payload["error"]
    assert len(scene.got()) == 1 and scene.associations() == []
    assert not scene.workspace.outbox(state="queued")


@CREATE
@each_channel
def test_a_key_that_is_nobodys(play: Play, kind: str, workspace: Workspace) -> None:
    """The provider lets nobody in: linkFailed, and the key is in no answer."""
    standin = workspace.stage.standins[kind]
    account = standin.account()
    secret = {"mailgun": "apiKey", "twilio": "authToken", "messagebird": "accessKey"}.get(kind)
    if secret:
        account.integration[secret] = "0" * 32
    else:
        account.provider["token"] = "0" * 32
    scene = play(kind, account)
    scene.link("immediate", message=text("Hello!"))
    scene.wait_for(None)
    error = scene.wait_told(ADDED, "client:remove linkFailed")[1]["payload"]["error"]
    assert error["code"] == {"mailgun": "http_401", "twilio": "20003", "messagebird": "2", "whatsapp": "190"}[kind]
    assert "0" * 32 not in str(error) and not standin.to(scene.address)


@CREATE
@LIST
@pytest.mark.parametrize(("kind", "status"), [*((kind, 503) for kind in CHANNELS), ("mailgun", 500), ("twilio", 429), ("messagebird", 500), ("whatsapp", 429)])
def test_a_provider_that_cannot_now(play: Play, kind: str, status: int) -> None:
    """Tried again, and the second attempt is known by the id of the first."""
    scene = play(kind)
    scene.standin.plan(scene.address, Planned(status, headers=(("Retry-After", "600"),)))
    scene.link("immediate", message=text("Hello!"))
    item = scene.workspace.wait_for_item(state="queued", attempts=1)
    waiting = wait_until(lambda: (found := scene.workspace.native("GET", f"/outbox/{item['id']}"))["last_error"] and found, 30, "the error is shown")
    assert waiting["next_attempt"] and scene.address.lower() == waiting["recipient"].lower()
    assert scene.status() == "pending"
    scene.workspace.throng("outbox", "retry", str(item["id"]))
    scene.wait_for("active")
    first, second = scene.got(2)
    assert (first.own_id, first.text) == (second.own_id, second.text) and first.own_id
    scene.wait_told(ADDED, MATCHED, CONFIRMED)


@CREATE
@each_channel
def test_a_cut_connection(play: Play, kind: str) -> None:
    """Nobody knows whether it was taken: it is sent again, with the same id."""
    scene = play(kind)
    scene.standin.plan(scene.address, Planned(scene.standin.accepted, cut=True))
    scene.link("immediate", message=text("Hello!"))
    item = scene.workspace.wait_for_item(state="queued", attempts=1)
    wait_until(lambda: scene.workspace.native("GET", f"/outbox/{item['id']}")["last_error"], 30, "the error is shown")
    scene.workspace.throng("outbox", "retry", str(item["id"]))
    scene.wait_for("active")
    assert len({sent.own_id for sent in scene.got(2)}) == 1


@CREATE
@LIST
def test_whatsapp_needs_its_providers_settings(play: Play) -> None:
    """What the vendor's integration cannot carry is missing: the client is removed and says so. `throng channel set`, and it works."""
    scene = play("whatsapp", configured=False)
    scene.link("immediate", message=text("Hello!"))
    scene.wait_for(None)
    error = scene.wait_told(ADDED, "client:remove linkFailed")[1]["payload"]["error"]
    assert "phone_number_id" in error["message"] and error["code"], error
    settings = "\n".join(f'{name} = "{value}"' for name, value in scene.account.provider.items())
    said = scene.workspace.throng("channel", "set", scene.integration["id"], "--from", "-", stdin=settings)
    assert not any(secret in said for secret in scene.account.secrets), said
    scene.link("immediate", message=text("Hello!"))
    scene.wait_for("active")
    assert len(scene.got()) == 1
    shown = scene.workspace.throng("channel", "show", scene.integration["id"])
    assert scene.hook_url in shown and not any(secret in shown for secret in scene.account.secrets)


@CREATE
@LIST
def test_whatsapps_settings_natively(play: Play) -> None:
    """The same by PUT, which changes what it names."""
    scene = play("whatsapp", configured=False)
    number = scene.integration_number
    named = {name: value for name, value in scene.account.provider.items() if name != "token"}
    scene.workspace.native("PUT", f"/integrations/{number}/provider", named)
    scene.link("immediate", message=text("Hello!"))
    error = scene.wait_told(ADDED, "client:remove linkFailed")[1]["payload"]["error"]
    assert "token" in error["message"]
    answer = scene.workspace.native("PUT", f"/integrations/{number}/provider", {"token": scene.account.provider["token"]})
    assert not any(secret in str(answer) for secret in scene.account.secrets)
    scene.link("immediate", message=text("Hello!"))
    scene.wait_for("active")


@CREATE
def test_a_number_that_twilio_does_not_know(play: Play, workspace: Workspace) -> None:
    account = workspace.stage.standins["twilio"].account()
    account.integration["phoneNumberSid"] = "PN" + "0" * 32
    scene = play("twilio", account)
    scene.link("immediate", message=text("Hello!"))
    scene.wait_for(None)
    assert scene.wait_told(ADDED, "client:remove linkFailed")[1]["payload"]["error"]["code"] == "20404"
