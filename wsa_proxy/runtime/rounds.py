"""What is done for each of many groups once in each interval of its own, with few wake-ups of the loop.

A loop that wakes finds nothing of ours in the processor's caches: 255 groups with a timer each cost twice what they do
in slices. All in one go would hold the loop for longer than it has to be held, and fill the others' queues.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

SLICE_MAX = 32
"""So many are done in one go: some two milliseconds."""
GOLDEN = 0.618034
"""However many slices there are, multiples of it are spread evenly over an interval."""


@dataclass(slots=True, eq=False)
class _Slice:
    interval_s: float
    groups: list[int]
    timer: asyncio.TimerHandle = field(init=False)


class Rounds:
    """Of the groups of one node, by id; made and used inside the running loop. ``work`` is told which are due: each at
    once when it is put here, and then not later than an interval after the last time."""

    def __init__(self, work: Callable[[Sequence[int]], None]) -> None:
        self._work = work
        self._slices: list[_Slice] = []
        self._of: dict[int, _Slice] = {}
        self._new: list[int] = []
        self._made = 0

    def put(self, vhid: int, interval_s: float) -> None:
        """This group has this interval from now on."""
        if vhid in self._of:
            if self._of[vhid].interval_s == interval_s:
                return
            self.remove(vhid)
        self._of[vhid] = self._slice(interval_s)
        self._of[vhid].groups.append(vhid)
        if not self._new:
            asyncio.get_running_loop().call_soon(self._begin)
        self._new.append(vhid)

    def remove(self, vhid: int) -> None:
        """Nothing more is done for this group."""
        left = self._of.pop(vhid)
        left.groups.remove(vhid)
        if not left.groups:
            left.timer.cancel()
            self._slices.remove(left)

    def _slice(self, interval_s: float) -> _Slice:
        for each in self._slices:
            if each.interval_s == interval_s and len(each.groups) < SLICE_MAX:
                return each
        first_s = interval_s * (1 - self._made * GOLDEN % 1)
        self._made += 1
        loop = asyncio.get_running_loop()
        made = _Slice(interval_s, [])
        made.timer = loop.call_later(first_s, self._due, made)
        self._slices.append(made)
        return made

    def _begin(self) -> None:
        begun, self._new = self._new, []
        self._work([vhid for vhid in dict.fromkeys(begun) if vhid in self._of])

    def _due(self, due: _Slice) -> None:
        due.timer = asyncio.get_running_loop().call_later(due.interval_s, self._due, due)
        self._work(list(due.groups))
