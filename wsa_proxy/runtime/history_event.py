"""One event of the history: a change of state with its cause, who has ordered it, and how long clients waited.

Its document is what the file keeps, the control socket answers, the page and ``notify`` are told. Every text in it has
a bound, so that the file has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from typing import Any

from wsa_proxy.runtime.history_text import sentence

TEXT_CHARACTERS_MAX = 300
NODE = 0
"""The group of what concerns the whole node: it has started, or stopped in order."""
STARTED, STOPPED = "started", "stopped"


@dataclass(frozen=True, slots=True)
class Outage:
    """How long clients got no service in a takeover: between these, milliseconds."""

    ms_min: float
    ms_max: float
    how: str
    """What was measured, for people."""

    def document(self) -> dict[str, Any]:
        """As in an event."""
        return {"ms_min": round(self.ms_min, 1), "ms_max": round(self.ms_max, 1), "how": bounded(self.how)}


@dataclass(frozen=True, slots=True)
class Event:
    """Of one group of this node, or of the whole node (``NODE``)."""

    number: int
    """Grows from event to event, also over restarts."""
    at: datetime
    node: str
    group: int
    old: str
    """``init``, ``backup``, ``master``; of the whole node empty."""
    new: str
    """Likewise; of the whole node ``started`` or ``stopped``."""
    reason: str
    evidence: str
    boot: str
    life: str
    """Of the process that has written it; another one after each start."""
    who: str = ""
    """Who has ordered it; empty: nobody has."""
    outage: Outage | None = None
    """Known some moments after a takeover; None: not yet, or there was nobody who is known to have served before."""

    def document(self) -> dict[str, Any]:
        """JSON values; times in ISO 8601, UTC, with milliseconds."""
        told = (self.reason, self.evidence, self.who)
        return {
            "number": self.number,
            "at": self.at.astimezone(UTC).isoformat(timespec="milliseconds"),
            "node": self.node,
            "group": self.group,
            "from": self.old,
            "to": self.new,
            "reason": bounded(self.reason),
            "evidence": bounded(self.evidence),
            "sentence": sentence(self.node, self.group, self.old, self.new, *map(bounded, told)),
            "who": bounded(self.who),
            "outage": self.outage.document() if self.outage is not None else None,
            "boot": self.boot,
            "life": self.life,
        }


def bounded(text: str) -> str:
    """In one line, at most TEXT_CHARACTERS_MAX characters."""
    line = " ".join(text.split())
    return line if len(line) <= TEXT_CHARACTERS_MAX else f"{line[: TEXT_CHARACTERS_MAX - 1]}…"
