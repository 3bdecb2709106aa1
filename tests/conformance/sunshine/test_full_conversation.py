"""423: a conversation holds 30,000 messages and no more, until they are deleted."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from typing import Any

import pytest

from support import web
from sunshine.app import JSON, App, assert_refused, text
from sunshine.clients import NAMES, Client, Driver
from sunshine.operations import cells

MESSAGES_MAX = 30_000
WRITERS = 30
SECONDS = 240


def post(app: App, conversation: dict[str, Any], count: int) -> None:
    """So many messages over one connection."""
    connection = http.client.HTTPConnection(*web.address(app.base), timeout=web.SECONDS)
    path = f"{app.root[len(app.server.url):]}/conversations/{conversation['id']}/messages"
    body = json.dumps(text("."))
    for _ in repeat(None, count):
        connection.request("POST", path, body, app.basic | JSON)
        response = connection.getresponse()
        told = response.read()
        assert response.status == 201, told
    connection.close()


@pytest.mark.timeout(SECONDS * 2)
@cells(423, "post_message")
@cells(201, "post_message")
@cells(200, "delete_all_messages", "list_messages")
def test_a_full_conversation(app: App, driver: Callable[[str], Driver]) -> None:
    _, conversation = app.users_conversation()
    post(app, conversation, MESSAGES_MAX % WRITERS + 1)
    with ThreadPoolExecutor(WRITERS) as pool:
        for done in [pool.submit(post, app, conversation, MESSAGES_MAX // WRITERS - (number == 0)) for number in range(WRITERS)]:
            done.result(SECONDS)
    clients = [Client.of(name, driver(name), app) for name in NAMES]
    for client in clients:
        assert_refused(client.answer("post_message", conversation["id"], text("One more")), 423, "locked")
    newest = app.json("GET", f"/conversations/{conversation['id']}/messages?page[before]={'f' * 24}&page[size]=1")["messages"]
    assert [it["content"]["text"] for it in newest] == ["."]
    # One that goes makes room for one.
    for client in clients:
        client.call("delete_message", conversation["id"], newest[0]["id"])
        newest = client.call("post_message", conversation["id"], text("In its place"))["messages"]
        assert_refused(client.answer("post_message", conversation["id"], text("One more")), 423, "locked")
    clients[0].call("delete_all_messages", conversation["id"])
    for client in clients:
        client.call("post_message", conversation["id"], text("Again"))
    assert len(clients[0].call("list_messages", conversation["id"])["messages"]) == len(NAMES)
