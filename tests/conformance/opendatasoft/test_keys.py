"""API keys: made, shown once, limited, changed, found again and revoked."""

from __future__ import annotations

from typing import Any

import pytest
from opendatasoft_automation import APIKey, PostApikeysApikeyUidRevokeRequest, SearchApikeyRequest

from opendatasoft import scene
from opendatasoft.client import KEY_OPERATIONS, NOWHERE, OPERATIONS, Ods, Target, assert_refused, cells, each, page_after, path_of, refused, unique
from support.waiting import wait_until

LIST = pytest.mark.conformance(operation="get_apikeys", status=200)
CREATE = pytest.mark.conformance(operation="post_apikeys", status=201)
CREATE_REFUSED = pytest.mark.conformance(operation="post_apikeys", status=400)
GET = pytest.mark.conformance(operation="get_apikey", status=200)
PUT = pytest.mark.conformance(operation="put_apikeys_apikey_uid", status=200)
PUT_REFUSED = pytest.mark.conformance(operation="put_apikeys_apikey_uid", status=400)
REVOKE = pytest.mark.conformance(operation="post_apikeys_apikey_uid_revoke", status=200)
SEARCH = pytest.mark.conformance(operation="search_apikey", status=200)


def create(ods: Ods, *permissions: str) -> APIKey:
    return ods.keys.post_apikeys(APIKey(label=unique("key"), permissions=list(permissions) or ["edit_domain"]))


def owner_of(ods: Ods) -> str:
    return ods.keys.get_apikey(scene.key_uid(ods, ods.key)).user.username


@CREATE
@GET
@LIST
def test_a_new_key_is_shown_once(ods: Ods) -> None:
    label = unique("key")
    made = ods.keys.post_apikeys(APIKey(label=label, permissions=["edit_domain", "edit_page"]))
    assert (made.label, set(made.permissions), made.is_revoked) == (label, {"edit_domain", "edit_page"}, False)
    assert made.key.startswith("thr_") and made.uid and made.key not in made.uid and made.uid not in made.key
    assert made.created_at is not None and made.created_at.tzinfo is not None
    assert made.user.username == owner_of(ods)
    assert made.revocation_status is None or made.revocation_status.revoked_at is None
    assert ods.with_key(made.key).users.get_users(limit=0).total_count > 0
    found = ods.keys.get_apikey(made.uid)
    assert found.key is None
    assert found.model_dump(exclude={"key"}) == made.model_dump(exclude={"key"})
    for path in ("/apikeys/?limit=1000", f"/apikeys/{made.uid}/", f"/apikeys/{made.uid}/?expand=user"):
        assert made.key not in ods.raw("GET", path).text
    assert made.key not in ods.raw("POST", "/apikeys/search_key/", {"key": made.key}).text


@GET
def test_nothing_but_the_vendors_fields(ods: Ods) -> None:
    assert set(ods.json("GET", f"/apikeys/{create(ods).uid}/")) <= set(APIKey.model_fields)


@GET
def test_the_owner_expanded(ods: Ods) -> None:
    made = create(ods)
    assert ods.keys.get_apikey(made.uid, expand="user").user.username == made.user.username
    assert ods.json("GET", f"/apikeys/{made.uid}/")["user"] == {"username": made.user.username}
    assert "@" in ods.json("GET", f"/apikeys/{made.uid}/?expand=user")["user"]["email"]


@LIST
def test_pages_hold_everybodys_keys(ods: Ods, target: Target) -> None:
    """An administrator sees the keys of the whole domain, revoked ones too."""
    revoked = create(ods)
    ods.keys.post_apikeys_apikey_uid_revoke(revoked.uid)
    total = ods.keys.get_apikeys(limit=0)
    assert total.results == [] and total.total_count >= 3
    page = ods.keys.get_apikeys(limit=2)
    collected = list(page.results)
    while page.next is not None:
        assert ods.json("GET", path_of(page.next, ods.base))["total_count"] == total.total_count
        page = ods.keys.get_apikeys(**page_after(page.next))
        collected += page.results
    uids = [key.uid for key in collected]
    assert len(uids) == len(set(uids)) == total.total_count
    assert {target.key, revoked.uid} <= set(uids)


@pytest.mark.conformance(operation="get_apikeys", status=400)
@pytest.mark.parametrize("query", ["limit=1001", "limit=-1", "offset=-1", "limit=x"])
def test_a_list_that_cannot_be_asked_for(ods: Ods, query: str) -> None:
    assert_refused(ods.raw("GET", f"/apikeys/?{query}"), 400, "validation_error", query.partition("=")[0])


WRONG: dict[str, Any] = {
    "a label of nothing": {"label": ""},
    "a label of blanks": {"label": "  "},
    "a label of a wrong type": {"label": 1},
    "a label of null": {"label": None},
    "a label with a NUL": {"label": "a\0"},
    "a label of 100,000 letters": {"label": "x" * 100_000},
    "an unknown permission": {"label": "x", "permissions": ["edit_domain", "no_such_permission"]},
    "permissions of a wrong type": {"label": "x", "permissions": "edit_domain"},
    "permissions of null": {"label": "x", "permissions": [None]},
}
NO_OBJECTS = {"an array": b"[]", "a string": b'"x"', "null": b"null", "cut off": b'{"label": "x', "not UTF-8": b'{"label": "\xff"}'}


@CREATE_REFUSED
@pytest.mark.parametrize("body", [{}, b"", *WRONG.values(), *NO_OBJECTS.values()], ids=["no label", "nothing", *WRONG, *NO_OBJECTS])
def test_a_new_key_that_is_wrong(ods: Ods, body: Any) -> None:
    total = ods.total()
    assert_refused(ods.raw("POST", "/apikeys/", body), 400, "validation_error")
    assert ods.total() == total


@CREATE_REFUSED
def test_the_client_reads_the_refusal(ods: Ods) -> None:
    with refused(400, "validation_error", "label"):
        ods.keys.post_apikeys(APIKey(permissions=["edit_domain"]))


@PUT_REFUSED
@pytest.mark.parametrize("body", [*WRONG.values(), *NO_OBJECTS.values()], ids=[*WRONG, *NO_OBJECTS])
def test_a_change_that_is_wrong(ods: Ods, target: Target, body: Any) -> None:
    before = ods.keys.get_apikey(target.key)
    assert_refused(ods.raw("PUT", f"/apikeys/{target.key}/", body), 400, "validation_error")
    assert ods.keys.get_apikey(target.key) == before


@PUT
def test_what_is_given_replaces_and_what_is_not_stays(ods: Ods) -> None:
    made = create(ods, "edit_domain", "edit_page")
    changed = ods.keys.put_apikeys_apikey_uid(made.uid, APIKey(label="Renamed"))
    assert (changed.label, set(changed.permissions), changed.key) == ("Renamed", {"edit_domain", "edit_page"}, None)
    read_only = {"uid": "x", "key": "thr_x", "is_revoked": True, "user": {"username": "x"}, "created_at": "2001-01-01T00:00:00Z", "nothing": 1}
    assert ods.json("PUT", f"/apikeys/{made.uid}/", read_only) == ods.json("GET", f"/apikeys/{made.uid}/")
    assert ods.keys.put_apikeys_apikey_uid(made.uid, changed) == changed
    assert ods.with_key(made.key).users.get_users(limit=0).total_count > 0


@PUT
@cells(403, "get_users")
def test_a_key_loses_what_it_may(ods: Ods) -> None:
    made = create(ods, "edit_domain")
    theirs = ods.with_key(made.key)
    assert theirs.raw("GET", "/users/").status == 200
    assert ods.keys.put_apikeys_apikey_uid(made.uid, APIKey(label=made.label, permissions=["edit_page"])).permissions == ["edit_page"]
    wait_until(lambda: theirs.raw("GET", "/users/").status == 403, scene.REVOKED_SECONDS, "the key may no longer")
    ods.keys.put_apikeys_apikey_uid(made.uid, APIKey(label=made.label, permissions=["edit_domain"]))
    wait_until(lambda: theirs.raw("GET", "/users/").status == 200, scene.REVOKED_SECONDS, "the key may again")


@cells(403, "post_apikeys", "put_apikeys_apikey_uid")
def test_a_key_gives_no_more_than_it_has(ods: Ods) -> None:
    """Else a key that was limited would make itself, or another of its owner, one that is not."""
    owner = scene.account_create(ods.server, permissions=["edit_domain", "manage_subdomains"])
    secret = scene.key_create(ods.server, owner, "edit_domain")
    limited = ods.with_key(secret)
    with refused(403, "forbidden"):
        create(limited, "edit_domain", "manage_subdomains")
    with refused(403, "forbidden"):
        limited.keys.put_apikeys_apikey_uid(scene.key_uid(ods, secret), APIKey(label="x", permissions=["edit_domain", "manage_subdomains"]))
    made = create(limited, "edit_domain")
    assert (made.user.username, made.permissions) == (owner.username, ["edit_domain"])


@REVOKE
@cells(401, "get_users")
def test_a_key_revoked(ods: Ods) -> None:
    made = create(ods)
    theirs = ods.with_key(made.key)
    assert theirs.raw("GET", "/users/").status == 200
    revoked = ods.keys.post_apikeys_apikey_uid_revoke(made.uid, PostApikeysApikeyUidRevokeRequest(reason="found in a public repository"))
    assert (revoked.is_revoked, revoked.revocation_status.revocation_reason, revoked.key) == (True, "found in a public repository", None)
    assert revoked.revocation_status.revoked_at >= made.created_at
    wait_until(lambda: theirs.raw("GET", "/users/").status == 401, scene.REVOKED_SECONDS, "the key is refused")
    assert ods.keys.get_apikey(made.uid) == revoked
    # Nothing brings it back, and the first revocation stands.
    ods.json("PUT", f"/apikeys/{made.uid}/", {"label": "Again", "is_revoked": False})
    again = ods.keys.post_apikeys_apikey_uid_revoke(made.uid, PostApikeysApikeyUidRevokeRequest(reason="another"))
    assert again.revocation_status == revoked.revocation_status
    assert theirs.raw("GET", "/users/").status == 401


@REVOKE
@pytest.mark.parametrize("body", [None, {}, {"reason": ""}, {"reason": None}], ids=str)
def test_a_reason_need_not_be_given(ods: Ods, body: Any) -> None:
    made = create(ods)
    assert ods.json("POST", f"/apikeys/{made.uid}/revoke/", body)["is_revoked"] is True
    assert ods.keys.get_apikey(made.uid).revocation_status.revoked_at is not None


@REVOKE
def test_somebody_elses_key_revoked(ods: Ods) -> None:
    account, theirs = scene.administrator(ods.server)
    revoked = ods.keys.post_apikeys_apikey_uid_revoke(scene.key_uid(ods, theirs.key))
    assert revoked.user.username == account.username
    wait_until(lambda: theirs.raw("GET", "/users/").status == 401, scene.REVOKED_SECONDS, "the key is refused")


@pytest.mark.conformance(operation="post_apikeys_apikey_uid_revoke", status=400)
@pytest.mark.parametrize("body", [{"reason": 1}, {"reason": ["x"]}, {"reason": "x" * 100_000}, [], "x", b"{"], ids=lambda body: str(body)[:20])
def test_a_reason_that_is_wrong(ods: Ods, target: Target, body: Any) -> None:
    assert_refused(ods.raw("POST", f"/apikeys/{target.key}/revoke/", body))
    assert ods.keys.get_apikey(target.key).is_revoked is False


@SEARCH
def test_a_key_found_by_its_secret(ods: Ods) -> None:
    """A key that turned up somewhere: whose it is, and whether it still works."""
    made = create(ods)
    answer = ods.keys.search_apikey(SearchApikeyRequest(key=made.key))
    assert (answer.found, answer.result) == (True, ods.keys.get_apikey(made.uid))
    ods.keys.post_apikeys_apikey_uid_revoke(made.uid)
    answer = ods.keys.search_apikey(SearchApikeyRequest(key=made.key))
    assert (answer.found, answer.result.is_revoked) == (True, True)


@SEARCH
def test_a_key_not_found(ods: Ods) -> None:
    made = create(ods)
    for secret in ("nothing", made.uid, made.key[:-1], made.key + "x", made.key.swapcase(), made.key[:12], "%", ods.server.ready["native"]["token"], "x" * 10_000):
        assert ods.json("POST", "/apikeys/search_key/", {"key": secret}) == {"found": False, "result": None}, secret
    answer = ods.keys.search_apikey(SearchApikeyRequest(key="nothing"))
    assert (answer.found, answer.result) == (False, None)


@pytest.mark.conformance(operation="search_apikey", status=400)
@pytest.mark.parametrize("body", [{}, {"key": None}, {"key": ""}, {"key": 1}, {"key": ["x"]}, [], "x", None, b"{"], ids=str)
def test_nothing_to_search_for(ods: Ods, body: Any) -> None:
    assert_refused(ods.raw("POST", "/apikeys/search_key/", body), 400, "validation_error")


@pytest.mark.parametrize("operation", each(404, *KEY_OPERATIONS))
def test_no_such_key(ods: Ods, operation: str) -> None:
    with refused(404, "not_found"):
        OPERATIONS[operation](ods, NOWHERE)


@pytest.mark.conformance(operation="get_apikey", status=404)
@pytest.mark.parametrize("uid", ["search_key", "0", "-1", "9" * 400, "a%2Fb", "x%00"], ids=lambda uid: uid[:20])
def test_a_uid_that_no_key_has(ods: Ods, uid: str) -> None:
    answer = ods.raw("GET", f"/apikeys/{uid}/")
    # The path of the search has one method, and it is not this one.
    assert_refused(answer, 405 if uid == "search_key" and answer.status == 405 else 404)


@pytest.mark.conformance(operation="get_apikey", status=400)
def test_a_path_that_is_not_utf_8(ods: Ods) -> None:
    assert_refused(ods.raw("GET", "/apikeys/%ff%fe/"), 400, "bad_request")
