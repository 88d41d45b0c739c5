"""What a client's key says."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from wsa_proxy.net.client_key import address_of
from wsa_proxy.net.client_key import parts_of
from wsa_proxy.net.client_key import virtual_ip_of


@pytest.mark.parametrize(("virtual_ip", "address"), [("10.0.0.3", "192.0.2.7"), ("fd00::3", "2001:db8::7")])
def test_its_parts(virtual_ip: str, address: str) -> None:
    """In each IP version."""
    parts = ip_address(virtual_ip).packed, b"\x1f\x90", ip_address(address).packed, b"\x9c\x40"
    client = b"".join(parts)
    assert parts_of(client) == parts
    assert virtual_ip_of(client) == parts[0] and address_of(client) == parts[2]
