"""Bodies that no well-meaning client sends: the right status in the vendor's shape, nothing stored, the process goes on.

What is wrong with one item of a bulk request is in test_invite.py, with a group in test_groups.py, a key in test_keys.py.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from opendatasoft import scene
from opendatasoft.client import JSON, Ods, Target, assert_refused, email, user_path
from support import web

HUGE_BYTES = 50 * 1024 * 1024
BODY_BYTES_MAX = 1024 * 1024
BLOCK_BYTES = 1024 * 1024

# The operations that take a body: the method, the path of a target, the start of an honest body that never ends, and
# whether the client reads every 400 as a validation error (it is all that the vendor's document has there).
Body = tuple[str, Callable[[Target], str], bytes, bytes, bool]
BODIES: dict[str, Body] = {
    "invite_users": ("POST", lambda target: "/users/invite/", b'[{"email": "a@example.com"}', b',{"email": "a@example.com"}', False),
    "provision_users": ("POST", lambda target: "/users/provision/", b'[{"email": "a@example.com"}', b',{"email": "a@example.com"}', False),
    "update_user": ("PUT", lambda target: user_path(target.username), b'{"first_name": "Changed", "permissions": ["edit_page"', b',"edit_page"', False),
    "create_user_group": ("POST", lambda target: "/groups/", b'{"title": "Huge", "permissions": ["edit_page"', b',"edit_page"', True),
    "update_user_group": ("PUT", lambda target: f"/groups/{target.group}/", b'{"title": "Changed", "permissions": ["edit_page"', b',"edit_page"', False),
    "add_user_to_user_group": ("POST", lambda target: f"/groups/{target.group}/users/", b'{"username": "', b"xxxxxxxx", True),
    "batch_add_users_to_user_group": ("POST", lambda target: f"/groups/{target.group}/users/batch/", b'[{"username": "x"}', b',{"username": "x"}', False),
    "post_apikeys": ("POST", lambda target: "/apikeys/", b'{"label": "Huge", "permissions": ["edit_page"', b',"edit_page"', True),
    "put_apikeys_apikey_uid": ("PUT", lambda target: f"/apikeys/{target.key}/", b'{"label": "Changed", "permissions": ["edit_page"', b',"edit_page"', True),
    "post_apikeys_apikey_uid_revoke": ("POST", lambda target: f"/apikeys/{target.key}/revoke/", b'{"reason": "', b"xxxxxxxx", False),
    "search_apikey": ("POST", lambda target: "/apikeys/search_key/", b'{"key": "', b"xxxxxxxx", True),
}


def bodies(status: int, *names: str) -> list[Any]:
    return [pytest.param(name, marks=pytest.mark.conformance(operation=name, status=status), id=name) for name in names or BODIES]


@pytest.fixture(scope="module")
def victim(ods: Ods) -> Target:
    return scene.target_create(ods)


@pytest.fixture(autouse=True)
def nothing_is_stored(ods: Ods, victim: Target) -> Iterator[None]:
    """Around every test of this file: all is afterwards as it was before, no mail is waiting, and the server lives."""
    before = snapshot(ods, victim)
    yield
    ods.server.assert_alive()
    assert snapshot(ods, victim) == before


def snapshot(ods: Ods, victim: Target) -> Any:
    return (
        ods.total(),
        ods.users.get_user(victim.username),
        ods.groups.retrieve_user_group(victim.group),
        ods.keys.get_apikey(victim.key),
        len(scene.mails(ods.server)),
    )


MALFORMED_JSON = {
    "a blank": b" ",
    "cut off": b'{"email": "x',
    "cut off in an array": b'[{"email": "a@example.com"}',
    "a comma too many": b'[{"email": "a@example.com"},]',
    "single quotes": b"[{'email': 'a@example.com'}]",
    "two documents": b'[{"email": "a@example.com"}][]',
    "something after": b'{"email": "a@example.com"} x',
    "NaN": b'[{"email": NaN}]',
    "half a surrogate": b'[{"email": "\\ud800@example.com"}]',
    "not UTF-8": b'[{"email": "\xff\xfe@example.com"}]',
    "overlong UTF-8": b'[{"email": "\xc0\xaf@example.com"}]',
    "UTF-16": '[{"email": "a@example.com"}]'.encode("utf-16"),
    "a form": b"email=a%40example.com",
    "XML": b"<User/>",
    "100,000 open brackets": b"[" * 100_000,
    "100,000 open braces": b'{"a":' * 100_000,
    "100,000 brackets in a field": b'[{"email": "a@example.com", "extra": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]",
}


@pytest.mark.parametrize("operation", bodies(400))
@pytest.mark.parametrize("body", MALFORMED_JSON.values(), ids=MALFORMED_JSON)
def test_malformed_json(ods: Ods, victim: Target, operation: str, body: bytes) -> None:
    method, path, _, _, only_validation = BODIES[operation]
    assert_refused(ods.raw(method, path(victim), body), 400, "validation_error" if only_validation else "bad_request")


NO_LISTS: dict[str, Any] = {"an object": {"0": {"email": "a@example.com"}}, "a person": {"email": "a@example.com"}, "a string": "a@example.com", "a number": 1, "null": b"null", "true": True}


@pytest.mark.parametrize("operation", bodies(400, "invite_users", "batch_add_users_to_user_group"))
@pytest.mark.parametrize("body", NO_LISTS.values(), ids=NO_LISTS)
def test_a_list_that_is_none(ods: Ods, victim: Target, operation: str, body: Any) -> None:
    method, path, *_ = BODIES[operation]
    assert_refused(ods.raw(method, path(victim), body))


@pytest.mark.parametrize("operation", bodies(400, "update_user", "provision_users", "update_user_group", "put_apikeys_apikey_uid"))
@pytest.mark.parametrize("body", [b'"x"', b"1", b"true", b"null"], ids=bytes.decode)
def test_an_object_that_is_none(ods: Ods, victim: Target, operation: str, body: bytes) -> None:
    method, path, *_ = BODIES[operation]
    assert_refused(ods.raw(method, path(victim), body))


@pytest.mark.conformance(operation="update_user", status=400)
@pytest.mark.parametrize("body", [[], [{"first_name": "Changed"}]], ids=str)
def test_an_array_for_one_user(ods: Ods, victim: Target, body: Any) -> None:
    assert_refused(ods.raw("PUT", user_path(victim.username), body))


WRONG_CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "an address of null": ({"email": None}, "email"),
    "an address of a wrong type": ({"email": 1}, "email"),
    "an empty address": ({"email": ""}, "email"),
    "no address": ({"email": "example.com"}, "email"),
    "another header": ({"email": "a@example.com\r\nBcc: b@example.com"}, "email"),
    "a user name of null": ({"username": None}, "username"),
    "a user name of a wrong type": ({"username": ["x"]}, "username"),
    "a name of a wrong type": ({"first_name": 1}, "first_name"),
    "a name with a NUL": ({"last_name": "a\0"}, "last_name"),
    "a name with a line's end": ({"last_name": "a\r\nBcc: b@example.com"}, "last_name"),
    "a name of 100,000 letters": ({"first_name": "x" * 100_000}, "first_name"),
    "permissions of null": ({"permissions": None}, "permissions"),
    "permissions of a wrong type": ({"permissions": "edit_page"}, "permissions"),
    "permissions as an object": ({"permissions": {"edit_page": True}}, "permissions"),
    "an unknown permission": ({"permissions": ["edit_page", "no_such_permission"]}, "permissions"),
    "a permission with a blank": ({"permissions": ["edit_page "]}, "permissions"),
    "groups of a wrong type": ({"groups": "x"}, "groups"),
    "groups of strings": ({"groups": ["x"]}, "groups"),
    "a group without a uid": ({"groups": [{}]}, "groups"),
    "an unknown group": ({"groups": [{"uid": "no_such_group"}]}, "groups"),
    "an unknown title": ({"groups": [{"title": "no such title"}]}, "groups"),
    "limits of a wrong type": ({"explore_limits": 1}, "explore_limits"),
    "a negative limit": ({"explore_limits": {"api_calls": {"limit": -1, "unit": "day"}}}, "explore_limits"),
    "a limit of null": ({"explore_limits": {"api_calls": {"limit": None, "unit": "day"}}}, "explore_limits"),
    "a limit of a string": ({"explore_limits": {"api_calls": {"limit": "1", "unit": "day"}}}, "explore_limits"),
    "a limit without a unit": ({"explore_limits": {"api_calls": {"limit": 1}}}, "explore_limits"),
    "an unknown unit": ({"explore_limits": {"api_calls": {"limit": 1, "unit": "week"}}}, "explore_limits"),
}


@pytest.mark.conformance(operation="update_user", status=400)
@pytest.mark.parametrize("name", WRONG_CHANGES)
def test_a_change_that_is_wrong(ods: Ods, victim: Target, name: str) -> None:
    """All or nothing: the good field beside the wrong one is not taken either."""
    changes, field = WRONG_CHANGES[name]
    good = "last_name" if field == "first_name" else "first_name"
    assert_refused(ods.raw("PUT", user_path(victim.username), {good: "Changed", **changes}), 400, "validation_error", field)


@pytest.mark.conformance(operation="update_user", status=400)
@pytest.mark.parametrize("alike", ["\u0430", "\uff41", "a\u200b"], ids=["Cyrillic", "full-width", "zero-width"])
def test_an_address_of_look_alike_letters(ods: Ods, victim: Target, alike: str) -> None:
    assert_refused(ods.raw("PUT", user_path(victim.username), {"email": f"m{alike}rk.{victim.email}"}), 400, "validation_error", "email")


@pytest.mark.parametrize("operation", bodies(400, "invite_users", "batch_add_users_to_user_group", "provision_users"))
def test_more_than_one_request_may_hold(ods: Ods, victim: Target, operation: str) -> None:
    method, path, *_ = BODIES[operation]
    assert_refused(ods.raw(method, path(victim), [{"email": email(), "username": f"nobody{number}"} for number in range(1001)]))


def huge(start: bytes, filler: bytes, size: int = HUGE_BYTES) -> Iterator[bytes]:
    """Exactly so many bytes."""
    yield start
    left, block = size - len(start), filler * (BLOCK_BYTES // len(filler))
    while left:
        yield block[:left]
        left -= min(left, len(block))


def chunks(blocks: Iterator[bytes]) -> Iterator[bytes]:
    for block in blocks:
        yield f"{len(block):x}\r\n".encode() + block + b"\r\n"
    yield b"0\r\n\r\n"


def send_and_listen(connection: socket.socket, blocks: Iterator[bytes]) -> None:
    """Sends until the server answers or closes."""
    connection.setblocking(False)
    try:
        for block in blocks:
            view = memoryview(block)
            while view:
                readable, writable, _ = select.select([connection], [connection], [], web.SECONDS)
                if readable:
                    return
                assert writable, "the server neither reads nor answers"
                view = view[connection.send(view) :]
    except (BrokenPipeError, ConnectionResetError):
        pass
    finally:
        connection.settimeout(web.SECONDS)


@pytest.mark.parametrize("operation", bodies(413))
@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
def test_a_body_of_50_megabytes(ods: Ods, victim: Target, operation: str, chunked: bool) -> None:
    """Refused at once or after all of it, but never kept in memory, and the sender gets to read the answer."""
    method, path, start, filler, _ = BODIES[operation]
    url = f"{ods.base}{path(victim)}"
    headers = {"Authorization": f"Apikey {ods.key}", "Content-Type": JSON}
    headers |= {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(HUGE_BYTES)}
    blocks = huge(start, filler)
    peak = ods.server.memory_peak()
    with web.connect(url) as connection:
        connection.sendall(web.head(method, url, headers))
        send_and_listen(connection, chunks(blocks) if chunked else blocks)
        answer = web.read_answer(connection)
    assert answer is not None, "closed without an answer"
    assert_refused(answer, 413, "request_too_large")
    assert ods.server.memory_peak() - peak < HUGE_BYTES // 2


@pytest.mark.conformance(operation="invite_users", status=413)
def test_just_above_the_limit(ods: Ods) -> None:
    body = b"".join(huge(b'[{"email": "a@example.com"}', b" ", BODY_BYTES_MAX)) + b"]"
    assert_refused(ods.raw("POST", "/users/invite/", body), 413, "request_too_large")


@pytest.mark.parametrize("operation", bodies(401, "invite_users", "update_user", "create_user_group"))
def test_a_large_body_without_a_key(ods: Ods, victim: Target, operation: str) -> None:
    """Who may not call is told so, whatever is sent."""
    method, path, *_ = BODIES[operation]
    for body in (b"[" * 100_000, b"", b" " * (2 * BODY_BYTES_MAX)):
        assert_refused(ods.raw(method, path(victim), body, Authorization=None), 401, "unauthorized")


@pytest.mark.conformance(operation="invite_users", status=400)
@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
def test_a_body_that_ends_half_way(ods: Ods, chunked: bool) -> None:
    """The client has said that it will send no more: an answer of 400, or none, as nobody may be there to read it."""
    body = b'[{"email": "half@example.com"}, {"email": "way@example.com"}]'
    half, url = body[: body.index(b",")], f"{ods.base}/users/invite/"
    headers = {"Authorization": f"Apikey {ods.key}", "Content-Type": JSON}
    headers |= {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(body))}
    with web.connect(url) as connection:
        connection.sendall(web.head("POST", url, headers) + (next(chunks(iter([half]))) if chunked else half))
        connection.shutdown(socket.SHUT_WR)
        answer = web.read_answer(connection)
    if answer is not None:
        assert_refused(answer)
