from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.hooks import Hook
from mitmproxy.proxy.layers.http._hooks import HttpRequestHook
from mitmproxy.test import taddons
from mitmproxy.test import tflow

from tests.proxy.processes import until
from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy.hook_calls import HookCalls
from wsa_proxy.proxy.self_tests import SelfTests


class Observer:
    """Writes down what it is told."""

    def __init__(self, name: str, told: list[Any]) -> None:
        self.name = name
        self.told = told
        self.error: Exception | None = None

    def began(self, hook: Hook) -> None:
        self.told.append((self.name, "began", hook.name))
        if self.error is not None:
            raise self.error

    def ended(self, hook: Hook) -> None:
        self.told.append((self.name, "ended", hook.name))
        if self.error is not None:
            raise self.error


class Addon:
    """One that does what the test says."""

    def __init__(self, told: list[Any]) -> None:
        self.told = told
        self.waits = asyncio.Event()

    async def request(self, flow: http.HTTPFlow) -> None:
        self.told.append("addon")
        await self.waits.wait()


@pytest.fixture
def told() -> list[Any]:
    return []


@pytest.fixture
def calls(inside: taddons.context, told: list[Any]) -> Iterator[HookCalls]:
    calls = HookCalls(SelfTests())
    calls.install()
    calls.observers += [Observer("one", told), Observer("two", told)]
    yield calls
    calls.uninstall()


AROUND = [
    *(("one", "began", "request"), ("two", "began", "request"), "addon"),
    *(("one", "ended", "request"), ("two", "ended", "request")),
]


async def test_observers_are_told_around_the_addons(inside: taddons.context, calls: HookCalls, told: list[Any]) -> None:
    """Before the first addon and after the last, in their order; without the wrapper mitmproxy is as it was."""
    addon = Addon(told)
    addon.waits.set()
    inside.master.addons.add(addon)
    await inside.master.addons.handle_lifecycle(HttpRequestHook(tflow.tflow()))
    assert told == AROUND
    calls.uninstall()
    calls.uninstall()
    await inside.master.addons.handle_lifecycle(HttpRequestHook(tflow.tflow()))
    assert told == [*AROUND, "addon"]


async def test_an_addon_that_is_cancelled_has_ended(inside: taddons.context, calls: HookCalls, told: list[Any]) -> None:
    """Whatever ends the addons' call, the observers hear of it and mitmproxy too."""
    addon = Addon(told)
    inside.master.addons.add(addon)
    call = asyncio.get_running_loop().create_task(inside.master.addons.handle_lifecycle(HttpRequestHook(tflow.tflow())))
    await asyncio.sleep(0)
    assert told == AROUND[:3]
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert told == AROUND


async def test_an_observer_that_fails_harms_nobody(
    inside: taddons.context, calls: HookCalls, told: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The addons are called, the other observers are told, and the error is in the log."""
    addon = Addon(told)
    addon.waits.set()
    inside.master.addons.add(addon)
    failing = calls.observers[0]
    assert isinstance(failing, Observer)
    failing.error = KeyError("of the observer")
    await inside.master.addons.handle_lifecycle(HttpRequestHook(tflow.tflow()))
    assert told == AROUND
    assert caplog.text.count("an observer of the hooks failed at request") == 2


async def test_what_is_answered_here_is_seen_by_nobody(
    inside: taddons.context, calls: HookCalls, told: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """No addon and no observer; who should have answered and fails has not answered."""
    addon = Addon(told)
    addon.waits.set()
    inside.master.addons.add(addon)
    hook, asked = HttpRequestHook(tflow.tflow()), []

    def answers(hook: Hook) -> bool:
        asked.append(hook)
        if len(asked) == 3:
            raise KeyError("of whoever answers")
        return len(asked) == 1

    calls.answers = answers
    await inside.master.addons.handle_lifecycle(hook)
    assert told == [] and asked == [hook]
    await inside.master.addons.handle_lifecycle(hook)
    assert told == AROUND
    await inside.master.addons.handle_lifecycle(hook)
    assert told == AROUND * 2 and "the PAC file failed at request" in caplog.text


class Witness:
    """Sees every hook of a connection, and refuses every client."""

    def __init__(self, told: list[Any]) -> None:
        self.told = told

    def client_connected(self, client: Any) -> None:
        self.told.append("client_connected")
        client.error = "nobody comes in"

    def __getattr__(self, name: str) -> Any:
        if name not in ("requestheaders", "request", "response", "next_layer", "client_disconnected", "update"):
            raise AttributeError(name)
        return lambda _: self.told.append(name)


async def test_nobody_sees_a_self_test(inside: taddons.context, calls: HookCalls, told: list[Any]) -> None:
    """No addon, wherever it stands, and no observer: the answer is the product's own. Another client is seen by all."""
    inside.master.addons.add(Witness(told))
    chain = inside.master.addons.chain
    chain.insert(0, chain.pop())
    await mitmproxy_internals.set_up_servers()
    loop, port = asyncio.get_running_loop(), inside.options.listen_port
    with calls._self_tests.own_socket("127.0.0.1") as (client, token):
        await loop.sock_connect(client, ("127.0.0.1", port))
        await loop.sock_sendall(client, f"GET http://any.invalid/{token} HTTP/1.1\r\n\r\n".encode())
        answer = b""
        while received := await loop.sock_recv(client, 4096):
            answer += received
        assert token.encode() in answer and calls._self_tests.was_seen(token)
    await until(lambda: not inside.master.addons.get("proxyserver").connections)
    assert told == []
    with socket.create_connection(("127.0.0.1", port)):
        await until(lambda: ("two", "ended", "client_disconnected") in told)
    assert [said for said in told if isinstance(said, str)] == ["client_connected", "client_disconnected"]
