#!/usr/bin/env python3
"""What accounts cost over HTTP: signing in, reading one's own account, searching, exporting and inviting, against a real
`throng serve` in a folder of its own and, for the current user, a real FastAPI-Users application in the same run.

`wrk` makes the load where many requests a second are counted; it shares the machine's cores with the server. Nothing here
asserts a time: the figures are printed.
"""

import argparse
import http.client
import json
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

from ingest import Server, rss_anon

ROOT = pathlib.Path(__file__).resolve().parents[1]
ACCOUNTS = 100_000
BULK = 1_000
COMMON, RARE = 50_000, 100
PASSWORD = "a fine long password"
ADMIN = "root"
ODS = "/opendatasoft/api/automation/v1.0"


class Caller:
    """One kept connection."""

    def __init__(self, port, headers):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.headers = headers

    def __call__(self, method, path, body=None, **headers):
        encoded = json.dumps(body) if body is not None and not isinstance(body, str) else body
        kind = {"Content-Type": "application/json"} if encoded is not None else {}
        self.connection.request(method, path, encoded, {**self.headers, **kind, **headers})
        response = self.connection.getresponse()
        data = response.read()
        if response.status >= 300:
            sys.exit(f"{method} {path}: {response.status} {data[:300]!r}")
        return data


def timed(call):
    started = time.perf_counter()
    answer = call()
    return time.perf_counter() - started, answer


def median_ms(times):
    return f"{statistics.median(times) * 1000:.1f} ms"


def requests_a_second(url, token, seconds=10, connections=16):
    """What `wrk` counts, and its 99th percentile."""
    command = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--latency", "-H", f"Authorization: Bearer {token}", url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    if bad:
        sys.exit(f"{url}: {bad.group(0)}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)), re.search(r"99%\s+(\S+)", text).group(1)


def form(email):
    return urllib.parse.urlencode({"username": email, "password": PASSWORD})


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def sign_in(port, path, email):
    caller = Caller(port, {})
    return json.loads(caller("POST", path, form(email), **FORM))["access_token"]


class FastApiUsers:
    """The application of the library's own documentation."""

    def __init__(self, python, folder):
        app = ROOT / "bench" / "fastapi_users_app.py"
        self.process = subprocess.Popen([python, app, folder], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        ready = json.loads(self.process.stdout.readline())
        self.port = int(ready["url"].rsplit(":", 1)[1])
        self.url = ready["url"]

    def token(self):
        caller = Caller(self.port, {})
        user = {"email": "bench@example.org", "password": PASSWORD}
        caller("POST", "/auth/register", user)
        return sign_in(self.port, "/auth/jwt/login", "bench@example.org")


def invite_all(call):
    """100,000 accounts by a hundred requests; how long each took."""
    times = []
    for first in range(0, ACCOUNTS, BULK):
        body = [
            {
                "email": f"person{index}@example.org",
                "first_name": "Commonword" if index % (ACCOUNTS // COMMON) == 0 else "Other",
                "last_name": "Rareword" if index % (ACCOUNTS // RARE) == 0 else "Name",
            }
            for index in range(first, first + BULK)
        ]
        spent, answer = timed(lambda: call("POST", f"{ODS}/users/invite/", body))
        if any(one["status_code"] != "success" for one in json.loads(answer).values()):
            sys.exit("an invitation was refused")
        times.append(spent)
    return times


def search(call, word, expected, change=None):
    times = []
    for _ in range(31):
        if change:
            change()
        spent, answer = timed(lambda: call("GET", f"{ODS}/users/?search={word}&limit=20"))
        total = json.loads(answer)["total_count"]
        if total != expected:
            sys.exit(f"{word}: {total} found, {expected} expected")
        times.append(spent)
    return times[1:]


def sign_ins(server, seconds=10, callers=8):
    """Sign-ins a second with so many callers, and the times of other requests meanwhile."""
    emails = [f"signer{index}@example.org" for index in range(callers)]
    register = Caller(server.port, {})
    for email in emails:
        user = {"email": email, "password": PASSWORD, "name": "Signer", "permissions": {}, "role": "advertiser"}
        register("POST", "/a2/auth/register", user)
    token = sign_in(server.port, "/a2/auth/jwt/login", emails[0])
    until = time.perf_counter() + seconds
    counts, latencies = [0] * callers, []

    def signer(index):
        call = Caller(server.port, {})
        while time.perf_counter() < until:
            call("POST", "/a2/auth/jwt/login", form(emails[index]), **FORM)
            counts[index] += 1

    def reader():
        call = Caller(server.port, {"Authorization": f"Bearer {token}"})
        while time.perf_counter() < until:
            latencies.append(timed(lambda: call("GET", "/a2/users/me"))[0])
            threading.Event().wait(0.005)  # the pace of the other requests, not a wait for anything

    threads = [threading.Thread(target=signer, args=(index,)) for index in range(callers)]
    threads += [threading.Thread(target=reader) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    latencies.sort()
    return sum(counts) / seconds, latencies


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="the throng binary (release)")
    parser.add_argument("--python", default=sys.executable, help="a Python with FastAPI-Users")
    parser.add_argument("--database-url", help="measure on PostgreSQL instead of SQLite (an empty database)")
    arguments = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="throng-bench-")
    extra = ["--set", "rate_limit.native=off"]
    if arguments.database_url:
        extra += ["--database-url", arguments.database_url]
    rows = []
    try:
        server = Server(arguments.bin, folder, extra)
        native = Caller(server.port, {"Authorization": f"Bearer {server.token()}"})
        admin = {"email": "root@example.org", "password": PASSWORD, "role": "admin"}
        root = json.loads(native("POST", "/api/v1/accounts", admin))["id"]
        new = {"label": "bench", "dialect": "opendatasoft"}
        key = json.loads(native("POST", f"/api/v1/accounts/{root}/keys", new))["secret"]
        call = Caller(server.port, {"Authorization": f"Apikey {key}", "Accept": "application/json"})

        rows.append(("invite of 1,000 in one request, median of 100", median_ms(invite_all(call))))
        rows.append(("first search after 100,000 came in", median_ms([timed(lambda: call("GET", f"{ODS}/users/?search=x&limit=1"))[0]])))
        for word, count in (("rareword", RARE), ("commonword", COMMON)):
            rows.append((f"search of 100,000 for a word of {count:,}, exact total, median of 30", median_ms(search(call, word, count))))
        rename = lambda: call("PUT", f"{ODS}/users/{ADMIN}/", {"email": "root@example.org", "first_name": str(time.time_ns())})
        rows.append(("the same for the 50,000, each after a change of an account", median_ms(search(call, "commonword", COMMON, rename))))

        before = rss_anon(server.process.pid)
        spent, csv = timed(lambda: call("GET", f"{ODS}/users/export/", Accept="text/csv"))
        if csv.count(b"\n") != ACCOUNTS + 2:
            sys.exit(f"the export has {csv.count(10)} lines")
        rows.append((f"CSV export of 100,000 ({len(csv) / 1e6:.1f} MB)", f"{spent:.2f} s"))
        rows.append(("RssAnon before and after it", f"{before / 1e6:.1f} MB, {rss_anon(server.process.pid) / 1e6:.1f} MB"))

        token = sign_in(server.port, "/a2/auth/jwt/login", "root@example.org")
        ours, p99 = requests_a_second(f"http://127.0.0.1:{server.port}/a2/users/me", token)
        rows.append(("GET current user, 16 connections", f"{ours:,.0f}/s, p99 {p99}"))
        reference = FastApiUsers(arguments.python, tempfile.mkdtemp(dir=folder))
        try:
            theirs, p99 = requests_a_second(f"{reference.url}/users/me", reference.token())
        finally:
            reference.process.terminate()
            reference.process.wait(30)
        rows.append(("the same from FastAPI-Users 15 (uvicorn, SQLite)", f"{theirs:,.0f}/s, p99 {p99}"))
        rows.append(("ratio", f"{ours / theirs:.0f}"))

        rate, latencies = sign_ins(server)
        rows.append(("sign-ins, 8 callers", f"{rate:.0f}/s"))
        p50, p99 = latencies[len(latencies) // 2], latencies[len(latencies) * 99 // 100]
        rows.append((f"other requests meanwhile ({len(latencies)}): median, p99", f"{p50 * 1000:.1f} ms, {p99 * 1000:.1f} ms"))
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for name, figure in rows:
        print(f"| {name} | {figure} |")


if __name__ == "__main__":
    main()
