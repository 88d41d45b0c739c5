"""What the judges remember of one node, kept beside what the node itself believes. Times on the node's clock."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field

from wsa_proxy.carp.commands import State

NEVER_S = float("inf")
PROBES = 3
PROBES_TAKE = 1 / 4  # of D: who wakes when they are due asks them then


@dataclass(slots=True)
class Memory:
    """Of one node, from its first start to the end of the run."""

    down_s: float
    """D, of the settings in force."""
    late_s: float
    """l, and what sums of floats are off."""
    # What the core answers now.
    cause: object = None
    """The event that it takes."""
    was: State = State.INIT
    """The state in which it takes it."""
    # Of a backup.
    rests_until_s: dict[int, float] = field(default_factory=dict)
    """By IP version: no silence is long enough before."""
    waits_until_s: dict[int, float] = field(default_factory=dict)
    """By IP version: then a silence is long enough; the same, unless it may just have woken too late."""
    reasons: frozenset[str] = frozenset()
    """To take over, that the last advertisement gave it,"""
    reasons_since_s: float = 0.0
    """since then,"""
    follows_from_s: float = 0.0
    """of a bow-out not before, for the best one is first,"""
    takeover_due_s: float = NEVER_S
    """and for which it has to be master by then."""
    tied_until_s: float = -NEVER_S
    """It may wait longer, for it has yielded to an equal."""
    held_before: bool = False
    """In this life: it need not ask who has the addresses."""
    asks_anew: bool = False
    """Of two IP versions the one whose silence came first was heard at last: it asks for the other one's."""
    answered: bool = False
    """A stranger has said that the addresses are his,"""
    answered_at_s: float = -NEVER_S
    """then."""
    asked_until_s: float = -NEVER_S
    """It has asked the owner by a report, and may wait for the answer until then."""
    # Of a master.
    said: object = None
    """Its rank when it last advertised."""
    sent_at_s: float = -NEVER_S
    may_answer_from_s: float = -NEVER_S
    answer_due_s: float = NEVER_S
    unannounced: int = 0
    """Advertisements since the last announcement."""
    again_in: int = 0
    """With that many more it announces again."""
    announce_due_s: float = NEVER_S
    """Its core has decided to announce."""
    left: bool = False
    """It has left in order."""
    # Of its process and host.
    still_since_s: float | None = None
    """On the LAN's clock: the process is dead or stands still since."""
    woke_at_s: float = 0.0
    paused: bool = False
    """So it was at the last look."""
    ill_since_s: dict[str, float] = field(default_factory=dict)
    """By invariant: what may be so for a short while only, seen first then."""
    look_at_s: float = -NEVER_S
    """On the LAN's clock: as long as nothing happens to it, there is nothing to see before."""
    patient_until_s: float = -NEVER_S
    """As long as it is told nothing, nothing that it owes is late before."""
    refused: bool = False
    """Its kernel has refused something since it was last in the election."""
    known: object = None
    """Everything that a rejected frame may not change."""
    rejects: int = 0
    retries: int = 0
    """Releases tried again, although its kernel does not hold the addresses."""
