"""The two rights of root's that a node needs, and what to do where one is missing.

The kernel is asked, not the bits of the process: in a container they say what it may do in a network of its own, which
need not be the one that it is in.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Collection
from enum import Enum

from pyroute2.netlink.rtnl import RTM_DELADDR
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg

from wsa_proxy.net.netlink import RouteSocket
from wsa_proxy.net.netlink import encode_acknowledged

NO_INTERFACE = 2**31 - 1


class Right(Enum):
    """A capability, and what it is needed for, whatever a group's settings are."""

    NET_ADMIN = "CAP_NET_ADMIN (it adds and removes the virtual IPs and their interfaces)"
    NET_RAW = "CAP_NET_RAW (it sends and hears advertisements, ARP and neighbour discovery)"


BOTH = (Right.NET_ADMIN, Right.NET_RAW)


class RightsMissing(PermissionError):
    """The process has not got them; the text says which, what for, and how to give them."""

    def __init__(self, missing: Collection[Right]) -> None:
        what = " and ".join(right.value for right in missing)
        super().__init__(errno.EPERM, f"the process lacks {what}: {_CURE}")


_CURE = (
    "give it AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW in its unit, as configs/wsa-proxy@.service does, or start it"
    " as root with: setpriv --reuid USER --regid USER --init-groups --inh-caps +net_admin,+net_raw"
    " --ambient-caps +net_admin,+net_raw COMMAND"
)  # setcap on the interpreter would give them to every script


def require(wanted: Collection[Right] = BOTH) -> None:
    """Raises RightsMissing, or OSError when the kernel cannot be asked."""
    missing = [right for right in wanted if not _HAS[right]()]
    if missing:
        raise RightsMissing(missing)


def _may_write_addresses() -> bool:
    """Of an interface that there is not: who may is told so, who may not is told that first."""
    message = ifaddrmsg()
    message["family"] = socket.AF_INET
    message["index"] = NO_INTERFACE
    with RouteSocket() as route:
        return route.request([encode_acknowledged(message, RTM_DELADDR)]) != [errno.EPERM]


def _may_speak_raw() -> bool:
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()  # 0: hears nothing
    except PermissionError:
        return False
    return True


_HAS = {Right.NET_ADMIN: _may_write_addresses, Right.NET_RAW: _may_speak_raw}
