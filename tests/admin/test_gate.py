"""What a request may cost: nothing large is read of whom nobody knows yet, and nobody makes the loop busy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from tornado.web import Application
from tornado.web import RequestHandler

from tests.admin.test_door import ended
from tests.proxy.processes import free_port
from wsa_proxy.admin.door import Door
from wsa_proxy.admin.gate import AT_ONCE
from wsa_proxy.admin.gate import FORM_BYTES_MAX
from wsa_proxy.admin.gate import PER_S
from wsa_proxy.admin.gate import Pace

FORM, JSON = "application/x-www-form-urlencoded", "Application/JSON; charset=utf-8"


class Echo(RequestHandler):
    def post(self) -> None:
        self.finish(f"{len(self.request.body)} bytes")


@pytest.mark.parametrize(
    ("headers", "body", "answer"),
    [
        (f"Content-Type: {FORM}", "a=1&" * (FORM_BYTES_MAX // 4), f"{FORM_BYTES_MAX} bytes"),
        (f"Content-Type: {FORM}", "a=1&" * (FORM_BYTES_MAX // 4) + "a", "400 Bad Request"),
        ("Content-Type: multipart/form-data; boundary=x", "x" * (FORM_BYTES_MAX + 1), "400 Bad Request"),
        ("A: b", "x" * (FORM_BYTES_MAX + 1), "400 Bad Request"),
        (f"Content-Type: {JSON}", "x" * (FORM_BYTES_MAX + 1), f"{FORM_BYTES_MAX + 1} bytes"),
        (f"Content-Type: {JSON}\r\nTransfer-Encoding: chunked", "1\r\na\r\n0\r\n\r\n", "400 Bad Request"),
    ],
)
async def test_what_is_read_of_a_body(headers: str, body: str, answer: str) -> None:
    """Of a form as much as a password needs; nothing that comes in pieces, each of which costs as much as a request."""
    door, port = Door(Application([("/", Echo)], log_function=lambda handler: None)), free_port()
    await door.open("127.0.0.1", port)
    length = "" if "chunked" in headers else f"Content-Length: {len(body)}\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n{length}\r\n{body}".encode())
    assert answer in (await ended(reader)).decode()
    writer.close()
    door.close()
    await door.hang_up()


class Turns:
    """A clock that moves when somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        self.pace = Pace(lambda: self.now_s)
        monkeypatch.setattr(asyncio, "sleep", self.sleep)

    async def sleep(self, pause_s: float) -> None:
        self.now_s += pause_s

    async def take(self, count: int, is_gone: Callable[[], bool] = lambda: False) -> float:
        """How long they took together."""
        began_s = self.now_s
        for _ in range(count):
            await self.pace.turn(is_gone)
        return self.now_s - began_s


async def test_some_come_at_once_and_then_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that is opened does not wait; whoever goes on so has his share, and after a pause it is as at first."""
    turns = Turns(monkeypatch)
    assert await turns.take(AT_ONCE) == 0
    assert await turns.take(50) == pytest.approx(50 / PER_S)
    turns.now_s += 10 / PER_S
    assert await turns.take(10) == pytest.approx(0, abs=1e-6)
    assert await turns.take(10) == pytest.approx(10 / PER_S)
    turns.now_s += 3600
    assert await turns.take(AT_ONCE) == pytest.approx(0, abs=1e-6)
    assert await turns.take(10) == pytest.approx(10 / PER_S)


async def test_who_is_gone_takes_nobody_s_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else those who come and go could make the queue as long as they like."""
    turns = Turns(monkeypatch)
    await turns.take(AT_ONCE)
    assert await turns.take(1000, is_gone=lambda: True) == 0
    assert await turns.take(1) == pytest.approx(1 / PER_S)


async def test_requests_wait_on_their_connections() -> None:
    """The application gets no more of them than the pace allows, over however many connections they come."""
    door, port = Door(Application([("/", Echo)], log_function=lambda handler: None)), free_port()
    await door.open("127.0.0.1", port)
    more = round(PER_S / 4)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\n\r\n" * (AT_ONCE + more))
    for _ in range(AT_ONCE + more):
        assert (await reader.readuntil(b"0 bytes")).startswith(b"HTTP/1.1 200 ")
    assert loop.time() - began_s >= more / PER_S
    writer.close()
    door.close()
    await door.hang_up()
