"""A group's last drill where it has clients: C4, what a planned move and a death promise to those, and C2.

A planned move resets nobody before ``drain_timeout``; of a node that has died all are told within 2 s of the takeover,
and of one that dies while it drains, within 2 s of what it takes to notice that. Then everything has come to an end.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from wsa_proxy.carp.commands import State
from wsa_proxy.simulation.bounds import base_s
from wsa_proxy.simulation.bounds import down_s
from wsa_proxy.simulation.carrying_node import TOLD_S
from wsa_proxy.simulation.carrying_node import CarryingNode
from wsa_proxy.simulation.carrying_node import switch
from wsa_proxy.simulation.clientele import Clientele
from wsa_proxy.simulation.clientele import Journey
from wsa_proxy.simulation.clients import Clients
from wsa_proxy.simulation.continuity import SILENT_REPORTS
from wsa_proxy.simulation.continuity import TOLD_WITHIN_S
from wsa_proxy.simulation.continuity import Continuity
from wsa_proxy.simulation.filtered import FilteredSettling
from wsa_proxy.simulation.memory import NEVER_S

SETTLED_S = 2.0
"""So much later the next planned move may come: all that the node drains is known by then. (What began just before it
fell silent is steered to the last master only, who may have it from the one before.)"""
QUICK_S = 0.002
"""A frame that takes no longer keeps the worse backups from following a bow-out as well."""
LATE_CLIENTS = 4
LATE_TALK_S = 0.1
FREEZES_DOWNS = 3
"""D."""
DRAINED_S = 1.0
"""After ``drain_timeout``, beside what it takes to notice that a node is silent: then nothing is steered."""


class JourneySettling(FilteredSettling):
    """Of a run whose nodes have clients."""

    clients: Clients
    continuity: Continuity
    clientele: Clientele

    def quiet(self) -> None:
        """And then whoever drained has ended that, and the lists have gone round."""
        self._drains_end()
        super().quiet()
        self.continuity.disturbed = False
        self._drains_end()
        self.continuity.judge_rest()

    def drill(self) -> None:
        """The journey; an operator, or death, comes at any time between two advertisements."""
        journey = self.clientele.journey
        self._marks[f"journey: {journey.value}"] += 1
        master = self._carrier(self._the_master("V4"))
        if journey is Journey.CRASH:
            self._is_followed(master, master.crash)
        elif journey is Journey.FREEZE:
            self._is_followed(master, partial(master.stall, FREEZES_DOWNS * down_s(master)))
        else:
            self._promise(journey)
            self._begin(master, stops=journey is Journey.STOP)
            settled_s = SETTLED_S if journey in (Journey.BACK, Journey.FURTHER) else 0.0
            self._pass(max(self.clientele.second_s, settled_s))
            self._go_on(master, journey)
        self._drains_end()
        self.continuity.promised_until_s = -NEVER_S
        self._start_all()
        self._agree(self._stations)
        self._drains_end()
        self.continuity.judge_rest()

    # -- planned moves -------------------------------------------------------------------------------------------------

    def _promise(self, journey: Journey) -> None:
        several = len(self._stations) > 2 and self._lan.weather.delay_s_max > QUICK_S
        if journey is Journey.STOP and (several or self._ties_s(self._stations)):
            return  # several follow the bow-out, and the switch believes one that gives way
        self.continuity.promised_until_s = self._lan.timeline.now + self.clientele.drain_s

    def _begin(self, master: CarryingNode, *, stops: bool) -> None:
        # Some begin when it has counted, and is the master yet.
        self.clients.begin(LATE_CLIENTS, TOLD_S, LATE_TALK_S)
        if stops:
            master.stop()
        else:
            switch([self._carrier(each) for each in self._stations], master)
        self._pass(TOLD_S + 2 * self._slack_s + self._ties_s(self._stations))

    def _go_on(self, first: CarryingNode, journey: Journey) -> None:
        masters = [station for station in self._stations if station.state is State.MASTER]
        second = self._carrier(masters[0]) if masters else first
        if journey in (Journey.BACK, Journey.FURTHER):
            # Back: the first node is well again before. Further: it is so only later.
            if journey is Journey.BACK:
                first.demote(0)
            switch([self._carrier(each) for each in self._stations], second)
        elif journey is Journey.OLD_DIES and first.keeps:
            self.continuity.exempt = frozenset({first.number})
            known = self.continuity.known(first.number)
            first.crash()
            self._pass(SILENT_REPORTS * self._slowest_s + 1.0 + TOLD_WITHIN_S + 2 * self._slack_s)
            self.continuity.judge_ended(known, "after it has died while it drained")
        elif journey is Journey.NEW_DIES and second is not first:
            self.continuity.exempt = frozenset({second.number})
            self._is_followed(second, second.crash)

    # -- deaths --------------------------------------------------------------------------------------------------------

    def _is_followed(self, master: CarryingNode, die: Callable[[], None]) -> None:
        known = self.continuity.known(master.number)
        others = [station for station in self._stations if station is not master and station.awake]
        silence_s = min(map(down_s, others)) + 4 * self._slack_s + self._ties_s(others)
        began_s = self._lan.timeline.now
        die()
        self._pass(silence_s)
        if self.continuity.took_over_at_s < began_s:
            self._somebody("V2", others)
        ends_s = self.continuity.took_over_at_s + TOLD_WITHIN_S + self._slack_s
        self._pass(max(ends_s - self._lan.timeline.now, 0.0))
        if master.awake and master.state is State.MASTER:
            # It froze, is awake, and better than who took over for a moment: nobody else can tell them any more.
            self._marks["who had frozen was master again at once"] += 1
        else:
            self.continuity.judge_ended(known, f"{TOLD_WITHIN_S:g} s after the takeover")

    # -- helpers -------------------------------------------------------------------------------------------------------

    @property
    def _slowest_s(self) -> float:
        return max(base_s(self._carrier(station)) for station in self._stations)

    def _carrier(self, station: object) -> CarryingNode:
        assert isinstance(station, CarryingNode)
        return station

    def _drains_end(self) -> None:
        self._pass(self.clientele.drain_s + SILENT_REPORTS * self._slowest_s + DRAINED_S)

    def _start_all(self) -> None:
        for station in self._stations:
            station.start()
            station.thaw()  # type: ignore[union-attr]
            station.demote(0)
