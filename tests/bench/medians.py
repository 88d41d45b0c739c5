"""Medians with their range, as the measurements of the kernel's part print them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
LINE = re.compile(r"\d+\.\d\d \(\d+\.\d\d\.\.\d+\.\d\d\) (us|ms|ms on the clock)")


def milliseconds(work: Callable[[], object]) -> float:
    """The processor's time of this thread."""
    start = time.thread_time()
    work()
    return 1000 * (time.thread_time() - start)


def spread(values: Sequence[float]) -> str:
    """Median (lowest..highest)."""
    return f"{median(values):.2f} ({min(values):.2f}..{max(values):.2f})"


def check_prints(program: str, lines: int) -> None:
    """``tests/bench/FILE.py:FUNCTION`` measures, with a small crowd, and prints so many lines."""
    done = subprocess.run(
        [sys.executable, "-m", "wsa_proxy.lab", program],
        cwd=ROOT,
        env=os.environ | {"CROWD": "300"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == lines
    assert all(LINE.fullmatch(each) for each in found.values()), found
