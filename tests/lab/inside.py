"""Runs a function of a test file inside fresh namespaces, in a process of its own, and brings its result back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wsa_proxy.lab import namespace

ROOT = Path(__file__).resolve().parents[2]
REFUSAL = namespace.refusal()

needs_namespaces = pytest.mark.skipif(REFUSAL is not None, reason=REFUSAL or "")


def run_inside(function: Callable[[], Any], timeout_s: float = 60.0) -> Any:
    """Call ``function`` (module level, JSON-able result) inside; its failure becomes this test's failure."""
    where = f"{function.__code__.co_filename}:{function.__name__}"
    ended = subprocess.run(
        [sys.executable, "-m", "wsa_proxy.lab", where],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert ended.returncode == 0, f"{where} ended with status {ended.returncode}:\n{ended.stdout}{ended.stderr}"
    return json.loads(ended.stdout)
