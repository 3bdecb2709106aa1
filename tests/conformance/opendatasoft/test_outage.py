"""500: the storage goes away under a running server. Each operation answers in the vendor's shape, and nothing is lost.

As for the other vendors: PostgreSQL is stopped as in a crash; on SQLite the database file is overwritten with noise, and
that process is thrown away afterwards.
"""

from __future__ import annotations

import http.client
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from opendatasoft_automation import ApiException, User

from opendatasoft import scene
from opendatasoft.client import OPERATIONS, Ods, Target, assert_error, assert_refused, cells, each, email, unique
from support.postgres import Cluster, create_database
from support.process import Throng
from support.waiting import wait_until

# What a process may go on knowing without its database, and for how long: a credential, for five seconds.
FAILURE_SECONDS = 30
RECOVERY_SECONDS = 60
LEAKS = ("sqlite", "postgres", "database disk image", "panicked", "connection refused", "os error", "127.0.0.1", ".rs")


@dataclass
class Outage:
    """A server without its storage, and what there was before."""

    ods: Ods
    # One for each operation, as a call that still succeeds must not hide the failure of another.
    targets: dict[str, Target] = field(default_factory=dict)


@pytest.fixture(scope="module")
def outage(engine: str, new_cluster: Callable[[], Cluster], demo: Callable[..., Throng], new_folder: Callable[[], Path]) -> Iterator[Outage]:
    folder = new_folder()
    cluster = new_cluster() if engine == "postgres" else None
    server = demo(*(["--database-url", create_database(cluster.url)] if cluster else []), data=folder)
    ods = Ods(server)
    outage = Outage(ods, {operation: scene.target_create(ods) for operation in OPERATIONS})
    if cluster:
        cluster.stop()
    else:
        destroy(folder / "throng.db")
    yield outage
    server.kill()


def destroy(database: Path) -> None:
    """Overwrites a SQLite database in use, such that its user cannot go on with cached pages: a change of the schema
    makes every cache worthless, and a checkpoint empties the write-ahead log that would hide the file."""
    connection = sqlite3.connect(database, timeout=30, isolation_level=None)
    connection.execute("CREATE TABLE intruder (x INTEGER)")

    def checkpointed() -> bool:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return busy == 0

    wait_until(checkpointed, 30, "nobody is reading the write-ahead log")
    connection.close()
    with database.open("r+b") as file:
        size = file.seek(0, 2)
        file.seek(0)
        file.write(b"\xde\xad\xbe\xef" * (size // 4))


@pytest.mark.parametrize("operation", each(500, *OPERATIONS))
def test_without_storage(outage: Outage, operation: str) -> None:
    def fails() -> ApiException | None:
        try:
            OPERATIONS[operation](outage.ods, outage.targets[operation])
        except ApiException as error:
            if error.status == 500:
                return error
            # Nothing but success (from a cache, in the first seconds) or failure: no refusal that a caller would believe.
            raise AssertionError(f"{operation} answered {error.status}: {error.body!r}") from error
        return None

    error = wait_until(fails, FAILURE_SECONDS, f"{operation} answers 500 without its storage")
    assert "retry-after" not in error.headers
    assert error.data is not None, f"the client cannot read this error: {error.body!r}"
    assert_error(error.body, 500, "internal_error")
    for word in LEAKS:
        assert word not in error.body.lower(), f"an internal error leaks {word!r}: {error.body!r}"
    outage.ods.server.assert_alive()


@cells(500, "users_export")
def test_a_file_that_breaks_off_is_not_taken_for_a_whole_one(outage: Outage) -> None:
    """CSV is streamed: without storage there is a 500 or a connection that breaks, never for long a 200 that ends well."""

    def fails() -> bool:
        try:
            answer = outage.ods.raw("GET", "/users/export/", Accept="text/csv")
        except (OSError, http.client.HTTPException):
            return True
        if answer.status == 200:
            return False
        assert_refused(answer, 500, "internal_error")
        return True

    wait_until(fails, FAILURE_SECONDS, "an export without its storage fails")


@cells(500, "invite_users")
@cells(200, "invite_users", "get_users")
def test_the_server_recovers(engine: str, new_cluster: Callable[[], Cluster], demo: Callable[..., Throng], new_folder: Callable[[], Path]) -> None:
    """Who was invited is there, who was refused is not and got no mail, and inviting goes on."""
    folder = new_folder()
    cluster = new_cluster() if engine == "postgres" else None
    server = demo(*(["--database-url", create_database(cluster.url)] if cluster else []), data=folder)
    ods = Ods(server)
    kept = ods.person(first_name="Louise", permissions=["edit_page"])
    lost = unique("lost")

    def refuse_writes() -> ApiException | None:
        try:
            ods.users.invite_users([User(email=email(f"{lost}{unique()}"))])
        except ApiException as error:
            return error
        return None

    if cluster:
        cluster.stop()
        error = wait_until(refuse_writes, FAILURE_SECONDS, "an invitation answers 500")
        assert error.status == 500
        cluster.start()
    else:
        # A lock that a backup program might take; the server waits or refuses, and never answers 200 without having written.
        with sqlite3.connect(folder / "throng.db", timeout=30, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            error = refuse_writes()
            other.execute("ROLLBACK")
        assert error is not None and error.status == 500

    def invites() -> list[User] | None:
        try:
            return ods.invite(User(email=email()))
        except ApiException as error:
            assert error.status == 500, error
            return None

    (user,) = wait_until(invites, RECOVERY_SECONDS, "the server invites again")
    assert ods.users.get_user(kept.username) == kept
    assert ods.users.get_users(search=lost).total_count == 0
    recipients = [mail["recipient"] for mail in scene.mails(server)]
    assert {kept.email, user.email} <= set(recipients) and not [recipient for recipient in recipients if lost in recipient]
    assert server.terminate() == 0, server.describe()
