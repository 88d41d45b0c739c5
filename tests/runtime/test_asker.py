"""Whoever orders something is known to what he has begun."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import Any

from wsa_proxy.runtime.asker import asker
from wsa_proxy.runtime.asker import asker_at
from wsa_proxy.runtime.control import ControlSocket
from wsa_proxy.runtime.control import ask
from wsa_proxy.runtime.tasks import create_task


async def test_the_control_socket_says_which_user_asks(tmp_path: Path) -> None:
    """Also to the task that an order begins, and to nobody beside it."""
    heard: list[str] = []

    async def later() -> None:
        heard.append(asker.get())

    async def demote() -> dict[str, Any]:
        heard.append(asker.get())
        await create_task(later(), name="later")
        return {"changes": []}

    control = ControlSocket(tmp_path / "control.sock", {"demote": demote})
    await control.start()
    await asyncio.to_thread(ask, tmp_path / "control.sock", "demote")
    control.close()
    assert heard == [f"operator (uid {os.getuid()}, cli)"] * 2
    assert asker.get() == ""


def test_the_kernel_tells_whose_process_it_is() -> None:
    """Nobody can say so himself."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert asker_at(ours) == f"operator (uid {os.getuid()}, cli)"


def test_where_the_kernel_does_not_tell_it_is_an_operator_all_the_same() -> None:
    """A closed socket has no other end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    ours.close()
    theirs.close()
    assert asker_at(ours) == asker_at(None) == "operator (cli)"
