from __future__ import annotations

import asyncio
import gc
import logging
import socket
from typing import Any

import pytest
from mitmproxy.addons.upstream_auth import UpstreamAuth
from mitmproxy.connection import Client
from mitmproxy.proxy.layers.http._hooks import HttpConnectHook
from mitmproxy.proxy.layers.http._hooks import HttpRequestHeadersHook
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.proxy.server_hooks import ClientConnectedHook
from mitmproxy.proxy.server_hooks import ClientDisconnectedHook
from mitmproxy.proxy.server_hooks import ServerConnectHook
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.test import taddons
from mitmproxy.test import tflow

from wsa_proxy.proxy import self_tests
from wsa_proxy.proxy.self_tests import SelfTests


def client_at(name: Any) -> Client:
    client = tflow.tclient_conn()
    client.peername = name
    return client


def connect(client: socket.socket, queue: socket.socket) -> None:
    """To somebody who has not accepted it yet."""
    client.setblocking(True)
    client.connect(queue.getsockname())


def passes(tests: SelfTests, name: Any) -> bool:
    """Whether a line of mitmproxy's about this client reaches the log."""
    record = logging.LogRecord("mitmproxy.proxy.server", logging.INFO, "", 0, "client connect", None, None)
    record.client = name
    return tests._hidden.filter(record)


async def test_no_client_can_pass_for_a_self_test() -> None:
    """It is known by its own address and port, from its first hook on; the token alone helps nobody."""
    tests = SelfTests()
    with tests.own_socket("127.0.0.1") as (client, token):
        name = client.getsockname()
        other = client_at(("127.0.0.2", name[1]))
        assert not tests.is_self_test(other, first=True)
        late = client_at(name)
        assert not tests.is_self_test(late), "its first hook went to the addons"
        mine = client_at(name)
        assert tests.is_self_test(mine, first=True) and tests.is_self_test(mine)
        assert not tests.is_self_test(client_at(name), first=True), "one connection for one self-test"
        assert not tests.was_seen(token)
        await tests.handle(ClientConnectedHook(mine), mine)
        await tests.handle(ClientDisconnectedHook(mine), mine)
        assert tests.was_seen(token), "whoever asks may hear of the end first"


async def test_only_the_token_is_answered() -> None:
    """The answer repeats it, so that it comes from this process; no other path is answered, and no server is asked."""
    tests = SelfTests()
    with tests.own_socket("127.0.0.1") as (client, token):
        flow = tflow.tflow()
        flow.client_conn = client_at(client.getsockname())
        assert tests.is_self_test(flow.client_conn, first=True)
        flow.request.path = f"/{token[1:]}"
        await tests.handle(HttpRequestHeadersHook(flow), flow.client_conn)
        assert flow.response is None
        flow.request.path = f"/{token}"
        await tests.handle(HttpRequestHeadersHook(flow), flow.client_conn)
        assert flow.response is not None and flow.response.text == token
        tunnel = tflow.tflow()
        await tests.handle(HttpConnectHook(tunnel), flow.client_conn)
        assert tunnel.response is not None and tunnel.response.status_code == 200
        server = ServerConnectionHookData(flow.server_conn, flow.client_conn)
        await tests.handle(ServerConnectHook(server), flow.client_conn)
        assert server.server.error


async def test_a_connection_that_mitmproxy_takes_late_is_still_one() -> None:
    """The self-test has given up meanwhile: its connection, still in the kernel's queue, is hidden when it comes."""
    tests = SelfTests()
    with socket.create_server(("127.0.0.1", 0)) as queue, tests.own_socket("127.0.0.1") as (client, _):
        connect(client, queue)
        name = client.getsockname()
    late = client_at(name)
    assert not passes(tests, name)
    assert tests.is_self_test(late, first=True)
    await tests.handle(ClientConnectedHook(late), late)
    await tests.handle(ClientDisconnectedHook(late), late)
    assert passes(tests, name) and not tests._seen
    assert tests.is_self_test(late), "hooks may come after the connection's end"


@pytest.mark.parametrize("refused", [True, False])
async def test_the_port_of_one_that_never_came_is_anybodys(refused: bool) -> None:
    """The kernel gives it to the next program of this host at once; nobody may pass the other addons by with it."""
    tests = SelfTests()
    with socket.create_server(("127.0.0.1", 0)) as nobody, tests.own_socket("127.0.0.1", to_server=True) as (client, _):
        name = client.getsockname()
        if refused:
            connect(client, nobody)
            nobody.close()  # resets who waits in its queue
    assert not tests.is_self_test(client_at(name), first=True) and passes(tests, name)


async def test_one_that_was_refused_after_it_was_seen_is_hidden_to_its_end() -> None:
    """mitmproxy's last line about it comes after the client's end of the connection."""
    tests = SelfTests()
    with tests.own_socket("127.0.0.1") as (client, _):
        mine = client_at(client.getsockname())
        assert tests.is_self_test(mine, first=True)
        await tests.handle(ClientConnectedHook(mine), mine)
    assert not passes(tests, mine.peername)
    await tests.handle(ClientDisconnectedHook(mine), mine)
    assert passes(tests, mine.peername)


async def test_nothing_is_remembered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A self-test that mitmproxy never saw is forgotten after a while, one that it saw with the connection."""
    monkeypatch.setattr(self_tests, "KNOWN_S", 0)
    tests = SelfTests()
    with socket.create_server(("127.0.0.1", 0)) as queue, tests.own_socket("127.0.0.1") as (client, _):
        connect(client, queue)
        name = client.getsockname()
        seen = client_at(name)
    with tests.own_socket("127.0.0.1") as (client, _):
        assert tests.is_self_test(client_at(client.getsockname()), first=True)
    await asyncio.sleep(0.01)
    assert not tests.is_self_test(seen, first=True) and passes(tests, name)
    del seen
    gc.collect()
    assert not tests._expected and not tests._clients and not tests._seen and not tests._hidden.hidden


async def test_a_port_that_is_used_again_belongs_to_the_newer_one() -> None:
    """What is forgotten of an earlier self-test is not the later one's."""
    tests = SelfTests()
    with tests.own_socket("127.0.0.1") as (client, _):
        name = client.getsockname()
        tests._forget(name, "an earlier one's token")
        assert tests.is_self_test(client_at(name), first=True)


async def test_one_that_goes_to_a_server_is_not_answered_here(inside: taddons.context) -> None:
    """It is hidden as well, but its tunnel, its request and its connection are real; mitmproxy's own addons help."""
    inside.master.addons.add(UpstreamAuth())
    inside.options.update(upstream_auth="user:word")
    tests = SelfTests()
    with tests.own_socket("127.0.0.1", to_server=True) as (client, token):
        flow = tflow.tflow()
        flow.client_conn = client_at(client.getsockname())
        flow.client_conn.proxy_mode = ProxyMode.parse("upstream:http://192.0.2.7:3128")
        assert tests.is_self_test(flow.client_conn, first=True)
        flow.request.path = f"/{token}"
        server = ServerConnectionHookData(flow.server_conn, flow.client_conn)
        for hook in (HttpConnectHook(flow), HttpRequestHeadersHook(flow), ServerConnectHook(server)):
            await tests.handle(hook, flow.client_conn)
        assert flow.response is None and server.server.error is None
        assert flow.request.headers["Proxy-Authorization"].startswith("Basic ")


async def test_a_members_probe_is_known_each_time() -> None:
    """By the address and the port that it has told; as long as it tells them, and not by the port alone."""
    tests = SelfTests()
    name = ("10.0.0.2", 4000)
    tests.expect_members([name])
    for _ in range(2):
        probe = client_at(name)
        assert tests.is_self_test(probe, first=True) and not passes(tests, name)
        await tests.handle(ClientConnectedHook(probe), probe)
        await tests.handle(ClientDisconnectedHook(probe), probe)
    assert not tests.is_self_test(client_at(("10.0.0.3", 4000)), first=True) and passes(tests, ("10.0.0.3", 4000))
    flow = tflow.tflow()
    flow.client_conn, flow.request.path = probe, "/"
    await tests.handle(HttpRequestHeadersHook(flow), probe)
    assert flow.response is None, "no request is right"
    tests.expect_members([])
    assert not tests.is_self_test(client_at(name), first=True) and passes(tests, name)
