"""The judge of reports: what a node that reports well says passes, and each lie is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.simulation.test_settling import make_run
from wsa_proxy.carp.commands import Reason
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import State
from wsa_proxy.members.cipher import Unread
from wsa_proxy.members.report import Report
from wsa_proxy.simulation import testimony
from wsa_proxy.simulation.filters import Reports
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.plan import Drill
from wsa_proxy.simulation.post import Letter
from wsa_proxy.simulation.post import Theft
from wsa_proxy.simulation.run import Run
from wsa_proxy.simulation.testimony import ReportsJudge
from wsa_proxy.simulation.testimony import lead_s
from wsa_proxy.simulation.testimony import quarrel_s
from wsa_proxy.simulation.violation import Violation


class World:
    """Three nodes that report to each other: 0 is master, 1 and 2 are backups."""

    def __init__(self) -> None:
        plan = replace(make_run(Drill.CRASH).plan, reports=Reports(0.0, 0.0, Theft(), 1.0, (), None))
        self.run = Run(1, plan)
        for node in self.run.nodes:
            node.start()
        self.run._pass(6.0)
        assert self.run._testimony is not None
        self.judge: ReportsJudge = self.run._testimony
        self.master, self.backup, self.other = self.run.nodes

    def report(self, node: Node, **changes: object) -> Report:
        """What it would say now, but for this."""
        assert node.reporter is not None
        heard = self.judge._witnesses[self.other.number].heard
        last = (
            heard.get(node.reporter.roster.life)
            or self.judge._witnesses[self.master.number].heard[node.reporter.roster.life]
        )
        return replace(last, number=last.number + 1, **changes)  # type: ignore[arg-type]

    def life(self, node: Node) -> bytes:
        assert node.reporter is not None
        return node.reporter.roster.life

    def asked(self, node: Node) -> bytes:
        """A question of it, just now."""
        assert node.reporter is not None
        node.reporter.ask_owner()
        return self.judge._witnesses[node.number].questions[-1][0]


def answers(world: World, node: Node, asker: Node, question: bytes) -> Report:
    return world.report(node, answers={world.life(asker): question}, state=node.state.value)


def lies_about_its_state(world: World) -> None:
    world.judge.told(world.backup, "reports", world.report(world.backup, state="master"))


def answers_as_a_backup(world: World) -> None:
    world.judge.told(world.backup, "reports", answers(world, world.backup, world.other, world.asked(world.other)))


def answers_without_the_addresses(world: World) -> None:
    world.master.kernel.end()
    world.judge.told(world.master, "reports", answers(world, world.master, world.other, bytes(16)))


def answers_though_it_is_sick(world: World) -> None:
    world.judge._witnesses[0].ill_since_s = world.master.now - 2.6
    world.judge.told(world.master, "reports", answers(world, world.master, world.other, bytes(16)))


def reports_without_end(world: World) -> None:
    for _ in range(8):
        world.judge.told(world.backup, "reports", world.report(world.backup))


def asks_without_end(world: World) -> None:
    for _ in range(4):
        world.judge.told(world.backup, "asks", bytes(16))


def is_changed_by_what_it_does_not_believe(world: World) -> None:
    letter = Letter(world.report(world.master), 0)
    world.judge.told(world.backup, "a report came", letter)
    world.judge._witnesses[1].known = ()
    world.judge.told(world.backup, "report not believed", (Unread.REPLAY, letter))


def refuses_what_is_new(world: World) -> None:
    letter = Letter(world.report(world.master, echoes={world.life(world.backup): challenge(world, world.backup)}), 0)
    world.judge.told(world.backup, "a report came", letter)
    world.judge.told(world.backup, "report not believed", (Unread.REPLAY, letter))


def challenge(world: World, node: Node) -> bytes:
    return world.judge._witnesses[node.number].challenges[-1]


def believes_what_is_forged(world: World) -> None:
    report = world.report(world.master, echoes={world.life(world.backup): challenge(world, world.backup)})
    world.judge.told(world.backup, "report believed", Letter(report, 0, forged=True))


def believes_what_it_has_heard(world: World) -> None:
    letter = Letter(world.report(world.master, echoes={world.life(world.backup): challenge(world, world.backup)}), 0)
    world.judge.told(world.backup, "report believed", letter)
    world.judge.told(world.backup, "report believed", letter)


def believes_what_may_be_old(world: World) -> None:
    letter = Letter(world.report(world.master, echoes={world.life(world.backup): bytes(16)}), 0)
    world.judge.told(world.backup, "report believed", letter)


def takes_for_an_answer_what_is_none(world: World) -> None:
    world.judge.told(world.backup, "answered", world.report(world.master))


def believes_an_old_answer(world: World) -> None:
    report = answers(world, world.master, world.backup, world.asked(world.backup))
    world.judge.told(world.master, "reports", report)
    world.run._timeline.now += lead_s(world.backup) + 0.01
    world.judge.told(world.backup, "answered", report)


def believes_an_answer_twice(world: World) -> None:
    report = answers(world, world.master, world.backup, world.asked(world.backup))
    world.judge.told(world.master, "reports", report)
    world.judge.told(world.backup, "answered", report)
    world.judge.told(world.backup, "answered", report)


def is_answered_and_does_not_mind(world: World) -> None:
    report = answers(world, world.master, world.backup, world.asked(world.backup))
    world.judge.told(world.master, "reports", report)
    world.judge.told(world.backup, "answered", report)
    world.judge.look(1)


SILENT = [ReportTransition(State.BACKUP, State.MASTER, Reason.MASTER_SILENT.value, "")]


def asks_nobody(world: World) -> None:
    world.judge.told(world.backup, "commands", SILENT)


def asks_once(world: World) -> None:
    world.judge._witnesses[1].news_at_s = 0.0
    world.judge._witnesses[1].asked_at_s.append(world.backup.now - 0.25)
    world.judge.told(world.backup, "commands", SILENT)


def takes_over_from_an_owner_that_serves(world: World) -> None:
    witness = world.judge._witnesses[1]
    witness.news_at_s = 0.0
    witness.asked_at_s.extend(world.backup.now - ago_s for ago_s in (0.6, 0.4, 0.2))
    world.judge.told(world.backup, "commands", SILENT)


def does_not_report_its_state(world: World) -> None:
    world.judge._witnesses[1].said = "master"
    world.judge.look(1)


def hears_that_another_has_yielded(world: World) -> None:
    world.judge._witnesses[0].owes_farewell = True
    world.judge.look(0)


def stays_master_beside_another(world: World) -> None:
    for witness in world.judge._witnesses.values():
        witness.master_since_s = witness.serves_since_s = witness.awake_since_s = world.run._timeline.now - 10
    world.judge._judge_quarrel(world.master, world.backup)


@pytest.mark.parametrize(
    ("lie", "invariant"),
    [
        (lies_about_its_state, "I6"),
        (answers_as_a_backup, "V11"),
        (answers_without_the_addresses, "V11"),
        (answers_though_it_is_sick, "V11"),
        (reports_without_end, "I9"),
        (asks_without_end, "V11"),
        (is_changed_by_what_it_does_not_believe, "I3"),
        (refuses_what_is_new, "I4"),
        (believes_what_is_forged, "I4"),
        (believes_what_it_has_heard, "I4"),
        (believes_what_may_be_old, "I4"),
        (takes_for_an_answer_what_is_none, "V11"),
        (believes_an_old_answer, "V11"),
        (believes_an_answer_twice, "V11"),
        (is_answered_and_does_not_mind, "I1"),
        (asks_nobody, "I2"),
        (asks_once, "I2"),
        (takes_over_from_an_owner_that_serves, "I1"),
        (does_not_report_its_state, "I6"),
        (hears_that_another_has_yielded, "V6"),
        (stays_master_beside_another, "I1"),
    ],
)
def test_each_lie_is_named(lie: Callable[[World], None], invariant: str) -> None:
    with pytest.raises(Violation) as broken:
        lie(World())
    assert broken.value.invariant == invariant


def test_the_truth_passes() -> None:
    """An answer of the owner, to what was asked just now, taken as an advertisement."""
    world = World()
    report = answers(world, world.master, world.backup, world.asked(world.backup))
    world.judge.told(world.master, "reports", report)
    world.run._pass(1.0)


def test_masters_that_know_each_other_agree_sooner() -> None:
    """Who has not heard the other of late is heard first."""
    nodes = World().run.nodes
    assert quarrel_s(nodes, 0.01, acquainted=True) < 1.2 < quarrel_s(nodes, 0.01)
    assert quarrel_s(nodes, 0.5) == pytest.approx(quarrel_s(nodes, 0.0) + 2.5)


def test_the_numbers_are_those_of_the_rules() -> None:
    """Three questions from 0.6 s, or a quarter of D, before the end; a proof of 2.5 s."""
    assert (testimony.QUESTIONS, testimony.LEAD_S, testimony.LEAD_SHARE, testimony.PROVEN_S) == (3, 0.6, 0.25, 2.5)
