"""The beat renews all groups in one batch, and none that has slept through the others' patience."""

from __future__ import annotations

import asyncio
import errno
import logging
from dataclasses import replace

import pytest

from tests.runtime.world import Host
from tests.runtime.world import MakeHost
from wsa_proxy.carp.commands import State
from wsa_proxy.net.ports import Packet
from wsa_proxy.runtime.beat import beat_every_s
from wsa_proxy.runtime.beat import stall_limit_s
from wsa_proxy.runtime.driver import Driver


def drivers(host: Host) -> list[Driver]:
    return [driver for _, driver in host.node._groups]


def states(host: Host) -> list[str]:
    return [driver.virtual_host.state.value for driver in drivers(host)]


async def test_all_groups_are_renewed_in_one_batch_four_times_a_second(make_host: MakeHost) -> None:
    """Three groups cost as many batches as one, and no lease is ever shorter than three beats."""
    host = make_host("a", 1, more_vhids=(2, 3))
    await host.start()
    await asyncio.sleep(3.6)
    host.fake_leases.batches.clear()
    for _ in range(40):
        await asyncio.sleep(0.1)
        assert all(until_s - host.loop.now > 0.7 for until_s in host.leases_until_s.values())
    assert host.fake_leases.batches == [3] * 16


async def test_another_rhythm_begins_at_once(make_host: MakeHost) -> None:
    """A guardian that was told of a shorter patience does not wait for the beat that was due by the longer one."""
    host = make_host("a", 1)
    await host.start()
    await asyncio.sleep(3.6)
    beat = host.node._beat
    assert beat is not None
    beat.beat()
    host.fake_leases.batches.clear()
    beat.set_every(0.02)
    await asyncio.sleep(0.07)
    assert len(host.fake_leases.batches) == 3
    beat.set_every(0.25)
    await asyncio.sleep(0.021)
    assert len(host.fake_leases.batches) == 4
    await asyncio.sleep(0.2)
    assert len(host.fake_leases.batches) == 4


async def test_only_masters_are_renewed_and_without_one_nobody_is_asked(make_host: MakeHost) -> None:
    """A backup has nothing to renew; a batch of nothing is not sent."""
    a, b = make_host("a", 1), make_host("b", 2, advskew=55, more_vhids=(2,))
    await a.start()
    await b.start()
    await asyncio.sleep(3.1)
    assert states(b) == ["backup", "backup"] and b.fake_leases.batches == []
    await asyncio.sleep(1)
    assert states(b) == ["backup", "master"] and set(b.fake_leases.batches) == {1}


async def test_a_refused_renewal_makes_its_own_group_leave_and_no_other(make_host: MakeHost) -> None:
    """I8: in one batch with it the others are prolonged."""
    host = make_host("a", 1, more_vhids=(2, 3))
    await host.start()
    await asyncio.sleep(3.6)
    host.spared, host.address_error = {1, 3}, OSError(errno.ENODEV, "cannot add 10.0.1.2")
    await asyncio.sleep(0.3)
    assert states(host) == ["master", "init", "master"]
    assert "cannot add 10.0.1.2" in drivers(host)[1].obstacles["kernel"]
    await asyncio.sleep(3)
    assert host.holds_group(1) and host.holds_group(3) and not host.holds_group(2)


async def test_frozen_inside_the_batch_every_group_looks_again(make_host: MakeHost) -> None:
    """The kernel put all leases back although others may have the addresses: each is released within the same beat."""
    host = make_host("a", 1, more_vhids=(2, 3))
    await host.start()
    await asyncio.sleep(3.6)
    host.freeze_in_kernel_s = 10.0
    host.beat()  # one beat, and nothing after it
    assert not any(host.holds_group(vhid) for vhid in (1, 2, 3))
    assert states(host) == ["backup"] * 3


async def test_a_short_freeze_inside_the_batch_is_announced_again(make_host: MakeHost) -> None:
    """Shorter than the others' patience: master still, and says so to the LAN."""
    host = make_host("a", 1)
    await host.start()
    await asyncio.sleep(3.6)
    before = len(host.journal)
    host.freeze_in_kernel_s = 0.6
    host.beat()
    assert host.journal[before:] == ["advertise v4 1/0", "acquire", "announce"] and host.holds


async def test_a_process_that_overslept_renews_nothing(make_host: MakeHost) -> None:
    """V7: the beat's timer is the first thing that runs after the freeze; the lease is over, and stays so."""
    host = make_host("a", 1, preempt=False, more_vhids=(2,))
    await host.start()
    await asyncio.sleep(3.6)
    host.fake_leases.batches.clear()
    host.loop.now += 10
    host.beat()
    assert host.fake_leases.batches == [] and states(host) == ["backup", "backup"]
    assert not host.holds


async def test_a_group_whose_advertisement_is_overdue_is_asked_before_its_renewal(make_host: MakeHost) -> None:
    """Below one second the others' patience ends before a beat counts as late."""
    host = make_host("a", 1, advbase=0, advskew=15)
    await host.start()
    await asyncio.sleep(0.5)
    assert host.state == "master"
    host.fake_leases.batches.clear()
    host.loop.now += 0.2  # its master-down interval is 0.176 s
    host.beat()
    assert host.fake_leases.batches == [] and host.state == "backup" and not host.holds


async def test_a_late_beat_reads_the_packets_before_it_renews(make_host: MakeHost) -> None:
    """2a: not overdue yet, but a better one has taken over during the freeze: its packet counts before the renewal."""
    a, b = make_host("a", 1), make_host("b", 2, advskew=55)
    await b.start()
    await asyncio.sleep(3.3)
    assert b.state == "master"
    b.fake_leases.batches.clear()
    b.loop.now += 0.8
    b.inbox.put(Packet(4, a.address, a.mac, 255, a.says(1, 0, 0)))
    assert b.driver.virtual_host.next_deadline() is not None and not b.driver._deadline_passed()
    b.beat()
    assert b.fake_leases.batches == [] and b.state == "backup" and not b.holds


async def test_a_beat_in_time_makes_no_turn(make_host: MakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """With 255 groups a turn for each would be a thousand a second, for nothing."""
    host = make_host("a", 1, more_vhids=(2, 3))
    await host.start()
    await asyncio.sleep(3.6)
    turns: list[int] = []
    monkeypatch.setattr(Driver, "turn", lambda driver: turns.append(driver.record.vhid))
    host.beat()
    assert turns == [] and host.fake_leases.batches[-1] == 3


async def test_an_address_that_is_gone_is_reported_before_the_beat_brings_it_back(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    """The news of the removal and the beat come together: the operator is told all the same."""
    host = make_host("a", 1)
    await host.start()
    await asyncio.sleep(3.6)
    host.lose_address()
    host.beat()
    assert host.holds and "somebody removed the virtual IP 10.0.0.3; it is put back" in caplog.text


async def test_a_group_that_fails_costs_the_others_nothing(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    """I8: an error in its turn, or after its renewal, is logged; the others are renewed, and the next beat comes."""
    host = make_host("a", 1, more_vhids=(2, 3))
    await host.start()
    await asyncio.sleep(3.6)

    def fail(*_: object) -> bool:
        raise RuntimeError("a bug")

    first, second, _ = drivers(host)
    first.may_renew = fail  # type: ignore[method-assign, assignment]
    second.renewed = fail  # type: ignore[method-assign, assignment]
    host.fake_leases.batches.clear()
    with caplog.at_level(logging.ERROR):
        await asyncio.sleep(0.6)
    assert host.fake_leases.batches == [2, 2]
    assert "vhid=1 failed before a renewal" in caplog.text and "vhid=2 failed after a renewal" in caplog.text
    assert drivers(host)[2].virtual_host.state is State.MASTER


async def test_after_close_there_is_no_beat(make_host: MakeHost) -> None:
    """Nothing of a closed node wakes the loop."""
    host = make_host("a", 1)
    await host.start()
    await asyncio.sleep(3.6)
    host.node.stop("orderly stop")
    host.node.close()
    host.fake_leases.batches.clear()
    await asyncio.sleep(2)
    assert host.fake_leases.batches == []


async def test_a_beat_is_caught_up_when_it_is_due_and_not_before(make_host: MakeHost) -> None:
    """Who keeps the loop may ask as often as he likes; the next one comes a quarter of a second later."""
    host = make_host("a", 1)
    await host.start()
    await asyncio.sleep(3.6)
    beat = host.node._beat
    assert beat is not None
    host.fake_leases.batches.clear()
    for _ in range(100):
        host.loop.now += 0.02
        beat.catch_up()
    assert len(host.fake_leases.batches) in (7, 8) and host.holds
    beat.close()
    host.loop.now += 1
    beat.catch_up()
    assert len(host.fake_leases.batches) in (7, 8)


@pytest.mark.parametrize(
    ("changes", "limit_s", "every_s"),
    [
        ({}, 1.0, 0.25),
        ({"advbase": 10}, 1.0, 0.25),
        ({"advbase": 0, "advskew": 64}, 0.375, 0.09375),
        ({"advbase": 0, "advskew": 13}, 0.076171875, 0.01904296875),
    ],
)
async def test_the_beat_is_often_enough_for_the_guardian(
    make_host: MakeHost, changes: dict[str, int], limit_s: float, every_s: float
) -> None:
    """A quarter of what it waits for: half of the shortest master-down interval, a second at most."""
    host = make_host("a", 1, **changes)
    assert stall_limit_s(host.node.settings) == limit_s and beat_every_s(host.node.settings) == every_s
    await host.start()
    await asyncio.sleep(40)
    host.fake_leases.batches.clear()
    await asyncio.sleep(10 * every_s + 0.001)
    assert len(host.fake_leases.batches) == 10


async def test_the_stall_limit_of_the_file_counts(make_host: MakeHost) -> None:
    host = make_host("a", 1)
    settings = replace(host.node.settings, stall_limit_s=0.2)
    assert stall_limit_s(settings) == 0.2 and beat_every_s(settings) == 0.05
