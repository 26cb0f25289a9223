"""A TFTP client that keeps to RFC 7440, or has the manners of firmware, and is patient.

Runs inside a namespace (by inside.py): many() reads several files at once.
"""

import hashlib
import random
import select
import socket
import struct
import threading
import time

RRQ, DATA, ACK, ERROR, OACK = 1, 3, 4, 5, 6


def request(name, mode="octet", options=()):
    """A read request; options as pairs."""
    data = struct.pack("!H", RRQ) + name.encode("latin-1") + b"\0" + mode.encode() + b"\0"
    for key, value in options:
        data += f"{key}\0{value}\0".encode()
    return data


def read_oack(packet):
    fields = [f.decode("latin-1") for f in packet[2:].split(b"\0")[:-1]]
    return dict(zip(fields[::2], fields[1::2]))


class Reader:
    """
    One transfer.  What `gap` says about a block that is not the expected one: "once" answers a gap
    by one ACK until there is progress (RFC 7440 section 4), "each" answers every unexpected block at
    once and counts its window from there (edk2), "never" waits for its own time-out.
    """

    def __init__(self, address, name, options=(), port=69, source=0, mode="octet", gap="once", timeout=1.0,
                 tries=12, last_ack=True, octets=None, twice=False, pause=0.0, device=None):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        if source:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("", source))
        self.server = (address, port)
        if address.startswith("fe80"):
            self.server += (0, socket.if_nametoindex(device))
        self.request = request(name, mode, options)
        self.gap = gap
        self.timeout = timeout
        self.tries = tries
        self.last_ack = last_ack
        self.octets = octets  # behind each ACK, as the Microsoft window has it
        self.twice = twice
        self.pause = pause
        self.peer = None
        self.blksize, self.windowsize = 512, 1
        self.oack = None
        self.expected = 1
        self.in_window = 0
        self.told_gap = False
        self.digest = hashlib.sha256()
        self.result = {"bytes": 0, "repeats": 0, "acks": 0, "packets": 0, "waits": 0}

    def ack(self):
        packet = struct.pack("!HH", ACK, (self.expected - 1) & 0xffff) + (self.octets or "").encode()
        self.socket.sendto(packet, self.peer)
        self.result["acks"] += 1
        self.in_window = 0

    def again(self):
        """What was sent last, after a time-out."""
        self.result["waits"] += 1
        if self.peer is None:
            self.socket.sendto(self.request, self.server)
        else:
            self.ack()

    def error(self, code, text, to=None):
        self.socket.sendto(struct.pack("!HH", ERROR, code) + text.encode() + b"\0", to or self.peer)

    def wait(self):
        """The next packet of the server that the transfer is with, or None."""
        end = time.monotonic() + self.timeout
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return None
            packet, sender = self.socket.recvfrom(70000)
            self.peer = self.peer or sender
            if sender == self.peer and len(packet) >= 4:
                self.result["packets"] += 1
                return packet

    def on_oack(self, packet):
        if self.expected == 1:
            self.oack = read_oack(packet)
            lower = {k.lower(): v for k, v in self.oack.items()}
            self.blksize = int(lower.get("blksize", 512))
            self.windowsize = int(lower.get("windowsize", 1))
            self.ack()

    def on_unexpected(self, block):
        ahead = (block - self.expected + 0x8000) % 0x10000 - 0x8000
        if ahead < 0:
            self.result["repeats"] += 1
        if self.gap == "each":
            self.ack()
        elif self.gap == "once" and ahead > 0 and not self.told_gap:
            self.told_gap = True
            self.ack()
        elif ahead == -1 and self.in_window == 0 and (self.gap == "once" or self.windowsize == 1):
            self.ack()  # the window came again: the ACK was lost

    def on_data(self, packet):
        """True when it was the last block."""
        block = struct.unpack("!H", packet[2:4])[0]
        if block != self.expected & 0xffff:
            self.on_unexpected(block)
            return False
        self.digest.update(packet[4:])
        self.result["bytes"] += len(packet) - 4
        self.expected += 1
        self.in_window += 1
        self.told_gap = False
        last = len(packet) - 4 < self.blksize
        if last and not self.last_ack:
            return True
        if last or self.in_window >= self.windowsize:
            if self.pause:
                time.sleep(self.pause)
            self.ack()
        return last

    def run(self, stop_after=None):
        """Reads all of it, or until after so many blocks (0: the OACK)."""
        began = time.monotonic()
        self.socket.sendto(self.request, self.server)
        if self.twice:
            self.socket.sendto(self.request, self.server)
        tries = 0
        result = self.result
        while True:
            packet = self.wait()
            if packet is None:
                tries += 1
                if tries >= self.tries:
                    result["timeout"] = True
                    break
                self.again()
                continue
            op = struct.unpack("!H", packet[:2])[0]
            before = self.expected
            if op == ERROR:
                result["error"] = struct.unpack("!H", packet[2:4])[0]
                result["text"] = packet[4:].rstrip(b"\0").decode("latin-1")
                break
            if op == OACK:
                if stop_after == 0:
                    self.oack = read_oack(packet)
                    self.error(8, "User aborted the transfer")
                    result["stopped"] = True
                    break
                self.on_oack(packet)
            elif op == DATA and self.on_data(packet):
                result["sha"] = self.digest.hexdigest()
                break
            if self.expected != before:
                tries = 0
                if stop_after and self.expected > stop_after:
                    result["stopped"] = True
                    break
        result["seconds"] = time.monotonic() - began
        result["oack"] = self.oack
        result["port"] = self.peer[1] if self.peer else 0
        result["from"] = self.peer[0].split("%")[0] if self.peer else ""
        self.socket.close()
        return result


def get(stop_after=None, probe=False, **arguments):
    """Reads a file; `probe` asks for its size first, as edk2 does."""
    if probe:
        first = dict(arguments, options=[["tsize", 0], *arguments.get("options", ())])
        r = Reader(**first).run(stop_after=0)
        if not r.get("stopped"):
            return r
        size = int(r["oack"]["tsize"])
        r = Reader(**arguments).run(stop_after)
        r["size"] = size
        return r
    return Reader(**arguments).run(stop_after)


def many(jobs, at_once=64):
    """Reads of several files at once; the results in the jobs' order."""
    results = [None] * len(jobs)
    left = list(enumerate(jobs))[::-1]
    lock = threading.Lock()

    def work():
        while True:
            with lock:
                if not left:
                    return
                n, job = left.pop()
            try:
                results[n] = get(**job)
            except OSError as e:
                results[n] = {"failed": str(e)}

    threads = [threading.Thread(target=work) for _ in range(min(at_once, len(jobs)))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return results
