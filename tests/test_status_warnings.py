"""The list of warnings: each kind from the document that causes it, the gravest first, and nothing for a well node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.test_carry_text import QUIET
from tests.test_status_text import STATUS
from wsa_proxy.carp.wire import Reject
from wsa_proxy.status_text import is_well
from wsa_proxy.status_warnings import KINDS
from wsa_proxy.status_warnings import NOTED
from wsa_proxy.status_warnings import REFUSED
from wsa_proxy.status_warnings import SEVERITIES
from wsa_proxy.status_warnings import StatusWarning
from wsa_proxy.status_warnings import status_warnings
from wsa_proxy.status_warnings import warning_lines

PAGE = Path(__file__).parents[1] / "docs" / "warnings.md"
HEALTH: dict[str, Any] = {"hard": None, "soft": None, "tests": []}
REDUNDANCY: dict[str, Any] = {"healthy_standbys": 1, "lost_s": None, "why": None}
MEMBER: dict[str, Any] = {"node": "b", "is_ready": True, "not_ready": []}
MEMBERS: dict[str, Any] = {"reports": "sent", "findings": [], "redundancy": REDUNDANCY, "list": [MEMBER]}
WELL_GROUP: dict[str, Any] = STATUS["groups"][0] | {
    "obstacles": {}, "demotion": 0, "rejected": {}, "last_rejected": {}, "virtual_mac": None, "members": MEMBERS,
    "preemption": {"waits_s": None, "delay_s": 0.0, "role_changes": 0},
}  # fmt: skip
WELL: dict[str, Any] = STATUS | {"health": HEALTH, "groups": [WELL_GROUP]}


def node(**changes: Any) -> dict[str, Any]:
    return WELL | changes


def group(**changes: Any) -> dict[str, Any]:
    return WELL | {"groups": [WELL_GROUP | changes]}


def members(**changes: Any) -> dict[str, Any]:
    return group(members=MEMBERS | changes)


def rejected(reason: str, age_s: float = 3.0) -> dict[str, Any]:
    last = {"from": "10.0.0.9", "mac": "02:00:00:00:00:09", "age_s": age_s, "hint": "a hint"}
    return group(rejected={reason: 2}, last_rejected={reason: last})


def waiting(**changes: Any) -> dict[str, Any]:
    return group(preemption=WELL_GROUP["preemption"] | changes)


def carrying(state: str = "master", **changes: Any) -> dict[str, Any]:
    return group(state=state, virtual_ip_held=["10.0.0.3"], carry=QUIET | changes)


UNABLE = "this kernel has no nf_tables: Protocol not supported"
ELSEWHERE = "node b (10.0.1.2) is not on this LAN segment"
LOST = REDUNDANCY | {"healthy_standbys": 0, "lost_s": 4.0, "why": "b: slow"}
DIFFERENT = MEMBER | {"node": "b", "mismatches": ["port 81, here 80"]}
UNREADY = MEMBER | {"is_ready": False, "not_ready": ["its proxy is slow"]}
SILENT = {"answers": False, "ms": None, "age_s": 0.5, "address": "10.0.0.3:8080", "evidence": "timed out"}
PERIOD = {"reason": "memory", "until": "2026-01-01T02:00:00.25+00:00", "left_s": 301.0}
CAUSES: list[tuple[dict[str, Any], str, str]] = [
    (node(health=HEALTH | {"hard": "no listener"}), "proxy_down", "error"),
    (node(health=HEALTH | {"soft": "slow"}), "proxy_unwell", "warning"),
    (node(guardian={"pid": None, "stall_limit_s": 1.0}), "guardian_missing", "error"),
    (node(loop_lag_s=0.7), "loop_late", "warning"),
    (group(obstacles={"link": "eth0 is down"}), "group_out", "error"),
    (group(reason="address_answered_by_another_host"), "address_answered_by_another_host", "error"),
    (group(state="master", virtual_ip_held=[]), "address_missing", "error"),
    (group(service=SILENT), "service_silent", "error"),
    (members(redundancy=LOST), "no_standby", "error"),
    (members(list=[MEMBER, UNREADY]), "member_not_ready", "warning"),
    (members(list=[UNREADY | {"maintenance": {"until": "", "reason": ""}}]), "member_not_ready", "note"),
    (members(findings=["two nodes are called a"]), "nodes_disagree", "error"),
    (members(findings=["node b: port 81, here 80"], list=[DIFFERENT]), "nodes_disagree", "warning"),
    (members(reports="without a shared_secret"), "no_reports", "note"),
    (group(demotion=1, demoted_by={"sending": "3 in a row could not be sent"}), "demoted", "warning"),
    (waiting(role_changes=3), "role_changes", "warning"),
    (waiting(waits_s=7.0), "preemption_waits", "note"),
    (group(virtual_mac={"address": "00:00:5e:00:01:01", "network": "refused"}), "virtual_mac_refused", "warning"),
    *((rejected(reason), reason, "warning") for reason in sorted(REFUSED - NOTED)),
    *((rejected(reason), reason, "note") for reason in sorted(NOTED)),
    (carrying("backup", cannot_steer=UNABLE), "cannot_steer", "warning"),
    (carrying(why_not=f"node b cannot steer: {UNABLE}"), "connections_cut", "warning"),
    (carrying(why_not=ELSEWHERE), "connections_cut", "note"),
    (node(history={"trouble": "the disk is full", "events": 7}), "history_trouble", "warning"),
    (node(notify={"failed": 2, "last_failure": "status 1"}), "notify_failed", "warning"),
    (node(admin={"url": "http://127.0.0.1:8112/", "trouble": "address in use"}), "admin_trouble", "warning"),
    (node(maintenance=PERIOD), "maintenance", "note"),
    (node(maintenance=PERIOD | {"left_s": 300.0}), "maintenance", "warning"),
    (node(demoted_by_operator={"reason": "kernel update", "age_s": 3.0}), "demoted_by_operator", "warning"),
    (members(switched_away={"to": "b", "since": "", "only": True}), "switched_away", "note"),
]


def test_a_well_node_has_none() -> None:
    """With all that it can tell, and one of an earlier version that tells less."""
    well = {"answers": True, "ms": 1.0, "age_s": 0.5, "address": "10.0.0.3:8080", "evidence": ""}
    told = group(service=well, virtual_mac={"address": "00:00:5e:00:01:01", "network": "accepted"})
    told["groups"][0]["carry"] = QUIET
    told |= {"history": {"trouble": None, "events": 7}, "notify": {"failed": 0, "last_failure": None}}
    told |= {"admin": {"url": "http://127.0.0.1:8112/", "trouble": None}, "maintenance": None}
    assert status_warnings(told) == status_warnings(WELL) == []
    later = ("members", "preemption", "virtual_mac", "demoted_by")
    earlier = {name: value for name, value in WELL_GROUP.items() if name not in later}
    keys = ("schema", "node", "version", "pid", "failover_handling", "health")
    assert status_warnings({name: WELL[name] for name in keys} | {"groups": [earlier]}) == []


@pytest.mark.parametrize(("status", "kind", "severity"), CAUSES)
def test_each_cause_has_its_warning(status: dict[str, Any], kind: str, severity: str) -> None:
    """One, with words, a way out, and the group that it is about."""
    (warning,) = status_warnings(status)
    assert (warning["kind"], warning["severity"]) == (kind, severity)
    assert warning["text"] and warning["fix"] and warning["doc"] == f"docs/warnings.md#{kind}"
    assert warning["group"] == (1 if status["groups"][0] != WELL_GROUP else None)


def test_every_kind_has_a_cause_above() -> None:
    assert {kind for _, kind, _ in CAUSES} == set(KINDS) and len(KINDS) == len(set(KINDS))


@pytest.mark.parametrize(("status", "kind", "severity"), CAUSES)
def test_a_node_that_is_not_well_says_why(status: dict[str, Any], kind: str, severity: str) -> None:
    """Whoever sees exit status 3 finds an error or a warning."""
    assert is_well(status) or severity in ("error", "warning"), kind


def test_the_gravest_come_first() -> None:
    """And in the order of the kinds, then of the groups."""
    groups = [WELL_GROUP | {"id": number, "obstacles": {"link": "down"}, "service": SILENT} for number in (2, 1)]
    found = status_warnings(node(maintenance=PERIOD, loop_lag_s=0.7, groups=groups))
    told = [(each["severity"], each["kind"], each["group"]) for each in found]
    assert told == [
        ("error", "group_out", 2), ("error", "group_out", 1), ("error", "service_silent", 2),
        ("error", "service_silent", 1), ("warning", "loop_late", None), ("note", "maintenance", None),
    ]  # fmt: skip
    assert SEVERITIES == ("error", "warning", "note")


@pytest.mark.parametrize(
    "status",
    [
        rejected("bad_secret", age_s=61.0),
        rejected("duplicate"),
        rejected("other_vhid"),
        group(state="master", virtual_ip_held=[], age_s=1.0),
        group(state="master", virtual_ip_held=None),
        group(demotion=1, demoted_by={"maintenance": "x", "switch": "y", "operator": "z"}),
        waiting(role_changes=2),
        carrying(),
        carrying("backup", why_not=f"node b cannot steer: {UNABLE}"),
        carrying(why_not="no other member is heard"),
    ],
)
def test_what_is_no_warning(status: dict[str, Any]) -> None:
    """Long ago, harmless, too new to judge, unknown, or told by a warning of its own."""
    assert status_warnings(status) == []


def test_what_is_told_once() -> None:
    """A proxy that cannot serve is no second obstacle; without a standby no member is named beside it."""
    down = node(health=HEALTH | {"hard": "no listener"}, groups=[WELL_GROUP | {"obstacles": {"proxy": "no listener"}}])
    assert [each["kind"] for each in status_warnings(down)] == ["proxy_down"]
    unwell = node(
        health=HEALTH | {"soft": "slow"}, groups=[WELL_GROUP | {"demotion": 1, "demoted_by": {"proxy": "slow"}}]
    )
    assert [each["kind"] for each in status_warnings(unwell)] == ["proxy_unwell"]
    blind = "this host cannot tell its connections: Operation not permitted"
    assert [each["kind"] for each in status_warnings(carrying(cannot_steer=blind, why_not=blind))] == [
        "connections_cut"
    ]
    alone = members(redundancy=LOST, list=[UNREADY])
    assert [each["kind"] for each in status_warnings(alone)] == ["no_standby"]
    (intended,) = [each for each in status_warnings(alone | {"maintenance": PERIOD}) if each["kind"] == "no_standby"]
    assert intended["severity"] == "note"


def test_every_reason_to_reject_is_thought_of() -> None:
    """It has a kind of its own, or does no harm at all."""
    assert {each.value for each in Reject} == REFUSED | {"duplicate", "other_vhid"}
    assert set(KINDS) >= REFUSED


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_explained(kind: str) -> None:
    """Under a heading of its own, to which ``doc`` leads."""
    assert f"\n### {kind}\n" in PAGE.read_text()


def test_a_warning_in_words() -> None:
    (warning,) = status_warnings(group(obstacles={"link": "eth0 is down"}))
    assert warning_lines(warning) == [
        "ERROR group 1: out because link: eth0 is down",
        "  fix: connect the interface: ip link set eth0 up; cable, switch port",
    ]
    of_the_node: StatusWarning = {**warning, "group": None, "severity": "note"}
    assert warning_lines(of_the_node)[0] == "NOTE out because link: eth0 is down"
