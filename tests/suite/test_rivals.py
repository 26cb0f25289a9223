"""Other DHCP and PXE servers on the wire, yielding to one, and limits: what is seen and told."""

import glob
import json
import os
import shutil
import signal
import time

import dhcp
from booting import Booting
from lab import BIN, CACHE, DHCP, SERVER, Lab, Machine, Site, check, loaders, network, read, wait_until
from test_adaptive import Firmware
from test_boot import boot, check_story, prepare
from test_http import curl

RIVAL = "10.77.1.3"
PROXY = [f"--dhcp-range={RIVAL},proxy", "--pxe-service=x86-64_EFI,evil,evil/loader.efi",
         "--pxe-service=BC_EFI,evil,evil/loader.efi", "--pxe-service=X86PC,evil,evil/pxelinux"]
UEFI, BIOS, IPXE = dhcp.firmware(7), dhcp.firmware(0), dhcp.ipxe()


def tool(name):
    """A program in PATH, or of a package that was only unpacked."""
    found = shutil.which(name) or next(iter(glob.glob(f"{CACHE}/tools/*/usr/sbin/{name}")), None)
    check(found, f"{name} is neither in PATH nor below {CACHE}/tools")
    return found


def dnsmasq(lab, ns, *options, name="rival"):
    """dnsmasq with these options; it answers at once."""
    log = f"{name}.log"
    before = read(lab.path(log)).count("started, version")
    p = lab.spawn(ns, ["dnsmasq", "-k", "--conf-file=/dev/null", "--port=0", "--log-dhcp",
                       "--log-facility=-", "--user=root", "--no-ping",
                       f"--dhcp-leasefile={lab.path(name + '.leases')}",
                       f"--pid-file={lab.path(name + '.pid')}", *options], log)
    wait_until(lambda: read(lab.path(log)).count("started, version") > before, 10, "dnsmasq")
    return p


def isc(lab, ns, extra=""):
    """ISC dhcpd, with more lines of its configuration."""
    with open(lab.path("dhcpd.conf"), "w", encoding="utf-8") as f:
        f.write("ping-check false; authoritative;\nsubnet 10.77.1.0 netmask 255.255.255.0 "
                f"{{ range 10.77.1.100 10.77.1.199; {extra} }}\n")
    with open(lab.path("dhcpd.leases"), "w", encoding="utf-8"):
        pass
    p = lab.spawn(ns, [tool("dhcpd"), "-4", "-f", "-d", "-cf", lab.path("dhcpd.conf"), "-lf",
                       lab.path("dhcpd.leases"), "-pf", lab.path("dhcpd.pid"), "eth0"], "dhcpd.log")
    wait_until(lambda: "Sending on" in read(lab.path("dhcpd.log")), 10, "dhcpd")
    return p


def kea(lab, ns, **subnet):
    """ISC Kea, with more keys of its subnet."""
    conf = {"Dhcp4": {
        "interfaces-config": {"interfaces": ["eth0"]},
        "lease-database": {"type": "memfile", "persist": False},
        "subnet4": [{"id": 1, "subnet": "10.77.1.0/24",
                     "pools": [{"pool": "10.77.1.100 - 10.77.1.199"}], **subnet}],
        "loggers": [{"name": "kea-dhcp4", "severity": "INFO", "output_options": [{"output": "stdout"}]}]}}
    with open(lab.path("kea.json"), "w", encoding="utf-8") as f:
        json.dump(conf, f)
    env = dict(os.environ, KEA_PIDFILE_DIR=lab.dir, KEA_LOCKFILE_DIR="none")
    p = lab.spawn(ns, [tool("kea-dhcp4"), "-c", lab.path("kea.json")], "kea.log", env=env)
    wait_until(lambda: "DHCP4_STARTED" in read(lab.path("kea.log")), 10, "kea")
    return p


class Wire:
    """A lab with a server, a client, and what else answers there."""

    def __init__(self, name, **options):
        self.lab = Lab(name)
        self.segment, self.server, self.client, self.site = network(self.lab, **options)
        # only what clients bring about, but where a test is about asking
        self.site.conf["dhcpproxyd"].setdefault("probe_servers_s", 0)
        self.log = self.site.log("dhcpproxyd")

    def __enter__(self):
        self.lab.__enter__()
        return self

    def __exit__(self, *args):
        self.lab.__exit__(*args)

    def start(self, *daemons):
        shutil.copytree(loaders(), self.site.root, dirs_exist_ok=True)
        self.site.ca()
        self.site.start(*daemons)

    def rival(self, address=RIVAL, name="rival"):
        return self.lab.host(name, self.segment, f"{address}/24")

    def ask(self, options, mac="020000000001", seconds=3, **more):
        """The offers, by who sent them."""
        replies = self.lab.client(self.client, "ask", options=options.hex(), mac=mac, seconds=seconds, **more)
        return {r["from"][0]: r for r in replies}

    def seen(self, address, kind=None, seconds=5):
        """What handlerd knows of a server; or of what it sends to one kind of client."""
        def find():
            for s in self.site.query("rivals"):
                if s["address"] == address and (not kind or [c for c in s["clients"] if c["client"] == kind]):
                    return s
            return None
        wait_until(find, seconds, f"{address} is seen, {kind}: {self.site.query('rivals')}")
        s = find()
        return [c for c in s["clients"] if c["client"] == kind][0] if kind else s

    def told(self, address, level="warning"):
        """The log's lines about a server."""
        return [x for x in read(self.log).splitlines()
                if f" {level}: server address={address} " in x]

    def counters(self):
        socket, self.site.socket = self.site.socket, f"{self.site.run}/dhcpproxyd.sock"
        try:
            return self.site.query("status")["counters"]
        finally:
            self.site.socket = socket


def test_plain_dhcp_server():
    """A DHCP server that knows nothing of booting is a known server and no rival."""
    with Wire("plain") as w:
        ns = w.lab.dhcp_server(w.segment, extra=["--no-ping"])
        w.start()
        check(set(w.ask(UEFI)) == {DHCP, SERVER}, "both answer")
        w.ask(b"", mac="020000000002")
        s = w.seen(DHCP, "any") and w.seen(DHCP)
        check(s["kind"] == "dhcp" and s["effect"] == "plain" and s["cure"] == "", f"{s}")
        check(s["interface"] == "eth0" and s["subnet"] == "lab" and s["usual"], f"{s}")
        check({c["client"]: c["sends"] for c in s["clients"]} == {"any": "address", "uefi": "address"}, f"{s}")
        mac = w.lab.sh(ns, "cat /sys/class/net/eth0/address").strip()
        check(s["mac"] == mac, f"{s['mac']} is not {mac}")
        check(w.told(DHCP) == [] and len(w.told(DHCP, "info")) == 2, "it is told of without alarm")
        check(not [x for x in w.site.query("status")["problems"] if DHCP in x], "and no problem")
        check(w.counters()["rival_offers"] == 0 and w.counters()["server_packets"] >= 2, f"{w.counters()}")


def test_boot_file():
    """A DHCP server with a boot file: what that does to each kind of firmware, and once in the log."""
    with Wire("bootfile") as w:
        ns = w.rival(DHCP, "dhcp")
        isc(w.lab, ns, 'next-server 10.77.1.9; filename "other/loader.efi";')
        w.start()
        for i, options in enumerate((UEFI, BIOS, IPXE, dhcp.firmware(16, b"HTTPClient"))):
            r = w.ask(options, mac=f"02000000000{i}")
            check(set(r) == {DHCP, SERVER}, f"both answer: {r}")
        for _ in range(3):
            w.ask(UEFI)
        want = {"uefi": "loses", "bios": "races", "ipxe": "loses", "uefi-http": "plain"}
        for kind, effect in want.items():
            c = w.seen(DHCP, kind)
            check(c["effect"] == effect and c["file"] == "other/loader.efi", f"{c}")
            check(c["next_server"] == "10.77.1.9" and "boot-file" in c["sends"], f"{c}")
        s = w.seen(DHCP)
        check(s["kind"] == "dhcp+boot" and s["effect"] == "races" and "option 67" in s["cure"], f"{s}")
        check(len(w.told(DHCP)) == 3, f"a warning for each that it may harm, once: {w.told(DHCP)}")
        check(" next=10.77.1.9 file=other/loader.efi effect=loses: " in w.told(DHCP)[0], w.told(DHCP)[0])
        text = w.site.ferryctl("rivals", "show", DHCP)
        check("for uefi: " in text and "boot file    other/loader.efi" in text and "to cure it" in text, text)
        check(w.site.ferryctl("rivals", "forget", DHCP).strip() == "forgotten: 1", "it is forgotten")
        check(w.site.query("rivals") == [] and "no other server" in w.site.ferryctl("rivals"), "it is gone")
        p = w.site.ferryctl("rivals", "forget", "10.9.9.9", ok=False)
        check(p.returncode == 1 and 'no server "10.9.9.9" was seen' in p.stderr, p.stderr)


def test_option_60():
    """A DHCP server that sends option 60 itself takes UEFI firmware away: a problem, until it is cured."""
    with Wire("option60") as w:
        ns = w.rival(DHCP, "dhcp")
        p = isc(w.lab, ns, 'option vendor-class-identifier "PXEClient";')
        w.start()
        check(set(w.ask(UEFI)) == {DHCP, SERVER}, "both answer")
        c = w.seen(DHCP, "uefi")
        check(c["effect"] == "wins" and "option-60-PXEClient" in c["sends"], f"{c}")
        check("does not look at any proxy" in c["words"] and "option 60" in c["cure"], f"{c}")
        problems = w.site.query("status")["problems"]
        check([x for x in problems if x.startswith(f"server {DHCP} ") and "take option 60" in x], f"{problems}")
        w.ask(BIOS, mac="020000000002")
        check(w.seen(DHCP, "bios")["effect"] == "wins", "most ROMs are lost, too")
        # the first cure: the requests to port 4011 come here
        w.lab.stop(p)
        p = isc(w.lab, ns, f'option vendor-class-identifier "PXEClient"; next-server {SERVER};')
        w.ask(UEFI, mac="020000000003")
        wait_until(lambda: w.seen(DHCP, "uefi")["effect"] == "leads-here", 5, "the first cure is seen")
        # the other one
        w.lab.stop(p)
        isc(w.lab, ns)
        w.ask(UEFI, mac="020000000004")
        w.ask(BIOS, mac="020000000005")
        wait_until(lambda: w.seen(DHCP)["effect"] == "plain", 5, "the second cure is seen")
        check([x for x in w.told(DHCP, "info") if " changed" in x], "the log tells")
        check(not [x for x in w.site.query("status")["problems"] if DHCP in x], "no problem any more")


def test_proxy():
    """Another proxy beside us: named, with what becomes of clients; a sibling is none."""
    with Wire("proxy", dhcpproxyd={"siblings": ["10.77.1.4"]}) as w:
        dnsmasq(w.lab, w.rival(), *PROXY)
        sibling = dnsmasq(w.lab, w.rival("10.77.1.4", "sibling"), "--dhcp-range=10.77.1.4,proxy",
                          "--pxe-service=x86-64_EFI,x,boot/x64/snponly.efi", name="sibling")
        w.start()
        check(set(w.ask(UEFI)) == {RIVAL, "10.77.1.4", SERVER}, "all three answer")
        c = w.seen(RIVAL, "uefi")
        check(c["effect"] == "races" and "address" not in c["sends"].split(","), f"{c}")
        check(w.seen(RIVAL)["kind"] == "proxy" and "yield_to" in w.seen(RIVAL)["cure"], "what helps")
        s = w.seen("10.77.1.4")
        check(s["sibling"] and s["kind"] == "bootferry", f"{s}")
        check(len(w.told(RIVAL)) == 1 and w.told("10.77.1.4") == [], "one warning")
        check(len(w.told("10.77.1.4", "info")) == 1, "and one line about the sibling")
        check("ours" in w.site.ferryctl("rivals"), "which people see")
        w.lab.stop(sibling)


def test_new_server():
    """A server that was not there before is an alarm; one that is expected or accepted is not."""
    with Wire("newserver", handlerd={"learn_servers_h": 0},
              dhcpproxyd={"expected_servers": [DHCP]}) as w:
        w.lab.dhcp_server(w.segment, extra=["--no-ping"])
        w.start()
        watch = w.lab.spawn(None, [f"{BIN}/ferryctl", "--socket", w.site.socket, "--json", "boots", "watch"],
                            "watch.log")
        w.ask(UEFI)
        check(w.seen(DHCP)["expected"], "it is expected")
        log = w.site.log("handlerd")
        check("new server" not in read(log), "which is no alarm")
        dnsmasq(w.lab, w.rival(), *PROXY)
        w.ask(UEFI, mac="020000000002")
        s = w.seen(RIVAL, "uefi") and w.seen(RIVAL)
        check(not s["usual"] and "NEW" in w.site.ferryctl("rivals"), f"{s}")
        wait_until(lambda: f"warning: new server address={RIVAL} " in read(log), 5, "the alarm in the log")
        wait_until(lambda: '"server-new"' in read(w.lab.path("watch.log")), 5, "and for those who watch")
        check(f'"{RIVAL}"' in read(w.lab.path("watch.log")), "with its address")
        check(read(log).count("new server address=") == 1, "once")
        check(w.site.ferryctl("rivals", "accept", RIVAL).strip() == "accepted: 1", "accepted")
        check(w.seen(RIVAL)["usual"], "it is usual now")
        w.lab.stop(watch)
        # a restart forgets nothing of it
        w.site.kill("handlerd")
        w.site.start("handlerd")
        check(w.seen(RIVAL)["usual"] and w.seen(RIVAL)["first_ms"] == s["first_ms"], "it is remembered")
        time.sleep(1)
        w.ask(UEFI, mac="020000000003")
        check(read(log).count("new server address=") == 1, "no second alarm")


def test_probe():
    """Kea answers clients by unicast frames: it is seen when we ask, at the start and on demand, by no other."""
    with Wire("probe", dhcpproxyd={"probe_servers_s": 3600}) as w:
        kea(w.lab, w.rival(DHCP, "dhcp"), **{
            "next-server": "10.77.1.9", "boot-file-name": "other/loader.efi",
            "option-data": [{"name": "vendor-class-identifier", "data": "PXEClient", "always-send": True}]})
        w.lab.capture(w.segment)
        w.start()
        s = w.seen(DHCP, "ipxe", 15) and w.seen(DHCP)
        effects = {c["client"]: c["effect"] for c in s["clients"]}
        check(effects == {"bios": "wins", "uefi": "wins", "uefi-http": "plain", "ipxe": "races"}, f"{effects}")
        check(s["clients"][0]["file"] == "other/loader.efi" and s["clients"][0]["next_server"] == "10.77.1.9", f"{s}")
        check([x for x in w.site.query("status")["problems"] if x.startswith(f"server {DHCP} ")], "a problem")
        asked = f"tcpdump -nn -r {w.lab.path('packets.pcap')} src host 0.0.0.0 and dst port 67 2>/dev/null | wc -l"
        check(int(w.lab.sh(None, asked)) == 4, "four DISCOVERs at the start")
        socket, w.site.socket = w.site.socket, f"{w.site.run}/dhcpproxyd.sock"
        check(w.lab.client(w.client, "rpc", path=w.site.socket, method="rivals.probe")["result"] == 1, "asked")
        w.site.socket = socket
        wait_until(lambda: int(w.lab.sh(None, asked)) == 8, 5, "four more")
        wait_until(lambda: w.counters()["server_packets"] >= 8, 5, "answered again")
        # a neighbour hears our question and makes no boot or machine of it
        second = Site(w.lab, w.lab.host("second", w.segment, "10.77.1.11/24"), address="10.77.1.11", name="second")
        shutil.copytree(loaders(), second.root, dirs_exist_ok=True)
        second.start("handlerd", "dhcpproxyd")
        wait_until(lambda: [s for s in second.query("rivals") if s["address"] == DHCP], 10, "the neighbour asks, too")
        check(w.site.boots() == [] and second.boots() == [], "and no boot comes of it")
        check(w.counters()["discovers"] == 0 and w.counters()["ignored"] >= 4, f"{w.counters()}")


def test_same_host():
    """A DHCP server on our own host is seen, too, and what it sends goes out all the same."""
    with Wire("samehost") as w:
        isc(w.lab, w.server, 'option vendor-class-identifier "PXEClient";')
        w.start()
        r = w.lab.client(w.client, "ask", options=UEFI.hex())
        check(len(r) == 2 and {x["yiaddr"] == "0.0.0.0" for x in r} == {True, False}, f"two offers: {r}")
        c = w.seen(SERVER, "uefi")
        check(c["effect"] == "wins" and c["offers"] == 1, f"the DHCP server's, and not ours: {c}")


def test_flood_of_servers():
    """Who poses as ever new servers fills neither table nor log nor store, and clients are served meanwhile."""
    with Wire("flood", handlerd={"learn_servers_h": 0}) as w:
        w.start()
        flood = w.lab.spawn(w.lab.host("other", w.segment, "10.77.1.60/24"),
                            ["python3", os.path.join(os.path.dirname(os.path.abspath(__file__)), "inside.py"), "clients",
                             "pose_as_servers", json.dumps({"n": 30000, "seed": 7})], "flood.log")
        for i in range(5):
            check(w.ask(UEFI, mac=f"02000000000{i}").get(SERVER), f"a client is served: {read(w.lab.path('flood.log'))}")
        flood.wait(timeout=60)
        w.lab.processes.remove(flood)
        check(read(w.lab.path("flood.log")).strip() == "30000", "all were sent")
        c = w.counters()
        check(c["server_packets"] > 20000, f"they were seen: {c}")
        mine = w.lab.client(w.client, "rpc", path=f"{w.site.run}/dhcpproxyd.sock", method="rivals")["result"]
        check(len(mine) == 256 and c["servers_forgotten"] > 100, f"{len(mine)} are remembered: {c}")
        lines = len([x for x in read(w.log).splitlines() if ": server address=" in x])
        check(20 < lines < 150, f"{lines} lines in the log")
        time.sleep(1)
        check(len(w.site.query("rivals")) <= lines, "handlerd knows those that were told")
        check(w.site.query("status")["store"]["records"] < 1000, "the store is not filled")
        check(w.ask(UEFI, mac="020000000009").get(SERVER), "clients are served")


def test_yield():
    """The server of yield_to has the first word; when it is gone, we step in, for iPXE within 1 s."""
    with Wire("yield", dhcpproxyd={"yield_to": [RIVAL], "yield_ms": 1500}) as w:
        p = dnsmasq(w.lab, w.rival(), *PROXY)
        w.start()
        r = w.ask(UEFI)
        check(set(r) == {RIVAL}, f"the other one answers: {r}")
        wait_until(lambda: w.counters()["yielded"] == 1, 5, "which we leave it at")
        r = w.ask(dhcp.firmware(16, b"HTTPClient"), mac="020000000002", seconds=4)
        check(set(r) == {SERVER} and r[SERVER]["ms"] >= 1500, f"it says nothing to HTTP Boot: we step in: {r}")
        check(w.told(RIVAL) == [] and w.seen(RIVAL)["expected"], "it is known, and no alarm")
        w.lab.stop(p)
        r = w.ask(UEFI, mac="020000000003", seconds=4)
        check(set(r) == {SERVER} and 1500 <= r[SERVER]["ms"] < 2500, f"it is gone: we step in: {r}")
        r = w.ask(IPXE, mac="020000000003", seconds=4)
        check(set(r) == {SERVER} and 890 <= r[SERVER]["ms"] < 1500, f"iPXE does not wait so long: {r}")
        c = w.counters()
        check(c["yielded"] == 1 and c["stepped_in"] == 3, f"{c}")
        # a DHCP server's plain offer is no answer that we would yield to
        w.lab.dhcp_server(w.segment, address="10.77.1.2", extra=["--no-ping"])
        w.site.conf["dhcpproxyd"]["yield_to"] = [DHCP]
        w.site.kill("dhcpproxyd", signal.SIGTERM)
        w.site.start("dhcpproxyd")
        check(set(w.ask(UEFI, mac="020000000005", seconds=1)) == {DHCP}, "the DHCP server at once")
        wait_until(lambda: w.counters()["stepped_in"] == 1, 5, "and we after it")


def rules_out(w, n, **options):
    """Sends n DISCOVERs of one client at once; how many came to handlerd."""
    before = w.site.query("status")["bus"]["requests"]
    w.lab.client(w.client, "burst", n=n, **options)
    time.sleep(0.5)
    return w.site.query("status")["bus"]["requests"] - before


def test_limits():
    """Rates of a client and of all: counted by reason, one line in the log, others are not hurt."""
    with Wire("limits", dhcpproxyd={"client_rate": 10, "client_burst": 20}) as w:
        w.start()
        passed = rules_out(w, 500, options=UEFI.hex())
        check(20 <= passed <= 30, f"of one client {passed} passed")
        check(w.ask(UEFI, mac="020000000002"), "another one is served")
        c = w.counters()
        check(c["client_rate"] == 500 - passed and c["total_rate"] == 0, f"{c}")
        wait_until(lambda: "dropped in the last 10 s: " in read(w.log), 15, "the log tells")
        lines = [x for x in read(w.log).splitlines() if "dropped in the last" in x]
        check(len(lines) == 1 and f"{500 - passed} over client_rate" in lines[0], f"once: {lines}")
        wait_until(lambda: f"dropped by dhcpproxyd of subnet lab: {500 - passed} client_rate\n" in
                   w.site.ferryctl("status"), 5, f"and the status: {w.site.ferryctl('status')}")
        check(rules_out(w, 500, options=UEFI.hex(), machines=500) == 500, "500 machines at once are a storm")
        # a reload changes the limits
        w.site.conf["dhcpproxyd"].update({"client_rate": 0, "total_rate": 5, "total_burst": 50})
        with open(f"{w.site.run}/dhcpproxyd.json", "w", encoding="utf-8") as f:
            json.dump(w.site.conf["dhcpproxyd"], f)
        w.site.daemons["dhcpproxyd"].send_signal(signal.SIGHUP)
        time.sleep(0.5)
        passed = rules_out(w, 500, options=UEFI.hex(), machines=500)
        check(50 <= passed <= 60, f"of all {passed} passed")
        check(w.counters()["total_rate"] == 500 - passed, f"{w.counters()}")


def test_default_limits():
    """The defaults leave load tests alone: perfdhcp, 2,000 a second of 1,000 clients."""
    with Wire("nolimits") as w:
        w.start()
        w.lab.sh(w.client, f"timeout 60 perfdhcp -4 -i -r 2000 -p 5 -R 1000 -W 500000 "
                           f"-o 60,{b'PXEClient:Arch:00007:UNDI:003000'.hex()} -o 93,0007 "
                           f"-o 94,010300 {SERVER}", check_status=False)
        c = w.counters()
        check(c["discovers"] >= 8000 and c["client_rate"] == 0 and c["total_rate"] == 0, f"{c}")


def test_admission():
    """Who is served is up to rules, at the DISCOVER: by MAC, vendor part, architecture, relay, circuit-id."""
    with Booting("admission", rules=[
            {"name": "this-one", "when": {"stage": ["discover"], "mac": ["02:00:00:00:00:01"]}, "action": "ignore"},
            {"name": "cameras", "when": {"stage": ["discover"], "mac": ["02:ca:fe"]}, "action": "ignore"},
            {"name": "no-arm", "when": {"stage": ["discover"], "arch": ["arm64"]}, "action": "ignore"},
            {"name": "no-http", "when": {"stage": ["discover"], "arch": ["16"]}, "action": "ignore"},
            {"name": "port-7", "when": {"stage": ["discover"], "circuit_id": ["Gi1/0/7"]}, "action": "ignore"},
            {"name": "port-binary", "when": {"stage": ["discover"], "circuit_id": ["0x000400fe*"]}, "action": "ignore"},
            {"name": "stack-2", "when": {"stage": ["discover"], "remote_id": ["switch-2"]}, "action": "ignore"},
            {"name": "lab-relay", "when": {"stage": ["discover"], "relay": ["10.77.1.50"]}, "action": "serve"},
            {"name": "only-these", "when": {"stage": ["discover"]}, "unless": {"mac": ["02:00:00"]},
             "action": "ignore"}]) as b:
        shutil.copytree(loaders(), b.site.root, dirs_exist_ok=True)
        b.start("handlerd", "dhcpproxyd")

        def ask(mac, options=UEFI, circuit=None, remote=None):
            more = {}
            if circuit is not None or remote is not None:
                info = (dhcp.option(1, circuit) if circuit else b"") + (dhcp.option(2, remote) if remote else b"")
                options = options + dhcp.option(82, info)
                more = {"to": SERVER, "giaddr": "10.77.1.50", "source": 67}
            uuid = bytes(1) + bytes.fromhex(mac).rjust(16, b"\x22")
            r = b.lab.client(b.client, "ask", options=options.replace(dhcp.UUID, uuid).hex(), mac=mac, seconds=1,
                             **more)
            rule = b.why(":".join(mac[i:i + 2] for i in range(0, 12, 2)), "discover")[0]
            return bool(r), rule

        check(ask("020000000001") == (False, "this-one"), "denied by MAC")
        check(ask("02cafe000001") == (False, "cameras"), "denied by the vendor part")
        check(ask("020000000002", dhcp.firmware(11)) == (False, "no-arm"), "denied by CPU")
        check(ask("020000000003", dhcp.firmware(16, b"HTTPClient")) == (False, "no-http"), "by number")
        check(ask("020000000004", circuit=b"Gi1/0/7") == (False, "port-7"), "denied by circuit-id")
        check(ask("020000000005", circuit=b"\x00\x04\x00\xfe\x01\x02") == (False, "port-binary"), "that does not print")
        check(ask("020000000006", circuit=b"Gi1/0/8", remote=b"switch-2") == (False, "stack-2"), "by remote-id")
        check(ask("0a0000000007", circuit=b"Gi1/0/9") == (True, "lab-relay"), "allowed by relay")
        check(ask("0a0000000008") == (False, "only-these"), "all others are denied")
        check(ask("020000000009")[0], "but those of this vendor part")


def test_loop_guard():
    """A machine that fetches its loader again and again is held: silence, a script that says so, and an end."""
    with Lab("guard") as lab:
        _, _, client, site = network(lab, handlerd={"loop_guard": {"fetches": 3, "hold_s": 20}})
        shutil.copytree(loaders(), site.root, dirs_exist_ok=True)
        site.ca()
        site.start()
        pc, other = Firmware(lab, client, site, 1), Firmware(lab, client, site, 2)
        loader = pc.discover()
        pc.fetch(loader)
        pc.fetch(loader)
        other.discover()
        other.fetch(loader)
        check(pc.discover(), "twice is no loop")
        pc.fetch(loader)
        held = time.monotonic()
        wait_until(lambda: site.query("loops"), 5, "the third time is one")
        ask = {"options": pc.options, "mac": pc.mac, "seconds": 1}
        check(lab.client(client, "ask", **ask) == [], "no offer")
        check(lab.client(client, "ask", **ask, kind=3, to=SERVER, port=4011, ciaddr=pc.address) == [], "nor on 4011")
        check(other.discover(), "other machines get theirs")
        r = lab.client(client, "tftp", address=SERVER, name=loader, source=pc.address)
        check(r.get("error") == 2, f"the loader is refused: {r}")
        r = lab.client(client, "ask", options=IPXE.hex(), mac=pc.mac)
        check(r and r[0]["file"].endswith("/2PXE/boot"), f"iPXE is led to its script: {r}")
        status, _, body = curl(lab, client, site, f"-d mac={pc.name} -d platform=efi -d buildarch=x86_64 "
                                                  f"http://{SERVER}:8060/2PXE/boot")
        check(status == 200 and b"again and again" in body and b"exit" in body, f"which says so: {body}")
        lines = {(e["kind"], e.get("reason")) for e in pc.timeline()}
        check({("loop-guard", "loop-guard"), ("discover", "loop-guard"), ("boot", "loop-guard")} <= lines, f"{lines}")
        log = read(site.log("handlerd"))
        check(f"mac={pc.name} file={loader} loop guard: it fetched the same loader 3 times" in log, "the log tells")
        check(pc.name in site.ferryctl("loops"), "people see it")
        x = site.query("explain", pc.name)
        check(x["reason"] == "loop-guard" and [s["step"] for s in x["steps"]] == ["loop-guard"], f"explained: {x}")
        check(site.query("status")["deciding"]["loops_held"] == 1, "and it is counted")
        wait_until(lambda: not site.query("loops"), 25, "it comes off")
        check(time.monotonic() - held > 15, "after its time")
        check(pc.discover(), "and the machine may try again")
        for _ in range(3):
            pc.fetch(loader)
        wait_until(lambda: site.query("loops"), 5, "a loop again")
        check(site.ferryctl("loops", "release", pc.name).strip() == "released: 1", "somebody lets it go")
        check(pc.discover(), "at once")


def firmware_lab(lab, **options):
    """A segment with our site; a PC's DHCP server is up to the test."""
    segment = lab.segment("net")
    lab.capture(segment)
    server = lab.host("server", segment, f"{SERVER}/24")
    site = Site(lab, server, **options)
    prepare(site)
    return segment, site


def test_uefi_beside_boot_file():
    """OVMF, and a DHCP server that names a boot file: ours wins, as is said."""
    with Lab("ovmffile") as lab:
        segment, site = firmware_lab(lab, http_port=0)
        lab.dhcp_server(segment, extra=["--no-ping", f"--dhcp-boot=evil/loader.efi,,{DHCP}"])
        site.start()
        check_story(boot(lab, site, segment), "https", "boot/x64/snponly.efi")
        s = [x for x in site.query("rivals") if x["address"] == DHCP][0]
        c = {x["client"]: x for x in s["clients"]}
        check(c["uefi"]["effect"] == "loses" and c["uefi"]["file"] == "evil/loader.efi", f"{c}")
        check(c["ipxe"]["effect"] == "loses", f"{c}")
        asked = lab.sh(None, f"tcpdump -nn -r {lab.path('packets.pcap')} dst host {DHCP} and dst port 69 2>/dev/null")
        check(asked == "", f"nothing was asked for there: {asked}")


def test_uefi_beside_option_60():
    """OVMF, and a DHCP server that sends option 60: it asks that one's port 4011, as is said."""
    with Lab("ovmf60") as lab:
        segment, site = firmware_lab(lab, http_port=0)
        ns = lab.host("dhcp", segment, f"{DHCP}/24")
        isc(lab, ns, 'option vendor-class-identifier "PXEClient";')
        site.start()
        machine = Machine(lab, segment, "ovmf", args=["-fw_cfg",
                                                      "name=opt/org.tianocore/IPv6PXESupport,string=n"])
        wait_until(lambda: "Start PXE over IPv4" in machine.output(), 60, "PXE")
        wait_until(lambda: [s for s in site.query("rivals") if s["address"] == DHCP and s["effect"] == "wins"], 30,
                   "the report")
        asked = f"tcpdump -nn -r {lab.path('packets.pcap')} dst port 4011 2>/dev/null"
        wait_until(lambda: f"> {DHCP}.4011" in lab.sh(None, asked), 30, "the request to the DHCP server's port 4011")
        check(f"> {SERVER}.4011" not in lab.sh(None, asked), "none came to us")
        machine.stop()
        check(site.kinds().count("offer") >= 1, "although we made an offer")
        check([p for p in site.query("status")["problems"] if p.startswith(f"server {DHCP} ")], "a problem")


def test_uefi_yield():
    """OVMF, and a PXE server that has the first word: it gets that one's answer, and ours when that is down."""
    with Lab("ovmfyield") as lab:
        segment, site = firmware_lab(lab, http_port=0, dhcpproxyd={"yield_to": [RIVAL], "yield_ms": 1500})
        lab.dhcp_server(segment, extra=["--no-ping"])
        rival = dnsmasq(lab, lab.host("rival", segment, f"{RIVAL}/24"), *PROXY)
        site.start()
        machine = Machine(lab, segment, "ovmf", mac="52:54:00:12:34:55", name="first", args=[
            "-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n"])
        wait_until(lambda: f"> {RIVAL}.4011" in lab.sh(None, f"tcpdump -nn -r {lab.path('packets.pcap')} "
                                                             "dst port 4011 2>/dev/null"), 90,
                   "the request to the other boot server")
        machine.stop()
        asked = lab.sh(None, f"tcpdump -nn -r {lab.path('packets.pcap')} src host {SERVER} and src port 67 2>/dev/null")
        check(asked == "", f"we made no offer: {asked}")
        lab.stop(rival)
        check_story(boot(lab, site, segment), "https", "boot/x64/snponly.efi")
        s = [x for x in site.query("rivals") if x["address"] == RIVAL][0]
        check(s["expected"] and s["kind"] == "proxy", f"{s}")


def test_real_loop():
    """A real loop: the DHCP server's file is iPXE, and counts for more with iPXE; the guard ends it."""
    with Lab("realloop") as lab:
        loader = "boot/bios/undionly.kpxe"
        segment, site = firmware_lab(lab, handlerd={"loop_guard": {"fetches": 3, "within_s": 300}})
        lab.dhcp_server(segment, extra=["--no-ping", f"--dhcp-boot={loader},,{SERVER}",
                                        "--dhcp-option-force=encap:175,1,1b"])
        site.start()
        machine = Machine(lab, segment, "bios")
        wait_until(lambda: site.query("loops"), 200, "the guard")
        check(site.query("loops")[0]["mac"] == "52:54:00:12:34:56", "it is this machine")
        wait_until(lambda: [e for e in site.boot()["timeline"] if e["kind"] == "file" and
                            e.get("reason") == "loop-guard"], 90, "the loader is refused")
        done = [e for e in site.boot()["timeline"] if e["kind"] == "transfer-finished" and e["file"] == loader]
        check(len(done) == 3, f"three fetches and no more: {len(done)}")
        s = [x for x in site.query("rivals") if x["address"] == DHCP][0]
        check({c["client"]: c["effect"] for c in s["clients"]}["ipxe"] == "wins", f"the cause is named: {s}")
        machine.stop()
