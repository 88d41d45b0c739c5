"""A file of the node's is the old one or the new one, whatever moment its process was killed at."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wsa_proxy.runtime import state_file


class Killed(BaseException):
    """The process was here no more."""


class Steps:
    """Counts what is asked of the kernel, and dies before the call with the number ``last``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, last: int | None) -> None:
        self.calls: list[str] = []
        self._last = last
        for owner, name in ((os, "open"), (os, "fsync"), (os, "close"), (Path, "replace"), (Path, "unlink")):
            monkeypatch.setattr(owner, name, self._counted(name, getattr(owner, name)))

    def _counted(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            if len(self.calls) == self._last:
                raise Killed
            self.calls.append(name)
            return call(*arguments, **named)

        return counted


STORING = ["open", "fsync", "replace", "open", "fsync", "close"]
REMOVING = ["unlink", "open", "fsync", "close"]


@pytest.mark.parametrize("last", range(len(STORING)))
def test_who_is_killed_while_storing_leaves_the_old_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: int
) -> None:
    """The new one once it has its name; and a later life stores all the same."""
    path = tmp_path / "state.json"
    state_file.store(path, "old")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        Steps(patch, last)
        state_file.store(path, "new")
    assert state_file.load(path) == ("new" if last > STORING.index("replace") else "old")
    state_file.store(path, "newer")
    assert state_file.load(path) == "newer"


def test_it_is_on_the_disk_under_its_name_when_storing_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The content before the name, then the folder, in which the name is; so is its removal."""
    path = tmp_path / "state.json"
    steps = Steps(monkeypatch, None)
    state_file.store(path, "new")
    assert steps.calls == STORING
    steps.calls.clear()
    state_file.remove(path)
    assert steps.calls == REMOVING and not path.exists()
    state_file.remove(path)


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_only_its_owner_may_read_it(tmp_path: Path, mask: int) -> None:
    """Whatever the process's mask is."""
    path = tmp_path / "state.json"
    before = os.umask(mask)
    try:
        state_file.store(path, "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_link_is_followed(tmp_path: Path) -> None:
    """Whoever may write into the folder names no file that we overwrite."""
    other = tmp_path / "other"
    other.write_text("untouched")
    (tmp_path / "state.new").symlink_to(other)
    with pytest.raises(OSError):
        state_file.store(tmp_path / "state.json", "x")
    assert other.read_text() == "untouched"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 60_000, b"9" * 5000, b'"' + b"x" * 70_000 + b'"'])
def test_what_is_no_document_is_one_kind_of_error(tmp_path: Path, content: bytes) -> None:
    """Also what is longer than anything that was ever stored."""
    path = tmp_path / "state.json"
    path.write_bytes(content)
    with pytest.raises(ValueError):
        state_file.load(path)


def test_no_file_is_another(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        state_file.load(tmp_path / "state.json")


def test_a_folder_that_cannot_be_synced_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Some file systems know no such thing: stored it is, only not safe from a power failure."""
    sync, path = os.fsync, tmp_path / "state.json"

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError("Invalid argument")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with caplog.at_level(logging.WARNING):
        state_file.store(path, "x")
    assert state_file.load(path) == "x" and "the folder cannot be synced: Invalid argument" in caplog.text
