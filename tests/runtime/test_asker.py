"""Whoever orders something is known to what he has begun."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from wsa_proxy.runtime.asker import asker
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
    assert heard == [f"uid {os.getuid()}"] * 2
    assert asker.get() == ""
