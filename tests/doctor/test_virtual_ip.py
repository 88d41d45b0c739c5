from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from tests.doctor.patients import OTHER_MAC
from tests.doctor.patients import VIP
from tests.doctor.patients import facts
from tests.doctor.patients import group
from tests.doctor.patients import member
from tests.doctor.patients import members
from tests.doctor.patients import node
from tests.doctor.patients import only
from tests.doctor.patients import sound
from tests.doctor.patients import whys
from tests.watch.packets import F1
from tests.watch.packets import captured
from wsa_proxy.doctor.facts import Facts
from wsa_proxy.doctor.virtual_ip import check
from wsa_proxy.watch.decode import Captured
from wsa_proxy.watch.decode import Heard
from wsa_proxy.watch.decode import decode
from wsa_proxy.watch.judge import Opinion

ANSWERED = {VIP: frozenset({OTHER_MAC})}


def advertisement(mac: str, here: bool = False) -> tuple[Heard, Opinion]:
    frame = captured(F1.packet, mac=mac)
    read = decode(Captured(frame.at_s, frame.frame, sent_here=here))
    assert read is not None
    return read, Opinion("valid")


def with_sound(**changes: Any) -> Facts:
    return facts(sounds={"eth0": sound(**({"answers": ANSWERED} | changes))})


def test_a_stranger() -> None:
    finding = only(check, with_sound(names={OTHER_MAC: "10.0.0.9"}))
    assert finding.what == "10.0.0.3, a virtual IP of group 1, is answered by somebody who is not its master"
    assert OTHER_MAC in finding.evidence and "known here as 10.0.0.9" in finding.evidence
    assert "DHCP" in finding.fix


def test_the_virtual_mac_without_a_master() -> None:
    """A master whose advertisements are lost, or a router with this id: another remedy than for a plain host."""
    assert "another router has this id" in only(check, with_sound(answers={VIP: frozenset({"00:00:5e:00:01:01"})})).fix


def test_who_advertises_the_id_is_told_elsewhere_or_is_the_master() -> None:
    """What this host itself sends is no excuse for another one's answer."""
    assert list(check(with_sound(heard=(advertisement(OTHER_MAC),)))) == []
    assert only(check, with_sound(heard=(advertisement(OTHER_MAC, here=True),)))


def test_a_member_that_reports_may_answer() -> None:
    """Its advertisements do not arrive, which is told elsewhere; known by the virtual MAC, else by its own address."""
    there = node(state="backup", members=members(member(state="master")))
    virtual = {"eth0": sound(answers={VIP: frozenset({"00:00:5e:00:01:01"})})}
    assert list(check(facts(sounds=virtual, node=there))) == []
    own = {"eth0": sound(answers=ANSWERED, names={OTHER_MAC: "10.0.0.2, fd00::2"})}
    assert list(check(facts(group(virtual_mac=False), sounds=own, node=there))) == []
    for wrong in (
        facts(sounds=own, node=there),
        facts(group(virtual_mac=False), sounds=virtual, node=there),
        facts(sounds=virtual, node=node(state="backup", members=members(member()))),
        facts(sounds=virtual, node=node(state="backup", members=members(member(state="master", is_fresh=False)))),
    ):
        assert only(check, wrong)


def test_what_advertises_another_id_is_no_excuse() -> None:
    frame = captured(F1.packet[:1] + b"\x09" + F1.packet[2:], mac=OTHER_MAC)
    read = decode(frame)
    assert read is not None and read.number == 9
    assert only(check, with_sound(heard=((read, Opinion("other_vhid")),)))


def test_nobody_answers() -> None:
    assert list(check(with_sound(answers={}))) == []
    assert list(check(with_sound(answers={ip_address("10.0.0.4"): frozenset({OTHER_MAC})}))) == []


def test_too_short_a_time_leaves_it_open() -> None:
    """Unless this host is the master itself."""
    slow, short = group(interval_s=60.0), {"eth0": sound(seconds=30.0, answers=ANSWERED)}
    answers = list(check(facts(slow, sounds=short)))
    assert len(answers) == 1 and "which may be the master" in whys(answers)[0]
    assert only(check, facts(slow, sounds=short, node=node(state="master")))
    assert whys(check(facts(deaf={"eth0": "no right"}))) == ["eth0: no right"]
