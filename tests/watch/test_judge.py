"""The watch believes what a node with this file believes, and says why the rest is not believed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.carp.vectors import VECTORS
from tests.carp.vectors import Vector
from tests.watch.packets import BOW_OUT
from tests.watch.packets import F1
from tests.watch.packets import MAC_B
from tests.watch.packets import U3
from tests.watch.packets import Sender
from tests.watch.packets import configuration
from tests.watch.packets import heard
from tests.watch.packets import vrrp_2
from tests.watch.packets import vrrp_3
from wsa_proxy.carp import wire
from wsa_proxy.carp.credentials import Security
from wsa_proxy.watch.groups import WatchedGroup
from wsa_proxy.watch.groups import read_groups
from wsa_proxy.watch.judge import NODES_MAX
from wsa_proxy.watch.judge import Judge
from wsa_proxy.watch.judge import Opinion


def of_vector(folder: Path, vector: Vector, security: Security = Security.CARP) -> list[WatchedGroup]:
    """The group of that vector's maker; not every address in the vectors may stand in a file."""
    (group,) = read_groups(configuration(folder), None)
    phrases = (vector.pass_phrase,) if vector.pass_phrase else ()
    changes: dict[str, Any] = {
        "vhid": vector.vhid,
        "addresses": vector.addresses,
        "pass_phrases": phrases,
        "security": (security,),
    }
    return [replace(group, **changes)]


def source(vector: Vector) -> str:
    return "10.9.9.9" if vector.version == 4 else "fe80::9"


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name[:2])
def test_packets_of_other_implementations_are_valid(tmp_path: Path, vector: Vector) -> None:
    """With the secret and the virtual IPs of their maker; plain counters may be anything."""
    judge = Judge(of_vector(tmp_path, vector))
    for at_s in (0.0, 1.0):
        assert judge.opinion(heard(vector.packet, at_s, source(vector))) == Opinion("valid", tone="good")


def test_without_a_file_nothing_is_verified() -> None:
    """Neither believed nor refused; what looks like a seal of today is read as one."""
    assert Judge(None).opinion(heard(F1.packet)) == Opinion("unverified", tone="plain")
    opinion = Judge(None).opinion(heard(Sender().payload(0.0, advskew=55)))
    assert opinion.word == "unverified" and opinion.seal is not None and opinion.seal.advskew == 55


def test_the_nodes_words(tmp_path: Path) -> None:
    """For what no counter decides: id, family, secret, way to sign, shape, VRRP."""
    groups = read_groups(configuration(tmp_path), None)
    judge = Judge(groups)
    plain = Judge(read_groups(configuration(tmp_path, security="carp"), None))
    signed = wire.decode(Sender().payload(0.0), 255)
    assert isinstance(signed, wire.Advertisement)
    cases: list[tuple[Judge, Any, str, str]] = [
        (judge, heard(U3.packet), "other_vhid", "id 42, 1 expected by this file"),
        (judge, heard(F1.packet), "bad_secret", "signed with another secret, or for other virtual IPs than 10.0.0.3"),
        (judge, heard(Sender().payload(0.0), source="fe80::1"), "other_family", "IPv6, IPv4 expected"),
        (plain, heard(Sender().payload(0.0)), "sealed_member", "this file has security: carp"),
        (judge, heard(Sender().payload(0.0), ttl=64), "bad_ttl", "TTL 64, 255 expected"),
        (judge, heard(vrrp_2()), "VRRP 2", "a node counts it as vrrp"),
        (judge, heard(vrrp_3()), "VRRP 3", "a node counts it as bad_version"),
    ]
    for judging, packet, word, why in cases:
        opinion = judging.opinion(packet)
        assert (opinion.word, why in opinion.why) == (word, True), opinion


def test_between_unicast_peers_routers_are_allowed(tmp_path: Path) -> None:
    """With peers in the file no TTL is asked for; without, a unicast that has passed a router is not believed."""
    passed = heard(Sender().payload(0.0), ttl=63, dst="10.0.0.2")
    with_peers = read_groups(configuration(tmp_path, peers="[10.0.0.1, 10.9.0.1]"), None)
    assert Judge(with_peers).opinion(passed).word == "valid"
    opinion = Judge(read_groups(configuration(tmp_path), None)).opinion(passed)
    assert opinion.word == "bad_ttl" and "TTL 63, 255 expected" in opinion.why and "no peers" in opinion.why
    other = Judge(with_peers).opinion(heard(Sender().payload(0.0), source="fe80::1"))
    assert other.word == "other_family" and "that of its peers" in other.why
    assert Judge(None).opinion(passed).word == "unverified"


def test_a_plain_member_of_a_sealed_group(tmp_path: Path) -> None:
    """The right secret with the wrong way to sign has its own word."""
    opinion = Judge(of_vector(tmp_path, F1, Security.SEALED)).opinion(heard(F1.packet))
    assert opinion.word == "plain_member" and "security: sealed" in opinion.why


def test_sealed(tmp_path: Path) -> None:
    """Genuine ones are valid in their order, with their time; the rest has the node's word and a reason."""
    judge, sender = Judge(read_groups(configuration(tmp_path), None)), Sender()
    packets = [sender.payload(float(n)) for n in range(8)]
    late = sender.payload(8.0)
    opinions = [judge.opinion(heard(packet, float(n))) for n, packet in enumerate(packets)]
    assert [opinion.word for opinion in opinions] == ["valid"] * 8
    assert opinions[3].seal is not None and opinions[3].seal.ms - (opinions[0].seal or opinions[3].seal).ms == 3000
    again = judge.opinion(heard(packets[2], 8.0, mac=MAC_B))
    assert again.word == "replay" and "5.000 s below the highest heard" in again.why
    assert judge.opinion(heard(packets[7], 8.0, mac=MAC_B)).word == "duplicate"
    assert judge.opinion(heard(late, 60.0)).word == "stale"
    forged = wire.decode(sender.payload(61.0, advskew=0), 255)
    assert isinstance(forged, wire.Advertisement)
    raised = wire.encode(wire.Advertisement(1, 1, 200, 0, forged.counter, forged.digest))
    opinion = judge.opinion(heard(raised, 61.0))
    assert opinion.word == "rewritten" and "advskew 200, 0 expected by its counter" in opinion.why


def test_copies_of_one_advertisement_are_no_duplicates(tmp_path: Path) -> None:
    """Both IP versions have one counter, and a bow-out is sent three times; a fourth is a duplicate."""
    groups = read_groups(configuration(tmp_path, virtual_ip="[10.0.0.3/24, fd00:77::3/64]"), None)
    judge, sender = Judge(groups), Sender(addresses=groups[0].addresses)
    first = sender.payload(0.0)
    words = [judge.opinion(heard(first, 0.0, address)).word for address in ("10.0.0.1", "fe80::1", "10.0.0.1")]
    assert words == ["valid", "valid", "duplicate"]
    bow_out = sender.payload(0.5, 255, 255)
    times = (0.5, 0.52, 0.6, 0.7)
    assert [judge.opinion(heard(bow_out, at_s)).word for at_s in times] == ["valid"] * 3 + ["duplicate"]
    farewell = sender.payload(1.0, farewell=True)
    assert judge.opinion(heard(farewell, 1.0)).seal is not None
    assert judge.opinion(heard(farewell, 1.0, "fe80::1", MAC_B)).word == "duplicate"


def test_a_copy_that_was_overtaken(tmp_path: Path) -> None:
    """Another node's answer comes between the two IP versions of an advertisement: no alarm, but from another MAC."""
    groups = read_groups(configuration(tmp_path, virtual_ip="[10.0.0.3/24, fd00:77::3/64]"), None)
    judge, one, other = Judge(groups), *(Sender(addresses=groups[0].addresses) for _ in range(2))
    first, answer = one.payload(0.0), other.payload(0.002)
    assert judge.opinion(heard(first, 0.0)).word == "valid"
    assert judge.opinion(heard(answer, 0.002, "10.0.0.2", MAC_B)).word == "valid"
    assert judge.opinion(heard(first, 0.003, "fe80::1")).word == "valid"
    assert judge.opinion(heard(first, 0.003, "fe80::2", MAC_B)).word == "replay"


def test_the_clock_is_the_captures(tmp_path: Path) -> None:
    """A capture of years ago is judged as it would have been then."""
    judge, sender = Judge(read_groups(configuration(tmp_path), None)), Sender()
    past_s = -100_000_000.0
    assert judge.opinion(heard(sender.payload(past_s), past_s)).word == "valid"
    later = judge.opinion(heard(sender.payload(past_s + 1), past_s + 90))
    assert later.word == "stale" and "89.0 s behind this clock" in later.why


def test_first_contact_with_what_may_be_old(tmp_path: Path) -> None:
    """A node that starts now takes neither a bow-out nor an hour of delay for new, and the reason says so."""
    groups, sender = read_groups(configuration(tmp_path), None), Sender()
    early = Judge(groups).opinion(heard(sender.payload(0.0), 4000.0))
    assert early.word == "stale" and "too much for a node that starts now" in early.why
    leaves = Judge(groups).opinion(heard(sender.payload(4000.0, 255, 255), 4000.0))
    assert leaves.word == "stale" and "it leaves" in leaves.why


def test_what_a_group_hears_elsewhere_is_not_its_own(tmp_path: Path) -> None:
    """With the interface known, an id on another interface is another's."""
    (group,) = read_groups(configuration(tmp_path), None)
    packet = heard(Sender().payload(0.0))
    elsewhere = replace(packet, captured=replace(packet.captured, interface="eth1"))
    opinion = Judge([replace(group, interface="eth0")]).opinion(elsewhere)
    assert opinion.word == "other_vhid" and "on eth1, eth0 expected" in opinion.why
    assert Judge([group]).opinion(elsewhere).word == "valid"


def test_invented_vlans_cost_a_bounded_memory(tmp_path: Path) -> None:
    """However many VLANs somebody writes on his frames, so many nodes are imagined and no more."""
    judge, packet = Judge(read_groups(configuration(tmp_path), None)), heard(F1.packet)
    for vlan in range(NODES_MAX + 50):
        judge.opinion(replace(packet, vlans=(vlan,)))
    assert len(judge._nodes) == NODES_MAX + 1


@given(st.binary(min_size=36, max_size=44), st.floats(0, 1e12))
def test_any_packet_has_an_opinion(payload: bytes, at_s: float) -> None:
    """Never an exception, with and without a digest that fits."""
    assert Judge(None).opinion(heard(payload, at_s)).word
    assert Judge(None).opinion(heard(BOW_OUT.packet, at_s)).word == "unverified"
