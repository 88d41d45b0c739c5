"""The kernel side: of one virtual host, as its driver uses it, and of a node."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from ipaddress import IPv6Network
from typing import Protocol

from wsa_proxy.net.ports import Address
from wsa_proxy.net.ports import AddressPort
from wsa_proxy.net.ports import AdvertisementPort
from wsa_proxy.net.ports import ForeignMacPort
from wsa_proxy.net.ports import KernelMonitor
from wsa_proxy.net.ports import LeasePort
from wsa_proxy.net.ports import LinkChanged
from wsa_proxy.net.ports import NeighbourPort
from wsa_proxy.net.ports import ReportPort
from wsa_proxy.net.ports import SocketTablePort
from wsa_proxy.net.ports import SocketTableThreadPort
from wsa_proxy.net.ports import SteeringPort
from wsa_proxy.net.ports import TicklePort
from wsa_proxy.settings import GroupSettings

type Network = IPv4Network | IPv6Network


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

    def fileno_list(self) -> list[int]:
        """Of all sockets that bring something in."""
        return [*self.advertisements.fileno_list(), *self.neighbours.fileno_list()]

    def close(self) -> None:
        self.neighbours.close()
        self.advertisements.close()
        self.addresses.close()


@dataclass(frozen=True, slots=True)
class CarryPorts:
    """What a node needs for the connections to its virtual addresses."""

    sockets: SocketTablePort
    sockets_thread: SocketTableThreadPort
    steering: SteeringPort
    open_tickles: Callable[[int], TicklePort]
    """Of the interface with this index."""

    def close(self) -> None:
        self.steering.close()
        self.sockets_thread.close()
        self.sockets.close()


class Kernel(Protocol):
    """Where a node gets its ports from; ``kernel.py`` is the real one."""

    def set_virtual(self, addresses: Collection[Address]) -> None:
        """These are the node's virtual addresses from now on."""

    def set_stall_limit(self, stall_limit_s: float) -> None:
        """So long this process may stand still before the guardian takes the addresses from it."""

    async def claim_patiently(self, groups: Collection[GroupSettings]) -> None:
        """As ``claim``; what the guardian of an earlier life still has is waited for. Raises OSError."""

    def claim(self, groups: Collection[GroupSettings]) -> None:
        """This process serves these, and no other one of this host does. Raises OSError; then nothing has changed."""

    def keep_claims(self, groups: Collection[GroupSettings]) -> None:
        """Only these; others may be served by another process from now on."""

    def monitor(self) -> KernelMonitor: ...

    def leases(self) -> LeasePort:
        """What renews the leases of all groups that ``open`` gave ports to. Raises OSError."""

    def links(self) -> Sequence[LinkChanged]:
        """All interfaces as they are now."""

    def index_of(self, interface: str) -> int:
        """Raises OSError when there is none of this name."""

    def open(self, group: GroupSettings, index: int) -> Ports:
        """The ports of a group on the interface with this index. Raises OSError."""

    def open_reports(self, interface: str, port: int) -> ReportPort:
        """The member reports of all groups on this interface with this UDP port. Raises OSError."""

    def open_carrying(self) -> CarryPorts:
        """What connections there are, and what becomes of them; once for the node. Raises OSError."""

    def networks(self, interface: str) -> Collection[Network]:
        """Of the interface's own addresses: whoever is in one of these is reached without a router."""

    def foreign_mac_test(self, interface: str, index: int) -> ForeignMacPort:
        """Find out whether the network carries a virtual MAC. Raises OSError."""

    def remove_leftovers(self, addresses: Collection[Address]) -> Sequence[Address]:
        """Remove leases of an earlier life from every interface; answers what there was. Raises OSError."""

    def ask_neighbours_again(self, index: int) -> Sequence[Address]:
        """Ask the LAN at once for the neighbours of an interface that wait for an answer. Raises OSError."""

    def tie_break(self, interface: str) -> int:
        """0..255, the last byte of the interface's own address."""
