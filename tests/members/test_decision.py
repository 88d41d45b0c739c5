"""Until when a member holds to a decision: one case for each way in which it ends, and for each in which it goes on."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from wsa_proxy.members.decision import PENDING_S
from wsa_proxy.members.decision import REPEATED_S
from wsa_proxy.members.decision import Decision
from wsa_proxy.members.report import Report
from wsa_proxy.members.roster import Member
from wsa_proxy.members.roster import Roster

ID, OTHER_ID = bytes(16), bytes([7] * 16)
B, C = b"b" * 8, b"c" * 8
NOW_S = 100.0


def report(life: bytes, **said: Any) -> Report:
    usual: dict[str, Any] = {"node": life[:1].decode(), "number": 1, "challenge": bytes(16), "state": "backup"}
    return Report(life=life, **usual | said)


class World:
    """This is node a, of priority 255; c is to be master, as b, the conductor, has said."""

    def __init__(self, *, is_settled: bool = False, here: bool = False) -> None:
        self.here = SimpleNamespace(node="a", priority=255, is_master=False, is_unfit=False)
        self.roster = Roster(bytes)
        life = self.roster.life if here else C
        self.decision = Decision(ID, life, "c", 100, B, "2026-01-01T00:00:00+00:00", NOW_S, is_settled)
        self.says(C, state="master", switch={"held": ID})
        self.says(B, switch={"phase": "move", "id": ID})

    def says(self, life: bytes, *, at_s: float = NOW_S, **said: Any) -> None:
        told = report(life, **said)
        self.roster.members[life] = Member(1, told, at_s, told, at_s)

    def why(self, now_s: float = NOW_S) -> str | None:
        return self.decision.why_ended(self.here, self.roster, now_s)


Change = Callable[[World], object]
ON: list[tuple[str, Change]] = [
    ("it is master and holds to it", lambda world: None),
    ("a report of it is late", lambda world: world.says(C, at_s=NOW_S - 2, state="master", switch={"held": ID})),
    ("who gave the order is dead", lambda world: world.roster.members.pop(B)),
    ("this node is unwell, and would not follow anyway", lambda world: setattr(world.here, "is_unfit", True)),
]
OVER: list[tuple[str, Change]] = [
    ("node c is not heard any more", lambda world: world.roster.members.pop(C)),
    ("node c is not heard any more", lambda world: world.says(C, at_s=NOW_S - 3, state="master", switch={"held": ID})),
    ("node c is not heard any more", lambda world: world.says(C, leaves=True, state="master", switch={"held": ID})),
    ("node c takes no part: no link", lambda world: world.says(C, state="init", reasons=("no link",))),
    ("node c is master no more", lambda world: world.says(C, state="backup", switch={"held": ID})),
    ("node c is demoted: ill", lambda world: world.says(C, state="master", demotion=1, reasons=("ill",))),
    ("node c holds to it no more", lambda world: world.says(C, state="master", switch={"held": OTHER_ID})),
    ("this node has taken over", lambda world: setattr(world.here, "is_master", True)),
]


@pytest.mark.parametrize(("_name", "change"), ON, ids=[name for name, _ in ON])
def test_it_goes_on(_name: str, change: Change) -> None:
    world = World(is_settled=True)
    change(world)
    assert world.why() is None


@pytest.mark.parametrize(("why", "change"), OVER, ids=[f"{number} {why}" for number, (why, _) in enumerate(OVER)])
def test_it_is_over(why: str, change: Change) -> None:
    """Once the node was seen to be master."""
    world = World(is_settled=True)
    change(world)
    assert world.why() == why


def test_whoever_would_not_take_over_anyway_waits_for_the_end_of_the_move() -> None:
    """Until then it would follow the old master, which says that it is demoted until it has heard of the new one."""
    world = World(is_settled=True)
    world.here.priority = 100
    assert world.why(NOW_S + REPEATED_S) is None and not world.decision.is_over(NOW_S + REPEATED_S)
    assert world.why(NOW_S + REPEATED_S + 0.01) == "" and world.decision.is_over(NOW_S + REPEATED_S + 0.01)


def test_until_the_node_is_master_the_order_counts() -> None:
    """As long as it is repeated, whatever that node says of itself; then it is settled for good."""
    world = World()
    world.says(C, state="backup", demotion=1)
    assert world.why(NOW_S + PENDING_S) is None
    world.says(C, at_s=NOW_S + PENDING_S, state="backup")
    assert world.why(NOW_S + PENDING_S + 0.1) == "node c did not take over"
    world.says(B, switch={"held": ID})
    assert world.why() is None
    world.says(B, switch={"phase": "ask", "id": OTHER_ID})
    assert world.why() == "it was taken back"
    world.says(C, state="master", switch={"held": ID})
    assert world.why() is None and world.decision.is_settled
    assert world.why(NOW_S + PENDING_S + 0.1) is None


def test_on_the_node_itself() -> None:
    """It holds to it while it is master and well; before that, for as long as the order is repeated."""
    world = World(here=True)
    assert world.why(NOW_S + PENDING_S) is None
    assert world.why(NOW_S + PENDING_S + 0.1) == "it did not take over"
    world.here.is_master = True
    assert world.why(NOW_S + PENDING_S + 0.1) is None
    world.here.is_unfit = True
    assert world.why() == "this node cannot serve as well as any"
    world.here.is_unfit = world.here.is_master = False
    assert world.why() == "another node is master"
