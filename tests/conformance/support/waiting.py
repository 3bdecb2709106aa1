"""Waiting for something to become true, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")
POLL_SECONDS = 0.05


def wait_until(check: Callable[[], Value], seconds: float, what: str) -> Value:
    """Polls until `check` returns something true, and returns it; fails with `what` and the last answer at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what} (last answer: {value!r})")
        time.sleep(POLL_SECONDS)
