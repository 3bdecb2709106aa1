"""The Clients API: links asked for in every way that each client has, listed, and taken back."""

from __future__ import annotations

from typing import Any

import pytest

from sunshine.app import ID, JSON, NOWHERE, App, assert_refused, bearer, client_create, phone, text, unique
from sunshine.clients import NODE, PYTHON_9, PYTHON_17, Client, from_dict, model, plain, wrapped
from sunshine.operations import cells

CREATE = pytest.mark.conformance(operation="create_client", status=201)
LIST = pytest.mark.conformance(operation="list_clients", status=200)
REMOVE = pytest.mark.conformance(operation="remove_client", status=200)
KINDS = ("mailgun", "twilio", "messagebird", "whatsapp")
CONFIRMATIONS = ("immediate", "userActivity", "prompt")
FIELDS = {"id", "type", "status", "integrationId", "externalId", "lastSeen", "linkedAt", "displayName", "avatarUrl", "info", "raw"}
CRITERIA = {"mailgun": "MatchCriteriaMailgun", "twilio": "MatchCriteriaTwilio", "messagebird": "MatchCriteriaMessagebird", "whatsapp": "MatchCriteriaWhatsapp"}


@pytest.fixture(scope="module")
def integrations(app: App) -> dict[str, dict[str, Any]]:
    return {kind: app.integration(kind) for kind in KINDS}


def present(client: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in client.items() if value is not None}


@CREATE
@LIST
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("confirmation", CONFIRMATIONS)
def test_as_json(client: Client, app: App, integrations: dict[str, Any], kind: str, confirmation: str) -> None:
    """The seed's form: JSON as it is, and `from_dict` for version 17. Whatever the confirmation, a client begins as pending."""
    user, conversation = app.users_conversation()
    body = client_create(integrations[kind], conversation, confirmation)
    if confirmation != "userActivity":
        body["confirmation"]["message"] = text(metadata={"lang": "en-ca"})
    made = present(client.call("create_client", user["externalId"], body)["client"])
    assert ID.fullmatch(made["id"])
    assert (made["type"], made["status"], made["integrationId"]) == (kind, "pending", integrations[kind]["id"])
    assert "linkedAt" not in made
    listed = [present(it) for it in client.call("list_clients", user["id"])["clients"]]
    assert [(it["id"], it["type"]) for it in listed] == [(made["id"], kind)]
    raw = app.json("GET", f"/users/{user['id']}/clients")
    assert set(raw) == {"clients", "meta", "links"} and raw["meta"]["hasMore"] is False
    assert set(raw["clients"][0]) <= FIELDS


def with_classes(client: Client, kind: str, body: dict[str, Any]) -> Any:
    """The body in the classes of each client, as someone writes it with them."""
    criteria = body["matchCriteria"]
    if client.name == NODE:
        return from_dict("ClientCreate", body)
    address = {"address": criteria["address"]} if kind == "mailgun" else {"phone_number": criteria["phoneNumber"]}
    words = {"type": kind, "integration_id": criteria["integrationId"], **address}
    message = model("MessagePost", author=model("Author", type="business", display_name="Steve"), content=model("TextMessage", type="text", text="Hello!"))
    if client.name == PYTHON_17:
        message["init"]["content"] = wrapped("Content", message["init"]["content"])
        matched = wrapped("MatchCriteria", model(CRITERIA[kind], **words))
    else:
        matched = model(CRITERIA[kind], **words)
    confirmation = model("Confirmation", type="immediate", message=message)
    return model("ClientCreate", match_criteria=matched, confirmation=confirmation, target=model("Target", conversation_id=body["target"]["conversationId"]))


@CREATE
@LIST
@pytest.mark.parametrize("kind", KINDS)
def test_as_classes(client: Client, app: App, integrations: dict[str, Any], kind: str) -> None:
    """With defaults that only classes add: primary, and a subject even where there is no mail."""
    user, conversation = app.users_conversation()
    made = client.call("create_client", user["id"], with_classes(client, kind, client_create(integrations[kind], conversation)))["client"]
    assert (made["type"], made["status"]) == (kind, "pending")
    assert [it["id"] for it in app.clients(user["id"])] == [made["id"]]


@CREATE
def test_the_class_for_all_four(client: Client, app: App, integrations: dict[str, Any]) -> None:
    """`MatchCriteria` itself, which in version 9 has a subject and an address whatever the type."""
    user, conversation = app.users_conversation()
    body = client_create(integrations["whatsapp"], conversation)
    criteria = body["matchCriteria"]
    if client.name == PYTHON_9:
        body["matchCriteria"] = model("MatchCriteria", type="whatsapp", integration_id=criteria["integrationId"], phone_number=criteria["phoneNumber"])
    else:
        criteria.update(primary=True, subject="New message from {appName}")
    made = client.call("create_client", user["id"], body)["client"]
    assert (made["type"], made["status"]) == ("whatsapp", "pending")


@cells(400, "create_client")
@cells(200, "list_clients")
def test_a_plain_dict_in_version_17(client: Client, app: App, integrations: dict[str, Any]) -> None:
    """It drops the criteria and sends null: the title says what to write instead. The others send what they are given."""
    user, conversation = app.users_conversation()
    body = client_create(integrations["twilio"], conversation)
    if client.name != PYTHON_17:
        body["matchCriteria"] = None
    answer = client.answer("create_client", user["id"], plain(body))
    assert_refused(answer, 400, "bad_request", "matchCriteria", "null", "ClientCreate.from_dict")
    assert len(answer.json["errors"]) == 1
    if client.name == PYTHON_17:
        assert answer.exception == "BadRequestException"
    assert client.call("list_clients", user["id"])["clients"] == []


@CREATE
@LIST
@pytest.mark.parametrize("written", ["+1 212-555-{}", "+1212555{}", "+1 212 555 {}", "+1-212-555-{}"])
def test_phone_numbers_with_spaces_and_hyphens(client: Client, app: App, integrations: dict[str, Any], written: str) -> None:
    """The vendor's examples. What is shown is one form of it, once the client is linked at least."""
    user, conversation = app.users_conversation()
    number = written.format(phone()[-4:])
    body = client_create(integrations["twilio"], conversation, phoneNumber=number)
    made = client.call("create_client", user["id"], body)["client"]
    body["matchCriteria"]["phoneNumber"] = number.replace(" ", "").replace("-", "")
    again = client.call("create_client", user["id"], body)["client"]
    assert [it["id"] for it in app.clients(user["id"])] == [again["id"]], "one link to one address waits, not two"
    assert made["type"] == again["type"] == "twilio"


@CREATE
@LIST
def test_a_second_link_to_the_same_address(client: Client, app: App, integrations: dict[str, Any]) -> None:
    """Replaces the one that waits; to another address it stands beside it."""
    user, conversation = app.users_conversation()
    body = client_create(integrations["whatsapp"], conversation)
    client.call("create_client", user["id"], body)
    client.call("create_client", user["id"], body)
    assert len(app.clients(user["id"])) == 1
    client.call("create_client", user["id"], client_create(integrations["whatsapp"], conversation))
    client.call("create_client", user["id"], client_create(integrations["mailgun"], conversation))
    assert [it["type"] for it in app.clients(user["id"])] == ["whatsapp", "whatsapp", "mailgun"]


@REMOVE
@LIST
@cells(404, "remove_client")
def test_removed(client: Client, app: App, integrations: dict[str, Any]) -> None:
    user, conversation = app.users_conversation()
    first, second = (app.link(user, conversation, integrations["twilio"]) for _ in range(2))
    assert client.call("remove_client", user["externalId"], first["id"]) == {}
    assert [it["id"] for it in client.call("list_clients", user["id"])["clients"]] == [second["id"]]
    answer = client.answer("remove_client", user["id"], first["id"])
    assert_refused(answer, 404, "client_not_found", "Client not found")
    for nothing in (NOWHERE, "x", user["id"], conversation["id"]):
        assert_refused(client.answer("remove_client", user["id"], nothing), 404, "client_not_found")
    assert [it["id"] for it in app.clients(user["id"])] == [second["id"]]


@cells(404, "remove_client")
@LIST
def test_anothers_client_is_not_removed(client: Client, app: App, integrations: dict[str, Any]) -> None:
    """It is not there for this user, whoever it is."""
    (user, conversation), (other, _) = app.users_conversation(), app.users_conversation()
    linked = app.link(user, conversation, integrations["twilio"])
    assert_refused(client.answer("remove_client", other["id"], linked["id"]), 404, "client_not_found")
    assert_refused(client.answer("remove_client", "nobody", linked["id"]), 404, "user_not_found")
    assert [it["id"] for it in app.clients(user["id"])] == [linked["id"]]


@cells(404, "create_client")
@cells(400, "create_client")
@LIST
def test_nothing_to_link_with(client: Client, app: App, own_app: App, integrations: dict[str, Any]) -> None:
    """Each is told by its code; nothing is stored."""
    (user, conversation), (_, others) = app.users_conversation(), app.users_conversation()
    foreign = own_app.integration("twilio")
    good = client_create(integrations["twilio"], conversation)

    def link(criteria: dict[str, Any] | None = None, conversation: str | None = None) -> Any:
        body = {**good, "matchCriteria": {**good["matchCriteria"], **(criteria or {})}}
        return client.answer("create_client", user["id"], {**body, "target": {"conversationId": conversation}} if conversation else body)

    for integration in (NOWHERE, "x", foreign["id"], user["id"]):
        assert_refused(link({"integrationId": integration}), 404, "integration_not_found", "Integration not found")
    for target in (NOWHERE, "x", user["id"], own_app.users_conversation()[1]["id"]):
        assert_refused(link(conversation=target), 404, "conversation_not_found", "Conversation not found")
    assert_refused(link(conversation=others["id"]), 400, "bad_request", "takes no part")
    assert_refused(client.answer("create_client", "nobody", good), 404, "user_not_found", "User not found")
    assert app.clients(user["id"]) == []


@cells(400, "create_client")
@LIST
@pytest.mark.parametrize("kind", KINDS)
def test_an_integration_of_another_type(client: Client, app: App, integrations: dict[str, Any], kind: str) -> None:
    user, conversation = app.users_conversation()
    body = client_create(integrations[kind], conversation)
    for other in (it for it in KINDS if it != kind):
        body["matchCriteria"]["integrationId"] = integrations[other]["id"]
        assert_refused(client.answer("create_client", user["id"], body), 400, "bad_request")
    assert app.clients(user["id"]) == []


@CREATE
def test_the_same_address_for_two_users(client: Client, app: App, integrations: dict[str, Any]) -> None:
    """Both may ask; who has it, the person decides."""
    number = phone()
    for user, conversation in (app.users_conversation(), app.users_conversation()):
        made = client.call("create_client", user["id"], client_create(integrations["twilio"], conversation, phoneNumber=number))["client"]
        assert made["status"] == "pending"


@cells(400, "remove_client")
@LIST
def test_a_program_of_the_user_cannot_be_removed(client: Client, app: App) -> None:
    """It comes from signing in, with a token of the scope user, and goes by signing out."""
    user = app.user()
    token = bearer(app.token("user", external_id=user["externalId"])) | JSON
    device = {"client": {"id": unique("device-"), "platform": "web", "appVersion": "1.0"}}
    signed_in = app.send("POST", "/login", device, headers=token)
    assert signed_in.status == 201, signed_in.text
    sdk = signed_in.json["client"]
    # Never `web`, `ios` or `android`.
    assert (sdk["type"], sdk["status"]) == ("sdk", "active")
    (listed,) = client.call("list_clients", user["id"])["clients"]
    assert (listed["id"], listed["type"], listed["status"]) == (sdk["id"], "sdk", "active")
    answer = client.answer("remove_client", user["id"], sdk["id"])
    assert_refused(answer, 400, "bad_request", "Cannot remove a client of type 'sdk'")
    assert [it["id"] for it in app.clients(user["id"])] == [sdk["id"]]
    assert app.send("POST", "/logout", device, headers=token).status == 200
    assert app.clients(user["id"]) == []


@CREATE
def test_what_else_a_body_holds_is_nobodys_concern(client: Client, app: App, integrations: dict[str, Any]) -> None:
    """Fields that the vendor may add, and those that a client makes up."""
    user, conversation = app.users_conversation()
    body = client_create(integrations["mailgun"], conversation, primary=False, subject="Hello {appName}")
    body["confirmation"]["message"] = None
    body["target"]["more"] = 1
    made = app.json("POST", f"/users/{user['id']}/clients", {**body, "future": {"x": [1]}}, 201)["client"]
    assert [it["id"] for it in client.call("list_clients", user["id"])["clients"]] == [made["id"]]


@CREATE
def test_the_seeds_message_is_taken_and_not_in_the_conversation(client: Client, app: App, integrations: dict[str, Any]) -> None:
    user, conversation = app.users_conversation()
    message = {
        "author": {"type": "business", "displayName": "Steve", "avatarUrl": "https://www.gravatar.com/image.jpg"},
        "content": {"type": "text", "text": "Hello!", "actions": [{"type": "link", "text": "Go", "uri": "https://example.org/"}]},
        "metadata": {"lang": "en-ca"},
    }
    image = {"author": {"type": "business"}, "content": {"type": "image", "mediaUrl": "https://example.org/a.png", "altText": "A"}}
    for one in (message, image):
        body = client_create(integrations["mailgun"], conversation, "immediate")
        body["confirmation"]["message"] = one
        assert client.call("create_client", user["id"], body)["client"]["status"] == "pending"
    assert app.json("GET", f"/conversations/{conversation['id']}/messages")["messages"] == []
