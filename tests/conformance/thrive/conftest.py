"""Fixtures of the Thrive suite."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from support.process import Throng
from thrive import scene
from thrive.client import Target, Thrive


@pytest.fixture(scope="session")
def thrive(server: Throng) -> Thrive:
    # What CONFORMANCE.md says it is.
    assert (version("requests"), version("Authlib")) == ("2.34.2", "1.9.10")
    return Thrive(server)


@pytest.fixture
def target(thrive: Thrive) -> Target:
    """A structure, a child, and a user who is a member and a manager of it: all new."""
    return scene.target_create(thrive)


@pytest.fixture(scope="session")
def other(server: Throng) -> scene.Workspace:
    return scene.workspace_create(server)


@pytest.fixture(scope="module")
def people(thrive: Thrive) -> list[str]:
    """Users for the tests of a file that only put them into audiences; by reference."""
    return thrive.users(8)
