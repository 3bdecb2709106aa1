"""Webhooks as things: made, listed, changed, deleted, under an integration and under `me`. What they deliver is in
test_deliveries.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.site import Site
from sunshine.app import ID, NOWHERE, App, app_of, assert_refused
from sunshine.clients import NODE, PYTHON_9, PYTHON_17, Client, from_dict, model
from sunshine.operations import HOOK, cells

CREATE = pytest.mark.conformance(operation="create_webhook", status=201)
REFUSED = pytest.mark.conformance(operation="create_webhook", status=400)
LIST = pytest.mark.conformance(operation="list_webhooks", status=200)
GET = pytest.mark.conformance(operation="get_webhook", status=200)
UPDATE = pytest.mark.conformance(operation="update_webhook", status=200)
NO_UPDATE = pytest.mark.conformance(operation="update_webhook", status=400)
DELETE = pytest.mark.conformance(operation="delete_webhook", status=200)

TRIGGERS = [
    "client:add", "client:remove", "client:update", "conversation:create", "conversation:join", "conversation:leave", "conversation:message",
    "conversation:message:delivery:channel", "conversation:message:delivery:failure", "conversation:message:delivery:user", "conversation:postback",
    "conversation:read", "conversation:referral", "conversation:remove", "conversation:typing", "user:delete", "user:merge", "user:update",
]  # fmt: skip
FIELDS = {"id", "version", "target", "triggers", "includeFullUser", "includeFullSource"}
INSIDE = [
    "http://127.0.0.1:8080/hook", "https://127.0.0.1/hook", "http://localhost/hook", "https://LOCALHOST./hook", "http://[::1]/hook", "https://10.0.0.1/hook",
    "https://192.168.1.1/", "https://172.16.0.1/", "http://169.254.169.254/latest/meta-data/", "https://100.64.0.1/", "https://0.0.0.0/", "https://[fd00::1]/",
    "https://[fe80::1]/", "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "http://0x7f.1/hook", "http://2130706433/", "http://017700000001/", "http://127.1/hook",
]  # fmt: skip


def webhooks(app: App, owner: str) -> list[dict[str, Any]]:
    return app.json("GET", f"/integrations/{owner}/webhooks")["webhooks"]


@pytest.fixture
def owner(request: pytest.FixtureRequest, own_app: App) -> str:
    """Of an integration, or the app's own."""
    return "me" if request.param == "me" else own_app.integration("custom")["id"]


OWNERS = pytest.mark.parametrize("owner", ["integration", "me"], indirect=True)


@CREATE
@GET
@LIST
@UPDATE
@DELETE
@cells(404, "get_webhook", "update_webhook", "delete_webhook")
@OWNERS
def test_the_life_of_one(client: Client, own_app: App, owner: str) -> None:
    client = client.at(own_app)
    before = webhooks(own_app, owner)
    body = {"target": "https://example.org/one", "triggers": TRIGGERS, "includeFullUser": True, "includeFullSource": True}
    made = client.call("create_webhook", owner, body)["webhook"]
    assert ID.fullmatch(made["id"]) and made["secret"] and made["version"] == "v2"
    assert (made["target"], sorted(made["triggers"]), made["includeFullUser"], made["includeFullSource"]) == (body["target"], sorted(TRIGGERS), True, True)
    got = client.call("get_webhook", owner, made["id"])["webhook"]
    assert {name: got[name] for name in FIELDS} == {name: made[name] for name in FIELDS}
    assert [it["id"] for it in client.call("list_webhooks", owner)["webhooks"]] == [*(it["id"] for it in before), made["id"]]
    assert set(webhooks(own_app, owner)[-1]) <= FIELDS | {"secret"}

    change = {"target": "https://example.org/two", "triggers": ["client:add"], "includeFullUser": False, "includeFullSource": True}
    changed = client.call("update_webhook", owner, made["id"], change)["webhook"]
    assert {name: changed[name] for name in change} == change
    assert {name: own_app.json("GET", f"/integrations/{owner}/webhooks/{made['id']}")["webhook"][name] for name in change} == change

    assert client.call("delete_webhook", owner, made["id"]) == {}
    assert webhooks(own_app, owner) == before
    assert_refused(client.answer("get_webhook", owner, made["id"]), 404, "not_found", "Webhook not found")
    assert_refused(client.answer("delete_webhook", owner, made["id"]), 404, "not_found")
    assert_refused(client.answer("update_webhook", owner, made["id"], change), 404, "not_found")


@CREATE
def test_as_classes(client: Client, own_app: App) -> None:
    """With the defaults that classes add."""
    client = client.at(own_app)
    body = from_dict("WebhookCreateBody", HOOK) if client.name == NODE else model("WebhookCreateBody", **HOOK)
    made = client.call("create_webhook", "me", body)["webhook"]
    assert (made["includeFullUser"], made["includeFullSource"]) == (False, False)
    assert [it["target"] for it in webhooks(own_app, "me")] == [HOOK["target"]]


@UPDATE
def test_a_change_of_one_field(app: App) -> None:
    """What is absent stays."""
    custom = app.integration("custom")
    (webhook,) = webhooks(app, custom["id"])
    path = f"/integrations/{custom['id']}/webhooks/{webhook['id']}"
    for change in ({"target": "https://example.org/new"}, {"triggers": ["conversation:message", "user:delete"]}, {"includeFullUser": True}, {"includeFullSource": True}, {}):
        webhook = {**webhook, **change}
        assert app.json("PATCH", path, change)["webhook"] == webhook
    assert webhooks(app, custom["id"]) == [webhook]


@LIST
@GET
@cells(404, "get_webhook", "list_webhooks", "create_webhook")
def test_those_of_one_are_not_anothers(client: Client, own_app: App) -> None:
    client = client.at(own_app)
    first, second = own_app.integration("custom"), own_app.integration("custom")
    (of_first,), (of_second,) = webhooks(own_app, first["id"]), webhooks(own_app, second["id"])
    assert of_first["id"] != of_second["id"] and webhooks(own_app, "me") == []
    for owner in (second["id"], "me"):
        assert_refused(client.answer("get_webhook", owner, of_first["id"]), 404, "not_found")
        assert_refused(client.answer("delete_webhook", owner, of_first["id"]), 404, "not_found")
    for nothing in (NOWHERE, "x", of_first["id"]):
        assert_refused(client.answer("list_webhooks", nothing), 404, "integration_not_found")
        assert_refused(client.answer("create_webhook", nothing, HOOK), 404, "integration_not_found")
        assert_refused(client.answer("get_webhook", first["id"], nothing if nothing != of_first["id"] else of_second["id"]), 404, "not_found")


@cells(200, "list_webhooks")
@CREATE
@cells(404, "list_webhooks", "get_webhook")
def test_me_of_an_integrations_key(client: Client, own_app: App) -> None:
    """Is that integration; another one is not there for it."""
    first, second = own_app.integration("custom"), own_app.integration("custom")
    key = own_app.json("POST", f"/integrations/{first['id']}/keys", {"displayName": "Own"}, 201)["key"]
    client = client.at(own_app).with_key(key["id"], key["secret"])
    made = client.call("create_webhook", "me", HOOK)["webhook"]
    assert [it["id"] for it in client.call("list_webhooks", "me")["webhooks"]] == [it["id"] for it in webhooks(own_app, first["id"])]
    assert webhooks(own_app, first["id"])[-1]["id"] == made["id"] and webhooks(own_app, "me") == []
    assert_refused(client.answer("list_webhooks", second["id"]), 404, "integration_not_found")
    assert_refused(client.answer("get_webhook", second["id"], webhooks(own_app, second["id"])[0]["id"]), 404, "integration_not_found")


@REFUSED
@LIST
@OWNERS
def test_ten_at_most(client: Client, own_app: App, owner: str) -> None:
    client = client.at(own_app)
    for number in range(10 - len(webhooks(own_app, owner))):
        client.call("create_webhook", owner, {**HOOK, "target": f"https://example.org/{number}"})
    before = webhooks(own_app, owner)
    assert len(before) == 10
    assert_refused(client.answer("create_webhook", owner, HOOK), 400, "bad_request", "10")
    assert webhooks(own_app, owner) == before
    client.call("delete_webhook", owner, before[0]["id"])
    client.call("create_webhook", owner, HOOK)


BAD: dict[str, Any] = {
    "nothing": {},
    "no target": {"triggers": ["client:add"]},
    "no triggers": {"target": HOOK["target"]},
    "a target that is null": {**HOOK, "target": None},
    "triggers that are null": {**HOOK, "triggers": None},
    "triggers that are none": {**HOOK, "triggers": []},
    "triggers that are a text": {**HOOK, "triggers": "client:add"},
    "triggers that are numbers": {**HOOK, "triggers": [1]},
    "an unknown trigger": {**HOOK, "triggers": ["client:add", "client:dance"]},
    "a target that is no URL": {**HOOK, "target": "example"},
    "a target of another scheme": {**HOOK, "target": "ftp://example.org/"},
    "a target in a file": {**HOOK, "target": "file:///etc/passwd"},
    "a target with a user": {**HOOK, "target": "https://user:secret@example.org/"},
    "a target too long": {**HOOK, "target": "https://example.org/" + "x" * 2048},
    "a target that is a number": {**HOOK, "target": 7},
    "a flag that is a text": {**HOOK, "includeFullUser": "yes"},
    "a list": [HOOK],
}


@REFUSED
@NO_UPDATE
@LIST
@pytest.mark.parametrize("what", BAD)
def test_what_is_no_webhook(app: App, what: str) -> None:
    custom = app.integration("custom")
    before = webhooks(app, custom["id"])
    path = f"/integrations/{custom['id']}/webhooks"
    assert_refused(app.send("POST", path, BAD[what]), 400, "bad_request")
    # Of a change, what is absent is no mistake.
    if what not in ("nothing", "no target", "no triggers"):
        assert_refused(app.send("PATCH", f"{path}/{before[0]['id']}", BAD[what]), 400, "bad_request")
    assert webhooks(app, custom["id"]) == before
    app.json("DELETE", f"/integrations/{custom['id']}")


@pytest.fixture(scope="module")
def served(new_site: Callable[[], Site]) -> Iterator[App]:
    """`throng serve`: unlike a demo, it reaches nothing inside the machine or its network."""
    server = new_site().serve()
    yield app_of(server)
    assert server.terminate() == 0, server.describe()


@REFUSED
@NO_UPDATE
@LIST
@pytest.mark.parametrize("target", INSIDE)
def test_a_target_inside_the_machine(served: App, target: str) -> None:
    """For a webhook, for one that is changed, and for one that comes with an integration."""
    before = webhooks(served, "me")
    made = served.json("POST", "/integrations/me/webhooks", HOOK, 201)["webhook"]
    assert_refused(served.send("POST", "/integrations/me/webhooks", {**HOOK, "target": target}), 400, "bad_request", "target")
    assert_refused(served.send("PATCH", f"/integrations/me/webhooks/{made['id']}", {"target": target}), 400, "bad_request", "target")
    custom = {"type": "custom", "webhooks": [{**HOOK, "target": target}]}
    integrations = served.json("GET", "/integrations?page[size]=100")
    assert_refused(served.send("POST", "/integrations", custom), 400, "bad_request", "target")
    assert served.json("GET", "/integrations?page[size]=100") == integrations
    assert [it["target"] for it in webhooks(served, "me")] == [*(it["target"] for it in before), HOOK["target"]]
    served.json("DELETE", f"/integrations/me/webhooks/{made['id']}")


@CREATE
def test_a_demo_allows_loopback(client: Client, own_app: App) -> None:
    """So that an evaluation can be made on one machine."""
    client = client.at(own_app)
    assert client.call("create_webhook", "me", {**HOOK, "target": "http://127.0.0.1:9/hook"})["webhook"]["target"] == "http://127.0.0.1:9/hook"


@cells(400, "create_webhook")
def test_a_class_for_what_is_refused(client: Client, app: App) -> None:
    answer = client.answer("create_webhook", "me", {**HOOK, "triggers": ["client:dance"]})
    assert_refused(answer, 400, "bad_request", "triggers")
    assert answer.exception == {PYTHON_9: "ApiException", PYTHON_17: "BadRequestException", NODE: "rejected"}[client.name]
