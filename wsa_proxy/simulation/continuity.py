"""The judge of open connections: C1 to C4, and I13.

C1: a connection is answered by nobody but the node that has it. I13: no segment is steered twice. C2: steering ends,
and so does each drain, within ``drain_timeout`` and what it takes to notice that a node is silent. C3: nobody is
tickled who is served. C4: what was promised to clients: a planned move resets nobody before ``drain_timeout``, and
after a crash all whom the successor could know are told within 2 s.

Here is known what no node knows: who has which connection, and whether a segment would get there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from collections.abc import Sequence
from typing import Any

from wsa_proxy.carp.commands import State
from wsa_proxy.simulation.bounds import EPSILON_S
from wsa_proxy.simulation.bounds import base_s
from wsa_proxy.simulation.bounds import lateness_s
from wsa_proxy.simulation.carrying_node import CarryingNode
from wsa_proxy.simulation.carrying_node import Keeps
from wsa_proxy.simulation.clients import Clients
from wsa_proxy.simulation.clients import Connection
from wsa_proxy.simulation.clients import Told
from wsa_proxy.simulation.kernel import RENEW_EVERY_S
from wsa_proxy.simulation.lan import Timeline
from wsa_proxy.simulation.memory import NEVER_S
from wsa_proxy.simulation.stack import Segment
from wsa_proxy.simulation.stack import Segments
from wsa_proxy.simulation.violation import Violation

TOLD_WITHIN_S = 2.0
"""C4: after the takeover."""
COUNTED_S = 1.0
SILENT_REPORTS = 3
"""C2: so many missing, and nothing is steered to their sender any more."""
DRAINING_S = 0.5
"""So often a node reports that drains."""
HELD_REPORTS = 8
"""C2: a report that was held back is believed for so many intervals."""
SUCCESSOR_S = 1.0
"""I5: so long the addresses stay announced after a bow-out."""


class Continuity:
    """Of the nodes of one run."""

    LISTENS = frozenset({"tickles", "transition", "report believed", "life", "keeps"})

    def __init__(
        self,
        nodes: Sequence[CarryingNode],
        segments: Segments,
        clients: Clients,
        marks: Counter[str],
        timeline: Timeline,
        drain_s: float,
    ) -> None:
        self.promised_until_s = -NEVER_S
        """C4: nobody is reset before that who is open now, or will be."""
        self.exempt: frozenset[int] = frozenset()
        """Of these nodes, that have died; a kernel without its process resets what it does not steer any more."""
        self.took_over_at_s = -NEVER_S
        """When somebody became master last."""
        self.disturbed = True
        """Reports may be late."""
        self._nodes = {node.number: node for node in nodes}
        self._slowest_s, self._late_s = max(map(base_s, nodes)), max(map(lateness_s, nodes))
        self._segments = segments
        self._marks = marks
        self._clients = clients
        self._timeline = timeline
        self._drain_s = drain_s
        self._heard: dict[tuple[int, int], bytes] = {}
        """By hearer and speaker: the life of which a report was believed last."""
        self._drains_at_s: dict[tuple[int, int], float] = {}
        """Likewise: when the speaker said that it drains, if it did so last."""
        self._unheard: set[int] = set()
        """Connections whose clients were tickled, and answered to nobody: one announcement had overtaken another, or
        who had tickled them has yielded to an equal."""
        self._since_s: dict[tuple[str, int, int], float] = {}
        """What may be so for a while only, by node: since when."""

    # -- what the nodes do ---------------------------------------------------------------------------------------------

    def told(self, node: CarryingNode, kind: str, what: Any) -> None:
        """One line of a node's story, as it happens."""
        match kind:
            case "tickles":
                self._judge_tickle(node, what)
            case "transition" if what.new is State.MASTER:
                self.took_over_at_s = self._timeline.now
            case "keeps" if what is Keeps.NOTHING:
                self._since_s.pop(("C2", node.number, node.number), None)  # another drain may begin in this event
            case "report believed":
                self._heard[node.number, what.sender] = what.report.life
                says_so = what.report.carry.get("drains", False)
                self._drains_at_s[node.number, what.sender] = self._timeline.now if says_so else -NEVER_S
            case "life":
                self._heard = {pair: life for pair, life in self._heard.items() if pair[0] != node.number}

    def _judge_tickle(self, node: CarryingNode, client: bytes) -> None:
        connection = self._clients.connections.get(client)
        self._marks["a tickle"] += 1
        if connection is None or not connection.is_open:
            self._marks["a tickle for nobody"] += 1
            return
        # C3: its node drains, and has just been heard to say so; its list has come, for nothing is lost now.
        said_at_s = self._drains_at_s.get((node.number, connection.owner), -NEVER_S)
        if (
            not self.disturbed
            and connection in self.known(connection.owner)
            and self._timeline.now < said_at_s + DRAINING_S
        ):
            raise Violation(
                "C3", f"node {node.number} tickles {port_of(client)} of node {connection.owner}, which drains"
            )
        owner = self._segments.owner_from(node.number, client, connection.serial)
        if owner not in (None, node.number) and (node.stack.table is None or client not in node.stack.table.targets):
            # It knows only that it does not know all yet, and where to send it. Nobody is hurt.
            self._marks["a tickle for one who was steered by the gap"] += 1
        # C3: the new master has it, or steers it to who has it.
        elif owner is not None:
            raise Violation("C3", f"node {node.number} tickles {port_of(client)}, whom node {owner} serves")

    # -- what the clients see ------------------------------------------------------------------------------------------

    def steered(self, sender: int, to: int, segment: Segment) -> None:
        """A node has sent a segment on."""
        self._marks["a segment was steered"] += 1
        # I13: in a circle it would go on for ever, for nothing counts down. (Whom it does not hear it does not know.)
        before = segment.path[-1] if segment.path else sender
        self._marks["a segment was steered twice"] += before != sender
        if to in segment.path or (before != sender and self._knows(sender, before)):
            raise Violation("I13", f"node {sender} steers to node {to} what node {before} has steered to it")
        # C1: nobody gives away what it has itself.
        stack = self._segments.stacks[sender]
        connection = self._clients.connections.get(segment.client)
        owned = connection is not None and connection.is_open and connection.owner == sender
        if owned and stack.host.holds and stack.sockets.get(segment.client) == segment.serial:
            raise Violation("C1", f"node {sender} steers {port_of(segment.client)} to node {to}, and has it itself")

    def _knows(self, number: int, other: int) -> bool:
        """It has believed a report of that one's present process."""
        reporter = self._nodes[other].reporter
        return reporter is not None and self._heard.get((number, other)) == reporter.roster.life

    def client_told(self, kind: str, what: Any) -> None:
        """One line of the clients' story."""
        if kind == "answered":
            self._judge_answer(*what)
        elif kind == "told":
            self._judge_told(what)
        elif kind == "unheard":
            self._marks["a tickled client answered to nobody"] += 1
            self._unheard.add(what.serial)

    def _judge_answer(self, connection: Connection, node: int, serial: int) -> None:
        if not connection.is_open or node == connection.owner:
            return
        # C1: a connection has one end at the server's side. (Unless two nodes have taken its SYN, and the first answer
        # was lost: for a moment nobody but its client knows.)
        self._marks["a connection that two nodes have begun"] += 1
        if serial != connection.serial:
            owner = connection.owner
            raise Violation("C1", f"node {node} answers {port_of(connection.client)}, whom node {owner} has")

    def _judge_told(self, told: Told) -> None:
        self._marks[f"a client {told.how}"] += 1
        # C4: a planned move resets nobody.
        dead = {told.connection.owner, told.by} & self.exempt
        if self._timeline.now < self.promised_until_s and not dead:
            connection, until_s = told.connection, self.promised_until_s - self._timeline.now
            raise Violation(
                "C4",
                f"{port_of(connection.client)} of node {connection.owner} {told.how} by node {told.by}, {until_s:.2f} s"
                " before the drain's end",
            )

    # -- seen from outside, after each event ---------------------------------------------------------------------------

    def look(self, whose: int | None) -> None:
        """At the node to which something happened, or at all."""
        for number, node in self._nodes.items():
            if whose is None or whose == number:
                self._look_at(node)

    def _look_at(self, node: CarryingNode) -> None:
        number, kept = node.number, node.kept if node.awake else Keeps.NOTHING
        late_s = RENEW_EVERY_S + self._late_s
        # C2: a drain ends. (A process that stands still is fenced.)
        self._lasts(("C2", number, number), kept is Keeps.SILENT, self._drain_s + late_s, "drains")
        # I5: after a bow-out the addresses are announced no longer than a successor may need.
        self._lasts(("I5", number, number), kept is Keeps.ANSWERING, SUCCESSOR_S + late_s, "answers")
        table = node.stack.table if node.awake else None
        if table is None and not self._since_s:
            return
        wanted = {mac[-1] for mac in (*table.targets.values(), table.gap) if mac} if table is not None else set()
        # C2: nothing is steered to who does not drain any more, but for what it takes to notice that it is silent.
        silence_s = SILENT_REPORTS * max(self._slowest_s, DRAINING_S) + DRAINING_S + self._late_s
        silence_s += HELD_REPORTS * self._slowest_s if self.disturbed else 0.0
        for other in self._nodes.values():
            if other is not node:
                astray = other.number in wanted and not other.has_clients
                self._lasts(("C2", number, other.number), astray, silence_s, f"is steered to by node {number}")

    def _lasts(self, key: tuple[str, int, int], so: bool, at_most_s: float, what: str) -> None:
        if not so:
            self._since_s.pop(key, None)
            return
        now = self._timeline.now
        if now > self._since_s.setdefault(key, now) + at_most_s + EPSILON_S:
            raise Violation(key[0], f"node {key[2]} {what} for more than {at_most_s:.2f} s")

    def judge_rest(self) -> None:
        """When nothing has happened for longer than any drain: C2, all of it has ended."""
        for node in self._nodes.values():
            table = node.stack.table
            if node.keeps or (table is not None and (table.targets or table.gap)):
                raise Violation("C2", f"node {node.number} drains or steers still: {node.kept.value}, {table}")

    # -- what was promised ---------------------------------------------------------------------------------------------

    def known(self, owner: int) -> Collection[Connection]:
        """C4: the connections of this node that all others have heard of by now."""
        since_s = self._timeline.now - COUNTED_S - SILENT_REPORTS * self._slowest_s
        sockets = self._nodes[owner].stack.sockets
        return [
            each
            for each in self._clients.connections.values()
            if each.is_open and sockets.get(each.client) == each.serial and each.opened_at_s < since_s
        ]

    def judge_ended(self, connections: Collection[Connection], within: str) -> None:
        """C4: all of these have ended, or their clients know."""
        hanging = [each for each in connections if each.is_open and each.serial not in self._unheard]
        if hanging:
            ports = ", ".join(port_of(each.client) for each in hanging)
            raise Violation("C4", f"{len(hanging)} clients of node {hanging[0].owner} know nothing {within}: {ports}")


def port_of(client: bytes) -> str:
    """Of its host."""
    return f"port {int.from_bytes(client[-2:])}"
