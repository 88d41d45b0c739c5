from __future__ import annotations

from typing import Any

from tests.doctor.patients import OWN_MAC
from tests.doctor.patients import facts
from tests.doctor.patients import group
from tests.doctor.patients import node
from tests.doctor.patients import only
from tests.doctor.patients import sound
from tests.doctor.patients import whys
from tests.watch.packets import F1
from tests.watch.packets import captured
from wsa_proxy.doctor.facts import Facts
from wsa_proxy.doctor.reflection import check
from wsa_proxy.watch.decode import Captured
from wsa_proxy.watch.decode import Heard
from wsa_proxy.watch.decode import decode
from wsa_proxy.watch.judge import Opinion


def heard(here: bool, mac: str = OWN_MAC) -> tuple[Heard, Opinion]:
    frame = captured(F1.packet, mac=mac)
    read = decode(Captured(frame.at_s, frame.frame, sent_here=here))
    assert read is not None
    return read, Opinion("valid")


def with_sound(**changes: Any) -> Facts:
    return facts(sounds={"eth0": sound(**({"probes_sent": 3} | changes))})


def test_own_probes_that_come_back() -> None:
    assert only(check, with_sound(probes_back=2)).evidence == "2 of 3 own ARP probes came in again"
    assert list(check(with_sound())) == []


def test_own_advertisements_that_come_back() -> None:
    """The very same that this host has sent, from whatever hardware address; another's are none."""
    evidence = only(check, with_sound(heard=(heard(True), heard(False, "02:00:00:00:00:77")))).evidence
    assert evidence == "1 own advertisements came in again, the last from 02:00:00:00:00:77"
    assert list(check(with_sound(heard=(heard(False),)))) == []
    assert list(check(with_sound(heard=(heard(True), heard(True))))) == []


def test_what_the_running_node_has_counted_lately() -> None:
    """Within three intervals: after that it is over."""
    last = {"echo": {"from": "10.0.0.1", "mac": OWN_MAC, "age_s": 2.0, "hint": ""}}
    echoes = node(rejected={"echo": 7}, last_rejected=last)
    evidence = only(check, facts(node=echoes)).evidence
    assert evidence == "the running node has met 7 of its own advertisements of group 1, the last 2 s ago"
    last["echo"]["age_s"] = 3.1
    assert list(check(facts(node=echoes))) == []


def test_two_groups_on_one_interface_have_one_network() -> None:
    given = facts(group(), group(vhid=2), sounds={"eth0": sound(probes_sent=3, probes_back=3)})
    assert only(check, given).what == "the network on eth0 sends back what this host sends"


def test_where_nothing_was_sent_it_is_not_made() -> None:
    assert len(whys(check(facts(node=node(), sounds={"eth0": sound()})))) == 1
    assert list(check(facts(sounds={"eth0": sound(heard=(heard(True),))}))) == []  # a master has its advertisements
    assert whys(check(facts(deaf={"eth0": "no right"}))) == ["eth0: no right"]
