"""How files get to clients: every octet, over TLS 1.2, 1.3 and plain HTTP, whatever happens meanwhile."""

import hashlib
import json
import os
import random
import socket
import threading

from lab import Lab, SERVER, check, network, read, wait_until
from test_tftp import put

VERSIONS = ("1.3", "1.2", "")
PATH = "/2PXE/file"


def start(lab, **options):
    _, _, client, site = network(lab, **options)
    site.ca()
    return client, site


def ask(lab, client, function, **arguments):
    return json.loads(lab.sh(client, f"python3 {os.path.dirname(os.path.abspath(__file__))}/inside.py downloads "
                                     f"{function} '{json.dumps({'address': SERVER, **arguments})}'"))


def sha(data):
    return hashlib.sha256(data).hexdigest()


def log_has(site, *words):
    wait_until(lambda: any(all(w in line for w in words) for line in read(site.log("httpsbootd")).splitlines()),
               5, f"a line of the log with {words}")


def test_content():
    """Whole files and parts of every size, HEAD, keep-alive after them, and requests sent ahead."""
    with Lab("content") as lab:
        client, site = start(lab)
        data = random.Random(1).randbytes(5000001)
        put(site, "big", data)
        put(site, "small", data[:1000])
        put(site, "empty", b"")
        for size in (65535, 65536, 65537, 262144):
            put(site, f"s{size}", data[:size])
        site.start("handlerd", "httpsbootd")

        def part(first, last):
            return ["GET", f"{PATH}/big", [f"Range: bytes={first}-{last}"]], [
                206, last - first + 1, last - first + 1, sha(data[first:last + 1])]

        cases = [
            (["GET", f"{PATH}/big"], [200, len(data), len(data), sha(data)]),
            (["GET", f"{PATH}/small"], [200, 1000, 1000, sha(data[:1000])]),
            (["HEAD", f"{PATH}/big"], [200, len(data), 0, sha(b"")]),
            (["GET", f"{PATH}/empty"], [200, 0, 0, sha(b"")]),
            *((["GET", f"{PATH}/s{n}"], [200, n, n, sha(data[:n])]) for n in (65535, 65536, 65537, 262144)),
            part(0, 0), part(1, 65536), part(1, 65537), part(7, 4999999), part(4000000, 5000000),
            (["HEAD", f"{PATH}/big", ["Range: bytes=5-"]], [200, len(data), 0, sha(b"")]),
            (["GET", f"{PATH}/big"], [200, len(data), len(data), sha(data)]),
        ]
        for version in VERSIONS:
            for pipelined in (False, True):
                got = ask(lab, client, "answers", version=version, requests=[c[0] for c in cases],
                          pipelined=pipelined)
                for (what, want), answer in zip(cases, got["answers"]):
                    check(answer == want, f"TLS {version}, pipelined {pipelined}: {what}: {answer}")
                check(got["behind"] == 0, "nothing behind the last")
            got = ask(lab, client, "whole", version=version, path=f"{PATH}/big")
            check(got["got"] == got["promised"] == len(data) and got["sha"] == sha(data), f"HTTP/1.0: {got}")
            got = ask(lab, client, "whole", version=version, path=f"{PATH}/big", http="1.1",
                      fields=["Connection: close"])
            check(got["sha"] == sha(data) and got["connection"].lower() == "close", f"close: {got}")
            got = ask(lab, client, "answers", version=version, requests=[
                ["GET", f"{PATH}/big"], ["GET", f"{PATH}/none"], ["GET", f"{PATH}/small"]], pipelined=True)
            check([a[0] for a in got["answers"]] == [200, 404, 200], "an error between files")
        wait_until(lambda: open_requests(site) == 0, 5, "no request is under way")


def open_requests(site):
    stats = site_stats(site)
    return stats["open"]


def site_stats(site):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(f"{site.run}/httpsbootd.sock")
        s.sendall(b'{"jsonrpc": "2.0", "id": 1, "method": "status"}\n')
        return json.loads(s.makefile().readline())["result"]["counters"]


def test_interrupted():
    """Clients that leave half-way, and one that reads slowly; files replaced and cut meanwhile."""
    with Lab("interrupted") as lab:
        client, site = start(lab, httpsbootd={"idle_timeout_s": 5})
        data = random.Random(2).randbytes(30 << 20)
        put(site, "big", data)
        site.start("handlerd", "httpsbootd")
        for version in VERSIONS:
            got = ask(lab, client, "part_way", version=version, path=f"{PATH}/big", leave_at=3000000)
            check(got["promised"] == len(data) and got["got"] < len(data), f"TLS {version}: left: {got}")
        wait_until(lambda: read(site.log("httpsbootd")).count("end=aborted") == 3, 5, "three were broken off")
        check(site_stats(site)["aborted"] == 3, "and counted")

        results = {}

        def meanwhile(name, change, version, wait):
            """What a client gets that stops for a while, during which the file changes."""
            put(site, name, data)
            flag = lab.path(f"{name}.ready")
            thread = threading.Thread(target=lambda: results.update({name: ask(
                lab, client, "part_way", version=version, path=f"{PATH}/{name}", leave_at=1000000, wait=wait,
                ready=flag)}))
            thread.start()
            wait_until(lambda: os.path.exists(flag), 10, "it waits")
            change()
            return thread

        threads = []
        for i, version in enumerate(VERSIONS):
            threads.append(meanwhile(f"slow{i}", lambda: None, version, 3))

            def replace(i=i):
                with open(f"{site.root}/new", "wb") as f:
                    f.write(b"x" * len(data))
                os.rename(f"{site.root}/new", f"{site.root}/moved{i}")
            threads.append(meanwhile(f"moved{i}", replace, version, 1))
            threads.append(meanwhile(f"cut{i}", lambda i=i: os.truncate(f"{site.root}/cut{i}", 20 << 20), version, 1))
            # beyond what may be on its way
            threads.append(meanwhile(f"grown{i}", lambda i=i: os.truncate(f"{site.root}/grown{i}", 60 << 20),
                                     version, 1))
        for thread in threads:
            thread.join()
        for i, version in enumerate(VERSIONS):
            for name in ("slow", "moved"):
                got = results[f"{name}{i}"]
                check(got["got"] == len(data) and got["sha"] == sha(data), f"TLS {version}, {name}: {got}")
            # what is written in place, and be it only longer, is not given out as if it were whole
            got = results[f"grown{i}"]
            check(got["got"] < len(data) and got["promised"] == len(data), f"TLS {version}, grown: {got}")
            got = results[f"cut{i}"]
            check(got["got"] <= 20 << 20 and got["promised"] == len(data), f"TLS {version}, cut: {got}")
            check(not version or "eof" in got["error"].lower(), f"no notice of a regular end: {got}")
        check(site_stats(site)["aborted"] == 9, "those that were changed count as broken off")
        wait_until(lambda: open_requests(site) == 0, 5, "no request is under way")
        texts = [e["text"] for b in site.boots() for e in site.query("boots", "show", b["id"])["timeline"]
                 if e["kind"] == "transfer-failed"]
        check(sum("the file was changed" in t for t in texts) == 6, f"the timeline tells why: {texts}")


def test_stalled():
    """A client that takes nothing is dropped, in the middle of a body, too."""
    with Lab("delivstall") as lab:
        client, site = start(lab, httpsbootd={"idle_timeout_s": 5})
        put(site, "big", os.urandom(1 << 20) * 30)
        site.start("handlerd", "httpsbootd")
        threads = [threading.Thread(target=ask, args=(lab, client, "part_way"), kwargs={
            "version": v, "path": f"{PATH}/big", "leave_at": 100000, "wait": 8}) for v in VERSIONS]
        for thread in threads:
            thread.start()
        wait_until(lambda: site_stats(site)["aborted"] == 3, 12, "all three were dropped")
        for thread in threads:
            thread.join()
        texts = [e["text"] for b in site.boots() for e in site.query("boots", "show", b["id"])["timeline"]
                 if e["kind"] == "transfer-failed"]
        check(texts == ["the client took nothing for too long"] * 3, f"the timeline tells why: {texts}")


def test_slow_client():
    """One that takes 40 kB/s is no stalled one, though for long there is no room for more in its send buffer."""
    with Lab("delivslow") as lab:
        client, site = start(lab, httpsbootd={"idle_timeout_s": 5})
        content = os.urandom(1 << 20) * 12
        put(site, "big", content)
        site.start("handlerd", "httpsbootd")
        results = {}

        def sip(v):
            results[v] = ask(lab, client, "sipping", version=v, path=f"{PATH}/big", rate=40000, seconds=13)

        threads = [threading.Thread(target=sip, args=(v,)) for v in VERSIONS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for v in VERSIONS:
            check(results[v].get("sha") == sha(content), f"TLS {v or 'none'}: all of it: {results[v]}")


def test_large():
    """A file of several gigabytes, by its size, its end and a part across 4 GB."""
    with Lab("large") as lab:
        client, site = start(lab)
        size = (5 << 30) + 3
        with open(f"{site.root}/large", "wb") as f:
            f.truncate(size)
            f.seek((4 << 30) - 5)
            f.write(b"middle of it")
            f.seek(size - 7)
            f.write(b"the end")
        site.start("handlerd", "httpsbootd")
        for base in (f"https://{SERVER}:8050", f"http://{SERVER}:8060"):
            curl = f"curl -sS --cacert {site.run}/etc/ca/ca.pem {base}{PATH}/large"
            check(lab.sh(client, f"{curl} -I").lower().count(f"content-length: {size}\n") == 1, "its length")
            check(lab.sh(client, f"{curl} -r -7") == "the end", "its end")
            check(lab.sh(client, f"{curl} -r {(4 << 30) - 5}-{(4 << 30) + 6}") == "middle of it", "its middle")
            # everything from a gigabyte before its end
            first = size - (1 << 30)
            out = lab.sh(client, f"{curl} -r {first}- -o /dev/null -w '%{{size_download}}'")
            check(int(out) == 1 << 30, f"{out} octets")


def test_resting():
    """Idle connections give back what the engine has of them, and go on as if nothing had been."""
    with Lab("resting") as lab:
        client, site = start(lab)
        put(site, "small", b"x" * 1000)
        site.start("handlerd", "httpsbootd")
        fds = f"/proc/{site.daemons['httpsbootd'].pid}/fd"
        before = len(os.listdir(fds))
        for version in ("1.3", ""):
            seen = []
            result = []
            thread = threading.Thread(target=lambda v=version: result.append(ask(
                lab, client, "resting", version=v, path=f"{PATH}/small", count=20, seconds=2)))
            thread.start()
            while thread.is_alive():
                thread.join(0.1)
                seen.append(len(os.listdir(fds)) - before)
            check(result == [[[200] * 4] * 20], f"TLS {version}: {result}")
            # the client's socket, and the two of the engine's pair; then the client's alone
            most = max(seen)
            check(most >= 60 and min(seen[seen.index(most):-1]) <= most - 20, f"descriptors: {seen}")
        wait_until(lambda: len(os.listdir(fds)) < before + 5, 5, "all are closed")
