"""What a client posts in confidence is used and forgotten: PINs and tokens are written nowhere."""

import os
import re

from lab import Lab, check, network, wait_until
from test_decisions import Machine, entries
from test_http import BASE, curl, start
from test_tftp import put

PIN = "PIN73190846"
TOKEN = "TOKEN55512093"


def holders(folder, secret):
    """The files below a folder that hold the secret."""
    found = []
    for top, _, names in os.walk(folder):
        for name in names:
            path = f"{top}/{name}"
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    if secret.encode() in f.read():
                        found.append(path)
    return found


def test_pin():
    """A PIN typed at a prompt and a token are in no log, no timeline and no recorded request."""
    with Lab("pin") as lab:
        _, _, client, site = network(lab, handlerd={"entries": entries()})
        start(site)
        pc = Machine(lab, client, site)
        pc.ask(authvalue=PIN, token=TOKEN, room="ROOM100")
        pc.ask("report/started", authvalue=PIN, tokenid=TOKEN, room="ROOM200")
        for known in ("ROOM100", "ROOM200"):  # what is no secret is there, so this test sees the store
            wait_until(lambda word=known: holders(site.run, word), 10, f"{known} in the store")
        check(not holders(site.run, PIN), f"the PIN is in {holders(site.run, PIN)}")
        check(not holders(site.run, TOKEN), f"the token is in {holders(site.run, TOKEN)}")


def test_twins():
    """Two PCs with one MAC, and two behind one address: each boots, and its files stand in its own timeline."""
    with Lab("twins") as lab:
        _, _, client, site = network(lab)
        put(site, "../in/k", b"kernel")
        start(site)
        site.ferryctl("images", "add", "hush", "--type", "linux", "--kernel", lab.path("in/k"), "--secret")
        for n in (101, 102, 103):
            lab.sh(client, f"ip addr add 10.77.1.{n}/24 dev eth0")

        def boot(n, mac, more=""):
            """Its boot's id and token."""
            text = curl(lab, client, site, f"--interface 10.77.1.{n} -d mac={mac} -d platform=efi -d buildarch=x86_64 "
                                           f"{more} {BASE}/2PXE/boot")[2].decode()
            return re.search(r"set bootid (\S+)", text)[1], re.search(r"token[= ]([\w-]{84})", text)[1]

        def file(n, token):
            return curl(lab, client, site, f"--interface 10.77.1.{n} '{BASE}/2PXE/file/images/hush/k?token={token}'")[0]

        def files(boot_):
            return [e["file"] for e in site.query("boots", "show", boot_)["timeline"] if e["kind"] == "file"]

        one, other = boot(101, "52:54:00:00:00:01", "-d serial=A"), boot(102, "52:54:00:00:00:01", "-d serial=B")
        check(file(101, one[1]) == 200 and file(102, other[1]) == 200, "each has its file by its own token")
        wait_until(lambda: sum(len(files(b)) for b in {one[0], other[0]}) == 2, 5, "all that in the boots of that MAC")
        check(all("mac" in b for b in site.boots()), f"no boot of nobody: {site.boots()}")
        check(file(102, one[1]) == 403 and file(101, other[1]) == 403, "and by no other")
        first, second = boot(103, "52:54:00:00:00:11"), boot(103, "52:54:00:00:00:12")
        check(first[0] != second[0], "two MACs are two boots")
        check(file(103, first[1]) == 200 and file(103, second[1]) == 200 and file(103, first[1]) == 200, "both have their files")
        wait_until(lambda: len(files(first[0])) == 2 and len(files(second[0])) == 1, 5, "each in its own timeline")
