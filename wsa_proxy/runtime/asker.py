"""Who has asked for what is being done: set where an order comes in, and read where it is written down."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

asker: ContextVar[str] = ContextVar("asker", default="")
"""``operator (uid 0, cli)``, ``operator (page, 127.0.0.1)``; empty: nobody has asked, it happens by itself. A task that
an order begins has it as well, since it begins with a copy of the context."""

BY_COMMAND = "operator (mitmproxy command)"
"""In mitmproxy's console, or an addon that calls the command."""

_CREDENTIALS = struct.Struct("3i")


@contextmanager
def asked_by(who: str) -> Iterator[None]:
    """What is ordered in this block, and by the tasks that it begins."""
    before = asker.set(who)
    try:
        yield
    finally:
        asker.reset(before)


def asker_at(connection: socket.socket | None) -> str:
    """Of a Unix socket's other end, as the kernel knows it; without a user's number where it does not tell."""
    try:
        if connection is None:
            return "operator (cli)"
        _, uid, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    except (OSError, struct.error):
        return "operator (cli)"
    return f"operator (uid {uid}, cli)"
