"""How long a better backup must endure an inferior master, and when it may no longer: I2 and V4, with what it tells.

Reckoned apart from the core, of what happened to the node since its process began.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import Reason
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import ReportWait
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import DemotionChanged
from wsa_proxy.carp.events import PreemptionReleased
from wsa_proxy.simulation.bounds import EPSILON_S
from wsa_proxy.simulation.bounds import QUICK_DELAYS
from wsa_proxy.simulation.bounds import QUICK_S
from wsa_proxy.simulation.bounds import heard_rank
from wsa_proxy.simulation.bounds import rank
from wsa_proxy.simulation.memory import NEVER_S
from wsa_proxy.simulation.memory import Memory
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.violation import Violation


class Restraint:
    """Of one node. ``marks`` counts the situations that a campaign must have seen."""

    def __init__(self, node: Node, memory: Memory, marks: Counter[str]) -> None:
        self._node = node
        self._memory = memory
        self._marks = marks
        self._begin_life()

    def _begin_life(self) -> None:
        self._changes_at_s: list[float] = []
        """From or to MASTER, each in quick succession on the one before."""
        self._waits_since_s = self._told_s = -NEVER_S
        self._event: object = None

    @property
    def from_s(self) -> float:
        """From then on it preempts."""
        first_s = self._waits_since_s + self._node.settings.preempt_delay_s
        calm_s = self._changes_at_s[-1] + self._quick_s if self._changes_at_s else -NEVER_S
        return min(self._waits_since_s + self._delay_s, max(first_s, calm_s))

    def told(self, kind: str, what: Any) -> None:
        """One line of the node's story."""
        if kind == "life":
            self._begin_life()
        elif kind == "event":
            self._event = what
            if self._node.state is State.BACKUP:
                if isinstance(what, PreemptionReleased):
                    self._waits_since_s = -NEVER_S
                elif isinstance(what, DemotionChanged) and what.demotion < self._node.demotion:
                    self._waits_since_s = self._node.now
        elif kind == "commands":
            self._answers(what)

    @property
    def _delay_s(self) -> float:
        settings = self._node.settings
        delay_s, most_s = settings.preempt_delay_s, max(settings.preempt_delay_s, settings.preempt_delay_max_s)
        for _ in self._changes_at_s[1:]:
            delay_s = min(2 * delay_s, most_s)
        return delay_s

    @property
    def _quick_s(self) -> float:
        return max(QUICK_S, QUICK_DELAYS * self._delay_s)

    def _answers(self, commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, ReportTransition):
                self._transition(command)
        told = [command for command in commands if isinstance(command, ReportWait)]
        endures = self._node.state is State.BACKUP and self._endures()
        if not endures and not told:
            return
        if endures:
            # A master that has overslept hears an inferior one as a backup that has just become one.
            self._memory.reasons, self._memory.takeover_due_s = frozenset(), NEVER_S
        self._judge_told(told, endures)

    def _transition(self, report: ReportTransition) -> None:
        now = self._node.now
        # I2: nobody preempts before its wait has ended.
        if report.reason == Reason.PREEMPTED.value and now < self.from_s - EPSILON_S:
            raise Violation("I2", f"node {self._node.number} preempts {self.from_s - now:.3f} s too early")
        if State.MASTER in (report.old, report.new):
            if self._changes_at_s and now >= self._changes_at_s[-1] + self._quick_s:
                self._marks["role changes were forgotten"] += self._node.settings.preempt_delay_s > 0
                self._changes_at_s.clear()
            self._changes_at_s.append(now)
        if report.new is State.BACKUP:
            self._waits_since_s = now

    def _endures(self) -> bool:
        """Has it heard a master that it would preempt but for its wait? None that is unwell or hopelessly slow."""
        if not isinstance(self._event, AdvertisementReceived) or self._node.now >= self.from_s - EPSILON_S:
            return False
        settings, heard, own = self._node.settings, self._event.advertisement, rank(self._node)
        other = heard_rank(heard)
        hopeless = settings.advbase and own[1] + 2 * 256 * settings.advbase < other[1]
        return settings.preempt and own < other and own[0] == other[0] and not hopeless and not heard.is_bow_out

    def _judge_told(self, told: list[ReportWait], endures: bool) -> None:
        # V4: it says so, once, and for how long.
        node = self._node
        news = endures and abs(self.from_s - self._told_s) > EPSILON_S
        if len(told) != news or any(abs(node.now + each.wait_s - self.from_s) > EPSILON_S for each in told):
            raise Violation("V4", f"node {node.number} preempts in {self.from_s - node.now:.3f} s, and tells {told}")
        if told:
            self._told_s = self.from_s
            self._marks["a better backup waits"] += 1
            self._marks["a better backup waits longer"] += self._delay_s > node.settings.preempt_delay_s
