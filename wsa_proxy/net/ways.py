"""How another host, or a multicast group, is reached: from which of an interface's own addresses, and how the kernel is
told so for one datagram."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from ipaddress import IPv4Address
from ipaddress import ip_network
from typing import NamedTuple

from wsa_proxy.net.netlink import HostAddress
from wsa_proxy.net.ports import Address

_IP_PKTINFO = 8  # linux/in.h

type Ancillary = tuple[int, int, bytes]


class Way(NamedTuple):
    """How a peer is reached: its socket address, and the source of what is sent there."""

    source: Address
    scope: int
    """Interface index of a link-local peer or a multicast group of IPv6, else 0."""
    destination: tuple[str, int] | tuple[str, int, int, int]
    ancillary: Ancillary


def choose_source(own: Sequence[HostAddress], peer: Address) -> Address:
    """One of the peer's scope (a link-local one is no answer across a router), usable, in the peer's own network,
    permanent: where no address is all of that, the first of these counts most."""

    def misfit(entry: HostAddress) -> tuple[bool, bool, bool, bool]:
        network = ip_network((entry.address, entry.prefix_length), strict=False)
        return (
            entry.address.is_link_local is not peer.is_link_local,
            not entry.usable_as_source,
            peer not in network,
            not entry.permanent,
        )

    return min(own, key=misfit).address  # of equals the first in the kernel's order


def way_to(peer: Address, source: Address, index: int, port: int = 0) -> Way:
    """With this source, and by the interface with this index where the peer's address alone names none."""
    if isinstance(peer, IPv4Address):
        packet_info = struct.pack("=i4s4x", 0, source.packed)  # struct in_pktinfo
        return Way(source, 0, (str(peer), port), (socket.IPPROTO_IP, _IP_PKTINFO, packet_info))
    scope = index if peer.is_link_local or peer.is_multicast else 0
    packet_info = struct.pack("=16si", source.packed, scope)  # struct in6_pktinfo
    return Way(source, scope, (str(peer), port, 0, scope), (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, packet_info))
