"""The facts of this host that a configuration is judged by: its interfaces and their addresses, read once.

The configuration is read inside mitmproxy's running event loop, by a hook that cannot await, where pyroute2's
synchronous class refuses to work (design.md decision 8). So two dumps are asked on a plain netlink socket; pyroute2's
message classes, which need no loop, do the decoding. The kernel answers inside the send call: nothing here waits.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface
from ipaddress import IPv4Network
from ipaddress import IPv6Interface
from ipaddress import IPv6Network
from ipaddress import ip_interface
from typing import Any

from pyroute2.netlink import NLM_F_DUMP
from pyroute2.netlink import NLM_F_DUMP_INTR
from pyroute2.netlink import NLM_F_REQUEST
from pyroute2.netlink import NLMSG_DONE
from pyroute2.netlink import NLMSG_ERROR
from pyroute2.netlink.rtnl import RTM_GETADDR
from pyroute2.netlink.rtnl import RTM_GETLINK
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

ARPHRD_ETHER = 1  # linux/if_arp.h
IFF_UP = 0x1  # linux/if.h
IFF_LOOPBACK = 0x8
IFF_LOWER_UP = 0x10000
LIFETIME_FOREVER_S = 0xFFFFFFFF  # INFINITY_LIFE_TIME, net/addrconf.h

HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port id
DUMP_TIMEOUT_S = 2.0  # the answer is there when send returns; the limit is for a kernel that is broken
DUMP_ATTEMPTS_MAX = 5  # a dump during which something changed is marked by the kernel, and asked again
DATAGRAM_BYTES_MAX = 1 << 20  # the kernel fills at most 32 KiB per answer


@dataclass(frozen=True, slots=True)
class AddressFacts:
    """One address on one interface."""

    address: IPv4Interface | IPv6Interface
    """The local address with its prefix."""
    network: IPv4Network | IPv6Network
    """What is reached directly through it; differs from the address's own network on point-to-point links."""
    valid_s: int | None = None
    """Seconds until the kernel removes it; None for a permanent one."""

    @property
    def permanent(self) -> bool:
        """No finite lifetime: it is not a lease, hence not ours."""
        return self.valid_s is None


@dataclass(frozen=True, slots=True)
class InterfaceFacts:
    """One network interface."""

    name: str
    index: int
    mac: str
    """``aa:bb:cc:dd:ee:ff``; empty when it is not Ethernet (loopback, tunnels)."""
    up: bool
    """Administratively up."""
    carrier: bool
    """The cable is in: frames can leave when it is up, too."""
    loopback: bool
    addresses: tuple[AddressFacts, ...]


@dataclass(frozen=True, slots=True)
class HostFacts:
    """All interfaces of this network namespace, by index."""

    interfaces: tuple[InterfaceFacts, ...]


def read_host() -> HostFacts:
    """Ask the kernel now. Works with and without a running event loop. Raises OSError when the kernel refuses."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.settimeout(DUMP_TIMEOUT_S)
        netlink.bind((0, 0))
        links = _dump(netlink, RTM_GETLINK, ifinfmsg)
        addresses = _dump(netlink, RTM_GETADDR, ifaddrmsg)
    by_index: dict[int, list[AddressFacts]] = {}
    for message in addresses:
        by_index.setdefault(message["index"], []).append(_address(message))
    interfaces = (_interface(message, tuple(by_index.get(message["index"], ()))) for message in links)
    return HostFacts(tuple(sorted(interfaces, key=lambda interface: interface.index)))


def _interface(message: Any, addresses: tuple[AddressFacts, ...]) -> InterfaceFacts:
    flags = message["flags"]
    return InterfaceFacts(
        name=message.get_attr("IFLA_IFNAME"),
        index=message["index"],
        mac=message.get_attr("IFLA_ADDRESS") or "" if message["ifi_type"] == ARPHRD_ETHER else "",
        up=bool(flags & IFF_UP),
        carrier=bool(flags & IFF_LOWER_UP),
        loopback=bool(flags & IFF_LOOPBACK),
        addresses=addresses,
    )


def _address(message: Any) -> AddressFacts:
    # On a point-to-point link IFA_ADDRESS is the other end and IFA_LOCAL ours; elsewhere both are ours (if_addr.h).
    other = message.get_attr("IFA_ADDRESS")
    local = message.get_attr("IFA_LOCAL") or other
    prefix = message["prefixlen"]
    cache = message.get_attr("IFA_CACHEINFO")
    valid_s = cache["ifa_valid"] if cache else LIFETIME_FOREVER_S
    return AddressFacts(
        address=ip_interface(f"{local}/{prefix}"),
        network=ip_interface(f"{other or local}/{prefix}").network,
        valid_s=None if valid_s == LIFETIME_FOREVER_S else valid_s,
    )


def _dump(netlink: socket.socket, request: int, message_class: type[Any]) -> list[Any]:
    """One complete dump, decoded. Raises OSError: the kernel's, or TimeoutError."""
    body = bytes(16)  # an all-zero ifinfomsg (16 bytes) or ifaddrmsg (8, the rest is ignored): of every family
    header_bytes = HEADER.pack(HEADER.size + len(body), request, NLM_F_REQUEST | NLM_F_DUMP, 1, 0)
    for _attempt in range(DUMP_ATTEMPTS_MAX):
        netlink.send(header_bytes + body)
        messages: list[Any] = []
        consistent = True
        for flags, raw in _answers(netlink):
            consistent = consistent and not flags & NLM_F_DUMP_INTR
            message = message_class(raw)
            message.decode()
            messages.append(message)
        if consistent:
            return messages
    raise OSError("the interfaces of this host change faster than they can be read")


def _answers(netlink: socket.socket) -> Iterator[tuple[int, bytes]]:
    """(flags, message with its header) of one dump, up to the kernel's end mark."""
    while True:
        datagram = netlink.recv(DATAGRAM_BYTES_MAX)
        offset = 0
        while offset + HEADER.size <= len(datagram):
            length, kind, flags, _sequence, _port = HEADER.unpack_from(datagram, offset)
            if kind == NLMSG_DONE:
                return
            if kind == NLMSG_ERROR:
                code = -struct.unpack_from("=i", datagram, offset + HEADER.size)[0]
                raise OSError(code, os.strerror(code))
            yield flags, datagram[offset : offset + length]
            offset += (length + 3) & ~3  # NLMSG_ALIGN
