"""A driver whose master falls silent: when it has the members asked, and what its deadline waits for."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from tests.runtime.world import Host
from tests.runtime.world import MakeHost
from wsa_proxy.carp.commands import State
from wsa_proxy.net.ports import Packet


async def backup(make_host: MakeHost, **changes: Any) -> tuple[Host, list[float]]:
    """A backup whose master has just been heard, and is not any more; and the times of its questions, which are noted
    and not sent. It has held the addresses before, so that it asks no neighbours."""
    changes = {"advskew": 100} | changes
    host = make_host("b", 2, **changes)
    master = make_host("a", 1, **changes | {"advskew": changes["advskew"] - 1})
    await host.start()
    await asyncio.sleep(4)
    await master.start()
    asked: list[float] = []
    host.driver.asking.ask = lambda: asked.append(host.loop.now)
    for _ in range(300):
        if host.driver.is_master:
            await asyncio.sleep(0.01)
    host.lan.carries_advertisement = lambda sender, receiver: False
    assert (master.state, host.state, asked) == ("master", "backup", [])
    return host, asked


DOWN_S = 3 + 100 / 256


def ends_s(host: Host) -> float:
    """The end of the silence."""
    found = host.driver.virtual_host.silence_ends_s
    assert found is not None
    return found


def master_of(host: Host) -> Host:
    """The one that is not heard any more."""
    return next(each.host for each in host.lan.listeners if each.host is not host)


def answer(host: Host) -> None:
    host.driver.answered(1, 0, 0, "a")


async def test_a_dead_master_costs_nothing(make_host: MakeHost) -> None:
    """Three questions before the deadline; nobody answers, and the takeover is when it would have been."""
    host, asked = await backup(make_host)
    end = ends_s(host)
    await asyncio.sleep(end - host.loop.now + 0.01)
    assert asked == pytest.approx([end - 0.6, end - 0.4, end - 0.2])
    assert host.state == "master"
    assert host.last_transition() == "BACKUP -> MASTER master_silent" and host.lease_until_s > 0
    await asyncio.sleep(10)
    assert len(asked) == 3, "a master asks nobody"


async def test_an_answer_counts_as_an_advertisement(make_host: MakeHost) -> None:
    """With its values: a full silence begins anew, and is asked about anew; it is no advertisement that was heard."""
    host, asked = await backup(make_host)
    record, end = host.driver.record, ends_s(host)
    heard = (record.received, record.heard_at_s)
    await asyncio.sleep(end - host.loop.now - 0.1)
    answer(host)
    assert ends_s(host) == pytest.approx(host.loop.now + DOWN_S)
    assert (record.received, record.heard_at_s) == heard and len(asked) == 3
    await asyncio.sleep(DOWN_S - 0.1)
    assert host.state == "backup" and len(asked) == 6
    await asyncio.sleep(0.11)
    assert host.state == "master" and len(asked) == 6


@pytest.mark.parametrize(("values", "state"), [((1, 200, 0), "master"), ((1, 0, 1), "master"), ((1, 0, 0), "backup")])
async def test_an_answer_freezes_no_election(make_host: MakeHost, values: tuple[int, int, int], state: str) -> None:
    """A master of a lower rank is preempted, a demoted one followed; a better one is waited for."""
    host, _ = await backup(make_host)
    await asyncio.sleep(2.9)
    host.driver.answered(*values, "a")
    await asyncio.sleep(0.05)
    assert host.state == state


async def test_a_loop_that_is_late_asks_before_it_believes(make_host: MakeHost) -> None:
    """Frozen over the end of the silence: one question, and a fifth of a second for the answer."""
    host, asked = await backup(make_host)
    end = ends_s(host)
    host.loop.now = end + 0.3
    host.driver.turn()
    assert host.state == "backup" and asked == [end + 0.3]
    assert host.driver._deadline_s() == pytest.approx(end + 0.5)
    await asyncio.sleep(0.19)
    assert host.state == "backup"
    await asyncio.sleep(0.02)
    assert host.state == "master" and len(asked) == 1


async def test_a_late_answer_is_in_time_for_a_late_loop(make_host: MakeHost) -> None:
    """It asked at once when it woke."""
    host, asked = await backup(make_host)
    host.loop.now = ends_s(host) + 0.3
    host.driver.turn()
    await asyncio.sleep(0.19)
    answer(host)
    await asyncio.sleep(2.3)
    assert host.state == "backup" and len(asked) == 1


async def test_what_waits_in_the_socket_comes_first(make_host: MakeHost) -> None:
    """An advertisement that has arrived while the loop stood still: nobody is asked."""
    host, asked = await backup(make_host)
    host.loop.now = ends_s(host) + 0.3
    host.inbox.put(Packet(4, "10.0.0.1", "02:00:00:00:00:01", 255, master_of(host).says(1, 0, 0)))
    host.driver.turn()
    assert asked == [] and ends_s(host) == pytest.approx(host.loop.now + DOWN_S)


async def test_below_a_second(make_host: MakeHost) -> None:
    """Fifty milliseconds between advertisements: three questions in the last quarter, and no delay."""
    host, asked = await backup(make_host, advbase=0, advskew=13)
    end = ends_s(host)
    down_s = 3 * 13 / 256
    await asyncio.sleep(end - host.loop.now + 0.001)
    assert host.state == "master"
    assert asked == pytest.approx([end - down_s / 4, end - down_s / 6, end - down_s / 12])


async def test_other_settings_have_another_lead(make_host: MakeHost) -> None:
    """The interval becomes shorter while a silence is waited for."""
    host, asked = await backup(make_host)
    changed = host.driver.virtual_host.settings
    host.driver.asking.take(type(changed)(**{**_values(changed), "advbase": 0, "advskew": 64}))
    assert host.driver.asking.due_s() == pytest.approx(ends_s(host) - 3 * 0.25 / 4)
    assert asked == []


def _values(settings: Any) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in type(settings).__dataclass_fields__}


async def test_without_reports_nobody_is_asked(make_host: MakeHost) -> None:
    """No secret: then a silence is believed at its end, late or not."""
    host, asked = await backup(make_host)
    host.driver.asking.ask = None
    end = ends_s(host)
    assert host.driver.asking.due_s() == math.inf
    host.loop.now = end + 0.3
    host.driver.turn()
    assert host.state == "master" and asked == []


async def test_a_bow_out_is_believed_at_once(make_host: MakeHost) -> None:
    """Nothing is asked, and nothing waited for: the master has said itself that it goes."""
    host, asked = await backup(make_host)
    await asyncio.sleep(ends_s(host) - host.loop.now - 0.55)
    assert len(asked) == 1
    host.inbox.put(Packet(4, "10.0.0.1", "02:00:00:00:00:01", 255, master_of(host).says(255, 255, 0)))
    host.driver.turn()
    assert host.driver.virtual_host.silence_ends_s is None and host.driver.asking.due_s() == math.inf
    await asyncio.sleep(0.011)
    assert host.driver.virtual_host.state is State.MASTER and len(asked) == 1


async def test_before_the_first_acquisition_neighbours_are_asked_as_well(make_host: MakeHost) -> None:
    """They have their time also in a late loop, which moves the end; for that the members are asked anew, once."""
    host = make_host("b", 2)
    await host.start()
    asked: list[float] = []
    host.driver.asking.ask = lambda: asked.append(host.loop.now)
    end = ends_s(host)
    host.loop.now = end + 0.3
    host.driver.turn()
    await asyncio.sleep(2)
    assert asked == pytest.approx([end + 0.3, end + 0.3, end + 0.5, end + 0.7])
    assert host.state == "master"


async def test_a_flood_of_answers_is_no_event_of_a_stopped_node(make_host: MakeHost) -> None:
    """INIT hears them as it hears advertisements: nothing changes."""
    host, _ = await backup(make_host)
    host.driver.set_obstacle("test", "out")
    for _ in range(100):
        answer(host)
    assert host.state == "init" and host.driver.virtual_host.next_deadline() is None
    assert host.driver.asking.due_s() == math.inf
