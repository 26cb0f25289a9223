"""A VLAN sub-interface for kernels without the driver: a TAP device whose frames are tagged below.

usage: tagger.py DEVICE TAG     makes DEVICE.TAG and serves it until it is killed
"""

import fcntl
import os
import select
import socket
import struct
import sys

TUNSETIFF = 0x400454ca
IFF_TAP, IFF_NO_PI = 2, 0x1000
SOL_PACKET, PACKET_AUXDATA, VLAN_VALID = 263, 8, 16
ETH_P_ALL = 3


def main():
    device, tag = sys.argv[1], int(sys.argv[2])
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", f"{device}.{tag}".encode(), IFF_TAP | IFF_NO_PI))
    below = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    below.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    below.bind((device, ETH_P_ALL))
    # two MACs at one port: frames to the upper one must come in, too
    below.setsockopt(SOL_PACKET, 1, struct.pack("iHH8s", socket.if_nametoindex(device), 1, 0, b""))
    while True:
        for fd in select.select([tap, below], [], [])[0]:
            if fd == tap:
                frame = os.read(tap, 2048)
                below.send(frame[:12] + struct.pack("!HH", 0x8100, tag) + frame[12:])
                continue
            frame, control, _, sender = below.recvmsg(2048, 256)
            if sender[2] == socket.PACKET_OUTGOING:
                continue
            # the kernel takes the tag off and tells it beside the frame
            for level, kind, data in control:
                state, _, _, _, _, tci = struct.unpack("IIIHHH", data[:18])
                if (level, kind) == (SOL_PACKET, PACKET_AUXDATA) and state & VLAN_VALID and tci & 0xfff == tag:
                    try:
                        os.write(tap, frame)
                    except OSError:  # it is down
                        pass


if __name__ == "__main__":
    main()
