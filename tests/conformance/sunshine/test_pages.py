"""Pages: both forms of a page, cursors to either end, links, and what is no page."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from support.process import Throng
from sunshine.app import ID, App, account_key, app_create, assert_refused, client_create, text
from sunshine.clients import NODE, PYTHON_9, PYTHON_17, Client, Refused
from sunshine.operations import cells, each

COUNT = 30
NAMES = {"list_clients": "clients", "list_conversations": "conversations", "list_messages": "messages", "list_integrations": "integrations", "list_participants": "participants"}
LOW, HIGH = "0" * 24, "f" * 24


@dataclass
class Shelf:
    """An app with more of each thing than a page holds by itself; of participants as many as a group has."""

    app: App
    user: dict[str, Any]
    conversation: dict[str, Any]
    group: dict[str, Any]
    # Oldest first.
    ids: dict[str, list[str]] = field(default_factory=dict)

    def path(self, operation: str) -> str:
        return {
            "list_clients": f"/users/{self.user['id']}/clients",
            "list_conversations": f"/conversations?filter[userId]={self.user['id']}",
            "list_messages": f"/conversations/{self.conversation['id']}/messages",
            "list_integrations": "/integrations",
            "list_participants": f"/conversations/{self.group['id']}/participants",
        }[operation]

    def call(self, client: Client, operation: str, page: Any) -> Any:
        arguments = {"list_clients": [self.user["id"]], "list_messages": [self.conversation["id"]], "list_participants": [self.group["id"]]}.get(operation, [])
        options = {"filter": {"userExternalId": self.user["externalId"]}} if operation == "list_conversations" else {}
        return client.at(self.app).call(operation, *arguments, page=page, **options)

    def get(self, operation: str, query: str, status: int = 200) -> Any:
        path = self.path(operation)
        answer = self.app.send("GET", f"{path}{'&' if '?' in path else '?'}{query}")
        assert answer.status == status, answer.text
        return answer.json if status == 200 else answer


@pytest.fixture(scope="module")
def shelf(server: Throng) -> Shelf:
    app = app_create(server)
    user, conversation = app.users_conversation()
    conversations = [conversation, *(app.conversation(user) for _ in range(COUNT - 2))]
    others = [app.user() for _ in range(9)]
    group = app.conversation(user, *others)
    integrations = [app.integration("twilio") for _ in range(COUNT)]
    clients = [app.link(user, conversation, integrations[0]) for _ in range(COUNT)]
    messages = [app.json("POST", f"/conversations/{conversation['id']}/messages", text(str(number)), 201)["messages"][0] for number in range(COUNT)]
    participants = app.json("GET", f"/conversations/{group['id']}/participants?page[size]=100")["participants"]
    assert [it["userId"] for it in participants] == [it["id"] for it in (user, *others)]
    made = {"list_clients": clients, "list_conversations": [*conversations, group], "list_messages": messages, "list_integrations": integrations, "list_participants": participants}
    return Shelf(app, user, conversation, group, {name: [it["id"] for it in items] for name, items in made.items()})


def deep(**page: Any) -> str:
    return "&".join(f"page[{name}]={value}" for name, value in page.items())


def encoded(**page: Any) -> str:
    return "&".join(f"{quote(f'page[{name}]', safe='')}={value}" for name, value in page.items())


def as_json(**page: Any) -> str:
    return f"page={quote(json.dumps(page))}"


FORMS: dict[str, Callable[..., str]] = {"deepObject": deep, "encoded": encoded, "JSON": as_json}
FORM = pytest.mark.parametrize("form", FORMS)
LISTS = pytest.mark.parametrize("operation", each(200, NAMES))
REFUSED = pytest.mark.parametrize("operation", each(400, NAMES))


def ids(operation: str, page: dict[str, Any]) -> list[str]:
    return [it["id"] for it in page[NAMES[operation]]]


def assert_page(operation: str, page: dict[str, Any]) -> None:
    assert set(page) == {NAMES[operation], "meta", "links"}
    assert page["meta"]["hasMore"] in (True, False)
    assert set(page["meta"]) <= {"hasMore", "afterCursor", "beforeCursor"} and set(page["links"]) <= {"next", "prev"}
    for cursor, link in (("afterCursor", "next"), ("beforeCursor", "prev")):
        assert (cursor in page["meta"]) == (link in page["links"])
        assert cursor not in page["meta"] or ID.fullmatch(page["meta"][cursor])


@LISTS
@FORM
@pytest.mark.parametrize("size", [1, 7, 25, 100])
def test_forward_and_back(shelf: Shelf, operation: str, form: str, size: int) -> None:
    """Every item once, oldest first; and back from the end the same."""
    write, expected = FORMS[form], shelf.ids[operation]
    found: list[str] = []
    page = shelf.get(operation, write(size=size))
    while True:
        assert_page(operation, page)
        assert len(page[NAMES[operation]]) <= size
        found += ids(operation, page)
        if not page["meta"]["hasMore"]:
            break
        page = shelf.get(operation, write(after=page["meta"]["afterCursor"], size=size))
    assert found == expected
    assert "afterCursor" not in page["meta"]

    found = []
    page = shelf.get(operation, write(before=HIGH, size=size))
    while True:
        assert_page(operation, page)
        # The newest, in the same order.
        found = ids(operation, page) + found
        if not page["meta"]["hasMore"]:
            break
        page = shelf.get(operation, write(size=size, before=page["meta"]["beforeCursor"]))
    assert found == expected
    assert "beforeCursor" not in page["meta"]


@LISTS
@FORM
def test_by_default_25(shelf: Shelf, operation: str, form: str) -> None:
    expected = shelf.ids[operation]
    for page in (shelf.get(operation, ""), shelf.get(operation, FORMS[form](after=LOW))):
        assert ids(operation, page) == expected[:25]
        assert page["meta"]["hasMore"] is (len(expected) > 25)


@LISTS
def test_links_are_followed_to_both_ends(shelf: Shelf, operation: str) -> None:
    """Whole URLs, of a size that stays, with whatever else was asked for."""
    page = shelf.get(operation, deep(size=4))
    assert "prev" not in page["links"]
    found = ids(operation, page)
    while "next" in page["links"]:
        url = page["links"]["next"]
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        assert url.startswith(shelf.app.root) and query["page[size]"] == ["4"] and query["page[after]"] == [page["meta"]["afterCursor"]]
        page = shelf.app.json("GET", url)
        found += ids(operation, page)
    assert found == shelf.ids[operation]
    found = ids(operation, page)
    while "prev" in page["links"]:
        page = shelf.app.json("GET", page["links"]["prev"])
        found = ids(operation, page) + found
    assert found == shelf.ids[operation]


@LISTS
def test_a_cursor_is_any_24_digits(shelf: Shelf, operation: str) -> None:
    expected = shelf.ids[operation]
    middle = expected[len(expected) // 2]
    assert ids(operation, shelf.get(operation, deep(after=LOW, size=100))) == expected
    assert ids(operation, shelf.get(operation, deep(after=HIGH, size=100))) == []
    assert ids(operation, shelf.get(operation, deep(before=LOW, size=100))) == []
    assert ids(operation, shelf.get(operation, deep(after=middle, size=100))) == expected[expected.index(middle) + 1 :]
    assert ids(operation, shelf.get(operation, deep(before=middle, size=100))) == expected[: expected.index(middle)]
    assert ids(operation, shelf.get(operation, deep(before=middle, size=2))) == expected[expected.index(middle) - 2 : expected.index(middle)]


@LISTS
def test_each_client_turns_pages(client: Client, shelf: Shelf, operation: str) -> None:
    """Version 9 writes page[...], version 17 JSON, and JavaScript only what comes first: there the size is the default."""
    expected = shelf.ids[operation]
    sized = {} if client.name == NODE else {"size": 4}
    page = shelf.call(client, operation, sized or {"after": LOW})
    found = ids(operation, page)
    while page["meta"]["hasMore"]:
        assert len(found) % (25 if client.name == NODE else 4) == 0
        page = shelf.call(client, operation, {"after": page["meta"]["afterCursor"], **sized})
        found += ids(operation, page)
    assert found == expected
    last = shelf.call(client, operation, {"before": HIGH, **sized})
    assert ids(operation, last) == expected[-len(last[NAMES[operation]]) :]
    if client.name == NODE:
        assert ids(operation, shelf.call(client, operation, {"size": 3, "after": expected[0]})) == expected[:3]


@LISTS
def test_each_client_reads_an_empty_page(client: Client, shelf: Shelf, operation: str) -> None:
    page = shelf.call(client, operation, {"after": HIGH})
    assert ids(operation, page) == [] and page["meta"]["hasMore"] is False


BAD = [
    "page[size]=0", "page[size]=101", "page[size]=-1", "page[size]=", "page[size]=x", "page[size]=1.5", "page[size]=1e1", "page[size]=%2B5", "page[size]=99999999999999999999",
    "page[after]=", "page[after]=x", f"page[after]={'0' * 23}", f"page[after]={'0' * 25}", f"page[after]={'g' * 24}", f"page[before]={'0' * 23}%20",
    f"page[after]={LOW}&page[before]={HIGH}", f"page[before]={LOW}&page[after]={LOW}&page[size]=5",
    "page=2", "page=", "page=x", "page=[]", "page=null", "page=true", 'page="size"', "page={", 'page=[{"size":2}]', "page={}{}",
    'page={"size":0}', 'page={"size":101}', 'page={"size":-1}', 'page={"size":1.5}', 'page={"size":"x"}', 'page={"size":[2]}', 'page={"size":true}',
    'page={"after":7}', 'page={"after":"x"}', 'page={"before":{}}', 'page={"after":""}', f'page={{"after":"{LOW}","before":"{HIGH}"}}', f'page[after]={LOW}&page={{"before":"{HIGH}"}}',
    "page[size]=2&page[size]=3", f"page[after]={LOW}&page[after]={HIGH}", 'page={"size":2}&page={"size":3}', "page[size]=%ff",
]  # fmt: skip


@REFUSED
@pytest.mark.parametrize("query", BAD)
def test_what_is_no_page(shelf: Shelf, operation: str, query: str) -> None:
    answer = shelf.get(operation, quote(query, safe="=&[]%"), 400)
    assert_refused(answer, 400, "bad_request")


@cells(400, "list_apps")
@cells(200, "list_apps")
def test_pages_of_apps(app: App) -> None:
    """An account has one app, and no page that is none."""
    account = account_key(app)
    url = f"{app.base}/v2/apps"
    for query in ("", f"?{deep(size=1)}", f"?{as_json(size=100)}"):
        assert [it["id"] for it in account.json("GET", url + query)["apps"]] == [app.app_id]
    for query in BAD:
        assert_refused(account.send("GET", f"{url}?{quote(query, safe='=&[]%')}"), 400, "bad_request")


@REFUSED
def test_clients_that_ask_for_no_page(client: Client, shelf: Shelf, operation: str) -> None:
    """What a client does not refuse by itself, it is told in the class that it has for that."""
    asked: list[dict[str, Any]] = [{"after": LOW, "before": HIGH}, {"size": 0}, {"size": 101}, {"after": "x"}]
    refused = 0
    for page in asked:
        with pytest.raises((AssertionError, Refused)) as caught:
            if client.name == NODE and len(page) > 1:
                # It sends the first of the two alone.
                raise Refused
            shelf.call(client, operation, page)
        refused += isinstance(caught.value, AssertionError)
        assert isinstance(caught.value, Refused) or "status=400" in str(caught.value)
    assert refused == {PYTHON_9: 4, PYTHON_17: 1, NODE: 3}[client.name]


@cells(200, "list_clients")
@cells(201, "create_client")
def test_new_items_come_after_a_cursor(client: Client, shelf: Shelf) -> None:
    """A page that was the last is followed by what has come since; what was removed leaves its cursor good."""
    app = shelf.app
    user, conversation = app.users_conversation()
    integration = {"id": shelf.ids["list_integrations"][0], "type": "twilio"}
    first, second = (app.link(user, conversation, integration) for _ in range(2))
    path = f"/users/{user['id']}/clients"
    app.json("DELETE", f"{path}/{second['id']}")
    made = client.at(app).call("create_client", user["id"], client_create(integration, conversation))["client"]
    page = client.at(app).call("list_clients", user["id"], page={"after": second["id"]})
    assert [it["id"] for it in page["clients"]] == [made["id"]]
    page = client.at(app).call("list_clients", user["id"], page={"before": second["id"]})
    assert [it["id"] for it in page["clients"]] == [first["id"]]


@cells(200, "list_integrations")
def test_links_lead_where_the_client_came_from(shelf: Shelf) -> None:
    """Under the workspace's own path and under the newer clients' /sc, and never to a host that anybody can name."""
    app = shelf.app
    for base in (app.base, f"{app.base}/sc"):
        url = f"{base}/v2/apps/{app.app_id}/integrations"
        page = app.json("GET", f"{url}?page[size]=1")
        assert page["links"]["next"].startswith(f"{url}?")
        assert app.json("GET", page["links"]["next"])["integrations"][0]["id"] == shelf.ids["list_integrations"][1]
    answer = app.send("GET", "/integrations?page[size]=1", headers=app.basic | {"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
    assert answer.status in (200, 400, 404, 421)
    assert "evil.example" not in answer.text
