"""One row for each sender, and what is wrong between them.

A sender is a hardware address with a source address, an id and a protocol, on one interface and VLAN. None of this is
signed: a row says what somebody wrote on the wire, and its verdict whether a node takes it for true. Whoever floods
the LAN with invented senders gets a bounded number of rows, and pushes out those that are not believed first.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from dataclasses import field

from wsa_proxy.carp.election import interval_s
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.carp.wire import Reject
from wsa_proxy.watch.decode import Heard
from wsa_proxy.watch.findings import Finding
from wsa_proxy.watch.findings import Findings
from wsa_proxy.watch.findings import is_intent_of
from wsa_proxy.watch.judge import Opinion
from wsa_proxy.watch.repeats import Repeats
from wsa_proxy.watch.vrrp import Vrrp

ROWS_MAX = 256
HOSTILE = frozenset(each.value for each in (Reject.REWRITTEN, Reject.DUPLICATE, Reject.REPLAY, Reject.STALE))
"""What no member of the group does: somebody in between does."""
NO_CLAIM = HOSTILE | {Reject.BAD_TTL.value, Reject.BAD_CHECKSUM.value}
TIMES_MAX = 16
"""Of a row's newest packets, for its rate."""
RATE_OVER_S = 30.0
PATIENCE_INTERVALS = 3
"""Who is silent for so many of its intervals advertises no more."""
PATIENCE_S_MIN = 0.1
"""What the capture of a busy host may be late."""

type RowKey = tuple[str, tuple[int, ...], str, str, int, str]
type Place = tuple[str, tuple[int, ...], int]
"""Interface, VLANs and id: where two senders are in each other's way."""


@dataclass(slots=True)
class Row:
    """One sender of one id."""

    heard: Heard
    """Its newest packet."""
    opinion: Opinion
    first_s: float
    since_s: float
    """Since when it has advertised without a pause."""
    count: int = 0
    counter: str = ""
    """How its counter behaves: first, constant, +1, random, sealed, or as the seal says."""
    times_s: deque[float] = field(default_factory=lambda: deque(maxlen=TIMES_MAX))
    words: dict[str, int] = field(default_factory=dict)
    """How often each verdict was passed on it."""
    masters: bool = False
    """Its newest packet claims the id: it was neither a farewell nor refused as a repetition."""

    @property
    def last_s(self) -> float:
        return self.heard.captured.at_s

    @property
    def place(self) -> Place:
        return (self.heard.captured.interface, self.heard.vlans, self.number)

    @property
    def number(self) -> int:
        """The id; -1 when the packet has none."""
        return -1 if self.heard.number is None else self.heard.number

    @property
    def interval_s(self) -> float:
        """What it says about its own interval; 1 s when it says nothing."""
        says = self.heard.says
        if isinstance(says, Advertisement) and not says.is_bow_out:
            return interval_s(says.advbase, says.advskew)
        return says.interval_s if isinstance(says, Vrrp) and says.interval_s else 1.0

    def advertises(self, now_s: float) -> bool:
        """It claims the id, and the next one is not long overdue."""
        return self.masters and now_s - self.last_s <= max(PATIENCE_INTERVALS * self.interval_s, PATIENCE_S_MIN)

    def rate(self, now_s: float) -> float | None:
        """Packets a second lately; None when there were none, or only one."""
        recent = [each for each in self.times_s if now_s - each <= RATE_OVER_S]
        span_s = recent[-1] - recent[0] if len(recent) > 1 else 0.0
        return (len(recent) - 1) / span_s if span_s > 0 else None


class Ledger:
    """What has been heard. The capture's time is an argument everywhere."""

    def __init__(self) -> None:
        self._rows: dict[RowKey, Row] = {}
        self._repeats = Repeats()
        self.findings = Findings()
        self.heard = 0
        self.rows_dropped = 0

    @property
    def rows(self) -> list[Row]:
        """By id, then by who came first."""
        return sorted(self._rows.values(), key=lambda row: (row.number, row.first_s))

    def enter(self, heard: Heard, opinion: Opinion) -> tuple[Row, list[Finding]]:
        """Take one packet down. The second value is what is newly wrong."""
        self.heard += 1
        key = _key(heard)
        row = self._rows.get(key)
        repeat = self._repeats.look(heard, _counter(row.heard) if row else None)
        if row is None:
            self._make_room()
            row = self._rows[key] = Row(heard, opinion, first_s=heard.captured.at_s, since_s=heard.captured.at_s)
            begins = True
        else:
            begins = not row.advertises(heard.captured.at_s) or heard.captured.at_s < row.last_s
        if begins:
            row.since_s = heard.captured.at_s
            row.times_s.clear()
        row.count += 1
        row.counter = _behaviour(row, heard, opinion)
        row.times_s.append(heard.captured.at_s)
        row.words[opinion.word] = row.words.get(opinion.word, 0) + 1
        row.heard, row.opinion = heard, opinion
        row.masters = _claims(heard, opinion)
        now_s = heard.captured.at_s
        of_place = self.of_place(row.place)
        news = self.findings.took_over(row, of_place, now_s) if begins and row.masters else []
        news += self.findings.compare(row, of_place, now_s)
        for each in of_place:
            if row.masters and is_intent_of(row, each, now_s):
                each.masters = False
        if repeat:
            news += self.findings.found(("repeat", row.place, repeat.kind), repeat.text, now_s)
        elif opinion.word in HOSTILE:
            text = f"id {row.number}: {opinion.word} of {heard.source} ({heard.mac}): {opinion.why}"
            news += self.findings.found(("refused", row.place, opinion.word, heard.mac), text, now_s)
        return row, news

    def of_place(self, place: Place) -> list[Row]:
        """The senders of one id on one LAN."""
        return [row for row in self._rows.values() if row.place == place]

    def _make_room(self) -> None:
        if len(self._rows) >= ROWS_MAX:
            worst = min(self._rows, key=lambda key: _worth(self._rows[key]))
            del self._rows[worst]
            self.rows_dropped += 1


def _key(heard: Heard) -> RowKey:
    number = -1 if heard.number is None else heard.number
    return (heard.captured.interface, heard.vlans, heard.mac, heard.source, number, heard.protocol)


def _worth(row: Row) -> tuple[int, float]:
    tones = {"bad": 0, "plain": 1, "good": 2}
    return (tones[row.opinion.tone], row.last_s)


def _claims(heard: Heard, opinion: Opinion) -> bool:
    """Does it say: I am the master? Also who is not believed says so; what is sent again says nothing new."""
    says = heard.says
    if isinstance(says, Vrrp):
        return not says.gives_up
    if says is None or says.is_bow_out or (opinion.seal is not None and opinion.seal.farewell):
        return False
    return opinion.word not in NO_CLAIM


def _counter(heard: Heard) -> int | None:
    return heard.says.counter if isinstance(heard.says, Advertisement) else None


def _behaviour(row: Row, heard: Heard, opinion: Opinion) -> str:
    """Plain CARP's counters may stand still, count or jump (OpenBSD, FreeBSD and ucarp do): all of it is normal."""
    if opinion.seal is not None:
        return "sealed"
    now, before = _counter(heard), _counter(row.heard)
    if now is None:
        return ""
    if row.count == 1 or before is None:
        return "first"
    if now == before:
        return "constant"
    return "counting" if 0 < now - before <= 16 else "random"
