"""The life of an audience: created, listed, filled, renamed, emptied, deleted, and what is refused on the way."""

from __future__ import annotations

import time
from datetime import datetime, timezone

import pytest
from criteo_marketing import AudienceCreateRequest

from criteo.client import Criteo, refused, unique

NAME_CHARACTERS_MAX = 255


@pytest.mark.conformance(operation="create_audience", status=200)
def test_create_answers_a_new_id(criteo: Criteo) -> None:
    first, second = criteo.create(), criteo.create()
    assert isinstance(first, int) and first > 0
    assert first != second


@pytest.mark.conformance(operation="create_audience", status=200)
@pytest.mark.conformance(operation="get_audiences", status=200)
def test_a_created_audience_is_listed_with_all_its_fields(criteo: Criteo) -> None:
    name, before = unique(), int(time.time())
    audience_id = criteo.create(name, "who bought shoes, or: Schuhkäufer 靴")
    after = int(time.time())
    found = criteo.get(audience_id)
    assert found is not None
    assert found.advertiser_id == criteo.advertiser_id
    assert found.name == name
    assert found.description == "who bought shoes, or: Schuhkäufer 靴"
    # Unix seconds, neither text nor milliseconds.
    assert before <= found.created <= after
    assert before <= found.updated <= after
    assert (found.nb_lines, found.nb_lines_email, found.nb_matches_email) == (0, 0, 0)


@pytest.mark.conformance(operation="create_audience", status=200)
def test_create_without_a_description(criteo: Criteo) -> None:
    found = criteo.get(criteo.create())
    assert found is not None and not found.description


@pytest.mark.conformance(operation="create_audience", status=200)
def test_create_with_the_longest_name(criteo: Criteo) -> None:
    name = unique("ä").ljust(NAME_CHARACTERS_MAX, "é")
    found = criteo.get(criteo.create(name))
    assert found is not None and found.name == name


@pytest.mark.conformance(operation="create_audience", status=400)
@pytest.mark.parametrize("name", [None, "", "   ", "\t\n"], ids=["absent", "empty", "blank", "tab"])
def test_create_without_a_name(criteo: Criteo, name: str | None) -> None:
    with refused(400):
        criteo.audiences.create_audience(criteo.authorization, AudienceCreateRequest(advertiser_id=criteo.advertiser_id, name=name))


@pytest.mark.conformance(operation="create_audience", status=400)
def test_create_without_an_advertiser(criteo: Criteo) -> None:
    name = unique()
    with refused(400):
        criteo.audiences.create_audience(criteo.authorization, AudienceCreateRequest(name=name))
    assert name not in [audience.name for audience in criteo.list()]


@pytest.mark.conformance(operation="create_audience", status=400)
def test_create_with_an_empty_request(criteo: Criteo) -> None:
    with refused(400):
        criteo.audiences.create_audience(criteo.authorization, AudienceCreateRequest())


@pytest.mark.conformance(operation="create_audience", status=409)
def test_create_with_a_name_in_use(criteo: Criteo) -> None:
    name = unique()
    criteo.create(name)
    with refused(409, "name-must-be-unique"):
        criteo.create(name)
    assert [audience.name for audience in criteo.list()].count(name) == 1


@pytest.mark.conformance(operation="create_audience", status=200)
@pytest.mark.conformance(operation="delete_audience", status=204)
def test_a_deleted_audience_frees_its_name(criteo: Criteo) -> None:
    name = unique()
    first = criteo.create(name)
    criteo.delete(first)
    assert criteo.create(name) != first


@pytest.mark.conformance(operation="get_audiences", status=200)
def test_list_without_an_advertiser_holds_the_whole_portfolio(criteo: Criteo, audience: int) -> None:
    whole = criteo.list()
    portfolio = {entry.advertiser_id for entry in criteo.portfolio.get_portfolio(criteo.authorization)}
    assert {found.advertiser_id for found in whole} <= portfolio
    of_advertisers = [found.id for advertiser in portfolio for found in criteo.list(advertiser)]
    assert sorted(found.id for found in whole) == sorted(of_advertisers)
    assert audience in of_advertisers


@pytest.mark.conformance(operation="get_audiences", status=200)
def test_list_is_of_one_advertiser_only(criteo: Criteo, audience: int) -> None:
    found = criteo.list(criteo.advertiser_id)
    assert audience in [entry.id for entry in found]
    assert {entry.advertiser_id for entry in found} == {criteo.advertiser_id}


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=200)
def test_add_and_remove_answer_what_was_recorded(criteo: Criteo, audience: int) -> None:
    before = datetime.now(timezone.utc)
    answer = criteo.add(audience, "ann@example.com", "bob@example.com")
    after = datetime.now(timezone.utc)
    assert (answer.operation, answer.schema) == ("add", "email")
    assert (answer.nb_valid_identifiers, answer.nb_invalid_identifiers) == (2, 0)
    assert not answer.sample_invalid_identifiers
    # The vendor's example has milliseconds and a zone, so either end may be cut off by one.
    assert answer.request_date.tzinfo is not None
    assert before.timestamp() - 0.001 <= answer.request_date.timestamp() <= after.timestamp() + 0.001
    assert criteo.lines(audience) == (2, 2)

    answer = criteo.remove(audience, "ann@example.com")
    assert (answer.operation, answer.schema, answer.nb_valid_identifiers) == ("remove", "email", 1)
    assert criteo.lines(audience) == (1, 1)


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=200)
def test_add_a_present_and_remove_an_absent_identifier(criteo: Criteo, audience: int) -> None:
    for _ in range(2):
        assert criteo.add(audience, "ann@example.com").nb_valid_identifiers == 1
        assert criteo.lines(audience) == (1, 1)
    assert criteo.remove(audience, "nobody-has-this@example.com").nb_valid_identifiers == 1
    assert criteo.lines(audience) == (1, 1)


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=200)
def test_one_audience_does_not_change_another(criteo: Criteo) -> None:
    first, second = criteo.create(), criteo.create()
    criteo.add(first, "ann@example.com", "bob@example.com")
    criteo.add(second, "ann@example.com")
    criteo.remove(first, "ann@example.com")
    assert criteo.lines(first) == (1, 1)
    assert criteo.lines(second) == (1, 1)
    criteo.empty(first)
    assert criteo.lines(second) == (1, 1)


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=200)
def test_a_change_of_users_moves_updated_and_not_created(criteo: Criteo, audience: int) -> None:
    old = criteo.get(audience)
    criteo.add(audience, "ann@example.com")
    new = criteo.get(audience)
    assert old is not None and new is not None
    assert new.created == old.created
    assert new.updated >= old.updated


@pytest.mark.conformance(operation="update_audience_metadata", status=204)
def test_rename(criteo: Criteo, audience: int) -> None:
    name = unique()
    criteo.add(audience, "ann@example.com")
    _, status, _ = criteo.audiences.update_audience_metadata_with_http_info(audience, criteo.authorization, {"name": name, "description": "new"})
    assert status == 204
    found = criteo.get(audience)
    assert found is not None
    assert (found.name, found.description, found.nb_lines) == (name, "new", 1)


@pytest.mark.conformance(operation="update_audience_metadata", status=204)
def test_rename_answers_no_body(criteo: Criteo, audience: int) -> None:
    assert criteo.rename(audience, unique()) == ""


@pytest.mark.conformance(operation="update_audience_metadata", status=204)
def test_rename_to_its_own_name(criteo: Criteo) -> None:
    name = unique()
    audience = criteo.create(name)
    assert criteo.rename(audience, name, "described now") == ""
    found = criteo.get(audience)
    assert found is not None and (found.name, found.description) == (name, "described now")


@pytest.mark.conformance(operation="update_audience_metadata", status=204)
def test_rename_frees_the_old_name(criteo: Criteo) -> None:
    name = unique()
    criteo.rename(criteo.create(name), unique())
    assert criteo.create(name)


@pytest.mark.conformance(operation="update_audience_metadata", status=400)
@pytest.mark.parametrize("name", [None, "", "   "], ids=["absent", "empty", "blank"])
def test_rename_to_nothing(criteo: Criteo, name: str | None) -> None:
    old = unique()
    audience = criteo.create(old)
    with refused(400):
        criteo.rename(audience, name)
    found = criteo.get(audience)
    assert found is not None and found.name == old


@pytest.mark.conformance(operation="update_audience_metadata", status=409)
def test_rename_to_a_name_in_use(criteo: Criteo) -> None:
    taken, old = unique(), unique()
    criteo.create(taken)
    audience = criteo.create(old)
    with refused(409, "name-must-be-unique"):
        criteo.rename(audience, taken)
    found = criteo.get(audience)
    assert found is not None and found.name == old


@pytest.mark.conformance(operation="remove_users_from_audience", status=204)
def test_empty(criteo: Criteo, audience: int) -> None:
    criteo.add(audience, "ann@example.com", "bob@example.com")
    _, status, _ = criteo.audiences.remove_users_from_audience_with_http_info(audience, criteo.authorization)
    assert status == 204
    assert criteo.lines(audience) == (0, 0)
    # An empty audience can be emptied, and filled again.
    assert criteo.empty(audience) == ""
    criteo.add(audience, "ann@example.com")
    assert criteo.lines(audience) == (1, 1)


@pytest.mark.conformance(operation="delete_audience", status=204)
def test_delete(criteo: Criteo, audience: int) -> None:
    criteo.add(audience, "ann@example.com")
    _, status, _ = criteo.audiences.delete_audience_with_http_info(audience, criteo.authorization)
    assert status == 204
    assert criteo.get(audience) is None
    assert audience not in [found.id for found in criteo.list()]


@pytest.mark.conformance(operation="delete_audience", status=204)
def test_delete_answers_no_body(criteo: Criteo, audience: int) -> None:
    assert criteo.delete(audience) == ""
