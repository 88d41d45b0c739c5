"""Planned switches of the real product: hardly a client notices, and the old master stays away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.lab import switching
from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from tests.lab.judging import SCENARIO_S_MAX
from tests.lab.judging import Seen
from tests.lab.judging import b_was_first
from tests.lab.judging import check_always

pytestmark = needs_namespaces

TWO_HOLDERS_S_MAX = 0.5  # a busy machine hears the successor late; usual are 10 ms


@pytest.mark.parametrize("scenario", [switching.virtual_mac, switching.own_mac, switching.plain])
def test_there_and_back_again_and_again(scenario: Callable[[], Any]) -> None:
    """At most one request fails or is slow in all of it; nobody is without an owner, nobody bows out, and the better
    node is master exactly when it was switched to."""
    seen: Seen = run_inside(scenario, SCENARIO_S_MAX)
    check_always(seen)
    assert [each["target"] for each in seen["rounds"]] == ["b", "a", "b", "a"]
    for each in seen["rounds"]:
        assert each["requests"] >= 40
        assert each["a"] == ("master" if each["target"] == "a" else "backup")
        assert (each["a_is_away"] or {}).get("to") == (None if each["target"] == "a" else "b")
        assert each["two_holders_s"] < TWO_HOLDERS_S_MAX
    bad = [request for each in seen["rounds"] for request in each["bad"]]
    assert len(bad) <= 1, bad
    first_s = seen["rounds"][0]["at_s"]
    moved = {each["reason"] for each in seen["transitions"] if each["at_s"] >= first_s}
    assert moved == {"master_demoted", "better_advertisement_received"}
    begun = {each["reason"] for each in seen["transitions"] if each["at_s"] < first_s}
    assert begun == {"ready", "master_silent"} or b_was_first(seen), begun
