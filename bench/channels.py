#!/usr/bin/env python3
"""What channels cost over HTTP, against a real `throng serve` in a folder of its own and a stand-in for a provider: linking
clients, listing them, and sending what waits for confirmation, through a `kill -9`.

`wrk` makes the load where many requests a second are counted; it and the provider share the machine's cores with the
server. Nothing here asserts a time: the figures are printed beside their targets.
"""

import argparse
import asyncio
import base64
import collections
import concurrent.futures
import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from accounts import Caller
from ingest import Server, rss_anon
from tree import machine

USERS = 50_000
CALLERS = 64
# What is under way at once in the server, and so may be repeated after a kill.
PLACES = 128
DRAIN_SECONDS_MAX = 600
DIALECT = "sunshine"


class Provider(threading.Thread):
    """Takes Twilio's Messages as fast as it can, on a thread with a loop of its own: whom each went to is counted. While it
    holds, it reads and does not answer."""

    def __init__(self):
        super().__init__(daemon=True)
        self.taken = collections.Counter()
        self.held = []
        self.holds = True
        self.loop = asyncio.new_event_loop()
        self.port = None
        self.listening = threading.Event()

    def run(self):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(self.loop.create_server(lambda: Connection(self), "127.0.0.1", 0, backlog=1024))
        self.port = server.sockets[0].getsockname()[1]
        self.listening.set()
        self.loop.run_forever()

    def open(self):
        def release():
            self.holds = False
            for connection, to in self.held:
                connection.answer(to)
            self.held.clear()

        self.loop.call_soon_threadsafe(release)


class Connection(asyncio.Protocol):
    def __init__(self, provider):
        self.provider = provider
        self.buffer = b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.buffer += data
        while True:
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            if not found:
                return
            length = int(re.search(rb"content-length: (\d+)", head, re.I).group(1))
            if len(rest) < length:
                return
            body, self.buffer = rest[:length], rest[length:]
            to = re.search(rb"To=%2B(\d+)", body).group(1)
            if self.provider.holds:
                self.provider.held.append((self, to))
            else:
                self.answer(to)

    def answer(self, to):
        self.provider.taken[to] += 1
        body = b'{"sid":"SM%032d","status":"queued","error_code":null}' % self.provider.taken.total()
        self.transport.write(b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))


class Bench:
    def __init__(self, binary, folder, provider, database_url):
        self.binary, self.folder = binary, folder
        self.extra = ["--set", "rate_limit.native=off", "--set", f"channels.twilio_url=http://127.0.0.1:{provider.port}"]
        self.extra += ["--set", "outbound.allow=127.0.0.1/32"]
        if database_url:
            self.extra += ["--database-url", database_url]
        self.server = Server(binary, folder, self.extra)
        native = {"Authorization": f"Bearer {self.server.token()}", "Content-Type": "application/json"}
        key = self.server.call("POST", "/api/v1/credentials", json.dumps({"dialect": DIALECT, "name": "bench"}), native)
        # An id of a protocol: eight digits of workspace, two of kind, the number.
        workspace = key["client_id"][:8]
        self.native = native
        self.app = f"/sunshine/v2/apps/{workspace}0f{int(workspace, 16):014x}"
        word = base64.b64encode(f"app_{key['client_id']}:{key['secret']}".encode()).decode()
        self.auth = {"Authorization": f"Basic {word}"}
        caller = self.caller()
        twilio = {"type": "twilio", "accountSid": "AC" + "0" * 32, "authToken": "0" * 32, "messagingServiceSid": "MG" + "0" * 32}
        self.integration = json.loads(caller("POST", f"{self.app}/integrations", twilio))["integration"]["id"]

    def caller(self):
        return Caller(self.server.port, self.auth)

    def row(self, what, figure, target=""):
        print(f"| {what} | {figure} | {target} |", flush=True)

    def people(self, count):
        """Users with a conversation each, as pairs of ids."""

        def some(numbers):
            caller, made = self.caller(), []
            for number in numbers:
                user = json.loads(caller("POST", f"{self.app}/users", {"externalId": f"user-{number}"}))["user"]["id"]
                new = {"type": "personal", "participants": [{"userId": user}]}
                made.append((user, json.loads(caller("POST", f"{self.app}/conversations", new))["conversation"]["id"]))
            return made

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            shares = pool.map(some, [range(first, count, 16) for first in range(16)])
            return [pair for share in shares for pair in share]

    def waiting(self):
        """Whether something still waits in the outbox."""
        answer = self.server.call("GET", "/api/v1/outbox?state=queued&limit=1", None, self.native)
        return bool(answer["items"])

    def numbers(self, users):
        """The numbers of all clients, which must be active."""

        def some(users):
            caller, found = self.caller(), set()
            for user in users:
                page = f"{self.app}/users/{user}/clients?page[size]=100"
                for client in json.loads(caller("GET", page))["clients"]:
                    if client["status"] != "active":
                        sys.exit(f"a client is {client['status']}")
                    found.add(client["externalId"].removeprefix("+").encode())
            return found

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            return set().union(*pool.map(some, [users[first::8] for first in range(8)]))

    def kill(self):
        self.server.process.send_signal(signal.SIGKILL)
        self.server.process.wait(60)
        self.server = Server(self.binary, self.folder, self.extra)


def wrk(script, url, seconds, connections, threads=2):
    command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "--latency", "-s", str(script), url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    bad = re.search(r"(Non-2xx or 3xx responses: \d+|Socket errors: .*)", text)
    if bad:
        sys.exit(f"{url}: {bad.group(0)}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1))
    done = int(re.search(r"(\d+) requests in", text).group(1))
    return rate, re.search(r"99%\s+(\S+)", text).group(1), done


# Each thread of wrk takes its own share of the numbers: a client is made once.
LINKS = """
local users, at = {}, 0
local thread = 0
function setup(t) t:set("share", thread) thread = thread + 1 end
function init(args)
  for line in io.lines("PAIRS") do
    local user, conversation = line:match("(%S+) (%S+)")
    users[#users + 1] = {user, conversation}
  end
  at = share
end
function request()
  local number = at
  at = at + THREADS
  local pair = users[number % #users + 1]
  local body = string.format('{"matchCriteria":{"type":"twilio","integrationId":"INTEGRATION","phoneNumber":"+1555%07d","primary":true},"confirmation":{"type":"immediate","message":{"author":{"type":"business","displayName":"Steve"},"content":{"type":"text","text":"Hello!"}}},"target":{"conversationId":"%s"}}', FIRST + number, pair[2])
  return wrk.format("POST", "APP/users/" .. pair[1] .. "/clients", {["Authorization"] = "AUTH", ["Content-Type"] = "application/json"}, body)
end
"""
LISTS = """
local users = {}
function init(args)
  math.randomseed(os.time())
  for line in io.lines("PAIRS") do users[#users + 1] = line:match("(%S+)") end
end
function request()
  return wrk.format("GET", "APP/users/" .. users[math.random(#users)] .. "/clients", {["Authorization"] = "AUTH"})
end
"""
PACED = "function delay() return PAUSE end\n"


def script(folder, name, text, **values):
    for key, value in values.items():
        text = text.replace(key, str(value))
    path = pathlib.Path(folder) / name
    path.write_text(text)
    return path


def link(bench, scripts, pairs, seconds):
    """Links clients with so many callers, and answers how many there are."""
    common = {"PAIRS": pairs, "APP": bench.app, "AUTH": bench.auth["Authorization"], "INTEGRATION": bench.integration}
    path = script(scripts, "links.lua", LINKS, THREADS=2, FIRST=1_000_000, **common)
    rate, slowest, done = wrk(path, f"http://127.0.0.1:{bench.server.port}", seconds, CALLERS)
    bench.row(f"clients linked, {CALLERS} callers, each durable with its confirmation queued", f"{rate:,.0f} a second, p99 {slowest}", "5,000 a second")
    return done


def drain(bench, provider, waiting, users):
    """Lets the provider answer, kills the server in the middle, and waits until nothing is left."""
    peak, started = 0, time.perf_counter()
    provider.open()
    half, base = waiting // 2, provider.taken.total()
    while provider.taken.total() - base < half:
        peak = max(peak, rss_anon(bench.server.process.pid))
        if time.perf_counter() - started > DRAIN_SECONDS_MAX:
            sys.exit("the outbox does not drain")
        time.sleep(0.05)  # between two looks at a figure
    seconds = time.perf_counter() - started
    rate = (provider.taken.total() - base) / seconds
    bench.row("confirmations sent through a provider", f"{rate:,.0f} a second", "2,000 a second")
    bench.row("RssAnon meanwhile, at most", f"{peak / 1e6:.0f} MB", "bounded")
    bench.kill()
    while bench.waiting():
        if time.perf_counter() - started > DRAIN_SECONDS_MAX:
            sys.exit("the outbox does not drain after the kill")
        time.sleep(0.5)  # between two looks at an outbox that waits for leases
    linked = bench.numbers(users)
    bench.linked = len(linked)
    lost, repeated = len(linked - provider.taken.keys()), sum(times - 1 for times in provider.taken.values())
    bench.row(f"after kill -9 in the middle of {len(linked):,}", f"{lost:,} lost, {repeated:,} repeated", f"0 lost, at most {PLACES} repeated")


def listing(bench, scripts, pairs, seconds):
    common = {"PAIRS": pairs, "APP": bench.app, "AUTH": bench.auth["Authorization"]}
    url = f"http://127.0.0.1:{bench.server.port}"
    path = script(scripts, "lists.lua", LISTS, **common)
    rate, slowest, _ = wrk(path, url, seconds, CALLERS)
    bench.row(f"clients of a user listed, {bench.linked / USERS:.1f} on average, {CALLERS} callers", f"{rate:,.0f} a second, p99 {slowest}", "20,000 a second")
    pause = max(1, round(CALLERS / 10_000 * 1000) - 1)
    path = script(scripts, "paced.lua", LISTS + PACED, PAUSE=pause, **common)
    rate, slowest, _ = wrk(path, url, seconds, CALLERS)
    bench.row("the same at about half of that target", f"{rate:,.0f} a second, p99 {slowest}", "10,000 a second, p99 20 ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="the throng binary (release)")
    parser.add_argument("--seconds", type=int, default=12, help="how long clients are linked, and lists asked for (default 12)")
    parser.add_argument("--database-url", help="measure on PostgreSQL instead of SQLite (an empty database)")
    arguments = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="throng-bench-")
    scripts = tempfile.mkdtemp(prefix="throng-bench-")
    provider = Provider()
    provider.start()
    provider.listening.wait()
    try:
        bench = Bench(arguments.bin, folder, provider, arguments.database_url)
        try:
            print(f"{machine()}, {'PostgreSQL' if arguments.database_url else 'SQLite'}")
            pairs = pathlib.Path(scripts) / "pairs"
            people = bench.people(USERS)
            pairs.write_text("".join(f"{user} {conversation}\n" for user, conversation in people))
            waiting = link(bench, scripts, pairs, arguments.seconds)
            drain(bench, provider, waiting, [user for user, _ in people])
            listing(bench, scripts, pairs, arguments.seconds)
            bench.row("RssAnon at the end", f"{rss_anon(bench.server.process.pid) / 1e6:.0f} MB")
        finally:
            bench.server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(scripts, ignore_errors=True)


if __name__ == "__main__":
    main()
