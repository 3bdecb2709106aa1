"""Mailgun: `POST /v3/{domain}/messages`, forwarded mail and event webhooks (documentation.mailgun.com: Messages, Receive via
HTTP, Webhooks, Securing Webhooks)."""

from __future__ import annotations

import email.utils
import hashlib
import hmac
import json
import re
import secrets
import time
from typing import Any
from urllib.parse import urlencode

from sunshine.providers.standin import FORM, JSON, Account, Request, Sent, StandIn, Told, Wrong, one, required, unique

NAMES = {"from", "to", "cc", "bcc", "subject", "text", "html", "amp-html", "template", "attachment", "inline", "recipient-variables"}
PREFIXES = ("o:", "h:", "v:", "t:")
# Of all parameters with a prefix together.
PREFIXED_BYTES_MAX = 16 * 1024
MESSAGE_ID = re.compile(r"<[^<>@\s]+@[^<>@\s]+>")


class Mailgun(StandIn):
    kind = "mailgun"
    accepted = 200

    def __init__(self) -> None:
        self.domains: dict[str, str] = {}
        super().__init__()

    def account(self) -> Account:
        domain, key, signing_key = f"{unique('m')}.example.org", unique("key-"), unique("signing-")
        self.domains[domain] = key
        integration = {"type": "mailgun", "apiKey": key, "domain": domain, "incomingAddress": f"in@{domain}"}
        return Account(integration, {"signing_key": signing_key}, (key, signing_key))

    def address(self) -> str:
        return f"{unique('ann.')}@people.example.org"

    def read(self, request: Request) -> Sent:
        match = re.fullmatch(r"/v3/([^/]+)/messages", request.path)
        if not match or request.method != "POST":
            raise Wrong(404, "there is only POST /v3/{domain}/messages")
        user, key = request.basic()
        if user != "api":
            raise Wrong(401, f"the user is api, not {user!r}")
        if self.domains.get(match[1]) != key:
            raise Wrong(401, "Forbidden", expected=True)
        fields = one(request.form())
        for name, value in fields.items():
            if name not in NAMES and not name.startswith(PREFIXES):
                raise Wrong(400, f"there is no {name}")
            if name not in ("text", "html", "amp-html") and re.search(r"[\r\n]", value):
                raise Wrong(400, f"{name} has more than one line")
        required(fields, "from", "to")
        if not any(fields.get(name) for name in ("text", "html", "amp-html", "template")):
            raise Wrong(400, "Need at least one of 'text' or 'html' parameters specified")
        _, sender = email.utils.parseaddr(fields["from"])
        if not sender.endswith(f"@{match[1]}"):
            raise Wrong(400, f"from must be of the domain: {fields['from']!r}")
        recipients = email.utils.getaddresses([fields["to"]])
        if len(recipients) != 1 or not re.fullmatch(r"[^@\s]+@[^@\s]+", recipients[0][1]):
            raise Wrong(400, "'to' parameter is not a valid address. please check documentation")
        if sum(len(name.encode()) + len(value.encode()) for name, value in fields.items() if name.startswith(PREFIXES)) > PREFIXED_BYTES_MAX:
            raise Wrong(400, "options, headers and variables have more than 16 KB")
        message_id = fields.get("h:Message-Id")
        if message_id is not None and not MESSAGE_ID.fullmatch(message_id):
            raise Wrong(400, f"not a Message-Id: {message_id!r}")
        variables = {name: value for name, value in fields.items() if name.startswith("v:")}
        own = next(iter(variables.values()), None)
        provider_id = message_id or f"<{unique()}@{match[1]}>"
        return Sent(recipients[0][1], sender, fields.get("text", ""), own, None, fields, request, 0, provider_id, time.monotonic())

    def receipt(self, sent: Sent) -> bytes:
        return json.dumps({"id": sent.provider_id, "message": "Queued. Thank you."}).encode()

    def refusal(self, status: int, code: int | None, why: str) -> bytes:
        # Of a wrong key, not even JSON.
        return b"Forbidden" if status == 401 else json.dumps({"message": why}).encode()

    # What it tells.

    def signature(self, account: Account, timestamp: int | None = None, token: str | None = None) -> dict[str, str]:
        """HMAC-SHA256 over timestamp and token, with the account's HTTP webhook signing key."""
        signed = {"timestamp": str(int(time.time()) if timestamp is None else timestamp), "token": token or secrets.token_hex(25)}
        key = account.provider["signing_key"].encode()
        return {**signed, "signature": hmac.new(key, (signed["timestamp"] + signed["token"]).encode(), hashlib.sha256).hexdigest()}

    def writes(self, account: Account, hook: str, address: str, text: str, **changes: Any) -> Told:
        """A route's forward(): the mail in a form's fields."""
        to, name = account.integration["incomingAddress"], changes.pop("name", "Ann Lee")
        signed = self.signature(account, changes.pop("timestamp", None), changes.pop("token", None))
        message_id = changes.pop("message_id", None) or f"<{unique()}@people.example.org>"
        date = email.utils.formatdate()
        headers = [["From", f"{name} <{address}>"], ["To", to], ["Subject", "Re: hello"], ["Message-Id", message_id], ["Date", date]]
        fields = {
            "recipient": to, "sender": address, "from": f"{name} <{address}>", "From": f"{name} <{address}>", "To": to, "subject": "Re: hello", "Subject": "Re: hello",
            "Message-Id": message_id, "Date": date, "body-plain": f"{text}\r\n\r\n> earlier\r\n", "stripped-text": text, "stripped-signature": "", "body-html": f"<p>{text}</p>",
            "stripped-html": f"<p>{text}</p>", "message-headers": json.dumps(headers), "domain": account.integration["domain"], **signed, **changes,
        }  # fmt: skip
        return Told("POST", hook, {"Content-Type": FORM, "User-Agent": "mailgun/treq-22.4.0"}, urlencode(fields).encode())

    def event(self, account: Account, hook: str, sent: Sent | None, **data: Any) -> Told:
        """A webhook about a mail: its variables come back, its Message-Id without the angle brackets."""
        if sent is not None:
            variables = {name.removeprefix("v:"): value for name, value in sent.fields.items() if name.startswith("v:")}
            data = {"recipient": sent.to, "user-variables": variables, "message": {"headers": {"message-id": sent.provider_id.strip("<>"), "to": sent.to}}, **data}
        event = {"id": secrets.token_urlsafe(16), "timestamp": time.time(), "log-level": "error", "tags": [], "flags": {"is-test-mode": False}, **data}
        return Told("POST", hook, {"Content-Type": JSON}, json.dumps({"signature": self.signature(account), "event-data": event}).encode())

    def failed(self, account: Account, hook: str, sent: Sent) -> tuple[Told, str]:
        status = {"code": 550, "message": "5.1.1 No such mailbox", "description": "", "attempt-no": 1}
        return self.event(account, hook, sent, event="failed", severity="permanent", reason="bounce", **{"delivery-status": status}), "550"
