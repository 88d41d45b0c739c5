"""Members that see each other: real nodes, reports and drivers in virtual time; only the kernel is a fake."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.runtime.world import Host
from tests.runtime.world import MakeHost


def members(host: Host) -> dict[str, Any]:
    told: dict[str, Any] = host.node.status()["groups"][0]["members"]
    return told


def listed(host: Host) -> dict[str, dict[str, Any]]:
    return {each["node"]: each for each in members(host)["list"]}


@pytest.fixture
async def three(make_host: MakeHost) -> list[Host]:
    hosts = [
        make_host("a", 1),
        make_host("b", 2, priority=200, advskew=55),
        make_host("c", 9, priority=100, advskew=155),
    ]
    hosts[0].lan.carries_report = lambda sender, receiver: True
    for host in hosts:
        await host.start()
    return hosts


async def test_all_see_all(three: list[Host]) -> None:
    """Within a few intervals, with role, health and age."""
    await asyncio.sleep(5)
    b = three[1]
    assert [host.state for host in three] == ["master", "backup", "backup"]
    for host in three:
        others = {each.name for each in three} - {host.name}
        assert set(listed(host)) == others
        assert all(each["is_fresh"] and each["age_s"] <= 1.0 and each["is_ready"] for each in listed(host).values())
        assert members(host)["findings"] == [] and members(host)["redundancy"]["healthy_standbys"] == 2
    assert listed(b)["a"]["state"] == "master" and listed(b)["a"]["priority"] == 255


@pytest.mark.parametrize("blocked", [{("a", "b"), ("a", "c")}, {("b", "a"), ("c", "a")}, "all"])
async def test_filtered_advertisements_make_no_second_master(three: list[Host], blocked: Any) -> None:
    """One owner throughout; then it dies, and is followed."""
    a, b, c = three
    await asyncio.sleep(5)
    a.lan.carries_advertisement = lambda sender, receiver: blocked != "all" and (sender, receiver) not in blocked
    for _ in range(600):
        await asyncio.sleep(0.1)
        assert [host.state for host in three] == ["master", "backup", "backup"]
    findings = members(b)["findings"] + members(a)["findings"]
    if blocked == "all" or ("a", "b") in blocked:
        assert any("advertisements are blocked between a and b" in each for each in findings), findings
    a.running = False
    await asyncio.sleep(4.5)
    assert b.state == "master" and c.state == ("backup" if blocked != "all" else c.state)


async def test_a_cold_start_behind_a_filter(make_host: MakeHost) -> None:
    """A node that has never heard an advertisement asks as well."""
    a, b = make_host("a", 1), make_host("b", 2, priority=200, advskew=55)
    a.lan.carries_report = lambda sender, receiver: True
    a.lan.carries_advertisement = lambda sender, receiver: False
    await a.start()
    await asyncio.sleep(5)
    await b.start()
    for _ in range(300):
        await asyncio.sleep(0.1)
        assert (a.state, b.state) == ("master", "backup")
