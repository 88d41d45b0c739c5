from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest
from mitmproxy.test import taddons

from tests.proxy.processes import until
from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy.answered import was_any_sent_data
from wsa_proxy.proxy.questions import Questions
from wsa_proxy.proxy.self_tests import SelfTests


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The proxy's end and the client's."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname(), timeout=5) as client,
        listening.accept()[0] as accepted,
    ):
        yield accepted, client


class Told(socket.socket):
    """A connection about which the kernel tells what the test says."""

    info = b""

    def getsockopt(self, *_: object) -> bytes:  # type: ignore[override]
        return self.info


def told(last_ms: int, *, segments: int = 1, retransmits: int = 0) -> Told:
    one = Told()
    one.info = struct.pack("=2xB41xI108xI", retransmits, last_ms, segments)
    return one


def test_the_kernel_tells_when_something_was_sent(pair: tuple[socket.socket, socket.socket]) -> None:
    """What a client sends is no answer, nor is a connection that is new; what it is sent is one."""
    ours, client = pair
    client.send(b"question")
    ours.recv(100)
    assert not was_any_sent_data([ours], 3600.0)
    ours.send(b"answer")
    client.recv(100)
    assert was_any_sent_data([ours], 3600.0)
    assert not was_any_sent_data([ours], 0.0)
    assert not was_any_sent_data([], 3600.0)


def test_a_closed_connection_says_nothing(pair: tuple[socket.socket, socket.socket]) -> None:
    """It may be closed between the list and the question."""
    pair[0].close()
    assert not was_any_sent_data([pair[0]], 3600.0)


@pytest.mark.parametrize(
    ("one", "counts"),
    [
        (told(1999), True),
        (told(2000), False),
        (told(0, segments=0), False),
        (told(0, retransmits=1), False),
    ],
)
def test_only_what_is_new_counts(one: Told, counts: bool) -> None:
    """Within the time, sent at all, and no repetition to a client that is gone; one such client is enough."""
    assert was_any_sent_data([one], 2.0) is counts
    assert was_any_sent_data([told(9999), one], 2.0) is counts


async def test_only_others_count(inside: taddons.context) -> None:
    """Every client of mitmproxy is looked at, but for the self-tests."""
    tests = SelfTests()
    asking = Questions(tests)
    await mitmproxy_internals.set_up_servers()
    with socket.create_connection(("127.0.0.1", inside.options.listen_port), timeout=5) as client:
        await until(mitmproxy_internals.tcp_handlers)
        assert not asking.others_answered(3600.0)
        (handler,) = mitmproxy_internals.tcp_handlers()
        transport = mitmproxy_internals.client_transport(handler)
        assert transport is not None
        transport.write(b"answer")
        client.setblocking(False)
        assert asking.others_answered(3600.0)
        with tests.own_socket("127.0.0.1") as (own, _):
            handler.client.peername = own.getsockname()
            assert tests.is_self_test(handler.client, first=True)
        assert not asking.others_answered(3600.0)
