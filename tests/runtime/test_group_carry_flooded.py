"""Open connections in a flood: more datagrams than a node opens, for which nobody needs the secret."""

from __future__ import annotations

import asyncio

import pytest

from tests.runtime.carried import GONE_S
from tests.runtime.carried import steered
from tests.runtime.carried import with_clients
from tests.runtime.test_group_switch import done
from tests.runtime.world import Host
from tests.runtime.world import MakeHost
from wsa_proxy.net.ports import Datagram
from wsa_proxy.runtime import reporting

OPENED_PER_S = 100


@pytest.fixture(autouse=True)
def few_are_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "OPENED_PER_S", OPENED_PER_S)


async def flooded(host: Host) -> None:
    """For five seconds, with four times as much as it opens."""
    (port,) = [each for each in host.lan.report_ports if each.host is host]
    for _ in range(10):
        for _ in range(2 * OPENED_PER_S):
            port.inbox.put(Datagram("10.0.0.66", b"wsam\x01\x01" + bytes(60)))
        await asyncio.sleep(0.5)


async def test_a_node_that_stops_in_a_flood_is_not_alone(make_host: MakeHost) -> None:
    """What it does not hear of the others may be among what it passed over: it goes on with its connections."""
    a, b = await with_clients(make_host)
    a.node.departure.begin("orderly stop")
    await asyncio.sleep(0.1)
    a.node.departure.fall_silent()
    a.node.departure.let_go("orderly stop")
    await asyncio.sleep(2)
    b.lan.carries_report = lambda sender, receiver: sender != "b"
    await flooded(a)
    assert a.node.departure.drains and "close connections" not in a.journal
    await asyncio.sleep(GONE_S)
    assert not a.node.departure.drains and "close connections" in a.journal


async def test_a_flood_of_datagrams_ends_no_drain(make_host: MakeHost) -> None:
    """Nobody needs the secret to send more than this node opens; the reports are among what it passes over."""
    a, b = await with_clients(make_host)
    await done(a, "b")
    await asyncio.sleep(2)
    b.lan.carries_report = lambda sender, receiver: sender != "a"
    await flooded(b)
    assert len(steered(b)) == 3 and not b.tickles.sent
    await asyncio.sleep(GONE_S)
    assert not steered(b) and len(b.tickles.sent) >= 3
