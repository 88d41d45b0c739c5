"""Thirteen stories of the protocol, each with all that the nodes do in it, as files that can be read: tests/golden."""

from __future__ import annotations

import difflib
import os
import shutil
from pathlib import Path

import pytest

from tests.carp import trace
from wsa_proxy.carp import election

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
FILES = sorted(GOLDEN.glob("*.txt"))


def check(path: Path, rewrite: bool) -> str | None:
    """None when the nodes still do what the file says; else what is different, or which file was written anew."""
    before = path.read_text()
    after = trace.play(before)
    if after == before:
        return None
    if rewrite:
        path.write_text(after)
        return f"rewritten: {path.name}"
    diff = difflib.unified_diff(before.splitlines(), after.splitlines(), f"{path.name}", "now", lineterm="")
    how = "If the new trace is right by the rules: pytest tests/carp/test_golden_traces.py --rewrite-golden"
    return "\n".join([*diff, "", how])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_story_goes_as_it_is_written(
    path: Path, pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every event, effect, reason and deadline of the file, to a tenth of a millisecond."""
    rewrite = bool(pytestconfig.getoption("--rewrite-golden"))
    assert not (rewrite and os.environ.get("CI")), "--rewrite-golden makes these tests pass: not in CI"
    difference = check(path, rewrite)
    if rewrite and difference:
        with capsys.disabled():
            print(f"\n{difference}")
    elif difference:
        pytest.fail(difference, pytrace=False)


def test_all_stories_are_there() -> None:
    """A file that was lost would be a test that was lost."""
    assert len(FILES) == 13


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_story_begins_with_what_to_look_at(path: Path) -> None:
    """The first line of each is a comment, and no line is wider than the code's."""
    lines = path.read_text().splitlines()
    assert lines[0].startswith("# ")
    assert max(len(line) for line in lines) <= 120


def test_a_changed_core_fails_with_the_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message shows the lines and says how to keep them; only the flag writes, and then the file fits."""
    path = Path(shutil.copy(GOLDEN / "takeover_by_silence.txt", tmp_path))
    written = path.read_text()
    monkeypatch.setattr(election, "master_down_s", lambda advbase, advskew: 2 * advbase + advskew / 256)
    difference = check(path, rewrite=False) or ""
    assert "\n-   " in difference and "\n+   " in difference and "--rewrite-golden" in difference
    assert path.read_text() == written
    assert check(path, rewrite=True) == "rewritten: takeover_by_silence.txt"
    assert check(path, rewrite=False) is None
