"""Whoever answers for the virtual IP by ARP alone: told, announced against, and no reason to wait."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import Any

import pytest

from tests.runtime.members import members
from tests.runtime.members import start_three
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


async def begins(hosts: list[Host], mac: str, seconds: float) -> None:
    """All of them, at once, while somebody with this hardware address answers what they ask."""
    for host in hosts:
        await host.start()
    for _ in range(round(seconds * 10)):
        await asyncio.sleep(0.1)
        for host in hosts:
            answer(host, mac)


@pytest.mark.parametrize("mac", [STRANGER, OWN_VIRTUAL])
async def test_nodes_that_hear_each_other_begin_beside_a_stranger(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture, mac: str
) -> None:
    """After a power failure, say. Who answers is none of them, and leaves the group without an owner no longer than the
    start takes."""
    a, b = make_host("a", 1), make_host("b", 2, priority=200, advskew=55)
    a.lan.carries_report = lambda sender, receiver: True
    await begins([a, b], mac, 4)
    assert (a.state, b.state) == ("master", "backup") and a.holds
    assert (f"answered for by {STRANGER}, which proves nothing" in caplog.text) is (mac == STRANGER)


@pytest.mark.parametrize("reports_pass", [True, False])
async def test_a_master_that_is_not_believed_is_no_stranger(make_host: MakeHost, reports_pass: bool) -> None:
    """It has another secret, as it may be while the nodes get a new one in turn, and advertises. Without members nobody
    knows."""
    c = make_host("c", 9, priority=100, advskew=155, pass_phrases=(b"another one",))
    await c.start()
    await asyncio.sleep(6)
    assert c.state == "master"
    a, b = make_host("a", 1), make_host("b", 2, priority=200, advskew=55)
    a.lan.carries_report = lambda sender, receiver: reports_pass
    await begins([a, b], OWN_VIRTUAL, 12)
    assert (a.state, b.state, c.state) == ("backup", "backup", "master")
    c.running = False
    await asyncio.sleep(8)
    assert (a.state, b.state) == ("master", "backup")


async def test_the_groups_own_address_is_no_stranger(make_host: MakeHost) -> None:
    """The virtual MAC: a member's kernel, whatever became of the member."""
    b = await after_the_masters_death(make_host, OWN_VIRTUAL, 5)
    assert b.state == "master"
    assert not any("answered for" in each for each in members(b)["findings"])


async def test_nodes_that_start_together_do_not_wait_for_a_stranger(make_host: MakeHost) -> None:
    """After a power failure nobody has heard a master yet; but each other."""
    hosts = await start_three(make_host)
    for _ in range(40):
        await asyncio.sleep(0.1)
        for host in hosts:
            answer(host, STRANGER)
    assert [host.state for host in hosts] == ["master", "backup", "backup"]
    assert any(STRANGER in each for each in members(hosts[0])["findings"])


async def test_a_node_alone_does_not_take_what_another_has(make_host: MakeHost) -> None:
    """It has heard nobody, so the address may be in use: a conflict, as for any host."""
    host = make_host("a", 1)
    await host.start()
    for _ in range(80):
        await asyncio.sleep(0.1)
        answer(host, STRANGER)
    assert host.state == "backup"


async def test_many_strangers_make_few_lines(make_host: MakeHost, caplog: pytest.LogCaptureFixture) -> None:
    """One is named for as long as any of them answers; the address of each is his own choice."""
    b = await after_the_masters_death(make_host, STRANGER, 4)
    for number in range(20):
        await asyncio.sleep(1)
        answer(b, f"02:00:00:00:00:{number:02x}")
    assert len([line for line in caplog.messages if "answered for by" in line]) == 2
    assert any(STRANGER in each for each in members(b)["findings"])
