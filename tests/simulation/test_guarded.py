"""A node with a guardian, both as in the product: what they do when one of them, or both, die or stand still."""

from __future__ import annotations

from ipaddress import ip_address
from random import Random

import pytest

from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.auth import key_from_pass_phrase
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.wire import Version
from wsa_proxy.net.guarding import ANSWER_S
from wsa_proxy.net.guarding import STARTS_MAX
from wsa_proxy.net.guarding import STARTS_WITHIN_S
from wsa_proxy.simulation.guarded import LATE_S_MAX
from wsa_proxy.simulation.guarded import NOTICED_S_MAX
from wsa_proxy.simulation.guarded import Blocked
from wsa_proxy.simulation.guarded import Guarded
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.lan import Frame
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.lan import Timeline
from wsa_proxy.simulation.lan import Weather
from wsa_proxy.simulation.node import Node

KEY = key_from_pass_phrase(b"secret")
VIP = ip_address("10.0.0.3")
LIMIT_S = 1.0


class World:
    """One node that is master alone, and a neighbour that hears."""

    def __init__(self, advbase: int = 1, advskew: int = 0, peers: dict[int, Version] | None = None) -> None:
        self.timeline = Timeline()
        self.told: list[tuple[str, object]] = []
        self.bow_outs: list[float] = []
        lan = Lan(self.timeline, Random, Weather())
        settings = VirtualHostSettings(1, advbase, advskew, True, (4,))
        signer = Authenticator([KEY], 1, [VIP], 7)
        self.node = Node(0, settings, signer, lan, Random(1), self.hear, peers, Random(2))
        lan.attach(1, self.receive)
        self.node.start()
        self.run(3.6)
        assert self.node.state.name == "MASTER" and self.node.holds

    @property
    def guard(self) -> Guarded:
        assert self.node.guard is not None
        return self.node.guard

    def hear(self, _: Node, kind: str, what: object) -> None:
        self.told.append((kind, what))

    def receive(self, frame: Frame, _: int) -> None:
        if isinstance(frame, Advertised) and frame.willed:
            assert (frame.payload[2], frame.payload[5]) == (255, 255) and not frame.from_virtual_mac
            self.bow_outs.append(self.timeline.now)

    def kinds(self) -> set[str]:
        return {kind for kind, _ in self.told}

    def reasons(self) -> list[str]:
        return [what.reason for _, what in self.told if isinstance(what, ReportTransition)]

    def run(self, seconds: float) -> None:
        self.timeline.run(self.timeline.now + seconds, lambda: None)


@pytest.mark.parametrize("peers", [None, {1: 4}])
def test_a_death_is_told_and_the_address_goes_first(peers: dict[int, Version] | None) -> None:
    world = World(peers=peers)
    died_at_s = world.timeline.now
    world.node.crash()
    assert world.node.holds
    world.run(NOTICED_S_MAX + 0.001)
    assert not world.node.holds and world.bow_outs
    world.run(1)
    (told_at_s,) = world.bow_outs  # once: the group speaks plain CARP
    assert told_at_s < died_at_s + NOTICED_S_MAX + 0.001
    assert world.guard.guardian is None


def test_who_leaves_in_order_leaves_no_will() -> None:
    world = World()
    world.node.stop()
    world.run(3)
    assert world.bow_outs == [] and world.guard.guardian is None


def test_a_stall_is_told_and_read_before_anything_is_said() -> None:
    """A moment longer than the limit, half a patience below one second."""
    for world, limit_s in ((World(), LIMIT_S), (World(0, 26), 3 * 26 / 256 / 2)):
        world.node.stall(limit_s * 3)
        stalled_at_s = world.timeline.now
        world.run(limit_s * 0.7)
        assert world.node.holds and not world.bow_outs
        world.run(limit_s * 0.3 + LATE_S_MAX + 0.001)
        assert not world.node.holds and stalled_at_s + limit_s * 0.7 < world.bow_outs[0]
        world.told.clear()
        world.run(limit_s * 2)
        kinds = [kind for kind, _ in world.told]
        assert world.node.state.name == "BACKUP" and "fenced" in kinds and "advertisement" not in kinds


def test_a_short_stall_is_nobodys_business() -> None:
    world = World()
    for _ in range(5):
        world.node.stall(0.7)
        world.run(1.4)
    assert world.node.state.name == "MASTER" and "fence" not in world.kinds()


def test_a_guardian_that_dies_is_replaced_and_tells_all_the_same() -> None:
    """But not so often."""
    world = World()
    world.guard.kill()
    assert world.guard.guardian is None
    world.run(0.01)
    assert world.guard.alive and world.guard.worn and world.node.holds
    world.node.crash()
    world.run(0.5)
    assert len(world.bow_outs) == 1
    world = World()
    for _ in range(STARTS_MAX):
        world.guard.kill()
        world.run(0.3)
    assert world.node.state.name != "MASTER" and world.guard.guardian is None
    world.run(1.3)
    assert not world.node.holds  # nobody was there to take it, the lease has ended
    world.run(STARTS_WITHIN_S + 5)
    assert world.node.state.name == "MASTER" and world.node.holds


def test_both_die_and_the_lease_is_left() -> None:
    world = World()
    world.node.kill_all()
    world.run(0.5)
    assert world.node.holds and not world.bow_outs
    world.run(1)
    assert not world.node.holds and not world.bow_outs


def test_a_new_life_has_another_guardian() -> None:
    """The last one has ended by then, or was ended."""
    world = World()
    first = world.guard
    world.node.crash()
    world.node.start()
    world.run(1)
    assert world.guard is not first and first.guardian is None and world.guard.alive and world.bow_outs == []


def test_a_guardian_that_hangs_is_found_out_by_whom_it_keeps_waiting() -> None:
    world = World()
    world.guard.sleep(5)
    awake = []
    for _ in range(80):
        world.run(0.01)
        awake.append(world.node.awake)
    assert 0.25 < awake.count(False) * 0.01 < ANSWER_S + 0.05
    assert "a guardian was replaced" in world.kinds() and world.node.state.name == "MASTER" and world.node.holds


def test_a_guardian_that_slept_reads_before_it_judges() -> None:
    """The beats of a process that turns have waited in its queue."""
    world = World(1, 0)
    world.guard.sleep(0.2)
    world.run(3)
    assert "fence" not in world.kinds()


def test_a_paused_machine_stands_still_with_its_guardian() -> None:
    world = World()
    world.node.pause(5)
    world.run(4.9)
    assert not world.bow_outs
    world.run(0.5)
    assert "fence" not in world.kinds() and world.node.state.name == "MASTER"


def test_a_kernel_that_does_not_let_go_keeps_the_will_unsaid() -> None:
    world = World()
    world.node.kernel.refuses = True
    world.node.crash()
    world.run(3)
    assert not world.bow_outs and ("fence", False) in world.told


@pytest.mark.parametrize(("blocked", "lasts_s", "fenced"), [(Blocked.BOTH, 0.6, True), (Blocked.ORDER, 0.6, False)])
def test_what_was_begun_before_a_freeze(blocked: Blocked, lasts_s: float, fenced: bool) -> None:
    """In the kernel's call: it is removed again. On its way: it is too old only after the stall limit."""
    world = World()
    began_s = world.node.now
    world.timeline.now += lasts_s
    world.guard.returns_late(blocked, began_s)
    assert world.guard.take(renew=True) is not fenced and world.node.holds is not fenced
    world.timeline.now += 1.1
    world.guard.returns_late(Blocked.ORDER, world.node.now - 1.1)
    assert not world.guard.take(renew=False) or fenced


def test_slow_kernels_are_survived() -> None:
    """Whoever stands still in which call: it ends with a master that holds, or with none that does."""
    for seed in range(20):
        world = World()
        world.guard.random.seed(seed)
        world.node.kernel.operation_s = 2.5
        for _ in range(40):
            world.run(0.25)
        world.node.kernel.operation_s = 0.0
        world.run(20)
        assert world.node.state.name == "MASTER" and world.node.holds


def test_what_its_host_refuses_is_not_said() -> None:
    world = World()
    world.node.outlet.refused = {4: 1.0}
    world.node.crash()
    world.run(1)
    assert not world.bow_outs and not world.node.holds
