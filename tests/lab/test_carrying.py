"""Open connections of the real product: they survive a planned switch, and none hangs when its node is lost."""

from __future__ import annotations

import pytest

from tests.lab import carrying
from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from tests.lab.judging import SCENARIO_S_MAX
from tests.lab.judging import Seen
from tests.lab.judging import check_always
from tests.lab.judging_carrying import SWITCHED_S_MAX
from tests.lab.judging_carrying import check_carried
from tests.lab.judging_carrying import check_told

pytestmark = needs_namespaces


@pytest.fixture(scope="module")
def seen() -> Seen:
    found: Seen = run_inside(carrying.both, SCENARIO_S_MAX)
    return found


def test_open_connections_survive_a_planned_switch_and_the_way_back(seen: Seen) -> None:
    """Downloads to the byte, a CONNECT tunnel with messages, one without a word, a WebSocket; and no request fails."""
    check_always(seen, SWITCHED_S_MAX)
    check_carried(seen, carrying.SWITCHES)


def test_who_only_waits_is_told_when_its_node_is_gone(seen: Seen) -> None:
    """The cable of the master is pulled: of 200 clients that are blocked in recv none hangs."""
    check_told(seen, carrying.CROWD)
