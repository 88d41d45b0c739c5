"""End-to-end scenarios about who is spoken to, and on which addresses; see scenarios.py."""

from __future__ import annotations

import subprocess
from typing import Any

from tests.lab.scenarios import Tap
from tests.lab.scenarios import do
from tests.lab.scenarios import say
from tests.lab.scenarios import seen
from tests.lab.scenarios import status
from wsa_proxy.lab.lab import Lab

# What a cloud's network does: a frame to a group of hosts goes nowhere. Broadcasts pass, or there were no ARP.
NO_MULTICAST = """
table bridge cloud {
    counter multicasts {}
    chain lan {
        type filter hook prerouting priority 0
        ether daddr ff:ff:ff:ff:ff:ff accept
        ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 counter name multicasts drop
    }
}
"""


def unicast() -> dict[str, Any]:
    """A bridge without multicast; each node names itself and the other as peers. The master is killed."""
    subprocess.run(["nft", "-f", "-"], input=NO_MULTICAST, text=True, check=True)
    lab = Lab(overrides={"peers": ["10.0.0.1", "10.0.0.2"]}, say=say).__enter__()
    tap = Tap("a")
    lab.settle()
    lab.start_client()
    lab.wait_service()
    sent, groups = tap.advertisements(), {name: status(lab, name)["groups"][0] for name in "ab"}
    do(lab, "kill", "a")
    lab.wait_service()
    do(lab, "start", "a")
    lab.settle()
    return seen(lab, sent=sent, groups=groups, after={name: status(lab, name)["groups"][0] for name in "ab"})
