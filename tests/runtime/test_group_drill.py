"""Drills: real nodes, reports and drivers in virtual time; the virtual IP answers while some host holds it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.runtime.test_group_switch import make
from tests.runtime.test_group_switch import owners
from tests.runtime.world import Host
from tests.runtime.world import MakeHost
from wsa_proxy.net.ports import Address
from wsa_proxy.runtime.drill_report import KEPT_MAX
from wsa_proxy.runtime.group_drill import ASKED_S_MAX
from wsa_proxy.runtime.group_switch import ProxySide
from wsa_proxy.runtime.health import Health
from wsa_proxy.runtime.tasks import create_task


def probed(hosts: list[Host], answers: Any = None) -> list[str]:
    """Each probe takes 2 ms, and is answered by whoever is master. Notes who has probed."""
    probers: list[str] = []

    def probe_of(host: Host) -> Any:
        async def probe(address: Address, port: int) -> bool:
            assert (str(address), port) == ("10.0.0.3", 8080)
            if host.name not in probers:
                probers.append(host.name)
            await asyncio.sleep(0.002)
            return bool(owners(hosts)) if answers is None else answers()

        return probe

    for host in hosts:
        host.node.switches.groups[1].drill._probe = probe_of(host)
    return probers


async def drill(host: Host, objective_ms: str = "200") -> dict[str, Any]:
    told: dict[str, Any] = await host.node.drill("1", objective_ms)
    return told


@pytest.mark.parametrize("by", "abc")
async def test_there_and_back_measured_by_a_third(make_host: MakeHost, by: str) -> None:
    """On whichever node it is run; the service is where it was, nobody is demoted, and the report is kept."""
    hosts = await make(make_host, security=("sealed",))
    probers = probed(hosts)
    giver = next(host for host in hosts if host.name == by)
    told = (await drill(giver))["drill"]
    assert told["exit_status"] == 0 and probers == ["c"], told
    legs = [(leg["source"], leg["target"], leg["prober"], leg["why_not"]) for leg in told["legs"]]
    assert legs == [("a", "b", "c", ""), ("b", "a", "c", "")]
    for leg in told["legs"]:
        assert 10 <= leg["measured"]["outage_ms"] <= 20 and leg["measured"]["failed"] == 0
        assert leg["measured"]["probes"] > 100
    assert told["lines"][-1] == "pass: node a is master"
    await asyncio.sleep(3)
    assert owners(hosts) == "a" and not any(host.driver.demotions.reasons for host in hosts)
    kept = json.loads((giver.node.settings.state_dir / "drills.json").read_text())
    assert kept == {"drills": [json.loads(json.dumps(told))]}


async def test_of_two_nodes_the_one_that_takes_over_probes(make_host: MakeHost) -> None:
    """The other one may have the address silently."""
    hosts = await make(make_host, "ab")
    probers = probed(hosts)
    told = (await drill(hosts[0]))["drill"]
    assert told["exit_status"] == 0 and [leg["prober"] for leg in told["legs"]] == ["b", "a"] and probers == ["b", "a"]


async def test_the_objective_is_missed(make_host: MakeHost) -> None:
    """Nobody answers for a while in the second half."""
    hosts = a, _, _ = await make(make_host)
    silent = False

    def answers() -> bool:
        nonlocal silent
        silent = a.driver.virtual_host.state.value == "backup" and a.loop.now % 1 < 0.25
        return not silent

    probed(hosts, answers)
    told = (await drill(hosts[0], "100"))["drill"]
    assert told["exit_status"] == 3 and told["lines"][-1] == "FAIL: node a is master"
    assert any("FAIL" in line and "probes of c failed" in line for line in told["lines"])
    assert max(leg["measured"]["outage_ms"] for leg in told["legs"]) >= 240


@pytest.mark.parametrize(
    ("objective_ms", "group", "error"),
    [
        ("0", "1", "the objective must be a whole number of milliseconds from 1 to 60000"),
        ("1 s", "1", "the objective must be a whole number of milliseconds from 1 to 60000"),
        ("200", "2", "no group has the id 2"),
    ],
)
async def test_what_makes_no_sense(make_host: MakeHost, objective_ms: str, group: str, error: str) -> None:
    hosts = await make(make_host, "ab")
    assert await hosts[0].node.drill(group, objective_ms) == {"error": error}


async def test_it_refuses_without_a_healthy_standby(make_host: MakeHost) -> None:
    """Nothing is tried then; nor while another one is under way, or without any master."""
    a, b = await make(make_host, "ab")
    b.node.operator.demote("it hums")
    await asyncio.sleep(1.5)
    assert "no healthy standby: b: demoted by the operator: it hums" in (await drill(a))["error"]
    b.node.operator.restore()
    await asyncio.sleep(1.5)
    first = asyncio.get_running_loop().create_task(drill(a))
    await asyncio.sleep(0.01)
    assert await drill(a) == {"error": "group 1: a drill is under way"}
    assert (await first)["drill"]["exit_status"] == 0
    a.node.set_health(Health(hard="gone", soft=None))
    b.node.set_health(Health(hard="gone", soft=None))
    await asyncio.sleep(1.5)
    assert await drill(a) == {"error": "group 1: nobody is known to be master"}


@pytest.mark.parametrize("preempt", [True, False])
@pytest.mark.parametrize("at_s", [0.2, 0.3, 0.35, 0.4, 0.8, 1.2, 1.5, 1.65, 1.7])
async def test_the_standby_dies_in_the_middle(make_host: MakeHost, preempt: bool, at_s: float) -> None:
    """It says so, and the service ends on the first node."""
    hosts = a, b, c = await make(make_host, preempt=preempt, security=("sealed",))
    probed(hosts)
    told = asyncio.get_running_loop().create_task(drill(a))
    await asyncio.sleep(at_s)
    b.running = False
    b.node.set_health(Health(hard="dead", soft=None))
    report = (await told)["drill"]
    assert report["ended_on"] == owners([a, c]) == "a", report
    if at_s <= 1.5:  # later the service is back already, or nearly
        assert report["exit_status"] == 1 and report["lines"][-1] == "not carried out: node a is master"
        assert report["legs"][-1]["why_not"]
    await asyncio.sleep(10)
    assert owners([a, c]) == "a"


async def test_the_first_node_is_not_ready_for_the_way_back(make_host: MakeHost) -> None:
    """It cannot prove itself at first: the drill has failed, and the service ends where it was all the same."""
    hosts = a, _, _ = await make(make_host)
    probed(hosts)
    answers = ["no answer to GET", "no answer to GET", ""]

    async def prove() -> str:
        return answers.pop(0)

    switch = a.node.switches.groups[1]
    switch._proxy = ProxySide(prove=prove)
    told = (await drill(hosts[2]))["drill"]
    assert told["exit_status"] == 1 and told["legs"][1]["why_not"] == "node a cannot serve: no answer to GET; b goes on"
    assert told["ended_on"] == owners(hosts) == "a" and answers == []


@pytest.mark.parametrize("by", "abc")
async def test_the_operator_switches_to_a_third_node_in_the_middle(make_host: MakeHost, by: str) -> None:
    """That order counts: the drill does not go on from a node that is master no more, and takes nothing back."""
    hosts = a, b, c = await make(make_host)
    probed(hosts)
    running = create_task(drill(next(host for host in hosts if host.name == by)), name="drill")
    await asyncio.sleep(1.2)
    assert owners(hosts) == "b"
    assert "changes" in await b.node.switch("1", "c")
    told = (await running)["drill"]
    assert owners(hosts) == "c" and told["exit_status"] == 1
    assert [leg["why_not"] for leg in told["legs"]] == ["", "node c is master already"]
    assert told["lines"][-1] == "not carried out: node c is master, not a as before"
    await asyncio.sleep(5)
    assert (a.state, b.state, c.state) == ("backup", "backup", "master")


async def test_who_probes_does_not_answer(make_host: MakeHost) -> None:
    """Nothing has been switched; nobody is left probing when whoever wanted it is gone."""
    hosts = a, _, c = await make(make_host)
    probers = probed(hosts)
    a.lan.carries_report = lambda sender, receiver: (sender, receiver) != ("c", "a")
    told = (await drill(a))["drill"]
    assert told["exit_status"] == 1 and len(told["legs"]) == 1
    assert told["legs"][0]["why_not"] in ("node c does not probe the virtual IP",), told
    assert probers == ["c"] and owners(hosts) == "a"
    a.running = False
    await asyncio.sleep(ASKED_S_MAX + 40)
    drilling = c.node.switches.groups[1].drill._probing
    assert drilling is None or drilling.is_over


async def test_a_bounded_number_of_reports_is_kept(make_host: MakeHost) -> None:
    """The last ones; a damaged file begins anew."""
    a, b = await make(make_host, "ab")
    probed([a, b])
    path = a.node.settings.state_dir / "drills.json"
    path.write_text("{")
    await drill(a)
    (one,) = json.loads(path.read_text())["drills"]
    path.write_text(json.dumps({"drills": [one] * (KEPT_MAX + 3)}))
    newest = (await drill(a))["drill"]
    kept = json.loads(path.read_text())["drills"]
    assert len(kept) == KEPT_MAX and kept[-1] == json.loads(json.dumps(newest))


async def test_whatever_is_raised_in_the_middle_the_service_goes_back(make_host: MakeHost) -> None:
    """And the next drill is not under way already."""
    hosts = await make(make_host)
    probed(hosts)
    group_drill: Any = hosts[0].node.switches.groups[1].drill
    leg_back = group_drill._leg_back

    async def broken(*_: str) -> Any:
        raise RuntimeError("in the middle")

    group_drill._leg_back = broken
    with pytest.raises(RuntimeError, match="in the middle"):
        await drill(hosts[0])
    await asyncio.sleep(3)
    assert owners(hosts) == "a" and not any(host.driver.demotions.reasons for host in hosts)
    group_drill._leg_back = leg_back
    assert (await drill(hosts[0]))["drill"]["exit_status"] == 0
