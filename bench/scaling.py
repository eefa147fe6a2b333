#!/usr/bin/env python3
"""What one chat server costs, and what a relay adds: the figures of docs/scaling.md.

    cargo build --release -p asyncnet-chat
    bench/scaling.py [target/release/asyncnet-chat [RUNTIME]]

It needs Linux (for /proc) and nats-server. Rates and times are of the machine and the moment; compare the lines of one run.
"""

import json
import os
import re
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

CHAT = sys.argv[1] if len(sys.argv) > 1 else "target/release/asyncnet-chat"
RUNTIME = sys.argv[2] if len(sys.argv) > 2 else "tokio"
LINE = b"x" * 63 + b"\n"  # 64 bytes with its end
AT_ONCE = 64  # lines in one write
PATIENCE = 60


def until(what, is_so):
    end = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > end:
            sys.exit(f"waited in vain for {what}")
        time.sleep(0.02)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Process:
    def __init__(self, command, out=subprocess.DEVNULL):
        self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)

    def cpu(self):
        """Seconds of processor time so far."""
        tasks = f"/proc/{self.process.pid}/task"
        return sum(int(open(f"{tasks}/{t}/schedstat").read().split()[0]) for t in os.listdir(tasks)) / 1e9

    def resident(self):
        return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{self.process.pid}/status").read())[1]) << 10

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Nats(Process):
    def __init__(self):
        self.port, self.monitor = free_port(), free_port()
        super().__init__(["nats-server", "-a", "127.0.0.1", "-p", str(self.port), "-m", str(self.monitor)])
        until("nats-server", self.is_there)

    def is_there(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def figures(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.monitor}/varz") as answer:
            return json.load(answer)


class Server(Process):
    def __init__(self, nats=None, *options):
        relay = ["--relay", f"nats://127.0.0.1:{nats.port}"] if nats else []
        limits = ["--soft-limit", str(64 << 20), "--hard-limit", str(64 << 20), "--metrics", "127.0.0.1:0"]
        command = [CHAT, "serve", "--listen", "127.0.0.1:0", "--runtime", RUNTIME, *limits, *relay, *options]
        with tempfile.TemporaryFile() as out:
            super().__init__(command, out)
            text = lambda: os.pread(out.fileno(), 1 << 16, 0).decode()
            until("the chat", lambda: "metrics at" in text())
            self.port = int(re.search(r"listening on 127\.0\.0\.1:(\d+)", text())[1])
            metrics = re.search(r"metrics at (\S+)", text())[1]
        if nats:
            until("the relay", lambda: b"asyncnet_chat_relay_connected 1" in urllib.request.urlopen(metrics).read())

    def join(self, count=1):
        clients = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(count)]
        for client in clients:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return clients


def settle(clients, talker):
    """Until everybody hears what is said: a first word of each server's own is not enough."""
    time.sleep(0.5)
    talker.sendall(b"ready\n")
    for client in clients:
        client.settimeout(PATIENCE)
        heard = b""
        while not heard.endswith(b"ready\n") and not heard.endswith(b"ready\r\n"):
            heard += client.recv(4096)


def flood(servers, clients, talker, lines):
    """One client says so many lines, and all read them. Returns the wall time, and the processor time of each server."""
    everyone = selectors.DefaultSelector()
    for client in clients:
        client.setblocking(False)
        everyone.register(client, selectors.EVENT_READ)
    missing = lines * len(clients)
    before, begun = [s.cpu() for s in servers], time.monotonic()
    said = 0
    while missing:
        # At most 64 KiB under way, so that no one falls behind.
        if said < lines and missing - (lines - said) * len(clients) < 1024 * len(clients):
            n = min(AT_ONCE, lines - said)
            talker.setblocking(True)
            talker.sendall(LINE * n)
            talker.setblocking(False)
            said += n
        for key, _ in everyone.select(PATIENCE):
            missing -= key.fileobj.recv(1 << 18).count(b"\n")
        if time.monotonic() > begun + PATIENCE:
            sys.exit(f"{missing} lines are missing")
    wall = time.monotonic() - begun
    return wall, [s.cpu() - b for s, b in zip(servers, before)]


def round_trips(talker, listener, count=2000):
    """The time from a line's leave at `talker` to its arrival at `listener`, in microseconds: median and 99 of 100."""
    listener.setblocking(True)
    talker.setblocking(True)
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        talker.sendall(LINE)
        heard = 0
        while heard < 1:
            heard += listener.recv(4096).count(b"\n")
        times.append((time.perf_counter() - begun) * 1e6)
        if talker is not listener:
            while not talker.recv(4096).endswith(b"\n"):
                pass
    times.sort()
    return statistics.median(times), times[len(times) * 99 // 100]


def memory():
    for name, options in (("plain", []), ("with a relay", None)):
        with Nats() as nats, Server(nats if options is None else None) as server:
            before = server.resident()
            clients = server.join(2000)
            settle(clients, clients[0])
            print(f"memory, {name}: {before / 1e6:.1f} MB empty, {(server.resident() - before) / 2000:.0f} bytes a client")
            for client in clients:
                client.close()


def latency():
    with Nats() as nats, Server(nats) as one, Server(nats) as other:
        (talker,), (there,) = one.join(), other.join()
        settle([talker, there], talker)
        alone = round_trips(talker, talker)
        before, figures = [it.cpu() for it in (one, other, nats)], nats.figures()
        across = round_trips(talker, there)
        after = nats.figures()
        cpu = [(it.cpu() - b) / 2000 * 1e6 for it, b in zip((one, other, nats), before)]
        print(f"latency: {alone[0]:.0f} us on one server (99 %: {alone[1]:.0f}), {across[0]:.0f} us across two ({across[1]:.0f})")
        print(f"a line alone: {cpu[0]:.1f} us of processor time where it is said, {cpu[1]:.1f} where it is heard, "
              f"{cpu[2]:.1f} in the broker, which gets {(after['in_bytes'] - figures['in_bytes']) / 2000:.0f} bytes")


def deliveries(clients=300, lines=20000):
    with Server() as one:
        crowd = one.join(clients)
        settle(crowd, crowd[0])
        wall, (cpu,) = flood([one], crowd, crowd[0], lines)
        print(f"one server, {clients} clients: {lines * clients / wall / 1e6:.2f} M deliveries/s, "
              f"{cpu / lines / clients * 1e9:.0f} ns of processor time each")
    with Nats() as nats, Server(nats) as a, Server(nats) as b, Server(nats) as c:
        crowd = a.join(clients // 3) + b.join(clients // 3) + c.join(clients // 3)
        settle(crowd, crowd[0])
        broker = nats.cpu()
        wall, cpu = flood([a, b, c], crowd, crowd[0], lines)
        print(f"three servers, {clients} clients: {lines * clients / wall / 1e6:.2f} M deliveries/s, "
              f"{sum(cpu) / lines / clients * 1e9:.0f} ns of processor time each, and the broker {(nats.cpu() - broker) / lines * 1e6:.2f} us a line")


def relay(lines=200000):
    """The processor time of a line on a server without clients but its speaker."""
    cost = {}
    for name in ("without", "with"):
        with Nats() as nats, Server(nats if name == "with" else None) as one:
            talker = one.join()
            settle(talker, talker[0])
            _, (cost[name],) = flood([one], talker, talker[0], lines)
    with Nats() as nats, Server(nats) as one, Server(nats) as other:
        talker = one.join()
        settle(talker, talker[0])
        before, figures, broker = other.cpu(), nats.figures(), nats.cpu()
        flood([one], talker, talker[0], lines)
        time.sleep(1)
        after = nats.figures()
        received = other.cpu() - before
        sent = after["in_bytes"] - figures["in_bytes"]
        print(f"relay: {(cost['with'] - cost['without']) / lines * 1e9:.0f} ns to publish a line of 64 bytes "
              f"({cost['without'] / lines * 1e9:.0f} ns to say it to one client), {received / lines * 1e9:.0f} ns to receive it; "
              f"the broker {(nats.cpu() - broker) / lines * 1e9:.0f} ns")
        print(f"broker: {sent / lines:.1f} bytes for a line of 64, {lines / (after['in_msgs'] - figures['in_msgs']):.0f} lines a message")


print(f"{RUNTIME}, {os.cpu_count()} cores")
memory()
latency()
deliveries()
relay()
