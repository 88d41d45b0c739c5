"""The measurements of steering.py work, with a small crowd; what they say of a great one is in the chapter."""

from __future__ import annotations

import pytest

from tests.bench.medians import check_prints
from tests.lab.inside import needs_namespaces


@needs_namespaces
@pytest.mark.parametrize("function, lines", [("changes", 14), ("frames", 12)])
def test_it_measures(function: str, lines: int) -> None:
    """Each line is a median with its range."""
    check_prints(f"steering.py:{function}", lines)
