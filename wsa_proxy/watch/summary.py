"""One sentence for each id: who is its master, as a node with this configuration sees it, and since when nobody is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.config.source import printable
from wsa_proxy.watch.groups import WatchedGroup
from wsa_proxy.watch.judge import UNVERIFIED
from wsa_proxy.watch.judge import Tone
from wsa_proxy.watch.ledger import Row

IDS_MAX = 16
NAMED_MAX = 4


@dataclass(frozen=True, slots=True)
class Sentence:
    """What an operator reads first."""

    text: str
    tone: Tone


def sentences(
    rows: Sequence[Row], groups: Sequence[WatchedGroup] | None, began_s: float, now_s: float
) -> list[Sentence]:
    """The groups of the file first, then the other ids that were heard."""
    told = [_of_group(group, rows, began_s, now_s) for group in groups or ()]
    known = {group.vhid for group in groups or ()}
    others = sorted({(row.number, row.heard.captured.interface) for row in rows if row.number not in known})
    several = len({interface for _, interface in others}) > 1
    for number, interface in others:
        mine = [row for row in rows if (row.number, row.heard.captured.interface) == (number, interface)]
        name = f"id {number}" + (f" on {printable(interface)}" if several else "")
        if number >= 0:
            told.append(_of_other(f"{name}, not in the file" if groups is not None else name, mine, now_s))
    if not told:
        told = [Sentence(f"nothing of protocol 112 heard for {now_s - began_s:.0f} s: no CARP, no VRRP", "bad")]
    if len(told) > IDS_MAX:
        told = [*told[: IDS_MAX - 1], Sentence(f"and {len(told) - IDS_MAX + 1} more ids", "plain")]
    return told


def _of_group(group: WatchedGroup, rows: Sequence[Row], began_s: float, now_s: float) -> Sentence:
    name = f"id {group.vhid} {group.hostname}".rstrip()
    mine = [row for row in rows if row.number == group.vhid]
    mine = [row for row in mine if row.heard.captured.interface == group.interface] if group.interface else mine
    active = [row for row in mine if row.advertises(now_s)]
    masters = [row for row in active if row.opinion.is_believed]
    doubted = [row for row in active if not row.opinion.is_believed]
    beside = f"; not believed: {_names(doubted, with_word=True)}" if doubted else ""
    if masters:
        count = _count(masters)
        if count > 1:
            return Sentence(f"{name}: {'TWO' if count == 2 else count} MASTERS {_names(masters)}{beside}", "bad")
        text = f"{name}: master {_names(masters)}{_priority(masters[0])}{beside}"
        return Sentence(text, "bad" if doubted else "good")
    last = max((row for row in mine if row.opinion.is_believed), key=lambda row: row.last_s, default=None)
    since_s = now_s - (last.last_s if last else began_s)
    if doubted:
        return Sentence(f"{name}: NO MASTER that a node believes, for {since_s:.0f} s{beside}", "bad")
    if last is None and since_s <= group.master_down_s:
        return Sentence(f"{name}: nothing heard yet", "plain")
    left = f"; the last was {last.heard.source}{_left(last)}" if last else ""
    return Sentence(f"{name}: NO MASTER for {since_s:.1f} s{left}", "bad")


def _of_other(name: str, mine: Sequence[Row], now_s: float) -> Sentence:
    active = [row for row in mine if row.advertises(now_s)]
    if not active:
        last = max(mine, key=lambda row: row.last_s)
        silent_s = now_s - last.last_s
        return Sentence(f"{name}: silent for {silent_s:.1f} s; the last was {last.heard.source}{_left(last)}", "plain")
    protocols = {row.heard.protocol for row in active}
    if len(protocols) > 1:
        spoken = [f"{row.heard.source} ({row.heard.protocol})" for row in active]
        return Sentence(f"{name}: {_listed(spoken)}", "bad")
    if _count(active) > 1:
        return Sentence(f"{name}: {'TWO' if _count(active) == 2 else _count(active)} MASTERS {_names(active)}", "bad")
    word = active[0].opinion.word
    if word == UNVERIFIED:
        return Sentence(f"{name}: {_names(active)} says it is the master{_priority(active[0])}", "plain")
    kind = f"by {active[0].heard.protocol}{_priority(active[0])}" if active[0].opinion.tone != "bad" else f"({word})"
    return Sentence(f"{name}: {_names(active)} {kind}", "plain")


def _count(rows: Sequence[Row]) -> int:
    """Senders; one node's two IP versions are one, and so is what is heard of it on two interfaces."""
    senders = {(row.heard.version, row.heard.mac, row.heard.source) for row in rows}
    return max(sum(version == each for version, _, _ in senders) for each in (4, 6))


def _names(rows: Sequence[Row], with_word: bool = False) -> str:
    # One node with both IP versions is named by its IPv4 address.
    version = 4 if any(row.heard.version == 4 for row in rows) else 6
    chosen = [row for row in rows if row.heard.version == version or with_word]
    names = [f"{row.heard.source} ({row.opinion.word})" if with_word else row.heard.source for row in chosen]
    return _listed(list(dict.fromkeys(names)) if _count(chosen) < len(names) else names)


def _listed(names: Sequence[str]) -> str:
    rest = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    return " and ".join(names) if len(names) == 2 else ", ".join(names[:NAMED_MAX]) + rest


def _priority(row: Row) -> str:
    priority = priority_text(row)
    return f", priority {priority}" if priority else ""


def _left(row: Row) -> str:
    says = row.heard.says
    if isinstance(says, Advertisement) and says.is_bow_out:
        return " (it bowed out)"
    farewell = row.opinion.seal is not None and row.opinion.seal.farewell
    return " (farewell)" if farewell else ""


def priority_text(row: Row) -> str:
    """The outside word; empty where advskew is also something else: an interval, a demotion, a bow-out."""
    says = row.heard.says
    if not isinstance(says, Advertisement):
        return "" if says is None else str(says.priority)
    if says.advbase == 0 or says.advskew >= 240:
        return ""
    return str(255 - says.advskew)
