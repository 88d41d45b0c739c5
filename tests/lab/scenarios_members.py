"""Three nodes that see each other by their reports: what they tell, and what they do when CARP alone does not suffice.

As in scenarios.py, a function does things and returns what it saw; the judging is in test_end_to_end_members.py.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

from tests.lab.scenarios import do
from tests.lab.scenarios import say
from tests.lab.scenarios import seen
from tests.lab.scenarios import status
from wsa_proxy.lab.certificates import make_authority
from wsa_proxy.lab.faults import FAULTS
from wsa_proxy.lab.lab import Lab
from wsa_proxy.runtime.control import ControlError
from wsa_proxy.runtime.control import ask

NODES = "abc"
POLL_S = 0.1
LIMIT_S = 10.0
"""What takes longer is told as not having come; no judgement."""
START_S_MAX = 30.0
FILTERED_S = 7.0
"""Of each filter: two master-down intervals and more, so that a backup must ask twice."""
MASTER_DOWN_S_MAX = 3.7
"""Of the third node, the most patient one."""
FILTERS = {
    "a>b": ["ab"],
    "b>a": ["ba"],
    "all of a's, both ways": ["ab", "ba", "ac", "ca"],
}
REQUEST_EVERY_S = 0.05


def members(lab: Lab, node: str) -> dict[str, Any]:
    """What the node says of its group's members; empty while it does not answer."""
    try:
        group = status(lab, node)["groups"][0]
    except (ControlError, IndexError):
        return {}
    return dict(group.get("members") or {})


def member(lab: Lab, observer: str, name: str) -> dict[str, Any]:
    """What one node says of another; empty if it does not know it."""
    return entry(members(lab, observer), name)


def entry(told: dict[str, Any], name: str) -> dict[str, Any]:
    """Of what is told, the living process of that node; the last one of it if it is dead; empty if it is unknown."""
    entries = [each for each in told.get("list", []) if each["node"] == name]
    return max(entries, key=lambda each: (each["is_fresh"], -(each["age_s"] or 0.0)), default={})


def standbys(lab: Lab, node: str) -> int | None:
    """How many healthy standbys the node knows of; None: it does not say."""
    found = members(lab, node).get("redundancy", {}).get("healthy_standbys")
    return None if found is None else int(found)


def seconds_until(reached: Callable[[], bool], since_s: float, limit_s: float = LIMIT_S) -> float | None:
    """How long it took; None if it did not come to it."""
    while not reached():
        if time.monotonic() - since_s > limit_s:
            return None
        time.sleep(POLL_S)
    return time.monotonic() - since_s


def start(**settings: Any) -> tuple[Lab, float | None]:
    """Three nodes and a client that is being served; and how long after the last node's first answer all knew all."""
    lab = Lab(3, interval_s=REQUEST_EVERY_S, say=say, **settings).__enter__()
    wait_for_answers(lab)
    met_s = seconds_until(lambda: all_know_all(lab), time.monotonic())
    lab.settle()
    lab.start_client()
    lab.wait_service()
    return lab, met_s


def wait_for_answers(lab: Lab) -> None:
    """Until every node has told its status since its start."""

    def silent() -> str | None:
        return ", ".join(node.name for node in lab.nodes.values() if node.news is None) or None

    lab.wait_for("an answer of every node", silent, START_S_MAX)


def all_know_all(lab: Lab) -> bool:
    return all(member(lab, observer, name).get("is_fresh") for observer in NODES for name in NODES if name != observer)


def lost_and_back(lab: Lab) -> dict[str, Any]:
    """One standby is killed, then the other; then they come back. How soon the master says so, in seconds."""
    before = {name: members(lab, name) for name in NODES}
    do(lab, "kill", "c")
    one_left_s = seconds_until(lambda: standbys(lab, "a") == 1, lab.applied[-1].at_s)
    do(lab, "kill", "b")
    lost_s = seconds_until(lambda: standbys(lab, "a") == 0, lab.applied[-1].at_s)
    lost = members(lab, "a")
    do(lab, "start", "b")
    do(lab, "start", "c")
    seconds_until(lambda: bool(standbys(lab, "a")), lab.applied[-1].at_s, START_S_MAX)
    told_s, back = time.monotonic(), members(lab, "a")
    lab.settle()
    since_s = lab.applied[-1].at_s
    ready_s = min(each.at_s for each in lab.transitions() if each.after == "backup" and each.at_s > since_s)
    return {
        "before": before, "one_left_s": one_left_s, "lost_s": lost_s, "lost": lost, "back_s": told_s - ready_s,
        "back": back,
    }  # fmt: skip


def pairs(do_it: str, lab: Lab, ways: Sequence[str]) -> None:
    for way in ways:
        say(f"{do_it} {'>'.join(way)}")
        lab.apply(FAULTS[do_it], *way)


def filtered(each_s: float = FILTERED_S) -> dict[str, Any]:
    """Standbys are lost and come back; CARP is dropped, one way and the other and everywhere; then the owner dies."""
    lab, met_s = start()
    redundancy = lost_and_back(lab)
    told: dict[str, dict[str, Any]] = {}
    calm = {name: members(lab, name).get("findings") for name in NODES}
    began_s = time.monotonic()
    for name, ways in FILTERS.items():
        pairs("filter", lab, ways)
        time.sleep(each_s)
        told[name] = {node: status(lab, node)["groups"][0] for node in NODES}
        if name != list(FILTERS)[-1]:
            pairs("unfilter", lab, ways)
    do(lab, "kill", "a")
    killed_s = lab.applied[-1].at_s
    lab.wait_service()
    lab.settle()
    lab.apply(FAULTS["heal"])
    lab.settle()
    healed_s = seconds_until(lambda: not blocked(lab), time.monotonic())
    window = [began_s - lab.began_s, killed_s - lab.began_s]
    return seen(lab, met_s=met_s, redundancy=redundancy, calm=calm, told=told, window=window, healed_s=healed_s)


def blocked(lab: Lab) -> list[str]:
    """What the living say of advertisements that do not arrive."""
    found = [each for node in lab.nodes if lab.nodes[node].alive for each in members(lab, node).get("findings", [])]
    return [each for each in found if "do not arrive" in each]


@dataclass(frozen=True, slots=True)
class Kind:
    """A setting of node c that is not that of the others."""

    name: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    is_two_masters: bool = False
    """Without reports both would serve: it is watched until c would have."""
    anew: bool = False
    """By a start of the process, not by a reload."""


SUSPECTED = "another Shared Secret"
OTHER_CA = Path("/run/another-ca")
KINDS = (
    Kind("id", {"id": 2}, is_two_masters=True, anew=True),
    Kind("virtual_ip", {"virtual_ip": "10.0.0.9/24"}, is_two_masters=True),
    Kind("netmask", {"virtual_ip": "10.0.0.3/25"}),
    Kind("hostname", {"hostname": "other.example.com"}),
    Kind("failover_handling", {"failover_handling": "non-preemptive"}),
    Kind("advertisement_interval", {"advertisement_interval": 2}),
    Kind("security", {"security": "carp"}, is_two_masters=True),
    Kind("port", {"port": 3128}),
    Kind("ca", options={"confdir": str(OTHER_CA)}, anew=True),
    Kind("option", options={"ignore_hosts": "example.org"}, anew=True),
    # The last one: that somebody has another secret is suspected for a minute.
    Kind("secret", {"shared_secret": "not the secret"}, is_two_masters=True),
)


def mismatches(kinds: Sequence[Kind] = KINDS) -> dict[str, Any]:
    """Node c is set up otherwise, in one way after the other, and last as it was at first."""
    lab, _ = start()
    make_authority(OTHER_CA)
    judged = []
    for kind in kinds:
        say(f"mismatch: {kind.name}")
        before = what_a_says(lab)
        begin_s = change(lab, kind)
        told_s = seconds_until(functools.partial(is_told, lab, before), begin_s)
        time.sleep(MASTER_DOWN_S_MAX + 0.3 if kind.is_two_masters else 0.5)
        groups = {node: status(lab, node)["groups"] for node in NODES}
        window = [begin_s - lab.began_s, time.monotonic() - lab.began_s]
        judged.append({"name": kind.name, "told_s": told_s, "groups": groups, "window": window})
    begin_s = change(lab, Kind("none", anew=True))
    well_s = seconds_until(lambda: standbys(lab, "a") == 2, begin_s)
    left = [each for each in what_a_says(lab) if SUSPECTED not in each]
    return seen(lab, kinds=judged, well_s=well_s, left=left)


def change(lab: Lab, kind: Kind) -> float:
    """Set node c up in that way; when that was begun, monotonic."""
    if kind.anew:
        do(lab, "stop", "c")
    begin_s = time.monotonic()
    lab.configure("c", kind.overrides, kind.options)
    if kind.anew:
        do(lab, "start", "c")
        wait_for_answers(lab)
    else:
        answer = ask(lab.nodes["c"].state_dir / "control.sock", "reload", time_limit_s=10.0)
        say(str(answer))
    return begin_s


def what_a_says(lab: Lab) -> list[str]:
    """What does not fit at c, and what else a has found."""
    told = members(lab, "a")
    return [*entry(told, "c").get("mismatches", []), *told.get("findings", [])]


def is_told(lab: Lab, before: list[str]) -> bool:
    """Whether a says something else of c than before; of the process that runs now, unless it cannot read that one."""
    says, life, c = what_a_says(lab), members(lab, "c").get("life"), member(lab, "a", "c")
    heard = bool(c) and c["is_fresh"] and c["life"] == life
    return bool(says) and says != before and (heard or SUSPECTED in " ".join(set(says) - set(before)))
