"""What one virtual host did and saw: its counters, its last transitions, and the log lines about them.

One line per transition, in one shape. What the network can provoke is counted, and logged at most once a minute for
each reason: whoever floods the segment must not fill the log. A reflection or a VRRP router is there all day; it is
told once, and counted.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace
from datetime import UTC
from datetime import datetime

from wsa_proxy.carp.commands import ReportRefusal
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import ReportWait
from wsa_proxy.carp.credentials import Believed
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.wire import Reject

logger = logging.getLogger("wsa_proxy.runtime.driver")

TRANSITIONS_MAX = 100  # kept for the status; the log has them all
LINE_EVERY_S = 60.0
SAME_EVERY_S = 86_400.0
"""What lies in how the network is built, and does no harm meanwhile, is told once a day for the same sender."""
SENDERS_MAX = 16  # whoever makes up more of them gets his line a minute
CROSSING_S = 1.0
"""So long after this node's own change of state an older counter is no news: two that spoke at once, as a rule."""
LASTING = {Reject.ECHO, Reject.VRRP, Reject.BAD_VERSION}

REJECT_HINTS = {
    Reject.BAD_SECRET: "the Shared Secret or the list of Virtual IPs differs there, or another group has this id",
    Reject.VRRP: "a VRRP version 2 speaker (keepalived, a router) uses the same id on this LAN: give one another id",
    Reject.BAD_VERSION: "not CARP version 2; a VRRP version 3 speaker with the same id perhaps: give one another id",
    Reject.PLAIN_MEMBER: "it speaks plain CARP with our secret: security must be the same on all nodes of a group",
    Reject.SEALED_MEMBER: "it speaks sealed with our secret: security must be the same on all nodes of a group",
    Reject.REWRITTEN: "a genuine advertisement with other values: somebody on this LAN forges",
    Reject.REPLAY: "a genuine advertisement older than the newest: two nodes spoke at once, this proxy stood still and"
    " read it late, or somebody on this LAN repeats what he has captured",
    Reject.STALE: "a genuine advertisement that comes too late: held back, repeated, or this host's clock is wrong",
    Reject.ECHO: "our own advertisement came back, which does no harm: a switch reflects it (a Linux bridge's hairpin"
    " mode; ESXi with several uplinks: Net.ReversePathFwdCheckPromisc=1)",
    Reject.DUPLICATE: "a second copy of what was heard, which does no harm: IPv4 and IPv6, or a network with two ways",
    Reject.OTHER_VHID: "another failover group on this LAN",
    Reject.OTHER_FAMILY: "the peer has addresses of an IP version that this group does not have",
}


def hint(reject: Reject) -> str:
    """What it means, for an operator."""
    return REJECT_HINTS.get(reject, "damaged, or sent from another network")


@dataclass(frozen=True, slots=True)
class Rejected:
    """The last packet that was not believed for one reason; nobody signs who sent it."""

    source: str
    source_mac: str
    at_s: float
    """Monotonic."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of state, as the status shows it."""

    at: datetime
    report: ReportTransition
    who: str = ""
    """Who has ordered it; empty: nobody has, or nobody knows yet."""


type OnTransition = Callable[[int, Transition], None]
"""Told which virtual host has changed, and how, when it is recorded: in the middle of a turn, so it must neither raise
nor lead back into a driver."""


type OnTold = Callable[[int, int], None]
"""Told which virtual host's clients were told that their connections are gone, and how many; outside of any turn."""


def tell_nobody(vhid: int, transition: Transition) -> None:
    """An ``OnTransition`` where nobody wants to know."""


class Record:
    """The memory of one virtual host; ``clock`` is monotonic seconds."""

    def __init__(self, vhid: int, clock: Callable[[], float]) -> None:
        self.vhid = vhid
        self.sent = 0
        self.received = 0
        self.heard_at_s: float | None = None
        """When the last advertisement was believed, monotonic."""
        self.served_at_s: float | None = None
        """When a master that stays one was heard, or has answered, last."""
        self.bowed_out_at_s: float | None = None
        """When a master has bowed out; None: another one was heard since."""
        self.rejects = dict.fromkeys(Reject, 0)
        self.last_rejected: dict[Reject, Rejected] = {}
        self.transitions: deque[Transition] = deque(maxlen=TRANSITIONS_MAX)
        self.transition_counts: Counter[tuple[str, str, str]] = Counter()
        """By old state, new state and one word: as many as there are words, however long it runs."""
        self.since = datetime.now(UTC)
        self.since_s = clock()
        self.reason = "starting"
        self.evidence = ""
        self.on_transition: OnTransition = tell_nobody
        self.on_told: OnTold = lambda vhid, clients: None
        self.more_evidence: Callable[[ReportTransition], str] = lambda _: ""
        """Asked at a change of state, in the middle of a turn."""
        self.told_clients = 0
        """So many were told that their connections are gone."""
        self._why_before_refusal: tuple[str, str] | None = None
        """Reason and evidence of the state, while those of a refusal stand in their place."""
        self._clock = clock
        self._next_line_s: dict[str, float] = {}
        self._told: dict[tuple[Reject, str], float] = {}
        """When a line was written about a sender of what lasts, the newest last."""

    def transition(self, report: ReportTransition, obstacle: str = "") -> None:
        """Keep it, count it and write its line. ``obstacle`` is the name of what stands in the way: where there is one,
        the report's reason is a sentence, and the name is what is counted."""
        report = replace(report, evidence=f"{report.evidence} {self.more_evidence(report)}".strip())
        self.since = datetime.now(UTC)
        self.since_s = self._clock()
        self.reason, self.evidence = report.reason, report.evidence
        self._why_before_refusal = None
        self._next_line_s.pop("refusal", None)
        transition = Transition(self.since, report)
        self.transitions.append(transition)
        self.transition_counts[report.old.value, report.new.value, obstacle or report.reason] += 1
        line = "carp vhid=%d %s -> %s reason=%s %s"
        logger.info(line, self.vhid, report.old.name, report.new.name, _quoted(report.reason), report.evidence)
        self.on_transition(self.vhid, transition)

    def told(self, clients: int) -> None:
        """Of a node that is gone; they were this group's."""
        self.told_clients += clients
        self.on_told(self.vhid, clients)

    def stays(self, report: ReportRefusal | ReportWait) -> None:
        """The state did not change although its time had come: of a refusal, the reason is the status's until a master
        is heard; it comes again after each silence, as long as anybody answers for the address, so the log has it once
        a minute. A wait is told once, by the core already, and has an end.
        """
        if isinstance(report, ReportWait):
            logger.info("carp vhid=%d stays BACKUP for now: %s", self.vhid, _wait_text(report))
            return
        if self._why_before_refusal is None:
            self._why_before_refusal = self.reason, self.evidence
        self.reason, self.evidence = report.reason, report.evidence
        if self._may_log("refusal"):
            logger.warning("carp vhid=%d stays BACKUP reason=%s %s", self.vhid, _quoted(report.reason), report.evidence)

    def heard(self, event: Believed) -> None:
        """Count an advertisement that is believed. It is a reason to be backup; that of a refusal is history."""
        self.received += 1
        self.heard_at_s = self._clock()
        if isinstance(event, AdvertisementReceived):
            if event.advertisement.is_bow_out:
                self.bowed_out_at_s = self.bowed_out_at_s or self.heard_at_s
            else:
                self._serves()
        self._goes_on()

    def answered(self) -> None:
        """The master has answered a question."""
        self._serves()
        self._goes_on()

    def _serves(self) -> None:
        self.served_at_s, self.bowed_out_at_s = self._clock(), None

    def _goes_on(self) -> None:
        if self._why_before_refusal is not None:
            (self.reason, self.evidence), self._why_before_refusal = self._why_before_refusal, None

    def rejected(self, reject: Reject, source: str, source_mac: str) -> None:
        """Count a packet that is not believed; nothing else changes."""
        self.rejects[reject] += 1
        self.last_rejected[reject] = Rejected(source, source_mac, self._clock())
        # Of a sealed advertisement all copies (IPv4, IPv6) have one counter: the second is no news.
        if reject is not Reject.DUPLICATE and self._is_news(reject, source_mac) and self._may_log(reject.value):
            if reject in LASTING:
                self._remember(reject, source_mac)
            line = "carp vhid=%d rejected=%s count=%d from=%s mac=%s: %s"
            logger.warning(line, self.vhid, reject.value, self.rejects[reject], source, source_mac, hint(reject))

    def _is_news(self, reject: Reject, source_mac: str) -> bool:
        if reject is Reject.REPLAY and self._clock() < self.since_s + CROSSING_S:
            return False
        told_s = self._told.get((reject, source_mac))
        return told_s is None or self._clock() >= told_s + SAME_EVERY_S

    def _remember(self, reject: Reject, source_mac: str) -> None:
        self._told.pop((reject, source_mac), None)
        self._told[reject, source_mac] = self._clock()
        if len(self._told) > SENDERS_MAX:
            del self._told[next(iter(self._told))]

    def send_failed(self, errors: str) -> None:
        """An advertisement did not leave."""
        if self._may_log("send"):
            logger.warning("carp vhid=%d an advertisement could not be sent: %s", self.vhid, errors)

    def _may_log(self, what: str) -> bool:
        now = self._clock()
        if now < self._next_line_s.get(what, now):
            return False
        self._next_line_s[what] = now + LINE_EVERY_S
        return True


def _wait_text(report: ReportWait) -> str:
    """``preempts in 8 s: 3 role changes within 40 s``; the first role change makes no wait longer."""
    changes = f"{report.role_changes} role changes within {report.within_s:.3g} s"
    return f"preempts in {report.wait_s:.3g} s: {changes if report.role_changes > 1 else 'preempt_delay'}"


def _quoted(reason: str) -> str:
    """One word stays as it is; a sentence gets quotation marks, so that the line can still be split."""
    return f'"{reason}"' if " " in reason else reason
