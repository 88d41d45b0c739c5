from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from mitmproxy.test import taddons

from tests.proxy.processes import WAIT_S
from tests.proxy.processes import Origin
from tests.proxy.processes import Proxy
from tests.proxy.processes import connected
from tests.proxy.processes import exchange
from tests.proxy.processes import free_port
from tests.proxy.processes import until
from tests.proxy.processes import wait_for
from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy.listener import FailoverListener
from wsa_proxy.proxy.listener import VirtualAddress
from wsa_proxy.proxy.listening_socket import ACCEPT_QUEUE
from wsa_proxy.proxy.modes import ListenerError

type Start = Callable[..., Proxy]

NOWHERE = "203.0.113.9"  # RFC 5737: no host has it, so binding it needs IP_FREEBIND
NOWHERE_IPV6 = "2001:db8::9"  # RFC 3849


def virtual(host: str, port: int) -> VirtualAddress:
    return VirtualAddress(ip_address(host), port)


# --- a real mitmdump ------------------------------------------------------------------------------------------------


def test_the_wildcard_is_never_bound_not_for_a_moment(start_proxy: Start) -> None:
    """Every bind(2) of the process from its first instruction on is one of the listener's or a self-test's."""
    proxy = start_proxy()
    proxy.wait_healthy()
    wanted = {("127.0.0.77", proxy.port), ("127.0.0.1", proxy.port)}
    assert set(proxy.binds()) - {("127.0.0.1", 0)} == wanted
    assert proxy.listening() == wanted


def test_without_the_addon_the_wildcard_is_bound(start_proxy: Start) -> None:
    """The test above sees what it claims to see: a plain mitmdump's wildcard is in the record."""
    proxy = start_proxy(addon=False)
    proxy.wait_until("listening at")
    assert ("0.0.0.0", proxy.port) in proxy.binds()


def test_an_address_that_is_not_local_is_bound(start_proxy: Start) -> None:
    """A backup listens on its virtual IPs, IPv4 and IPv6, with the long accept queue, before it has them."""
    port = free_port()
    proxy = start_proxy(virtual=[(NOWHERE, port), (NOWHERE_IPV6, port)])
    proxy.wait_healthy()
    lines = subprocess.run(["ss", "-ltnH", f"sport = :{port}"], capture_output=True, text=True, check=True).stdout
    queues = {fields[3]: fields[2] for fields in map(str.split, lines.splitlines())}
    longest = min(ACCEPT_QUEUE, int(Path("/proc/sys/net/core/somaxconn").read_text()))
    assert queues == {f"{NOWHERE}:{port}": str(longest), f"[{NOWHERE_IPV6}]:{port}": str(longest)}


def test_regular_mode_and_its_recording(start_proxy: Start, origin: Origin, tmp_path: Path) -> None:
    """A flow through the virtual IP is a flow of the stock mode: a plain mitmdump reads the recorded file."""
    recorded = tmp_path / "flows"
    proxy = start_proxy("-w", str(recorded))
    proxy.wait_healthy()
    with connected("127.0.0.77", proxy.port) as client:
        assert exchange(client, f"http://127.0.0.1:{origin.port}/read-again").endswith(b"hello")
    proxy.process.terminate()
    proxy.process.wait(WAIT_S)
    reader = start_proxy("-n", "-r", str(recorded), addon=False)
    reader.process.wait(WAIT_S)
    assert f"GET http://127.0.0.1:{origin.port}/read-again" in reader.log
    assert reader.log.count("GET") == 1, "self-tests are not recorded"


def test_upstream_mode(start_proxy: Start, origin: Origin) -> None:
    """Upstream mode is served on the virtual IP: the request goes through the second proxy."""
    second = start_proxy()
    second.wait_healthy()
    proxy = start_proxy("--mode", f"upstream:http://127.0.0.77:{second.port}", virtual=[("127.0.0.78", 8088)])
    proxy.wait_healthy()
    with connected("127.0.0.78", 8088) as client:
        assert exchange(client, f"http://127.0.0.1:{origin.port}/via").endswith(b"hello")
    assert "/via" in second.log


def test_socks5_mode(start_proxy: Start, origin: Origin) -> None:
    """SOCKS 5 is served on the virtual IP, and its self-test passes."""
    proxy = start_proxy("--mode", "socks5")
    proxy.wait_healthy()
    assert proxy.said("endpoints")[0][0][0] == "socks5"
    with connected("127.0.0.77", proxy.port) as client:
        client.sendall(b"\x05\x01\x00")
        assert client.recv(2) == b"\x05\x00"
        client.sendall(b"\x05\x01\x00\x01" + socket.inet_aton("127.0.0.1") + origin.port.to_bytes(2))
        assert client.recv(10)[:2] == b"\x05\x00"
        assert exchange(client, f"http://127.0.0.1:{origin.port}/").endswith(b"hello")


def test_socks5_mode_with_proxyauth(start_proxy: Start) -> None:
    """A SOCKS 5 proxy that asks for a password passes its self-test without one."""
    start_proxy("--mode", "socks5", "--set", "proxyauth=user:word").wait_healthy()


def test_reverse_mode(start_proxy: Start, origin: Origin) -> None:
    """A reverse proxy is served on the virtual IP, and its self-test does not touch the target."""
    proxy = start_proxy("--mode", f"reverse:http://127.0.0.1:{origin.port}")
    proxy.wait_healthy()
    assert origin.asked == 0
    with connected("127.0.0.77", proxy.port) as client:
        assert exchange(client, "http://name/").endswith(b"hello")


def test_proxyauth(start_proxy: Start, origin: Origin) -> None:
    """With proxyauth the self-test passes, and a client without a password still gets 407."""
    proxy = start_proxy("--set", "proxyauth=user:word")
    proxy.wait_healthy()
    with connected("127.0.0.77", proxy.port) as client:
        assert b" 407 " in exchange(client, f"http://127.0.0.1:{origin.port}/")
    with connected("127.0.0.77", proxy.port) as client:
        answer = exchange(client, f"http://127.0.0.1:{origin.port}/", "Proxy-Authorization: Basic dXNlcjp3b3Jk\r\n")
        assert answer.endswith(b"hello")


def test_ignore_hosts(start_proxy: Start, origin: Origin) -> None:
    """A tunnel to an ignored host passes through the virtual IP untouched."""
    proxy = start_proxy("--set", "ignore_hosts=.*")
    proxy.wait_healthy()
    with connected("127.0.0.77", proxy.port) as client:
        client.sendall(f"CONNECT 127.0.0.1:{origin.port} HTTP/1.1\r\n\r\n".encode())
        assert b" 200 " in client.recv(1000)
        assert exchange(client, f"http://127.0.0.1:{origin.port}/").endswith(b"hello")
    assert "<< 200" not in proxy.log, "an ignored host's requests are not seen"


def test_mitmweb(start_proxy: Start, origin: Origin) -> None:
    """mitmweb with the script serves on the virtual IP as well, and its flow list holds no self-test."""
    web_port = free_port()
    options = ["--no-web-open-browser", "--web-port", str(web_port), "--set", "web_password=word"]
    proxy = start_proxy(*options, tool="mitmweb")
    wait_for_listening(proxy, ("127.0.0.77", proxy.port))
    with connected("127.0.0.77", proxy.port) as client:
        assert exchange(client, f"http://127.0.0.1:{origin.port}/").endswith(b"hello")
    with connected("127.0.0.1", web_port) as client:
        client.sendall(
            b"GET /flows HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer word\r\nConnection: close\r\n\r\n"
        )
        flows = b"".join(iter(lambda: client.recv(65536), b""))
    assert flows.count(b'"client_conn"') == 1


def wait_for_listening(proxy: Proxy, name: tuple[str, int]) -> None:
    wait_for(lambda: name in proxy.listening(), f"{name} in:\n{proxy.log}")


def test_listen_host_is_kept_and_the_virtual_ips_are_added(start_proxy: Start) -> None:
    """With listen_host, the stock server stays there, self-tests go there, and the virtual IPs are served too."""
    proxy = start_proxy("--listen-host", "127.0.0.5")
    proxy.wait_healthy()
    assert proxy.listening() == {("127.0.0.5", proxy.port), ("127.0.0.77", proxy.port)}
    assert proxy.said("endpoints")[0] == [["regular", "regular", "127.0.0.5", proxy.port]]


def test_a_mode_with_a_host_is_left_alone(start_proxy: Start) -> None:
    """Of two modes only the one without a host is on the virtual IP."""
    other = free_port()
    proxy = start_proxy("--mode", "regular", "--mode", f"socks5@127.0.0.6:{other}")
    proxy.wait_healthy()
    assert proxy.listening() == {("127.0.0.6", other), ("127.0.0.77", proxy.port), ("127.0.0.1", proxy.port)}
    assert ["127.0.0.6", other] in proxy.said("listening")[0]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            ["--mode", "dns"],
            "mode dns cannot be served on a virtual IP. Give it a host of its own, for example `--mode",
        ),
        (["--mode", "transparent@8082"], "for example `--mode transparent@127.0.0.1:8082`"),
        (["--listen-host", "0.0.0.0"], "listen_host 0.0.0.0 is in the way of the virtual IPs"),
        (["--mode", "regular@127.0.0.1:0"], "every mode names a host of its own"),
        (["--mode", "regular@8081", "--mode", "socks5@0"], "needs one port that is the same on every virtual IP"),
    ],
)
def test_what_cannot_be_served_is_told_and_ends_the_start(start_proxy: Start, options: list[str], text: str) -> None:
    """A configuration that leaves the virtual IP without its proxy never runs in silence."""
    proxy = start_proxy(*options)
    assert proxy.process.wait(WAIT_S) != 0
    assert text in proxy.log


def test_two_modes_for_one_address_are_told(start_proxy: Start) -> None:
    """Two modes without a port would both get the group's: the error names both and the way out."""
    proxy = start_proxy("--mode", "regular", "--mode", "socks5", listen_port=False)
    assert proxy.process.wait(WAIT_S) != 0
    assert f"modes regular and socks5 both want 127.0.0.77 port {proxy.port}." in proxy.log
    assert f"`--mode socks5@{proxy.port + 1}`" in proxy.log


def test_a_taken_port_is_told_once(start_proxy: Start) -> None:
    """The operator reads which address and port, why, and how to find the culprit; mitmproxy does not say it again."""
    with socket.create_server(("127.0.0.77", 0)) as taken:
        port = taken.getsockname()[1]
        proxy = start_proxy(virtual=[("127.0.0.77", port)])
        assert proxy.process.wait(WAIT_S) != 0
    text = f"cannot listen on 127.0.0.77 port {port}: Address already in use. Something else listens there"
    assert f"Addon error: HTTP(S) proxy {text}" in proxy.log
    assert f"] HTTP(S) proxy {text}" not in proxy.log


def test_a_taken_loopback_port_is_no_error(start_proxy: Start) -> None:
    """Self-tests move to a free port when something else has the mode's port on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        proxy = start_proxy("--set", f"listen_port={port}", listen_port=False, virtual=[("127.0.0.77", port)])
        proxy.wait_healthy()
    assert f"127.0.0.1 port {port} is not free" in proxy.log
    assert proxy.said("endpoints")[0][0][3] != port


# --- inside this process --------------------------------------------------------------------------------------------


async def open_listener(*addresses: VirtualAddress) -> FailoverListener:
    listener = FailoverListener(addresses)
    listener.install()
    await listener.open()
    return listener


def open_port(host: str, port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((host, port)) == 0


async def test_a_running_mitmproxy_is_taken_off_the_wildcard(inside: taddons.context) -> None:
    """An addon that is added late stops the wildcard server in order and starts the mode anew."""
    await mitmproxy_internals.set_up_servers()
    (before,) = mitmproxy_internals.instances()
    assert ("0.0.0.0", inside.options.listen_port) in mitmproxy_internals.tcp_names(before)
    await open_listener(virtual("127.0.0.77", inside.options.listen_port))
    (after,) = mitmproxy_internals.instances()
    hosts = {host for host, _ in mitmproxy_internals.tcp_names(after)}
    assert hosts == {"127.0.0.1", "127.0.0.77"}
    assert not before.is_running


async def test_a_change_of_the_modes_at_run_time(inside: taddons.context) -> None:
    """A mode that is added later is served on the virtual IP at its own port; one that is removed stops there."""
    mitmproxy_internals.proxyserver().running()
    listener = await open_listener(virtual("127.0.0.77", inside.options.listen_port))
    other = free_port()
    inside.options.update(mode=[f"regular@{other}"])
    await mitmproxy_internals.set_up_servers()
    assert open_port("127.0.0.77", other)
    assert not open_port("127.0.0.77", inside.options.listen_port)
    assert listener.broken(0.0) is None
    assert {endpoint.port for endpoint in listener.loopback_endpoints()} == {other}


async def test_a_deaf_socket_is_found_and_replaced(inside: taddons.context) -> None:
    """A listening socket that is shut down behind our back is named at the next look, and can be reopened."""
    port = inside.options.listen_port
    listener = await open_listener(virtual("127.0.0.77", port))
    assert listener.broken(0.0) is None
    (deaf,) = mitmproxy_internals.listening_on([ip_address("127.0.0.77")])
    deaf.shutdown(socket.SHUT_RDWR)
    phrase = f"the listening socket of 127.0.0.77 port {port} is shut down and accepts nothing"
    assert listener.broken(0.0) == phrase
    assert listener.broken(0.0) == phrase, "it stays broken until it is replaced"
    await listener.reopen()
    assert listener.broken(0.0) is None
    assert open_port("127.0.0.77", port)


async def test_a_replaced_descriptor_is_found(inside: taddons.context) -> None:
    """A descriptor that has become another socket behind our back is not taken for the listener."""
    listener = await open_listener(virtual("127.0.0.77", inside.options.listen_port))
    (ours,) = [each.socket for each in listener._listening if each.virtual]
    assert listener.broken(0.0) is None  # and keeps its name in mind
    with socket.create_server(("127.0.0.1", 0)) as other:
        os.dup2(other.fileno(), ours.fileno())
    assert "is now another one" in str(listener.broken(0.0))
    await listener.reopen()
    assert listener.broken(0.0) is None


async def test_a_link_local_virtual_ip_is_bound_with_its_interface(inside: taddons.context) -> None:
    """It is found in order, taken for this process under its plain name too, and never for the self-tests' address."""
    port = inside.options.listen_port
    listener = await open_listener(virtual("fe80::77%lo", port))
    (ours,) = [each.socket for each in listener._listening if each.virtual]
    assert ours.getsockname() == ("fe80::77", port, 0, socket.if_nametoindex("lo"))
    assert listener.broken(0.0) is None
    assert ("fe80::77%lo", port) in listener.listening_addresses()
    assert [endpoint.host for endpoint in listener.loopback_endpoints()] == ["127.0.0.1"]
    assert len(mitmproxy_internals.listening_on([ip_address("fe80::77")])) == 1
    ours.shutdown(socket.SHUT_RDWR)
    assert str(listener.broken(0.0)).startswith(f"the listening socket of fe80::77%lo port {port} is shut down")
    await listener.reopen()
    assert listener.broken(0.0) is None


async def test_a_stopped_server_is_broken(inside: taddons.context) -> None:
    """With the option server off nothing is served: the node must not hold the virtual IP."""
    mitmproxy_internals.proxyserver().running()
    listener = await open_listener(virtual("127.0.0.77", inside.options.listen_port))
    inside.options.update(server=False)
    await mitmproxy_internals.set_up_servers()
    assert "nothing is served" in str(listener.broken(0.0))
    inside.options.update(server=True)
    await mitmproxy_internals.set_up_servers()
    assert listener.broken(0.0) is None


async def test_uninstall_leaves_the_virtual_ip_and_the_patch(inside: taddons.context) -> None:
    """After uninstall nothing listens on the virtual IP, and a second listener may be installed."""
    address = virtual("127.0.0.77", inside.options.listen_port)
    listener = await open_listener(address)
    with pytest.raises(ListenerError, match="already installed"):
        FailoverListener([address]).install()
    listener.uninstall()
    assert not open_port("127.0.0.77", address.port)
    second = await open_listener(address)
    assert second.broken(0.0) is None


async def test_close_listeners_is_the_last_step(inside: taddons.context) -> None:
    """After close_listeners no socket of ours listens."""
    listener = await open_listener(virtual("127.0.0.77", inside.options.listen_port))
    listener.close_listeners()
    assert not open_port("127.0.0.77", inside.options.listen_port)
    assert not open_port("127.0.0.1", inside.options.listen_port)


async def test_listening_addresses_name_what_means_this_process(inside: taddons.context) -> None:
    """The virtual IPs count even while their sockets are closed, and so does a mode's own port on them."""
    other = free_port()
    inside.options.update(mode=[f"regular@{other}"])
    listener = await open_listener(virtual("127.0.0.77", 8080))
    assert set(listener.listening_addresses()) == {("127.0.0.77", 8080), ("127.0.0.77", other), ("127.0.0.1", other)}


async def test_few_accepts_per_turn(inside: taddons.context, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop accepts at most four clients before it turns, however many wait (4096 of them stalled it for 2 s)."""
    turns: list[int] = []
    port = inside.options.listen_port
    await open_listener(virtual("127.0.0.77", port))
    loop: Any = asyncio.get_running_loop()
    accept = loop._accept_connection2
    turn = 0

    def count_turn() -> None:
        nonlocal turn
        turn += 1
        if len(turns) < len(clients):
            loop.call_soon(count_turn)

    async def counted(*arguments: Any) -> None:
        turns.append(turn)
        await accept(*arguments)

    monkeypatch.setattr(loop, "_accept_connection2", counted)
    clients = [socket.create_connection(("127.0.0.77", port)) for _ in range(40)]
    count_turn()
    await until(lambda: len(turns) == len(clients))
    for client in clients:
        client.close()
    assert max(turns.count(each) for each in turns) <= 4


async def test_clients_are_not_slowed_by_nagle(inside: taddons.context) -> None:
    """An accepted connection has TCP_NODELAY as with a stock listener: else answers wait for delayed ACKs (40 ms)."""
    port = inside.options.listen_port
    await open_listener(virtual("127.0.0.77", port))
    with socket.create_connection(("127.0.0.77", port)):
        await until(mitmproxy_internals.tcp_handlers)
        transport = mitmproxy_internals.client_transport(mitmproxy_internals.tcp_handlers()[0])
        assert transport is not None
        assert transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_only_http_clients_have_gone_when_they_close(inside: taddons.context) -> None:
    """One of SOCKS may carry what ends with a FIN and is answered after it."""
    inside.options.update(mode=["regular", f"socks5@{free_port()}"])
    listener = await open_listener(virtual("127.0.0.77", inside.options.listen_port))
    assert {each.instance.mode.type_name: each.socket.wants_answers for each in listener._listening} == {
        "regular": True,
        "socks5": False,
    }
