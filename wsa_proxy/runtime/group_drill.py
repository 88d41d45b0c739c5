"""A drill of one group: a planned switch to the standby and back, measured by a member that probes the virtual IP.

The member that probes is a third one, or the one that takes over: never the old master, which may have the address
silently while its last answers leave. It is asked by the reports of whoever runs the drill, and says in its own what it
has seen. Whatever happens in the middle, the end is a switch back to the first node, if that is there; unless the
operator has switched to a third one meanwhile, or whoever runs the drill dies.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from datetime import UTC
from datetime import datetime
from typing import TYPE_CHECKING
from typing import Any

from wsa_proxy.carp.commands import State
from wsa_proxy.members.roster import Member
from wsa_proxy.members.sides import side_of
from wsa_proxy.members.switch_words import ID_BYTES
from wsa_proxy.members.switch_words import read
from wsa_proxy.net.ports import Address
from wsa_proxy.runtime.drill_report import DrillReport
from wsa_proxy.runtime.drill_report import Leg
from wsa_proxy.runtime.group_reports import GroupReports
from wsa_proxy.runtime.probing import Measured
from wsa_proxy.runtime.probing import Probe
from wsa_proxy.runtime.probing import Probing
from wsa_proxy.runtime.tasks import create_task

if TYPE_CHECKING:
    from wsa_proxy.runtime.group_switch import GroupSwitch

logger = logging.getLogger(__name__)

ASKED_S_MAX = 3.0
"""For the member to begin to probe, and to say what it has seen."""
REPEATED_S = 0.05
BEFORE_S, AFTER_S = 0.3, 1.0
"""Probed before the order, and after it was carried out."""
TRIES_BACK = 3
AGAIN_S = 2.0


class DrillRefused(Exception):
    """It was not begun, for this reason."""


class GroupDrill:
    """Of one group, on every node: runs a drill, or probes for one that another member runs."""

    def __init__(self, switch: GroupSwitch, reports: GroupReports, probe: Probe) -> None:
        self._switch, self._reports, self._probe = switch, reports, probe
        self._says: dict[str, Any] = {}
        self._seen: dict[str, Any] = {}
        self._probing: Probing | None = None
        self._asker = b""
        self._is_running = False

    # -- whoever runs it -----------------------------------------------------------------------------------------------

    async def run(self, objective_ms: int) -> DrillReport:
        """To the standby and back. Raises DrillRefused."""
        if self._is_running:
            raise DrillRefused("a drill is under way")
        first, standby = self._master(), self._best_standby()
        if not first:
            raise DrillRefused("nobody is known to be master")
        if self._switch.trouble is not None or not standby:
            raise DrillRefused(self._switch.trouble or f"no healthy standby: {self._reports.standings.redundancy.why}")
        if self._address() is None:
            raise DrillRefused("it has only link-local virtual IPs, and these cannot be probed")
        at, self._is_running = datetime.now(UTC).isoformat(timespec="seconds"), True
        try:
            try:
                legs = [await self._leg(first, standby)]
                if not legs[0].why_not:
                    legs.append(await self._leg_back(standby, first))
            finally:  # whatever was raised in the middle, the service does not stay where the drill has put it
                if not self._is_over_by_order({first, standby}):
                    await self._back_to(first)
        finally:
            self._is_running, self._says = False, {}
        return DrillReport(at, self._reports.group.vhid, objective_ms, legs, first, self._master())

    async def _leg(self, source: str, target: str) -> Leg:
        prober = self._prober(source, target)
        drill_id = os.urandom(ID_BYTES)
        why_not = await self._begin_probing(drill_id, prober)
        if not why_not:
            await asyncio.sleep(BEFORE_S)
            outcome = await self._switch.order(target)
            await asyncio.sleep(AFTER_S)
            why_not = "" if outcome.done else outcome.text
        measured = await self._end_probing(drill_id, prober)
        if measured is None and not why_not:
            why_not = f"node {prober} has not said what it has seen"
        return Leg(source, target, prober, why_not, measured if measured is not None and measured.probes else None)

    async def _leg_back(self, standby: str, first: str) -> Leg:
        """Unless somebody else is master by now."""
        if (master := self._master()) in (standby, ""):
            return await self._leg(standby, first)
        return Leg(standby, first, "", f"node {master} is master already")

    def _is_over_by_order(self, nodes: set[str]) -> bool:
        """The operator has switched to a third node meanwhile."""
        own = self._switch.switching.says()
        said = [own, *(read(each.report) for each in self._fresh())]
        return any(each.held and each.held_node not in nodes for each in said)

    async def _back_to(self, first: str) -> None:
        """Wherever it is now, unless nobody can be asked."""
        for _ in range(TRIES_BACK):
            if self._master() == first:
                return
            outcome = await self._switch.order(first)
            logger.warning("carp vhid=%d the drill goes back: %s", self._reports.group.vhid, outcome.text)
            if not outcome.done:
                await asyncio.sleep(AGAIN_S)

    async def _begin_probing(self, drill_id: bytes, prober: str) -> str:
        if prober == self._reports.settings.node:
            self._start()
            return ""
        member = self._member(prober)
        life = member.contact.life if member is not None else b""
        self._says = {"probe": drill_id, "prober": life}
        if await self._repeat(lambda: self._said(prober).probing == drill_id):
            return ""
        return f"node {prober} does not probe the virtual IP"

    async def _end_probing(self, drill_id: bytes, prober: str) -> Measured | None:
        if prober == self._reports.settings.node:
            probing, self._probing = self._probing, None
            return await probing.stop() if probing is not None else None
        self._says = {}
        if not await self._repeat(lambda: self._said(prober).probed == drill_id):
            return None
        said = self._said(prober)
        return Measured(said.outage_ms, said.failed, said.probes)

    async def _repeat(self, is_said: Callable[[], bool]) -> bool:
        """Say it until it is answered."""
        for _ in range(round(ASKED_S_MAX / REPEATED_S)):
            self._reports.send()
            await asyncio.sleep(REPEATED_S)
            if is_said():
                return True
        return False

    # -- who is who ----------------------------------------------------------------------------------------------------

    def _master(self) -> str:
        """Its name; empty if nobody is, as far as is known."""
        if self._reports.driver.is_master:
            return self._reports.settings.node
        return next((each.node for each in self._fresh() if each.report and each.report.state == "master"), "")

    def _best_standby(self) -> str:
        """The healthy one of the greatest (priority, address), this node included."""
        reports, now_s = self._reports, self._reports.now_s()
        found = [
            (side_of(each.report, each.vhid).rank, each.node)
            for each in self._fresh()
            if each.report and each.report.state == "backup" and not reports.standings.not_ready(each, now_s)
        ]
        if reports.driver.virtual_host.state is State.BACKUP and not self._switch.is_unfit:
            found.append((reports.standings.own_rank, reports.settings.node))
        return max(found)[1] if found else ""

    def _prober(self, source: str, target: str) -> str:
        names = [self._reports.settings.node, *sorted(each.node for each in self._fresh())]
        return next((name for name in names if name not in (source, target)), target)

    def _fresh(self) -> list[Member]:
        members = self._reports.roster.fresh(self._reports.now_s())
        return [each for each in members if each.vhid == self._reports.group.vhid]

    def _member(self, name: str) -> Member | None:
        return next((each for each in self._fresh() if each.node == name), None)

    def _said(self, name: str) -> Any:
        member = self._member(name)
        return read(member.report if member is not None else None)

    # -- whoever probes ------------------------------------------------------------------------------------------------

    def says(self) -> dict[str, Any]:
        """This node's part of a report."""
        return self._says | self._seen

    def heard(self, member: Member) -> None:
        """A report that is believed: it may ask this node to probe, or no more."""
        said, asker = read(member.report), member.contact.life
        if said.probe and said.prober == self._reports.roster.life:
            is_free = self._probing is None or self._probing.is_over
            if is_free and self._seen.get("probed") != said.probe:
                self._asker = asker
                self._start()
                self._seen = {"probing": said.probe}
                self._reports.send()
        elif self._probing is not None and asker == self._asker and "probing" in self._seen:
            create_task(self._finish(self._seen.pop("probing")), name="failover drill")

    async def _finish(self, drill_id: bytes) -> None:
        probing, self._probing = self._probing, None
        if probing is not None:
            measured = await probing.stop()
            self._seen = {
                "probed": drill_id,
                "outage_ms": measured.outage_ms,
                "failed": measured.failed,
                "probes": measured.probes,
            }
            self._reports.send()

    def _start(self) -> None:
        address = self._address()
        if address is not None:
            self._probing = Probing(self._probe, address, self._reports.group.port, self._reports.now_s)

    def _address(self) -> Address | None:
        return next((each for each in self._reports.group.addresses if not each.is_link_local), None)

    def close(self) -> None:
        """The group ends."""
        if self._probing is not None:
            self._probing.close()
