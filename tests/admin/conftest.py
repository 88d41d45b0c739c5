"""The page's server runs with eager tasks, as mitmproxy has them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.admin.world import World
from tests.admin.world import serving
from tests.runtime.virtual_time import VirtualTimeLoop

IN_VIRTUAL_TIME = {"test_events.py"}


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.path.name in IN_VIRTUAL_TIME:
        return {"virtual": VirtualTimeLoop}
    return {"real": asyncio.SelectorEventLoop}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    loop.set_task_factory(asyncio.eager_task_factory)
    async with serving(tmp_path) as world:
        yield world
    loop.set_task_factory(before)
