"""500: the storage goes away under a running server. Each operation answers in the vendor's shape, and nothing is lost.

As for the other vendors: PostgreSQL is stopped as in a crash; on SQLite the database file is overwritten with noise, and
that process is thrown away afterwards.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import requests

from support.outage import FAILURE_SECONDS, destroy
from support.postgres import Cluster, create_database
from support.process import Throng
from support.waiting import wait_until
from thrive import scene
from thrive.client import ALL_OPERATIONS, SECONDS, Target, Thrive, assert_error, assert_token_error, cells, each

RECOVERY_SECONDS = 60
LEAKS = ("sqlite", "postgres", "database disk image", "panicked", "connection refused", "os error", "127.0.0.1", ".rs")
TOKENS = ("oauth2_token_public", "oauth2_token_webhooks")


@dataclass
class Outage:
    """A server without its storage, and what there was before."""

    thrive: Thrive
    # One for each operation, as a call that still succeeds must not hide the failure of another.
    targets: dict[str, Target] = field(default_factory=dict)


@pytest.fixture(scope="module")
def outage(engine: str, new_cluster: Callable[[], Cluster], demo: Callable[..., Throng], new_folder: Callable[[], Path]) -> Iterator[Outage]:
    folder = new_folder()
    cluster = new_cluster() if engine == "postgres" else None
    server = demo(*(["--database-url", create_database(cluster.url)] if cluster else []), data=folder)
    thrive = Thrive(server)
    outage = Outage(thrive, {operation: replace(scene.target_create(thrive), webhook=scene.webhook_create(thrive)) for operation in ALL_OPERATIONS})
    if cluster:
        cluster.stop()
    else:
        destroy(folder / "throng.db")
    yield outage
    server.kill()


def fails(call: Callable[[], requests.Response], what: str) -> requests.Response:
    """The answer with status 500; before it nothing but success (from a cache, in the first seconds), and no refusal that a
    caller would believe."""

    def failure() -> requests.Response | None:
        answer = call()
        assert answer.status_code in (200, 201, 500), f"{what} answered {answer.status_code}: {answer.text}"
        return answer if answer.status_code == 500 else None

    answer = wait_until(lambda: (found := failure()) is not None and [found], FAILURE_SECONDS, f"{what} answers 500 without its storage")[0]
    for word in LEAKS:
        assert word not in answer.text.lower(), f"an internal error leaks {word!r}: {answer.text!r}"
    return answer


@pytest.mark.parametrize("operation", each(500, *ALL_OPERATIONS))
def test_without_storage(outage: Outage, operation: str) -> None:
    answer = fails(lambda: ALL_OPERATIONS[operation](outage.thrive, outage.targets[operation]), operation)
    assert_error(answer, 500)
    outage.thrive.server.assert_alive()


@pytest.mark.parametrize("operation", each(500, *TOKENS))
def test_no_token_without_storage(outage: Outage, operation: str) -> None:
    settings = outage.thrive.server.ready["thrive"]
    url = outage.thrive.token_url if operation == "oauth2_token_public" else outage.thrive.user_token_url
    form = {"grant_type": "client_credentials", "client_id": settings["client_id"], "client_secret": settings["client_secret"]}
    assert_token_error(fails(lambda: requests.post(url, data=form, timeout=SECONDS), operation), 500)


@cells(500, "add_members", "update_audience")
@cells(200, "add_members", "list_members", "update_audience")
def test_the_server_recovers(engine: str, new_cluster: Callable[[], Cluster], demo: Callable[..., Throng], new_folder: Callable[[], Path]) -> None:
    """What was acknowledged is there, what was refused is not, also of a move; and writing goes on."""
    folder = new_folder()
    cluster = new_cluster() if engine == "postgres" else None
    server = demo(*(["--database-url", create_database(cluster.url)] if cluster else []), data=folder)
    thrive = Thrive(server)
    old, new = thrive.structure(), thrive.structure()
    one, two, three = thrive.users(3)
    child = thrive.audience(old, members=[one])

    def add() -> requests.Response:
        return thrive.send("POST", f"/audiences/{child['id']}/members", [two])

    def move() -> requests.Response:
        return thrive.send("PATCH", f"/audiences/{child['id']}/", {"parentId": new["id"]})

    if cluster:
        cluster.stop()
        for call in (add, move):
            wait_until(lambda call=call: call().status_code == 500, FAILURE_SECONDS, "a write answers 500")
        cluster.start()
    else:
        # A lock that a backup program might take; the server waits or refuses, and never says yes without having written.
        with sqlite3.connect(folder / "throng.db", timeout=30, isolation_level=None) as lock:
            lock.execute("BEGIN IMMEDIATE")
            for call in (add, move):
                assert_error(call(), 500)
            lock.execute("ROLLBACK")

    def again() -> bool:
        answer = thrive.send("POST", f"/audiences/{child['id']}/members", [three])
        assert answer.status_code in (200, 500), answer.text
        return answer.status_code == 200

    wait_until(again, RECOVERY_SECONDS, "the server writes again")
    assert thrive.members(child["id"]) == thrive.members(old["id"]) == {one, three}
    assert thrive.members(new["id"]) == set() and thrive.get(child["id"])["parent"]["id"] == old["id"]
    assert move().status_code == 200
    assert server.terminate() == 0, server.describe()
