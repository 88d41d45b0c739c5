"""The model of a process and its kernel: queues while it stands still, a lease that ends, calls that block or fail."""

from __future__ import annotations

from ipaddress import ip_address
from random import Random

from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.auth import key_from_pass_phrase
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.wire import Reject
from wsa_proxy.simulation.kernel import LEASE_S_MAX
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.lan import Timeline
from wsa_proxy.simulation.lan import Weather
from wsa_proxy.simulation.node import QUEUE_MAX
from wsa_proxy.simulation.node import Node

KEY = key_from_pass_phrase(b"secret")
VIP = ip_address("10.0.0.3")


class World:
    """One node, and what it tells."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        self.reasons: list[str] = []
        lan = Lan(self.timeline, Random, Weather())
        settings = VirtualHostSettings(1, 1, 100, True, (4,))
        self.node = Node(0, settings, Authenticator([KEY], 1, [VIP], 7), lan, Random(1), self.hear)
        self.node.start()

    def hear(self, node: Node, kind: str, what: object) -> None:
        if isinstance(what, ReportTransition):
            self.reasons.append(what.reason)

    def state(self) -> str:
        return self.node.state.name

    def run(self, seconds: float) -> None:
        self.timeline.run(self.timeline.now + seconds, lambda: None)


def advertisement(advskew: int = 0, advbase: int = 1) -> Advertised:
    return Advertised(4, Authenticator([KEY], 1, [VIP], 99).sign(advbase, advskew, 0))


def test_a_lone_node_becomes_master_and_keeps_its_lease() -> None:
    world = World()
    world.run(3.3)
    assert world.state() == "BACKUP" and not world.node.holds
    world.run(0.2)
    assert world.state() == "MASTER"
    for _ in range(50):
        world.run(0.1)
        assert world.node.holds


def test_after_a_crash_the_lease_runs_out() -> None:
    world = World()
    world.run(4)
    world.node.crash()
    assert world.node.holds and world.state() == "INIT"
    world.run(LEASE_S_MAX)
    assert not world.node.holds
    world.node.start()
    assert world.state() == "BACKUP"


def test_frames_wait_while_the_process_stands_still_and_a_full_queue_keeps_the_oldest() -> None:
    world = World()
    world.run(1)
    world.node.stall(2)
    for _ in range(QUEUE_MAX + 10):
        world.node.receive(advertisement(), 1)
    assert len(world.node.queue) == QUEUE_MAX
    world.run(2.1)
    assert not world.node.queue and world.state() == "BACKUP"


def test_a_master_that_slept_too_long_yields() -> None:
    world = World()
    world.run(4)
    world.node.stall(10)
    world.run(10.1)
    assert world.reasons[-1] == "overslept" and not world.node.holds


def test_a_slow_kernel_blocks_the_process_and_a_refusing_one_sends_it_out() -> None:
    world = World()
    world.node.kernel.operation_s = 0.4
    world.run(3.5)
    assert not world.node.awake or world.node.holds
    world.node.kernel.operation_s = 0.0
    world.run(1)
    assert world.node.awake and world.node.holds
    world.node.kernel.refuses = True
    world.run(0.3)
    assert world.reasons[-1] == "the kernel refused" and world.state() == "INIT"
    world.node.kernel.refuses = False
    world.run(5)
    assert world.state() == "MASTER"


def test_a_slow_renewal_blocks_the_process_too() -> None:
    world = World()
    world.run(4)
    world.node.kernel.operation_s = 0.2
    awake = []
    for _ in range(200):
        world.run(0.01)
        awake.append(world.node.awake)
    assert {True, False} == set(awake) and world.state() == "MASTER" and world.node.holds


def test_a_release_that_the_kernel_refuses_is_tried_again() -> None:
    world = World()
    world.run(4)
    world.node.kernel.refuses = True
    world.node.receive(advertisement(0), 1)
    assert world.state() == "BACKUP" and world.node.holds
    world.node.kernel.refuses = False
    world.run(0.2)
    assert not world.node.holds


def test_a_release_that_is_tried_again_does_not_hit_a_new_master() -> None:
    """I5. It has been asked for by the defeat before."""
    world = World()
    world.run(4)
    world.node.kernel.refuses = True
    world.node.receive(advertisement(0), 1)
    assert world.state() == "BACKUP" and world.node.kernel.kept
    world.node.kernel.refuses = False
    world.node.receive(advertisement(255, 255), 1)
    world.run(0.05)
    assert world.state() == "MASTER"
    for _ in range(20):
        world.run(0.01)
        assert world.node.holds


def test_a_stranger_who_answers_is_asked_about_only_before_the_first_time() -> None:
    world = World()
    world.node._lan.squatters = 1
    world.run(8)
    assert world.state() == "BACKUP"
    world.node._lan.squatters = 0
    world.run(4)
    assert world.state() == "MASTER"
    world.node._lan.squatters = 1
    world.node.receive(advertisement(0), 1)
    assert world.state() == "BACKUP"
    world.run(4)
    assert world.state() == "MASTER"


def test_a_new_life_inherits_neither_a_stall_nor_a_refusal() -> None:
    world = World()
    world.run(4)
    world.node.kernel.refuses = True
    world.run(0.3)
    assert world.reasons[-1] == "the kernel refused"
    world.node.stall(5.0)
    world.node.crash()
    world.node.start()
    assert world.node.awake and world.state() == "BACKUP"


def test_health_is_told_to_the_core_or_waits_until_the_process_wakes() -> None:
    world = World()
    world.node.stall(1.0)
    world.node.demote(2)
    assert (world.node.health, world.node.demotion) == (2, 0)
    world.run(1.1)
    assert world.node.demotion == 2 and world.node.core is not None and world.node.core.demotion == 2


def test_a_rejected_frame_changes_one_counter_and_nothing_else() -> None:
    """I3."""
    world = World()
    world.run(1)
    due_s = world.node.due_s
    world.node.receive(Advertised(4, bytes(36)), 1)
    world.node.receive(Advertised(4, advertisement().payload, ttl=64), 1)
    assert world.node.rejects == {Reject.BAD_VERSION: 1, Reject.BAD_TTL: 1} and world.node.due_s == due_s


def test_the_operator_is_heard_by_a_process_that_is_awake() -> None:
    """It waits no longer before it preempts; who stands still does not hear him."""
    world = World()
    world.run(0.1)
    assert world.node.core is not None
    world.node.stall(1.0)
    world.node.preempt()
    assert world.node.core.calm.due_s > 0
    world.run(1.1)
    world.node.preempt()
    assert world.node.core.calm.due_s == float("-inf")


def test_other_settings_reach_a_process_when_it_is_awake() -> None:
    """A reload is asked for by a signal: who stands still takes it later, who is dead reads the newest file."""
    world = World()
    world.run(3.6)
    world.node.stall(1.0)
    world.node.configure(False, 10, 0.0)
    world.run(0.9)
    assert world.node.core is not None and world.node.core.settings.advskew == world.node.settings.advskew == 100
    world.run(0.2)
    assert world.node.core.settings.advskew == world.node.settings.advskew == 10 and not world.node.settings.preempt
    world.node.crash()
    world.node.configure(True, 20, 0.0)
    assert world.node.settings.advskew == 10
    world.node.start()
    assert world.node.settings.advskew == 20 and world.node.core.settings.preempt
