"""Origins that lead back, break off, are slow, or want a login; more of what test_pull.py is about."""

import os
import random
import threading
import time

import logins
import peers
from lab import BUILD, Lab, SERVER, Site, check, read, wait_until
from test_pull import (BRANCH, CLIENT, Faulty, NGINX, PATH, counters, crowd, curl, got, keeps, logged, manifest, rpc,
                       sites)
from test_tftp import put


def ring(lab, count):
    """So many servers, each with its own handlerd, each the origin of the one before it; and a client."""
    segment = lab.segment("net")
    client = lab.host("client", segment, f"{CLIENT}/24")
    addresses = [f"10.77.1.{10 + i}" for i in range(count)]
    servers = []
    for i, address in enumerate(addresses):
        name = "abc"[i]
        site = Site(lab, lab.host(name, segment, f"{address}/24"), address, name)
        if i == 0:
            etc = f"{site.run}/etc"
            site.ferryctl("ca", "init", "--dir", etc, "--name", "boot.example", "--bits", "2048",
                          *(x for a in addresses for x in ("--address", a)))
        site.conf["httpsbootd"].update({
            "name": f"{name}.example", "certificate": f"{etc}/tls/server.pem", "key": f"{etc}/tls/server.key",
            "origin": {"url": f"https://{addresses[(i + 1) % count]}:8050{PATH}/", "ca": f"{etc}/ca/ca.pem",
                       "cache": lab.path(f"cache-{name}"), "timeout_s": 20}})
        servers.append(site)
    for site in servers:
        site.start("handlerd", "httpsbootd")
    return client, servers


def ask(lab, client, site, name, *options):
    """Status, body, and how long it took."""
    body = lab.path(f"body-{site.name}-{os.path.basename(name)}")
    began = time.monotonic()
    status = lab.sh(client, f"curl -s -o {body} -w '%{{http_code}}' {' '.join(options)} "
                            f"http://{site.address}:8060{PATH}/{name}", check_status=False)
    return int(status), read(body), time.monotonic() - began


def test_itself():
    """A server that is its own origin says so at once."""
    with Lab("originself") as lab:
        client, (a,) = ring(lab, 1)
        put(a, "here", b"x" * 100)
        status, body, seconds = ask(lab, client, a, "images/none")
        check(status == 508 and seconds < 3, f"recognised: {status}, {seconds} s")
        check("a ring of servers: a.a.example > a.a.example" in body, f"in words: {body}")
        check(ask(lab, client, a, "images/none", "-I")[0] == 508, "so is HEAD")
        check(ask(lab, client, a, "here")[:2] == (200, "x" * 100), "what it has is given")
        check(len(logged(a, "a ring: a.a.example > a.a.example")) == 1, "the log names the ring, once")
        check(counters(a)["origin_rings"] >= 1, "and it is counted")
        wait_until(lambda: [p for p in a.query("status")["problems"] if "a ring of servers" in p], 6,
                   "`ferryctl status` has the problem")


def test_ring():
    """Servers that are each other's origin: what one has all have, what none has is refused at once."""
    with Lab("originring") as lab:
        client, servers = ring(lab, 3)
        a, b, c = servers
        put(c, "images/there", b"y" * 300000)
        status, body, seconds = ask(lab, client, a, "images/none")
        check(status == 508 and seconds < 3, f"recognised: {status}, {seconds} s, {body}")
        check("a.a.example > b.b.example > c.c.example > a.a.example" in body, f"and named: {body}")
        check(len(logged(a, "a ring: a.a.example > b.b.example")) == 1 and not logged(b, "a ring:"),
              "by the one that was asked first")
        check([counters(x)["origin_rings"] for x in servers] == [1, 0, 0], "and counted there")
        check(ask(lab, client, a, "images/there")[:2] == (200, "y" * 300000), "what the last one has is given")

        # all at the same moment: each has a fetch under way when the request of the one before comes
        for site in servers:
            lab.sh(site.ns, "tc qdisc add dev eth0 root tbf rate 300kbit burst 1600 latency 5s")
        ends = {}
        threads = [threading.Thread(target=lambda s=s, n=n: ends.__setitem__((s.name, n), ask(
            lab, client, s, f"images/no{n}", *(["-I"] if n == 3 else [])))) for n in range(4) for s in servers]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        check(len(ends) == 12 and all(e[0] == 508 and e[2] < 12 for e in ends.values()), f"each is told: {ends}")
        check(sum(counters(x)["origin_joins"] for x in servers) > 0, "some had met on the way")
        for site in servers:
            wait_until(lambda s=site: counters(s)["open"] == 0, 5, "no request is left")


def parts(lab):
    """What is on its way in the cache."""
    return [x for x in os.listdir(lab.path("cache")) if x.endswith(".part")]


def come(site, octets):
    wait_until(lambda: counters(site)["origin_bytes"] >= octets, 20, f"{octets} octets have come")


def test_taken_up():
    """An origin that is killed and comes back: clients notice nothing, whoever made it."""
    with Lab("origintaken") as lab:
        client, origin, branch = sites(lab)
        data = random.Random(11).randbytes(12 << 20)
        for name in ("one", "two"):
            put(origin, name, data)
        origin.start("handlerd", "httpsbootd")
        branch.start("handlerd", "httpsbootd")
        lab.sh(origin.ns, "tc qdisc add dev eth0 root tbf rate 80mbit burst 256kb latency 100ms")
        result = {}

        def ask_all(name):
            result[name] = crowd(lab, client, name, f"{origin.root}/{name}", 12, secure=6, seconds=30)

        thread = threading.Thread(target=ask_all, args=("one",))
        thread.start()
        come(branch, 3 << 20)
        origin.kill("httpsbootd")
        wait_until(lambda: logged(branch, "one broke off at"), 5, "it is noticed")
        origin.start("httpsbootd")
        thread.join()
        check(result["one"]["ends"] == {"200 whole right": 12}, f"all have it: {result}")
        stats = counters(branch)
        check(stats["origin_resumed"] >= 1 and stats["origin_bytes"] == len(data) and stats["origin_failures"] == 0,
              f"each octet came once: {stats}")
        check("status=206" in read(origin.log("httpsbootd")), "the origin was asked for the rest")
        keeps(branch, "one")

        origin.kill("httpsbootd")
        etc = f"{origin.run}/etc"
        origin.ferryctl("ca", "issue", "--dir", etc, "--out", lab.path("branch"), "--name", "branch", "--client")
        branch.conf["httpsbootd"]["origin"].update({
            "url": f"https://{SERVER}:8443/", "certificate": lab.path("branch.pem"), "key": lab.path("branch.key")})
        branch.kill("httpsbootd")
        branch.start("httpsbootd")
        with open(lab.path("nginx.conf"), "w", encoding="utf-8") as f:
            f.write(NGINX.format(dir=lab.dir, root=origin.root, tls=f"{etc}/tls", ca=f"{etc}/ca/ca.pem"))

        def nginx():
            lab.spawn(origin.ns, [peers.tool("nginx"), "-e", lab.path("nginx-error.log"), "-c",
                                  lab.path("nginx.conf")], "nginx.log")
            wait_until(lambda: ":8443 " in lab.sh(origin.ns, "ss -ltn"), 10, "nginx listens")

        nginx()
        thread = threading.Thread(target=ask_all, args=("two",))
        thread.start()
        come(branch, 3 << 20)
        lab.sh(origin.ns, "kill -9 $(ss -Hltnp sport = :8443 | grep -o 'pid=[0-9]*' | cut -d= -f2 | sort -u)")
        wait_until(lambda: logged(branch, "two broke off at"), 5, "it is noticed")
        nginx()
        thread.join()
        check(result["two"]["ends"] == {"200 whole right": 12}, f"all have it: {result}")
        check(" 206 " in read(lab.path("nginx-access.log")), "nginx was asked for the rest")
        check(counters(branch)["origin_bytes"] == len(data), "each octet came once")


def test_breaks():
    """What breaks off and cannot be taken up; and a server that is killed in the midst of a fetch."""
    with Lab("originbreaks") as lab:
        client, origin, branch = sites(lab, {"url": f"http://{SERVER}:9000/", "retries": 3})
        faulty = Faulty(lab, origin)
        data, other = (random.Random(i).randbytes(3 << 20) for i in (12, 13))
        manifest(branch, "k5", data)
        branch.start("handlerd", "httpsbootd")
        rows = [  # what it does first, whether the file changes then, what it does then; whether it comes
            ("short 1500000", False, "short 1500000", True), ("short 1500000 norange", False, "answer norange", True),
            ("short 1500000", True, "answer", False), ("short 1500000", True, "answer noifrange", False),
            ("short 1500000", False, "answer norange-tag", False), ("short 1500000", False, "flip", False),
            ("short-plain 1500000", False, "answer", False),  # its date is too young to tell versions apart
            ("short-plain 1500000", False, "plain-etag", True),
        ]
        for i, (first, changes, then, whole) in enumerate(rows):
            name = f"images/k{i}/boot.wim" if then == "flip" else f"f{i}"  # only its digest can tell
            faulty.has(name, data)
            if "plain" in then:
                os.utime(f"{faulty.dir}/files/{name}", (1e9, 1e9))
            faulty.does(first)
            result = []
            thread = threading.Thread(target=lambda n=name, r=result: r.append(curl(lab, client, n)))
            thread.start()
            wait_until(lambda n=name: logged(branch, f"{n} broke off at 1500000 of") or logged(branch, f" {n}: "), 5,
                       f"{name} breaks off")
            if changes:
                faulty.has(name, other)
            faulty.does(then)
            thread.join()
            status, octets = result[0]
            what = f"{first}, {then}: {status}, {octets}"
            if whole:
                check((status, octets) == (200, len(data)) and got(lab) == data, what)
            else:
                check(status == 503 or (octets <= len(data) - 65536 and data.startswith(got(lab))),
                      f"{what}: visibly short, not mixed")
            if changes:
                faulty.does("answer")
                wait_until(lambda n=name: curl(lab, client, n) == (200, len(other)), 6, f"{what}: the next try", 0.2)
                check(got(lab) == other, f"{what}: the next one has all of the new one")
        check(logged(branch, "another version of it now"), "the log tells why")

        faulty.has("killed", data)
        faulty.does("pace 400000")
        thread = threading.Thread(target=curl, args=(lab, client, "killed"))
        thread.start()
        wait_until(lambda: parts(lab), 5, "it is on its way")
        branch.kill("httpsbootd")
        thread.join()
        check(len(parts(lab)) == 1, "a part of it is left")
        branch.start("httpsbootd")
        check(not parts(lab), "which the next start removes")
        faulty.does("answer")
        check(curl(lab, client, "killed") == (200, len(data)) and got(lab) == data, "and it is fetched anew")


def test_slow_disk():
    """A disk that takes seconds to make a file safe holds up nobody."""
    with Lab("originslow") as lab:
        client, origin, branch = sites(lab, {"url": f"http://{SERVER}:9000/"})
        faulty = Faulty(lab, origin)
        data = random.Random(14).randbytes(2 << 20)
        for name in ("first", "second"):
            faulty.has(name, data)
        branch.start("handlerd", "httpsbootd")
        pid = lab.sh(branch.ns, "ss -Hltnp sport = :8060 | grep -o 'pid=[0-9]*' | head -n 1 | cut -d= -f2").strip()
        lab.spawn(None, ["strace", "-f", "-qq", "-p", pid, "-e", "trace=fdatasync", "-e",
                         "inject=fdatasync:delay_enter=1000000", "-o", lab.path("strace.log")], "strace.err")
        wait_until(lambda: "TracerPid:\t0" not in read(f"/proc/{pid}/status"), 5, "the disk is slow")
        for name in ("first", "second"):
            began = time.monotonic()
            check(curl(lab, client, name) == (200, len(data)) and got(lab) == data, name)
            check(time.monotonic() - began < 0.9, f"{name} took {time.monotonic() - began:.2f} s")
        check(curl(lab, client, "second") == (200, len(data)), "who comes meanwhile has it, too")
        check(len(faulty.asked("second")) == 1, "without asking again")
        check(rpc(branch, "cache.list") == [], "neither is on the shelf yet")
        wait_until(lambda: len(rpc(branch, "cache.list")) == 2, 12, "then both are")


def test_kerberos():
    """An origin that wants Kerberos: Apache, with a KDC of MIT's; the tickets come by a keytab."""
    with Lab("originkrb") as lab:
        client, origin, branch = sites(lab, {"url": f"https://{SERVER}:8443/krb/", "auth": "negotiate", "fresh_s": 0})
        data = random.Random(15).randbytes(12 << 20)
        put(origin, "small", data[:5000])
        put(origin, "big", data)
        for name in ("small", "big"):  # to Apache the ETag of a file of this second is a weak one
            os.utime(f"{origin.root}/{name}", (1e9, 1e9))
        realm = logins.Realm(lab, origin.ns, SERVER, ["branch", "other"])
        apache = logins.Apache(lab, origin.ns, SERVER, realm, origin.root, f"{origin.run}/etc/tls")
        branch.env = {**realm.env, "KRB5_CLIENT_KTNAME": f"{realm.dir}/branch.keytab",
                      "KRB5CCNAME": f"FILE:{realm.dir}/tickets"}
        branch.start("handlerd", "httpsbootd")
        check(curl(lab, client, "small", "-I")[0] == 200, "HEAD")
        check(curl(lab, client, "small") == (200, 5000) and got(lab) == data[:5000], "then GET")
        keeps(branch, "small")
        check(curl(lab, client, "small") == (200, 5000), "then whether it has changed")
        seen = apache.requests("/krb/small")
        check([(x[2], x[4], x[6]) for x in seen if x[4] != "401"] == [
            ("HEAD", "200", f"branch@{logins.REALM}"), ("GET", "200", f"branch@{logins.REALM}"),
            ("GET", "304", f"branch@{logins.REALM}")], f"each by name: {seen}")
        check(len({x[0] for x in seen}) == 1, f"on one connection: {seen}")
        check(len(realm.asked("ISSUE")) == 2, f"with two tickets, the KDC's and the origin's: {realm.asked('')}")

        lab.sh(origin.ns, "tc qdisc add dev eth0 root tbf rate 80mbit burst 256kb latency 100ms")
        result = []
        thread = threading.Thread(target=lambda: result.append(curl(lab, client, "big", "-r", "1000-")))
        thread.start()
        come(branch, 2 << 20)
        apache.stop()
        wait_until(lambda: logged(branch, "big broke off at"), 5, "it is noticed")
        apache.start()
        thread.join()
        check(result == [(206, len(data) - 1000)] and got(lab) == data[1000:], f"taken up: {result}")
        check([x[6] for x in apache.requests("/krb/big") if x[4] == "206"] == [f"branch@{logins.REALM}"],
              "by name as well")

        branch.kill("httpsbootd")
        branch.env.update({"KRB5_CLIENT_KTNAME": f"{realm.dir}/other.keytab", "KRB5CCNAME": f"FILE:{realm.dir}/others"})
        branch.conf["httpsbootd"]["origin"]["cache"] = lab.path("cache2")
        branch.start("httpsbootd")
        check(curl(lab, client, "small")[0] == 502 and b"status 401" in got(lab), f"nobody else: {got(lab)}")
        branch.kill("httpsbootd")
        branch.env.update({"KRB5_CLIENT_KTNAME": "/nonexistent", "KRB5CCNAME": f"FILE:{realm.dir}/none"})
        branch.start("httpsbootd")
        check(curl(lab, client, "small")[0] == 502 and b"is there a ticket" in got(lab), f"nor without one: {got(lab)}")


def test_ntlm():
    """NTLM proves a connection: it is used again, also after HEAD, and a new one is proved for the rest of a file."""
    with Lab("originntlm") as lab:
        with open(lab.path("password"), "w", encoding="ascii") as f:
            f.write("pass word\n")
        client, origin, branch = sites(lab, {
            "url": f"http://{SERVER}:9000/", "auth": "ntlm", "user": "CORP\\anne",
            "password_file": lab.path("password"), "fresh_s": 0})
        faulty = Faulty(lab, origin)
        data = random.Random(16).randbytes(3 << 20)
        faulty.has("small", data[:5000])
        faulty.has("big", data)
        branch.start("handlerd", "httpsbootd")
        faulty.does("ntlm")
        check(curl(lab, client, "small", "-I")[0] == 200, "HEAD")
        check(curl(lab, client, "small") == (200, 5000) and got(lab) == data[:5000], "then GET")
        keeps(branch, "small")
        check(curl(lab, client, "small") == (200, 5000), "then whether it has changed")
        seen = faulty.asked("small")
        check(len({r["port"] for r in seen}) == 1, f"on one connection: {seen}")
        check([r["method"] for r in seen] == ["HEAD", "HEAD", "GET", "GET"], f"with one handshake: {seen}")

        faulty.does("ntlm-short 1500000")
        thread = threading.Thread(target=curl, args=(lab, client, "big"))
        thread.start()
        wait_until(lambda: logged(branch, "big broke off at 1500000 of"), 5, "it is noticed")
        faulty.does("ntlm")
        thread.join()
        check(os.path.getsize(lab.path("got")) == len(data) and got(lab) == data, "a file is taken up")
        rest = [r for r in faulty.asked("big") if "Range" in r["headers"]]
        check(len({r["port"] for r in rest}) == 1 and rest[0]["port"] != seen[0]["port"] and len(rest) == 2 and
              all(r["headers"]["Authorization"].startswith("NTLM ") for r in rest), f"by another handshake: {rest}")


def test_odd():
    """Origins and caches that are not as they should be: clear words, nothing wrong is kept, and it goes on."""
    with Lab("originodd") as lab:
        client, origin, branch = sites(lab, {"url": f"http://{SERVER}:9000/", "timeout_s": 2, "max_bytes": 3 << 20})
        faulty = Faulty(lab, origin)
        data = random.Random(17).randbytes(4 << 20)
        for name, size in (("page", 900), ("page.html", 900), ("near", 70000), ("far", 70000), ("chunks", 2 << 20),
                           ("more", 4 << 20), ("again", 70000), ("slow", 2 << 20), ("empty", 0)):
            faulty.has(name, data[:size])
        branch.start("handlerd", "httpsbootd")

        faulty.does("html")
        check(curl(lab, client, "page")[0] == 502 and b"web page" in got(lab), f"no login form for a file: {got(lab)}")
        check(curl(lab, client, "page.html") == (200, 900), "what is called a page may be one")
        faulty.does(f"redirect http://{SERVER}:9001")
        check(curl(lab, client, "far")[0] == 503, f"no redirect to another server is followed: {got(lab)}")
        faulty.does("answer")
        check(curl(lab, client, "empty") == (200, 0), "an empty file")
        for options in (["-I"], ["-r", "5-9"], []):
            check(curl(lab, client, f"none{len(options)}", *options)[0] == 404, f"what is not there: {options}")
        faulty.does("chunked")
        check(curl(lab, client, "chunks") == (200, 2 << 20) and got(lab) == data[:2 << 20],
              "a file of an unknown size that fits")
        keeps(branch, "page.html", "empty", "chunks")
        check(curl(lab, client, "more")[0] == 507 and b"larger" in got(lab), f"one that does not: {got(lab)}")
        check(not parts(lab), "nothing is left of it")

        # clients give up sooner than the origin does; nobody is left, so it is not tried again
        faulty.does("drip 20")
        check(curl(lab, client, "slow", "-m", "1")[1] < 20, "an octet a second")
        wait_until(lambda: counters(branch)["open"] == 0, 3, "clients that give up are let go")
        wait_until(lambda: logged(branch, "slow: the origin broke off"), 8, "and the origin in the end")
        check(len(faulty.asked("slow")) == 1, "it was asked once")
        faulty.does("answer")
        check(curl(lab, client, "near") == (200, 70000), "others are served")
        keeps(branch, "near", what="and one is kept")

        lab.sh(None, f"rm -r {lab.path('cache')}")
        check(curl(lab, client, "again") == (200, 70000) and got(lab) == data[:70000], "a cache that was removed")
        keeps(branch, "again", "near", what="is made anew")  # the latter is not known to be gone yet
        for name in ("near", "again"):
            check(curl(lab, client, name)[0] == 200, f"{name}, which was in it or is")
        check(logged(branch, "was removed; it was made anew"), "the log tells")


def test_many_names():
    """Names that nobody has: remembered for a moment, and in bounds."""
    with Lab("originnames") as lab:
        client, origin, branch = sites(lab)
        put(origin, "there", b"x" * 1000)
        origin.start("handlerd", "httpsbootd")
        branch.start("handlerd", "httpsbootd")
        pid = lab.sh(branch.ns, "ss -Hltnp sport = :8060 | grep -o 'pid=[0-9]*' | head -n 1 | cut -d= -f2").strip()

        def size():
            return int(lab.sh(None, f"awk '/^VmRSS/ {{print $2}}' /proc/{pid}/status"))

        def storm(first, last):
            out = lab.sh(client, f"curl -s -Z --parallel-max 50 -o /dev/null -w '%{{http_code}}\\n' "
                                 f"'http://{BRANCH}:8060{PATH}/n[{first}-{last}]' 2>/dev/null | sort | uniq -c")
            return out.split()

        check(storm(1, 4200) == ["4200", "404"], "4200 names that are not there")
        before = size()
        check(storm(4201, 8400) == ["4200", "404"], "and as many again")
        check(size() - before < 4000 or "san-" in BUILD,  # which keeps for a while what is freed
              f"no more memory than for the first: {before} kB, {size()} kB")
        check(storm(8391, 8400) == ["10", "404"] and counters(branch)["origin_absent"] == 8400,
              "the origin is not asked again at once")
        check(curl(lab, client, "there") == (200, 1000), "what is there is given")


def test_reach():
    """The second of two origins, by IPv6, when the first one is dead; one whose certificate is of another CA."""
    with Lab("originreach") as lab:
        client, origin, branch = sites(lab, {
            "url": f"https://{SERVER}:9{PATH}/", "more_urls": [f"https://[fd77::10]:8050{PATH}/"]})
        origin.ferryctl("ca", "issue", "--dir", f"{origin.run}/etc", "--out", lab.path("six"), "--address", "fd77::10")
        origin.conf["httpsbootd"].update({"certificate": lab.path("six.pem"), "key": lab.path("six.key")})
        for site, address in ((origin, "fd77::10"), (branch, "fd77::20")):
            lab.sh(site.ns, f"ip addr add {address}/64 dev eth0 nodad")
        origin.conf["httpsbootd"]["address6"] = "fd77::10"
        for name in ("six", "seven"):
            put(origin, name, b"x" * 70000)
        origin.start("handlerd", "httpsbootd")
        branch.start("handlerd", "httpsbootd")
        check(curl(lab, client, "six") == (200, 70000) and got(lab) == b"x" * 70000, "over IPv6")
        check(curl(lab, client, "six", "-I")[0] == 200 and curl(lab, client, "seven", "-I")[0] == 200, "HEAD as well")
        check("client=fd77::20" in read(origin.log("httpsbootd")), "as the origin saw")
        check(len(logged(branch, f"https://{SERVER}:9{PATH}/: ", "[fd77::10]:8050", "is asked")) == 1,
              "the first is left alone for a while")
        branch.kill("httpsbootd")
        other = lab.path("other")
        origin.ferryctl("ca", "init", "--dir", other, "--name", "other.example", "--bits", "2048")
        branch.conf["httpsbootd"]["origin"].update({
            "ca": f"{other}/ca/ca.pem", "cache": lab.path("cache2"), "url": f"https://{SERVER}:8050{PATH}/"})
        branch.start("httpsbootd")
        check(curl(lab, client, "six")[0] == 503 and b"see origin.ca" in got(lab), f"no trust: {got(lab)}")
        wait_until(lambda: [p for p in branch.query("status")["problems"] if "origin.ca" in p], 6,
                   "`ferryctl status` has the problem")
