"""What was answered is kept: `kill -9`, another start on the same data, and the same credentials."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from criteo.client import Criteo, unique
from support.postgres import free_port
from support.process import Throng


@pytest.mark.conformance(operation="create_audience", status=200)
@pytest.mark.conformance(operation="get_audiences", status=200)
@pytest.mark.conformance(operation="add_remove_users_to_audience", status=200)
@pytest.mark.conformance(operation="update_audience_metadata", status=204)
@pytest.mark.conformance(operation="remove_users_from_audience", status=204)
@pytest.mark.conformance(operation="delete_audience", status=204)
@pytest.mark.conformance(operation="o_auth2_token_post", status=200)
def test_everything_survives_kill_9(demo: Callable[..., Throng], launch: Callable[..., Throng], new_database: Callable[[], list[str]], new_folder: Callable[[], Path]) -> None:
    folder, database = new_folder(), new_database()
    first = demo(*database, data=folder)
    criteo = Criteo(first)
    names = {key: unique(key) for key in ("filled", "renamed", "emptied", "deleted")}
    ids = {key: criteo.create(name, f"was {key}") for key, name in names.items()}
    for audience in ids.values():
        criteo.add(audience, "ann@example.com", "bob@example.com", "cid@example.com")
    criteo.remove(ids["filled"], "cid@example.com")
    renamed = unique("new name")
    criteo.rename(ids["renamed"], renamed, "new description")
    criteo.empty(ids["emptied"])
    old_header = criteo.authorization
    before = {audience.id: audience.to_dict() for audience in criteo.list() if audience.id != ids["deleted"]}
    criteo.delete(ids["deleted"])
    first.kill()

    address = f"127.0.0.1:{free_port()}"
    second = launch("serve", "--listen", address, "--data", str(folder), *database).wait_for_ready(f"http://{address}")
    # The same client id and secret at the new address, and the token of before.
    second.ready = first.ready
    again = Criteo(second, base=f"http://{address}/criteo/marketing")
    assert again.token().access_token
    assert {audience.id: audience.to_dict() for audience in again.list()} == before
    assert again.audiences.get_audiences(old_header).audiences is not None
    assert again.lines(ids["filled"]) == (2, 2)
    assert again.lines(ids["emptied"]) == (0, 0)
    found = again.get(ids["renamed"])
    assert found is not None and (found.name, found.description, found.nb_lines) == (renamed, "new description", 3)
    # The dictionary of people survived as well: ann is still ann, and only dee is new.
    again.add(ids["filled"], "ann@example.com", "dee@example.com")
    assert again.lines(ids["filled"]) == (3, 3)
    assert second.terminate() == 0, second.describe()


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=200)
@pytest.mark.conformance(operation="o_auth2_token_post", status=200)
def test_sigterm_ends_with_0_and_loses_nothing(demo: Callable[..., Throng], new_database: Callable[[], list[str]], new_folder: Callable[[], Path]) -> None:
    folder, database = new_folder(), new_database()
    first = demo(*database, data=folder)
    criteo = Criteo(first)
    audience = criteo.create()
    criteo.add(audience, "ann@example.com")
    assert first.terminate() == 0, first.describe()

    # `demo` on a folder that it filled before does not fill it again, and what worked before works.
    second = demo(*database, data=folder)
    again = Criteo(second)
    assert again.lines(audience) == (1, 1)
    old_credentials = Criteo(second)
    old_credentials.client_id, old_credentials.client_secret = criteo.client_id, criteo.client_secret
    assert old_credentials.token().access_token
    assert len(again.list()) == len(old_credentials.list())
    assert second.terminate() == 0, second.describe()
