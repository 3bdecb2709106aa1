"""CONFORMANCE.md from the results of the suites: each operation and documented status, green or red, on each engine.

    report.py SQLITE.xml POSTGRES.xml           writes CONFORMANCE.md
    report.py --check SQLITE.xml POSTGRES.xml   fails when CONFORMANCE.md says something else

Both print one line of counts. A cell is green when at least one test proves it and all tests that name it pass; anything
else is red, so that nothing is claimed by silence. The text has no date and no order but that of operations.toml: two
runs with the same results can be compared with diff.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from http import HTTPStatus
from pathlib import Path

from support.operations import Operation, Vendor, vendors

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "CONFORMANCE.md"
ENGINES = ("SQLite", "PostgreSQL")
GREEN, RED, NONE = "✅ green", "❌ red", ""

Cell = tuple[str, str, int]
# For each engine: how many tests named a cell and passed, and how many named it and did not.
Results = tuple[Counter[Cell], Counter[Cell]]

INTRODUCTION = """\
# Conformance

What each vendor documents, and whether Throng does it: each cell is one documented status of one operation on one
storage engine. {green} means that at least one test proves it and every test that names it passes; {red} means that a test
fails or that there is none, because the operation does not exist yet. A number with an asterisk is a status that Throng
answers and tests though the vendor does not list it; *as 204* stands where the vendor lists two statuses for one answer
and Throng gives the more exact one.

The clients are the vendors' own, unmodified. `scripts/conformance` runs them and writes this file; `scripts/test` fails
when it says something else. `tests/conformance/operations.toml` holds the lists.
"""


def read_results(junit: Path) -> Results:
    """The cells that one engine's tests claim, from the properties that conftest.py puts into the JUnit file."""
    passed: Counter[Cell] = Counter()
    failed: Counter[Cell] = Counter()
    for case in ElementTree.parse(junit).iter("testcase"):
        ok = not any(case.find(tag) is not None for tag in ("failure", "error", "skipped"))
        for item in case.iter("property"):
            if item.get("name") == "conformance":
                vendor, operation, status = item.get("value", "").split()
                (passed if ok else failed)[vendor, operation, int(status)] += 1
    return passed, failed


def cell(vendor: Vendor, operation: Operation, status: int, results: Results) -> str:
    answered = operation.answered_as.get(status, status)
    if status not in (*operation.statuses, *operation.beyond):
        return NONE
    passed, failed = results
    key = (vendor.key, operation.name, answered)
    word = GREEN if passed[key] and not failed[key] else RED
    return f"{word}, as {answered}" if answered != status else word


def deviations(vendor: Vendor) -> str:
    """The section "Deviations" of the dialect's README, where there is one."""
    readme = ROOT / "crates" / "dialects" / "src" / vendor.key / "README.md"
    if not readme.exists():
        return "The dialect does not exist yet."
    found = re.search(r"^(#+) Deviations\b[^\n]*\n(?P<text>.*?)(?=^#{1,6} |\Z)", readme.read_text(), re.MULTILINE | re.DOTALL)
    text = found["text"].strip() if found else ""
    return text or f"None are written down in {readme.relative_to(ROOT)}."


def section(vendor: Vendor, results: tuple[Results, ...], count: Counter[str]) -> list[str]:
    documented = {status for operation in vendor.operations for status in operation.statuses}
    beyond = {status for operation in vendor.operations for status in operation.beyond}
    statuses = sorted(documented | beyond)

    def heading(status: int) -> str:
        return f"{status}" if status in documented else f"{status}\\*"

    lines = [
        f"## {vendor.name}",
        "",
        f"- Client: {vendor.client}",
        f"- Statuses as listed in: {vendor.source}",
        "",
        f"| operation | request | engine | {' | '.join(heading(status) for status in statuses)} |",
        f"|---|---|---|{'---|' * len(statuses)}",
    ]
    for operation in vendor.operations:
        for engine, result in zip(ENGINES, results, strict=True):
            row = []
            for status in statuses:
                text = cell(vendor, operation, status, result)
                mark = "\\*" if text and status in operation.beyond and status in documented else ""
                count[text.partition(",")[0]] += bool(text)
                row.append(text + mark)
            lines.append(f"| `{operation.name}` | `{operation.method} {operation.path}` | {engine} | {' | '.join(row)} |")
    lines += ["", "Statuses: " + ", ".join(f"{status} {HTTPStatus(status).phrase}" for status in statuses) + ".", ""]
    lines += ["### Deviations and choices", "", deviations(vendor), ""]
    return lines


def render(results: tuple[Results, ...]) -> tuple[str, Counter[str]]:
    total: Counter[str] = Counter()
    summary = ["| vendor | client | green | red |", "|---|---|---|---|"]
    sections: list[str] = []
    for vendor in vendors():
        count: Counter[str] = Counter()
        sections += section(vendor, results, count)
        summary.append(f"| {vendor.name} | {vendor.client} | {count[GREEN]} | {count[RED]} |")
        total.update(count)
    summary.append(f"| all | | {total[GREEN]} | {total[RED]} |")
    text = "\n".join([INTRODUCTION.format(green=GREEN, red=RED), *summary, "", *sections])
    return text.rstrip() + "\n", total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    parser.add_argument("sqlite", type=Path)
    parser.add_argument("postgres", type=Path)
    arguments = parser.parse_args()
    text, total = render((read_results(arguments.sqlite), read_results(arguments.postgres)))
    print(f"conformance: {total[GREEN]} cells green, {total[RED]} red, {len(text.splitlines())} lines")
    if not arguments.check:
        FILE.write_text(text)
        return 0
    old = FILE.read_text() if FILE.exists() else ""
    if old == text:
        return 0
    sys.stdout.writelines(difflib.unified_diff(old.splitlines(True), text.splitlines(True), "CONFORMANCE.md", "what the suites found"))
    print("CONFORMANCE.md is out of date, or something that worked no longer does: scripts/conformance writes it anew", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
