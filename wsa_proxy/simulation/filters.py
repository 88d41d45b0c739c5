"""What befalls member reports, and advertisements beside them: filters of either, and a hostile host's ways.

A packet filter that drops protocol 112 lets reports through, one that drops UDP port 8112 lets advertisements through.
Each stands on the ways from one node to another or to all others, for a while; at the end of a run one more may, in the
group's last drill (``filtered.py``). All of it is drawn from a source of chance of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from random import Random

from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.post import Post
from wsa_proxy.simulation.post import Theft
from wsa_proxy.simulation.post import Thief

FILTERS_MAX = 5
DELAYS_S = (0.0, 0.0, 0.01, 0.3)
"""Of reports, beside the weather's."""
SHORT_DELAY_S = 0.001
"""The same where intervals are below one second."""
LOSSES = (0.0, 0.0, 0.1, 0.5)
THEFT_EVERY_S = (0.2, 1.0)
RELEASED_EVERY_S = (0.0, 0.3, 2.9)


class Filter(Enum):
    """What does not get through."""

    ADVERTISEMENTS = "advertisements filtered"
    ADVERTISEMENTS_BOTH_WAYS = "advertisements filtered both ways"
    REPORTS = "reports filtered"
    EVERYTHING = "advertisements and reports filtered"
    HELD = "reports held back"
    """By the hostile host, which releases them at the end."""


class LastDrill(Enum):
    """The filters of a group's last drill."""

    FROM_MASTER = "advertisements filtered from the master"
    BOTH_WAYS = "advertisements filtered everywhere"
    REPORTS = "reports filtered everywhere"


@dataclass(frozen=True, slots=True)
class Filtered:
    """One filter: on the ways from ``node``, to ``other`` or to all."""

    at_s: float
    duration_s: float
    what: Filter
    node: int
    other: int | None


@dataclass(frozen=True, slots=True)
class Reports:
    """All of a run. Times are seconds from its start."""

    loss: float
    delay_s_max: float
    theft: Theft
    every_s: float
    """So often the hostile host does something to reports."""
    filters: tuple[Filtered, ...]
    last: LastDrill | None
    """None: the plan's own drill."""


def draw_reports(random: Random, count: int, down_s: Sequence[float], faults_s: float) -> Reports:
    """For ``count`` nodes with these master-down intervals."""
    short = max(down_s) < 1.0
    filters = tuple(_draw_filter(random, count, down_s, faults_s) for _ in range(random.randrange(FILTERS_MAX)))
    return Reports(
        loss=random.choice(LOSSES),
        delay_s_max=min(random.choice(DELAYS_S), SHORT_DELAY_S if short else 1.0),
        theft=Theft(replays=random.random() < 0.5, forges=random.random() < 0.2),
        every_s=random.choice(THEFT_EVERY_S),
        filters=filters,
        last=random.choice([None, *LastDrill]),
    )


def _draw_filter(random: Random, count: int, down_s: Sequence[float], faults_s: float) -> Filtered:
    node = random.randrange(count)
    at_s = random.uniform(0, faults_s)
    lasts_s = random.choice([random.uniform(0.4, 1.6), random.uniform(2, 5), random.uniform(5, 20)]) * down_s[node]
    other = random.choice([None, *(each for each in range(count) if each != node)])
    return Filtered(at_s, min(lasts_s, faults_s - at_s), random.choice(list(Filter)), node, other)


class Filters:
    """Sets them up and takes them down."""

    def __init__(self, plan: Reports, lan: Lan, post: Post, random: Random, say: Callable[[str], None]) -> None:
        self.thief = Thief(post, lan, random, plan.theft)
        self._plan = plan
        self._lan = lan
        self._post = post
        self._random = random
        self._say = say
        self._standing: list[Filtered] = []

    def begin(self) -> None:
        """What is drawn happens at its times."""
        self._post.loss, self._post.delay_s_max = self._plan.loss, self._plan.delay_s_max
        self.thief.begin(self._plan.every_s)
        for each in self._plan.filters:
            begins_s = self._lan.timeline.now + each.at_s
            self._lan.timeline.at(begins_s, partial(self._set_up, each))
            self._lan.timeline.at(begins_s + each.duration_s, partial(self._take_down, each))

    def heal(self) -> None:
        """All filters end, and reports are as fast as frames. Replays go on."""
        self._post.loss = self._post.delay_s_max = 0.0
        for each in list(self._standing):
            self._take_down(each)

    def ways(self, node: int, other: int | None) -> set[tuple[int, int]]:
        """From one to another, or to all others."""
        return {(node, each) for each in self._post.members if each != node and other in (None, each)}

    def _set_up(self, filtered: Filtered) -> None:
        self._say(f"{filtered.what.value} from node {filtered.node} for {filtered.duration_s:.2f} s")
        self._standing.append(filtered)
        self._apply()
        if filtered.what is Filter.HELD:
            self.thief.hold(filtered.node)

    def _take_down(self, filtered: Filtered) -> None:
        if filtered not in self._standing:
            return
        self._standing.remove(filtered)
        self._apply()
        if filtered.what is Filter.HELD:
            self.thief.release(self._random.choice(RELEASED_EVERY_S))

    def _apply(self) -> None:
        advertisements, reports = set(), set()
        for each in self._standing:
            ways = self.ways(each.node, each.other)
            if each.what in (Filter.ADVERTISEMENTS, Filter.ADVERTISEMENTS_BOTH_WAYS, Filter.EVERYTHING):
                advertisements |= ways
            if each.what is Filter.ADVERTISEMENTS_BOTH_WAYS:
                advertisements |= {(to, sender) for sender, to in ways}
            if each.what in (Filter.REPORTS, Filter.EVERYTHING):
                reports |= ways
        self._lan.filtered = advertisements
        self._post.stop(reports)
