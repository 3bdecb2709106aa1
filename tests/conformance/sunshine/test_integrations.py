"""Integrations of the five types: made, filtered, changed, deleted; what is secret is never shown again."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from sunshine.app import ID, NOWHERE, SECRETS, SETTINGS, App, assert_refused, unique
from sunshine.clients import NODE, PYTHON_9, PYTHON_17, Client, from_dict, model
from sunshine.operations import cells

CREATE = pytest.mark.conformance(operation="create_integration", status=201)
REFUSED = pytest.mark.conformance(operation="create_integration", status=400)
LIST = pytest.mark.conformance(operation="list_integrations", status=200)
GET = pytest.mark.conformance(operation="get_integration", status=200)
UPDATE = pytest.mark.conformance(operation="update_integration", status=200)
DELETE = pytest.mark.conformance(operation="delete_integration", status=200)

SECRET_FIELDS = {"apiKey", "authToken", "accessKey", "signingKey"}
CLASSES = {"mailgun": "Mailgun", "twilio": "Twilio", "messagebird": "Messagebird", "whatsapp": "Whatsapp", "custom": "Custom"}


def whole(app: App) -> str:
    """Everything that the app shows of its integrations, as text."""
    return app.send("GET", "/integrations?page[size]=100").text


@CREATE
@GET
@LIST
@pytest.mark.parametrize("kind", SETTINGS)
def test_each_type(client: Client, app: App, kind: str) -> None:
    name = unique("name ")
    answer = client.answer("create_integration", {"type": kind, "displayName": name, **SETTINGS[kind]})
    assert answer.status == 201, answer
    made = answer.data["integration"]
    assert ID.fullmatch(made["id"])
    assert (made["type"], made["status"], made["displayName"]) == (kind, "active", name)
    got = client.answer("get_integration", made["id"])
    listed = client.answer("list_integrations", page={"size": 100})
    for shown in (answer.body, got.body, listed.body):
        assert not [secret for secret in SECRETS if secret in shown], "a secret is shown"
    shown = got.json["integration"]
    assert not SECRET_FIELDS & {field for field, value in shown.items() if value is not None}
    for field, value in SETTINGS[kind].items():
        # Version 17 has no deployment, and sends none.
        if field not in SECRET_FIELDS | {"webhooks"} and (client.name, field) != (PYTHON_17, "deploymentId"):
            assert shown[field] == value, field
    assert made["id"] in {it["id"] for it in listed.data["integrations"]}
    # Version 9 cannot read an integration without a deployment, whether it has one or not.
    assert "" not in [value for field, value in shown.items() if field != "deploymentId"]
    if kind == "custom":
        # JavaScript's class leaves out what only some types have.
        (webhook,) = (got.json if client.name == NODE else got.data)["integration"]["webhooks"]
        assert (webhook["target"], webhook["triggers"]) == (SETTINGS[kind]["webhooks"][0]["target"], ["client:add"])
        assert answer.json["integration"]["webhooks"][0]["secret"] and not shown["webhooks"][0].get("secret")
    client.call("delete_integration", made["id"])


@CREATE
@pytest.mark.parametrize("kind", SETTINGS)
def test_as_classes(client: Client, app: App, kind: str) -> None:
    names = {"apiKey": "api_key", "incomingAddress": "incoming_address", "accountSid": "account_sid", "authToken": "auth_token", "phoneNumberSid": "phone_number_sid"}
    names |= {"accessKey": "access_key", "signingKey": "signing_key", "deploymentId": "deployment_id"}
    fields = {names.get(field, field): value for field, value in SETTINGS[kind].items()}
    if kind == "custom":
        fields["webhooks"] = [model("Webhook", **one) for one in SETTINGS[kind]["webhooks"]]
    if client.name == NODE:
        body = from_dict(CLASSES[kind], {"type": kind, **SETTINGS[kind]})
    elif client.name == PYTHON_9:
        body = model(CLASSES[kind], type=kind, **fields)
    else:
        fields.pop("deployment_id", None)
        body = model(CLASSES[kind], type=kind, **fields)
    made = client.call("create_integration", body)["integration"]
    assert made["type"] == kind
    client.call("delete_integration", made["id"])


@CREATE
@GET
def test_whatsapp_without_a_deployment(client: Client, app: App) -> None:
    """Version 17 has no deployment; version 9 cannot read an integration without one."""
    made = app.json("POST", "/integrations", {"type": "whatsapp"}, 201)["integration"]
    assert client.call("get_integration", made["id"])["integration"]["type"] == "whatsapp"
    client.call("delete_integration", made["id"])


@CREATE
@GET
def test_a_text_message_service_instead_of_a_number(client: Client, app: App) -> None:
    fields = {"accountSid": "AC0123456789abcdef0123456789abcdef", "authToken": "canary-twilio-token", "messagingServiceSid": "MG0123456789abcdef0123456789abcdef"}
    made = client.call("create_integration", {"type": "twilio", **fields})["integration"]
    shown = app.json("GET", f"/integrations/{made['id']}")["integration"]
    assert shown["messagingServiceSid"] == fields["messagingServiceSid"] and shown.get("phoneNumberSid") is None
    client.call("delete_integration", made["id"])


@GET
def test_messagebirds_secret_of_its_hook(client: Client, app: App) -> None:
    """Read only at the vendor, and what the provider's address ends with."""
    made = app.integration("messagebird")
    answer = client.answer("get_integration", made["id"])
    # JavaScript's class leaves out what only some types have.
    secret = (answer.json if client.name == NODE else answer.data)["integration"]["webhookSecret"]
    assert secret and secret == made["webhookSecret"]
    assert secret != app.integration("messagebird")["webhookSecret"]


@LIST
def test_filtered_by_type(client: Client, own_app: App) -> None:
    client = client.at(own_app)
    made = {kind: own_app.integration(kind)["id"] for kind in SETTINGS}
    assert [it["id"] for it in client.call("list_integrations")["integrations"]] == list(made.values())
    for types in (["twilio"], ["custom", "mailgun"], ["whatsapp", "web"], ["web"], list(SETTINGS)):
        listed = client.call("list_integrations", filter={"types": ",".join(types)})
        assert {it["id"] for it in listed["integrations"]} == {made[kind] for kind in types if kind in made}, types
        assert listed["meta"]["hasMore"] is False
    if client.name != NODE:
        paged = client.call("list_integrations", filter={"types": "twilio,custom"}, page={"size": 1})
        assert [it["type"] for it in paged["integrations"]] == ["twilio"] and paged["meta"]["hasMore"] is True
        after = client.call("list_integrations", filter={"types": "twilio,custom"}, page={"after": paged["meta"]["afterCursor"], "size": 1})
        assert [it["type"] for it in after["integrations"]] == ["custom"] and after["meta"]["hasMore"] is False


@cells(400, "list_integrations")
def test_a_filter_of_no_type(app: App) -> None:
    for query in ("filter[types]=fax", "filter[types]=", "filter[types]=twilio,,custom", "filter=twilio", 'filter={"types":["twilio"]}', 'filter={"types":1}', "filter[types]=Twilio"):
        assert_refused(app.send("GET", f"/integrations?{quote(query, safe='=[]')}"), 400, "bad_request", "filter")


@UPDATE
@GET
@pytest.mark.parametrize("kind", SETTINGS)
def test_changed(client: Client, app: App, kind: str) -> None:
    made = app.integration(kind, displayName="Before")
    before = app.json("GET", f"/integrations/{made['id']}")["integration"]
    changed = client.call("update_integration", made["id"], {"displayName": "After"}, kind=kind)["integration"]
    assert (changed["id"], changed["displayName"]) == (made["id"], "After")
    answer = client.answer("get_integration", made["id"])
    assert answer.json["integration"] == {**before, "displayName": "After"}
    assert not [secret for secret in SECRETS if secret in answer.body]


@UPDATE
def test_a_name_is_taken_away(client: Client, app: App) -> None:
    made = app.integration("mailgun", displayName="Before")
    app.json("PATCH", f"/integrations/{made['id']}", {"displayName": None})
    assert client.call("get_integration", made["id"])["integration"].get("displayName") is None


@cells(400, "update_integration")
@GET
@pytest.mark.parametrize("body", [{"displayName": ""}, {"displayName": "x" * 101}, {"displayName": 7}, {"accountSid": None}, {"accountSid": "../x"}, [], "x"], ids=repr)
def test_a_change_that_is_refused(app: App, body: Any) -> None:
    made = app.integration("twilio", displayName="Before")
    before = app.json("GET", f"/integrations/{made['id']}")
    assert_refused(app.send("PATCH", f"/integrations/{made['id']}", body), 400, "bad_request")
    assert app.json("GET", f"/integrations/{made['id']}") == before


@cells(404, "delete_integration", "get_integration")
@pytest.mark.parametrize("name", ["x", "63f8c5361b9c80d3274be7c", "63F8C5361B9C80D3274BE7CA", "0", "-1"])
def test_an_id_of_no_form(client: Client, name: str) -> None:
    for operation in ("get_integration", "delete_integration"):
        assert_refused(client.answer(operation, name), 404, "integration_not_found")


@DELETE
@GET
@cells(404, "get_integration", "delete_integration", "update_integration")
@cells(200, "list_clients")
def test_deleted(client: Client, app: App) -> None:
    """Who was linked through it keeps the client, inactive; nobody is linked through it again."""
    user, conversation = app.users_conversation()
    made = app.integration("twilio")
    linked = app.link(user, conversation, made)
    assert client.call("delete_integration", made["id"]) == {}
    for operation in ("get_integration", "delete_integration"):
        assert_refused(client.answer(operation, made["id"]), 404, "integration_not_found", "Integration not found")
    assert_refused(client.answer("update_integration", made["id"], {"displayName": "x"}, kind="twilio"), 404, "integration_not_found")
    assert all(it["status"] != "active" for it in app.clients(user["id"]) if it["id"] == linked["id"])
    assert made["id"] not in whole(app).replace(linked["id"], "")


@GET
@LIST
@cells(200, "delete_webhook")
def test_a_custom_one_whose_webhook_is_gone(client: Client, own_app: App) -> None:
    """Both Python clients cannot read one without a webhook, and version 17 then none of a whole list."""
    client = client.at(own_app)
    custom = own_app.integration("custom")
    (webhook,) = own_app.json("GET", f"/integrations/{custom['id']}/webhooks")["webhooks"]
    client.call("delete_webhook", custom["id"], webhook["id"])
    assert client.call("list_webhooks", custom["id"])["webhooks"] == []
    assert client.call("get_integration", custom["id"])["integration"]["id"] == custom["id"]
    assert [it["id"] for it in client.call("list_integrations")["integrations"]] == [custom["id"]]


@LIST
def test_a_custom_one_of_several_webhooks(client: Client, own_app: App) -> None:
    """Shows its oldest, since version 17 reads one and no more."""
    client = client.at(own_app)
    custom = own_app.integration("custom")
    first, *_ = own_app.json("GET", f"/integrations/{custom['id']}/webhooks")["webhooks"]
    client.call("create_webhook", custom["id"], {"target": "https://example.org/second", "triggers": ["user:delete"]})
    assert client.call("list_integrations")["integrations"]
    (shown,) = client.answer("get_integration", custom["id"]).json["integration"]["webhooks"]
    assert shown["id"] == first["id"]


BAD: dict[str, Any] = {
    "nothing": {},
    "no type": SETTINGS["twilio"],
    "a type that is null": {"type": None},
    "an unknown type": {"type": "fax"},
    "one of the vendor's that is not here": {"type": "messenger", "pageAccessToken": "x", "appId": "x", "appSecret": "x"},
    "mailgun without a key": {"type": "mailgun", "domain": "mail.example.org", "incomingAddress": "in@mail.example.org"},
    "mailgun without a domain": {"type": "mailgun", "apiKey": "canary-x", "incomingAddress": "in@mail.example.org"},
    "mailgun without an address": {"type": "mailgun", "apiKey": "canary-x", "domain": "mail.example.org"},
    "twilio without a token": {"type": "twilio", "accountSid": "AC1", "phoneNumberSid": "PN1"},
    "twilio without an account": {"type": "twilio", "authToken": "canary-x", "phoneNumberSid": "PN1"},
    "twilio without a number": {"type": "twilio", "accountSid": "AC1", "authToken": "canary-x"},
    "messagebird without a key": {"type": "messagebird", "signingKey": "canary-x", "originator": "x"},
    "messagebird without a signing key": {"type": "messagebird", "accessKey": "canary-x", "originator": "x"},
    "messagebird without an originator": {"type": "messagebird", "accessKey": "canary-x", "signingKey": "canary-x"},
    "custom without webhooks": {"type": "custom"},
    "custom with none": {"type": "custom", "webhooks": []},
    "custom with one that is no object": {"type": "custom", "webhooks": ["https://example.org/"]},
    "custom with one without a target": {"type": "custom", "webhooks": [{"triggers": ["client:add"]}]},
    "custom with one without triggers": {"type": "custom", "webhooks": [{"target": "https://example.org/"}]},
    "custom with an unknown trigger": {"type": "custom", "webhooks": [{"target": "https://example.org/", "triggers": ["client:dance"]}]},
    "custom with a target that is no URL": {"type": "custom", "webhooks": [{"target": "example", "triggers": ["client:add"]}]},
    "a name too long": {"type": "twilio", **SETTINGS["twilio"], "displayName": "x" * 101},
    "an empty name": {"type": "twilio", **SETTINGS["twilio"], "displayName": ""},
    "a name that is a number": {"type": "twilio", **SETTINGS["twilio"], "displayName": 7},
    "an empty setting": {"type": "twilio", **SETTINGS["twilio"], "accountSid": ""},
    "a setting that is part of a path": {"type": "twilio", **SETTINGS["twilio"], "accountSid": "../../x"},
    "a setting with a line break": {"type": "mailgun", **SETTINGS["mailgun"], "domain": "a\r\nb"},
    "a list": [],
    "a list of one": [{"type": "twilio", **SETTINGS["twilio"]}],
}


@REFUSED
@LIST
@pytest.mark.parametrize("what", BAD)
def test_what_is_no_integration(app: App, what: str) -> None:
    before = whole(app)
    answer = app.send("POST", "/integrations", BAD[what])
    assert_refused(answer, 400, "bad_request")
    assert "canary" not in answer.text
    assert whole(app) == before


@REFUSED
def test_a_client_is_told_what_is_missing(client: Client) -> None:
    """Several titles in one answer, and the class that a client raises for it."""
    if client.name == PYTHON_17:
        body = model("Twilio", type="twilio", account_sid="AC1", auth_token="x")
    else:
        body = {"type": "twilio"}
    answer = client.answer("create_integration", body)
    assert_refused(answer, 400, "bad_request", "phoneNumberSid")
    if client.name != PYTHON_17:
        assert len(answer.json["errors"]) == 3, answer.body


@cells(404, "update_integration", "get_integration")
def test_ids_of_other_things(client: Client, app: App, own_app: App) -> None:
    others = (NOWHERE, "x", app.user()["id"], own_app.integration("twilio")["id"], "%", "me")
    for other in others:
        assert_refused(client.answer("get_integration", other), 404, "integration_not_found")
    assert "Before" not in json.dumps(own_app.json("GET", "/integrations"))
