"""Sees every frame of protocol 112 and of ARP on the bridge of a lab, and who really sent it.

It listens at the bridge's ends of the cables. Source addresses are whatever the sender writes; the cable is not.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Collection
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PROTOCOL = 112
ETHERTYPE_ALL = 0x0003
ETHERTYPE_ARP = b"\x08\x06"
ETHERTYPE_IPV4 = b"\x08\x00"
SO_TIMESTAMPNS = 35  # asm-generic/socket.h; the socket module has no name for it
FRAME_BYTES_MAX = 2048
HEADERS_BYTES = 34  # Ethernet and an IPv4 header without options, as all senders of this lab write them
PCAP_HEADER = struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)  # microseconds, Ethernet


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame on its way into the bridge."""

    at_s: float
    """CLOCK_MONOTONIC of a live frame, as the kernel received it; of a stored one the time of day."""
    host: str
    """The host at whose cable it was; empty for a stored one."""
    data: bytes

    @property
    def is_arp(self) -> bool:
        return self.data[12:14] == ETHERTYPE_ARP

    @property
    def vhid(self) -> int | None:
        """Of a frame of protocol 112 (VRRP's id is in the same place); None for any other."""
        carried = self.data[12:14] == ETHERTYPE_IPV4 and self.data[23] == PROTOCOL
        return self.data[HEADERS_BYTES + 1] if carried else None

    @property
    def source(self) -> str:
        """The IPv4 address that the sender gives itself."""
        return socket.inet_ntoa(self.data[26:30])

    @property
    def payload(self) -> bytes:
        """What the IPv4 header says is behind it, without padding."""
        return self.data[HEADERS_BYTES : 14 + int.from_bytes(self.data[16:18])]


class Observer:
    """Listens from the moment it is made until the process ends; must be made where the bridge is."""

    def __init__(self, hosts: Collection[str]) -> None:
        self._hosts = frozenset(hosts)
        self._frames: list[Frame] = []
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        threading.Thread(target=self._listen, name="observer", daemon=True).start()

    @property
    def frames(self) -> list[Frame]:
        """A copy of what was seen so far."""
        return self._frames.copy()

    def _listen(self) -> None:
        while True:
            data, ancillary, _, (interface, _, kind, *_) = self._socket.recvmsg(FRAME_BYTES_MAX, 64)
            if interface not in self._hosts or kind == socket.PACKET_OUTGOING:
                continue  # towards a host, or the bridge's own copy
            seconds, nanoseconds = struct.unpack("@ll", ancillary[0][2])
            at_s = seconds + nanoseconds / 1e9 - time.time() + time.monotonic()
            frame = Frame(at_s, interface, data)
            with contextlib.suppress(IndexError):  # too short for anything that we look for
                if frame.is_arp or frame.vhid is not None:
                    self._frames.append(frame)


def write_pcap(path: Path, frames: Iterable[Frame]) -> None:
    """Write a file for tcpdump and Wireshark; ``at_s`` must be the time of day."""
    stored = PCAP_HEADER
    for frame in frames:
        seconds, microseconds = divmod(round(frame.at_s * 1e6), 1_000_000)
        stored += struct.pack("=IIII", seconds, microseconds, len(frame.data), len(frame.data)) + frame.data
    path.write_bytes(stored)


def read_pcap(path: Path) -> list[Frame]:
    """The frames of a file that ``write_pcap`` wrote, on whatever machine."""
    stored = path.read_bytes()
    order = "<" if stored[:4] == b"\xd4\xc3\xb2\xa1" else ">"
    frames, offset = [], len(PCAP_HEADER)
    while offset < len(stored):
        seconds, microseconds, length, _ = struct.unpack_from(order + "IIII", stored, offset)
        offset += 16
        frames.append(Frame(seconds + microseconds / 1e6, "", stored[offset : offset + length]))
        offset += length
    return frames
