"""Where linking is played: a server that reaches the providers' stand-ins, an app with its users on it, and what its webhooks
are told.

The server believes that it is known by a name on the Internet, as behind a proxy: providers sign the URL that they were
told, and refuse one that leads to the machine itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from sunshine import models
from sunshine.app import App, hex_id, text, unique
from sunshine.clients import NAMES, Client, Driver
from sunshine.providers import Account, Planned, Sent, StandIn, Told, all_of_them
from support import native, web
from support.process import Throng, environment
from support.receiver import Delivery, Receiver
from support.site import Site
from support.waiting import wait_until

SECONDS = 30
CHANNELS = ("mailgun", "twilio", "messagebird", "whatsapp")
PUBLIC_URL = "https://throng.acme.example.com/base"
TRIGGERS = (
    "client:add", "client:update", "client:remove", "conversation:create", "conversation:join", "conversation:leave", "conversation:remove", "conversation:message",
    "conversation:message:delivery:channel", "conversation:message:delivery:failure", "conversation:read", "conversation:typing", "user:update", "user:delete",
)  # fmt: skip
OF_CLIENTS = TRIGGERS[:3]


class Stage:
    """A server and the four providers; `serve` starts it again on the same data."""

    def __init__(self, site: Site) -> None:
        self.site, self.standins = site, all_of_them()
        self.server = self.serve()

    def serve(self, *settings: str) -> Throng:
        urls = [f"channels.{kind}_url={standin.url}" for kind, standin in self.standins.items()]
        given = [*urls, f"public_url={PUBLIC_URL}", "outbound.allow=127.0.0.1/32", "rate_limit.native=off", *settings]
        self.server = self.site.serve(*(word for setting in given for word in ("--set", setting)))
        return self.server

    def close(self) -> None:
        for standin in self.standins.values():
            standin.close()

    def deliver(self, told: Told) -> web.Answer:
        """What a provider tells, as a proxy of that name hands it on."""
        assert told.url.startswith(PUBLIC_URL), told.url
        headers = {"Host": "throng.acme.example.com", **told.headers}
        return web.request(told.method, self.server.url + told.url.removeprefix(PUBLIC_URL), headers=headers, body=told.body)

    def faults(self) -> list[str]:
        """What the providers could not understand."""
        found: list[str] = []
        for standin in self.standins.values():
            with standin.lock:
                found += standin.faults
                standin.faults = []
        return found


@dataclass
class Workspace:
    """An app of its own, with a native token for what the vendor's API does not have."""

    stage: Stage
    client: Client
    app: App
    token: str
    id: int
    # By the URL of their receiver.
    webhooks: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def create(cls, stage: Stage, driver: Callable[[str], Driver], name: str) -> Workspace:
        server, slug = stage.server, unique("app-")
        token = native.call(server, "POST", "/workspaces", {"slug": slug, "name": "Acme"})["token"]
        number = native.call(server, "GET", "/me", token=token)["workspace"]
        made = native.call(server, "POST", "/credentials", {"dialect": "sunshine", "name": "App"}, token)
        told = server.ready["sunshine"]
        app = App(server, told["base"], hex_id(number, int(told["app_id"][8:10], 16), number), f"app_{made['client_id']}", made["secret"])
        return cls(stage, Client.of(name, driver(name), app), app, token, number)

    def moved(self, server: Throng) -> Workspace:
        """The same after the server was started elsewhere."""
        base = server.ready["sunshine"]["base"]
        app = App(server, base, self.app.app_id, self.app.key_id, self.app.secret)
        return Workspace(self.stage, self.client.at(app), app, self.token, self.id, self.webhooks)

    def native(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return native.call(self.stage.server, method, path, body, self.token)

    def throng(self, *arguments: str, stdin: str | None = None) -> str:
        """A command of the command line, as the workspace's administrator."""
        variables = {**environment(), "THRONG_URL": self.stage.server.url, "THRONG_TOKEN": self.token}
        done = subprocess.run([self.stage.server.command[0], *arguments], env=variables, input=stdin, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.returncode == 0, f"throng {' '.join(arguments)} ended with {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def outbox(self, kind: str = "channel", **wanted: Any) -> list[dict[str, Any]]:
        """The items of one kind that are so; newest first."""
        items = self.native("GET", "/outbox?limit=100")["items"]
        return [item for item in items if item["kind"] == kind and all(item[name] == value for name, value in wanted.items())]

    def wait_for_item(self, kind: str = "channel", **wanted: Any) -> dict[str, Any]:
        """The one item that is so, once there is one."""
        found = wait_until(lambda: self.outbox(kind, **wanted), SECONDS, f"an item of the outbox: {kind} {wanted}")
        assert len(found) == 1, found
        return found[0]

    def user(self) -> dict[str, Any]:
        return self.client.call("create_user", {"externalId": unique("user-")})["user"]

    def conversation(self, user: dict[str, Any]) -> dict[str, Any]:
        body = {"type": "personal", "participants": [{"userId": user["id"], "subscribeSDKClient": False}]}
        return self.client.call("create_conversation", body)["conversation"]

    def webhook(self, url: str, triggers: Sequence[str] = TRIGGERS, **fields: Any) -> dict[str, Any]:
        """As it was answered: version 17 does not give the id and the secret on."""
        answer = self.client.answer("create_webhook", "me", {"target": url, "triggers": list(triggers), **fields})
        assert answer.status == 201, answer
        return answer.json["webhook"]

    def shared_webhook(self, receiver: Receiver) -> dict[str, Any]:
        """The one webhook of a receiver that is told everything: an app has ten at most."""
        if receiver.url not in self.webhooks:
            self.webhooks[receiver.url] = self.webhook(receiver.url)
        return self.webhooks[receiver.url]

    def told(self, receiver: Receiver, webhook: dict[str, Any]) -> list[dict[str, Any]]:
        """The events that a webhook was told, each once, in the order in which they happened: which is that of their ids, and not
        always the one in which they arrive, since several are under way at once. The envelope of each is looked at."""
        found: dict[str, dict[str, Any]] = {}
        for delivery in receiver.all():
            event = self.opened(delivery, webhook)
            found.setdefault(event["id"], event)
        return [found[name] for name in sorted(found)]

    def opened(self, delivery: Delivery, webhook: dict[str, Any]) -> dict[str, Any]:
        """The one event of a delivery of this webhook's."""
        assert (delivery.method, delivery.headers["content-type"].partition(";")[0]) == ("POST", "application/json")
        assert delivery.headers["x-api-key"] == webhook["secret"]
        body = delivery.json
        assert set(body) == {"app", "webhook", "events"} and len(body["events"]) == 1, body
        assert body["app"] == {"id": self.app.app_id} and body["webhook"] == {"id": webhook["id"], "version": "v2"}
        return models.event(body["events"][0])


@dataclass
class Scene:
    """A user with a conversation, and an integration that somebody may be reached through."""

    workspace: Workspace
    standin: StandIn
    account: Account
    receiver: Receiver
    configured: bool = True
    integration: dict[str, Any] = field(init=False)
    user: dict[str, Any] = field(init=False)
    conversation: dict[str, Any] = field(init=False)
    hook: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.integration = self.client.call("create_integration", self.account.integration)["integration"]
        if self.configured and self.account.provider:
            self.workspace.native("PUT", f"/integrations/{self.integration_number}/provider", self.account.provider)
        self.user = self.workspace.user()
        self.conversation = self.workspace.conversation(self.user)
        self.hook = self.workspace.shared_webhook(self.receiver)
        self.address = self.standin.address()

    @property
    def client(self) -> Client:
        return self.workspace.client

    @property
    def kind(self) -> str:
        return self.standin.kind

    @property
    def integration_number(self) -> int:
        return int(self.integration["id"][10:], 16)

    @cached_property
    def hook_url(self) -> str:
        """Where the provider was told to send what people write."""
        url = self.workspace.native("GET", f"/integrations/{self.integration_number}")["hook_url"]
        assert url.startswith(f"{PUBLIC_URL}/hooks/{self.kind}/"), url
        return url

    # The vendor's side.

    def link(
        self, confirmation: str, *, user: dict[str, Any] | None = None, conversation: dict[str, Any] | None = None, address: str | None = None,
        message: dict[str, Any] | None = None, **criteria: Any,
    ) -> dict[str, Any]:  # fmt: skip
        where = {"address" if self.kind == "mailgun" else "phoneNumber": address or self.address}
        asked: dict[str, Any] = {"type": confirmation}
        if message is not None:
            asked["message"] = message
        body = {
            "matchCriteria": {"type": self.kind, "integrationId": self.integration["id"], **where, **criteria},
            "confirmation": asked,
            "target": {"conversationId": (conversation or self.conversation)["id"]},
        }
        made = self.client.call("create_client", (user or self.user)["id"], body)["client"]
        assert (made["type"], made["integrationId"]) == (self.kind, self.integration["id"])
        return made

    def clients(self, user: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        return self.client.call("list_clients", (user or self.user)["id"])["clients"]

    def status(self, user: dict[str, Any] | None = None) -> str | None:
        """Of the one client; None if there is none."""
        found = self.clients(user)
        assert len(found) <= 1, found
        return found[0]["status"] if found else None

    def wait_for(self, status: str | None, user: dict[str, Any] | None = None) -> dict[str, Any]:
        wait_until(lambda: self.status(user) == status or None, SECONDS, f"the client on {self.kind} is {status}")
        return (self.clients(user) or [{}])[0]

    def associations(self, user: dict[str, Any] | None = None, conversation: dict[str, Any] | None = None) -> list[str]:
        """The clients of a user in a conversation, the primary one first."""
        found = self.client.call("list_participants", (conversation or self.conversation)["id"])["participants"]
        [mine] = [one for one in found if one["userId"] == (user or self.user)["id"]]
        return [one["clientId"] for one in mine.get("clientAssociations") or []]

    def messages(self, conversation: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        return self.client.call("list_messages", (conversation or self.conversation)["id"])["messages"]

    def post(self, words: str = "Hello!", **fields: Any) -> dict[str, Any]:
        [made] = self.client.call("post_message", self.conversation["id"], text(words, **fields))["messages"]
        return made

    # The provider's side.

    def writes(self, words: str, address: str | None = None, **changes: Any) -> Told:
        return self.standin.writes(self.account, self.hook_url, address or self.address, words, **changes)

    def hears(self, words: str, address: str | None = None, **changes: Any) -> Told:
        """Somebody writes, and the server takes it."""
        told = self.writes(words, address, **changes)
        answer = self.workspace.stage.deliver(told)
        assert answer.status == 200, f"{answer.status}: {answer.text}"
        return told

    def got(self, number: int = 1, address: str | None = None) -> list[Sent]:
        return self.standin.wait_for(address or self.address, number)

    # The webhook.

    def told(self, *triggers: str) -> list[dict[str, Any]]:
        found = self.workspace.told(self.receiver, self.hook)
        return [event for event in found if not triggers or event["type"] in triggers]

    def wait_told(self, *expected: str, user: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """What was told about the clients of a user, once it is this many; each as `client:add channelLinking`, in this order."""

        def found() -> list[dict[str, Any]] | None:
            mine = [event for event in self.told(*OF_CLIENTS) if event["payload"]["user"]["id"] == (user or self.user)["id"]]
            return mine if len(mine) >= len(expected) else None

        events = wait_until(found, SECONDS, f"the events {expected}; told so far: {[shown(event) for event in self.told()]}")
        told = [shown(event) for event in events]
        assert told == list(expected), f"{told} instead of {list(expected)}"
        return events

    def wait_event(self, trigger: str, wanted: Callable[[dict[str, Any]], bool] = lambda payload: True) -> dict[str, Any]:
        """The payload of the one event of this kind that is wanted."""
        found = wait_until(lambda: [event["payload"] for event in self.told(trigger) if wanted(event["payload"])], SECONDS, f"an event {trigger}")
        assert len(found) == 1, found
        return found[0]


def shown(event: dict[str, Any]) -> str:
    return f"{event['type']} {event['payload'].get('reason', '')}".strip()


def client_for(test: str) -> str:
    """One of the vendor's clients: any will do for a test of linking, so they are dealt out."""
    return NAMES[zlib.crc32(test.encode()) % len(NAMES)]
