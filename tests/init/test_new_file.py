"""A new file is there whole or not at all, for its owner only, and over no other file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wsa_proxy.init.new_file import write_new


def test_it_is_its_owners_alone_whatever_the_mask(tmp_path: Path) -> None:
    """In a folder that is made if need be; nothing else is left there."""
    file = tmp_path / "etc" / "wsa-proxy" / "node.yaml"
    before = os.umask(0)
    try:
        write_new(file, "node: ä\n", force=False)
    finally:
        os.umask(before)
    assert (file.read_text(encoding="utf-8"), file.stat().st_mode & 0o777) == ("node: ä\n", 0o600)
    assert [each.name for each in file.parent.iterdir()] == ["node.yaml"]


def test_what_is_there_stays(tmp_path: Path) -> None:
    """A file, and a link that leads nowhere; unless it is forced."""
    file, link = tmp_path / "node.yaml", tmp_path / "link.yaml"
    file.write_text("old")
    link.symlink_to("nowhere")
    for each in (file, link):
        with pytest.raises(FileExistsError):
            write_new(each, "new", force=False)
    assert file.read_text() == "old" and sorted(each.name for each in tmp_path.iterdir()) == ["link.yaml", "node.yaml"]
    write_new(file, "new", force=True)
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("new", 0o600)


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_new(tmp_path / "node.yaml", "new", force=False)
    assert list(tmp_path.iterdir()) == []
