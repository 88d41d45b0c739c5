"""What happens on the test track in the end-to-end tests; each function runs inside the namespaces, see inside.py.

A scenario does things and returns what it saw. The judging is in the tests, which are outside.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from tests.lab import garbage
from tests.lab import hostile
from wsa_proxy.lab import namespace
from wsa_proxy.lab.faults import FAULTS
from wsa_proxy.lab.lab import Lab
from wsa_proxy.lab.report import make_document
from wsa_proxy.runtime.control import ask

FROZEN_S = 10.0
STOPPED_S_MAX = 10.0  # it holds the address silently for a second and more, for what may still come
ATTACKED_S = 30.0
RETURN_S = 8.0
"""Before the end of the attack: so long the one that comes back is attacked as well."""
PROTOCOL = 112


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class Tap:
    """Hears what one node sends, at the bridge's end of its cable; the kernel notes the time of each frame."""

    def __init__(self, name: str) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind((name, 0x0003))

    def advertisements(self) -> int:
        """How many advertisements the node has sent since the last call."""
        count = 0
        while True:
            try:
                frame, address = self._socket.recvfrom(4096)
            except BlockingIOError:
                return count
            if address[2] == socket.PACKET_OUTGOING:
                continue  # towards the node
            count += (frame[12:14] == b"\x08\x00" and frame[23] == PROTOCOL) or (
                frame[12:14] == b"\x86\xdd" and frame[20] == PROTOCOL
            )


def status(lab: Lab, name: str) -> dict[str, Any]:
    """The whole status of a node, asked now."""
    return ask(lab.nodes[name].state_dir / "control.sock", "status")


def seen(lab: Lab, **more: Any) -> dict[str, Any]:
    """Everything that the lab measured, without the samples, and what the scenario adds."""
    document = make_document(lab, None)
    document.pop("samples")
    document["errors"] = dict(Counter(sample.error for sample in list(lab.samples) if not sample.ok))
    return document | {"logs": {name: node.log.read_text() for name, node in lab.nodes.items()}} | more


def neighbour(lab: Lab) -> dict[str, str]:
    """Whom the client's kernel takes for the owner of each address of its LAN: its hardware address."""
    with namespace.inside(lab.topology.networks["client"]):
        listed = subprocess.run(["ip", "-json", "neighbour"], capture_output=True, text=True, check=True).stdout
    return {entry["dst"]: entry["lladdr"] for entry in json.loads(listed) if "lladdr" in entry}


def links(lab: Lab, name: str) -> dict[str, bool]:
    """The network interfaces of a node, and whether each is up."""
    with namespace.inside(lab.topology.networks[name]):
        listed = subprocess.run(["ip", "-json", "link"], capture_output=True, text=True, check=True).stdout
    return {entry["ifname"]: "UP" in entry["flags"] for entry in json.loads(listed)}


def start(overrides: Mapping[str, Any] | None = None) -> Lab:
    """A lab whose two nodes were started at the same moment, with a client that is being served."""
    lab = Lab(overrides=dict(overrides or {}), say=say).__enter__()
    lab.settle()
    lab.start_client()
    lab.wait_service()
    return lab


def do(lab: Lab, fault: str, node: str) -> None:
    say(f"{fault} {node}")
    lab.apply(FAULTS[fault], node)


def preemptive() -> dict[str, Any]:
    """Every fault of the master in turn; each time it comes back and takes over again."""
    lab = start()
    https = lab.fetch("https://origin.example.com/")
    do(lab, "kill", "a")
    lab.wait_service()
    https_after = lab.fetch("https://origin.example.com/")
    do(lab, "start", "a")
    lab.settle()
    warm = neighbour(lab)
    do(lab, "stop", "a")
    lab.wait_service()
    lab.wait_for("a to end", lambda: "its process is there" if lab.nodes["a"].alive else None, STOPPED_S_MAX)
    after_stop = {"neighbour": neighbour(lab), "a": links(lab, "a"), "b": links(lab, "b")}
    do(lab, "start", "a")
    lab.settle()
    do(lab, "deafen", "a")
    lab.wait_service()
    lab.settle()
    do(lab, "cable", "a")
    lab.wait_service()
    do(lab, "plug", "a")
    lab.settle()
    do(lab, "freeze", "a")
    lab.wait_service()
    do(lab, "thaw", "a")
    lab.settle()
    backup = links(lab, "b")
    do(lab, "kill-all", "a")
    lab.wait_service()
    return seen(lab, https=https, https_after=https_after, neighbour=warm, after_stop=after_stop, backup=backup)


def non_preemptive() -> dict[str, Any]:
    """The one in control stays when the better one comes back; and a node woken after ten seconds is silent. All that
    with the network cards' own hardware addresses."""
    lab = start({"failover_handling": "non-preemptive", "mac": "interface"})
    if status(lab, "a")["groups"][0]["state"] != "master":  # b's process was there first, on a busy machine
        do(lab, "stop", "b")
        lab.wait_service()
        do(lab, "start", "b")
        lab.settle()
    before = neighbour(lab)
    do(lab, "kill", "a")
    lab.wait_service()
    do(lab, "start", "a")
    lab.settle()
    after = neighbour(lab)
    states = {name: status(lab, name)["groups"][0]["state"] for name in "ab"}
    tap = Tap("b")
    do(lab, "freeze", "b")
    lab.wait_service()
    began_s = lab.applied[-1].at_s
    time.sleep(max(0.0, began_s + FROZEN_S - time.monotonic()))
    tap.advertisements()
    do(lab, "thaw", "b")
    woken_s = time.monotonic()
    interval_s = status(lab, "b")["groups"][0]["master_down_interval_s"]
    time.sleep(max(0.0, woken_s + interval_s + 0.5 - time.monotonic()))
    sent = tap.advertisements()
    lab.settle()
    return seen(
        lab, states_after_return=states, advertisements_after_waking=sent, neighbours=[before, after], a=links(lab, "a")
    )


def dual_stack() -> dict[str, Any]:
    """IPv4 and IPv6 in one group; the client uses the IPv6 address."""
    lab = start({"virtual_ip": ["fd00:77::3/64", "10.0.0.3/24"], "advertisement_interval": 1})
    both = status(lab, "a")["groups"][0]["virtual_ip_held"]
    do(lab, "kill", "a")
    lab.wait_service()
    after = status(lab, "b")["groups"][0]["virtual_ip_held"]
    return seen(lab, held_before=both, held_after=after, proxy=lab.proxy)


def flooded() -> dict[str, Any]:
    """A stranger on the LAN sends 5,000 bad packets a second for ten seconds, and eight good ones among them."""
    secret = b"flooded by garbage"
    lab = start({"shared_secret": secret.decode()})
    before = {name: status(lab, name)["groups"][0] for name in "ab"}
    with namespace.inside(lab.topology.networks["client"]):
        storm = garbage.storm("eth0", secret, 10.0)
    lab.settle()
    after = {name: status(lab, name)["groups"][0] for name in "ab"}
    return seen(lab, before=before, after=after, storm=storm)


def attacked() -> dict[str, Any]:
    """For half a minute a hostile host sends again what it has captured: as it is, from elsewhere, and rewritten to be
    better or a bow-out. The master dies meanwhile, its successor's come back with advskew 0, and it returns. The switch
    reflects what the master sends."""
    lab = start()
    # A bridge that reflects: what a sends comes back to it.
    subprocess.run(["ip", "link", "set", "dev", "a", "type", "bridge_slave", "hairpin", "on"], check=True)
    captured = hostile.capture("a", 4, 8.0)
    frames = [*captured, *map(hostile.under_another_source, captured)]
    forged = [hostile.rewritten(captured[-1], *values) for values in ((1, 1), (255, 255), (0, 1))]
    began_s = time.monotonic()
    replay = hostile.Replay(lab.topology.networks["client"], [*frames, *forged])
    time.sleep(3.0)
    unharmed = {name: status(lab, name)["groups"][0] for name in "ab"}
    do(lab, "kill-all", "a")
    lab.wait_service()
    successors = [hostile.rewritten(frame, 1, 0) for frame in hostile.capture("b", 2, 8.0)]
    second = hostile.Replay(
        lab.topology.networks["origin"], [*successors, *map(hostile.under_another_source, successors)]
    )
    time.sleep(max(0.0, began_s + ATTACKED_S - RETURN_S - time.monotonic()))
    successor = status(lab, "b")["groups"][0]
    do(lab, "start", "a")
    lab.settle()
    lab.wait_service()
    time.sleep(max(0.0, began_s + ATTACKED_S - time.monotonic()))
    sent, sent_of_successor = replay.stop(), second.stop()
    after = {name: status(lab, name)["groups"][0] for name in "ab"}
    counted = {"sent": sent, "sent_of_successor": sent_of_successor, "lasted_s": time.monotonic() - began_s}
    return seen(lab, captured=len(captured), unharmed=unharmed, successor=successor, after=after, **counted)


def itself() -> dict[str, Any]:
    """A client asks the proxy for the proxy's own name; then a thousand clients come at once."""
    lab = start()
    answers = {
        host: lab.fetch(f"http://{host}:8080/") for host in ("proxy.example.com", "10.0.0.3", "PROXY.Example.com")
    }
    crowd = lab.run_in("client", "tests.lab.crowd", lab.proxy, "1000")
    lags = []
    while crowd.poll() is None:
        try:
            lags.append(float(status(lab, "a")["loop_lag_s"]))
        except Exception as error:  # the answer itself is late when the loop is stalled
            say(f"status: {error}")
        time.sleep(0.2)
    assert crowd.stdout is not None
    served, slowest_s = crowd.stdout.read().split()
    lab.settle()
    return seen(
        lab,
        answers=answers,
        lag_max_s=max(lags),
        served=int(served),
        slowest_s=float(slowest_s),
        health=status(lab, "a")["health"],
    )
