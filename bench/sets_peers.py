"""The peers of bench/sets.py, each installed from its package and given the same sets: Redis, PostgreSQL, ClickHouse, DuckDB.

Where a peer has two ways, a set of members and a bit string, both are measured: the second is what somebody would write who
knows that people are dense numbers. None has HTTP or JSON between; ClickHouse and DuckDB run in the generator's process.
"""

import io
import os
import pathlib
import pwd
import socket
import subprocess
import sys
import time

import numpy
from sets_data import persons

PG_BINS = [pathlib.Path(f"/usr/lib/postgresql/{version}/bin") for version in (15, 16, 17)]


class Redis:
    """A redis-server of its own on a Unix socket, spoken to in RESP."""

    name = "Redis, bit strings"

    def __init__(self, folder, durable=False):
        self.folder = pathlib.Path(folder) / "redis"
        self.folder.mkdir()
        self.path = str(self.folder / "socket")
        append = ["--appendonly", "yes", "--appendfsync", "always"] if durable else ["--appendonly", "no"]
        command = ["redis-server", "--port", "0", "--unixsocket", self.path, "--dir", str(self.folder), "--save", "", *append]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while True:
            try:
                self.connection = RedisConnection(self.path)
                break
            except OSError:
                time.sleep(0.01)  # between two looks at a process that starts

    def load(self, bits):
        for audience, value in bits.items():
            self.connection.call(b"SET", b"b%d" % audience, value.tobytes())

    def overlap(self, first, second):
        self.connection.call(b"BITOP", b"AND", b"t", b"b%d" % first, b"b%d" % second)
        return self.connection.call(b"BITCOUNT", b"t")

    def expression(self, node):
        self.into(b"t", node)
        return self.connection.call(b"BITCOUNT", b"t")

    def into(self, target, node):
        """Evaluates into a key, the parts into keys beside it."""
        if not isinstance(node, tuple):
            return b"b%d" % node
        word, parts = node
        keys = [self.into(target + b"%d" % at, part) for at, part in enumerate(parts)]
        operation = {"all": b"AND", "any": b"OR", "not": b"NOT"}[word]
        self.connection.call(b"BITOP", operation, target, *keys)
        return target

    def stop(self):
        self.process.kill()
        self.process.wait()


class RedisConnection:
    def __init__(self, path):
        self.stream = socket.socket(socket.AF_UNIX)
        self.stream.connect(path)
        self.reader = self.stream.makefile("rb")

    def send(self, *parts):
        self.stream.sendall(encoded(*parts))

    def answer(self):
        line = self.reader.readline()
        kind, rest = line[:1], line[1:].strip()
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return self.reader.read(int(rest) + 2)[:-2] if int(rest) >= 0 else None
        if kind == b"*":
            return [self.answer() for _ in range(int(rest))]
        if kind == b"-":
            sys.exit(f"Redis: {rest!r}")
        return rest

    def call(self, *parts):
        self.send(*parts)
        return self.answer()


def encoded(*parts):
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


class Postgres:
    """A cluster of its own as it comes, but for memory: bit strings stored outside the row, uncompressed."""

    name = "PostgreSQL, bit strings"

    def __init__(self, folder):
        import psycopg2

        self.driver = psycopg2
        self.bin = next((place for place in PG_BINS if (place / "initdb").exists()), None)
        if self.bin is None:
            sys.exit("PostgreSQL 15 or later is missing: apt-get install postgresql-15")
        self.folder = pathlib.Path(folder) / "postgres"
        self.folder.mkdir()
        self.user = None
        if os.geteuid() == 0:
            self.user = "postgres"
            os.chown(self.folder, pwd.getpwnam("postgres").pw_uid, -1)
            os.chmod(folder, 0o755)
        self.run("initdb", "-D", str(self.folder / "data"), "-A", "trust", "-U", "bench", "--no-sync")
        options = f"-c listen_addresses= -c unix_socket_directories={self.folder} -c shared_buffers=1GB -c work_mem=256MB"
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-o", options, "-l", str(self.folder / "log"), "start")
        self.connection = self.connect()

    def run(self, program, *arguments):
        subprocess.run(
            [self.bin / program, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=self.user,
            cwd="/",
        )

    def connect(self):
        connection = self.driver.connect(host=str(self.folder), user="bench", dbname="postgres")
        connection.autocommit = True
        return connection

    def execute(self, statement, *values):
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else None

    def load(self, bits):
        self.execute("CREATE TABLE IF NOT EXISTS bits (audience int PRIMARY KEY, b bit varying)")
        self.execute("ALTER TABLE bits ALTER b SET STORAGE EXTERNAL")
        for audience, value in bits.items():
            length = value.size * 8
            row = b"".join([
                b"\0\2", (4).to_bytes(4, "big"), audience.to_bytes(4, "big"),
                (value.size + 4).to_bytes(4, "big"), length.to_bytes(4, "big"), value.tobytes(),
            ])  # fmt: skip
            self.copy("bits", row)
        self.execute("ANALYZE bits")

    def copy(self, table, rows):
        head = b"PGCOPY\n\xff\r\n\0" + bytes(8)
        with self.connection.cursor() as cursor:
            cursor.copy_expert(f"COPY {table} FROM STDIN (FORMAT binary)", io.BytesIO(head + rows + b"\xff\xff"))

    def overlap(self, first, second):
        query = "SELECT bit_count(a.b & b.b) FROM bits a, bits b WHERE a.audience = %s AND b.audience = %s"
        return self.execute(query, first, second)[0][0]

    def expression(self, node):
        return self.execute(f"SELECT bit_count({self.text(node)})")[0][0]

    def text(self, node):
        if not isinstance(node, tuple):
            return f"(SELECT b FROM bits WHERE audience = {node})"
        word, parts = node
        if word == "not":
            return f"(~{self.text(parts[0])})"
        return "(" + (" & " if word == "all" else " | ").join(map(self.text, parts)) + ")"

    def against(self, one, others):
        query = "SELECT b.audience, bit_count(a.b & b.b) FROM bits a, bits b WHERE a.audience = %s AND b.audience = ANY(%s)"
        found = dict(self.execute(query, one, list(others)))
        return [found[other] for other in others]

    def matrix(self, ids):
        query = "SELECT a.audience, b.audience, bit_count(a.b & b.b) FROM bits a JOIN bits b ON a.audience <= b.audience \
            WHERE a.audience = ANY(%s) AND b.audience = ANY(%s)"
        return square(ids, {(first, second): found for first, second, found in self.execute(query, list(ids), list(ids))})

    def load_members(self, bits):
        """The same as rows of a table with a primary key, which is how memberships are mostly kept."""
        self.execute("CREATE TABLE IF NOT EXISTS member (audience int, person int)")
        for audience, value in bits.items():
            people = persons(value)
            rows = numpy.zeros(people.size, dtype=[("n", ">i2"), ("l", ">i4"), ("a", ">i4"), ("m", ">i4"), ("p", ">i4")])
            rows["n"], rows["l"], rows["a"], rows["m"], rows["p"] = 2, 4, audience, 4, people
            self.copy("member", rows.tobytes())
        self.execute("ALTER TABLE member ADD PRIMARY KEY (audience, person)")
        self.execute("VACUUM ANALYZE member")

    def overlap_members(self, first, second):
        query = "SELECT count(*) FROM member a JOIN member b USING (person) WHERE a.audience = %s AND b.audience = %s"
        return self.execute(query, first, second)[0][0]

    def stop(self):
        self.connection.close()
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "stop")


class ClickHouse:
    """ClickHouse in this process (chdb): states of groupBitmap, which are Roaring bitmaps, in a table in memory."""

    name = "ClickHouse, groupBitmap"

    def __init__(self, folder):
        from chdb import session

        self.folder = pathlib.Path(folder) / "clickhouse"
        self.folder.mkdir()
        self.session = session.Session(str(self.folder))
        self.session.query("CREATE DATABASE bench")
        self.session.query(
            "CREATE TABLE bench.bits (audience UInt32, b AggregateFunction(groupBitmap, UInt32)) ENGINE = Memory"
        )

    def rows(self, query):
        text = str(self.session.query(query, "TSV"))
        return [tuple(map(int, line.split("\t"))) for line in text.splitlines()]

    def load(self, bits):
        for audience, value in bits.items():
            path = self.folder / "people.bin"
            persons(value).tofile(path)
            source = f"file('{path}', 'RowBinary', 'person UInt32')"
            self.session.query(f"INSERT INTO bench.bits SELECT {audience}, groupBitmapState(person) FROM {source}")
            path.unlink()

    def overlap(self, first, second):
        query = f"SELECT bitmapAndCardinality(a.b, b.b) FROM bench.bits a, bench.bits b WHERE a.audience = {first} AND b.audience = {second}"
        return self.rows(query)[0][0]

    def expression(self, node):
        word, parts = node
        inside = [self.text(part) for part in parts if part[0] != "not"]
        outside = [self.text(part[1][0]) for part in parts if part[0] == "not"]
        text = inside[0]
        for part in inside[1:]:
            text = f"bitmapAnd({text}, {part})"
        for part in outside:
            text = f"bitmapAndnot({text}, {part})"
        return self.rows(f"SELECT bitmapCardinality({text})")[0][0]

    def text(self, node):
        if not isinstance(node, tuple):
            return f"(SELECT b FROM bench.bits WHERE audience = {node})"
        text = self.text(node[1][0])
        for part in node[1][1:]:
            text = f"bitmapOr({text}, {self.text(part)})"
        return text

    def against(self, one, others):
        query = f"SELECT b.audience, bitmapAndCardinality(a.b, b.b) FROM bench.bits a, bench.bits b WHERE a.audience = {one} \
            AND b.audience IN ({', '.join(map(str, others))})"
        found = dict(self.rows(query))
        return [found[other] for other in others]

    def matrix(self, ids):
        listed = ", ".join(map(str, ids))
        query = f"SELECT a.audience, b.audience, bitmapAndCardinality(a.b, b.b) FROM bench.bits a, bench.bits b \
            WHERE a.audience <= b.audience AND a.audience IN ({listed}) AND b.audience IN ({listed})"
        return square(ids, {(first, second): found for first, second, found in self.rows(query)})

    def stop(self):
        self.session.close()


class DuckDb:
    """DuckDB in this process: bit strings in memory."""

    name = "DuckDB, bit strings"

    def __init__(self, folder):
        import duckdb

        self.connection = duckdb.connect(str(pathlib.Path(folder) / "duck.db"))
        self.connection.execute("CREATE TABLE bits (audience INTEGER, b BIT)")

    def rows(self, query):
        return self.connection.execute(query).fetchall()

    def load(self, bits):
        for audience, value in bits.items():
            # A BIT is a byte that counts padding, and the bits.
            self.connection.execute("INSERT INTO bits SELECT ?, CAST(? AS BLOB)::BIT", [audience, value.tobytes()])

    def overlap(self, first, second):
        query = f"SELECT bit_count(a.b & b.b) FROM bits a, bits b WHERE a.audience = {first} AND b.audience = {second}"
        return self.rows(query)[0][0]

    def text(self, node):
        return Postgres.text(self, node)

    def expression(self, node):
        return self.rows(f"SELECT bit_count({self.text(node)})")[0][0]

    def against(self, one, others):
        listed = ", ".join(map(str, others))
        found = dict(
            self.rows(
                f"SELECT b.audience, bit_count(a.b & b.b) FROM bits a, bits b WHERE a.audience = {one} AND b.audience IN ({listed})"
            )
        )
        return [found[other] for other in others]

    def matrix(self, ids):
        listed = ", ".join(map(str, ids))
        query = f"SELECT a.audience, b.audience, bit_count(a.b & b.b) FROM bits a, bits b \
            WHERE a.audience <= b.audience AND a.audience IN ({listed}) AND b.audience IN ({listed})"
        return square(ids, {(first, second): found for first, second, found in self.rows(query)})

    def load_members(self, bits):
        self.connection.execute("CREATE TABLE member (audience INTEGER, person UINTEGER)")
        for audience, value in bits.items():
            people = {"person": persons(value)}
            self.connection.register("people", people)
            self.connection.execute(f"INSERT INTO member SELECT {audience}, person FROM people")
            self.connection.unregister("people")

    def overlap_members(self, first, second):
        query = (
            f"SELECT count(*) FROM member a JOIN member b USING (person) WHERE a.audience = {first} AND b.audience = {second}"
        )
        return self.rows(query)[0][0]

    def stop(self):
        self.connection.close()


def square(ids, found):
    return [[found[min(a, b), max(a, b)] for b in ids] for a in ids]
