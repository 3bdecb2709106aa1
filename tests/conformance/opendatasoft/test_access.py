"""Who may do what: the key by header or query, 401 without a good one, 403 without the right, 404 for another workspace's."""

from __future__ import annotations

from typing import Any

import pytest
from opendatasoft_automation import ApiException, User, UsersApi

from opendatasoft import scene
from opendatasoft.client import (
    GROUP_OPERATIONS,
    KEY_OPERATIONS,
    OPERATIONS,
    USER_OPERATIONS,
    WAYS,
    Ods,
    Target,
    assert_refused,
    cells,
    connect,
    each,
    names,
    refused,
    unique,
)
from support.waiting import wait_until

LIST = pytest.mark.conformance(operation="get_users", status=200)
UNAUTHORIZED = pytest.mark.conformance(operation="get_users", status=401)
FORBIDDEN = pytest.mark.conformance(operation="get_users", status=403)


def as_it_was(ods: Ods, target: Target) -> Any:
    """What an operation that was refused must not have changed."""
    group = ods.groups.retrieve_user_group(target.group)
    return ods.total(), ods.users.get_user(target.username), group, names(ods.groups.list_users_of_a_user_group(target.group).results), ods.keys.get_apikey(target.key)


@LIST
@pytest.mark.parametrize("way", WAYS)
def test_the_key_however_the_client_sends_it(ods: Ods, way: str) -> None:
    """"both, bare" is the vendor's sample program: the key twice, and in the header without the scheme's word."""
    assert Ods(ods.server, way=way).users.get_users(limit=1).total_count >= 1


@cells(200, "invite_users", "update_user", "users_export", "get_user")
@cells(204, "delete_user")
@pytest.mark.parametrize("way", ["query", "both, bare"])
def test_every_kind_of_call_with_the_key_in_the_query(ods: Ods, way: str) -> None:
    own = Ods(ods.server, way=way)
    user = own.person()
    assert own.users.update_user(user.username, User(email=user.email, first_name="Lou")).first_name == "Lou"
    assert own.users.get_user(user.username, expand="groups").first_name == "Lou"
    assert user.username in names(own.users.users_export())
    own.users.delete_user(user.username)


@LIST
@pytest.mark.parametrize("header", ["Basic dXNlcjpwYXNzd29yZA==", "Bearer of something else", "Apikey of_another_server", "Apikey", ""])
def test_a_good_key_in_the_query_is_enough(ods: Ods, header: str) -> None:
    """Either is; a proxy before the server may use the header for itself."""
    assert ods.raw("GET", f"/users/?limit=1&apikey={ods.key}", Authorization=header).status == 200


@LIST
def test_a_good_key_in_the_header_is_enough(ods: Ods) -> None:
    assert ods.raw("GET", "/users/?limit=1&apikey=", Authorization=f"Apikey {ods.key}").status == 200
    assert ods.raw("GET", "/users/?limit=1", Authorization=f"Apikey   {ods.key} ").status == 200


@pytest.mark.parametrize("operation", each(401, *OPERATIONS))
def test_no_key(ods: Ods, target: Target, operation: str) -> None:
    before = as_it_was(ods, target)
    with refused(401, "unauthorized"):
        OPERATIONS[operation](Ods(ods.server, ""), target)
    assert as_it_was(ods, target) == before


@pytest.mark.parametrize("operation", each(401, *OPERATIONS))
def test_a_key_that_nobody_has(ods: Ods, target: Target, operation: str) -> None:
    before = as_it_was(ods, target)
    for way in ("Apikey", "query", "both, bare"):
        with refused(401, "unauthorized"):
            OPERATIONS[operation](Ods(ods.server, "thr_VALID_LOOKING_KEY_000000000000000000", way=way), target)
    assert as_it_was(ods, target) == before


@UNAUTHORIZED
@pytest.mark.parametrize("header", [None, "", "Apikey", "Apikey ", "Apikey {key}x", "Apikey {short}", "Apikey {swapped}", "Apikey {key} {key}", "Apikey {key}, Apikey {key}", "Basic {key}", "Apikey thr_", "Apikey \xe9", "{key}\xa0"])
def test_a_header_of_another_form(ods: Ods, header: str | None) -> None:
    value = header and header.format(key=ods.key, short=ods.key[:-1], swapped=ods.key.swapcase())
    assert_refused(ods.raw("GET", "/users/", Authorization=value), 401, "unauthorized")


@UNAUTHORIZED
@pytest.mark.parametrize("query", ["apikey=", "apikey", "apikey=%ff", "apikey=x", "Apikey={key}", "key={key}", "apikey={key}x", "apikey={key}%00"])
def test_a_query_of_another_form(ods: Ods, query: str) -> None:
    assert_refused(ods.raw("GET", f"/users/?{query.format(key=ods.key)}", Authorization=None), 401, "unauthorized")


@UNAUTHORIZED
def test_every_wrong_character_is_noticed(ods: Ods) -> None:
    for position in range(len(ods.key)):
        wrong = ods.key[:position] + ("b" if ods.key[position] == "a" else "a") + ods.key[position + 1 :]
        assert ods.raw("GET", "/users/", Authorization=f"Apikey {wrong}").status == 401, position


@UNAUTHORIZED
def test_what_is_no_key_of_this_dialect(ods: Ods) -> None:
    """A native token, and an account's key that was made for the native API."""
    account = scene.account_create(ods.server, permissions=["edit_domain"])
    native = scene.call(ods.server, "POST", f"/accounts/{account.id}/keys", {"label": "native", "dialect": "native"})["secret"]
    for secret in (ods.server.ready["native"]["token"], native):
        with refused(401, "unauthorized"):
            ods.with_key(secret).users.get_users()
        assert_refused(ods.raw("GET", "/users/", Authorization=f"Bearer {secret}"), 401)


@UNAUTHORIZED
@LIST
def test_a_key_that_expires(ods: Ods) -> None:
    account = scene.account_create(ods.server, permissions=["edit_domain"])
    theirs = ods.with_key(scene.key_create(ods.server, account, "edit_domain", expires=scene.in_seconds(4)))
    assert theirs.raw("GET", "/users/").status == 200
    wait_until(lambda: theirs.raw("GET", "/users/").status == 401, 4 + scene.REVOKED_SECONDS, "a key of four seconds expires")


@UNAUTHORIZED
def test_a_key_revoked_natively(ods: Ods) -> None:
    account = scene.account_create(ods.server, permissions=["edit_domain"])
    made = scene.call(ods.server, "POST", f"/accounts/{account.id}/keys", {"label": "x", "dialect": "opendatasoft", "permissions": ["edit_domain"]})
    theirs = ods.with_key(made["secret"])
    assert theirs.raw("GET", "/users/").status == 200
    scene.call(ods.server, "DELETE", f"/keys/{made['id']}")
    wait_until(lambda: theirs.raw("GET", "/users/").status == 401, scene.REVOKED_SECONDS, "the key is refused")


@pytest.mark.parametrize("operation", each(403, *OPERATIONS))
def test_a_key_without_the_right(ods: Ods, target: Target, operation: str) -> None:
    """Its owner has it: the key's permissions are a limit."""
    owner = scene.account_create(ods.server, permissions=["edit_domain", "edit_page"])
    theirs = ods.with_key(scene.key_create(ods.server, owner, "edit_page", "manage_subdomains"))
    before = as_it_was(ods, target)
    with refused(403, "forbidden"):
        OPERATIONS[operation](theirs, target)
    assert as_it_was(ods, target) == before


@pytest.mark.parametrize("operation", each(403, *OPERATIONS))
def test_an_owner_without_the_right(ods: Ods, target: Target, operation: str) -> None:
    """The key has it: a key never makes more of its owner than they are, not even in what is their own."""
    owner = scene.account_create(ods.server, permissions=["edit_page"])
    secret = scene.key_create(ods.server, owner, "edit_domain", "edit_page")
    before = as_it_was(ods, target)
    with refused(403, "forbidden"):
        OPERATIONS[operation](ods.with_key(secret), target)
    with refused(403, "forbidden"):
        OPERATIONS[operation](ods.with_key(secret), Target(owner.username, owner.email, target.group, target.key))
    assert as_it_was(ods, target) == before


@FORBIDDEN
@LIST
def test_an_owner_who_loses_the_right(ods: Ods) -> None:
    account, theirs = scene.administrator(ods.server)
    assert theirs.raw("GET", "/users/").status == 200
    ods.users.update_user(account.username, User(email=account.email, permissions=["edit_page"]))
    wait_until(lambda: theirs.raw("GET", "/users/").status == 403, scene.REVOKED_SECONDS, "the owner's rights are the key's")


@FORBIDDEN
def test_403_does_not_tell_who_exists(ods: Ods, target: Target) -> None:
    theirs = ods.with_key(scene.key_create(ods.server, scene.account_create(ods.server), "edit_page"))
    answers = [theirs.raw("GET", f"/users/{name}/") for name in (target.username, unique())]
    assert [answer.status for answer in answers] == [403, 403]
    assert answers[0].body == answers[1].body


@pytest.mark.parametrize("operation", each(404, *USER_OPERATIONS, *GROUP_OPERATIONS, *KEY_OPERATIONS))
def test_what_is_another_workspaces(ods: Ods, other: scene.Workspace, target: Target, operation: str) -> None:
    """Its names and uids mean nothing here, and nothing of it changes."""
    before = as_it_was(ods, target)
    with refused(404, "not_found"):
        OPERATIONS[operation](other.ods, target)
    assert as_it_was(ods, target) == before


@LIST
@cells(200, "users_export", "list_user_groups", "get_apikeys", "search_apikey", "batch_add_users_to_user_group", "invite_users")
@cells(400, "add_user_to_user_group", "update_user")
def test_two_workspaces_see_nothing_of_each_other(ods: Ods, other: scene.Workspace, target: Target) -> None:
    theirs = other.ods
    assert target.username not in names(theirs.users.get_users(limit=1000).results)
    assert target.username not in names(theirs.users.users_export())
    assert target.username not in theirs.raw("GET", "/users/export/").text
    assert target.group not in [group.uid for group in theirs.groups.list_user_groups(limit=1000).results]
    assert target.key not in [key.uid for key in theirs.keys.get_apikeys(limit=1000).results]
    assert theirs.json("POST", "/apikeys/search_key/", {"key": ods.key}) == {"found": False, "result": None}
    assert other.owner.username not in names(ods.users.get_users(limit=1000).results)
    group, user = theirs.group(), theirs.person()
    assert_refused(theirs.raw("POST", f"/groups/{group.uid}/users/", {"username": target.username}), 400, "validation_error")
    assert theirs.json("POST", f"/groups/{group.uid}/users/batch/", [{"username": target.username}])["0"]["status_code"] == "error"
    assert_refused(theirs.raw("PUT", f"/users/{user.username}/", {"groups": [{"uid": target.group}]}), 400, "validation_error", "groups")
    # The same person may be in both.
    assert theirs.users.invite_users([User(email=target.email)])["0"].status_code == "success"
    assert ods.users.get_user(target.username).email == target.email


@UNAUTHORIZED
@LIST
def test_a_workspaces_mount_takes_its_own_keys(ods: Ods, other: scene.Workspace) -> None:
    for base, key in ((other.ods.base, ods.key), (f"{ods.server.url}/w/default/opendatasoft/api/automation/v1.0", other.ods.key), (f"{ods.server.url}/w/no-such-workspace/opendatasoft/api/automation/v1.0", ods.key)):
        with pytest.raises(ApiException) as caught:
            UsersApi(connect(base, key)).get_users()
        assert caught.value.status == 401
    own = UsersApi(connect(f"{ods.server.url}/w/default/opendatasoft/api/automation/v1.0", ods.key))
    assert own.get_users(limit=0).total_count == ods.users.get_users(limit=0).total_count


@UNAUTHORIZED
def test_a_cookie_is_no_key(ods: Ods) -> None:
    assert_refused(ods.raw("GET", "/users/", Authorization=None, Cookie=f"apikey={ods.key}; Authorization=Apikey {ods.key}"), 401)
