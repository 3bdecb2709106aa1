"""Users: made, found by id and by external id, changed with null clearing, and gone."""

from __future__ import annotations

from typing import Any

import pytest

from sunshine.app import ID, TIME, App, assert_refused, part, unique
from sunshine.clients import Client, from_dict, model
from sunshine.clients import PYTHON_9, PYTHON_17
from sunshine.operations import cells

CREATE = pytest.mark.conformance(operation="create_user", status=201)
TAKEN = pytest.mark.conformance(operation="create_user", status=409)
GET = pytest.mark.conformance(operation="get_user", status=200)
UPDATE = pytest.mark.conformance(operation="update_user", status=200)
DELETE = pytest.mark.conformance(operation="delete_user", status=200)
FORGET = pytest.mark.conformance(operation="delete_user_personal_information", status=200)
GONE = pytest.mark.conformance(operation="get_user", status=404)

PROFILE = {"givenName": "Steve", "surname": "Øst-Brück", "email": "steve@example.org", "avatarUrl": "https://example.org/steve.png", "locale": "en-CA"}
METADATA = {"a": "one", "b": 2, "c": True, "d": 1.5, "ключ": "значение", "none": ""}
# An id that only an encoded path can hold.
AWKWARD = ["sue+x@a.co/ü", "a b", "100%", "a%2Fb", "?x=1&y", "#1", "..", "a/../b", "日本", "'\"<>\\", "clients", "x;y", "+1 212-555-2368", "ë" * 512]


def shown(user: dict[str, Any]) -> dict[str, Any]:
    """A user without what a client fills in for what is not there."""
    profile = {name: value for name, value in user.get("profile", {}).items() if value is not None}
    return {**{name: value for name, value in user.items() if value is not None}, "profile": profile}


@CREATE
@GET
def test_everything_that_a_user_has(client: Client, app: App) -> None:
    external_id = unique("Your-Own-ID-")
    body = {"externalId": external_id, "signedUpAt": "2020-05-21T15:53:30.197Z", "profile": {**PROFILE, "email": f"{external_id}@example.org"}, "metadata": METADATA}
    made = shown(client.call("create_user", body)["user"])
    assert ID.fullmatch(made["id"])
    for name in ("externalId", "signedUpAt", "profile", "metadata"):
        assert made[name] == body[name], name
    for path in (made["id"], external_id):
        assert shown(client.call("get_user", path)["user"]) == made
    raw = app.json("GET", f"/users/{made['id']}")
    assert list(raw) == ["user"] and raw["user"]["identities"] == []
    assert TIME.fullmatch(raw["user"]["signedUpAt"])


@CREATE
@GET
def test_the_fewest_fields(client: Client, app: App) -> None:
    """What there is not is left out or null, and never an empty text, on which both Python clients fail."""
    made = client.call("create_user", {"externalId": unique()})["user"]
    raw = app.json("GET", f"/users/{made['id']}")["user"]
    assert raw["metadata"] == {} and all(value is None for value in raw["profile"].values())
    assert "" not in raw.values() and "" not in raw["profile"].values()


@CREATE
@UPDATE
def test_the_clients_classes(client: Client, app: App) -> None:
    """A body made of the client's own classes, not of JSON."""
    external_id = unique()
    bodies = {
        PYTHON_9: (
            model("UserCreateBody", external_id=external_id, profile=model("Profile", given_name="Ann"), metadata={"a": 1}),
            model("UserUpdateBody", profile=model("Profile", surname="Lee")),
        ),
        PYTHON_17: (
            model("UserCreateBody", external_id=external_id, profile=model("Profile", given_name="Ann"), metadata={"a": 1}, to_be_retained=True),
            model("UserUpdateBody", profile=model("Profile", surname="Lee")),
        ),
    }
    # JavaScript's constructor wants what is required, and no more.
    create = from_dict("UserCreateBody", {"externalId": external_id, "profile": {"givenName": "Ann"}, "metadata": {"a": 1}})
    create, update = bodies.get(client.name, (create, from_dict("UserUpdateBody", {"profile": {"surname": "Lee"}})))
    made = client.call("create_user", create)["user"]
    assert (made["externalId"], made["profile"]["givenName"], made["metadata"]) == (external_id, "Ann", {"a": 1})
    client.call("update_user", external_id, update)
    raw = app.json("GET", f"/users/{made['id']}")["user"]
    assert raw.get("toBeRetained", False) == (client.name == PYTHON_17)
    assert {name: raw["profile"].get(name) for name in ("givenName", "surname")} == {"givenName": "Ann", "surname": "Lee"}


@CREATE
@GET
@UPDATE
@DELETE
@GONE
@pytest.mark.parametrize("name", AWKWARD, ids=range(len(AWKWARD)))
def test_external_ids_that_a_path_must_encode(client: Client, app: App, name: str) -> None:
    external_id = name if len(name) > 500 else f"{name}{unique('-')}"
    made = client.call("create_user", {"externalId": external_id})["user"]
    assert made["externalId"] == external_id
    assert client.call("get_user", external_id)["user"]["id"] == made["id"]
    assert client.call("update_user", external_id, {"metadata": {"a": 1}})["user"]["metadata"] == {"a": 1}
    assert client.call("list_clients", external_id)["clients"] == []
    assert client.call("list_conversations", filter={"userExternalId": external_id})["conversations"] == []
    assert client.call("delete_user", external_id) == {}
    assert_refused(client.answer("get_user", external_id), 404, "user_not_found")
    assert app.send("GET", f"/users/{part(made['id'])}").status == 404


@CREATE
@TAKEN
@GET
@DELETE
def test_an_external_id_that_looks_like_an_id(client: Client, app: App) -> None:
    """A path finds the id first, so nobody may be called by an id of this app's, whether it is somebody's now or not."""
    user = client.call("create_user", {"externalId": unique()})["user"]
    assert_refused(client.answer("create_user", {"externalId": user["id"]}), 409, "conflict")
    assert client.call("get_user", user["id"])["user"]["externalId"] == user["externalId"]
    client.call("delete_user", user["id"])
    assert_refused(client.answer("create_user", {"externalId": user["id"]}), 409, "conflict")
    # 24 digits that mean nothing here are a name as any other.
    name = "0123456789abcdef01234567"
    made = client.call("create_user", {"externalId": name})["user"]
    assert client.call("get_user", name)["user"]["id"] == made["id"]
    client.call("delete_user", name)


@CREATE
@GET
@UPDATE
def test_an_external_id_that_is_an_address(client: Client) -> None:
    """Of the user's own, or of another: users are found by id and external id alone."""
    email = f"{unique()}@example.org"
    own = client.call("create_user", {"externalId": email, "profile": {"email": email}})["user"]
    other = client.call("create_user", {"externalId": unique(), "profile": {"email": email}})["user"]
    assert client.call("get_user", email)["user"]["id"] == own["id"]
    third = f"{unique()}@example.org"
    client.call("create_user", {"externalId": unique(), "profile": {"email": third}})
    named = client.call("create_user", {"externalId": third})["user"]
    assert client.call("get_user", third)["user"]["id"] == named["id"]
    assert client.call("update_user", other["id"], {"profile": {"email": third}})["user"]["profile"]["email"] == third
    assert_refused(client.answer("get_user", third.upper()), 404, "user_not_found")


@CREATE
@GET
@GONE
def test_external_ids_are_told_apart_letter_by_letter(client: Client) -> None:
    name = unique("Case-")
    first, second = (client.call("create_user", {"externalId": one})["user"] for one in (name, name.upper()))
    assert first["id"] != second["id"]
    for user in (first, second):
        assert client.call("get_user", user["externalId"])["user"]["id"] == user["id"]
    assert_refused(client.answer("get_user", name.lower()), 404, "user_not_found")
    # The same to look at, of other letters: é in one piece and in two.
    composed, apart = (client.call("create_user", {"externalId": f"{name}{letter}"})["user"] for letter in ("\u00e9", "e\u0301"))
    assert composed["id"] != apart["id"]


@TAKEN
@CREATE
def test_an_external_id_is_taken_once(client: Client, app: App) -> None:
    user = client.call("create_user", {"externalId": unique(), "profile": {"givenName": "First"}})["user"]
    answer = client.answer("create_user", {"externalId": user["externalId"], "profile": {"givenName": "Second"}})
    assert_refused(answer, 409, "conflict", "User already exists")
    assert app.json("GET", f"/users/{user['id']}")["user"]["profile"]["givenName"] == "First"
    if client.name == PYTHON_17:
        assert answer.exception == "ConflictException"
    # Another app's users are its own; once one is gone, the name is free.
    client.call("delete_user", user["id"])
    again = client.call("create_user", {"externalId": user["externalId"]})["user"]
    assert again["id"] != user["id"]


@CREATE
def test_users_of_another_app_are_others(client: Client, own_app: App) -> None:
    external_id = unique()
    here, there = client.call("create_user", {"externalId": external_id}), client.at(own_app).call("create_user", {"externalId": external_id})
    assert here["user"]["id"] != there["user"]["id"]


@CREATE
@GET
def test_two_users_may_share_an_address(client: Client) -> None:
    email = f"{unique()}@example.org"
    first, second = (client.call("create_user", {"externalId": unique(), "profile": {"email": email}})["user"] for _ in range(2))
    assert first["id"] != second["id"]
    for user in (first, second):
        assert client.call("get_user", user["id"])["user"]["profile"]["email"] == email


@CREATE
@GET
@pytest.mark.parametrize("email", ["not an address", "Steve@Example.ORG", "a" * 128])
def test_an_email_is_given_back_as_it_came(client: Client, email: str) -> None:
    """The vendor does not say that it has to be one."""
    user = client.call("create_user", {"externalId": unique(), "profile": {"email": email}})["user"]
    assert user["profile"]["email"] == client.call("get_user", user["id"])["user"]["profile"]["email"] == email


@UPDATE
def test_a_change_merges_and_null_clears(client: Client, app: App) -> None:
    """Each client sends a null that it is given, and so clears one property and leaves the others."""
    user = app.user(profile=PROFILE | {"email": f"{unique()}@example.org"}, metadata={"a": 1, "b": 2, "c": "x"}, signedUpAt="2020-05-21T15:53:30.197Z")

    def change(**body: Any) -> dict[str, Any]:
        client.call("update_user", user["id"], body)
        return app.json("GET", f"/users/{user['id']}")["user"]

    now = change(profile={"givenName": "Stefan"}, metadata={"b": 3, "d": True})
    assert now["profile"] == {**user["profile"], "givenName": "Stefan"}
    assert now["metadata"] == {"a": 1, "b": 3, "c": "x", "d": True}
    now = change(profile={"givenName": None}, metadata={"a": None, "nothing": None})
    assert now["profile"].get("givenName") is None and now["profile"]["surname"] == PROFILE["surname"]
    assert now["metadata"] == {"b": 3, "c": "x", "d": True}
    now = change(profile={"email": None, "avatarUrl": None, "locale": None, "surname": None})
    assert all(value is None for value in now["profile"].values())
    assert now["signedUpAt"] == "2020-05-21T15:53:30.197Z"
    now = change(signedUpAt="2021-01-02T03:04:05.006Z")
    assert (now["signedUpAt"], now["metadata"]) == ("2021-01-02T03:04:05.006Z", {"b": 3, "c": "x", "d": True})
    assert change(profile={"surname": "Back"})["profile"]["surname"] == "Back"
    assert now["externalId"] == user["externalId"]


@UPDATE
def test_a_null_in_a_class(client: Client, app: App) -> None:
    """As someone writes it in each language: an attribute that is None, or null in the JSON that a class is made of."""
    user = app.user(profile={"givenName": "Ann", "surname": "Lee"}, metadata={"a": 1, "b": 2})
    if client.name == PYTHON_17:
        body = model("UserUpdateBody", profile=model("Profile", given_name=None), metadata={"a": None})
    else:
        body = {"profile": {"givenName": None}, "metadata": {"a": None}}
    client.call("update_user", user["id"], body)
    raw = app.json("GET", f"/users/{user['id']}")["user"]
    assert (raw["profile"].get("givenName"), raw["profile"]["surname"], raw["metadata"]) == (None, "Lee", {"b": 2})


@UPDATE
@pytest.mark.parametrize("body", [{}, {"profile": {}}, {"metadata": {}}, {"profile": {}, "metadata": {}}], ids=repr)
def test_a_change_of_nothing(app: App, body: dict[str, Any]) -> None:
    user = app.user(profile={"givenName": "Ann"}, metadata={"a": 1})
    assert app.json("PATCH", f"/users/{user['id']}", body)["user"] == user


@UPDATE
def test_what_cannot_be_changed_stays(app: App) -> None:
    """The external id, the id, the identities, and what is nobody's field."""
    user = app.user()
    body = {"externalId": unique(), "id": "63f8c5361b9c80d3274be7ca", "identities": [{"type": "email", "value": "a@b.c"}], "authenticated": True, "other": {"x": 1}}
    assert app.json("PATCH", f"/users/{user['id']}", body)["user"] == user


@DELETE
@GONE
@cells(404, "list_clients", "get_conversation", "delete_user")
def test_a_deleted_user_takes_all_along(client: Client, app: App) -> None:
    user, conversation = app.users_conversation()
    other = app.user()
    group = app.conversation(user, other)
    app.link(user, conversation, app.integration("twilio"))
    assert client.call("delete_user", user["id"]) == {}
    for name in (user["id"], user["externalId"]):
        assert_refused(client.answer("get_user", name), 404, "user_not_found")
        assert_refused(client.answer("list_clients", name), 404, "user_not_found")
        assert_refused(client.answer("delete_user", name), 404, "user_not_found")
    assert_refused(client.answer("get_conversation", conversation["id"]), 404, "conversation_not_found")
    assert [it["userId"] for it in client.call("list_participants", group["id"])["participants"]] == [other["id"]]


@FORGET
@GET
@cells(200, "list_messages", "list_clients")
def test_personal_information_goes_and_history_stays(client: Client, app: App) -> None:
    user = app.user(profile=PROFILE | {"email": f"{unique()}@example.org"}, metadata={"a": 1})
    conversation = app.conversation(user)
    linked = app.link(user, conversation, app.integration("twilio"))
    message = app.json("POST", f"/conversations/{conversation['id']}/messages", {"author": {"type": "user", "userId": user["id"]}, "content": {"type": "text", "text": "Hi"}}, 201)
    bare = client.call("delete_user_personal_information", user["externalId"])["user"]
    assert (bare["id"], bare["externalId"], bare["metadata"]) == (user["id"], user["externalId"], {})
    assert all(value is None for value in bare.get("profile", {}).values())
    assert shown(client.call("get_user", user["id"])["user"]) == shown(bare)
    listed = client.call("list_messages", conversation["id"])["messages"]
    assert [it["id"] for it in listed] == [message["messages"][0]["id"]] and listed[0]["content"]["text"] == "Hi"
    (left,) = app.clients(user["id"])
    assert left["id"] == linked["id"] and not {"displayName", "avatarUrl", "info", "raw"} & {name for name, value in left.items() if value}
