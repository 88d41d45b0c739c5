"""What every program of this folder does with a lab: it is told what to do, and tells what came of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.bench import in_lab
from tests.lab.inside import needs_namespaces

pytestmark = needs_namespaces
WAITS = "from tests.bench import in_lab; in_lab.run('test_in_lab.py:wait', 'ABOUT', {}, 60)"


def answer() -> dict[str, Any]:
    """Called inside."""
    return {"about": json.loads(os.environ["ABOUT"])}


def fail() -> None:
    raise RuntimeError("there is no such fault")


def wait() -> None:
    time.sleep(60)


def test_it_gets_what_it_is_about_and_returns_what_came_of_it() -> None:
    """In namespaces of its own."""
    assert in_lab.run("test_in_lab.py:answer", "ABOUT", {"runs": 2}, 30)["about"] == {"runs": 2}


def test_one_that_fails_says_why(capfd: pytest.CaptureFixture[str]) -> None:
    """With the error, or aloud, when there is nothing to repeat."""
    with pytest.raises(SystemExit, match=r"test_in_lab.py:fail, 3: it failed:\n(.|\n)*there is no such fault"):
        in_lab.run("test_in_lab.py:fail", "ABOUT", 3, 30)
    assert capfd.readouterr().err == ""
    with pytest.raises(SystemExit, match=r"it failed:\n$"):
        in_lab.run("test_in_lab.py:fail", "ABOUT", 3, 30, aloud=True)
    assert "there is no such fault" in capfd.readouterr().err


def test_one_that_does_not_end_is_ended() -> None:
    """Rather than waited for."""
    with pytest.raises(SystemExit, match=r"it came to no end in 0 s"):
        in_lab.run("test_in_lab.py:wait", "ABOUT", {}, 0.3)


def test_ctrl_c_ends_it() -> None:
    """Soon, with status 130 and without a traceback; the lab goes with it."""
    running = subprocess.Popen([sys.executable, "-c", WAITS], cwd=in_lab.ROOT, stderr=subprocess.PIPE, text=True)
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
