"""Two masters are told once, after they have been two for longer than an interval, and nothing else is taken for it."""

from __future__ import annotations

from typing import Any

from tests.watch.packets import BOW_OUT
from tests.watch.packets import F1
from tests.watch.packets import MAC_A
from tests.watch.packets import MAC_B
from tests.watch.packets import heard
from tests.watch.packets import vrrp_2
from wsa_proxy.carp import wire
from wsa_proxy.watch.findings import FINDINGS_MAX
from wsa_proxy.watch.findings import Findings
from wsa_proxy.watch.judge import Judge
from wsa_proxy.watch.judge import Opinion
from wsa_proxy.watch.ledger import Ledger

VIRTUAL_MAC = "00:00:5e:00:01:01"


def hear(ledger: Ledger, payload: Any, at_s: float, source: str = "10.0.0.1", mac: str = MAC_A) -> list[str]:
    """What is newly told about one packet."""
    packet = heard(payload, at_s, source, mac)
    return [finding.text for finding in ledger.enter(packet, Judge(None).opinion(packet))[1]]


def of_b(advskew: int = 100, counter: int = 77) -> bytes:
    """Another counter than F1's, as another node has."""
    return wire.encode(wire.Advertisement(1, 1, advskew, 0, counter, bytes(20)))


def test_two_masters_are_told_once() -> None:
    """After an interval of the slower one, with both addresses; and once more when a third joins."""
    ledger = Ledger()
    told = []
    for second in range(5):
        told += hear(ledger, F1.packet, second)
        told += hear(ledger, of_b(), second + 0.5, "10.0.0.2", MAC_B)
    assert told == [
        "id 1: 10.0.0.2 begins beside 10.0.0.1, which spoke 0.50 s ago",
        "id 1: two masters: 10.0.0.1 and 10.0.0.2",
    ]
    for second in range(5, 10):
        told += hear(ledger, F1.packet, second)
        told += hear(ledger, of_b(), second + 0.2, "10.0.0.2", MAC_B)
        told += hear(ledger, of_b(150), second + 0.4, "10.0.0.9", "02:00:00:00:00:0c")
    assert told[-1] == "id 1: 3 masters: 10.0.0.1, 10.0.0.2 and 10.0.0.9"


def test_the_same_virtual_mac_does_not_hide_two_masters() -> None:
    """The BSDs advertise from it, so their addresses tell them apart; with one address the MACs do."""
    ledger, told = Ledger(), []
    for second in range(4):
        told += hear(ledger, F1.packet, second, "10.0.0.1", VIRTUAL_MAC)
        told += hear(ledger, of_b(), second + 0.5, "10.0.0.2", VIRTUAL_MAC)
    assert told[-1] == "id 1: two masters: 10.0.0.1 and 10.0.0.2"
    for second in range(10, 14):
        told += hear(ledger, F1.packet, second, "0.0.0.0", MAC_A)
        told += hear(ledger, of_b(), second + 0.5, "0.0.0.0", MAC_B)
    assert told[-1] == f"id 1: two masters: 0.0.0.0 ({MAC_A}) and 0.0.0.0 ({MAC_B})"


def test_one_node_in_both_ip_versions_is_one_master() -> None:
    """Its two addresses have one MAC."""
    ledger, told = Ledger(), []
    for second in range(5):
        told += hear(ledger, F1.packet, second)
        told += hear(ledger, F1.packet, second, "fe80::1")
    assert told == []


def test_why_there_are_two() -> None:
    """Who is not believed has the reason with him; where both are, they do not hear each other."""
    for opinion, because in (
        (Opinion("valid", tone="good"), " (they do not hear each other, or one not the other)"),
        (Opinion("bad_secret"), " (10.0.0.2: bad_secret)"),
    ):
        ledger = Ledger()
        for second in range(4):
            ledger.enter(heard(F1.packet, second), Opinion("valid", tone="good"))
            ledger.enter(heard(of_b(), second + 0.5, "10.0.0.2", MAC_B), opinion)
        assert [each.text for each in ledger.findings.all()][-1] == f"id 1: two masters: 10.0.0.1 and 10.0.0.2{because}"


def test_two_masters_in_both_ip_versions_are_told_once() -> None:
    """Two nodes with four addresses are two masters, and one of them has begun."""
    ledger, told = Ledger(), []
    for second in range(5):
        for version, (first, second_node) in enumerate([("10.0.0.1", "10.0.0.2"), ("fe80::1", "fe80::2")]):
            told += hear(ledger, F1.packet, second + version / 1000, first)
            told += hear(ledger, of_b(), second + 0.5 + version / 1000, second_node, MAC_B)
    assert told == [
        "id 1: 10.0.0.2 begins beside 10.0.0.1, which spoke 0.50 s ago",
        "id 1: two masters: 10.0.0.1 and 10.0.0.2",
    ]


def test_masters_in_different_ip_versions_are_two() -> None:
    """A switch that loses one of them makes two."""
    ledger, told = Ledger(), []
    for second in range(5):
        told += hear(ledger, F1.packet, second)
        told += hear(ledger, of_b(), second + 0.5, "fe80::2", MAC_B)
    assert told[-1] == "id 1: two masters: 10.0.0.1 and fe80::2"


def test_a_takeover_is_no_second_master() -> None:
    """Who is silent, has bowed out or crosses once with his successor has been followed."""
    ledger, told = Ledger(), []
    for second in range(3):
        told += hear(ledger, F1.packet, second)
    for second in range(5, 9):
        told += hear(ledger, of_b(), second + 0.2, "10.0.0.2", MAC_B)
    assert told == ["id 1: 10.0.0.2 takes over from 10.0.0.1, which was silent for 3.20 s"]
    told = hear(ledger, F1.packet, 8.5)
    told += hear(ledger, of_b(), 8.51, "10.0.0.2", MAC_B)
    for at_s in (9.5, 10.5, 11.5, 12.5):
        told += hear(ledger, F1.packet, at_s)
    assert told == ["id 1: 10.0.0.1 begins beside 10.0.0.2, which spoke 0.30 s ago"]
    hear(ledger, BOW_OUT.packet, 13.0)
    told = hear(ledger, of_b(), 13.1, "10.0.0.2", MAC_B)
    assert told == ["id 1: 10.0.0.2 takes over from 10.0.0.1, which has left"]


def test_vrrp_and_carp_with_one_id() -> None:
    """They share a virtual MAC and no election."""
    ledger = Ledger()
    hear(ledger, F1.packet, 0.0)
    assert hear(ledger, vrrp_2(vrid=2), 0.1, "10.0.0.9", MAC_B) == []
    assert hear(ledger, vrrp_2(vrid=1), 0.2, "10.0.0.9", MAC_B) == [
        "id 1: CARP (10.0.0.1) and VRRP (10.0.0.9) with one id: they fight for its virtual MAC"
    ]
    assert hear(ledger, F1.packet, 1.0) == []


def test_a_finding_goes_on_and_ends() -> None:
    """It stands while it is seen, then it is over, and a later one of the same kind is new."""
    findings = Findings()
    assert [each.first_s for each in findings.found("a", "text", 1.0)] == [1.0]
    assert findings.found("a", "text", 8.0) == []
    (found,) = findings.all()
    assert (found.first_s, found.last_s, found.count) == (1.0, 8.0, 2)
    assert found.is_current(17.0) and not found.is_current(19.0)
    assert [each.first_s for each in findings.found("a", "text", 30.0)] == [30.0]


def test_findings_are_bounded() -> None:
    """The oldest give way."""
    findings = Findings()
    for number in range(FINDINGS_MAX + 5):
        findings.found(number, "text", float(number))
    assert [findings.all()[place].key for place in (0, -1)] == [5, FINDINGS_MAX + 4]


def test_who_has_said_its_intent_takes_over_once() -> None:
    """From its own MAC first, then from the virtual one: one node, which follows one master. Not two masters either,
    though it has spoken from two hardware addresses."""
    ledger = Ledger()
    told = hear(ledger, F1.packet, 0, "10.0.0.1", VIRTUAL_MAC)
    told += hear(ledger, of_b(counter=76), 3.2, "10.0.0.2", MAC_B)
    told += [each for at in range(5) for each in hear(ledger, of_b(), 3.22 + at, "10.0.0.2", VIRTUAL_MAC)]
    assert told == ["id 1: 10.0.0.2 takes over from 10.0.0.1, which was silent for 3.20 s"]
    told = hear(ledger, F1.packet, 8.5, "10.0.0.1", VIRTUAL_MAC)
    assert told == ["id 1: 10.0.0.1 begins beside 10.0.0.2, which spoke 1.28 s ago"]


def test_a_bow_out_that_is_said_again_meanwhile_makes_no_second_takeover() -> None:
    """The guardian of the old master says its copies 20 and 60 ms later. And only one of the two addresses goes on."""
    ledger = Ledger()
    hear(ledger, F1.packet, 0, "10.0.0.1", VIRTUAL_MAC)
    hear(ledger, BOW_OUT.packet, 1, "10.0.0.1", MAC_A)
    told = hear(ledger, of_b(counter=76), 1.002, "10.0.0.2", MAC_B)
    hear(ledger, BOW_OUT.packet, 1.02, "10.0.0.1", MAC_A)
    told += hear(ledger, of_b(), 1.021, "10.0.0.2", VIRTUAL_MAC)
    assert told == ["id 1: 10.0.0.2 takes over from 10.0.0.1, which has left"]
    advertise = [row.heard.mac for row in ledger.rows if row.advertises(1.03) and row.heard.source == "10.0.0.2"]
    assert advertise == [VIRTUAL_MAC]
