"""503: the storage goes away under a running server. Each operation answers in the vendor's shape, and nothing is lost.

As for the other vendors: PostgreSQL is stopped as in a crash; on SQLite the database file is overwritten with noise, and
that process is thrown away afterwards.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.outage import FAILURE_SECONDS, destroy
from support.postgres import Cluster, create_database
from support.process import Throng
from support.waiting import wait_until
from sunshine.app import App, account_key, app_of, assert_refused, client_create, text, unique
from sunshine.clients import Answer, Client
from sunshine.operations import ALL_CALLS, Target, cells, each, target_create

RECOVERY_SECONDS = 60
LEAKS = ("sqlite", "postgres", "database disk image", "panicked", "connection refused", "os error", "127.0.0.1", ".rs")


@dataclass
class Outage:
    """A server without its storage, a key of its account, and what there was before."""

    app: App
    account: App
    target: Target


@pytest.fixture(scope="module")
def outage(engine: str, new_cluster: Callable[[], Cluster], demo: Callable[..., Throng], new_folder: Callable[[], Path]) -> Iterator[Outage]:
    folder = new_folder()
    cluster = new_cluster() if engine == "postgres" else None
    app = app_of(demo(*(["--database-url", create_database(cluster.url)] if cluster else []), data=folder))
    outage = Outage(app, account_key(app), target_create(app))
    # So that both keys are known already.
    for one in (app, outage.account):
        one.json("GET", "")
    if cluster:
        cluster.stop()
    else:
        destroy(folder / "throng.db")
    yield outage
    app.server.kill()


def fails(call: Callable[[], Answer], what: str) -> Answer:
    """The answer with status 503; before it nothing but success (from a cache, in the first seconds), and no refusal that a
    caller would believe."""

    def failure() -> Answer | None:
        answer = call()
        assert answer.status in (200, 201, 503), f"{what} answered {answer}"
        return answer if answer.status == 503 else None

    answer = wait_until(lambda: (found := failure()) is not None and [found], FAILURE_SECONDS, f"{what} answers 503 without its storage")[0]
    for word in LEAKS:
        assert word not in answer.body.lower(), f"an internal error leaks {word!r}: {answer.body!r}"
    return answer


@pytest.mark.parametrize("operation", each(503, ALL_CALLS))
def test_without_storage(client: Client, outage: Outage, operation: str) -> None:
    caller = client.at(outage.account if operation == "list_apps" else outage.app)
    answer = fails(lambda: ALL_CALLS[operation](caller, outage.target), operation)
    assert_refused(answer, 503, "service_unavailable")
    outage.app.server.assert_alive()


@cells(503, "create_user", "create_client", "post_message", "remove_client")
@cells(201, "create_user", "create_client", "post_message")
@cells(200, "list_clients", "list_messages")
def test_the_server_recovers(engine: str, new_cluster: Callable[[], Cluster], demo: Callable[..., Throng], new_folder: Callable[[], Path]) -> None:
    """What was acknowledged is there, what was refused is not, and writing goes on."""
    folder = new_folder()
    cluster = new_cluster() if engine == "postgres" else None
    server = demo(*(["--database-url", create_database(cluster.url)] if cluster else []), data=folder)
    app = app_of(server)
    user, conversation = app.users_conversation()
    integration = app.integration("twilio")
    linked = app.link(user, conversation, integration)
    posted = app.json("POST", f"/conversations/{conversation['id']}/messages", text("Before"), 201)["messages"][0]
    refused = unique()
    calls = (
        ("POST", "/users", {"externalId": refused}),
        ("POST", f"/users/{user['id']}/clients", client_create(integration, conversation)),
        ("POST", f"/conversations/{conversation['id']}/messages", text("During")),
        ("DELETE", f"/users/{user['id']}/clients/{linked['id']}", None),
    )
    if cluster:
        cluster.stop()
        for method, path, body in calls:
            wait_until(lambda method=method, path=path, body=body: app.send(method, path, body).status == 503, FAILURE_SECONDS, "a write answers 503")
        cluster.start()
    else:
        # A lock that a backup program might take; the server waits or refuses, and never says yes without having written.
        with sqlite3.connect(folder / "throng.db", timeout=30, isolation_level=None) as lock:
            lock.execute("BEGIN IMMEDIATE")
            for method, path, body in calls:
                assert_refused(app.send(method, path, body), 503, "service_unavailable")
            lock.execute("ROLLBACK")

    def again() -> bool:
        answer = app.send("POST", f"/conversations/{conversation['id']}/messages", text("After"))
        assert answer.status in (201, 503), answer.text
        return answer.status == 201

    wait_until(again, RECOVERY_SECONDS, "the server writes again")
    assert app.send("GET", f"/users/{refused}").status == 404
    assert [it["id"] for it in app.clients(user["id"])] == [linked["id"]]
    messages = app.json("GET", f"/conversations/{conversation['id']}/messages")["messages"]
    assert messages[0]["id"] == posted["id"] and [it["content"]["text"] for it in messages] == ["Before", "After"]
    assert server.terminate() == 0, server.describe()
