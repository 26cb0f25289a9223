"""ferryctl: images, loaders and certificates as files, and its output."""

import json
import os
import subprocess

from lab import BIN, Lab, Site, TOP, check, loaders, network, read, wait_until
from test_tftp import put


def test_images():
    """add, list, show, verify, replace and remove; nothing half-done is ever seen."""
    with Lab("images") as lab:
        _, _, _, site = network(lab)
        put(site, "../in/vmlinuz", b"kernel")
        put(site, "../in/initrd.img", b"initrd")
        source = lab.path("in")
        site.start("handlerd")
        base = ("images", "add", "tiny", "--type", "linux", "--kernel", f"{source}/vmlinuz")
        site.ferryctl(*base, "--initrd", f"{source}/initrd.img", "--args", "console=ttyS0", "--title",
                      "Tiny", "--arch", "x64", "--default")
        image = site.query("images", "show", "tiny")
        check(image["type"] == "linux" and image["title"] == "Tiny" and image["default"], f"{image}")
        check([f["role"] for f in image["files"]] == ["kernel", "initrd"], "its files")
        check(image["files"][0]["size"] == 6 and len(image["files"][0]["sha256"]) == 64, "their facts")
        check("tiny" in site.ferryctl("images", "list") and "Tiny" in site.ferryctl("images", "list"), "list")
        check(site.ferryctl("images", "verify") == "tiny: good\n", "verify")
        p = site.ferryctl(*base, ok=False)
        check(p.returncode == 1 and "--replace" in p.stderr, "not twice")
        site.ferryctl(*base, "--replace")
        check(len(site.query("images", "show", "tiny")["files"]) == 1, "replaced")
        with open(f"{site.root}/images/tiny/vmlinuz", "w", encoding="utf-8") as f:
            f.write("KERNEL")
        p = site.ferryctl("images", "verify", "tiny", ok=False)
        check(p.returncode == 1 and "its SHA-256 is another one" in p.stdout, "a changed file")
        for bad in (("a b", "linux"), ("../x", "linux"), ("x", "floppy")):
            p = site.ferryctl("images", "add", bad[0], "--type", bad[1], "--kernel",
                              f"{source}/vmlinuz", ok=False)
            check(p.returncode == 1, f"{bad} is refused")
        p = site.ferryctl("images", "add", "y", "--type", "linux", "--kernel", "/none/vmlinuz", ok=False)
        check(p.returncode == 1 and "/none/vmlinuz" in p.stderr, "the file is named")
        check(os.listdir(f"{site.root}/images") == ["tiny"], "nothing is left behind")
        site.ferryctl("images", "remove", "tiny")
        check(os.listdir(f"{site.root}/images") == [], "removed whole")
        check(site.query("images", "list") == [], "and handlerd knows")
        for kind, options in (("wim", ["--wim", f"{source}/vmlinuz", "--wimboot", f"{source}/initrd.img"]),
                              ("efi", ["--efi", f"{source}/vmlinuz"]),
                              ("script", ["--script", f"{source}/vmlinuz"])):
            site.ferryctl("images", "add", f"i-{kind}", "--type", kind, *options)
        check(len(site.query("images", "list")) == 3, "the other types")


def test_loaders_from_folder():
    """Loaders from a folder of one's own, each told what it is."""
    with Lab("loaders") as lab:
        _, _, _, site = network(lab)
        source = f"{loaders()}/boot"
        os.makedirs(lab.path("in"))
        for path, name in (("x64/snponly.efi", "snponly_x64.efi"), ("bios/undionly.kpxe", "undionly.kpxe"),
                           ("arm64/ipxe.efi", "ipxe-arm64.efi"), ("loaders.json", "readme.txt")):
            with open(f"{source}/{path}", "rb") as f, open(lab.path("in", name), "wb") as g:
                g.write(f.read())
        site.start("handlerd")
        report = site.query("loaders", "import", lab.path("in"))
        found = {r["path"]: r for r in report}
        check(set(found) == {"boot/x64/snponly.efi", "boot/bios/undionly.kpxe", "boot/arm64/ipxe.efi"},
              f"{list(found)}")
        check(found["boot/x64/snponly.efi"]["https"] == "yes", "HTTPS is seen")
        check("option 175.90" in found["boot/x64/snponly.efi"]["trust"], "trust is told")
        check(found["boot/bios/undionly.kpxe"]["https"] == "unseen", "a compressed file does not show it")
        listed = site.query("loaders", "list")
        check({r["arch"] for r in listed if r["offered"]} == {"x64", "arm64", "bios"}, "offered")
        p = site.ferryctl("loaders", "import", lab.path("in", "none"), ok=False)
        check(p.returncode == 1, "no such folder")


def test_loaders_from_debian():
    """The loaders that the suite uses came by `loaders import`, and the system is as it was."""
    before = subprocess.run("find /var/lib/apt /etc/apt /var/cache/apt -printf '%p %T@\n' | sort | sha256sum",
                            shell=True, stdout=subprocess.PIPE, check=True).stdout
    with Lab("debian") as lab:
        site = Site(lab, None)
        report = site.query("loaders", "import", "--suite", "trixie")
        https = {r["path"]: (r["https"], r["trust"]) for r in report}
        for path in ("boot/x64/snponly.efi", "boot/arm64/ipxe.efi", "boot/bios/undionly.kpxe"):
            check(https[path][0] == "yes" and "175.90" in https[path][1], f"{path}: {https[path]}")
        p = site.ferryctl("loaders", "import", "--suite", "nosuchrelease", ok=False)
        check(p.returncode == 1, "a release that does not exist")
    after = subprocess.run("find /var/lib/apt /etc/apt /var/cache/apt -printf '%p %T@\n' | sort | sha256sum",
                           shell=True, stdout=subprocess.PIPE, check=True).stdout
    check(before == after, "apt's own files are untouched")


def test_certificates():
    """ca init: what boot clients accept; ca show; nothing is replaced by accident."""
    with Lab("ca") as lab:
        site = Site(lab, None)
        out = lab.path("etc")
        options = ("ca", "init", "--dir", out)
        site.ferryctl(*options, "--name", "boot.example", "--address", "10.0.0.1", "--address", "fd00::1")
        text = lab.sh(None, f"openssl x509 -in {out}/tls/server.pem -noout -text")
        for wanted in ("Public-Key: (3072 bit)", "sha256WithRSAEncryption", "TLS Web Server Authentication",
                       "DNS:boot.example", "IP Address:10.0.0.1", "IP Address:FD00:0:0:0:0:0:0:1",
                       "CA:FALSE"):
            check(wanted in text, wanted)
        check("Client Authentication" not in text and "OCSP" not in text, "nothing that clients mind")
        text = lab.sh(None, f"openssl x509 -in {out}/ca/ca.pem -noout -text")
        check("CA:TRUE" in text and "Certificate Sign" in text, "the CA")
        lab.sh(None, f"openssl verify -CAfile {out}/ca/ca.pem {out}/tls/server.pem")
        check(os.stat(f"{out}/ca/ca.key").st_mode & 0o777 == 0o600, "the CA's key is root's alone")
        check(os.stat(f"{out}/tls/server.key").st_mode & 0o007 == 0, "the server's key is no stranger's")
        shown = json.loads(site.ferryctl("--json", "ca", "show", "--dir", out))
        digest = lab.sh(None, f"openssl x509 -in {out}/ca/ca.pem -outform DER | sha256sum").split()[0]
        check(shown["ca"]["sha256"] == digest, "the fingerprint is that of the DER form")
        check(site.ferryctl(*options, ok=False).returncode == 1, "not twice")
        for bad in (("--name", "Boot.Example"), ("--address", "300.1.1.1"), ("--days", "0")):
            check(site.ferryctl(*options, "--force", *bad, ok=False).returncode == 1, f"{bad} is refused")
        check("boot.example" in lab.sh(None, f"openssl x509 -in {out}/tls/server.pem -noout -text"), "kept")


def test_watch():
    """boots watch prints each line of a timeline as it happens."""
    with Lab("watch") as lab:
        _, _, client, site = network(lab)
        put(site, "f", b"x" * 1000)
        site.start("handlerd", "tftpd")
        lab.spawn(None, [f"{BIN}/ferryctl", "--socket", site.socket, "boots", "watch"], "watch.log")
        wait_until(lambda: lab.client(client, "tftp", address="10.77.1.10", name="f") and
                   "transfer-finished" in read(lab.path("watch.log")), 10, "the transfer is shown")
        line = [x for x in read(lab.path("watch.log")).splitlines() if "transfer-finished" in x][0]
        check("tftp" in line and "1.0 kB" in line, line)


def test_misuse():
    """Wrong calls say how it goes; without handlerd the message tells what is missing."""
    with Lab("misuse") as lab:
        site = Site(lab, None)
        for args in ((), ("nonsense",), ("boots", "nonsense"), ("boots", "show"), ("images", "add"),
                     ("ca",), ("loaders", "x"), ("--nonsense",)):
            p = site.ferryctl(*args, ok=False)
            check(p.returncode == 2 and "usage" in p.stderr, f"{args}: {p.returncode} {p.stderr}")
        p = site.ferryctl("status", ok=False)
        check(p.returncode == 1 and "is handlerd running?" in p.stderr, p.stderr)


def test_units():
    """The systemd units are sound, and sandboxed as far as the daemons allow."""
    with Lab("units") as lab:
        root = lab.path("root")
        subprocess.run(["make", "-s", "-C", TOP, "install", f"DESTDIR={root}"], check=True,
                       stdout=subprocess.DEVNULL)
        units = sorted(f for f in os.listdir(f"{root}/lib/systemd/system"))
        check(units == ["bootferry-dhcpproxyd@.service", "bootferry-handlerd.service",
                        "bootferry-httpsbootd@.service", "bootferry-tftpd@.service", "bootferry@.target"],
              f"{units}")
        folder = lab.path("verify")
        os.makedirs(folder)
        for unit in units:
            with open(f"{root}/lib/systemd/system/{unit}", encoding="utf-8") as f:
                text = f.read().replace("/usr/libexec/bootferry/", f"{root}/usr/libexec/bootferry/")
            with open(f"{folder}/{unit.replace('@.', '@lab.')}", "w", encoding="utf-8") as f:
                f.write(text)
        out = lab.sh(None, f"cd {folder} && SYSTEMD_UNIT_PATH={folder}: systemd-analyze verify --man=no "
                           "*.service *.target 2>&1")
        check(out == "", f"systemd-analyze verify: {out}")
        for unit in units:
            if not unit.endswith(".service"):
                continue
            out = lab.sh(None, f"systemd-analyze security --offline=true --threshold=20 "
                               f"{folder}/{unit.replace('@.', '@lab.')}")
            check("OK" in out.splitlines()[-1], f"{unit}: {out.splitlines()[-1]}")
            with open(f"{folder}/{unit.replace('@.', '@lab.')}", encoding="utf-8") as f:
                settings = [line.split("=")[0].strip() for line in f if not line.startswith("#")]
            # openat2(2), by which each file of the content root is opened, gets ENOSYS under it
            check("RestrictSUIDSGID" not in settings, f"{unit}: no RestrictSUIDSGID=")
