"""Input that no well-meaning client sends: the right status in the vendor's shape, nothing stored, the process goes on."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from criteo_marketing import AudienceCreateRequest

from criteo.client import AUDIENCE_OPERATIONS, Criteo, assert_problem, refused, unique
from support import web

USERLIST = "/v1/audiences/userlist"
JSON, XML, FORM = "application/json", "application/xml", "application/x-www-form-urlencoded"
NAME_CHARACTERS_MAX = 255
HUGE_BYTES = 200 * 1024 * 1024
IDLE_CONNECTIONS = 2000
# Above the time that the server gives a body to arrive, with room for a busy machine.
STALLED_SECONDS = 120


@pytest.fixture(autouse=True)
def nothing_is_stored(criteo: Criteo, target: int) -> Iterator[None]:
    """Around every test of this file: the audiences are afterwards what they were before, and the server lives."""
    before = snapshot(criteo)
    yield
    criteo.server.assert_alive()
    assert snapshot(criteo) == before


@pytest.fixture(scope="module")
def target(criteo: Criteo) -> int:
    """An audience with a user, to be damaged if anything can."""
    audience = criteo.create(unique("target"), "as it was")
    criteo.add(audience, "ann@example.com")
    return audience


def snapshot(criteo: Criteo) -> list[dict[str, Any]]:
    return sorted((audience.to_dict() for audience in criteo.list()), key=lambda audience: audience["id"])


def assert_refused(answer: web.Answer, status: int = 400) -> None:
    assert answer.status == status, f"{answer.status} instead of {status}: {answer.text[:500]}"
    assert_problem(answer.body, status)


def create_body(criteo: Criteo, **changes: Any) -> bytes:
    return json.dumps({"advertiserId": criteo.advertiser_id, "name": unique(), **changes}).encode()


def patch_body(**changes: Any) -> bytes:
    return json.dumps({"operation": "add", "schema": "email", "identifiers": ["bob@example.com"], **changes}).encode()


MALFORMED_JSON = {
    "nothing": b"",
    "a blank": b" ",
    "cut off": b'{"advertiserId": 1, "name": "x',
    "a comma too many": b'{"advertiserId": 1, "name": "x",}',
    "single quotes": b"{'name': 'x'}",
    "two documents": b'{"name": "x"}{"name": "y"}',
    "something after": b'{"name": "x"} x',
    "NaN": b'{"advertiserId": NaN, "name": "x"}',
    "an array": b"[]",
    "a string": b'"x"',
    "a number": b"1",
    "null": b"null",
    "a NUL": b'{"advertiserId": 1, "name": "x\x00"}',
    "half a surrogate": b'{"advertiserId": 1, "name": "\\ud800"}',
    "not UTF-8": b'{"advertiserId": 1, "name": "\xff\xfe"}',
    "overlong UTF-8": b'{"advertiserId": 1, "name": "\xc0\xaf"}',
    "UTF-16": '{"advertiserId": 1, "name": "x"}'.encode("utf-16"),
    "a form": b"advertiserId=1&name=x",
    "XML": b"<AudienceCreateRequest/>",
    "100,000 open brackets": b"[" * 100_000,
    "100,000 open braces": b'{"a":' * 100_000,
    "100,000 brackets in a field": b'{"advertiserId": 1, "name": "x", "extra": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "100,000 brackets as identifiers": b'{"operation": "add", "schema": "email", "identifiers": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a number of 100,000 digits": b'{"name": "x", "advertiserId": ' + b"9" * 100_000 + b"}",
}


@pytest.mark.conformance(operation="create_audience", status=400)
@pytest.mark.parametrize("body", MALFORMED_JSON.values(), ids=MALFORMED_JSON)
def test_malformed_json_in_create(criteo: Criteo, body: bytes) -> None:
    own = body.replace(b'"advertiserId": 1,', f'"advertiserId": {criteo.advertiser_id},'.encode())
    assert_refused(criteo.raw("POST", USERLIST, own, content_type=JSON))


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=400)
@pytest.mark.parametrize("body", MALFORMED_JSON.values(), ids=MALFORMED_JSON)
def test_malformed_json_in_patch(criteo: Criteo, target: int, body: bytes) -> None:
    assert_refused(criteo.raw("PATCH", f"{USERLIST}/{target}", body, content_type=JSON))


@pytest.mark.conformance(operation="update_audience_metadata", status=400)
@pytest.mark.parametrize("name", [name for name in MALFORMED_JSON if name != "a number of 100,000 digits"])
def test_malformed_json_in_put(criteo: Criteo, target: int, name: str) -> None:
    """All but the number, which is in a field that this request does not have."""
    assert_refused(criteo.raw("PUT", f"/v1/audiences/{target}", MALFORMED_JSON[name], content_type=JSON))


DUPLICATES = {
    "name": b'{"advertiserId": %d, "name": "first", "name": "second"}',
    "advertiser": b'{"advertiserId": %d, "name": "x", "advertiserId": 1}',
    "escaped": b'{"advertiserId": %d, "name": "first", "n\\u0061me": "second"}',
}


@pytest.mark.conformance(operation="create_audience", status=400)
@pytest.mark.parametrize("body", DUPLICATES.values(), ids=DUPLICATES)
def test_a_field_twice_in_create(criteo: Criteo, body: bytes) -> None:
    assert_refused(criteo.raw("POST", USERLIST, body % criteo.advertiser_id, content_type=JSON))


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=400)
def test_a_field_twice_in_patch(criteo: Criteo, target: int) -> None:
    body = b'{"operation": "remove", "schema": "email", "identifiers": ["ann@example.com"], "operation": "add"}'
    assert_refused(criteo.raw("PATCH", f"{USERLIST}/{target}", body, content_type=JSON))


@pytest.mark.conformance(operation="update_audience_metadata", status=400)
def test_a_field_twice_in_put(criteo: Criteo, target: int) -> None:
    assert_refused(criteo.raw("PUT", f"/v1/audiences/{target}", b'{"name": "first", "name": "second"}', content_type=JSON))


WRONG_TYPES_OF_CREATE = [
    {"name": None}, {"name": 1}, {"name": True}, {"name": ["x"]}, {"name": {"x": 1}}, {"name": "x\0"},
    {"description": 1}, {"description": ["x"]},
    {"advertiserId": None}, {"advertiserId": "x"}, {"advertiserId": 1.5}, {"advertiserId": True}, {"advertiserId": [1]}, {"advertiserId": 2**64}, {"advertiserId": 10**30},
]  # fmt: skip


@pytest.mark.conformance(operation="create_audience", status=400)
@pytest.mark.parametrize("changes", WRONG_TYPES_OF_CREATE, ids=json.dumps)
def test_wrong_types_in_create(criteo: Criteo, changes: dict[str, Any]) -> None:
    assert_refused(criteo.raw("POST", USERLIST, create_body(criteo, **changes), content_type=JSON))


WRONG_TYPES_OF_PATCH = [
    {"operation": 1}, {"operation": None}, {"operation": ["add"]},
    {"schema": 1}, {"schema": None}, {"schema": {}},
    {"identifiers": None}, {"identifiers": "bob@example.com"}, {"identifiers": 1}, {"identifiers": {"0": "bob@example.com"}},
    {"identifiers": [["bob@example.com"]]}, {"identifiers": ["bob@example.com", 1]}, {"identifiers": ["bob@example.com", None]},
    {"schema": "gum", "gumCallerId": "x"}, {"schema": "gum", "gumCallerId": 1.5}, {"schema": "gum", "gumCallerId": None}, {"schema": "gum", "gumCallerId": 10**30},
]  # fmt: skip


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=400)
@pytest.mark.parametrize("changes", WRONG_TYPES_OF_PATCH, ids=json.dumps)
def test_wrong_types_in_patch(criteo: Criteo, target: int, changes: dict[str, Any]) -> None:
    assert_refused(criteo.raw("PATCH", f"{USERLIST}/{target}", patch_body(**changes), content_type=JSON))


@pytest.mark.conformance(operation="update_audience_metadata", status=400)
@pytest.mark.parametrize("body", [{"name": None}, {"name": 1}, {"name": ["x"]}, {"name": unique(), "description": 1}], ids=["null", "number", "array", "description"])
def test_wrong_types_in_put(criteo: Criteo, target: int, body: dict[str, Any]) -> None:
    assert_refused(criteo.raw("PUT", f"/v1/audiences/{target}", json.dumps(body).encode(), content_type=JSON))


@pytest.mark.conformance(operation="create_audience", status=400)
@pytest.mark.parametrize("changes", [{"name": "x" * (NAME_CHARACTERS_MAX + 1)}, {"name": "é" * (NAME_CHARACTERS_MAX + 1)}, {"name": "x" * 1_000_000}, {"description": "x" * 1_000_000}], ids=["name", "accents", "huge name", "huge description"])
def test_too_long_in_create(criteo: Criteo, changes: dict[str, Any]) -> None:
    assert_refused(criteo.raw("POST", USERLIST, create_body(criteo, **changes), content_type=JSON))
    with refused(400):
        criteo.audiences.create_audience(criteo.authorization, AudienceCreateRequest(advertiser_id=criteo.advertiser_id, name="x" * (NAME_CHARACTERS_MAX + 1)))


@pytest.mark.conformance(operation="update_audience_metadata", status=400)
@pytest.mark.parametrize("name", ["x" * (NAME_CHARACTERS_MAX + 1), "x" * 1_000_000], ids=["one too many", "huge"])
def test_too_long_in_put(criteo: Criteo, target: int, name: str) -> None:
    with refused(400):
        criteo.rename(target, name)


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=400)
def test_one_identifier_of_a_million_characters(criteo: Criteo, target: int) -> None:
    for schema, caller in (("email", None), ("madid", None), ("identityLink", None), ("gum", 1)):
        with refused(400):
            criteo.patch(target, "add", ["a" * 1_000_000], schema, caller)


def bomb(levels: int) -> str:
    entities = "".join(f'<!ENTITY e{level} "{f"&e{level - 1};" * 10}">' for level in range(1, levels))
    return f'<!DOCTYPE x [<!ENTITY e0 "x">{entities}]><AudienceCreateRequest><advertiserId>ID</advertiserId><name>&e{levels - 1};</name></AudienceCreateRequest>'


def element(inside: str) -> str:
    return f"<AudienceCreateRequest><advertiserId>ID</advertiserId>{inside}</AudienceCreateRequest>"


MALFORMED_XML = {
    "nothing": "",
    "not closed": "<AudienceCreateRequest><advertiserId>ID</advertiserId><name>x</name>",
    "closed wrongly": "<AudienceCreateRequest><advertiserId>ID</name></AudienceCreateRequest>",
    "another root": "<AudiencePatchRequest><advertiserId>ID</advertiserId><name>x</name></AudiencePatchRequest>",
    "two roots": element("<name>x</name>") + element("<name>x</name>"),
    "text only": "x",
    "JSON": '{"advertiserId": ID, "name": "x"}',
    "a field twice": element("<name>first</name><name>second</name>"),
    "an unknown entity": element("<name>&nothing;</name>"),
    "an empty name": element("<name></name>"),
    "a name of elements": element("<name><string>x</string></name>"),
    "an entity bomb": bomb(10),
    "an entity of two levels": bomb(2),
    "a document type": "<!DOCTYPE AudienceCreateRequest>" + element("<name>x</name>"),
    "an external entity": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + element("<name>&e;</name>"),
    "an external document type": '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">' + element("<name>x</name>"),
    "a NUL by reference": element("<name>&#0;</name>"),
    "100,000 elements deep": "<AudienceCreateRequest><name>" + "<a>" * 100_000,
    "100,000 elements deep and back": "<AudienceCreateRequest><name>" + "<a>" * 100_000 + "</a>" * 100_000 + "</name></AudienceCreateRequest>",
    "an id that is no number": "<AudienceCreateRequest><advertiserId>x</advertiserId><name>x</name></AudienceCreateRequest>",
    "an id that overflows": "<AudienceCreateRequest><advertiserId>99999999999999999999</advertiserId><name>x</name></AudienceCreateRequest>",
}


@pytest.mark.conformance(operation="create_audience", status=400)
@pytest.mark.parametrize("body", MALFORMED_XML.values(), ids=MALFORMED_XML)
def test_malformed_xml_in_create(criteo: Criteo, body: str) -> None:
    assert_refused(criteo.raw("POST", USERLIST, body.replace("ID", str(criteo.advertiser_id)).encode(), content_type=XML))


@pytest.mark.conformance(operation="create_audience", status=400)
def test_xml_that_is_not_utf_8(criteo: Criteo) -> None:
    body = element("<name>x\xff</name>").replace("ID", str(criteo.advertiser_id)).encode("latin-1")
    assert_refused(criteo.raw("POST", USERLIST, body, content_type=XML))


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=400)
@pytest.mark.parametrize(
    "identifiers",
    ["bob@example.com", "<string><string>bob@example.com</string></string>", "<string>bob@example.com", "<!-- --><string/>", "&bob;"],
)
def test_malformed_xml_in_patch(criteo: Criteo, target: int, identifiers: str) -> None:
    body = f"<AudiencePatchRequest><operation>add</operation><schema>email</schema><identifiers>{identifiers}</identifiers></AudiencePatchRequest>"
    assert_refused(criteo.raw("PATCH", f"{USERLIST}/{target}", body.encode(), content_type=XML))


MALFORMED_FORMS = {
    "nothing": b"",
    "no name": b"advertiserId=ID",
    "an id that is no number": b"advertiserId=x&name=x",
    "an id that overflows": b"advertiserId=99999999999999999999&name=x",
    "a field twice": b"advertiserId=ID&name=first&name=second",
    "not UTF-8": b"advertiserId=ID&name=%ff%fe",
    "a NUL": b"advertiserId=ID&name=x%00",
}


@pytest.mark.conformance(operation="create_audience", status=400)
@pytest.mark.parametrize("body", MALFORMED_FORMS.values(), ids=MALFORMED_FORMS)
def test_malformed_form_in_create(criteo: Criteo, body: bytes) -> None:
    assert_refused(criteo.raw("POST", USERLIST, body.replace(b"ID", str(criteo.advertiser_id).encode()), content_type=FORM))


BAD_IDS = ["x", "1x", "-1", "0", "1.0", "1e3", "%20", "0x1", "9223372036854775808", "18446744073709551616", "9" * 400, "1%00", "%ff", "..%2f1"]


@pytest.mark.parametrize("operation", [pytest.param(name, marks=pytest.mark.conformance(operation=name, status=404), id=name) for name in AUDIENCE_OPERATIONS])
@pytest.mark.parametrize("bad", BAD_IDS, ids=[bad[:20] for bad in BAD_IDS])
def test_an_id_in_the_path_that_is_none(criteo: Criteo, operation: str, bad: str) -> None:
    method, path, body = {
        "add_remove_users_to_audience": ("PATCH", f"{USERLIST}/{bad}", patch_body()),
        "update_audience_metadata": ("PUT", f"/v1/audiences/{bad}", b'{"name": "x"}'),
        "remove_users_from_audience": ("DELETE", f"{USERLIST}/{bad}/users", None),
        "delete_audience": ("DELETE", f"/v1/audiences/{bad}", None),
    }[operation]
    assert_refused(criteo.raw(method, path, body, content_type=JSON), 404)


@pytest.mark.conformance(operation="get_audiences", status=400)
@pytest.mark.parametrize("bad", ["x", "", "1x", "1.5", "1 2", "9223372036854775808", "18446744073709551616", "9" * 400, "%ff", "1%00"], ids=lambda bad: bad[:20] or "empty")
def test_an_id_in_the_query_that_is_none(criteo: Criteo, bad: str) -> None:
    assert_refused(criteo.raw("GET", f"/v1/audiences?advertiserId={bad.replace(' ', '%20')}"))


@pytest.mark.conformance(operation="get_audiences", status=400)
def test_an_id_in_the_query_by_the_client(criteo: Criteo) -> None:
    with refused(400):
        criteo.audiences.get_audiences(criteo.authorization, advertiser_id="x")


@pytest.mark.conformance(operation="o_auth2_token_post", status=400)
@pytest.mark.parametrize("body", [b"\xff\xfe\x00", b"=" * 10_000, b"{}"], ids=["bytes", "equals signs", "JSON"])
def test_a_token_request_of_noise(criteo: Criteo, body: bytes) -> None:
    answer = web.request("POST", f"{criteo.base}/oauth2/token", headers={"Content-Type": FORM}, body=body)
    assert answer.status == 400, answer.text
    assert isinstance(answer.json["error"], str)


def send_and_listen(connection: socket.socket, blocks: Iterator[bytes]) -> int:
    """Sends until the server answers or closes, and returns how many bytes it took."""
    sent = 0
    connection.setblocking(False)
    try:
        for block in blocks:
            view = memoryview(block)
            while view:
                readable, writable, _ = select.select([connection], [connection], [], web.SECONDS)
                if readable:
                    return sent
                assert writable, f"the server neither reads nor answers after {sent} bytes"
                done = connection.send(view)
                sent += done
                view = view[done:]
    except (BrokenPipeError, ConnectionResetError):
        pass
    finally:
        connection.settimeout(web.SECONDS)
    return sent


def huge(start: bytes, filler: bytes) -> Iterator[bytes]:
    """Exactly HUGE_BYTES."""
    yield start
    left, block = HUGE_BYTES - len(start), filler * (1024 * 1024 // len(filler))
    while left:
        yield block[:left]
        left -= min(left, len(block))


def chunks(blocks: Iterator[bytes]) -> Iterator[bytes]:
    for block in blocks:
        yield f"{len(block):x}\r\n".encode() + block + b"\r\n"
    yield b"0\r\n\r\n"


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=400)
@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
@pytest.mark.parametrize("content_type", [JSON, XML, FORM])
def test_a_body_of_200_megabytes(criteo: Criteo, target: int, content_type: str, chunked: bool) -> None:
    """Refused at once or after all of it, but never kept in memory, and the sender gets to read the answer."""
    start, filler = {
        JSON: (b'{"operation": "add", "schema": "email", "identifiers": [""', b',"bob@example.com"'),
        XML: (b"<AudiencePatchRequest><identifiers>", b"<string>b@example.com</string>"),
        FORM: (b"operation=add&schema=email", b"&identifiers=bob%40example.com"),
    }[content_type]
    headers = {"Authorization": criteo.authorization, "Content-Type": content_type}
    blocks = huge(start, filler)
    if chunked:
        headers["Transfer-Encoding"] = "chunked"
        blocks = chunks(blocks)
    else:
        headers["Content-Length"] = str(HUGE_BYTES)
    peak = criteo.server.memory_peak()
    with web.connect(criteo.base) as connection:
        connection.sendall(web.head("PATCH", f"{criteo.base}{USERLIST}/{target}", headers))
        sent = send_and_listen(connection, blocks)
        answer = web.read_answer(connection)
    assert answer is not None, f"closed without an answer after {sent} bytes"
    assert_refused(answer)
    assert criteo.server.memory_peak() - peak < HUGE_BYTES // 2


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=400)
@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
def test_a_body_that_ends_half_way(criteo: Criteo, target: int, chunked: bool) -> None:
    """The client has said that it will send no more: an answer of 400, or none, as nobody may be there to read it."""
    body = patch_body()
    headers = {"Authorization": criteo.authorization, "Content-Type": JSON}
    headers |= {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(body))}
    half = body[: len(body) // 2]
    with web.connect(criteo.base) as connection:
        connection.sendall(web.head("PATCH", f"{criteo.base}{USERLIST}/{target}", headers) + (next(chunks(iter([half]))) if chunked else half))
        connection.shutdown(socket.SHUT_WR)
        answer = web.read_answer(connection)
    if answer is not None:
        assert_refused(answer)


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=400)
def test_connections_that_stall(criteo: Criteo, target: int) -> None:
    """In the middle of a body, of the headers, before the first byte of a body, and dripping: the server ends each of them
    within its time for it, with an answer or without, and serves others meanwhile."""
    body = patch_body()
    head = web.head("PATCH", f"{criteo.base}{USERLIST}/{target}", {"Authorization": criteo.authorization, "Content-Type": JSON, "Content-Length": str(len(body))})
    starts = {"half a body": head + body[: len(body) // 2], "no body": head, "half a head": head[: len(head) // 2], "dripping": head}
    connections = {name: web.connect(criteo.base) for name in starts}
    answers: dict[str, web.Answer | None] = {}
    try:
        for name, connection in connections.items():
            connection.sendall(starts[name])
        deadline = time.monotonic() + STALLED_SECONDS
        # Never the last byte, however long the server waits.
        drops = iter(body[:-1])
        while len(answers) < len(connections) and time.monotonic() < deadline:
            waiting = {connection: name for name, connection in connections.items() if name not in answers}
            readable, _, _ = select.select(list(waiting), [], [], 1)
            for connection in readable:
                answers[waiting[connection]] = web.read_answer(connection)
            drop = next(drops, None)
            if "dripping" not in answers and drop is not None:
                try:
                    connections["dripping"].sendall(bytes([drop]))
                except (BrokenPipeError, ConnectionResetError):
                    answers["dripping"] = None
            criteo.server.assert_alive()
    finally:
        for connection in connections.values():
            connection.close()
    assert set(answers) == set(starts), f"still open after {STALLED_SECONDS} s: {set(starts) - set(answers)}"
    for name, answer in answers.items():
        assert answer is None or answer.status in (400, 408), f"{name}: {answer.status} {answer.text}"


@pytest.mark.conformance(operation="get_audiences", status=200)
@pytest.mark.conformance(operation="o_auth2_token_post", status=200)
def test_two_thousand_idle_connections(criteo: Criteo, target: int) -> None:
    connections: list[socket.socket] = []
    try:
        for _ in range(IDLE_CONNECTIONS):
            connections.append(web.connect(criteo.base))
        assert criteo.token().access_token
        assert target in [audience.id for audience in criteo.list()]
        # On a connection of its own, too, not only on one that the client kept open.
        assert criteo.raw("GET", "/v1/audiences").status == 200
    finally:
        for connection in connections:
            connection.close()


NOISE = {
    "noise": bytes(range(256)) * 4,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "no version": b"GET /livez\r\n\r\n",
    "two lengths": b"POST /criteo/marketing/v1/audiences/userlist HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "a length and chunks": b"POST /criteo/marketing/v1/audiences/userlist HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: gzip\r\n\r\nabc",
    "a megabyte of header": b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n",
    "a thousand headers": b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
    "a path of a megabyte": b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.conformance(operation="get_audiences", status=200)
@pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE)
def test_what_is_not_http(criteo: Criteo, target: int, noise: bytes) -> None:
    """Closed or refused, never obeyed; others are served."""
    with web.connect(criteo.base) as connection:
        send_and_listen(connection, iter([noise]))
        answer = web.read_answer(connection)
    assert answer is None or 400 <= answer.status < 500, answer
    assert target in [audience.id for audience in criteo.list()]
