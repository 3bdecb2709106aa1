"""429: in the vendor's shape, with Retry-After, for each key on its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from support.process import Throng
from sunshine.app import App, app_of, assert_refused
from sunshine.clients import Answer, Client
from sunshine.operations import ALL_CALLS, NOTHING, cells, each

LIMIT = 5
# Well above the limit, even if it is refilled while the calls go out.
CALLS_MAX = LIMIT * 4


@pytest.fixture(scope="module")
def limited(demo: Callable[..., Throng], new_database: Callable[[], list[str]]) -> Iterator[App]:
    server = demo(*new_database(), "--rate-limit", f"sunshine={LIMIT}/min")
    yield app_of(server)
    assert server.terminate() == 0, server.describe()


def impatient(client: Client, app: App) -> Client:
    """One that tells what it was answered: by itself a Python one sleeps and asks again."""
    retries = {"retries": False} if client.is_python else {}
    return client.at(app).configured(username=app.key_id, password=app.secret, **retries)


def call_until_limited(call: Callable[[], Answer]) -> tuple[Answer, int]:
    """The answer with status 429, and how many calls were answered otherwise before."""
    for answered in range(CALLS_MAX):
        answer = call()
        if answer.status == 429:
            return answer, answered
    raise AssertionError(f"{CALLS_MAX} calls and no 429")


@pytest.mark.parametrize("operation", each(429, ALL_CALLS))
def test_too_many_calls(client: Client, limited: App, operation: str) -> None:
    caller = impatient(client, limited)
    answer, _ = call_until_limited(lambda: ALL_CALLS[operation](caller, NOTHING))
    assert_refused(answer, 429, "too_many_requests")
    assert 1 <= int(answer.headers["retry-after"]) <= 60


@cells(429, "get_app")
@cells(200, "get_app")
def test_the_limit_is_what_was_asked_for_and_each_keys_own(client: Client, demo: Callable[..., Throng], new_database: Callable[[], list[str]]) -> None:
    server = demo(*new_database(), "--rate-limit", f"sunshine={LIMIT}/min")
    app = app_of(server)
    key = app.json("POST", "/keys", {"displayName": "Second"}, 201)["key"]
    caller = impatient(client, app)
    # One of the five is gone for the key.
    _, answered = call_until_limited(lambda: caller.answer("get_app"))
    assert LIMIT - 1 <= answered <= LIMIT
    second = caller.configured(username=key["id"], password=key["secret"], **({"retries": False} if client.is_python else {}))
    _, answered = call_until_limited(lambda: second.answer("get_app"))
    assert LIMIT <= answered <= LIMIT + 1
    assert server.terminate() == 0, server.describe()


@cells(200, "get_app")
def test_a_demo_has_no_limit(app: App) -> None:
    for _ in range(300):
        assert app.send("GET", "").status == 200
