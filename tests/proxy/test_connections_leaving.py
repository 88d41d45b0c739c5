"""A process that is about to end: every answer is its connection's last one, whatever the address."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest
from mitmproxy.test import taddons
from mitmproxy.test import tflow

from tests.descriptors import no_descriptors
from tests.proxy.processes import WAIT_S
from tests.proxy.processes import Origin
from tests.proxy.processes import until
from tests.proxy.test_connections import VIRTUAL
from tests.proxy.test_connections import Browser
from tests.proxy.test_connections import Hooks
from tests.proxy.test_connections import handlers
from tests.proxy.test_connections import hooks as hooks  # a fixture
from tests.proxy.test_last_answers import browse as browse  # a fixture
from wsa_proxy.proxy import connections
from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy.connections import _Client


async def test_every_answer_ends_its_connection_from_now_on(
    hooks: Hooks, browse: Callable[..., Browser], origin: Origin
) -> None:
    """On the virtual IP and on the loopback port."""
    for host in ("127.0.0.77", "127.0.0.1"):
        browser = browse(host)
        assert b"Connection: close" not in await browser.get(f"http://127.0.0.1:{origin.port}/")
        hooks.connections.leave()
        assert b"Connection: close" in await browser.get(f"http://127.0.0.1:{origin.port}/")
        assert await browser.is_closed()
        hooks.connections._leaving = frozenset()


async def test_on_one_address_every_answer_ends_its_connection_until_it_stays(
    hooks: Hooks, browse: Callable[..., Browser], origin: Origin
) -> None:
    """A group is handed over, the process goes on: on the other addresses nothing is different, and nothing anywhere
    once it is over; what was said of the whole process is never taken back."""
    url = f"http://127.0.0.1:{origin.port}/"
    here, there = browse("127.0.0.77"), browse("127.0.0.1")
    await here.get(url)
    hooks.connections.leave([VIRTUAL])
    assert b"Connection: close" not in await there.get(url)
    assert b"Connection: close" in await here.get(url) and await here.is_closed()
    hooks.connections.stay([VIRTUAL])
    again = browse("127.0.0.77")
    assert b"Connection: close" not in await again.get(url)
    hooks.connections.leave()
    hooks.connections.stay([VIRTUAL])
    assert b"Connection: close" in await again.get(url)


async def test_a_drain_of_everything_waits_for_each_address(
    hooks: Hooks, browse: Callable[..., Browser], origin: Origin
) -> None:
    """Idle ones end, what is being answered anywhere is answered; a tunnel has no end to wait for, and stays."""
    idle, busy, tunnel = browse(), browse("127.0.0.1"), browse("127.0.0.1")
    await idle.get(f"http://127.0.0.1:{origin.port}/")
    await busy.ask(f"http://127.0.0.1:{origin.port}/slow")
    await asyncio.get_running_loop().sock_sendall(
        tunnel.socket, f"CONNECT 127.0.0.1:{origin.port} HTTP/1.1\r\n\r\n".encode()
    )
    assert b" 200 " in await tunnel.answer()
    await until(origin.slow_asked.is_set)
    hooks.connections.leave()
    drained = asyncio.get_running_loop().create_task(hooks.connections.drain(None, WAIT_S))
    assert await idle.is_closed()
    assert not drained.done()
    origin.let_go.set()
    assert len((await busy.answer()).partition(b"\r\n\r\n")[2]) == 1_000_000
    await drained
    assert handlers() == 1


@pytest.mark.parametrize(("websocket", "answering"), [(False, True), (True, False)])
def test_nobody_waits_for_the_end_of_a_websocket(websocket: bool, answering: bool) -> None:
    """It is alive as long as the two want, and no request that is being answered."""
    flow = tflow.twebsocketflow() if websocket else tflow.tflow()
    flow.live = True
    client = _Client()
    client.begin(flow)
    assert client.is_answering() is answering and not client.is_idle()


async def test_out_of_descriptors_everybody_is_ended_all_the_same(
    hooks: Hooks, browse: Callable[..., Browser], inside: taddons.context
) -> None:
    """Then more than ever clients wait to be accepted, and the node leaves for it: none may be left to hang. Whoever
    comes to the same socket afterwards is served."""
    accepted = browse()
    await until(lambda: handlers() == 1)
    waiting = [browse() for _ in range(3)]
    with no_descriptors():
        assert hooks.connections.close([VIRTUAL]) == 4
        for each in (accepted, *waiting):
            with pytest.raises(ConnectionResetError):
                each.socket.recv(1)
    await until(lambda: handlers() == 0)
    browse()
    await until(lambda: handlers() == 1)


async def test_a_deaf_socket_has_nobody_to_end(hooks: Hooks, inside: taddons.context) -> None:
    """It was shut down behind our back; that is told elsewhere, and stands in nobody's way."""
    (listening,) = mitmproxy_internals.listening_on([VIRTUAL])
    listening.shutdown(socket.SHUT_RDWR)
    assert hooks.connections.close([VIRTUAL]) == 0
    assert listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 0


async def test_only_who_has_rested_for_a_while_is_ended_where_there_is_time(
    hooks: Hooks, browse: Callable[..., Browser], origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next request of a busy keep-alive connection may be on its way. One at another address rests as long as it
    likes."""
    url = f"http://127.0.0.1:{origin.port}/"
    used, fresh, elsewhere = browse(), browse(), browse("127.0.0.1")
    await used.get(url)
    await elsewhere.get(url)
    await until(lambda: handlers() >= 2)
    assert b"200 OK" in await used.get(url)
    hooks.connections.end_resting([VIRTUAL])
    assert b"200 OK" in await used.get(url), "it has rested for no second yet"
    monkeypatch.setattr(connections, "RESTING_S", 0.0)
    hooks.connections.end_resting([VIRTUAL])
    assert await used.is_closed()
    assert b"200 OK" in await fresh.get(url) and b"200 OK" in await elsewhere.get(url)


async def test_who_has_never_said_anything_is_not_waited_for(
    hooks: Hooks, browse: Callable[..., Browser], origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser's connection in store; not one on which a request is beginning, nor one that is too new to tell, nor
    one at another address."""
    silent, speaks, elsewhere = browse(), browse(), browse("127.0.0.1")
    await until(lambda: handlers() == 3)
    await asyncio.get_running_loop().sock_sendall(speaks.socket, b"GET http://127")
    hooks.connections.end_resting([VIRTUAL])
    assert handlers() == 3, "it may speak yet"
    monkeypatch.setattr(connections, "SILENT_S", 0.0)
    hooks.connections.end_resting([VIRTUAL])
    with pytest.raises(ConnectionResetError):
        silent.socket.recv(1)
    await asyncio.get_running_loop().sock_sendall(
        speaks.socket, f".0.0.1:{origin.port}/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    )
    assert b"200 OK" in await speaks.answer()
    assert b"200 OK" in await elsewhere.get(f"http://127.0.0.1:{origin.port}/")
