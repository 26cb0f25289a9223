"""httpsbootd against curl and openssl, and its own rules."""

import os
import time
import random
import threading

from lab import Lab, SERVER, check, network, read, wait_until
from test_tftp import put

BASE = f"https://{SERVER}:8050"


def start(site):
    site.ca()
    site.start("handlerd", "httpsbootd")
    wait_until(lambda: site.query("status")["services"], 5, "the announcement")


def curl(lab, client, site, arguments):
    """curl with the site's CA; status, headers and body's digest."""
    out = lab.path("body")
    if os.path.exists(out):
        os.remove(out)
    head = lab.sh(client, f"curl -sS --max-time 30 --cacert {site.run}/etc/ca/ca.pem -D - -o {out} "
                          f"{arguments}")
    # the last block: a "100 Continue" may come before it
    lines = head.replace("\r", "").rstrip("\n").split("\n\n")[-1].split("\n")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
    body = b""
    if os.path.exists(out):
        with open(out, "rb") as f:
            body = f.read()
    return int(lines[0].split()[1]), headers, body


def cpu_ticks(process):
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as f:
        return sum(int(x) for x in f.read().rsplit(")", 1)[1].split()[11:13])


def test_stalled_reader():
    """A client that stops reading costs no CPU and is dropped after idle_timeout_s."""
    with Lab("stalled") as lab:
        _, server, client, site = network(lab, httpsbootd={"idle_timeout_s": 5})
        put(site, "big", os.urandom(1 << 20) * 30)
        site.ca()
        site.start("handlerd", "httpsbootd")
        lab.spawn(client, ["python3", "-c",
                           "import socket, ssl, time\n"
                           "r = socket.socket(); r.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)\n"
                           "r.connect(('10.77.1.10', 8050)); c = ssl._create_unverified_context()\n"
                           "s = c.wrap_socket(r, server_hostname='boot.example')\n"
                           "s.sendall(b'GET /2PXE/file/big HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'); s.recv(1000)\n"
                           "time.sleep(60)"], "stalled.log")
        held = "ss -Htn state established sport = :8050"
        wait_until(lambda: lab.sh(server, held), 10, "the connection")
        time.sleep(6)
        before = cpu_ticks(site.daemons["httpsbootd"])
        time.sleep(2)
        used = cpu_ticks(site.daemons["httpsbootd"]) - before
        check(used < 20, f"it used {used} ticks in 2 s")
        wait_until(lambda: not lab.sh(server, held), 15, "the connection's end")
        check(curl(lab, client, site, f"{BASE}/2PXE/file/big")[0] == 200, "others are served")


def test_too_many_connections():
    """max_connections holds for both ports together; the daemon serves again when some have gone."""
    with Lab("many") as lab:
        _, server, client, site = network(lab, httpsbootd={"max_connections": 10, "workers": 2})
        put(site, "f", b"hello")
        site.ca()
        site.start("handlerd", "httpsbootd")
        holder = lab.spawn(client, ["python3", "-c",
                                    "import socket, time\n"
                                    "c = [socket.create_connection(('10.77.1.10', p)) for p in (8050, 8060) * 40]\n"
                                    "time.sleep(60)"], "many.log")
        count = "ss -Htn state established '( sport = :8050 or sport = :8060 )' | wc -l"
        wait_until(lambda: site.query("status") and int(lab.sh(server, count)) >= 8, 10, "connections")
        time.sleep(1)
        open_ = int(lab.sh(server, count))
        check(open_ <= 10, f"{open_} connections are open")
        before = cpu_ticks(site.daemons["httpsbootd"])
        time.sleep(1)
        check(cpu_ticks(site.daemons["httpsbootd"]) - before < 15, "and it rests")
        lab.stop(holder)
        wait_until(lambda: curl(lab, client, site, f"{BASE}/2PXE/file/f")[2] == b"hello", 10, "service")


def test_files():
    """GET, HEAD and Range, over both ports, with exact lengths and types."""
    with Lab("files") as lab:
        _, _, client, site = network(lab)
        data = random.Random(6).randbytes(3000000)
        put(site, "boot/x64/snponly.efi", data)
        put(site, "empty", b"")
        start(site)
        for base in (BASE, f"http://{SERVER}:8060"):
            url = f"{base}/2PXE/file/boot/x64/snponly.efi"
            status, head, body = curl(lab, client, site, url)
            check(status == 200 and body == data, "the whole file")
            check(head["content-length"] == "3000000" and head["content-type"] == "application/efi",
                  f"length and type: {head}")
            check("transfer-encoding" not in head and "content-encoding" not in head, "plain")
            status, other, body = curl(lab, client, site, f"-I {url}")
            check(status == 200, "HEAD")
            for key in ("content-length", "content-type", "etag", "last-modified"):
                check(other[key] == head[key], f"HEAD has the {key} of GET")
            status, part, body = curl(lab, client, site, f"-r 1000-1999 {url}")
            check(status == 206 and body == data[1000:2000], "a part")
            check(part["content-range"] == "bytes 1000-1999/3000000", f"its range: {part}")
            status, part, body = curl(lab, client, site, f"-r -500 {url}")
            check(status == 206 and body == data[-500:], "the end")
            check(curl(lab, client, site, f"-r 3000000- {url}")[0] == 416, "beyond the end")
            status, _, body = curl(lab, client, site, f"-r 0-1,5-6 {url}")
            check(status == 200 and body == data, "several parts: the whole")
            status, _, body = curl(lab, client, site, f"-r 0-9 -H 'If-Range: \"old\"' {url}")
            check(status == 200 and body == data, "of another version: the whole")
            status, _, body = curl(lab, client, site, f"-r 0-9 -H 'If-Range: {head['etag']}' {url}")
            check(status == 206 and body == data[:10], "of this version: the part")
            check(curl(lab, client, site, f"{base}/2PXE/file/empty")[0] == 200, "an empty file")
            for path in ("//2pxe//FILE/Boot/X64/SNPONLY.EFI", "/2PXE/file/boot%2Fx64%2Fsnponly.efi"):
                check(curl(lab, client, site, f"--path-as-is {base}{path}")[2] == data, path)
        put(site, "boot/x64/snponly.efi", data[:1000])
        check(curl(lab, client, site, f"{BASE}/2PXE/file/boot/x64/snponly.efi")[2] == data[:1000],
              "a replaced file")


def test_refusals():
    """What is not there, not allowed, or not HTTP gets an error, never anything of the system."""
    with Lab("refusals") as lab:
        _, _, client, site = network(lab)
        put(site, "f", b"x")
        os.symlink("/etc/passwd", f"{site.root}/link")
        start(site)
        for path, want in (("/2PXE/file/none", 404), ("/2PXE/file/../../etc/passwd", 403),
                           ("/2PXE/file/%2e%2e/secret", 403), ("/2PXE/file/link", 403),
                           ("/2PXE/file/a%00b", 404), ("/2PXE/file/.x", 403), ("/", 404),
                           ("/2PXE/file/", 404), ("/2PXE/other", 404), ("/2PXE/file/a%zz", 400)):
            status, _, body = curl(lab, client, site, f"--path-as-is '{BASE}{path}'")
            check(status == want and b"root:" not in body, f"{path}: {status}")
        check(curl(lab, client, site, f"-X DELETE {BASE}/2PXE/file/f")[0] == 405, "DELETE")
        with open(lab.path("huge"), "w", encoding="utf-8") as f:
            f.write("x=" + "a" * 2000000)
        status, _, body = curl(lab, client, site, f"-d @{lab.path('huge')} {BASE}/2PXE/boot")
        check(status == 200 and body.startswith(b"#!ipxe\n") and b"too large" in body,
              "a huge form gets a script that says so")


def test_boot_path():
    """The boot path answers with an iPXE script and status 200, whatever happens."""
    with Lab("bootpath") as lab:
        _, _, client, site = network(lab)
        put(site, "f", b"x")
        put(site, "k", b"kernel")
        start(site)
        url = f"{BASE}/2PXE/boot"

        def script(arguments):
            status, head, body = curl(lab, client, site, arguments)
            check(status == 200 and body.startswith(b"#!ipxe\n"), f"{arguments}: {status} {body[:80]}")
            check(int(head["content-length"]) == len(body), "the exact length")
            return body.decode()

        check("##params" in script(url), "who are you?")
        check("no image" in script(f"{url}?mac=52-54-00-12-34-56"), "no image yet")
        site.ferryctl("images", "add", "one", "--type", "linux", "--kernel", f"{site.root}/k",
                      "--title", "The first")
        site.ferryctl("images", "add", "two", "--type", "script", "--script", f"{site.root}/f",
                      "--default")
        text = script(f"-d mac=52:54:00:12:34:56 -d platform=efi {url}")
        check("item one The first" in text and "--default two" in text, text)
        check("set pxeurl https://10.77.1.10:8050/" in text, "HTTPS stays HTTPS")
        text = script(f"http://{SERVER}:8060/2PXE/boot?mac=52-54-00-12-34-56")
        check("set pxeurl http://10.77.1.10:8060/" in text, "HTTP stays HTTP")
        hostile = "mac=52:54:00:12:34:56&serial=%0Ashell&product=$%7Bnet0/mac%7D"
        text = script(f"-d '{hostile}' {url}")
        check("\nshell\n" not in text.replace(":shell\nshell ||\n", "") and "net0" not in text,
              "nothing of the client's stands in its script")
        site.ferryctl("images", "remove", "one")
        check("item one " not in script(f"{url}?mac=52-54-00-12-34-56"), "removed, and gone")
        site.kill("handlerd")
        text = script(f"{url}?mac=52-54-00-12-34-56")
        check("chain --replace --autofree /2PXE/boot" in text, "without handlerd: a script that retries")
        status, head, _ = curl(lab, client, site, f"{BASE}/2PXE/file/f")
        check(status == 503 and head["retry-after"] == "2", "files: try again later")


def test_reports():
    """A report moves its boot on, but not another machine's."""
    with Lab("reports") as lab:
        _, _, client, site = network(lab)
        start(site)
        curl(lab, client, site, f"{BASE}/2PXE/boot?mac=52-54-00-12-34-56")
        boot = site.boots()[0]["id"]
        status, _, body = curl(lab, client, site, f"{BASE}/2PXE/report/started?boot={boot}")
        check(status == 200 and body == b"#!ipxe\n", "a report is answered")
        check(site.query("boots", "show", boot)["phase"] == "started", "it counts")
        lab.sh(client, "ip addr add 10.77.1.51/24 dev eth0")
        curl(lab, client, site, f"--interface 10.77.1.51 '{BASE}/2PXE/report/done?boot={boot}'")
        check(site.query("boots", "show", boot)["phase"] == "started", "a stranger's does not")


def test_reports_differ():
    """Reports with different contents are lines of their own; the same one again is counted."""
    with Lab("differ") as lab:
        _, _, client, site = network(lab)
        start(site)
        curl(lab, client, site, f"{BASE}/2PXE/boot?mac=52-54-00-12-34-56")
        boot = site.boots()[0]["id"]
        for step in ("disk", "driver", "driver", "disk"):
            curl(lab, client, site, f"'{BASE}/2PXE/report/step?boot={boot}&step={step}'")

        def reports():
            return [(e["text"].split("step=")[1], e.get("repeats", 0))
                    for e in site.query("boots", "show", boot)["timeline"] if e["kind"] == "report"]
        wait_until(lambda: sum(1 + n for _, n in reports()) == 4, 10, "all four")
        check(reports() == [("disk", 0), ("driver", 1), ("disk", 0)], f"{reports()}")


def test_secrets():
    """A token or a PIN that a client sends appears in no log."""
    with Lab("secrets") as lab:
        _, _, client, site = network(lab)
        put(site, "x", b"x")
        start(site)
        secret = "AQACsecretSECRET0123456789"
        for arguments in (f"'{BASE}/2PXE/file/x?token={secret}&a=1'",
                          f"'{BASE}/2PXE/boot?mac=02-00-00-00-00-01&%74oken={secret}'",
                          f"-d 'mac=02-00-00-00-00-01&token={secret}' {BASE}/2PXE/boot",
                          f"'{BASE}/2PXE/report/started?AuthValue={secret}'"):
            check(curl(lab, client, site, arguments)[0] == 200, arguments)
        wait_until(lambda: "/2PXE/report/started" in read(site.log("httpsbootd")), 5,
                   "the line of the report")
        for daemon in ("httpsbootd", "handlerd"):
            check(secret not in read(site.log(daemon)), f"nothing in the log of {daemon}")
        check("token=..." in read(site.log("httpsbootd")), "but that there was one")


def test_tls():
    """The suites that boot clients need are there, the chain has its root, old protocols are off."""
    with Lab("tls") as lab:
        _, _, client, site = network(lab)
        start(site)

        def connect(arguments):
            return lab.sh(client, f"timeout 10 openssl s_client -connect {SERVER}:8050 -CAfile "
                                  f"{site.run}/etc/ca/ca.pem -verify_return_error {arguments} "
                                  "</dev/null 2>&1", check_status=False)

        for suite in ("ECDHE-RSA-AES128-GCM-SHA256", "DHE-RSA-AES256-GCM-SHA384", "AES256-GCM-SHA384",
                      "AES256-SHA256", "AES128-SHA256", "AES256-SHA", "AES128-SHA"):
            out = connect(f"-tls1_2 -cipher {suite}")
            check(f"Cipher is {suite}" in out, f"{suite}: {out[-500:]}")
        for suite in ("ECDHE-RSA-AES256-SHA384", "ECDHE-RSA-AES128-SHA", "DHE-RSA-AES128-SHA"):
            check("Cipher is (NONE)" in connect(f"-tls1_2 -cipher {suite}"), f"{suite}: no boot client needs it")
        check("Protocol  : TLSv1.3" in connect("-tls1_3") or "TLSv1.3" in connect("-tls1_3"), "TLS 1.3")
        check("Cipher is (NONE)" in connect("-tls1_1 -cipher DEFAULT@SECLEVEL=0"), "TLS 1.1 is off")
        check("Cipher is (NONE)" in connect("-tls1_2 -cipher aNULL@SECLEVEL=0"), "no suite without key")
        out = connect("-showcerts -verify_ip 10.77.1.10 -verify_hostname boot.example")
        check(out.count("BEGIN CERTIFICATE") == 2 and "Verify return code: 0" in out, "leaf and root")
        out = connect("-sess_out /dev/null -reconnect -tls1_2")
        check("Reused" in out, "sessions are resumed")
        lab.sh(client, f"curl -sS --max-time 5 https://{SERVER}:8050/ || true")
        wait_until(lambda: "does not trust this site's CA" in read(site.log("httpsbootd")), 5,
                   "a client without trust is named in the log")


def test_survives_handlerd():
    """kill -9 of handlerd during an HTTPS transfer: it finishes, and its record is there."""
    with Lab("httpsurvive") as lab:
        _, _, client, site = network(lab)
        data = random.Random(7).randbytes(20000000)
        sha = put(site, "images/big", data)
        start(site)
        result = {}
        thread = threading.Thread(target=lambda: result.update(lab.client(
            client, "slow_download", address=SERVER, port=8050, path="/2PXE/file/images/big",
            seconds=3)))
        thread.start()
        wait_until(lambda: "transfer-began" in site.kinds(), 5, "the transfer began")
        site.kill("handlerd")
        thread.join()
        check(result == {"status": "200", "bytes": len(data), "sha": sha}, f"it finished: {result}")
        site.start("handlerd")
        wait_until(lambda: "transfer-finished" in site.kinds(), 5, "its end is in the timeline")
        check(site.kinds() == ["file", "transfer-began", "transfer-finished"], f"{site.kinds()}")
        check(curl(lab, client, site, f"{BASE}/2PXE/file/images/big")[0] == 200, "and all goes on")


def test_certificate_reload():
    """A new certificate is taken by a reload; a bad one is refused and the old one stays."""
    with Lab("reload") as lab:
        _, _, client, site = network(lab)
        start(site)

        def served():
            return lab.sh(client, f"openssl s_client -connect {SERVER}:8050 </dev/null 2>/dev/null "
                                  "| openssl x509 -noout -fingerprint")

        first = served()
        site.ferryctl("ca", "init", "--dir", f"{site.run}/etc", "--name", "boot.example", "--address",
                      SERVER, "--force")
        control = ["--socket", f"{site.run}/httpsbootd.sock"]
        site.ferryctl(*control, "reload")
        second = served()
        check(second != first, "the new certificate is served")
        with open(f"{site.run}/etc/tls/server.pem", "w", encoding="utf-8") as f:
            f.write("junk")
        site.ferryctl(*control, "reload")
        check(served() == second, "a bad one is not taken")
        check("server.pem" in read(site.log("httpsbootd")), "and named in the log")
