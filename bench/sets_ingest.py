"""Durable ingestion of 50,000 hashes a request with four callers, for bench/sets.py: Throng through HTTP, and the peers.

The peers get 32 bytes an identifier over a local socket, or in their own process, without HTTP and JSON; ClickHouse and DuckDB
append without looking whether an identifier is known.
"""

import hashlib
import http.client
import io
import json
import os
import random
import sys
import threading
import time

import ingest
import numpy
from sets_peers import ClickHouse, DuckDb, Postgres, Redis, RedisConnection, encoded

BATCH = ingest.BATCH
CALLERS = 4
# Batches of a peer: enough for a few seconds.
PEER_BATCHES = {"Redis": 60, "PostgreSQL": 16}
STRETCH = 40


def digest(number):
    return hashlib.sha256(b"person%d@example.org" % number).digest()


def numbers(batch, known):
    """A batch of new numbers, or of nine tenths that the batches 0.. brought and a tenth that nobody has sent."""
    fresh = BATCH // 10 if known else BATCH
    new = range(batch * BATCH, batch * BATCH + fresh)
    old = range((batch % 20) * BATCH + fresh, (batch % 20) * BATCH + BATCH) if known else ()
    return [*new, *old]


def body(values):
    return json.dumps({"operation": "add", "schema": "email", "identifiers": values}).encode()


def run(bench):
    throng(bench)
    if not bench.arguments.no_peers:
        for peer in (redis, postgres, clickhouse, duckdb):
            peer(bench)


def throng(bench):
    with bench.folder("ingest") as folder:
        server = ingest.Server(bench.binary, str(folder / "data"))
        structure, client_id, secret = ingest.credentials(server)
        token = ingest.access(server, client_id, secret)
        batches = bench.arguments.keys // BATCH
        elapsed, spent, done = 0.0, 0.0, 0
        while done < batches:
            part = min(STRETCH, batches - done)
            made = [body([digest(n).hex() for n in numbers(batch, False)]) for batch in range(done, done + part)]
            measured = ingest.sustained(server, token, structure, f"new {done}", made, CALLERS)
            elapsed, spent, done = elapsed + measured["elapsed_s"], spent + measured["server_cpu_s"], done + part
        keys = batches * BATCH
        note = f"{spent / keys * 1e9:.0f} ns of server CPU each"
        bench.row("ingest", "durable, all new", "Throng", keys, keys / elapsed / 1e6, "M/s", 3, note)
        disk = ingest.disk_bytes(folder / "data") / keys
        bench.row("ingest", "disk a key after that, log, snapshots and sealed identifiers included", "Throng", keys, disk, "B")
        for name, plain, target in (("90 % known", False, 4), ("plain addresses, all new (two keys each)", True, 1.5)):
            first = 2 * batches + (1000 if plain else 0)
            made = []
            for batch in range(first, first + STRETCH):
                if plain:
                    values = [f"person{n}@example.org" for n in numbers(batch, False)]
                else:
                    values = [digest(n).hex() for n in numbers(batch, True)]
                made.append(body(values))
            measured = ingest.sustained(server, token, structure, name, made, CALLERS)
            note = f"{measured['server_cpu_s'] / (STRETCH * BATCH) * 1e9:.0f} ns of server CPU each, median {measured['median_ms']:.0f} ms"
            bench.row("ingest", f"durable, {name}", "Throng", keys, measured["rate"] / 1e6, "M/s", target, note)
        server.stop()


def both(bench, who, count, send, callers=CALLERS):
    """New ones, then nine tenths known; `send(caller, batch as bytes, digests)` is durable when it returns."""
    for known in (False, True):
        first = 0 if not known else 1000
        made = [[digest(n) for n in numbers(batch, known)] for batch in range(first, first + count)]
        parts = [made[at::callers] for at in range(callers)]
        threads = [
            threading.Thread(target=lambda at=at, part=part: [send(at, one) for one in part]) for at, part in enumerate(parts)
        ]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rate = count * BATCH / (time.perf_counter() - started) / 1e6
        bench.row("ingest", "durable, 90 % known" if known else "durable, all new", who, count * BATCH, rate, "M/s")


def redis(bench):
    with bench.folder("redis") as folder:
        peer = Redis(folder, durable=True)
        connections = [RedisConnection(peer.path) for _ in range(CALLERS)]
        count = PEER_BATCHES["Redis"]
        for known in (False, True):
            first = 1000 if known else 0
            made = [
                encoded(b"SADD", b"a", *(digest(n) for n in numbers(batch, known))) for batch in range(first, first + count)
            ]

            def send(connection, part):
                for one in part:
                    connection.stream.sendall(one)
                    connection.answer()

            threads = [threading.Thread(target=send, args=(connections[at], made[at::CALLERS])) for at in range(CALLERS)]
            started = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            rate = count * BATCH / (time.perf_counter() - started) / 1e6
            name = "durable, 90 % known" if known else "durable, all new"
            bench.row("ingest", name, "Redis, SADD, appendfsync always", count * BATCH, rate, "M/s")
        peer.stop()


def postgres(bench):
    with bench.folder("postgres") as folder:
        peer = Postgres(folder)
        peer.execute("CREATE TABLE known (key bytea PRIMARY KEY)")
        connections = [peer.connect() for _ in range(CALLERS)]
        for connection in connections:
            with connection.cursor() as cursor:
                cursor.execute("CREATE TEMPORARY TABLE incoming (key bytea)")

        def send(caller, digests):
            rows = numpy.zeros(len(digests), dtype=[("n", ">i2"), ("l", ">i4"), ("k", "V32")])
            rows["n"], rows["l"] = 1, 32
            rows["k"] = numpy.frombuffer(b"".join(digests), dtype="V32")
            data = b"PGCOPY\n\xff\r\n\0" + bytes(8) + rows.tobytes() + b"\xff\xff"
            with connections[caller].cursor() as cursor:
                cursor.execute("TRUNCATE incoming")
                cursor.copy_expert("COPY incoming FROM STDIN (FORMAT binary)", io.BytesIO(data))
                # In one order, so that two transactions do not wait for each other.
                cursor.execute("INSERT INTO known SELECT key FROM incoming ORDER BY key ON CONFLICT DO NOTHING")

        both(bench, "PostgreSQL, COPY and INSERT ON CONFLICT", PEER_BATCHES["PostgreSQL"], send)
        for connection in connections:
            connection.close()
        peer.stop()


def clickhouse(bench):
    with bench.folder("clickhouse") as folder:
        peer = ClickHouse(folder)
        peer.session.query(
            "CREATE TABLE bench.known (key FixedString(32)) ENGINE = MergeTree ORDER BY key SETTINGS fsync_after_insert = 1"
        )
        count = 40
        for at in range(count):
            (folder / f"{at}.bin").write_bytes(b"".join(digest(n) for n in numbers(at, False)))
        started = time.perf_counter()
        for at in range(count):
            source = f"file('{folder / f'{at}.bin'}', 'RowBinary', 'key FixedString(32)')"
            peer.session.query(f"INSERT INTO bench.known SELECT key FROM {source}")
        rate = count * BATCH / (time.perf_counter() - started) / 1e6
        note = "one caller, in process, no deduplication"
        bench.row("ingest", "durable, all new", "ClickHouse, MergeTree with fsync", count * BATCH, rate, "M/s", None, note)
        peer.stop()


def duckdb(bench):
    with bench.folder("duckdb") as folder:
        peer = DuckDb(folder)
        peer.connection.execute("CREATE TABLE known (key BLOB)")
        count = 20
        made = [{"key": numpy.array([digest(n) for n in numbers(at, False)], dtype=object)} for at in range(count)]
        started = time.perf_counter()
        for batch in made:
            peer.connection.register("incoming", batch)
            peer.connection.execute("INSERT INTO known SELECT key FROM incoming")
        rate = count * BATCH / (time.perf_counter() - started) / 1e6
        note = "one caller, in process, no deduplication"
        bench.row("ingest", "durable, all new", "DuckDB, INSERT", count * BATCH, rate, "M/s", None, note)
        peer.stop()


def read(port, secret, ids, people, over, answers):
    """Four readers in a process of their own, each with a question every ten milliseconds; puts their times into the queue."""
    spent = {"overlap": [], "contains": []}
    readers = [threading.Thread(target=ask_often, args=(port, secret, ids, people, over, spent)) for _ in range(4)]
    for reader in readers:
        reader.start()
    answers.put("reading")
    for reader in readers:
        reader.join()
    answers.put(spent)


def ask_often(port, secret, ids, people, over, spent):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    chance = random.Random(threading.get_ident())
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    while not over.is_set():
        for name, times in spent.items():
            first, second = chance.sample(ids, 2)
            path, asked = "/api/v1/overlap", {"audiences": [first, second]}
            if name == "contains":
                path = f"/api/v1/audiences/{first}/members/contains"
                asked = {"kind": "email", "values": [f"person-{chance.randrange(1, people)}@example.com"]}
            started = time.perf_counter()
            connection.request("POST", path, json.dumps(asked), headers)
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                print(f"{path}: {response.status}", file=sys.stderr)
                os._exit(1)
            times.append((time.perf_counter() - started) * 1000)
            over.wait(max(0.0, 0.01 - (time.perf_counter() - started)))
