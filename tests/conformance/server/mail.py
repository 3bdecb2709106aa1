"""What the tests of mail share: a server that mails, somebody who forgets a password, and the row of the outbox."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

from a2.client import ThrongA2, answered
from support import native
from support.process import environment
from support.smtp import Mail, MailServer
from support.waiting import wait_until

SECONDS = 60
FROM_NAME, FROM = "Throng of Acme", "throng@acme.example.com"
Start = Callable[..., ThrongA2]
Smtp = Callable[[MailServer], MailServer]


def forget(a2: ThrongA2, email: str | None = None, **changes: Any) -> str:
    """Somebody registers and forgets the password; the address that a mail is due at."""
    account = a2.account(email, **changes)
    answered(a2.post("/auth/forgot-password", {"email": account.email}), 202)
    return account.email


def row(a2: ThrongA2, recipient: str) -> dict[str, Any]:
    """The one row of the outbox for this address."""
    rows = native.outbox(a2.server, recipient)
    assert len(rows) == 1, rows
    return rows[0]


def wait_for_state(a2: ThrongA2, recipient: str, state: str) -> dict[str, Any]:
    return wait_until(lambda: (found := row(a2, recipient))["state"] == state and found, SECONDS, f"the mail to {recipient} is {state}")


def once(smtp: MailServer, a2: ThrongA2, recipient: str) -> Mail:
    """The mail, after another one that was queued later has come through as well."""
    mail = smtp.wait_for(recipient)
    smtp.wait_for(forget(a2))
    assert len(smtp.to(recipient)) == 1
    return mail


def throng(a2: ThrongA2, *arguments: str) -> str:
    """A command of the command line, as the administrator."""
    variables = {**environment(), "THRONG_URL": a2.server.url, "THRONG_TOKEN": a2.server.ready["native"]["token"]}
    done = subprocess.run([a2.server.command[0], *arguments], env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, f"throng {' '.join(arguments)} ended with {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def retry(a2: ThrongA2, item: int) -> None:
    """Now, and not when the postmaster would."""
    native.call(a2.server, "POST", f"/outbox/{item}/retry")
