"""As test_carrying.py, with more of everything, and with a node that is killed at every stage of a switch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.lab import carrying
from tests.lab import killing
from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from tests.lab.judging import SCENARIO_S_MAX
from tests.lab.judging import Seen
from tests.lab.judging import check_always
from tests.lab.judging_carrying import SWITCHED_S_MAX
from tests.lab.judging_carrying import by_state
from tests.lab.judging_carrying import check_carried
from tests.lab.judging_carrying import check_nothing_left
from tests.lab.judging_carrying import check_told

pytestmark = needs_namespaces

SWITCHES = 20
REQUEST_EVERY_S = 0.01
TWENTY_S_MAX = 180.0
STOP_S_MAX = 5.0  # it counts twice a second, then mitmproxy ends


@pytest.mark.timeout(TWENTY_S_MAX + 10)
@pytest.mark.parametrize("scenario", [carrying.virtual_mac, carrying.own_mac])
def test_twenty_switches_lose_nothing(scenario: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """At 100 requests a second with ten downloads of ten seconds, tunnels and a WebSocket open all the time."""
    monkeypatch.setenv("SWITCHES", str(SWITCHES))
    monkeypatch.setenv("EVERY", str(REQUEST_EVERY_S))
    seen: Seen = run_inside(scenario, TWENTY_S_MAX)
    check_always(seen, SWITCHED_S_MAX)
    check_carried(seen, SWITCHES)


def test_a_stop_and_the_return_of_the_better_node_lose_nothing() -> None:
    """The process that is stopped ends with its last download, and not before; what the other one has is carried over
    when the better one comes back."""
    seen: Seen = run_inside(carrying.stopped_and_back, SCENARIO_S_MAX)
    check_always(seen, SWITCHED_S_MAX)
    assert by_state(seen["fates"]).keys() == {"done"}, [each for each in seen["fates"] if each["state"] != "done"]
    assert seen["old"] == "a" and seen["carry"]["drains"]["connections"] >= 3
    assert 0 < seen["stop_s"] < STOP_S_MAX
    assert seen["errors"] == {}
    check_nothing_left(seen["left"])


def test_who_only_waits_is_told_when_its_node_has_lost_power() -> None:
    """Processes and cable at once, as with the cable alone."""
    check_told(run_inside(carrying.power, SCENARIO_S_MAX), carrying.CROWD)


@pytest.mark.parametrize("scenario", [killing.before_the_move, killing.unsettled, killing.draining, killing.at_the_end])
def test_a_node_is_killed_in_the_middle_of_a_switch(scenario: Callable[[], Any]) -> None:
    """Old and new one, at each stage: each connection goes on to its end or was told within two seconds, and neither a
    table nor an address is left where it should not be; nothing at all of who was killed."""
    seen: Seen = run_inside(scenario, SCENARIO_S_MAX)
    assert [each["which"] for each in seen["rounds"]] == ["old", "new"]
    for each in seen["rounds"]:
        assert each["moved"] == (scenario is not killing.before_the_move)
        for fate in each["fates"]:
            told_in_time = fate["state"] in ("reset", "cut") and fate["at_s"] < killing.TOLD_S_MAX
            assert fate["state"] == "done" or told_in_time, fate
        check_nothing_left(each["left"])
        assert each["left"][each["victim"]]["holding"] == []
        assert each["master"] != each["victim"]
