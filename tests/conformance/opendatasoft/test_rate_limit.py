"""429: in the vendor's shape, and without Retry-After, which would make the client's urllib3 sleep and repeat."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opendatasoft_automation import ApiException

from opendatasoft import scene
from opendatasoft.client import NOWHERE, OPERATIONS, Ods, assert_error, assert_refused, each
from support.process import Throng

LIMIT = 3
# Well above the limit, even if it is refilled while the calls go out.
CALLS_MAX = LIMIT * 4
# A client that sleeps until the minute is over takes longer.
AT_ONCE_SECONDS = 10


@pytest.fixture(scope="module")
def limited(demo: Callable[..., Throng], new_database: Callable[[], list[str]]) -> Iterator[Ods]:
    server = demo(*new_database(), "--rate-limit", f"opendatasoft={LIMIT}/min")
    yield Ods(server)
    assert server.terminate() == 0, server.describe()


def call_until_limited(call: Callable[[], Any]) -> tuple[ApiException, int]:
    """The exception with status 429, and how many calls were answered otherwise before."""
    for answered in range(CALLS_MAX):
        try:
            call()
        except ApiException as error:
            if error.status == 429:
                return error, answered
    raise AssertionError(f"{CALLS_MAX} calls and no 429")


@pytest.mark.parametrize("operation", each(429, *OPERATIONS))
def test_too_many_calls(limited: Ods, operation: str) -> None:
    started = time.monotonic()
    error, _ = call_until_limited(lambda: OPERATIONS[operation](limited, NOWHERE))
    assert time.monotonic() - started < AT_ONCE_SECONDS
    assert "retry-after" not in error.headers
    assert error.data is not None, f"the client cannot read this error: {error.body!r}"
    assert_error(error.body, 429, "too_many_requests")


@pytest.mark.conformance(operation="get_users", status=429)
@pytest.mark.conformance(operation="get_users", status=200)
def test_the_limit_is_what_was_asked_for_and_each_keys_own(demo: Callable[..., Throng], new_database: Callable[[], list[str]]) -> None:
    """On a server of its own. Whichever way a key is sent, it is the same key."""
    server = demo(*new_database(), "--rate-limit", f"opendatasoft={LIMIT}/min")
    ods = Ods(server)
    account = scene.account_create(server, permissions=["edit_domain"])
    keys = [scene.key_create(server, account, "edit_domain") for _ in range(2)]
    for key in keys:
        _, answered = call_until_limited(lambda key=key: Ods(server, key).users.get_users())
        # A call comes back every twenty seconds.
        assert LIMIT <= answered <= LIMIT + 1
        for path in ("/users/export/", f"/users/?apikey={key}", "/groups/"):
            assert_refused(ods.with_key(key).raw("GET", path), 429, "too_many_requests")
    assert ods.users.get_users(limit=0).total_count > 0
    assert server.terminate() == 0, server.describe()


@pytest.mark.conformance(operation="get_users", status=200)
def test_a_demo_has_no_limit(ods: Ods) -> None:
    for _ in range(300):
        assert ods.users.get_users(limit=0).total_count > 0
