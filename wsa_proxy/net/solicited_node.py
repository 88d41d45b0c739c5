"""The multicast group in which a host is asked for an IPv6 address.

Apart from ``frames.py``: the reader of the configuration comes here, and must not wait for scapy.
"""

from __future__ import annotations

from ipaddress import IPv6Address

_PREFIX = int(IPv6Address("ff02::1:ff00:0"))


def solicited_node(address: IPv6Address) -> IPv6Address:
    """RFC 4291 2.7.1: the prefix, and the last 24 bits of the address."""
    return IPv6Address(_PREFIX | int(address) & 0xFFFFFF)
