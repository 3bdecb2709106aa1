#!/usr/bin/env python3
"""The set engine beside its peers, on the same sets: exact counts through HTTP, memory, disk, starts, ingestion.

Each part fills its own database (`throng dev fill`), starts a real `throng serve` on it, and checks every count against numpy and
every peer against the same: a wrong count ends the run. Figures are printed, one row a line, and appended to --write; nothing
asserts a time. The client is Python on the same cores; for many callers it is wrk.
"""

import argparse
import contextlib
import http.client
import json
import multiprocessing
import os
import pathlib
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import ingest
import sets_data
import sets_ingest
from sets_data import DENSITIES, Filled, as_json, count, evaluate, expression_of, expression_places, has_room, timed
from sets_peers import ClickHouse, DuckDb, Postgres, Redis

AUDIENCES = 208
MATRIX = 50
AGAINST = 100
PARTS = ("ingest", "keys", "questions", "sparse", "contains", "lookup", "readers")
# A bitmap of a set of persons costs so much at most; a key with its person in the database about so much.
KEY_BYTES = 20
# Batches of the writer beside readers: so many twentieths of a second.
WRITTEN = 120
# Audiences asked about in the part sparse.
SPARSE_ASKED = 1_500


class Bench:
    def __init__(self, arguments):
        self.binary, self.arguments = arguments.bin, arguments
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="throng-sets-", dir=arguments.work))
        os.chmod(self.work, 0o755)
        self.rows = []

    def row(self, part, what, who, people, value, unit, target=None, note=""):
        """One figure: printed as a row of a table, kept as JSON."""
        row = {
            "part": part,
            "what": what,
            "who": who,
            "people": people,
            "value": value,
            "unit": unit,
            "target": target,
            "note": note,
        }
        self.rows.append(row)
        shown = f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
        goal = "" if target is None else f"{target:g} {unit}"
        print(f"| {what} | {people:,} | {who} | {shown} {unit} | {goal} | {note} |", flush=True)
        if self.arguments.write:
            with open(self.arguments.write, "a", encoding="utf-8") as out:
                out.write(json.dumps(row) + "\n")

    @contextlib.contextmanager
    def folder(self, name):
        place = self.work / name
        place.mkdir()
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def serve(self, folder, *settings):
        extra = [word for setting in settings for word in ("--set", setting)]
        return Serving(self.binary, str(folder), extra)


class Serving(ingest.Server):
    """A server with a kept connection for questions."""

    def __init__(self, binary, folder, extra=(), token=None):
        super().__init__(binary, folder, extra)
        self.secret = token or self.token()
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)

    def ask(self, path, body):
        self.connection.request("POST", path, json.dumps(body), self.headers())
        response = self.connection.getresponse()
        data = response.read()
        if response.status != 200:
            sys.exit(f"POST {path}: {response.status} {data[:300]!r}")
        return json.loads(data)

    def headers(self):
        return {"Authorization": f"Bearer {self.secret}", "Content-Type": "application/json"}

    def overlap(self, first, second):
        return self.ask("/api/v1/overlap", {"audiences": [first, second]})["matrix"][0][1]

    def expression(self, node):
        return self.ask("/api/v1/reach", {"expression": as_json(node)})["people"]

    def matrix(self, ids):
        return self.ask("/api/v1/overlap", {"audiences": list(ids)})["matrix"]

    def against(self, one, others):
        found = self.ask("/api/v1/overlap", {"audience": one, "against": list(others)})
        return [shared["overlap"] for shared in found["against"]]

    def memory(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return {
            name: int(re.search(rf"{name}:\s+(\d+) kB", text).group(1)) * 1024 for name in ("RssAnon", "RssFile", "RssShmem")
        }


def drop_page_cache():
    """Cold means cold where we may; answers whether."""
    os.sync()
    try:
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("1")
    except OSError:
        return False
    return True


def part_keys(bench, people):
    """Memory and disk of keys; ready with the cache, and without."""
    for kept in ("none", "sealed"):
        needed = people * (2 * KEY_BYTES if kept == "none" else 140)
        if not has_room(bench.work, needed, f"{people:,} keys, identifiers {kept}"):
            continue
        with bench.folder(f"keys-{kept}") as folder:
            data = folder / "data"
            filled = Filled(bench.binary, str(data), people, 0, [0.05], identifiers=kept)
            bench.row("keys", f"throng dev fill, identifiers {kept}", "Throng", people, filled.seconds, "s")
            target = 24 if kept == "none" else 64
            bench.row("keys", f"disk a key, identifiers {kept}", "Throng", people, filled.file_bytes() / people, "B", target)
            if kept == "none":
                starts(bench, data, people)
    redis_memory(bench)


def starts(bench, data, people):
    with bench.folder("empty") as folder:
        server = bench.serve(folder / "data")
        empty = server.memory()["RssAnon"]
        server.stop()
    server = bench.serve(data)
    token = server.secret
    bench.row("keys", "first start after a fill, no cache", "Throng", people, server.ready_seconds, "s", 20)
    memory = server.memory()
    bench.row(
        "keys",
        "memory a key (RssAnon above an empty server), built from the database",
        "Throng",
        people,
        (memory["RssAnon"] - empty) / people,
        "B",
        8,
        f"mapped files {(memory['RssFile'] + memory['RssShmem']) / 1e6:,.0f} MB",
    )
    stop(server)
    for name, prepare, target in (("cache present", lambda: None, 1), ("cache deleted", lambda: forget(data), 20)):
        prepare()
        server = Serving(bench.binary, str(data), token=token)
        memory = server.memory()
        bench.row("keys", f"ready, {name}", "Throng", people, server.ready_seconds, "s", target)
        bench.row(
            "keys",
            f"memory a key, {name}",
            "Throng",
            people,
            (memory["RssAnon"] - empty) / people,
            "B",
            8,
            f"mapped files {(memory['RssFile'] + memory['RssShmem']) / 1e6:,.0f} MB",
        )
        stop(server)


def stop(server):
    server.process.terminate()
    server.process.wait(600)


def forget(data):
    """Deletes what may be deleted: every folder beside the database."""
    for place in data.iterdir():
        if place.is_dir():
            shutil.rmtree(place)


def redis_memory(bench):
    people = 1_000_000
    with bench.folder("redis-memory") as folder:
        redis = Redis(folder)
        for first in range(0, people, 50_000):
            members = [sets_ingest.digest(number) for number in range(first, first + 50_000)]
            redis.connection.call(b"SADD", b"members", *members)
        used = redis.connection.call(b"MEMORY", b"USAGE", b"members", b"SAMPLES", b"0")
        bench.row("keys", "memory a member, 32-byte members of a set", "Redis, sets", people, used / people, "B")
        redis.stop()


def part_questions(bench, people):
    """Overlaps, an expression, a matrix, one against many: Throng through HTTP, and the peers."""
    if not has_room(bench.work, people * 2 * (KEY_BYTES + AUDIENCES // 10), f"questions about {people:,} people"):
        return
    with bench.folder("questions") as folder:
        filled = Filled(bench.binary, str(folder / "data"), people, AUDIENCES, DENSITIES)
        bench.row("questions", f"throng dev fill, {AUDIENCES} audiences", "Throng", people, filled.seconds, "s")
        ids = filled.ids()
        dense, sparse = (ids[0], ids[8]), (ids[1], ids[2])
        node = expression_of(expression_places(ids))
        alike = [id for place, id in enumerate(ids) if place % 8 in (1, 2, 4, 6)]
        one, others = alike[0], alike[1:] + [id for place, id in enumerate(ids) if place % 8 == 5]
        others = others[:AGAINST]
        matrix = ids[:MATRIX]
        asked = sorted(set([*dense, *sparse, *expression_places(ids), *matrix[:8]]))
        bits = {id: filled.bits(id) for id in asked}
        truth = {
            "dense": count(bits[dense[0]] & bits[dense[1]]),
            "sparse": count(bits[sparse[0]] & bits[sparse[1]]),
            "expression": count(evaluate(node, bits)),
            "corner": [[count(bits[a] & bits[b]) for b in matrix[:8]] for a in matrix[:8]],
        }
        server = bench.serve(folder / "data")
        ours(bench, server, people, truth, dense, sparse, node, matrix, one, others)
        server.stop()
        for peer in () if bench.arguments.no_peers else peers_for(people):
            theirs(bench, folder, peer, people, bits, truth, dense, sparse, node, filled, matrix, one, others)


def peers_for(people):
    """Beyond ten million only those whose loading does not take longer than all the rest."""
    return (Redis, Postgres, ClickHouse, DuckDb) if people <= 10_000_000 else (Redis, ClickHouse)


def ours(bench, server, people, truth, dense, sparse, node, matrix, one, others):
    def show(what, work, expected, target=None, note=""):
        started = time.perf_counter()
        work()
        first = (time.perf_counter() - started) * 1000
        median, slowest = timed(work, expected)
        bench.row(
            "questions", what, "Throng", people, median, "ms", target, f"slowest {slowest:.1f}, first time {first:.1f}" + note
        )

    show(words("dense"), lambda: server.overlap(*dense), truth["dense"], 2 if people == 50_000_000 else None)
    show(words("sparse"), lambda: server.overlap(*sparse), truth["sparse"], 10 if people == 100_000_000 else None)
    largest = people == 100_000_000
    show(words("expression"), lambda: server.expression(node), truth["expression"], 50 if largest else None)
    found = server.matrix(matrix)
    if [row[:8] for row in found[:8]] != truth["corner"]:
        sys.exit("the matrix is wrong")
    show(words("matrix"), lambda: server.matrix(matrix), found, 3000 if largest else None)
    row = [server.overlap(one, other) for other in others[:5]]
    found = server.against(one, others)
    if found[:5] != row:
        sys.exit("one against many is wrong")
    show(words("against"), lambda: server.against(one, others), found, 100 if largest else None)
    regions = lambda: server.ask("/api/v1/overlap", {"audiences": matrix[:6], "regions": True})["regions"]  # noqa: E731
    show("exact regions of six audiences", regions, regions())
    memory = server.memory()
    bench.row(
        "questions",
        "RssAnon with these sets resident",
        "Throng",
        people,
        memory["RssAnon"] / 1e6,
        "MB",
        None,
        f"mapped files {(memory['RssFile'] + memory['RssShmem']) / 1e6:,.0f} MB",
    )


def words(key):
    return {
        "dense": "overlap of two audiences of 50 %",
        "sparse": "overlap of two audiences of 5 %",
        "expression": "expression of 10 operands",
        "matrix": f"matrix of {MATRIX} audiences",
        "against": f"one audience of 5 % against {AGAINST} of 5 %",
        "members": "overlap of two audiences of 5 %, as rows",
    }[key]


def theirs(bench, folder, kind, people, bits, truth, dense, sparse, node, filled, matrix, one, others):
    peer = kind(folder)
    started = time.perf_counter()
    peer.load(bits)
    note = f"loaded {len(bits)} sets in {time.perf_counter() - started:.1f} s"

    def show(key, who, work, expected):
        median, slowest = timed(work, expected, least=3)
        bench.row("questions", words(key), who, people, median, "ms", None, f"slowest {slowest:.1f}; {note}")

    try:
        show("dense", peer.name, lambda: peer.overlap(*dense), truth["dense"])
        show("sparse", peer.name, lambda: peer.overlap(*sparse), truth["sparse"])
        show("expression", peer.name, lambda: peer.expression(node), truth["expression"])
        if hasattr(peer, "matrix") and people <= 10_000_000:
            rest = {id: filled.bits(id) for id in {*matrix, one, *others} - set(bits)}
            peer.load(rest)
            corner = peer.matrix(matrix)
            if [row[:8] for row in corner[:8]] != truth["corner"]:
                sys.exit(f"{peer.name}: the matrix is wrong")
            show("matrix", peer.name, lambda: peer.matrix(matrix), corner)
            show("against", peer.name, lambda: peer.against(one, others), None)
        if hasattr(peer, "load_members") and people <= 10_000_000:
            peer.load_members({id: bits[id] for id in sparse})
            show("members", peer.name.split(",")[0] + ", rows", lambda: peer.overlap_members(*sparse), truth["sparse"])
        if kind is Redis and people <= 10_000_000:
            redis_sets(bench, peer, people, bits, sparse, truth)
    finally:
        peer.stop()
        for place in folder.iterdir():
            if place.name != "data":
                shutil.rmtree(place) if place.is_dir() else place.unlink()


def redis_sets(bench, peer, people, bits, sparse, truth):
    for id in sparse:
        for part in numpy_batches(sets_data.persons(bits[id])):
            peer.connection.call(b"SADD", b"s%d" % id, *(b"%d" % person for person in part))
    work = lambda: peer.connection.call(b"SINTERCARD", b"2", *(b"s%d" % id for id in sparse))  # noqa: E731
    median, slowest = timed(work, truth["sparse"], least=3)
    bench.row("questions", words("members"), "Redis, SINTERCARD", people, median, "ms", None, f"slowest {slowest:.1f}")


def numpy_batches(people, size=50_000):
    return (people[at : at + size].tolist() for at in range(0, people.size, size))


def part_sparse(bench, people):
    """Thousands of audiences of 1 % of the people, more than the memory that sets may take."""
    audiences = bench.arguments.sparse_audiences
    members = people // 100
    # And the files of the sets that are asked about.
    needed = people * KEY_BYTES + audiences * members * 21 // 10 + SPARSE_ASKED * members * 21 // 10
    if not has_room(bench.work, needed, f"{audiences:,} audiences of {members:,}"):
        return
    with bench.folder("sparse") as folder:
        filled = Filled(bench.binary, str(folder / "data"), people, audiences, [0.01], pattern="random")
        what = f"{audiences:,} audiences of {members:,}"
        bench.row("sparse", f"throng dev fill, {what}", "Throng", people, filled.seconds, "s")
        held = filled.set_bytes()
        bench.row("sparse", f"{what}: bytes of their snapshots", "Throng", people, held / 1e9, "GB")
        settings = [f"sets.memory={bench.arguments.sets_memory}"] if knows(bench.binary, "sets.memory") else []
        server = bench.serve(folder / "data", *settings)
        bench.row("sparse", f"{what}: ready", "Throng", people, server.ready_seconds, "s")
        ids, chance = filled.ids(), random.Random(1)
        cold, truly = [], drop_page_cache()
        for _ in range(40):
            pair = chance.sample(ids, 2)
            started = time.perf_counter()
            found = server.overlap(*pair)
            cold.append((time.perf_counter() - started) * 1000)
            if len(cold) <= 3 and found != count(filled.bits(pair[0]) & filled.bits(pair[1])):
                sys.exit("a cold overlap is wrong")
        note = f"slowest {max(cold):.1f}; 40 pairs drawn at random" + ("" if truly else "; the page cache was warm")
        bench.row(
            "sparse",
            f"{what}: overlap of two that are not in memory",
            "Throng",
            people,
            statistics.median(cold),
            "ms",
            50,
            note,
        )
        warm, _ = timed(lambda: server.overlap(*pair), found)
        bench.row("sparse", f"{what}: the same two again", "Throng", people, warm, "ms")
        before, first = server.memory()["RssAnon"], ids[: SPARSE_ASKED // 5]
        fresh = len(first) * members
        server.against(first[0], first[1:])
        grown = (server.memory()["RssAnon"] - before) / fresh
        note = f"RssAnon, {len(first)} audiences asked about together; some may have been in memory before"
        bench.row("sparse", f"{what}: memory a further membership", "Throng", people, grown, "B", 2.1, note)
        for at in range(0, min(len(ids), SPARSE_ASKED) - 100, 100):
            server.against(ids[at], ids[at + 1 : at + 101])
        memory = server.memory()
        bench.row(
            "sparse",
            f"{what}: RssAnon after questions about {min(len(ids), SPARSE_ASKED):,}",
            "Throng",
            people,
            memory["RssAnon"] / 1e9,
            "GB",
            6,
            f"mapped files {(memory['RssFile'] + memory['RssShmem']) / 1e9:.1f} GB; {' '.join(settings)}",
        )
        server.stop()


def knows(binary, key):
    return key in subprocess.run([binary, "serve", "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout


def part_contains(bench, people):
    """Is X in A, with 64 callers (wrk)."""
    with bench.folder("contains") as folder:
        filled = Filled(bench.binary, str(folder / "data"), people, 8, DENSITIES)
        server = bench.serve(folder / "data")
        found = wrk(bench, folder, server, filled.ids()[1], people, 64, 8)
        bench.row(
            "contains",
            "is X in A, 64 callers",
            "Throng",
            people,
            found["rate"],
            "requests/s",
            60_000,
            f"p99 {found['p99']:.1f} ms (target 5), {found['errors']} errors; wrk on the same two cores",
        )
        server.stop()
        if bench.arguments.no_peers:
            return
        redis = Redis(folder)
        bits = filled.bits(filled.ids()[1])
        for part in numpy_batches(sets_data.persons(bits)):
            redis.connection.call(b"SADD", b"s", *(b"%012d" % person for person in part))
        command = [
            "redis-benchmark",
            "-s",
            redis.path,
            "-c",
            "64",
            "-n",
            "500000",
            "-r",
            str(people),
            "--csv",
            "SISMEMBER",
            "s",
            "__rand_int__",
        ]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        rate = float(done.strip().splitlines()[-1].split('","')[1].strip('"'))
        bench.row(
            "contains",
            "is X in A, 64 callers",
            "Redis, SISMEMBER",
            people,
            rate,
            "requests/s",
            None,
            "redis-benchmark, no HTTP, no JSON, no hashing",
        )
        redis.stop()


def wrk(bench, folder, server, audience, people, callers, seconds):
    script = folder / "contains.lua"
    script.write_text(
        f"""
local asked, n = {{}}, 0
init = function()
  for i = 1, 20000 do
    local body = '{{"kind":"email","values":["person-' .. (i * 48271 % {people} + 1) .. '@example.com"]}}'
    asked[i] = wrk.format("POST", "/api/v1/audiences/{audience}/members/contains",
      {{["Authorization"] = "Bearer {server.secret}", ["Content-Type"] = "application/json"}}, body)
  end
end
request = function()
  n = n % 20000 + 1
  return asked[n]
end
done = function(summary, latency)
  io.write(string.format("RESULT %f %f %d\\n", summary.requests / summary.duration * 1e6, latency:percentile(99) / 1000,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout))
end
""",
        encoding="utf-8",
    )
    command = ["wrk", "-t", "1", "-c", str(callers), "-d", f"{seconds}s", "-s", str(script), f"http://127.0.0.1:{server.port}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    rate, p99, errors = re.search(r"RESULT (\S+) (\S+) (\d+)", done).groups()
    return {"rate": float(rate), "p99": float(p99), "errors": int(errors)}


def part_lookup(bench, people):
    """Which of 1,000 audiences hold X."""
    audiences = 1_000
    if not has_room(bench.work, people * 2 * (KEY_BYTES + audiences // 10), f"{audiences:,} audiences of {people:,} people"):
        return
    with bench.folder("lookup") as folder:
        filled = Filled(bench.binary, str(folder / "data"), people, audiences, [0.05])
        server = bench.serve(folder / "data")
        chance, ids = random.Random(2), filled.ids()
        asked = [chance.randrange(1, people + 1) for _ in range(200)]
        body = lambda person: {"kind": "email", "values": [f"person-{person}@example.com"]}  # noqa: E731
        find = lambda person: server.ask("/api/v1/people/lookup", body(person))  # noqa: E731
        expected = sum(int(filled.bits(id)[asked[0] // 8] >> (asked[0] % 8)) & 1 for id in ids)
        found = find(asked[0])
        listed = sum(1 for one in found["audiences"] if one["id"] in set(ids))
        if listed != expected:
            sys.exit(f"{listed} audiences were found and not {expected}")
        spent = []
        for person in asked:
            started = time.perf_counter()
            find(person)
            spent.append((time.perf_counter() - started) * 1000)
        bench.row(
            "lookup",
            f"which of {audiences:,} audiences hold X",
            "Throng",
            people,
            statistics.median(spent),
            "ms",
            1,
            f"99th percentile {sorted(spent)[197]:.1f}; {expected} of them",
        )
        server.stop()
        if bench.arguments.no_peers or people > 1_000_000:
            return
        redis = Redis(folder)
        redis.load({id: filled.bits(id) for id in ids})

        def getbits(person):
            redis.connection.stream.sendall(b"".join(sets_ingest.encoded(b"GETBIT", b"b%d" % id, b"%d" % person) for id in ids))
            return sum(redis.connection.answer() for _ in ids)

        median, slowest = timed(lambda: getbits(asked[0]))
        bench.row(
            "lookup",
            f"which of {audiences:,} audiences hold X",
            "Redis, GETBIT pipelined",
            people,
            median,
            "ms",
            None,
            f"slowest {slowest:.1f}; the person's number is known, no hashing",
        )
        redis.stop()


def part_readers(bench, people):
    """One writer at a million identifiers a second beside readers, and the same readers alone."""
    with bench.folder("readers") as folder:
        filled = Filled(bench.binary, str(folder / "data"), people, 16, DENSITIES)
        server = bench.serve(folder / "data")
        ids = filled.ids()
        new = {"dialect": "criteo", "name": "bench", "structures": [1]}
        client = server.call("POST", "/api/v1/credentials", json.dumps(new), server.headers())
        access = ingest.access(server, client["client_id"], client["secret"])
        target = ingest.audience(server, access, 1, "written")
        batches = ingest.bodies(0, WRITTEN)
        for beside in (False, True):
            context = multiprocessing.get_context("spawn")
            over, answers = context.Event(), context.Queue()
            readers = context.Process(target=sets_ingest.read, args=(server.port, server.secret, ids, people, over, answers))
            readers.start()
            answers.get()
            started = time.perf_counter()
            if beside:
                paced(server, access, target, batches)
            else:
                over.wait(WRITTEN * ingest.BATCH / 1e6)
            seconds = time.perf_counter() - started
            over.set()
            spent = answers.get()
            readers.join()
            rate = f"the writer wrote {WRITTEN * ingest.BATCH / seconds / 1e6:.2f} M/s" if beside else "nobody wrote"
            for name, times in spent.items():
                p99 = sorted(times)[int(len(times) * 0.99)]
                note = f"median {statistics.median(times):.1f}, slowest {max(times):.1f}, {len(times):,} of them; {rate}"
                what = f"{name}, 99th percentile, {'beside one writer' if beside else 'alone'}"
                bench.row("readers", what, "Throng", people, p99, "ms", 20 if beside else None, note)
        server.stop()


def paced(server, access, target, batches):
    """Sends a batch every 50 ms, or as fast as it goes where that is slower."""
    started, never = time.perf_counter(), threading.Event()
    for at, body in enumerate(batches):
        early = started + at * ingest.BATCH / 1e6 - time.perf_counter()
        if early > 0:
            never.wait(early)
        ingest.send(server.port, access, target, [body], [])


def part_ingest(bench, _people):
    sets_ingest.run(bench)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="the throng binary (release)")
    parser.add_argument("--only", default=",".join(PARTS), help=f"parts, of {','.join(PARTS)}")
    parser.add_argument(
        "--people",
        default="1000000,10000000,50000000,100000000",
        help="sizes for keys and questions; the largest is that of sparse, the smallest that of contains, lookup and readers",
    )
    parser.add_argument("--keys", type=int, default=10_000_000, help="identifiers ingested")
    parser.add_argument("--sparse-audiences", type=int, default=10_000)
    parser.add_argument("--sets-memory", default="2GB", help="sets.memory of the part sparse")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--write", help="append each row as JSON to this file, which bench/sets_plot.py draws")
    parser.add_argument("--work", help="a folder with room for the databases (the system's temporary one)")
    arguments = parser.parse_args()
    wanted = arguments.only.split(",")
    unknown = set(wanted) - set(PARTS)
    if unknown:
        parser.error(f"unknown parts: {', '.join(sorted(unknown))}")
    sizes = [int(size) for size in arguments.people.split(",")]
    bench = Bench(arguments)
    try:
        for name in wanted:
            part = globals()[f"part_{name}"]
            started = time.perf_counter()
            if name == "questions":
                chosen = sizes
            elif name in ("sparse", "keys"):
                chosen = [max(sizes)]
            else:
                chosen = [min(sizes)]
            for size in chosen:
                part(bench, size)
            print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(bench.work, ignore_errors=True)


if __name__ == "__main__":
    main()
