"""How fast a listening socket takes clients, so that of a thousand who come at once the first need not wait for all.

A client costs the loop little when it is taken, and ten times as much in the next second: its tunnel, two TLS
handshakes, its request. Taken all at once they are all served at the end, and each turn of the loop, which has work for
hundreds of them, is a stall. In the kernel's queue they cost nothing and wait in the order in which they came.

The pace begins with what any host manages. While the loop's turns are short it grows, so that a loop which only waits,
for slow servers or for clients who say nothing, soon takes everybody; while they are long it shrinks.
"""

from __future__ import annotations

CROWD = 64
"""So many must wait that there is any pace: below, a loop takes whoever comes, however long its turns are. On a host
where other processes have the processor, long turns alone say nothing of the proxy's own work."""
AT_ONCE = 16
"""So many are taken without a pause, if nobody came before: more than a browser opens at once."""
FIRST_PER_S = 64.0
LEAST_PER_S = 32.0
"""Whatever the loop has to do: those that it serves already must not shut all others out."""
MOST_PER_S = 4096.0
TURN_SHORT_S = 0.01
TURN_LONG_S = 0.03
"""Of the loop: longer than half a dozen TLS handshakes take."""
CHANGE_S = 0.1
"""Between two changes: what came of the one must show before the next."""
GROWS, SHRINKS = 1.5, 0.5
QUIET_S = 1.0
"""After so long without clients in two turns of the loop, one after the other, nothing is known any more."""


class AcceptPace:
    """Of one listening socket. ``now_s``: monotonic seconds."""

    crowd = CROWD
    """As long as fewer wait, the pace is not asked."""

    def __init__(self) -> None:
        self._per_s = FIRST_PER_S
        self._left = float(AT_ONCE)
        self._filled_s = self._changed_s = self._busy_s = float("-inf")

    def begin_turn(self, now_s: float, last_turn_s: float | None) -> None:
        """Somebody waits: to be called in each turn of the loop before anybody is taken.

        ``last_turn_s``: how long the turn before was, if somebody waited in it as well; or, after a rest of ``wait_s``,
        by how much the loop is late.
        """
        if last_turn_s is None:
            if now_s - self._busy_s > QUIET_S:
                self._per_s, self._changed_s = FIRST_PER_S, now_s
        else:
            self._busy_s = now_s
            if now_s - self._changed_s >= CHANGE_S:
                self._changed_s = now_s
                self._change(last_turn_s)
        self._left = min(self._left + (now_s - self._filled_s) * self._per_s, AT_ONCE)
        self._filled_s = now_s

    def _change(self, turn_s: float) -> None:
        if turn_s < TURN_SHORT_S:
            self._per_s = min(self._per_s * GROWS, MOST_PER_S)
        elif turn_s > TURN_LONG_S:
            self._per_s = max(self._per_s * SHRINKS, LEAST_PER_S)

    @property
    def allows(self) -> bool:
        """Whether one more may be taken now."""
        return self._left >= 1

    @property
    def wait_s(self) -> float:
        """So long until one may be, when none is allowed now."""
        return (1 - self._left) / self._per_s

    def taken(self) -> None:
        """One has been."""
        self._left -= 1
