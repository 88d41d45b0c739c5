"""The pump is tested in virtual time: the loop never waits, it moves its clock to the next timer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.virtual_time import VirtualTimeLoop
from tests.runtime.world import Host
from tests.runtime.world import Lan
from tests.runtime.world import MakeHost

# They use real descriptors.
REAL_TIME = {"test_asker.py", "test_control.py", "test_notify.py", "test_readers.py", "test_tasks.py"}


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.path.name in REAL_TIME:
        return {"real": asyncio.SelectorEventLoop}
    return {"virtual": VirtualTimeLoop}


@pytest.fixture
async def make_host(tmp_path: Path) -> AsyncIterator[MakeHost]:
    lan = Lan()
    hosts: list[Host] = []

    def make(name: str, number: int, **changes: Any) -> Host:
        host = Host(lan, name, number, tmp_path, **changes)
        hosts.append(host)
        return host

    yield make
    for host in hosts:
        host.node.stop("the test is over")
        host.node.close()
