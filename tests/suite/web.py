"""HTTP as bytes, for tests that look at what no ordinary client shows; run in a namespace by inside.py."""

import hashlib
import os
import socket
import ssl
import threading
import time


def connect(address, port, seconds=10):
    """A connection, with TLS where the port is httpsbootd's own."""
    s = socket.create_connection((address, port), timeout=seconds)
    if port != 8050:
        return s
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(s)


def read_answer(f, is_head):
    """One answer: version, status, header fields in their order, and what the body was."""
    interim = []
    while True:
        line = f.readline().decode("latin-1").split(None, 2)
        if not line:
            return None
        fields = []
        for raw in iter(f.readline, b"\r\n"):
            if not raw:
                return None
            name, _, value = raw.decode("latin-1").partition(":")
            fields.append([name.lower(), value.strip()])
        if line[1] != "100":
            break
        interim.append(line[1])
    length = [int(v) for k, v in fields if k == "content-length"]
    body = b"" if is_head or line[1] in ("204", "304") or not length else f.read(length[0])
    return {"version": line[0], "status": int(line[1]), "fields": fields, "interim": interim,
            "length": length, "body": body[:4096].decode("latin-1"), "bytes": len(body),
            "sha": hashlib.sha256(body).hexdigest()}


def honest(address, form, clients, seconds, end="", pause=0.25):
    """
    So many clients ask for their script again and again, each time over a new connection with TLS, for so
    many seconds or until there is a file called `end`: the times in ms, and what went wrong.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # once: the system's CAs would take most of the time
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    times, wrong = [], []
    over = time.monotonic() + seconds

    def one(n):
        body = f"mac=52:54:00:00:00:{n:02x}&{form}"
        time.sleep(pause * n / clients)
        while time.monotonic() < over and not (end and os.path.exists(end)):
            began = time.monotonic()
            try:
                with context.wrap_socket(socket.create_connection((address, 8050), timeout=10)) as s:
                    s.sendall((f"POST /2PXE/boot HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded"
                               f"\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode())
                    answer = read_answer(s.makefile("rb"), False)
                if not answer or answer["status"] != 200 or not answer["body"].startswith("#!ipxe"):
                    wrong.append(str(answer)[:200])
            except OSError as e:
                wrong.append(repr(e))
            times.append((time.monotonic() - began) * 1000)
            time.sleep(pause)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(clients)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return {"times": sorted(times), "wrong": wrong}


def exchanges(address, port, requests):
    """
    Sends requests (text as it stands) over one connection, each when the one before was answered.
    The answers; the last one is null if the server has closed.
    """
    answers = []
    with connect(address, port) as s:
        f = s.makefile("rb")
        for text in requests:
            try:
                s.sendall(text.encode("latin-1"))
                answers.append(read_answer(f, text.startswith("HEAD ")))
            except (OSError, ValueError):
                answers.append(None)
            if answers[-1] is None:
                break
    return answers


def each(address, port, requests, pad=0, rest=0.1):
    """
    Sends requests over a connection each, with so many letters in place of PAD. The answers, with "closed": the
    server closed behind it within `rest` seconds, and "more": what it sent behind it.
    """
    answers = []
    for text in requests:
        data = text.replace("PAD", "a" * pad).encode("latin-1")
        with connect(address, port) as s:
            f = s.makefile("rb")
            try:
                s.sendall(data)
                answer = read_answer(f, data.startswith(b"HEAD "))
            except OSError as e:
                answer = {"error": str(e)}
            if answer is not None:
                s.settimeout(rest)
                answer["closed"], answer["more"] = True, ""
                try:
                    while chunk := f.read1(65536):
                        answer["more"] += chunk.decode("latin-1")
                except TimeoutError:
                    answer["closed"] = False
                except OSError as e:
                    answer["more"] += str(e)
        answers.append(answer)
    return answers


def ask_first(address, port, head, body):
    """Sends a head, waits for what is said to it, then the body: the interim answer and the final one."""
    with connect(address, port, 5) as s:
        f = s.makefile("rb")
        s.sendall(head.encode("latin-1"))
        interim = [f.readline().decode("latin-1"), f.readline().decode("latin-1")]
        s.sendall(body.encode("latin-1"))
        return {"interim": interim, "answer": read_answer(f, False)}


def talk(address, port, pieces, seconds=5):
    """
    Sends pieces (hexadecimal) and reads until the other side closes, or so many seconds pass. What came,
    as text, and whether it was closed.
    """
    got, closed = b"", False
    try:
        with connect(address, port) as s:
            for piece in pieces:
                s.sendall(bytes.fromhex(piece))
            end = time.monotonic() + seconds
            while time.monotonic() < end and len(got) < 1 << 20:
                s.settimeout(max(0.01, end - time.monotonic()))
                chunk = s.recv(65536)
                if not chunk:
                    closed = True
                    break
                got += chunk
    except TimeoutError:
        pass
    except OSError:
        closed = True
    return {"got": got.decode("latin-1"), "closed": closed}


def trickle(address, port, begin, piece, pause, seconds):
    """Sends `begin`, then `piece` after each pause; the seconds after which the other side had enough."""
    began = time.monotonic()
    try:
        with connect(address, port) as s:
            s.sendall(begin.encode("latin-1"))
            s.settimeout(pause)
            while time.monotonic() - began < seconds:
                try:
                    if not s.recv(65536):
                        return time.monotonic() - began
                except TimeoutError:
                    s.sendall(piece.encode("latin-1"))
    except OSError:
        return time.monotonic() - began
    return None


def sip(address, port, path, size, pause, seconds):
    """Asks for a file and takes a little of it after each pause; when the other side had enough, or null."""
    began = time.monotonic()
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.settimeout(10)
    raw.connect((address, port))
    if port == 8050:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        raw = context.wrap_socket(raw)
    try:
        with raw as s:
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            while time.monotonic() - began < seconds:
                # what has come already is still to be read when the connection is gone
                state = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
                if state != 1 or not s.recv(size):
                    return time.monotonic() - began
                time.sleep(pause)
    except OSError:
        return time.monotonic() - began
    return None


def hold(address, port, count, source, seconds):
    """Opens connections from an address and keeps them; how many of them were closed by the other side."""
    import select
    opened = []
    for _ in range(count):
        opened.append(socket.create_connection((address, port), timeout=5, source_address=(source, 0)))
        time.sleep(0.01)
    time.sleep(seconds)
    closed = 0
    for s in opened:
        if select.select([s], [], [], 0)[0]:
            closed += 1
        s.close()
    return closed


def throw(address, port, count, seed):
    """
    Throws malformed requests at a server, each on a connection of its own, and hangs up. How the answers
    began, by number, and what of the system stood in any.
    """
    import concurrent.futures
    import malformed

    def one(data):
        got = b""
        try:
            with connect(address, port, 5) as s:
                s.sendall(data)
                s.settimeout(0.2)
                while len(got) < 1 << 20:
                    chunk = s.recv(65536)
                    if not chunk:
                        break
                    got += chunk
        except OSError:
            pass
        if b"root:" in got:
            return "leak"
        return got[9:12].decode("latin-1") if got.startswith(b"HTTP/1.") else "none" if not got else "other"
    seen = {}
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for status in pool.map(one, malformed.all_of_it(count, seed)):
            seen[status] = seen.get(status, 0) + 1
    return seen
