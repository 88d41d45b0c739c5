"""One virtual IP as it stands in the file: an address with its prefix, or what is wrong with it and what was meant.

Whether it fits this host is for host_check.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Interface
from ipaddress import ip_interface

from wsa_proxy.config.source import Plain
from wsa_proxy.settings import VirtualIP

VIRTUAL_IP_TEXT = "must be an address with its prefix such as 10.0.0.3/24, or a list of such"


def read_virtual_ip(value: Plain) -> VirtualIP | None:
    """Text to address and prefix. Whether it fits this host is for host_check."""
    if value is None:
        return None  # a wrong one, taken out
    if not isinstance(value, str):
        raise ValueError(VIRTUAL_IP_TEXT)
    if "/" not in value:
        raise ValueError(_missing_prefix(value))
    try:
        address = ip_interface(value)
    except ValueError:
        raise ValueError(_no_address(value)) from None
    if "%" in value:
        raise ValueError("has a zone (%); leave it out, the key interface chooses the interface")
    wrong = _unusable(address)
    if wrong:
        raise ValueError(wrong)
    return address


class MissingPrefix(ValueError):
    """A virtual IP without a prefix; the host's facts can tell which it should be."""


def _missing_prefix(value: str) -> str:
    try:
        address = ip_interface(value)
    except ValueError:
        return _no_address(value)
    if "%" in value:
        return "has a zone (%); leave it out, the key interface chooses the interface"
    raise MissingPrefix(f"{address.ip}/{24 if address.version == 4 else 64}")


def _no_address(value: str) -> str:
    """What to say about text that is no address, with what was probably meant."""
    hint = ""
    if "," in value:
        hint = "; write several as a list: [10.0.0.3/24, 10.0.0.4/24]"
    elif mask := re.fullmatch(r"([\d.]+)\s+([\d.]+)", value):
        hint = f"; write {mask[1]}/{mask[2]}"
    elif re.fullmatch(r"[\d.]+(/\d+)?:\d+", value):
        hint = "; the port has a key of its own: port"
    elif re.match(r"(\d+\.)*0\d", value):
        hint = "; write its numbers without leading zeros"
    return f"is not an address with a prefix, such as 10.0.0.3/24 or fd00:77::3/64{hint}"


def _unusable(address: VirtualIP) -> str | None:
    """Why no host can hold this as a virtual IP; None when it can."""
    ip, network = address.ip, address.network
    kind: str | None = None
    if ip.is_multicast:
        kind = "a multicast address"
    elif ip.is_unspecified or (address.version == 4 and int(ip) >> 24 == 0):
        kind = "an address of 'this host', which nobody can connect to"
    elif ip.is_loopback:
        kind = "a loopback address, which no other host can connect to"
    elif isinstance(address, IPv6Interface) and address.ip.ipv4_mapped:
        kind = "an IPv4 address in IPv6 form"
    elif address.version == 4 and int(ip) >> 28 == 15:
        kind = "a reserved address (240.0.0.0/4)"
    elif ip == network.network_address and network.num_addresses > 2:
        kind = f"the address of the network {network} itself"
    elif address.version == 4 and ip == network.broadcast_address and network.num_addresses > 2:
        kind = f"the broadcast address of {network}"
    return f"is {kind}; use a free host address of the LAN" if kind else None
