from __future__ import annotations

from typing import Any

import pytest

from tests.doctor.patients import OTHER_MAC
from tests.doctor.patients import OWN_MAC
from tests.doctor.patients import VIP
from tests.doctor.patients import facts
from tests.doctor.patients import findings
from tests.doctor.patients import group
from tests.doctor.patients import node
from tests.doctor.patients import only
from tests.doctor.patients import sound
from tests.doctor.patients import whys
from tests.watch.packets import F1
from tests.watch.packets import captured
from tests.watch.packets import vrrp_2
from tests.watch.packets import vrrp_3
from wsa_proxy.carp.seal import Seal
from wsa_proxy.carp.wire import Reject
from wsa_proxy.doctor.facts import Facts
from wsa_proxy.doctor.facts import Node
from wsa_proxy.doctor.speakers import ABOUT
from wsa_proxy.doctor.speakers import DAMAGED
from wsa_proxy.doctor.speakers import check
from wsa_proxy.doctor.speakers import is_own_echo
from wsa_proxy.watch.decode import Captured
from wsa_proxy.watch.decode import Heard
from wsa_proxy.watch.decode import decode
from wsa_proxy.watch.judge import UNVERIFIED
from wsa_proxy.watch.judge import Opinion

U3_AS_1 = F1.packet[:8] + bytes(8) + F1.packet[16:]
"""Another counter."""


def packet(payload: Any = F1.packet, mac: str = OTHER_MAC, here: bool = False, **fields: Any) -> Heard:
    frame = captured(payload, 0.0, "10.0.0.2", mac, **fields)
    read = decode(Captured(frame.at_s, frame.frame, sent_here=here))
    assert read is not None
    return read


def with_heard(*heard: tuple[Heard, Opinion], **changes: Any) -> Facts:
    return facts(sounds={"eth0": sound(heard=heard, **changes)})


@pytest.mark.parametrize("payload", [vrrp_2(), vrrp_3()], ids=["2", "3"])
def test_a_vrrp_router(payload: Any) -> None:
    """Whatever its word is; named once, however often it was heard. Another id is nobody's concern."""
    entry = packet(payload), Opinion("VRRP")
    finding = only(check, with_heard(entry, entry))
    assert finding.what.startswith("a VRRP router (keepalived, for one) uses id 1")
    assert finding.evidence.startswith("2 packets in 3 s on eth0 from 10.0.0.2 (unverified), 02:00:00:00:00:0b, ")
    assert finding.evidence.endswith("priority 100, for 10.0.0.3")
    assert list(check(with_heard((packet(vrrp_2(vrid=9)), Opinion("VRRP"))))) == []


@pytest.mark.parametrize("reject", [*ABOUT, Reject.BAD_CHECKSUM, Reject.BAD_VERSION])
def test_carp_that_is_not_believed(reject: Reject) -> None:
    """Each reason is a finding of its own words, with the judge's."""
    finding = only(check, with_heard((packet(), Opinion(reject.value, "because"))))
    does, fix = ABOUT.get(reject, DAMAGED)
    assert finding.what == f"somebody uses id 1, the id of our group, and {does}"
    assert finding.evidence.startswith("a packet in 3 s on eth0 from 10.0.0.2 (unverified), 02:00:00:00:00:0b, ")
    assert finding.evidence.endswith(f": {reject.value}, because") and finding.fix == fix


def test_who_is_believed_once_is_a_member() -> None:
    """Between two beliefs a single packet may be late."""
    valid, late = (packet(), Opinion("valid")), (packet(), Opinion(Reject.REPLAY.value, "late"))
    assert list(check(with_heard(valid, late))) == []
    assert list(check(with_heard((packet(), Opinion(UNVERIFIED))))) == []


@pytest.mark.parametrize(
    "opinion",
    [
        Opinion(Reject.DUPLICATE.value, "a copy"),
        Opinion(Reject.STALE.value, "it leaves", seal=Seal(0, 255, 255, False, False, 0)),
        Opinion(Reject.STALE.value, "it leaves", seal=Seal(0, 1, 0, True, False, 0)),
    ],
)
def test_what_is_refused_and_normal(opinion: Opinion) -> None:
    """A second copy, and a member that leaves while this doctor has heard nothing yet."""
    assert list(check(with_heard((packet(), opinion)))) == []


@pytest.mark.parametrize(
    "opinion",
    [
        Opinion(Reject.STALE.value, "it is late", seal=Seal(0, 1, 0, False, False, 0)),
        Opinion(Reject.REWRITTEN.value, "it leaves", seal=Seal(0, 255, 255, False, False, 0)),
        Opinion(Reject.STALE.value, "it is late"),
    ],
)
def test_what_is_refused_and_not_normal(opinion: Opinion) -> None:
    assert only(check, with_heard((packet(), opinion)))


def test_own_packets_are_nobodys() -> None:
    """Sent here; come back; come back from another hardware address."""
    refused = Opinion(Reject.BAD_SECRET.value, "why")
    own = packet(here=True), Opinion("valid")
    assert list(check(with_heard((packet(here=True), refused)))) == []
    assert list(check(with_heard((packet(mac=OWN_MAC), refused)))) == []
    assert list(check(with_heard(own, (packet(), refused)))) == []
    assert len(findings(check(with_heard((packet(), refused))))) == 1


def test_the_packets_of_a_vlan_are_another_lans() -> None:
    frame = captured(F1.packet, 0.0, "10.0.0.2", OTHER_MAC).frame
    tagged = decode(Captured(0.0, frame[:12] + bytes.fromhex("81000005") + frame[12:]))
    assert tagged is not None and tagged.number == 1
    assert list(check(with_heard((tagged, Opinion(Reject.BAD_SECRET.value, "why"))))) == []


def test_only_the_very_same_is_an_echo() -> None:
    """Another packet, or one that came in, as this one did, is none."""
    here, refused = (packet(here=True), Opinion("valid")), Opinion(Reject.BAD_SECRET.value, "why")
    assert only(check, with_heard(here, (packet(U3_AS_1), refused)))
    assert not is_own_echo(packet(), sound(heard=((packet(), refused),)))
    assert not is_own_echo(packet(here=True), sound(heard=(here,)))
    assert is_own_echo(packet(), sound(heard=(here,)))


def test_a_stranger_that_answers_for_the_virtual_ip_is_told_here() -> None:
    refused = packet(), Opinion(Reject.BAD_SECRET.value, "why")
    finding = only(check, with_heard(refused, answers={VIP: frozenset({OTHER_MAC})}))
    assert finding.evidence.endswith("bad_secret, why; it answers for 10.0.0.3")


def counted(*words: str, age_s: float = 4.0) -> Node:
    last = {"from": "10.0.0.9", "mac": "02:00:00:00:00:09", "age_s": age_s, "hint": ""}
    return node(rejected=dict.fromkeys(words, 12), last_rejected=dict.fromkeys(words, last))


def test_the_running_node_is_asked_as_well() -> None:
    """What it has refused in the last minute: a router may be silent just now."""
    finding = only(check, facts(node=counted("bad_secret")))
    assert finding.evidence == (
        "the running node has refused 12 of these (bad_secret), the last 4 s ago from 10.0.0.9 (unverified),"
        " 02:00:00:00:00:09"
    )
    assert list(check(facts(node=counted("bad_secret", age_s=60.1)))) == []
    for word in ("vrrp", "bad_version"):
        assert only(check, facts(node=counted(word))).what.endswith("and speaks VRRP (keepalived, for one)")


def test_what_a_running_node_refuses_for_a_moment_only() -> None:
    """A start, a stall and a network with two ways; damaged packets may be anybody's."""
    assert list(check(facts(node=counted("stale", "replay", "duplicate", "echo", "short")))) == []


def test_who_is_heard_and_counted_is_told_once() -> None:
    """Without the secrets what is heard of him cannot be judged: then the node's word stands."""
    heard = (packet(mac="02:00:00:00:00:09"), Opinion(Reject.BAD_SECRET.value, "why"))
    sounds = {"eth0": sound(heard=(heard,))}
    assert "bad_secret, why" in only(check, facts(node=counted("bad_secret"), sounds=sounds)).evidence
    unjudged = {"eth0": sound(heard=((heard[0], Opinion(UNVERIFIED)),))}
    found = only(check, facts(node=counted("bad_secret"), sounds=unjudged, with_keys=False))
    assert found.evidence.startswith("the running node has refused 12")


def test_too_short_a_time_is_named() -> None:
    slow = group(interval_s=60.0)
    assert len(whys(check(facts(slow, sounds={"eth0": sound(seconds=30.0)})))) == 1
    assert whys(check(facts(deaf={"eth0": "no right"}))) == ["eth0: no right"]
