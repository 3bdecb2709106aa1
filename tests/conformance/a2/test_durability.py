"""What was answered is kept: `kill -9`, another start on the same data, and the same tokens, ended ones included."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from a2.client import OTHER_PASSWORD, ThrongA2, answered, refused
from support import native
from support.site import Site


@pytest.mark.conformance(operation="register", status=201)
@pytest.mark.conformance(operation="login", status=200)
@pytest.mark.conformance(operation="logout", status=204)
@pytest.mark.conformance(operation="request_password_reset", status=202)
@pytest.mark.conformance(operation="reset_password", status=200)
@pytest.mark.conformance(operation="reset_password", status=400)
@pytest.mark.conformance(operation="verify", status=200)
@pytest.mark.conformance(operation="privacy_consent_upsert", status=200)
@pytest.mark.conformance(operation="privacy_consent_get", status=200)
@pytest.mark.conformance(operation="update_user_budget", status=200)
@pytest.mark.conformance(operation="update_user_data", status=200)
@pytest.mark.conformance(operation="get_all_users", status=200)
@pytest.mark.conformance(operation="delete_user", status=200)
@pytest.mark.conformance(operation="get_activity_logs", status=200)
def test_everything_survives_kill_9(new_site: Callable[[], Site]) -> None:
    site = new_site()
    first = site.serve("--set", "rate_limit.a2=off")
    a2 = ThrongA2(first)
    ann, bob, cid, dee = (a2.account() for _ in range(4))
    answered(a2.patch("/user/info", {"name": "Ann Smith", "preferences": {"etc": {"language": "en"}, "new": {"a": 1}}}, ann.token), 200)
    answered(a2.patch("/user/budget", {"id": ann.id, "budget": 12.25, "credit": 3}, a2.admin), 200)
    consent = answered(a2.post("/privacy/consents", {"email": ann.email, "user_id": ann.id, "policy_version": "1", "is_agreed": True}), 200)
    a2.verified(ann)
    used, unused = a2.reset_token(bob.email), a2.reset_token(cid.email)
    answered(a2.post("/auth/reset-password", {"token": used, "password": OTHER_PASSWORD}), 200)
    answered(a2.request("DELETE", "/users", json_body={"id": dee.id}, token=a2.admin), 200)
    signed_out = a2.token(ann.email)
    assert a2.post("/auth/jwt/logout", token=signed_out).status == 204
    users = answered(a2.get("/users", a2.admin), 200)
    logs = answered(a2.get("/activity-logs?limit=1000", a2.admin), 200)
    mails = native.outbox(first, cid.email)
    first.kill()

    second = site.serve("--set", "rate_limit.a2=off")
    again = ThrongA2(second)
    # The tokens of before: good ones are good, ended ones are ended.
    assert answered(again.get("/users", a2.admin), 200) == users
    assert answered(again.me(ann.token), 200)["name"] == "Ann Smith"
    for token in (signed_out, bob.token, dee.token):
        refused(again.me(token), 401, "Unauthorized")
    assert again.token(bob.email, OTHER_PASSWORD)
    refused(again.login(dee.email), 400, "LOGIN_BAD_CREDENTIALS")
    assert answered(again.get(f"/privacy/consents/{ann.id}"), 200) == [consent]
    known = answered(again.get("/activity-logs?limit=1000", again.admin), 200)
    assert [entry for entry in known if entry["no"] <= logs[0]["no"]] == logs
    assert native.outbox(second, cid.email) == mails
    # A used mail stays used, an unused one is still good.
    refused(again.post("/auth/reset-password", {"token": used, "password": "a third horse of nine"}), 400, "RESET_PASSWORD_BAD_TOKEN")
    answered(again.post("/auth/reset-password", {"token": unused, "password": OTHER_PASSWORD}), 200)
    assert again.token(cid.email, OTHER_PASSWORD)
    assert second.terminate() == 0, second.describe()
