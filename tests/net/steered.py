"""Clients of a virtual address that another node still serves, and frames of theirs; for tests with the fixture ``lan``
that steer on its left host."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from collections.abc import Mapping
from ipaddress import IPv4Address
from ipaddress import IPv6Address
from ipaddress import ip_address
from typing import Any
from typing import Literal

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet import TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from wsa_proxy.net.ports import Steered
from wsa_proxy.net.steering import Steering

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
    addresses: dict[str, Any] = {"src": str(CLIENT[version]), "dst": str(VIP[version])}
    addresses |= {name: str(fields.pop(name)) for name in ("src", "dst") if name in fields}
    mac = fields.pop("mac", bytes.fromhex("020000000009"))
    ip = IP(**addresses) if version == 4 else IPv6(**addresses)
    frame: Packet = Ether(src=mac.hex(":"), dst=to.hex(":")) / ip
    ports: dict[str, Any] = {"sport": CLIENT_PORT, "dport": PORT}
    return frame / TCP(flags=flags, **(ports | fields))


def one_processor() -> None:
    """Frames that this process sends through veths from now on arrive in their order."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def nft(*arguments: str) -> str:
    """What nft prints."""
    if shutil.which("nft") is None:
        pytest.skip("nftables is missing: apt-get install nftables")
    done = subprocess.run(["nft", *arguments], capture_output=True, text=True, check=True)
    return done.stdout


type Content = dict[str, list[str]]


def contents() -> dict[str, Content]:
    """Of each table, of each set in it its elements, in an order of their own, and of each chain its lines, without
    what is counted. As text, since nft's JSON of a table with an owner is not always JSON (1.0.6)."""
    return {table: _content(body) for table, body in _blocks("table netdev (\\S+) {[^\n]*", nft("list", "ruleset"))}


def content(steering: Steering) -> Content:
    """The same of one table; empty if it is not there."""
    return contents().get(steering.table, {})


def _content(body: str) -> Content:
    found: Content = {}
    for name, inside in _blocks("\tchain (\\S+) {", body):
        found[name] = re.sub(r"packets \d+ bytes \d+ ", "", inside).split("\n")
    for name, inside in _blocks("\t(?:set|map) (\\S+) {", body):
        listed = re.search(r"elements = {(.*?)}", inside, re.DOTALL)
        found[name] = sorted(each.strip() for each in listed[1].split(",")) if listed else []
    return found


def _blocks(head: str, listing: str) -> list[tuple[str, str]]:
    """The name of each block and what is in it; it ends with a brace that is indented as its head is."""
    indented = "\t" if head.startswith("\t") else ""
    return re.findall(rf"^{head}\n(.*?)^{indented}}}", listing, re.DOTALL | re.MULTILINE)


def forwarded() -> int:
    """Frames that rules have sent on, as these count them."""
    return sum(map(int, re.findall(r"packets (\d+)", nft("list", "ruleset"))))
