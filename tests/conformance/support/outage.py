"""Taking a server's storage away: what it takes on SQLite."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from support.waiting import wait_until

# What a process may go on knowing without its database, and for how long: a credential, for five seconds.
FAILURE_SECONDS = 30


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
