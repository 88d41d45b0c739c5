"""The network is asked for a second at most, once for each interface."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from wsa_proxy.net.ports import MacVerdict
from wsa_proxy.runtime.mac_check import ROUNDS
from wsa_proxy.runtime.mac_check import MacCheck


class Network:
    """Carries the address after so many questions, or never."""

    def __init__(self, carried_after: int = 99) -> None:
        self.carried_after = carried_after
        self.opened: list[tuple[str, int]] = []
        self.asked = self.closed = 0

    def open(self, interface: str, index: int) -> Any:
        self.opened.append((interface, index))
        return self

    def send(self) -> None:
        self.asked += 1

    def receive(self) -> MacVerdict:
        return MacVerdict.CARRIED if self.asked >= self.carried_after else MacVerdict.REFUSED

    def sentence(self) -> str:
        return "eth0 refuses it"

    def close(self) -> None:
        self.closed += 1


async def test_the_first_answer_is_enough(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is said then, and nobody is asked again."""
    network = Network(carried_after=2)
    check = MacCheck(network.open)
    assert check.verdict("eth0") is MacVerdict.UNKNOWN
    check.begin("eth0", 2)
    check.begin("eth0", 2)
    await asyncio.sleep(5)
    assert (check.verdict("eth0"), network.asked, network.closed) == (MacVerdict.CARRIED, 2, 1)
    assert network.opened == [("eth0", 2)] and not caplog.text
    check.begin("eth0", 7)
    await asyncio.sleep(5)
    assert network.opened == [("eth0", 2), ("eth0", 7)]


async def test_a_refusal_is_told_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    """A late answer would still change it."""
    network = Network()
    check = MacCheck(network.open)
    check.begin("eth0", 2)
    await asyncio.sleep(0.99)
    assert "refuses" not in caplog.text
    await asyncio.sleep(0.02)
    assert "eth0 refuses it" in caplog.text and (network.asked, network.closed) == (ROUNDS, 1)


async def test_an_interface_that_cannot_be_asked(caplog: pytest.LogCaptureFixture) -> None:
    """It stays unknown, with one line."""

    def fail(interface: str, index: int) -> Any:
        raise OSError("no such device")

    check = MacCheck(fail)
    check.begin("eth0", 2)
    await asyncio.sleep(0.1)
    assert check.verdict("eth0") is MacVerdict.UNKNOWN and "no such device" in caplog.text


async def test_an_end_in_between() -> None:
    """The sockets are closed."""
    network = Network()
    check = MacCheck(network.open)
    check.begin("eth0", 2)
    await asyncio.sleep(0.1)
    check.close()
    await asyncio.sleep(0)
    assert network.closed == 1


async def test_an_interface_that_is_made_anew_again_and_again_leaves_nothing_behind() -> None:
    """What has begun to ask on an earlier one asks no more, and says nothing about the one that is there now."""
    network = Network(carried_after=1)
    check = MacCheck(network.open)
    for index in range(2, 102):
        check.begin("eth0", index)
        await asyncio.sleep(0.01)
    assert len(check._tasks) == 1 and network.closed == 99
    assert check.verdict("eth0") is MacVerdict.UNKNOWN
    await asyncio.sleep(1)
    assert check.verdict("eth0") is MacVerdict.CARRIED and network.closed == 100
