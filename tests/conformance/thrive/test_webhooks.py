"""Webhooks for audiences and their members, received by a real HTTP server: the vendor's signature, checked here with what
Python has; natively Standard Webhooks, checked by somebody else's library."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import standardwebhooks

from support import native
from support.process import Throng
from support.receiver import RETRY_SECONDS, Delivery, Receiver
from support.site import Site
from thrive import scene
from thrive.client import (
    HOOK_OPERATIONS,
    NOWHERE,
    TIME,
    Target,
    Thrive,
    assert_deleted,
    assert_error,
    assert_page,
    cells,
    each,
    manager,
    unique,
)

KINDS = ("audience.created", "audience.updated", "audience.moved", "audience.deleted", "audience.members_changed", "audience.managers_changed")
SUBSCRIBED = pytest.mark.conformance(operation="create_webhook", status=201)
FIELDS = {"id", "url", "eventTypes", "createdAt", "updatedAt"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


Subscribe = Callable[..., dict[str, Any]]


@pytest.fixture
def subscribe(thrive: Thrive, receiver: Receiver) -> Iterator[Subscribe]:
    """Makes webhooks, of this receiver if none is named, that end with the test."""
    made: list[str] = []

    def start(url: str = "", **fields: Any) -> dict[str, Any]:
        answer = thrive.hook("POST", "", {"url": url or receiver.url, **fields})
        assert answer.status_code == 201, answer.text
        made.append(answer.json()["id"])
        return answer.json()

    yield start
    for webhook in made:
        assert thrive.hook("DELETE", f"/{webhook}").status_code in (200, 404)


def verified(delivery: Delivery, secret: str) -> dict[str, Any]:
    """The body of a delivery, after its signature was looked at."""
    expected = hmac.new(secret.encode(), delivery.body, hashlib.sha256).hexdigest()
    assert delivery.headers["x-hmac-signature"] == f"sha256={expected}"
    assert (delivery.method, delivery.path, delivery.headers["content-type"].partition(";")[0]) == ("POST", "/hook", "application/json")
    body = delivery.json
    assert {"eventType", "tenantId", "audience", "createdAt", "dispatchedAt"} <= set(body) <= {"eventType", "tenantId", "audience", "members", "createdAt", "dispatchedAt"}, body
    assert TIME.fullmatch(body["createdAt"]) and TIME.fullmatch(body["dispatchedAt"]) and body["createdAt"] <= body["dispatchedAt"], body
    return body


def about(audience: str, kind: str | None = None) -> Callable[[Delivery], bool]:
    """Thrive's deliveries about an audience."""
    return lambda delivery: delivery.json["audience"]["id"] == audience and kind in (None, delivery.json["eventType"])


@cells(200, "list_webhooks", "get_webhook", "delete_webhook")
@SUBSCRIBED
def test_subscribe_list_delete(thrive: Thrive, receiver: Receiver) -> None:
    """The secret is shown once."""
    answer = thrive.hook("POST", "", {"url": receiver.url, "eventTypes": ["audience.moved", "audience.members_changed"]})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert set(made) == FIELDS | {"secret"} and len(made["secret"]) >= 32
    assert (made["url"], set(made["eventTypes"])) == (receiver.url, {"audience.moved", "audience.members_changed"})
    shown = {name: value for name, value in made.items() if name != "secret"}
    page = thrive.hook("GET").json()
    assert_page(page, 1, 100)
    assert shown in page["results"] and "secret" not in {name for item in page["results"] for name in item}
    assert thrive.hook("GET", f"/{made['id']}").json() == shown
    assert_deleted(thrive.hook("DELETE", f"/{made['id']}"))
    assert made["id"] not in {item["id"] for item in thrive.hook("GET").json()["results"]}
    for method in ("GET", "DELETE"):
        assert_error(thrive.hook(method, f"/{made['id']}"), 404)


@SUBSCRIBED
@cells(201, "create_audience")
@cells(200, "update_audience", "add_members", "remove_member", "add_managers", "delete_audience")
def test_every_event(thrive: Thrive, receiver: Receiver, subscribe: Subscribe, people: list[str]) -> None:
    """Each once, signed with the secret that was shown, in the vendor's shape: what happened, of which tenant, when."""
    secret = subscribe()["secret"]
    old, new = thrive.structure(), thrive.structure()
    child = thrive.audience(old)
    name = unique("renamed ")
    thrive.update(child["id"], name=name)
    thrive.add(child["id"], *people[:3])
    thrive.remove(child["id"], people[0])
    thrive.send("POST", f"/audiences/{child['id']}/managers", [manager(people[0], "insights")])
    thrive.update(child["id"], parentId=new["id"])
    thrive.delete(child["id"])

    expected = ["audience.created", "audience.updated", "audience.members_changed", "audience.members_changed", "audience.managers_changed", "audience.moved", "audience.deleted"]
    bodies = [verified(delivery, secret) for delivery in receiver.wait_for(about(child["id"]), "what happened to a child", len(expected))]
    # They may come in another order than they happened, which `createdAt` tells.
    assert sorted(body["eventType"] for body in bodies) == sorted(expected)
    assert {body["tenantId"] for body in bodies} == {thrive.tenant_id}
    of_kind = {body["eventType"]: body for body in bodies}
    assert set(of_kind) == set(KINDS)
    for body in bodies:
        audience = body["audience"]
        assert (audience["reference"], audience["category"], audience["type"]) == (child["reference"], "audience", "manual"), body
    assert of_kind["audience.created"]["audience"]["name"] == child["name"]
    assert of_kind["audience.updated"]["audience"]["name"] == of_kind["audience.deleted"]["audience"]["name"] == name
    changes = sorted((body["members"]["added"], body["members"]["removed"]) for body in bodies if body["eventType"] == "audience.members_changed")
    assert changes == [(0, 1), (3, 0)]
    move = of_kind["audience.moved"]["audience"]
    assert (move["parentId"], move["previousParentId"]) == (new["id"], old["id"])
    assert [verified(delivery, secret)["audience"]["category"] for delivery in receiver.wait_for(about(new["id"], "audience.created"), "a new structure")] == ["structure"]


@SUBSCRIBED
@cells(200, "add_members", "update_audience")
def test_only_what_is_wanted(thrive: Thrive, receiver: Receiver, subscribe: Subscribe, people: list[str]) -> None:
    subscribe(eventTypes=["audience.members_changed"])
    child = thrive.audience(thrive.structure())
    thrive.update(child["id"], name=unique("renamed "))
    thrive.add(child["id"], people[0])
    receiver.wait_for(about(child["id"]), "new members")
    # Adding whom it has already is no change.
    thrive.add(child["id"], people[0])
    thrive.add(child["id"], people[1])
    found = receiver.wait_for(about(child["id"]), "new members", 2)
    assert [(delivery.json["eventType"], delivery.json["members"]) for delivery in found] == [("audience.members_changed", {"added": 1, "removed": 0})] * 2


@SUBSCRIBED
@cells(422, "update_audience", "add_members")
@cells(409, "update_audience")
def test_what_was_refused_is_no_event(thrive: Thrive, receiver: Receiver, subscribe: Subscribe) -> None:
    """A move that nobody joined, a change that clashed: nothing is told. The last change, which is done, is."""
    leaver = thrive.user()["ref"]
    old, new = thrive.structure(), thrive.structure()
    child = thrive.audience(old, members=[leaver])
    thrive.suspend(leaver)
    subscribe()
    assert thrive.send("PATCH", f"/audiences/{child['id']}/", {"parentId": new["id"]}).status_code == 422
    assert thrive.send("PATCH", f"/audiences/{child['id']}/", {"reference": new["reference"]}).status_code == 409
    assert thrive.send("POST", f"/audiences/{child['id']}/members", ["NOBODY"]).status_code == 422
    thrive.update(child["id"], name=unique("renamed "))
    receiver.wait_for(about(child["id"], "audience.updated"), "a new name")
    assert [delivery.json["eventType"] for delivery in receiver.all()] == ["audience.updated"]


@SUBSCRIBED
def test_a_secret_of_ones_own(thrive: Thrive, receiver: Receiver, subscribe: Subscribe) -> None:
    secret = unique("a secret of my own, with a ü: ")
    subscribe(secret=secret)
    structure = thrive.structure()
    verified(receiver.wait_for(about(structure["id"]), "a new structure")[0], secret)


@SUBSCRIBED
@pytest.mark.timeout(400)
@pytest.mark.parametrize("status", [500, 404, 302])
def test_sent_again_until_it_is_taken(thrive: Thrive, receiver: Receiver, subscribe: Subscribe, status: int) -> None:
    """Anything but 2xx is no success, a redirect is not followed. What is sent again says the same, at another time."""
    secret = subscribe(eventTypes=["audience.created"])["secret"]
    receiver.statuses = [status]
    structure = thrive.structure()
    first, second = receiver.wait_for(about(structure["id"]), "a new structure, twice", 2, RETRY_SECONDS)
    assert (first.status, second.status) == (status, 204)
    one, two = verified(first, secret), verified(second, secret)
    assert one.pop("dispatchedAt") < two.pop("dispatchedAt")
    assert one == two


@SUBSCRIBED
@cells(200, "delete_webhook")
def test_a_deleted_webhook_is_told_nothing(thrive: Thrive, receiver: Receiver, subscribe: Subscribe) -> None:
    gone = subscribe(url=f"{receiver.url}/gone")
    subscribe()
    assert_deleted(thrive.hook("DELETE", f"/{gone['id']}"))
    structure = thrive.structure()
    receiver.wait_for(about(structure["id"]), "a new structure")
    assert {delivery.path for delivery in receiver.all()} == {"/hook"}


@SUBSCRIBED
def test_each_webhook_for_itself(thrive: Thrive, receiver: Receiver, subscribe: Subscribe) -> None:
    """One that cannot be reached holds up no other, and nobody who calls."""
    subscribe(url="http://127.0.0.1:9/nobody", eventTypes=["audience.created"])
    secrets = [subscribe(url=f"{receiver.url}/{number}", eventTypes=["audience.created"])["secret"] for number in range(2)]
    structure = thrive.structure()
    found = receiver.wait_for(about(structure["id"]), "a new structure, to both", 2)
    for delivery in found:
        expected = hmac.new(secrets[int(delivery.path[-1])].encode(), delivery.body, hashlib.sha256).hexdigest()
        assert delivery.headers["x-hmac-signature"] == f"sha256={expected}"


@SUBSCRIBED
def test_replayed(thrive: Thrive, receiver: Receiver, subscribe: Subscribe) -> None:
    """What happened since a time is sent once more, on the operator's word."""
    webhook = subscribe(eventTypes=["audience.created"])
    secret = webhook["secret"]
    first, second = thrive.structure(), thrive.structure()
    for structure in (first, second):
        receiver.wait_for(about(structure["id"]), "a new structure")
    replayed = native.call(thrive.server, "POST", f"/webhooks/{scene.native_id(webhook['id'])}/replay", {"since": first["createdAt"]})
    assert replayed["queued"] >= 2
    for structure in (first, second):
        one, two = (verified(delivery, secret) for delivery in receiver.wait_for(about(structure["id"]), "a new structure, again", 2))
        assert {**one, "dispatchedAt": ""} == {**two, "dispatchedAt": ""}


# The native API's own, of the same events.


@pytest.fixture
def native_hook(thrive: Thrive, receiver: Receiver) -> Iterator[dict[str, Any]]:
    made = native.call(thrive.server, "POST", "/webhooks", {"url": receiver.url, "events": ["audience.members_changed", "audience.moved"]})
    yield made
    native.call(thrive.server, "DELETE", f"/webhooks/{made['id']}")


def natively(thrive: Thrive, reference: str) -> Callable[[Delivery], bool]:
    return lambda delivery: delivery.json["data"]["reference"] == reference


@cells(200, "add_members", "update_audience")
def test_standard_webhooks(thrive: Thrive, receiver: Receiver, native_hook: dict[str, Any], people: list[str]) -> None:
    """What Thrive's API changed is told as Standard Webhooks has it, and their library finds the signature right."""
    old, new = thrive.structure(), thrive.structure()
    child = thrive.audience(old, members=people[:2])
    thrive.update(child["id"], parentId=new["id"])
    library = standardwebhooks.Webhook(native_hook["secret"])
    found = receiver.wait_for(natively(thrive, child["reference"]), "members and a move", 2)
    bodies = [library.verify(delivery.body, delivery.headers) for delivery in found]
    assert sorted(body["type"] for body in bodies) == ["audience.members_changed", "audience.moved"]
    assert all(set(body) == {"type", "timestamp", "data"} for body in bodies)
    of_kind = {body["type"]: body["data"] for body in bodies}
    assert (of_kind["audience.members_changed"]["added"], len(of_kind["audience.members_changed"]["added_people"])) == (2, 2)
    assert of_kind["audience.moved"]["from"] != of_kind["audience.moved"]["to"]
    assert len({delivery.headers["webhook-id"] for delivery in found}) == 2
    tampered = found[0].body.replace(b"audience", b"Audience", 1)
    for body, headers, secret in (
        (tampered, found[0].headers, native_hook["secret"]),
        (found[0].body, {**found[0].headers, "webhook-id": "evt_0"}, native_hook["secret"]),
        (found[0].body, {**found[0].headers, "webhook-timestamp": str(int(found[0].headers["webhook-timestamp"]) + 1)}, native_hook["secret"]),
        (found[0].body, found[0].headers, "whsec_" + "A" * 43 + "="),
    ):
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            standardwebhooks.Webhook(secret).verify(body, headers)


@cells(200, "add_members")
def test_while_a_secret_follows_another_both_sign(thrive: Thrive, receiver: Receiver, native_hook: dict[str, Any], people: list[str]) -> None:
    newer = native.call(thrive.server, "POST", f"/webhooks/{native_hook['id']}/rotate")["secret"]
    assert newer != native_hook["secret"]
    child = thrive.audience(thrive.structure(), members=people[:1])
    (delivery,) = receiver.wait_for(natively(thrive, child["reference"]), "new members")
    for secret in (native_hook["secret"], newer):
        assert standardwebhooks.Webhook(secret).verify(delivery.body, delivery.headers)["data"]["added"] == 1


@cells(200, "add_members")
def test_what_is_replayed_has_the_id_that_it_had(thrive: Thrive, receiver: Receiver, native_hook: dict[str, Any], people: list[str]) -> None:
    """So that a receiver knows it, also one whose first answer was lost."""
    child = thrive.audience(thrive.structure(), members=people[:1])
    wanted = natively(thrive, child["reference"])
    (first,) = receiver.wait_for(wanted, "new members")
    native.call(thrive.server, "POST", f"/webhooks/{native_hook['id']}/replay", {"since": first.json["timestamp"]})
    again = receiver.wait_for(wanted, "new members, again", 2)[1]
    assert again.headers["webhook-id"] == first.headers["webhook-id"] and again.body == first.body
    assert standardwebhooks.Webhook(native_hook["secret"]).verify(again.body, again.headers)["type"] == "audience.members_changed"


@SUBSCRIBED
@cells(200, "add_members")
@pytest.mark.timeout(400)
def test_what_waits_survives_kill_9(launch: Callable[..., Throng], new_site: Callable[[], Site], receiver: Receiver) -> None:
    """A receiver that is down, a server that is killed: the event is told by the next one."""
    site = new_site()
    settings = [word for setting in ("outbound.allow=127.0.0.1/32", "rate_limit.thrive=off") for word in ("--set", setting)]
    server = site.serve(*settings)
    thrive = Thrive(server)
    receiver.status = 500
    answer = thrive.hook("POST", "", {"url": receiver.url, "eventTypes": ["audience.members_changed"]})
    assert answer.status_code == 201, answer.text
    child = thrive.audience(thrive.structure(), members=thrive.users(1))
    receiver.wait_for(about(child["id"]), "new members")
    server.kill()
    receiver.status = 204
    again = site.serve(*settings)
    taken = receiver.wait_for(lambda delivery: about(child["id"])(delivery) and delivery.status == 204, "new members, after the start", 1, RETRY_SECONDS * 2)
    assert verified(taken[0], answer.json()["secret"])["members"] == {"added": 1, "removed": 0}
    assert again.terminate() == 0, again.describe()


# Who may, and what there is not.


@pytest.fixture
def hook_target(thrive: Thrive, subscribe: Subscribe) -> Target:
    return Target(NOWHERE, NOWHERE, thrive.user()["ref"], NOWHERE, subscribe("http://127.0.0.1:9/nobody", eventTypes=["audience.moved"])["id"])


@pytest.mark.parametrize("operation", each(401, *HOOK_OPERATIONS))
def test_no_credentials(thrive: Thrive, hook_target: Target, operation: str) -> None:
    assert_error(HOOK_OPERATIONS[operation](thrive.anonymous(), hook_target), 401)
    assert thrive.hook("GET", f"/{hook_target.webhook}").status_code == 200


@pytest.mark.parametrize("operation", each(403, *HOOK_OPERATIONS))
@pytest.mark.parametrize("scope", ["api/read", "api/write", "api/read api/write"])
def test_a_token_for_something_else(thrive: Thrive, hook_target: Target, operation: str, scope: str) -> None:
    assert_error(HOOK_OPERATIONS[operation](thrive.oauth(scope), hook_target), 403)
    assert thrive.hook("GET", f"/{hook_target.webhook}").status_code == 200


@pytest.mark.parametrize("operation", each(201, "create_webhook") + each(200, "list_webhooks", "get_webhook", "delete_webhook", "provision_user"))
@pytest.mark.parametrize("way", ["Basic", "api/all", "api/webhooks", "api/all of the other host"])
def test_every_way_in(thrive: Thrive, hook_target: Target, operation: str, way: str) -> None:
    if way == "Basic":
        caller = thrive
    elif way == "api/webhooks":
        caller = thrive.oauth("api/webhooks", url=thrive.user_token_url)
    else:
        caller = thrive.oauth("api/all", **({} if way == "api/all" else {"url": thrive.user_token_url}))
    answer = HOOK_OPERATIONS[operation](caller, hook_target)
    assert answer.status_code == (201 if operation == "create_webhook" else 200), answer.text
    if operation == "create_webhook":
        assert_deleted(thrive.hook("DELETE", f"/{answer.json()['id']}"))


@cells(404, "get_webhook", "delete_webhook")
@SUBSCRIBED
def test_what_there_is_not(thrive: Thrive, other: scene.Workspace, receiver: Receiver) -> None:
    """Unknown, another tenant's, another protocol's, an audience's id."""
    theirs = scene.webhook_create(other.thrive)
    structure = thrive.structure()["id"]
    made = native.call(thrive.server, "POST", "/webhooks", {"url": receiver.url})
    try:
        for webhook in (NOWHERE, "x", theirs, structure, str(made["id"])):
            for method in ("GET", "DELETE"):
                assert_error(thrive.hook(method, f"/{webhook}"), 404)
        assert receiver.url not in {item["url"] for item in thrive.hook("GET").json()["results"]}
    finally:
        native.call(thrive.server, "DELETE", f"/webhooks/{made['id']}")
    assert other.thrive.hook("GET", f"/{theirs}").status_code == 200
    assert_deleted(other.thrive.hook("DELETE", f"/{theirs}"))


WRONG = {
    "nothing": {},
    "no URL": {"url": "somewhere"},
    "a number": {"url": 7},
    "another scheme": {"url": "ftp://127.0.0.1/hook"},
    "a file": {"url": "file:///etc/passwd"},
    "with a password": {"url": "http://user:password@127.0.0.1/hook"},
    "a line's end": {"url": "http://127.0.0.1/\r\nX-Injected: 1"},
    "a long one": {"url": "http://127.0.0.1/" + "x" * 4000},
    "an event that there is not": {"url": "http://127.0.0.1:9/hook", "eventTypes": ["audience.exploded"]},
    "events in words": {"url": "http://127.0.0.1:9/hook", "eventTypes": "audience.moved"},
    "a short secret": {"url": "http://127.0.0.1:9/hook", "secret": "short"},
    "a secret of a wrong type": {"url": "http://127.0.0.1:9/hook", "secret": 7},
    "an array": [],
    "null": None,
}


@pytest.mark.conformance(operation="create_webhook", status=400)
@pytest.mark.parametrize("body", WRONG.values(), ids=list(WRONG))
def test_a_webhook_that_is_wrong(thrive: Thrive, body: Any) -> None:
    before = thrive.hook("GET").json()
    assert_error(thrive.hook("POST", "", body), 400)
    assert thrive.hook("GET").json() == before
