"""DHCP packets of boot clients, for tests that need no firmware.

usage: dhcp.py FILE.pcap     writes the packets of clients that no emulator has
"""

import os
import socket
import struct
import sys

COOKIE = b"\x63\x82\x53\x63"
UUID = bytes.fromhex("0033221100554477668899aabbccddeeff")


def option(tag, value):
    return bytes([tag, len(value)]) + value


def packet(mac, kind=1, options=b"", xid=None, flags=0x8000, ciaddr="0.0.0.0", giaddr="0.0.0.0",
           secs=0):
    """
    A request with message type `kind` (0: BOOTP, without any) and these options besides.  Without a
    hardware address it comes over InfiniBand.
    """
    head = struct.pack("!BBBBIHH4s4s4s4s", 1, 1 if mac else 32, len(mac), 0,
                       xid if xid is not None else int.from_bytes(os.urandom(4), "big"), secs, flags,
                       socket.inet_aton(ciaddr), bytes(4), bytes(4), socket.inet_aton(giaddr))
    return (head + mac.ljust(16, b"\0") + bytes(64 + 128) + COOKIE +
            (option(53, bytes([kind])) if kind else b"") + options + b"\xff")


def firmware(arch=7, kind=b"PXEClient"):
    """Options of PXE or HTTP Boot firmware."""
    return (option(60, kind + b":Arch:%05d:UNDI:003000" % arch) + option(93, struct.pack("!H", arch)) +
            option(94, b"\1\3\0") + option(97, UUID))


def ipxe(arch=7, https=True):
    """Options of iPXE, with or without HTTPS."""
    features = b"\x13\1\1" + (b"\x14\1\1" if https else b"") + b"\xeb\3\2\0\0"
    return firmware(arch) + option(77, b"iPXE") + option(175, features)


def gpxe(features=True):
    """gPXE, which has no HTTPS; some builds send no option 175."""
    return firmware(0) + option(77, b"gPXE") + (option(175, b"\x13\1\1\x15\1\1") if features else b"")


def infiniband(guid=bytes.fromhex("0002c90300a1b2c3")):
    """iPXE's over InfiniBand: the client identifier stands for the hardware address (RFC 4390)."""
    return ipxe() + option(61, b"\x20" + bytes.fromhex("80000048fe80000000000000") + guid)


def rpi(model):
    """A Raspberry Pi's, which says that it is a BIOS PC."""
    serial = bytes.fromhex("d3b4a2f1")
    uuid = serial * 4 if model < 4 else b"RPi%d" % model + bytes.fromhex("c0311100") + serial * 2
    return (option(60, b"PXEClient:Arch:00000:UNDI:002001") + option(93, b"\0\0") +
            option(94, b"\1\2\1") + option(97, b"\0" + uuid))


def uboot(arch=22):
    """U-Boot's under its own name; arch 11 is its second try, as UEFI firmware."""
    vendor = b"PXEClient:Arch:00011:UNDI:003000" if arch == 11 else b"U-Boot.armv8"
    return (option(57, b"\2\x40") + option(93, struct.pack("!H", arch)) + option(94, b"\1\0\0") +
            option(60, vendor) + option(55, bytes([1, 3, 6, 12, 17])))


def windows(arch=0):
    """That of wdsnbp.com or bootmgfw.efi on port 4011, with the state of Windows' own service."""
    return (option(60, b"PXEClient") + option(93, struct.pack("!H", arch)) +
            option(250, bytes.fromhex("0c01010d020800010200070e0101050400000011ff")))


# who, its address, to which port, its type, its options
HANDMADE = (
    ("Raspberry Pi 3", "b827eb000003", 67, 1, rpi(3)),
    ("Raspberry Pi 4 of 2019", "dca632000004", 67, 1, rpi(3)),
    ("Raspberry Pi 4", "dca632000014", 67, 1, rpi(4)),
    ("its REQUEST on 4011, without option 60", "dca632000014", 4011, 3, b""),
    ("Raspberry Pi 5", "2ccf67000005", 67, 1, rpi(5)),
    ("one that says rpiboot", "020000000029", 67, 1, option(93, b"\0\x29")),
    ("the same words from a PC", "525400000003", 67, 1, rpi(3)),
    ("its running system", "dca632000014", 67, 1, option(60, b"dhcpcd-9.4.1:Linux-6.1")),
    ("U-Boot", "525400000022", 67, 1, uboot()),
    ("U-Boot as firmware", "525400000022", 67, 1, uboot(11)),
    ("U-Boot by HTTP", "525400000024", 67, 1, uboot(24)),
    ("U-Boot for x86", "525400000025", 67, 1, option(60, b"U-Boot") + option(93, b"\0\0")),
    ("iPXE on InfiniBand", "", 67, 1, infiniband()),
    ("gPXE", "525400000077", 67, 1, gpxe()),
    ("gPXE without option 175", "525400000078", 67, 1, gpxe(False)),
    ("wdsnbp.com", "525400000250", 4011, 3, windows()),
    ("bootmgfw.efi", "525400000251", 4011, 8, windows(7)),
    ("a ROM that picked an item of a menu, broadcast", "525400000071", 67, 3,
     firmware(0) + option(43, bytes.fromhex("470480000000ff"))),
    ("the same on 4011", "525400000071", 4011, 3, firmware(0) + option(43, bytes.fromhex("470480000000ff"))),
    ("ia32 firmware", "525400000006", 67, 1, firmware(6)),
    ("EBC, which is x64", "525400000009", 67, 1, firmware(9)),
    ("Itanium", "525400000002", 67, 1, firmware(2)),
    ("several architectures, an unknown one first", "525400000093", 67, 1,
     option(60, b"PXEClient") + option(93, b"\0\x63\0\x0b")),
    ("one that nobody knows", "525400000099", 67, 1, firmware(99)),
    ("BOOTP on 4011", "525400000054", 4011, 0, firmware(0)),
    ("BOOTP without an address", "525400000055", 67, 0, firmware(0)),
)


def write_pcap(path):
    """HANDMADE as a capture of raw IP packets, one a second."""
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))
        for n, (_, mac, port, kind, options) in enumerate(HANDMADE):
            to_us = port == 4011
            data = packet(bytes.fromhex(mac), kind, options, xid=0x4d00 + n,
                          ciaddr="10.77.1.50" if to_us else "0.0.0.0")
            udp = struct.pack("!HHHH", port if to_us else 68, port, 8 + len(data), 0) + data
            ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), n, 0, 64, 17, 0,
                             socket.inet_aton("10.77.1.50" if to_us else "0.0.0.0"),
                             socket.inet_aton("10.77.1.10" if to_us else "255.255.255.255")) + udp
            f.write(struct.pack("<IIII", n, 0, len(ip), len(ip)) + ip)


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


if __name__ == "__main__":
    write_pcap(sys.argv[1])
