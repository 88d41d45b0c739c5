"""Frames that no node may believe, and good ones among them. VRRP's are made by scapy, another implementation."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

from scapy.layers.inet import IP
from scapy.layers.l2 import Ether
from scapy.layers.vrrp import VRRP
from scapy.layers.vrrp import VRRPv3

from wsa_proxy.carp import wire
from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.auth import key_from_pass_phrase
from wsa_proxy.carp.credentials import Reading
from wsa_proxy.carp.credentials import Sealer
from wsa_proxy.carp.seal import GroupTime
from wsa_proxy.carp.seal import sealed_key
from wsa_proxy.runtime.clocks import host_clocks

RATE_PER_S = 5000
GOOD = 8
"""In ten seconds: not in step with a master that speaks once in a second, or the two would cross."""
VIRTUAL = [ip_address("10.0.0.3")]


def frame(payload: bytes, ttl: int = 255) -> bytes:
    """An IPv4 multicast frame of protocol 112 from a host that nobody knows."""
    packet = Ether(src="02:00:00:00:00:99", dst="01:00:5e:00:00:12") / IP(
        src="10.0.0.99", dst="224.0.0.18", ttl=ttl, proto=112, flags="DF"
    )
    return bytes(packet / payload)


def kinds(secret: bytes, rng: random.Random) -> dict[str, list[bytes]]:
    """Frames by the name of the counter that they must move."""
    right = Authenticator([key_from_pass_phrase(secret)], 1, VIRTUAL, rng.getrandbits(64)).sign(1, 10, 0)
    wrong = Authenticator([key_from_pass_phrase(b"another secret")], 1, VIRTUAL, rng.getrandbits(64)).sign(1, 0, 0)
    other = Authenticator([key_from_pass_phrase(secret)], 2, VIRTUAL, rng.getrandbits(64)).sign(1, 0, 0)
    damaged = [bytes(byte ^ (index == place) for index, byte in enumerate(right)) for place in range(4, 36)]
    vrrp2 = bytes(VRRP(vrid=1, addrlist=["10.0.0.3"] * 5, authtype=0))
    vrrp3 = bytes(IP(src="10.0.0.9", dst="224.0.0.18") / VRRPv3(vrid=1, addrlist=["10.0.0.3"] * 8))[20:]
    return {
        "bad_ttl": [frame(right, ttl) for ttl in (1, 64, 254)],
        "short": [frame(right[:length]) for length in range(2, 36)],
        "bad_version": [frame(bytes([0, 1]) + rng.randbytes(59)) for _ in range(100)] + [frame(vrrp3)],
        "vrrp": [frame(vrrp2)],
        "bad_checksum": [frame(payload) for payload in damaged],
        "bad_secret": [frame(wrong)],
        "plain_member": [frame(right)],
        "rewritten": [frame(_rewritten(good(Sealed(secret)), advskew)) for advskew in (0, 9, 254)],
        "other_vhid": [frame(other)],
    }


class Sealed:
    """Who knows the secret of the sealed group, and what time it is."""

    def __init__(self, secret: bytes) -> None:
        self.clocks = host_clocks()
        time_of_group = GroupTime("", None, self.clocks.seal_ms())
        self.sealer = Sealer(sealed_key(secret), 1, VIRTUAL, time_of_group)


def good(sealed: Sealed) -> bytes:
    """The 36 bytes of an advertisement of a rank between the two nodes', so hearing it changes neither."""
    now_ms = sealed.clocks.seal_ms()
    return sealed.sealer.sign(1, 10, 0, False, Reading(now_ms, now_ms, sealed.clocks.wall_ms()), 0)


def _rewritten(payload: bytes, advskew: int) -> bytes:
    """With another advskew, which the HMAC does not cover, and the checksum made right."""
    changed = bytearray(payload)
    changed[2], changed[6:8] = advskew, bytes(2)
    changed[6:8] = wire.checksum(changed).to_bytes(2)
    return bytes(changed)


def storm(interface: str, secret: bytes, seconds: float) -> dict[str, Any]:
    """Send at RATE_PER_S for so long, and GOOD advertisements among the garbage; what was sent, by counter.

    The good ones are sealed when they are sent.
    """
    rng = random.Random(1)
    by_kind = kinds(secret, rng)
    sealed = Sealed(secret)
    sent = dict.fromkeys(by_kind, 0)
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sender.bind((interface, 0))
    total = int(RATE_PER_S * seconds)
    began_s = time.monotonic()
    for number, kind in enumerate(_choices(by_kind, rng, total)):
        while number > (time.monotonic() - began_s) * RATE_PER_S:
            time.sleep(0.001)
        sender.send(rng.choice(by_kind[kind]))
        sent[kind] += 1
        if number % (total // GOOD) == 0:
            sender.send(frame(good(sealed)))
    return {"sent": sent, "took_s": time.monotonic() - began_s}


def _choices(by_kind: dict[str, list[bytes]], rng: random.Random, count: int) -> Iterator[str]:
    names = list(by_kind)
    return (rng.choice(names) for _ in range(count))
