"""An event loop whose clock is moved, not waited for (the idea is trio's MockClock and looptime's)."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any


class _NeverWaiting(selectors.EpollSelector):
    """Looks at the descriptors once; when none is ready, the time that should have been waited passes at once."""

    loop: VirtualTimeLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("nothing is left that could ever happen: the test would wait for ever")
        self.loop.now += timeout
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """``now`` is the time in seconds; a test that adds to it has frozen the process for that long."""

    def __init__(self) -> None:
        self.now = 1000.0
        selector = _NeverWaiting()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now

    def get_debug(self) -> bool:
        """No to futures and handles, each of which would keep the stack that made it: that takes longer than the tests.
        What the loop itself checks in debug mode, threads and callbacks, it goes on checking."""
        return False

    def call_soon_threadsafe(self, *_: Any, **__: Any) -> Any:  # type: ignore[override]
        raise RuntimeError("a thread knows nothing of virtual time")
