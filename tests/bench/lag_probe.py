"""A mitmproxy script that notes how late its loop is: ``mitmdump -s lag_probe.py``, with a folder in LAG_PROBE.

Into a file of that folder, named by the process, it writes a line for each time the loop was late: the moment at which
it should have turned (CLOCK_MONOTONIC, seconds) and by how much it was late (seconds). LAG_NOTED_S has it write less or
more of them.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

EACH_S = 0.01
NOTED_S = float(os.environ.get("LAG_NOTED_S", "0.02"))
"""What is less is no stall."""


class LagProbe:
    """Looks a hundred times a second."""

    def __init__(self) -> None:
        self._due_s = 0.0
        self._file: Any = None

    def running(self) -> None:
        """mitmproxy's hook: its loop turns."""
        self._file = (Path(os.environ["LAG_PROBE"]) / str(os.getpid())).open("w", buffering=1)
        self._wait()

    def _wait(self) -> None:
        self._due_s = time.monotonic() + EACH_S
        asyncio.get_running_loop().call_later(EACH_S, self._look)

    def _look(self) -> None:
        late_s = time.monotonic() - self._due_s
        if late_s > NOTED_S:
            print(f"{self._due_s:.4f} {late_s:.4f}", file=self._file)
        self._wait()


addons = [LagProbe()]
