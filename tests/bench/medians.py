"""Medians with their range, as the programs of this folder print them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from statistics import median

from tests.bench import in_lab

LINE = re.compile(r"\d+\.\d\d \(\d+\.\d\d\.\.\d+\.\d\d\) (us|ms|ms on the clock)")


def milliseconds(work: Callable[[], object]) -> float:
    """The processor's time of this thread."""
    start = time.thread_time()
    work()
    return 1000 * (time.thread_time() - start)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median (lowest..highest)."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}..{max(values):.{digits}f})"


def of_hundredths(values: Iterable[float]) -> list[float]:
    """The middle one, the one that 99 of a hundred do not exceed, and the greatest; nothing of nothing."""
    ordered = sorted(values)
    return [ordered[at] for at in (len(ordered) // 2, len(ordered) * 99 // 100, -1)] if ordered else []


def check_prints(where: str, lines: int) -> None:
    """``where``, a FILE.py:FUNCTION of this folder, measures with a small crowd, and returns so many lines."""
    found = in_lab.run(where, "CROWD", 300, 60.0)
    assert len(found) == lines
    assert all(LINE.fullmatch(each) for each in found.values()), found
