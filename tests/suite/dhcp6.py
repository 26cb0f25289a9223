"""DHCPv6 packets of boot clients, for tests that need no firmware."""

import os
import socket
import struct

SOLICIT, ADVERTISE, REQUEST, REPLY, INFORMATION_REQUEST, RELAY_FORW, RELAY_REPL = 1, 2, 3, 7, 11, 12, 13
GROUP = "ff02::1:2"
UUID = bytes.fromhex("33221100554477668899aabbccddeeff")


def option(code, value):
    return struct.pack("!HH", code, len(value)) + value


def message(kind, options, xid=None):
    return bytes([kind]) + (xid if xid is not None else os.urandom(3)) + options


def duid_ll(mac):
    return b"\0\3\0\1" + mac


def duid_llt(mac):
    return b"\0\1\0\1\x2b\x3c\x4d\x5e" + mac


def duid_uuid(uuid=UUID):
    return b"\0\4" + uuid


def ia_na(address=None):
    inner = option(5, socket.inet_pton(socket.AF_INET6, address) + struct.pack("!II", 300, 600)) if address else b""
    return option(3, b"\0\0\0\7" + bytes(8) + inner)


def firmware(arch=7, kind=b"PXEClient", duid=None, ia=True):
    """Options of UEFI firmware's SOLICIT, in its order."""
    text = kind + b":Arch:%05d:UNDI:003000" % arch
    return (option(1, duid or duid_uuid()) + option(8, b"\0\0") + (ia_na() if ia else b"") +
            option(6, struct.pack("!4H", 59, 60, 23, 16)) + option(62, b"\1\3\0") +
            option(61, struct.pack("!H", arch)) + option(16, struct.pack("!IH", 343, len(text)) + text))


def ipxe(arch=7, duid=None):
    """Options of iPXE's INFORMATION-REQUEST."""
    text = b"PXEClient:Arch:%05d:UNDI:003010" % arch
    return (option(1, duid or duid_uuid()) + option(6, struct.pack("!4H", 23, 24, 59, 60)) +
            option(16, struct.pack("!IH", 343, len(text)) + text) + option(61, struct.pack("!H", arch)) +
            option(62, b"\1\3\x0a") + option(15, b"\0\4iPXE") + option(8, b"\0\0"))


def relayed(inner, link, peer, hops=0, interface_id=None, more=b""):
    """A RELAY-FORW around a message."""
    pton = socket.inet_pton
    return (bytes([RELAY_FORW, hops]) + pton(socket.AF_INET6, link) + pton(socket.AF_INET6, peer) +
            (option(18, interface_id) if interface_id is not None else b"") + more + option(9, inner))


def options(data):
    """(code, value) of each option, in order."""
    found, i = [], 0
    while i < len(data):
        code, size = struct.unpack("!HH", data[i:i + 4])
        assert i + 4 + size <= len(data)
        found.append((code, data[i + 4:i + 4 + size]))
        i += 4 + size
    return found


def parse(data):
    """A reply: its relays, outermost first, then type, xid and options."""
    relays = []
    while data[0] == RELAY_REPL:
        inner = dict(options(data[34:]))
        relays.append({"hops": data[1], "link": socket.inet_ntop(socket.AF_INET6, data[2:18]),
                       "peer": socket.inet_ntop(socket.AF_INET6, data[18:34]),
                       "options": {str(k): v.hex() for k, v in inner.items() if k != 9}})
        data = inner[9]
    found = options(data[4:])
    return {"relays": relays, "type": data[0], "xid": data[1:4].hex(), "order": [c for c, _ in found],
            "options": {str(c): v.hex() for c, v in found}}
