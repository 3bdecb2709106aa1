"""500: the storage goes away under a running server. Each operation answers in the dialect's shape and leaks nothing.

How it goes away on each engine, and that the server comes back, is told in criteo/test_outage.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from a2.client import Account, ThrongA2, refused, registration, unique_email
from support.outage import FAILURE_SECONDS, destroy
from support.postgres import Cluster, create_database
from support.process import Throng
from support.waiting import wait_until
from support.web import Answer

LEAKS = ("sqlite", "postgres", "database disk image", "panicked", "connection refused", "os error", "127.0.0.1", ".rs")


@dataclass
class Outage:
    """A server without its storage, and what it had handed out before."""

    a2: ThrongA2
    ann: Account
    reset: str
    verify: str


OPERATIONS: dict[str, Callable[[Outage], Answer]] = {
    "register": lambda it: it.a2.post("/auth/register", registration(unique_email())),
    "login": lambda it: it.a2.login(it.ann.email),
    "logout": lambda it: it.a2.post("/auth/jwt/logout", token=it.ann.token),
    "request_password_reset": lambda it: it.a2.post("/auth/forgot-password", {"email": it.ann.email}),
    "reset_password": lambda it: it.a2.post("/auth/reset-password", {"token": it.reset, "password": "a horse of nine letters"}),
    "request_verify_token": lambda it: it.a2.post("/auth/request-verify-token", {"email": it.ann.email}),
    "verify": lambda it: it.a2.post("/auth/verify", {"token": it.verify}),
    "privacy_consent_upsert": lambda it: it.a2.post("/privacy/consents", {"email": it.ann.email, "user_id": it.ann.id, "policy_version": "1", "is_agreed": True}),
    "privacy_consent_get": lambda it: it.a2.get(f"/privacy/consents/{it.ann.id}"),
    "update_user_budget": lambda it: it.a2.patch("/user/budget", {"id": it.ann.id, "budget": 5}, it.a2.admin),
    "update_user_data": lambda it: it.a2.patch("/user/info", {"name": "Ann Smith"}, it.ann.token),
    "get_all_users": lambda it: it.a2.get("/users", it.a2.admin),
    "delete_user": lambda it: it.a2.request("DELETE", "/users", json_body={"id": it.ann.id}, token=it.a2.admin),
    "get_current_user": lambda it: it.a2.me(it.ann.token),
    "get_activity_logs": lambda it: it.a2.get("/activity-logs", it.a2.admin),
}


@pytest.fixture(scope="module")
def outage(engine: str, new_cluster: Callable[[], Cluster], demo: Callable[..., Throng], new_folder: Callable[[], Path]) -> Iterator[Outage]:
    cluster = new_cluster() if engine == "postgres" else None
    folder = new_folder()
    server = demo(*(["--database-url", create_database(cluster.url)] if cluster else []), data=folder)
    a2 = ThrongA2(server)
    ann = a2.account()
    outage = Outage(a2, ann, a2.reset_token(ann.email), a2.verify_token(ann.email))
    assert a2.admin
    if cluster:
        cluster.stop()
    else:
        destroy(folder / "throng.db")
    yield outage
    server.kill()


@pytest.mark.parametrize("operation", [pytest.param(name, marks=pytest.mark.conformance(operation=name, status=500)) for name in OPERATIONS])
def test_without_storage(outage: Outage, operation: str) -> None:
    def fails() -> Answer | None:
        answer = OPERATIONS[operation](outage)
        # Nothing but success (from a cache, in the first seconds) or failure: no refusal that a caller would believe.
        assert answer.status < 300 or answer.status == 500, f"{operation} answered {answer.status}: {answer.text}"
        return answer if answer.status == 500 else None

    answer = wait_until(fails, FAILURE_SECONDS, f"{operation} answers 500 without its storage")
    assert answer is not None
    refused(answer, 500, "Internal Server Error")
    assert not [word for word in LEAKS if word in answer.text.lower()]
    outage.a2.server.assert_alive()
