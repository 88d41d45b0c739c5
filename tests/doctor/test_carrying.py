from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from tests.doctor.patients import facts
from tests.doctor.patients import findings
from tests.doctor.patients import group
from tests.doctor.patients import node
from tests.doctor.patients import only
from tests.doctor.patients import whys
from tests.test_carry_text import QUIET
from wsa_proxy.carry_text import CAUSES
from wsa_proxy.doctor import carrying
from wsa_proxy.doctor.carrying import OWN_TABLES
from wsa_proxy.doctor.carrying import check
from wsa_proxy.doctor.facts import FirewallFacts
from wsa_proxy.doctor.iptables import read_saved
from wsa_proxy.doctor.ruleset import Chain
from wsa_proxy.doctor.ruleset import Rule
from wsa_proxy.doctor.ruleset import Verdict
from wsa_proxy.net.steering import Steering

LACKS = "this kernel has no nf_tables: Protocol not supported"
BY_NAME = """*filter
:INPUT DROP [0:0]
-A INPUT -i carp1 -p tcp --dport 8080 -j ACCEPT
"""


def saying(cannot_steer: str | None) -> Any:
    """The running node."""
    return node(carry=QUIET | {"cannot_steer": cannot_steer}, port=8080)


def test_a_host_that_can() -> None:
    """With a node or without; where members tell each other nothing, nobody has to."""
    assert list(check(facts())) == list(check(facts(node=saying(None)))) == []
    assert list(check(facts(group(report_port=None), cannot_steer=LACKS))) == []


def test_a_host_that_cannot() -> None:
    """What its kernel lacks, and what helps."""
    finding = only(check, facts(cannot_steer=LACKS))
    assert finding.what == f"this host cannot steer open connections: {LACKS}"
    assert finding.fix == CAUSES["no nf_tables"]


def test_without_the_right_nothing_was_tried() -> None:
    """What the doctor lacks is not what the host lacks; a running node has tried."""
    mine = {"missing_rights": ("CAP_NET_ADMIN",), "cannot_steer": "the process needs CAP_NET_ADMIN"}
    assert whys(check(facts(**mine))) == ["without CAP_NET_ADMIN it cannot be tried: run the doctor as root"]
    finding = only(check, facts(node=saying(LACKS), **mine))
    assert (finding.what, finding.fix) == (
        f"the running node cannot steer open connections: {LACKS}",
        CAUSES["no nf_tables"],
    )


def test_a_module_that_was_loaded_since() -> None:
    """The node tries it at its start only."""
    assert only(check, facts(node=saying(LACKS))).fix == "this host can by now: restart the node, in its maintenance"


@pytest.mark.parametrize(
    ("rules", "patient", "found"),
    [
        (BY_NAME, group(), 1),
        (BY_NAME + "-A INPUT -i eth0 -p tcp --dport 8080 -j ACCEPT\n", group(), 0),
        (BY_NAME + "-A INPUT -m state --state ESTABLISHED -j ACCEPT\n", group(), 0),
        (BY_NAME, group(virtual_mac=False), 0),
        (BY_NAME.replace("carp1", "carp2"), group(), 0),
        (BY_NAME, group(addresses=(ip_address("fd00:77::3"),)), 0),
    ],
    ids=["by name", "both", "what is open", "one interface", "neither passes", "IPv6 has other rules"],
)
def test_rules_that_go_by_the_name_of_the_interface(rules: str, patient: Any, found: int) -> None:
    """Of a connection that is open: whatever passes on the one must pass on the other."""
    told = facts(patient, node=saying(None), firewall=FirewallFacts(read_saved(rules, "ip")))
    assert len(findings(check(told))) == found
    for each in findings(check(told)):
        assert each.what.startswith("the packet filter drops TCP port 8080 to 10.0.0.3 coming in on eth0, where ")
        assert each.evidence.endswith("policy drop; on carp1 they pass")
        assert each.fix.startswith("let TCP port 8080 pass on eth0 as on carp1")
    assert list(check(facts(patient, firewall=told.firewall))) == []  # the port is told by the running node


def test_what_steers_just_now_is_no_packet_filter() -> None:
    """Nobody can read what it does with a frame, and it hides nothing that others drop."""
    steers = Rule((), Verdict.UNKNOWN, "", "fwd")
    table = Chain("netdev", f"{OWN_TABLES}7", "in-carp1", (steers,), "ingress", "accept", ("carp1",))
    told = facts(node=saying(None), firewall=FirewallFacts((*read_saved(BY_NAME, "ip"), table)))
    assert len(findings(check(told))) == 1


@pytest.mark.parametrize("lacks", [LACKS, None])
def test_the_kernel_is_asked_and_nothing_is_left(monkeypatch: pytest.MonkeyPatch, lacks: str | None) -> None:
    """Its word is passed on; the table is gone with its socket."""
    closed = []

    class Trying(Steering):
        def _try(self) -> str | None:
            return lacks

        def close(self) -> None:
            closed.append(self)
            super().close()

    monkeypatch.setattr(carrying, "Steering", Trying)
    assert carrying.try_steering() == lacks and closed
