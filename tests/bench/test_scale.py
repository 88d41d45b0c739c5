"""The short form of ``make scale``: what it plays is done once, with few groups; its tables are in
test_scale_tables.py, and a kill among three nodes in test_takeovers.py."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.bench import scale
from tests.lab.inside import needs_namespaces


@needs_namespaces
def test_a_few_groups_fail_over_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A master of three groups is killed: each virtual IP answers again, from the standby alone."""
    (seen,) = scale.play("of_groups", {"groups": 3, "mac": "virtual", "faults": ["kill"]})
    assert (seen["silent"], seen["two_holders_s"], seen["groups"], seen["fault"]) == (0, 0.0, 3, "kill")
    assert 0 < seen["served_ms"][0] <= seen["served_ms"][1] and 0 < seen["connected_ms"][1] <= seen["served_ms"][1]
    assert '"groups": 3' in capsys.readouterr().err


def test_a_lab_that_fails_says_why() -> None:
    """And no table is printed of what is left."""
    with pytest.raises(SystemExit, match=r"mac.*not a kind"):
        scale.play("of_groups", {"groups": 1, "mac": "not a kind", "faults": ["kill"]})


def test_rounds_alternate_and_a_missed_promise_is_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each line once in a round, 64 groups with both kinds of MAC; a sentence for what was missed."""
    played: list[tuple[int, str]] = []

    def play(function: str, about: dict[str, Any]) -> list[dict[str, Any]]:
        played.append((about["groups"], about["mac"]))
        fine = {"connected_ms": [1.0, 2.0], "served_ms": [1.0, 900.0], "silent": 0, "late_ms": 1.0}
        return [about | fine | {"fault": fault, "two_holders_s": 0.25} for fault in about["faults"]]

    monkeypatch.setattr(scale, "play", play)
    assert scale.main(["--runs", "2", "--only", "groups", "--groups", "1", "64"]) == 1
    assert played == [(1, "virtual"), (64, "virtual"), (64, "interface")] * 2
    printed = capsys.readouterr().out
    assert printed.count("| kill | 64 |") == 2 and printed.count("missed:") == 12
    assert "missed: power, 1 groups, mac: virtual: two holders for 0.250 s" in printed


def test_ctrl_c_ends_it() -> None:
    """Soon, with status 130 and without a traceback; the lab goes with it."""
    command = [sys.executable, "-m", "tests.bench.scale", "--only", "nodes", "--nodes", "2"]
    running = subprocess.Popen(command, cwd=scale.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout is not None and "load of the machine" in running.stdout.readline()
    child, ends_s = "", time.monotonic() + 10
    while not (child and children_of(child)) and time.monotonic() < ends_s:  # the lab's own processes
        child = children_of(str(running.pid))
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=10)
    assert running.returncode == 130 and "Traceback" not in said
    while is_alive(child) and time.monotonic() < ends_s:
        time.sleep(0.01)
    assert child and not is_alive(child)


def children_of(process: str) -> str:
    """The process has one at most."""
    time.sleep(0.01)
    return Path(f"/proc/{process}/task/{process}/children").read_text().strip()


def is_alive(process: str) -> bool:
    """Whoever has ended may wait to be noticed."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
