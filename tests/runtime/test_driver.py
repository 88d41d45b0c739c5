"""The pump: order of effects, deadlines kept, and what it does when the kernel or the clock misbehaves."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from tests.runtime.world import MakeHost
from wsa_proxy.net.ports import Answer
from wsa_proxy.net.ports import Packet
from wsa_proxy.runtime.health import Health


async def test_a_lone_node_is_master_after_exactly_its_master_down_interval(make_host: MakeHost) -> None:
    """V1: three probes, then advertise, acquire, announce, in this order."""
    host = make_host("a", 1)
    await host.start()
    await asyncio.sleep(2.999)
    assert host.state == "backup" and not host.holds
    assert host.journal == ["clean", "ask neighbours 2 in init", "probe", "probe", "probe"]
    await asyncio.sleep(0.002)
    assert host.state == "master" and host.holds
    assert host.journal[5:] == ["advertise v4 1/0", "acquire", "announce"]


async def test_the_lease_is_renewed_before_it_ends(make_host: MakeHost) -> None:
    """A master holds its address for as long as its loop turns."""
    host = make_host("a", 1)
    await host.start()
    await asyncio.sleep(3.001)
    for _ in range(100):
        await asyncio.sleep(0.37)
        assert host.lease_until_s - host.loop.now > 0.7


async def test_both_start_at_once_and_only_the_better_one_becomes_master(make_host: MakeHost) -> None:
    """The backup never holds the address and never says a word."""
    a, b = make_host("a", 1), make_host("b", 2, advskew=55)
    await a.start()
    await b.start()
    await asyncio.sleep(30)
    assert (a.state, b.state) == ("master", "backup")
    assert "acquire" not in b.journal and not [line for line in b.journal if line.startswith("advertise")]


async def test_a_dead_master_is_replaced_after_the_backups_interval(make_host: MakeHost) -> None:
    """V2: 3 + 55/256 seconds after the last advertisement, not before."""
    a, b = make_host("a", 1), make_host("b", 2, advskew=55)
    await a.start()
    await b.start()
    await asyncio.sleep(3.001)
    a.running = False  # its frames reach nobody any more
    await asyncio.sleep(3 + 55 / 256 - 0.01)
    assert b.state == "backup"
    await asyncio.sleep(0.02)
    assert b.state == "master" and b.holds
    assert b.last_transition() == "BACKUP -> MASTER master_silent"


async def test_an_orderly_stop_hands_over_at_once(make_host: MakeHost) -> None:
    """V3: bow-out first, then the clients' connections, then the address; the backup has it 10 ms later."""
    a, b = make_host("a", 1), make_host("b", 2, advskew=55)
    await a.start()
    await b.start()
    await asyncio.sleep(3.5)
    a.node.stop("orderly stop")
    assert a.journal[-3:] == ["advertise v4 255/255", "close connections", "release"]
    assert a.state == "init" and not a.holds
    await asyncio.sleep(0.011)
    assert b.state == "master" and b.holds
    assert b.last_transition() == "BACKUP -> MASTER master_bowed_out"


async def test_a_master_that_comes_back_preempts_and_the_other_releases_first(make_host: MakeHost) -> None:
    """Preemptive: the better node takes over on the first advertisement that it hears."""
    a, b = make_host("a", 1), make_host("b", 2, advskew=55)
    await b.start()
    await asyncio.sleep(5)
    assert b.state == "master"
    await a.start()
    await asyncio.sleep(1.3)
    assert (a.state, b.state) == ("master", "backup")
    assert not b.holds and b.journal[-3:] == ["close connections", "release", "settle"]


async def test_without_preemption_the_one_in_control_stays(make_host: MakeHost) -> None:
    """Non-preemptive: a better node that comes later stays backup."""
    a, b = make_host("a", 1, preempt=False), make_host("b", 2, advskew=55, preempt=False)
    await b.start()
    await asyncio.sleep(5)
    await a.start()
    await asyncio.sleep(20)
    assert (a.state, b.state) == ("backup", "master")


async def test_a_frozen_master_listens_before_it_speaks(make_host: MakeHost) -> None:
    """V7: after 10 s of sleep it releases, sends nothing, and listens for a whole master-down interval."""
    a = make_host("a", 1, preempt=False)
    await a.start()
    await asyncio.sleep(3.5)
    before = len(a.journal)
    a.loop.now += 10
    await asyncio.sleep(2.9)
    assert a.journal[before:] == ["close connections", "release", "settle"]
    assert a.state == "backup" and a.last_transition() == "MASTER -> BACKUP overslept"


async def test_a_preferred_node_may_preempt_what_it_hears_when_it_wakes(make_host: MakeHost) -> None:
    """The queued advertisements of the one that took over are read before anything else happens."""
    a, b = make_host("a", 1), make_host("b", 2, advskew=55)
    await a.start()
    await b.start()
    await asyncio.sleep(3.5)
    a.inbox.put(Packet(4, b.address, b.mac, 255, b.says(1, 55, 0)))
    a.loop.now += 10
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    reasons = [transition.report.reason for transition in a.driver.record.transitions][-2:]
    assert reasons == ["overslept", "preempted_inferior_master"]


async def test_frozen_inside_the_renewal_the_address_goes_at_once(make_host: MakeHost) -> None:
    """The kernel put the lease back although somebody else may have it: it is released within the same beat."""
    a = make_host("a", 1)
    await a.start()
    await asyncio.sleep(3.6)
    a.freeze_in_kernel_s = 10.0
    a.loop.now += 0.5
    a.beat()  # one beat, and nothing after it
    assert not a.holds and a.last_transition() == "MASTER -> BACKUP overslept"


async def test_frozen_inside_the_acquisition_nothing_is_announced(make_host: MakeHost) -> None:
    """I7: never announce after a release, whatever happened between."""
    a = make_host("a", 1)
    await a.start()
    await asyncio.sleep(2.9)
    a.freeze_in_kernel_s = 10.0
    a.loop.now += 0.2
    a.driver.turn()  # one turn, and nothing after it
    assert not a.holds and a.state == "backup"
    assert a.journal[-4:] == ["advertise v4 1/0", "acquire", "close connections", "release"]


async def test_below_one_second_a_shorter_freeze_is_enough_for_that(make_host: MakeHost) -> None:
    """The others wait 0.2 s here: after 0.3 s the address may be theirs."""
    a = make_host("a", 1, advbase=0, advskew=15)
    await a.start()
    await asyncio.sleep(0.17)
    a.freeze_in_kernel_s = 0.3
    a.loop.now += 0.02
    a.driver.turn()  # one turn, and nothing after it
    assert "acquire" in a.journal
    assert not a.holds and a.state == "backup"
    assert a.journal[-4:] == ["advertise v4 0/15", "acquire", "close connections", "release"]


async def test_an_address_that_somebody_removes_is_put_back_at_once(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    """Not at the next renewal: in the same turn of the loop, and the operator is told."""
    a = make_host("a", 1)
    await a.start()
    await asyncio.sleep(3.7)
    a.lose_address()
    for _ in range(4):
        await asyncio.sleep(0)
    assert a.holds and "somebody removed the virtual IP 10.0.0.3; it is put back" in caplog.text


async def test_the_lease_that_ended_during_a_freeze_is_not_put_back(make_host: MakeHost) -> None:
    """The kernel's news of the removal is read first on waking; it must not bring the address back."""
    a = make_host("a", 1)
    await a.start()
    await asyncio.sleep(3.7)
    a.lose_address()
    a.loop.now += 10
    acquired_before = a.lease_until_s
    for _ in range(4):
        await asyncio.sleep(0)
    assert a.lease_until_s == acquired_before == 0.0 and a.state == "backup"


async def test_an_unhealthy_proxy_leaves_and_comes_back_by_listening(make_host: MakeHost) -> None:
    """Hard failure: bow-out and INIT; healed: a full master-down interval first."""
    a, b = make_host("a", 1), make_host("b", 2, advskew=55)
    await a.start()
    await b.start()
    await asyncio.sleep(3.5)
    a.node.set_health(Health(hard="the listening socket is gone", soft=None))
    await asyncio.sleep(0.011)
    assert (a.state, b.state) == ("init", "master")
    assert a.last_transition() == "MASTER -> INIT the listening socket is gone"


async def test_a_demoted_master_is_relieved_even_without_preemption(make_host: MakeHost) -> None:
    """Soft failure: it serves until the other, well one takes over, within one packet."""
    a, b = make_host("a", 1, preempt=False), make_host("b", 2, advskew=254, preempt=False)
    await a.start()
    await b.start()
    await asyncio.sleep(3.5)
    a.node.set_health(Health(hard=None, soft="no answer to GET in 2.0 s, 3 times"))
    await asyncio.sleep(0.01)
    assert (a.state, b.state) == ("backup", "master")
    assert b.last_transition() == "BACKUP -> MASTER master_demoted"


async def test_the_last_node_standing_serves_though_demoted(make_host: MakeHost) -> None:
    """Nobody relieves it, so nobody's clients lose their proxy."""
    a = make_host("a", 1)
    await a.start()
    a.node.set_health(Health(hard=None, soft="slow"))
    await asyncio.sleep(10)
    assert a.state == "master" and a.holds


async def test_a_foreign_owner_keeps_the_node_in_backup_with_its_mac(make_host: MakeHost) -> None:
    """Before the first acquisition somebody else answered for the address: it stays theirs, and we say whose."""
    a = make_host("a", 1)
    await a.start()
    await asyncio.sleep(2.5)
    assert a.ports is not None
    address = a.node.settings.groups[0].virtual_ips[0].ip
    neighbours: Any = a.ports.neighbours
    neighbours.inbox.put(Answer(address, "02:00:00:00:00:99"))
    await asyncio.sleep(1.0)
    assert a.state == "backup"
    assert a.driver.record.reason == "address_answered_by_another_host"
    assert a.driver.record.evidence == "mac=02:00:00:00:00:99"
    await asyncio.sleep(3.1)
    assert a.state == "master"


async def test_who_has_the_address_is_no_reason_any_more_once_a_master_is_heard(make_host: MakeHost) -> None:
    """It was the master's own answer, whose secret was another: once that is corrected, the status is as ever."""
    a, b = make_host("a", 1), make_host("b", 2, advskew=55)
    await b.start()
    await asyncio.sleep(3.0)
    assert b.ports is not None
    neighbours: Any = b.ports.neighbours
    neighbours.inbox.put(Answer(b.node.settings.groups[0].virtual_ips[0].ip, "00:00:5e:00:01:01"))
    await asyncio.sleep(1.0)
    assert b.driver.record.reason == "address_answered_by_another_host"
    b.inbox.put(Packet(4, a.address, a.mac, 255, a.says(1, 0, 0)))
    await asyncio.sleep(0.1)
    assert b.state == "backup" and b.driver.record.reason == "ready"


async def test_the_master_just_heard_may_answer_for_its_address(make_host: MakeHost) -> None:
    """A master that fell silent may still answer ARP: that does not hold the takeover back."""
    a, b = make_host("a", 1), make_host("b", 2, advskew=55)
    await a.start()
    await b.start()
    await asyncio.sleep(3.5)
    a.running = False
    await asyncio.sleep(2.4)
    assert b.ports is not None
    neighbours: Any = b.ports.neighbours
    address = a.node.settings.groups[0].virtual_ips[0].ip
    neighbours.inbox.put(Answer(address, a.mac))
    await asyncio.sleep(0.9)
    assert b.state == "master"


async def test_a_master_may_answer_from_another_hardware_address_than_it_advertised_from(make_host: MakeHost) -> None:
    """V11: a killed ucarp's kernel keeps the address, and answers from the card; it had advertised from another."""
    a, b = make_host("a", 1), make_host("b", 2, advskew=55)
    await b.start()
    await asyncio.sleep(1.0)
    b.inbox.put(Packet(4, a.address, "00:00:5e:00:00:01", 255, a.says(1, 0, 0)))
    await asyncio.sleep(3.0)
    assert b.ports is not None
    neighbours: Any = b.ports.neighbours
    neighbours.inbox.put(Answer(a.node.settings.groups[0].virtual_ips[0].ip, a.mac))
    await asyncio.sleep(0.25)
    assert b.state == "master" and b.last_transition() == "BACKUP -> MASTER master_silent"


async def test_a_flood_of_garbage_changes_only_counters(make_host: MakeHost, caplog: pytest.LogCaptureFixture) -> None:
    """I3, I9: ten thousand bad packets, one log line for each reason, and the good one among them is heard."""
    a, b = make_host("a", 1), make_host("b", 2, advskew=55)
    await a.start()
    await b.start()
    await asyncio.sleep(3.5)
    received = b.driver.record.received
    inbox = b.inbox
    good = a.says(1, 0, 0)
    with caplog.at_level(logging.WARNING):
        for number in range(10_000):
            inbox.put(Packet(4, "10.0.0.99", "02:00:00:00:00:99", 255 if number % 2 else 64, bytes(number % 40)))
        inbox.put(Packet(4, a.address, a.mac, 255, good))
        inbox.put(Packet(4, a.address, a.mac, 255, good, header_intact=False))
        await asyncio.sleep(0.4)
    assert b.driver.record.received == received + 1 and b.state == "backup"
    assert sum(b.driver.record.rejects.values()) == 10_001
    assert len([record for record in caplog.records if "rejected=" in record.message]) <= 4


async def test_a_queued_advertisement_counts_before_the_silence(make_host: MakeHost) -> None:
    """2a: the timer is overdue and 5,000 packets wait: the queue is read before the takeover is decided."""
    a, b = make_host("a", 1), make_host("b", 2, advskew=55)
    await a.start()
    await b.start()
    await asyncio.sleep(3.9)
    inbox = b.inbox
    a.running = False
    await asyncio.sleep(2.2)
    for _ in range(5000):
        inbox.items.append(Packet(4, "10.0.0.99", "02:00:00:00:00:99", 64, b""))
    inbox.items.append(Packet(4, a.address, a.mac, 255, a.says(1, 0, 0)))
    b.loop.now += 0.9  # less than half a master-down interval late
    b.driver.turn()
    assert b.state == "backup" and not inbox.items


async def test_the_timer_is_armed_anew_only_when_the_deadline_changed(make_host: MakeHost) -> None:
    """Rule 2: packets that change nothing cost no timer."""
    a = make_host("a", 1)
    await a.start()
    timer = a.driver.timer._handle
    a.driver.turn()
    a.driver.turn()
    assert a.driver.timer._handle is timer


async def test_dual_stack_sends_both_and_either_silence_counts(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the BSDs: one timer for each IP version, so losing only the IPv6 advertisements makes the backup master."""
    both = ("10.0.0.3/24", "fd00:77::3/64")
    a = make_host("a", 1, virtual_ips=both)
    b = make_host("b", 2, advskew=55, virtual_ips=both, preempt=False)
    await a.start()
    await b.start()
    await asyncio.sleep(3.5)
    assert {"advertise v4 1/0", "advertise v6 1/0"} <= set(a.journal)
    genuine = b.inbox.put
    monkeypatch.setattr(b.inbox, "put", lambda packet: genuine(packet) if packet.version == 4 else None)
    await asyncio.sleep(3.3)
    assert any(transition.report.reason == "master_silent" for transition in b.driver.record.transitions)
