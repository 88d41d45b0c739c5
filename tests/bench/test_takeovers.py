"""What ``make scale`` measures in the lab; a kill among many groups is in test_scale.py."""

from __future__ import annotations

import pytest

from tests.bench import scale
from tests.bench import takeovers
from tests.lab.inside import needs_namespaces


@needs_namespaces
def test_a_standby_takes_over_among_three_nodes() -> None:
    """A kill: node b has the address in the end, the client saw it, and node a is master again afterwards."""
    (seen,) = scale.play("of_nodes", {"nodes": 3, "faults": ["kill"]})
    assert seen["takers"][0] == "b" and (seen["problem"], seen["nodes"], seen["fault"]) == (None, 3, "kill")
    assert 0 < seen["outage_ms"] < takeovers.SETTLE_S * 1000


def test_what_the_probe_tells_is_counted_from_the_fault() -> None:
    """In milliseconds: the first and the last, of connections and of answers; who is silent is counted."""
    answered = {"10.0.1.1": (10.5, 11.0), "10.0.1.2": (10.25, 10.75), "10.0.1.3": None}
    seen = takeovers.measured({"answered": answered, "late_s": 0.5}, 10.0)
    assert seen == {"connected_ms": [250.0, 500.0], "served_ms": [750.0, 1000.0], "silent": 1, "late_ms": 500.0}
    with pytest.raises(RuntimeError, match="no virtual IP has answered"):
        takeovers.measured({"answered": {"10.0.1.1": None}, "late_s": 0.0}, 10.0)
