"""What a report says of a planned switch, and of a drill: its ``switch`` map, to and from a value. What is not as it
should be is missing, and what this version does not know is passed over, as everywhere in a report."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import fields
from enum import Enum
from typing import Any

from wsa_proxy.members.report import LIFE_BYTES
from wsa_proxy.members.report import Report

ID_BYTES = 16


class Phase(Enum):
    """Of whoever carries a switch out."""

    ASK = "ask"
    """The node is to prove that it can serve."""
    ABSTAIN = "abstain"
    """All others are not to take over, and to say so."""
    MOVE = "move"
    """The node is to take over, from a master that is demoted now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """By one member. An id is an order's, and its decision's."""

    phase: Phase | None = None
    """It carries out the switch ``id`` to the life ``to``."""
    id: bytes = b""
    to: bytes = b""
    done_id: bytes = b""
    """The last one that it carried out, or refused."""
    done_ok: bool = False
    done: str = ""
    ready_id: bytes = b""
    """The last one for which its own proxy was asked."""
    ready: str = ""
    """Why it cannot serve; empty: it can."""
    held: bytes = b""
    """The decision that it holds to, for the node ``held_node``, ``since`` (ISO 8601, UTC)."""
    held_node: str = ""
    since: str = ""
    only: bool = False
    """Nothing else demotes it."""
    by: str = ""
    """Who has ordered the switch that it carries out, holds to, or passes on."""
    order: bytes = b""
    """An order that is to be taken up by whoever is master, to the node ``order_to`` if it names one."""
    order_to: str = ""
    probe: bytes = b""
    """A drill for which the life ``prober`` is to probe the virtual IP."""
    prober: bytes = b""
    probing: bytes = b""
    """The drill for which it does so."""
    probed: bytes = b""
    """The drill for which it has, and what came of it."""
    outage_ms: int = 0
    """The longest time between two successes."""
    failed: int = 0
    probes: int = 0


NOTHING = Said()


def written(said: Said) -> dict[str, Any]:
    """As it stands in a report; what is empty is left out."""
    values = {each.name: getattr(said, each.name) for each in fields(said)}
    return {name: value.value if isinstance(value, Phase) else value for name, value in values.items() if value}


def read(report: Report | None) -> Said:
    """Of a report that is believed; nothing, if there is none."""
    carried: Mapping[str, Any] = report.switch if report is not None else {}
    if not carried:
        return NOTHING
    right = {name: value for name, value in carried.items() if name in _RIGHT and _RIGHT[name](value)}
    phase = right.get("phase")
    return Said(**{**right, "phase": Phase(phase) if phase else None})


def _bytes(length: int) -> Callable[[object], bool]:
    return lambda value: isinstance(value, bytes) and len(value) == length


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_truth(value: object) -> bool:
    return isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


_PHASES = [phase.value for phase in Phase]
_RIGHT: dict[str, Callable[[object], bool]] = {
    "phase": _PHASES.__contains__,
    "id": _bytes(ID_BYTES),
    "to": _bytes(LIFE_BYTES),
    "done_id": _bytes(ID_BYTES),
    "done_ok": _is_truth,
    "done": _is_text,
    "ready_id": _bytes(ID_BYTES),
    "ready": _is_text,
    "held": _bytes(ID_BYTES),
    "held_node": _is_text,
    "since": _is_text,
    "only": _is_truth,
    "by": _is_text,
    "order": _bytes(ID_BYTES),
    "order_to": _is_text,
    "probe": _bytes(ID_BYTES),
    "prober": _bytes(LIFE_BYTES),
    "probing": _bytes(ID_BYTES),
    "probed": _bytes(ID_BYTES),
    "outage_ms": _is_count,
    "failed": _is_count,
    "probes": _is_count,
}
assert list(_RIGHT) == [each.name for each in fields(Said)]
