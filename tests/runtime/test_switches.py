"""Which group an order is for, and what is answered. What comes of it: test_group_switch.py."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.runtime.test_group_switch import answer
from tests.runtime.test_group_switch import make
from tests.runtime.world import MakeHost


@pytest.mark.parametrize(
    ("group", "error"),
    [("7", "no group has the id 7"), ("", "no group has the id "), ("one", "no group has the id one")],
)
async def test_the_group_must_be_one_of_the_nodes(make_host: MakeHost, group: str, error: str) -> None:
    a = make_host("a", 1)
    await a.start()
    assert await a.node.switch(group) == {"error": error}


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
