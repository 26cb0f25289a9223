"""What people decide and ask: explain, replay, assign, approve, deny, block, reload as a transaction."""

import json
import os
import shutil
import signal
import sqlite3

import dhcp
from lab import Lab, check, loaders, network, read, wait_until
from test_http import BASE, curl, start

MAC = "52:54:00:00:00:01"


def entries():
    return [{"name": "blue", "type": "script", "text": "echo BLUE\nshell"},
            {"name": "red", "type": "script", "text": "echo RED\nshell"},
            {"name": "blue-and-more-16", "type": "script", "text": "echo BLUE\nshell"}]


class Machine:
    """A machine that only makes boot requests."""

    def __init__(self, lab, client, site, number=1):
        self.lab, self.client, self.site, self.number = lab, client, site, number
        self.mac = f"52:54:00:00:00:{number:02x}"

    def ask(self, path="boot", **form):
        fields = {"mac": self.mac, "manufacturer": "Acme", "product": "NUC", "platform": "efi",
                  "buildarch": "x86_64", "serial": f"SERIAL{self.number:04}", **form}
        self.lab.sh(self.client, f"ip addr replace 10.77.1.{100 + self.number}/24 dev eth0")
        data = " ".join(f"--data-urlencode '{k}={v}'" for k, v in fields.items())
        status, _, body = curl(self.lab, self.client, self.site,
                               f"--interface 10.77.1.{100 + self.number} {data} '{BASE}/2PXE/{path}'")
        check(status == 200 and body.startswith(b"#!ipxe"), "a script")
        return body.decode()


def configure(site, **keys):
    path = f"{site.run}/handlerd.json"
    with open(path, "w", encoding="utf-8") as f:
        json.dump({**site.conf["handlerd"], **keys}, f)
    return path


def test_approval():
    """An unknown machine waits and goes on when it is approved; denied and blocked ones do not boot."""
    with Lab("approval") as lab:
        _, _, client, site = network(lab, handlerd={"unknown": "approval", "entries": entries()})
        start(site)
        pc = Machine(lab, client, site)
        check("waits for approval" in pc.ask(), "it is told that it waits")
        waiting = site.query("waiting")
        check([w["machine"]["mac"] for w in waiting] == [MAC], f"and is on the list: {waiting}")
        check("approval-wanted" in site.kinds(), "the timeline tells it")
        site.ferryctl("approve", MAC)
        check("item" in pc.ask(), "then it gets its menu")
        check(site.query("waiting") == [], "and waits no more")
        site.ferryctl("hold", MAC)
        check("waits for approval" in pc.ask(), "it is held")
        site.ferryctl("deny", MAC)
        check("may not boot" in pc.ask(), "it is denied")
        check(site.query("explain", MAC)["reason"] == "denied", "as explain says")
        site.ferryctl("release", MAC)
        check(site.query("explain", MAC)["reason"] == "approval", "it is unknown again")
        site.kill("handlerd")
        site.ferryctl("block", "52:54:00:00:00:99", ok=False)
        site.start("handlerd")
        site.ferryctl("block", "52:54:00:00:00:99")
        x = site.query("explain", "52:54:00:00:00:99")
        check(x["reason"] == "blocked" and x["discover"]["style"] == "local", f"never seen, yet blocked: {x}")
        m = site.query("machines", "show", MAC)
        check([e["text"] for e in m["events"] if e["kind"] == "state"][:3] == ["new", "denied", "held"],
              f"who decided what stays: {m['events']}")


def test_early():
    """A machine that is put into quarantine at its DISCOVER: scripts that are asked early get nothing stale."""
    with Lab("early") as lab:
        script = lab.path("boot.sh")
        with open(script, "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\nwhile read -r l; do case \"$l\" in *self-test*) echo '{\"ok\":true}';;"
                    "*) echo '{\"action\":\"none\"}';; esac; done\n")
        os.chmod(script, 0o755)
        os.chmod(lab.path(""), 0o755)
        rules = [{"name": "out", "when": {"product": ["NUC"], "stage": ["discover"]}, "action": "quarantine"}]
        _, _, client, site = network(lab, handlerd={"entries": entries(), "rules": rules,
                                                    "script": {"boot": script}})
        shutil.copytree(loaders(), site.root, dirs_exist_ok=True)
        site.ca()
        site.start()
        wait_until(lambda: len(site.query("status")["services"]) == 3, 5, "the announcements")
        pc = Machine(lab, client, site)
        check("item" in pc.ask(), "its model is known now")
        replies = lab.client(client, "ask", options=dhcp.firmware(7).hex(), mac=MAC.replace(":", ""))
        check(len(replies) == 1, "an offer")
        wait_until(lambda: site.query("explain", MAC)["reason"] == "quarantine", 10, "it is in quarantine")
        check(site.query("status")["sources"]["boot"]["failed"] == 0, "and the script was not disturbed")


def test_outcome():
    """How a machine's last boot ended is known after a restart, too, when that boot is long over."""
    with Lab("outcome") as lab:
        rules = [{"name": "again", "when": {"outcome": ["done<1h"]}, "action": "entry", "entry": "red"}]
        _, _, client, site = network(lab, handlerd={"entries": entries(), "rules": rules})
        start(site)
        pc = Machine(lab, client, site)
        check("item" in pc.ask(), "its first boot")
        pc.ask("report/done")
        check("echo RED" in pc.ask(), "the second one knows of the first")
        pc.ask("report/done")
        site.kill("handlerd", signal.SIGTERM)
        with sqlite3.connect(f"{site.run}/store.db") as db:
            db.execute("UPDATE boot SET last_ms = last_ms - 86400000")
        site.start("handlerd")
        check("echo RED" in pc.ask(), "and so does the third one, after a restart")


def test_menus_in_circles():
    """Menus that lead to each other cost a client's made-up choice no time."""
    with Lab("circles") as lab:
        names = [f"m{i}" for i in range(20)]
        menus = [{"name": n, "items": [{"kind": "menu", "name": o} for o in names if o != n] +
                  [{"name": "red"}]} for n in names]
        rules = [{"name": "all", "action": "menu", "menu": "m0"}]
        _, _, client, site = network(lab, handlerd={"entries": entries(), "menus": menus, "rules": rules})
        start(site)
        pc = Machine(lab, client, site)
        check("item" in pc.ask(), "the menu")
        check("not in the menu" in pc.ask(entry="blue"), "what no menu has is refused")
        check("echo RED" in pc.ask(entry="red"), "what one has is given")


def test_loader_rule():
    """A rule that names loaders has its way in mode `referral`, too; other machines are referred."""
    with Lab("loaderrule") as lab:
        target = {"name": "north", "next_server": "10.77.1.99", "files": [{"arch": "x64", "file": "north.efi"}],
                  "probe": {"kind": "none"}}
        rules = [{"name": "ours", "when": {"mac": [MAC]}, "action": "loader", "loaders": ["boot/x64/snponly.efi"]}]
        _, _, _, site = network(lab, handlerd={"mode": "referral", "referral": {"targets": [target]}, "rules": rules})
        shutil.copytree(loaders(), site.root, dirs_exist_ok=True)
        site.ca()
        site.start()
        wait_until(lambda: len(site.query("status")["services"]) == 3, 5, "the announcements")
        x = site.query("explain", MAC)["discover"]
        check((x["rule"], x["file"]) == ("ours", "boot/x64/snponly.efi"), f"{x}")
        x = site.query("explain", "52:54:00:00:00:77")["discover"]
        check((x["rule"], x["file"], x["server"]) == ("default", "north.efi", "10.77.1.99"), f"{x}")


def test_assign():
    """An assignment beats the rules; one for one boot ends with the report, one with a time ends then."""
    with Lab("assign") as lab:
        rules = [{"name": "all-red", "action": "entry", "entry": "red"}]
        _, _, client, site = network(lab, handlerd={"entries": entries(), "rules": rules})
        start(site)
        pc = Machine(lab, client, site)
        check("echo RED" in pc.ask(), "by the rule")
        p = site.ferryctl("assign", MAC, "green", ok=False)
        check(p.returncode == 1 and 'no entry or image "green"' in p.stderr, "no such entry")
        site.ferryctl("assign", "SERIAL0001", "blue", "--once")
        check("echo BLUE" in pc.ask(), "assigned")
        x = site.query("explain", MAC)
        check((x["action"], x["rule"], x["reason"], x["entry"]) == ("data", "assignment", "assigned", "blue"), f"{x}")
        site.kill("handlerd")
        site.start("handlerd")
        check("echo BLUE" in pc.ask(), "also after kill -9, until it is done")
        boot = site.boots()[0]["id"]
        pc.ask(f"report/done?boot={boot}")
        check("echo RED" in pc.ask(), "after its report the rule decides again")
        kinds = [e["kind"] for e in site.query("boots", "show", boot)["timeline"]]
        check("assignment-done" in kinds, f"the timeline tells it: {kinds}")
        # made while another entry runs: it is for the next boot, and for no other
        check("echo RED" in pc.ask(), "it boots something else")
        site.ferryctl("assign", MAC, "blue", "--once")
        pc.ask(f"report/done?boot={site.boots()[0]['id']}")
        check("echo BLUE" in pc.ask(), "the report of that does not end it")
        pc.ask(f"report/done?boot={site.boots()[0]['id']}")
        check("echo RED" in pc.ask(), "its own does")
        site.ferryctl("assign", MAC, "blue", "--until", "2s")
        check("echo BLUE" in pc.ask(), "for two seconds")
        wait_until(lambda: "echo RED" in pc.ask(), 10, "its end")
        # a machine that nobody has seen yet, and a name that fills its piece of memory
        site.ferryctl("assign", "52:54:00:00:00:02", "blue-and-more-16")
        check("echo BLUE" in Machine(lab, client, site, 2).ask(), "assigned before it came")
        site.ferryctl("unassign", "52:54:00:00:00:02")
        check("echo RED" in Machine(lab, client, site, 2).ask(), "and taken away")


def test_explain():
    """Explain names the rule that decides and why others do not, and changes nothing."""
    with Lab("explain") as lab:
        rules = [{"name": "night", "when": {"subnet": ["elsewhere"]}, "action": "ignore"},
                 {"name": "nucs", "when": {"product": ["NUC*"]}, "action": "menu", "standing": "red"}]
        _, _, client, site = network(lab, handlerd={"entries": entries(), "rules": rules})
        start(site)
        pc = Machine(lab, client, site)
        pc.ask()
        before = site.query("boots", "show", site.boots()[0]["id"])["timeline"]
        x = site.query("explain", MAC)
        check((x["action"], x["rule"], x["reason"]) == ("data", "nucs", "menu"), f"{x}")
        steps = {s["step"]: s for s in x["steps"]}
        check(not steps["night"]["decided"] and "subnet is" in steps["night"]["why"], f"why not: {steps}")
        check(steps["nucs"]["decided"], "and who")
        check(x["script"].startswith("#!ipxe"), "the exact answer")
        check("-> nucs" in site.ferryctl("explain", MAC), "for people")
        stranger = site.query("explain", "52:54:00:00:00:77")
        check(stranger["rule"] == "default" and stranger["machine"] is None, f"one never seen: {stranger}")
        request = lab.path("r.json")
        with open(request, "w", encoding="utf-8") as f:
            json.dump({"mac": "52:54:00:00:00:78", "product": "NUC12", "arch": 7}, f)
        check(site.query("explain", "--request", request)["rule"] == "nucs", "a request by hand")
        new = configure(site, rules=[{"name": "first", "action": "refuse"}])
        check(site.query("explain", MAC, "--config", new)["rule"] == "first", "by another configuration")
        check(site.query("explain", MAC)["rule"] == "nucs", "which is not in force")
        after = site.query("boots", "show", site.boots()[0]["id"])["timeline"]
        check(before == after and len(site.query("machines", "list")) == 1, "nothing was written down")


def test_explain_capture():
    """What would be sent for captured packets of real firmware, to the byte, without sending it."""
    with Lab("explaincap") as lab:
        segment, _, client, site = network(lab, handlerd={"rules": [
            {"name": "old", "when": {"mac": ["52:54:00:de:ad:00"]}, "action": "ignore"}]})
        shutil.copytree(loaders(), site.root, dirs_exist_ok=True)
        site.ca()
        site.start()
        wait_until(lambda: len(site.query("status")["services"]) == 3, 5, "the announcements")
        pcap = lab.capture(segment)
        replies = lab.client(client, "ask", options=dhcp.firmware(7).hex(), mac="525400010203")
        check(len(replies) == 1, "an offer")
        before = site.query("boots", "list")
        wait_until(lambda: site.query("explain", "--pcap", pcap), 5, "the capture")
        x = site.query("explain", "--pcap", pcap)
        check(len(x) == 1 and x[0]["action"] == "offer" and x[0]["rule"] == "default", f"{x}")
        check(x[0]["reply"] == replies[0]["bytes"], "the very bytes that were sent")
        check(site.query("boots", "list") == before, "nothing was written down")
        check("OFFER of" in site.ferryctl("explain", "--pcap", pcap), "for people")
        p = site.ferryctl("explain", "--pcap", f"{site.run}/handlerd.json", ok=False)
        check(p.returncode == 1 and "pcap" in p.stderr, "what is no capture")


def test_replay():
    """Yesterday's requests, decided by another configuration: the machines whose answers change."""
    with Lab("replay") as lab:
        _, _, client, site = network(lab, handlerd={"entries": entries(), "rules": [
            {"name": "all", "action": "entry", "entry": "red"}]})
        start(site)
        for n in (1, 2, 3):
            Machine(lab, client, site, n).ask()
        new = configure(site, rules=[
            {"name": "second", "when": {"mac": ["52:54:00:00:00:02"]}, "action": "entry", "entry": "blue"},
            {"name": "all", "action": "entry", "entry": "red"}])
        r = site.query("replay", "--config", new)
        check(r["requests"] == 3 and r["machines"] == 3, f"all three: {r}")
        check([c["mac"] for c in r["changes"]] == ["52:54:00:00:00:02"], f"one changes: {r['changes']}")
        check((r["changes"][0]["now"]["entry"], r["changes"][0]["then"]["entry"]) == ("red", "blue"), "how")
        check("52:54:00:00:00:02" in site.ferryctl("replay", "--config", new), "for people")
        check(site.query("replay", "--config", new) == r, "and again the same")
        # a script that nobody had then has no opinion, and its fall-back does not count
        script = lab.path("boot.sh")
        with open(script, "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\n")
        os.chmod(script, 0o755)
        new = configure(site, rules=[{"name": "all", "action": "script"}],
                        script={"boot": script, "fallback": "deny"})
        r = site.query("replay", "--config", new)
        check({(c["then"]["rule"], c["then"]["reason"]) for c in r["changes"]} == {("all", "menu")}, f"{r}")
        bad = configure(site, rules=[{"name": "x", "action": "menu", "menu": "none"}])
        p = site.ferryctl("replay", "--config", bad, ok=False)
        check(p.returncode == 1 and 'rules[0]: there is no menu "none"' in p.stderr, f"mistakes: {p.stderr}")


def test_transaction():
    """A reload is all or nothing; a boot under way keeps the rules it began with."""
    with Lab("transaction") as lab:
        rules = [{"name": "old", "action": "entry", "entry": "red"}]
        _, _, client, site = network(lab, handlerd={"entries": entries(), "rules": rules})
        start(site)
        one, two = Machine(lab, client, site), Machine(lab, client, site, 2)
        check("echo RED" in one.ask(), "it begins with the old rules")
        path = configure(site, rules=[{"name": "new", "action": "entry", "entry": "blue"}])
        r = site.query("reload", "--check")
        check(list(r["changed"]) == ["rules"], f"what would change: {r}")
        check("echo RED" in two.ask(), "and did not")
        site.query("reload")
        check("echo RED" in one.ask(), "a boot under way keeps its rules")
        check("echo BLUE" in Machine(lab, client, site, 3).ask(), "one that begins has the new ones")
        check(site.query("explain", "52:54:00:00:00:04")["rule"] == "new", "explain, too")
        # one that compiles, but cannot be put into force
        with open(path, "w", encoding="utf-8") as f:
            json.dump({**site.conf["handlerd"], "rules": [], "webservice": {
                "urls": ["https://192.0.2.1/"], "ca": lab.path("no.pem")}}, f)
        p = site.ferryctl("reload", ok=False)
        check(p.returncode == 1 and "nothing changed" in p.stderr, f"refused: {p.stderr}")
        check(site.query("explain", "52:54:00:00:00:05")["rule"] == "new", "all is as it was")
        log = read(site.log("handlerd"))
        check("the configuration stays as it was" in log, "which the log says")
