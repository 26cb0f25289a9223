"""DHCP servers that know nothing of network boot, to run on Bootferry's own host."""

import glob
import json
import os
import shutil

from lab import CACHE, check, read, wait_until

SUBNETS = ("10.77.1", "10.77.2")


def tool(name):
    """A program in PATH, or of a package that was only unpacked."""
    found = shutil.which(name) or next(iter(glob.glob(f"{CACHE}/tools/*/usr/sbin/{name}")), None)
    check(found, f"{name} is neither in PATH nor below {CACHE}/tools")
    return found


def kea(lab, ns, devices=("eth0",), sockets="raw"):
    """ISC Kea, which reads packet sockets and holds the port besides; or, by `sockets`, UDP alone."""
    conf = {"Dhcp4": {
        "interfaces-config": {"interfaces": list(devices), "dhcp-socket-type": sockets},
        "lease-database": {"type": "memfile", "persist": False},
        "subnet4": [{"id": i + 1, "subnet": f"{n}.0/24", "pools": [{"pool": f"{n}.100 - {n}.199"}],
                     "option-data": [{"name": "routers", "data": f"{n}.1"}]}
                    for i, n in enumerate(SUBNETS)],
        "loggers": [{"name": "kea-dhcp4", "severity": "INFO",
                     "output_options": [{"output": "stdout"}]}]}}
    with open(lab.path("kea.json"), "w", encoding="utf-8") as f:
        json.dump(conf, f)
    env = dict(os.environ, KEA_PIDFILE_DIR=lab.dir, KEA_LOCKFILE_DIR="none")
    before = read(lab.path("kea.log")).count("DHCP4_STARTED")
    p = lab.spawn(ns, [tool("kea-dhcp4"), "-c", lab.path("kea.json")], "kea.log", env=env)
    wait_until(lambda: read(lab.path("kea.log")).count("DHCP4_STARTED") > before, 10, "kea")
    return p


def isc(lab, ns, devices=("eth0",)):
    """ISC dhcpd: packet sockets, and a UDP socket besides."""
    with open(lab.path("dhcpd.conf"), "w", encoding="utf-8") as f:
        for n in SUBNETS:
            f.write(f"subnet {n}.0 netmask 255.255.255.0 {{ range {n}.100 {n}.199; "
                    f"option routers {n}.1; }}\n")
        f.write("ping-check false;\n")
    with open(lab.path("dhcpd.leases"), "w", encoding="utf-8"):
        pass
    before = read(lab.path("dhcpd.log")).count("Sending on")
    p = lab.spawn(ns, [tool("dhcpd"), "-4", "-f", "-d", "-cf", lab.path("dhcpd.conf"), "-lf",
                       lab.path("dhcpd.leases"), "-pf", lab.path("dhcpd.pid"), *devices], "dhcpd.log")
    wait_until(lambda: read(lab.path("dhcpd.log")).count("Sending on") > before, 10, "dhcpd")
    return p


def dnsmasq(lab, ns, devices=("eth0",), share=False):
    """dnsmasq: a UDP socket on all addresses, which it shares only with `share`."""
    argv = ["dnsmasq", "-k", "--conf-file=/dev/null", "--port=0", "--log-dhcp", "--log-facility=-",
            "--user=root", "--no-ping", f"--dhcp-leasefile={lab.path('leases')}",
            f"--pid-file={lab.path('dnsmasq.pid')}"]
    argv += [f"--interface={d}" for d in devices] + (["--bind-interfaces"] if share else [])
    argv += [f"--dhcp-range={n}.100,{n}.199,255.255.255.0,1h" for n in SUBNETS]
    before = read(lab.path("dnsmasq.log")).count("DHCP, IP range")
    p = lab.spawn(ns, argv, "dnsmasq.log")
    wait_until(lambda: read(lab.path("dnsmasq.log")).count("DHCP, IP range") > before, 10, "dnsmasq")
    return p


def vlan(lab, ns, device, tag, address):
    """A sub-interface, of the kernel's making or, where it has no driver for that, of ours."""
    name = f"{device}.{tag}"
    if "rror" in lab.sh(ns, f"ip link add link {device} name {name} type vlan id {tag}", False):
        lab.spawn(ns, ["python3", f"{os.path.dirname(os.path.abspath(__file__))}/tagger.py", device, str(tag)],
                  f"tagger-{ns}.log")
        wait_until(lambda: name in lab.sh(ns, "ip link show"), 5, name)
    lab.sh(ns, f"ip link set {name} up && ip addr add {address} dev {name}")


def relay(lab, router, to, up="eth0", down="eth1"):
    """ISC dhcrelay, with option 82."""
    p = lab.spawn(router, ["dhcrelay", "-4", "-d", "--no-pid", "-a", "-id", down, "-iu", up, *to],
                  "dhcrelay.log")
    wait_until(lambda: "Sending on" in read(lab.path("dhcrelay.log")), 10, "dhcrelay")
    return p
