"""The four providers of channels, played on this machine: what they take, checked against the formats that they publish, and
what they tell a hook, signed as they sign it.

Written from the providers' documentation and libraries, not from this server.
"""

from __future__ import annotations

from sunshine.providers.mailgun import Mailgun
from sunshine.providers.messagebird import MessageBird
from sunshine.providers.standin import Account, Planned, Sent, StandIn, Told
from sunshine.providers.twilio import Twilio
from sunshine.providers.whatsapp import WhatsApp

__all__ = ["Account", "Mailgun", "MessageBird", "Planned", "Sent", "StandIn", "Told", "Twilio", "WhatsApp", "all_of_them"]


def all_of_them() -> dict[str, StandIn]:
    """One of each, running; by the name of the integration's type."""
    return {standin.kind: standin for standin in (Mailgun(), Twilio(), MessageBird(), WhatsApp())}
