"""The settings of an interface (sysctl net.ipv4.conf.NAME and net.ipv6.conf.NAME) that a virtual address needs.

Those of IPv4 are set through netlink, since /proc/sys may be read-only. For IPv6 the kernel takes only the way in which
link-local addresses are made; the rest is written to /proc/sys, and who calls is told when that is refused.
What is set on a physical interface is not put back at the end: another group may need it, and a killed process could
not do it anyway.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path

from pyroute2.netlink.rtnl import RTM_SETLINK
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from wsa_proxy.net.netlink import RouteSocket
from wsa_proxy.net.netlink import encode_acknowledged


class Setting(IntEnum):
    """Settings of IPv4 by their numbers in linux/ip.h."""

    RP_FILTER = 8
    ARP_ANNOUNCE = 18
    ARP_IGNORE = 19


# Values, from the kernel's ip-sysctl.rst.
RP_FILTER_OFF = 0  # take packets whose way back is another interface
RP_FILTER_STRICT = 1
ARP_ANNOUNCE_BEST = 2  # ask for neighbours with an address of the interface that asks, never another one
ARP_IGNORE_OTHERS = 1  # answer only for addresses of the interface that was asked

# From linux/if_link.h.
_IFLA_AF_SPEC = 26
_IFLA_INET_CONF = 1
_IFLA_INET6_ADDR_GEN_MODE = 8
_ADDR_GEN_MODE_NONE = 1

_ALL_IPV4 = Path("/proc/sys/net/ipv4/conf/all")
_ACCEPT_RA = "/proc/sys/net/ipv6/conf/{interface}/accept_ra"


def set_ipv4(route: RouteSocket, interface: str, index: int, values: Mapping[Setting, int]) -> None:
    """Set some settings of IPv4 on one interface. Raises OSError that names them."""
    # pyroute2 writes all 30 settings of an interface or none; the kernel takes any of them in this nesting.
    settings = b"".join(attribute(setting, struct.pack("=I", value)) for setting, value in values.items())
    result = _set_link(route, index, attribute(socket.AF_INET, attribute(_IFLA_INET_CONF, settings)))
    if result:
        names = ", ".join(setting.name.lower() for setting in values)
        raise OSError(result, f"cannot set {names} on {interface}: {_meaning(result)}")


def make_no_link_local(route: RouteSocket, interface: str, index: int) -> None:
    """Let the kernel make no link-local address there: with it, an interface that comes up talks. Raises OSError."""
    mode = attribute(_IFLA_INET6_ADDR_GEN_MODE, struct.pack("=B", _ADDR_GEN_MODE_NONE))
    result = _set_link(route, index, attribute(socket.AF_INET6, mode))
    if result not in (0, errno.EAFNOSUPPORT):  # a kernel without IPv6 makes none anyway
        raise OSError(result, f"cannot set addrgenmode none on {interface}: {_meaning(result)}")


def ignore_router_advertisements(interface: str) -> list[str]:
    """Take neither routes nor addresses from routers there; answers a sentence when that is refused, else nothing."""
    setting = Path(_ACCEPT_RA.format(interface=interface))
    try:
        if setting.read_text().strip() != "0":
            setting.write_text("0\n")
    except FileNotFoundError:
        return []  # no IPv6, no routers
    except OSError as error:
        reason = error.strerror or str(error)
        name = f"net.ipv6.conf.{interface}.accept_ra"
        return [
            f"cannot set {name} to 0 ({reason}): as MASTER this host takes a default route and addresses on {interface}"
            f" from a router's advertisement; set net.ipv6.conf.default.accept_ra=0 before the start"
        ]
    return []


def settings_in_the_way() -> list[str]:
    """What the host has set for all interfaces that no interface can undo, each with the way out; for ``check``.

    The kernel takes the greater of the two values, the interface's and the one for all.
    """
    found = []
    if _value_for_all("rp_filter") == RP_FILTER_STRICT:
        found.append(
            "net.ipv4.conf.all.rp_filter is 1 (strict): the kernel drops what comes in for a virtual IP on its own"
            " interface; set it to 0, or to 2 (loose): sysctl -w net.ipv4.conf.all.rp_filter=0"
        )
    if (arp_ignore := _value_for_all("arp_ignore")) > ARP_IGNORE_OTHERS:
        found.append(
            f"net.ipv4.conf.all.arp_ignore is {arp_ignore}: the kernel does not answer for a virtual IP, which has no"
            " subnet of its own; set it to 1 or 0: sysctl -w net.ipv4.conf.all.arp_ignore=1"
        )
    return found


def attribute(attribute_type: int, payload: bytes) -> bytes:
    """One netlink attribute, padded as the kernel wants it; nested ones are payloads of the outer."""
    padding = -len(payload) % 4
    return struct.pack("=HH", 4 + len(payload), attribute_type) + payload + bytes(padding)


def _set_link(route: RouteSocket, index: int, family: bytes) -> int:
    request = ifinfmsg()
    request["index"] = index
    message = bytearray(encode_acknowledged(request, RTM_SETLINK) + attribute(_IFLA_AF_SPEC, family))
    struct.pack_into("=I", message, 0, len(message))
    return route.request([bytes(message)])[0]


def _value_for_all(name: str) -> int:
    try:
        return int((_ALL_IPV4 / name).read_text())
    except (OSError, ValueError):
        return 0  # not readable: then nothing is known that would be in the way


def _meaning(number: int) -> str:
    text = f"{os.strerror(number)} ({errno.errorcode.get(number, number)})"
    return f"{text}; the process needs CAP_NET_ADMIN" if number == errno.EPERM else text
