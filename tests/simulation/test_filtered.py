"""The last drill behind a filter: a healthy group passes, and what a broken one does is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.simulation.test_settling import make_run
from wsa_proxy.runtime.asking import Asking
from wsa_proxy.simulation.filters import LastDrill
from wsa_proxy.simulation.filters import Reports
from wsa_proxy.simulation.plan import Drill
from wsa_proxy.simulation.post import Theft
from wsa_proxy.simulation.reporting import Reporter
from wsa_proxy.simulation.run import Outcome
from wsa_proxy.simulation.run import Run


def play(last: LastDrill | None, *, sealed: bool = False, judged: bool = True) -> Outcome:
    """Three nodes that report to each other, and this filter."""
    plan = make_run(Drill.CRASH, sealed).plan
    return Run(1, replace(plan, reports=Reports(0.0, 0.0, Theft(), 1.0, (), last)), judged=judged).play()


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("last", [None, *LastDrill])
def test_a_healthy_group_passes(last: LastDrill | None, sealed: bool) -> None:
    """Without a filter it has the plan's own drill."""
    outcome = play(last, sealed=sealed)
    assert outcome.violation is None
    assert outcome.marks[f"last drill: {last.value}" if last else "drill: crash"] == 1
    filtered = last in (LastDrill.BOTH_WAYS, LastDrill.FROM_MASTER)
    assert (outcome.marks["a silence was none"] > 4) is filtered


@pytest.mark.parametrize(
    ("owner", "name", "broken", "invariant"),
    [
        (Reporter, "ask_owner", lambda self: None, "I1"),
        (Reporter, "_serves", lambda self: False, "I1"),
        (Asking, "counts_from_s", lambda self, deadline_s: deadline_s + 1.0, "V2"),
    ],
)
def test_what_a_broken_group_does_is_named(
    owner: type, name: str, broken: Callable[..., object], invariant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By this judge alone: the others do not look."""
    monkeypatch.setattr(owner, name, broken)
    assert play(LastDrill.BOTH_WAYS, judged=False).invariant == invariant
