"""operations.toml: what each vendor documents, and so which cells CONFORMANCE.md has."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).resolve().parents[1] / "operations.toml"


@dataclass(frozen=True)
class Operation:
    name: str
    method: str
    path: str
    # Documented by the vendor.
    statuses: tuple[int, ...]
    # Answered as well, though the vendor does not document it.
    beyond: tuple[int, ...]
    # A documented status that is never answered, as a more exact one is: {200: 204}.
    answered_as: dict[int, int]


@dataclass(frozen=True)
class Vendor:
    key: str
    name: str
    client: str
    source: str
    operations: tuple[Operation, ...]


def vendors() -> tuple[Vendor, ...]:
    with FILE.open("rb") as file:
        table = tomllib.load(file)
    return tuple(
        Vendor(
            key=vendor["key"],
            name=vendor["name"],
            client=vendor["client"],
            source=vendor["source"],
            operations=tuple(
                Operation(
                    name=operation["name"],
                    method=operation["method"],
                    path=operation["path"],
                    statuses=tuple(operation["statuses"]),
                    beyond=tuple(operation.get("beyond", ())),
                    answered_as={int(documented): answered for documented, answered in operation.get("answered_as", {}).items()},
                )
                for operation in vendor["operation"]
            ),
        )
        for vendor in table["vendor"]
    )


def cells() -> set[tuple[str, str, int]]:
    """(vendor, operation, status) of everything that a test may claim to prove."""
    return {
        (vendor.key, operation.name, status)
        for vendor in vendors()
        for operation in vendor.operations
        for status in (*operation.statuses, *operation.beyond)
        if status not in operation.answered_as
    }
