"""The few calls of the native API that a vendor's suite needs to set a scene that the vendor's own API cannot, or to see
what only the native API shows: the outbox and the ledger."""

from __future__ import annotations

import json
import re
from typing import Any

from support import web
from support.process import Throng
from support.waiting import wait_until

MAIL_SECONDS = 30
# More than any suite's server holds at once; a page of the outbox.
PAGE = 100
PAGES_MAX = 50


class Refused(AssertionError):
    """A call was answered with something else than success."""

    def __init__(self, what: str, status: int, text: str) -> None:
        super().__init__(f"{what} answered {status}: {text}")
        self.status = status


def call(server: Throng, method: str, path: str, body: dict[str, Any] | None = None, token: str | None = None) -> Any:
    """One call as the workspace's administrator, or as whom the token says; fails unless it is answered with success."""
    native = server.ready["native"]
    headers = {"Authorization": f"Bearer {token or native['token']}", "Content-Type": "application/json"}
    answer = web.request(method, native["base"] + path, headers=headers, body=None if body is None else json.dumps(body).encode())
    if not 200 <= answer.status < 300:
        raise Refused(f"{method} {path}", answer.status, answer.text)
    return answer.json if answer.body else None


def audience_create(server: Throng, structure: int, name: str) -> int:
    return call(server, "POST", "/audiences", {"structure": structure, "name": name})["id"]


def account_create(server: Throng, email: str, password: str, role: str, *, token: str | None = None, **fields: Any) -> dict[str, Any]:
    return call(server, "POST", "/accounts", {"email": email, "password": password, "role": role, **fields}, token)


def account_id(server: Throng, email: str) -> int:
    """The native id of the account with this e-mail."""
    found = [account for account in call(server, "GET", f"/accounts?search={email.partition('@')[0]}&limit=100")["items"] if account["email"].lower() == email.lower()]
    assert len(found) == 1, f"{len(found)} accounts have the e-mail {email}"
    return found[0]["id"]


def outbox(server: Throng, recipient: str) -> list[dict[str, Any]]:
    """What the outbox holds for one address, newest first, each with subject, text and html. What was sent is not among it:
    the server forgets whom it was for."""
    found: list[dict[str, Any]] = []
    before = ""
    for _ in range(PAGES_MAX):
        page = call(server, "GET", f"/outbox?limit={PAGE}{before}")["items"]
        found += [item for item in page if (item["recipient"] or "").lower() == recipient.lower()]
        if len(page) < PAGE:
            return [{**item, **call(server, "GET", f"/outbox/{item['id']}")} for item in found]
        before = f"&before={page[-1]['id']}"
    raise AssertionError(f"the outbox has more than {PAGE * PAGES_MAX} rows, or its pages do not end")


def mails(server: Throng, recipient: str, page: str) -> list[dict[str, Any]]:
    """The mails to an address that link to `/account/{page}`, newest first."""
    return [item for item in outbox(server, recipient) if f"/account/{page}?token=" in item["text"]]


def mailed_token(server: Throng, recipient: str, page: str, number: int = 1) -> str:
    """The token of the newest mail with a link to `/account/{page}`, once there are `number` of them."""
    found = wait_until(lambda: (rows := mails(server, recipient, page)) and len(rows) >= number and rows, MAIL_SECONDS, f"{number} mails to {recipient} link to /account/{page}")
    return token_of(found[0]["text"], page)


def token_of(text: str, page: str) -> str:
    match = re.search(rf"/account/{page}\?token=([A-Za-z0-9._~-]+)", text)
    assert match, f"no link to /account/{page} in {text!r}"
    return match[1]
