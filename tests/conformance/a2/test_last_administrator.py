"""The last administrator is never lost, by whatever route of this dialect, nor by two requests at once.

On a server of its own: the demo's administrator is the only one there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Barrier, Thread
from typing import Any

import pytest

from a2.client import Account, ThrongA2, answered, refused
from support.process import Throng
from support.web import Answer

ROUNDS = 8
# Each loses an administrator, where there is another.
LOSSES: dict[str, Callable[[ThrongA2, str, str], Answer]] = {
    "delete": lambda a2, user, token: a2.request("DELETE", "/users", json_body={"id": user}, token=token),
    "demote": lambda a2, user, token: a2.patch("/user/info", {"id": user, "is_superuser": False}, token),
    "deactivate": lambda a2, user, token: a2.patch("/user/info", {"id": user, "is_active": False}, token),
    "demote by budget": lambda a2, user, token: a2.patch("/user/budget", {"id": user, "is_superuser": False, "is_active": False}, token),
}
OPERATIONS = {"delete": "delete_user", "demote": "update_user_data", "deactivate": "update_user_data"}


@pytest.fixture(scope="module")
def alone(demo: Callable[..., Throng], new_database: Callable[[], list[str]]) -> Iterator[ThrongA2]:
    server = demo(*new_database())
    yield ThrongA2(server)
    assert server.terminate() == 0, server.describe()


def administrators(a2: ThrongA2) -> list[dict[str, Any]]:
    """The active ones, which the demo's own account always is while these tests ask."""
    return [user for user in answered(a2.get("/users?role=admin", a2.admin), 200) if user["is_active"]]


@pytest.mark.parametrize("how", [pytest.param(how, marks=pytest.mark.conformance(operation=OPERATIONS[how], status=400)) for how in OPERATIONS])
def test_the_last_one(alone: ThrongA2, how: str) -> None:
    assert len(administrators(alone)) == 1
    me = answered(alone.me(alone.admin), 200)
    refused(LOSSES[how](alone, me["id"], alone.admin), 400, "LAST_ADMINISTRATOR")
    assert answered(alone.me(alone.admin), 200) == me
    assert alone.token(alone.admin_email, alone.admin_password)


@pytest.mark.conformance(operation="update_user_budget", status=200)
def test_the_budget_s_route_is_no_way_around(alone: ThrongA2) -> None:
    me = answered(alone.me(alone.admin), 200)
    answer = LOSSES["demote by budget"](alone, me["id"], alone.admin)
    assert answer.status in (200, 400), answer.text
    assert answered(alone.me(alone.admin), 200) == me


@pytest.mark.parametrize("how", [pytest.param(how, marks=pytest.mark.conformance(operation=OPERATIONS[how], status=200)) for how in OPERATIONS])
@pytest.mark.conformance(operation="update_user_data", status=400)
def test_an_inactive_one_does_not_count(alone: ThrongA2, how: str) -> None:
    """With another the step is allowed; with another who cannot sign in it is not."""
    other = alone.administrator()
    me = answered(alone.me(alone.admin), 200)
    answered(LOSSES["deactivate"](alone, other.id, alone.admin), 200)
    for loss in OPERATIONS:
        refused(LOSSES[loss](alone, me["id"], alone.admin), 400, "LAST_ADMINISTRATOR")
    answered(alone.patch("/user/info", {"id": other.id, "is_active": True}, alone.admin), 200)
    answered(LOSSES[how](alone, other.id, alone.admin), 200)
    assert [user["id"] for user in administrators(alone)] == [me["id"]]


@pytest.mark.parametrize("how", [pytest.param(how, marks=pytest.mark.conformance(operation=OPERATIONS[how], status=400)) for how in OPERATIONS])
def test_two_at_once_lose_each_other(demo: Callable[..., Throng], new_database: Callable[[], list[str]], how: str) -> None:
    """Each takes the other's place away, at the same moment: one stays."""
    server = demo(*new_database())
    a2 = ThrongA2(server)
    # The demo's own administrator leaves, so that the two are all there are.
    keeper = a2.administrator()
    answered(LOSSES["demote"](a2, answered(a2.me(a2.admin), 200)["id"], keeper.token), 200)
    for _ in range(ROUNDS):
        other = made_by(a2, keeper)
        pair = (keeper, other)
        answers: list[Answer] = []
        barrier = Barrier(2)

        def lose(victim: Account, token: str) -> None:
            barrier.wait()
            answers.append(LOSSES[how](a2, victim.id, token))

        threads = [Thread(target=lose, args=(pair[1 - index], pair[index].token)) for index in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        statuses = sorted(answer.status for answer in answers)
        # The second is refused as the last one, or has no rights any more when its turn comes.
        assert statuses[0] == 200 and statuses[1] in (400, 401, 403), [answer.text for answer in answers]
        survivors = [account for account in pair if a2.get("/users", account.token).status == 200]
        assert len(survivors) == 1
        keeper = survivors[0]
        # And that one is the last.
        refused(LOSSES[how](a2, keeper.id, keeper.token), 400, "LAST_ADMINISTRATOR")
    assert server.terminate() == 0, server.describe()


def made_by(a2: ThrongA2, administrator: Account) -> Account:
    """One more administrator, promoted by one."""
    account = a2.account()
    answered(a2.patch("/user/info", {"id": account.id, "is_superuser": True}, administrator.token), 200)
    return Account(account.email, account.id, a2.token(account.email))
