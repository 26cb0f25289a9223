"""Trust: certificates, the site's CA and its replacement, sessions, what a failed handshake says."""

import json
import os
import re
import shutil
import sqlite3
import time

from lab import Lab, Machine, Site, SERVER, check, loaders, network, new_ovmf, read, wait_until
from test_http import BASE, curl, start
from test_tftp import put

# SHA-256 of the root that iPXE's builds without roots of their own have in them
PUBLIC_ROOT = bytes.fromhex("9faf717b7f8ca2f93c256c79f8ac5591895d66d1ff3bee6397a70d29c65eed1a")
WATCH = 40  # seconds in which httpsbootd takes a changed file, on a busy host


def ca(site, *args, ok=True):
    return site.ferryctl("ca", *args, "--dir", f"{site.run}/etc", ok=ok)


def s_client(lab, client, arguments, after="</dev/null"):
    return lab.sh(client, f"timeout 10 openssl s_client -connect {SERVER}:8050 {arguments} {after} 2>&1",
                  check_status=False)


def roots(site):
    """The fingerprints that clients are told."""
    return site.query("--socket", f"{site.run}/httpsbootd.sock", "status")["tls"]["roots"]


def counter(site, name):
    return site.query("--socket", f"{site.run}/httpsbootd.sock", "status")["counters"].get(name, 0)


def test_two_certificates():
    """RSA and ECDSA from one listener, also without a server name; the profile decides on old suites."""
    with Lab("two") as lab:
        _, _, client, site = network(lab, httpsbootd={"workers": 2})
        ca(site, "init", "--name", "boot.example", "--address", SERVER, "--key", "both")
        put(site, "large", b"line\n" * 40000)
        site.start("handlerd", "httpsbootd")
        trust = f"-CAfile {site.run}/etc/ca/ca.pem -verify_return_error"
        for arguments, cipher in (
                ("-noservername -tls1_2", "ECDHE-ECDSA-AES128-GCM-SHA256"),
                ("-servername other.example -tls1_2", "ECDHE-ECDSA-AES128-GCM-SHA256"),
                ("-noservername -tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
                ("-tls1_2 -sigalgs RSA+SHA256 -cipher DEFAULT", "ECDHE-RSA-AES128-GCM-SHA256"),
                ("-noservername -tls1_2 -cipher DHE-RSA-AES256-GCM-SHA384", "DHE-RSA-AES256-GCM-SHA384"),
                ("-noservername -tls1_2 -cipher AES128-SHA", "AES128-SHA"),
                ("-tls1_2 -cipher AESCCM:AES256-GCM-SHA384", "AES256-GCM-SHA384"),  # no tags of 64 bits
                ("-tls1_3", "TLS_AES_128_GCM_SHA256")):
            out = s_client(lab, client, f"{trust} {arguments}")
            check(f"Cipher is {cipher}" in out and "Verify return code: 0" in out,
                  f"{arguments}: {out[-600:]}")
        out = s_client(lab, client, f"{trust} -tls1_2 -maxfraglen 512 -ign_eof",
                       "<<<$'GET /2PXE/boot HTTP/1.0\\r\\n\\r'")
        check("#!ipxe" in out, f"an answer in short records: {out[-500:]}")
        for version, more in (("-tls1_2", 24), ("-tls1_3", 17)):  # what AES-GCM adds to a record
            out = s_client(lab, client, f"{version} -cipher ECDHE-RSA-AES256-GCM-SHA384 -maxfraglen 512 -msg -ign_eof",
                           "<<<$'GET /2PXE/file/large HTTP/1.0\\r\\n\\r'")
            lengths = [int(x.replace(" ", ""), 16) for x in re.findall(
                r"<<< TLS 1\..*RecordHeader \[length 0005\]\n +17 03 03 (.. ..)", out)]
            check(len(lengths) > 200 and max(lengths) == 512 + more, f"{version}: {len(lengths)}, {sorted(lengths)[-3:]}")
        site.kill("httpsbootd", 15)
        site.conf["httpsbootd"]["tls_profile"] = "strict"
        site.start("httpsbootd")
        for arguments, want in (("-tls1_3", "TLS_AES_128_GCM_SHA256"),
                                ("-tls1_2", "ECDHE-ECDSA-AES128-GCM-SHA256"),
                                ("-tls1_2 -cipher DHE-RSA-AES256-GCM-SHA384", "(NONE)"),
                                ("-tls1_2 -cipher AES128-SHA", "(NONE)"),
                                ("-tls1_2 -cipher ECDHE-RSA-AES256-SHA384", "(NONE)")):
            out = s_client(lab, client, arguments)
            check(f"Cipher is {want}" in out, f"strict, {arguments}: {out[-300:]}")


def test_sessions():
    """A session goes on at whichever worker, across a change of the certificate; its key is forgotten in time."""
    with Lab("sessions") as lab:
        _, _, client, site = network(lab, httpsbootd={"workers": 2})
        start(site)
        for version in ("-tls1_2", "-tls1_3"):
            ticket = lab.path(f"ticket{version}")
            s_client(lab, client, f"{version} -sess_out {ticket} -ign_eof",
                     "<<<$'GET /2PXE/boot HTTP/1.0\\r\\n\\r'")
            for _ in range(6):  # the kernel spreads them over the workers
                out = s_client(lab, client, f"{version} -sess_in {ticket}")
                check("Reused, TLSv1" in out, f"{version}: {out[-500:]}")
        ca(site, "renew")
        wait_until(lambda: "the files have changed" in read(site.log("httpsbootd")), WATCH, "the new certificate")
        out = s_client(lab, client, f"-tls1_2 -sess_in {lab.path('ticket-tls1_2')}")
        check("Reused, TLSv1" in out, f"after a change of the certificate: {out[-500:]}")
        check(counter(site, "tickets_taken") >= 13, "they are counted")
        site.conf["httpsbootd"]["ticket_rotation_s"] = 1
        with open(f"{site.run}/httpsbootd.json", "w", encoding="utf-8") as f:
            json.dump(site.conf["httpsbootd"], f)
        site.ferryctl("--socket", f"{site.run}/httpsbootd.sock", "reload")
        wait_until(lambda: counter(site, "ticket_keys") >= 2, 20, "two keys later")
        out = s_client(lab, client, f"-tls1_3 -sess_in {lab.path('ticket-tls1_3')}")
        check("New, TLSv1" in out, f"the key is forgotten: {out[-500:]}")


def test_replaced_files():
    """A changed certificate is taken without a reload; half a change and a bad one are not."""
    with Lab("replaced") as lab:
        _, _, client, site = network(lab)
        start(site)

        def served():
            return lab.sh(client, f"openssl s_client -connect {SERVER}:8050 </dev/null 2>/dev/null "
                                  "| openssl x509 -noout -fingerprint")

        first = served()
        before = os.stat(f"{site.run}/etc/tls/server.key").st_mtime_ns
        ca(site, "renew")
        check(os.stat(f"{site.run}/etc/tls/server.key").st_mtime_ns == before, "the key was kept")
        check(oct(os.stat(f"{site.run}/etc/tls/server.key").st_mode & 0o777) == "0o600", "for its owner alone")
        wait_until(lambda: served() != first, WATCH, "the new one")
        second = served()
        with open(f"{site.run}/etc/tls/server.key", "w", encoding="utf-8") as f:
            f.write("junk")
        wait_until(lambda: "server.key" in read(site.log("httpsbootd")), WATCH, "what is wrong is told")
        check(served() == second, "and the old one is served")
        wait_until(lambda: "cannot be used: the one from before" in site.ferryctl("status"), WATCH, "for all to see")
        ca(site, "renew", "--new-key", "--days", "5")
        wait_until(lambda: served() != second, WATCH, "a good one is taken again")
        wait_until(lambda: "cannot be used" not in site.ferryctl("status"), WATCH, "and the status says so")
        wait_until(lambda: re.search("problem: .*expires in [45] days", site.ferryctl("status")), 10,
                   "its end is near")
        check("certificate of subnet lab" in site.ferryctl("status"), "when it expires")
        site.kill("handlerd", 15)
        with sqlite3.connect(f"{site.run}/store.db") as db:
            told = db.execute("SELECT text FROM entry WHERE kind = 'certificate'").fetchall()
        check(len(told) == 1 and "ferryctl ca renew" in told[0][0], f"an event tells of it: {told}")
        events = read(site.log("httpsbootd"))
        check(events.count("`ferryctl ca renew` makes a new one") == 1, "the log says so once")


def test_roll():
    """The CA is replaced: in no phase does a client fail that knows one of the two."""
    with Lab("roll") as lab:
        _, _, client, site = network(lab)
        put(site, "f", b"hello")
        put(site, "k", b"kernel")
        start(site)
        old, new = lab.path("old.pem"), lab.path("new.pem")
        lab.sh(None, f"cp {site.run}/etc/ca/ca.pem {old}")
        before = roots(site)

        def boots(*knowing):
            """curl is made of OpenSSL, like firmware; gnutls goes along a chain as iPXE does not."""
            for pem in (old, new):
                p = lab.sh(client, f"curl -sS --max-time 10 --cacert {pem} {BASE}/2PXE/file/f 2>&1",
                           check_status=False)
                check((p == "hello") == (pem in knowing), f"{pem} of {knowing}: {p}")

        def step(name, *args):
            text = ca(site, "roll", name, *args)
            check(text == ca(site, "roll", name, *args), f"{name} can be repeated")

        step("begin")
        lab.sh(None, f"cp {site.run}/etc/ca/next.pem {new}")
        wait_until(lambda: len(roots(site)) == 2, WATCH, "both fingerprints")
        check(roots(site)[0] == before[0], "the old one first")
        boots(old, new)
        check(ca(site, "export", "--format", "fingerprint").split() == roots(site), "both are exported")
        put(site, "boot/x64/ipxe.efi", b"MZ")
        site.ferryctl("reload")
        wait_until(lambda: all(x in re.sub("[^0-9a-f]", "", site.ferryctl("dhcp-options", "--for", "isc").lower())
                               for x in roots(site)), 10, "DHCP servers get both, once handlerd has heard of them")
        step("switch")
        wait_until(lambda: roots(site)[0] != before[0], WATCH, "the new one first")
        check(len(roots(site)) == 2, "and still both")
        boots(old, new)
        p = ca(site, "roll", "finish", ok=False)
        check(p.returncode == 1 and "a day after" in p.stderr, f"too early: {p.stderr}")
        step("finish", "--force")
        wait_until(lambda: len(roots(site)) == 1, WATCH, "one fingerprint")
        boots(new)
        check(not os.path.exists(f"{site.run}/etc/ca/next.key"), "one key")
        # a cut-off finish: the key has moved, the certificate has not
        ca(site, "roll", "begin")
        ca(site, "roll", "switch")
        os.rename(f"{site.run}/etc/ca/next.key", f"{site.run}/etc/ca/ca.key")
        ca(site, "roll", "finish", "--force")
        out = lab.sh(None, f"openssl verify -CAfile {site.run}/etc/ca/ca.pem {site.run}/etc/tls/server.pem")
        check("OK" in out, out)
        ca(site, "renew")
        ca(site, "roll", "begin")
        ca(site, "roll", "abort")
        check(lab.sh(None, f"ls {site.run}/etc/ca").split().count("next.pem") == 0, "back again")


def test_failures():
    """A failed handshake is told of with its cause, once, and counted by kind."""
    with Lab("tlsfail") as lab:
        _, _, client, site = network(lab, httpsbootd={"workers": 1})
        start(site)
        port = f"{SERVER} 8050"
        for command, name, words in (
                (f"curl -sS --max-time 5 {BASE}/", "tls_no_trust", "alert unknown_ca, 48"),
                (f"curl -sS --max-time 5 http://{SERVER}:8050/", "tls_not_tls", "https://"),
                (f"openssl s_client -connect {SERVER}:8050 -tls1_1 -cipher DEFAULT@SECLEVEL=0 </dev/null",
                 "tls_version", "no TLS 1.2"),
                (f"openssl s_client -connect {SERVER}:8050 -noservername -tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256 </dev/null",
                 "tls_cipher", "this firmware and the server have no cipher suite in common"),
                (f"timeout 1 bash -c 'exec 3<>/dev/tcp/{SERVER}/8050' ", "tls_silent", None)):
            for _ in range(3):
                lab.sh(client, command, check_status=False)
            wait_until(lambda n=name: counter(site, n) == 3, 20, f"{name} of {port}")
            if words:
                check(read(site.log("httpsbootd")).count(words) == 1, f"{words}: once")
        check("TLS failed: the connection ended" not in read(site.log("httpsbootd")), "no line for a port scan")


def test_check_and_import():
    """`ca check` and `ca import` judge certificates from elsewhere, and the loaders here."""
    with Lab("cacheck") as lab:
        _, _, _, site = network(lab)
        site.ca()
        work = lab.path("pki")
        os.makedirs(work)
        lab.sh(None, f"""cd {work} && openssl req -x509 -newkey rsa:3072 -nodes -keyout root.key -out root.pem \
            -subj '/CN=Corp root' -days 100 2>/dev/null
            make() {{ # NAME, key type, CN, extensions...
                openssl req -newkey $2 -nodes -keyout $1.key -out $1.csr -subj "/CN=$3" 2>/dev/null
                printf '%s\\n' "${{@:4}}" >$1.ext
                openssl x509 -req -in $1.csr -CA root.pem -CAkey root.key -CAcreateserial -days 50 \
                    -extfile $1.ext -out $1.leaf 2>/dev/null
                cat $1.leaf root.pem >$1.pem
            }}
            make good rsa:3072 boot.example subjectAltName=DNS:boot.example,IP:{SERVER} extendedKeyUsage=serverAuth
            make upper rsa:2048 Boot.Example subjectAltName=DNS:Boot.Example,IP:{SERVER} \
                extendedKeyUsage=serverAuth,clientAuth authorityInfoAccess=OCSP\\;URI:http://o.example/
            """)

        def verdicts(*args):
            p = site.ferryctl("--json", "ca", "check", *args, "--dir", f"{site.run}/etc", "--name",
                              "boot.example", "--address", SERVER, ok=False)
            v = json.loads(p.stdout)
            return p.returncode, v["clients"], " ".join(
                f["text"] for c in v["certificates"] for f in c["findings"])

        status, clients, text = verdicts()
        check(status == 0 and set(clients.values()) == {"accepts"}, f"ours: {clients} {text}")
        status, clients, text = verdicts(f"{work}/good.pem")
        check(status == 0 and set(clients.values()) == {"accepts"}, f"good: {clients} {text}")
        status, clients, text = verdicts(f"{work}/good.leaf")
        check(status == 1 and clients["ipxe-2"] == "refuses" and clients["uefi-2026"] == "accepts" and
              "append the root" in text, f"without its root: {clients} {text}")
        status, clients, text = verdicts(f"{work}/upper.pem")
        check(clients["ipxe-2022"] == "refuses" and clients["uefi-2025"] == "refuses", f"{clients}")
        for words in ("upper-case", "OCSP", "clientAuth", "3072"):
            check(words in text, f"{words} in {text}")
        p = ca(site, "import", f"{work}/good.leaf", f"{work}/upper.key", ok=False)
        check("it is not the key of" in p.stderr, p.stderr)
        p = ca(site, "import", f"{work}/good.leaf", f"{work}/good.key", ok=False)
        check(p.returncode == 1 and "was not imported" in p.stderr, p.stderr)
        ca(site, "import", f"{work}/good.leaf", f"{work}/good.key", "--issuer", f"{work}/root.pem")
        check(read(f"{site.run}/etc/tls/server.pem") == read(f"{work}/good.pem"), "it is in its place")
        # another root vouches for ours
        ca(site, "init", "--name", "boot.example", "--address", SERVER, "--force")
        ca(site, "cross", "--issuer", f"{work}/root.pem", "--issuer-key", f"{work}/root.key")
        lab.sh(None, f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {work}/weak.key -out {work}/weak.pem "
                     "-subj '/CN=Weak root' -days 100 2>/dev/null")
        before = read(f"{site.run}/etc/ca/cross.pem")
        ca(site, "cross", "--issuer", f"{work}/weak.pem", "--issuer-key", f"{work}/weak.key")
        status, clients, text = verdicts()
        check(status == 0 and set(clients.values()) == {"accepts"},
              f"another root, for others, is no concern of those who know ours: {clients} {text}")
        ca(site, "cross", "--issuer", f"{work}/root.pem", "--issuer-key", f"{work}/root.key")
        check(read(f"{site.run}/etc/ca/cross.pem").count("BEGIN") == before.count("BEGIN"), "in place of the one before")
        out = lab.sh(None, f"openssl verify -CAfile {work}/root.pem -untrusted {site.root}/certificate/cross.crt "
                           f"{site.run}/etc/tls/server.pem")
        check("OK" in out, out)
        auto = os.listdir(f"{site.root}/certificate/auto")
        check(len(auto) == 1 and re.fullmatch("[0-9a-f]{8}\\.der", auto[0]), f"{auto}")
        with open(f"{site.root}/certificate/auto/{auto[0]}", "rb") as f:
            der = f.read()
        check(der[0] == 0x31 and int.from_bytes(der[2:5], "big") == len(der) - 5, "a SET of its length")
        for args in (("--name", "Boot.Example"), ("--address", "10.0.0.300"), ("--bits", "512")):
            p = ca(site, "renew", *args, ok=False)
            check(p.returncode == 1 and args[1] in p.stderr + " 512", f"{args}: {p.stderr}")


def test_ca_care():
    """What `ca` and stamping must not do: replace what is not theirs, cut files, miss a stamped loader."""
    with Lab("cacare") as lab:
        _, _, _, site = network(lab)
        etc, work = f"{site.run}/etc", lab.path("pki")
        long_name = f"{'a' * 40}.{'b' * 40}.example"
        ca(site, "init", "--name", long_name, "--bits", "2048")
        text = lab.sh(None, f"openssl x509 -in {etc}/tls/server.pem -noout -ext subjectAltName -subject")
        check(long_name in text and "CN = Bootferry server" in text, f"longer than a common name may be: {text}")

        with open(loaders() + "/boot/x64/snponly.efi", "rb") as f:
            loader = f.read()
        put(site, "boot/x64/small.efi", loader)
        put(site, "boot/x64/large.efi", loader + bytes(9 << 20))
        p = site.ferryctl("loaders", "stamp", "--dir", etc, ok=False)
        check(p.returncode == 1 and "more than 8 MB" in p.stdout, f"one is too large: {p}")
        check(os.path.getsize(f"{site.root}/boot/x64/large.efi") > 9 << 20, "and is not cut")
        os.remove(f"{site.root}/boot/x64/large.efi")

        def stamped():
            with open(f"{site.root}/boot/x64/small.efi", "rb") as f:
                at = loader.index(PUBLIC_ROOT)
                return f.read()[at:at + 32].hex()

        def print_of(name):
            return lab.sh(None, f"openssl x509 -in {etc}/ca/{name} -outform der | sha256sum")[:64]

        check(stamped() == print_of("ca.pem"), "stamped")
        # cut off between the note and the file: the note is of bytes that never came
        notes = f"{site.root}/boot/loaders.json"
        with open(notes, encoding="utf-8") as f:
            spoilt = json.load(f)
        spoilt["loaders"][0].update(sha256="0" * 64, stamp="1" * 64)
        with open(notes, "w", encoding="utf-8") as f:
            json.dump(spoilt, f)
        ca(site, "roll", "begin", "--bits", "2048")
        ca(site, "roll", "switch")
        check(stamped() == print_of("next.pem"), "it is found without its note")
        # one that comes back from a backup between the steps
        shutil.copy(f"{site.root}/boot/x64/.small.efi.original", f"{site.root}/boot/x64/small.efi")
        site.ferryctl("loaders", "stamp", "--dir", etc)
        check(stamped() == print_of("next.pem"), "stamped anew")
        os.rename(f"{etc}/ca/next.key", f"{etc}/ca/ca.key")
        p = ca(site, "renew", ok=False)
        check("finish` was cut off" in p.stderr, f"a finish that was cut off is told of: {p.stderr}")
        ca(site, "roll", "finish", "--force")
        check(stamped() == print_of("ca.pem"), "and nothing is left of the old CA")

        # what is the site's stays
        os.makedirs(work)
        lab.sh(None, f"""cd {work} && openssl req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.pem \
            -subj '/CN=Corp root' -days 100 2>/dev/null
            openssl req -newkey rsa:2048 -nodes -keyout its.key -out its.csr -subj /CN=boot.example 2>/dev/null
            echo subjectAltName=DNS:boot.example >ext
            openssl x509 -req -in its.csr -CA root.pem -CAkey root.key -CAcreateserial -extfile ext -days 50 \
                -out its.leaf 2>/dev/null && cat its.leaf root.pem >its.pem""")
        put(site, "certificate/mine.crt", b"mine")
        ca(site, "cross", "--issuer", f"{work}/root.pem", "--issuer-key", f"{work}/root.key")
        ca(site, "cross", "--remove")
        check(os.listdir(f"{site.root}/certificate") == ["mine.crt"], "what others put there is kept")
        ca(site, "import", f"{work}/its.pem", f"{work}/its.key", "--issuer", f"{work}/root.pem")
        check(read(f"{etc}/tls/server.pem") == read(f"{work}/its.pem"), "a root that is there is not added")
        p = ca(site, "renew", ok=False)
        check(p.returncode == 1 and "ferryctl ca import" in p.stderr, f"not ours: {p.stderr}")
        check(read(f"{etc}/tls/server.pem") == read(f"{work}/its.pem"), "and it stays")
        # a CA at its end
        site.ferryctl("ca", "init", "--dir", f"{work}/short", "--name", "x", "--ca-days", "5",
                      "--key", "ecdsa")
        p = site.ferryctl("ca", "renew", "--dir", f"{work}/short", ok=False)
        check("the CA expires in" in p.stderr and "ca roll" in p.stderr, f"renewing does not help: {p.stderr}")


def test_client_certificates():
    """A client's own certificate, verified, is a fact that rules go by, and stands in its timeline."""
    with Lab("mtls") as lab:
        rules = [{"name": "known", "when": {"client_subject": ["CN=pc-17*"]}, "action": "entry", "entry": "two"}]
        _, _, client, site = network(lab, handlerd={"rules": rules})
        put(site, "k", b"kernel")
        site.ca()
        mine, other = lab.path("mine"), lab.path("other")
        ca(site, "issue", "--client", "--name", "pc-17", "--out", mine)
        site.ferryctl("ca", "init", "--dir", lab.path("elsewhere"), "--name", "x")
        site.ferryctl("ca", "issue", "--dir", lab.path("elsewhere"), "--client", "--name", "pc-17", "--out", other)
        site.conf["httpsbootd"].update({"client_certificates": "optional",
                                        "client_ca": f"{site.run}/etc/ca/ca.pem", "workers": 1})
        site.start("handlerd", "httpsbootd")
        for name in ("one", "two"):
            site.ferryctl("images", "add", name, "--type", "linux", "--kernel", f"{site.root}/k", "--title", name)
        url = f"-d mac=52:54:00:12:34:56 {BASE}/2PXE/boot"
        check(b"item one" in curl(lab, client, site, url)[2], "without one: the menu")
        text = curl(lab, client, site, f"--cert {mine}.pem --key {mine}.key {url}")[2]
        check(b"images/two/" in text and b"item one" not in text, f"with one: what the rule says {text}")
        lines = [e for e in site.boot()["timeline"] if e["kind"] == "client-certificate"]
        check(len(lines) == 1 and lines[0]["text"].startswith("CN=pc-17, of CN=Bootferry site CA "), f"{lines}")
        lab.sh(client, f"curl -sS --max-time 5 --cacert {site.run}/etc/ca/ca.pem --cert {other}.pem "
                       f"--key {other}.key {BASE}/2PXE/boot", check_status=False)
        wait_until(lambda: counter(site, "tls_client") == 1, 20, "a strange one is refused, and counted")
        site.conf["httpsbootd"]["client_certificates"] = "required"
        site.kill("httpsbootd", 15)
        site.start("httpsbootd")
        lab.sh(client, f"curl -sS --max-time 5 --cacert {site.run}/etc/ca/ca.pem {BASE}/2PXE/boot",
               check_status=False)
        wait_until(lambda: "own certificate is missing" in read(site.log("httpsbootd")), 20, "none is told of")
        check(curl(lab, client, site, f"--cert {mine}.pem --key {mine}.key {url}")[0] == 200, "one is served")


def fetched(site, name):
    """How often a file was fetched whole over HTTPS."""
    return len(re.findall(rf"https boot=\S+ client=\S+ method=GET target=/2PXE/file/{name} status=200",
                          read(site.log("httpsbootd"))))


def foreign_dhcp(lab, segment, loader, script):
    """A DHCP server that names a loader and a script of its own, without a word of trust."""
    return lab.dhcp_server(segment, extra=[
        "--dhcp-match=set:ipxe,175", f"--dhcp-boot=tag:!ipxe,{loader},,{SERVER}",
        f"--dhcp-boot=tag:ipxe,{script},,{SERVER}"])


def test_roll_boot():
    """A stamped loader behind a foreign DHCP server, in iPXE while the CA is replaced: it goes on and on."""
    with Lab("rollboot") as lab:
        segment = lab.segment("net")
        server = lab.host("server", segment, f"{SERVER}/24")
        # each fetch is a full handshake
        site = Site(lab, server, http_port=0, httpsbootd={"ticket_rotation_s": 0})
        shutil.copytree(loaders(), site.root, dirs_exist_ok=True)
        site.ca()
        site.ferryctl("loaders", "stamp", "boot/x64/snponly.efi", "--dir", f"{site.run}/etc")
        # one that keeps the old fingerprint, whatever happens
        shutil.copy(f"{site.root}/boot/x64/snponly.efi", f"{site.root}/boot/x64/old.efi")
        put(site, "step", b"#!ipxe\n")
        # beside the loader, where iPXE 2.0 looks, and at the top, where 1.21.1 does
        for place in ("", "boot/x64/"):
            put(site, f"{place}autoexec.ipxe", f"""#!ipxe
dhcp
:again
imgfetch --name step https://{SERVER}:8050/2PXE/file/step || echo FAILED
imgfree step ||
sleep 1
goto again
""".encode())
        foreign_dhcp(lab, segment, "boot/x64/old.efi", "autoexec.ipxe")
        site.start("handlerd", "tftpd", "httpsbootd")
        machine = Machine(lab, segment)

        def goes_on(what, seconds=40):
            before = fetched(site, "step")
            wait_until(lambda: fetched(site, "step") >= before + 2, seconds, what)
            check("FAILED" not in machine.output(), f"{what}: never without")

        goes_on("it trusts the old CA", 150)
        ca(site, "roll", "begin")
        wait_until(lambda: len(roots(site)) == 2, WATCH, "both CAs")
        goes_on("a new CA is known")
        first = roots(site)[0]
        ca(site, "roll", "switch")
        wait_until(lambda: roots(site)[0] != first, WATCH, "the new CA's certificate")
        goes_on("the new CA's certificate, with the old fingerprint alone")
        machine.stop()
        # forgotten: a loader that knows the old CA alone is told of, with what to do
        ca(site, "roll", "finish", "--force")
        wait_until(lambda: len(roots(site)) == 1, WATCH, "one CA")
        machine = Machine(lab, segment, name="pc2")
        wait_until(lambda: counter(site, "tls_no_trust") > 0, 150, "it does not trust the new CA")
        machine.stop()
        check("kind=ipxe why=no-trust: TLS failed: iPXE does not trust this site's CA" in
              read(site.log("httpsbootd")), "the log names the cause")
        check("ferryctl loaders stamp" in read(site.log("httpsbootd")), "and the cure")


def test_ipxe_2_boot():
    """
    iPXE 2.0, unmodified, while the CA is replaced: two fingerprints in the offer, an ECDSA certificate.  The
    battery of its PC is dead.
    """
    with Lab("ipxe2ec") as lab:
        segment = lab.segment("net")
        lab.dhcp_server(segment)
        server = lab.host("server", segment, f"{SERVER}/24")
        site = Site(lab, server, http_port=0)
        shutil.copytree(loaders("sid"), site.root, dirs_exist_ok=True)
        ca(site, "init", "--name", "boot.example", "--address", SERVER, "--key", "both")
        ca(site, "roll", "begin")
        site.start()
        machine = Machine(lab, segment, args=["-rtc", "base=2000-01-01T00:00:00"])
        wait_until(lambda: re.search("target=/2PXE/boot status=200", read(site.log("httpsbootd"))), 150, "its script")
        machine.stop()
        check("ECDHE-ECDSA" in read(site.log("httpsbootd")), "over the ECDSA certificate")
        check(counter(site, "tls_no_trust") == 0, "and it trusts us at once")
        told = site.query("ca", "roll", "--dir", f"{site.run}/etc")["machines"]
        check((told["told"], told["booted"], told["untold"], told["elsewhere"]) == (1, 1, 0, 0),
              f"it was offered the new fingerprint, and came: {told}")


def https_boot(name, loader_suite, phase, suite, **options):
    """UEFI HTTPS Boot with the CA enrolled that is in use at first; the suites that the log tells of."""
    with Lab(name) as lab:
        segment = lab.segment("net")
        lab.dhcp_server(segment)
        server = lab.host("server", segment, f"{SERVER}/24")
        site = Site(lab, server, http_port=0)
        shutil.copytree(loaders(loader_suite), site.root, dirs_exist_ok=True)
        ca(site, "init", "--name", "boot.example", "--address", SERVER, "--key", "both")
        ca(site, "export", "--format", "uefi", "--out", lab.path("cacerts"))
        for step in phase:
            ca(site, "roll", step)
        site.start()
        machine = Machine(lab, segment, args=[
            "-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n",
            "-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n",
            "-fw_cfg", f"name=etc/edk2/https/cacerts,file={lab.path('cacerts')}"], **options)
        wait_until(lambda: fetched(site, "boot/x64/snponly.efi"), 200, "the loader by HTTPS")
        machine.stop()
        log = read(site.log("httpsbootd"))
        check(re.search("HEAD target=/2PXE/file/boot/x64/snponly.efi status=200", log), "asked as HTTP Boot does")
        suites = set(re.findall("agent=UefiHttpBoot|suite=(\\S+) agent=UefiHttpBoot", log))
        check(suites == {suite}, f"{suites}")


def test_firmware_https():
    """OVMF 2022.11 with the old CA enrolled, after `switch`: firmware finds its way along the chain, too."""
    https_boot("fwhttps", "trixie", ("begin", "switch"), "DHE-RSA-AES128-GCM-SHA256")


def test_new_firmware_https():
    """OVMF of 2026, with elliptic curves and stronger demands, takes the ECDSA certificate."""
    https_boot("fwnew", "trixie", (), "ECDHE-ECDSA-AES128-GCM-SHA256", flash=new_ovmf())


def test_cross_boot():
    """A loader that knows another root alone, which vouches for the site's CA: it asks where our offer says."""
    with Lab("crossboot") as lab:
        segment = lab.segment("net")
        server = lab.host("server", segment, f"{SERVER}/24")
        lab.dhcp_server(segment)
        site = Site(lab, server, httpsbootd={"ticket_rotation_s": 0})
        site.ca()
        root = lab.path("root")
        lab.sh(None, f"openssl req -x509 -newkey rsa:3072 -nodes -keyout {root}.key -out {root}.pem -subj "
                     "'/CN=Corp root' -days 100 2>/dev/null")
        ca(site, "cross", "--issuer", f"{root}.pem", "--issuer-key", f"{root}.key")
        with open(f"{loaders()}/boot/x64/snponly.efi", "rb") as f:
            loader = f.read()
        print_ = bytes.fromhex(lab.sh(None, f"openssl x509 -in {root}.pem -outform der | sha256sum")[:64])
        put(site, "boot/x64/corp.efi", loader.replace(PUBLIC_ROOT, print_))
        put(site, "step", b"#!ipxe\n")
        put(site, "boot/x64/autoexec.ipxe", f"""#!ipxe
dhcp
:again
imgfetch --name step https://{SERVER}:8050/2PXE/file/step || echo FAILED
imgfree step ||
sleep 1
goto again
""".encode())
        # without the rest of the chain iPXE has to ask for it
        pem = f"{site.run}/etc/tls/server.pem"
        leaf = read(pem).split("-----END CERTIFICATE-----\n")[0]
        with open(pem, "w", encoding="utf-8") as f:
            f.write(leaf + "-----END CERTIFICATE-----\n")
        site.start()
        check(roots(site) == [], "nothing is told that it could trust")
        machine = Machine(lab, segment)
        wait_until(lambda: fetched(site, "step") >= 1, 150, "it asked, and trusts us")
        check(re.search(r"target=\S*/auto/[0-9a-f]{8}\.der\S* status=200", read(site.log("httpsbootd"))), "it asked here")
        machine.stop()


TLS_1_3 = {"TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"}
COMPAT = {  # the suites of TLS 1.2 that docs/tls.md lists: forward secrecy, plain RSA
    "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-ECDSA-CHACHA20-POLY1305",
    "DHE-RSA-AES256-GCM-SHA384", "DHE-RSA-AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-GCM-SHA256",
    "AES256-SHA256", "AES256-SHA", "AES128-SHA256", "AES128-SHA"}


def testssl(lab, client, *options):
    """What it found."""
    lab.sh(client, f"cd {lab.dir} && rm -f found.json && testssl {' '.join(options)} --quiet --color 0 --warnings off "
                   f"--ip one --jsonfile found.json {SERVER}:8050", check_status=False)
    with open(lab.path("found.json"), encoding="utf-8") as f:
        return json.load(f)


def test_testssl():
    """testssl.sh finds nothing wrong with the strict profile; with compat LUCKY13, and the documented suites."""
    with Lab("testssl") as lab:
        _, _, client, site = network(lab, httpsbootd={"tls_profile": "strict"})
        ca(site, "init", "--name", "boot.example", "--address", SERVER, "--key", "both")
        site.start("handlerd", "httpsbootd")
        found = [x for x in testssl(lab, client, "-U") if x.get("cve") or x["id"] in ("secure_renego", "fallback_SCSV")]
        check(len(found) >= 15, f"it looked at {len(found)} things")
        bad = [x for x in found if x["severity"] not in ("OK", "INFO")]
        check(not bad, f"{bad}")
        site.kill("httpsbootd", 15)
        site.conf["httpsbootd"]["tls_profile"] = "compat"
        site.start("httpsbootd")
        found = {x["id"]: x["severity"] for x in testssl(lab, client, "--lucky13")}
        check(found["LUCKY13"] == "LOW", f"{found}")
        taken = set(TLS_1_3)
        for suite in TLS_1_3:
            check(f"Cipher is {suite}" in s_client(lab, client, f"-tls1_3 -ciphersuites {suite}"), suite)
        while True:  # each time without those that were taken
            out = s_client(lab, client, "-tls1_2 -cipher '" + ":!".join(["ALL:COMPLEMENTOFALL:@SECLEVEL=0", *taken]) + "'")
            suite = re.search(r"Cipher is ([^ (\n]+)", out)
            if not suite:
                break
            taken.add(suite[1])
            check("Server Temp Key: DH" not in out or "DH, 3072 bits" in out, out[-800:])
        check(taken == COMPAT | TLS_1_3, f"more: {taken - COMPAT}, less: {COMPAT - taken}")
