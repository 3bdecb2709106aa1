"""The vendor's three clients, each a process that takes calls one after the other: the two for Python have one package name,
and the third is for JavaScript. What a client cannot be made to say with its own classes, `app.App` says in plain HTTP.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

from sunshine.app import App

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent / "clients"
PYTHON_9, PYTHON_17, NODE = "python-9.15.0", "python-17.0.1", "node-14.1.0"
NAMES = (PYTHON_9, PYTHON_17, NODE)

# The class that has an operation, and the class of its body.
OPERATIONS: dict[str, tuple[str, str | None]] = {
    "list_apps": ("AppsApi", None),
    "get_app": ("AppsApi", None),
    "create_app": ("AppsApi", "AppCreateBody"),
    "update_app": ("AppsApi", "AppUpdateBody"),
    "delete_app": ("AppsApi", None),
    "list_app_keys": ("AppKeysApi", None),
    "create_app_key": ("AppKeysApi", "AppKeyCreateBody"),
    "get_app_key": ("AppKeysApi", None),
    "delete_app_key": ("AppKeysApi", None),
    "create_user": ("UsersApi", "UserCreateBody"),
    "get_user": ("UsersApi", None),
    "update_user": ("UsersApi", "UserUpdateBody"),
    "delete_user": ("UsersApi", None),
    "delete_user_personal_information": ("UsersApi", None),
    "create_client": ("ClientsApi", "ClientCreate"),
    "list_clients": ("ClientsApi", None),
    "remove_client": ("ClientsApi", None),
    "create_conversation": ("ConversationsApi", "ConversationCreateBody"),
    "list_conversations": ("ConversationsApi", None),
    "get_conversation": ("ConversationsApi", None),
    "update_conversation": ("ConversationsApi", "ConversationUpdateBody"),
    "delete_conversation": ("ConversationsApi", None),
    "list_participants": ("ParticipantsApi", None),
    "join_conversation": ("ParticipantsApi", "ParticipantJoinBody"),
    "leave_conversation": ("ParticipantsApi", "ParticipantLeaveBody"),
    "list_messages": ("MessagesApi", None),
    "post_message": ("MessagesApi", "MessagePost"),
    "delete_message": ("MessagesApi", None),
    "delete_all_messages": ("MessagesApi", None),
    "post_activity": ("ActivitiesApi", "ActivityPost"),
    "create_integration": ("IntegrationsApi", "Integration"),
    "list_integrations": ("IntegrationsApi", None),
    "get_integration": ("IntegrationsApi", None),
    "update_integration": ("IntegrationsApi", "IntegrationUpdate"),
    "delete_integration": ("IntegrationsApi", None),
    "create_custom_integration_key": ("CustomIntegrationApiKeysApi", "IntegrationApiKey"),
    "list_custom_integration_keys": ("CustomIntegrationApiKeysApi", None),
    "get_custom_integration_key": ("CustomIntegrationApiKeysApi", None),
    "delete_custom_integration_key": ("CustomIntegrationApiKeysApi", None),
    "create_webhook": ("WebhooksApi", "WebhookCreateBody"),
    "list_webhooks": ("WebhooksApi", None),
    "get_webhook": ("WebhooksApi", None),
    "update_webhook": ("WebhooksApi", "WebhookBody"),
    "delete_webhook": ("WebhooksApi", None),
}
# Those that are about no app in particular.
OF_ACCOUNT = {"list_apps", "create_app"}
# The classes that version 17 cannot find by itself from what a body holds: it says "Multiple matches", or drops the id.
LEAVES = {"userId": "ParticipantLeaveBodyUserId", "userExternalId": "ParticipantLeaveBodyUserExternalId", "participantId": "ParticipantLeaveBodyParticipantId"}
PARTICIPANTS = {"userId": "ParticipantWithUserId", "userExternalId": "ParticipantWithUserExternalId"}
UPDATES = {"mailgun": "MailgunUpdate", "twilio": "TwilioUpdate", "messagebird": "MessageBirdUpdate", "whatsapp": "WhatsAppUpdate", "custom": "CustomUpdate"}
DESTINATIONS = {"integrationId": "IntegrationId", "integrationType": "IntegrationType"}


def folder() -> Path:
    """Where scripts/lib.sh has put the clients."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return Path(os.environ.get("THRONG_TEST_SUNSHINE", target / "conformance" / "sunshine"))


def model(name: str, **fields: Any) -> dict[str, Any]:
    """An argument that a client for Python makes by the class's constructor, with the names that Python has for fields."""
    return {"$model": name, "init": fields}


def wrapped(name: str, value: Any) -> dict[str, Any]:
    """A class of version 17 that holds one of several others."""
    return {"$model": name, "wraps": value}


def from_dict(name: str, body: Any) -> dict[str, Any]:
    """A class made of the vendor's JSON: `from_dict` of version 17, `constructFromObject` of JavaScript."""
    return {"$model": name, "dict": body}


class Refused(Exception):
    """A client did not send a request, or could not read the answer."""


class Driver:
    """One client's process."""

    def __init__(self, name: str) -> None:
        language, _, version = name.partition("-")
        if language == "python":
            there = folder() / name
            command = [sys.executable, str(HERE / "driver.py"), str(there), version]
        else:
            there = folder() / "node"
            command = ["node", str(there / "driver.mjs"), version]
        if not there.exists():
            raise pytest.UsageError(f"no client in {there}: need_sunshine of scripts/lib.sh installs it")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, call: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(call) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the driver ended with {self.process.poll()}"
        return json.loads(line)

    def stop(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        assert self.process.wait(30) == 0


@dataclass(frozen=True)
class Answer:
    """What came of a call."""

    status: int
    # As it was sent.
    body: str
    headers: dict[str, str]
    # As the client gives it, with the vendor's names; of success only.
    data: Any = None
    # The class that the client raised.
    exception: str | None = None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """One of the vendor's clients, at one app with one key."""

    name: str
    driver: Driver
    base: str
    app_id: str
    configuration: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    @property
    def is_python(self) -> bool:
        return self.name != NODE

    @classmethod
    def of(cls, name: str, driver: Driver, app: App) -> Self:
        return cls(name, driver, app.base, app.app_id, {"username": app.key_id, "password": app.secret})

    def at(self, app: App) -> Client:
        """The same program with another app and its key."""
        return Client.of(self.name, self.driver, app)

    def with_key(self, key_id: str, secret: str) -> Client:
        return self.configured(username=key_id, password=secret)

    def with_token(self, token: str) -> Client:
        return self.configured(access_token=token)

    def configured(self, **configuration: Any) -> Client:
        """With these credentials and no others."""
        return Client(self.name, self.driver, self.base, self.app_id, configuration)

    def has(self, operation: str) -> bool:
        return operation in OPERATIONS

    def answer(self, operation: str, *arguments: Any, app_id: str | None = None, page: Any = None, filter: Any = None, kind: str | None = None) -> Answer:
        """Calls an operation; the body, where there is one, is the last argument, as the vendor's JSON or as classes.

        `kind` is the type of the integration that is updated, which version 17 has to be told.
        """
        api, body_class = OPERATIONS[operation]
        given = list(arguments) if operation in OF_ACCOUNT else [app_id or self.app_id, *arguments]
        if body_class:
            given[-1] = self.body(operation, body_class, given[-1], kind)
        options: dict[str, Any] = {}
        if operation == "list_conversations":
            given.append(self.object("ConversationListFilter", filter))
        elif filter is not None:
            options["filter"] = self.object("IntegrationListFilter", filter)
        if page is not None:
            options["page"] = self.object("Page", page)
        if not self.is_python:
            first, *words = operation.split("_")
            operation = first + "".join(word.capitalize() for word in words)
            given, options = [*given, options] if options else given, {}
        call = {"base": self.base, "configuration": self.configuration, "api": api, "operation": operation, "arguments": given, "options": options}
        told = self.driver.ask(call)
        if "refused" in told:
            raise Refused(f"{self.name} {operation}: {told['refused']}: {told['text']}")
        return Answer(**told)

    def call(self, operation: str, *arguments: Any, status: int | None = None, **options: Any) -> Any:
        """What the client gives of a successful answer of the documented status."""
        answer = self.answer(operation, *arguments, **options)
        expected = status or (201 if operation.startswith("create_") or operation in {"post_message", "join_conversation"} else 200)
        assert (answer.status, answer.exception) == (expected, None), f"{self.name} {operation}: {answer}"
        assert answer.headers["content-type"].startswith("application/json"), answer.headers
        data = answer.data
        # JavaScript gives the text of an answer that has no class.
        return json.loads(data) if isinstance(data, str) else data

    def object(self, name: str, value: Any) -> Any:
        """A page or a filter: a class where the client has one, unless it is one already."""
        if self.name == PYTHON_17 and isinstance(value, dict) and "$model" not in value:
            return from_dict(name, value)
        return value

    def body(self, operation: str, name: str, body: Any, kind: str | None) -> Any:
        """A body in the way that the client's documentation has it: JSON as it is, or the classes that version 17 needs."""
        if self.name != PYTHON_17 or not isinstance(body, dict) or "$model" in body or "$plain" in body:
            return body["$plain"] if isinstance(body, dict) and "$plain" in body else body
        if operation in {"update_user", "update_conversation"}:
            # `from_dict` sends null for what is left out, and so would clear it.
            profile = {"profile": model("Profile", **body["profile"])} if isinstance(body.get("profile"), dict) else {}
            return model(name, **{**body, **profile})
        if operation == "leave_conversation":
            return wrapped(name, from_dict(LEAVES[next(iter(body))], body))
        if operation == "update_integration":
            return wrapped(name, from_dict(UPDATES[kind or "custom"], body))
        if operation == "create_conversation" and "participants" in body:
            participants = [wrapped("ParticipantSubSchema", from_dict(next(kind for key, kind in PARTICIPANTS.items() if key in one), one)) for one in body["participants"]]
            return {"$model": name, "init": {**body, "participants": participants}}
        if operation == "post_message" and "destination" in body:
            destination = wrapped("Destination", from_dict(DESTINATIONS[next(iter(body["destination"]))], body["destination"]))
            author, content = from_dict("Author", body["author"]), from_dict("Content", body["content"])
            return {"$model": name, "init": {**body, "author": author, "content": content, "destination": destination}}
        return from_dict(name, body)


def plain(body: Any) -> dict[str, Any]:
    """A body that is handed to the client as it is, whichever class it would want."""
    return {"$plain": body}
