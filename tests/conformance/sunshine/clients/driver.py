"""Runs one version of the vendor's Python client in a process of its own: both versions have one package name.

    driver.py FOLDER VERSION

One line of JSON on standard input is one call, one line on standard output is what came of it; `Driver` in ../clients.py
is the other side. In a call's arguments `{"$model": NAME, "init": {...}}` is a model made by its constructor,
`{"$model": NAME, "wraps": ...}` one made of another, and `{"$model": NAME, "dict": {...}}` one made by `from_dict`.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import distributions
from typing import Any

FOLDER, VERSION = sys.argv[1:]
sys.path.insert(0, FOLDER)

import sunshine_conversations_client as vendor  # noqa: E402
from sunshine_conversations_client import model as models  # noqa: E402

found = [it.version for it in distributions(path=[FOLDER]) if it.name.replace("_", "-") == "sunshine-conversations-client"]
assert found == [VERSION] and vendor.__file__.startswith(FOLDER), (found, vendor.__file__)
MAJOR = int(VERSION.partition(".")[0])


def client_of(call: dict[str, Any]) -> Any:
    configuration = vendor.Configuration(host=call["base"])
    # The constructor of 9.15.0 takes no token.
    for name, value in call["configuration"].items():
        setattr(configuration, name, value)
    return vendor.ApiClient(configuration)


def made(value: Any) -> Any:
    """An argument: what names a model becomes one."""
    if isinstance(value, list):
        return [made(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$model" not in value:
        return {name: made(item) for name, item in value.items()}
    kind = getattr(vendor, value["$model"], None) or getattr(models, value["$model"])
    if "wraps" in value:
        return kind(made(value["wraps"]))
    if "dict" in value:
        return kind.from_dict(value["dict"])
    return kind(**{name: made(item) for name, item in value["init"].items()})


def plain(client: Any, data: Any) -> Any:
    """An answer as the client gives it, with the vendor's names and without what is not there."""
    if MAJOR < 17:
        return client.sanitize_for_serialization(data)
    # Its own `to_dict` is for requests, and leaves out what is read only.
    if isinstance(data, list):
        return [plain(client, item) for item in data]
    if isinstance(data, dict):
        return {name: plain(client, item) for name, item in data.items()}
    fields = getattr(type(data), "model_fields", None)
    if fields is None:
        return client.sanitize_for_serialization(data)
    if "actual_instance" in fields:
        return plain(client, data.actual_instance)
    given = {field.alias or name: getattr(data, name) for name, field in fields.items()}
    return {name: plain(client, value) for name, value in given.items() if value is not None}


def answer(call: dict[str, Any]) -> dict[str, Any]:
    client = client_of(call)
    try:
        arguments = [made(it) for it in call["arguments"]]
        options = {name: made(it) for name, it in call["options"].items()}
        operation = getattr(getattr(vendor, call["api"])(client), call["operation"] + "_with_http_info")
        result = operation(*arguments, **options)
    except vendor.exceptions.ApiException as error:
        if not error.status:
            return {"refused": type(error).__name__, "text": str(error)}
        body = error.body.decode() if isinstance(error.body, bytes) else error.body
        return {"status": error.status, "exception": type(error).__name__, "headers": headers(error.headers), "body": body}
    except Exception as error:  # noqa: BLE001
        return {"refused": type(error).__name__, "text": str(error)}
    if MAJOR >= 17:
        return {"status": result.status_code, "headers": headers(result.headers), "body": result.raw_data.decode(), "data": plain(client, result.data)}
    data, status, given = result
    body = client.last_response.data
    return {"status": status, "headers": headers(given), "body": body.decode() if isinstance(body, bytes) else body, "data": plain(client, data)}


def headers(given: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in dict(given or {}).items()}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
