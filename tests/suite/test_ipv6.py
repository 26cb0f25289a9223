"""Network boot over IPv6: packets, relays, and real firmware beside real DHCPv6 servers."""

import json
import os
import shutil

import dhcp6
from lab import BIN, CACHE, Failure, Lab, Machine, Site, check, loaders, read, wait_until
from test_boot import boot, check_story, check_timeline, prepare

PREFIX = "fd77:1::"
SERVER6 = "fd77:1::10"
NO_IPV4 = ["-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n",
           "-fw_cfg", "name=opt/org.tianocore/IPv4Support,string=n"]


def host6(lab, name, segment, address, dev="eth0"):
    """A host with an IPv6 address alone, without waiting for duplicates of it."""
    ns = lab.namespace(name)
    lab.sh(ns, "sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0")
    lab.plug(ns, segment, None, dev)
    lab.sh(ns, f"ip -6 addr add {address}/64 dev {dev} nodad")
    return ns


def tool(package, name):
    """A program of the system, or one that deploy/quickstart has unpacked."""
    unpacked = f"{CACHE}/tools/{package}/usr/sbin/{name}"
    path = shutil.which(name) or (unpacked if os.path.exists(unpacked) else None)
    check(path, f"{name} is there (deploy/quickstart brings it)")
    return path


def router(lab, segment, ns=None, dev="eth0", prefix=PREFIX, managed=True):
    """Says by router advertisements whether addresses come from DHCPv6."""
    ns = ns or host6(lab, "router6", segment, f"{prefix}1")
    lab.sh(ns, "sysctl -qw net.ipv6.conf.all.forwarding=1")
    path = lab.path("radvd.conf")
    with open(path, "w", encoding="ascii") as f:
        f.write(f"""interface {dev} {{
  AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4;
  AdvManagedFlag {"on" if managed else "off"}; AdvOtherConfigFlag on;
  prefix {prefix}/64 {{ AdvOnLink on; AdvAutonomous on; }};
}};
""")
    lab.spawn(ns, [tool("radvd", "radvd"), "-n", "-C", path, "-m", "stderr", "-p", lab.path("radvd.pid")],
              "radvd.log")
    return ns


def dnsmasq6(lab, ns, *extra):
    """dnsmasq as a DHCPv6 server that knows nothing of network boot."""
    lab.spawn(ns, ["dnsmasq", "-k", "--conf-file=/dev/null", "--port=0", "--log-dhcp", "--log-facility=-",
                   "--user=root", f"--dhcp-range={PREFIX}1000,{PREFIX}1fff,64,1h",
                   f"--dhcp-leasefile={lab.path('leases6')}", f"--pid-file={lab.path('dnsmasq6.pid')}",
                   *extra], "dnsmasq6.log")
    wait_until(lambda: "DHCPv6, IP range" in read(lab.path("dnsmasq6.log")), 10, "dnsmasq")


def kea6(lab, ns, classes=()):
    """Kea as such a server."""
    binary = tool("kea-dhcp6-server", "kea-dhcp6")
    conf = {"Dhcp6": {
        "interfaces-config": {"interfaces": ["eth0"], "re-detect": True},
        "lease-database": {"type": "memfile", "persist": False},
        "valid-lifetime": 600, "preferred-lifetime": 300,
        "server-id": {"type": "LLT", "persist": False},
        "subnet6": [{"id": 1, "subnet": f"{PREFIX}/64", "interface": "eth0",
                     "pools": [{"pool": f"{PREFIX}1000-{PREFIX}1fff"}]}],
        **({"client-classes": list(classes)} if classes else {}),
        "loggers": [{"name": "kea-dhcp6", "severity": "DEBUG", "debuglevel": 40,
                     "output_options": [{"output": "stdout"}]}]}}
    path = lab.path("kea6.json")
    with open(path, "w", encoding="ascii") as f:
        json.dump(conf, f)
    libs = os.path.join(os.path.dirname(os.path.dirname(binary)), "lib", os.uname().machine + "-linux-gnu")
    env = {**os.environ, "LD_LIBRARY_PATH": libs, "KEA_PIDFILE_DIR": lab.dir, "KEA_LOCKFILE_DIR": lab.dir}
    lab.spawn(ns, [binary, "-c", path], "kea6.log", env=env)
    wait_until(lambda: "DHCP6_STARTED" in read(lab.path("kea6.log")), 20, "Kea")


def capture6(lab, segment):
    path = lab.path("packets6.pcap")
    lab.spawn(segment, ["tcpdump", "-i", "br0", "-w", path, "-U", "-s", "600", "-Z", "root",
                        "ip6 and (udp or icmp6 or tcp[tcpflags] & (tcp-syn|tcp-fin|tcp-rst) != 0)"],
              "tcpdump6.log")
    wait_until(lambda: "listening on" in read(lab.path("tcpdump6.log")), 10, "tcpdump")
    return path


def site6(lab, ns, name="lab", **options):
    site = Site(lab, ns, address=SERVER6, name=name, **options)
    for daemon in ("dhcpproxyd", "tftpd", "httpsbootd"):
        site.conf[daemon]["address"] = ""
    return site


def check_boot(b, loader, *steps):
    """What came when, and all of it by plain HTTP from the script on; the whole timeline if it did not."""
    try:
        check_timeline(b, *steps)
        check_story(b, "http", loader)
    except Failure as e:
        told = [(x["kind"], x["via"], x.get("file", ""), x.get("text", "")) for x in b["timeline"]]
        raise Failure(f"{e}: {told}") from e


def script_url(port=8060):
    return f"http://[{SERVER6}]:{port}/2PXE/boot"


def dnsmasq_with_script(lab, ns, *extra):
    dnsmasq6(lab, ns, *extra, "--dhcp-userclass=set:ipxe,iPXE",
             f"--dhcp-option=tag:ipxe,option6:bootfile-url,{script_url()}")


def kea_with_script(lab, ns):
    kea6(lab, ns, classes=[{"name": "ipxe", "test": "substring(option[15].hex, 2, 4) == 'iPXE'",
                            "option-data": [{"name": "bootfile-url", "data": script_url()}]}])


def firmware6(name, server, suite="trixie", seconds=200, rules=(), same_host=False):
    """
    A PC boots over IPv6.  The DHCPv6 server gives addresses, and iPXE its script, which iPXE takes
    from nobody else; what firmware loads comes from us.
    """
    with Lab(name) as lab:
        segment = lab.segment("net")
        capture6(lab, segment)
        router(lab, segment)
        ours = host6(lab, "server", segment, SERVER6)
        server(lab, ours if same_host else host6(lab, "dhcp6", segment, f"{PREFIX}2"))
        site = site6(lab, ours)
        site.conf["handlerd"]["rules"] = list(rules)
        prepare(site, suite)
        site.start()
        return boot(lab, site, segment, seconds=seconds, args=NO_IPV4)


def by_pxe(attempt):
    """
    The boot that attempt() gives, made again once if the firmware went on to HTTP Boot: edk2 of 2022
    asks port 4011 over IPv6 just once, and a busy host under emulation may be too slow for it.
    """
    b = attempt()
    if any(x["kind"] == "transfer-finished" and x["via"] == "http" and x.get("file") == "boot/x64/snponly.efi"
           for x in b["timeline"]):
        print("# the firmware went on to HTTP Boot; once more")
        b = attempt()
    return b


def test_pxe_beside_dnsmasq():
    """OVMF, PXE: our ADVERTISE, a DHCPv6 server's address, our REPLY on 4011, TFTP; up to the kernel."""
    b = by_pxe(lambda: firmware6("pxe6", dnsmasq_with_script))
    check_boot(b, "boot/x64/snponly.efi", ("discover", "snponly.efi"), ("offer", "snponly.efi"), ("lease", ""),
               ("bootserver", "snponly.efi"), ("offer", "snponly.efi"), ("size-probe", "snponly.efi"),
               ("transfer-finished", "snponly.efi"))


def test_pxe_same_host_as_kea():
    """The same beside Kea, which holds port 547 of our own host."""
    check_boot(by_pxe(lambda: firmware6("pxe6kea", kea_with_script, same_host=True)), "boot/x64/snponly.efi")


def test_http_boot_beside_kea():
    """
    OVMF: PXE is refused and ends at once, then HTTP Boot loads the URL of our ADVERTISE.  iPXE finds
    autoexec.ipxe beside it, so that the DHCPv6 server need not know of anything.
    """
    b = firmware6("http6", kea6, rules=[
        {"name": "no-pxe", "when": {"client": ["pxe"], "stage": ["discover", "bootserver"]}, "action": "refuse"}])
    check_boot(b, None, ("discover", f"http://[{SERVER6}]:8060/2PXE/file/boot/x64/snponly.efi"),
               ("file", "boot/x64/snponly.efi"), ("transfer-finished", "boot/x64/snponly.efi"),
               ("file", "autoexec.ipxe"))


def boot_through_a_relay():
    with Lab("pxe6relay") as lab:
        near, far = lab.segment("near"), lab.segment("far")
        capture6(lab, far)
        agent = host6(lab, "relay", near, f"{PREFIX}1")
        lab.plug(agent, far, None, "eth1")
        lab.sh(agent, "ip -6 addr add fd77:2::1/64 dev eth1 nodad")
        router(lab, far, ns=agent, dev="eth1", prefix="fd77:2::")
        dhcp = host6(lab, "dhcp6", near, f"{PREFIX}2")
        server = host6(lab, "server", near, SERVER6)
        for ns in (dhcp, server):
            lab.sh(ns, f"ip -6 route add fd77:2::/64 via {PREFIX}1")
        dnsmasq_with_script(lab, dhcp, "--dhcp-range=fd77:2::1000,fd77:2::1fff,64,1h")
        site = site6(lab, server)
        prepare(site)
        site.start()
        lab.spawn(agent, ["dhcrelay", "-6", "-d", "--no-pid", "-I", "-l", "eth1", "-u", f"{SERVER6}%eth0",
                          "-u", f"{PREFIX}2%eth0"], "dhcrelay.log")
        wait_until(lambda: "Sending on" in read(lab.path("dhcrelay.log")), 10, "dhcrelay")
        return boot(lab, site, far, seconds=200, args=NO_IPV4)


def test_pxe_through_a_relay():
    """The same from another link: a router with a relay agent, which asks both servers."""
    b = by_pxe(boot_through_a_relay)
    check(b["relay"] == "fd77:2::1", f"the client's link is known: {b['relay']}")
    check_boot(b, "boot/x64/snponly.efi", ("discover", "snponly.efi"), ("lease", ""),
               ("bootserver", "snponly.efi"), ("transfer-finished", "snponly.efi"))


def ready(site):
    shutil.copytree(loaders(), site.root, dirs_exist_ok=True)
    site.ca()
    site.start()


def network6(lab, **options):
    """A segment with our server and a client, without firmware."""
    segment = lab.segment("net")
    site = site6(lab, host6(lab, "server", segment, SERVER6), **options)
    return segment, host6(lab, "client", segment, f"{PREFIX}50"), site


def url_of(reply):
    return bytes.fromhex(reply["options"]["59"]).decode()


def test_packets():
    """Each kind of client gets its own answer, from the right port; others get none."""
    with Lab("packets6") as lab:
        _, client, site = network6(lab)
        ready(site)
        mac = bytes.fromhex("020000000001")

        r = lab.client(client, "ask6", options=dhcp6.firmware().hex())
        check(len(r) == 1 and r[0]["type"] == dhcp6.ADVERTISE, f"one ADVERTISE: {r}")
        r = r[0]
        check(r["from"][1] == 547 and r["from"][0].startswith("fe80:"), "from port 547 of the link")
        check(r["order"] == [1, 2, 59, 16], f"the order of options: {r['order']}")
        check(url_of(r) == f"tftp://[{SERVER6}]/boot/x64/snponly.efi", url_of(r))
        check(bytes.fromhex(r["options"]["16"]) == b"\0\0\1\x57\0\x09PXEClient", "edk2's mark of a proxy")
        check(r["options"]["1"] == dhcp6.duid_uuid().hex(), "the client's id comes back")
        ours = r["options"]["2"]

        step = dhcp6.firmware(ia=False).hex() + dhcp6.option(2, bytes.fromhex(ours)).hex()
        for to in (SERVER6, dhcp6.GROUP):
            r = lab.client(client, "ask6", options=step, kind=dhcp6.REQUEST, to=to, port=4011, source=4011)
            check(len(r) == 1 and r[0]["type"] == dhcp6.REPLY, f"the boot server answers {to}: {r}")
            check(r[0]["from"][1] == 4011, "from port 4011")
            check(to != SERVER6 or r[0]["from"][0] == SERVER6, "and from the address that was asked")
            check(url_of(r[0]) == f"tftp://[{SERVER6}]/boot/x64/snponly.efi", "the same loader")
        other = dhcp6.firmware(ia=False).hex() + dhcp6.option(2, b"\0\3\0\1" + mac).hex()
        check(lab.client(client, "ask6", options=other, kind=dhcp6.REQUEST, port=4011, source=4011, seconds=1) == [],
              "a request to another boot server is left to it")

        r = lab.client(client, "ask6", options=dhcp6.firmware(16, b"HTTPClient").hex())[0]
        check(url_of(r) == f"http://[{SERVER6}]:8060/2PXE/file/boot/x64/snponly.efi", "HTTP Boot gets a URL")
        check(bytes.fromhex(r["options"]["16"]) == b"\0\0\1\x57\0\x0aHTTPClient", "and its own mark")

        r = lab.client(client, "ask6", options=dhcp6.ipxe().hex(), kind=dhcp6.INFORMATION_REQUEST)
        check(len(r) == 1 and r[0]["type"] == dhcp6.REPLY, "iPXE's stateless request is answered")
        check(url_of(r[0]) == script_url(), "with the script's URL, by HTTP: nothing makes it trust us")
        check(lab.client(client, "ask6", options=dhcp6.ipxe().hex(), seconds=1) == [],
              "its SOLICIT is left to DHCPv6 servers")
        plain = dhcp6.option(1, dhcp6.duid_ll(mac)) + dhcp6.ia_na()
        check(lab.client(client, "ask6", options=plain.hex(), seconds=1) == [], "others are left alone")
        for spoiled in (dhcp6.firmware()[:-3], b"\xff\xff\xff", b""):
            lab.client(client, "ask6", options=spoiled.hex(), seconds=0.3)
        lab.sh(None, "sleep 2.5")
        counters = [s["counters"] for s in site.query("status")["services"] if s["daemon"] == "dhcpproxyd"][0]
        check(counters["ipv6_solicits"] == 2 and counters["ipv6_informs"] == 1 and
              counters["ipv6_bootserver"] == 2, f"what was answered is counted: {counters}")
        check(counters["ipv6_malformed"] == 2 and counters["ipv6_ignored"] >= 4, f"and what was not: {counters}")


def test_who_asks():
    """The machine is known by its address on the link, its DUID or what a relay saw."""
    with Lab("who6") as lab:
        _, client, site = network6(lab)
        ready(site)
        own = lab.sh(client, "cat /sys/class/net/eth0/address").strip()
        lab.client(client, "ask6", options=dhcp6.firmware().hex())
        boot_ = wait_until(site.boot, 5, "the boot")
        check(boot_["mac"] == own, f"by the link: {boot_['mac']} is {own}")
        check(boot_["uuid"] == "00112233-4455-6677-8899-aabbccddeeff", f"the UUID as printed: {boot_['uuid']}")

        # what a DHCPv6 server is asked for ties what comes from that address to the boot
        ask = dhcp6.firmware(ia=False).hex() + dhcp6.option(2, b"\0\3\0\1\2\2\2\2\2\2").hex()
        lab.client(client, "ask6", options=ask + dhcp6.ia_na(f"{PREFIX}50").hex(), kind=dhcp6.REQUEST, seconds=0.5)
        wait_until(lambda: "lease" in site.kinds(), 5, "the lease is noted")
        out = lab.sh(client, f"curl -gsS tftp://[{SERVER6}]/boot/x64/snponly.efi | wc -c")
        check(int(out) > 100000, f"the loader over IPv6: {out}")
        wait_until(lambda: "transfer-finished" in site.kinds(), 5, f"in the same boot: {site.timeline()}")

        mac = bytes.fromhex("020000000077")
        inner = dhcp6.message(dhcp6.SOLICIT, dhcp6.firmware(duid=dhcp6.duid_llt(mac)))
        forw = dhcp6.relayed(inner, "fd77:2::1", "fe80::1", interface_id=b"Gi1/0/7",
                             more=dhcp6.option(37, b"\0\0\0\x09sw-4"))
        r = lab.client(client, "ask6", data=forw.hex(), to=SERVER6, source=547)
        check(len(r) == 1 and len(r[0]["relays"]) == 1, f"a RELAY-REPL: {r}")
        relay = r[0]["relays"][0]
        check(relay["link"] == "fd77:2::1" and relay["peer"] == "fe80::1", "the relay's addresses come back")
        check(bytes.fromhex(relay["options"]["18"]) == b"Gi1/0/7", "and its interface-id")
        check(r[0]["type"] == dhcp6.ADVERTISE and r[0]["from"][:2] == [SERVER6, 547], "from where it asked")
        boot_ = site.query("boots", "show", site.boots()[0]["id"])
        check(boot_["mac"] == "02:00:00:00:00:77" and boot_["relay"] == "fd77:2::1", f"by its DUID: {boot_}")
        outer = dhcp6.relayed(forw, "::", "fd77:2::1", hops=1, interface_id=b"")
        r = lab.client(client, "ask6", data=outer.hex(), to=SERVER6, source=547)
        check(len(r) == 1 and [x["hops"] for x in r[0]["relays"]] == [1, 0], f"relays of relays: {r}")
        port = dhcp6.relayed(inner, "fd77:2::1", "fe80::1", more=dhcp6.option(135, b"\0\0"))
        r = lab.client(client, "ask6", data=port.hex(), to=SERVER6, source=10547)
        check(len(r) == 1, "a relay on a port of its own is answered there (RFC 8357)")


def test_relay_agent():
    """dhcrelay between a client's link and ours; it comes back through it."""
    with Lab("relay6") as lab:
        near, far = lab.segment("near"), lab.segment("far")
        agent = host6(lab, "relay", near, f"{PREFIX}1")
        lab.plug(agent, far, None, "eth1")
        lab.sh(agent, "ip -6 addr add fd77:2::1/64 dev eth1 nodad && sysctl -qw net.ipv6.conf.all.forwarding=1")
        server = host6(lab, "server", near, SERVER6)
        lab.sh(server, f"ip -6 route add fd77:2::/64 via {PREFIX}1")
        client = host6(lab, "client", far, "fd77:2::50")
        site = site6(lab, server)
        ready(site)
        lab.spawn(agent, ["dhcrelay", "-6", "-d", "--no-pid", "-I", "-l", "eth1", "-u", f"{SERVER6}%eth0"],
                  "dhcrelay.log")
        wait_until(lambda: "Sending on" in read(lab.path("dhcrelay.log")), 10, "dhcrelay")
        r = lab.client(client, "ask6", options=dhcp6.firmware().hex(), seconds=5)
        check(len(r) == 1 and r[0]["type"] == dhcp6.ADVERTISE, f"an ADVERTISE through the relay: {r}")
        check(url_of(r[0]) == f"tftp://[{SERVER6}]/boot/x64/snponly.efi", "with our address")
        boot_ = site.boot()
        check(boot_["relay"] == "fd77:2::1", f"the client's link: {boot_['relay']}")


def test_other_version():
    """Daemons at an IPv4 address alone are not offered over IPv6; with `address6` they are."""
    with Lab("family") as lab:
        _, client, site = network6(lab)
        lab.sh(site.ns, "ip addr add 10.77.1.10/24 dev eth0")
        for daemon in ("tftpd", "httpsbootd"):
            site.conf[daemon]["address"] = "10.77.1.10"
        ready(site)
        check(lab.client(client, "ask6", options=dhcp6.firmware().hex(), seconds=1.5) == [], "no way to tftpd")
        wait_until(lambda: "tftpd has no address of that version" in read(site.log("handlerd")), 5, "the reason")
        check(lab.client(client, "ask6", options=dhcp6.firmware(16, b"HTTPClient").hex(), seconds=1.5) == [],
              "no way to httpsbootd")
        for daemon in ("tftpd", "httpsbootd"):
            site.kill(daemon)
            site.conf[daemon]["address6"] = SERVER6
            site.start(daemon)
        wait_until(lambda: [s for s in site.query("status")["services"] if s["address6"] == SERVER6 and s["alive"]],
                   10, "the announcement")
        lab.sh(None, "sleep 2.5")
        r = lab.client(client, "ask6", options=dhcp6.firmware().hex())
        check(len(r) == 1, "now there is one")
        r = lab.client(client, "ask6", options=dhcp6.firmware(16, b"HTTPClient").hex())
        check(len(r) == 1, "to httpsbootd, too")
        out = lab.sh(client, f"curl -gsS tftp://[{SERVER6}]/boot/x64/snponly.efi | wc -c && "
                             f"curl -gsS {url_of(r[0])} | wc -c")
        check(len(set(out.split())) == 1 and int(out.split()[0]) > 100000, f"both serve at address6: {out}")


def test_interface_comes_late():
    """An interface and an address that come after the start are served, without a restart."""
    with Lab("late6") as lab:
        segment = lab.segment("net")
        ns = lab.namespace("server")
        lab.sh(ns, "sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0")
        client = host6(lab, "client", segment, f"{PREFIX}50")
        site = site6(lab, ns)
        site.conf["dhcpproxyd"]["interface"] = ""
        ready(site)
        lab.plug(ns, segment, None, "eth1")
        lab.sh(ns, f"ip -6 addr add {SERVER6}/64 dev eth1 nodad")
        lab.sh(None, "sleep 2.5")
        r = lab.client(client, "ask6", options=dhcp6.firmware().hex())
        check(len(r) == 1 and SERVER6 in url_of(r[0]), f"the new interface: {r}")
        lab.sh(ns, f"ip -6 addr add fd77:1::99/64 dev eth1 nodad && ip -6 addr del {SERVER6}/64 dev eth1")
        lab.sh(None, "sleep 2.5")
        r = lab.client(client, "ask6", options=dhcp6.firmware().hex())
        check(len(r) == 1 and "fd77:1::99" in url_of(r[0]), f"the new address: {r}")


def test_beside_servers_on_this_host():
    """Kea and dnsmasq hold port 547 of our host, whoever starts first; clients get both answers."""
    for name, server in (("kea", kea6), ("dnsmasq", dnsmasq6)):
        for first in (True, False):
            with Lab(f"beside-{name}") as lab:
                _, client, site = network6(lab)
                shutil.copytree(loaders(), site.root, dirs_exist_ok=True)
                site.ca()
                if first:
                    site.start()
                server(lab, site.ns)
                if not first:
                    site.start()
                r = lab.client(client, "ask6", options=dhcp6.firmware().hex(), seconds=2, all=True)
                kinds = sorted("3" in x["options"] for x in r)
                check(kinds == [False, True], f"{name}, we first: {first}: one answer of each: {r}")


def test_udp_socket():
    """`listen_dhcp6` = `udp` needs no right to raw sockets; `off` is off."""
    for mode, want in (("udp", 1), ("off", 0)):
        with Lab("udp6") as lab:
            _, client, site = network6(lab, dhcpproxyd={"listen_dhcp6": mode})
            ready(site)
            r = lab.client(client, "ask6", options=dhcp6.firmware().hex(), seconds=1.5)
            check(len(r) == want, f"{mode}: {r}")
            taken = "udp UNCONN" in lab.sh(site.ns, "ss -lnu6 'sport = 547' -O | sed 's/^/udp /'")
            check(taken == (mode == "udp"), f"{mode}: port 547 is {'' if taken else 'not '}held")


def test_ipxe_without_dhcpv6_server():
    """
    iPXE of a network card, addresses by router advertisements alone: it asks for options, takes ours, and
    boots.  (Firmware itself needs a DHCPv6 server.)
    """
    with Lab("ipxe6") as lab:
        segment = lab.segment("net")
        capture6(lab, segment)
        router(lab, segment, managed=False)
        site = site6(lab, host6(lab, "server", segment, SERVER6))
        prepare(site)
        site.start()
        b = boot(lab, site, segment, "bios", seconds=200)
        check_boot(b, None, ("discover", script_url()), ("offer", script_url()))


def test_tftp():
    """tftpd over IPv6: the block's limit, the address that was asked, addresses of the link, IPv4 beside it."""
    with Lab("tftp6") as lab:
        _, client, site = network6(lab)
        other = "fd77:1::11"
        lab.sh(site.ns, f"ip -6 addr add {other}/64 dev eth0 nodad && ip addr add 10.77.1.10/24 dev eth0")
        lab.sh(client, "ip addr add 10.77.1.50/24 dev eth0")
        ready(site)
        link = lab.sh(site.ns, "ip -6 -o addr show dev eth0 scope link").split()[3].split("/")[0]
        for address in (SERVER6, other, link, "10.77.1.10"):
            r = lab.client(client, "tftp_ask", address=address, name="boot/x64/snponly.efi",
                           options={"blksize": "9000", "tsize": "0"})
            check(r["from"] == address, f"answered from the address that was asked: {r['from']} is {address}")
            most = 1468 if "." in address else 1448
            check(r["options"]["blksize"] == str(most), f"{address}: blocks of {r['options']}")
        out = lab.sh(client, f"curl -gsS 'tftp://[{link}%25eth0]/boot/x64/snponly.efi' | wc -c")
        check(int(out) == int(r["options"]["tsize"]), f"a whole file from an address of the link: {out}")
        own = lab.sh(client, "cat /sys/class/net/eth0/address").strip()
        lab.client(client, "ask6", options=dhcp6.firmware().hex())
        lab.sh(client, f"curl -gsS 'tftp://[{link}%25eth0]/boot/x64/snponly.efi' >/dev/null")
        wait_until(lambda: "transfer-finished" in site.kinds() and site.boot()["mac"] == own, 5,
                   "the link's address tells whose boot it is")
        lines = [x for x in read(site.log("handlerd")).splitlines() if "via=tftp" in x and "ip=10.77.1.50" in x]
        check(lines, "an IPv4 client is known by its IPv4 address")


def test_limits():
    """The limits of IPv4 hold for both: one client's, and that of all."""
    with Lab("limits6") as lab:
        _, client, site = network6(lab, dhcpproxyd={"client_rate": 1, "client_burst": 3})
        ready(site)
        got = lab.client(client, "flood6", options=dhcp6.firmware().hex(), count=20)
        check(got == 3, f"one client gets as many answers as its burst: {got}")
        lab.sh(None, "sleep 2.5")
        counters = [s["counters"] for s in site.query("status")["services"] if s["daemon"] == "dhcpproxyd"][0]
        check(counters["ipv6_client_rate"] == 17, f"the others are counted: {counters}")

        lease = dhcp6.firmware(ia=False).hex() + dhcp6.ia_na(PREFIX + "77").hex()
        lab.client(client, "flood6", options=lease, count=20, kind=dhcp6.REQUEST)
        lab.sh(None, "sleep 2.5")
        counters = [s["counters"] for s in site.query("status")["services"] if s["daemon"] == "dhcpproxyd"][0]
        check(1 <= counters["ipv6_leases"] <= 4, f"nor are more requests to DHCP servers noted: {counters}")

        # a datagram whose own length is beyond its end, to the raw socket of port 547
        lab.client(client, "lie6")
        lab.sh(None, "sleep 2.5")
        counters = [s["counters"] for s in site.query("status")["services"] if s["daemon"] == "dhcpproxyd"][0]
        check(counters["ipv6_bad_length"] == 1, f"a length that does not fit is counted: {counters}")


def test_two_subnets():
    """Two daemons of one host, each for a subnet of its own: both boot servers are asked by unicast."""
    with Lab("two6") as lab:
        _, client, site = network6(lab)
        second = lab.segment("net2")
        lab.plug(site.ns, second, None, "eth1")
        lab.sh(site.ns, "ip -6 addr add fd77:2::10/64 dev eth1 nodad")
        other = host6(lab, "client2", second, "fd77:2::50")
        ready(site)
        conf = {**site.conf["dhcpproxyd"], "interface": "eth1", "address": "", "subnet": "two",
                "control": f"{site.run}/two.sock"}
        conf.pop("address6", None)
        with open(f"{site.run}/two.json", "w", encoding="ascii") as f:
            json.dump(conf, f)
        lab.spawn(site.ns, [f"{BIN}/dhcpproxyd", "-f", "-c", f"{site.run}/two.json"], "two.log")
        wait_until(lambda: "in use" in read(lab.path("two.log")), 10, "the second daemon")
        for host, to in ((client, SERVER6), (other, "fd77:2::10")):
            for port, source in ((547, 546), (4011, 4011)):
                r = lab.client(host, "ask6", options=dhcp6.firmware(ia=False).hex(), to=to, port=port,
                               source=source, kind=dhcp6.INFORMATION_REQUEST)
                check(len(r) == 1 and r[0]["from"] == [to, port], f"{to} answers at port {port}: {r}")


def test_https():
    """A certificate of `ferryctl ca` is good for an IPv6 address."""
    with Lab("https6") as lab:
        _, client, site = network6(lab, http_port=0)
        ready(site)
        url = f"https://[{SERVER6}]:8050/2PXE/boot"
        out = lab.sh(client, f"curl -gsS --cacert {site.run}/etc/ca/ca.pem {url} 2>&1 || ls -R {site.run}/etc")
        check(out.startswith("#!ipxe\n") and f"set pxeurl https://[{SERVER6}]:8050/" in out, out[:600])
        check("isset ${netX/ip6} || dhcp" in out, "it does not wait for IPv4")
        r = lab.client(client, "ask6", options=dhcp6.ipxe().hex(), kind=dhcp6.INFORMATION_REQUEST)
        check(url_of(r[0]) == url, f"without plain HTTP iPXE gets the secure URL: {url_of(r[0])}")


def test_hostile():
    """Spoiled packets, thousands of them, to both ports: none is answered wrongly, and all is well after."""
    with Lab("hostile6") as lab:
        _, client, site = network6(lab)
        ready(site)
        inner = dhcp6.message(dhcp6.SOLICIT, dhcp6.firmware())
        good = [inner, dhcp6.message(dhcp6.REQUEST, dhcp6.firmware()),
                dhcp6.message(dhcp6.INFORMATION_REQUEST, dhcp6.ipxe())]
        wrapped = inner
        for hops in range(10):  # two more than are taken
            wrapped = dhcp6.relayed(wrapped, "fd77:2::1", "fe80::1", hops=hops, interface_id=b"x" * 40)
            good.append(wrapped)
        sent = lab.client(client, "spoil6", packets=4000, seed=7, samples=[x.hex() for x in good])
        check(sent == 4000, "all were sent")
        r = lab.client(client, "ask6", options=dhcp6.firmware().hex())
        check(len(r) == 1, "a client is answered as before")
        check(all(p.poll() is None for p in site.daemons.values()), "all daemons live")
        wait_until(lambda: [s["counters"] for s in site.query("status")["services"] if s["daemon"] == "dhcpproxyd"]
                   [0]["ipv6_malformed"] > 500, 10, "what was spoiled is counted")
