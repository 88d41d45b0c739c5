"""A sealed node: the right verdict for each frame, a farewell on defeat, clocks that start anew with a boot."""

from __future__ import annotations

from random import Random

import pytest

from wsa_proxy.carp import wire
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.seal import unpack
from wsa_proxy.carp.wire import Reject
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.plan import draw
from wsa_proxy.simulation.run import Run
from wsa_proxy.simulation.sealed import SealedNode


def group() -> tuple[Run, list[SealedNode], list[str]]:
    """Sealed nodes that differ in rank and lose nothing; what they say."""
    said: list[str] = []
    for seed in range(1000):
        plan = draw(Random(seed), 2)
        skews = {member.settings.advskew for member in plan.members}
        quiet = not plan.weather.loss and not plan.weather.reflection and not plan.weather.duplicates
        if plan.sealed and quiet and len(skews) == 2 and plan.members[0].settings.advbase == 1:
            run = Run(seed, plan, said.append)
            return run, [node for node in run.nodes if isinstance(node, SealedNode)], said
    raise AssertionError("no such plan")


def test_a_crossing_ends_with_one_master_and_one_farewell() -> None:
    run, nodes, said = group()
    for node in nodes:
        node.start()
    run.lan.cuts |= {(0, 1), (1, 0)}
    run._pass(8.0)
    assert all(node.state is State.MASTER for node in nodes)
    run.lan.cuts.clear()
    run._pass(4.0)
    assert [node.state for node in nodes].count(State.MASTER) == 1
    assert sum("farewell" in line for line in said) == 1


@pytest.mark.parametrize(("at", "bit"), [(2, 1), (4, 2)], ids=["advskew", "demotion"])
def test_an_advertisement_is_believed_once_and_never_rewritten(at: int, bit: int) -> None:
    run, (one, other), _ = group()
    heard: list[Advertised] = []
    run.lan.tap(30, lambda frame, sender: heard.append(frame) if isinstance(frame, Advertised) else None)
    one.start()
    one.demote(1)
    run._pass(8.0)
    other.start()
    other.receive(heard[-1], 0)
    assert other.group_time.line_ms is not None and other.state is State.BACKUP
    other.receive(heard[-1], 0)
    payload = bytearray(heard[-1].payload)
    payload[at] ^= bit  # and the checksum with it
    payload[6:8] = bytes(2)
    payload[6:8] = wire.checksum(payload).to_bytes(2)
    other.receive(Advertised(heard[-1].version, bytes(payload)), 0)
    assert other.rejects[Reject.DUPLICATE] == 1 and other.rejects[Reject.REWRITTEN] == 1


def test_its_file_says_what_it_said_last() -> None:
    """After the next boot, its own bow-out is nothing new."""
    run, (node, _), _ = group()
    node.start()
    run._pass(8.0)
    node.stop()
    assert node.saved is not None and node.saved.top == node.group_time.top
    assert unpack(node.saved.top).is_bow_out


def test_a_boot_starts_the_clock_anew_and_a_step_moves_the_wall_only() -> None:
    _, (one, _), _ = group()
    one.start()
    clock_ms, wall_ms = one.clock_ms, one.wall_ms
    one.step_wall()
    assert one.clock_ms == clock_ms and one.wall_ms != wall_ms
    one.power_off()
    assert one.clock_ms == 0.0
