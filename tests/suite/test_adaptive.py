"""The adaptive loader: one that shows no sign of life is followed by another at the next attempt."""

import os
import shutil
import time

import dhcp
from lab import Failure, Lab, Machine, Site, SERVER, check, loaders, network, read
from media import dead_loader
from test_boot import prepare
from test_http import curl

FIRST = "boot/x64/snponly.efi"
OTHER = "boot/x64/ipxe.efi"
SILENCE = 2.2  # s after the fetch, with a margin: ADAPT_SILENCE_MS


def option50(address):
    return "3204" + bytes(int(x) for x in address.split(".")).hex()


class Firmware:
    """A machine that is as far as its firmware goes, by packets."""

    def __init__(self, lab, client, site, number):
        self.lab, self.client, self.site = lab, client, site
        self.mac = f"52540000aa{number:02x}"
        self.name = ":".join(self.mac[i:i + 2] for i in range(0, 12, 2))
        # machines of their own, not several adapters of one
        self.options = dhcp.firmware(7).replace(dhcp.UUID, dhcp.UUID[:-1] + bytes([number])).hex()
        self.address = f"10.77.1.{100 + number}"
        lab.sh(client, f"ip addr replace {self.address}/24 dev eth0")

    def discover(self):
        """What it is offered."""
        r = self.lab.client(self.client, "ask", options=self.options, mac=self.mac)
        check(len(r) == 1, f"one offer: {r}")
        return r[0]["file"]

    def lease(self):
        """Asks the DHCP server for its address, which is how that gets known."""
        self.lab.client(self.client, "ask", options=self.options + option50(self.address) + "3604" +
                        "0a4d0102", kind=3, mac=self.mac, seconds=0.2)

    def fetch(self, path):
        """Takes its lease and reads the whole loader."""
        self.lease()
        r = self.lab.client(self.client, "tftp", address=SERVER, name=path, source=self.address,
                            options=[["blksize", 1468], ["windowsize", 16]])
        check(r.get("bytes") == os.path.getsize(f"{self.site.root}/{path}"), f"the loader is read: {r}")
        boot = [b for b in self.site.boots() if b.get("mac") == self.name][0]
        kinds = [e["kind"] for e in self.site.query("boots", "show", boot["id"])["timeline"]]
        check("transfer-finished" in kinds, f"its timeline has it: {kinds}")

    def live(self):
        """iPXE asks for its script."""
        status, _, _ = curl(self.lab, self.client, self.site,
                            f"--interface {self.address} -d mac={self.name} -d platform=efi "
                            f"-d buildarch=x86_64 http://{SERVER}:8060/2PXE/boot")
        check(status == 200, "a script")

    def timeline(self):
        return [e for b in self.site.boots() if b.get("mac") == self.name
                for e in self.site.query("boots", "show", b["id"])["timeline"]]


def prepared(lab, **handlerd):
    _, _, client, site = network(lab, handlerd={"offers": {"uefi": "pxe10"}, **handlerd})
    shutil.copytree(loaders(), site.root, dirs_exist_ok=True)
    site.ca()
    site.start()
    return client, site


def test_next_loader():
    """Fetched whole and silent: the other one; it lives: kept, over kill -9 of handlerd, too."""
    with Lab("adaptive") as lab:
        client, site = prepared(lab)
        pc = Firmware(lab, client, site, 1)
        check(pc.discover() == FIRST, "the preferred one")
        check(pc.discover() == FIRST, "asked again at once: the same")
        pc.fetch(FIRST)
        time.sleep(SILENCE)
        check(pc.discover() == OTHER, "it was silent: the other one")
        check(pc.discover() == OTHER, "and the same when asked again")
        kinds = [e["kind"] for e in pc.timeline()]
        check("loader-silent" in kinds, f"the timeline tells it: {kinds}")
        reasons = [e["reason"] for e in pc.timeline() if e["kind"] == "discover"]
        check("loader-learned" in reasons and "loader" in reasons, f"and the reason: {reasons}")
        pc.fetch(OTHER)
        pc.live()
        check(pc.discover() == OTHER, "what came to life is kept")
        check(Firmware(lab, client, site, 2).discover() == FIRST, "one machine does not speak for its model")
        x = site.query("explain", "52:54:00:00:aa:01")["discover"]
        check((x["file"], x["loader_why"]) == (OTHER, "machine"), f"explain knows why: {x}")
        status = lab.stop(site.daemons.pop("handlerd"))
        check(status == 0, "handlerd ends well")
        saved = [f for f in os.listdir(site.run) if f.endswith("-loaders.json")]
        check(len(saved) == 1 and OTHER in read(f"{site.run}/{saved[0]}"), f"it is written down: {saved}")
        site.start("handlerd")
        check(pc.discover() == OTHER, "and known after a restart")


def test_not_silent():
    """No change: fetched in part, asked again within the two seconds, or alive in whatever way."""
    with Lab("lively") as lab:
        client, site = prepared(lab)
        with open(f"{site.root}/boot/x64/autoexec.ipxe", "w", encoding="utf-8") as f:
            f.write("#!ipxe\nshell\n")
        part, soon, lives, own = (Firmware(lab, client, site, n) for n in (1, 2, 3, 4))
        for pc in (part, soon, lives, own):
            check(pc.discover() == FIRST, "the preferred one")
        part.lease()
        lab.client(client, "tftp", address=SERVER, name=FIRST, source=part.address, stop_after=0,
                   options=[["tsize", 0], ["blksize", 1468]])
        lives.fetch(FIRST)
        lives.live()
        own.fetch(FIRST)
        lab.client(client, "tftp", address=SERVER, name="boot/x64/autoexec.ipxe", source=own.address)
        soon.fetch(FIRST)
        check(soon.discover() == FIRST, "a second card asks at once: that is no silence")
        time.sleep(SILENCE)
        check(part.discover() == FIRST, "it only asked for the size")
        check(lives.discover() == FIRST, "it lived")
        check(own.discover() == FIRST, "it asked for autoexec.ipxe, the site's own")


def test_model():
    """Three machines of a model silent: the fourth gets the other one first; a restart keeps it."""
    with Lab("model") as lab:
        client, site = prepared(lab)
        pcs = [Firmware(lab, client, site, n) for n in range(1, 4)]
        for pc in pcs:
            check(pc.discover() == FIRST, "the preferred one")
            pc.fetch(FIRST)
        time.sleep(SILENCE)
        for n, pc in enumerate(pcs):
            check(pc.discover() == OTHER, "the other one")
            pc.fetch(OTHER)
            pc.live()
            fresh = Firmware(lab, client, site, 11 + n)
            check(fresh.discover() == (OTHER if n == 2 else FIRST), f"after {n + 1} silent machines")
        status = lab.stop(site.daemons.pop("handlerd"))
        check(status == 0, "handlerd ends well")
        site.start("handlerd")
        check(Firmware(lab, client, site, 20).discover() == OTHER, "after a restart, too")
        # another build of the preferred loader has no past
        with open(f"{site.root}/{FIRST}", "ab") as f:
            f.write(b"\0" * 16)
        site.ferryctl("reload")
        check(Firmware(lab, client, site, 21).discover() == FIRST, "a new build begins anew")


def test_boot():
    """OVMF with a preferred loader that hangs: the next attempt boots with the other."""
    with Lab("adaptboot") as lab:
        segment = lab.segment("net")
        lab.capture(segment)
        lab.dhcp_server(segment)
        server = lab.host("server", segment, f"{SERVER}/24")
        site = Site(lab, server, handlerd={"loaders": [
            {"arch": "x64", "paths": ["boot/x64/dead.efi", FIRST]}]})
        prepare(site)
        shutil.copy(dead_loader(), f"{site.root}/boot/x64/dead.efi")
        site.start()
        # what comes behind PXE over IPv4 goes by fast, then the machine is reset
        off = ["-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n"]
        try:
            machine = Machine(lab, segment, name="one", args=off)
            machine.wait_for("DEAD: nothing happens", 90)
            time.sleep(SILENCE + 1)
            machine.stop()
            machine = Machine(lab, segment, name="two", args=off)
            machine.wait_for("BOOTFERRY: reported", 180)
            machine.wait_end(30)
            check("DEAD" not in machine.output(), "the dead one was not tried again")
        except Failure as e:
            raise Failure(f"{e}\n{site.timeline()}\n{lab.evidence()}") from e
        boots = site.boots()
        check(boots[0]["phase"] == "started", "the second boot saw it through")
        discovers = [e["reason"] for b in boots[::-1] for e in
                     site.query("boots", "show", b["id"])["timeline"] if e["kind"] == "discover"
                     and e["text"] == "pxe"]
        check(discovers[0] == "loader" and discovers[-1] == "loader-learned", f"{discovers}")
