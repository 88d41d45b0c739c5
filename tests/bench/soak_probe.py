"""A mitmproxy script that counts what its process has: ``mitmdump -s soak_probe.py``, with a folder in SOAK_PROBE.

Into a file of that folder, named by the process, it writes a line each second: the moment (CLOCK_MONOTONIC, seconds),
asyncio's tasks, and the blocks of memory that Python has handed out to its objects. Those are counted without looking
at any object, so the count takes no time from the loop.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EACH_S = 1.0


@dataclass(frozen=True, slots=True)
class Count:
    """One line."""

    at_s: float
    tasks: int
    blocks: int


class SoakProbe:
    """Counts once a second."""

    def __init__(self) -> None:
        self._file: Any = None

    def running(self) -> None:
        """mitmproxy's hook: its loop turns."""
        self._file = (Path(os.environ["SOAK_PROBE"]) / str(os.getpid())).open("w", buffering=1)
        self._count()

    def _count(self) -> None:
        tasks = len(asyncio.all_tasks())
        print(f"{time.monotonic():.2f} {tasks} {sys.getallocatedblocks()}", file=self._file)
        asyncio.get_running_loop().call_later(EACH_S, self._count)


def read(line: str) -> Count:
    """Raises ValueError when the line is another one."""
    at_s, tasks, blocks = line.split()
    return Count(float(at_s), int(tasks), int(blocks))


addons = [SoakProbe()]
