"""Machines: told apart by evidence, merged, split, and remembered over kill -9."""

from lab import Lab, check, network
from test_http import BASE, curl, start

UUID = "01020304-0506-0708-090a-0b0c0d0e0f%02x"


def test_machines():
    """Second adapters, moved adapters and cloned UUIDs; what people merge and split stays."""
    with Lab("machines") as lab:
        _, _, client, site = network(lab)
        start(site)

        def boot(mac, uuid=None, serial=None):
            form = f"-d mac=52:54:00:00:00:{mac:02x} -d manufacturer=Acme"
            form += f" -d uuid={UUID % uuid}" if uuid else ""
            form += f" -d serial={serial}" if serial else ""
            # each from an address of its own: a boot is also known by it
            lab.sh(client, f"ip addr replace 10.77.1.{100 + mac}/24 dev eth0")
            status, _, _ = curl(lab, client, site, f"--interface 10.77.1.{100 + mac} {form} {BASE}/2PXE/boot")
            check(status == 200, "a script")

        boot(1, 1, "SN0001")
        boot(2, 1)
        machines = site.query("machines", "list")
        check(len(machines) == 1 and machines[0]["boots"] == 2, f"one machine, two adapters: {machines}")
        m = site.query("machines", "show", "52:54:00:00:00:02")
        check([x["mac"] for x in m["macs"]] == ["52:54:00:00:00:02", "52:54:00:00:00:01"], "both MACs")
        check(site.query("machines", "show", "SN0001")["id"] == m["id"], "by serial number")
        swapped = "04030201-0605-0807-090a-0b0c0d0e0f01"
        check(site.query("machines", "show", swapped)["id"] == m["id"], "by its UUID the other way round")
        check(len(site.query("boots", "list", "--machine", "SN0001")) == 2, "its boots")
        check(site.query("machines", "duplicates") == [], "nothing is shared")

        boot(3, 1, "SN0003")
        d = site.query("machines", "duplicates")
        check([x["reason"] for x in d] == ["uuid-cloned"] and len(d[0]["machines"]) == 2, f"{d}")
        check("several serial numbers" in site.ferryctl("machines", "duplicates"), "in words")
        r = site.query("machines", "identify", "--mac", "52-54-00-00-00-03", "--uuid", UUID % 1)
        check(r["machine"] == 2 and len(r["candidates"]) == 2, f"{r}")
        check(r["candidates"][1]["evidence"]["uuid"] == {"verdict": "same", "points": 50}, "evidence")
        check("mac +40 same" in site.ferryctl("machines", "identify", "--mac", "525400000003"), "in words")

        last = site.query("boots", "list", "--machine", "#2")[0]["id"]
        curl(lab, client, site, f"--interface 10.77.1.103 '{BASE}/2PXE/report/done?boot={last}'")
        check(site.query("machines", "show", "#2")["phase"] == "done", "how its last boot ended")

        site.ferryctl("machines", "merge", "#1", "#2")
        check(site.query("machines", "show", "#2")["id"] == 1, "the old id is a name")
        site.ferryctl("machines", "split", "#1", "52:54:00:00:00:03")
        site.kill("handlerd")
        site.start("handlerd")
        m = site.query("machines", "show", "#1")
        check(len(m["macs"]) == 2 and m["serial"] == "SN0001", f"as it was: {m}")
        check([e["kind"] for e in m["events"]] == ["split", "merged"], "and what was done")
        check(all(e["by"] == "root" for e in m["events"]), "by whom")
        third = site.query("machines", "show", "#3")
        check(third["mac"] == "52:54:00:00:00:03" and len(third["history"]) == 1, "with its boot")
        for bad in (("merge", "#1", "#1"), ("merge", "#1", "#99"), ("split", "#3", "52:54:00:00:00:03"),
                    ("split", "#1", "SN9"), ("show", "nobody"), ("identify", "--mac", "x")):
            p = site.ferryctl("machines", *bad, ok=False)
            check(p.returncode == 1 and p.stderr != "", f"{bad} is refused")
