"""Referral: machines are pointed to another boot infrastructure, at the DHCP stage and by iPXE."""

import json
import re
import shutil
import urllib.parse

import dhcp
from lab import (SERVER, Failure, Lab, Machine, Site, check, loaders, network, read, wait_until)
from test_boot import prepare
from test_http import curl

SECOND = "10.77.1.11"
THIRD = "10.77.1.12"
MAC = "52:54:00:00:00:01"
PROBE = {"interval_ms": 200, "timeout_ms": 3000, "rise": 1, "fall": 1}


def url_of(address):
    return f"http://{address}:8060/2PXE/boot"


def probe(kind, at=""):
    return {**PROBE, "kind": kind, "at": at}


def refer_to(*targets, **keys):
    """handlerd's configuration of a site that refers to these targets."""
    return {"mode": "referral", "referral": {"targets": list(targets), **keys}}


def ask(lab, client, site, mac=MAC, url=None, form=""):
    """A boot request by plain HTTP: the script."""
    status, _, body = curl(lab, client, site,
                           f"-d mac={mac} -d platform=efi -d buildarch=x86_64 {form} "
                           f"'{url or url_of(site.address)}'")
    check(status == 200 and body.startswith(b"#!ipxe"), f"a script: {status} {body[:200]}")
    return body.decode()


def urls(script):
    """The URLs that a script of a referral tries, in their order."""
    return re.findall(r"^set bf-url-\d+ (\S+)$", script, re.M)


def hosts(script):
    return [urllib.parse.urlsplit(u).hostname for u in urls(script)]


def asked(boot):
    """A timeline's last boot request."""
    return [e for e in boot["timeline"] if e["kind"] == "boot"][-1]


def states(site):
    return {t["name"]: t["state"] for t in site.query("status")["targets"]}


def wait_states(site, **wanted):
    wait_until(lambda: {k: v for k, v in states(site).items() if k in wanted} == wanted, 15,
               f"the targets' states {wanted}")


def start_web(site, *daemons):
    site.ca()
    site.start("handlerd", "httpsbootd", *daemons)
    wait_until(lambda: len(site.query("status")["services"]) == 1 + len(daemons), 10, "announcements")


def two_sites(lab, first, second=None):
    """A client and two sites, each in a namespace of its own."""
    segment, _, client, a = network(lab, handlerd=first)
    ns = lab.host("second", segment, f"{SECOND}/24")
    b = Site(lab, ns, SECOND, "second", **({"handlerd": second} if second else {}))
    return segment, client, a, b


def listener(lab, ns):
    """Something that takes connections at port 7000."""
    p = lab.spawn(ns, ["python3", "-c", "import socket\n"
                                        "s = socket.create_server(('', 7000))\n"
                                        "while True: s.accept()[0].close()"], "listener.log")
    return p


def test_take_over():
    """The first choice is dead: the second serves; the first comes back, and goes again."""
    with Lab("takeover") as lab:
        first = refer_to({"name": "dead", "url": url_of(THIRD), "probe": probe("tcp", f"{THIRD}:7000")},
                         {"name": "second", "url": url_of(SECOND), "order": 1,
                          "probe": probe("https", f"{url_of(SECOND)}")})
        segment, client, a, b = two_sites(lab, first)
        third = lab.host("third", segment, f"{THIRD}/24")
        start_web(b)
        start_web(a)
        wait_states(a, dead="down", second="up")
        script = ask(lab, client, a)
        check(hosts(script) == [SECOND, THIRD], f"the second, and the dead one last: {urls(script)}")
        there = ask(lab, client, a, url=urls(script)[0])
        check("There is no image for this machine" in there, "the second serves the machine")
        check(b.boots()[0]["mac"] == MAC, "which it knows")
        entry = asked(a.boot())
        check((entry["reason"], entry["text"]) == ("referred", "second"), f"the timeline tells it: {entry}")
        p = listener(lab, third)
        wait_states(a, dead="up")
        check(hosts(ask(lab, client, a)) == [THIRD, SECOND], "the first choice is back")
        lab.stop(p)
        wait_states(a, dead="down")
        check(hosts(ask(lab, client, a)) == [SECOND, THIRD], "and gone again")
        log = read(a.log("handlerd"))
        check(len(re.findall(r"target dead down probe=tcp .*why=", log)) == 2 and
              len(re.findall(r"target dead up probe=tcp", log)) == 1, "each change is a line in the log")


def test_probes():
    """Each kind of probe sees its own daemon go and come back; a reload forgets nothing."""
    with Lab("probes") as lab:
        segment, client, a, b = two_sites(lab, {})
        b.ca()
        a.conf["handlerd"].update(refer_to(
            {"name": "tcp", "url": url_of(SECOND), "probe": probe("tcp", f"{SECOND}:8060")},
            {"name": "https", "url": f"https://{SECOND}:8050/2PXE/boot", "probe": probe("https")},
            {"name": "https-strange", "url": f"https://{SECOND}:8050/2PXE/boot", "order": 9,
             "probe": probe("https")},
            {"name": "tftp", "next_server": SECOND, "files": [{"arch": "x64", "file": "none.efi"}],
             "probe": probe("tftp")},
            {"name": "tftp-file", "next_server": SECOND, "files": [{"arch": "x64", "file": "none.efi"}],
             "probe": {**probe("tftp"), "any_answer": False}},
            probe_ca=f"{b.run}/etc/ca/ca.pem"))
        b.start("handlerd", "httpsbootd", "tftpd")
        a.start("handlerd")
        wait_states(a, **{"tcp": "up", "https": "up", "tftp": "up", "tftp-file": "down"})
        b.kill("httpsbootd")
        wait_states(a, tcp="down", https="down", tftp="up")
        why = {t["name"]: t["why"] for t in a.query("status")["targets"]}
        check(why["tcp"] and why["https"] and why["tftp"] == "", f"and why: {why}")
        b.kill("tftpd")
        wait_states(a, tftp="down")
        b.start("tftpd")
        wait_states(a, tftp="up", tcp="down")
        b.start("httpsbootd")
        wait_states(a, tcp="up", https="up", tftp="up")
        # a server whose certificate nobody vouches for is no server
        lab.sh(None, f"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=x -days 9 "
                     f"-keyout {lab.path('x.key')} -out {lab.path('x.pem')} 2>/dev/null")
        a.conf["handlerd"]["referral"]["probe_ca"] = lab.path("x.pem")
        a.conf["handlerd"]["referral"]["targets"][2]["name"] = "stranger"
        with open(f"{a.run}/handlerd.json", "w", encoding="utf-8") as f:
            json.dump(a.conf["handlerd"], f)
        before = {t["name"]: t["probes"] for t in a.query("status")["targets"]}
        a.ferryctl("reload")
        after = {t["name"]: t["probes"] for t in a.query("status")["targets"]}
        check(after["tcp"] >= before["tcp"] > 0, f"what was known stays: {before} {after}")
        wait_states(a, stranger="down", tcp="up")
        del segment, client


def test_nearest():
    """The subnet's name beats networks, the longest of these wins, relays count; rules name targets."""
    with Lab("nearest") as lab:
        files = [{"arch": "x64", "file": "t.efi"}]
        conf = refer_to(
            {"name": "anywhere", "next_server": "10.77.9.1", "files": files, "url": "http://anywhere/"},
            {"name": "wide", "next_server": "10.77.9.2", "files": files, "url": "http://wide/",
             "near": ["10.77.0.0/16"]},
            {"name": "here", "next_server": "10.77.9.3", "files": files, "url": "http://here/",
             "near": ["10.77.1.0/24"]},
            {"name": "far", "next_server": "10.77.9.4", "files": files, "url": "http://far/",
             "near": ["192.168.5.0/24"]},
            {"name": "named", "next_server": "10.77.9.5", "files": files, "url": "http://named/",
             "near": ["lab"]})
        conf["rules"] = [{"name": "networks", "when": {"mac": ["52:54:00:00:00:01", "52:54:00:00:00:02", "52:54:00:00:00:03"]}, "action": "refer",
                          "targets": ["far", "anywhere", "wide", "here"]}]
        conf["offers"] = {"uefi": "pxe10"}
        _, _, client, site = network(lab, handlerd=conf)
        start_web(site, "tftpd", "dhcpproxyd")
        check(hosts(ask(lab, client, site, "52:54:00:00:00:10"))[0] == "named", "the subnet's name")
        check(hosts(ask(lab, client, site)) == ["here", "wide", "anywhere", "far"],
              "networks, the longest first; then those for everybody; then those for others")

        def offered(mac, giaddr="0.0.0.0"):
            r = lab.client(client, "ask", options=dhcp.firmware(7).hex(), mac=mac, giaddr=giaddr,
                           source=67 if giaddr != "0.0.0.0" else 68,
                           to=SERVER if giaddr != "0.0.0.0" else "255.255.255.255")
            check(len(r) == 1, f"one offer: {r}")
            return r[0]["siaddr"]

        check(offered("525400000002") == "10.77.9.3", "by our own address on its segment")
        lab.sh(client, "ip addr add 192.168.5.1/24 dev eth0")
        lab.sh(site.ns, "ip route add 192.168.5.0/24 dev eth0")
        check(offered("525400000003", "192.168.5.1") == "10.77.9.4", "by the relay's")
        x = site.query("explain", MAC)
        check(x["rule"] == "networks", f"explain names the rule: {x['rule']}")


def test_weights():
    """Shares by weight; a machine keeps its favourite; when one is down only its machines move."""
    with Lab("weights") as lab:
        conf = refer_to(
            {"name": "three", "url": "http://three/", "weight": 300, "probe": probe("tcp", f"{THIRD}:7000")},
            {"name": "one", "url": "http://one/", "weight": 100},
            {"name": "none", "url": "http://none/", "weight": 0})
        segment, _, client, site = network(lab, handlerd=conf)
        third = lab.host("third", segment, f"{THIRD}/24")
        p = listener(lab, third)
        start_web(site)
        wait_states(site, three="up")
        macs = [f"52:54:00:00:{n * 37 % 251:02x}:{n:02x}" for n in range(60)]

        def favourites():
            return {m: hosts(ask(lab, client, site, m))[0] for m in macs}

        before = favourites()
        shares = {h: list(before.values()).count(h) for h in ("three", "one", "none")}
        # by the machines' addresses, so always the same 60
        check(36 <= shares["three"] <= 54 and shares["none"] == 0, f"shares: {shares}")
        check(favourites() == before, "each machine has its favourite")
        lab.stop(p)
        wait_states(site, three="down")
        check(set(favourites().values()) == {"one"}, "the other takes over, not the one of no weight")
        p = listener(lab, third)
        wait_states(site, three="up")
        check(favourites() == before, "and they return")


def test_loop():
    """A refers to B, B refers to A: the second time at A there is a message and no URL."""
    with Lab("loop") as lab:
        # each by a name that the other does not know to be its own
        first = refer_to({"name": "second", "url": url_of(SECOND)})
        second = refer_to({"name": "first", "url": url_of(SERVER)})
        _, client, a, b = two_sites(lab, first, second)
        start_web(a)
        start_web(b)
        for way in ("post", "get"):
            at, trail = url_of(SERVER), []
            for _ in range(6):
                if way == "post":
                    # as iPXE: what a script has it post, to a URL with a query
                    script = ask(lab, client, a, url=at, form="-d site=north")
                else:
                    joint = "&" if "?" in at else "?"
                    _, _, body = curl(lab, client, a, f"'{at}{joint}mac={MAC}&platform=efi&site=north'")
                    script = body.decode()
                if not urls(script):
                    break
                at = urls(script)[0]
                trail.append(urllib.parse.urlsplit(at).hostname)
            check(trail == [SECOND, SERVER], f"{way}: there, back, and no further: {trail}")
            check("No boot server that this machine could be referred to" in script, "it says so")
        entry = asked(a.boot())
        check(entry["reason"] == "no-target", f"the timeline tells it: {entry}")


def test_own_address():
    """A target that is ourselves is never used."""
    with Lab("self") as lab:
        conf = refer_to({"name": "us", "url": f"https://{SERVER}:8050/2PXE/boot"},
                        {"name": "us-by-tftp", "next_server": SERVER,
                         "files": [{"arch": "x64", "file": "x.efi"}]})
        _, _, client, site = network(lab, handlerd=conf)
        shutil.copytree(loaders(), site.root, dirs_exist_ok=True)
        start_web(site, "tftpd", "dhcpproxyd")
        script = ask(lab, client, site)
        check(urls(script) == [] and "No boot server" in script, "no URL that leads back")
        r = lab.client(client, "ask", options=dhcp.firmware(7).hex())
        check(len(r) == 1 and not r[0]["file"].endswith("x.efi"), f"our loader, not a loop: {r}")


SECRETS = {"token": "SeCrEt1", "tokenid": "SeCrEt2", "requestid": "SeCrEt3", "statusid": "SeCrEt4",
           "updatedparams": "SeCrEt5", "authmethod": "SeCrEt6", "authvalue": "SeCrEt7",
           "pxeurl": "SeCrEt8", "wsurl": "SeCrEt9"}


def test_parameters():
    """What the client told goes along, by the rules for scripts; what is between it and us stays."""
    with Lab("refparams") as lab:
        conf = refer_to({"name": "query", "url": f"{url_of(SECOND)}?site=fixed"},
                        {"name": "fragment", "url": f"http://{SECOND}:8060/2PXE/boot##params=paramdata", "order": 1})
        _, client, a, b = two_sites(lab, conf)
        start_web(b)
        start_web(a)
        form = "".join(f" -d {k}={v}" for k, v in SECRETS.items())
        form += " -d site=mine -d room=12%2034 --data-urlencode 'odd=${net0/mac} $(x) \"q\"' -d serial=S1"
        script = ask(lab, client, a, form=form)
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(urls(script)[0]).query))
        check(query["site"] == "fixed", "the URL's own parameters win")
        check(query["room"] == "12 34" and query["serial"] == "S1", f"the client's go along: {query}")
        check(query["odd"] == '${net0/mac} $(x) "q"' and "${net0/mac} $" not in urls(script)[0],
              "encoded, so that nothing is expanded")
        check(urls(script)[1].endswith("##params=paramdata") and "room=12%2034" in urls(script)[1],
              "before the fragment")
        check("SeCrEt" not in "".join(urls(script)), "no secret in the URLs")
        # the first of the two blocks of `param` is the one for the other server
        block = script[script.index(":bf_refer"):script.index(":bf_nowhere")]
        check("room" in block, "the form tells it, too")
        secret = [v for v in SECRETS.values() if v in block or v.encode().hex(":") in block]
        check(secret == [], f"no secret in the form for the other server: {secret}")
        check("${tokenid}" not in block and "bfvia" not in block, "none of iPXE's own either")
        ask(lab, client, a, url=urls(script)[0])
        check(b.boots()[0]["mac"] == MAC, "the other server takes it")
        machine = b.query("machines", "show", MAC)
        check(machine["serial"] == "S1", f"with what the client told: {machine}")


def test_dhcp_stage():
    """next-server and file by architecture; firmware without a file gets our loader; iPXE its script."""
    with Lab("refdhcp") as lab:
        conf = refer_to({"name": "wds", "next_server": SECOND, "url": url_of(SECOND), "probe": probe("tftp"),
                         "files": [{"arch": "x64", "file": "boot\\x64\\wdsmgfw.efi"},
                                   {"arch": "bios", "file": "boot\\x64\\wdsnbp.com"},
                                   {"arch": "x64-http", "file": f"http://{SECOND}:8060/x64.efi"}]},
                        {"name": "spare", "next_server": THIRD, "order": 1,
                         "files": [{"arch": "x64", "file": "spare.efi"}]})
        conf["offers"] = {"uefi": "pxe10", "bios": "pxe10"}
        _, client, a, b = two_sites(lab, conf)
        shutil.copytree(loaders(), a.root, dirs_exist_ok=True)
        start_web(a, "tftpd", "dhcpproxyd")
        b.start("handlerd", "tftpd")
        wait_states(a, wds="up")

        def offer(arch, mac, kind=b"PXEClient", options=None):
            r = lab.client(client, "ask", options=(options or dhcp.firmware(arch, kind)).hex(), mac=mac)
            check(len(r) == 1, f"one offer for {arch}: {r}")
            return r[0]["siaddr"], r[0]["file"]

        check(offer(7, "525400000001") == (SECOND, "boot\\x64\\wdsmgfw.efi"), f"UEFI x64: {a.timeline()} {states(a)}")
        check(offer(0, "525400000002") == (SECOND, "boot\\x64\\wdsnbp.com"), "BIOS")
        check(offer(16, "525400000003", b"HTTPClient")[1] == f"http://{SECOND}:8060/x64.efi", "HTTP Boot")
        check(offer(11, "525400000004") == (SERVER, "boot/arm64/snponly.efi") or
              offer(11, "525400000004")[0] == SERVER, "ARM has no file there: our loader")
        check(offer(7, "525400000005", options=dhcp.ipxe())[1].endswith(":8050/2PXE/boot") or
              "/2PXE/boot" in offer(7, "525400000005", options=dhcp.ipxe())[1], "iPXE: our script, which refers")
        b.kill("tftpd")
        wait_states(a, wds="down")
        check(offer(7, "525400000006") == (THIRD, "spare.efi"), "the other one takes over")
        check(offer(0, "525400000007") == (SECOND, "boot\\x64\\wdsnbp.com"),
              "with nothing better the one that is down is offered: the probe can be wrong")
        b.start("tftpd")
        wait_states(a, wds="up")
        check(offer(7, "525400000008") == (SECOND, "boot\\x64\\wdsmgfw.efi"), "and back")


def test_rule():
    """In mode script a rule refers some machines and no others."""
    with Lab("refrule") as lab:
        conf = {"referral": {"targets": [{"name": "hq", "url": "http://hq/"},
                                         {"name": "lab", "url": "http://lab/"}]},
                "rules": [{"name": "to-hq", "when": {"product": ["NUC*"]}, "action": "refer",
                           "targets": ["hq"]}]}
        _, _, client, site = network(lab, handlerd=conf)
        start_web(site)
        check(hosts(ask(lab, client, site, form="-d product=NUC12")) == ["hq"], "the rule's target alone")
        check(urls(ask(lab, client, site, "52:54:00:00:00:02", form="-d product=T14")) == [], "not others")
        entry = [b for b in site.boots() if b["mac"] == MAC][0]
        last = asked(site.query("boots", "show", entry["id"]))
        check((last["rule"], last["reason"]) == ("to-hq", "referred"), f"the timeline names it: {last}")


def test_boot():
    """OVMF: our loader, our script, the first choice dead, and the kernel of the second Bootferry."""
    with Lab("refboot") as lab:
        # no probe: it is the script itself that finds out
        conf = refer_to({"name": "dead", "url": url_of(THIRD)},
                        {"name": "second", "url": url_of(SECOND), "order": 1})
        segment, _, a, b = two_sites(lab, conf)
        # an address that answers, with nobody there: refused at once
        lab.host("third", segment, f"{THIRD}/24")
        lab.capture(segment)
        lab.dhcp_server(segment)
        prepare(b)
        b.start("handlerd", "httpsbootd")
        shutil.copytree(loaders(), a.root, dirs_exist_ok=True)
        a.ca()
        a.start()
        machine = Machine(lab, segment)
        try:
            machine.wait_for("BOOTFERRY: reported", 180)
            machine.wait_end(30)
        except Failure as e:
            raise Failure(f"{e}\n{a.timeline()}\n{b.timeline()}\n{lab.evidence()}") from e
        check(b.boots()[0]["phase"] == "started" and b.boots()[0]["image"] == "tiny", "the second saw it through")
        check("/2PXE/file/images/tiny/vmlinuz" not in read(a.log("httpsbootd")), "not the first")
        reasons = [e.get("reason") for e in a.boot()["timeline"]]
        check("referred" in reasons, f"the first referred it: {reasons}")
        reports = [e for e in a.boot()["timeline"] if e["kind"] == "report"]
        check(any("failed" in e.get("file", "") for e in reports), f"and heard of the dead one: {reports}")
        machine_ = b.query("machines", "show", "52:54:00:12:34:56")
        check(machine_["serial"] == "S 1", "what the machine told went along")


