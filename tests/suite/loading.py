"""A crowd of clients, for tests of load: inside.py runs these in a namespace."""

import os
import select
import socket
import struct
import time

import dhcp


def crowd(address, name, count, seconds, end, pause=0.2):
    """
    Reads a file `count` times at once and slowly: each block is confirmed `pause` seconds after it came.  After
    so many seconds, or when there is a file called `end`: for each the blocks and the longest silence.
    """
    found = []
    sockets = {}
    request = b"\0\1" + name.encode() + b"\0octet\0"
    began = time.monotonic()
    for _ in range(count):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("", 0))
        s.sendto(request, (address, 69))
        one = {"blocks": 0, "silence": 0.0, "last": began, "error": None}
        found.append(one)
        sockets[s] = one
    due = []  # (when, socket, packet, to)
    while time.monotonic() - began < seconds and not os.path.exists(end):
        ready = select.select(list(sockets), [], [], 0.02)[0]
        now = time.monotonic()
        for s in ready:
            data, sender = s.recvfrom(70000)
            op, block = struct.unpack("!HH", data[:4])
            one = sockets[s]
            one["peer"] = sender
            if op == 5:
                one["error"] = block
                continue
            if op == 3 and block == one["blocks"] + 1:
                one["silence"] = max(one["silence"], now - one["last"])
                one["last"] = now
                one["blocks"] = block
            due.append((now + pause, s, struct.pack("!HH", 4, one["blocks"]), sender))
        for item in [x for x in due if x[0] <= now]:
            item[1].sendto(item[2], item[3])
            due.remove(item)
    for s, one in sockets.items():
        one["silence"] = max(one["silence"], time.monotonic() - one["last"])
        if "peer" in one:  # tftpd is told, and has its hands free again
            s.sendto(b"\0\5\0\0enough\0", one["peer"])
    return [{k: one[k] for k in ("blocks", "silence", "error")} for one in found]


def ask_all(macs, options, kind=1, to="255.255.255.255", port=67, source=68, seconds=3, device="eth0", ciaddr="0.0.0.0",
            secs=0, again=(), enough=True):
    """
    Each machine sends one request, all at once; those without an answer again after the seconds in `again`,
    with `secs` counted up.  For each the times, in ms, at which it was answered.  Ends when all were, if that is `enough`.
    """
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    s.bind(("", source))
    times = {mac: [] for mac in macs}
    xids = {0x5000 + n: mac for n, mac in enumerate(macs)}

    def send(n):
        for xid, mac in ((x, m) for x, m in xids.items() if not times[m]):
            s.sendto(dhcp.packet(bytes.fromhex(mac), kind, bytes.fromhex(options), ciaddr=ciaddr, xid=xid,
                                 secs=secs + n), (to, port))

    began = time.monotonic()
    send(0)
    left = list(again)
    while time.monotonic() - began < seconds and not (enough and all(times.values())):
        if left and time.monotonic() - began >= left[0]:
            left.pop(0)
            send(len(again) - len(left))
        if not select.select([s], [], [], 0.02)[0]:
            continue
        data = s.recv(2048)
        mac = xids.get(struct.unpack("!I", data[4:8])[0])
        if data[0] == 2 and mac and data[28:34].hex() == mac:
            times[mac].append((time.monotonic() - began) * 1000)
    return times
