"""What becomes of open connections when a node goes that has some: who is told, and who is waited for."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

import pytest

from tests.runtime.carried import GONE_S
from tests.runtime.carried import carry
from tests.runtime.carried import client
from tests.runtime.carried import is_silent
from tests.runtime.carried import mac
from tests.runtime.carried import steered
from tests.runtime.carried import with_clients
from tests.runtime.test_group_switch import done
from tests.runtime.test_group_switch import owners
from tests.runtime.world import Host
from tests.runtime.world import MakeHost


async def out_for_a_moment(host: Host) -> None:
    """Its cable; what it sends meanwhile reaches nobody, and its kernel drops what it held for later."""
    host.set_link(running=False)
    await asyncio.sleep(0.1)
    host.sockets.connected = set()
    await asyncio.sleep(0.6)
    host.set_link(running=True)


async def test_after_a_crash_the_lost_ones_are_told(make_host: MakeHost) -> None:
    """After the announcement, and by nobody who is not master; nothing is steered to the dead."""
    a, b, c = await with_clients(make_host, "abc")
    a.running = False
    await asyncio.sleep(5)
    assert owners([b, c]) == "b" and set(b.tickles.sent) == {client(number) for number in range(3)}
    assert b.steering.in_force == {} and not c.tickles.sent
    told = carry(b)["told"]
    assert told["node"] == "a" and told["clients"] == 3 and 0 < told["age_s"] < 5
    assert [carry(host)["told_total"] for host in (b, c)] == [3, 0]
    assert "steered" not in b.driver.record.evidence and "told=3" in str(await b.node.chronicle.history.read("1"))


@pytest.mark.parametrize("error", [None, OSError("not supported")])
async def test_what_the_kernel_remembers_of_them_is_forgotten_before(
    make_host: MakeHost, error: OSError | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Or it would answer for the connection that has gone; where it cannot forget they are told all the same."""
    a, b = await with_clients(make_host)
    b.sockets.forget_error = error
    with caplog.at_level("INFO"):
        a.running = False
        await asyncio.sleep(5)
    lost = {client(number) for number in range(3)}
    assert b.sockets.forgotten == (lost if error is None else set()) and set(b.tickles.sent) == lost
    assert ("not supported; its clients hear" in caplog.text) is (error is not None)


async def test_a_node_that_dies_while_it_drains(make_host: MakeHost) -> None:
    """Three of its reports are missing: what was steered to it is its own again, and told."""
    a, b = await with_clients(make_host)
    await done(a, "b")
    await asyncio.sleep(2)
    a.running = False
    await asyncio.sleep(GONE_S)
    assert b.steering.in_force == {} and set(b.tickles.sent) == {client(number) for number in range(3)}


async def test_a_node_that_dies_while_it_steers(make_host: MakeHost) -> None:
    """The third one takes over: it steers to the node that still has them, and tells the dead one's."""
    a, b, c = await with_clients(make_host, "abc")
    await done(a, "b")
    b.sockets.connected = {client(20)}
    await asyncio.sleep(3)
    b.running = False
    await asyncio.sleep(6)
    (owner,) = [host for host in (a, c) if host.state == "master"]
    if owner is c:
        assert steered(c) == {client(number): mac(a) for number in range(3)}
    else:
        assert not is_silent(a) and not a.steering.in_force
    assert set(owner.tickles.sent) == {client(20)}


async def test_a_fence_ends_what_is_carried_over(make_host: MakeHost) -> None:
    """The guardian has removed the address: those connections are lost, and their clients are told by the master."""
    a, b = await with_clients(make_host)
    await done(a, "b")
    await asyncio.sleep(2)
    a.driver.leaving.end()
    assert carry(a)["drains"] is None and not a.driver.leaving.is_carried
    a.sockets.connected = set()
    await asyncio.sleep(2)
    assert b.steering.in_force == {}


async def test_a_group_that_ends_meanwhile(make_host: MakeHost) -> None:
    """Its steering goes with it, and so does what it holds."""
    a, b = await with_clients(make_host)
    await done(a, "b")
    await asyncio.sleep(2)
    b.node.reporting.close()
    assert b.steering.in_force == {}
    a.node.reporting.close()
    assert not is_silent(a) and not a.driver.leaving.is_carried


async def test_half_a_handshake_goes_on_and_is_told_nobody(make_host: MakeHost) -> None:
    """Whoever makes up SYNs would else choose whom the next master tells: neighbours that are not there, whose answers
    it waits for while true clients wait, or hosts that have nothing to do with it."""
    a, b = await with_clients(make_host)
    made_up = {client(number) for number in range(50, 90)}
    a.sockets.half_open = made_up
    await asyncio.sleep(2)
    assert a.node.carry_over.groups[1].carrying.left == 3
    await done(a, "b")
    await asyncio.sleep(2)
    assert set(steered(b)) == {client(number) for number in range(3)} | made_up
    await done(b, "a")
    await asyncio.sleep(4)
    a.running = False
    await asyncio.sleep(6)
    assert owners([b]) == "b" and set(b.tickles.sent) == {client(number) for number in range(3)}


@pytest.mark.parametrize("how", ["in order", "without a word"])
async def test_a_node_that_stops_waits_for_nobody_when_the_last_other_one_goes(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    """Nothing reaches it any more, and it takes the addresses no more: who waits is told now, not at drain_timeout."""
    a, b = await with_clients(make_host)
    departure = a.node.departure
    departure.begin("orderly stop")
    await asyncio.sleep(2)
    assert owners([a, b]) == "b" and departure.drains
    if how == "in order":
        b.node.stop("orderly stop")
        b.node.reporting.close()
    else:
        b.running = False
    await asyncio.sleep(3)
    assert not departure.drains and a.journal[-3:-1] == ["close connections", "release"]
    assert "3 connections are reset: no other node is there" in caplog.text


async def test_a_node_that_only_switched_takes_its_connections_back_when_the_other_one_goes(
    make_host: MakeHost,
) -> None:
    """It drains until it is master again, though nobody steers to it meanwhile."""
    a, b = await with_clients(make_host)
    await done(a, "b")
    await asyncio.sleep(2)
    b.running = False
    await asyncio.sleep(6)
    assert a.state == "master" and "close connections" not in a.journal


async def test_who_asks_on_the_host_that_takes_over_is_not_waited_for(make_host: MakeHost) -> None:
    """As a member does that probes the service while it becomes master: its own address is the answers' source then."""
    a, b = await with_clients(make_host, count=1)
    probe = b"\x0a\x00\x00\x03\x1f\x90" + ip_address(b.address).packed + (50_000).to_bytes(2, "big")
    a.sockets.connected |= {probe}
    await asyncio.sleep(2)
    assert carry(a)["drains"] is None
    await done(a, "b")
    await asyncio.sleep(2)
    assert set(steered(b)) == {client(0)} and carry(a)["drains"]["connections"] == 1
    a.sockets.connected = {probe}
    await asyncio.sleep(2)
    assert carry(a)["drains"] is None and not is_silent(a) and b.steering.in_force == {} and not b.tickles.sent


@pytest.mark.parametrize("preempt", [True, False])
async def test_who_could_not_be_told_because_the_link_was_down_is_told_by_the_next_master(
    make_host: MakeHost, *, preempt: bool
) -> None:
    """The other node, or this one itself: nobody takes over while the link is down, and who waits would wait on."""
    a, b = await with_clients(make_host, preempt=preempt)
    await out_for_a_moment(a)
    assert a.state in ("init", "backup") and not a.tickles.sent
    await asyncio.sleep(6)
    assert owners([a, b]) == ("a" if preempt else "b")
    assert set([*a.tickles.sent, *b.tickles.sent]) == {client(number) for number in range(3)}
    (teller,) = [host for host in (a, b) if host.tickles.sent]
    assert carry(teller)["told"]["node"] == "a" and carry(teller)["told"]["clients"] == 3
    sent = len(a.tickles.sent) + len(b.tickles.sent)
    await asyncio.sleep(3)
    if not preempt:
        await done(b, "a")
        await asyncio.sleep(3)
    assert len(a.tickles.sent) + len(b.tickles.sent) <= sent + 6, "the repetitions of the first time, and no more"
    assert a.steering.in_force == {} and b.steering.in_force == {}


async def test_a_link_that_is_down_for_a_moment_while_its_node_drains(make_host: MakeHost) -> None:
    """Likewise: the master is told nothing of a death, and tells who is still listed."""
    a, b = await with_clients(make_host)
    await done(a, "b")
    await asyncio.sleep(2)
    await out_for_a_moment(a)
    await asyncio.sleep(2)
    assert owners([a, b]) == "b" and set(b.tickles.sent) == {client(number) for number in range(3)}
    assert b.steering.in_force == {} and not is_silent(a)
