"""HTTP clients that look at every octet; run in a client's namespace by inside.py."""

import hashlib
import socket
import ssl
import time


def connect(address, version, receive=0):
    """A connection; `version` "1.2" or "1.3" of TLS, "" for plain HTTP.  `receive`: its buffer."""
    raw = socket.socket()
    if receive:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    raw.settimeout(20)
    raw.connect((address, 8050 if version else 8060))
    if not version:
        return raw
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # Debian's Python would take an end without TLS's notice for a regular one
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    context.minimum_version = context.maximum_version = {
        "1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[version]
    return context.wrap_socket(raw, suppress_ragged_eofs=False)


def head(f):
    """Status and fields of the next answer; None at the end."""
    line = f.readline()
    if not line:
        return None, {}
    fields = {}
    for field in iter(f.readline, b"\r\n"):
        name, _, value = field.decode().partition(":")
        if name.lower() in fields:
            raise ValueError(f"twice: {name}")
        fields[name.lower()] = value.strip()
    return int(line.split()[1]), fields


def request(method, path, fields=(), version="1.1"):
    lines = [f"{method} {path} HTTP/{version}", "Host: boot.example", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answers(address, version, requests, pipelined=False):
    """
    The answers to [method, path, [field, ...]] over one connection, one after the other or all sent
    at once: status, promised length, length and digest of the body; and what came behind the last.
    """
    out = []
    with connect(address, version) as s, s.makefile("rb") as f:
        if pipelined:
            s.sendall(b"".join(request(*r) for r in requests))
        for r in requests:
            if not pipelined:
                s.sendall(request(*r))
            status, fields = head(f)
            promised = int(fields["content-length"])
            body = b"" if r[0] == "HEAD" else f.read(promised)
            out.append([status, promised, len(body), hashlib.sha256(body).hexdigest()])
        s.settimeout(0.3)
        try:
            behind = len(f.read(1))
        except OSError:
            behind = 0
    return {"answers": out, "behind": behind}


def whole(address, version, path, http="1.0", fields=()):
    """An answer behind which the server closes: everything up to there."""
    with connect(address, version) as s, s.makefile("rb") as f:
        s.sendall(request("GET", path, fields, http))
        status, got = head(f)
        body = f.read()
    return {"status": status, "promised": int(got["content-length"]), "got": len(body),
            "connection": got.get("connection", ""), "sha": hashlib.sha256(body).hexdigest()}


def ask_for(s, path):
    """Asks, and reads no further than the head; the length that it promises."""
    s.sendall(request("GET", path))
    fields = b""
    while not fields.endswith(b"\r\n\r\n"):
        fields += s.recv(1)
    return int(fields.lower().split(b"content-length: ")[1].split()[0])


def part_way(address, version, path, leave_at, wait=0.0, ready=""):
    """Leaves after so many octets, or waits there for a while and reads on; what came in all."""
    digest = hashlib.sha256()
    got = 0
    error = ""
    with connect(address, version, receive=65536) as s, s.makefile("rb", buffering=0) as f:
        promised = ask_for(s, path)
        try:
            while got < promised:
                data = f.read(min(16384, promised - got))
                if not data:
                    break
                digest.update(data)
                before, got = got, got + len(data)
                if before < leave_at <= got:
                    if ready:
                        with open(ready, "w", encoding="ascii"):
                            pass
                    if not wait:
                        break
                    time.sleep(wait)
        except OSError as e:
            error = str(e)
    return {"promised": promised, "got": got, "sha": digest.hexdigest(), "error": error}


def sipping(address, version, path, rate, seconds):
    """Takes so many octets a second for so long, then the rest at once."""
    digest = hashlib.sha256()
    got = 0
    with connect(address, version, receive=16384) as s, s.makefile("rb", buffering=0) as f:
        promised = ask_for(s, path)
        begin = time.monotonic()
        try:
            while got < promised:
                data = f.read(min(16384, promised - got))
                if not data:
                    break
                digest.update(data)
                got += len(data)
                now = time.monotonic() - begin
                if now < seconds:
                    time.sleep(max(0.0, got / rate - now))
        except OSError as e:
            return {"got": got, "error": str(e), "seconds": time.monotonic() - begin}
    return {"got": got, "sha": digest.hexdigest()}


def resting(address, version, path, count, seconds):
    """
    Connections that ask, rest, ask in two parts with a rest between them, send a form in chunks, and
    ask again after another rest: all statuses, in that order, for each connection.
    """
    get = request("GET", path)
    half = len(get) // 2
    chunked = request("POST", "/2PXE/boot", ["Content-Type: application/x-www-form-urlencoded",
                                             "Transfer-Encoding: chunked"])
    form = b"mac=52:54:00:12:34:56"
    steps = [get, None, get[:half], None, get[half:], chunked + b"%x\r\n%s\r\n0\r\n\r\n" % (len(form), form), None, get]
    sockets = [connect(address, version) for _ in range(count)]
    files = [s.makefile("rb") for s in sockets]
    out = [[] for _ in sockets]
    for step in steps:
        if step is None:
            time.sleep(seconds)
            continue
        for s, f, got in zip(sockets, files, out):
            s.sendall(step)
            if step != get[:half]:
                status, fields = head(f)
                f.read(int(fields["content-length"]))
                got.append(status)
    for s in sockets:
        s.close()
    return out
