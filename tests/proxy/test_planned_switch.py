"""The clients of one group are handed over, and the process goes on, in virtual time."""

from __future__ import annotations

import pytest

from tests.proxy.test_planned_stop import NEVER_S
from tests.proxy.test_planned_stop import VIPS
from tests.proxy.test_planned_stop import World
from wsa_proxy.proxy.planned_stop import REASON
from wsa_proxy.proxy.planned_switch import SUCCESSOR_S_MAX
from wsa_proxy.proxy.planned_switch import PlannedSwitch


class SwitchWorld(World):
    """Its process goes on."""

    def stay(self, addresses: object) -> None:
        self.note(f"answers as before on {len(list(addresses))}")  # type: ignore[call-overload]

    async def run(self) -> None:
        await PlannedSwitch(self).hand_over(self, VIPS)  # type: ignore[arg-type]


STEPS = [
    "every answer ends its connection on 1",
    "drain 10.0.0.3",
    f"bow out: {REASON}",
    "silent",
    f"let go: {REASON}",
    "answers as before on 1",
]


async def test_the_steps() -> None:
    """Those of an orderly stop, on these addresses alone; then all of it is as before."""
    world = SwitchWorld()
    await world.run()
    assert world.order == STEPS


async def test_a_successor_that_does_not_come_is_waited_for_a_little_longer() -> None:
    """The node serves meanwhile, and the order may be lost."""
    world = SwitchWorld()
    world.succeeded_after_s = NEVER_S
    await world.run()
    assert world.order == STEPS
    assert SUCCESSOR_S_MAX <= world.at("silent") - world.at(f"bow out: {REASON}") < SUCCESSOR_S_MAX + 0.01


@pytest.mark.parametrize("step", STEPS[:5])
async def test_whatever_fails_the_connections_are_as_before(step: str) -> None:
    """Or all answers of a process that goes on would end theirs for ever."""
    world = SwitchWorld()
    world.fails = step
    if step == STEPS[4]:
        with pytest.raises(RuntimeError):
            await world.run()
    else:
        await world.run()
    assert world.order[-2:] == STEPS[-2:]


async def test_what_is_carried_over_goes_on_as_it_was_told() -> None:
    """It is for whoever carries it over to say when answers do not end their connections any more."""
    world = SwitchWorld()
    world.carried, world.carried_until_s = frozenset(VIPS), NEVER_S
    await world.run()
    assert world.order == [
        "every answer ends its connection on 0",
        f"bow out: {REASON}",
        "silent",
        f"let go: {REASON}",
    ]
