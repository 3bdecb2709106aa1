"""What was answered is kept: `kill -9`, another start on the same data, and the same credentials. What was not answered is
there as a whole or not at all."""

from __future__ import annotations

import json
import select
from collections.abc import Callable
from pathlib import Path

import pytest

from support import web
from support.process import Throng
from support.waiting import wait_until
from thrive import scene
from thrive.client import Thrive, cells, granted, manager, outcome, unique


@cells(200, "update_audience", "delete_audience", "list_audiences", "add_members", "replace_members", "remove_member", "list_members")
@cells(200, "add_managers", "list_managers", "update_user", "suspend_user", "delete_user", "list_users", "oauth2_token_public")
@cells(201, "create_audience", "create_user")
@cells(207, "update_audience")
def test_everything_survives_kill_9(demo: Callable[..., Throng], launch: Callable[..., Throng], new_database: Callable[[], list[str]], new_folder: Callable[[], Path]) -> None:
    folder, database = new_folder(), new_database()
    first = demo(*database, data=folder)
    thrive = Thrive(first)
    one, two, three, gone = thrive.users(4)
    old, new, deleted = (thrive.structure() for _ in range(3))
    child, sibling, renamed = thrive.audience(old, members=[one, two]), thrive.audience(old, members=[two, three]), thrive.audience(old)
    thrive.audience(deleted, members=[one])
    thrive.replace(sibling["id"], two)
    thrive.add(renamed["id"], one, three)
    thrive.remove(renamed["id"], three)
    thrive.update(renamed["id"], name=unique("renamed "), reference=unique("ref-"))
    assert outcome(thrive.send("POST", f"/audiences/{child['id']}/managers", [manager(three, "insights")]), 200)[0] == [three]
    answer = thrive.send("PATCH", f"/audiences/{child['id']}/", {"parentId": new["id"]})
    assert answer.status_code == 207, answer.text
    thrive.delete(deleted["id"])
    thrive.json("PATCH", f"/rest/v2/users/ref/{one}", {"jobTitle": "Kept"})
    thrive.suspend(three)
    thrive.send("DELETE", f"/rest/v2/users/ref/{gone}")
    token = thrive.oauth()
    audiences, users = thrive.pages("/audiences"), thrive.pages("/users")
    first.kill()

    again = scene.start_again(launch, first, folder, database)
    assert again.pages("/audiences") == audiences
    assert again.pages("/users") == users
    people = {item["id"]: again.members(item["id"]) for item in (old, new, child, sibling, renamed)}
    assert people == {old["id"]: {one, two}, new["id"]: {one, two}, child["id"]: {one, two}, sibling["id"]: {two}, renamed["id"]: {one}}
    (item,) = again.managers(child["id"])
    assert (item["reference"], granted(item)) == (three, {"insights"})
    assert again.get(child["id"])["parent"]["id"] == new["id"]
    # The token of before is good as long as it lives.
    token.base = again.base
    assert token.send("GET", "/audiences", perPage=1).status_code == 200
    assert again.oauth().send("GET", "/audiences", perPage=1).status_code == 200
    # And going on goes on.
    answer = again.send("PATCH", f"/audiences/{child['id']}/", {"parentId": old["id"]})
    assert answer.status_code == 200, answer.text
    assert again.members(new["id"]) == set()
    assert again.server.terminate() == 0, again.server.describe()


@cells(200, "update_audience", "get_audience")
@pytest.mark.parametrize("moment", ["at once", "when it is seen", "once it is answered"])
def test_a_move_killed_half_way(demo: Callable[..., Throng], launch: Callable[..., Throng], new_database: Callable[[], list[str]], new_folder: Callable[[], Path], moment: str) -> None:
    """The child hangs in one structure with everybody, or in the other with everybody."""
    folder, database = new_folder(), new_database()
    first = demo(*database, data=folder)
    thrive = Thrive(first)
    members = thrive.users(20)
    old, new = thrive.structure(), thrive.structure()
    child = thrive.audience(old, members=members)
    url = f"{thrive.base}/rest/v1/audiences/{child['id']}/"
    body = json.dumps({"parentId": new["id"]}).encode()
    answered = False
    with web.connect(url) as connection:
        headers = {"Authorization": thrive.authorization, "Content-Type": "application/json", "Content-Length": str(len(body))}
        connection.sendall(web.head("PATCH", url, headers) + body)
        if moment == "when it is seen":
            wait_until(lambda: select.select([connection], [], [], 0)[0] or thrive.get(child["id"])["parent"]["id"] == new["id"], web.SECONDS, "the move is seen")
        elif moment == "once it is answered":
            answer = web.read_answer(connection)
            assert answer is not None and answer.status == 200
            answered = True
        first.kill()

    again = scene.start_again(launch, first, folder, database)
    parent = again.get(child["id"])["parent"]["id"]
    assert parent == new["id"] or not answered
    assert again.members(child["id"]) == set(members)
    assert (again.members(old["id"]), again.members(new["id"])) == ((set(), set(members)) if parent == new["id"] else (set(members), set()))
    assert again.server.terminate() == 0, again.server.describe()
