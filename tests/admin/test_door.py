"""Who comes in, how many, and for how long one may stand still."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tornado.httpclient import AsyncHTTPClient
from tornado.web import Application
from tornado.web import RequestHandler

from tests.proxy.processes import free_port
from wsa_proxy.admin import door as module
from wsa_proxy.admin.door import BODY_BYTES_MAX
from wsa_proxy.admin.door import CONNECTIONS_MAX
from wsa_proxy.admin.door import HEADER_BYTES_MAX
from wsa_proxy.admin.door import OF_ONE_ADDRESS_MAX
from wsa_proxy.admin.door import Door

WAIT_S = 20.0  # a deadline, not a pause
LARGE = b"x" * 12_000_000


class Hello(RequestHandler):
    async def get(self) -> None:
        self.finish(LARGE if self.get_query_argument("large", "") else b"hello")

    async def post(self) -> None:
        self.finish(f"{len(self.request.body)}")


@asynccontextmanager
async def opened(host: str = "127.0.0.1") -> AsyncIterator[tuple[Door, int]]:
    door, port = Door(Application([("/", Hello)], log_function=lambda handler: None)), free_port()
    await door.open(host, port)
    yield door, port
    door.close()
    await door.hang_up()


async def served(port: int, host: str = "127.0.0.1") -> bool:
    answer = await AsyncHTTPClient().fetch(f"http://{host}:{port}/", raise_error=False, request_timeout=WAIT_S)
    return answer.body == b"hello"


async def ended(reader: asyncio.StreamReader) -> bytes:
    """What was said before the connection ended."""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(WAIT_S):
            return await reader.read()
    return b""


async def test_it_listens_on_every_address_of_a_name() -> None:
    """As a browser would look for it; and nowhere else."""
    async with opened("localhost") as (door, port):
        assert ("127.0.0.1", port) in door.addresses()
        assert {host for host, _ in door.addresses()} <= {"127.0.0.1", "::1"}
        assert await served(port)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.2", port)


async def test_a_place_that_is_taken_leaves_nothing_open() -> None:
    """The other one keeps it, and it can be had when that one is gone."""
    async with opened() as (_, port):
        other = Door(Application())
        with pytest.raises(OSError) as raised:
            await other.open("127.0.0.1", port)
        assert raised.value.errno == errno.EADDRINUSE and other.addresses() == []
    await other.open("127.0.0.1", port)
    other.close()
    with pytest.raises(OSError):
        await other.open("name.invalid", port)


async def test_a_closed_door_lets_nobody_in_and_those_inside_stay() -> None:
    """Until they are hung up on."""
    async with opened() as (door, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert await reader.readuntil(b"hello")
        door.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert await reader.readuntil(b"hello")
        assert door.connections() == 1
        await door.hang_up()
        assert await ended(reader) == b"" and door.connections() == 0
        writer.close()


async def test_connections_of_one_address_and_of_all_are_counted() -> None:
    """The one over the limit is closed at once; when one ends, there is room again."""
    async with opened("0.0.0.0") as (door, port):
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(OF_ONE_ADDRESS_MAX)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await ended(reader) == b""
        writer.close()
        others = CONNECTIONS_MAX - OF_ONE_ADDRESS_MAX
        held += [
            await asyncio.open_connection("127.0.0.1", port, local_addr=(f"127.0.1.{n}", 0))
            for n in range(1, others + 1)
        ]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.2.1", 0))
        assert await ended(reader) == b""
        writer.close()
        assert door.connections() == CONNECTIONS_MAX
        for _, writer in held[:2]:
            writer.close()
        async with asyncio.timeout(WAIT_S):
            while door.connections() > CONNECTIONS_MAX - 2:  # noqa: ASYNC110 - tornado's streams set no event
                await asyncio.sleep(0.01)
        assert await served(port)
        for _, writer in held:
            writer.close()


async def test_who_says_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing at all, a header that goes on for ever, a body that does not come: others are served meanwhile."""
    monkeypatch.setattr(module, "HEADER_S_MAX", 0.4)
    monkeypatch.setattr(module, "BODY_S_MAX", 0.4)
    async with opened() as (door, port):
        slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        slow[1][1].write(b"GET / HTTP/1.1\r\n")
        slow[2][1].write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")

        async def drip() -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    slow[1][1].write(b"a: b\r\n")
                    await slow[1][1].drain()
                    await asyncio.sleep(0.02)

        async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as tasks:
            dripping = tasks.create_task(drip())
            assert await served(port)
            for reader, _ in slow:
                assert await ended(reader) == b""
            dripping.cancel()
        async with asyncio.timeout(WAIT_S):
            while door.connections():  # noqa: ASYNC110 - tornado's streams set no event
                await asyncio.sleep(0.01)
        for _, writer in slow:
            writer.close()


async def test_who_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads slowly is not: something moves."""
    monkeypatch.setattr(module, "STUCK_S_MAX", 0.6)
    monkeypatch.setattr(module, "SWEEP_EVERY_S", 0.1)
    loop = asyncio.get_running_loop()
    async with opened() as (door, port):
        stuck, slow = socket.socket(), socket.socket()
        for each in (stuck, slow):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)  # else the kernel may take all of it
            each.connect(("127.0.0.1", port))
            each.sendall(b"GET /?large=1 HTTP/1.1\r\nHost: a\r\n\r\n")
            each.setblocking(False)
        received = 0
        async with asyncio.timeout(WAIT_S):
            while door.connections() < 2:  # noqa: ASYNC110 - tornado's streams set no event
                await asyncio.sleep(0.01)
        while door.connections() > 1:
            received += len(await asyncio.wait_for(loop.sock_recv(slow, 200_000), WAIT_S))
            await asyncio.sleep(0.03)
        assert received < len(LARGE)
        while received <= len(LARGE):  # the head comes before it
            received += len(await asyncio.wait_for(loop.sock_recv(slow, 1 << 20), WAIT_S))
        stuck.close()
        slow.close()


@pytest.mark.parametrize(
    ("request_text", "answer"),
    [
        (f"GET / HTTP/1.1\r\nHost: a\r\nA: {'x' * HEADER_BYTES_MAX}\r\n\r\n", b""),
        (f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {BODY_BYTES_MAX + 1}\r\n\r\n", b"HTTP/1.1 400 "),
        ("nonsense\r\n\r\n", b"HTTP/1.1 400 "),
    ],
)
async def test_what_is_too_large_or_no_http_is_refused(request_text: str, answer: bytes) -> None:
    """And the connection ends."""
    async with opened() as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_text.encode())
        assert (await ended(reader)).startswith(answer)
        writer.close()
        assert await served(port)


async def test_a_body_of_the_greatest_size_is_taken() -> None:
    """One byte less than what is refused."""
    async with opened() as (_, port):
        answer = await AsyncHTTPClient().fetch(
            f"http://127.0.0.1:{port}/",
            method="POST",
            headers={"Content-Type": "application/json"},
            body="x" * BODY_BYTES_MAX,
        )
        assert answer.body == str(BODY_BYTES_MAX).encode()


async def test_without_descriptors_the_loop_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """To ask again at once would take it all its time; when there are some again, those who waited come in."""
    monkeypatch.setattr(module, "NO_DESCRIPTORS_S", 0.2)
    async with opened() as (door, port):
        loop, asked, real = asyncio.get_running_loop(), 0, socket.socket.accept
        none_until_s = loop.time() + 0.5

        def accept(self: socket.socket) -> tuple[socket.socket, object]:
            nonlocal asked
            asked += 1
            if loop.time() < none_until_s:
                raise OSError(errno.EMFILE, "Too many open files")
            return real(self)

        monkeypatch.setattr(socket.socket, "accept", accept)
        assert await served(port)
        assert 2 <= asked <= 5
        assert door.connections() <= 1


async def test_a_door_that_was_closed_meanwhile_stays_closed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The pause after a lack of descriptors ends later than the door."""
    monkeypatch.setattr(module, "NO_DESCRIPTORS_S", 0.05)

    def accept(self: socket.socket) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket.socket, "accept", accept)
    async with opened() as (door, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.sleep(0.02)
        door.close()
        await asyncio.sleep(0.1)
        assert door.addresses() == [] and [each for each in caplog.records if each.levelno >= logging.ERROR] == []
        writer.close()
