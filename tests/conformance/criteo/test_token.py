"""The token endpoint, the client's automatic refresh, and the places where the vendor's API has stood over the years."""

from __future__ import annotations

import base64
from urllib.parse import quote, urlencode

import pytest
from criteo_marketing import AudiencesApi
from criteo_marketing.rest import ApiException

from criteo.client import Criteo, assert_token_error, connect, refused, unique
from support import web

FORM = "application/x-www-form-urlencoded"
LIFETIME_SECONDS = 900
# Each as the client's host. The last is not a prefix that the vendor used, but what a host of `.../criteo` asks for.
MOUNTS = ("/criteo/marketing", "/criteo/legacy/marketing", "/criteo")


def post_token(criteo: Criteo, body: dict[str, str] | bytes, headers: dict[str, str] | None = None, path: str = "/oauth2/token") -> web.Answer:
    sent = body if isinstance(body, bytes) else urlencode(body).encode()
    return web.request("POST", criteo.base + path, headers={"Content-Type": FORM, **(headers or {})}, body=sent)


def basic(user: str, password: str) -> dict[str, str]:
    """RFC 6749 section 2.3.1: both parts are form-encoded before they are joined."""
    return {"Authorization": "Basic " + base64.b64encode(f"{quote(user, safe='')}:{quote(password, safe='')}".encode()).decode()}


@pytest.mark.conformance(operation="o_auth2_token_post", status=200)
def test_a_token_and_its_use(criteo: Criteo) -> None:
    answer = criteo.token()
    assert answer.access_token.count(".") == 2
    assert answer.token_type.lower() == "bearer"
    assert answer.expires_in == LIFETIME_SECONDS
    assert criteo.audiences.get_audiences(answer.token_type + " " + answer.access_token).audiences is not None


@pytest.mark.conformance(operation="o_auth2_token_post", status=200)
def test_several_tokens_are_valid_at_once(criteo: Criteo) -> None:
    tokens = [criteo.token().access_token for _ in range(2)]
    for token in tokens:
        assert criteo.audiences.get_audiences(f"Bearer {token}").audiences is not None


@pytest.mark.conformance(operation="o_auth2_token_post", status=200)
def test_a_token_is_not_to_be_cached(criteo: Criteo) -> None:
    answer = post_token(criteo, {"client_id": criteo.client_id, "client_secret": criteo.client_secret, "grant_type": "client_credentials"})
    assert answer.status == 200
    assert answer.media_type == "application/json"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.conformance(operation="o_auth2_token_post", status=200)
def test_credentials_by_basic(criteo: Criteo) -> None:
    answer = post_token(criteo, {"grant_type": "client_credentials"}, basic(criteo.client_id, criteo.client_secret))
    assert answer.status == 200, answer.text
    assert criteo.audiences.get_audiences(f"Bearer {answer.json['access_token']}").audiences is not None


@pytest.mark.conformance(operation="o_auth2_token_post", status=200)
def test_every_character_may_be_percent_encoded(criteo: Criteo) -> None:
    """A form is decoded before it is compared: the client encodes some characters, other clients all."""

    def all_of(text: str) -> str:
        return "".join(f"%{byte:02X}" for byte in text.encode())

    body = f"client_id={all_of(criteo.client_id)}&client_secret={all_of(criteo.client_secret)}&grant_type=client%5fcredentials"
    assert post_token(criteo, body.encode()).status == 200


@pytest.mark.conformance(operation="o_auth2_token_post", status=200)
def test_basic_is_form_decoded(criteo: Criteo) -> None:
    escaped = "".join(f"%{byte:02x}" for byte in criteo.client_secret.encode())
    header = {"Authorization": "Basic " + base64.b64encode(f"{criteo.client_id}:{escaped}".encode()).decode()}
    assert post_token(criteo, {"grant_type": "client_credentials"}, header).status == 200


@pytest.mark.conformance(operation="o_auth2_token_post", status=200)
def test_unknown_fields_are_ignored(criteo: Criteo) -> None:
    """RFC 6749 section 3.2."""
    fields = {"client_id": criteo.client_id, "client_secret": criteo.client_secret, "grant_type": "client_credentials", "audience": "b&c=d ü"}
    assert post_token(criteo, fields).status == 200


@pytest.mark.conformance(operation="o_auth2_token_post", status=400)
@pytest.mark.parametrize("grant", ["password", "authorization_code", "refresh_token", "CLIENT_CREDENTIALS"])
def test_another_grant(criteo: Criteo, grant: str) -> None:
    with pytest.raises(ApiException) as caught:
        criteo.token(grant_type=grant)
    assert caught.value.status == 400
    assert_token_error(caught.value.body, "unsupported_grant_type")


@pytest.mark.conformance(operation="o_auth2_token_post", status=400)
@pytest.mark.parametrize(
    "body",
    [b"", b"grant_type=client_credentials&grant_type=client_credentials", b"client_id=a&client_secret=b"],
    ids=["empty", "twice", "no grant"],
)
def test_a_malformed_request(criteo: Criteo, body: bytes) -> None:
    answer = post_token(criteo, body)
    assert answer.status == 400, answer.text
    assert_token_error(answer.json, "invalid_request")


@pytest.mark.conformance(operation="o_auth2_token_post", status=401)
@pytest.mark.parametrize("field", ["client_id", "client_secret"])
@pytest.mark.parametrize("value", ["wrong", "b&c=d ü", " ", "a" * 5000], ids=["wrong", "odd", "blank", "long"])
def test_bad_credentials(criteo: Criteo, field: str, value: str) -> None:
    with pytest.raises(ApiException) as caught:
        criteo.token(**{field: value})
    assert caught.value.status == 401
    assert_token_error(caught.value.body, "invalid_client")


@pytest.mark.conformance(operation="o_auth2_token_post", status=401)
def test_a_secret_is_compared_whole(criteo: Criteo) -> None:
    for secret in (criteo.client_secret[:-1], criteo.client_secret + "x", criteo.client_secret.swapcase()):
        with pytest.raises(ApiException) as caught:
            criteo.token(client_secret=secret)
        assert caught.value.status == 401


@pytest.mark.conformance(operation="o_auth2_token_post", status=401)
def test_bad_credentials_by_basic(criteo: Criteo) -> None:
    answer = post_token(criteo, {"grant_type": "client_credentials"}, basic(criteo.client_id, "wrong"))
    assert answer.status == 401
    assert_token_error(answer.json, "invalid_client")
    # RFC 6749 section 5.2: the scheme that the client used.
    assert answer.headers["www-authenticate"].lower().startswith("basic")


@pytest.mark.conformance(operation="o_auth2_token_post", status=200)
@pytest.mark.conformance(operation="get_audiences", status=200)
def test_the_client_fetches_tokens_by_itself(criteo: Criteo) -> None:
    """With a real header beside the credentials, as the vendor's example does it. Once it holds a token of its own, the
    client sends the caller's header again, so a second call proves nothing less than the first."""
    client = connect(criteo.base, criteo.client_id, criteo.client_secret)
    api = AudiencesApi(client)
    answer = criteo.token()
    header = f"bearer {answer.access_token}"
    assert client.rest_client.token is None
    assert api.get_audiences(header).audiences is not None
    fetched = client.rest_client.token
    assert fetched is not None and fetched.is_valid_enough()
    assert api.get_audiences(header).audiences is not None
    assert client.rest_client.token is fetched
    assert AudiencesApi(connect(criteo.base)).get_audiences(f"Bearer {fetched.access_token}").audiences is not None


@pytest.mark.conformance(operation="get_audiences", status=200)
@pytest.mark.conformance(operation="get_audiences", status=401)
def test_the_fetched_token_serves_one_call_only(criteo: Criteo) -> None:
    """A bug of the client that its users meet: it replaces the header only in the call that fetched the token."""
    api = AudiencesApi(connect(criteo.base, criteo.client_id, criteo.client_secret))
    assert api.get_audiences("a header that is replaced").audiences is not None
    with refused(401):
        api.get_audiences("a header that is sent")


@pytest.mark.conformance(operation="o_auth2_token_post", status=200)
def test_an_expired_token_is_fetched_anew(criteo: Criteo) -> None:
    client = connect(criteo.base, criteo.client_id, criteo.client_secret)
    api = AudiencesApi(client)
    api.get_audiences("replaced")
    first = client.rest_client.token
    # What the client does when fewer than 15 seconds remain.
    first.expires_on = first.calc_expires_on(14)
    assert api.get_audiences("replaced").audiences is not None
    assert client.rest_client.token is not first


@pytest.mark.conformance(operation="o_auth2_token_post", status=401)
def test_a_refused_refresh_reaches_the_caller(criteo: Criteo) -> None:
    """The client adds to the error's JSON object; on an empty body or an array it would end in a TypeError instead."""
    api = AudiencesApi(connect(criteo.base, criteo.client_id, "wrong"))
    with pytest.raises(ApiException) as caught:
        api.get_audiences("replaced")
    assert caught.value.status == 401
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["token_error"] == f"Cannot refresh token by calling '{criteo.base}/oauth2/token'"
    assert_token_error(caught.value.body, "invalid_client")


@pytest.mark.conformance(operation="create_audience", status=200)
@pytest.mark.conformance(operation="get_audiences", status=200)
@pytest.mark.conformance(operation="add_remove_users_to_audience", status=200)
@pytest.mark.conformance(operation="update_audience_metadata", status=204)
@pytest.mark.conformance(operation="remove_users_from_audience", status=204)
@pytest.mark.conformance(operation="delete_audience", status=204)
@pytest.mark.conformance(operation="get_portfolio", status=200)
@pytest.mark.conformance(operation="o_auth2_token_post", status=200)
@pytest.mark.parametrize("mount", MOUNTS)
def test_every_operation_at_every_mount(criteo: Criteo, mount: str) -> None:
    there = Criteo(criteo.server, base=criteo.server.url + mount)
    audience = there.create()
    assert there.add(audience, "ann@example.com").nb_valid_identifiers == 1
    there.rename(audience, unique())
    assert criteo.lines(audience) == (1, 1)
    there.empty(audience)
    assert there.lines(audience) == (0, 0)
    there.delete(audience)
    assert there.get(audience) is None
    assert there.advertiser_id in [entry.advertiser_id for entry in there.portfolio.get_portfolio(there.authorization)]
