"""A node's kernel side with a virtual MAC, on a host of a learning switch."""

from __future__ import annotations

import socket
import time
from ipaddress import ip_address
from typing import Literal

from tests.learning_switch import Switch
from tests.learning_switch import Tap
from tests.learning_switch import vmac_frames
from tests.net.in_process import make_keeper
from wsa_proxy.net.addresses import AddressLease
from wsa_proxy.net.neighbours import Neighbours
from wsa_proxy.net.packet_socket import Headers
from wsa_proxy.net.packet_socket import PacketSocket
from wsa_proxy.net.virtual_interface import VirtualInterface

VIP4 = ip_address("10.0.0.100")
VIP6 = ip_address("fd00:77::100")
BOTH = (VIP4, VIP6)
MAC = "00:00:5e:00:01:2a"
VHID = 42
NAME = "carp42"
ADVERTISEMENT = bytes([0x21, VHID]) + bytes(34)
"""As far as the filter in the kernel looks."""
LEASE_S = 1.5  # at most, with the kernel's granularity
# The kernel reports a new or left group at once, and again within mldv2_unsolicited_report_interval, one second.
MLD_REPORTS_S = 1.2


class Node:
    """All that one node has in the kernel, on a host of the switch."""

    def __init__(self, switch: Switch, name: str, parent: str = "eth0") -> None:
        self.name = name
        self._switch = switch
        with self._switch.on(self.name):
            index = socket.if_nametoindex(parent)
            self.interface = VirtualInterface(parent, index, VHID, BOTH)
            self.warnings = self.interface.create()
            self.lease = AddressLease(make_keeper(), VHID, NAME, self.interface.index, BOTH)
            self.advertisements = PacketSocket(parent, index, VHID, (4, 6), Headers(BOTH), self.interface.mac)
            self.neighbours = Neighbours(parent, index, BOTH, self.interface.mac)

    def promote(self) -> None:
        """In the order of the product: addresses, up, advertisement, announcement."""
        with self._switch.on(self.name):
            self.lease.acquire()
            self.interface.up()
        self.advertise()
        self.announce()

    def advertise(self, version: Literal[4, 6] = 4, payload: bytes = ADVERTISEMENT, own: bool = False) -> None:
        with self._switch.on(self.name):
            self.advertisements.send(version, payload, from_own_mac=own)

    def announce(self) -> None:
        with self._switch.on(self.name):
            self.neighbours.announce()

    def demote(self) -> None:
        with self._switch.on(self.name):
            self.interface.down()
            self.lease.release()


def watch(tap: Tap, seconds: float, node: Node | None = None) -> list[str]:
    """What comes from the virtual MAC in so many seconds; a node keeps its lease meanwhile."""
    frames: list[bytes] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if node is not None:
            node.lease.renew()
        time.sleep(0.1)
        frames += tap.queued()
    return vmac_frames(frames, MAC)
