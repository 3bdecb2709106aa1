"""The last administrator is never lost, by whatever route; on a server of its own, whose administrators are counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from opendatasoft_automation import RelatedUser, User, UserGroup

from opendatasoft import scene
from opendatasoft.client import Ods, assert_refused, cells, in_groups, outcomes, refused, user_path
from support import web
from support.process import Throng
from support.waiting import wait_until

ROUNDS = 20


@pytest.fixture
def own(demo: Callable[..., Throng], new_database: Callable[[], list[str]]) -> Iterator[Ods]:
    """A demo whose one administrator owns the key."""
    server = demo(*new_database())
    yield Ods(server)
    assert server.terminate() == 0, server.describe()


def first_administrator(own: Ods) -> User:
    (found,) = own.users.get_users(all_permissions=["edit_domain"]).results
    assert found.email == own.server.ready["a2"]["admin"]["email"]
    return found


@cells(400, "delete_user", "update_user")
def test_the_only_administrator_stays(own: Ods) -> None:
    """Neither by name nor by mistake; somebody who was invited and never came is no administrator yet."""
    admin = first_administrator(own)
    own.person(permissions=["edit_domain"])
    with refused(400, "last_administrator"):
        own.users.delete_user(admin.username)
    for permissions in ([], ["edit_page", "manage_subdomains"]):
        with refused(400, "last_administrator"):
            own.users.update_user(admin.username, User(email=admin.email, permissions=permissions, first_name="Changed"))
    found = own.users.get_user(admin.username)
    assert found == admin.model_copy(update={"last_seen_at": found.last_seen_at})
    # What does not concern the right is free.
    assert own.users.update_user(admin.username, User(email=admin.email, first_name="Changed")).first_name == "Changed"
    assert own.users.update_user(admin.username, own.users.get_user(admin.username)).first_name == "Changed"


@cells(200, "update_user")
@cells(204, "delete_user")
@cells(400, "delete_user", "update_user")
@cells(403, "get_users")
def test_the_office_is_handed_over(own: Ods) -> None:
    admin = first_administrator(own)
    account, theirs = scene.administrator(own.server)
    assert own.users.update_user(admin.username, User(email=admin.email, permissions=["edit_page"])).permissions == ["edit_page"]
    wait_until(lambda: own.raw("GET", "/users/").status == 403, scene.REVOKED_SECONDS, "who handed over is no administrator")
    with refused(400, "last_administrator"):
        theirs.users.delete_user(account.username)
    with refused(400, "last_administrator"):
        theirs.users.update_user(account.username, User(email=account.email, permissions=[]))
    theirs.users.delete_user(admin.username)
    assert theirs.users.get_users(all_permissions=["edit_domain"]).total_count == 1


@cells(400, "delete_user", "update_user", "update_user_group", "delete_user_group", "delete_user_of_a_user_group")
@cells(201, "add_user_to_user_group")
@cells(204, "delete_user_group", "delete_user_of_a_user_group")
def test_an_administrator_by_a_group_alone(own: Ods) -> None:
    """Every way of losing the right with the group: each is refused while nobody else has it, and works when somebody has."""
    admin = first_administrator(own)
    group, spare = own.group("Administrators", permissions=["edit_domain"]), own.group("Others")
    account = scene.account_create(own.server)
    own.groups.add_user_to_user_group(group.uid, RelatedUser(username=account.username))
    theirs = own.with_key(scene.key_create(own.server, account, "edit_domain"))
    other, others = scene.administrator(own.server)
    theirs.users.delete_user(admin.username)
    theirs.users.delete_user(other.username)
    with refused(400, "last_administrator"):
        theirs.groups.delete_user_of_a_user_group(group.uid, account.username)
    with refused(400, "last_administrator"):
        theirs.groups.delete_user_group(group.uid)
    with refused(400, "last_administrator"):
        theirs.groups.update_user_group(group.uid, UserGroup(uid="", title="Changed", permissions=["edit_page"]))
    with refused(400, "last_administrator"):
        theirs.users.update_user(account.username, User(email=account.email, groups=in_groups(spare.uid)))
    assert_refused(theirs.raw("PUT", user_path(account.username), {"groups": []}), 400, "last_administrator")
    with refused(400, "last_administrator"):
        theirs.users.delete_user(account.username)
    assert theirs.groups.retrieve_user_group(group.uid).title == "Administrators"
    assert [user.username for user in theirs.users.get_users(all_permissions=["edit_domain"]).results] == [account.username]
    # Directly, the right stays: the group may go.
    theirs.users.update_user(account.username, User(email=account.email, permissions=["edit_domain"]))
    theirs.groups.delete_user_of_a_user_group(group.uid, account.username)
    theirs.groups.delete_user_group(group.uid)
    assert theirs.users.get_users(all_permissions=["edit_domain"]).total_count == 1
    assert others.raw("GET", "/users/").status == 401


@cells(400, "delete_user_of_a_user_group")
@cells(204, "delete_user_of_a_user_group")
def test_two_who_remove_each_other_at_once(own: Ods) -> None:
    """In the same moment, again and again: one of them always stays."""
    admin = first_administrator(own)
    group = own.group("Administrators", permissions=["edit_domain"])
    accounts = [scene.account_create(own.server) for _ in range(2)]
    keys = [own.with_key(scene.key_create(own.server, account, "edit_domain")) for account in accounts]
    assert outcomes(own.json("POST", f"/groups/{group.uid}/users/batch/", [{"username": account.username} for account in accounts])) == ["success"] * 2
    keys[0].users.delete_user(admin.username)
    paths = [f"/groups/{group.uid}/users/{account.username}/" for account in accounts]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(ROUNDS):
            barrier = Barrier(2)

            def remove_the_other(number: int, barrier: Barrier = barrier) -> web.Answer:
                barrier.wait()
                return keys[number].raw("DELETE", paths[1 - number])

            answers = list(pool.map(remove_the_other, (0, 1)))
            winners = [number for number, answer in enumerate(answers) if answer.status == 204]
            assert len(winners) == 1, [answer.text for answer in answers]
            loser = answers[1 - winners[0]]
            # Refused as the last one's removal, or as somebody's who is no administrator any more.
            assert_refused(loser, 403 if loser.status == 403 else 400)
            winner, removed = keys[winners[0]], accounts[1 - winners[0]]
            assert [user.username for user in winner.users.get_users(all_permissions=["edit_domain"]).results] == [accounts[winners[0]].username]
            winner.groups.add_user_to_user_group(group.uid, RelatedUser(username=removed.username))
            for key in keys:
                wait_until(lambda key=key: key.raw("GET", "/users/?limit=0").status == 200, scene.REVOKED_SECONDS, "both are administrators again")
