"""What the tests of decisions share: a site with images, boot requests, and what became of them."""

import json

from lab import SERVER, Lab, check, network, wait_until

IMAGES = ("debian-12", "memtest", "win11")


class Booting:
    """A lab with a server and a client; images whose kernels are a few bytes."""

    def __init__(self, name, **handlerd):
        self.lab = Lab(name)
        self.segment, self.server, self.client, self.site = network(self.lab)
        self.site.conf["handlerd"].update(handlerd)

    def __enter__(self):
        self.lab.__enter__()
        return self

    def __exit__(self, *args):
        self.lab.__exit__(*args)

    def start(self, *daemons):
        for name in IMAGES:
            path = self.lab.path(name)
            with open(path, "w", encoding="ascii") as f:
                f.write(name)
            # without handlerd: ferryctl works on the content root itself
            self.site.ferryctl("images", "add", name, "--type", "linux", "--kernel", path)
        self.site.ca()
        self.site.start(*(daemons or ("handlerd", "httpsbootd")))
        wait_until(lambda: self.site.query("status")["services"], 5, "the announcement")

    def reload(self, **handlerd):
        """Takes a changed configuration; keys that are objects are merged."""
        conf = self.site.conf["handlerd"]
        for key, value in handlerd.items():
            conf[key] = {**conf.get(key, {}), **value} if isinstance(value, dict) else value
        with open(f"{self.site.run}/handlerd.json", "w", encoding="utf-8") as f:
            json.dump(conf, f)
        self.site.ferryctl("reload")

    def post(self, *forms, secure=True, **options):
        """Boot requests; each is answered by a script, or this fails."""
        answers = self.lab.client(self.client, "post", address=SERVER, forms=forms,
                                  port=8050 if secure else 8060, secure=secure, **options)
        for form, a in zip(forms, answers):
            check(a["status"] == 200 and a["body"].startswith("#!ipxe\n"), f"{form}: {a}")
        check(self.counter("unanswered") == 0, "handlerd answered each of them in time")
        return answers

    def boot(self, mac, **form):
        """The script that a machine gets."""
        return self.post({"mac": address(mac), **form})[0]["body"]

    def counter(self, name, daemon="httpsbootd"):
        """What a daemon has told of this counter; one that handlerd has forgotten tells it anew soon."""
        def told():
            return [s["counters"][name] for s in self.site.query("status")["services"] if s["daemon"] == daemon]
        wait_until(told, 10, f"the announcement of {daemon}")
        return told()[0]

    def last(self, mac, kind="boot"):
        """The last line of this kind in the timeline of a machine's newest boot."""
        boots = self.site.query("boots", "list", "--machine", address(mac))
        check(boots, f"{address(mac)} has a boot")
        timeline = self.site.query("boots", "show", boots[0]["id"])["timeline"]
        lines = [e for e in timeline if e["kind"] == kind]
        check(lines, f"it has a line \"{kind}\": {timeline}")
        return lines[-1]

    def why(self, mac, kind="boot"):
        """Who decided about a machine's last request, and why."""
        line = self.last(mac, kind)
        return line.get("rule"), line.get("reason")


def address(mac):
    return mac if isinstance(mac, str) else f"52:54:00:00:{mac >> 8:02x}:{mac & 255:02x}"


def hexmac(mac):
    return address(mac).replace(":", "")


def items(text):
    """The images that a script's menu shows; None: it shows no menu."""
    if "\nchoose " not in text:
        return None
    return [i for i in IMAGES if f"\nitem {i} " in text or f"\nitem {i}\n" in text]
