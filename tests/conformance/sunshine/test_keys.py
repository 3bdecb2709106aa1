"""Keys: the app's, and those of a custom integration. Ten at most; a deleted one is nobody's within five seconds."""

from __future__ import annotations

import re
from typing import Any

import pytest

from support.waiting import wait_until
from sunshine.app import NOWHERE, UNAUTHORIZED, App, account_key, assert_refused
from sunshine.clients import Client
from sunshine.operations import cells

KEY_ID = re.compile(r"app_[0-9a-f]{24}")
# "revocation holds on every process within 5 s", and a slow machine.
REVOKED_SECONDS = 10

# What names keys: of the app, and of one integration. Each by its four operations.
APP = ("create_app_key", "list_app_keys", "get_app_key", "delete_app_key")
CUSTOM = ("create_custom_integration_key", "list_custom_integration_keys", "get_custom_integration_key", "delete_custom_integration_key")


@pytest.fixture(params=["app", "custom"])
def owner(request: pytest.FixtureRequest, own_app: App) -> tuple[tuple[str, ...], list[str]]:
    """The operations, and what their paths begin with."""
    if request.param == "app":
        return APP, []
    return CUSTOM, [own_app.integration("custom")["id"]]


@cells(201, "create_app_key", "create_custom_integration_key")
@cells(200, "list_app_keys", "list_custom_integration_keys", "get_app_key", "get_custom_integration_key", "delete_app_key", "delete_custom_integration_key")
@cells(404, "get_app_key", "delete_app_key", "get_custom_integration_key", "delete_custom_integration_key")
@cells(401, "get_user")
def test_the_life_of_one(client: Client, own_app: App, owner: tuple[tuple[str, ...], list[str]]) -> None:
    client = client.at(own_app)
    (create, listing, get, delete), of = owner
    before = client.call(listing, *of)["keys"]
    made = client.call(create, *of, {"displayName": "Nightly job"})["key"]
    assert KEY_ID.fullmatch(made["id"]) and made["displayName"] == "Nightly job" and len(made["secret"]) > 20
    assert client.call(get, *of, made["id"])["key"]["displayName"] == "Nightly job"
    listed = client.answer(listing, *of)
    assert [it["id"] for it in listed.data["keys"]] == [*(it["id"] for it in before), made["id"]]
    assert made["secret"] not in listed.body, "a secret is shown once"
    assert made["secret"] not in client.answer(get, *of, made["id"]).body

    # It opens the door, by Basic and by a token that it signs; and then no more.
    user = own_app.user()
    key = own_app.with_key(made["id"], made["secret"])
    scope = "integration" if of else "app"
    callers = (client.with_key(made["id"], made["secret"]), client.with_token(key.token(scope)))
    for caller in callers:
        assert caller.call("get_user", user["id"])["user"]["id"] == user["id"]
    assert client.call(delete, *of, made["id"]) == {}
    for caller in callers:
        wait_until(lambda caller=caller: caller.answer("get_user", user["id"]).status == 401, REVOKED_SECONDS, "a deleted key is refused")
        assert caller.answer("get_user", user["id"]).json == UNAUTHORIZED
    assert client.call(listing, *of)["keys"] == before
    for operation in (get, delete):
        assert_refused(client.answer(operation, *of, made["id"]), 404, "not_found", "Key not found")
        for nothing in (f"app_{NOWHERE}", "app_x", "x", NOWHERE):
            assert_refused(client.answer(operation, *of, nothing), 404, "not_found")


@cells(400, "create_app_key", "create_custom_integration_key")
@cells(200, "list_app_keys", "list_custom_integration_keys")
def test_ten_at_most(client: Client, own_app: App, owner: tuple[tuple[str, ...], list[str]]) -> None:
    client = client.at(own_app)
    (create, listing, _, delete), of = owner
    while len(keys := client.call(listing, *of)["keys"]) < 10:
        client.call(create, *of, {"displayName": f"Key {len(keys)}"})
    assert_refused(client.answer(create, *of, {"displayName": "One more"}), 400, "bad_request", "10")
    assert client.call(listing, *of)["keys"] == keys
    client.call(delete, *of, keys[-1]["id"])
    client.call(create, *of, {"displayName": "In its place"})


@cells(400, "create_app_key", "create_custom_integration_key")
@pytest.mark.parametrize("body", [{}, {"displayName": ""}, {"displayName": None}, {"displayName": 7}, {"displayName": "x" * 101}, {"name": "x"}, [], "x"], ids=range(8))
def test_a_key_of_no_name(app: App, body: Any) -> None:
    custom = app.integration("custom")
    for path in ("/keys", f"/integrations/{custom['id']}/keys"):
        before = app.json("GET", path)
        assert_refused(app.send("POST", path, body), 400, "bad_request")
        assert app.json("GET", path) == before


@cells(404, "get_custom_integration_key", "delete_custom_integration_key", "get_app_key", "delete_app_key")
def test_keys_of_one_are_not_anothers(client: Client, own_app: App) -> None:
    client = client.at(own_app)
    first, second = own_app.integration("custom"), own_app.integration("custom")
    key = client.call("create_custom_integration_key", first["id"], {"displayName": "First"})["key"]
    own = client.call("create_app_key", {"displayName": "App"})["key"]
    for operation in ("get_custom_integration_key", "delete_custom_integration_key"):
        assert_refused(client.answer(operation, second["id"], key["id"]), 404, "not_found")
        assert_refused(client.answer(operation, first["id"], own["id"]), 404, "not_found")
    for operation in ("get_app_key", "delete_app_key"):
        assert_refused(client.answer(operation, key["id"]), 404, "not_found")
    assert [it["id"] for it in client.call("list_custom_integration_keys", first["id"])["keys"]] == [key["id"]]


@cells(400, "list_custom_integration_keys", "create_custom_integration_key")
@pytest.mark.parametrize("kind", ["twilio", "mailgun", "messagebird", "whatsapp"])
def test_only_a_custom_one_has_keys(client: Client, app: App, kind: str) -> None:
    other = app.integration(kind)
    assert_refused(client.answer("create_custom_integration_key", other["id"], {"displayName": "Key"}), 400, "bad_request")
    assert_refused(client.answer("list_custom_integration_keys", other["id"]), 400, "bad_request")


@cells(200, "list_app_keys")
@cells(404, "delete_app_key", "get_app_key")
def test_an_accounts_key_is_not_the_apps(client: Client, app: App) -> None:
    """An app's key may neither see nor delete it."""
    account = account_key(app)
    assert account.key_id.removeprefix("act_") not in client.answer("list_app_keys").body
    for name in (account.key_id, "app_" + account.key_id.removeprefix("act_")):
        assert_refused(client.answer("delete_app_key", name), 404, "not_found")
        assert_refused(client.answer("get_app_key", name), 404, "not_found")
    assert client.with_key(account.key_id, account.secret).call("get_app")["app"]["id"] == app.app_id


@cells(201, "create_app_key")
@cells(403, "create_app_key", "create_integration", "list_apps")
def test_a_key_gives_no_more_than_it_has(client: Client, own_app: App) -> None:
    """A key that an app's key has made is an app's; one of an integration makes none."""
    client = client.at(own_app)
    made = client.call("create_app_key", {"displayName": "Child", "scopes": "admin"} if not client.is_python else {"displayName": "Child"})["key"]
    child = client.with_key(made["id"], made["secret"])
    assert_refused(child.answer("list_apps"), 403, "forbidden")
    assert child.call("list_app_keys")["keys"]
    custom = own_app.integration("custom")
    narrow = client.call("create_custom_integration_key", custom["id"], {"displayName": "Narrow"})["key"]
    narrow_client = client.with_key(narrow["id"], narrow["secret"])
    assert_refused(narrow_client.answer("create_app_key", {"displayName": "x"}), 403, "forbidden")
    assert_refused(narrow_client.answer("create_integration", {"type": "twilio", "accountSid": "AC1", "authToken": "x", "phoneNumberSid": "PN1"}), 403, "forbidden")
