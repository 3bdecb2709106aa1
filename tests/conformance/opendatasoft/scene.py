"""What the dialect cannot do: people with a password, keys of others, other workspaces, mail and the pages behind its links."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

from opendatasoft_automation import SearchApikeyRequest

from opendatasoft.client import Ods, Target, email, unique
from support import web
from support.postgres import free_port
from support.process import Throng

PASSWORD = "a long enough passphrase 1"
FORM = "application/x-www-form-urlencoded"
# A credential may be believed for so long after it was revoked or its owner's rights changed.
REVOKED_SECONDS = 5
# The largest page of the native outbox that is asked for.
MAILS = 100


def call(server: Throng, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
    """A call of the native API with an administrator's token, the default workspace's if none is given; must succeed."""
    settings = server.ready["native"]
    headers = {"Authorization": f"Bearer {token or settings['token']}", "Content-Type": "application/json"}
    answer = web.request(method, settings["base"] + path, headers=headers, body=None if body is None else json.dumps(body).encode())
    assert 200 <= answer.status < 300, f"{method} {path} answered {answer.status}: {answer.text}"
    return answer.json if answer.body else None


@dataclass(frozen=True)
class Account:
    """Somebody with a password, who was made natively and so needs no invitation."""

    id: Any
    username: str
    email: str


def account_create(server: Throng, token: str | None = None, **fields: Any) -> Account:
    word = unique()
    body = {"email": email(word), "username": word, "password": PASSWORD, **fields}
    return Account(call(server, "POST", "/accounts", body, token)["id"], body["username"], body["email"])


def key_create(server: Throng, account: Account, *permissions: str, token: str | None = None, **fields: Any) -> str:
    """A key of an account; the secret."""
    body = {"label": unique("key"), "dialect": "opendatasoft", "permissions": list(permissions), **fields}
    return call(server, "POST", f"/accounts/{account.id}/keys", body, token)["secret"]


def administrator(server: Throng, *key_permissions: str, token: str | None = None) -> tuple[Account, Ods]:
    """Somebody who holds `edit_domain` directly, and their key."""
    account = account_create(server, token, permissions=["edit_domain"])
    return account, Ods(server, key_create(server, account, *(key_permissions or ("edit_domain",)), token=token))


def target_create(ods: Ods) -> Target:
    """A user, a group with this user in it, and this user's key: all new."""
    account, group = account_create(ods.server), ods.group()
    ods.json("POST", f"/groups/{group.uid}/users/", {"username": account.username})
    secret = key_create(ods.server, account, "explore_monitoring")
    return Target(account.username, account.email, group.uid, key_uid(ods, secret))


def key_uid(ods: Ods, secret: str) -> str:
    found = ods.keys.search_apikey(SearchApikeyRequest(key=secret))
    assert found.found, found
    return found.result.uid


def in_seconds(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def start_again(launch: Callable[..., Throng], first: Throng, folder: Path, database: list[str], *arguments: str) -> Ods:
    """`throng serve` on the data of a server that has ended, with that one's credentials and without limits on requests."""
    address = f"127.0.0.1:{free_port()}"
    limits = [word for dialect in ("opendatasoft", "native", "a2") for word in ("--set", f"rate_limit.{dialect}=off")]
    server = launch("serve", "--listen", address, "--data", str(folder), *database, *limits, *arguments).wait_for_ready(f"http://{address}")
    moved = {key: {**first.ready[key], "base": first.ready[key]["base"].replace(first.url, server.url, 1)} for key in ("native", "a2", "opendatasoft")}
    server.ready = {**first.ready, "url": server.url, **moved}
    return Ods(server)


@dataclass(frozen=True)
class Workspace:
    slug: str
    token: str
    ods: Ods
    owner: Account


def workspace_create(server: Throng) -> Workspace:
    """Another workspace with an administrator of its own, reached through its own mount."""
    slug = unique("other-")
    token = call(server, "POST", "/workspaces", {"slug": slug, "name": "Other"})["token"]
    owner = account_create(server, token, permissions=["edit_domain"])
    key = key_create(server, owner, "edit_domain", token=token)
    return Workspace(slug, token, Ods(server, key, f"{server.url}/w/{slug}/opendatasoft/api/automation/v1.0"), owner)


def mails(server: Throng, recipient: str | None = None) -> list[dict[str, Any]]:
    """What the outbox holds, newest first, or what of it is for one recipient."""
    found: list[dict[str, Any]] = []
    before = ""
    while True:
        items = call(server, "GET", f"/outbox?limit={MAILS}{before}")["items"]
        found += items
        if len(items) < MAILS:
            break
        before = f"&before={quote(str(items[-1]['id']))}"
    return [mail for mail in found if recipient in (None, mail["recipient"])]


def mail_text(server: Throng, mail: dict[str, Any]) -> str:
    return call(server, "GET", f"/outbox/{mail['id']}")["text"]


def link_in(text: str, page: str) -> str:
    found = re.findall(rf"https?://[^\s<>\"]+/account/{page}\?token=[^\s<>\"]+", text)
    assert len(set(found)) == 1, f"not one link to /account/{page} in {text!r}"
    return found[0]


def sign_in(server: Throng, address: str, password: str) -> int:
    """The status of a sign-in with a password, through the other dialect that has one."""
    body = urlencode({"username": address, "password": password}).encode()
    return web.request("POST", f"{server.ready['a2']['base']}/auth/jwt/login", headers={"Content-Type": FORM}, body=body).status


@dataclass
class Form(HTMLParser):
    """The one form of a page that has a password field: where it goes and what it holds."""

    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    passwords: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag == "form":
            assert (given.get("method") or "").lower() == "post", given
            self.action = given.get("action") or ""
        elif tag == "input" and given.get("name"):
            self.fields[given["name"] or ""] = given.get("value") or ""
            if given.get("type") == "password":
                self.passwords.append(given["name"] or "")


class Browser:
    """As much of a browser as a plain HTML form needs: cookies, hidden fields, Origin."""

    def __init__(self) -> None:
        self.cookies: dict[str, str] = {}

    def request(self, method: str, url: str, body: bytes | None = None) -> web.Answer:
        parts = urlsplit(url)
        headers = {"Accept": "text/html"}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body is not None:
            headers |= {"Content-Type": FORM, "Origin": f"{parts.scheme}://{parts.netloc}", "Sec-Fetch-Site": "same-origin", "Referer": url}
        answer = web.request(method, url, headers=headers, body=body)
        for cookie in answer.headers.get_all("set-cookie") or []:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name.strip()] = value.strip()
        return answer

    def form(self, url: str) -> Form | None:
        """The page's form for a password, if the link is still good for one."""
        answer = self.request("GET", url)
        form = Form()
        form.feed(answer.text)
        if not form.passwords:
            assert 400 <= answer.status < 500, f"a page without a form for a password: {answer.status} {answer.text}"
            return None
        assert answer.status == 200, answer.status
        form.action = urljoin(url, form.action)
        return form

    def submit(self, form: Form, password: str) -> web.Answer:
        """Sends the form with the password in every field for one."""
        return self.request("POST", form.action, urlencode({**form.fields, **dict.fromkeys(form.passwords, password)}).encode())
