"""Would a node with this configuration believe it? The node's own word, and why.

The word comes from the node's own judge (``carp/credentials.py``), as of a node that was started when the watch was.
Its clock is the capture's.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from typing import Literal

from wsa_proxy.carp import seal
from wsa_proxy.carp.credentials import Credentials
from wsa_proxy.carp.credentials import Reading
from wsa_proxy.carp.seal import Seal
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.carp.wire import Reject
from wsa_proxy.watch.decode import Heard
from wsa_proxy.watch.decode import wrong_ttl
from wsa_proxy.watch.groups import WatchedGroup
from wsa_proxy.watch.vrrp import Vrrp

type Tone = Literal["good", "plain", "bad"]
type _Place = tuple[str, tuple[int, ...], int]

VALID, UNVERIFIED = "valid", "unverified"
COPY = "a copy of one that was heard"
YEAR_2020_S = datetime(2020, 1, 1, tzinfo=UTC).timestamp()
COPIES_OF_BOW_OUT_MAX = 3
"""A guardian sends it at 0, 20 and 100 ms."""
NODES_MAX = 64
"""For each interface and VLAN a node is imagined; those after so many share one."""
COPIES_TO_MAX = 16
BELIEVED_REMEMBERED = 16
SEAL_PLAUSIBLE_S = 86_400.0
"""Without a key, a counter that repeats its header and says a time so near is taken for a seal."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What comes of one packet."""

    word: str
    """The name of the counter that a node would raise, or valid, unverified, ``VRRP 2`` ..."""
    why: str = ""
    tone: Tone = "bad"
    seal: Seal | None = None
    """What its counter says, when it is a sealed one."""

    @property
    def is_believed(self) -> bool:
        return self.word == VALID


class Judge:
    """The groups of one file, or None without a file, and what was heard of their sealed counters."""

    def __init__(self, groups: Sequence[WatchedGroup] | None) -> None:
        self._groups = groups
        self._nodes: dict[_Place, _Node] = {}

    def opinion(self, heard: Heard) -> Opinion:
        """Of one packet, in the order of the capture."""
        if isinstance(heard.says, Vrrp):
            return _of_vrrp(heard, heard.says)
        if heard.fault is not None:
            return Opinion(heard.fault.reject.value, heard.fault.text)
        assert heard.says is not None  # what has no fault could be read
        if self._groups is None:
            return Opinion(UNVERIFIED, tone="plain", seal=plausible_seal(heard.says, heard.captured.at_s))
        group = next((each for each in self._groups if each.vhid == heard.says.vhid), None)
        if group is None:
            known = ", ".join(str(each.vhid) for each in self._groups)
            return Opinion(Reject.OTHER_VHID.value, f"id {heard.says.vhid}, {known} expected by this file", "plain")
        here = heard.captured.interface
        if here and group.interface and here != group.interface:
            return Opinion(Reject.OTHER_VHID.value, f"on {here}, {group.interface} expected for this group")
        return self._node(heard, group).opinion(heard, heard.says)

    def _node(self, heard: Heard, group: WatchedGroup) -> _Node:
        place: _Place = (heard.captured.interface, heard.vlans, group.vhid)
        if place not in self._nodes and len(self._nodes) >= NODES_MAX:
            place = ("", (), group.vhid)
        if place not in self._nodes:
            self._nodes[place] = _Node(group, heard.captured.at_s)
        return self._nodes[place]


class _Node:
    """A node of one group that only listens: what it believes, and the newest that it has believed."""

    def __init__(self, group: WatchedGroup, at_s: float) -> None:
        self._group = group
        self._credentials: Credentials = group.credentials(_clock_ms(at_s))
        self._copies: OrderedDict[tuple[int, str], dict[tuple[int, str], int]] = OrderedDict()
        """Of the newest believed ones, by counter and MAC: how often by IP version and destination."""

    def opinion(self, heard: Heard, says: Advertisement) -> Opinion:
        clock_ms = _clock_ms(heard.captured.at_s)
        tops = [sealer.time.top for sealer in self._credentials.sealers if sealer.fits(says)]
        found = seal.unpack(says.counter) if tops else None
        event = self._credentials.accept(
            heard.payload,
            heard.ttl,
            heard.version,
            heard.source,
            limit_ms=self._group.interval_s * 1000,
            reading=Reading(clock_ms, arrived_ms=clock_ms, wall_ms=clock_ms),
        )
        if not isinstance(event, Reject):
            self._copies[says.counter, heard.mac] = {(heard.version, heard.destination): 1}
            if len(self._copies) > BELIEVED_REMEMBERED:
                self._copies.popitem(last=False)
            return Opinion(VALID, tone="good", seal=found)
        if event in (Reject.DUPLICATE, Reject.REPLAY) and self._is_copy(heard, says):
            return Opinion(VALID, COPY, tone="good", seal=found)
        if found is None:
            found = plausible_seal(says, heard.captured.at_s)
        return Opinion(event.value, self._why(event, heard, says, tops, clock_ms), seal=found)

    def _is_copy(self, heard: Heard, says: Advertisement) -> bool:
        """One counter serves both IP versions and each unicast peer; a bow-out is sent three times to each.

        Another node's answer may overtake the second copy, which is then below the highest.
        """
        copies = self._copies.get((says.counter, heard.mac))
        if copies is None or len(copies) >= COPIES_TO_MAX:
            return False
        to = (heard.version, heard.destination)
        copies[to] = copies.get(to, 0) + 1
        return copies[to] <= (COPIES_OF_BOW_OUT_MAX if says.is_bow_out else 1)

    def _why(self, reject: Reject, heard: Heard, says: Advertisement, tops: Sequence[int], clock_ms: float) -> str:
        match reject:
            case Reject.BAD_TTL:
                return f"{wrong_ttl(heard.ttl)}; this file has no peers"
            case Reject.OTHER_FAMILY:
                peers = self._group.peers
                expected, whose = (peers[0], "peers") if peers else (self._group.addresses[0], "virtual IPs")
                return f"IPv{heard.version}, IPv{expected.version} expected: that of its {whose}"
            case Reject.BAD_SECRET:
                return self._why_not_signed(says)
            case Reject.PLAIN_MEMBER:
                return "plain CARP with the right secret, and this file has security: sealed"
            case Reject.SEALED_MEMBER:
                return "sealed with the right secret, and this file has security: carp"
            case Reject.REWRITTEN:
                return _why_rewritten(says)
            case Reject.DUPLICATE | Reject.REPLAY | Reject.STALE:
                return _why_not_fresh(reject, says.counter, max(tops, default=0), clock_ms)
        return ""

    def _why_not_signed(self, says: Advertisement) -> str:
        for other in self._group.other_lists:
            if other.signature.fits(says):
                return other.text
        count = len(self._group.pass_phrases)
        secrets = {0: "with a secret", 1: "with another secret"}.get(count, f"with none of the {count} secrets")
        return f"signed {secrets}, or for other virtual IPs than {', '.join(map(str, self._group.addresses))}"


def plausible_seal(advertisement: Advertisement, at_s: float) -> Seal | None:
    """What the counter says if it looks like a seal: without the key nobody can know."""
    found = seal.unpack(advertisement.counter)
    same = (found.advbase, found.advskew) == (advertisement.advbase, advertisement.advskew)
    near = abs(found.ms / 1000 + YEAR_2020_S - at_s) < SEAL_PLAUSIBLE_S
    return found if same and near else None


def _of_vrrp(heard: Heard, vrrp: Vrrp) -> Opinion:
    assert heard.fault is not None  # a node never takes VRRP for CARP
    counted = f"a node counts it as {heard.fault.reject.value}"
    why = f"{heard.fault.text}; {counted}" if heard.fault.text else counted
    return Opinion(f"VRRP {vrrp.version}", why, "plain" if vrrp.intact else "bad")


def _clock_ms(at_s: float) -> float:
    return (at_s - YEAR_2020_S) * 1000


def _why_rewritten(says: Advertisement) -> str:
    found = seal.unpack(says.counter)
    header = {"advbase": says.advbase, "advskew": says.advskew, "demotion": says.demotion}
    sealed = {"advbase": found.advbase, "advskew": found.advskew, "demotion": int(found.demoted)}
    wrong = [f"{name} {said}, {sealed[name]} expected" for name, said in header.items() if said != sealed[name]]
    return f"{', '.join(wrong)} by its counter: somebody has changed it"


def _why_not_fresh(reject: Reject, counter: int, top: int, clock_ms: float) -> str:
    found, highest = seal.unpack(counter), seal.unpack(top)
    if reject is Reject.DUPLICATE:
        return "its counter was heard already: a switch reflects it, or somebody sends it again"
    if reject is Reject.REPLAY:
        return f"its counter is {(highest.ms - found.ms) / 1000:.3f} s below the highest heard: sent again, or late"
    behind_s = (clock_ms - found.ms) / 1000
    if top:
        return f"its time is {behind_s:.1f} s behind this clock: it was held back, or its sender has lost the time"
    if found.is_bow_out or found.farewell:
        return "it leaves, and nobody was heard before it: a node that starts now cannot tell whether that is new"
    return f"its time is {behind_s:.0f} s behind this clock, too much for a node that starts now (clock_tolerance)"
