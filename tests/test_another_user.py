"""Another user than root gets at what he needs, and only within the test."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests import another_user
from tests.unit_run import UnitHost


@pytest.fixture
def lan(tmp_path: Path) -> UnitHost:
    return UnitHost(tmp_path)


def test_the_first_closed_folder_is_in_the_way(tmp_path: Path) -> None:
    """Whoever opens it opens the way to the next. The last one on the way is not entered."""
    outer = tmp_path / "outer"
    inner = outer / "inner"
    inner.mkdir(parents=True)
    for modes, blocking in (((0o711, 0o755), None), ((0o700, 0o700), outer), ((0o755, 0o744), inner)):
        outer.chmod(modes[0])
        inner.chmod(modes[1])
        assert another_user.in_the_way(inner / "file", below=tmp_path) == blocking
        assert another_user.in_the_way(inner, below=tmp_path) == (blocking if blocking == outer else None)


def test_what_is_needed_is_within_reach_and_nobody_else_sees_it(lan: UnitHost) -> None:
    """The unit's user can run the program and write into his folder; for the test's parent all is as it was."""
    lan.give(lan.folder)
    program = f"import mitmproxy, wsa_proxy; open({str(lan.folder / 'written')!r}, 'x').close()"
    assert lan.run(lan.as_user(lan.user, [sys.executable, "-c", program])) == (0, "", "")
    assert (lan.folder / "written").stat().st_uid == lan.user

    parent = Path(f"/proc/{os.getppid()}")
    apart = (parent / "ns/mnt").readlink() != Path("/proc/self/ns/mnt").readlink()
    assert apart == lan.has_another_user
    outside = parent / "root" / lan.folder.relative_to("/")
    assert (list(outside.iterdir()) == []) == lan.has_another_user
    assert (outside.stat().st_uid, outside.stat().st_mode & 0o777) == (os.geteuid(), 0o700)
    assert (str(lan.folder) in (parent / "mountinfo").read_text()) is False
