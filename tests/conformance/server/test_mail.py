"""Mail that leaves the server, to real SMTP servers: delivered once, readable, encrypted where it must be, and
shown where it was refused.

The mail is that of a forgotten password, asked for through the A2 dialect. What takes as long as a postmaster waits, or
needs kill -9, is in test_mail_failures.py.
"""

from __future__ import annotations

import email.utils
import html
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from a2.client import ThrongA2, answered, unique_email
from server.mail import FROM, FROM_NAME, SECONDS, Smtp, Start, forget, once, retry, row, throng, wait_for_state
from support import native
from support.process import environment
from support.site import Site
from support.smtp import ACCEPT, DEFER, REFUSE, REFUSE_RECIPIENT, USER, Certificates, MailServer
from support.waiting import wait_until


def test_a_mail_is_delivered_once(start: Start, smtp: Smtp) -> None:
    post = smtp(MailServer())
    a2 = start(post.url())
    recipient = forget(a2)
    mail = once(post, a2, recipient)
    assert (mail.sender, mail.recipients) == (FROM, (recipient,))
    assert len(post.attempts_for(recipient)) == 1


def test_what_was_sent_is_forgotten(start: Start, smtp: Smtp) -> None:
    """The row says that a mail went out, and no longer to whom or what it said: a link in it would still be good."""
    post = smtp(MailServer(behaviour=DEFER))
    a2 = start(post.url())
    recipient = forget(a2)
    waiting = wait_until(lambda: (found := row(a2, recipient))["last_error"] and found, SECONDS, "the error is shown")
    assert recipient == waiting["recipient"] and "/account/reset?token=" in waiting["text"]
    post.behaviour = ACCEPT
    retry(a2, waiting["id"])
    wait_until(lambda: not native.outbox(a2.server, recipient), SECONDS, "the mail is forgotten")
    sent = native.call(a2.server, "GET", f"/outbox/{waiting['id']}")
    assert sent["state"] == "sent" and not sent["last_error"] and sent["next_attempt"] is None
    assert [sent[name] for name in ("recipient", "template", "subject", "text", "html")] == [None] * 5


def test_what_a_mail_looks_like(start: Start, smtp: Smtp) -> None:
    post = smtp(MailServer())
    a2 = start(post.url(), "public_url=https://throng.acme.example.com/base")
    recipient = forget(a2)
    mail = post.wait_for(recipient)
    message = mail.message
    assert email.utils.parseaddr(message["from"]) == (FROM_NAME, FROM)
    assert email.utils.parseaddr(message["to"])[1] == recipient
    assert message["message-id"] and abs(email.utils.parsedate_to_datetime(message["date"]).timestamp() - time.time()) < SECONDS
    assert message["auto-submitted"] == "auto-generated"
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    link = f"https://throng.acme.example.com/base/account/reset?token={native.token_of(mail.part('plain'), 'reset')}"
    assert link in mail.part("plain") and link in html.unescape(mail.part("html"))
    # RFC 5321 section 4.5.3.1.6.
    assert all(len(line) <= 998 for line in mail.raw.splitlines())
    answered(a2.post("/auth/reset-password", {"token": native.token_of(mail.part("plain"), "reset"), "password": "a third horse of nine"}), 200)


def test_the_language(start: Start, smtp: Smtp) -> None:
    post = smtp(MailServer())
    a2 = start(post.url())
    korean, english = forget(a2), forget(a2, preferences={"etc": {"language": "en"}})

    def hangul(text: str) -> bool:
        return any("\uac00" <= letter <= "\ud7a3" for letter in text)

    for recipient, expected in ((korean, True), (english, False)):
        mail = post.wait_for(recipient)
        assert [hangul(text) for text in (str(mail.message["subject"]), mail.part("plain"), mail.part("html"))] == [expected] * 3, mail.raw


def test_every_kind_of_mail_goes_out(start: Start, smtp: Smtp) -> None:
    """Invitation, verification, reset, and a changed budget."""
    post = smtp(MailServer())
    a2 = start(post.url())
    ann = a2.account(preferences={"etc": {"language": "en"}})
    invited = unique_email("invited")
    native.call(a2.server, "POST", "/accounts", {"email": invited, "role": "advertiser"})
    assert "/account/invite?token=" in post.wait_for(invited).part("plain")
    for path, link in (("/auth/request-verify-token", "verify"), ("/auth/forgot-password", "reset")):
        answered(a2.post(path, {"email": ann.email}), 202)
        wait_until(lambda link=link: [mail for mail in post.to(ann.email) if f"/account/{link}?token=" in mail.part("plain")], SECONDS, f"the mail with the link to {link}")
    answered(a2.patch("/user/budget", {"id": ann.id, "budget": 1234}, a2.admin), 200)
    budget = wait_until(lambda: [mail for mail in post.to(ann.email) if "/account/" not in mail.part("plain")], SECONDS, "the mail about the budget")
    assert "1234" in budget[0].part("plain").replace(",", "") and len(post.to(ann.email)) == 3


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_encrypted_and_signed_in(start: Start, smtp: Smtp, certificates: Certificates, tls: str) -> None:
    post = smtp(MailServer(tls, certificates, credentials=True))
    a2 = start(post.url(), f"mail.ca_file={certificates.authority}")
    recipient = forget(a2)
    mail = once(post, a2, recipient)
    assert mail.tls and mail.user == USER


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_certificate_of_nobody_we_know(start: Start, smtp: Smtp, certificates: Certificates, tls: str) -> None:
    """The mail waits and the reason is shown, without the password."""
    post = smtp(MailServer(tls, certificates, credentials=True))
    a2 = start(post.url())
    recipient = forget(a2)
    waiting = wait_until(lambda: (found := row(a2, recipient))["last_error"] and found, SECONDS, "the error is shown")
    assert waiting["state"] == "queued"
    assert "certificate" in waiting["last_error"].lower() and "an smtp password" not in str(waiting) and "an%20smtp" not in str(waiting)
    assert not post.mails
    assert "an%20smtp" not in a2.server.log.read_text() and "an smtp password" not in a2.server.log.read_text()


def test_no_mail_in_the_clear_where_tls_is_asked_for(start: Start, smtp: Smtp) -> None:
    """A server, or somebody between, that does not offer STARTTLS gets nothing: no address, no text."""
    post = smtp(MailServer())
    a2 = start(post.url("smtp"))
    recipient = forget(a2)
    wait_until(lambda: row(a2, recipient)["last_error"], SECONDS, "the error is shown")
    assert post.connections >= 1 and not post.attempts and not post.mails


@pytest.mark.parametrize("behaviour", [REFUSE, REFUSE_RECIPIENT])
def test_a_refused_mail_is_dead_until_somebody_retries_it(start: Start, smtp: Smtp, behaviour: str) -> None:
    """550 is for ever: no second attempt, a visible row, and `throng outbox retry` when the cause is gone."""
    post = smtp(MailServer(behaviour=behaviour))
    a2 = start(post.url())
    recipient = forget(a2)
    dead = wait_for_state(a2, recipient, "dead")
    assert dead["attempts"] == 1 and "550" in dead["last_error"]
    assert recipient in throng(a2, "outbox", "list")
    shown = throng(a2, "outbox", "show", str(dead["id"]))
    assert recipient in shown and "550" in shown
    # Later mail overtakes it, and it stays dead.
    post.behaviour = ACCEPT
    post.wait_for(forget(a2))
    assert not post.to(recipient) and len(post.attempts_for(recipient)) == 1
    assert native.call(a2.server, "GET", "/outbox?state=dead")["items"]
    throng(a2, "outbox", "retry", str(dead["id"]))
    once(post, a2, recipient)


def test_a_dead_mail_is_retried_natively(start: Start, smtp: Smtp) -> None:
    post = smtp(MailServer(behaviour=REFUSE))
    a2 = start(post.url())
    recipient = forget(a2)
    dead = wait_for_state(a2, recipient, "dead")
    post.behaviour = ACCEPT
    retry(a2, dead["id"])
    once(post, a2, recipient)


@pytest.mark.parametrize("field", ["name", "first_name", "last_name", "username"])
@pytest.mark.parametrize("text", ["Ann\r\nBcc: eve@example.com", "Ann\nBcc: eve@example.com", "Ann\rBcc: eve@example.com", "Ann\u2028Bcc: eve@example.com", "Ann <eve@example.com>, Lee", '"Ann" <eve@example.com>'], ids=["crlf", "lf", "cr", "line separator", "another address", "a quoted address"])  # fmt: skip
def test_no_name_becomes_a_header_or_a_recipient(mailing: tuple[ThrongA2, MailServer], field: str, text: str) -> None:
    """Refused, or only a name in the text."""
    a2, post = mailing
    recipient = unique_email("invited")
    native_answer = invite(a2, {"email": recipient, "role": "advertiser", field: text})
    if native_answer >= 400:
        assert native_answer in (400, 422)
        post.wait_for(forget(a2))
        assert not post.to(recipient)
        return
    mail = post.wait_for(recipient)
    assert mail.recipients == (recipient,)
    assert mail.message["bcc"] is None and mail.message["cc"] is None
    assert [address for _, address in email.utils.getaddresses([mail.message["to"]])] == [recipient]
    assert not post.to("eve@example.com")


@pytest.mark.parametrize("address", ["ann@example.com\r\nBcc: eve@example.com", "ann@example.com\nRCPT TO:<eve@example.com>", "ann@example.com, eve@example.com", "ann@example.com>\r\nDATA"])
def test_no_address_becomes_two(mailing: tuple[ThrongA2, MailServer], address: str) -> None:
    a2, post = mailing
    assert invite(a2, {"email": address, "role": "advertiser"}) in (400, 422)
    assert a2.post("/auth/forgot-password", {"email": address}).status == 422
    post.wait_for(forget(a2))
    assert not post.to("eve@example.com") and not post.to("ann@example.com")


def test_html_of_a_name_is_text(mailing: tuple[ThrongA2, MailServer]) -> None:
    a2, post = mailing
    recipient = forget(a2, name="<img src=x>&{{ 7654321 * 7 }}")
    mail = post.wait_for(recipient)
    assert "<img" not in mail.part("html")
    # A number that no port, token or address has by chance.
    assert str(7654321 * 7) not in html.unescape(mail.part("html"))


@pytest.fixture(scope="module")
def mailing(new_site: Callable[[], Site]) -> Iterator[tuple[ThrongA2, MailServer]]:
    """One server and one good receiver for the tests that need no other."""
    post = MailServer().start()
    settings = (f"mail.smtp_url={post.url()}", f"mail.from={FROM}", "rate_limit.a2=off")
    server = new_site().serve(*(word for setting in settings for word in ("--set", setting)))
    yield ThrongA2(server), post
    assert server.terminate() == 0, server.describe()
    post.stop()


def invite(a2: ThrongA2, command: dict[str, Any]) -> int:
    """The status of an invitation through the native API, which may be refused."""
    try:
        native.call(a2.server, "POST", "/accounts", command)
    except native.Refused as refusal:
        return refusal.status
    return 201


def test_a_plain_connection_is_for_loopback(binary: Path, new_folder: Callable[[], Path]) -> None:
    """A server that would send passwords and links in the clear does not start."""
    for url in ("smtp+plain://192.0.2.1:25", "smtp+plain://mail.example.com:25", "ftp://127.0.0.1:25", "smtp+plain://"):
        done = subprocess.run(
            [str(binary), "serve", "--listen", "127.0.0.1:0", "--data", str(new_folder()), "--set", f"mail.smtp_url={url}"],
            env={**environment(), "PATH": os.environ["PATH"]}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 2, f"{url}: {done.returncode} {done.stderr}"
        assert "mail.smtp_url" in done.stderr
