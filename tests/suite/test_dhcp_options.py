"""Sites without any proxy: `ferryctl dhcp-options` tells the DHCP server what machines are told."""

import json
import os

import dhcp
import dhcp6
from lab import CLIENTS, DHCP, SERVER, TOP, Lab, Site, check, read, wait_until
from peers import tool
from test_boot import boot, check_story, check_timeline, prepare
from test_ipv6 import NO_IPV4, PREFIX, SERVER6, capture6, host6, router, site6

DATA = f"{TOP}/tests/data/dhcp-options"


class Kea:
    """ISC Kea with the printed lists in its configuration."""

    kind = "kea"

    def config(self, lab, snippet, subnets):
        conf = json.loads(snippet)
        first, last = CLIENTS.split(",")
        conf["Dhcp4"].update({
            "interfaces-config": {"interfaces": ["eth0"]},
            "lease-database": {"type": "memfile", "persist": False},
            "subnet4": [{"id": i + 1, "subnet": f"10.77.{n}.0/24",
                         "pools": [{"pool": f"{first} - {last}".replace("10.77.1.", f"10.77.{n}.")}],
                         "option-data": [{"name": "routers", "data": f"10.77.{n}.1"}]}
                        for i, n in enumerate(subnets)],
            "loggers": [{"name": "kea-dhcp4", "severity": "INFO",
                         "output_options": [{"output": "stdout"}]}],
        })
        path = lab.path("kea.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(conf, f, ensure_ascii=False)  # Kea reads no \u escapes
        return path

    def test(self, lab, path):
        return lab.sh(None, f"KEA_LOCKFILE_DIR=none {tool('kea-dhcp4')} -t {path}")

    def start(self, lab, ns, path):
        env = dict(os.environ, KEA_PIDFILE_DIR=lab.dir, KEA_LOCKFILE_DIR="none")
        lab.spawn(ns, [tool("kea-dhcp4"), "-c", path], "kea.log", env=env)
        wait_until(lambda: "DHCP4_STARTED" in read(lab.path("kea.log")), 10, "kea")


class Isc:
    """ISC dhcpd, which includes the printed file."""

    kind = "isc"

    def config(self, lab, snippet, subnets):
        path, part = lab.path("dhcpd.conf"), lab.path("bootferry.conf")
        first, last = CLIENTS.split(",")
        with open(part, "w", encoding="utf-8") as f:
            f.write(snippet)
        with open(path, "w", encoding="utf-8") as f:
            f.write(f'include "{part}";\nping-check false;\n')
            for n in subnets:
                pool = f"{first} {last}".replace("10.77.1.", f"10.77.{n}.")
                f.write(f"subnet 10.77.{n}.0 netmask 255.255.255.0 {{ range {pool};"
                        f" option routers 10.77.{n}.1; }}\n")
        return path

    def test(self, lab, path):
        return lab.sh(None, f"{tool('dhcpd')} -t -cf {path}")

    def start(self, lab, ns, path):
        leases = lab.path("dhcpd.leases")
        with open(leases, "w", encoding="utf-8"):
            pass
        lab.spawn(ns, [tool("dhcpd"), "-4", "-f", "-d", "-cf", path, "-lf", leases, "-pf",
                       lab.path("dhcpd.pid"), "eth0"], "dhcpd.log")
        wait_until(lambda: "Sending on" in read(lab.path("dhcpd.log")), 10, "dhcpd")


class Dnsmasq:
    """dnsmasq with the printed file beside its options."""

    kind = "dnsmasq"

    def config(self, lab, snippet, subnets):
        path = lab.path("dnsmasq.conf")
        first, last = CLIENTS.split(",")
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"{snippet}\nno-ping\n")
            for n in subnets:
                pool = f"{first},{last}".replace("10.77.1.", f"10.77.{n}.")
                f.write(f"dhcp-range=set:net{n},{pool},255.255.255.0,1h\n"
                        f"dhcp-option=tag:net{n},3,10.77.{n}.1\n")
        return path

    def test(self, lab, path):
        return lab.sh(None, f"dnsmasq --test --conf-file={path}")

    def start(self, lab, ns, path):
        lab.spawn(ns, ["dnsmasq", "-k", f"--conf-file={path}", "--port=0", "--log-dhcp",
                       "--log-facility=-", "--user=root", f"--dhcp-leasefile={lab.path('leases')}",
                       f"--pid-file={lab.path('dnsmasq.pid')}"], "dnsmasq.log")
        wait_until(lambda: "DHCP, IP range" in read(lab.path("dnsmasq.log")), 10, "dnsmasq")


def start(lab, segment, server, site, subnets=(1,)):
    """The daemons but dhcpproxyd, and then the DHCP server by what ferryctl prints."""
    prepare(site)
    site.start("handlerd", "tftpd", "httpsbootd")
    wait_until(lambda: len([s for s in site.query("status")["services"] if s["alive"]]) == 2, 10,
               "announcements")
    dhcp = lab.host("dhcp", segment, f"{DHCP}/24")
    path = server.config(lab, site.ferryctl("dhcp-options", "--for", server.kind), subnets)
    server.test(lab, path)
    server.start(lab, dhcp, path)
    return dhcp


def direct(server, firmware="ovmf", args=(), seconds=240, autoexec=None):
    with Lab(f"do-{server.kind}") as lab:
        segment = lab.segment("net")
        lab.capture(segment)
        site = Site(lab, lab.host("server", segment, f"{SERVER}/24"))
        if autoexec:
            with open(f"{site.root}/autoexec.ipxe", "w", encoding="ascii") as f:
                f.write(autoexec)
        start(lab, segment, server, site)
        b = boot(lab, site, segment, firmware, seconds, args)
        check("dhcpproxyd" not in [s["daemon"] for s in site.query("status")["services"]],
              "no dhcpproxyd has had a part in it")
        return b, read(site.log("httpsbootd"))


def pxe(server):
    """
    UEFI PXE: iPXE trusts this site by option 175.90 of the DHCP server alone, and comes by HTTPS
    although plain HTTP is open: the user class that it was given tells that it has the fingerprint.
    The site's autoexec.ipxe is one that asks DHCP, as iPXE does that looks for none.
    """
    b, log = direct(server, autoexec="#!ipxe\nautoboot\n")
    check_story(b, "https", None)
    check('target=/2PXE/boot ' in log, "the first script was that of the DHCP server's URL")


def rom(server):
    """SeaBIOS with an iPXE ROM of 2019, which can do plain HTTP alone."""
    b, _ = direct(server, "bios")
    check_story(b, "http", None)


def http_boot(server):
    """OVMF's HTTP Boot takes the DHCP server's own URL; iPXE then gets its script over HTTP."""
    off = ["-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n",
           "-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n"]
    b, log = direct(server, args=off)
    check("method=HEAD target=/2PXE/file/boot/x64/snponly.efi status=200" in log, "HEAD came first")
    check_story(b, "http", None)


# what edk2 and iPXE ask for (option 55): neither 175 nor 77 by firmware
EDK2 = dhcp.option(55, bytes.fromhex("0102030405060c0d0f111216171c28292a2b3233363a3b3c4243618081828384858687"))
IPXE = dhcp.option(55, bytes.fromhex("010306070c0f111a2b3c4243778081828384858687afcb"))
BASE = "http://10.77.1.10:8060/2PXE/"


def marked(arch, https):
    """iPXE whose firmware was given the fingerprint."""
    return dhcp.ipxe(arch, https).replace(dhcp.option(77, b"iPXE"), dhcp.option(77, b"iPXE-trust"))


# sentence, options, MAC, then file, whether it learns the fingerprint, option 60
ASKS = (
    ("PC BIOS", EDK2 + dhcp.firmware(0), "020000000001", "boot/bios/undionly.kpxe", True, None),
    ("UEFI x64", EDK2 + dhcp.firmware(7), "020000000002", "boot/x64/snponly.efi", True, None),
    ("UEFI x64 as old firmware calls it", EDK2 + dhcp.firmware(9), "020000000003",
     "boot/x64/snponly.efi", True, None),
    ("UEFI ia32", EDK2 + dhcp.firmware(6), "020000000004", "boot/ia32/snponly.efi", True, None),
    ("UEFI arm64", EDK2 + dhcp.firmware(11), "020000000005", "boot/arm64/snponly.efi", True, None),
    ("HTTP Boot x64", EDK2 + dhcp.firmware(16, b"HTTPClient"), "020000000006",
     BASE + "file/boot/x64/snponly.efi", False, "HTTPClient"),
    ("HTTP Boot arm64", EDK2 + dhcp.firmware(19, b"HTTPClient"), "020000000007",
     BASE + "file/boot/arm64/snponly.efi", False, "HTTPClient"),
    ("iPXE without HTTPS", IPXE + dhcp.ipxe(0, False), "020000000008",
     "http://boot.example:8060/2PXE/boot", False, None),
    ("iPXE of a card's ROM", IPXE + dhcp.ipxe(0, True), "020000000009",
     "http://boot.example:8060/2PXE/boot", False, None),
    ("iPXE that was given the fingerprint", IPXE + marked(7, True), "02000000000a",
     "https://boot.example:8050/2PXE/boot", False, None),
    ("the same without HTTPS", IPXE + marked(0, False), "02000000000b",
     "http://boot.example:8060/2PXE/boot", False, None),
    ("iPXE, chained by PXE", IPXE + marked(0, True).replace(
        dhcp.option(60, b"PXEClient:Arch:00000:UNDI:003000"), dhcp.option(60, b"PXEClient")),
     "02000000000c", "https://boot.example:8050/2PXE/boot", False, None),
    ("a modified iPXE without user class", IPXE + dhcp.firmware(7) +
     dhcp.option(175, b"\x13\1\1\xeb\3\1\0\0"), "02000000000d", "http://boot.example:8060/2PXE/boot",
     False, None),
    ("a Raspberry Pi, which says that it is PC BIOS", EDK2 + dhcp.firmware(0), "b827eb000001", "",
     False, "PXEClient"),
    ("one that runs UEFI firmware", EDK2 + dhcp.firmware(11), "b827eb000002", "boot/arm64/snponly.efi",
     True, None),
    ("one whose system asks for an address", dhcp.option(60, b"dhcpcd-8.1.2"), "b827eb000003", "",
     False, None),
    ("a CPU without loader", EDK2 + dhcp.firmware(27), "02000000000e", "", False, None),
    ("an ordinary computer", dhcp.option(60, b"MSFT 5.0") + dhcp.option(55, b"\1\3\6\x0f"),
     "02000000000f", "", False, None),
)


def answers(server):
    """Each kind of client gets what is meant for it, and no more."""
    with open(f"{DATA}/full.json", encoding="utf-8") as f:
        trust = "5a20" + json.load(f)["trust"][0]
    with Lab(f"do-{server.kind}") as lab:
        segment = lab.segment("net")
        client = lab.host("client", segment, "10.77.1.50/24")
        ns = lab.host("dhcp", segment, f"{DHCP}/24")
        text = Site(lab, None).ferryctl("dhcp-options", "--for", server.kind, "--from",
                                        f"{DATA}/full.json")
        server.start(lab, ns, server.config(lab, text, (1,)))
        for what, options, mac, file, trusts, vendor in ASKS:
            r = lab.client(client, "ask", options=options.hex(), mac=mac)
            check(len(r) == 1, f"{what}: {len(r)} offers")
            r, got = r[0], r[0]["options"]
            check(r["file"] == file, f"{what}: the file is {r['file']}")
            check(r["siaddr"] == (SERVER if file else r["siaddr"]) and r["siaddr"] in (
                SERVER, DHCP, "0.0.0.0"), f"{what}: the server is {r['siaddr']}")
            check(got.get("175") == (trust if trusts else None), f"{what}: 175 is {got.get('175')}")
            check(got.get("77") == (b"iPXE-trust".hex() if trusts else None), f"{what}: 77: {got}")
            check(got.get("60") == (vendor.encode().hex() if vendor else None),
                  f"{what}: option 60 is {got.get('60')}")
            if vendor == "PXEClient":
                check(r["siaddr"] == SERVER and got["66"] in (SERVER.encode().hex(), SERVER.encode().hex() + "00") and
                      b"Raspberry Pi Boot" in bytes.fromhex(got["43"]), f"{what}: the server: {got}")
            elif vendor:
                check(bytes.fromhex(got["67"]).rstrip(b"\0").decode() == file, f"{what}: the URL in 67")


def test_kea_answers():
    answers(Kea())


def test_isc_answers():
    answers(Isc())


def test_dnsmasq_answers():
    answers(Dnsmasq())


def test_kea_uefi_pxe():
    pxe(Kea())


def test_isc_uefi_pxe():
    pxe(Isc())


def test_dnsmasq_uefi_pxe():
    pxe(Dnsmasq())


def test_kea_bios_ipxe_2019():
    rom(Kea())


def test_isc_bios_ipxe_2019():
    rom(Isc())


def test_dnsmasq_bios_ipxe_2019():
    rom(Dnsmasq())


def test_kea_uefi_http_boot():
    http_boot(Kea())


def test_isc_uefi_http_boot():
    http_boot(Isc())


def test_dnsmasq_uefi_http_boot():
    http_boot(Dnsmasq())


class KeaForRom(Kea):
    """Kea that takes an iPXE without HTTPS for plain PXE, as another maker's ROM would be."""

    def config(self, lab, snippet, subnets):
        conf = json.loads(snippet)
        any_ipxe = [c for c in conf["Dhcp4"]["client-classes"] if c["name"].endswith("-any-ipxe")][0]
        any_ipxe["test"] = "option[175].option[20].exists"
        return super().config(lab, json.dumps(conf), subnets)


def test_bios_pxe():
    """
    A BIOS ROM loads undionly.kpxe, which looks for no autoexec.ipxe: it keeps the ROM's packets, so
    it has the fingerprint and says so by the user class.
    """
    b, log = direct(KeaForRom(), "bios")
    check_timeline(b, ("transfer-finished", "boot/bios/undionly.kpxe"))
    check_story(b, "https", None)
    check('target=/2PXE/boot ' in log, "the first script was that of the DHCP server's URL")


def test_autoexec():
    """iPXE that takes autoexec.ipxe by TFTP: the script asks it for the fingerprint."""
    b, log = direct(Isc())
    check_timeline(b, ("transfer-finished", "boot/x64/snponly.efi"), ("file", "autoexec.ipxe"))
    check_story(b, "https", None)
    check('target=/2PXE/boot ' not in log, "the DHCP server's URL was not needed")


def test_relay():
    """Through a relay, with plain HTTP off."""
    with Lab("do-relay") as lab:
        near, far = lab.segment("near"), lab.segment("far")
        lab.capture(far)
        router = lab.host("router", near, "10.77.1.1/24")
        lab.plug(router, far, "10.77.2.1/24", "eth1")
        lab.sh(router, "sysctl -qw net.ipv4.ip_forward=1")
        server = lab.host("server", near, f"{SERVER}/24")
        lab.sh(server, "ip route add 10.77.2.0/24 via 10.77.1.1")
        site = Site(lab, server, http_port=0)
        dhcp = start(lab, near, Kea(), site, (1, 2))
        lab.sh(dhcp, "ip route add 10.77.2.0/24 via 10.77.1.1")
        lab.spawn(router, ["dhcrelay", "-4", "-d", "--no-pid", "-a", "-id", "eth1", "-iu", "eth0",
                           DHCP], "dhcrelay.log")
        wait_until(lambda: "Sending on" in read(lab.path("dhcrelay.log")), 10, "dhcrelay")
        check_story(boot(lab, site, far, seconds=240), "https", None)


def test_checked():
    """The servers' own checkers take what is printed for any site, however odd its names are."""
    with Lab("do-checked") as lab:
        site = Site(lab, None)
        for name in ("full", "secure", "odd"):
            for server in (Kea(), Isc(), Dnsmasq()):
                text = site.ferryctl("dhcp-options", "--for", server.kind, "--from",
                                     f"{DATA}/{name}.json")
                server.test(lab, server.config(lab, text, (1,)))
        for name in ("full", "odd"):
            for server in (Kea6(), Isc6(), Dnsmasq6()):
                text = site.ferryctl("dhcp-options", "-6", "--for", server.kind, "--from",
                                     f"{DATA}/{name}.json")
                server.test(lab, server.config(lab, text))


def test_refused():
    """What cannot be told is an error that says why, not half a configuration."""
    with Lab("do-refused") as lab:
        segment = lab.segment("net")
        site = Site(lab, lab.host("server", segment, f"{SERVER}/24"), http_port=0)
        site.ca()
        site.start("handlerd")
        cases = (
            (("--for", "kea"), "no front daemon has announced an address yet"),
            (("--for", "bind"), "is none of kea, isc, dnsmasq"),
            (("--for", "kea", "--address", "10.0.0.300"), "is no IPv4 address"),
            (("--for", "kea", "--address", "10.0.0.3", "--plain-http"), "plain HTTP is off"),
            (("--for", "cisco", "--address", "10.0.0.3", "--arch", "x65"), "is no CPU"),
            (("--for", "cisco", "--address", "10.0.0.3", "--arch", "x64"), "no loader for that CPU"),
            (("--for", "cisco", "--address", "10.0.0.3", "-6"), "no form for DHCPv6"),
            ((), "usage: "),
        )
        for args, words in cases:
            p = site.ferryctl("dhcp-options", *args, ok=False)
            check(p.returncode != 0 and words in p.stderr and not p.stdout, f"{args}: {p.stderr}")
        p = site.ferryctl("dhcp-options", "--for", "isc", "--address", "10.0.0.3", ok=False)
        check(p.returncode == 0 and "warning: there is no loader" in p.stderr, "the warning is told")
        site.start("tftpd", "httpsbootd")
        wait_until(lambda: len(site.query("status")["services"]) == 2, 10, "announcements")
        facts = site.query("dhcp-options")
        check(facts["address"] == SERVER and facts["trust"], f"the facts: {facts}")
        other = site.query("dhcp-options", "--address", "10.0.0.3")
        check(other["address"] == "10.0.0.3", "an address by hand goes first")


# --- DHCPv6 ---------------------------------------------------------------------------------------

class Kea6(Kea):
    """Kea for DHCPv6."""

    def config(self, lab, snippet, subnets=()):
        conf = json.loads(snippet)
        conf["Dhcp6"].update({
            "interfaces-config": {"interfaces": ["eth0"], "re-detect": True},
            "lease-database": {"type": "memfile", "persist": False},
            "server-id": {"type": "LLT", "persist": False},
            "subnet6": [{"id": 1, "subnet": f"{PREFIX}/64", "interface": "eth0",
                         "pools": [{"pool": f"{PREFIX}1000-{PREFIX}1fff"}]}],
            "loggers": [{"name": "kea-dhcp6", "severity": "INFO",
                         "output_options": [{"output": "stdout"}]}],
        })
        path = lab.path("kea6.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(conf, f, ensure_ascii=False)
        return path

    def test(self, lab, path):
        return lab.sh(None, f"KEA_LOCKFILE_DIR=none {tool('kea-dhcp6')} -t {path}")

    def start(self, lab, ns, path):
        env = dict(os.environ, KEA_PIDFILE_DIR=lab.dir, KEA_LOCKFILE_DIR="none")
        lab.spawn(ns, [tool("kea-dhcp6"), "-c", path], "kea6.log", env=env)
        wait_until(lambda: "DHCP6_STARTED" in read(lab.path("kea6.log")), 20, "kea")


class Isc6(Isc):
    """ISC dhcpd for DHCPv6."""

    def config(self, lab, snippet, subnets=()):
        path, part = lab.path("dhcpd6.conf"), lab.path("bootferry6.conf")
        with open(part, "w", encoding="utf-8") as f:
            f.write(snippet)
        with open(path, "w", encoding="utf-8") as f:
            f.write(f'include "{part}";\n'
                    f"subnet6 {PREFIX}/64 {{ range6 {PREFIX}1000 {PREFIX}1fff; }}\n")
        return path

    def test(self, lab, path):
        return lab.sh(None, f"{tool('dhcpd')} -6 -t -cf {path}")

    def start(self, lab, ns, path):
        leases = lab.path("dhcpd6.leases")
        with open(leases, "w", encoding="utf-8"):
            pass
        lab.spawn(ns, [tool("dhcpd"), "-6", "-f", "-d", "-cf", path, "-lf", leases, "-pf",
                       lab.path("dhcpd6.pid"), "eth0"], "dhcpd6.log")
        wait_until(lambda: "Server starting service" in read(lab.path("dhcpd6.log")), 10, "dhcpd")


class Dnsmasq6(Dnsmasq):
    """dnsmasq for DHCPv6."""

    def config(self, lab, snippet, subnets=()):
        path = lab.path("dnsmasq6.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"{snippet}\ndhcp-range={PREFIX}1000,{PREFIX}1fff,64,1h\n")
        return path

    def start(self, lab, ns, path):
        lab.spawn(ns, ["dnsmasq", "-k", f"--conf-file={path}", "--port=0", "--log-dhcp",
                       "--log-facility=-", "--user=root", f"--dhcp-leasefile={lab.path('leases6')}",
                       f"--pid-file={lab.path('dnsmasq6.pid')}"], "dnsmasq6.log")
        wait_until(lambda: "DHCPv6, IP range" in read(lab.path("dnsmasq6.log")), 10, "dnsmasq")


BASE6 = "http://[2001:db8:77::10]:8060/2PXE/file/boot/"
HTTP_CLASS = "00000157000a" + b"HTTPClient".hex()
# dnsmasq cannot write the enterprise's number, and edk2 does not look at it
HTTP_CLASS_DNSMASQ = "00022d2d000a" + b"HTTPClient".hex()

# sentence, options, then URL and option 16
ASKS6 = (
    ("UEFI x64", dhcp6.firmware(7), "tftp://[2001:db8:77::10]/boot/x64/snponly.efi", None),
    ("UEFI x64 as old firmware calls it", dhcp6.firmware(9),
     "tftp://[2001:db8:77::10]/boot/x64/snponly.efi", None),
    ("UEFI arm64", dhcp6.firmware(11), "tftp://[2001:db8:77::10]/boot/arm64/snponly.efi", None),
    ("HTTP Boot x64", dhcp6.firmware(16, b"HTTPClient"), BASE6 + "x64/snponly.efi", HTTP_CLASS),
    ("HTTP Boot arm64", dhcp6.firmware(19, b"HTTPClient"), BASE6 + "arm64/snponly.efi", HTTP_CLASS),
    ("iPXE", dhcp6.ipxe(7) + dhcp6.ia_na(), "http://boot.example:8060/2PXE/boot", None),
    ("a CPU without loader", dhcp6.firmware(27), None, None),
)


def answers6(server):
    """The same over DHCPv6."""
    with Lab(f"do6-{server.kind}") as lab:
        segment = lab.segment("net")
        client = host6(lab, "client", segment, f"{PREFIX}50")
        ns = host6(lab, "dhcp", segment, f"{PREFIX}2")
        text = Site(lab, None).ferryctl("dhcp-options", "-6", "--for", server.kind, "--from",
                                        f"{DATA}/full.json")
        server.start(lab, ns, server.config(lab, text))
        for what, options, url, vendor in ASKS6:
            r = lab.client(client, "ask6", options=options.hex())
            check(len(r) == 1, f"{what}: {len(r)} answers")
            got = r[0]["options"]
            check(got.get("59") == (url.encode().hex() if url else None),
                  f"{what}: the URL is {bytes.fromhex(got.get('59', ''))}")
            if vendor and server.kind == "dnsmasq":
                vendor = HTTP_CLASS_DNSMASQ
            check(got.get("16") == vendor, f"{what}: option 16 is {got.get('16')}")
            check("60" not in got, f"{what}: option 60, which edk2 takes for a file's size")


def test_kea_answers6():
    answers6(Kea6())


def test_isc_answers6():
    answers6(Isc6())


def test_dnsmasq_answers6():
    answers6(Dnsmasq6())


def direct6(server, without=None):
    """A PC boots over IPv6 without dhcpproxyd; iPXE gets its script over plain HTTP."""
    with Lab(f"do6-{server.kind}") as lab:
        segment = lab.segment("net")
        capture6(lab, segment)
        router(lab, segment)
        site = site6(lab, host6(lab, "server", segment, SERVER6))
        prepare(site)
        site.start("handlerd", "tftpd", "httpsbootd")
        wait_until(lambda: len([s for s in site.query("status")["services"] if s["alive"]]) == 2,
                   10, "announcements")
        host = host6(lab, "dhcp6", segment, f"{PREFIX}2")
        text = site.ferryctl("dhcp-options", "-6", "--for", server.kind, "--address6", SERVER6)
        if without:
            text = "".join(x for x in text.splitlines(True) if without not in x)
        server.start(lab, host, server.config(lab, text))
        check_story(boot(lab, site, segment, seconds=300, args=NO_IPV4), "http", None)
        return read(site.log("tftpd")), read(site.log("httpsbootd"))


def pxe6(server):
    """OVMF takes the loader's URL from the server's ADVERTISE, with no boot server on port 4011."""
    tftp, _ = direct6(server)
    check("file=boot/x64/snponly.efi result=done" in tftp, "the loader came by TFTP")


def test_kea_uefi_pxe6():
    pxe6(Kea6())


def test_isc_uefi_pxe6():
    pxe6(Isc6())


def test_dnsmasq_uefi_pxe6():
    pxe6(Dnsmasq6())


def test_dnsmasq_uefi_http_boot6():
    """OVMF's HTTP Boot over IPv6 takes dnsmasq's option 16, whose number is not its own."""
    _, http = direct6(Dnsmasq6(), without="bootferry-x64")
    check("method=HEAD target=/2PXE/file/boot/x64/snponly.efi status=200" in http, "HEAD came first")
