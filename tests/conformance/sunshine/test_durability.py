"""What was answered is kept: `kill -9`, another start on the same data, and the same keys."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.process import Throng
from support.site import Site
from sunshine.app import App, app_of, assert_refused, text, unique
from sunshine.clients import Client
from sunshine.operations import HOOK, cells, snapshot, target_create


def everything(app: App, target: Any, user: dict[str, Any]) -> Any:
    return snapshot(app, target), app.json("GET", f"/users/{user['id']}"), app.clients(user["id"])


@cells(201, "create_user", "create_client", "create_conversation", "post_message", "create_integration", "create_webhook", "create_app_key", "join_conversation")
@cells(200, "update_user", "remove_client", "update_conversation", "leave_conversation", "delete_message", "update_integration", "delete_integration", "update_webhook", "delete_webhook")
@cells(200, "delete_user", "delete_app_key", "delete_conversation", "post_activity", "delete_user_personal_information", "delete_all_messages")
def test_everything_survives_kill_9(client: Client, demo: Callable[..., Throng], launch: Callable[..., Throng], new_database: Callable[[], list[str]], new_folder: Callable[[], Path]) -> None:
    data, database = new_folder(), new_database()
    first = demo(*database, data=data)
    app = app_of(first)
    caller = client.at(app)
    target = target_create(app)
    user = app.user(profile={"givenName": "Ann"}, metadata={"a": 1, "b": 2})
    conversation = app.conversation(user)
    second = app.conversation(user)
    removed = app.link(user, conversation, target.integration)
    app.link(user, conversation, target.integration)
    caller.call("update_user", user["id"], {"profile": {"surname": "Lee"}, "metadata": {"a": None}})
    caller.call("remove_client", user["id"], removed["id"])
    caller.call("update_conversation", target.conversation["id"], {"displayName": "Renamed"})
    caller.call("post_message", target.conversation["id"], text("Kept"))
    caller.call("delete_message", target.conversation["id"], target.message["id"])
    caller.call("post_message", second["id"], text("Not kept"))
    caller.call("delete_all_messages", second["id"])
    caller.call("post_activity", target.conversation["id"], {"type": "conversation:read", "author": {"type": "business"}})
    joined = app.user()
    caller.call("join_conversation", target.group["id"], {"userId": joined["id"], "subscribeSDKClient": False})
    caller.call("leave_conversation", target.group["id"], {"userId": target.user["id"]})
    caller.call("update_integration", target.custom["id"], {"displayName": "Renamed"}, kind="custom")
    caller.call("update_webhook", target.custom["id"], target.webhook["id"], {**HOOK, "triggers": ["user:delete"]})
    gone = {
        "user": app.user(),
        "integration": app.integration("mailgun"),
        "conversation": app.conversation(user),
        "webhook": app.json("POST", "/integrations/me/webhooks", HOOK, 201)["webhook"],
        "key": app.json("POST", "/keys", {"displayName": "Gone"}, 201)["key"],
    }
    bare = app.user(profile={"givenName": "Bare"}, metadata={"a": 1})
    caller.call("delete_user_personal_information", bare["id"])
    caller.call("delete_user", gone["user"]["id"])
    caller.call("delete_integration", gone["integration"]["id"])
    caller.call("delete_conversation", gone["conversation"]["id"])
    caller.call("delete_webhook", "me", gone["webhook"]["id"])
    caller.call("delete_app_key", gone["key"]["id"])
    token = app.token()
    before = everything(app, target, user)
    first.kill()

    server = Site(launch, first, data, database, new_folder()).serve()
    again = app_of(server)
    assert json.loads(json.dumps(everything(again, target, user)).replace(server.url, first.url)) == json.loads(json.dumps(before))
    assert again.json("GET", f"/users/{bare['id']}")["user"]["metadata"] == {}
    assert again.json("GET", f"/conversations/{second['id']}/messages")["messages"] == []
    caller = client.at(again)
    assert_refused(caller.answer("get_user", gone["user"]["id"]), 404, "user_not_found")
    assert_refused(caller.answer("get_integration", gone["integration"]["id"]), 404, "integration_not_found")
    assert_refused(caller.answer("get_conversation", gone["conversation"]["id"]), 404, "conversation_not_found")
    assert_refused(caller.answer("get_webhook", "me", gone["webhook"]["id"]), 404, "not_found")
    assert_refused(caller.with_key(gone["key"]["id"], gone["key"]["secret"]).answer("get_app"), 401, "unauthorized")
    # A key's tokens are good as they were, and going on goes on.
    assert caller.with_token(token).call("get_app")["app"]["id"] == app.app_id
    assert caller.with_key(target.key["id"], target.key["secret"]).call("create_user", {"externalId": unique()})["user"]["id"]
    assert server.terminate() == 0, server.describe()
