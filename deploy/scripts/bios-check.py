#!/usr/bin/env python3
"""Hook "boot": a machine whose BIOS is too old boots the updater first.

bios-versions.json beside this script says for a model (as the firmware calls it) which version it
needs and which entry brings it there:

    {"OptiPlex 7090": {"at_least": "1.20.0", "entry": "dell-bios"}}

iPXE knows the version (SMBIOS type 0, string 5): it is asked back for it, once.
"""
import json
import os
import re

import bootferry

VERSIONS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bios-versions.json")


def load():
    with open(VERSIONS, encoding="utf-8") as file:
        return json.load(file)


def key(version):
    """Numbers within a version count as numbers: 1.9 comes before 1.20."""
    return [(int(part), "") if part.isdigit() else (0, part)
            for part in re.findall(r"\d+|[A-Za-z]+", version)]


def answer(request):
    client = request["request"]
    wanted = load().get(client.get("product", ""))
    if wanted is None:
        return {"action": "none", "reason": "no BIOS version is asked of this model"}
    version = bootferry.params(request).get("bios")
    if version is None:
        return bootferry.ask_back(request, {"bios": "${smbios/0.5.0}"})
    if version and key(version) < key(wanted["at_least"]):
        return {"action": "entry", "entry": wanted["entry"],
                "reason": f"BIOS {version} is older than {wanted['at_least']}"}
    return {"action": "none", "reason": f"BIOS {version or 'of an unknown version'} will do"}


if __name__ == "__main__":
    bootferry.serve(answer, load)
