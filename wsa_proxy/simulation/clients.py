"""The clients of a simulated LAN: what they do with their connections, and what they learn of them.

So many connections are kept open. Some talk now and then, the others wait for the server and say nothing, so that
nobody tells them when it is gone. One that was reset, or that its server has closed, is told; its client soon opens
another one, sometimes from the same port.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from random import Random
from typing import Any

from wsa_proxy.simulation.lan import SWITCH
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.stack import Kind
from wsa_proxy.simulation.stack import Segment
from wsa_proxy.simulation.stack import Segments
from wsa_proxy.simulation.stack import Stack
from wsa_proxy.simulation.stack import Word

VIRTUAL_IP = ip_address("10.0.0.3")
VIRTUAL_PORT = 8080
HOST = ip_address("10.0.0.200")
"""All clients are one host, each with a port of its own."""
PORTS_FROM = 30_000
TALKS_EVERY_S = (0.4, 1.0, math.inf)
LIVES_S = (1.0, 5.0, 20.0, math.inf)
SYN_AGAIN_S = 1.0
SYN_ACK_LOST = 0.15
SAME_PORT = 0.1
NEXT_S_MAX = 0.5
"""After the end of one the next one is opened."""

type Tell = Callable[[str, Any], None]


def client_of(port: int) -> bytes:
    """As the kernel's table and the members' lists have it: virtual IP and port, the client's address and port."""
    return VIRTUAL_IP.packed + VIRTUAL_PORT.to_bytes(2) + HOST.packed + port.to_bytes(2)


@dataclass(slots=True)
class Connection:
    """One, as its client sees it."""

    serial: int
    client: bytes
    talks_every_s: float
    opened_at_s: float = math.inf
    """Its SYN was answered."""
    owner: int = -1
    """By this node."""
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """A client has learnt that its connection is gone."""

    connection: Connection
    how: str
    by: int


class Clients:
    """``count`` of them at a time. ``random`` is their own, ``tell`` gets the story."""

    def __init__(self, lan: Lan, segments: Segments, random: Random, tell: Tell) -> None:
        self.loses = True
        """An answer to a SYN may be lost."""
        self.connections: dict[bytes, Connection] = {}
        """By client: what is open, or about to be."""
        self._segments = segments
        self._timeline = lan.timeline
        self._random = random
        self._tell = tell
        self._serial = 0

    def begin(self, count: int, within_s: float = NEXT_S_MAX, talks_every_s: float | None = None) -> None:
        """So many more, each at a time of its own; all talk that often, or each as chance has it."""
        for _ in range(count):
            self._open_soon(None, within_s, talks_every_s)

    # -- what a client does --------------------------------------------------------------------------------------------

    def _at(self, after_s: float, what: Callable[[], None]) -> None:
        if after_s < math.inf:
            self._timeline.at(self._timeline.now + after_s, what, SWITCH)

    def _open_soon(self, port: bytes | None, within_s: float = NEXT_S_MAX, talks_every_s: float | None = None) -> None:
        """Perhaps from that port, of which the server has heard that it is free."""
        self._serial += 1
        again = port is not None and self._random.random() < SAME_PORT
        client = port if port is not None and again else client_of(PORTS_FROM + self._serial)
        every_s = self._random.choice(TALKS_EVERY_S) if talks_every_s is None else talks_every_s
        connection = Connection(self._serial, client, every_s)
        self._at(self._random.uniform(0, within_s), partial(self._open, connection))

    def _open(self, connection: Connection) -> None:
        self.connections[connection.client] = connection
        answer = self._segments.send(Segment(connection.client, Kind.SYN, connection.serial))
        lost = self.loses and self._random.random() < SYN_ACK_LOST
        if answer.word is Word.RESET:
            self._end(connection)
        elif answer.word is Word.NOTHING or lost:
            self._at(SYN_AGAIN_S, partial(self._open, connection))
        else:
            assert answer.node is not None
            connection.owner, connection.opened_at_s, connection.is_open = answer.node, self._timeline.now, True
            self._tell("opened", connection)
            self._forget_elsewhere(connection)
            self._at(self._random.uniform(0, 2) * connection.talks_every_s, partial(self._talk, connection))
            self._at(self._random.uniform(0, 2) * self._random.choice(LIVES_S), partial(self._close, connection))

    def _forget_elsewhere(self, connection: Connection) -> None:
        """Another node has taken its SYN as well, and its answer was lost: that one is repeated, and refused."""
        for number, stack in self._segments.stacks.items():
            if number != connection.owner and stack.sockets.get(connection.client) == connection.serial:
                self._at(
                    self._random.uniform(0, SYN_AGAIN_S), partial(stack.forget, connection.client, connection.serial)
                )

    def _talk(self, connection: Connection) -> None:
        if connection.is_open:
            self._ask(connection, "was reset")
            self._at(connection.talks_every_s, partial(self._talk, connection))

    def _close(self, connection: Connection) -> None:
        """Whatever comes of it. A server that does not hear of it keeps its end."""
        if connection.is_open:
            word, _ = self._say(connection, Kind.FIN)
            self._tell("closed", connection)
            self._end(connection, connection.client if word is Word.ANSWER else None)

    def _ask(self, connection: Connection, how: str) -> Word:
        """Say something. Answers what came back."""
        word, node = self._say(connection, Kind.DATA)
        if word is Word.RESET:
            self._is_told(connection, how, node)
        return word

    def _say(self, connection: Connection, kind: Kind) -> tuple[Word, int]:
        answer = self._segments.send(Segment(connection.client, kind, connection.serial))
        node = answer.node if answer.node is not None else -1
        if answer.word is Word.ANSWER:
            self._tell("answered", (connection, node, answer.serial))
        return answer.word, node

    def _end(self, connection: Connection, port: bytes | None = None) -> None:
        connection.is_open = False
        del self.connections[connection.client]
        self._open_soon(port)

    # -- what it is told -----------------------------------------------------------------------------------------------

    def _is_told(self, connection: Connection, how: str, by: int) -> None:
        self._tell("told", Told(connection, how, by))
        self._end(connection)

    def tickle(self, by: int, client: bytes) -> None:
        """A bare acknowledgement from the virtual IP, sent by that node: its client says where it is."""
        connection = self.connections.get(client)
        if connection is None or not connection.is_open or not self._segments.reaches_clients(by):
            return
        if self._ask(connection, "was tickled") is Word.NOTHING:
            self._tell("unheard", connection)

    def server_closes(self, by: int, sockets: Mapping[bytes, int]) -> None:
        """That node's process ends these connections, and has the address yet."""
        for client, serial in sorted(sockets.items()):
            connection = self.connections.get(client)
            if connection is not None and connection.is_open and connection.serial == serial:
                self._is_told(connection, "was closed", by)


def close_all(stack: Stack, segments: Segments, clients: Clients) -> None:
    """A process ends all its connections; without the address, or a cable, nobody is told."""
    sockets, stack.sockets = stack.sockets, {}
    if stack.host.holds and segments.reaches_clients(stack.host.number):
        clients.server_closes(stack.host.number, sockets)
