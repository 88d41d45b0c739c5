"""What is told of a soak: a line for each minute, the tables at its end, and the JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from tests.bench.markdown import head
from tests.bench.markdown import row
from tests.bench.medians import of_hundredths
from tests.bench.steadiness import Growth
from tests.bench.steadiness import Record
from tests.bench.steadiness import Sample
from tests.bench.steadiness import growths

SAMPLES_PER_LINE = 6
S_PER_MINUTE = 60.0
S_PER_HOUR = 3600.0
LOAD_MAX = 2.0
"""What is more is not from the lab alone, which keeps two thirds of a processor busy."""
REQUEST_COLUMNS = [
    "requests",
    "answered",
    "failed",
    "median ms",
    "slowest hundredth, ms",
    "slowest, ms",
    "longest gap, ms",
]
GROWTH_COLUMNS = ["node", "what", "second quarter", "last quarter", "lowest..highest", "growth an hour", "allowed"]
KINDS = {"requests": "HTTP, every other one on a kept connection", "tls": "TLS that the proxy intercepts"}


def line(record: Record) -> str:
    """Of the last minute; what a node has is that of the newest sample."""
    newest = record.samples[-1]
    minutes, planned = newest["at_s"] / S_PER_MINUTE, record.planned_s / S_PER_MINUTE
    last = record.samples[-SAMPLES_PER_LINE:]
    done, failed = (sum(each[kind][key] for each in last for kind in KINDS) for key in ("done", "failed"))
    gap_ms = max(each["requests"]["gap_ms"] for each in last)
    parts = [
        f"{minutes:.0f} of {planned:.0f} min, {planned - minutes:.0f} left",
        f"{len(record.moves)} moves",
        *(node_text(name, seen) for name, seen in newest["nodes"].items()),
        f"{done} requests, {failed} failed, longest gap {gap_ms} ms",
        f"loss {loss_percent(last):.2f} %",
        f"load {newest['load']:.1f}",
    ]
    return "; ".join(parts)


def node_text(name: str, seen: Mapping[str, Any]) -> str:
    """One node in the line of a minute."""
    proxy, state = seen["proxy"], ", ".join(seen["states"])
    figures = f"{proxy['cpu_percent']:.0f} %, {proxy['rss_mib']:.0f} MiB, {proxy['descriptors']} descriptors"
    return f"{name} {state}, {figures}, {proxy.get('tasks', '?')} tasks"


def loss_percent(samples: Sequence[Sample]) -> float:
    """Of the frames that came between the first of these samples and the last one; of all, if there is only one."""
    first = samples[0]["frames"] if len(samples) > 1 else {"passed": 0, "lost": 0}
    passed, lost = (samples[-1]["frames"][key] - first[key] for key in ("passed", "lost"))
    return float(100.0 * lost / max(1, passed + lost))


def tables(record: Record) -> list[str]:
    """Markdown: the run, what its clients saw, and what has grown."""
    samples = record.samples
    loads = [each["load"] for each in samples]
    lags = {name: max(each["nodes"][name]["lag_ms"] for each in samples) for name in record.names}
    cpu = {name: [each["nodes"][name]["proxy"]["cpu_percent"] for each in samples[1:]] for name in record.names}
    states = {name: sorted({state for each in samples for state in each["nodes"][name]["states"]}) for name in lags}
    warnings = sorted({kind for each in samples for name in lags for kind in each["nodes"][name]["warnings"]})
    return [
        "",
        f"{samples[-1]['at_s'] / S_PER_MINUTE:.1f} minutes; {loss_percent(samples):.2f} % of the nodes' frames lost; "
        f"load of the machine {min(loads):.1f}..{max(loads):.1f}; {len(record.moves)} moves, two nodes had the virtual "
        f"IP for {record.two_holders_s:.3f} s, {len(record.lost_connections)} open connections lost, "
        f"warnings: {', '.join(warnings) or 'none'}",
        *(
            f"node {name}: {', '.join(states[name])}; processor {min(each, default=0):.0f}..{max(each, default=0):.0f} "
            f"%, loop late by {lags[name]:.0f} ms at most, {resent_percent(samples, name):.2f} % of its segments sent "
            "again"
            for name, each in cpu.items()
        ),
        "",
        *head(REQUEST_COLUMNS),
        *(request_row(record, kind) for kind in KINDS),
        "",
        *head(GROWTH_COLUMNS),
        *(growth_row(each) for each in growths(record)),
    ]


def resent_percent(samples: Sequence[Sample], name: str) -> float:
    """What TCP makes of the loss."""
    first, last = (each["nodes"][name]["network"] for each in (samples[0], samples[-1]))
    again, sent = (last[key] - first[key] for key in ("sent_again", "sent"))
    return float(100.0 * again / max(1, sent))


def request_row(record: Record, kind: str) -> str:
    """Over the whole run."""
    parts = [each[kind] for each in record.samples]
    failed = sum(each["failed"] for each in parts)
    answered = sum(each["done"] for each in parts) - failed
    times = [f"{each:.0f}" for each in of_hundredths(record.times_ms[kind])] or ["-"] * 3
    gap_ms = max(each["gap_ms"] for each in parts)
    return row([KINDS[kind], str(answered), str(failed), *times, str(gap_ms)])


def growth_row(growth: Growth) -> str:
    """An hour's worth of what is allowed stands beside an hour's worth of what was seen."""
    allowed = growth.allowed * S_PER_HOUR / growth.apart_s
    spread = f"{number(growth.lowest)}..{number(growth.highest)}"
    figures = [number(growth.begin), number(growth.end), spread, f"{growth.per_hour:+.1f}", number(allowed)]
    return row([growth.node, growth.watched.what, *figures])


def number(value: float) -> str:
    """Whole, or with one digit."""
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.1f}"


def verdict(record: Record, told: Sequence[str]) -> list[str]:
    """``told``: what is broken. A machine with more work than processors is named: requests that wait for a processor
    look like requests that wait for a proxy."""
    load = max((each["load"] for each in record.samples), default=0.0)
    crowded = f"others had this machine as well (load {load:.1f}): look whether that was it"
    if not told:
        grown = "nothing has grown" if growths(record) else "the time was too short to see what grows"
        return [f"kept: nothing moved, {grown}"]
    return [*(f"broken: {each}" for each in told), *([crowded] if load > LOAD_MAX else [])]


def document(record: Record, told: Sequence[str]) -> dict[str, Any]:
    """All that was seen, but for the time of each single request."""
    return {
        "schema": 1,
        "planned_s": record.planned_s,
        "broken": list(told),
        "moves": record.moves,
        "two_holders_s": record.two_holders_s,
        "lost_connections": record.lost_connections,
        "errors": record.errors,
        "unusual": record.unusual,
        "samples": record.samples,
    }
