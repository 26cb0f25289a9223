"""Packets for a TFTP server that no good client sends; runs inside a namespace (by inside.py)."""

import random
import select
import socket
import struct
import threading
import time

import tftp_client

OPS = {3: "data", 5: "error", 6: "oack"}


def _told(packet):
    """A reply in short: its kind, and the block, the code or the options."""
    op = struct.unpack("!H", packet[:2])[0]
    if op == 6:
        return ["oack", tftp_client.read_oack(packet)]
    return [OPS.get(op, op), struct.unpack("!H", packet[2:4])[0]]


def say(address, port, packets, seconds=0.7, source=0):
    """
    Sends packets (hexadecimal), each from a port of its own, and returns the first reply to each, or
    None.  What a reply begins is ended.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sockets = []
    for data in packets:
        s = socket.socket(family, socket.SOCK_DGRAM)
        if source:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("", source))
        s.sendto(bytes.fromhex(data), (address, port))
        sockets.append(s)
    replies = [None] * len(sockets)
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        for s in select.select(sockets, [], [], left)[0]:
            n = sockets.index(s)
            packet, sender = s.recvfrom(70000)
            if replies[n] is None:
                replies[n] = _told(packet) + [len(packet)]
            if packet[1] != 5:
                s.sendto(struct.pack("!HH", 5, 0) + b"\0", sender)
    return replies


def udp(source, destination, payload):
    """A datagram with any port for its source, without a checksum."""
    return struct.pack("!4H", source, destination, 8 + len(payload), 0) + payload


def raw():
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)


def from_port(address, port, source, packets):
    """Sends packets with that source port, which may be one that a socket cannot have."""
    s = raw()
    for data in packets:
        s.sendto(udp(source, port, bytes.fromhex(data)), (address, 0))
    return len(packets)


def heard(seconds, source):
    """How many UDP packets came to a port within a time, whoever has it, and their bytes."""
    s = raw()
    packets = size = 0
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([s], [], [], left)[0]:
            data = s.recv(70000)
            head = (data[0] & 15) * 4
            if struct.unpack("!H", data[head + 2:head + 4])[0] == source:
                packets += 1
                size += len(data)
    return [packets, size]


def forget(address, requests, seconds, source=30000):
    """
    Sends read requests (hexadecimal), each from a port of its own, and never says another word, as
    one whose address was forged: for each how many packets and bytes came, in so many seconds.
    """
    sockets = []
    for i, data in enumerate(requests):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("", source + i))
        s.sendto(bytes.fromhex(data), (address, 69))
        sockets.append(s)
    got = [[0, 0] for _ in sockets]
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        for s in select.select(sockets, [], [], left)[0]:
            got[sockets.index(s)][0] += 1
            got[sockets.index(s)][1] += len(s.recv(70000))
    return got


def disturb(address, name, sha, source=40000, seed=1):
    """
    Reads a file slowly while others meddle: ACKs of blocks that are far off from its own port, and
    all kinds of packets from strangers to the port of its transfer.  How it ended, and their number.
    """
    rng = random.Random(seed)
    reader = tftp_client.Reader(address, name, source=source, pause=0.004, timeout=3)
    result = {}
    thread = threading.Thread(target=lambda: result.update(reader.run()))
    thread.start()
    while reader.peer is None and thread.is_alive():
        time.sleep(0.005)
    port = reader.peer[1]
    own, stranger = raw(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stranger.bind(("", 0))
    sent = 0
    while thread.is_alive():
        # neither the block under way nor one near it
        block = (reader.expected + rng.randrange(1000, 64000)) & 0xffff
        own.sendto(udp(source, port, struct.pack("!HH", 4, block)), (address, 0))
        own.sendto(udp(source, port, struct.pack("!HH", rng.choice((3, 6, 7)), 1) + b"x\0y\0"), (address, 0))
        for op in (3, 4, 5, 6, 0, 0xffff):
            stranger.sendto(struct.pack("!HH", op, reader.expected & 0xffff), (address, port))
        stranger.sendto(tftp_client.request(name), (address, port))
        sent += 1
        time.sleep(0.002)
    stranger.settimeout(0.3)
    try:
        result["answered"] = _told(stranger.recv(2000))
    except socket.timeout:
        result["answered"] = None
    result["same"] = result.get("sha") == sha
    result["sent"] = sent
    return result


def flood(address, name, packets, ports, pause=0.0):
    """Sends read requests from so many ports of this address in turn, and never answers."""
    s = raw()
    request = tftp_client.request(name, options=[["blksize", 1428], ["windowsize", 64]])
    for i in range(packets):
        try:
            s.sendto(udp(20000 + i % ports, 69, request), (address, 0))
        except OSError:  # the way is full: lost
            pass
        if i % 50 == 49:
            time.sleep(pause)
    return packets
