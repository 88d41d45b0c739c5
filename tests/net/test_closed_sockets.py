"""What the kernel remembers of a connection that is over does not keep its client's next one from being told."""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest

from tests.net.lost_clients import PORT
from tests.net.lost_clients import VIP4
from tests.net.lost_clients import VIP6
from tests.net.lost_clients import client_of
from tests.net.lost_clients import hold_both
from tests.net.lost_clients import key
from tests.net.lost_clients import listen
from tests.net.lost_clients import make_connected
from tests.net.test_tickle import told
from wsa_proxy.net import closed_sockets
from wsa_proxy.net.closed_sockets import ClosedSockets
from wsa_proxy.net.ports import Address
from wsa_proxy.net.socket_table import SocketTable
from wsa_proxy.net.tickle import Tickler

CLIENT_PORT = 4000
# A number above that of the earlier connection: only then the kernel lets the port begin anew by itself.
LATER = (5_000_000, 6_000_000)


def close_one(lan: Any, address: Address, listening: socket.socket) -> str:
    """A short request from CLIENT_PORT that the virtual IP's side has closed first; answers the client's address."""
    other = "10.0.0.2" if address.version == 4 else "fd00:77::2"
    with lan.on_the_right():
        client = socket.create_connection((str(address), PORT), source_address=(other, CLIENT_PORT))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    ours = listening.accept()[0]
    ours.shutdown(socket.SHUT_WR)
    assert client.recv(1) == b""
    client.close()
    assert ours.recv(1) == b""
    ours.close()
    return other


@pytest.mark.parametrize("address", [VIP4, VIP6])
def test_a_client_that_uses_its_port_again_is_told(lan: Any, address: Address) -> None:
    """Its new connection was another node's; here the kernel remembers the old one, and would answer for it."""
    hold_both(lan)
    other = close_one(lan, address, listen(address))
    with lan.on_the_right():
        client = make_connected((other, CLIENT_PORT), (str(address), PORT), LATER)
    tickler, closed = Tickler(lan.index), ClosedSockets()
    tickler.send(client_of(client))
    assert not told(client), "TIME_WAIT has taken the answer for its own"
    assert closed.forget([client_of(client)]) == 1 and closed.forget([client_of(client)]) == 0
    tickler.send(client_of(client))
    assert told(client)


@pytest.mark.parametrize("address", [VIP4, VIP6])
def test_what_anybody_has_is_left_alone(lan: Any, address: Address) -> None:
    """A connection that is served, one that nobody has accepted yet, and those of other clients."""
    hold_both(lan)
    listening = listen(address)
    close_one(lan, address, listening)
    with lan.on_the_right():
        served, waiting = (socket.create_connection((str(address), PORT)) for _ in range(2))
    ours = listening.accept()[0]
    closed = ClosedSockets()
    assert closed.forget([client_of(served), client_of(waiting)]) == 0
    for one, another in ((served, ours), (waiting, listening.accept()[0])):
        another.sendall(b"hello")
        assert one.recv(5) == b"hello"
    assert closed.forget([]) == 0


def test_a_process_that_has_said_all_and_still_listens_keeps_its_connection(lan: Any) -> None:
    """Half closed: its own end is said, and the client goes on."""
    hold_both(lan)
    listening = listen(VIP4)
    with lan.on_the_right():
        client = socket.create_connection((str(VIP4), PORT))
    ours = listening.accept()[0]
    ours.shutdown(socket.SHUT_WR)
    assert client.recv(1) == b"" and ClosedSockets().forget([client_of(client)]) == 0
    client.sendall(b"more")
    assert ours.recv(4) == b"more"


def test_many_at_once(lan: Any) -> None:
    """Of a crowd only those that are asked for."""
    hold_both(lan)
    listening, clients = listen(VIP4), []
    for _ in range(300):
        with lan.on_the_right():
            client = socket.create_connection((str(VIP4), PORT))
        ours = listening.accept()[0]
        clients.append(client_of(client))
        ours.close()
        client.close()
    assert ClosedSockets().forget(clients[:200]) == 200
    assert ClosedSockets().forget(clients) == 100


def test_what_the_kernel_refuses_is_told(lan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a kernel does that cannot, and knows no such message."""
    hold_both(lan)
    other = close_one(lan, VIP4, listen(VIP4))
    monkeypatch.setattr(closed_sockets, "_SOCK_DESTROY", 22)
    with pytest.raises(OSError, match="cannot forget a closed connection") as raised:
        ClosedSockets().forget([key(VIP4, PORT, other, CLIENT_PORT)])
    assert raised.value.errno in (errno.EOPNOTSUPP, errno.EINVAL)


def test_one_that_ends_meanwhile_is_no_error(lan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The socket that was meant is known by a cookie: neither it nor a newer one is there."""
    hold_both(lan)
    other = close_one(lan, VIP4, listen(VIP4))
    lost = key(VIP4, PORT, other, CLIENT_PORT)
    found = ClosedSockets._without_process

    def ends(self: ClosedSockets, *arguments: Any) -> list[tuple[int, bytes]]:
        sockets = found(self, *arguments)
        monkeypatch.undo()
        assert ClosedSockets().forget([lost]) == 1
        return sockets

    monkeypatch.setattr(ClosedSockets, "_without_process", ends)
    ClosedSockets().forget([lost])
    assert SocketTable().clients([VIP4]) == frozenset()
