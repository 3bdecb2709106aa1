"""The vendor's client pointed at the server under test, its eight operations by name, and the shape of its errors."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import criteo_marketing
import pytest
from criteo_marketing import (
    AudienceCreateRequest,
    AudiencePatchRequest,
    AudiencePutRequest,
    AudienceResponse,
    AudiencesApi,
    AuthenticationApi,
    Configuration,
    PortfolioApi,
)

# Not criteo_marketing.ApiException, which is another class that nothing raises.
from criteo_marketing.rest import ApiException

from support import web
from support.process import Throng

# Tokens live 900 s; the suite takes a new one well before.
TOKEN_SECONDS = 300
UNKNOWN_AUDIENCE = 4503599627370497
PROBLEM_TYPES = {"access-control", "authentication", "authorization", "availability", "deprecation", "quota", "validation"}
TYPE_OF_STATUS = {
    400: {"validation"},
    # The code is authorization-token-invalid, and the vendor's own answers call its type so.
    401: {"authentication", "authorization"},
    403: {"authorization", "access-control"},
    409: {"validation"},
    429: {"quota"},
    500: {"availability"},
}


def connect(base: str, username: str = "", password: str = "") -> criteo_marketing.ApiClient:
    """A client of `base`. With user name and password (client id and secret) it fetches tokens by itself."""
    # The class hands out copies of its first instance, whatever arguments follow, until this is cleared; and its
    # defaults for the two dictionaries are shared by all instances.
    Configuration._default = None
    return criteo_marketing.ApiClient(Configuration(host=base, api_key={}, api_key_prefix={}, username=username, password=password))


def unique(prefix: str = "audience") -> str:
    return f"{prefix} {uuid.uuid4().hex}"


class Criteo:
    """One OAuth client of one server, with the audiences API ready to use."""

    def __init__(self, server: Throng, base: str | None = None) -> None:
        settings = server.ready["criteo"]
        self.server = server
        self.base: str = base or settings["base"]
        self.client_id: str = settings["client_id"]
        self.client_secret: str = settings["client_secret"]
        self.advertiser_id: int = settings["advertiser_id"]
        self.foreign_advertiser_id: int = settings["foreign_advertiser_id"]
        client = connect(self.base)
        self.audiences = AudiencesApi(client)
        self.authentication = AuthenticationApi(client)
        self.portfolio = PortfolioApi(client)
        self._authorization = ""
        self._authorized_at = 0.0

    def token(self, **changes: str) -> criteo_marketing.InlineResponse200:
        return self.authentication.o_auth2_token_post(
            **{"client_id": self.client_id, "client_secret": self.client_secret, "grant_type": "client_credentials", **changes}
        )

    @property
    def authorization(self) -> str:
        """The header's value, made as the vendor's example program makes it."""
        if not self._authorization or time.monotonic() - self._authorized_at > TOKEN_SECONDS:
            answer = self.token()
            self._authorization = answer.token_type + " " + answer.access_token
            self._authorized_at = time.monotonic()
        return self._authorization

    def create(self, name: str | None = None, description: str | None = None) -> int:
        request = AudienceCreateRequest(advertiser_id=self.advertiser_id, name=name or unique(), description=description)
        return self.audiences.create_audience(self.authorization, request).audience_id

    def list(self, advertiser_id: int | None = None) -> Sequence[AudienceResponse]:
        chosen = {} if advertiser_id is None else {"advertiser_id": advertiser_id}
        return self.audiences.get_audiences(self.authorization, **chosen).audiences

    def get(self, audience_id: int) -> AudienceResponse | None:
        """The API has no call for one audience."""
        return next((audience for audience in self.list(self.advertiser_id) if audience.id == audience_id), None)

    def lines(self, audience_id: int) -> tuple[int, int]:
        """nbLines and nbLinesEmail."""
        audience = self.get(audience_id)
        assert audience is not None, f"audience {audience_id} is not listed"
        return audience.nb_lines, audience.nb_lines_email

    def patch(self, audience_id: int, operation: str | None, identifiers: Sequence[str] | None, schema: str | None = "email", gum_caller_id: int | None = None) -> Any:
        request = AudiencePatchRequest(operation=operation, schema=schema, identifiers=identifiers, gum_caller_id=gum_caller_id)
        return self.audiences.add_remove_users_to_audience(audience_id, self.authorization, request)

    def add(self, audience_id: int, *identifiers: str, schema: str = "email", gum_caller_id: int | None = None) -> Any:
        return self.patch(audience_id, "add", list(identifiers), schema, gum_caller_id)

    def remove(self, audience_id: int, *identifiers: str, schema: str = "email", gum_caller_id: int | None = None) -> Any:
        return self.patch(audience_id, "remove", list(identifiers), schema, gum_caller_id)

    def rename(self, audience_id: int, name: str | None, description: str | None = None) -> Any:
        return self.audiences.update_audience_metadata(audience_id, self.authorization, AudiencePutRequest(name=name, description=description))

    def empty(self, audience_id: int) -> Any:
        return self.audiences.remove_users_from_audience(audience_id, self.authorization)

    def delete(self, audience_id: int) -> Any:
        return self.audiences.delete_audience(audience_id, self.authorization)

    def raw(self, method: str, path: str, body: bytes | None = None, **headers: str) -> web.Answer:
        """A request that the client would not send; `content_type` stands for Content-Type."""
        named = {"Authorization": self.authorization, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return web.request(method, self.base + path, headers=named, body=body)


# Each operation as the client offers it: (criteo, header, audience id, advertiser id). The arguments that an operation
# does not take are ignored, so that one story can be told about all of them.
Call = Callable[[Criteo, str, int, int], Any]
OPERATIONS: dict[str, Call] = {
    "create_audience": lambda criteo, header, audience, advertiser: criteo.audiences.create_audience(
        header, AudienceCreateRequest(advertiser_id=advertiser, name=unique())
    ),
    "get_audiences": lambda criteo, header, audience, advertiser: criteo.audiences.get_audiences(header, advertiser_id=advertiser),
    "add_remove_users_to_audience": lambda criteo, header, audience, advertiser: criteo.audiences.add_remove_users_to_audience(
        audience, header, AudiencePatchRequest(operation="add", schema="email", identifiers=["somebody@example.com"])
    ),
    "update_audience_metadata": lambda criteo, header, audience, advertiser: criteo.audiences.update_audience_metadata(
        audience, header, AudiencePutRequest(name=unique())
    ),
    "remove_users_from_audience": lambda criteo, header, audience, advertiser: criteo.audiences.remove_users_from_audience(audience, header),
    "delete_audience": lambda criteo, header, audience, advertiser: criteo.audiences.delete_audience(audience, header),
    "get_portfolio": lambda criteo, header, audience, advertiser: criteo.portfolio.get_portfolio(header),
    "o_auth2_token_post": lambda criteo, header, audience, advertiser: criteo.token(),
}
AUDIENCE_OPERATIONS = ("add_remove_users_to_audience", "update_audience_metadata", "remove_users_from_audience", "delete_audience")
ADVERTISER_OPERATIONS = ("create_audience", "get_audiences")
BEARER_OPERATIONS = (*ADVERTISER_OPERATIONS, *AUDIENCE_OPERATIONS, "get_portfolio")


def each(status: int, *names: str) -> list[Any]:
    """Parameters for one test of several operations, each marked with its own cell."""
    return [pytest.param(name, marks=pytest.mark.conformance(operation=name, status=status), id=name) for name in names]


def assert_problem(body: str | bytes, status: int, code: str | None = None) -> dict[str, Any]:
    """That a body is the vendor's documented error shape, with the type that fits the status; returns its first error."""
    document = json.loads(body)
    assert isinstance(document, dict), f"an error is a JSON object, not {document!r}"
    assert set(document) <= {"errors", "warnings"}, f"fields that the vendor does not have: {document!r}"
    assert isinstance(document["errors"], list) and document["errors"], f"no errors in {document!r}"
    for error in document["errors"]:
        assert {"code", "instance", "type"} <= set(error), f"code, instance and type are required: {error!r}"
        assert set(error) <= {"traceId", "type", "code", "instance", "title", "detail", "source"}, f"fields that the vendor does not have: {error!r}"
        assert error["type"] in PROBLEM_TYPES, error
        assert error["type"] in TYPE_OF_STATUS.get(status, PROBLEM_TYPES), f"type {error['type']} with status {status}"
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", error["code"]), f"the code is not kebab-case: {error!r}"
        assert isinstance(error["title"], str) and error["title"], error
    first = document["errors"][0]
    assert code is None or first["code"] == code, first
    return first


@contextmanager
def refused(status: int, code: str | None = None) -> Iterator[pytest.ExceptionInfo[ApiException]]:
    """That the client raises its exception for this status, with a body in the vendor's error shape."""
    with pytest.raises(ApiException) as caught:
        yield caught
    assert caught.value.status == status, f"{caught.value.status} instead of {status}: {caught.value.body!r}"
    assert_problem(caught.value.body, status, code)


def assert_token_error(body: Any, error: str | None = None) -> None:
    """RFC 6749 section 5.2, as an object: the client's own refresh crashes on anything else."""
    document = body if isinstance(body, dict) else json.loads(body)
    assert isinstance(document, dict), f"a token error is a JSON object, not {document!r}"
    assert isinstance(document.get("error"), str), f"no error code in {document!r}"
    assert error is None or document["error"] == error, document
