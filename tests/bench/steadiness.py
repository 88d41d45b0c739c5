"""Whether an hour was steady: what has grown, what was promised and is not so, and the tables. Pure.

Growth is the median of the last quarter minus the median of the second one; the first quarter is for warming up. What
a single sample has met, a burst or garbage not yet collected, no median sees.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from statistics import median
from typing import Any

S_PER_HOUR = 3600.0
SAMPLES_MIN = 8
"""Two in each quarter."""

type Sample = Mapping[str, Any]
"""What soaked.py notes again and again; each number has its place in it."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One number of each node that has to stay."""

    what: str
    """In the table."""
    place: tuple[str, ...]
    """Where a node's part of a sample has it."""
    growth_max: float
    """From the second quarter to the last one; what is less is chance: of a master that of its clients, too."""
    backup_max: float | None = None
    """The same of a node that was backup all the time; None: the same."""


WATCHED = (
    Watched("proxy: RSS, MiB", ("proxy", "rss_mib"), 4.0, 2.0),
    Watched("proxy: PSS, MiB", ("proxy", "pss_mib"), 4.0, 2.0),
    Watched("proxy: live blocks of Python's memory", ("proxy", "live"), 40_000.0, 4_000.0),
    Watched("proxy: tasks of asyncio", ("proxy", "tasks"), 40.0, 2.0),
    Watched("proxy: descriptors", ("proxy", "descriptors"), 40.0, 4.0),
    Watched("proxy: threads", ("proxy", "threads"), 2.0),
    Watched("guardian: RSS, MiB", ("guardian", "rss_mib"), 0.5),
    Watched("guardian: descriptors", ("guardian", "descriptors"), 0.0),
    Watched("guardian: threads", ("guardian", "threads"), 0.0),
    Watched("host: TCP sockets in use", ("network", "in_use"), 40.0, 4.0),
    Watched("host: elements in nft's sets", ("nft_elements",), 0.0),
    Watched("host: KiB in state_dir", ("state_kib",), 64.0),
)


@dataclass(slots=True)
class Record:
    """Everything that was seen; times in seconds."""

    names: Sequence[str]
    planned_s: float
    samples: list[Sample] = field(default_factory=list)
    moves: list[str] = field(default_factory=list)
    """Changes of state, demotions and fences, as the nodes' logs tell of them."""
    two_holders_s: float = 0.0
    holders_known: bool = True
    """No event of the kernels' addresses was missed."""
    lost_connections: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    """Of requests that failed, each kind once, with how often."""
    problems: list[str] = field(default_factory=list)
    """What ended it too early."""
    unusual: list[str] = field(default_factory=list)
    """Lines of the nodes' logs that do not come with each request, the first of them."""
    times_ms: dict[str, array[float]] = field(default_factory=lambda: {"requests": array("f"), "tls": array("f")})
    """Of each request that was answered, by kind."""


@dataclass(frozen=True, slots=True)
class Growth:
    """Of one number of one node."""

    node: str
    watched: Watched
    begin: float
    end: float
    lowest: float
    highest: float
    apart_s: float
    """Between the middles of the two quarters."""
    allowed: float

    @property
    def grown(self) -> float:
        return self.end - self.begin

    @property
    def per_hour(self) -> float:
        return self.grown * S_PER_HOUR / self.apart_s

    @property
    def is_flat(self) -> bool:
        return self.grown <= self.allowed


def growths(record: Record) -> list[Growth]:
    """Of every node and number of which there are enough samples."""
    found = []
    for node in record.names:
        for watched in WATCHED:
            series = [
                (each["at_s"], value) for each in record.samples if (value := _at(each, node, watched)) is not None
            ]
            if len(series) >= SAMPLES_MIN:
                found.append(_growth(node, watched, series, _allowed(record, node, watched)))
    return found


def _at(sample: Sample, node: str, watched: Watched) -> float | None:
    here: Any = sample["nodes"][node]
    for key in watched.place:
        here = here.get(key) if here is not None else None
    return None if here is None else float(here)


def _allowed(record: Record, node: str, watched: Watched) -> float:
    states = {state for each in record.samples for state in each["nodes"][node]["states"]}
    if watched.backup_max is None or states != {"backup"}:
        return watched.growth_max
    return watched.backup_max


def _growth(node: str, watched: Watched, series: Sequence[tuple[float, float]], allowed: float) -> Growth:
    quarter = len(series) // 4
    second, last = series[quarter : 2 * quarter], series[-quarter:]
    values = [value for _, value in series[quarter:]]
    return Growth(
        node=node,
        watched=watched,
        begin=median(value for _, value in second),
        end=median(value for _, value in last),
        lowest=min(values),
        highest=max(values),
        apart_s=median(at for at, _ in last) - median(at for at, _ in second),
        allowed=allowed,
    )


def broken(record: Record) -> list[str]:
    """What was promised and is not so; a sentence for each."""
    told = [*record.problems, *(f"a node has moved: {move}" for move in record.moves)]
    if record.two_holders_s > 0:
        told.append(f"two nodes had the virtual IP for {record.two_holders_s:.3f} s")
    if not record.holders_known:
        told.append("events of the nodes' addresses were missed: who had the virtual IP is not known")
    told += [f"an open connection was lost: {each}" for each in record.lost_connections]
    told += [f"requests have failed: {each}" for each in record.errors]
    told += [
        f"node {each.node}, {each.watched.what}: {each.begin:g} has become {each.end:g}, "
        f"{each.allowed:g} more are allowed"
        for each in growths(record)
        if not each.is_flat
    ]
    return told
