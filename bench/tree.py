#!/usr/bin/env python3
"""What audience trees cost over HTTP, against a real `throng serve` in a folder of its own: moving a child of a million
members, the Thrive answer that names each of them, a page of members anywhere in an audience of ten million, and the list
of ten thousand audiences.

Every connection is kept. The load generator shares the machine's cores with the server and reads an answer as it comes,
without looking into it before its end. Nothing here asserts a time: the figures are printed beside their targets.
"""

import argparse
import base64
import concurrent.futures
import hashlib
import json
import multiprocessing
import os
import pathlib
import random
import re
import shutil
import socket
import statistics
import sys
import tempfile
import threading
import time
import urllib.parse

from accounts import Caller, timed
from ingest import BATCH, Server, cpu_seconds, rss_anon

THRIVE = "/thrive/rest/v1"
LIFE_CYCLE = "/thrive/rest/v2"
# What the targets are for; --people scales it down.
PEOPLE = 10_000_000
SIBLINGS = 20
STRUCTURES, CHILDREN, MEMBERS_OF_A_CHILD = 100, 100, 100
PAGE = 100
PAGES_MEASURED = 200
LISTS_MEASURED = 20
CALLERS = 4
SETTLED_SECONDS_MAX = 60
DIGITS36 = "0123456789abcdefghijklmnopqrstuvwxyz"


def address(index):
    return f"person{index}@example.org"


def hashes(first, count):
    return [hashlib.sha256(address(index).encode()).hexdigest() for index in range(first, first + count)]


def tenant(workspace):
    """The tenant id that the dialect writes for a workspace's id."""
    digits = ""
    while workspace:
        workspace, digit = divmod(workspace, 36)
        digits = DIGITS36[digit] + digits
    return f"throng_{digits:0>9}"


def share(values, q):
    """The q-th quantile of what was measured, by nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * q))]


def spent(times):
    return f"{statistics.median(times) * 1000:.1f} ms, p99 {share(times, 0.99) * 1000:.1f} ms"


class Bench:
    """One server, its two callers, and the table."""

    def __init__(self, server):
        self.server = server
        self.native_headers = {"Authorization": f"Bearer {server.token()}"}
        self.native = self.thrive = Caller(server.port, self.native_headers)
        self.workspace = json.loads(self.native("GET", "/api/v1/me"))["workspace"]
        made = json.loads(self.native("POST", "/api/v1/credentials", {"dialect": "thrive", "name": "bench"}))
        basic = base64.b64encode(f"{tenant(self.workspace)}:{made['secret']}".encode()).decode()
        self.thrive_headers = {"Authorization": f"Basic {basic}", "Accept": "application/json"}
        self.references = {}
        self.connect()

    def connect(self):
        self.native = Caller(self.server.port, self.native_headers)
        self.thrive = Caller(self.server.port, self.thrive_headers)

    @staticmethod
    def row(what, measured, target=""):
        print(f"| {what} | {measured} | {target} |", flush=True)

    def structure(self, name):
        return self.made(self.native, "structures", {"name": name})

    def audience(self, structure, name, call=None):
        return self.made(call or self.native, "audiences", {"structure": structure, "name": name})

    def made(self, call, nouns, body):
        """The id of something new. Its reference is its name with the word bench, so that Thrive can be asked for it."""
        reference = f"bench {body.get('structure', '')} {body['name']}"
        made = json.loads(call("POST", f"/api/v1/{nouns}", {**body, "reference": reference}))["id"]
        self.references[made] = reference
        return made

    def named(self, audience):
        """The id that Thrive's clients use."""
        reference = urllib.parse.quote(self.references[audience], safe="")
        return json.loads(self.thrive("GET", f"{THRIVE}/audiences/{reference}"))["id"]

    def fill(self, audience, first, count, call=None):
        """Adds so many people, from a number on; the same numbers are the same people everywhere."""
        call = call or self.native
        for start in range(first, first + count, BATCH):
            values = hashes(start, min(BATCH, first + count - start))
            call("POST", f"/api/v1/audiences/{audience}/members/add", {"kind": "email", "values": values})

    def settled(self):
        """Until nothing more is written behind what was acknowledged: the process has done nothing for a second."""
        before = cpu_seconds(self.server.process.pid)
        for _ in range(SETTLED_SECONDS_MAX):
            threading.Event().wait(1.0)  # the distance of two looks
            now = cpu_seconds(self.server.process.pid)
            if now - before < 0.05:
                return
            before = now
        sys.exit(f"the server is still busy {SETTLED_SECONDS_MAX} s after its last answer")


def build_tree(bench, people):
    """100 structures of 100 audiences of 100 members each, made by four callers."""
    scale = max(1, round((PEOPLE / people) ** 0.5))
    structures, children = max(2, STRUCTURES // scale), max(2, CHILDREN // scale)

    def grow(part):
        call = Caller(bench.server.port, bench.native_headers)
        for number in range(part, structures, CALLERS):
            structure = bench.made(call, "structures", {"name": f"tree {number}"})
            for child in range(children):
                audience = bench.audience(structure, f"child {child}", call)
                bench.fill(audience, (number * children + child) * MEMBERS_OF_A_CHILD // 2, MEMBERS_OF_A_CHILD, call)

    with concurrent.futures.ThreadPoolExecutor(CALLERS) as callers:
        list(callers.map(grow, range(CALLERS)))
    return structures, children


def native_pages(bench, query=""):
    """Every page of the native list: the seconds until the last byte of each, and how many they had."""
    seconds, found, after = 0.0, 0, ""
    while after is not None:
        path = f"/api/v1/audiences?limit=1000{query}{after and f'&after={after}'}"
        elapsed, body = timed(lambda path=path: bench.native("GET", path))
        page = json.loads(body)
        seconds, found, after = seconds + elapsed, found + len(page["items"]), page["next"]
    return seconds, found


def thrive_pages(bench):
    seconds, found, page, pages = 0.0, 0, 1, 1
    while page <= pages:
        path = f"{THRIVE}/audiences?page={page}&perPage=1000"
        elapsed, body = timed(lambda path=path: bench.thrive("GET", path))
        body = json.loads(body)
        pages = body["pagination"]["totalPages"]
        seconds, found, page = seconds + elapsed, found + len(body["results"]), page + 1
    return seconds, found


def measure_tree(bench, people):
    structures, children = build_tree(bench, people)
    count = structures * children
    bench.settled()
    lists = (
        (f"list of a tree of {count:,} audiences, native, all pages of 1,000 one after the other: total", lambda: native_pages(bench), count, "50 ms"),
        ("the same through Thrive, with their structures", lambda: thrive_pages(bench), count + structures, "50 ms"),
        (f"list of the {structures:,} structures with how many people are in each, native", lambda: native_pages(bench, "&parent=root"), structures, ""),
    )
    for what, call, expected, target in lists:
        times = []
        for _ in range(LISTS_MEASURED + 1):
            elapsed, found = call()
            if found != expected:
                sys.exit(f"{what}: {found} found, {expected} expected")
            times.append(elapsed)
        bench.row(what, spent(times[1:]), target)


class Move:
    """A child of a tenth of the people, in a structure with twenty siblings that each hold a tenth of that, and another
    structure. Each sibling shares a quarter of its members with the child: half of those who are moved stay as well."""

    def __init__(self, bench, people):
        self.bench = bench
        self.members = people // 10
        self.old, self.new = bench.structure("old"), bench.structure("new")
        self.child = bench.audience(self.old, "moved")
        bench.fill(self.child, 0, self.members)
        each = max(1, self.members // 10)
        for number in range(SIBLINGS):
            sibling = bench.audience(self.old, f"sibling {number}")
            shared = number * self.members // SIBLINGS
            bench.fill(sibling, shared, each // 4)
            bench.fill(sibling, people + number * each, each - each // 4)
        self.siblings = each
        bench.settled()

    def native(self, times):
        """Back and forth; how long each way took."""
        bench, path = self.bench, f"/api/v1/audiences/{self.child}"
        there, back, preview = [], [], []
        for _ in range(times):
            preview.append(timed(lambda: bench.native("PATCH", f"{path}?dry_run=true", {"parent": self.new}))[0])
            there.append(timed(lambda: bench.native("PATCH", path, {"parent": self.new}))[0])
            back.append(timed(lambda: bench.native("PATCH", path, {"parent": self.old}))[0])
        what = f"native move of a child of {self.members:,} members, durable"
        bench.row(f"{what}, out of a structure with {SIBLINGS} siblings of {self.siblings:,}", spent(there), "150 ms")
        bench.row("the same, back into it", spent(back), "150 ms")
        bench.row("the same as a preview", spent(preview))

    def thrive(self, times, what):
        """Back and forth through the dialect, whose answer names every member."""
        bench = self.bench
        child, old, new = (bench.named(audience) for audience in (self.child, self.old, self.new))
        before = rss_anon(bench.server.process.pid)
        totals, firsts, peak, length, named = [], [], 0, 0, 0
        for number in range(times):
            for parent in (new, old):
                answer = Streamed(bench, f"{THRIVE}/audiences/{child}/", {"parentId": parent})
                totals.append(answer.total)
                firsts.append(answer.first)
                peak = max(peak, answer.peak)
                length, named = max(length, len(answer.body)), max(named, answer.named)
                if number == 0:
                    answer.assert_whole(self.members)
        bench.row(f"Thrive move of {what}: total, until the last byte", spent(totals), "2 s")
        bench.row("the same, until the first byte", spent(firsts))
        bench.row("the same, size of the answer", f"{length / 1e6:.0f} MB, {named:,} names")
        after = rss_anon(bench.server.process.pid)
        bench.row("the same, RssAnon before, highest meanwhile, after", f"{before / 1e6:.0f} MB, {peak / 1e6:.0f} MB, {after / 1e6:.0f} MB", "constant")


class Streamed:
    """One PATCH, read as fast as it comes, while the server's memory is looked at."""

    def __init__(self, bench, path, body):
        content = json.dumps(body).encode()
        lines = [f"PATCH {path} HTTP/1.1", "Host: bench", "Content-Type: application/json", f"Content-Length: {len(content)}"]
        lines += [f"{name}: {value}" for name, value in bench.thrive_headers.items()]
        request = "\r\n".join(lines).encode() + b"\r\n\r\n" + content
        self.peak, over = 0, threading.Event()
        watcher = threading.Thread(target=self._watch, args=(bench.server.process.pid, over))
        watcher.start()
        try:
            with socket.create_connection(("127.0.0.1", bench.server.port), timeout=120) as stream:
                started = time.perf_counter()
                stream.sendall(request)
                parts = [stream.recv(1 << 20)]
                self.first = time.perf_counter() - started
                # The last chunk of the last part ends the answer; the connection stays open.
                while parts[-1] and not self._ended(parts):
                    parts.append(stream.recv(1 << 20))
                self.total = time.perf_counter() - started
        finally:
            over.set()
            watcher.join()
        self.status, self.body = dechunked(b"".join(parts))
        self.named = self.body.count(b'"reference"')
        if self.status not in (200, 207):
            sys.exit(f"PATCH {path}: {self.status} {self.body[:300]!r}")

    @staticmethod
    def _ended(parts):
        tail = (parts[-2][-8:] if len(parts) > 1 else b"") + parts[-1][-8:]
        if tail.endswith(b"\r\n0\r\n\r\n"):
            return True
        # A short answer has a length instead.
        if len(parts) > 1:
            return False
        head, _, rest = parts[0].partition(b"\r\n\r\n")
        length = re.search(rb"(?im)^content-length: *(\d+)", head)
        return length is not None and len(rest) >= int(length.group(1))

    def _watch(self, pid, over):
        while not over.wait(0.005):  # the distance of two looks
            self.peak = max(self.peak, rss_anon(pid))

    def assert_whole(self, members):
        """That it is the JSON that it should be: everybody joined, and everybody left or stayed."""
        operations = json.loads(self.body)["memberOperations"]
        if not operations:
            sys.exit("the answer says that nothing was moved")
        for name, result in operations.items():
            listed = [len(result.get(key, {}).get("entities", [])) for key in ("success", "failure")]
            counted = [result.get(key, {}).get("count", 0) for key in ("success", "failure")]
            if listed != counted or sum(counted) != members:
                sys.exit(f"{name}: {counted} counted and {listed} listed of {members}")


def dechunked(raw):
    """Status and body of an answer."""
    head, _, rest = raw.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    if b"transfer-encoding: chunked" not in head.lower():
        return status, rest
    body, place = [], 0
    while True:
        end = rest.index(b"\r\n", place)
        size = int(rest[place:end].split(b";")[0], 16)
        if size == 0:
            return status, b"".join(body)
        body.append(rest[end + 2 : end + 2 + size])
        place = end + 2 + size + 2


def make_users(task):
    """One process's part of the Thrive users, on one kept connection; Python is slower at this than the server."""
    port, headers, first, step, count = task
    call = Caller(port, headers)
    for index in range(first, count, step):
        user = {"ref": f"EMP-{index:08}", "firstName": "Person", "lastName": f"{index}", "email": address(index)}
        call("POST", f"{LIFE_CYCLE}/users", user)
    return len(range(first, count, step))


def add_users(bench, count):
    tasks = [(bench.server.port, bench.thrive_headers, first, CALLERS, count) for first in range(CALLERS)]
    started = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(CALLERS) as pool:
        made = sum(pool.map(make_users, tasks))
    elapsed = time.perf_counter() - started
    bench.row(f"{made:,} Thrive users, one a request, {CALLERS} callers", f"{made / elapsed:,.0f}/s")


class Pages:
    """An audience of everybody, and a structure that has it beside another child."""

    def __init__(self, bench, people):
        self.bench, self.people = bench, people
        self.structure = bench.structure("large")
        self.audience = bench.audience(self.structure, "everybody")
        bench.fill(self.audience, 0, people)
        # Half of it is in the large one too, so that the structure is a union and no copy.
        other = bench.audience(self.structure, "others")
        bench.fill(other, people // 2, people // 20)
        bench.fill(other, people * 2, people // 20)
        self.union = people + people // 20
        bench.settled()
        bench.connect()  # as after the users

    def page(self, audience, query):
        return json.loads(self.bench.native("GET", f"/api/v1/audiences/{audience}/members?limit={PAGE}&{query}"))

    def cursor_at(self, audience, number):
        """Where the page after page `number` begins."""
        return self.page(audience, f"page={number}")["next"]

    def by_keyset(self, audience, total, what):
        """As a reader goes through the list: each page is asked for with what the page before it said."""
        last = total // PAGE
        for place, number in (("at the beginning", 0), ("in the middle", last // 2), ("at the end", max(1, last - PAGES_MEASURED - 1))):
            after = self.cursor_at(audience, number) if number else None
            times = []
            for _ in range(min(PAGES_MEASURED, last - number)):
                elapsed, page = timed(lambda: self.page(audience, f"after={after}" if after else ""))
                times.append(elapsed)
                if len(page["items"]) != PAGE:
                    sys.exit(f"{what}: a page of {len(page['items'])}")
                after = page["next"]
            self.bench.row(f"{what}, {place}, by keyset", spent(times), "10 ms")

    def by_number(self, audience, total, what):
        last = total // PAGE
        numbers = random.Random(1).sample(range(last * 9 // 10, last), min(PAGES_MEASURED, last // 10))
        times = []
        for number in numbers:
            elapsed, page = timed(lambda: self.page(audience, f"page={number}"))
            times.append(elapsed)
            if len(page["items"]) != PAGE:
                sys.exit(f"{what}: page {number} has {len(page['items'])}")
        self.bench.row(f"{what}, in the last tenth, by page number", spent(times), "50 ms")
        named, times = self.bench.named(audience), []
        for number in numbers:
            path = f"{THRIVE}/audiences/{named}/members?page={number}&perPage={PAGE}"
            elapsed, body = timed(lambda: self.bench.thrive("GET", path))
            times.append(elapsed)
            page = json.loads(body)
            if (len(page["results"]), page["pagination"]["totalResults"]) != (PAGE, total):
                sys.exit(f"{what}: Thrive's page {number} has {len(page['results'])} of {page['pagination']}")
        self.bench.row("the same through Thrive", spent(times), "50 ms")

    def measure(self):
        for audience, total, what in (
            (self.audience, self.people, f"page of {PAGE} members of an audience of {self.people:,}"),
            (self.structure, self.union, f"page of {PAGE} of the {self.union:,} people of the structure that holds it"),
        ):
            self.by_keyset(audience, total, what)
            self.by_number(audience, total, what)


def machine():
    """What the figures were taken on."""
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s+(\d+) kB", pathlib.Path("/proc/meminfo").read_text()).group(1))
    return f"{os.cpu_count()} cores ({cpu.group(1).strip() if cpu else 'unknown'}), {memory / 1e6:.0f} GB"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="the throng binary (release)")
    parser.add_argument("--people", type=int, default=PEOPLE, help="members of the largest audience; the rest follows (default 10 million)")
    parser.add_argument("--users", type=int, help="how many of the moved child's members are Thrive users (a tenth of them)")
    parser.add_argument("--moves", type=int, default=10, help="moves there and back (default 10)")
    parser.add_argument("--only-tree", action="store_true", help="measure the lists of a tree and nothing else")
    parser.add_argument("--database-url", help="measure on PostgreSQL instead of SQLite (an empty database)")
    arguments = parser.parse_args()
    if arguments.people < 100_000:
        parser.error("with fewer than 100,000 people there are no pages to measure")
    users = arguments.people // 100 if arguments.users is None else arguments.users
    folder = tempfile.mkdtemp(prefix="throng-bench-")
    extra = ["--set", "rate_limit.native=off", "--set", "rate_limit.thrive=off"]
    if arguments.database_url:
        extra += ["--database-url", arguments.database_url]
    try:
        server = Server(arguments.bin, folder, extra)
        try:
            bench = Bench(server)
            print(f"{machine()}, {'PostgreSQL' if arguments.database_url else 'SQLite'}; median and p99 (of fewer than a hundred: the slowest)")
            # First of all, while there is nothing else to list.
            measure_tree(bench, arguments.people)
            if arguments.only_tree:
                return
            move = Move(bench, arguments.people)
            move.native(arguments.moves)
            move.thrive(max(2, arguments.moves // 2), f"the same child, none of its {move.members:,} members a Thrive user")
            add_users(bench, min(users, move.members))
            # The connections have waited for longer than a server keeps one.
            bench.connect()
            move.thrive(max(2, arguments.moves // 2), f"the same child, {min(users, move.members):,} of its members Thrive users")
            Pages(bench, arguments.people).measure()
            bench.row("RssAnon at the end", f"{rss_anon(server.process.pid) / 1e6:.0f} MB")
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
