"""Sends and receives member reports: UDP on one interface, to the multicast groups of CARP or to unicast peers.

One socket for each IP version serves all groups of an interface, as the kernel hands a unicast to one socket only. It
hears what is addressed to this host or to the group on that interface, and nothing else. The source of what is sent is
one of the interface's own addresses, never a virtual one. Unlike advertisements, reports pass the host's firewall.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence
from contextlib import suppress

from wsa_proxy.net.frames import GROUP_IPV4
from wsa_proxy.net.frames import GROUP_IPV6
from wsa_proxy.net.netlink import RouteSocket
from wsa_proxy.net.netlink import read_addresses
from wsa_proxy.net.netlink import reading
from wsa_proxy.net.ports import Address
from wsa_proxy.net.ports import Datagram
from wsa_proxy.net.ports import Version
from wsa_proxy.net.ways import Way
from wsa_proxy.net.ways import choose_source
from wsa_proxy.net.ways import way_to

DATAGRAMS_PER_TURN_MAX = 64
DATAGRAM_BYTES = 2048
"""Longer than any report: what is cut was none."""
RECEIVE_BUFFER_BYTES = 1 << 20

# From linux/in.h and linux/in6.h; Python's socket module does not have them all.
_IP_MULTICAST_ALL = 49
_IPV6_MULTICAST_ALL = 29
_GROUPS: dict[Version, Address] = {4: GROUP_IPV4, 6: GROUP_IPV6}


class ReportSocket:
    """The ReportPort of one interface and port. A re-created interface needs a new one."""

    def __init__(
        self,
        interface: str,
        index: int,
        port: int,
        never_source: Callable[[], Collection[Address]] = tuple,
        route: RouteSocket | None = None,
    ) -> None:
        """``never_source`` answers the virtual addresses. ``route``: to read the interface's addresses with, when the
        process has no descriptor left for one. Raises OSError when no IP version can be had."""
        self._interface = interface
        self._index = index
        self._port = port
        self._never_source = never_source
        self._route = route
        self._ways: dict[Address, Way] = {}
        self._sockets: dict[Version, socket.socket] = {}
        self._queues = select.poll()
        failed: OSError | None = None
        for version in (4, 6):
            try:
                self._sockets[version] = _open(interface, index, port, version)
            except OSError as error:  # a host without IPv6
                failed = error
            else:
                self._queues.register(self._sockets[version], select.POLLIN)
        if not self._sockets:
            assert failed is not None
            text = f"cannot open UDP port {port} on {interface}: {failed.strerror or failed}"
            raise OSError(failed.errno or errno.EIO, text)

    def fileno_list(self) -> list[int]:
        return [opened.fileno() for opened in self._sockets.values()]

    def refresh(self) -> None:
        """An address of the interface came or went: choose the sources anew at the next send."""
        self._ways.clear()

    def source_of(self, version: Version, peers: Sequence[Address] = ()) -> Address | None:
        """From where reports of this IP version are sent; None while the interface has no address for that."""
        with suppress(OSError):
            return self._way(next((peer for peer in peers if peer.version == version), _GROUPS[version])).source
        return None

    def send(self, version: Version, peers: Sequence[Address], payload: bytes) -> None:
        """To the peers of this IP version, or to the multicast group if there are no peers at all. Raises OSError when
        one of them could not be sent to; the others hear it all the same."""
        opened = self._sockets.get(version)
        if opened is None:
            raise OSError(errno.EAFNOSUPPORT, f"no IPv{version} on {self._interface}")
        errors: list[str] = []
        number = 0
        for peer in [peer for peer in peers if peer.version == version] if peers else [_GROUPS[version]]:
            try:
                way = self._way(peer)
                opened.sendmsg([payload], [way.ancillary], 0, way.destination)
            except OSError as error:
                self._ways.pop(peer, None)
                number = error.errno or errno.EIO
                errors.append(f"{peer}: {os.strerror(number)}")
        if errors:
            raise OSError(number, f"cannot send a report on {self._interface} to {'; '.join(errors)}")

    def _way(self, peer: Address) -> Way:
        way = self._ways.get(peer)
        if way is None:
            never = self._never_source()
            with reading(self._route) as route:
                entries = read_addresses(route, self._index)
            own = [each for each in entries if each.address.version == peer.version and each.address not in never]
            if not own:
                raise OSError(errno.EADDRNOTAVAIL, "the interface has no address of its own")
            way = self._ways[peer] = way_to(peer, choose_source(own, peer), self._index, self._port)
        return way

    def receive(self) -> Sequence[Datagram]:
        """What is queued, up to DATAGRAMS_PER_TURN_MAX of each IP version."""
        if not self._queues.poll(0):  # nearly always: a third of the time that it takes to ask each
            return []
        found: list[Datagram] = []
        for opened in self._sockets.values():
            for _ in range(DATAGRAMS_PER_TURN_MAX):
                try:
                    payload, source = opened.recvfrom(DATAGRAM_BYTES)
                except (BlockingIOError, InterruptedError):
                    break
                found.append(Datagram(source[0], payload))
        return found

    def close(self) -> None:
        """Leave the groups and close the descriptors; harmless when repeated."""
        for opened in self._sockets.values():
            self._queues.unregister(opened)
            opened.close()
        self._sockets.clear()


def _open(interface: str, index: int, port: int, version: Version) -> socket.socket:
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    opened = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        # Another life of this node, or another instance with other groups, may have it open as well.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        if version == 4:
            _join_4(opened, index)
        else:
            _join_6(opened, index)
        opened.bind(("" if version == 4 else "::", port))
    except BaseException:
        opened.close()
        raise
    return opened


def _join_4(opened: socket.socket, index: int) -> None:
    membership = struct.pack("=4s4si", GROUP_IPV4.packed, bytes(4), index)  # struct ip_mreqn
    opened.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, membership)
    opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
    opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
    opened.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)


def _join_6(opened: socket.socket, index: int) -> None:
    membership = struct.pack("=16si", GROUP_IPV6.packed, index)  # struct ipv6_mreq
    opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)
    opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
    opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 1)
    opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_MULTICAST_ALL, 0)
