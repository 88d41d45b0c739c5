"""More packets of others: 45 of the BSDs' kernels, compiled, and 37 that the real ucarp sent when it heard us."""

from __future__ import annotations

import json
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from tests.carp.vectors import Vector
from wsa_proxy.carp.wire import Version

FOLDER = Path(__file__).resolve().parents[1] / "vectors"
IPV4_PAYLOAD = slice(34, 70)
"""In an Ethernet frame with an IPv4 header of 20 bytes."""


def _bsd(entry: Mapping[str, Any]) -> Vector:
    addresses = tuple(map(ip_address, entry["addresses"]))
    version: Version = 4 if any(each.version == 4 for each in addresses) else 6
    shape = f"{entry['oracle']} {entry['hmac']} with {len(addresses)} addresses"
    return _vector(entry, shape, version, addresses, int(entry["counter"], 16), bytes.fromhex(entry["packet_hex"]))


def _ucarp(entry: Mapping[str, Any]) -> Vector:
    packet = bytes.fromhex(entry["frame_hex"])[IPV4_PAYLOAD]
    return _vector(entry, "ucarp", 4, (ip_address(entry["virtual_ip"]),), int.from_bytes(packet[8:16]), packet)


def _vector(
    entry: Mapping[str, Any], name: str, version: Version, addresses: tuple[Any, ...], counter: int, packet: bytes
) -> Vector:
    pass_phrase = entry["pass_phrase"].encode()
    return Vector(
        name=f"{name}, id {entry['vhid']}, {entry['advbase']}/{entry['advskew']}, {len(pass_phrase)} bytes",
        version=version,
        vhid=entry["vhid"],
        advbase=entry["advbase"],
        advskew=entry["advskew"],
        demotion=entry.get("demotion", 0),
        key=pass_phrase.ljust(20, b"\0"),
        pass_phrase=pass_phrase,
        addresses=addresses,
        counter=counter,
        packet=packet,
    )


BSD_DOCUMENT = json.loads((FOLDER / "bsd-vectors.json").read_text())
UCARP_DOCUMENT = json.loads((FOLDER / "ucarp-vectors.json").read_text())
BSD = [_bsd(entry) for entry in BSD_DOCUMENT["vectors"]]
"""With all addresses of the virtual host, also those that were left out of the digest."""
NOT_SENT_BY_US = [vector for vector in BSD if any(f" {hmac} " in vector.name for hmac in ("all", "orig"))]
"""Their digest has link-local addresses, where there are some: believed, and not how we sign."""
UCARP = [_ucarp(entry) for entry in UCARP_DOCUMENT["vectors"]]
