"""429: the vendor's x-ratelimit headers, and no Retry-After, which would make the client's urllib3 sleep and repeat."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from criteo_marketing.rest import ApiException

from criteo.client import BEARER_OPERATIONS, OPERATIONS, UNKNOWN_AUDIENCE, Criteo, assert_problem, assert_token_error, each
from support.process import Throng

LIMIT = 5
WINDOW_SECONDS = 60
# Well above the limit, even if it is refilled while the calls go out.
CALLS_MAX = LIMIT * 4


@pytest.fixture(scope="module")
def limited(demo: Callable[..., Throng], new_database: Callable[[], list[str]]) -> Iterator[Criteo]:
    server = demo(*new_database(), "--rate-limit", f"criteo={LIMIT}/min")
    yield Criteo(server)
    server.terminate()


def call_until_limited(call: Callable[[], Any]) -> tuple[ApiException, int]:
    """The exception with status 429, and how many calls were answered otherwise before."""
    for answered in range(CALLS_MAX):
        try:
            call()
        except ApiException as error:
            if error.status == 429:
                return error, answered
    raise AssertionError(f"{CALLS_MAX} calls and no 429")


def assert_limited(error: ApiException) -> None:
    assert error.headers["x-ratelimit-limit"] == str(LIMIT)
    assert error.headers["x-ratelimit-remaining"] == "0"
    reset, now = int(error.headers["x-ratelimit-reset"]), time.time()
    assert now - 2 <= reset <= now + WINDOW_SECONDS + 1, f"x-ratelimit-reset {reset} is not a Unix time within a minute of {now}"
    assert "retry-after" not in error.headers


@pytest.mark.parametrize("operation", each(429, *BEARER_OPERATIONS))
def test_too_many_calls(limited: Criteo, operation: str) -> None:
    header = limited.authorization
    error, _ = call_until_limited(lambda: OPERATIONS[operation](limited, header, UNKNOWN_AUDIENCE, limited.foreign_advertiser_id))
    assert_limited(error)
    assert_problem(error.body, 429)


@pytest.mark.conformance(operation="get_audiences", status=429)
def test_the_limit_is_what_was_asked_for(demo: Callable[..., Throng], new_database: Callable[[], list[str]]) -> None:
    """On a server of its own: the first calls pass and count down, and the client raises at once, without a retry."""
    server = demo(*new_database(), "--rate-limit", f"criteo={LIMIT}/min")
    criteo = Criteo(server)
    header = criteo.authorization
    remaining = []
    for _ in range(CALLS_MAX):
        try:
            _, status, headers = criteo.audiences.get_audiences_with_http_info(header)
        except ApiException as error:
            assert error.status == 429
            break
        assert status == 200
        assert headers["x-ratelimit-limit"] == str(LIMIT)
        remaining.append(int(headers["x-ratelimit-remaining"]))
    # The token may count as a call or not, and a call comes back every twelve seconds.
    assert LIMIT - 1 <= len(remaining) <= LIMIT + 2, remaining
    assert remaining[0] in (LIMIT - 1, LIMIT - 2) and min(remaining) == 0, remaining
    error, _ = call_until_limited(lambda: criteo.audiences.get_audiences(header))
    assert_limited(error)
    server.terminate()


@pytest.mark.conformance(operation="o_auth2_token_post", status=429)
def test_too_many_tokens(limited: Criteo) -> None:
    error, _ = call_until_limited(limited.token)
    assert_limited(error)
    # RFC 6749 has no code for it; what the client's refresh needs is an object.
    assert_token_error(error.body)


@pytest.mark.conformance(operation="o_auth2_token_post", status=200)
@pytest.mark.conformance(operation="get_audiences", status=200)
def test_a_demo_has_no_limit(criteo: Criteo) -> None:
    header = criteo.authorization
    for _ in range(300):
        assert criteo.audiences.get_audiences(header, advertiser_id=criteo.advertiser_id).audiences is not None
