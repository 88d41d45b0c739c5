"""The real kernel for a node: which class of ``net`` stands behind which port."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Collection
from collections.abc import Sequence
from contextlib import ExitStack
from ipaddress import IPv4Address

from wsa_proxy.net import addresses as net_addresses
from wsa_proxy.net import inheritance
from wsa_proxy.net import neighbour_table
from wsa_proxy.net import rights
from wsa_proxy.net.addresses import AddressLease
from wsa_proxy.net.addresses import LeaseKeeper
from wsa_proxy.net.claims import Claims
from wsa_proxy.net.foreign_mac import ForeignMacTest
from wsa_proxy.net.foreign_mac import find_witnesses
from wsa_proxy.net.guarding import Guarding
from wsa_proxy.net.host import read_host
from wsa_proxy.net.links import KernelChanges
from wsa_proxy.net.links import read_links
from wsa_proxy.net.neighbours import Neighbours
from wsa_proxy.net.packet_socket import Headers
from wsa_proxy.net.packet_socket import PacketSocket
from wsa_proxy.net.ports import Address
from wsa_proxy.net.ports import AdvertisementPort
from wsa_proxy.net.ports import KernelMonitor
from wsa_proxy.net.ports import LinkChanged
from wsa_proxy.net.report_socket import ReportSocket
from wsa_proxy.net.socket_table import SocketTable
from wsa_proxy.net.socket_table_thread import SocketTableThread
from wsa_proxy.net.steering import Steering
from wsa_proxy.net.tickle import Tickler
from wsa_proxy.net.unicast_socket import UnicastSocket
from wsa_proxy.net.virtual_interface import VirtualInterface
from wsa_proxy.net.virtual_lease import VirtualLease
from wsa_proxy.runtime.beat import stall_limit_s
from wsa_proxy.runtime.claimed import claimed_by
from wsa_proxy.runtime.ports import CarryPorts
from wsa_proxy.runtime.ports import Network
from wsa_proxy.runtime.ports import Ports
from wsa_proxy.runtime.reload import addresses_of
from wsa_proxy.settings import GroupSettings
from wsa_proxy.settings import Settings

logger = logging.getLogger(__name__)


class LinuxKernel:
    """Opens sockets, and holds the one on which the virtual addresses of all groups are written."""

    def __init__(self, settings: Settings) -> None:
        """Raises ``rights.RightsMissing`` where the process could not do its work, before it has begun."""
        rights.require()
        inheritance.keep_rights()
        self._virtual = addresses_of(settings.groups)
        self._headers = Headers(self._virtual)
        self._keeper: LeaseKeeper | None = None
        self._stall_limit_s = stall_limit_s(settings)
        self._guarding: Guarding | None = None
        self._claims = Claims()

    def set_virtual(self, addresses: Collection[Address]) -> None:
        """These are the virtual addresses of the node from now on: no advertisement is ever sent from one of them."""
        if self._virtual != frozenset(addresses):
            self._virtual = frozenset(addresses)
            self._headers.never_from(self._virtual)

    def set_stall_limit(self, stall_limit_s: float) -> None:
        """So long this process may stand still before the guardian takes the addresses from it."""
        self._stall_limit_s = stall_limit_s
        if self._guarding is not None:
            self._guarding.set_stall_limit(stall_limit_s)

    async def claim_patiently(self, groups: Collection[GroupSettings]) -> None:
        await self._claims.take_patiently(claimed_by(groups))

    def claim(self, groups: Collection[GroupSettings]) -> None:
        self._claims.take(claimed_by(groups))

    def keep_claims(self, groups: Collection[GroupSettings]) -> None:
        self._claims.keep(claimed_by(groups))

    def monitor(self) -> KernelMonitor:
        return KernelChanges(tell_leases=False)

    def leases(self) -> LeaseKeeper:
        """The one for all groups; opened when it is first asked for. Raises OSError."""
        if self._keeper is None:
            self._guarding = Guarding(self._stall_limit_s)
            _warn_as_process_1()
            self._claims.share(self._guarding.claim, self._guarding.unclaim)
            self._keeper = LeaseKeeper(self._guarding)
        return self._keeper

    def links(self) -> Sequence[LinkChanged]:
        return read_links()

    def index_of(self, interface: str) -> int:
        return socket.if_nametoindex(interface)

    def open(self, group: GroupSettings, index: int) -> Ports:
        """The ports of a group on the interface with this index. Raises OSError and leaves nothing open."""
        with ExitStack() as opened:
            lease, virtual = self._lease(group, index)
            opened.callback(lease.close)
            mac = virtual.mac if virtual else None
            advertisements = self._advertisements(group, index, mac)
            opened.callback(advertisements.close)
            neighbours = Neighbours(group.interface, index, group.addresses, mac)
            opened.pop_all()
        if virtual is None:
            return Ports(index, index, "", advertisements, lease, neighbours)
        return Ports(index, virtual.index, virtual.name, advertisements, lease, neighbours)

    def _lease(self, group: GroupSettings, index: int) -> tuple[AddressLease, VirtualInterface | None]:
        """The addresses on the interface itself, or on the virtual MAC's."""
        if group.virtual_mac:
            virtual = VirtualInterface(group.interface, index, group.vhid, group.addresses)
            try:
                for sentence in virtual.create():
                    logger.warning("carp vhid=%d %s", group.vhid, sentence)
                return VirtualLease(self.leases(), group.vhid, virtual, group.addresses), virtual
            except OSError:
                virtual.close()
                raise
        try:
            net_addresses.set_arp(group.interface, index)
        except OSError as error:
            # Without it clients may learn a stale owner for some seconds after a switch: worth a line, not an end.
            logger.warning("carp vhid=%d %s", group.vhid, error)
        return AddressLease(self.leases(), group.vhid, group.interface, index, group.addresses), None

    def foreign_mac_test(self, interface: str, index: int) -> ForeignMacTest:
        """Find out whether the network carries a virtual MAC. Raises OSError."""
        never = [address for address in self._virtual if isinstance(address, IPv4Address)]
        return ForeignMacTest(interface, index, find_witnesses(index, never))

    def open_carrying(self) -> CarryPorts:
        """Raises OSError and leaves nothing open."""
        with ExitStack() as opened:
            sockets = SocketTable()
            opened.callback(sockets.close)
            steering = Steering()
            opened.pop_all()
        return CarryPorts(sockets, SocketTableThread(), steering, Tickler)

    def networks(self, interface: str) -> Collection[Network]:
        found = [facts for facts in read_host().interfaces if facts.name == interface]
        own = [each.address for facts in found for each in facts.addresses if each.address.ip not in self._virtual]
        return [each.network for each in own]

    def open_reports(self, interface: str, port: int) -> ReportSocket:
        """Raises OSError."""
        index = socket.if_nametoindex(interface)
        return ReportSocket(interface, index, port, lambda: self._virtual, self.leases().route)

    def _advertisements(self, group: GroupSettings, index: int, mac: str | None) -> AdvertisementPort:
        route = self.leases().route  # a master that is out of descriptors must be able to choose a source
        if group.peers:
            return UnicastSocket(group.interface, index, group.vhid, group.peers, lambda: self._virtual, route)
        self._headers.route = route
        return PacketSocket(group.interface, index, group.vhid, group.versions, self._headers, mac)

    def remove_leftovers(self, addresses: Collection[Address]) -> Sequence[Address]:
        return [entry.address for entry in net_addresses.remove_leftovers(addresses)]

    def ask_neighbours_again(self, index: int) -> Sequence[Address]:
        return neighbour_table.ask_again(index)

    def tie_break(self, interface: str) -> int:
        """The last byte of the interface's first own address, its bits reversed; 0 when it has none.

        Reversed, neighbours such as .1 and .2 differ by much, so that their waits differ by more than a loop's jitter.
        """
        for facts in read_host().interfaces:
            if facts.name == interface:
                for entry in facts.addresses:
                    if entry.address.ip not in self._virtual:
                        return int(f"{entry.address.ip.packed[-1]:08b}"[::-1], 2)
        return 0


def _warn_as_process_1() -> None:
    if os.getpid() == 1:
        logger.warning(
            "failover: this is process 1 of its container: when it ends, the kernel ends its guardian as well, and the"
            " virtual IP stays until its lease ends; run it under an init (docker run --init)"
        )
