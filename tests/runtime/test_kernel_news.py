"""The kernel's news of links and addresses, on a LAN in virtual time: who leaves, who comes back, who listens."""

from __future__ import annotations

import asyncio
import errno
import logging
from ipaddress import ip_address

import pytest

from tests.runtime.world import MakeHost
from wsa_proxy.net.ports import AddressChanged


async def test_a_pulled_cable_releases_at_once_and_a_plugged_one_listens_first(make_host: MakeHost) -> None:
    """V10: carrier lost: INIT without the address; back: a whole master-down interval of listening."""
    host = make_host("a", 1)
    await host.start()
    await asyncio.sleep(3.5)
    host.set_link(running=False)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert host.state == "init" and not host.holds and host.driver.record.reason == "eth0 is down"
    host.set_link(running=True)
    await asyncio.sleep(2.99)
    assert host.state == "backup"
    await asyncio.sleep(0.02)
    assert host.state == "master"


async def test_neighbours_are_asked_for_again_before_the_node_takes_part(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    """Once for each return of the carrier; when the kernel refuses it is told, and the node takes part all the same."""
    host = make_host("a", 1)
    await host.start()
    await asyncio.sleep(3.5)
    host.neighbours_error = OSError(errno.EPERM, "CAP_NET_ADMIN is missing")
    before = len(host.journal)
    for running in (False, False, True, True):  # the kernel tells of a link whatever changes about it
        host.set_link(running=running)
    await asyncio.sleep(0.01)
    assert [line for line in host.journal[before:] if "ask" in line] == ["ask neighbours 2 in init"]
    assert host.state == "backup" and not host.driver.obstacles
    assert "eth0 is up, but neighbours could not be asked for again: [Errno 1] CAP_NET_ADMIN is missing" in caplog.text


async def test_an_interface_that_is_made_anew_is_used_with_new_ports(make_host: MakeHost) -> None:
    """Gone and back with another index: no restart, and the old descriptors are closed."""
    host = make_host("a", 1)
    await host.start()
    await asyncio.sleep(3.5)
    first = host.ports
    host.set_link(running=False, index=0)
    await asyncio.sleep(0.01)
    assert host.driver.ports is None and host.state == "init"
    assert host.driver.record.reason == "eth0 is gone"
    host.set_link(running=True, index=7)
    await asyncio.sleep(3.01)
    assert host.state == "master" and host.ports is not first and host.ports is not None and host.ports.index == 7


async def test_the_interface_may_be_missing_at_the_start(make_host: MakeHost) -> None:
    """It is waited for, in INIT."""
    host = make_host("a", 1)
    host.index = 0
    await host.start()
    assert host.state == "init"
    host.set_link(running=True, index=3)
    await asyncio.sleep(3.01)
    assert host.state == "master"


async def test_ports_that_cannot_be_opened_keep_the_group_out(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    """The reason is an error in the log, which ends mitmproxy while it starts, and an obstacle in the status."""
    host = make_host("a", 1)
    host.open_error = OSError(errno.EPERM, "CAP_NET_RAW is missing")
    with caplog.at_level(logging.ERROR):
        await host.start()
    assert "CAP_NET_RAW is missing" in caplog.text and host.state == "init"
    assert "CAP_NET_RAW" in host.driver.obstacles["link"]


async def test_when_the_kernel_dropped_news_the_links_are_read_again(make_host: MakeHost) -> None:
    """A flood of changes elsewhere must not hide that our own cable is out."""
    host = make_host("a", 1)
    await host.start()
    await asyncio.sleep(3.5)
    host.running = False
    host.kernel_monitor.error = OSError(errno.ENOBUFS, "dropped")
    host.driver.turn()
    assert host.state == "init"


async def test_a_master_whose_interface_was_made_anew_in_news_that_were_dropped_listens_first(
    make_host: MakeHost,
) -> None:
    """The addresses went with the old one. A master on its ports' successors would advertise, renew nothing, and never
    notice."""
    host = make_host("a", 1)
    await host.start()
    await asyncio.sleep(3.5)
    host.index = 9
    host.leases_until_s.clear()
    host.kernel_monitor.error = OSError(errno.ENOBUFS, "dropped")
    host.driver.turn()
    assert host.state == "backup" and host.driver.ports is not None and host.driver.ports.index == 9
    assert host.driver.record.transitions[-2].report.reason == "eth0 is another one now"
    await asyncio.sleep(3.01)
    assert host.state == "master" and host.holds


async def test_ports_that_could_not_be_opened_once_are_tried_again(make_host: MakeHost) -> None:
    """Out of descriptors for a moment: no news of the link follows, so the node comes back by itself."""
    host = make_host("a", 1)
    host.open_error = OSError(errno.EMFILE, "too many open files")
    await host.start()
    await asyncio.sleep(1)
    host.open_error = None
    await asyncio.sleep(4.1)
    assert host.state == "backup"


async def test_the_source_is_chosen_anew_for_the_hosts_own_addresses_only(make_host: MakeHost) -> None:
    """Each of 255 groups that takes its virtual address would make all the others look for theirs again."""
    host = make_host("a", 1, more_vhids=(2,))
    await host.start()
    host.journal.clear()
    for address, index in (("10.0.0.3", 2), ("10.0.1.2", 2), ("10.0.0.9", 3)):
        host.kernel_monitor.inbox.put(AddressChanged(index, ip_address(address), present=True, permanent=False))
    host.node.drain_kernel()
    assert host.journal == []
    host.kernel_monitor.inbox.put(AddressChanged(2, ip_address("10.0.0.9"), present=True, permanent=True))
    host.node.drain_kernel()
    assert host.journal == ["refresh 1", "refresh 2"]


async def test_links_that_cannot_be_read_are_asked_for_until_they_can(make_host: MakeHost) -> None:
    """Out of descriptors for longer, the kernel does not even tell the links: the node comes back all the same."""
    host = make_host("a", 1)
    host.open_error = host.links_error = OSError(errno.EMFILE, "too many open files")
    await host.start()
    await asyncio.sleep(12)
    host.open_error = host.links_error = None
    await asyncio.sleep(5)
    assert host.state == "backup"


async def test_news_that_was_dropped_while_the_links_could_not_be_read_is_made_up_for(make_host: MakeHost) -> None:
    """A master whose cable is out learns of it late, but it does."""
    host = make_host("a", 1)
    await host.start()
    await asyncio.sleep(3.5)
    host.running = False
    host.links_error = OSError(errno.EMFILE, "too many open files")
    host.kernel_monitor.error = OSError(errno.ENOBUFS, "dropped")
    host.driver.turn()
    assert host.state == "master"
    host.links_error = None
    await asyncio.sleep(5.1)
    assert host.state == "init" and not host.holds
