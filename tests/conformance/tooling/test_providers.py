"""The stand-ins of the providers of channels: they take what the providers' own libraries send, and note what the providers
would not understand. A stand-in that takes everything would prove nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

import messagebird
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client as TwilioClient

from sunshine.providers import Account, Mailgun, MessageBird, Planned, StandIn, Twilio, WhatsApp, all_of_them
from support import web

FORM, JSON = "application/x-www-form-urlencoded", "application/json"


@pytest.fixture(scope="module")
def standins() -> Iterator[dict[str, StandIn]]:
    made = all_of_them()
    yield made
    for standin in made.values():
        standin.close()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Here(TwilioHttpClient):
    """Twilio's own, which calls the stand-in instead."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.here = url

    def request(self, method: str, url: str, *arguments: Any, **named: Any) -> Any:
        return super().request(method, self.here + urlsplit(url).path, *arguments, **named)


def test_twilios_own_client(standins: dict[str, StandIn]) -> None:
    standin = standins["twilio"]
    assert isinstance(standin, Twilio)
    account = standin.account()
    client = TwilioClient(account.integration["accountSid"], account.integration["authToken"], http_client=Here(standin.url))
    to, number = standin.address(), standin.number(account)
    made = client.messages.create(to=to, from_=number, body="Hello", media_url=["https://example.org/cat.png"], status_callback="https://example.org/hook?item=a1")
    assert made.sid == standin.to(to)[0].provider_id and made.status == "queued"
    assert client.incoming_phone_numbers(account.integration["phoneNumberSid"]).fetch().phone_number == number
    for wrong in ({"to": "07700900000"}, {"from_": "+15005550006"}, {"body": "x" * 1601}):
        with pytest.raises(TwilioRestException) as refused:
            client.messages.create(**{"to": to, "from_": number, "body": "Hello", **wrong})
        assert refused.value.status == 400
    standin.plan(to, Planned(400, code=21610))
    with pytest.raises(TwilioRestException) as refused:
        client.messages.create(to=to, from_=number, body="Hello")
    assert refused.value.code == 21610
    assert len(standin.faults) == 3
    standin.faults = []


def test_messagebirds_own_client(standins: dict[str, StandIn], monkeypatch: pytest.MonkeyPatch) -> None:
    standin = standins["messagebird"]
    assert isinstance(standin, MessageBird)
    account = standin.account()
    monkeypatch.setattr("messagebird.client.ENDPOINT", standin.url)
    client = messagebird.Client(account.integration["accessKey"])
    to = standin.address()
    made = client.message_create(account.integration["originator"], to.removeprefix("+"), "Hello", {"reference": "a1"})
    [sent] = standin.to(to)
    assert (made.id, made.reference, sent.own_id) == (sent.provider_id, "a1", "a1")
    standin.plan(to, Planned(422, code=10))
    with pytest.raises(messagebird.client.ErrorException) as refused:
        client.message_create(account.integration["originator"], to.removeprefix("+"), "Hello")
    assert [error.code for error in refused.value.errors] == [10]
    with pytest.raises(messagebird.client.ErrorException) as refused:
        messagebird.Client("live_nobody").message_create("Throng", to.removeprefix("+"), "Hello")
    assert [error.code for error in refused.value.errors] == [2]
    assert not standin.faults


def request_of(standin: StandIn, account: Account) -> tuple[str, dict[str, str], dict[str, Any]]:
    """One that the provider takes: path, headers and fields."""
    to = standin.wire(standin.address())
    if isinstance(standin, Mailgun):
        domain = account.integration["domain"]
        return f"/v3/{domain}/messages", {"Authorization": basic("api", account.integration["apiKey"]), "Content-Type": FORM}, {"from": f"Acme <in@{domain}>", "to": to, "subject": "Hi", "text": "Hello"}
    if isinstance(standin, Twilio):
        sid = account.integration["accountSid"]
        return f"/2010-04-01/Accounts/{sid}/Messages.json", {"Authorization": basic(sid, account.integration["authToken"]), "Content-Type": FORM}, {"To": to, "From": standin.number(account), "Body": "Hello"}
    if isinstance(standin, MessageBird):
        return "/messages", {"Authorization": f"AccessKey {account.integration['accessKey']}", "Content-Type": JSON}, {"originator": "Throng", "recipients": [to], "body": "Hello"}
    assert isinstance(standin, WhatsApp)
    headers = {"Authorization": f"Bearer {account.provider['token']}", "Content-Type": JSON}
    return f"/{account.provider['phone_number_id']}/messages", headers, {"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": "Hello"}}


# What each would not understand: other fields, a field without which there is nothing, other headers, other paths.
WRONG: list[tuple[str, dict[str, Any], dict[str, str], str, str]] = [
    ("mailgun", {"to": "ann"}, {}, "", "POST"),
    ("mailgun", {"to": "ann@example.org, bob@example.org"}, {}, "", "POST"),
    ("mailgun", {"text": None}, {}, "", "POST"),
    ("mailgun", {"from": "Acme <a@elsewhere.example>"}, {}, "", "POST"),
    ("mailgun", {"subject": "a\r\nBcc: b@example.org"}, {}, "", "POST"),
    ("mailgun", {"Text": "a"}, {}, "", "POST"),
    ("mailgun", {"v:x": "a" * 17_000}, {}, "", "POST"),
    ("mailgun", {"h:Message-Id": "a@b"}, {}, "", "POST"),
    ("mailgun", {}, {"Authorization": basic("user", "key")}, "", "POST"),
    ("mailgun", {}, {"Content-Type": JSON}, "", "POST"),
    ("mailgun", {}, {}, "/x", "POST"),
    ("mailgun", {}, {}, "", "PUT"),
    ("twilio", {"To": "447700900000"}, {}, "", "POST"),
    ("twilio", {"From": None}, {}, "", "POST"),
    ("twilio", {"MessagingServiceSid": "MG" + "0" * 32}, {}, "", "POST"),
    ("twilio", {"Body": None}, {}, "", "POST"),
    ("twilio", {"body": "a"}, {}, "", "POST"),
    ("twilio", {"StatusCallback": "http://127.0.0.1:80/x"}, {}, "", "POST"),
    ("twilio", {}, {"Authorization": basic("AC0", "token")}, "", "POST"),
    ("twilio", {}, {"Content-Type": JSON}, "", "POST"),
    ("twilio", {}, {}, "/x", "POST"),
    ("messagebird", {"recipients": []}, {}, "", "POST"),
    ("messagebird", {"recipients": ["+447700900000"]}, {}, "", "POST"),
    ("messagebird", {"originator": "longer than eleven"}, {}, "", "POST"),
    ("messagebird", {"body": ""}, {}, "", "POST"),
    ("messagebird", {"body": "\u00e9"}, {}, "", "POST"),
    ("messagebird", {"reportUrl": "https://example.org/"}, {}, "", "POST"),
    ("messagebird", {"text": "a"}, {}, "", "POST"),
    ("messagebird", {}, {"Authorization": "Bearer x"}, "", "POST"),
    ("messagebird", {}, {"Content-Type": FORM}, "", "POST"),
    ("whatsapp", {"to": "0044"}, {}, "", "POST"),
    ("whatsapp", {"messaging_product": None}, {}, "", "POST"),
    ("whatsapp", {"type": "image"}, {}, "", "POST"),
    ("whatsapp", {"text": {"body": ""}}, {}, "", "POST"),
    ("whatsapp", {"text": {"body": "a", "preview": True}}, {}, "", "POST"),
    ("whatsapp", {"type": "template", "text": None, "template": {"name": "Hello World", "language": {"code": "en"}}}, {}, "", "POST"),
    ("whatsapp", {"type": "template", "text": None, "template": {"name": "hello", "language": "en"}}, {}, "", "POST"),
    ("whatsapp", {"type": "image", "text": None, "image": {"url": "https://example.org/"}}, {}, "", "POST"),
    ("whatsapp", {"biz_opaque_callback_data": "a" * 513}, {}, "", "POST"),
    ("whatsapp", {}, {"Authorization": basic("a", "b")}, "", "POST"),
    ("whatsapp", {}, {"Content-Type": FORM}, "", "POST"),
]


@pytest.mark.parametrize("kind", ["mailgun", "twilio", "messagebird", "whatsapp"])
def test_what_each_takes(standins: dict[str, StandIn], kind: str) -> None:
    standin = standins[kind]
    account = standin.account()
    path, headers, fields = request_of(standin, account)
    body = urlencode(fields) if headers["Content-Type"] == FORM else json.dumps(fields)
    assert web.request("POST", standin.url + path, headers=headers, body=body.encode()).status == standin.accepted
    # A key that is nobody's is refused, and no fault of whoever sent it.
    strangers = {"mailgun": basic("api", "key"), "twilio": basic(account.integration.get("accountSid", ""), "0" * 32), "messagebird": "AccessKey live_nobody", "whatsapp": "Bearer EAA"}
    assert web.request("POST", standin.url + path, headers={**headers, "Authorization": strangers[kind]}, body=body.encode()).status == 401
    assert not standin.faults


@pytest.mark.parametrize(("kind", "fields", "headers", "path", "method"), WRONG)
def test_what_each_would_not_understand(standins: dict[str, StandIn], kind: str, fields: dict[str, Any], headers: dict[str, str], path: str, method: str) -> None:
    standin = standins[kind]
    good_path, good_headers, good_fields = request_of(standin, standin.account())
    changed = {name: value for name, value in {**good_fields, **fields}.items() if value is not None}
    body = urlencode(changed) if good_headers["Content-Type"] == FORM else json.dumps(changed)
    sent = len(standin.sent)
    answer = web.request(method, standin.url + good_path + path, headers={**good_headers, **headers}, body=body.encode())
    assert 400 <= answer.status < 500 and len(standin.faults) == 1 and len(standin.sent) == sent, (answer.text, standin.faults)
    standin.faults = []
