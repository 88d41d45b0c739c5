"""A node takes another way while it runs: it goes on with its state, its time and its patience."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from wsa_proxy.carp.commands import State
from wsa_proxy.carp.wire import Reject
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.lan import Frame
from wsa_proxy.simulation.moving import MovingNode
from wsa_proxy.simulation.plan import Plan
from wsa_proxy.simulation.plan import draw_moving
from wsa_proxy.simulation.run import Run
from wsa_proxy.simulation.ways import CARP
from wsa_proxy.simulation.ways import SEALED
from wsa_proxy.simulation.ways import Way


def plan_of(name: str, versions: tuple[int, ...]) -> tuple[int, Plan]:
    """Two nodes of other ranks that lose nothing, and only [carp] or [sealed] to begin with."""
    for seed in range(4000):
        plan = draw_moving(Random(seed), 2)
        assert plan.move is not None
        skews = {member.settings.advskew for member in plan.members}
        quiet = not plan.weather.loss and not plan.weather.reflection and not plan.weather.duplicates
        fits = plan.members[0].settings.versions == versions and plan.members[0].settings.advbase == 1
        alone = plan.move.name == name and len(plan.move.ways[0].security) == 1 == len(plan.move.ways[0].secrets)
        if quiet and fits and alone and len(skews) == 2:
            return seed, replace(plan, lateness_s=0.0)
    raise AssertionError("no such plan")


class Pair:
    """A master, a backup, and what they say."""

    def __init__(self, name: str, versions: tuple[int, ...] = (4,)) -> None:
        self.run = Run(*plan_of(name, versions))
        self.said: list[Advertised] = []
        self.run.lan.tap(41, lambda frame, sender: self.see(frame))
        for node in self.run.nodes:
            node.start()
        self.run._pass(9.0)
        nodes = [node for node in self.run.nodes if isinstance(node, MovingNode)]
        self.master, self.backup = sorted(nodes, key=lambda node: node.state is not State.MASTER)

    def see(self, frame: Frame) -> None:
        if isinstance(frame, Advertised):
            self.said.append(frame)

    @property
    def ways(self) -> tuple[Way, ...]:
        assert self.run.plan.move is not None
        return self.run.plan.move.ways


@pytest.mark.parametrize("name", ["rotation", "migration", "return"])
@pytest.mark.parametrize("versions", [(4,), (4, 6)], ids=str)
def test_a_group_is_moved_and_nobody_notices(name: str, versions: tuple[int, ...]) -> None:
    pair = Pair(name, versions)
    transitions = pair.run._settling.transitions
    for way in pair.ways[1:]:
        for node in (pair.master, pair.backup):
            node.take_way(way)
            pair.run._pass(2.5)
    assert pair.run._settling.transitions == transitions
    assert (pair.master.state, pair.backup.state) == (State.MASTER, State.BACKUP)


def test_what_was_signed_with_the_old_secret_is_refused_and_moves_no_time_when_that_is_gone() -> None:
    pair = Pair("rotation")
    old = pair.said[-1]
    for way in pair.ways[1:]:
        pair.master.take_way(way)
        pair.backup.take_way(way)
        pair.run._pass(2.5)
    before = pair.backup.fingerprint()
    pair.backup.receive(old, 20)
    assert pair.backup.rejects[Reject.BAD_SECRET] == 1 and pair.backup.fingerprint() == before


def test_the_time_goes_on_in_place_and_is_in_the_file() -> None:
    """Of a secret that is new as well."""
    pair = Pair("rotation")
    assert pair.backup.way.security[0] is SEALED or pair.backup.group_ms is None
    sealed = tuple(Way((SEALED,), secrets) for secrets in (("old",), ("old", "new"), ("new", "old")))
    for way in sealed:
        pair.master.take_way(way)
        pair.backup.take_way(way)
        pair.run._pass(2.5)
    known_ms = pair.backup.group_ms
    assert known_ms is not None
    pair.backup.stop()
    pair.backup.take_way(Way((SEALED,), ("new",)))
    pair.backup.start()
    assert pair.backup.group_ms == pytest.approx(known_ms, abs=1.0)


def test_two_patiences_become_one_and_the_other_way_round() -> None:
    """The one that was heard last counts; of one come two that are as long."""
    pair = Pair("migration", (4, 6))
    assert pair.backup.core is not None
    deadlines_s = pair.backup.core._deadlines_master_down_s
    assert set(deadlines_s) == {4, 6}
    deadlines_s[4] -= 0.5
    latest_s = max(deadlines_s.values())
    pair.backup.take_way(Way((CARP, SEALED)))
    assert pair.backup.core._deadlines_master_down_s == {4: latest_s}
    pair.backup.take_way(Way((CARP,)))
    assert pair.backup.core._deadlines_master_down_s == {4: latest_s, 6: latest_s}


def test_a_seal_has_one_bit_for_a_demotion_and_plain_carp_a_byte() -> None:
    pair = Pair("migration")
    pair.master.demote(2)
    assert pair.master.demotion == 2
    pair.master.take_way(Way((CARP, SEALED)))
    assert pair.master.demotion == 1
