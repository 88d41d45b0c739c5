"""I4: what a node believes, reckoned apart from its codec, its HMAC and its seal.

Here is known what no receiver can know: who really said what. Plain CARP believes whatever carries a counter and a
digest that a member has sent, as the BSDs do; a sealed group nothing rewritten, heard before or old. A hostile host's
copy of a genuine advertisement that a node has not heard yet is that advertisement, as long as it is fresh.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections import deque
from collections.abc import Callable
from collections.abc import Collection
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.seal import Verdict
from wsa_proxy.simulation.bounds import FRESH_BOW_OUT_S
from wsa_proxy.simulation.bounds import FRESH_S
from wsa_proxy.simulation.bounds import TOLERANCE_MS
from wsa_proxy.simulation.bounds import interval_s
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.lan import Frame
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.sealed import COUNTER
from wsa_proxy.simulation.sealed import DRIFT_MAX
from wsa_proxy.simulation.sealed import MOVED_MS
from wsa_proxy.simulation.sealed import Judged
from wsa_proxy.simulation.sealed import SealedNode
from wsa_proxy.simulation.violation import Violation

SLACK_S = 0.002  # whole milliseconds, and a clock's drift since the last one
SINK = 1 / 1000 + DRIFT_MAX  # the seal's and the drift of a clock, of the time since the last one was heard
OWN_REMEMBERED = 32
BYTES = 36
SIGNED = slice(8, BYTES)
"""Counter and digest; with the vhid and the addresses, they are all that plain CARP signs."""


class Belief:
    """Judges what each node of plain CARP believes; it listens at ``port``. ``earlier`` was said in earlier days."""

    LISTENS = frozenset({"life", "accept"})
    """To these kinds of lines."""

    def __init__(self, port: int, lan: Lan, earlier: Collection[Advertised], vhid: int) -> None:
        self._genuine = {frame.payload[SIGNED] for frame in earlier}
        self._vhid = vhid
        self._own: dict[int, set[bytes]] = {}
        lan.tap(port, self._sent)

    def told(self, node: Node, kind: str, what: Any) -> None:
        """One line of the story, as it happens."""
        if kind == "life":
            self._own[node.number] = set()
        elif kind == "accept":
            self._judge(node, what)

    def _sent(self, frame: Frame, sender: int) -> None:
        if isinstance(frame, Advertised) and not frame.forged:
            self._genuine.add(frame.payload[SIGNED])
            if sender in self._own:
                self._own[sender].add(frame.payload[SIGNED])

    def _judge(self, node: Node, frame: Advertised) -> None:
        judge_form(node, frame, self._vhid)
        # I4: nothing that no member has signed, and no echo.
        if frame.payload[SIGNED] not in self._genuine:
            raise Violation("I4", f"node {node.number} believes a forged advertisement")
        if frame.payload[SIGNED] in self._own[node.number]:
            raise Violation("I4", f"node {node.number} believes its own echo")


def judge_form(node: Node, frame: Advertised, vhid: int) -> None:
    """I4: what is believed has the form of a CARP advertisement of this virtual host on this LAN."""
    payload = frame.payload
    if len(payload) < BYTES:
        raise Violation("I4", f"node {node.number} believes {len(payload)} bytes")
    # Between unicast peers there may be routers.
    fields = (payload[0], payload[1], payload[3], 255 if node.unicast else frame.ttl)
    summed = sum(struct.unpack("!18H", payload[:BYTES])) % 0xFFFF == 0
    if fields != (0x21, vhid, 7, 255) or not summed or frame.version not in node.settings.versions:
        raise Violation("I4", f"node {node.number} believes an advertisement with {fields} in IPv{frame.version}")


@dataclass(slots=True)
class Known:
    """What one node has said and believed. Seconds."""

    highest: int = 0
    line_s: float | None = None
    """Group time less the node's clock as far as it does not sink, the greatest of all that it said and believed,"""
    ahead_s: float = 0.0
    """and less its clock as fast as it may be: the time of the group is between the two."""
    spoke: bool = False
    """It has said or believed something in this life."""
    said: Counter[str] = field(default_factory=Counter)
    will: int = 0
    """The last one."""
    bowed_out: int = 0
    """The last one that its guardian has said."""
    masteries: int = 0
    own: deque[int] = field(default_factory=lambda: deque(maxlen=OWN_REMEMBERED))
    """The counters of what it said last."""


class Freshness:
    """Judges what each sealed node believes, and refuses."""

    LISTENS = frozenset({"life", "advertisement", "farewell", "said", "done", "believed", "first_contact", "refused"})
    LISTENS |= {"willed", "bowed out by its guardian", "transition", "learned"}

    def __init__(self, marks: Counter[str], vhid: int) -> None:
        self._marks = marks
        self._vhid = vhid
        self._said: set[int] = set()
        self._known: dict[int, Known] = {}
        self._spoken: set[int] = set()
        """By processes themselves."""
        self._wills: dict[int, tuple[SealedNode, int]] = {}
        """Whose, and of which of its times as master."""

    def told(self, node: Node, kind: str, what: Any) -> None:
        """One line of the story, as it happens."""
        assert isinstance(node, SealedNode)
        _LISTENERS[kind](self, node, what)

    def _life(self, node: SealedNode, _: object) -> None:
        """What is in its file is known still, and in the same boot the time of the group, too."""
        before, known = self._known.get(node.number), Known()
        self._known[node.number] = known
        known.masteries = before.masteries if before else 0
        if before is None or (saved := node.saved) is None:
            return
        known.highest = saved.top
        if saved.boot_id == node.boot_id and before.line_s is not None:
            known.line_s, known.ahead_s = before.line_s - MOVED_MS / 1000, before.ahead_s
            known.highest = max(known.highest, int((self._now_s(node, known, node.now) - SLACK_S) * 1000) << 22)

    def _one_counter(self, node: SealedNode, kind: object) -> None:
        # I4: one counter for all copies of one advertisement.
        self._known[node.number].said["advertisements"] += 1

    def _says(self, node: SealedNode, counter: int) -> None:
        known = self._known[node.number]
        # I4: a process that lives speaks above its own will.
        if counter <= known.will:
            raise Violation("I4", f"node {node.number} says nothing above its own will")
        known.said["counters"] += 1
        known.own.append(counter)
        self._said.add(counter)
        self._spoken.add(counter)
        self._note(node, counter, tells_time=True)  # its own bow-out, too

    def _transition(self, node: SealedNode, report: ReportTransition) -> None:
        self._known[node.number].masteries += report.new is State.MASTER

    def _wills_now(self, node: SealedNode, payload: bytes) -> None:
        known, counter = self._known[node.number], int.from_bytes(payload[COUNTER])
        known.will = counter
        known.own.append(counter)
        self._wills[counter] = node, known.masteries
        self._said.add(counter)

    def _is_bowed_out(self, node: SealedNode, payload: bytes) -> None:
        known, counter = self._known[node.number], int.from_bytes(payload[COUNTER])
        # V3: what its guardian says is above everything that it has sent or believed, else nobody follows. When that is
        # said again, the successor may have been heard.
        if not node.awake and counter <= known.highest and counter != known.bowed_out:
            raise Violation("V3", f"the guardian of node {node.number} says what is old")
        known.bowed_out = counter

    def _done(self, node: SealedNode, _: None) -> None:
        known, line_ms = self._known[node.number], node.group_time.line_ms
        said = known.said
        # I4: its time of the group is nobody's invention.
        latest_s = known.ahead_s + node.now * (1 + DRIFT_MAX) + SLACK_S
        if known.spoke and line_ms is not None and (node.clock_ms + line_ms) / 1000 > latest_s:
            raise Violation("I4", f"node {node.number} is ahead of the time of the group")
        if said["counters"] != said["advertisements"]:
            raise Violation("I4", f"node {node.number} used {said['counters']} counters for {said['advertisements']}")

    def _believes(self, node: SealedNode, judged: Judged) -> None:
        known, counter, payload = self._known[node.number], judged.counter, judged.frame.payload
        judge_form(node, judged.frame, self._vhid)
        # I4: nothing that no node has said, and not with another header.
        header = (payload[5], payload[2], payload[4])
        if counter not in self._said or not _is_as_said(judged):
            raise Violation("I4", f"node {node.number} believes a forged advertisement {header}")
        # I4: nothing that is not above everything that it has sent or believed.
        if counter <= known.highest:
            raise Violation("I4", f"node {node.number} believes what it has heard before, or older")
        said_s, bow_out = (counter >> 22) / 1000, header[:2] == (255, 255)
        # I4: who knows the time of the group, from this life or from its file, has no first contact, all others have.
        if (judged.verdict is Verdict.FIRST_CONTACT) != (known.line_s is None):
            raise Violation("I4", f"node {node.number} believes {header}: {judged.verdict.value}")
        if known.line_s is None:
            if not _may_be_first(node, counter, -SLACK_S):
                raise Violation("I4", f"node {node.number} believes {header} at first contact")
        # I4: nothing older than max(T, 250 ms), 10 s for a bow-out, by the time of the group.
        elif said_s < self._now_s(node, known, judged.arrived_s) - self._limit_s(node, bow_out) - SLACK_S:
            raise Violation("I4", f"node {node.number} believes an advertisement that is too old")
        if (will := self._wills.get(counter)) and counter not in self._spoken:
            owner, masteries = will
            # I4: nobody takes over from who is awake and master, by its own will.
            unread = owner.guard is not None and owner.guard.is_fenced
            alive = owner.awake and owner.state is State.MASTER and not unread
            if alive and self._known[owner.number].masteries == masteries:
                raise Violation("I4", f"node {node.number} believes the will of node {owner.number}, which is master")
        self._marks["a forged copy came first"] += judged.frame.forged
        self._note(node, counter, tells_time=not bow_out)

    def _refuses(self, node: SealedNode, judged: Judged) -> None:
        self._marks[judged.verdict.value] += 1
        known, counter = self._known[node.number], judged.counter
        said_s = (counter >> 22) / 1000
        # I3: the one counter has the right name.
        if (judged.verdict is Verdict.ECHO) != (counter in known.own and _is_as_said(judged)):
            raise Violation("I3", f"node {node.number} calls it {judged.verdict.value}")
        if judged.frame.forged or counter not in self._said or counter in known.own or counter <= known.highest:
            return
        # I4, the other way round: a first contact is not refused,
        if known.line_s is None and _may_be_first(node, counter, SLACK_S):
            raise Violation("I4", f"node {node.number} refuses a first contact: {judged.verdict.value}")
        if not known.spoke:
            return
        # nor what is genuine, above everything and surely fresh.
        latest_s = known.ahead_s + node.arrived_s * (1 + DRIFT_MAX)
        bow_out = counter >> 6 & 0xFFFF == 0xFFFF
        if said_s > latest_s - self._limit_s(node, bow_out) + SLACK_S:
            raise Violation("I4", f"node {node.number} refuses a fresh one: {judged.verdict.value}")

    @staticmethod
    def _limit_s(node: SealedNode, bow_out: bool) -> float:
        return FRESH_BOW_OUT_S if bow_out else max(FRESH_S, interval_s(node))

    @staticmethod
    def _now_s(node: SealedNode, known: Known, arrived_s: float) -> float:
        """The time of the group when a frame arrived, at least; it has sunk a little since it was heard."""
        assert known.line_s is not None
        return known.line_s + arrived_s - node.now * SINK

    def _learns(self, node: SealedNode, group_ms: int) -> None:
        """From a member's report, which says no more than that one knows itself."""
        self._knows(self._known[node.number], node, group_ms / 1000)

    def _note(self, node: SealedNode, counter: int, tells_time: bool) -> None:
        known = self._known[node.number]
        known.highest, known.spoke = max(known.highest, counter), True
        if tells_time:
            self._knows(known, node, (counter >> 22) / 1000)

    @staticmethod
    def _knows(known: Known, node: SealedNode, said_s: float) -> None:
        line_s, ahead_s = said_s - node.now * (1 - SINK), said_s - node.now * (1 + DRIFT_MAX)
        if known.line_s is not None:
            line_s, ahead_s = max(line_s, known.line_s), max(ahead_s, known.ahead_s)
        known.line_s, known.ahead_s = line_s, ahead_s


def _is_as_said(judged: Judged) -> bool:
    """Is its header what its counter says?"""
    payload, counter = judged.frame.payload, judged.counter
    return (payload[5], payload[2], payload[4]) == (counter >> 14 & 255, counter >> 6 & 255, counter >> 4 & 1)


def _may_be_first(node: SealedNode, counter: int, slack_s: float) -> bool:
    """I4: a first contact is no bow-out, no farewell, and not older than an hour."""
    bow_out, farewell = counter >> 6 & 0xFFFF == 0xFFFF, counter >> 5 & 1
    return not bow_out and not farewell and counter >> 22 >= node.wall_ms - TOLERANCE_MS + 1000 * slack_s


_LISTENERS: dict[str, Callable[[Freshness, SealedNode, Any], None]] = {
    "life": Freshness._life,
    "advertisement": Freshness._one_counter,
    "farewell": Freshness._one_counter,
    "said": Freshness._says,
    "done": Freshness._done,
    "willed": Freshness._wills_now,
    "bowed out by its guardian": Freshness._is_bowed_out,
    "transition": Freshness._transition,
    "learned": Freshness._learns,
    Verdict.BELIEVED.value: Freshness._believes,
    Verdict.FIRST_CONTACT.value: Freshness._believes,
    "refused": Freshness._refuses,
}
