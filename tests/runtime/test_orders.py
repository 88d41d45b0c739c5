"""A change of state is put down to the order that it follows from, and to no other one."""

from __future__ import annotations

import inspect
from typing import Any

from tests.runtime.world import Host
from tests.runtime.world import MakeHost
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import State
from wsa_proxy.runtime.asker import asker
from wsa_proxy.runtime.orders import REMEMBERED_S
from wsa_proxy.runtime.orders import Orders

LEFT = ReportTransition(State.MASTER, State.BACKUP, "better_advertisement_received", "")
PREEMPTED = ReportTransition(State.BACKUP, State.MASTER, "preempted_inferior_master", "")
FOLLOWED = ReportTransition(State.BACKUP, State.MASTER, "master_demoted", "")
SILENT = ReportTransition(State.BACKUP, State.MASTER, "master_silent", "")
REREAD = ReportTransition(State.MASTER, State.INIT, "the configuration was read again: the group ends", "")


class World:
    def __init__(self, host: Host) -> None:
        self.now = 100.0
        self.driver = host.driver
        self.answer: dict[str, Any] = {"changes": []}
        self.meanwhile: list[str] = []
        """Who was told to have ordered it, by those who asked while it was carried out."""
        self.orders = Orders(lambda: self.now)
        self.given = self.orders.watched(
            {"demote": self._demote, "restore": dict, "preempt": self._preempt, "reload": dict, "status": dict}
        )

    def _demote(self, reason: str) -> dict[str, str]:
        return {"reason": reason}

    def _preempt(self, group: str = "") -> dict[str, Any]:
        self.meanwhile.append(self.who(PREEMPTED))
        return self.answer

    def order(self, verb: str, who: str, **arguments: str) -> object:
        token = asker.set(who)
        try:
            return self.given[verb](**arguments)
        finally:
            asker.reset(token)

    def who(self, report: ReportTransition, switched_by: str = "") -> str:
        return self.orders.who(report, self.driver, switched_by)


async def test_a_verb_stays_what_it_is(make_host: MakeHost) -> None:
    """The control socket looks at its arguments; and one that changes nothing is the same object."""
    world = World(make_host("a", 1))
    assert world.order("demote", "x", reason="r") == {"reason": "r"} and world.given["status"] is dict
    assert list(inspect.signature(world.given["demote"]).parameters) == ["reason"]


async def test_who_demotes_a_master_has_ordered_that_it_leaves(make_host: MakeHost) -> None:
    """However long it takes until somebody better is heard; a switch goes before all else."""
    world = World(make_host("a", 1))
    world.order("demote", "operator (uid 0, cli)", reason="r")
    assert world.who(LEFT) == ""
    world.driver.demotions.set("operator", 1, "r")
    world.now += 10 * REMEMBERED_S
    assert world.who(LEFT) == "operator (uid 0, cli)" and world.who(SILENT) == world.who(FOLLOWED) == ""
    world.driver.demotions.set("switch", 1, "r")
    assert world.who(LEFT, switched_by="operator (page)") == "operator (page)"
    assert world.who(FOLLOWED, switched_by="operator (page)") == "operator (page)"


async def test_who_ends_a_demotion_has_ordered_what_follows_soon(make_host: MakeHost) -> None:
    """Of this group or of all, the last one; what happens later is nobody's order."""
    world = World(make_host("a", 1))
    world.order("restore", "first")
    world.now += 1
    world.order("preempt", "other group", group="2")
    assert world.who(PREEMPTED) == "first" and world.who(SILENT) == ""
    world.order("preempt", "this group", group="1")
    assert world.who(PREEMPTED) == "this group"
    world.now += REMEMBERED_S + 1
    assert world.who(PREEMPTED) == ""


async def test_what_was_refused_has_led_to_nothing(make_host: MakeHost) -> None:
    """The order before it still counts, and the change that an order leads to while it is carried out is its own."""
    world = World(make_host("a", 1))
    world.order("restore", "first")
    world.now += 1
    world.answer = {"error": "no group 9"}
    assert world.order("preempt", "second", group="1") == world.answer and world.who(PREEMPTED) == "first"
    world.answer = {"changes": []}
    world.order("preempt", "third", group="1")
    assert world.meanwhile == ["second", "third"] and world.who(PREEMPTED) == "third"
    world.answer = {"error": "nothing waits"}
    world.order("preempt", "fourth", group="1")
    assert world.who(PREEMPTED) == "third"


async def test_who_has_the_file_read_again_ends_groups(make_host: MakeHost) -> None:
    """SIGHUP is nobody in particular."""
    world = World(make_host("a", 1))
    assert world.who(REREAD) == ""
    world.order("reload", "operator (uid 0, cli)")
    assert world.who(REREAD) == "operator (uid 0, cli)"
