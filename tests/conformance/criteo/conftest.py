"""Fixtures of the Criteo suite."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from criteo.client import Criteo, unique
from support import native
from support.process import Throng


@pytest.fixture(scope="session")
def criteo(server: Throng) -> Criteo:
    # What CONFORMANCE.md says it is.
    assert (version("criteo-marketing"), version("urllib3")) == ("1.0.171", "2.8.0")
    return Criteo(server)


@pytest.fixture
def audience(criteo: Criteo) -> int:
    """A new, empty audience."""
    return criteo.create()


@pytest.fixture(scope="session")
def foreign_audience(server: Throng, criteo: Criteo) -> int:
    """An audience of an advertiser outside the client's portfolio, made natively: the dialect cannot reach there."""
    return native.audience_create(server, criteo.foreign_advertiser_id, unique("foreign"))
