"""What the tests make of what a scenario has seen: its rows, and the bounds of docs and design."""

from __future__ import annotations

import re
from typing import Any

HEAD_START_S = 0.2  # their patience differs by 55/256 s
VIRTUAL_MAC = "00:00:5e:00:01:01"
SILENCE_MS_MAX = 3600.0  # a cable, or no guardian: noticed by silence
KILL_MS_MAX = 150.0
FREEZE_MS_MAX = 1600.0  # the guardian's limit is a second
STOP_MS_MAX = 100.0
LEASE_S_MAX = 2.3
TWO_HOLDERS_S_MAX = 0.05
SCENARIO_S_MAX = 110.0

OUT_OF_DESCRIPTORS = re.compile(
    r"Traceback \(most recent call last\):\n(?: +File \"[^\"\n]*\", line \d+, in _accept_connection\n)"
    r"(?: .*\n)*OSError: \[Errno 24\] Too many open files"
)

type Seen = dict[str, Any]


def row(seen: Seen, fault: str) -> dict[str, Any]:
    """What the lab measured for the first fault of this text."""
    return next(each for each in seen["faults"] if each["fault"] == fault)


def noise_ms(row: dict[str, Any]) -> float:
    """How late the client itself was at worst: a machine that is busy with other things widens every bound by it."""
    return float(row["late_ms"])


def b_was_first(seen: Seen) -> bool:
    """A busy machine starts one process after the other: b became master before a had listened for its time."""
    masters = [each for each in seen["transitions"] if each["after"] == "master"]
    ready_s = {each["node"]: each["at_s"] for each in reversed(seen["transitions"]) if each["reason"] == "ready"}
    early = bool(masters[0]["node"] == "b")
    assert not early or ready_s["a"] - ready_s["b"] > HEAD_START_S, "b is master before its time"
    return early


def lost_after_s(seen: Seen, fault: str, node: str) -> float:
    """Seconds from the fault until the node's kernel had dropped the virtual IP."""
    at_s: float = row(seen, fault)["at_s"]
    ends = [
        each["end_s"] for each in seen["holdings"] if each["node"] == node and each["begin_s"] < at_s < each["end_s"]
    ]
    assert ends, f"{node} did not hold the virtual IP at {fault}"
    return float(max(ends)) - at_s


def changes(seen: Seen, node: str) -> list[str]:
    return [each["reason"] for each in seen["transitions"] if each["node"] == node]


def check_always(seen: Seen, two_holders_s_max: float = TWO_HOLDERS_S_MAX) -> None:
    """What holds in every scenario: the service came back each time, and hardly ever were there two holders. Nothing
    has failed that nobody had expected; asyncio alone says with a traceback that no descriptor is left."""
    assert seen["holder_log_complete"]
    for each in seen["faults"]:
        assert each["closed"], each
        assert each["two_holders_s"] <= two_holders_s_max + noise_ms(each) / 1000, each
    for name, log in seen["logs"].items():
        assert "Traceback" not in OUT_OF_DESCRIPTORS.sub("", log), f"{name}:\n{log}"
