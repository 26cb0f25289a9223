"""tftpd against other people's clients, and its own rules."""

import hashlib
import os
import random
import threading
import time

from clients import rpc
from lab import Lab, SERVER, Site, check, network, read, wait_until
from tftp_client import request

OTHER = "10.77.1.11"  # of a second tftpd


def put(site, name, data):
    path = f"{site.root}/{name}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)
    return hashlib.sha256(data).hexdigest()


def start(site):
    site.start("handlerd", "tftpd")


def test_clients():
    """curl, atftp, tftp-hpa and busybox get identical files, by every way of theirs."""
    with Lab("clients") as lab:
        _, _, client, site = network(lab)
        rng = random.Random(1)
        files = {n: put(site, f"boot/f{n}", rng.randbytes(n))
                 for n in (0, 1, 511, 512, 513, 1468, 14680, 3000001)}
        start(site)
        for n, sha in files.items():
            name = f"boot/f{n}"
            for command in (
                    f"curl -sS -o OUT tftp://{SERVER}/{name}",
                    f"curl -sS --tftp-blksize 1024 -o OUT tftp://{SERVER}/{name}",
                    f"curl -sS --tftp-no-options -o OUT tftp://{SERVER}/{name}",
                    f"atftp --get -r {name} -l OUT {SERVER}",
                    f"atftp --option 'blksize 1468' --option 'windowsize 16' --get -r {name} "
                    f"-l OUT {SERVER}",
                    f"atftp --option 'blksize 8192' --option 'windowsize 64' --get -r {name} "
                    f"-l OUT {SERVER}",
                    f"tftp -m binary {SERVER} -c get {name} OUT",
                    f"busybox tftp -g -r {name} -l OUT -b 1400 {SERVER}"):
                if n == 0 and command.startswith("curl"):
                    continue  # curl makes no file of nothing
                out = lab.path("out")
                if os.path.exists(out):
                    os.remove(out)
                lab.sh(client, f"timeout 60 {command.replace('OUT', out)}")
                with open(out, "rb") as f:
                    check(hashlib.sha256(f.read()).hexdigest() == sha, command)


def test_large_blocks():
    """Blocks as large as the path's packets, and up to 65464 bytes where fragments are allowed."""
    with Lab("blocks") as lab:
        segment, server, client, site = network(lab)
        sha = put(site, "f", random.Random(2).randbytes(2000000))
        start(site)
        ports = lab.sh(segment, "ls /sys/class/net/br0/brif").split()
        for mtu in (1500, 1280, 9000):
            for ns, devices in ((segment, ports), (server, ["eth0"]), (client, ["eth0"])):
                for dev in devices:
                    lab.sh(ns, f"ip link set {dev} mtu {mtu}")
            r = lab.client(client, "tftp", address=SERVER, name="f", options=[["blksize", 65464]])
            check(r["sha"] == sha and r["oack"] == {"blksize": str(mtu - 32)}, f"MTU {mtu}: {r}")
    with Lab("fragments") as lab:
        _, _, client, site = network(lab, tftpd={"allow_fragments": True})
        sha = put(site, "f", random.Random(2).randbytes(2000000))
        start(site)
        for blksize in (8, 1468, 9000, 65464):
            r = lab.client(client, "tftp", address=SERVER, name="f" if blksize > 8 else "g",
                           options=[["blksize", blksize]])
            if blksize == 8:
                check(r["error"] == 1, "an absent file")
                continue
            check(r["sha"] == sha and r["oack"] == {"blksize": str(blksize)}, f"blksize {blksize}")


# what each client asks for, and the blksize and windowsize that are agreed: with packets that the path
# takes whole, and with fragments; None: it refuses to ask that
AGREED = (
    ("curl -sS -o OUT tftp://AT/NAME", (512, 1), (512, 1)),
    ("curl -sS --tftp-no-options -o OUT tftp://AT/NAME", (512, 1), (512, 1)),
    ("curl -sS --tftp-blksize 1468 -o OUT tftp://AT/NAME", (1468, 1), (1468, 1)),
    ("curl -sS --tftp-blksize 65464 -o OUT tftp://AT/NAME", (1468, 1), (65464, 1)),
    ("atftp --get -r NAME -l OUT AT", (512, 1), (512, 1)),
    ("atftp --option 'blksize 1200' --option 'windowsize 7' --get -r NAME -l OUT AT", (1200, 7), (1200, 7)),
    ("atftp --option 'blksize 8192' --option 'tsize 0' --get -r NAME -l OUT AT", (1468, 1), (8192, 1)),
    ("atftp --option 'blksize 65464' --option 'windowsize 64' --get -r NAME -l OUT AT", (1468, 64), (65464, 64)),
    ("atftp --option 'windowsize 65535' --get -r NAME -l OUT AT", (512, 64), (512, 64)),
    ("tftp -m binary AT -c get NAME OUT", (512, 1), (512, 1)),
    ("busybox tftp -g -r NAME -l OUT AT", (512, 1), (512, 1)),
    ("busybox tftp -g -r NAME -l OUT -b 1400 AT", (1400, 1), (1400, 1)),
    ("busybox tftp -g -r NAME -l OUT -b 65464 AT", (1468, 1), (65464, 1)),
)


def test_agreed():
    """curl, atftp, tftp-hpa and busybox: options as agreed, no failure, hardly a repeat, no fragments."""
    with Lab("agreed") as lab:
        segment, server, client, site = network(lab)
        lab.sh(server, f"ip addr add {OTHER}/24 dev eth0")
        loose = Site(lab, server, OTHER, "loose", tftpd={"allow_fragments": True})
        capture = lab.path("fragments.pcap")
        lab.spawn(segment, ["tcpdump", "-i", "br0", "-w", capture, "-U", "--immediate-mode", "-Z", "root",
                            "ip[6:2] & 0x3fff != 0"], "tcpdump.log")
        wait_until(lambda: "listening on" in read(lab.path("tcpdump.log")), 10, "tcpdump")
        data = random.Random(6).randbytes(700000)
        for at, s, column in ((SERVER, site, 1), (OTHER, loose, 2)):
            for n in range(len(AGREED)):
                put(s, f"f{n}", data)
            start(s)
            script = "\n".join("timeout 30 " + row[0].replace("NAME", f"f{n}").replace("AT", at)
                               .replace("OUT", lab.path(f"{s.name}{n}")) + " &" for n, row in enumerate(AGREED))
            lab.sh(client, script + "\nwait")
            for n, row in enumerate(AGREED):
                with open(lab.path(f"{s.name}{n}"), "rb") as f:
                    check(f.read() == data, f"{row[0]}: the contents")
            wait_until(lambda w=s: w.kinds().count("transfer-finished") == len(AGREED), 5, f"{s.name}: all told")
            told = {e["file"]: e for e in s.boot()["timeline"] if e["kind"] == "transfer-finished"}
            for n, row in enumerate(AGREED):
                e = told[f"f{n}"]
                check((e["blksize"], e["windowsize"]) == row[column], f"{row[0]}: {e}")
                # a window of more than the client's socket takes has to be sent again; so has, on a busy
                # host, what was not confirmed soon
                most = 4 * e["windowsize"] + len(data) // e["blksize"] // 50
                most = 1000 if e["blksize"] * e["windowsize"] > 100000 else most
                check(e["bytes"] == len(data) and e.get("retransmits", 0) <= most, f"{row[0]}: {e}")
            check("transfer-failed" not in s.kinds(), f"no failure: {s.timeline()}")
            if s is site:
                fragments = lab.sh(None, f"tcpdump -nn -r {capture} 2>/dev/null | wc -l").strip()
                check(fragments == "0", f"{fragments} fragments, though they are not allowed")
        fragments = int(lab.sh(None, f"tcpdump -nn -r {capture} 2>/dev/null | wc -l"))
        check(fragments > 100, f"only {fragments} fragments, where they are allowed")


def test_negotiation():
    """Only what was asked is agreed; edk2's size probe is no failure."""
    with Lab("options") as lab:
        _, _, client, site = network(lab)
        sha = put(site, "boot/snponly.efi", random.Random(3).randbytes(300000))
        start(site)

        def get(**arguments):
            return lab.client(client, "tftp", address=SERVER, name="boot/snponly.efi", **arguments)

        r = get(options=[["tsize", 0], ["blksize", 1468], ["windowsize", 4]], stop_after=0)
        check(r.get("stopped"), "the probe ends after the OACK")
        r = get(options=[["blksize", 1468], ["windowsize", 4]])
        check(r["sha"] == sha and r["oack"] == {"blksize": "1468", "windowsize": "4"}, "edk2's way")
        r = get(options=[["BLKSIZE", 2000], ["multicast", ""], ["TSize", 0], ["timeout", 5]])
        check(r["oack"] == {"BLKSIZE": "1468", "TSize": "300000", "timeout": "5"}, "spelling kept")
        check(get()["oack"] is None, "no options, no OACK")
        check(get(options=[["blksize2", 512]])["oack"] is None, "unknown options alone, no OACK")
        check(get(mode="mail")["error"] == 4, "a mode that does not exist")
        check(get(mode="OcTeT")["sha"] == sha, "the mode in any case")
        wait_until(lambda: "result=probed" in read(site.log("tftpd")) or
                   "result=aborted" in read(site.log("tftpd")), 3, "the probe in the log")
        counters = site.query("status")["services"]
        check(counters, "tftpd has announced itself")


def test_names():
    """Back-slashes, case and doubled slashes are forgiven; nothing outside the root is read."""
    with Lab("names") as lab:
        _, _, client, site = network(lab)
        sha = put(site, "boot/x64/Snponly.efi", b"loader" * 100)
        os.symlink("/etc/passwd", f"{site.root}/link")
        os.symlink("/etc", f"{site.root}/dir")
        os.mkfifo(f"{site.root}/fifo")
        with open(lab.path("secret"), "w", encoding="utf-8") as f:
            f.write("secret")
        start(site)
        for name in ("boot/x64/Snponly.efi", "\\Boot\\x64\\snponly.efi", "/boot//X64\\SNPONLY.EFI",
                     "./boot/x64/snponly.efi", "boot/x64/snponly.efi\xff", "boot/x64/snponly.efi "):
            r = lab.client(client, "tftp", address=SERVER, name=name)
            check(r.get("sha") == sha, f"{name!r}: {r}")
        for name, error in (("../secret", 2), ("boot/../../secret", 2), ("..\\secret", 2),
                            ("/etc/passwd", 1), ("link", 2), ("dir/passwd", 2), ("fifo", 1),
                            ("boot", 1), ("", 1), ("none", 1), (".hidden", 2), ("a" * 900, 1)):
            r = lab.client(client, "tftp", address=SERVER, name=name)
            check(r.get("error") == error, f"{name[:40]!r}: {r}")
        lab.sh(client, f"echo x > {lab.path('up')}; atftp --put -l {lab.path('up')} -r up {SERVER} "
                       "2>&1 | grep -q 'aborted\\|only reads\\|denied'", check_status=False)
        check(not os.path.exists(f"{site.root}/up"), "nothing can be written")


def test_address():
    """The answer comes from the address that was asked, on a host with several."""
    with Lab("address") as lab:
        _, server, client, site = network(lab)
        put(site, "f", b"x" * 1000)
        del site.conf["tftpd"]["address"]
        lab.sh(server, "ip addr add 10.77.1.11/24 dev eth0; ip addr add fd00:77::10/64 dev eth0 nodad")
        lab.sh(client, "ip addr add fd00:77::50/64 dev eth0 nodad")
        start(site)
        for address in (SERVER, "10.77.1.11"):
            for name in ("f", "none"):
                r = lab.client(client, "tftp", address=address, name=name)
                check(r["senders"] == [address], f"{address} answers for {name}: {r}")
        out = lab.sh(client, f"curl -sS -o {lab.path('out')} 'tftp://[fd00:77::10]/f' && wc -c "
                             f"< {lab.path('out')}")
        check(out.strip() == "1000", f"IPv6: {out}")


def test_ports():
    """Transfers leave from the range, from any port, or all from the port of requests."""
    with Lab("ports") as lab:
        _, server, client, site = network(lab)
        put(site, "f", b"x" * 3000)
        for ports, good in (([50000, 50003], lambda p: 50000 <= p <= 50003), (50010, lambda p: p == 50010),
                            (0, lambda p: p > 1023), (69, lambda p: p == 69)):
            site.conf["tftpd"]["transfer_ports"] = ports
            start(site)
            seen = {lab.client(client, "tftp", address=SERVER, name="f")["port"] for _ in range(6)}
            check(all(good(p) for p in seen), f"{ports}: {seen}")
            site.kill("tftpd", 15)
            site.kill("handlerd", 15)
        # another program has a port that would be a thread's: the others serve
        lab.spawn(server, ["python3", "-c", "import socket, time; s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM);"
                           "s.bind(('::', 50002)); print('bound', flush=True); time.sleep(60)"], "other.log")
        wait_until(lambda: "bound" in read(lab.path("other.log")), 10, "another program's port")
        site.conf["tftpd"]["transfer_ports"], site.conf["tftpd"]["workers"] = [50001, 50003], 3
        start(site)
        seen = {lab.client(client, "tftp", address=SERVER, name="f")["port"] for _ in range(4)}
        check(seen and seen <= {50001, 50003}, f"a port that is taken: {seen}")
        log = read(lab.path("tftpd-lab.log"))
        check("2 threads instead of 3" in log, f"the log tells: {log[-500:]}")


def test_survives_handlerd():
    """kill -9 of handlerd during a transfer: it finishes, and its record is there afterwards."""
    with Lab("survive") as lab:
        _, _, client, site = network(lab)
        sha = put(site, "big", random.Random(4).randbytes(400000))
        start(site)
        result = {}

        def transfer():
            result.update(lab.client(client, "tftp", address=SERVER, name="big", pause=0.005,
                                     options=[["blksize", 1468]]))

        thread = threading.Thread(target=transfer)
        thread.start()
        wait_until(lambda: "transfer-began" in site.kinds(), 5, "the transfer began")
        site.kill("handlerd")
        thread.join()
        check(result.get("sha") == sha, f"the transfer finished: {result}")
        site.start("handlerd")
        wait_until(lambda: "transfer-finished" in site.kinds(), 5, "its end is in the timeline")
        kinds = site.kinds()
        check(kinds == ["file", "transfer-began", "transfer-finished"], f"once each: {kinds}")


def test_ends_in_order():
    """SIGTERM: the transfer in hand is finished, no new one begins, the exit status is 0."""
    for ports in ([64001, 65000], 69):
        with Lab("term") as lab:
            _, _, client, site = network(lab)
            site.conf["tftpd"]["transfer_ports"] = ports
            sha = put(site, "big", random.Random(5).randbytes(51200))
            start(site)
            result, late = {}, []

            def transfer():
                result.update(lab.client(client, "tftp", address=SERVER, name="big", pause=0.015))

            def ask_late():
                time.sleep(0.1)
                late.extend(lab.client(client, "say", "tftp_hostile", address=SERVER, port=69,
                                       packets=[request("big").hex()]))

            threads = [threading.Thread(target=transfer)]
            threads[0].start()
            wait_until(lambda: rpc(f"{site.run}/tftpd.sock", "status")["result"]["counters"]["started"], 10,
                       "the transfer began")
            threads.append(threading.Thread(target=ask_late))
            threads[1].start()
            check(lab.stop(site.daemons.pop("tftpd")) == 0, "status 0")
            for t in threads:
                t.join()
            check(result.get("sha") == sha, f"{ports}: the transfer finished: {result}")
            check(late == [None], f"{ports}: nothing began: {late}")


def test_changes():
    """Files that are replaced, deleted, written to or cut short while they are read."""
    with Lab("changes") as lab:
        _, _, client, site = network(lab)
        rng = random.Random(8)
        # 16 bytes less in the last page, which is still there when they are gone
        cases = {"replaced": True, "deleted": True, "extended": False, "written": False, "cut": False,
                 "cut-a-bit": False, "emptied": False}
        before = {name: put(site, name, rng.randbytes(200000)) for name in cases}
        start(site)
        jobs = [{"address": SERVER, "name": name, "pause": 0.004} for name in cases]
        results = []
        thread = threading.Thread(
            target=lambda: results.extend(lab.client(client, "many", "tftp_client", jobs=jobs)))
        thread.start()
        wait_until(lambda: site.kinds().count("transfer-began") == len(cases), 5, "all have begun")
        fresh = rng.randbytes(150000)
        sha = put(site, "fresh", fresh)
        os.rename(f"{site.root}/fresh", f"{site.root}/replaced")
        os.remove(f"{site.root}/deleted")
        with open(f"{site.root}/extended", "ab") as f:
            f.write(fresh)
        with open(f"{site.root}/written", "r+b") as f:
            f.write(b"x")
        os.truncate(f"{site.root}/cut", 100000)
        os.truncate(f"{site.root}/cut-a-bit", 199984)
        os.truncate(f"{site.root}/emptied", 0)
        r = lab.client(client, "get", "tftp_client", address=SERVER, name="replaced")
        check(r.get("sha") == sha, f"a new request gets the new file: {r}")
        r = lab.client(client, "get", "tftp_client", address=SERVER, name="deleted")
        check(r.get("error") == 1, f"or none: {r}")
        thread.join()
        check(len(results) == len(cases), f"all have ended: {results}")
        for (name, whole), r in zip(cases.items(), results):
            if whole:
                check(r.get("sha") == before[name], f"{name}: as it was: {r}")
            else:
                check("sha" not in r and r.get("error") == 0 and "changed" in r["text"], f"{name}: an error: {r}")
        check(site.daemons["tftpd"].poll() is None, "tftpd lives")


def test_repeated():
    """Requests that come twice, several transfers of one client, and a port that is used again."""
    with Lab("repeated") as lab:
        _, _, client, site = network(lab)
        rng = random.Random(9)
        files = {f"f{i}": put(site, f"f{i}", rng.randbytes(60000 + i)) for i in range(8)}
        start(site)

        def read_all(jobs, at_once=64):
            r = lab.client(client, "many", "tftp_client", at_once=at_once,
                           jobs=[dict(j, address=SERVER) for j in jobs])
            for j, x in zip(jobs, r):
                check("stop_after" in j or x.get("sha") == files[j["name"]], f"{j}: {x}")
            return r

        windows = {"options": [["blksize", 1468], ["windowsize", 4]]}
        # old firmware sends its first request twice
        r = read_all([{"name": "f1", "twice": True}, dict(windows, name="f2", twice=True)])
        check(all(x["repeats"] == 0 for x in r), f"nothing was sent twice: {r}")
        counters = rpc(f"{site.run}/tftpd.sock", "status")["result"]["counters"]
        check(counters["merged"] == 2 and counters["started"] == 2, f"each was taken as one: {counters}")
        # as a Raspberry Pi does
        read_all([dict(windows, name=name, pause=0.002) for name in files])
        # one that was reset begins anew from the same port, for another file or the same
        read_all([dict(windows, name="f3", source=41000, stop_after=8), {"name": "f4", "source": 41000},
                  dict(windows, name="f5", source=41001, stop_after=8), dict(windows, name="f5", source=41001)], 1)
        counters = rpc(f"{site.run}/tftpd.sock", "status")["result"]["counters"]
        check(counters["replaced"] == 2, f"the old transfers are over: {counters}")
        wait_until(lambda: rpc(f"{site.run}/tftpd.sock", "status")["result"]["counters"]["transfers"] == 0, 5,
                   "none is left")
