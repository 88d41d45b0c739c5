from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from wsa_proxy.lab.saboteur import BLOCK_S
from wsa_proxy.lab.saboteur import Order
from wsa_proxy.lab.saboteur import Saboteur
from wsa_proxy.runtime.tasks import create_task


@pytest.fixture(autouse=True)
def _handlers_given_back() -> Iterator[None]:
    """The signals of this process are others' after a test."""
    before = {order: signal.getsignal(order) for order in Order}
    yield
    for order, handler in before.items():
        signal.signal(order, handler)


def tell(order: Order) -> None:
    os.kill(os.getpid(), order)


async def test_blocked_it_is_in_one_call_until_it_is_woken() -> None:
    """Nothing else of the loop happens meanwhile; woken, it goes on. Who is awake is not woken."""
    saboteur = Saboteur()
    saboteur.running()
    tell(Order.UNBLOCK)
    turns_s = [time.monotonic()]
    told = threading.Event()

    def wake() -> None:
        ends_s = time.monotonic() + 10
        while not saboteur._asleep and time.monotonic() < ends_s:  # on a busy machine it may hear of it late
            time.sleep(0.001)
        time.sleep(0.3)
        told.set()
        tell(Order.UNBLOCK)

    tell(Order.BLOCK)
    threading.Thread(target=wake, daemon=True).start()
    while not told.is_set():
        await asyncio.sleep(0.001)
        turns_s.append(time.monotonic())
    gaps_s = [later - earlier for earlier, later in itertools.pairwise(turns_s)]
    assert 0.2 < max(gaps_s) < BLOCK_S / 2
    await asyncio.sleep(0)


async def test_mute_holds_every_request_and_then_lets_all_go() -> None:
    """Also those that come while it is mute; before and after nobody waits."""
    saboteur = Saboteur()
    saboteur.running()
    await asyncio.wait_for(saboteur.requestheaders(None), 1)
    tell(Order.MUTE)
    await turn()
    held = [create_task(saboteur.requestheaders(None), name="a request") for _ in range(3)]
    await turn()
    assert not any(each.done() for each in held)
    tell(Order.UNMUTE)
    await asyncio.wait_for(asyncio.gather(*held), 1)


async def test_ignored_clients_are_accepted_by_the_kernel_and_hear_nothing() -> None:
    """All listening TCP sockets, and no other: connections that exist are served. Attended, they get their answers."""
    saboteur = Saboteur()
    saboteur.running()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(10):
            writer.write(data)
        writer.close()

    servers = [await asyncio.start_server(echo, "127.0.0.1", 0) for _ in range(2)]
    ports = [each.sockets[0].getsockname()[1] for each in servers]
    reader, writer = await asyncio.open_connection("127.0.0.1", ports[0])
    writer.write(b"before")
    assert await reader.read(10) == b"before"
    tell(Order.IGNORE)
    await turn()
    strangers = [socket.create_connection(("127.0.0.1", port), timeout=5) for port in ports]
    for stranger in strangers:
        stranger.sendall(b"hello")
        stranger.setblocking(False)
    for _ in range(10):  # so many turns that everybody would have been served
        writer.write(b"meanwhile")
        assert await asyncio.wait_for(reader.read(10), 5) == b"meanwhile"
    for stranger in strangers:
        with pytest.raises(BlockingIOError):
            stranger.recv(10)
    tell(Order.ATTEND)
    loop = asyncio.get_running_loop()
    for stranger in strangers:
        assert await asyncio.wait_for(loop.sock_recv(stranger, 10), 5) == b"hello"
        stranger.close()
    writer.close()
    for server in servers:
        server.close()


async def test_a_socket_that_was_replaced_meanwhile_is_not_given_back() -> None:
    """Its descriptor may be somebody else's by then, and whoever comes next finds the loop in order."""
    saboteur = Saboteur()
    saboteur.running()
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    descriptor = server.sockets[0].fileno()
    saboteur._ignore(loop)
    with socket.create_server(("127.0.0.1", 0)) as other:
        os.dup2(other.fileno(), descriptor)
    saboteur._attend(loop)
    assert descriptor not in loop._selector.get_map()  # type: ignore[attr-defined]
    server.close()


async def turn() -> None:
    """Let the loop handle the signals that were sent, and what follows from them."""
    for _ in range(5):
        await asyncio.sleep(0.001)
