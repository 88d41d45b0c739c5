"""The pump of a backup that follows a bow-out, in a sealed group with a virtual MAC: the others are told first."""

from __future__ import annotations

import asyncio

import pytest

from tests.runtime.world import Host
from tests.runtime.world import MakeHost

INTENT, CLAIM = "advertise v4 1/55 from its own MAC", "advertise v4 1/55"
BOW_OUT, BOW_OUT_FROM_OWN = "advertise v4 255/255", "advertise v4 255/255 from its own MAC"
WAITS_S = 0.01


async def two(make_host: MakeHost) -> tuple[Host, Host]:
    """Master a, backup b."""
    a = make_host("a", 1, virtual_mac=True, security=("sealed",))
    b = make_host("b", 2, virtual_mac=True, security=("sealed",), advskew=55, priority=200)
    await a.start()
    await b.start()
    await asyncio.sleep(3.5)
    assert (a.state, b.state) == ("master", "backup")
    b.journal.clear()
    return a, b


def said(host: Host) -> list[str]:
    return [line for line in host.journal if line.startswith("advertise")]


async def test_in_a_sealed_group_the_others_are_told_first(make_host: MakeHost) -> None:
    """Not from the virtual MAC, and before the rules that steer clients are written: others are as fast."""
    a, b = await two(make_host)
    b.driver.about_to = lambda _: b.journal.append("prepare")
    a.driver.set_obstacle("proxy", "it is gone")
    await asyncio.sleep(WAITS_S)
    told = b.journal.index(INTENT)
    assert b.journal[told : told + 5] == [INTENT, "prepare", "acquire", CLAIM, "announce"]


async def test_who_has_told_the_others_and_cannot_acquire_bows_out(make_host: MakeHost) -> None:
    """From its own MAC still: it was never the owner of the virtual one. So the next best one follows at once."""
    a, b = await two(make_host)
    b.address_error = OSError("cannot add")
    a.driver.set_obstacle("proxy", "it is gone")
    await asyncio.sleep(WAITS_S)
    assert b.state == "init" and said(b) == [INTENT, BOW_OUT_FROM_OWN]


async def test_that_it_was_the_owner_once_is_over_with_its_mastership(make_host: MakeHost) -> None:
    """The switch's port is another one's since."""
    a, b = await two(make_host)
    a.driver.set_obstacle("proxy", "it is gone")
    await asyncio.sleep(WAITS_S)
    assert b.state == "master"
    a.driver.set_obstacle("proxy", None)
    await asyncio.sleep(6)
    assert (a.state, b.state) == ("master", "backup")
    b.journal.clear()
    b.address_error = OSError("cannot add")
    a.driver.set_obstacle("proxy", "it is gone")
    await asyncio.sleep(WAITS_S)
    assert said(b) == [INTENT, BOW_OUT_FROM_OWN]


async def test_a_master_that_has_claimed_bows_out_from_the_virtual_mac(make_host: MakeHost) -> None:
    """Its clients are here until somebody follows."""
    a, b = await two(make_host)
    a.driver.set_obstacle("proxy", "it is gone")
    await asyncio.sleep(WAITS_S)
    b.driver.set_obstacle("proxy", "it is gone")
    assert said(b) == [INTENT, CLAIM, BOW_OUT]


async def test_who_dies_on_the_way_has_left_its_will_before(make_host: MakeHost) -> None:
    """Or whoever has heard the intent would wait for a whole silence."""
    a, b = await two(make_host)
    wills: list[bool] = []
    assert b.ports is not None
    real = b.ports.advertisements.send

    def send(version: int, payload: bytes, *, from_own_mac: bool = False) -> None:
        wills.append(1 in b.wills)
        real(version, payload, from_own_mac=from_own_mac)  # type: ignore[arg-type]

    b.ports.advertisements.send = send  # type: ignore[method-assign]
    assert 1 not in b.wills
    a.driver.set_obstacle("proxy", "it is gone")
    await asyncio.sleep(WAITS_S)
    assert wills == [True, True]


async def test_an_intent_held_back_by_a_freeze_is_not_owed(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what comes after the addresses is: by then it would say nothing new."""
    a, b = await two(make_host)
    begin = b.driver._sending.begin

    def frozen_once(commands: object) -> None:
        monkeypatch.undo()
        begin(commands)  # type: ignore[arg-type]
        b.loop.now += 0.7

    monkeypatch.setattr(b.driver._sending, "begin", frozen_once)
    a.driver.set_obstacle("proxy", "it is gone")
    await asyncio.sleep(WAITS_S)
    acquired = b.journal.index("acquire")
    assert b.journal[acquired : acquired + 3] == ["acquire", CLAIM, "announce"] and said(b) == [CLAIM]
