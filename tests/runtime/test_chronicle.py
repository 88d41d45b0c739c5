"""What a node remembers of a takeover: its cause, who has ordered it, and how long clients waited."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.runtime.services import GONE
from tests.runtime.services import WELL
from tests.runtime.services import FakeService
from tests.runtime.world import Host
from tests.runtime.world import MakeHost
from wsa_proxy.runtime.asker import asker
from wsa_proxy.runtime.chronicle import MEASURED_AT_ONCE
from wsa_proxy.runtime.chronicle import MEASURED_S_MAX
from wsa_proxy.runtime.control import ControlError
from wsa_proxy.runtime.facts import ProxyFacts
from wsa_proxy.runtime.group_switch import ORDERS_KEPT
from wsa_proxy.runtime.health import Health
from wsa_proxy.runtime.service_watch import Answered


async def pair(make_host: MakeHost, service: FakeService, **changes: Any) -> tuple[Host, Host]:
    """The master a, and b, who asks by this ``service``."""
    first, second = (
        make_host("a", 1, **changes),
        make_host("b", 2, priority=200, advskew=55, service=service, **changes),
    )
    first.lan.carries_report = lambda sender, receiver: True
    await first.start()
    await second.start()
    await asyncio.sleep(5.3)
    assert (first.state, second.state) == ("master", "backup")
    return first, second


async def history_of(host: Host, group: str = "1") -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = (await host.node.chronicle.history.read(group))["history"]
    return answer


async def test_the_outage_of_a_takeover_is_measured(make_host: MakeHost) -> None:
    """Silence: from the last sign of service until this node's virtual IP answers its own question."""
    service = FakeService()
    first, second = await pair(make_host, service)
    heard: list[dict[str, Any]] = []
    second.node.chronicle.history.on_event.append(heard.append)
    service.answer = lambda here: WELL if here else GONE
    first.running = False
    died_s = first.loop.now
    taken_at_s: list[float] = []
    second.node.chronicle.history.on_event.append(lambda _: taken_at_s.append(second.loop.now))
    await asyncio.sleep(4)
    taken_s = taken_at_s[0]
    event = (await history_of(second))[0]
    assert (event["reason"], event["who"]) == ("master_silent", "") and event["number"] == heard[0]["number"]
    assert heard[0]["outage"] is None and heard[1] == event
    served_s = taken_s + service.takes_s
    outage = event["outage"]
    assert outage["ms_min"] <= (served_s - died_s) * 1000 <= outage["ms_max"] <= outage["ms_min"] + 1300
    group = second.node.status()["groups"][0]
    assert group["last_outage"] == {
        "at": event["at"],
        **outage,
        "age_s": pytest.approx(died_s + 4 - served_s, abs=0.02),
    }
    assert group["service"]["answers"] and service.asked[-1][3]


async def test_clients_that_were_told_belong_to_the_takeover(make_host: MakeHost) -> None:
    """Before its outage is known and afterwards, and no longer than this node is master."""
    service = FakeService()
    first, second = await pair(make_host, service)
    chronicle = second.node.chronicle
    chronicle.told(1, 9)  # it is backup: whoever said that, it was no takeover of this node
    service.answer = lambda here: WELL if here else GONE

    def at_once(event: dict[str, Any]) -> None:
        chronicle.history.on_event.remove(at_once)
        asyncio.get_running_loop().call_soon(chronicle.told, 1, 3)

    chronicle.history.on_event.append(at_once)
    first.running = False
    await asyncio.sleep(4)
    chronicle.told(1, 4)
    event = (await history_of(second))[0]
    assert event["outage"] and event["evidence"].endswith(" told=7") and "told=9" not in str(await history_of(second))
    assert event["sentence"].endswith("; clients that were told that their connections are gone: 7.")
    second.node.stop("the test is over")
    chronicle.told(1, 5)
    assert "told=12" not in str(await history_of(second))


async def test_one_that_does_not_serve_yet_asks_again(make_host: MakeHost) -> None:
    """The outage lasts until there is an answer."""
    service = FakeService()
    first, second = await pair(make_host, service)
    first.node.stop("orderly stop")
    stopped_s = first.loop.now
    service.answer = lambda here: WELL if second.loop.now > stopped_s + 0.7 else GONE
    await asyncio.sleep(2)
    outage = (await history_of(second))[0]["outage"]
    assert (outage["ms_min"], outage["ms_max"]) == (0.0, pytest.approx(710, abs=10))


async def test_a_master_that_never_serves_has_measured_nothing(make_host: MakeHost) -> None:
    """It is given up, and what is known of the takeover stays without a length."""
    service = FakeService()
    first, second = await pair(make_host, service)
    service.answer = lambda here: GONE
    first.node.stop("orderly stop")
    await asyncio.sleep(MEASURED_S_MAX + 2)
    assert (await history_of(second))[0]["outage"] is None
    assert second.node.status()["groups"][0]["last_outage"] is None and not second.node.chronicle._measuring
    assert len(service.asked) > 500


async def test_a_question_that_breaks_keeps_nobody_from_being_told(make_host: MakeHost) -> None:
    """Of the takeover, without its outage."""
    told: list[tuple[str, Any]] = []
    service = FakeService()
    first, second = await pair(make_host, service)
    second.node.chronicle.notify.transition = lambda event: told.append((event["to"], event["outage"]))  # type: ignore[method-assign]

    def breaks(here: bool) -> Answered:
        raise RuntimeError("a bug of ours")

    service.answer = breaks
    first.node.stop("orderly stop")
    await asyncio.sleep(1)
    assert told == [("master", None)] and not second.node.chronicle._measuring


async def test_who_is_master_no_more_measures_no_longer(make_host: MakeHost) -> None:
    """The next change is told after this one, in the order in which they happened."""
    told: list[str] = []
    service = FakeService()
    first, second = await pair(make_host, service)
    second.node.chronicle.notify.transition = lambda event: told.append(event["to"])  # type: ignore[method-assign]
    service.takes_s = 5.0
    first.node.stop("orderly stop")
    await asyncio.sleep(0.1)
    assert second.state == "master" and told == []
    second.node.stop("orderly stop")
    assert told == ["master", "init"]
    await asyncio.sleep(6)
    assert told == ["master", "init"]


async def test_where_there_is_no_proxy_nothing_is_measured(make_host: MakeHost) -> None:
    """The change itself is kept and told all the same."""
    host = make_host("a", 1)
    await host.start()
    await asyncio.sleep(5)
    group = host.node.status()["groups"][0]
    assert (group["state"], group["service"], group["last_outage"]) == ("master", None, None)
    assert [each["to"] for each in await history_of(host)] == ["master", "backup"]


async def test_the_first_master_of_a_group_ends_no_outage(make_host: MakeHost) -> None:
    """Nobody is known to have served before."""
    host = make_host("a", 1, service=FakeService(lambda here: WELL if here else GONE))
    await host.start()
    await asyncio.sleep(5)
    assert [each["outage"] for each in await history_of(host)] == [None, None]


async def test_an_order_on_one_node_is_told_on_both(make_host: MakeHost) -> None:
    """A switch, and the maintenance that begins with one."""
    service = FakeService()
    first, second = await pair(make_host, service)
    others: list[str] = []
    second.node._tell_others = lambda _, transition: others.append(transition.who)
    asker.set("operator (uid 1000, cli)")
    switched = await second.node.verbs["switch"](group="1", to="b")  # type: ignore[misc]
    await asyncio.sleep(1)
    assert switched == {"changes": ["group 1: node b is master"]}
    for host, state in ((first, "backup"), (second, "master")):
        event = (await history_of(host))[0]
        assert (event["to"], event["who"]) == (state, "operator (uid 1000, cli)")
    assert others == ["operator (uid 1000, cli)"]
    asker.set("operator (page)")
    await second.node.verbs["maintenance_on"](reason="new disk", duration="1h")  # type: ignore[misc]
    await asyncio.sleep(1)
    for host, state in ((first, "master"), (second, "backup")):
        event = (await history_of(host))[0]
        assert (event["to"], event["who"]) == (state, "operator (page)")


async def test_a_demotion_elsewhere_is_put_down_to_that_nodes_operator(make_host: MakeHost) -> None:
    """Its reports say why it is demoted; who it was is known there only."""
    service = FakeService()
    first, second = await pair(make_host, service)
    first.node.operator.demote("new disk")
    await asyncio.sleep(1)
    event = (await history_of(second))[0]
    assert (event["to"], event["reason"], event["who"]) == ("master", "master_demoted", "operator (node a)")
    assert event["outage"]["ms_max"] < 100


async def test_what_was_asked_without_a_cable_says_nothing_of_the_others(make_host: MakeHost) -> None:
    """Whoever comes back has asked in vain while the other one served; it ends no outage by taking over."""
    service = FakeService()
    first, second = make_host("a", 1, service=service), make_host("b", 2, priority=200, advskew=55)
    for host in (first, second):
        await host.start()
    await asyncio.sleep(5.3)
    service.answer = lambda here: WELL if here or first.running else GONE
    first.set_link(running=False)
    await asyncio.sleep(5.5)
    service.takes_s = 2.0
    await asyncio.sleep(2.5)  # a question is under way when the cable comes back, and fails later
    assert (first.state, second.state) == ("init", "master")
    service.answer = lambda here: WELL if here else GONE
    first.set_link(running=True)
    await asyncio.sleep(0.5)
    service.takes_s = 0.004
    service.answer = lambda here: WELL
    await asyncio.sleep(4)
    event = (await history_of(first))[0]
    assert (event["to"], event["reason"]) == ("master", "preempted_inferior_master")
    assert event["outage"]["ms_max"] < 100


async def test_a_master_whose_proxy_is_gone_has_not_served_until_it_was_followed(make_host: MakeHost) -> None:
    """It bows out and says why by itself, as on an orderly stop, but when its proxy is found to be gone."""
    service = FakeService()
    first, second = await pair(make_host, service)
    first.node.set_health(Health("the listening socket is shut down", None))
    await asyncio.sleep(1)
    event = (await history_of(second))[0]
    assert event["reason"] == "master_bowed_out" and "had come" in event["outage"]["how"]
    assert 0 < event["outage"]["ms_min"] < 100 < event["outage"]["ms_max"] < 1100


async def test_a_master_that_is_demoted_by_itself_may_not_have_served(make_host: MakeHost) -> None:
    """Its self-tests took seconds to tell, and the questions of others pass by what they have found."""
    service = FakeService()
    first, second = await pair(make_host, service)
    first.node.operator.demote("new disk")
    await asyncio.sleep(1)
    assert second.node.status()["groups"][0]["last_outage"]["ms_max"] < 100
    first.node.operator.restore()
    await asyncio.sleep(3)
    first.node.set_health(Health(None, "4 hooks wait for an addon"))
    await asyncio.sleep(1)
    event = (await history_of(second))[0]
    assert (event["to"], event["reason"], event["who"], event["outage"]) == ("master", "master_demoted", "", None)
    assert second.node.status()["groups"][0]["last_outage"] is None, "that is of an earlier one"


async def test_the_members_ports_are_told_to_the_proxy(make_host: MakeHost) -> None:
    """So that it knows their questions, and shows them to nobody."""
    service = FakeService()
    first, second = await pair(make_host, service, facts=ProxyFacts(probes_from=40_001))
    assert service.expected == {("10.0.0.1", 40_001), ("10.0.0.2", 0)}
    first.running = False
    await asyncio.sleep(20)
    assert second.state == "master" and ("10.0.0.1", 40_001) in service.expected, "it asks before it is heard again"


async def test_many_takeovers_at_once_ask_a_few_times(make_host: MakeHost) -> None:
    """One proxy serves all groups: 30 questions in the moment in which the clients come would keep these waiting."""
    service = FakeService(takes_s=0.004)
    first, second = await pair(make_host, service, more_vhids=range(2, 31))
    asked = len(service.asked)
    first.node.stop("orderly stop")
    await asyncio.sleep(0.1)
    assert sum(here for *_, here in service.asked[asked:]) <= MEASURED_AT_ONCE + 1
    newest = {each["group"]: each["outage"] for each in reversed(await history_of(second, ""))}
    assert len(newest) == 31 and all(each["ms_max"] < 50 for vhid, each in newest.items() if vhid)


async def test_another_file_is_taken(make_host: MakeHost) -> None:
    """Another command from the next change on; of a group that has ended nothing is told when it begins again."""
    service = FakeService()
    first, second = await pair(make_host, service)
    first.running = False
    await asyncio.sleep(4)
    node = second.node
    assert node.status()["groups"][0]["last_outage"] is not None
    node.chronicle.take([], replace(node.settings, notify=("/usr/bin/other",)))
    assert node.chronicle.notify._command == ("/usr/bin/other",)
    node.chronicle.take(node._groups, node.settings)
    assert node.status()["groups"][0]["last_outage"] is None


async def test_who_has_ended_asks_no_more(make_host: MakeHost) -> None:
    """The proxy that answered is going as well."""
    service = FakeService()
    _, second = await pair(make_host, service)
    second.node.close()
    asked = len(service.asked)
    await asyncio.sleep(5)
    assert len(service.asked) == asked > 0


async def test_who_has_ordered_a_switch_is_remembered_of_the_last_ones(make_host: MakeHost) -> None:
    """Members tell it in their reports, as many orders as they like."""
    _, second = await pair(make_host, FakeService())
    switch = second.node.switches.groups[1]
    for number in range(100):
        switch._given(bytes([number]), f"operator {number}")
    assert [*switch._by] == [bytes([number]) for number in range(100 - ORDERS_KEPT, 100)]


async def test_a_node_that_was_refused_writes_nothing(make_host: MakeHost) -> None:
    """The folder is another one's, and so is the history in it."""
    first, second = make_host("a", 1), make_host("a", 1)
    await first.start()
    await asyncio.sleep(5)
    with pytest.raises(ControlError):
        await second.node.start()
    second.node.close()
    assert [each["to"] for each in await history_of(first, "")] == ["master", "backup", "started"]
