"""Who may do what: Basic, tokens of each scope, other apps' keys, and 401 and 403 in the vendor's body."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest

from support.process import Throng
from sunshine.app import JSON, NOWHERE, UNAUTHORIZED, App, account_key, app_create, assert_refused, basic, bearer, seconds_from_now, unique
from sunshine.clients import Client
from sunshine.operations import ALL_CALLS, CALLS, MISSING, NOTHING, Target, cells, each, snapshot, target_create

GET = pytest.mark.conformance(operation="get_app", status=200)
DENIED = pytest.mark.conformance(operation="get_app", status=401)


@pytest.fixture(scope="module")
def target(app: App) -> Target:
    return target_create(app)


@pytest.fixture(scope="module")
def other(server: Throng) -> App:
    return app_create(server)


def assert_unauthorized(answer: Any) -> None:
    """The vendor's published body, whatever was wrong: nobody learns which keys there are."""
    assert_refused(answer, 401, "unauthorized")
    assert answer.json == UNAUTHORIZED
    told = answer.headers["www-authenticate"]
    assert "basic" in (told if isinstance(told, str) else ",".join(told)).lower()


@pytest.mark.parametrize("operation", each(401, ALL_CALLS))
def test_no_credentials(client: Client, app: App, target: Target, operation: str) -> None:
    """A client without a name and a password sends no header at all, and so does a Python one that has only the name."""
    before = snapshot(app, target)
    assert_unauthorized(ALL_CALLS[operation](client.configured(), target))
    assert_unauthorized(ALL_CALLS[operation](client.configured(username=app.key_id), target))
    assert snapshot(app, target) == before


@pytest.mark.parametrize("operation", each(401, ALL_CALLS))
def test_wrong_secret(client: Client, app: App, other: App, target: Target, operation: str) -> None:
    before = snapshot(app, target)
    for key_id, secret in ((app.key_id, app.secret + "x"), (app.key_id, other.secret), (other.key_id, app.secret), (app.app_id, app.secret)):
        assert_unauthorized(ALL_CALLS[operation](client.with_key(key_id, secret), target))
    assert snapshot(app, target) == before


@pytest.mark.parametrize("operation", each(403, CALLS))
def test_another_apps_key(client: Client, app: App, other: App, target: Target, operation: str) -> None:
    """Good credentials, and not of this app: whether what is named is there or not."""
    before = snapshot(app, target)
    foreign = client.with_key(other.key_id, other.secret)
    assert_refused(CALLS[operation](foreign, target), 403, "forbidden")
    assert_refused(CALLS[operation](foreign, NOTHING), 403, "forbidden")
    foreign = client.with_token(other.token())
    assert_refused(CALLS[operation](foreign, target), 403, "forbidden")
    assert snapshot(app, target) == before


@pytest.mark.parametrize("operation", each(404, MISSING))
def test_nothing_there(client: Client, app: App, other: App, target: Target, operation: str) -> None:
    """Neither 24 digits of nobody's nor another app's of the same kind are found."""
    before = snapshot(app, target)
    assert_refused(CALLS[operation](client, NOTHING), 404, MISSING[operation])
    assert_refused(CALLS[operation](client.at(other), target), 404, MISSING[operation])
    assert snapshot(app, target) == before


@cells(403, "list_apps")
@cells(200, "list_apps", "get_app")
def test_apps_are_the_accounts(client: Client, app: App) -> None:
    assert_refused(client.answer("list_apps"), 403, "forbidden")
    assert_refused(client.with_token(app.token()).answer("list_apps"), 403, "forbidden")
    account = account_key(app)
    for caller in (client.with_key(account.key_id, account.secret), client.with_token(account.token("account"))):
        listed = caller.call("list_apps")["apps"]
        assert [it["id"] for it in listed] == [app.app_id]
        assert caller.call("get_app")["app"] == client.call("get_app")["app"] == listed[0]
        assert listed[0]["displayName"]


@cells(403, "get_app", "list_apps")
@cells(200, "get_app")
@pytest.mark.parametrize("body", [{"displayName": "New"}])
def test_apps_are_made_elsewhere(client: Client, app: App, body: dict[str, Any]) -> None:
    """An app is a workspace; the title says where one is made. Whoever may not even ask is told that."""
    account = account_key(app)
    caller = client.with_key(account.key_id, account.secret)
    for answer in (caller.answer("create_app", body), caller.answer("update_app", body), caller.answer("delete_app")):
        assert_refused(answer, 403, "forbidden", "throng workspace create")
    assert_refused(client.answer("delete_app"), 403, "forbidden")
    assert client.call("get_app")["app"]["id"] == app.app_id


@cells(403, "get_app")
def test_an_app_that_is_not_there(client: Client, app: App) -> None:
    """404 would tell which apps there are."""
    for app_id in ("63f8c5361b9c80d3274be7ca", "x", app.app_id[:-1], app.app_id.upper() + "0"):
        assert_refused(client.answer("get_app", app_id=app_id), 403, "forbidden")


@GET
@pytest.mark.parametrize("way", ["Basic", "app", "integration"])
def test_every_way_in(client: Client, app: App, way: str) -> None:
    caller = client if way == "Basic" else client.with_token(app.token(way))
    assert caller.call("get_app")["app"]["id"] == app.app_id
    assert caller.call("create_user", {"externalId": unique()})["user"]["id"]


@GET
@cells(403, "create_integration", "list_integrations", "list_app_keys", "create_app_key", "delete_integration")
@cells(200, "list_webhooks")
def test_a_token_of_the_scope_integration(client: Client, app: App, target: Target) -> None:
    """Users, conversations and webhooks, and nothing of the app: as a key of a custom integration."""
    key = app.json("POST", f"/integrations/{target.custom['id']}/keys", {"displayName": "Narrow"}, 201)["key"]
    for narrow in (client.with_token(app.token("integration")), client.with_key(key["id"], key["secret"])):
        assert narrow.call("get_user", target.user["id"])["user"]["id"] == target.user["id"]
        assert narrow.call("list_messages", target.conversation["id"])["messages"]
        assert "webhooks" in narrow.call("list_webhooks", "me")
        for operation in ("create_integration", "list_integrations", "list_app_keys", "create_app_key", "delete_integration"):
            assert_refused(CALLS[operation](narrow, target), 403, "forbidden")
    app.json("DELETE", f"/integrations/{target.custom['id']}/keys/{key['id']}")


@cells(403, "get_user", "list_apps", "create_client", "get_app")
def test_a_users_token_is_not_for_this(client: Client, app: App, target: Target) -> None:
    """The vendor's scope for programs of users, under both of its names; and an app's key cannot speak for an account."""
    for scope in ("user", "appUser"):
        caller = client.with_token(app.token(scope, external_id=target.user["externalId"]))
        for operation in ("get_user", "list_apps", "create_client", "get_app"):
            assert_refused(ALL_CALLS[operation](caller, target), 403, "forbidden")
    assert_refused(client.with_token(app.token("account")).answer("list_apps"), 403, "forbidden")


def segment(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


FORGED: dict[str, Callable[[App], str]] = {
    "signed with something else": lambda app: app.token(secret="w" * 40),
    "signed with nothing": lambda app: f"{segment({'alg': 'HS256', 'typ': 'JWT', 'kid': app.key_id})}.{segment({'scope': 'app'})}.",
    "alg none": lambda app: f"{segment({'alg': 'none', 'typ': 'JWT', 'kid': app.key_id})}.{segment({'scope': 'app'})}.",
    "alg None": lambda app: f"{segment({'alg': 'None', 'kid': app.key_id})}.{segment({'scope': 'app'})}.",
    "HS384": lambda app: forged(app, {"scope": "app"}, "HS384"),
    "HS512": lambda app: forged(app, {"scope": "app"}, "HS512"),
    "HS256 of another name": lambda app: forged(app, {"scope": "app"}, "hs256"),
    "no kid": lambda app: app.token(headers={"kid": None}),
    "another's kid": lambda app: app.token(headers={"kid": "app_63f8c5361b9c80d3274be7ca"}),
    "a kid without its prefix": lambda app: app.token(headers={"kid": app.key_id.removeprefix("app_")}),
    "no scope": lambda app: app.token(None),
    "an unknown scope": lambda app: app.token("everything"),
    "expired": lambda app: app.token(exp=seconds_from_now(-600)),
    "expired as text": lambda app: forged(app, {"scope": "app", "exp": "tomorrow"}),
    "not yet": lambda app: app.token(nbf=seconds_from_now(600)),
    "changed payload": lambda app: swap(app.token("integration"), {"scope": "app"}),
    "critical header": lambda app: app.token(headers={"crit": ["b64"], "b64": False}),
    "two parts": lambda app: app.token().rpartition(".")[0],
    "four parts": lambda app: app.token() + ".x",
    "no token": lambda _: "",
    "words": lambda _: "YOUR_BEARER_TOKEN",
    "the secret": lambda app: app.secret,
}


def forged(app: App, claims: dict[str, Any], algorithm: str = "HS256") -> str:
    """Well signed, and otherwise as PyJWT would not write it."""
    signed = f"{segment({'alg': algorithm, 'kid': app.key_id})}.{segment(claims)}"
    digest = hmac.new(app.secret.encode(), signed.encode(), f"sha{algorithm[2:]}").digest()
    return f"{signed}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def swap(token: str, claims: dict[str, Any]) -> str:
    head, _, signature = token.split(".")
    return f"{head}.{segment(claims)}.{signature}"


@DENIED
@pytest.mark.parametrize("what", FORGED)
def test_tokens_that_are_not_good(app: App, what: str) -> None:
    answer = app.send("GET", "", headers=bearer(FORGED[what](app)))
    assert_unauthorized(answer)


@GET
def test_tokens_that_are(client: Client, app: App) -> None:
    """Times are optional, and the header's order is nobody's concern."""
    good = (
        app.token(),
        app.token(exp=seconds_from_now(600)),
        app.token(iat=seconds_from_now(0)),
        app.token(iat=seconds_from_now(0), exp=seconds_from_now(60), nbf=seconds_from_now(-60), jti="1", sub="x"),
        forged(app, {"scope": "app"}),
    )
    for token in good:
        assert client.with_token(token).call("get_app")["app"]["id"] == app.app_id


@DENIED
@GET
def test_both_at_once(client: Client, app: App) -> None:
    """A client that has a name, a password and a token sends the token alone."""
    both = client.configured(username=app.key_id, password=app.secret, access_token=app.token())
    assert both.call("get_app")["app"]["id"] == app.app_id
    assert_unauthorized(client.configured(username=app.key_id, password=app.secret, access_token="wrong").answer("get_app"))


@DENIED
@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
        "Digest x",
        "app_63f8c5361b9c80d3274be7ca",
        "Bearer",
        "Basic " + base64.b64encode(b":").decode(),
        "Bearer " + "x" * 5000,
    ],
    ids=range(9),
)
def test_headers_that_say_nothing(app: App, header: str) -> None:
    assert_unauthorized(app.send("GET", "", headers={"Authorization": header}))


@GET
def test_the_scheme_is_of_any_case_and_a_path_may_have_more(app: App) -> None:
    """Newer versions of the clients put /sc before the version."""
    for scheme in ("basic", "BASIC"):
        value = app.basic["Authorization"].removeprefix("Basic")
        assert app.send("GET", "", headers={"Authorization": scheme + value}).status == 200
    url = app.root.replace("/v2/", "/sc/v2/")
    assert app.json("GET", url)["app"]["id"] == app.app_id


@DENIED
@GET
def test_prefixes_of_key_ids(app: App) -> None:
    digits = app.key_id.removeprefix("app_")
    for key_id in (app.key_id, f"act_{digits}", f"svc_{digits}"):
        assert app.send("GET", "", headers=basic(key_id, app.secret)).status == 200
    for key_id in (digits, f"key_{digits}", f"APP_{digits}", f"app_{digits}0", "app_", ""):
        assert_unauthorized(app.send("GET", "", headers=basic(key_id, app.secret)))


@cells(401, "create_user", "create_client", "update_integration")
def test_nothing_is_read_before_it_is_known_who_asks(app: App, target: Target) -> None:
    """A body or a page that would be refused, or an id of nothing, does not change who is told what."""
    for method, path in (("POST", "/users"), ("POST", f"/users/{NOWHERE}/clients"), ("PATCH", f"/integrations/{target.integration['id']}"), ("POST", "/users?page=x")):
        assert_unauthorized(app.send(method, path, raw=b"{", headers=JSON))
