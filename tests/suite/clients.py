"""Clients that run inside a namespace (by inside.py), without firmware."""

import concurrent.futures
import http.client
import json
import os
import random
import select
import socket
import ssl
import struct
import time
import urllib.parse

import dhcp
import dhcp6


def _sockets(device):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    if device:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    return s


def ask(options, kind=1, to="255.255.255.255", port=67, source=68, device="eth0", mac="020000000001",
        seconds=3, ciaddr="0.0.0.0", giaddr="0.0.0.0", listen=None, settle=0.05, xid=None,
        secs=0):
    """Sends one packet and returns the replies that carry its xid, with where they came from.

    It ends when none came for `settle` seconds after the last one.
    """
    s = _sockets(device)
    s.bind(("", source))
    data = dhcp.packet(bytes.fromhex(mac), kind, bytes.fromhex(options), ciaddr=ciaddr,
                       giaddr=giaddr, xid=xid, secs=secs)
    xid = struct.unpack("!I", data[4:8])[0]
    began = time.monotonic()
    s.sendto(data, (to, port))
    replies = []
    while time.monotonic() - began < seconds:
        if not select.select([s], [], [], settle if replies else 0.05)[0]:
            if replies:
                break
            continue
        reply, sender = s.recvfrom(2048)
        if reply[0] != 2 or struct.unpack("!I", reply[4:8])[0] != xid:
            continue
        r = dhcp.parse(reply)
        r["options"] = {str(k): v.hex() for k, v in r["options"].items()}
        r["chaddr"] = r["chaddr"].hex()
        r["from"] = list(sender)
        r["bytes"] = reply.hex()
        r["ms"] = (time.monotonic() - began) * 1000
        replies.append(r)
    return replies


def ask6(options="", kind=dhcp6.SOLICIT, to=dhcp6.GROUP, port=547, source=546, device="eth0", seconds=3,
         data=None, all=False):
    """Sends a DHCPv6 message, or `data` as it is, and returns the replies; without `all` the first."""
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    s.bind(("::", source))
    message = bytes.fromhex(data) if data else dhcp6.message(kind, bytes.fromhex(options))
    began = time.monotonic()
    s.sendto(message, (to, port, 0, socket.if_nametoindex(device)))
    replies = []
    while time.monotonic() - began < seconds and (all or not replies):
        if not select.select([s], [], [], 0.05)[0]:
            continue
        reply, sender = s.recvfrom(4096)
        r = dhcp6.parse(reply)
        if not data and r["xid"] != message[1:4].hex():
            continue
        r["from"] = [sender[0].split("%")[0], sender[1]]
        r["ms"] = (time.monotonic() - began) * 1000
        replies.append(r)
    return replies


def flood6(options, count, device="eth0", kind=dhcp6.SOLICIT):
    """Sends the same message so many times at once; the number of answers."""
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    s.bind(("::", 546))
    for _ in range(count):
        s.sendto(dhcp6.message(kind, bytes.fromhex(options)),
                 (dhcp6.GROUP, 547, 0, socket.if_nametoindex(device)))
    got = 0
    while select.select([s], [], [], 1)[0]:
        s.recvfrom(4096)
        got += 1
    return got


def lie6(device="eth0"):
    """Sends a datagram to port 547 whose UDP header says that there is more than there is."""
    s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_UDP)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_CHECKSUM, 6)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    s.sendto(struct.pack("!4H", 546, 547, 100, 0) + bytes(20), (dhcp6.GROUP, 0, 0, socket.if_nametoindex(device)))


def spoil6(packets, seed, samples, device="eth0"):
    """Sends good packets that are cut off, changed or both, to ports 547 and 4011."""
    rng = random.Random(seed)
    good = [bytes.fromhex(x) for x in samples]
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    s.bind(("::", 546))
    sent = 0
    for n in range(packets):
        data = bytearray(rng.choice(good))
        for _ in range(rng.randrange(0, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        if rng.random() < 0.5:
            del data[rng.randrange(len(data)):]
        s.sendto(data, (dhcp6.GROUP, rng.choice((547, 547, 4011)), 0, socket.if_nametoindex(device)))
        sent += 1
        if n % 100 == 99:
            time.sleep(0.02)
    return sent


def tftp_ask(address, name, options, device="eth0"):
    """Sends a read request and ends what it began; where the OACK came from, and its options."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(5)
    scope = (0, socket.if_nametoindex(device)) if address.startswith("fe80") else ()
    fields = [name, "octet"] + [x for pair in options.items() for x in pair]
    s.sendto(struct.pack("!H", 1) + b"".join(x.encode() + b"\0" for x in fields), (address, 69, *scope))
    data, sender = s.recvfrom(2048)
    s.sendto(struct.pack("!HH", 5, 8) + b"enough\0", sender)
    parts = data[2:].split(b"\0")[:-1]
    return {"op": data[1], "from": sender[0].split("%")[0],
            "options": {k.decode(): v.decode() for k, v in zip(parts[::2], parts[1::2])}}


def ask_until(seconds, **arguments):
    """Asks again and again; how many seconds it took until an answer came, or None."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if ask(seconds=0.2, **arguments):
            return time.monotonic() - began
    return None


def flood(address, port, packets, seed, samples, source=0):
    """Sends random and truncated packets; `samples` are good ones to spoil."""
    rng = random.Random(seed)
    good = [bytes.fromhex(x) for x in samples]
    s = _sockets(None)
    s.bind(("", source))
    for n in range(packets):
        data = bytearray(rng.choice(good))
        way = n % 4
        if way == 0:
            data = bytearray(rng.randbytes(rng.randrange(0, 1400)))
        elif way == 1:
            data = data[:rng.randrange(0, len(data) + 1)]
        elif way == 2:
            for _ in range(rng.randrange(1, 12)):
                data[rng.randrange(len(data))] = rng.randrange(256)
        else:
            at = rng.randrange(len(data))
            data[at:at] = rng.randbytes(rng.randrange(1, 300))
        try:
            s.sendto(bytes(data), (address, port))
        except OSError:
            pass
        if n % 100 == 99:
            time.sleep(0.005)
    return packets


def tftp(address, name, mode="octet", options=(), port=69, seconds=5, pause=0, stop_after=None,
         ignore_first=0, source=""):
    """Reads a file as a client of its own: returns bytes, the OACK, the sender, or the error."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((source, 0))
    s.settimeout(seconds)
    request = b"\0\1" + name.encode("latin-1") + b"\0" + mode.encode() + b"\0"
    for key, value in options:
        request += key.encode() + b"\0" + str(value).encode() + b"\0"
    s.sendto(request, (address, port))
    blksize = 512
    windowsize = 1
    oack = None
    peer = None
    data = b""
    expected = 1
    in_window = 0
    senders = set()
    while True:
        try:
            packet, sender = s.recvfrom(70000)
        except socket.timeout:
            return {"timeout": True, "bytes": len(data), "senders": sorted(senders)}
        senders.add(sender[0])
        if ignore_first > 0:
            ignore_first -= 1
            continue
        peer = peer or sender
        op = struct.unpack("!H", packet[:2])[0]
        if op == 5:
            return {"error": struct.unpack("!H", packet[2:4])[0],
                    "text": packet[4:].rstrip(b"\0").decode(), "senders": sorted(senders)}
        if op == 6:
            fields = packet[2:].split(b"\0")[:-1]
            oack = dict(zip([f.decode() for f in fields[::2]], [f.decode() for f in fields[1::2]]))
            lower = {k.lower(): v for k, v in oack.items()}
            blksize = int(lower.get("blksize", 512))
            windowsize = int(lower.get("windowsize", 1))
            if stop_after == 0:  # as edk2 does when it only asks for the size
                s.sendto(b"\0\5\0\x08User aborted\0", peer)
                return {"stopped": True, "bytes": 0}
            if expected == 1:
                s.sendto(b"\0\4\0\0", peer)
            continue
        block = struct.unpack("!H", packet[2:4])[0]
        if block != expected & 0xffff:
            s.sendto(struct.pack("!HH", 4, (expected - 1) & 0xffff), peer)
            in_window = 0
            continue
        data += packet[4:]
        expected += 1
        in_window += 1
        if stop_after is not None and expected > stop_after:
            s.sendto(b"\0\5\0\0enough\0", peer)
            return {"stopped": True, "bytes": len(data)}
        last = len(packet) - 4 < blksize
        if in_window >= windowsize or last:
            if pause:
                time.sleep(pause)
            s.sendto(struct.pack("!HH", 4, (expected - 1) & 0xffff), peer)
            in_window = 0
        if last:
            return {"bytes": len(data), "sha": _sha(data), "oack": oack,
                    "senders": sorted(senders), "port": peer[1], "text": data[:2000].decode("latin-1")}


def tftp_all(address, names, source=""):
    """Reads files one after the other, as one machine; what became of each."""
    found = []
    for name in names:
        began = time.monotonic()
        found.append(tftp(address, name, source=source))
        found[-1]["ms"] = (time.monotonic() - began) * 1000
    return found


def _sha(data):
    import hashlib
    return hashlib.sha256(data).hexdigest()


def bad_http(address, port, secure, requests, seed):
    """Sends malformed HTTP requests, each on a connection of its own."""
    rng = random.Random(seed)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    good = (b"POST /2PXE/boot HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded"
            b"\r\nContent-Length: 21\r\n\r\nmac=52:54:00:12:34:56")
    pieces = [b"GET ", b"HEAD ", b"/2PXE/boot", b"/2PXE/file/", b"../", b"%", b"%zz", b"%00", b"//",
              b" HTTP/1.1\r\n", b" HTTP/9.9\r\n", b"\r\n", b"\n", b"\0", b"Host: x\r\n",
              b"Content-Length: -1\r\n", b"Content-Length: 99999999999999999999\r\n",
              b"Transfer-Encoding: chunked\r\n\r\n", b"ffffffffffffffff\r\n", b"Range: bytes=9-1\r\n",
              b"Range: bytes=0-0,1-1\r\n", b"A" * 5000, b":", b"?mac=%", b"\xff\xfe", b"Expect: 100-continue\r\n"]
    answered = 0
    for n in range(requests):
        way = n % 3
        if way == 0:
            data = bytearray(good)
            for _ in range(rng.randrange(1, 8)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            data = bytes(data)
        elif way == 1:
            data = b"".join(rng.choice(pieces) for _ in range(rng.randrange(1, 12)))
        else:
            data = good[:rng.randrange(len(good))]
        try:
            with socket.create_connection((address, port), timeout=5) as raw:
                raw.settimeout(0.1)  # an answer takes a few ms; not all that is sent deserves one
                if secure and n % 10 != 9:  # each tenth spoils TLS itself
                    with context.wrap_socket(raw, server_hostname="boot.example") as s:
                        s.sendall(data)
                        s.shutdown(socket.SHUT_WR)
                        answered += bool(s.recv(100))
                else:
                    raw.sendall(data)
                    raw.shutdown(socket.SHUT_WR)
                    answered += bool(raw.recv(100))
        except OSError:
            pass
    return answered


def slow_download(address, port, path, seconds):
    """Reads a file over HTTPS so slowly that it takes about so many seconds; its length and digest."""
    import hashlib
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    digest = hashlib.sha256()
    with context.wrap_socket(socket.create_connection((address, port), timeout=10)) as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        f = s.makefile("rb")
        status = f.readline().split()[1].decode()
        length = 0
        for line in iter(f.readline, b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        got = 0
        began = time.monotonic()
        while got < length:
            chunk = f.read(min(65536, length - got))
            if not chunk:
                break
            digest.update(chunk)
            got += len(chunk)
            ahead = began + seconds * got / length - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
    return {"status": status, "bytes": got, "sha": digest.hexdigest()}


def posts(address, requests, port=8060, source=""):
    """POSTs bodies, each [path, hexadecimal, repeated]; the status and the body of each answer."""
    import http.client
    answers = []
    for path, body, times in requests:
        c = http.client.HTTPConnection(address, port, timeout=20, source_address=(source, 0))
        try:
            try:
                c.request("POST", path, bytes.fromhex(body) * times,
                          {"Content-Type": "application/x-www-form-urlencoded"})
            except BrokenPipeError:  # it has answered before it had read all
                pass
            r = c.getresponse()
            answers.append([r.status, r.read().decode("latin-1")])
        except OSError as e:  # closed while the body was sent
            answers.append([0, str(e)])
        c.close()
    return answers


def random_posts(address, count, seed, names, pieces, port=8060):
    """Forms of random names and values over one connection after the other; how often which status."""
    import http.client
    rng = random.Random(seed)
    seen = {}
    c = None
    for n in range(count):
        if c is None:
            c = http.client.HTTPConnection(address, port, timeout=20)
        fields = []
        for _ in range(rng.randrange(1, 12)):
            value = b"".join(rng.choice((bytes.fromhex(rng.choice(pieces)), rng.randbytes(rng.randrange(9))))
                             for _ in range(rng.randrange(1, 5)))
            if rng.randrange(3):  # as a client does; else raw
                value = b"".join(b"%%%02x" % x for x in value)
            fields.append(rng.choice(names).encode() + b"=" + value)
        path = rng.choice(("/2PXE/boot", "/2PXE/boot", "/2PXE/report/done", "/2PXE/report/a%20b%0a",
                           "/2PXE/file/images/x", "/2PXE/boot?boot=0000000%d&entry=x" % (n % 10)))
        method = "GET" if "/file/" in path else "POST"
        try:
            c.request(method, path, b"&".join(fields) if method == "POST" else None,
                      {"Content-Type": "application/x-www-form-urlencoded"})
            r = c.getresponse()
            r.read()
            seen[r.status] = seen.get(r.status, 0) + 1
            if r.will_close:
                c.close()
                c = None
        except (OSError, http.client.HTTPException):
            seen[0] = seen.get(0, 0) + 1
            c.close()
            c = None
    return seen


def _post(address, port, context, form, path, seconds):
    """One boot request by a form; what came back and how long that took."""
    began = time.monotonic()
    answer = {"status": 0, "body": "", "ms": 0}
    kind = http.client.HTTPSConnection if context else http.client.HTTPConnection
    c = kind(address, port, timeout=seconds, **({"context": context} if context else {}))
    try:
        c.request("POST", path, urllib.parse.urlencode(form),
                  {"Content-Type": "application/x-www-form-urlencoded"})
        r = c.getresponse()
        answer["status"] = r.status
        answer["body"] = r.read().decode("utf-8", "replace")
    except OSError as e:
        answer["error"] = str(e)
    finally:
        c.close()
    answer["ms"] = (time.monotonic() - began) * 1000
    return answer


def post(address, port, forms, secure=True, parallel=50, seconds=30, path="/2PXE/boot"):
    """Posts each form as a boot request, so many at a time; the answers in the forms' order."""
    context = None
    if secure:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
        return list(pool.map(lambda f: _post(address, port, context, f, path, seconds), forms))


def burst(n, options, mac="020000000001", machines=1, device="eth0"):
    """Sends n DISCOVERs as fast as it can, of so many machines in turn, and waits for nothing."""
    s = _sockets(device)
    s.bind(("", 68))
    first = int(mac, 16)
    for i in range(n):
        s.sendto(dhcp.packet((first + i % machines).to_bytes(6, "big"), 1, bytes.fromhex(options)),
                 ("255.255.255.255", 67))
    return n


def pose_as_servers(n, seed, device="eth0"):
    """Sends n OFFERs to everybody, each of another server, good ones and spoilt ones."""
    rng = random.Random(seed)
    s = _sockets(device)
    s.bind(("", 67))
    for i in range(n):
        options = dhcp.option(54, rng.randbytes(4)) + dhcp.option(60, b"PXEClient") + dhcp.option(67, b"evil\xff.efi")
        data = bytearray(dhcp.packet(rng.randbytes(6), 2, options))
        data[0] = 2
        data[16:20] = rng.randbytes(4)
        if i % 3 == 0:
            for _ in range(4):
                data[rng.randrange(1, len(data))] = rng.randrange(256)
        s.sendto(bytes(data), ("255.255.255.255", 68))
        if i % 100 == 99:
            time.sleep(0.002)
    return n


def rpc(path, method, **params):
    """Calls a method of a control socket."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall((json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}) + "\n").encode())
        return json.loads(s.makefile().readline())
