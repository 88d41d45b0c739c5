"""The running node as a process: it answers, it has root's two rights, and memory that runs out takes the right one."""

from __future__ import annotations

from collections.abc import Iterator

from wsa_proxy.doctor.facts import Facts
from wsa_proxy.doctor.finding import Answer
from wsa_proxy.doctor.finding import Finding
from wsa_proxy.doctor.finding import NotMade

GIVE_RIGHTS = (
    "give them to the proxy: AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW in its unit, as configs/wsa-proxy@.service"
    " does, or start it as root with setpriv (README, On two real hosts)"
)


def check_node(facts: Facts) -> Iterator[Answer]:
    """It is no finding that none runs here."""
    if facts.node_trouble:
        yield Finding("a node was started here, and it does not answer", facts.node_trouble, "start it again; its log")
    elif facts.node is None:
        yield NotMade(facts.no_node)


def check_rights(facts: Facts) -> Iterator[Answer]:
    """Of the running node; without one of this process, since a node that is started like it would have the same."""
    node = facts.node
    if node is None:
        if facts.missing_rights:
            yield Finding(
                f"this process lacks {' and '.join(facts.missing_rights)}; a node started like it could not begin",
                "the kernel was asked: EPERM",
                f"run the doctor as root if only the doctor was started like this; else {GIVE_RIGHTS}",
            )
        return
    if node.missing_rights is None:
        yield NotMade("/proc does not tell of the node's process: run the doctor as root, where the node runs")
    elif node.missing_rights:
        yield Finding(
            f"the running node lacks {' and '.join(node.missing_rights)}",
            f"CapEff in /proc/{node.status.get('pid')}/status",
            GIVE_RIGHTS,
        )


def check_memory(facts: Facts) -> Iterator[Answer]:
    """When memory runs out the proxy has to go first: its guardian then tells the LAN."""
    node = facts.node
    if node is None:
        yield NotMade(facts.no_node)
    elif node.oom_score_adj is None or node.guardian_oom_score_adj is None:
        yield NotMade("oom_score_adj of the node or its guardian cannot be read")
    elif node.oom_score_adj <= node.guardian_oom_score_adj:
        yield Finding(
            "if memory runs out, the kernel ends the guardian before the proxy, and nobody bows out for it",
            f"oom_score_adj of the proxy {node.oom_score_adj}, of its guardian {node.guardian_oom_score_adj}",
            "OOMScoreAdjust=-500 and OOMPolicy=continue in the unit, as configs/wsa-proxy@.service has them",
        )
