"""What systemd is told, at a notify socket of the test."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from wsa_proxy.runtime.service import ServiceManager
from wsa_proxy.runtime.tasks import create_task


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """Its socket, and the name of it as it stands in the environment."""
    name = str(tmp_path / "notify") if request.param == "file" else f"@wsa-proxy-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as opened:
        opened.bind(name.replace("@", "\0"))
        yield opened, name


def heard(opened: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(opened.recv(100))
        except BlockingIOError:
            return found


async def test_ready_alive_stopping(manager: tuple[socket.socket, str]) -> None:
    """The watchdog is fed four times in its limit, by the loop itself."""
    opened, name = manager
    service = ServiceManager({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "40000", "WATCHDOG_PID": str(os.getpid())})
    service.ready()
    assert heard(opened) == [b"READY=1"] and service.feed_every_s == 0.01
    feeding = create_task(service.feed(), name="watchdog")
    await asyncio.sleep(0)  # its first turn
    assert heard(opened) == [b"WATCHDOG=1"]
    feeding.cancel()
    heard(opened)
    service.stopping()
    assert heard(opened) == [b"STOPPING=1"]


async def test_nothing_is_said_unless_it_is_asked_for(manager: tuple[socket.socket, str]) -> None:
    """No socket, no watchdog, or one that waits for another process."""
    opened, name = manager
    for environment in ({}, {"WATCHDOG_USEC": "1000000"}):
        service = ServiceManager(environment)
        service.ready()
        service.stopping()
    for watchdog in ({}, {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "often"}):
        service = ServiceManager({"NOTIFY_SOCKET": name, **watchdog})
        assert service.feed_every_s is None
        await asyncio.wait_for(service.feed(), 1)
    assert heard(opened) == []


def test_a_manager_that_is_gone_ends_nothing(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
    assert "the service manager could not be told READY=1" in caplog.text
