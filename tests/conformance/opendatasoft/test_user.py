"""get_user, update_user, delete_user: one person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from opendatasoft_automation import ExploreLimits, ExploreLimitsApiCalls, User, UserGroup, UserGroups

from opendatasoft import scene
from opendatasoft.client import NOWHERE, OPERATIONS, PERMISSIONS, USER_OPERATIONS, Ods, assert_refused, each, email, in_groups, refused, uids, unique, user_path
from support.waiting import wait_until

GET = pytest.mark.conformance(operation="get_user", status=200)
PUT = pytest.mark.conformance(operation="update_user", status=200)
PUT_REFUSED = pytest.mark.conformance(operation="update_user", status=400)
DELETE = pytest.mark.conformance(operation="delete_user", status=204)
READ_ONLY = {
    "display_name": "Somebody Else", "is_active": False, "is_ods": True, "account_type": "global", "joined_at": "2001-01-01T00:00:00Z",
    "last_seen_at": "2001-01-01T00:00:00Z", "last_login_at": "2001-01-01T00:00:00Z", "expires_at": None, "gravatar_url": "//example.com/x",
    "identity_providers": [{"uid": "google"}],
}  # fmt: skip


def raw_user(ods: Ods, username: str) -> dict[str, Any]:
    return ods.json("GET", user_path(username))


@GET
def test_the_fields_of_a_user(ods: Ods) -> None:
    word = unique()
    ods.person(word, first_name="Louise", last_name="Data", permissions=["edit_dataset", "create_dataset"])
    user = ods.users.get_user(word)
    assert (user.username, user.email, user.first_name, user.last_name) == (word, email(word), "Louise", "Data")
    assert set(user.permissions) == {"edit_dataset", "create_dataset"}
    assert (user.is_active, user.is_ods) == (True, False)
    assert "Louise" in user.display_name and "Data" in user.display_name
    assert user.account_type in ("global", "linked", "local")
    assert user.joined_at is not None and user.joined_at.tzinfo is not None
    assert (user.last_seen_at, user.last_login_at, user.expires_at, user.groups) == (None, None, None, None)
    assert user.gravatar_url.startswith("//") and user.email not in user.gravatar_url
    assert user.explore_limits.api_calls is None
    assert (user.identity_providers, user.management_limits) == ([], {})


@GET
def test_nothing_but_the_vendors_fields(ods: Ods) -> None:
    """No password's hash, no role, no id that means nothing to the vendor's callers."""
    assert set(raw_user(ods, ods.person().username)) <= set(User.model_fields)


@GET
def test_every_permission_there_is(ods: Ods) -> None:
    user = ods.person(permissions=[permission for permission in PERMISSIONS if permission != "edit_domain"])
    assert set(ods.users.get_user(user.username).permissions) == set(PERMISSIONS) - {"edit_domain"}


@GET
def test_groups_are_absent_where_there_are_none(ods: Ods) -> None:
    assert raw_user(ods, ods.person().username).get("groups") is None


@GET
def test_groups_are_uids_unless_expanded(ods: Ods) -> None:
    one, two = ods.group(), ods.group()
    user = ods.person(groups=in_groups(one.uid, two.uid))
    assert uids(ods.users.get_user(user.username)) == {one.uid, two.uid}
    for query in ("", "?expand=nothing", "?expand="):
        groups = ods.json("GET", f"{user_path(user.username)}{query}")["groups"]
        assert sorted(groups, key=lambda group: group["uid"]) == sorted([{"uid": one.uid}, {"uid": two.uid}], key=lambda group: group["uid"])


@GET
def test_expanded_groups_as_the_vendor_documents_them(ods: Ods) -> None:
    group = ods.group(description="for designers", permissions=["edit_theme"])
    user = ods.person(groups=in_groups(group.uid))
    for agent in ("curl/8.5.0", None, "python-requests/2.32"):
        answer = ods.raw("GET", f"{user_path(user.username)}?expand=groups", User_Agent=agent)
        (expanded,) = answer.json["groups"]
        assert {name: expanded[name] for name in ("uid", "title", "description", "permissions", "user_count")} == {
            "uid": group.uid, "title": group.title, "description": "for designers", "permissions": ["edit_theme"], "user_count": 1,
        }  # fmt: skip


@GET
def test_expanded_groups_as_the_generated_client_can_read_them(ods: Ods) -> None:
    """The seed's own example; with the groups in full this client fails, since an expanded group fits both alternatives."""
    group = ods.group()
    user = ods.person(groups=in_groups(group.uid))
    assert uids(ods.users.get_user(user.username, expand="groups")) == {group.uid}
    assert ods.users.get_user(ods.person().username, expand="groups").groups is None


@GET
@pytest.mark.parametrize("mode", ["full", "uid"])
def test_the_switch_for_expanded_groups(serve: Callable[..., Ods], mode: str) -> None:
    ods = serve("--set", f"opendatasoft.expanded_groups={mode}")
    group = ods.group()
    user = ods.person(groups=in_groups(group.uid))
    (expanded,) = ods.json("GET", f"{user_path(user.username)}?expand=groups")["groups"]
    if mode == "uid":
        assert expanded == {"uid": group.uid}
        assert uids(ods.users.get_user(user.username, expand="groups")) == {group.uid}
    else:
        assert (expanded["uid"], expanded["title"]) == (group.uid, group.title)
        with pytest.raises(ValueError, match="Multiple matches"):
            ods.users.get_user(user.username, expand="groups")


@GET
@PUT
@DELETE
@pytest.mark.parametrize("form", ["{}+x", "{}@y.example", "{}.von-data_2"])
def test_names_that_must_be_encoded_in_a_path(ods: Ods, form: str) -> None:
    user = ods.person(username=form.format(unique()))
    assert user.username.endswith(form.removeprefix("{}"))
    assert ods.users.get_user(user.username).email == user.email
    assert ods.users.update_user(user.username, User(email=user.email, first_name="Found")).first_name == "Found"
    ods.users.delete_user(user.username)
    assert not ods.exists(user.username)


@pytest.mark.parametrize("operation", each(404, *USER_OPERATIONS))
def test_nobody_of_this_name(ods: Ods, operation: str) -> None:
    with refused(404, "not_found"):
        OPERATIONS[operation](ods, NOWHERE)


@pytest.mark.conformance(operation="get_user", status=404)
@pytest.mark.parametrize("name", ["a%2Fb", "..%2F..", "%2e%2e", "x%00", "'%20OR%201=1", "x" * 2000, "%F0%9F%90%9D", "null"])
def test_a_name_that_nobody_can_have(ods: Ods, name: str) -> None:
    assert_refused(ods.raw("GET", f"/users/{name}/"), 404, "not_found")


@pytest.mark.conformance(operation="get_user", status=404)
def test_an_unknown_path_is_answered_in_the_vendors_shape(ods: Ods) -> None:
    for path in ("/", "/nothing/", "/users/a/b/c/"):
        assert_refused(ods.raw("GET", path), 404, "not_found")


@pytest.mark.conformance(operation="get_user", status=400)
def test_a_path_that_is_not_utf_8(ods: Ods) -> None:
    assert_refused(ods.raw("GET", "/users/%ff%fe/"), 400, "bad_request")


@PUT
def test_what_is_given_replaces_and_what_is_not_stays(ods: Ods) -> None:
    one, two = ods.group(), ods.group()
    user = ods.person(first_name="Louise", last_name="Data", permissions=["edit_page", "edit_form"], groups=in_groups(one.uid))
    changed = ods.users.update_user(user.username, User(email=user.email, permissions=["edit_theme"]))
    assert (changed.permissions, changed.first_name, changed.last_name, uids(changed)) == (["edit_theme"], "Louise", "Data", {one.uid})
    changed = ods.users.update_user(user.username, User(email=user.email, first_name="Lou", groups=in_groups(two.uid)))
    assert (changed.permissions, changed.first_name, changed.last_name, uids(changed)) == (["edit_theme"], "Lou", "Data", {two.uid})
    changed = ods.users.update_user(user.username, User(email=user.email, permissions=[], last_name=""))
    assert (changed.permissions, changed.first_name, changed.last_name or "", uids(changed)) == ([], "Lou", "", {two.uid})
    assert ods.users.get_user(user.username) == changed


@PUT
def test_an_empty_list_of_groups_leaves_them_all(ods: Ods) -> None:
    """The client cannot send it, others can."""
    group = ods.group()
    user = ods.person(groups=in_groups(group.uid))
    assert ods.json("PUT", user_path(user.username), {"email": user.email, "groups": []}).get("groups") is None
    assert ods.groups.retrieve_user_group(group.uid).user_count == 0


@PUT
def test_groups_as_the_client_sends_them_when_made_of_whole_groups(ods: Ods) -> None:
    """With the uid and a null for everything else, or (older generators) with the title alone."""
    group = ods.group()
    user = ods.person()
    changed = ods.users.update_user(user.username, User(email=user.email, groups=UserGroups([UserGroup(uid=group.uid, title=group.title)])))
    assert uids(changed) == {group.uid}
    ods.json("PUT", user_path(user.username), {"groups": []})
    assert ods.json("PUT", user_path(user.username), {"groups": [{"title": group.title}]})["groups"] == [{"uid": group.uid}]


@PUT
@GET
def test_get_and_put_round_trip(ods: Ods) -> None:
    """The client sends back what it got, less most of what is read-only; nothing changes by it."""
    group = ods.group()
    limits = ExploreLimits(api_calls=ExploreLimitsApiCalls(limit=1000, unit="day"))
    user = ods.person(first_name="Louise", last_name="Data", permissions=["edit_page"], groups=in_groups(group.uid), explore_limits=limits)
    before = ods.users.get_user(user.username)
    assert before.explore_limits == limits
    assert ods.users.update_user(user.username, before) == before
    assert ods.users.get_user(user.username) == before
    lonely = ods.users.get_user(ods.person().username)
    assert ods.users.update_user(lonely.username, lonely) == lonely
    # As somebody does who reads and writes JSON by hand: with every field that there is.
    by_hand = raw_user(ods, user.username)
    assert ods.json("PUT", user_path(user.username), by_hand) == by_hand


@PUT
def test_read_only_and_unknown_fields_are_ignored(ods: Ods) -> None:
    """Mass assignment: neither the vendor's own fields nor those of other dialects or of the native API can be set."""
    user = ods.person(first_name="Louise")
    before = raw_user(ods, user.username)
    foreign = {"role": "admin", "is_superuser": True, "is_verified": True, "budget": 1e6, "credit": 5, "password": "x" * 20, "id": 1, "workspace": 2, "nothing": [{}]}
    for name, value in {**READ_ONLY, **foreign}.items():
        assert ods.json("PUT", user_path(user.username), {"email": user.email, name: value}) == before, name
    account = scene.call(ods.server, "GET", f"/accounts?search={user.username}")["items"][0]
    assert account.get("role") != "admin"


@PUT
@pytest.mark.parametrize("body", [None, {}], ids=["no body", "an empty object"])
def test_nothing_to_change(ods: Ods, body: dict[str, Any] | None) -> None:
    user = ods.person(first_name="Louise", permissions=["edit_page"])
    before = raw_user(ods, user.username)
    assert ods.json("PUT", user_path(user.username), body) == before
    assert ods.users.update_user(user.username).first_name == "Louise"


@PUT
def test_an_address_changes_or_stays_in_any_case(ods: Ods) -> None:
    user = ods.person()
    assert ods.users.update_user(user.username, User(email=user.email.upper())).email == user.email
    changed = email()
    assert ods.users.update_user(user.username, User(email=changed)).email == changed
    assert ods.users.get_user(user.username).email == changed


@PUT_REFUSED
def test_names_and_addresses_of_others(ods: Ods) -> None:
    user, other = ods.person(), ods.person()
    for taken in (other.email, other.email.upper()):
        with refused(400, "validation_error", "email"):
            ods.users.update_user(user.username, User(email=taken))
    for name in (other.username, unique()):
        with refused(400, "validation_error", "username"):
            ods.users.update_user(user.username, User(email=user.email, username=name))
    assert ods.users.update_user(user.username, User(email=user.email, username=user.username)).email == user.email


@PUT
@pytest.mark.parametrize("limits", [{}, {"api_calls": {"limit": 0, "unit": "year"}}, {"api_calls": {"limit": 1000, "unit": "second"}}], ids=str)
def test_limits_of_exploring(ods: Ods, limits: dict[str, Any]) -> None:
    user = ods.person()
    assert ods.json("PUT", user_path(user.username), {"explore_limits": limits})["explore_limits"] == limits
    assert ods.users.get_user(user.username).explore_limits.to_dict() == limits


@DELETE
def test_a_person_removed_is_gone(ods: Ods) -> None:
    group = ods.group()
    user = ods.person(groups=in_groups(group.uid))
    answer = ods.raw("DELETE", user_path(user.username))
    assert (answer.status, answer.body) == (204, b"")
    with refused(404, "not_found"):
        ods.users.get_user(user.username)
    with refused(404, "not_found"):
        ods.users.delete_user(user.username)
    assert ods.users.get_users(search=user.username).total_count == 0
    assert ods.groups.retrieve_user_group(group.uid).user_count == 0


@DELETE
@pytest.mark.conformance(operation="invite_users", status=200)
def test_a_person_removed_can_be_invited_again(ods: Ods) -> None:
    user = ods.person(permissions=["edit_page"])
    ods.users.delete_user(user.username)
    (back,) = ods.invite(User(email=user.email))
    assert (back.email, back.permissions) == (user.email, [])


@DELETE
def test_a_person_removed_can_do_nothing_more(ods: Ods) -> None:
    account, theirs = scene.administrator(ods.server)
    assert theirs.users.get_users(limit=0).total_count > 0
    ods.users.delete_user(account.username)
    wait_until(lambda: theirs.raw("GET", "/users/").status == 401, scene.REVOKED_SECONDS, "the key of a person removed is refused")
    assert scene.sign_in(ods.server, account.email, scene.PASSWORD) == 400
