"""The result of a run: one row for each fault as a table, and everything as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from rich.table import Table

from wsa_proxy.lab.fates import Fate
from wsa_proxy.lab.fates import lost_between
from wsa_proxy.lab.holders import LOOPBACK
from wsa_proxy.lab.holders import AddressEvent
from wsa_proxy.lab.holders import holdings
from wsa_proxy.lab.holders import overlap_s
from wsa_proxy.lab.outage import Sample
from wsa_proxy.lab.outage import failures
from wsa_proxy.lab.outage import last_server
from wsa_proxy.lab.outage import longest_gap

if TYPE_CHECKING:
    from wsa_proxy.lab.lab import Lab

LATE_WORTH_TELLING_MS = 50.0
OPEN_GAP_MIN_S = 0.5
"""A shorter gap that nothing has closed is only the time since the newest success."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A fault that was done, as text, and when."""

    text: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Row:
    """What followed a fault, until the next one."""

    fault: str
    at_s: float
    served_before: str | None
    served_after: str | None
    outage_ms: float
    """The longest gap between successes."""
    closed: bool
    """False when the service was still down at the end."""
    failed: int
    two_holders_s: float
    late_ms: float
    """The latest start of a request: how far the machine itself blurs the outage."""
    lost: int
    """Of the connections that the client kept open."""
    told: int
    """Of the lost ones, those whose end somebody told the client; the others it had to find out."""
    told_ms: float | None
    """From the takeover until the last of them was told; None when none was, or nobody took over."""

    @property
    def took_over(self) -> str:
        """The name of the node, or why there is none."""
        if self.served_after is None:
            return "nobody"
        return "-" if self.served_after == self.served_before else self.served_after


def make_rows(
    applied: Sequence[Applied],
    samples: Sequence[Sample],
    events: Sequence[AddressEvent],
    fates: Sequence[Fate],
    servers: Mapping[str, str],
    until_s: float,
) -> list[Row]:
    """One row for each fault. ``servers`` maps a node's addresses to its name."""
    held = holdings(events, until_s)
    ends = [*[each.at_s for each in applied], until_s][1:]
    rows = []
    before: str | None = None
    for index, (fault, end_s) in enumerate(zip(applied, ends, strict=True)):
        begin_s = fault.at_s
        if index == 0:
            before = last_server(samples, float("-inf"), begin_s)
        after = last_server(samples, begin_s, end_s)
        gap = longest_gap(samples, begin_s, end_s)
        lost = lost_between(fates, begin_s, end_s)
        told_s = [fate.at_s for fate in lost if fate.state.told]
        late_s = (each.start_s - each.due_s for each in samples if begin_s < each.start_s <= end_s)
        rows.append(
            Row(
                fault=fault.text,
                at_s=begin_s,
                served_before=servers.get(before or ""),
                served_after=servers.get(after or ""),
                outage_ms=gap.duration_s * 1000,
                closed=gap.closed or gap.duration_s < OPEN_GAP_MIN_S,
                failed=len(failures(samples, begin_s, end_s)),
                two_holders_s=overlap_s(held, begin_s, end_s),
                late_ms=max(late_s, default=0.0) * 1000,
                lost=len(lost),
                told=len(told_s),
                told_ms=_told_ms(told_s, events, begin_s, end_s),
            )
        )
        before = after or before
    return rows


def _told_ms(told_s: Sequence[float], events: Iterable[AddressEvent], begin_s: float, end_s: float) -> float | None:
    """Who was told before the takeover, by the kernel of the node that was left, has not waited for it."""
    taken_s = [
        each.at_s for each in events if each.held and each.interface != LOOPBACK and begin_s < each.at_s <= end_s
    ]
    return max(0.0, max(told_s) - min(taken_s)) * 1000 if told_s and taken_s else None


def make_table(rows: Sequence[Row]) -> Table:
    """For a terminal of 80 columns."""
    table = Table(title="client-visible outage: longest gap between successes of a request every 10 ms")
    table.add_column("fault")
    table.add_column("took over")
    table.add_column("outage ms", justify="right")
    table.add_column("failed", justify="right")
    table.add_column("two holders s", justify="right")
    table.add_column("lost, told", justify="right")
    table.add_column("told after ms", justify="right")
    for row in rows:
        outage = f"{row.outage_ms:.0f}" if row.closed else f"> {row.outage_ms:.0f}"
        told = "-" if row.told_ms is None else f"{row.told_ms:.0f}"
        figures = (outage, str(row.failed), f"{row.two_holders_s:.3f}", f"{row.lost}, {row.told}", told)
        table.add_row(row.fault, row.took_over, *figures)
    latest_ms = max((row.late_ms for row in rows), default=0.0)
    if latest_ms > LATE_WORTH_TELLING_MS:
        table.caption = f"this machine was busy: requests started up to {latest_ms:.0f} ms late"
    return table


def make_document(lab: Lab, problem: str | None) -> dict[str, Any]:
    """Everything that was measured. Times are seconds since the nodes were started."""
    origin_s = lab.began_s
    rows = lab.rows()
    return {
        "schema": 1,
        "came_back": problem is None,
        "problem": problem,
        "virtual_ips": lab.virtual_ips,
        "faults": [{**asdict(row), "at_s": row.at_s - origin_s, "took_over": row.took_over} for row in rows],
        "samples": [
            {
                **asdict(each),
                "due_s": each.due_s - origin_s,
                "start_s": each.start_s - origin_s,
                "end_s": each.end_s - origin_s,
            }
            for each in list(lab.samples)  # the client's go on arriving
        ],
        "holdings": [
            {**asdict(each), "begin_s": each.begin_s - origin_s, "end_s": each.end_s - origin_s}
            for each in holdings(lab.holder_log.events, rows_end_s(lab))
        ],
        "holder_log_complete": not lab.holder_log.lost_messages,
        "transitions": [{**asdict(each), "at_s": each.at_s - origin_s} for each in lab.transitions()],
        "connections": [
            {**asdict(each), "at_s": each.at_s - origin_s}
            for each in [*lab.fates.ended(), *(each for each in lab.fates.newest() if not each.state.over)]
        ],
        "nodes": {name: node.news.document if node.news else None for name, node in lab.nodes.items()},
    }


def rows_end_s(lab: Lab) -> float:
    """The end of what is reported: the last sample, or the last fault."""
    return max([lab.began_s, *(each.end_s for each in list(lab.samples)[-1:]), *(each.at_s for each in lab.applied)])
