"""What providers tell the server's hooks: believed where it is signed as the provider signs it, stored once, and otherwise
nothing of it."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import parse_qsl, urlencode

import jwt
import messagebird.error
import pytest
from messagebird.request_validator import RequestValidator as MessageBirdValidator
from twilio.request_validator import RequestValidator as TwilioValidator

from sunshine.app import text, unique
from sunshine.fixtures import Play
from sunshine.providers import Told
from sunshine.stage import CHANNELS, PUBLIC_URL, Scene, Stage
from support import web

LIST = pytest.mark.conformance(operation="list_clients", status=200)
MESSAGES = pytest.mark.conformance(operation="list_messages", status=200)
each_channel = pytest.mark.parametrize("kind", CHANNELS)
# What a request is answered that is not believed; Mailgun goes on for hours after anything but this.
UNBELIEVED = {"mailgun": 406, "twilio": 401, "messagebird": 401, "whatsapp": 401}


def waiting(play: Play, kind: str) -> Scene:
    """Somebody who is confirmed by whatever they write: what is believed is seen."""
    scene = play(kind)
    scene.link("userActivity", message=text("Write to us"))
    scene.wait_told("client:add channelLinking", "client:update matched")
    return scene


def pairs(body: bytes) -> list[tuple[str, str]]:
    return parse_qsl(body.decode(), keep_blank_values=True)


def standing(play: Play, kind: str) -> Scene:
    scene = play(kind)
    scene.link("immediate")
    scene.wait_for("active")
    return scene


def signed(scene: Scene, body: bytes, media_type: str) -> Told:
    """With the best signature that there is for this body."""
    if scene.kind == "whatsapp":
        digest = hmac.new(scene.account.provider["app_secret"].encode(), body, hashlib.sha256).hexdigest()
        return Told("POST", scene.hook_url, {"Content-Type": media_type, "X-Hub-Signature-256": f"sha256={digest}"}, body)
    if scene.kind == "messagebird":
        return scene.standin.told(scene.account, "POST", scene.hook_url, body, media_type)
    if scene.kind == "twilio":
        told = scene.standin.told(scene.account, scene.hook_url, {})
        return told.but(body=body, headers={**told.headers, "Content-Type": media_type})
    return Told("POST", scene.hook_url, {"Content-Type": media_type}, urlencode(scene.standin.signature(scene.account)).encode())


def of_short_code(scene: Scene, words: str) -> Told:
    fields = {"mid": unique(), "shortcode": "1008", "keyword": "HELLO", "originator": scene.address.removeprefix("+"), "operator": "23430", "message": words, "receive_datetime": "20261125090000"}
    return scene.standin.told(scene.account, "GET", f"{scene.hook_url}?{urlencode(fields)}")


def assert_refused(scene: Scene, told: Told, status: int | None = None) -> None:
    """Not believed: the answer says so and nothing else, and nothing has happened."""
    answer = scene.workspace.stage.deliver(told)
    assert answer.status == (status or UNBELIEVED[scene.kind]), f"{answer.status}: {answer.text}"
    assert answer.media_type == "application/json" and list(answer.json) == ["error"], answer.text
    assert scene.status() == "pending" and scene.messages() == []


@LIST
@MESSAGES
@each_channel
def test_a_message_that_is_signed(play: Play, kind: str) -> None:
    """It is answered as the provider expects, and stands in the conversation under the person's name."""
    scene, words = waiting(play, kind), unique("grüß euch ")
    told = scene.writes(words)
    answer = scene.workspace.stage.deliver(told)
    assert answer.status == 200
    if kind == "twilio":
        # Anything else would be sent to the person.
        assert answer.media_type == "text/xml" and "<Response" in answer.text and "<Message" not in answer.text
    client = scene.wait_for("active")
    [message] = scene.messages()
    assert message["content"] == {"type": "text", "text": words}
    author, source = message["author"], message["source"]
    assert (author["type"], author["userId"]) == ("user", scene.user["id"])
    assert (source["type"], source["integrationId"]) == (kind, scene.integration["id"])
    if kind in ("mailgun", "whatsapp"):
        assert client["displayName"] == "Ann Lee" and author["displayName"] == "Ann Lee"
    posted = scene.wait_event("conversation:message")
    assert posted["message"]["id"] == message["id"] and posted["message"]["content"]["text"] == words and posted["conversation"]["id"] == scene.conversation["id"]


@MESSAGES
@each_channel
def test_what_is_told_twice_is_heard_once(play: Play, kind: str) -> None:
    """Providers repeat what they think was not heard, and so does whoever has overheard it."""
    scene = waiting(play, kind)
    told = scene.hears("hello")
    scene.wait_for("active")
    other = scene.hears("hello")
    for _ in range(3):
        assert scene.workspace.stage.deliver(told).status == 200
        assert scene.workspace.stage.deliver(other).status == 200
    assert len(scene.messages()) == 2


@MESSAGES
@each_channel
def test_a_repetition_with_a_new_signature(play: Play, kind: str) -> None:
    """A provider signs its repetition anew where the time is in the signature: the message is the same."""
    own = {"mailgun": "message_id", "twilio": "MessageSid", "messagebird": "id", "whatsapp": "wamid"}[kind]
    identity = {"mailgun": f"<{unique()}@people.example.org>", "twilio": f"SM{'0' * 16}{unique()[1:17]}", "messagebird": unique(), "whatsapp": f"wamid.{unique()}"}[kind]
    scene = waiting(play, kind)
    for _ in range(3):
        scene.hears("hello", **{own: identity})
    scene.wait_for("active")
    assert len(scene.messages()) == 1


@LIST
@MESSAGES
@each_channel
def test_what_is_signed_with_another_key(play: Play, kind: str) -> None:
    scene = waiting(play, kind)
    other = scene.standin.account()
    account = scene.account
    scene.account = other
    told = scene.writes("hello")
    scene.account = account
    assert_refused(scene, told)


@LIST
@MESSAGES
@pytest.mark.parametrize("kind", ["twilio", "messagebird", "whatsapp"])
def test_what_was_altered_on_its_way(play: Play, kind: str) -> None:
    """Whoever changes a byte has no signature for it. (Mailgun does not sign what it tells.)"""
    scene = waiting(play, kind)
    told = scene.writes("yes")
    assert told.body is not None and b"yes" in told.body
    assert_refused(scene, told.but(body=told.body.replace(b"yes", b"yea")))
    assert_refused(scene, told.but(body=told.body + (b"&a=b" if kind == "twilio" else b" ")))
    assert_refused(scene, told.but(body=b""), None)
    scene.hears("hello")
    scene.wait_for("active")


@LIST
@MESSAGES
@each_channel
def test_what_is_notsigned(play: Play, kind: str) -> None:
    scene = waiting(play, kind)
    told = scene.writes("hello")
    if kind == "mailgun":
        assert told.body is not None
        fields = [part for part in told.body.decode().split("&") if not part.startswith("signature=")]
        assert_refused(scene, told.but(body="&".join(fields).encode()))
        return
    name = {"twilio": "X-Twilio-Signature", "messagebird": "MessageBird-Signature-JWT", "whatsapp": "X-Hub-Signature-256"}[kind]
    assert_refused(scene, told.without(name))
    for value in ("", "x", "sha256=", "sha1=" + "0" * 40, "0" * 64, "e30.e30."):
        assert_refused(scene, told.but(headers={**told.headers, name: value}))


@LIST
@MESSAGES
@each_channel
def test_what_was_signed_for_another_hook(play: Play, kind: str) -> None:
    """The same account at two integrations: what one was told, the other does not believe where the URL is signed."""
    scene = waiting(play, kind)
    other = play(kind, scene.account)
    assert scene.hook_url != other.hook_url
    told = scene.writes("hello")
    answer = scene.workspace.stage.deliver(told.but(url=other.hook_url))
    assert answer.status == (401 if kind in ("twilio", "messagebird") else 200)
    assert scene.status() == "pending" and scene.messages() == []


@LIST
@each_channel
def test_a_hook_of_nobodys(play: Play, kind: str) -> None:
    """The token in the path is what finds an integration: unknown, or of another kind, there is nothing."""
    scene = waiting(play, kind)
    told, token = scene.writes("hello"), scene.hook_url.rpartition("/")[2]
    other = CHANNELS[CHANNELS.index(kind) - 1]
    flipped = token[:-1] + ("A" if token[-1] != "A" else "B")
    for path in (f"{kind}/{flipped}", f"{kind}/x", f"{other}/{token}", f"custom/{token}", f"sdk/{token}", f"{kind}/{token.upper()}", f"{kind}/" + "a" * 3000):
        answer = scene.workspace.stage.deliver(told.but(url=f"{PUBLIC_URL}/hooks/{path}"))
        assert answer.status == 404, f"{path}: {answer.status}"
        assert token not in answer.text
    for method in ("PUT", "DELETE", "PATCH"):
        assert scene.workspace.stage.deliver(told.but(method=method)).status == 405
    assert scene.status() == "pending"


@LIST
@each_channel
def test_the_hook_of_a_deleted_integration(play: Play, kind: str) -> None:
    scene = waiting(play, kind)
    told = scene.writes("hello")
    scene.client.call("delete_integration", scene.integration["id"])
    assert scene.workspace.stage.deliver(told).status == 404
    assert scene.wait_told("client:add channelLinking", "client:update matched", "client:remove linkFailed")[2]["payload"]["error"]["code"]


@LIST
@MESSAGES
@pytest.mark.parametrize(("kind", "age"), [("mailgun", -36_000), ("mailgun", 3600), ("messagebird", -3600), ("messagebird", 3600)])
def test_what_was_signed_long_ago(play: Play, kind: str, age: int) -> None:
    """Or in the future. Mailgun repeats for eight hours what was not heard; the others sign no time."""
    scene, moment = waiting(play, kind), int(time.time()) + age
    changes: dict[str, Any] = {"timestamp": moment} if kind == "mailgun" else {"claims": {"nbf": moment, "exp": moment + 60}}
    assert_refused(scene, scene.writes("hello", **changes))


@LIST
@MESSAGES
@pytest.mark.parametrize("before", ["a mail", "a failure", "a delivery"])
def test_a_token_of_mailguns_is_good_once(play: Play, before: str) -> None:
    """Mailgun does not sign what it tells: whoever has overheard a signature could else say anything with it."""
    scene = waiting(play, "mailgun")
    [sent] = scene.got()
    if before == "a mail":
        told = scene.writes("hello", scene.standin.address())
        fields = dict(pairs(told.body or b""))
        signed = {name: fields[name] for name in ("timestamp", "token", "signature")}
    else:
        told = scene.standin.event(scene.account, scene.hook_url, sent, event="delivered" if before == "a delivery" else "failed", severity="temporary", reason="generic")
        signed = json.loads(told.body or b"")["signature"]
    assert scene.workspace.stage.deliver(told).status == 200
    forged = scene.writes("yes", timestamp=signed["timestamp"], token=signed["token"])
    assert dict(pairs(forged.body or b""))["signature"] == signed["signature"]
    scene.workspace.stage.deliver(forged)
    assert scene.status() == "pending" and scene.messages() == []
    scene.hears("hello")
    scene.wait_for("active")


@MESSAGES
def test_a_mail_that_mailgun_repeats_for_hours(play: Play) -> None:
    """After an outage of ours: taken with the signature that it had, and once."""
    scene = waiting(play, "mailgun")
    told = scene.hears("hello", timestamp=int(time.time()) - 8 * 3600)
    scene.wait_for("active")
    assert scene.workspace.stage.deliver(told).status == 200
    assert len(scene.messages()) == 1


@LIST
@MESSAGES
@pytest.mark.parametrize(
    "claims", [{"iss": "Somebody"}, {"iss": None}, {"exp": None}, {"nbf": None}, {"url_hash": "0" * 64}, {"url_hash": None}, {"payload_hash": "0" * 64}, {"payload_hash": None}],
    ids=lambda claims: "-".join(f"{name} {value}" for name, value in claims.items())[:30],
)  # fmt: skip
def test_claims_of_messagebirds_token(play: Play, claims: dict[str, Any]) -> None:
    """Refused wherever MessageBird's own library refuses it."""
    scene = waiting(play, "messagebird")
    told = scene.writes("hello", claims=claims)
    validator = MessageBirdValidator(scene.account.integration["signingKey"])
    with pytest.raises((messagebird.error.ValidationError, KeyError)):
        validator.validate_signature(told.headers["MessageBird-Signature-JWT"], told.url, told.body)
    assert_refused(scene, told)


@LIST
@MESSAGES
def test_algorithms_of_messagebirds_token(play: Play) -> None:
    """Those of one family are good; `none` is not."""
    scene = waiting(play, "messagebird")
    told = scene.writes("hello")
    key, name = scene.account.integration["signingKey"], "MessageBird-Signature-JWT"
    claims = jwt.decode(told.headers[name], key, ["HS256"])
    unsigned = jwt.encode(claims, None, "none")
    assert_refused(scene, told.but(headers={**told.headers, name: unsigned}))
    strong = told.but(headers={**told.headers, name: jwt.encode(claims, key, "HS512")})
    assert scene.workspace.stage.deliver(strong).status == 200
    scene.wait_for("active")


@MESSAGES
@pytest.mark.parametrize("how", ["json", "form", "get", "short code"])
def test_how_messagebird_tells(play: Play, how: str) -> None:
    """Flow Builder posts JSON or a form; a number's own callback is a GET, and so is a short code's, which has other names."""
    scene, words = waiting(play, "messagebird"), unique("hello & goodbye ")
    told = scene.writes(words, how=how) if how != "short code" else of_short_code(scene, words)
    # Our signature is one that MessageBird's library takes.
    assert MessageBirdValidator(scene.account.integration["signingKey"]).validate_signature(told.headers["MessageBird-Signature-JWT"], told.url, told.body or b"")
    assert scene.workspace.stage.deliver(told).status == 200
    scene.wait_for("active")
    assert [message["content"]["text"] for message in scene.messages()] == [words]


@MESSAGES
@pytest.mark.parametrize("fields", [{"Body": ""}, {"Body": "a=1&b=2 + ü € 😀"}, {"New Field": "x y", "Another": ""}, {"ProfileName": "Ann"}], ids=["empty", "unicode", "unknown", "name"])
def test_what_twilios_library_signs(play: Play, fields: dict[str, str]) -> None:
    """Over all fields, whichever they are; and what its library would not take is not taken here."""
    scene = waiting(play, "twilio")
    token = scene.account.integration["authToken"]
    told = scene.writes(fields.get("Body", "hello"), **{name: value for name, value in fields.items() if name != "Body"})
    assert scene.workspace.stage.deliver(told).status == 200
    scene.wait_for("active")
    assert TwilioValidator(token).validate(told.url, dict(part for part in pairs(told.body or b"")), told.headers["X-Twilio-Signature"])


@MESSAGES
def test_twilio_by_get(play: Play) -> None:
    """A number's webhook may be set to GET: all of it is in the URL, and the URL is what is signed."""
    scene, words = waiting(play, "twilio"), unique("hello & goodbye ")
    url = f"{scene.hook_url}?{urlencode(dict(pairs(scene.writes(words).body or b'')))}"
    signature = TwilioValidator(scene.account.integration["authToken"]).compute_signature(url, {})
    told = Told("GET", url, {"X-Twilio-Signature": signature})
    assert_refused(scene, told.but(url=url.replace("goodbye", "goodday")))
    assert scene.workspace.stage.deliver(told).status == 200
    scene.wait_for("active")
    assert [message["content"]["text"] for message in scene.messages()] == [words]


@LIST
def test_twilios_signature_over_other_urls(play: Play) -> None:
    """With the usual port, as its library allows; with another host or a query that was not signed, not."""
    scene = waiting(play, "twilio")
    standin, fields = scene.standin, dict(pairs(scene.writes("hello").body or b""))
    for url in (scene.hook_url.replace("throng.acme", "evil.acme"), scene.hook_url + "?a=b", scene.hook_url.replace("https:", "http:")):
        assert_refused(scene, standin.told(scene.account, url, fields).but(url=scene.hook_url))
    with_port = standin.told(scene.account, scene.hook_url.replace("example.com/", "example.com:443/"), fields)
    assert scene.workspace.stage.deliver(with_port.but(url=scene.hook_url)).status == 200
    scene.wait_for("active")


@MESSAGES
def test_whatsapp_tells_several_things_at_once(play: Play) -> None:
    """Of several people, and of another number of the account, which is another integration's."""
    scene = waiting(play, "whatsapp")
    standin, account = scene.standin, scene.account
    bob, at_bob = scene.workspace.user(), scene.standin.address()
    room = scene.workspace.conversation(bob)
    scene.link("userActivity", user=bob, conversation=room, address=at_bob)
    elsewhere = {**standin.value(account, messages=[standin.message(scene.address, "elsewhere")]), "metadata": {"display_phone_number": "1", "phone_number_id": "999"}}
    mine = standin.value(account, messages=[standin.message(scene.address, "one"), standin.message(at_bob, "from Bob"), standin.message(scene.address, "two")])
    assert scene.workspace.stage.deliver(standin.told(account, scene.hook_url, elsewhere, mine)).status == 200
    scene.wait_for("active")
    scene.wait_for("active", bob)
    assert sorted(message["content"]["text"] for message in scene.messages()) == ["one", "two"]
    assert [message["content"]["text"] for message in scene.messages(room)] == ["from Bob"]


@LIST
@MESSAGES
@pytest.mark.parametrize("how", ["button", "button_reply", "list_reply"])
def test_a_button_of_whatsapps_that_says_yes(play: Play, how: str) -> None:
    """Whoever is asked by a template answers with a button of it."""
    scene = play("whatsapp")
    scene.link("prompt", message=text("May we?"))
    scene.wait_told("client:add channelLinking", "client:update matched")
    said: dict[str, Any] = {"type": "button", "button": {"text": "Yes", "payload": "answer-1"}}
    if how != "button":
        said = {"type": "interactive", "interactive": {"type": how, how: {"id": "answer-1", "title": "Yes"}}}
    scene.hears("", context={"from": "15550783881", "id": "wamid.x"}, **said)
    scene.wait_for("active")


@LIST
@MESSAGES
@pytest.mark.parametrize("said", [{"type": "reaction", "reaction": {"message_id": "wamid.x", "emoji": "\U0001f44d"}}, {"type": "image", "image": {"id": "1", "mime_type": "image/jpeg", "sha256": "x", "caption": "look"}}, {"type": "location", "location": {"latitude": 1.5, "longitude": 2.5}}, {"type": "unsupported", "errors": [{"code": 131051, "title": "Message type unknown"}]}, {"type": "tomorrow", "tomorrow": {"a": 1}}], ids=lambda said: said["type"])  # fmt: skip
def test_other_messages_of_whatsapps(play: Play, said: dict[str, Any]) -> None:
    """Whatever it is: taken, and answered, so that Meta does not go on for days."""
    scene = waiting(play, "whatsapp")
    scene.hears("", **said)
    assert all(message["content"]["type"] for message in scene.messages())
    scene.hears("words")
    scene.wait_for("active")
    assert "words" in [message["content"].get("text") for message in scene.messages()]


@LIST
def test_the_challenge_of_whatsapp(play: Play) -> None:
    """Meta asks whether the hook is the account's: the bare challenge, for whoever knows the word."""
    scene = play("whatsapp")
    standin, deliver = scene.standin, scene.workspace.stage.deliver
    answer = deliver(standin.challenge(scene.account, scene.hook_url, "1158201444"))
    assert (answer.status, answer.text, answer.media_type) == (200, "1158201444", "text/plain")
    for change in ({"hub_verify_token": "wrong"}, {"hub_mode": "unsubscribe"}, {"hub_verify_token": ""}):
        answer = deliver(standin.challenge(scene.account, scene.hook_url, "1158201444", **change))
        assert answer.status in (401, 403) and "1158201444" not in answer.text
    assert deliver(Told("GET", scene.hook_url, {})).status in (401, 403)
    # It is nobody's page: what is asked for is not run by a browser.
    answer = deliver(standin.challenge(scene.account, scene.hook_url, "<script>alert(1)</script>"))
    assert answer.status != 200 or answer.media_type == "text/plain"


@LIST
@MESSAGES
@pytest.mark.parametrize("kind", ["mailgun", "whatsapp"])
def test_a_hook_whose_secret_is_not_set(play: Play, kind: str) -> None:
    """Nothing is believed that cannot be checked. (The others' secrets are what their integrations are made with.)"""
    scene = play(kind, configured=False)
    scene.link("userActivity")
    answer = scene.workspace.stage.deliver(scene.writes("hello"))
    assert answer.status == UNBELIEVED[kind]
    assert scene.status() in (None, "pending") and scene.messages() == []


@MESSAGES
@each_channel
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"entry": 7}', b"a=" + b"b" * 100_000, b'{"a":' * 5_000], ids=["none", "open", "list", "null", "not UTF-8", "entry", "long", "deep"])
def test_bodies_that_say_nothing(play: Play, kind: str, body: bytes) -> None:
    """Refused, signed or not, without an error of the server's."""
    scene = standing(play, kind)
    for media_type in ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"):
        for told in (Told("POST", scene.hook_url, {"Content-Type": media_type}, body), signed(scene, body, media_type)):
            answer = scene.workspace.stage.deliver(told)
            # Meta sends what has nothing for us, too: that is taken.
            assert answer.status == 200 or 400 <= answer.status < 500, f"{answer.status}: {answer.text}"
    assert scene.messages() == []
    scene.workspace.stage.server.assert_alive()


@MESSAGES
@each_channel
def test_a_text_that_is_too_long(play: Play, kind: str) -> None:
    """What somebody writes is cut rather than lost."""
    scene = standing(play, kind)
    scene.hears("x" * 10_000)
    [message] = scene.messages()
    assert 0 < len(message["content"]["text"]) <= 4096 and set(message["content"]["text"]) == {"x"}


@MESSAGES
def test_a_picture_that_somebody_sends(play: Play) -> None:
    scene = standing(play, "twilio")
    url = "https://api.twilio.com/2010-04-01/Accounts/AC0/Messages/MM0/Media/ME0"
    scene.hears("look", NumMedia="1", MediaUrl0=url, MediaContentType0="image/jpeg")
    [message] = scene.messages()
    assert message["content"]["type"] == "image" and message["content"]["mediaUrl"] == url


@MESSAGES
def test_a_mail_with_a_file(play: Play) -> None:
    """Mailgun posts multipart/form-data then."""
    scene, words = waiting(play, "mailgun"), unique("see the file ")
    fields = pairs(scene.writes(words).body or b"")
    boundary = unique("boundary")
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode() for name, value in [*fields, ("attachment-count", "1")]]
    file = f'--{boundary}\r\nContent-Disposition: form-data; name="attachment-1"; filename="token"\r\nContent-Type: application/pdf\r\n\r\n'.encode() + bytes(range(256)) * 400
    body = b"".join([*parts, file, f"\r\n--{boundary}--\r\n".encode()])
    told = Told("POST", scene.hook_url, {"Content-Type": f'multipart/form-data; boundary="{boundary}"'}, body)
    assert scene.workspace.stage.deliver(told).status == 200
    scene.wait_for("active")
    assert [message["content"]["text"] for message in scene.messages()] == [words]


@MESSAGES
@pytest.mark.parametrize("headers", [{"Auto-Submitted": "auto-replied"}, {"Precedence": "bulk"}, {"X-Mailgun-Spf": "Fail"}], ids=lambda headers: next(iter(headers)))
def test_mail_that_nobody_wrote(play: Play, headers: dict[str, str]) -> None:
    """Out of office is nobody's yes, and neither is what somebody sends in another's name."""
    scene = waiting(play, "mailgun")
    scene.hears("I am away", **headers)
    assert scene.status() == "pending" and scene.messages() == []
    scene.hears("I am back")
    scene.wait_for("active")


@MESSAGES
def test_a_hook_at_the_servers_own_address(stage: Stage, play: Play) -> None:
    """A body over the limit is refused before anything is read of it."""
    scene = standing(play, "whatsapp")
    body = json.dumps({"a": "b" * 30_000_000}).encode()
    try:
        answer = stage.deliver(signed(scene, body, "application/json"))
    except (BrokenPipeError, ConnectionResetError):
        pass
    else:
        assert answer.status == 413
    stage.server.assert_alive()
    assert web.request("GET", f"{stage.server.url}/livez").status == 200
