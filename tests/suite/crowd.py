"""Many HTTP clients at once that want the same file; run in a client's namespace by inside.py."""

import selectors
import socket
import ssl
import time


class One:
    """A client: how far it is, and whether all was right so far."""

    def __init__(self, address, port, path, secure):
        self.head = b""
        self.status = self.promised = None
        self.got = 0
        self.right = True
        self.ended = ""
        self.sock = socket.socket()
        self.sock.settimeout(30)
        # hundreds of clients in one kernel: else their buffers use up what it has for all of TCP
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 256 * 1024)
        self.sock.connect((address, port))
        if secure:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self.sock = context.wrap_socket(self.sock, suppress_ragged_eofs=False)
        self.sock.sendall(f"GET {path} HTTP/1.1\r\nHost: boot.example\r\n\r\n".encode())
        self.sock.setblocking(False)

    def take(self, data, reference):
        if self.status is None:
            self.head += data
            end = self.head.find(b"\r\n\r\n")
            if end < 0:
                return
            lines = self.head[:end].decode("latin-1").split("\r\n")
            self.status = int(lines[0].split()[1])
            fields = dict((k.lower(), v.strip()) for k, _, v in (x.partition(":") for x in lines[1:]))
            self.promised = int(fields["content-length"])
            data = self.head[end + 4:]
        if self.status == 200:
            self.right = self.right and reference[self.got:self.got + len(data)] == data
        self.got += len(data)

    def read(self, reference):
        """True when it is over."""
        try:
            for _ in range(8):
                data = self.sock.recv(262144)
                if not data:
                    self.ended = "closed"
                    return True
                self.take(data, reference)
                if self.status is not None and self.got >= self.promised:
                    self.ended = "whole"
                    return True
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError as e:
            self.ended = type(e).__name__
            return True
        return False


def fetch(address, path, file, clients, secure=0, late=0, seconds=60, ready=""):
    """
    `clients` of them, the first `secure` by HTTPS; the last `late` come when the first one has begun to
    get something.  How many ended in which way: "200 whole right", "200 closed right", "503 whole", ...
    `ready`: a file that is made when all have asked.
    """
    with open(file, "rb") as f:
        reference = f.read()
    end = time.monotonic() + seconds
    poll = selectors.DefaultSelector()
    counts, all_of_them, waiting = {}, [], clients
    while (waiting or poll.get_map()) and time.monotonic() < end:
        for _ in range(16):  # who has begun goes on meanwhile
            if waiting <= late and not (waiting and any(c.got > 0 for c in all_of_them)):
                break
            tls = clients - waiting < secure
            one = One(address, 8050 if tls else 8060, path, tls)
            all_of_them.append(one)
            poll.register(one.sock, selectors.EVENT_READ, one)
            waiting -= 1
            if waiting == late and ready:
                with open(ready, "wb"):
                    pass
        for key, _ in poll.select(0 if waiting > late else 0.5):
            if key.data.read(reference):
                poll.unregister(key.fileobj)
                key.fileobj.close()
    for c in all_of_them:
        words = f"{c.status} {c.ended or 'stuck'}" + (
            (" right" if c.right else " wrong") if c.status == 200 else "")
        counts[words] = counts.get(words, 0) + 1
    return {"ends": counts, "bytes": sum(c.got for c in all_of_them),
            "most_short": max((c.got for c in all_of_them if c.ended != "whole"), default=0)}
