"""Fixtures of the Opendatasoft suite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from opendatasoft import scene
from opendatasoft.client import Ods, Target
from support.process import Throng


@pytest.fixture(scope="session")
def ods(server: Throng) -> Ods:
    # What CONFORMANCE.md says it is.
    assert (version("openapi-generator-cli"), version("pydantic"), version("urllib3")) == ("7.26.0", "2.14.3", "2.8.0")
    return Ods(server)


@pytest.fixture
def target(ods: Ods) -> Target:
    """A user, a group with this user in it, and a key: all new."""
    return scene.target_create(ods)


@pytest.fixture(scope="session")
def other(server: Throng) -> scene.Workspace:
    return scene.workspace_create(server)


Serve = Callable[..., Ods]


@pytest.fixture(scope="module")
def serve(demo: Callable[..., Throng], launch: Callable[..., Throng], new_database: Callable[[], list[str]], new_folder: Callable[[], Path]) -> Iterator[Serve]:
    """Starts a server with what only `throng serve` takes, on data that a demo made: the demo's key is good there."""
    started: list[Throng] = []

    def start(*arguments: str) -> Ods:
        folder, database = new_folder(), new_database()
        first = demo(*database, data=folder)
        assert first.terminate() == 0, first.describe()
        second = scene.start_again(launch, first, folder, database, *arguments)
        started.append(second.server)
        return second

    yield start
    for server in started:
        assert server.terminate() == 0, server.describe()
