"""News for the pages that are open: the status document each second and after each transition, the history as it grows.

The document is made once for all listeners, and while nobody listens it is not made at all. A listener who does not
read fast enough misses states, which the next one makes up for; who is behind for long is let go and comes again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from typing import Any
from typing import Protocol

from wsa_proxy.runtime.tasks import create_task

logger = logging.getLogger(__name__)

LISTENERS_MAX = 16
EVERY_S = 1.0
SHARE_MAX = 0.1  # of the loop's time: with many groups the document is made less often
AGAIN_S_MIN = 0.1  # after a transition: 255 groups change together, and one document tells of all of them


class Listener(Protocol):
    """One open page."""

    def may_stay(self) -> bool:
        """Whether it would be let in now."""

    def offer(self, message: bytes) -> None:
        """A state: of no use any more when the next one is there."""

    def tell(self, message: bytes) -> None:
        """Something that has happened, and is told once."""

    def end(self) -> None:
        """Hang up."""


class Events:
    """``clock``: monotonic seconds."""

    def __init__(self, status: Callable[[], dict[str, Any]], *, clock: Callable[[], float]) -> None:
        self._status = status
        self._clock = clock
        self._listeners: list[Listener] = []
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def join(self, listener: Listener) -> bool:
        """It hears from now on, the state at once. False: there are too many."""
        if len(self._listeners) >= LISTENERS_MAX:
            return False
        self._listeners.append(listener)
        self._changed.set()
        if self._task is None or self._task.done():
            self._task = create_task(self._run(), name="page events")
        return True

    def leave(self, listener: Listener) -> None:
        """It hears no more; harmless when it has left."""
        if listener in self._listeners:
            self._listeners.remove(listener)
        if not self._listeners and self._task is not None:
            self._task.cancel()
            self._task = None

    def state_changed(self) -> None:
        """A transition: do not wait for the second to end."""
        self._changed.set()

    def tell(self, event: dict[str, Any]) -> None:
        """The history has grown by this."""
        if self._listeners:
            message = message_of("history", event)
            for listener in self._staying():
                listener.tell(message)

    def close(self) -> None:
        """Hang up on all of them."""
        for listener in [*self._listeners]:
            self.leave(listener)
            listener.end()

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            began_s = self._clock()
            try:
                message = message_of("status", self._status())
            except Exception:  # the next one may be well
                logger.exception("page: the status could not be told")
            else:
                for listener in self._staying():
                    listener.offer(message)
            pause_s = max(AGAIN_S_MIN, (self._clock() - began_s) / SHARE_MAX)
            await asyncio.sleep(pause_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(EVERY_S - pause_s, 0)):
                    await self._changed.wait()

    def _staying(self) -> list[Listener]:
        """Those that may hear this; the others are let go."""
        for listener in [*self._listeners]:
            if not listener.may_stay():
                self.leave(listener)
                listener.end()
        return [*self._listeners]


def message_of(kind: str, document: dict[str, Any]) -> bytes:
    """In the form of text/event-stream; JSON has no line ends."""
    return f"event: {kind}\ndata: {json.dumps(document)}\n\n".encode()
