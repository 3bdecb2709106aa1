"""Linking in a demo: nothing leaves the machine, and `throng outbox confirm` plays the person's answer."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from sunshine.app import App, client_create, text, unique
from sunshine.clients import Client
from sunshine.stage import CHANNELS
from support import native
from support.process import environment
from support.waiting import wait_until

CREATE = pytest.mark.conformance(operation="create_client", status=201)
LIST = pytest.mark.conformance(operation="list_clients", status=200)

# How somebody is asked, what they answer, and what becomes of it; None is what the command says by itself.
ANSWERS: list[tuple[str, list[tuple[str | None, str | None]]]] = [
    ("immediate", []),
    ("userActivity", [("hm", "active")]),
    ("prompt", [("what?", "pending"), (None, "active"), ("stop", "blocked"), ("start", "active")]),
    ("prompt", [("no", None)]),
]


def confirm(app: App, item: int, *answer: str) -> str:
    variables = {**environment(), "THRONG_URL": app.server.url, "THRONG_TOKEN": app.server.ready["native"]["token"]}
    arguments = [app.server.command[0], "outbox", "confirm", str(item), *(("--answer", *answer) if answer else ())]
    done = subprocess.run(arguments, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def item_with(app: App, words: str) -> dict[str, Any]:
    """The item of the outbox that says so: in a demo it stays readable."""

    def found() -> dict[str, Any] | None:
        items = native.call(app.server, "GET", "/outbox?limit=50&state=sent")["items"]
        whole = (native.call(app.server, "GET", f"/outbox/{item['id']}") for item in items if item["kind"] == "channel")
        return next((item for item in whole if words in (item["text"] or "")), None)

    return wait_until(found, 30, f"an item says {words}")


@CREATE
@LIST
@pytest.mark.parametrize("kind", CHANNELS)
def test_confirm(client: Client, app: App, kind: str) -> None:
    integration = {"type": kind, "id": app.server.ready["sunshine"]["integrations"][kind]}

    def status(user: dict[str, Any]) -> str | None:
        found = client.call("list_clients", user["id"])["clients"]
        return found[0]["status"] if found else None

    for confirmation, answers in ANSWERS:
        user, words = client.call("create_user", {"externalId": unique("user-")})["user"], unique("May we? ")
        room = app.conversation(user)
        body = client_create(integration, room, confirmation)
        body["confirmation"]["message"] = text(words)
        client.call("create_client", user["id"], body)
        item = item_with(app, words)
        address = body["matchCriteria"].get("phoneNumber") or body["matchCriteria"]["address"]
        assert item["state"] == "sent" and item["recipient"] == address and item["template"] == "confirmation"
        if not answers:
            wait_until(lambda user=user: status(user) == "active", 30, "it is active")
        else:
            assert status(user) == "pending"
        for answer, expected in answers:
            said = confirm(app, item["id"], *([answer] if answer else []))
            assert status(user) == expected and (expected or "removed") in said
