"""The scripts of tests/data/scripts, byte by byte, on real iPXE: of 2019 in a BIOS, 2.0 in UEFI.

The C test compares what handlerd makes with these files; here it is shown what they do.
"""

import json
import os
import shutil
import sys

from lab import (DHCP, SERVER, TOP, Failure, Lab, Machine, check, loaders, payload, read,
                 wait_until)
from media import EXIT, media

OTHER = "10.77.1.11"  # the other server that the scripts know
PORT = 8060


class Scripted:
    """A segment with a DHCP server, two web servers that play httpsbootd, and one machine."""

    def __init__(self, lab, suite="sid"):
        self.lab = lab
        self.segment = lab.segment("net")
        # what an UEFI machine tries behind PXE before it comes to its disk ends at once
        over = f"http://{SERVER}:{PORT}/nothing.efi"
        tftp = lab.path("tftp")
        os.mkdir(tftp)
        shutil.copy(f"{loaders(suite)}/boot/x64/snponly.efi", tftp)
        os.chmod(tftp, 0o755)
        lab.dhcp_server(self.segment, extra=[
            "--dhcp-userclass=set:ipxe,iPXE", "--enable-tftp", f"--tftp-root={tftp}",
            f"--dhcp-boot=tag:ipxe,http://{SERVER}:{PORT}/2PXE/boot,,{DHCP}",
            f"--dhcp-boot=tag:!ipxe,tag:!http,snponly.efi,,{DHCP}",
            "--dhcp-vendorclass=set:http,HTTPClient", "--dhcp-option-force=tag:http,60,HTTPClient",
            f"--dhcp-boot=tag:http,{over},,{SERVER}"])
        self.ns = lab.host("server", self.segment, f"{SERVER}/24")
        lab.sh(self.ns, f"ip addr add {OTHER}/24 dev eth0")
        self.files = lab.path("files")
        os.mkdir(self.files)

    def put(self, name, source):
        """A file of the content root, or text for one."""
        path = f"{self.files}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.exists(source):
            shutil.copy(source, path)
        else:
            with open(path, "w", encoding="utf-8") as f:
                f.write(source)

    def put_linux(self):
        kernel, initrd = payload()
        self.put("images/tiny/vmlinuz", kernel)
        self.put("images/tiny/initrd.img", initrd)

    def serve(self, address, answers, missing=None, scripts=f"{TOP}/tests/data/scripts"):
        plan = self.lab.path(f"plan-{address}.json")
        with open(plan, "w", encoding="utf-8") as f:
            json.dump({"address": address, "port": PORT, "scripts": scripts, "files": self.files,
                       "answers": answers, "missing": missing or {}}, f)
        self.lab.spawn(self.ns, [sys.executable, f"{TOP}/tests/suite/script_server.py", plan,
                                 self.lab.path(f"{address}.log")], f"server-{address}.log")
        wait_until(lambda: "listening" in read(self.lab.path(f"server-{address}.log")), 10,
                   "the web server")

    def requests(self, address=SERVER):
        return [json.loads(line) for line in read(self.lab.path(f"{address}.log")).splitlines()]

    def answers(self, address=SERVER):
        return [r["answer"] for r in self.requests(address) if "answer" in r]

    def machine(self, firmware, args=()):
        return Machine(self.lab, self.segment, firmware, text=True, args=args)


def play(name, suite, story):
    """Runs a story in a lab of its own; the console is evidence if it fails."""
    with Lab(name) as lab:
        site = Scripted(lab, suite)
        try:
            story(lab, site)
        except Failure as e:
            raise Failure(f"{e}\n{lab.evidence()}") from e


def disk(image):
    return ["-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n", "-drive", f"if=none,id=d0,format=raw,snapshot=on,file={media()}/{image}",
            "-device", "virtio-blk-pci,drive=d0,bootindex=2"]


def press(machine, key, text, seconds=10):
    """Presses a key and waits for the text to come anew."""
    seen = len(machine.output())
    if key:
        machine.press(key)
    wait_until(lambda: text in machine.output()[seen:], seconds, f"\"{text}\" after \"{key}\"")


# --- one long story: everything that comes back ------------------------------------------------

def story_of_menus(firmware, menu):
    """Collect, nested menus by keys, the site's text, waiting, prompt, refer, error, Linux."""

    def story(lab, site):
        site.put_linux()
        site.serve(SERVER, {
            "": ["collect", menu, "wait", "wait", "prompt", "refer", 503], "site": ["script"]},
                   missing={"images/tiny/vmlinuz": 1})
        site.serve(OTHER, {"": ["error", "linux"]})
        machine = site.machine(firmware)
        press(machine, "", "iPXE shell", 90)
        press(machine, "t", "Back")
        press(machine, "d", "Back")
        check("The other server" in machine.output(), "the menu below the menu")
        press(machine, "esc", "Back")  # Escape: from "deep" to "tools"
        press(machine, "esc", "iPXE shell")  # and on to "main"
        press(machine, "s", "site: 0000001a")
        machine.wait_for("Test PC, serial number S 1", 10)
        machine.wait_for("Ask ext. 42", 10)
        machine.wait_for("or wait $ {reboot}", 10)
        machine.wait_for("asking again in 4 s", 20)
        machine.wait_for("for the network", 20)
        machine.press("f12")
        machine.wait_for("on to http://10.77.1.10:8060/gone.ipxe", 60)
        machine.wait_for("on to http://10.77.1.11:8060/2PXE/boot", 60)
        machine.wait_for("The store is locked", 30)
        machine.wait_for("no script from http://10.77.1.10:8060/", 60)
        machine.wait_for("Bootferry: linux failed", 60)
        machine.wait_for("BOOTFERRY: reported", 120)
        machine.wait_end(30)
        check(machine.output().count("Ask ext. 42") == 1, "the page is shown once")
        check_requests(site, firmware)
        del lab

    return story


def check_requests(site, firmware):
    asked = [r for r in site.requests() if "answer" in r]
    posts = {r["method"] for r in asked if r["form"].get("mac")}
    check(posts == ({"GET"} if firmware == "bios" else {"POST"}), f"by query or form: {posts}")
    told = asked[1]["form"]
    check(told["mac"].replace("-", ":") == "52:54:00:12:34:56", "the MAC")
    check(told["serial"] == "S 1" and told["product"] == "Test PC", "SMBIOS")
    check(told["uuid"] == "00112233-4455-6677-8899-aabbccddeeff", "the UUID")
    check(told["mem0"] == "00000000ffff0b00", f"768 MB of memory: {told['mem0']}")
    check(told["boot"] == "0000001a", "the boot")
    check([r["form"]["entry"] for r in asked if r["form"].get("entry")] == ["site"],
          "the choice is sent, once")
    referred = [r for r in site.requests(OTHER) if "answer" in r]
    check(referred[0]["form"].get("site") == "north", "parameters go along")
    check("tokenid" not in referred[0]["form"] and "boot" not in referred[0]["form"],
          "our tokens do not")
    reports = [r["form"] for r in site.requests(OTHER) if "report" in r]
    check(any(r.get("item") == "linux" for r in reports), "the failed download is reported")


def test_bios_2019_menus():
    """iPXE of 2019 in a BIOS: no `param`, no HTTPS."""
    play("menus-bios", "sid", story_of_menus("bios", "menu-bios"))


def test_uefi_2_menus():
    """iPXE 2.0 in UEFI."""
    play("menus-uefi", "sid", story_of_menus("ovmf", "menu"))


# --- what ends a boot --------------------------------------------------------------------------

def test_bios_2019_leave():
    """A prompt without its key: a BIOS machine starts its disk."""

    def story(lab, site):
        site.serve(SERVER, {"": ["prompt"]})
        machine = site.machine("bios", EXIT + disk("bios.img"))
        machine.wait_for("leaving network boot", 90)
        machine.wait_for("MARKER: disk", 20)
        check(len(site.answers()) == 1, "once is enough")
        del lab

    play("leave-bios", "sid", story)


def leave_uefi(suite):
    def story(lab, site):
        site.serve(SERVER, {"": ["prompt"]})
        machine = site.machine("ovmf", disk("uefi.img"))
        machine.wait_for("leaving network boot", 120)
        machine.wait_for("LISTER: file DISK.TXT", 60)
        machine.wait_end(20)
        check(len(site.answers()) == 1, "once is enough")
        del lab

    return story


def test_uefi_2_leave():
    """A prompt without its key: UEFI goes on with the next boot option."""
    play("leave-uefi", "sid", leave_uefi("sid"))


def test_uefi_1_leave():
    """The same with iPXE 1.21.1."""
    play("leave-uefi1", "trixie", leave_uefi("trixie"))


def test_bios_2019_iso():
    """An ISO image as a disk over HTTP."""

    def story(lab, site):
        site.put("images/disc/disc.iso", f"{media()}/disc.iso")
        site.serve(SERVER, {"": ["iso"]})
        machine = site.machine("bios", EXIT)
        machine.wait_for("MARKER: iso", 90)
        del lab

    play("iso-bios", "sid", story)


def test_uefi_2_iso():
    """The same in UEFI."""

    def story(lab, site):
        site.put("images/disc/disc.iso", f"{media()}/disc.iso")
        site.serve(SERVER, {"": ["iso"]})
        machine = site.machine("ovmf")
        machine.wait_for("LISTER: file ISO.TXT", 120)
        machine.wait_end(20)
        del lab

    play("iso-uefi", "sid", story)


# --- Windows PE: what wimboot would find ---------------------------------------------------------

# file of the site -> its name and size for wimboot
PE_FILES = {
    "scripts/pe.ini": ("winpeshl.ini", 1001), "scripts/startnet.cmd": ("startnet.cmd", 1002),
    "images/pe/BCD.uefi": ("BCD", 1003), "images/pe/boot.sdi": ("boot.sdi", 1004),
    "images/pe/pe.wim": ("boot.wim", 2000005)}


def put_pe(site, wimboot):
    site.put("images/pe/wimboot", wimboot)
    for path, (_, size) in PE_FILES.items():
        site.put(path, "x" * size)


def check_pe(machine, seconds):
    machine.wait_for("LISTER: end", seconds)
    machine.wait_end(20)
    for name, size in PE_FILES.values():
        check(f"LISTER: file {name} {size}" in machine.output(), f"{name} is there")


def test_uefi_1_wim():
    """A menu's time runs out, and the entry's files come by their names (iPXE 1.21.1).

    There is no wimboot in Debian: a program that lists what it is given stands in for it.
    """

    def story(lab, site):
        put_pe(site, f"{media()}/lister.efi")
        site.serve(SERVER, {"": ["menu"], "site": ["wim"]})
        machine = site.machine("ovmf")
        check_pe(machine, 120)
        arguments = machine.output().split("LISTER: arguments")[1].splitlines()[0]
        check("gui" in arguments, f"its arguments: {arguments}")
        del lab

    play("wim-uefi", "trixie", story)


def test_bios_2019_wim():
    """The same in a BIOS with iPXE of 2019, where a Linux kernel stands in for wimboot.

    The entry's script gets two things more: a console, and an initrd that lists the files.
    """

    def story(lab, site):
        kernel, _ = payload()
        put_pe(site, kernel)
        site.put("lister.img", f"{media()}/lister.img")
        scripts = lab.path("scripts")
        os.mkdir(scripts)
        text = read(f"{TOP}/tests/data/scripts/wim.ipxe")
        text = text.replace(" gui ||", " gui console=ttyS0 ||")
        text = text.replace("\nboot ||", "\ninitrd ${fileurl}lister.img || goto bf_failed\nboot ||")
        with open(f"{scripts}/wim.ipxe", "w", encoding="utf-8") as f:
            f.write(text)
        shutil.copy(f"{TOP}/tests/data/scripts/menu-bios.ipxe", scripts)
        site.serve(SERVER, {"": ["menu-bios"], "site": ["wim"]}, scripts=scripts)
        check_pe(site.machine("bios"), 120)

    play("wim-bios", "sid", story)


def test_uefi_2_efi():
    """An EFI program that comes back goes back to the menu; a direct one leaves network boot."""

    def story(lab, site):
        site.put("images/tool/list.efi", f"{media()}/lister.efi")
        site.serve(SERVER, {"": ["menu", "leave"], "site": ["efi"]})
        machine = site.machine("ovmf", disk("uefi.img"))
        machine.wait_for("LISTER: end", 120)
        arguments = machine.output().split("LISTER: arguments")[1].splitlines()[0]
        check("-quiet back" in arguments, f"its arguments: {arguments}")
        machine.wait_for("leaving network boot", 20)
        machine.wait_for("LISTER: file DISK.TXT", 60)
        check(site.answers() == ["menu", "efi", "leave"], f"in this order: {site.answers()}")
        del lab

    play("efi", "sid", story)
