"""tftpd through networks that lose, double, delay and swap packets: every transfer completes."""

import concurrent.futures
import hashlib
import json
import os
import random
import re
import time

from clients import rpc
from lab import BUILD, TOP, Lab, SERVER, Site, check, network, read, wait_until
from lossy import Link, plain

SERVER6 = "fd77:1::10"
SINGLE = "10.77.1.11"  # of a tftpd that sends all from port 69

# files whose last block is short, and empty
FILES = {"odd": 100001, "even": 100 * 1024, "short": 30000}

# What happens, how lossy.c is told, the file, and how many DATA packets there may be for each block:
# what is lost is sent again, a window at most.  On a busy host clients are slow, and some of it comes
# again for that: quiet, the first of these rows have 1.0 to 1.1.
LOSSES = (
    ("the request", "drop:rrq:1", "odd", 1.6),
    ("the OACK", "drop:oack:1", "odd", 1.6),
    ("the OACK twice", "drop:oack:1-2", "odd", 1.6),
    ("the first ACK", "drop:ack:1", "odd", 1.6),
    ("the first DATA", "drop:data:1", "odd", 1.6),
    ("the last DATA", "drop:last:1", "odd", 1.6),
    ("the last DATA, empty", "drop:last:1", "even", 1.6),
    ("the last DATA twice", "drop:last:1-2", "odd", 1.6),
    ("the last ACK", "drop:lastack:1", "odd", 1.6),
    ("a packet in the middle, both ways", "drop:down:11 drop:up:6", "odd", 1.6),
    ("two in a row", "drop:data:17-18", "odd", 1.6),
    ("each thirteenth to the client", "drop:down:*13", "odd", 4),
    ("each fifth to the server", "drop:up:*5", "odd", 2),
)
DISORDERS = (
    ("1 %", "drop:down:1% drop:up:1%", "odd", 1.6),
    ("5 %", "drop:down:5% drop:up:5%", "odd", 2.5),
    ("20 %", "drop:down:20% drop:up:20%", "short", 5),
    ("all doubled", "double:down double:up", "odd", 1.6),
    ("requests doubled", "double:rrq", "odd", 1.6),
    ("some doubled", "double:down:10% double:up:10%", "odd", 1.6),
    ("each fifth swapped", "late=1:down:*5", "odd", 12),
    ("some late", "late=3:down:5% late=2:up:3%", "odd", 2),
    ("some very late", "late=9:down:3%", "odd", 2),
    ("a slow path", "delay=50:down", "short", 1.6),
    ("some delayed", "delay=50:down:5% delay=50:up:5%", "odd", 2),
    ("everything", "drop:down:3% drop:up:3% double:down:5% double:up:5% late=2:down:5% delay=10:down:5%", "odd", 6),
)

# programs of others, each by its own way; NAME is the file, AT the server, OUT where it goes
CURL = ("curl", "curl -sS -m 60 -o OUT tftp://AT/NAME")
ATFTP = "atftp --tftp-timeout 2 --option 'blksize 1468' --option 'windowsize 16' --get -r NAME -l OUT AT"
# with a window it ends at an OACK that comes twice, as after the loss of its ACK 0 (RFC 2347), or if the
# host is so busy that it takes long: it asks again then
ATFTP_WINDOWS = ("atftp, windows", f"{ATFTP} || {ATFTP} || {ATFTP}")
PROGRAMS = (
    CURL,
    ATFTP_WINDOWS,
    # it confirms a repeated block once, and then not before so long a silence
    ("atftp", "atftp --tftp-timeout 1 --get -r NAME -l OUT AT"),
    ("tftp-hpa", "tftp -m binary AT -c get NAME OUT"),
    ("busybox", "busybox tftp -g -r NAME -l OUT -b 1024 AT"),
)
OWN = (
    ("lock-step", {}),
    ("RFC 7440", {"options": [["blksize", 1468], ["windowsize", 8]]}),
    ("the largest window", {"options": [["blksize", 512], ["windowsize", 64], ["tsize", 0]]}),
    ("edk2", {"options": [["blksize", 1468], ["windowsize", 4]], "gap": "each", "timeout": 4, "tries": 6,
              "probe": True}),
    ("one that is silent on gaps", {"options": [["blksize", 1024], ["windowsize", 4]], "gap": "never"}),
    ("one that boots at once", {"options": [["blksize", 1428], ["windowsize", 4]], "last_ack": False}),
)


def put_files(site, **files):
    """Files of so many random bytes; their digests."""
    rng = random.Random(7)
    digests = {}
    for name, size in (files or FILES).items():
        data = rng.randbytes(size)
        with open(f"{site.root}/{name}", "wb") as f:
            f.write(data)
        digests[name] = hashlib.sha256(data).hexdigest()
    return digests


def digest(path):
    try:
        with open(path, "rb") as f:
            return hashlib.sha256(f.read()).hexdigest()
    except FileNotFoundError:
        return None


class Run:
    """One bad network, and clients of all kinds that read a file through it at once."""

    def __init__(self, lab, segment, what, rules, name, most, seed, servers=(SERVER,), programs=PROGRAMS, own=OWN,
                 **options):
        self.lab, self.what, self.rules, self.name, self.most = lab, what, rules, name, most
        self.servers, self.commands, self.own = servers, programs, own
        self.link = Link(lab, segment, rules, seed, **options)
        self.running = []
        self.jobs = []
        self.python = None

    def start(self):
        for at in self.servers:
            for program, command in self.commands:
                out = self.lab.path(f"{self.link.n}-{len(self.running)}")
                text = (command.replace("OUT", out).replace("NAME", self.name)
                        .replace("AT", f"[{at}]" if ":" in at else at))
                p = self.lab.spawn(self.link.ns, ["timeout", "60", "bash", "-c", text], f"{os.path.basename(out)}.log")
                self.running.append((program, f"{self.what}: {program} from {at}", out, p))
            for kind, arguments in self.own:
                self.jobs.append((f"{self.what}: {kind} from {at}", dict(arguments, address=at, name=self.name)))
        out = self.lab.path(f"{self.link.n}-own")
        with open(f"{out}.json", "w", encoding="utf-8") as f:
            json.dump({"jobs": [j for _, j in self.jobs]}, f)
        self.python = self.lab.spawn(self.link.ns, [
            "bash", "-c", f"python3 {TOP}/tests/suite/inside.py tftp_client many \"$(cat {out}.json)\" >{out}"],
            f"{os.path.basename(out)}.log")

    def programs_wrong(self, want):
        for program, what, out, p in self.running:
            status = p.wait(timeout=70)
            self.lab.processes.remove(p)
            said = read(out + ".log")
            # where that befalls each try
            if program == ATFTP_WINDOWS[0] and "unexpected OACK" in said and re.search("ack|up", self.rules):
                continue
            if status != 0 or digest(out) != want:
                size = os.path.getsize(out) if os.path.exists(out) else None
                yield f"{what}: status {status}, {size} bytes: {said[-300:]}"

    def own_wrong(self, want):
        self.python.wait(timeout=70)
        self.lab.processes.remove(self.python)
        text = read(self.lab.path(f"{self.link.n}-own"))
        if not text:
            yield f"{self.what}: {read(self.lab.path(f'{self.link.n}-own.log'))}"
            return
        for (what, _), r in zip(self.jobs, json.loads(text)):
            if r.get("sha") != want:
                yield f"{what}: {r}"

    def network_wrong(self, c):
        for rule in self.rules.split():
            action, kind, *when = rule.split(":")
            done = {"drop": "dropped", "double": "doubled", "delay": "delayed", "late": "late"}[action.split("=")[0]]
            # a packet that each transfer has, or those with options
            least = c["transfers"] // 2 if when and when[0].isdigit() else 1
            if c[kind][done] < least:
                yield f"{self.what}: {rule} was done {c[kind][done]} times"
        if c["storms"] > 0 or c["data"]["seen"] > self.most * c["blocks"]:
            short = {k: {a: n for a, n in v.items() if n} if isinstance(v, dict) else v for k, v in c.items()}
            yield f"{self.what}: a storm: {short}"

    def finish(self, digests):
        """Everything that went wrong, and the counts of the network."""
        wrong = [*self.programs_wrong(digests[self.name]), *self.own_wrong(digests[self.name])]
        counts = self.link.counts()
        return wrong + list(self.network_wrong(counts)), counts


def run_all(lab, site, digests, runs):
    """Lets all of them run at once."""
    began = time.monotonic()
    for r in runs:
        r.start()
    wrong = []
    for r in runs:
        faults, counts = r.finish(digests)
        wrong += faults
        print(f"{r.what}: {counts['data']['seen'] / counts['blocks']:.2f} of {r.most}, "
              f"{time.monotonic() - began:.0f} s")
    check(not wrong, "\n".join(wrong))
    check(site.daemons["tftpd"].poll() is None, f"tftpd lives: {read(site.log('tftpd'))[-3000:]}")


def table(rows, name):
    with Lab(name) as lab:
        segment, server, _, site = network(lab)
        plain(lab, server)
        digests = put_files(site)
        site.start("handlerd", "tftpd")
        run_all(lab, site, digests, [Run(lab, segment, *row, seed=n) for n, row in enumerate(rows)])


def test_chosen():
    """The request, the OACK, the first and last of DATA and ACK, any other: each is lost once, or more often."""
    table(LOSSES, "chosen")


def test_random():
    """1, 5 and 20 % are lost, packets come twice, late and in another order, all of it at once."""
    table(DISORDERS, "random")


def test_single_port():
    """The same where all leaves from port 69, and by IPv6."""
    with Lab("single") as lab:
        segment, server, _, site = network(lab, tftpd={"address6": SERVER6})
        plain(lab, server)
        lab.sh(server, f"ip addr add {SINGLE}/24 dev eth0; ip addr add {SERVER6}/64 dev eth0 nodad")
        single = Site(lab, server, SINGLE, "single", tftpd={"transfer_ports": 69})
        digests = put_files(site)
        check(put_files(single) == digests, "the same files")
        site.start("handlerd", "tftpd")
        single.start("handlerd", "tftpd")
        rows = [row for row in LOSSES + DISORDERS if row[0] in (
            "the OACK", "the first DATA", "the last DATA, empty", "the last ACK", "each fifth to the server", "5 %",
            "requests doubled")]
        runs = [Run(lab, segment, *row, seed=n, servers=(SINGLE,)) for n, row in enumerate(rows)]
        runs += [Run(lab, segment, *row, seed=n, servers=(SERVER6,), programs=(CURL,)) for n, row in enumerate(rows)]
        run_all(lab, site, digests, runs)
        log = read(single.log("tftpd"))
        check(log.count("result=done") > 40, f"they were served by it: {log[-2000:]}")


def test_handlerd_killed():
    """kill -9 of handlerd during 1,000 transfers, and its return: all of them complete."""
    load, size = f"{BUILD}/tests/bench/tftp_load", 500000
    with Lab("killed") as lab:
        _, server, client, site = network(lab)
        lab.sh(client, "ip route add local 10.78.0.0/16 dev lo")
        lab.sh(server, "ip route add 10.78.0.0/16 via 10.77.1.50")
        lab.sh(None, f"{load} --write {size} >{site.root}/big")
        site.start("handlerd", "tftpd")

        def counters():
            return rpc(f"{site.run}/tftpd.sock", "status")["result"]["counters"]

        # a new one every 2 ms: some are under way, some ask while nobody decides
        p = lab.spawn(client, [load, "--net", "10.78.0.1", "--server", SERVER, "--file", "big", "--size", str(size),
                               "--clients", "1000", "--blksize", "1468", "--windowsize", "4", "--stagger", "2000",
                               "--limit", "60"], "load.log")
        wait_until(lambda: counters()["started"] > 200, 20, "transfers under way")
        site.kill("handlerd")
        before = counters()
        check(before["started"] < 1000 and before["transfers"] > 0, f"it was amidst them: {before}")
        wait_until(lambda: counters()["unanswered"] > 0, 20, "requests that nobody decides in time")
        site.start("handlerd")
        p.wait(timeout=70)
        lab.processes.remove(p)
        r = json.loads(read(lab.path("load.log")).splitlines()[-1])
        check(r["clients"] == 1000 and r["failed"] == 0 and r["differ"] == 0, f"all have the file: {r}")
        after = counters()
        check(after["finished"] == 1000 and after["failed"] == 0, f"tftpd says so too: {after}")
        check(after["rrq"] > 1000, f"some had to ask again: {after}")
        check(after["bus_asked"] >= 1000 and after["bus_expired"] == after["unanswered"] and after["events"] >= 2000,
              f"what the threads asked and told is counted: {after}")
        wait_until(lambda: site.query("status")["services"], 10, "handlerd to know tftpd again")


def read_as_firmware(lab, ns, address, name, want, options, attempts=3):
    """Asks again from the start, as firmware does, until it has the file; what was agreed at each try."""
    agreed = []
    for _ in range(attempts):
        r = lab.client(ns, "get", "tftp_client", address=address, name=name, options=options, timeout=2, tries=5)
        agreed.append(int((r["oack"] or {}).get("blksize", "512")))
        if "sha" in r:
            check(r["sha"] == want, f"the contents: {r}")
            break
    return agreed


def test_small_packets():
    """A way on which large packets vanish: the client asks again, and is offered blocks that pass."""
    with Lab("smallmtu") as lab, concurrent.futures.ThreadPoolExecutor(8) as pool:
        segment, server, _, site = network(lab, tftpd={"address6": SERVER6})
        plain(lab, server)
        lab.sh(server, f"ip addr add {SERVER6}/64 dev eth0 nodad")
        want = put_files(site)["odd"]
        site.start("handlerd", "tftpd")
        options = [["tsize", 0], ["blksize", 1468], ["windowsize", 4]]

        def read_twice(link, at):
            first = read_as_firmware(lab, link.ns, at, "odd", want, options)
            return first, read_as_firmware(lab, link.ns, at, "odd", want, options)

        tries = []
        for mtu in (1400, 1280):
            for at, headers in ((SERVER, 32), (SERVER6, 52)):
                link = Link(lab, segment, "", mtu=mtu)
                tries.append((f"{at}, {mtu}", link, mtu - headers, pool.submit(read_twice, link, at)))
        for what, link, most, future in tries:
            first, again = future.result()
            check(first[0] > most >= first[-1] >= 512, f"{what}: it was lowered to what passes: {first}")
            check(again == first[-1:], f"{what}: it is remembered: {again}")
            check(link.counts()["too_big"] > 0, f"{what}: packets did vanish")
        # who asks for less has nothing to learn
        link = Link(lab, segment, "", mtu=1280)
        check(read_as_firmware(lab, link.ns, SERVER, "odd", want, [["blksize", 1024]]) == [1024], "a small block")
        check(read_as_firmware(lab, link.ns, SERVER, "odd", want, []) == [512], "no option")
        check(link.counts()["too_big"] == 0, "nothing vanished")


def test_router_with_small_packets():
    """A router whose other side takes small packets alone cuts them up, or says so: transfers go on."""
    with Lab("tunnel") as lab:
        near, far = lab.segment("near"), lab.segment("far")
        server = lab.host("server", near, f"{SERVER}/24")
        router = lab.host("router", near, "10.77.1.1/24")
        lab.plug(router, far, "10.77.2.1/24", "eth1")
        client = lab.host("client", far, "10.77.2.50/24")
        lab.sh(router, "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1; "
                       "ip addr add fd77:1::1/64 dev eth0 nodad; ip addr add fd77:2::1/64 dev eth1 nodad; "
                       "ip link set eth1 mtu 1280")
        lab.sh(server, f"ip addr add {SERVER6}/64 dev eth0 nodad; ip route add default via 10.77.1.1; "
                       "ip -6 route add default via fd77:1::1")
        lab.sh(client, "ip addr add fd77:2::50/64 dev eth0 nodad; ip route add default via 10.77.2.1; "
                       "ip -6 route add default via fd77:2::1")
        site = Site(lab, server, tftpd={"address6": SERVER6})
        digests = put_files(site)
        site.start("handlerd", "tftpd")
        for at in (SERVER, SERVER6):
            for options in ([], [["blksize", 1468]], [["blksize", 1468], ["windowsize", 16]]):
                agreed = read_as_firmware(lab, client, at, "odd", digests["odd"], options)
                check(len(agreed) <= 2, f"{at}, {options}: {agreed}")
        agreed = read_as_firmware(lab, client, SERVER6, "odd", digests["odd"], [["blksize", 1468]])
        check(agreed == [1280 - 52], f"the router was heard: {agreed}")
