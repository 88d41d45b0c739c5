"""What a node's process does for its clients' connections: the product's own decisions, and a pump around them.

``members/carrying.py`` decides; what is here asks it as ``runtime`` does. The process counts the sockets of its kernel,
sends pages of them and reads those of the others, has steered what is to be steered, and tickles who is to be told, a
few at a time. Its kernel (``stack.py``) steers and answers while the process stands still.
"""

from __future__ import annotations

import math
from collections import Counter
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from wsa_proxy.members.carrying import Carrying
from wsa_proxy.members.cipher import Unread
from wsa_proxy.members.roster import Member
from wsa_proxy.members.roster import Roster
from wsa_proxy.simulation.clients import VIRTUAL_IP
from wsa_proxy.simulation.clients import Clients
from wsa_proxy.simulation.clients import close_all
from wsa_proxy.simulation.post import Post
from wsa_proxy.simulation.post import Sheet
from wsa_proxy.simulation.stack import Segments
from wsa_proxy.simulation.stack import Stack
from wsa_proxy.simulation.stack import mac_of

COUNT_EVERY_S = 1.0
ANNOUNCED_S = 0.1
"""The weather's greatest delay: what is sent after an announcement does not overtake it."""
LOOP_S = 1e-5  # a turn of the loop takes its time
QUEUE_MAX = 256  # pages in the socket's buffer


class Host(Protocol):
    """The node."""

    number: int

    @property
    def now(self) -> float:
        """Its own clock, seconds."""

    @property
    def awake(self) -> bool:
        """Does its process turn?"""

    @property
    def has_clients(self) -> bool:
        """Is it the master, or has it been and keeps the addresses?"""

    @property
    def unreachable(self) -> frozenset[int]:
        """To whom its host has no way."""

    def after(self, wait_s: float, what: Callable[[], None]) -> None:
        """In so many seconds of the LAN's clock."""

    def at_own(self, when_s: float, what: Callable[[], None]) -> None:
        """At a time of its own clock."""

    def tells(self, kind: str, what: object) -> None:
        """One line of the story."""

    def says_more(self) -> None:
        """What its next report says is new."""

    def is_drained(self) -> None:
        """No connection is left, or the time is up."""


@dataclass(frozen=True, slots=True)
class World:
    """What all nodes of a run share."""

    segments: Segments
    clients: Clients
    post: Post
    drain_s: float
    """``drain_timeout``."""


class Carriage:
    """That of one process. ``late_s`` answers by how much its loop is late now."""

    def __init__(self, host: Host, roster: Roster, stack: Stack, world: World, late_s: Callable[[], float]) -> None:
        self.carrying = Carrying(roster, [VIRTUAL_IP.packed])
        self.carrying.mac, self.carrying.steers = mac_of(host.number), True
        self.unread: Counter[Unread] = Counter()
        self.ended = False
        self._host, self._stack, self._world, self._late_s = host, stack, world, late_s
        self._queue: deque[Sheet] = deque()
        self._is_announced = False
        """As the master."""
        self._count_at_s = host.now
        self._said = self.carrying.says()
        self._alarm_at_s, self._alarms = math.inf, 0

    # -- what the node tells it ----------------------------------------------------------------------------------------

    def drain(self) -> None:
        """It is about to leave, or has yielded."""
        self.carrying.drain(self._host.now + self._world.drain_s, self._host.now)
        self.look()

    def silent(self) -> None:
        """The successor answers from now on."""
        self.carrying.silent(self._host.now)
        self.look()

    def end_drain(self) -> None:
        """All of its connections have ended, or are to end now."""
        self.close_connections()
        self.carrying.end_drain()
        self.look()

    def takes_over(self, *, from_living: bool) -> None:
        """Before the addresses are acquired. What it drains is its own again, and is known exactly."""
        self._count()
        self.carrying.takes_over(from_living, self._host.now)
        self.look()

    def announced(self) -> None:
        """The switch and all neighbours have just been told that the addresses are here."""
        self._is_announced = True
        self.look()

    def left_master(self) -> None:
        """It is master no more."""
        self._is_announced = False
        self.carrying.left_master(self._host.now)
        self.look()

    def hear(self, member: Member) -> None:
        """One of its reports was believed."""
        self.carrying.hear(member, self._host.now)
        self.look()

    def receive(self, sheet: Sheet) -> None:
        """One page has come; while the process stands still it waits in the socket."""
        if not self.ended and len(self._queue) < QUEUE_MAX:
            self._queue.append(sheet)
            self.look()

    def close_connections(self) -> None:
        """Of its clients, before the addresses go."""
        close_all(self._stack, self._world.segments, self._world.clients)

    def end(self) -> None:
        """The process has died."""
        self.ended = True
        self._stack.end()

    # -- the pump ------------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """After each event, and when its time has come."""
        host, carrying = self._host, self.carrying
        if self.ended or not host.awake:
            return
        while self._queue:
            self._hear(self._queue.popleft())
        now, wanted = host.now, carrying.wants_count(host.now)
        if host.has_clients and (wanted or now >= self._count_at_s):
            self._count()
        carrying.step(now)
        for packed in carrying.pages(now):
            self._world.post.send_page(host.number, packed, host.unreachable)
        self._steer()
        self._tickle()
        if wanted or carrying.says() is not self._said:
            self._said = carrying.says()
            host.says_more()
        if carrying.is_drained(now):
            host.is_drained()
        if not self.ended:
            self._arm()

    def _hear(self, sheet: Sheet) -> None:
        unread = Unread.BAD_SECRET if sheet.forged else self.carrying.hear_page(sheet.page, self._host.now)
        if unread is not None:
            self.unread[unread] += 1
        self._host.tells("page", (sheet, unread))

    def _count(self) -> None:
        self._count_at_s = self._host.now + COUNT_EVERY_S
        self.carrying.count(frozenset(self._stack.sockets), self._host.now)

    def _steer(self) -> None:
        """A client of another node whose first SYN was answered there in vain may have come here since."""
        table, wanted = self._stack.table, self.carrying.steering()
        if wanted is table:
            return
        if wanted is not None and wanted.targets.keys() - (table.targets.keys() if table is not None else ()):
            self._count()
            wanted = self.carrying.steering()
        self._stack.steer(wanted)
        self._host.tells("steers", wanted)

    def _tickle(self) -> None:
        """All at once: there are few. They come to their clients when the announcement has come to the switch."""
        if not self._is_announced:
            return
        for tickle in self.carrying.take_tickles():
            self._host.tells("tells clients", tickle)
            for client in tickle.clients:
                if not self.carrying.is_served(client):
                    self._host.tells("tickles", client)
                    self._host.after(ANNOUNCED_S, partial(self._world.clients.tickle, self._host.number, client))

    def _arm(self) -> None:
        now = self._host.now
        due_s = min(self.carrying.next_step_s(now), self._count_at_s if self._host.has_clients else math.inf)
        if due_s < self._alarm_at_s:
            self._alarm_at_s = due_s
            self._alarms += 1
            at_s = max(due_s, now) + LOOP_S + self._late_s()
            self._host.at_own(at_s, partial(self._ring, self._alarms))

    def _ring(self, alarm: int) -> None:
        """Of several that are set, the one that was set last."""
        if alarm == self._alarms:
            self._alarm_at_s = math.inf
            self.look()
