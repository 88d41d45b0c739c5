"""A better node waits before it preempts, says so, and waits no longer when its operator wants it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Any

import pytest

from tests.runtime.world import Host
from tests.runtime.world import MakeHost
from wsa_proxy.runtime.reload import make_plan


async def a_waits_for_b(make_host: MakeHost, **more: Any) -> tuple[Host, Host]:
    """The worse one is master, the better one has heard it and waits for 10 s, two of which have passed."""
    a, b = make_host("a", 1, preempt_delay_s=10.0, **more), make_host("b", 2, advskew=55, **more)
    await b.start()
    await asyncio.sleep(4)
    await a.start()
    await asyncio.sleep(2)
    assert (a.state, b.state) == ("backup", "master")
    return a, b


def preemption(host: Host) -> dict[str, Any]:
    status: dict[str, Any] = host.node.status()["groups"][0]["preemption"]
    return status


async def test_a_better_node_says_that_it_waits_and_then_preempts(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    """One line, the seconds left in the status, and one takeover within an interval of the end of the wait."""
    with caplog.at_level(logging.INFO, "wsa_proxy.runtime.driver"):
        a, b = await a_waits_for_b(make_host)
        assert preemption(a) == {"waits_s": 8.0, "delay_s": 10.0, "role_changes": 0}
        assert preemption(b) == {"waits_s": None, "delay_s": 0.0, "role_changes": 1}
        await asyncio.sleep(7.9)
        assert a.state == "backup"
        await asyncio.sleep(0.1 + 1 + 56 / 256)
    assert (a.state, b.state) == ("master", "backup")
    assert preemption(a) == {"waits_s": None, "delay_s": 10.0, "role_changes": 1}
    lines = [entry.message for entry in caplog.records if "preempts in" in entry.message]
    assert len(lines) == 1 and lines[0].startswith("carp vhid=1 stays BACKUP for now: preempts in 9.")


async def test_the_operator_ends_the_wait(make_host: MakeHost, caplog: pytest.LogCaptureFixture) -> None:
    """At the master's next advertisement; asked through the socket, as ``wsa-proxy preempt`` does."""
    a, b = await a_waits_for_b(make_host)
    with caplog.at_level(logging.INFO, "wsa_proxy.runtime.preemption"):
        answer = a.node._control._answer(b'{"verb": "preempt", "arguments": {"group": ""}}')
    assert answer == {"changes": ["group 1: preempts 10.0.0.2 at its next advertisement"]}
    assert [entry.message for entry in caplog.records if entry.name == "wsa_proxy.runtime.preemption"] == [
        "carp vhid=1 waits no longer before it preempts: the operator wants it"
    ]
    await asyncio.sleep(1 + 56 / 256)
    assert (a.state, b.state) == ("master", "backup")


async def test_who_has_left_waits_for_nothing_in_the_status_either(make_host: MakeHost) -> None:
    """What it endured is history, and begins anew when it is back."""
    a, _ = await a_waits_for_b(make_host)
    assert preemption(a)["waits_s"] is not None
    a.node.stop("orderly stop")
    assert preemption(a)["waits_s"] is None


async def test_what_else_may_be_asked_is_answered(make_host: MakeHost) -> None:
    """Each state in its words, and a group that is none."""
    a, b = await a_waits_for_b(make_host)
    assert b.node.preempt() == {"changes": ["group 1: is master, and waits for nothing"]}
    assert a.node.preempt("2") == {"error": "no group has the id 2"}
    assert a.state == "backup" and preemption(a)["waits_s"] is not None
    assert a.node.preempt("1") == {"changes": ["group 1: preempts 10.0.0.2 at its next advertisement"]}
    assert a.node.preempt("1") == {"changes": ["group 1: waits no longer before it preempts"]}
    a.node.stop("orderly stop")
    assert a.node.preempt() == {"changes": ["group 1: is init, and waits for nothing"]}
    c = make_host("c", 3, preempt=False, preempt_delay_s=10.0)
    await c.start()
    assert c.node.preempt() == {"changes": ["group 1: is non-preemptive, and waits for nothing"]}


async def test_of_several_groups_one_or_all_wait_no_longer(make_host: MakeHost) -> None:
    """I8: the others go on waiting."""
    a, _ = await a_waits_for_b(make_host, more_vhids=(2, 3))
    assert a.node.preempt("3") == {"changes": ["group 3: preempts 10.0.0.2 at its next advertisement"]}
    assert [driver.virtual_host.calm.waits for _, driver in a.node._groups] == [True, True, False]
    assert len(a.node.preempt()["changes"]) == 3
    assert not any(driver.virtual_host.calm.waits for _, driver in a.node._groups)


async def test_a_dead_master_is_followed_in_spite_of_the_wait(make_host: MakeHost) -> None:
    """V11: after D of silence, not after the delay."""
    a, b = await a_waits_for_b(make_host)
    b.set_link(running=False)
    b.node.drain_kernel()
    await asyncio.sleep(3.1)
    assert a.state == "master" and a.last_transition() == "BACKUP -> MASTER master_silent"


async def test_an_unwell_master_is_relieved_in_spite_of_the_wait(make_host: MakeHost) -> None:
    """V9: a soft failure is not endured."""
    a, b = await a_waits_for_b(make_host)
    b.node.set_health(replace(b.node.health, soft="no answer to GET"))
    await asyncio.sleep(0.1)
    assert a.state == "master" and a.last_transition() == "BACKUP -> MASTER master_demoted"


async def test_a_reload_changes_the_delay_and_the_wait_goes_on(make_host: MakeHost) -> None:
    """It began when the node joined."""
    a, b = await a_waits_for_b(make_host)
    for delay_s in (20.0, 3.0):
        groups = (replace(a.node.settings.groups[0], preempt_delay_s=delay_s),)
        a.node.apply(make_plan(a.node.settings, replace(a.node.settings, groups=groups)))
        assert preemption(a)["waits_s"] == delay_s - 2
    await asyncio.sleep(1 + 1 + 56 / 256)
    assert (a.state, b.state) == ("master", "backup")
