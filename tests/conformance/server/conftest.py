"""Fixtures of what the server does by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from a2.client import ThrongA2
from server.mail import FROM, FROM_NAME, Start
from support.process import Throng
from support.site import Site
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


@pytest.fixture
def start(new_site: Callable[[], Site]) -> Iterator[Start]:
    """A server that mails by this URL, with more settings where the test has some."""
    servers: list[Throng] = []

    def run(url: str, *settings: str, site: Site | None = None) -> ThrongA2:
        given = [f"mail.smtp_url={url}", f"mail.from={FROM_NAME} <{FROM}>", "outbound.allow=127.0.0.1/32", "rate_limit.a2=off", *settings]
        server = (site or new_site()).serve(*(word for setting in given for word in ("--set", setting)))
        servers.append(server)
        return ThrongA2(server)

    yield run
    for server in servers:
        if server.process.poll() is None:
            assert server.terminate() == 0, server.describe()
