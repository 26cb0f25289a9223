"""Names by TFTP: what firmware, boot managers and second stages ask for, and what they get."""

import os
import shutil

from lab import CACHE, TOP, Failure, Lab, SERVER, Site, check, network
from test_boot import boot, prepare

# Names as they were recorded or as their sources write them, each asked by one machine in this order,
# and whose text it gets; a number is an error.
SHIM, GRUB = "boot/x64/secure/shimx64.efi", "boot/x64/secure/grubx64.efi"
SEQUENCES = {
    "shim and GRUB of Debian, from their folder": [
        (SHIM, SHIM), ("boot/x64/secure/revocations_sku.efi", 1), ("boot/x64/secure/revocations_sbat.efi", 1),
        ("boot/x64/secure/shim_certificate_0.efi", 1), (GRUB, GRUB),
        ("/grub/x86_64-efi/command.lst", 1), ("/grub/x86_64-efi/fs.lst", 1),
        ("/grub/grub.cfg", "boot/x64/secure/grub/grub.cfg"),
        ("/boot/x64/secure/grub/fonts/unicode.pf2", 1)],
    "shim that lost its folder": [
        (SHIM, SHIM), ("revocations_sku.efi", 1), ("\\grubx64.efi", GRUB),
        ("//mmx64.efi\xff", "boot/x64/secure/mmx64.efi"), ("fbx64.efi", 1)],
    "shim of another folder has its own GRUB": [
        ("boot/x64/other/shimx64.efi", "boot/x64/other/shimx64.efi"),
        ("grubx64.efi", "boot/x64/other/grubx64.efi"),
        ("/grub/grub.cfg", "boot/x64/grub/grub.cfg")],
    "pxelinux": [
        ("boot/bios/pxelinux.0", "boot/bios/pxelinux.0"), ("boot/bios/ldlinux.c32", 1),
        ("boot/bios//boot/isolinux/ldlinux.c32", 1), ("boot/bios//isolinux/ldlinux.c32", 1),
        ("boot/bios//boot/syslinux/ldlinux.c32", 1), ("boot/bios//syslinux/ldlinux.c32", 1),
        ("boot/bios//ldlinux.c32", 1),
        ("boot/bios/pxelinux.cfg/00112233-4455-6677-8899-aabbccddeeff", 1),
        ("boot/bios/pxelinux.cfg/01-52-54-00-12-34-56", "boot/bios/pxelinux.cfg/01-52-54-00-12-34-56")],
    "Windows' boot manager on a BIOS": [
        ("boot\\windows\\pxeboot.n12", "boot/windows/pxeboot.n12"),
        ("bootmgr.exe", "boot/windows/bootmgr.exe"), ("\\Boot\\BCD", "boot/windows/BCD"),
        ("/boot\\Fonts\\wgl4_boot.ttf", "boot/windows/Fonts/wgl4_boot.ttf"),
        ("\\Boot\\en-US\\bootmgr.exe.MUI", 1), ("\\hiberfil.sys", 1),
        ("\\boot\\boot.sdi", "boot/windows/boot.sdi"), ("\\SOURCES\\boot.wim", "boot/windows/boot.wim"),
        ("C:\\Boot\\BCD", "boot/windows/BCD"), ("\\\\10.77.1.10\\REMINST\\Boot\\BCD", "boot/windows/BCD")],
    "Windows' boot manager of 7 on UEFI": [
        ("\\Boot\\Windows\\bootmgfw.efi\xff", "boot/windows/bootmgfw.efi"),
        ("\\EFI\\Microsoft\\Boot\\BCD", "boot/windows/BCD"),
        ("\\EFI\\Microsoft\\Boot\\Fonts\\wgl4_boot.ttf", "boot/windows/Fonts/wgl4_boot.ttf"),
        ("\\EFI\\Microsoft\\Boot\\boot.stl", 1), ("/SecureBootPolicy/SiPolicy.p7b", 1)],
    "a Raspberry Pi 4 without a folder of its own": [
        ("11223344/start4.elf", "boot/rpi/start4.elf"), ("11223344/config.txt", "boot/rpi/config.txt"),
        ("11223344/recover4.elf", 1), ("11223344/pieeprom.sig", 1), ("11223344/fixup4.dat", 1),
        ("dc-a6-32-00-00-14/config.txt", "boot/rpi/config.txt")],
    "one with such a folder": [
        ("bootsig.bin", 1), ("d3b4a2f1/start4.elf", "boot/rpi/d3b4a2f1/start4.elf"),
        ("d3b4a2f1/config.txt", "boot/rpi/d3b4a2f1/config.txt"), ("d3b4a2f1/cmdline.txt", "boot/rpi/cmdline.txt"),
        ("config.txt", "boot/rpi/d3b4a2f1/config.txt")],
    "U-Boot": [
        ("boot.scr.uimg", "boot/boot.scr.uimg"), ("pxelinux.cfg/01-52-54-00-00-00-09", 1),
        ("pxelinux.cfg/0A4D0132", 1), ("pxelinux.cfg/default-arm-qemu-arm", 1),
        ("dtb/qemu/virt.dtb", "boot/dtb/qemu/virt.dtb"), ("dtb/current/virt.dtb", 1)],
    "iPXE, old ROMs and people": [
        ("/boot//x64\\Snponly.EFI", "boot/x64/snponly.efi"), ("tftp://10.77.1.10:69/boot/x64/snponly.efi",
                                                            "boot/x64/snponly.efi"),
        ("boot/x64/snponly.efi\xff\x01\x7fxyz", "boot/x64/snponly.efi"),
        ("boot%2Fx64/snponly.efi", "boot/x64/snponly.efi"), ("images/M\xfcnchen/a b", "images/M\u00fcnchen/a b"),
        ("images/m\xc3\xbcnchen/a%20b", "images/M\u00fcnchen/a b")],
    "what is refused": [
        ("..\\secret", 2), ("%2e%2e/secret", 2), ("boot/../../secret", 2), ("C:\\..\\secret", 2),
        (".hidden", 2), ("out", 2), ("proc", 2), ("OUT", 2), ("fifo", 1), ("FIFO", 1), ("boot", 1),
        ("a\x01b", 1), ("", 1), ("x" * 900, 1), ("a/" * 20 + "a", 1)],
}
FILES = [SHIM, GRUB, "boot/x64/secure/mmx64.efi", "boot/x64/secure/grub/grub.cfg", "boot/x64/snponly.efi",
         "boot/x64/grub/grub.cfg", "boot/x64/other/shimx64.efi", "boot/x64/other/grubx64.efi",
         "boot/bios/pxelinux.0", "boot/bios/pxelinux.cfg/01-52-54-00-12-34-56", "boot/windows/pxeboot.n12",
         "boot/windows/bootmgr.exe", "boot/windows/bootmgfw.efi", "boot/windows/BCD",
         "boot/windows/Fonts/wgl4_boot.ttf", "boot/windows/boot.sdi", "boot/windows/boot.wim",
         "boot/rpi/start4.elf", "boot/rpi/config.txt", "boot/rpi/cmdline.txt", "boot/rpi/bootcode.bin",
         "boot/rpi/d3b4a2f1/start4.elf", "boot/rpi/d3b4a2f1/config.txt", "boot/boot.scr.uimg",
         "boot/dtb/qemu/virt.dtb", "images/M\u00fcnchen/a b"]


def put(site, name, text):
    path = f"{site.root}/{name}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def got(r):
    """What a client got: a text or an error."""
    return r["text"].encode("latin-1").decode("utf-8") if "sha" in r else r.get("error", r)


def test_recorded():
    """What shim, GRUB, pxelinux, Windows, Raspberry Pis and U-Boot ask for, one machine after the other."""
    with Lab("recorded") as lab:
        _, _, client, site = network(lab)
        for name in FILES:
            put(site, name, name)
        os.symlink("/etc/passwd", f"{site.root}/out")
        os.symlink("/proc/self/environ", f"{site.root}/proc")
        os.mkfifo(f"{site.root}/fifo")
        site.start("handlerd", "tftpd")
        for i, (what, sequence) in enumerate(SEQUENCES.items()):
            source = f"10.77.1.{60 + i}"
            lab.sh(client, f"ip addr add {source}/24 dev eth0")
            found = lab.client(client, "tftp_all", address=SERVER, source=source, names=[n for n, _ in sequence])
            for (name, want), r in zip(sequence, found):
                check(got(r) == want, f"{what}: {name!r}: {r}, not {want!r}")
                check(want != 1 or r["text"], f"{what}: {name!r}: an error says why")
        texts = {n: r["text"] for n, r in zip([n for n, _ in sequence], found)}
        check("folder" in texts["boot"] and "special" in texts["fifo"], f"in words: {texts}")
        reasons = site.query("status")["reasons"]
        check(reasons["bad-name"] >= 10 and reasons["no-such-file"] >= 30, f"and is counted: {reasons}")


def test_made():
    """What pxelinux and GRUB are given where the site has no configuration: its grammar, and what it says."""
    rules = [{"name": "wait", "when": {"network": ["10.77.1.61/32"]}, "action": "approval",
              "text": "It's \"new\": $x `y`"},
             {"name": "no", "when": {"network": ["10.77.1.62/32"]}, "action": "refuse"},
             {"name": "off", "when": {"network": ["10.77.1.63/32"]}, "action": "ignore"},
             {"name": "known", "when": {"mac": ["52:54:00:00:00:77"]}, "action": "refuse", "text": "By its name"},
             {"name": "one", "when": {"network": ["10.77.1.64/32"]}, "action": "entry", "entry": "tiny"}]
    says = {60: ("Bootferry", "menuentry 'Tiny"), 61: ("It'\\''s", "configfile"), 62: ("echo", "bf_leave"),
            63: ("bf_leave", "bf_leave"), 64: ("linux \"($bf_root)/images/tiny/kernel\"", "\nboot\n")}
    with Lab("made") as lab:
        _, _, client, site = network(lab, handlerd={"rules": rules})
        kernel = lab.path("kernel")
        put(site, "../kernel", "kernel")
        site.ferryctl("images", "add", "tiny", "--type", "linux", "--kernel", kernel, "--title", "Tiny 'Linux'",
                      "--args", "a='b c' \"d\" ; reboot & x | z > w $HOME `id`")
        site.start("handlerd", "tftpd")
        checker = unpacked("grub-common", "usr/bin/grub-script-check")
        for last, words in says.items():
            lab.sh(client, f"ip addr add 10.77.1.{last}/24 dev eth0")
            grub, pxelinux = lab.client(client, "tftp_all", address=SERVER, source=f"10.77.1.{last}",
                                        names=["/grub/grub.cfg", "pxelinux.cfg/default"])
            check("sha" in grub and "sha" in pxelinux, f"both get something: {grub} {pxelinux}")
            put(site, "../grub.cfg", grub["text"])
            lab.sh(None, f"{checker} {lab.path('grub.cfg')}")
            check(all(w in grub["text"] for w in words), f"{words}: {grub['text']}")
            check("\nDEFAULT " in pxelinux["text"], f"pxelinux has something to do by itself: {pxelinux['text']}")
        lab.sh(client, "ip addr add 10.77.1.65/24 dev eth0")
        names = ["/grub/grub.cfg", "pxelinux.cfg/01-52-54-00-00-00-77", "pxelinux.cfg/default"]
        found = lab.client(client, "tftp_all", address=SERVER, source="10.77.1.65", names=names)
        check("By its name" not in found[0]["text"] and found[1]["error"] == 1 and
              "SAY By its name" in found[2]["text"], f"what a name tells of the machine counts: {found}")
        put(site, "grub/grub.cfg", "the site's own")
        r = lab.client(client, "tftp", address=SERVER, name="/grub/grub.cfg")
        check(r["text"] == "the site's own", "a file of the site wins")


def test_made_bcd():
    """The BCD that Windows' boot manager is given where the site has none, as hivexsh reads it."""
    entries = [{"name": "pe", "title": "Windows PE", "type": "wim", "wimboot": "w/wimboot", "sdi": "w/boot.sdi",
                "wim": "w/boot.wim"},
               {"name": "re", "type": "wim", "wimboot": "w/wimboot", "wim": "w/re.wim"}]
    loader = "{bf0b0075-0001-4000-8000-00000000000%d}"
    values = {"{9dea862c-5cdd-4e70-acc1-f32b344d4795}\\Elements\\23000003": f'"Element"="{loader % 0}"',
              f"{loader % 0}\\Elements\\12000004": '"Element"="Windows PE"',
              f"{loader % 1}\\Elements\\12000004": '"Element"="re"',
              f"{loader % 1}\\Description": '"Type"=dword:10200003',
              f"{loader % 0}\\Elements\\11000001": "77,00,5c,00,62,00,6f,00,6f,00,74,00,2e,00,77,00,69,00,6d",
              f"{(loader % 0).replace('-0001-', '-0002-')}\\Elements\\32000004": '"Element"="\\\\w\\\\boot.sdi"',
              f"{(loader % 1).replace('-0001-', '-0002-')}\\Elements\\32000004":
                  '"Element"="\\\\boot\\\\boot.sdi"'}
    with Lab("bcd") as lab:
        _, _, client, site = network(lab, handlerd={"entries": entries})
        put(site, "boot/windows/bootmgfw.efi", "the boot manager")
        put(site, "boot/windows/boot.sdi", "the RAM disk")
        put(site, "w/boot.wim", "the image")
        site.start("handlerd", "tftpd")
        lab.sh(client, f"curl -sS -o {lab.path('BCD')} 'tftp://{SERVER}//%5CBoot%5CBCD'")
        for key, value in values.items():
            put(site, "../script", f"cd \\Objects\\{key}\nlsval\n")
            out = lab.sh(None, f"hivexsh -f {lab.path('script')} {lab.path('BCD')}")
            check(value in out, f"{key}: {value} is in {out}")
        found = lab.client(client, "tftp_all", address=SERVER, names=[
            "\\Boot\\Windows\\bootmgfw.efi", "\\Boot\\BCD", "\\boot\\boot.sdi", "\\w\\boot.wim"])
        check([got(r) for r in found[2:]] == ["the RAM disk", "the image"], f"what it names is there: {found}")
        put(site, "boot/windows/BCD", "the site's own")
        r = lab.client(client, "tftp", address=SERVER, name="\\Boot\\BCD")
        check(r["text"] == "the site's own", "a file of the site wins")


def with_loader(lab, loader, **handlerd):
    """A site whose DHCP server names the loader itself; ours only listens."""
    rules = [{"name": "left-alone", "when": {"stage": ["discover", "bootserver"]}, "action": "ignore"}]
    segment = lab.segment("net")
    lab.capture(segment)
    lab.dhcp_server(segment, extra=[f"--dhcp-boot={loader},,{SERVER}"])
    server = lab.host("server", segment, f"{SERVER}/24")
    site = Site(lab, server, handlerd={"rules": rules, **handlerd})
    prepare(site)
    return segment, site


def unpacked(package, path):
    """A file of a package that is only unpacked (deploy/quickstart does that)."""
    for folder in (CACHE, f"{TOP}/build"):
        found = f"{folder}/tools/{package}/{path}"
        if os.path.exists(found):
            return found
    raise Failure(f"{package} is not unpacked below {CACHE}/tools")


def lay(site, folder, *files):
    """Copies files into a folder of the content root."""
    os.makedirs(f"{site.root}/{folder}", exist_ok=True)
    for path in files:
        shutil.copy(path, f"{site.root}/{folder}/{os.path.basename(path).removesuffix('.signed')}")


def asked(site):
    """What the machine asked for by TFTP, in its order."""
    return [e["file"] for e in site.boot()["timeline"] if e["kind"] == "file" and e["via"] == "tftp"]


def test_boot_pxelinux():
    """pxelinux on a BIOS: it gets a menu that is made for it, and boots the entry that this stands on."""
    with Lab("pxelinux") as lab:
        segment, site = with_loader(lab, "boot/bios/pxelinux.0")
        modules = "/usr/lib/syslinux/modules/bios"
        lay(site, "boot/bios", "/usr/lib/PXELINUX/pxelinux.0", f"{modules}/ldlinux.c32")
        site.start()
        b = boot(lab, site, segment, "bios")
        names = asked(site)
        check("boot/bios/pxelinux.cfg/01-52-54-00-12-34-56" in names, f"it looked for its own: {names}")
        check(b["phase"] == "started" and b["image"] == "tiny", f"the kernel has reported: {b['phase']}")


def test_boot_grub():
    """shim and GRUB of Debian on UEFI, in a folder of their own: GRUB gets a menu that is made for it."""
    with Lab("grub") as lab:
        segment, site = with_loader(lab, "boot/x64/secure/shimx64.efi")
        lay(site, "boot/x64/secure",
            unpacked("shim-signed", "usr/lib/shim/shimx64.efi.signed"))
        shutil.copy(unpacked("grub-efi-amd64-signed", "usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed"),
                    f"{site.root}/boot/x64/secure/grubx64.efi")
        site.start()
        b = boot(lab, site, segment)
        names = asked(site)
        # the DHCP server tells the name as an option, and shim reads the header alone: it lost its folder
        check("grubx64.efi" in names and "/grub/grub.cfg" in names, f"it asked: {names}")
        check(b["phase"] == "started" and b["image"] == "tiny", f"the kernel has reported: {b['phase']}")
