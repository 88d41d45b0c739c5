"""What the lists of clients cost a node: counted, told, taken over, steered and told of a death.

    .venv/bin/python -m tests.bench.client_lists

Real ``Carrying`` of two members, without a network; processor time, the median of RUNS (lowest..highest).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from tests.members.carry_world import Peer
from tests.members.carry_world import World
from tests.members.clients import clients

RUNS = 9
SIZES = (1_000, 10_000)
CHANGE = 100


def timed(work: Callable[[], object]) -> float:
    """Milliseconds of the processor."""
    began_s = time.process_time()
    work()
    return (time.process_time() - began_s) * 1000


def joined(count: int) -> tuple[World, Peer, Peer]:
    """a is master and has so many clients, of which b knows."""
    world = World()
    world["a"].take_over(from_living=False)
    world["a"].connections |= clients(0, count)
    world.run(4.0)
    assert len(world["b"].carrying.copies()) == 1
    return world, world["a"], world["b"]


def once(count: int) -> dict[str, float]:
    """One run."""
    world, a, b = joined(count)
    now_s, spent = world.now_s, {}
    same = frozenset(a.connections)
    spent["a count in which nothing has changed"] = timed(lambda: a.carrying.count(same, now_s))
    changed = clients(CHANGE, count + CHANGE)
    spent[f"a count in which {CHANGE} came and {CHANGE} went"] = timed(lambda: a.carrying.count(changed, now_s))
    spent["a takeover from who is there: whom to steer, and where"] = timed(lambda: taken_over(b, now_s, living=True))
    _, _, b = joined(count)
    spent["a takeover from who is gone: whom to tell"] = timed(lambda: taken_over(b, now_s + 60, living=False))
    return spent


def taken_over(peer: Peer, now_s: float, *, living: bool) -> None:
    """And what follows from it."""
    peer.carrying.takes_over(living, now_s)
    if living:
        steering = peer.carrying.steering()
        assert steering is not None and steering.targets
    else:
        assert peer.carrying.take_tickles()


def table(sizes: tuple[int, ...] = SIZES, runs: int = RUNS) -> list[str]:
    """Lines, as in the chapter on open connections."""
    found = {size: [once(size) for _ in range(runs)] for size in sizes}
    lines = ["| | " + " | ".join(f"{size:,} clients" for size in sizes) + " |", "| --- " * (len(sizes) + 1) + "|"]
    for name in found[sizes[0]][0]:
        cells = [_cell([run[name] for run in found[size]]) for size in sizes]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def _cell(spent_ms: list[float]) -> str:
    return f"{median(spent_ms):.2f} ({min(spent_ms):.2f}..{max(spent_ms):.2f}) ms"


if __name__ == "__main__":
    print("\n".join(table()))
