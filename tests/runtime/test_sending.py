"""Advertisements that the host refuses to send: what is counted, what follows."""

from __future__ import annotations

import asyncio
import errno
from ipaddress import ip_address
from typing import Any

import pytest

from tests.runtime.world import MakeHost
from wsa_proxy.carp.send_errors import RECOVERY_S
from wsa_proxy.net.ports import NoWay
from wsa_proxy.net.ports import Packet

PEERS = ("10.0.0.2", "fd00:77::2")
REFUSED = OSError(errno.EPERM, "operation not permitted")


async def test_three_errors_in_a_row_hand_over_before_the_silence_does(make_host: MakeHost) -> None:
    """One IP version is mute, and a master that answers others notices soon: demoted, it says so in the other one."""
    both = ("10.0.0.3/24", "fd00:77::3/64")
    a, b = make_host("a", 1, virtual_ips=both), make_host("b", 2, virtual_ips=both, advskew=55)
    await a.start()
    await b.start()
    await asyncio.sleep(3.5)
    a.silent_version = 6
    for _ in range(3):
        a.driver.set_demotion("test", 1 - a.driver.demotions.of("test"), "said at once")
    assert a.driver.virtual_host.demotion == 1
    a.driver.turn()
    assert a.driver.virtual_host.demotion == 2
    await asyncio.sleep(0.05)
    assert (a.state, b.state) == ("backup", "master")


async def test_a_backup_is_believed_well_again(make_host: MakeHost, caplog: pytest.LogCaptureFixture) -> None:
    """It sends nothing that could show it."""
    a, b = make_host("a", 1), make_host("b", 2, advskew=55)
    await a.start()
    await asyncio.sleep(3.5)
    a.send_error = REFUSED
    for _ in range(4):
        a.driver.set_demotion("test", 1 - a.driver.demotions.of("test"), "said at once")
    await b.start()
    a.driver.turn()
    assert a.driver.virtual_host.demotion == 1
    a.send_error = None
    await asyncio.sleep(RECOVERY_S)
    assert a.driver.virtual_host.demotion == 0 and "advertisements are sent, or tried again" in caplog.text


async def test_a_node_that_can_never_send_tries_less_and_less_often(make_host: MakeHost) -> None:
    """It can hold the address, so its renewals work; that it serves is no sign that it is heard."""
    a = make_host("a", 1)
    a.send_error = REFUSED
    await a.start()
    await asyncio.sleep(1000)
    assert a.journal.count("acquire") == 9  # at 3, 13.5, 29, 54.5, 100, 185.5, 351, 656.5 and 962 s


async def test_errors_of_an_earlier_time_do_not_count(make_host: MakeHost) -> None:
    """A master that left with an error is not silent already when it is one again."""
    a = make_host("a", 1)
    await a.start()
    await asyncio.sleep(3.5)
    a.send_error = REFUSED
    await asyncio.sleep(1)
    a.driver.set_obstacle("test", "out")
    await asyncio.sleep(60)
    a.driver.set_obstacle("test", None)
    await asyncio.sleep(3.1)
    assert a.state == "master"
    a.send_error = None
    await asyncio.sleep(3)
    assert a.state == "master"


async def test_without_a_way_to_any_peer_the_last_node_goes_on_serving(make_host: MakeHost) -> None:
    """The others' host is dead and its route withdrawn, or the network between is cut: leaving would help nobody."""
    a = make_host("a", 1)
    await a.start()
    await asyncio.sleep(3.5)
    a.send_error = NoWay(errno.EHOSTUNREACH, "no route to host")
    for _ in range(600):
        await asyncio.sleep(0.5)
        assert a.state == "master" and a.holds
    a.driver.set_obstacle("test", "out for a moment")
    a.driver.set_obstacle("test", None)
    await asyncio.sleep(3.5)
    assert a.state == "master" and a.holds


async def test_without_a_way_to_a_master_that_is_heard_it_leaves(make_host: MakeHost) -> None:
    """The way is cut in one direction only: the other has taken over and cannot be told, so there would be two. Nor are
    the clients told once more that they are served here."""
    a, b = make_host("a", 1), make_host("b", 2, advskew=55)
    await a.start()
    await b.start()
    await asyncio.sleep(3.5)
    a.send_error = NoWay(errno.EHOSTUNREACH, "no route to host")
    announced = both = 0
    for _ in range(3000):
        announced = a.journal.count("announce") if b.state == "backup" else announced
        await asyncio.sleep(0.02)
        both += a.holds and b.holds
    assert b.state == "master" and a.state != "master" and both <= 1
    assert a.journal.count("announce") == announced
    assert "no route to host" in a.driver.obstacles["kernel"]
    b.node.stop("its last word is no reason to leave")
    await asyncio.sleep(300)
    assert a.state == "master"


async def test_a_way_in_one_ip_version_is_a_way(make_host: MakeHost) -> None:
    """Whoever is heard is told in the other one, and yields: no reason to leave."""
    changes: dict[str, Any] = {"virtual_ips": ("10.0.0.3/24", "fd00:77::3/64"), "peers": tuple(map(ip_address, PEERS))}
    a, b = make_host("a", 1, **changes), make_host("b", 2, advskew=55, **changes)
    await a.start()
    await asyncio.sleep(3.5)
    a.send_error, a.mute_versions = NoWay(errno.EHOSTUNREACH, "no route to host"), {4}
    await b.start()
    await asyncio.sleep(1)
    a.inbox.put(Packet(4, b.address, b.mac, 255, b.says(1, 55, 0)))
    await asyncio.sleep(10)
    assert a.state == "master" and b.state == "backup"
    a.silent_version = 6
    await asyncio.sleep(4)
    assert a.state == "init", "a version without a way excuses no other"


@pytest.mark.parametrize("security", [("carp",), ("sealed",)])
async def test_the_longest_interval_is_no_bow_out(make_host: MakeHost, security: tuple[str, ...]) -> None:
    """255 s is an interval like any other: only with an advskew of 255, which no priority is, it says good-bye. Each
    node is heard, and takes over from a master that it outranks."""
    changes: dict[str, Any] = {"advbase": 255, "security": security}
    b = make_host("b", 2, advskew=55, **changes)
    await b.start()
    await asyncio.sleep(766)
    assert b.state == "master" and "advertise v4 255/55" in b.journal
    a = make_host("a", 1, advskew=0, **changes)
    await a.start()
    await asyncio.sleep(600)
    assert (a.state, b.state) == ("master", "backup") and "advertise v4 255/0" in a.journal
