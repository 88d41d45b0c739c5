"""Facts for the tests of single checks: a node on eth0, and a healthy member beside it."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

from wsa_proxy.doctor.facts import Facts
from wsa_proxy.doctor.facts import Group
from wsa_proxy.doctor.facts import Node
from wsa_proxy.doctor.facts import Sound
from wsa_proxy.doctor.finding import Answer
from wsa_proxy.doctor.finding import Finding
from wsa_proxy.doctor.finding import NotMade

VIP = ip_address("10.0.0.3")
OWN_MAC = "02:00:00:00:00:0a"
OTHER_MAC = "02:00:00:00:00:0b"


def group(**changes: Any) -> Group:
    values: dict[str, Any] = {"vhid": 1, "interface": "eth0", "addresses": (VIP,), "virtual_mac": True, "peers": ()}
    return Group(**(values | {"interval_s": 1.0, "report_port": 8112} | changes))


def sound(**changes: Any) -> Sound:
    values: dict[str, Any] = {"seconds": 3.0, "mac": OWN_MAC}
    return Sound(**(values | changes))


def member(**changes: Any) -> dict[str, Any]:
    """Node b, as the status document of node a has it."""
    return {
        "node": "b",
        "life": "0123456789abcdef",
        "address": "10.0.0.2",
        "state": "backup",
        "health": "well",
        "reasons": [],
        "priority": 100,
        "demotion": 0,
        "group": 1,
        "versions": {},
        "clock_offset_s": 0.01,
        "age_s": 0.4,
        "is_fresh": True,
        "hears_us": True,
        "left": False,
        "mismatches": [],
        "is_ready": True,
        "not_ready": [],
        "maintenance": None,
    } | changes


def members(*others: dict[str, Any], **changes: Any) -> dict[str, Any]:
    redundancy = {"healthy_standbys": 1, "lost_s": None, "why": None}
    document = {"reports": "sent", "port": 8112, "life": "fedcba9876543210", "redundancy": redundancy, "findings": []}
    return document | {"list": list(others)} | changes


def status(**changes: Any) -> dict[str, Any]:
    """Node a's part of the document about group 1."""
    return {
        "id": 1,
        "virtual_ip": ["10.0.0.3/24"],
        "interface": "eth0",
        "advertisement_interval_s": 1,
        "state": "master",
        "security": ["sealed"],
        "peers": [],
        "rejected": {},
        "last_rejected": {},
        "virtual_mac": {"address": "00:00:5e:00:01:01", "network": "carried"},
        "members": members(member()),
    } | changes


def node(**changes: Any) -> Node:
    return Node({"node": "a", "pid": 4711, "groups": [status(**changes)]})


def facts(*groups: Group, **changes: Any) -> Facts:
    """With the file's secrets read, unless the test says otherwise."""
    return Facts(groups=groups or (group(),), **({"with_keys": True} | changes))


def findings(answers: Iterable[Answer]) -> list[Finding]:
    return [each for each in answers if isinstance(each, Finding)]


def whys(answers: Iterable[Answer]) -> list[str]:
    """Of what was not made."""
    return [each.why for each in answers if isinstance(each, NotMade)]


def only(check: Callable[[Facts], Iterable[Answer]], given: Facts) -> Finding:
    """The one answer of this check, which is a finding."""
    answers = list(check(given))
    assert len(answers) == 1 and isinstance(answers[0], Finding), answers
    return answers[0]
