"""The virtual MAC of one virtual host: a macvlan on the physical interface (the parent), which carries the addresses.

The kernel answers ARP and neighbour solicitations for an address of the macvlan with the macvlan's hardware address,
00:00:5e:00:01:ID as the BSDs, so the neighbours keep their entries when another node takes over; only the switch has to
learn a new port, from the first advertisement.

Because of that port a backup must never send from the virtual MAC: the switch would give it the master's traffic. The
macvlan is down except while MASTER, and even then the kernel says nothing of its own accord:

- no link-local address is made, so there is no duplicate address detection and no router solicitation;
- router advertisements are ignored, so there are no routes through the macvlan and no other addresses on it;
- MLD reports, which the kernel sends a second or later after an address came *or went* (also when a lease ends, long
  after we were killed), are sent to the macvlan itself: the groups' entries in its neighbour table are permanent ones
  with the virtual MAC, and a macvlan's frames to itself do not leave the host. The parent is a member of these groups
  instead, and tells the snooping switches so with its own hardware address.

Promotion is addresses, ``up``, advertisement, announcement; demotion is ``down``, then the addresses.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Collection
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any

from pyroute2.netlink import NLM_F_ACK
from pyroute2.netlink import NLM_F_CREATE
from pyroute2.netlink import NLM_F_EXCL
from pyroute2.netlink import NLM_F_REPLACE
from pyroute2.netlink.rtnl import RTM_DELADDR
from pyroute2.netlink.rtnl import RTM_DELLINK
from pyroute2.netlink.rtnl import RTM_GETLINK
from pyroute2.netlink.rtnl import RTM_NEWLINK
from pyroute2.netlink.rtnl import RTM_NEWNEIGH
from pyroute2.netlink.rtnl import RTM_SETLINK
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import IFF_UP
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import NUD_PERMANENT
from pyroute2.netlink.rtnl.ndmsg import ndmsg

from wsa_proxy.net.interface_settings import ARP_ANNOUNCE_BEST
from wsa_proxy.net.interface_settings import ARP_IGNORE_OTHERS
from wsa_proxy.net.interface_settings import RP_FILTER_OFF
from wsa_proxy.net.interface_settings import Setting
from wsa_proxy.net.interface_settings import ignore_router_advertisements
from wsa_proxy.net.interface_settings import make_no_link_local
from wsa_proxy.net.interface_settings import set_ipv4
from wsa_proxy.net.netlink import RouteSocket
from wsa_proxy.net.netlink import encode
from wsa_proxy.net.netlink import encode_acknowledged
from wsa_proxy.net.netlink import read_addresses
from wsa_proxy.net.ports import Address
from wsa_proxy.net.solicited_node import solicited_node

VIRTUAL_MAC_PREFIX = "00:00:5e:00:01:"
_KIND = "macvlan"
# "private" would swallow every multicast frame that comes from our own MAC: two masters would not hear each other.
_MODE = "bridge"
# Where MLD reports go: all routers that speak version 2, and all routers (the "done" of version 1).
_MLD_ROUTERS = (IPv6Address("ff02::16"), IPv6Address("ff02::2"))

# How the kernel refuses an IPv6 neighbour where it has no IPv6, or where that is disabled: there is no MLD, either.
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EINVAL)

# The host's other addresses are not answered with the virtual MAC; the way back to a client leads through the parent.
_OWN_SETTINGS = {
    Setting.ARP_IGNORE: ARP_IGNORE_OTHERS,
    Setting.ARP_ANNOUNCE: ARP_ANNOUNCE_BEST,
    Setting.RP_FILTER: RP_FILTER_OFF,
}
# The virtual address is neither answered with the parent's hardware address nor named by it in a question.
_PARENT_SETTINGS = {Setting.ARP_IGNORE: ARP_IGNORE_OTHERS, Setting.ARP_ANNOUNCE: ARP_ANNOUNCE_BEST}


@dataclass(frozen=True, slots=True)
class _Link:
    """An interface as the kernel describes it."""

    index: int
    up: bool
    kind: str
    """Empty for hardware."""
    mode: str
    """Of a macvlan."""
    mac: str
    lower: int
    """Index of the interface below; 0 without one."""


def virtual_mac(vhid: int) -> str:
    """The hardware address that all nodes of a virtual host share (carp(4), RFC 9568 7.3)."""
    return f"{VIRTUAL_MAC_PREFIX}{vhid:02x}"


def interface_name(vhid: int) -> str:
    """Of the macvlan, whatever its parent is."""
    return f"carp{vhid}"


class VirtualInterface:
    """The macvlan ``carp<ID>`` of one virtual host. A re-created parent needs a new one."""

    def __init__(self, parent: str, parent_index: int, vhid: int, addresses: Sequence[Address] = ()) -> None:
        """Opens its netlink socket; nothing is made yet. ``addresses``: what it will carry. Raises OSError."""
        self.name = interface_name(vhid)
        self.mac = virtual_mac(vhid)
        self.index = 0
        """For AddressLease; 0 until it was created. A new one has another index."""
        self._parent = parent
        self._parent_index = parent_index
        self._groups = sorted({solicited_node(each) for each in addresses if isinstance(each, IPv6Address)})
        self._entries: list[bytes] = []
        self._member: socket.socket | None = None
        self._route = RouteSocket()

    def create(self) -> list[str]:
        """Make the macvlan, or adopt what an earlier life left; it is down and without addresses afterwards.

        Answers sentences about what could not be set, for the log. Raises OSError and says what to do.
        """
        found = self._read(name=self.name)
        if found is not None and not self._is_ours(found):
            self._refuse(found)
        if found is not None and (found.mode != _MODE or found.lower != self._lower()):
            self._request("remove", _encode_link(found.index, RTM_DELLINK))
            found = None
        if found is None:
            self._request("make", self._encode_new())
            found = self._read(name=self.name)
            if found is None:
                raise OSError(errno.ENODEV, f"{self.name} was removed while it was made")
        self.index = found.index
        self._entries = [self._encode_entry(group) for group in (*_MLD_ROUTERS, *self._groups)]
        self.down()
        self._flush()
        return self._set_up()

    def adopt(self) -> bool:
        """Only look for what an earlier life left, for ``remove``; whether there is any. Raises OSError."""
        found = self._read(name=self.name)
        if found is not None and self._is_ours(found):
            self.index = found.index
        return self.index != 0

    def up(self) -> None:
        """The node is MASTER: receive and answer with the virtual MAC. Raises OSError."""
        # Setting an interface down empties its neighbour table, so the MLD reports are turned round each time.
        self._request("keep the MLD reports of", *self._entries, harmless=_NO_IPV6)
        self._request("set up", _encode_link(self.index, RTM_SETLINK, IFF_UP))

    def down(self) -> None:
        """From now on nothing leaves with the virtual MAC; harmless when it is down or gone. Raises OSError."""
        if self.index:
            self._request("set down", _encode_link(self.index, RTM_SETLINK, 0), harmless=(errno.ENODEV,))

    def remove(self) -> None:
        """Take it away with all that it carries; harmless when it is gone. Raises OSError."""
        if self.index:
            self._request("remove", _encode_link(self.index, RTM_DELLINK), harmless=(errno.ENODEV,))
        self.index = 0

    def close(self) -> None:
        """Leave the groups and close the descriptors; the macvlan stays. Harmless when repeated."""
        if self._member is not None:
            self._member.close()
        self._member = None
        self._route.close()

    def _is_ours(self, found: _Link) -> bool:
        return found.kind == _KIND and found.mac == self.mac

    def _refuse(self, found: _Link) -> None:
        kind = found.kind or "physical"
        raise OSError(
            errno.EEXIST,
            f"{self.name} is a {kind} interface with the hardware address {found.mac}, so it is not ours to use; rename"
            f" or remove it (ip link delete {self.name}), or take another Failover Group ID",
        )

    def _lower(self) -> int:
        """What the kernel puts our macvlan on: the parent, or if that is a macvlan itself, what that is on."""
        parent = self._read(index=self._parent_index)
        return parent.lower if parent is not None and parent.kind == _KIND else self._parent_index

    def _set_up(self) -> list[str]:
        """The settings and memberships; the macvlan is down."""
        make_no_link_local(self._route, self.name, self.index)
        set_ipv4(self._route, self.name, self.index, _OWN_SETTINGS)
        set_ipv4(self._route, self._parent, self._parent_index, _PARENT_SETTINGS)
        if self._groups and self._member is None:
            self._member = _join(self._parent, self._parent_index, self._groups)
        return ignore_router_advertisements(self.name)

    def _flush(self) -> None:
        """What it still carries is of an earlier life: nobody else puts an address there."""
        for entry in read_addresses(self._route, self.index):
            message = ifaddrmsg()
            message["family"] = socket.AF_INET if entry.address.version == 4 else socket.AF_INET6
            message["prefixlen"] = entry.prefix_length
            message["index"] = self.index
            message["attrs"] = [("IFA_LOCAL", str(entry.address)), ("IFA_ADDRESS", str(entry.address))]
            request = encode_acknowledged(message, RTM_DELADDR)
            self._request(f"remove {entry.address} from", request, harmless=(errno.EADDRNOTAVAIL,))

    def _encode_new(self) -> bytes:
        mode = ("IFLA_INFO_DATA", {"attrs": [("IFLA_MACVLAN_MODE", _MODE)]})
        message = ifinfmsg()
        message["attrs"] = [
            ("IFLA_IFNAME", self.name),
            ("IFLA_LINK", self._parent_index),
            ("IFLA_ADDRESS", self.mac),
            ("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", _KIND), mode]}),
        ]
        return encode_acknowledged(message, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL)

    def _encode_entry(self, group: IPv6Address) -> bytes:
        message = ndmsg()
        message["family"] = socket.AF_INET6
        message["ifindex"] = self.index
        message["state"] = NUD_PERMANENT
        message["attrs"] = [("NDA_DST", str(group)), ("NDA_LLADDR", self.mac)]
        return encode_acknowledged(message, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE)

    def _read(self, index: int = 0, name: str = "") -> _Link | None:
        """One interface by its index or name; None when there is none."""
        request = ifinfmsg()
        request["index"] = index
        if name:
            request["attrs"] = [("IFLA_IFNAME", name)]
        try:
            # Not a dump: the kernel answers with one message and an acknowledgement, which ends the reading as well.
            answers = self._route.dump(encode(request, RTM_GETLINK, NLM_F_ACK))
        except OSError as error:
            if error.errno == errno.ENODEV:
                return None
            raise
        return _decode_link(answers[0].data)

    def _request(self, verb: str, *messages: bytes, harmless: Collection[int] = ()) -> None:
        for result in self._route.request(messages):
            if result and result not in harmless:
                raise OSError(result, f"cannot {verb} {self.name} on {self._parent}: {self._meaning(result)}")

    def _meaning(self, number: int) -> str:
        text = f"{os.strerror(number)} ({errno.errorcode.get(number, number)})"
        hints = {
            errno.EPERM: "; the process needs CAP_NET_ADMIN",
            errno.EADDRINUSE: f"; another macvlan of {self._parent} has the hardware address {self.mac}: another"
            " wsa-proxy or keepalived of this host uses the same id",
            errno.EBUSY: f"; is {self._parent} a port of a bridge or bond? Then take the bridge or bond as interface",
            errno.EOPNOTSUPP: "; the kernel has no macvlan: use mac: interface",
        }
        return text + hints.get(number, "")


def _encode_link(index: int, message_type: int, flags: int | None = None) -> bytes:
    """A request about an interface; ``flags``: whether it is to be up."""
    message = ifinfmsg()
    message["index"] = index
    if flags is not None:
        message["flags"] = flags
        message["change"] = IFF_UP
    return encode_acknowledged(message, message_type)


def _decode_link(data: bytes) -> _Link:
    decoded: Any = ifinfmsg(data)
    decoded.decode()
    information = decoded.get_attr("IFLA_LINKINFO")
    details = information.get_attr("IFLA_INFO_DATA") if information else None
    return _Link(
        index=decoded["index"],
        up=bool(decoded["flags"] & IFF_UP),
        kind=(information.get_attr("IFLA_INFO_KIND") or "") if information else "",
        mode=(details.get_attr("IFLA_MACVLAN_MODE") or "") if details and hasattr(details, "get_attr") else "",
        mac=decoded.get_attr("IFLA_ADDRESS") or "",
        lower=decoded.get_attr("IFLA_LINK") or 0,
    )


def _join(interface: str, index: int, groups: Sequence[IPv6Address]) -> socket.socket:
    """A socket that is a member of the groups and receives nothing."""
    member = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    try:
        for group in groups:
            member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, struct.pack("=16si", group.packed, index))
    except OSError as error:
        member.close()
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise OSError(error.errno, f"cannot join {group} on {interface}: {reason}; is IPv6 disabled there?") from error
    return member
