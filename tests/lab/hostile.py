"""A hostile host on the test track: it has captured advertisements, and sends them again as they are and rewritten."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from scapy.layers.inet import IP
from scapy.layers.l2 import Ether

from wsa_proxy.carp import wire
from wsa_proxy.lab import namespace

EVERY_S = 0.02
SECONDS_MAX = 60.0
CARP = slice(34, 70)
"""In an Ethernet frame with an IPv4 header of 20 bytes."""
OTHER_SOURCE = "10.0.0.66"
MAC = bytes.fromhex("020000000066")


def capture(interface: str, count: int, seconds: float) -> list[bytes]:
    """The next so many IPv4 advertisements that come in there; fewer when the time is over."""
    found: list[bytes] = []
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as tap:
        tap.bind((interface, 0x0003))
        ends_s = time.monotonic() + seconds
        while len(found) < count and (left_s := ends_s - time.monotonic()) > 0:
            tap.settimeout(left_s)
            try:
                frame, address = tap.recvfrom(4096)
            except TimeoutError:
                break
            if address[2] != socket.PACKET_OUTGOING and frame[12:14] == b"\x08\x00" and frame[23] == 112:
                found.append(frame)
    return found


def from_here(frame: bytes) -> bytes:
    """With the hostile host's own hardware address. (With the master's it would draw the master's traffic to its own
    port of the switch, which no CARP can do anything about.)"""
    return frame[:6] + MAC + frame[12:]


def under_another_source(frame: bytes) -> bytes:
    """From another IP address, with a right checksum."""
    packet = Ether(frame)
    packet[IP].src = OTHER_SOURCE
    del packet[IP].chksum
    return bytes(packet)


def rewritten(frame: bytes, advbase: int, advskew: int) -> bytes:
    """With other values, which plain CARP does not sign, and a right checksum."""
    carp = bytearray(frame[CARP])
    carp[2], carp[5], carp[6:8] = advskew, advbase, bytes(2)
    carp[6:8] = wire.checksum(carp).to_bytes(2)
    return frame[: CARP.start] + bytes(carp) + frame[CARP.stop :]


class Replay:
    """Sends these frames over and over from a host's network until it is stopped, a minute at most."""

    def __init__(self, network: Path, frames: Sequence[bytes]) -> None:
        self.sent = 0
        self._network = network
        self._frames = [from_here(frame) for frame in frames]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._send, name="hostile host", daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """How many were sent."""
        self._ended.set()
        self._thread.join()
        return self.sent

    def _send(self) -> None:
        ends_s = time.monotonic() + SECONDS_MAX
        with namespace.inside(self._network), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
            sender.bind(("eth0", 0))
            while not self._ended.wait(EVERY_S) and time.monotonic() < ends_s:
                sender.send(self._frames[self.sent % len(self._frames)])
                self.sent += 1
