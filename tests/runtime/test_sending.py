"""Advertisements that the host refuses to send: what is counted, what follows."""

from __future__ import annotations

import asyncio
import errno

import pytest

from tests.runtime.world import MakeHost
from wsa_proxy.carp.send_errors import RECOVERY_S

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
        a.driver.set_demotion("test", 1 - a.driver._demotions.get("test", 0), "said at once")
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
        a.driver.set_demotion("test", 1 - a.driver._demotions.get("test", 0), "said at once")
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
