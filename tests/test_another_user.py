"""Another user than root gets at what he needs, and only within the test."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import another_user
from tests.unit_run import UnitHost


def outside() -> list[tuple[int, ...]]:
    """Which folders are on the ways to what another user needs, whose they are, and who may enter them."""
    ways = {each for tree in another_user.needed() for each in (tree, *tree.parents)}
    found = [each.stat() for each in sorted(ways)]
    return [(each.st_dev, each.st_ino, each.st_uid, each.st_mode) for each in found]


@pytest.fixture(params=["in a closed folder", "in an open one"])
def lan(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[UnitHost]:
    """Built in the child of the test, as every ``lan``. What the child has done to its own view is nothing here."""
    with tempfile.TemporaryDirectory() as elsewhere:  # pytest's folders are closed, the system's is open
        folder = tmp_path if "closed" in request.param else Path(elsewhere)
        before, host = outside(), UnitHost(folder)
        yield host
        assert outside() == before
        assert (folder.stat().st_uid, folder.stat().st_mode & 0o777) == (os.geteuid(), 0o700)
        assert [each.name for each in folder.iterdir()] == ([] if host.has_another_user else ["written"])


def test_the_first_closed_folder_is_in_the_way(tmp_path: Path) -> None:
    """Whoever opens it opens the way to the next. The last one on the way is not entered."""
    outer = tmp_path / "outer"
    inner = outer / "inner"
    inner.mkdir(parents=True)
    for modes, blocking in (((0o711, 0o755), None), ((0o770, 0o770), outer), ((0o701, 0o774), inner)):
        outer.chmod(modes[0])
        inner.chmod(modes[1])
        assert another_user.in_the_way(inner / "file", below=tmp_path) == blocking
        assert another_user.in_the_way(inner, below=tmp_path) == (blocking if blocking == outer else None)


def test_what_is_needed_is_within_reach_and_nobody_else_sees_it(lan: UnitHost) -> None:
    """The unit's user can run the program and write into his folder; outside all is as it was (see the fixture)."""
    lan.give(lan.folder)
    program = f"import mitmproxy, wsa_proxy; open({str(lan.folder / 'written')!r}, 'x').close()"
    assert lan.run(lan.as_user(lan.user, [sys.executable, "-c", program])) == (0, "", "")
    assert (lan.folder / "written").stat().st_uid == lan.user
