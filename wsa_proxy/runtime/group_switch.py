"""The pump of planned switches of one group: it feeds ``members/switching.py`` with reports and the clock, and does
what that wishes.

A decision that this node holds to is the demotion ``switch`` of its driver. On the way out the addresses go as on an
orderly stop (``leaving.py``), but without a bow-out: the reports say first who is to take over, and then the
advertisement that this node is demoted, so that whoever reads both in one turn takes over in that turn.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Collection
from dataclasses import dataclass
from dataclasses import field
from datetime import UTC
from datetime import datetime
from typing import Protocol

from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import DemotionChanged
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.members.roster import Member
from wsa_proxy.members.switch_words import Said
from wsa_proxy.members.switch_words import read
from wsa_proxy.members.switching import HandOver
from wsa_proxy.members.switching import Outcome
from wsa_proxy.members.switching import Prove
from wsa_proxy.members.switching import Switching
from wsa_proxy.members.switching import Wish
from wsa_proxy.net.ports import Address
from wsa_proxy.runtime.asker import asker
from wsa_proxy.runtime.demotions import SWITCH
from wsa_proxy.runtime.driver import Driver
from wsa_proxy.runtime.group_carry import CarriedClients
from wsa_proxy.runtime.group_carry import NoClients
from wsa_proxy.runtime.group_drill import GroupDrill
from wsa_proxy.runtime.group_reports import GroupReports
from wsa_proxy.runtime.probing import Probe
from wsa_proxy.runtime.probing import answered
from wsa_proxy.runtime.record import Transition
from wsa_proxy.runtime.service_watch import ServiceProbe
from wsa_proxy.runtime.tasks import create_task

logger = logging.getLogger(__name__)

REPEATED_S = 0.05
"""Between two reports of whoever carries a switch out, or has passed an order on."""
ADVERTISED_AGAIN_S = 0.1
"""A master that is demoted for the other's sake says so again, in case that was lost."""
OUTCOME_S_MAX = 20.0
"""Longer than any order takes to come to its end."""
ORDERS_KEPT = 16
"""Of the last orders it is remembered who has given them."""


class Departure(Protocol):
    """How this node leaves the group, for whoever hands its clients over."""

    @property
    def is_needed(self) -> bool: ...
    @property
    def awaits_successor(self) -> bool: ...
    def begin(self, reason: str) -> None: ...
    def fall_silent(self) -> None: ...
    def let_go(self, reason: str) -> None: ...
    @property
    def carried(self) -> frozenset[Address]: ...
    @property
    def drains(self) -> bool: ...


type Prover = Callable[[], Awaitable[str]]
"""Asks this node's own proxy, by requests that begin now. Answers why it cannot serve; empty: it can."""
type HandsOver = Callable[[Departure, Collection[Address]], Awaitable[None]]
"""Lets the clients of these addresses finish while the group is left."""


async def proven() -> str:
    """A ``Prover`` where there is no proxy."""
    return ""


async def at_once(departure: Departure, addresses: Collection[Address]) -> None:
    """A ``HandsOver`` where there are no clients."""
    departure.begin("switch")
    deadline_s = asyncio.get_running_loop().time() + ADVERTISED_AGAIN_S * 3
    while departure.awaits_successor and asyncio.get_running_loop().time() < deadline_s:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.005)
    departure.fall_silent()
    departure.let_go("switch")


@dataclass(frozen=True, slots=True)
class ProxySide:
    """What a switch needs of the proxy."""

    prove: Prover = proven
    probe: Probe = answered
    hand_over: HandsOver = at_once
    service: ServiceProbe | None = None
    clients: CarriedClients = field(default_factory=NoClients)


class GroupSwitch:
    """Of one group with reports; made inside the running loop. It is what ``Switching`` sees of this node."""

    def __init__(self, reports: GroupReports, proxy: ProxySide) -> None:
        self._reports, self._proxy = reports, proxy
        self._driver: Driver = reports.driver
        self.switching = Switching(self, reports.roster, os.urandom)
        self._waiting: dict[bytes, asyncio.Future[Outcome]] = {}
        self._by: dict[bytes, str] = {}
        """Who has given an order, by its id."""
        self._timer: asyncio.TimerHandle | None = None
        self._said, self._said_at_s = Said(), 0.0
        self._advertised_at_s = 0.0
        self._closed = False
        self.drill = GroupDrill(self, reports, proxy.probe)
        reports.switch = self.says
        reports.on_report.append(self._heard)
        self._driver.on_advertisement = self._advertised

    # -- what Switching asks -------------------------------------------------------------------------------------------

    @property
    def node(self) -> str:
        return self._reports.settings.node

    @property
    def priority(self) -> int:
        return self._reports.group.priority

    @property
    def is_master(self) -> bool:
        return self._driver.is_master

    @property
    def is_unfit(self) -> bool:
        return bool(self._driver.obstacles or self._driver.demotions.beside([SWITCH]))

    @property
    def trouble(self) -> str | None:
        """One peer of many that cannot be sent to is a trouble, too; but whoever is fresh has heard this node."""
        return None if self._reports.roster.fresh(self._reports.now_s()) else self._reports.trouble

    def not_ready(self, member: Member, now_s: float) -> list[str]:
        """As the standings have it."""
        return self._reports.standings.not_ready(member, now_s)

    # -- what others ask -----------------------------------------------------------------------------------------------

    async def order(self, to: str) -> Outcome:
        """Switch to this node, or to the best standby if it is empty. Answers what came of it."""
        self._driver.turn()  # whoever has overslept is master no more
        order_id = self.switching.order(to, self._reports.now_s())
        self._given(order_id, asker.get())
        waiting: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[order_id] = waiting
        self._look()
        try:
            async with asyncio.timeout(OUTCOME_S_MAX):
                return await waiting
        except TimeoutError:
            return Outcome(order_id, done=False, text=f"nothing came of it within {OUTCOME_S_MAX:g} s")
        finally:
            del self._waiting[order_id]

    async def hand_over(self) -> None:
        """To the best standby, if this node is master and there is one; what is in the way is in the log."""
        if self.is_master and self._reports.standings.redundancy.standbys:
            await self.order("")

    def let_go(self) -> None:
        """This node was switched away from for a while only, and what demotes it for that while does from now on."""
        if self.switching.abstains_for is not None:
            self.switching.let_go()
            self._after()

    def says(self) -> Said:
        """For the next report."""
        said, more = self.switching.says(), self.drill.says()
        if by := next((self._by[each] for each in _orders(said) if each in self._by), ""):
            more["by"] = by
        if self._driver.demotions.reasons.keys() == {SWITCH}:
            more["only"] = True
        return dataclasses.replace(said, **more) if more else said  # asked for each report, and hardly ever needed

    @property
    def ordered_by(self) -> str:
        """Who has ordered the switch that this group holds to; empty: nobody is known to have."""
        decision = self.switching.decision
        return self._by.get(decision.id, "") if decision is not None else ""

    def _given(self, order_id: bytes, by: str) -> None:
        if by and order_id not in self._by:
            self._by[order_id] = by
            if len(self._by) > ORDERS_KEPT:
                del self._by[next(iter(self._by))]

    def transition(self, transition: Transition) -> None:
        """The driver has changed its state, in the middle of a turn."""
        if transition.report.new is State.MASTER:
            self._driver.leaving.stay()
        asyncio.get_running_loop().call_soon(self._look)

    def close(self) -> None:
        """The group ends, or its reports do."""
        self._closed = True
        self.drill.close()
        self._driver.on_advertisement = lambda _: None
        self._driver.set_demotion(SWITCH, 0, "members are not heard any more")
        if self._timer is not None:
            self._timer.cancel()
        for order_id, waiting in self._waiting.items():
            if not waiting.done():
                waiting.set_result(Outcome(order_id, done=False, text="the group has ended on this node"))

    # -- the pump ------------------------------------------------------------------------------------------------------

    def _heard(self, member: Member) -> None:
        said = read(member.report)
        now_s, phase = self._reports.now_s(), said.phase
        for order_id in _orders(said):
            self._given(order_id, said.by)
        self.switching.hear(member, _time_of_day() if phase is not None else "", now_s)
        self.drill.heard(member)
        self._after()
        # Whoever repeats what is to be done may not have heard that it was.
        if phase is not None and now_s >= self._said_at_s + REPEATED_S / 2:
            self._say()

    def _advertised(self, advertisement: Advertisement) -> None:
        is_bow_out, is_demoted = advertisement.is_bow_out, bool(advertisement.demotion)
        self.switching.advertised(self._reports.now_s(), is_bow_out=is_bow_out, is_demoted=is_demoted)
        self._set_demotion()
        if is_bow_out:
            self._reports.standings.await_better()

    def _look(self) -> None:
        if not self._closed:
            self.switching.step(self._reports.now_s())
            self._after()

    def _after(self) -> None:
        """Whatever was told to it may have changed what it says, holds to, wishes and waits for."""
        self._set_demotion()
        for wish in self.switching.take_wishes():
            self._do(wish)
        if self.says() != self._said:
            self._say()
        self._arm()

    def _say(self) -> None:
        self._said, self._said_at_s = self.says(), self._reports.now_s()
        self._reports.send()

    def _arm(self) -> None:
        if self._timer is not None or self._closed:
            return
        after_s = REPEATED_S if self.switching.is_active else self._reports.interval_s
        if self.switching.is_active or self.switching.decision is not None:
            self._timer = asyncio.get_running_loop().call_later(after_s, self._beat)

    def _beat(self) -> None:
        self._timer = None
        try:
            if self.switching.is_active:
                self._say()
                self._advertise_again()
            self._look()
        finally:
            self._arm()  # whatever went wrong, what has begun comes to its end

    def _advertise_again(self) -> None:
        now_s, driver = self._reports.now_s(), self._driver
        driver.turn()  # a successor's advertisement that waits would be older than ours, and a replay
        if self.switching.is_moving and driver.is_master and now_s >= self._advertised_at_s + ADVERTISED_AGAIN_S:
            self._advertised_at_s = now_s
            driver.tell(DemotionChanged(driver.virtual_host.demotion, "not taken over yet"))

    def _set_demotion(self) -> None:
        node = self.switching.abstains_for
        is_demoted = bool(self._driver.demotions.of(SWITCH))
        if (node is not None) != is_demoted:
            ended = f"the switch is over: {self.switching.last_ended or 'nobody has to hold to it'}"
            reason = ended if node is None else f"switched to {node} by the operator"
            self._driver.set_demotion(SWITCH, int(node is not None), reason)

    def _do(self, wish: Wish) -> None:
        match wish:
            case Prove():
                create_task(self._prove(wish), name="failover proof")
            case HandOver():
                logger.warning("carp vhid=%d is handed over to node %s", self._driver.record.vhid, wish.node)
                create_task(self._hand_over(), name="failover switch")
            case Outcome():
                done = "was carried out" if wish.done else "was not carried out"
                logger.warning("carp vhid=%d the switch %s: %s", self._driver.record.vhid, done, wish.text)
                if (waiting := self._waiting.get(wish.id)) is not None and not waiting.done():
                    waiting.set_result(wish)

    async def _prove(self, wish: Prove) -> None:
        try:
            why_not = await self._proxy.prove()
        except Exception as error:
            logger.exception("carp vhid=%d the proxy could not be asked", self._driver.record.vhid)
            why_not = f"its proxy could not be asked: {error!r}"
        if not self._closed:
            self.switching.proven(wish.id, why_not)
            self._after()

    async def _hand_over(self) -> None:
        try:
            await self._proxy.hand_over(_GroupDeparture(self._driver, self._move), self._reports.group.addresses)
        finally:
            self._handed_over()

    def _move(self) -> bool:
        if self._closed or not self.switching.move(_time_of_day(), self._reports.now_s()):
            return False
        self._say()  # before the advertisement
        self._advertised_at_s = self._reports.now_s()
        self._set_demotion()
        return True

    def _handed_over(self) -> None:
        if not self._closed:
            self.switching.handed_over(self._reports.now_s())
            self._after()


class _GroupDeparture:
    """Of one group whose node goes on. ``move`` tells who takes over, and demotes this one; False: it stays."""

    def __init__(self, driver: Driver, move: Callable[[], bool]) -> None:
        self._driver, self._move = driver, move
        self._has_begun = False

    @property
    def is_needed(self) -> bool:
        return self._driver.is_master

    @property
    def awaits_successor(self) -> bool:
        driver = self._driver
        return self._has_begun and (driver.is_master or driver.leaving.awaits_successor)

    def begin(self, reason: str) -> None:
        self._driver.turn()
        if self._driver.is_master:
            self._driver.leaving.begin()
            self._has_begun = self._move()
            if not self._has_begun:
                self._driver.leaving.stay()

    def fall_silent(self) -> None:
        if self._driver.is_master:
            self._driver.leaving.stay()
        elif not self._stops:
            self._driver.leaving.fall_silent()

    def let_go(self, reason: str) -> None:
        if self._driver.is_master:
            self._driver.leaving.stay()
        elif not self._stops:
            self._driver.leaving.let_go()

    @property
    def carried(self) -> frozenset[Address]:
        return self._driver.leaving.carried

    @property
    def drains(self) -> bool:
        return self._driver.leaving.is_carried

    @property
    def _stops(self) -> bool:
        """The whole node leaves meanwhile, in an order of its own."""
        return "stop" in self._driver.obstacles


def _orders(said: Said) -> list[bytes]:
    """The orders that it is about."""
    return [each for each in (said.order, said.id, said.held) if each]


def _time_of_day() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
