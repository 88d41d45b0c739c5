"""The descriptors that wake a driver."""

from __future__ import annotations

import asyncio
import os

from wsa_proxy.runtime.readers import Readers


async def test_exactly_the_watched_descriptors_wake() -> None:
    """One that is left out, or forgotten, wakes nobody."""
    one, other = os.eventfd(1), os.eventfd(1)
    turns: list[int] = []
    readers = Readers(lambda: turns.append(1))
    try:
        readers.watch([one])
        await asyncio.sleep(0.01)
        assert turns
        readers.watch([one, other])
        readers.forget([one])
        os.eventfd_read(other)
        turns.clear()
        await asyncio.sleep(0.01)
        assert not turns
        readers.watch(())
        readers.watch(())
        os.eventfd_write(other, 1)
        await asyncio.sleep(0.01)
        assert not turns
    finally:
        readers.watch(())
        os.close(one)
        os.close(other)
