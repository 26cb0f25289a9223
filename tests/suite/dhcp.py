"""DHCP packets of boot clients, for tests that need no firmware."""

import os
import socket
import struct

COOKIE = b"\x63\x82\x53\x63"
UUID = bytes.fromhex("0033221100554477668899aabbccddeeff")


def option(tag, value):
    return bytes([tag, len(value)]) + value


def packet(mac, kind=1, options=b"", xid=None, flags=0x8000, ciaddr="0.0.0.0", giaddr="0.0.0.0"):
    """A request with message type `kind` and these options besides."""
    head = struct.pack("!BBBBIHH4s4s4s4s", 1, 1, 6, 0,
                       xid if xid is not None else int.from_bytes(os.urandom(4), "big"), 0, flags,
                       socket.inet_aton(ciaddr), bytes(4), bytes(4), socket.inet_aton(giaddr))
    return (head + mac.ljust(16, b"\0") + bytes(64 + 128) + COOKIE + option(53, bytes([kind])) +
            options + b"\xff")


def firmware(arch=7, kind=b"PXEClient"):
    """Options of PXE or HTTP Boot firmware."""
    return (option(60, kind + b":Arch:%05d:UNDI:003000" % arch) + option(93, struct.pack("!H", arch)) +
            option(94, b"\1\3\0") + option(97, UUID))


def ipxe(arch=7, https=True):
    """Options of iPXE, with or without HTTPS."""
    features = b"\x13\1\1" + (b"\x14\1\1" if https else b"") + b"\xeb\3\2\0\0"
    return firmware(arch) + option(77, b"iPXE") + option(175, features)


def parse(data):
    """A reply's fields and options."""
    fields = struct.unpack("!BBBBIHH4s4s4s4s", data[:28])
    reply = {"op": fields[0], "xid": fields[4], "flags": fields[6],
             "ciaddr": socket.inet_ntoa(fields[7]), "yiaddr": socket.inet_ntoa(fields[8]),
             "siaddr": socket.inet_ntoa(fields[9]), "giaddr": socket.inet_ntoa(fields[10]),
             "chaddr": data[28:34], "file": data[108:236].split(b"\0")[0].decode(), "options": {},
             "order": [], "length": len(data)}
    assert data[236:240] == COOKIE
    i = 240
    while data[i] != 255:
        tag, size = data[i], data[i + 1]
        reply["options"][tag] = data[i + 2:i + 2 + size]
        reply["order"].append(tag)
        i += 2 + size
    return reply
