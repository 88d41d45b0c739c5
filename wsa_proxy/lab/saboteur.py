"""An addon of the lab, loaded after ours in every node, that breaks its own proxy when it is told so by a signal.

Each is something that goes wrong in an addon or in the loop of a real proxy. Nothing of it goes through the network,
and nothing of wsa-proxy takes part. The real-time signals are free: asyncio, mitmproxy and wsa-proxy use none.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import signal
import socket
import time
from enum import IntEnum
from types import FrameType
from typing import Any

BLOCK_S = 30.0


class Order(IntEnum):
    """The signals, by what they ask for."""

    BLOCK = signal.SIGRTMIN + 1
    """``time.sleep`` in a callback: the loop's only thread is in one call for BLOCK_S, and nothing else happens."""
    UNBLOCK = signal.SIGRTMIN + 2
    """End that call."""
    MUTE = signal.SIGRTMIN + 3
    """From now on a hook does not return, for every request of every client."""
    UNMUTE = signal.SIGRTMIN + 4
    """Let all go on that wait in it."""
    IGNORE = signal.SIGRTMIN + 5
    """Accept no connection any more. The kernel still does, until its queue is full, and no byte ever comes."""
    ATTEND = signal.SIGRTMIN + 6
    """Accept again, first what has waited."""


class Woken(Exception):
    """Raised in the middle of the blocking call, by UNBLOCK."""


class Saboteur:
    """What is broken now."""

    def __init__(self) -> None:
        self._asleep = False
        self._free = asyncio.Event()
        self._free.set()
        self._readers: list[tuple[selectors.SelectorKey, int]] = []
        """Of the listening sockets, while they are ignored, each with the kernel's number of the socket."""

    def running(self) -> None:
        """mitmproxy's hook: its loop turns."""
        loop = asyncio.get_running_loop()
        # Run by the interpreter itself, in the middle of a blocking call; all others by the loop.
        signal.signal(Order.UNBLOCK, self._unblock)
        loop.add_signal_handler(Order.MUTE, self._free.clear)
        loop.add_signal_handler(Order.UNMUTE, self._free.set)
        loop.add_signal_handler(Order.IGNORE, self._ignore, loop)
        loop.add_signal_handler(Order.ATTEND, self._attend, loop)
        loop.add_signal_handler(Order.BLOCK, self._block)  # last: node.py looks for it

    async def requestheaders(self, _flow: object) -> None:
        """mitmproxy's hook, for every request: it waits as an addon does whose database has stopped answering."""
        await self._free.wait()

    def _block(self) -> None:
        self._asleep = True
        try:
            time.sleep(BLOCK_S)
        except Woken:
            pass
        finally:
            self._asleep = False

    def _unblock(self, _number: int, _frame: FrameType | None) -> None:
        if self._asleep:
            self._asleep = False
            raise Woken

    def _ignore(self, loop: Any) -> None:
        """Take the listening TCP sockets out of what the loop waits for, whoever made them."""
        selector = loop._selector
        for key in list(selector.get_map().values()):
            if _listens(key.fd):
                self._readers.append((key, _number(key.fd)))
                selector.unregister(key.fd)

    def _attend(self, loop: Any) -> None:
        for key, number in self._readers:
            # The proxy may have replaced the socket meanwhile: then this descriptor is none, or somebody else's.
            if _number(key.fd) == number:
                loop._selector.register(key.fileobj, key.events, key.data)
        self._readers.clear()


def _number(descriptor: int) -> int:
    """Of what the descriptor is now; -1 when it is closed."""
    try:
        return os.fstat(descriptor).st_ino
    except OSError:
        return -1


def _listens(descriptor: int) -> bool:
    """Tell whether it is a TCP socket that listens."""
    try:
        looked_at = socket.socket(fileno=descriptor)
    except OSError:
        return False  # a pipe, a pidfd, another epoll
    try:
        tcp = looked_at.family in (socket.AF_INET, socket.AF_INET6) and looked_at.type == socket.SOCK_STREAM
        return tcp and bool(looked_at.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    finally:
        looked_at.detach()


addons = [Saboteur()]
