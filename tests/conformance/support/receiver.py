"""A real HTTP server on a free port of 127.0.0.1 that takes webhooks: it keeps each request as it came and answers what the
test says, which may change while it runs."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from support.waiting import wait_until

# Deliveries wait for a worker; a first repetition waits about half a minute.
SECONDS = 30
RETRY_SECONDS = 120


@dataclass(frozen=True)
class Delivery:
    method: str
    path: str
    # By lower-case name; none of those that matter may come twice.
    headers: dict[str, str]
    body: bytes
    # Seconds of time.monotonic() at which it came.
    moment: float
    # What it was answered.
    status: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """`statuses` are the next answers, one for each request; after them `status` is."""

    def __init__(self) -> None:
        self.status = 204
        self.statuses: list[int] = []
        self.deliveries: list[Delivery] = []
        self.lock = threading.Lock()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                names = [name.lower() for name in self.headers]
                assert len(set(names)) == len(names), names
                with receiver.lock:
                    status = receiver.statuses.pop(0) if receiver.statuses else receiver.status
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    receiver.deliveries.append(Delivery(self.command, self.path, headers, body, time.monotonic(), status))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_PUT = do_PATCH = do_DELETE = do_POST

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def all(self) -> list[Delivery]:
        with self.lock:
            return list(self.deliveries)

    def wait_for(self, wanted: Callable[[Delivery], bool], what: str, number: int = 1, seconds: float = SECONDS) -> list[Delivery]:
        """The deliveries that are wanted, once there are so many of them."""

        def found() -> list[Delivery] | None:
            fitting = [delivery for delivery in self.all() if wanted(delivery)]
            return fitting if len(fitting) >= number else None

        return wait_until(found, seconds, f"{number} deliveries of {what}")
