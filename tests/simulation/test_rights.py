"""What a backup has a right to, from carp(4): the numbers are written out here, not taken from the code."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from wsa_proxy.carp.commands import State
from wsa_proxy.carp.credentials import Security
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.carp.wire import Version
from wsa_proxy.simulation.memory import NEVER_S
from wsa_proxy.simulation.memory import Memory
from wsa_proxy.simulation.plan import Member
from wsa_proxy.simulation.plan import draw
from wsa_proxy.simulation.rights import Rights
from wsa_proxy.simulation.run import Run
from wsa_proxy.simulation.ways import Way

DOWN_S = 3 + 50 / 256
DEMOTED, PREEMPTED, HOPELESS = "master_demoted", "preempted_inferior_master", "master_hopeless"


class Backup:
    """A node with advbase 1 and advskew 50 that has just begun to listen."""

    def __init__(self, preempt: bool = True, versions: tuple[Version, ...] = (4,), sealed: bool = False) -> None:
        plan = draw(Random(1), 2, sealed)
        settings = VirtualHostSettings(1, 1, 50, preempt, versions, 255)
        members = (Member(settings), Member(replace(settings, advskew=99)))
        self.lan = (run := Run(1, replace(plan, members=members, lateness_s=0.0, bystanders=(), mishaps=()))).lan
        self.node = run.nodes[0]
        self.node.core = self.node._new_core()
        self.node.core.state = State.BACKUP
        self.memory = Memory(DOWN_S, 0.0)
        self.rights = Rights(self.node, self.memory, Counter())
        self.rights.rest(versions)
        self.began_at_s = self.node.now

    def hear(self, advskew: int, advbase: int = 1, demotion: int = 0, version: int = 4) -> None:
        self.rights.hears(Advertisement(1, advbase, advskew, demotion, 7, bytes(20)), version)

    def later(self, seconds: float) -> None:
        self.lan.timeline.now += seconds

    def due_s(self) -> float:
        """After now."""
        return self.memory.takeover_due_s - self.node.now

    def listens_s(self) -> float:
        """From its start, until a silence is long enough."""
        return min(self.memory.rests_until_s.values()) - self.began_at_s


@pytest.mark.parametrize(
    ("advskew", "advbase", "demotion", "preempt", "reasons"),
    [
        (49, 1, 0, True, set()),
        (50, 1, 0, True, set()),
        (51, 1, 0, True, {PREEMPTED}),
        (51, 1, 0, False, set()),
        (10, 1, 1, False, {DEMOTED}),
        (10, 1, 1, True, {DEMOTED, PREEMPTED}),
        (50, 3, 0, False, set()),
        (51, 3, 0, False, {HOPELESS}),
        (255, 255, 0, False, {"master_bowed_out"}),
    ],
)
def test_why_it_may_take_over(advskew: int, advbase: int, demotion: int, preempt: bool, reasons: set[str]) -> None:
    backup = Backup(preempt)
    backup.hear(advskew, advbase, demotion)
    assert backup.memory.reasons == reasons
    assert backup.due_s() == (pytest.approx(50 * 40e-6) if advbase == 255 else 0.0 if reasons else NEVER_S)


def test_who_is_demoted_itself_is_slower_and_not_better() -> None:
    """Its interval is 1 + 240/256 s then, with which it waits 9.6 ms after a bow-out."""
    backup = Backup(preempt=True)
    backup.node.demotion = 2
    for advskew, demotion, reasons in ((10, 1, set()), (10, 2, set()), (241, 2, {PREEMPTED}), (10, 3, None)):
        backup.hear(advskew, demotion=demotion)
        assert backup.memory.reasons == ({DEMOTED, PREEMPTED} if reasons is None else reasons)
    backup.hear(20)
    backup.hear(255, 255)
    assert backup.due_s() == pytest.approx(240 * 40e-6)


def test_what_it_hears_makes_it_listen_for_another_interval() -> None:
    backup = Backup()
    assert backup.listens_s() == pytest.approx(DOWN_S)
    backup.later(1.0)
    backup.hear(20)
    assert backup.listens_s() == pytest.approx(1.0 + DOWN_S)


def test_each_ip_version_has_a_silence_of_its_own_but_not_in_a_sealed_group() -> None:
    for sealed in (False, True):
        backup = Backup(versions=(4, 6), sealed=sealed)
        backup.later(1.0)
        backup.hear(20, version=4)
        assert backup.listens_s() == pytest.approx(1.0 * sealed + DOWN_S)


def test_a_takeover_that_is_off_is_off_for_both_ip_versions() -> None:
    backup = Backup(versions=(4, 6))
    backup.later(1.0)
    backup.hear(255, 255, version=4)
    backup.hear(20, version=6)
    assert backup.listens_s() == pytest.approx(1.0 + DOWN_S) and backup.due_s() == NEVER_S


def test_a_tie_makes_it_wait_longer_for_a_while_but_not_in_a_sealed_group() -> None:
    """A fifth of its interval at most."""
    for sealed in (False, True):
        backup = Backup(sealed=sealed)
        backup.memory.tied_until_s = backup.node.now + 2 * DOWN_S
        backup.hear(90)
        assert backup.due_s() == pytest.approx(0.0 if sealed else (1 + 240 / 256) / 5)
        backup.later(2.1 * DOWN_S)
        backup.rights.forget()
        backup.hear(90)
        assert backup.due_s() == 0.0


def test_the_wait_after_a_tie_has_a_lower_bound_too() -> None:
    """The last byte of its address is 255 here."""
    wait_s = (1 + 50 / 256) / 5 * 255 / 256
    backup = Backup()
    backup.memory.tied_until_s = backup.node.now + 2 * DOWN_S
    backup.hear(90)
    assert backup.memory.follows_from_s == pytest.approx(backup.node.now + wait_s)
    backup.hear(20)
    assert backup.listens_s() == pytest.approx(DOWN_S + wait_s)


def test_who_comes_late_by_half_its_patience_has_overslept() -> None:
    backup = Backup()
    backup.memory.held_before = True
    backup.later(1.4 * DOWN_S)
    backup.rights.wake()
    assert backup.listens_s() == pytest.approx(DOWN_S)
    backup.later(2.0 * DOWN_S)
    backup.rights.wake()
    assert backup.listens_s() == pytest.approx(4.4 * DOWN_S)


def test_a_strangers_answer_is_about_the_silence_that_ends_next() -> None:
    backup = Backup(versions=(4, 6))
    backup.later(1.0)
    backup.hear(20, version=4)
    backup.later(1.0)
    backup.memory.answered, backup.memory.answered_at_s = True, backup.node.now
    backup.later(1.0)
    backup.hear(20, version=4)
    assert backup.memory.answered
    backup.hear(20, version=6)
    assert not backup.memory.answered


def test_who_takes_another_way_may_count_from_either_version_and_waits_a_tie_longer() -> None:
    """The least that it must listen is that of the version heard first, the most that of the other, the questions and
    a tie's wait; it does not begin anew."""
    backup = Backup(versions=(4, 6))
    backup.later(1.0)
    backup.hear(40, version=6)
    backup.later(1.0)
    backup.rights.moves()
    assert set(backup.memory.rests_until_s.values()) == {backup.began_at_s + DOWN_S}
    tie_s = (1 + 240 / 256) / 5
    for until_s in backup.memory.waits_until_s.values():
        assert until_s - backup.began_at_s == pytest.approx(1.0 + DOWN_S + DOWN_S / 4 + tie_s)


def test_who_believes_seals_has_one_patience_for_both_versions() -> None:
    backup = Backup(versions=(4, 6))
    backup.node.way = Way((Security.CARP, Security.SEALED))
    backup.later(1.0)
    backup.hear(40, version=6)
    assert backup.listens_s() == pytest.approx(1.0 + DOWN_S)
