"""What is no question, or too large a one: refused at once with a problem, while others are answered."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import pytest

from support import native, web
from support.process import Throng

# Far more than a refusal needs, even where three suites share two cores.
REFUSED_SECONDS = 10
OTHERS_SECONDS = 2


def deep(depth: int, word: str = "not") -> bytes:
    """Written by hand: Python's own writer does not nest so deep."""
    if word == "not":
        return b'{"expression":' + b'{"not":' * depth + b'{"audience":1}' + b"}" * depth + b"}"
    return b'{"expression":' + f'{{"{word}":['.encode() * depth + b'{"audience":1}' + b"]}" * depth + b"}"


def asked(**body: object) -> bytes:
    return json.dumps(body).encode()


MILLION = b'{"expression":{"any":[' + b",".join([b'{"audience":1}'] * 1_000_000) + b"]}}"
REACH = {
    "10,000 deep": deep(10_000),
    "65 deep": deep(65),
    "100,000 lists deep": deep(100_000, "all"),
    "a million operands": MILLION,
    "10,001 operands": asked(expression={"any": [{"audience": 1}] * 10_001}),
    "brackets 10,000 deep": asked(text="(" * 10_000 + "#1" + ")" * 10_000),
    "not 10,000 times": asked(text="not " * 8_000 + "#1"),
    "brackets that do not close": asked(text="(" * 10_000),
    "a text without an end": asked(text="#1 and"),
    "a quote without an end": asked(text='"newsletter'),
    "a text that is too long": asked(text="#1 or " * 100_000 + "#1"),
    "an empty text": asked(text=""),
    "words without an operator": asked(text="#1 #2"),
    "a number that is too large": asked(text="#99999999999999999999999"),
    "an unknown channel": asked(text="channel:pigeon"),
    "an unknown kind": asked(expression={"identifier": "soul"}),
    "an unknown id": asked(expression={"audience": 2**52}),
    "an unknown name": asked(text="nobody-has-this-name"),
    "an unknown name in a list": asked(expression={"any": [{"audience": "nobody-has-this-name"}] * 9_000}),
    "a negative id": asked(expression={"audience": -100}),
    "an id of 64 bits": asked(expression={"audience": 2**64}),
    "an id of 400 digits": b'{"expression":{"audience":' + b"9" * 400 + b"}}",
    "an infinite id": b'{"expression":{"audience":1e400}}',
    "a fraction": asked(expression={"audience": 1.5}),
    "no object": asked(expression=7),
    "an object of two": asked(expression={"audience": 1, "not": {"audience": 2}}),
    "an empty object": asked(expression={}),
    "not of a list": asked(expression={"not": [{"audience": 1}]}),
    "all of an object": asked(expression={"all": {"audience": 1}}),
    "another word": asked(expression={"most": [{"audience": 1}]}),
    "null": asked(expression=None),
    "neither": b"{}",
    "both": asked(expression={"audience": 1}, text="#1"),
    "another field": asked(expression={"audience": 1}, limit=5),
    "a list": b"[]",
    "a cut body": b'{"expression":{"audience":',
    "nothing": b"",
    "no UTF-8": b'{"text":"\xff\xfe"}',
}
OVERLAP = {
    "a million": b'{"audiences":[' + b",".join([b"1"] * 1_000_000) + b"]}",
    "257": asked(audiences=[1] * 257),
    "none": asked(audiences=[]),
    "regions of seven": asked(audiences=[1, 2, 3, 4, 5, 6, 7], regions=True),
    "against 1,001": asked(audience=1, against=[1] * 1_001),
    "against none": asked(audience=1, against=[]),
    "unknown ones": asked(audiences=[2**52, 2**51]),
    "wrong types": asked(audiences=[True, None, 1.5, {}, []]),
    "no list": asked(audiences=5),
    "one alone": asked(audience=1),
    "both questions": asked(audiences=[1], audience=1, against=[1]),
    "regions that are no truth value": asked(audiences=[1], regions="yes"),
}
LOOKUP = {
    "1,001 values": asked(kind="email", values=["a@example.org"] * 1_001),
    "a million values": asked(kind="email", values=["a@example.org"] * 1_000_000),
    "an unknown kind": asked(kind="soul", values=["a"]),
    "no values": asked(kind="email"),
    "wrong types": asked(kind="email", values=[1, None, {}]),
    "a limit of none": asked(kind="email", values=["a@example.org"], limit=0),
    "a limit that is too large": asked(kind="email", values=["a@example.org"], limit=2**31),
    "a page that is no number": asked(kind="email", values=["a@example.org"], after="x"),
    "nothing": b"",
}
ALL = [(path, name, body) for path, bodies in (("/reach", REACH), ("/overlap", OVERLAP), ("/people/lookup", LOOKUP)) for name, body in bodies.items()]


class Others:
    """Somebody who asks a small question again and again, and the longest that an answer took."""

    def __init__(self, server: Throng) -> None:
        self.server, self.stop = server, threading.Event()
        self.times: list[float] = []
        self.failed: list[str] = []
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self) -> None:
        while not self.stop.is_set():
            begun = time.monotonic()
            try:
                native.call(self.server, "POST", "/reach", {"expression": {"all": []}})
            except Exception as error:  # noqa: BLE001 - the test names whatever it was
                self.failed.append(repr(error))
            self.times.append(time.monotonic() - begun)


@pytest.fixture
def others(server: Throng) -> Iterator[Others]:
    others = Others(server)
    others.thread.start()
    yield others
    others.stop.set()
    others.thread.join()
    assert not others.failed, others.failed[:3]
    assert others.times and max(others.times) < OTHERS_SECONDS, f"somebody else waited {max(others.times):.2f} s"


def send(server: Throng, path: str, body: bytes) -> web.Answer:
    base = server.ready["native"]
    headers = {"Authorization": f"Bearer {base['token']}", "Content-Type": "application/json"}
    try:
        return web.request("POST", base["base"] + path, headers=headers, body=body, seconds=REFUSED_SECONDS)
    except (BrokenPipeError, ConnectionResetError):
        # A body over the limit may be refused before it is all sent; who sends on regardless does not hear why.
        assert len(body) > 1_000_000, path
        return web.request("POST", base["base"] + path, headers=headers | {"Content-Length": str(len(body))}, body=None, seconds=REFUSED_SECONDS)


@pytest.mark.parametrize(("path", "name", "body"), ALL, ids=[f"{path[1:]}: {name}" for path, name, _ in ALL])
def test_it_is_refused_at_once(server: Throng, others: Others, path: str, name: str, body: bytes) -> None:
    begun = time.monotonic()
    answer = send(server, path, body)
    taken = time.monotonic() - begun
    assert 400 <= answer.status < 500, f"{name}: {answer.status} {answer.text[:300]}"
    assert answer.media_type == "application/problem+json", answer.media_type
    problem = answer.json
    assert problem["status"] == answer.status and problem["title"], problem
    assert len(answer.body) < 20_000, "a problem does not repeat what was sent"
    assert taken < REFUSED_SECONDS


def test_what_is_unknown_to_a_lookup_is_no_error(server: Throng) -> None:
    (row,) = native.call(server, "POST", "/people/lookup", {"kind": "email", "values": ["nobody-at-all@example.org"]})["people"]
    assert (row["known"], row["total"]) == (False, 0)


def test_large_questions_are_answered(server: Throng, others: Others) -> None:
    """The largest that are allowed."""
    structure = native.call(server, "POST", "/structures", {"name": "Large questions"})["id"]
    audience = native.audience_create(server, structure, "large questions")
    native.call(server, "POST", f"/audiences/{audience}/members/add", {"kind": "email", "values": ["large@example.org"]})
    wide = {"any": [{"audience": audience}] * 9_999}
    assert native.call(server, "POST", "/reach", {"expression": wide})["people"] == 1
    deepest: dict = {"audience": audience}
    for _ in range(62):
        deepest = {"not": deepest}
    assert native.call(server, "POST", "/reach", {"expression": deepest})["people"] == 1
    matrix = native.call(server, "POST", "/overlap", {"audiences": [audience] * 256})["matrix"]
    assert matrix == [[1] * 256] * 256
    against = native.call(server, "POST", "/overlap", {"audience": audience, "against": [audience] * 1_000})["against"]
    assert [row["overlap"] for row in against] == [1] * 1_000
