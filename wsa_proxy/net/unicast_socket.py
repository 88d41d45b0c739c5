"""Sends and receives the payloads of protocol 112 as unicasts, where a network carries no multicast (clouds).

Sent through a raw IP socket and not as a frame: a peer may be behind a router, and then it is the kernel that knows the
next hop and its hardware address. So an output firewall can stop it, which is told (EPERM). The source is one of the
interface's own addresses, never a virtual one. Which interface it leaves by is left to the routing table: if it were
fixed, the kernel would take a peer without a route for a neighbour, ask for it in vain, and say nothing.

Received through the same packet socket as multicasts. It hears what is addressed to this host on the group's interface,
IPv4 options or not, and nothing of other hosts or VLANs; and an input firewall, which by default drops protocol 112 on
many hosts, cannot make a backup deaf, and so a second master. What it does not hear is a fragment (an advertisement has
56 bytes) and what comes out of a tunnel.

While a raw socket of the protocol is open, the kernel does not answer advertisements with "protocol unreachable" (ICMP)
or "unrecognized next header" (ICMPv6). Nothing is read from it, so its filter rejects everything.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence
from typing import NamedTuple

from wsa_proxy.net import orders
from wsa_proxy.net.failures import failure_of
from wsa_proxy.net.frames import HOP_LIMIT
from wsa_proxy.net.frames import PROTOCOL_CARP
from wsa_proxy.net.frames import TRAFFIC_CLASS
from wsa_proxy.net.netlink import RouteSocket
from wsa_proxy.net.netlink import read_addresses
from wsa_proxy.net.netlink import reading
from wsa_proxy.net.packet_socket import open_advertisement_receiver
from wsa_proxy.net.packet_socket import queued_packets
from wsa_proxy.net.ports import Address
from wsa_proxy.net.ports import Packet
from wsa_proxy.net.ports import Version
from wsa_proxy.net.raw_socket import REJECT
from wsa_proxy.net.raw_socket import attach_filter
from wsa_proxy.net.ways import Way
from wsa_proxy.net.ways import choose_source
from wsa_proxy.net.ways import way_to

# From linux/in.h and linux/in6.h; Python's socket module does not have them all.
_IP_MTU_DISCOVER = 10
_IP_PMTUDISC_DO = 2
_IPV6_AUTOFLOWLABEL = 70
_PRIORITY_INTERACTIVE = 6  # as the packet sockets have it


class _Ways(NamedTuple):
    """Of one IP version."""

    peers: Sequence[tuple[Address, Way]]
    envelopes: tuple[bytes, ...]
    """For a guardian."""


class UnicastSocket:
    """The AdvertisementPort of one interface and a list of peers. A re-created interface needs a new one."""

    def __init__(
        self,
        interface: str,
        index: int,
        vhid: int,
        peers: Sequence[Address],
        never_source: Callable[[], Collection[Address]] = tuple,
        route: RouteSocket | None = None,
    ) -> None:
        """``never_source`` answers the virtual addresses, which are not ours to speak from: another collection when
        they have changed. ``route``: an open socket to read the interface's addresses with, when the process has no
        descriptor left for one. Raises OSError."""
        self._route = route
        self._interface = interface
        self._index = index
        self._never_source = never_source
        self._never: Collection[Address] = never_source()
        self._peers: dict[Version, list[Address]] = {}
        self._ways: dict[Version, _Ways] = {}
        self._senders: dict[Version, socket.socket] = {}
        self._receivers: dict[Version, socket.socket] = {}
        for peer in peers:
            self._peers.setdefault(peer.version, []).append(peer)
        try:
            for version in sorted(self._peers):
                self._senders[version] = _open_sender(version)
                self._receivers[version] = open_advertisement_receiver(interface, index, vhid, version)
        except BaseException:
            self.close()
            raise

    def fileno_list(self) -> list[int]:
        return [receiver.fileno() for receiver in self._receivers.values()]

    def refresh(self) -> None:
        """An address of the interface came or went: choose the source addresses anew at the next send."""
        self._ways.clear()

    def send(self, version: Version, payload: bytes, *, from_own_mac: bool = False) -> None:
        """One payload to each peer of this IP version. Raises PartlySent when some of them, and OSError when none of
        them could be sent to: NoWay if that is the network's fault.

        ``from_own_mac`` changes nothing: the kernel's packets never come from a virtual MAC.
        """
        sender = self._senders.get(version)
        if sender is None:
            raise OSError(errno.EBADF, f"no socket for IPv{version} on {self._interface}")
        try:
            ways = self._ways_of(version).peers
        except OSError as error:
            text = f"cannot send an IPv{version} advertisement on {self._interface}: {error.strerror or error}"
            raise OSError(error.errno or errno.EIO, text) from error
        errors: list[int] = []
        texts: list[str] = []
        for peer, way in ways:
            try:
                sender.sendmsg([payload], [way.ancillary], 0, way.destination)
            except OSError as error:  # the other peers hear it all the same
                errors.append(error.errno or errno.EIO)
                texts.append(f"{peer}: {_meaning(errors[-1])}")
        if len(errors) == len(ways):
            del self._ways[version]  # perhaps the source went away and nobody has told: look again next time
        if errors:
            text = f"cannot send an advertisement on {self._interface} to {'; '.join(texts)}"
            raise failure_of(errors, len(ways), text)

    def _ways_of(self, version: Version) -> _Ways:
        """How each peer of this IP version is reached. Raises OSError when there is no address to speak from."""
        never = self._never_source()
        if never is not self._never:
            self._never = never
            self._ways.clear()
        ways = self._ways.get(version)
        if ways is None:
            with reading(self._route) as route:
                entries = read_addresses(route, self._index)
            own = [entry for entry in entries if entry.address.version == version and entry.address not in never]
            if not own:
                raise OSError(errno.EADDRNOTAVAIL, "the interface has no address of its own")
            found = [(peer, way_to(peer, choose_source(own, peer), self._index)) for peer in self._peers[version]]
            envelopes = (orders.datagram(version, way.scope, way.source.packed, peer.packed) for peer, way in found)
            ways = self._ways[version] = _Ways(found, tuple(envelopes))
        return ways

    def envelopes(self, version: Version, payload_bytes: int) -> tuple[bytes, ...]:
        # The kernel writes the length.
        return self._ways_of(version).envelopes

    def receive(self) -> Sequence[Packet]:
        return queued_packets(self._receivers)

    def close(self) -> None:
        for opened in [*self._senders.values(), *self._receivers.values()]:
            opened.close()
        self._senders.clear()
        self._receivers.clear()


def _open_sender(version: Version) -> socket.socket:
    """A raw socket of protocol 112 that only sends; TTL and the rest as in what is multicast."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    try:
        opened = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, PROTOCOL_CARP)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        needed = ", it needs CAP_NET_RAW" if error.errno == errno.EPERM else ""
        raise OSError(error.errno, f"cannot open a raw IPv{version} socket: {reason}{needed}") from error
    try:
        attach_filter(opened, [REJECT])
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, _PRIORITY_INTERACTIVE)
        if version == 4:
            options = ((socket.IP_TTL, HOP_LIMIT), (socket.IP_TOS, TRAFFIC_CLASS), (_IP_MTU_DISCOVER, _IP_PMTUDISC_DO))
        else:
            options = (
                (socket.IPV6_UNICAST_HOPS, HOP_LIMIT),
                (socket.IPV6_TCLASS, TRAFFIC_CLASS),
                (_IPV6_AUTOFLOWLABEL, 0),
            )
        for option, value in options:
            opened.setsockopt(socket.IPPROTO_IP if version == 4 else socket.IPPROTO_IPV6, option, value)
    except BaseException:
        opened.close()
        raise
    return opened


def _meaning(number: int) -> str:
    hint = " (an output firewall?)" if number == errno.EPERM else ""
    return os.strerror(number) + hint
