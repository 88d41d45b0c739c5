"""The checker says no: a run whose promise is broken, or whose bound is, fails by name. The core's own mistakes are
planted in test_planted_bugs.py."""

from __future__ import annotations

from random import Random

import pytest

from wsa_proxy.carp.commands import AcquireAddresses
from wsa_proxy.carp.commands import AnnounceAddresses
from wsa_proxy.carp.commands import ReleaseAddresses
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.simulation import checker
from wsa_proxy.simulation.checker import Violation
from wsa_proxy.simulation.plan import draw
from wsa_proxy.simulation.run import Run
from wsa_proxy.simulation.run import play

SEND = SendAdvertisement(1, 0, 0)


@pytest.mark.parametrize(
    ("bound", "broken", "invariant"),
    [
        ("down_s", lambda node: 4 * node.settings.advbase, "I2"),
        ("interval_s", lambda node: 0.0, "I1"),
    ],
)
def test_a_broken_bound_fails(bound: str, broken: object, invariant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checker that has the wrong number in it does not agree with the core."""
    monkeypatch.setattr(checker, bound, broken)
    seen = {play(seed).invariant for seed in range(60)}
    assert invariant in seen


@pytest.mark.parametrize(
    "commands",
    [
        [AcquireAddresses(), SEND, AnnounceAddresses()],
        [SEND, AcquireAddresses()],
        [SEND, AnnounceAddresses(), AcquireAddresses()],
        [ReleaseAddresses(), AnnounceAddresses()],
    ],
)
def test_commands_out_of_order_break_i7(commands: list[object]) -> None:
    run = Run(0, draw(Random(0)))
    with pytest.raises(Violation, match=r"^I7"):
        run.checker.told(run.nodes[0], "commands", commands)


def test_an_address_without_mastery_breaks_i5() -> None:
    run = Run(0, draw(Random(0)))
    run.nodes[0].start()
    run.nodes[0].kernel.take(run.nodes[0].now)
    with pytest.raises(Violation, match=r"^I5"):
        run.checker.look()


def test_an_advertisement_of_a_backup_breaks_i6() -> None:
    run = Run(0, draw(Random(0)))
    run.nodes[0].start()
    with pytest.raises(Violation, match=r"^I6"):
        run.checker.told(run.nodes[0], "advertisement", SEND)
