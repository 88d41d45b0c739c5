"""Each group has its turn once in each interval of its own, and the loop wakes for many of them at a time."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence

from wsa_proxy.runtime.rounds import SLICE_MAX
from wsa_proxy.runtime.rounds import Rounds


class Log:
    """Who had its turn, and when."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, list[int]]] = []
        self.rounds = Rounds(self.work)

    def work(self, due: Sequence[int]) -> None:
        self.calls.append((asyncio.get_running_loop().time(), list(due)))

    def times_of(self, vhid: int) -> list[float]:
        return [round(at_s, 3) for at_s, due in self.calls if vhid in due]


async def test_one_group_has_its_turn_at_once_and_then_once_in_an_interval() -> None:
    """As a timer of its own would have it."""
    log, began_s = Log(), asyncio.get_running_loop().time()
    log.rounds.put(7, 2.0)
    await asyncio.sleep(5)
    assert log.times_of(7) == [began_s, began_s + 2, began_s + 4]


async def test_many_groups_wake_the_loop_a_few_times_in_an_interval() -> None:
    """Spread over it; nobody waits for longer than an interval."""
    log = Log()
    for vhid in range(1, 256):
        log.rounds.put(vhid, 1.0)
    await asyncio.sleep(0.0)
    assert [due for _, due in log.calls] == [list(range(1, 256))]
    await asyncio.sleep(4.0)
    assert len(log.calls) == 1 + 4 * 8
    assert max(len(due) for _, due in log.calls[1:]) == SLICE_MAX
    turns = Counter(vhid for _, due in log.calls for vhid in due)
    assert set(turns.values()) == {5}
    for vhid in (1, 40, 255):
        times_s = log.times_of(vhid)
        assert max(later - sooner for sooner, later in itertools.pairwise(times_s)) <= 1.0
    in_a_round = sorted(at_s % 1 for at_s, _ in log.calls[-8:])
    assert max(later - sooner for sooner, later in itertools.pairwise(in_a_round)) < 0.25


async def test_each_interval_is_kept() -> None:
    """Groups of different intervals share no timer; one whose interval changes has its turn at once."""
    log = Log()
    log.rounds.put(1, 1.0)
    log.rounds.put(2, 0.25)
    log.rounds.put(1, 1.0)
    await asyncio.sleep(2.1)
    assert (len(log.times_of(1)), len(log.times_of(2))) == (3, 10)
    log.rounds.put(1, 0.5)
    log.calls.clear()
    await asyncio.sleep(1.1)
    assert len(log.times_of(1)) == 3


async def test_who_is_removed_has_no_more_turns() -> None:
    """Not even the first; the others go on, and with the last one the timer ends."""
    log = Log()
    for vhid in (1, 2, 3):
        log.rounds.put(vhid, 1.0)
    log.rounds.remove(2)
    await asyncio.sleep(1.1)
    assert log.times_of(2) == [] and len(log.times_of(3)) == 2
    log.rounds.remove(1)
    log.rounds.remove(3)
    log.calls.clear()
    await asyncio.sleep(5)
    assert log.calls == []
    log.rounds.put(2, 1.0)
    await asyncio.sleep(2.1)
    assert len(log.times_of(2)) == 3
