"""Every kind of client gets what it can use: real firmware, and packets of what is not at hand."""

import json
import os
import re
import shutil
import struct

import dhcp
import offers
from lab import (TOP, SERVER, Failure, Lab, Machine, Site, check, efi_program, loaders, network, read,
                 wait_until)
from media import media
from test_boot import boot, check_tftp, check_timeline, prepare


def program(path, machine):
    """The beginning of an EFI program for a machine (PE format section 3.3.1)."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(b"MZ".ljust(60, b"\0") + struct.pack("<I4sH", 64, b"PE\0\0", machine).ljust(400, b"\0"))


def put(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def ready(lab, site, segment):
    """A running site whose segment is recorded; the capture's path."""
    shutil.copytree(loaders(), site.root, dirs_exist_ok=True)
    # what Debian has no iPXE for
    program(f"{site.root}/boot/ia32/grub.efi", 0x014c)
    program(f"{site.root}/boot/arm32/grub.efi", 0x01c2)
    put(f"{site.root}/boot/rpi/bootcode.bin", "the second stage")
    put(f"{site.root}/boot/rpi/config.txt", "arm_64bit=1")
    put(f"{site.root}/boot/rpi/d3b4a2f1/start4.elf", "the firmware")
    site.ca()
    path = lab.capture(segment)
    site.start()
    return path


def recorded(path, count, *kinds):
    """The exchanges in a capture, so many at least, each as its client needs it."""
    wait_until(lambda: len(offers.exchanges(path, [SERVER])) >= count, 5, f"{count} replies in {path}")
    return offers.check_kinds(path, SERVER, *kinds)


def test_comparer():
    """The comparison itself: it finds what is wrong with the replies of another proxy."""
    faults = {"bios": "flags 8000", "bios-pxe": "siaddr is 0", "infile-uefi-pxe4": "the order of options",
              "arm64-pxe4": "175.1 is not 1"}
    for name, fault in faults.items():
        try:
            offers.check_capture(f"{TOP}/tests/data/captures/{name}.pcap", "10.77.1.10")
        except Failure as e:
            check(fault in str(e), f"{name}: not for {fault}: {e}")
        else:
            raise Failure(f"{name}: nothing was found")


def test_packets():
    """Each kind's packets, on port 67 and 4011, relayed or not: every reply is as its kind needs it."""
    with Lab("kinds") as lab:
        segment, _, client, site = network(lab)
        capture = ready(lab, site, segment)
        relayed = {"to": SERVER, "source": 67, "giaddr": "10.77.1.50"}
        boot_server = {"kind": 3, "to": SERVER, "port": 4011, "source": 4011, "ciaddr": "10.77.1.50"}
        cases = [dhcp.firmware(0), dhcp.firmware(6), dhcp.firmware(7), dhcp.firmware(9), dhcp.firmware(10),
                 dhcp.firmware(11), dhcp.firmware(27), dhcp.firmware(39),
                 dhcp.firmware(15, b"HTTPClient"), dhcp.firmware(16, b"HTTPClient"),
                 dhcp.ipxe(), dhcp.ipxe(0), dhcp.ipxe(https=False)]
        answered = 0
        for options in cases:
            for way in ({}, relayed, boot_server):
                relay_info = dhcp.option(82, b"\1\4eth0") if way is relayed else b""
                r = lab.client(client, "ask", options=(relay_info + options).hex(), **way)
                check(len(r) == 1, f"{options} {way}: {len(r)} answers")
                answered += 1
        found = recorded(capture, answered, "bios", "uefi", "ipxe", "http")
        check(len(found) == answered, f"{len(found)} replies to {answered} requests")


PI, ARM64 = "boot/rpi/bootcode.bin", "boot/arm64/ipxe.efi"
BIOS, X64 = "boot/bios/undionly.kpxe", "boot/x64/snponly.efi"
SCRIPT = f"http://{SERVER}:8060/2PXE/boot"
# what each of dhcp.HANDMADE gets; None: silence
ANSWERS = {
    "Raspberry Pi 3": PI, "Raspberry Pi 4 of 2019": PI, "Raspberry Pi 4": PI, "Raspberry Pi 5": PI,
    "its REQUEST on 4011, without option 60": PI, "one that says rpiboot": PI,
    "the same words from a PC": BIOS, "its running system": None,
    "U-Boot": ARM64, "U-Boot as firmware": ARM64,
    "U-Boot by HTTP": f"http://{SERVER}:8060/2PXE/file/{ARM64}", "U-Boot for x86": None,
    "iPXE on InfiniBand": SCRIPT, "gPXE": SCRIPT, "gPXE without option 175": SCRIPT,
    "wdsnbp.com": BIOS, "bootmgfw.efi": X64,
    "a ROM that picked an item of a menu, broadcast": BIOS, "the same on 4011": BIOS,
    "ia32 firmware": "boot/ia32/grub.efi", "EBC, which is x64": X64, "Itanium": None,
    "several architectures, an unknown one first": ARM64, "one that nobody knows": None,
    "BOOTP on 4011": BIOS, "BOOTP without an address": None,
}


def test_handmade():
    """Clients that no emulator has: Raspberry Pis, U-Boot, InfiniBand, gPXE, Windows' programs, menus."""
    with Lab("handmade") as lab:
        segment, _, client, site = network(lab)
        capture = ready(lab, site, segment)
        for name, mac, port, kind, options in dhcp.HANDMADE:
            way = {"to": SERVER, "port": 4011, "source": 4011, "ciaddr": "10.77.1.50"} if port == 4011 else {}
            if kind == 3 and port == 67:
                way = {"ciaddr": "10.77.1.50"}
            want = ANSWERS[name]
            r = lab.client(client, "ask", options=options.hex(), mac=mac, kind=kind,
                           seconds=3 if want else 0.5, **way)
            check([x["file"] for x in r] == ([want] if want else []), f"{name}: {r}")
        answered = len([x for x in ANSWERS.values() if x])
        found = recorded(capture, answered, "rpi", "u-boot", "ipxe", "bios", "uefi")
        check(len(found) == answered, f"{len(found)} replies to {answered} requests")
        boots = {b["mac"]: b for b in site.boots()}
        check("00:02:c9:03:00:a1:b2:c3" in boots, "InfiniBand is known by the GUID of its port")
        check(boots["dc:a6:32:00:00:14"]["client"] == "rpi" and boots["dc:a6:32:00:00:14"]["arch"] == 41,
              f"a Pi is known as one: {boots['dc:a6:32:00:00:14']}")
        explained = site.query("explain", "--pcap", capture)
        check(len(explained) >= answered, f"{len(explained)} packets are explained")
        sent = {x.reply.xid: x.reply.file for x in found}
        said = [offers.Packet(bytes.fromhex(x["reply"]), strict=True) for x in explained if x.get("reply")]
        said = {x.xid: x.file for x in said if x.xid in sent}
        check(said == sent, f"each with the file that was sent: {said}, {sent}")


def test_rpi_files():
    """A Raspberry Pi's firmware lies in boot/rpi, and is asked for in the root and below a serial number."""
    with Lab("pifiles") as lab:
        segment, _, client, site = network(lab)
        ready(lab, site, segment)
        put(f"{site.root}/kernel8.img", "in the root")
        put(f"{site.root}/boot/rpi/kernel8.img", "in the folder")
        for name, text in (("bootcode.bin", "the second stage"), ("d3b4a2f1/start4.elf", "the firmware"),
                           ("config.txt", "arm_64bit=1"), ("kernel8.img", "in the root")):
            r = lab.client(client, "tftp", address=SERVER, name=name)
            check(r.get("text") == text, f"{name}: {r}")
        r = lab.client(client, "tftp", address=SERVER, name="d3b4a2f1/config.txt")
        check(r.get("text") == "arm_64bit=1", f"what its own folder has not is that of all: {r}")
        for name in ("bootsig.bin", "d3b4a2f1/cmdline.txt", "../boot/rpi/config.txt"):
            r = lab.client(client, "tftp", address=SERVER, name=name)
            check("error" in r, f"{name} is refused at once: {r}")
        shutil.rmtree(f"{site.root}/boot/rpi")
        wait_until(lambda: not [x for x in site.query("loaders", "list") if x["arch"] == "rpi"], 10,
                   "handlerd to see that they are gone")
        check(lab.client(client, "ask", options=dhcp.rpi(4).hex(), mac="dca632000014", seconds=1) == [],
              "without its files a Pi is left alone, though it says that it is a BIOS PC")


def test_unknown_arch():
    """Firmware with a number that is in no table: silence and one word about it, or what the site says."""
    with Lab("unknown") as lab:
        segment, _, client, site = network(lab)
        ready(lab, site, segment)
        words = "has an architecture that is in no table"
        for mac in ("020000000001", "020000000002", "520000000001"):
            for _ in range(3):
                check(lab.client(client, "ask", options=dhcp.firmware(99).hex(), mac=mac, seconds=0.3) == [],
                      "no answer")
        log = read(site.log("handlerd"))
        check(log.count(words) == 2 and "no answer" in log, f"two models are told of, once each: {log[-2000:]}")
        site.conf["handlerd"]["offers"] = {"unknown_arch": "x64"}
        with open(f"{site.run}/handlerd.json", "w", encoding="utf-8") as f:
            json.dump(site.conf["handlerd"], f)
        site.ferryctl("reload")
        r = lab.client(client, "ask", options=dhcp.firmware(99).hex(), mac="020000000003")
        check([x["file"] for x in r] == [X64], f"the CPU that the site names: {r}")
        reasons = site.query("status")
        check("unknown-arch" in json.dumps(reasons), "they are counted by their reason")


def test_options():
    """A rule adds options that its program reads: the path of Windows' BCD on port 4011."""
    rule = {"name": "windows", "when": {"arch": ["x64"]}, "action": "loader", "loaders": [X64],
            "options": ["252:cstring:\\Boot\\x64.bcd", "150:ip:10.77.1.10"]}
    with Lab("options") as lab:
        segment, _, client, site = network(lab, handlerd={"rules": [rule]})
        capture = ready(lab, site, segment)
        asked = ({"options": dhcp.firmware(7).hex()},
                 {"options": dhcp.windows(7).hex(), "kind": 3, "to": SERVER, "port": 4011, "source": 68,
                  "ciaddr": "10.77.1.50"},
                 {"options": dhcp.firmware(16, b"HTTPClient").hex()})
        for way in asked:
            r = lab.client(client, "ask", **way)
            check(len(r) == 1 and r[0]["options"]["252"] == b"\\Boot\\x64.bcd\0".hex(), f"252 is there: {r}")
            check(r[0]["options"]["150"] == "0a4d010a" and r[0]["order"][-2:] == [252, 150], f"in order: {r}")
        r = lab.client(client, "ask", options=dhcp.firmware(0).hex())
        check(len(r) == 1 and "252" not in r[0]["options"], "not for others")
        wait_until(lambda: len(offers.exchanges(capture, [SERVER])) == 4, 5, "four replies")
        offers.check_capture(capture, SERVER, added=(252, 150))
        rule["options"] = ["67:text:x"]
        with open(f"{site.run}/handlerd.json", "w", encoding="utf-8") as f:
            json.dump(site.conf["handlerd"], f)
        r = site.ferryctl("reload", ok=False)
        check(r.returncode != 0 and "has a code that is not" in r.stderr, f"a mistake is told: {r.stderr}")


def test_http_host():
    """HTTP Boot gets an address unless the site names a host."""
    with Lab("httphost") as lab:
        segment, _, client, site = network(lab, handlerd={"offers": {"http_host": "pxe.example"}})
        ready(lab, site, segment)
        r = lab.client(client, "ask", options=dhcp.firmware(16, b"HTTPClient").hex())
        check([x["file"] for x in r] == [f"http://pxe.example:8060/2PXE/file/{X64}"], f"the name: {r}")
        site.conf["handlerd"]["offers"] = {"http_host": "pxe.example/x"}
        with open(f"{site.run}/handlerd.json", "w", encoding="utf-8") as f:
            json.dump(site.conf["handlerd"], f)
        r = site.ferryctl("reload", ok=False)
        check(r.returncode != 0 and "offers.http_host" in r.stderr, f"what is no host is refused: {r.stderr}")


def with_firmware(lab, suite="trixie", key="rsa", **options):
    """A segment with a DHCP server and a site, and what is recorded there."""
    segment = lab.segment("net")
    capture = lab.capture(segment)
    lab.dhcp_server(segment, extra=options.pop("dhcp", ()))
    server = lab.host("server", segment, f"{SERVER}/24")
    site = Site(lab, server, **options)
    prepare(site, suite, key)
    return segment, site, capture


def evident(lab, site, machine, wait):
    """Waits for something; what was seen until then is evidence if it does not come."""
    try:
        wait()
    except Failure as e:
        raise Failure(f"{e}\n{machine.output()[-3000:]}\n{site.timeline()}\n{lab.evidence()}") from e


def test_boot_ia32():
    """OVMF on ia32: the 4011 step, and a program for its CPU runs."""
    with Lab("ia32") as lab:
        segment, site, capture = with_firmware(lab)
        efi_program(f"{site.root}/boot/ia32/hello.efi", "HELLO FROM IA32")
        site.start()
        machine = Machine(lab, segment, "ovmf32")
        evident(lab, site, machine, lambda: machine.wait_for("HELLO FROM IA32", 120))
        machine.stop()
        found = recorded(capture, 2, "uefi")
        check({x.request.number(93) for x in found} == {6}, "it is an ia32")
        check([x.boot_port for x in found][-1], "port 4011 was asked at last")
        check({x.reply.file for x in found} == {"boot/ia32/hello.efi"}, "and given the same program")
        check_timeline(site.boot(), ("discover", "boot/ia32/hello.efi"), ("bootserver", "boot/ia32/hello.efi"),
                       ("transfer-finished", "boot/ia32/hello.efi"))


def test_boot_arm64():
    """
    AAVMF on arm64: iPXE 1.21.1 comes by TFTP, trusts us by our offer and takes the RSA certificate. What it
    boots by HTTPS is iPXE 2.0, which takes the one with an elliptic curve and boots a program.
    """
    rules = [{"name": "old", "when": {"ipxe_version": ["<2"]}, "action": "entry", "entry": "newer"},
             {"name": "new", "when": {"ipxe_version": [">=2"]}, "action": "entry", "entry": "lister"}]
    with Lab("arm64") as lab:
        segment, site, capture = with_firmware(lab, key="both", http_port=0, handlerd={"rules": rules})
        for name, file in (("newer", f"{loaders('sid')}/{ARM64}"), ("lister", f"{media()}/lister-arm64.efi")):
            site.ferryctl("images", "add", name, "--type", "efi", "--efi", file, "--arch", "arm64")
        site.start()
        machine = Machine(lab, segment, "aavmf")
        evident(lab, site, machine, lambda: machine.wait_for("LISTER: end", 180))
        machine.stop()
        found = recorded(capture, 4, "uefi", "ipxe")
        check({x.request.number(93) for x in found} == {11}, "all of it is arm64")
        second, first = (site.query("boots", "show", b["id"]) for b in site.boots())
        check_timeline(first, ("discover", ARM64), ("bootserver", ARM64), ("transfer-finished", ARM64),
                       ("discover", "https://"), ("boot", ""), ("transfer-finished", "images/newer/ipxe.efi"))
        check_timeline(second, ("discover", "https://"), ("boot", ""),
                       ("transfer-finished", "images/lister/lister-arm64.efi"))
        check_tftp(first, ARM64, 1468, 4)
        log = read(site.log("httpsbootd"))
        for version, target, suite in (
                ("1.21.1", "boot", "ECDHE-RSA"), ("1.21.1", "file/images/newer/ipxe.efi", "ECDHE-RSA"),
                ("2.0", "boot", "ECDHE-ECDSA"), ("2.0", "file/images/lister/lister-arm64.efi", "ECDHE-ECDSA")):
            check(re.search(rf'target="?/2PXE/{target}\b.* status=200 .*suite={suite}-\S+ agent=iPXE/{version}', log),
                  f"iPXE {version} got {target} by {suite}: {log}")


def test_boot_uboot():
    """
    U-Boot of Debian 12, which takes the first offer that it gets: a DHCP server's that names us.  Our own
    are recorded beside it; it asks under its own name and then as UEFI firmware.
    """
    with Lab("uboot") as lab:
        segment, site, capture = with_firmware(lab, dhcp=[f"--dhcp-boot={ARM64},,{SERVER}"])
        site.start()
        machine = Machine(lab, segment, "u-boot")
        evident(lab, site, machine, lambda: wait_until(
            lambda: [b for b in site.boots() if any(
                e["kind"] == "transfer-finished" and e["file"] == ARM64
                for e in site.query("boots", "show", b["id"])["timeline"])], 180, "it to load iPXE from us"))
        found = recorded(capture, 2, "u-boot", "uefi")
        machine.stop()
        for x in found:
            check(x.reply.file == ARM64 and x.reply.siaddr == SERVER, f"file and siaddr in the header: {x}")
        loaded = [b for b in map(lambda b: site.query("boots", "show", b["id"]), site.boots())
                  if any(e["kind"] == "transfer-finished" for e in b["timeline"])]
        check_tftp(loaded[0], ARM64, 1468, 1)
        archs = [x.request.number(93) for x in found]
        check(22 in archs and 11 in archs, f"both of its forms were answered: {archs}")


def test_boot_chained():
    """
    A BIOS ROM that gets undionly.kpxe from the DHCP server's own options; the iPXE in it then takes our
    script, though the DHCP server names its loader again.
    """
    with Lab("chained") as lab:
        # the ROM of 2019 has no HTTPS: it is left to the DHCP server
        rules = [{"name": "rom", "when": {"client": ["ipxe"], "stage": ["discover", "bootserver"]},
                  "unless": {"ipxe_feature": ["https"]}, "action": "ignore"}]
        segment, site, capture = with_firmware(lab, dhcp=[f"--dhcp-boot={BIOS},,{SERVER}"],
                                               handlerd={"rules": rules})
        site.start()
        b = boot(lab, site, segment, "bios")
        check_timeline(b, ("discover", ""), ("transfer-finished", BIOS), ("discover", "2PXE/boot"), ("boot", ""))
        check(b["phase"] == "started", f"the kernel has reported: {b['phase']}")
        check_tftp(b, BIOS, 1432, 1)  # as iPXE asks
        found = recorded(capture, 1, "ipxe")
        check({x.request.number(93) for x in found} == {0}, "it is a BIOS")
        check(all(0x14 in dict(offers.sub_options(x.request.options[175])) for x in found),
              "only the chained iPXE, which has HTTPS, was answered")
