from __future__ import annotations

import pytest

from wsa_proxy.lab import watch as watch_module
from wsa_proxy.lab.fates import NEWS_PER_S_MAX
from wsa_proxy.lab.fates import Fate
from wsa_proxy.lab.fates import State
from wsa_proxy.lab.watch import Watch


class Clock:
    """Time passes only when a test says so."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(watch_module, "time", made)
    return made


def test_news_of_what_runs_are_rare_and_its_end_is_told_at_once(clock: Clock) -> None:
    """A download of a thousand pieces a second is no flood of lines."""
    told: list[Fate] = []
    watch = Watch("download 1", 3, told.append)
    watch.runs("10.0.0.1")
    for count in range(1, 1001):
        clock.now += 0.001
        watch.came(count)
    watch.ended(State.RESET, "Connection reset by peer")
    assert [told[0].state, told[1].state] == [State.OPENING, State.RUNS]
    assert NEWS_PER_S_MAX - 2 <= len(told) - 3 <= NEWS_PER_S_MAX
    assert told[-1].pause_s == pytest.approx(0.001)
    assert told[-1] == Fate(
        clock.now, "download 1", 3, State.RESET, "10.0.0.1", 1000, told[-1].pause_s, "Connection reset by peer"
    )


def test_a_pause_counts_only_while_something_is_due(clock: Clock) -> None:
    """Between a message that is back and the next one nothing is missing."""
    told: list[Fate] = []
    watch = Watch("tunnel 1", 1, told.append)
    watch.runs("10.0.0.1")
    for silence_s, answer_s in ((5.0, 0.1), (2.0, 0.3), (9.0, 0.2)):
        clock.now += silence_s
        watch.waits()
        clock.now += answer_s
        watch.came(watch.count + 1)
    watch.ended(State.DONE)
    assert told[-1].pause_s == pytest.approx(0.3) and told[-1].count == 3


def test_what_was_never_open_was_refused(clock: Clock) -> None:
    """A fault that comes while it is being opened has cut nothing."""
    told: list[Fate] = []
    Watch("tunnel 1", 1, told.append).ended(State.RESET, "why")
    assert (told[-1].state, told[-1].error) == (State.REFUSED, "why")
