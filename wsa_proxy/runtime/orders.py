"""Which order of an operator a change of state follows from, and who has given it.

An order and what it leads to are apart: whoever is demoted leaves when somebody else is heard, seconds later perhaps.
So each order is remembered, and a change is put down to the last one that can have led to it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass

from wsa_proxy.carp.commands import Reason
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import State
from wsa_proxy.runtime.asker import asker
from wsa_proxy.runtime.driver import Driver
from wsa_proxy.runtime.verbs import Verb

REMEMBERED_S = 60.0
"""So long an order that demotes nobody (``restore``, ``preempt``, ``reload``) can be the cause of what happens."""
REREAD = "the configuration was read again"
DEMOTED_BY = {"maintenance": "maintenance_on", "operator": "demote"}
"""By the name of a demotion: the order that it is of."""
RETURNS = ("restore", "maintenance_off", "preempt")
WATCHED = ("demote", "reload", "maintenance_on", *RETURNS)


@dataclass(frozen=True, slots=True)
class _Order:
    who: str
    group: str
    """Empty: of all."""
    at_s: float


class Orders:
    """Of one node; ``clock`` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: dict[str, _Order] = {}

    def watched(self, verbs: Mapping[str, Verb]) -> dict[str, Verb]:
        """The same verbs; who asks for one that changes something is remembered."""
        return {name: self._watching(name, verb) if name in WATCHED else verb for name, verb in verbs.items()}

    def _watching(self, name: str, verb: Verb) -> Verb:
        @functools.wraps(verb)
        def ordered(*arguments: str, **named: str) -> object:
            group = named.get("group", arguments[0] if arguments and name == "preempt" else "")
            before = self._last.get(name)
            # What it leads to may happen before it is answered.
            self._last[name] = _Order(asker.get(), group, self._clock())
            answer = verb(*arguments, **named)
            if isinstance(answer, dict) and "error" in answer:
                self._forget(name, before)
            return answer

        return ordered  # type: ignore[return-value]

    def _forget(self, name: str, before: _Order | None) -> None:
        """The last one was refused."""
        del self._last[name]
        if before is not None:
            self._last[name] = before

    def who(self, report: ReportTransition, driver: Driver, switched_by: str) -> str:
        """Empty: nobody has ordered it. ``switched_by`` has ordered the planned switch that the group holds to."""
        group = str(driver.record.vhid)
        if report.old is State.MASTER and report.new is State.BACKUP:
            if driver.demotions.of("switch"):
                return switched_by
            found = [verb for name, verb in DEMOTED_BY.items() if driver.demotions.of(name)]
            return next((self._last[verb].who for verb in found if verb in self._last), "")
        if report.reason == Reason.MASTER_DEMOTED.value and switched_by:
            return switched_by
        if report.reason in (Reason.PREEMPTED.value, Reason.MASTER_DEMOTED.value):
            return self._lately(RETURNS, group)
        return self._lately(("reload",), group) if report.reason.startswith(REREAD) else ""

    def _lately(self, verbs: tuple[str, ...], group: str) -> str:
        since_s = self._clock() - REMEMBERED_S
        orders = [self._last[verb] for verb in verbs if verb in self._last]
        fitting = [each for each in orders if each.at_s >= since_s and each.group in ("", group)]
        return max(fitting, key=lambda each: each.at_s).who if fitting else ""
