"""What is told of the node as a whole."""

from __future__ import annotations

from typing import Any

import pytest

from tests.admin.documents import TESTS
from tests.admin.documents import changed
from tests.admin.documents import document
from tests.admin.scraped import scraped
from wsa_proxy import __version__


def after(**changes: Any) -> dict[tuple[str, ...], float]:
    return scraped(changed(lambda found: found.update(changes)))


def test_a_well_node() -> None:
    """Nothing is wrong with it, by name."""
    told = scraped(document())
    assert told["build_info", "node=a", f"version={__version__}"] == 1.0
    zeros = ("health_hard", "health_soft", "maintenance", "demoted_by_operator", "loop_lag_seconds")
    assert {told[name,] for name in zeros} == {0.0}
    assert (told["guardian_up",], told["stall_limit_seconds",]) == (1.0, 1.0)


def test_a_sick_one() -> None:
    """Hard, soft, without a guardian, late, in maintenance, demoted."""
    told = after(
        health={"hard": "no listener", "soft": "slow", "tests": []},
        guardian={"pid": None, "stall_limit_s": 0.25},
        loop_lag_s=0.2,
        maintenance={"reason": "memory", "left_s": 90.5},
        demoted_by_operator={"reason": "x"},
    )
    ones = ("health_hard", "health_soft", "maintenance", "demoted_by_operator")
    assert {told[name,] for name in ones} == {1.0} and told["guardian_up",] == 0.0
    assert (told["loop_lag_seconds",], told["stall_limit_seconds",]) == (0.2, 0.25)
    assert told["maintenance_left_seconds",] == 90.5
    assert ("maintenance_left_seconds",) not in scraped(document())


def test_each_self_test_by_its_name() -> None:
    """One that is only shown has neither passed nor failed."""
    told = scraped(document())
    assert told["health_test_passed", "test=get regular"] == 1.0 and ("health_test_passed", "test=loop") not in told
    for each in TESTS:
        assert told["health_test_duration_seconds", f"test={each.name}"] == each.duration_s
        assert told["health_test_age_seconds", f"test={each.name}"] > 10
    failed = {"hard": None, "soft": None, "tests": [{"name": "connect", "passed": False}]}
    assert after(health=failed)["health_test_passed", "test=connect"] == 0.0


@pytest.mark.parametrize(
    ("started_at", "told"),
    [
        ("2026-01-01T00:00:00+00:00", 1767225600.0),
        ("2026-01-01T01:00:00.500+01:00", 1767225600.5),
        ("yesterday", None),
        ("", None),
    ],
)
def test_the_start_is_unix_time(started_at: str, told: float | None) -> None:
    """Whatever zone it is told in; what is no time is not told."""
    assert after(started_at=started_at).get(("start_time_seconds",)) == told


def test_history_hooks_and_pac() -> None:
    """Where the node has them."""
    told = after(history={"trouble": "disk full", "events": 12}, notify={"failed": 2}, pac={"served": 3})
    assert [told[name,] for name in ("history_trouble", "history_events")] == [1.0, 12.0]
    assert [told[name,] for name in ("notify_failed_total", "pac_served_total")] == [2.0, 3.0]
    assert ("pac_served_total",) not in after(pac=None)
