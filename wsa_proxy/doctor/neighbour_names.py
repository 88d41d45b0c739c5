"""Which IP addresses this host knows by a hardware address: the way from a MAC to a machine that a person can find."""

from __future__ import annotations

from pyroute2.netlink import NLM_F_DUMP
from pyroute2.netlink.rtnl import RTM_GETNEIGH
from pyroute2.netlink.rtnl import RTM_NEWNEIGH
from pyroute2.netlink.rtnl.ndmsg import ndmsg

from wsa_proxy.net.netlink import RouteSocket
from wsa_proxy.net.netlink import encode

NAMES_MAX = 1024
"""Entries that are looked at; each takes 0.1 ms."""
_VIRTUAL = {"00:00:5e:00:01": "CARP or VRRP", "00:00:5e:00:02": "VRRP for IPv6", "00:00:5e:00:00": "ucarp"}
"""ucarp 1.5.2 has 00 where the BSDs have 01."""


def read_names(index: int) -> dict[str, str]:
    """By hardware address, the addresses of one interface's neighbour table, IPv4 first. Raises OSError."""
    request = ndmsg()
    request["attrs"] = [("NDA_IFINDEX", index)]
    with RouteSocket() as route:
        answers = route.dump(encode(request, RTM_GETNEIGH, NLM_F_DUMP))
    found: dict[str, list[str]] = {}
    for answer in [each for each in answers if each.type == RTM_NEWNEIGH][:NAMES_MAX]:
        decoded = ndmsg(answer.data)
        decoded.decode()
        mac = decoded.get_attr("NDA_LLADDR")
        if decoded["ifindex"] == index and mac and not int(mac[:2], 16) & 1:  # a multicast's is nobody's
            found.setdefault(mac, []).append(str(decoded.get_attr("NDA_DST")))
    return {mac: ", ".join(sorted(addresses, key=lambda each: ":" in each)) for mac, addresses in found.items()}


def describe_mac(mac: str, names: dict[str, str]) -> str:
    """``02:00:00:00:00:09, a virtual machine's or a container's, in the neighbour table as 10.0.0.9``."""
    prefix, _, last = mac.rpartition(":")
    words = [mac]
    if prefix in _VIRTUAL:
        words.append(f"the virtual MAC of id {int(last, 16)} ({_VIRTUAL[prefix]})")
    elif int(mac[:2], 16) & 2:
        words.append("an address made by software: a virtual machine or a container")
    if mac in names:
        words.append(f"known here as {names[mac]}")
    return ", ".join(words)
