"""Nodes with open connections, for the tests of what becomes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from tests.runtime.test_group_switch import make
from tests.runtime.world import Host
from tests.runtime.world import MakeHost
from wsa_proxy.net.ports import Address

GONE_S = 2.0
"""A node that drains says so twice a second, and three that are missing mean that it is gone."""


def client(number: int) -> bytes:
    """Of 10.0.0.3 port 8080."""
    return b"\x0a\x00\x00\x03\x1f\x90" + bytes([192, 0, 2, number]) + (40_000 + number).to_bytes(2, "big")


def crowd(first: int, last: int) -> set[bytes]:
    """Of one host; these ports, ``last`` not among them."""
    return {b"\x0a\x00\x00\x03\x1f\x90\xc0\x00\x02\x01" + port.to_bytes(2, "big") for port in range(first, last)}


def mac(host: Host) -> bytes:
    return bytes.fromhex(host.mac.replace(":", ""))


def carry(host: Host) -> dict[str, Any]:
    told: dict[str, Any] = host.node.status()["groups"][0]["carry"]
    return told


def steered(host: Host) -> dict[bytes, bytes]:
    """What its kernel sends on, and where to."""
    wanted = host.steering.in_force.get(1)
    return dict(wanted.targets) if wanted is not None else {}


def is_silent(host: Host) -> bool:
    return bool(host.ports is not None and getattr(host.ports.addresses, "silent", False))


class Clients:
    """The proxy's part; what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def leave(self, addresses: Collection[Address]) -> None:
        self.asked.append("leave")

    def end_resting(self, addresses: Collection[Address]) -> None:
        if self.asked[-1:] != ["end resting"]:
            self.asked.append("end resting")

    def stay(self, addresses: Collection[Address]) -> None:
        self.asked.append("stay")


async def with_clients(make_host: MakeHost, names: str = "ab", count: int = 3, **changes: Any) -> list[Host]:
    """a is master and has so many, which the others know of."""
    hosts = await make(make_host, names, security=("sealed",), **changes)
    hosts[0].sockets.connected = {client(number) for number in range(count)}
    await asyncio.sleep(3)
    for host in hosts:
        host.journal.clear()
    return hosts


def before(host: Host, *steps: str) -> bool:
    """They are in its journal in this order."""
    found = [host.journal.index(step) for step in steps]
    return found == sorted(found)
