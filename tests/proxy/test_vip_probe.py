"""Probes of a real mitmproxy: answered, without a flow; and what is no proxy is none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from ipaddress import ip_address

import pytest

from tests.proxy.processes import Proxy
from tests.proxy.processes import free_port
from tests.proxy.processes import until
from wsa_proxy.proxy import vip_probe
from wsa_proxy.proxy.listener import LoopbackEndpoint
from wsa_proxy.proxy.vip_probe import probe

VIP = ip_address("127.0.0.77")


def serving(mode: str) -> Callable[[], list[LoopbackEndpoint]]:
    return lambda: [LoopbackEndpoint(mode, mode, "127.0.0.1", 8080)]


HOOKS = """
def client_connected(client): print("HOOK client_connected", flush=True)
def requestheaders(flow): print("HOOK requestheaders", flush=True)
def request(flow): print("HOOK request", flush=True)
def error(flow): print("HOOK error", flush=True)
def server_connect(data): print("HOOK server_connect", flush=True)
"""


@pytest.mark.parametrize("mode", ["regular", "socks5"])
async def test_mitmproxy_answers_and_tells_nobody_of_a_request(mode: str, start_proxy: Callable[..., Proxy]) -> None:
    """It refuses a request for nothing by itself: no addon hears of a flow."""
    proxy = await asyncio.to_thread(start_proxy, "--mode", mode, after=HOOKS)
    await asyncio.to_thread(proxy.wait_until, "listening")
    for _ in range(3):
        assert await probe(serving(mode), VIP, proxy.port)
    await until(lambda: proxy.log.count("HOOK") >= 3)
    assert proxy.log.count("HOOK client_connected") == proxy.log.count("HOOK") == 3


async def test_nobody_listens() -> None:
    assert not await probe(serving("regular"), VIP, free_port())


@pytest.mark.parametrize("says", [b"SSH-2.0-server\r\n", b""])
async def test_something_else_listens(says: bytes) -> None:
    """Or hangs up without a word."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(says)
        writer.close()

    server = await asyncio.start_server(serve, str(VIP), 0)
    port = server.sockets[0].getsockname()[1]
    assert not await probe(serving("regular"), VIP, port)
    assert await probe(serving("reverse"), VIP, port), "it can only be asked for something of a server"
    server.close()


async def test_a_silent_one_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It accepts, and answers nothing."""
    monkeypatch.setattr(vip_probe, "LIMIT_S", 0.05)
    server = await asyncio.start_server(lambda reader, writer: asyncio.sleep(0.2), str(VIP), 0)
    assert not await probe(serving("regular"), VIP, server.sockets[0].getsockname()[1])
    server.close()
