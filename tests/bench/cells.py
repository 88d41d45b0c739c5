"""Runs, cells and documents of the bench with chosen values, for tests of what is made of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from wsa_proxy.bench.playing import Part
from wsa_proxy.bench.playing import Run

SERVED = Part(
    outage_ms=40.0,
    came_back=True,
    steady=True,
    failed=3,
    two_holders_s=0.0,
    two_holders_stayed=False,
    late_ms=2.0,
    served_by="b",
)


def a_run(product: str = "ucarp", trial: str = "kill", number: int = 0, **changes: Any) -> Run:
    """``changes`` are those of the fault's part; what undid it took 20 ms."""
    return Run(product, trial, number, replace(SERVED, **changes), replace(SERVED, outage_ms=20.0))
