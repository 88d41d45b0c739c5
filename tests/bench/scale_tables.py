"""The tables of scale.py, as rows of Markdown, and what of its promises was not kept. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from tests.bench.markdown import head
from tests.bench.markdown import row
from tests.bench.medians import spread
from tests.bench.objectives import MASTER_DOWN_MS
from wsa_proxy.lab.topology import NODE_NAMES

STANDBY = NODE_NAMES[1]
"""The best one: of the nodes that are left it has the highest priority."""
OUTAGE_MS_MAX = {"kill": 150.0, "cable": MASTER_DOWN_MS + 300.0}
SPREAD_MS_MAX = {"kill": 1000.0, "power": 2000.0}
"""From the first answer to the last. Without power there is no bow-out: each group waits from the last advertisement
that it heard, and those are up to one interval of 1 s apart; that comes on top."""

LOG_S = 0.01
"""The log of the holders notes when a thread reads what a kernel has told; a busy machine has it read so late that an
address that was gone seems to be there yet."""

Results = Sequence[Mapping[str, Any]]


def nodes_head() -> list[str]:
    return head(["fault", "nodes", "runs", "longest gap, ms", "taken over by", "two holders, s", "failed requests"])


def nodes_row(results: Results) -> str:
    """Of the runs with one fault and one number of nodes."""
    takers = sorted({", ".join(each["takers"]) or "nobody" for each in results})
    return row(
        [
            results[0]["fault"],
            str(results[0]["nodes"]),
            str(len(results)),
            spread([each["outage_ms"] for each in results], 0),
            " / ".join(takers),
            f"{max(each['two_holders_s'] for each in results):.3f}",
            str(sum(each["failed"] for each in results)),
        ]
    )


def nodes_missed(results: Results) -> list[str]:
    """A sentence for each promise that a run has not kept."""
    told = []
    for each in results:
        name = f"{each['fault']}, {each['nodes']} nodes"
        if each["problem"]:
            told.append(f"{name}: {each['problem']}")
        if each["takers"] != [STANDBY]:
            told.append(f"{name}: taken over by {', '.join(each['takers']) or 'nobody'}, not by {STANDBY} alone")
        if each["two_holders_s"] > LOG_S:
            told.append(f"{name}: two holders for {each['two_holders_s']:.3f} s")
        if each["outage_ms"] > OUTAGE_MS_MAX[each["fault"]]:
            told.append(f"{name}: {each['outage_ms']:.0f} ms, promised {OUTAGE_MS_MAX[each['fault']]:.0f}")
    return told


def groups_head() -> list[str]:
    times = ["first answer, ms", "last answer, ms", "first to last, ms", "last connection, ms"]
    return head(["fault", "groups", "MAC", "runs", *times, "two holders, s"])


def groups_row(results: Results) -> str:
    """Of the runs with one fault, one number of groups and one kind of MAC; times are since the fault."""
    first, last = ([each["served_ms"][part] for each in results] for part in (0, 1))
    return row(
        [
            results[0]["fault"],
            str(results[0]["groups"]),
            results[0]["mac"],
            str(len(results)),
            spread(first, 0),
            spread(last, 0),
            spread([end - begin for begin, end in zip(first, last, strict=True)], 0),
            spread([each["connected_ms"][1] for each in results], 0),
            f"{max(each['two_holders_s'] for each in results):.3f}",
        ]
    )


def groups_missed(results: Results, told_only: int) -> list[str]:
    """As above; with ``told_only`` groups or more only that each of them is served by one node."""
    told = []
    for each in results:
        name = f"{each['fault']}, {each['groups']} groups, mac: {each['mac']}"
        if each["silent"]:
            told.append(f"{name}: {each['silent']} virtual IPs did not answer")
        if each["two_holders_s"] > LOG_S:
            told.append(f"{name}: two holders for {each['two_holders_s']:.3f} s")
        took_ms = each["served_ms"][1] - each["served_ms"][0]
        limit_ms = SPREAD_MS_MAX[each["fault"]]
        if took_ms > limit_ms and each["groups"] < told_only:
            told.append(f"{name}: {took_ms:.0f} ms from the first answer to the last, promised {limit_ms / 1000:g} s")
    return told
