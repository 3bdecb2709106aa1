"""User groups: what they are called and allow, who is in them, and what members inherit."""

from __future__ import annotations

from typing import Any

import pytest
from opendatasoft_automation import RelatedUser, User, UserGroup

from opendatasoft import scene
from opendatasoft.client import (
    GROUP_OPERATIONS,
    NOWHERE,
    OPERATIONS,
    Ods,
    Target,
    assert_refused,
    cells,
    each,
    email,
    in_groups,
    names,
    outcomes,
    page_after,
    path_of,
    refused,
    slug_like,
    uids,
    unique,
)
from support.waiting import wait_until

LIST = pytest.mark.conformance(operation="list_user_groups", status=200)
LIST_REFUSED = pytest.mark.conformance(operation="list_user_groups", status=400)
CREATE = pytest.mark.conformance(operation="create_user_group", status=201)
CREATE_REFUSED = pytest.mark.conformance(operation="create_user_group", status=400)
GET = pytest.mark.conformance(operation="retrieve_user_group", status=200)
PUT = pytest.mark.conformance(operation="update_user_group", status=200)
PUT_REFUSED = pytest.mark.conformance(operation="update_user_group", status=400)
DELETE = pytest.mark.conformance(operation="delete_user_group", status=204)
MEMBERS = pytest.mark.conformance(operation="list_users_of_a_user_group", status=200)
ADD = pytest.mark.conformance(operation="add_user_to_user_group", status=201)
ADD_REFUSED = pytest.mark.conformance(operation="add_user_to_user_group", status=400)
BATCH = pytest.mark.conformance(operation="batch_add_users_to_user_group", status=200)
REMOVE = pytest.mark.conformance(operation="delete_user_of_a_user_group", status=204)


@CREATE
@GET
def test_a_new_group(ods: Ods) -> None:
    title = f"Content Designers {unique()}"
    made = ods.groups.create_user_group(UserGroup(uid="chosen_by_the_client", title=title, description="for designers only", permissions=["edit_theme", "edit_page"]))
    assert slug_like(made.uid) and made.uid != "chosen_by_the_client"
    assert made.uid.startswith("content_designers")
    assert (made.title, made.description, set(made.permissions), made.user_count) == (title, "for designers only", {"edit_theme", "edit_page"}, 0)
    assert made.created_at is not None and made.created_at.tzinfo is not None and made.updated_at >= made.created_at
    owner = scene.call(ods.server, "GET", f"/accounts?search={ods.server.ready['a2']['admin']['email']}")["items"][0]["username"]
    assert (made.created_by.username, made.updated_by.username) == (owner, owner)
    assert ods.groups.retrieve_user_group(made.uid) == made


@CREATE
@pytest.mark.parametrize("title", ["디자이너", "Éditeurs", "  trimmed  ", "a/b?c#d", "../..", "batch", "users", "'\"<script>", "1"])
def test_a_uid_is_made_of_any_title(ods: Ods, title: str) -> None:
    made = ods.group(title)
    assert slug_like(made.uid), made.uid
    assert ods.groups.retrieve_user_group(made.uid).title == title.strip()
    assert ods.groups.list_users_of_a_user_group(made.uid).total_count == 0
    ods.groups.delete_user_group(made.uid)


@CREATE
def test_a_group_of_a_title_alone(ods: Ods) -> None:
    made = ods.json("POST", "/groups/", {"title": unique("group")})
    assert (made["permissions"], made["user_count"], made["explore_limits"], made["management_limits"]) == ([], 0, {}, {})
    assert set(made) <= set(UserGroup.model_fields)


WRONG = {
    "no title": {},
    "null": {"title": None},
    "a number": {"title": 1},
    "nothing in it": {"title": ""},
    "blanks": {"title": "   "},
    "a line's end": {"title": "a\r\nb"},
    "a NUL": {"title": "a\0"},
    "100,000 letters": {"title": "x" * 100_000},
    "a description of a wrong type": {"title": "x", "description": 1},
    "a description of 900,000 letters": {"title": "x", "description": "x" * 900_000},
    "an unknown permission": {"title": "x", "permissions": ["edit_page", "no_such_permission"]},
    "permissions of a wrong type": {"title": "x", "permissions": "edit_page"},
    "a limit without a unit": {"title": "x", "explore_limits": {"api_calls": {"limit": 1}}},
}
# The client reads a 400 of these as a validation error and nothing else, even where the body is no JSON.
NO_OBJECTS = {"an array": b"[]", "a string": b'"x"', "null": b"null", "nothing": b"", "cut off": b'{"title": "x', "not UTF-8": b'{"title": "\xff"}'}


@CREATE_REFUSED
@pytest.mark.parametrize("body", [*WRONG.values(), *NO_OBJECTS.values()], ids=[*WRONG, *NO_OBJECTS])
def test_a_new_group_that_is_wrong(ods: Ods, body: Any) -> None:
    total = ods.total()
    assert_refused(ods.raw("POST", "/groups/", body), 400, "validation_error")
    assert ods.total() == total


@CREATE_REFUSED
def test_the_client_reads_the_refusal(ods: Ods) -> None:
    with refused(400, "validation_error", "title"):
        ods.group(" ")
    with refused(400, "validation_error"):
        ods.groups.create_user_group()


@PUT_REFUSED
@pytest.mark.parametrize("name", [name for name in WRONG if name != "no title"])
def test_a_change_that_is_wrong(ods: Ods, target: Target, name: str) -> None:
    before = ods.groups.retrieve_user_group(target.group)
    assert_refused(ods.raw("PUT", f"/groups/{target.group}/", WRONG[name]), 400, "validation_error")
    assert ods.groups.retrieve_user_group(target.group) == before


@PUT
def test_what_is_given_replaces_and_what_is_not_stays(ods: Ods) -> None:
    made = ods.group(description="first", permissions=["edit_page", "edit_form"])
    title = unique("renamed")
    changed = ods.groups.update_user_group(made.uid, UserGroup(uid="another", title=title))
    assert (changed.uid, changed.title, changed.description, set(changed.permissions)) == (made.uid, title, "first", {"edit_page", "edit_form"})
    changed = ods.groups.update_user_group(made.uid, UserGroup(uid=made.uid, title=title, description="second", permissions=["edit_theme"]))
    assert (changed.description, changed.permissions) == ("second", ["edit_theme"])
    assert changed.updated_at > made.updated_at and changed.created_at == made.created_at
    assert ods.json("PUT", f"/groups/{made.uid}/", {"permissions": []})["permissions"] == []
    assert ods.json("PUT", f"/groups/{made.uid}/", {"uid": "another", "user_count": 9, "created_by": {"username": "x"}, "nothing": 1})["user_count"] == 0
    assert ods.groups.retrieve_user_group(made.uid).title == title


@PUT
@GET
def test_get_and_put_round_trip(ods: Ods, target: Target) -> None:
    before = ods.groups.retrieve_user_group(target.group)
    after = ods.groups.update_user_group(target.group, before)
    assert after.model_dump(exclude={"updated_at", "updated_by"}) == before.model_dump(exclude={"updated_at", "updated_by"})


@PUT
def test_who_changed_a_group_is_named(ods: Ods) -> None:
    group = ods.group()
    account, theirs = scene.administrator(ods.server)
    changed = theirs.groups.update_user_group(group.uid, UserGroup(uid="", title=unique("renamed")))
    assert (changed.created_by.username, changed.updated_by.username) == (group.created_by.username, account.username)


@pytest.fixture(scope="module")
def shelf(ods: Ods) -> str:
    """Six groups that share one word: in the title, in the description, with none to five members."""
    word = unique("shelf")
    people = ods.invite(*(User(email=email()) for _ in range(5)))
    for number, letter in enumerate("dbface"):
        fields = {"title": f"{letter}{word}"} if number % 2 else {"title": f"{letter}{unique()}", "description": f"Has the {word.upper()} in it"}
        group = ods.group(**fields, permissions=["edit_theme", "edit_form"] if number > 2 else ["edit_theme"])
        if number:
            ods.groups.batch_add_users_to_user_group(group.uid, [RelatedUser(username=person.username) for person in people[:number]])
    return word


def letters(groups: list[UserGroup]) -> str:
    return "".join(group.title[0] for group in groups)


@LIST
def test_search_over_uid_title_and_description(ods: Ods, shelf: str) -> None:
    assert sorted(letters(ods.groups.list_user_groups(search=shelf).results)) == list("abcdef")
    assert sorted(letters(ods.groups.list_user_groups(search=f"the {shelf.upper()}").results)) == list("cdf")
    one = ods.groups.list_user_groups(search=f"a{shelf}").results[0]
    assert [group.uid for group in ods.groups.list_user_groups(search=one.uid).results] == [one.uid]
    assert ods.groups.list_user_groups(search=f"{shelf} %").total_count == 0


@LIST
def test_filter_by_permissions(ods: Ods, shelf: str) -> None:
    assert ods.groups.list_user_groups(search=shelf, permissions=["edit_theme"]).total_count == 6
    assert sorted(letters(ods.groups.list_user_groups(search=shelf, permissions=["edit_form", "edit_theme"]).results)) == list("ace")
    assert ods.groups.list_user_groups(search=shelf, permissions=["edit_domain"]).total_count == 0


@LIST
@pytest.mark.parametrize(("sort", "order"), [("group__title", "abcdef"), ("user_count", "dbface"), ("created_at", "dbface")])
def test_sorted(ods: Ods, shelf: str, sort: str, order: str) -> None:
    assert letters(ods.groups.list_user_groups(search=shelf, sort=sort).results) == order
    assert letters(ods.groups.list_user_groups(search=shelf, sort=f"-{sort}").results) == order[::-1]


@LIST
def test_sorted_by_who_and_when(ods: Ods) -> None:
    """By the last change where nothing is said; ties are broken the same way on every page."""
    word = unique("order")
    made = [ods.group(f"{letter}{word}") for letter in "cab"]
    account, theirs = scene.administrator(ods.server)
    theirs.groups.update_user_group(made[0].uid, UserGroup(uid="", title=made[0].title, description="changed last"))
    assert letters(ods.groups.list_user_groups(search=word, sort="updated_at").results) == "abc"
    assert letters(ods.groups.list_user_groups(search=word).results) == "abc"
    by_name = ods.groups.list_user_groups(search=word, sort="updated_by__username").results
    assert [group.updated_by.username for group in by_name] == sorted([account.username] + [made[1].created_by.username] * 2)
    assert ods.groups.list_user_groups(search=word, sort="created_by__username").total_count == 3


@LIST
def test_pages(ods: Ods, shelf: str) -> None:
    page = ods.groups.list_user_groups(search=shelf, sort="group__title", limit=4)
    assert (page.total_count, letters(page.results), page.previous) == (6, "abcd", None)
    rest = ods.groups.list_user_groups(search=shelf, sort="group__title", **page_after(page.next))
    assert (letters(rest.results), rest.next) == ("ef", None)
    followed = ods.json("GET", path_of(page.next, ods.base))
    assert [group["uid"] for group in followed["results"]] == [group.uid for group in rest.results]
    assert ods.groups.list_user_groups(search=shelf, limit=0).results == []


@LIST_REFUSED
@pytest.mark.parametrize("query", ["limit=1001", "limit=-1", "offset=-1", "limit=x", "sort=nothing", "sort=uid%3B", "permissions=nothing"])
def test_a_list_that_cannot_be_asked_for(ods: Ods, query: str) -> None:
    name = query.partition("=")[0]
    assert_refused(ods.raw("GET", f"/groups/?{query}"), 400, "validation_error", name)


@pytest.mark.conformance(operation="list_users_of_a_user_group", status=400)
@pytest.mark.parametrize("query", ["limit=1001", "limit=-1", "offset=-1"])
def test_members_that_cannot_be_asked_for(ods: Ods, target: Target, query: str) -> None:
    assert_refused(ods.raw("GET", f"/groups/{target.group}/users/?{query}"), 400, "validation_error", query.partition("=")[0])


@pytest.mark.conformance(operation="retrieve_user_group", status=400)
def test_a_path_that_is_not_utf_8(ods: Ods) -> None:
    assert_refused(ods.raw("GET", "/groups/%ff%fe/"), 400, "bad_request")


@pytest.mark.parametrize("operation", each(404, *GROUP_OPERATIONS))
def test_no_such_group(ods: Ods, target: Target, operation: str) -> None:
    with refused(404, "not_found"):
        OPERATIONS[operation](ods, Target(target.username, target.email, NOWHERE.group, target.key))


@DELETE
@pytest.mark.parametrize("operation", each(404, *GROUP_OPERATIONS))
def test_a_group_deleted_is_gone(ods: Ods, target: Target, operation: str) -> None:
    """Its members are not."""
    answer = ods.raw("DELETE", f"/groups/{target.group}/")
    assert (answer.status, answer.body) == (204, b"")
    with refused(404, "not_found"):
        OPERATIONS[operation](ods, target)
    assert ods.users.get_user(target.username).groups is None


@ADD
@REMOVE
@MEMBERS
def test_coming_and_going(ods: Ods) -> None:
    group, user = ods.group(permissions=["edit_theme"]), ods.person(permissions=["edit_page"])
    added = ods.groups.add_user_to_user_group(group.uid, RelatedUser(username=user.username))
    assert (added.username, uids(added), added.permissions) == (user.username, {group.uid}, ["edit_page"])
    assert ods.groups.retrieve_user_group(group.uid).user_count == 1
    assert ods.groups.list_users_of_a_user_group(group.uid).results == [ods.users.get_user(user.username)]
    answer = ods.raw("DELETE", f"/groups/{group.uid}/users/{user.username}/")
    assert (answer.status, answer.body) == (204, b"")
    assert ods.groups.list_users_of_a_user_group(group.uid).results == []
    assert ods.users.get_user(user.username).groups is None
    with refused(404, "not_found"):
        ods.groups.delete_user_of_a_user_group(group.uid, user.username)


@ADD
def test_who_is_in_it_already_stays_once(ods: Ods, target: Target) -> None:
    assert ods.groups.add_user_to_user_group(target.group, RelatedUser(username=target.username)).username == target.username
    assert ods.groups.retrieve_user_group(target.group).user_count == 1


@ADD_REFUSED
@pytest.mark.parametrize("body", [{"username": "nobody-of-this-name"}, {}, {"username": None}, {"username": 1}, {"username": ""}, [], "x", None, b"{"], ids=str)
def test_somebody_who_cannot_be_added(ods: Ods, target: Target, body: Any) -> None:
    """404 is for the group; 400 is all that the client can read besides."""
    assert_refused(ods.raw("POST", f"/groups/{target.group}/users/", body), 400, "validation_error")
    assert ods.groups.retrieve_user_group(target.group).user_count == 1


@ADD_REFUSED
def test_the_client_reads_that_nobody_was_added(ods: Ods, target: Target) -> None:
    with refused(400, "validation_error", "username"):
        ods.groups.add_user_to_user_group(target.group, RelatedUser(username=NOWHERE.username))


@pytest.mark.conformance(operation="delete_user_of_a_user_group", status=404)
def test_nobody_of_this_name_in_it(ods: Ods, target: Target) -> None:
    for name in (NOWHERE.username, ods.person().username):
        with refused(404, "not_found"):
            ods.groups.delete_user_of_a_user_group(target.group, name)


@BATCH
@MEMBERS
def test_many_at_once(ods: Ods) -> None:
    group, people = ods.group(), ods.invite(*(User(email=email()) for _ in range(25)))
    answer = ods.groups.batch_add_users_to_user_group(group.uid, [RelatedUser(username=person.username) for person in people])
    assert [answer[str(number)].data.username for number in range(25)] == names(people)
    assert ods.groups.retrieve_user_group(group.uid).user_count == 25
    page = ods.groups.list_users_of_a_user_group(group.uid)
    assert (page.total_count, len(page.results)) == (25, 20)
    rest = ods.json("GET", path_of(page.next, ods.base))
    assert {*names(page.results), *(user["username"] for user in rest["results"])} == set(names(people))
    assert rest["next"] is None


@BATCH
def test_one_who_fails_does_not_stop_the_others(ods: Ods, target: Target) -> None:
    one, two = ods.person(), ods.person()
    items = [{"username": one.username}, {"username": NOWHERE.username}, {}, {"username": None}, "x", {"username": two.username}]
    assert outcomes(ods.json("POST", f"/groups/{target.group}/users/batch/", items)) == ["success"] + ["validation_error"] * 4 + ["success"]
    assert set(names(ods.groups.list_users_of_a_user_group(target.group).results)) == {target.username, one.username, two.username}
    assert ods.groups.batch_add_users_to_user_group(target.group, []) == {}


@cells(200, "batch_add_users_to_user_group", "get_users")
def test_members_inherit(ods: Ods) -> None:
    """Somebody is an administrator for as long as a group makes them one; `permissions` shows what is their own."""
    group = ods.group(permissions=["edit_domain", "edit_theme"])
    account = scene.account_create(ods.server)
    theirs = ods.with_key(scene.key_create(ods.server, account, "edit_domain"))
    with refused(403, "forbidden"):
        theirs.users.get_users()
    ods.groups.batch_add_users_to_user_group(group.uid, [RelatedUser(username=account.username)])
    wait_until(lambda: theirs.raw("GET", "/users/").status == 200, scene.REVOKED_SECONDS, "a member inherits")
    assert ods.users.get_user(account.username).permissions == []
    ods.groups.update_user_group(group.uid, UserGroup(uid="", title=group.title, permissions=["edit_theme"]))
    wait_until(lambda: theirs.raw("GET", "/users/").status == 403, scene.REVOKED_SECONDS, "a member loses what the group lost")


@ADD
def test_a_group_called_batch_does_not_hide_the_route(ods: Ods) -> None:
    """Nor does a person of this name."""
    user = ods.person(username=unique("batch"))
    group = ods.group("batch")
    assert ods.groups.add_user_to_user_group(group.uid, RelatedUser(username=user.username)).username == user.username
    assert ods.groups.batch_add_users_to_user_group(group.uid, [RelatedUser(username=user.username)])["0"].data.username == user.username
    ods.groups.delete_user_group(group.uid)


@GET
def test_groups_in_a_user_are_in_a_group_too(ods: Ods) -> None:
    one, two = ods.group(), ods.group()
    user = ods.person(groups=in_groups(one.uid))
    ods.users.update_user(user.username, User(email=user.email, groups=in_groups(two.uid)))
    assert [ods.groups.retrieve_user_group(uid).user_count for uid in (one.uid, two.uid)] == [0, 1]
