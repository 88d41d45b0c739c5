"""The history of a node: told at once, written when the disk lets it, and whole over restarts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.virtual_time import VirtualTimeLoop
from tests.runtime.world import at_once
from wsa_proxy.runtime import history
from wsa_proxy.runtime.clocks import Clocks
from wsa_proxy.runtime.history import FILE_S_MAX
from wsa_proxy.runtime.history import RETRY_S
from wsa_proxy.runtime.history import History
from wsa_proxy.runtime.history_event import Event
from wsa_proxy.runtime.history_store import HistoryStore
from wsa_proxy.runtime.history_store import StoreError

AT = datetime(2026, 11, 29, tzinfo=UTC)
WALL_MS = 200_000_000_000.0


class World:
    """One life after the other in one folder; ``wall_ms`` is the wall clock when the loop's time is 0."""

    def __init__(self, folder: Path) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        self.folder, self.loop, self.wall_ms, self.boot = folder, loop, WALL_MS, "boot 1"
        self.submit: Callable[[Callable[[], None]], Future[None]] = at_once

    def life(self) -> History:
        clocks = Clocks(self.loop.time, self.loop.time, lambda: self.wall_ms + self.loop.now * 1000, self.boot)
        return History(self.folder, "a", clocks, lambda work: self.submit(work))


@pytest.fixture
async def world(tmp_path: Path) -> World:
    return World(tmp_path)


def add(history: History, group: int = 1, who: str = "") -> Event:
    return history.add(group, "backup", "master", "master_silent", "", who, at=AT)


async def told(history: History, **arguments: str) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = (await history.read(**arguments))["history"]
    return answer


class Refusing:
    """A disk that fails for as long as a test wants it to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.refuses, write = True, HistoryStore.write
        self.tried = 0

        def writing(store: HistoryStore, documents: Any) -> None:
            self.tried += 1
            if self.refuses:
                raise StoreError("database or disk is full")
            write(store, documents)

        monkeypatch.setattr(HistoryStore, "write", writing)


async def test_what_happened_is_told_and_kept_over_a_restart(world: World) -> None:
    """With how the life before has ended: in order, or not."""
    first = world.life()
    await first.open()
    heard: list[dict[str, Any]] = []
    first.on_event.append(heard.append)
    event = add(first, who="operator (uid 0, cli)")
    assert heard == [event.document()]
    await asyncio.sleep(1)
    killed = world.life()
    await killed.open()
    await asyncio.sleep(1)
    world.boot = "boot 2"
    reset = world.life()
    await reset.open()
    reset.close()
    last = world.life()
    await last.open()
    assert [(each["to"], each["evidence"]) for each in await told(last)] == [
        ("started", "its last life was stopped in order"),
        ("stopped", ""),
        ("started", "its last life ended with its host, without an orderly stop"),
        ("started", "its last life ended without an orderly stop: it was killed, or has crashed"),
        ("master", ""),
        ("started", "nothing is known of an earlier life"),
    ]
    last.close()


async def test_numbers_grow_whatever_the_wall_clock_does(world: World) -> None:
    """Many in one millisecond, and over a restart with a clock that was set back an hour."""
    first = world.life()
    await first.open()
    numbers = [add(first).number for _ in range(10)]
    await asyncio.sleep(1)
    world.wall_ms -= 3_600_000
    second = world.life()
    await second.open()
    numbers += [add(second).number for _ in range(10)]
    assert numbers == sorted(set(numbers)) and numbers[0] > WALL_MS


async def test_more_is_known_of_an_event_later(world: World) -> None:
    """It stays one event, with its number, also if others came between."""
    life = world.life()
    await life.open()
    first, _ = add(life), add(life)
    await asyncio.sleep(1)
    life.put(Event(first.number, AT, "a", 1, "backup", "master", "master_silent", "", "b", "l", who="somebody"))
    await asyncio.sleep(1)
    assert [each["who"] for each in await told(life)] == ["", "somebody", ""]
    assert life.status() == {"trouble": None, "events": 3}


async def test_more_is_known_of_an_event_while_it_is_written(world: World) -> None:
    """What the disk has by then is the older half of it; the other one follows."""
    life = world.life()
    event = add(life)

    def submit(work: Callable[[], None]) -> Future[None]:
        written = at_once(work)
        if world.submit is submit:
            world.submit = at_once
            life.put(replace(event, who="somebody"))
        return written

    world.submit = submit
    await asyncio.sleep(1)
    store = HistoryStore(world.folder / "history.db", lambda: "x")
    assert [each["who"] for each in store.read(None, 10, None)] == ["somebody"]


async def test_what_is_known_here_goes_before_the_file(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """That has not got the last word on an event yet."""
    disk, life = Refusing(monkeypatch), world.life()
    disk.refuses = False
    event = add(life)
    await asyncio.sleep(1)
    disk.refuses = True
    life.put(replace(event, who="somebody"))
    assert [each["who"] for each in await told(life)] == ["somebody"]


async def test_the_questions_are_answered_in_pieces(world: World) -> None:
    """Of a group, so many, before a number; a wrong question says what is right."""
    life = world.life()
    for number in range(6):
        add(life, group=1 + number % 2)
    await asyncio.sleep(1)
    everything = await told(life)
    assert await told(life, group="2", limit="2") == [each for each in everything if each["group"] == 2][:2]
    assert await told(life, before=str(everything[3]["number"])) == everything[4:]
    assert (await life.read(group="x"))["error"] == "group must be a whole number"
    for limit in ("0", "-1", "1001", "9" * 5000):
        assert (await life.read(limit=limit))["error"] == "limit must be a whole number from 1 to 1000"
    assert (await life.read(before="9" * 30))["error"] == "before must be a whole number"


async def test_a_disk_that_fails_is_told_and_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is lost meanwhile, and it is one line in the log, however often it is tried."""
    disk, life = Refusing(monkeypatch), world.life()
    add(life)
    await asyncio.sleep(3 * RETRY_S - 1)
    tried = disk.tried
    add(life)
    await asyncio.sleep(0.5)
    assert disk.tried == tried == 3, "it is tried each time after a while, however much happens"
    assert life.status() == {"trouble": "database or disk is full", "events": 2}
    assert len(await told(life)) == 2 and caplog.text.count("the history cannot be written") == 1
    disk.refuses = False
    await asyncio.sleep(RETRY_S)
    assert life.status() == {"trouble": None, "events": 2} and "is written again" in caplog.text
    assert len(HistoryStore(world.folder / "history.db", lambda: "x").read(None, 10, None)) == 2


async def test_what_waits_for_the_disk_is_bounded(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A node that flaps for a week beside a full disk does not grow, and says what was lost."""
    monkeypatch.setattr(history, "PENDING_MAX", 50)
    disk, life = Refusing(monkeypatch), world.life()
    for _ in range(60):
        add(life)
    await asyncio.sleep(RETRY_S)
    assert life.status() == {"trouble": "database or disk is full; 10 events were lost", "events": 50}
    disk.refuses = False
    await asyncio.sleep(RETRY_S)
    assert "10 events were too many to be kept" in caplog.text
    assert life.status() == {"trouble": "10 events were lost", "events": 50}
    assert len(await told(life, limit="1000")) == 50


async def test_a_disk_that_hangs_holds_nothing_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the start, nor who asks, nor an event."""
    world.submit = lambda work: Future()
    monkeypatch.setattr(asyncio, "wrap_future", lambda future: asyncio.get_running_loop().create_future())
    life, began_s = world.life(), world.loop.now
    await life.open()
    assert world.loop.now == began_s + FILE_S_MAX
    add(life)
    assert [each["to"] for each in await told(life)] == ["master", "started"]
    assert life.status()["events"] == 2


async def test_the_last_events_are_written_at_the_end(world: World) -> None:
    """Also what the disk has not taken by then; and a second end is none."""
    life = world.life()
    await life.open()
    add(life)
    life.close()
    life.close()
    store = HistoryStore(world.folder / "history.db", lambda: "x")
    assert [each["to"] for each in store.read(None, 10, None)] == ["stopped", "master", "started"]


async def test_a_file_that_was_moved_aside_is_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """In the log once, in the status for as long as the process lives: somebody should look at it."""
    (world.folder / "history.db").write_bytes(b"no database " * 100)
    life = world.life()
    with caplog.at_level(logging.ERROR):
        await life.open()
        for _ in range(3):
            add(life)
            await asyncio.sleep(1)
    assert caplog.text.count("is kept as history.db.aside-") == 1
    assert "is kept as history.db.aside-" in str(life.status()["trouble"])
