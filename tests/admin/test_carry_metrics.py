"""What is told of a group's open connections."""

from __future__ import annotations

from typing import Any

import pytest

from tests.admin.documents import changed
from tests.admin.documents import document
from tests.admin.scraped import of_group
from tests.test_carry_text import BUSY
from tests.test_carry_text import QUIET
from wsa_proxy.admin.carry_metrics import CARRY_METRICS

NAMES = {metric.name for metric in CARRY_METRICS}


def told_of(carry: Any) -> dict[tuple[str, ...], float]:
    """The lines about a group with this."""
    told = of_group(changed(lambda found: found["groups"][0].update(carry=carry)))
    return {key: value for key, value in told.items() if key[0] in NAMES}


def test_while_they_are_carried_over() -> None:
    """Two lives of a node that was started anew are one member."""
    steers = [*BUSY["steers"], {"node": "a", "connections": 3, "settled": True}]
    assert told_of(BUSY | {"steers": steers}) == {
        ("carry_possible",): 1.0,
        ("cannot_steer",): 0.0,
        ("connections_draining",): 12.0,
        ("connections_steered", "member=a"): 4.0,
        ("connections_steered", "member=c"): 0.0,
        ("clients_told_total",): 200.0,
    }


def test_where_nothing_is_under_way() -> None:
    """Counters and what is drained are told with 0; the real node of the documents, which has no connections, too."""
    told = told_of(QUIET | {"possible": False, "cannot_steer": "this kernel has no nf_tables"})
    expected = {("carry_possible",): 0.0, ("cannot_steer",): 1.0}
    assert told == expected | {("connections_draining",): 0.0, ("clients_told_total",): 0.0}
    assert told_of(document()["groups"][0]["carry"])["carry_possible",] == 1.0


@pytest.mark.parametrize("carry", [None, {}, "busy", {"drains": 3, "steers": [None, {}], "told_total": "many"}])
def test_what_is_not_known_has_no_line(carry: Any) -> None:
    """Of an earlier version, or damaged."""
    assert ("clients_told_total",) not in told_of(carry) and ("carry_possible",) not in told_of(carry)
