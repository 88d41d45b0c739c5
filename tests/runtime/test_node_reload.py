"""A node takes another configuration while it runs: what need not end goes on, and nobody else notices."""

from __future__ import annotations

import asyncio
import errno
from dataclasses import replace
from ipaddress import ip_address
from ipaddress import ip_interface

import pytest

from tests.runtime.reloading import reload
from tests.runtime.wire import master_and_backup
from tests.runtime.world import MakeHost
from wsa_proxy.net.ports import AddressChanged
from wsa_proxy.net.ports import LinkChanged
from wsa_proxy.runtime.reload import make_plan

DUAL = ("10.0.0.3/24", "fd00::3/64")
OLD, NEW = b"the old secret", b"the new secret"


async def test_a_master_of_lower_priority_says_so_at_once_and_is_relieved(make_host: MakeHost) -> None:
    """An operator moves the service by a reload: one packet later the other one is master."""
    a, b, _ = await master_and_backup(make_host)
    a.journal.clear()
    reload(a, priority=100, advskew=155)
    await asyncio.sleep(0.001)
    assert a.journal[0] == "advertise v4 1/155" and (a.state, b.state) == ("backup", "master")
    assert a.node.status()["groups"][0]["priority"] == 100 and a.node.status()["groups"][0]["advskew"] == 155


async def test_preemption_is_a_matter_of_the_whole_node(make_host: MakeHost) -> None:
    """A group in control stays in control, whatever the other one is told."""
    a, b, _ = await master_and_backup(make_host)
    for host in (a, b):
        reload(host, preempt=False)
    reload(b, priority=255, advskew=0)
    reload(a, priority=200, advskew=55)
    await asyncio.sleep(5)
    assert (a.state, b.state) == ("master", "backup")
    reload(b, preempt=True)
    await asyncio.sleep(1.3)
    assert (a.state, b.state) == ("backup", "master")


async def test_words_for_people_change_nothing_else(make_host: MakeHost) -> None:
    """No packet, no transition, no other deadline."""
    a, _, _ = await master_and_backup(make_host)
    a.journal.clear()
    deadline_s = a.driver.virtual_host.next_deadline()
    reload(a, description="for all", hostname="other.example.com")
    assert a.journal == [] and a.driver.virtual_host.next_deadline() == deadline_s
    assert a.node.status()["groups"][0]["description"] == "for all"


async def test_a_group_whose_address_changes_ends_in_order_and_starts_anew(make_host: MakeHost) -> None:
    """Bow-out, connections, address; then the leftovers of the new one, and a whole interval of listening."""
    a, b, _ = await master_and_backup(make_host)
    a.journal.clear()
    reload(a, virtual_ips=(ip_interface("10.0.0.4/24"),))
    left = ["advertise v4 255/255", "close connections", "release"]
    assert a.journal == [*left, "clean", "ask neighbours 2 in init", "refresh 1"]
    assert a.state == "backup" and not a.holds and a.virtual == {ip_address("10.0.0.4")}
    await asyncio.sleep(0.01)
    assert b.state == "master"
    await asyncio.sleep(2.98)
    assert a.state == "backup"
    await asyncio.sleep(0.02)
    assert a.state == "master" and a.node.status()["groups"][0]["virtual_ip_held"] == ["10.0.0.4"]


async def test_a_group_that_is_not_concerned_does_not_notice(make_host: MakeHost) -> None:
    """I8: its driver, its deadline and its lease are the same ones; beside it groups begin and end."""
    a = make_host("a", 1, more_vhids=(2,))
    await a.start()
    await asyncio.sleep(5)
    second = a.node._groups[1]
    before = second[1].virtual_host.next_deadline()
    groups = a.node.settings.groups
    third = replace(groups[1], vhid=3, virtual_ips=(ip_interface("10.0.1.3/24"),))
    new = replace(a.node.settings, groups=(third, groups[1]))
    a.node.apply(make_plan(a.node.settings, new))
    assert a.node._groups[1] == second and second[1].virtual_host.next_deadline() == before
    assert [group["id"] for group in a.node.status()["groups"]] == [3, 2]
    assert not a.holds_group(1)
    await asyncio.sleep(30)
    assert a.holds_group(2) and a.holds_group(3) and len(second[1].record.transitions) == 2
    assert a.fake_leases.batches[-1] == 2


async def test_while_many_groups_end_the_others_go_on(make_host: MakeHost) -> None:
    """I8: the kernel takes 17 ms (measured) to remove each one's virtual MAC, 3.4 s in all. Who goes on is advertised
    and renewed meanwhile, and who ends has said so before."""
    a = make_host("a", 1, more_vhids=range(2, 202))
    await a.start()
    await asyncio.sleep(5)
    a.slow_close_s = 0.017
    a.journal.clear()
    began_at_s = a.loop.now
    a.node.apply(make_plan(a.node.settings, replace(a.node.settings, groups=a.node.settings.groups[:1])))
    assert a.loop.now > began_at_s + 3.3 and a.holds and a.state == "master" and not a.holds_group(2)
    assert a.journal.index("advertise v4 1/0") > 3 * 199 and a.journal.count("advertise v4 1/0") >= 3
    assert len(a.driver.record.transitions) == 2


async def test_while_many_groups_begin_the_others_go_on(make_host: MakeHost) -> None:
    """It takes 2 ms (measured) to open each one's sockets; a guardian waits for 1 s, and less below one second."""
    a = make_host("a", 1)
    await a.start()
    await asyncio.sleep(5)
    a.slow_open_s = 0.02
    a.fake_leases.batches.clear()
    first, began_at_s = a.node.settings.groups[0], a.loop.now
    more = [replace(first, vhid=vhid, virtual_ips=(ip_interface(f"10.0.1.{vhid}/24"),)) for vhid in range(2, 202)]
    a.node.apply(make_plan(a.node.settings, replace(a.node.settings, groups=(first, *more))))
    late_s = a.loop.now - began_at_s
    assert late_s > 3.9 and len(a.fake_leases.batches) >= late_s / 0.3 and a.holds and a.state == "master"
    await asyncio.sleep(4)
    assert a.fake_leases.batches[-1] == 201


async def test_a_beat_that_fails_meanwhile_is_no_end_of_the_reload(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It ends in one state, whatever fails in it."""
    a = make_host("a", 1, more_vhids=(2, 3))
    await a.start()
    await asyncio.sleep(5)
    a.slow_close_s = 0.3
    assert a.node._beat is not None

    def fail(leases: object) -> None:
        raise ValueError("nobody has foreseen this")

    monkeypatch.setattr(a.node._beat._leases, "beat", fail)
    new = replace(a.node.settings, groups=a.node.settings.groups[:1])
    a.node.apply(make_plan(a.node.settings, new))
    assert a.node.settings == new and [group.vhid for group, _ in a.node._groups] == [1]
    assert len(a.lan.listeners) == 1 and caplog.text.count("failed to end") == 2
    monkeypatch.undo()


async def test_a_group_that_begins_has_the_health_of_the_proxy(make_host: MakeHost) -> None:
    """A proxy that cannot serve serves no new group either."""
    a = make_host("a", 1)
    await a.node.start()
    reload(a, virtual_ips=(ip_interface("10.0.0.4/24"),))
    await asyncio.sleep(5)
    assert a.state == "init" and set(a.driver.obstacles) == {"proxy"}


async def test_news_of_links_never_bring_a_group_back_that_has_ended(make_host: MakeHost) -> None:
    """They are read while the others take their settings: what has left must not open sockets again."""
    a = make_host("a", 1, more_vhids=(2,))
    await a.start()
    await asyncio.sleep(5)
    gone = a.node._groups[1][1]
    a.kernel_monitor.inbox.put(LinkChanged("eth0", a.index, running=True))
    first = replace(a.node.settings.groups[0], priority=254, advskew=1)
    a.node.apply(make_plan(a.node.settings, replace(a.node.settings, groups=(first,))))
    await asyncio.sleep(5)
    assert gone.ports is None and gone.virtual_host.state.value == "init"
    assert [listener.vhid for listener in a.lan.listeners] == [1] and not a.holds_group(2)


async def test_a_kernel_that_does_not_answer_leaves_everything_as_it_was(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All or nothing: the first group could have been changed before the second one failed."""
    a, _, _ = await master_and_backup(make_host)
    present, drivers = a.node.settings, list(a.node._groups)

    def tie_break(interface: str) -> int:
        raise OSError("no answer")

    monkeypatch.setattr(a, "tie_break", tie_break)
    with pytest.raises(OSError, match="no answer"):
        reload(a, priority=100, advskew=155)
    with pytest.raises(OSError, match="no answer"):
        reload(a, interface="eth1")
    assert a.node.settings is present and a.node._groups == drivers
    assert a.driver.virtual_host.settings.advskew == 0 and a.state == "master"
    assert a.node._identities[1] is a.driver._identity


async def test_leftovers_that_cannot_be_removed_are_told(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The group begins all the same: a lease ends by itself before the first takeover can come."""
    a, _, _ = await master_and_backup(make_host)

    def refuse(addresses: object) -> list[object]:
        raise OSError("refused")

    monkeypatch.setattr(a, "remove_leftovers", refuse)
    reload(a, virtual_ips=(ip_interface("10.0.0.4/24"),))
    assert "could not be removed: refused; their leases end" in caplog.text
    await asyncio.sleep(3.01)
    assert a.state == "master"


async def test_the_limits_of_the_pump_follow_the_interval(make_host: MakeHost) -> None:
    """How long a decision is good, and how long a master may go unheard: as if it had been started so."""
    a, _, _ = await master_and_backup(make_host)
    fresh = make_host("c", 3, advbase=0, advskew=13)
    reload(a, advbase=0, advskew=13)
    assert a.driver._frozen_s == fresh.driver._frozen_s < 0.5
    assert a.driver._sending.errors.interval_s == fresh.driver._sending.errors.interval_s == 13 / 256


async def test_a_group_that_starts_anew_knows_what_it_has_said(make_host: MakeHost) -> None:
    """In this life of the process: the file does not say which counters were our own."""
    a, _, wire = await master_and_backup(make_host, security=("sealed",))
    said = wire.captured[-1]
    reload(a, port=3128)
    wire.send(said)
    await asyncio.sleep(0.01)
    assert {reject.value: count for reject, count in a.driver.record.rejects.items() if count} == {"echo": 1}


async def test_the_addresses_of_a_group_that_starts_anew_are_its_own(make_host: MakeHost) -> None:
    """Removed by somebody, they are put back; those of before are nobody's any more."""
    a, _, _ = await master_and_backup(make_host)
    reload(a, virtual_ips=(ip_interface("10.0.0.4/24"),))
    await asyncio.sleep(5)
    a.journal.clear()
    a.lose_address()
    await asyncio.sleep(0.01)
    assert a.holds and a.journal == []
    before = AddressChanged(a.index, ip_address("10.0.0.3"), present=True, permanent=True)
    a.kernel_monitor.inbox.put(before)
    await asyncio.sleep(0.01)
    assert a.journal == ["refresh 1"]


async def test_all_or_nothing_with_several_groups(make_host: MakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one fails when the first one has been made anew already."""
    a = make_host("a", 1, more_vhids=(2,))
    await a.start()
    await asyncio.sleep(5)
    monkeypatch.setattr(a, "tie_break", lambda interface: 7 if interface == "eth0" else failing())
    first, second = a.node.settings.groups
    new = (replace(first, port=3128), replace(second, interface="eth1"))
    with pytest.raises(OSError, match="no answer"):
        a.node.apply(make_plan(a.node.settings, replace(a.node.settings, groups=new)))
    assert [a.node._identities[vhid] for vhid in (1, 2)] == [driver._identity for _, driver in a.node._groups]


def failing() -> int:
    raise OSError("no answer")


async def test_settings_are_taken_even_if_the_look_at_the_queue_fails(make_host: MakeHost) -> None:
    """The node says that they are in force, and nobody tells them again: a group with the old secret would be a second
    master until the next restart."""
    a, b, _ = await master_and_backup(make_host)
    a.kernel_monitor.error = OSError(errno.EIO, "the kernel does not answer")
    for host in (a, b):
        reload(host, pass_phrases=(NEW,))
    await asyncio.sleep(10)
    assert (a.state, b.state) == ("master", "backup")


async def test_a_group_that_cannot_end_in_order_keeps_no_other_from_beginning(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The groups do not touch each other: what begins and what goes on is the same as if it had ended in order."""
    a = make_host("a", 1, more_vhids=(2, 3))
    await a.start()
    await asyncio.sleep(4)
    monkeypatch.setattr(a.node._groups[1][1], "close", lambda: 1 / 0)
    first, second, third = a.node.settings.groups
    new = replace(a.node.settings, groups=(first, replace(second, vhid=4), replace(third, port=8081)))
    a.node.apply(make_plan(a.node.settings, new))
    await asyncio.sleep(4)
    assert [driver.virtual_host.state.value for _, driver in a.node._groups] == ["master"] * 3


async def test_the_guardian_is_told_another_limit_and_the_beat_follows(make_host: MakeHost) -> None:
    host = make_host("a", 1)
    await host.start()
    reload(host, stall_limit_s=0.2)
    assert host.stall_limit_s == 0.2 and host.node._beat is not None and host.node._beat._every_s == 0.05
    reload(host, stall_limit_s=None)
    assert host.stall_limit_s == 1.0 and host.node._beat._every_s == 0.25


async def test_what_another_process_serves_is_refused_and_nothing_has_changed(make_host: MakeHost) -> None:
    """And what a node no longer serves is free for others."""
    host = make_host("a", 1)
    await host.start()
    assert host.claimed == {1}
    (first,) = before = host.node.settings.groups
    other = replace(first, vhid=2)
    host.claim_error = OSError(errno.EADDRINUSE, "served by another wsa-proxy")
    with pytest.raises(OSError, match="served by another"):
        host.node.apply(make_plan(host.node.settings, replace(host.node.settings, groups=(first, other))))
    assert host.node.settings.groups == before and host.claimed == {1}
    host.claim_error = None
    host.node.apply(make_plan(host.node.settings, replace(host.node.settings, groups=(other,))))
    assert host.claimed == {2}
    host.node.stop("test")
    host.node.close()
    assert host.claimed == set()
