"""Who may do what: 401 without a valid token, 403 outside the portfolio, 404 for what does not exist."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from criteo_marketing import AudienceCreateRequest, AudiencesApi
from criteo_marketing.rest import ApiException

from criteo.client import (
    ADVERTISER_OPERATIONS,
    AUDIENCE_OPERATIONS,
    BEARER_OPERATIONS,
    OPERATIONS,
    UNKNOWN_AUDIENCE,
    Criteo,
    assert_problem,
    connect,
    each,
    refused,
    unique,
)
from support import native
from support.postgres import free_port
from support.process import Throng
from support.waiting import wait_until

# Every process believes what it knows of a credential for no longer than this.
REVOKED_SECONDS = 5


def encode(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def decode(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def signed(header: dict[str, Any], payload: dict[str, Any], key: bytes) -> str:
    text = f"{encode(json.dumps(header).encode())}.{encode(json.dumps(payload).encode())}"
    return f"{text}.{encode(hmac.new(key, text.encode(), hashlib.sha256).digest())}"


def forgeries(token: str) -> dict[str, str]:
    """A good token changed in every way that a server must notice."""
    head, body, signature = token.split(".")
    header, payload = decode(head), decode(body)
    later = {**payload, "exp": int(time.time()) + 86400}
    unsigned = f"{encode(json.dumps({**header, 'alg': 'none'}).encode())}.{encode(json.dumps(later).encode())}"
    return {
        "no signature": f"{head}.{body}.",
        "two parts": f"{head}.{body}",
        "another signature": f"{head}.{body}.{encode(bytes(32))}",
        "one bit of the signature": f"{head}.{body}.{('B' if signature[0] == 'A' else 'A') + signature[1:]}",
        "a longer life": f"{head}.{encode(json.dumps(later).encode())}.{signature}",
        "expired": f"{head}.{encode(json.dumps({**payload, 'exp': 1}).encode())}.{signature}",
        "another key": signed(header, later, b"another key of at least 32 bytes"),
        "an empty key": signed(header, later, b""),
        "alg none": f"{unsigned}.",
        "alg None with the old signature": f"{encode(json.dumps({**header, 'alg': 'None'}).encode())}.{body}.{signature}",
        "alg HS512": signed({**header, "alg": "HS512"}, later, b"another key of at least 32 bytes"),
        "alg RS256": f"{encode(json.dumps({**header, 'alg': 'RS256'}).encode())}.{body}.{signature}",
        "an unknown kid": signed({**header, "kid": "../../dev/null"}, later, b""),
        "not base64": "%%%.%%%.%%%",
        "not JSON": f"{encode(b'{')}.{encode(b'{')}.{signature}",
        "not a JWT": "VALID_JWT_TOKEN_BASE64",
    }


FORGERIES = tuple(forgeries(signed({"alg": "HS256"}, {"exp": 1}, b"only the names matter")))


@pytest.mark.parametrize("operation", each(401, *BEARER_OPERATIONS))
def test_an_invalid_token(criteo: Criteo, audience: int, operation: str) -> None:
    with refused(401):
        OPERATIONS[operation](criteo, "Bearer VALID_JWT_TOKEN_BASE64", audience, criteo.advertiser_id)
    assert criteo.lines(audience) == (0, 0)


@pytest.mark.conformance(operation="get_audiences", status=401)
@pytest.mark.parametrize("change", FORGERIES)
def test_a_forged_token(criteo: Criteo, change: str) -> None:
    token = criteo.token().access_token
    criteo.audiences.get_audiences(f"Bearer {token}")
    with refused(401):
        criteo.audiences.get_audiences(f"Bearer {forgeries(token)[change]}")


@pytest.mark.conformance(operation="get_audiences", status=401)
@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic {token}", "{token}", "Bearer {token}x", "Bearer {token}, Bearer {token}", "Token {token}"])
def test_a_header_of_another_form(criteo: Criteo, header: str) -> None:
    with refused(401):
        criteo.audiences.get_audiences(header.format(token=criteo.token().access_token))


@pytest.mark.conformance(operation="create_audience", status=401)
def test_no_header(criteo: Criteo) -> None:
    answer = criteo.raw("POST", "/v1/audiences/userlist", b'{"advertiserId": 1, "name": "x"}', Authorization="", content_type="application/json")
    assert answer.status == 401
    assert_problem(answer.body, 401)


@pytest.mark.conformance(operation="get_audiences", status=401)
def test_the_native_token_is_not_the_vendors(criteo: Criteo) -> None:
    with refused(401):
        criteo.audiences.get_audiences(f"Bearer {criteo.server.ready['native']['token']}")


@pytest.mark.conformance(operation="get_audiences", status=401)
@pytest.mark.conformance(operation="create_audience", status=401)
@pytest.mark.conformance(operation="get_audiences", status=200)
def test_a_token_of_another_workspace(criteo: Criteo) -> None:
    """A workspace's own mount: a token of another workspace is worth nothing there, and the ids of either mean nothing."""
    slug = f"other-{uuid.uuid4().hex}"
    native.call(criteo.server, "POST", "/workspaces", {"slug": slug, "name": "Other"})
    there = AudiencesApi(connect(f"{criteo.server.url}/w/{slug}/criteo/marketing"))
    with refused(401):
        there.get_audiences(criteo.authorization)
    with refused(401):
        there.create_audience(criteo.authorization, AudienceCreateRequest(advertiser_id=criteo.advertiser_id, name=unique()))
    own = AudiencesApi(connect(f"{criteo.server.url}/w/default/criteo/marketing"))
    assert len(own.get_audiences(criteo.authorization).audiences) == len(criteo.list())


@pytest.mark.conformance(operation="get_audiences", status=401)
@pytest.mark.conformance(operation="o_auth2_token_post", status=401)
def test_a_revoked_credential(criteo: Criteo) -> None:
    """Its tokens end with it, within five seconds, and it gets no new one."""
    made = native.call(criteo.server, "POST", "/credentials", {"dialect": "criteo", "name": unique(), "structures": [criteo.advertiser_id]})
    token = criteo.token(client_id=made["client_id"], client_secret=made["secret"]).access_token
    assert criteo.audiences.get_audiences(f"Bearer {token}").audiences is not None
    native.call(criteo.server, "DELETE", f"/credentials/{made['id']}")

    def refused_now() -> ApiException | None:
        try:
            criteo.audiences.get_audiences(f"Bearer {token}")
        except ApiException as error:
            return error
        return None

    error = wait_until(refused_now, REVOKED_SECONDS, "the token of a revoked credential is refused")
    assert error.status == 401
    assert_problem(error.body, 401)
    with pytest.raises(ApiException) as caught:
        criteo.token(client_id=made["client_id"], client_secret=made["secret"])
    assert caught.value.status == 401


@pytest.mark.conformance(operation="get_audiences", status=401)
@pytest.mark.conformance(operation="get_audiences", status=200)
def test_an_expired_token(demo: Callable[..., Throng], launch: Callable[..., Throng], new_database: Callable[[], list[str]], new_folder: Callable[[], Path]) -> None:
    """On a server whose tokens live seconds; the client that fetches its own never notices."""
    folder, database = new_folder(), new_database()
    first = demo(*database, data=folder)
    assert first.terminate() == 0, first.describe()
    address = f"127.0.0.1:{free_port()}"
    second = launch("serve", "--listen", address, "--data", str(folder), *database, "--set", "token_life=2s").wait_for_ready(f"http://{address}")
    second.ready = first.ready
    criteo = Criteo(second, base=f"http://{address}/criteo/marketing")
    answer = criteo.token()
    assert answer.expires_in == 2
    header = f"Bearer {answer.access_token}"
    assert criteo.audiences.get_audiences(header).audiences is not None

    def expired() -> ApiException | None:
        try:
            criteo.audiences.get_audiences(header)
        except ApiException as error:
            return error
        return None

    error = wait_until(expired, 30, "a token of two seconds expires")
    assert error.status == 401
    assert_problem(error.body, 401)
    # With fewer than fifteen seconds to live, the client fetches a token for every call.
    refreshing = AudiencesApi(connect(criteo.base, criteo.client_id, criteo.client_secret))
    assert refreshing.get_audiences(header).audiences is not None
    assert refreshing.get_audiences(header).audiences is not None
    assert second.terminate() == 0, second.describe()


@pytest.mark.conformance(operation="get_audiences", status=200)
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_in_any_case(criteo: Criteo, scheme: str) -> None:
    assert criteo.audiences.get_audiences(f"{scheme} {criteo.token().access_token}").audiences is not None


@pytest.mark.parametrize("operation", each(403, *ADVERTISER_OPERATIONS))
def test_an_advertiser_outside_the_portfolio(criteo: Criteo, operation: str) -> None:
    with refused(403):
        OPERATIONS[operation](criteo, criteo.authorization, 0, criteo.foreign_advertiser_id)


@pytest.mark.parametrize("operation", each(403, *ADVERTISER_OPERATIONS))
def test_an_advertiser_that_does_not_exist(criteo: Criteo, operation: str) -> None:
    """The vendor lists no 404 for these two, and nobody learns which advertisers exist."""
    with refused(403):
        OPERATIONS[operation](criteo, criteo.authorization, 0, 4503599627370495)


@pytest.mark.parametrize("operation", each(403, *AUDIENCE_OPERATIONS))
def test_an_audience_outside_the_portfolio(criteo: Criteo, foreign_audience: int, operation: str) -> None:
    with refused(403):
        OPERATIONS[operation](criteo, criteo.authorization, foreign_audience, criteo.foreign_advertiser_id)
    assert foreign_audience not in [found.id for found in criteo.list()]


@pytest.mark.parametrize("operation", each(404, *AUDIENCE_OPERATIONS))
def test_an_audience_that_never_existed(criteo: Criteo, operation: str) -> None:
    with refused(404):
        OPERATIONS[operation](criteo, criteo.authorization, UNKNOWN_AUDIENCE, criteo.advertiser_id)


@pytest.mark.parametrize("operation", each(404, *AUDIENCE_OPERATIONS))
def test_an_audience_that_was_deleted(criteo: Criteo, audience: int, operation: str) -> None:
    criteo.delete(audience)
    with refused(404):
        OPERATIONS[operation](criteo, criteo.authorization, audience, criteo.advertiser_id)


@pytest.mark.parametrize("operation", each(404, *AUDIENCE_OPERATIONS))
def test_an_advertiser_is_not_an_audience(criteo: Criteo, operation: str) -> None:
    """Advertisers and audiences share one space of ids."""
    with refused(404):
        OPERATIONS[operation](criteo, criteo.authorization, criteo.advertiser_id, criteo.advertiser_id)


@pytest.mark.conformance(operation="get_portfolio", status=200)
def test_the_portfolio(criteo: Criteo) -> None:
    portfolio = criteo.portfolio.get_portfolio(criteo.authorization)
    assert criteo.advertiser_id in [entry.advertiser_id for entry in portfolio]
    assert criteo.foreign_advertiser_id not in [entry.advertiser_id for entry in portfolio]
    assert all(entry.advertiser_name for entry in portfolio)


@pytest.mark.conformance(operation="get_audiences", status=404)
def test_an_unknown_route_answers_in_the_vendors_shape(criteo: Criteo) -> None:
    answer = criteo.raw("GET", "/v1/no-such-thing")
    assert answer.status == 404
    assert_problem(answer.body, 404)
