"""Listening for so long, and then who has spoken for a group: what ``wsa-proxy test`` builds its verdict on."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wsa_proxy.net.host import read_host
from wsa_proxy.watch.groups import WatchedGroup
from wsa_proxy.watch.groups import read_groups
from wsa_proxy.watch.interfaces import choose
from wsa_proxy.watch.ledger import Row
from wsa_proxy.watch.listener import Listener
from wsa_proxy.watch.session import Session
from wsa_proxy.watch.summary import priority_text

MARGIN_S = 0.25
"""An advertisement that is due at the very end may come so late."""


class NoGroup(Exception):
    """The file has no such group; the text says which it has."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who was heard with the id of a group. Nobody signs addresses."""

    source: str
    version: int
    """4 or 6."""
    mac: str
    is_here: bool
    """This host has sent it."""
    advertises: bool
    """At the end it still was; it had neither left nor fallen silent."""
    is_believed: bool
    word: str
    """Of the verdict: valid, or the counter that a node would raise."""
    why: str
    priority: str
    """Empty where the advertisement does not say it: it is demoted, or its interval is below a second."""
    interval_s: float
    count: int


@dataclass(frozen=True, slots=True)
class Audition:
    """What was heard of one group."""

    vhid: int
    hostname: str
    interface: str
    heard_for_s: float
    speakers: tuple[Speaker, ...]


def listen(file: Path, wanted: int | None, seconds: float | None) -> list[Audition]:
    """Hear the group with this id, or all of the file, for so long; None: three intervals of the slowest.

    Sends nothing. Raises ConfigError, NoGroup, NoInterface, and OSError with words about a missing privilege.
    """
    logging.getLogger("scapy").setLevel(logging.ERROR)  # its warnings about damaged frames are not for the operator
    host = read_host()
    groups = _chosen(read_groups(file, host), wanted)
    listener = Listener(choose([], groups, host))
    with contextlib.closing(listener):
        session = Session("", groups)
        began_s = listener.now_s()
        until_s = began_s + (seconds or _patience_s(groups))
        while (left_s := until_s - listener.now_s()) > 0:
            for captured in listener.wait(left_s)[0]:
                session.take(captured)
        now_s = listener.now_s()
    return [_audition(group, session.ledger.rows, began_s, now_s) for group in groups]


def _chosen(groups: Sequence[WatchedGroup], wanted: int | None) -> list[WatchedGroup]:
    chosen = [group for group in groups if wanted in (None, group.vhid)]
    if not chosen:
        raise NoGroup(f"the file has no group {wanted}; it has {', '.join(str(each.vhid) for each in groups)}")
    return chosen


def _patience_s(groups: Sequence[WatchedGroup]) -> float:
    """Three intervals and a node's own skew: after that silence a backup would take over."""
    return max(group.master_down_s for group in groups) + MARGIN_S


def _audition(group: WatchedGroup, rows: Sequence[Row], began_s: float, now_s: float) -> Audition:
    mine = [row for row in rows if row.number == group.vhid and row.heard.captured.interface == group.interface]
    speakers = tuple(_speaker(row, now_s) for row in mine)
    return Audition(group.vhid, group.hostname, group.interface, now_s - began_s, speakers)


def _speaker(row: Row, now_s: float) -> Speaker:
    return Speaker(
        source=row.heard.source,
        version=row.heard.version,
        mac=row.heard.mac,
        is_here=row.heard.captured.sent_here,
        advertises=row.advertises(now_s),
        is_believed=row.opinion.is_believed,
        word=row.opinion.word,
        why=row.opinion.why,
        priority=priority_text(row),
        interval_s=row.interval_s,
        count=row.count,
    )
