"""Questions to a real mitmproxy about its virtual IP: answered, and seen by nobody."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from ipaddress import ip_address

import pytest

from tests.proxy.processes import Proxy
from tests.proxy.processes import free_port
from tests.proxy.processes import until
from wsa_proxy.proxy import service_probe
from wsa_proxy.proxy.listener import LoopbackEndpoint
from wsa_proxy.proxy.self_tests import SelfTests
from wsa_proxy.proxy.service_probe import ServiceProbe
from wsa_proxy.runtime.service_watch import THIS_PROCESS
from wsa_proxy.runtime.service_watch import Answered

VIP = ip_address("127.0.0.77")

# An addon that writes down what reaches it, and knows where the members ask from, as a node does by their reports.
MEMBER = """
import logging
from mitmproxy import ctx
class Knows:
    def running(self):
        ctx.master.addons.lookup["failover"].self_tests.expect_members([("127.0.0.1", {port})])
        logging.info("TEST knows")
    def client_connected(self, client): logging.info("TEST sees " + str(client.peername))
    def requestheaders(self, flow): logging.info("TEST sees a request")
    def error(self, flow): logging.info("TEST sees an error")
    def server_connect(self, data): logging.info("TEST sees a server")
addons = [Knows()]
"""

# The process asks itself.
ITSELF = """
import asyncio, json, logging
from ipaddress import ip_address
from mitmproxy import ctx
from wsa_proxy.proxy.service_probe import ServiceProbe
class Asks:
    async def running(self):
        failover = ctx.master.addons.lookup["failover"]
        while not failover.listener.loopback_endpoints():
            await asyncio.sleep(0.01)
        probe = ServiceProbe(failover.self_tests, failover.listener.loopback_endpoints)
        answers = [await probe.ask(ip_address("127.0.0.77"), ctx.options.listen_port, here=True) for _ in range(3)]
        logging.info("TEST answers " + json.dumps([(each.is_well, each.evidence) for each in answers]))
    def client_connected(self, client): logging.info("TEST sees " + str(client.peername))
addons = [Asks()]
"""


def serving(mode: str) -> Callable[[], list[LoopbackEndpoint]]:
    return lambda: [LoopbackEndpoint(mode, mode, "127.0.0.1", 8080)]


@pytest.mark.parametrize("mode", ["regular", "socks5"])
async def test_a_member_is_answered_and_shown_to_nobody(mode: str, start_proxy: Callable[..., Proxy]) -> None:
    """No line, no hook; and whoever else comes from the same host is a client."""
    probe = ServiceProbe(SelfTests(), serving(mode))
    port = probe.open()
    proxy = await asyncio.to_thread(start_proxy, "--mode", mode, after=MEMBER.format(port=port))
    await asyncio.to_thread(proxy.wait_until, "knows")
    for _ in range(3):  # from the same port to the same place, at once
        assert await probe.ask(VIP, proxy.port, here=False) == Answered(True, "answers")
    probe.close()
    assert await probe.ask(VIP, proxy.port, here=False) == Answered(True, "answers")
    await until(lambda: "sees" in proxy.log)
    assert proxy.log.count("TEST sees") == proxy.log.count("client connect") == 1


async def test_a_member_reaches_no_server(start_proxy: Callable[..., Proxy]) -> None:
    """Who could pass for one is hidden from the addons, so he must get nothing that they would have to allow."""
    reserved = ServiceProbe(SelfTests(), serving("regular"))
    port = reserved.open()
    proxy = await asyncio.to_thread(start_proxy, after=MEMBER.format(port=port))
    await asyncio.to_thread(proxy.wait_until, "knows")
    asked = f"http://127.0.0.1:{free_port()}"
    for request in (f"GET {asked}/ HTTP/1.1\r\nHost: x\r\n\r\n", f"CONNECT {asked[7:]} HTTP/1.1\r\n\r\n"):
        with reserved._socket_of(VIP) as client:
            loop = asyncio.get_running_loop()
            await loop.sock_connect(client, (str(VIP), proxy.port))
            await loop.sock_sendall(client, request.encode())
            answer = await asyncio.wait_for(loop.sock_recv(client, 4096), 10)
            if request.startswith("CONNECT"):  # it is told of a tunnel, which leads nowhere
                await loop.sock_sendall(client, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                answer = await asyncio.wait_for(loop.sock_recv(client, 4096), 10)
            assert not answer or b" 502 " in answer.split(b"\r\n")[0] or b" 400 " in answer.split(b"\r\n")[0]
    assert "TEST sees" not in proxy.log
    assert asked.rpartition(":")[2] not in proxy.sockets_file.read_text()
    reserved.close()


async def test_the_process_that_has_the_address_asks_itself(start_proxy: Callable[..., Proxy]) -> None:
    """As one of its self-tests."""
    proxy = await asyncio.to_thread(start_proxy, after=ITSELF)
    await asyncio.to_thread(proxy.wait_until, "answers")
    answers = json.loads(proxy.log.split("TEST answers ")[1].splitlines()[0])
    assert answers == [[True, "answers"]] * 3
    assert "TEST sees" not in proxy.log and "client connect" not in proxy.log


async def test_nobody_is_there() -> None:
    """In words that an operator knows."""
    probe = ServiceProbe(SelfTests(), serving("regular"))
    refused = Answered(False, "Connection refused")
    assert await probe.ask(VIP, free_port(), here=False) == await probe.ask(VIP, free_port(), here=True) == refused
    assert not (await probe.ask(ip_address("192.0.2.77"), 8080, here=True)).is_well


@pytest.mark.parametrize(
    ("says", "evidence"),
    [(b"SSH-2.0-server\r\n", "something else than this proxy answers"), (b"", "has hung up")],
)
async def test_something_else_is_there(says: bytes, evidence: str) -> None:
    """Or hangs up without a word; a mode that can only be asked for something of a server is believed."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(says)
        writer.close()

    server = await asyncio.start_server(serve, str(VIP), 0)
    port = server.sockets[0].getsockname()[1]
    assert await ServiceProbe(SelfTests(), serving("regular")).ask(VIP, port, here=False) == Answered(False, evidence)
    believed = Answered(True, "accepts connections")
    assert await ServiceProbe(SelfTests(), serving("reverse")).ask(VIP, port, here=False) == believed
    server.close()


async def test_a_silent_one_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel accepts, and the proxy does not."""
    monkeypatch.setattr(service_probe, "LIMIT_S", 0.05)
    with socket.create_server((str(VIP), 0)) as queue:
        answered = await ServiceProbe(SelfTests(), serving("regular")).ask(VIP, queue.getsockname()[1], here=False)
    assert answered == Answered(False, "no answer within 0.05 s")


async def test_this_process_is_expected_as_well() -> None:
    """It may become master between its question and the answer."""
    tests = SelfTests()
    probe = ServiceProbe(tests, serving("regular"))
    port = probe.open()
    probe.expect([("10.0.0.1", THIS_PROCESS), ("10.0.0.2", 4000)])
    assert tests._hidden.members == {("10.0.0.1", port), ("10.0.0.2", 4000)}
    probe.close()
    probe.close()


async def test_without_a_port_it_asks_from_any(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The others' logs show it then, which is said once."""

    def refuse(*_: object) -> None:
        raise OSError("no ports left")

    probe = ServiceProbe(SelfTests(), serving("regular"))
    monkeypatch.setattr(socket.socket, "bind", refuse)
    assert probe.open() == 0 and "no ports left" in caplog.text
