"""Adding and removing users: which identifiers are valid, which are the same person, and how lines are counted."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence

import pytest

from criteo.client import Criteo, refused
from support import native

IDENTIFIERS_MAX = 50_000
SAMPLE_MAX = 10

# The vendor's own example.
PLAIN = "john.doe@gmail.com"
MD5 = "e13743a7f1db7f4246badd6fd6ff54ff"
SHA256 = hashlib.sha256(PLAIN.encode()).hexdigest()
SHA256_OF_MD5 = "000e3171a5110c35c69d060112bd0ba55d9631c7c2ec93f1840e4570095b263a"


def emails(number: int, start: int = 0) -> list[str]:
    return [hashlib.sha256(f"person-{index}@example.com".encode()).hexdigest() for index in range(start, start + number)]


def check_the_vendors_example() -> None:
    """That the constants above are what they are called."""
    assert hashlib.md5(PLAIN.encode()).hexdigest() == MD5
    assert hashlib.sha256(MD5.encode()).hexdigest() == SHA256_OF_MD5
    assert SHA256.startswith("375320dd9ae7ed40")


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=200)
def test_four_forms_of_one_address_are_one_line(criteo: Criteo, audience: int) -> None:
    check_the_vendors_example()
    answer = criteo.add(audience, PLAIN, SHA256, SHA256_OF_MD5, MD5)
    assert (answer.nb_valid_identifiers, answer.nb_invalid_identifiers) == (4, 0)
    assert criteo.lines(audience) == (1, 1)


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=200)
@pytest.mark.parametrize("form", [SHA256, MD5, SHA256_OF_MD5, PLAIN], ids=["SHA-256", "MD5", "SHA-256 of MD5", "plain"])
def test_added_plain_and_removed_in_any_form(criteo: Criteo, audience: int, form: str) -> None:
    criteo.add(audience, PLAIN, "somebody.else@example.com")
    criteo.add(audience, form)
    assert criteo.lines(audience) == (2, 2)
    criteo.remove(audience, form)
    assert criteo.lines(audience) == (1, 1)


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=200)
def test_md5_and_its_sha256_are_one_line_without_the_address(criteo: Criteo, audience: int) -> None:
    md5 = hashlib.md5(uuid.uuid4().bytes).hexdigest()
    criteo.add(audience, md5)
    criteo.add(audience, hashlib.sha256(md5.encode()).hexdigest())
    assert criteo.lines(audience) == (1, 1)


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=200)
def test_an_address_is_trimmed_and_lower_cased(criteo: Criteo, audience: int) -> None:
    answer = criteo.add(audience, "  John.Doe@GMail.com\t", PLAIN, PLAIN.upper())
    assert answer.nb_invalid_identifiers == 0
    assert criteo.lines(audience) == (1, 1)


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=200)
def test_one_address_twice_in_one_call_is_one_line(criteo: Criteo, audience: int) -> None:
    criteo.add(audience, *["twice@example.com"] * 2, "once@example.com")
    assert criteo.lines(audience) == (2, 2)


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=200)
def test_invalid_identifiers_are_counted_and_sampled(criteo: Criteo, audience: int) -> None:
    """The vendor's example: an address without a top-level domain."""
    answer = criteo.add(audience, "abc@gmail.com", "def@gmail.com", "ghi@gmail.com", "jkl@gmail")
    assert (answer.nb_valid_identifiers, answer.nb_invalid_identifiers) == (3, 1)
    assert answer.sample_invalid_identifiers == ["jkl@gmail"]
    assert criteo.lines(audience) == (3, 3)


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=200)
def test_the_sample_has_at_most_ten(criteo: Criteo, audience: int) -> None:
    bad = [f"nobody-{index}" for index in range(SAMPLE_MAX * 3)]
    answer = criteo.add(audience, "valid@example.com", *bad)
    assert (answer.nb_valid_identifiers, answer.nb_invalid_identifiers) == (1, len(bad))
    assert len(answer.sample_invalid_identifiers) == SAMPLE_MAX
    assert set(answer.sample_invalid_identifiers) <= set(bad)


NOT_EMAILS = ["", " ", "@", "a@", "@example.com", "a@b@example.com", "no at sign", "a b@example.com", "jkl@gmail", MD5[:-1], SHA256 + "0", "g" * 32, "z" * 64, "a" * 2000 + "@example.com"]


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=200)
@pytest.mark.parametrize("bad", NOT_EMAILS, ids=[identifier[:20] or "empty" for identifier in NOT_EMAILS])
def test_not_an_email(criteo: Criteo, audience: int, bad: str) -> None:
    answer = criteo.add(audience, PLAIN, bad)
    assert (answer.nb_valid_identifiers, answer.nb_invalid_identifiers) == (1, 1), bad
    assert criteo.lines(audience) == (1, 1)


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=200)
def test_madid(criteo: Criteo, audience: int) -> None:
    first, second = (str(uuid.uuid4()) for _ in range(2))
    answer = criteo.add(audience, first, second, first.upper(), "not-a-uuid", schema="madid")
    assert (answer.schema, answer.nb_valid_identifiers, answer.nb_invalid_identifiers) == ("madid", 3, 1)
    assert criteo.lines(audience) == (2, 0)
    criteo.remove(audience, first, schema="madid")
    assert criteo.lines(audience) == (1, 0)


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=200)
def test_identity_link(criteo: Criteo, audience: int) -> None:
    answer = criteo.add(audience, "XY1000bXVBViT3F1", "Xi2000abcDEF", " ", "", schema="identityLink")
    assert (answer.schema, answer.nb_valid_identifiers, answer.nb_invalid_identifiers) == ("identityLink", 2, 2)
    assert criteo.lines(audience) == (2, 0)


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=200)
def test_gum_ids_belong_to_their_caller(criteo: Criteo, audience: int) -> None:
    answer = criteo.add(audience, "k-1", "k-2", schema="gum", gum_caller_id=42)
    assert (answer.schema, answer.nb_valid_identifiers) == ("gum", 2)
    assert criteo.lines(audience) == (2, 0)
    criteo.add(audience, "k-1", schema="gum", gum_caller_id=43)
    assert criteo.lines(audience) == (3, 0)
    criteo.remove(audience, "k-1", schema="gum", gum_caller_id=42)
    assert criteo.lines(audience) == (2, 0)


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=200)
def test_schemas_do_not_share_identifiers(criteo: Criteo, audience: int) -> None:
    same = str(uuid.uuid4())
    criteo.add(audience, same, schema="madid")
    criteo.add(audience, same, schema="identityLink")
    criteo.add(audience, same, schema="gum", gum_caller_id=1)
    assert criteo.lines(audience) == (3, 0)


@pytest.mark.conformance(operation="get_audiences", status=200)
def test_lines_count_persons_and_email_lines_those_with_an_email(criteo: Criteo, audience: int) -> None:
    criteo.add(audience, "ann@example.com", "bob@example.com", "cid@example.com")
    criteo.add(audience, str(uuid.uuid4()), str(uuid.uuid4()), schema="madid")
    assert criteo.lines(audience) == (5, 3)
    found = criteo.get(audience)
    assert found is not None and 0 <= found.nb_matches_email <= found.nb_lines_email
    criteo.remove(audience, "ann@example.com")
    assert criteo.lines(audience) == (4, 2)
    criteo.empty(audience)
    assert criteo.lines(audience) == (0, 0)


@pytest.mark.conformance(operation="get_audiences", status=200)
def test_email_matches_are_those_known_by_something_else_too(criteo: Criteo, audience: int) -> None:
    """Who has a mobile advertising id beside the address was told to the native API; both APIs see the same people."""
    people = [
        [{"kind": "email", "value": f"{uuid.uuid4().hex}@example.com"}, {"kind": "mobile_ad", "value": str(uuid.uuid4())}],
        [{"kind": "email", "value": f"{uuid.uuid4().hex}@example.com"}],
        [{"kind": "mobile_ad", "value": str(uuid.uuid4())}],
    ]
    native.call(criteo.server, "POST", f"/audiences/{audience}/members/add", {"people": people})
    found = criteo.get(audience)
    assert found is not None
    assert (found.nb_lines, found.nb_lines_email, found.nb_matches_email) == (3, 2, 1)
    # The vendor's API finds the first of them by either identifier.
    criteo.remove(audience, people[0][1]["value"], schema="madid")
    found = criteo.get(audience)
    assert found is not None
    assert (found.nb_lines, found.nb_lines_email, found.nb_matches_email) == (2, 1, 0)


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=400)
@pytest.mark.parametrize("schema", ["gum", "GUM"])
def test_gum_needs_its_caller(criteo: Criteo, audience: int, schema: str) -> None:
    with refused(400):
        criteo.patch(audience, "add", ["k-1"], schema)
    assert criteo.lines(audience) == (0, 0)


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=400)
@pytest.mark.parametrize("schema", ["email", "madid", "identityLink"])
def test_a_gum_caller_with_another_schema(criteo: Criteo, audience: int, schema: str) -> None:
    with refused(400):
        criteo.patch(audience, "add", [str(uuid.uuid4()), PLAIN], schema, 42)
    assert criteo.lines(audience) == (0, 0)


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=400)
@pytest.mark.parametrize("operation", [None, "", "replace", "ADD ", "delete"])
def test_an_unknown_operation(criteo: Criteo, audience: int, operation: str | None) -> None:
    with refused(400):
        criteo.patch(audience, operation, [PLAIN])
    assert criteo.lines(audience) == (0, 0)


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=400)
@pytest.mark.parametrize("schema", [None, "", "phone", "customerid"])
def test_an_unknown_schema(criteo: Criteo, audience: int, schema: str | None) -> None:
    with refused(400):
        criteo.patch(audience, "add", [PLAIN], schema)
    assert criteo.lines(audience) == (0, 0)


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=400)
@pytest.mark.parametrize("operation", ["add", "remove"])
@pytest.mark.parametrize(
    "identifiers",
    [None, [], ["jkl@gmail"], ["jkl@gmail", "", "x" * 64]],
    ids=["absent", "empty", "one invalid", "all invalid"],
)
def test_no_valid_identifier(criteo: Criteo, audience: int, operation: str, identifiers: Sequence[str] | None) -> None:
    criteo.add(audience, PLAIN)
    with refused(400):
        criteo.patch(audience, operation, identifiers)
    assert criteo.lines(audience) == (1, 1)


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=200)
def test_as_many_identifiers_as_one_call_may_have(criteo: Criteo, audience: int) -> None:
    answer = criteo.add(audience, *emails(IDENTIFIERS_MAX))
    assert (answer.nb_valid_identifiers, answer.nb_invalid_identifiers) == (IDENTIFIERS_MAX, 0)
    assert criteo.lines(audience) == (IDENTIFIERS_MAX, IDENTIFIERS_MAX)
    # Half of them again, half new; then the old half goes.
    criteo.add(audience, *emails(IDENTIFIERS_MAX, start=IDENTIFIERS_MAX // 2))
    assert criteo.lines(audience) == (IDENTIFIERS_MAX * 3 // 2,) * 2
    criteo.remove(audience, *emails(IDENTIFIERS_MAX))
    assert criteo.lines(audience) == (IDENTIFIERS_MAX // 2,) * 2


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=400)
def test_more_identifiers_than_one_call_may_have(criteo: Criteo, audience: int) -> None:
    with refused(400):
        criteo.add(audience, *emails(IDENTIFIERS_MAX + 1))
    assert criteo.lines(audience) == (0, 0)
