"""Real SMTP servers (aiosmtpd) on a free port of 127.0.0.1: good ones with each kind of TLS, and bad ones.

A server keeps what it accepted in `mails`, and the time of each attempt in `attempts`. Its behaviour can be changed while
it runs, since a receiver that was down comes back at the same address.
"""

from __future__ import annotations

import asyncio
import datetime
import email.policy
import ipaddress
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support.postgres import free_port
from support.waiting import wait_until

USER, PASSWORD = "throng", "an smtp password"
MAIL_SECONDS = 60
CERTIFICATE_DAYS = 2

# What a server does with a mail once it has its text: the answer to DATA, or nothing for ever.
ACCEPT, REFUSE, DEFER = "250 accepted", "550 5.1.1 nobody of that name here", "451 4.3.0 come back later"
# Never answers; closes the connection half way; refuses the recipient before the text.
STALL, DROP, REFUSE_RECIPIENT = "stall", "drop", "550 recipient"


@dataclass(frozen=True)
class Mail:
    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    tls: bool
    user: str | None

    @property
    def message(self) -> EmailMessage:
        message = email.message_from_bytes(self.raw, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        return message

    def part(self, subtype: str) -> str:
        part = self.message.get_body((subtype,))
        assert part is not None, f"no text/{subtype} in {self.raw!r}"
        return part.get_content()


class Certificates:
    """An authority and a certificate of 127.0.0.1 and localhost by it, as PEM files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.authority, self.chain, self.key = folder / "authority.pem", folder / "certificate.pem", folder / "key.pem"
        now = datetime.datetime.now(datetime.timezone.utc)
        ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        ca_name, name = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in ("Throng tests", "127.0.0.1"))

        def builder(subject: x509.Name, of: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
            made = x509.CertificateBuilder().subject_name(subject).issuer_name(ca_name).public_key(of.public_key())
            return made.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=CERTIFICATE_DAYS))

        authority = builder(ca_name, ca_key).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(ca_key, hashes.SHA256())
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")])
        certificate = builder(name, key).add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True).add_extension(names, critical=False).sign(ca_key, hashes.SHA256())
        self.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
        self.chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))

    def server_side(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.chain, self.key)
        return context


class MailServer:
    """`tls` is None (plain), "starttls" (required before anything else) or "implicit". With `credentials` a sender must
    sign in as USER."""

    def __init__(self, tls: str | None = None, certificates: Certificates | None = None, credentials: bool = False, behaviour: str = ACCEPT, port: int | None = None, keep_refused: bool = False) -> None:
        assert (tls is None) == (certificates is None)
        self.tls, self.certificates, self.credentials = tls, certificates, credentials
        self.behaviour = behaviour
        # Whether `mails` also has what was answered with a refusal.
        self.keep_refused = keep_refused
        self.port = port or free_port()
        self.mails: list[Mail] = []
        # Seconds of time.monotonic() at which a sender came as far as naming a recipient.
        self.attempts: list[tuple[float, str]] = []
        self.connections = 0
        self.lock = threading.Lock()
        self.controller: Controller | None = None

    def start(self) -> "MailServer":
        mail_server = self
        context = self.certificates.server_side() if self.certificates else None

        class Counting(SMTP):
            def connection_made(self, transport: Any) -> None:
                with mail_server.lock:
                    mail_server.connections += 1
                super().connection_made(transport)

        class Listening(Controller):
            def factory(self) -> SMTP:
                more: dict[str, Any] = {}
                if mail_server.tls == "starttls":
                    more.update(tls_context=context, require_starttls=True)
                if mail_server.credentials:
                    more.update(authenticator=mail_server._authenticate, auth_required=True, auth_require_tls=mail_server.tls == "starttls")
                return Counting(self.handler, enable_SMTPUTF8=True, **more)

        self.controller = Listening(self, hostname="127.0.0.1", port=self.port, ssl_context=context if self.tls == "implicit" else None, ready_timeout=MAIL_SECONDS)
        self.controller.start()
        # aiosmtpd has called itself, to see whether it listens.
        self.connections = 0
        return self

    def stop(self) -> None:
        if self.controller:
            self.controller.stop()
            self.controller = None

    def url(self, scheme: str | None = None) -> str:
        """As `mail.smtp_url` has it."""
        scheme = scheme or {None: "smtp+plain", "starttls": "smtp", "implicit": "smtps"}[self.tls]
        login = f"{USER}:{PASSWORD.replace(' ', '%20')}@" if self.credentials else ""
        return f"{scheme}://{login}127.0.0.1:{self.port}"

    def _authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        right = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        # `handled` would mean that the refusal has been sent already.
        return AuthResult(success=right, handled=False, auth_data=USER if right else None)

    # What aiosmtpd calls.

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        with self.lock:
            self.attempts.append((time.monotonic(), address))
        if self.behaviour == REFUSE_RECIPIENT:
            return "550 5.1.1 nobody of that name here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        behaviour = self.behaviour
        if behaviour == STALL:
            while self.behaviour == STALL:
                await asyncio.sleep(0.05)
            return "421 4.3.2 too late"
        if behaviour == DROP:
            # The sender cannot know whether its mail was taken.
            assert server.transport is not None
            server.transport.abort()
            return "421 gone"
        if behaviour == ACCEPT or self.keep_refused:
            content = envelope.content
            assert isinstance(content, bytes)
            mail = Mail(envelope.mail_from or "", tuple(envelope.rcpt_tos), content, session.ssl is not None or self.tls == "implicit", session.auth_data)
            with self.lock:
                self.mails.append(mail)
        return behaviour

    # What tests ask.

    def to(self, recipient: str) -> list[Mail]:
        with self.lock:
            return [mail for mail in self.mails if recipient.lower() in (address.lower() for address in mail.recipients)]

    def attempts_for(self, recipient: str) -> list[float]:
        with self.lock:
            return [moment for moment, address in self.attempts if address.lower() == recipient.lower()]

    def wait_for(self, recipient: str, seconds: float = MAIL_SECONDS) -> Mail:
        """The first mail to this address."""
        return wait_until(lambda: self.to(recipient), seconds, f"a mail to {recipient}")[0]

    def wait_for_attempts(self, recipient: str, number: int, seconds: float = MAIL_SECONDS) -> list[float]:
        found: Callable[[], list[float]] = lambda: self.attempts_for(recipient)
        return wait_until(lambda: len(found()) >= number and found(), seconds, f"{number} attempts to send to {recipient}")
