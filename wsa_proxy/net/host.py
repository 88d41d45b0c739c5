"""The facts of this host that a configuration is judged by: its interfaces and their addresses, read once.

The configuration is read inside mitmproxy's running event loop, by a hook that cannot await, where pyroute2's
synchronous class refuses to work. So two dumps are asked through ``netlink.RouteSocket``, which
waits for nothing. Their addresses are decoded here: ``netlink.read_addresses`` leaves out the other end of a
point-to-point link, and with it the network that is reached through it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Interface
from ipaddress import IPv4Network
from ipaddress import IPv6Interface
from ipaddress import IPv6Network
from ipaddress import ip_address
from ipaddress import ip_interface
from typing import Any

from pyroute2.netlink import NLM_F_DUMP
from pyroute2.netlink.rtnl import RTM_GETADDR
from pyroute2.netlink.rtnl import RTM_GETLINK
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import IFF_LOOPBACK
from pyroute2.netlink.rtnl.ifinfmsg import IFF_LOWER_UP
from pyroute2.netlink.rtnl.ifinfmsg import IFF_UP
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from wsa_proxy.net.interface_settings import settings_in_the_way
from wsa_proxy.net.netlink import FOREVER_S
from wsa_proxy.net.netlink import RouteSocket
from wsa_proxy.net.netlink import encode
from wsa_proxy.net.ports import Address

ARPHRD_ETHER = 1  # linux/if_arp.h


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
    in_the_way: tuple[str, ...] = ()
    """What keeps a virtual MAC from working, each as a sentence with the way out."""
    source_towards: Callable[[Address], Address | None] = lambda _: None
    """The address that the kernel would speak from to another host, which tells the way it would take; None: no way."""


def read_host() -> HostFacts:
    """Ask the kernel now. Works with and without a running event loop. Raises OSError when the kernel refuses."""
    with RouteSocket() as route:
        links = _dump(route, RTM_GETLINK, ifinfmsg)
        addresses = _dump(route, RTM_GETADDR, ifaddrmsg)
    by_index: dict[int, list[AddressFacts]] = {}
    for message in addresses:
        by_index.setdefault(message["index"], []).append(_address(message))
    interfaces = (_interface(message, tuple(by_index.get(message["index"], ()))) for message in links)
    ordered = sorted(interfaces, key=lambda interface: interface.index)
    return HostFacts(tuple(ordered), tuple(settings_in_the_way()), source_towards)


def source_towards(address: Address) -> Address | None:
    """Asks the routing table of this moment; no packet leaves."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asked:
            asked.connect((str(address), 9))
            return ip_address(asked.getsockname()[0].partition("%")[0])
    except OSError:
        return None


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
    valid_s = cache["ifa_valid"] if cache else FOREVER_S
    return AddressFacts(
        address=ip_interface(f"{local}/{prefix}"),
        network=ip_interface(f"{other or local}/{prefix}").network,
        valid_s=None if valid_s == FOREVER_S else valid_s,
    )


def _dump(route: RouteSocket, request_type: int, message_class: type[Any]) -> list[Any]:
    """One dump about every interface, decoded. Raises OSError."""
    answers = route.dump(encode(message_class(), request_type, NLM_F_DUMP))
    messages = [message_class(answer.data) for answer in answers]
    for message in messages:
        message.decode()
    return messages
