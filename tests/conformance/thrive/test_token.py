"""The two token endpoints: OAuth 2.0 client credentials by Authlib, one for the API and one for webhooks, each for the tenant
in its path."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
import requests
from authlib.integrations.base_client.errors import OAuthError

from thrive import scene
from thrive.client import SECONDS, Thrive, assert_error, assert_token_error, each

LIFETIME_SECONDS = 3600
PUBLIC, WEBHOOKS = "oauth2_token_public", "oauth2_token_webhooks"
ENDPOINTS = (PUBLIC, WEBHOOKS)
SCOPES = {PUBLIC: {"api/all", "api/read", "api/write"}, WEBHOOKS: {"api/webhooks", "api/all"}}
FORM = "application/x-www-form-urlencoded"


def url_of(thrive: Thrive, endpoint: str) -> str:
    return thrive.token_url if endpoint == PUBLIC else thrive.user_token_url


def post(thrive: Thrive, endpoint: str, body: dict[str, str] | bytes | None = None, auth: tuple[str, str] | None = None, url: str = "", **changes: str) -> requests.Response:
    """A request that Authlib would not send; the credentials are in the form unless there is a `body`."""
    settings = thrive.server.ready["thrive"]
    fields = {"grant_type": "client_credentials", "client_id": settings["client_id"], "client_secret": settings["client_secret"], **changes}
    sent = body if isinstance(body, bytes) else urlencode(fields if body is None else body).encode()
    return requests.post(url or url_of(thrive, endpoint), data=sent, headers={"Content-Type": FORM}, auth=auth, timeout=SECONDS)


@pytest.mark.parametrize("endpoint", each(200, *ENDPOINTS))
@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_basic"])
@pytest.mark.parametrize("scope", ["api/all", "api/read", "api/write", "api/webhooks", "api/read api/write", None])
def test_a_token(thrive: Thrive, endpoint: str, method: str, scope: str | None) -> None:
    """In either of the two ways of RFC 6749, with each scope that the endpoint has; without one it gives what it has."""
    session = thrive.oauth_session(scope, method)
    if not set((scope or "").split()) <= SCOPES[endpoint]:
        with pytest.raises(OAuthError) as caught:
            session.fetch_token(url_of(thrive, endpoint), grant_type="client_credentials")
        assert caught.value.error == "invalid_scope"
        return
    token = session.fetch_token(url_of(thrive, endpoint), grant_type="client_credentials")
    assert token["token_type"] == "Bearer"
    assert token["expires_in"] == LIFETIME_SECONDS
    assert "refresh_token" not in token
    given = set(token["scope"].split())
    assert given == set(scope.split()) if scope else "api/all" in given and given <= SCOPES[endpoint]


@pytest.mark.parametrize("endpoint", each(200, *ENDPOINTS))
def test_a_token_is_not_to_be_cached(thrive: Thrive, endpoint: str) -> None:
    answer = post(thrive, endpoint)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"access_token", "token_type", "expires_in", "scope"}
    assert answer.headers["Content-Type"].partition(";")[0] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.conformance(operation=PUBLIC, status=200)
@pytest.mark.conformance(operation="list_audiences", status=200)
def test_authlib_fetches_a_token_again(thrive: Thrive) -> None:
    """Once the one that it has is over, which is a matter of its own clock."""
    session = thrive.oauth_session()
    first = dict(session.fetch_token(thrive.token_url, grant_type="client_credentials"))
    session.token["expires_at"] = 1
    assert thrive.authorized(session).send("GET", "/audiences", perPage=1).status_code == 200
    assert session.token["expires_at"] > 1
    # Both are good.
    session.token = first
    assert thrive.authorized(session).send("GET", "/audiences", perPage=1).status_code == 200


@pytest.mark.parametrize("endpoint", each(400, *ENDPOINTS))
@pytest.mark.parametrize("grant", ["password", "authorization_code", "refresh_token", "CLIENT_CREDENTIALS"])
def test_another_grant(thrive: Thrive, endpoint: str, grant: str) -> None:
    assert_token_error(post(thrive, endpoint, grant_type=grant), 400, "unsupported_grant_type")


@pytest.mark.parametrize("endpoint", each(400, *ENDPOINTS))
@pytest.mark.parametrize("scope", ["api/nothing", "API/ALL", "api/all,api/read", "api/read api/nothing", "admin"])
def test_a_scope_that_there_is_not(thrive: Thrive, endpoint: str, scope: str) -> None:
    assert_token_error(post(thrive, endpoint, scope=scope), 400, "invalid_scope")


@pytest.mark.parametrize("endpoint", each(400, *ENDPOINTS))
@pytest.mark.parametrize(
    "body",
    [b"", b"grant_type=client_credentials&grant_type=client_credentials", b"client_id=a&client_secret=b", b'{"grant_type": "client_credentials"}'],
    ids=["empty", "twice", "no grant", "JSON"],
)
def test_a_malformed_request(thrive: Thrive, endpoint: str, body: bytes) -> None:
    assert_token_error(post(thrive, endpoint, body), 400, "invalid_request")


@pytest.mark.parametrize("endpoint", each(401, *ENDPOINTS))
@pytest.mark.parametrize("field", ["client_id", "client_secret"])
@pytest.mark.parametrize("value", ["wrong", "b&c=d ü", " ", "a" * 5000, ""], ids=["wrong", "odd", "blank", "long", "empty"])
def test_bad_credentials(thrive: Thrive, endpoint: str, field: str, value: str) -> None:
    assert_token_error(post(thrive, endpoint, **{field: value}), 401, "invalid_client")


@pytest.mark.parametrize("endpoint", each(401, *ENDPOINTS))
def test_bad_credentials_by_basic(thrive: Thrive, endpoint: str) -> None:
    answer = post(thrive, endpoint, {"grant_type": "client_credentials"}, auth=(thrive.server.ready["thrive"]["client_id"], "wrong"))
    assert_token_error(answer, 401, "invalid_client")
    # RFC 6749 section 5.2: the scheme that the client used.
    assert answer.headers["WWW-Authenticate"].lower().startswith("basic")


@pytest.mark.parametrize("endpoint", each(401, *ENDPOINTS))
@pytest.mark.parametrize("tenant", ["eu-west-2_AbcdEfghI", "throng_zzzzzzzzz", "x", "{other}", "{upper}", "{own}0"])
def test_a_tenant_in_the_path_that_is_not_the_clients(thrive: Thrive, other: scene.Workspace, endpoint: str, tenant: str) -> None:
    """One that there is not, and one that is somebody else's: nobody learns which."""
    named = tenant.format(other=other.thrive.tenant_id, upper=thrive.tenant_id.upper(), own=thrive.tenant_id)
    url = url_of(thrive, endpoint).replace(thrive.tenant_id, named)
    assert_token_error(post(thrive, endpoint, url=url), 401, "invalid_client")


@pytest.mark.parametrize("endpoint", each(401, *ENDPOINTS))
def test_credentials_of_another_kind(thrive: Thrive, endpoint: str) -> None:
    """The tenant's id and secret are for Basic on the API, another protocol's client is nobody here."""
    criteo = thrive.server.ready["criteo"]
    for client, secret in ((thrive.tenant_id, thrive.secret), (criteo["client_id"], criteo["client_secret"]), ("native", thrive.server.ready["native"]["token"])):
        assert_token_error(post(thrive, endpoint, client_id=client, client_secret=secret), 401, "invalid_client")


@pytest.mark.parametrize("endpoint", each(401, *ENDPOINTS))
def test_a_revoked_client(thrive: Thrive, endpoint: str) -> None:
    made = scene.credential_create(thrive)
    assert post(thrive, endpoint, client_id=made.client_id, client_secret=made.secret).status_code == 200
    scene.revoke(made)
    assert_token_error(post(thrive, endpoint, client_id=made.client_id, client_secret=made.secret), 401, "invalid_client")


@pytest.mark.conformance(operation=PUBLIC, status=401)
@pytest.mark.conformance(operation="list_audiences", status=401)
def test_a_token_is_the_tenants_own(thrive: Thrive, other: scene.Workspace) -> None:
    """A token of this tenant says nothing at the mount of another."""
    session = thrive.oauth_session()
    session.fetch_token(thrive.token_url, grant_type="client_credentials")
    there = Thrive(thrive.server, thrive.tenant_id, base=f"{thrive.server.url}/w/{other.slug}/thrive")
    there.session = session
    assert_error(there.send("GET", "/audiences"), 401)
    assert_token_error(post(thrive, PUBLIC, url=there.token_url), 401, "invalid_client")


@pytest.mark.conformance(operation=PUBLIC, status=200)
@pytest.mark.conformance(operation="list_audiences", status=200)
def test_at_the_mount_of_its_workspace(thrive: Thrive) -> None:
    there = Thrive(thrive.server, base=f"{thrive.server.url}/w/default/thrive")
    assert there.oauth().pages("/audiences") == there.pages("/audiences")
