"""How a measurement is ended before its time: what was measured is still written, and what was touched is put back."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C; kill, or the machine goes down; the terminal was closed."""


@contextmanager
def once() -> Iterator[None]:
    """Inside the block the first of these signals raises KeyboardInterrupt; those that follow are passed over, or they
    would end the tidying up. One that is ignored stays so (nohup). Only in the main thread."""
    interrupted = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        if not interrupted:
            interrupted = True
            raise KeyboardInterrupt

    heeded = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
