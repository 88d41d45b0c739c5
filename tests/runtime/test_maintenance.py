"""A node in maintenance gives way until the time is over, and its last node goes on serving."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from tests.runtime.members import listed
from tests.runtime.members import members
from tests.runtime.members import start_three
from tests.runtime.virtual_time import VirtualTimeLoop
from tests.runtime.world import WELL
from tests.runtime.world import Host
from tests.runtime.world import MakeHost
from wsa_proxy.net.ports import Fence
from wsa_proxy.runtime.demotions import Demotions
from wsa_proxy.runtime.health import Health
from wsa_proxy.runtime.node import Node
from wsa_proxy.status_text import is_well


async def pair(make_host: MakeHost, **changes: Any) -> tuple[Host, Host]:
    """Both well; a is master."""
    a, b = make_host("a", 1, **changes), make_host("b", 2, advskew=55, **changes)
    await a.start()
    await b.start()
    await asyncio.sleep(6)
    assert (a.state, b.state) == ("master", "backup")
    return a, b


def next_life(make_host: MakeHost, host: Host) -> Host:
    """The process was killed, and another one is started with the same folder."""
    for listener in [each for each in host.lan.listeners if each.host is host]:
        host.lan.listeners.remove(listener)
    host.node.close()
    return make_host(host.name, host.number)


def file_of(host: Host) -> Any:
    return json.loads((host.node.settings.state_dir / "maintenance.json").read_text())


def demoted_by(host: Host) -> list[str]:
    return sorted(host.node.status()["groups"][0]["demoted_by"])


def has_file(host: Host) -> bool:
    return (host.node.settings.state_dir / "maintenance.json").exists()


@pytest.mark.parametrize("security", ["carp", "sealed"])
async def test_another_node_serves_until_the_time_is_over(
    make_host: MakeHost, security: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It ends by itself, to the second, and the better node takes over again; all of it is told."""
    a, b = await pair(make_host, security=(security,), preempt=True)
    assert a.node.status()["maintenance"] is None and a.node.maintenance.current() is None
    ordered_at_s = a.loop.now
    answer = await a.node.maintenance.on(" kernel  update ", "5m")
    assert (a.state, b.state) == ("backup", "master")
    status = a.node.status()
    told = status["maintenance"]
    until = told["until"][:19].replace("T", " ")
    assert answer == {"changes": [f"in maintenance until {until} UTC: kernel update", "group 1: BACKUP"]}
    assert (told["reason"], told["left_s"]) == ("kernel update", pytest.approx(300, abs=1.1))
    assert status["groups"][0]["demoted_by"] == {"maintenance": "maintenance: kernel update"}
    assert status["demoted_by_operator"] is None
    assert f"carp this node is in maintenance until {until} UTC: kernel update" in caplog.text
    await asyncio.sleep(ordered_at_s + 299.9 - a.loop.now)
    assert (a.state, b.state) == ("backup", "master")
    await asyncio.sleep(2)
    assert (a.state, b.state) == ("master", "backup")
    status = a.node.status()
    assert status["maintenance"] is None and status["groups"][0]["demoted_by"] == {} and not has_file(a)
    assert "carp this node is no longer in maintenance: kernel update" in caplog.text


async def test_off_ends_it_and_works_at_any_time(make_host: MakeHost) -> None:
    """In maintenance or not, with a file or without."""
    a, b = await pair(make_host)
    assert await a.node.maintenance.off() == {"changes": ["was not in maintenance"]}
    await a.node.maintenance.on("kernel update", "1d")
    assert has_file(a)
    assert await a.node.maintenance.off() == {"changes": ["no longer in maintenance: kernel update"]}
    assert not has_file(a)
    await asyncio.sleep(2)
    assert (a.state, b.state) == ("master", "backup")
    (a.node.settings.state_dir / "maintenance.json").write_text("damaged")
    assert await a.node.maintenance.off() == {"changes": ["was not in maintenance"]}
    assert not has_file(a)


async def test_the_last_node_goes_on_serving_and_says_so(make_host: MakeHost) -> None:
    """V11. The answer comes after a second in which somebody might have taken over."""
    host = make_host("a", 1)
    await host.start()
    await asyncio.sleep(4)
    began_s = host.loop.now
    answer = await host.node.maintenance.on("kernel update", "30m")
    assert answer["changes"][1:] == ["group 1: MASTER, and goes on serving until another node is well"]
    assert host.loop.now - began_s == pytest.approx(1.0, abs=0.05)
    await asyncio.sleep(600)
    assert host.state == "master" and host.holds and host.driver.virtual_host.demotion == 1


@pytest.mark.parametrize("security", ["carp", "sealed"])
async def test_two_nodes_that_are_both_in_maintenance_strand_nobody(make_host: MakeHost, security: str) -> None:
    """One of them serves at each moment, also when it dies; the one that is well first takes over."""
    a, b = await pair(make_host, security=(security,))
    await a.node.maintenance.on("kernel update", "1h")
    answer = await b.node.maintenance.on("kernel update", "2h")
    assert len(answer["changes"]) == 2
    for _ in range(120):
        await asyncio.sleep(1)
        assert a.holds + b.holds == 1
    assert len(a.driver.record.transitions) + len(b.driver.record.transitions) <= 8  # nobody is handed to and fro
    first, second = (a, b) if a.state == "master" else (b, a)
    first.node.stop("its host is started anew")
    await asyncio.sleep(5)
    assert second.state == "master" and second.holds
    first.driver.set_obstacle("stop", None)
    await a.node.maintenance.off()
    await asyncio.sleep(6)
    assert (a.state, b.state) == ("master", "backup")


async def test_every_member_is_told_of_it_and_of_its_end(make_host: MakeHost) -> None:
    """The one in maintenance is no healthy standby of the others, and says of itself what is intended."""
    a, b, c = await start_three(make_host)
    await asyncio.sleep(6)
    assert members(b)["redundancy"]["healthy_standbys"] == 2
    await a.node.maintenance.on("kernel update", "30m")
    await asyncio.sleep(2)
    until = a.node.status()["maintenance"]["until"][:19] + "+00:00"
    for host in (b, c):
        assert listed(host)["a"]["maintenance"] == {"until": until, "reason": "kernel update"}
        assert f"in maintenance until {until}: kernel update" in listed(host)["a"]["not_ready"]
        assert members(host)["redundancy"]["healthy_standbys"] == 1
    await c.node.maintenance.on("memory", "1h")
    await asyncio.sleep(3)
    assert b.state == "master" and members(b)["redundancy"]["lost_s"] is not None
    assert not is_well(b.node.status()) and is_well(c.node.status())
    await a.node.maintenance.off()
    await asyncio.sleep(2)
    assert listed(b)["a"]["maintenance"] is None and listed(b)["a"]["is_ready"]
    assert a.state == "master" and members(a)["redundancy"]["healthy_standbys"] == 1


async def test_a_node_in_maintenance_takes_over_from_one_that_cannot_serve(make_host: MakeHost) -> None:
    """And gives it back as soon as that one is well."""
    a, b = await pair(make_host)
    await a.node.maintenance.on("kernel update", "1h")
    b.node.set_health(Health(hard="no answer to GET", soft=None))
    await asyncio.sleep(4)
    assert a.state == "master" and a.holds
    b.node.set_health(WELL)
    await asyncio.sleep(6)
    assert (a.state, b.state) == ("backup", "master")


async def test_the_next_life_begins_as_the_file_says(make_host: MakeHost, caplog: pytest.LogCaptureFixture) -> None:
    """Demoted before it takes part; the end is the same moment as in the life before."""
    a, b = await pair(make_host)
    await a.node.maintenance.on("kernel update", "5m")
    ends_s = a.loop.now + a.node.status()["maintenance"]["left_s"]
    await asyncio.sleep(60)
    again = next_life(make_host, a)
    caplog.clear()
    await again.node.start()
    assert again.node.maintenance.current() == a.node.maintenance.current()
    assert again.driver.virtual_host.demotion == 1 and again.state == "init"
    assert "carp this node is in maintenance until" in caplog.text
    again.node.set_health(WELL)
    await asyncio.sleep(30)
    assert (again.state, b.state) == ("backup", "master")
    await asyncio.sleep(ends_s - a.loop.now + 2)
    assert (again.state, b.state) == ("master", "backup") and not has_file(again)


async def test_a_time_that_passed_while_the_node_was_down_is_over(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    """The file is gone, the log says it, and the node takes part as any."""
    a = make_host("a", 1)
    await a.start()
    await a.node.maintenance.on("kernel update", "30m")
    again = next_life(make_host, a)
    again.loop.now += 1801
    await again.start()
    assert again.node.maintenance.current() is None and not has_file(again)
    assert "carp this node is no longer in maintenance: kernel update" in caplog.text
    await asyncio.sleep(4)
    assert again.state == "master" and again.driver.virtual_host.demotion == 0


async def test_a_wall_clock_that_is_set_back_prolongs_nothing_in_this_boot_or_the_next(make_host: MakeHost) -> None:
    """Set forward past the end, it ends it: soon, since nobody tells that a clock was set."""
    a = make_host("a", 1)
    await a.start()
    await a.node.maintenance.on("kernel update", "5m")
    document = file_of(a)
    (a.node.settings.state_dir / "maintenance.json").write_text(json.dumps(document | {"boot": "an earlier one"}))
    again = next_life(make_host, a)
    await again.start()
    assert file_of(again)["boot"] == "boot" and file_of(again)["until"] == document["until"]
    again.wall_ms -= 86_400_000
    await asyncio.sleep(200)
    assert again.node.maintenance.current() is not None
    await asyncio.sleep(101)
    assert again.node.maintenance.current() is None and not has_file(again)
    await again.node.maintenance.on("kernel update", "5m")
    again.wall_ms += 86_400_000
    await asyncio.sleep(10.1)
    assert again.node.maintenance.current() is None and not has_file(again)


async def test_it_ends_on_a_clock_that_never_says_the_same_twice(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a real one does; that of the other tests stands still while the node works."""
    host = make_host("a", 1)
    await host.start()
    clock = VirtualTimeLoop.time

    def creeping(loop: VirtualTimeLoop) -> float:
        loop.now += 1e-6
        return clock(loop)

    monkeypatch.setattr(VirtualTimeLoop, "time", creeping)
    await host.node.maintenance.on("kernel update", "30s")
    await asyncio.sleep(30)
    assert host.node.maintenance.current() is None and not has_file(host)


async def test_neither_ends_the_operators_or_the_proxys_demotion(make_host: MakeHost) -> None:
    host = make_host("a", 1)
    await host.start()
    host.node.operator.demote("no trust")
    await host.node.maintenance.on("kernel update", "30m")
    host.node.set_health(Health(hard=None, soft="slow"))
    names = ["maintenance", "operator", "proxy"]
    assert demoted_by(host) == names and host.driver.virtual_host.demotion == 3
    await host.node.maintenance.off()
    host.node.set_health(WELL)
    assert demoted_by(host) == ["operator"]
    await host.node.maintenance.on("kernel update", "30m")
    host.node.operator.restore()
    assert demoted_by(host) == ["maintenance"]


async def test_a_group_that_begins_later_is_demoted_too(make_host: MakeHost) -> None:
    """A reload makes new drivers; each is told the proxy's health, and this with it."""
    host = make_host("a", 1)
    await host.start()
    await host.node.maintenance.on("kernel update", "30m")
    host.driver.demotions = Demotions()
    host.node.set_health(WELL)
    assert host.driver.demotions.of("maintenance") == 1


async def test_who_was_fenced_learns_it_before_the_end_makes_it_speak(make_host: MakeHost) -> None:
    """A process that stood still is woken by the timer of the end: somebody else is master by now."""
    host = make_host("a", 1)
    await host.start()
    await asyncio.sleep(4)
    await host.node.maintenance.on("kernel update", "30m")
    host.journal.clear()
    host.loop.now += 1900
    host.fake_leases.fences = [Fence("the proxy's loop stood still for 1900 s", frozenset({1}), host.loop.now)]
    host.node.maintenance._pass()
    assert [entry for entry in host.journal if entry.startswith(("advertise", "announce"))] == []
    assert host.state != "master" and not host.holds


async def test_a_second_node_with_the_same_folder_changes_nothing_in_it(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its start is refused because the first one answers there; the file is the first one's."""
    a = make_host("a", 1)
    await a.start()
    await a.node.maintenance.on("kernel update", "30m")
    second: Node = make_host("a", 1).node
    a.loop.now += 1800  # its end has come, and the first one has not looked yet

    async def refuse() -> None:
        raise OSError("another wsa-proxy runs with this state_dir")

    monkeypatch.setattr(second._control, "start", refuse)
    with pytest.raises(OSError):
        await second.start()
    assert file_of(a)["reason"] == "kernel update"


async def test_a_damaged_file_does_not_keep_a_node_out(make_host: MakeHost, caplog: pytest.LogCaptureFixture) -> None:
    """It takes part as any; the next order replaces the file."""
    host = make_host("a", 1)
    host.node.settings.state_dir.mkdir()
    (host.node.settings.state_dir / "maintenance.json").write_text("{")
    with caplog.at_level(logging.ERROR):
        await host.start()
    await asyncio.sleep(4)
    assert "is damaged" in caplog.text
    assert host.state == "master" and host.driver.virtual_host.demotion == 0
    await host.node.maintenance.on("kernel update", "30m")
    assert file_of(host)["reason"] == "kernel update"
