"""Does the virtual IP answer, as seen from this node: each group's is asked once in its interval, master or backup.

A backup asks over the LAN, as a client does; a master asks itself. Not more often than once a second, and all groups
together not more than ``PROBES_PER_S``: with many of them each has its turn later, and the age of what is known says
so. One probe of a group at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from typing import Protocol

from wsa_proxy.net.ports import Address
from wsa_proxy.runtime.driver import Driver
from wsa_proxy.runtime.tasks import create_task
from wsa_proxy.settings import GroupSettings
from wsa_proxy.settings import place_text

PROBES_PER_S = 2
"""Each is a request for this node's mitmproxy and for that of whoever has the address. All groups of a node have the
same one, which its self-tests ask each second as well."""
INTERVAL_S_MIN = 1.0
MEMBERS_EVERY_S = 0.5
KNOWN_AFTER_INTERVALS = 2
KNOWN_AFTER_S_MAX = 10.0
"""A group is asked first when the others have heard by its reports where from; or their logs would show it."""
HANGS_S = 0.5
"""A probe that is under way for so long counts as one that fails, for whoever cannot wait for its end: far longer than
a busy proxy takes as a rule."""

type Member = tuple[str, int]
"""An address and a port from which a node probes."""
THIS_PROCESS = 0
"""In place of the port from which this process does."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of one probe."""

    is_well: bool
    evidence: str
    """One clause: how it answered, or what was in the way."""


class ServiceProbe(Protocol):
    """What a node needs of its proxy to probe; where there is none nothing is known of the service."""

    async def ask(self, address: Address, port: int, *, here: bool) -> Answered:
        """One question to whoever has the address; ``here``: this node does. Within a limit of its own."""

    def expect(self, members: Collection[Member]) -> None:
        """These are the nodes' probes: to be answered, and shown to nobody."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One probe that has ended; monotonic seconds."""

    began_s: float
    ended_s: float
    answered: Answered


class GroupService:
    """What is known of one group's service."""

    def __init__(self, group: GroupSettings, driver: Driver) -> None:
        self.group, self.driver = group, driver
        self.address = probed_address(group)
        self.last: Seen | None = None
        self.well_s: float | None = None
        """When it answered last."""
        self.unwell_s: float | None = None
        """When the first question was asked that it has not answered since; None: the last one was answered."""
        self.asking_since_s: float | None = None
        """A probe is under way."""
        self.due_s = 0.0
        self._anew_s = 0.0

    def begin_anew(self, now_s: float) -> None:
        """What failed until now says nothing of the service: this node itself could not take part."""
        self._anew_s, self.unwell_s = now_s, None

    def seen(self, seen: Seen) -> None:
        """A probe has ended. One that was asked before the last answer, and failed, has asked somebody who has gone."""
        if not seen.answered.is_well and seen.began_s < max(self.well_s or 0.0, self._anew_s):
            return
        self.last = seen
        if seen.answered.is_well:
            self.well_s, self.unwell_s = seen.ended_s, None
        elif self.unwell_s is None:
            self.unwell_s = seen.began_s

    def failed_s(self, now_s: float) -> float | None:
        """As ``unwell_s``, with the probe that is under way."""
        asking_s = self.asking_since_s
        if self.unwell_s is None and asking_s is not None and asking_s >= self._anew_s and now_s - asking_s > HANGS_S:
            return asking_s
        return self.unwell_s

    def status(self, now_s: float) -> dict[str, Any] | None:
        """As in the status document; None: it was not asked yet, or cannot be."""
        if self.last is None:
            return None
        answered = self.last.answered
        return {
            "answers": answered.is_well,
            "ms": round((self.last.ended_s - self.last.began_s) * 1000, 1) if answered.is_well else None,
            "age_s": round(now_s - self.last.ended_s, 2),
            "address": place_text(self.address, self.group.port),
            "evidence": answered.evidence,
        }


class ServiceWatch:
    """Of one node; ``clock`` is monotonic seconds. Made and used inside the running loop."""

    def __init__(
        self, probe: ServiceProbe, clock: Callable[[], float], members: Callable[[], Collection[Member]]
    ) -> None:
        self._probe, self._clock, self._members = probe, clock, members
        self.groups: dict[int, GroupService] = {}
        self._running: asyncio.Task[None] | None = None

    def set_groups(self, groups: Sequence[tuple[GroupSettings, Driver]]) -> None:
        """These, and no others; one that goes on with its driver, asked at the same place, keeps what is known."""
        now_s, before, self.groups = self._clock(), self.groups, {}
        for group, driver in groups:
            known = before.get(group.vhid)
            service = GroupService(group, driver)
            if known is not None and known.driver is driver and known.address == service.address:
                known.group, service = group, known
            else:
                service.due_s = now_s + min(KNOWN_AFTER_INTERVALS * _interval_s(group), KNOWN_AFTER_S_MAX)
            self.groups[group.vhid] = service

    def begin(self) -> None:
        """Ask from now on, until ``close``."""
        self._running = create_task(self._run(), name="failover service watch")

    def close(self) -> None:
        """Harmless when repeated."""
        if self._running is not None:
            self._running.cancel()
            self._running = None

    async def _run(self) -> None:
        look_at_s = 0.0
        while True:
            now_s = self._clock()
            if now_s >= look_at_s:
                self._probe.expect(self._members())
                look_at_s = now_s + MEMBERS_EVERY_S
            due = [each for each in self.groups.values() if _can_be_asked(each)]
            service = min(due, key=lambda each: each.due_s, default=None)
            if service is not None and service.due_s <= now_s:
                # From when it is due, not from when it was asked: the probes of a busy loop do not drift together.
                service.due_s = max(service.due_s, now_s - INTERVAL_S_MIN) + _interval_s(service.group)
                create_task(self.ask(service), name="failover service probe")
            await asyncio.sleep(1 / PROBES_PER_S)

    async def ask(self, service: GroupService) -> Answered | None:
        """One probe now; None if it cannot be asked."""
        if service.address is None:
            return None
        began_s = service.asking_since_s = self._clock()
        try:
            answered = await self._probe.ask(service.address, service.group.port, here=service.driver.is_master)
            service.seen(Seen(began_s, self._clock(), answered))
            return answered
        finally:
            service.asking_since_s = None


def _can_be_asked(service: GroupService) -> bool:
    """Not one that has its address for its last answers only: it would ask itself, and not who has taken over."""
    return service.address is not None and service.asking_since_s is None and not service.driver.leaving.keeps


def _interval_s(group: GroupSettings) -> float:
    return max(INTERVAL_S_MIN, group.advertisement_interval_s)


def probed_address(group: GroupSettings) -> Address | None:
    """The first virtual IP that can be connected to without naming an interface; of the version in which the members
    report, if there is one."""
    known = [each for each in group.addresses if not each.is_link_local]
    return min(known, key=lambda each: each.version not in group.versions[:1], default=None)
