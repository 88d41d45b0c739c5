from __future__ import annotations

import dataclasses
from ipaddress import ip_address
from typing import Any

from tests.doctor.patients import OTHER_MAC
from tests.doctor.patients import facts
from tests.doctor.patients import findings
from tests.doctor.patients import group
from tests.doctor.patients import member
from tests.doctor.patients import members
from tests.doctor.patients import node
from tests.doctor.patients import only
from tests.doctor.patients import sound
from tests.doctor.patients import whys
from tests.watch.packets import F1
from tests.watch.packets import captured
from tests.watch.packets import heard
from wsa_proxy.doctor.facts import Facts
from wsa_proxy.doctor.passing import check
from wsa_proxy.runtime.findings import blocked
from wsa_proxy.watch.decode import decode
from wsa_proxy.watch.judge import Opinion

TITLE = "the advertisements of group 1 do not pass between its members"


def backup_beside_a_master(**changes: Any) -> Facts:
    there = members(member(state="master"))
    return facts(node=node(state="backup", members=there), sounds={"eth0": sound(**changes)})


def test_a_master_that_reports_and_is_not_heard() -> None:
    finding = only(check, backup_beside_a_master())
    assert finding.what == TITLE
    assert finding.evidence == "node b (10.0.0.2) reports that it is master, and no advertisement of id 1 is heard here"
    assert "224.0.0.18" in finding.fix


def test_a_master_that_is_heard() -> None:
    assert list(check(backup_beside_a_master(heard=((heard(F1.packet, mac=OTHER_MAC), Opinion("valid")),)))) == []


def test_what_is_heard_of_others_is_still_silence() -> None:
    """Another id, and what this host sends itself; where nothing could be listened to nothing is said."""
    other = heard(F1.packet[:1] + b"\x09" + F1.packet[2:], mac=OTHER_MAC)
    own = decode(dataclasses.replace(captured(F1.packet), sent_here=True))
    assert own is not None
    assert only(check, backup_beside_a_master(heard=((other, Opinion("valid")), (own, Opinion("valid")))))
    there = members(member(state="master"))
    assert list(check(facts(node=node(state="backup", members=there)))) == []


def test_too_short_a_time_is_no_silence() -> None:
    """Two advertisements may have been due after it."""
    assert list(check(backup_beside_a_master(seconds=1.9))) == []


def test_what_the_node_has_found_out() -> None:
    """In its own words; then what was listened to adds nothing."""
    sentence = blocked("b", "a")
    found = members(member(state="master"), findings=[sentence, "node b: VIP 10.0.0.4/24, here 10.0.0.3/24"])
    assert only(check, facts(node=node(state="backup", members=found), sounds={"eth0": sound()})).evidence == sentence


def test_a_master_that_reports_no_more() -> None:
    gone = members(member(state="master", is_fresh=False))
    assert list(check(facts(node=node(state="backup", members=gone), sounds={"eth0": sound()}))) == []


def test_two_masters_that_are_heard() -> None:
    seen = "id 1: two masters: 10.0.0.1 and 10.0.0.2"
    assert only(check, facts(node=node(), sounds={"eth0": sound(masters=(seen,))})).evidence == seen


def test_unicast_has_another_remedy() -> None:
    peers = (ip_address("10.0.0.2"),)
    told = members(member(), findings=[blocked("a", "b")])
    assert "multicast" not in only(check, facts(group(peers=peers), node=node(members=told))).fix


def test_a_membership_that_is_lost() -> None:
    """Of a node that takes part and multicasts."""
    lost = dataclasses.replace(node(), memberships=frozenset({("eth1", "224.0.0.18")}))
    assert only(check, facts(node=lost)).what.startswith("this host is no member of 224.0.0.18 on eth0")
    joined = dataclasses.replace(node(), memberships=frozenset({("eth0", "224.0.0.18")}))
    assert list(check(facts(node=joined))) == []
    assert list(check(facts(group(peers=(ip_address("10.0.0.2"),)), node=lost))) == []
    ipv6 = group(addresses=(ip_address("fd00:77::3"),))
    finding = only(check, facts(ipv6, node=joined))
    assert finding.what.startswith("this host is no member of ff02::12 on eth0")
    assert finding.evidence.startswith("/proc/4711/net/igmp6 ")
    out = dataclasses.replace(node(state="init"), memberships=frozenset())
    assert list(check(facts(node=out))) == []


def test_without_a_node_no_member_is_known() -> None:
    answers = list(check(facts(deaf={"eth0": "no right"})))
    assert findings(answers) == []
    assert whys(answers) == ["eth0: no right", "no node runs here"]
