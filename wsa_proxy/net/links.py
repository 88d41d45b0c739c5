"""What the kernel reports about the interfaces and addresses of this host (rtnetlink groups).

The messages carry no promise: when the queue overflows, the kernel drops some and says so once (ENOBUFS). Then the
listener has to ask for the present state again: ``read_links`` and ``AddressPort.held``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterator
from collections.abc import Sequence

from pyroute2.netlink import NLM_F_DUMP
from pyroute2.netlink.rtnl import RTM_DELADDR
from pyroute2.netlink.rtnl import RTM_DELLINK
from pyroute2.netlink.rtnl import RTM_GETLINK
from pyroute2.netlink.rtnl import RTM_NEWADDR
from pyroute2.netlink.rtnl import RTM_NEWLINK
from pyroute2.netlink.rtnl import RTMGRP_IPV4_IFADDR
from pyroute2.netlink.rtnl import RTMGRP_IPV6_IFADDR
from pyroute2.netlink.rtnl import RTMGRP_LINK
from pyroute2.netlink.rtnl.ifinfmsg import IFF_LOWER_UP
from pyroute2.netlink.rtnl.ifinfmsg import IFF_RUNNING
from pyroute2.netlink.rtnl.ifinfmsg import IFF_UP
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from wsa_proxy.net.addresses import LEASE_S
from wsa_proxy.net.netlink import ADDRESS_BYTES
from wsa_proxy.net.netlink import HEADER_BYTES
from wsa_proxy.net.netlink import IFA_CACHEINFO
from wsa_proxy.net.netlink import Message
from wsa_proxy.net.netlink import RouteSocket
from wsa_proxy.net.netlink import attributes
from wsa_proxy.net.netlink import decode_address
from wsa_proxy.net.netlink import encode
from wsa_proxy.net.ports import AddressChanged
from wsa_proxy.net.ports import KernelChange
from wsa_proxy.net.ports import LinkChanged
from wsa_proxy.net.raw_socket import ACCEPT_WHOLE
from wsa_proxy.net.raw_socket import INDEX_IS_LOADED
from wsa_proxy.net.raw_socket import REJECT
from wsa_proxy.net.raw_socket import Instruction
from wsa_proxy.net.raw_socket import find_attribute
from wsa_proxy.net.raw_socket import load_half
from wsa_proxy.net.raw_socket import load_word_at_index
from wsa_proxy.net.raw_socket import skip

MESSAGES_PER_TURN_MAX = 256  # what is left stays queued and wakes the loop again

# Administratively up, carrier, and operational: a port that waits for 802.1X has the first two only.
_RUNNING = IFF_UP | IFF_LOWER_UP | IFF_RUNNING
_LINK = struct.Struct("=BxxxiI4x")  # struct ifinfomsg: family, type, interface, flags, changed flags
_IFLA_ADDRESS, _IFLA_IFNAME = 1, 3  # linux/if_link.h
_RTEXT_FILTER_SKIP_STATS = 8  # linux/rtnetlink.h: leave the counters out of the answer


class KernelChanges:
    """The KernelMonitor of this host."""

    def __init__(self, *, tell_leases: bool = True) -> None:
        """Joins the groups, so everything that happens from now on is told. Raises OSError.

        Without ``tell_leases`` the kernel keeps the beginning and the renewals of leases like ours to itself (their end
        is told): 255 groups renew 1,020 times a second, and each time it would wake the proxy's loop.
        """
        program = () if tell_leases else lease_filter()
        self._route = RouteSocket(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR, program)
        try:
            self._names = {link.index: link.name for link in read_links()}
        except BaseException:
            self._route.close()
            raise

    def fileno_list(self) -> list[int]:
        return [self._route.fileno()]

    def receive(self) -> Sequence[KernelChange]:
        """As the contract says. A renewal of a lease is told as an address that is present.

        When the kernel dropped messages, what came before is lost to the caller, too: he reads everything again.
        """
        try:
            return [change for message in self._route.queued(MESSAGES_PER_TURN_MAX) for change in self._read(message)]
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                # The names would be stale as well; those that cannot be read now are put right by the next news.
                with contextlib.suppress(OSError):
                    self._names = {link.index: link.name for link in read_links()}
                text = "the kernel dropped link or address changes; read the present state again"
                raise OSError(errno.ENOBUFS, text) from error
            raise

    def close(self) -> None:
        self._route.close()

    def _read(self, message: Message) -> Iterator[KernelChange]:
        if message.type in (RTM_NEWADDR, RTM_DELADDR):
            entry = decode_address(message)
            if entry is not None:
                present = message.type == RTM_NEWADDR
                yield AddressChanged(entry.index, entry.address, present, entry.permanent)
        elif message.type in (RTM_NEWLINK, RTM_DELLINK):
            yield from self._read_link(message)

    def _read_link(self, message: Message) -> Iterator[LinkChanged]:
        link = _decode_link(message)
        if link is None:
            return
        former = self._names.pop(link.index, link.name)
        if message.type == RTM_DELLINK:
            yield LinkChanged(link.name, 0, False)
            return
        if former != link.name:  # renamed: who knows it by its former name has lost it
            yield LinkChanged(former, 0, False)
        self._names[link.index] = link.name
        yield link


def lease_filter() -> list[Instruction]:
    """Everything but RTM_NEWADDR with a host prefix and exactly our lifetime.

    A filter reads numbers in network order where the kernel wrote them in the host's, hence ``_swapped``.
    """
    return [
        load_half(4),  # the type of the message
        skip(_swapped("=H", RTM_NEWADDR), 0, 11),
        load_half(HEADER_BYTES),  # family and prefix length
        skip(socket.AF_INET << 8 | 32, 1, 0),
        skip(socket.AF_INET6 << 8 | 128, 0, 8),
        *find_attribute(HEADER_BYTES + ADDRESS_BYTES, IFA_CACHEINFO),
        skip(0, 4, 0),  # there is none
        INDEX_IS_LOADED,
        load_word_at_index(8),  # behind the attribute's own header and the preferred lifetime: the valid one
        skip(_swapped("=I", LEASE_S), 0, 1),
        REJECT,
        ACCEPT_WHOLE,
    ]


def _swapped(layout: str, number: int) -> int:
    return int.from_bytes(struct.pack(layout, number))


def read_links() -> list[LinkChanged]:
    """The interfaces of this host as they are now. Raises OSError."""
    request = ifinfmsg()
    request["attrs"] = [("IFLA_EXT_MASK", _RTEXT_FILTER_SKIP_STATS)]
    with RouteSocket() as route:
        answers = route.dump(encode(request, RTM_GETLINK, NLM_F_DUMP))
    links = [_decode_link(answer) for answer in answers if answer.type == RTM_NEWLINK]
    return [link for link in links if link is not None]


def _decode_link(message: Message) -> LinkChanged | None:
    if len(message.data) < HEADER_BYTES + _LINK.size:
        return None
    family, index, flags = _LINK.unpack_from(message.data, HEADER_BYTES)
    if family != socket.AF_UNSPEC:
        # A bridge reports a port that leaves it as a deleted link of family AF_BRIDGE; the interface stays.
        return None
    found = attributes(message.data, HEADER_BYTES + _LINK.size)
    name = found.get(_IFLA_IFNAME)
    if not name:
        return None
    mac = found.get(_IFLA_ADDRESS, b"").hex(":")
    return LinkChanged(os.fsdecode(name.rstrip(b"\0")), index, flags & _RUNNING == _RUNNING, mac)
