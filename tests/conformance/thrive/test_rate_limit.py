"""429: in the vendor's shape, for each caller on its own. The documentation names no header for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import requests

from support.process import Throng
from thrive import scene
from thrive.client import ALL_OPERATIONS, NOTHING, SECONDS, Thrive, assert_error, assert_token_error, each

LIMIT = 5
# Well above the limit, even if it is refilled while the calls go out.
CALLS_MAX = LIMIT * 4


@pytest.fixture(scope="module")
def limited(demo: Callable[..., Throng], new_database: Callable[[], list[str]]) -> Iterator[Thrive]:
    server = demo(*new_database(), "--rate-limit", f"thrive={LIMIT}/min")
    yield Thrive(server)
    assert server.terminate() == 0, server.describe()


def call_until_limited(call: Callable[[], requests.Response]) -> tuple[requests.Response, int]:
    """The answer with status 429, and how many calls were answered otherwise before."""
    for answered in range(CALLS_MAX):
        answer = call()
        if answer.status_code == 429:
            return answer, answered
    raise AssertionError(f"{CALLS_MAX} calls and no 429")


@pytest.mark.parametrize("operation", each(429, *ALL_OPERATIONS))
def test_too_many_calls(limited: Thrive, operation: str) -> None:
    answer, _ = call_until_limited(lambda: ALL_OPERATIONS[operation](limited, NOTHING))
    assert_error(answer, 429)


@pytest.mark.parametrize("operation", each(429, "oauth2_token_public", "oauth2_token_webhooks"))
def test_too_many_tokens(limited: Thrive, operation: str) -> None:
    """Whoever guesses at a secret is not counted, and is told nothing but 401."""
    settings = limited.server.ready["thrive"]
    url = limited.token_url if operation == "oauth2_token_public" else limited.user_token_url

    def call(secret: str) -> requests.Response:
        form = {"grant_type": "client_credentials", "client_id": settings["client_id"], "client_secret": secret}
        return requests.post(url, data=form, timeout=SECONDS)

    answer, _ = call_until_limited(lambda: call(settings["client_secret"]))
    # RFC 6749 has no code for it.
    assert_token_error(answer, 429)
    assert_token_error(call("wrong"), 401)


@pytest.mark.conformance(operation="list_audiences", status=429)
@pytest.mark.conformance(operation="list_audiences", status=200)
def test_the_limit_is_what_was_asked_for_and_each_callers_own(demo: Callable[..., Throng], new_database: Callable[[], list[str]]) -> None:
    server = demo(*new_database(), "--rate-limit", f"thrive={LIMIT}/min")
    own = Thrive(server)
    for caller in (own, scene.credential_create(own).thrive):
        answer, answered = call_until_limited(lambda caller=caller: caller.send("GET", "/audiences", perPage=1))
        assert_error(answer, 429)
        # A call comes back every twelve seconds.
        assert LIMIT <= answered <= LIMIT + 1
    assert server.terminate() == 0, server.describe()


@pytest.mark.conformance(operation="list_audiences", status=200)
def test_a_demo_has_no_limit(thrive: Thrive) -> None:
    for _ in range(300):
        assert thrive.send("GET", "/audiences", perPage=1).status_code == 200
