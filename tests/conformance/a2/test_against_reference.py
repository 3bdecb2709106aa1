"""The same requests to FastAPI-Users and to Throng: status, the headers that matter, and the body field by field.

The requests are cases.CASES; what may differ, and why, is comparison.DIFFERENCES.
"""

from __future__ import annotations

from typing import Any

import pytest

from a2.cases import CASES, Case
from a2.client import ReferenceA2, ThrongA2, unique_email
from a2.comparison import DIFFERENCES, Difference, Mismatch, compare, judge, report
from support.web import Answer

# The rows that the cases of this worker have needed so far, and the cases that it has run.
needed: set[Difference] = set()
ran: set[str] = set()


def run(case: Case, reference: ReferenceA2, a2: ThrongA2) -> tuple[Answer, Answer, list[Mismatch]]:
    email = unique_email()
    answers = case.story(reference, email), case.story(a2, email)
    unexplained, rows = judge(case.name, compare(*answers, (reference.base, a2.base)))
    needed.update(rows)
    ran.add(case.name)
    return *answers, unexplained


def cells(case: Case) -> Any:
    return pytest.param(case, id=case.name, marks=pytest.mark.conformance(operation=case.operation, status=case.status))


@pytest.mark.parametrize("case", [cells(case) for case in CASES])
def test_throng_answers_as_fastapi_users_does(case: Case, reference: ReferenceA2, a2: ThrongA2) -> None:
    theirs, ours, unexplained = run(case, reference, a2)
    assert theirs.status == (case.reference_status or case.status), f"the library answers {theirs.status}: {theirs.text}"
    assert not unexplained, report(case.name, unexplained, theirs, ours)
    assert ours.status == case.status
    a2.server.assert_alive()


@pytest.mark.conformance(operation="register", status=201)
def test_every_difference_is_still_needed(reference: ReferenceA2, a2: ThrongA2) -> None:
    """A row that nothing needs is a permission to differ that nobody has looked at."""
    for case in CASES:
        if case.name not in ran:
            run(case, reference, a2)
    unneeded = [f"{row.case} at {row.place}: {row.reason}" for row in DIFFERENCES if row not in needed]
    assert not unneeded, "rows of comparison.DIFFERENCES that no case needs any more:\n" + "\n".join(unneeded)
