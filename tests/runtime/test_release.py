"""Letting go: connections first, then the addresses, however often the kernel refuses, and never under a master."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from wsa_proxy.runtime.release import SETTLE_APART_S
from wsa_proxy.runtime.release import TRIES
from wsa_proxy.runtime.release import Release


class World:
    """What happens to one virtual host's addresses."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.refuses = self.kept = False
        self.ports: Any = SimpleNamespace(addresses=self)
        self.release_it = Release(7, [], lambda: self.kept, lambda: self.kept, lambda: self.ports, self.close)

    def close(self, addresses: object) -> int:
        self.done.append("close")
        return 0

    def release(self) -> None:
        self.done.append("release")
        if self.refuses:
            raise OSError("refused")

    def settle(self) -> None:
        self.done.append("settle")


async def test_the_order() -> None:
    """What takes the kernel its time comes later, of each group at a time of its own."""
    world = World()
    world.release_it.release()
    await asyncio.sleep(6.5 * SETTLE_APART_S)
    assert world.done == ["close", "release"]
    await asyncio.sleep(SETTLE_APART_S)
    assert world.done == ["close", "release", "settle"]


async def test_a_refusing_kernel_is_asked_as_long_as_a_lease_may_run(caplog: pytest.LogCaptureFixture) -> None:
    """Two seconds; then it is gone by itself."""
    world = World()
    world.refuses = True
    world.release_it.release()
    await asyncio.sleep(60)
    assert world.done.count("release") == TRIES and "could not be released: refused" in caplog.text


async def test_a_master_keeps_what_it_has() -> None:
    """It became one again before the kernel let go."""
    world = World()
    world.refuses = True
    world.release_it.release()
    world.kept = True
    await asyncio.sleep(60)
    assert world.done == ["close", "release"]


async def test_what_is_still_up_is_set_down_in_its_turn_and_what_somebody_sets_up_at_once() -> None:
    """A cable is out and back within a second: the kernel tells of every interface that it is up, and to set all of
    them down in that moment would end the leases of the groups on other cables."""
    world = World()
    world.release_it.release()
    await asyncio.sleep(0.1)
    world.release_it.is_up()
    assert "settle" not in world.done
    world.release_it.release()
    await asyncio.sleep(7.5 * SETTLE_APART_S)
    assert world.done.count("settle") == 1
    world.release_it.is_up()
    assert world.done.count("settle") == 2


async def test_without_an_interface_there_is_nothing_to_release() -> None:
    """The addresses went with it; the connections end all the same."""
    world = World()
    world.ports = None
    world.release_it.release()
    await asyncio.sleep(1)
    assert world.done == ["close"]
