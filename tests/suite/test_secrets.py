"""What a client posts in confidence is used and forgotten: PINs and tokens are written nowhere."""

import os

from lab import Lab, check, network, wait_until
from test_decisions import Machine, entries
from test_http import start

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
