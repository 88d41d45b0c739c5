"""Every way a living proxy can fail hands the virtual IP over, and so does a power cut; measured by the client."""

from __future__ import annotations

import pytest

from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from tests.lab.judging import FREEZE_MS_MAX
from tests.lab.judging import SCENARIO_S_MAX
from tests.lab.judging import SILENCE_MS_MAX
from tests.lab.judging import Seen
from tests.lab.judging import check_always
from tests.lab.judging import noise_ms
from tests.lab.judging import row
from tests.lab.scenarios_ailments import AILMENTS
from tests.lab.scenarios_ailments import ailments

pytestmark = needs_namespaces

UNSERVED_MS_MAX = 5000.0
OUTAGE_MS_MAX = {"block": FREEZE_MS_MAX, "power": SILENCE_MS_MAX}
OUTAGE_MS_MAX |= dict.fromkeys(("starve", "mute", "ignore"), UNSERVED_MS_MAX)


@pytest.fixture(scope="module")
def ailing() -> Seen:
    seen: Seen = run_inside(ailments, SCENARIO_S_MAX)
    return seen


def test_the_service_came_back_each_time_and_hardly_ever_from_two(ailing: Seen) -> None:
    """As in every scenario."""
    check_always(ailing)


@pytest.mark.parametrize("fault", AILMENTS)
def test_the_other_one_takes_over_in_time(ailing: Seen, fault: str) -> None:
    """From the fault to the first request that the other one has answered."""
    seen = row(ailing, f"{fault} a")
    assert seen["took_over"] == "b", seen
    run = ailing["runs"][fault]
    assert run["problem"] is None and 0 < run["gone_s"] * 1000 < run["outage_ms"] + noise_ms(seen), run
    assert seen["outage_ms"] <= OUTAGE_MS_MAX[fault] + noise_ms(seen), (seen, ailing["errors"])


@pytest.mark.parametrize("fault", AILMENTS)
def test_the_master_is_well_again_once_it_is_undone(ailing: Seen, fault: str) -> None:
    """It takes over again, and the service does not stop for that."""
    undone = row(ailing, f"{AILMENTS[fault][-1]} a")
    assert undone["served_after"] == "a" and undone["outage_ms"] <= 500 + noise_ms(undone), undone
