"""The kernel side of one virtual host, as its driver uses it."""

from __future__ import annotations

from dataclasses import dataclass

from wsa_proxy.net.ports import AddressPort
from wsa_proxy.net.ports import AdvertisementPort
from wsa_proxy.net.ports import NeighbourPort


@dataclass(frozen=True, slots=True)
class Ports:
    """All ports of one virtual host on one interface."""

    index: int
    """Of the interface; a re-created interface has another one and needs other ports."""
    address_index: int
    """Of the interface that carries the addresses: the same, or the virtual MAC's."""
    virtual_interface: str
    """The name of the virtual MAC's interface; empty without one."""
    advertisements: AdvertisementPort
    addresses: AddressPort
    neighbours: NeighbourPort

    def close(self) -> None:
        self.neighbours.close()
        self.advertisements.close()
        self.addresses.close()
