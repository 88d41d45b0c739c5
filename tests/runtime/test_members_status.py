"""The members in the status document."""

from __future__ import annotations

import asyncio
import json

from tests.runtime.members import listed
from tests.runtime.members import members
from tests.runtime.members import start_three
from tests.runtime.world import MakeHost

KEYS = {
    "node", "life", "address", "group", "state", "health", "reasons", "priority", "demotion", "versions",
    "clock_offset_s", "age_s", "is_fresh", "hears_us", "left", "mismatches", "is_ready", "not_ready", "maintenance",
    "switched_away",
}  # fmt: skip
GROUP_KEYS = {
    "reports", "port", "life", "sent", "unread", "redundancy", "findings", "switched_away", "list",
}  # fmt: skip


async def test_the_same_keys_in_every_state(make_host: MakeHost) -> None:
    """Of members that are there, silent, and gone in order; all of it is JSON."""
    a, b, c = await start_three(make_host)
    await asyncio.sleep(5)
    b.running = False
    c.node.stop("the test wants it")
    c.node.close()
    await asyncio.sleep(5)
    told = members(a)
    assert set(told) == GROUP_KEYS and all(set(each) == KEYS for each in told["list"])
    by_name = listed(a)
    assert (by_name["b"]["is_fresh"], by_name["b"]["left"], by_name["c"]["left"]) == (False, False, True)
    assert by_name["c"]["not_ready"] == ["stopped in order"] and by_name["b"]["not_ready"][0].startswith("last heard 5")
    assert json.loads(json.dumps(told)) == told


async def test_a_clock_that_differs_is_told(make_host: MakeHost) -> None:
    """In seconds; ahead of ours is more than 0."""
    a, b, _ = await start_three(make_host)
    b.wall_ms += 7000
    await asyncio.sleep(5)
    assert abs(listed(a)["b"]["clock_offset_s"] - 7) < 0.1 and abs(listed(b)["a"]["clock_offset_s"] + 7) < 0.1
    assert listed(a)["b"]["versions"]["wsa-proxy"] == a.node.status()["version"]
