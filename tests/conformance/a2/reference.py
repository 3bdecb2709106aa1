"""The FastAPI-Users application of reference_app.py as a process on a free port."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from support.process import environment
from support.waiting import wait_until

START_SECONDS = 60
TOKEN_SECONDS = 30


class Reference:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tokens = folder / "tokens"
        with (folder / "log").open("ab") as log:
            program = Path(__file__).with_name("reference_app.py")
            self.process = subprocess.Popen(
                [sys.executable, str(program), str(folder)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=environment(), text=True
            )
        lines: queue.Queue[str] = queue.Queue()
        stdout = self.process.stdout
        assert stdout is not None
        threading.Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
        try:
            ready: dict[str, Any] = json.loads(lines.get(timeout=START_SECONDS))
        except (queue.Empty, json.JSONDecodeError):
            self.stop()
            raise AssertionError(f"the reference application did not start:\n{(folder / 'log').read_text()}") from None
        self.url: str = ready["url"]
        self.admin: dict[str, str] = ready["admin"]

    def token(self, kind: str, email: str) -> str:
        """The newest `reset` or `verify` token that the library would have mailed to this address."""

        def newest() -> str | None:
            lines = self.tokens.read_text().splitlines() if self.tokens.exists() else []
            found = [entry["token"] for entry in map(json.loads, lines) if (entry["kind"], entry["email"].lower()) == (kind, email.lower())]
            return found[-1] if found else None

        token = wait_until(newest, TOKEN_SECONDS, f"the library made a {kind} token for {email}")
        assert token is not None
        return token

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
