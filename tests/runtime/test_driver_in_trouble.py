"""The pump in trouble: the kernel refuses, foreign code fails, the process freezes in the middle of a turn."""

from __future__ import annotations

import asyncio
import errno
from ipaddress import ip_address
from typing import Any

import pytest

from tests.runtime.world import MakeHost
from wsa_proxy.net.ports import Packet
from wsa_proxy.net.ports import PartlySent
from wsa_proxy.runtime.health import Health


async def test_an_acquisition_that_fails_is_a_hard_failure(make_host: MakeHost) -> None:
    """The node bows out, announces nothing, and listens again five seconds later."""
    a = make_host("a", 1)
    a.address_error = OSError(errno.EEXIST, "cannot add 10.0.0.3")
    await a.start()
    await asyncio.sleep(3.01)
    assert a.state == "init" and "announce" not in a.journal
    assert "advertise v4 255/255" in a.journal
    a.address_error = None
    await asyncio.sleep(5 + 3.01)
    assert a.state == "master" and a.holds


async def test_a_renewal_that_fails_is_a_hard_failure(make_host: MakeHost) -> None:
    """A master that cannot keep its address says so and goes."""
    a = make_host("a", 1)
    await a.start()
    await asyncio.sleep(3.5)
    a.address_error = OSError(errno.ENODEV, "cannot add 10.0.0.3")
    await asyncio.sleep(0.51)
    assert a.state == "init" and "cannot add 10.0.0.3" in a.driver.obstacles["kernel"]


async def test_a_master_that_cannot_send_gives_up(make_host: MakeHost) -> None:
    """4a: no successful send for 2.5 intervals is a hard failure, since the others take over after three."""
    a = make_host("a", 1)
    await a.start()
    await asyncio.sleep(3.5)
    a.send_error = OSError(errno.EPERM, "operation not permitted")
    await asyncio.sleep(1.9)
    assert a.state == "master"
    await asyncio.sleep(0.2)
    assert a.state == "init" and not a.holds
    assert "advertisements cannot be sent" in a.driver.obstacles["kernel"]


async def test_a_demoted_master_that_cannot_send_gives_up_as_early(make_host: MakeHost) -> None:
    """Its own interval is nearly two seconds then, and the others' patience is still three."""
    a = make_host("a", 1)
    await a.start()
    await asyncio.sleep(3.5)
    a.send_error = OSError(errno.EPERM, "operation not permitted")
    a.node.set_health(Health(hard=None, soft="slow"))  # and says so in vain
    await asyncio.sleep(4.0)
    assert a.state == "init" and not a.holds


async def test_a_node_that_can_never_hold_the_address_tries_less_and_less_often(make_host: MakeHost) -> None:
    """Each try preempts the one that serves for a moment: 5 s, then 10, 20 and so on, five minutes at most."""
    a = make_host("a", 1)
    a.address_error = OSError(errno.EEXIST, "cannot add 10.0.0.3")
    await a.start()
    await asyncio.sleep(1000)
    acquired = a.journal.count("acquire")
    assert acquired == 9  # at 3, 11, 24, 47, 90, 173, 336, 639 and 942 s
    await asyncio.sleep(1000)
    assert a.journal.count("acquire") - acquired == 3


async def test_an_error_while_connections_are_ended_does_not_keep_the_address(make_host: MakeHost) -> None:
    """Foreign code fails; the release and the next deadline do not depend on it."""
    a = make_host("a", 1, preempt=False)
    await a.start()
    await asyncio.sleep(3.5)

    def fail(addresses: object) -> int:
        raise RuntimeError("mitmproxy changed")

    a.driver.leaving._release._close_connections = fail
    a.loop.now += 10
    await asyncio.sleep(0.01)
    assert not a.holds and a.state == "backup"
    await asyncio.sleep(3)
    assert a.state == "master"


async def test_one_silent_ip_version_is_a_hard_failure_too(make_host: MakeHost) -> None:
    """The backup's timer of that version would make it master beside us."""
    a = make_host("a", 1, virtual_ips=("10.0.0.3/24", "fd00:77::3/64"))
    await a.start()
    await asyncio.sleep(3.5)
    a.silent_version = 6
    await asyncio.sleep(4)
    assert a.state == "init" and "IPv6" in a.driver.obstacles["kernel"]


@pytest.mark.parametrize("virtual_mac", [False, True], ids=["interface", "virtual"])
async def test_who_cannot_tell_a_living_master_draws_nobody_away(make_host: MakeHost, virtual_mac: bool) -> None:
    """Or it would hold the address beside the other for 2.5 intervals, and the clients' entries would point here, where
    nobody holds it, until the other announces again: 10 s."""
    b = make_host("b", 2, advskew=55, virtual_mac=virtual_mac)
    await b.start()
    await asyncio.sleep(4)
    a = make_host("a", 1, virtual_mac=virtual_mac)
    a.send_error = OSError(errno.EPERM, "operation not permitted")
    await a.start()
    for _ in range(400):
        await asyncio.sleep(0.1)
        assert not a.holds
    assert "announce" not in a.journal
    assert "advertisements cannot be sent" in a.driver.obstacles["kernel"]
    assert b.state == "master" and b.holds
    a.send_error = None
    await asyncio.sleep(50)
    assert a.state == "master" and b.state == "backup"


async def test_who_cannot_tell_that_it_follows_a_silent_master_serves_as_long_as_it_may(make_host: MakeHost) -> None:
    """One error passes, and nobody else is there."""
    a = make_host("a", 1)
    a.send_error = OSError(errno.ENOBUFS, "no buffer space")
    await a.start()
    await asyncio.sleep(3.5)
    assert a.state == "master" and a.holds and a.journal[-2:] == ["acquire", "announce"]


async def test_where_one_ip_version_stands_for_all_a_silent_one_is_none(make_host: MakeHost) -> None:
    """Sealed, and among unicast peers, the others hear the other one: leaving would be an outage for nothing."""
    dual: dict[str, Any] = {"virtual_ips": ("10.0.0.3/24", "fd00:77::3/64")}
    peers: dict[str, Any] = {"peers": (ip_address("10.0.0.2"), ip_address("fd00:77::2"))}
    for number, changes in enumerate((dual | {"security": ("sealed",)}, dual | peers), start=1):
        host = make_host(f"a{number}", number, **changes)
        host.lan.listeners.clear()
        await host.start()
        await asyncio.sleep(3.5)
        host.silent_version = 6
        await asyncio.sleep(10)
        assert host.state == "master"
        host.send_error = OSError(errno.EPERM, "operation not permitted")
        await asyncio.sleep(4)
        assert host.state == "init" and "IPv4" in host.driver.obstacles["kernel"]


async def test_a_peer_that_cannot_be_sent_to_is_told_and_nothing_else(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    """The next master might not reach it either, so nobody leaves for it; advertisements go in the peers' versions."""
    virtual_ips = ("10.0.0.3/24", "fd00:77::3/64")
    a = make_host("a", 1, virtual_ips=virtual_ips, peers=(ip_address("10.0.0.2"), ip_address("10.9.0.2")))
    await a.start()
    await asyncio.sleep(3.5)
    assert a.state == "master" and "advertise v4 1/0" in a.journal and "advertise v6 1/0" not in a.journal
    sent = a.driver.record.sent
    a.send_error = PartlySent(errno.EHOSTUNREACH, "10.9.0.2: No route to host")
    await asyncio.sleep(10)
    assert a.state == "master" and a.driver.record.sent == sent + 10
    assert "an advertisement could not be sent: IPv4: [Errno 113] 10.9.0.2: No route to host" in caplog.text


async def test_the_end_of_our_own_lease_is_not_blamed_on_somebody(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    """Frozen, the lease ends; woken, the preferred node takes over again at once: nobody has removed anything."""
    a, b = make_host("a", 1), make_host("b", 2, advskew=55)
    await a.start()
    await asyncio.sleep(3.7)
    await b.start()
    a.inbox.put(Packet(4, b.address, b.mac, 255, b.says(1, 55, 0)))
    a.loop.now += 10
    a.lose_address()
    a.driver.turn()
    assert a.state == "master" and "overslept" in [each.report.reason for each in a.driver.record.transitions]
    assert "somebody removed" not in caplog.text


async def test_a_lease_that_ended_in_a_short_stall_is_put_back_and_not_blamed_on_somebody(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    """The loop stands still for longer than the lease and shorter than the others' patience: still master."""
    a = make_host("a", 1)
    await a.start()
    await asyncio.sleep(3.7)
    a.loop.now += 1.4
    a.lose_address()
    for _ in range(4):
        await asyncio.sleep(0)
    assert a.state == "master" and a.holds
    assert "the kernel (no renewal, the loop was 1." in caplog.text and "somebody removed" not in caplog.text


async def test_frozen_between_advertisement_and_acquisition_nothing_is_taken(make_host: MakeHost) -> None:
    """The decision is ten seconds old when the process wakes: another one is master by now."""
    a = make_host("a", 1)
    await a.start()
    await asyncio.sleep(2.9)
    a.freeze_after_send_s = 10.0
    a.loop.now += 0.2
    a.driver.turn()
    assert a.journal[-3:] == ["advertise v4 1/0", "close connections", "release"]
    assert not a.holds and a.state == "backup"


async def test_a_short_freeze_on_the_way_costs_nothing_but_time(make_host: MakeHost) -> None:
    """Less than half a master-down interval: still master, so the address is taken and announced after all."""
    a = make_host("a", 1)
    await a.start()
    await asyncio.sleep(2.9)
    a.freeze_after_send_s = 1.0
    a.loop.now += 0.2
    a.driver.turn()
    assert a.holds and a.state == "master" and a.journal[-2:] == ["acquire", "announce"]


@pytest.mark.parametrize("slow_s", [0.6, 1.6])
async def test_where_the_kernel_takes_long_for_each_address_the_others_are_heard(
    make_host: MakeHost, slow_s: float
) -> None:
    """Somebody else changes thousands of routes, and all wait for the same lock. That is no reason to look at the clock
    in one call for ever: the loop turns, the address is held, and a better node is yielded to."""
    b = make_host("b", 2, advskew=55)
    await b.start()
    await asyncio.sleep(4)
    b.slow_kernel_s = slow_s
    began_at_s = b.loop.now
    await asyncio.sleep(0.3)  # a beat comes, and takes its time
    assert b.loop.now - began_at_s < 10
    a = make_host("a", 1)
    b.inbox.put(Packet(4, a.address, a.mac, 255, a.says(1, 0, 0)))
    await asyncio.sleep(0.01)
    assert b.state == "backup" and b.driver.virtual_host.last_master == a.address


async def test_a_release_that_fails_is_tried_again(make_host: MakeHost) -> None:
    """ENOBUFS passes; the address must not stay until the lease ends."""
    a = make_host("a", 1)
    await a.start()
    await asyncio.sleep(3.5)
    a.release_error = OSError(errno.ENOBUFS, "no buffer space")
    a.node.stop("orderly stop")
    assert a.holds
    await asyncio.sleep(0.25)
    a.release_error = None
    await asyncio.sleep(0.1)
    assert not a.holds


async def test_a_late_release_does_not_disturb_a_new_master(make_host: MakeHost) -> None:
    """It has become master again before the next try."""
    a, b = make_host("a", 1), make_host("b", 2, advskew=55)
    await a.start()
    await asyncio.sleep(3.5)
    a.release_error = OSError(errno.ENOBUFS, "no buffer space")
    a.loop.now += 10
    a.driver.turn()
    a.release_error = None
    a.inbox.put(Packet(4, b.address, b.mac, 255, b.says(1, 55, 0)))
    a.driver.turn()
    assert a.state == "master"
    await asyncio.sleep(0.5)
    assert a.holds


async def test_every_new_obstacle_is_told(make_host: MakeHost, caplog: pytest.LogCaptureFixture) -> None:
    """From INIT to INIT there is no transition, but the operator must see why the node does not take part."""
    a = make_host("a", 1)
    await a.node.start()
    a.node.set_health(Health(hard="nothing is served on the virtual IPs", soft=None))
    a.node.set_health(Health(hard="nothing is served on the virtual IPs", soft=None))
    assert caplog.text.count("cannot take part: nothing is served on the virtual IPs") == 1
