"""A throw-away PostgreSQL 15 or later on a free port of 127.0.0.1.

Used by the test suites as a module and by scripts/lib.sh as a program (`postgres.py start DIR`, `postgres.py stop DIR`),
so that there is one way to start it. Standard library only. It is not a way to run a real database: connections are
trusted and the folder is thrown away. fsync stays on, as the crash tests mean what they say.

As root, which PostgreSQL refuses to run as, the server runs as the user `postgres` that the Debian package made.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

START_SECONDS = 60
START_TRIES = 5
USER = "postgres"


def binaries() -> Path:
    """The folder of initdb, pg_ctl and psql: THRONG_PG_BIN, else where Debian puts them."""
    candidates = [os.environ["THRONG_PG_BIN"]] if os.environ.get("THRONG_PG_BIN") else [f"/usr/lib/postgresql/{version}/bin" for version in (15, 16, 17, 18)]
    for candidate in candidates:
        folder = Path(candidate)
        if all((folder / name).exists() for name in ("initdb", "pg_ctl", "psql")):
            return folder
    raise RuntimeError(f"no PostgreSQL 15 or later in {', '.join(candidates)}; scripts/test installs it, or set THRONG_PG_BIN")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def run(*command: str | Path) -> str:
    """Runs a PostgreSQL program (as `postgres` when root) and returns what it printed; raises with its output on failure."""
    words = [str(word) for word in command]
    if os.getuid() == 0:
        words = ["runuser", "-u", USER, "--", *words]
    # Output goes through a file: a server started by pg_ctl keeps its inherited descriptors open, and a pipe would never end.
    with tempfile.TemporaryFile() as output:
        code = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd="/", check=False).returncode
        output.seek(0)
        text = output.read().decode(errors="replace")
    if code != 0:
        raise RuntimeError(f"{' '.join(words)} failed with exit code {code}:\n{text}")
    return text


class Cluster:
    """One PostgreSQL server in `folder`, which must exist and be empty the first time."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.data = self.folder / "data"
        self.port: int | None = None

    @property
    def url(self) -> str:
        """Of the maintenance database; `create_database` gives a fresh one."""
        return f"postgres://{USER}@127.0.0.1:{self.port}/postgres"

    def start(self) -> "Cluster":
        """Initialises the folder at the first call. A later call comes back on the same port."""
        if not self.data.exists():
            if os.getuid() == 0:
                shutil.chown(self.folder, USER)
            run(binaries() / "initdb", "-D", self.data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        tries = START_TRIES if self.port is None else 1
        for attempt in range(1, tries + 1):
            port = self.port or free_port()
            # The socket folder is this cluster's own; a socket's path may have at most 107 bytes, which a temporary folder keeps to.
            options = f"-p {port} -k '{self.folder}' -c listen_addresses=127.0.0.1 -c max_connections=300"
            try:
                run(binaries() / "pg_ctl", "-D", self.data, "-l", self.folder / "log", "-w", "-t", START_SECONDS, "-o", options, "start")
            except RuntimeError as error:
                # Somebody else may have taken the port between asking for it and using it.
                if attempt == tries:
                    log = self.folder / "log"
                    raise RuntimeError(f"{error}\n{log.read_text(errors='replace') if log.exists() else ''}") from error
                continue
            self.port = port
            break
        return self

    def stop(self) -> None:
        """At once, as a crash would: what was not durable is lost."""
        run(binaries() / "pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")

    def running(self) -> bool:
        return (self.data / "postmaster.pid").exists()


def sql(url: str, statement: str) -> str:
    """Runs one statement through psql and returns its unaligned output."""
    return run(binaries() / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statement)


def create_database(url: str) -> str:
    """Makes an empty database on the server of `url` and returns the new database's URL."""
    name = f"throng_{uuid.uuid4().hex}"
    sql(url, f"CREATE DATABASE {name}")
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{name}"))


def drop_database(url: str, database: str) -> None:
    sql(url, f"DROP DATABASE IF EXISTS {urlsplit(database).path[1:]} WITH (FORCE)")


def main(arguments: list[str]) -> int:
    match arguments:
        case ["start", folder]:
            print(Cluster(Path(folder)).start().url)
        case ["stop", folder]:
            Cluster(Path(folder)).stop()
        case _:
            print("usage: postgres.py start|stop DIR", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
