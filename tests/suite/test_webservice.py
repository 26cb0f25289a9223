"""The web service over TLS: it decides, it is told, and when it fails each client has its fall-back."""

import json
import os
import sys
import time

from booting import Booting, address, items
from lab import SERVER, TOP, check, read, wait_until
from test_http import BASE, curl

HOST = "10.77.1.20"
CALLS = 4  # under way at a time


class Served(Booting):
    """A site with a web service on a host of its own (tests/suite/webservice.py)."""

    def __init__(self, name, *features, **keys):
        super().__init__(name)
        self.folder = self.lab.path("service")
        os.mkdir(self.folder)
        self.process = None
        self.host = self.lab.host("service", self.segment, f"{HOST}/24")
        with open(self.lab.path("token"), "w", encoding="ascii") as f:
            f.write("s3cret\n")
        self.serve()
        self.site.conf["handlerd"]["webservice"] = {
            # it wants our certificate, and is known by its CA alone
            "urls": [f"https://{HOST}:8053"], "ca": f"{self.folder}/ca.pem",
            "certificate": f"{self.folder}/client.pem", "token_file": self.lab.path("token"),
            "timeout_ms": 1000, "max_calls": CALLS, "features": {f: True for f in features},
            "breaker": {"max_wait_ms": 2000}, **keys}

    def serve(self):
        count = read(self.lab.path("service.log")).count("ready")
        self.process = self.lab.spawn(
            self.host, [sys.executable, f"{TOP}/tests/suite/webservice.py", self.folder, HOST,
                        "8051", "8052", "8053"], "service.log")
        wait_until(lambda: read(self.lab.path("service.log")).count("ready") > count, 20, "the web service")

    def kill(self):
        self.lab.stop(self.process)

    def put(self, name, text):
        with open(f"{self.folder}/.{name}", "w", encoding="utf-8") as f:
            f.write(text)
        os.rename(f"{self.folder}/.{name}", f"{self.folder}/{name}")

    def mode(self, mode):
        self.put("mode", mode)

    def answer(self, path="v1_boot", **keys):
        self.put(f"{path}.json", json.dumps(keys))

    def requests(self, path=None):
        """What the service was asked, with the bodies decoded."""
        lines = [json.loads(x) for x in read(f"{self.folder}/requests").splitlines()]
        for r in lines:
            r["body"] = json.loads(r["body"] or "{}")
        return [r for r in lines if path is None or r["path"] == path]

    def recovers(self, mac, wanted):
        """The service decides again, by one machine's boot requests."""
        wait_until(lambda: wanted in self.boot(mac), 15, "the service decides again", pause=0.5)


def test_decisions():
    """A script, an entry, no, wait and then yes, not me: as the service says; the site decides the rest."""
    with Served("decisions", "boot_request") as b:
        b.start()
        b.answer(action="script", script="#!ipxe\necho from the service\n", reason="ordered by Ann")
        check("\necho from the service\n" in b.boot(1, product="NUC"), "its script")
        check(b.why(1) == ("webservice", "source-script"), f"{b.why(1)}")
        check(b.last(1)["text"] == "ordered by Ann", f"its reason: {b.last(1)}")
        request = b.requests("/v1/boot")[0]
        check(request["headers"]["Authorization"] == "Bearer s3cret", f"with our token: {request}")
        check(request["body"]["type"] == "boot_request" and request["body"]["request"]["product"] == "NUC",
              f"who asks: {request}")
        check(request["body"]["pxeurl"] == f"{BASE}/", "and where")
        b.answer(action="entry", entry="win11")
        check("images/win11/" in b.boot(2) and b.why(2) == ("webservice", "source-entry"), "an entry")
        b.answer(action="deny", text="Not before Monday.")
        check("echo Not before Monday.\n" in b.boot(3) and b.why(3) == ("webservice", "source-denies"), "no")
        b.answer(action="hold", text="Ann has to say yes.")
        text = b.boot(4)
        check("echo Ann has to say yes.\n" in text and "asking again in" in text, text)
        b.last(4, "approval-wanted")
        b.answer(action="entry", entry="memtest")
        wait_until(lambda: "images/memtest/" in b.boot(4), 10, "it was approved, and goes on")
        b.answer(wsoverride=True)
        check(items(b.boot(5)) and b.why(5) == ("default", "menu"), f"the site decides: {b.why(5)}")
        b.answer(action="menu", entries=["win11", "memtest"], default="memtest")
        text = b.boot(6)
        check(items(text) == ["memtest", "win11"] and "--default memtest" in text, text)
        check("images/win11/" in b.boot(6, entry="win11"), "what was chosen")
        asked = len(b.requests("/v1/boot"))
        b.boot(6, authmethod="pin", authvalue="1")
        b.boot(6, authmethod="pin", authvalue="2")
        check(len(b.requests("/v1/boot")) == asked + 2, "what a person typed is a question of its own")
        b.answer(action="entry", entry="memtest", mistake=1)
        check(items(b.boot(7)) and b.why(7) == ("default", "menu"), "a bad answer is none")
        check("mistake" in read(b.site.log("handlerd")), "and is in the log")


def test_carry():
    """What the service hands to a client comes back to it with the next request, and so do its tokens."""
    with Served("carry", "boot_request") as b:
        b.start()
        b.answer(action="menu", entries=["memtest", "win11"], tokenid="t-1", requestid="r-2", statusid="s-3",
                 wsurl="https://ws.example/", offerid="o4", mandatory=True,
                 paramdata={"class": "b", "mac": "000000000000"}, status="step 1 of 2")
        text = b.boot(1)
        for line in ("set tokenid t-1", "set requestid r-2", "set statusid s-3", "set wsurl https://ws.example/",
                     "set offerid o4", "set mandatory true", "set class b",
                     "param --params paramdata class ${class} ||", "param --params paramdata offerid ${offerid} ||"):
            check(f"\n{line}\n" in text, f"{line}: {text}")
        check("set mac" not in text, "but nothing that is ours")
        check(b.last(1, "status")["text"] == "step 1 of 2", "what it says of this boot")
        b.answer(action="entry", entry="win11")
        text = b.boot(2, tokenid="t-1", offerid="o4", mandatory="true", **{"class": "b"})
        body = b.requests("/v1/boot")[-1]["body"]
        check((body["tokenid"], body["offerid"], body["mandatory"]) == ("t-1", "o4", True), f"{body}")
        check(body["paramdata"]["class"] == "b", "all of it")
        # the service says nothing new: the client's own goes on along
        check("param --params paramdata class " in text and "set class" not in text, text)
        b.answer(action="entry", entry="win11", tokenid="a word${net0/mac}")
        check(items(b.boot(3)) and b.why(3) == ("default", "menu"), "what iPXE would expand is a bad answer")


def test_reports():
    """Configuration, download, its end, the start: each report arrives, in order, also after an outage."""
    with Served("reports", "report_configuration", "report_download_start", "report_download_complete",
                "report_boot") as b:
        b.start()
        b.kill()
        b.site.conf["handlerd"]["rules"] = [{"name": "all", "action": "entry", "entry": "win11"}]
        b.reload()
        text = b.boot(1)
        check("images/win11/" in text, text)
        boot = b.site.boots()[0]["id"]
        status, _, body = curl(b.lab, b.client, b.site, f"'{BASE}/2PXE/file/images/win11/win11'")
        check(status == 200 and body == b"win11", "the kernel")
        wait_until(lambda: b.last(1, "transfer-finished"), 10, "the end of the transfer")
        curl(b.lab, b.client, b.site, f"'{BASE}/2PXE/report/started?boot={boot}'")
        b.serve()
        wait_until(lambda: len(b.requests()) >= 4, 20, "the reports")
        time.sleep(0.5)
        got = b.requests()
        check([r["path"] for r in got] == [f"/v1/report/{x}" for x in (
            "configuration", "download-start", "download-complete", "boot")], f"{[r['path'] for r in got]}")
        for r in got:
            check(r["body"]["request"]["mac"] == address(1) and r["body"]["boot"] == boot, f"{r}")
        check(got[0]["body"]["entry"] == "win11" and got[2]["body"]["bytes"] == 5, f"{got}")
        check(got[3]["body"]["report"] == "started" and got[3]["body"]["phase"] == "started", f"{got[3]}")
        check(len({r["headers"]["Idempotency-Key"] for r in got}) == 4, "each has a key of its own")


def test_failing():
    """Dead, failing, silent, talking nonsense: fall-back for all, one probe a second for the service."""
    with Served("failing", "boot_request") as b:
        b.start()
        b.answer(action="entry", entry="win11")
        check("images/win11/" in b.boot(0xffff), "at first it decides")
        base = 0
        for mode, fallback in (("status 500", "local"), ("hang", "deny"), ("reset", "wait"), (None, "local")):
            b.reload(webservice={"fallback": {"boot_request": fallback}})
            seen = len(b.requests())
            if mode is None:
                b.kill()
            else:
                b.mode(mode)
            answers = b.post(*({"mac": address(base + i)} for i in range(500)), secure=False, parallel=25)
            for i, a in enumerate(answers):
                what = f"{mode}: {b.why(base + i)}: {a['body']}" if i in (0, 499) else f"{mode}: {a['body']}"
                if fallback == "local":
                    check(items(a["body"]), what)
                elif fallback == "deny":
                    check("may not boot" in a["body"] and items(a["body"]) is None, what)
                else:
                    check("does not answer" in a["body"] and "asking again in" in a["body"], what)
            check(b.why(base + 499)[1] == ("menu" if fallback == "local" else "source-failed"), f"{b.why(base + 499)}")
            # those that were under way when the breaker opened, then probes alone
            got = [r["ms"] for r in b.requests()[seen:]]
            check(len(got) <= 5 + CALLS + 10, f"{mode}: {len(got)} calls")
            probes = got[5 + CALLS:]
            check(all(y - x >= 900 for x, y in zip(probes, probes[1:])), f"{mode}: probes at {probes}")
            web = b.site.query("status")["sources"]["webservice"]
            check(web["urls"][0]["breaker"] != "closed", f"{mode}: {web}")
            if mode is None:
                b.serve()
            b.mode("answer")
            b.recovers(base + 1000, "images/win11/")
            base += 0x1000
        check(b.site.query("status")["deciding"]["late"] == 0, "nobody was put off")


def test_last_good():
    """The last good answer stands in while the service is dead, unless the service forbade that."""
    with Served("lastgood", "boot_request", cache={"age_s": 3600}, fallback={"boot_request": "deny"}) as b:
        b.start()
        b.answer(action="entry", entry="win11")
        check("images/win11/" in b.boot(1), "a good answer")
        b.answer(action="entry", entry="memtest", keep=False)
        check("images/memtest/" in b.boot(2), "one that is for now")
        b.kill()
        time.sleep(1.2)  # what was said is one answer for the requests of a second
        check("images/win11/" in b.boot(1) and b.why(1) == ("webservice", "source-entry"), "it stands in")
        check("may not boot" in b.boot(2) and b.why(2) == ("webservice", "source-failed"), "it does not")
        check("may not boot" in b.boot(3), "nor for others")
        b.serve()
        b.answer(action="entry", entry="debian-12")
        b.recovers(1, "images/debian-12/")


def test_pixiecore():
    """A service written for pixiecore: an entry, a script, a machine that it does not know."""
    with Served("pixiecore", "boot_request", dialect="pixiecore") as b:
        b.start()
        # pixiecore's own services speak plain HTTP
        b.reload(webservice={"urls": [f"http://{HOST}:8051/api"], "token_file": ""})
        b.answer("api_v1_boot_52-54-00-00-00-01", kernel="/kernel", initrd=["initrd.0", "http://x.example/1"],
                 cmdline="root={{ URL \"disk\" }} quiet", message="Rescue system")
        b.put("api_v1_boot_52-54-00-00-00-02.json", json.dumps({"ipxe-script": "#!ipxe\necho pixie\n"}))
        text = b.boot(1)
        check(b.why(1) == ("webservice", "source-entry"), f"{b.why(1)}")
        for word in (f"http://{HOST}:8051/kernel", f"http://{HOST}:8051/api/initrd.0", "http://x.example/1",
                     f"root=http://{HOST}:8051/api/disk quiet"):
            check(word in text, f"{word}: {text}")
        check("\necho pixie\n" in b.boot(2), "its script")
        check("leaving network boot" in b.boot(3) and b.why(3) == ("webservice", "local"), "one it does not know")
        b.reload(webservice={"not_found": "none"})
        check(items(b.boot(4)), "of which nothing is meant")
        check({(r["method"], r["path"]) for r in b.requests()} >= {("GET", "/api/v1/boot/52:54:00:00:00:01")},
              f"{b.requests()}")


def test_winpe():
    """Files that WinPE gets are what the service says at that moment, for this machine; or not there."""
    with Served("winpe", "winpe_start", "winpeshl", "config", "extra_file") as b:
        b.start()
        b.boot(1, serial="S-1", product="NUC")

        def get(name, base=BASE):
            status, _, body = curl(b.lab, b.client, b.site, f"'{base}/2PXE/file/winpe/{name}'")
            return status, body.decode()

        b.answer("v1_winpe_winpeshl", text="[LaunchApp]\r\nAppPath=X:\\\\setup.exe\r\n")
        check(get("winpeshl.ini") == (200, "[LaunchApp]\r\nAppPath=X:\\\\setup.exe\r\n"), f"{get('winpeshl.ini')}")
        asked = b.requests("/v1/winpe/winpeshl")[0]["body"]
        check(asked["type"] == "winpeshl" and asked["request"]["mac"] == address(1) and
              asked["request"]["serial"] == "S-1", f"for which machine: {asked}")
        b.answer("v1_winpe_start", text="net use Z: \\\\server\\share\r\n")
        check(get("Start.cmd")[1].startswith("net use Z:"), "another one, in any case")
        check(get("start.cmd", f"http://{SERVER}:8060")[0] == 200, "over plain HTTP, too")
        b.answer("v1_winpe_config", text="")
        check(get("config.ini")[0] == 404, "nothing is wanted")
        b.answer("v1_winpe_extra-file", name="a.txt", text="extra")
        check(get("extra") == (200, "extra"), "the extra file")
        check(get("end.cmd")[0] == 404, "a feature that is off")
        check(b.requests("/v1/winpe/end") == [], "is not asked for")
        check(get("other.ini")[0] == 404, "nor is anything else")
        os.mkdir(f"{b.site.root}/winpe")
        with open(f"{b.site.root}/winpe/config.ini", "w", encoding="ascii") as f:
            f.write("the site's")
        check(get("config.ini") == (200, "the site's"), "a real file wins")
        lines = [e for e in b.site.query("boots", "show", b.site.boots()[0]["id"])["timeline"]
                 if e["kind"] == "file" and e.get("rule") == "winpe"]
        check({e["reason"] for e in lines} == {"source-file", "no-such-file"}, f"{lines}")
        # what an entry does with it
        b.site.conf["handlerd"]["entries"] = [
            {"name": "pe", "type": "wim", "wimboot": "images/pe/wimboot", "wim": "images/pe/boot.wim",
             "files": ["winpe/winpeshl.ini as winpeshl.ini"]}]
        b.kill()
        b.reload(webservice={"fallback": {"winpeshl": "wait"}})
        text = b.boot(2, entry="pe")
        check("initrd --name winpeshl.ini ${fileurl}winpe/winpeshl.ini winpeshl.ini ||\n" in text, text)
        b.boot(2)
        check(get("winpeshl.ini")[0] == 503, "the client is to ask again")
        time.sleep(1.2)
        check(get("start.cmd")[0] == 404, "without the service: nothing is added")
        b.serve()
        wait_until(lambda: get("winpeshl.ini")[0] == 200, 15, "the service is back", pause=0.5)
