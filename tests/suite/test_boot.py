"""Virtual PCs with real firmware boot a Linux kernel through all four daemons."""

import os
import shutil

import offers
from lab import Failure, Lab, Machine, Site, SERVER, check, loaders, payload, read, wait_until

# without these OVMF would come by PXE before it tries HTTP
ONLY_HTTP = ["-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n",
             "-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n"]
LOADER_BIOS = "boot/bios/undionly.kpxe"
ARGS = "console=ttyS0 bootferry.report=${reporturl} bootferry.boot=${bootid}"


def prepare(site, suite="trixie", key="rsa"):
    """Loaders, certificates and one small image."""
    shutil.copytree(loaders(suite), site.root, dirs_exist_ok=True)
    site.ca(key)
    kernel, initrd = payload()
    site.ferryctl("images", "add", "tiny", "--type", "linux", "--kernel", kernel, "--initrd", initrd,
                  "--title", "Tiny Linux", "--args", ARGS)


def boot(lab, site, segment, firmware="ovmf", seconds=150, args=()):
    """Starts a PC and waits for its kernel's report; the boot's timeline is evidence if it fails."""
    machine = Machine(lab, segment, firmware, args=args)
    try:
        machine.wait_for("BOOTFERRY: reported", seconds)
        machine.wait_end(30)
        if os.path.exists(lab.path("packets.pcap")):
            offers.check_capture(lab.path("packets.pcap"), site.address)
        return site.query("boots", "show", site.boots()[0]["id"])
    except Failure as e:
        raise Failure(f"{e}\n{site.timeline()}\n{lab.evidence()}") from e


def check_timeline(boot_, *steps):
    """Each step is (kind, part of the file) and they come in this order."""
    entries = iter(boot_["timeline"])
    for kind, file in steps:
        for e in entries:
            if e["kind"] == kind and file in e.get("file", ""):
                break
        else:
            raise Failure(f"no {kind} {file} in its place: {boot_['timeline']}")


def check_tftp(boot_, loader, blksize, windowsize):
    """A loader came by TFTP, with these options, and no transfer has failed."""
    entries = [e for e in boot_["timeline"] if e.get("via") == "tftp"]
    failed = [e for e in entries if e["kind"] == "transfer-failed"]
    check(not failed, f"a transfer has failed: {failed}")
    done = [e for e in entries if e["kind"] == "transfer-finished" and e["file"] == loader]
    check(done and done[0]["bytes"] > 50000, f"the loader came by TFTP: {entries}")
    if ":" in done[0]["address"]:
        blksize = min(blksize, 1228)  # edk2 leaves IPv6's least MTU of 1280
    agreed = {(e["blksize"], e["windowsize"]) for e in done}
    check(agreed == {(blksize, windowsize)}, f"options as agreed: {agreed}")


def check_story(boot_, scheme, loader):
    """What every boot has in common from the script on, with times and byte counts."""
    check(boot_["phase"] == "started", f"the boot reached {boot_['phase']}")
    check(boot_["image"] == "tiny", "the image is known")
    check(boot_["mac"] == "52:54:00:12:34:56", "the machine is known")
    check_timeline(boot_, ("boot", ""), ("file", "images/tiny/vmlinuz"),
                   ("transfer-began", "images/tiny/vmlinuz"),
                   ("transfer-finished", "images/tiny/vmlinuz"),
                   ("transfer-finished", "images/tiny/initrd.img"), ("report", "started"))
    kernel = [e for e in boot_["timeline"] if e["kind"] == "transfer-finished" and
              e["file"] == "images/tiny/vmlinuz"][0]
    check(kernel["via"] == scheme, f"the kernel came by {kernel['via']}, not by {scheme}")
    check(kernel["bytes"] > 1000000 and kernel["duration_ms"] > 0, "bytes and time are told")
    if loader:
        check_tftp(boot_, loader, 1468, 4)  # as edk2 asks


def direct(name, style, suite="trixie", firmware="ovmf", **options):
    with Lab(name) as lab:
        segment = lab.segment("net")
        lab.capture(segment)
        lab.dhcp_server(segment)
        server = lab.host("server", segment, f"{SERVER}/24")
        site = Site(lab, server, handlerd={"offers": {"uefi": style}}, **options)
        prepare(site, suite)
        site.start()
        return boot(lab, site, segment, firmware), site.query("machines", "show",
                                                              "52:54:00:12:34:56")


def test_uefi_pxe_boot_server():
    """OVMF, PXE by the 4011 step, unmodified iPXE, trust by option 175.90, all by HTTPS."""
    b, machine = direct("binl", "binl", http_port=0)
    check_timeline(b, ("discover", "snponly.efi"), ("offer", "snponly.efi"),
                   ("bootserver", "snponly.efi"), ("offer", "snponly.efi"),
                   ("file", "snponly.efi"), ("size-probe", "snponly.efi"),
                   ("transfer-began", "snponly.efi"), ("transfer-finished", "snponly.efi"))
    check_story(b, "https", "boot/x64/snponly.efi")
    check(machine["serial"] == "S 1" and machine["product"] == "Test PC", "SMBIOS was told")
    check(machine["uuid"] == "00112233-4455-6677-8899-aabbccddeeff", "the UUID is the printed one")


def test_uefi_pxe_file_in_offer():
    """The same with the file in the offer: no 4011 step."""
    b, _ = direct("pxe10", "pxe10", http_port=0)
    check(not [e for e in b["timeline"] if e["kind"] == "bootserver"], "4011 was not asked")
    check_story(b, "https", "boot/x64/snponly.efi")


def test_uefi_pxe_ipxe_2():
    """Debian unstable's iPXE 2.0, which runs autoexec.ipxe before it asks DHCP."""
    b, _ = direct("ipxe2", "binl", "sid", http_port=0)
    check_story(b, "https", "boot/x64/snponly.efi")


def test_uefi_pxe_own_driver():
    """iPXE with its own driver for the card."""
    with Lab("ipxe") as lab:
        segment = lab.segment("net")
        lab.capture(segment)
        lab.dhcp_server(segment)
        server = lab.host("server", segment, f"{SERVER}/24")
        site = Site(lab, server, http_port=0)
        prepare(site)
        shutil.rmtree(f"{site.root}/boot")
        shutil.copytree(f"{loaders()}/boot", f"{site.root}/boot",
                        ignore=shutil.ignore_patterns("snponly.efi"))
        site.start()
        check_story(boot(lab, site, segment), "https", "boot/x64/ipxe.efi")


def test_uefi_https_boot_iso():
    """
    OVMF's HTTPS Boot, with the CA enrolled, takes an ISO image as a RAM disk and starts the loader in it:
    iPXE 2.0, which trusts what the firmware trusts.
    """
    with Lab("httpsiso") as lab:
        segment = lab.segment("net")
        url = f"https://{SERVER}:8050/2PXE"
        lab.dhcp_server(segment, extra=(
            "--dhcp-vendorclass=set:http,HTTPClient", "--dhcp-option-force=tag:http,60,HTTPClient",
            f"--dhcp-boot=tag:http,{url}/file/boot/ramdisk.iso",
            "--dhcp-match=set:ipxe,175", f"--dhcp-boot=tag:ipxe,{url}/boot"))
        server = lab.host("server", segment, f"{SERVER}/24")
        site = Site(lab, server, http_port=0)
        prepare(site, "sid")
        site.ferryctl("ca", "export", "--dir", f"{site.run}/etc", "--format", "uefi", "--out", lab.path("cacerts"))
        os.mkdir(lab.path("esp"))
        esp, iso = lab.path("esp/efi.img"), f"{site.root}/boot/ramdisk.iso"
        lab.sh(None, f"mformat -C -i {esp} -f 2880 :: && mmd -i {esp} ::/EFI ::/EFI/BOOT && "
                     f"mcopy -i {esp} {site.root}/boot/x64/ipxe.efi ::/EFI/BOOT/BOOTX64.EFI && "
                     f"xorriso -as mkisofs -quiet -o {iso} -e efi.img -no-emul-boot {lab.path('esp')}")
        site.start("handlerd", "httpsbootd")
        b = boot(lab, site, segment, args=[*ONLY_HTTP, "-fw_cfg",
                                           f"name=etc/edk2/https/cacerts,file={lab.path('cacerts')}"])
        check_timeline(b, ("file", "boot/ramdisk.iso"), ("transfer-finished", "boot/ramdisk.iso"))
        check_story(b, "https", None)
        check("method=HEAD target=/2PXE/file/boot/ramdisk.iso status=200" in read(site.log("httpsbootd")),
              "HEAD came first, and told the type")


def test_bios_ipxe_2019():
    """SeaBIOS with the card's own iPXE of 2019: no HTTPS, no `param`, plain HTTP."""
    b, machine = direct("bios", "binl", firmware="bios")
    check_story(b, "http", None)
    check([e for e in b["timeline"] if e.get("reason") == "script-url-http"], "the reason is told")
    check(machine["platform"] == "pcbios" and machine["serial"] == "S 1", "SMBIOS was told")


def test_bios_ipxe_2_without_http():
    """With plain HTTP off that ROM gets undionly.kpxe of iPXE 2.0 first, which does all the rest by HTTPS."""
    b, _ = direct("nohttp", "binl", "sid", firmware="bios", http_port=0)
    check_timeline(b, ("discover", LOADER_BIOS), ("offer", LOADER_BIOS), ("transfer-finished", LOADER_BIOS),
                   ("discover", f"https://{SERVER}:8050/2PXE/boot"))
    check([e for e in b["timeline"] if e.get("reason") == "loader-newer"], "the reason is told")
    check_story(b, "https", None)
    check_tftp(b, LOADER_BIOS, 1432, 1)


def test_relay():
    """UEFI PXE from another subnet, through a router with an IP helper."""
    with Lab("relay") as lab:
        near, far = lab.segment("near"), lab.segment("far")
        lab.capture(far)
        dhcp = lab.dhcp_server(near, extra=["--dhcp-range=10.77.2.100,10.77.2.199,255.255.255.0,1h",
                                            "--dhcp-option=tag:far,3,10.77.2.1"])
        router = lab.host("router", near, "10.77.1.1/24")
        lab.plug(router, far, "10.77.2.1/24", "eth1")
        lab.sh(router, "sysctl -qw net.ipv4.ip_forward=1")
        server = lab.host("server", near, f"{SERVER}/24")
        for ns in (dhcp, server):
            lab.sh(ns, "ip route add 10.77.2.0/24 via 10.77.1.1")
        lab.sh(dhcp, "true")
        site = Site(lab, server, http_port=0)
        prepare(site)
        site.start()
        relay = lab.spawn(router, ["dhcrelay", "-4", "-d", "--no-pid", "-a", "-id", "eth1", "-iu",
                                   "eth0", "10.77.1.2", SERVER], "dhcrelay.log")
        wait_until(lambda: "Sending on" in open(lab.path("dhcrelay.log"), encoding="utf-8").read(),
                   10, "dhcrelay")
        b = boot(lab, site, far)
        check(relay.poll() is None, "the relay lives")
        check(b["relay"] == "10.77.2.1", "the relay's address is known")
        check_story(b, "https", "boot/x64/snponly.efi")


def test_uefi_http_boot():
    """OVMF's HTTP Boot: HEAD and GET of the loader, then scripts and images by plain HTTP."""
    with Lab("http") as lab:
        segment = lab.segment("net")
        lab.capture(segment)
        lab.dhcp_server(segment)
        server = lab.host("server", segment, f"{SERVER}/24")
        site = Site(lab, server)
        prepare(site)
        site.start()
        b = boot(lab, site, segment, seconds=240, args=ONLY_HTTP)
        check(b["client"] == "uefi-http" or b["by_http"], "it was HTTP Boot")
        check_timeline(b, ("discover", "http://10.77.1.10:8060/2PXE/file/boot/x64/snponly.efi"),
                       ("file", "boot/x64/snponly.efi"), ("transfer-finished", "boot/x64/snponly.efi"))
        check_story(b, "http", None)
        with open(site.log("httpsbootd"), encoding="utf-8") as f:
            check("method=HEAD target=/2PXE/file/boot/x64/snponly.efi status=200" in f.read(),
                  "HEAD came first")
