"""The operator demotes a node: any well one takes over, and who is alone serves on."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tests.runtime.world import WELL
from tests.runtime.world import MakeHost
from wsa_proxy.net.ports import Fence
from wsa_proxy.runtime.demotions import Demotions
from wsa_proxy.runtime.health import Health


async def test_a_demoted_master_gives_way_and_takes_over_again_when_restored(make_host: MakeHost) -> None:
    """The better priority does not help it, and the status says who, why and since when."""
    a, b = make_host("a", 1), make_host("b", 2, advskew=200, preempt=False)
    await a.start()
    await b.start()
    await asyncio.sleep(6)
    assert (a.state, b.state) == ("master", "backup") and a.node.status()["demoted_by_operator"] is None
    assert a.node.operator.demote("kernel  update") == {"changes": ["demoted: kernel update"]}
    await asyncio.sleep(1)
    assert (a.state, b.state) == ("backup", "master")
    told = a.node.status()["demoted_by_operator"]
    assert (told["reason"], told["age_s"]) == ("kernel update", 1.0) and told["since"].startswith("20")
    assert a.node.operator.restore() == {"changes": ["no longer demoted by the operator: kernel update"]}
    await asyncio.sleep(3)
    assert (a.state, b.state) == ("master", "backup") and a.node.status()["demoted_by_operator"] is None
    assert a.node.operator.restore() == {"changes": []}


async def test_the_last_node_goes_on_serving(make_host: MakeHost, caplog: pytest.LogCaptureFixture) -> None:
    """Demoted, and master: the log has the reason."""
    host = make_host("a", 1)
    await host.start()
    await asyncio.sleep(4)
    with caplog.at_level(logging.WARNING):
        host.node.operator.demote("kernel update")
    await asyncio.sleep(10)
    assert host.state == "master" and host.holds and host.driver.virtual_host.demotion == 1
    assert "carp this node was demoted by its operator: kernel update" in caplog.text
    assert "demotion=1 reason=demoted by the operator: kernel update" in caplog.text


async def test_neither_ends_the_others_demotion(make_host: MakeHost) -> None:
    """A proxy that is well again stays demoted by its operator, and one that was restored by its self-tests."""
    host = make_host("a", 1)
    await host.start()
    host.node.operator.demote("kernel update")
    host.node.set_health(Health(hard=None, soft="no answer to GET for 2.1 s, limit 2.0"))
    host.node.set_health(WELL)
    assert host.driver.virtual_host.demotion == 1
    host.node.set_health(Health(hard=None, soft="no answer to GET for 2.1 s, limit 2.0"))
    host.node.operator.restore()
    assert host.driver.virtual_host.demotion == 1
    host.node.set_health(WELL)
    assert host.driver.virtual_host.demotion == 0


async def test_a_group_that_begins_later_is_demoted_too(make_host: MakeHost) -> None:
    """A reload makes new drivers; each is told the proxy's health, and this with it."""
    host = make_host("a", 1)
    await host.node.start()
    host.node.operator.demote("kernel update")
    host.driver.demotions = Demotions()
    host.node.set_health(WELL)
    assert host.driver.demotions.of("operator") == 1


@pytest.mark.parametrize("order", ["demote", "restore"])
async def test_who_was_fenced_learns_it_before_the_order_makes_it_speak(make_host: MakeHost, order: str) -> None:
    """A process that stood still is woken by its control socket: somebody else is master by now."""
    host = make_host("a", 1)
    await host.start()
    await asyncio.sleep(4)
    if order == "restore":
        host.node.operator.demote("kernel update")
    host.journal.clear()
    host.loop.now += 1.2
    host.fake_leases.fences = [Fence("the proxy's loop stood still for 1.2 s", frozenset({1}), host.loop.now)]
    if order == "demote":
        host.node.operator.demote("kernel update")
    else:
        host.node.operator.restore()
    assert [entry for entry in host.journal if entry.startswith(("advertise", "announce"))] == []
    assert host.state != "master" and not host.holds


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201, "bell \x07"])
async def test_a_reason_is_one_line_of_text(make_host: MakeHost, reason: str) -> None:
    """Without one, or with too much of it, nothing changes."""
    host = make_host("a", 1)
    answer = host.node.operator.demote(reason)
    assert answer == {"error": "give the reason: one line of text, at most 200 characters"}
    assert host.node.operator.status() is None


@pytest.mark.parametrize("security", ["carp", "sealed"])
async def test_of_two_nodes_that_serve_equally_badly_the_second_keeps_the_address(
    make_host: MakeHost, security: str
) -> None:
    """The same broken script on both: the second finds it when it serves. Both are demoted then, and of equal rank."""
    a, b = make_host("a", 1, security=(security,)), make_host("b", 2, advskew=55, security=(security,))
    await a.start()
    await b.start()
    await asyncio.sleep(6)
    broken = Health(hard=None, soft="an addon raised in each of the last 21 requests")
    before = len(a.driver.record.transitions)
    a.node.set_health(broken)
    await asyncio.sleep(2)
    assert (a.state, b.state) == ("backup", "master")
    b.node.set_health(broken)
    await asyncio.sleep(300)
    assert (a.state, b.state) == ("backup", "master") and b.holds
    assert len(a.driver.record.transitions) == before + 1
    a.node.set_health(WELL)  # its script was mended
    await asyncio.sleep(3)
    assert (a.state, b.state) == ("master", "backup")
