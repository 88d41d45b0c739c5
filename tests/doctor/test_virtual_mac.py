from __future__ import annotations

import pytest

from tests.doctor.patients import facts
from tests.doctor.patients import group
from tests.doctor.patients import node
from tests.doctor.patients import only
from tests.doctor.patients import sound
from tests.doctor.patients import whys
from wsa_proxy.doctor.facts import Facts
from wsa_proxy.doctor.facts import Sound
from wsa_proxy.doctor.virtual_mac import check
from wsa_proxy.doctor.virtual_mac import verdict_of_node
from wsa_proxy.net.ports import MacVerdict

REFUSED = sound(
    mac_verdict=MacVerdict.REFUSED, mac_sentence="the network seems to refuse it on eth0: none came; allow promiscuous"
)


def with_verdict(network: str, heard: Sound | None = None) -> Facts:
    virtual = {"address": "00:00:5e:00:01:01", "network": network}
    return facts(node=node(virtual_mac=virtual), sounds={"eth0": heard} if heard else {})


def test_refused() -> None:
    """By the running node's test, or by the doctor's own."""
    assert "the running node has asked" in only(check, with_verdict("refused")).evidence
    finding = only(check, facts(sounds={"eth0": REFUSED}))
    assert finding.what.startswith("the network on eth0 refuses") and finding.evidence == "none came"
    assert only(check, with_verdict("unknown", REFUSED)) == finding


def test_carried() -> None:
    """The node's own word counts; and a group without a virtual MAC does not ask for one."""
    assert list(check(with_verdict("carried", REFUSED))) == []
    assert list(check(facts(sounds={"eth0": sound(mac_verdict=MacVerdict.CARRIED)}))) == []
    assert list(check(facts(group(virtual_mac=False), sounds={"eth0": REFUSED}))) == []


def test_not_made() -> None:
    """Nobody has answered, nobody could be asked, nothing could be heard."""
    unknown = facts(sounds={"eth0": sound(mac_verdict=MacVerdict.UNKNOWN)})
    assert whys(check(unknown)) == ["eth0: no neighbour or gateway has answered often enough, not even the own address"]
    assert whys(check(facts(sounds={"eth0": sound(mac_sentence="nobody is known")}))) == ["eth0: nobody is known"]
    assert whys(check(facts(deaf={"eth0": "no right"}))) == ["eth0: no right"]


@pytest.mark.parametrize(
    ("document", "verdict"),
    [
        ({}, MacVerdict.UNKNOWN),
        ({"virtual_mac": None}, MacVerdict.UNKNOWN),
        ({"virtual_mac": {"network": "refused"}}, MacVerdict.REFUSED),
        ({"virtual_mac": {"network": "of a later version"}}, MacVerdict.UNKNOWN),
    ],
)
def test_the_word_of_the_node(document: dict[str, object], verdict: MacVerdict) -> None:
    assert verdict_of_node(document) is verdict
