"""What becomes of a group's open connections, in words: its ``carry`` of the status document.

For the status, for ``why`` and for the warnings, each of which would else have words of its own. A node of an earlier
version tells less, or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

type Document = Mapping[str, Any]

CAUSES = {
    "CAP_NET_ADMIN": "give the process CAP_NET_ADMIN (AmbientCapabilities in the unit), and start it anew",
    "nf_tables cannot forward": "modprobe nft_fwd_netdev, or a kernel that has it; then restart the node",
    "knows no owner of a table": "Linux 5.12 or later; with an earlier kernel switches cut open connections",
    "no nf_tables": "modprobe nf_tables, or a kernel with CONFIG_NF_TABLES and _NETDEV; then restart the node",
    "no netfilter": "modprobe nfnetlink, or a kernel with CONFIG_NETFILTER_NETLINK; then restart the node",
    "cannot tell its connections": "modprobe tcp_diag, or a kernel with CONFIG_INET_DIAG; then restart the node",
    "does not say why": "the same version of wsa-proxy on all nodes",
    "the peers are named": "without peers (by multicast) on one LAN; elsewhere clients connect anew",
    "is not on this LAN segment": "only nodes of one LAN segment can pass frames on; elsewhere clients connect anew",
}
"""What helps, by the words that a reason has in it."""
NOBODY_THERE = "no other member is heard"
"""This is no reason of its own: there is no switch either."""


def help_with(why_not: str) -> str:
    """What helps against this reason."""
    found = (each for words, each in CAUSES.items() if words in why_not)
    return next(found, "the log has the kernel's word; until it is mended switches cut open connections")


def reports(group: Document) -> bool:
    """Nodes without a Shared Secret tell each other nothing, and so carry nothing over, as they mean to."""
    return (group.get("members") or {}).get("reports") == "sent"


def cut_because(group: Document) -> str | None:
    """Why open connections of this master end when it hands over, although there is somebody to hand over to."""
    carry = group.get("carry")
    if carry is None or group["state"] != "master" or not reports(group):
        return None
    why_not: str | None = carry["why_not"]
    return why_not if why_not != NOBODY_THERE else None


def drains_text(carry: Document) -> str:
    """Empty if it does not."""
    drains = carry["drains"]
    if drains is None:
        return ""
    return f"finishes {connections(drains['connections'])} that it had as master, {drains['left_s']:.0f} s left"


def steers_texts(carry: Document) -> list[str]:
    """One for each node."""
    return [f"steers {connections(each['connections'])} to node {each['node']}" for each in carry["steers"]]


def told_text(carry: Document) -> str:
    """Empty if nobody was told."""
    told = carry["told"]
    if told is None:
        return ""
    clients, are = ("client", "its connection is") if told["clients"] == 1 else ("clients", "their connections are")
    return f"told {told['clients']} {clients} of node {told['node']} that {are} gone"


def connections(number: int) -> str:
    """``1 connection``, ``2 connections``."""
    return f"{number} connection{'' if number == 1 else 's'}"
