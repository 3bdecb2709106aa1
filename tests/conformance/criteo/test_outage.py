"""500: the storage goes away under a running server. Each operation answers in the vendor's shape, nothing is lost, and
on PostgreSQL the server comes back by itself.

On SQLite the database file is overwritten with noise through the file system, which is as gone as a local database gets:
that process is thrown away afterwards, and must only have gone on answering.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from criteo_marketing.rest import ApiException

from criteo.client import BEARER_OPERATIONS, OPERATIONS, Criteo, assert_problem, assert_token_error, each, unique
from support.outage import FAILURE_SECONDS, destroy
from support.postgres import Cluster, create_database
from support.process import Throng
from support.waiting import wait_until

RECOVERY_SECONDS = 60


@dataclass
class Outage:
    """A server without its storage, and what it had acknowledged before."""

    criteo: Criteo
    header: str
    # One audience for each operation, as a call that still succeeds must not hide the failure of another.
    audiences: dict[str, int] = field(default_factory=dict)


@pytest.fixture(scope="module")
def cluster(engine: str, new_cluster: Callable[[], Cluster]) -> Cluster | None:
    """PostgreSQL of this module's own, to be stopped under the server."""
    return new_cluster() if engine == "postgres" else None


@pytest.fixture(scope="module")
def outage(cluster: Cluster | None, demo: Callable[..., Throng], new_folder: Callable[[], Path]) -> Iterator[Outage]:
    folder = new_folder()
    server = demo(*(["--database-url", create_database(cluster.url)] if cluster else []), data=folder)
    criteo = Criteo(server)
    outage = Outage(criteo, criteo.authorization, {operation: criteo.create(unique(operation)) for operation in OPERATIONS})
    for audience in outage.audiences.values():
        criteo.add(audience, "ann@example.com", "bob@example.com")
    if cluster:
        cluster.stop()
    else:
        destroy(folder / "throng.db")
    yield outage
    server.kill()


def assert_fails(operation: str, outage: Outage) -> None:
    def fails() -> ApiException | None:
        try:
            OPERATIONS[operation](outage.criteo, outage.header, outage.audiences[operation], outage.criteo.advertiser_id)
        except ApiException as error:
            if error.status == 500:
                return error
            # Nothing but success (from a cache, in the first seconds) or failure: no refusal that a caller would believe.
            raise AssertionError(f"{operation} answered {error.status}: {error.body!r}") from error
        return None

    error = wait_until(fails, FAILURE_SECONDS, f"{operation} answers 500 without its storage")
    assert "retry-after" not in error.headers
    for word in ("sqlite", "postgres", "database disk image", "panicked", "connection refused", "os error", "127.0.0.1", ".rs"):
        assert word not in error.body.lower(), f"an internal error leaks {word!r}: {error.body!r}"
    if operation == "o_auth2_token_post":
        assert_token_error(error.body)
    else:
        assert_problem(error.body, 500)


@pytest.mark.parametrize("operation", each(500, *BEARER_OPERATIONS, "o_auth2_token_post"))
def test_without_storage(outage: Outage, operation: str) -> None:
    assert_fails(operation, outage)
    outage.criteo.server.assert_alive()


@pytest.mark.conformance(operation="get_audiences", status=500)
@pytest.mark.conformance(operation="get_audiences", status=200)
@pytest.mark.conformance(operation="add_remove_users_to_audience", status=200)
@pytest.mark.conformance(operation="o_auth2_token_post", status=200)
def test_the_server_recovers(engine: str, new_cluster: Callable[[], Cluster], demo: Callable[..., Throng], new_database: Callable[[], list[str]], new_folder: Callable[[], Path]) -> None:
    """PostgreSQL is stopped as in a crash and started again; on SQLite a writer from outside holds the file for a while.
    Everything that was acknowledged is there, what was refused is not, and writing goes on."""
    folder = new_folder()
    cluster = new_cluster() if engine == "postgres" else None
    server = demo(*(["--database-url", create_database(cluster.url)] if cluster else []), data=folder)
    criteo = Criteo(server)
    header = criteo.authorization
    name = unique()
    audience = criteo.create(name, "acknowledged")
    criteo.add(audience, "ann@example.com", "bob@example.com")

    def refuse_writes() -> ApiException | None:
        try:
            criteo.add(audience, "cid@example.com")
        except ApiException as error:
            return error
        return None

    if cluster:
        cluster.stop()
        error = wait_until(refuse_writes, FAILURE_SECONDS, "a write answers 500")
        assert error.status == 500
        cluster.start()
    else:
        # A lock that a backup program might take; the server waits or refuses, and never answers 200 without having written.
        with sqlite3.connect(folder / "throng.db", timeout=30, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            error = refuse_writes()
            other.execute("ROLLBACK")
        assert error is not None and error.status == 500

    def answers() -> bool:
        try:
            return criteo.audiences.get_audiences(header, advertiser_id=criteo.advertiser_id).audiences is not None
        except ApiException as error:
            assert error.status == 500, error
            return False

    wait_until(answers, RECOVERY_SECONDS, "the server answers again")
    found = criteo.get(audience)
    assert found is not None
    assert (found.name, found.description, found.nb_lines) == (name, "acknowledged", 2)
    assert criteo.token().access_token

    def writes() -> bool:
        try:
            return criteo.add(audience, "dee@example.com").nb_valid_identifiers == 1
        except ApiException as error:
            assert error.status == 500, error
            return False

    wait_until(writes, RECOVERY_SECONDS, "the server writes again")
    assert criteo.lines(audience) == (3, 3)
    assert server.terminate() == 0, server.describe()
