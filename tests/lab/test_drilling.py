"""A drill of the real product, measured by the product itself: seconds are enough for it."""

from __future__ import annotations

from tests.lab import switching
from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from tests.lab.judging import SCENARIO_S_MAX
from tests.lab.judging import Seen
from tests.lab.judging import check_always

pytestmark = needs_namespaces


def test_a_drill_of_three_nodes() -> None:
    """Run on the one that probes; its report is kept, and the first node serves as before."""
    seen: Seen = run_inside(switching.drill, SCENARIO_S_MAX)
    check_always(seen)
    told = seen["drill"]["drill"]
    assert told["exit_status"] == 0 and seen["kept"], told
    assert [(leg["source"], leg["target"], leg["prober"]) for leg in told["legs"]] == [("a", "b", "c"), ("b", "a", "c")]
    assert all(leg["measured"]["probes"] > 50 for leg in told["legs"])
