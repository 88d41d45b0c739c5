"""A packet filter read with three values: dropped for certain, passed for certain, or neither."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from wsa_proxy.doctor.ruleset import Chain
from wsa_proxy.doctor.ruleset import Condition
from wsa_proxy.doctor.ruleset import Fate
from wsa_proxy.doctor.ruleset import Packet
from wsa_proxy.doctor.ruleset import Rule
from wsa_proxy.doctor.ruleset import Value
from wsa_proxy.doctor.ruleset import Verdict
from wsa_proxy.doctor.ruleset import outcome

UDP = Condition("protocol", (17,))
TCP = Condition("protocol", (6,))
MARKED = Condition("", ())
PACKET = Packet("UDP", 4, "eth0", ("input",), ("", ""), {"version": 4, "protocol": 17, "in": "eth0", "dport": 8112})


def rule(verdict: Verdict, *conditions: Condition, target: str = "") -> Rule:
    return Rule(conditions, verdict, target, verdict.value)


def chain(*rules: Rule, **changes: Any) -> Chain:
    values: dict[str, Any] = {"family": "inet", "table": "t", "name": "input", "hook": "input"}
    return Chain(**(values | {"rules": rules} | changes))


def fate(*chains: Chain, packet: Packet = PACKET) -> Fate:
    return outcome(packet, chains).fate


ACCEPT, DROP = rule(Verdict.ACCEPT), rule(Verdict.DROP)
MAYBE_ACCEPT, MAYBE_DROP = rule(Verdict.ACCEPT, MARKED), rule(Verdict.DROP, MARKED)
OTHERS = rule(Verdict.DROP, TCP)


@pytest.mark.parametrize(
    ("rules", "policy", "expected"),
    [
        ((), "accept", Fate.PASSED),
        ((), "drop", Fate.DROPPED),
        ((DROP,), "accept", Fate.DROPPED),
        ((ACCEPT, DROP), "drop", Fate.PASSED),
        ((OTHERS,), "accept", Fate.PASSED),
        ((rule(Verdict.ACCEPT, TCP),), "drop", Fate.DROPPED),
        ((rule(Verdict.ACCEPT, UDP),), "drop", Fate.PASSED),
        ((MAYBE_DROP,), "accept", Fate.UNSURE),
        ((MAYBE_DROP, ACCEPT), "accept", Fate.UNSURE),
        ((MAYBE_ACCEPT,), "drop", Fate.UNSURE),
        ((MAYBE_ACCEPT, DROP), "accept", Fate.UNSURE),
        ((MAYBE_ACCEPT,), "accept", Fate.PASSED),
        ((MAYBE_DROP, DROP), "accept", Fate.DROPPED),
        ((rule(Verdict.DROP, TCP, MARKED),), "accept", Fate.PASSED),
        ((rule(Verdict.NONE), DROP), "accept", Fate.DROPPED),
        ((rule(Verdict.RETURN), ACCEPT), "drop", Fate.DROPPED),
        ((rule(Verdict.RETURN, MARKED), DROP), "accept", Fate.UNSURE),
        ((rule(Verdict.UNKNOWN),), "accept", Fate.UNSURE),
        ((rule(Verdict.UNKNOWN),), "drop", Fate.UNSURE),
    ],
)
def test_one_chain(rules: tuple[Rule, ...], policy: str, expected: Fate) -> None:
    assert fate(chain(*rules, policy=policy)) is expected


@pytest.mark.parametrize(
    ("verdict", "target", "then", "expected"),
    [
        (Verdict.JUMP, (DROP,), (ACCEPT,), Fate.DROPPED),
        (Verdict.JUMP, (ACCEPT,), (DROP,), Fate.PASSED),
        (Verdict.JUMP, (OTHERS,), (DROP,), Fate.DROPPED),
        (Verdict.JUMP, (rule(Verdict.RETURN), DROP), (ACCEPT,), Fate.PASSED),
        (Verdict.GOTO, (OTHERS,), (DROP,), Fate.PASSED),
        (Verdict.JUMP, (MAYBE_ACCEPT,), (DROP,), Fate.UNSURE),
    ],
)
def test_jumps(verdict: Verdict, target: tuple[Rule, ...], then: tuple[Rule, ...], expected: Fate) -> None:
    """Who jumps comes back at the end, who goes does not: then the policy decides."""
    other = chain(*target, name="other", hook="")
    assert fate(chain(rule(verdict, target="other"), *then), other) is expected


@pytest.mark.parametrize(
    ("target", "policy", "expected"),
    [((DROP,), "accept", Fate.UNSURE), ((ACCEPT,), "drop", Fate.UNSURE), ((OTHERS,), "drop", Fate.DROPPED)],
)
def test_a_jump_that_may_be_made(target: tuple[Rule, ...], policy: str, expected: Fate) -> None:
    jump = rule(Verdict.JUMP, MARKED, target="other")
    assert fate(chain(jump, policy=policy), chain(*target, name="other", hook="")) is expected


def test_a_jump_into_nothing_and_in_a_circle() -> None:
    """The kernel has neither; a reader of rules must not hang over them."""
    assert fate(chain(rule(Verdict.JUMP, target="gone"), DROP)) is Fate.UNSURE
    circle = chain(rule(Verdict.JUMP, target="input"), DROP)
    assert fate(circle) is not Fate.PASSED


def test_every_base_chain_has_its_say() -> None:
    """Accepted by one and dropped by the next is dropped; a drop for certain is told rather than a doubtful one."""
    assert fate(chain(ACCEPT), chain(DROP, table="u")) is Fate.DROPPED
    assert fate(chain(MAYBE_DROP), chain(DROP, table="u")) is Fate.DROPPED
    assert fate(chain(MAYBE_DROP), chain(ACCEPT, table="u")) is Fate.UNSURE


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Fate.DROPPED),
        ({"hook": "output"}, Fate.PASSED),
        ({"hook": ""}, Fate.PASSED),
        ({"family": "ip"}, Fate.DROPPED),
        ({"family": "ip6"}, Fate.PASSED),
        ({"family": "netdev", "devices": ("eth1",)}, Fate.PASSED),
        ({"family": "netdev", "devices": ("eth1", "eth0")}, Fate.DROPPED),
        ({"family": "netdev"}, Fate.UNSURE),
    ],
)
def test_which_chains_are_asked(changes: dict[str, Any], expected: Fate) -> None:
    assert fate(chain(DROP, **changes)) is expected


NET = ip_network


@pytest.mark.parametrize(
    ("value", "condition", "holds"),
    [
        (17, Condition("x", (6, 17)), True),
        (17, Condition("x", (6, 17), negated=True), False),
        (17, Condition("x", (range(10, 20),)), True),
        (17, Condition("x", (range(18, 20),)), False),
        (17, Condition("x", ("udp",)), None),
        ("eth0", Condition("x", ("eth*",)), True),
        ("eth0", Condition("x", ("lo",)), False),
        (NET("10.0.0.0/24"), Condition("x", (NET("10.0.0.0/8"),)), True),
        (NET("10.0.0.0/24"), Condition("x", (NET("10.0.0.7/32"),)), None),
        (NET("10.0.0.0/24"), Condition("x", (NET("10.0.0.7/32"),), negated=True), None),
        (NET("10.0.0.0/24"), Condition("x", (NET("10.0.1.0/24"), NET("fd00::/8"))), False),
        (NET("10.0.0.0/24"), Condition("x", (NET("10.0.0.7/32"), NET("10.0.0.0/24"))), True),
        (NET("10.0.0.0/24"), Condition("x", ("@set",)), None),
        (None, Condition("x", (1,)), None),
        (frozenset({"new", "established"}), Condition("x", ("invalid",)), False),
        (frozenset({"new", "established"}), Condition("x", ("related", "established")), None),
        (frozenset({"new", "established"}), Condition("x", ("new",), negated=True), None),
        (frozenset({"new", "established"}), Condition("x", ("new", "established", "related")), True),
        (frozenset({"new", "established"}), Condition("x", ("invalid",), negated=True), True),
    ],
)
def test_conditions(value: Value | None, condition: Condition, holds: bool | None) -> None:
    """Of a network it may hold for some of its addresses only: then it cannot be decided."""
    packet = Packet("it", 4, "eth0", ("input",), ("", ""), {} if value is None else {"x": value})
    expected = {True: Fate.DROPPED, False: Fate.PASSED, None: Fate.UNSURE}[holds]
    assert fate(chain(rule(Verdict.DROP, condition)), packet=packet) is expected
