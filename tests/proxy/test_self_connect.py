from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest
from mitmproxy.connection import Client
from mitmproxy.connection import Server
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.test import taddons
from mitmproxy.test import tflow

from tests.proxy.processes import Origin
from tests.proxy.processes import Proxy
from tests.proxy.processes import connected
from tests.proxy.processes import exchange
from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy import self_connect
from wsa_proxy.proxy.self_connect import LoopGuard

type Start = Callable[..., Proxy]

LISTENING = [("127.0.0.77", 8080), ("127.0.0.1", 8080), ("203.0.113.9", 8080), ("2001:db8::9", 8080), ("0.0.0.0", 9090)]
LISTENING.append(("fe80::9%eth0", 8080))


def data_for(host: str, port: int) -> ServerConnectionHookData:
    return ServerConnectionHookData(server=Server(address=(host, port)), client=tflow.tclient_conn())


@pytest.mark.parametrize(
    ("host", "port", "is_refused"),
    [
        ("127.0.0.77", 8080, True),
        ("203.0.113.9", 8080, True),  # a virtual IP that another node holds
        ("2001:db8::9", 8080, True),
        ("2001:DB8:0::9", 8080, True),
        ("[2001:db8::9]", 8080, True),
        ("::ffff:127.0.0.77", 8080, True),
        ("::ffff:7f00:4d", 8080, True),
        ("0x7f.0.0.77", 8080, True),
        ("127.77", 8080, True),
        ("2130706433", 8080, True),
        ("0.0.0.0", 8080, True),
        ("::", 8080, True),
        ("0", 8080, True),
        ("localhost", 8080, True),
        ("LOCALHOST", 8080, True),
        ("fe80::9%lo", 8080, True),  # on whatever interface
        ("fe80::9", 8080, True),
        ("fe80::8", 8080, False),
        ("127.0.0.77", 8081, False),
        ("127.0.0.78", 8080, False),
        ("203.0.113.10", 8080, False),
        ("203.0.113.9", 443, False),
        ("127.3.2.1", 9090, True),  # the wildcard means every address of this host
        ("203.0.113.10", 9090, False),
    ],
)
async def test_what_means_this_process_is_refused(host: str, port: int, is_refused: bool) -> None:
    """However it is written: a destination is refused if and only if a connection to it would end at a listener."""
    data = data_for(host, port)
    await self_connect.refuse(data, LISTENING)
    assert (data.server.error is not None) is is_refused


async def test_the_upstream_proxy_counts_and_what_lies_behind_does_not() -> None:
    """In upstream mode we connect to the upstream proxy: being our own upstream is a loop, the far destination none."""
    looped = data_for("www.example.com", 80)
    looped.server.via = ("http", ("127.0.0.77", 8080))
    await self_connect.refuse(looped, LISTENING)
    assert looped.server.error
    far = data_for("127.0.0.77", 8080)
    far.server.via = ("http", ("192.0.2.7", 3128))
    await self_connect.refuse(far, LISTENING)
    assert far.server.error is None


async def test_another_port_costs_no_query(monkeypatch: pytest.MonkeyPatch) -> None:
    """A destination whose port is not ours is never resolved."""

    async def resolve(host: str, port: int) -> list[self_connect.Address]:
        raise AssertionError(f"{host} was resolved")

    monkeypatch.setattr(self_connect, "_resolve", resolve)
    data = data_for("name.example.com", 443)
    await self_connect.refuse(data, LISTENING)
    assert data.server.error is None


async def test_a_name_that_does_not_resolve_is_left_to_mitmproxy() -> None:
    """An unknown name gets mitmproxy's own error, not ours."""
    data = data_for("a name that cannot be", 8080)
    await self_connect.refuse(data, LISTENING)
    assert data.server.error is None


@pytest.mark.parametrize(
    ("peername", "has_reached"),
    [
        (("127.0.0.77", 8080), True),
        (("::ffff:127.0.0.77", 8080, 0, 0), True),
        (("fe80::9%eth0", 8080, 0, 2), True),
        (("127.3.2.1", 9090), True),  # the wildcard means every address of this host
        (("203.0.113.10", 9090), False),
        (("127.0.0.77", 8081), False),
        (("127.0.0.78", 8080), False),
        (None, False),
    ],
)
def test_where_a_connection_has_ended_is_looked_at_again(peername: tuple[str, int] | None, has_reached: bool) -> None:
    """Whatever the name has meant before: by the address at the other end."""
    data = data_for("name.example.com", 8080)
    data.server.peername = peername
    assert self_connect.has_reached(data, LISTENING) is has_reached
    assert not self_connect.has_reached(data, [])
    data.server.transport_protocol = "udp"
    assert not self_connect.has_reached(data, LISTENING)


@pytest.mark.parametrize("client_first", [True, False])
async def test_a_loop_is_never_deeper_than_one(
    inside: taddons.context, monkeypatch: pytest.MonkeyPatch, client_first: bool
) -> None:
    """A client that is the other end of our own upstream connection is ended, whichever end is told first."""
    ended: list[Client] = []
    monkeypatch.setattr(mitmproxy_internals, "end_client", ended.append)
    guard = LoopGuard()
    data = data_for("name.example.com", 8080)
    data.server.sockname = ("127.0.0.1", 40000)
    client, other = tflow.tclient_conn(), tflow.tclient_conn()
    client.peername, other.peername = ("127.0.0.1", 40000), ("127.0.0.1", 40001)
    guard.client_connected(other)
    if client_first:
        guard.client_connected(client)
        guard.server_connected(data)
        assert ended == [client]
    else:
        guard.server_connected(data)
        guard.client_connected(client)
        assert client.error
    assert other.error is None
    guard.client_disconnected(client)
    guard.server_disconnected(data)
    client.error = None
    guard.client_connected(client)
    assert client.error is None, "the port may be used again"


def test_a_request_for_the_proxy_by_name_is_502(start_proxy: Start, origin: Origin, tmp_path: Path) -> None:
    """The host name of the virtual IP, asked for through the virtual IP: 502 at once, one connection, no harm."""
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-Urm", "true"], capture_output=True).returncode != 0:
        pytest.skip("needs a user namespace for an /etc/hosts of its own: sysctl -w kernel.unprivileged_userns_clone=1")
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.77 proxy.example.com\n127.0.0.1 localhost\n")
    enter = ["unshare", "-Urm", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh"]
    proxy = start_proxy(before=enter)
    proxy.wait_healthy()
    for host in ("proxy.example.com", "PROXY.example.com", "127.0.0.77", "127.77", "[::ffff:127.0.0.77]", "0"):
        with connected("127.0.0.77", proxy.port) as client:
            answer = exchange(client, f"http://{host}:{proxy.port}/")
        assert b" 502 " in answer, host
    with connected("127.0.0.77", proxy.port) as client:
        client.sendall(f"CONNECT proxy.example.com:{proxy.port} HTTP/1.1\r\n\r\n".encode())
        assert b" 502 " in client.recv(1000)
    assert f"proxy.example.com (127.0.0.77) port {proxy.port} is where it listens" in proxy.log
    assert proxy.log.count("client connect") == 7
    assert len(os.listdir(f"/proc/{proxy.process.pid}/fd")) < 40
    with connected("127.0.0.77", proxy.port) as client:
        assert exchange(client, f"http://127.0.0.1:{origin.port}/").endswith(b"hello")


def test_the_kernel_tells_what_is_local() -> None:
    """Loopback is local, a documentation network is not."""
    assert self_connect._is_local(ip_address("127.9.9.9"))
    assert not self_connect._is_local(ip_address("203.0.113.10"))
    assert self_connect._is_local(ip_address(socket.gethostbyname("localhost")))
