"""The judge of what a sealed node believes: forged, repeated and old ones are named."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from wsa_proxy.carp import wire
from wsa_proxy.carp.seal import Seal
from wsa_proxy.carp.seal import Verdict
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.simulation.checker import Violation
from wsa_proxy.simulation.freshness import Freshness
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.plan import draw
from wsa_proxy.simulation.run import Run
from wsa_proxy.simulation.sealed import Believed
from wsa_proxy.simulation.sealed import SealedNode

SEED = next(seed for seed in range(100) if draw(Random(seed)).sealed)


def sealed_node() -> SealedNode:
    node = Run(SEED, draw(Random(SEED))).nodes[0]
    assert isinstance(node, SealedNode)
    node.start()
    return node


def believed(node: SealedNode, ms: int, advskew: int = 0, header: int = 0) -> Believed:
    counter = Seal(ms, 1, advskew, False, False, 0).pack()
    payload = wire.encode(Advertisement(1, 1, header, 0, counter, bytes(20)))
    return Believed(Advertised(4, payload), counter, Verdict.BELIEVED, node.now)


@pytest.mark.parametrize(
    ("said", "then", "story"),
    [
        ([], (100_000, 0, 0), "forged"),
        ([(100_000, 0)], (100_000, 0, 9), "forged"),
        ([(100_000, 0), (99_000, 0)], (99_000, 0, 0), "heard before"),
    ],
)
def test_what_may_not_be_believed_breaks_i4(
    said: list[tuple[int, int]], then: tuple[int, int, int], story: str
) -> None:
    node, judge = sealed_node(), Freshness(Counter())
    judge.told(node, "life", None)
    for ms, advskew in said:
        judge.told(node, "said", Seal(ms, 1, advskew, False, False, 0).pack())
    with pytest.raises(Violation, match=rf"^I4.*{story}"):
        judge.told(node, "believed", believed(node, *then))


def test_an_old_one_breaks_i4_and_a_fresh_one_does_not() -> None:
    node, judge = sealed_node(), Freshness(Counter())
    judge.told(node, "life", None)
    for ms in (100_000, 100_001, 104_000):
        judge._said.add(Seal(ms, 1, 0, False, False, 0).pack())
    judge.told(node, "believed", believed(node, 100_000))
    node._lan.timeline.now += 4.0
    with pytest.raises(Violation, match=r"^I4.*too old"):
        judge.told(node, "believed", believed(node, 100_001))
    judge.told(node, "believed", believed(node, 104_000))
