"""The order of maintenance is on the disk when it is said to be, and a bad file costs nothing but the maintenance."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.runtime.test_maintenance_period import Time
from tests.runtime.world import at_once
from wsa_proxy.runtime.maintenance_file import MaintenanceFile
from wsa_proxy.runtime.maintenance_period import begun

ORDERED = begun("kernel update", 1800, Time().clocks)


async def test_what_was_stored_is_read_until_it_is_removed(tmp_path: Path) -> None:
    """Both are harmless when repeated."""
    file = MaintenanceFile(tmp_path / "maintenance.json", at_once)
    assert file.read() is None
    await file.store(ORDERED)
    await file.store(ORDERED)
    assert file.read() == ORDERED
    await file.remove()
    await file.remove()
    assert file.read() is None and not (tmp_path / "maintenance.json").exists()


async def test_it_is_there_when_storing_returns_and_not_before() -> None:
    """However long the writing thread takes; the loop turns meanwhile."""
    works: list[Callable[[], None]] = []
    written: Future[None] = Future()

    def submit(work: Callable[[], None]) -> Future[None]:
        works.append(work)
        return written

    file = MaintenanceFile(Path("nowhere"), submit)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60):
            await file.store(ORDERED)
    assert len(works) == 1


def test_the_writing_thread_tells_the_loop(tmp_path: Path) -> None:
    """A real thread and a real loop: done when it is done, and an error is the caller's."""

    async def use() -> None:
        with ThreadPoolExecutor(max_workers=1) as writer:
            file = MaintenanceFile(tmp_path / "maintenance.json", writer.submit)
            await file.store(ORDERED)
            assert file.read() == ORDERED
            nowhere = MaintenanceFile(tmp_path / "no folder" / "maintenance.json", writer.submit)
            with pytest.raises(FileNotFoundError):
                await nowhere.store(ORDERED)
            await file.remove()
            assert file.read() is None

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(use())


async def test_an_error_is_the_callers_or_for_what_nobody_waits_for_the_logs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk that is full, a folder that is read-only."""
    path = tmp_path / "maintenance.json"
    (tmp_path / "maintenance.new").mkdir()
    path.mkdir()
    file = MaintenanceFile(path, at_once)
    with pytest.raises(OSError):
        await file.store(ORDERED)
    with pytest.raises(OSError):
        await file.remove()
    with caplog.at_level(logging.WARNING):
        file.store_later(ORDERED)
        file.remove_later()
    assert caplog.text.count(f"{path} cannot be written") == 2


def test_what_is_done_later_is_done(tmp_path: Path) -> None:
    file = MaintenanceFile(tmp_path / "maintenance.json", at_once)
    file.store_later(ORDERED)
    assert file.read() == ORDERED
    file.remove_later()
    assert file.read() is None


DAMAGED = ["", "no json", "null", "[]", "7", "{}", '{"reason": "x"}', '["reason"]', "[" * 9999]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_is_no_file(tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture) -> None:
    """With a line that says so, and says what follows."""
    path = tmp_path / "maintenance.json"
    path.write_text(content)
    assert MaintenanceFile(path, at_once).read() is None
    assert f"{path} is damaged; this node starts without maintenance" in caplog.text


def test_a_file_that_cannot_be_read_is_no_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "maintenance.json"
    path.mkdir()
    assert MaintenanceFile(path, at_once).read() is None
    assert f"{path} cannot be read: " in caplog.text and "this node starts without maintenance" in caplog.text
