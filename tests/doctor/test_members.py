from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

import pytest

from tests.doctor.patients import facts
from tests.doctor.patients import findings
from tests.doctor.patients import member
from tests.doctor.patients import members
from tests.doctor.patients import node
from tests.doctor.patients import only
from tests.doctor.patients import whys
from wsa_proxy.doctor.facts import Facts
from wsa_proxy.doctor.finding import Answer
from wsa_proxy.doctor.members import check_clocks
from wsa_proxy.doctor.members import check_members
from wsa_proxy.doctor.members import check_redundancy

CHECKS = [check_members, check_redundancy, check_clocks]
DIFFERS = "node b: VIP 10.0.0.4/24, here 10.0.0.3/24"


def with_member(**changes: Any) -> Facts:
    return facts(node=node(members=members(member(**changes))))


@pytest.mark.parametrize("check", CHECKS)
def test_two_healthy_members(check: Callable[[Facts], Iterable[Answer]]) -> None:
    """This node itself is in the list, too, and is no member beside itself."""
    assert list(check(facts(node=node()))) == []
    itself = members(member(), list=[member(node="a", is_fresh=False, clock_offset_s=9.0, mismatches=["no"])])
    assert list(check(facts(node=node(members=itself)))) == []


def test_a_mismatch_is_told_once() -> None:
    """The node's sentence, which stands among the group's findings and the reasons not to be ready as well."""
    told = member(mismatches=[DIFFERS], is_ready=False, not_ready=[DIFFERS])
    finding = only(check_members, facts(node=node(members=members(told, findings=[DIFFERS]))))
    assert finding.what == DIFFERS and "node b (10.0.0.2)" in finding.evidence


def test_what_the_node_has_found() -> None:
    sentence = "advertisements are blocked between a and b"
    assert only(check_members, facts(node=node(members=members(member(), findings=[sentence])))).what == sentence


def test_a_member_that_is_not_ready() -> None:
    """One in maintenance is not ready either, and somebody wants it so."""
    unready = {"is_ready": False, "not_ready": ["its self-test fails"]}
    finding = only(check_members, with_member(**unready))
    assert finding.what == "node b (10.0.0.2) is not ready to take over group 1: its self-test fails"
    assert list(check_members(with_member(**unready, maintenance={"until": "soon", "reason": "update"}))) == []


def test_a_member_that_is_heard_no_more() -> None:
    assert only(check_members, with_member(is_fresh=False, age_s=12.0)).evidence == "its last report came 12.0 s ago"


def test_no_healthy_standby() -> None:
    lost = members(member(), redundancy={"healthy_standbys": 0, "lost_s": 61.2})
    finding = only(check_redundancy, facts(node=node(members=lost)))
    assert finding.what.startswith("group 1 has no healthy standby")
    assert finding.evidence == "the running node's status, for 61 s; other members known: node b (10.0.0.2)"
    alone = members(redundancy={"healthy_standbys": 0, "lost_s": None})
    assert only(check_redundancy, facts(node=node(members=alone))).evidence.endswith("other members known: nobody")


@pytest.mark.parametrize(("offset_s", "found"), [(1.0, 0), (-1.0, 0), (1.1, 1), (-2.0, 1), (None, 0)])
def test_clocks(offset_s: float | None, found: int) -> None:
    assert len(findings(check_clocks(with_member(clock_offset_s=offset_s)))) == found


def test_a_clock_beyond_the_tolerance_is_worse() -> None:
    assert (
        "behind this host's, more than clock_tolerance" in only(check_clocks, with_member(clock_offset_s=-3601.0)).what
    )
    assert "clock_tolerance" not in only(check_clocks, with_member(clock_offset_s=3599.0)).what


@pytest.mark.parametrize("check", CHECKS)
def test_what_is_not_known_is_not_made(check: Callable[[Facts], Iterable[Answer]]) -> None:
    """No node, one of an earlier version, and a group that sends no reports."""
    assert whys(check(facts())) == ["no node runs here"]
    assert "an earlier version?" in whys(check(facts(node=node(members=None))))[0]
    silent = members(reports="there is no Shared Secret")
    assert whys(check(facts(node=node(members=silent)))) == ["group 1 sends no reports: there is no Shared Secret"]
