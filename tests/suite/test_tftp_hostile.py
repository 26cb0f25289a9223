"""tftpd and those who mean it no good: an error or silence, a count, and service goes on."""

import os
import socket
import struct
import threading

from clients import rpc
from lab import Lab, SERVER, check, network, read, wait_until
from test_hostile import check_alive, check_end, resident_kb, check_flat
from test_tftp_loss import put_files
from tftp_client import request

DATA, SILENCE = ["data", 1], None


def error(code):
    return ["error", code]


def rrq(*options, name="f", mode="octet"):
    return request(name, mode, options)


# what is sent to port 69, and the reply to it
REQUESTS = (
    ("nothing", b"", SILENCE),
    ("half an opcode", b"\0", SILENCE),
    ("an opcode alone", b"\0\1", SILENCE),
    ("a name without its NUL", b"\0\1" + b"f" * 400, SILENCE),
    ("no mode", b"\0\1f\0", SILENCE),
    ("a mode without its NUL", b"\0\1f\0octet", SILENCE),
    ("a NUL within a name", b"\0\1f\0/../secret\0octet\0", error(4)),
    ("an opcode of 0", b"\0\0f\0octet\0", SILENCE),
    ("an opcode of 7", b"\0\7f\0octet\0", SILENCE),
    ("an opcode of 256, the wrong way round", b"\1\0f\0octet\0", SILENCE),
    ("mail", rrq(mode="mail"), error(4)),
    ("an empty mode", rrq(mode=""), error(4)),
    ("a long mode", rrq(mode="octet" * 150), error(4)),
    ("writing", b"\0\2new\0octet\0", error(2)),
    ("writing by mail", b"\0\2new\0mail\0", error(2)),
    ("writing outside", b"\0\2../new\0octet\0tsize\00010\0", error(2)),
    ("half a write request", b"\0\2new\0oct", SILENCE),
    ("500 options", rrq(*[["x", n] for n in range(500)]), error(4)),
    ("100 options", rrq(*[["x", n] for n in range(100)]), DATA),
    ("an option that is too long", rrq(["blksize", "9" * 2000]), error(4)),
    ("an option without a value", b"\0\1f\0octet\0blksize\0", DATA),
    ("an option without a name", b"\0\1f\0octet\0\0" + b"512\0", DATA),
    ("an option that is cut off", b"\0\1f\0octet\0blksize\00051", DATA),
    ("a blksize of 0", rrq(["blksize", 0]), DATA),
    ("of 1", rrq(["blksize", 1]), DATA),
    ("of 7", rrq(["blksize", 7]), DATA),
    ("of -1", rrq(["blksize", -1]), DATA),
    ("of 65465", rrq(["blksize", 65465]), DATA),
    ("of 2^64 + 512", rrq(["blksize", 2**64 + 512]), DATA),
    ("of 512x", rrq(["blksize", "512x"]), DATA),
    ("of a blank and 512", rrq(["blksize", " 512"]), DATA),
    ("of +512", rrq(["blksize", "+512"]), DATA),
    ("of 0x200", rrq(["blksize", "0x200"]), DATA),
    ("of nothing", rrq(["blksize", ""]), DATA),
    ("of 8, the least", rrq(["blksize", 8]), ["oack", {"blksize": "8"}]),
    ("of 65464, the most", rrq(["blksize", 65464]), ["oack", {"blksize": "1468"}]),
    ("of two sizes", rrq(["blksize", 600], ["BLKSIZE", 8]), ["oack", {"blksize": "600"}]),
    ("a windowsize of 0", rrq(["windowsize", 0]), DATA),
    ("of 65536", rrq(["windowsize", 65536]), DATA),
    ("of -4", rrq(["windowsize", -4]), DATA),
    ("of 65535, the most", rrq(["windowsize", 65535]), ["oack", {"windowsize": "64"}]),
    ("a timeout of 0", rrq(["timeout", 0]), DATA),
    ("of 256", rrq(["timeout", 256]), DATA),
    ("a tsize that is huge", rrq(["tsize", 2**63]), ["oack", {"tsize": "100001"}]),
    ("that is more than there can be", rrq(["tsize", 10**30]), DATA),
    ("that is negative", rrq(["tsize", -1]), DATA),
    ("DATA", b"\0\3\0\1hello", SILENCE),
    ("an ACK", b"\0\4\0\0", SILENCE),
    ("half an ACK", b"\0\4\0", SILENCE),
    ("an ERROR", b"\0\5\0\0no\0", SILENCE),
    ("an ERROR that says that its sender knows no such transfer", b"\0\5\0\5\0", SILENCE),
    ("half an ERROR", b"\0\5\0", SILENCE),
    ("an OACK", b"\0\6blksize\0512\0", SILENCE),
    ("an empty OACK", b"\0\6", SILENCE),
)

# names, and the codes of which one comes
NAMES = {
    (2,): ("../secret", "..\\secret", "boot/../../secret", "/../secret", "//..//secret", "boot/..\\..\\secret", "..",
           "%2e%2e/secret", "%2e%2e%2fsecret", "..%2fsecret", "..%5csecret", "..\\..\\..\\..\\etc\\passwd",
           "tftp://10.77.1.10/../secret", "C:\\..\\..\\secret", "boot/x/../../../secret", ".hidden", "boot/.hidden",
           "link", "folder/passwd", "chain", "up/secret", "proc"),
    (1, 2): ("loop", "....//secret", "...\\secret", "%252e%252e%252fsecret", "..%c0%afsecret", "..\xc0\xafsecret",
             "\xc0\xae\xc0\xae/secret", "..\xffsecret", ".. /secret", "boot/.. /secret", "..;/secret",
             "/etc/passwd", "\\\\.\\c:\\secret", "file:///etc/passwd", "/proc/self/mem", "/dev/zero", "~/secret",
             "~root/secret", "$HOME", "`id`", "|id", "a\nb", "a\x1b[2Jb", "\u202e".encode().decode("latin-1")),
    (1,): ("", "/", "\\", ".", " ", "fifo", "socket", "zero", "boot", "boot/", "f/f", "dangling",
           "a" * 300, "a/" * 60, "/" * 900, "\\" * 900, "%" * 600, "%2f" * 200, "none", "boot/none", "a\x01b"),
    (4,): ("a" * 1020, "a" * 1400, "../" * 400),
}


def counters(site):
    return rpc(f"{site.run}/tftpd.sock", "status")["result"]["counters"]


def prepare(lab, site):
    """A file, and what must not be read beside it."""
    digests = put_files(site, f=100001)
    with open(lab.path("secret"), "w", encoding="ascii") as f:
        f.write("secret")
    os.makedirs(f"{site.root}/boot")
    for path, to in (("link", "/etc/passwd"), ("folder", "/etc"), ("up", ".."), ("proc", "/proc/self/environ"),
                     ("chain", "link"), ("dangling", "nowhere"), ("loop", "loop")):
        os.symlink(to, f"{site.root}/{path}")
    for path in (".hidden", "boot/.hidden"):
        with open(f"{site.root}/{path}", "w", encoding="ascii") as f:
            f.write("hidden")
    os.mkfifo(f"{site.root}/fifo")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(f"{site.root}/socket")
    os.mknod(f"{site.root}/zero", 0o20644, os.makedev(1, 5))
    return digests


def counted(before, after):
    """How many packets were refused or dropped, by any reason."""
    return sum(after[k] - before[k] for k in ("errors", "malformed", "strangers"))


def served(lab, client, digests, **arguments):
    r = lab.client(client, "tftp", address=SERVER, name="f", options=[["blksize", 1468], ["windowsize", 4]],
                   **arguments)
    check(r.get("sha") == digests["f"], f"a good request is served: {r}")


def test_requests():
    """Requests that are no good, options out of range, packets of the wrong kind."""
    with Lab("badrrq") as lab:
        _, _, client, site = network(lab)
        digests = prepare(lab, site)
        site.start("handlerd", "tftpd")
        served(lab, client, digests)
        before, kb = counters(site), resident_kb(site.daemons["tftpd"])
        replies = lab.client(client, "say", "tftp_hostile", address=SERVER, port=69,
                             packets=[p.hex() for _, p, _ in REQUESTS])
        for (what, _, want), r in zip(REQUESTS, replies):
            check((r and r[:2]) == want, f"{what}: {r}, not {want}")
        after = counters(site)
        bad = len([w for _, _, w in REQUESTS if w is None or w[0] == "error"])
        # an empty datagram tells nothing, not even to be counted as TFTP
        check(counted(before, after) >= bad - 1, f"{bad} bad ones are counted: {before}, {after}")
        check(after["wrq"] - before["wrq"] == 3, f"those that write too: {after}")
        wait_until(lambda: counters(site)["transfers"] == 0, 5, "all transfers over")
        check(not os.path.exists(f"{site.root}/new") and not os.path.exists(lab.path("new")), "nothing was written")
        served(lab, client, digests)
        check_alive(site)
        check_flat(site, "tftpd", kb)
        check_end(lab, site)


def test_names():
    """Names that lead out of the root, to what is no file, or nowhere: an error each, and at once."""
    with Lab("badname") as lab:
        _, _, client, site = network(lab)
        digests = prepare(lab, site)
        site.start("handlerd", "tftpd")
        served(lab, client, digests)
        before, kb = counters(site), resident_kb(site.daemons["tftpd"])
        names = [(codes, n) for codes, all_ in NAMES.items() for n in all_]
        for port in (69, 69):  # the second time handlerd may know the answer
            replies = lab.client(client, "say", "tftp_hostile", address=SERVER, port=port,
                                 packets=[request(n).hex() for _, n in names])
            wrong = [f"{n[:60]!r}: {r}, not {codes}" for (codes, n), r in zip(names, replies)
                     if r is None or r[0] != "error" or r[1] not in codes]
            check(not wrong, "\n".join(wrong))
        longest = struct.pack("!H", 1) + b"a" * 10240 + b"\0octet\0"
        reply = lab.client(client, "say", "tftp_hostile", address=SERVER, port=69, packets=[longest.hex()])[0]
        check(reply and reply[:2] == ["error", 4], f"a name of 10 KB: {reply}")
        after = counters(site)
        check(counted(before, after) >= 2 * len(names) + 1, f"all of it is counted: {before}, {after}")
        reasons = site.query("status")["reasons"]
        check(reasons["bad-name"] >= 40 and reasons["no-such-file"] >= 10, f"and by its reason: {reasons}")
        served(lab, client, digests)
        check_alive(site)
        check_flat(site, "tftpd", kb)
        check_end(lab, site)


def test_strangers():
    """Others meddle with a transfer, from its own port too: it goes on, and nobody else hears of it."""
    with Lab("stranger") as lab:
        _, _, client, site = network(lab)
        digests = prepare(lab, site)
        site.start("handlerd", "tftpd")
        r = lab.client(client, "disturb", "tftp_hostile", address=SERVER, name="f", sha=digests["f"])
        check(r["same"] and r["sent"] > 50, f"it got its file: {r}")
        check(r["answered"] is None, f"strangers get no answer: {r}")
        # a few may, for a busy host
        check(r["repeats"] < r["sent"] // 10, f"no block came twice for a forged ACK: {r}")
        c = counters(site)
        check(c["strangers"] + c["malformed"] > 4 * r["sent"], f"they are counted: {c}")
        # ports that no client has: nobody could be answered at 0, and 69 is another server's
        for port in (0, 69):
            heard = {}
            thread = threading.Thread(target=lambda p=port, h=heard: h.update(
                got=lab.client(client, "heard", "tftp_hostile", seconds=1.5, source=p)))
            before = counters(site)
            thread.start()
            lab.sh(client, "sleep 0.4")
            lab.client(client, "from_port", "tftp_hostile", address=SERVER, port=69, source=port,
                       packets=[p.hex() for p in (rrq(), rrq(["blksize", 1468], ["windowsize", 64]), rrq(name="none"),
                                                  b"\0\2f\0octet\0", b"\0\5\0\5no\0", b"\0\3\0\1x", b"\0\4\0\1")])
            thread.join()
            check(heard["got"][0] <= (0 if port == 0 else 4), f"from port {port}: {heard}")
            after = counters(site)
            check(sum(after[k] - before[k] for k in ("malformed", "strangers", "errors", "replaced")) >= 3,
                  f"port {port}: counted: {before}, {after}")
        served(lab, client, digests)
        check_alive(site)
        check_end(lab, site)


def test_flood():
    """One address floods with requests: what it may have at once is bounded, and others are served."""
    with Lab("flood") as lab:
        segment, _, client, site = network(lab, tftpd={"max_client_transfers": 100})
        other = lab.host("other", segment, "10.77.1.51/24")
        digests = prepare(lab, site)
        site.start("handlerd", "tftpd")
        served(lab, other, digests)
        kb = resident_kb(site.daemons["tftpd"])
        flood = threading.Thread(target=lambda: lab.client(
            client, "flood", "tftp_hostile", address=SERVER, name="f", packets=30000, ports=10000, pause=0.004))
        flood.start()
        slowest = 0
        while flood.is_alive():
            r = lab.client(other, "get", "tftp_client", address=SERVER, name="f", timeout=1,
                           options=[["blksize", 1468], ["windowsize", 4]])
            check(r.get("sha") == digests["f"], f"another is served: {r}")
            slowest = max(slowest, r["seconds"])
        flood.join()
        check(slowest < 5, f"and soon: {slowest:.1f} s")
        c = counters(site)
        check(c["transfers"] <= 100 and c["crowded"] > 10000, f"the flood is bounded and counted: {c}")
        after = resident_kb(site.daemons["tftpd"])
        check(after < kb + 5000, f"in memory too: {kb}, then {after} kB")
        check_alive(site)
        log = read(site.log("tftpd"))
        check(len(log) < 500000, f"the log too: {len(log)} bytes")


def test_forged():
    """What a request with a forged address makes us send: some packets, as RFC 1350 has it, then no more."""
    with Lab("forged") as lab:
        _, _, client, site = network(lab)
        prepare(lab, site)
        site.start("handlerd", "tftpd")
        asked = (("a file", rrq(), 8, 516), ("with options", rrq(["blksize", 1468], ["windowsize", 64]), 8, 100),
                 ("its size", rrq(["tsize", 0]), 8, 100), ("nothing that is there", rrq(name="none"), 1, 150),
                 ("writing", b"\0\2f\0octet\0", 1, 100), ("mail", rrq(mode="mail"), 1, 100))
        got = lab.client(client, "forget", "tftp_hostile", address=SERVER, requests=[p.hex() for _, p, _, _ in asked],
                         seconds=33)
        for (what, _, packets, size), (n, bytes_) in zip(asked, got):
            check(1 <= n <= packets and bytes_ <= n * size, f"{what}: {n} packets with {bytes_} bytes")
        c = counters(site)
        check(c["transfers"] == 0 and c["failed"] == 3, f"they are over: {c}")
