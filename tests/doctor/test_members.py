from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

import pytest

from tests.doctor.patients import facts
from tests.doctor.patients import findings
from tests.doctor.patients import group
from tests.doctor.patients import member
from tests.doctor.patients import members
from tests.doctor.patients import node
from tests.doctor.patients import only
from tests.doctor.patients import whys
from wsa_proxy.doctor.facts import Facts
from wsa_proxy.doctor.facts import FirewallFacts
from wsa_proxy.doctor.finding import Answer
from wsa_proxy.doctor.members import check_clocks
from wsa_proxy.doctor.members import check_members
from wsa_proxy.doctor.members import check_redundancy
from wsa_proxy.doctor.ruleset import Chain
from wsa_proxy.doctor.ruleset import Rule
from wsa_proxy.doctor.ruleset import Verdict
from wsa_proxy.runtime import reporting
from wsa_proxy.runtime.findings import blocked

CHECKS = [check_members, check_redundancy, check_clocks]
STRANGER = "somebody at 10.0.0.9 (unverified) advertises this group with another Shared Secret or other virtual IPs"


def with_member(**changes: Any) -> Facts:
    return facts(node=node(members=members(member(**changes))))


def with_findings(*sentences: str, **changes: Any) -> Facts:
    return facts(node=node(members=members(member(), findings=list(sentences)), **changes))


@pytest.mark.parametrize("check", CHECKS)
def test_two_healthy_members(check: Callable[[Facts], Iterable[Answer]]) -> None:
    assert list(check(facts(node=node()))) == []


@pytest.mark.parametrize(
    ("sentence", "fix"),
    [
        ("node b: VIP 10.0.0.4/24, here 10.0.0.3/24", "make it equal on both nodes"),
        ("node b: certificate authority of mitmproxy ab12, here cd34", "copy the files mitmproxy-ca*"),
        ("reports of node b arrive here, and ...: UDP port 8112 is blocked from a to b", "let that UDP port pass"),
        ("two nodes are called b; give each a name of its own (node)", "node: NAME"),
        ("this node's reports cannot be sent: Operation not permitted", "look at this host's packet filter"),
        (STRANGER, "make it equal"),
    ],
)
def test_what_the_node_has_found(sentence: str, fix: str) -> None:
    """Its own sentence, with what helps against such a thing."""
    finding = only(check_members, with_findings(sentence))
    assert finding.what == sentence and finding.fix.startswith(fix)


def test_what_other_checks_tell() -> None:
    """Advertisements that are blocked, in the very words of the node; a stranger that is heard."""
    assert list(check_members(with_findings(blocked("a", "b")))) == []
    last = {"from": "10.0.0.9", "mac": "02:00:00:00:00:09", "age_s": 4.0, "hint": ""}
    counted = node(members=members(findings=[STRANGER]), rejected={"bad_secret": 1}, last_rejected={"bad_secret": last})
    assert list(check_members(facts(node=counted, with_keys=False))) == []
    differs = members(findings=[STRANGER, "node b: port 8081, here 8080"])
    also = node(members=differs, rejected={"bad_secret": 1}, last_rejected={"bad_secret": last})
    assert only(check_members, facts(node=also)).what == "node b: port 8081, here 8080"


def test_no_healthy_standby() -> None:
    """One finding, with the reason of each node that is none."""
    why = "b: last heard 61.2 s ago; c: never heard"
    redundancy = {"healthy_standbys": 0, "lost_s": 58.4, "why": why}
    lost = members(member(is_fresh=False), redundancy=redundancy, findings=["node b: port 8081, here 8080"])
    finding = only(check_redundancy, facts(group(expected=("c",)), node=node(members=lost)))
    assert finding.what.startswith("group 1 has no healthy standby")
    assert finding.evidence == f"the running node's status, for 58 s: {why}"


@pytest.mark.parametrize(
    "sentence",
    [
        "reports of node b arrive here, and this node's do not arrive there: UDP port 8112 is blocked from a to b",
        "this node's reports cannot be sent: Operation not permitted",
    ],
)
def test_where_reports_do_not_pass_nobody_knows(sentence: str) -> None:
    """What stops them is the finding."""
    lost = {"healthy_standbys": 0, "lost_s": 58.4, "why": "b: is heard, and does not hear this node"}
    given = facts(node=node(members=members(member(), redundancy=lost, findings=[sentence])))
    assert len(whys(check_redundancy(given))) == 1 and findings(check_redundancy(given)) == []
    drop = Chain("inet", "t", "input", (Rule((), Verdict.DROP),), "input")
    filtered = facts(node=node(members=members(member(), redundancy=lost)), firewall=FirewallFacts((drop,)))
    assert len(whys(check_redundancy(filtered))) == 1 and findings(check_redundancy(filtered)) == []


def test_one_of_several_could_not_take_over() -> None:
    """Redundancy is not lost, and will be with the next one."""
    silent = with_member(is_fresh=False, not_ready=["last heard 12.0 s ago"])
    expected = "node b, a member of group 1, could not take over: last heard 12.0 s ago"
    assert only(check_redundancy, silent).what == expected
    failing = with_member(is_ready=False, not_ready=["its self-test fails"])
    assert only(check_redundancy, failing).what.endswith("could not take over: its self-test fails")
    never = facts(group(expected=("b", "c")), node=node())
    assert only(check_redundancy, never).what.startswith(
        "node c, a member of group 1, could not take over: never heard"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"left": True},
        {"maintenance": {"until": "soon", "reason": "update"}},
        {"mismatches": ["VIP 10.0.0.4/24, here 10.0.0.3/24"], "not_ready": ["VIP 10.0.0.4/24, here 10.0.0.3/24"]},
    ],
)
def test_who_is_out_by_somebodys_will_or_for_what_is_told_already(changes: dict[str, Any]) -> None:
    given = {"is_ready": False, "not_ready": ["out"]} | changes
    assert list(check_redundancy(with_member(**given))) == []


def test_the_last_life_of_a_node_that_was_started_again() -> None:
    """It is remembered for a while beside the new one."""
    before = member(life="00", is_fresh=False, not_ready=["last heard 12.0 s ago"])
    assert list(check_redundancy(facts(node=node(members=members(before, member()))))) == []


@pytest.mark.parametrize(("offset_s", "found"), [(1.0, 0), (-1.0, 0), (1.1, 1), (-2.0, 1)])
def test_clocks(offset_s: float, found: int) -> None:
    assert len(findings(check_clocks(with_member(clock_offset_s=offset_s)))) == found
    assert findings(check_clocks(with_member(clock_offset_s=offset_s, is_fresh=False, age_s=None))) == []


def test_a_clock_beyond_the_tolerance_is_worse() -> None:
    """And of a node in two groups it is told once."""
    offset = {"clock_offset_s": -3601.0}
    finding = only(check_clocks, facts(group(), group(), node=node(members=members(member(**offset)))))
    assert finding.what.startswith("the clock of node b (10.0.0.2) is 3601.0 s behind this host's, more than clock_tol")
    assert "clock_tolerance" not in only(check_clocks, with_member(clock_offset_s=3599.0)).what


@pytest.mark.parametrize("check", CHECKS)
def test_what_is_not_known_is_not_made(check: Callable[[Facts], Iterable[Answer]]) -> None:
    """No node, one of an earlier version, and a group that sends no reports; what hinders them is no such reason."""
    assert whys(check(facts())) == ["no node runs here"]
    assert "an earlier version?" in whys(check(facts(node=node(members=None))))[0]
    none = {"reports": reporting.NO_SECRET, "redundancy": {"lost_s": None}, "findings": [], "list": []}
    assert whys(check(facts(node=node(members=none)))) == [f"group 1 has {reporting.NO_SECRET}"]
    assert whys(check(facts(node=node(members=members(reports="Operation not permitted"))))) == []
