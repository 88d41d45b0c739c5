from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from tests.doctor.patients import VIP
from tests.doctor.patients import facts
from tests.doctor.patients import findings
from tests.doctor.patients import group
from tests.doctor.patients import members
from tests.doctor.patients import node
from tests.doctor.patients import only
from tests.doctor.patients import sound
from tests.doctor.patients import whys
from wsa_proxy.doctor import firewall
from wsa_proxy.doctor.facts import Facts
from wsa_proxy.doctor.facts import FirewallFacts
from wsa_proxy.doctor.facts import Group
from wsa_proxy.doctor.ruleset import Chain
from wsa_proxy.doctor.ruleset import Condition
from wsa_proxy.doctor.ruleset import Rule
from wsa_proxy.doctor.ruleset import Verdict

CARP = Condition("protocol", (112,))
UDP = Condition("protocol", (17,))
UNDECIDED = Condition("", ())
PEERS = group(peers=(ip_address("10.0.0.2"),))
WITHOUT_REPORTS = group(report_port=None)


def dropping(hook: str, *conditions: Condition, family: str = "inet") -> Chain:
    devices = ("eth0",) if family == "netdev" else ()
    return Chain(family, "t", hook, (Rule(conditions, Verdict.DROP, "", "drop"),), hook, "accept", devices)


def with_chain(chain: Chain, patient: Group | None = None, **changes: Any) -> Facts:
    return facts(patient or group(), firewall=FirewallFacts((chain,)), **changes)


@pytest.mark.parametrize(
    ("patient", "hook", "harmful"),
    [
        (group(), "ingress", True),
        (group(), "egress", True),
        (group(), "prerouting", False),
        (group(), "input", False),
        (group(), "output", False),
        (group(), "postrouting", False),
        (PEERS, "ingress", True),
        (PEERS, "egress", True),
        (PEERS, "input", False),
        (PEERS, "output", True),
        (PEERS, "postrouting", True),
    ],
)
def test_where_protocol_112_can_be_stopped(patient: Group, hook: str, harmful: bool) -> None:
    """A node hears by packet sockets, behind ingress only; unicasts leave by a raw IP socket, multicasts as frames."""
    family = "netdev" if hook in ("ingress", "egress") else "inet"
    found = findings(firewall.check(with_chain(dropping(hook, CARP, family=family), patient)))
    way = "coming in on eth0" if hook == "ingress" else "going out on eth0"
    assert [each.what for each in found] == [f"the packet filter drops protocol 112 (CARP, IPv4) {way}"] * harmful


@pytest.mark.parametrize("hook", ["ingress", "prerouting", "input", "output", "postrouting", "egress"])
def test_reports_can_be_stopped_everywhere(hook: str) -> None:
    family = "netdev" if hook in ("ingress", "egress") else "inet"
    chain = dropping(hook, UDP, family=family)
    assert only(firewall.check, with_chain(chain)).what.startswith(
        "the packet filter drops UDP port 8112 (members' reports, IPv4) "
    )
    assert list(firewall.check(with_chain(chain, WITHOUT_REPORTS))) == []  # who has no secret sends none


@pytest.mark.parametrize(
    ("document", "port"),
    [(None, None), ({"reports": "no shared_secret", "list": []}, None), (members(port=9000), 9000), (members(), 8112)],
)
def test_the_port_is_the_running_nodes(document: Mapping[str, Any] | None, port: int | None) -> None:
    """A node of an earlier version has none, and one without a secret sends no reports."""
    given = with_chain(dropping("input", UDP), node=node(members=document))
    found = [each.what for each in findings(firewall.check(given))]
    assert found == (
        [] if port is None else [f"the packet filter drops UDP port {port} (members' reports, IPv4) coming in on eth0"]
    )


@pytest.mark.parametrize(
    ("names", "command"),
    [
        ({}, "nft insert rule inet t input udp dport 8112 accept; and in"),
        (
            {"family": "ip", "table": "filter", "name": "INPUT"},
            "iptables -t filter -I INPUT -p udp --dport 8112 -j ACC",
        ),
        ({"family": "ip", "table": "raw (iptables)", "name": "PREROUTING"}, "iptables -t raw -I PREROUTING -p udp"),
    ],
)
def test_the_fix_is_a_command(names: dict[str, str], command: str) -> None:
    """In the words of the program that has made the chain, and at its head, where no other rule comes first."""
    chain = dataclasses.replace(dropping("input", UDP), **names)  # type: ignore[arg-type]
    assert only(firewall.check, with_chain(chain)).fix.startswith(command)


def test_each_ip_version_is_asked_about() -> None:
    both = group(addresses=(VIP, ip_address("fd00:77::3")))
    found = findings(firewall.check(with_chain(dropping("input", UDP), both)))
    assert ["IPv4" in each.what for each in found] == [True, False]


def test_what_is_seen_is_more_than_what_is_read() -> None:
    """Two packets that came in, and none behind the ingress hook: the rule is guilty, without one something else."""
    chain = dropping("ingress", CARP, family="netdev")
    seen = {"eth0": sound(came_in={4: 2}, got_through={})}
    evidence = only(firewall.check, with_chain(chain, sounds=seen)).evidence
    assert evidence == ("table netdev t, chain ingress: drop; 2 packets came in on eth0 in 3 s, and none got through")
    assert (
        only(firewall.check, facts(sounds=seen)).what == "this host drops protocol 112 (CARP, IPv4) coming in on eth0"
    )
    for came_in, got_through in ((1, 0), (9, 9), (9, 8)):
        heard = {"eth0": sound(came_in={4: came_in}, got_through={4: got_through})}
        assert list(firewall.check(facts(sounds=heard))) == []
    unseen = {"eth0": sound()}
    assert only(firewall.check, with_chain(chain, sounds=unseen)).evidence.startswith("read, not tried: ")


def test_what_cannot_be_decided_is_named() -> None:
    """Unless packets are seen to get through."""
    chain = dropping("ingress", CARP, UNDECIDED, family="netdev")
    assert whys(firewall.check(with_chain(chain))) == [
        "reading cannot decide whether protocol 112 (CARP, IPv4) coming in on eth0 is dropped: table netdev t, chain"
        " ingress: drop"
    ]
    assert list(firewall.check(with_chain(chain, sounds={"eth0": sound(came_in={4: 3}, got_through={4: 3})}))) == []


def test_a_group_without_an_interface_is_left_out() -> None:
    assert list(firewall.check(with_chain(dropping("input", UDP), group(interface="")))) == []


def test_rules_that_could_not_be_read() -> None:
    given = facts(firewall=FirewallFacts(unread=("nft is not installed",)))
    assert whys(firewall.check(given)) == ["nft is not installed"]


def test_programs_that_are_missing_refuse_or_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is a reason, and none an error of the doctor."""
    monkeypatch.setattr(firewall, "PATHS", str(tmp_path))
    monkeypatch.setattr(firewall, "_LEGACY", (("ip", "iptables-legacy-save", tmp_path / "tables"),))
    (tmp_path / "tables").write_text("filter\n")
    assert firewall.read_firewall().unread == (
        "nft is not installed, so its rules were not read: apt-get install nftables",
        "the kernel has rules of the older iptables, and iptables-legacy-save is not installed, so its rules were not"
        " read: apt-get install iptables",
    )
    write_program(tmp_path / "nft", "echo 'Operation not permitted' >&2; exit 1")
    (tmp_path / "tables").write_text("")
    assert firewall.read_firewall().unread == (
        "nft was refused (Operation not permitted), so its rules were not read: run the doctor as root",
    )
    write_program(tmp_path / "nft", "echo no JSON")
    assert firewall.read_firewall().unread[0].startswith("nft --json list ruleset: ")
    monkeypatch.setattr(firewall, "LIMIT_S", 0.05)
    write_program(tmp_path / "nft", "read line < /dev/zero")
    assert firewall.read_firewall().unread[0].startswith("nft could not be run: ")


def test_the_older_iptables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read only where the kernel has its tables."""
    monkeypatch.setattr(firewall, "PATHS", str(tmp_path))
    monkeypatch.setattr(firewall, "_LEGACY", (("ip", "iptables-legacy-save", tmp_path / "tables"),))
    write_program(tmp_path / "nft", "echo '{\"nftables\": []}'")
    write_program(tmp_path / "iptables-legacy-save", "printf '*filter\\n:INPUT DROP [0:0]\\nCOMMIT\\n'")
    assert firewall.read_firewall() == FirewallFacts()
    (tmp_path / "tables").write_text("filter\n")
    assert [each.policy for each in firewall.read_firewall().chains] == ["drop"]


def write_program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
