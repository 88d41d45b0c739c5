"""VRRP, the other speaker of protocol 112: scapy's reading of versions 2 and 3, for people.

Version 2 starts with the same byte as CARP. There, byte 3 counts addresses (RFC 3768); in CARP it is the 7 words of
counter and digest. A VRRP advertisement with 7 addresses is told from CARP by its checksum.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import ip_address

from scapy.layers.inet import IP
from scapy.layers.vrrp import VRRP
from scapy.layers.vrrp import VRRPv3
from scapy.packet import Packet
from scapy.utils import checksum

ADDRESSES_MAX = 100  # what scapy reads in a list; nobody has so many
_FIXED_BYTES = 8
_AUTH_BYTES = 8
_AUTH_KINDS = {0: "none", 1: "plain text", 2: "IP AH"}
_ADVERTISEMENT = 1
_PROTOCOL = 112


@dataclass(frozen=True, slots=True)
class Vrrp:
    """What a VRRP advertisement says. Its authentication data is not kept: with type 1 it is a password."""

    version: int
    vrid: int
    priority: int
    interval_s: float
    addresses: tuple[str, ...]
    auth: str
    """Of version 2; empty in version 3, which has none."""
    intact: bool
    """The checksum is right."""

    @property
    def gives_up(self) -> bool:
        """Priority 0 says: I leave, take over (RFC 5798)."""
        return self.priority == 0


def read_vrrp(payload: bytes, network: Packet) -> Vrrp | None:
    """The VRRP advertisement in the payload of this IP layer, None when it is none."""
    if len(payload) < _FIXED_BYTES or payload[0] & 0x0F != _ADVERTISEMENT or payload[3] > ADDRESSES_MAX:
        return None
    version, count = payload[0] >> 4, payload[3]
    if version == 2 and isinstance(network, IP) and len(payload) == _FIXED_BYTES + 4 * count + _AUTH_BYTES:
        return _version_2(VRRP(payload), payload)
    address_bytes = 4 if isinstance(network, IP) else 16
    if version == 3 and len(payload) == _FIXED_BYTES + address_bytes * count:
        return _version_3(VRRPv3(payload, _underlayer=network), payload, network)
    return None


def _version_2(read: Packet, payload: bytes) -> Vrrp:
    auth = _AUTH_KINDS.get(read.authtype, f"type {read.authtype}")
    # Some senders leave the authentication data out of the sum; RFC 3768 has it in.
    intact = checksum(payload) == 0 or checksum(payload[:-_AUTH_BYTES]) == 0
    return Vrrp(2, read.vrid, read.priority, float(read.adv), _texts(read.addrlist), auth, intact)


def _version_3(read: Packet, payload: bytes, network: Packet) -> Vrrp:
    source, target = (ip_address(text).packed for text in (network.src, network.dst))
    pseudo = source + target + struct.pack("!IHBB", len(payload), 0, 0, _PROTOCOL)
    if isinstance(network, IP):
        pseudo = source + target + struct.pack("!BBH", 0, _PROTOCOL, len(payload))
    # keepalived can be told to leave the pseudo header out with IPv4.
    intact = checksum(pseudo + payload) == 0 or (isinstance(network, IP) and checksum(payload) == 0)
    return Vrrp(3, read.vrid, read.priority, read.adv / 100, _texts(read.addrlist), "", intact)


def _texts(addresses: list[str]) -> tuple[str, ...]:
    return tuple(str(address) for address in addresses)
