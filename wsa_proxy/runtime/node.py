"""One node: all its failover groups, the kernel's news for them, and the proxy's health.

The proxy side makes a ``Node``, starts it once the listeners are bound, tells it the proxy's health from then on,
and stops it. Everything else happens in the drivers, one for each group.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import logging
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from datetime import datetime
from typing import Any

from wsa_proxy.carp.credentials import Credentials
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.net.ports import Address
from wsa_proxy.net.ports import LeasePort
from wsa_proxy.runtime.apart import apart
from wsa_proxy.runtime.beat import Beat
from wsa_proxy.runtime.beat import beat_every_s
from wsa_proxy.runtime.beat import stall_limit_s
from wsa_proxy.runtime.carry_over import CarryOver
from wsa_proxy.runtime.chronicle import Chronicle
from wsa_proxy.runtime.clocks import Clocks
from wsa_proxy.runtime.clocks import host_clocks
from wsa_proxy.runtime.control import ControlSocket
from wsa_proxy.runtime.departure import Departure
from wsa_proxy.runtime.drill_report import DrillReport
from wsa_proxy.runtime.drill_report import keep
from wsa_proxy.runtime.driver import Driver
from wsa_proxy.runtime.facts import ProxyFacts
from wsa_proxy.runtime.fence import Fences
from wsa_proxy.runtime.group_switch import ProxySide
from wsa_proxy.runtime.health import UNPROVEN
from wsa_proxy.runtime.health import Health
from wsa_proxy.runtime.host_settings import host_settings_of
from wsa_proxy.runtime.identity import Identity
from wsa_proxy.runtime.identity import make_identity
from wsa_proxy.runtime.kernel_news import KernelNews
from wsa_proxy.runtime.mac_check import MacCheck
from wsa_proxy.runtime.maintenance import FILE_NAME as MAINTENANCE_FILE
from wsa_proxy.runtime.maintenance import Maintenance
from wsa_proxy.runtime.maintenance_file import MaintenanceFile
from wsa_proxy.runtime.maintenance_file import Submit
from wsa_proxy.runtime.operator_demotion import OperatorDemotion
from wsa_proxy.runtime.ports import Kernel
from wsa_proxy.runtime.preemption import end_waits
from wsa_proxy.runtime.pulse import Pulse
from wsa_proxy.runtime.record import OnTransition
from wsa_proxy.runtime.record import Transition
from wsa_proxy.runtime.record import tell_nobody
from wsa_proxy.runtime.reload import Fate
from wsa_proxy.runtime.reload import Plan
from wsa_proxy.runtime.reload import addresses_of
from wsa_proxy.runtime.reporting import Reporting
from wsa_proxy.runtime.seal_file import SealFile
from wsa_proxy.runtime.status import node_status
from wsa_proxy.runtime.switches import Switches
from wsa_proxy.runtime.verbs import Verb
from wsa_proxy.runtime.why import why
from wsa_proxy.settings import GroupSettings
from wsa_proxy.settings import Settings
from wsa_proxy.status_warnings import status_warnings

logger = logging.getLogger(__name__)


class Node:
    """All groups of one node; made inside the running loop."""

    def __init__(
        self,
        settings: Settings,
        kernel: Kernel,
        *,
        close_connections: Callable[[Collection[Address]], int],
        loop_lag_s: Callable[[], float] = lambda: 0.0,
        on_fence: Callable[[str], None] = lambda _: None,
        on_transition: OnTransition = tell_nobody,
        clocks: Clocks | None = None,
        submit: Submit | None = None,
        verbs: Mapping[str, Verb] | None = None,
        facts: Callable[[], ProxyFacts] = ProxyFacts,
        proxy: ProxySide = ProxySide(),  # noqa: B008 - frozen
        more_status: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        """``verbs``: what can be asked and ordered beside the node's own. ``on_fence`` is told why the
        guardian has given the addresses up: whoever knows the proxy will want a proof that it works again.
        ``more_status``: what the proxy's side adds to the status document."""
        self.settings = settings
        self.health, self._started_at = UNPROVEN, datetime.now(UTC)
        self._kernel = kernel
        self._clocks = clocks or host_clocks()
        # One thread writes all files of the node, one after the other.
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="failover files")
        self._submit: Submit = submit or self._writer.submit
        self._loop_lag_s = loop_lag_s
        self._more_status = more_status
        self._tell_others = on_transition
        self.reporting = Reporting(
            kernel,
            self._clocks,
            health=lambda: self.health,
            facts=facts,
            maintenance=lambda: self.maintenance.reported(),
        )
        self.switches = Switches(self.reporting, proxy, self._keep_drill)
        self.carry_over = CarryOver(kernel, self._clocks, self.reporting, proxy.clients, self._drain_timeout_s)
        self.chronicle = Chronicle(settings, self._clocks, self._submit, self.reporting, self.switches, proxy.service)
        self._beat: Beat | None = None
        self._is_reporting = False
        self._leases: LeasePort | None = None
        self._fences = Fences(self._drivers, on_fence, self.drain_kernel)
        self.departure = Departure(self._drivers, self._fences.drain)
        self.operator = OperatorDemotion(self._drivers, self._fences.drain, self._clocks.now_s)
        intent = MaintenanceFile(settings.state_dir / MAINTENANCE_FILE, self._submit)
        drivers, drain = self._drivers, self._fences.drain
        self.maintenance = Maintenance(intent, drivers, drain, self._clocks, self.switches.handing_over)
        self.verbs: Mapping[str, Verb] = self.chronicle.orders.watched({**self._verbs(), **(verbs or {})})
        self._control = ControlSocket(settings.socket_path, self.verbs)
        self._mac_check = MacCheck(kernel.foreign_mac_test)
        self._news = KernelNews(kernel, self._mac_check, self.reporting, self.carry_over.link_changed)
        self.pulse = Pulse(self._clocks.now_s)
        self._close_connections = self.pulse.outside(close_connections)
        self._seal_files: dict[int, SealFile] = {}
        self._identities: dict[int, Identity] = {}
        self._tie_break = functools.cache(kernel.tie_break)
        self._set_groups([(group, self._driver(group, settings)) for group in settings.groups])

    def _set_groups(self, groups: Sequence[tuple[GroupSettings, Driver]]) -> None:
        self._groups = list(groups)
        self._news.set_groups(groups)
        self.chronicle.take(groups, self.settings)
        if self._is_reporting:
            self.reporting.set_groups(groups, self.settings, self._identities)
            self.carry_over.settings_changed()
        if self._beat is not None:
            self._beat.drivers = self._drivers()

    def _drain_timeout_s(self) -> float:
        return self.settings.drain_timeout_s

    def _drivers(self) -> list[Driver]:
        return [driver for _, driver in self._groups]

    def _driver(self, group: GroupSettings, settings: Settings) -> Driver:
        if group.vhid not in self._seal_files:  # the file of an id whose group starts anew may be being written
            path = settings.state_dir / f"seal-{group.vhid}.json"
            self._seal_files[group.vhid] = SealFile(path, self._clocks.boot, self._submit)
        identity = make_identity(group, self._seal_files[group.vhid], self._clocks, settings.clock_tolerance_s)
        driver = Driver(
            VirtualHost(host_settings_of(group, settings, identity.credentials, self._tie_break)),
            identity,
            group.addresses,
            group.versions,
            clock=self._clocks.now_s,
            drain_kernel=self.drain_kernel,
            close_connections=self._close_connections,
        )
        self._identities[group.vhid] = identity
        driver.record.on_transition = self._on_transition
        driver.timer.afterwards = self.pulse.between
        driver.obstacles = {"link": "the interface has not been seen yet", "proxy": str(UNPROVEN.hard)}
        return driver

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Clean up after an earlier life, then follow the links. Raises ControlError or OSError."""
        await self._kernel.claim_patiently(self.settings.groups)
        self.maintenance.read()
        await self._control.start()
        self.maintenance.begin()
        await self.chronicle.begin()
        self._remove_leftovers([group for group, _ in self._groups])
        self._news.follow(self.drain_kernel)
        self._leases = self._kernel.leases()
        self._fences.follow(self._leases)
        self.pulse.beat = self._beat = Beat(
            self._drivers(),
            self._leases,
            clock=self._clocks.now_s,
            drain_kernel=self.drain_kernel,
            every_s=beat_every_s(self.settings),
        )
        self._news.read_links()
        self._is_reporting = True
        self.carry_over.start()
        self.reporting.set_groups(self._groups, self.settings, self._identities)

    def _remove_leftovers(self, groups: Collection[GroupSettings]) -> None:
        for address in self._kernel.remove_leftovers(addresses_of(groups)):
            logger.warning("carp the virtual IP %s of an earlier life was still here and has been removed", address)

    def stop(self, reason: str) -> None:
        """Leave all groups: bow out, end the connections on the virtual IPs, remove these."""
        self.departure.end(reason)

    def close(self) -> None:
        """Let go of everything; ``stop`` came before."""
        self._is_reporting = False
        self.reporting.close()
        self.carry_over.close()
        for _, driver in self._groups:
            driver.close()
        self.maintenance.close()
        self._mac_check.close()
        self._fences.close()
        if self._beat is not None:
            self._beat.close()
        self._news.close()
        self._kernel.keep_claims(())
        self._control.close()
        self.chronicle.close()
        self._writer.shutdown()

    # -- other settings ----------------------------------------------------------------------------------------------

    def apply(self, plan: Plan) -> None:
        """Carry a reload out, at once. Raises OSError when the kernel does not tell what it must; nothing is changed.
        The listeners of new virtual IPs are bound by now, and the connections of groups that end have been drained.
        """
        self._fences.drain()
        old = {group.vhid: driver for group, driver in self._groups}
        new = {group.vhid: group for group in plan.settings.groups}
        identities = dict(self._identities)
        self._tie_break = functools.cache(self._kernel.tie_break)  # one look at the host for all groups
        self._kernel.claim(plan.settings.groups)
        try:
            changes = [(old[vhid], *self._change_of(new[vhid], plan.settings)) for vhid in plan.ids(Fate.CHANGED)]
            begun = {vhid: self._driver(new[vhid], plan.settings) for vhid in plan.ids(Fate.BEGUN, Fate.RESTARTED)}
        except OSError:
            self._identities = identities
            self._kernel.keep_claims(self.settings.groups)
            raise
        self.settings = plan.settings
        # From here on nobody who reads the kernel's news meets a group that is on its way out.
        going_on = plan.ids(Fate.UNTOUCHED, Fate.CHANGED)
        self._set_groups([(group, old[vhid]) for vhid, group in new.items() if vhid in going_on])
        leaving = {vhid: old[vhid] for vhid in plan.ids(Fate.ENDED, Fate.RESTARTED)}
        for vhid, driver in leaving.items():
            with apart(vhid, "leave in order"):
                driver.set_obstacle("stop", f"the configuration was read again: the group {plan.fates[vhid].value}")
        for vhid, driver in leaving.items():
            with apart(vhid, "end"):
                driver.close()  # to remove a virtual MAC's interface takes the kernel 17 ms
                if self._beat is not None:
                    self._beat.catch_up()
        for driver, host_settings, credentials in changes:
            with apart(driver.record.vhid, "take other settings"):
                driver.change(host_settings, credentials)
        self._kernel.keep_claims(plan.settings.groups)
        self._kernel.set_virtual(addresses_of(plan.settings.groups))
        self._kernel.set_stall_limit(stall_limit_s(plan.settings))
        if self._beat is not None:
            self._beat.set_every(beat_every_s(plan.settings))
        if begun:
            self._begin(begun)

    def _begin(self, begun: Mapping[int, Driver]) -> None:
        """Join these to the groups that go on; each listens for a master-down interval first, as at a start."""
        drivers = {group.vhid: driver for group, driver in self._groups} | dict(begun)
        self._open_in_turns(begun)
        try:
            self._remove_leftovers([group for group in self.settings.groups if group.vhid in begun])
        except OSError as error:
            logger.error("carp the virtual IPs of an earlier life could not be removed: %s; their leases end", error)
        self._set_groups([(group, drivers[group.vhid]) for group in self.settings.groups])
        self.set_health(self.health)
        self._news.read_links()

    def _open_in_turns(self, begun: Mapping[int, Driver]) -> None:
        """It takes 2 ms each: the leases of the others are renewed in between. What fails is tried again below."""
        for group in self.settings.groups:
            with apart(group.vhid, "begin"), contextlib.suppress(OSError):
                if group.vhid in begun:
                    begun[group.vhid].attach(self._kernel.open(group, self._kernel.index_of(group.interface)))
                    if self._beat is not None:
                        self._beat.catch_up()

    def _change_of(self, group: GroupSettings, settings: Settings) -> tuple[VirtualHostSettings, Credentials]:
        credentials = self._identities[group.vhid].other_credentials(group, settings.clock_tolerance_s)
        return host_settings_of(group, settings, credentials, self._tie_break), credentials

    def _on_transition(self, vhid: int, transition: Transition) -> None:
        self.switches.transition(vhid, transition)
        self.reporting.state_changed(vhid)
        event = self.chronicle.transition(vhid, transition)
        self._tell_others(vhid, dataclasses.replace(transition, who=event.who))

    # -- the proxy's health ------------------------------------------------------------------------------------------

    def set_health(self, health: Health) -> None:
        """Hard: leave the groups. Soft: demoted, so that any well node takes over."""
        self._fences.drain()  # a master that is demoted says so
        self.health = health
        for group, driver in self._groups:
            with apart(group.vhid, "take the proxy's health"):
                self.operator.tell(driver)
                self.maintenance.tell(driver)
                driver.set_demotion("proxy", 1 if health.soft else 0, health.soft or "well again")
                driver.set_obstacle("proxy", health.hard)

    # -- the kernel's news -------------------------------------------------------------------------------------------

    def drain_kernel(self) -> None:
        """Read what the kernel told about links and addresses; the drivers call this before they look at the clock."""
        self._fences.drain()  # before anything else: what this process believes it holds, it may not hold any more
        self._news.drain()
        self.reporting.drain()

    # -- what others ask ---------------------------------------------------------------------------------------------

    def _verbs(self) -> dict[str, Verb]:
        """What can be asked and ordered, whatever the proxy is."""
        return {
            "status": self.status,
            "history": self.chronicle.history.read,
            "why": self.why,
            "preempt": self.preempt,
            "switch": self.switch,
            "drill": self.drill,
            "maintenance_on": self.maintenance.on,
            "maintenance_off": self.maintenance.off,
        }

    def preempt(self, group: str = "") -> dict[str, Any]:
        """The operator wants this group, or all, to wait no longer before it preempts."""
        return end_waits(self._groups, group)

    def why(self, group: str = "") -> dict[str, Any]:
        """Three sentences for this group, or for each: what it is, what holds it there, what would change that."""
        return why(self.status(), group)

    async def switch(self, group: str, to: str = "") -> dict[str, Any]:
        """Let the node ``to``, or the best standby, be master of this group by consent (``members/switching.py``)."""
        return await self.switches.switch([each.vhid for each, _ in self._groups], group, to)

    async def drill(self, group: str, objective_ms: str) -> dict[str, Any]:
        """Switch to the standby and back, measured by a member that probes the virtual IP."""
        return await self.switches.drill([each.vhid for each, _ in self._groups], group, objective_ms)

    async def _keep_drill(self, report: DrillReport) -> None:
        written = self._submit(lambda: keep(self.settings.state_dir, report))
        if not written.done():
            await asyncio.wrap_future(written)

    def status(self) -> dict[str, Any]:
        """The status document, see ``status.py``."""
        document = node_status(
            self.settings,
            self._groups,
            self._leases,
            self.health,
            self._mac_check.verdict,
            self.reporting.status,
            operator=self.operator.status(),
            maintenance=self.maintenance.status(),
            guardian=self._leases.guardian if self._leases is not None else None,
            stall_limit_s=stall_limit_s(self.settings),
            started_at=self._started_at,
            loop_lag_s=self._loop_lag_s(),
            now=self._clocks.now_s(),
            more=self._more_status(),
        )
        document = self.carry_over.add_to(self.chronicle.add_to(document))
        return document | {"warnings": status_warnings(document)}
