"""Planned stops of the real product: there is always somebody who has the address, and hardly a client notices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.lab import stopping
from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from tests.lab.judging import SCENARIO_S_MAX
from tests.lab.judging import Seen
from tests.lab.judging import check_always
from wsa_proxy.lab.holders import LOOPBACK

pytestmark = needs_namespaces

LONGEST_S = 1.0  # a stop with short requests takes the time of the hand-over, not that of its limits


@pytest.mark.parametrize("scenario", [stopping.virtual_mac, stopping.own_mac, stopping.ipv6])
def test_the_master_is_stopped_again_and_again(scenario: Callable[[], Any]) -> None:
    """At most one request fails or is slow in all of it; the successor has the address before the old one lets go."""
    seen: Seen = run_inside(scenario, SCENARIO_S_MAX)
    check_always(seen)
    assert len(seen["rounds"]) == stopping.STOPS
    for each in seen["rounds"]:
        assert each["requests"] >= 40
        old = _held_at(seen, each["at_s"])
        new = next(one for one in seen["holdings"] if one["begin_s"] > each["at_s"] and one["node"] != each["stopped"])
        assert new["begin_s"] < old["end_s"] < new["begin_s"] + LONGEST_S, (old, new)
    bad = [request for each in seen["rounds"] for request in each["bad"]]
    assert len(bad) <= 1, bad
    began_s = seen["rounds"][0]["at_s"]  # before that, two that start together may both think that they are alone
    reasons = {each["reason"] for each in seen["transitions"] if each["at_s"] >= began_s}
    assert reasons <= {"ready", "master_silent", "orderly stop", "master_bowed_out"}


def _held_at(seen: Seen, at_s: float) -> dict[str, Any]:
    held = [each for each in seen["holdings"] if each["interface"] != LOOPBACK]
    return next(each for each in held if each["begin_s"] < at_s < each["end_s"])
