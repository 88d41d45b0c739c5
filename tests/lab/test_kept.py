from __future__ import annotations

import asyncio
import contextlib

from tests.lab.one_server import Serve
from wsa_proxy.lab.kept import Pool

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Asked-By: 10.0.0.2\r\n\r\nbody"
LAST = ANSWER.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
GOOD = ("10.0.0.2", "")


async def ask(serve: Serve, count: int, limit_s: float = 5.0) -> tuple[list[object], list[bool]]:
    """Ask so often over the same connection, as long as it is free; what came, and whether it was free afterwards."""
    outcomes: list[object] = []
    free: list[bool] = []
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    pool = Pool(host, port, 2)
    kept = await pool.connect()
    for _ in range(count):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                outcomes.append(await pool.ask(kept, b"GET"))
        free.append(again := pool.free() is kept)
        if not again:
            break
    kept.end()
    server.close()
    return outcomes, free


def answering(*answers: bytes) -> Serve:
    """These, one for each request; then it closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readexactly(3)
            writer.write(answer)
        writer.close()

    return serve


async def test_a_connection_is_free_again_after_each_answer() -> None:
    """Until the other end says that it was the last one."""
    assert await ask(answering(ANSWER, ANSWER, LAST), 5) == ([GOOD, GOOD, GOOD], [True, True, False])


async def test_a_connection_whose_request_was_the_last_is_not_free() -> None:
    """Whatever the answer says: what is asked on it meanwhile is answered by a reset, which may get lost."""
    server = await asyncio.start_server(answering(ANSWER, ANSWER), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    pool = Pool(host, port, 2)
    head = b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"
    assert await pool.ask(await pool.connect(), head) == GOOD and pool.free() is None
    server.close()


async def test_a_connection_that_ends_before_an_answer_is_told_apart_from_one_that_ends_within() -> None:
    """The first may be asked again elsewhere, the second not: half of the answer was there."""
    assert await ask(answering(ANSWER), 2) == ([GOOD, None], [True, False])
    within = ("", "connection closed before the answer was complete")
    assert await ask(answering(ANSWER, ANSWER[:-1]), 2) == ([GOOD, within], [True, False])


async def test_a_failure_ends_the_connection() -> None:
    """What is left of the answer would be taken for the next one's."""
    (outcome,), free = await ask(answering(b"HTTP/1.1 502 Bad Gateway\r\n\r\n", ANSWER), 2)
    assert (outcome, free) == (("", "answer HTTP/1.1 502 Bad Gateway"), [False])


async def test_a_request_that_is_given_up_ends_the_connection() -> None:
    """Its answer may come later."""
    assert await ask(answering(b"", ANSWER), 2, limit_s=0.1) == ([], [False])


async def test_no_more_are_kept_than_the_pool_may_have() -> None:
    """One too many is closed, and the other end sees that: else each slow moment would leave some more for ever."""
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(3)
        writer.write(ANSWER)
        with contextlib.suppress(ConnectionResetError):
            await reader.read()
        ended.set()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    pool = Pool(host, port, 1)
    first, second = await pool.connect(), await pool.connect()
    assert [await pool.ask(each, b"GET") for each in (first, second)] == [GOOD, GOOD]
    async with asyncio.timeout(5.0):
        await ended.wait()
    assert pool.free() is first
    assert pool.free() is None
    first.end()
    server.close()


async def test_what_was_closed_while_it_was_free_is_not_free_any_more() -> None:
    """The other end may close at any time."""
    server = await asyncio.start_server(answering(ANSWER), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    pool = Pool(host, port, 2)
    kept = await pool.connect()
    assert await pool.ask(kept, b"GET") == GOOD
    for _ in range(500):
        await asyncio.sleep(0.01 if kept.usable else 0)
    assert pool.free() is None
    server.close()
