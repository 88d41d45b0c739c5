"""Whose pages are believed: as reports, or not at all; and what is told to whom, and how often."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.members.carry_world import STEP_S
from tests.members.carry_world import Peer
from tests.members.carry_world import World
from tests.members.clients import client
from tests.members.clients import clients
from wsa_proxy.members import report
from wsa_proxy.members.carrying import REPEATED_HURRIED_S
from wsa_proxy.members.cipher import Unread
from wsa_proxy.members.client_page import Page
from wsa_proxy.members.client_page import pack
from wsa_proxy.members.client_page import unpack
from wsa_proxy.members.report import Report
from wsa_proxy.members.roster import CHALLENGES_KEPT
from wsa_proxy.members.roster import FRESH_INTERVALS


def recorded(world: World) -> list[bytes]:
    """Every page that is sent from now on, in order."""
    pages: list[bytes] = []
    send = world.send

    def record(sender: Peer, datagram: Report | bytes) -> None:
        if isinstance(datagram, bytes):
            pages.append(datagram)
        send(sender, datagram)

    world.send = record  # type: ignore[method-assign]
    return pages


def copy_of(world: World, whose: str, at: str) -> set[bytes]:
    return world[at].carrying._lives.known[world[whose].roster.life].copy.clients


def with_pages() -> tuple[World, list[bytes]]:
    """The master has clients, and all know them."""
    world = World()
    pages = recorded(world)
    world["a"].connections = set(clients(0, 3))
    world.run(2.0)
    assert len(pages) == 1 and copy_of(world, "a", "b") == clients(0, 3)
    return world, pages


def test_a_page_counts_once() -> None:
    """The newest that comes again came by another way; what is older is a replay; our own comes back."""
    world, pages = with_pages()
    world["a"].connections = set(clients(1, 5))
    world.run(2.0)
    b = world["b"].carrying
    assert b.hear_page(pages[1], world.now_s) is None
    assert b.hear_page(pages[0], world.now_s) is Unread.REPLAY
    assert world["a"].carrying.hear_page(pages[1], world.now_s) is Unread.ECHO
    assert copy_of(world, "a", "b") == clients(1, 5)


@pytest.mark.parametrize(
    "change",
    [{"number": 99, "echoes": {}}, {"number": 99, "life": b"unknown!"}],
)
def test_what_repeats_none_of_our_challenges_is_not_believed(change: dict[str, Any]) -> None:
    """Nor is the page of a life whose reports are not; and its number is no number."""
    world, pages = with_pages()
    page = replace(unpack(pages[0]), after=3, last=4, top=4, listed_4=client(9), **change)
    assert world["b"].carrying.hear_page(pack(page), world.now_s) is Unread.CONTACT
    world["a"].connections.add(client(7))
    world.run(2.0)
    assert copy_of(world, "a", "b") == {*clients(0, 3), client(7)}


def next_page(pages: list[bytes], **change: Any) -> Page:
    """The one that would follow."""
    first = unpack(pages[0])
    return replace(first, number=first.number + 1, after=3, last=4, top=4, listed_4=client(9), **change)


def test_what_was_held_back_is_good_for_a_few_reports() -> None:
    """As long as one of the last challenges is repeated by it."""
    world, pages = with_pages()
    for _ in range(CHALLENGES_KEPT - 3):
        world["b"].roster.new_challenge()
    assert world["b"].carrying.hear_page(pack(next_page(pages)), world.now_s) is None
    world, pages = with_pages()
    for _ in range(CHALLENGES_KEPT):
        world["b"].roster.new_challenge()
    assert world["b"].carrying.hear_page(pack(next_page(pages)), world.now_s) is Unread.CONTACT


def test_who_is_silent_is_not_believed() -> None:
    """Nobody says anything of its list but by its reports, too."""
    world, pages = with_pages()
    now_s = world.now_s + FRESH_INTERVALS
    assert world["b"].carrying.hear_page(pack(next_page(pages)), now_s - 1.2) is None
    world, pages = with_pages()
    assert world["b"].carrying.hear_page(pack(next_page(pages)), world.now_s + FRESH_INTERVALS) is Unread.CONTACT


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\xc1\x80"])
def test_what_is_no_page(data: bytes) -> None:
    """Authentic nonsense, and a report."""
    world = World()
    assert world["b"].carrying.hear_page(data, world.now_s) is Unread.MALFORMED
    told = report.pack(Report(node="a", life=world["a"].roster.life, number=1, challenge=b"c" * 16))
    assert world["b"].carrying.hear_page(told, world.now_s) is Unread.MALFORMED


def test_nothing_is_told_twice_without_need() -> None:
    """A change each second, with members that take it over: one page each; when one is lost, one more."""
    world, pages = with_pages()
    for number in range(10):
        world["a"].connections = set(clients(number, number + 3))
        world.run(1.0)
    assert 9 <= len(pages) <= 11
    world["a"].connections = set(clients(50, 53))
    world.carries = lambda sender, receiver: () if (sender, receiver) == ("a", "c") else (0.0,)
    world.run(1.0)
    world.carries = lambda sender, receiver: (0.0,)
    count = len(pages)
    world.run(6.0)
    assert len(pages) <= count + 2 and copy_of(world, "a", "c") == clients(50, 53)


def test_an_older_version_keeps_no_lists() -> None:
    """It acknowledges nothing for ever: nobody waits for it, and with nobody else nothing is sent."""
    world, pages = with_pages()
    for name in "bc":
        world[name].carrying.says = dict  # type: ignore[method-assign]
    world.run(1.5)
    world["a"].connections = set(clients(10, 13))
    world.run(5.0)
    assert len(pages) == 1 and world["a"].carrying.next_step_s(world.now_s) == float("inf")


def test_what_is_told_before_a_switch_is_repeated_at_once() -> None:
    """Until it is acknowledged, as it is needed now; a second later it has time again."""
    world, pages = with_pages()
    world["a"].connections.add(client(7))
    world.carries = lambda sender, receiver: ()
    world["a"].drain()
    count = len(pages)
    world.run(0.4)
    assert 6 <= len(pages) - count <= 0.4 / REPEATED_HURRIED_S
    world.run(1.0)
    count = len(pages)
    world.run(1.0)
    assert len(pages) - count <= 1
    world.carries = lambda sender, receiver: (0.0,)
    world.run(1.6)
    assert copy_of(world, "a", "b") == {*clients(0, 3), client(7)}


def test_a_member_that_joins_is_told_the_whole() -> None:
    """With its first reports; and the copies say how far they are."""
    world, _ = with_pages()
    world.crash("c")
    world.run(4.0)
    world["c"].start()
    world.run(1.0 + 4 * STEP_S)
    assert copy_of(world, "a", "c") == clients(0, 3)
    assert world["c"].carrying.copies() == {world["a"].roster.life: 3}


def test_of_more_lives_than_there_may_be_the_emptiest_goes() -> None:
    """Who is steered stays, then whose clients are known."""
    world = World()
    known = world["b"].carrying._lives
    of_a = world["a"].roster.life
    known.of(of_a).copy.clients.add(client(1))
    for number in range(100):
        known.of(number.to_bytes(8))
    assert len(known.known) == 32 and of_a in known.known and (99).to_bytes(8) in known.known
