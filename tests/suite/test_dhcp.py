"""dhcpproxyd against clients that need no firmware, and beside real neighbours."""

import os
import shutil
import time

import dhcp
from lab import (BUILD, Lab, Machine, Site, SERVER, boot_sector, check, loaders, network, read,
                 wait_until)


def ready(site):
    shutil.copytree(loaders(), site.root, dirs_exist_ok=True)
    site.ca()
    site.start()


def hexed(data):
    return data.hex()


def test_offers():
    """Each kind of client gets its own answer, from the right address and port."""
    with Lab("offers") as lab:
        _, _, client, site = network(lab)
        ready(site)
        trust = site.query("ca", "show", "--dir", f"{site.run}/etc")["ca"]["sha256"]

        r = lab.client(client, "ask", options=hexed(dhcp.firmware(7)))
        check(len(r) == 1, "one offer to UEFI firmware")
        r = r[0]
        check(r["from"] == [SERVER, 67] and r["siaddr"] == SERVER, "from our address, port 67")
        check(r["yiaddr"] == "0.0.0.0" and r["file"] == "boot/x64/snponly.efi", "the loader")
        check(r["options"]["53"] == "02" and "43" not in r["options"], "BINL: no option 43")
        check(r["options"]["175"] == "0101015a20" + trust, "option 175 {1: 1, 90: fingerprint}")
        check(r["options"]["97"] == dhcp.UUID.hex(), "option 97 comes back")
        check(r["order"] == [53, 54, 60, 97, 175], "the order of options")

        r = lab.client(client, "ask", options=hexed(dhcp.firmware(0)))[0]
        check(r["file"] == "boot/bios/undionly.kpxe", "BIOS gets its own loader")
        check(r["options"]["43"] == "0601080a0400505845ff", "with a prompt")

        r = lab.client(client, "ask", options=hexed(dhcp.firmware(11)))[0]
        check(r["file"] == "boot/arm64/ipxe.efi", "arm64 gets its own loader")

        r = lab.client(client, "ask", options=hexed(dhcp.firmware(16, b"HTTPClient")))[0]
        url = f"http://{SERVER}:8060/2PXE/file/boot/x64/snponly.efi"
        check(bytes.fromhex(r["options"]["67"]).decode() == url, "HTTP Boot gets a URL")
        check(bytes.fromhex(r["options"]["60"]) == b"HTTPClient", "and its own class")

        mac = "020000000002"
        lab.client(client, "ask", options=hexed(dhcp.firmware(7)), mac=mac)
        r = lab.client(client, "ask", options=hexed(dhcp.ipxe()), mac=mac)[0]
        check(r["file"] == f"https://{SERVER}:8050/2PXE/boot", "iPXE gets the boot URL")
        r = lab.client(client, "ask", options=hexed(dhcp.ipxe(https=False)), mac=mac)[0]
        check(r["file"] == f"http://{SERVER}:8060/2PXE/boot", "without HTTPS by plain HTTP")

        check(lab.client(client, "ask", options="", seconds=1) == [], "others are left alone")
        check(lab.client(client, "ask", options=hexed(dhcp.firmware(2)), seconds=1) == [],
              "Itanium is left to others")


def test_boot_server():
    """Port 4011 answers to the exact address and port that asked, with the same decision."""
    with Lab("bootserver") as lab:
        _, _, client, site = network(lab)
        ready(site)
        for source in (4011, 68, 40000):
            r = lab.client(client, "ask", options=hexed(dhcp.firmware(7)), kind=3, to=SERVER,
                           port=4011, source=source, ciaddr="10.77.1.50")
            check(len(r) == 1, f"an answer to port {source}")
            check(r[0]["from"] == [SERVER, 4011], "from port 4011")
            check(r[0]["options"]["53"] == "05" and r[0]["ciaddr"] == "10.77.1.50", "an ACK")
            check(r[0]["file"] == "boot/x64/snponly.efi", "the same loader")
        item = "470480000000ff"
        r = lab.client(client, "ask", options=hexed(dhcp.firmware(0)) + "2b07" + item, kind=3,
                       to=SERVER, port=4011, source=68, ciaddr="10.77.1.50")[0]
        check(r["options"]["43"] == item, "a picked menu item comes back")


def test_relayed():
    """A relayed DISCOVER is answered to giaddr:67, option 82 as it came, last."""
    with Lab("relayed") as lab:
        _, _, client, site = network(lab)
        ready(site)
        info = "52060104657468 30".replace(" ", "")
        r = lab.client(client, "ask", options=info + hexed(dhcp.firmware(7)), to=SERVER, source=67,
                       giaddr="10.77.1.50")
        check(len(r) == 1 and r[0]["from"] == [SERVER, 67], "one answer, to the relay")
        check(r[0]["giaddr"] == "10.77.1.50" and r[0]["flags"] == 0x8000, "giaddr and flags kept")
        check(r[0]["options"]["82"] == info[4:] and r[0]["order"][-1] == 82, "option 82 last")
        site.lab.sh(None, "sleep 0.3")
        check(site.boot()["relay"] == "10.77.1.50", "the relay is noted")


def test_silence_without_handlerd():
    """Without handlerd there is silence, so that another server may answer; then all resumes."""
    with Lab("silence") as lab:
        _, _, client, site = network(lab)
        ready(site)
        ask = {"options": hexed(dhcp.firmware(7))}
        check(lab.client(client, "ask", **ask), "an offer at first")
        site.kill("handlerd")
        check(lab.client(client, "ask", seconds=2, **ask) == [], "silence without handlerd")
        site.start("handlerd")
        replies = lab.client(client, "ask", seconds=3, **ask)
        check(replies, "an offer again, without a restart of dhcpproxyd")


def test_next_handlerd_within_a_second():
    """When the handlerd in use is killed, the next in the list answers within one second."""
    with Lab("failover") as lab:
        segment = lab.segment("net")
        server = lab.host("server", segment, f"{SERVER}/24")
        client = lab.host("client", segment, "10.77.1.50/24")
        second = Site(lab, server, name="second")
        urls = [f"ipc://{lab.path('run-lab')}/handlerd.ipc", f"ipc://{second.run}/handlerd.ipc"]
        site = Site(lab, server, dhcpproxyd={"handler": urls}, tftpd={"handler": urls},
                    httpsbootd={"handler": urls})
        shutil.copytree(loaders(), second.root, dirs_exist_ok=True)
        second.start("handlerd")
        ready(site)
        ask = {"options": hexed(dhcp.firmware(7))}
        check(lab.client(client, "ask", **ask), "an offer at first")
        check(second.query("status")["bus"]["requests"] == 0, "the first handlerd is used")
        site.kill("handlerd")
        began = time.monotonic()
        r = lab.client(client, "ask", seconds=2, **ask)
        check(r and r[0]["ms"] < 1000, f"the next answers within a second: {r}")
        check(time.monotonic() - began < 3, "at once")
        check(second.query("status")["bus"]["requests"] > 0, "it was the second one")
        site.start("handlerd")
        wait_until(lambda: read(site.log("dhcpproxyd")).count(f"handlerd {urls[0]}: in use") == 2, 5,
                   "the first one is used again")


def test_reply_delay():
    """reply_delay_ms holds back offers to firmware, never those to iPXE."""
    with Lab("delay") as lab:
        _, _, client, site = network(lab, dhcpproxyd={"reply_delay_ms": 600})
        ready(site)
        r = lab.client(client, "ask", options=hexed(dhcp.firmware(7)))
        check(r and r[0]["ms"] >= 600, f"firmware waits: {r[0]['ms']}")
        r = lab.client(client, "ask", options=hexed(dhcp.ipxe()))
        check(r and r[0]["ms"] < 500, f"iPXE does not: {r[0]['ms']}")


def test_multihomed():
    """Without a configured address, clients are told the one of the interface they asked on."""
    with Lab("multihomed") as lab:
        one, two = lab.segment("one"), lab.segment("two")
        server = lab.host("server", one, f"{SERVER}/24")
        lab.plug(server, two, "10.78.1.10/24", "eth1")
        clients = [lab.host("c1", one, "10.77.1.50/24"), lab.host("c2", two, "10.78.1.50/24")]
        site = Site(lab, server)
        for daemon in ("dhcpproxyd", "tftpd", "httpsbootd"):
            del site.conf[daemon]["address"]
        site.conf["dhcpproxyd"]["interface"] = ""
        ready(site)
        for client, address in zip(clients, (SERVER, "10.78.1.10")):
            r = lab.client(client, "ask", options=hexed(dhcp.firmware(7)))
            check(len(r) == 1 and r[0]["siaddr"] == address, f"{address} is told")
            check(r[0]["from"] == [address, 67], f"{address} answers")
            r = lab.client(client, "ask", options=hexed(dhcp.ipxe(https=False)))[0]
            check(r["file"] == f"http://{address}:8060/2PXE/boot", "the URL has that address")


def test_perfdhcp():
    """Kea's perfdhcp, relayed, 2,000 DISCOVERs a second for 5 s: nearly all are answered."""
    with Lab("perfdhcp") as lab:
        _, _, client, site = network(lab)
        ready(site)
        out = lab.sh(client, f"timeout 60 perfdhcp -4 -i -r 2000 -p 5 -R 50000 -W 500000 "
                             f"-o 60,{b'PXEClient:Arch:00007:UNDI:003000'.hex()} -o 93,0007 "
                             f"-o 94,010300 {SERVER}", check_status=False)
        sent = int(out.split("sent packets: ")[1].split()[0])
        received = int(out.split("received packets: ")[1].split()[0])
        check(sent >= 8000 and received >= sent * 0.99, f"{received} of {sent} answered: {out}")


def fast_no(lab, firmware, args=()):
    """A virtual PC whose requests all get a fast no; its disk is the next boot option."""
    segment = lab.segment("net")
    lab.capture(segment)
    lab.dhcp_server(segment)
    server = lab.host("server", segment, f"{SERVER}/24")
    site = Site(lab, server)
    lab.spawn(server, [f"{BUILD}/tests/suite/fake_handlerd", site.conf["handlerd"]["listen"][0],
                       "local"], "fake_handlerd.log")
    site.start("dhcpproxyd")
    wait_until(lambda: "in use" in read(site.log("dhcpproxyd")), 10, "the bus")
    return Machine(lab, segment, firmware, args=[*boot_sector(lab.path("disk.img")), *args])


def seconds_between(machine, first, then, limit):
    """The time from one text on the console to another."""
    wait_until(lambda: first in machine.output(), 60, first)
    began = time.monotonic()
    wait_until(lambda: then in machine.output(), limit, f"from {first} to {then}")
    return time.monotonic() - began


def test_fast_no_bios():
    """A BIOS ROM (iPXE's, which obeys PXE menus) goes on to the local disk."""
    with Lab("fastbios") as lab:
        machine = fast_no(lab, "bios")
        # the ROM itself waits 15 s for an IPv6 router after it has an address
        machine.wait_for("LOCAL DISK", 60)
        log = read(lab.path("fake_handlerd.log"))
        check("stage=discover client=ipxe" in log, "it asked us")
        check("stage=bootserver" not in log, "and nothing more after the answer")


def test_fast_no_uefi():
    """OVMF's PXE and HTTP Boot each give up after their first 4 s, not after 60."""
    with Lab("fastuefi") as lab:
        machine = fast_no(lab, "ovmf", ["-fw_cfg",
                                        "name=opt/org.tianocore/IPv6PXESupport,string=n"])
        seconds = seconds_between(machine, "Start PXE over IPv4", "Start HTTP Boot over IPv4", 30)
        check(seconds < 15, f"PXE went on after {seconds:.1f} s")
        check("Remote boot cancelled" in machine.output(), "by the menu's item")
        seconds = seconds_between(machine, "Start HTTP Boot over IPv4",
                                  "Start HTTP Boot over IPv6", 30)
        check(seconds < 15, f"HTTP Boot went on after {seconds:.1f} s")
        log = read(lab.path("fake_handlerd.log"))
        check(log.count("client=pxe ip=4") == 1, "PXE asked once")
        check(log.count("client=uefi-http ip=4") == 1, "HTTP Boot asked once")


def fast_no_by_handlerd(lab, machine_mac, rules, block=False):
    """OVMF and all four daemons: a decision of handlerd's ends PXE and HTTP Boot within seconds."""
    segment = lab.segment("net")
    lab.capture(segment)
    lab.dhcp_server(segment)
    server = lab.host("server", segment, f"{SERVER}/24")
    site = Site(lab, server, handlerd={"rules": rules})
    shutil.copytree(loaders(), site.root, dirs_exist_ok=True)
    site.ca()
    site.start()
    if block:
        site.ferryctl("block", machine_mac)
    machine = Machine(lab, segment, "ovmf", mac=machine_mac, args=[
        *boot_sector(lab.path("disk.img")), "-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n"])
    seconds = seconds_between(machine, "Start PXE over IPv4", "Start HTTP Boot over IPv4", 30)
    check(seconds < 15, f"PXE went on after {seconds:.1f} s\n{site.timeline()}")
    check("Remote boot cancelled" in machine.output(), "by the menu's item")
    seconds = seconds_between(machine, "Start HTTP Boot over IPv4", "Start HTTP Boot over IPv6", 30)
    check(seconds < 15, f"HTTP Boot went on after {seconds:.1f} s\n{site.timeline()}")
    machine.stop()
    asked = [e for b in site.boots() for e in site.query("boots", "show", b["id"])["timeline"]
             if e["kind"] == "discover"]
    check({e["text"] for e in asked} == {"pxe", "uefi-http"}, f"both asked: {asked}")
    check(not any(b["phase"] != "firmware" for b in site.boots()), "nothing was loaded")
    return asked


def test_fast_no_rule():
    """A rule `refuse`, which names its machine by its MAC, ends this firmware's attempts."""
    with Lab("fastrule") as lab:
        asked = fast_no_by_handlerd(lab, "52:54:00:12:34:56", [
            {"name": "others", "when": {"mac": ["52:54:00:99"]}, "action": "ignore"},
            {"name": "no-boot", "when": {"mac": ["52:54:00:12"]}, "action": "refuse"}])
        check({(e["rule"], e["reason"]) for e in asked} == {("no-boot", "rule-refuses")}, f"by the rule: {asked}")


def test_fast_no_blocked():
    """So does the state `blocked`, given to a machine that was never seen."""
    with Lab("fastblocked") as lab:
        asked = fast_no_by_handlerd(lab, "52:54:00:12:34:56", [], block=True)
        check({e["reason"] for e in asked} == {"blocked"}, f"by its state: {asked}")
