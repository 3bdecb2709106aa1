"""Fixtures of the A2 suite: Throng, and the application that it is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from a2.client import Account, ReferenceA2, ThrongA2
from a2.reference import Reference
from support.process import Throng


@pytest.fixture(scope="session")
def reference(new_folder: Callable[[], Path]) -> Iterator[ReferenceA2]:
    # What CONFORMANCE.md says it is.
    assert (version("fastapi-users"), version("fastapi")) == ("15.0.5", "0.165.0")
    process = Reference(new_folder())
    yield ReferenceA2(process)
    process.stop()


@pytest.fixture(scope="session")
def a2(server: Throng) -> ThrongA2:
    return ThrongA2(server)


@pytest.fixture
def ann(a2: ThrongA2) -> Account:
    """An advertiser who has just registered and signed in."""
    return a2.account()


@pytest.fixture
def retailer(a2: ThrongA2) -> Account:
    return a2.retailer()
