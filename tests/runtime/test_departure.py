"""A node that leaves in order, on a LAN in virtual time: its successor is master before it lets go."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.runtime.wire import Wire
from tests.runtime.world import Host
from tests.runtime.world import MakeHost
from wsa_proxy.net.ports import Fence
from wsa_proxy.net.ports import LinkChanged
from wsa_proxy.net.ports import Packet
from wsa_proxy.runtime.departure import SAID_AGAIN_AFTER_S
from wsa_proxy.runtime.leaving import ACQUIRES_S

SEALED = ("sealed",)
BOW_OUT = "advertise v4 255/255"


async def two(make_host: MakeHost, **changes: Any) -> tuple[Host, Host]:
    """Master a, backup b with 200: after a bow-out it waits 2.2 ms."""
    a, b = make_host("a", 1, **changes), make_host("b", 2, advskew=55, priority=200, **changes)
    await a.start()
    await b.start()
    await asyncio.sleep(3.5)
    assert (a.state, b.state) == ("master", "backup")
    a.journal.clear()
    return a, b


@pytest.mark.parametrize("security", [SEALED, ("carp",)])
async def test_the_successor_holds_the_address_before_it_goes(make_host: MakeHost, security: Any) -> None:
    """Not one moment without an owner; the old one is silent from the successor's first word on, and announces nothing
    after its own last one."""
    a, b = await two(make_host, security=security)
    departure = a.node.departure
    assert departure.is_needed
    departure.begin("orderly stop")
    assert a.state == "init" and a.holds and departure.awaits_successor and not departure.is_needed
    assert a.last_transition() == "MASTER -> INIT orderly stop"
    await asyncio.sleep(0.0021)
    assert a.journal == [BOW_OUT] and not b.holds
    await asyncio.sleep(0.0002)
    assert b.state == "master" and b.holds and a.holds and a.journal == [BOW_OUT]
    await asyncio.sleep(ACQUIRES_S)
    assert not departure.awaits_successor
    assert a.journal == [BOW_OUT, "hold silently"]
    await asyncio.sleep(0.3)
    departure.end("orderly stop")
    assert a.journal == [BOW_OUT, "hold silently", "close connections", "release"] and not a.holds
    departure.end("orderly stop")
    assert a.journal[-2:] == ["close connections", "release"] and a.journal.count("release") == 1


async def test_alone_it_holds_the_address_until_it_is_told_to_let_go(make_host: MakeHost) -> None:
    """Nobody comes: who waits says when it is enough."""
    a = make_host("a", 1)
    await a.start()
    await asyncio.sleep(3.5)
    a.journal.clear()
    a.node.departure.begin("orderly stop")
    await asyncio.sleep(0.1)
    assert a.node.departure.awaits_successor and a.holds
    a.node.departure.fall_silent()
    assert not a.node.departure.awaits_successor
    a.node.departure.end("orderly stop")
    assert a.journal == [BOW_OUT, "hold silently", "close connections", "release"]


async def test_the_end_alone_does_everything_at_once(make_host: MakeHost) -> None:
    """As it was: bow-out, connections, addresses."""
    a, _ = await two(make_host)
    a.node.stop("orderly stop")
    assert a.journal == [BOW_OUT, "close connections", "release"] and not a.holds


async def test_the_lease_is_renewed_meanwhile_and_the_guardian_told_that_it_lives(make_host: MakeHost) -> None:
    """However long it takes: a lease would end after a second, and the guardian give everything up."""
    a, _ = await two(make_host)
    a.node.departure.begin("orderly stop")
    batches = len(a.fake_leases.batches)
    await asyncio.sleep(2.0)
    assert a.holds and len(a.fake_leases.batches) - batches >= 7
    a.node.departure.end("orderly stop")
    batches = len(a.fake_leases.batches)
    await asyncio.sleep(1.0)
    assert not a.holds and len(a.fake_leases.batches) == batches


async def test_the_guardian_of_a_process_that_ends_now_says_nothing(make_host: MakeHost) -> None:
    """The bow-out was said; the will would be a second one, and no renewal leaves another."""
    a, _ = await two(make_host, security=SEALED)
    assert a.wills[1]
    a.node.departure.begin("orderly stop")
    assert a.wills[1] == []
    await asyncio.sleep(8.0)  # wills are renewed every five
    assert a.wills[1] == []


async def test_a_fence_meanwhile_is_the_end(make_host: MakeHost) -> None:
    """The guardian has removed the addresses: they are not put anywhere again."""
    a, _ = await two(make_host)
    a.node.departure.begin("orderly stop")
    a.fake_leases.fences = [Fence("the proxy's loop stood still for 1.2 s", bowed_out=frozenset())]
    a.beat()
    assert a.journal == [BOW_OUT, "close connections", "release"]
    await asyncio.sleep(1)
    a.node.departure.fall_silent()
    assert "hold silently" not in a.journal and a.state == "init"


@pytest.mark.parametrize("index", [2, 0])
async def test_a_link_that_goes_meanwhile_is_the_end(make_host: MakeHost, index: int) -> None:
    """Down or gone: nobody is heard there any more, and what is kept goes while there are ports to say so with."""
    a, _ = await two(make_host)
    a.node.departure.begin("orderly stop")
    a.set_link(running=False, index=index)
    a.node.drain_kernel()
    assert a.journal[:3] == [BOW_OUT, "close connections", "release"] and not a.node.departure.awaits_successor


async def test_a_virtual_interface_that_goes_meanwhile_is_the_end(make_host: MakeHost) -> None:
    """Its ports are made anew, and know nothing of what was held."""
    a, _ = await two(make_host, virtual_mac=True)
    a.node.departure.begin("orderly stop")
    a.virtual_index = None
    a.kernel_monitor.inbox.put(LinkChanged("carp1", 0, running=False))
    a.node.drain_kernel()
    assert a.journal[1:3] == ["close connections", "release"] and not a.node.departure.awaits_successor


async def test_a_lease_that_the_kernel_does_not_renew_meanwhile_is_the_end(make_host: MakeHost) -> None:
    """What is kept would end a second later, by itself and with its connections."""
    a, _ = await two(make_host)
    a.node.departure.begin("orderly stop")
    a.address_error = OSError("refused")
    a.beat()
    assert a.journal == [BOW_OUT, "close connections", "release"] and not a.node.departure.awaits_successor


@pytest.mark.parametrize("virtual_mac", [True, False])
async def test_who_has_slept_meanwhile_hears_the_successor_before_it_renews(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch, virtual_mac: bool
) -> None:
    """A renewal is an add: it would put the address, whose lease has ended, beside the successor's. He is given no time
    to acquire any more."""
    a, b = await two(make_host, virtual_mac=virtual_mac)
    a.node.departure.begin("orderly stop")
    a.inbox.put(Packet(4, b.address, b.mac, 255, b.says(1, 55, 0)))
    a.loop.now += 0.9  # its beat is late
    seen: list[list[str]] = []
    assert a.ports is not None
    monkeypatch.setattr(a.ports.addresses, "renew", lambda: seen.append([*a.journal]))
    a.beat()
    assert len(seen) == 1 and "hold silently" in seen[0]


async def test_a_backup_has_nothing_to_hand_over(make_host: MakeHost) -> None:
    """It says nothing, keeps nothing and waits for nobody."""
    _, b = await two(make_host)
    b.journal.clear()
    assert not b.node.departure.is_needed
    b.node.departure.begin("orderly stop")
    assert b.state == "init" and not b.node.departure.awaits_successor and b.journal == []


async def test_who_has_slept_before_the_order_hands_nothing_over(make_host: MakeHost) -> None:
    """It is master no more: what it had may be another's, and goes at once."""
    a, b = await two(make_host)
    a.loop.now += 10
    a.node.departure.begin("orderly stop")
    assert BOW_OUT not in a.journal and "release" in a.journal and a.state == "init"
    assert not a.node.departure.awaits_successor
    await asyncio.sleep(4)
    assert b.state == "master"


async def test_every_group_has_a_successor_of_its_own(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Two groups; the second's backup comes later. And a group that fails does not keep the other one here."""
    a = make_host("a", 1, more_vhids=(2,))
    b = make_host("b", 2, advskew=55, priority=200)
    await a.start()
    await b.start()
    await asyncio.sleep(3.5)
    first, second = (driver for _, driver in a.node._groups)
    a.node.departure.begin("orderly stop")
    await asyncio.sleep(0.01)
    await asyncio.sleep(ACQUIRES_S)
    assert not first.leaving.awaits_successor and second.leaving.awaits_successor and a.node.departure.awaits_successor
    monkeypatch.setattr(first, "set_obstacle", None)  # broken
    a.node.departure.end("orderly stop")
    assert a.journal[-4:] == ["close connections", "release"] * 2 and caplog.text.count("failed to leave in order") == 1


async def test_a_bow_out_that_was_lost_is_said_again(make_host: MakeHost) -> None:
    """Sealed, the same bytes, not from the virtual MAC: the backup that has heard it takes none of them for new."""
    a, b = await two(make_host, security=SEALED)
    wire = Wire(a)
    b.running = False  # deaf
    a.node.departure.begin("orderly stop")
    await asyncio.sleep(SAID_AGAIN_AFTER_S[0] - 0.001)
    b.running = True
    await asyncio.sleep(0.001 + 0.003)
    assert b.state == "master"
    await asyncio.sleep(0.1)
    assert len(wire.captured) == 2 and wire.captured[0] == wire.captured[1]
    assert a.journal == [BOW_OUT, f"{BOW_OUT} from its own MAC", "hold silently"]


async def test_the_copies_end_with_the_departure(make_host: MakeHost) -> None:
    """What is over is not bowed out of."""
    a = make_host("a", 1, security=SEALED)
    await a.start()
    await asyncio.sleep(3.5)
    a.node.departure.begin("orderly stop")
    a.node.departure.end("orderly stop")
    a.journal.clear()
    await asyncio.sleep(1)
    assert [entry for entry in a.journal if "advertise" in entry] == []


async def test_a_plain_bow_out_is_said_once(make_host: MakeHost) -> None:
    """Its copy would be taken for the successor's own, by whoever backs him up."""
    a = make_host("a", 1)
    await a.start()
    await asyncio.sleep(3.5)
    a.journal.clear()
    a.node.departure.begin("orderly stop")
    await asyncio.sleep(1)
    assert a.journal == [BOW_OUT]


async def test_what_could_not_be_said_is_not_said_again(make_host: MakeHost) -> None:
    """Nobody was told that the addresses are here, so there is no bow-out; what was said before is none."""
    a = make_host("a", 1, security=SEALED)
    await a.start()
    await asyncio.sleep(2.9)
    a.send_error = OSError("refused")
    await asyncio.sleep(0.6)
    assert a.state == "master"
    a.journal.clear()
    a.node.departure.begin("orderly stop")
    a.send_error = None
    await asyncio.sleep(1)
    assert a.journal == []
