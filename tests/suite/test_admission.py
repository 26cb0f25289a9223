"""Load and admission (docs/tftp.md): offers wait for a tftpd that has its hands full."""

import json
import os
import random

import dhcp
import test_boot
from lab import Lab, Machine, SERVER, TOP, Failure, check, network, read, wait_until

LOADERS = {"boot/x64/snponly.efi": 300000, "boot/bios/undionly.kpxe": 70000}
CLIENT = "10.77.1.50"


def fill(site):
    """What looks like loaders, and a file that takes long."""
    site.ca()
    for name, size in LOADERS.items():
        os.makedirs(os.path.dirname(f"{site.root}/{name}"), exist_ok=True)
        with open(f"{site.root}/{name}", "wb") as f:
            f.write(b"MZ" + random.Random(size).randbytes(size - 2))
    with open(f"{site.root}/big", "wb") as f:
        f.write(random.Random(1).randbytes(1 << 20))


class Crowd:
    """Clients that keep tftpd's places, until they are asked for the result."""

    def __init__(self, lab, ns, seconds=60, **arguments):
        self.path = lab.path("crowd.log")
        self.end = lab.path("go-home")
        arguments["end"] = self.end
        self.process = lab.spawn(ns, ["python3", f"{TOP}/tests/suite/inside.py", "loading", "crowd",
                                      json.dumps({"address": SERVER, "name": "big", "seconds": seconds,
                                                  **arguments})], "crowd.log")

    def result(self, seconds=5):
        with open(self.end, "w", encoding="ascii"):
            pass
        wait_until(lambda: self.process.poll() is not None, seconds, "the crowd has gone home")
        return json.loads(read(self.path))


def inside(lab, ns, function, **arguments):
    return json.loads(lab.sh(ns, f"python3 {TOP}/tests/suite/inside.py loading {function} "
                                 f"'{json.dumps(arguments)}'"))


def load(site):
    return [s["load"] for s in site.query("status")["services"] if s["daemon"] == "tftpd"][0]


def macs(n, first=0):
    return [f"5254000077{i:02x}" for i in range(first, first + n)]


def firmware(lab, client, who, arch, boot_server, **arguments):
    """Times at which firmware of these addresses is answered; none may be left without."""
    where = {"kind": 3, "to": SERVER, "port": 4011, "source": 4011, "ciaddr": CLIENT} if boot_server else {}
    times = inside(lab, client, "ask_all", macs=who, options=dhcp.firmware(arch).hex(), **{**where, **arguments})
    check(all(times.values()), f"none is left without an answer: {times}")
    check(all(len(t) == 1 for t in times.values()), f"nor gets two: {times}")
    return [t[0] for t in times.values()]


def counters(site):
    """dhcpproxyd's, by its own socket: those that it announces come late."""
    r = site.ferryctl("--socket", f"{site.run}/dhcpproxyd.sock", "--json", "status")
    return json.loads(r)["counters"]


def check_idle(lab, client):
    for arch, boot_server in ((7, True), (7, False), (0, False)):
        t = firmware(lab, client, macs(10), arch, boot_server)
        check(max(t) < 500, f"arch {arch}: answered at once: {t}")


def test_offers_wait():
    """A full tftpd: offers to those that would load from it are spread, none is lost, transfers go on."""
    with Lab("admission") as lab:
        _, _, client, site = network(lab, tftpd={"max_transfers": 10})
        fill(site)
        site.start()
        check_idle(lab, client)
        crowd = Crowd(lab, client, count=10)
        wait_until(lambda: load(site)["permille"] == 1000, 5, "tftpd is full")
        check(load(site)["offers_wait"] and load(site)["transfers"] == 10, f"and says so: {load(site)}")

        # UEFI firmware asks the boot server after 0, 1 and 3 s with one xid, until it is answered; here a
        # little earlier, at times when none of these machines is about to be
        t = firmware(lab, client, macs(40), 7, True, seconds=9, again=[0.95, 2.78])
        check(max(t) < 8500 and min(t) < 1500, f"within the 10 s that it asks: {t}")
        for second in range(0, 8, 2):
            n = len([x for x in t if second * 1000 <= x < second * 1000 + 2000])
            check(n >= 3, f"spread over the whole time: {n} in 2 s after {second} s: {t}")
        # those that cannot wait, or would win nothing by it
        t = firmware(lab, client, macs(10), 7, False)
        check(max(t) < 500, f"UEFI firmware's DISCOVER: {t}")
        t = firmware(lab, client, macs(10), 7, True, secs=2)
        check(max(t) < 500, f"who asks again: {t}")
        r = lab.client(client, "ask", options=dhcp.ipxe().hex())
        check(r and r[0]["ms"] < 500, f"iPXE: {r}")
        t = firmware(lab, client, macs(40, 100), 0, False)
        check(700 < max(t) < 2000, f"a BIOS ROM waits less: {t}")

        boot = site.query("boots", "list", "--machine", "52:54:00:00:77:01")[0]
        shown = site.ferryctl("boots", "show", boot["id"])
        check(" ms: tftpd of subnet lab is at 100.0 %" in shown, f"the timeline tells why:\n{shown}")
        shown = site.ferryctl("status")
        check("offers wait for tftpd of subnet lab: 10 of 10 transfers" in shown, f"status:\n{shown}")
        shown = site.ferryctl("explain", "52:54:00:00:77:01")
        check("tftpd of subnet lab is at 100.0 %" in shown, f"explain:\n{shown}")
        shown = site.ferryctl("transfers")
        check(shown.count(" big ") == 10 and " % " in shown, f"transfers:\n{shown}")
        under_way = site.query("transfers")["transfers"]
        check(all(x["size"] == 1 << 20 and x["blksize"] == 512 and 0 < x["bytes"] < x["size"] and
                  x["bytes_per_s"] > 0 for x in under_way), f"how far each is: {under_way}")
        crowd_boot = under_way[0]["boot"]
        shown = site.ferryctl("boots", "show", crowd_boot)
        check(shown.count("under way: big by tftp, ") == 10, f"the boot has them, too:\n{shown}")

        for one in crowd.result():
            check(one["error"] is None and one["blocks"] > 30 and one["silence"] < 4,
                  f"a transfer in progress goes on: {one}")
        wait_until(lambda: load(site)["permille"] == 0, 5, "tftpd is idle")
        check_idle(lab, client)
        wait_until(lambda: not site.query("transfers")["transfers"], 5, "no transfer is under way")
        ends = [e for e in site.query("boots", "show", crowd_boot)["timeline"] if e["kind"].startswith("transfer-")]
        check(not [e for e in ends if e["kind"] == "transfer-progress"], "timelines are spared progress")
        ends = [e for e in ends if e["kind"] == "transfer-failed"]
        check(len(ends) == 10 and all(e["bytes"] > 0 and e["duration_ms"] > 9000 and e["blksize"] == 512 and
                                      "the client ended it" in e["text"] for e in ends), f"how each ended: {ends}")
        failures = site.query("status")["transfers"]["failures"]
        check([f["count"] for f in failures if "block N of N" in f["reason"]] == [10], f"by reason: {failures}")
        wait_until(lambda: "offers no longer wait" in read(site.log("handlerd")), 12, "the end in the log")
        wait_until(lambda: counters(site)["delayed_again"] >= 40, 5, "the counters")
        c = counters(site)
        check(c["delayed"] >= 70 and c["delayed_not"] == 0 and c["hold_full"] == 0, f"counters: {c}")
        check(site.query("status")["transfers"]["admissions"] == 1, "it began once")
        log = read(site.log("handlerd"))
        check(log.count("admission subnet=lab: ") == 2, "a line when it begins, and one when it ends")


def test_a_new_exchange():
    """A machine that begins anew while its answer waits gets one answer, to what it asked last."""
    with Lab("anew") as lab:
        _, _, client, site = network(lab, tftpd={"max_transfers": 10})
        fill(site)
        site.start()
        Crowd(lab, client, count=10)
        wait_until(lambda: load(site)["permille"] == 1000, 5, "tftpd is full")
        who = macs(8)
        asks = {"macs": who, "kind": 3, "to": SERVER, "port": 4011, "source": 4011, "ciaddr": CLIENT,
                "options": dhcp.firmware(7).hex()}
        early = inside(lab, client, "ask_all", **asks, seconds=0.3)
        waiting = [mac for mac, t in early.items() if not t]
        check(len(waiting) >= 6, f"most wait: {early}")
        t = inside(lab, client, "ask_all", **{**asks, "options": dhcp.ipxe().hex(), "kind": 1, "to": "255.255.255.255",
                                              "port": 67, "source": 68}, seconds=1)
        check(all(t.values()), f"iPXE of the same machines is answered: {t}")
        wait_until(lambda: counters(site)["delayed_dropped"] >= len(waiting), 5, "what waited is gone")
        # at the end of dhcpproxyd what waits leaves
        last = lab.spawn(client, ["python3", f"{TOP}/tests/suite/inside.py", "loading", "ask_all",
                                  json.dumps({**asks, "seconds": 6})], "last.log")
        wait_until(lambda: counters(site)["delayed"] >= 2 * len(waiting), 5, "they wait again")
        site.kill("dhcpproxyd", 15)
        wait_until(lambda: last.poll() is not None, 7, "what became of them")
        t = json.loads(read(lab.path("last.log")))
        check(all(t.values()), f"all were answered when it ended: {t}")


def test_firmware_boots_under_load():
    """OVMF boots while tftpd is nearly full: its answer comes later, iPXE's at once."""
    with Lab("underload") as lab:
        segment = lab.segment("net")
        lab.capture(segment)
        lab.dhcp_server(segment)
        server = lab.host("server", segment, f"{SERVER}/24")
        client = lab.host("client", segment, f"{CLIENT}/24")
        site = test_boot.Site(lab, server, http_port=0, tftpd={"max_transfers": 10},
                              handlerd={"offers": {"admission": 100}})
        test_boot.prepare(site)
        with open(f"{site.root}/big", "wb") as f:
            f.write(bytes(1 << 22))
        site.start()
        crowd = Crowd(lab, client, count=9)
        wait_until(lambda: load(site)["permille"] >= 900, 5, "tftpd is nearly full")
        machine = Machine(lab, segment, "ovmf", mac="52:54:00:12:34:57")
        try:
            wait_until(lambda: site.boots() and site.boots()[0]["phase"] in ("script", "image"), 45,
                       "the boot script is asked for")
        except Failure as e:
            raise Failure(f"{e}\n{site.timeline()}\n{lab.evidence()}") from e
        finally:
            machine.stop()
        lines = site.boot()["timeline"]
        asked = [e for e in lines if e["kind"] == "bootserver"][0]
        check(", delayed " in asked["text"], f"it was to wait: {asked}")
        delay_ms = int(asked["text"].split(", delayed ")[1].split()[0])
        answered = [e for e in lines if e["kind"] == "offer" and e["at_ms"] >= asked["at_ms"]][0]
        loaded = [e for e in lines if e["kind"] == "transfer-finished" and "snponly.efi" in e["file"]]
        check(delay_ms > 6000, f"into the fourth try of its request: {delay_ms}")
        check(delay_ms - 50 <= answered["at_ms"] - asked["at_ms"] < delay_ms + 1000, f"it did: {lines}")
        check(loaded, "and then got its loader")
        ipxe = [e for e in lines if e["kind"] == "discover" and e["file"].startswith("https://")]
        check(ipxe and not [e for e in ipxe if "delayed" in e["text"]], f"iPXE did not wait: {ipxe}")
        for one in crowd.result():
            check(one["error"] is None and one["silence"] < 4, f"a transfer in progress goes on: {one}")
