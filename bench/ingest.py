#!/usr/bin/env python3
"""What durable ingestion over HTTP costs: time, memory and disk, against a real `throng serve` in a folder of its own.

Bodies are built before the clock starts. The load generator shares the machine's cores with the server; its share of the
CPU time is reported beside the figures. Nothing here asserts a time: the figures are printed, and written with --write.
"""

import argparse
import hashlib
import http.client
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

BATCH = 50_000


def rss_anon(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+) kB", text).group(1)) * 1024


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Server:
    """A `throng serve` process on a port of its own."""

    def __init__(self, binary, folder, extra=()):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        started = time.perf_counter()
        command = [binary, "serve", "--data", folder, "--listen", f"127.0.0.1:{self.port}", *extra]
        environment = {**os.environ, "THRONG_RATE_LIMIT_CRITEO": "off", "THRONG_RATE_LIMIT_NATIVE": "off"}
        self.out = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command, stdout=self.out, stderr=subprocess.DEVNULL, env=environment)
        while True:
            try:
                if self.get("/readyz") == 200:
                    break
            except OSError:
                pass
            if self.process.poll() is not None:
                sys.exit("the server ended before it was ready")
            time.sleep(0.002)  # between two looks at a process that starts; the figure's resolution
        self.ready_seconds = time.perf_counter() - started

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            return response.status
        finally:
            connection.close()

    def call(self, method, path, body, headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            data = response.read()
            if response.status >= 300:
                sys.exit(f"{method} {path}: {response.status} {data[:300]!r}")
            return json.loads(data) if data else None
        finally:
            connection.close()

    def token(self):
        self.out.seek(0)
        found = re.search(r"thr_[0-9A-Za-z]{38}", self.out.read())
        return found.group(0)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def credentials(server):
    """An advertiser, a Criteo client and its access token."""
    auth = {"Authorization": f"Bearer {server.token()}", "Content-Type": "application/json"}
    structure = server.call("POST", "/api/v1/structures", json.dumps({"name": "bench"}), auth)["id"]
    new = {"dialect": "criteo", "name": "bench", "structures": [structure]}
    client = server.call("POST", "/api/v1/credentials", json.dumps(new), auth)
    return structure, client["client_id"], client["secret"]


def access(server, client_id, secret):
    form = f"client_id={client_id}&client_secret={secret}&grant_type=client_credentials"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return server.call("POST", "/criteo/marketing/oauth2/token", form, kind)["access_token"]


def audience(server, token, structure, name):
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = json.dumps({"advertiserId": structure, "name": name})
    return server.call("POST", "/criteo/marketing/v1/audiences/userlist", body, headers)["audienceId"]


def bodies(first, count, plain=False):
    """Requests of 50,000 identifiers that nobody has sent before."""
    made = []
    for batch in range(first, first + count):
        emails = [f"person{batch * BATCH + i}@example.org" for i in range(BATCH)]
        values = emails if plain else [hashlib.sha256(email.encode()).hexdigest() for email in emails]
        made.append(json.dumps({"operation": "add", "schema": "email", "identifiers": values}).encode())
    return made


def mostly_known(first, count, known):
    """Requests of which one identifier in ten is new, spread evenly among the `known` first ones that were sent."""
    made = []
    for batch in range(first, first + count):
        at = (batch * BATCH * 7) % max(known - BATCH, 1)
        emails = [
            f"person{10**9 + batch * BATCH + i}@example.org" if i % 10 == 0 else f"person{at + i}@example.org"
            for i in range(BATCH)
        ]
        values = [hashlib.sha256(email.encode()).hexdigest() for email in emails]
        made.append(json.dumps({"operation": "add", "schema": "email", "identifiers": values}).encode())
    return made


def send(port, token, audience_id, batches, times):
    """Sends each body over one kept connection and notes how long each took to be acknowledged."""
    path = f"/criteo/marketing/v1/audiences/userlist/{audience_id}"
    with socket.create_connection(("127.0.0.1", port)) as stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = stream.makefile("rb")
        for body in batches:
            head = (
                f"PATCH {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            started = time.perf_counter()
            stream.sendall(head.encode() + body)
            status = reader.readline()
            length = 0
            while (line := reader.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            answer = reader.read(length)
            times.append(time.perf_counter() - started)
            if b" 200 " not in status:
                sys.exit(f"PATCH: {status!r} {answer[:300]!r}")


def sustained(server, token, structure, name, batches, callers):
    """Identifiers a second with so many callers at once; the CPU seconds of server and generator."""
    target = audience(server, token, structure, name)
    parts = [batches[i::callers] for i in range(callers)]
    times = [[] for _ in parts]
    threads = [
        threading.Thread(target=send, args=(server.port, token, target, part, spent)) for part, spent in zip(parts, times)
    ]
    own = resource.getrusage(resource.RUSAGE_SELF)
    theirs, started = cpu_seconds(server.process.pid), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - started
    now = resource.getrusage(resource.RUSAGE_SELF)
    generator = now.ru_utime + now.ru_stime - own.ru_utime - own.ru_stime
    return {
        "rate": len(batches) * BATCH / elapsed,
        "median_ms": statistics.median(sum(times, [])) * 1000,
        "server_cpu_s": cpu_seconds(server.process.pid) - theirs,
        "generator_cpu_s": generator,
        "elapsed_s": elapsed,
    }


def disk_bytes(folder):
    return sum(path.stat().st_size for path in pathlib.Path(folder).glob("throng.db*"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="the throng binary (release)")
    parser.add_argument("--keys", type=int, default=10_000_000, help="keys in the log at the end (default 10 million)")
    parser.add_argument("--idle", type=float, default=60.0, help="seconds after ready at which an empty server is measured")
    parser.add_argument("--database-url", help="measure on PostgreSQL instead of SQLite (an empty database)")
    arguments = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="throng-bench-")
    extra = ["--database-url", arguments.database_url] if arguments.database_url else []
    rows = []
    try:
        if not extra:
            demo_ready(arguments.bin, rows)
        server = Server(arguments.bin, folder, extra)
        rows.append(("first start of an empty `serve`, to ready", f"{server.ready_seconds * 1000:.0f} ms"))
        threading.Event().wait(arguments.idle)
        empty = rss_anon(server.process.pid)
        rows.append((f"RssAnon of an empty `serve` {arguments.idle:.0f} s after ready", f"{empty / 1e6:.1f} MB"))
        structure, client_id, secret = credentials(server)
        total = arguments.keys // BATCH
        single, plain = 40, 20
        token = access(server, client_id, secret)

        one = sustained(server, token, structure, "one caller", bodies(0, single), 1)
        rows.append(("PATCH of 50,000 new SHA-256, one caller: median", f"{one['median_ms']:.1f} ms"))
        rows.append(("the same, identifiers a second", f"{one['rate'] / 1e6:.2f} M/s"))

        done, four = single, {"rate": [], "server": 0.0, "generator": 0.0, "elapsed": 0.0}
        while done < total:
            part = min(40, total - done)
            measured = sustained(server, token, structure, f"four callers {done}", bodies(done, part), 4)
            four["rate"].append(measured["rate"])
            four["server"] += measured["server_cpu_s"]
            four["generator"] += measured["generator_cpu_s"]
            four["elapsed"] += measured["elapsed_s"]
            done += part
        rate = (total - single) * BATCH / four["elapsed"]
        rows.append(("new SHA-256, four callers, sustained", f"{rate / 1e6:.2f} M/s"))
        rows.append(("the slowest of its stretches of 2 million", f"{min(four['rate']) / 1e6:.2f} M/s"))
        share = four["generator"] / (four["generator"] + four["server"])
        rows.append(("the load generator's share of the CPU time in that run", f"{share * 100:.0f} %"))

        keys = total * BATCH
        memory = rss_anon(server.process.pid)
        rows.append((f"RssAnon with {keys / 1e6:.0f} million keys", f"{memory / 1e6:.0f} MB"))
        rows.append(("memory a key (above the empty server)", f"{(memory - empty) / keys:.1f} B"))
        server.stop()
        if not extra:
            rows.append(("disk a key, identifiers kept sealed", f"{disk_bytes(folder) / keys:.1f} B"))
        server = Server(arguments.bin, folder, extra)
        rows.append((f"start with {keys / 1e6:.0f} million keys, to ready", f"{server.ready_seconds:.2f} s"))
        rows.append(("RssAnon after that start", f"{rss_anon(server.process.pid) / 1e6:.0f} MB"))

        token = access(server, client_id, secret)
        known = sustained(server, token, structure, "known", bodies(0, 40), 4)
        rows.append(("known SHA-256 into a new audience, four callers", f"{known['rate'] / 1e6:.2f} M/s"))
        mixed = sustained(server, token, structure, "mixed", mostly_known(0, 40, total * BATCH), 4)
        rows.append(("90 % known SHA-256, four callers", f"{mixed['rate'] / 1e6:.2f} M/s"))
        addresses = sustained(server, token, structure, "plain", bodies(10 * total, plain, plain=True), 4)
        rows.append(("new plain addresses (two keys each), four callers", f"{addresses['rate'] / 1e6:.2f} M/s"))
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for name, figure in rows:
        print(f"| {name} | {figure} |")


def demo_ready(binary, rows):
    """From exec to the line that says it is ready."""
    spent = []
    for _ in range(5):
        started = time.perf_counter()
        command = [binary, "demo", "--json", "--people", "2000", "--listen", "127.0.0.1:0", "--seed", "1"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        process.stdout.readline()
        spent.append(time.perf_counter() - started)
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    rows.append(("`demo --people 2000`, exec to ready, median of 5", f"{statistics.median(spent) * 1000:.0f} ms"))


if __name__ == "__main__":
    main()
