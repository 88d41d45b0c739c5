"""The pairs of one of our nodes and one real ucarp that meet on the bridge, each in a virtual host of its own.

One process of ours serves many groups, so all pairs are tested at the same time. Node a is preemptive, node b not.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from ipaddress import IPv4Interface

from wsa_proxy.carp.election import master_down_s
from wsa_proxy.lab.topology import Host
from wsa_proxy.lab.topology import host

SECRET = "beside a ucarp"
OTHER_SECRET = "not ours at all"
NODES = {"a": host("a", 20), "b": host("b", 21)}
STRANGER = host("stranger", 99)
"""Sends VRRP."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Who meets whom. advbase is 1 on both sides."""

    name: str
    vhid: int
    ours: int
    """Our advskew."""
    theirs: int
    """ucarp's advskew."""
    node: str = "a"
    first: bool = False
    """ucarp is master before our node starts; else it starts when our node is master."""
    options: tuple[str, ...] = ()
    secret: str = SECRET
    """ucarp's."""
    peer: str = ""
    """ucarp's own address, where it matters."""

    @property
    def host(self) -> Host:
        """Where ucarp runs; a host of its own, so that it can be cut off alone."""
        usual = host(f"u{self.vhid}", 100 + self.vhid)
        return Host(usual.name, IPv4Interface(self.peer), usual.ipv6) if self.peer else usual

    @property
    def virtual_ip(self) -> IPv4Address:
        return IPv4Address(f"10.0.0.{200 + self.vhid}")

    @property
    def our_address(self) -> str:
        return str(NODES[self.node].ipv4.ip)

    @property
    def their_address(self) -> str:
        return str(self.host.ipv4.ip)

    @property
    def our_master_down_s(self) -> float:
        return master_down_s(1, self.ours)


PAIRS = [
    Pair("we_are_master", 1, ours=0, theirs=100),
    Pair("ucarp_is_master", 2, ours=100, theirs=0, first=True),
    Pair("we_preempt", 3, ours=0, theirs=100, first=True),
    Pair("ucarp_preempts", 4, ours=100, theirs=0, options=("--preempt",)),
    Pair("we_do_not_preempt", 5, ours=0, theirs=100, node="b", first=True),
    Pair("ucarp_does_not_preempt", 6, ours=100, theirs=0, node="b"),
    Pair("wrong_secret", 7, ours=0, theirs=100, secret=OTHER_SECRET),
    Pair("tie_ours_lower", 8, ours=50, theirs=50),
    Pair("tie_ours_higher", 9, ours=50, theirs=50, peer="10.0.0.9/24"),
    # Lower by the number, but ucarp compares the bytes from the last to the first: there 10.0.1.10 is lower.
    Pair("tie_ours_lower_but_not_for_ucarp", 10, ours=50, theirs=50, peer="10.0.1.10/16"),
    Pair("counter_adopted", 11, ours=100, theirs=0),
    Pair("vrrp_with_the_same_id", 12, ours=0, theirs=100),
]
BY_NAME = {pair.name: pair for pair in PAIRS}

TIES = [pair.name for pair in PAIRS if pair.name.startswith("tie_")]
CUT_OFF = [*TIES, "counter_adopted"]
"""Whose ucarp loses its cable for a while: two masters, that then meet."""
