"""docs/status.md describes the document that real nodes make, key by key, and nothing else."""

from __future__ import annotations

import asyncio

from tests.runtime.carried import client
from tests.runtime.services import FakeService
from tests.runtime.world import MakeHost
from tests.status_keys import containers
from tests.status_keys import described
from tests.status_keys import keys_of
from wsa_proxy.runtime.health import Health
from wsa_proxy.runtime.health import SelfTestResult

OF_THE_PROXY = {"admin", "pac"}
"""Told by the proxy's side, and held against the page by ``tests/proxy/test_addon_page.py``."""
TESTS = (SelfTestResult("loop", None, "at most 0.004 s late within the last second", 0.004, 1.0),)


async def _seen(make_host: MakeHost) -> set[str]:
    """All keys of two nodes that have been through everything that adds some, beside one with another secret."""
    a = make_host("a", 1, virtual_mac=True, security=("sealed",), service=FakeService())
    b = make_host("b", 2, virtual_mac=True, security=("sealed",), priority=200, advskew=55, service=FakeService())
    a.lan.carries_report = lambda sender, receiver: True
    for host in (a, b):
        await host.start()
    seen: set[str] = set()

    def look() -> None:
        for host in (a, b):
            seen.update(keys_of(host.node.status()))

    a.sockets.connected = {client(1)}
    await asyncio.sleep(8)
    assert "changes" in await a.node.switch("1", "b")
    await asyncio.sleep(3)
    look()
    await a.node.maintenance.on("memory", "30m")
    await asyncio.sleep(3)
    look()
    a.node.set_health(Health(hard=None, soft=None, tests=TESTS))
    await asyncio.sleep(2)
    a.node.operator.demote("a disk is full")
    look()
    await make_host("c", 3, pass_phrases=(b"another phrase",)).start()
    await asyncio.sleep(10)
    look()
    a.set_link(running=False)
    b.sockets.connected = {client(2)}
    await asyncio.sleep(3)
    look()
    a.set_link(running=True)
    await asyncio.sleep(8)
    b.set_link(running=False)
    await asyncio.sleep(8)
    look()
    return seen


async def test_every_key_is_described_and_every_description_is_of_a_key(make_host: MakeHost) -> None:
    """What is missing is named."""
    seen, told = await _seen(make_host), described()
    told = {key for key in told if key.partition(".")[0] not in OF_THE_PROXY}
    assert seen - told - containers(seen) == set(), "docs/status.md says nothing of these"
    assert told - seen == set(), "docs/status.md describes what no node tells"
