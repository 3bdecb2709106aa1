"""The wall between workspaces: a token of one is nobody in another, and an address may have an account in each."""

from __future__ import annotations

import pytest

from a2.client import PASSWORD, Account, ThrongA2, answered, refused, registration, unique_email
from support import native
from support.process import Throng


@pytest.fixture(scope="module")
def acme(server: Throng) -> ThrongA2:
    """The dialect in a second workspace, with an administrator of its own."""
    slug = "acme-" + unique_email("x")[2:14]
    made = native.call(server, "POST", "/workspaces", {"slug": slug, "name": "Acme"})
    email = unique_email("acme-admin")
    native.account_create(server, email, PASSWORD, "admin", token=made["token"])
    there = ThrongA2(server, f"{server.url}/w/{slug}/a2")
    there.admin_email, there.admin_password = email, PASSWORD
    return there


@pytest.mark.conformance(operation="get_current_user", status=401)
@pytest.mark.conformance(operation="update_user_data", status=401)
@pytest.mark.conformance(operation="update_user_budget", status=401)
@pytest.mark.conformance(operation="get_all_users", status=401)
@pytest.mark.conformance(operation="delete_user", status=401)
@pytest.mark.conformance(operation="get_activity_logs", status=401)
@pytest.mark.conformance(operation="logout", status=401)
def test_a_token_of_another_workspace(a2: ThrongA2, acme: ThrongA2, ann: Account) -> None:
    eve = acme.account()
    for token in (ann.token, a2.admin):
        for method, path in (("GET", "/users/me"), ("GET", "/users"), ("GET", "/activity-logs"), ("POST", "/auth/jwt/logout")):
            refused(acme.request(method, path, token=token), 401, "Unauthorized")
        for method, path in (("PATCH", "/user/info"), ("PATCH", "/user/budget"), ("DELETE", "/users")):
            refused(acme.request(method, path, json_body={"id": ann.id, "name": "Somebody"}, token=token), 401, "Unauthorized")
    # The bare mount names no workspace: the token alone says which, and nothing of another is behind it.
    assert answered(a2.me(eve.token), 200) == answered(acme.me(eve.token), 200)
    assert answered(a2.get("/users", acme.admin), 200) == answered(acme.get("/users", acme.admin), 200)
    for method, path in (("PATCH", "/user/info"), ("PATCH", "/user/budget"), ("DELETE", "/users")):
        refused(a2.request(method, path, json_body={"id": ann.id, "name": "Somebody"}, token=acme.admin), 404, "Not Found")
    # Nothing was ended by asking at the wrong door.
    for there, token in ((a2, ann.token), (a2, a2.admin), (acme, eve.token), (acme, acme.admin)):
        answered(there.me(token), 200)


@pytest.mark.conformance(operation="register", status=201)
@pytest.mark.conformance(operation="login", status=400)
@pytest.mark.conformance(operation="get_all_users", status=200)
def test_one_address_in_two_workspaces(a2: ThrongA2, acme: ThrongA2, ann: Account) -> None:
    user = answered(acme.post("/auth/register", registration(ann.email, password="her other password")), 201)
    assert user["id"] != ann.id
    refused(acme.login(ann.email), 400, "LOGIN_BAD_CREDENTIALS")
    refused(a2.login(ann.email, "her other password"), 400, "LOGIN_BAD_CREDENTIALS")
    assert [found["id"] for found in answered(acme.get("/users", acme.admin), 200) if found["email"] == ann.email] == [user["id"]]
    assert ann.id not in acme.get("/users", acme.admin).text


@pytest.mark.conformance(operation="get_all_users", status=200)
@pytest.mark.conformance(operation="update_user_data", status=404)
@pytest.mark.conformance(operation="update_user_budget", status=404)
@pytest.mark.conformance(operation="delete_user", status=404)
@pytest.mark.conformance(operation="privacy_consent_upsert", status=404)
@pytest.mark.conformance(operation="privacy_consent_get", status=404)
def test_an_id_of_another_workspace_is_nobody(a2: ThrongA2, acme: ThrongA2, ann: Account) -> None:
    assert answered(acme.get(f"/users?id={ann.id}", acme.admin), 200) == []
    refused(acme.patch("/user/info", {"id": ann.id, "name": "Somebody"}, acme.admin), 404, "Not Found")
    refused(acme.patch("/user/budget", {"id": ann.id, "budget": 5}, acme.admin), 404, "Not Found")
    refused(acme.request("DELETE", "/users", json_body={"id": ann.id}, token=acme.admin), 404, "Not Found")
    refused(acme.post("/privacy/consents", {"email": ann.email, "user_id": ann.id, "policy_version": "1", "is_agreed": True}), 404, "Not Found")
    refused(acme.get(f"/privacy/consents/{ann.id}"), 404, "Not Found")
    assert answered(a2.me(ann.token), 200)["name"] == "Ann Lee"


@pytest.mark.conformance(operation="reset_password", status=400)
@pytest.mark.conformance(operation="verify", status=400)
def test_a_mail_of_another_workspace_opens_nothing(a2: ThrongA2, acme: ThrongA2, ann: Account) -> None:
    refused(acme.post("/auth/reset-password", {"token": a2.reset_token(ann.email), "password": "her other password"}), 400, "RESET_PASSWORD_BAD_TOKEN")
    refused(acme.post("/auth/verify", {"token": a2.verify_token(ann.email)}), 400, "VERIFY_USER_BAD_TOKEN")
    assert a2.token(ann.email)


@pytest.mark.conformance(operation="login", status=404)
def test_a_workspace_that_is_none(a2: ThrongA2) -> None:
    there = ThrongA2(a2.server, f"{a2.server.url}/w/nobody/a2")
    assert there.login("ann@example.com").status == 404
