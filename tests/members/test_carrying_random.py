"""Whatever is lost, late, doubled or out of order, and whoever switches, dies, freezes or comes back: copies become
equal to their lists, nobody is steered and told at the same time, what is served is not told, and all of it ends."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from random import Random

import pytest

from tests.members.carry_world import DRAIN_S
from tests.members.carry_world import STEP_S
from tests.members.carry_world import Peer
from tests.members.carry_world import World
from tests.members.clients import client

STORY_S = 40.0
SILENT_S = 3.2


class Story:
    """One that its seed tells. ``lossy``: how many of the datagrams are lost, a part of the others late or doubled."""

    def __init__(self, seed: int, *, lossy: float) -> None:
        self.random = Random(seed)
        self.world = World(seed)
        self.numbers = itertools.count()
        self.due: list[tuple[float, str, str]] = []
        self.seen: set[str] = set()
        self.lossy = lossy
        self.world.on_tickles = self._judge_told
        if lossy:
            self.world.carries = self._carries

    def _carries(self, sender: str, receiver: str) -> Iterable[float]:
        if self.random.random() < self.lossy:
            return ()
        late = 0.3 if self.random.random() < self.lossy else 0.0
        return [self.random.random() * late for _ in range(1 + (self.random.random() < self.lossy))]

    @property
    def living(self) -> list[Peer]:
        return [peer for peer in self.world.peers if not peer.is_dead and not peer.is_frozen]

    @property
    def master(self) -> Peer | None:
        return next((peer for peer in self.living if peer.is_master), None)

    def step(self, *, is_calm: bool = False) -> None:
        """Something may happen; then time passes, and what was told meanwhile is judged."""
        random = self.random
        for event in [each for each in self.due if each[0] <= self.world.now_s]:
            self.due.remove(event)
            self._comes_due(event[1], self.world[event[2]])
        self._serve(is_calm)
        if not is_calm and random.random() < 0.02:
            self._happens(random.choice(["switch", "switch", "crash", "freeze"]), random.choice(self.world.peers))
        self.world.step()
        for peer in self.world.peers:
            assert peer.node not in peer.steers_to.values()
            assert not set(peer.steers_to) & peer.carrying._list.clients

    def _serve(self, is_calm: bool) -> None:
        for peer in self.living:
            for one in [
                each for each in sorted(peer.connections) if self.random.random() < (0.05 if is_calm else 0.01)
            ]:
                peer.connections.discard(one)
        if self.master is not None and not is_calm:
            self.master.connections |= {client(next(self.numbers)) for _ in range(self.random.randrange(3))}

    def _happens(self, what: str, peer: Peer) -> None:
        master, now_s = self.master, self.world.now_s
        if master is None or peer not in self.living or any(name == "take over" for _, name, _ in self.due):
            return
        if what == "switch" and peer is not master:
            self.world.switch(master.node, peer.node)
        elif what != "switch":
            was_master = peer is master
            if what == "crash":
                self.world.crash(peer.node)
                self.due.append((now_s + self.random.choice([1.0, 5.0, 15.0]), "start", peer.node))
            else:
                peer.is_frozen = True
                self.due.append((now_s + self.random.choice([0.7, 2.0, 8.0]), "thaw", peer.node))
            if was_master:
                self.due.append((now_s + self.random.choice([0.05, SILENT_S]), "take over", peer.node))
        else:
            return
        self.seen.add(what)

    def _comes_due(self, what: str, peer: Peer) -> None:
        if what == "start":
            peer.start()
        elif what == "thaw":
            peer.is_frozen = False
            if peer.is_master and any(other.is_master for other in self.living if other is not peer):
                peer.connections.clear()
                peer.yield_to_another()
            elif peer.is_master:  # in time
                self.due = [each for each in self.due if each[1] != "take over"]
        elif self.living:
            self.random.choice(self.living).take_over(from_living=False)
        else:
            self.due.append((self.world.now_s + 1.0, what, peer.node))

    def _judge_told(self, peer: Peer, told: set[bytes]) -> None:
        assert not told & peer.steers_to.keys() and not told & peer.connections
        for other in self.living:
            if told & other.connections:
                assert self.lossy and other is not peer, f"{peer.node} tells clients that {other.node} serves"
                self.seen.add("told for what was lost")


def run(seed: int, *, lossy: float) -> Story:
    """To its end, which is calm: nothing is lost any more, nobody dies, and connections end."""
    story = Story(seed, lossy=lossy)
    while story.world.now_s < STORY_S:
        story.step()
    story.world.carries = lambda sender, receiver: (0.0,)
    while story.due or story.master is None:
        if not story.due:
            story.random.choice(story.living).take_over(from_living=False)
        story.step(is_calm=True)
    calm_s = story.world.now_s
    while story.world.now_s < calm_s + DRAIN_S + 5.0:
        story.step(is_calm=True)
        lists = {peer.roster.life: peer.carrying._list for peer in story.world.peers}
        for peer in story.world.peers:
            known = peer.carrying._lives.known
            if story.world.now_s > calm_s + 5.0:
                for life, others in lists.items():
                    if life != peer.roster.life and known[life].copy.position == others.top:
                        assert known[life].copy.clients == others.clients
    return story


@pytest.mark.parametrize("lossy", [0.0, 0.1, 0.4])
def test_all_of_it_ends(lossy: float) -> None:
    """Afterwards nothing drains, nothing is steered, and whoever is there has the list of the master."""
    seen: set[str] = set()
    for seed in range(12):
        story = run(seed, lossy=lossy)
        seen |= story.seen
        (master,) = (peer for peer in story.living if peer.is_master)
        master.connections = {client(next(story.numbers)) for _ in range(300)}
        story.world.run(3.5)
        for peer in story.living:
            assert not peer.carrying.drains and peer.carrying.steering() is None
            if peer is not master:
                assert peer.carrying._lives.known[master.roster.life].copy.clients == master.connections
    assert seen >= {"switch", "crash", "freeze"}


def test_what_is_told_is_told_in_time() -> None:
    """Of a master that dies, with nothing lost before: every client that was listed, within two seconds."""
    for seed in range(6):
        story = Story(seed, lossy=0.0)
        while story.world.now_s < 8.0:
            story.step(is_calm=True)
            story.world.peers[0].connections |= {client(next(story.numbers))}
        story.world.run(1.0 + STEP_S)
        dead = story.world["a"]
        listed = dead.carrying._list.clients
        story.world.crash("a")
        story.world.run(0.05 if seed % 2 else SILENT_S)
        story.world["b"].take_over(from_living=False)
        story.world.run(2.0)
        assert story.world["b"].told == listed != set()
