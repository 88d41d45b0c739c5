"""Whoever answers for the virtual IP by ARP alone: told, announced against, and no reason to wait."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import Any

import pytest

from tests.runtime.members import members
from tests.runtime.world import Host
from tests.runtime.world import MakeHost
from wsa_proxy.net.ports import Answer
from wsa_proxy.runtime.strangers import REMEMBERED_S

STRANGER, OWN_VIRTUAL = "02:00:00:00:00:99", "00:00:5e:00:01:01"


def answer(host: Host, mac: str) -> None:
    """To its questions, if it has asked."""
    neighbours: Any = host.ports and host.ports.neighbours
    if neighbours is not None and neighbours.inbox is not None:
        neighbours.inbox.put(Answer(ip_address("10.0.0.3"), mac))


async def after_the_masters_death(make_host: MakeHost, mac: str, seconds: float) -> Host:
    """The backup, so long after; each tenth of a second somebody with this hardware address answers what it asks."""
    a, b = make_host("a", 1), make_host("b", 2, priority=200, advskew=55)
    a.lan.carries_report = lambda sender, receiver: True
    await a.start()
    await b.start()
    await asyncio.sleep(8)
    a.running = False
    b.journal.clear()
    for _ in range(round(seconds * 10)):
        await asyncio.sleep(0.1)
        answer(b, mac)
    return b


async def test_no_takeover_waits_for_a_stranger(make_host: MakeHost, caplog: pytest.LogCaptureFixture) -> None:
    """The master is silent, its address is answered for: the backup is master in time, and says whom it has seen."""
    b = await after_the_masters_death(make_host, STRANGER, 3.4)
    assert b.state == "master" and b.holds
    assert caplog.text.count(f"answered for by {STRANGER}, which proves nothing") == 1
    assert any(STRANGER in each for each in members(b)["findings"])


async def test_it_is_announced_against_for_as_long_as_it_answers(make_host: MakeHost) -> None:
    """In each interval; some seconds after the last answer nobody is asked any more."""
    b = await after_the_masters_death(make_host, STRANGER, 6)
    b.journal.clear()
    for _ in range(50):
        await asyncio.sleep(0.1)
        answer(b, STRANGER)
    assert b.journal.count("announce") >= 5 and b.journal.count("probe") >= 4
    await asyncio.sleep(REMEMBERED_S + 2)
    b.journal.clear()
    await asyncio.sleep(5)
    neighbours: Any = b.ports and b.ports.neighbours
    assert "probe" not in b.journal and neighbours.inbox is None
    assert not any(STRANGER in each for each in members(b)["findings"])


async def test_the_groups_own_address_is_no_stranger(make_host: MakeHost) -> None:
    """The virtual MAC: a member's kernel, whatever became of the member."""
    b = await after_the_masters_death(make_host, OWN_VIRTUAL, 5)
    assert b.state == "master"
    assert not any("answered for" in each for each in members(b)["findings"])
