"""The styles of offers: what firmware follows each, and what is learned when one is not followed."""

import json
import os
import shutil
import time

import dhcp
from clients import rpc
from lab import (BUILD, Failure, Lab, Machine, Site, SERVER, check, loaders, network, read,
                 wait_until)
from test_adaptive import option50
from test_boot import boot, check_story, check_timeline, prepare

LOADER = "boot/x64/snponly.efi"
RETRY = 6.2  # beyond the time that a slow DHCP server is given
ANEW = 6.2
NEWS = 2.5   # until what was learned is in its file
PXE10 = "060108ff"
PROMPT = "0601080a0400505845ff"
NO_IPV6 = ["-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n"]


def style_of(offer):
    """By its option 43."""
    vendor = offer["options"].get("43", "")
    if vendor.startswith("060103") and "0807800001" in vendor:
        return "menu"
    return {"": "binl", PXE10: "pxe10", PROMPT: "pxe10-prompt"}[vendor]


class Firmware:
    """A machine that is as far as its firmware goes, by packets."""

    def __init__(self, lab, client, site, number, adapter="002324", options=None, server=SERVER):
        self.lab, self.client, self.site, self.server = lab, client, site, server
        self.mac = f"{adapter}0000{number:02x}"
        self.name = ":".join(self.mac[i:i + 2] for i in range(0, 12, 2))
        # machines of their own, not several adapters of one
        uuid = dhcp.UUID[:-1] + bytes([number])
        self.options = options or (dhcp.option(55, bytes([1, 2, 3, 4, 5, 6, 67, 97])) +
                                   dhcp.firmware(7).replace(dhcp.UUID, uuid)).hex()
        self.address = f"10.77.1.{100 + number}"
        self.xid = number << 8
        self.secs = 0
        lab.sh(client, f"ip addr replace {self.address}/24 dev eth0")

    def send(self):
        r = self.lab.client(self.client, "ask", options=self.options, mac=self.mac, xid=self.xid,
                            secs=self.secs)
        r = [x for x in r if x["options"].get("60") == b"PXEClient".hex()]  # a DHCP server may answer, too
        check(len(r) == 1, f"one offer: {r}")
        return style_of(r[0])

    def discover(self):
        """Begins anew; the style of the offer."""
        self.xid += 1
        self.secs = 0
        return self.send()

    def retry(self):
        """Asks again after its window, as firmware does that took no offer."""
        time.sleep(RETRY)
        self.secs += 8
        return self.send()

    def lease(self):
        self.lab.client(self.client, "ask", options=self.options + option50(self.address) +
                        "36040a4d0102", kind=3, mac=self.mac, seconds=0.2)

    def bootserver(self, item=None):
        """Asks port 4011, maybe for the item of a menu."""
        vendor = f"2b07{item}" if item else ""
        r = self.lab.client(self.client, "ask", options=self.options + vendor, kind=3, mac=self.mac,
                            to=self.server, port=4011, source=4011, ciaddr=self.address)
        check(len(r) == 1 and r[0]["file"] == LOADER, f"an ACK: {r}")
        return r[0]

    def fetch(self):
        self.lease()
        wait_until(lambda: "lease" in [e["kind"] for e in self.timeline()], 5, "the lease is known")
        r = self.lab.client(self.client, "tftp", address=self.server, name=LOADER,
                            source=self.address, options=[["blksize", 1468], ["windowsize", 16]])
        check(r.get("bytes"), f"the loader is read: {r}")

    def timeline(self):
        return [e for b in self.site.boots()[::-1] if b.get("mac") == self.name
                for e in self.site.query("boots", "show", b["id"])["timeline"]]


def prepared(lab, **handlerd):
    _, _, client, site = network(lab, handlerd=handlerd)
    shutil.copytree(loaders(), site.root, dirs_exist_ok=True)
    site.ca()
    site.start()
    return client, site


def models(site):
    return {m["model"]: m for m in site.query("quirks", "list")["models"]}


def test_rotation():
    """Style after style to firmware that follows none; copies get the same; it is all told."""
    with Lab("rotation") as lab:
        client, site = prepared(lab)
        pc = Firmware(lab, client, site, 1)
        check(pc.discover() == "binl", "the default")
        check(pc.send() == "binl", "a copy of the packet gets the same")
        check(pc.discover() == "binl", "a start at once again, too")
        for style in ("pxe10", "menu", "pxe10-prompt", "binl", "pxe10"):
            check(pc.retry() == style, f"it came back: {style}")
            check(pc.send() == style, "and a copy gets the same")
        x = site.query("explain", pc.name)["discover"]
        check((x["style"], x["style_why"]) == ("pxe10", "unanswered-before"), f"explain: {x}")
        check("did not follow" in site.ferryctl("explain", pc.name), "in words")
        remarks = [e for e in pc.timeline() if e["kind"] == "offer-unanswered"]
        check([e["reason"] for e in remarks] ==
              ["binl", "pxe10", "menu", "pxe10-prompt", "binl"], f"the timeline: {remarks}")
        check("now pxe10" in remarks[0]["text"], f"says what comes next: {remarks[0]}")
        reasons = [e["reason"] for e in pc.timeline() if e["kind"] == "discover"]
        check("style-learned" in reasons and "loader" in reasons, f"and why: {reasons}")
        log = [x for x in read(site.log("handlerd")).splitlines() if "no style of offer" in x]
        check(len(log) == 1 and "ferryctl dhcp-options --for" in log[0] and "x64 UEFI by PXE" in log[0],
              f"once in the log: {log}")
        check(any("follows no offer" in p for p in site.query("status")["problems"]), "a problem")
        other = Firmware(lab, client, site, 2)
        check(other.discover() == "binl", "one machine does not speak for its model")
        for style in ("pxe10", "menu", "pxe10-prompt", "binl"):
            check(other.retry() == style, style)
        check(read(site.log("handlerd")).count("no style of offer") == 1, "not for each machine")
        m = list(models(site).values())
        check(len(m) == 1 and m[0]["hopeless"], f"the list tells it: {m}")
        check("none works" in site.ferryctl("quirks", "list"), "in words, too")


def test_kept():
    """What was followed is kept on that machine, also over a kill -9; by each way to follow it."""
    with Lab("kept") as lab:
        client, site = prepared(lab)
        file, item, silent, plain = (Firmware(lab, client, site, n, f"0023{n:02x}") for n in range(1, 5))
        check([pc.discover() for pc in (file, item, plain)] == ["binl"] * 3, "the default")
        plain.bootserver()
        check([pc.retry() for pc in (file, item)] == ["pxe10"] * 2, "the next")
        file.fetch()
        check(item.retry() == "menu", "and the next")
        vendor = item.bootserver("470480000000ff")["options"].get("43")
        check(vendor == "470480000000ff", f"the item comes back: {vendor}")
        time.sleep(ANEW)
        check(file.discover() == "pxe10", "its file was fetched: kept")
        check(item.discover() == "menu", "its item was asked for: kept")
        check(plain.discover() == "binl", "it asked port 4011: kept")
        # a DHCP server that says nothing: the machine comes back, whatever it is offered
        check(silent.discover() == "binl", "another machine")
        silent.bootserver()
        time.sleep(ANEW)
        check([silent.discover(), silent.retry(), silent.retry()] == ["binl", "binl", "pxe10"],
              "a style that works is not left after one failure")
        time.sleep(NEWS)
        site.kill("handlerd")
        saved = [f for f in os.listdir(site.run) if f.endswith("-styles.json")]
        check(len(saved) == 1, f"it is written down: {saved}")
        site.start("handlerd")
        wait_until(lambda: lab.client(client, "ask", options=plain.options, mac=plain.mac, seconds=0.5),
                   10, "dhcpproxyd has it again")
        check(file.discover() == "pxe10", "known after kill -9")
        check(item.discover() == "menu", "that, too")
        x = site.query("explain", item.name)["discover"]
        check((x["style"], x["style_why"]) == ("menu", "machine"), f"explain: {x}")


def test_damaged():
    """Damaged files of what was learned are told, and kept; what they told is learned again."""
    with Lab("damaged") as lab:
        client, site = prepared(lab)
        bad = {"styles": "{\"models\": [", "servers": "[]", "loaders": "\0"}
        for texts in (bad, dict.fromkeys(bad, '{"models": 1, "machines": [7, {}], "servers": {"a": 1}}')):
            site.kill("handlerd")
            for name, text in texts.items():
                with open(f"{site.run}/store.db-{name}.json", "w", encoding="utf-8") as f:
                    f.write(text)
            site.start("handlerd")
        for name, text in bad.items():
            path = f"{site.run}/store.db-{name}.json"
            lines = [x for x in read(site.log("handlerd")).splitlines() if f'state: "{path}" line ' in x]
            check(len(lines) == 1, f"{name}: told once: {lines}")
            check(read(path + ".damaged") == text, f"{name}: kept")
        check(site.query("quirks", "list")["models"] == [] and site.query("rivals") == [], "nothing is known")
        pc = Firmware(lab, client, site, 1)
        wait_until(lambda: lab.client(client, "ask", options=pc.options, mac=pc.mac, seconds=0.5), 10, "served")


def test_rule():
    """A rule's style is not adapted, nor is anything when adapting is off."""
    with Lab("stylerule") as lab:
        client, site = prepared(lab, rules=[
            {"name": "odd", "when": {"mac": ["00:23:99"]}, "action": "loader",
             "loaders": [LOADER], "style": "menu"}])
        pc = Firmware(lab, client, site, 1, "002399")
        check([pc.discover(), pc.retry(), pc.retry()] == ["menu"] * 3, "the rule's")
        x = site.query("explain", pc.name)["discover"]
        check((x["style"], x["style_why"]) == ("menu", "rule"), f"explain: {x}")
        check(not [e for e in pc.timeline() if e["kind"] == "offer-unanswered"], "no remark")
        check(site.query("quirks", "list")["models"] == [], "nothing is learned from it")
        site.conf["handlerd"]["offers"] = {"adapt": False, "bios": "menu"}
        with open(f"{site.run}/handlerd.json", "w", encoding="utf-8") as f:
            json.dump(site.conf["handlerd"], f)
        site.ferryctl("reload")
        pc = Firmware(lab, client, site, 2)
        check([pc.discover(), pc.retry(), pc.retry()] == ["binl"] * 3, "always the default")
        bios = Firmware(lab, client, site, 3, options=dhcp.firmware(0).hex())
        check(bios.discover() == "menu", "which the configuration says")


def test_model():
    """Two machines that follow another style change their model; another site takes it over."""
    with Lab("stylemodel") as lab:
        client, site = prepared(lab)
        for n in (1, 2):
            pc = Firmware(lab, client, site, n)
            check(pc.discover() == "binl", "the default")
            check(pc.retry() == "pxe10", "the next")
            pc.fetch()
        check(Firmware(lab, client, site, 3).discover() == "pxe10", "new machines get it at once")
        check(Firmware(lab, client, site, 4, "002325").discover() == "binl", "another adapter, another model")
        x = site.query("explain", "00:23:24:00:00:03")["discover"]
        check((x["style"], x["style_why"]) == ("pxe10", "model"), f"explain: {x}")
        (key, m), = [(k, m) for k, m in models(site).items() if m["adapter"] == "00:23:24"]
        check(m["style"] == "pxe10" and m["default"] == "binl", f"the list: {m}")
        check(m["styles"]["pxe10"]["successes"] == 2 and m["styles"]["binl"]["failures"] == 2, f"{m}")
        out = site.ferryctl("quirks", "list")
        check(key in out and "pxe10 (learned)" in out and "binl 0/2, pxe10 2/0" in out, out)
        out = site.ferryctl("quirks", "show", key[:8])
        check("2.0 machines speak against it" in out and "PXEClient:Arch:00007" in out, out)

        file = lab.path("quirks.json")
        site.ferryctl("quirks", "export", file)
        text = read(file)
        check("00:23:24:" not in text and "00112233" not in text and "3322110" not in text,
              f"nothing of machines is in it: {text}")
        check(site.ferryctl("quirks", "forget", "ffff", ok=False).returncode == 1, "no such model")
        site.ferryctl("quirks", "forget", key)
        site.kill("handlerd")
        site.start("handlerd")
        check(key not in models(site), "what was forgotten does not come back")
        wait_until(lambda: lab.client(client, "ask", options=pc.options, mac=pc.mac, seconds=0.5),
                   10, "dhcpproxyd has it again")
        check(Firmware(lab, client, site, 5).discover() == "binl", "forgotten")

        # another site, on its own segment
        segment = lab.segment("far")
        far = Site(lab, lab.host("farserver", segment, f"{SERVER}/24"), name="far")
        client = lab.host("farclient", segment, "10.77.1.50/24")
        shutil.copytree(loaders(), far.root, dirs_exist_ok=True)
        far.ca()
        far.start()
        quirks = json.loads(text)
        quirks["models"][0]["styles"]["magic"] = {}
        quirks["models"].append({**quirks["models"][0], "arch": "seven", "styles": {}})
        with open(lab.path("bad.json"), "w", encoding="utf-8") as f:
            json.dump(quirks, f)
        p = far.ferryctl("quirks", "import", lab.path("bad.json"), ok=False)
        bad = lab.path("bad.json")
        check(p.returncode == 1 and f"{bad}: models[0].styles.magic: is no style" in p.stderr and
              f'{bad}: models[{len(quirks["models"]) - 1}].arch: "seven" is no number' in p.stderr, p.stderr)
        with open(lab.path("bad.json"), "w", encoding="utf-8") as f:
            f.write("{\n")
        p = far.ferryctl("quirks", "import", lab.path("bad.json"), ok=False)
        check(p.returncode == 1 and f"{bad}:" in p.stderr, p.stderr)
        r = rpc(far.socket, "quirks.import", quirks=json.loads(text), check=1)
        check('"check"' in r["error"]["message"], f"neither true nor false: {r}")
        check(far.query("quirks", "list")["models"] == [], "nothing was taken over")
        far.ferryctl("quirks", "import", file)
        far.kill("handlerd")
        far.start("handlerd")
        check(key in models(far), "what was taken over is written down")
        far.ferryctl("quirks", "import", file)
        wait_until(lambda: lab.client(client, "ask", options=pc.options, mac=pc.mac, seconds=0.5),
                   10, "dhcpproxyd has it again")
        check(Firmware(lab, client, far, 7).discover() == "pxe10", "the first machine there gets it at once")
        m = models(far)[key]
        check(m["styles"]["pxe10"]["successes"] == 2, f"read twice, counted once: {m}")


def uefi(name, rules=(), **options):
    """A segment with a DHCP server and a site that is ready to boot."""
    lab = Lab(name)
    segment = lab.segment("net")
    lab.capture(segment)
    lab.dhcp_server(segment)
    server = lab.host("server", segment, f"{SERVER}/24")
    site = Site(lab, server, http_port=0, handlerd={"rules": list(rules)}, **options)
    prepare(site)
    site.start()
    return lab, segment, site


def by_rule(style):
    lab, segment, site = uefi(f"by{style}", [{"name": "r", "action": "loader", "loaders": [LOADER],
                                             "style": style}])
    with lab:
        b = boot(lab, site, segment)
        check_story(b, "https", LOADER)
        offers = [e["text"] for e in b["timeline"] if e["kind"] == "offer"]
        check(offers[0] == style, f"offered by {style}: {offers}")
        return b


def test_uefi_by_binl():
    """OVMF follows BINL, by a rule: port 4011, then the file."""
    check_timeline(by_rule("binl"), ("offer", LOADER), ("bootserver", LOADER), ("file", LOADER))


def test_uefi_by_pxe10():
    """OVMF follows PXE10, by a rule: the file at once."""
    for style in ("pxe10", "pxe10-prompt"):
        check(not [e for e in by_rule(style)["timeline"] if e["kind"] == "bootserver"],
              "4011 was not asked")


def test_uefi_by_menu():
    """OVMF follows the menu, by a rule: port 4011 with its item, then the file."""
    check_timeline(by_rule("menu"), ("offer", LOADER), ("bootserver", LOADER), ("file", LOADER))


def test_bios_each():
    """SeaBIOS with iPXE as its ROM, a PXE client of its own: each style leads to the file."""
    for style in ("binl", "pxe10", "pxe10-prompt", "menu"):
        with Lab(f"rom{style}") as lab:
            segment = lab.segment("net")
            lab.capture(segment)
            lab.dhcp_server(segment)
            server = lab.host("server", segment, f"{SERVER}/24")
            site = Site(lab, server)
            os.makedirs(lab.path("web"))
            with open(lab.path("web", "x.ipxe"), "w", encoding="utf-8") as f:
                f.write(f"#!ipxe\necho FOLLOWED {style}\nshell\n")
            lab.spawn(server, ["python3", "-m", "http.server", "-d", lab.path("web"), "8090"], "web.log")
            lab.spawn(server, [f"{BUILD}/tests/suite/fake_handlerd", site.conf["handlerd"]["listen"][0],
                               style, f"http://{SERVER}:8090/x.ipxe"], "fake_handlerd.log")
            site.start("dhcpproxyd")
            wait_until(lambda s=site: "in use" in read(s.log("dhcpproxyd")), 10, "the bus")
            machine = Machine(lab, segment, "bios", text=True)
            try:
                machine.wait_for(f"FOLLOWED {style}", 90)
            except Failure as e:
                raise Failure(f"{e}\n{lab.evidence()}") from e
            asked = "stage=bootserver" in read(lab.path("fake_handlerd.log"))
            check(asked == (style == "menu"), f"{style}: port 4011 was asked: {asked}")


def test_uefi_without_4011():
    """OVMF where port 4011 is not heard: boots at its second attempt, the model's next at its first."""
    lab, segment, site = uefi("no4011", dhcpproxyd={"listen_boot": False})
    with lab:
        try:
            machine = Machine(lab, segment, name="one", args=NO_IPV6)
            # what comes behind PXE over IPv4 goes by, then the machine is reset
            wait_until(lambda: "lease" in site.kinds(), 60, "it asked for an address")
            machine.wait_for("Start HTTP Boot over IPv4", 60)
            machine.stop()
            machine = Machine(lab, segment, name="two", args=NO_IPV6)
            machine.wait_for("BOOTFERRY: reported", 180)
            machine.wait_end(30)
            b = site.boot()
            remarks = [e for e in b["timeline"] if e["kind"] == "offer-unanswered"]
            check(len(remarks) == 1 and remarks[0]["reason"] == "binl" and
                  "though it asked for an address" in remarks[0]["text"], f"{remarks}")
            check("style-learned" in [e["reason"] for e in b["timeline"] if e["kind"] == "discover"],
                  "by the next style")
            # a second machine of the model, by the same options
            (m,) = [m for m in models(site).values() if "PXE" in m["words"]]
            check(m["styles"]["pxe10"]["successes"] == 1, f"it was counted: {m}")
            client = lab.host("client", segment, "10.77.1.50/24")
            options = (dhcp.option(55, bytes.fromhex(m["options"])) +
                       dhcp.option(60, m["class"].encode()) + dhcp.option(93, b"\0\7") +
                       dhcp.option(94, bytes(int(x) for x in m["ndi"].split("."))) +
                       dhcp.option(97, dhcp.UUID[:-1] + b"\7")).hex()
            pc = Firmware(lab, client, site, 7, "525400", options)
            check(pc.discover() == "binl" and pc.retry() == "pxe10", "one did not change its model")
            pc.fetch()
            check(len([m for m in models(site).values() if "PXE" in m["words"]]) == 1, "it is that model")
            machine = Machine(lab, segment, name="three", mac="52:54:00:99:00:03", args=NO_IPV6)
            machine.wait_for("BOOTFERRY: reported", 180)
            machine.wait_end(30)
            b = [b for b in site.boots() if b["mac"] == "52:54:00:99:00:03"]
            timeline = [e for x in b for e in site.query("boots", "show", x["id"])["timeline"]]
            check(not [e for e in timeline if e["kind"] == "offer-unanswered"], "at once")
            x = site.query("explain", "52:54:00:99:00:03")["discover"]
            check(x["style"] == "pxe10", f"explain: {x}")
        except Failure as e:
            raise Failure(f"{e}\n{site.timeline()}\n{lab.evidence()}") from e
