#!/usr/bin/env python3
"""A crowd in a chat room: clients that join, speak, stall, leave and break off at random.

    crowd.py HOST:PORT --clients N --seconds S --seed K

N places are taken at any time, two of five by clients that stay, the others by one client after another.
Each numbers its lines from 0. Line 0 is its marker: when that has come back the client is in the room.
Checked at every client:

- a line is one that was sent, byte by byte;
- the lines of each sender come in order and exactly once, and none is left out from the first that is
  owed: the first that was sent after this client had seen its own marker;
- at the end, a client that stayed has all of them, except what somebody who broke off had not got back
  itself; a client that ended its side has all that it sent itself, and of each other sender what that
  one had got back by then. A client that broke off is owed nothing more.

Prints one row: clients, lines sent, deliveries checked; lost, duplicated, reordered, damaged (nobody sent
such a line), thrown out (disconnected without cause). If the last five are not 0 the status is 1.
"""

import argparse
import asyncio
import random
import socket
import struct
import sys

PATIENCE = 30  # seconds until what has not come counts as lost
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time


class Crowd:
    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.clients = []
        self.over = asyncio.Event()
        self.checked = self.lost = self.duplicated = self.reordered = 0
        self.damaged = self.thrown_out = 0

    def faults(self):
        return [self.lost, self.duplicated, self.reordered, self.damaged, self.thrown_out]

    def row(self):
        sent = sum(len(client.sent) for client in self.clients)
        return [len(self.clients), sent, self.checked, *self.faults()]

    def was_sent(self, line, sender, number):
        if not 0 <= sender < len(self.clients):
            return False
        sent = self.clients[sender].sent
        return 0 <= number < len(sent) and sent[number] == line


class Client:
    def __init__(self, crowd):
        self.crowd = crowd
        self.id = len(crowd.clients)
        crowd.clients.append(self)
        self.sent = []
        self.next = {}  # by sender: the number that has to come next
        self.floor = None  # by sender: how much each had sent when we saw our marker
        self.missing = set()  # passed over; perhaps only late
        self.awake = asyncio.Event()  # cleared while it does not read
        self.awake.set()
        self.broke_off = False

    async def live(self, address, turns):
        """Speaks and stalls for so many turns, or until the run is over, and leaves."""
        crowd, chance = self.crowd, self.crowd.chance
        self.reader, self.writer = await asyncio.open_connection(*address)
        self.hearing = asyncio.create_task(self.hear())
        self.say()
        while turns > 0 and not crowd.over.is_set() and not self.hearing.done():
            turns -= 1
            for _ in range(chance.choice((0, 1, 1, 3))):
                self.say()
            if chance.random() < 0.1:
                self.awake.clear()
            await asyncio.sleep(chance.uniform(0, 1))
            self.awake.set()
        if self.hearing.done():
            crowd.thrown_out += 1
        elif crowd.over.is_set():
            await self.stay_to_the_end()
        elif chance.random() < 0.5:
            self.break_off()
        else:
            self.say()
            owed = [client.came_back() for client in crowd.clients]
            owed[self.id] = len(self.sent)
            await self.end_sending(owed)
        await self.hearing
        self.writer.close()

    def say(self):
        length = self.crowd.chance.choice((0, 20, 60, 200, 5000))
        line = f"{self.id} {len(self.sent)} {'~' * length}".encode()
        self.sent.append(line)
        self.writer.write(line + b"\n")

    async def hear(self):
        rest = b""
        try:
            while data := await self.reader.read(1 << 16):
                *lines, rest = (rest + data).split(b"\r\n")
                for line in lines:
                    self.check(line)
                await self.awake.wait()
        except OSError:
            pass
        if rest and not self.broke_off:
            self.crowd.damaged += 1

    def check(self, line):
        crowd = self.crowd
        crowd.checked += 1
        try:
            sender, number = map(int, line.split(b" ", 2)[:2])
        except ValueError:
            sender, number = -1, -1
        if not crowd.was_sent(line, sender, number):
            crowd.damaged += 1
            return
        # The first that we hear of a sender may be older than what is owed.
        expected = self.next.get(sender, min(number, self.owed_from(sender)))
        if number >= expected:
            self.missing.update((sender, passed) for passed in range(expected, number))
            self.next[sender] = number + 1
        elif (sender, number) in self.missing:
            self.missing.remove((sender, number))
            crowd.reordered += 1
        else:
            crowd.duplicated += 1
        if sender == self.id and self.floor is None:
            self.floor = [len(client.sent) for client in crowd.clients]

    def came_back(self):
        return self.next.get(self.id, 0)

    def owed_from(self, sender):
        if sender == self.id:
            return 0
        if self.floor is None:
            return sys.maxsize
        return self.floor[sender] if sender < len(self.floor) else 0

    def owed(self, until):
        """How many lines have not come of those that are owed; of each sender those below `until`."""
        unheard = (
            max(0, end - self.next.get(sender, self.owed_from(sender)))
            for sender, end in enumerate(until)
        )
        return len(self.missing) + sum(unheard)

    async def stay_to_the_end(self):
        # From now on nobody speaks, and nobody breaks off.
        owed = [c.came_back() if c.broke_off else len(c.sent) for c in self.crowd.clients]
        for _ in range(PATIENCE * 10):
            if not self.owed(owed) or self.hearing.done():
                break
            await asyncio.sleep(0.1)
        if self.hearing.done():
            self.crowd.thrown_out += 1
        await self.end_sending(owed)

    async def end_sending(self, owed):
        """Ends our side, and takes what comes until the server ends the other."""
        if not self.hearing.done():
            self.writer.write_eof()
        await asyncio.wait([self.hearing], timeout=PATIENCE)
        # The end is owed too.
        self.crowd.lost += self.owed(owed) + (not self.hearing.done())
        self.writer.transport.abort()

    def break_off(self):
        self.broke_off = True
        if self.crowd.chance.random() < 0.5:
            self.writer.write(b"half a line")
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.writer.transport.abort()
        self.crowd.lost += len(self.missing)


async def take(place, crowd, address):
    """Keeps a place taken until the run is over."""
    while not crowd.over.is_set():
        stays = place % 5 < 2
        turns = sys.maxsize if stays else crowd.chance.expovariate(0.2)
        await Client(crowd).live(address, turns)


async def run(options):
    crowd = Crowd(options.seed)
    address = options.address.rsplit(":", 1)
    places = (take(place, crowd, address) for place in range(options.clients))
    everyone = asyncio.gather(*places)
    await asyncio.wait([everyone], timeout=options.seconds)
    crowd.over.set()
    await everyone
    return crowd


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("address", metavar="HOST:PORT")
    parser.add_argument("--clients", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    crowd = asyncio.run(run(parser.parse_args()))
    print(*crowd.row())
    return int(any(crowd.faults()))


if __name__ == "__main__":
    sys.exit(main())
