"""An open page, as the browser's EventSource sees it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
from typing import Any

import pytest

from tests.admin.world import PASSWORD
from tests.admin.world import Client
from tests.admin.world import World
from wsa_proxy.admin import door
from wsa_proxy.admin.access import Asker
from wsa_proxy.admin.event_stream import WAITING_MAX
from wsa_proxy.admin.event_stream import EventStream
from wsa_proxy.admin.events import LISTENERS_MAX
from wsa_proxy.settings import AdminSettings

WAIT_S = 20.0  # a deadline, not a pause


class Stream:
    """One connection with the stream of events."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.head = ""
        self._text = ""

    @classmethod
    async def open(cls, port: int, *headers: str) -> Stream:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
        sent = headers or (f"Authorization: Bearer {PASSWORD}",)
        lines = ["GET /api/events HTTP/1.1", f"Host: 127.0.0.1:{port}", *sent, "", ""]
        writer.write("\r\n".join(lines).encode())
        return cls(reader, writer)

    async def event(self) -> tuple[str, dict[str, Any]]:
        """The next one. Raises EOFError when there is none any more."""
        async with asyncio.timeout(WAIT_S):
            if not self.head:
                self.head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            while "\n\n" not in self._text:
                length = int(await self.reader.readuntil(b"\r\n"), 16)
                if not length:
                    raise EOFError
                self._text += (await self.reader.readexactly(length + 2))[:-2].decode()
        event, _, self._text = self._text.partition("\n\n")
        kind, data = event.split("\n")
        return kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))

    async def ends(self) -> bool:
        """Whether it ends, in order or not."""
        try:
            while True:
                await self.event()
        except (EOFError, ConnectionError):
            return True

    def close(self) -> None:
        self.writer.close()


async def test_a_page_hears_the_state_at_once_each_second_and_after_a_transition(world: World) -> None:
    """Within a second, and then at the latest a second later; a transition does not wait for it."""
    loop = asyncio.get_running_loop()
    stream = await Stream.open(world.port)
    assert await stream.event() == ("status", world.node.document)
    assert "content-type: text/event-stream" in stream.head.lower() and "no-store" in stream.head
    began_s = loop.time()
    assert await stream.event() == ("status", world.node.document)
    assert 0.5 < loop.time() - began_s < 2.0
    await asyncio.sleep(0.2)
    began_s = loop.time()
    world.server.state_changed()
    assert await stream.event() == ("status", world.node.document)
    assert loop.time() - began_s < 0.5
    stream.close()


async def test_a_page_hears_the_history(world: World) -> None:
    """Each event once, in order."""
    stream = await Stream.open(world.port)
    await stream.event()
    for number in range(3):
        world.server.tell({"number": number})
    heard: list[int] = []
    while len(heard) < 3:
        kind, document = await stream.event()
        if kind == "history":
            heard.append(document["number"])
    assert heard == [0, 1, 2]
    stream.close()


async def test_a_page_that_is_closed_costs_nothing(world: World) -> None:
    """The document is made no more."""
    stream = await Stream.open(world.port)
    await stream.event()
    stream.close()
    world.server.state_changed()
    await asyncio.sleep(0.3)
    made = world.node.made
    world.server.state_changed()
    await asyncio.sleep(1.2)
    assert world.node.made == made


async def test_the_stream_ends_with_the_session_and_with_the_password(world: World) -> None:
    """Who has logged out hears no more; the others go on."""
    browser = await world.client.logged_in()
    gone = await Stream.open(world.port, f"Cookie: {browser.headers['Cookie']}")
    stays = await Stream.open(world.port)
    await gone.event()
    await stays.event()
    await browser("/logout", "POST")
    assert await gone.ends()
    assert (await stays.event())[0] == "status"
    await world.server.change(AdminSettings(port=world.port, password="another"))
    assert await stays.ends()


async def test_who_goes_away_while_it_is_judged_whether_he_may_come_in(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Before he listens (argon2 takes its time): nothing of ours breaks, and nobody is left among the listeners."""
    judged, gone, may_go_on, finished = (asyncio.Event() for _ in range(4))
    right, on_connection_close = world.server.access.asker, EventStream.on_connection_close

    async def slow(address: str, cookie: str, authorization: str) -> Asker | None:
        judged.set()
        await may_go_on.wait()
        return await right(address, cookie, authorization)

    def closed(stream: EventStream) -> None:
        gone.set()
        on_connection_close(stream)

    monkeypatch.setattr(world.server.access, "asker", slow)
    monkeypatch.setattr(EventStream, "on_connection_close", closed)
    monkeypatch.setattr(EventStream, "on_finish", lambda stream: finished.set())
    stream = await Stream.open(world.port)
    await judged.wait()
    stream.close()
    async with asyncio.timeout(WAIT_S):
        await gone.wait()
        may_go_on.set()
        await finished.wait()
    assert world.server._events._listeners == []
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_too_many_pages_are_refused(world: World) -> None:
    """With a reason; one that is closed makes room."""
    streams = [await Stream.open(world.port) for _ in range(LISTENERS_MAX)]
    for stream in streams:
        await stream.event()
    answer = await Client(world.port, {"Authorization": f"Bearer {PASSWORD}"})("/api/events")
    assert answer.code == 503 and b"too many pages are open; close one" in answer.body
    streams[0].close()
    await asyncio.sleep(0.1)
    another = await Stream.open(world.port)
    assert (await another.event())[0] == "status"
    for stream in [*streams, another]:
        stream.close()


async def test_a_page_that_does_not_read_is_let_go(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of the first document; from then on none is made."""
    monkeypatch.setattr(door, "STUCK_S_MAX", 0.5)
    monkeypatch.setattr(door, "SWEEP_EVERY_S", 0.1)
    document = {"text": "x" * 8_000_000}  # more than the kernel takes for a connection
    world.node.document = document
    loop = asyncio.get_running_loop()
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)  # else the kernel may take all of it
        slow.connect(("127.0.0.1", world.port))
        request = f"GET /api/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {PASSWORD}\r\n\r\n"
        slow.sendall(request.encode())
        async with asyncio.timeout(WAIT_S):
            while not world.node.made or world.server.connections:
                world.server.state_changed()
                await asyncio.sleep(0.05)
        slow.setblocking(False)
        received = 0
        with contextlib.suppress(ConnectionError):
            while chunk := await loop.sock_recv(slow, 1 << 20):
                received += len(chunk)
    assert received < len(document["text"])


async def test_a_page_that_is_far_behind_is_let_go(world: World) -> None:
    """Rather than that events are left out."""
    stream = await Stream.open(world.port)
    await stream.event()
    for number in range(WAITING_MAX + 2):
        world.server.tell({"number": number})
    assert await stream.ends()
