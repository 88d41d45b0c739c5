"""What the groups of a node share for their open connections; what becomes of one group's is in test_group_carry.py."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from ipaddress import ip_network
from typing import Any

import pytest

from tests.runtime.carried import carry
from tests.runtime.carried import client
from tests.runtime.carried import is_silent
from tests.runtime.carried import mac
from tests.runtime.carried import steered
from tests.runtime.test_group_switch import done
from tests.runtime.test_group_switch import make
from tests.runtime.test_group_switch import owners
from tests.runtime.world import MakeHost
from wsa_proxy.net.ports import LinkChanged
from wsa_proxy.runtime import carry_over
from wsa_proxy.runtime.carry_over import NETWORKS_KEPT_S
from wsa_proxy.runtime.group_carry import LOOK_S
from wsa_proxy.runtime.group_carry import GroupCarry

OTHER_MAC = "02:00:00:00:00:77"


async def test_a_host_that_cannot_tell_its_connections_serves_all_the_same(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so at the start and in its status, and its switches are plain."""
    a = make_host("a", 1, security=("sealed",))
    a.carrying_error = OSError("no tcp_diag here")
    await a.start()
    await asyncio.sleep(5)
    assert a.state == "master" and "this host cannot tell its connections: no tcp_diag here" in caplog.text
    assert carry(a)["why_not"] == "this host cannot tell its connections: no tcp_diag here"


async def test_a_group_without_a_secret_has_nobody_to_tell(make_host: MakeHost) -> None:
    """Its connections are counted by nobody."""
    a = make_host("a", 1, pass_phrases=())
    await a.start()
    await asyncio.sleep(5)
    assert carry(a)["possible"] is False and carry(a)["why_not"].startswith("no shared_secret")


@pytest.mark.parametrize("in_loop_max", [1000, 0])
async def test_a_count_that_fails_is_tried_again(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch, in_loop_max: int
) -> None:
    """In the loop or in a thread: what was known stays, until the kernel tells again."""
    monkeypatch.setattr(carry_over, "IN_LOOP_MAX", in_loop_max)
    a, b = await make(make_host, "ab", security=("sealed",))
    a.sockets.connected = {client(1), client(2)}
    await asyncio.sleep(2)
    a.sockets.error = OSError("no memory")
    await asyncio.sleep(2)
    await done(a, "b")
    await asyncio.sleep(2)
    assert set(steered(b)) == {client(1), client(2)} and is_silent(a)
    a.sockets.error = None
    a.sockets.connected = {client(2)}
    await asyncio.sleep(2)
    assert set(steered(b)) == {client(2)}
    assert (a.sockets.asked_apart > 0) is (in_loop_max == 0)


async def test_connections_of_several_groups_are_told_apart(make_host: MakeHost) -> None:
    """They are asked for at once, by the address that each is to."""
    a, b = await make(make_host, "ab", security=("sealed",), more_vhids=(2,))
    other = bytes([10, 0, 1, 2]) + client(7)[4:]
    a.sockets.connected = {client(1), other}
    await asyncio.sleep(3)
    told = await a.node.switch("2", "b")
    assert "error" not in told
    await asyncio.sleep(2)
    assert set(b.steering.in_force) == {2} and set(b.steering.in_force[2].targets) == {other}
    assert carry(a)["drains"] is None and a.node.status()["groups"][1]["carry"]["drains"]["connections"] == 1


async def test_another_hardware_address_is_told_and_used(make_host: MakeHost) -> None:
    """Of the draining node's interface: what is steered there must find it."""
    a, b = await make(make_host, "ab", security=("sealed",))
    a.sockets.connected = {client(1)}
    await asyncio.sleep(2)
    await done(a, "b")
    a.mac = OTHER_MAC
    a.kernel_monitor.inbox.put(LinkChanged("eth0", a.index, running=True, mac=OTHER_MAC))
    await asyncio.sleep(2)
    assert steered(b) == {client(1): bytes.fromhex(OTHER_MAC.replace(":", ""))}


async def test_news_of_a_link_without_another_hardware_address_concern_no_group(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A takeover of all groups brings one for each: with 255 of them each would be told 255 times."""
    a = make_host("a", 1, security=("sealed",), more_vhids=(2, 3))
    await a.start()
    await asyncio.sleep(5)
    told: list[GroupCarry] = []
    monkeypatch.setattr(GroupCarry, "host_changed", lambda self: told.append(self))
    for changed, groups in ((a.mac, 0), ("", 0), (OTHER_MAC, 3), (OTHER_MAC, 3)):
        a.kernel_monitor.inbox.put(LinkChanged("eth0", a.index, running=True, mac=changed))
        await asyncio.sleep(1)
        assert len(told) == groups


async def test_what_is_on_the_link_is_looked_up_again_after_a_while(make_host: MakeHost) -> None:
    """The status asks each second; an address that was added is known soon."""
    a, _ = await make(make_host, "ab", security=("sealed",))
    assert carry(a)["possible"]
    a.own_networks = [ip_network("192.0.2.0/24"), ip_network("fd00::/64")]
    assert carry(a)["possible"], "not asked again yet"
    await asyncio.sleep(NETWORKS_KEPT_S + 1)
    assert not carry(a)["possible"]
    over = a.node.carry_over
    assert over.is_on_link("eth0", "192.0.2.7") and over.is_on_link("eth0", "fd00::7")
    assert not over.is_on_link("eth0", "") and not over.is_on_link("eth0", "10.0.0.2")


async def test_after_the_end_nothing_is_counted_or_steered(make_host: MakeHost) -> None:
    """Whatever still wakes."""
    a, b = await make(make_host, "ab", security=("sealed",))
    a.sockets.connected = {client(1)}
    await asyncio.sleep(2)
    await done(a, "b")
    await asyncio.sleep(1.5)
    b.node.carry_over.close()
    b.node.carry_over.close()
    assert not b.steering.in_force and b.node.carry_over.trouble == "the node has stopped"
    await asyncio.sleep(2)
    assert owners([a, b]) == "b" and not b.steering.in_force


async def test_an_error_of_ours_in_one_group_is_not_the_others(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told, and the pump goes on."""
    a, b = await make(make_host, "ab", security=("sealed",), more_vhids=(2,))

    def broken(clients: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(a.node.carry_over.groups[1], "tick", broken)
    a.sockets.connected = {client(1), bytes([10, 0, 1, 2]) + client(7)[4:]}
    await asyncio.sleep(3)
    assert "carp vhid=1 failed to look after connections" in caplog.text
    assert a.node.carry_over.groups[2].carrying.left == 1 and b.state == "backup"


@pytest.mark.parametrize("wakes", ["the timer", "the thread"])
async def test_who_stood_still_reads_what_waits_before_anybody_is_dead(make_host: MakeHost, wakes: str) -> None:
    """After a freeze an overdue timer, and a thread's answer, come first: what the draining node has said meanwhile is
    in the socket yet."""
    a, b = await make(make_host, "ab", security=("sealed",))
    a.sockets.connected = {client(1)}
    await asyncio.sleep(2)
    await done(a, "b")
    await asyncio.sleep(3)
    over = b.node.carry_over
    assert steered(b) == {client(1): mac(a)} and over._timer is not None
    over._timer.cancel()
    b.loop.now += 2.0
    a.node.reporting.groups[1].send()
    if wakes == "the timer":
        over._look()
    else:
        answer: Future[frozenset[bytes]] = Future()
        answer.set_result(frozenset())
        over._answered(answer, [1], True, b.loop.now)
    assert steered(b) == {client(1): mac(a)} and carry(b)["told"] is None


async def test_whoever_wants_a_look_in_the_middle_of_one_begins_no_second_row_of_them(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report that is read there may bring something to do: the looks would be twice as many for ever."""
    a, _ = await make(make_host, "ab", security=("sealed",))
    over = a.node.carry_over
    with monkeypatch.context() as patch:
        patch.setattr(over.groups[1], "wants_count", lambda now_s: over.wake())
        await asyncio.sleep(3)
    asked: list[bool] = []

    def count(vhids: list[int], half_open: bool) -> dict[int, Any]:
        asked.append(half_open)
        return {}

    monkeypatch.setattr(over, "_count", count)
    await asyncio.sleep(5)
    assert asked == [True, False] * round(5 / LOOK_S)


async def test_where_nobody_is_connected_there_is_nothing_to_look_after(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the groups of a master one is told what the kernel has; the others have no client, and had none."""
    a, _ = await make(make_host, "ab", security=("sealed",), more_vhids=tuple(range(2, 17)))
    told: list[GroupCarry] = []
    real = GroupCarry.tick

    def tick(group: GroupCarry, clients: frozenset[bytes] | None) -> None:
        told.append(group)
        real(group, clients)

    monkeypatch.setattr(GroupCarry, "tick", tick)
    await asyncio.sleep(5)
    assert told == []
    a.sockets.connected = {client(1)}
    await asyncio.sleep(5)
    assert set(told) == {a.node.carry_over.groups[1]} and a.node.carry_over.groups[1].carrying.left == 1
    a.sockets.connected = set()
    await asyncio.sleep(5)
    told.clear()
    await asyncio.sleep(5)
    assert told == [] and a.node.carry_over.groups[1].carrying.left == 0
