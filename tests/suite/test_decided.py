"""Decisions on real firmware: a menu by keys, approval while the client waits, one boot and then the disk."""

import json
import os
import sys

from booting import IMAGES
from lab import SERVER, TOP, Failure, Lab, Machine, Site, boot_sector, check, read, wait_until
from test_boot import ARGS, prepare


class Firmware:
    """A segment with DHCP and all four daemons, for one BIOS machine with iPXE of 2019."""

    def __init__(self, name, **handlerd):
        self.lab = Lab(name)
        self.segment = self.lab.segment("net")
        self.lab.dhcp_server(self.segment)
        self.server = self.lab.host("server", self.segment, f"{SERVER}/24")
        self.site = Site(self.lab, self.server, handlerd=handlerd)

    def __enter__(self):
        self.lab.__enter__()
        return self

    def __exit__(self, kind, value, trace):
        more = ""
        if kind is not None and issubclass(kind, Failure):
            more = f"{value}\n{self.site.timeline()}\n{self.lab.evidence()}"
        self.lab.__exit__(kind, value, trace)
        if more:
            raise Failure(more)

    def start(self):
        prepare(self.site)
        for name in IMAGES:
            with open(self.lab.path(name), "w", encoding="ascii") as f:
                f.write(name)
            self.site.ferryctl("images", "add", name, "--type", "script", "--script", self.lab.path(name))
        self.site.start()

    def machine(self, args=(), name="pc"):
        return Machine(self.lab, self.segment, "bios", name=name, text=True, args=args)

    def lines(self, kind):
        return [e for e in self.site.boot()["timeline"] if e["kind"] == kind]


def test_menu_by_keys():
    """handlerd's menu on the screen: down, down, Enter; the choice comes back and boots."""
    items = [{"name": "debian-12"}, {"kind": "menu", "name": "more", "title": "More of them"}]
    with Firmware("keys", menus=[{"name": "main", "title": "What now?", "timeout_ms": 0, "items": items},
                                 {"name": "more", "items": [{"name": "win11"}, {"name": "tiny"}]}],
                  rules=[{"name": "menu", "action": "menu", "menu": "main"}]) as f:
        f.start()
        pc = f.machine()
        pc.wait_for("More of them", 90)
        pc.press("down")
        pc.press("ret")
        pc.wait_for("Tiny Linux", 10)
        pc.press("down")
        pc.press("ret")
        pc.wait_for("BOOTFERRY: reported", 120)
        boots = f.lines("boot")
        check([(e["rule"], e["reason"]) for e in boots[-2:]] == [("menu", "menu"), ("menu", "chosen")], f"{boots}")
        check(boots[-1]["file"] == "tiny" and f.site.boot()["phase"] == "started", "that is what runs")


def test_approval_while_waiting():
    """An unknown machine shows that it waits; approved, it goes on by itself, to what was assigned."""
    with Firmware("waits", unknown="approval") as f:
        f.start()
        pc = f.machine()
        pc.wait_for("waits for approval", 90)
        pc.wait_for("Test PC", 5)  # what to tell whoever decides
        wait_until(lambda: pc.output().count("asking again in") >= 2, 30, "it asks again")
        check([w["machine"]["serial"] for w in f.site.query("waiting")] == ["S 1"], "it is on the list")
        f.site.ferryctl("assign", "52:54:00:12:34:56", "tiny")
        f.site.ferryctl("approve", "52:54:00:12:34:56")
        pc.wait_for("BOOTFERRY: reported", 120)
        reasons = [e["reason"] for e in f.lines("boot")]
        check("approval" in reasons and reasons[-1] == "assigned", f"{reasons}")
        check(f.lines("approval-wanted"), "and the timeline says what it waited for")


def test_once_then_disk():
    """An entry for one boot; when the system reports that it is through, the next boot is the disk's."""
    with Firmware("once", rules=[{"name": "disk", "action": "refuse"}]) as f:
        f.start()
        f.site.ferryctl("assign", "52:54:00:12:34:56", "tiny", "--once")
        pc = f.machine()
        pc.wait_for("BOOTFERRY: reported", 150)
        pc.stop()
        boot = f.site.boot()
        check(f.lines("boot")[-1]["rule"] == "assignment", "by the assignment")
        # as an installer does at its end
        f.lab.sh(f.server, f"curl -sS --max-time 10 --fail -o /dev/null -d mac=52:54:00:12:34:56 "
                           f"'http://{SERVER}:8060/2PXE/report/done?boot={boot['id']}'")
        wait_until(lambda: f.site.query("machines", "show", "52:54:00:12:34:56").get("entry") is None, 5,
                   "the assignment's end")
        again = f.machine(boot_sector(f.lab.path("disk.img")), name="again")
        again.wait_for("LOCAL DISK", 90)
        check(f.site.boot()["id"] != boot["id"], "a new boot")
        decided = [(e["rule"], e["reason"]) for e in f.site.boot()["timeline"] if "reason" in e]
        check(("disk", "rule-refuses") in decided, f"{decided}")


def test_pixiecore_boots():
    """A service written for pixiecore boots a machine, with files of its own."""
    with Firmware("pixie") as f:
        folder = f.lab.path("service")
        os.mkdir(folder)
        f.site.conf["handlerd"]["webservice"] = {
            "urls": ["http://127.0.0.1:8051"], "dialect": "pixiecore", "features": {"boot_request": True}}
        f.lab.spawn(f.server, [sys.executable, f"{TOP}/tests/suite/webservice.py", folder, "127.0.0.1",
                               "8051", "8052", "8053"], "service.log")
        f.start()
        base = f"http://{SERVER}:8060/2PXE/file/images/tiny"
        with open(f"{folder}/v1_boot_52-54-00-12-34-56.json", "w", encoding="utf-8") as out:
            json.dump({"kernel": f"{base}/vmlinuz", "initrd": [f"{base}/initrd.img"], "cmdline": ARGS}, out)
        wait_until(lambda: "ready" in read(f.lab.path("service.log")), 20, "the web service")
        pc = f.machine()
        pc.wait_for("BOOTFERRY: reported", 150)
        check(f.lines("boot")[-1]["rule"] == "webservice", "as the service says")
