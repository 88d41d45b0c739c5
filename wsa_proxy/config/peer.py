"""One unicast peer as it stands in the file: the address of another node, or what is wrong with it.

Whether it fits this host is for peers.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from ipaddress import IPv6Address
from ipaddress import ip_address
from ipaddress import ip_interface

from wsa_proxy.config.source import Plain

type Address = IPv4Address | IPv6Address

PEERS_MAX = 64  # each gets each advertisement, one after the other
PEERS_TEXT = (
    f"must be the address of another node such as 10.0.0.2, or a list of 1 to {PEERS_MAX} of them: advertisements go to"
    " each instead of the multicast group"
)


def read_peer(value: Plain) -> Address | None:
    """Text to address."""
    if value is None:
        return None  # a wrong one, taken out
    if not isinstance(value, str):
        raise ValueError(PEERS_TEXT)
    if "%" in value:
        raise ValueError("has a zone (%); leave it out, the key interface chooses the interface")
    try:
        address = ip_address(value)
    except ValueError:
        raise ValueError(_no_address(value)) from None
    kind = _unusable(address)
    if kind:
        raise ValueError(f"is {kind}; name each peer by an address of its own")
    return address


def _no_address(value: str) -> str:
    hint = ""
    try:
        hint = f"; write it without a prefix: {ip_interface(value).ip}"
    except ValueError:
        if "," in value:
            hint = "; write several as a list: [10.0.0.1, 10.0.0.2]"
    return f"is not an address such as 10.0.0.2 or fd00:77::2{hint}"


def _unusable(address: Address) -> str | None:
    """Why no other host can have it; None when one can."""
    if address.is_multicast:
        return "a multicast address"
    if address.is_unspecified or (address.version == 4 and int(address) >> 24 == 0):
        return "an address of 'this host'"
    if address.is_loopback:
        return "a loopback address"
    if isinstance(address, IPv6Address):
        return "an IPv4 address in IPv6 form" if address.ipv4_mapped else None
    if int(address) == 0xFFFFFFFF:
        return "the broadcast address"
    return "a reserved address (240.0.0.0/4)" if int(address) >> 28 == 15 else None
