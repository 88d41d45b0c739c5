"""Sends frames of connections that other nodes still have on to these: nf_tables in the kernel, asked directly.

The table's owner is our socket. So it ends with the process, however that ends; ``nft flush ruleset``, as when a
firewall is loaded anew, leaves it alone, and nobody else can change it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import weakref
from collections.abc import Mapping

from wsa_proxy.net.nft_messages import delete_table
from wsa_proxy.net.nft_messages import new_table
from wsa_proxy.net.nft_socket import NftSocket
from wsa_proxy.net.ports import Steered
from wsa_proxy.net.steering_state import NOTHING
from wsa_proxy.net.steering_state import Group
from wsa_proxy.net.steering_state import group_of
from wsa_proxy.net.steering_state import is_step
from wsa_proxy.net.steering_state import overlap
from wsa_proxy.net.steering_state import state_of
from wsa_proxy.net.steering_state import step

_NOBODY = Steered("lo", ("lo",), bytes(6), frozenset(), {}, {})
"""Every host has the loopback interface."""


class Steering:
    """The SteeringPort of a node. There is no table while nothing is steered."""

    def __init__(self) -> None:
        """Tries whether this host can, with a table that steers nothing and is gone when this returns."""
        self._state = NOTHING
        self._socket: NftSocket | None = None
        self.table = ""
        """Its name, while there is one. No other process of this host has the same."""
        self.trouble = self._try()
        if self.trouble is not None:
            self.close()
        _of_this_process.add(self)

    def steer(self, vhid: int, wanted: Steered | None) -> None:
        """To be called again, too, when a device of the group may have become another one of the same name."""
        before = self._state.groups.get(vhid)
        groups = {id_: group for id_, group in self._state.groups.items() if id_ != vhid}
        if wanted is not None:
            groups[vhid] = before if before is not None and before.steered is wanted else group_of(wanted)
            if before is not None and (meanwhile := overlap(before, groups[vhid])) is not None:
                self._bring_about({**groups, vhid: meanwhile}, wanted, anew=False)
        elif before is None:
            return
        if not groups:
            self._end()
        else:
            self._bring_about(groups, wanted)

    def close(self) -> None:
        """The kernel removes the table with the socket, as soon as no process has it any more."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._state = NOTHING

    def _bring_about(self, groups: Mapping[int, Group], wanted: Steered | None, *, anew: bool = True) -> None:
        """``anew``: also where all has to be made again, which is no step; else nothing is done there."""
        known = {device: way.index for device, way in self._state.ways_in.items()}
        known |= {device: lan.index for device, lan in self._state.lans.items()}
        own_macs = {device: lan.own_mac for device, lan in self._state.lans.items()}
        if wanted is not None:
            known |= {device: _index(device) for device in _devices(wanted)}
            own_macs[wanted.device] = wanted.own_mac
        after = state_of(groups, known, own_macs)
        if self._state is not NOTHING and is_step(self._state, after):
            # The table is gone, or with a device what looked at it: older kernels remove that themselves.
            with contextlib.suppress(FileNotFoundError):
                self._transact(step(self.table, self._state, after))
                self._state = after
                return
        if anew:
            self._make_anew(groups, own_macs)

    def _make_anew(self, groups: Mapping[int, Group], own_macs: Mapping[str, bytes]) -> None:
        """The whole table. Groups of devices that are gone have nothing in it, until they are asked for again."""
        indexes = {name: index for index, name in socket.if_nameindex()}
        there = {id_: each for id_, each in groups.items() if indexes.keys() >= {*_devices(each.steered)}}
        if not there:
            self._end()
            return
        after = state_of(there, indexes, own_macs)
        messages = [new_table(self.table), *step(self.table, NOTHING, after)]
        try:
            self._transact([delete_table(self.table), *messages] if self._state is not NOTHING else messages)
        except FileNotFoundError:
            if self._state is NOTHING:
                raise
            self._transact(messages)
        self._state = after

    def _end(self) -> None:
        with contextlib.suppress(FileNotFoundError):  # somebody has done it for us
            self._transact([delete_table(self.table)])
        self._state = NOTHING

    def _transact(self, messages: list[bytes]) -> None:
        if self._socket is None:
            raise OSError(errno.EOPNOTSUPP, self.trouble or "steering has ended")
        if messages:
            self._socket.transact(messages)

    def _try(self) -> str | None:
        """What is in the way, from the least that is needed to all of it."""
        why_not = "this kernel has no netfilter (CONFIG_NETFILTER_NETLINK)"
        try:
            self._socket = NftSocket()
            self.table = f"wsa-proxy-{self._socket.port}"
            why_not = "this kernel has no nf_tables"
            self._transact([new_table(self.table, flags=0), delete_table(self.table)])
            why_not = "this kernel's nf_tables knows no owner of a table, which came with Linux 5.12"
            self._transact([new_table(self.table), delete_table(self.table)])
            why_not = "this kernel's nf_tables cannot forward what comes in (nft_fwd_netdev)"
            self.steer(0, _NOBODY)
            self.steer(0, None)
        except PermissionError:
            return "the process needs CAP_NET_ADMIN"
        except OSError as error:
            return f"{why_not}: {os.strerror(error.errno or errno.EIO)}"
        return None


_of_this_process = weakref.WeakSet[Steering]()


def _close_all() -> None:
    """In a forked child: with its descriptor open, the table would outlive the parent."""
    for each in list(_of_this_process):
        each.close()


os.register_at_fork(after_in_child=_close_all)


def _devices(steered: Steered) -> tuple[str, ...]:
    return (steered.device, *steered.devices)


def _index(device: str) -> int:
    try:
        return socket.if_nametoindex(device)
    except OSError as error:
        raise OSError(errno.ENODEV, f"there is no interface {device}") from error
