"""Twilio: `POST /2010-04-01/Accounts/{AccountSid}/Messages.json`, the look-up of a phone number, messaging webhooks and status
callbacks (twilio.com/docs/messaging/api/message-resource, .../guides/webhook-request, /docs/api/errors).

Signatures are computed and the names of fields known by Twilio's own library.
"""

from __future__ import annotations

import email.utils
import json
import re
import secrets
import time
from typing import Any
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

from sunshine.providers.standin import E164, FORM, WEB, Account, Planned, Request, Sent, StandIn, Told, Wrong, fictitious_number, one, required, unique

# twilio 9.13.0, twilio/rest/api/v2010/account/message/__init__.py: create().
NAMES = {
    "To", "StatusCallback", "ApplicationSid", "MaxPrice", "ProvideFeedback", "Attempt", "ValidityPeriod", "ForceDelivery", "ContentRetention", "AddressRetention", "SmartEncoded",
    "PersistentAction", "TrafficType", "ShortenUrls", "ScheduleType", "SendAt", "SendAsMms", "ContentVariables", "MessageIntent", "RiskCheck", "FallbackFrom", "From",
    "MessagingServiceSid", "Body", "MediaUrl", "ContentSid",
}  # fmt: skip
BODY_CHARS_MAX = 1600
STATUS_OF = {400: 21211, 401: 20003, 404: 20404, 429: 20429, 500: 20500, 503: 20503}
UNREACHABLE = "30003"


class Twilio(StandIn):
    kind = "twilio"
    accepted = 201

    def __init__(self) -> None:
        self.tokens: dict[str, str] = {}
        self.phones: dict[tuple[str, str], str] = {}
        self.services: set[tuple[str, str]] = set()
        super().__init__()

    def account(self) -> Account:
        sid, token, phone = f"AC{secrets.token_hex(16)}", secrets.token_hex(16), f"PN{secrets.token_hex(16)}"
        self.tokens[sid] = token
        self.phones[sid, phone] = fictitious_number(self.next_number())
        return Account({"type": "twilio", "accountSid": sid, "authToken": token, "phoneNumberSid": phone}, {}, (token,))

    def with_service(self) -> Account:
        """One that sends through a Messaging Service."""
        sid, token, service = f"AC{secrets.token_hex(16)}", secrets.token_hex(16), f"MG{secrets.token_hex(16)}"
        self.tokens[sid] = token
        self.services.add((sid, service))
        return Account({"type": "twilio", "accountSid": sid, "authToken": token, "messagingServiceSid": service}, {}, (token,))

    def number(self, account: Account) -> str:
        """What it sends from."""
        return self.phones.get((account.integration["accountSid"], account.integration.get("phoneNumberSid", "")), "+447700900000")

    def address(self) -> str:
        return fictitious_number(self.next_number())

    def allow(self, request: Request, sid: str) -> None:
        user, token = request.basic()
        if user != sid:
            raise Wrong(401, "the user is the account's sid", 20003)
        if self.tokens.get(sid) != token:
            raise Wrong(401, "Authenticate", 20003, expected=True)

    def other(self, request: Request) -> Planned | None:
        match = re.fullmatch(r"/2010-04-01/Accounts/(AC[0-9a-f]{32})/IncomingPhoneNumbers/(PN[0-9a-f]{32})\.json", request.path)
        if not match or request.method != "GET":
            return None
        self.allow(request, match[1])
        number = self.phones.get((match[1], match[2]))
        if number is None:
            raise Wrong(404, f"The requested resource {request.path} was not found", 20404, expected=True)
        return Planned(200, json.dumps({"sid": match[2], "account_sid": match[1], "phone_number": number, "friendly_name": number, "uri": request.path}).encode())

    def read(self, request: Request) -> Sent:
        match = re.fullmatch(r"/2010-04-01/Accounts/(AC[0-9a-f]{32})/Messages\.json", request.path)
        if not match or request.method != "POST":
            raise Wrong(404, "there is no such resource", 20404)
        sid = match[1]
        self.allow(request, sid)
        form = request.form()
        media = form.pop("MediaUrl", [])
        fields = one(form)
        unknown = set(fields) - NAMES
        if unknown:
            raise Wrong(400, f"there is no {', '.join(unknown)}")
        required(fields, "To", code=21604)
        if not E164.fullmatch(fields["To"]):
            raise Wrong(400, f"The 'To' number {fields['To']} is not a valid phone number", 21211)
        number, service = fields.get("From"), fields.get("MessagingServiceSid")
        if (number is None) == (service is None):
            raise Wrong(400, "A 'From' phone number is required, or a MessagingServiceSid", 21603)
        if number is not None and number not in {phone for (owner, _), phone in self.phones.items() if owner == sid}:
            raise Wrong(400, f"The 'From' phone number {number} is not one of the account's", 21659)
        if service is not None and (sid, service) not in self.services:
            raise Wrong(404, "no such Messaging Service", 21704)
        body = fields.get("Body", "")
        if not body and not media and "ContentSid" not in fields:
            raise Wrong(400, "Message body is required", 21602)
        if len(body) > BODY_CHARS_MAX:
            raise Wrong(400, "The concatenated message body exceeds the 1600 character limit", 21617)
        for url in (*media, *filter(None, [fields.get("StatusCallback")])):
            # Twilio refuses what it cannot reach.
            if not WEB.fullmatch(url) or "127.0.0.1" in url or "localhost" in url:
                raise Wrong(400, f"{url} is not a valid URL", 21609)
        callback = fields.get("StatusCallback")
        own = callback.partition("?")[2].partition("=")[2] if callback else None
        return Sent(fields["To"], number or service or "", body, own or None, callback, {**fields, "MediaUrl": media}, request, 0, f"SM{secrets.token_hex(16)}", time.monotonic())

    def receipt(self, sent: Sent) -> bytes:
        sid = sent.request.path.split("/")[3]
        return json.dumps({
            "sid": sent.provider_id, "account_sid": sid, "status": "queued", "to": sent.to, "from": sent.fields.get("From"), "body": sent.text, "error_code": None, "error_message": None,
            "messaging_service_sid": sent.fields.get("MessagingServiceSid"), "num_segments": "1", "num_media": str(len(sent.fields["MediaUrl"])), "direction": "outbound-api",
            "date_created": email.utils.formatdate(), "date_sent": None, "api_version": "2010-04-01", "price": None, "price_unit": "USD",
            "uri": f"/2010-04-01/Accounts/{sid}/Messages/{sent.provider_id}.json",
        }).encode()  # fmt: skip

    def refusal(self, status: int, code: int | None, why: str) -> bytes:
        code = code or STATUS_OF.get(status, 20001)
        return json.dumps({"code": code, "message": why, "more_info": f"https://www.twilio.com/docs/errors/{code}", "status": status}).encode()

    # What it tells.

    def told(self, account: Account, url: str, fields: dict[str, str]) -> Told:
        """A form, signed over the URL and all its fields by Twilio's library."""
        signature = RequestValidator(account.integration["authToken"]).compute_signature(url, fields)
        headers = {"Content-Type": f"{FORM}; charset=UTF-8", "X-Twilio-Signature": signature, "I-Twilio-Idempotency-Token": unique(), "User-Agent": "TwilioProxy/1.1"}
        return Told("POST", url, headers, urlencode(fields).encode())

    def writes(self, account: Account, hook: str, address: str, text: str, **changes: Any) -> Told:
        sid = changes.pop("MessageSid", None) or f"SM{secrets.token_hex(16)}"
        fields = {
            "ToCountry": "GB", "ToState": "", "SmsMessageSid": sid, "NumMedia": "0", "ToCity": "", "FromZip": "", "SmsSid": sid, "FromState": "", "SmsStatus": "received",
            "FromCity": "", "Body": text, "FromCountry": "GB", "To": self.number(account), "ToZip": "", "NumSegments": "1", "MessageSid": sid,
            "AccountSid": account.integration["accountSid"], "From": address, "ApiVersion": "2010-04-01", **changes,
        }  # fmt: skip
        return self.told(account, hook, fields)

    def status(self, account: Account, sent: Sent, status: str, **more: str) -> Told:
        """To where the message asked for it."""
        assert sent.callback, "the message asked for no callback"
        fields = {
            "ApiVersion": "2010-04-01", "MessageSid": sent.provider_id, "SmsSid": sent.provider_id, "MessageStatus": status, "SmsStatus": status, "To": sent.to, "From": sent.sender,
            "AccountSid": account.integration["accountSid"], **more,
        }  # fmt: skip
        return self.told(account, sent.callback, fields)

    def failed(self, account: Account, hook: str, sent: Sent) -> tuple[Told, str]:
        return self.status(account, sent, "undelivered", ErrorCode=UNREACHABLE), UNREACHABLE
