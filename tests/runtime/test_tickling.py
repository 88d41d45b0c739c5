"""Lost clients are told in virtual time: how many in a turn, how often, and who is spared."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from tests.runtime.fakes import FakeSockets
from tests.runtime.fakes import FakeTickles
from wsa_proxy.net.tickle import CLIENTS_AT_FIRST_MAX
from wsa_proxy.runtime.tickling import AGAIN_AFTER_S
from wsa_proxy.runtime.tickling import BATCH
from wsa_proxy.runtime.tickling import PAUSE_S
from wsa_proxy.runtime.tickling import Tickling

ROUNDS = 1 + len(AGAIN_AFTER_S)


def clients(count: int, first: int = 0) -> list[bytes]:
    return [b"\x0a\x00\x00\x03\x1f\x90" + (first + number).to_bytes(6, "big") for number in range(count)]


@pytest.fixture
def port() -> FakeTickles:
    return FakeTickles()


@pytest.fixture
async def tickling(port: FakeTickles) -> AsyncIterator[Tickling]:
    made = Tickling(lambda index: port, FakeSockets().forget)
    yield made
    made.close()


async def test_each_is_told_at_once_and_again(tickling: Tickling, port: FakeTickles) -> None:
    """A switch that learns its ports may have lost the first one."""
    lost = clients(3)
    tickling.tell(1, 2, "a", lost, lambda client: True)
    await asyncio.sleep(PAUSE_S)
    assert port.sent == lost
    await asyncio.sleep(sum(AGAIN_AFTER_S) + 1)
    assert port.sent == lost * ROUNDS
    await asyncio.sleep(60)
    assert len(port.sent) == 3 * ROUNDS


async def test_ten_thousand_are_told_within_two_seconds_and_never_many_in_one_turn(
    tickling: Tickling, port: FakeTickles
) -> None:
    """The loop turns between, so advertisements are not kept waiting."""
    tickling.tell(1, 2, "a", clients(10_000), lambda client: True)
    most = 0
    for _ in range(2000):
        before = len(port.sent)
        await asyncio.sleep(0.001)
        most = max(most, len(port.sent) - before)
    assert len(set(port.sent)) == 10_000 and most == BATCH


async def test_who_is_served_is_spared_whenever_that_is_seen(tickling: Tickling, port: FakeTickles) -> None:
    """It is asked right before each one."""
    lost = clients(3)
    served = {lost[1]}
    tickling.tell(1, 2, "a", lost, lambda client: client not in served)
    await asyncio.sleep(0.1)
    served.add(lost[2])
    await asyncio.sleep(70)
    assert Counter(port.sent) == {lost[0]: ROUNDS, lost[2]: 1}


async def test_several_nodes_that_have_gone_one_after_the_other(tickling: Tickling, port: FakeTickles) -> None:
    """Nobody is forgotten."""
    tickling.tell(1, 2, "a", clients(100), lambda client: True)
    tickling.tell(2, 2, "b", clients(100, first=500), lambda client: True)
    await asyncio.sleep(0.01)
    tickling.tell(1, 2, "c", clients(1, first=900), lambda client: True)
    await asyncio.sleep(70)
    assert len(port.sent) == 201 * ROUNDS and len(set(port.sent)) == 201


async def test_one_that_cannot_be_reached_keeps_nobody_else_waiting(
    tickling: Tickling, port: FakeTickles, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told in one line, and is tried again."""
    port.error = OSError("no route to host")
    tickling.tell(1, 2, "a", clients(40), lambda client: True)
    await asyncio.sleep(0.1)
    assert "carp vhid=1 40 clients of node a" in caplog.text
    assert caplog.text.count("40 of them could not be told: no route to host") == 1
    port.error = None
    await asyncio.sleep(70)
    assert len(set(port.sent)) == 40


async def test_a_queue_that_is_full_puts_them_off(tickling: Tickling, port: FakeTickles) -> None:
    """Nobody is passed over."""
    tickling.tell(1, 2, "a", clients(100), lambda client: True)
    await asyncio.sleep(0.001)
    assert len(port.sent) == CLIENTS_AT_FIRST_MAX, "the next hop may have to be asked for"
    port.error = BlockingIOError()
    await asyncio.sleep(1)
    assert len(port.sent) == CLIENTS_AT_FIRST_MAX
    port.error = None
    await asyncio.sleep(0.01)
    assert port.sent == clients(100)


async def test_the_line_for_the_operator(
    tickling: Tickling, port: FakeTickles, caplog: pytest.LogCaptureFixture
) -> None:
    """Once: the later rounds say nothing."""
    with caplog.at_level(logging.WARNING):
        tickling.tell(1, 2, "a", clients(BATCH), lambda client: True)
        await asyncio.sleep(70)
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [f"carp vhid=1 {BATCH} clients of node a are told within 10 ms that their connections are gone"]


async def test_after_the_end_nobody_is_told(tickling: Tickling, port: FakeTickles) -> None:
    """Also none of those who would be told again."""
    tickling.tell(1, 2, "a", clients(100), lambda client: True)
    await asyncio.sleep(0)
    tickling.close()
    before = len(port.sent)
    await asyncio.sleep(70)
    assert len(port.sent) == before


async def test_an_error_of_ours_ends_one_round_and_not_all(
    tickling: Tickling, port: FakeTickles, caplog: pytest.LogCaptureFixture
) -> None:
    """Groups do not touch each other."""

    def broken(client: bytes) -> bool:
        raise RuntimeError("broken")

    tickling.tell(1, 2, "a", clients(1), broken)
    tickling.tell(2, 2, "b", clients(1, first=7), lambda client: True)
    await asyncio.sleep(70)
    assert port.sent == clients(1, first=7) * ROUNDS
    assert "carp vhid=1 failed to tell lost clients" in caplog.text
