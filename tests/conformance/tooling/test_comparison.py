"""That the comparison of A2 can be believed: the library does not differ from itself, and every kind of difference is seen."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from email.message import Message
from http.client import HTTPMessage
from pathlib import Path
from typing import Any

import pytest

from a2.cases import CASES, Case
from a2.client import ReferenceA2, unique_email
from a2.comparison import Difference, compare, judge, report
from a2.reference import Reference
from support.web import Answer

BASES = ("http://127.0.0.1:1", "http://127.0.0.1:2/a2")


@pytest.fixture(scope="module")
def twins(new_folder: Callable[[], Path]) -> Iterator[tuple[ReferenceA2, ReferenceA2]]:
    processes = [Reference(new_folder()) for _ in range(2)]
    yield ReferenceA2(processes[0]), ReferenceA2(processes[1])
    for process in processes:
        process.stop()


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_the_library_does_not_differ_from_itself(case: Case, twins: tuple[ReferenceA2, ReferenceA2]) -> None:
    """In any place but the ids and the tokens that each draws for itself."""
    email = unique_email()
    answers = [case.story(server, email) for server in twins]
    assert answers[0].status == (case.reference_status or case.status), answers[0].text
    found = compare(answers[0], answers[1], (twins[0].base, twins[1].base))
    assert {mismatch.place for mismatch in found} <= {"body.id", "body.access_token"}, report(case.name, found, *answers)
    assert not judge(case.name, found)[0], report(case.name, found, *answers)


def answer(status: int = 200, body: Any = None, **headers: str | list[str]) -> Answer:
    message: Message = HTTPMessage()
    message["content-type"] = "application/json"
    for name, values in headers.items():
        del message[name.replace("_", "-")]
        for value in [values] if isinstance(values, str) else values:
            message[name.replace("_", "-")] = value
    return Answer(status, message, json.dumps(body).encode())  # type: ignore[arg-type]


def errors(*locs: str, **more: Any) -> dict[str, Any]:
    return {"detail": [{"type": "missing", "loc": ["body", loc], "msg": "Field required", "input": {}, **more} for loc in locs]}


@pytest.mark.parametrize(
    ("theirs", "ours", "places"),
    [
        (answer(200), answer(201), ["status"]),
        (answer(), answer(content_type="application/json; charset=utf-8"), ["header content-type"]),
        (answer(401), answer(401, www_authenticate="Bearer"), ["header www-authenticate"]),
        (answer(405, allow="POST"), answer(405), ["header allow"]),
        (answer(307, location=BASES[0] + "/users/me"), answer(307, location="/a2/users/me"), []),
        (answer(307, location=BASES[0] + "/users/me"), answer(307, location="/users/me"), ["header location"]),
        (answer(307, location=BASES[0] + "/users/me"), answer(307, location="http://evil.example/users/me"), ["header location"]),
        (answer(set_cookie="a=1; HttpOnly; Secure"), answer(set_cookie="a=2; secure; httponly"), []),
        (answer(set_cookie="a=1; HttpOnly; Secure"), answer(set_cookie="a=1; HttpOnly"), ["cookie a"]),
        (answer(), answer(set_cookie=["a=1", "b=1"]), ["cookie a", "cookie b"]),
        (answer(body={"a": 0.0}), answer(body={"a": 0}), []),
        (answer(body={"a": 0}), answer(body={"a": False}), ["body.a"]),
        (answer(body={"a": None, "b": 1}), answer(body={"b": 1}), ["body.a"]),
        (answer(body={"b": 1}), answer(body={"a": None, "b": 1}), ["body.a"]),
        (answer(body={"a": {"b": [1, 2]}}), answer(body={"a": {"b": [1, 3]}}), ["body.a.b.1"]),
        (answer(body={"a": [1]}), answer(body={"a": [1, 2]}), ["body.a"]),
        (answer(body={"id": 1, "email": "x"}), answer(body={"detail": "Unauthorized"}), ["body"]),
        (answer(422, errors("a", "b")), answer(422, errors("b", "a")), ["order of body.detail"]),
        (answer(422, errors("a", "b")), answer(422, errors("a")), ["order of body.detail", "body.detail"]),
        (answer(422, errors("a")), answer(422, errors("a", msg="field required")), ["body.detail.0.msg"]),
        (answer(422, errors("a")), answer(422, errors("a", type="value_error")), ["body.detail.0.type"]),
        (answer(422, errors("a")), answer(422, errors("a", input=None)), ["body.detail.0.input"]),
        (answer(422, errors("a")), answer(422, errors("a", url="https://errors.pydantic.dev")), ["body.detail.0.url"]),
    ],
)
def test_a_difference_is_seen(theirs: Answer, ours: Answer, places: list[str]) -> None:
    assert [mismatch.place for mismatch in compare(theirs, ours, BASES)] == places


def test_an_empty_body_is_not_null() -> None:
    assert [mismatch.place for mismatch in compare(answer(202), Answer(202, answer().headers, b""), BASES)] == ["body"]


def test_a_row_allows_its_case_and_place_and_no_more() -> None:
    row = Difference("known: *", "status", "a reason", lambda theirs, ours: (theirs, ours) == (500, 422))
    explained = compare(answer(500), answer(422), BASES)
    assert judge("known: one", explained, (row,)) == ([], {row})
    assert judge("another", explained, (row,)) == (explained, set())
    for other in (answer(400), answer(422, allow="GET"), answer(422, {"a": 1})):
        assert judge("known: one", compare(answer(500), other, BASES), (row,))[0], other
    assert judge("known: one", compare(answer(200), answer(422), BASES), (row,))[0]
