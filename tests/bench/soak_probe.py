"""A mitmproxy script that counts what its process has: ``mitmdump -s soak_probe.py``, with a folder in SOAK_PROBE.

Into a file of that folder, named by the process, it writes a line each second: the moment (CLOCK_MONOTONIC, seconds),
asyncio's tasks, the blocks of memory that Python has handed out to its objects, and how many of them were alive when
that was looked at last. Blocks are counted without looking at any object. But dead objects that refer to each other may
stay until a quarter as many as there are have come: so each SOAK_COLLECT_S seconds all of them are collected, which
takes the loop a tenth of a second, and what is left is alive.
"""

from __future__ import annotations

import asyncio
import gc
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
    live: int
    """0: nothing has been collected yet."""


class SoakProbe:
    """Counts once a second."""

    def __init__(self) -> None:
        self._file: Any = None
        self._live = 0
        self._collected_s = time.monotonic()

    def running(self) -> None:
        """mitmproxy's hook: its loop turns."""
        self._file = (Path(os.environ["SOAK_PROBE"]) / str(os.getpid())).open("w", buffering=1)
        self._count()

    def _count(self) -> None:
        now = time.monotonic()
        if now - self._collected_s >= float(os.environ["SOAK_COLLECT_S"]):
            self._collected_s = now
            gc.collect()
            self._live = sys.getallocatedblocks()
        tasks = len(asyncio.all_tasks())
        print(f"{now:.2f} {tasks} {sys.getallocatedblocks()} {self._live}", file=self._file)
        asyncio.get_running_loop().call_later(EACH_S, self._count)


def read(line: str) -> Count:
    """Raises ValueError when the line is another one."""
    at_s, *numbers = line.split()
    tasks, blocks, live = map(int, numbers)
    return Count(float(at_s), tasks, blocks, live)


addons = [SoakProbe()]
