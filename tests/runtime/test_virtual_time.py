"""In virtual time, too, asyncio's debug mode finds who calls from another thread."""

from __future__ import annotations

import asyncio
import threading

import pytest


async def test_a_call_from_another_thread_is_refused() -> None:
    """Which asyncio tells in debug mode only."""
    loop, refusals = asyncio.get_running_loop(), []

    def call() -> None:
        with pytest.raises(RuntimeError, match="Non-thread-safe operation") as refusal:
            loop.call_soon(print)
        refusals.append(refusal)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert len(refusals) == 1
