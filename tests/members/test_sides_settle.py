"""V11 of the mismatch rule: whoever is set up differently, and whoever dies, the group has one owner soon, and not two.

Nodes that report to each other in rounds, each with what the others said in the round before; the election is that of
CARP, as far as nodes hear each other by their settings.
"""

from __future__ import annotations

from random import Random

from wsa_proxy.members.equal import SECURITY
from wsa_proxy.members.equal import VIRTUAL_IP
from wsa_proxy.members.sides import Side
from wsa_proxy.members.sides import fits
from wsa_proxy.members.sides import gives_way_to
from wsa_proxy.members.sides import two_masters

SETTLES_WITHIN = 12  # rounds
PATIENCE = 3  # rounds without a master that a backup hears
GROUPS = 120


class Node:
    def __init__(self, number: int, random: Random) -> None:
        self.number = number
        self.alive, self.state, self.silent, self.told_fits = True, "init", 0, 0
        self.priority = random.choice([100, 100, 200, number])
        self.settings = {
            VIRTUAL_IP: random.choice(["10.0.0.3/24", "10.0.0.3/24", "10.0.0.4/24"]),
            SECURITY: random.choice(["sealed", "sealed", "carp, sealed"]),
        }

    def side(self) -> Side:
        address = f"10.0.0.{10 + self.number}"
        return Side(str(self.number), 1, self.priority, address, self.state == "master", self.settings, self.told_fits)


class Group:
    """All at once: nobody sees the middle of a round."""

    def __init__(self, seed: int) -> None:
        random = Random(seed)
        self.nodes = [Node(number, random) for number in range(random.randint(2, 5))]

    def run(self, rounds: int) -> None:
        for _ in range(rounds):
            said = {node.number: (node.side(), node.state, node.alive) for node in self.nodes}
            for node in self.nodes:
                if node.alive:
                    self.look(node, said)

    def look(self, node: Node, said: dict[int, tuple[Side, str, bool]]) -> None:
        others = [each for number, each in said.items() if number != node.number]
        present = [side for side, state, alive in others if alive and state != "init"]
        absent = [side for side, _, alive in others if not alive]
        own = node.side()
        alike = all(side.settings == own.settings for side, _, _ in others)
        node.told_fits = 0 if alike else fits(own, [*present, *absent])
        own = Side(own.name, 1, own.priority, own.address, own.is_master, own.settings, node.told_fits)
        if gives_way_to(own, present, two_masters, absent) is not None:
            node.state, node.silent = "init", 0
            return
        if node.state == "init":
            node.state = "backup"
        heard = [side for side in present if side.is_master and not two_masters(own, side)]
        node.silent = 0 if heard else node.silent + 1
        better = [side for side in heard if side.rank > own.rank]
        if node.state == "master" and better:
            node.state = "backup"
        elif node.state == "backup" and node.silent >= PATIENCE:
            node.state = "master"

    def masters(self) -> list[Node]:
        return [node for node in self.nodes if node.alive and node.state == "master"]


def settled(group: Group, seed: int) -> Node:
    """The one owner; and it stays."""
    group.run(SETTLES_WITHIN)
    (master,) = group.masters() or [None]  # type: ignore[list-item]
    assert master is not None, f"seed {seed}: nobody has the addresses"
    group.run(SETTLES_WITHIN)
    assert group.masters() == [master], f"seed {seed}: it does not stay so"
    return master


def test_however_nodes_are_set_up_one_serves_and_one_follows_it() -> None:
    """Until the last one has died; who comes back finds its place."""
    for seed in range(GROUPS):
        group = Group(seed)
        dead = []
        for _ in group.nodes:
            master = settled(group, seed)
            master.alive, master.state, master.silent = False, "init", 0
            dead.append(master)
        for node in dead:
            node.alive = True
            settled(group, seed)


def test_who_joins_with_a_mistake_does_not_take_the_clients_from_who_serves() -> None:
    """Whatever its priority."""
    for seed in range(GROUPS):
        group = Group(seed)
        late = group.nodes[-1]
        late.alive, late.priority = False, 255
        master = settled(group, seed)
        late.alive = True
        late.settings = {**late.settings, VIRTUAL_IP: "10.0.0.99/24"}
        assert settled(group, seed) is master
        assert late.state == "init"
