from __future__ import annotations

import asyncio
import errno
from ipaddress import ip_address
from typing import Any
from typing import NoReturn

import pytest
from pyroute2.netlink import NLM_F_DUMP
from pyroute2.netlink.rtnl import RTM_GETLINK
from pyroute2.netlink.rtnl.ifinfmsg import IFF_LOWER_UP
from pyroute2.netlink.rtnl.ifinfmsg import IFF_RUNNING
from pyroute2.netlink.rtnl.ifinfmsg import IFF_UP
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from tests.net.in_process import make_keeper
from wsa_proxy.net.addresses import AddressLease
from wsa_proxy.net.links import KernelChanges
from wsa_proxy.net.links import _decode_link
from wsa_proxy.net.links import read_links
from wsa_proxy.net.netlink import RouteSocket
from wsa_proxy.net.netlink import encode
from wsa_proxy.net.ports import AddressChanged
from wsa_proxy.net.ports import KernelChange
from wsa_proxy.net.ports import LinkChanged

VIP4 = ip_address("10.0.0.3")
VIP6 = ip_address("fd00:77::3")


def link_changes(monitor: KernelChanges, name: str) -> list[LinkChanged]:
    return [change for change in monitor.receive() if isinstance(change, LinkChanged) and change.name == name]


def state(name: str) -> LinkChanged | None:
    return next((link for link in read_links() if link.name == name), None)


def test_present_state(lan: Any) -> None:
    """read_links answers every interface with its index, and whether frames can leave."""
    assert state("lo") == LinkChanged("lo", 1, True)
    assert state(lan.LEFT) == LinkChanged(lan.LEFT, lan.index, True)
    lan.ip(f"link set {lan.LEFT} down")
    assert state(lan.LEFT) == LinkChanged(lan.LEFT, lan.index, False)


def test_the_hardware_address(lan: Any) -> None:
    """Of an interface as it is, and as it becomes, in the kernel's usual form."""
    monitor = KernelChanges()
    lan.ip(f"link set {lan.LEFT} address 02:00:00:00:00:99")
    found = state(lan.LEFT)
    assert found is not None and found.mac == "02:00:00:00:00:99"
    assert [change.mac for change in link_changes(monitor, lan.LEFT)][-1] == "02:00:00:00:00:99"


def test_inside_a_running_loop(lan: Any) -> None:
    """Reading and listening work inside a running event loop, where pyroute2's own classes refuse."""

    async def inside() -> None:
        assert state(lan.LEFT) is not None
        KernelChanges().close()

    asyncio.run(inside())


def test_cable(lan: Any) -> None:
    """When the other end goes down the carrier is lost: not running, though administratively up; and back."""
    monitor = KernelChanges()
    index = lan.index
    with lan.on_the_right():
        lan.ip(f"link set {lan.RIGHT} down")
    changes: list[LinkChanged] = []

    def lost() -> bool:
        changes.extend(link_changes(monitor, lan.LEFT))
        return changes[-1:] == [LinkChanged(lan.LEFT, index, False)]

    def back() -> bool:
        changes.extend(link_changes(monitor, lan.LEFT))
        return changes[-1:] == [LinkChanged(lan.LEFT, index, True)]

    lan.until(lost, "the carrier lost")
    with lan.on_the_right():
        lan.ip(f"link set {lan.RIGHT} up")
    lan.until(back, "the carrier back")


def test_down_deleted_recreated(lan: Any) -> None:
    """Down is not running; deleted is index 0; re-created is a new index."""
    monitor = KernelChanges()
    index = lan.index
    lan.ip(f"link set {lan.LEFT} down")
    assert link_changes(monitor, lan.LEFT)[-1] == LinkChanged(lan.LEFT, index, False)
    lan.ip(f"link delete {lan.LEFT}")
    assert link_changes(monitor, lan.LEFT)[-1] == LinkChanged(lan.LEFT, 0, False)
    assert state(lan.LEFT) is None
    lan.cable()
    assert lan.index != index
    changes: list[LinkChanged] = []

    def running() -> bool:
        changes.extend(link_changes(monitor, lan.LEFT))
        return changes[-1:] == [LinkChanged(lan.LEFT, lan.index, True)]

    lan.until(running, "the new interface running")
    assert LinkChanged(lan.LEFT, 0, False) not in changes


def test_leaving_a_bridge_is_not_deleted(lan: Any) -> None:
    """A port that leaves its bridge is reported by the kernel as a deleted bridge port; the interface stays."""
    lan.ip("link add bridge0 type bridge")
    lan.ip(f"link set {lan.LEFT} master bridge0")
    monitor = KernelChanges()
    lan.ip(f"link set {lan.LEFT} nomaster")
    changes = link_changes(monitor, lan.LEFT)
    assert changes
    assert all(change.index == lan.index for change in changes)


def test_renamed(lan: Any) -> None:
    """A renamed interface is gone under its former name and there under the new one."""
    monitor = KernelChanges()
    index = lan.index
    lan.ip(f"link set {lan.LEFT} down")
    lan.ip(f"link set {lan.LEFT} name other")
    changes = monitor.receive()
    gone = changes.index(LinkChanged(lan.LEFT, 0, False))
    assert LinkChanged("other", index, False) in changes[gone:]


def test_moved_away(lan: Any) -> None:
    """An interface that moves to another namespace is gone."""
    monitor = KernelChanges()
    lan.ip("link add name extra type veth peer name arte")
    monitor.receive()
    lan.ip(f"link set extra netns {lan.path_of_right}")
    assert link_changes(monitor, "extra")[-1] == LinkChanged("extra", 0, False)


def test_addresses(lan: Any) -> None:
    """Addresses are reported with their interface, version, and whether they are permanent."""
    monitor = KernelChanges()
    lan.ip(f"address add 10.0.0.9/24 dev {lan.LEFT}")
    lan.ip(f"address add fd00:77::9/64 dev {lan.LEFT} nodad valid_lft 60 preferred_lft 0")
    lan.ip(f"address add 10.9.0.1 peer 10.9.1.1/32 dev {lan.LEFT}")
    lan.ip(f"address del 10.0.0.9/24 dev {lan.LEFT}")
    ours = {ip_address("10.0.0.9"), ip_address("fd00:77::9"), ip_address("10.9.0.1")}
    changes: list[KernelChange] = []

    def told() -> bool:
        for change in monitor.receive():
            # The kernel may tell of an IPv6 address a second time, once it is ready for use.
            if isinstance(change, AddressChanged) and change.address in ours and change not in changes:
                changes.append(change)
        return len(changes) >= 4

    lan.until(told, "four changes")
    later = [AddressChanged(lan.index, ip_address("fd00:77::9"), present=True, permanent=False)]
    # The kernel tells of an IPv6 address when a worker of its own has looked at it: between any two of the others.
    assert [change for change in changes if change in later] == later
    assert [change for change in changes if change not in later] == [
        AddressChanged(lan.index, ip_address("10.0.0.9"), present=True, permanent=True),
        AddressChanged(lan.index, ip_address("10.9.0.1"), present=True, permanent=True),
        AddressChanged(lan.index, ip_address("10.0.0.9"), present=False, permanent=True),
    ]


def test_quiet(lan: Any) -> None:
    """Nothing queued is an empty answer at once, and a closed monitor closes again without complaint."""
    monitor = KernelChanges()
    lan.until(lambda: not monitor.receive(), "the last news of the new interfaces")
    monitor.close()
    monitor.close()


def test_overflow(lan: Any) -> None:
    """When the kernel had to drop changes it says so once, as ENOBUFS; afterwards the monitor works on."""
    monitor = KernelChanges()
    batch = "\n".join(
        f"address {verb} 10.9.0.{number}/32 dev {lan.LEFT}"
        for _ in range(30)
        for verb in ("add", "del")
        for number in range(1, 200)
    )
    lan.ip_batch(batch)
    with pytest.raises(OSError, match="read the present state again") as raised:
        while monitor.receive():
            pass
    assert raised.value.errno == errno.ENOBUFS
    while monitor.receive():
        pass
    lan.ip(f"link set {lan.LEFT} down")
    assert link_changes(monitor, lan.LEFT)[-1] == LinkChanged(lan.LEFT, lan.index, False)


def test_dropped_changes_are_told_even_when_nothing_can_be_read(lan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of descriptors, the listener must learn all the same that it has missed something."""
    monitor = KernelChanges()

    def refuse() -> list[LinkChanged]:
        raise OSError(errno.EMFILE, "too many open files")

    def overflow(datagrams_max: int) -> NoReturn:
        raise OSError(errno.ENOBUFS, "no buffer space")

    monkeypatch.setattr("wsa_proxy.net.links.read_links", refuse)
    monkeypatch.setattr(monitor._route, "queued", overflow)
    with pytest.raises(OSError, match="read the present state again") as raised:
        monitor.receive()
    assert raised.value.errno == errno.ENOBUFS


def test_leases_like_ours_are_not_told_but_their_end_is(lan: Any) -> None:
    """Beginning and renewal of a lease stay in the kernel; its removal, its end, and any other address do not."""
    monitor = KernelChanges(tell_leases=False)
    lease = AddressLease(make_keeper(), 1, lan.LEFT, lan.index, [VIP4, VIP6])
    for _ in range(3):
        lease.acquire()
    lan.ip(f"address del 10.0.0.3/32 dev {lan.LEFT}")  # at once: the lease lasts a second
    lan.ip(f"address add 10.0.0.4/24 dev {lan.LEFT} valid_lft 1 preferred_lft 1")
    lan.ip(f"address add fd00:77::4/64 dev {lan.LEFT} nodad valid_lft 1 preferred_lft 0")
    lan.ip(f"address add 10.0.0.5/32 dev {lan.LEFT}")
    lan.ip(f"address add 10.0.0.6/32 dev {lan.LEFT} valid_lft 256 preferred_lft 1")
    told: list[tuple[str, bool]] = []

    def ended() -> bool:
        told.extend((str(it.address), it.present) for it in monitor.receive() if isinstance(it, AddressChanged))
        return (str(VIP6), False) in told

    lan.until(ended, "the end of the other lease")
    present = {address for address, is_present in told if is_present}
    # A busy kernel tells late of the addresses that the host itself has (they are tentative for a while).
    assert present - {"fd00:77::1", "fe80::1"} == {"10.0.0.4", "fd00:77::4", "10.0.0.5", "10.0.0.6"}
    assert {str(VIP4), str(VIP6)} <= {address for address, is_present in told if not is_present}
    lan.ip(f"link set {lan.LEFT} down")
    assert link_changes(monitor, lan.LEFT)[-1] == LinkChanged(lan.LEFT, lan.index, False), "longer than any address's"


def test_links_as_pyroute2_reads_them(lan: Any) -> None:
    """Name, index and flags are those that pyroute2 decodes, for every interface there is."""
    lan.ip("link add bridge0 type bridge")
    lan.ip(f"link set {lan.LEFT} master bridge0")
    with RouteSocket() as route:
        answers = route.dump(encode(ifinfmsg(), RTM_GETLINK, NLM_F_DUMP))
    assert len(answers) >= 3
    running = IFF_UP | IFF_LOWER_UP | IFF_RUNNING
    for answer in answers:
        read = ifinfmsg(answer.data)
        read.decode()
        is_running = read["flags"] & running == running
        assert _decode_link(answer) == LinkChanged(read.get_attr("IFLA_IFNAME"), read["index"], is_running)
