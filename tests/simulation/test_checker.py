"""The checker says no: a run whose promise is broken, or whose bound is, fails by name. The core's own mistakes are
planted in test_planted_bugs.py; what a node may answer to an event is in test_conduct.py."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from wsa_proxy.carp.commands import AnnounceAddresses
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import State
from wsa_proxy.simulation import belief
from wsa_proxy.simulation import checker
from wsa_proxy.simulation import conduct
from wsa_proxy.simulation import rights
from wsa_proxy.simulation import settling
from wsa_proxy.simulation import telling
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.plan import draw
from wsa_proxy.simulation.run import Run
from wsa_proxy.simulation.run import play
from wsa_proxy.simulation.violation import Violation


@pytest.mark.parametrize(
    ("where", "bound", "broken", "invariant"),
    [
        (conduct, "down_s", lambda node: 4 * node.settings.advbase, "I2"),
        (conduct, "ANNOUNCE_AGAIN", 1, "V6"),
        (conduct, "TIE_REMEMBERED", 0, "V4"),
        (checker, "interval_s", lambda node: 0.0, "I6"),
        (checker, "lateness_s", lambda station: -0.9, "I1"),
        (conduct, "interval_s", lambda node: 5.0, "I6"),
        (conduct, "ANNOUNCE_EVERY", 9, "V6"),
        (conduct, "CLAIM_S", 0.0, "I7"),
        (rights, "BOW_OUT_WAIT_PER_SKEW_S", 60e-6, "I2"),
        (checker, "LEASE_S", 1.0, "V8"),
        (checker, "QUEUE_MAX", 10, "I9"),
        (belief, "FRESH_S", 3.0, "I4"),
        (settling, "down_s", lambda station: 0.1, "V4"),
        (settling, "BOW_OUT_WAIT_S", -1.0, "V3"),
        (settling, "UNTOLD_LEFT_S", 0.0, "V4"),
        (telling, "UNHEARD_INTERVALS", 2.0, "I1"),
        (telling, "DEMOTED_ERRORS", 4, "V9"),
        (telling, "UNTOLD_WAIT_S", 3.0, "V11"),
    ],
)
def test_a_broken_bound_fails(
    where: object, bound: str, broken: object, invariant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checker that has the wrong number in it does not agree with the core."""
    monkeypatch.setattr(where, bound, broken)
    assert any(play(seed).invariant == invariant for seed in range(400))


class World:
    """A run that has gone on for a while, and its first node."""

    def __init__(self, state: State) -> None:
        for seed in range(500):
            plan = draw(Random(seed), 2)
            if plan.members[0].settings.advbase == 1 and not plan.weather.loss and not plan.sealed:
                self.run = Run(seed, plan)
                self.run.nodes[0].start()
                self.run._pass(5.0 if state is State.MASTER else 1.0)
                self.node = self.run.nodes[0]
                assert self.node.state is state
                return

    def later(self, seconds: float) -> None:
        self.run.lan.timeline.now += seconds
        self.run.checker.look()


def hold(node: Node) -> None:
    node.kernel.take(node.now)


def forget(node: Node) -> None:
    node.kernel.lease_until_s = node.now + 0.7
    node.kernel.renew_at_s = node.now + 0.5


def let_go(node: Node) -> None:
    node.kernel.end()


def pull(node: Node) -> None:
    node.link_up = False


def fall_ill(node: Node) -> None:
    node.health = 1


def lease_long(node: Node) -> None:
    node.kernel.lease_until_s = node.now + 2.4


@pytest.mark.parametrize(
    ("state", "mistake", "seconds", "promise"),
    [
        (State.BACKUP, hold, 0.0, "I5"),
        (State.MASTER, let_go, 0.2, "I5"),
        (State.MASTER, forget, 0.2, "I5"),
        (State.BACKUP, pull, 0.01, "V10"),
        (State.BACKUP, fall_ill, 0.01, "V9"),
        (State.MASTER, lease_long, 0.0, "V8"),
        (State.MASTER, hold, 1.9, "I6"),
        (State.BACKUP, let_go, 9.0, "V11"),
    ],
)
def test_what_a_node_leaves_undone_is_named(
    state: State, mistake: Callable[[Node], None], seconds: float, promise: str
) -> None:
    world = World(state)
    mistake(world.node)
    with pytest.raises(Violation, match=rf"^{promise}"):
        for _ in range(3):
            world.later(seconds / 2)


@pytest.mark.parametrize("mistake", ["kept to itself", "said twice"])
def test_what_a_node_says_goes_out_once_in_each_ip_version(mistake: str) -> None:
    world = World(State.MASTER)
    command = SendAdvertisement(1, 0, 0)
    if mistake == "kept to itself":
        world.run.checker.told(world.node, "advertisement", command)
    else:
        world.run.lan.send(world.node.number, Advertised(4, bytes(36)))
    with pytest.raises(Violation, match=r"^I6.*LAN"):
        world.later(0.0)


def test_what_its_core_announces_is_announced() -> None:
    world = World(State.MASTER)
    world.run.checker.told(world.node, "commands", [AnnounceAddresses()])
    with pytest.raises(Violation, match=r"^V6.*not announced"):
        world.later(world.run.plan.lateness_s + 0.001)


def test_a_node_to_which_nothing_happens_is_looked_at_when_its_time_has_come() -> None:
    """As soon as if it were looked at after each event."""
    world = World(State.MASTER)
    world.later(0.0)
    world.run.lan.timeline.whose = 1  # it all happens to the other one
    due_s = world.node.due_s
    assert due_s is not None
    world.run.lan.timeline.now = due_s
    world.run.checker.look()
    world.run.lan.timeline.now += world.run.plan.lateness_s + 0.001
    with pytest.raises(Violation, match=r"^I6"):
        world.run.checker.look()


def test_an_orderly_stop_that_leaves_the_addresses_breaks_i5() -> None:
    world = World(State.MASTER)
    world.node.stop()
    world.later(0.0)
    hold(world.node)
    with pytest.raises(Violation, match=r"^I5.*stopped in order"):
        world.later(0.0)


def test_a_dead_process_whose_addresses_stay_breaks_v8() -> None:
    world = World(State.MASTER)
    world.node.crash()
    world.later(0.0)
    world.later(2.2)
    world.node.kernel.lease_until_s = world.node.now + 1.0
    with pytest.raises(Violation, match=r"^V8.*stands still"):
        world.later(0.2)
