"""A run with clients: its story, its judges, and what its nodes do for open connections."""

from __future__ import annotations

import pytest

from wsa_proxy.simulation.carrying_plan import carrying_plan_of
from wsa_proxy.simulation.carrying_run import CarryingRun
from wsa_proxy.simulation.carrying_run import play_carrying
from wsa_proxy.simulation.clientele import Ordered


@pytest.mark.parametrize("seed", range(3))
def test_the_same_seed_tells_the_same_story(seed: int) -> None:
    """I11; and every promise is kept."""
    outcome = play_carrying(seed)
    assert outcome.violation is None and outcome == play_carrying(seed)


def test_clients_come_and_go_and_operators_have_the_master_moved() -> None:
    """All of it is in the story; clients of a run that is not judged live as well."""
    seed = next(seed for seed in range(100) if {each.stops_for_s is None for each in _orders(seed)} == {True, False})
    lines: list[str] = []
    CarryingRun(seed, carrying_plan_of(seed), lines.append).play()
    for words in ("is to be switched away", "is to stop, for", "steers", "clients to node", "was reset", "absent"):
        assert any(words in line for line in lines), words
    assert CarryingRun(seed, carrying_plan_of(seed), judged=False).play().violation is None


def _orders(seed: int) -> tuple[Ordered, ...]:
    clientele = carrying_plan_of(seed).clientele
    assert clientele is not None
    return tuple(clientele.orders)
