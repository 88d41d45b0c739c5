"""What an advertisement port has heard, for the tests of each of them."""

from __future__ import annotations

from typing import Any

from wsa_proxy.net.ports import AdvertisementPort
from wsa_proxy.net.ports import Packet


def received(lan: Any, advertisements: AdvertisementPort, count: int) -> list[Packet]:
    """The next so many packets, and no more."""
    packets: list[Packet] = []

    def enough() -> bool:
        packets.extend(advertisements.receive())
        return len(packets) >= count

    lan.until(enough, f"{count} packets")
    assert len(packets) == count, packets
    return packets
