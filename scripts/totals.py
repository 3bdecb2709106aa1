"""Adds up the results that scripts/test left in a folder, prints one line, and exits 1 when anything failed.

The folder holds, for each test runner, NAME.log (its output) and NAME.code (its exit code), and `failed-checks` with a
line for each failed check. A runner that failed without naming a failed test, or that ended without a summary, counts as
one failed test: silence is never a pass.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

ANSI = re.compile(r"\x1b\[[0-9;]*m")
# nextest: "Summary [   1.2s] 12 tests run: 11 passed (1 slow), 1 failed, 2 timed out, 3 skipped"
NEXTEST = re.compile(r"^\s*Summary \[[^\]]*\]\s+(?P<ran>\d+)(?:/\d+)? tests? run:(?P<rest>.*)$", re.MULTILINE)
# cargo test, once for each binary: "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; ..."
CARGO = re.compile(r"^test result: \w+\. (?P<passed>\d+) passed; (?P<failed>\d+) failed; (?P<skipped>\d+) ignored;", re.MULTILINE)
# pytest: "===== 3 failed, 10 passed, 1 skipped, 2 errors in 4.56s ====="
PYTEST = re.compile(r"^=+ (?P<rest>(?:\d+ \w+(?:, )?)+) in [\d.:]+.*=+$", re.MULTILINE)
PASSED = {"passed", "xfailed"}
FAILED = {"failed", "error", "errors", "timed out", "exec failed", "xpassed"}
SKIPPED = {"skipped"}


def words(text: str) -> Counter[str]:
    """"11 passed (1 slow), 2 timed out" as a count of each word."""
    found: Counter[str] = Counter()
    for number, word in re.findall(r"(\d+) ([a-z ]+?)(?= \(|,|$)", re.sub(r" \([^)]*\)", "", text.strip())):
        found[word] += int(number)
    return found


def count(output: str) -> Counter[str] | None:
    """Passed, failed and skipped of one runner's output; None when it holds no summary."""
    output = ANSI.sub("", output)
    total: Counter[str] = Counter()
    summaries = [words(match["rest"]) for match in (*NEXTEST.finditer(output), *PYTEST.finditer(output))]
    for summary in summaries:
        for kind, names in (("passed", PASSED), ("failed", FAILED), ("skipped", SKIPPED)):
            total[kind] += sum(summary[name] for name in names)
    blocks = list(CARGO.finditer(output))
    for block in blocks:
        for kind in ("passed", "failed", "skipped"):
            total[kind] += int(block[kind])
    return total if summaries or blocks else None


def add_up(folder: Path) -> Counter[str]:
    total: Counter[str] = Counter()
    for code in sorted(folder.glob("*.code")):
        found = count(code.with_suffix(".log").read_text(errors="replace"))
        exit_code = code.read_text().strip()
        if found is None or (exit_code != "0" and found["failed"] == 0):
            print(f"{code.stem}: exit code {exit_code}, {'no summary' if found is None else 'but no failed test'}: counted as one failed", file=sys.stderr)
            total["failed"] += 1
        total.update(found or {})
    checks = folder / "failed-checks"
    total["failed"] += len(checks.read_text().splitlines()) if checks.exists() else 0
    if total["passed"] == 0 and total["failed"] == 0:
        print("no test ran: counted as one failed", file=sys.stderr)
        total["failed"] += 1
    return total


if __name__ == "__main__":
    totals = add_up(Path(sys.argv[1]))
    print(f"{totals['passed']} passed, {totals['failed']} failed, {totals['skipped']} skipped")
    sys.exit(1 if totals["failed"] else 0)
