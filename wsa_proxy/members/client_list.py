"""The list of a node's clients, told to all members in deltas; and the copy that each of them keeps.

Everybody hears every page, so a list has one row of changes for all of them, and the slowest sets the pace: what a
report says to have taken over (``Report.copies``) is acknowledged, and what is not is told again from the lowest such
position on. Who knows nothing begins at position 0 and needs no other treatment, since of each client only the last
change is kept: the row is never much longer than the list.

That a connection has ended is forgotten when all have taken it over. Who was silent meanwhile cannot know: he sees it
by the page's ``floor``, begins anew, and says so with position 0. Until he has the whole again he keeps what he had.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from itertools import islice

from wsa_proxy.members.client_page import CLIENTS_MAX
from wsa_proxy.members.client_page import Client
from wsa_proxy.members.client_page import Page
from wsa_proxy.members.client_page import joined
from wsa_proxy.members.client_page import pack
from wsa_proxy.members.client_page import room
from wsa_proxy.members.client_page import virtual_ip

PAGES_AT_ONCE = 16
"""What is more waits for PAGES_EVERY_S: 10,000 clients of IPv4 are told in 0.2 s, and nobody's buffer overflows."""
PAGES_EVERY_S = 0.02
ENDED_MAX = 16_384
"""Connections that have ended and are still to be told, of somebody who is heard and acknowledges nothing."""
ROW_SLACK = 1024
"""The row is cleared of changes that are superseded when they are more than what is left, and so many."""
COPIED_MAX = 2 * CLIENTS_MAX
"""Of one list: what was known before it was begun anew, and the whole of it. What is listed beyond is passed over."""


class ClientList:
    """Of this node. Times are monotonic seconds."""

    def __init__(self, life: bytes) -> None:
        self.clients: frozenset[Client] = frozenset()
        """Those that are told."""
        self.total = 0
        """All of them."""
        self.top = 0
        """The newest position."""
        self._life, self._number, self._floor = life, 0, 0
        self._positions: list[int] = []
        self._row: list[Client] = []
        """The client that each of the positions is of; superseded if its position in ``_at`` is another."""
        self._at: dict[Client, int] = {}
        self._ended: dict[Client, int] = {}
        """A part of that; the oldest first."""
        self._sent = self._lowest = 0
        self._since_s = 0.0
        """When there was progress last: something was sent first, or was acknowledged."""
        self._paced_until_s = -math.inf

    def count(self, clients: Collection[Client]) -> bool:
        """The connections that there are now. True: something has changed."""
        self.total = len(clients)
        if clients == self.clients:
            return False
        now = frozenset(clients)
        ended, known = self.clients - now, self.clients & now
        for client in sorted(ended):
            self._change(client)
            self._ended[client] = self.top
        more = sorted(now - known)[: CLIENTS_MAX - len(known)]
        for client in more:
            self._ended.pop(client, None)
            self._change(client)
        if not ended and not more:
            return False
        self.clients = known.union(more)
        self._tidy()
        return True

    def _change(self, client: Client) -> None:
        self.top += 1
        self._at[client] = self.top
        self._positions.append(self.top)
        self._row.append(client)

    def _tidy(self) -> None:
        while len(self._ended) > ENDED_MAX:
            self._forget(next(iter(self._ended)))
        if len(self._row) > 2 * len(self._at) + ROW_SLACK:
            left = [(at, one) for at, one in zip(self._positions, self._row, strict=True) if self._at.get(one) == at]
            self._positions, self._row = [at for at, _ in left], [one for _, one in left]

    def _forget(self, ended: Client) -> None:
        self._floor = self._ended.pop(ended)
        del self._at[ended]

    # -- telling -------------------------------------------------------------------------------------------------------

    def acknowledged(self, positions: Collection[int], now_s: float, repeat_s: float) -> None:
        """The position of each member that is there and takes lists over. What none has acknowledged ``repeat_s`` after
        the last progress is to be told again."""
        lowest = min(min(positions, default=self.top), self.top)
        if lowest < self._lowest or (lowest < self._sent and now_s >= self._since_s + repeat_s):
            self._sent = lowest
        if lowest != self._lowest or self._sent <= lowest:
            self._since_s = now_s
        self._lowest, self._sent = lowest, max(self._sent, lowest)
        while self._ended and next(iter(self._ended.values())) <= lowest:
            self._forget(next(iter(self._ended)))

    def pages(self, echoes: Mapping[bytes, bytes], now_s: float) -> list[bytes]:
        """What is due, packed, PAGES_AT_ONCE at most. ``echoes``: the challenge of each of those members, by life."""
        if self._sent >= self.top or now_s < self._paced_until_s:
            return []
        pages: list[bytes] = []
        while self._sent < self.top and len(pages) < PAGES_AT_ONCE:
            pages.append(self._page(echoes))
        if self._sent < self.top:
            self._paced_until_s = now_s + PAGES_EVERY_S
        return pages

    def next_s(self, repeat_s: float) -> float:
        """When pages are due; infinite: everybody has taken over everything."""
        if self._sent < self.top:
            return self._paced_until_s
        return self._since_s + repeat_s if self._lowest < self.top else math.inf

    def _page(self, echoes: Mapping[bytes, bytes]) -> bytes:
        after, left = self._sent, room(len(echoes))
        taken: list[Client] = []
        for position, client in self._rest():
            left -= len(client)
            if left < 0:
                break
            taken.append(client)
            self._sent = position
        else:
            self._sent = self.top  # the last changes may be forgotten
        self._number += 1
        listed_4, listed_6 = joined(each for each in taken if each not in self._ended)
        ended_4, ended_6 = joined(each for each in taken if each in self._ended)
        page = Page(
            life=self._life,
            number=self._number,
            after=after,
            last=self._sent,
            top=self.top,
            floor=self._floor,
            echoes=echoes,
            listed_4=listed_4,
            listed_6=listed_6,
            ended_4=ended_4,
            ended_6=ended_6,
        )
        return pack(page)

    def _rest(self) -> Iterator[tuple[int, Client]]:
        """What has not been sent, by position."""
        for index in range(bisect_right(self._positions, self._sent), len(self._row)):
            client, position = self._row[index], self._positions[index]
            if self._at.get(client) == position:
                yield position, client


class ClientCopy:
    """Of the list of another life. What it says of other addresses than these, the group's virtual ones (packed), is
    none of its business: not the host's own, and not those of another group, whose secret it need not know."""

    def __init__(self, addresses: Collection[bytes]) -> None:
        self._addresses = addresses
        self.clients: set[Client] = set()
        self.position = 0
        """Taken over up to here; 0: to be told from the beginning."""
        self.number = -1
        """Of the newest page."""
        self._began = 0
        """The newest position when the first page was taken over."""
        self._unconfirmed: set[Client] = set()
        """Known from before it was begun anew, and not told yet."""

    def forget(self) -> None:
        """What is said later is to be told from the beginning."""
        self.clients, self._unconfirmed = set(), set()
        self.position = self._began = 0

    def take(self, page: Page) -> bool:
        """A page that is newer than all others of that life, and believed. True: the clients have changed."""
        self.number = page.number
        if page.floor > max(self.position, self._began):
            self._unconfirmed, self.position, self._began = set(self.clients), 0, 0
        if not page.after <= self.position < page.last:
            return False
        if self.position == 0:
            self._began = page.top
        self.position = page.last
        listed = {each for each in page.listed if virtual_ip(each) in self._addresses}
        ended = set(page.ended)
        self._unconfirmed -= listed
        if page.last == page.top:
            ended |= self._unconfirmed
            self._unconfirmed = set()
        size, gone = len(self.clients), len(self.clients & ended)
        self.clients -= ended
        self.clients.update(islice(listed - self.clients, COPIED_MAX - len(self.clients)))
        return bool(gone) or len(self.clients) != size
