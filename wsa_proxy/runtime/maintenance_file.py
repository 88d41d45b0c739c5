"""The file in which the order of maintenance survives the process, and how it is read and written.

A file that cannot be read has neither a reason nor an end. The node takes part undemoted then, and says so: nobody
could tell when to end such a maintenance, and whether the proxy serves is asked by its self-tests, not by a file.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from wsa_proxy.runtime import state_file
from wsa_proxy.runtime.maintenance_period import Period
from wsa_proxy.runtime.maintenance_period import period

logger = logging.getLogger(__name__)

type Work = Callable[[], None]
type Submit = Callable[[Work], Future[None]]
"""Has a function carried out later, one after the other; the future is done when it was."""


class MaintenanceFile:
    """``submit`` is the thread that writes the node's files."""

    def __init__(self, path: Path, submit: Submit) -> None:
        self.path = path
        self._submit = submit

    def read(self) -> Period | None:
        """What it says; None when there is none, or none that makes sense."""
        try:
            return period(state_file.load(self.path))
        except FileNotFoundError:
            pass
        except OSError as error:
            logger.error("carp %s cannot be read: %s; this node starts without maintenance", self.path, error)
        except (ValueError, TypeError, KeyError):
            logger.error("carp %s is damaged; this node starts without maintenance", self.path)
        return None

    async def store(self, ordered: Period) -> None:
        """On the disk when this returns. Raises OSError: the file is what it was."""
        await self._done(self._submit(self._storing(ordered)))

    async def remove(self) -> None:
        """Gone from the disk when this returns; harmless when repeated. Raises OSError: it is still there."""
        await self._done(self._submit(self._removing()))

    def store_later(self, ordered: Period) -> None:
        """What the next life may do without."""
        self._submit(self._quiet(self._storing(ordered)))

    def remove_later(self) -> None:
        """Its end has passed; a next life that finds it all the same sees that, too."""
        self._submit(self._quiet(self._removing()))

    def _storing(self, ordered: Period) -> Work:
        return functools.partial(state_file.store, self.path, ordered.document())

    def _removing(self) -> Work:
        return functools.partial(state_file.remove, self.path)

    async def _done(self, written: Future[None]) -> None:
        if not written.done():
            await asyncio.wrap_future(written)
        written.result()

    def _quiet(self, work: Work) -> Work:
        """For the writing thread, from which nobody takes an error."""

        def quietly() -> None:
            try:
                work()
            except OSError as error:
                logger.warning("carp %s cannot be written: %s", self.path, error)

        return quietly
