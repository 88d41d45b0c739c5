"""Maintenance on the real product under traffic: it is served meanwhile, whoever is in it and whoever dies."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab import maintenance
from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from tests.lab.judging import check_always

pytestmark = needs_namespaces

HANDOVER_S_MAX = 0.5

type Seen = dict[str, Any]


@pytest.fixture(scope="module")
def seen() -> Seen:
    found: Seen = run_inside(maintenance.maintained, 110.0)
    return found


def test_the_master_gives_way_and_says_so(seen: Seen) -> None:
    """The other node serves before the order is answered; the client hardly notices."""
    ordered, until = seen["ordered"], seen["a"]["maintenance"]["until"][:19].replace("T", " ")
    assert (ordered["status"], ordered["err"]) == (0, "")
    assert ordered["out"] == f"in maintenance until {until} UTC: kernel update\ngroup 1: BACKUP\n"
    assert seen["states"][0] == {"a": "backup", "b": "master"}
    noticed = seen["noticed"]
    assert noticed["server"] == "10.0.0.2" and noticed["gap_s"] <= HANDOVER_S_MAX + noticed["late_s"], noticed


def test_the_status_says_it_first_and_calls_it_nothing_wrong(seen: Seen) -> None:
    """As the verb alone does; and a script hears 0."""
    told, status = seen["told"]
    assert told["status"] == status["status"] == 0, status
    assert told["out"].startswith("in maintenance: kernel update\n  59 min ") and "serving" not in told["out"]
    assert status["out"].splitlines()[2] == "in maintenance: kernel update"


def test_who_was_killed_comes_back_into_it(seen: Seen) -> None:
    """With the same end; and does not take the address back."""
    assert seen["a again"]["maintenance"]["until"] == seen["a"]["maintenance"]["until"]
    assert seen["a again"]["pid"] != seen["a"]["pid"]
    assert seen["states"][1] == {"a": "backup", "b": "master"}


def test_the_last_node_serves_also_in_maintenance(seen: Seen) -> None:
    """Both are in it: one serves. That one dies: the other serves, and says so."""
    assert sorted(seen["states"][2].values()) == ["backup", "master"]
    alone, text = seen["alone"]["status"], seen["alone"]["text"]
    assert alone["groups"][0]["state"] == "master" and alone["groups"][0]["demoted_by"].keys() == {"maintenance"}
    assert "; goes on serving group 1 until another node is well\n" in text["out"]
    assert seen["alone"]["noticed"]["failed"] == []


def test_it_ends_by_itself_or_by_order(seen: Seen) -> None:
    """The node that is out of it first takes over; in the end all is as at the beginning."""
    assert seen["short"]["status"] == 0 and seen["states"][3] == {"a": "master", "b": "backup"}
    assert (seen["off"]["status"], seen["off"]["out"]) == (0, "no longer in maintenance: memory\n")
    assert seen["well"]
    assert "carp this node is no longer in maintenance: nearly done" in seen["logs"]["a"]


def test_nothing_broke(seen: Seen) -> None:
    """Not even for a moment were there two owners."""
    check_always(seen)
