#!/usr/bin/env python3
"""Three chat servers and a broker, with a crowd in their one room.

    relay.py nats|redis short|full CHAT DIRECTORY

DIRECTORY has cert.pem and key.pem, for localhost. Three parts, each with servers of its own:

1. Over TLS, with a user and a password: what is said on one server is heard on the other.
2. All is well: clients join, speak and leave. At every client a line is one that was sent, and the lines of each
   sender come in order, once, and with none left out from the first that was sent after the client had seen its own
   first line. A client that stays has them all in the end.
3. The broker is killed, started again and stopped for a while, and (full) a link to it stops to forward. Lines still come in
   order and once. Of those that do not come, every server tells as many in its metrics, in its log and in its room as its
   clients have missed.

The status is 1 if anything of that is not so.
"""

import asyncio
import os
import random
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections import Counter

PATIENCE = 40  # seconds until what has not happened will not
RUNTIMES = ("tokio", "async-std", "smol")


started = []  # every process, so that none outlives this one


def start(command, **options):
    started.append(subprocess.Popen(command, **options))
    return started[-1]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Vain(Exception):
    """What was waited for has not happened."""


async def until(what, is_so):
    for _ in range(PATIENCE * 20):
        if is_so():
            return
        await asyncio.sleep(0.05)
    raise Vain(f"waited in vain for {what}")


class Broker:
    def __init__(self, kind, directory):
        self.kind, self.directory = kind, directory
        self.port, self.process = free_port(), None

    def start(self, secure=False):
        d, port = self.directory, str(self.port)
        cert, key = f"{d}/cert.pem", f"{d}/key.pem"
        if self.kind == "nats":
            command = ["nats-server", "-a", "127.0.0.1", "-p", port]
            if secure:
                command += ["--tls", "--tlscert", cert, "--tlskey", key, "--user", "ann", "--pass", "geheim"]
        else:
            command = ["redis-server", "--bind", "127.0.0.1", "--save", "", "--dir", d]
            command += ["--port", "0", "--tls-port", port] if secure else ["--port", port]
            if secure:
                command += ["--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert]
                command += ["--tls-auth-clients", "no", *"--user ann on >geheim ~* &* +@all --user default off".split()]
        log = open(f"{d}/{self.kind}.log", "ab")
        self.process = start(command, stdout=log, stderr=log)

    def url(self, port=None, secure=False):
        scheme = {"nats": ("nats", "tls"), "redis": ("redis", "rediss")}[self.kind][secure]
        return f"{scheme}://127.0.0.1:{port or self.port}/room.1"

    def kill(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        self.process.wait()


class Server:
    """One chat server."""

    def __init__(self, chat, directory, name, runtime, url, *options, tls=False, env=None):
        self.name, self.tls = name, None
        base = f"{directory}/{name}"
        command = [chat, "serve", "--listen", "127.0.0.1:0", "--runtime", runtime, "--relay", url]
        command += ["--metrics", "127.0.0.1:0", *options]
        if tls:
            command += ["--tls-self-signed", "--cert-out", f"{base}.pem"]
        self.log = f"{base}.log"
        with open(f"{base}.out", "wb") as out, open(self.log, "wb") as log:
            self.process = start(command, stdout=out, stderr=log, env=env)
        self.out, self.wants_tls = f"{base}.out", tls

    async def ready(self):
        await until(f"{self.name} to listen", lambda: "metrics at" in open(self.out).read())
        out = open(self.out).read()
        self.port = int(re.search(r"listening on 127\.0\.0\.1:(\d+)", out)[1])
        self.metrics_at = re.search(r"metrics at (\S+)", out)[1]
        if self.wants_tls:
            self.tls = ssl.create_default_context(cafile=self.log.replace(".log", ".pem"))
        await until(f"{self.name} to reach its broker", lambda: self.metrics()["connected"])

    def metrics(self):
        text = urllib.request.urlopen(self.metrics_at, timeout=PATIENCE).read().decode()
        found = re.findall(r'^asyncnet_chat_relay_(\w+?)(?:\{cause="(\w+)"\})? (\d+)$', text, re.M)
        return {cause or name: int(value) for name, cause, value in found}

    def said(self):
        """How many lines its clients have said, and how many of them no other server gets."""
        m = self.metrics()
        lost = m["buffer_full"] + m["too_long"] + m["not_confirmed_at_stop"]
        return m["published_lines_total"] + m["kept_lines"] + lost, lost

    def logged(self):
        """How many lines the log tells as lost: those said here, and those of other servers."""
        log = re.sub(r"\x1b\[[0-9;]*m", "", open(self.log).read())
        total = lambda where: sum(map(int, re.findall(rf"lines that were said {where}.* lines=(\d+)", log)))
        return total("here"), total("on other servers")

    def stop(self):
        self.process.terminate()
        status = self.process.wait(PATIENCE)
        log = open(self.log).read()
        if status or "panicked" in log or "geheim" in log:
            raise Vain(f"{self.name} ended with status {status}:\n{log[-2000:]}")


class Crowd:
    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.clients, self.begun, self.over = [], asyncio.Event(), asyncio.Event()
        self.faults = Counter(lost=0, duplicated=0, reordered=0, damaged=0, left_alone=0)
        self.checked = 0


class Client:
    def __init__(self, crowd, server):
        self.crowd, self.server, self.id = crowd, server, len(crowd.clients)
        crowd.clients.append(self)
        self.sent = 0
        self.next, self.floor = {}, None  # by sender: the next number; how much each had sent when we were in the room
        self.elsewhere = 0  # lines from other servers, behind the first of each sender
        self.told = Counter()  # lines that the server said are lost
        self.missing = set()  # passed over; perhaps only late

    async def join(self):
        tls = self.server.tls
        self.reader, self.writer = await asyncio.open_connection(
            "127.0.0.1", self.server.port, ssl=tls, server_hostname="localhost" if tls else None
        )
        self.hearing = asyncio.create_task(self.hear())
        self.say()
        for _ in range(PATIENCE * 20):
            if self.floor is not None:
                return
            await asyncio.sleep(0.05)
        self.crowd.faults["left_alone"] += 1

    def say(self):
        # The first lines, of all at once, fit in the smallest buffer.
        text = "~" * (self.sent and self.crowd.chance.choice((0, 20, 60, 300)))
        self.writer.write(f"{self.id} {self.sent} {text}\n".encode())
        self.sent += 1

    async def hear(self):
        rest = b""
        try:
            while data := await self.reader.read(1 << 16):
                *lines, rest = (rest + data).split(b"\r\n")
                for line in lines:
                    self.check(line)
        except OSError:
            pass

    def check(self, line):
        if line.startswith(b"[server] "):
            found = re.fullmatch(rb"\[server\] Lost: (\d+) lines? (that|from) clients of other servers.*", line)
            self.told["own" if found[2] == b"that" else "others"] += int(found[1])
            return
        crowd = self.crowd
        crowd.checked += 1
        sender, number, text = line.split(b" ")
        sender, number = int(sender), int(number)
        if sender >= len(crowd.clients) or number >= crowd.clients[sender].sent or text.strip(b"~"):
            crowd.faults["damaged"] += 1
            return
        self.elsewhere += number > 0 and crowd.clients[sender].server is not self.server
        expected = self.next.get(sender, min(number, self.owed_from(sender)))
        if number < expected:
            late = (sender, number) in self.missing
            self.missing.discard((sender, number))
            crowd.faults["reordered" if late else "duplicated"] += 1
            return
        self.missing.update((sender, passed) for passed in range(expected, number))
        self.next[sender] = number + 1
        if sender == self.id and self.floor is None:
            self.floor = [client.sent for client in crowd.clients]

    def owed_from(self, sender):
        if sender == self.id:
            return 0
        if self.floor is None:
            return sys.maxsize
        return self.floor[sender] if sender < len(self.floor) else 0

    def owed(self, senders):
        return sum(max(0, c.sent - self.next.get(c.id, self.owed_from(c.id))) for c in senders)

    async def speak(self, turns, pause):
        await self.crowd.begun.wait()
        while turns > 0 and not self.crowd.over.is_set():
            turns -= 1
            await asyncio.sleep(self.crowd.chance.uniform(0, 2 * pause))
            self.say()

    async def leave(self):
        for _ in range(PATIENCE * 20):
            if not self.owed([self]) or self.hearing.done():
                break
            await asyncio.sleep(0.05)
        self.crowd.faults["left_alone"] += self.hearing.done()
        self.crowd.faults["lost"] += self.owed([self])
        self.writer.close()


async def take(crowd, server, stays, pause):
    """Keeps a place taken until the run is over. Returns who stays."""
    while not crowd.over.is_set():
        client = Client(crowd, server)
        await client.join()
        await client.speak(sys.maxsize if stays else crowd.chance.expovariate(0.3), pause)
        if stays:
            return client
        await client.leave()


async def crowd_on(servers, seed, clients, seconds, pause, chaos=None):
    """A crowd for so long; those who stayed, at its end. Nobody has left the room."""
    crowd = Crowd(seed)
    stays = lambda place: chaos is not None or place % 5 < 3
    places = [take(crowd, server, stays(place), pause) for server in servers for place in range(clients)]
    everyone = asyncio.gather(*places)
    if chaos is None:
        crowd.begun.set()
        await asyncio.wait([everyone], timeout=seconds)
    else:
        await until("everybody to join", lambda: len(crowd.clients) == len(places) and all(c.floor for c in crowd.clients))
        crowd.begun.set()
        await chaos()
    crowd.over.set()
    return crowd, [client for client in await everyone if client]


def settle(crowd, stayed):
    return until("everybody to hear everything", lambda: not any(c.owed(crowd.clients) for c in stayed))


async def end(stayed, servers):
    for client in stayed:
        client.writer.close()
    await asyncio.gather(*(asyncio.to_thread(server.stop) for server in servers))


def verdict(part, crowd, faults, extra=""):
    sent = sum(client.sent for client in crowd.clients)
    row = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in faults.items())
    print(f"{part}: {len(crowd.clients)} clients, {sent} lines, {crowd.checked} deliveries; {row}{extra}", flush=True)
    return not any(faults.values())


async def all_is_well(chat, directory, broker, full):
    servers = [
        Server(chat, directory, f"well-{runtime}", runtime, broker.url(), tls=runtime == "smol")
        for runtime in RUNTIMES
    ]
    await asyncio.gather(*(server.ready() for server in servers))
    clients, seconds, pause = (300, 20, 15) if full else (40, 3, 2)
    crowd, stayed = await crowd_on(servers, 1, clients, seconds, pause)
    try:
        await settle(crowd, stayed)
    except Vain as error:
        print(error)
    crowd.faults["lost"] += sum(client.owed(crowd.clients) + len(client.missing) for client in stayed)
    good = verdict(f"{broker.kind}, all is well", crowd, crowd.faults)
    for server in servers:
        m = server.metrics()
        if m["other_servers"] or m["double_lines_total"] or m["reconnects_total"] or server.said()[1]:
            print(f"{server.name} tells of losses: {m}")
            good = False
    await end(stayed, servers)
    return good


class Proxy:
    """Forwards connections to the broker, until they are frozen."""

    def __init__(self, to):
        self.to, self.frozen = to, []

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        try:
            other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self.to)
        except OSError:
            return writer.close()
        thawed = asyncio.Event()
        thawed.set()
        self.frozen.append(thawed)
        try:
            await asyncio.gather(self.copy(reader, other_writer, thawed), self.copy(other_reader, writer, thawed))
        except asyncio.CancelledError:
            pass  # The run is over.

    async def copy(self, reader, writer, thawed):
        try:
            while data := await reader.read(1 << 16):
                await thawed.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.close()

    def freeze(self):
        for thawed in self.frozen:
            thawed.clear()


async def broker_misbehaves(chat, directory, broker, full):
    proxy = Proxy(broker.port)
    through = await proxy.start()
    servers = [
        # It has no room for what is said while the broker is down.
        Server(chat, directory, "bad-tokio", "tokio", broker.url(), "--relay-buffer", "3000"),
        Server(chat, directory, "bad-async-std", "async-std", broker.url(), tls=True),
        Server(chat, directory, "bad-smol", "smol", broker.url(through)),
    ]
    await asyncio.gather(*(server.ready() for server in servers))
    back = []

    async def restart():
        broker.kill()
        await until("the loss to be noticed", lambda: not any(s.metrics()["connected"] for s in servers))
        await asyncio.sleep(2)
        broker.start()
        begin = time.monotonic()
        await until("the relays to be back", lambda: all(s.metrics()["connected"] for s in servers))
        back.append(f"{time.monotonic() - begin:.1f} s")
        await asyncio.sleep(2)

    async def chaos():
        await restart()
        if full:
            await restart()
        broker.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(5 if full else 1)
        broker.process.send_signal(signal.SIGCONT)
        await asyncio.sleep(2)
        if full:
            before = servers[2].metrics()["reconnects_total"]
            proxy.freeze()
            await until("the dead link to be noticed", lambda: servers[2].metrics()["reconnects_total"] > before)
            await asyncio.sleep(2)

    clients, pause = (100, 3) if full else (20, 0.5)
    crowd, stayed = await crowd_on(servers, 2, clients, 0, pause, chaos)
    faults = crowd.faults
    faults.update(miscounted=0)

    def accounts(server):
        m = server.metrics()
        others = sum(s.said()[0] for s in servers if s is not server)
        return m, others - m["received_lines_total"] - m["other_servers"]

    # The number of an idle server tells what was lost at the end.
    await until("every line to be accounted for", lambda: not any(accounts(s)[1] for s in servers))
    await until("the log to tell", lambda: all(s.logged() == (s.said()[1], s.metrics()["other_servers"]) for s in servers))
    await asyncio.sleep(1.5)
    lost = []
    for server in servers:
        m, _ = accounts(server)
        own, others = server.said()[1], m["other_servers"]
        lost.append(f"{own} and {others}")
        said_here = sum(client.sent for client in crowd.clients if client.server is server)
        faults["miscounted"] += server.said()[0] != said_here
        for client in (client for client in stayed if client.server is server):
            faults["lost"] += client.owed(c for c in crowd.clients if c.server is server)
            faults["miscounted"] += client.told["own"] != own or client.told["others"] != others
            said = sum(c.sent - 1 for c in crowd.clients if c.server is not server)
            faults["miscounted"] += said - client.elsewhere != others
    told = f"; lost to others and of others: {', '.join(lost)}; back after {', '.join(back)}"
    good = verdict(f"{broker.kind}, the broker misbehaves", crowd, faults, told)
    await end(stayed, servers)
    return good


async def over_tls(chat, directory, kind):
    broker = Broker(kind, directory)
    broker.start(secure=True)
    try:
        with open(f"{directory}/credentials", "w") as file:
            file.write("ann:geheim\n")
        ca = ["--relay-ca", f"{directory}/cert.pem"]
        url = broker.url(secure=True).replace("127.0.0.1", "localhost")
        env = {**os.environ, "ASYNCNET_CHAT_RELAY_CREDENTIALS": "ann:geheim"}
        servers = [
            Server(chat, directory, "tls-file", "tokio", url, *ca, "--relay-credentials", f"{directory}/credentials"),
            Server(chat, directory, "tls-environment", "smol", url, *ca, env=env),
        ]
        wrong = Server(chat, directory, "tls-wrong", "tokio", url.replace("://", "://ann:wrong@"), *ca)
        await asyncio.gather(*(server.ready() for server in servers))
        crowd, stayed = await crowd_on(servers, 3, 2, 1, 0.2)
        await settle(crowd, stayed)
        crowd.faults["lost"] += sum(client.owed(crowd.clients) + len(client.missing) for client in stayed)
        good = verdict(f"{kind}, over TLS", crowd, crowd.faults)
        await until("wrong credentials to be told", lambda: "credentials" in open(wrong.log).read())
        await end(stayed, [*servers, wrong])
        return good
    finally:
        broker.kill(signal.SIGTERM)


async def main(kind, form, chat, directory):
    full = form == "full"
    good = await over_tls(chat, directory, kind)
    broker = Broker(kind, directory)
    broker.start()
    try:
        good &= await all_is_well(chat, directory, broker, full)
        good &= await broker_misbehaves(chat, directory, broker, full)
    finally:
        broker.kill()
    return good


if __name__ == "__main__":
    try:
        sys.exit(not asyncio.run(main(*sys.argv[1:])))
    except Vain as error:
        sys.exit(f"error: {error}")
    finally:
        for process in started:
            process.kill()
