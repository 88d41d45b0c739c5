"""What a kernel does with a client's segment: who gets it, and who answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from random import Random

import pytest

from wsa_proxy.simulation.lan import SWITCH
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.lan import Timeline
from wsa_proxy.simulation.lan import Weather
from wsa_proxy.simulation.stack import HOPS_MAX
from wsa_proxy.simulation.stack import Answer
from wsa_proxy.simulation.stack import Kind
from wsa_proxy.simulation.stack import Segment
from wsa_proxy.simulation.stack import Segments
from wsa_proxy.simulation.stack import Stack
from wsa_proxy.simulation.stack import Word
from wsa_proxy.simulation.stack import mac_of

CLIENT = b"a client"
SYN, DATA, FIN = (Segment(CLIENT, kind, 7) for kind in Kind)


@dataclass
class Host:
    number: int
    holds: bool = True
    listens: bool = True


@dataclass
class Table:
    targets: Mapping[bytes, bytes] = field(default_factory=dict)
    gap: bytes = b""
    members: frozenset[bytes] = frozenset()
    own: frozenset[bytes] = frozenset()


class Bench:
    """Three nodes; the switch sends to node 0."""

    def __init__(self) -> None:
        self.lan = Lan(Timeline(), Random, Weather())
        self.lan.believed[1] = 0
        self.steered: list[tuple[int, int, tuple[int, ...]]] = []
        self.segments = Segments(self.lan, 1, lambda one, to, what: self.steered.append((one, to, what.path)))
        self.hosts = [Host(number) for number in range(3)]
        self.stacks = [Stack(host) for host in self.hosts]
        self.segments.stacks = dict(enumerate(self.stacks))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_connection_is_answered_by_who_took_its_syn(bench: Bench) -> None:
    """And by nobody when it has ended: then a segment of it is reset."""
    assert bench.segments.send(SYN) == Answer(Word.ANSWER, 0, 7)
    assert bench.segments.send(DATA) == Answer(Word.ANSWER, 0, 7)
    assert bench.segments.send(FIN) == Answer(Word.ANSWER, 0, 7)
    assert bench.segments.send(DATA) == Answer(Word.RESET, 0)


def test_who_has_not_the_addresses_says_nothing(bench: Bench) -> None:
    """Not even to a connection that it has."""
    bench.segments.send(SYN)
    bench.hosts[0].holds = False
    assert bench.segments.send(DATA) == Answer(Word.NOTHING)
    bench.hosts[0].holds = True
    assert bench.segments.send(DATA).word is Word.ANSWER


def test_a_host_without_a_process_resets(bench: Bench) -> None:
    """If it has the addresses yet: a SYN as well."""
    bench.segments.send(SYN)
    bench.hosts[0].listens = False
    bench.stacks[0].end()
    assert bench.segments.send(SYN) == bench.segments.send(DATA) == Answer(Word.RESET, 0)


def test_cables_stop_segments_and_answers(bench: Bench) -> None:
    """A segment whose answer is stopped has arrived all the same."""
    bench.lan.cuts = {(0, SWITCH)}
    assert bench.segments.send(SYN) == Answer(Word.NOTHING, 0, 7)
    assert bench.stacks[0].sockets == {CLIENT: 7}
    bench.lan.cuts = {(SWITCH, 0)}
    assert bench.segments.send(FIN) == Answer(Word.NOTHING)
    assert bench.stacks[0].sockets == {CLIENT: 7}


def test_a_listed_client_is_steered_with_all_that_it_says(bench: Bench) -> None:
    """SYN, too: the kernel of who has the connection decides."""
    bench.stacks[0].steer(Table({CLIENT: mac_of(1)}))
    assert [bench.segments.send(each).node for each in (SYN, DATA, FIN)] == [1, 1, 1]
    assert bench.steered == [(0, 1, ())] * 3
    bench.lan.cuts = {(0, 1)}
    assert bench.segments.send(DATA) == Answer(Word.NOTHING)


def test_what_a_member_has_steered_is_steered_no_further(bench: Bench) -> None:
    """A node knows whom it steers to, and is told of the others; three that are told of nobody are a circle."""
    bench.stacks[0].steer(Table({CLIENT: mac_of(1)}))
    bench.stacks[1].steer(Table({CLIENT: mac_of(0)}))
    assert bench.segments.send(DATA) == Answer(Word.RESET, 1)
    bench.stacks[1].steer(Table({CLIENT: mac_of(2)}, members=frozenset({mac_of(0)})))
    assert bench.segments.send(DATA) == Answer(Word.RESET, 1)
    bench.stacks[1].steer(Table({CLIENT: mac_of(2)}))
    bench.stacks[2].steer(Table({CLIENT: mac_of(0)}))
    assert bench.segments.send(DATA) == Answer(Word.NOTHING)
    assert bench.steered[-1] == (1, 2, (0, 1, 2, 0, 1, 2, 0))
    assert len(bench.steered[-1][2]) == HOPS_MAX - 1


def test_what_is_not_known_is_steered_while_the_gap_is_open(bench: Bench) -> None:
    """Unless it is a SYN, or belongs to one that came since, or is said to be this node's own."""
    bench.stacks[1].take(SYN)
    bench.stacks[0].steer(Table(gap=mac_of(1)))
    assert bench.segments.send(DATA).node == 1
    assert bench.segments.send(SYN).node == bench.segments.send(DATA).node == 0
    bench.stacks[0].steer(Table(gap=mac_of(2)))
    assert bench.segments.send(DATA).node == 0
    bench.stacks[0].steer(None)
    bench.stacks[0].steer(Table(gap=mac_of(2)))
    assert bench.segments.send(DATA) == Answer(Word.RESET, 2)
    bench.stacks[0].steer(Table(gap=mac_of(2), own=frozenset({CLIENT})))
    assert bench.segments.send(DATA).node == 0


def test_to_ask_who_would_answer_changes_nothing(bench: Bench) -> None:
    """By the way that a segment would take: nobody is told of it, and no socket ends or begins."""
    bench.stacks[1].take(SYN)
    assert bench.segments.owner_from(0, CLIENT, 7) is None
    bench.stacks[0].steer(Table({CLIENT: mac_of(1)}))
    assert bench.segments.owner_from(0, CLIENT, 7) == bench.segments.owner_from(1, CLIENT, 7) == 1
    assert bench.segments.owner_from(0, CLIENT, 8) is None
    bench.hosts[1].holds = False
    assert bench.segments.owner_from(0, CLIENT, 7) is None
    assert bench.steered == []
