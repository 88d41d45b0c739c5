"""What a node knows and tells of its groups beside the protocol: the history, the outage of each takeover, the service.

A change of state is told at once. Of one to MASTER it is then measured how long clients got no service: the node asks
its own virtual IP until that answers. ``notify`` is told of such a change when that is known, of any other at once.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Collection
from collections.abc import Sequence
from typing import Any

from wsa_proxy.carp.commands import Reason
from wsa_proxy.carp.commands import State
from wsa_proxy.members.values import SECONDS_MAX
from wsa_proxy.runtime.clocks import Clocks
from wsa_proxy.runtime.driver import Driver
from wsa_proxy.runtime.history import History
from wsa_proxy.runtime.history import Submit
from wsa_proxy.runtime.history_event import Event
from wsa_proxy.runtime.history_text import with_told
from wsa_proxy.runtime.notify import Notify
from wsa_proxy.runtime.orders import Orders
from wsa_proxy.runtime.outage import Signs
from wsa_proxy.runtime.outage import outage
from wsa_proxy.runtime.record import Transition
from wsa_proxy.runtime.reporting import Reporting
from wsa_proxy.runtime.service_watch import THIS_PROCESS
from wsa_proxy.runtime.service_watch import GroupService
from wsa_proxy.runtime.service_watch import Member
from wsa_proxy.runtime.service_watch import Seen
from wsa_proxy.runtime.service_watch import ServiceProbe
from wsa_proxy.runtime.service_watch import ServiceWatch
from wsa_proxy.runtime.switches import Switches
from wsa_proxy.runtime.tasks import create_task
from wsa_proxy.settings import GroupSettings
from wsa_proxy.settings import Settings

MEASURED_S_MAX = 10.0
"""A new master whose virtual IP does not answer within so long has measured nothing."""
MEASURED_AT_ONCE = 4
"""Takeovers; when many groups come at once, the others need not ask: one proxy serves all of them."""
AGAIN_S = 0.005
"""Between two questions of a new master to itself."""
OPERATORS = ("demoted by the operator", "maintenance:")
"""How the reasons begin that a member gives in its reports for an operator's demotion."""


@dataclasses.dataclass(slots=True, eq=False)
class _Measuring:
    """A takeover whose outage is not known yet."""

    event: Event
    task: asyncio.Task[None] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class _Known:
    """Of one group, of its last takeover, if that was measured."""

    event: Event
    serves_s: float


class Chronicle:
    """Of one node; made inside the running loop. ``probe``: None where there is no proxy; then nothing is measured."""

    def __init__(
        self,
        settings: Settings,
        clocks: Clocks,
        submit: Submit,
        reporting: Reporting,
        switches: Switches,
        probe: ServiceProbe | None,
    ) -> None:
        self.history = History(settings.state_dir, settings.node, clocks, submit)
        self.orders = Orders(clocks.now_s)
        self.notify = Notify(settings.notify)
        self._node, self._clocks = settings.node, clocks
        self._reporting, self._switches = reporting, switches
        self._watch = ServiceWatch(probe, clocks.now_s, self._probing_members) if probe is not None else None
        self._measuring: dict[int, _Measuring] = {}
        self._turns = asyncio.Semaphore(MEASURED_AT_ONCE)
        self._answered: Seen | None = None
        """The last question to this node itself that a new master has asked, and that was answered."""
        self._last: dict[int, _Known] = {}
        self._took_over: dict[int, Event] = {}
        """Of each group that is master here, how that began."""
        self._groups: dict[int, Driver] = {}
        self._has_begun = False

    # -- life ----------------------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """The folder is this node's alone by now, and no group takes part yet."""
        self._has_begun = True
        await self.history.open()
        if self._watch is not None:
            self._watch.begin()

    def take(self, groups: Sequence[tuple[GroupSettings, Driver]], settings: Settings) -> None:
        """These groups and settings from now on."""
        self._groups = {group.vhid: driver for group, driver in groups}
        self._last = {vhid: known for vhid, known in self._last.items() if vhid in self._groups}
        self._took_over = {vhid: event for vhid, event in self._took_over.items() if vhid in self._groups}
        for driver in self._groups.values():
            driver.record.on_told = self.told
        self.notify.take(settings.notify)
        if self._watch is not None:
            self._watch.set_groups(groups)

    def close(self) -> None:
        """The end of this life; ``notify`` may still be under way. Before ``begin`` the folder may be another's."""
        if self._watch is not None:
            self._watch.close()
        for vhid in list(self._measuring):
            self._end_measuring(vhid)
        if self._has_begun:
            self.history.close()

    # -- what happens --------------------------------------------------------------------------------------------------

    def transition(self, vhid: int, transition: Transition) -> Event:
        """Of a driver, in the middle of its turn. Answers what is known of it now."""
        self._end_measuring(vhid)
        driver, report = self._groups.get(vhid), transition.report
        switched_by = self._switches.ordered_by(vhid)
        who = self.orders.who(report, driver, switched_by) if driver is not None else ""
        event = self.history.add(
            vhid, report.old.value, report.new.value, report.reason, report.evidence, who, at=transition.at
        )
        self._took_over.pop(vhid, None)
        if report.new is State.MASTER:
            self._took_over[vhid] = event
        service = self._watch.groups.get(vhid) if self._watch is not None else None
        if report.old is State.INIT and service is not None:
            service.begin_anew(self._clocks.now_s())
        if report.new is not State.MASTER or driver is None or service is None or service.address is None:
            self.notify.transition(event.document())
            return event
        self._last.pop(vhid, None)  # it was an earlier one's
        measuring = self._measuring[vhid] = _Measuring(event)
        signs = _signs(report.reason, driver, service, self._clocks.now_s())
        # Not in the middle of a turn: tasks may be eager.
        asyncio.get_running_loop().call_soon(self._measure, measuring, driver, service, signs)
        return event

    def told(self, vhid: int, clients: int) -> None:
        """So many clients of the group that their connections are gone, which belongs to the takeover here."""
        event = self._took_over.get(vhid)
        if event is not None:
            self._put_anew(dataclasses.replace(event, evidence=with_told(event.evidence, clients)))

    def _put_anew(self, event: Event) -> None:
        """More is known of this takeover."""
        self.history.put(event)
        self._took_over[event.group] = event
        if (measuring := self._measuring.get(event.group)) is not None:
            measuring.event = event

    def _measure(self, measuring: _Measuring, driver: Driver, service: GroupService, signs: Signs) -> None:
        if self._measuring.get(measuring.event.group) is measuring:
            measuring.task = create_task(self._measured(measuring, driver, service, signs), name="failover outage")

    async def _measured(self, measuring: _Measuring, driver: Driver, service: GroupService, signs: Signs) -> None:
        vhid = measuring.event.group
        try:
            serves_s = await self._serves(driver, service, signs.took_over_s)
            if serves_s is not None:
                self._know(measuring, dataclasses.replace(signs, serves_s=serves_s))
        finally:  # whatever went wrong, it is told
            if self._measuring.get(vhid) is measuring:
                self._end_measuring(vhid)

    def _know(self, measuring: _Measuring, signs: Signs) -> None:
        """All signs are there, but for what the others have said since."""
        event = measuring.event
        who = event.who or self._who_elsewhere(event)
        found = outage(dataclasses.replace(signs, in_order=bool(who) or self._left_in_order(event.group, signs)))
        known = dataclasses.replace(event, who=who, outage=found)
        if known != event:
            self._put_anew(known)
        if found is not None:
            self._last[event.group] = _Known(known, signs.serves_s)

    def _end_measuring(self, vhid: int) -> None:
        """With what is known by now."""
        measuring = self._measuring.pop(vhid, None)
        if measuring is not None:
            self.notify.transition(measuring.event.document())
            if measuring.task is not None and measuring.task is not asyncio.current_task():
                measuring.task.cancel()

    def redundancy(self, vhid: int, healthy_standbys: int, text: str) -> None:
        """An ``OnRedundancy``."""
        self.notify.redundancy(self._node, vhid, healthy_standbys, text)

    async def _serves(self, driver: Driver, service: GroupService, since_s: float) -> float | None:
        """When the virtual IP has answered here, or another one of this node that was asked since; None if it has not
        in time, or this node is master no more."""
        assert self._watch is not None
        async with self._turns:
            while driver.is_master and self._clocks.now_s() < since_s + MEASURED_S_MAX:
                if self._answered is not None and self._answered.began_s >= since_s:
                    return self._answered.ended_s
                began_s = self._clocks.now_s()
                answered = await self._watch.ask(service)
                if answered is not None and answered.is_well:
                    self._answered = Seen(began_s, self._clocks.now_s(), answered)
                else:
                    await asyncio.sleep(AGAIN_S)
        return None

    # -- what the others have said -------------------------------------------------------------------------------------

    def _reports(self, vhid: int) -> Collection[Any]:
        """Of the members of a group, with the time at which each was believed."""
        known = self._reporting.groups.get(vhid)
        members = known.roster.members.values() if known is not None else ()
        return [(each.report, each.heard_at_s) for each in members if each.report is not None]

    def _left_in_order(self, vhid: int, signs: Signs) -> bool:
        """A member has said since the bow-out that it is master no more, so it was no guardian who said that; and its
        proxy answers."""
        since_s = signs.bowed_out_s
        return since_s is not None and any(
            heard_s >= since_s and report.state == "init" and report.proven_s < SECONDS_MAX
            for report, heard_s in self._reports(vhid)
        )

    def _who_elsewhere(self, event: Event) -> str:
        if event.reason != Reason.MASTER_DEMOTED.value:
            return ""
        nodes = [report.node for report, _ in self._reports(event.group) if _is_by_operator(report.reasons)]
        return f"operator (node {nodes[0]})" if len(nodes) == 1 else ""

    def _probing_members(self) -> list[Member]:
        """Also those that are silent: whoever comes back asks before it is heard. And this node itself, which may
        become master while it asks."""
        groups = self._reporting.groups.values()
        reports = [each.report for group in groups for each in group.roster.members.values() if each.report is not None]
        found = {(each.address, each.probes_from) for each in reports if each.probes_from}
        found |= {(group.own_address(), THIS_PROCESS) for group in groups}
        return [(address, port) for address, port in found if address]

    # -- what others ask -----------------------------------------------------------------------------------------------

    def add_to(self, status: dict[str, Any]) -> dict[str, Any]:
        """The status document with what is known here."""
        status |= {"history": self.history.status(), "notify": self.notify.status()}
        now_s = self._clocks.now_s()
        for group in status["groups"]:
            service = self._watch.groups.get(group["id"]) if self._watch is not None else None
            group["service"] = service.status(now_s) if service is not None else None
            group["last_outage"] = self._last_outage(group["id"], now_s)
        return status

    def _last_outage(self, vhid: int, now_s: float) -> dict[str, Any] | None:
        known = self._last.get(vhid)
        if known is None or known.event.outage is None:
            return None
        at = known.event.document()["at"]
        return {"at": at, **known.event.outage.document(), "age_s": round(now_s - known.serves_s, 2)}


def _signs(reason: str, driver: Driver, service: GroupService, now_s: float) -> Signs:
    record = driver.record
    failed_s = service.failed_s(now_s)
    return Signs(
        reason,
        took_over_s=now_s,
        serves_s=now_s,
        advertised_s=record.served_at_s,
        bowed_out_s=record.bowed_out_at_s,
        answered_s=service.well_s,
        failed_s=failed_s,
    )


def _is_by_operator(reasons: Sequence[str]) -> bool:
    return any(each.startswith(OPERATORS) for each in reasons)
