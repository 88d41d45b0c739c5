"""The sentence for each id is what an operator would say: who is master, or that there are two, or none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.watch.packets import BEGIN_S
from tests.watch.packets import F1
from tests.watch.packets import MAC_B
from tests.watch.packets import Sender
from tests.watch.packets import captured
from tests.watch.packets import configuration
from tests.watch.packets import vrrp_2
from wsa_proxy.watch.groups import read_groups
from wsa_proxy.watch.session import Session
from wsa_proxy.watch.summary import IDS_MAX


def told(session: Session, at_s: float) -> list[tuple[str, str]]:
    return [(each.text, each.tone) for each in session.snapshot(BEGIN_S + at_s, [], None).sentences]


def checked(folder: Path, **keys: Any) -> Session:
    session = Session("eth0", read_groups(configuration(folder, **keys), None))
    session.began_s = BEGIN_S
    return session


def test_a_group_from_silence_to_a_master_and_back(tmp_path: Path) -> None:
    """What is too short to be silence is no alarm; a master has his address and priority; his last word is told."""
    session, sender = checked(tmp_path), Sender()
    assert told(session, 2.0) == [("id 1 proxy.example.com: nothing heard yet", "plain")]
    assert told(session, 9.0) == [("id 1 proxy.example.com: NO MASTER for 9.0 s", "bad")]
    session.take(captured(sender.payload(9.0), 9.0))
    assert told(session, 9.5) == [("id 1 proxy.example.com: master 10.0.0.1, priority 255", "good")]
    session.take(captured(sender.payload(10.0, 255, 255), 10.0))
    text = "id 1 proxy.example.com: NO MASTER for 5.0 s; the last was 10.0.0.1 (it bowed out)"
    assert told(session, 15.0) == [(text, "bad")]


def test_a_master_that_is_not_believed(tmp_path: Path) -> None:
    """The reason why this node has none stands beside it."""
    session, other = checked(tmp_path), Sender(secret="other-secret-2")
    session.take(captured(other.payload(1.0), 1.0, "10.0.0.2", MAC_B))
    text = "id 1 proxy.example.com: NO MASTER that a node believes, for 2 s; not believed: 10.0.0.2 (bad_secret)"
    assert told(session, 2.0) == [(text, "bad")]
    session.take(captured(Sender().payload(2.0), 2.0))
    text = "id 1 proxy.example.com: master 10.0.0.1, priority 255; not believed: 10.0.0.2 (bad_secret)"
    assert told(session, 2.1) == [(text, "bad")]


def test_two_masters(tmp_path: Path) -> None:
    """One node's two IP versions are one master."""
    session, sender = checked(tmp_path, virtual_ip="[10.0.0.3/24, fd00:77::3/64]"), None
    group = session._groups
    assert group is not None
    sender = Sender(addresses=group[0].addresses)
    payload = sender.payload(1.0)
    session.take(captured(payload, 1.0))
    session.take(captured(payload, 1.0, "fe80::1"))
    assert told(session, 1.1) == [("id 1 proxy.example.com: master 10.0.0.1, priority 255", "good")]
    session.take(captured(sender.payload(1.2, advskew=100), 1.2, "10.0.0.2", MAC_B))
    assert told(session, 1.3) == [("id 1 proxy.example.com: TWO MASTERS 10.0.0.1 and 10.0.0.2", "bad")]


def test_without_a_file(tmp_path: Path) -> None:
    """Who says so is told, not who is."""
    session = Session("eth0", None)
    session.began_s = BEGIN_S
    assert told(session, 7.0) == [("nothing of protocol 112 heard for 7 s: no CARP, no VRRP", "bad")]
    session.take(captured(F1.packet, 7.0))
    session.take(captured(vrrp_2(vrid=9, priority=0), 7.0, "10.0.0.9"))
    session.take(captured(vrrp_2(vrid=8), 7.0, "10.0.0.8"))
    assert told(session, 7.5) == [
        ("id 1: 10.0.0.1 says it is the master, priority 255", "plain"),
        ("id 8: 10.0.0.8 by VRRP 2, priority 100", "plain"),
        ("id 9: silent for 0.5 s; the last was 10.0.0.9", "plain"),
    ]
    session.take(captured(vrrp_2(), 7.0, "10.0.0.9", MAC_B))
    assert told(session, 7.5)[0] == ("id 1: 10.0.0.1 (CARP) and 10.0.0.9 (VRRP 2)", "bad")


def test_many_ids_are_cut_short() -> None:
    """A flood of ids leaves room for the table."""
    session = Session("eth0", None)
    for vrid in range(1, 200):
        session.take(captured(vrrp_2(vrid=vrid)))
    sentences = told(session, 0.1)
    assert len(sentences) == IDS_MAX and sentences[-1][0] == "and 184 more ids"


def test_two_interfaces(tmp_path: Path) -> None:
    """One sender that is heard on two interfaces is one; two LANs with one id have a sentence each."""
    session, sender = checked(tmp_path), Sender()
    for interface in ("eth0", "eth1"):
        session.take(replace(captured(sender.payload(1.0), 1.0), interface=interface))
    assert told(session, 1.1) == [("id 1 proxy.example.com: master 10.0.0.1, priority 255", "good")]
    unknown = Session("eth0, eth1", None)
    for number, interface in ((1, "eth0"), (2, "eth1")):
        unknown.take(replace(captured(F1.packet, 1.0, f"10.0.0.{number}"), interface=interface))
    assert [text for text, _ in told(unknown, 1.1)] == [
        "id 1 on eth0: 10.0.0.1 says it is the master, priority 255",
        "id 1 on eth1: 10.0.0.2 says it is the master, priority 255",
    ]
