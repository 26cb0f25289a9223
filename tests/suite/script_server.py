#!/usr/bin/env python3
"""A web server that plays httpsbootd with scripts that are there already.

usage: script_server.py PLAN LOG

PLAN is JSON: "address", "port", "scripts" and "files" (folders), "answers": what each boot request
gets, by its parameter "entry" ("" for none), the last one again and again, and "missing": how often
a file is not found at first.  An answer is the name of a script, or a status such as 503.  LOG gets
a line of JSON a request.
"""

import http.server
import json
import os
import re
import sys
import urllib.parse

with open(sys.argv[1], encoding="utf-8") as plan_file:
    PLAN = json.load(plan_file)
LOG = sys.argv[2]
COUNTS = {}


def count(what):
    COUNTS[what] = COUNTS.get(what, 0) + 1
    return COUNTS[what]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):  # pylint: disable=arguments-differ
        pass

    def note(self, **what):
        with open(LOG, "a", encoding="utf-8") as f:
            f.write(json.dumps({"method": self.command, "path": self.path, **what}) + "\n")

    def send(self, status, data=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def boot(self, query):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        form = dict(urllib.parse.parse_qsl(body or query, keep_blank_values=True))
        entry = form.get("entry", "")
        answers = PLAN["answers"].get(entry, [404])
        answer = answers[min(count(f"boot {entry}"), len(answers)) - 1]
        self.note(form=form, answer=answer)
        if isinstance(answer, int):
            self.send(answer)
            return
        with open(f"{PLAN['scripts']}/{answer}.ipxe", "rb") as f:
            self.send(200, f.read())

    def file(self, path):
        name = os.path.normpath("/" + path)[1:]
        missing = count(f"file {name}") <= PLAN.get("missing", {}).get(name, 0)
        self.note(file=name, missing=missing)
        try:
            with open(f"{PLAN['files']}/{name}", "rb") as f:
                data = f.read()
        except OSError:
            missing = True
        if missing:
            self.send(404)
            return
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
        if span is None:
            self.send(200, data, [("Accept-Ranges", "bytes")])
            return
        first, last = int(span[1]), min(int(span[2]), len(data) - 1)
        self.send(206, data[first:last + 1],
                  [("Content-Range", f"bytes {first}-{last}/{len(data)}")])

    def do_GET(self):  # pylint: disable=invalid-name
        path, _, query = self.path.partition("?")
        if path == "/2PXE/boot":
            self.boot(query)
        elif path.startswith("/2PXE/file/"):
            self.file(path[len("/2PXE/file/"):])
        elif path.startswith("/2PXE/report/"):
            self.note(report=path[len("/2PXE/report/"):], form=dict(urllib.parse.parse_qsl(query)))
            self.send(200, b"#!ipxe\n")
        else:
            self.note()
            self.send(404)

    do_HEAD = do_POST = do_GET


server = http.server.ThreadingHTTPServer((PLAN["address"], PLAN["port"]), Handler)
print("listening", flush=True)
server.serve_forever()
