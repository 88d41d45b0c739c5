from __future__ import annotations

from ipaddress import IPv6Address

from scapy.utils6 import in6_getnsma
from scapy.utils6 import in6_ptop

from wsa_proxy.net.solicited_node import solicited_node


def test_the_group_is_that_of_the_rfc_and_of_scapy() -> None:
    """RFC 4291's own example, and an address whose other bits are all set."""
    assert solicited_node(IPv6Address("4037::1:800:200e:8c6c")) == IPv6Address("ff02::1:ff0e:8c6c")
    for text in ("fe80::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"):
        address = IPv6Address(text)
        assert solicited_node(address).packed == in6_getnsma(address.packed), in6_ptop(text)
