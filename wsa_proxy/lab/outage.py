"""What the client noticed: the longest gap between successes, and the requests that failed. Pure.

All times are CLOCK_MONOTONIC seconds, which every process of one machine shares. A success counts when its answer is
complete. A gap is the time between two successes that follow each other; so the gap of an undisturbed service is
about the interval of the requests, 10 ms.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """One finished request of the client."""

    due_s: float
    """When it should have started."""
    start_s: float
    """When it started; later than due when the machine was busy."""
    end_s: float
    """When the answer was complete, or the failure known."""
    ok: bool
    server: str
    """Address from which the origin was asked: it names the node. Empty on failure."""
    error: str
    """Empty on success."""
    retried: bool = False
    """A kept connection was closed under it, and it was asked again on a new one."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without a success. ``closed`` is False when no success followed: then it lasted at least this long."""

    begin_s: float
    end_s: float
    closed: bool

    @property
    def duration_s(self) -> float:
        return self.end_s - self.begin_s


def longest_gap(samples: Iterable[Sample], begin_s: float, end_s: float) -> Gap:
    """The longest gap in the window.

    It starts at the last success before the window, at the earliest (at the window's begin if there is none), and ends
    with the window at the latest: what lasts longer belongs to the next fault. It is open when no success followed.
    """
    ends = sorted(sample.end_s for sample in samples if sample.ok)
    points = [max((each for each in ends if each < begin_s), default=begin_s)]
    points += [each for each in ends if begin_s <= each <= end_s]
    points.append(end_s)
    gaps = [Gap(earlier, later, closed=True) for earlier, later in itertools.pairwise(points)]
    if not any(each > end_s for each in ends):
        gaps[-1] = Gap(gaps[-1].begin_s, end_s, closed=False)
    return max(gaps, key=lambda gap: gap.duration_s)


def failures(samples: Iterable[Sample], begin_s: float, end_s: float) -> list[Sample]:
    """The requests whose failure became known in the window (its begin excluded, its end included)."""
    return [sample for sample in samples if not sample.ok and begin_s < sample.end_s <= end_s]


def last_server(samples: Sequence[Sample], begin_s: float, end_s: float) -> str | None:
    """Who answered the last success in the window, by address; None when nobody did."""
    successes = [sample for sample in samples if sample.ok and begin_s < sample.end_s <= end_s]
    return max(successes, key=lambda sample: sample.end_s).server if successes else None


def steady(samples: Sequence[Sample], since_s: float, now_s: float, span_s: float, successes_min: int) -> bool:
    """Tell whether the service is back: nothing failed for ``span_s``, and enough requests succeeded in it.

    Only requests that started since the fault count. ``span_s`` is the time limit of a request or more: then every
    request of a disturbance has failed before the span, and none is left to be blamed on what comes next.
    """
    begin_s = max(since_s, now_s - span_s)
    if now_s - since_s < span_s or failures(samples, begin_s, now_s):
        return False
    fresh = [sample for sample in samples if sample.ok and sample.start_s >= since_s and sample.end_s > begin_s]
    return len(fresh) >= successes_min
