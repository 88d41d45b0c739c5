"""Orders of maintenance: refused, replaced, written down slowly or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from tests.runtime.test_maintenance import file_of
from tests.runtime.test_maintenance import has_file
from tests.runtime.world import MakeHost
from tests.runtime.world import at_once
from wsa_proxy.runtime.history import History


@pytest.mark.parametrize(
    ("reason", "duration", "error"),
    [
        ("", "30m", "give the reason: one line of text, at most 200 characters"),
        ("x" * 201, "30m", "give the reason: one line of text, at most 200 characters"),
        ("x", "8d", "give how long as a whole number and s, m, h or d, at least 1s and at most 7d: 30s, 30m, 2h, 1d"),
        ("x", "soon", "give how long as a whole number and s, m, h or d, at least 1s and at most 7d: 30s, 30m, 2h, 1d"),
    ],
)
async def test_an_order_that_makes_no_sense_changes_nothing(
    make_host: MakeHost, reason: str, duration: str, error: str
) -> None:
    host = make_host("a", 1)
    await host.start()
    assert await host.node.maintenance.on(reason, duration) == {"error": error}
    assert host.node.maintenance.refusal(reason, duration) == error
    assert host.node.maintenance.current() is None and not has_file(host)


async def test_another_order_replaces_the_first(make_host: MakeHost) -> None:
    """Longer, or shorter; the earlier end is nothing any more."""
    host = make_host("a", 1)
    await host.start()
    await host.node.maintenance.on("kernel update", "30s")
    await host.node.maintenance.on("memory", "1h")
    await asyncio.sleep(60)
    current = host.node.maintenance.current()
    assert current is not None and (current.reason, file_of(host)["reason"]) == ("memory", "memory")
    await host.node.maintenance.on("memory", "10s")
    await asyncio.sleep(9.1)
    assert host.node.maintenance.current() is None and not has_file(host)


class Disk:
    """A thread whose work is done when the test wants it, or fails; the history's is done at once."""

    def __init__(self) -> None:
        self.works: list[tuple[Callable[[], None], Future[None]]] = []

    def submit(self, work: Callable[[], None]) -> Future[None]:
        if getattr(work, "__qualname__", "").startswith(History.__name__):
            return at_once(work)
        self.works.append((work, Future()))
        return self.works[-1][1]

    def work_on(self, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> None:
        """Do one, and have the loop told as from a thread."""
        work, done = self.works.pop(0)
        work()
        with monkeypatch.context() as patch:
            patch.setattr(type(loop), "call_soon_threadsafe", asyncio.SelectorEventLoop.call_soon)
            done.set_result(None)


async def test_the_intent_comes_first_then_the_demotion_then_the_answer(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the disk is slow nothing has happened yet; the orders are carried out in the order in which they came."""
    disk = Disk()
    host = make_host("a", 1, submit=disk.submit)
    await host.start()
    on = asyncio.ensure_future(host.node.maintenance.on("kernel update", "30m"))  # noqa: TID251 - awaited below
    off = asyncio.ensure_future(host.node.maintenance.off())  # noqa: TID251 - awaited below
    await asyncio.sleep(5)
    assert len(disk.works) == 1 and host.node.maintenance.current() is None and not has_file(host)
    disk.work_on(host.loop, monkeypatch)
    assert has_file(host) and host.node.maintenance.current() is None
    await asyncio.sleep(0.01)
    assert host.node.maintenance.current() is not None and host.driver.virtual_host.demotion == 1
    assert on.done() is off.done() is False and len(disk.works) == 1
    disk.work_on(host.loop, monkeypatch)
    await asyncio.sleep(2)
    assert not has_file(host) and host.node.maintenance.current() is None
    assert [(await on)["changes"][0][:14], (await off)["changes"]] == [
        "in maintenance",
        ["no longer in maintenance: kernel update"],
    ]


async def test_an_end_during_an_order_takes_nothing_of_it_away(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old time is over while the new order is being written: the file of the new one stays."""
    disk = Disk()
    host = make_host("a", 1, submit=disk.submit)
    await host.start()
    first = asyncio.ensure_future(host.node.maintenance.on("kernel update", "10s"))  # noqa: TID251 - awaited below
    await asyncio.sleep(0.01)
    disk.work_on(host.loop, monkeypatch)
    await first
    second = asyncio.ensure_future(host.node.maintenance.on("memory", "1h"))  # noqa: TID251 - awaited below
    await asyncio.sleep(20)
    disk.work_on(host.loop, monkeypatch)
    await second
    assert disk.works == [] and file_of(host)["reason"] == "memory" and host.driver.virtual_host.demotion == 1


async def test_an_order_that_cannot_be_written_changes_nothing(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    """And is an error, for the operator and in the log."""
    host = make_host("a", 1)
    await host.start()
    (host.node.settings.state_dir / "maintenance.new").mkdir()
    answer = await host.node.maintenance.on("kernel update", "30m")
    assert "maintenance.json cannot be written: " in answer["error"] and "nothing has changed" in answer["error"]
    assert answer["error"] in caplog.text
    assert host.node.maintenance.current() is None and host.driver.virtual_host.demotion == 0


async def test_off_ends_it_also_where_the_file_cannot_be_removed(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator gets his node back, and hears what a restart would bring."""
    host = make_host("a", 1)
    await host.start()
    await host.node.maintenance.on("kernel update", "30m")

    def fail(_: object) -> None:
        raise OSError("read-only file system")

    monkeypatch.setattr("wsa_proxy.runtime.state_file.remove", fail)
    answer = await host.node.maintenance.off()
    assert "cannot be removed: read-only file system; this node is no longer in maintenance" in answer["error"]
    assert host.node.maintenance.current() is None and host.driver.virtual_host.demotion == 0
