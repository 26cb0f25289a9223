"""The life of certificates: cut off at any moment, replaced by hand, from elsewhere, at their end."""

import glob
import json
import os
import pwd
import re
import shutil
import subprocess

import dhcp
from lab import BIN, Lab, SERVER, check, network, read, wait_until
from test_http import BASE, curl
from test_tftp import put
from test_trust import WATCH, ca, counter, roots, s_client

# what changes the names of files: all else happens to hidden ones
NAMES = "rename,renameat2,unlink,unlinkat,rmdir,mkdir"
# and what changes those
ALL = NAMES + ",write,fchmod,fchown,chmod,fsync,ftruncate,flock"


def first_words(site, roots_known=()):
    """
    What a start of httpsbootd says until it is ready, or gives up; whether it is ready, and who knows
    one of these roots alone accepts its certificate.
    """
    path = f"{site.run}/httpsbootd.json"
    with open(path, "w", encoding="utf-8") as f:
        json.dump(site.conf["httpsbootd"], f)
    p = subprocess.Popen(["ip", "netns", "exec", site.ns, f"{BIN}/httpsbootd", "-f", "-c", path],
                         stderr=subprocess.PIPE, text=True)
    words, ready = "", False
    for line in p.stderr:
        words += line
        ready = ": ready\n" in line
        if ready:
            break
    accepted = ready
    for root in roots_known:
        accepted = accepted and subprocess.run(
            ["ip", "netns", "exec", site.ns, "openssl", "s_client", "-connect", f"{SERVER}:8050", "-CAfile", root,
             "-verify_return_error"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            timeout=20, check=False).returncode == 0
    p.kill()
    p.communicate()
    return words, ready, accepted


def calls_of(argv, names):
    """Each of those system calls that a command makes: its name, and the how manyth of that name it is."""
    trace = argv[-1] + ".trace"
    subprocess.run(["strace", "-f", "-qq", "-o", trace, "-e", f"trace={names}", *argv],
                   stdout=subprocess.DEVNULL, check=True)
    found = re.findall(r"^\d+ +(\w+)\(", read(trace), re.MULTILINE)
    return [(name, found[:i + 1].count(name)) for i, name in enumerate(found)]


def cut_off(site, args, calls, roots_known=(), after=lambda: None):
    """Kills a command at each of those system calls in turn, and repeats it.  How often it was killed."""
    etc, safe = f"{site.run}/etc", f"{site.run}/safe"

    def anew():
        shutil.rmtree(etc)
        shutil.copytree(safe, etc)

    shutil.rmtree(safe, ignore_errors=True)
    shutil.copytree(etc, safe)
    argv = [f"{BIN}/ferryctl", "--socket", site.socket, "--root", site.root, "ca", *args, "--dir", etc]
    moments = calls_of(argv, calls)
    for name, n in moments:
        anew()
        p = subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={name}:signal=KILL:when={n}",
                            *argv], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        what = f"{' '.join(args)}, killed at {name} {n}"
        check(p.returncode in (-9, 137), f"{what}: {p.returncode} {p.stderr}")
        words, ready, accepted = first_words(site, roots_known)
        check(ready, f"{what}: httpsbootd starts: {words}")
        check("error" not in words and "is served until" not in words, f"{what}: {words}")
        check(accepted, f"{what}: who knows the CA accepts it")
        ca(site, *args)
        after()
        left = glob.glob(f"{etc}/*/.*") + glob.glob(f"{etc}/.*")
        check(not left, f"{what}, repeated: {left} are left")
        for key in glob.glob(f"{etc}/tls/*.key"):
            check(read(key).count("BEGIN") == 1, f"{what}, repeated: one key in {key}")
    words, ready, accepted = first_words(site, roots_known)
    check(ready and accepted, f"{' '.join(args)}: {words}")
    return len(moments)


def test_cut_off():
    """`ferryctl ca` is killed at each system call: httpsbootd starts, clients trust it, a repetition mends the rest."""
    with Lab("cutoff") as lab:
        _, _, _, site = network(lab, httpsbootd={"workers": 1})
        etc = f"{site.run}/etc"
        ca(site, "init", "--name", "boot.example", "--address", SERVER, "--key", "ecdsa")
        old, new = lab.path("old.pem"), lab.path("new.pem")
        shutil.copy(f"{etc}/ca/ca.pem", old)
        check(cut_off(site, ("renew", "--new-key"), ALL, (old,)) > 15, "renew was killed")
        check(os.listdir(f"{etc}/tls").count("server.pem") == 0, "one with a curve is served without another")
        check(cut_off(site, ("roll", "begin"), NAMES, (old,)) > 5, "begin was killed")
        check(cut_off(site, ("roll", "switch"), NAMES, (old,)) > 1, "switch was killed")
        shutil.copy(f"{etc}/ca/next.pem", new)
        shutil.copytree(etc, f"{site.run}/switched")
        with open(f"{etc}/ca/roll.json", encoding="utf-8") as f:
            state = json.load(f)
        for ahead, ok in ((3600, False), (-3600, False), (-25 * 3600, True)):  # the clock was set back, or not
            with open(f"{etc}/ca/roll.json", "w", encoding="utf-8") as f:
                json.dump({**state, "since_ms": state["since_ms"] + ahead * 1000}, f)
            p = ca(site, "roll", "finish", ok=False)
            check((p.returncode == 0) == ok, f"finish, {ahead} s after the switch: {p.stderr}")
        shutil.rmtree(etc)
        shutil.copytree(f"{site.run}/switched", etc)
        # back: to where the old CA's certificate is served, and who knows the new one alone still boots
        check(cut_off(site, ("roll", "abort"), NAMES, (old, new)) > 1, "abort was killed")
        check("a day later" in ca(site, "roll") and "a day later" in ca(site, "roll", "abort"), "half-way back")

        def all_the_way():
            state = json.loads(site.ferryctl("--json", "ca", "roll", "--dir", etc))
            check(state["phase"] == "steady", f"{state['phase']}")
            check(sorted(os.listdir(f"{etc}/ca")) == ["ca.key", "ca.pem"], f"{os.listdir(f'{etc}/ca')}")

        check(cut_off(site, ("roll", "abort", "--force"), NAMES, (old,), all_the_way) > 4, "abort was killed")
        all_the_way()
        shutil.rmtree(etc)
        shutil.copytree(f"{site.run}/switched", etc)
        check(cut_off(site, ("roll", "finish", "--force"), NAMES, (new,)) > 5, "finish was killed")
        check(not first_words(site, (old,))[2], "the old CA is forgotten")
        check(cut_off(site, ("import", f"{site.run}/switched/tls/server-ecdsa.pem",
                             f"{site.run}/switched/tls/server-ecdsa.key"), NAMES) > 0, "import was killed")
        check(cut_off(site, ("init", "--name", "x", "--key", "ecdsa", "--force"), NAMES) > 4, "init was killed")


def test_half_replaced():
    """Certificate and key are replaced by hand, one after the other: the pair before is served, also by a new start."""
    with Lab("halfway") as lab:
        _, _, client, site = network(lab, httpsbootd={"workers": 1, "kept_certificates": f"{lab.dir}/kept"})
        tls, other = f"{site.run}/etc/tls", lab.path("other")
        os.mkdir(f"{lab.dir}/kept", 0o700)
        ca(site, "init", "--name", "boot.example", "--address", SERVER, "--bits", "2048")
        ca(site, "issue", "--out", other, "--name", "boot.example", "--address", SERVER, "--bits", "2048")
        site.start("handlerd", "httpsbootd")

        def served():
            return lab.sh(client, f"openssl s_client -connect {SERVER}:8050 </dev/null 2>/dev/null "
                                  "| openssl x509 -noout -fingerprint")

        first = served()
        kept = os.listdir(f"{lab.dir}/kept")
        check(len(kept) == 1 and os.stat(f"{lab.dir}/kept/{kept[0]}").st_mode & 0o777 == 0o600, f"kept: {kept}")
        shutil.copy(f"{other}.pem", f"{tls}/server.pem")
        wait_until(lambda: "if one of the two has been replaced" in read(site.log("httpsbootd")), WATCH, "it is told")
        check(served() == first, "and the pair before is served")
        p = ca(site, "check", ok=False)
        check(p.returncode == 1 and "it is not the key of the certificate beside it" in p.stderr, p.stderr)
        site.kill("httpsbootd")
        words, ready, _ = first_words(site)
        check(ready and "it is not the key of the certificate in" in words and "what was served last is served" in
              words, f"a start says what is wrong, and serves: {words}")
        site.start("httpsbootd")
        check(served() == first, "the pair before")
        wait_until(lambda: "cannot be used: the one from before" in site.ferryctl("status"), WATCH, "for all to see")
        check(counter(site, "certificate_refused") == 1, "and counted")
        shutil.copy(f"{other}.key", f"{tls}/server.key")
        wait_until(lambda: served() != first, WATCH, "both are replaced")
        wait_until(lambda: "cannot be used" not in site.ferryctl("status"), WATCH, "all is well")
        # without anything kept it does not start, and says what to do
        site.kill("httpsbootd")
        shutil.rmtree(f"{lab.dir}/kept")
        os.remove(f"{tls}/server.key")
        words, ready, _ = first_words(site)
        check(not ready and "server.key\": No such file" in words and "ferryctl ca init" in words, words)
        lab.sh(None, f"openssl pkey -in {other}.key -aes128 -passout pass:secret -out {tls}/server.key")
        words, ready, _ = first_words(site)
        check(not ready and "it has a passphrase" in words and "openssl pkey -in" in words, words)
        # of two certificates one is better than none
        shutil.copy(f"{other}.key", f"{tls}/server.key")
        with open(f"{tls}/server-ecdsa.pem", "w", encoding="utf-8") as f:
            f.write("junk")
        words, ready, _ = first_words(site)
        check(ready and "server-ecdsa.pem\": it holds no certificate in PEM" in words and
              "is served alone until the other one is mended" in words, words)
        # a certificate that is gone while its key is there was not meant to go
        lab.sh(None, f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9 -subj /CN=x "
                     f"-keyout {tls}/server-ecdsa.key -out {tls}/server-ecdsa.pem 2>&1")
        os.rename(f"{tls}/server.pem", lab.path("away.pem"))
        words, ready, _ = first_words(site)
        check(ready and 'server.pem": No such file' in words, f"it is missed: {words}")


def test_issue():
    """`ca issue`: the key that was asked for, for whom it is meant."""
    with Lab("issue") as lab:
        _, _, _, site = network(lab)
        out = lab.path("it")
        ca(site, "init", "--name", "boot.example", "--key", "ecdsa")

        def kind():
            return lab.sh(None, f"openssl x509 -in {out}.pem -noout -text | grep 'Public-Key'").strip() + \
                lab.sh(None, f"openssl pkey -in {out}.key -noout -text | head -1").strip()

        ca(site, "issue", "--client", "--name", "pc-17", "--out", out, "--bits", "2048")
        first = read(f"{out}.key")
        check("2048" in kind(), kind())
        status = os.stat(f"{out}.key")
        check((status.st_uid, status.st_mode & 0o777) == (os.geteuid(), 0o600), "a client's key is the caller's")
        ca(site, "issue", "--client", "--name", "pc-17", "--out", out, "--bits", "2048")
        check(read(f"{out}.key") == first, "it is kept")
        ca(site, "issue", "--client", "--name", "pc-17", "--out", out, "--key", "ecdsa")
        check("2048" not in kind() and kind().count("256 bit") == 2, f"another kind is made: {kind()}")
        second = read(f"{out}.key")
        ca(site, "issue", "--client", "--name", "pc-17", "--out", out, "--key", "ecdsa")
        check(read(f"{out}.key") == second, "and kept in turn")
        ca(site, "issue", "--client", "--name", "pc-17", "--out", out, "--key", "ecdsa", "--owner", "nobody")
        check(os.stat(f"{out}.key").st_uid == pwd.getpwnam("nobody").pw_uid and read(f"{out}.key") == second,
              "a key that is kept is given away, too")
        ca(site, "issue", "--client", "--name", "pc-17", "--out", out, "--new-key", "--owner", "nobody",
           "--bits", "2048")
        check(os.stat(f"{out}.key").st_uid == pwd.getpwnam("nobody").pw_uid, "it is given to an account")
        check(os.stat(f"{out}.pem").st_uid == os.geteuid(), "the certificate is for all")
        os.chmod(f"{site.run}/etc/ca/ca.key", 0o640)
        p = ca(site, "issue", "--client", "--name", "pc-17", "--out", out, ok=False)
        check(p.returncode == 0 and "others than its owner may use it (mode 0640)" in p.stderr, p.stderr)
        p = ca(site, "issue", "--client", "--name", "pc-17", "--out", out, "--owner", "no-such", ok=False)
        check(p.returncode == 1 and 'no account "no-such"' in p.stderr, p.stderr)


def corp(lab, work):
    """Another CA, of OpenSSL's making, and a function for its certificates."""
    os.makedirs(work)
    with open(f"{work}/conf", "w", encoding="utf-8") as f:
        f.write(f"""[ca]
default_ca = d
[d]
database = {work}/index
serial = {work}/serial
new_certs_dir = {work}
certificate = {work}/root.pem
private_key = {work}/root.key
default_md = sha256
policy = p
unique_subject = no
x509_extensions = x
copy_extensions = none
[p]
commonName = supplied
[x]
basicConstraints = CA:FALSE
subjectAltName = DNS:boot.example,IP:{SERVER}
extendedKeyUsage = serverAuth
""")
    lab.sh(None, f"""cd {work} && : >index && echo 01 >serial && openssl req -x509 -newkey rsa:2048 -nodes \\
        -keyout root.key -out root.pem -subj '/CN=Corp root' -days 100 2>/dev/null""")

    def make(name, since, until, key="rsa:2048"):
        """Files NAME.key, NAME.leaf, NAME.pem; times as date(1) knows them."""
        options = "-pkeyopt ec_paramgen_curve:P-256" if key == "ec" else ""
        lab.sh(None, f"""cd {work} && openssl req -newkey {key} {options} -nodes -keyout {name}.key -out {name}.csr \\
            -subj /CN=boot.example 2>/dev/null
            openssl ca -config conf -batch -notext -in {name}.csr -out {name}.leaf \\
                -startdate $(date -u -d '{since}' +%Y%m%d%H%M%SZ) -enddate $(date -u -d '{until}' +%Y%m%d%H%M%SZ) 2>err ||
                cat err >&2
            cat {name}.leaf root.pem >{name}.pem""")
        return f"{work}/{name}"

    return make


def test_times():
    """Certificates before their time and at their end, of this site and from elsewhere: what is said of them."""
    with Lab("times") as lab:
        _, _, _, site = network(lab, httpsbootd={"workers": 1})
        make = corp(lab, lab.path("corp"))
        early, late = make("early", "tomorrow", "60 days"), make("late", "yesterday", "6 days")
        ca(site, "init", "--name", "boot.example", "--address", SERVER, "--key", "ecdsa", "--ca-days", "20")
        site.start("handlerd", "httpsbootd")
        wait_until(lambda: re.search("problem: .*expires in (19|20) days.*the CA expires with it: `ferryctl ca roll`",
                                     site.ferryctl("status")), 15, "the CA's own end: renewing does not help")
        p = ca(site, "check", f"{early}.pem", ok=False)
        check(p.returncode == 1 and "it is not valid yet: is this host's clock right" in p.stdout, p.stdout)
        ca(site, "import", f"{early}.pem", f"{early}.key", "--force")
        wait_until(lambda: re.search("problem: .*valid from .*, and this host's clock says", site.ferryctl("status")),
                   WATCH, "not yet valid: for all to see")
        check(counter(site, "certificate_not_yet") == 1, "counted")
        check("is valid from" in read(site.log("httpsbootd")), "and in the log")
        ca(site, "import", f"{late}.pem", f"{late}.key")
        wait_until(lambda: re.search('problem: .*expires in [56] days, .*have a new one issued by "Corp root", then '
                                     "`ferryctl ca import`", site.ferryctl("status")), WATCH, "who renews this one")
        check(counter(site, "certificate_not_yet") == 0, "no longer")


def test_roll_status():
    """While the CA is replaced: which machines have been offered the new fingerprint, and which have not."""
    with Lab("rollstatus") as lab:
        _, _, client, site = network(lab)
        put(site, "boot/x64/snponly.efi", b"MZ loader")
        ca(site, "init", "--name", "boot.example", "--address", SERVER, "--key", "both", "--bits", "2048")
        site.start()

        def appear(n):
            options = dhcp.firmware(7).replace(dhcp.UUID, dhcp.UUID[:-1] + bytes([n])).hex()
            r = lab.client(client, "ask", options=options, mac=f"0200000000{n:02x}")
            return r[0]["options"]["175"].count("5a")

        def script(n):
            lab.sh(client, f"ip addr replace 10.77.1.{100 + n}/24 dev eth0")
            check(curl(lab, client, site, f"--interface 10.77.1.{100 + n} -d mac=02:00:00:00:00:{n:02x} "
                       f"{BASE}/2PXE/boot")[0] == 200, "a script")

        for n in (1, 2):
            appear(n)
        script(9)  # nobody told it anything
        p = ca(site, "roll", "status")
        check("no roll-over" in p, p)
        ca(site, "roll", "begin")
        new = site.query("ca", "roll", "--dir", f"{site.run}/etc")["next"]["sha256"]
        wait_until(lambda: len(roots(site)) == 2, WATCH, "two fingerprints")
        wait_until(lambda: len(site.query("status")["services"]) == 3, 10, "all are heard")

        def told():
            return {k: v for k, v in site.query("ca", "roll", "--dir", f"{site.run}/etc")["machines"].items()}

        before = told()
        check((before["told"], before["untold"], before["elsewhere"]) == (0, 2, 1), f"{before}")
        check(before["elsewhere_machines"][0]["mac"] == "02:00:00:00:00:09", f"{before}")
        wait_until(lambda: appear(3) and new in json.dumps(site.query("--socket", f"{site.run}/httpsbootd.sock",
                                                                      "status")) and told()["told"] == 1,
                   15, "a machine that appears now is offered it")
        wait_until(lambda: appear(2) and told()["untold"] == 1, 15, "and one that appears again")
        check(told()["booted"] == 0, "neither came to iPXE")
        script(3)
        check(told()["booted"] == 1, f"one did: {told()}")
        text = ca(site, "roll")
        check("offered it      2, of which 1 came to iPXE since" in text and "02:00:00:00:00:01" in text and
              "by hand" in text, text)
        p = ca(site, "roll", "switch", ok=False)
        check(p.returncode == 0 and "1 have not been offered the new CA's fingerprint yet, and 1 come to iPXE" in
              p.stderr, f"a warning before the step: {p.stderr}")
        site.kill("handlerd")
        site.start("handlerd")
        check(told()["told"] == 2, "it is remembered")
        site.kill("handlerd")
        check("is not known" in ca(site, "roll"), "without handlerd nothing is said")


def test_bundles():
    """What other tools hand out: a bundle in any order, of several servers, links, a passphrase, PKCS #12."""
    with Lab("bundles") as lab:
        _, _, _, site = network(lab, httpsbootd={"workers": 1})
        work, tls = lab.path("corp"), f"{site.run}/etc/tls"
        make = corp(lab, work)
        one, two = make("one", "yesterday", "60 days"), make("two", "yesterday", "50 days")
        curve = make("curve", "yesterday", "50 days", "ec")
        lab.sh(None, f"cd {work} && cat root.pem two.leaf root.pem curve.leaf one.leaf >bundle.pem && "
                     "openssl pkcs12 -export -in one.pem -inkey one.key -passout pass:x -out one.pfx && "
                     "openssl pkey -in one.key -aes128 -passout pass:x -out secret.key && "
                     "mkdir live && ln -s ../one.pem live/fullchain.pem && ln -s ../one.key live/privkey.pem")
        for name in ("one", "two"):
            p = ca(site, "import", f"{work}/bundle.pem", f"{work}/{name}.key", ok=False)
            check(p.returncode == 0 and "2 certificates are not of this key's chain, and left out" in p.stderr, p.stderr)
            check(read(f"{tls}/server.pem") == read(f"{work}/{name}.pem"), "its own, then the root")
        ca(site, "import", f"{work}/bundle.pem", f"{curve}.key")
        check(read(f"{tls}/server-ecdsa.pem") == read(f"{curve}.pem"), "the kind of key tells which")
        # our own chain while the CA is replaced, shuffled: root, its twin, the other root
        site.ferryctl("ca", "init", "--dir", f"{work}/own", "--name", "boot.example", "--address", SERVER, "--bits", "2048")
        site.ferryctl("ca", "roll", "begin", "--dir", f"{work}/own", "--bits", "2048")
        chain = read(f"{work}/own/tls/server.pem")
        parts = [x + "-----END CERTIFICATE-----\n" for x in chain.split("-----END CERTIFICATE-----\n")[:-1]]
        with open(f"{work}/shuffled.pem", "w", encoding="utf-8") as f:
            f.write(parts[3] + parts[1] + parts[0] + parts[2])
        ca(site, "import", f"{work}/shuffled.pem", f"{work}/own/tls/server.key")
        check(read(f"{tls}/server.pem") == chain, "it is as it was")
        ca(site, "import", f"{work}/live/fullchain.pem", f"{work}/live/privkey.pem")
        check(read(f"{tls}/server.pem") == read(f"{one}.pem"), "links are followed")
        os.remove(f"{tls}/server.pem")
        os.symlink(f"{two}.pem", f"{tls}/server.pem")
        p = ca(site, "import", f"{one}.pem", f"{one}.key", ok=False)
        check(p.returncode == 0 and f"was a link to {two}.pem" in p.stderr, f"and told of where one is replaced: {p.stderr}")
        for files, words in (((f"{work}/one.pfx", f"{one}.key"), "PKCS #12"), ((f"{one}.pem", f"{work}/one.pfx"), "PKCS #12"),
                             ((f"{one}.pem", f"{work}/root.pem"), "holds no key in PEM"),
                             ((f"{one}.pem", f"{two}.key"), "it is not the key of")):
            p = ca(site, "import", *files, ok=False)
            check(p.returncode == 1 and words in p.stderr, f"{words}: {p.stderr}")
        os.chmod(f"{tls}/server.key", 0o644)
        words, ready, _ = first_words(site)
        check(ready and "every account of this host can read it (mode 0644)" in words, words)
        lab.sh(None, f"cd {work} && openssl ecparam -name prime256v1 -genkey -noout -param_enc explicit -out ec.key && "
                     "openssl req -x509 -new -key ec.key -subj /CN=boot.example -days 30 -out ec.pem")
        p = ca(site, "check", f"{work}/ec.pem", ok=False)
        check("parameters of its curve are written out" in p.stdout, p.stdout)
