"""What is taken from under a master: when it is put back, and who is blamed."""

from __future__ import annotations

import asyncio
import errno
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from wsa_proxy.runtime.put_back import LATE_S
from wsa_proxy.runtime.put_back import RENEW_EVERY_S
from wsa_proxy.runtime.put_back import PutBack

REFUSED = OSError(errno.EPERM, "operation not permitted")


class Scene:
    """A master with an address, a clock, and a note of what was renewed."""

    def __init__(self) -> None:
        self.is_master, self.now = True, 100.0
        self.turns = self.renewals = 0
        self.refusal: OSError | None = None
        self.told: list[tuple[float, OSError | None]] = []
        self.ports: Any = SimpleNamespace(addresses=SimpleNamespace(renew=self._renew))
        self.put_back = PutBack(7, self._turn, lambda: self.is_master, lambda: self.ports, lambda: self.now)
        self.put_back.renewed_at_s = self.now

    def _turn(self) -> None:
        self.turns += 1
        self.put_back.look(self._renewed)

    def _renewed(self, decided_at_s: float, error: OSError | None) -> None:
        self.told.append((decided_at_s, error))

    def _renew(self) -> None:
        self.renewals += 1
        self.now += 0.01
        if self.refusal is not None:
            raise self.refusal


async def test_a_master_has_it_back_in_the_next_turn(caplog: pytest.LogCaptureFixture) -> None:
    """Once, however often it was told; the time is that of the decision, not that after the kernel's work."""
    scene = Scene()
    for what in (
        "removed the virtual IP 10.0.0.4",
        "removed the virtual IP 10.0.0.3",
        "removed the virtual IP 10.0.0.3",
    ):
        scene.put_back.undone(what)
    assert scene.put_back.needed and scene.renewals == 0
    await asyncio.sleep(0)
    assert scene.turns == 3 and scene.renewals == 1 and not scene.put_back.needed
    assert scene.told == [(100.0, None)]
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [f"carp vhid=7 somebody removed the virtual IP 10.0.0.{last}; it is put back" for last in (3, 4)]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


async def test_unless_we_are_master_it_is_nobodys_business() -> None:
    """When it is told, or when the turn comes and the node has just given way; and where the interface is gone."""
    scene = Scene()
    scene.is_master = False
    scene.put_back.undone("removed the virtual IP 10.0.0.3")
    assert not scene.put_back.needed
    await asyncio.sleep(0)
    assert scene.turns == 0
    scene.is_master = True
    scene.put_back.undone("removed the virtual IP 10.0.0.3")
    scene.is_master = False
    await asyncio.sleep(0)
    scene.is_master, scene.ports = True, None
    scene.put_back.undone("removed the virtual IP 10.0.0.3")
    await asyncio.sleep(0)
    assert scene.turns == 2 and scene.renewals == 0 and not scene.put_back.needed and scene.told == []


async def test_a_release_ends_it() -> None:
    """What went away before was our own lease; a promotion afterwards acquires anew."""
    scene = Scene()
    scene.put_back.undone("removed the virtual IP 10.0.0.3")
    scene.put_back.forget()
    assert not scene.put_back.needed
    await asyncio.sleep(0)
    assert scene.turns == 1 and scene.renewals == 0


async def test_what_the_kernel_refuses_is_told_once() -> None:
    """The driver leaves then; nothing is tried again from here."""
    scene = Scene()
    scene.refusal = REFUSED
    scene.put_back.undone("removed the virtual IP 10.0.0.3")
    await asyncio.sleep(0)
    assert scene.told == [(100.0, REFUSED)] and not scene.put_back.needed
    scene.put_back.look(scene._renewed)
    assert scene.renewals == 1


@pytest.mark.parametrize("late_s", [0.0, LATE_S - 0.01, LATE_S + 0.01, 3.0])
async def test_who_is_blamed(caplog: pytest.LogCaptureFixture, late_s: float) -> None:
    """After so long without a renewal the lease may have ended by itself."""
    scene = Scene()
    scene.now += RENEW_EVERY_S + late_s
    scene.put_back.undone("removed the virtual IP 10.0.0.3")
    await asyncio.sleep(0)
    by = "somebody" if late_s < LATE_S else f"the kernel (no renewal, the loop was {late_s:.1f} s late)"
    assert f"carp vhid=7 {by} removed the virtual IP 10.0.0.3; it is put back" in caplog.text
