"""dhcpproxyd on all sorts of networks: beside a DHCP server, relayed, on interfaces that come and go."""

import json
import os
import signal
import socket

import dhcp
import peers
from lab import BIN, BUILD, Lab, Site, SERVER, check, read, wait_until
from test_boot import boot, check_story, prepare

FAR = "10.77.2"


def hexed(data):
    return data.hex()


def proxy(lab, server, **options):
    """dhcpproxyd alone; handlerd's part is played by one that answers all alike."""
    name = options.pop("name", "lab")
    site = Site(lab, server, name=name)
    site.conf["dhcpproxyd"].update(options)
    lab.spawn(server, [f"{BUILD}/tests/suite/fake_handlerd", site.conf["handlerd"]["listen"][0],
                       "local"], f"fake_handlerd-{name}.log")
    ipc = f"{site.run}/handlerd.ipc"
    wait_until(lambda: os.path.exists(ipc), 5, "the bus' socket")
    os.chmod(site.run, 0o777)  # for daemons of any account
    os.chmod(ipc, 0o666)
    site.start("dhcpproxyd")
    # seen in the log is not enough: the first requests may come before it is in use
    wait_until(lambda: "in use" in read(site.log("dhcpproxyd")), 10, "the bus")
    return site


def status(site):
    """The control method `status` of dhcpproxyd itself."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(f"{site.run}/dhcpproxyd.sock")
        s.sendall(b'{"jsonrpc":"2.0","id":1,"method":"status"}\n')
        return json.loads(s.makefile().readline())["result"]


def interface(site, name):
    found = [i for i in status(site)["interfaces"] if i["name"] == name]
    check(len(found) == 1, f"{name} is listed once: {status(site)['interfaces']}")
    return found[0]


def ours(replies):
    return [r for r in replies if r["yiaddr"] == "0.0.0.0"]


def ask(lab, client, **arguments):
    """A DISCOVER of firmware, and all replies to it, the late ones too."""
    arguments.setdefault("options", hexed(dhcp.firmware(7)))
    return lab.client(client, "ask", settle=1, **arguments)


def answered_once(lab, client, address, **arguments):
    """One offer of ours, from the right address."""
    replies = ours(ask(lab, client, **arguments))
    check(len(replies) == 1, f"one offer of ours, not {len(replies)}\n{lab.evidence()}")
    check(replies[0]["from"] == [address, 67] and replies[0]["siaddr"] == address,
          f"from {address}, port 67: {replies[0]}")
    return replies[0]


def same_host(lab, far=False):
    """A segment with a server and a client; `far`: another segment behind a relay."""
    near = lab.segment("near")
    lab.capture(near)
    server = lab.host("server", near, f"{SERVER}/24")
    client = lab.host("client", near, "10.77.1.50/24")
    if not far:
        return near, server, client
    behind = lab.segment("far")
    router = lab.host("router", near, "10.77.1.1/24")
    lab.plug(router, behind, f"{FAR}.1/24", "eth1")
    lab.sh(router, "sysctl -qw net.ipv4.ip_forward=1")
    lab.sh(server, f"ip route add {FAR}.0/24 via 10.77.1.1")
    remote = lab.host("remote", behind, f"{FAR}.50/24")
    return near, server, client, router, behind, remote


def beside(name, start, kind="packet", broadcasts=2, **options):
    """A DHCP server owns port 67 of our host: both answer, once each, direct and relayed clients."""
    with Lab(name) as lab:
        _, server, client, router, _, remote = same_host(lab, far=True)
        start(lab, server)
        site = proxy(lab, server, **options)
        check(interface(site, "eth0")["dhcp"] == kind, f"by {kind}: {status(site)['interfaces']}")
        peers.relay(lab, router, [SERVER])
        for _ in range(3):
            replies = ask(lab, client)
            check(len(ours(replies)) == 1, f"one offer of ours\n{lab.evidence()}")
            check(len(replies) == broadcasts, f"and of the DHCP server: {replies}\n{lab.evidence()}")
            check(ours(replies)[0]["from"] == [SERVER, 67], "from our address, port 67")
        for _ in range(3):
            replies = ask(lab, remote)
            check(len(ours(replies)) == 1, f"a relayed client: one offer of ours\n{lab.evidence()}")
            check(len(replies) == 2, f"and one of the DHCP server: {replies}\n{lab.evidence()}")
            check(ours(replies)[0]["giaddr"] == f"{FAR}.1", "by the relay")
        r = lab.client(client, "ask", options=hexed(dhcp.firmware(7)), kind=3, to=SERVER, port=4011,
                       source=4011, ciaddr="10.77.1.50")
        check(len(r) == 1 and r[0]["from"] == [SERVER, 4011], "the boot server answers")
        counters = status(site)["counters"]
        check(counters["discovers"] == 6 and counters["offers"] == 6, f"six, once each: {counters}")
        return counters


def test_beside_kea():
    """Kea on the same host, with packet sockets."""
    beside("kea", peers.kea)


def test_beside_kea_udp():
    """Kea on the same host, with UDP sockets, by which it hears relayed clients only."""
    beside("keaudp", lambda lab, ns: peers.kea(lab, ns, sockets="udp"), broadcasts=1)


def test_beside_dnsmasq():
    """dnsmasq on the same host, which does not share its port."""
    beside("dnsmasq", peers.dnsmasq)


def test_beside_isc():
    """ISC dhcpd on the same host."""
    beside("isc", peers.isc)


def test_packet_by_key():
    """Packet sockets by configuration, with nobody else on the port."""
    with Lab("packet") as lab:
        _, server, client, router, _, remote = same_host(lab, far=True)
        site = proxy(lab, server, dhcp_socket="packet")
        check(interface(site, "eth0")["dhcp"] == "packet", "a packet socket")
        peers.relay(lab, router, [SERVER])
        answered_once(lab, client, SERVER)
        r = ours(ask(lab, remote))
        check(len(r) == 1 and r[0]["from"][0] == f"{FAR}.1", f"a relayed client: {r}")
        # a DHCP server can start later, since the port is free
        peers.kea(lab, server)
        replies = ask(lab, client)
        check(len(replies) == 2 and len(ours(replies)) == 1, "both answer")


def test_comes_later():
    """A DHCP server that shares the port starts after us: it gets it, and we go to packet sockets."""
    with Lab("later") as lab:
        _, server, client, router, _, remote = same_host(lab, far=True)
        site = proxy(lab, server)
        check(interface(site, "eth0")["dhcp"] == "udp", "at first the port is ours")
        peers.relay(lab, router, [SERVER])
        answered_once(lab, client, SERVER)
        peers.dnsmasq(lab, server, share=True)
        wait_until(lambda: interface(site, "eth0")["dhcp"] == "packet", 8, "the packet socket")
        for who in (client, remote):
            replies = ask(lab, who)
            check(len(replies) == 2 and len(ours(replies)) == 1, f"both answer: {replies}")


def test_storm():
    """More changes at once than the kernel keeps for us: in the end the interfaces are known."""
    with Lab("storm") as lab:
        _, server, client = same_host(lab)
        site = proxy(lab, server, interface=["eth0", "m*"], address="")
        pid = status(site)["pid"]
        with open(lab.path("make"), "w", encoding="ascii") as f:
            for i in range(120):
                f.write(f"link add m{i} type veth peer name x{i}\nlink set x{i} up\nlink set m{i} up\n"
                        f"addr add 10.100.{i}.1/24 dev m{i}\n")
        with open(lab.path("flap"), "w", encoding="ascii") as f:
            for _ in range(8):
                for i in range(120):
                    f.write(f"link set m{i} down\nlink set m{i} up\n")
        os.kill(pid, signal.SIGSTOP)
        lab.sh(server, f"ip -batch {lab.path('make')}; ip -batch {lab.path('flap')}; ip link del m7; "
                       "ip addr add 10.200.0.1/24 dev m8")
        os.kill(pid, signal.SIGCONT)

        def served():
            return {i["name"]: i for i in status(site)["interfaces"] if i["state"] == "serving"}
        wait_until(lambda: len(served()) == 120 == len(status(site)["interfaces"]), 20, "all but one, and eth0")
        check("m7" not in served(), "the one that went is gone")
        check(served()["m8"]["addresses"] == ["10.100.8.1/24", "10.200.0.1/24"], f"{served()['m8']}")
        answered_once(lab, client, SERVER)


def test_port_taken():
    """A boot server port that another process holds ends the start with the reason."""
    with Lab("taken") as lab:
        _, server, client = same_host(lab)
        lab.spawn(server, ["python3", "-c", "import socket,time; s=socket.socket(2,2); "
                           "s.setsockopt(1,2,1); s.bind(('',4011)); print('x'); time.sleep(99)"], "holder.log")
        wait_until(lambda: "4011" in lab.sh(server, "ss -lun"), 5, "the holder")
        site = Site(lab, server)
        path = f"{site.run}/dhcpproxyd.json"
        with open(path, "w", encoding="utf-8") as f:
            json.dump(site.conf["dhcpproxyd"], f)
        out = lab.sh(server, f"timeout 10 {BIN}/dhcpproxyd -f -c {path}; echo status $?")
        check("status 1" in out and "boot_port: 4011 on eth0: another process holds this port" in out, out)
        # without the boot server it starts; and the other way round
        site = proxy(lab, server, listen_boot=False)
        check(interface(site, "eth0")["boot"] == "off", "the boot server port is left alone")
        answered_once(lab, client, SERVER)


def test_boot_server_only():
    """listen_dhcp off: only port 4011, where a DHCP server sends clients by option 60."""
    with Lab("only") as lab:
        _, server, client = same_host(lab)
        peers.dnsmasq(lab, server)
        site = proxy(lab, server, listen_dhcp=False)
        check(interface(site, "eth0")["dhcp"] == "off", "port 67 is left alone")
        check(ours(ask(lab, client)) == [], "no proxy offer")
        r = lab.client(client, "ask", options=hexed(dhcp.firmware(7)), kind=3, to=SERVER, port=4011,
                       source=4011, ciaddr="10.77.1.50")
        check(len(r) == 1 and r[0]["from"] == [SERVER, 4011], "the boot server answers")


def test_interfaces():
    """Several interfaces by name, each client is told the address of its own; others are left alone."""
    with Lab("several") as lab:
        segments = [lab.segment(x) for x in ("one", "two", "three")]
        server = lab.host("server", segments[0], f"{SERVER}/24")
        lab.plug(server, segments[1], "10.78.1.10/24", "eth1")
        lab.plug(server, segments[2], "10.79.1.10/24", "lan")
        clients = [lab.host(f"c{i}", s, f"10.7{i + 7}.1.50/24") for i, s in enumerate(segments)]
        for kind in ("udp", "packet"):
            site = proxy(lab, server, interface="eth0, eth1", address="", dhcp_socket=kind, name=kind)
            answered_once(lab, clients[0], SERVER)
            answered_once(lab, clients[1], "10.78.1.10")
            check(ask(lab, clients[2], seconds=1) == [], "an interface that is not named is left alone")
            for i, address in enumerate((SERVER, "10.78.1.10")):
                r = lab.client(clients[i], "ask", options=hexed(dhcp.firmware(7)), kind=3, to=address,
                               port=4011, source=4011, ciaddr=f"10.7{i + 7}.1.50")
                check(len(r) == 1 and r[0]["from"] == [address, 4011] and r[0]["siaddr"] == address,
                      f"4011 of {address}: {r}")
            site.kill("dhcpproxyd", 15)
        site = proxy(lab, server, interface=["eth*"], address="", name="pattern")
        answered_once(lab, clients[1], "10.78.1.10")
        check({i["name"] for i in status(site)["interfaces"]} == {"eth0", "eth1"}, "both fit the pattern")
        site.kill("dhcpproxyd", 15)
        # all, by one packet socket
        site = proxy(lab, server, interface="", address="", dhcp_socket="packet", name="all")
        answered_once(lab, clients[0], SERVER)
        answered_once(lab, clients[2], "10.79.1.10")


def test_second_address():
    """A relay's choice among our addresses is what clients are told; a broadcast gets the first."""
    with Lab("second") as lab:
        _, server, client, router, _, remote = same_host(lab, far=True)
        lab.sh(server, "ip addr add 10.77.1.20/24 dev eth0")
        peers.relay(lab, router, ["10.77.1.20"])
        for kind in ("udp", "packet"):
            site = proxy(lab, server, address="", dhcp_socket=kind, name=kind)
            answered_once(lab, client, SERVER)
            r = ours(ask(lab, remote))
            check(len(r) == 1 and r[0]["siaddr"] == "10.77.1.20", f"what the relay asked: {r}")
            info = "5206010465746830"
            r = lab.client(client, "ask", options=info + hexed(dhcp.firmware(7)), to="10.77.1.20", source=67,
                           giaddr="10.77.1.50")
            check(len(r) == 1 and r[0]["from"] == ["10.77.1.20", 67], f"from the address asked: {r}")
            check(r[0]["options"]["82"] == info[4:] and r[0]["order"][-1] == 82, "option 82 as it came")
            site.kill("dhcpproxyd", 15)


def test_two_daemons():
    """Two dhcpproxyds on one host, each with an interface of its own."""
    with Lab("two") as lab:
        one, two = lab.segment("one"), lab.segment("two")
        server = lab.host("server", one, f"{SERVER}/24")
        lab.plug(server, two, "10.78.1.10/24", "eth1")
        clients = [lab.host("c1", one, "10.77.1.50/24"), lab.host("c2", two, "10.78.1.50/24")]
        sites = [proxy(lab, server, interface=f"eth{i}", address="", name=f"s{i}") for i in (0, 1)]
        for i, address in enumerate((SERVER, "10.78.1.10")):
            check(interface(sites[i], f"eth{i}")["dhcp"] == "udp", "they do not disturb each other")
            answered_once(lab, clients[i], address)
            r = lab.client(clients[i], "ask", options=hexed(dhcp.firmware(7)), to=address, source=67,
                           giaddr=f"10.7{i + 7}.1.50")
            check(len(r) == 1 and r[0]["siaddr"] == address, f"relayed: {r}")


def comes_and_goes(name, kind, **options):
    """An interface that is late, gets and changes its address, goes down, and is made anew."""
    with Lab(name) as lab:
        segment = lab.segment("net")
        server = lab.namespace("server")
        client = lab.host("client", segment, "10.77.1.50/24")
        site = proxy(lab, server, address="", dhcp_socket=kind, **options)
        check(interface(site, "eth0")["state"] == "waiting: there is no such interface", "it waits")
        check('there is no "eth0" yet' in read(site.log("dhcpproxyd")), "and says so")

        def state(word):
            wait_until(lambda: interface(site, "eth0")["state"] == word, 5, word)

        lab.plug(server, segment)
        state("waiting for an address")
        check(ask(lab, client, seconds=1) == [], "without an address there is silence")
        lab.sh(server, f"ip addr add {SERVER}/24 dev eth0")
        state("serving")
        first = interface(site, "eth0")
        check(first["dhcp"] == kind and first["addresses"] == [f"{SERVER}/24"], f"{first}")
        answered_once(lab, client, SERVER)

        lab.sh(server, f"ip addr add 10.77.1.11/24 dev eth0; ip addr del {SERVER}/24 dev eth0; "
                       "ip addr replace 10.77.1.11/24 dev eth0")
        wait_until(lambda: interface(site, "eth0")["addresses"] == ["10.77.1.11/24"], 5, "the new address")
        answered_once(lab, client, "10.77.1.11")

        lab.sh(server, "ip link set eth0 down")
        state("down")
        lab.sh(server, "ip link set eth0 up")
        state("serving")
        wait_until(lambda: "state UP" in lab.sh(server, "ip link show eth0"), 5, "the link")
        answered_once(lab, client, "10.77.1.11")

        lab.sh(server, "ip link del eth0")
        state("waiting: there is no such interface")
        lab.plug(server, segment, f"{SERVER}/24")
        state("serving")
        check(interface(site, "eth0")["index"] != first["index"], "it is another interface")
        answered_once(lab, client, SERVER)
        r = lab.client(client, "ask", options=hexed(dhcp.firmware(7)), kind=3, to=SERVER, port=4011,
                       source=4011, ciaddr="10.77.1.50")
        check(len(r) == 1 and r[0]["from"] == [SERVER, 4011], "the boot server, too")
        # only what is renamed away is gone
        lab.sh(server, "ip link set eth0 down; ip link set eth0 name wan; ip link set wan up")
        state("waiting: there is no such interface")
        return site, read(site.log("dhcpproxyd"))


def test_comes_and_goes_udp():
    """By UDP sockets, as root."""
    comes_and_goes("goesudp", "udp")


def test_comes_and_goes_packet():
    """By packet sockets, as root."""
    comes_and_goes("goespacket", "packet")


def test_comes_and_goes_unprivileged():
    """Started by root, which it gives up: it keeps what it needs to open sockets, and no more."""
    for kind in ("udp", "packet"):
        comes_and_goes("goesuser" + kind, kind, user="65534:65534")


def capabilities(pid):
    return {line.split(":")[0]: int(line.split()[1], 16) for line in read(f"/proc/{pid}/status").splitlines()
            if line.startswith("Cap")}


def test_capabilities():
    """Root that is given up leaves CAP_NET_BIND_SERVICE and CAP_NET_RAW, and no way to more."""
    with Lab("caps") as lab:
        _, server, client = same_host(lab)
        site = proxy(lab, server, user="65534:65534")
        pid = status(site)["pid"]
        held = capabilities(pid)
        check(held["CapEff"] == held["CapPrm"] == 1 << 10 | 1 << 13 and held["CapInh"] == held["CapAmb"] == 0,
              f"these two: {held}")
        check("NoNewPrivs:\t1" in read(f"/proc/{pid}/status"), "no new privileges")
        answered_once(lab, client, SERVER)


def boot_beside(name, start, relayed=False):
    """OVMF boots a kernel with the DHCP server and all four daemons on one host."""
    with Lab(name) as lab:
        if relayed:
            near, server, _, router, behind, _ = same_host(lab, far=True)
            peers.relay(lab, router, [SERVER])
        else:
            near, server, _ = same_host(lab)
            behind = near
        start(lab, server)
        site = Site(lab, server, http_port=0)
        prepare(site)
        site.start()
        check(interface(site, "eth0")["dhcp"] == "packet", "the DHCP server has the port")
        b = boot(lab, site, behind)
        check_story(b, "https", "boot/x64/snponly.efi")
        kinds = [e["kind"] for e in b["timeline"]]
        check("bootserver" in kinds, "by the boot server port, too")
        # firmware, then iPXE: each asked, was answered once, and asked for no more
        counters = status(site)["counters"]
        check(counters["offers"] == counters["discovers"] and counters["send_failed"] == 0, f"{counters}")
        return b


def test_boot_beside_kea():
    """UEFI PXE with Kea on the same host."""
    boot_beside("bootkea", peers.kea)


def test_boot_beside_dnsmasq():
    """UEFI PXE with dnsmasq on the same host, from behind a relay that knows one address for both."""
    b = boot_beside("bootmasq", peers.dnsmasq, relayed=True)
    check(b["relay"] == f"{FAR}.1", "the relay's address is known")


def test_vlan():
    """A sub-interface gets what is tagged for it, and the interface below gets none of that."""
    with Lab("vlan") as lab:
        segment = lab.segment("net")
        server = lab.host("server", segment, f"{SERVER}/24")
        client = lab.host("client", segment, "10.77.1.50/24")
        for ns, address in ((server, "10.20.0.10/24"), (client, "10.20.0.50/24")):
            peers.vlan(lab, ns, "eth0", 20, address)
        for kind in ("udp", "packet"):
            site = proxy(lab, server, interface=["eth0", "eth0.*"], address="", dhcp_socket=kind, name=kind)
            check(interface(site, "eth0.20")["state"] == "serving", "the sub-interface is served")
            answered_once(lab, client, SERVER)
            answered_once(lab, client, "10.20.0.10", device="eth0.20")
            site.kill("dhcpproxyd", 15)
        site = proxy(lab, server, interface="eth0", address="", dhcp_socket="packet", name="below")
        answered_once(lab, client, SERVER)
        check(ask(lab, client, device="eth0.20", seconds=1) == [], "what is tagged is not eth0's")


def test_as_a_unit():
    """As systemd starts it: an account from the beginning, two capabilities, no way to more."""
    with Lab("unit") as lab:
        segment, server, client = same_host(lab)
        peers.kea(lab, server)
        os.environ["BOOTFERRY_WRAP"] = ("setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs "
                                        "--inh-caps=-all,+net_bind_service,+net_raw "
                                        "--ambient-caps=-all,+net_bind_service,+net_raw "
                                        "--bounding-set=-all,+net_bind_service,+net_raw")
        try:
            site = proxy(lab, server, user="")
        finally:
            del os.environ["BOOTFERRY_WRAP"]
        held = capabilities(status(site)["pid"])
        check(held["CapEff"] == held["CapBnd"] == 1 << 10 | 1 << 13, f"these two: {held}")
        check(interface(site, "eth0")["dhcp"] == "packet", "the packet socket opens")
        replies = ask(lab, client)
        check(len(replies) == 2 and len(ours(replies)) == 1, f"both answer: {replies}")
        # made anew, it needs both capabilities once more
        lab.sh(server, "ip link del eth0")
        lab.plug(server, segment, f"{SERVER}/24")
        wait_until(lambda: interface(site, "eth0")["state"] == "serving", 5, "the new interface")
        answered_once(lab, client, SERVER)
        check("warning" not in read(site.log("dhcpproxyd")), f"nothing to warn of: {read(site.log('dhcpproxyd'))}")


def test_announced_address():
    """Without a configured address handlerd is told that of the only interface, as it changes or is gone."""
    with Lab("announced") as lab:
        _, server, _ = same_host(lab)
        site = Site(lab, server)
        site.conf["dhcpproxyd"]["address"] = ""
        site.start("handlerd", "dhcpproxyd")

        def told():
            return [s.get("address") for s in site.query("status")["services"] if s["daemon"] == "dhcpproxyd"]
        wait_until(lambda: told() == [SERVER], 10, "the address")
        lab.sh(server, f"ip addr add 10.77.1.11/24 dev eth0; ip addr del {SERVER}/24 dev eth0; "
                       "ip addr replace 10.77.1.11/24 dev eth0")
        wait_until(lambda: told() == ["10.77.1.11"], 10, "the new one")

        # and what keeps clients from being served, in words
        def problems():
            return [p for p in site.query("status")["problems"] if "eth0" in p]
        check(problems() == [], "nothing is wrong")
        lab.sh(server, "ip link del eth0")
        wait_until(lambda: problems() == ["dhcpproxyd of subnet lab: interface eth0 is not there"], 10, "the problem")
        words = lab.sh(None, f"{BIN}/ferryctl --socket {site.run}/dhcpproxyd.sock status")
        check("dhcpproxyd" in words and "eth0" in words and "waiting: there is no such interface" in words, words)
