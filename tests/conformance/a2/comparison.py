"""Compares two answers place by place, and knows the differences that are meant, each with its reason.

A difference that no row of DIFFERENCES allows fails the test. A row is no hole: `allowed` still says what must hold
there. A row that no case needs any more fails test_every_difference_is_still_needed.
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from a2.client import location
from support.web import Answer

# What a client looks at. Not: date, server, content-length, connection, and headers that only Throng has, such as
# cache-control, x-request-id and RateLimit.
HEADERS = ("content-type", "www-authenticate", "allow")
TOKEN_SECONDS = 3600
SLACK_SECONDS = 60


class Absent:
    def __repr__(self) -> str:
        return "(absent)"


ABSENT: Any = Absent()


@dataclass(frozen=True)
class Mismatch:
    # "status", "header NAME", "cookie NAME", or the way into the body: "body.detail.0.msg".
    place: str
    reference: Any
    throng: Any


@dataclass(frozen=True)
class Difference:
    # Patterns of fnmatch over the case's name and the place; * stands for every case.
    case: str
    place: str
    reason: str
    # What must hold of the library's value and Throng's all the same.
    allowed: Callable[[Any, Any], bool]

    def covers(self, case: str, mismatch: Mismatch) -> bool:
        return fnmatchcase(case, self.case) and fnmatchcase(mismatch.place, self.place) and self.allowed(mismatch.reference, mismatch.throng)


def is_uuid(value: Any) -> bool:
    try:
        return str(uuid.UUID(value)) == value
    except (TypeError, ValueError, AttributeError):
        return False


def decode(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a JWT, unverified: the client's view of it."""
    header, claims, _ = token.split(".")
    return tuple(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in (header, claims))  # type: ignore[return-value]


def same_kind_of_token(reference: str, throng: str) -> bool:
    """As a client that looks into its token finds it: the same algorithm and audience, a UUID, the same life. Throng's may
    name its key and its session beside."""
    (expected_header, expected), (header, claims) = decode(reference), decode(throng)
    return (
        {**header, **expected_header} == header
        and claims["aud"] == expected["aud"]
        and is_uuid(claims["sub"])
        and abs(claims["exp"] - expected["exp"]) < SLACK_SECONDS
        and abs(claims["exp"] - time.time() - TOKEN_SECONDS) < SLACK_SECONDS
    )


def both(check: Callable[[Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda reference, throng: check(reference) and check(throng)


def text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


DIFFERENCES = (
    Difference("*", "body.id", "an id is the server's own: the library draws a random UUID, Throng renders its number as one of version 8", both(is_uuid)),
    Difference("*", "body.access_token", "a token is the server's own; its header may have kid and its claims a session, so that it can be ended and its key rotated", same_kind_of_token),
    Difference(
        "email: *",
        "body.detail.0.ctx",
        "where the sentence is not email-validator's, it is not repeated as the reason",
        lambda reference, throng: throng is ABSENT,
    ),
    Difference(
        "*",
        "body.preferences.notification_methods_data.slack",
        "the documentation's default is a masked address, <SLACK_WEBHOOK_URL>; Throng may have an empty one instead",
        lambda reference, throng: throng in ("", reference),
    ),
    Difference("password: *", "body.detail.reason", "the library leaves the sentence to the application", both(text)),
    Difference(
        "email: *",
        "body.detail.*.msg",
        "after its fixed beginning the sentence is email-validator's, one for each thing that can be wrong with an address",
        both(lambda value: str(value).startswith("value is not a valid email address: ")),
    ),
    # An explicit null for the e-mail of a user crashes the library: email.lower() of None.
    Difference("null e-mail in an update", "status", "the library crashes on it (500); it is a client's mistake: 422", lambda reference, throng: (reference, throng) == (500, 422)),
    Difference("null e-mail in an update", "header content-type", "the library's 500 is plain text", lambda reference, throng: throng == "application/json"),
    Difference("null e-mail in an update", "body*", "the library's 500 has no JSON", lambda reference, throng: [error["loc"] for error in throng["detail"]] == [["body", "email"]]),
    # security.md, 4: sign-out and a password change really end a token.
    Difference("after * the token is ended", "status", "the library's tokens know no end before their time; here signing out and changing or resetting a password end them", lambda reference, throng: (reference, throng) == (200, 401)),
    Difference("after * the token is ended", "body*", "as the status", lambda reference, throng: throng == {"detail": "Unauthorized"}),
)


def walk(reference: Any, throng: Any, place: str) -> Iterator[Mismatch]:
    if isinstance(reference, dict) and isinstance(throng, dict):
        for name in sorted({*reference, *throng}):
            yield from walk(reference.get(name, ABSENT), throng.get(name, ABSENT), f"{place}.{name}")
    elif isinstance(reference, list) and isinstance(throng, list) and len(reference) == len(throng):
        for index, pair in enumerate(zip(reference, throng, strict=True)):
            yield from walk(*pair, f"{place}.{index}")
    # 1 == True in Python, and 0 == 0.0 in JSON.
    elif isinstance(reference, bool) is not isinstance(throng, bool) or reference != throng:
        yield Mismatch(place, reference, throng)


def place_of(error: Any) -> str:
    return json.dumps(error.get("loc") if isinstance(error, dict) else None)


def walk_body(reference: Any, throng: Any) -> Iterator[Mismatch]:
    details = [body.get("detail") if isinstance(body, dict) else None for body in (reference, throng)]
    if all(isinstance(detail, list) for detail in details):
        orders = [[place_of(error) for error in detail] for detail in details]
        if orders[0] != orders[1]:
            yield Mismatch("order of body.detail", *orders)
        # Matched by place, so that one missing error is reported as such and not as a shift of all others.
        if sorted(orders[0]) == sorted(orders[1]):
            reference, throng = ({**body, "detail": sorted(body["detail"], key=place_of)} for body in (reference, throng))
    # Whole bodies of another kind: one mismatch, so that a row can speak of the body as such.
    if isinstance(reference, dict) and isinstance(throng, dict) and not {*reference} & {*throng}:
        yield Mismatch("body", reference, throng)
    else:
        yield from walk(reference, throng, "body")


def body_of(answer: Answer) -> Any:
    if not answer.body:
        return ABSENT
    try:
        return answer.json
    except ValueError:
        return answer.body


def cookies(answer: Answer) -> dict[str, list[str]]:
    """Each cookie's attributes, lower-case and in order; its value is the server's own."""
    found = {}
    for line in answer.headers.get_all("set-cookie") or []:
        pair, *attributes = (part.strip() for part in line.split(";"))
        found[pair.partition("=")[0]] = sorted(attribute.lower() for attribute in attributes)
    return found


def compare(reference: Answer, throng: Answer, bases: tuple[str, str]) -> list[Mismatch]:
    """Every place in which two answers differ."""
    found: list[Mismatch] = []
    if reference.status != throng.status:
        found.append(Mismatch("status", reference.status, throng.status))
    for name in HEADERS:
        values = [answer.headers.get(name, ABSENT) for answer in (reference, throng)]
        if values[0] != values[1]:
            found.append(Mismatch(f"header {name}", *values))
    places = [location(answer, base) for answer, base in zip((reference, throng), bases, strict=True)]
    if places[0] != places[1]:
        found.append(Mismatch("header location", *places))
    baked = [cookies(answer) for answer in (reference, throng)]
    for name in sorted({*baked[0], *baked[1]}):
        values = [each.get(name, ABSENT) for each in baked]
        if values[0] != values[1]:
            found.append(Mismatch(f"cookie {name}", *values))
    return [*found, *walk_body(body_of(reference), body_of(throng))]


def judge(case: str, mismatches: list[Mismatch], table: tuple[Difference, ...] = DIFFERENCES) -> tuple[list[Mismatch], set[Difference]]:
    """The mismatches that no row allows, and the rows that were needed."""
    unexplained: list[Mismatch] = []
    needed: set[Difference] = set()
    for mismatch in mismatches:
        rows = [row for row in table if row.covers(case, mismatch)]
        needed.update(rows)
        if not rows:
            unexplained.append(mismatch)
    return unexplained, needed


def report(case: str, mismatches: list[Mismatch], reference: Answer, throng: Answer) -> str:
    lines = [f"{case}: Throng differs from FastAPI-Users in {len(mismatches)} places that comparison.DIFFERENCES does not allow"]
    lines += [f"  {mismatch.place}: FastAPI-Users {mismatch.reference!r}, Throng {mismatch.throng!r}" for mismatch in mismatches]
    lines += [f"FastAPI-Users: {reference.status} {reference.body[:1500]!r}", f"Throng: {throng.status} {throng.body[:1500]!r}"]
    return "\n".join(lines)
