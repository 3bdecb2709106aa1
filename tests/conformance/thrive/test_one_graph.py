"""One person, whatever protocol knows them: what Criteo's unmodified client uploaded as a hash is the user whom Thrive makes."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from criteo.client import Criteo, refused
from criteo.client import unique as unique_name
from support import native
from support.process import Throng
from thrive import scene
from thrive.client import CREATED, Thrive, assert_audience, cells, manager, unique


@pytest.fixture(scope="module")
def criteo(server: Throng) -> Criteo:
    return Criteo(server)


def audience_of(thrive: Thrive, name: str) -> dict[str, Any]:
    """The audience as Thrive shows it, whose name only Criteo's client has given."""
    (found,) = [item for item in thrive.pages("/audiences") if item["name"] == name]
    return found


@cells(200, "list_audiences", "get_audience", "list_members", "add_members", "get_user")
@cells(201, "create_user", "create_audience")
def test_a_hash_becomes_somebody(thrive: Thrive, criteo: Criteo) -> None:
    """Uploaded as a hash, made as a user: the same person is in both lists, and each protocol reads the other's."""
    email = f"{unique('ann')}@example.com"
    digest = hashlib.sha256(email.encode()).hexdigest()
    name = unique_name("uploaded")
    uploaded = criteo.create(name)
    criteo.add(uploaded, digest, hashlib.sha256(unique().encode()).hexdigest())
    shown = audience_of(thrive, name)
    before = thrive.pages(f"/audiences/{shown['id']}/members")
    assert len(before) == 2 and all(member["email"] is None for member in before)

    user = thrive.user(email=email)
    # The audience that Criteo made, through Thrive: the hash has a name now.
    listed = thrive.pages(f"/audiences/{shown['id']}/members")
    assert len(listed) == 2
    assert [(member["userId"], member["reference"]) for member in listed if member["email"] == email] == [(user["id"], user["ref"])]
    assert shown["id"] in thrive.json("GET", f"/user/{user['id']}")["audiences"]
    # Nobody is counted twice, by either.
    thrive.add(shown["id"], user["ref"])
    criteo.add(uploaded, email)
    assert criteo.lines(uploaded) == (2, 2)

    # And one that Thrive made, in the advertiser's structure, through Criteo.
    made = thrive.audience(shown["parent"]["id"], members=[user["ref"]])
    assert_audience(made, {"name": "Demo shop", "reference": shown["parent"]["reference"], "id": shown["parent"]["id"]})
    (found,) = [audience for audience in criteo.list(criteo.advertiser_id) if audience.name == made["name"]]
    assert (found.nb_lines, found.nb_lines_email, found.nb_matches_email) == (1, 1, 1)
    question = {"kind": "email", "values": [digest]}
    for audience in (uploaded, found.id):
        assert native.call(thrive.server, "POST", f"/audiences/{audience}/members/contains", question)["contains"] == [True]

    # What one removes is gone for the other.
    criteo.remove(found.id, digest)
    assert thrive.members(made["id"]) == set()
    thrive.remove(shown["id"], user["ref"])
    assert criteo.lines(uploaded) == (1, 1)
    # The user stays, and is in neither.
    assert thrive.json("GET", f"/user/{user['id']}")["audiences"] == []
    thrive.delete(made["id"])
    criteo.delete(uploaded)


@cells(200, "update_audience", "delete_audience", "get_audience")
def test_one_audience_through_both(thrive: Thrive, criteo: Criteo) -> None:
    """Its name, its members, its end."""
    name = unique_name("both")
    audience = criteo.create(name, "made by Criteo")
    shown = audience_of(thrive, name)
    assert (shown["category"], shown["type"], shown["apiControlled"]) == ("audience", "manual", True)
    renamed = unique_name("renamed")
    thrive.update(shown["id"], name=renamed)
    found = criteo.get(audience)
    assert found is not None and (found.name, found.description) == (renamed, "made by Criteo")
    criteo.rename(audience, name)
    assert thrive.get(shown["id"])["name"] == name
    thrive.delete(shown["id"])
    assert criteo.get(audience) is None
    with refused(404):
        criteo.add(audience, "ann@example.com")


@cells(409, "create_audience", "update_audience")
@cells(201, "create_audience")
def test_an_advertisers_names_are_its_own(thrive: Thrive, criteo: Criteo) -> None:
    """Criteo wants an advertiser's audiences called apart. What Thrive makes there keeps to it."""
    name = unique_name("taken")
    audience = criteo.create(name)
    structure = audience_of(thrive, name)["parent"]["id"]
    body = {"name": name, "reference": unique("ref-"), "parentId": structure, "category": "audience"}
    assert thrive.send("POST", "/audiences", body).status_code == 409
    other = thrive.json("POST", "/audiences", {**body, "name": unique_name("free")}, CREATED)
    assert thrive.send("PATCH", f"/audiences/{other['id']}/", {"name": name}).status_code == 409
    with refused(409):
        criteo.create(other["name"])
    thrive.delete(other["id"])
    criteo.delete(audience)


@cells(200, "update_audience", "list_members")
@cells(207, "update_audience")
def test_a_team_moves_and_both_see_it(thrive: Thrive, criteo: Criteo) -> None:
    """Out of the advertiser's structure, with users and hashes; Criteo loses sight of it, and who is held by another of the
    advertiser's audiences stays."""
    emails = [f"{unique('team')}@example.com" for _ in range(3)]
    name, kept = unique_name("team"), unique_name("kept")
    team, stays = criteo.create(name), criteo.create(kept)
    criteo.add(team, *emails)
    criteo.add(stays, emails[0])
    user = thrive.user(email=emails[0])
    shown, structure = audience_of(thrive, name), thrive.structure()
    answer = thrive.send("PATCH", f"/audiences/{shown['id']}/", {"parentId": structure["id"]})
    assert answer.status_code == 207, answer.text
    removed = answer.json()["memberOperations"]["removed"]
    assert (removed["success"]["count"], [entity["reference"] for entity in removed["failure"]["entities"]]) == (2, [user["ref"]])
    assert criteo.get(team) is None
    assert criteo.lines(stays) == (1, 1)
    assert len(thrive.pages(f"/audiences/{structure['id']}/members")) == 3
    with refused(403):
        criteo.add(team, "ann@example.com")
    criteo.delete(stays)


@cells(200, "add_managers", "list_managers", "remove_manager")
@cells(201, "create_user")
def test_a_manager_is_a_person_with_an_account(thrive: Thrive) -> None:
    """Somebody whom Thrive made a manager signs in with an account of the same, verified address: the account's native key
    may there what Thrive's object says, and nothing elsewhere."""
    email, password = f"{unique('manager')}@example.com", "a long enough passphrase 1"
    user = thrive.user(email=email)
    member = thrive.user()
    structure = thrive.structure()
    child, elsewhere = thrive.audience(structure, members=[member["ref"]]), thrive.audience(structure)
    account = native.account_create(thrive.server, email, password, "advertiser", verified=True)
    key = native.call(thrive.server, "POST", f"/accounts/{account['id']}/keys", {"label": unique("key"), "dialect": "native"})["secret"]
    path = f"/audiences/{scene.native_id(child['id'])}/members"

    def status(path: str) -> int:
        try:
            native.call(thrive.server, "GET", path, token=key)
        except native.Refused as error:
            return error.status
        return 200

    assert status(path) == 403
    assert thrive.send("POST", f"/audiences/{child['id']}/managers", [manager(user["ref"], "canViewLearnPage")]).status_code == 200
    assert status(path) == 200
    assert [item["record"]["reference"] for item in native.call(thrive.server, "GET", path, token=key)["items"]] == [member["ref"]]
    assert status(f"/audiences/{scene.native_id(elsewhere['id'])}/members") == 403
    # To see is not to change.
    with pytest.raises(native.Refused) as caught:
        native.call(thrive.server, "POST", f"{path}/add", {"kind": "email", "values": ["a@example.com"]}, token=key)
    assert caught.value.status == 403
    assert thrive.send("DELETE", f"/audiences/{child['id']}/managers/{user['ref']}").status_code == 200
    assert status(path) == 403
