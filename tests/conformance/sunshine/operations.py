"""Every operation as one call of a vendor's client, for what holds of them all, and the cells that a test claims."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from sunshine.app import NOWHERE, SETTINGS, App, client_create, text, unique
from sunshine.clients import Answer, Client


@dataclass(frozen=True)
class Target:
    """One of each thing that a path can name."""

    user: dict[str, Any]
    # Of that user alone, and not the default one.
    conversation: dict[str, Any]
    # Of that user and another.
    group: dict[str, Any]
    message: dict[str, Any]
    integration: dict[str, Any]
    custom: dict[str, Any]
    client: dict[str, Any]
    key: dict[str, Any]
    custom_key: dict[str, Any]
    webhook: dict[str, Any]


def target_create(app: App) -> Target:
    user, _ = app.users_conversation()
    conversation = app.conversation(user)
    integration, custom = app.integration("twilio"), app.integration("custom")
    return Target(
        user=user,
        conversation=conversation,
        group=app.conversation(user, app.user()),
        message=app.json("POST", f"/conversations/{conversation['id']}/messages", text(), 201)["messages"][0],
        integration=integration,
        custom=custom,
        client=app.link(user, conversation, integration),
        key=app.json("POST", "/keys", {"displayName": "Key"}, 201)["key"],
        custom_key=app.json("POST", f"/integrations/{custom['id']}/keys", {"displayName": "Key"}, 201)["key"],
        webhook=app.json("GET", f"/integrations/{custom['id']}/webhooks")["webhooks"][0],
    )


def snapshot(app: App, target: Target) -> Any:
    """What an operation that was refused must not have changed."""
    conversation, integration = f"/conversations/{target.conversation['id']}", f"/integrations/{target.custom['id']}"
    paths = (
        f"/users/{target.user['id']}",
        f"/users/{target.user['id']}/clients",
        f"/conversations?filter[userId]={target.user['id']}",
        f"{conversation}/participants",
        f"{conversation}/messages",
        f"/conversations/{target.group['id']}/participants",
        f"/integrations/{target.integration['id']}",
        integration,
        f"{integration}/webhooks",
        f"{integration}/keys",
        "/integrations?page[size]=100",
        "/integrations/me/webhooks",
        "/keys",
    )
    return {path: app.json("GET", path) for path in paths}


# 24 digits that name nothing, wherever there is something to name.
NAMELESS = {"id": NOWHERE, "type": "twilio"}
NOTHING = Target(*[NAMELESS] * 7, {"id": f"app_{NOWHERE}"}, {"id": f"app_{NOWHERE}"}, NAMELESS)
HOOK = {"target": "https://example.org/hook", "triggers": ["client:add"]}

Call = Callable[[Client, Target], Answer]
CALLS: dict[str, Call] = {
    "get_app": lambda it, _: it.answer("get_app"),
    "list_app_keys": lambda it, _: it.answer("list_app_keys"),
    "create_app_key": lambda it, _: it.answer("create_app_key", {"displayName": "Key"}),
    "get_app_key": lambda it, target: it.answer("get_app_key", target.key["id"]),
    "delete_app_key": lambda it, target: it.answer("delete_app_key", target.key["id"]),
    "create_user": lambda it, _: it.answer("create_user", {"externalId": unique()}),
    "get_user": lambda it, target: it.answer("get_user", target.user["id"]),
    "update_user": lambda it, target: it.answer("update_user", target.user["id"], {"profile": {"givenName": "Changed"}}),
    "delete_user": lambda it, target: it.answer("delete_user", target.user["id"]),
    "delete_user_personal_information": lambda it, target: it.answer("delete_user_personal_information", target.user["id"]),
    "create_client": lambda it, target: it.answer("create_client", target.user["id"], client_create(target.integration, target.conversation)),
    "list_clients": lambda it, target: it.answer("list_clients", target.user["id"]),
    "remove_client": lambda it, target: it.answer("remove_client", target.user["id"], target.client["id"]),
    "create_conversation": lambda it, target: it.answer("create_conversation", {"type": "personal", "participants": [{"userId": target.user["id"], "subscribeSDKClient": False}]}),
    "list_conversations": lambda it, target: it.answer("list_conversations", filter={"userId": target.user["id"]}),
    "get_conversation": lambda it, target: it.answer("get_conversation", target.conversation["id"]),
    "update_conversation": lambda it, target: it.answer("update_conversation", target.conversation["id"], {"displayName": "Changed"}),
    "delete_conversation": lambda it, target: it.answer("delete_conversation", target.conversation["id"]),
    "list_participants": lambda it, target: it.answer("list_participants", target.conversation["id"]),
    "join_conversation": lambda it, target: it.answer("join_conversation", target.group["id"], {"userId": target.user["id"], "subscribeSDKClient": False}),
    "leave_conversation": lambda it, target: it.answer("leave_conversation", target.group["id"], {"userId": target.user["id"]}),
    "list_messages": lambda it, target: it.answer("list_messages", target.conversation["id"]),
    "post_message": lambda it, target: it.answer("post_message", target.conversation["id"], text()),
    "delete_message": lambda it, target: it.answer("delete_message", target.conversation["id"], target.message["id"]),
    "delete_all_messages": lambda it, target: it.answer("delete_all_messages", target.conversation["id"]),
    "post_activity": lambda it, target: it.answer("post_activity", target.conversation["id"], {"type": "typing:start", "author": {"type": "business"}}),
    "create_integration": lambda it, _: it.answer("create_integration", {"type": "twilio", **SETTINGS["twilio"]}),
    "list_integrations": lambda it, _: it.answer("list_integrations"),
    "get_integration": lambda it, target: it.answer("get_integration", target.integration["id"]),
    "update_integration": lambda it, target: it.answer("update_integration", target.integration["id"], {"displayName": "Changed"}, kind="twilio"),
    "delete_integration": lambda it, target: it.answer("delete_integration", target.integration["id"]),
    "list_custom_integration_keys": lambda it, target: it.answer("list_custom_integration_keys", target.custom["id"]),
    "create_custom_integration_key": lambda it, target: it.answer("create_custom_integration_key", target.custom["id"], {"displayName": "Key"}),
    "get_custom_integration_key": lambda it, target: it.answer("get_custom_integration_key", target.custom["id"], target.custom_key["id"]),
    "delete_custom_integration_key": lambda it, target: it.answer("delete_custom_integration_key", target.custom["id"], target.custom_key["id"]),
    "list_webhooks": lambda it, target: it.answer("list_webhooks", target.custom["id"]),
    "create_webhook": lambda it, target: it.answer("create_webhook", target.custom["id"], HOOK),
    "get_webhook": lambda it, target: it.answer("get_webhook", target.custom["id"], target.webhook["id"]),
    "update_webhook": lambda it, target: it.answer("update_webhook", target.custom["id"], target.webhook["id"], {**HOOK, "triggers": ["client:remove"]}),
    "delete_webhook": lambda it, target: it.answer("delete_webhook", target.custom["id"], target.webhook["id"]),
}
# Only a key of the account may call it.
ALL_CALLS: dict[str, Call] = {"list_apps": lambda it, _: it.answer("list_apps"), **CALLS}
# What its path names may not be there, and what that is called.
MISSING = {
    "get_app_key": "not_found",
    "delete_app_key": "not_found",
    "get_user": "user_not_found",
    "update_user": "user_not_found",
    "delete_user": "user_not_found",
    "delete_user_personal_information": "user_not_found",
    "create_client": "user_not_found",
    "list_clients": "user_not_found",
    "remove_client": "client_not_found",
    "create_conversation": "user_not_found",
    "list_conversations": "user_not_found",
    "get_conversation": "conversation_not_found",
    "update_conversation": "conversation_not_found",
    "delete_conversation": "conversation_not_found",
    "list_participants": "conversation_not_found",
    "join_conversation": "conversation_not_found",
    "leave_conversation": "conversation_not_found",
    "list_messages": "conversation_not_found",
    "post_message": "conversation_not_found",
    "delete_message": "conversation_not_found",
    "delete_all_messages": "conversation_not_found",
    "post_activity": "conversation_not_found",
    "get_integration": "integration_not_found",
    "update_integration": "integration_not_found",
    "delete_integration": "integration_not_found",
    "list_custom_integration_keys": "integration_not_found",
    "create_custom_integration_key": "integration_not_found",
    "get_custom_integration_key": "integration_not_found",
    "delete_custom_integration_key": "integration_not_found",
    "list_webhooks": "integration_not_found",
    "create_webhook": "integration_not_found",
    "get_webhook": "integration_not_found",
    "update_webhook": "integration_not_found",
    "delete_webhook": "integration_not_found",
}


def cells(status: int, *operations: str) -> Callable[[Any], Any]:
    """Marks a test as the proof of one status of some operations."""

    def mark(test: Any) -> Any:
        for operation in operations:
            test = pytest.mark.conformance(operation=operation, status=status)(test)
        return test

    return mark


def each(status: int, operations: Iterable[str]) -> list[Any]:
    """Each operation as a parameter that claims its own cell."""
    return [pytest.param(it, marks=pytest.mark.conformance(operation=it, status=status), id=it) for it in operations]
