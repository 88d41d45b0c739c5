"""End-to-end scenarios about who is spoken to, and on which addresses; see scenarios.py."""

from __future__ import annotations

import http.client
import json
import subprocess
from typing import Any

from tests.lab.scenarios import Tap
from tests.lab.scenarios import do
from tests.lab.scenarios import neighbour
from tests.lab.scenarios import say
from tests.lab.scenarios import seen
from tests.lab.scenarios import status
from wsa_proxy.lab import namespace
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
    lab = Lab(overrides={"peers": ["10.0.0.1", "10.0.0.2"]}, interval_s=0.02, say=say).__enter__()
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


# Before the bridge learns anything of it.
NO_ANNOUNCEMENT = """
table bridge lost {
    counter announcements {}
    chain incoming {
        type filter hook prerouting priority -300
        ether daddr ff:ff:ff:ff:ff:ff arp saddr ip 10.0.0.3 counter name announcements drop
    }
}
"""


def unannounced() -> dict[str, Any]:
    """A bridge that loses every gratuitous ARP: from the master's death and its return nobody learns but by the source
    of the advertisements."""
    lab = Lab(interval_s=0.02, say=say).__enter__()
    lab.settle()
    lab.start_client()
    lab.wait_service()
    subprocess.run(["nft", "-f", "-"], input=NO_ANNOUNCEMENT, text=True, check=True)
    do(lab, "kill", "a")
    lab.wait_service()
    do(lab, "start", "a")
    lab.settle()
    lab.wait_service()
    counters = subprocess.run(["nft", "-j", "list", "counters"], capture_output=True, text=True, check=True).stdout
    lost = next(each["counter"]["packets"] for each in json.loads(counters)["nftables"] if "counter" in each)
    return seen(lab, lost=lost, neighbour=neighbour(lab))


def link_local() -> dict[str, Any]:
    """A link-local virtual IP. A client waits on an idle connection while the master is stopped."""
    overrides = {"virtual_ip": ["fe80::1:2/64", "10.0.0.3/24"], "interface": "eth0", "mac": "interface"}
    lab = Lab(overrides=overrides, interval_s=0.02, say=say).__enter__()
    lab.settle()
    lab.start_client()
    lab.wait_service()
    https = lab.fetch("https://origin.example.com/")
    itself = [lab.fetch(f"http://{host}:8080/")["status"] for host in ("proxy.example.com", "[fe80::1:2]", "10.0.0.3")]
    before = status(lab, "a")["groups"][0]["virtual_ip_held"]
    with namespace.inside(lab.topology.networks["client"]):
        waiting = http.client.HTTPConnection("fe80::1:2%eth0", 8080, timeout=5)
        waiting.request("GET", "http://10.0.0.80/")
        answer = waiting.getresponse()
        answer.read()
        waiting_socket = waiting.sock
        neighbour = _neighbour()
    do(lab, "stop", "a")
    ended = waiting_socket.recv(1) == b""
    lab.wait_service()
    after = status(lab, "b")["groups"][0]["virtual_ip_held"]
    with namespace.inside(lab.topology.networks["client"]):
        moved = _neighbour() != neighbour
    more = {"https": https, "itself": itself, "before": before, "after": after, "moved": moved}
    return seen(lab, answered=answer.status, ended=ended, proxy=lab.proxy, **more)


def _neighbour() -> str:
    """The hardware address at which the client believes the virtual IP."""
    shown = subprocess.run(["ip", "neigh", "show", "fe80::1:2"], capture_output=True, text=True, check=True)
    return shown.stdout.split("lladdr ")[1].split()[0]
