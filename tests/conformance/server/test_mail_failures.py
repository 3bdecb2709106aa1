"""Mail to receivers that are ill, and a server that is killed: what was answered goes out in the end, and once where that
can be known.

These tests take as long as the server is patient: half a minute between attempts, a minute for one attempt, two minutes
until a killed process's mail is taken over. How the waits grow, and when a mail is given up, is tested in the domain with
a clock that can be set.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

import pytest

from a2.client import answered
from server.mail import SECONDS, Smtp, Start, forget, once, retry, row
from support import native
from support.postgres import free_port
from support.site import Site
from support.smtp import ACCEPT, DEFER, DROP, STALL, MailServer
from support.waiting import wait_until

# Until the server tries again by itself; until it takes over what a killed one was sending.
RETRY_SECONDS, TAKE_OVER_SECONDS = 90, 240


def wait_of(item: dict[str, str]) -> float:
    """How long until the next attempt, in seconds."""
    return datetime.fromisoformat(item["next_attempt"]).timestamp() - time.time()


def test_a_deferred_mail_is_tried_again_by_itself_and_later_each_time(start: Start, smtp: Smtp) -> None:
    post = smtp(MailServer(behaviour=DEFER))
    a2 = start(post.url())
    recipient = forget(a2)
    first = wait_until(lambda: (found := row(a2, recipient))["attempts"] == 1 and found["last_error"] and found, SECONDS, "the first attempt is noted")
    assert first["state"] == "queued" and "451" in first["last_error"]
    assert 1 < wait_of(first) < RETRY_SECONDS
    second = wait_until(lambda: (found := row(a2, recipient))["attempts"] == 2 and wait_of(found) > 0 and "451" in found["last_error"] and found, RETRY_SECONDS, "the second attempt is noted")
    assert len(post.attempts_for(recipient)) == 2
    earlier, later = post.attempts_for(recipient)
    assert wait_of(second) > (later - earlier) * 1.1, "the second wait is not longer than the first"
    post.behaviour = ACCEPT
    retry(a2, second["id"])
    once(post, a2, recipient)


def test_a_receiver_that_is_down(start: Start, smtp: Smtp) -> None:
    """Nobody listens; who forgot the password is answered all the same, and gets the mail when somebody does."""
    port = free_port()
    a2 = start(f"smtp+plain://127.0.0.1:{port}")
    recipient = forget(a2)
    waiting = wait_until(lambda: (found := row(a2, recipient))["last_error"] and found, SECONDS, "the error is shown")
    assert waiting["state"] == "queued" and waiting["next_attempt"]
    post = smtp(MailServer(port=port))
    retry(a2, waiting["id"])
    once(post, a2, recipient)


def test_a_receiver_that_hangs_up(start: Start, smtp: Smtp) -> None:
    """In the middle of the text: nobody knows whether it was taken, so the mail goes out again."""
    post = smtp(MailServer(behaviour=DROP))
    a2 = start(post.url())
    recipient = forget(a2)
    waiting = wait_until(lambda: (found := row(a2, recipient))["last_error"] and found, SECONDS, "the error is shown")
    assert waiting["state"] == "queued" and len(post.attempts_for(recipient)) == 1
    post.behaviour = ACCEPT
    retry(a2, waiting["id"])
    once(post, a2, recipient)


def test_a_repetition_can_be_recognised(start: Start, smtp: Smtp) -> None:
    """One mail, taken and then denied: both times under one Message-ID, and two mails under two."""
    post = smtp(MailServer(behaviour=DEFER, keep_refused=True))
    a2 = start(post.url())
    recipient = forget(a2)
    waiting = wait_until(lambda: (found := row(a2, recipient))["last_error"] and found, SECONDS, "the error is shown")
    post.behaviour = ACCEPT
    retry(a2, waiting["id"])
    both = wait_until(lambda: len(post.to(recipient)) == 2 and post.to(recipient), SECONDS, "the second attempt")
    assert both[0].message["message-id"] == both[1].message["message-id"]
    assert post.wait_for(forget(a2)).message["message-id"] != both[0].message["message-id"]


@pytest.mark.timeout(600)
def test_a_receiver_that_stalls(start: Start, smtp: Smtp) -> None:
    """It holds up its own mail for a while, and nothing else."""
    post = smtp(MailServer(behaviour=STALL))
    a2 = start(post.url())
    recipients = [forget(a2) for _ in range(5)]
    post.wait_for_attempts(recipients[0], 1)
    since = time.monotonic()
    for _ in range(20):
        answered(a2.me(a2.admin), 200)
    assert time.monotonic() - since < 10
    wait_until(lambda: row(a2, recipients[0])["last_error"], 2 * SECONDS, "the attempt is given up")
    post.behaviour = ACCEPT
    for recipient in recipients:
        post.wait_for(recipient, TAKE_OVER_SECONDS)
        wait_until(lambda recipient=recipient: not native.outbox(a2.server, recipient), SECONDS, "the mail is sent")
        assert len(post.to(recipient)) == 1


@pytest.mark.timeout(600)
def test_kill_9_loses_no_mail(start: Start, smtp: Smtp, new_site: Callable[[], Site]) -> None:
    """Killed when some mails are out, some on their way and some not yet begun. What was answered with 202 goes out after
    the next start; what was noted as sent does not go out again."""
    site = new_site()
    post = smtp(MailServer())
    first = start(post.url(), site=site)
    accounts = [first.account().email for _ in range(30)]
    for recipient in accounts[:10]:
        answered(first.post("/auth/forgot-password", {"email": recipient}), 202)
    wait_until(lambda: not any(native.outbox(first.server, recipient) for recipient in accounts[:10]), SECONDS, "ten mails are noted as sent")
    post.behaviour = STALL
    for recipient in accounts[10:]:
        answered(first.post("/auth/forgot-password", {"email": recipient}), 202)
    wait_until(lambda: [moment for recipient in accounts[10:] for moment in post.attempts_for(recipient)], SECONDS, "a mail is on its way")
    first.server.kill()
    post.behaviour = ACCEPT
    second = start(post.url(), site=site)
    for recipient in accounts:
        post.wait_for(recipient, TAKE_OVER_SECONDS)
    wait_until(lambda: not native.call(second.server, "GET", "/outbox?state=queued&limit=1")["items"], SECONDS, "every mail is sent")
    once(post, second, forget(second))
    assert [len(post.to(recipient)) for recipient in accounts] == [1] * 30
    token = native.token_of(post.wait_for(accounts[-1]).part("plain"), "reset")
    answered(second.post("/auth/reset-password", {"token": token, "password": "a third horse of nine"}), 200)
