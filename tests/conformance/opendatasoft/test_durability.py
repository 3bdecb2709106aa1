"""What was answered is kept: `kill -9`, another start on the same data, and the same keys. What was not answered is
there as a whole or not at all."""

from __future__ import annotations

import json
import select
from collections.abc import Callable
from pathlib import Path

import pytest
from opendatasoft_automation import APIKey, ExploreLimits, ExploreLimitsApiCalls, RelatedUser, User, UserGroup

from opendatasoft import scene
from opendatasoft.client import JSON, Ods, cells, email, in_groups, names, refused, unique
from support import web
from support.process import Throng
from support.waiting import wait_until

PEOPLE = 1000


@cells(200, "invite_users", "get_user", "update_user", "get_users", "update_user_group", "batch_add_users_to_user_group", "post_apikeys_apikey_uid_revoke", "get_apikeys", "list_user_groups")
@cells(201, "create_user_group", "add_user_to_user_group", "post_apikeys")
@cells(204, "delete_user", "delete_user_group", "delete_user_of_a_user_group")
def test_everything_survives_kill_9(demo: Callable[..., Throng], launch: Callable[..., Throng], new_database: Callable[[], list[str]], new_folder: Callable[[], Path]) -> None:
    folder, database = new_folder(), new_database()
    first = demo(*database, data=folder)
    ods = Ods(first)
    group, emptied, deleted = (ods.group(permissions=["edit_theme"]) for _ in range(3))
    limits = ExploreLimits(api_calls=ExploreLimitsApiCalls(limit=5, unit="hour"))
    invited = ods.person(first_name="Louise", permissions=["edit_page"], groups=in_groups(group.uid, emptied.uid), explore_limits=limits)
    changed, removed = ods.person(), ods.person()
    ods.users.update_user(changed.username, User(email=changed.email, last_name="Changed", permissions=["edit_form"]))
    ods.groups.add_user_to_user_group(group.uid, RelatedUser(username=changed.username))
    ods.groups.update_user_group(group.uid, UserGroup(uid="", title="Renamed"))
    ods.groups.delete_user_of_a_user_group(emptied.uid, invited.username)
    kept, revoked = (ods.keys.post_apikeys(APIKey(label=unique(), permissions=["edit_domain"])) for _ in range(2))
    ods.keys.post_apikeys_apikey_uid_revoke(revoked.uid)
    ods.groups.delete_user_group(deleted.uid)
    users = {user.username: user for user in ods.users.get_users(limit=1000).results if user.username != removed.username}
    groups = ods.groups.list_user_groups(limit=1000).results
    (mail,) = scene.mails(first, invited.email)
    link = scene.link_in(scene.mail_text(first, mail), "invite")
    ods.users.delete_user(removed.username)
    first.kill()

    again = scene.start_again(launch, first, folder, database)
    found = {user.username: user for user in again.users.get_users(limit=1000).results}
    assert set(found) == set(users)
    # When somebody was last seen may be written later than it is answered.
    assert [user.model_dump(exclude={"last_seen_at"}) for user in found.values()] == [users[name].model_dump(exclude={"last_seen_at"}) for name in found]
    assert [group for group in again.groups.list_user_groups(limit=1000).results] == groups
    assert set(names(again.groups.list_users_of_a_user_group(group.uid).results)) == {invited.username, changed.username}
    assert again.with_key(kept.key).users.get_users(limit=0).total_count == len(users)
    with refused(401, "unauthorized"):
        again.with_key(revoked.key).users.get_users()
    # The mail is still there, and so is what its link stands for.
    (mail,) = scene.mails(again.server, invited.email)
    moved = link.replace(first.url, again.server.url, 1)
    browser = scene.Browser()
    form = browser.form(moved)
    assert form is not None
    assert browser.submit(form, scene.PASSWORD).status in (200, 303)
    assert scene.sign_in(again.server, invited.email, scene.PASSWORD) == 200
    assert again.server.terminate() == 0, again.server.describe()


@cells(200, "invite_users")
@pytest.mark.parametrize("moment", ["while it is read", "when the first is there", "once it is answered"])
def test_a_thousand_invitations_killed_half_way(demo: Callable[..., Throng], launch: Callable[..., Throng], new_database: Callable[[], list[str]], new_folder: Callable[[], Path], moment: str) -> None:
    """Whoever is there has a mail, and whoever has a mail is there; what was answered is there in full."""
    folder, database = new_folder(), new_database()
    first = demo(*database, data=folder)
    ods, word = Ods(first), unique("many")
    body = json.dumps([{"email": email(f"{word}.{number}")} for number in range(PEOPLE)]).encode()
    url = f"{ods.base}/users/invite/"
    answered = False
    with web.connect(url) as connection:
        connection.sendall(web.head("POST", url, {"Authorization": f"Apikey {ods.key}", "Content-Type": JSON, "Content-Length": str(len(body))}) + body)
        if moment == "when the first is there":
            wait_until(lambda: select.select([connection], [], [], 0)[0] or ods.users.get_users(search=word, limit=0).total_count, web.SECONDS, "somebody is invited")
        elif moment == "once it is answered":
            answer = web.read_answer(connection)
            assert answer is not None and answer.status == 200
            answered = True
        first.kill()

    again = scene.start_again(launch, first, folder, database)
    page = again.users.get_users(search=word, limit=PEOPLE)
    invited = [mail["recipient"] for mail in scene.mails(again.server) if word in mail["recipient"]]
    assert page.total_count == len(page.results) == len(invited)
    assert {user.email for user in page.results} == set(invited)
    assert len(invited) == PEOPLE or not answered
    assert again.server.terminate() == 0, again.server.describe()
