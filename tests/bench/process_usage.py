"""What a process and those that it has started take of the processor and of the memory, by the kernel's own account."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS_S = os.sysconf("SC_CLK_TCK")
KIB_OF_MIB = 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """MiB. ``pss``: a page that several processes have mapped counts for each as its share; ``rss``: as a whole."""

    pss: float
    rss: float


def descendants(pid: int) -> list[int]:
    """The processes that this one has started and those that they have, without itself."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        each = waiting.pop()
        for file in Path(f"/proc/{each}/task").glob("*/children"):
            children = [int(child) for child in _read(file).split()]
            found += children
            waiting += children
    return found


def processor_s(pids: Sequence[int]) -> float:
    """Seconds of processor that these have used, in their own code and in the kernel; with that of their children that
    have ended. Whoever has ended itself counts as nothing."""
    ticks = 0
    for pid in pids:
        fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime: proc_pid_stat(5)
    return ticks / TICKS_S


def memory(pids: Sequence[int]) -> Memory:
    """Of these together."""
    sums = {"Pss:": 0, "Rss:": 0}
    for pid in pids:
        for line in _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
            name, number, *_ = line.split()
            if name in sums:
                sums[name] += int(number)
    return Memory(sums["Pss:"] / KIB_OF_MIB, sums["Rss:"] / KIB_OF_MIB)


def _read(file: Path) -> str:
    """Empty when the process is no more."""
    try:
        return file.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
