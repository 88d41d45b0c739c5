"""What is said to be wrong between the nodes: as long as it is so, on whom it concerns, and nothing else."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from tests.runtime.members import listed
from tests.runtime.members import members
from tests.runtime.members import start_three
from tests.runtime.world import Host
from tests.runtime.world import MakeHost
from wsa_proxy.net.ports import Packet
from wsa_proxy.runtime.facts import ProxyFacts
from wsa_proxy.runtime.reload import make_plan


@pytest.fixture
async def three(make_host: MakeHost) -> list[Host]:
    return await start_three(make_host)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"virtual_ips": ("10.0.0.3/16",)}, "netmask 10.0.0.3/16, here 10.0.0.3/24"),
        ({"hostname": "other.example.com"}, "hostname other.example.com, here proxy.example.com"),
        ({"preempt": False}, "Failover Handling non-preemptive, here preemptive"),
        ({"port": 8081}, "port 8081, here 8080"),
        ({"virtual_mac": True}, "mac virtual, here interface"),
        ({"advbase": 2}, "advertisement interval 2 s, here 1 s"),
        ({"pass_phrases": (b"a good phrase", b"the next one")}, "list of Shared Secrets"),
        ({"facts": ProxyFacts(options={"ssl_insecure": "True"})}, "option ssl_insecure True, here none"),
    ],
)
async def test_what_differs_is_named_and_changes_nothing(
    make_host: MakeHost, changes: dict[str, Any], words: str
) -> None:
    """Exactly that, on both sides, and the odd one is as good a standby as any."""
    hosts = [make_host("a", 1), make_host("b", 2, priority=200, advskew=55, **changes)]
    hosts[0].lan.carries_report = lambda sender, receiver: True
    for host in hosts:
        await host.start()
    await asyncio.sleep(8)
    a, b = hosts
    assert (a.state, b.state) == ("master", "backup")
    (finding,) = members(a)["findings"]
    assert finding.startswith("node b: ") and words in finding
    assert len(members(b)["findings"]) == 1 and listed(a)["b"]["is_ready"]


async def test_another_secret_is_only_suspected(make_host: MakeHost) -> None:
    """It is said, and changes nothing."""
    a, b = make_host("a", 1), make_host("b", 2, priority=200, advskew=55)
    c = make_host("c", 9, priority=100, advskew=155, pass_phrases=(b"another phrase",))
    a.lan.carries_report = lambda sender, receiver: True
    for host in (a, b):
        await host.start()
    await asyncio.sleep(8)
    await c.start()
    await asyncio.sleep(2.5)
    assert (a.state, b.state) == ("master", "backup")
    assert any("another Shared Secret" in each for each in members(a)["findings"])
    assert listed(a).keys() == {"b"} and "c" not in a.driver.obstacles


async def sentences(host: Host, seconds: float) -> set[str]:
    """All that it finds within that time, looked at ten times a second."""
    found: set[str] = set()
    for _ in range(round(seconds * 10)):
        await asyncio.sleep(0.1)
        found.update(members(host)["findings"])
    return found


async def test_of_a_master_that_is_new_nothing_is_blocked(three: list[Host]) -> None:
    """Although the last one's advertisements were: nobody has missed those of this one yet."""
    a, b, c = three
    a.lan.carries_advertisement = lambda sender, receiver: False
    assert any("between a and c" in each for each in await sentences(c, 8))
    a.running = False
    for _ in range(40):
        if b.driver.is_master:
            break
        await asyncio.sleep(0.1)
    told = await sentences(c, 3)
    assert not any("between b and c" in each for each in told)
    assert any("between b and c" in each for each in await sentences(c, 2)), "it has, by now"


async def test_whoever_was_not_heard_for_a_while_is_not_blocked(
    three: list[Host], caplog: pytest.LogCaptureFixture
) -> None:
    """Its first report repeats nothing new; that the next ones do not either is not known yet."""
    a, b, _ = three
    await asyncio.sleep(8)
    for _ in range(3):
        a.lan.carries_report = lambda sender, receiver: "b" not in (sender, receiver)
        await asyncio.sleep(10.3)
        a.lan.carries_report = lambda sender, receiver: True
        assert not await sentences(b, 5)
    assert "is blocked" not in caplog.text
    a.lan.carries_report = lambda sender, receiver: (sender, receiver) != ("b", "a")
    assert any("blocked from b to a" in each for each in await sentences(b, 12))


async def test_a_third_node_tells_of_two_masters(three: list[Host]) -> None:
    """It hears both; they do not hear each other, and cannot know it."""
    a, b, c = three
    a.lan.carries_advertisement = a.lan.carries_report = lambda sender, receiver: {sender, receiver} != {"a", "b"}
    found = await sentences(c, 15)
    assert (a.state, b.state) == ("master", "master")
    told = [each for each in found if "both master" in each]
    assert told == [
        "nodes a and b are both master: they do not hear each other; let IP protocol 112 and UDP port 8112 pass"
        " between them"
    ]
    a.lan.carries_advertisement = a.lan.carries_report = lambda sender, receiver: True
    await asyncio.sleep(3)
    assert members(c)["findings"] == [] and (a.state, b.state) == ("master", "backup")


async def test_reports_alone_are_blocked(make_host: MakeHost) -> None:
    """A backup knows that its master lives, and says what does not arrive. A dead master is silent in both ways."""
    a, b = make_host("a", 1, security=("sealed",)), make_host("b", 2, priority=200, advskew=55, security=("sealed",))
    a.lan.carries_report = lambda sender, receiver: True
    for host in (a, b):
        await host.start()
    assert not await sentences(b, 12)
    await asyncio.sleep(0.35)
    b.node.reporting.groups[1].roster.members.clear()  # its group starts anew: nobody has reported yet
    assert not await sentences(b, 3)
    a.lan.carries_report = lambda sender, receiver: False
    assert await sentences(b, 10) == {
        "no report of the master (10.0.0.1) arrives here, its advertisements do: let UDP port 8112 pass from it to b"
    }
    a.running = False
    await asyncio.sleep(4)
    assert b.state == "master" and members(b)["findings"] == []


async def test_a_suspect_with_many_addresses_makes_one_line(
    three: list[Host], make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    """The source of an advertisement is its sender's own choice; after a minute without any nobody is suspected."""
    b = three[1]
    stranger = make_host("z", 9, pass_phrases=(b"another phrase",))
    for number in range(20):
        b.inbox.put(Packet(4, f"10.0.0.{100 + number}", stranger.mac, 255, stranger.says(1, 0, 0)))
        await asyncio.sleep(1)
    lines = [line for line in caplog.messages if "advertises this group with another Shared Secret" in line]
    assert len(lines) == 1 and "at 10.0.0.100 (unverified)" in lines[0]
    assert any("10.0.0.100" in each for each in members(b)["findings"])
    await asyncio.sleep(62)
    assert members(b)["findings"] == []


async def test_a_longer_interval_is_no_silence(make_host: MakeHost) -> None:
    """After a reload a master is missed after its new interval only."""
    hosts = [make_host("a", 1), make_host("b", 2, priority=200, advskew=55)]
    hosts[0].lan.carries_report = lambda sender, receiver: True
    for host in hosts:
        await host.start()
    await asyncio.sleep(8)
    for host in hosts:
        slow = dataclasses.replace(host.node.settings.groups[0], advbase=60)
        host.node.apply(make_plan(host.node.settings, dataclasses.replace(host.node.settings, groups=(slow,))))
    for _ in range(60):
        await asyncio.sleep(5)
        assert [members(host)["findings"] for host in hosts] == [[], []]
