"""Origins that lead back, break off, are slow, or want a login; more of what test_pull.py is about."""

import os
import threading
import time

from lab import Lab, Site, check, read, wait_until
from test_pull import CLIENT, PATH, counters, logged
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
        check(len(ends) == 12 and all(e[0] == 508 and e[2] < 6 for e in ends.values()), f"each is told: {ends}")
        check(sum(counters(x)["origin_joins"] for x in servers) > 0, "some had met on the way")
        for site in servers:
            wait_until(lambda s=site: counters(s)["open"] == 0, 5, "no request is left")
