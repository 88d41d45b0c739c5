"""Larger buffers of sockets than the kernel gives to everybody."""

from __future__ import annotations

import socket

_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33  # from asm-generic/socket.h; Python's socket module does not have them


def grow_receive_buffer(receiver: socket.socket, size_bytes: int) -> None:
    """Without the right, in a user namespace too, the kernel's limit (net.core.rmem_max) is what we get."""
    _grow(receiver, _SO_RCVBUFFORCE, socket.SO_RCVBUF, size_bytes)


def grow_send_buffer(sender: socket.socket, size_bytes: int) -> None:
    """Likewise (net.core.wmem_max)."""
    _grow(sender, _SO_SNDBUFFORCE, socket.SO_SNDBUF, size_bytes)


def _grow(opened: socket.socket, by_right: int, by_all: int, size_bytes: int) -> None:
    try:
        opened.setsockopt(socket.SOL_SOCKET, by_right, size_bytes)
    except PermissionError:
        opened.setsockopt(socket.SOL_SOCKET, by_all, size_bytes)
