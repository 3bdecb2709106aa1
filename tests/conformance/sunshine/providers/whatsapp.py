"""WhatsApp's Cloud API: `POST /{version}/{phone_number_id}/messages` and webhooks of `whatsapp_business_account`
(developers.facebook.com/docs/whatsapp/cloud-api: reference/messages, support/error-codes, webhooks)."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import time
from typing import Any
from urllib.parse import urlencode

from sunshine.providers.standin import E164, JSON, WEB, Account, Request, Sent, StandIn, Told, Wrong, fictitious_number, known, required, unique

NAMES = {"messaging_product", "recipient_type", "to", "type", "context", "biz_opaque_callback_data", "status", "message_id"}
TYPES = {"text", "image", "template", "document", "audio", "video", "sticker", "location", "contacts", "interactive", "reaction"}
TEXT_CHARS_MAX, CAPTION_CHARS_MAX, OPAQUE_CHARS_MAX = 4096, 1024, 512
# Error code and type of a status.
CODE_OF = {400: 100, 401: 190, 403: 10, 404: 33, 429: 130429, 500: 131000, 503: 131016}
UNDELIVERABLE = 131026


class WhatsApp(StandIn):
    kind = "whatsapp"
    accepted = 200
    prefix = "/v23.0"

    def __init__(self) -> None:
        self.tokens: dict[str, str] = {}
        super().__init__()

    def account(self) -> Account:
        number, token, app_secret, word = f"1{secrets.randbelow(10**14):014d}", f"EAA{secrets.token_hex(16)}", secrets.token_hex(16), unique("word")
        self.tokens[number] = token
        provider = {"phone_number_id": number, "token": token, "app_secret": app_secret, "verify_token": word}
        return Account({"type": "whatsapp", "deploymentId": secrets.token_hex(12)}, provider, (token, app_secret, word))

    def address(self) -> str:
        return fictitious_number(self.next_number())

    def wire(self, address: str) -> str:
        return address.removeprefix("+")

    def read(self, request: Request) -> Sent:
        match = re.fullmatch(r"/v\d+\.\d+/(\d+)/messages", request.path)
        if not match or request.method != "POST":
            raise Wrong(404, "Unsupported request", 100)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer":
            raise Wrong(401, f"Bearer is due, not {scheme!r}", 190)
        if self.tokens.get(match[1]) != token:
            raise Wrong(401, "Error validating access token", 190, expected=True)
        fields = request.json()
        required(fields, "messaging_product", "to", "type", code=100)
        kind = fields["type"]
        if fields["messaging_product"] != "whatsapp" or fields.get("recipient_type", "individual") != "individual" or kind not in TYPES:
            raise Wrong(400, "messaging_product, recipient_type or type is invalid", 100)
        known(fields, NAMES | {kind}, f"a message of the type {kind}")
        required(fields, kind, code=100)
        if not E164.fullmatch("+" + fields["to"].removeprefix("+")):
            raise Wrong(400, "Recipient phone number is invalid", 131009)
        opaque = fields.get("biz_opaque_callback_data")
        if opaque is not None and len(opaque) > OPAQUE_CHARS_MAX:
            raise Wrong(400, "biz_opaque_callback_data is too long", 100)
        text = getattr(self, f"check_{kind}", lambda content: "")(fields[kind])
        return Sent(fields["to"].removeprefix("+"), match[1], text, opaque, None, fields, request, 0, f"wamid.{secrets.token_urlsafe(24)}", time.monotonic())

    def check_text(self, text: dict[str, Any]) -> str:
        known(text, {"body", "preview_url"}, "a text")
        if not 1 <= len(text.get("body", "")) <= TEXT_CHARS_MAX or not isinstance(text.get("preview_url", False), bool):
            raise Wrong(400, "a text has 1 to 4096 characters", 100)
        return text["body"]

    def check_image(self, image: dict[str, Any]) -> str:
        known(image, {"link", "id", "caption"}, "an image")
        if ("link" in image) == ("id" in image) or not WEB.fullmatch(image.get("link", "https://x.example/")):
            raise Wrong(400, "an image has a link or an id", 100)
        if len(image.get("caption", "")) > CAPTION_CHARS_MAX:
            raise Wrong(400, "a caption has at most 1024 characters", 100)
        return image.get("caption", "")

    def check_template(self, template: dict[str, Any]) -> str:
        known(template, {"name", "language", "components"}, "a template")
        if not re.fullmatch(r"[a-z0-9_]{1,512}", template.get("name", "")):
            raise Wrong(400, "a template's name is of small letters, digits and _", 132001)
        known(template.get("language", {}), {"code", "policy"}, "a language")
        if not re.fullmatch(r"[a-z]{2,3}(_[A-Z]{2})?", template["language"].get("code", "")):
            raise Wrong(400, "a language's code is like en or en_US", 132001)
        for component in template.get("components", []):
            known(component, {"type", "sub_type", "index", "parameters"}, "a component")
            if component.get("type") not in ("header", "body", "button"):
                raise Wrong(400, "a component is header, body or button", 100)
            if component["type"] == "button" and not {"sub_type", "index"} <= set(component):
                raise Wrong(400, "a button has sub_type and index", 100)
            for parameter in component.get("parameters", []):
                if not parameter.get("type") or parameter["type"] not in parameter:
                    raise Wrong(400, "a parameter has a type and what it says", 132012)
        return template["name"]

    def receipt(self, sent: Sent) -> bytes:
        contact = {"input": sent.fields["to"], "wa_id": sent.to}
        return json.dumps({"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": sent.provider_id, "message_status": "accepted"}]}).encode()

    def refusal(self, status: int, code: int | None, why: str) -> bytes:
        code = code or CODE_OF.get(status, 131000)
        details = {"messaging_product": "whatsapp", "details": why}
        return json.dumps({"error": {"message": f"(#{code}) {why}", "type": "OAuthException", "code": code, "error_data": details, "fbtrace_id": unique("A")}}).encode()

    # What it tells.

    def told(self, account: Account, hook: str, *values: dict[str, Any]) -> Told:
        """A webhook of some changes, signed with the app's secret over its bytes; what is not ASCII is escaped, as Meta does."""
        changes = [{"field": "messages", "value": value} for value in values]
        body = json.dumps({"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": changes}]}).encode()
        digest = hmac.new(account.provider["app_secret"].encode(), body, hashlib.sha256).hexdigest()
        return Told("POST", hook, {"Content-Type": JSON, "X-Hub-Signature-256": f"sha256={digest}", "User-Agent": "facebookexternalua"}, body)

    def value(self, account: Account, **told: Any) -> dict[str, Any]:
        metadata = {"display_phone_number": "15550783881", "phone_number_id": account.provider["phone_number_id"]}
        return {"messaging_product": "whatsapp", "metadata": metadata, **told}

    def message(self, address: str, text: str, **changes: Any) -> dict[str, Any]:
        wamid = changes.pop("wamid", None) or f"wamid.{secrets.token_urlsafe(24)}"
        said = {"from": address.removeprefix("+"), "id": wamid, "timestamp": str(int(time.time())), "type": "text", "text": {"body": text}, **changes}
        if said["type"] != "text":
            del said["text"]
        return said

    def writes(self, account: Account, hook: str, address: str, text: str, **changes: Any) -> Told:
        contact = {"profile": {"name": changes.pop("name", "Ann Lee")}, "wa_id": address.removeprefix("+")}
        return self.told(account, hook, self.value(account, contacts=[contact], messages=[self.message(address, text, **changes)]))

    def status(self, account: Account, hook: str, sent: Sent, status: str, *errors: dict[str, Any]) -> Told:
        told: dict[str, Any] = {"id": sent.provider_id, "status": status, "timestamp": str(int(time.time())), "recipient_id": sent.to}
        if sent.own_id is not None:
            told["biz_opaque_callback_data"] = sent.own_id
        if errors:
            told["errors"] = list(errors)
        return self.told(account, hook, self.value(account, statuses=[told]))

    def failed(self, account: Account, hook: str, sent: Sent) -> tuple[Told, str]:
        error = {"code": UNDELIVERABLE, "title": "Message undeliverable", "message": "Message undeliverable", "error_data": {"details": "Message Undeliverable."}}
        return self.status(account, hook, sent, "failed", error), str(UNDELIVERABLE)

    def challenge(self, account: Account, hook: str, challenge: str, **changes: str) -> Told:
        """How a webhook is proved to be the account's."""
        query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": account.provider["verify_token"], **{name.replace("_", ".", 1): value for name, value in changes.items()}}
        return Told("GET", f"{hook}?{urlencode(query)}", {})
