"""Which group an order is for, and what is answered. What comes of it: test_group_switch.py."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.runtime.fakes import FakeReports
from tests.runtime.test_group_switch import USUAL_S
from tests.runtime.test_group_switch import Watch
from tests.runtime.test_group_switch import answer
from tests.runtime.test_group_switch import away
from tests.runtime.test_group_switch import done
from tests.runtime.test_group_switch import make
from tests.runtime.test_group_switch import owners
from tests.runtime.test_group_switch import proves
from tests.runtime.test_group_switch import refused
from tests.runtime.world import MakeHost


@pytest.mark.parametrize(
    ("group", "error"),
    [("7", "no group has the id 7"), ("", "no group has the id "), ("one", "no group has the id one")],
)
async def test_the_group_must_be_one_of_the_nodes(
    make_host: MakeHost, group: str, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Said to whoever waits, and in the log: mitmproxy's console does not."""
    a = make_host("a", 1)
    await a.start()
    assert await a.node.switch(group) == await a.node.drill(group, "200") == {"error": error}
    assert caplog.messages.count(f"carp not begun: {error}") == 2


async def test_a_group_without_a_secret_has_no_consent(make_host: MakeHost) -> None:
    """Nobody could tell whose word it is."""
    a = make_host("a", 1, pass_phrases=())
    await a.start()
    assert "no shared_secret" in (await a.node.switch("1"))["error"]


async def test_a_group_that_ends_answers_whoever_waits(make_host: MakeHost) -> None:
    """Its reports end, and what this node held to with them."""
    a, b = await make(make_host, "ab")
    assert "changes" in await answer(a)
    assert a.driver.demotions.of("switch")
    a.lan.carries_report = lambda sender, receiver: False
    order: Any = answer(a, "b")
    await asyncio.sleep(0.1)
    a.node.reporting.close()
    assert (await order)["error"] == "group 1: the group has ended on this node"
    assert not a.driver.demotions.of("switch") and not a.node.switches.groups
    await asyncio.sleep(5)
    assert (a.state, b.state) == ("master", "backup")


async def test_maintenance_hands_over_in_order_and_comes_back_by_itself(make_host: MakeHost) -> None:
    """A standby takes over by consent, with no word lost; when the time is over nothing holds the better node away."""
    hosts = a, _, _ = await make(make_host, security=("sealed",))
    watch = Watch(hosts)
    a.journal.clear()
    told = await a.node.maintenance.on("new disk", "30s")
    assert "group 1: BACKUP" in told["changes"] and owners(hosts) == "b"
    assert "hold silently" in a.journal and watch.none_s == 0 and watch.two_s <= USUAL_S
    assert set(a.driver.demotions.reasons) == {"maintenance"} and away(a) is None
    await asyncio.sleep(25)
    assert owners(hosts) == "b"
    await asyncio.sleep(10)
    assert owners(hosts) == "a" and not any(host.driver.demotions.reasons for host in hosts)


async def test_maintenance_of_the_last_one_waits_for_nobody(make_host: MakeHost) -> None:
    """Nor does that of a node whose standby cannot prove itself: it is demoted, as it always was."""
    a, b = await make(make_host, "ab")
    proves(b, lambda: asyncio.sleep(0.1, "no answer to GET"))
    await a.node.maintenance.on("new disk", "30s")
    assert owners([a, b]) == "b", "a demoted master is followed by whoever is not"
    began_s = a.loop.now
    await b.node.maintenance.on("new disk as well", "30s")
    assert owners([a, b]) == "b" and a.loop.now - began_s < 1.5 and b.driver.demotions.of("maintenance")


async def test_a_group_that_cannot_be_handed_over_keeps_no_maintenance_away(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is on the disk by then, so it must be in force; and the other groups go in order."""
    a, b = make_host("a", 1, more_vhids=(2,)), make_host("b", 2, priority=200, advskew=55, more_vhids=(2,))
    a.lan.carries_report = lambda sender, receiver: True
    for host in (a, b):
        await host.start()
    await asyncio.sleep(5)

    async def fails(to: str) -> None:
        raise RuntimeError("nobody has thought of this")

    monkeypatch.setattr(a.node.switches.groups[1], "order", fails)
    watch = Watch([a, b])
    told = await a.node.maintenance.on("new disk", "30m")
    assert told["changes"][1:] == ["group 1: BACKUP", "group 2: BACKUP"] and a.node.maintenance.current() is not None
    assert [each.is_master for each in b.node._drivers()] == [True, True] and watch.none_s == 0


async def test_one_peer_without_a_route_refuses_nothing(make_host: MakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are sent to all the same, and whoever hears nobody is told so."""
    hosts = a, b = await make(make_host, "ab")
    sends = FakeReports.send

    def partly(port: FakeReports, *values: Any) -> None:
        sends(port, *values)
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(FakeReports, "send", partly)
    await asyncio.sleep(3)
    assert a.node.reporting.groups[1].trouble == "Network is unreachable"
    await done(b, "b")
    assert owners(hosts) == "b"
    a.lan.carries_report = lambda sender, receiver: False
    await asyncio.sleep(3)
    assert await refused(a) == "group 1: Network is unreachable"
