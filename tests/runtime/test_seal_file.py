"""The file of a group's time: when it is written, that it is whole, and that a bad one costs nothing else."""

from __future__ import annotations

import json
import logging
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from wsa_proxy.carp.seal import YEAR_2100_MS
from wsa_proxy.carp.seal import GroupTime
from wsa_proxy.runtime.seal_file import KEYS_MAX
from wsa_proxy.runtime.seal_file import SealFile

WALL_MS = 2e11
TOLERANCE_MS = 3.6e6


class Writer:
    """Counts what it is given, and carries it out at once."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, write: Callable[[], None]) -> None:
        self.count += 1
        write()


def opened(folder: Path, boot: str = "boot", clock_ms: float = 0.0) -> tuple[SealFile, GroupTime, Writer]:
    writer = Writer()
    file = SealFile(folder / "seal-1.json", boot, writer)
    time = file.group_time("key", clock_ms, TOLERANCE_MS)
    return file, time, writer


def say(time: GroupTime, clock_ms: float) -> int:
    return time.sign(1, 0, 0, False, clock_ms, WALL_MS, 0)


def test_it_is_written_when_the_time_is_first_known_and_when_it_has_moved(tmp_path: Path) -> None:
    """More than 100 ms; else after an hour."""
    file, time, writer = opened(tmp_path)
    file.look(0.0)
    assert writer.count == 0
    say(time, 0.0)
    file.look(1.0)
    file.look(2.0)
    assert writer.count == 1
    assert time.line_ms is not None
    time.line_ms += 99
    file.look(3.0)
    assert writer.count == 1
    time.line_ms += 2
    file.look(4.0)
    assert writer.count == 2
    file.look(3603.0)
    assert writer.count == 2
    file.look(3604.0)
    assert writer.count == 3


def test_who_comes_back_in_the_same_boot_knows_the_time_exactly(tmp_path: Path) -> None:
    """And refuses all that could be older; only its owner may read it."""
    file, time, _ = opened(tmp_path)
    say(time, 0.0)
    file.write(0.0)
    _, again, _ = opened(tmp_path, clock_ms=60_000.0)
    assert again.line_ms == time.line_ms and again.top >> 22 == int(60_000 + WALL_MS)
    assert stat.S_IMODE((tmp_path / "seal-1.json").stat().st_mode) == 0o600


def test_who_comes_back_beyond_2100_knows_the_time_as_well(tmp_path: Path) -> None:
    """A wall clock that was wrong has told the group 2100, and this host was started anew since."""
    file, time, _ = opened(tmp_path)
    time.line_ms = YEAR_2100_MS + 3.6e6
    file.write(0.0)
    _, again, _ = opened(tmp_path, clock_ms=60_000.0)
    assert again.line_ms == time.line_ms


def test_of_another_boot_only_the_highest_counter_counts(tmp_path: Path) -> None:
    """The clock has started anew."""
    file, time, _ = opened(tmp_path)
    counter = say(time, 0.0)
    file.write(0.0)
    _, again, _ = opened(tmp_path, boot="another")
    assert again.line_ms is None and again.top == counter


@pytest.mark.parametrize(
    "content",
    [
        "",
        "no json",
        "[]",
        '{"keys": []}',
        '{"keys": {"key": {}}}',
        '{"keys": {"key": {"boot": "boot", "line_ms": "1", "top": 1}}}',
        '{"keys": {"key": {"boot": "boot", "line_ms": 1e30, "top": 1}}}',
        '{"keys": {"key": {"boot": "boot", "line_ms": NaN, "top": 1}}}',
        '{"keys": {"key": {"boot": "boot", "line_ms": 1, "top": -1}}}',
        '{"keys": {"key": {"boot": "boot", "line_ms": 1, "top": 18446744073709551616}}}',
    ],
)
def test_a_damaged_file_is_no_file(tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture) -> None:
    """With a line that says so."""
    (tmp_path / "seal-1.json").write_text(content)
    _, time, _ = opened(tmp_path)
    assert time.line_ms is None and time.top == 0
    assert "is damaged" in caplog.text


def test_what_cannot_be_written_or_read_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A disk that is full stops no proxy."""
    (tmp_path / "seal-1.json").mkdir()
    (tmp_path / "seal-1.json" / "something").touch()
    file, time, _ = opened(tmp_path)
    assert "cannot be read" in caplog.text
    say(time, 0.0)
    with caplog.at_level(logging.WARNING):
        file.write(1.0)
        file.write(2.0)
    assert caplog.text.count("cannot be written") == 1


def test_no_link_is_followed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever may write into the folder names no file that we overwrite."""
    other = tmp_path / "other"
    other.write_text("untouched")
    (tmp_path / "seal-1.new").symlink_to(other)
    file, time, _ = opened(tmp_path)
    say(time, 0.0)
    file.write(1.0)
    assert other.read_text() == "untouched" and "cannot be written" in caplog.text


def test_nothing_is_written_while_nothing_is_known(tmp_path: Path) -> None:
    """A node that has heard and said nothing must not forget what its file says."""
    file, time, _ = opened(tmp_path)
    say(time, 0.0)
    file.write(0.0)
    other, _, writer = opened(tmp_path, boot="another")
    other.write(0.0)
    assert writer.count == 0 and "key" in json.loads((tmp_path / "seal-1.json").read_text())["keys"]


def test_a_key_that_is_asked_for_again_is_the_same_one(tmp_path: Path) -> None:
    """What this process has said and heard with it counts, and only the tolerance is new."""
    file, time, _ = opened(tmp_path)
    say(time, 0.0)
    assert file.group_time("key", 5.0, 60.0) is time and time._tolerance_ms == 60.0


def test_a_key_that_nobody_has_asked_for_the_longest_is_forgotten(tmp_path: Path) -> None:
    """A secret that is changed every day must not fill memory and file."""
    file, time, _ = opened(tmp_path)
    for number in range(KEYS_MAX - 1):
        file.group_time(f"key {number}", 0.0, TOLERANCE_MS)
    assert file.group_time("key", 0.0, TOLERANCE_MS) is time
    other = file.group_time("one more", 0.0, TOLERANCE_MS)
    assert file.group_time("key", 0.0, TOLERANCE_MS) is time
    assert file.group_time("one more", 0.0, TOLERANCE_MS) is other and len(file._times) == KEYS_MAX
    assert "key 0" not in file._times


def test_of_the_keys_of_earlier_lives_the_oldest_go_first(tmp_path: Path) -> None:
    """What is in use now is kept in any case, and the file does not grow for ever."""
    names = [f"key {number}" for number in range(KEYS_MAX + 2)]
    for name in names:  # one in each life
        file = SealFile(tmp_path / "seal-1.json", "boot", Writer())
        say(file.group_time(name, 0.0, TOLERANCE_MS), 0.0)
        file.write(0.0)
    assert [*json.loads((tmp_path / "seal-1.json").read_text())["keys"]] == names[2:]
