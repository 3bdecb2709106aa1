"""The bodies of webhooks, read by the vendor's own models of version 17.0.1 where it has one."""

from __future__ import annotations

import sys
from functools import cache
from types import ModuleType
from typing import Any

from sunshine.app import ID, TIME
from sunshine.clients import PYTHON_17, folder

# The classes of the events; of user:delete there is none.
CLASSES = {
    "client:add": "ClientAddEvent",
    "client:update": "ClientUpdateEvent",
    "client:remove": "ClientRemoveEvent",
    "conversation:create": "ConversationCreateEvent",
    "conversation:join": "ConversationJoinEvent",
    "conversation:leave": "ConversationLeaveEvent",
    "conversation:remove": "ConversationRemoveEvent",
    "conversation:message": "ConversationMessageEvent",
    "conversation:message:delivery:channel": "ConversationMessageDeliveryChannelEvent",
    "conversation:message:delivery:failure": "ConversationMessageDeliveryFailureEvent",
    "conversation:read": "ConversationReadEvent",
    "conversation:typing": "ConversationTypingEvent",
    "user:update": "UserUpdateEvent",
}


# What the vendor's own bodies have and the classes do not know: members that an author has in the rest of its API, and the
# rest of a user for whoever asks for it (includeFullUser).
BESIDE = tuple(f".payload.{what}.author.{name}" for what in ("message", "activity") for name in ("userExternalId", "displayName", "avatarUrl")) + (
    ".payload.user.profile",
    ".payload.user.metadata",
    ".payload.user.signedUpAt",
)


@cache
def vendor() -> ModuleType:
    """The package itself, in this process: nothing here imports the other version."""
    sys.path.insert(0, str(folder() / PYTHON_17))
    try:
        import sunshine_conversations_client
        import sunshine_conversations_client.model
    finally:
        sys.path.pop(0)
    return sunshine_conversations_client.model


def event(body: dict[str, Any]) -> dict[str, Any]:
    """An event, whose class takes it and gives it back as it came: every member has a place there."""
    assert {"id", "type", "createdAt", "payload"} == set(body), body
    assert ID.fullmatch(body["id"]) and TIME.fullmatch(body["createdAt"]), body
    if body["type"] in CLASSES:
        kind = getattr(vendor(), CLASSES[body["type"]])
        read = kind.from_dict(body)
        missing = [path for path in lost(body, read.to_dict()) if path not in BESIDE]
        assert not missing, f"{CLASSES[body['type']]} does not know {missing}: {body}"
    else:
        assert body["type"] == "user:delete", body["type"]
    return body


def lost(given: Any, kept: Any, path: str = "") -> list[str]:
    """The members of what was given that are not in what was kept."""
    if isinstance(given, dict):
        if not isinstance(kept, dict):
            return [path]
        found = []
        for name, value in given.items():
            # What is empty says nothing, and the models leave it out.
            if name not in kept and value not in ({}, [], None):
                found.append(f"{path}.{name}")
            elif name in kept:
                found += lost(value, kept[name], f"{path}.{name}")
        return found
    if isinstance(given, list):
        return [place for at, value in enumerate(given) for place in lost(value, kept[at] if at < len(kept) else None, f"{path}[{at}]")]
    return [] if given == kept else [path]
