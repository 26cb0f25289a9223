#!/usr/bin/env python3
"""Hook "boot": a menu for technicians, behind a PIN.

Whoever presses Ctrl-B at the first line is asked for a PIN; everybody else boots as configured.
The PIN comes back as the parameters authmethod=pin and authvalue, as 2PXE's scripts send it.
technician.json beside this script holds its SHA-256 sum and the menu:

    {"pin_sha256": "73475cb4...", "entries": ["memtest", "rescue"]}

    printf %s 42 | sha256sum

A PIN that was wrong three times in a boot ends in the normal boot.  It crosses the network within
the boot request: with HTTPS off, in the clear.
"""
import hashlib
import hmac
import json
import os

import bootferry

SETTINGS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "technician.json")
TRIES = 3


def load():
    with open(SETTINGS, encoding="utf-8") as file:
        settings = json.load(file)
    bytes.fromhex(settings["pin_sha256"])
    if not settings["entries"]:
        raise ValueError("technician.json names no entries")
    return settings


def ask_pin(request, tries, first):
    before = [first, "set authvalue:string", "echo -n PIN:", "read authvalue ||"]
    if tries == 0:
        # "no" is what those send who do not press the key in time
        before = ["set authvalue:string no",
                  "prompt --key 0x02 --timeout 3000 Ctrl-B for the technician's menu ... || goto send",
                  *before[1:], ":send"]
    return bootferry.ask_back(
        request, {"authmethod": "pin", "authvalue": "${authvalue}", "tries": str(tries)}, before)


def answer(request):
    settings = load()
    params = bootferry.params(request)
    if params.get("authmethod") != "pin":
        return ask_pin(request, 0, "")
    value = params.get("authvalue", "")
    tries = params.get("tries", "0")
    tries = int(tries) if tries.isdigit() else TRIES
    given = hashlib.sha256(value.encode()).hexdigest()
    if hmac.compare_digest(given, settings["pin_sha256"].lower()):
        return {"action": "menu", "title": "Technicians", "entries": settings["entries"],
                "timeout_ms": 0, "reason": "the technicians' PIN"}
    if tries == 0 and value == "no":
        return {"action": "none", "reason": "nobody asked for the technicians' menu"}
    if tries + 1 >= TRIES:
        return {"action": "none", "reason": "wrong PIN"}
    return ask_pin(request, tries + 1, "echo Wrong PIN")


if __name__ == "__main__":
    bootferry.serve(answer, load)
