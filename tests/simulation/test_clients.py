"""The clients: how they open connections, and what they learn of their end."""

from __future__ import annotations

import math
from collections import Counter
from random import Random
from typing import Any

import pytest

from tests.simulation.test_stack import Bench
from wsa_proxy.simulation import clients
from wsa_proxy.simulation.clients import Clients
from wsa_proxy.simulation.clients import client_of
from wsa_proxy.simulation.clients import close_all
from wsa_proxy.simulation.lan import SWITCH

COUNT = 20


class Crowd(Bench):
    """With clients, and what they told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, Any]] = []
        self.clients = Clients(self.lan, self.segments, Random(1), lambda kind, what: self.told.append((kind, what)))
        self.clients.begin(COUNT)

    def wait(self, duration_s: float) -> None:
        self.lan.timeline.run(self.lan.timeline.now + duration_s, lambda: None)

    def hows(self) -> Counter[str]:
        return Counter(what.how for kind, what in self.told if kind == "told")


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch) -> Crowd:
    monkeypatch.setattr(clients, "LIVES_S", (math.inf,))
    return Crowd()


def test_so_many_connections_are_kept_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that ends is followed by another, some of them from the same port, and its server forgets it."""
    monkeypatch.setattr(clients, "LIVES_S", (1.0,))
    crowd = Crowd()
    crowd.wait(30)
    opened = [what.client for kind, what in crowd.told if kind == "opened"]
    assert len(opened) > 5 * COUNT
    assert len(set(opened)) < len(opened)
    open_now = {client: each.serial for client, each in crowd.clients.connections.items() if each.is_open}
    assert COUNT / 2 < len(open_now) <= COUNT
    assert open_now.items() <= crowd.stacks[0].sockets.items()
    assert len(crowd.stacks[0].sockets) <= COUNT
    assert not crowd.hows()


def test_who_talks_learns_of_a_reset_and_who_waits_does_not(crowd: Crowd) -> None:
    """All of them had connections that another node knows nothing of."""
    crowd.wait(3)
    old = dict(crowd.clients.connections)
    crowd.lan.believed[1] = 1
    crowd.wait(5)
    talk = {client for client, each in old.items() if each.talks_every_s < math.inf}
    assert 0 < len(talk) < COUNT
    assert {client for client, each in old.items() if not each.is_open} == talk
    assert crowd.hows() == {"was reset": len(talk)}


def test_a_tickled_client_finds_out_whether_it_is_served(crowd: Crowd) -> None:
    """By what it says then. Who sends it must reach it, and the connection must be there."""
    crowd.wait(3)
    waits = next(each for each in crowd.clients.connections.values() if each.talks_every_s == math.inf)
    crowd.clients.tickle(0, waits.client)
    crowd.clients.tickle(0, client_of(1))
    assert waits.is_open
    crowd.lan.believed[1] = 1
    crowd.lan.cuts = {(2, SWITCH)}
    crowd.clients.tickle(2, waits.client)
    assert waits.is_open
    crowd.clients.tickle(1, waits.client)
    assert not waits.is_open
    assert crowd.hows() == {"was tickled": 1}


@pytest.mark.parametrize(("holds", "cut"), [(True, False), (False, False), (True, True)])
def test_a_server_that_ends_its_connections_tells_if_it_can(crowd: Crowd, holds: bool, cut: bool) -> None:
    """It needs the address, and a cable; its sockets are gone in any case."""
    crowd.wait(3)
    crowd.hosts[0].holds = holds
    crowd.lan.cuts = {(0, SWITCH)} if cut else set()
    close_all(crowd.stacks[0], crowd.segments, crowd.clients)
    assert not crowd.stacks[0].sockets
    assert crowd.hows() == ({"was closed": COUNT} if holds and not cut else {})


def test_a_syn_without_an_answer_is_said_again(crowd: Crowd) -> None:
    """By the same client, until somebody answers."""
    crowd.lan.believed.clear()
    crowd.wait(3)
    assert not crowd.told
    begun = set(crowd.clients.connections)
    crowd.lan.believed[1] = 2
    crowd.wait(2)
    assert {what.client for kind, what in crowd.told if kind == "opened"} == begun == set(crowd.stacks[2].sockets)
