"""The judge of guardians: what they must do when their process is gone or hangs, and what they must not. I5 to I7, V3,
V7, V8.

A guardian takes the addresses from a dead process within the time in which it learns of a death, and from one that
stands still a stall limit later; then it bows out, three times, unless others have lost their patience since. It says
nothing for a process that has given the addresses back, or turns. What it has fenced is never added again by what was
decided before, and the process reads that before it says anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import State
from wsa_proxy.simulation.bounds import BOW_OUT_COPIES
from wsa_proxy.simulation.bounds import BOW_OUT_COPIES_S
from wsa_proxy.simulation.bounds import EPSILON_S
from wsa_proxy.simulation.bounds import GUARDIAN_LATE_S
from wsa_proxy.simulation.bounds import LAST_BEAT_S
from wsa_proxy.simulation.bounds import NOTICED_S
from wsa_proxy.simulation.bounds import STALL_LIMIT_S
from wsa_proxy.simulation.bounds import bow_out_within_s
from wsa_proxy.simulation.bounds import stall_limit_s
from wsa_proxy.simulation.memory import NEVER_S
from wsa_proxy.simulation.memory import Memory
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.violation import Violation

STOOD_STILL = 0.4
"""Of the stall limit: less is none; beats come four times as often."""


class Guardianship:
    """Of one node that has guardians. ``lan_now`` is the LAN's clock; ``has_claimed``: has anybody been told?"""

    def __init__(
        self,
        node: Node,
        memory: Memory,
        marks: Counter[str],
        lan_now: Callable[[], float],
        has_claimed: Callable[[], bool],
    ) -> None:
        self._node = node
        self._memory = memory
        self._marks = marks
        self._lan_now = lan_now
        self._has_claimed = has_claimed
        self._life(None)

    def told(self, kind: str, what: Any) -> None:
        """One line of the story, as it happens."""
        if listener := _LISTENERS.get(kind):
            listener(self, what)

    def _life(self, _: object) -> None:
        self._turned_at_s = self._master_at_s = -NEVER_S
        self._is_master = self._unread = self._bowed_out = False
        self._copies, self._first_copy_s = 0, -NEVER_S
        self._owes_fence = False
        """It has begun to bow out in this very event, and has not said yet that it fences."""
        self._died_at_s: float | None = None
        self._stalls_s: list[tuple[float, float]] = []
        """When each ends, and how long it was."""

    def _commands(self, commands: list[Command]) -> None:
        self._turned_at_s = self._lan_now()
        for command in commands:
            if isinstance(command, ReportTransition):
                self._is_master = command.new is State.MASTER
                self._master_at_s = self._lan_now()
                self._bowed_out = self._bowed_out and not self._is_master

    @property
    def _still_s(self) -> float:
        """So long it has been dead, or has stood still."""
        since_s = self._memory.still_since_s
        if since_s is None or self._node.paused:
            return 0.0
        return self._lan_now() - max(since_s, self._turned_at_s)

    def _says_will(self, _: object) -> None:
        node = self._node
        if self._lan_now() > self._first_copy_s + BOW_OUT_COPIES_S + EPSILON_S:
            self._copies, self._first_copy_s = 0, self._lan_now()
            self._owes_fence = True
            self._begins_to_say_it()
        self._copies += 1
        # I6: in up to three copies.
        if self._copies > BOW_OUT_COPIES * node.copies.total():
            raise Violation("I6", f"the guardian of node {node.number} goes on bowing out")

    def _begins_to_say_it(self) -> None:
        node, guard = self._node, self._node.guard
        # I7: the addresses go first.
        if node.holds:
            raise Violation("I7", f"the guardian of node {node.number} bows out, and its kernel holds the addresses")
        # I6: what was given back is nobody's any more.
        if not self._is_master:
            raise Violation("I6", f"the guardian of node {node.number} bows out for one that was no master")
        # I7: nobody bows out of what was never claimed.
        if not self._has_claimed():
            raise Violation("I7", f"the guardian of node {node.number} bows out, and nobody was told that it is master")
        # I6: a process that turns says itself what there is to say; unless one of the two stood still.
        assert guard is not None
        if node.awake and self._still_s == 0.0 and self._lan_now() > guard.asleep_until_s + EPSILON_S:
            raise Violation("I6", f"the guardian of node {node.number} bows out, and its process turns")
        # I6: later there may be another master, and it would be his end.
        if self._still_s > bow_out_within_s(node) + EPSILON_S:
            raise Violation("I6", f"the guardian of node {node.number} bows out after {self._still_s:.2f} s")

    def _fences(self, bowed_out: bool) -> None:
        node = self._node
        self._unread = node.core is not None
        self._owes_fence = False
        # V3: who is gone has bowed out. (What was said last may have been decided before an earlier stall.)
        stalled_s = sum(s for end_s, s in self._stalls_s if end_s < self._lan_now() - self._still_s + EPSILON_S)
        early = self._still_s + stalled_s + LAST_BEAT_S < bow_out_within_s(node)
        owed = self._is_master and self._has_claimed() and not node.holds and early and not self._is_unknown
        if not bowed_out and owed:
            raise Violation("V3", f"the guardian of node {node.number} has removed its addresses, and tells nobody")
        self._marks["fenced, and bowed out" if bowed_out else "fenced in silence"] += 1

    def _stalls(self, lasts_s: float) -> None:
        now = self._lan_now()
        self._stalls_s = [(end_s, s) for end_s, s in self._stalls_s if end_s > now - STALL_LIMIT_S]
        self._stalls_s.append((now + lasts_s, lasts_s))

    @property
    def _is_unknown(self) -> bool:
        """Has it become master while its guardian slept, until now? A first will that waits may be too old."""
        guard = self._node.guard
        assert guard is not None
        wakes = self._lan_now() <= guard.asleep_until_s + GUARDIAN_LATE_S
        return wakes and self._master_at_s >= guard.asleep_since_s

    def _is_told(self, bowed_out: bool) -> None:
        node, guard, now = self._node, self._node.guard, self._lan_now()
        # V5: without a word of its guardian it gives up if it has stood still, or if guardians end again and again.
        still_s = sum(s for end_s, s in self._stalls_s if end_s > now - stall_limit_s(node))
        if not self._unread and guard is not None and guard.alive and still_s < STOOD_STILL * stall_limit_s(node):
            raise Violation(
                "V5", f"node {node.number} takes itself for fenced, and has stood still for {still_s:.2f} s"
            )
        self._unread, self._bowed_out = False, bowed_out

    def _adds(self, _: object) -> None:
        # I5: what was decided before a fence is not carried out after it.
        raise Violation("I5", f"node {self._node.number} has been fenced, and adds the addresses again")

    def _says(self, command: object) -> None:
        # V7: it reads what its guardian has done before it says anything.
        if self._unread:
            raise Violation("V7", f"node {self._node.number} has been fenced, and says {command}")
        # I6: a bow-out that was said once is the end of a new master when it is said again.
        bows_out = isinstance(command, SendAdvertisement) and command.advbase == command.advskew == 255
        if bows_out and self._bowed_out:
            raise Violation("I6", f"node {self._node.number} bows out after its guardian")

    def judge_still(self) -> None:
        """After each event, while the process is dead or stands still."""
        node, guard = self._node, self._node.guard
        if node.core is None and self._died_at_s is None:
            self._died_at_s = self._lan_now()
        # I6: a copy that a sleep has made late is not said, for there is another master by now.
        if self._owes_fence:
            raise Violation("I6", f"the guardian of node {node.number} says again what it said long ago")
        if not node.holds or node.paused or guard is None or not guard.alive or self._memory.still_since_s is None:
            return
        if node.kernel.kept or node.kernel.refuses or node.kernel.is_slow:
            return
        noticed_s = max(self._memory.still_since_s, self._turned_at_s) + stall_limit_s(node)
        if self._died_at_s is not None:
            noticed_s = min(noticed_s, self._died_at_s + NOTICED_S)
        gone_s = max(noticed_s, guard.asleep_until_s) + GUARDIAN_LATE_S
        # V8: it takes the addresses away.
        if self._lan_now() > gone_s + EPSILON_S:
            raise Violation("V8", f"the guardian of node {node.number} leaves the addresses where they are")


_LISTENERS: dict[str, Callable[[Guardianship, Any], None]] = {
    "life": Guardianship._life,
    "commands": Guardianship._commands,
    "bowed out by its guardian": Guardianship._says_will,
    "fence": Guardianship._fences,
    "stall": Guardianship._stalls,
    "fenced": Guardianship._is_told,
    "guardian adds what it has fenced": Guardianship._adds,
    "advertisement": Guardianship._says,
    "farewell": Guardianship._says,
}
