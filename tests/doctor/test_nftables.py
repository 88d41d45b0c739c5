"""nft's own JSON of rules that a kernel has taken, and what it says about packets that have passed them."""

from __future__ import annotations

import dataclasses
import json
import socket
from ipaddress import ip_network
from typing import Any

import pytest

from tests.learning_switch import run
from wsa_proxy.doctor.nftables import number_of_protocol
from wsa_proxy.doctor.nftables import read_ruleset
from wsa_proxy.doctor.ruleset import Chain
from wsa_proxy.doctor.ruleset import Fate
from wsa_proxy.doctor.ruleset import Packet
from wsa_proxy.doctor.ruleset import Value
from wsa_proxy.doctor.ruleset import outcome

FIELDS: dict[str, Value] = {
    "version": 4,
    "in": "left",
    "out": "",
    "pkttype": "multicast",
    "state": "new",
    "dst_type": "multicast",
}
FIELDS |= {"translated": "no"}
FIELDS |= {"saddr": ip_network("10.0.0.0/24"), "daddr": ip_network("224.0.0.18/32")}
CARP = Packet("CARP", 4, "left", ("input",), ("", ""), FIELDS | {"protocol": 112})
REPORT = Packet("report", 4, "left", ("input",), ("", ""), FIELDS | {"protocol": 17, "dport": 8112})
REPORT6 = Packet("report", 6, "left", ("input",), ("", ""), {"version": 6, "in": "left", "protocol": 17, "dport": 8112})


def loaded(text: str) -> tuple[Chain, ...]:
    """What the doctor reads of rules that nft has loaded."""
    run("nft", "-f", "-", text=text)
    return read_ruleset(run("nft", "--json", "list", "ruleset"), run("nft", "list", "chains", "netdev"))


def fates(chains: tuple[Chain, ...]) -> tuple[Fate, ...]:
    return tuple(outcome(packet, chains).fate for packet in (CARP, REPORT, REPORT6))


P, D, U = Fate.PASSED, Fate.DROPPED, Fate.UNSURE
RULES: list[tuple[str, tuple[Fate, Fate, Fate]]] = [
    ("ip protocol 112 counter drop", (D, P, P)),
    ("ip protocol { 112, udp } log reject", (D, D, P)),
    ("ip protocol != tcp drop", (D, D, P)),
    ("ip6 nexthdr udp drop", (P, P, D)),
    ("meta l4proto vrrp drop", (D, P, P)),
    ("meta nfproto ipv6 drop", (P, P, D)),
    ("meta pkttype multicast drop", (D, D, U)),
    ("udp dport 8112 drop", (P, D, D)),
    ("udp dport 8000-9000 drop", (P, D, D)),
    ("meta l4proto { tcp, udp } th dport 8112 drop", (P, D, D)),
    ("tcp dport 8112 drop", (P, P, P)),
    ("ip saddr 10.0.0.0/8 drop", (D, D, P)),
    ("ip saddr != 10.0.0.0/24 drop", (P, P, P)),
    ("ip saddr 10.0.0.7 drop", (U, U, P)),
    ("ip saddr @trusted drop", (D, D, P)),
    ("ip saddr @changing drop", (U, U, P)),
    ("ip daddr 224.0.0.0/4 drop", (D, D, P)),
    ("ct state established,related drop", (P, P, U)),
    ("ct state { new, invalid } drop", (D, D, U)),
    ("ct state vmap { new : drop, established : accept }", (D, D, U)),
    ("iifname le* drop", (D, D, D)),
    ('iifname != "lo" drop', (D, D, D)),
    ("iif lo drop", (P, P, P)),
    ("fib daddr type multicast drop", (D, D, U)),
    ("fib daddr type { local, broadcast } drop", (P, P, U)),
    ("fib saddr type local drop", (U, U, U)),
    ("ct status dnat drop", (P, P, U)),
    ("ct status assured drop", (U, U, U)),
    ("limit rate over 5/second drop", (U, U, U)),
    ("meta mark 7 drop", (U, U, U)),
    ("ip ttl 255 drop", (U, U, P)),
    ("meta l4proto vmap { udp : jump side, 112 : goto side }", (D, D, D)),
    ("udp dport vmap { 8112 : drop, 53 : accept }", (P, D, D)),
    ("ip protocol 112 accept; drop", (P, D, D)),
]
# One process of nft for all of them.
TABLES = "".join(
    f"table inet t{number} {{\n"
    "set trusted { type ipv4_addr; flags interval; elements = { 10.0.0.0/24, 192.168.1.1 }; }\n"
    "set changing { type ipv4_addr; flags dynamic,timeout; timeout 1m; }\n"
    "chain side { drop; }\n"
    f"chain input {{ type filter hook input priority 0; {text}; }}\n}}\n"
    for number, (text, _) in enumerate(RULES)
)


def test_rules(lan: Any) -> None:
    """Each as the kernel has taken it, with what it does to an advertisement, a report, and a report by IPv6."""
    chains = loaded(TABLES)
    for number, (text, expected) in enumerate(RULES):
        one = tuple(each for each in chains if each.table == f"t{number}")
        assert fates(one) == expected, text


def test_the_kernel_agrees(lan: Any) -> None:
    """Of reports that are really sent, those and only those arrive that are said to pass; unsure is either."""
    with lan.on_the_right():
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.0.0.2"))
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("", 8112))
    member = socket.inet_aton("224.0.0.18") + socket.inet_aton("10.0.0.1")
    receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    receiver.settimeout(0.1)
    for text, (_, expected, _) in RULES:
        table = TABLES.split("table inet ")[1 + [each for each, _ in RULES].index(text)]
        run("nft", "-f", "-", text=f"flush ruleset\ntable inet {table}")
        sender.sendto(text.encode(), ("224.0.0.18", 8112))
        try:
            arrived = receiver.recv(200) == text.encode()
        except TimeoutError:
            arrived = False
        assert arrived == (expected is not D) or expected is U, text


def test_where_is_said(lan: Any) -> None:
    """Table, chain, and the rule nearly as nft prints it, with its handle."""
    chains = loaded(
        "table inet host { chain input { type filter hook input priority 0; policy drop; tcp dport 22 accept; }; }"
    )
    assert outcome(CARP, chains).where == "table inet host, chain input: policy drop"
    chains = loaded(
        "table ip old { chain in { type filter hook input priority 0; ip protocol { 112, tcp } counter drop; }; }"
    )
    old = tuple(each for each in chains if each.table == "old")
    assert outcome(CARP, old).where == "table ip old, chain in: ip protocol { tcp, vrrp } counter drop (handle 3)"


def test_chains_of_netdev_are_those_of_their_interfaces(lan: Any) -> None:
    """The JSON of nft 1.0.6 does not say which."""
    for device, expected in (("left", D), ("lo", P)):
        chains = loaded(
            "flush ruleset\ntable netdev guard { chain in { type filter hook ingress"
            f" devices = {{ {device} }} priority 0; ip protocol 112 drop; }}; }}"
        )
        packet = Packet("CARP", 4, "left", ("ingress",), ("", ""), FIELDS | {"protocol": 112})
        assert outcome(packet, chains).fate is expected
        unknown = read_ruleset(run("nft", "--json", "list", "ruleset"))
        assert unknown[0].devices in ((), (device,))


def test_a_dormant_table_does_nothing() -> None:
    """nft 1.0.6 leaves the flag out of its JSON; a newer one has it (libnftables-json(5) does not say where)."""
    table = {"table": {"family": "inet", "name": "t", "flags": "dormant"}}
    place = {"family": "inet", "table": "t", "name": "in", "type": "filter", "hook": "input", "policy": "drop"}
    assert fates(read_ruleset(json.dumps({"nftables": [{"chain": place}]}))) == (D, D, D)
    assert fates(read_ruleset(json.dumps({"nftables": [table, {"chain": place}]}))) == (P, P, P)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"nftables": [{"rule": {}}]}', '{"nftables": [3]}'])
def test_what_is_no_ruleset(text: str) -> None:
    with pytest.raises(ValueError):
        read_ruleset(text)


def test_what_a_newer_nft_may_say() -> None:
    """An expression, a verdict or a family that nobody here knows leaves it undecided, or out."""
    place = {"family": "inet", "table": "t"}
    base = {"chain": {**place, "name": "in", "type": "filter", "hook": "input", "policy": "accept"}}
    expressions: list[Any] = [{"xt": None}, {"teleport": {}}]
    expressions.append({"match": {"op": "==", "left": {"moon": 1}, "right": 1}})
    for expression in expressions:
        rule = {"rule": {**place, "chain": "in", "handle": 1, "expr": [expression, {"drop": None}]}}
        assert fates(read_ruleset(json.dumps({"nftables": [base, rule]}))) == (U, U, U), expression
    arp = {"chain": {"family": "arp", "table": "t", "name": "in", "type": "filter", "hook": "input", "policy": "drop"}}
    assert read_ruleset(json.dumps({"nftables": [arp]})) == ()


@pytest.mark.parametrize(
    ("name", "number"), [(112, 112), ("vrrp", 112), ("carp", 112), ("UDP", 17), ("47", 47), ("no such", None)]
)
def test_protocols(name: object, number: int | None) -> None:
    assert number_of_protocol(name) == number


FIREWALLD = """
table inet firewalld {
  chain zones { iifname "left" goto public; goto public; }
  chain public {
    jump allow
    meta l4proto { icmp, ipv6-icmp } accept
    reject with icmpx admin-prohibited
  }
  chain allow {
    tcp dport 22 ct state { new, untracked } accept
    ip6 daddr fe80::/64 udp dport 546 ct state { new, untracked } accept
    %s
  }
  chain input {
    type filter hook input priority filter + 10; policy accept;
    ct state { established, related } accept
    ct status dnat accept
    iifname "lo" accept
    ct state { invalid } drop
    jump zones
    reject with icmpx admin-prohibited
  }
}
"""
"""The chains of firewalld 1.3 for a zone with ssh, under shorter names."""


@pytest.mark.parametrize(("line", "expected"), [("", D), ("udp dport 8112 ct state { new, untracked } accept", P)])
def test_the_rules_of_firewalld(lan: Any, line: str, expected: Fate) -> None:
    """Decided for certain, also for unicasts, of which one may be an answer."""
    chains = loaded(FIREWALLD % line)
    assert outcome(REPORT, chains).fate is expected
    unicast = dataclasses.replace(REPORT, fields={**REPORT.fields, "state": frozenset({"new", "established"})})
    assert outcome(unicast, chains).fate is (P if expected is P else U)
