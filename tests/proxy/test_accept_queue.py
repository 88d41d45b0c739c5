from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from ipaddress import ip_address

import pytest
from mitmproxy.test import taddons

from tests.descriptors import no_descriptors
from tests.proxy.processes import until
from wsa_proxy.proxy import listening_socket
from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy.accept_queue import AcceptQueue
from wsa_proxy.proxy.listener import FailoverListener
from wsa_proxy.proxy.listener import VirtualAddress
from wsa_proxy.proxy.listening_socket import ListeningSocket
from wsa_proxy.proxy.listening_socket import open_listening_socket


@pytest.fixture
def listening() -> Iterator[ListeningSocket]:
    with open_listening_socket(ip_address("127.0.0.1"), 0) as bound:
        yield bound


def client_of(listening: ListeningSocket) -> socket.socket:
    return socket.create_connection(listening.getsockname(), timeout=5)


def looks(queue: AcceptQueue, listening: ListeningSocket, from_s: float, to_s: float) -> str | None:
    """What the last of the looks says, ten a second."""
    said = None
    for n in range(round(from_s * 10), round(to_s * 10) + 1):
        said = queue.find_wrong(listening, n / 10)
    return said


def test_the_kernel_tells_who_waits(listening: ListeningSocket) -> None:
    """Connected and not accepted clients, and no others."""
    assert listening_socket.waiting(listening) == 0
    with client_of(listening), client_of(listening):
        assert listening_socket.waiting(listening) == 2
        listening.accept()[0].close()
        assert listening_socket.waiting(listening) == 1


def test_a_socket_nobody_accepts_from_is_found(listening: ListeningSocket) -> None:
    """Two seconds with a client that waits and none taken, as long as the loop turns; the count is evidence."""
    queue = AcceptQueue()
    assert looks(queue, listening, 0.0, 9.0) is None, "nobody waits"
    with client_of(listening):
        assert looks(queue, listening, 9.1, 10.9) is None
        assert queue.find_wrong(listening, 11.0) == "accepts nobody: 1 clients have waited for 2.0 s, limit 2.0"


def test_a_queue_that_moves_is_a_busy_one(listening: ListeningSocket) -> None:
    """It is never empty, but one is taken now and then."""
    queue = AcceptQueue()
    with client_of(listening), client_of(listening), client_of(listening):
        assert looks(queue, listening, 0.0, 1.9) is None
        listening.accept()[0].close()
        assert looks(queue, listening, 2.0, 3.9) is None
        assert looks(queue, listening, 4.0, 4.1) is not None


def test_a_loop_that_stood_still_accuses_no_socket(listening: ListeningSocket) -> None:
    """Nobody could accept then."""
    queue = AcceptQueue()
    with client_of(listening):
        assert looks(queue, listening, 0.0, 1.5) is None
        assert looks(queue, listening, 6.0, 7.9) is None
        assert looks(queue, listening, 8.0, 8.0) is not None


async def test_out_of_descriptors_a_new_socket_would_not_help(listening: ListeningSocket) -> None:
    """Who asks each second in vain, as asyncio does, is there: it is the business of the descriptors' test. Some may be
    left at each look, and none whenever it asks. Who asks no longer is found, whatever is left."""
    queue = AcceptQueue()
    with client_of(listening):
        for second in range(9):
            with no_descriptors(), pytest.raises(OSError):
                listening.accept()
            assert looks(queue, listening, second, second + 0.9) is None
        assert looks(queue, listening, 9.0, 9.9) is None
        with no_descriptors():
            assert looks(queue, listening, 10.0, 10.1) is not None


async def test_accepting_by_the_loop_counts(listening: ListeningSocket) -> None:
    """asyncio takes clients through the method that counts them."""
    served = asyncio.Event()
    async with await asyncio.start_server(lambda _reader, _writer: served.set(), sock=listening):
        with client_of(listening):
            await asyncio.wait_for(served.wait(), 5)
            assert listening.asked >= 1 and listening_socket.waiting(listening) == 0


async def test_the_listener_replaces_a_socket_nobody_accepts_from(inside: taddons.context) -> None:
    """Whatever has taken it out of the loop: it is named like a closed one, and a new one serves again."""
    port = inside.options.listen_port
    listener = FailoverListener([VirtualAddress(ip_address("127.0.0.77"), port)])
    listener.install()
    await listener.open()
    (lost,) = [each.socket for each in listener._listening if each.virtual]
    asyncio.get_running_loop().remove_reader(lost.fileno())
    with socket.create_connection(("127.0.0.77", port), timeout=5):
        said = [listener.broken(n / 10) for n in range(21)]
        assert said[:20] == [None] * 20
        assert said[20] == (
            f"the listening socket of 127.0.0.77 port {port} accepts nobody: 1 clients have waited for 2.0 s, limit 2.0"
        )
        await listener.reopen()
    assert listener.broken(2.1) is None
    with socket.create_connection(("127.0.0.77", port), timeout=5):
        await until(mitmproxy_internals.tcp_handlers)


async def test_all_that_is_broken_is_replaced_together(inside: taddons.context) -> None:
    """One look and one repair, not one for each socket: the self-tests' as well as the virtual IP's."""
    port = inside.options.listen_port
    listener = FailoverListener([VirtualAddress(ip_address("127.0.0.77"), port)])
    listener.install()
    await listener.open()
    for each in [each.socket for each in listener._listening]:
        each.shutdown(socket.SHUT_RDWR)
    assert listener.broken(0.0) is not None
    await listener.reopen()
    assert listener.broken(0.1) is None
    for host in ("127.0.0.1", "127.0.0.77"):
        socket.create_connection((host, port), timeout=5).close()
