#!/usr/bin/env python3
"""What real clients check in a reply, as a check of recorded packets.

A capture is read without help of the daemons' own code.  Each reply that came from one of our
addresses is compared, field by field, with the request that it answers, by the kind of client that
sent it.  A field that some client minds and that is wrong is a Failure with all that is wrong.

usage: offers.py FILE.pcap ADDRESS...      prints each exchange, or what is wrong
"""

import re
import socket
import struct
import sys

from lab import Failure, check

COOKIE = b"\x63\x82\x53\x63"
DISCOVER, OFFER, REQUEST, ACK, INFORM = 1, 2, 3, 5, 8
BROADCAST = 0x8000
# what no client and no relay is known to mind; 82 is last because some relays cut off what follows
ORDER = (53, 54, 60, 97, 43, 66, 67, 175, 82)
# Raspberry Pi's own, by the registry of the IEEE
PI_OUIS = {bytes.fromhex(x) for x in ("28cdc1", "2ccf67", "b827eb", "d83add", "dca632", "e45f01")}
PI_VENDOR = bytes.fromhex("060103" "0a0400505845" "0914000011") + b"Raspberry Pi Boot" + b"\xff"
BYPASS = bytes.fromhex("060108ff")
PROMPT = bytes.fromhex("0601080a0400505845ff")
HTTP_ARCHS = {15, 16, 17, 18, 19, 20, 23, 24, 26, 28, 30, 38, 40}


class Malformed(Exception):
    """Bytes that are no DHCP packet, or one that a strict client would drop."""


class Packet:
    """A DHCP packet.  `strict`: as edk2 reads it, which drops what is not just right."""

    def __init__(self, data, strict=False):
        if len(data) < 240 or data[236:240] != COOKIE:
            raise Malformed("no DHCP packet")
        (self.op, self.htype, self.hlen, self.hops, self.xid, self.secs, self.flags, ciaddr, yiaddr,
         siaddr, giaddr, self.chaddr, self.sname, self.header_file) = struct.unpack("!BBBBIHH4s4s4s4s16s64s128s",
                                                                                    data[:236])
        self.ciaddr, self.yiaddr, self.siaddr, self.giaddr = map(socket.inet_ntoa,
                                                                 (ciaddr, yiaddr, siaddr, giaddr))
        self.length = len(data)
        self.file = self.header_file.split(b"\0")[0].decode("latin-1")
        self.options = {}
        self.order = []
        self.tail = b""
        self._read(data[240:], strict)

    def _read(self, field, strict):
        at = 0
        while at < len(field) and field[at] != 255:
            tag = field[at]
            if tag == 0:
                if strict:
                    raise Malformed("a pad between options (Raspberry Pi 4 before 2020)")
                at += 1
                continue
            if at + 1 >= len(field) or at + 2 + field[at + 1] > len(field):
                raise Malformed(f"option {tag} runs out of the packet")
            value = field[at + 2:at + 2 + field[at + 1]]
            if strict and not value:
                raise Malformed(f"option {tag} is empty")
            if strict and tag in self.options:
                raise Malformed(f"option {tag} comes twice")
            self.options.setdefault(tag, value)
            self.order.append(tag)
            at += 2 + len(value)
        if strict and at >= len(field):
            raise Malformed("no End option")
        self.tail = field[at + 1:]

    @property
    def type(self):
        return self.options.get(53, b"\0")[0]

    def number(self, tag):
        """An option of two octets, or None."""
        value = self.options.get(tag, b"")
        return struct.unpack("!H", value)[0] if len(value) == 2 else None


def sub_options(value):
    """The chain in option 43 or 175 as pairs; Malformed if it is none."""
    found = []
    at = 0
    while at < len(value) and value[at] != 255:
        if value[at] == 0:
            at += 1
            continue
        if at + 1 >= len(value) or at + 2 + value[at + 1] > len(value):
            raise Malformed(f"sub-option {value[at]} runs out of its option")
        found.append((value[at], value[at + 2:at + 2 + value[at + 1]]))
        at += 2 + value[at + 1]
    return found


def kind_of(q, boot_port=False):
    """Which client sent this request: ipxe, http, u-boot, rpi, bios, uefi, or None."""
    vendor = q.options.get(60, b"")
    user = q.options.get(77, b"")
    archs = q.options.get(93, b"")
    archs = [struct.unpack("!H", archs[i:i + 2])[0] for i in range(0, len(archs) - 1, 2)]
    digits = re.search(rb":Arch:(\d{5})", vendor)
    arch = ([a for a in archs if a <= 41] or ([int(digits[1])] if digits else []) or archs or [0])[0]
    uuid = q.options.get(97, b"")
    if 175 in q.options or user in (b"iPXE", b"gPXE", b"\4iPXE", b"\4gPXE"):
        return "ipxe"
    pi = re.match(rb"\0RPi\d", uuid) or arch == 41 or vendor.startswith(b"rpiboot") or \
        (q.hlen == 6 and q.chaddr[:3] in PI_OUIS and (vendor.startswith(b"PXEClient") or boot_port))
    if pi and arch in (0, 41):
        return "rpi"
    if vendor.startswith(b"HTTPClient"):
        return "http"
    if vendor.startswith(b"U-Boot"):
        return "u-boot"
    if vendor.startswith(b"PXEClient") or boot_port:
        return "bios" if arch == 0 else "uefi"
    return None


class Datagram:
    """A UDP datagram of a capture."""

    def __init__(self, at, source, target, payload, ethernet):
        self.at = at
        self.source = source
        self.target = target
        self.payload = payload
        self.ethernet = ethernet  # its target's hardware address, or None


def datagrams(path):
    """The UDP datagrams over IPv4 of a capture file, whole ones."""
    with open(path, "rb") as f:
        data = f.read()
    magic = data[:4]
    order = "<" if magic in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    unit = 1e9 if magic in (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d") else 1e6
    link = struct.unpack(order + "I", data[20:24])[0] & 0xffff
    at = 24
    while at + 16 <= len(data):
        seconds, fraction, kept, length = struct.unpack(order + "IIII", data[at:at + 16])
        frame = data[at + 16:at + 16 + kept]
        at += 16 + kept
        ethernet = None
        if link == 1:
            ethernet, kind, frame = frame[:6], frame[12:14], frame[14:]
            while kind in (b"\x81\x00", b"\x88\xa8"):
                kind, frame = frame[2:4], frame[4:]
        elif link == 113:
            kind, frame = frame[14:16], frame[16:]
        elif link == 276:
            kind, frame = frame[:2], frame[20:]
        else:
            kind = b"\x08\x00"
        if kind != b"\x08\x00" or len(frame) < 28 or frame[9] != 17 or \
                struct.unpack("!H", frame[6:8])[0] & 0x3fff:
            continue
        source, target = socket.inet_ntoa(frame[12:16]), socket.inet_ntoa(frame[16:20])
        udp = frame[(frame[0] & 15) * 4:]
        if len(udp) < 8:
            continue
        from_port, to_port, size = struct.unpack("!HHH", udp[:6])
        if kept < length and len(udp) < size:
            continue
        yield Datagram(seconds + fraction / unit, (source, from_port), (target, to_port), udp[8:size],
                       ethernet)


class Exchange:
    """A request and the reply to it that we sent."""

    added = ()  # options that a rule adds

    def __init__(self, asked, request, replied, reply):
        self.asked = asked
        self.request = request
        self.replied = replied
        self.reply = reply
        self.boot_port = asked.target[1] == 4011
        self.kind = kind_of(request, self.boot_port)
        self.wrong = []

    def __str__(self):
        return (f"{self.kind} xid={self.request.xid:08x} type {self.request.type} to port "
                f"{self.asked.target[1]}: type {self.reply.type}, file={self.reply.file!r}, "
                f"options {self.reply.order}, {self.reply.length} bytes after "
                f"{(self.replied.at - self.asked.at) * 1000:.1f} ms")

    def must(self, holds, what):
        if not holds:
            self.wrong.append(what)

    # --- what holds for every client --------------------------------------------------------

    def check_header(self):
        q, r = self.request, self.reply
        self.must(r.op == 2, f"op is {r.op}")
        self.must((r.htype, r.hlen, r.chaddr) == (q.htype, q.hlen, q.chaddr), "htype, hlen or chaddr is not copied")
        self.must(r.xid == q.xid, "another xid")
        self.must(r.hops == 0 and r.secs == 0, "hops or secs is not 0")
        # without a hardware address nobody can send to it alone
        self.must(r.flags == (BROADCAST if q.hlen == 0 else q.flags & BROADCAST), f"flags {r.flags:04x}")
        self.must(r.ciaddr == q.ciaddr and r.giaddr == q.giaddr, "ciaddr or giaddr is not copied")
        self.must(r.yiaddr == "0.0.0.0", "yiaddr is not 0: no proxy's offer")
        self.must(r.siaddr != "0.0.0.0", "siaddr is 0: iPXE refuses it")
        self.must(b"\0" in r.header_file, "the file name in the header has no end")

    def check_options(self):
        q, r = self.request, self.reply
        o = r.options
        # a rule may add some that are left to sites and vendors, between 175 and 82
        places = [ORDER.index(t) if t in ORDER else 7.5 if t in self.added else -1 for t in r.order]
        self.must(-1 not in places, f"options that no client needs: {r.order}")
        self.must(places == sorted(places), f"the order of options: {r.order}")
        if q.type:
            self.must(r.type == (OFFER if q.type == DISCOVER and not self.boot_port else ACK), f"type {r.type}")
        else:
            self.must(53 not in o, "a message type in the answer to a BOOTP request")
        self.must(o.get(54) == socket.inet_aton(self.replied.source[0]), "54 is not the address it came from")
        self.must(o.get(60) in (b"PXEClient", b"HTTPClient"), f"60 is {o.get(60)}")
        uuid = q.options.get(97, b"")
        self.must(o.get(97, b"") == (uuid if len(uuid) <= 17 else b""), "97 is not what came")
        self.must(o.get(82) == (q.options.get(82) or None), "82 is not what came")
        self.must(not any(r.tail), "something else than pads behind the End option")
        for tag in (43, 175):
            self.must(len(o.get(tag, b"")) <= (253 if tag == 43 else 255), f"{tag} is too long")

    def check_size(self):
        most = self.request.number(57)
        most = 548 if most is None or most < 576 else min(most - 28, 1472)
        self.must(300 <= self.reply.length <= most, f"{self.reply.length} bytes, it takes 300 to {most}")

    def check_way(self):
        q, came, went = self.request, self.asked, self.replied
        self.must(went.source[1] == came.target[1], f"from port {went.source[1]}")
        if came.target[0] != "255.255.255.255":
            self.must(went.source[0] == came.target[0], "from another address than was asked")
        if self.boot_port and came.source[0] != "0.0.0.0":
            self.must(went.target == came.source, f"to {went.target}, not back to {came.source}")
        elif q.giaddr != "0.0.0.0":
            self.must(went.target == (q.giaddr, 67), f"to {went.target}, not to the relay")
        elif q.ciaddr != "0.0.0.0":
            self.must(went.target == (q.ciaddr, 68), f"to {went.target}, not to the client")
        else:
            self.must(went.target == ("255.255.255.255", 68), f"to {went.target}, not a broadcast")
            self.must(went.ethernet in (None, b"\xff" * 6), "broadcast to one station")
        limit = 1.0 if self.kind == "ipxe" else 3.5
        self.must(went.at - came.at < limit, f"after {went.at - came.at:.2f} s: too late for this client")

    # --- what depends on the client -----------------------------------------------------------

    def check_vendor(self, *values):
        """Option 43 of PXE clients is one of these, or the item that was picked, or leads to the disk."""
        value = self.reply.options.get(43, b"")
        picked = dict(sub_options(self.request.options.get(43, b""))).get(71) \
            if self.request.options.get(60, b"").startswith(b"PXEClient") else None
        try:
            found = dict(sub_options(value))
        except Malformed as e:
            self.wrong.append(f"43: {e}")
            return
        self.must(not value or value[-1] == 255, "43 has no end of its own")
        local = found.get(9, b"")[:2] == b"\0\0" and found.get(10, b"")[:1] == b"\0"
        if local:
            self.must(found.get(6) == b"\3" and 8 not in found, "a menu that goes out to look for servers")
            return
        if picked is not None and len(picked) == 4:
            self.must(found.get(71) == picked, "43.71: the item that was picked does not come back")
            return
        if not self.boot_port and found.get(9, b"")[:2] == b"\x80\0":
            self.check_menu(found)
            return
        self.must(value in values, f"43 is {value.hex()}")
        self.must(self.boot_port or value or self.reply.file, "nothing to load, and nothing said about it")

    def check_menu(self, found):
        """One item, taken at once, whose one server is the sender: no discovery by broadcast or multicast."""
        self.must(found.get(6) == b"\3", "a menu that goes out to look for servers")
        self.must(found.get(10, b"")[:1] == b"\0", "a menu that waits for a person")
        self.must(found.get(8) == b"\x80\0\1" + self.reply.options.get(54, b""), "43.8 is not the sender")
        self.must(len(found[9]) == 3 + found[9][2] and found[9][2] > 0, "43.9 is not one item")

    def check_file(self):
        """The header's name goes first with every client, so 67 is only for what does not fit there."""
        o = self.reply.options
        self.must(bool(self.reply.file) != (67 in o), f"file={self.reply.file!r}, 67={o.get(67)}")
        self.must(not self.reply.file.startswith("http"), "a URL for PXE firmware: PXE-E99")

    def check_trust(self):
        value = self.reply.options.get(175, b"")
        try:
            found = dict(sub_options(value))
        except Malformed as e:
            self.wrong.append(f"175: {e}")
            return
        self.must(found.get(1) == b"\1", "175.1 is not 1: a DHCP server's own file would win in iPXE")
        self.must(len(found.get(90, b"")) % 32 == 0, "175.90 holds no SHA-256 sums")
        self.must(re.match(rb"(https?://.*)?$", found.get(93, b"")), "175.93 is no URL")

    def check_bios(self):
        self.must(self.reply.options.get(60) == b"PXEClient", "60")
        self.check_vendor(b"", BYPASS, PROMPT)
        self.check_trust()
        if self.reply.options.get(43, b"")[-1:] and 9 in dict(sub_options(self.reply.options[43])):
            return
        self.check_file()
        self.must(not self.reply.file.endswith(".efi"), "an EFI program for BIOS")

    def check_uefi(self):
        self.must(self.reply.options.get(60) == b"PXEClient", "60")
        self.check_vendor(b"", BYPASS, PROMPT)
        self.check_trust()
        if 43 in self.reply.options and 9 in dict(sub_options(self.reply.options[43])):
            return
        self.check_file()

    def check_ipxe(self):
        o = self.reply.options
        name = self.reply.file or o.get(67, b"").decode("latin-1")
        self.must(o.get(60) == b"PXEClient", "60")
        self.check_vendor(b"" if self.boot_port else BYPASS, BYPASS)
        self.check_trust()
        self.must(bool(self.reply.file) != (67 in o), "the header's file wins over 67, so only one is to be set")
        features = dict(sub_options(self.request.options.get(175, b""))) if 175 in self.request.options else None
        old = features is not None and 0x14 not in features
        if old and re.match(r"boot/.*\.(efi|k*pxe)$", name):  # an iPXE that has HTTPS, and the reason to trust us
            self.must(90 in dict(sub_options(o[175])), f"{name} would be loaded for nothing: there is no 175.90")
            return
        self.must(re.match(r"https?://[^/]+/", name), f"{name!r} is no URL")
        self.must(not re.search(r"\.(efi|k*pxe|0)$", name), f"{name} would be loaded again and again")
        if old:
            self.must(name.startswith("http://"), "HTTPS for an iPXE that has none")

    def check_http(self):
        o = self.reply.options
        url = o.get(67, b"").rstrip(b"\0").decode("latin-1")
        self.must(o.get(60) == b"HTTPClient", "60")
        self.must(43 not in o and 175 not in o, "43 or 175 for HTTP Boot")
        self.must(re.match(r"https?://\d+\.\d+\.\d+\.\d+(:\d+)?/[^/]", url),
                  f"{url!r} is no absolute URL with an address in it")
        self.must(self.reply.file == (url if len(url) < 128 else ""), "file and 67 differ")

    def check_uboot(self):
        self.must(self.reply.file != "", "no file in the header, and nothing else is read")
        if self.request.number(93) in HTTP_ARCHS:
            self.check_http()
        else:
            self.must(not self.reply.file.startswith("http"), "a URL for TFTP")

    def check_rpi(self):
        o = self.reply.options
        self.must(o.get(43) == PI_VENDOR, f"43 is {o.get(43, b'').hex()}, no \"Raspberry Pi Boot\"")
        self.must(o.get(60) == b"PXEClient", "60")
        self.must(o.get(66, b"").rstrip(b"\0").decode("latin-1") == self.reply.siaddr, "66 is not siaddr in digits")
        self.must(not re.search(r"\.(efi|k*pxe|0)$", self.reply.file), f"{self.reply.file}: for a PC")
        self.must(175 not in o and 67 not in o, "what a Pi has no use for")

    def check_all(self):
        kind = {"bios": self.check_bios, "uefi": self.check_uefi, "ipxe": self.check_ipxe,
                "http": self.check_http, "u-boot": self.check_uboot, "rpi": self.check_rpi}
        self.check_header()
        self.check_options()
        self.check_size()
        self.check_way()
        self.must(self.kind in kind, "an answer to somebody who is no boot client")
        self.must(self.kind == "rpi" or 66 not in self.reply.options, "66 for somebody who ignores it")
        if self.kind in kind:
            kind[self.kind]()


def exchanges(path, servers):
    """The replies from these addresses in a capture, each with its request."""
    asked = {}
    found = []
    for d in datagrams(path):
        if d.target[1] in (67, 4011) and d.payload[:1] == b"\1":
            try:
                q = Packet(d.payload)
            except Malformed:
                continue
            # U-Boot REQUESTs by the xid of its DISCOVER, perhaps before our offer is there
            asked[q.xid, q.chaddr, d.target[1], q.type == 1] = (d, q)
        elif d.source[1] in (67, 4011) and d.source[0] in servers and d.payload[:1] == b"\2":
            try:
                r = Packet(d.payload, strict=True)
            except Malformed as e:
                raise Failure(f"{path}: from {d.source} to {d.target}: {e}: {d.payload[240:].hex()}") from e
            if r.yiaddr != "0.0.0.0" or r.type == 6:
                continue  # of a DHCP server on the same address
            keys = [(r.xid, r.chaddr, d.source[1], discover) for discover in (r.type == 2, r.type != 2)]
            key = next((k for k in keys if k in asked), None)
            check(key, f"{path}: a reply that nobody asked for, xid {r.xid:08x}, from port {d.source[1]}")
            found.append(Exchange(*asked[key], d, r))
    return found


def check_capture(path, *servers, added=()):
    """All replies of ours in a capture; a Failure names each that some client would mind."""
    found = exchanges(path, servers)
    for x in found:
        x.added = added
        x.check_all()
    wrong = [f"{x}\n  " + "\n  ".join(x.wrong) for x in found if x.wrong]
    check(not wrong, f"{path}: " + "\n".join(wrong))
    return found


def check_kinds(path, servers, *kinds):
    """The same, and each of these kinds of client was answered."""
    found = check_capture(path, *([servers] if isinstance(servers, str) else servers))
    for kind in kinds:
        check([x for x in found if x.kind == kind], f"{path}: no answer to {kind} in {[str(x) for x in found]}")
    return found


if __name__ == "__main__":
    try:
        for exchange in check_capture(sys.argv[1], *sys.argv[2:]):
            print(exchange)
    except Failure as e:
        sys.exit(str(e))
