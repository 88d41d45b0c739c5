"""One line for each packet, for logs and for grep. What comes from the network is a number or a fixed word here."""

from __future__ import annotations

from datetime import datetime

from wsa_proxy.carp.election import ADVSKEW_DEMOTED
from wsa_proxy.carp.seal import Seal
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.config.source import printable
from wsa_proxy.watch.findings import Finding
from wsa_proxy.watch.judge import YEAR_2020_S
from wsa_proxy.watch.ledger import Row
from wsa_proxy.watch.summary import priority_text
from wsa_proxy.watch.vrrp import Vrrp

ADDRESSES_SHOWN_MAX = 4
DATE_FROM_S = 3600.0
"""A group time that is so far from the capture's is shown with its date."""


def stamp(at_s: float, with_date: bool = True) -> str:
    """Local time with milliseconds; a capture may have any number for a time."""
    try:
        moment = datetime.fromtimestamp(at_s)
    except (OverflowError, ValueError, OSError):
        return f"{at_s:.3f} s"
    text = moment.isoformat(" ", "milliseconds")
    return text if with_date else text.partition(" ")[2]


def line(row: Row) -> str:
    """The newest packet of a sender, with its verdict."""
    heard = row.heard
    place = printable(heard.captured.interface)
    parts = [stamp(row.last_s), place, *(f"vlan {vlan}" for vlan in heard.vlans), number_text(row)]
    parts.append(f"{heard.source} ({heard.mac or 'no MAC'}{', sent here' if heard.sent_here else ''})")
    parts += [heard.protocol, fields_text(row)]
    verdict = f"{row.opinion.word}: {row.opinion.why}" if row.opinion.why else row.opinion.word
    return " ".join(part for part in parts if part) + f" -> {verdict}"


def finding_line(finding: Finding) -> str:
    """What is wrong between senders, after two exclamation marks; what is only worth knowing, after two dashes."""
    return f"{stamp(finding.first_s)} {'!!' if finding.alarm else '--'} {finding.text}"


def number_text(row: Row) -> str:
    """``id 1``."""
    return f"id {row.number}" if row.number >= 0 else "id ?"


def fields_text(row: Row) -> str:
    """What it says, without who says it."""
    says = row.heard.says
    if isinstance(says, Vrrp):
        return vrrp_text(says)
    if says is None:
        return f"{len(row.heard.payload)} bytes"
    kind = kind_text(row)
    priority = priority_text(row)
    parts = [
        kind,
        f"interval {row.interval_s:.3f} s" if not says.is_bow_out else "",
        f"advskew {says.advskew}" if not says.is_bow_out else "",
        f"priority {priority}" if priority else "",
        f"demotion {says.demotion}",
        f"counter {says.counter:016x} {counter_text(row)}",
    ]
    return " ".join(part for part in parts if part)


def vrrp_text(says: Vrrp, short: bool = False) -> str:
    """Priority, interval and addresses of a VRRP advertisement; ``short``: without what stands in the table."""
    shown = ", ".join(says.addresses[:ADDRESSES_SHOWN_MAX]) or "none"
    if len(says.addresses) > ADDRESSES_SHOWN_MAX:
        shown += f" and {len(says.addresses) - ADDRESSES_SHOWN_MAX} more"
    parts = [
        "gives up" if says.gives_up else "",
        "" if short else f"priority {says.priority}, interval {says.interval_s:g} s",
        f"addresses {shown}",
        f"auth {says.auth}" if says.auth else "",
    ]
    return ", ".join(part for part in parts if part)


def kind_text(row: Row) -> str:
    """What is special about an advertisement; empty for an ordinary one."""
    says, found = row.heard.says, row.opinion.seal
    if not isinstance(says, Advertisement):
        return ""
    if says.is_bow_out:
        return "bow-out"
    if found is not None and found.farewell:
        return "farewell"
    if says.demotion or (says.advbase and says.advskew >= ADVSKEW_DEMOTED):
        return "demoted"
    return ""


def counter_text(row: Row, short: bool = False) -> str:
    """How the counter behaves; of a seal the group time, and how far it is from the capture's clock.

    ``short``: without the date where that is the capture's own.
    """
    found = row.opinion.seal
    if found is None:
        return row.counter
    ahead_s = seal_s(found) - row.last_s
    with_date = not short or abs(ahead_s) > DATE_FROM_S
    return f"sealed {stamp(seal_s(found), with_date)} ({ahead_s:+.3f} s)"


def seal_s(found: Seal) -> float:
    """Group time in seconds since 1970."""
    return found.ms / 1000 + YEAR_2020_S
