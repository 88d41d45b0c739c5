"""Sockets that count their system calls and the time inside them, so that what is left is Python's own.

They take the place of ``socket.socket`` before a node opens its own. What the count itself costs, less than half a
microsecond a call, is counted as Python's.
"""

from __future__ import annotations

import socket
from collections import Counter
from time import perf_counter
from typing import Any

import pytest


class Count:
    """What all counted sockets did so far."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.inside_s = 0.0


def count_system_calls(patch: pytest.MonkeyPatch) -> Count:
    """From now on, every socket that is opened counts what it is asked."""
    count = Count()
    real = socket.socket

    class CountedSocket(real):  # type: ignore[misc, valid-type]
        """The calls of a node's turn; those of opening and closing are not interesting."""

        def send(self, *arguments: Any) -> int:
            try:
                return int(_timed("send", super().send, arguments))
            except BlockingIOError:
                count.calls["send"] -= 1  # whoever reads is slow, and it is asked again: as often as the machine wants
                raise

        def recv(self, *arguments: Any) -> bytes:
            return bytes(_timed("recv", super().recv, arguments))

        def recvfrom(self, *arguments: Any) -> Any:
            return _timed("recv", super().recvfrom, arguments)

        def getsockname(self) -> Any:
            return _timed("getsockname", super().getsockname, ())

    def _timed(name: str, call: Any, arguments: tuple[Any, ...]) -> Any:
        count.calls[name] += 1
        began_s = perf_counter()
        try:
            return call(*arguments)
        finally:
            count.inside_s += perf_counter() - began_s

    patch.setattr(socket, "socket", CountedSocket)
    return count
