"""The server listens where the settings say, changes with them, and tells what is wrong."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from dataclasses import replace

import argon2
import pytest
from tornado.simple_httpclient import HTTPStreamClosedError

from tests.admin.world import FakeNode
from tests.admin.world import World
from tests.proxy.processes import free_port
from tests.proxy.processes import until
from wsa_proxy.admin import secret
from wsa_proxy.admin import server as module
from wsa_proxy.admin.server import AdminServer
from wsa_proxy.runtime.tasks import create_task
from wsa_proxy.settings import AdminSettings

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def made(settings: AdminSettings | None) -> AdminServer:
    return AdminServer(settings, FakeNode(), files={})


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def test_the_token_is_told_at_the_start_and_nowhere_else(caplog: pytest.LogCaptureFixture) -> None:
    """At level WARNING, as an address that logs in; the status has the address alone."""
    server = made(AdminSettings(port=free_port()))
    await server.start()
    (told,) = warnings_of(caplog)
    assert server.token is not None and told == f"page: listening at {server.status()['url']}login?token={server.token}"  # type: ignore[index]
    assert server.token not in str(server.status()) and server.status()["trouble"] is None  # type: ignore[index]
    await server.close()


async def test_a_password_is_not_told_at_all(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Not at the start, not when it changes, not in the settings' own text."""
    caplog.set_level(logging.DEBUG)
    await world.server.change(replace(world.settings, password="another secret"))
    assert world.server.token is None
    text = f"{caplog.text} {world.server.status()} {world.settings!r}"
    assert "another secret" not in text and "correct horse" not in text
    assert f"page: listening at http://127.0.0.1:{world.port}/" in caplog.messages


async def test_other_settings_are_taken(world: World) -> None:
    """Another port: not here any more; another password: at once, with the connection that is open; off; on again."""
    port = free_port()
    await world.server.change(replace(world.settings, port=port))
    with pytest.raises(ConnectionRefusedError):
        await world.client("/api/status")
    moved = replace(world.client, port=port)
    assert (await moved.with_bearer()("/api/status")).code == 200
    assert world.server.listening_addresses() == [("127.0.0.1", port)]
    await world.server.change(AdminSettings(port=port, password="another"))
    assert (await moved.with_bearer()("/api/status")).code == 401
    assert (await moved.with_bearer("another")("/api/status")).code == 200
    await world.server.change(None)
    assert world.server.status() is None and world.server.listening_addresses() == []
    with pytest.raises(ConnectionRefusedError):
        await moved("/api/status")
    await world.server.change(AdminSettings(port=port, password="another"))
    assert (await moved.with_bearer("another")("/api/status")).code == 200


async def test_a_session_goes_on_elsewhere(world: World) -> None:
    """Where the page listens is no reason to log in anew."""
    browser = await world.client.logged_in()
    port = free_port()
    await world.server.change(replace(world.settings, port=port))
    assert (await replace(browser, port=port)("/api/status")).code == 200


async def test_a_port_that_is_taken_is_told_and_tried_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once in the log, and in the status for as long as it lasts."""
    monkeypatch.setattr(module, "TRY_AGAIN_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as other:
        server = made(AdminSettings(port=other.getsockname()[1], password="a"))
        await server.start()
        await asyncio.sleep(0.2)
        trouble = f"http://127.0.0.1:{other.getsockname()[1]}/: Address already in use"
        assert server.status() == {"url": trouble.partition(": ")[0], "trouble": trouble}
        assert warnings_of(caplog) == [f"page: cannot listen: {trouble}; it is tried again every 0.05 s"]
    await until(lambda: server.listening_addresses())
    assert server.status() == {"url": trouble.partition(": ")[0], "trouble": None}
    await server.close()


async def test_the_end_is_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the attempts to listen as well; a change that comes after it opens nothing."""
    monkeypatch.setattr(module, "TRY_AGAIN_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings = AdminSettings(port=other.getsockname()[1])
        server = made(settings)
        await server.start()
        await server.close()
    await asyncio.sleep(0.2)
    await server.change(replace(settings, port=free_port()))
    assert server.listening_addresses() == []


async def test_an_order_that_takes_long_does_not_keep_the_server_from_ending(world: World) -> None:
    """Whoever waits for its answer hears nothing; the order itself goes on."""
    began, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def switch(group: str, to: str = "") -> dict[str, object]:
        began.set()
        await go_on.wait()
        done.set()
        return {"changes": []}

    world.node.switch = switch  # type: ignore[method-assign]
    waiting = create_task(world.client.with_bearer()("/api/actions/switch", "POST", {"group": "1"}), name="waiting")
    await began.wait()
    async with asyncio.timeout(5):
        await world.server.close()
        with pytest.raises(HTTPStreamClosedError):
            await waiting
    go_on.set()
    async with asyncio.timeout(5):
        await done.wait()


async def test_a_flood_of_logins_does_not_hold_the_loop_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a real argon2 hash, from many addresses at once: each is judged in a thread, one at a time, and the right
    one is let in."""
    hashed = argon2.PasswordHasher(time_cost=1, memory_cost=16 * 1024, parallelism=1).hash("right")
    await world.server.change(AdminSettings("127.0.0.1", world.port, hashed))
    one_at_a_time, threads = threading.Lock(), list[threading.Thread]()
    verify = secret._verify

    def watched(hashed: str, offered: str) -> bool:
        assert one_at_a_time.acquire(blocking=False), "two at once"
        threads.append(threading.current_thread())
        try:
            return verify(hashed, offered)
        finally:
            one_at_a_time.release()

    monkeypatch.setattr(secret, "_verify", watched)

    async def attack(address: str) -> None:
        for _ in range(2):
            assert await world.server.access.log_in(address, "wrong") is None

    async with asyncio.TaskGroup() as tasks:
        for n in range(5):
            tasks.create_task(attack(f"10.0.0.{n}"))
        assert (await world.client("/login", "POST", "password=right", FORM)).code == 303
    assert len(threads) == 11 and threading.main_thread() not in threads


async def test_requests_leave_no_line_in_the_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Neither good ones nor nonsense: whoever can connect could fill it."""
    caplog.set_level(logging.INFO)
    caplog.handler.setLevel(logging.INFO)
    script = world.client.with_bearer()
    for path in ("/api/status", "/nothing", "/%ff?token=%ff"):
        await script(path)
        await world.client(path)
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(b"nonsense\r\n\r\n")
    await reader.read()
    writer.close()
    assert [text for text in caplog.messages if "took" not in text] == []
