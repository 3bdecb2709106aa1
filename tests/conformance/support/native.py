"""The few calls of the native API that a vendor's suite needs to set a scene that the vendor's own API cannot."""

from __future__ import annotations

import json
from typing import Any

from support import web
from support.process import Throng


def call(server: Throng, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """One call as the workspace's administrator; fails unless it is answered with success."""
    native = server.ready["native"]
    headers = {"Authorization": f"Bearer {native['token']}", "Content-Type": "application/json"}
    answer = web.request(method, native["base"] + path, headers=headers, body=None if body is None else json.dumps(body).encode())
    assert 200 <= answer.status < 300, f"{method} {path} answered {answer.status}: {answer.text}"
    return answer.json if answer.body else None


def audience_create(server: Throng, structure: int, name: str) -> int:
    return call(server, "POST", "/audiences", {"structure": structure, "name": name})["id"]
