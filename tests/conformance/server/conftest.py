"""Fixtures of what the server does by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.smtp import ACCEPT, Certificates, MailServer


@pytest.fixture(scope="session")
def certificates(new_folder: Callable[[], Path]) -> Certificates:
    return Certificates(new_folder())


@pytest.fixture
def smtp() -> Iterator[Callable[[MailServer], MailServer]]:
    """Starts an SMTP server and makes sure that it ends."""
    started: list[MailServer] = []

    def run(server: MailServer) -> MailServer:
        started.append(server.start())
        return server

    yield run
    for server in started:
        # Whoever is stalled is let go.
        server.behaviour = ACCEPT
        server.stop()
