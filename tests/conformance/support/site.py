"""A filled data folder and its database, on which `throng serve` is started, stopped, killed and started again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from support.postgres import free_port
from support.process import Throng


class Site:
    """`ready` is what the demo printed that filled it; each server knows it with its own address."""

    def __init__(self, launch: Callable[..., Throng], filled: Throng, data: Path, database: Sequence[str], scratch: Path) -> None:
        self.launch, self.data, self.database, self.scratch = launch, data, tuple(database), scratch
        self.filled_url, self.ready = filled.url, filled.ready

    def serve(self, *arguments: str, config: str = "", port: int | None = None) -> Throng:
        """A ready server; `config` is the text of its throng.toml."""
        if config:
            file = self.scratch / "throng.toml"
            file.write_text(config)
            arguments = ("--config", str(file), *arguments)
        address = f"127.0.0.1:{port or free_port()}"
        server = self.launch("serve", "--listen", address, "--data", str(self.data), *self.database, *arguments).wait_for_ready(f"http://{address}")
        server.ready = self.at(server.url)
        return server

    def at(self, url: str) -> dict[str, Any]:
        return json.loads(json.dumps(self.ready).replace(self.filled_url, url))
