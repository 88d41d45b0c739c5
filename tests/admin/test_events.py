"""News for those who listen, and no work where nobody does. In virtual time."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from wsa_proxy.admin.events import AGAIN_S_MIN
from wsa_proxy.admin.events import LISTENERS_MAX
from wsa_proxy.admin.events import SHARE_MAX
from wsa_proxy.admin.events import Events
from wsa_proxy.admin.events import message_of


class Page:
    """A ``Listener`` that writes down what it hears, and when."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.states: list[float] = []
        self.events: list[bytes] = []
        self.welcome = True
        self.ended = False

    def may_stay(self) -> bool:
        return self.welcome

    def offer(self, message: bytes) -> None:
        assert message.startswith(b"event: status\ndata: {") and message.endswith(b"}\n\n")
        self.states.append(round(self._clock(), 3))

    def tell(self, message: bytes) -> None:
        self.events.append(message)

    def end(self) -> None:
        self.ended = True


class Told:
    """What makes the document; each takes ``takes_s`` of the clock."""

    def __init__(self) -> None:
        self.made = 0
        self.takes_s = 0.0
        self._spent_s = 0.0
        self.fails = False
        self.events = Events(self.status, clock=self.clock)

    def clock(self) -> float:
        return asyncio.get_running_loop().time() + self._spent_s

    def status(self) -> dict[str, Any]:
        self.made += 1
        self._spent_s += self.takes_s
        if self.fails:
            raise RuntimeError("a mistake of ours")
        return {"n": self.made}

    def page(self) -> Page:
        return Page(asyncio.get_running_loop().time)


async def test_nobody_listens_and_nothing_is_done() -> None:
    """Neither before the first page is opened nor after the last is closed."""
    told = Told()
    told.events.state_changed()
    told.events.tell({"number": 1})
    await asyncio.sleep(10)
    assert told.made == 0
    page = told.page()
    assert told.events.join(page)
    await asyncio.sleep(2.5)
    told.events.leave(page)
    told.events.leave(page)
    made = told.made
    await asyncio.sleep(10)
    assert made == told.made == 3


async def test_the_state_is_told_at_once_and_then_each_second() -> None:
    """Made once, however many listen; whoever comes later hears it soon, and with him all."""
    told = Told()
    first, second = told.page(), told.page()
    began_s = asyncio.get_running_loop().time()
    told.events.join(first)
    await asyncio.sleep(2.5)
    told.events.join(second)
    await asyncio.sleep(1.1)
    assert [round(at - began_s, 3) for at in first.states] == [0, 1, 2, 2.5, 3.5]
    assert second.states == first.states[3:] and told.made == 5
    told.events.close()
    assert first.ended and second.ended


async def test_a_transition_is_told_at_once() -> None:
    """And 255 of them together in one document."""
    told = Told()
    page = told.page()
    told.events.join(page)
    await asyncio.sleep(0.5)
    for _ in range(255):
        told.events.state_changed()
    began_s = asyncio.get_running_loop().time()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    told.events.state_changed()
    await asyncio.sleep(AGAIN_S_MIN + 0.01)
    assert [round(at - began_s, 3) for at in page.states[1:]] == [0, AGAIN_S_MIN]
    told.events.close()


async def test_a_document_that_takes_long_is_made_less_often() -> None:
    """The loop is the proxy's: no more than a part of its time goes here, transitions or not."""
    told = Told()
    told.takes_s = 0.2
    page = told.page()
    told.events.join(page)
    for _ in range(200):
        told.events.state_changed()
        await asyncio.sleep(0.1)
    assert told.made <= 20 * SHARE_MAX / told.takes_s + 1
    assert told.made >= 3
    told.events.close()


async def test_a_document_that_cannot_be_made_is_told_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """The pages stay open: they show how old is what they know."""
    told = Told()
    told.fails = True
    page = told.page()
    told.events.join(page)
    await asyncio.sleep(1.5)
    told.fails = False
    await asyncio.sleep(1.0)
    assert len(page.states) == 1 and not page.ended
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        "page: the status could not be told"
    ] * 2
    told.events.close()


async def test_too_many_listeners_are_turned_away() -> None:
    """The next one has a place when one leaves."""
    told = Told()
    pages = [told.page() for _ in range(LISTENERS_MAX)]
    assert all(told.events.join(page) for page in pages)
    assert not told.events.join(told.page())
    told.events.leave(pages[0])
    assert told.events.join(told.page())
    told.events.close()


async def test_who_would_not_be_let_in_now_is_let_go() -> None:
    """He has logged out, or the password has changed: neither states nor events reach him."""
    told = Told()
    gone, stays = told.page(), told.page()
    told.events.join(gone)
    told.events.join(stays)
    await asyncio.sleep(0.5)
    gone.welcome = False
    told.events.tell({"number": 1})
    assert gone.ended and gone.events == [] and len(stays.events) == 1
    stays.welcome = False
    await asyncio.sleep(1.0)
    assert stays.ended and len(stays.states) == len(gone.states)
    made = told.made
    await asyncio.sleep(5.0)
    assert told.made == made


async def test_what_has_happened_is_told_to_all() -> None:
    """As it happens."""
    told = Told()
    pages = [told.page(), told.page()]
    for page in pages:
        told.events.join(page)
    told.events.tell({"number": 7, "evidence": "a\nb"})
    expected = b'event: history\ndata: {"number": 7, "evidence": "a\\nb"}\n\n'
    assert [page.events for page in pages] == [[expected], [expected]]
    told.events.close()


def test_a_message_is_one_event() -> None:
    """Whatever is in the document, no line of it can begin another field."""
    message = message_of("status", {"text": "a\r\n\r\nevent: history\ndata: {}", "more": "\u2028\x85"})
    head, data, *rest = message.decode().split("\n")
    assert head == "event: status" and rest == ["", ""]
    assert json.loads(data.removeprefix("data: "))["more"] == "\u2028\x85" and data.isascii()
