"""429: the quota of a credential, and the growing delay after wrong passwords, which never locks anybody out for good."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from a2.client import UNKNOWN_ID, Account, ThrongA2, answered, refused, registration, unique_email
from support.process import Throng
from support.site import Site
from support.waiting import wait_until
from support.web import Answer

LIMIT = 20
CALLS_MAX = LIMIT * 4
# The delay that a person with a typing error meets first, in seconds: a longer one would be a lock.
FIRST_DELAY_MAX = 30
FAILURES_MIN, FAILURES_MAX = 3, 30

Call = Callable[[ThrongA2, Account], Answer]
OPEN: dict[str, Call] = {
    "register": lambda a2, account: a2.post("/auth/register", registration(unique_email())),
    "login": lambda a2, account: a2.login(account.email),
    "request_password_reset": lambda a2, account: a2.post("/auth/forgot-password", {"email": unique_email()}),
    "reset_password": lambda a2, account: a2.post("/auth/reset-password", {"token": "x", "password": "a horse of nine letters"}),
    "request_verify_token": lambda a2, account: a2.post("/auth/request-verify-token", {"email": unique_email()}),
    "verify": lambda a2, account: a2.post("/auth/verify", {"token": "x"}),
    "google_sign_in": lambda a2, account: a2.post("/auth/google", {"id_token": "x"}),
    "google_authorize": lambda a2, account: a2.get("/auth/google/authorize"),
    "google_callback": lambda a2, account: a2.get("/auth/google/callback?code=x&state=x"),
    "privacy_consent_upsert": lambda a2, account: a2.post("/privacy/consents", {"email": account.email, "user_id": account.id, "policy_version": "1", "is_agreed": True}),
    "privacy_consent_get": lambda a2, account: a2.get(f"/privacy/consents/{account.id}"),
}
BEARER: dict[str, Call] = {
    "logout": lambda a2, account: a2.request("POST", "/auth/jwt/logout", token=account.token),
    "update_user_budget": lambda a2, account: a2.patch("/user/budget", {"id": UNKNOWN_ID}, account.token),
    "update_user_data": lambda a2, account: a2.patch("/user/info", {}, account.token),
    "get_all_users": lambda a2, account: a2.get("/users", account.token),
    "delete_user": lambda a2, account: a2.request("DELETE", "/users", json_body={"id": UNKNOWN_ID}, token=account.token),
    "get_current_user": lambda a2, account: a2.me(account.token),
    "get_activity_logs": lambda a2, account: a2.get("/activity-logs", account.token),
}


@pytest.fixture(scope="module")
def limited(demo: Callable[..., Throng], new_database: Callable[[], list[str]]) -> Iterator[tuple[ThrongA2, Account]]:
    server = demo(*new_database(), "--rate-limit", f"a2={LIMIT}/min")
    a2 = ThrongA2(server)
    yield a2, a2.account()
    server.terminate()


def retry_after(answer: Answer) -> int:
    refused(answer, 429, "Too Many Requests")
    seconds = answer.headers["retry-after"]
    assert seconds.isdigit() and 1 <= int(seconds) <= 3600, f"Retry-After: {seconds}"
    return int(seconds)


@pytest.mark.parametrize("operation", [pytest.param(name, marks=pytest.mark.conformance(operation=name, status=429)) for name in (*BEARER, *OPEN)])
def test_too_many_calls(limited: tuple[ThrongA2, Account], operation: str) -> None:
    """Of one account, or where nobody has signed in of one address. Signing out comes first, while the token is good."""
    a2, account = limited
    call = {**OPEN, **BEARER}[operation]
    if operation == "logout":
        # One that has had its share of calls, and so cannot even sign out.
        spent = next(answer for answer in (a2.me(account.token) for _ in range(CALLS_MAX)) if answer.status == 429)
        assert retry_after(spent) <= 60
    found = next((answer for answer in (call(a2, account) for _ in range(CALLS_MAX)) if answer.status == 429), None)
    assert found is not None, f"{CALLS_MAX} calls and no 429"
    assert retry_after(found) <= 60
    a2.server.assert_alive()


@pytest.fixture(scope="module")
def guarded(new_site: Callable[[], Site]) -> Iterator[ThrongA2]:
    """A server as it is in earnest, but without the quota, which would come first."""
    server = new_site().serve("--set", "rate_limit.a2=off")
    yield ThrongA2(server)
    assert server.terminate() == 0, server.describe()


def fail_until_throttled(a2: ThrongA2, email: str) -> tuple[Answer, int]:
    for number in range(FAILURES_MAX):
        answer = a2.login(email, "not the password")
        if answer.status == 429:
            return answer, number
        refused(answer, 400, "LOGIN_BAD_CREDENTIALS")
    raise AssertionError(f"{FAILURES_MAX} wrong passwords and no 429")


@pytest.mark.conformance(operation="login", status=429)
@pytest.mark.conformance(operation="login", status=200)
def test_guessing_is_slowed_down_and_nobody_is_locked_out(guarded: ThrongA2) -> None:
    ann, bob = guarded.account(), guarded.account()
    answer, failures = fail_until_throttled(guarded, ann.email)
    assert failures >= FAILURES_MIN, "a person may mistype a few times"
    first = retry_after(answer)
    assert first <= FIRST_DELAY_MAX
    # The right password is no better while the delay lasts, or the delay would tell which is right.
    retry_after(guarded.login(ann.email))
    # Whoever is signed in stays so, and others sign in from the same address.
    answered(guarded.me(ann.token), 200)
    assert guarded.token(bob.email)
    # No permanent lock: after what Retry-After said, the right password is right.
    since = time.monotonic()
    wait_until(lambda: guarded.login(ann.email).status == 200, first + FIRST_DELAY_MAX, "signing in after the delay")
    assert time.monotonic() - since < first + FIRST_DELAY_MAX
    # And a success ends the delays: the next mistake is a mistake and not a 429.
    refused(guarded.login(ann.email, "not the password"), 400, "LOGIN_BAD_CREDENTIALS")


@pytest.mark.conformance(operation="login", status=429)
def test_the_delay_grows(guarded: ThrongA2) -> None:
    ann = guarded.account()
    answer, _ = fail_until_throttled(guarded, ann.email)
    delays = [retry_after(answer)]

    def wrong_again() -> Answer | None:
        again = guarded.login(ann.email, "not the password")
        return again if again.status == 400 else None

    while len(delays) < 3:
        wait_until(wrong_again, delays[-1] + FIRST_DELAY_MAX, "a try after the delay")
        delays.append(retry_after(guarded.login(ann.email, "not the password")))
    assert delays[0] < delays[-1], delays


@pytest.mark.conformance(operation="login", status=429)
def test_the_unknown_are_slowed_down_alike(guarded: ThrongA2) -> None:
    """Or the delay would tell who is known."""
    known, unknown = fail_until_throttled(guarded, guarded.account().email), fail_until_throttled(guarded, unique_email())
    assert known[1] == unknown[1]
    assert abs(retry_after(known[0]) - retry_after(unknown[0])) <= 1


@pytest.mark.conformance(operation="get_current_user", status=200)
def test_a_demo_has_no_limit(a2: ThrongA2, ann: Account) -> None:
    for _ in range(300):
        answered(a2.me(ann.token), 200)
