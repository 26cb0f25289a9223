"""Files that are not here come from the origin: once, for all, and never wrong or short."""

import hashlib
import json
import os
import random
import socket
import threading

import peers
from lab import BIN, Failure, Lab, SERVER, Site, check, read, wait_until
from test_boot import boot, check_story, prepare
from test_tftp import put

BRANCH = "10.77.1.20"
CLIENT = "10.77.1.50"
PATH = "/2PXE/file"
HERE = os.path.dirname(os.path.abspath(__file__))


def sites(lab, origin=None, **options):
    """An origin with its own handlerd, and a branch that has nothing; a client beside them."""
    segment = lab.segment("net")
    client = lab.host("client", segment, f"{CLIENT}/24")
    first = Site(lab, lab.host("origin", segment, f"{SERVER}/24"), SERVER, "origin")
    first.ferryctl("ca", "init", "--dir", f"{first.run}/etc", "--name", "boot.example", "--address", SERVER,
                   "--address", BRANCH, "--bits", "2048")
    branch = Site(lab, lab.host("branch", segment, f"{BRANCH}/24"), BRANCH, "branch", httpsbootd={
        "root": lab.path("nothing"), "certificate": f"{first.run}/etc/tls/server.pem",
        "key": f"{first.run}/etc/tls/server.key", "origin": {
            "url": f"https://{SERVER}:8050{PATH}/", "ca": f"{first.run}/etc/ca/ca.pem",
            "cache": lab.path("cache"), "timeout_s": 15, **(origin or {})}}, **options)
    os.makedirs(lab.path("nothing"))
    return client, first, branch


class Faulty:
    """origin_server.py at the origin's address, in its place."""

    def __init__(self, lab, site):
        self.lab = lab
        self.dir = lab.path("faulty")
        os.makedirs(f"{self.dir}/files")
        self.does("answer")
        lab.spawn(site.ns, ["python3", f"{HERE}/origin_server.py", SERVER, "9000", self.dir], "faulty.log")
        wait_until(lambda: "ready" in read(lab.path("faulty.log")), 10, "the faulty origin")

    def does(self, mode):
        with open(f"{self.dir}/mode.new", "w", encoding="ascii") as f:
            f.write(mode)
        os.rename(f"{self.dir}/mode.new", f"{self.dir}/mode")

    def has(self, name, data):
        path = f"{self.dir}/files/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)

    def asked(self, name):
        """The requests for a file: method and status do not matter, but how many and with what."""
        seen = [json.loads(x) for x in read(f"{self.dir}/requests").splitlines()]
        return [x for x in seen if x["path"] == f"/{name}"]


def rpc(site, method, **params):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(f"{site.run}/httpsbootd.sock")
        s.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
        answer = json.loads(s.makefile().readline())
        check("result" in answer, f"{method}: {answer}")
        return answer["result"]


def counters(site):
    return rpc(site, "status")["counters"]


def crowd(lab, client, name, file, clients, **options):
    return lab.client(client, "fetch", module="crowd", address=BRANCH, path=f"{PATH}/{name}", file=file,
                      clients=clients, **options)


def gets(site, name):
    """How often a file was asked for there, by its access log."""
    return len([x for x in read(site.log("httpsbootd")).splitlines()
                if f'target="{PATH}/{name}"' in x or f"target={PATH}/{name} " in x])


def curl(lab, client, name, *options):
    """Status and number of octets of an answer by plain HTTP."""
    out = lab.sh(client, f"rm -f {lab.path('got')}; curl -s -o {lab.path('got')} -w '%{{http_code}} %{{size_download}}' {' '.join(options)} "
                         f"http://{BRANCH}:8060{PATH}/{name}", check_status=False).split()
    return int(out[0]), int(out[1])


def got(lab):
    """The body that curl() took."""
    if not os.path.exists(lab.path("got")):
        return b""
    with open(lab.path("got"), "rb") as f:
        return f.read()


def keeps(site, *paths, what="kept"):
    """Who waits has a file a moment before it is put on the shelf."""
    try:
        wait_until(lambda: sorted(k["path"] for k in rpc(site, "cache.list")) == sorted(paths), 5, what)
    except Failure as e:
        raise Failure(f"{e}: {rpc(site, 'cache.list')}") from e


def logged(site, *words):
    return [x for x in read(site.log("httpsbootd")).splitlines() if all(w in x for w in words)]


def test_crowd():
    """60 clients want a file that only the origin has: it is asked once, and all get the same."""
    with Lab("pullcrowd") as lab:
        client, origin, branch = sites(lab)
        data = random.Random(3).randbytes(20 << 20)
        put(origin, "images/big.iso", data)
        origin.start("handlerd", "httpsbootd")
        branch.start("handlerd", "httpsbootd")
        ends = crowd(lab, client, "images/big.iso", f"{origin.root}/images/big.iso", 60, secure=20, late=15)
        check(ends["ends"] == {"200 whole right": 60}, f"all have it: {ends}")
        check(gets(origin, "images/big.iso") == 1, "the origin was asked once")
        stats = counters(branch)
        check(stats["origin_misses"] == 1 and stats["origin_bytes"] == len(data) and
              stats["origin_joins"] + stats["origin_hits"] == 59, f"and the others joined: {stats}")
        check(counters(origin)["files"] == 1, "so says the origin")
        check(curl(lab, client, "images/none") == (404, 13), "what the origin has not either is not there")
        keeps(branch, "images/big.iso")
        kept = rpc(branch, "cache.list")[0]
        check(kept["size"] == len(data) and kept["sha256"] == hashlib.sha256(data).hexdigest(), f"it is kept: {kept}")

        branch.kill("httpsbootd")
        origin.kill("httpsbootd")
        leftover = f"{lab.path('cache')}/{'ab' * 32}.part"
        for name in (leftover, lab.path("cache/somebody's")):
            with open(name, "wb") as f:
                f.write(b"x" * 100)
        branch.start("httpsbootd")
        check(not os.path.exists(leftover) and os.path.exists(lab.path("cache/somebody's")),
              "half a file is removed at the start, and nothing else")
        check(curl(lab, client, "images/big.iso") == (200, len(data)) and got(lab) == data,
              "after a restart it is there, without the origin")
        check(curl(lab, client, "images/big.iso", "-r", "5000000-5000009") == (206, 10) and
              got(lab) == data[5000000:5000010], "also a part of it")
        check(counters(branch)["origin_hits"] == 2, "from the cache")
        socket_option = ("--socket", f"{branch.run}/httpsbootd.sock", "cache")
        check("images/big.iso" in branch.ferryctl(*socket_option), "ferryctl lists it")
        check(branch.ferryctl(*socket_option, "drop", "images/none", ok=False).returncode == 1, "not what is not kept")
        check(branch.ferryctl(*socket_option, "drop", "images/big.iso") == "1 dropped\n", "and drops it")
        check(rpc(branch, "cache.list") == [], "then nothing is kept")
        check(curl(lab, client, "images/big.iso")[0] == 503, "then only the origin has it")


def test_origin_dies():
    """An origin that is killed half-way: clients see that, and the next try works."""
    with Lab("pulldies") as lab:
        client, origin, branch = sites(lab, {"fresh_s": 0, "retries": 1})
        data = random.Random(4).randbytes(20 << 20)
        put(origin, "big", data)
        put(origin, "small", data[:5000])
        origin.start("handlerd", "httpsbootd")
        branch.start("handlerd", "httpsbootd")
        check(curl(lab, client, "small") == (200, 5000), "a small file comes")
        lab.sh(origin.ns, "tc qdisc add dev eth0 root tbf rate 80mbit burst 256kb latency 100ms")
        result = {}
        thread = threading.Thread(target=lambda: result.update(crowd(
            lab, client, "big", f"{origin.root}/big", 12, secure=6, seconds=30)))
        thread.start()
        wait_until(lambda: counters(branch)["origin_bytes"] > 4 << 20, 20, "a part of it has come")
        origin.kill("httpsbootd")
        thread.join()
        check(sum(result["ends"].values()) == 12 and
              set(result["ends"]) <= {"200 closed right", "200 SSLEOFError right", "200 ConnectionResetError right"},
              f"all were broken off, and had what is right: {result}")
        check(0 < result["most_short"] < len(data), f"and none had it all: {result}")
        texts = [e["text"] for b in branch.boots() for e in branch.query("boots", "show", b["id"])["timeline"]
                 if e["kind"] == "transfer-failed"]
        check(len(texts) == 12 and all("the origin broke off" in t for t in texts), f"the timeline tells: {texts}")

        check(curl(lab, client, "big", "-D", lab.path("head"))[0] == 503, "now there is none")
        check("\r\nRetry-After: " in open(lab.path("head"), newline="").read(), "and it tells to try again")
        check(curl(lab, client, "small") == (200, 5000), "what is kept is given as it was")
        check(logged(branch, "small is given as it was"), "which the log tells")
        check(counters(branch)["origin_stale"] == 1, "and a counter")
        wait_until(lambda: [p for p in branch.query("status")["problems"] if "origin: " in p], 8,
                   "the problem is one of `ferryctl status`")
        lab.sh(origin.ns, "tc qdisc del dev eth0 root")
        origin.start("httpsbootd")
        wait_until(lambda: curl(lab, client, "big") == (200, len(data)), 15, "the next try works", pause=0.5)
        check(got(lab) == data, "and brings what is right")
        wait_until(lambda: not [x for x in os.listdir(lab.path("cache")) if x.endswith(".part")], 5,
                   "nothing half is left")
        wait_until(lambda: counters(branch)["open"] == 0, 5, "no request is under way")


def manifest(site, name, data, file="boot.wim"):
    """What handlerd knows of an image whose files are elsewhere for httpsbootd."""
    put(site, f"images/{name}/{file}", data)
    text = {"name": name, "type": "efi", "files": [{
        "role": "efi", "name": file, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}]}
    put(site, f"images/{name}/manifest.json", json.dumps(text).encode())


def test_wrong():
    """Origins that send less, more, or something else: no client ever takes that for the file."""
    with Lab("pullwrong") as lab:
        client, origin, branch = sites(lab, {"url": f"http://{SERVER}:9000/", "timeout_s": 5, "retries": 0})
        faulty = Faulty(lab, origin)
        large, small = random.Random(5).randbytes(3 << 20), random.Random(6).randbytes(70000)
        known = {f"k{size}{i}": data for i in range(4) for size, data in (("L", large), ("S", small))}
        for name, data in known.items():
            manifest(branch, name, data)
            faulty.has(f"images/{name}/boot.wim", data)
        branch.start("handlerd", "httpsbootd")
        rows = [  # what it does, the file, its contents, known to handlerd; status, octets (None: some)
            ("answer", "kL0", 200, len(large)), ("answer", "kS0", 200, len(small)),
            ("flip", "kL1", 200, None), ("flip", "kS1", 503, 0),
            ("short 2000000", "kL2", 200, None), ("short 2000", "kS2", 503, 0),
            ("more", "kL3", 503, 0), ("more", "kS3", 503, 0),
            ("short 2000000", "L0", 200, None), ("short 2000", "S0", 503, 0),
            ("chunked", "L1", 200, len(large)), ("chunked", "S1", 200, len(small)),
            ("chunked-short 2000", "L2", 503, 0), ("endless", "S2", 503, 0), ("gzip", "S3", 503, 0),
            ("status 500", "S4", 503, 0), ("status 403", "S5", 502, 0), ("stall 2000000", "L3", 200, None),
        ]
        for mode, name, status, octets in rows:
            data = large if "L" in name else small
            path = f"images/{name}/boot.wim" if name in known else name
            faulty.has(path, data)
            faulty.does(mode)
            answer = curl(lab, client, path)
            what = f"{mode}, {name}: {answer}"
            if octets is None and answer[0] == 503:
                continue  # it had ended before the answer was begun
            check(answer[0] == status, what)
            if octets is None:
                check(answer[1] <= len(data) - 65536 and data.startswith(got(lab)), f"{what}: its end is not given")
            elif status == 200:
                check(answer[1] == octets and got(lab) == data, what)
        check(logged(branch, "another SHA-256 than its manifest says"), "the log tells why")
        check(logged(branch, "does not say where the file ends"), "and why another one was refused")
        stats = counters(branch)
        check(stats["origin_failures"] == 14, f"failures are counted: {stats}")
        faulty.does("answer")
        wait_until(lambda: curl(lab, client, "images/kL1/boot.wim") == (200, len(large)), 5, "the next try works")
        check(got(lab) == large, "and brings what is right")
        keeps(branch, "L1", "S1", *(f"images/{k}/boot.wim" for k in ("kL0", "kS0", "kL1")))
        problems = branch.query("status")["problems"]
        check(not [p for p in problems if "origin" in p], f"the origin can be reached: {problems}")


NGINX = """daemon off; user root; pid {dir}/nginx.pid; error_log {dir}/nginx-error.log; events {{ }}
http {{ access_log {dir}/nginx-access.log; sendfile on; client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2;
  fastcgi_temp_path {dir}/t3; uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
  server {{ listen 8443 ssl; root {root}; ssl_certificate {tls}/server.pem; ssl_certificate_key {tls}/server.key;
    ssl_client_certificate {ca}; ssl_verify_client on; }} }}
"""


def test_firmware():
    """A PC boots from an httpsbootd that has no file itself; they come from nginx, which wants a certificate."""
    with Lab("pullboot") as lab:
        segment = lab.segment("net")
        lab.dhcp_server(segment)
        site = Site(lab, lab.host("server", segment, f"{SERVER}/24"))
        prepare(site)
        etc = f"{site.run}/etc"
        site.ferryctl("ca", "issue", "--dir", etc, "--out", lab.path("branch"), "--name", "branch", "--client")
        os.makedirs(lab.path("nothing"))
        site.conf["httpsbootd"].update({"root": lab.path("nothing"), "origin": {
            "url": f"https://{SERVER}:8443/", "ca": f"{etc}/ca/ca.pem", "cache": lab.path("cache"),
            "certificate": lab.path("branch.pem"), "key": lab.path("branch.key")}})
        with open(lab.path("nginx.conf"), "w", encoding="utf-8") as f:
            f.write(NGINX.format(dir=lab.dir, root=site.root, tls=f"{etc}/tls", ca=f"{etc}/ca/ca.pem"))
        lab.spawn(site.ns, [peers.tool("nginx"), "-e", lab.path("nginx-error.log"), "-c", lab.path("nginx.conf")],
                  "nginx.log")
        wait_until(lambda: ":8443 " in lab.sh(site.ns, "ss -ltn"), 10, "nginx listens")
        site.start()
        check_story(boot(lab, site, segment, "bios"), "http", None)
        asked = [x.split('"')[1] for x in read(lab.path("nginx-access.log")).splitlines()]
        check(sorted(asked) == ["GET /images/tiny/initrd.img HTTP/1.1", "GET /images/tiny/vmlinuz HTTP/1.1"],
              f"nginx was asked once for each: {asked}")
        keeps(site, "images/tiny/initrd.img", "images/tiny/vmlinuz")
        check(counters(site)["origin_failures"] == 0, "all was right")
        # handlerd knows the digests: nothing is asked, however old it is
        for name in ("vmlinuz", "initrd.img"):
            out = lab.sh(site.ns, f"curl -s -o {lab.path('got')} http://{SERVER}:8060{PATH}/images/tiny/{name} && "
                                  f"cmp {lab.path('got')} {site.root}/images/tiny/{name}")
            check(out == "", f"the same bytes: {out}")
        check(counters(site)["origin_hits"] == 2, "from the cache")


def test_versions():
    """HEAD, parts while a file comes, files that the origin changes, takes away, or wants not to be kept."""
    with Lab("pullversions") as lab:
        client, origin, branch = sites(lab, {"url": f"http://{SERVER}:9000/", "fresh_s": 0})
        faulty = Faulty(lab, origin)
        data = random.Random(7).randbytes(3 << 20)
        for name in ("head", "part", "new", "gone", "private", "undated"):
            faulty.has(name, data)
        branch.start("handlerd", "httpsbootd")

        check(curl(lab, client, "head", "-I", "-D", lab.path("head"))[0] == 200, "HEAD")
        check(f"\r\nContent-Length: {len(data)}\r\n" in open(lab.path("head"), newline="").read(), "tells the size")
        check([r["method"] for r in faulty.asked("head")] == ["HEAD"], "and fetches nothing")

        faulty.does("pace 500000")
        thread = threading.Thread(target=lab.sh, args=(client, f"curl -s -o {lab.path('whole')} "
                                                               f"http://{BRANCH}:8060{PATH}/part"))
        thread.start()
        wait_until(lambda: faulty.asked("part"), 5, "it is asked for")
        check(curl(lab, client, "part", "-r", "100000-299999") == (206, 200000) and
              got(lab) == data[100000:300000], "a part")
        early = counters(branch)["origin_bytes"]
        check(curl(lab, client, "part", "-r", "-100000") == (206, 100000) and got(lab) == data[-100000:], "the end")
        check(early < len(data) == counters(branch)["origin_bytes"], f"each when it has come: {early}")
        thread.join()
        with open(lab.path("whole"), "rb") as f:
            check(f.read() == data, "and the whole")
        check(len(faulty.asked("part")) == 1, "by one request")

        faulty.does("answer")
        lab.sh(client, f"curl -s -o /dev/null -D {lab.path('head')} http://{BRANCH}:8060{PATH}/new")
        etag = [x for x in read(lab.path("head")).splitlines() if x.startswith("ETag: ")][0][6:].strip()
        check(curl(lab, client, "new") == (200, len(data)), "again")
        check(counters(branch)["origin_unchanged"] == 1, "the origin says that it is the same")
        check(curl(lab, client, "new", "-H", f"'If-None-Match: {etag}'") == (304, 0), "and so can we")
        faulty.has("new", data[::-1])
        check(curl(lab, client, "new", "-H", f"'If-None-Match: {etag}'") == (200, len(data)), "a new one is given")
        check(got(lab) == data[::-1], "as it is")

        check(curl(lab, client, "gone") == (200, len(data)), "there,")
        keeps(branch, "part", "new", "gone")
        os.remove(f"{faulty.dir}/files/gone")
        check(curl(lab, client, "gone")[0] == 404, "and gone")
        faulty.does("no-store")
        for _ in range(2):
            check(curl(lab, client, "private") == (200, len(data)), "what is not to be kept is given")
        check(len(faulty.asked("private")) == 2, "and fetched each time")
        keeps(branch, "part", "new")


def test_room():
    """The limit, a disk that is full, and the login at the origin."""
    with Lab("pullroom") as lab:
        client, origin, branch = sites(lab, {"url": f"http://{SERVER}:9000/", "max_bytes": 4 << 20})
        faulty = Faulty(lab, origin)
        data = random.Random(8).randbytes(5 << 20)
        for name in "abcd":
            faulty.has(name, data[:1500000])
        faulty.has("huge", data)
        faulty.has("four", data[:4 << 20])
        branch.start("handlerd", "httpsbootd")

        for name, then in (("a", "a"), ("b", "ab"), ("a", "ab"), ("c", "ac")):
            check(curl(lab, client, name) == (200, 1500000), name)
            keeps(branch, *then, what="what was used longest ago makes room")
        check(curl(lab, client, "huge")[0] == 507, "what can never fit is refused")
        check("larger than origin.max_bytes" in got(lab).decode(), f"in words: {got(lab)}")
        keeps(branch, "a", "c", what="and nothing made room for that")
        check(curl(lab, client, "four") == (200, 4 << 20), "what just fits does")
        keeps(branch, "four", what="and is alone then")

        disk = lab.path("disk")
        os.makedirs(disk)
        lab.sh(None, f"mount -t tmpfs -o size=3400k none {disk}")
        try:
            branch.kill("httpsbootd")
            branch.conf["httpsbootd"]["origin"].update({"cache": disk, "max_bytes": 1 << 30})
            branch.start("httpsbootd")
            for name, then in (("a", "a"), ("b", "ab"), ("c", "bc")):
                check(curl(lab, client, name) == (200, 1500000), f"{name} on a small disk")
                keeps(branch, *then, what="a full disk makes room, too")
            check(curl(lab, client, "four")[0] == 503, "what it has no room for is refused")
            check("full" in got(lab).decode(), f"in words: {got(lab)}")
            check(curl(lab, client, "d") == (200, 1500000), "and it goes on")
        finally:
            branch.kill("httpsbootd")
            lab.sh(None, f"umount {disk}")

        conf = branch.conf["httpsbootd"]["origin"]
        with open(lab.path("password"), "w", encoding="ascii") as f:
            f.write("pass word\n")
        conf.update({"cache": lab.path("cache2"), "auth": "ntlm", "user": "CORP\\anne",
                     "password_file": lab.path("password")})
        branch.start("httpsbootd")
        faulty.does("ntlm")
        check(curl(lab, client, "a") == (200, 1500000), "NTLM's handshake lets us in")
        branch.kill("httpsbootd")
        conf["user"] = "CORP\\eve"
        branch.start("httpsbootd")
        check(curl(lab, client, "b")[0] == 502 and b"status 401" in got(lab), "and nobody else")
        branch.kill("httpsbootd")
        conf.update({"auth": "negotiate", "user": ""})
        branch.start("httpsbootd")
        faulty.does("negotiate")
        check(curl(lab, client, "b")[0] == 502 and b"status 401" in got(lab), "nor anybody without a ticket")
        check("pass word" not in read(branch.log("httpsbootd")), "the password is nowhere in the log")
        branch.kill("httpsbootd")
        for change, words in (({"url": f"http://anne:secret@{SERVER}:9000/"}, "origin.url"),
                              ({"url": f"http://{SERVER}:9000"}, "must end with"),
                              ({"auth": "basic", "user": "anne"}, "in the clear")):
            with open(lab.path("bad.json"), "w", encoding="ascii") as f:
                json.dump({"origin": {**conf, **change}}, f)
            out = lab.sh(None, f"{BIN}/httpsbootd -n -c {lab.path('bad.json')} 2>&1", check_status=False)
            check(words in out and "secret" not in out, f"{change}: {out}")
