"""Three nodes that see each other, for the tests of what follows from that."""

from __future__ import annotations

from typing import Any

from tests.runtime.world import Host
from tests.runtime.world import MakeHost


def members(host: Host) -> dict[str, Any]:
    told: dict[str, Any] = host.node.status()["groups"][0]["members"]
    return told


def listed(host: Host) -> dict[str, dict[str, Any]]:
    return {each["node"]: each for each in members(host)["list"]}


async def start_three(make_host: MakeHost) -> list[Host]:
    """a, b and c, with these priorities in this order; reports pass."""
    hosts = [
        make_host("a", 1),
        make_host("b", 2, priority=200, advskew=55),
        make_host("c", 9, priority=100, advskew=155),
    ]
    hosts[0].lan.carries_report = lambda sender, receiver: True
    for host in hosts:
        await host.start()
    return hosts
