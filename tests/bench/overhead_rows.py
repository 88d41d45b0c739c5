"""What becomes of the samples of ``make overhead``: each one's ratio to its neighbours, the tables, the promises. Pure.

A sample is what overhead_sample.py takes. A machine that others use as well is now slower and now faster, so a node is
compared with the plain proxies before and after it, and what counts is the median of these ratios.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from itertools import pairwise
from statistics import mean
from statistics import median
from typing import Any

from tests.bench.markdown import head
from tests.bench.markdown import row
from tests.bench.medians import spread

type Sample = Mapping[str, Any]

PLAIN, NODE, KEEPALIVED = "plain", "node", "keepalived"
RATIO_MIN = {1: 0.97, 64: 0.95}
"""Requests a second to those of plain mitmdump, by groups; of other numbers it is told."""
BUSY_MIN = 0.9
"""Of a core: a proxy that took less was not the bottleneck, or did not get the processor."""
SHARES = ("proxy", "origin", "clients")
"""What has a share of the processor under load."""
LOAD_COLUMNS = ["requests a second", "to plain", "p50, ms", "p99, ms", "loop late, p99, ms", "longest, ms"]
LOAD_COLUMNS += ["processor a request, ms", "to plain"]
IDLE_COLUMNS = ["proxy, % of a core", "PSS, MiB", "RSS, MiB", "beside it, % of a core", "PSS, MiB", "RSS, MiB"]


def ratios(samples: Sequence[Sample], key: str) -> dict[int, list[float]]:
    """By groups: each node's value of the load to the mean of its two neighbours, which must be plain. In the order in
    which they were taken."""
    loaded = [each for each in samples if "load" in each]
    found: dict[int, list[float]] = {}
    for (before, here), (_, after) in pairwise(pairwise(loaded)):
        if here["product"] == NODE:
            if not before["product"] == after["product"] == PLAIN:
                raise ValueError("a node has a neighbour that is not plain")
            beside = mean((before["load"][key], after["load"][key]))
            found.setdefault(here["groups"], []).append(here["load"][key] / beside)
    return found


def load_table(samples: Sequence[Sample]) -> list[str]:
    """Markdown: plain mitmdump, and a row for each number of groups."""
    per_s, processor = ratios(samples, "per_s"), ratios(samples, "processor_ms")
    rows = head(["", *LOAD_COLUMNS])
    for (product, groups), loads in _by_name(samples, "load").items():
        columns = {key: [each[key] for each in loads] for key in loads[0]}
        cells = [spread(columns["per_s"], 0), spread(per_s[groups], 3) if groups in per_s else ""]
        cells += [spread(columns[key], 1) for key in ("p50_ms", "p99_ms", "late_ms", "longest_ms")]
        cells += [spread(columns["processor_ms"], 3), spread(processor[groups], 3) if groups in processor else ""]
        rows.append(row([name(product, groups), *cells]))
    return rows


def idle_table(samples: Sequence[Sample]) -> list[str]:
    """Markdown; beside the proxy stands the guardian, or keepalived."""
    rows = head(["", *IDLE_COLUMNS])
    for (product, groups), idles in _by_name(samples, "idle").items():
        cells = []
        for part in ("proxy", "beside"):
            empty = part == "beside" and product == PLAIN
            shares = [100 * each[f"{part}_share"] for each in idles]
            sizes = [[each[f"{part}_{size}_mib"] for each in idles] for size in ("pss", "rss")]
            cells += ["", "", ""] if empty else [spread(each, 1) for each in (shares, *sizes)]
        rows.append(row([name(product, groups), *cells]))
    return rows


def missed(samples: Sequence[Sample]) -> list[str]:
    """What was promised and is not so; a sentence for each."""
    problems = []
    for groups, found in ratios(samples, "per_s").items():
        wanted = RATIO_MIN.get(groups)
        if wanted is not None and median(found) < wanted:
            problems.append(
                f"{name(NODE, groups)}: {median(found):.3f} of plain mitmdump's requests, {wanted} promised"
            )
    for (product, groups), loads in _by_name(samples, "load").items():
        if errors := sum(each["errors"] for each in loads):
            problems.append(f"{name(product, groups)}: {errors} requests failed")
    return problems


def doubts(samples: Sequence[Sample]) -> list[str]:
    """What makes the numbers worth less; a sentence for each."""
    loads = [each["load"] for each in samples if "load" in each]
    slow = sum(each["proxy_share"] < BUSY_MIN for each in loads)
    if not slow:
        return []
    return [f"in {slow} of {len(loads)} samples the proxy got less than {BUSY_MIN:.0%} of a core: others took it"]


def shares(samples: Sequence[Sample]) -> str:
    """What proxy, origin and clients took of a core under load, medians: that the proxy is the bottleneck."""
    loads = [each["load"] for each in samples if "load" in each]
    parts = [f"{part} {100 * median(each[f'{part}_share'] for each in loads):.0f} %" for part in SHARES]
    return f"under load, of a core: {', '.join(parts)}"


def name(product: str, groups: int) -> str:
    """Of a row."""
    if product == PLAIN:
        return "plain mitmdump"
    return f"{groups} {'group' if groups == 1 else 'groups'}{', keepalived' if product == KEEPALIVED else ''}"


def _by_name(samples: Sequence[Sample], part: str) -> dict[tuple[str, int], list[Mapping[str, float]]]:
    """The loads or idle times by product and groups: plain first, then as they were taken."""
    found: dict[tuple[str, int], list[Mapping[str, float]]] = {}
    for each in samples:
        if part in each:
            found.setdefault((each["product"], each["groups"]), []).append(each[part])
    return found
