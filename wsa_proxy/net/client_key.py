"""The parts of a ``Client``: a TCP connection to a virtual IP as flat bytes."""

from __future__ import annotations

from typing import NamedTuple

from wsa_proxy.net.ports import Client

_PORT_BYTES = 2


class ClientParts(NamedTuple):
    """Addresses packed, ports big endian."""

    virtual_ip: bytes
    virtual_port: bytes
    address: bytes
    port: bytes


def parts_of(client: Client) -> ClientParts:
    """All four."""
    half = len(client) // 2
    here, there = client[:half], client[half:]
    return ClientParts(here[:-_PORT_BYTES], here[-_PORT_BYTES:], there[:-_PORT_BYTES], there[-_PORT_BYTES:])


def virtual_ip_of(client: Client) -> bytes:
    """Packed; asked of each of many thousands."""
    return client[: len(client) // 2 - _PORT_BYTES]


def address_of(client: Client) -> bytes:
    """The client's own, packed."""
    return client[len(client) // 2 : -_PORT_BYTES]
