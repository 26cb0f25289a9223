"""Bad networks: a client behind tests/suite/lossy.c."""

import json

from lab import BUILD, check, read, wait_until


def plain(lab, ns, dev="eth0"):
    """What leaves an interface are packets as on a cable: none that a card would cut into segments."""
    lab.sh(ns, f"ip link set {dev} gso_max_segs 1")


class Link:
    """A client's namespace whose cable to a segment loses, doubles, delays or swaps TFTP packets."""

    count = 0

    def __init__(self, lab, segment, rules, seed=1, mtu=None, cable_mtu=None):
        Link.count += 1
        n = Link.count
        self.lab = lab
        self.n = n
        self.address = f"10.77.1.{100 + n}"
        self.log = f"lossy-{n}.log"
        self.ns = lab.namespace(f"lossy{n}")
        near, far, port = f"n{n}", f"f{n}", f"o{n}"
        lab.sh(segment, f"sysctl -qw net.ipv6.conf.default.disable_ipv6=1; "
                        f"ip link add eth0 netns {self.ns} type veth peer name {near}; "
                        f"ip link add {far} type veth peer name {port}; "
                        f"ip link set {port} master br0 up; ip link set {near} up; ip link set {far} up")
        mtu_of_cable = f"ip link set eth0 mtu {cable_mtu}; " if cable_mtu else ""
        if cable_mtu:
            lab.sh(segment, "; ".join(f"ip link set {d} mtu {cable_mtu}" for d in (near, far, port)))
        lab.sh(self.ns, f"{mtu_of_cable}ip link set eth0 gso_max_segs 1 up; "
                        f"ip addr add {self.address}/24 dev eth0; "
                        f"ip addr add fd77:1::{100 + n}/64 dev eth0 nodad")
        argv = [f"{BUILD}/tests/suite/lossy", "-s", str(seed)]
        if mtu:
            argv += ["-m", str(mtu)]
        self.process = lab.spawn(segment, argv + [near, far, *rules.split()], self.log)
        wait_until(lambda: read(lab.path(self.log)) or self.process.poll() is not None, 10, "the bad network")
        check(self.process.poll() is None, f"{rules}: {read(lab.path(self.log))}")

    def counts(self):
        """Ends the bad network and says what it did."""
        check(self.lab.stop(self.process) == 0, "status 0")
        log = read(self.lab.path(self.log))
        return json.loads(log[log.index("{"):])

