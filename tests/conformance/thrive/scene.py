"""What the dialect cannot do: other workspaces, credentials with fewer scopes, structures of the console, another start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support import native
from support.postgres import free_port
from support.process import Throng

from thrive.client import CREATED, Target, Thrive, manager, unique

# A credential may be believed for so long after it was revoked.
REVOKED_SECONDS = 5
DIGITS36 = "0123456789abcdefghijklmnopqrstuvwxyz"
LIMITS = ("thrive", "native", "criteo")


def target_create(thrive: Thrive) -> Target:
    """A structure, a child with one user who is a member and a manager of it: all new."""
    structure, user = thrive.structure(), thrive.user()
    child = thrive.audience(structure, members=[user["ref"]])
    answer = thrive.send("POST", f"/audiences/{child['id']}/managers", [manager(user["ref"], "assignments")])
    assert answer.status_code == 200, answer.text
    return Target(structure["id"], child["id"], user["ref"], user["id"])


def webhook_create(thrive: Thrive, url: str = "http://127.0.0.1:9/nobody", **fields: Any) -> str:
    """A webhook that wants what seldom happens, unless told otherwise; its id."""
    answer = thrive.hook("POST", "", {"url": url, "eventTypes": ["audience.moved"], **fields})
    assert answer.status_code == CREATED, answer.text
    return answer.json()["id"]


def structure_of(thrive: Thrive, control: str) -> tuple[dict[str, Any], dict[str, Any], int]:
    """A structure made natively under somebody's control, with a child of one member; as Thrive shows them, and the
    structure's native id."""
    name, reference, child = unique("native "), unique("ref-"), unique("ref-")
    structure = native.call(thrive.server, "POST", "/structures", {"name": name, "reference": reference})["id"]
    native.call(thrive.server, "POST", "/audiences", {"structure": structure, "name": unique("child "), "reference": child})
    thrive.add(child, thrive.user()["ref"])
    native.call(thrive.server, "PATCH", f"/structures/{structure}", {"control": control})
    return thrive.get(reference), thrive.get(child), structure


def smart_of(thrive: Thrive, child: dict[str, Any]) -> dict[str, Any]:
    """A smart audience beside a child, of the same people. Made where the vendor makes them, in its own interface."""
    reference, rule = unique("smart-"), {"audience": native_id(child["id"])}
    body = {"structure": native_id(child["parent"]["id"]), "name": unique("smart "), "reference": reference, "rule": rule}
    native.call(thrive.server, "POST", "/audiences", body)
    return thrive.get(reference)


def native_id(identifier: str) -> int:
    """The native id of what Thrive names with 24 hexadecimal digits: workspace, kind, id."""
    return int(identifier[10:], 16)


def tenant(workspace: int) -> str:
    """The tenant id of a workspace."""
    digits = ""
    while workspace:
        workspace, digit = divmod(workspace, 36)
        digits = DIGITS36[digit] + digits
    return f"throng_{digits:0>9}"


@dataclass(frozen=True)
class Credential:
    """Another secret of the same tenant, and the OAuth client that it is as well."""

    id: int
    client_id: str
    secret: str
    thrive: Thrive


def credential_create(thrive: Thrive, **fields: Any) -> Credential:
    made = native.call(thrive.server, "POST", "/credentials", {"dialect": "thrive", "name": unique(), **fields})
    return Credential(made["id"], made["client_id"], made["secret"], Thrive(thrive.server, thrive.tenant_id, made["secret"], thrive.base))


def revoke(credential: Credential) -> None:
    native.call(credential.thrive.server, "DELETE", f"/credentials/{credential.id}")


@dataclass(frozen=True)
class Workspace:
    slug: str
    token: str
    # At the bare mount: the tenant's id says whose it is.
    thrive: Thrive


def workspace_create(server: Throng) -> Workspace:
    """Another workspace with a tenant of its own."""
    slug = unique("other-")
    token = native.call(server, "POST", "/workspaces", {"slug": slug, "name": "Other"})["token"]
    workspace = native.call(server, "GET", "/me", token=token)["workspace"]
    secret = native.call(server, "POST", "/credentials", {"dialect": "thrive", "name": "Other"}, token)["secret"]
    return Workspace(slug, token, Thrive(server, tenant(workspace), secret))


def start_again(launch: Callable[..., Throng], first: Throng, folder: Path, database: list[str], *arguments: str) -> Thrive:
    """`throng serve` on the data of a server that has ended, with that one's credentials and without limits on requests."""
    address = f"127.0.0.1:{free_port()}"
    limits = [word for dialect in LIMITS for word in ("--set", f"rate_limit.{dialect}=off")]
    server = launch("serve", "--listen", address, "--data", str(folder), *database, *limits, *arguments).wait_for_ready(f"http://{address}")
    server.ready = {**first.ready, "url": server.url}
    for key in ("native", "thrive", "criteo"):
        server.ready[key] = {name: value.replace(first.url, server.url, 1) if isinstance(value, str) else value for name, value in first.ready[key].items()}
    return Thrive(server)
