"""Rules of this host's packet filter that stop what the nodes say to each other.

Which chains matter follows from how a node listens and speaks. It hears advertisements through a packet socket, behind
the ingress hook and before all others, and multicasts them as frames: of the packet filter only ingress and egress
(netdev) can stop those, and a rule about protocol 112 in an input or output chain does no harm. Unicast advertisements
leave through a raw IP socket, so output and postrouting can stop them. Reports are ordinary UDP.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

from wsa_proxy.doctor import nftables
from wsa_proxy.doctor.facts import Facts
from wsa_proxy.doctor.facts import FirewallFacts
from wsa_proxy.doctor.facts import Group
from wsa_proxy.doctor.facts import Sound
from wsa_proxy.doctor.finding import Answer
from wsa_proxy.doctor.finding import Finding
from wsa_proxy.doctor.finding import NotMade
from wsa_proxy.doctor.iptables import read_saved
from wsa_proxy.doctor.node import members_of
from wsa_proxy.doctor.ruleset import Chain
from wsa_proxy.doctor.ruleset import Fate
from wsa_proxy.doctor.ruleset import Outcome
from wsa_proxy.doctor.ruleset import Packet
from wsa_proxy.doctor.ruleset import Value
from wsa_proxy.doctor.ruleset import outcome
from wsa_proxy.net.frames import GROUP_IPV4
from wsa_proxy.net.frames import GROUP_IPV6
from wsa_proxy.net.frames import PROTOCOL_CARP

PATHS = "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin"
"""An ordinary user's shell does not look in the first three."""
LIMIT_S = 10.0
CAME_IN_MIN = 2
"""So many packets are no chance that the last one was still on its way."""
_UDP = 17
_LEGACY = (
    ("ip", "iptables-legacy-save", Path("/proc/net/ip_tables_names")),
    ("ip6", "ip6tables-legacy-save", Path("/proc/net/ip6_tables_names")),
)


def read_firewall() -> FirewallFacts:
    """nftables, with what iptables-nft has made there, and the older iptables where its tables are in use."""
    chains: list[Chain] = []
    unread: list[str] = []
    listed, why = _run("nft", "list", "chains", "netdev")
    text, why = _run("nft", "--json", "list", "ruleset")
    if why:
        unread.append(why)
    else:
        try:
            chains += nftables.read_ruleset(text, listed)
        except ValueError as error:
            unread.append(f"nft --json list ruleset: {error}")
    for family, program, tables in _LEGACY:
        if not _in_use(tables):
            continue
        text, why = _run(program)
        if why:
            unread.append(f"the kernel has rules of the older {family}tables, and {why}")
        else:
            chains += read_saved(text, family)
    return FirewallFacts(tuple(chains), tuple(unread))


def _in_use(tables: Path) -> bool:
    try:
        return bool(tables.read_text().strip())
    except OSError:
        return False  # the module is not loaded, or belongs to another network namespace


def _run(program: str, *arguments: str) -> tuple[str, str]:
    """What it prints, or why it did not."""
    found = shutil.which(program, path=PATHS)
    if found is None:
        package = "nftables" if program == "nft" else "iptables"
        return "", f"{program} is not installed, so its rules were not read: apt-get install {package}"
    try:
        done = subprocess.run(
            [found, *arguments], capture_output=True, text=True, errors="replace", timeout=LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", f"{program} could not be run: {error}"
    if done.returncode:
        said = done.stderr.strip().partition("\n")[0]
        return "", f"{program} was refused ({said}), so its rules were not read: run the doctor as root"
    return done.stdout, ""


def check(facts: Facts) -> Iterator[Answer]:
    """By reading alone, but for packets that are seen to come in and not to get through."""
    yield from (NotMade(each) for each in facts.firewall.unread)
    for group in facts.groups:
        if not group.interface:
            continue
        sound = facts.sounds.get(group.interface)
        for packet in packets(facts, group):
            found = outcome(packet, facts.firewall.chains)
            if found.fate is Fate.DROPPED:
                yield _dropped(packet, found, sound)
            elif found.fate is Fate.UNSURE and not _gets_through(packet, sound):
                yield NotMade(f"reading cannot decide whether {packet.text} is dropped: {found.where}")
        yield from _unexplained(facts, group, sound)


def _dropped(packet: Packet, found: Outcome, sound: Sound | None) -> Finding:
    evidence = f"read, not tried: {found.where}"
    if _is_swallowed(packet, sound):
        assert sound is not None
        seen = sound.came_in[packet.version]
        evidence = (
            f"{found.where}; {seen} packets came in on {packet.interface} in {sound.seconds:g} s, and none got through"
        )
    return Finding(f"the packet filter drops {packet.text}", evidence, _fix(packet, found.base))


def _fix(packet: Packet, chain: Chain | None) -> str:
    """First in the chain that is asked first; what has made the rules (firewalld, ufw) would undo it."""
    assert chain is not None
    command = f"nft insert rule {chain.family} {chain.table} {chain.name} {packet.match[0]} accept"
    if chain.name.isupper():  # as iptables calls its own
        program = "ip6tables" if chain.family == "ip6" else "iptables"
        command = f"{program} -t {chain.table.split()[0]} -I {chain.name} {packet.match[1]} -j ACCEPT"
    return f"{command}; and in the configuration that these rules come from"


def _unexplained(facts: Facts, group: Group, sound: Sound | None) -> Iterator[Finding]:
    """What no rule explains that was read: tc, eBPF, or rules that could not be read."""
    for packet in packets(facts, group):
        if _is_swallowed(packet, sound) and outcome(packet, facts.firewall.chains).fate is not Fate.DROPPED:
            assert sound is not None
            yield Finding(
                f"this host drops {packet.text}",
                f"{sound.came_in[packet.version]} packets came in in {sound.seconds:g} s, and none got through to where"
                " a node hears",
                f"look for filters at the ingress of {packet.interface}: tc filter show dev {packet.interface} ingress,"
                " bpftool net, nft list chains netdev",
            )


def _is_swallowed(packet: Packet, sound: Sound | None) -> bool:
    if sound is None or packet.hooks != ("ingress",):
        return False
    return sound.came_in.get(packet.version, 0) >= CAME_IN_MIN and not sound.got_through.get(packet.version, 0)


def _gets_through(packet: Packet, sound: Sound | None) -> bool:
    """Seen, whatever the rules seem to say."""
    return sound is not None and packet.hooks == ("ingress",) and sound.got_through.get(packet.version, 0) > 0


def packets(facts: Facts, group: Group) -> Iterator[Packet]:
    """All that has to pass for this group."""
    yield from advertisement_packets(facts, group)
    yield from report_packets(facts, group)


def advertisement_packets(facts: Facts, group: Group) -> Iterator[Packet]:
    match = (f"meta l4proto {PROTOCOL_CARP}", f"-p {PROTOCOL_CARP}")
    ways = ("ingress",), (("output", "postrouting", "egress") if group.peers else ("egress",))
    yield from _both_ways(facts, group, "protocol 112 (CARP, {})", ways, match, {"protocol": PROTOCOL_CARP})


def report_packets(facts: Facts, group: Group) -> Iterator[Packet]:
    """None where none are sent."""
    port = _report_port(facts, group)
    if port is not None:
        match = (f"udp dport {port}", f"-p udp --dport {port}")
        ways = ("ingress", "prerouting", "input"), ("output", "postrouting", "egress")
        text = f"UDP port {port} (members' reports, {{}})"
        yield from _both_ways(facts, group, text, ways, match, {"protocol": _UDP, "dport": port})


def _both_ways(
    facts: Facts,
    group: Group,
    text: str,
    hooks: tuple[tuple[str, ...], tuple[str, ...]],
    match: tuple[str, str],
    payload: dict[str, Value],
) -> Iterator[Packet]:
    """Coming in and going out, in each IP version."""
    name = group.interface
    for version in sorted({each.version for each in group.peers or group.addresses}):
        said = text.format("IPv4" if version == 4 else "IPv6")
        fields = payload | {"version": version, "translated": "no", "dst_type": "local"}
        fields |= {"state": frozenset({"new", "established"})}
        if not group.peers:
            fields |= {"daddr": ip_network(GROUP_IPV4 if version == 4 else GROUP_IPV6), "pkttype": "multicast"}
            fields |= {
                "dst_type": "multicast",
                "state": "new",
            }  # nobody answers a multicast, so no connection is ever established
        incoming = fields | {"in": name, "out": ""} | _source(facts, group, version)
        outgoing = fields | {"in": "", "out": name}
        if group.peers:
            outgoing["dst_type"] = "unicast"
        yield Packet(f"{said} coming in on {name}", version, name, hooks[0], match, incoming)
        yield Packet(f"{said} going out on {name}", version, name, hooks[1], match, outgoing)


def _source(facts: Facts, group: Group, version: int) -> dict[str, Value]:
    """A neighbour sends from the interface's network, where it has just one; a peer from anywhere."""
    networks = {
        each.network
        for interface in facts.host.interfaces
        for each in interface.addresses
        if interface.name == group.interface and each.network.version == version and each.network.num_addresses > 1
    }
    return {"saddr": networks.pop()} if len(networks) == 1 and not group.peers else {}


def _report_port(facts: Facts, group: Group) -> int | None:
    """Where reports are expected; a running node says its own, and one of an earlier version sends none."""
    if facts.node is None or not facts.node.group(group.vhid):
        return group.report_port
    port: int | None = members_of(facts.node, group.vhid).get("port")
    return port
