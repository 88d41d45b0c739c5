"""What a packet filter does with a packet, as far as that can be told by reading its rules.

Chains and rules in one form, whether they come from nftables or iptables, and an evaluation with three values: a
condition holds, does not hold, or cannot be decided (a mark, a limit, a set that changes). A packet is then dropped for
certain, passed for certain, or neither; only the first is a finding, and the last is told as such.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from enum import Enum
from fnmatch import fnmatchcase
from ipaddress import IPv4Network
from ipaddress import IPv6Network

type Network = IPv4Network | IPv6Network
type Value = int | str | Network | range | frozenset[str]
"""A number, a word (an interface name may end in ``*``), addresses, a range of numbers; of a packet also the words of
which one is true, and it is not known which."""

JUMPS_MAX = 16
"""The kernel's own limit (NFT_JUMP_STACK_SIZE)."""


@dataclass(frozen=True, slots=True)
class Condition:
    """``field`` is one of Packet's; empty when nothing can be said of it."""

    field: str
    values: tuple[Value, ...]
    negated: bool = False


class Verdict(Enum):
    """What a rule does when its conditions hold."""

    ACCEPT = "accept"
    DROP = "drop"
    JUMP = "jump"
    GOTO = "goto"
    RETURN = "return"
    NONE = "none"
    """It counts, logs, marks; the next rule decides."""
    UNKNOWN = "unknown"
    """It may be any."""


@dataclass(frozen=True, slots=True)
class Rule:
    conditions: tuple[Condition, ...]
    verdict: Verdict
    target: str = ""
    """The chain, of a jump."""
    text: str = ""
    """As a person would write it."""


@dataclass(frozen=True, slots=True)
class Chain:
    """One chain of one table. ``hook`` is empty for one that is only jumped to."""

    family: str
    """ip, ip6, inet, netdev."""
    table: str
    name: str
    rules: tuple[Rule, ...]
    hook: str = ""
    """ingress, egress, prerouting, input, output, postrouting."""
    policy: str = "accept"
    devices: tuple[str, ...] = ()
    """Of netdev: the interfaces; empty when they are not known."""

    @property
    def title(self) -> str:
        return f"table {self.family} {self.table}, chain {self.name}"


@dataclass(frozen=True, slots=True)
class Packet:
    """What is known of it. A field that is not there cannot be decided."""

    text: str
    """What it is, for the sentence: ``UDP port 8112 coming in on eth0``."""
    version: int
    interface: str
    hooks: tuple[str, ...]
    """Those that it passes, in their order."""
    match: tuple[str, str]
    """How a rule asks for it, in the words of nft and of iptables."""
    fields: Mapping[str, Value]

    def passes(self, chain: Chain) -> bool:
        """The chain is asked about this packet."""
        if chain.hook not in self.hooks:
            return False
        if chain.devices and not any(fnmatchcase(self.interface, each) for each in chain.devices):
            return False
        return {"ip": 4, "ip6": 6}.get(chain.family, self.version) == self.version


class Fate(Enum):
    PASSED = "passed"
    DROPPED = "dropped"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Outcome:
    """``where``: the rule or policy that drops it, or may drop it; ``base``: the chain that was asked."""

    fate: Fate
    where: str = ""
    base: Chain | None = None


_GOES_ON = Outcome(Fate.PASSED, "end of chain")
"""Internal to a walk: no rule of this chain has decided."""


def outcome(packet: Packet, chains: Sequence[Chain]) -> Outcome:
    """Of the whole filter. What happens to one kind of these packets and not to the other is not certain."""
    outcomes = [_outcome(each, chains) for each in _alternatives(packet)]
    if len({each.fate for each in outcomes}) == 1:
        return outcomes[0]
    return replace(next(each for each in outcomes if each.fate is not Fate.PASSED), fate=Fate.UNSURE)


def _alternatives(packet: Packet) -> Iterator[Packet]:
    """With one word for each field of which several may be true."""
    open_field = next((name for name, value in packet.fields.items() if isinstance(value, frozenset)), None)
    if open_field is None:
        yield packet
        return
    words = packet.fields[open_field]
    assert isinstance(words, frozenset)
    for word in sorted(words):
        yield from _alternatives(replace(packet, fields={**packet.fields, open_field: word}))


def _outcome(packet: Packet, chains: Sequence[Chain]) -> Outcome:
    """One base chain that drops it is enough, whatever the others say."""
    unsure: Outcome | None = None
    for chain in chains:
        if not packet.passes(chain):
            continue
        found = replace(_Walk(packet, chains).base(chain), base=chain)
        if found.fate is Fate.DROPPED:
            return found
        if found.fate is Fate.UNSURE:
            unsure = unsure or found
    return unsure or Outcome(Fate.PASSED)


class _Walk:
    """One packet through one base chain."""

    def __init__(self, packet: Packet, chains: Sequence[Chain]) -> None:
        self._packet = packet
        self._chains = {(each.family, each.table, each.name): each for each in chains}
        self._accepted_by = ""
        """A rule that may have accepted it."""
        self._dropped_by = ""
        """A rule that may have dropped it."""

    def base(self, chain: Chain) -> Outcome:
        found = self._follow(chain, 0)
        if found is _GOES_ON:
            where = f"{chain.title}: policy {chain.policy}"
            found = Outcome(Fate.DROPPED if chain.policy == "drop" else Fate.PASSED, where)
        if found.fate is Fate.DROPPED and chain.family == "netdev" and not chain.devices:
            return Outcome(Fate.UNSURE, f"{found.where}, if the chain is one of {self._packet.interface}")
        if found.fate is Fate.DROPPED and self._accepted_by:
            return Outcome(Fate.UNSURE, f"{found.where}, unless this accepts it: {self._accepted_by}")
        if found.fate is Fate.PASSED and self._dropped_by:
            return Outcome(Fate.UNSURE, self._dropped_by)
        return found

    def _follow(self, chain: Chain, depth: int) -> Outcome:
        for rule in chain.rules:
            holds = self._holds(rule)
            if holds is False or rule.verdict is Verdict.NONE:
                continue
            found = self._decide(chain, rule, holds is True, depth)
            if found is not None:
                return found
        return _GOES_ON

    def _decide(self, chain: Chain, rule: Rule, certain: bool, depth: int) -> Outcome | None:
        """None: the next rule decides."""
        where = f"{chain.title}: {rule.text}"
        match rule.verdict:
            case Verdict.ACCEPT:
                if certain:
                    return Outcome(Fate.PASSED, where)
                self._accepted_by = self._accepted_by or where
            case Verdict.DROP:
                if certain:
                    return Outcome(Fate.DROPPED, where)
                self._dropped_by = self._dropped_by or where
            case Verdict.RETURN:
                if certain:
                    return _GOES_ON
                self._accepted_by = self._accepted_by or where
            case Verdict.JUMP | Verdict.GOTO:
                return self._jump(chain, rule, certain, depth)
            case _:
                self._accepted_by, self._dropped_by = self._accepted_by or where, self._dropped_by or where
        return None

    def _jump(self, chain: Chain, rule: Rule, certain: bool, depth: int) -> Outcome | None:
        target = self._chains.get((chain.family, chain.table, rule.target))
        if target is None or depth >= JUMPS_MAX:  # an extension, which may do anything; no chain jumps so deep
            where = f"{chain.title}: {rule.text}"
            self._accepted_by, self._dropped_by = self._accepted_by or where, self._dropped_by or where
            return None
        found = self._follow(target, depth + 1)
        if certain:
            return None if found is _GOES_ON and rule.verdict is Verdict.JUMP else found
        if found.fate is Fate.DROPPED:
            self._dropped_by = self._dropped_by or found.where
        elif found is not _GOES_ON:
            self._accepted_by = self._accepted_by or found.where
        return None

    def _holds(self, rule: Rule) -> bool | None:
        """All conditions; None when that cannot be decided."""
        results = [self._one(condition) for condition in rule.conditions]
        if False in results:
            return False
        return None if None in results else True

    def _one(self, condition: Condition) -> bool | None:
        value = self._packet.fields.get(condition.field)
        if value is None:
            return None
        results = [_matches(value, wanted) for wanted in condition.values]
        found: bool | None = True if True in results else None if None in results else False
        return found if found is None else found is not condition.negated


def _matches(value: Value, wanted: Value) -> bool | None:
    if isinstance(value, IPv4Network | IPv6Network):
        if not isinstance(wanted, IPv4Network | IPv6Network):
            return None
        return _inside(value, wanted)
    if isinstance(wanted, range):
        return value in wanted
    if isinstance(value, str) and isinstance(wanted, str):
        return fnmatchcase(value, wanted)
    return value == wanted if type(value) is type(wanted) else None


def _inside(value: Network, wanted: Network) -> bool | None:
    """Whether an address of ``value``, any of them, is one of ``wanted``; None: some are."""
    if value.version != wanted.version:
        return False
    if value.num_addresses <= wanted.num_addresses and value.network_address in wanted:
        return True
    return None if wanted.network_address in value else False
