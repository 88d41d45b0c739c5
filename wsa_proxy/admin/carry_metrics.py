"""The metrics of a group's open connections (``carry`` in the status document of a group)."""

from __future__ import annotations

from wsa_proxy.admin.document import Part
from wsa_proxy.admin.metric import Metric
from wsa_proxy.admin.metric import Samples
from wsa_proxy.admin.metric import number
from wsa_proxy.admin.metric import stands


def _draining(group: Part) -> Samples:
    """0 while it does not: so the end of a drain is seen, too."""
    carry = group.part("carry")
    if not carry.knows("drains"):
        return []
    return [((), carry.part("drains").number("connections") or 0.0)]


def _steered(group: Part) -> Samples:
    """Two lives of one name are one node."""
    sums: dict[str, float] = {}
    for each in group.part("carry").parts("steers"):
        sums[each.text("node")] = sums.get(each.text("node"), 0.0) + (each.number("connections") or 0.0)
    return [((node,), connections) for node, connections in sums.items()]


CARRY_METRICS = (
    Metric(
        "carry_possible",
        "Whether the open connections of this node would go on if it handed over (1): wsa-proxy status says why not.",
        stands("carry", "possible"),
    ),
    Metric(
        "cannot_steer",
        "Whether this host cannot pass on the connections of a node that hands over to it (1): see wsa-proxy doctor.",
        stands("carry", "cannot_steer"),
    ),
    Metric(
        "connections_draining",
        "Number of connections that this node finishes while another one has the virtual IPs: drain_timeout ends them.",
        _draining,
    ),
    Metric(
        "connections_steered",
        "Number of connections that this node steers to the member that finishes them; absent when it steers none.",
        _steered,
        ("member",),
    ),
    Metric(
        "clients_told_total",
        "Number of clients that this node has told that their connections are gone with the node that had them.",
        number("carry", "told_total"),
    ),
)
"""In the order in which they are told."""
