"""What a process and those that it has started take of the processor and of the memory, by the kernel's own account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.footprint import KIB_PER_MIB
from tests.bench.footprint import TICKS_PER_S
from tests.bench.footprint import sizes_kib
from tests.bench.footprint import stat_fields


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
    return sum(sum(stat_fields(_read(Path(f"/proc/{pid}/stat")))[11:15]) for pid in pids) / TICKS_PER_S


def memory(pids: Sequence[int]) -> Memory:
    """Of these together."""
    sizes = [sizes_kib(_read(Path(f"/proc/{pid}/smaps_rollup"))) for pid in pids]
    pss, rss = (sum(each.get(name, 0) for each in sizes) / KIB_PER_MIB for name in ("Pss", "Rss"))
    return Memory(pss, rss)


def _read(file: Path) -> str:
    """Empty when the process is no more."""
    try:
        return file.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
