"""Requests that are not as RFC 9112 has them, and odd ones that are: httpsbootd's own gate, not the engine, answers."""

import os
import time

from lab import Lab, SERVER, check, network, read, wait_until
from test_http import start
from test_tftp import put
from test_web import ask, counters, field, in_parallel, web

FORM = "mac=52-54-00-12-34-56"
TYPED = "Content-Type: application/x-www-form-urlencoded"


def head(target, *fields, method="GET", version="HTTP/1.1"):
    return "\r\n".join([f"{method} {target} {version}", *fields, "", ""])


# what is refused: how it looks for a target, the status, a word of the answer, the reason in the log
REFUSED = (
    (lambda t: ask("POST", t, "Content-Length: 5\0", body="aaaaa"), 400, "control character", "field-value"),
    (lambda t: ask("POST", t, "Content-Length: \0", body="aaaaa"), 400, "control character", "field-value"),
    (lambda t: ask("POST", t, "Content-Length: 1\x000", body="aaaaa"), 400, "control character", "field-value"),
    (lambda t: ask("POST", t, "Content-Length: 5x", body="aaaaa"), 400, "no number", "content-length"),
    (lambda t: ask("POST", t, "Content-Length: +5", body="aaaaa"), 400, "no number", "content-length"),
    (lambda t: ask("POST", t, "Content-Length: 5, 5", body="aaaaa"), 400, "no number", "content-length"),
    (lambda t: ask("POST", t, "Content-Length: " + "9" * 60, body="aaaaa"), 400, "no number", "content-length"),
    (lambda t: ask("POST", t, *["Content-Length: 5"] * 2, body="aaaaa"), 400, "two lengths", "two-lengths"),
    (lambda t: ask("POST", t, "Transfer-Encoding: gzip, chunked", body="0\r\n"), 400, "coding", "transfer-coding"),
    (lambda t: head(t, "Accept: */*"), 400, "without a Host", "no-host"),
    (lambda t: head(t, "Host: a", "Host: b"), 400, "two Hosts", "host"),
    (lambda t: head(t, "Host: a", "Host: a", version="HTTP/1.0"), 400, "two Hosts", "host"),
    (lambda t: head(t, "Host: a/b"), 400, "two Hosts", "host"),
    (lambda t: head(t, "Host: x", version="HTTP/2.0"), 505, "HTTP/1.1", "http-version"),
    (lambda t: head(t, "Host: x", version="HTTP/0.9"), 505, "HTTP/1.1", "http-version"),
    (lambda t: head(t, "Host: x", version="HTPT/1.1"), 400, "no request line", "request-line"),
    (lambda t: head(f"{t}?a b", "Host: x"), 400, "no request line", "request-line"),
    (lambda t: head(f"{t}?a\0b", "Host: x"), 400, "no request line", "request-line"),
    (lambda t: head(t, "Host: x", "X: a\0b"), 400, "control character", "field-value"),
    (lambda t: head(t, "Host: x", "X: a", " b"), 400, "several lines", "folded-field"),
    (lambda t: head(t, "Host: x", "X : a"), 400, "proper name", "field-name"),
    (lambda t: head(t, "Host: x", "nonsense"), 400, "proper name", "field-name"),
    (lambda t: head(t, "Host: x").replace("\r", ""), 400, "CR LF", "line-end"),
    (lambda t: ask("POST", t, "Transfer-Encoding: chunked", body="zz\r\n"), 400, "chunks", "chunk"),
    (lambda t: ask("POST", t, "Transfer-Encoding: chunked", body="3\r\na=bc\r\n0\r\n\r\n"), 400, "chunks", "chunk"),
    (lambda t: ask("POST", t, "Transfer-Encoding: chunked", body="3\na=b\n0\n\n"), 400, "chunks", "chunk"),
    (lambda t: head(f"{t}?PAD", "Host: x"), 414, "too long", "long-target"),
    (lambda t: head(t, "Host: x", "X: PAD"), 431, "too large", "large-head"),
    (lambda t: head(t, "Host: x", *["X: y"] * 400), 431, "too large", "large-head"),
)


def check_text(answer, what):
    check(answer and answer.get("closed") and answer["more"] == "", f"{what}: answered, closed behind it: {answer}")
    check(field(answer, "content-type") == "text/plain" and "<" not in answer["body"], f"{what}: no page: {answer}")
    check(answer["length"] == [answer["bytes"]] and field(answer, "connection").lower() == "close",
          f"{what}: length: {answer}")


def test_refused():
    """What is no HTTP, too large, or leaves open where it ends: text, on the boot path scripts; counted, logged."""
    with Lab("refused") as lab:
        _, _, client, site = network(lab, httpsbootd={"access_log": lab.path("access")})
        put(site, "f", b"x")
        put(site, "big", bytes(3000000))
        start(site)
        hidden = ask("GET", "/2PXE/report/hidden")
        for port in (8050, 8060):
            lines = read(lab.path("access")).count("\n")
            files, boots = (web(lab, client, "each", address=SERVER, port=port, pad=60000, rest=5,
                                requests=[row[0](path) + hidden for row in REFUSED])
                            for path in ("/2PXE/file/f", "/2PXE/boot"))
            for (_, status, word, _), a, b in zip(REFUSED, files, boots):
                check_text(a, word)
                check(a["status"] == status and word in a["body"], f"{status} {word}: {a}")
                check_text(b, word)
                check(b["status"] == 200 and b["body"].startswith("#!ipxe\necho Bootferry: ") and word in b["body"] and
                      "again" not in b["body"], f"a script that says {word}: {b}")
            wait_until(lambda n=lines: read(lab.path("access")).count("\n") == n + 2 * len(REFUSED), 5, "a line each")
            logged = read(lab.path("access")).splitlines()[lines:]
            for (_, status, _, why), a, b in zip(REFUSED, logged, logged[len(REFUSED):]):
                for line, number in ((a, status), (b, 200)):
                    check(f" status={number} " in line and f" why={why}" in line, f"{why}: {line}")
                check("/2PXE/file/f" in a and "/2PXE/boot" in b, f"the target is told: {a} {b}")
        c = counters(site)
        check(c["malformed"] == 4 * len(REFUSED) and c["reports"] == 0, f"counted, and nothing was hidden: {c}")
        reasons = {"request-line": "bad_line", "http-version": "bad_version", "long-target": "long_target",
                   "large-head": "large_head", "line-end": "bad_line_end", "field-name": "bad_field_name",
                   "field-value": "bad_field_value", "folded-field": "folded_field", "content-length": "bad_length",
                   "two-lengths": "two_lengths", "transfer-coding": "bad_coding", "no-host": "no_host",
                   "host": "bad_host", "chunk": "bad_chunk"}
        for why, counter in reasons.items():
            times = 4 * sum(row[3] == why for row in REFUSED)
            check(times > 0 and c[counter] == times, f"{why}, {times} times: {c}")
        for port in (8050, 8060):
            # HEAD has no body in any case, and answers to earlier requests come first, large files too
            a, b, c = web(lab, client, "each", address=SERVER, port=port, rest=5, requests=[
                head("/2PXE/file/f", method="HEAD"),
                ask("GET", "/2PXE/file/f") +
                ask("POST", "/2PXE/boot", TYPED, f"Content-Length: {len(FORM)}", body=FORM) +
                head("/2PXE/file/f") + hidden,
                ask("GET", "/2PXE/file/big") + head("/2PXE/file/f") + hidden])
            check(a["status"] == 400 and a["length"][0] > 0 and a["more"] == "" and a["closed"], f"HEAD: {a}")
            check(b["status"] == 200 and b["body"] == "x" and b["more"].count("HTTP/1.1 200") == 1 and
                  "#!ipxe" in b["more"] and b["more"].endswith("without a Host\n"), f"in their order: {b}")
            check(c["bytes"] == 3000000 and c["more"].startswith("HTTP/1.1 400 ") and c["closed"],
                  f"behind a file: {c['more']} {c['closed']} {c['bytes']}")
            # who sends a lot that is refused sees why
            a, b = web(lab, client, "each", address=SERVER, port=port, pad=2000000, rest=5, requests=[
                head("/2PXE/boot", "Host: x", "X: PAD"),
                ask("POST", "/2PXE/file/f", TYPED, "Content-Length: 9000000", body="PAD")])
            check_text(a, "a long head")
            check(b and b.get("status") == 413 and b["closed"], f"a long form: {b}")


def test_accepted():
    """What is odd and right: blanks, old versions, absolute targets, empty lines, fields that are not for us."""
    with Lab("odd") as lab:
        _, _, client, site = network(lab)
        put(site, "f", b"x")
        start(site)
        boot = ("POST", "/2PXE/boot")
        n = f"Content-Length: {len(FORM)}"
        scripts = (
            ask(*boot, TYPED, f"{n} ", body=FORM),
            ask(*boot, TYPED, f"{n} \t ", body=FORM),
            ask(*boot, TYPED, f"Content-Length:\t {len(FORM)}", body=FORM),
            ask(*boot, TYPED, f"Content-Length:{len(FORM)}", body=FORM),
            ask(*boot, TYPED, "Transfer-Encoding: chunked \t", body=f"{len(FORM):x}\r\n{FORM}\r\n0\r\n\r\n"),
            ask(*boot, TYPED, "Transfer-Encoding: chunked",
                body=f"000{len(FORM):X} ; a=\"b\"\r\n{FORM}\r\n0\r\nX: y\r\n\r\n"),
            ask(*boot, TYPED, "Expect: 100-continue ", n, body=FORM),
            ask("GET", f"/2PXE/boot?{FORM}"),
            ask("GET", f"http://boot.example:8060/2PXE/boot?{FORM}"),
            head(f"/2PXE/boot?{FORM}", version="HTTP/1.0"),
        )
        files = (
            ask("GET", "/2PXE/file/f"), "\r\n\r\n" + ask("GET", "/2PXE/file/f"),
            head("/2PXE/file/f", version="HTTP/1.0"), head("/2PXE/file/f", "Host:"),
            ask("GET", "HTTPS://x//2pxe/FILE/f"), head("/2PXE/file/f", "Host: [fd77::1]:8050"),
            head("/2PXE/file/f", "Host: x", version="HTTP/1.2"),
            ask("GET", "/2PXE/file/f", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAA"),
            ask("GET", "/2PXE/file/f", "TE: trailers", "Connection: TE"),
            ask("GET", "/2PXE/file/f", "Cookie: " + "a;" * 5000),
            ask("GET", "/2PXE/file/f", "X:", "Y: \xff", "Range: bytes=0-0 "),
            ask("GET", "/2PXE/file/f?a=%zz"), ask("GET", "/2PXE/file/f?" + "&" * 25000),
        )
        for port in (8050, 8060):
            for text, a in zip(scripts, web(lab, client, "each", address=SERVER, port=port, requests=scripts)):
                check(a and a["status"] == 200 and "no image" in a["body"], f"{text}: {a}")
                check(a["closed"] == ("HTTP/1.0" in text) and a["more"] == "", f"the connection stays: {text}: {a}")
            for text, a in zip(files, web(lab, client, "each", address=SERVER, port=port, requests=files)):
                check(a and a["status"] in (200, 206) and a["body"] == "x" and a["length"] == [1], f"{text}: {a}")
                check(a["closed"] == ("HTTP/1.0" in text) and a["more"] == "", f"the connection stays: {text}: {a}")
            # asked first, and told to go on
            got = web(lab, client, "ask_first", address=SERVER, port=port, body=FORM,
                      head=ask(*boot, TYPED, n, "Expect: 100-Continue"))
            check(got["interim"] == ["HTTP/1.1 100 Continue\r\n", "\r\n"], f"told to go on: {got}")
            check("no image" in got["answer"]["body"], f"and answered: {got}")
        check(counters(site)["malformed"] == 0, f"{counters(site)}")


def test_room():
    """Up to the limit of a head everything is answered as it should be, beyond it 414 or 431: never by the engine."""
    with Lab("room") as lab:
        _, _, client, site = network(lab, httpsbootd={"max_head_bytes": 4096})
        put(site, "f", b"x" * 70000)
        start(site)
        kinds = ((ask("GET", "/2PXE/file/f?PAD"), 414), (ask("GET", "/2PXE/file/f", "X: PAD"), 431),
                 (ask("POST", "/2PXE/file/f?PAD", TYPED, "Content-Length: 3", body="a=b"), 414),
                 (ask("GET", "/2PXE/file/f", "Range: bytes=0-99", "Cookie: PAD", *["X: y"] * 12), 431))
        pads = (1000, 1800, 2500, *range(2880, 3000, 17), 3500, 4100)

        def answers(port):
            """To each kind with each number of letters."""
            return [(pad, text, too_large, a) for pad in pads for (text, too_large), a in
                    zip(kinds, web(lab, client, "each", address=SERVER, port=port, pad=pad, rest=0.02,
                                   requests=[k[0] for k in kinds]))]
        for got in in_parallel((answers, 8050), (answers, 8060)):
            for pad, text, too_large, a in got:
                check(a and a["status"] in (200, 206, too_large, 431), f"{pad}: {text}: {a}")
                if a["status"] > 400:
                    check(field(a, "content-type") == "text/plain" and a["length"] == [a["bytes"]], f"{pad}: {a}")
                else:
                    check(a["bytes"] in (70000, 100), f"{pad}: {a}")
            seen = {(too_large, a["status"]) for _, _, too_large, a in got}
            check({(414, 200), (414, 414), (431, 200), (431, 206), (431, 431)} <= seen, f"both sides: {seen}")


def test_head_behind():
    """A part of the next head that came together with a request is under the head's time limit."""
    with Lab("behind") as lab:
        _, _, client, site = network(lab, httpsbootd={"head_timeout_s": 2, "idle_timeout_s": 60})
        put(site, "f", b"x")
        start(site)

        def begin(port):
            return web(lab, client, "trickle", address=SERVER, port=port, piece="", pause=0.3, seconds=7,
                       begin=ask("GET", "/2PXE/file/f") + "GET /2PXE/file/f HTTP/1.1\r\nHo")
        for seconds in in_parallel((begin, 8050), (begin, 8060)):
            check(seconds is not None and 1.5 < seconds < 5, f"cut off after {seconds} s")
        check(counters(site)["slow_heads"] == 2, f"counted: {counters(site)}")


def test_methods():
    """HEAD is GET without the body on every path, errors too; other methods, expectations, ranges by RFC 9110."""
    with Lab("methods") as lab:
        _, _, client, site = network(lab, httpsbootd={
            "http_allow": ["/2PXE/boot", "/2PXE/file/boot/*", "/2PXE/report/*"]})
        put(site, "f", b"0123456789")
        put(site, "boot/f", b"0123456789")
        put(site, "boot/new", b"x")
        os.utime(f"{site.root}/boot/new", (time.time() + 9999,) * 2)
        start(site)
        for port in (8050, 8060):
            paths = ("/2PXE/boot", f"/2PXE/boot?{FORM}", "/2PXE/file/boot/f", "/2PXE/file/f", "/2PXE/file/none",
                     "/none", "/", "/2PXE/file/", "/2PXE/file/a%zz", "/2PXE/boot%zz", "/2PXE/report/x", "*", "http://x",
                     "/2PXE/file/.x")
            got = web(lab, client, "exchanges", address=SERVER, port=port,
                      requests=[ask(m, p) for p in paths for m in ("HEAD", "GET")])
            check(len(got) == 2 * len(paths) and all(got), f"all on one connection: {got}")
            for path, h, g in zip(paths, got[::2], got[1::2]):
                check(h["status"] == g["status"] and h["bytes"] == 0, f"{path}: {h} {g}")
                check([f for f in h["fields"] if f[0] not in ("date", "content-length")] ==
                      [f for f in g["fields"] if f[0] not in ("date", "content-length")], f"{path}: {h} {g}")
                check(h["length"] == g["length"] == [g["bytes"]], f"{path}: one length: {h} {g}")
                check("<" not in g["body"], f"no page: {g}")
                check(field(g, "content-type") in ("text/plain", "application/octet-stream"), f"{g}")
            got = dict(zip(paths, got[1::2]))
            want = {"/none": 404, "/": 404, "/2PXE/file/a%zz": 400, "/2PXE/boot%zz": 400, "*": 400, "http://x": 404}
            check({p: got[p]["status"] for p in want} == want, f"{got}")
            # what is no method of ours, whatever it is for
            answers = web(lab, client, "each", address=SERVER, port=port, requests=[
                ask("OPTIONS", "*"), ask("CONNECT", "x:443"), ask("TRACE", "/2PXE/boot"), ask("OPTIONS", "/none"),
                ask("PUT", "/2PXE/boot", "Content-Length: 3", body="a=b")])
            for a in answers:
                check(a["status"] == 405 and field(a, "allow") == "GET, HEAD, POST", f"a method: {a}")
                check(field(a, "content-type") == "text/plain" and a["length"] == [a["bytes"]], f"in words: {a}")
            # the future cannot have been (a wrong clock)
            a, = web(lab, client, "each", address=SERVER, port=port, requests=[ask("GET", "/2PXE/file/boot/new")])
            check(a["status"] == 200 and field(a, "etag") and not field(a, "last-modified"), f"{a}")
            # expectations
            n = f"Content-Length: {len(FORM)}"
            a, b, c = web(lab, client, "each", address=SERVER, port=port, requests=[
                ask("POST", "/2PXE/file/boot/f", TYPED, n, "Expect: 200-ok", body=FORM),
                ask("POST", "/2PXE/boot", TYPED, n, "Expect: 100-continue, x", body=FORM),
                ask("POST", "/2PXE/boot", TYPED, n, "Expect: x", version="1.0", body=FORM)])
            check(a["status"] == 417 and a["length"] == [a["bytes"]], f"what nobody knows: {a}")
            check(b["status"] == 200 and b["body"].startswith("#!ipxe\necho Bootferry: nothing but 100"), f"{b}")
            check("no image" in c["body"], f"HTTP/1.0 expects nothing: {c}")
            # ranges
            nines = "9" * 60
            ranges = ((("bytes=-0",), 416, ""), (("bytes=-3",), 206, "789"), (("bytes=-9999",), 206, None),
                      ((f"bytes=5-{nines}",), 206, "56789"), ((f"bytes={nines}-",), 416, ""),
                      ((f"bytes=-{nines}",), 206, None), (("bytes=7-2",), 200, None),
                      (("bytes=0-0", "bytes=1-1"), 200, None), (("bytes=0-0,",), 200, None),
                      (("bytes=0-0 x",), 200, None), (("bytes=10-",), 416, ""))
            got = web(lab, client, "exchanges", address=SERVER, port=port, requests=[
                ask("GET", "/2PXE/file/boot/f", *[f"Range: {r}" for r in row[0]]) for row in ranges])
            for (fields, status, body), a in zip(ranges, got):
                check(a["status"] == status and a["body"] == ("0123456789" if body is None else body), f"{fields}: {a}")
