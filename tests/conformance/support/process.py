"""The server under test as a process: started, waited for, stopped, killed.

Knows the contract of `throng demo --json` (one line of JSON on standard output once the server is ready) and nothing of
what a dialect does with it.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support import web
from support.waiting import wait_until

READY_SECONDS = 60
STOP_SECONDS = 30


def environment() -> dict[str, str]:
    """Ours less THRONG_...: those would configure the server under test."""
    return {name: value for name, value in os.environ.items() if not name.startswith("THRONG_")}


class Throng:
    """One server process. `folder` is for its log; `arguments` come after the binary's name."""

    def __init__(self, binary: Path, folder: Path, arguments: Sequence[str]) -> None:
        self.command = [str(binary), *arguments]
        self.log = folder / "log"
        self.ready: dict[str, Any] = {}
        self.url = ""
        self.first_line: queue.Queue[str] = queue.Queue()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=environment(), text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        """Hands over the first line and throws the rest away, so that the server never waits for its reader."""
        assert self.process.stdout is not None
        self.first_line.put(self.process.stdout.readline())
        while self.process.stdout.read(65536):
            pass

    def wait_for_json(self) -> "Throng":
        """Until `demo --json` has printed its line."""
        try:
            line = self.first_line.get(timeout=READY_SECONDS)
        except queue.Empty:
            raise AssertionError(f"no line on standard output within {READY_SECONDS} s\n{self.describe()}") from None
        try:
            self.ready = json.loads(line)
        except json.JSONDecodeError:
            raise AssertionError(f"the first line on standard output is not JSON: {line!r}\n{self.describe()}") from None
        self.url = self.ready["url"]
        return self

    def wait_for_ready(self, url: str) -> "Throng":
        """Until `/readyz` at a known address says yes."""

        def ready() -> bool:
            assert self.process.poll() is None, f"the server ended\n{self.describe()}"
            try:
                return web.request("GET", f"{url}/readyz").status == 200
            except OSError:
                return False

        wait_until(ready, READY_SECONDS, f"{url}/readyz answers 200")
        self.url = url
        return self

    def describe(self) -> str:
        log = self.log.read_text(errors="replace")[-4000:]
        return f"command: {' '.join(self.command)}\nexit code: {self.process.poll()}\nlog: ...{log}"

    def assert_alive(self) -> None:
        assert self.process.poll() is None, f"the server ended\n{self.describe()}"
        answer = web.request("GET", f"{self.url}/livez")
        assert answer.status == 200, f"/livez answered {answer.status}\n{self.describe()}"

    def memory_peak(self) -> int:
        """The most bytes that the process has ever had in memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]) * 1024

    def terminate(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running {STOP_SECONDS} s after SIGTERM\n{self.describe()}") from None

    def kill(self) -> None:
        """SIGKILL: what a crash or a power cut looks like from inside."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)
