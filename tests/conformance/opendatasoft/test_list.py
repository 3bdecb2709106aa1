"""get_users: pages, order, search, filters."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from opendatasoft_automation import User

from opendatasoft import scene
from opendatasoft.client import Ods, assert_refused, email, in_groups, names, page_after, path_of, refused, unique
from support.waiting import wait_until

LIST = pytest.mark.conformance(operation="get_users", status=200)
REFUSED = pytest.mark.conformance(operation="get_users", status=400)
SEEN_SECONDS = 60


@pytest.fixture(scope="module")
def family(ods: Ods) -> str:
    """25 people whose only common word is this one: five first names, five user names of each."""
    word = unique("family")
    ods.invite(
        *(
            User(email=email(f"{first}{number}.{word}"), first_name=first, last_name=f"{letter}{word}")
            for number, letter in enumerate("cabed")
            for first in ("bob", "ann", "eve", "dee", "cid")
        )
    )
    return word


def found(ods: Ods, **query: Any) -> list[str]:
    """The user names of one page that must be all there is."""
    page = ods.users.get_users(limit=1000, **query)
    assert page.total_count == len(page.results) and page.next is None
    return names(page.results)


@LIST
def test_a_page_is_20_unless_asked_otherwise(ods: Ods, family: str) -> None:
    page = ods.users.get_users(search=family)
    assert (page.total_count, len(page.results), page.previous) == (25, 20, None)
    assert page_after(page.next) == {"limit": 20, "offset": 20}
    rest = ods.users.get_users(search=family, **page_after(page.next))
    assert (rest.total_count, len(rest.results), rest.next) == (25, 5, None)
    assert page_after(rest.previous) == {"limit": 20, "offset": 0}
    assert len({*names(page.results), *names(rest.results)}) == 25


@LIST
@pytest.mark.parametrize("limit", [1, 7, 25, 1000])
def test_paging_as_the_vendors_example_does(ods: Ods, family: str, limit: int) -> None:
    """Everybody comes once, in one order, though many share what they are sorted by."""
    page = ods.users.get_users(search=family, sort=["first_name"], limit=limit)
    collected = list(page.results)
    while page.next is not None:
        page = ods.users.get_users(search=family, sort=["first_name"], **page_after(page.next))
        assert page.total_count == 25 and 0 < len(page.results) <= limit
        collected += page.results
    assert [user.first_name for user in collected] == [first for first in ("ann", "bob", "cid", "dee", "eve") for _ in range(5)]
    assert len(set(names(collected))) == 25


@LIST
def test_next_and_previous_can_be_followed_as_they_are(ods: Ods, family: str) -> None:
    """Absolute, with what was searched and sorted, and without the key of the query."""
    answer = ods.raw("GET", f"/users/?search={family}&sort=-last_name&sort=first_name&limit=10&apikey={ods.key}", Authorization=None).json
    assert ods.key not in str(answer)
    pages = [answer]
    while pages[-1]["next"]:
        pages.append(ods.json("GET", path_of(pages[-1]["next"], ods.base)))
    assert [len(page["results"]) for page in pages] == [10, 10, 5]
    assert [(user["last_name"], user["first_name"]) for page in pages for user in page["results"]] == [
        (f"{letter}{family}", first) for letter in "edcba" for first in ("ann", "bob", "cid", "dee", "eve")
    ]
    back = ods.json("GET", path_of(pages[-1]["previous"], ods.base))
    assert back["results"] == pages[1]["results"]


@LIST
def test_next_names_the_workspaces_own_mount(ods: Ods, family: str) -> None:
    own = Ods(ods.server, base=f"{ods.server.url}/w/default/opendatasoft/api/automation/v1.0")
    page = own.users.get_users(search=family, limit=20)
    assert len(own.json("GET", path_of(page.next, own.base))["results"]) == 5


@LIST
def test_limit_0_is_the_count_alone(ods: Ods, family: str) -> None:
    page = ods.users.get_users(search=family, limit=0)
    assert (page.total_count, page.results) == (25, [])


@LIST
@pytest.mark.parametrize("limit", ["20.0", "20", "1000", "1000.0", "2e1"])
def test_a_limit_is_a_number(ods: Ods, family: str, limit: str) -> None:
    assert len(ods.json("GET", f"/users/?search={family}&limit={limit}")["results"]) == min(25, int(float(limit)))


@REFUSED
@pytest.mark.parametrize("limit", ["1001", "1000.5", "-1", "-0.5", "1.5", "x", "", "nan", "inf", "1e400", "9" * 400, "0x10", "1_0"])
def test_a_limit_out_of_range(ods: Ods, limit: str) -> None:
    assert_refused(ods.raw("GET", f"/users/?limit={limit}"), 400, "validation_error", "limit")


@REFUSED
@pytest.mark.parametrize("offset", ["-1", "1.5", "x", "", "nan", "-inf", "1e400", "9" * 400])
def test_an_offset_out_of_range(ods: Ods, offset: str) -> None:
    assert_refused(ods.raw("GET", f"/users/?offset={offset}"), 400, "validation_error", "offset")


@REFUSED
def test_a_negative_offset_by_the_client(ods: Ods) -> None:
    with refused(400, "validation_error", "offset"):
        ods.users.get_users(offset=-1)


@LIST
@pytest.mark.parametrize("offset", [25, 26, 9_007_199_254_740_991])
def test_an_offset_beyond_the_end(ods: Ods, family: str, offset: int) -> None:
    page = ods.users.get_users(search=family, offset=offset)
    assert (page.total_count, page.results, page.next) == (25, [], None)
    assert page.previous is not None


@LIST
@pytest.mark.parametrize("field", ["username", "first_name", "last_name"])
@pytest.mark.parametrize("sign", ["", "-"])
def test_sorted_by_one_field(ods: Ods, family: str, field: str, sign: str) -> None:
    values = [getattr(user, field) for user in ods.users.get_users(search=family, sort=[sign + field], limit=1000).results]
    assert len(values) == 25
    assert values == sorted(values, reverse=bool(sign))


@LIST
def test_sorted_by_several_fields(ods: Ods, family: str) -> None:
    """Repeated as the client sends them, or joined by commas."""
    wanted = list(itertools.product(("ann", "bob", "cid", "dee", "eve"), (f"{letter}{family}" for letter in "edcba")))
    page = ods.users.get_users(search=family, sort=["first_name", "-last_name"], limit=25)
    assert [(user.first_name, user.last_name) for user in page.results] == wanted
    joined = ods.users.get_users(search=family, sort=["first_name,-last_name"], limit=25)
    assert names(joined.results) == names(page.results)


@LIST
def test_sorted_by_last_seen_with_those_never_seen_last(ods: Ods) -> None:
    word = unique("seen")
    never, seen = (scene.account_create(ods.server, username=f"{word}{name}", email=email(f"{word}{name}")) for name in ("never", "seen"))
    assert scene.sign_in(ods.server, seen.email, scene.PASSWORD) == 200
    wait_until(lambda: ods.users.get_user(seen.username).last_seen_at, SEEN_SECONDS, "a sign-in is seen")
    assert ods.users.get_user(never.username).last_seen_at is None
    assert ods.users.get_user(seen.username).last_login_at is not None
    for sort in ("last_seen_at", "-last_seen_at"):
        assert names(ods.users.get_users(search=word, sort=[sort]).results) == [seen.username, never.username]


@REFUSED
@pytest.mark.parametrize("sort", ["email", "password", "--username", "username;drop", "USERNAME"])
def test_sorted_by_an_unknown_field(ods: Ods, sort: str) -> None:
    with refused(400, "validation_error", "sort"):
        ods.users.get_users(sort=["first_name", sort])


@LIST
def test_search_finds_all_words_in_any_field_and_case(ods: Ods) -> None:
    word, account = unique("word"), unique("account")
    one, two = ods.invite(
        User(email=email(f"post.{word}"), username=account, first_name="Élodie", last_name="O'Neill-García"), User(email=email(f"other.{word}"), first_name="Anna")
    )
    both = sorted([one.username, two.username])
    assert sorted(found(ods, search=word)) == both
    assert sorted(found(ods, search=word.upper())) == both
    for search in (f"{word} élodie", f"ÉLODIE {word}", f"{word} neill-garcía", f"  {word}   lodi ", f"{account} {word} post @example.com", account.upper(), account[2:]):
        assert found(ods, search=search) == [one.username], search
    for search in (f"{word} nobody", f"{word}x", f"élodie anna {word}", f"{word} %", f"{word[:-1]}_", f"{word}*", f"{word} ' OR 1=1 --"):
        assert found(ods, search=search) == [], search


@LIST
def test_an_empty_search_is_none(ods: Ods) -> None:
    everybody = ods.users.get_users(limit=0).total_count
    assert everybody > 0
    for search in ("", " "):
        assert ods.users.get_users(search=search, limit=0).total_count == everybody


@LIST
def test_filters_by_permission(ods: Ods) -> None:
    """Directly held, or directly and through groups; who is listed holds all of them."""
    word = unique("rights")
    group = ods.group(permissions=["edit_theme", "edit_form"])
    ods.invite(
        User(email=email(f"{word}-none")),
        User(email=email(f"{word}-theme"), permissions=["edit_theme"]),
        User(email=email(f"{word}-both"), permissions=["edit_theme", "edit_form"]),
        User(email=email(f"{word}-group"), groups=in_groups(group.uid)),
        User(email=email(f"{word}-mixed"), permissions=["edit_page"], groups=in_groups(group.uid)),
    )

    def who(**query: Any) -> set[str]:
        return {name.removeprefix(f"{word}-") for name in found(ods, search=word, **query)}

    assert who() == {"none", "theme", "both", "group", "mixed"}
    assert who(permissions=["edit_theme"]) == {"theme", "both"}
    assert who(permissions=["edit_theme", "edit_form"]) == {"both"}
    assert who(permissions=["edit_page"]) == {"mixed"}
    assert who(permissions=["edit_page", "edit_theme"]) == set()
    assert who(all_permissions=["edit_theme"]) == {"theme", "both", "group", "mixed"}
    assert who(all_permissions=["edit_form", "edit_theme"]) == {"both", "group", "mixed"}
    assert who(all_permissions=["edit_page", "edit_theme"]) == {"mixed"}
    assert who(permissions=["edit_page"], all_permissions=["edit_form"]) == {"mixed"}
    assert who(permissions=["manage_glossary"]) == who(all_permissions=["manage_glossary"]) == set()


@LIST
def test_filters_joined_by_commas(ods: Ods) -> None:
    one = ods.person(permissions=["edit_theme", "edit_form"])
    assert [user["username"] for user in ods.json("GET", f"/users/?search={one.username}&permissions=edit_theme%2Cedit_form")["results"]] == [one.username]
    assert ods.json("GET", f"/users/?search={one.username}&permissions=edit_theme%2Cedit_page")["results"] == []


@REFUSED
@pytest.mark.parametrize("name", ["permissions", "all_permissions"])
@pytest.mark.parametrize("value", ["no_such_permission", "EDIT_DOMAIN", "edit_domain%00"])
def test_filters_by_an_unknown_permission(ods: Ods, name: str, value: str) -> None:
    assert_refused(ods.raw("GET", f"/users/?{name}=edit_theme&{name}={value}"), 400, "validation_error", name)


@REFUSED
def test_a_query_that_is_not_utf_8(ods: Ods) -> None:
    assert_refused(ods.raw("GET", "/users/?search=%ff%fe"), 400)


@LIST
def test_what_is_unknown_in_the_query_is_ignored(ods: Ods, family: str) -> None:
    assert ods.json("GET", f"/users/?search={family}&limit=0&nothing=1")["total_count"] == 25


@LIST
def test_every_user_is_one_that_the_client_can_read(ods: Ods) -> None:
    """The demo's own people included: one value outside an enum and the whole page fails."""
    page = ods.users.get_users(limit=1000)
    assert page.total_count == len(page.results) >= 1
    raw = ods.json("GET", "/users/?limit=1000")
    assert type(raw["total_count"]) is int
    for user in raw["results"]:
        assert user.get("groups") != [], "the client cannot read an empty list of groups"
        for name in ("joined_at", "last_seen_at", "last_login_at", "expires_at"):
            assert user[name] is None or user[name], f"{name} is empty"


@pytest.mark.conformance(operation="get_users", status=405)
def test_a_method_that_the_path_does_not_have(ods: Ods) -> None:
    answer = ods.raw("DELETE", "/users/")
    assert_refused(answer, 405)
    assert "GET" in answer.headers["allow"]


@LIST
def test_one_connection_serves_many_calls(ods: Ods, family: str) -> None:
    """The answers are framed well enough for the client's pool."""
    for _ in range(50):
        assert ods.users.get_users(search=family, limit=1).total_count == 25
