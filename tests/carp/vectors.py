"""The packets of tests/vectors: captured from ucarp, or made by the sources of FreeBSD and OpenBSD."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from wsa_proxy.carp.auth import Address
from wsa_proxy.carp.wire import Version

DOCUMENT: Mapping[str, Any] = json.loads(
    (Path(__file__).resolve().parents[1] / "vectors" / "carp-vectors.json").read_text()
)


@dataclass(frozen=True, slots=True)
class Vector:
    """One packet of another implementation, with what it says."""

    name: str
    version: Version
    vhid: int
    advbase: int
    advskew: int
    demotion: int
    key: bytes
    pass_phrase: bytes
    addresses: tuple[Address, ...]
    """Those that its sender hashed."""
    counter: int
    packet: bytes


def _vector(entry: Mapping[str, Any]) -> Vector:
    addresses = [ip_address(text) for text in entry["addresses"]]
    if entry["hmac_variant"] == "nov6ll":
        addresses = [each for each in addresses if each.version == 4 or not each.is_link_local]  # as OpenBSD sends
    assert entry["lladdr_hashed"] is None
    return Vector(
        name=f"{entry['id']} {entry['note']}",
        version=4 if entry["af"] == "inet" else 6,
        vhid=entry["vhid"],
        advbase=entry["advbase"],
        advskew=entry["advskew"],
        demotion=entry["demote"],
        key=bytes.fromhex(entry["key20_hex"]),
        pass_phrase=entry["key"].encode(),
        addresses=tuple(addresses),
        counter=int(entry["counter"], 16),
        packet=bytes.fromhex(entry["packet_hex"]),
    )


VECTORS = [_vector(entry) for entry in DOCUMENT["vectors"]]
F1 = next(vector for vector in VECTORS if vector.name.startswith("F1 "))
NEGATIVES: dict[str, bytes] = {entry["id"]: bytes.fromhex(entry["packet_hex"]) for entry in DOCUMENT["negatives"]}
