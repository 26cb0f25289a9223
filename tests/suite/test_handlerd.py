"""handlerd: records, control socket, reload."""

import json
import os
import shutil
import socket
import sqlite3
import time

import dhcp
from lab import BIN, Lab, check, loaders, network, read, wait_until


def test_no_record_is_lost():
    """kill -9 again and again under load: every answered DISCOVER is in the store."""
    with Lab("records") as lab:
        _, _, client, site = network(lab)
        shutil.copytree(loaders(), site.root, dirs_exist_ok=True)
        site.ca()
        site.start()
        answered = []
        for n in range(12):
            mac = f"02000000{n:04x}"
            if lab.client(client, "ask", options=dhcp.firmware(7).hex(), mac=mac, seconds=2):
                answered.append(mac)
            if n % 3 == 2:
                site.kill("handlerd")
                site.start("handlerd")
        check(len(answered) == 12, f"all were answered: {answered}")
        wait_until(lambda: len(site.query("boots", "list", "--limit", "100")) >= 12, 5, "all boots")
        for b in site.query("boots", "list", "--limit", "100"):
            def complete(boot=b):
                kinds = [e["kind"] for e in site.query("boots", "show", boot["id"])["timeline"]]
                return kinds == ["discover", "offer"]
            wait_until(complete, 5, f"{b['id']}: DISCOVER and offer, once each")


def test_start_while_the_store_is_locked():
    """Somebody holds the database while handlerd dies and starts: it decides, and nothing is lost."""
    with Lab("locked") as lab:
        _, _, client, site = network(lab)
        shutil.copytree(loaders(), site.root, dirs_exist_ok=True)
        site.ca()
        site.start()

        def ask(mac):
            return lab.client(client, "ask", options=dhcp.firmware(7).hex(), mac=mac, seconds=3)

        def stored(mac):
            mac = ":".join(mac[i:i + 2] for i in range(0, 12, 2))
            return [e["kind"] for b in site.boots() if b["mac"] == mac
                    for e in site.query("boots", "show", b["id"])["timeline"]]
        check(ask("020000000001"), "an offer")
        wait_until(lambda: stored("020000000001") == ["discover", "offer"], 10, "stored")
        holder = sqlite3.connect(f"{site.run}/store.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        check(ask("020000000002"), "an offer while the database is locked")
        site.kill("handlerd")
        site.start("handlerd")
        wait_until(lambda: ask("020000000003"), 20, "an offer after the start")
        holder.execute("ROLLBACK")
        holder.close()
        for n in range(1, 4):
            wait_until(lambda m=f"02000000000{n}": stored(m)[:2] == ["discover", "offer"], 20,
                       f"machine {n}'s records")


def test_machine_stays_in_its_boot():
    """A boot goes on with the same id after handlerd was killed in the middle of it."""
    with Lab("same") as lab:
        _, _, client, site = network(lab)
        shutil.copytree(loaders(), site.root, dirs_exist_ok=True)
        site.ca()
        site.start()
        mac = "020000000001"
        lab.client(client, "ask", options=dhcp.firmware(7).hex(), mac=mac)
        first = site.boots()[0]["id"]
        site.kill("handlerd")
        site.start("handlerd")
        lab.client(client, "ask", options=dhcp.firmware(7).hex(), mac=mac, kind=3, to="10.77.1.10",
                   port=4011, source=4011, ciaddr="10.77.1.50")
        check(len(site.boots()) == 1 and site.boots()[0]["id"] == first, "one boot")
        r = lab.client(client, "ask", options=dhcp.ipxe().hex(), mac=mac)
        check(r[0]["file"].startswith("https://"), "and its trust is remembered")


def test_bus_over_tls():
    """Front daemons on another host: TLS with certificates on both sides; a stranger's is refused."""
    with Lab("bustls") as lab:
        _, _, client, site = network(lab)
        shutil.copytree(loaders(), site.root, dirs_exist_ok=True)
        site.ca()
        # a CA for the bus alone, a certificate for each side, and one of somebody else's CA
        lab.sh(None, f"cd {lab.dir} && for ca in bus other; do "
                     "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=$ca -keyout $ca.key "
                     "-out $ca.pem -addext basicConstraints=critical,CA:true 2>/dev/null; done; "
                     "echo subjectAltName=IP:127.0.0.1,DNS:127.0.0.1 > san; for side in handlerd:bus front:bus stranger:other; do "
                     "openssl req -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -keyout k -out r 2>/dev/null; "
                     "openssl x509 -req -in r -CA ${side#*:}.pem -CAkey ${side#*:}.key -days 2 -set_serial $RANDOM -extfile san "
                     "2>/dev/null | cat - k > ${side%:*}.pem; done")
        url = "tls+tcp://127.0.0.1:7790"
        site.conf["handlerd"].update({"listen": [url], "listen_ca": lab.path("bus.pem"),
                                      "listen_certificate": lab.path("handlerd.pem")})
        for daemon, certificate in (("dhcpproxyd", "front"), ("tftpd", "stranger")):
            site.conf[daemon].update({"handler": [url], "handler_ca": lab.path("bus.pem"),
                                      "handler_certificate": lab.path(f"{certificate}.pem"),
                                      "handler_timeout_ms": 1000})
        site.start("handlerd", "dhcpproxyd", "tftpd")
        r = wait_until(lambda: lab.client(client, "ask", options=dhcp.firmware(7).hex(), mac="020000000001",
                                          seconds=2), 10, "an offer, decided over TLS")
        check(r[0]["file"] == "boot/x64/snponly.efi", f"{r}")
        r = lab.client(client, "tftp", address="10.77.1.10", name="boot/x64/snponly.efi", seconds=3)
        check("sha" not in r, f"a daemon with a strange certificate got a decision: {r}")
        alive = [s["daemon"] for s in site.query("status")["services"] if s["alive"]]
        check(alive == ["dhcpproxyd"], f"{alive}")


def test_repetitions_are_counted():
    """Repetitions that no other line follows are in the timeline: after a while, and at the end."""
    with Lab("repeats") as lab:
        _, _, client, site = network(lab)
        shutil.copytree(loaders(), site.root, dirs_exist_ok=True)
        site.ca()
        site.start()
        for mac in ("020000000001", "020000000002"):
            for _ in range(3):
                check(lab.client(client, "ask", options=dhcp.firmware(7).hex(), mac=mac), "an offer")
            if mac == "020000000001":
                time.sleep(21)
        lab.stop(site.daemons.pop("handlerd"))
        site.start("handlerd")
        for b in site.boots():
            first = site.query("boots", "show", b["id"])["timeline"][0]
            check(first["kind"] == "discover" and first.get("repeats") == 2, f"{first}")


def test_control_socket():
    """JSON-RPC 2.0, a line each, for people and for programs."""
    with Lab("control") as lab:
        _, _, _, site = network(lab)
        site.start("handlerd")
        s = socket.socket(socket.AF_UNIX)
        s.connect(site.socket)
        f = s.makefile("rw")

        def call(method, **params):
            f.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}) + "\n")
            f.flush()
            return json.loads(f.readline())

        check({m["method"] for m in call("rpc.methods")["result"]} >=
              {"status", "boots.list", "boots.show", "boots.watch", "machines.list", "machines.show",
               "images.list", "images.show", "loaders.list", "config.show", "reload"}, "all methods")
        check(call("status")["result"]["mode"] == "script", "status")
        check("no httpsbootd is connected" in call("status")["result"]["problems"], "problems")
        check(call("boots.list", limit=0)["error"]["code"] == -32602, "a bad limit")
        check(call("boots.show")["error"]["code"] == -32602, "a missing id")
        check(call("boots.show", id="zzzzzzzz")["error"]["code"] == -32001, "no such boot")
        check(call("machines.show", machine="52:54:00:00:00:01")["error"]["code"] == -32001, "no machine")
        check(call("config.show")["result"]["root"] == site.root, "config.show")
        mode = os.stat(site.socket).st_mode & 0o777
        check(mode == 0o660, f"the socket is for owner and group: {mode:o}")


def test_reload():
    """Reload takes over what may change, names what may not, and refuses a bad file whole."""
    with Lab("reload") as lab:
        _, _, client, site = network(lab)
        shutil.copytree(loaders(), site.root, dirs_exist_ok=True)
        site.ca()
        site.start()
        ask = {"options": dhcp.firmware(7).hex()}
        check("43" not in lab.client(client, "ask", **ask)[0]["options"], "BINL at first")
        path = f"{site.run}/handlerd.json"

        def change(**keys):
            with open(path, "w", encoding="utf-8") as f:
                json.dump({**site.conf["handlerd"], **keys}, f)

        change(offers={"uefi": "pxe10"}, listen=["ipc:///elsewhere"])
        result = site.query("reload")
        check(result["changed"] == {"offers.uefi": ["binl", "pxe10"]}, f"what changed: {result}")
        check(result["restart"] == ["listen"], "what needs a restart")
        check("43" not in lab.client(client, "ask", **ask)[0]["options"], "a boot keeps what it began with")
        ask = {"options": dhcp.firmware(7).hex(), "mac": "525400000002"}
        check(lab.client(client, "ask", **ask)[0]["options"]["43"] == "060108ff", "others get the new")
        change(offers={"uefi": "floppy"}, nonsense=1)
        p = site.ferryctl("reload", ok=False)
        check(p.returncode == 1 and "nothing changed" in p.stderr, "a bad file is refused")
        check('offers.uefi: "floppy" is none of' in p.stderr, "with its mistakes")
        log = read(site.log("handlerd"))
        check(f'{path}: offers.uefi: "floppy" is none of' in log, "each error is in the log")
        check(f"{path}: nonsense: unknown key" in log, "with file, key and reason")
        check(lab.client(client, "ask", **ask)[0]["options"]["43"] == "060108ff", "nothing changed")
        site.daemons["handlerd"].send_signal(1)
        wait_until(lambda: read(site.log("handlerd")).count("nonsense: unknown key") == 2, 5, "SIGHUP")


def test_config_errors():
    """A wrong file gives all its errors at once, each with file, key path and reason; exit 1."""
    with Lab("config") as lab:
        path = lab.path("bad.json")
        with open(path, "w", encoding="utf-8") as f:
            f.write('{"port": 70000, "handler": [], "nonsense": true, "log_level": "loud",\n'
                    ' "transfer_ports": [5, 1], "address": "300.1.1.1"}')
        for daemon in ("tftpd",):
            out = lab.sh(None, f"{BIN}/{daemon} -n -c {path} 2>&1; echo status $?")
            for line in ("port: 70000 is not a whole number from 1 to 65535",
                         "handler: [] is not a list of 1 to 16 strings", "nonsense: unknown key",
                         'log_level: "loud" is none of "error", "warning", "info", "debug"',
                         "transfer_ports: [5,1] is neither a port, [first, last] nor 0 for any port",
                         'address: "300.1.1.1" is not an IP address'):
                check(f"{path}: {line}\n" in out, f"{line}: {out}")
            check(out.endswith("status 1\n"), "exit status 1")
        for daemon in ("dhcpproxyd", "tftpd", "httpsbootd", "handlerd"):
            out = lab.sh(None, f"{BIN}/{daemon} -n")
            with open(path, "w", encoding="utf-8") as f:
                f.write(out)
            check(lab.sh(None, f"{BIN}/{daemon} -n -c {path}") == out, "what -n prints is good")
            check("Bootferry" in lab.sh(None, f"{BIN}/{daemon} -V"), "-V")
            check("status 1" in lab.sh(None, f"{BIN}/{daemon} -x 2>&1; echo status $?"), "misuse")
            check("file: No such file" in lab.sh(None, f"{BIN}/{daemon} -n -c /none 2>&1 || true"),
                  "no such file")
        # one file for all daemons of a subnet
        with open(path, "w", encoding="utf-8") as f:
            f.write('{"address": "10.1.0.5", "dhcpproxyd": {"interface": "eth1"},\n'
                    ' "tftpd": {"port": 1069}, "httpsbootd": {"name": "boot.example"}}')
        for daemon, line in (("dhcpproxyd", '"eth1"'), ("tftpd", '"port": 1069'),
                             ("httpsbootd", '"name": "boot.example"')):
            out = lab.sh(None, f"{BIN}/{daemon} -n -c {path}")
            check(line in out and '"address": "10.1.0.5"' in out, f"{daemon} reads its block")


def test_privileges():
    """Started by root, a daemon becomes its account before it talks to anybody."""
    with Lab("user") as lab:
        _, server, client, site = network(lab)
        shutil.copytree(loaders(), site.root, dirs_exist_ok=True)
        site.ca()
        os.chmod(f"{site.run}/etc/tls/server.key", 0o600)
        for conf in site.conf.values():
            conf["user"] = "61234:61234"
        os.chown(site.run, 61234, 61234)
        site.start()
        for daemon, process in site.daemons.items():
            with open(f"/proc/{process.pid}/status", encoding="ascii") as f:
                status = f.read()
            check("Uid:\t61234\t61234\t61234\t61234" in status, f"{daemon} is no root")
            # to open its sockets again when an interface comes back: CAP_NET_BIND_SERVICE (bit 10)
            # and CAP_NET_RAW (bit 13)
            left = (1 << 10 | 1 << 13) if daemon == "dhcpproxyd" else 0
            check("NoNewPrivs:\t1" in status and f"CapEff:\t{left:016x}" in status,
                  f"{daemon} has no other privileges: {status}")
        check(lab.client(client, "ask", options=dhcp.firmware(7).hex()), "and it works")
        check(lab.sh(server, "id -u").strip() == "0", "(the test itself is root)")


def test_background():
    """Without -f a daemon goes to the background when it is ready, or fails with status 1."""
    with Lab("background") as lab:
        _, server, _, site = network(lab)
        path = lab.path("handlerd.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(site.conf["handlerd"], f)
        lab.sh(server, f"{BIN}/handlerd -c {path}")
        pid = site.query("status")["pid"]
        check(os.path.exists(f"/proc/{pid}"), "it runs")
        out = lab.sh(server, f"{BIN}/handlerd -c {path} 2>&1; echo status $?")
        check(out.endswith("status 1\n"), "a second one fails")
        os.kill(pid, 15)
        wait_until(lambda: not os.path.exists(f"/proc/{pid}"), 5, "SIGTERM ends it")
