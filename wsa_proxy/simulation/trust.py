"""The judge of what a node believes while its group is moved: I4 of two secrets and two ways to sign.

What is said is known here with the secret that signed it. Nothing is believed under a secret or in a way that the node
does not have just then, and nothing genuine under one that it has is refused. What a sealed-only node believes is new
and fresh, as in a sealed group; of who takes plain CARP as well that is asked as far as it matters: who signs sealed
tells the time of the group, and believes no seal that is older; who signs plain CARP tells no time, and keeps none.
"""

from __future__ import annotations

from collections import Counter
from collections import deque
from collections.abc import Callable
from collections.abc import Collection
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from wsa_proxy.carp.events import FarewellReceived
from wsa_proxy.carp.events import FirstContact
from wsa_proxy.carp.wire import Reject
from wsa_proxy.simulation.belief import OWN_REMEMBERED
from wsa_proxy.simulation.belief import SIGNED
from wsa_proxy.simulation.belief import SINK
from wsa_proxy.simulation.belief import SLACK_S
from wsa_proxy.simulation.belief import judge_form
from wsa_proxy.simulation.bounds import FRESH_BOW_OUT_S
from wsa_proxy.simulation.bounds import FRESH_S
from wsa_proxy.simulation.bounds import TOLERANCE_MS
from wsa_proxy.simulation.bounds import interval_s
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.moving import Heard
from wsa_proxy.simulation.moving import MovingNode
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.sealed import DRIFT_MAX
from wsa_proxy.simulation.sealed import MOVED_MS
from wsa_proxy.simulation.violation import Violation
from wsa_proxy.simulation.ways import CARP
from wsa_proxy.simulation.ways import OLD

COUNTER = slice(8, 16)
UNKNOWN = frozenset({Reject.BAD_SECRET, Reject.PLAIN_MEMBER, Reject.SEALED_MEMBER})
"""It is said to be signed by nobody whom the node knows, or in a way that it does not believe."""
SEALS_REFUSE = frozenset({Reject.DUPLICATE, Reject.REPLAY, Reject.STALE, Reject.REWRITTEN})
"""It is said to be a seal of one of the node's secrets."""


@dataclass(frozen=True, slots=True)
class Said:
    """Who has really said something, and how."""

    secret: str
    sealed: bool
    number: int | None = None
    """None: somebody in earlier days."""


@dataclass(slots=True)
class Trusted:
    """What one node has said and believed of sealed advertisements. Seconds."""

    highest: dict[str, int] = field(default_factory=dict)
    """By secret."""
    line_s: float | None = None
    """Group time less the node's clock, at least; one for all secrets, and not what a plain one may have moved back."""
    ahead_s: float = -float("inf")
    """At most."""
    own: dict[str, deque[int]] = field(default_factory=dict)
    spoke: set[str] = field(default_factory=set)
    """Under these secrets it has said or believed something in this life."""
    plain: set[bytes] = field(default_factory=set)
    """Said as plain CARP, by this host: its counter is one for ever."""


class Trust:
    """Judges every node of one group; ``earlier`` was said in earlier days, under the old secret."""

    LISTENS = frozenset({"life", "signed", "heard", "willed"})

    def __init__(self, marks: Counter[str], vhid: int, plain: Collection[Advertised], sealed: Collection[Advertised]):
        self._marks = marks
        self._vhid = vhid
        self._said = {frame.payload[SIGNED]: Said(OLD, False) for frame in plain}
        self._said |= {frame.payload[SIGNED]: Said(OLD, True) for frame in sealed}
        self._trusted: dict[int, Trusted] = {}

    def told(self, node: Node, kind: str, what: Any) -> None:
        """One line of the story, as it happens."""
        assert isinstance(node, MovingNode)
        _LISTENERS[kind](self, node, what)

    # -- what it says --------------------------------------------------------------------------------------------------

    def _life(self, node: MovingNode, _: object) -> None:
        """What is in its file is known still, and in the same boot the time of the group, too."""
        before = self._trusted.get(node.number, Trusted())
        trusted = self._trusted[node.number] = Trusted(plain=before.plain)
        for name in node.way.secrets:
            if (saved := node.files.get(name)) is None:
                continue
            trusted.highest[name] = saved.top
            if saved.boot_id == node.boot_id and before.line_s is not None:
                trusted.line_s, trusted.ahead_s = before.line_s - MOVED_MS / 1000, before.ahead_s
                now_ms = int((self._now_s(node, trusted, node.now) - SLACK_S) * 1000)
                trusted.highest[name] = max(saved.top, now_ms << 22)

    def _signed(self, node: MovingNode, payload: bytes) -> None:
        secret, sealed = node.way.secrets[0], node.way.signs_sealed
        self._said.setdefault(payload[SIGNED], Said(secret, sealed, node.number))
        trusted = self._trusted[node.number]
        if not sealed:
            trusted.plain.add(payload[SIGNED])
            return
        counter = int.from_bytes(payload[COUNTER])
        # I4: what it says is above everything that it has said or believed under this secret.
        if counter <= trusted.highest.get(secret, 0):
            raise Violation("I4", f"node {node.number} signs nothing higher than before")
        # I4: whatever secret has told it, the time of the group is one: a new secret is no younger than the old one.
        if trusted.line_s is not None and counter >> 22 < (self._now_s(node, trusted, node.now) - SLACK_S) * 1000:
            raise Violation("I4", f"node {node.number} signs with {secret} what is old by the time of the group")
        # I4: while plain CARP is taken, a first contact may be a replay: no time that it tells is signed.
        if CARP in node.way.security and counter >> 22 < node.wall_ms - 1000 * SLACK_S:
            raise Violation("I4", f"node {node.number} signs with a time before its wall clock's")
        trusted.own.setdefault(secret, deque(maxlen=OWN_REMEMBERED)).append(counter)
        self._note(node, secret, counter)

    def _willed(self, node: MovingNode, payload: bytes) -> None:
        secret, sealed = node.way.secrets[0], node.way.signs_sealed
        self._said.setdefault(payload[SIGNED], Said(secret, sealed, node.number))
        if sealed:
            own = self._trusted[node.number].own.setdefault(secret, deque(maxlen=OWN_REMEMBERED))
            own.append(int.from_bytes(payload[COUNTER]))

    # -- what it hears -------------------------------------------------------------------------------------------------

    def _heard(self, node: MovingNode, heard: Heard) -> None:
        said = self._said.get(heard.frame.payload[SIGNED])
        if isinstance(heard.what, Reject):
            self._refuses(node, heard, heard.what, said)
            return
        judge_form(node, heard.frame, self._vhid)
        # I4: nothing that no member has signed.
        if said is None:
            raise Violation("I4", f"node {node.number} believes a forged advertisement")
        # I4: nor under a secret, or in a way, that it does not have now.
        if not _is_known(node, said):
            raise Violation("I4", f"node {node.number} has {node.way}, and believes {said}")
        self._marks["believed under another secret than its own"] += said.secret != node.way.secrets[0]
        if said.sealed:
            self._believes_sealed(node, heard, said.secret)
        elif heard.frame.payload[SIGNED] in self._trusted[node.number].plain:
            raise Violation("I4", f"node {node.number} believes its own echo")

    def _believes_sealed(self, node: MovingNode, heard: Heard, secret: str) -> None:
        trusted, payload = self._trusted[node.number], heard.frame.payload
        counter, header = int.from_bytes(payload[COUNTER]), (payload[5], payload[2], payload[4])
        # I4: nor with another header, nor its own.
        if header != _sealed_header(counter):
            raise Violation("I4", f"node {node.number} believes a rewritten advertisement {header}")
        if counter in trusted.own.get(secret, ()):
            raise Violation("I4", f"node {node.number} believes its own echo")
        # I4: a farewell is one, and nothing else is.
        if isinstance(heard.what, FarewellReceived) != bool(counter >> 5 & 1):
            raise Violation("I4", f"node {node.number} takes {header} for {type(heard.what).__name__}")
        bow_out = header[:2] == (255, 255)
        # Who signs plain CARP tells no time, and keeps none.
        if node.way.signs_sealed:
            self._judge_freshness(node, heard, secret, counter)
            self._note(node, secret, counter, tells_time=not bow_out)

    def _judge_freshness(self, node: MovingNode, heard: Heard, secret: str, counter: int) -> None:
        trusted = self._trusted[node.number]
        # I4: nothing that is not above everything that it has sent or believed under this secret.
        if counter <= trusted.highest.get(secret, 0):
            raise Violation("I4", f"node {node.number} believes what it has heard before, or older")
        first = isinstance(heard.what, FirstContact)
        # I4: who believes sealed ones only and does not know the time of the group has a first contact, nobody else.
        if first != (node.way.only_sealed and trusted.line_s is None):
            raise Violation("I4", f"node {node.number}: {type(heard.what).__name__}, time known: {trusted.line_s}")
        if first and counter >> 22 < node.wall_ms - TOLERANCE_MS - SLACK_S * 1000:
            raise Violation("I4", f"node {node.number} takes an old one for a first contact")
        if trusted.line_s is None:
            return
        # I4: nothing older than max(T, 250 ms) by the time of the group; 10 s for a bow-out, unless something later was
        # said or believed under another secret.
        is_last = counter > max(trusted.highest.get(each, 0) for each in node.way.secrets)
        oldest_s = self._now_s(node, trusted, heard.arrived_s) - _limit_s(node, counter, is_last) - SLACK_S
        if counter >> 22 < oldest_s * 1000:
            raise Violation("I4", f"node {node.number} believes an advertisement that is too old")

    def _refuses(self, node: MovingNode, heard: Heard, why: Reject, said: Said | None) -> None:
        if said is None:
            return
        known, payload = _is_known(node, said), heard.frame.payload
        if why is Reject.BAD_SECRET and said.secret not in node.way.secrets:
            self._marks["refused under a secret that is gone"] += 1
        # I3: the one counter has the right name.
        if known and why in UNKNOWN:
            raise Violation("I4", f"node {node.number} has {node.way}, and calls {said} {why.value}")
        if not known and why in SEALS_REFUSE:
            raise Violation("I3", f"node {node.number} has {node.way}, and calls {said} {why.value}")
        if heard.frame.forged or not known or said.number == node.number:
            return
        # I4, the other way round: plain CARP that is not its own is never refused,
        if not said.sealed:
            raise Violation("I4", f"node {node.number} refuses {said}: {why.value}")
        # nor a seal, by who does not ask how old it is,
        if not node.way.signs_sealed:
            raise Violation("I4", f"node {node.number} keeps no time, and refuses {said}: {why.value}")
        # nor one that is new and surely fresh.
        trusted, counter = self._trusted[node.number], int.from_bytes(payload[COUNTER])
        if counter <= trusted.highest.get(said.secret, 0) or said.secret not in trusted.spoke:
            return
        if counter in trusted.own.get(said.secret, ()):  # its own will has the same, see ``belief.py``
            return
        latest_s = trusted.ahead_s + node.arrived_s * (1 + DRIFT_MAX)
        is_last = len(node.way.secrets) == 1
        if counter >> 22 > (latest_s - _limit_s(node, counter, is_last) + SLACK_S) * 1000:
            raise Violation("I4", f"node {node.number} refuses a fresh one: {why.value}")

    # -- the time of the group -----------------------------------------------------------------------------------------

    @staticmethod
    def _now_s(node: MovingNode, trusted: Trusted, arrived_s: float) -> float:
        """The time of the group when a frame arrived, at least; it has sunk a little since it was heard."""
        assert trusted.line_s is not None
        return trusted.line_s + arrived_s - node.now * SINK

    def _note(self, node: MovingNode, secret: str, counter: int, tells_time: bool = True) -> None:
        trusted, said_s = self._trusted[node.number], (counter >> 22) / 1000
        trusted.spoke.add(secret)
        trusted.highest[secret] = max(trusted.highest.get(secret, 0), counter)
        line_s, ahead_s = said_s - node.now * (1 - SINK), said_s - node.now * (1 + DRIFT_MAX)
        if tells_time:
            trusted.ahead_s = max(trusted.ahead_s, ahead_s)
            trusted.line_s = line_s if trusted.line_s is None else max(trusted.line_s, line_s)


def _is_known(node: MovingNode, said: Said) -> bool:
    """Does the node have this secret now, and believe in this way?"""
    return said.secret in node.way.secrets and (node.way.believes_sealed if said.sealed else CARP in node.way.security)


def _sealed_header(counter: int) -> tuple[int, int, int]:
    """What the counter says of the header."""
    return counter >> 14 & 255, counter >> 6 & 255, counter >> 4 & 1


def _limit_s(node: MovingNode, counter: int, is_last: bool) -> float:
    bow_out = counter >> 6 & 0xFFFF == 0xFFFF
    return FRESH_BOW_OUT_S if bow_out and is_last else max(FRESH_S, interval_s(node))


_LISTENERS: dict[str, Callable[[Trust, MovingNode, Any], None]] = {
    "life": Trust._life,
    "signed": Trust._signed,
    "willed": Trust._willed,
    "heard": Trust._heard,
}
