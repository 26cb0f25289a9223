"""Every kind of client gets what it can use: real firmware, and packets of what is not at hand."""

import os
import shutil
import struct

import dhcp
import offers
from lab import TOP, SERVER, Failure, Lab, check, loaders, network, wait_until


def program(path, machine):
    """The beginning of an EFI program for a machine (PE format section 3.3.1)."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(b"MZ".ljust(60, b"\0") + struct.pack("<I4sH", 64, b"PE\0\0", machine).ljust(400, b"\0"))


def ready(lab, site, segment):
    """A running site whose segment is recorded; the capture's path."""
    shutil.copytree(loaders(), site.root, dirs_exist_ok=True)
    # what Debian has no iPXE for
    program(f"{site.root}/boot/ia32/grub.efi", 0x014c)
    program(f"{site.root}/boot/arm32/grub.efi", 0x01c2)
    site.ca()
    path = lab.capture(segment)
    site.start()
    return path


def recorded(path, count, *kinds):
    """The exchanges in a capture, so many at least, each as its client needs it."""
    wait_until(lambda: len(offers.exchanges(path, [SERVER])) >= count, 5, f"{count} replies in {path}")
    return offers.check_kinds(path, SERVER, *kinds)


def test_comparer():
    """The comparison itself: it finds what is wrong with the replies of another proxy."""
    faults = {"bios": "flags 8000", "bios-pxe": "siaddr is 0", "infile-uefi-pxe4": "the order of options",
              "arm64-pxe4": "175.1 is not 1"}
    for name, fault in faults.items():
        try:
            offers.check_capture(f"{TOP}/tests/data/captures/{name}.pcap", "10.77.1.10")
        except Failure as e:
            check(fault in str(e), f"{name}: not for {fault}: {e}")
        else:
            raise Failure(f"{name}: nothing was found")


def test_packets():
    """Each kind's packets, on port 67 and 4011, relayed or not: every reply is as its kind needs it."""
    with Lab("kinds") as lab:
        segment, _, client, site = network(lab)
        capture = ready(lab, site, segment)
        relayed = {"to": SERVER, "source": 67, "giaddr": "10.77.1.50"}
        boot_server = {"kind": 3, "to": SERVER, "port": 4011, "source": 4011, "ciaddr": "10.77.1.50"}
        cases = [dhcp.firmware(0), dhcp.firmware(6), dhcp.firmware(7), dhcp.firmware(9), dhcp.firmware(10),
                 dhcp.firmware(11), dhcp.firmware(27), dhcp.firmware(39),
                 dhcp.firmware(15, b"HTTPClient"), dhcp.firmware(16, b"HTTPClient"),
                 dhcp.ipxe(), dhcp.ipxe(0), dhcp.ipxe(https=False)]
        answered = 0
        for options in cases:
            for way in ({}, relayed, boot_server):
                relay_info = dhcp.option(82, b"\1\4eth0") if way is relayed else b""
                r = lab.client(client, "ask", options=(relay_info + options).hex(), **way)
                check(len(r) == 1, f"{options} {way}: {len(r)} answers")
                answered += 1
        found = recorded(capture, answered, "bios", "uefi", "ipxe", "http")
        check(len(found) == answered, f"{len(found)} replies to {answered} requests")
