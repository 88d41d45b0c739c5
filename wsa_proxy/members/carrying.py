"""Whose connections go on and whose clients are told, as one node of one group decides it: no clock, socket or loop.

Theory of operation. Every member has a copy of the list of clients of every node (``client_list.py``), so whatever ends
a master, its successor knows them. There are two ways:

- The old master *drains* (``drain.py``): it says so in its reports before anybody takes over, keeps the virtual IPs
  silently, and finishes its connections. Whoever is master, or drains itself, *steers* the listed clients' frames to
  it. What it opened just before it fell silent is in no list yet: until its list is settled (the *gap*) the new master
  sends it what it does not know either and is none of its own, unless that is a SYN.
- It is dead, or does not drain: its clients are *tickled*, each once in a takeover, so that they hear of it at once.

Which of the two it is, ``lives.py`` decides. A client in two lists is this node's own first, then of whoever was master
last. Nobody is tickled who is listed by this node, or by a life that is there.

The pump tells what happens: ``count``, ``hear``, ``hear_page``, ``drain``, ``silent``, ``takes_over``,
``left_master``, and ``step`` when ``next_step_s`` has come. After each of them it asks what is to be done:
``wants_count``, ``pages``, ``steering``, and as master, once it has announced itself, ``take_tickles``.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from wsa_proxy.members import carry_words
from wsa_proxy.members.carry_words import Carried
from wsa_proxy.members.cipher import Unread
from wsa_proxy.members.client_list import ClientList
from wsa_proxy.members.client_page import CLIENTS_MAX
from wsa_proxy.members.client_page import BadPage
from wsa_proxy.members.client_page import Client
from wsa_proxy.members.client_page import address
from wsa_proxy.members.client_page import unpack
from wsa_proxy.members.drain import Drain
from wsa_proxy.members.lives import Fate
from wsa_proxy.members.lives import Life
from wsa_proxy.members.lives import Lives
from wsa_proxy.members.roster import Member
from wsa_proxy.members.roster import Roster
from wsa_proxy.members.to_steer import ToSteer

GAP_S_MAX = 3.0
"""Between a takeover and the settled list of the node that drains: a second, a count, and some pages that are lost."""
CLOSED_S = 0.5
"""For the last answers of a plain switch, and a stop (``planned_stop.py``)."""
UNTOLD_S = 3.0
"""So long after it has taken over another master has told those who could not be told from here."""
TOLD_MAX = 4 * CLIENTS_MAX
"""In one mastership. They are who was served when it began; a member that lists and dies without end names more."""
REPEATED_HURRIED_S = 0.05
REPEATED_INTERVALS = 1.5
"""What is not acknowledged is told again; it is by a report, which comes once in an interval."""


@dataclass(frozen=True, slots=True)
class Tickle:
    """Clients that are to be told that their connections are gone."""

    node: str
    """Whose they were; this node's own, when its link was down."""
    clients: tuple[Client, ...]


@dataclass(frozen=True, slots=True)
class _Told:
    node: str
    clients: int
    at_s: float


class Carrying:
    """Of one group on one node. Times are monotonic seconds."""

    def __init__(self, roster: Roster, addresses: Collection[bytes]) -> None:
        """``addresses``: the group's virtual ones, packed. The clients of no others are steered, or told."""
        self.node = ""
        """Its name."""
        self.host = b""
        """Its own address, packed: what begins here is in its own kernel, and needs no steering."""
        self.mac = b""
        """This node's own, 6 bytes; empty: it has none, and cannot be steered to."""
        self.steers = False
        """This host can steer."""
        self.why_not = ""
        """Why it cannot."""
        self.flooded_at_s = -math.inf
        """When a datagram of this group was passed over unread last, as there were too many."""
        self.is_master = False
        self._roster = roster
        self._list = ClientList(roster.life)
        self._untold: frozenset[Client] = frozenset()
        """A part of the list: their connections have ended here, and nothing could be sent that says so."""
        self._lives = Lives(self, roster, addresses)
        self._drain: Drain | None = None
        self._gap_until_s = -math.inf
        self._closed_at_s = math.inf
        """By then it has ended the connections that do not drain."""
        self._steering: ToSteer | None = None
        self._is_steering_old = self._was_able = False
        self._told: set[Client] = set()
        self._tickles: list[tuple[str, set[Client]]] = []
        self._last_told: _Told | None = None
        self._said: tuple[tuple[object, ...], Mapping[str, Any]] = (), {}
        """What was said last, with all that it was made of."""

    # -- what reports and the status say -------------------------------------------------------------------------------

    @property
    def drains(self) -> bool:
        """This node finishes its connections."""
        return self._drain is not None

    @property
    def left(self) -> int:
        """Its own connections, as they were counted last."""
        return self._list.total

    def says(self) -> Mapping[str, Any]:
        """The ``carry`` map of a report; the same object until it changes."""
        settled = self._drain.settled if self._drain is not None else None
        made_of = (self._drain is not None, settled, self.mac, self.steers, self.why_not)
        if made_of != self._said[0]:
            drains, settled, mac, steers, why_not = made_of
            carried = Carried(drains=drains, settled=settled, mac=mac, steers=steers, why_not=why_not)
            self._said = made_of, carry_words.written(carried)
        return self._said[1]

    def copies(self) -> Mapping[bytes, int]:
        """The ``copies`` map of a report: how far the list of each life was taken over."""
        return {key: life.copy.position for key, life in self._lives.known.items() if life.copy.position}

    def status(self, now_s: float) -> dict[str, Any]:
        """Its part of a group's ``carry`` in the status document."""
        drain, told = self._drain, self._last_told
        steered = self._lives.steered() if self._steers_now else []
        steered = [life for life in steered if life.copy.clients or life.fate is not Fate.CLOSES]
        return {
            "drains": drain and {"connections": self.left, "left_s": round(max(0.0, drain.until_s - now_s), 1)},
            "steers": [
                {"node": life.node, "connections": len(life.copy.clients), "settled": life.is_settled}
                for life in steered
            ],
            "told": told and {"node": told.node, "clients": told.clients, "age_s": round(now_s - told.at_s, 1)},
        }

    # -- this node's own connections -----------------------------------------------------------------------------------

    def count(self, clients: Collection[Client], now_s: float) -> None:
        """The connections on this group's virtual IPs now, as the kernel has them."""
        if self._list.count(self._untold.union(clients) if self._untold else clients):
            self._is_steering_old = True
        if self._drain is not None:
            self._drain.counted(self._list.top, now_s)

    def drain(self, until_s: float, now_s: float) -> None:
        """From now on this node says that it drains, until then at most: before the bow-out or the demotion is said, or
        when it yields to a better master."""
        if self._drain is None:
            self._drain = Drain(until_s, now_s)
        self._closed_at_s = math.inf
        self._is_steering_old = True

    def silent(self, now_s: float) -> None:
        """The successor answers for the addresses from now on."""
        if self._drain is not None:
            self._drain.silent(now_s)

    def wants_count(self, now_s: float) -> bool:
        """``count`` is due, and a report after it."""
        return self._drain is not None and now_s >= self._drain.count_at_s()

    @property
    def wants_half_open(self) -> bool:
        """What is counted is to have those, too, whose handshake is not complete: they are to go on where this node
        finishes its connections, and are no unknown ones. Nobody need be told that half a handshake is lost: the client
        repeats it. Whoever makes up SYNs would choose who is told, by the thousand."""
        return self.drains or math.isfinite(self._gap_until_s)

    def is_drained(self, now_s: float) -> bool:
        """No connection is left and none can come, or the time is up: what is left is to be reset, then
        ``end_drain``."""
        return self._drain is not None and self._drain.is_over(self.left, now_s)

    def end_drain(self, *, told: bool = True) -> None:
        """The connections have ended, and their clients have been ``told``; harmless when nothing drains."""
        if self._drain is not None:
            self._drain = None
            self._let_go()
            if not self.is_master:
                self._ended(told=told)

    def _ended(self, *, told: bool) -> None:
        """All of the list. If they were not told, whoever is master next has to."""
        self._untold = frozenset() if told else self._list.clients
        self._list.count(self._untold)

    def takes_over(self, from_living: bool, now_s: float) -> None:
        """This node is about to acquire the addresses; ``from_living`` as in ``ReportTransition``."""
        self.is_master, self._drain, self._closed_at_s = True, None, math.inf
        self._gap_until_s = now_s + GAP_S_MAX
        self._lives.takes_over(now_s, from_living=from_living)
        self._is_steering_old = True
        if self._untold:
            untold, self._untold = self._untold, frozenset()
            self._list.count(self._list.clients - untold)
            self._tickle(self.node, set(untold), now_s)
        self._after(now_s)

    def left_master(self, now_s: float, *, told: bool = True) -> None:
        """It does not answer for them any more; what does not drain is ended within CLOSED_S, and its clients are
        ``told``, unless nothing can be sent."""
        self.is_master = False
        self._gap_until_s = -math.inf
        self._tickles = []
        self._told.clear()
        self._let_go()
        if self._drain is None and told:
            self._closed_at_s = now_s + CLOSED_S
        elif self._drain is None:
            self._ended(told=False)

    def _let_go(self) -> None:
        """The clients of others are nothing to a node that is not master and does not drain."""
        self._is_steering_old = True
        if not self.is_master and self._drain is None:
            self._lives.let_go()

    # -- the others ----------------------------------------------------------------------------------------------------

    def hear(self, member: Member, now_s: float) -> None:
        """A report that is believed."""
        life = member.newest.life
        known = self._lives.known.get(life)
        before = known and (known.fate, known.mac, known.said)
        self._lives.hear(member, now_s)
        known = self._lives.known.get(life)
        if before != (known and (known.fate, known.mac, known.said)):
            self._is_steering_old = True
            self._after(now_s)
        if self._untold and known and known.is_master and now_s - member.state_since_s > UNTOLD_S:
            self._ended(told=True)

    def hear_page(self, packed: bytes, now_s: float) -> Unread | None:
        """An authentic page. Answers why it is not believed: as a report, it has to repeat one of this node's last
        challenges and be above all others of its life; and that life has to be there by its reports."""
        try:
            page = unpack(packed)
        except BadPage:
            return Unread.MALFORMED
        if page.life == self._roster.life:
            return Unread.ECHO
        known = self._lives.known.get(page.life)
        if known is None or not self._roster.believes(page.life, page.echoes, now_s):
            return Unread.CONTACT
        if page.number == known.copy.number:
            return None  # by IPv4 and IPv6, or by a network with two ways
        if page.number < known.copy.number:
            return Unread.REPLAY
        if known.copy.take(page) and known.fate is not Fate.NONE:
            self._is_steering_old = True
        self._after(now_s)
        return None

    def pages(self, now_s: float) -> list[bytes]:
        """What is to be sent now: what is new, and what was not taken over in time."""
        if not self._list.top:
            return []
        readers = self._readers(now_s)
        acknowledged = [each.newest.copies.get(self._roster.life, 0) for each in readers]
        self._list.acknowledged(acknowledged, now_s, self._repeat_s(readers, now_s))
        if not readers:
            return []
        return self._list.pages({each.newest.life: each.contact.challenge for each in readers}, now_s)

    def _readers(self, now_s: float) -> list[Member]:
        """Who is there and keeps copies."""
        return [
            each for each in self._roster.fresh(now_s) if each.newest.carry and each.newest.life in self._lives.known
        ]

    def _repeat_s(self, readers: Collection[Member], now_s: float) -> float:
        if self._drain is not None and self._drain.hurries(now_s):
            return REPEATED_HURRIED_S
        return REPEATED_INTERVALS * max((each.interval_s for each in readers), default=1.0)

    # -- what follows --------------------------------------------------------------------------------------------------

    def step(self, now_s: float) -> None:
        """Time has passed."""
        if now_s >= self._closed_at_s:
            self._closed_at_s = math.inf
            self._list.count(())
        if self._lives.step(now_s):
            self._is_steering_old = True
        self._after(now_s)

    def next_step_s(self, now_s: float) -> float:
        """When to look again at the latest: ``step``, and all that is asked after it. Infinite: nothing is waited
        for."""
        times_s = [self._lives.next_s(), self._closed_at_s]
        if self._steering is not None and self._steering.gap:
            times_s.append(self._gap_until_s)
        if self._drain is not None:
            times_s += [self._drain.count_at_s(), self._drain.until_s]
        if self._list.top and (readers := self._readers(now_s)):
            times_s.append(self._list.next_s(self._repeat_s(readers, now_s)))
        return min(times_s)

    def steering(self) -> ToSteer | None:
        """What must be in force now; None: nothing. The same object until it changes."""
        if self._is_steering_old or self.steers is not self._was_able:
            self._is_steering_old, self._was_able = False, self.steers
            if (wanted := self._to_steer()) != self._steering:
                self._steering = wanted
        return self._steering

    def take_tickles(self) -> list[Tickle]:
        """Whom to tell now, once each."""
        tickles, self._tickles = self._tickles, []
        mine = self._list.clients
        return [Tickle(node, told) for node, clients in tickles if (told := tuple(sorted(clients - mine)))]

    def is_served(self, client: Client) -> bool:
        """By this node, or by one that it steers to: asked again before each time that it is told."""
        steered = self._steering.targets if self._steering is not None else {}
        return client in self._list.clients or client in steered

    @property
    def _steers_now(self) -> bool:
        return self.steers and (self.is_master or self.drains)

    def _to_steer(self) -> ToSteer | None:
        if not self._steers_now:
            return None
        targets = {
            client: life.mac
            for life in self._lives.steered()
            for client in life.copy.clients - self._list.clients
            if address(client) != self.host
        }
        gap = self._gap()
        if not targets and not gap:
            return None
        members = frozenset(life.mac for life in self._lives.known.values() if life.mac)
        return ToSteer(targets, gap, members, self._list.clients if gap else frozenset())

    def _gap(self) -> bytes:
        """Of whoever was master last, and has not settled: ``_gap_until_s`` ends with it."""
        if not math.isfinite(self._gap_until_s):
            return b""
        masters = [each for each in reversed(self._lives.steered()) if each.fate in (Fate.AWAITED, Fate.DRAINS)]
        # Several may follow a bow-out: who was master for a moment only has no clients.
        last = next((each for each in masters if each.copy.clients), next(iter(masters), None))
        return last.mac if last is not None and not last.is_settled else b""

    def _after(self, now_s: float) -> None:
        """Who has died is told, and a gap that is over closes for good."""
        for life in self._lives.take_dead():
            self._tell(life, now_s)
        if math.isfinite(self._gap_until_s) and (now_s >= self._gap_until_s or not self._gap()):
            self._gap_until_s = -math.inf
            self._is_steering_old = True

    def _tell(self, dead: Life, now_s: float) -> None:
        lost = dead.copy.clients
        dead.copy.forget()
        untold = lost - self._list.clients - self._told - self._lives.living_clients(now_s)
        self._is_steering_old = True
        self._tickle(dead.node, set(islice(untold, max(0, TOLD_MAX - len(self._told)))), now_s)

    def _tickle(self, node: str, clients: set[Client], now_s: float) -> None:
        if clients:
            self._told |= clients
            self._tickles.append((node, clients))
            self._last_told = _Told(node, len(clients), now_s)
