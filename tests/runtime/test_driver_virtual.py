"""The pump with a virtual MAC: the order in which the addresses come and go, and what others do to the interface."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import pytest

from tests.runtime.world import Host
from tests.runtime.world import MakeHost
from wsa_proxy.net.ports import AddressChanged
from wsa_proxy.net.ports import LinkChanged
from wsa_proxy.net.ports import MacVerdict


async def master(make_host: MakeHost) -> Host:
    host = make_host("a", 1, virtual_mac=True)
    await host.start()
    await asyncio.sleep(3.5)
    assert host.state == "master"
    return host


def news(host: Host, running: bool, index: int) -> None:
    host.kernel_monitor.inbox.put(LinkChanged("carp1", index, running))


async def test_the_addresses_come_before_the_advertisement(make_host: MakeHost) -> None:
    """I7: the advertisement's source address brings the clients here, so somebody must be there to answer."""
    host = await master(make_host)
    acquired = host.journal.index("acquire")
    assert host.journal[acquired : acquired + 3] == ["acquire", "advertise v4 1/0", "announce"]


async def test_an_address_that_cannot_be_had_is_not_advertised(make_host: MakeHost) -> None:
    """Nobody is drawn here in vain, and nobody bows out of what he has never claimed: a backup would take over beside
    the master that is there."""
    host = make_host("a", 1, virtual_mac=True)
    host.address_error = OSError("cannot add")
    await host.start()
    await asyncio.sleep(3.5)
    assert host.state == "init"
    assert [line for line in host.journal if line.startswith("advertise")] == []


async def test_an_advertisement_held_back_by_a_freeze_is_owed(make_host: MakeHost) -> None:
    """Frozen while it took the addresses, the node looks again; master still, it says so at once and once."""
    host = make_host("a", 1, virtual_mac=True)
    host.freeze_in_kernel_s = 0.7
    await host.start()
    await asyncio.sleep(3.5)
    assert host.state == "master"
    acquired = host.journal.index("acquire")
    assert host.journal[acquired : acquired + 4] == ["acquire", "acquire", "advertise v4 1/0", "announce"]


async def test_a_freeze_of_an_interval_owes_nothing_twice(make_host: MakeHost) -> None:
    """The next advertisement was due meanwhile: that one is enough."""
    host = make_host("a", 1, virtual_mac=True)
    host.freeze_in_kernel_s = 1.2
    await host.start()
    await asyncio.sleep(3.5)
    assert host.journal.count("advertise v4 1/0") == 1


@pytest.mark.parametrize("frozen_s", [0.7, 1.2], ids=["owed", "due anew"])
async def test_frozen_on_the_way_a_living_master_that_cannot_be_told_is_not_followed(
    make_host: MakeHost, frozen_s: float
) -> None:
    """Found by the wind tunnel: the takeover was judged before its first advertisement had been tried."""
    a, b = make_host("a", 1, virtual_mac=True, advskew=0), make_host("b", 2, virtual_mac=True, advskew=55)
    await b.start()
    await asyncio.sleep(3.5)
    a.freeze_in_kernel_s = frozen_s
    a.send_error = PermissionError(errno.EPERM, "operation not permitted")
    await a.start()
    await asyncio.sleep(1.5)
    assert "acquire" in a.journal and "announce" not in a.journal
    assert (a.state, b.state) == ("init", "master")


async def test_the_interface_is_set_down_later_and_not_under_a_master(make_host: MakeHost) -> None:
    """It takes the kernel its time: not before the bow-out is on its way, and not when the node is master again."""
    host = await master(make_host)
    host.driver.set_obstacle("test", "out for a moment")
    assert host.journal[-1] == "release"
    await asyncio.sleep(0.06)
    assert host.journal[-1] == "settle"


async def test_setting_it_down_may_fail(make_host: MakeHost, caplog: pytest.LogCaptureFixture) -> None:
    """The addresses are gone already; it is told, and nothing else happens."""
    host = await master(make_host)
    host.settle_error = OSError("cannot set down carp1")
    host.driver.set_obstacle("test", "out for a moment")
    await asyncio.sleep(0.1)
    assert "cannot set down carp1" in caplog.text and host.state == "init"


async def test_an_interface_that_somebody_sets_down_is_up_again(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    """Under a master only; that of a backup is down anyway."""
    host = await master(make_host)
    assert host.virtual_index is not None
    host.leases_until_s.clear()
    news(host, False, host.virtual_index)
    await asyncio.sleep(0.01)
    assert host.holds and "somebody set the virtual MAC's interface down; it is put back" in caplog.text
    host.driver.set_obstacle("test", "out for a moment")
    news(host, False, host.virtual_index)
    await asyncio.sleep(0.01)
    assert not host.holds


async def test_an_interface_that_somebody_sets_up_is_down_again(make_host: MakeHost) -> None:
    """Of a backup only: on a router the kernel would report its multicast groups from there, and so turn the switch's
    port away from the master."""
    host = await master(make_host)
    assert host.virtual_index is not None
    host.journal.clear()
    news(host, True, host.virtual_index)
    await asyncio.sleep(0.01)
    assert "settle" not in host.journal
    host.driver.set_obstacle("test", "out for a moment")
    host.driver.set_obstacle("test", None)
    await asyncio.sleep(0.06)
    assert host.state == "backup" and host.journal.count("settle") == 1
    news(host, True, host.virtual_index)
    await asyncio.sleep(0.01)
    assert host.journal.count("settle") == 2


async def test_an_address_that_somebody_removes_from_it_is_back(make_host: MakeHost) -> None:
    """It is the virtual MAC's interface that counts, not the parent."""
    host = await master(make_host)
    assert host.virtual_index is not None
    address = host.node.settings.groups[0].virtual_ips[0].ip
    host.leases_until_s.clear()
    host.kernel_monitor.inbox.put(AddressChanged(host.index, address, present=False, permanent=False))
    await asyncio.sleep(0.01)
    assert not host.holds
    host.kernel_monitor.inbox.put(AddressChanged(host.virtual_index, address, present=False, permanent=False))
    await asyncio.sleep(0.01)
    assert host.holds


async def test_an_interface_that_somebody_removes_is_made_again(make_host: MakeHost) -> None:
    """The node leaves the group for that, and listens first; news of an earlier interface changes nothing."""
    host = await master(make_host)
    earlier = host.ports
    news(host, False, 0)
    await asyncio.sleep(0.01)
    assert host.ports is earlier and host.state == "master"
    host.virtual_index = None
    news(host, False, 0)
    await asyncio.sleep(0.01)
    assert host.ports is not earlier and host.state == "backup"
    assert host.last_transition() == "INIT -> BACKUP ready"
    await asyncio.sleep(3.5)
    assert host.state == "master"


async def test_an_interface_that_somebody_renames_is_made_again(make_host: MakeHost) -> None:
    """Under another name nobody would tell that it was set down or removed: a master that nobody reaches, for ever."""
    host = await master(make_host)
    earlier = host.ports
    host.virtual_name = "other"
    news(host, False, 0)
    await asyncio.sleep(0.01)
    assert host.ports is not earlier and host.state == "backup"


async def test_an_interface_that_is_given_another_hardware_address_is_made_again(make_host: MakeHost) -> None:
    """The clients know the virtual MAC: their frames would go nowhere, with a master that believes it serves."""
    host = await master(make_host)
    earlier = host.ports
    assert host.virtual_index is not None
    for mac, index in (("00:00:5e:00:01:01", host.virtual_index), ("02:00:00:00:00:99", host.virtual_index + 1)):
        host.kernel_monitor.inbox.put(LinkChanged("carp1", index, True, mac))
    await asyncio.sleep(0.01)
    assert host.ports is earlier and host.state == "master"
    host.kernel_monitor.inbox.put(LinkChanged("carp1", host.virtual_index, True, "02:00:00:00:00:99"))
    await asyncio.sleep(0.01)
    assert host.ports is not earlier and host.state == "backup"


async def test_an_interface_of_which_the_kernel_does_not_tell_is_looked_for_later(make_host: MakeHost) -> None:
    """It was removed while the process had no descriptors to ask: not forgotten, made again as soon as it can be."""
    host = await master(make_host)
    earlier, host.virtual_index = host.ports, None
    host.links_error = OSError(errno.EMFILE, "too many open files")
    news(host, False, 0)
    await asyncio.sleep(0.01)
    assert host.ports is earlier
    host.links_error = None
    await asyncio.sleep(5)
    assert host.ports is not earlier and host.state == "backup"


async def test_a_network_that_refuses_the_address_is_named(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    """Once for each interface, in the log and in the status; the node takes part all the same."""
    host = make_host("a", 1, virtual_mac=True, more_vhids=[2])
    host.mac_verdict = MacVerdict.REFUSED
    await host.start()
    await asyncio.sleep(3.5)
    assert caplog.text.count("the network seems to refuse it") == 1 and host.state == "master"
    groups = host.node.status()["groups"]
    assert groups[0]["virtual_mac"] == {"address": "00:00:5e:00:01:01", "network": "refused"}


async def test_without_a_virtual_mac_nobody_is_asked(make_host: MakeHost) -> None:
    """``mac: interface``: the network has nothing to carry."""
    host = make_host("a", 1)
    await host.start()
    await asyncio.sleep(3.5)
    assert "ask from another MAC" not in host.journal and host.node.status()["groups"][0]["virtual_mac"] is None


async def test_the_links_are_read_again(make_host: MakeHost) -> None:
    """The kernel has dropped news: an interface that went away meanwhile is made again; one that is there is not, and
    those that are made at the start are not asked for one by one."""
    host = make_host("a", 1, virtual_mac=True)
    asked: list[int] = []
    links = host.links

    def counted() -> Any:
        asked.append(1)
        return links()

    host.links = counted  # type: ignore[method-assign]
    await host.start()
    assert len(asked) == 1
    await asyncio.sleep(3.5)
    for gone in (False, True):
        if gone:
            host.virtual_index = None
        host.kernel_monitor.error = OSError(errno.ENOBUFS, "dropped")
        host.driver.turn()
        assert host.state == ("backup" if gone else "master")
