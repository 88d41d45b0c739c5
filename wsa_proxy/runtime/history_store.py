"""The file of the history: an SQLite database in the node's folder, of bounded size.

Everything here is called in the thread that writes the node's files, and may wait for a disk. Each write is one
transaction and on the disk when it returns, so a process that is killed at any moment leaves a file without half an
event in it. What cannot be read as a history of ours is moved aside, never removed, and a new file is begun.
"""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path
from typing import Any

EVENTS_MAX = 10_000
PRUNED_AT_ONCE = 100
"""Above the bound, so that not each event costs a removal."""
BUSY_S = 1.0
"""So long somebody else who holds the file is waited for."""
PAGE_BYTES = 4096
PAGES_MAX = 16_384
"""64 MB; some 10,000 events of the usual length have 5."""
JOURNAL_BYTES_MAX = 1 << 20
ASIDE_MAX = 8
BESIDE = ("-wal", "-shm")
"""How the names end of what SQLite keeps beside the file."""
APPLICATION = 0x77736148  # "wsaH", in the file's head: it is ours
VERSION = 1
CREATE = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # root writes here: into no other file

type Document = dict[str, Any]

TABLE = """
CREATE TABLE events (number INTEGER PRIMARY KEY, vhid INTEGER NOT NULL, document TEXT NOT NULL) STRICT;
CREATE INDEX events_of_group ON events (vhid, number);
"""
PRUNE = "DELETE FROM events WHERE number <= (SELECT number FROM events ORDER BY number DESC LIMIT 1 OFFSET ?)"
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class StoreError(Exception):
    """The file cannot be written or read now; the text says why."""


class _Foreign(Exception):
    """What is there is no history of this version."""


class HistoryStore:
    """Opened when it is first needed, and again after each trouble."""

    def __init__(self, path: Path, name_aside: Callable[[], str]) -> None:
        """``name_aside`` answers what a file that is moved aside is called after: the time, as a rule."""
        self.path = path
        self.count = 0
        """Events in the file, as far as is known."""
        self.moved: str | None = None
        """What was moved aside, and why."""
        self._name_aside = name_aside
        self._connection: sqlite3.Connection | None = None

    def write(self, documents: Sequence[Document]) -> None:
        """On the disk when this returns; an event that is there already (by its number) is replaced. Raises StoreError:
        none of them is."""
        self._attempt(lambda connection: self._write(connection, documents))

    def read(self, group: int | None, limit: int, before: int | None) -> list[Document]:
        """The newest events, newest first: of one group, of those below a number. Raises StoreError."""
        found: list[Document] = []
        self._attempt(lambda connection: found.extend(_select(connection, group, limit, before)))
        return found

    def close(self) -> None:
        """Harmless when repeated."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # -- the connection ------------------------------------------------------------------------------------------------

    def _attempt(self, work: Callable[[sqlite3.Connection], None]) -> None:
        try:
            try:
                work(self._opened())
            except (_Foreign, sqlite3.DatabaseError) as error:
                if not isinstance(error, _Foreign) and error.sqlite_errorcode & 0xFF not in _DAMAGED:
                    raise
                self._move_aside(error)
                work(self._opened())
        except (_Foreign, sqlite3.Error, OSError, ValueError) as error:
            self.close()
            raise StoreError(f"{self.path}: {error}") from error

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            _make_for_owner(self.path)
            # None: transactions begin where this code says so.
            connection = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
            try:
                _prepare(connection)
                self.count = int(connection.execute("SELECT count(*) FROM events").fetchone()[0])
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _move_aside(self, why: Exception) -> None:
        self.close()
        moved = self.path.parent.glob(f"{self.path.name}.aside-*")
        present = [each for each in moved if not each.name.endswith(BESIDE)]
        if len(present) >= ASIDE_MAX:
            raise OSError(f"{why}; {len(present)} such files were moved aside already: look at them, and remove them")
        aside = self.path.with_name(f"{self.path.name}.aside-{self._name_aside()}")
        for ending in (*BESIDE, ""):
            beside = self.path.with_name(self.path.name + ending)
            if beside.exists():
                beside.rename(aside.with_name(aside.name + ending))
        self.moved = f"{self.path} was not readable ({why}); it is kept as {aside.name}, and a new one was begun"

    def _write(self, connection: sqlite3.Connection, documents: Sequence[Document]) -> None:
        rows = [(each["number"], each["group"], json.dumps(each)) for each in documents]
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany("INSERT OR REPLACE INTO events VALUES (?, ?, ?)", rows)
            count = int(connection.execute("SELECT count(*) FROM events").fetchone()[0])
            if count > EVENTS_MAX + PRUNED_AT_ONCE:
                connection.execute(PRUNE, (EVENTS_MAX,))
                count = EVENTS_MAX
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self.count = count


def _make_for_owner(path: Path) -> None:
    """The file has its mode from its first moment on, and what SQLite makes beside it has the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, CREATE, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("is no regular file")
    finally:
        os.close(descriptor)


def _prepare(connection: sqlite3.Connection) -> None:
    """Its settings, and its table if it is new. Raises _Foreign when it is somebody else's, or of a later version."""
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    marks = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
    is_new = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if not is_new and marks != [APPLICATION, VERSION]:
        raise _Foreign("no history of this version of wsa-proxy")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_BYTES_MAX}")
    connection.execute(f"PRAGMA max_page_count = {PAGES_MAX}")
    if is_new:
        # In one transaction: who is killed here leaves a file that is as new as before.
        connection.executescript(
            f"BEGIN; {TABLE} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
        )
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise _Foreign(verdict)


def _select(connection: sqlite3.Connection, group: int | None, limit: int, before: int | None) -> list[Document]:
    where, values = ["1"], list[int]()
    for column, value in (("vhid =", group), ("number <", before)):
        if value is not None:
            where.append(f"{column} ?")
            values.append(value)
    query = f"SELECT document FROM events WHERE {' AND '.join(where)} ORDER BY number DESC LIMIT ?"
    return [json.loads(text) for (text,) in connection.execute(query, [*values, limit])]
