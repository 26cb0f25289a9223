"""ferryctl doctor: a healthy site, and each fault that it is to find."""

import json
import os
import shutil
import socket
import subprocess

from lab import BIN, DHCP, SERVER, Failure, Lab, Machine, Site, check, loaders, network, read, wait_until

# what has a loader among those of Debian
BOOTING = ("bios", "uefi-x64", "uefi-arm64", "uefi-http", "ipxe-2019", "ipxe", "relayed")


def doctor(lab, ns, site, *args, as_json=True):
    """Runs it in a namespace; its result, or what it printed."""
    argv = ["ip", "netns", "exec", ns, f"{BIN}/ferryctl", "--socket", site.socket, "--root",
            site.root, *(["--json"] if as_json else []), "doctor", "dhcp", *args]
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    with open(lab.path("doctor.log"), "a", encoding="utf-8") as f:
        f.write(p.stdout + p.stderr)
    if not as_json:
        return p.stdout
    if not p.stdout.startswith("{"):
        raise Failure(f"doctor: {p.stderr}")
    r = json.loads(p.stdout)
    check(p.returncode == (1 if r["verdict"] == "fault" else 0), "the status tells of faults")
    r["by"] = {c["client"]: c for c in r["clients"]}
    return r


def found(r, verdict, text):
    """The findings of that verdict that say so."""
    return [f for f in r["findings"] if f["verdict"] == verdict and text in f["found"]]


def must_find(r, verdict, text):
    check(found(r, verdict, text), f"{verdict}: \"{text}\": {json.dumps(r['findings'], indent=1)}")
    for f in found(r, verdict, text):
        check(verdict == "good" or ("effect" in f and "cure" in f), "with what follows and what helps")


def must_tell(r, kind, verdict, text):
    c = r["by"][kind]
    check(c["verdict"] == verdict and text in c["told"], f"{kind}: {verdict}: {text}: {c}")


def dhcp_server(lab, segment, *extra):
    return lab.dhcp_server(segment, extra=("--no-ping", *extra))


def ready(site):
    shutil.copytree(loaders(), site.root, dirs_exist_ok=True)
    site.ca()
    site.start()


def test_healthy():
    """Nothing is wrong with a good site; all kinds boot that have a loader; none leaves a trace."""
    with Lab("healthy") as lab:
        segment, server, _, site = network(lab)
        dhcp_server(lab, segment)
        ready(site)
        r = doctor(lab, server, site)
        check(not [f for f in r["findings"] if f["verdict"] != "good" and f["check"] != "container"],
              f"all is good: {json.dumps(r['findings'], indent=1)}")
        check(r["verdict"] == "warning", "but that some kinds have no loader")
        for kind in BOOTING:
            must_tell(r, kind, "good", "it is there")
            check(r["by"][kind]["size"] > 1000, "with its size")
        check(all(r["by"][k]["leased"] for k in BOOTING if k != "relayed"), "all get an address")
        check(r["by"]["uefi-x64"]["file"] == "boot/x64/snponly.efi", "UEFI gets its loader")
        check([s[:4] for s in r["by"]["uefi-x64"]["steps"]] == ["take", "asks", "fetc"], "by 4011")
        check(r["by"]["ipxe"]["file"] == f"https://{SERVER}:8050/2PXE/boot", "iPXE gets the script")
        must_tell(r, "uefi-ia32", "warning", "no loader for its CPU")
        must_find(r, "good", f"nobody else on eth0 has {SERVER}")
        must_find(r, "good", f"{DHCP} (")

        check(site.boots() == [] and site.query("machines", "list") == [], "no boot, no machine")
        status = site.query("status")
        check(status["selftests"] >= 15 and status["decisions"] == 0, "they are counted apart")
        check("decide" not in read(site.log("handlerd")), "no line of the log")
        text = doctor(lab, server, site, as_json=False)
        check("UEFI x64 PXE: good: it boots boot/x64/snponly.efi (" in text, f"in words: {text}")


def test_control():
    """What is wrong with a call is told; a test that ends makes room for the next."""
    with Lab("doctorcontrol") as lab:
        _, _, _, site = network(lab)
        ready(site)

        def call(**params):
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(f"{site.run}/dhcpproxyd.sock")
                s.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "selftest.begin",
                                      "params": params}).encode() + b"\n")
                return json.loads(s.makefile().readline())

        macs = ["02:d0:c7:00:00:01"]
        for params, text in (({"macs": macs}, '"seconds"'), ({"macs": macs, "seconds": 61}, '"seconds"'),
                             ({"macs": [], "seconds": 5}, '"macs"'), ({"seconds": 5}, '"macs"'),
                             ({"macs": macs * 17, "seconds": 5}, '"macs"'),
                             ({"macs": macs + ["x"], "seconds": 5}, "number 2 is no hardware address"),
                             ({"macs": macs, "seconds": 5, "interface": "eth9"}, '"interface"')):
            r = call(**params)
            check(r.get("error", {}).get("code") == -32602 and text in r["error"]["message"],
                  f"{params}: {r}")
        for _ in range(3):
            check(call(macs=macs, seconds=5, interface="eth0").get("result") is True, "a good one")


def test_from_here():
    """Any host of the segment can ask as a client, without a control socket."""
    with Lab("fromhere") as lab:
        segment, _, client, site = network(lab)
        dhcp_server(lab, segment)
        ready(site)
        r = doctor(lab, client, site, "--from-here", "--interface", "eth0")
        for kind in BOOTING:
            must_tell(r, kind, "good", "it is there")
        check(r["verdict"] == "warning", "no fault")
        site.kill("dhcpproxyd")
        must_tell(doctor(lab, client, site, "--from-here"), "uefi-x64", "warning", "no offer")


def test_daemons_down():
    """Each daemon that is down is found, with what it does to clients."""
    with Lab("daemonsdown") as lab:
        segment, server, _, site = network(lab)
        dhcp_server(lab, segment)
        ready(site)

        site.kill("tftpd")
        r = doctor(lab, server, site)
        must_tell(r, "uefi-x64", "fault", "not to be had")
        must_tell(r, "ipxe", "good", "it is there")
        site.start("tftpd")

        site.kill("httpsbootd")
        r = doctor(lab, server, site)
        for kind in ("ipxe", "uefi-http"):
            must_tell(r, kind, "fault", "refused")
        must_tell(r, "uefi-x64", "good", "it is there")
        site.start("httpsbootd")

        site.kill("handlerd")
        r = doctor(lab, server, site)
        must_find(r, "fault", "connected to none")
        must_tell(r, "bios", "fault", "no answer in time")
        site.start("handlerd")
        wait_until(lambda: doctor(lab, server, site)["verdict"] == "warning", 20, "all is well again")


def test_loaders():
    """A loader that is not there, and one for another CPU."""
    with Lab("doctorloaders") as lab:
        segment, server, _, site = network(lab)
        dhcp_server(lab, segment)
        ready(site)
        shutil.move(f"{site.root}/boot/x64", f"{site.root}/x64")
        site.ferryctl("reload")
        must_tell(doctor(lab, server, site), "uefi-x64", "warning", "no loader for its CPU")
        shutil.move(f"{site.root}/x64", f"{site.root}/boot/x64")
        site.kill("handlerd")
        site.conf["handlerd"]["loaders"] = [{"arch": "x64", "paths": ["boot/arm64/ipxe.efi"]}]
        site.start("handlerd")
        wait_until(lambda: [s for s in site.query("status")["services"] if s["alive"]], 10, "tftpd")
        must_tell(doctor(lab, server, site), "uefi-x64", "fault", "a program for arm64")


def test_not_heard():
    """Offers that are sent and do not come out of the interface."""
    with Lab("doctornotheard") as lab:
        segment, server, _, site = network(lab)
        dhcp_server(lab, segment)
        ready(site)
        # a queue without room drops what leaves; this host's own copies of broadcasts still come
        lab.sh(server, "tc qdisc add dev eth0 root bfifo limit 1")
        must_tell(doctor(lab, server, site), "uefi-x64", "fault", "it was not heard")


def test_wrong_address():
    """An address of nobody, one of the loopback, and one that two hosts have."""
    with Lab("wrongaddress") as lab:
        segment, server, client, site = network(lab)
        dhcp_server(lab, segment)
        site.conf["dhcpproxyd"]["address"] = "10.99.9.9"
        site.conf["tftpd"]["address"] = ""
        ready(site)
        r = doctor(lab, server, site)
        must_find(r, "fault", "10.99.9.9, which is no address of this host")
        check(r["by"]["uefi-x64"]["verdict"] == "fault", f"nobody is there: {r['by']['uefi-x64']}")

        site.kill("dhcpproxyd")
        site.conf["dhcpproxyd"]["address"] = "127.0.0.1"
        site.start("dhcpproxyd")
        must_find(doctor(lab, server, site), "fault", "nobody but themselves")

        site.kill("dhcpproxyd")
        site.conf["dhcpproxyd"]["address"] = SERVER
        site.start("dhcpproxyd")
        lab.sh(client, f"ip addr add {SERVER}/24 dev eth0")
        must_find(doctor(lab, server, site), "fault", f"{SERVER} is also the address of")


def test_interface():
    """No link, a small MTU, a network of two, a shared port, a dhcpproxyd that hears nothing."""
    with Lab("doctorif") as lab:
        segment, server, _, site = network(lab)
        site.conf["dhcpproxyd"]["dhcp_socket"] = "udp"  # shared, whoever else has the port
        ready(site)
        lab.sh(server, f"ip link set eth0 mtu 1400 && ip addr flush dev eth0 && "
                       f"ip addr add {SERVER}/31 dev eth0")
        r = doctor(lab, server, site)
        must_find(r, "warning", "MTU of 1400")
        must_find(r, "warning", "a network of two addresses")
        must_find(r, "warning", "none offered an address")
        check("no DHCP server" in r["by"]["bios"]["steps"][0], "and the client says so")

        lab.spawn(server, ["python3", "-c", "import socket, time\n"
                           "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                           "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
                           "s.bind(('', 67))\ntime.sleep(300)"], "other.log")
        wait_until(lambda: found(doctor(lab, server, site), "warning", "with python3"), 20,
                   "the other holder of the port is named")

        # listening elsewhere, it sees nothing of eth0
        site.kill("dhcpproxyd")
        lab.sh(server, "ip link add dummy0 type veth peer name dummy1 && ip link set dummy0 up")
        site.conf["dhcpproxyd"]["interface"] = "dummy0"
        site.start("dhcpproxyd")
        r = doctor(lab, server, site, "--interface", "eth0")
        must_find(r, "fault", "sees none of those")
        check(r["by"]["uefi-x64"]["verdict"] == "fault", "no client is heard")

        site.kill("dhcpproxyd")
        site.conf["dhcpproxyd"]["interface"] = "eth0"
        site.start("dhcpproxyd")
        lab.sh(segment, "ip link set p1eth0 down || ip link set p2eth0 down")
        r = doctor(lab, server, site)
        must_find(r, "fault", "eth0 has no link")
        check(r["clients"] == [], "no client asks over it")


def test_rivals():
    """A DHCP server with option 60 shuts us out; another proxy is named."""
    with Lab("doctorrivals") as lab:
        segment, server, client, site = network(lab)
        dhcp_server(lab, segment, "--dhcp-option-force=60,PXEClient")
        ready(site)
        r = doctor(lab, server, site)
        must_find(r, "fault", f"the DHCP server {DHCP} (")
        c = r["by"]["uefi-x64"]
        check(c["verdict"] == "fault" and any("shuts out every proxy" in s for s in c["steps"]),
              f"UEFI is shut out: {c}")
        must_tell(r, "ipxe", "good", "it is there")

        second = Site(lab, client, address="10.77.1.50", name="second")
        shutil.copytree(loaders(), second.root, dirs_exist_ok=True)
        second.ca()
        second.start()
        must_find(doctor(lab, server, site), "warning", "another PXE server answers: 10.77.1.50")


def test_packet_socket():
    """Where another server holds port 67, the test goes by the packet socket, as clients do."""
    with Lab("doctorpacket") as lab:
        segment, server, _, site = network(lab)
        dhcp_server(lab, segment)
        site.conf["dhcpproxyd"]["dhcp_socket"] = "packet"
        # it has the port for itself
        lab.spawn(server, ["python3", "-c", "import socket, time\n"
                           "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                           "s.bind(('', 67))\ntime.sleep(300)"], "other.log")
        ready(site)
        r = doctor(lab, server, site)
        must_find(r, "good", "dhcpproxyd reads it by a packet socket")
        must_find(r, "good", "dhcpproxyd sees them on eth0")
        for kind in BOOTING:
            must_tell(r, kind, "good", "it is there")
        check(site.boots() == [], "no boot")


def test_at_start():
    """The short test at the start logs what is wrong, a line each, and nothing else."""
    with Lab("doctorstart") as lab:
        segment, server, _, site = network(lab)
        site.conf["dhcpproxyd"]["self_test"] = True
        ready(site)
        log = site.log("dhcpproxyd")
        wait_until(lambda: site.query("status")["selftests"] >= 7, 20, "the test at the start")
        lab.sh(None, "sleep 1")
        lines = [x for x in read(log).splitlines() if "self-test: " in x and "container" not in x]
        check(lines == [], f"nothing is wrong: {lines}")
        check(site.boots() == [] and site.query("machines", "list") == [], "and it leaves no trace")

        site.kill("tftpd")
        site.kill("dhcpproxyd")
        site.start("dhcpproxyd")
        wait_until(lambda: "self-test: file: UEFI x64 is offered boot/x64/snponly.efi, and " in
                   read(log), 30, "a loader that is not to be had is told")
        site.start("tftpd")

        site.kill("dhcpproxyd")
        shutil.rmtree(f"{site.root}/boot")
        site.ferryctl("reload")
        lab.sh(server, "ip link set eth0 mtu 1400")
        site.start("dhcpproxyd")
        wait_until(lambda: "self-test: offers: no kind of firmware" in read(log), 20, "no loaders")
        check("self-test: mtu: eth0 has an MTU of 1400 bytes" in read(log), "and the MTU")

        site.kill("handlerd")
        site.kill("dhcpproxyd")
        site.start("dhcpproxyd")
        wait_until(lambda: "self-test: handlerd: none is connected" in read(log), 30, "no handlerd")


def test_raspberry_pi():
    """A Raspberry Pi boots where its files are, and is told where they belong."""
    with Lab("doctorpi") as lab:
        segment, server, _, site = network(lab)
        dhcp_server(lab, segment)
        ready(site)
        r = doctor(lab, server, site)
        must_tell(r, "raspberry-pi", "warning", "no offer")
        check("boot/rpi" in r["by"]["raspberry-pi"]["cure"], "where its files belong")
        os.mkdir(f"{site.root}/boot/rpi")
        with open(f"{site.root}/boot/rpi/start4.elf", "wb") as f:
            f.write(bytes(5000))
        site.ferryctl("reload")
        must_tell(doctor(lab, server, site), "raspberry-pi", "good", "start4.elf (5.0 kB)")


def test_twins():
    """Two dhcpproxyd on one interface are seen by their answers, and by the port."""
    with Lab("doctortwins") as lab:
        segment, server, client, site = network(lab)
        dhcp_server(lab, segment)
        site.conf["dhcpproxyd"]["dhcp_socket"] = "udp"
        ready(site)
        first = f"{site.run}/dhcpproxyd.sock"
        site.conf["dhcpproxyd"].update({"control": f"{site.run}/twin.sock", "listen_boot": False})
        site.start("dhcpproxyd")
        r = doctor(lab, server, site, "--socket", first)
        must_find(r, "warning", "another dhcpproxyd")
        must_find(r, "warning", f"{SERVER} answers each DISCOVER more than once")
        must_find(doctor(lab, client, site, "--from-here"), "warning", "more than once")


def asked_4011(lab, mac):
    """Whom this card asked on port 4011, and for which files by TFTP."""
    out = lab.sh(None, f"tcpdump -nn -r {lab.path('packets.pcap')} 'udp dst port 4011 and ether src {mac}' "
                       "2>/dev/null", check_status=False)
    return sorted({line.split(" > ")[1].split(": ")[0] for line in out.splitlines() if " > " in line})


def test_as_real_firmware():
    """What the emulated UEFI does is what OVMF does: it asks 4011, and fetches that file."""
    with Lab("asreal") as lab:
        segment, server, _, site = network(lab)
        lab.capture(segment)
        dhcp_server(lab, segment)
        ready(site)
        c = doctor(lab, server, site)["by"]["uefi-x64"]
        machine = Machine(lab, segment)
        wait_until(lambda: "transfer-began" in site.kinds() or machine.process.poll() is not None, 90,
                   "OVMF fetches its loader")
        machine.stop()
        real = [e for e in site.boot()["timeline"] if e["kind"] == "file"][0]
        check(c["next"] == "tftp" and c["file"] == real["file"].lstrip("/") and c["server"] == SERVER,
              f"the same file: {c['file']}, {real}")
        check([s for s in c["steps"] if f"{SERVER}:4011" in s], f"emulated: {c['steps']}")
        wait_until(lambda: asked_4011(lab, "52:54:00:12:34:56") == [f"{SERVER}.4011"], 5,
                   f"OVMF asked 4011, too: {asked_4011(lab, '52:54:00:12:34:56')}")


def test_shut_out_as_real_firmware():
    """A DHCP server with option 60 leads both to its own port 4011, past our offer."""
    with Lab("shutout") as lab:
        segment, server, _, site = network(lab)
        lab.capture(segment)
        dhcp_server(lab, segment, "--dhcp-option-force=60,PXEClient")
        ready(site)
        c = doctor(lab, server, site)["by"]["uefi-x64"]
        check(c["verdict"] == "fault" and [s for s in c["steps"] if f"{DHCP}:4011" in s],
              f"emulated: {c}")
        machine = Machine(lab, segment)
        wait_until(lambda: asked_4011(lab, "52:54:00:12:34:56"), 90, "OVMF asks a boot server")
        lab.sh(None, "sleep 4")
        machine.stop()
        check(asked_4011(lab, "52:54:00:12:34:56") == [f"{DHCP}.4011"], "the DHCP server's alone")
        check("offer" in site.kinds() and "file" not in site.kinds(), "our offer was of no use")
