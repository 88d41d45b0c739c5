"""The measurements of connections.py work, with a small crowd; what they say of a great one is in the chapter."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.inside import needs_namespaces

ROOT = Path(__file__).resolve().parents[2]
LINE = re.compile(r"\d+\.\d\d \(\d+\.\d\d\.\.\d+\.\d\d\) (us|ms|ms on the clock)")


@needs_namespaces
@pytest.mark.parametrize("function, lines", [("table", 9), ("tickles", 10)])
def test_it_measures(function: str, lines: int) -> None:
    """Every client is found, or told: the measurement itself looks; and each line is a median with its range."""
    done = subprocess.run(
        [sys.executable, "-m", "wsa_proxy.lab", f"tests/bench/connections.py:{function}"],
        cwd=ROOT,
        env=os.environ | {"CROWD": "300"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == lines
    assert all(
        re.fullmatch(r"\d+\.\d\d \(\d+\.\d\d\.\.\d+\.\d\d\) (us|ms|ms on the clock)", each) for each in found.values()
    )
