"""Virtual IPs that come and go while mitmproxy runs; every one of 127.0.0.0/8 is local, so nothing leaves the host."""

from __future__ import annotations

import socket
from asyncio.trsock import TransportSocket
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import pytest
from mitmproxy.test import taddons

from tests.proxy.processes import free_port
from tests.proxy.test_listener import open_listener
from tests.proxy.test_listener import open_port
from tests.proxy.test_listener import virtual
from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy.connections import Address
from wsa_proxy.proxy.listening_socket import ListeningSocket
from wsa_proxy.proxy.listening_socket import is_bound_to
from wsa_proxy.proxy.modes import ListenerError


async def test_an_address_is_added_and_another_one_taken_away(inside: taddons.context) -> None:
    """The mode goes on: its socket on the address that stays is the same one."""
    port = inside.options.listen_port
    first, second, third = (virtual(f"127.0.0.{number}", port) for number in (77, 78, 79))
    listener = await open_listener(first, second)
    (kept,) = [each.socket for each in listener._listening if each.address == second.address]
    await listener.add([second, third])
    assert all(open_port(f"127.0.0.{number}", port) for number in (77, 78, 79))
    assert ("127.0.0.79", port) in listener.listening_addresses()
    listener.keep([second, third])
    assert [open_port(f"127.0.0.{number}", port) for number in (77, 78, 79)] == [False, True, True]
    assert listener.broken(0.0) is None and ("127.0.0.77", port) not in listener.listening_addresses()
    assert kept in [each.socket for each in listener._listening]
    (instance,) = mitmproxy_internals.instances()
    assert {host for host, _ in mitmproxy_internals.tcp_names(instance)} == {"127.0.0.1", "127.0.0.78", "127.0.0.79"}


async def test_another_port_is_served_before_the_old_one_is_closed(inside: taddons.context) -> None:
    """A group's port is its listeners' place; the mode's own loopback port stays."""
    port, other = inside.options.listen_port, free_port()
    listener = await open_listener(virtual("127.0.0.77", port))
    await listener.add([virtual("127.0.0.77", other)])
    assert open_port("127.0.0.77", port) and open_port("127.0.0.77", other)
    listener.keep([virtual("127.0.0.77", other)])
    assert not open_port("127.0.0.77", port) and open_port("127.0.0.77", other) and open_port("127.0.0.1", port)


async def test_a_mode_with_a_port_of_its_own_stays_where_it_is(inside: taddons.context) -> None:
    """It is served at that port on every virtual IP, whatever the groups' ports are."""
    mitmproxy_internals.proxyserver().running()
    own, port = free_port(), inside.options.listen_port
    inside.options.update(mode=[f"regular@{own}"])
    listener = await open_listener(virtual("127.0.0.77", port))
    await listener.add([virtual("127.0.0.77", port + 1), virtual("127.0.0.78", port)])
    listener.keep([virtual("127.0.0.77", port + 1), virtual("127.0.0.78", port)])
    assert open_port("127.0.0.77", own) and open_port("127.0.0.78", own) and not open_port("127.0.0.77", port)


async def test_a_place_that_is_taken_changes_nothing(inside: taddons.context) -> None:
    """What was bound before the refusal is closed again."""
    port, other = inside.options.listen_port, free_port()
    before = virtual("127.0.0.77", port)
    listener = await open_listener(before)
    refused = pytest.raises(ListenerError, match=f"cannot listen on 127.0.0.79 port {other}")
    with socket.create_server(("127.0.0.79", other)), refused:
        await listener.add([virtual("127.0.0.78", port), virtual("127.0.0.79", other)])
    assert not open_port("127.0.0.78", port) and open_port("127.0.0.77", port)
    assert set(listener.listening_addresses()) == {("127.0.0.77", port), ("127.0.0.1", port)}
    assert listener.broken(0.0) is None and not mitmproxy_internals.is_updating()


async def test_the_address_of_listen_host_cannot_become_a_virtual_ip(inside: taddons.context) -> None:
    """The same sentence as at a start."""
    port = inside.options.listen_port
    inside.options.update(listen_host="127.0.0.88")
    listener = await open_listener(virtual("127.0.0.77", port))
    with pytest.raises(ListenerError, match=r"listen_host 127\.0\.0\.88 is in the way"):
        await listener.add([virtual("127.0.0.88", port)])
    assert listener._addresses == (virtual("127.0.0.77", port),)


async def test_a_mode_that_starts_later_has_the_newest_addresses(inside: taddons.context) -> None:
    """Reload first, then a change of mitmproxy's modes."""
    mitmproxy_internals.proxyserver().running()
    port, other = inside.options.listen_port, free_port()
    listener = await open_listener(virtual("127.0.0.77", port))
    await listener.add([virtual("127.0.0.78", port)])
    listener.keep([virtual("127.0.0.78", port)])
    inside.options.update(mode=[f"regular@{other}"])
    await mitmproxy_internals.set_up_servers()
    assert open_port("127.0.0.78", other) and not open_port("127.0.0.77", other)
    assert mitmproxy_internals.listening_on([ip_address("127.0.0.77")]) == []


async def test_a_socket_that_stays_what_it_is_is_read_once(
    inside: taddons.context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """255 groups have as many sockets, looked at ten times a second. Of a link-local address the interface may be made
    anew, so it is read each time."""
    read: list[str] = []

    def reads(listening: socket.socket, address: Address, port: int) -> bool:
        read.append(str(address))
        return is_bound_to(listening, address, port)

    monkeypatch.setattr("wsa_proxy.proxy.listener.is_bound_to", reads)
    port = inside.options.listen_port
    hosts = ("127.0.0.77", "2001:db8::9", "fe80::77%lo")
    listener = await open_listener(*(virtual(host, port) for host in hosts))
    for _ in range(3):
        assert listener.broken(0.0) is None
    assert sorted(read) == ["127.0.0.1", "127.0.0.77", "2001:db8::9", *["fe80::77%lo"] * 3]


async def test_where_the_self_tests_ask_is_known_without_a_look_at_every_virtual_ip(
    inside: taddons.context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for with each probe: with 255 groups their names would be read 1,500 times a second."""
    port = inside.options.listen_port
    listener = await open_listener(*(virtual(f"127.0.0.{number}", port) for number in range(70, 86)))
    (local,) = [each.socket for each in listener._listening if not each.virtual]
    read: list[int] = []
    real = TransportSocket.getsockname

    def counted(self: TransportSocket) -> Any:
        read.append(self.fileno())
        return real(self)

    monkeypatch.setattr(TransportSocket, "getsockname", counted)
    assert [(each.host, each.port) for each in listener.loopback_endpoints()] == [("127.0.0.1", port)]
    assert read == [local.fileno()]


async def test_a_look_at_a_listening_socket_takes_two_system_calls(
    inside: taddons.context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name, and its state with the length of its queue; ten times a second for each virtual IP and mode."""
    listener = await open_listener(virtual("127.0.0.77", inside.options.listen_port))
    assert listener.broken(0.0) is None  # and keeps its names in mind
    asked: list[str] = []
    for name in ("getsockname", "getsockopt"):
        real = getattr(ListeningSocket, name)

        def counted(self: ListeningSocket, *of: int, name: str = name, real: Callable[..., Any] = real) -> Any:
            asked.append(name)
            return real(self, *of)

        monkeypatch.setattr(ListeningSocket, name, counted)
    assert listener.broken(0.1) is None
    assert sorted(asked) == ["getsockname"] * 2 + ["getsockopt"] * 2, "of the virtual IP's and of the self-tests'"
