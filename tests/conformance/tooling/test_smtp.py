"""That the SMTP servers of the mail tests do what they are named after, as Python's own client sees it."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.smtp import ACCEPT, DEFER, DROP, PASSWORD, REFUSE, REFUSE_RECIPIENT, STALL, USER, Certificates, MailServer

TEXT = b"Subject: hello\r\n\r\ntext\r\n"
FROM, TO = "throng@example.com", "ann@example.com"


@pytest.fixture(scope="module")
def certificates(new_folder: Callable[[], Path]) -> Certificates:
    return Certificates(new_folder())


@pytest.fixture
def start() -> Iterator[Callable[[MailServer], MailServer]]:
    started: list[MailServer] = []

    def run(server: MailServer) -> MailServer:
        started.append(server.start())
        return server

    yield run
    for server in started:
        server.behaviour = ACCEPT
        server.stop()


def trusting(certificates: Certificates) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificates.authority))


def test_plain(start: Callable[[MailServer], MailServer]) -> None:
    server = start(MailServer())
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.sendmail(FROM, TO, TEXT)
    mail = server.wait_for(TO)
    assert (mail.sender, mail.recipients, mail.tls, mail.message["subject"]) == (FROM, (TO,), False, "hello")
    assert server.connections == 1 and len(server.attempts_for(TO)) == 1


def test_starttls_is_required_and_its_certificate_holds(start: Callable[[MailServer], MailServer], certificates: Certificates) -> None:
    server = start(MailServer("starttls", certificates, credentials=True))
    with smtplib.SMTP("127.0.0.1", server.port) as client, pytest.raises(smtplib.SMTPException):
        client.sendmail(FROM, TO, TEXT)
    with smtplib.SMTP("127.0.0.1", server.port) as client, pytest.raises(ssl.SSLError):
        client.starttls(context=ssl.create_default_context())
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.starttls(context=trusting(certificates))
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(USER, "wrong")
        client.login(USER, PASSWORD)
        client.sendmail(FROM, TO, TEXT)
    assert server.wait_for(TO).tls and server.wait_for(TO).user == USER


def test_implicit_tls(start: Callable[[MailServer], MailServer], certificates: Certificates) -> None:
    server = start(MailServer("implicit", certificates, credentials=True))
    with smtplib.SMTP_SSL("127.0.0.1", server.port, context=trusting(certificates)) as client:
        client.login(USER, PASSWORD)
        client.sendmail(FROM, TO, TEXT)
    assert server.wait_for(TO).tls


@pytest.mark.parametrize(("behaviour", "code"), [(REFUSE, 550), (DEFER, 451)])
def test_refused_text(start: Callable[[MailServer], MailServer], behaviour: str, code: int) -> None:
    server = start(MailServer(behaviour=behaviour))
    with smtplib.SMTP("127.0.0.1", server.port) as client, pytest.raises(smtplib.SMTPDataError) as caught:
        client.sendmail(FROM, TO, TEXT)
    assert caught.value.smtp_code == code
    assert not server.mails and len(server.attempts_for(TO)) == 1
    server.behaviour = ACCEPT
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.sendmail(FROM, TO, TEXT)
    assert len(server.to(TO)) == 1


def test_a_refused_recipient(start: Callable[[MailServer], MailServer]) -> None:
    server = start(MailServer(behaviour=REFUSE_RECIPIENT))
    with smtplib.SMTP("127.0.0.1", server.port) as client, pytest.raises(smtplib.SMTPRecipientsRefused):
        client.sendmail(FROM, TO, TEXT)


def test_dropped_and_stalled(start: Callable[[MailServer], MailServer]) -> None:
    server = start(MailServer(behaviour=DROP))
    client = smtplib.SMTP("127.0.0.1", server.port, timeout=10)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        client.sendmail(FROM, TO, TEXT)
    client.close()
    server.behaviour = STALL
    client = smtplib.SMTP("127.0.0.1", server.port, timeout=1)
    with pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected)):
        client.sendmail(FROM, TO, TEXT)
    client.close()
    assert not server.mails


def test_it_comes_back_at_the_same_address(start: Callable[[MailServer], MailServer]) -> None:
    server = start(MailServer())
    server.stop()
    with pytest.raises(ConnectionError):
        smtplib.SMTP("127.0.0.1", server.port)
    server.start()
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.sendmail(FROM, TO, TEXT)
    assert len(server.to(TO)) == 1
