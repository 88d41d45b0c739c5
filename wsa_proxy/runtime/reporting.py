"""The member reports of a node: one socket for each interface and port, and whose is what arrives.

A group without a secret has none: nobody could tell whose they are. A datagram says which group it is of; one that this
node does not have may be ours all the same, set up with another id, so it is tried with the keys of all groups, as long
as there are few of them. The two are counted apart: other groups on the LAN take nothing from this node's own.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from wsa_proxy.members.cipher import Unread
from wsa_proxy.members.cipher import group_of
from wsa_proxy.members.report import Maintenance
from wsa_proxy.net.ports import Datagram
from wsa_proxy.net.ports import ReportPort
from wsa_proxy.runtime.allowance import Allowance
from wsa_proxy.runtime.apart import apart
from wsa_proxy.runtime.clocks import Clocks
from wsa_proxy.runtime.driver import Driver
from wsa_proxy.runtime.facts import ProxyFacts
from wsa_proxy.runtime.group_reports import GroupReports
from wsa_proxy.runtime.health import Health
from wsa_proxy.runtime.identity import Identity
from wsa_proxy.runtime.members_status import members_status
from wsa_proxy.runtime.ports import Kernel
from wsa_proxy.runtime.rounds import Rounds
from wsa_proxy.runtime.standings import OnRedundancy
from wsa_proxy.settings import GroupSettings
from wsa_proxy.settings import Settings

logger = logging.getLogger(__name__)

NO_SECRET = "no shared_secret: members cannot prove who they are, so nothing is known of them"
OPENED_PER_S = 5000
"""So many datagrams are opened in a second, at some 4 microseconds each; what is more is passed over. Far more than
members send: whoever can have theirs passed over ends what this node does for their sake."""
FOREIGN_OPENED_PER_S = 5000
"""Likewise, of groups that this node does not have, however many there are on the LAN; with the keys of each group."""
OPEN_AGAIN_S = 1.0

type Place = tuple[str, int]
"""Interface and port."""


class Reporting:
    """Of one node; made and used inside the running loop."""

    def __init__(
        self,
        kernel: Kernel,
        clocks: Clocks,
        *,
        health: Callable[[], Health],
        facts: Callable[[], ProxyFacts],
        maintenance: Callable[[], Maintenance | None],
    ) -> None:
        self.groups: dict[int, GroupReports] = {}
        self.on_begin: list[Callable[[GroupReports], None]] = []
        self.on_end: list[Callable[[int], None]] = []
        """Told of each group whose reports begin, and end, with its driver or before."""
        self.on_redundancy: OnRedundancy = lambda vhid, standbys, text: None
        self.unread = dict.fromkeys(Unread, 0)
        """Of datagrams that belong to no group of this node."""
        self._kernel, self._clocks = kernel, clocks
        self._health, self._facts, self._maintenance = health, facts, maintenance
        self._ports: dict[Place, ReportPort] = {}
        self._here: dict[Place, dict[int, GroupReports]] = {}
        """Whose socket it is, by id."""
        self._closed_until_s: dict[Place, float] = {}
        self._sources: dict[int, str] = {}
        """By id: from where reports are sent, as far as nothing has changed since."""
        self._rounds = Rounds(self._tick)
        self._allowance = Allowance(OPENED_PER_S, clocks.now_s)
        self._foreign = Allowance(FOREIGN_OPENED_PER_S, clocks.now_s)

    # -- the groups ----------------------------------------------------------------------------------------------------

    def set_groups(
        self, groups: Sequence[tuple[GroupSettings, Driver]], settings: Settings, identities: Mapping[int, Identity]
    ) -> None:
        """These, and no others; one that goes on with its driver keeps what it knows."""
        wanted = {group.vhid: (group, driver) for group, driver in groups if group.pass_phrases}
        for vhid in list(self.groups):
            if vhid not in wanted or wanted[vhid][1] is not self.groups[vhid].driver:
                self._end(vhid)
        for vhid, (group, driver) in wanted.items():
            if vhid in self.groups:
                self.groups[vhid].take(group, settings)
            else:
                self._begin(group, settings, driver, identities[vhid])
        self._here = {}
        self._sources.clear()
        for reports in self.groups.values():
            self._here.setdefault(self._place(reports.group), {})[reports.group.vhid] = reports
            self._rounds.put(reports.group.vhid, reports.interval_s)
        self._close_unused()

    def _begin(self, group: GroupSettings, settings: Settings, driver: Driver, identity: Identity) -> None:
        reports = GroupReports(
            group,
            settings,
            driver,
            identity,
            clocks=self._clocks,
            health=self._health,
            facts=self._facts,
            maintenance=self._maintenance,
            send=lambda datagram: self._send(reports, datagram),
            source=lambda: self._source(reports),
        )
        reports.standings.on_redundancy = self.on_redundancy
        self.groups[group.vhid] = reports
        for tell in self.on_begin:
            tell(reports)

    def _end(self, vhid: int) -> None:
        self._rounds.remove(vhid)
        for tell in self.on_end:
            tell(vhid)
        with apart(vhid, "say that it leaves"):
            self.groups[vhid].leave()
        del self.groups[vhid]

    def _tick(self, due: Sequence[int]) -> None:
        self.drain()
        for vhid in due:
            with apart(vhid, "report"):
                self.groups[vhid].tick()

    def state_changed(self, vhid: int) -> None:
        """Said at once, in a turn of its own: this may be the middle of a driver's."""
        if vhid in self.groups:
            asyncio.get_running_loop().call_soon(self._say_state, self.groups[vhid])

    def _say_state(self, reports: GroupReports) -> None:
        if self.groups.get(reports.group.vhid) is reports:
            with apart(reports.group.vhid, "report its state"):
                reports.standings.look()
                reports.send()

    def close(self) -> None:
        """Say that this node leaves, and let go of everything; harmless when repeated."""
        for vhid in list(self.groups):
            self._end(vhid)
        self._here = {}
        self._close_unused()

    # -- the sockets ---------------------------------------------------------------------------------------------------

    def _place(self, group: GroupSettings) -> Place:
        return group.interface, group.members.port

    def _port(self, group: GroupSettings) -> ReportPort:
        """Opened when it is first needed, and again after the interface was made anew. Raises OSError."""
        place = self._place(group)
        if place not in self._ports:
            now_s = self._clocks.now_s()
            if now_s < self._closed_until_s.get(place, now_s):
                raise OSError(errno.EAGAIN, "its socket could not be opened")
            self._closed_until_s[place] = now_s + OPEN_AGAIN_S
            port = self._ports[place] = self._kernel.open_reports(*place)
            for descriptor in port.fileno_list():
                asyncio.get_running_loop().add_reader(descriptor, self.drain)
        return self._ports[place]

    def _send(self, reports: GroupReports, datagram: bytes) -> str | None:
        errors: list[str] = []
        for version in reports.versions:
            try:
                self._port(reports.group).send(version, reports.group.peers, datagram)
            except OSError as error:
                errors.append(error.strerror or str(error))
                self._sources.pop(reports.group.vhid, None)
                if error.errno in (errno.ENODEV, errno.EBADF, errno.ENXIO):
                    self._close(self._place(reports.group))
        return "; ".join(dict.fromkeys(errors)) if len(errors) == len(reports.versions) else None

    def _source(self, reports: GroupReports) -> str:
        """Asked for some four times for each report."""
        if (known := self._sources.get(reports.group.vhid)) is not None:
            return known
        try:
            source = self._port(reports.group).source_of(reports.versions[0], reports.group.peers)
        except OSError:
            source = None
        if source is None:
            return ""
        self._sources[reports.group.vhid] = str(source)
        return str(source)

    def refresh(self) -> None:
        """An address of an interface came or went."""
        self._sources.clear()
        for port in self._ports.values():
            port.refresh()

    def link_gone(self, interface: str) -> None:
        """Another one of this name needs other sockets."""
        for place in [place for place in self._ports if place[0] == interface]:
            self._close(place)

    def _close(self, place: Place) -> None:
        port = self._ports.pop(place)
        self._sources.clear()
        for descriptor in port.fileno_list():
            asyncio.get_running_loop().remove_reader(descriptor)
        port.close()

    def _close_unused(self) -> None:
        for place in [place for place in self._ports if place not in self._here]:
            self._close(place)

    # -- what arrives --------------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Read what is queued; drivers do before they look at the clock."""
        for place, opened in list(self._ports.items()):
            try:
                datagrams = opened.receive()
            except OSError as error:
                logger.debug("member reports on %s port %d could not be read: %s", *place, error)
                continue
            for datagram in datagrams:
                self._take(self._here.get(place, {}), datagram)

    def _take(self, here: Mapping[int, GroupReports], datagram: Datagram) -> None:
        vhid = group_of(datagram.payload)
        if isinstance(vhid, Unread):
            self.unread[vhid] += 1
            return
        own = here.get(vhid)
        if own is None:
            self._take_foreign(list(here.values()), datagram, vhid)
        elif not self._allowance.take():
            own.pass_over()
        else:
            packed = own.cipher.open(datagram.payload)
            if isinstance(packed, Unread):
                own.unread[packed] += 1
                return
            with apart(vhid, "hear a report"):
                own.receive(packed, datagram.source)

    def _take_foreign(self, here: Sequence[GroupReports], datagram: Datagram, vhid: int) -> None:
        """Of another group, or of ours with another id by mistake: then it means one of our virtual IPs."""
        self.unread[Unread.OTHER_GROUP] += 1
        if not self._foreign.take(len(here)):
            self.unread[Unread.LIMIT] += 1
            return
        for reports in here:
            packed = reports.cipher.open(datagram.payload)
            if not isinstance(packed, Unread):
                with apart(reports.group.vhid, "hear a report of another group"):
                    reports.receive_foreign(packed, vhid, datagram.source)

    # -- the status ----------------------------------------------------------------------------------------------------

    def status(self, vhid: int) -> dict[str, Any]:
        """Of one group, as in the status document."""
        reports = self.groups.get(vhid)
        if reports is None:
            redundancy = {"healthy_standbys": None, "lost_s": None, "why": None}
            return {"reports": NO_SECRET, "redundancy": redundancy, "findings": [], "list": []}
        return members_status(reports, self._clocks.now_s())
