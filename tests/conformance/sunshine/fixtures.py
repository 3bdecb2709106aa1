"""Fixtures of what links, hears and tells; conftest.py takes them in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from sunshine.clients import Driver
from sunshine.providers import Account
from sunshine.stage import Scene, Stage, Workspace, client_for
from support.receiver import Receiver
from support.site import Site


@pytest.fixture(scope="session")
def new_stage(new_site: Callable[[], Site]) -> Iterator[Callable[[], Stage]]:
    """Makes a server with providers that a test may kill and start again."""
    made: list[Stage] = []

    def start() -> Stage:
        made.append(Stage(new_site()))
        return made[-1]

    yield start
    for stage in made:
        try:
            if stage.server.process.poll() is None:
                assert stage.server.terminate() == 0, stage.server.describe()
        finally:
            stage.close()


@pytest.fixture(scope="session")
def shared_stage(new_stage: Callable[[], Stage]) -> Stage:
    return new_stage()


@pytest.fixture
def stage(shared_stage: Stage) -> Iterator[Stage]:
    """The one that most tests share. Whatever a test did, no provider was sent what it does not understand."""
    yield shared_stage
    faults = shared_stage.faults()
    assert not faults, faults


@pytest.fixture
def workspace(stage: Stage, driver: Callable[[str], Driver], request: pytest.FixtureRequest) -> Workspace:
    """An app of the test's own, driven by one of the vendor's clients."""
    return Workspace.create(stage, driver, client_for(request.node.nodeid))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    receiver.status = 200
    yield receiver
    receiver.close()


Play = Callable[..., Scene]


@pytest.fixture
def play(workspace: Workspace, receiver: Receiver) -> Play:
    """Makes a scene on a channel; `account` is a new one, if none is given."""

    def make(kind: str, account: Account | None = None, configured: bool = True) -> Scene:
        standin = workspace.stage.standins[kind]
        return Scene(workspace, standin, account or standin.account(), receiver, configured)

    return make
