"""A machine's clock stands still while it is paused, and what it had planned comes that much later."""

from __future__ import annotations

from random import Random

import pytest

from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.lan import Timeline
from wsa_proxy.simulation.lan import Weather
from wsa_proxy.simulation.machine import Machine


def test_a_paused_clock_stands_still_and_is_behind_afterwards() -> None:
    timeline = Timeline()
    machine = Machine(0, Lan(timeline, Random, Weather()))
    began_at_s = machine.now
    machine._stop_clock()
    timeline.now += 5
    assert machine.paused and machine.now == began_at_s
    machine._resume_clock()
    timeline.now += 1
    assert not machine.paused and machine.now == began_at_s + 1
    assert machine._on_the_lan_s(machine.now + 2) == pytest.approx(timeline.now + 2)
    machine._resume_clock()
    assert machine.now == began_at_s + 1


def test_what_a_machine_plans_happens_to_it() -> None:
    timeline = Timeline()
    machine = Machine(3, Lan(timeline, Random, Weather()))
    happened_to: list[int | None] = []
    machine._at(timeline.now + 1, lambda: happened_to.append(timeline.whose))
    timeline.run(timeline.now + 1, lambda: None)
    assert happened_to == [3]
