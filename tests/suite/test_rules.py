"""Rules with whole daemons: each form of condition and action, and what timeline and log say of it."""

import shutil
import socket
import time

import dhcp
from booting import Booting, address, hexmac, items
from lab import check, loaders, read
from test_http import BASE, curl


class Ruled(Booting):
    """A site with loaders and rules."""

    def __init__(self, name, *rules, **handlerd):
        super().__init__(name, rules=list(rules), **handlerd)

    def start(self, *daemons):
        shutil.copytree(loaders(), self.site.root, dirs_exist_ok=True)
        super().start(*(daemons or ("handlerd", "dhcpproxyd", "tftpd", "httpsbootd")))

    def discover(self, mac, arch=7, circuit=None, ipxe=False, **options):
        """A DISCOVER of firmware or iPXE, relayed if it has a circuit id; its offer or None."""
        text = dhcp.ipxe(arch) if ipxe else dhcp.firmware(arch)
        # each machine has its own UUID
        uuid = bytes.fromhex("00") + bytes.fromhex(hexmac(mac)).rjust(16, b"\x11")
        text = text.replace(dhcp.UUID, uuid)
        if circuit:
            text += dhcp.option(82, dhcp.option(1, circuit.encode()))
            options = {"to": "10.77.1.10", "giaddr": "10.77.1.50", "source": 67, "device": None, **options}
        r = self.lab.client(self.client, "ask", options=text.hex(), mac=hexmac(mac), seconds=2, **options)
        check(len(r) < 2, f"one offer: {r}")
        return r[0] if r else None

    def decided(self, mac, rule, reason, kind="discover"):
        """The timeline and the log name the rule and the reason."""
        check(self.why(mac, kind) == (rule, reason), f"{kind}: {self.why(mac, kind)}, not {(rule, reason)}")
        lines = [x for x in read(self.site.log("handlerd")).splitlines()
                 if "decide boot=" in x and f"stage={kind} " in x and f"mac={address(mac)} " in x]
        check(lines and f" rule={rule} " in lines[-1] and lines[-1].endswith(f"why={reason}"), f"{lines}")


def is_local(offer):
    """The offer that makes firmware go on to its next boot option at once."""
    return offer is not None and offer["file"] == "" and offer["options"]["43"].startswith("0601")


def test_places():
    """Rules by relay and circuit-id, by subnet and by network: silence, fast no, a loader, an entry."""
    with Ruled("places", {"name": "printer-port", "when": {"circuit_id": ["port-7"]}, "action": "ignore"},
               {"name": "cellar", "when": {"relay": ["10.77.1.50"], "circuit_id": ["port-8*"]},
                "action": "refuse", "text": "No network boot in the cellar."},
               {"name": "first-floor", "when": {"relay": ["10.77.1.0/24"]}, "action": "entry", "entry": "win11"},
               {"name": "old-cards", "when": {"subnet": ["la*"], "mac": ["52:54:00:00:00:04"]},
                "action": "loader", "loaders": ["boot/x64/ipxe.efi"]},
               {"name": "elsewhere", "when": {"subnet": ["office"]}, "action": "refuse"}) as b:
        b.start()
        check(b.discover(1, circuit="port-7") is None, "silence")
        b.decided(1, "printer-port", "rule-silence")
        check(is_local(b.discover(2, circuit="port-81")), "a fast no")
        b.decided(2, "cellar", "rule-refuses")
        r = b.discover(3, circuit="port-9")
        check(r["file"] == "boot/x64/snponly.efi" and r["options"]["82"].startswith("01"), f"a loader: {r}")
        check("images/win11/" in b.boot(3), "and its entry")
        b.decided(3, "first-floor", "rule-entry", "boot")
        check(b.discover(4)["file"] == "boot/x64/ipxe.efi", "its own loader")
        check(b.why(4, "discover")[0] == "old-cards", f"{b.why(4, 'discover')}")
        check(b.discover(5)["file"] == "boot/x64/snponly.efi", "others get the usual one")
        check(items(b.boot(4)) and b.why(4)[1] == "menu", "its scripts are as the mode makes them")
        # the machines of the first two are refused at the other stages as well
        text = b.boot(2)
        check("echo No network boot in the cellar.\n" in text and items(text) is None, text)
        b.decided(2, "cellar", "rule-refuses", "boot")
        # what firmware other than UEFI's needs to go on
        check(is_local(b.discover(6, arch=0, circuit="port-80")), "a fast no for BIOS")
        # a rule on files
        b.reload(rules=[{"name": "no-windows", "when": {"stage": ["file"], "file": ["images/win11/*"]},
                         "action": "refuse", "text": "not here"}])
        status, _, body = curl(b.lab, b.client, b.site, f"{BASE}/2PXE/file/images/memtest/memtest")
        check(status == 200, "other files are public")


def test_machines():
    """Rules by model, known at the DISCOVER from an earlier boot, by group, state and assignment."""
    with Ruled("machines", {"name": "approved", "when": {"machine": ["approved"]}, "action": "entry", "entry": "memtest"},
               {"name": "bad-model", "when": {"product": ["Model 13"]}, "action": "refuse"},
               {"name": "kiosks", "when": {"group": ["kiosks"]}, "action": "entry", "entry": "win11"},
               {"name": "lab-only", "when": {"manufacturer": ["Acme*"]}, "unless": {"serial": ["S-1*"]},
                "action": "menu", "standing": "memtest"},
               {"name": "strangers", "when": {"machine": ["unknown"]}, "action": "approval",
                "text": "Call Ann."},
               groups=[{"name": "kiosks", "members": ["serial-k1", "52:54:00:00:00:0a", "asset:K 2"]}]) as b:
        b.start()
        check(b.discover(1)["file"], "nothing is known at its first DISCOVER")
        text = b.boot(1, product="Model 13")
        check("may not boot" in text, text)
        b.decided(1, "bad-model", "rule-refuses", "boot")
        check(is_local(b.discover(1)), "the next time it is known")
        b.decided(1, "bad-model", "rule-refuses")
        for n, form in ((0x0a, {}), (0x0b, {"serial": "serial-k1"}), (0x0c, {"asset": "K 2"})):
            check("images/win11/" in b.boot(n, **form), f"{form}: of the group")
            b.decided(n, "kiosks", "rule-entry", "boot")
        text = b.boot(2, manufacturer="Acme Inc.", serial="S-20")
        check(items(text) and "--default memtest" in text, text)
        b.decided(2, "lab-only", "menu", "boot")
        text = b.boot(3, manufacturer="Acme Inc.", serial="S-10")
        check("echo Call Ann.\n" in text and "asking again in" in text, text)
        b.decided(3, "strangers", "approval", "boot")
        check([w["machine"]["mac"] for w in b.site.query("waiting")] == [address(3)], "somebody can see it")
        b.site.ferryctl("approve", address(3))
        check("images/memtest/" in b.boot(3, manufacturer="Acme Inc.", serial="S-10"), "it goes on")
        b.decided(3, "approved", "rule-entry", "boot")
        # what is assigned beats the rules
        b.site.ferryctl("assign", address(0x0a), "debian-12")
        check("images/debian-12/" in b.boot(0x0a), "assigned")
        b.decided(0x0a, "assignment", "assigned", "boot")


def test_quarantine():
    """A machine that a rule put into quarantine stays there until somebody releases it."""
    with Ruled("quarantine", {"name": "stolen", "when": {"serial": ["X9"]}, "action": "quarantine",
                              "text": "Bring me to room 7.", "log": True}) as b:
        b.start()
        text = b.boot(1, serial="X9")
        check("echo Bring me to room 7.\n" in text and items(text) is None, text)
        b.decided(1, "stolen", "quarantine", "boot")
        check("rule stolen decided: quarantine" in read(b.site.log("handlerd")), "a line of its own in the log")
        b.reload(rules=[])
        text = b.boot(1, serial="X9")
        check("room 7" in text, f"a boot under way has the rules that it began with: {text}")
        b.decided(1, "state", "quarantine", "boot")
        check(b.discover(1)["file"], "the next boot")
        text = b.boot(1, serial="X9")
        check("quarantine" in text and items(text) is None, f"without the rule, too: {text}")
        b.decided(1, "state", "quarantine", "boot")
        b.site.ferryctl("release", address(1))
        check(items(b.boot(1, serial="X9")), "released")


def test_history():
    """Rules by the outcome of the last boot, by attempt, and by time."""
    now = time.localtime()
    day = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    others = ",".join(d for i, d in enumerate(day) if i not in (now.tm_wday, (now.tm_wday + 1) % 7))
    # a minute either way belongs to the condition, should the day end just now
    today = f"{day[now.tm_wday]},{day[(now.tm_wday + 1) % 7]}"
    with Ruled("history", {"name": "closed", "when": {"time": [others]}, "action": "ignore"},
               {"name": "done", "when": {"outcome": ["done<1h"]}, "action": "refuse"},
               {"name": "failed", "when": {"outcome": ["failed"]}, "action": "entry", "entry": "memtest"},
               {"name": "third", "when": {"attempt": [">=3"]}, "action": "loader",
                "loaders": ["boot/x64/ipxe.efi"]},
               {"name": "today", "when": {"time": [f"{today} 00:00-24:00"], "stage": ["boot"]},
                "action": "entry", "entry": "win11"}) as b:
        b.start()
        check("images/win11/" in b.boot(1), "by the time")
        b.decided(1, "today", "rule-entry", "boot")
        for n, word in ((1, "done"), (2, "failed")):
            b.boot(n)
            boot = b.site.query("boots", "list", "--machine", address(n))[0]["id"]
            curl(b.lab, b.client, b.site, f"-d mac={address(n)} '{BASE}/2PXE/report/{word}/x?boot={boot}'")
        check(is_local(b.discover(1)), "it is installed: its disk is next, and at once")
        b.decided(1, "done", "rule-refuses")
        check(b.discover(2)["file"], "it failed: a loader")
        check("images/memtest/" in b.boot(2), "for another entry")
        b.decided(2, "failed", "rule-entry", "boot")
        # firmware that begins anew and again; within a boot a DISCOVER is only repeated
        files = []
        for _ in range(4):
            files.append(b.discover(3)["file"])
            check(b.discover(3, kind=3, to="10.77.1.10", port=4011, source=4011, ciaddr="10.77.1.50"), "port 4011")
            r = b.lab.client(b.client, "tftp", address="10.77.1.10", name=files[-1], seconds=5)
            check("sha" in r, f"it fetches its loader: {r}")
        check(files[0] == "boot/x64/snponly.efi" and files[-1] == "boot/x64/ipxe.efi", f"{files}")
        check(b.why(3, "discover")[0] == "third", f"{b.why(3, 'discover')}")
