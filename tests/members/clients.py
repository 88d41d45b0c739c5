"""Clients for the tests of this folder."""

from __future__ import annotations

VIP_4 = bytes((10, 0, 0, 3)) + (8080).to_bytes(2)
VIP_6 = bytes.fromhex("fd00000000000000000000000000000a") + (8080).to_bytes(2)

ADDRESSES = frozenset((VIP_4[:-2], VIP_6[:-2]))
"""The virtual ones of the group."""


def client(number: int) -> bytes:
    """By IPv4."""
    return VIP_4 + (0x0A000000 + number // 60_000).to_bytes(4) + (1024 + number % 60_000).to_bytes(2)


def client_6(number: int) -> bytes:
    """By IPv6."""
    return VIP_6 + bytes(12) + number.to_bytes(4) + (1024).to_bytes(2)


def clients(first: int, last: int) -> frozenset[bytes]:
    """By IPv4, ``last`` not among them."""
    return frozenset(client(number) for number in range(first, last))
