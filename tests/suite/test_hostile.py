"""Random, truncated and malformed input: nothing crashes, memory stays flat, service goes on."""

import json
import os
import shutil

import dhcp
from lab import BUILD, Lab, SERVER, TOP, check, loaders, network, read
from test_http import BASE, curl
from test_tftp import put

SANITIZED = "san" in os.path.basename(BUILD)


def resident_kb(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as f:
        return int(f.read().split("VmRSS:")[1].split()[0])


def check_flat(site, daemon, before):
    """Sanitizers keep freed memory for a while, on purpose: there only leaks count, at the end."""
    if not SANITIZED:
        after = resident_kb(site.daemons[daemon])
        check(after < before + 3000, f"{daemon} grew from {before} to {after} kB")


def check_alive(site):
    for daemon, process in site.daemons.items():
        check(process.poll() is None, f"{daemon} died: {read(site.log(daemon))[-3000:]}")


def check_end(lab, site):
    """Ends the daemons; sanitizers report leaks then, and give another status than 0."""
    for daemon in list(site.daemons):
        status = lab.stop(site.daemons.pop(daemon))
        log = read(site.log(daemon))
        check(status == 0 and "ERROR: " not in log, f"{daemon}: status {status}: {log[-3000:]}")


SAMPLES = [dhcp.packet(b"\2\0\0\0\0\1", 1, dhcp.firmware(7)).hex(),
           dhcp.packet(b"\2\0\0\0\0\1", 1, dhcp.ipxe()).hex(),
           dhcp.packet(b"\2\0\0\0\0\1", 3, dhcp.firmware(0) + bytes.fromhex("2b07470480000000ff")).hex(),
           dhcp.packet(b"\2\0\0\0\0\1", 1, dhcp.firmware(16, b"HTTPClient")).hex()]


def test_dhcp_packets():
    """10,000 at port 67 and 10,000 at port 4011."""
    with Lab("hdhcp") as lab:
        _, _, client, site = network(lab)
        shutil.copytree(loaders(), site.root, dirs_exist_ok=True)
        site.ca()
        site.start()
        arguments = {"address": SERVER, "samples": SAMPLES}
        for port in (67, 4011):
            lab.client(client, "flood", port=port, packets=3000, seed=1, source=port, **arguments)
        before = {d: resident_kb(p) for d, p in site.daemons.items()}
        for port in (67, 4011):
            lab.client(client, "flood", port=port, packets=10000, seed=2, source=port, **arguments)
        check_alive(site)
        check_flat(site, "dhcpproxyd", before["dhcpproxyd"])
        check(lab.client(client, "ask", options=dhcp.firmware(7).hex(), mac="020000000009"),
              "a good packet is still answered")
        check_end(lab, site)


def test_tftp_packets():
    """10,000 at port 69 and at a transfer's port."""
    with Lab("htftp") as lab:
        _, _, client, site = network(lab, tftpd={"transfer_ports": 50000})
        sha = put(site, "boot/f", os.urandom(100000))
        site.start("handlerd", "tftpd")
        samples = [x.hex() for x in (b"\0\1boot/f\0octet\0tsize\0" + b"0\0blksize\0" + b"1468\0windowsize\0" + b"4\0",
                                     b"\0\1..\\boot\\f\0netascii\0", b"\0\2up\0octet\0", b"\0\4\0\1",
                                     b"\0\5\0\x08gone\0", b"\0\6blksize\0512\0")]
        for port in (69, 50000):
            lab.client(client, "flood", address=SERVER, port=port, packets=3000, seed=1, samples=samples)
        before = resident_kb(site.daemons["tftpd"])
        for port in (69, 50000):
            lab.client(client, "flood", address=SERVER, port=port, packets=10000, seed=2, samples=samples)
        check_alive(site)
        check_flat(site, "tftpd", before)
        r = lab.client(client, "tftp", address=SERVER, name="boot/f", options=[["blksize", 1468]])
        check(r.get("sha") == sha, "a good request is still served")
        check_end(lab, site)


def test_http_requests():
    """1,000 malformed requests over HTTPS and 1,000 over plain HTTP."""
    with Lab("hhttp") as lab:
        # connections that say half a request and fall silent live until this time is over
        _, _, client, site = network(lab, httpsbootd={"idle_timeout_s": 5})
        put(site, "f", b"hello")
        site.ca()
        site.start("handlerd", "httpsbootd")
        for port, secure in ((8050, True), (8060, False)):
            lab.client(client, "bad_http", address=SERVER, port=port, secure=secure, requests=300, seed=1)
        before = resident_kb(site.daemons["httpsbootd"])
        for port, secure in ((8050, True), (8060, False)):
            lab.client(client, "bad_http", address=SERVER, port=port, secure=secure, requests=1000, seed=2)
        check_alive(site)
        check_flat(site, "httpsbootd", before)
        check(curl(lab, client, site, f"{BASE}/2PXE/file/f")[2] == b"hello", "a good one is still served")
        check_end(lab, site)


def test_bus_messages():
    """Nonsense on the bus and on the control socket."""
    with Lab("hbus") as lab:
        _, server, _, site = network(lab, handlerd={"listen": ["tcp://127.0.0.1:7777"]})
        site.start("handlerd")
        lab.sh(server, "python3 - <<'E'\n"
                       "import os, socket, struct\n"
                       "for n in range(300):\n"
                       "    s = socket.create_connection(('127.0.0.1', 7777), 5)\n"
                       "    s.sendall(b'\\0SP\\0\\0\\x30\\0\\0')\n"  # a REQ peer of SP
                       "    body = struct.pack('!I', 0x80000001) + (b'BF\\1' + bytes([n % 9]) if n % 2 else b'')\n"
                       "    body += os.urandom(n * 3)\n"
                       "    s.sendall(struct.pack('!Q', len(body)) + body)\n"
                       "    s.close()\n"
                       "for n in range(300):\n"
                       f"    s = socket.socket(socket.AF_UNIX); s.connect('{site.socket}')\n"
                       "    s.sendall(os.urandom(n) + b'\\n'); s.close()\n"
                       "E")
        check_alive(site)
        bus = site.query("status")["bus"]
        check(bus["malformed"] > 0, "it was counted")
        check({"connections", "refused", "unread"} <= set(bus), f"who is connected and what was dropped is told: {bus}")
        check_end(lab, site)


def test_http_corpus():
    """Malformed HTTP, and that spoiled further, on both ports: refused or closed, and others are served."""
    with Lab("hhttp") as lab:
        _, _, client, site = network(lab, httpsbootd={"access_log": lab.path("access")})
        put(site, "f", b"a file")
        site.ca()
        site.start("handlerd", "httpsbootd")

        def throw(port, count, seed):
            return json.loads(lab.sh(client, f"python3 {TOP}/tests/suite/inside.py web throw '" + json.dumps(
                {"address": SERVER, "port": port, "count": count, "seed": seed}) + "'"))
        for port in (8050, 8060):
            throw(port, 50, 1)
        before = {d: resident_kb(p) for d, p in site.daemons.items()}
        for port in (8050, 8060):
            seen = throw(port, 150, 2)
            check("leak" not in seen and "other" not in seen, f"on port {port}: {seen}")
            check(seen.get("200", 0) > 0 and seen.get("400", 0) > 0, f"answers on port {port}: {seen}")
            check(not [k for k in seen if k.startswith("5") and k != "505"], f"no fault of ours on port {port}: {seen}")
        check_alive(site)
        for daemon in site.daemons:
            check_flat(site, daemon, before[daemon])
        for base in (BASE, f"http://{SERVER}:8060"):
            check(curl(lab, client, site, f"{base}/2PXE/file/f")[2] == b"a file", f"{base} serves")
        log = read(lab.path("access"))
        check(log and all(line.startswith("20") for line in log.splitlines()), "a line stays a line")
        check_end(lab, site)
