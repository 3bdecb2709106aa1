"""Fixtures of the suite: the app that most tests share, one of a test's own, and each of the vendor's clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from sunshine.app import App, app_create, app_of
from sunshine.clients import NAMES, Client, Driver
from sunshine.fixtures import new_stage, play, receiver, shared_stage, stage, workspace  # noqa: F401 - fixtures
from support.process import Throng


@pytest.fixture(scope="session")
def app(server: Throng) -> App:
    """The demo's."""
    return app_of(server)


@pytest.fixture
def own_app(server: Throng) -> App:
    """A new one, in a workspace of its own."""
    return app_create(server)


@pytest.fixture(scope="session")
def driver() -> Iterator[Callable[[str], Driver]]:
    """The process of a client, started when it is first asked for."""
    started: dict[str, Driver] = {}

    def of(name: str) -> Driver:
        if name not in started:
            started[name] = Driver(name)
        return started[name]

    yield of
    for one in started.values():
        one.stop()


@pytest.fixture(params=NAMES)
def client(request: pytest.FixtureRequest, driver: Callable[[str], Driver], app: App) -> Client:
    """Each of the vendor's clients at the demo's app, with Basic."""
    return Client.of(request.param, driver(request.param), app)
