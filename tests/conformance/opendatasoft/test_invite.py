"""invite_users: many at once, each with a result of its own, a mail and a link that is good once."""

from __future__ import annotations

from typing import Any

import pytest
from opendatasoft_automation import ExploreLimits, ExploreLimitsApiCalls, User

from opendatasoft import scene
from opendatasoft.client import JSON, Ods, assert_refused, email, in_groups, outcomes, refused, uids, unique

INVITE = pytest.mark.conformance(operation="invite_users", status=200)
REFUSED = pytest.mark.conformance(operation="invite_users", status=400)
INVITE_PATH = "/users/invite/"
ITEMS_MAX = 1000


@INVITE
def test_several_people_at_once(ods: Ods) -> None:
    group = ods.group(permissions=["edit_theme"])
    one, two, three = unique(), unique(), unique()
    limits = ExploreLimits(api_calls=ExploreLimitsApiCalls(limit=5, unit="minute"))
    answer = ods.users.invite_users(
        [
            User(email=email(one)),
            User(email=email(two), first_name="Louise", last_name="Data", permissions=["edit_page", "create_page"], groups=in_groups(group.uid), explore_limits=limits),
            User(email=email(three), username=f"{three}.chosen"),
        ]
    )
    assert list(answer) == ["0", "1", "2"]
    assert [answer[number].status_code for number in answer] == ["success"] * 3
    users = [answer[number].data for number in answer]
    assert [(user.username, user.email) for user in users] == [(one, email(one)), (two, email(two)), (f"{three}.chosen", email(three))]
    assert (users[1].first_name, users[1].last_name, set(users[1].permissions), uids(users[1]), users[1].explore_limits) == ("Louise", "Data", {"edit_page", "create_page"}, {group.uid}, limits)
    assert (users[0].permissions, users[0].groups) == ([], None)
    for user in users:
        assert ods.users.get_user(user.username) == user


@INVITE
def test_everybody_gets_a_mail_and_nobody_else(ods: Ods) -> None:
    one, two = ods.invite(User(email=email(), first_name="Louise"), User(email=email()))
    texts = []
    for user in (one, two):
        (mail,) = scene.mails(ods.server, user.email)
        assert (mail["template"], mail["state"], mail["last_error"]) == ("invite", "queued", None)
        texts.append(scene.mail_text(ods.server, mail))
    links = [scene.link_in(text, "invite") for text in texts]
    assert links[0] != links[1] and all(link.startswith(f"{ods.server.url}/account/invite?token=") for link in links)
    ods.users.update_user(one.username, User(email=one.email, first_name="Lou"))
    assert len(scene.mails(ods.server, one.email)) == 1


@INVITE
def test_the_link_of_an_invitation_is_good_once(ods: Ods) -> None:
    """Looking at the page uses nothing up; the password that is set there signs in, and the link is dead from then on."""
    user = ods.person()
    assert scene.sign_in(ods.server, user.email, scene.PASSWORD) == 400
    (mail,) = scene.mails(ods.server, user.email)
    link = scene.link_in(scene.mail_text(ods.server, mail), "invite")
    assert scene.Browser().form(link) is not None
    browser = scene.Browser()
    form = browser.form(link)
    assert form is not None
    assert browser.submit(form, "short").status in (400, 422)
    assert scene.sign_in(ods.server, user.email, "short") == 400
    form = browser.form(link)
    assert form is not None
    assert browser.submit(form, scene.PASSWORD).status in (200, 303)
    assert scene.sign_in(ods.server, user.email, scene.PASSWORD) == 200
    assert scene.Browser().form(link) is None
    assert 400 <= browser.submit(form, "another long passphrase 2").status < 500
    assert scene.sign_in(ods.server, user.email, "another long passphrase 2") == 400
    assert scene.sign_in(ods.server, user.email, scene.PASSWORD) == 200


@INVITE
def test_a_forged_link_opens_nothing(ods: Ods) -> None:
    user = ods.person()
    (mail,) = scene.mails(ods.server, user.email)
    link = scene.link_in(scene.mail_text(ods.server, mail), "invite")
    start, token = link.split("token=")
    for wrong in ("", token[:-1], token + "x", ("b" if token[0] == "a" else "a") + token[1:], token.swapcase()):
        assert scene.Browser().form(f"{start}token={wrong}") is None, wrong
    assert scene.Browser().form(link) is not None


@INVITE
def test_the_link_of_a_person_removed_is_dead(ods: Ods) -> None:
    user = ods.person()
    (mail,) = scene.mails(ods.server, user.email)
    link = scene.link_in(scene.mail_text(ods.server, mail), "invite")
    ods.users.delete_user(user.username)
    assert scene.Browser().form(link) is None


@INVITE
def test_names_made_of_the_address(ods: Ods) -> None:
    """The local part, made unique: two people of one local part at two domains, and what would hide behind a route."""
    word = unique("louise.von-data")
    one, two, three = ods.invite(*(User(email=f"{word}@{domain}.example") for domain in ("a", "b", "c")))
    assert one.username == word
    assert len({one.username, two.username, three.username}) == 3
    assert all(user.username.startswith(word) for user in (two, three))
    for reserved in ("export", "invite", "provision"):
        (user,) = ods.invite(User(email=f"{reserved}@{unique()}.example"))
        assert user.username != reserved
        assert ods.users.get_user(user.username).email == user.email
        ods.users.update_user(user.username, User(email=user.email, first_name="Found"))
        ods.users.delete_user(user.username)
    assert ods.raw("GET", "/users/export/").media_type == "text/csv"


@INVITE
def test_one_who_fails_does_not_stop_the_others(ods: Ods) -> None:
    group, member = ods.group(), ods.person()
    first, last = unique(), unique()
    items = [
        {"email": email(first)},
        {"email": member.email},
        {"email": member.email.upper()},
        {"email": "not an address"},
        {"email": email(), "permissions": ["edit_page", "no_such_permission"]},
        {"email": email(), "groups": [{"uid": group.uid}, {"uid": "no_such_group"}]},
        {"email": email(), "username": member.username},
        {"email": email(last), "groups": [{"uid": group.uid}]},
    ]
    mails, total = len(scene.mails(ods.server)), ods.total()[0]
    answer = ods.json("POST", INVITE_PATH, items)
    assert outcomes(answer) == ["success", "already-member", "already-member", "invalid-email", "validation_error", "unknown-group", "validation_error", "success"]
    assert (answer["0"]["data"]["username"], answer["7"]["data"]["username"]) == (first, last)
    assert (ods.total()[0], len(scene.mails(ods.server))) == (total + 2, mails + 2)
    assert [user.username for user in ods.groups.list_users_of_a_user_group(group.uid).results] == [last]


@INVITE
def test_the_client_reads_failures_too(ods: Ods) -> None:
    """It has no field for the error and drops it; the words of status_code are what it checks."""
    member = ods.person()
    answer = ods.users.invite_users([User(email=member.email), User(email=email())])
    assert [(answer[number].status_code, answer[number].data is None) for number in ("0", "1")] == [("error", True), ("success", False)]


@INVITE
def test_one_address_twice_in_one_request(ods: Ods) -> None:
    """In any case, and in look-alike letters: the first is taken, and there is one account and one mail."""
    word, total, mails = unique("ann"), ods.total()[0], len(scene.mails(ods.server))
    same = [email(word), email(word), email(word.upper()), f"{word}@EXAMPLE.com"]
    assert outcomes(ods.json("POST", INVITE_PATH, [{"email": address} for address in same])) == ["success"] + ["already-member"] * 3
    alike = {
        "a Cyrillic a": email(word.replace("a", "\u0430", 1)),
        "full-width letters": email("\uff41\uff4e\uff4e" + word[3:]),
        "a zero-width space": email("an\u200bn" + word[3:]),
        "a soft hyphen": email("an\u00adn" + word[3:]),
        "a full-width at": f"{word}\uff20example.com",
        "right to left": email("\u202e" + word),
    }
    found = dict(zip(alike, outcomes(ods.json("POST", INVITE_PATH, [{"email": address} for address in alike.values()])), strict=True))
    assert {name: code for name, code in found.items() if code not in ("already-member", "invalid-email", "forbidden-email")} == {}
    assert (ods.total()[0], len(scene.mails(ods.server))) == (total + 1, mails + 1)


BAD_ITEMS: dict[str, tuple[Any, str]] = {
    "no address": ({}, "validation_error"),
    "null": ({"email": None}, "validation_error"),
    "a number": ({"email": 1}, "validation_error"),
    "a list": ({"email": ["a@example.com"]}, "validation_error"),
    "an empty address": ({"email": ""}, "invalid-email"),
    "blanks": ({"email": "   "}, "invalid-email"),
    "no at": ({"email": "example.com"}, "invalid-email"),
    "two ats": ({"email": "a@b@example.com"}, "invalid-email"),
    "no local part": ({"email": "@example.com"}, "invalid-email"),
    "no domain": ({"email": "a@"}, "invalid-email"),
    "two addresses": ({"email": "a@example.com, b@example.com"}, "invalid-email"),
    "a name before it": ({"email": "Ann <a@example.com>"}, "invalid-email"),
    "another header": ({"email": "a@example.com\r\nBcc: b@example.com"}, "invalid-email"),
    "a NUL": ({"email": "a\0@example.com"}, "invalid-email"),
    "too long": ({"email": f"{'a' * 300}@example.com"}, "invalid-email"),
    "not an object": ("a@example.com", "validation_error"),
    "nothing": (None, "validation_error"),
    "an array": (["a@example.com"], "validation_error"),
    "permissions of a wrong type": ({"permissions": "edit_page"}, "validation_error"),
    "permissions of numbers": ({"permissions": [1]}, "validation_error"),
    "a permission in capitals": ({"permissions": ["EDIT_PAGE"]}, "validation_error"),
    "groups of a wrong type": ({"groups": "a"}, "validation_error"),
    "groups of strings": ({"groups": ["a"]}, "validation_error"),
    "a group without a uid": ({"groups": [{}]}, "validation_error"),
    "a group of an unknown title": ({"groups": [{"title": "no such title"}]}, "unknown-group"),
    "a user name of a wrong type": ({"username": 1}, "validation_error"),
    "a user name with a line's end": ({"username": "a\nb"}, "validation_error"),
    "a user name that is a route": ({"username": "export"}, "validation_error"),
    "a name of a wrong type": ({"first_name": ["Ann"]}, "validation_error"),
    "a name with another header": ({"first_name": "Ann\r\nBcc: b@example.com"}, "validation_error"),
    "a name with a NUL": ({"last_name": "A\0"}, "validation_error"),
    "a name of 100,000 letters": ({"last_name": "x" * 100_000}, "validation_error"),
    "limits of a wrong type": ({"explore_limits": []}, "validation_error"),
    "a negative limit": ({"explore_limits": {"api_calls": {"limit": -1, "unit": "day"}}}, "validation_error"),
    "a limit of nothing": ({"explore_limits": {"api_calls": {"limit": None, "unit": "day"}}}, "validation_error"),
    "a limit without a unit": ({"explore_limits": {"api_calls": {"limit": 1}}}, "validation_error"),
    "an unknown unit": ({"explore_limits": {"api_calls": {"limit": 1, "unit": "week"}}}, "validation_error"),
}


@INVITE
@pytest.mark.parametrize("name", BAD_ITEMS)
def test_an_item_that_is_wrong(ods: Ods, name: str) -> None:
    """Told about itself; the good one beside it is taken, and nothing of the wrong one is stored or mailed."""
    item, code = BAD_ITEMS[name]
    if isinstance(item, dict) and "email" not in item and name != "no address":
        item = {"email": email(), **item}
    mails, total = len(scene.mails(ods.server)), ods.total()
    assert outcomes(ods.json("POST", INVITE_PATH, [item, {"email": email()}])) == [code, "success"]
    assert ods.total() == (total[0] + 1, *total[1:])
    assert len(scene.mails(ods.server)) == mails + 1


@INVITE
def test_nobody_makes_himself_more_than_asked(ods: Ods) -> None:
    """Read-only and foreign fields of an item are ignored."""
    answer = ods.json("POST", INVITE_PATH, [{"email": email(), "is_ods": True, "account_type": "global", "role": "admin", "is_superuser": True, "password": scene.PASSWORD, "expires_at": None}])
    user = answer["0"]["data"]
    assert (user["is_ods"], user["permissions"]) == (False, [])
    assert scene.sign_in(ods.server, user["email"], scene.PASSWORD) == 400


@INVITE
def test_nobody_at_all(ods: Ods) -> None:
    assert ods.users.invite_users([]) == {}


@INVITE
@REFUSED
def test_as_many_as_one_request_may_hold(serve: Any) -> None:
    """1,000, not one more; on a server of its own, for they would be in everybody's way."""
    own = serve()
    word = unique("many")
    items = [{"email": email(f"{word}.{number}")} for number in range(ITEMS_MAX + 1)]
    assert_refused(own.raw("POST", INVITE_PATH, items))
    assert own.users.get_users(search=word, limit=0).total_count == 0
    assert outcomes(own.json("POST", INVITE_PATH, items[:-1])) == ["success"] * ITEMS_MAX
    assert own.users.get_users(search=word, limit=0).total_count == ITEMS_MAX
    assert len(scene.mails(own.server)) >= ITEMS_MAX


@REFUSED
def test_the_client_without_a_body(ods: Ods) -> None:
    with refused(400):
        ods.users.invite_users()
    assert_refused(ods.raw("POST", INVITE_PATH, b"", content_type=JSON))
