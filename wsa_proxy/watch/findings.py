"""What is wrong between senders: two masters of one id, VRRP and CARP with one id, repetitions.

A finding begins once, goes on while it is seen, and ends; the newest are kept.
"""

from __future__ import annotations

from collections.abc import Hashable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsa_proxy.net.virtual_interface import virtual_mac
from wsa_proxy.watch.vrrp import Vrrp

if TYPE_CHECKING:
    from wsa_proxy.watch.ledger import Row

FINDINGS_MAX = 64
GOES_ON_S = 10.0
"""How long a finding stands after it was seen last, where no interval says it better."""
NAMED_MAX = 4
PATIENCE_INTERVALS = 3
"""Two masters are two until one of them has missed so many."""


@dataclass(slots=True)
class Finding:
    """One thing that is wrong. Times are the capture's."""

    key: Hashable
    text: str
    first_s: float
    last_s: float
    patience_s: float
    count: int = 1
    alarm: bool = True
    """False: it is worth a line, and nothing is wrong."""

    def is_current(self, now_s: float) -> bool:
        """It was seen a moment ago."""
        return now_s - self.last_s <= self.patience_s


class Findings:
    """All findings, the newest last."""

    def __init__(self) -> None:
        self._found: dict[Hashable, Finding] = {}

    def all(self) -> list[Finding]:
        """In the order in which they began."""
        return list(self._found.values())

    def current(self, now_s: float) -> list[Finding]:
        """Those that go on."""
        return [each for each in self._found.values() if each.is_current(now_s)]

    def found(self, key: Hashable, text: str, now_s: float, *, patience_s: float = GOES_ON_S) -> list[Finding]:
        """Take a finding down; the answer is itself if it is new or begins anew, else empty."""
        known = self._found.get(key)
        if known is not None and known.is_current(now_s):
            known.last_s, known.patience_s = now_s, patience_s
            known.count += 1
            return []
        self._found.pop(key, None)
        self._make_room()
        self._found[key] = Finding(key, text, now_s, now_s, patience_s)
        return [self._found[key]]

    def took_over(self, row: Row, rows: Sequence[Row], now_s: float) -> list[Finding]:
        """A sender has begun to advertise: whom does it follow, and what did that one say last?"""
        before = max(
            (each for each in rows if each is not row and _speak_alike(row, each) and each.opinion.tone != "bad"),
            key=lambda each: each.last_s,
            default=None,
        )
        if before is None or row.opinion.tone == "bad":
            return []
        if any(_is_twin(row, each) or is_intent_of(row, each, now_s) for each in rows):
            return []
        ago_s = max(now_s - before.last_s, 0.0)
        how = f"takes over from {before.heard.source}, which was silent for {ago_s:.2f} s"
        if not before.masters:
            how = f"takes over from {before.heard.source}, which has left"
        elif before.advertises(now_s):
            how = f"begins beside {before.heard.source}, which spoke {ago_s:.2f} s ago"
        text = f"id {row.number}: {row.heard.source} {how}"
        key = ("took over", row.place, now_s)
        self._make_room()
        self._found[key] = Finding(key, text, now_s, now_s, 0.0, alarm=False)
        return [self._found[key]]

    def _make_room(self) -> None:
        if len(self._found) >= FINDINGS_MAX:
            del self._found[next(iter(self._found))]

    def compare(self, row: Row, rows: Sequence[Row], now_s: float) -> list[Finding]:
        """Judge one sender, who has just been heard, by the others of its id."""
        if not row.masters:
            return []
        news: list[Finding] = []
        masters = [each for each in rows if each.advertises(now_s)]
        same = [each for each in masters if isinstance(each.heard.says, Vrrp) is isinstance(row.heard.says, Vrrp)]
        rivals = [each for each in same if _are_rivals(row, each)]
        # One node speaks in both IP versions: name its address in the one of which we have another's.
        rivals = [each for each in rivals if each.heard.version == row.heard.version] or rivals
        if rivals:
            patience_s = PATIENCE_INTERVALS * max(each.interval_s for each in same)
            key = ("masters", row.place, _identities([row, *rivals]))
            news += self.found(key, _masters_text(row, rivals), now_s, patience_s=patience_s)
        if len(same) < len(masters):
            carp, vrrp = (
                next(each.heard.source for each in masters if isinstance(each.heard.says, Vrrp) is kind)
                for kind in (False, True)
            )
            text = f"id {row.number}: CARP ({carp}) and VRRP ({vrrp}) with one id: they fight for its virtual MAC"
            news += self.found(("protocols", row.place), text, now_s)
        return news


def _speak_alike(row: Row, other: Row) -> bool:
    """In the same IP version, and both CARP or both VRRP."""
    ours, theirs = row.heard, other.heard
    return ours.version == theirs.version and isinstance(ours.says, Vrrp) is isinstance(theirs.says, Vrrp)


def _is_twin(row: Row, other: Row) -> bool:
    """The same node in the other IP version, which has begun with this one."""
    began_together = abs(row.since_s - other.since_s) <= max(row.interval_s, other.interval_s)
    return row.heard.mac == other.heard.mac and row.heard.version != other.heard.version and began_together


def is_intent_of(row: Row, other: Row, now_s: float) -> bool:
    """The other one is the same node, which has said from its own hardware address that it is about to have the virtual
    one."""
    same = other.heard.source == row.heard.source and row.heard.mac == virtual_mac(row.number)
    return same and other.heard.mac != row.heard.mac and other.advertises(now_s)


def _are_rivals(row: Row, other: Row) -> bool:
    """Have both advertised side by side for longer than an interval? One node's two IP versions are no rivals."""
    ours, theirs = row.heard, other.heard
    if row is other or (ours.version != theirs.version and ours.mac == theirs.mac):
        return False
    together_s = min(row.last_s, other.last_s) - max(row.since_s, other.since_s)
    return together_s > max(row.interval_s, other.interval_s)


def _identities(rows: Sequence[Row]) -> frozenset[tuple[str, str]]:
    """The same in both IP versions where MACs tell the nodes apart, so that two masters are told once."""
    macs = {row.heard.mac for row in rows}
    return frozenset((row.heard.mac, "" if len(macs) == len(rows) else row.heard.source) for row in rows)


def _masters_text(row: Row, rivals: Sequence[Row]) -> str:
    """``id 1: two masters: 10.0.0.1 and 10.0.0.2``, and who of them is not believed."""
    masters = sorted([row, *rivals], key=lambda each: (each.heard.source, each.heard.mac))
    many = {2: "two"}.get(len(masters), str(len(masters)))
    sources = [each.heard.source for each in masters]
    # Behind one source address, or behind the virtual MAC, only the other address tells two senders apart.
    names = [
        f"{each.heard.source} ({each.heard.mac})" if sources.count(each.heard.source) > 1 else each.heard.source
        for each in masters[:NAMED_MAX]
    ]
    rest = "" if len(masters) <= NAMED_MAX else f" and {len(masters) - NAMED_MAX} more"
    listed = " and ".join([", ".join(names[:-1]), names[-1]]) if not rest else ", ".join(names)
    doubted = [
        f"{each.heard.source}: {each.opinion.word}" for each in masters[:NAMED_MAX] if each.opinion.tone == "bad"
    ]
    because = f" ({', '.join(doubted)})" if doubted else ""
    if all(each.opinion.is_believed for each in masters):
        because = " (they do not hear each other, or one not the other)"
    return f"id {row.number}: {many} masters: {listed}{rest}{because}"
