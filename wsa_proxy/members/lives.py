"""Whose connections live: what becomes of the clients of each other life, once this node answers for the addresses.

It is told by their reports, each of which is believed (``roster.py``), and by their absence. Nobody says that it is
dead; so who was master when this node took over has some time to say that it *drains*:

AWAITED    It was there, by its reports. Its advertisement was heard just now (a demoted or a lesser master): AWAITED_S.
           Else there was a bow-out, which may be a dead one's will, or a silence: SAYS_S, as the report that says it is
           repeated. Whoever says that it is master still lives, and has until its next report is missing.
CLOSES     It says that it is master no more, and does not drain: it ends its connections itself, and then its list.
           What that has not told after CLOSES_S is told from here: its link was down when it ended them.
DRAINS     It says so. Three of its reports that are missing are its death.
RETURNED   It has drained and is master again, while this node drains: caches may send its clients here yet.

The clients of all of these are steered. Who lets its time pass, or was not there to begin with, is dead: its clients
are told.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from wsa_proxy.members.carry_words import NOTHING
from wsa_proxy.members.carry_words import Carried
from wsa_proxy.members.carry_words import read
from wsa_proxy.members.client_list import ClientCopy
from wsa_proxy.members.client_page import Client
from wsa_proxy.members.drain import COUNTED_S
from wsa_proxy.members.report import MEMBERS_MAX
from wsa_proxy.members.roster import Member
from wsa_proxy.members.roster import Roster

AWAITED_S = 1.0
SAYS_S = 0.15
"""Three times what passes between two reports of a node that hands over."""
CLOSES_S = 1.0
LOST_S = 3 * COUNTED_S
"""Three of the reports that a draining node sends."""
FLOODED_S_MAX = 10.0
"""No word is missing while datagrams are passed over unread, as there are too many: it may be among these. A flood, for
which nobody needs the secret, would else cut connections that go on. For so long at most, as it may be dead."""
LOST_INTERVALS = 1.5
"""Of a master's reports one that is missing is enough."""
RETURNED_S = 1.0
TOLD_BY_ANOTHER_S = 5.0
"""Another master needs no longer to tell the clients of who is silent."""


class Fate(Enum):
    """What becomes of the clients of a life."""

    NONE = "none"
    AWAITED = "awaited"
    CLOSES = "closes"
    DRAINS = "drains"
    RETURNED = "returned"


class Here(Protocol):
    """This node, as it is now."""

    @property
    def mac(self) -> bytes:
        """Its hardware address; empty while that is not known."""

    @property
    def flooded_at_s(self) -> float:
        """When a datagram of this group was passed over last."""

    @property
    def is_master(self) -> bool: ...
    @property
    def drains(self) -> bool: ...


@dataclass(slots=True)
class Life:
    """One other process, as its newest believed report has it. Times are monotonic seconds."""

    copy: ClientCopy
    node: str = ""
    mac: bytes = b""
    said: Carried = NOTHING
    is_master: bool = False
    heard_at_s: float = -math.inf
    master_at_s: float = -math.inf
    """When it was heard to be master last."""
    fate: Fate = Fate.NONE
    until_s: float = math.inf
    """How long it is waited for."""

    @property
    def has_served(self) -> bool:
        """It had clients, as far as is known, and has not said that it has none."""
        return self.is_master or self.said.drains

    @property
    def is_settled(self) -> bool:
        """All that it drains is known here."""
        return self.said.settled is not None and self.copy.position >= self.said.settled

    def meets(self, fate: Fate, until_s: float = math.inf) -> None:
        """That becomes of it, for so long at most."""
        self.fate, self.until_s = fate, until_s


class Lives:
    """The other lives that one node knows, by life. Whatever was told may have brought deaths: ``take_dead``."""

    def __init__(self, here: Here, roster: Roster, addresses: Collection[bytes]) -> None:
        """``addresses``: the group's virtual ones, packed."""
        self.known: dict[bytes, Life] = {}
        self._here, self._roster, self._addresses = here, roster, addresses
        self._dead: list[Life] = []

    def of(self, key: bytes) -> Life:
        """The one with this key; room is made by who has nothing to be told, then who has been silent for longest."""
        if key not in self.known:
            if len(self.known) >= MEMBERS_MAX:
                left = min(self.known, key=lambda one: _worth(self.known[one]))
                del self.known[left]
            self.known[key] = Life(ClientCopy(self._addresses))
        return self.known[key]

    def steered(self) -> list[Life]:
        """Whose clients are steered; who was master last comes last."""
        nowhere = b"", self._here.mac
        living = [life for life in self.known.values() if life.fate is not Fate.NONE and life.mac not in nowhere]
        return sorted(living, key=lambda life: life.master_at_s)

    def living_clients(self, now_s: float) -> set[Client]:
        """Of everybody who is there, or is waited for: they are not to be told anything."""
        clients: set[Client] = set()
        for key, life in self.known.items():
            if life.fate is not Fate.NONE or (life.has_served and self._is_fresh(key, now_s)):
                clients |= life.copy.clients
        return clients

    def take_dead(self) -> list[Life]:
        """Whose clients are to be told, once each."""
        dead, self._dead = self._dead, []
        return dead

    def next_s(self) -> float:
        """When time may bring something; infinite: never."""
        return min(
            (self._until_s(life) for life in self.known.values() if life.fate is not Fate.NONE), default=math.inf
        )

    # -- what happens --------------------------------------------------------------------------------------------------

    def hear(self, member: Member, now_s: float) -> None:
        """A report that is believed."""
        report = member.report
        assert report is not None
        life, said = self.of(report.life), read(report)
        life.node, life.said, life.mac = report.node, said, said.mac or life.mac
        life.is_master, life.heard_at_s = report.state == "master" and not report.leaves, now_s
        if life.is_master:
            life.master_at_s = now_s
            if not self._here.is_master:
                self._forget_told(now_s)
        if report.leaves:
            life.said = NOTHING
        if self._here.is_master or self._here.drains:
            self._judge(life, now_s, max(LOST_S, LOST_INTERVALS * member.interval_s), leaves=report.leaves)
        if report.leaves and life.fate is Fate.NONE:
            self.known.pop(report.life)

    def takes_over(self, now_s: float, *, from_living: bool) -> None:
        """This node is about to answer for the addresses."""
        for key, life in self.known.items():
            is_there = self._is_fresh(key, now_s)
            if life.said.drains and now_s <= self._heard_until_s(life, life.heard_at_s + LOST_S):
                life.meets(Fate.DRAINS)
            elif is_there and life.is_master:
                life.meets(Fate.AWAITED, now_s + (AWAITED_S if from_living else SAYS_S))
            elif life.has_served or (life.copy.clients and not is_there):
                self._dies(life)
            elif life.copy.clients:
                life.meets(Fate.CLOSES, now_s + CLOSES_S)
            else:
                life.meets(Fate.NONE)

    def let_go(self) -> None:
        """This node answers for the addresses no more, and drains nothing."""
        self._dead = []
        for life in self.known.values():
            life.meets(Fate.NONE)

    def step(self, now_s: float) -> bool:
        """Time has passed. True: somebody is steered no more."""
        before = [life.fate for life in self.known.values()]
        for key, life in self.known.items():
            match life.fate:
                case Fate.AWAITED | Fate.CLOSES if now_s >= self._until_s(life):
                    self._dies(life)
                case Fate.DRAINS if now_s > self._until_s(life) or key not in self._roster.members:
                    self._dies(life)
                case Fate.RETURNED if now_s >= life.until_s:
                    self._look_at_returned(key, life, now_s)
        return before != [life.fate for life in self.known.values()]

    def _judge(self, life: Life, now_s: float, patience_s: float, *, leaves: bool) -> None:
        """What its newest report means for its clients; the next one is missing after ``patience_s``."""
        if life.said.drains:
            life.meets(Fate.DRAINS)
        elif life.fate is Fate.DRAINS or life.fate is Fate.RETURNED:
            # It has ended what was left by itself, unless it has all of it back.
            if not life.is_master and life.copy.clients and not leaves:
                life.meets(Fate.CLOSES, now_s + CLOSES_S)
            elif not life.is_master:
                life.meets(Fate.NONE)
            elif life.fate is Fate.DRAINS:
                life.meets(Fate.RETURNED, now_s + RETURNED_S)
        elif life.fate is Fate.AWAITED and life.is_master:
            life.until_s = max(life.until_s, now_s + patience_s)
        elif life.fate is Fate.AWAITED:
            life.meets(Fate.CLOSES, now_s + CLOSES_S)

    def _until_s(self, life: Life) -> float:
        """When its fate may change without a word."""
        match life.fate:
            case Fate.DRAINS:
                return self._heard_until_s(life, life.heard_at_s + LOST_S)
            case Fate.AWAITED:
                return self._heard_until_s(life, life.until_s)
            case _:
                return life.until_s

    def _heard_until_s(self, life: Life, until_s: float) -> float:
        """A word of it is waited for until then, or longer in a flood."""
        return max(until_s, min(self._here.flooded_at_s + LOST_S, life.heard_at_s + FLOODED_S_MAX))

    def _look_at_returned(self, key: bytes, life: Life, now_s: float) -> None:
        if self._here.drains and self._is_fresh(key, now_s):
            life.until_s = now_s + RETURNED_S
        else:
            life.meets(Fate.NONE)

    def _dies(self, life: Life) -> None:
        """To be told by who is master; nobody tells them twice."""
        life.meets(Fate.NONE)
        if self._here.is_master:
            life.is_master, life.said = False, NOTHING
            self._dead.append(life)

    def _forget_told(self, now_s: float) -> None:
        """There is a master: the clients of who is silent were told by it."""
        for key, life in self.known.items():
            if now_s - life.heard_at_s > TOLD_BY_ANOTHER_S and not self._is_fresh(key, now_s):
                life.copy.forget()

    def _is_fresh(self, key: bytes, now_s: float) -> bool:
        member = self._roster.members.get(key)
        return member is not None and member.is_fresh(now_s)


def _worth(life: Life) -> tuple[bool, bool, float]:
    return life.fate is not Fate.NONE, bool(life.copy.clients), life.heard_at_s
