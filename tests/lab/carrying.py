"""Open connections on the test track: in planned switches, and when their node is lost.

As in scenarios.py, a function does things and returns what it saw; the judging is in test_carrying.py and, for what
takes minutes, in test_carrying_long.py. To measure others, outside of the tests:
``SWITCHES=20 EVERY=0.01 python -m wsa_proxy.lab tests/lab/carrying.py:virtual_mac``.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tests.lab.scenarios import do
from tests.lab.scenarios import say
from tests.lab.scenarios import seen
from tests.lab.scenarios import status
from wsa_proxy.lab import namespace
from wsa_proxy.lab.configuration import STREAMING
from wsa_proxy.lab.fates import Fate
from wsa_proxy.lab.faults import find_nft
from wsa_proxy.lab.holders import LOOPBACK
from wsa_proxy.lab.lab import Lab

SWITCHES = 2
DOWNLOADS = 10
DOWNLOAD_S = 10.0
SHORT_S = 6.0
"""Where there is no time for more; longer than the switches take."""
OTHERS = ("--tunnels", "1", "--websockets", "1", "--waiting", "1")
BETWEEN_S = 2.0
"""From one switch to the next: a download sees several of them."""
REQUEST_EVERY_S = 0.025  # a rate that a busy machine can serve
ENDING_S_MAX = 30.0
CALM_S_MAX = 10.0
CROWD = 200
LISTED_S = 2.5
"""A node tells the others once a second what is open; a busy machine's may be late."""
TAKEOVER_S_MAX = 15.0  # of a node that has to start first
TOLD_S_MAX = 3.0
"""After the takeover; who does not know by then waits for ever."""


def begun(overrides: Mapping[str, Any]) -> Lab:
    """Two nodes whose connections may last for ten minutes, and a client that is served."""
    every_s = float(os.environ.get("EVERY", REQUEST_EVERY_S))
    overrides = {"drain_timeout": 600, **overrides}
    lab = Lab(overrides=overrides, interval_s=every_s, say=say, options=STREAMING).__enter__()
    lab.settle()
    lab.start_client("--kept")
    lab.wait_service()
    return lab


def master(lab: Lab) -> str:
    """Of the nodes that run."""
    running = [name for name, node in lab.nodes.items() if node.alive]
    (name,) = (name for name in running if status(lab, name)["groups"][0]["state"] == "master")
    return name


def other(name: str) -> str:
    return "b" if name == "a" else "a"


def carry(lab: Lab, name: str) -> dict[str, Any]:
    """What the node says of its open connections."""
    told: dict[str, Any] = status(lab, name)["groups"][0]["carry"]
    return told


def left(lab: Lab) -> dict[str, Any]:
    """Of each node's kernel: the tables of nftables, and the interfaces that have the virtual IP."""
    found = {}
    for name in lab.nodes:
        with namespace.inside(lab.topology.networks[name]):
            tables = subprocess.run([find_nft(), "list", "tables"], capture_output=True, text=True, check=True).stdout
            listed = subprocess.run(["ip", "-json", "address"], capture_output=True, text=True, check=True).stdout
        holding = [
            interface["ifname"]
            for interface in json.loads(listed)
            if any(each.get("local") in lab.virtual_ips for each in interface["addr_info"])
        ]
        found[name] = {"tables": tables.splitlines(), "holding": holding}
    return found


def wait_calm(lab: Lab) -> None:
    """Wait until nobody has a table any more, and one node alone the virtual IP, for all to see. Raises NotBack."""

    def missing() -> str | None:
        found = left(lab)
        holding = [interface for each in found.values() for interface in each["holding"]]
        calm = not any(each["tables"] for each in found.values()) and len(holding) == 1 and "lo" not in holding
        return None if calm else str(found)

    lab.wait_for("nothing to be left over", missing, CALM_S_MAX)


def wait_taken(lab: Lab, name: str, since_s: float) -> float:
    """When this node's kernel got the virtual IP, on an interface that answers for it. Raises NotBack."""

    def taken_s() -> list[float]:
        held = [each for each in lab.holder_log.events if each.node == name and each.held and each.at_s > since_s]
        return [each.at_s for each in held if each.interface != LOOPBACK]

    lab.wait_for(f"node {name} to take over", lambda: None if taken_s() else "it has not", TAKEOVER_S_MAX)
    return taken_s()[0]


def fates(lab: Lab, since_s: float, zero_s: float) -> list[dict[str, Any]]:
    """What has become of each connection of which there was news since then, the ended ones first; in seconds from
    ``zero_s`` on."""
    found: list[Fate] = [*lab.fates.ended(), *(each for each in lab.fates.newest() if not each.state.over)]
    return [{**asdict(each), "at_s": each.at_s - zero_s} for each in found if each.at_s > since_s]


def carried(lab: Lab, count: int, download_s: float) -> dict[str, Any]:
    """There and back again and again, under downloads, tunnels and a WebSocket; then all may end."""
    apart_s = download_s / DOWNLOADS
    downloads = ("--downloads", str(DOWNLOADS), "--download-s", str(download_s), "--apart-s", str(apart_s))
    keeper = lab.keep_open(*downloads, *OTHERS, "--again")
    lab.wait_open(DOWNLOADS // 2 + len(OTHERS) // 2)
    began_s = time.monotonic()
    meanwhile = []
    for _ in range(count):
        lab.settle()
        old = master(lab)
        do(lab, "switch", other(old))
        time.sleep(BETWEEN_S)
        meanwhile.append({"old": old, "master": master(lab), "carry": {name: carry(lab, name) for name in lab.nodes}})
    keeper.terminate()
    keeper.wait(ENDING_S_MAX)
    wait_calm(lab)
    samples = [each for each in list(lab.samples) if each.start_s > began_s]
    return {
        "began_s": began_s - lab.began_s,
        "switches": meanwhile,
        "fates": fates(lab, began_s, began_s),
        "requests": len(samples),
        "retried": sum(each.retried for each in samples),
        "bad": [(each.start_s - began_s, each.end_s - each.start_s, each.error) for each in samples if not each.ok],
        "slowest_s": max(each.end_s - each.start_s for each in samples),
    }


def lost(lab: Lab, fault: str) -> dict[str, Any]:
    """A crowd of clients that only wait, each on a tunnel of its own; then their node is lost."""
    began_s = time.monotonic()
    keeper = lab.keep_open("--waiting", str(CROWD))
    lab.wait_open(CROWD)
    time.sleep(LISTED_S)
    old = master(lab)
    do(lab, fault, old)
    taken_s = wait_taken(lab, other(old), lab.applied[-1].at_s)
    until_s = taken_s + TOLD_S_MAX
    while time.monotonic() < until_s and any(not each.state.over for each in lab.fates.newest()):
        time.sleep(0.05)
    found = fates(lab, began_s, taken_s)
    keeper.kill()
    return {"fates": found, "carry": carry(lab, other(old)), "old": old, "left": left(lab)}


def switches(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """As many as are asked for."""
    lab = begun(overrides)
    found = carried(lab, int(os.environ.get("SWITCHES", SWITCHES)), DOWNLOAD_S)
    return seen(lab, carried=found | {"left": left(lab)})


def virtual_mac() -> dict[str, Any]:
    return switches({})


def own_mac() -> dict[str, Any]:
    return switches({"mac": "interface"})


def stopped_and_back() -> dict[str, Any]:
    """The master is stopped in the middle of downloads, and comes back in the middle of others, as the better one."""
    lab = begun({})
    began_s = time.monotonic()
    downloads = ("--downloads", "3", "--download-s", str(SHORT_S))
    keeper = lab.keep_open(*downloads)
    lab.wait_open(3)
    old = master(lab)
    do(lab, "stop", old)
    keeper.wait(ENDING_S_MAX)
    ended_s = time.monotonic()
    lab.wait_for("the stop", lambda: "its process is there" if lab.nodes[old].alive else None, CALM_S_MAX)
    stopped_s = time.monotonic()
    wait_calm(lab)
    keeper = lab.keep_open(*downloads, *OTHERS, "--again")
    lab.wait_open(3 + len(OTHERS) // 2)
    do(lab, "start", old)
    wait_taken(lab, old, lab.applied[-1].at_s)
    time.sleep(BETWEEN_S)
    meanwhile = carry(lab, other(old))
    keeper.terminate()
    keeper.wait(ENDING_S_MAX)
    wait_calm(lab)
    found = {"stop_s": stopped_s - ended_s, "carry": meanwhile, "old": old, "fates": fates(lab, began_s, began_s)}
    return seen(lab, **found, left=left(lab))


def power() -> dict[str, Any]:
    """All that a node is, at once."""
    lab = begun({})
    return seen(lab, lost=lost(lab, "power"))


def both() -> dict[str, Any]:
    """In the time of one lab: a few switches, then the cable of whoever is master then."""
    lab = begun({})
    found = carried(lab, SWITCHES, SHORT_S)
    found["left"] = left(lab)
    return seen(lab, carried=found, lost=lost(lab, "cable"))
