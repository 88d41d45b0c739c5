"""The operator's demotion: any well node takes over from this one, until the operator restores it.

It lasts as long as the process; a restart ends it, since whoever restarts a node wants it to work. What survives a
restart, and ends by itself, is ``maintenance.py``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from typing import Any

from wsa_proxy.runtime.driver import Driver
from wsa_proxy.runtime.node_demotion import REASON_WANTED
from wsa_proxy.runtime.node_demotion import NodeDemotion
from wsa_proxy.runtime.node_demotion import one_line

logger = logging.getLogger(__name__)

type Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Demotion:
    """What the operator has said, and when."""

    reason: str
    since: datetime
    since_s: float
    """Monotonic."""


class OperatorDemotion:
    """Of a node whose drivers ``drivers`` answers; ``drain`` reads what the guardian has told, ``clock`` is monotonic
    seconds."""

    def __init__(
        self, drivers: Callable[[], Iterable[Driver]], drain: Callable[[], None], clock: Callable[[], float]
    ) -> None:
        self._told = NodeDemotion("operator", drivers, drain)
        self._clock = clock
        self._demotion: Demotion | None = None

    def demote(self, reason: str) -> Answer:
        """Give way to any well node. A second one has another reason, and nothing else changes."""
        line = one_line(reason)
        if line is None:
            return {"error": REASON_WANTED}
        self._demotion = Demotion(line, datetime.now(UTC), self._clock())
        logger.warning("carp this node was demoted by its operator: %s", line)
        self._told.set(True, f"demoted by the operator: {line}")
        return {"changes": [f"demoted: {line}"]}

    def restore(self) -> Answer:
        """As if nothing had been said; no change when nothing was."""
        if self._demotion is None:
            return {"changes": []}
        reason, self._demotion = self._demotion.reason, None
        logger.warning("carp this node was restored by its operator; it had been demoted: %s", reason)
        self._told.set(False, "restored by the operator")
        return {"changes": [f"no longer demoted by the operator: {reason}"]}

    def tell(self, driver: Driver) -> None:
        """This group has just begun, or others are told as well."""
        self._told.tell(driver)

    def status(self) -> dict[str, Any] | None:
        """As in the status document; None unless demoted."""
        if self._demotion is None:
            return None
        age_s = round(self._clock() - self._demotion.since_s, 2)
        return {"reason": self._demotion.reason, "since": self._demotion.since.isoformat(), "age_s": age_s}
