"""I3 through the pump, bit by bit: each of the 288 flips of a good packet moves one counter, and nothing else."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator
from typing import Any

import pytest

from tests.carp.test_wire import flipped
from tests.carp.test_wire import repaired
from tests.runtime.world import Host
from tests.runtime.world import MakeHost
from wsa_proxy.carp.wire import Reject
from wsa_proxy.net.ports import Packet

BITS = range(36 * 8)
CHECKSUM = (6, 7)
UNSIGNED = (2, 4, 5)
"""advskew, demotion and advbase: plain CARP's digest does not cover them."""
WAYS = [("carp",), ("sealed",), ("carp", "sealed"), ("sealed", "carp")]


def everything(host: Host) -> Any:
    """All that a packet may change in a node, but for the counters of what is not believed."""
    record = {name: value for name, value in vars(host.driver.record).items() if name not in COUNTERS}
    times = [vars(sealer.time) for sealer in host.driver._identity.credentials.sealers]
    election = {name: value for name, value in vars(host.driver.virtual_host).items() if name != "settings"}
    return copy.deepcopy(
        (
            election,
            record | dict.fromkeys(("_clock", "on_transition", "on_told", "more_evidence")),
            times,
            host.journal,
            host.leases_until_s,
            host.wall_ms,
        )
    )


COUNTERS = ("rejects", "last_rejected", "_next_line_s", "_told")


def hear(host: Host, payload: bytes) -> None:
    host.driver._packet(Packet(4, "10.0.0.9", "02:00:00:00:00:09", 255, payload))


def damaged(payload: bytes, *, sealed: bool) -> Iterator[tuple[bytes, Reject]]:
    """Each bit flipped, once as it is and once behind a right checksum, and the one name that it deserves."""
    first = {0: Reject.BAD_VERSION, 3: Reject.VRRP}
    for bit in BITS:
        place, packet = bit // 8, flipped(payload, bit)
        yield packet, first.get(place, Reject.BAD_CHECKSUM)
        if place in CHECKSUM or (place in UNSIGNED and not sealed):
            continue  # the good packet again; or one that every implementation of plain CARP believes
        unsigned = dict.fromkeys(UNSIGNED, Reject.REWRITTEN)
        names = first | unsigned | {1: Reject.OTHER_VHID}
        yield repaired(packet), names.get(place, Reject.BAD_SECRET)


@pytest.mark.parametrize("security", WAYS, ids="-".join)
@pytest.mark.parametrize("state", ["backup", "master"])
async def test_each_flipped_bit_moves_one_counter(make_host: MakeHost, security: tuple[str, ...], state: str) -> None:
    """And the packet itself, which comes last, is believed: it was good, and no flip of it has spoiled it."""
    first = make_host("a", 1, security=security)
    second = make_host("b", 2, security=security, advskew=55)
    member = make_host("c", 3, security=security, advskew=100)
    for each in (first, second):
        await each.start()
    await asyncio.sleep(6.3)
    host = first if state == "master" else second
    assert host.state == state
    payload = member.says(1, 100, 0)
    for packet, name in damaged(payload, sealed=security[0] == "sealed"):
        expected = dict(host.driver.record.rejects)
        expected[name] += 1
        before = everything(host)
        hear(host, packet)
        assert host.driver.record.rejects == expected, f"{packet.hex()} must be counted once, as {name}"
        assert everything(host) == before, f"{packet.hex()} changed more than a counter"
    received = host.driver.record.received
    hear(host, payload)
    assert host.driver.record.received == received + 1


@pytest.mark.parametrize("security", [("sealed",), ("sealed", "carp")], ids="-".join)
async def test_a_sealed_packet_that_was_heard_is_a_duplicate_in_every_bit(
    make_host: MakeHost, security: tuple[str, ...]
) -> None:
    """Once it is believed, it and each repaired flip of it change nothing either: not a second chance."""
    host = make_host("b", 2, security=security, advskew=55)
    member = make_host("c", 3, security=("sealed",))
    await host.start()
    for _ in range(3):
        await asyncio.sleep(0.5)
        payload = member.says(1, 0, 0)
        hear(host, payload)
    before = everything(host)
    for packet, name in [*damaged(payload, sealed=True), (payload, Reject.DUPLICATE)]:
        count = host.driver.record.rejects[name]
        hear(host, packet)
        assert host.driver.record.rejects[name] == count + 1
    assert everything(host) == before
