"""Runs one lab of a measurement in fresh namespaces, in a process of its own, as the programs of this folder do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from wsa_proxy.lab.namespace import STATUS_INTERRUPTED

ROOT = Path(__file__).resolve().parents[2]
SAID_MAX = 2000
"""Characters of what a lab that failed has said last."""


def run(where: str, variable: str, about: object, limit_s: float, *, aloud: bool = False) -> Any:
    """What ``where``, a FILE.py:FUNCTION of this folder, has returned. It finds ``about`` as JSON in this variable of
    its environment.

    Raises SystemExit: with the end of what it said when it fails, or is not over in ``limit_s``; with status 130 on
    Ctrl-C. ``aloud``: what it says goes to stderr at once.
    """
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "wsa_proxy.lab", f"tests/bench/{where}"],
            cwd=ROOT,
            env=os.environ | {variable: json.dumps(about)},
            stdout=subprocess.PIPE,
            stderr=None if aloud else subprocess.PIPE,
            text=True,
            timeout=limit_s,
            check=False,
        )
    except KeyboardInterrupt:
        raise SystemExit(STATUS_INTERRUPTED) from None
    except subprocess.TimeoutExpired:
        raise SystemExit(f"{where}, {about}: it came to no end in {limit_s:.0f} s") from None
    if ended.returncode != 0:
        raise SystemExit(f"{where}, {about}: it failed:\n{(ended.stderr or '')[-SAID_MAX:]}")
    return json.loads(ended.stdout)
