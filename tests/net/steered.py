"""Clients of a virtual address that another node still serves, and frames of theirs; for tests with the fixture ``lan``
that steer on its left host."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from collections.abc import Mapping
from ipaddress import IPv4Address
from ipaddress import IPv6Address
from ipaddress import ip_address
from typing import Any
from typing import Literal

from scapy.layers.inet import IP
from scapy.layers.inet import TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from wsa_proxy.net.ports import Steered

type Version = Literal[4, 6]

VHID = 42
PORT = 8080
CLIENT_PORT = 40_000
VIP: Mapping[Version, IPv4Address | IPv6Address] = {4: ip_address("10.0.0.100"), 6: ip_address("fd00:77::100")}
CLIENT: Mapping[Version, IPv4Address | IPv6Address] = {4: ip_address("10.0.0.2"), 6: ip_address("fd00:77::2")}
OTHER: Mapping[Version, IPv4Address | IPv6Address] = {4: ip_address("10.0.0.200"), 6: ip_address("fd00:77::200")}
OLD = bytes.fromhex("020000000002")
"""The hardware address of the node that still serves the clients."""
MEMBER = bytes.fromhex("020000000003")
"""That of a third node."""


def client(version: Version, client_port: int = CLIENT_PORT, port: int = PORT) -> bytes:
    """The key of one connection."""
    return VIP[version].packed + port.to_bytes(2) + CLIENT[version].packed + client_port.to_bytes(2)


def packed(mac: str) -> bytes:
    """Its six bytes."""
    return bytes.fromhex(mac.replace(":", ""))


def steered(
    lan: Any,
    clients: Iterable[bytes] = (),
    *,
    unknown: Iterable[Version] = (),
    device: str = "left",
    more_devices: tuple[str, ...] = (),
) -> Steered:
    """These clients, and the unknown ones of these IP versions, are the old node's."""
    return Steered(
        device=device,
        devices=(device, *more_devices),
        own_mac=packed(lan.mac(device)),
        members=frozenset((MEMBER,)),
        targets=dict.fromkeys(clients, OLD),
        unknown={(VIP[version].packed, PORT): OLD for version in unknown},
    )


def segment(version: Version, to: bytes, flags: str, **fields: Any) -> Packet:
    """A TCP segment from a client, addressed to this hardware address. ``fields`` are scapy's: ``sport``, ``dport``,
    ``seq`` of TCP, ``src`` and ``dst`` of IP, ``mac`` for the source of the frame."""
    addresses = {"src": str(CLIENT[version]), "dst": str(VIP[version])}
    addresses |= {name: str(fields.pop(name)) for name in ("src", "dst") if name in fields}
    mac = fields.pop("mac", bytes.fromhex("020000000009"))
    ip = IP(**addresses) if version == 4 else IPv6(**addresses)
    frame: Packet = Ether(src=mac.hex(":"), dst=to.hex(":")) / ip
    return frame / TCP(**({"sport": CLIENT_PORT, "dport": PORT, "flags": flags} | fields))


def one_processor() -> None:
    """Frames that this process sends through veths from now on arrive in their order."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def nft(*arguments: str) -> str:
    """What nft prints."""
    done = subprocess.run(["nft", *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def elements(name: str) -> list[Any]:
    """Those of a set, as nft reads them."""
    for each in ruleset():
        for kind in ("set", "map"):
            if each.get(kind, {}).get("name") == name:
                found: list[Any] = each[kind].get("elem", [])
                return found
    raise AssertionError(f"no set {name}")


def ruleset() -> list[dict[str, Any]]:
    """All that nf_tables has in this namespace."""
    found: list[dict[str, Any]] = json.loads(nft("-j", "list", "ruleset"))["nftables"]
    return [each for each in found if "metainfo" not in each]
