"""The guardian has taken the addresses from a process that stood still: what that does when it goes on."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.runtime.fakes import FakeAddresses
from tests.runtime.world import MakeHost
from wsa_proxy.net.ports import Fence
from wsa_proxy.runtime.health import Health
from wsa_proxy.runtime.reload import make_plan

STOOD = "the proxy's loop stood still for 1.2 s"


@pytest.mark.parametrize("bowed_out", [True, False])
async def test_a_fenced_node_listens_before_it_speaks(make_host: MakeHost, bowed_out: bool) -> None:
    """INIT, then a whole master-down interval of BACKUP. It bows out unless the guardian has done it: by now there may
    be a new master, and whoever hears a bow-out takes over."""
    a = make_host("a", 1)
    await a.start()
    await asyncio.sleep(5.5)
    before = len(a.journal)
    a.fake_leases.fences = [Fence(STOOD, frozenset({1} if bowed_out else ()))]
    a.beat()
    assert a.state == "backup"
    reports = [transition.report for transition in a.driver.record.transitions][-2:]
    assert [(each.old.name, each.new.name, each.reason) for each in reports] == [
        ("MASTER", "INIT", STOOD),
        ("INIT", "BACKUP", "ready"),
    ]
    said = [] if bowed_out else ["advertise v4 255/255"]
    assert a.journal[before:] == [*said, "close connections", "release"]
    await asyncio.sleep(2.9)
    assert a.state == "backup" and "advertise v4 1/0" not in a.journal[before:]
    await asyncio.sleep(0.2)
    assert a.state == "master"
    a.driver.set_obstacle("test", "leaves in order")
    assert a.journal[-3] == "advertise v4 255/255"


async def test_only_who_was_bowed_out_of_keeps_silent(make_host: MakeHost) -> None:
    """Of two groups the guardian has said one (of the other the kernel had kept the address at first): nobody would
    follow in the other one for a master-down interval. (Before, one answer stood for all groups.)"""
    a = make_host("a", 1, more_vhids=(2,))
    await a.start()
    await asyncio.sleep(5.5)
    said: list[int] = []
    for listener in a.lan.listeners:
        listener.send = lambda *_, vhid=listener.vhid, **__: said.append(vhid)  # type: ignore[method-assign]
    a.fake_leases.fences = [Fence(STOOD, frozenset({1}))]
    a.beat()
    assert said == [2]


async def test_what_crossed_the_guardians_bow_out_is_taken_back(make_host: MakeHost) -> None:
    """The process woke between the guardian's decision and its deed, and has advertised since: nobody would follow."""
    a = make_host("a", 1)
    await a.start()
    await asyncio.sleep(5.5)
    before, decided_at_s = len(a.journal), a.loop.now - 1
    a.fake_leases.fences = [Fence(STOOD, frozenset({1}), decided_at_s)]
    a.beat()
    assert a.journal[before] == "advertise v4 255/255"


@pytest.mark.parametrize("woken_by", ["a self-test", "an order to stop", "a reload"])
async def test_whatever_wakes_it_first_it_is_no_master(make_host: MakeHost, woken_by: str) -> None:
    """Not even for one advertisement or bow-out: whoever hears these leaves the new master, or takes over from it."""
    a = make_host("a", 1, more_vhids=(2,))
    await a.start()
    await asyncio.sleep(5.5)
    before = len(a.journal)
    a.fake_leases.fences = [Fence(STOOD, frozenset({1, 2}))]
    if woken_by == "a self-test":
        a.node.set_health(Health(hard=None, soft="no answer, 3 times"))
    elif woken_by == "an order to stop":
        a.node.stop("orderly stop")
    else:
        a.node.apply(make_plan(a.node.settings, replace(a.node.settings, groups=a.node.settings.groups[1:])))
    assert [each for each in a.journal[before:] if each.startswith("advertise")] == []


@pytest.mark.parametrize("bowed_out", [True, False])
async def test_who_learns_of_it_by_a_refusal_says_no_more_than_that(make_host: MakeHost, bowed_out: bool) -> None:
    """It slept after it had read the last news, so its order is refused while the fence waits to be read. A bow-out
    that the guardian has said already would be the end of the new master."""
    a = make_host("a", 1)
    await a.start()
    await asyncio.sleep(5.5)
    before, beat = len(a.journal), a.fake_leases.beat

    def refused(leases: Any) -> Any:
        a.fake_leases.fences = [Fence(STOOD, frozenset({1} if bowed_out else ()))]
        a.address_error = OSError("the guardian has fenced this process")
        failed = beat(leases)
        a.address_error = None
        return failed

    a.fake_leases.beat = refused  # type: ignore[method-assign]
    a.beat()
    said = [] if bowed_out else ["advertise v4 255/255"]
    assert a.journal[before:] == [*said, "close connections", "release"]
    assert a.state == "backup" and a.driver.obstacles == {} and a.fake_leases.fences == []


async def test_an_acquisition_that_is_refused_by_a_fence(make_host: MakeHost) -> None:
    """The same at the promotion: another group of this process was fenced in the same moment, and this one with it."""
    a = make_host("a", 1)
    await a.start()
    await asyncio.sleep(2.9)
    a.address_error = OSError("the guardian has fenced this process")
    a.fake_leases.fences = []
    acquire = FakeAddresses.acquire

    def refused(self: FakeAddresses) -> None:
        a.fake_leases.fences = [Fence(STOOD, frozenset({1, 2}))]
        acquire(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeAddresses, "acquire", refused)
        before = len(a.journal)
        await asyncio.sleep(0.2)
    assert "advertise v4 255/255" not in a.journal[before:] and a.state == "backup"


@pytest.mark.parametrize("virtual_mac", [False, True])
async def test_a_group_that_becomes_master_while_a_fence_of_another_one_waits(
    make_host: MakeHost, virtual_mac: bool
) -> None:
    """Its order is refused, and it listens for a master-down interval as the other one does: no kernel has refused
    anything, so neither is kept away for longer."""
    a = make_host("a", 1, more_vhids=(2,), virtual_mac=virtual_mac)
    await a.start()
    await asyncio.sleep(2)
    second = a.node._groups[1][1]
    second.set_obstacle("test", "later than the first")
    second.set_obstacle("test", None)
    await asyncio.sleep(2.9)
    acquire = FakeAddresses.acquire

    def refused(self: FakeAddresses) -> None:
        if self.vhid == 2:
            a.fake_leases.fences = [Fence(STOOD, frozenset({1}))]
            raise OSError("the guardian has fenced this process")
        acquire(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeAddresses, "acquire", refused)
        await asyncio.sleep(0.2)
    drivers = [driver for _, driver in a.node._groups]
    assert [(driver.virtual_host.state.name, driver.obstacles) for driver in drivers] == [("BACKUP", {})] * 2
    await asyncio.sleep(3.1)
    assert [driver.virtual_host.state.name for driver in drivers] == ["MASTER"] * 2


async def test_who_held_nothing_is_not_concerned(make_host: MakeHost) -> None:
    a, b = make_host("a", 1), make_host("b", 2, advskew=55)
    await a.start()
    await b.start()
    await asyncio.sleep(5)
    b.fake_leases.fences = [Fence(STOOD, frozenset({1, 2}))]
    await asyncio.sleep(2)
    assert b.fake_leases.fences == [] and len(b.driver.record.transitions) == 1
    assert (a.state, b.state) == ("master", "backup")


async def test_the_fence_is_read_before_anything_is_said(make_host: MakeHost) -> None:
    """A process that wakes has a beat, an advertisement and packets waiting: whichever comes first, it is no master."""
    a = make_host("a", 1)
    await a.start()
    await asyncio.sleep(5.5)
    before = len(a.journal)
    a.fake_leases.fences = [Fence(STOOD, frozenset({1, 2}))]
    a.loop.now += 1.2
    a.driver.turn()
    assert a.state == "backup" and not [each for each in a.journal[before:] if each.startswith("advertise")]
