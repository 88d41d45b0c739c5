from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path
from typing import Any

import pytest
from mitmproxy.addons.next_layer import NextLayer as NextLayerAddon
from mitmproxy.addons.tlsconfig import TlsConfig
from mitmproxy.connection import Server
from mitmproxy.hooks import Hook
from mitmproxy.hooks import UpdateHook
from mitmproxy.options import Options
from mitmproxy.proxy import server_hooks
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.events import DataReceived
from mitmproxy.proxy.layer import NextLayer
from mitmproxy.proxy.layer import NextLayerHook
from mitmproxy.proxy.layers import ClientTLSLayer
from mitmproxy.proxy.layers import HttpLayer
from mitmproxy.proxy.layers import ServerTLSLayer
from mitmproxy.proxy.layers.http import HTTPMode
from mitmproxy.proxy.layers.http._hooks import HttpRequestHook
from mitmproxy.proxy.layers.modes import HttpProxy
from mitmproxy.proxy.layers.modes import HttpUpstreamProxy
from mitmproxy.proxy.layers.modes import ReverseProxy
from mitmproxy.proxy.layers.modes import Socks5AuthData
from mitmproxy.proxy.layers.modes import Socks5AuthHook
from mitmproxy.proxy.layers.modes import TransparentProxy
from mitmproxy.proxy.layers.tcp import TcpStartHook
from mitmproxy.proxy.layers.tls import TlsStartClientHook
from mitmproxy.proxy.mode_servers import AsyncioServerInstance
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.test import taddons
from mitmproxy.test import tflow
from mitmproxy.tls import TlsData

from tests.proxy.processes import until
from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy.mitmproxy_internals import ExpectedErrors
from wsa_proxy.proxy.mitmproxy_internals import HiddenClients


async def test_listen_is_taken_over_and_given_back(inside: taddons.context) -> None:
    """mitmproxy asks our method to bind, once; a second owner is refused; afterwards everything is as before."""
    asked = []

    async def listen(instance: Any, host: str, port: int) -> list[Any]:
        asked.append((instance.mode.full_spec, host, port))
        return []

    stock = AsyncioServerInstance.listen
    mitmproxy_internals.take_over_listen(listen)
    with pytest.raises(RuntimeError):
        mitmproxy_internals.take_over_listen(listen)
    await mitmproxy_internals.set_up_servers()
    assert asked == [("regular", "", inside.options.listen_port)]
    mitmproxy_internals.give_back_listen()
    assert AsyncioServerInstance.listen is stock


async def test_a_starting_wildcard_server_is_withdrawn(
    inside: taddons.context, caplog: pytest.LogCaptureFixture
) -> None:
    """In the turn in which the servers were started none of them reaches the wildcard or the log."""
    expected = ExpectedErrors()
    expected.install()
    starting = asyncio.get_running_loop().create_task(mitmproxy_internals.set_up_servers())
    assert mitmproxy_internals.is_updating()
    assert mitmproxy_internals.withdraw_starting(expected) == []
    await starting
    expected.uninstall()
    assert mitmproxy_internals.instances() == []
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", inside.options.listen_port)) != 0


def test_only_the_expected_errors_are_dropped_once_each() -> None:
    """An error that was announced is dropped as often as it was announced, every other one passes."""
    expected = ExpectedErrors()
    expected.expect("ours")

    def passes(text: str) -> bool:
        return expected.filter(logging.LogRecord("x", logging.ERROR, "", 0, text, None, None))

    assert [passes("theirs"), passes("ours"), passes("ours")] == [True, False, True]


def test_only_the_hidden_clients_lines_are_dropped() -> None:
    """Errors and other clients' lines pass."""
    hidden = HiddenClients()
    hidden.hidden["127.0.0.1", 40000] = "token"

    def passes(level: int, client: tuple[str, int] | None) -> bool:
        record = logging.LogRecord("x", level, "", 0, "client connect", None, None)
        record.client = client
        return hidden.filter(record)

    assert not passes(logging.INFO, ("127.0.0.1", 40000))
    assert passes(logging.INFO, ("127.0.0.1", 40001))
    assert passes(logging.INFO, None)
    assert not passes(logging.WARNING, ("127.0.0.1", 40000))
    assert passes(logging.ERROR, ("127.0.0.1", 40000))


@pytest.mark.parametrize(("spec", "owns"), [("regular", True), ("socks5", True), ("dns", True), ("local", False)])
async def test_which_modes_own_sockets(inside: taddons.context, spec: str, owns: bool) -> None:
    """Local and tun modes bind nothing, so there is nothing to move."""
    assert mitmproxy_internals.owns_sockets(ProxyMode.parse(spec)) is owns


async def test_a_client_is_ended(inside: taddons.context) -> None:
    """end_client ends one connection and its handler; a second call for it is harmless."""
    await mitmproxy_internals.set_up_servers()
    with socket.create_connection(("127.0.0.1", inside.options.listen_port)) as client:
        client.setblocking(False)
        await until(mitmproxy_internals.tcp_handlers)
        known = mitmproxy_internals.tcp_handlers()[0].client
        assert mitmproxy_internals.is_connected(known.id)
        mitmproxy_internals.end_client(known)
        assert await asyncio.get_running_loop().sock_recv(client, 1) == b""
        await until(lambda: not mitmproxy_internals.is_connected(known.id))
        mitmproxy_internals.end_client(known)


def test_the_upstream_proxy_of_a_server() -> None:
    """None without one."""
    assert mitmproxy_internals.upstream_proxy(Server(address=("a", 1))) is None
    assert mitmproxy_internals.upstream_proxy(Server(address=("a", 1), via=("http", ("b", 2)))) == ("b", 2)


async def test_nothing_is_started_or_stopped_while_the_lock_is_held(inside: taddons.context) -> None:
    """It is the lock by which mitmproxy itself knows that it is updating."""
    assert not mitmproxy_internals.is_updating()
    async with mitmproxy_internals.updating():
        assert mitmproxy_internals.is_updating()
        starting = asyncio.get_running_loop().create_task(mitmproxy_internals.set_up_servers())
        await asyncio.sleep(0)
        assert not starting.done() and mitmproxy_internals.instances() == []
    await starting
    assert len(mitmproxy_internals.instances()) == 1


def test_whose_connection_a_hook_is_about() -> None:
    """Every hook that mitmproxy has for a connection leads to its client; the others lead to none."""
    flow = tflow.tflow()
    client = flow.client_conn
    context = Context(client, Options())
    for hook in (
        server_hooks.ClientConnectedHook(client),
        server_hooks.ServerConnectHook(server_hooks.ServerConnectionHookData(flow.server_conn, client)),
        NextLayerHook(NextLayer(context)),
        TlsStartClientHook(TlsData(client, context)),
        Socks5AuthHook(Socks5AuthData(client, "user", "word")),
        HttpRequestHook(flow),
        TcpStartHook(tflow.ttcpflow(client_conn=client)),
    ):
        for _ in range(2):  # looked for, then remembered
            assert mitmproxy_internals.client_of(hook) is client, hook
    assert mitmproxy_internals.client_of(UpdateHook([flow])) is None


async def test_the_hooks_are_taken_over_and_given_back(inside: taddons.context) -> None:
    """Our method gets the hooks of real connections; a second owner is refused; afterwards everything is as before."""
    names = []

    async def handle(hook: Hook) -> None:
        names.append(hook.name)
        await stock(hook)

    stock = mitmproxy_internals.take_over_hooks(handle)
    with pytest.raises(RuntimeError):
        mitmproxy_internals.take_over_hooks(handle)
    await mitmproxy_internals.set_up_servers()
    with socket.create_connection(("127.0.0.1", inside.options.listen_port)):
        await until(mitmproxy_internals.tcp_handlers)
    await until(lambda: names == ["client_connected", "client_disconnected"])
    mitmproxy_internals.give_back_hooks()
    mitmproxy_internals.give_back_hooks()
    assert inside.master.addons.handle_lifecycle == stock


HELLO = bytes.fromhex("160301")


@pytest.mark.parametrize(
    ("above", "data", "chosen", "mode"),
    [
        (HttpProxy, b"GET / HTTP/1.1", [HttpLayer], HTTPMode.regular),
        (HttpUpstreamProxy, b"GET / HTTP/1.1", [HttpLayer], HTTPMode.regular),
        (ReverseProxy, b"GET / HTTP/1.1", [HttpLayer], HTTPMode.transparent),
        (HttpProxy, HELLO, [ClientTLSLayer], None),
        (HttpProxy, HELLO[:2], [], None),
    ],
)
def test_the_layer_without_a_server(above: Any, data: bytes, chosen: list[type], mode: HTTPMode | None) -> None:
    """An upstream proxy is none, a TLS layer towards a server is none, and what cannot be told yet is not decided."""
    asked = asked_below(above, data)
    mitmproxy_internals.choose_layer(asked, to_server=False)
    assert [type(layer) for layer in asked.context.layers[1:]] == chosen
    assert (asked.layer is None) is (chosen == []) and getattr(asked.layer, "mode", None) is mode


@pytest.mark.parametrize(
    ("above", "data", "chosen", "mode"),
    [
        (HttpProxy, b"GET / HTTP/1.1", [HttpLayer], HTTPMode.regular),
        (HttpUpstreamProxy, b"GET / HTTP/1.1", [HttpLayer], HTTPMode.upstream),
        (TransparentProxy, HELLO, [ServerTLSLayer, ClientTLSLayer], None),  # as in a tunnel
    ],
)
def test_the_layer_with_a_server(above: Any, data: bytes, chosen: list[type], mode: HTTPMode | None) -> None:
    """As mitmproxy's own addon would decide without any option."""
    asked, own = asked_below(above, data), asked_below(above, data)
    mitmproxy_internals.choose_layer(asked, to_server=True)
    assert [type(layer) for layer in asked.context.layers[1:]] == chosen
    assert getattr(asked.layer, "mode", None) is mode
    with taddons.context(NextLayerAddon()) as context:
        context.master.addons.get("nextlayer").next_layer(own)
    assert [type(layer) for layer in own.context.layers[1:]] == chosen
    assert getattr(own.layer, "mode", None) is mode


@pytest.mark.parametrize("above", [HttpProxy, HttpUpstreamProxy])
def test_what_a_client_says_to_the_proxy_itself(above: Any) -> None:
    """At first; what it says later is for a server, or protected."""
    asked = asked_below(above, b"GET / HTTP/1.1")
    assert mitmproxy_internals.is_for_proxy(asked)
    HttpLayer(asked.context, HTTPMode.regular)
    assert not mitmproxy_internals.is_for_proxy(asked)


def asked_below(above: Any, data: bytes) -> NextLayer:
    context = Context(tflow.tclient_conn(), Options())
    above(context)
    asked = NextLayer(context)
    asked.events.append(DataReceived(context.client, data))
    return asked


async def test_one_addon_is_called_alone(inside: taddons.context) -> None:
    """By mitmproxy's name for it; one that is not there is not missed."""
    called = []

    class One:
        name = "one"

        async def request(self, flow: Any) -> None:
            called.append("one")

    class Two:
        name = "two"

        def request(self, flow: Any) -> None:
            called.append("two")

    inside.master.addons.add(One(), Two())
    for name in ("one", "two", "one", "nobody"):
        await mitmproxy_internals.call_addon(name, HttpRequestHook(tflow.tflow()))
    assert called == ["one", "two", "one"]


async def test_which_certificate_a_client_is_shown(inside: taddons.context, tmp_path: Path) -> None:
    """One made by mitmproxy's CA for the name; or the operator's own for every name."""
    tls = TlsConfig()
    inside.master.addons.add(tls)
    inside.options.update(confdir=str(tmp_path))
    ca = (tmp_path / "mitmproxy-ca-cert.pem").read_text()
    assert mitmproxy_internals.expected_certificate("any.invalid") == (ca, True)
    inside.options.update(certs=[f"*.example.com={tmp_path / 'mitmproxy-ca.pem'}"])
    assert mitmproxy_internals.expected_certificate("any.invalid") == (ca, True)
    assert mitmproxy_internals.expected_certificate("www.example.com") == (ca, False)
    inside.options.update(certs=[str(tmp_path / "mitmproxy-ca.pem")])
    assert mitmproxy_internals.expected_certificate("any.invalid") == (ca, False)


async def test_without_the_addon_for_tls_it_is_said(inside: taddons.context) -> None:
    """A mitmproxy that cannot answer TLS is named."""
    with pytest.raises(RuntimeError, match="tlsconfig"):
        mitmproxy_internals.tlsconfig()
    inside.master.addons.add(TlsConfig())
    assert callable(mitmproxy_internals.tlsconfig().tls_start_client)


async def test_no_mode_listens_any_more(inside: taddons.context) -> None:
    """New clients are refused, the one that is served stays; once more is harmless."""
    await mitmproxy_internals.set_up_servers()
    address = ("127.0.0.1", inside.options.listen_port)
    with socket.create_connection(address):
        await until(mitmproxy_internals.tcp_handlers)
        mitmproxy_internals.stop_listening()
        mitmproxy_internals.stop_listening()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
        assert len(mitmproxy_internals.tcp_handlers()) == 1
