"""The measurements of steering.py work, with a small crowd; what they say of a great one is in the chapter."""

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


@needs_namespaces
@pytest.mark.parametrize("function, lines", [("changes", 14), ("frames", 12)])
def test_it_measures(function: str, lines: int) -> None:
    """Each line is a median with its range."""
    done = subprocess.run(
        [sys.executable, "-m", "wsa_proxy.lab", f"tests/bench/steering.py:{function}"],
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
    assert all(re.fullmatch(r"\d+\.\d\d \(\d+\.\d\d\.\.\d+\.\d\d\) (us|ms)", each) for each in found.values())
