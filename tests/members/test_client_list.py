"""A list of clients and its copies: what is told, when it is told again, and who has to begin anew."""

from __future__ import annotations

import math
from random import Random

import pytest

from tests.members.clients import ADDRESSES
from tests.members.clients import client
from tests.members.clients import client_6
from tests.members.clients import clients
from tests.members.reports import challenge
from tests.members.reports import life
from wsa_proxy.members.client_list import COPIED_MAX
from wsa_proxy.members.client_list import ENDED_MAX
from wsa_proxy.members.client_list import PAGES_AT_ONCE
from wsa_proxy.members.client_list import PAGES_EVERY_S
from wsa_proxy.members.client_list import ROW_SLACK
from wsa_proxy.members.client_list import ClientCopy
from wsa_proxy.members.client_list import ClientList
from wsa_proxy.members.client_page import CLIENTS_MAX
from wsa_proxy.members.client_page import Page
from wsa_proxy.members.client_page import unpack
from wsa_proxy.members.report import REPORT_BYTES_MAX

ECHOES = {life(2): challenge(2)}
REPEAT_S = 1.5


class Told:
    """One list and those who keep copies of it, without a channel between them."""

    def __init__(self, copies: int = 1) -> None:
        self.list = ClientList(life(1))
        self.copies = [ClientCopy(ADDRESSES) for _ in range(copies)]
        self.now_s = 0.0

    def pages(self, acknowledged: list[int] | None = None) -> list[Page]:
        """What is due now."""
        told = [copy.position for copy in self.copies] if acknowledged is None else acknowledged
        self.list.acknowledged(told, self.now_s, REPEAT_S)
        packed = self.list.pages(ECHOES, self.now_s)
        assert all(len(each) <= REPORT_BYTES_MAX for each in packed) and len(packed) <= PAGES_AT_ONCE
        return [unpack(each) for each in packed]

    def tell(self) -> int:
        """Until all is told; answers the number of pages."""
        count = 0
        while pages := self.pages():
            for page in pages:
                for copy in self.copies:
                    copy.take(page)
            count += len(pages)
            self.now_s += PAGES_EVERY_S
        return count

    @property
    def is_equal(self) -> bool:
        return all(copy.clients == self.list.clients for copy in self.copies)


def test_what_changes_is_told() -> None:
    """The whole, then deltas; nothing when nothing has changed."""
    told = Told()
    assert told.pages() == [] and math.isinf(told.list.next_s(REPEAT_S))
    assert told.list.count({client(1), client(2), client_6(1)})
    (page,) = told.pages()
    assert (page.after, page.last, page.top, page.floor) == (0, 3, 3, 0)
    assert page.life == life(1) and page.echoes == ECHOES
    assert set(page.listed) == {client(1), client(2), client_6(1)} and page.ended == []
    assert told.copies[0].take(page) and told.is_equal
    assert not told.list.count({client(1), client(2), client_6(1)})
    assert told.pages() == [] and math.isinf(told.list.next_s(REPEAT_S))
    assert told.list.count({client(2), client_6(1), client(3)})
    (page,) = told.pages()
    assert (page.after, page.last, page.listed, page.ended) == (3, 5, [client(3)], [client(1)])
    assert told.copies[0].take(page) and told.is_equal
    assert not told.copies[0].take(page)


def test_of_each_client_the_last_change_is_told() -> None:
    """One that came, went and came again before anybody heard of it is told once; one that went is not listed."""
    told = Told()
    for now in ({client(1), client(2)}, {client(2)}, {client(1), client(2)}, {client(1)}):
        told.list.count(now)
    (page,) = told.pages()
    assert (page.listed, page.ended) == ([client(1)], [client(2)])
    assert told.copies[0].take(page) and told.is_equal


def test_what_is_lost_is_told_again_from_the_lowest_position_on() -> None:
    """Not before its time, and not what all have; who was told everything takes nothing twice."""
    told = Told(copies=2)
    told.list.count(clients(0, 3))
    (first,) = told.pages()
    told.copies[0].take(first)
    assert told.list.next_s(REPEAT_S) == REPEAT_S
    told.now_s = 1.0
    told.list.count(clients(0, 5))
    (second,) = told.pages()  # a change in between does not put it off
    assert [copy.take(second) for copy in told.copies] == [True, False]
    told.now_s = 1.4
    assert told.pages() == []
    told.now_s = 1.5
    (again,) = told.pages()
    assert (again.after, again.last, again.number) == (0, 5, 3)
    assert [copy.take(again) for copy in told.copies] == [False, True]
    assert told.is_equal and told.pages() == []
    told.now_s = 99.0
    assert told.pages() == []


def test_progress_gives_time() -> None:
    """What was acknowledged shows that the rest is on its way."""
    told = Told()
    told.list.count(clients(0, 270))
    pages = told.pages()
    assert len(pages) == 3
    told.now_s = 1.4
    told.copies[0].take(pages[0])
    assert told.pages() == [] and told.list.next_s(REPEAT_S) == 1.4 + REPEAT_S
    told.now_s = 2.9
    assert [page.after for page in told.pages()] == [pages[1].after, pages[2].after]


def test_who_is_new_is_told_at_once() -> None:
    """The whole, from the beginning; nobody else takes it."""
    told = Told()
    told.list.count(clients(0, 270))
    told.tell()
    told.copies.append(ClientCopy(ADDRESSES))
    pages = told.pages()
    assert pages[0].after == 0 and pages[-1].last == told.list.top
    for page in pages:
        assert [copy.take(page) for copy in told.copies] == [False, True]
        assert told.copies[0].position == told.list.top
    assert told.is_equal


def test_pages_out_of_order_wait_for_the_one_between() -> None:
    """What follows on a gap is not taken over."""
    told = Told()
    told.list.count(clients(0, 270))
    first, second, third = told.pages()
    copy = told.copies[0]
    assert [copy.take(each) for each in (first, third, second, third)] == [True, False, True, True]
    assert told.is_equal


def test_who_was_silent_begins_anew_and_keeps_what_it_had() -> None:
    """What has ended meanwhile is forgotten: it learns that by the first page, says 0, and is told the whole."""
    told = Told(copies=2)
    told.list.count(clients(0, 400))
    told.tell()
    absent = told.copies.pop()
    told.list.count(clients(100, 500))
    told.tell()
    told.copies.append(absent)
    assert not any(absent.take(page) for page in told.pages())
    assert absent.position == 0 and absent.clients == clients(0, 400)
    pages = told.pages()
    assert len(pages) > 2
    for page in pages[:-1]:
        assert absent.take(page) or absent.clients >= set(page.listed)
        assert absent.clients >= clients(0, 400) and absent.position == page.last
    assert absent.take(pages[-1]) and told.is_equal
    told.list.count(clients(200, 500))
    told.tell()
    assert told.is_equal


def test_who_was_silent_in_the_middle_begins_anew() -> None:
    """What it was told first has ended, and that is forgotten, before it has the rest."""
    told = Told()
    copy = told.copies[0]
    told.list.count(clients(0, 270))
    copy.take(told.pages()[0])
    told.list.count(clients(1, 270))
    told.now_s = REPEAT_S
    assert copy.take(told.pages()[0]) and copy.position > 100
    told.list.acknowledged([], told.now_s, REPEAT_S)
    assert not any(copy.take(page) for page in told.pages()) and copy.position == 0
    told.tell()
    assert told.is_equal


def test_who_was_silent_goes_on_if_it_missed_nothing() -> None:
    """Nothing has ended that it does not know of."""
    told = Told(copies=2)
    told.list.count(clients(0, 200))
    told.tell()
    absent = told.copies.pop()
    told.list.count(clients(0, 201))
    told.tell()
    told.copies.append(absent)
    (page,) = told.pages()
    assert page.listed == [client(200)] and absent.take(page) and told.is_equal


def test_with_nobody_there_nothing_is_kept() -> None:
    """The row of changes is as long as the list, however long nobody hears of it."""
    told = Told(copies=0)
    for number in range(3000):
        told.list.count(clients(number, number + 3))
        assert told.pages() == [] and math.isinf(told.list.next_s(REPEAT_S))
    assert len(told.list._at) == 3 and len(told.list._row) <= 3 * 2 + ROW_SLACK + 6
    told.copies.append(ClientCopy(ADDRESSES))
    assert told.tell() == 1 and told.is_equal


def test_somebody_who_acknowledges_nothing_costs_no_more_than_so_much() -> None:
    """What has ended is kept for it up to a bound; then it has to begin anew, and does."""
    told = Told()
    copy = told.copies[0]
    told.list.count(clients(0, 10))
    told.tell()
    for first in range(10, ENDED_MAX + 4000, 2000):
        told.list.count(clients(first, first + 2000))
        told.list.acknowledged([copy.position], told.now_s, REPEAT_S)
    assert len(told.list._ended) == ENDED_MAX
    told.tell()
    assert told.is_equal


def test_more_clients_than_are_told() -> None:
    """Counted; as soon as there is room they are told."""
    told = Told()
    told.list.count(clients(0, CLIENTS_MAX + 5))
    assert len(told.list.clients) == CLIENTS_MAX and told.list.total == CLIENTS_MAX + 5
    assert not told.list.count(clients(0, CLIENTS_MAX + 5))
    told.list.count(clients(3, CLIENTS_MAX + 5))
    assert len(told.list.clients) == CLIENTS_MAX and told.list.total == CLIENTS_MAX + 2
    told.list.count(clients(9, CLIENTS_MAX + 5))
    assert told.list.clients == clients(9, CLIENTS_MAX + 5)


def test_a_list_has_clients_of_the_groups_addresses_only() -> None:
    """Or whoever has one group's secret would have the say over another group's, and over the host's own."""
    told = Told()
    foreign = [bytes((10, 0, 0, 4)) + client(1)[4:], client_6(1)[:15] + b"\x0b" + client_6(1)[16:]]
    told.list.count({client(1), client_6(1), *foreign})
    told.tell()
    assert told.copies[0].clients == {client(1), client_6(1)}
    assert told.copies[0].position == 4, "or it would be told again for ever"


def test_a_list_that_has_no_end() -> None:
    """A member whose list only grows fills so much memory, and no more."""
    copy = ClientCopy(ADDRESSES)
    for position, first in enumerate(range(0, COPIED_MAX + 30_000, 30_000)):
        listed = b"".join(clients(first, first + 30_000))
        top = position + 1
        page = Page(life=life(1), number=top, after=position, last=top, top=top, floor=0, listed_4=listed)
        assert copy.take(page) is (first < COPIED_MAX)
    assert len(copy.clients) == COPIED_MAX and CLIENTS_MAX <= COPIED_MAX


def test_many_are_told_in_pieces() -> None:
    """So many pages at once, then a little later; ten thousand clients within a quarter of a second."""
    told = Told()
    told.list.count(clients(0, 10_000))
    first = told.pages()
    assert len(first) == PAGES_AT_ONCE and told.pages() == []
    assert told.list.next_s(REPEAT_S) == PAGES_EVERY_S
    for page in first:
        told.copies[0].take(page)
    told.now_s = PAGES_EVERY_S
    assert 60 < told.tell() + len(first) < 110 and told.now_s < 0.25
    assert told.is_equal


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_lost_the_copies_become_equal(seed: int) -> None:
    """Lost, doubled, late and out of order; members fall silent, and new ones come. Pages that are older than one that
    came are passed over, as ``Carrying`` does."""
    random = Random(seed)
    told = Told(copies=3)
    lists, lossy = clients(0, 40), random.choice([0.1, 0.3, 0.7])
    acknowledged = [0, 0, 0]
    absent: set[int] = set()
    flying: list[tuple[float, int, Page]] = []
    for step in range(900):
        told.now_s = step * 0.1
        calm = step >= 600
        if random.random() < 0.3 and not calm:
            gone = set(random.sample(sorted(lists), min(len(lists), random.randrange(120))))
            lists = (lists - gone) | {client(random.randrange(900)) for _ in range(random.randrange(120))}
            told.list.count(lists)
        if random.random() < 0.05 and not calm:
            absent ^= {random.randrange(3)}
        if random.random() < 0.01 and not calm:
            told.copies[0], acknowledged[0] = ClientCopy(ADDRESSES), 0
        if calm:
            absent.clear()
        for number, copy in enumerate(told.copies):
            if number not in absent and random.random() < 0.2 and (calm or random.random() > lossy):
                acknowledged[number] = copy.position
        for page in told.pages([at for number, at in enumerate(acknowledged) if number not in absent]):
            for number in range(3):
                for _ in range(1 + (random.random() < 0.1)):
                    if number not in absent and (calm or random.random() > lossy):
                        flying.append((told.now_s + (0.0 if calm else random.random() * 0.4), number, page))
        for arrival in sorted((each for each in flying if each[0] <= told.now_s), key=lambda each: each[0]):
            flying.remove(arrival)
            copy = told.copies[arrival[1]]
            if arrival[2].number > copy.number:
                copy.take(arrival[2])
    assert told.is_equal and told.pages() == [] and lists == told.list.clients
