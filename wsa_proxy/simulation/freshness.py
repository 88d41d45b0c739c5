"""I4, in a sealed group: nothing rewritten, heard before or old is ever believed. Reckoned apart from the seal.

Here is known what no receiver can know: who really sent what. A hostile host's copy of a genuine advertisement that a
node has not heard yet is that advertisement, as long as it is fresh.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from dataclasses import field

from wsa_proxy.carp.seal import Verdict
from wsa_proxy.simulation.bounds import FRESH_BOW_OUT_S
from wsa_proxy.simulation.bounds import FRESH_S
from wsa_proxy.simulation.bounds import interval_s
from wsa_proxy.simulation.checker import Violation
from wsa_proxy.simulation.sealed import DRIFT_MAX
from wsa_proxy.simulation.sealed import Believed
from wsa_proxy.simulation.sealed import SealedNode

SLACK_S = 0.002  # whole milliseconds, and a clock's drift since the last one
SINK = 1 / 1000 + DRIFT_MAX  # the seal's and the drift of a clock, of the time since the last one was heard


@dataclass(slots=True)
class Heard:
    """What one life of a node has sent and believed."""

    highest: int = 0
    moments: list[tuple[float, float]] = field(default_factory=list)
    """(group time, the node's own clock), seconds: the last few of which one may be the latest time of the group."""


class Freshness:
    """Judges what each sealed node believes."""

    def __init__(self, marks: Counter[str]) -> None:
        self._marks = marks
        self._said: set[int] = set()
        self._heard: dict[int, Heard] = {}

    def told(self, node: SealedNode, kind: str, what: object) -> None:
        """One line of the story, as it happens."""
        if kind == "life":
            self._heard[node.number] = Heard()
        elif kind == "said" and isinstance(what, int):
            self._said.add(what)
            self._note(node, what)
        elif isinstance(what, Believed):
            self._judge(node, what)
        elif kind == "reject":
            self._marks[str(getattr(what, "value", what))] += 1

    def _judge(self, node: SealedNode, believed: Believed) -> None:
        heard = self._heard[node.number]
        counter, payload = believed.counter, believed.frame.payload
        # I4: nothing that no node has said, and not with another header.
        header = (payload[5], payload[2], payload[4])
        if counter not in self._said or header != (counter >> 14 & 255, counter >> 6 & 255, counter >> 4 & 1):
            raise Violation("I4", f"node {node.number} believes a forged advertisement {header}")
        # I4: nothing that is not above everything that it has sent or believed.
        if counter <= heard.highest:
            raise Violation("I4", f"node {node.number} believes what it has heard before, or older")
        # I4: nothing older than max(T, 250 ms), 10 s for a bow-out, by the time of the group.
        if believed.verdict is not Verdict.FIRST_CONTACT and heard.moments:
            limit_s = FRESH_BOW_OUT_S if header[:2] == (255, 255) else max(FRESH_S, interval_s(node))
            now_s = max(
                group_s + (believed.arrived_s - clock_s) - (node.now - clock_s) * SINK
                for group_s, clock_s in heard.moments
            )
            if (counter >> 22) / 1000 < now_s - limit_s - SLACK_S:
                raise Violation("I4", f"node {node.number} believes an advertisement that is too old")
        self._marks["a forged copy came first"] += believed.frame.forged
        self._note(node, counter)

    def _note(self, node: SealedNode, counter: int) -> None:
        heard = self._heard[node.number]
        heard.highest = max(heard.highest, counter)
        if counter >> 14 & 255 != 255:
            heard.moments = [*heard.moments[-7:], ((counter >> 22) / 1000, node.now)]
