"""A task is kept until it ends, and a death in the background is told."""

from __future__ import annotations

import asyncio
import gc
import logging

import pytest

from wsa_proxy.runtime.tasks import create_task


async def test_a_task_without_another_reference_lives_on() -> None:
    """The loop itself holds tasks weakly."""
    done = asyncio.Event()

    async def work() -> None:
        await asyncio.sleep(0)
        gc.collect()
        await asyncio.sleep(0)
        done.set()

    create_task(work(), name="work")
    gc.collect()
    async with asyncio.timeout(2):
        await done.wait()


async def test_a_death_is_an_error_with_its_name(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody awaits it, so the log is the only witness."""

    async def die() -> None:
        raise ValueError("the reason")

    task = create_task(die(), name="the watcher")
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert [(entry.levelno, entry.message) for entry in caplog.records] == [
        (logging.ERROR, "the task the watcher died")
    ]
    assert "the reason" in caplog.text


async def test_being_cancelled_is_no_death(caplog: pytest.LogCaptureFixture) -> None:
    """An orderly stop leaves no alarm behind."""
    task = create_task(asyncio.sleep(60), name="sleeper")
    task.cancel()
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert not caplog.records
