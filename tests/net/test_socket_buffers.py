"""Buffers beyond the kernel's limit, for who has the right; up to it for who has not."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wsa_proxy.net import socket_buffers
from wsa_proxy.net.socket_buffers import grow_receive_buffer
from wsa_proxy.net.socket_buffers import grow_send_buffer

KINDS = [(grow_receive_buffer, socket.SO_RCVBUF, "rmem_max"), (grow_send_buffer, socket.SO_SNDBUF, "wmem_max")]


class Powerless(socket.socket):
    """Of a process without CAP_NET_ADMIN."""

    def setsockopt(self, level: Any, name: Any, value: Any, *rest: Any) -> None:
        if name in (socket_buffers._SO_SNDBUFFORCE, socket_buffers._SO_RCVBUFFORCE):
            raise PermissionError
        super().setsockopt(level, name, value, *rest)


class Powerful(socket.socket):
    """Of a process that has it: what the kernel is asked for."""

    asked: tuple[int, int] = (0, 0)

    def setsockopt(self, level: Any, name: Any, value: Any, *rest: Any) -> None:
        self.asked = name, value


@pytest.mark.parametrize(("grow", "forced"), [(grow_receive_buffer, 33), (grow_send_buffer, 32)])
def test_with_the_right_beyond_the_limit(grow: Callable[[socket.socket, int], None], forced: int) -> None:
    """By the option that knows none."""
    with Powerful(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        grow(opened, 1 << 24)
        assert opened.asked == (forced, 1 << 24)


@pytest.mark.parametrize(("grow", "option", "limit"), KINDS)
def test_without_the_right_the_limit(grow: Callable[[socket.socket, int], None], option: int, limit: str) -> None:
    """And no error."""
    allowed = int(Path(f"/proc/sys/net/core/{limit}").read_text())
    with Powerless(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        grow(opened, 4 * allowed)
        assert opened.getsockopt(socket.SOL_SOCKET, option) == 2 * allowed
