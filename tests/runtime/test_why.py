"""Three sentences for each situation, from documents: what it is, what holds it there, what would change it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.runtime.world import MakeHost
from tests.test_carry_text import BUSY
from tests.test_carry_text import QUIET
from wsa_proxy.runtime.why import ENDS
from wsa_proxy.runtime.why import HEALS
from wsa_proxy.runtime.why import why
from wsa_proxy.status_warnings import OUT_FIXES

MASTER_A = {"node": "a", "state": "master", "is_fresh": True, "priority": 255}
STANDBY = {"healthy_standbys": 1, "lost_s": None, "why": None}
ALONE = {"healthy_standbys": 0, "lost_s": 3.0, "why": "a: last heard 2.9 s ago"}
TAKES_OVER = (
    "It takes over when the master is silent for 3.21 s, gives the group up or is demoted;"
    " `wsa-proxy switch 1 --to b` does it now."
)
SWITCHED = {"switch": "switched to a by the operator"}


def group(**changes: Any) -> dict[str, Any]:
    members = {"list": changes.pop("list", [MASTER_A]), "redundancy": changes.pop("redundancy", STANDBY)}
    return {
        "id": 1,
        "interface": "eth0",
        "state": "backup",
        "since": "2026-11-29T03:00:00.123456+00:00",
        "reason": "better_advertisement_received",
        "evidence": "from=10.0.0.1",
        "obstacles": {},
        "demoted_by": {},
        "preemption": {"waits_s": None, "delay_s": 0.0, "role_changes": 0},
        "last_master": "10.0.0.1",
        "priority": 200,
        "master_down_interval_s": 3.2148,
        "members": members,
    } | changes


def sentences(handling: str = "preemptive", **changes: Any) -> list[str]:
    status = {"node": "b", "failover_handling": handling, "groups": [group(**changes)]}
    told: list[str] = why(status)["why"][0]["sentences"]
    return told


def test_the_first_sentence_tells_since_when_and_why() -> None:
    """With what was seen, for whoever looks into the log."""
    first = "Group 1 is BACKUP on node b since 2026-11-29 03:00:00 UTC: "
    assert sentences()[0] == f"{first}a better master was heard (10.0.0.1); seen: from=10.0.0.1."
    assert sentences(reason="ready", evidence="")[0] == f"{first}it takes part, and listens first."
    assert sentences(reason="starting", evidence="")[0] == f"{first}it has just started."


def test_what_it_does_with_open_connections_stands_in_the_second() -> None:
    """Three sentences stay three."""
    finishes = "meanwhile it finishes 12 connections that it had as master, 43 s left"
    drains = sentences(carry=QUIET | {"drains": BUSY["drains"]})
    assert drains[1] == f"Node a has priority 255, above this node's 200; {finishes}."
    steers = sentences(carry=BUSY | {"drains": None}, state="master")
    assert steers[1].endswith("; meanwhile it steers 1 connection to node a, and steers 0 connections to node c.")
    assert sentences(carry=QUIET) == sentences() and len(drains) == len(steers) == 3


BACKUPS = [
    ("a better master", {}, "Node a has priority 255, above this node's 200.", TAKES_OVER),
    (
        "an equal master",
        {"priority": 255},
        "Node a has the same priority 255, so it stays in control.",
        TAKES_OVER,
    ),
    (
        "an inferior master, about to be preempted",
        {"list": [MASTER_A | {"priority": 100}]},
        "Node a is heard; it is outranked, and this node takes over at its next advertisement.",
        TAKES_OVER,
    ),
    (
        "non-preemptive",
        {"handling": "non-preemptive", "list": [MASTER_A | {"priority": 100}]},
        "Node a is in control, and stays so (failover_handling: non-preemptive).",
        TAKES_OVER,
    ),
    (
        "a master without reports",
        {"list": []},
        "The master 10.0.0.1 is heard, and this node with priority 200 does not outrank it.",
        TAKES_OVER,
    ),
    (
        "nobody is heard",
        {"list": [MASTER_A | {"is_fresh": False}], "last_master": None},
        "No master is heard: it listens for 3.21 s before it takes over.",
        "It becomes MASTER when nobody is heard for 3.21 s.",
    ),
    (
        "somebody else answers for the address",
        {"reason": "address_answered_by_another_host", "evidence": "mac=02:00:00:00:00:99"},
        "It does not take the virtual IP, since another host answers for it, and two would have it.",
        "Find that host and take the address away there; then this node takes over by itself.",
    ),
    (
        "preempt_delay",
        {"preemption": {"waits_s": 7.2, "delay_s": 8.0, "role_changes": 3}},
        "It outranks node a, and waits for 7.2 s more before it takes over (preempt_delay).",
        "It takes over then by itself; `wsa-proxy preempt 1` ends the wait now.",
    ),
    (
        "switched away",
        {"demoted_by": SWITCHED},
        "It gives way to any well node: switched to a by the operator.",
        "To change that: `wsa-proxy switch 1 --to b` switches back.",
    ),
    (
        "maintenance, and unwell",
        {"demoted_by": {"maintenance": "maintenance: new disk", "proxy": "get regular: no answer"}},
        "It gives way to any well node: maintenance: new disk; get regular: no answer.",
        f"To change that: {ENDS['maintenance']}; {HEALS}.",
    ),
]


@pytest.mark.parametrize(
    ("changes", "held", "change"), [case[1:] for case in BACKUPS], ids=[case[0] for case in BACKUPS]
)
def test_a_backup(changes: dict[str, Any], held: str, change: str) -> None:
    """What is first in the way is named, and what ends it."""
    assert sentences(**changes)[1:] == [held, change]


MASTERS = [
    (
        "it is the best",
        {},
        "It advertises with priority 200, and hears no master that is better.",
        "It stays until a better or healthier master is heard, its proxy, link or process fails, or"
        " `wsa-proxy switch 1` moves the group.",
    ),
    (
        "nobody could take over",
        {"redundancy": ALONE},
        "It advertises with priority 200, and hears no master that is better.",
        "It has no healthy standby, so it stays whatever happens here: no node could take over:"
        " a: last heard 2.9 s ago.",
    ),
    (
        "demoted, and the last one standing",
        {"redundancy": ALONE, "demoted_by": {"operator": "demoted by the operator: new disk"}},
        "It serves, although it should not: demoted by the operator: new disk; no node could take over:"
        " a: last heard 2.9 s ago.",
        "To change that: `wsa-proxy restore` ends it.",
    ),
    (
        "demoted just now",
        {"demoted_by": {"sending": "no buffer space"}},
        "It serves, although it should not: no buffer space; no well node has taken over yet.",
        "To change that: it ends when its advertisements can be sent again.",
    ),
]


@pytest.mark.parametrize(
    ("changes", "held", "change"), [case[1:] for case in MASTERS], ids=[case[0] for case in MASTERS]
)
def test_a_master(changes: dict[str, Any], held: str, change: str) -> None:
    """Also one that would rather not be."""
    assert sentences(state="master", last_master=None, list=[], **changes)[1:] == [held, change]


def test_one_that_cannot_take_part() -> None:
    """Each obstacle, each with what helps, as the warnings have it; one that is not known here as well."""
    obstacles = {"link": "eth0 is down", "proxy": "no answer", "other": "something"}
    _, held, change = sentences(state="init", obstacles=obstacles)
    assert held == "It cannot take part: link: eth0 is down; proxy: no answer; other: something."
    link = "connect the interface: ip link set eth0 up; cable, switch port"
    assert change == f"It takes part again when that has ended: {link}; {OUT_FIXES['proxy']}; see the log."
    assert sentences(state="init")[1] == "Nothing stands in its way any more."


def test_a_group_without_reports_or_of_an_earlier_version() -> None:
    """Keys may be absent, and nothing is claimed that is not known."""
    bare = group(state="master")
    del bare["members"]
    status = {"node": "b", "failover_handling": "preemptive", "groups": [bare, group(id=2)]}
    assert [each["group"] for each in why(status)["why"]] == [1, 2] and len(why(status, "1")["why"]) == 1
    bare["members"] = {"redundancy": {"healthy_standbys": None, "lost_s": None, "why": None}, "list": []}
    assert why(status, "1")["why"][0]["sentences"][2].startswith("It stays until")
    assert why(status, "3") == {"error": "no group has the id 3"}


async def test_the_document_of_a_running_node_has_all_that_is_needed(make_host: MakeHost) -> None:
    """In each state; by the verb, as whoever asks gets it."""
    host = make_host("a", 1)
    states = [host.node.why()["why"][0]]
    await host.start()
    states.append(host.node.why("1")["why"][0])
    for _ in range(500):
        host.loop.now += 0.01
        host.driver.turn()
    states.append(host.node.why()["why"][0])
    assert [each["state"] for each in states] == ["init", "backup", "master"]
    assert all(len(each["sentences"]) == 3 and each["group"] == 1 for each in states)
