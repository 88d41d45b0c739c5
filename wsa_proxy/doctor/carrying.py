"""Whether open connections would go on when a virtual IP moves: what this host needs for it.

Whoever takes over passes their frames on to the node that has them (``net/steering.py``). To that one they come in on
its physical interface, also where what is sent to the virtual MAC comes in on an interface of its own: rules of the
packet filter that go by the name of that one would drop them.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from wsa_proxy.carry_text import help_with
from wsa_proxy.doctor.facts import Address
from wsa_proxy.doctor.facts import Facts
from wsa_proxy.doctor.facts import Group
from wsa_proxy.doctor.finding import Answer
from wsa_proxy.doctor.finding import Finding
from wsa_proxy.doctor.finding import NotMade
from wsa_proxy.doctor.ruleset import Fate
from wsa_proxy.doctor.ruleset import Packet
from wsa_proxy.doctor.ruleset import outcome
from wsa_proxy.net.steering import Steering
from wsa_proxy.net.virtual_interface import interface_name

OWN_TABLES = "wsa-proxy-"
"""How the names of those begin that steer: what they do with a frame depends on what is open."""
_TCP = 6


def try_steering() -> str | None:
    """Have the kernel make a table that steers nothing, and remove it. Answers what it lacks; None: nothing."""
    steering = Steering()
    steering.close()
    return steering.trouble


def check(facts: Facts) -> Iterator[Answer]:
    """Only of groups whose members report: others carry nothing over."""
    groups = [group for group in facts.groups if group.report_port is not None]
    if not groups:
        return
    yield from _of_this_host(facts, groups)
    for group in groups:
        yield from _of_the_packet_filter(facts, group)


def _of_this_host(facts: Facts, groups: list[Group]) -> Iterator[Answer]:
    told = [facts.node.group(group.vhid).get("carry") or {} for group in groups] if facts.node is not None else []
    of_node = next((each["cannot_steer"] for each in told if each.get("cannot_steer")), None)
    if of_node is not None:
        fix = help_with(of_node) if facts.cannot_steer else "this host can by now: restart the node, in its maintenance"
        yield Finding(
            f"the running node cannot steer open connections: {of_node}", "its status says so (carry.cannot_steer)", fix
        )
    elif "CAP_NET_ADMIN" in facts.missing_rights:
        yield NotMade("without CAP_NET_ADMIN it cannot be tried: run the doctor as root")
    elif facts.cannot_steer is not None:
        yield Finding(
            f"this host cannot steer open connections: {facts.cannot_steer}",
            "tried with a table that steers nothing: a switch to this host cuts what is open then",
            help_with(facts.cannot_steer),
        )


def _of_the_packet_filter(facts: Facts, group: Group) -> Iterator[Finding]:
    """What passes where it comes in as long as this node is master, and not where it comes in afterwards."""
    port = facts.node.group(group.vhid).get("port") if facts.node is not None else None
    if port is None or not group.virtual_mac:
        return
    chains = [each for each in facts.firewall.chains if not each.table.startswith(OWN_TABLES)]
    for address in group.addresses:
        before, after = (_packet(address, port, each) for each in (interface_name(group.vhid), group.interface))
        dropped = outcome(after, chains)
        if dropped.fate is Fate.DROPPED and outcome(before, chains).fate is Fate.PASSED:
            yield Finding(
                f"the packet filter drops {after.text}, where connections come in that go on here after a switch",
                f"read, not tried: {dropped.where}; on {before.interface} they pass",
                f"let TCP port {port} pass on {after.interface} as on {before.interface}, in the configuration that"
                " these rules come from",
            )


def _packet(address: Address, port: int, interface: str) -> Packet:
    """Of a connection that has been open for a while."""
    return Packet(
        text=f"TCP port {port} to {address} coming in on {interface}",
        version=address.version,
        interface=interface,
        hooks=("ingress", "prerouting", "input"),
        match=(f"tcp dport {port}", f"-p tcp --dport {port}"),
        fields={
            "version": address.version,
            "protocol": _TCP,
            "dport": port,
            "daddr": ip_network(address),
            "in": interface,
            "out": "",
            "translated": "no",
            "dst_type": "local",
            "pkttype": "host",
            "state": "established",
        },
    )
