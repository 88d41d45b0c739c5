from __future__ import annotations

from pathlib import Path

from tests.bench.log_tail import LogTail


def test_each_line_is_read_once_and_whole(tmp_path: Path) -> None:
    """A line of which only the beginning has been written waits for its end."""
    log = tmp_path / "log"
    tail = LogTail(log)
    assert tail.lines() == []
    log.write_text("one\ntw")
    assert tail.lines() == ["one"]
    with log.open("a") as file:
        file.write("o\nthree\n")
    assert tail.lines() == ["two", "three"]
    assert tail.lines() == []


def test_what_is_there_already_may_be_passed_over(tmp_path: Path) -> None:
    """What a node has told while it started is not part of the run."""
    log = tmp_path / "log"
    log.write_text("before\n")
    tail = LogTail(log, from_end=True)
    with log.open("a") as file:
        file.write("after\n")
    assert tail.lines() == ["after"]
