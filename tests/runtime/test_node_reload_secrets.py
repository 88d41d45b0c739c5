"""A running group gets another secret, or another way to sign: in steps without a transition, and in one by mistake."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import Any

import pytest

from tests.runtime.reloading import reload
from tests.runtime.wire import master_and_backup
from tests.runtime.world import Host
from tests.runtime.world import MakeHost
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.net.ports import Answer

DUAL = ("10.0.0.3/24", "fd00::3/64")
OLD, NEW = b"the old secret", b"the new secret"
ROTATION: list[dict[str, Any]] = [{"pass_phrases": each} for each in ((OLD, NEW), (NEW, OLD), (NEW,))]
TO_SEALED: list[dict[str, Any]] = [{"security": each} for each in (("carp", "sealed"), ("sealed", "carp"), ("sealed",))]


@pytest.mark.parametrize("addresses", [("10.0.0.3/24",), DUAL], ids=["IPv4", "dual stack"])
@pytest.mark.parametrize("security", [("carp",), ("sealed",)])
@pytest.mark.parametrize("order", ["master first", "backup first"])
async def test_a_secret_is_rotated_in_three_steps(
    make_host: MakeHost, addresses: tuple[str, ...], security: tuple[str, ...], order: str
) -> None:
    """No transition and not one packet refused; then the takeover comes in its usual time."""
    a, b, _ = await master_and_backup(make_host, pass_phrases=(OLD,), security=security, virtual_ips=addresses)
    await in_steps([a, b] if order == "master first" else [b, a], ROTATION)
    refused = {reject.value: count for reject, count in b.driver.record.rejects.items() if count}
    assert set(refused) <= ({"duplicate"} if security == ("sealed",) else set())
    await dies_and_is_replaced(a, b)


@pytest.mark.parametrize("addresses", [("10.0.0.3/24",), DUAL], ids=["IPv4", "dual stack"])
@pytest.mark.parametrize("order", ["master first", "backup first"])
async def test_a_plain_group_becomes_a_sealed_one_in_three_steps(
    make_host: MakeHost, addresses: tuple[str, ...], order: str
) -> None:
    """And back again: the IP versions that are silent each for itself become one, and two again."""
    a, b, _ = await master_and_backup(make_host, security=("carp",), virtual_ips=addresses)
    steps: list[dict[str, Any]] = [*TO_SEALED, *TO_SEALED[1::-1], {"security": ("carp",)}, *TO_SEALED]
    await in_steps([a, b] if order == "master first" else [b, a], steps)
    assert b.driver.virtual_host.settings.says_farewell and b.driver.virtual_host.settings.tie_break == 0
    await dies_and_is_replaced(a, b)


async def in_steps(hosts: list[Host], steps: list[dict[str, Any]]) -> None:
    """Each step on all nodes before the next one."""
    for step in steps:
        for host in hosts:
            reload(host, **step)
            await asyncio.sleep(1.7)
    for host in hosts:
        states = [change.report.new.value for change in host.driver.record.transitions]
        assert states == (["backup", "master"] if host.name == "a" else ["backup"])


async def dies_and_is_replaced(a: Host, b: Host) -> None:
    await asyncio.sleep(5)
    heard_at_s = max(b.driver.virtual_host._heard_at_s.values())
    a.running = False
    await asyncio.sleep(heard_at_s + 3 + 55 / 256 + 0.01 - b.loop.now)
    assert b.state == "master" and b.driver.record.reason == "master_silent"


async def test_what_was_captured_before_a_rotation_is_refused_after_it(make_host: MakeHost) -> None:
    """I4: also when the secret has gone and comes back, and for the node that has said it itself."""
    a, b, wire = await master_and_backup(make_host, pass_phrases=(OLD,), security=("sealed",))
    captured = list(wire.captured)
    for phrases in ((OLD, NEW), (NEW, OLD), (NEW,), (NEW, OLD)):
        for host in (a, b):
            reload(host, pass_phrases=phrases)
        await asyncio.sleep(1.1)
    before = [dict(host.driver.record.rejects) for host in (a, b)]
    for payload in captured:
        wire.send(payload)
    await asyncio.sleep(0.01)
    for host, earlier in zip((a, b), before, strict=True):
        now = host.driver.record.rejects
        more = {reject.value: now[reject] - earlier[reject] for reject in now if now[reject] != earlier[reject]}
        assert set(more) <= {"replay", "echo", "duplicate"} and sum(more.values()) == len(captured)
    assert (a.state, b.state) == ("master", "backup")


@pytest.mark.parametrize("mistaken", ["a", "b"])
async def test_a_node_that_alone_gets_another_secret_is_no_second_master(make_host: MakeHost, mistaken: str) -> None:
    """It hears nobody any more, and somebody answers for the address; if it was the master, it has left before."""
    a, b, _ = await master_and_backup(make_host, pass_phrases=(OLD,))
    wrong, right = (a, b) if mistaken == "a" else (b, a)
    reload(wrong, pass_phrases=(NEW,))
    for _ in range(200):
        await asyncio.sleep(0.1)
        neighbours: Any = wrong.ports and wrong.ports.neighbours
        if right.holds and neighbours is not None and (inbox := neighbours.inbox) is not None:
            inbox.put(Answer(ip_address("10.0.0.3"), "00:00:5e:00:01:01"))
        assert right.driver.is_master and not wrong.driver.is_master
    assert wrong.driver.record.reason == "address_answered_by_another_host"


async def test_what_waited_was_said_to_the_old_settings(make_host: MakeHost) -> None:
    """The last word of a member with the secret that goes is heard, although it is read in the moment of the reload."""
    a, b, _ = await master_and_backup(make_host, pass_phrases=(OLD,))
    reload(b, pass_phrases=(OLD, NEW))
    await asyncio.sleep(0.5)
    before = b.driver.record.received
    assert a.ports is not None
    a.driver._sending.send(a.ports.advertisements, SendAdvertisement(1, 0, 0))
    assert len(b.inbox.items) == 1
    reload(b, pass_phrases=(NEW,))
    assert b.driver.record.received == before + 1 and not any(b.driver.record.rejects.values())
