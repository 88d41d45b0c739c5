"""Load sharing on the test track: two nodes, two groups with opposite priorities, a client for each; one scenario.

Group 1 has three addresses of both IP versions and node a for its master, group 2 has two and node b. The scenario does
things and returns what it saw; the judging is in test_two_groups.py.
"""

from __future__ import annotations

import copy
import functools
import io
import json
import random
import socket
import threading
import time
from ipaddress import ip_interface
from typing import IO
from typing import Any

from ruamel.yaml import YAML

from tests.lab import garbage
from tests.lab import scenarios
from wsa_proxy.lab import namespace
from wsa_proxy.lab.configuration import NodeFile
from wsa_proxy.lab.holders import holdings
from wsa_proxy.lab.lab import Lab
from wsa_proxy.lab.outage import Sample
from wsa_proxy.lab.outage import failures
from wsa_proxy.lab.outage import last_server
from wsa_proxy.lab.outage import longest_gap
from wsa_proxy.lab.topology import ORIGIN

ADDRESSES = {1: ["10.0.0.3/24", "fd00:77::3/64", "10.0.0.4/24"], 2: ["10.0.0.7/24", "fd00:77::7/64"]}
PRIORITIES = {1: {"a": 255, "b": 200}, 2: {"a": 200, "b": 255}}
SECRETS = {1: "the first secret", 2: "the second secret"}
EVERY_S = 0.05
"""Between two requests of a client. One proxy serves both in the end; on a busy machine it could not do much more."""
STORM_S = 2.5
STORM_EVERY_S = 0.001
CALM_S = 2.0
"""For so long after a change everybody is watched."""


class TwoGroups(Lab):
    """The lab of two nodes, each with both groups."""

    def __init__(self) -> None:
        super().__init__(say=scenarios.say, interval_s=EVERY_S)
        self._files = {name: _with_two_groups(name, file) for name, file in self._files.items()}
        self.virtual_ips = [str(each.ip) for each in self._files["a"].virtual_ips]
        self.second: list[Sample] = []
        """What the client of group 2 tells."""

    def start_clients(self) -> None:
        """The lab's own client asks group 1, one more group 2."""
        self.start_client()
        arguments = ("--proxy", "10.0.0.7:8080", "--url", f"http://{ORIGIN.ipv4.ip}/", "--interval", str(EVERY_S))
        client = self.run_in("client", "wsa_proxy.lab.client", *arguments)
        assert client.stdout is not None
        threading.Thread(target=self._collect_second, args=(client.stdout,), daemon=True).start()

    def _collect_second(self, lines: IO[bytes]) -> None:
        for line in lines:
            self.second.append(Sample(*json.loads(line)))

    def client(self, group: int, begin_s: float, end_s: float) -> dict[str, Any]:
        """What the client of this group noticed."""
        samples = list(self.samples if group == 1 else self.second)
        late_s = [each.start_s - each.due_s for each in samples if begin_s < each.start_s <= end_s]
        return {
            "failed": len(failures(samples, begin_s, end_s)),
            "gap_s": longest_gap(samples, begin_s, end_s).duration_s,
            "server": last_server(samples, begin_s, end_s),
            "late_s": max(late_s, default=0.0),
        }

    def holders(self) -> dict[str, list[str]]:
        """Whose kernel has which of the addresses now."""
        held = [each for each in holdings(self.holder_log.events, time.monotonic()) if each.open]
        return {address: sorted(each.node for each in held if each.address == address) for address in self.virtual_ips}

    def group(self, node: str, number: int) -> dict[str, Any]:
        """Its status, asked now."""
        groups = scenarios.status(self, node)["groups"]
        return next(group for group in groups if group["id"] == number)


def _with_two_groups(name: str, file: NodeFile) -> NodeFile:
    document = YAML(typ="safe").load(file.text)
    (example,) = document["groups"]
    document["groups"] = [
        copy.deepcopy(example)
        | {"id": number, "virtual_ip": ADDRESSES[number], "priority": PRIORITIES[number][name]}
        | {"shared_secret": SECRETS[number]}
        for number in ADDRESSES
    ]
    text = io.StringIO()
    YAML().dump(document, text)
    addresses = tuple(ip_interface(each) for group in ADDRESSES.values() for each in group)
    return NodeFile(text.getvalue(), addresses, file.hostnames, file.port)


def storm_on_group_1(lab: TwoGroups) -> int:
    """Everything that group 1 must refuse, a thousand packets a second; how many were sent."""
    kinds = garbage.kinds(SECRETS[1].encode(), random.Random(1))
    frames = [frame for name, some in kinds.items() if name != "other_vhid" for frame in some]
    sent, ends_s = 0, time.monotonic() + STORM_S
    network = lab.topology.networks["client"]
    with namespace.inside(network), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
        sender.bind(("eth0", 0))
        while time.monotonic() < ends_s:
            sender.send(frames[sent % len(frames)])
            sent += 1
            time.sleep(STORM_EVERY_S)
    return sent


def sharing() -> dict[str, Any]:
    """A storm on one group; then the master of the other is killed, and comes back."""
    lab = TwoGroups()
    lab.__enter__()
    lab.settle()
    lab.start_clients()
    lab.wait_service()
    seen: dict[str, Any] = {"holders": {"at first": lab.holders()}, "clients": {}}

    def watch(what: str, begin_s: float) -> None:
        end_s = time.monotonic()
        seen["clients"][what] = {number: lab.client(number, begin_s, end_s) for number in (1, 2)}
        seen["holders"][what] = lab.holders()

    seen["before"] = {name: {number: lab.group(name, number) for number in (1, 2)} for name in "ab"}
    began_s = time.monotonic()
    seen["stormed"] = storm_on_group_1(lab)
    watch("storm", began_s)
    seen["after"] = {name: {number: lab.group(name, number) for number in (1, 2)} for name in "ab"}
    for fault, node in (("kill", "a"), ("start", "b")):
        began_s = time.monotonic()
        scenarios.do(lab, fault, "b")
        lab.wait_for("group 2 to move", functools.partial(missing, lab, node), 30)
        time.sleep(CALM_S)
        watch(f"{fault} b", began_s)
    lab.settle()
    return scenarios.seen(lab, **seen)


def missing(lab: TwoGroups, node: str) -> str | None:
    """None when this node has all the addresses of group 2."""
    holders = lab.holders()
    late = [each for each in ADDRESSES[2] if holders[each.partition("/")[0]] != [node]]
    return f"{late} not with {node}: {holders}" if late else None
