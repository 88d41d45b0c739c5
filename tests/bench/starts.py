"""One lab in which plain mitmdump and a node are started again and again; start.py runs it in namespaces.

When what happened, the processes' own logs say, to a thousandth of a second.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from tests.bench import plain
from tests.bench.process_usage import processor_s
from wsa_proxy.lab.faults import FAULTS
from wsa_proxy.lab.lab import Lab

PLAIN, NODE = "plain", "node"
START_S_MAX = 60.0
MOMENTS = {
    PLAIN: {"listening": "proxy listening at"},
    NODE: {
        "loading": "Loading script",
        "listening": "proxy listening at",
        "ready": "INIT -> BACKUP",
        "master": "BACKUP -> MASTER",
    },
}
"""What a log's line has in it at each moment, in their order; with the last one a start is over."""
LINE = re.compile(r"\[(\d\d):(\d\d):(\d\d)\.(\d{3})\] (.*)")
DAY_MS = 24 * 60 * 60 * 1000


def begin() -> list[dict[str, float | str]]:
    """What ``STARTS`` asks for, as JSON: kinds, one for each start. Milliseconds from the start to each moment, and of
    processor (``cpu``) until the last of them."""
    kinds = json.loads(os.environ["STARTS"])
    with Lab(nodes=1) as lab:
        lab.settle()
        lab.apply(FAULTS["stop"], "a")
        return [start_plain(lab) if kind == PLAIN else start_node(lab) for kind in kinds]


def start_plain(lab: Lab) -> dict[str, float | str]:
    """mitmdump as it comes."""
    began_ms = now_ms()
    process = plain.start(lab)
    try:
        return until_over(PLAIN, plain.LOG, 0, began_ms, process.pid)
    finally:
        process.terminate()
        process.wait(START_S_MAX)


def start_node(lab: Lab) -> dict[str, float | str]:
    """The lab's node, alone in its group: it is ready when it listens for advertisements, and master when it has."""
    node = lab.nodes["a"]
    before_bytes, began_ms = node.log.stat().st_size, now_ms()
    lab.apply(FAULTS["start"], "a")
    try:
        return until_over(NODE, node.log, before_bytes, began_ms, node.pid)
    finally:
        lab.apply(FAULTS["stop"], "a")


def until_over(kind: str, log: Path, before_bytes: int, began_ms: int, pid: int) -> dict[str, float | str]:
    """Raises RuntimeError with the end of the log when it takes too long."""
    ends_s = time.monotonic() + START_S_MAX
    while len(seen := moments(kind, lines_of(log, before_bytes), began_ms)) < len(MOMENTS[kind]):
        if time.monotonic() > ends_s:
            raise RuntimeError(f"{kind} did not start:\n" + "\n".join(lines_of(log, before_bytes)[-10:]))
        time.sleep(0.01)
    return {"kind": kind, "cpu": processor_s([pid]) * 1000, **seen}


def lines_of(log: Path, before_bytes: int) -> Sequence[str]:
    return log.read_bytes()[before_bytes:].decode(errors="replace").splitlines()


def moments(kind: str, lines: Sequence[str], began_ms: int) -> dict[str, float]:
    """Milliseconds from this time of the day to the first line that tells of each moment."""
    seen: dict[str, float] = {}
    for line in lines:
        if (found := LINE.match(line)) is None:
            continue
        hours, minutes, seconds, ms = map(int, found.groups()[:4])
        for name, told in MOMENTS[kind].items():
            if told in found.group(5) and name not in seen:
                at_ms = ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms
                seen[name] = float((at_ms - began_ms) % DAY_MS)
    return seen


def now_ms() -> int:
    """The time of the day, as logs tell it."""
    now = datetime.now()
    return ((now.hour * 60 + now.minute) * 60 + now.second) * 1000 + now.microsecond // 1000
