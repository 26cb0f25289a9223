#!/usr/bin/env python3
"""An origin for pull-through that fails on demand, and wants whatever login is asked for.

usage: origin_server.py ADDRESS PORT DIR

Gives DIR/files/PATH.  What it does stands in DIR/mode, so that it can change while it runs:

    answer | short N | short-plain N | more | flip | chunked | chunked-short N | endless | status N | stall N | pace N |
    gzip | no-store | plain-etag | basic | ntlm | ntlm-short N |
    negotiate | html | redirect URL (with the path behind it) | drip N

Behind them words for what it does about a Range: `norange` (it does not know it), `norange-tag` (no ETag in
206), `noifrange` (it does not look whether the file is the same). Else it does as the RFC says.

Each request becomes a line of JSON in DIR/requests: {"method", "path", "headers", "mode", "port"}.
"""

import base64
import email.utils
import hashlib
import http.server
import json
import os
import struct
import sys
import threading
import time

LOCK = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    """Does what DIR/mode says."""

    protocol_version = "HTTP/1.1"
    timeout = 60
    folder = "."

    def setup(self):
        self.challenged = False  # NTLM proves a connection, not a request
        self.proved = False
        super().setup()

    def log_message(self, *args):  # pylint: disable=arguments-differ
        pass

    def refuse(self, status, **fields):
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", "6")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"sorry\n")

    def log_in(self, mode):
        """True if the client has shown who it is."""
        said = self.headers.get("Authorization") or ""
        if mode == "basic":
            if said == "Basic " + base64.b64encode(b"anne:pass word").decode():
                return True
            self.refuse(401, WWW_Authenticate='Basic realm="origin"')
            return False
        if mode == "negotiate":
            if said.startswith("Negotiate "):
                return True
            self.refuse(401, WWW_Authenticate="Negotiate")
            return False
        if self.proved:
            return True
        message = base64.b64decode(said[5:]) if said.startswith("NTLM ") else b""
        kind = struct.unpack_from("<I", message, 8)[0] if message.startswith(b"NTLMSSP\0") else 0
        if kind == 1:  # NEGOTIATE: a CHALLENGE answers it ([MS-NLMP] 2.2.1.2)
            self.challenged = True
            challenge = b"NTLMSSP\0" + struct.pack("<IHHIIQQHHI", 2, 0, 0, 48, 0x00088207, 0x1122334455667788,
                                                   0, 0, 0, 48)
            self.refuse(401, WWW_Authenticate="NTLM " + base64.b64encode(challenge).decode())
            return False
        if kind == 3 and self.challenged:  # AUTHENTICATE, with the account in it
            lengths = struct.unpack_from("<HHIHHI", message, 28)
            domain = message[lengths[2]:lengths[2] + lengths[0]]
            user = message[lengths[5]:lengths[5] + lengths[3]]
            self.proved = (domain.replace(b"\0", b""), user.replace(b"\0", b"")) == (b"CORP", b"anne")
            if self.proved:
                return True
        self.refuse(401, WWW_Authenticate="NTLM")
        return False

    def pour(self, data, rate):
        piece = max(1024, rate // 20)
        for at in range(0, len(data), piece):
            self.wfile.write(data[at:at + piece])
            self.wfile.flush()
            time.sleep(len(data[at:at + piece]) / rate)

    def chunk(self, data):
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def send_body(self, mode, number, data):
        if mode in ("short", "short-plain", "ntlm-short"):
            self.wfile.write(data[:number])
            self.close_connection = True
        elif mode == "stall":
            self.wfile.write(data[:number])
            self.wfile.flush()
            time.sleep(30)
        elif mode == "drip":
            for i in range(number):
                self.wfile.write(data[i:i + 1])
                self.wfile.flush()
                time.sleep(1)
        elif mode == "pace":
            self.pour(data, number)
        elif mode in ("chunked", "chunked-short"):
            self.chunk(data[:number or len(data)])
            if mode == "chunked":
                self.wfile.write(b"0\r\n\r\n")
            self.close_connection = True
        else:
            self.wfile.write(data)

    def part(self, words, data, version):
        """Where a Range begins that is to be given; None: the whole is."""
        said, same = self.headers.get("Range"), self.headers.get("If-Range")
        if not said or "norange" in words or (same != version and "noifrange" not in words):
            return None
        first = int(said.removeprefix("bytes=").removesuffix("-"))
        return first if first < len(data) else None

    def serve(self):
        with open(os.path.join(self.folder, "mode"), encoding="ascii") as f:
            words = f.read().split()
        mode, number = words[0], int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
        with LOCK, open(os.path.join(self.folder, "requests"), "a", encoding="utf-8") as f:
            f.write(json.dumps({"method": self.command, "path": self.path, "mode": mode,
                                "port": self.client_address[1], "headers": dict(self.headers)}) + "\n")
        if mode in ("basic", "ntlm", "ntlm-short", "negotiate") and not self.log_in(mode):
            return
        if mode == "status":
            self.refuse(number)
            return
        if mode == "redirect":
            self.refuse(302, Location=words[1] + self.path)
            return
        try:
            with open(self.folder + "/files" + self.path, "rb") as f:
                data = f.read()
                changed = os.fstat(f.fileno()).st_mtime
        except OSError:
            self.refuse(404)
            return
        etag = f'"{hashlib.sha256(data).hexdigest()[:20]}"'
        if mode in ("plain-etag", "short-plain"):
            etag = ""
        if etag and self.headers.get("If-None-Match") == etag:
            self.send_response(304)
            self.end_headers()
            return
        if mode == "flip":
            data = data[:-1] + bytes([data[-1] ^ 1])
        modified = email.utils.formatdate(changed, usegmt=True)
        part = self.part(words, data, etag or modified)
        self.send_response(200 if part is None else 206)
        if part is not None:
            self.send_header("Content-Range", f"bytes {part}-{len(data) - 1}/{len(data)}")
            data = data[part:]
            if "norange-tag" in words:
                etag = ""
        if etag:
            self.send_header("ETag", etag)
        self.send_header("Last-Modified", modified)
        if mode == "html":
            self.send_header("Content-Type", "text/html; charset=utf-8")
        if mode == "gzip":
            self.send_header("Content-Encoding", "gzip")
        if mode == "no-store":
            self.send_header("Cache-Control", "private, no-store")
        if mode in ("chunked", "chunked-short"):
            self.send_header("Transfer-Encoding", "chunked")
        elif mode == "endless":
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(data) + (7 if mode == "more" else 0)))
        self.end_headers()
        if self.command != "HEAD":
            self.send_body(mode, number, data + (b"and more" [:7] if mode == "more" else b""))

    def handle(self):
        try:
            super().handle()
        except OSError:  # the client went away
            pass

    do_GET = do_HEAD = serve


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024


def main():
    Handler.folder = sys.argv[3]
    server = Server((sys.argv[1], int(sys.argv[2])), Handler)
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
