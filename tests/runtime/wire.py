"""Two nodes of the pump's tests and a hostile host between them."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.runtime.world import Host
from tests.runtime.world import MakeHost
from wsa_proxy.net.ports import Packet


class Wire:
    """A hostile host's view of the LAN: it hears everything and sends what it likes to everybody."""

    def __init__(self, *hosts: Host) -> None:
        self.hosts = hosts
        self.captured: list[bytes] = []
        for host in hosts:
            self._tap(host)

    def _tap(self, host: Host) -> None:
        assert host.ports is not None
        original = host.ports.advertisements.send

        def send(version: Any, payload: bytes, **how: Any) -> None:
            self.captured.append(payload)
            original(version, payload, **how)

        host.ports.advertisements.send = send  # type: ignore[method-assign]

    def send(self, payload: bytes, source: str = "10.0.0.66", mac: str = "02:00:00:00:00:66") -> None:
        for host in self.hosts:
            host.inbox.put(Packet(4, source, mac, 255, payload))


async def master_and_backup(make_host: MakeHost, *, behind_ms: float = 0.0, **changes: Any) -> tuple[Host, Host, Wire]:
    """A preferred master and its backup, whose wall clock is so far behind, after some time."""
    a = make_host("a", 1, **changes)
    b = make_host("b", 2, priority=200, advskew=55, **changes)
    b.wall_ms -= behind_ms
    await a.start()
    await b.start()
    wire = Wire(a, b)
    await asyncio.sleep(6)
    assert (a.state, b.state) == ("master", "backup")
    return a, b, wire
