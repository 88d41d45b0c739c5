"""Probes of a virtual IP, in virtual time: what is measured, and that they come to an end."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

from wsa_proxy.net.ports import Address
from wsa_proxy.runtime.probing import EVERY_S
from wsa_proxy.runtime.probing import OPEN_MAX
from wsa_proxy.runtime.probing import PROBING_S_MAX
from wsa_proxy.runtime.probing import Measured
from wsa_proxy.runtime.probing import Probing

VIP = ip_address("10.0.0.3")


class Service:
    """Answers within a millisecond, but not between these two seconds: then at once, or after the limit, with no."""

    def __init__(self, gone_s: float = 1e9, back_s: float = 1e9, refused_after_s: float = 0.0) -> None:
        self.gone_s, self.back_s, self.refused_after_s = gone_s, back_s, refused_after_s
        self.open = self.open_max = 0

    async def probe(self, address: Address, port: int) -> bool:
        self.open += 1
        self.open_max = max(self.open_max, self.open)
        gone = self.gone_s <= asyncio.get_running_loop().time() < self.back_s
        await asyncio.sleep(self.refused_after_s if gone else 0.001)
        self.open -= 1
        return not gone

    def begin(self) -> Probing:
        loop = asyncio.get_running_loop()
        self.gone_s, self.back_s = self.gone_s + loop.time(), self.back_s + loop.time()
        return Probing(self.probe, VIP, 8080, loop.time)


async def test_a_service_that_is_there() -> None:
    """The time between two successes is the one between two probes."""
    probing = Service().begin()
    await asyncio.sleep(1.0)
    measured = await probing.stop()
    assert measured.failed == 0 and measured.outage_ms in (10, 11) and 99 <= measured.probes <= 101


async def test_an_outage_is_the_longest_time_between_two_successes() -> None:
    """Whether clients are refused or hang meanwhile."""
    for refused_after_s in (0.0, 0.8):
        probing = Service(0.5, 0.75, refused_after_s).begin()
        await asyncio.sleep(2.0)
        measured = await probing.stop()
        assert 250 <= measured.outage_ms <= 262 and 24 <= measured.failed <= 26


async def test_a_service_that_never_comes_back() -> None:
    """The time to the end counts; the probes under way are awaited, and bounded."""
    service = Service(0.1, 1e9, 5.0)
    probing = service.begin()
    await asyncio.sleep(3.0)
    measured = await probing.stop()
    assert measured.outage_ms >= 2900 and service.open == 0 and service.open_max == OPEN_MAX


async def test_it_ends_by_itself() -> None:
    """Whoever wanted it may be gone."""
    probing = Service().begin()
    await asyncio.sleep(PROBING_S_MAX + 10)
    assert probing.is_over
    measured = await probing.stop()
    assert abs(measured.probes - PROBING_S_MAX / EVERY_S) <= 2
    assert isinstance(measured, Measured)


async def test_closed_it_begins_none_any_more() -> None:
    service = Service()
    probing = service.begin()
    await asyncio.sleep(0.1)
    probing.close()
    await asyncio.sleep(0.1)
    assert (await probing.stop()).probes <= 11
