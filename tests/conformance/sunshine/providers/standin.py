"""What the four have in common: an HTTP server of 127.0.0.1 that keeps what it took, answers as told, and notes every request
that the provider would not have understood."""

from __future__ import annotations

import base64
import http.server
import itertools
import json
import re
import secrets
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from support.waiting import wait_until

SECONDS = 30
# ITU-T E.164: at most 15 digits, the first of a country code.
E164 = re.compile(r"\+[1-9]\d{6,14}")
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
WEB = re.compile(r"https?://[^\s/?#]+(/[^\s]*)?")


class Wrong(Exception):
    """A request that the provider would not have understood, or not let in."""

    def __init__(self, status: int, why: str, code: int | None = None, expected: bool = False) -> None:
        super().__init__(why)
        # `expected` are the refusals of well-formed requests: of a key that is nobody's.
        self.status, self.why, self.code, self.expected = status, why, code, expected


@dataclass(frozen=True)
class Request:
    """As it came."""

    method: str
    path: str
    query: str
    # By lower-case name.
    headers: dict[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def form(self) -> dict[str, list[str]]:
        if self.media_type != FORM:
            raise Wrong(400, f"a form is of the type {FORM}, not {self.media_type!r}")
        fields: dict[str, list[str]] = {}
        for name, value in parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=True):
            fields.setdefault(name, []).append(value)
        return fields

    def json(self) -> Any:
        if self.media_type != JSON:
            raise Wrong(400, f"JSON is of the type {JSON}, not {self.media_type!r}")
        try:
            return json.loads(self.body.decode())
        except ValueError as error:
            raise Wrong(400, f"not JSON: {error}") from None

    def basic(self) -> tuple[str, str]:
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        if scheme != "Basic":
            raise Wrong(401, f"Basic authentication is due, not {scheme!r}")
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        return user, password


@dataclass(frozen=True)
class Sent:
    """A message that the provider took, or was told to refuse."""

    to: str
    sender: str
    text: str
    # The id that our server gave it and that comes back with what is told later.
    own_id: str | None
    # Where it asks for that; None where the account says it.
    callback: str | None
    # The whole of it: a form's fields, or the JSON.
    fields: dict[str, Any]
    request: Request
    status: int
    provider_id: str
    # Seconds of time.monotonic() at which it came.
    moment: float


@dataclass(frozen=True)
class Planned:
    """What to answer: by default what the provider documents for this status; nothing before `gate` is set."""

    status: int
    body: bytes | None = None
    code: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    gate: threading.Event | None = None
    # Close the connection without an answer, though the message was taken.
    cut: bool = False


@dataclass(frozen=True)
class Account:
    """An account with the provider: what the vendor's API makes an integration of, and what only the server's own is told."""

    integration: dict[str, Any]
    provider: dict[str, str] = field(default_factory=dict)
    # What no log may ever hold.
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Told:
    """A request of the provider's to a hook, signed; `url` is the one that the provider knows."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None = None

    def but(self, **changes: Any) -> Told:
        """The same, altered on its way: the signature is no longer of it."""
        return replace(self, **changes)

    def without(self, *names: str) -> Told:
        lower = {name.lower() for name in names}
        return replace(self, headers={name: value for name, value in self.headers.items() if name.lower() not in lower})


class StandIn(ABC):
    """One provider. `faults` are requests that it would not have understood: no test may leave one."""

    kind: str
    # The statuses that mean that a message was taken.
    accepted: int
    # What comes before the paths of its API in the server's configuration.
    prefix = ""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.sent: list[Sent] = []
        self.requests: list[Request] = []
        self.faults: list[str] = []
        self.plans: dict[str, list[Planned]] = {}
        self.numbers = itertools.count(secrets.randbelow(1_000_000) * 1000)
        standin = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                url = urlsplit(self.path)
                names = [name.lower() for name in self.headers]
                request = Request(self.command, url.path, url.query, {name.lower(): value for name, value in self.headers.items()}, body)
                if len(set(names)) != len(names):
                    standin.fault(request, "a header is there twice")
                planned = standin.take(request)
                if planned.gate is not None:
                    planned.gate.wait(SECONDS)
                if planned.cut:
                    self.close_connection = True
                    return
                content = planned.body or b""
                self.send_response(planned.status)
                for name, value in ((("Content-Type", JSON), *planned.headers)):
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PUT = do_PATCH = do_DELETE = do_POST

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}{self.prefix}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def fault(self, request: Request, why: str) -> None:
        with self.lock:
            self.faults.append(f"{self.kind}: {request.method} {request.path}: {why}")

    def take(self, request: Request) -> Planned:
        """Checks a request, keeps it, and says what to answer."""
        with self.lock:
            self.requests.append(request)
        try:
            other = self.other(request)
            if other is not None:
                return other
            sent = self.read(request)
        except Wrong as wrong:
            if not wrong.expected:
                self.fault(request, wrong.why)
            return Planned(wrong.status, self.refusal(wrong.status, wrong.code, wrong.why))
        except Exception as error:  # noqa: BLE001 - whatever cannot be read is a fault of the request's
            self.fault(request, repr(error))
            return Planned(400, self.refusal(400, None, "unreadable"))
        with self.lock:
            plans = self.plans.get(sent.to, [])
            planned = plans.pop(0) if plans else Planned(self.accepted)
            sent = replace(sent, status=planned.status)
            self.sent.append(sent)
        if planned.body is not None:
            return planned
        good = planned.status == self.accepted
        return replace(planned, body=self.receipt(sent) if good else self.refusal(planned.status, planned.code, "as planned"))

    def plan(self, to: str, *answers: Planned | int) -> None:
        """What the next messages to somebody are answered, one each; after them they are taken."""
        with self.lock:
            self.plans[self.wire(to)] = [answer if isinstance(answer, Planned) else Planned(answer) for answer in answers]

    def to(self, address: str) -> list[Sent]:
        with self.lock:
            return [sent for sent in self.sent if sent.to == self.wire(address)]

    def wait_for(self, address: str, number: int = 1, wanted: Callable[[Sent], bool] = lambda sent: True) -> list[Sent]:
        """What was sent to somebody, once there are so many of them."""
        return wait_until(lambda: (found := [sent for sent in self.to(address) if wanted(sent)]) and len(found) >= number and found, SECONDS, f"{number} messages to {address} at {self.kind}")

    def next_number(self) -> int:
        return next(self.numbers)

    def wire(self, address: str) -> str:
        """How an address is written in a request."""
        return address

    # What each provider has of its own.

    def other(self, request: Request) -> Planned | None:
        """The answer to a request that sends nothing."""
        return None

    @abstractmethod
    def read(self, request: Request) -> Sent:
        """A message in a request; raises Wrong where the provider would refuse it."""

    @abstractmethod
    def receipt(self, sent: Sent) -> bytes:
        """What is answered to a message that was taken."""

    @abstractmethod
    def refusal(self, status: int, code: int | None, why: str) -> bytes:
        """What is answered to one that was not."""

    @abstractmethod
    def account(self) -> Account:
        """A new account of this provider's."""

    @abstractmethod
    def address(self) -> str:
        """Somebody's address that nobody else has."""

    @abstractmethod
    def writes(self, account: Account, hook: str, address: str, text: str, **changes: Any) -> Told:
        """Somebody writes to the account: what its hook is told."""

    @abstractmethod
    def failed(self, account: Account, hook: str, sent: Sent) -> tuple[Told, str]:
        """A message that had been taken could not be delivered after all; and the code of why."""


def required(fields: dict[str, Any], *names: str, status: int = 400, code: int | None = None) -> None:
    for name in names:
        if not fields.get(name):
            raise Wrong(status, f"{name} is missing", code)


def known(fields: dict[str, Any], names: set[str], what: str) -> None:
    unknown = set(fields) - names
    if unknown:
        raise Wrong(400, f"{what} has no {', '.join(sorted(unknown))}")


def one(fields: dict[str, list[str]]) -> dict[str, str]:
    """Of a form in which nothing may stand twice."""
    twice = [name for name, values in fields.items() if len(values) > 1]
    if twice:
        raise Wrong(400, f"{', '.join(twice)} is there twice")
    return {name: values[0] for name, values in fields.items()}


def unique(prefix: str = "") -> str:
    return f"{prefix}{secrets.token_hex(8)}"


def fictitious_number(number: int) -> str:
    """A mobile number of the United Kingdom, in and around the range that is given to nobody."""
    return f"+4477009{number % 100_000:05d}"
