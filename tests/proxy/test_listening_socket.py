"""One listening socket: bound where nothing is local, and quiet when it is shut down behind our back."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import struct
import time
from ipaddress import ip_address
from typing import Any

import pytest

from tests.descriptors import no_descriptors
from tests.net.in_process import make_keeper
from tests.proxy.processes import until
from wsa_proxy.net.addresses import AddressLease
from wsa_proxy.proxy.accept_pace import AcceptPace
from wsa_proxy.proxy.listening_socket import Address
from wsa_proxy.proxy.listening_socket import bound_to
from wsa_proxy.proxy.listening_socket import is_bound_to
from wsa_proxy.proxy.listening_socket import on_interface
from wsa_proxy.proxy.listening_socket import open_listening_socket
from wsa_proxy.proxy.listening_socket import what_helps

NOWHERE = [ip_address("192.0.2.1"), ip_address("2001:db8::1")]  # documentation: never local


@pytest.mark.parametrize("address", NOWHERE, ids=str)
def test_it_listens_on_an_address_that_is_not_local(address: Address) -> None:
    """Without privilege; a plain socket is refused."""
    with open_listening_socket(address, 0) as listening:
        assert listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
        assert listening.getsockname()[0] == str(address)
    with socket.socket(listening.family) as plain, pytest.raises(OSError):
        plain.bind((str(address), 0))


def test_link_local_addresses_are_bound_on_their_interface_before_they_are_there(lan: Any) -> None:
    """IPv6 and IPv4; as soon as the lease is held, a neighbour connects. Without the interface there is no bind."""
    lan.ip(f"address add 169.254.7.1/16 dev {lan.LEFT}")
    addresses = [ip_address("fe80::1:2"), ip_address("169.254.7.3")]
    with pytest.raises(OSError):
        open_listening_socket(addresses[0], 8080)
    listening = [open_listening_socket(on_interface(address, lan.LEFT), 8080) for address in addresses]
    assert [bound_to(each) for each in listening] == [(ip_address("fe80::1:2%left"), 8080), (addresses[1], 8080)]
    AddressLease(make_keeper(), 1, lan.LEFT, lan.index, addresses).acquire()
    lan.wait_askable(addresses[0])
    with lan.on_the_right():
        lan.ip(f"address add 169.254.7.2/16 dev {lan.RIGHT}")
        for name in (f"fe80::1:2%{lan.RIGHT}", "169.254.7.3"):
            socket.create_connection((name, 8080), 1).close()
    for each in listening:
        accepted, _ = each.accept()
        assert accepted.getsockname()[0] in map(str, addresses)
    with pytest.raises(OSError):
        open_listening_socket(ip_address("fe80::1:2%gone"), 8080)


def test_a_link_local_socket_follows_its_interface(lan: Any) -> None:
    """Gone, it is nobody's fault but the interface's; re-created under the same name, it has clients again at once."""
    address = ip_address("fe80::1:2")
    scoped = on_interface(address, lan.LEFT)
    listening = open_listening_socket(scoped, 8080)
    assert is_bound_to(listening, scoped, 8080)
    lan.ip(f"link delete {lan.LEFT}")
    assert is_bound_to(listening, scoped, 8080)
    lan.ip("link add placeholder type bridge")  # so that the index is another one
    lan.cable()
    assert bound_to(listening)[0] != scoped, "an interface of this name, and not the one"
    assert is_bound_to(listening, scoped, 8080)
    assert bound_to(listening) == (scoped, 8080)
    AddressLease(make_keeper(), 1, lan.LEFT, lan.index, [address]).acquire()
    lan.wait_askable(address)
    with lan.on_the_right():
        socket.create_connection((f"{address}%{lan.RIGHT}", 8080), 1).close()
    listening.accept()[0].close()
    for other in (on_interface(ip_address("fe80::1:3"), lan.LEFT), ip_address("fd00:77::1")):
        assert not is_bound_to(listening, other, 8080)
    assert not is_bound_to(listening, scoped, 8081)


def test_out_of_descriptors_a_link_local_socket_is_not_called_broken(lan: Any) -> None:
    """To ask for an interface's name takes a descriptor. Too many clients are no reason to leave all groups."""
    scoped = on_interface(ip_address("fe80::1:2"), lan.LEFT)
    with open_listening_socket(scoped, 8080) as listening:
        with no_descriptors():
            assert is_bound_to(listening, scoped, 8080)
            assert not is_bound_to(listening, scoped, 8081)
        assert is_bound_to(listening, scoped, 8080)


def test_what_a_socket_of_another_kind_is_bound_to() -> None:
    """No address; a descriptor may have become anything behind our back."""
    with socket.socket(socket.AF_UNIX) as other:
        assert bound_to(other) == (None, 0)


async def test_shut_down_behind_our_back_it_leaves_the_loop_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    """asyncio alone would log a traceback in every turn of the loop until somebody looks."""
    listening = open_listening_socket(ip_address("127.0.0.1"), 0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(serve, sock=listening)
    with caplog.at_level(logging.DEBUG):
        listening.shutdown(socket.SHUT_RDWR)
        for _ in range(20):
            await asyncio.sleep(0)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert asyncio.get_running_loop().remove_reader(listening.fileno()) is False, "still watched"
    server.close()


def test_other_failures_of_accept_are_not_hidden() -> None:
    """Out of descriptors, for instance: asyncio knows what to do."""
    with open_listening_socket(ip_address("127.0.0.1"), 0) as listening:
        with pytest.raises(BlockingIOError):
            listening.accept()
        with socket.create_connection(listening.getsockname()):
            accepted, peer = listening.accept()
            accepted.close()
            assert peer[0] == "127.0.0.1"
    with pytest.raises(OSError) as closed:
        listening.accept()
    assert closed.value.errno == errno.EBADF


@pytest.mark.parametrize(
    ("number", "word"),
    [
        (errno.EADDRINUSE, "ss -ltnp"),
        (errno.EACCES, "CAP_NET_BIND_SERVICE"),
        (errno.EAFNOSUPPORT, "enabled in the kernel"),
    ],
)
def test_a_refused_bind_says_what_helps(number: int, word: str) -> None:
    """The operator's next command, not only the error's name."""
    assert word in what_helps(OSError(number, ""), 80)
    assert what_helps(OSError(errno.EIO, ""), 80) == ""


class Turns(AcceptPace):
    """Takes all or none, and remembers what it was told of the turns."""

    wait_s = 0.02
    crowd = 0

    def __init__(self) -> None:
        super().__init__()
        self.open = True
        self.last: list[float | None] = []
        self.served = 0

    def begin_turn(self, now_s: float, last_turn_s: float | None) -> None:
        self.last.append(last_turn_s)

    @property
    def allows(self) -> bool:
        return self.open

    def taken(self) -> None:
        self.served += 1


async def test_few_who_wait_are_taken_whatever_the_pace_is() -> None:
    """They are no crowd: a host whose processors others use has long turns, too."""
    loop = asyncio.get_running_loop()
    with open_listening_socket(ip_address("127.0.0.1"), 0) as listening:
        pace = listening.pace = Turns()
        pace.open, pace.crowd = False, 3
        server = await asyncio.start_server(lambda _, writer: writer.close(), sock=listening, backlog=4)
        clients = [socket.create_connection(listening.getsockname(), 5) for _ in range(2)]
        for client in clients:
            client.setblocking(False)
            assert await loop.sock_recv(client, 1) == b""
            client.close()
        assert pace.last == []
        server.close()


async def test_at_its_pace_clients_wait_in_the_kernel_and_the_loop_sleeps() -> None:
    """The loop asks again when the rest is over, not in each turn; nobody is lost, and each who is taken is counted."""
    loop = asyncio.get_running_loop()
    with open_listening_socket(ip_address("127.0.0.1"), 0) as listening:
        pace = listening.pace = Turns()
        pace.open, pace.wait_s = False, 0.3
        server = await asyncio.start_server(lambda _, writer: writer.close(), sock=listening, backlog=4)
        clients = [socket.create_connection(listening.getsockname(), 5) for _ in range(3)]
        for _ in range(50):
            await asyncio.sleep(0)
        assert pace.served == 0 and listening.asked < 25, "in 50 turns"
        pace.wait_s = 0.01
        await until(lambda: len(pace.last) > 3)
        pace.open = True
        for client in clients:
            client.setblocking(False)
            assert await loop.sock_recv(client, 1) == b""
            client.close()
        assert pace.served == 3, "asking an empty queue costs nothing"
        server.close()


@pytest.mark.parametrize(
    ("crowd", "wants_answers", "served"),
    [(0, True, [5]), (0, False, [0, 1, 2, 3, 4, 5]), (7, True, [0, 1, 2, 3, 4, 5])],
    ids=["crowd", "crowd that may half-close", "few"],
)
async def test_of_a_crowd_those_who_have_gone_are_passed_over(
    crowd: int, wants_answers: bool, served: list[int]
) -> None:
    """Three have closed, two have reset, one still waits. Who says all and closes may want an answer, not in HTTP."""
    taken: list[int] = []
    with open_listening_socket(ip_address("127.0.0.1"), 0) as listening:
        pace = listening.pace = Turns()
        pace.crowd, listening.wants_answers = crowd, wants_answers
        clients = [socket.create_connection(listening.getsockname(), 5) for _ in range(6)]
        ports = [client.getsockname()[1] for client in clients]
        for number, client in enumerate(clients[:5]):
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            if number >= 3:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()

        def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            taken.append(ports.index(writer.get_extra_info("peername")[1]))
            writer.close()

        server = await asyncio.start_server(serve, sock=listening, backlog=4)
        await until(lambda: 5 in taken)
        assert taken == served and pace.served == len(served)
        clients[5].close()
        server.close()


async def test_a_rest_does_not_outlive_the_socket() -> None:
    """Closed meanwhile, its number may be somebody else's already."""
    loop, errors = asyncio.get_running_loop(), list[Any]()
    loop.set_exception_handler(lambda _, context: errors.append(context))
    listening = open_listening_socket(ip_address("127.0.0.1"), 0)
    pace = listening.pace = Turns()
    pace.open = False
    server = await asyncio.start_server(lambda _, writer: writer.close(), sock=listening, backlog=4)
    number = listening.fileno()
    with socket.create_connection(listening.getsockname(), 5):
        await until(lambda: pace.last)
        server.close()
        with open_listening_socket(ip_address("127.0.0.1"), 0) as other:
            assert other.fileno() == number
            await asyncio.sleep(2 * pace.wait_s)
            assert not loop.remove_reader(number) and errors == []


async def test_a_loop_that_comes_late_from_a_rest_is_told_as_busy() -> None:
    """By how much: that is how a turn shows in which nobody asked."""
    with open_listening_socket(ip_address("127.0.0.1"), 0) as listening:
        pace = listening.pace = Turns()
        pace.open = False
        server = await asyncio.start_server(lambda _, writer: writer.close(), sock=listening, backlog=4)
        with socket.create_connection(listening.getsockname(), 5):
            await until(lambda: pace.last)
            time.sleep(pace.wait_s + 0.1)  # noqa: ASYNC251 - a loop that is busy
            asked = len(pace.last)
            await until(lambda: len(pace.last) > asked)
        late_s = pace.last[asked]
        assert late_s is not None and 0.1 <= late_s < 5
        server.close()


async def test_a_turn_is_measured_only_when_the_one_before_has_asked_too() -> None:
    """In between the loop may have slept, which is no long turn."""
    with open_listening_socket(ip_address("127.0.0.1"), 0) as listening:
        pace = listening.pace = Turns()
        turns = [False, True, True, False, True]
        for asks in turns:
            for _ in range(2 * asks):
                with pytest.raises(BlockingIOError):
                    listening.accept()
            await asyncio.sleep(0)
        assert [last is not None for last in pace.last] == [False, True, False]
        assert all(0 <= last < 1 for last in pace.last if last is not None)
