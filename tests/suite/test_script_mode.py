"""Mode `script` with real workers: handlerd asks, and whatever they do, each client gets a script."""

import json
import os
import shutil
import time

import dhcp
from booting import Booting, address, hexmac, items
from lab import TOP, check, loaders, read, wait_until

# Answers as its plan says, by machine or for all; writes down what it was asked, first of all.
WORKER = '''#!/usr/bin/env python3
import json, os, sys, time
name = os.path.basename(__file__)
print(name, "starts", file=sys.stderr, flush=True)
for line in sys.stdin:
    r = json.loads(line)
    if r["type"] == "self-test":
        print('{"ok":true}', flush=True)
        continue
    mac = r["request"].get("mac")
    with open(name + ".asked", "a") as f:
        f.write(json.dumps({"mac": mac, "stage": r["request"]["stage"], "at": time.time()}) + "\\n")
    with open(name + ".json") as f:
        plan = json.load(f)
    answer = dict(plan.get(mac) or plan["*"])
    time.sleep(answer.pop("sleep", 0))
    if answer.pop("die", False):
        os.kill(os.getpid(), 9)
    print(answer.pop("raw", None) or json.dumps(answer), flush=True)
'''


class Hooks(Booting):
    """A site whose hooks are such workers."""

    def __init__(self, name, hooks, **script):
        super().__init__(name)
        self.folder = self.lab.path("hooks")
        os.mkdir(self.folder)
        for hook in hooks:
            self.install(hook, WORKER)
            self.plan(hook, {"*": {"action": "none"}})
        self.site.conf["handlerd"]["script"].update(
            {hook: f"{self.folder}/{hook}" for hook in hooks}, workers=2, **script)

    def install(self, name, text):
        """Puts a script in place of another as an editor or a package does: at once."""
        fresh = f"{self.folder}/.{name}"
        with open(fresh, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(fresh, 0o755)
        os.rename(fresh, f"{self.folder}/{name}")

    def plan(self, hook, plan):
        fresh = f"{self.folder}/.{hook}.json"
        with open(fresh, "w", encoding="utf-8") as f:
            json.dump({k if k == "*" else address(k): v for k, v in plan.items()}, f)
        os.rename(fresh, f"{self.folder}/{hook}.json")

    def asked(self, hook, mac=None):
        lines = [json.loads(line) for line in read(f"{self.folder}/{hook}.asked").splitlines()]
        return [x for x in lines if mac is None or x["mac"] == address(mac)]

    def pool(self, hook):
        return self.site.query("status")["sources"][hook]


def test_hooks():
    """allow_boot denies, holds and allows; images gives the menu; boot gives a whole script."""
    with Hooks("hooks", ("allow_boot", "boot")) as b:
        # the third one is a sample of ours, as it is delivered
        shutil.copy(f"{TOP}/deploy/scripts/subnet-images.sh", b.folder)
        b.site.conf["handlerd"]["script"]["images"] = f"{b.folder}/subnet-images.sh"
        b.start()
        b.plan("allow_boot", {"*": {"action": "allow"}, 1: {"action": "deny", "text": "Not you.",
                                                          "reason": "stolen"},
                              2: {"action": "hold", "text": "Wait for Ann."}})
        b.plan("boot", {"*": {"action": "none"},
                        4: {"action": "script", "script": "#!ipxe\necho from the hook\n"},
                        5: {"action": "entry", "entry": "win11"}, 6: {"action": "local"},
                        7: {"action": "entry", "entry": {"name": "live", "type": "linux",
                                                         "kernel": "images/win11/win11"}}})
        text = b.boot(1)
        check("echo Not you.\n" in text and items(text) is None, text)
        check(b.why(1) == ("allow_boot", "source-denies"), f"{b.why(1)}")
        text = b.boot(2)
        check("echo Wait for Ann.\n" in text and "asking again in" in text, text)
        check(b.why(2) == ("allow_boot", "approval"), f"{b.why(2)}")
        b.last(2, "approval-wanted")
        text = b.boot(3)
        check(items(text) == ["debian-12", "memtest"], f"the images of subnet lab: {text}")
        check("--default debian-12" in text, "and the default")
        check(b.why(3) == ("images", "menu"), f"{b.why(3)}")
        check(len(b.asked("allow_boot", 3)) == 1, "each hook is asked once for a request")
        text = b.boot(3, entry="memtest")
        check("images/memtest/" in text and items(text) is None, f"what was chosen: {text}")
        check(b.why(3)[1] == "chosen", f"{b.why(3)}")
        text = b.boot(3, entry="win11")
        check("not in the menu" in text and "images/win11/" not in text, "what the hook did not offer")
        check("\necho from the hook\n" in b.boot(4), "the hook's own script")
        check(b.why(4) == ("boot", "source-script"), f"{b.why(4)}")
        check(b.asked("allow_boot", 4) == [], "after a whole answer nobody else is asked")
        check("images/win11/" in b.boot(5), "an entry")
        check(b.why(5) == ("boot", "source-entry"), f"{b.why(5)}")
        check("Bootferry: leaving network boot" in b.boot(6) and b.why(6) == ("boot", "local"), "local")
        check("2PXE/file/images/win11/win11" in b.boot(7).replace("${fileurl}", "2PXE/file/"), "told whole")


def test_broken():
    """A worker that dies, talks nonsense, is silent or is not there: the stated fall-back, each time."""
    ways = {1: {"die": True}, 2: {"raw": "this is no JSON"}, 3: {"sleep": 60},
            4: {"action": "allow", "acton": "deny"}, 5: {"raw": '{"action": "boot"}'}}
    with Hooks("broken", ("allow_boot",), deadline_ms=700) as b:
        b.start()
        b.plan("allow_boot", {"*": {"action": "allow"}, **{
            base + i: way for base in (0x100, 0x200, 0x300) for i, way in ways.items()}})
        for base, fallback in ((0x100, "local"), (0x200, "deny"), (0x300, "wait")):
            b.reload(script={"fallback": fallback})
            for i, way in ways.items():
                text = b.boot(base + i)
                what = f"{fallback}, {way}: {b.why(base + i)}: {text}"
                if fallback == "local":
                    check(items(text) and b.why(base + i) == ("default", "menu"), what)
                elif fallback == "deny":
                    check("echo This machine may not boot from here.\n" in text and items(text) is None, what)
                else:
                    check("does not answer" in text and "asking again in" in text, what)
                if fallback != "local":
                    check(b.why(base + i) == ("allow_boot", "source-failed"), what)
                # a worker that died has a successor at once, or after a pause that grows
                wait_until(lambda: b.pool("allow_boot")["idle"] > 0, 20, "a worker")
            check(items(b.boot(base)), "others are served as ever")
        log = read(b.site.log("handlerd"))
        for word in ("allow_boot: ", "acton"):
            check(word in log, f"{word}: what is wrong is in the log")
        # no script at all: one that cannot start, from the beginning
        b.install("allow_boot", "#!/bin/sh\nexit 1\n")
        b.site.kill("handlerd")
        b.site.start("handlerd")
        text = b.boot(0x400)
        check("does not answer" in text and b.why(0x400) == ("allow_boot", "source-failed"), text)


def test_changed():
    """A changed script is taken without a restart; while it is broken the old one goes on."""
    with Hooks("changed", ("images",)) as b:
        b.start()
        answers = '''#!/bin/sh
while read -r line; do
	case $line in
	*'"type":"self-test"'*) echo '{"ok":%s}' ;;
	*) echo '{"entries":["%s"]}' ;;
	esac
done
'''
        b.install("images", answers % ("true", "memtest"))
        mac = iter(range(1, 1000))
        wait_until(lambda: items(b.boot(next(mac))) == ["memtest"], 15, "the second script")
        generation = b.pool("images")["generation"]
        b.install("images", answers % ("false", "win11"))
        wait_until(lambda: b.pool("images")["trouble"], 15, "the self-test's failure")
        check(items(b.boot(next(mac))) == ["memtest"], "the old one goes on")
        b.install("images", answers % ("true", "debian-12"))
        wait_until(lambda: items(b.boot(next(mac))) == ["debian-12"], 20, "the fourth script")
        check(b.pool("images")["generation"] > generation, "it is a new generation")


def test_slow():
    """An answer that is too late for one request serves the next; the client is told to ask again."""
    with Hooks("slow", ("images",), deadline_ms=10000) as b:
        b.start()
        b.plan("images", {"*": {"entries": ["memtest"]}, 1: {"entries": ["win11"], "sleep": 4}})
        text = b.boot(1)
        check("still decides" in text and "asking again in" in text and items(text) is None, text)
        check(b.why(1) == ("images", "source-late"), f"{b.why(1)}")
        check(items(b.boot(2)) == ["memtest"], "nobody else waits")
        wait_until(lambda: b.pool("images")["busy"] == 0, 20, "its answer")
        check(items(b.boot(1)) == ["win11"], "the late answer serves")
        check(len(b.asked("images", 1)) == 1, f"it was asked once: {b.asked('images', 1)}")


def test_early():
    """A machine of which the model is known is asked about at its DISCOVER, and once."""
    with Hooks("early", ("images",), deadline_ms=10000) as b:
        shutil.copytree(loaders(), b.site.root, dirs_exist_ok=True)
        b.start("handlerd", "dhcpproxyd", "tftpd", "httpsbootd")
        b.plan("images", {"*": {"entries": ["memtest"]}})
        # as our scripts post it
        model = {"manufacturer": "Acme", "product": " Box 1", "serial": "S1", "asset": "No Asset Tag",
                 "platform": "efi", "buildarch": "x86_64", "version": "1.21.1", "memsize": "", "ifname": "net0",
                 "mem0": "00000000ffff1f00", "mem1": "", "chip": "82540em", "filename": "snponly.efi"}

        def discover():
            r = b.lab.client(b.client, "ask", options=dhcp.firmware(7).hex(), mac=hexmac(1))
            check(len(r) == 1, "an offer")

        discover()
        check(b.asked("images") == [], "nothing is known of it at first")
        first = b.boot(1, **model)
        check(items(first) == ["memtest"] and len(b.asked("images", 1)) == 1, "then it is asked")
        # the next boot of this machine, when that answer serves no more
        time.sleep(1.5)
        b.plan("images", {"*": {"entries": ["win11"], "sleep": 4}})
        discover()
        wait_until(lambda: len(b.asked("images", 1)) == 2, 10, "the early question")
        check(b.asked("images", 1)[1]["stage"] == "discover", "by the DISCOVER")
        wait_until(lambda: b.pool("images")["busy"] == 0, 20, "its answer")
        check(items(b.boot(1, **model)) == ["win11"], "it is there, although the script takes 4 s")
        check(len(b.asked("images", 1)) == 2, "nobody was asked again")
        check(b.site.query("status")["deciding"]["late"] == 0, "and no client was put off")


def test_thousand():
    """1,000 boots by two hooks: each machine gets its own answer, none is lost."""
    with Hooks("thousand", ("allow_boot", "images")) as b:
        b.start()
        b.plan("allow_boot", {"*": {"action": "allow"}})
        b.plan("images", {"*": {"entries": ["memtest"]}, **{
            i: {"entries": ["win11"]} for i in range(0, 1000, 7)}})
        answers = b.post(*({"mac": address(i)} for i in range(1000)), secure=False, parallel=40)
        for i, a in enumerate(answers):
            want = ["win11"] if i % 7 == 0 else ["memtest"]
            check(items(a["body"]) == want, f"machine {i}: {a['body']}")
        for hook in ("allow_boot", "images"):
            asked = [x["mac"] for x in b.asked(hook)]
            check(sorted(asked) == [address(i) for i in range(1000)], f"{hook}: one question each")
            stats = b.pool(hook)
            check(stats["answered"] == 1000 and stats["failed"] == stats["timed_out"] == stats["refused"] == 0,
                  f"{stats}")


def test_sleeper():
    """A worker that sleeps delays nobody else, and machines that wait for it get their page in time."""
    with Hooks("sleeper", ("images",), deadline_ms=10000) as b:
        b.start()
        b.plan("images", {"*": {"entries": ["memtest"]}, 1: {"entries": ["win11"], "sleep": 9}})
        answers = b.post({"mac": address(1)}, *({"mac": address(i)} for i in range(2, 200)), secure=False)
        check("still decides" in answers[0]["body"], answers[0]["body"])
        for a in answers[1:]:
            check(items(a["body"]) == ["memtest"], a["body"])
            check(a["ms"] < answers[0]["ms"], f"{a['ms']} ms")


def test_technician():
    """The technicians' menu: its PIN comes back as authvalue; wrong three times ends in the normal boot."""
    with Hooks("technician", ("images",)) as b:
        for name in ("technician-menu.py", "bootferry.py"):
            shutil.copy(f"{TOP}/deploy/scripts/{name}", b.folder)
        with open(f"{b.folder}/technician.json", "w", encoding="utf-8") as f:
            # the PIN is 42
            json.dump({"pin_sha256": "73475cb40a568e8da8a045ced110137e159f890ac4da883b6b17dc651b3a8049",
                       "entries": ["memtest", "win11"]}, f)
        b.site.conf["handlerd"]["script"]["boot"] = f"{b.folder}/technician-menu.py"
        b.start()
        b.plan("images", {"*": {"entries": ["debian-12"]}})
        text = b.boot(1)
        check("Ctrl-B for the technician" in text and "param authmethod pin" in text, text)

        def pin(mac, value, tries):
            return b.boot(mac, authmethod="pin", authvalue=value, tries=tries)

        check(items(pin(1, "no", 0)) == ["debian-12"], "no key: the normal boot")
        text = pin(2, "41", 0)
        check("Wrong PIN" in text and "param tries 1" in text, f"a second try: {text}")
        check("Wrong PIN" in pin(2, "43", 1), "a third one")
        check(items(pin(2, "44", 2)) == ["debian-12"], "then the normal boot")
        text = pin(3, "42", 0)
        check(items(text) == ["memtest", "win11"] and "menu Technicians\n" in text, text)
        check("images/win11/" in b.boot(3, authmethod="pin", authvalue="42", tries="0", entry="win11"),
              "what was chosen in it")
        text = b.boot(3, entry="memtest", authmethod="pin", authvalue="42", tries="0")
        check("images/memtest/" in text, "and again")
        logs = read(b.site.log("handlerd")) + read(b.site.log("httpsbootd")) + b.site.timeline()
        check("authvalue=42" not in logs, "the PIN is in no log and no timeline")
