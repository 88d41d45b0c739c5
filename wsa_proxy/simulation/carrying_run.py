"""A run whose nodes have clients: those come and go, and operators move whoever is the master."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from wsa_proxy.carp.commands import State
from wsa_proxy.simulation.carrying import World
from wsa_proxy.simulation.carrying_node import CarryingNode
from wsa_proxy.simulation.carrying_node import CarryingSealedNode
from wsa_proxy.simulation.carrying_node import switch
from wsa_proxy.simulation.carrying_plan import CLIENTS_PORT
from wsa_proxy.simulation.carrying_plan import carrying_plan_of
from wsa_proxy.simulation.clientele import Ordered
from wsa_proxy.simulation.clients import Clients
from wsa_proxy.simulation.continuity import Continuity
from wsa_proxy.simulation.continuity import port_of
from wsa_proxy.simulation.filters import Reports
from wsa_proxy.simulation.journey import JourneySettling
from wsa_proxy.simulation.lan import SWITCH
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.plan import VHID
from wsa_proxy.simulation.run import Outcome
from wsa_proxy.simulation.run import Run
from wsa_proxy.simulation.stack import Segment
from wsa_proxy.simulation.stack import Segments
from wsa_proxy.simulation.stack import Table


class CarryingRun(Run):
    """Of a plan that has clients."""

    NODES = CarryingNode, CarryingSealedNode
    SETTLING = JourneySettling

    def _report(self, reports: Reports) -> None:
        super()._report(reports)
        clientele, nodes = self.plan.clientele, self.carriers
        assert clientele is not None and isinstance(self._settling, JourneySettling)
        post = self._settling.post
        segments = Segments(self.lan, VHID, self._steered)
        self._clients = Clients(self.lan, segments, self._chance(CLIENTS_PORT + 1), self._hear_client)
        self._continuity = Continuity(
            nodes, segments, self._clients, self.checker.marks, self._timeline, clientele.drain_s
        )
        self._settling.clients, self._settling.continuity = self._clients, self._continuity
        self._settling.clientele = clientele
        world = World(segments, self._clients, post, clientele.drain_s)
        for node in nodes:
            node.carry(world)

    @property
    def carriers(self) -> list[CarryingNode]:
        """All of its nodes."""
        return [node for node in self.nodes if isinstance(node, CarryingNode)]

    def _faults(self) -> None:
        assert self.plan.clientele is not None
        self._clients.begin(self.plan.clientele.count)
        for ordered in self.plan.clientele.orders:
            self._timeline.at(self._began_at_s + ordered.at_s, partial(self._order, ordered))
        super()._faults()
        self._clients.loses = False

    def _order(self, ordered: Ordered) -> None:
        master = next((node for node in self.carriers if node.awake and node.state is State.MASTER), None)
        if master is None:
            return
        if ordered.stops_for_s is None:
            self._narrate(f"node {master.number} is to be switched away")
            switch(self.carriers, master)
        else:
            self._narrate(f"node {master.number} is to stop, for {ordered.stops_for_s:.2f} s")
            master.stop()
            self._timeline.at(self._timeline.now + ordered.stops_for_s, master.start)

    def _look(self) -> None:
        if self._timeline.whose == SWITCH:
            return  # what a client does, or the switch learns, changes no node
        super()._look()
        self._continuity.look(self._timeline.whose)

    # -- the story -----------------------------------------------------------------------------------------------------

    def _hear(self, node: Node, kind: str, what: object) -> None:
        super()._hear(node, kind, what)
        if put_in_words := _WORDS.get(kind):
            self._say(f"node {node.number} {put_in_words(what)}")
        if kind in self._continuity.LISTENS and isinstance(node, CarryingNode):
            self._continuity.told(node, kind, what)

    def _hear_client(self, kind: str, what: Any) -> None:
        if kind == "told":
            self._say(f"{port_of(what.connection.client)} of node {what.connection.owner} {what.how}")
        self._continuity.client_told(kind, what)

    def _steered(self, sender: int, to: int, segment: Segment) -> None:
        self._continuity.steered(sender, to, segment)


def _steers_in_words(table: Table | None) -> str:
    if table is None:
        return "steers nothing"
    gap = f", and what it does not know to node {table.gap[-1]}" if table.gap else ""
    counts = Counter(mac[-1] for mac in table.targets.values())
    return "steers " + ", ".join(f"{count} clients to node {number}" for number, count in sorted(counts.items())) + gap


_WORDS: dict[str, Callable[[Any], str]] = {
    "steers": _steers_in_words,
    "tells clients": lambda tickle: f"tickles {len(tickle.clients)} clients of {tickle.node}",
    "keeps": lambda kept: f"has the addresses: {kept.value}",
}
"""What of a node's story is told here, by its kind."""


def play_carrying(seed: int, nodes: int | None = None, tell: Callable[[str], None] | None = None) -> Outcome:
    """Another run of this seed, in which the nodes send member reports and have clients."""
    return CarryingRun(seed, carrying_plan_of(seed, nodes), tell).play()
