"""The one place where a task is made: its reference is kept and its death is reported.

The event loop holds tasks weakly, so a task without a reference may vanish in the middle of its work, and an
exception in a task that nobody awaits is silent until it is collected.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

logger = logging.getLogger(__name__)

_running: set[asyncio.Task[Any]] = set()


def create_task(coroutine: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
    """Run a coroutine in the background until it ends or is cancelled."""
    task = asyncio.create_task(coroutine, name=name)  # noqa: TID251 - this is the helper that the ban points to
    _running.add(task)
    task.add_done_callback(_ended)
    return task


def _ended(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("the task %s died", task.get_name(), exc_info=error)
