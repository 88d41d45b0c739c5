"""The kernel's connections, beside what ss says of them."""

from __future__ import annotations

import errno
import os
import socket
import struct
from ipaddress import ip_address
from typing import Any

import pytest
from pyroute2.netlink import NETLINK_SOCK_DIAG
from scapy.layers.inet import IP
from scapy.layers.inet import TCP
from scapy.layers.l2 import Ether

from tests.learning_switch import family_of
from tests.learning_switch import run
from tests.net.lost_clients import PORT
from tests.net.lost_clients import VIP4
from tests.net.lost_clients import VIP6
from tests.net.lost_clients import client_of
from tests.net.lost_clients import hold_both
from tests.net.lost_clients import key
from tests.net.lost_clients import listen
from tests.net.lost_clients import make_connected
from wsa_proxy.net import socket_table
from wsa_proxy.net.ports import Address
from wsa_proxy.net.ports import Client
from wsa_proxy.net.socket_table import ADDRESSES_PER_PROGRAM_MAX
from wsa_proxy.net.socket_table import SocketTable

BOTH = (VIP4, VIP6)
OTHER = ip_address("10.0.0.1")


class Server:
    """Listens at a virtual IP of the left host; its clients are on the right."""

    def __init__(self, lan: Any, address: Address) -> None:
        self._lan = lan
        self._address = address
        self._listening = listen(address)

    def connect(self) -> tuple[socket.socket, socket.socket]:
        """The client's end, and ours."""
        return self.connect_only(), self._listening.accept()[0]

    def connect_only(self) -> socket.socket:
        """Nobody accepts it."""
        with self._lan.on_the_right():
            client = socket.socket(family_of(self._address))
        client.connect((str(self._address), PORT))
        return client


def state(client: Client) -> str:
    """What ss says of our end; nothing when it knows of none."""
    half, asked = len(client) // 2, []
    for which, part in (("src", client[:half]), ("dst", client[half:])):
        host = ip_address(part[:-2])
        asked += [which, f"{host if host.version == 4 else f'[{host}]'}:{int.from_bytes(part[-2:])}"]
    return (run("ss", "-Htan", *asked).split() or [""])[0]


@pytest.mark.parametrize("address", BOTH)
def test_all_states_in_which_something_may_still_be_wanted(lan: Any, address: Address) -> None:
    """Accepted or not, half closed, and on the way to the end; not what has ended, nor who listens."""
    hold_both(lan)
    server = Server(lan, address)
    names = ("ESTAB", "FIN-WAIT-2", "CLOSE-WAIT", "FIN-WAIT-1", "LAST-ACK", "orphan", "TIME-WAIT")
    ends = {name: server.connect() for name in names}
    clients = {name: client_of(theirs) for name, (theirs, _) in ends.items()}
    unaccepted = server.connect_only()
    ends["FIN-WAIT-2"][1].shutdown(socket.SHUT_WR)
    for name in ("CLOSE-WAIT", "LAST-ACK"):
        ends[name][0].shutdown(socket.SHUT_WR)
        lan.until(lambda: state(clients[name]) == "CLOSE-WAIT", "its end is heard")  # noqa: B023
    for each in (ends["orphan"][1], ends["TIME-WAIT"][1], ends["TIME-WAIT"][0]):
        each.close()
    lan.until(lambda: state(clients["TIME-WAIT"]) == "TIME-WAIT", "both ends closed")
    lan.until(lambda: state(clients["orphan"]) == "FIN-WAIT-2", "an end that was acknowledged")
    unplug(lan)
    for name in ("FIN-WAIT-1", "LAST-ACK"):
        ends[name][1].close()
    for name, client in clients.items():
        assert state(client) == (name if name != "orphan" else "FIN-WAIT-2")
    wanted = {client for name, client in clients.items() if name not in ("orphan", "TIME-WAIT")}
    assert SocketTable().clients([address]) == wanted | {client_of(unaccepted)}


@pytest.mark.parametrize("address", BOTH)
def test_who_does_not_hear_that_it_has_ended_is_not_there(lan: Any, address: Address) -> None:
    """A laptop that sleeps. Whoever has something else to hear, or has a process that serves it, stays listed; and so
    does everybody until an end was repeated often."""
    hold_both(lan)
    route = "-4 route replace 10.0.0.0/24" if address.version == 4 else "-6 route add fd00:77::/64 metric 1"
    lan.ip(f"{route} dev {lan.LEFT} rto_min 5ms")  # else it would take 6 s
    server = Server(lan, address)
    names = ("ended", "half closed", "last words", "served")
    ends = {name: server.connect() for name in names}
    clients = {name: client_of(theirs) for name, (theirs, _) in ends.items()}
    with lan.on_the_right():
        lan.ip(f"address flush dev {lan.RIGHT}")
    ends["last words"][1].send(b"of an answer")
    for name in names[:-1]:
        ends[name][1].close() if name != "half closed" else ends[name][1].shutdown(socket.SHUT_WR)
    table = SocketTable()
    assert table.clients([address]) == set(clients.values())
    listed = {client for name, client in clients.items() if name != "ended"}
    lan.until(lambda: table.clients([address]) == listed, "its end was repeated")
    assert state(clients["ended"]) == "FIN-WAIT-1"


def unplug(lan: Any) -> None:
    with lan.on_the_right():
        lan.ip(f"link set {lan.RIGHT} down")
    lan.until(lambda: not lan.operating(lan.LEFT), "the carrier lost")


def test_one_whose_handshake_is_not_complete(lan: Any) -> None:
    """The answer to its SYN may be on its way: the client believes that it is connected before we do. Or there is no
    such client: whoever is to be told something is asked for without them."""
    hold_both(lan)
    server = Server(lan, VIP4)
    lan.ip(f"neigh add 10.0.0.66 lladdr 02:00:00:00:00:66 dev {lan.LEFT}")
    segment = IP(src="10.0.0.66", dst=str(VIP4)) / TCP(sport=4000, dport=PORT, flags="S", seq=77)
    lan.send_from_the_right(Ether(src="02:00:00:00:00:66", dst=lan.mac()) / segment)
    client = key(VIP4, PORT, "10.0.0.66", 4000)
    lan.until(lambda: state(client) == "SYN-RECV", "half a handshake")
    whole, _ = server.connect()
    assert SocketTable().clients([VIP4]) == {client, client_of(whole)}
    assert SocketTable().clients([VIP4], half_open=False) == {client_of(whole)}


def test_of_these_addresses_only(lan: Any) -> None:
    """Both IP versions in one call; not the other addresses of this host, nor what does not leave it."""
    hold_both(lan)
    table = SocketTable()
    servers = {address: Server(lan, address) for address in (*BOTH, OTHER)}
    clients = {address: server.connect() for address, server in servers.items()}
    inside = socket.create_connection((str(VIP4), PORT), source_address=(str(VIP4), 0))
    assert inside.getsockname()[0] == inside.getpeername()[0] == str(VIP4)
    keys = {address: client_of(theirs) for address, (theirs, _) in clients.items()}
    assert table.clients(BOTH) == {keys[VIP4], keys[VIP6]}
    assert table.clients([OTHER]) == {keys[OTHER]}
    assert table.clients([]) == table.clients([ip_address("10.0.0.99")]) == frozenset()
    own = [theirs.getsockname() for theirs, _ in (clients[VIP4], clients[VIP6])]
    assert keys[VIP4] == bytes([10, 0, 0, 100]) + b"\x1f\x90" + bytes([10, 0, 0, 2]) + struct.pack("!H", own[0][1])
    assert keys[VIP6] == VIP6.packed + b"\x1f\x90" + ip_address("fd00:77::2").packed + struct.pack("!H", own[1][1])


def add_addresses(lan: Any, count: int) -> list[Address]:
    addresses = [ip_address(f"10.0.1.{number}") for number in range(1, count + 1)]
    lan.ip_batch("".join(f"address add {address}/32 dev {lan.LEFT}\n" for address in addresses))
    return addresses


@pytest.mark.parametrize("count", [1, 2, ADDRESSES_PER_PROGRAM_MAX, ADDRESSES_PER_PROGRAM_MAX + 1])
def test_with_few_and_many_addresses(lan: Any, count: int) -> None:
    """Each is found, the first and the last as well; of others nothing is even copied while they are few."""
    addresses = add_addresses(lan, count)
    kept = [make_connected((str(address), 81), ("10.0.0.2", 4000)) for address in (*addresses, OTHER)]
    table = SocketTable()
    assert table.clients(addresses) == {key(address, 81, "10.0.0.2", 4000) for address in addresses}
    copied = list(table._dump(addresses, socket_table._CONNECTED))
    assert len(copied) == len(kept) - (count <= ADDRESSES_PER_PROGRAM_MAX)
    servers = [Server(lan, address) for address in (addresses[-1], OTHER)]
    assert table.listening(addresses) == {(addresses[-1], PORT)} and len(servers) == 2


@pytest.mark.parametrize("address", BOTH)
def test_more_than_one_datagram(lan: Any, address: Address) -> None:
    """The kernel gives out a long list in parts, the next one when the last one is read."""
    hold_both(lan)
    other = "10.0.0.2" if address.version == 4 else "fd00:77::2"
    ports = range(4000, 5000)
    kept = [make_connected((str(address), PORT), (other, port)) for port in ports]
    table = SocketTable()
    assert len(list(table._datagrams())) == 0
    table._ask(address.version, socket_table._CONNECTED, [address.packed])
    assert len(list(table._datagrams())) > 3
    assert table.clients([address]) == {key(address, PORT, other, port) for port in ports}
    assert len(kept) == len(ports)


def test_a_list_that_was_not_read_to_its_end(lan: Any) -> None:
    """What is left of it is neither taken for the next answer, nor does it keep the kernel from giving one."""
    hold_both(lan)
    kept = [make_connected((str(OTHER), PORT), ("10.0.0.2", port)) for port in range(4000, 4500)]
    kept.append(make_connected((str(VIP4), PORT), ("10.0.0.2", 4000)))
    table = SocketTable()
    begun = table._dump([OTHER], socket_table._CONNECTED)
    next(begun)
    assert table.clients([VIP4]) == {key(VIP4, PORT, "10.0.0.2", 4000)}
    assert len(kept) == 501


def test_listening(lan: Any) -> None:
    """At exactly these addresses: not at all of them, not at another one, and not who is connected there."""
    hold_both(lan)
    table = SocketTable()
    assert table.listening(BOTH) == frozenset()
    servers = [Server(lan, address) for address in (*BOTH, OTHER)]
    ends = servers[0].connect()
    wildcard = [socket.create_server((host, 81), family=family) for host, family in (("", 2), ("::", 10))]
    assert table.listening(BOTH) == {(VIP4, PORT), (VIP6, PORT)}
    assert table.listening([OTHER]) == {(OTHER, PORT)}
    assert len(ends) == len(wildcard) == 2


def test_it_takes_no_right(lan: Any) -> None:
    """A process that may do nothing else to the network is told the same."""
    hold_both(lan)
    kept = make_connected((str(VIP4), PORT), ("10.0.0.2", 4000))
    lan.lose_privileges()
    assert SocketTable().clients(BOTH) == {key(VIP4, PORT, "10.0.0.2", 4000)}
    assert kept.fileno() >= 0


def test_a_refusal_is_told(lan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the kernel's errno; the next question is answered."""
    table = SocketTable()
    with monkeypatch.context() as patched:
        patched.setattr(socket_table, "program_for", lambda family, addresses: bytes(3))
        with pytest.raises(OSError, match="cannot ask the kernel for its connections: Invalid argument") as raised:
            table.clients([OTHER])
    assert raised.value.errno == errno.EINVAL
    assert table.clients([OTHER]) == frozenset()


def test_a_list_without_an_end_is_none(lan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else what was not told would look as if it had ended."""
    table = SocketTable()
    monkeypatch.setattr(SocketTable, "_datagrams", lambda self: iter(()))
    with pytest.raises(OSError, match="did not finish its list of connections") as raised:
        table.clients([OTHER])
    assert raised.value.errno == errno.EPROTO


def test_other_processes_are_not_believed(lan: Any) -> None:
    """Only the kernel is: a forged end of the list does not end it."""
    hold_both(lan)
    kept = make_connected((str(VIP4), PORT), ("10.0.0.2", 4000))
    table = SocketTable()
    table.clients(BOTH)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as forger:
        port = table._socket.getsockname()[0]
        table._ask(4, socket_table._CONNECTED, [VIP4.packed])
        forger.sendto(struct.pack("=IHHIIi", 20, 3, 2, 0, port, 0), (port, 0))
        assert len(list(table._datagrams())) == 2, "the connection, and the kernel's end"
    assert table.clients(BOTH) == {key(VIP4, PORT, "10.0.0.2", 4000)}
    assert kept.fileno() >= 0


def test_closed(lan: Any) -> None:
    """Harmless when repeated, and no descriptor is left."""
    before = len(os.listdir("/proc/self/fd"))
    table = SocketTable()
    table.clients(BOTH)
    for _ in range(2):
        table.close()
    assert len(os.listdir("/proc/self/fd")) == before
    with pytest.raises(OSError) as raised:
        table.clients(BOTH)
    assert raised.value.errno == errno.EBADF
