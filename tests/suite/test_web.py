"""httpsbootd as boot clients and attackers see it: heads, conditions, limits, logs."""

import concurrent.futures
import json
import os
import random
import time

from lab import BIN, Failure, Lab, SERVER, TOP, check, network, read, wait_until
from test_http import curl, start
from test_delivery import ask as download
from test_tftp import put

LOADER = "/2PXE/file/boot/x64/snponly.efi"


def web(lab, client, function, **arguments):
    """Runs a function of web.py in a namespace."""
    return json.loads(lab.sh(client, f"python3 {TOP}/tests/suite/inside.py web {function} "
                                     f"'{json.dumps(arguments)}'"))


def ask(method, path, *fields, version="1.1", body=""):
    head = [f"{method} {path} HTTP/{version}", "Host: boot.example", *fields, "", ""]
    return "\r\n".join(head) + body


def one(lab, client, text, port=8050):
    """The answer to one request."""
    return web(lab, client, "exchanges", address=SERVER, port=port, requests=[text])[0]


def field(answer, name):
    values = [v for k, v in answer["fields"] if k == name]
    check(len(values) < 2, f"{name} stands once: {answer['fields']}")
    return values[0] if values else None


def test_heads():
    """HEAD equals GET, lengths are exact, no field is empty, connections stay, conditions count."""
    with Lab("heads") as lab:
        _, _, client, site = network(lab)
        data = random.Random(8).randbytes(300000)
        put(site, "boot/x64/snponly.efi", data)
        put(site, "images/a/boot.wim", b"wim")
        put(site, "empty.iso", b"")
        start(site)
        for port in (8050, 8060):
            got = web(lab, client, "exchanges", address=SERVER, port=port, requests=[
                ask("HEAD", LOADER), ask("GET", LOADER), ask("GET", LOADER, "Range: bytes=5-9"),
                ask("HEAD", LOADER, "Range: bytes=5-9"), ask("GET", LOADER, "Range: bytes=0-1,4-5"),
                ask("GET", LOADER, "Range: bytes=300000-"), ask("GET", "//2pxe//boot//X64/snponly.efi"),
                ask("HEAD", "/2PXE/file/empty.iso"), ask("GET", "/2PXE/file/empty.iso"),
                ask("GET", "/2PXE/file/images/a/boot.wim"), ask("GET", "/2PXE/file/none"),
                ask("POST", "/2PXE/boot", "Content-Length: 0"), ask("GET", LOADER, version="1.0")])
            check(len(got) == 13 and all(got), f"all on one connection: {got}")
            head, whole, part, head_part, parts, beyond, folded, he, ge, wim, none, boot, old = got
            ignored = ("date",)
            check([f for f in head["fields"] if f[0] not in ignored] ==
                  [f for f in whole["fields"] if f[0] not in ignored], f"{head} {whole}")
            check(whole["status"] == 200 and whole["bytes"] == 300000, "the whole")
            check(field(whole, "content-type") == "application/efi", "the exact type")
            for answer in got:
                check(answer["length"] and answer["length"][0] >= answer["bytes"], f"a length: {answer}")
                check(all(v != "" for _, v in answer["fields"]), f"no empty field: {answer['fields']}")
                for absent in ("transfer-encoding", "content-encoding", "location"):
                    check(field(answer, absent) is None, f"no {absent}")
                check(answer is old or field(answer, "connection") != "close", "it stays")
            check(part["status"] == 206 and part["bytes"] == 5, "a part")
            check(field(part, "content-range") == "bytes 5-9/300000", "which")
            check(head_part["status"] == 200 and head_part["length"] == [300000], "HEAD has no parts")
            check(parts["status"] == 200 and parts["sha"] == whole["sha"], "several: the whole")
            check(beyond["status"] == 416 and field(beyond, "content-range") == "bytes */300000", "beyond")
            check(folded["sha"] == whole["sha"], "loaders below the boot path, slashes folded")
            check(he["length"] == ge["length"] == [0], "an empty file")
            check(field(ge, "content-type") == "application/vnd.efi-iso", "its type")
            check(field(wim, "content-type") == "application/x-ms-wim", "a WIM's type")
            check(none["status"] == 404, "what is not there")
            check(boot["status"] == 200 and boot["body"].startswith("#!ipxe\n"), "a script")
            check(old["status"] == 200 and old["sha"] == whole["sha"], "HTTP/1.0")
            # conditions
            tag, date = field(whole, "etag"), field(whole, "last-modified")
            got = web(lab, client, "exchanges", address=SERVER, port=port, requests=[
                ask("GET", LOADER, f"If-None-Match: {tag}"), ask("GET", LOADER, f"If-Modified-Since: {date}"),
                ask("GET", LOADER, "If-Match: \"old\"", "Range: bytes=9-"),
                ask("GET", LOADER, f"If-Match: {tag}", "Range: bytes=9-"),
                ask("GET", LOADER, f"If-Range: {date}", "Range: bytes=9-")])
            check([a and a["status"] for a in got] == [304, 304, 412, 206, 206], f"conditions: {got}")
            check(field(got[0], "etag") == tag and got[0]["length"] in ([], [300000]), f"{got[0]}")
        # HTTP/1.0 closes, unless it is asked not to
        got = web(lab, client, "exchanges", address=SERVER, port=8060, requests=[
            ask("HEAD", LOADER, "Connection: Keep-Alive", version="1.0"),
            ask("GET", LOADER, version="1.0"), ask("GET", LOADER)])
        check(got[0]["status"] == got[1]["status"] == 200 and got[2] is None, f"HTTP/1.0: {got}")


def test_loaders_of_2pxe():
    """The names that 2PXE's options and HTTP Boot profiles hold lead to our loaders, by HTTP and TFTP."""
    with Lab("twins") as lab:
        _, _, client, site = network(lab)
        put(site, "boot/x64/snponly.efi", b"x64")
        put(site, "boot/bios/undionly.kpxe", b"bios")
        site.ca()
        site.start("handlerd", "tftpd", "httpsbootd")
        for port in (8050, 8060):
            for path, want in (("/2PXE/boot/x64/snponly_x64.efi", "x64"), ("//2pxe/Boot/X86/undionly.kpxe", "bios"),
                               ("/2PXE/file/boot/x64/snponly_x64.efi", "x64")):
                for method in ("HEAD", "GET"):
                    answer = one(lab, client, ask(method, path), port)
                    check(answer["status"] == 200 and answer["length"] == [len(want)], f"{method} {path}: {answer}")
                check(answer["body"] == want, f"{path}: {answer}")
            check(one(lab, client, ask("GET", "/2PXE/boot/arm64/snponly_arm64.efi"), port)["status"] == 404, "none")
        got = lab.client(client, "tftp", address=SERVER, name="Boot\\x64\\snponly_x64.efi")
        check(got.get("bytes") == 3, f"by TFTP: {got}")


def test_forms():
    """Forms: the way of asking first, sizes, types; methods that are none of ours."""
    with Lab("forms") as lab:
        _, _, client, site = network(lab, httpsbootd={"max_form_bytes": 2000})
        put(site, "f", b"x")
        start(site)
        form = "mac=52-54-00-12-34-56&platform=efi"
        typed = "Content-Type: application/x-www-form-urlencoded"
        for port in (8050, 8060):
            got = web(lab, client, "ask_first", address=SERVER, port=port, body=form,
                      head=ask("POST", "/2PXE/boot", typed, f"Content-Length: {len(form)}", "Expect: 100-continue"))
            check(got["interim"] == ["HTTP/1.1 100 Continue\r\n", "\r\n"] and got["answer"]["status"] == 200,
                  f"asked first: {got}")
            # with the form behind it at once there is nothing to be told (RFC 9110 section 10.1.1)
            answer = one(lab, client, ask("POST", "/2PXE/boot", typed, f"Content-Length: {len(form)}",
                                          "Expect: 100-continue", body=form), port)
            check(answer["interim"] in ([], ["100"]) and "no image" in answer["body"], f"not waited for: {answer}")
            answer = one(lab, client, ask("POST", "/2PXE/boot", f"{typed}; charset=utf-8",
                                          "Transfer-Encoding: chunked",
                                          body=f"{len(form):x}\r\n{form}\r\n0\r\n\r\n"), port)
            check("no image" in answer["body"], f"in pieces: {answer}")
            answer = one(lab, client, ask("POST", "/2PXE/boot", typed, "Content-Length: 900000000",
                                          "Expect: 100-continue"), port)
            check(not answer["interim"] and "too large" in answer["body"], f"told at once: {answer}")
            answer = one(lab, client, ask("POST", "/2PXE/file/f", typed, "Content-Length: 100000",
                                          body="a" * 100000), port)
            check(answer["status"] == 413, f"read and refused: {answer}")
            answer = one(lab, client, ask("POST", "/2PXE/boot", "Content-Type: multipart/form-data; boundary=x",
                                          "Content-Length: 3", body="--x"), port)
            check(answer["status"] == 200 and "must be application/x-www" in answer["body"], f"{answer}")
            answer = one(lab, client, ask("POST", "/2PXE/file/f", "Content-Type: text/plain",
                                          "Content-Length: 3", body="a=b"), port)
            check(answer["status"] == 415, f"another type: {answer}")
            answer = one(lab, client, ask("POST", "/2PXE/boot", typed, "Content-Length: 3",
                                          "Transfer-Encoding: chunked", body="0\r\n\r\n"), port)
            check(answer is None or "two lengths" in answer["body"] or answer["status"] == 400, f"{answer}")
            for method in ("PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"):
                for path in ("/2PXE/file/f", "/2PXE/boot"):
                    answer = one(lab, client, ask(method, path), port)
                    check(answer["status"] == 405 and field(answer, "allow") == "GET, HEAD, POST",
                          f"{method} {path}: {answer}")
        check(counters(site)["too_large"] == 4, f"counted: {counters(site)}")


def test_framing():
    """Where a request ends is never a guess: nothing behind such a head is taken for a request."""
    with Lab("framing") as lab:
        _, _, client, site = network(lab)
        put(site, "f", b"x")
        start(site)
        hidden = ask("GET", "/2PXE/report/hidden")
        n = len(hidden)
        for fields, body, version in (
                (("Content-Length: 0", f"Content-Length: {n}"), "", "1.1"),
                ((f"Content-Length: {n}", f"Content-Length: {n}"), "", "1.1"),
                (("Content-Length: 5", "Transfer-Encoding: chunked"), "0\r\n\r\n", "1.1"),
                ((f"Content-Length : {n}",), "", "1.1"),
                (("Transfer-Encoding : chunked",), "0\r\n\r\n", "1.1"),
                (("Transfer-Encoding: xchunked",), "0\r\n\r\n", "1.1"),
                (("Transfer-Encoding: gzip, chunked",), "0\r\n\r\n", "1.1"),
                (("Transfer-Encoding: identity", "Transfer-Encoding: chunked"), "0\r\n\r\n", "1.1"),
                (("Connection: keep-alive", "Transfer-Encoding: chunked"), "0\r\n\r\n", "1.0")):
            for method in ("POST", "GET"):
                text = ask(method, "/2PXE/file/f", *fields, version=version, body=body + hidden)
                answer = one(lab, client, text, 8060)
                check(answer["status"] == 400 and field(answer, "connection").lower() == "close", f"{text}: {answer}")
            answer = one(lab, client, ask("POST", "/2PXE/boot", *fields, version=version, body=body + hidden), 8060)
            check(answer["body"].startswith("#!ipxe\necho Bootferry: ") and "again" not in answer["body"] and
                  field(answer, "connection").lower() == "close", f"{fields}: {answer}")
        check(counters(site)["reports"] == 0, f"none was hidden: {counters(site)}")
        # as many names as fit
        for names in ("a=b&" * 500, "a=b&" * 7000, "&" * 20000):
            answer = one(lab, client, ask("GET", f"/2PXE/boot?mac=52-54-00-12-34-56&{names}"), 8060)
            check(answer and answer["body"].startswith("#!ipxe\n") and "no image" in answer["body"], f"{answer}")


def test_plain_http_list():
    """http_allow: the paths that plain HTTP serves; HTTPS serves all."""
    with Lab("allow") as lab:
        _, _, client, site = network(lab, httpsbootd={"http_allow": ["/2PXE/boot/*", "*.ipxe"]})
        put(site, "boot/x64/a.efi", b"efi")
        put(site, "scripts/s.ipxe", b"#!ipxe\n")
        put(site, "images/x", b"image")
        start(site)
        for path, want in (("/2PXE/boot/x64/a.efi", 200), ("/2pxe/FILE/boot/x64/a.efi", 200),
                           ("/2PXE/file/scripts/s.ipxe", 200), ("/2PXE/file/images/x", 403),
                           ("/2PXE/file/boot/../images/x", 403), ("/2PXE/report/started", 403),
                           ("/other", 404)):
            check(one(lab, client, ask("GET", path), 8060)["status"] == want, f"HTTP {path}")
            if path.startswith("/2PXE/file/images"):
                check(one(lab, client, ask("GET", path))["status"] == 200, f"HTTPS {path}")
        answer = one(lab, client, ask("GET", "/2PXE/boot"), 8060)
        check(answer["status"] == 200 and answer["body"].startswith("#!ipxe\n") and
              "only over HTTPS" in answer["body"], f"a script that says so: {answer}")
        check(counters(site)["unlisted"] == 4, f"counted: {counters(site)}")
        site.conf["httpsbootd"]["http_allow"] = ["images/*"]
        with open(lab.path("bad.json"), "w", encoding="utf-8") as f:
            json.dump(site.conf["httpsbootd"], f)
        out = lab.sh(None, f"{BIN}/httpsbootd -n -c "
                           f"{lab.path('bad.json')} 2>&1", check_status=False)
        check("http_allow" in out and "images/*" in out, out)


def counters(site):
    return site.query("--socket", f"{site.run}/httpsbootd.sock", "status")["counters"]


def in_parallel(*calls):
    """The values of calls that run at the same time."""
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return [f.result() for f in [pool.submit(*call) for call in calls]]


def test_pace():
    """Heads, forms and answers that crawl are cut off and counted; who is fast enough is not."""
    with Lab("pace") as lab:
        _, _, client, site = network(lab, httpsbootd={"head_timeout_s": 3, "slow_timeout_s": 3, "min_rate": 2000,
                                                      "idle_timeout_s": 60})
        put(site, "big", os.urandom(1 << 20) * 8)
        start(site)
        form = "POST /2PXE/boot HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"

        def crawl(kind, port):
            if kind == "sip":
                return web(lab, client, "sip", address=SERVER, port=port, path="/2PXE/file/big", size=64,
                           pause=0.2, seconds=12)
            begin = {"head": "GET /2PXE/boot HTTP/1.1\r\n", "none": "", "form": form}[kind]
            return web(lab, client, "trickle", address=SERVER, port=port, begin=begin,
                       piece="" if kind == "none" else "X: a\r\n", pause=0.3, seconds=12)

        def steady(port):
            # 30 kB/s: slow, and fast enough
            return web(lab, client, "sip", address=SERVER, port=port, path="/2PXE/file/big", size=3000, pause=0.1,
                       seconds=8)

        def resting(port):
            return web(lab, client, "trickle", address=SERVER, port=port,
                       begin="GET /2PXE/file/none HTTP/1.1\r\nHost: x\r\n\r\n", piece="", pause=0.3, seconds=8)
        kinds = [(kind, port) for kind in ("head", "none", "form", "sip") for port in (8050, 8060)]
        def progress():
            """What is told of the steady ones meanwhile, by the way that each goes."""
            told = {}
            wait_until(lambda: told.update({t["via"]: t for t in site.query("transfers")["transfers"]
                                            if t.get("bytes_per_s")}) or len(told) == 2, 8, "progress")
            return told
        got = in_parallel(*[(crawl, kind, port) for kind, port in kinds], (steady, 8050), (steady, 8060),
                          (resting, 8050), (resting, 8060), (progress,))
        for via, t in got.pop().items():
            check(t["file"] == "big" and t["size"] == 8 << 20 and 0 < t["bytes"] < 1 << 20, f"{via}: {t}")
            check(1000 < t["bytes_per_s"] < 60000, f"{via}, some 30 kB/s: {t}")
        for (kind, port), seconds in zip(kinds, got):
            check(seconds is not None and 2 <= seconds < 9, f"{kind} on {port}: cut off after {seconds} s: {got}")
        check(got[8:] == [None] * 4, f"others are let be: {got}")
        c = counters(site)
        check((c["slow_heads"], c["slow_bodies"], c["slow_answers"]) == (4, 2, 2), f"counted: {c}")
        wait_until(lambda: "took it too slowly" in json.dumps([site.query("boots", "show", b["id"])
                                                               for b in site.boots()]) or
                   "slow-answer" in read(site.log("httpsbootd")), 5, "told")


def test_crowd():
    """Connections are limited by address and in all; idle ones make room for those that want something."""
    with Lab("crowd") as lab:
        _, _, client, site = network(lab, httpsbootd={"max_connections_per_address": 20, "max_connections": 50,
                                                      "max_requests": 3})
        put(site, "f", b"x")
        lab.sh(client, "; ".join(f"ip addr add 10.77.1.{n}/24 dev eth0" for n in range(60, 64)))
        start(site)
        closed = web(lab, client, "hold", address=SERVER, port=8050, count=30, source="10.77.1.60", seconds=1)
        check(closed == 10, f"{closed} of 30 connections of one address are turned away")
        check(counters(site)["turned_address"] == 10, f"counted: {counters(site)}")

        def other(source):
            # while 80 others would fill it
            return [curl(lab, client, site, f"--interface {source} https://{SERVER}:8050/2PXE/file/f")[0]
                    for _ in range(3)]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            held = [pool.submit(web, lab, client, "hold", address=SERVER, port=port, count=20,
                                source=f"10.77.1.{60 + i}", seconds=4) for i, port in enumerate((8050, 8060, 8050))]
            wait_until(lambda: int(lab.sh(client, "ss -Htn state established '( dport = :8050 or dport = :8060 )' "
                                                  "| wc -l")) >= 50, 5, "a full house")
            time.sleep(1.2)  # one that is younger is not put out
            check(other("10.77.1.63") == [200] * 3, "others are served")
            closed = sum(f.result() for f in held)
        check(closed >= 10, f"{closed} were put out or turned away")
        c = counters(site)
        check(c["evicted"] >= 1 and c["turned"] + c["evicted"] >= 10, f"counted: {c}")
        got = web(lab, client, "exchanges", address=SERVER, port=8050,
                  requests=[ask("GET", "/2PXE/file/f")] * 4)
        check([a and a["status"] for a in got] == [200, 200, 200, None] and field(got[2], "connection") == "close",
              f"the last request is told: {got}")
        check(c["last_requests"] + 1 == counters(site)["last_requests"], "and counted")


def test_slowhttptest():
    """While slowhttptest attacks in each of its ways, 20 clients get their scripts as ever, others small files."""
    with Lab("attack") as lab:
        _, _, client, site = network(lab, httpsbootd={"head_timeout_s": 3, "slow_timeout_s": 3,
                                                      "max_connections_per_address": 200})
        put(site, "big", os.urandom(1 << 20) * 4)
        put(site, "f", b"x")
        lab.sh(client, "ip addr add 10.77.1.60/24 dev eth0")
        attacker = lab.host("attacker", f"{lab.prefix}-net", "10.77.1.61/24")
        start(site)

        def honest(seconds):
            found = web(lab, client, "honest", address=SERVER, form="platform=efi&buildarch=x86_64", clients=20,
                        seconds=seconds)
            check(not found["wrong"] and len(found["times"]) >= 20, f"each has got its script: {found['wrong'][:3]}")
            return found["times"]

        calm, before = honest(1), counters(site)
        ways = {"headers": "-H -i 1", "body": "-B -i 1 -s 8192", "read": "-X -w 1 -y 64 -n 1 -z 8 -k 1",
                "range": "-R -a 5 -b 3000"}
        attacks = []
        for i, (way, arguments) in enumerate(ways.items()):
            url = ["https://{}:8050", "http://{}:8060"][i % 2].format(SERVER) + "/2PXE/file/big"
            attacks.append(lab.spawn(attacker, ["slowhttptest", "-c", "150", "-r", "150", "-l", "7", "-p", "1", "-u",
                                                url, *arguments.split()], f"{way}.log"))
        wait_until(lambda: counters(site)["connections"] > before["connections"] + 200, 10, "the attacks")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            scripts = pool.submit(honest, 5)
            slowest = 0
            while any(a.poll() is None for a in attacks):
                for base in (f"https://{SERVER}:8050", f"http://{SERVER}:8060"):
                    began = time.monotonic()
                    check(curl(lab, client, site, f"--interface 10.77.1.60 {base}/2PXE/file/f")[0] == 200, "served")
                    slowest = max(slowest, time.monotonic() - began)
            during = scripts.result()
        check(slowest < 2 and during[-1] < 2000, f"within {slowest:.1f} s, {during[-1]:.0f} ms")
        calm, during = calm[len(calm) // 2], during[len(during) // 2]
        check(during < max(500, 3 * calm), f"half of them within {calm:.0f} ms, then within {during:.0f} ms")
        c = counters(site)
        check(c["slow_heads"] > 0 and c["turned_address"] > 0, f"cut off: {c}")
        wait_until(lambda: counters(site)["open"] == 0, 10, "all is over")


def test_access_log():
    """Each request has its line, also in a storm and across a rotation; no secret stands in any."""
    with Lab("log") as lab:
        _, _, client, site = network(lab)
        path = f"{site.run}/access.log"
        site.conf["httpsbootd"]["access_log"] = path
        put(site, "f", b"x" * 100)
        put(site, "big", os.urandom(1 << 20) * 20)
        start(site)
        curl(lab, client, site, f"-A 'a b' 'https://{SERVER}:8050/2PXE/file/f?token=SECRET77&x=1'")
        curl(lab, client, site, f"'http://{SERVER}:8060/2PXE/boot?mac=52-54-00-12-34-56&%74oken=SECRET77'")
        download(lab, client, "part_way", version="", path="/2PXE/file/big", leave_at=100000)
        web(lab, client, "talk", address=SERVER, port=8060, seconds=1,
            pieces=[("GET / HTTP/1.1\r\nX: " + "a" * 40000 + "\r\n\r\n").encode().hex()])
        boot = site.boots()[0]["id"]
        wait_until(lambda: read(path).count("\n") >= 4, 5, "four lines")
        secure, plain, broken, large = read(path).splitlines()[:4]
        for part in (" https boot=", " client=10.77.1.50 method=GET ", "token=...&x=1", " status=200 bytes=100 ms=",
                     " file=f ", " tls=TLSv1.", " suite=", " agent=\"a b\""):
            check(part in secure, f"{part}: {secure}")
        check(f" http boot={boot} " in plain and "%74oken=..." in plain and "tls=" not in plain, plain)
        check(" of=20971520 " in broken and "end=aborted" in broken, broken)
        check(0 < int(broken.split(" bytes=")[1].split()[0]) < 20971520, f"what it took: {broken}")
        check(" status=431 " in large or " status=413 " in large, large)
        check(counters(site)["malformed"] == 1, "counted")
        os.rename(path, f"{path}.1")
        count = 1500
        web(lab, client, "exchanges", address=SERVER, port=8050, requests=[ask("GET", "/2PXE/file/f")] * (count // 2))
        site.ferryctl("--socket", f"{site.run}/httpsbootd.sock", "reload")
        web(lab, client, "exchanges", address=SERVER, port=8050, requests=[ask("GET", "/2PXE/file/f")] * (count // 2))

        def both():
            return (read(path) + read(f"{path}.1")).count(" target=/2PXE/file/f ")
        wait_until(lambda: both() == count, 5, "all lines")
        check(read(path).count("\n") >= count // 2, "the new file is written to")
        # in disguise, and what has a token's form in a place where nobody looks for one
        disguised = "AQAC" + "b" * 80
        for text in ("file/f??token=SECRET77", "file/f?x=1;token=SECRET77", "file/f?%74o%6ben%3DSECRET77",
                     "file/f?TOKEN=SECRET77", "file/token=SECRET77/f", f"file/{disguised}/f", f"file/f?{disguised}", f"file/f?x={disguised}",
                     f"report/{disguised}"):
            web(lab, client, "exchanges", address=SERVER, port=8050, requests=[ask("GET", f"/2PXE/{text}")])
        wait_until(lambda: read(path).count("AQACbbbb...") == 4, 5, "its beginning is shown")
        timelines = json.dumps([site.query("boots", "show", b["id"]) for b in site.boots()])
        files = (path, f"{path}.1", site.log("httpsbootd"), site.log("handlerd"))
        for what in (*map(read, files), timelines):
            check("SECRET77" not in what and disguised not in what, f"no secret: {what[-2000:]}")
        check(counters(site)["log_lost"] == 0 and " method=" not in read(site.log("httpsbootd")), "none lost")
        site.kill("httpsbootd")
        site.conf["httpsbootd"]["access_log"] = "/nonexistent/x.log"
        try:
            site.start("httpsbootd")
            check(False, "it does not start")
        except Failure as e:
            check("access_log: \"/nonexistent/x.log\": No such file" in str(e), f"{e}")


def test_more_addresses():
    """Several addresses of both versions: each serves, and scripts lead back to it."""
    with Lab("several") as lab:
        _, server, client, site = network(lab, httpsbootd={"more_addresses": ["10.77.1.11", "fd77::11"]})
        for ns, four, six in ((server, "11", "11"), (client, "51", "50")):
            lab.sh(ns, f"ip addr add 10.77.1.{four}/24 dev eth0; ip addr add fd77::{six}/64 dev eth0 nodad")
        lab.sh(server, "ip addr add 10.77.1.12/24 dev eth0")
        put(site, "k", b"kernel")
        put(site, "f", b"x")
        start(site)
        site.ferryctl("images", "add", "one", "--type", "linux", "--kernel", f"{site.root}/k")
        for host in (SERVER, "10.77.1.11", "[fd77::11]"):
            for scheme, port, flags in (("https", 8050, "-k"), ("http", 8060, "")):
                base = f"{scheme}://{host}:{port}"
                check(curl(lab, client, site, f"{flags} -g {base}/2PXE/file/f")[2] == b"x", base)
                text = curl(lab, client, site, f"{flags} -g '{base}/2PXE/boot?mac=52-54-00-12-34-56'")[2].decode()
                check(f"set pxeurl {base}/\n" in text, f"{base}: {text}")
        check("onnect" in lab.sh(client, "curl -sS http://10.77.1.12:8060/ 2>&1 || true"), "no other")
        site.conf["httpsbootd"]["more_addresses"] = ["10.77.1", "::"]
        with open(lab.path("bad.json"), "w", encoding="utf-8") as f:
            json.dump(site.conf["httpsbootd"], f)
        out = lab.sh(None, f"{BIN}/httpsbootd -n -c {lab.path('bad.json')} 2>&1", check_status=False)
        check("more_addresses: \"10.77.1\" is no IP address" in out and "\"::\"" in out, out)
