"""A guardian of several groups fences them in one go, and what befalls one of them is not the others' business."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from tests.net.test_guardian import AGAIN
from tests.net.test_guardian import World
from wsa_proxy.net import orders


@pytest.fixture
def world() -> World:
    """Groups 1 and 2 hold an address each, and 1 to 3 have a will: 3 is on its way."""
    world = World()
    for vhid in (1, 2, 3):
        world.say(orders.WILL, [AGAIN, b"bow-out", b"%d " % vhid], vhid=vhid)
    for vhid in (1, 2):
        world.say(orders.HOLD, [orders.numbers([1]), b"add %d" % vhid, b"remove %d" % vhid], vhid=vhid)
    world.say(orders.HOLD, [orders.numbers([1]), b"add 4", b"remove 4"], vhid=4)
    world.taken()
    return world


def bowed_out(said: list[Any]) -> list[int]:
    """The ids that the one message names."""
    (fenced,) = said
    return list(fenced.parts[1])


def test_of_all_that_have_a_will(world: World) -> None:
    """One batch, and the names of those whose end was told."""
    assert bowed_out(world.guardian.look(gone=True)) == [1, 2, 3]
    assert world.taken() == [b"remove 1", b"remove 2", b"remove 4"]
    assert world.kernel.sent == [b"1 bow-out", b"2 bow-out", b"3 bow-out"]


def test_what_the_kernel_keeps_of_one_is_that_ones_alone(world: World) -> None:
    """It is tried once more, and its end is not told: two would have the address. The others have heirs at once."""
    world.kernel.refuse = {b"remove 2": errno.EPERM}
    assert bowed_out(world.guardian.look(gone=True)) == [1, 3]
    assert world.taken() == [b"remove 1", b"remove 2", b"remove 4", b"remove 2"]
    world.now += 0.03
    world.look(gone=True)
    assert world.kernel.sent == [b"1 bow-out", b"3 bow-out"] * 2


def test_what_works_the_second_time_is_told(world: World) -> None:
    """The acknowledgements of the first batch were lost."""
    world.kernel.lose = 1
    assert bowed_out(world.guardian.look(gone=True)) == [1, 2, 3]
    assert world.taken() == [b"remove 1", b"remove 2", b"remove 4"] * 2
