"""The table of what lists of clients cost can be made."""

from __future__ import annotations

from tests.bench.client_lists import table


def test_the_table_has_a_line_for_each_step() -> None:
    """Of short lists."""
    lines = table((10, 200), 1)
    assert len(lines) == 6 and all(line.count("|") == 4 for line in lines)
    assert "200 clients" in lines[0] and "ms" in lines[-1]
