"""The data of bench/sets.py: databases that `throng dev fill` made, and their audiences as bit strings for the peers.

The sets are read from the database's snapshots (the portable Roaring format), so every peer gets the very same members.
"""

import json
import pathlib
import shutil
import sqlite3
import statistics
import struct
import subprocess
import sys
import time

import numpy

# In turn: two dense ones, the others sparse; with the pattern `mixed` every eighth is of runs and every eighth half of another.
DENSITIES = [0.5, 0.05, 0.05, 0.2, 0.05, 0.05, 0.05, 0.05]
RESERVE_BYTES = 6 << 30


def free_bytes(folder):
    return shutil.disk_usage(folder).free


def has_room(folder, needed, what):
    """Whether there is so much disk and something to spare; says so where there is not."""
    free = free_bytes(folder)
    if free >= needed + RESERVE_BYTES:
        return True
    print(
        f"skipped: {what} needs {needed / 1e9:.0f} GB of disk and {RESERVE_BYTES / 1e9:.0f} GB to spare; there are {free / 1e9:.0f} GB",
        file=sys.stderr,
    )
    return False


class Filled:
    """A folder that `throng dev fill` filled."""

    def __init__(self, binary, folder, people, audiences, densities, pattern="mixed", identifiers="none"):
        self.binary, self.folder, self.people = binary, pathlib.Path(folder), people
        command = [
            binary, "dev", "fill", "--json", "--data", folder, "--people", str(people), "--audiences", str(audiences),
            "--density", ",".join(map(str, densities)), "--pattern", pattern, "--identifiers", identifiers,
        ]  # fmt: skip
        started = time.perf_counter()
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.seconds = time.perf_counter() - started
        self.found = json.loads(done.stdout)

    def database(self):
        return sqlite3.connect(f"file:{self.folder / 'throng.db'}?mode=ro", uri=True)

    def file_bytes(self):
        return sum(path.stat().st_size for path in self.folder.glob("throng.db*"))

    def set_bytes(self):
        """Bytes of the audiences' snapshots."""
        with self.database() as database:
            return database.execute("SELECT coalesce(sum(length(bytes)), 0) FROM snapshot WHERE set_id > 0").fetchone()[0]

    def ids(self):
        """The ids of the audiences a1, a2, ..."""
        with self.database() as database:
            return [row[0] for row in database.execute("SELECT id FROM audience WHERE kind = 'manual' ORDER BY id")]

    def bits(self, audience):
        """The members of an audience as a bit string, person 0 first, the lowest bit of a byte first."""
        with self.database() as database:
            query = "SELECT bytes FROM snapshot WHERE set_id = ? ORDER BY seq DESC LIMIT 1"
            found = database.execute(query, (audience,)).fetchone()[0]
        return roaring_bits(found, self.people)

    def verify(self):
        """What `throng verify` says of it."""
        done = subprocess.run([self.binary, "verify", "--json", "--data", self.folder], stdout=subprocess.PIPE, check=False)
        return json.loads(done.stdout)


def roaring_bits(data, people):
    """A set in the portable Roaring format as a bit string of `people + 1` bits, padded to whole chunks."""
    chunks = (people >> 16) + 1
    out = numpy.zeros(chunks * 8192, dtype=numpy.uint8)
    (cookie,) = struct.unpack_from("<I", data)
    at, flags = 4, b""
    if cookie & 0xFFFF == 12347:
        count = (cookie >> 16) + 1
        flags = data[4 : 4 + (count + 7) // 8]
        at += len(flags)
    else:
        (count,) = struct.unpack_from("<I", data, 4)
        at = 8
    heads = numpy.frombuffer(data, dtype="<u2", count=2 * count, offset=at).reshape(count, 2)
    at += 4 * count
    if not flags or count >= 4:
        at += 4 * count
    for index, (high, last) in enumerate(heads.tolist()):
        place, length = high * 8192, last + 1
        if flags and flags[index // 8] >> (index % 8) & 1:
            (runs,) = struct.unpack_from("<H", data, at)
            pairs = numpy.frombuffer(data, dtype="<u2", count=2 * runs, offset=at + 2).reshape(runs, 2).tolist()
            marks = numpy.zeros(65536, dtype=numpy.uint8)
            for first, more in pairs:
                marks[first : first + more + 1] = 1
            out[place : place + 8192] = numpy.packbits(marks, bitorder="little")
            at += 2 + 4 * runs
        elif length <= 4096:
            marks = numpy.zeros(65536, dtype=numpy.uint8)
            marks[numpy.frombuffer(data, dtype="<u2", count=length, offset=at)] = 1
            out[place : place + 8192] = numpy.packbits(marks, bitorder="little")
            at += 2 * length
        else:
            out[place : place + 8192] = numpy.frombuffer(data, dtype=numpy.uint8, count=8192, offset=at)
            at += 8192
    if at != len(data):
        sys.exit("a snapshot is not in the Roaring format")
    return out


def persons(bits):
    return numpy.flatnonzero(numpy.unpackbits(bits, bitorder="little")).astype(numpy.uint32)


def count(bits):
    return int(numpy.bitwise_count(bits.view(numpy.uint64)).sum())


def expression_of(terms):
    """Ten operands: (a or b or c) and (d or e or f) and not (g or h or i) and not j."""
    a, b, c, d, e, f, g, h, i, j = terms
    return ("all", [("any", [a, b, c]), ("any", [d, e, f]), ("not", [("any", [g, h, i])]), ("not", [j])])


def expression_places(ids):
    """Which audiences the expression names: dense and sparse ones, runs and a nested one among them."""
    return [ids[place] for place in (0, 1, 5, 3, 2, 8, 4, 6, 7, 11)]


def evaluate(node, bits):
    """What an expression over bit strings holds."""
    if not isinstance(node, tuple):
        return bits[node]
    word, parts = node
    if word == "not":
        return ~evaluate(parts[0], bits)
    found = evaluate(parts[0], bits).copy()
    for part in parts[1:]:
        found = found & evaluate(part, bits) if word == "all" else found | evaluate(part, bits)
    return found


def as_json(node):
    if not isinstance(node, tuple):
        return {"audience": node}
    word, parts = node
    return {"not": as_json(parts[0])} if word == "not" else {word: [as_json(part) for part in parts]}


def timed(work, expected=None, least=5, most=50, seconds=2.0):
    """The median time of a call in milliseconds, and the slowest; each answer is what it should be."""
    spent, begun = [], time.perf_counter()
    while len(spent) < least or (len(spent) < most and time.perf_counter() - begun < seconds):
        started = time.perf_counter()
        found = work()
        spent.append((time.perf_counter() - started) * 1000)
        if expected is not None and found != expected:
            sys.exit(f"answered {str(found)[:200]} and not {str(expected)[:200]}")
        # A slow peer is not asked again and again.
        if time.perf_counter() - begun > 4 * seconds:
            break
    return statistics.median(spent), max(spent)
