"""Hostile clients of the decision: forged claims, parameters that want to be run, stolen tokens."""

import base64
import glob
import hashlib
import hmac
import json
import os
import re
import shutil
import time

from lab import Failure, Lab, Machine, SERVER, Site, check, loaders, network, payload, read, wait_until
from test_boot import ARGS
from test_hostile import check_alive, check_end, check_flat, resident_kb
from test_http import BASE, curl, start
from test_tftp import put

MAC = "52:54:00:00:00:%02x"
PLAIN = f"http://{SERVER}:8060"

# each begins and ends so that it can be found whatever stands around it
NASTY = {
    "expansion": b"QQ${net0/mac}QQ", "nested": b"QQ${${net0/mac}}QQ", "half": b"QQ${QQ",
    "lines": b"QQ\necho QQ-RUNS\nQQ", "return": b"QQ\recho QQ-RUNS\rQQ", "and": b"QQ && echo QQ-RUNS ||",
    "quotes": b"QQ\"' echo QQ-RUNS", "nul": b"QQ\0echo QQ-RUNS", "escape": b"QQ\x1b[2J\x07\x7fQQ",
    "utf8": b"QQ\xff\xfe\xc0\xafQQ", "goto": b"QQ\n:bf_leave\ngoto bf_shell\nQQ", "hash": b"QQ##params=x#QQ",
    "query": b"QQ&entry=blue&boot=1QQ", "shell": b"QQ`id`$(id)QQ", "percent": b"QQ%s%n%%QQ",
    "backslash": b"QQ\\\necho QQ-RUNS", "sql": b"QQ'); DROP TABLE boots; --QQ", "long": b"QQ${x}" * 60,
}


def encoded(value):
    return b"".join(b"%%%02x" % c for c in value)


def form(**fields):
    return b"&".join(k.encode() + b"=" + (v if isinstance(v, bytes) else v.encode())
                     for k, v in fields.items())


def post(lab, client, body, path="/2PXE/boot", times=1, source=""):
    return lab.client(client, "posts", address=SERVER, requests=[[path, body.hex(), times]], source=source)[0]


def entries():
    return [{"name": "blue", "type": "script", "text": "echo BLUE\nshell"},
            {"name": "red", "type": "script", "text": "echo RED\nshell"}]


# --- what comes back ----------------------------------------------------------------------------

CARRIED = re.compile(r"^set bf-param-\d+:hex (?:[0-9a-f]{2}(?::[0-9a-f]{2})*)?$|"
                     r"^param --params paramdata \S+ \$\{bf-param-\d+:string\} \|\|$")
QUERY = re.compile(r"^set paramquery [A-Za-z0-9=&${}/:.%_-]*$")
ID = re.compile(r"^set bootid [0-9a-z]{8}$")


def skeleton(script):
    """A script without what may differ: the boot's id, and the client's parameters in safe forms."""
    lines = []
    for line in script.split("\n"):
        if CARRIED.match(line):
            continue
        if line.startswith("set paramquery "):
            check(QUERY.match(line), f"a query in which nothing can be run: {line!r}")
            # what is ours to read again: a web service's address, and what a person typed
            line = re.sub(r"&(?:room|authvalue|wsurl|pxeurl|QQ[A-Za-z0-9._-]*)=[A-Za-z0-9.%_-]*", "", line)
            check("QQ" not in line and "room" not in line, f"encoded: {line!r}")
        lines.append("set bootid" if ID.match(line) else line)
    return lines


def check_logs(site):
    """Lines of the daemons' logs are ours: printable, each with its time."""
    for daemon in ("handlerd", "httpsbootd"):
        with open(site.log(daemon), "rb") as f:
            log = f.read()
        raw = re.findall(rb"[^\n]*[^\n -~][^\n]*", log)
        check(not raw, f"{daemon} logs raw bytes: {raw[:2]}")
        strange = [x for x in log.splitlines() if not re.match(rb"\d{4}-\d\d-\d\dT\S+ \w+\[\d+\] \w+: |\w+: ready$", x)]
        check(not strange, f"{daemon} logs lines that are not its own: {strange[:3]}")


def test_parameters():
    """Values that want to be expanded, run or shown: the script is the one of a harmless client."""
    with Lab("nasty") as lab:
        _, _, client, site = network(lab, handlerd={"entries": entries()})
        start(site)
        base = {"mac": MAC % 1, "platform": "efi", "buildarch": "x86_64"}
        status, harmless = post(lab, client, form(**base, room="x"))
        check(status == 200 and "item" in harmless, "a menu")
        want = skeleton(harmless)
        for n, (what, value) in enumerate(NASTY.items()):
            for coded in (encoded(value), value.replace(b"&", b"%26")):
                fields = {**base, "mac": MAC % (n + 2)}
                for name in ("room", "product", "serial", "manufacturer", "asset", "version", "filename", "ifname",
                             "chip", "tokenid", "requestid", "statusid", "wsurl", "pxeurl", "token", "authvalue",
                             "uuid", "boot"):
                    fields[name] = coded
                status, script = post(lab, client, form(**fields))
                check(status == 200, f"{what}: status {status}")
                # whether it is carried or not (too long, NUL, ${ are not): all else is the same
                got = skeleton(script)
                check(got == want, f"{what}: {[x for x in got if x not in want][:5]}")
        # names of parameters
        for n, (what, value) in enumerate(NASTY.items()):
            body = form(**base) + b"&" + encoded(value) + b"=QQ&" + value.replace(b"&", b"") + b"=QQ"
            status, script = post(lab, client, body)
            check(status == 200 and skeleton(script) == want, f"a name with {what}")
        check_alive(site)
        check_logs(site)
        for b in site.boots():
            site.ferryctl("boots", "show", b["id"])
            site.query("boots", "show", b["id"])
        machines = json.dumps(site.query("machines", "list"))
        check("QQ" in machines, "what machines say of themselves is shown, as text")
        check("\x1b" not in site.ferryctl("machines", "list") + site.ferryctl("boots", "list"),
              "no terminal is led astray")


def test_names():
    """Choices that are paths, scripts or nothing: a message, never their text."""
    with Lab("names") as lab:
        _, _, client, site = network(lab, handlerd={"entries": entries()})
        put(site, "secret.txt", b"SECRET")
        start(site)
        for name in [*NASTY.values(), b"../secret.txt", b"..\\secret.txt", b"/etc/passwd", b"blue/../red", b"blue\0",
                     b"blue;reboot", b"blue red", b"http://10.77.1.99/x", b"A" * 40000, b".", b"-"]:
            status, script = post(lab, client, form(mac=MAC % 1, platform="efi", entry=encoded(name)
                                                    if len(name) < 20000 else name))
            # one with a NUL, or longer than any, counts as none
            check(status == 200 and ("item" in script if b"\0" in name or len(name) > 64 else
                                     "That is not in the menu of this machine." in script), f"{name[:40]}: {script[-300:]}")
            check(name.decode("latin-1") not in script or name in (b".", b"-"), f"{name[:40]} is not told again")
        status, script = post(lab, client, form(mac=MAC % 1, platform="efi", entry="blue"))
        check("echo BLUE" in script, "a good one is")
        words = [f"/2PXE/report/{encoded(v).decode()}?mac={MAC % 1}" for v in NASTY.values()]
        for path in words:
            status, _ = post(lab, client, b"", path=path.replace("%00", "%01"))
            check(status in (200, 400, 404, 414), f"{path[:60]}: {status}")
        boot = site.query("boots", "show", site.boots()[0]["id"])
        check(any(e["kind"] == "report" for e in boot["timeline"]), "strange reports are shown")
        check_logs(site)
        check_alive(site)


def test_sizes():
    """A value of a megabyte, 10,000 parameters, names of 60 kB."""
    with Lab("sizes") as lab:
        _, _, client, site = network(lab, handlerd={"entries": entries()})
        start(site)
        check(post(lab, client, b"mac=%s&x=" % (MAC % 1).encode() + b"", times=1)[0] == 200, "a small one")
        status, body = post(lab, client, b"x" * 1024, times=1024)
        check(status == 200 and "the form is too large" in body, f"a megabyte is too large: {status} {body[:80]}")
        for body, times in ((b"a=1&", 10000), (b"room=x&", 9000), (b"&", 60000), (b"=", 60000), (b"%", 60000), (b"x", 60000)):
            status, script = post(lab, client, body, times=times)
            check(status == 200 and len(script) < 65536, f"{body}: {status}, {len(script)} bytes")
        # what matters stands in front; then so much that is carried along that no script would hold it
        many = b"".join(b"&p%d=%s" % (n, b"v" * 200) for n in range(300))
        status, script = post(lab, client, form(mac=MAC % 1, platform="efi") + many)
        check(status == 200 and script.count("set bf-param-") <= 64, f"bounded: {script.count('set bf-param-')}")
        check_alive(site)
        check_logs(site)


def test_claims():
    """Another machine's boot id, MAC and UUID: its boot, its assignment and its name stay its own."""
    with Lab("claims") as lab:
        _, _, client, site = network(lab, handlerd={"entries": entries()})
        start(site)
        for n in (1, 2):
            lab.sh(client, f"ip addr add 10.77.1.{100 + n}/24 dev eth0")
        victim = {"mac": MAC % 1, "platform": "efi", "serial": "VICTIM1", "manufacturer": "Acme",
                  "uuid": "01020304-0506-0708-090a-0b0c0d0e0f01"}
        thief = {"mac": MAC % 2, "platform": "efi", "serial": "THIEF01", "manufacturer": "Acme"}
        post(lab, client, form(**victim), source="10.77.1.101")
        site.ferryctl("assign", MAC % 1, "blue", "--once")
        check("echo BLUE" in post(lab, client, form(**victim), source="10.77.1.101")[1], "the victim's entry")
        boot = [b["id"] for b in site.boots() if b.get("mac") == MAC % 1][0]
        before = site.query("boots", "show", boot)["timeline"]
        # its boot id, with the thief's MAC, and with none from the thief's address
        status, script = post(lab, client, form(**thief, boot=boot), source="10.77.1.102")
        check("echo BLUE" not in script and f"bootid {boot}" not in script, "a boot of its own")
        for path in (f"/2PXE/report/done?boot={boot}", f"/2PXE/report/done?boot={boot}&mac={MAC % 2}"):
            post(lab, client, b"", path=path, source="10.77.1.102")
        check("echo BLUE" in post(lab, client, form(**victim), source="10.77.1.101")[1],
              "another machine's report does not end the assignment")
        after = site.query("boots", "show", boot)["timeline"]
        check(len(after) > len(before) and not [e for e in after if e["kind"] == "report" or
                                                e["address"] == "10.77.1.102"], f"nor does it stand in the timeline: {after}")
        # its UUID, with another serial number
        status, script = post(lab, client, form(**{**thief, "uuid": victim["uuid"]}), source="10.77.1.102")
        check("echo BLUE" not in script, "a UUID alone does not give its assignment away")
        check([d["reason"] for d in site.query("machines", "duplicates")] == ["uuid-cloned"], "it is reported")
        check(site.query("machines", "show", MAC % 1)["serial"] == "VICTIM1", "the victim is who it was")
        # ids that were never given
        for bad in ("0", "zzzzzzzz", "99999999999", "-1", "${bootid}", "%00"):
            check(post(lab, client, form(**thief, boot=bad), source="10.77.1.102")[0] == 200, f"boot={bad}")
        check_alive(site)


# --- secret images --------------------------------------------------------------------------------

def token_of(script):
    return re.search(r"^set token (\S+)$", script, re.M).group(1)


def resigned(site, token, **change):
    """The token with other claims and a good signature, as docs/tokens.md tells its form."""
    b = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    check(len(b) == 63 and b[0] == 1, f"63 bytes of version 1: {len(b)}")
    if "expires" in change:
        b[16:20] = change["expires"].to_bytes(4, "big")
    keys = [json.load(open(f, encoding="utf-8")) for f in glob.glob(f"{site.run}/*token.key")]
    key = [k for k in keys[0]["keys"] if k["id"] == int.from_bytes(b[1:3], "big")][0]
    b[47:] = hmac.new(bytes.fromhex(key["secret"]), b"bootferry token tag " + bytes(b[:47]), hashlib.sha256).digest()[:16]
    return base64.urlsafe_b64encode(b).decode().rstrip("=")


def test_secret_image():
    """Without its token, with somebody else's, an old or a used one, by TFTP or plain HTTP: no file."""
    with Lab("secret") as lab:
        _, _, client, site = network(lab, handlerd={"tokens": {"uses": 3}})
        put(site, "../in/vmlinuz", b"kernel of a secret system")
        put(site, "../in/answers", b"password")
        site.ca()
        site.start("handlerd", "tftpd", "httpsbootd")
        for n in (1, 2):
            lab.sh(client, f"ip addr add 10.77.1.{100 + n}/24 dev eth0")
        site.ferryctl("images", "add", "hush", "--type", "linux", "--kernel", lab.path("in/vmlinuz"), "--initrd",
                      lab.path("in/answers"), "--title", "Hush", "--secret")
        path = "/2PXE/file/images/hush/vmlinuz"

        def get(token, address=1, base=BASE, more=""):
            joint = f"?token={token}" if token is not None else ""
            status, _, body = curl(lab, client, site, f"--interface 10.77.1.{100 + address} {more} '{base}{path}{joint}'")
            return status, body

        def boot(n):
            status, _, body = curl(lab, client, site, f"--interface 10.77.1.{100 + n} -d mac={MAC % n} -d platform=efi "
                                                      f"-d buildarch=x86_64 {BASE}/2PXE/boot")
            check(status == 200, "a script")
            return token_of(body.decode())

        mine, other = boot(1), boot(2)
        check(mine != other, "each has its own")
        refused = {"none": None, "empty": "", "nonsense": "abc", "of another machine": other,
                   "forged": mine[:-1] + ("A" if mine[-1] != "A" else "B"), "cut": mine[:-4], "longer": mine + "AAAA",
                   "another scope": mine[:26] + ("AA" if mine[26:28] != "AA" else "BB") + mine[28:],
                   "expired": resigned(site, mine, expires=int(time.time()) - 5),
                   "never ours": base64.urlsafe_b64encode(os.urandom(63)).decode().rstrip("=")}
        for what, token in refused.items():
            status, body = get(token)
            check(status == 403 and b"kernel" not in body, f"{what}: {status} {body[:80]}")
        check(get(mine, address=2)[0] == 403, "from another address")
        check(get(mine, base=PLAIN)[0] == 403, "over plain HTTP")
        r = lab.client(client, "tftp", address=SERVER, name="images/hush/vmlinuz", source="10.77.1.101")
        check(r.get("error") == 2, f"over TFTP: {r}")
        for name in ("images/hush/vmlinuz?token=" + mine[:12], "IMAGES\\HUSH\\VMLINUZ", "images/./hush/vmlinuz"):
            r = lab.client(client, "tftp", address=SERVER, name=name, source="10.77.1.101")
            check("error" in r, f"TFTP as {name}: {r}")
        for name in ("images/hush//vmlinuz", "images/HUSH/vmlinuz", "images/x/../hush/vmlinuz", "images%2fhush%2fvmlinuz",
                     "images/hush/VMLINUZ"):
            status, _, body = curl(lab, client, site, f"--path-as-is '{BASE}/2PXE/file/{name}'")
            check(status in (403, 404) and b"kernel" not in body, f"as {name}: {status}")
        check(get(resigned(site, mine, expires=int(time.time()) + 900))[1] == b"kernel of a secret system",
              "signed by hand as the manual says, a good one")
        for _ in range(4):
            check(get(mine, more="-I")[0] == 200, "HEAD is no use of it")
        used = 1  # the same id: that was its first use
        while get(mine)[0] == 200:
            used += 1
        check(used == 3, f"it is good three times: {used}")
        check(get(mine)[0] == 403 and get(mine)[0] == 403, "and no more")
        status, _, body = curl(lab, client, site, f"--interface 10.77.1.101 '{BASE}/2PXE/file/images/hush/answers?token={mine}'")
        check((status, body) == (200, b"password"), "each file counts for itself")
        mine_boot = [b["id"] for b in site.boots() if b.get("mac") == MAC % 1][0]
        reused = [e for e in site.query("boots", "show", mine_boot)["timeline"] if e["kind"] == "token-reused"]
        check(len(reused) == 1 and reused[0]["text"] == "images/hush/vmlinuz", f"told once: {reused}")
        told = {e["reason"] for b in site.boots() for e in site.query("boots", "show", b["id"])["timeline"]
                if e["kind"] == "token-refused"}
        check(told == {"expired", "other-address"}, f"{told}")
        faults = site.query("status")["tokens"]
        check(all(faults[k] > 0 for k in ("malformed", "forged", "expired", "other-address", "good")) and
              faults["used-up"] == 3, f"counted: {faults}")
        check("refused: expired" in read(site.log("handlerd")), "and in the log")
        site.kill("handlerd")
        site.start("handlerd")
        # the first answer counts: a table that began anew would be used up by more of them
        status = wait_until(lambda: [s for s in (get(mine)[0],) if s != 503], 10, "handlerd's answer")[0]
        check(status == 403 and site.query("status")["tokens"]["used-up"] == 1,
              f"what was used up stays so when handlerd is killed: {status}")
        # a form may hold it, too; and what a person typed
        again = boot(1)
        curl(lab, client, site, f"--interface 10.77.1.101 -d token={again} -d authvalue=PIN-4711 -d tokenid=TID-4711 "
                                f"-d mac={MAC % 1} {BASE}/2PXE/boot")
        curl(lab, client, site, f"--interface 10.77.1.101 -d token={again} -d %61uthvalue=PIN-4711 -d tokenid=TID-4711 "
                                f"-d word=seen '{BASE}/2PXE/report/done?boot={mine_boot}&token={again}'")
        report = [e for b in site.boots() for e in site.query("boots", "show", b["id"])["timeline"] if e["kind"] == "report"]
        check(report and "word=seen" in report[-1]["text"] and "token=..." in report[-1]["text"],
              f"the report's words are kept, without secrets: {report}")
        for daemon in ("httpsbootd", "tftpd", "handlerd"):
            check(lab.stop(site.daemons.pop(daemon)) == 0, f"{daemon} ends well")
        secrets = [t.encode() for t in (mine, other, again, "PIN-4711", "TID-4711")]
        for name in glob.glob(f"{site.run}/store*") + glob.glob(lab.path("*.log")):
            with open(name, "rb") as f:
                data = f.read()
            check(not [s for s in secrets if s in data], f"{name} holds {[s for s in secrets if s in data]}")
        check(os.path.getsize(f"{site.run}/store.db") > 0, "the store was looked at")


# --- many ------------------------------------------------------------------------------------------

def test_random_posts():
    """10,000 random forms: nothing crashes, memory stays flat, service goes on."""
    with Lab("posts") as lab:
        _, _, client, site = network(lab, handlerd={"entries": entries(), "max_boots": 1000, "rules": [
            {"name": "params", "when": {"param": ["room=*x*"]}, "action": "menu"},
            {"name": "models", "when": {"product": ["*Q*"], "serial": ["?*"]}, "action": "entry", "entry": "blue"}]})
        start(site)
        names = ["mac", "uuid", "product", "serial", "manufacturer", "asset", "platform", "buildarch", "version", "boot",
                 "entry", "token", "tokenid", "room", "nomenu", "offerid", "memsize", "mem0", "bfvia", "x"]
        pieces = [v.hex() for v in NASTY.values()] + [b"52:54:00:00:00:01".hex(), b"efi".hex(), b"blue".hex(), b"true".hex()]
        arguments = {"address": SERVER, "names": names, "pieces": pieces}
        # tables of machines and boots fill first
        for seed in (1, 2):
            lab.client(client, "random_posts", count=2500, seed=seed, **arguments)
        before = {d: resident_kb(p) for d, p in site.daemons.items()}
        seen = lab.client(client, "random_posts", count=10000, seed=3, **arguments)
        check(seen.get("200", 0) > 5000, f"most are answered: {seen}")
        check_alive(site)
        for daemon in site.daemons:
            check_flat(site, daemon, before[daemon])
        check_logs(site)
        check("echo" in post(lab, client, form(mac=MAC % 250, platform="efi", entry="blue"))[1], "a good one is served")
        check_end(lab, site)


# --- real iPXE -------------------------------------------------------------------------------------

def test_ipxe_2019():
    """iPXE of 2019 on a machine whose SMBIOS wants things run: it waits, is approved, and boots."""
    with Lab("nastypc") as lab:
        segment = lab.segment("net")
        lab.capture(segment)
        lab.dhcp_server(segment)
        server = lab.host("server", segment, f"{SERVER}/24")
        site = Site(lab, server, handlerd={"unknown": "approval"})
        shutil.copytree(loaders(), site.root, dirs_exist_ok=True)
        site.ca()
        kernel, initrd = payload()
        site.ferryctl("images", "add", "tiny", "--type", "linux", "--kernel", kernel, "--initrd", initrd, "--args", ARGS)
        site.start()
        evil = "type=1,manufacturer=E && echo QQ-RUNS ||,product=P\necho QQ-RUNS\n#${netX/nothing} \"'x#,serial=S${serial"
        machine = Machine(lab, segment, "bios", text=True, args=["-smbios", evil])
        try:
            machine.wait_for("waits for approval", 90)
            site.ferryctl("approve", "52:54:00:12:34:56")
            machine.wait_for("BOOTFERRY: reported", 120)
            machine.wait_end(30)
        except Failure as e:
            raise Failure(f"{e}\n{site.timeline()}\n{lab.evidence()}") from e
        shown = machine.output()
        check("Model E && echo QQ-RUNS || P" in shown, "its name is shown, as text")
        check("\nQQ-RUNS" not in shown.replace("\r", ""), "and nothing was run")
        # iPXE's own encoding of settings leaves '&' as it is: what follows it is another parameter
        m = site.query("machines", "show", "52:54:00:12:34:56")
        check(m["manufacturer"] == "E" and m["product"].startswith("P\necho QQ-RUNS\n#") and
              m["serial"].startswith("S"), f"as it is: {m}")
        check(site.boots()[0]["phase"] == "started", "it booted")
        check_logs(site)
        check(read(site.log("handlerd")).count("action=data") >= 3, "by the usual steps")
