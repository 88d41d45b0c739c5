"""What is compared: each product as its own documentation advises to set it up. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from enum import StrEnum
from typing import Any

from wsa_proxy.bench.trials import TRIALS


class Kind(StrEnum):
    """Whose nodes they are; the words are the names of the programs."""

    OURS = "wsa-proxy"
    KEEPALIVED = "keepalived"
    UCARP = "ucarp"


@dataclass(frozen=True, slots=True)
class Product:
    """One product in one set-up."""

    name: str
    kind: Kind
    told: str
    """How it is set up, for the page."""
    trials: Sequence[str]
    same: Mapping[str, str] = field(default_factory=dict)
    """Which of its trials is the same as another one: that one is not done again."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Of ours: what differs from configs/node-a.yaml and node-b.yaml."""
    advert_int: str = "1"
    virtual_mac: bool = False
    failures: int = 2
    """Of the check script, in a row: from then on the node counts as ill."""
    quick: bool = True
    """Among those of ``--quick``, for which there is little time."""
    hears_of_processes: bool = False
    """It has to run where the kernel tells it of the end of processes, see process_news.py."""

    @property
    def is_peer(self) -> bool:
        return self.kind is not Kind.OURS

    @property
    def shared(self) -> int:
        """Namespaces of the machine that it cannot live without, as namespace.run takes them: keepalived gives up its
        groups before it runs a script (setgroups(2)), which a user namespace of ours does not allow; and the end of
        processes is told in the initial PID namespace only."""
        if self.kind is not Kind.KEEPALIVED:
            return 0
        return os.CLONE_NEWUSER | (os.CLONE_NEWPID if self.hears_of_processes else 0)

    @property
    def is_variant(self) -> bool:
        """Measured for some faults only."""
        return not set(TRIALS) <= {*self.trials, *self.same}

    def done_as(self, trial: str) -> str:
        """The trial whose numbers are those of this one."""
        return self.same.get(trial, trial)


_QUICK = ("kill", "cable")
_ALL = tuple(TRIALS)

_LIST = (
    Product(
        "wsa-proxy",
        Kind.OURS,
        "advertisements each second, priorities 255 and 200: the example files as they are",
        [name for name in _ALL if not name.startswith("daemon-")],
        same={"daemon-kill": "kill", "daemon-freeze": "freeze"},
    ),
    Product(
        "keepalived",
        Kind.KEEPALIVED,
        "VRRPv3, advertisements each second, priorities 254 and 253, and a script that fetches a page through the proxy"
        " each second; two failures in a row count; a switch is a number in a file that lowers its priority",
        _ALL,
    ),
    Product(
        "ucarp",
        Kind.UCARP,
        "advertisements each second, skews 0 and 1, preemption, and scripts that add and remove the address;"
        " a switch is SIGUSR2 to the master, which its manual gives for stepping down",
        _ALL,
    ),
    Product(
        "keepalived, process tracking",
        Kind.KEEPALIVED,
        "the same, and its master, in the machine's initial namespaces, which that takes, tracks the proxy's process",
        ("kill", "stop", "kill-all"),
        hears_of_processes=True,
    ),
    Product(
        "keepalived, one failure",
        Kind.KEEPALIVED,
        "the same, and the first failure of the script counts, as in its own example for a port with HTTP",
        ("kill", "freeze"),
        failures=1,
        quick=False,
    ),
    Product(
        "keepalived, virtual MAC",
        Kind.KEEPALIVED,
        "the same with use_vmac and vmac_xmit_base",
        _QUICK,
        virtual_mac=True,
    ),
    Product(
        "keepalived, 50 ms",
        Kind.KEEPALIVED,
        "the same with advertisements each 50 ms",
        _QUICK,
        advert_int="0.05",
    ),
    Product(
        "wsa-proxy, priority 254",
        Kind.OURS,
        "the same with priorities 255 and 254, as near to each other as keepalived's",
        _QUICK,
        overrides={"b.priority": 254},
    ),
    Product(
        "wsa-proxy, 50 ms",
        Kind.OURS,
        "advertisements each 50 ms, priorities 255 and 254",
        _QUICK,
        overrides={"advertisement_interval": 0.05, "b.priority": 254},
    ),
)

PRODUCTS = {product.name: product for product in _LIST}
