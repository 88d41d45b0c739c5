"""What becomes of a node's open connections when virtual IPs move: what its groups share.

The kernel is asked for the connections of all groups at once, once a second where this node is master, and twice a
second for one that it drains. Each group tells its members what has changed (``group_carry.py``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future
from ipaddress import ip_address
from typing import Any

from wsa_proxy.net.client_key import virtual_ip_of
from wsa_proxy.net.ports import Address
from wsa_proxy.net.ports import Client
from wsa_proxy.net.ports import LinkChanged
from wsa_proxy.runtime.apart import apart
from wsa_proxy.runtime.clocks import Clocks
from wsa_proxy.runtime.group_carry import LOOK_S
from wsa_proxy.runtime.group_carry import CarriedClients
from wsa_proxy.runtime.group_carry import GroupCarry
from wsa_proxy.runtime.group_reports import GroupReports
from wsa_proxy.runtime.ports import CarryPorts
from wsa_proxy.runtime.ports import Kernel
from wsa_proxy.runtime.ports import Network
from wsa_proxy.runtime.reporting import NO_SECRET
from wsa_proxy.runtime.reporting import Reporting
from wsa_proxy.runtime.tickling import Tickling

logger = logging.getLogger(__name__)

BUSY_LOOK_S = 0.1
IN_LOOP_MAX = 1000
"""Connections that are counted in the loop, in 1.5 ms; of more a thread asks."""
NETWORKS_KEPT_S = 5.0
"""An interface's networks, which are asked for with each status."""


class CarryOver:
    """Of one node; made inside the running loop."""

    def __init__(
        self,
        kernel: Kernel,
        clocks: Clocks,
        reporting: Reporting,
        clients: CarriedClients,
        drain_timeout_s: Callable[[], float],
    ) -> None:
        reporting.on_begin.append(self._begin)
        reporting.on_end.append(self._end)
        self.groups: dict[int, GroupCarry] = {}
        self.ports: CarryPorts | None = None
        self.trouble: str | None = "the node has not started"
        self.tickling: Tickling | None = None
        self.clients = clients
        self._kernel, self._clocks, self._reporting = kernel, clocks, reporting
        self._drain_timeout_s = drain_timeout_s
        self._macs: dict[str, bytes] = {}
        self._networks: dict[str, tuple[float, tuple[Network, ...]]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._is_busy = self._is_asking = self._closed = False
        self._sizes = {True: 0, False: 0}
        """So many connections there were when it was asked last, with half handshakes and without."""

    @property
    def drain_timeout_s(self) -> float:
        return self._drain_timeout_s()

    # -- life --------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Before the groups begin. What cannot be had is told in the status, and switches are plain then."""
        try:
            self.ports = self._kernel.open_carrying()
        except OSError as error:
            self.trouble = f"this host cannot tell its connections: {error}"
            logger.warning("failover: %s; they end when a virtual IP moves", self.trouble)
            return
        self.trouble = None
        self.tickling = Tickling(self.ports.open_tickles, self.ports.sockets_thread.forget)
        self._arm()

    def _begin(self, reports: GroupReports) -> None:
        self.groups[reports.group.vhid] = GroupCarry(reports, self)

    def _end(self, vhid: int) -> None:
        self.groups.pop(vhid).close()

    def close(self) -> None:
        """Nothing is steered, and nobody told any more."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self.tickling is not None:
            self.tickling.close()
        if self.ports is not None:
            self.ports.close()
            self.ports, self.trouble = None, "the node has stopped"

    # -- what the groups ask -----------------------------------------------------------------------------------------

    def link_changed(self, link: LinkChanged) -> None:
        """It may have another hardware address. Mostly it has not: each group that takes over sets its virtual MAC's
        interface up, which all groups of the node hear."""
        mac = bytes.fromhex(link.mac.replace(":", ""))
        if mac and mac != self.mac_of(link.name):
            self._macs[link.name] = mac
            self.settings_changed()

    def settings_changed(self) -> None:
        """Of a group, or of the host."""
        for each in self.groups.values():
            each.host_changed()

    def mac_of(self, interface: str) -> bytes:
        """Empty while it is not known."""
        return self._macs.get(interface, b"")

    def is_on_link(self, interface: str, address: str) -> bool:
        """A frame for this address needs no router."""
        try:
            wanted = ip_address(address)
        except ValueError:
            return False
        now_s = self._clocks.now_s()
        until_s, networks = self._networks.get(interface, (0.0, ()))
        if now_s >= until_s:
            networks = tuple(self._kernel.networks(interface))
            self._networks[interface] = now_s + NETWORKS_KEPT_S, networks
        return any(wanted.version == each.version and wanted in each for each in networks)

    def wake(self) -> None:
        """Look sooner; in the middle of a look, after it."""
        if not self._is_busy and not self._closed:
            self._is_busy = True
            if self._timer is not None:
                self._timer.cancel()
                self._arm()

    # -- the pump ----------------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        after_s = BUSY_LOOK_S if self._is_busy else LOOK_S
        self._timer = asyncio.get_running_loop().call_later(after_s, self._look)

    def _look(self) -> None:
        self._timer, self._is_busy = None, False
        try:
            self._reporting.drain()  # who stood still has not missed the reports that wait
            now_s = self._clocks.now_s()
            due = {vhid: each for vhid, each in self.groups.items() if each.wants_count(now_s)}
            counted: dict[int, frozenset[Client]] = {}
            for half_open in (True, False):
                counted |= self._count(
                    [one for one, each in due.items() if each.wants_half_open is half_open], half_open
                )
            for vhid, each in list(self.groups.items()):
                is_busy = each.is_busy(now_s)
                self._is_busy |= is_busy
                clients = counted.get(vhid)
                if is_busy or clients or (clients is not None and each.carrying.left):
                    with apart(vhid, "look after connections"):
                        each.tick(clients)
                elif clients is not None:  # nobody is connected, as before
                    each.counted_at_s = now_s
        finally:
            if not self._closed:
                self._arm()

    def _count(self, vhids: list[int], half_open: bool) -> dict[int, frozenset[Client]]:
        """By group; of many connections it is told later, by the thread that asks."""
        if not vhids or self.ports is None:
            return {}
        if max(self._sizes.values()) > IN_LOOP_MAX:
            self._ask_apart(self.ports, vhids, half_open)
            return {}
        try:
            found = self.ports.sockets.clients(self._addresses(vhids), half_open=half_open)
            self._sizes[half_open] = len(found)
            return self._by_group(vhids, found)
        except OSError as error:
            logger.debug("the connections could not be counted: %s", error)
            return {}

    def _ask_apart(self, ports: CarryPorts, vhids: list[int], half_open: bool) -> None:
        """One question at a time."""
        if self._is_asking:
            return
        asked_at_s = self._clocks.now_s()
        asked = ports.sockets_thread.ask(self._addresses(vhids), half_open=half_open)
        if asked.done():
            self._answered(asked, vhids, half_open, asked_at_s)
        else:
            self._is_asking = True
            asyncio.wrap_future(asked).add_done_callback(lambda _: self._answered(asked, vhids, half_open, asked_at_s))

    def _answered(self, asked: Future[frozenset[Client]], vhids: list[int], half_open: bool, asked_at_s: float) -> None:
        self._is_asking = False
        if asked.cancelled() or self._closed:
            return
        if (error := asked.exception()) is not None:
            logger.debug("the connections could not be counted: %s", error)
            return
        self._reporting.drain()
        self._sizes[half_open] = len(asked.result())
        for vhid, clients in self._by_group([each for each in vhids if each in self.groups], asked.result()).items():
            if self.groups[vhid].counted_at_s <= asked_at_s:  # else it was counted anew meanwhile
                with apart(vhid, "look after connections"):
                    self.groups[vhid].tick(clients)

    def _addresses(self, vhids: list[int]) -> list[Address]:
        return [address for vhid in vhids for address in self.groups[vhid].addresses]

    def _by_group(self, vhids: list[int], clients: frozenset[Client]) -> dict[int, frozenset[Client]]:
        if not clients:
            return dict.fromkeys(vhids, clients)
        owners = {address.packed: vhid for vhid in vhids for address in self.groups[vhid].addresses}
        found: dict[int, set[Client]] = {vhid: set() for vhid in vhids}
        for client in clients:
            if (owner := owners.get(virtual_ip_of(client))) is not None:
                found[owner].add(client)
        return {vhid: frozenset(each) for vhid, each in found.items()}

    # -- the status --------------------------------------------------------------------------------------------------

    def add_to(self, status: dict[str, Any]) -> dict[str, Any]:
        """The status document with each group's ``carry``."""
        for group in status["groups"]:
            carry = self.groups.get(group["id"])
            group["carry"] = carry.status() if carry is not None else NO_CARRY
        return status


NO_CARRY: dict[str, Any] = {
    "drains": None, "steers": [], "told": None, "told_total": 0, "possible": False, "why_not": NO_SECRET,
    "cannot_steer": None,
}  # fmt: skip
