"""The virtual addresses as a lease: the kernel removes them by itself when nobody renews them.

If the process is killed, frozen or wedged, the addresses are gone a second later (measured: 1.0 to 1.3 s), before a
backup's master-down deadline of three seconds and more. The kernel looks for ended lifetimes at most once a second: if
another address of the host gets a new lifetime in the lease's last moments, it ends up to a second later, 2.3 s in all.
The lease does not cover advertisement intervals below 1 s.

A host address (/32, /128) with a lifetime of a minute at most is ours: held now, or left over from an earlier life. A
permanent one, or one that DHCP gave, is somebody else's, and we refuse to touch it.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from ipaddress import IPv6Address
from typing import Protocol

from pyroute2.netlink import NLM_F_CREATE
from pyroute2.netlink import NLM_F_REPLACE
from pyroute2.netlink.rtnl import RTM_DELADDR
from pyroute2.netlink.rtnl import RTM_NEWADDR
from pyroute2.netlink.rtnl.ifaddrmsg import IFA_F_NODAD
from pyroute2.netlink.rtnl.ifaddrmsg import IFA_F_NOPREFIXROUTE
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg

from wsa_proxy.net.interface_settings import ARP_ANNOUNCE_BEST
from wsa_proxy.net.interface_settings import ARP_IGNORE_OTHERS
from wsa_proxy.net.interface_settings import Setting
from wsa_proxy.net.interface_settings import set_ipv4
from wsa_proxy.net.netlink import HostAddress
from wsa_proxy.net.netlink import RouteSocket
from wsa_proxy.net.netlink import encode_acknowledged
from wsa_proxy.net.netlink import read_addresses
from wsa_proxy.net.ports import Address
from wsa_proxy.net.ports import AddressPort
from wsa_proxy.net.ports import Fence

LEASE_S = 1
"""The kernel's lifetime of a virtual address, in the whole seconds it counts in; renew it several times within.

Not 2: the kernel's timers are rounded up to an eighth of their length, and 2 s then lasted up to 2.4 s.
"""
LOOPBACK = 1  # the index of lo in every network namespace (LOOPBACK_IFINDEX of the kernel)

_INDEX_OFFSET = 20  # after struct nlmsghdr: family, prefix length, flags, scope, then the index (struct ifaddrmsg)
_ADD_OR_PROLONG = NLM_F_CREATE | NLM_F_REPLACE  # the same request does both
_GONE = (errno.EADDRNOTAVAIL, errno.ENODEV)  # an address that is not there, or whose interface is gone, is removed


class AddressWriter(Protocol):
    """Who alone adds virtual addresses; ``guarding.py``. One errno for each message, 0 where it worked."""

    def hold(self, vhid: int, adds: Sequence[bytes], removals: Sequence[bytes]) -> list[int]:
        """Add, and from now on prolong on each beat; all or none. Raises OSError."""

    def beat(self, vhids: Sequence[int]) -> Mapping[int, list[int]]:
        """Prolong what these groups hold; the errnos of those where it did not work. Raises OSError."""

    def release(self, vhid: int, removals: Sequence[bytes]) -> list[int]:
        """Remove. Raises OSError."""

    def forget(self, vhid: int) -> None:
        """Renew no more."""

    def will(self, vhid: int, envelopes: Sequence[bytes], payload: bytes, *, again: bool) -> None:
        """To be said once this process is gone, ``again`` if more than once."""

    @property
    def pid(self) -> int | None:
        """Of its process."""

    def fileno_list(self) -> list[int]: ...

    def drain(self) -> Sequence[Fence]: ...

    def close(self) -> None: ...


class LeaseKeeper:
    """The LeasePort of one node.

    A group's addresses are taken and given back at once and alone; the renewals of all groups are one batch (``beat``),
    so that a renewal costs some microseconds and not a call of its own.
    """

    def __init__(self, writer: AddressWriter) -> None:
        """Opens a netlink socket to read with. Raises OSError."""
        self.route = RouteSocket()
        self.writer = writer

    def beat(self, leases: Sequence[AddressPort]) -> Mapping[AddressPort, OSError]:
        ours = {lease.vhid: lease for lease in leases if isinstance(lease, AddressLease)}
        try:
            refused = self.writer.beat(list(ours))
        except OSError as error:
            return dict.fromkeys(ours.values(), error)
        failed = {ours[vhid]: ours[vhid].not_prolonged(results) for vhid, results in refused.items()}
        return {lease: error for lease, error in failed.items() if error is not None}

    def held(self, leases: Sequence[AddressPort]) -> Mapping[AddressPort, frozenset[Address]]:
        # Each lease alone would have the kernel tell the interface's addresses: with 255 groups 255 times 255.
        present = {(entry.index, entry.address) for entry in read_addresses(self.route)}
        return {lease: lease.held_of(present) for lease in leases if isinstance(lease, AddressLease)}

    @property
    def guardian(self) -> int | None:
        return self.writer.pid

    def fileno_list(self) -> list[int]:
        return self.writer.fileno_list()

    def drain(self) -> Sequence[Fence]:
        return self.writer.drain()

    def close(self) -> None:
        self.writer.close()
        self.route.close()


class AddressLease:
    """The AddressPort of one virtual host on one interface. A re-created interface needs a new one."""

    def __init__(
        self, keeper: LeaseKeeper, vhid: int, interface: str, index: int, addresses: Sequence[Address]
    ) -> None:
        """Encodes the messages."""
        self.vhid = vhid
        self._keeper = keeper
        self._interface = interface
        self._index = index
        self._addresses = tuple(addresses)
        adds = (_encode(index, address, address.max_prefixlen, RTM_NEWADDR, _ADD_OR_PROLONG) for address in addresses)
        self.adds = list(adds)
        self.removals = [_encode(index, address, address.max_prefixlen, RTM_DELADDR) for address in addresses]
        self._on_loopback: list[bytes] = []
        """What removes it from there, once it may be there."""
        self._silent: tuple[Address, ...] | None = None
        """Those that are held silently, and no others; None: all are held as usual."""

    def acquire(self) -> None:
        """As the contract says; refuses (EEXIST) an address that this host has for itself, on any interface."""
        strays: list[HostAddress] = []
        for entry in read_addresses(self._keeper.route, wanted=self._addresses):
            if entry.index != self._index and isinstance(entry.address, IPv6Address) and entry.address.is_link_local:
                continue  # on each interface it is another address, and may be anybody's
            if not entry.may_be_ours:
                raise OSError(errno.EEXIST, _taken(entry))
            if entry.index != self._index or entry.prefix_length != entry.address.max_prefixlen:
                strays.append(entry)
        _remove(self._keeper.route, strays)
        self.renew()

    def leave_will(self, envelopes: Sequence[bytes], payload: bytes, *, again: bool) -> None:
        self._keeper.writer.will(self.vhid, envelopes, payload, again=again)

    def renew(self) -> None:
        self._silent = None
        error = self._failure("add", self._keeper.writer.hold(self.vhid, self.adds, self.removals))
        if error is not None:
            raise error

    def release(self) -> None:
        removals = [*self.removals, *self._on_loopback]
        try:
            results = self._keeper.writer.release(self.vhid, removals)
        except OSError:  # no guardian can be had: to remove is anybody's right, and harmless when late
            results = self._keeper.route.request(removals)
        error = self._failure("remove", results[: len(self.removals)], harmless=_GONE)
        if error is not None:
            raise error
        self._on_loopback = []

    def hold_silently(self) -> None:
        moved = [number for number, address in enumerate(self._addresses) if not address.is_link_local]
        adds = [_on_loopback(self.adds[number]) for number in moved]
        self._on_loopback = [_on_loopback(self.removals[number]) for number in moved]
        self._silent = tuple(self._addresses[number] for number in moved)
        held = self._keeper.writer.hold(self.vhid, adds, [*self.removals, *self._on_loopback])
        if (error := self.not_prolonged(held)) is not None:
            raise error
        refused = self._keeper.route.request(self.removals)  # as in release
        error = self._failure("remove", refused, harmless=_GONE)
        if error is not None:
            raise error

    def settle(self) -> None:
        """Nothing: the interface is the host's own."""

    def held(self) -> frozenset[Address]:
        try:
            entries = read_addresses(self._keeper.route, self._index, self._addresses)
        except OSError as error:
            if error.errno == errno.ENODEV:  # no interface, no addresses
                return frozenset()
            raise
        return frozenset(entry.address for entry in entries)

    def held_of(self, present: Collection[tuple[int, Address]]) -> frozenset[Address]:
        """As ``held``, of what the host has: each with the index of its interface."""
        return frozenset(address for address in self._addresses if (self._index, address) in present)

    def close(self) -> None:
        self._keeper.writer.forget(self.vhid)

    def not_prolonged(self, results: Sequence[int]) -> OSError | None:
        """The first of these results, one for each address that a beat prolongs, that is an error."""
        if self._silent is None:
            return self._failure("add", results)
        return _failure("hold", self._silent, "the loopback interface", results)

    def _failure(self, verb: str, results: Sequence[int], harmless: Collection[int] = ()) -> OSError | None:
        return _failure(verb, self._addresses, self._interface, results, harmless)


def _failure(
    verb: str, addresses: Sequence[Address], where: str, results: Sequence[int], harmless: Collection[int] = ()
) -> OSError | None:
    """The first of these results, one for each address, that is an error."""
    for address, result in zip(addresses, results, strict=True):
        if result and result not in harmless:
            return OSError(result, f"cannot {verb} {address} on {where}: {_meaning(result)}")
    return None


def remove_leftovers(addresses: Collection[Address]) -> list[HostAddress]:
    """Remove the addresses of an earlier life: those with a finite lifetime, on any interface, whatever prefix.

    Answers what was removed, for the log. Permanent ones stay; ``acquire`` complains about them. Raises OSError.
    """
    with RouteSocket() as route:
        found = [entry for entry in read_addresses(route, wanted=addresses) if entry.may_be_ours]
        _remove(route, found)
    return found


def set_arp(interface: str, index: int) -> None:
    """Keep the virtual address out of the ARP requests that the kernel sends on a physical interface, and out of its
    answers while the address is held silently, on the loopback interface.

    Else "who has X, tell VIP" with our hardware address would draw the neighbours back to a node that has just lost
    the address. Raises OSError.
    """
    with RouteSocket() as route:
        set_ipv4(
            route, interface, index, {Setting.ARP_ANNOUNCE: ARP_ANNOUNCE_BEST, Setting.ARP_IGNORE: ARP_IGNORE_OTHERS}
        )


def _encode(index: int, address: Address, prefix_length: int, message_type: int, flags: int = 0) -> bytes:
    """One address message; its prefix is that of a single host, whatever the configuration's.

    With the LAN's prefix, removing the virtual address would remove the host's own, which hangs below it (4a).
    """
    message = ifaddrmsg()
    message["family"] = socket.AF_INET if address.version == 4 else socket.AF_INET6
    message["prefixlen"] = prefix_length
    message["index"] = index
    # An IPv6 address with a preferred lifetime would become the source of the host's own connections.
    lifetime = {"ifa_valid": LEASE_S, "ifa_preferred": LEASE_S if address.version == 4 else 0}
    message["attrs"] = [("IFA_LOCAL", str(address)), ("IFA_ADDRESS", str(address))]
    if message_type == RTM_NEWADDR:
        # No duplicate address detection (it takes a second) and no route of its own.
        message["attrs"] += [("IFA_FLAGS", IFA_F_NODAD | IFA_F_NOPREFIXROUTE), ("IFA_CACHEINFO", lifetime)]
    return encode_acknowledged(message, message_type, flags)


def _on_loopback(message: bytes) -> bytes:
    """The same for the loopback interface; to encode it anew would take 0.1 ms, for all groups of a node at once."""
    moved = bytearray(message)
    struct.pack_into("=I", moved, _INDEX_OFFSET, LOOPBACK)
    return bytes(moved)


def _remove(route: RouteSocket, entries: Sequence[HostAddress]) -> None:
    requests = [_encode(entry.index, entry.address, entry.prefix_length, RTM_DELADDR) for entry in entries]
    for entry, result in zip(entries, route.request(requests), strict=True):
        if result not in (0, *_GONE):
            raise OSError(result, f"cannot remove {entry.address} from {_name(entry.index)}: {_meaning(result)}")


def _taken(entry: HostAddress) -> str:
    where = _name(entry.index)
    kind = "a permanent address" if entry.permanent else "an address with a lease (DHCP)"
    return (
        f"{entry.address} is {kind} of {where}, so it is somebody else's;"
        f" remove it: ip address del {entry.address}/{entry.prefix_length} dev {where}"
    )


def _meaning(number: int) -> str:
    text = f"{os.strerror(number)} ({errno.errorcode.get(number, number)})"
    return f"{text}; the process needs CAP_NET_ADMIN" if number == errno.EPERM else text


def _name(index: int) -> str:
    try:
        return socket.if_indextoname(index)
    except OSError:
        return f"interface {index}"
