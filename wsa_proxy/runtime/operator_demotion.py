"""The operator's demotion: any well node takes over from this one, until the operator restores it.

It lasts as long as the process; a restart ends it, since whoever restarts a node wants it to work. It is a name of its
own beside what the proxy's self-tests say (``Driver.set_demotion``), so neither ends the other. A demoted node that
nobody takes over from goes on serving.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from typing import Any

from wsa_proxy.runtime.apart import apart
from wsa_proxy.runtime.driver import Driver

logger = logging.getLogger(__name__)

REASON_CHARACTERS_MAX = 200  # it is shown in one line

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
        self._drivers = drivers
        self._drain = drain
        self._clock = clock
        self._demotion: Demotion | None = None

    def demote(self, reason: str) -> Answer:
        """Give way to any well node. A second one has another reason, and nothing else changes."""
        reason = " ".join(reason.split())
        if not reason or len(reason) > REASON_CHARACTERS_MAX or not reason.isprintable():
            return {"error": f"give the reason: one line of text, at most {REASON_CHARACTERS_MAX} characters"}
        self._demotion = Demotion(reason, datetime.now(UTC), self._clock())
        logger.warning("carp this node was demoted by its operator: %s", reason)
        self._tell_all()
        return {"changes": [f"demoted: {reason}"]}

    def restore(self) -> Answer:
        """As if nothing had been said; no change when nothing was."""
        if self._demotion is None:
            return {"changes": []}
        reason, self._demotion = self._demotion.reason, None
        logger.warning("carp this node was restored by its operator; it had been demoted: %s", reason)
        self._tell_all()
        return {"changes": [f"no longer demoted by the operator: {reason}"]}

    def tell(self, driver: Driver) -> None:
        """This group has just begun, or others are told as well."""
        if self._demotion is None:
            driver.set_demotion("operator", 0, "restored by the operator")
        else:
            driver.set_demotion("operator", 1, f"demoted by the operator: {self._demotion.reason}")

    def status(self) -> dict[str, Any] | None:
        """As in the status document; None unless demoted."""
        if self._demotion is None:
            return None
        age_s = round(self._clock() - self._demotion.since_s, 2)
        return {"reason": self._demotion.reason, "since": self._demotion.since.isoformat(), "age_s": age_s}

    def _tell_all(self) -> None:
        self._drain()  # a master says its other rank at once; the order may be what wakes one that was fenced
        for driver in self._drivers():
            with apart(driver.record.vhid, "take the operator's demotion"):
                self.tell(driver)
