"""The last answers from an address that goes: complete in one piece, with their end, and never repeated."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import Callable
from collections.abc import Iterator
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any

import pytest
from mitmproxy.test import taddons

from tests.proxy.processes import Origin
from tests.proxy.processes import until
from tests.proxy.test_connections import Browser
from tests.proxy.test_connections import Hooks
from tests.proxy.test_connections import handlers
from tests.proxy.test_connections import hooks as hooks  # a fixture
from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy.last_answers import LastAnswers
from wsa_proxy.proxy.last_answers import _Last

VIRTUAL = ip_address("127.0.0.77")


@pytest.fixture
def browse(inside: taddons.context) -> Iterator[Callable[..., Browser]]:
    opened: list[Browser] = []

    def browse(host: str = "127.0.0.77") -> Browser:
        opened.append(Browser(inside.options.listen_port, host))
        return opened[-1]

    yield browse
    for browser in opened:
        browser.socket.close()


async def said(answers: LastAnswers) -> None:
    await until(lambda: answers.look(fresh=False))


async def test_what_has_been_asked_is_answered_and_ends_its_connection(
    hooks: Hooks, browse: Callable[..., Browser], origin: Origin
) -> None:
    """An idle connection ends at once; one that is being answered ends with its answer, in one segment with the FIN."""
    idle, busy, elsewhere = browse(), browse(), browse("127.0.0.1")
    for browser in (idle, elsewhere):
        await browser.get(f"http://127.0.0.1:{origin.port}/")
    hooks.connections.leave()
    hooks.later = asyncio.Event()
    await busy.ask(f"http://127.0.0.1:{origin.port}/")
    await until(lambda: origin.asked == 3)
    answers = LastAnswers(hooks.connections, [VIRTUAL])
    await until(lambda: not answers.look(fresh=False) and handlers() == 2)
    assert await idle.is_closed()
    hooks.later.set()
    await until(lambda: handlers() == 1)  # elsewhere
    with pytest.raises(BlockingIOError):
        busy.socket.recv(1)  # mitmproxy has written all of it, in several parts
    await said(answers)
    answer = busy.socket.recv(65536)
    assert answer.endswith(b"\r\n\r\nhello") and b"Connection: close" in answer
    assert busy.socket.recv(1) == b""
    answers.end()


async def test_fresh_connections_count_while_their_request_may_be_unread(
    hooks: Hooks, browse: Callable[..., Browser], origin: Origin
) -> None:
    """And not after that; a tunnel is none, however quiet it is."""
    fresh, tunnel = browse(), browse()
    await asyncio.get_running_loop().sock_sendall(
        tunnel.socket, f"CONNECT 127.0.0.1:{origin.port} HTTP/1.1\r\n\r\n".encode()
    )
    assert b" 200 " in await tunnel.answer()
    await until(lambda: handlers() == 2)
    answers = LastAnswers(hooks.connections, [VIRTUAL])
    assert not answers.look(fresh=True) and len(answers._last) == 1
    hooks.connections.leave()
    await fresh.ask(f"http://127.0.0.1:{origin.port}/")
    await said(answers)
    assert (await fresh.answer()).endswith(b"hello") and await fresh.is_closed()
    answers.end()


async def test_a_request_that_comes_in_between_two_looks(
    hooks: Hooks, browse: Callable[..., Browser], origin: Origin
) -> None:
    """It may be answered before the next one: it is taken note of as it comes in, until the end."""
    hooks.connections.leave()
    answers = LastAnswers(hooks.connections, [VIRTUAL])
    answers.begin()
    between = browse()
    await between.ask(f"http://127.0.0.1:{origin.port}/")
    await until(lambda: hooks.seen and handlers() == 0)
    with pytest.raises(BlockingIOError):
        between.socket.recv(1)
    await said(answers)
    assert (await between.answer()).endswith(b"hello") and await between.is_closed()
    answers.end()
    afterwards = browse()
    assert (await afterwards.get(f"http://127.0.0.1:{origin.port}/")).endswith(b"hello")
    assert await afterwards.is_closed() and not answers._last


async def test_nothing_is_repeated_and_nothing_more_is_told_after_the_end(
    hooks: Hooks, browse: Callable[..., Browser], origin: Origin
) -> None:
    """The kernel forgets a connection whose last answer is said; what is not said is left to whoever ends the rest."""
    said_it, waiting = browse(), browse()
    hooks.connections.leave()
    await waiting.ask(f"http://127.0.0.1:{origin.port}/slow")
    await until(origin.slow_asked.is_set)
    answers = LastAnswers(hooks.connections, [VIRTUAL])
    answers.look(fresh=True)
    await said_it.ask(f"http://127.0.0.1:{origin.port}/")
    await until(lambda: not answers.look(fresh=False) and any(last._said for last in answers._last.values()))
    copies = [last._copy for last in answers._last.values()]
    answers.end()
    assert [copy.fileno() for copy in copies] == [-1, -1] and not answers._last
    assert (await said_it.answer()).endswith(b"hello")
    hooks.connections.close([VIRTUAL])
    with pytest.raises(ConnectionResetError):
        waiting.socket.recv(1)


async def test_a_client_that_has_gone_is_no_matter(
    hooks: Hooks, browse: Callable[..., Browser], origin: Origin
) -> None:
    """Before it is looked at, and after."""
    early, late = browse(), browse()
    await until(lambda: handlers() == 2)
    early.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    early.socket.close()
    answers = LastAnswers(hooks.connections, [VIRTUAL])
    answers.look(fresh=True)
    late.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    late.socket.close()
    await said(answers)
    answers.end()


async def test_a_socket_that_was_closed_in_this_turn_of_the_loop(
    hooks: Hooks, browse: Callable[..., Browser], origin: Origin
) -> None:
    """asyncio has closed it, mitmproxy will learn of that in a moment: it is neither idle nor an error."""
    browser = browse()
    await browser.get(f"http://127.0.0.1:{origin.port}/")
    (handler,) = mitmproxy_internals.tcp_handlers()
    transport = mitmproxy_internals.client_transport(handler)
    assert transport is not None
    transport.get_extra_info("socket")._sock.close()
    answers = LastAnswers(hooks.connections, [VIRTUAL])
    answers.look(fresh=True)
    hooks.connections.end_idle(None)
    answers.end()


async def test_out_of_descriptors_an_answer_is_waited_for_all_the_same(
    hooks: Hooks, browse: Callable[..., Browser], origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leaves in parts then, and may be lost; but it is not cut."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr("wsa_proxy.proxy.last_answers._Last", refuse)
    hooks.connections.leave()
    answers = LastAnswers(hooks.connections, [VIRTUAL])
    answers.begin()
    waiting = browse()
    await waiting.ask(f"http://127.0.0.1:{origin.port}/slow")
    await until(origin.slow_asked.is_set)
    assert not answers.look(fresh=False)
    origin.let_go.set()
    assert len((await waiting.answer()).partition(b"\r\n\r\n")[2]) == 1_000_000
    await said(answers)
    answers.end()


def test_the_fin_of_a_last_answer_is_not_repeated(lan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """I6: its acknowledgement goes to the new owner, and IPv6 would say it again for minutes."""
    monkeypatch.setattr(mitmproxy_internals, "is_connected", lambda _: False)
    vip = ip_address("fd00:77::3")
    lan.ip(f"address add {vip}/128 dev {lan.LEFT} nodad")
    lan.wait_askable(vip)
    with socket.create_server((str(vip), 8080), family=socket.AF_INET6) as listening:
        with lan.on_the_right():
            client = socket.create_connection((str(vip), 8080))
        ours, _ = listening.accept()
        with lan.on_the_right():
            lan.ip(f"-6 route add blackhole {vip}/128")  # no acknowledgement comes in time
        fins = lan.wire(lambda frame: vip.packed in frame[:54] and bool(frame[14 + 40 + 13] & 1))
        transport = SimpleNamespace(get_extra_info=lambda _: ours, get_write_buffer_size=lambda: 0)
        last = _Last("client", transport, keep_together=True)  # type: ignore[arg-type]
        ours.sendall(b"in ")
        ours.sendall(b"parts")
        ours.close()
        assert last.is_said()
        last.end()
        lan.ip(f"address del {vip}/128 dev {lan.LEFT}")
        assert client.recv(100) == b"in parts" and client.recv(1) == b""
        time.sleep(0.7)  # repeated after 0.2 s and 0.6 s, if at all
        assert len(fins.queued()) == 1
        client.close()
