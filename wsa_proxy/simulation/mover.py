"""The operator who moves a running group to another way of signing: one node after the other, in any order.

A step waits until every node has taken the one before: who is alive must be awake to be told, who is dead reads the
file when it starts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from collections.abc import Sequence
from functools import partial
from random import Random

from wsa_proxy.simulation.bounds import interval_s
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.moving import MovingNode
from wsa_proxy.simulation.ways import STEPS_PER_NODE
from wsa_proxy.simulation.ways import Move

ASKED_AGAIN_S = 0.3
DOWN_S_MAX = 2.0
INTERVALS_APART = 1.9
"""In the quiet: what one step makes a master say is heard before the next one."""


class Mover:
    """Of one run. ``random`` is its own source of chance."""

    def __init__(
        self,
        move: Move,
        nodes: Sequence[MovingNode],
        lan: Lan,
        random: Random,
        say: Callable[[str], None],
        marks: Counter[str],
    ) -> None:
        self._move = move
        self._nodes = nodes
        self._lan = lan
        self._random = random
        self._say = say
        self._marks = marks
        self._left = 0
        self._every_s = move.every_s
        self._restarts = move.restarts
        self._halted = False
        self.laggards: set[int] = set()
        """Nodes that began to seal with a time that others know to be past, which those have told while they could not
        be heard: nobody follows back, and one of them takes over once."""

    @property
    def mixed(self) -> bool:
        """Do two nodes sign or believe differently?"""
        return len({node.way for node in self._nodes}) > 1

    def begin(self) -> None:
        """While things go wrong."""
        self._left = self._move.steps
        self._later(self._move.begins_s)

    def halt(self) -> None:
        """The group stays as it is, with whoever was told to restart."""
        self._halted = True
        self._marks["a mixed group settled"] += self.mixed

    def go_on(self) -> None:
        """While nothing else happens: no step may be noticed, so none is a restart."""
        if self._move.goes_on and self._halted:
            self._halted, self._restarts = False, 0.0
            self._left = STEPS_PER_NODE * len(self._nodes)
            self._every_s = INTERVALS_APART * max(map(interval_s, self._nodes))
            self._marks["a group was moved in the quiet"] += 1
            self._later(self._every_s)

    def _later(self, after_s: float) -> None:
        self._lan.timeline.at(self._lan.timeline.now + after_s, self._step)

    def _step(self) -> None:
        if self._halted or self._left == 0:
            return
        ways = self._move.ways
        stage = min(ways.index(node.way) for node in self._nodes)
        if stage == len(ways) - 1:
            return
        behind = [node for node in self._nodes if node.way == ways[stage]]
        ready = [node for node in behind if node.core is None or node.awake]
        if not ready:
            self._later(ASKED_AGAIN_S)
            return
        self._left -= 1
        self._take(self._random.choice(ready), stage + 1)
        if len(behind) == 1 and stage + 2 == len(ways):
            self._marks[f"a {self._move.name} was completed"] += 1
        self._later(self._every_s)

    def _lags(self, node: MovingNode) -> bool:
        others = [other for other in self._nodes if other.core is not None and other.way.signs_sealed]
        return any((other.group_ms or 0.0) > (node.group_ms or node.wall_ms) for other in others)

    def _take(self, node: MovingNode, stage: int) -> None:
        way = self._move.ways[stage]
        said = f"{[each.value for each in way.security]} with {list(way.secrets)}"
        restarts = node.core is not None and self._random.random() < self._restarts
        self._say(f"node {node.number} {'restarts and takes' if restarts else 'takes'} {said}")
        if not restarts:
            begins_to_seal = way.signs_sealed and not node.way.signs_sealed
            node.take_way(way)
            if begins_to_seal and self._lags(node):
                self.laggards.add(node.number)
            return
        self._marks["a step was a restart"] += 1
        node.stop()
        node.take_way(way)
        down_s = self._random.uniform(0, DOWN_S_MAX)
        self._lan.timeline.at(self._lan.timeline.now + down_s, partial(MovingNode.start, node))
