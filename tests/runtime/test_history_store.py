"""The file of the history: bounded, whole after a kill at any moment, and never in the way when it is not to be had."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from wsa_proxy.runtime import history_store
from wsa_proxy.runtime.history_store import ASIDE_MAX
from wsa_proxy.runtime.history_store import EVENTS_MAX
from wsa_proxy.runtime.history_store import PRUNED_AT_ONCE
from wsa_proxy.runtime.history_store import HistoryStore
from wsa_proxy.runtime.history_store import StoreError

WRITER = """
import sys
from pathlib import Path
from wsa_proxy.runtime.history_store import HistoryStore
store, number = HistoryStore(Path(sys.argv[1]), lambda: "x"), int(sys.argv[2])
while True:
    store.write([{"number": number + each, "group": 1, "text": "x" * 2000} for each in range(3)])
    number += 3
    print(number, flush=True)
"""


def event(number: int, group: int = 1, **more: Any) -> dict[str, Any]:
    return {"number": number, "group": group, **more}


def store_at(path: Path) -> HistoryStore:
    return HistoryStore(path, lambda: f"{time.monotonic_ns()}")


@pytest.fixture
def store(tmp_path: Path) -> HistoryStore:
    return store_at(tmp_path / "state" / "history.db")


def numbers(store: HistoryStore, group: int | None = None, limit: int = 100, before: int | None = None) -> list[int]:
    return [each["number"] for each in store.read(group, limit, before)]


def test_what_was_written_is_read_newest_first(store: HistoryStore) -> None:
    """Of one group, so many, before a number; and one that is written again is another text of the same event."""
    store.write([event(number, 1 + number % 2) for number in range(1, 7)])
    store.write([event(6, text="more is known")])
    assert numbers(store) == [6, 5, 4, 3, 2, 1] and store.count == 6
    assert numbers(store, group=2, limit=2) == [5, 3] and numbers(store, before=3) == [2, 1]
    assert store.read(None, 1, None) == [event(6, text="more is known")]


def test_it_is_for_its_owner_only(store: HistoryStore) -> None:
    """From its first moment on, with what SQLite has beside it."""
    store.write([event(1)])
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in store.path.parent.iterdir()}
    assert modes["history.db"] == 0o600 and set(modes.values()) == {0o600} and len(modes) == 3


def test_fifty_thousand_events_are_bounded(store: HistoryStore) -> None:
    """The newest stay; neither the events nor the file grow without end."""
    for first in range(0, 50_000, 500):
        store.write([event(number, text="x" * 300) for number in range(first, first + 500)])
        assert store.count <= EVENTS_MAX + PRUNED_AT_ONCE
    kept = numbers(store, limit=50_000)
    assert kept[0] == 49_999 and EVENTS_MAX <= len(kept) == store.count
    store.close()
    assert sum(each.stat().st_size for each in store.path.parent.iterdir()) < 12_000_000


def test_a_kill_at_any_moment_loses_nothing_that_was_said_to_be_written(tmp_path: Path) -> None:
    """Ten of them: each event up to the last that was told is there, and each batch is there as a whole."""
    path, number = tmp_path / "history.db", 0
    for round_number in range(10):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(number)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        told = 0
        for _ in range(1 + round_number * 3):
            told = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split()
        process.wait()
        store = store_at(path)
        number = numbers(store, limit=1)[0] + 1
        assert number >= int(rest[-1] if rest else told) and number % 3 == 0
        assert numbers(store, limit=50_000) == list(reversed(range(number))) and store.moved is None
        store.close()


def test_what_sqlite_has_beside_a_file_goes_with_it(store: HistoryStore) -> None:
    """While somebody has it open there are a journal and its index; the three count as one file that was moved."""
    for count in range(1, ASIDE_MAX + 1):
        store.write([event(1)])
        store.close()
        with closing(sqlite3.connect(store.path)) as other:
            other.execute("PRAGMA user_version = 2")
            store.write([event(100 + count)])
            assert numbers(store) == [100 + count]
            store.close()
        assert len(list(store.path.parent.glob("history.db.aside-*"))) == 3 * count


def test_a_damaged_file_is_kept_aside(store: HistoryStore) -> None:
    """Nothing of it is lost, and the new one works at once; who has moved many already moves none."""
    for count in range(1, ASIDE_MAX + 1):
        store.write([event(count)])
        store.close()
        store.path.write_bytes(b"no database " * 1000)
        store.write([event(100)])
        assert store.moved is not None and numbers(store) == [100]
        aside = list(store.path.parent.glob("history.db.aside-*"))
        assert sum(each.read_bytes() == b"no database " * 1000 for each in aside) == count
        store.close()
        store.path.unlink()
    store.path.write_bytes(b"no database " * 1000)
    with pytest.raises(StoreError, match="8 such files were moved aside already"):
        store.write([event(1)])
    assert store.path.read_bytes() == b"no database " * 1000


def test_damage_in_the_middle_is_found(store: HistoryStore) -> None:
    """A page of the table, as a bad disk leaves it."""
    store.write([event(number, text="x" * 2000) for number in range(100)])
    store.close()
    content = bytearray(store.path.read_bytes())
    content[40_960:45_056] = b"\xff" * 4096
    store.path.write_bytes(content)
    store.write([event(1000)])
    assert numbers(store) == [1000] and store.moved is not None


@pytest.mark.parametrize("statement", ["CREATE TABLE other (x)", "PRAGMA user_version = 2"])
def test_the_file_of_another_program_or_version_is_kept_aside(store: HistoryStore, statement: str) -> None:
    """It is somebody's."""
    if statement.startswith("PRAGMA"):
        store.write([event(1)])
        store.close()
    store.path.parent.mkdir(exist_ok=True)
    with sqlite3.connect(store.path) as foreign:
        foreign.execute(statement)
    foreign.close()
    store.write([event(2)])
    assert numbers(store) == [2]
    assert "no history of this version" in str(store.moved)


def test_a_full_disk_is_an_error_and_the_file_stays_whole(store: HistoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite says the same of its own bound as of the disk's; when there is room again, it goes on."""
    store.write([event(1)])
    store.close()
    monkeypatch.setattr(history_store, "PAGES_MAX", 6)
    with pytest.raises(StoreError, match="full"):
        store.write([event(number, text="x" * 3000) for number in range(2, 50)])
    assert numbers(store) == [1]
    store.close()
    monkeypatch.undo()
    store.write([event(2)])
    assert numbers(store) == [2, 1] and store.moved is None


def test_a_locked_file_is_an_error_and_nothing_is_moved(store: HistoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody looks into it with a tool of his own."""
    monkeypatch.setattr(history_store, "BUSY_S", 0.01)
    store.write([event(1)])
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store.close()
    with pytest.raises(StoreError, match="locked"):
        store.write([event(2)])
    other.execute("ROLLBACK")
    other.close()
    store.write([event(2)])
    assert numbers(store) == [2, 1] and store.moved is None


def test_it_writes_into_no_file_that_somebody_points_to(store: HistoryStore) -> None:
    """Root runs this: a link, a pipe or a folder in its place is left alone."""
    store.path.parent.mkdir()
    other = store.path.with_name("other")
    other.write_text("")
    store.path.symlink_to(other)
    with pytest.raises(StoreError):
        store.write([event(1)])
    assert other.read_text() == ""
    store.path.unlink()
    os.mkfifo(store.path)
    with pytest.raises(StoreError):
        store.write([event(1)])
