#!/usr/bin/env python3
"""A web service to test against: HTTP, HTTPS, and HTTPS that wants a client certificate.

usage: webservice.py DIR [ADDRESS [HTTP HTTPS MUTUAL]]

Makes certificates in DIR (ca.pem, server.pem, client.pem, stranger-ca.pem, stranger.pem), listens
on ADDRESS (127.0.0.1), at those ports or free ones, and prints "ready HTTP HTTPS MUTUAL".  On free
ports it ends when its standard input does, on given ones when it is killed.

What it does stands in files of DIR, so that tests in any language can change it while it runs:

    mode      one of: answer | status N | slow MS | hang | half | huge N | text | reset | away | here
    PATH.json what a question at that path is answered with, '/' written as '_' ("v1_boot.json")

Each request becomes a line of JSON in DIR/requests: {"ms", "connection", "method", "path",
"headers", "body"}.
"""

import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
import time


def make_certificates(folder, address):
    """A CA with a server's and a client's certificate, and a stranger's CA with a client's."""
    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def key(name):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")

    def authority(name):
        key(name)
        openssl("req", "-x509", "-new", "-key", f"{name}.key", "-subj", f"/CN={name}", "-days", "2",
                "-out", f"{name}.pem")

    def certificate(name, issuer, extensions):
        with open(os.path.join(folder, f"{name}.ext"), "w", encoding="ascii") as f:
            f.write(extensions)
        key(name)
        openssl("req", "-new", "-key", f"{name}.key", "-subj", f"/CN={name}", "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{issuer}.pem", "-CAkey",
                f"{issuer}.key", "-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext", "-out",
                f"{name}.crt")
        with open(os.path.join(folder, f"{name}.pem"), "w", encoding="ascii") as pem:
            for part in (f"{name}.crt", f"{name}.key"):
                with open(os.path.join(folder, part), encoding="ascii") as f:
                    pem.write(f.read())

    authority("ca")
    authority("stranger-ca")
    certificate("server", "ca", f"subjectAltName=IP:{address},DNS:service.example\n"
                                "extendedKeyUsage=serverAuth\n")
    certificate("client", "ca", "extendedKeyUsage=clientAuth\n")
    certificate("stranger", "stranger-ca", "extendedKeyUsage=clientAuth\n")


class Handler(http.server.BaseHTTPRequestHandler):
    """Does what DIR/mode says."""

    protocol_version = "HTTP/1.1"
    timeout = 60
    connections = 0
    lock = threading.Lock()
    folder = "."

    def setup(self):
        with Handler.lock:
            Handler.connections += 1
            self.connection_number = Handler.connections
        super().setup()

    def log_message(self, *args):  # pylint: disable=arguments-differ
        pass

    def read_file(self, name):
        try:
            with open(os.path.join(self.folder, name), encoding="utf-8") as f:
                return f.read()
        except FileNotFoundError:
            return None

    def note(self, body):
        line = json.dumps({"ms": int(time.monotonic() * 1000),
                           "connection": self.connection_number, "method": self.command,
                           "path": self.path, "headers": dict(self.headers),
                           "body": body.decode("utf-8", "replace")})
        with Handler.lock, open(os.path.join(self.folder, "requests"), "a", encoding="utf-8") as f:
            f.write(line + "\n")

    def send(self, status, body, kind="application/json", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer(self):
        path = self.path.split("?")[0].strip("/")
        text = self.read_file(path.replace("/", "_").replace(":", "-") + ".json")
        if text is None and "/report/" in self.path:
            self.send(200, b"{}")
        elif text is None:
            self.send(404, b'{"error":"no such thing"}')
        else:
            self.send(200, text.encode())

    def end(self):
        """Says that all was sent: without it curl 8 takes what has no length for cut short."""
        if isinstance(self.connection, ssl.SSLSocket):
            try:
                self.connection.settimeout(1)
                self.connection.unwrap()
            except OSError:
                pass  # the client does not say so in turn, or is gone

    def drop(self):
        self.close_connection = True
        self.connection.close()

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.note(body)
        mode = (self.read_file("mode") or "answer").split()
        what, number = mode[0], int(mode[1]) if len(mode) > 1 else 0
        if what == "status":
            self.send(number, b'{"error":"as asked for"}',
                      **({"Retry_After": "1"} if number == 503 else {}))
        elif what == "slow":
            time.sleep(number / 1000)
            self.answer()
        elif what == "hang":
            time.sleep(50)
            self.drop()
        elif what == "half":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"decision":')
            self.drop()
        elif what == "huge":
            # without a length, so that the reader has to count
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            for _ in range(number // 1024):
                self.wfile.write(b"x" * 1024)
            self.end()
            self.drop()
        elif what == "text":
            self.send(200, b"<html>welcome</html>", "text/html")
        elif what == "reset":
            self.drop()
        elif what == "away":
            self.send(307, b"", Location="http://127.0.0.2:1/elsewhere")
        elif what == "here" and not self.path.startswith("/moved"):
            self.send(307, b"", Location="/moved" + self.path)
        else:
            self.answer()

    def handle(self):
        try:
            super().handle()
        except OSError:  # the client went away, or what drop() did
            pass

    do_GET = do_POST = do_HEAD = serve


class Server(http.server.ThreadingHTTPServer):
    """Listens on a free port; the TLS handshake is done by the connection's own thread."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, address, port, context):
        self.context = context
        super().__init__((address, port), Handler)

    def finish_request(self, request, client_address):
        if self.context:
            try:
                request = self.context.wrap_socket(request, server_side=True)
            except OSError:
                return
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        pass


def start(folder, address="127.0.0.1", ports=(0, 0, 0)):
    """Serves in threads of this process; the ports of HTTP, HTTPS and HTTPS with certificates."""
    if not os.path.exists(os.path.join(folder, "server.pem")):
        make_certificates(folder, address)
    Handler.folder = folder
    tls, mutual = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for context in (tls, mutual):
        context.load_cert_chain(os.path.join(folder, "server.pem"))
    mutual.load_verify_locations(os.path.join(folder, "ca.pem"))
    mutual.verify_mode = ssl.CERT_REQUIRED
    servers = [Server(address, port, context) for port, context in zip(ports, (None, tls, mutual))]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    return [server.server_address[1] for server in servers]


def main():
    given = [int(port) for port in sys.argv[3:6]]
    ports = start(*sys.argv[1:3], *([given] if given else []))
    print("ready", *ports, flush=True)
    if given:
        threading.Event().wait()
    sys.stdin.read()


if __name__ == "__main__":
    main()
