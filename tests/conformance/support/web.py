"""Plain HTTP, for what a vendor's client cannot be made to send: other media types, broken bodies, broken connections."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

SECONDS = 60


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def media_type(self) -> str:
        return (self.headers.get("content-type") or "").partition(";")[0].strip().lower()


def address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname and parts.port, f"no host and port in {url}"
    return parts.hostname, parts.port


def request(method: str, url: str, *, headers: dict[str, str] | None = None, body: bytes | None = None, seconds: float = SECONDS) -> Answer:
    """One request on a connection of its own; sends `body` and `headers` as they are and no Content-Type of its own."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(*address(url), timeout=seconds)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body=body, headers=headers or {})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def connect(url: str, seconds: float = SECONDS) -> socket.socket:
    """A bare TCP connection to the server of `url`."""
    return socket.create_connection(address(url), timeout=seconds)


def head(method: str, url: str, headers: dict[str, str]) -> bytes:
    """The request line and headers, ready to be sent on a bare connection."""
    parts = urlsplit(url)
    lines = [f"{method} {parts.path} HTTP/1.1", f"Host: {parts.netloc}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def read_answer(connection: socket.socket) -> Answer | None:
    """The answer on a bare connection; None when the server closed it without one."""
    response = http.client.HTTPResponse(connection)
    try:
        response.begin()
    except (http.client.RemoteDisconnected, ConnectionResetError):
        return None
    return Answer(response.status, response.headers, response.read())
