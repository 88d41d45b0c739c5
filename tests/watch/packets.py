"""Packets for the tests of the watch: those of other implementations in frames of scapy's, and sealed ones of ours."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Any

from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.layers.vrrp import VRRP
from scapy.layers.vrrp import VRRPv3

from tests.carp.vectors import VECTORS
from wsa_proxy.carp.credentials import Reading
from wsa_proxy.carp.credentials import Sealer
from wsa_proxy.carp.seal import GroupTime
from wsa_proxy.carp.seal import sealed_key
from wsa_proxy.watch.decode import Captured
from wsa_proxy.watch.decode import Heard
from wsa_proxy.watch.decode import decode
from wsa_proxy.watch.judge import YEAR_2020_S

BEGIN_S = 1_790_000_000.0
"""2026-09-21 14:13:20 UTC."""
SECRET = "correct-horse-1"
VIP = ip_address("10.0.0.3")
MAC_A, MAC_B = "02:00:00:00:00:0a", "02:00:00:00:00:0b"

F1 = next(vector for vector in VECTORS if vector.name.startswith("F1 "))
"""FreeBSD's, id 1."""
U3 = next(vector for vector in VECTORS if vector.name.startswith("U3 "))
"""ucarp's, id 42."""
BOW_OUT = next(vector for vector in VECTORS if vector.name.startswith("O7 "))
"""OpenBSD's, id 1."""


def frame(payload: Any, source: str = "10.0.0.1", mac: str = MAC_A, **fields: Any) -> bytes:
    """Ethernet and IP of scapy's making around a payload of protocol 112; ``fields`` are those of IP."""
    values: dict[str, Any] = {}
    if ":" in source:
        values |= {"src": source, "dst": "ff02::12", "hlim": 255, "nh": 112} | fields
        return bytes(Ether(src=mac, dst="33:33:00:00:00:12", type=0x86DD) / IPv6(**values) / payload)
    values = {"src": source, "dst": "224.0.0.18", "ttl": 255, "proto": 112}
    values |= fields
    return bytes(Ether(src=mac, dst="01:00:5e:00:00:12", type=0x0800) / IP(**values) / payload)


def captured(payload: Any, at_s: float = 0.0, source: str = "10.0.0.1", mac: str = MAC_A, **fields: Any) -> Captured:
    """Such a frame, so many seconds after the beginning."""
    return Captured(BEGIN_S + at_s, frame(payload, source, mac, **fields))


def heard(payload: Any, at_s: float = 0.0, source: str = "10.0.0.1", mac: str = MAC_A, **fields: Any) -> Heard:
    """The same, read."""
    read = decode(captured(payload, at_s, source, mac, **fields))
    assert read is not None
    return read


def vrrp_2(vrid: int = 1, priority: int = 100, **fields: Any) -> Any:
    """scapy's VRRP version 2."""
    return VRRP(vrid=vrid, priority=priority, addrlist=["10.0.0.3"], **fields)


def vrrp_3(vrid: int = 1, priority: int = 100, **fields: Any) -> Any:
    """scapy's VRRP version 3."""
    return VRRPv3(vrid=vrid, priority=priority, adv=50, addrlist=["10.0.0.3"], **fields)


class Sender:
    """Seals as a node does, in the time of the tests."""

    def __init__(self, vhid: int = 1, secret: str = SECRET, addresses: tuple[Any, ...] = (VIP,)) -> None:
        time = GroupTime("", None, 0.0)
        self.sealer = Sealer(sealed_key(secret.encode()), vhid, addresses, time)

    def payload(
        self, at_s: float, advbase: int = 1, advskew: int = 0, demotion: int = 0, farewell: bool = False
    ) -> bytes:
        """The 36 bytes of an advertisement of that moment."""
        now_ms = (BEGIN_S + at_s - YEAR_2020_S) * 1000
        return self.sealer.sign(advbase, advskew, demotion, farewell, Reading(now_ms, now_ms, now_ms), chance=5)


def configuration(folder: Path, name: str = "node.yaml", **keys: Any) -> Path:
    """A node's file with one group; ``keys`` are those of the group, None takes one out."""
    values = {
        "id": 1,
        "hostname": "proxy.example.com",
        "virtual_ip": "10.0.0.3/24",
        "priority": 200,
        "shared_secret": f'"{SECRET}"',
    }
    values |= keys
    lines = [f"    {key}: {value}" for key, value in values.items() if value is not None]
    path = folder / name
    path.write_text("groups:\n  -\n" + "\n".join(lines) + "\n")
    path.chmod(0o600)
    return path
