"""MessageBird: `POST /messages`, received messages and status reports (developers.messagebird.com: SMS messaging, Verify HTTP
requests; the types and the request validator of its own libraries, npm 4.0.1 and PyPI 2.2.0)."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import secrets
import time
from typing import Any
from urllib.parse import urlencode

import jwt

from sunshine.providers.standin import FORM, JSON, WEB, Account, Request, Sent, StandIn, Told, Wrong, fictitious_number, known, required, unique

NAMES = {
    "originator", "recipients", "body", "type", "reference", "reportUrl", "validity", "gateway", "typeDetails", "datacoding", "mclass", "scheduledDatetime", "shortenUrls",
}  # fmt: skip
# A number, or at most eleven letters and digits.
ORIGINATOR = re.compile(r"\+?\d{3,15}|[A-Za-z0-9 ]{1,11}")
MSISDN = re.compile(r"[1-9]\d{6,14}")
CODE_OF = {400: 21, 401: 2, 404: 20, 422: 10, 429: 21, 500: 99, 503: 99}
TOKEN_SECONDS = 60


class MessageBird(StandIn):
    kind = "messagebird"
    accepted = 201

    def __init__(self) -> None:
        self.keys: set[str] = set()
        super().__init__()

    def account(self) -> Account:
        key, signing_key = unique("live_"), unique("sign") + unique()
        self.keys.add(key)
        number = fictitious_number(self.next_number()).removeprefix("+")
        return Account({"type": "messagebird", "accessKey": key, "signingKey": signing_key, "originator": number}, {}, (key, signing_key))

    def address(self) -> str:
        return fictitious_number(self.next_number())

    def wire(self, address: str) -> str:
        return address.removeprefix("+")

    def read(self, request: Request) -> Sent:
        if (request.method, request.path) != ("POST", "/messages"):
            raise Wrong(404, "Endpoint not found", 98)
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme != "AccessKey":
            raise Wrong(401, f"AccessKey is due, not {scheme!r}")
        if key not in self.keys:
            raise Wrong(401, "Request not allowed (incorrect access_key)", 2, expected=True)
        fields = request.json()
        known(fields, NAMES, "a message")
        required(fields, "originator", "recipients", "body", status=422, code=9)
        if not ORIGINATOR.fullmatch(fields["originator"]):
            raise Wrong(422, f"originator is invalid: {fields['originator']!r}", 10)
        # Or all of them in one text, as its client for Python has it.
        recipients = fields["recipients"].split(",") if isinstance(fields["recipients"], str) else fields["recipients"]
        if not isinstance(recipients, list) or len(recipients) != 1 or not MSISDN.fullmatch(str(recipients[0])):
            raise Wrong(422, f"no (correct) recipients found: {recipients!r}", 10)
        if fields.get("type", "sms") not in ("sms", "binary", "flash") or fields.get("datacoding", "plain") not in ("plain", "unicode", "auto"):
            raise Wrong(422, "type or datacoding is invalid", 10)
        if not fields["body"].isascii() and fields.get("datacoding", "plain") == "plain":
            raise Wrong(422, "plain loses what is not of GSM 03.38", 10)
        report = fields.get("reportUrl")
        if report is not None and (not WEB.fullmatch(report) or not fields.get("reference")):
            raise Wrong(422, "a status report needs a URL and a reference", 10)
        return Sent(str(recipients[0]), fields["originator"], fields["body"], fields.get("reference"), report, fields, request, 0, secrets.token_hex(16), time.monotonic())

    def receipt(self, sent: Sent) -> bytes:
        moment = rfc3339()
        item = {"recipient": int(sent.to), "status": "sent", "statusDatetime": moment, "messagePartCount": 1}
        return json.dumps({
            "id": sent.provider_id, "href": f"https://rest.messagebird.com/messages/{sent.provider_id}", "direction": "mt", "type": "sms", "originator": sent.sender, "body": sent.text,
            "reference": sent.own_id, "validity": None, "gateway": 10, "typeDetails": {}, "datacoding": "plain", "mclass": 1, "scheduledDatetime": None, "createdDatetime": moment,
            "recipients": {"totalCount": 1, "totalSentCount": 1, "totalDeliveredCount": 0, "totalDeliveryFailedCount": 0, "items": [item]},
        }).encode()  # fmt: skip

    def refusal(self, status: int, code: int | None, why: str) -> bytes:
        return json.dumps({"errors": [{"code": code or CODE_OF.get(status, 99), "description": why, "parameter": None}]}).encode()

    # What it tells.

    def signature(self, account: Account, url: str, body: bytes | None, **claims: Any) -> str:
        """The JWT of the header MessageBird-Signature-JWT."""
        moment = int(time.time())
        told = {"iss": "MessageBird", "nbf": moment, "exp": moment + TOKEN_SECONDS, "jti": unique(), "url_hash": hashlib.sha256(url.encode()).hexdigest()}
        if body:
            told["payload_hash"] = hashlib.sha256(body).hexdigest()
        told |= claims
        return jwt.encode({name: value for name, value in told.items() if value is not None}, account.integration["signingKey"], "HS256")

    def told(self, account: Account, method: str, url: str, body: bytes | None = None, media_type: str | None = None, **claims: Any) -> Told:
        headers = {"MessageBird-Signature-JWT": self.signature(account, url, body, **claims), "User-Agent": "MessageBird/1.0"}
        if media_type:
            headers["Content-Type"] = media_type
        return Told(method, url, headers, body)

    def writes(self, account: Account, hook: str, address: str, text: str, **changes: Any) -> Told:
        """As `how` says: JSON (what Flow Builder forwards), a form, or the older GET with everything in its query."""
        how, claims = changes.pop("how", "json"), changes.pop("claims", {})
        fields = {
            "id": changes.pop("id", None) or secrets.token_hex(16), "recipient": account.integration["originator"], "originator": address.removeprefix("+"), "body": text,
            "createdDatetime": rfc3339(), **changes,
        }  # fmt: skip
        if how == "get":
            return self.told(account, "GET", f"{hook}?{urlencode(fields)}", **claims)
        if how == "form":
            return self.told(account, "POST", hook, urlencode(fields).encode(), FORM, **claims)
        return self.told(account, "POST", hook, json.dumps(fields).encode(), JSON, **claims)

    def report(self, account: Account, sent: Sent, status: str, **more: str) -> Told:
        """A status report: a GET to where the message asked for it."""
        assert sent.callback and sent.own_id, "the message asked for no report"
        fields = {"id": sent.provider_id, "reference": sent.own_id, "recipient": sent.to, "status": status, "statusDatetime": rfc3339(), "mccmnc": "23430", "ported": "0", **more}
        return self.told(account, "GET", f"{sent.callback}?{urlencode(fields)}")

    def failed(self, account: Account, hook: str, sent: Sent) -> tuple[Told, str]:
        return self.report(account, sent, "delivery_failed", statusReason="unknown subscriber", statusErrorCode="1"), "1"


def rfc3339() -> str:
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0).isoformat()
