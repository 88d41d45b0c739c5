"""The real kernel behind the ports, on a cable of its own."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from ipaddress import ip_address
from ipaddress import ip_interface
from pathlib import Path

import pytest
from scapy.layers.l2 import Ether

from tests.cable import Lan
from tests.descriptors import no_descriptors
from wsa_proxy.net.claims import Served
from wsa_proxy.net.frames import read_advertisement
from wsa_proxy.net.ports import LinkChanged
from wsa_proxy.net.ports import MacVerdict
from wsa_proxy.runtime import kernel as kernel_module
from wsa_proxy.runtime.kernel import LinuxKernel
from wsa_proxy.settings import GroupSettings
from wsa_proxy.settings import Settings


def settings(*, virtual_mac: bool = False, interface: str = Lan.LEFT) -> Settings:
    group = GroupSettings(
        vhid=1,
        description="",
        hostname="proxy.example.com",
        virtual_ips=(ip_interface("10.0.0.3/24"), ip_interface("fd00:77::3/64")),
        interface=interface,
        priority=255,
        advbase=1,
        advskew=0,
        pass_phrases=(b"a good phrase",),
        security=("carp",),
        virtual_mac=virtual_mac,
        port=8080,
    )
    return Settings(Path("node.yaml"), "a", True, Path("state"), (group,))


def test_the_same_id_on_another_interface_is_refused_with_a_virtual_mac(lan: Lan) -> None:
    """Two processes would make its interface anew in turns."""
    there = LinuxKernel(settings(virtual_mac=True, interface="elsewhere"))
    there.claim(settings(virtual_mac=True, interface="elsewhere").groups)
    here = LinuxKernel(settings(virtual_mac=True))
    with pytest.raises(Served, match="failover group 1 on carp1 is served by another wsa-proxy"):
        here.claim(settings(virtual_mac=True).groups)
    here.claim(settings().groups)
    there.keep_claims(())
    here.claim(settings(virtual_mac=True).groups)
    here.keep_claims(())


def test_all_ports_of_a_group_work_together(lan: Lan) -> None:
    """Acquire, announce, advertise in both IP versions, probe, release, close: nothing is refused, nothing is left."""
    wanted = settings()
    kernel = LinuxKernel(wanted)
    ports = kernel.open(wanted.groups[0], lan.index)
    ports.addresses.acquire()
    assert ports.addresses.held() == {ip_address("10.0.0.3"), ip_address("fd00:77::3")}
    ports.neighbours.announce()
    ports.neighbours.probe()
    for version in (4, 6):
        ports.advertisements.send(version, bytes(36))
    assert kernel.remove_leftovers([ip_address("10.0.0.3")]) == [ip_address("10.0.0.3")]
    assert ports.addresses.held() == {ip_address("fd00:77::3")}
    ports.addresses.release()
    assert not ports.addresses.held()
    ports.close()


def test_the_ports_of_a_group_with_a_virtual_mac(lan: Lan) -> None:
    """The addresses are on an interface of their own, which goes with the ports; all else is on the parent."""
    wanted = settings(virtual_mac=True)
    kernel = LinuxKernel(wanted)
    ports = kernel.open(wanted.groups[0], lan.index)
    assert (ports.index, ports.virtual_interface) == (lan.index, "carp1")
    assert ports.address_index == socket.if_nametoindex("carp1")
    ports.addresses.acquire()
    assert {entry["local"] for entry in lan.addresses("carp1")} == {"10.0.0.3", "fd00:77::3"}
    wire = lan.wire(lambda frame: frame[6:12].hex() == "00005e000101")
    ports.neighbours.announce()
    ports.advertisements.send(4, bytes(36))
    assert [frame[12:14].hex() for frame in wire.take(3)] == ["0806", "86dd", "0800"]
    ports.close()
    assert "carp1" not in lan.ip("link")


def test_a_virtual_mac_that_cannot_be_had_leaves_nothing_open(lan: Lan) -> None:
    """The name is taken by something else: it says so, and the descriptors are closed."""
    lan.ip("link add carp1 type bridge")
    wanted = settings(virtual_mac=True)
    kernel = LinuxKernel(wanted)
    kernel.leases()
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="carp1 is a bridge interface"):
        kernel.open(wanted.groups[0], lan.index)
    assert len(os.listdir("/proc/self/fd")) == before


def test_whether_the_network_carries_it_is_asked_of_others(lan: Lan) -> None:
    """Never of the virtual IP: its owner may be ourselves a moment later."""
    with lan.on_the_right():
        mac = lan.mac(lan.RIGHT)
    lan.ip(f"neighbour replace 10.0.0.3 lladdr {mac} dev {lan.LEFT}")
    lan.ip(f"neighbour replace 10.0.0.2 lladdr {mac} dev {lan.LEFT}")
    test = LinuxKernel(settings(virtual_mac=True)).foreign_mac_test(lan.LEFT, lan.index)
    assert [str(each) for each in test._witnesses] == ["10.0.0.2"]
    test.send()

    def verdict() -> bool:
        return test.receive() is MacVerdict.CARRIED

    lan.until(verdict, "an answer")
    test.close()


def test_with_peers_advertisements_are_unicast(lan: Lan) -> None:
    """In the peers' IP versions, to hosts and not to the multicast group."""
    wanted = settings()
    group = replace(wanted.groups[0], peers=(ip_address("10.0.0.2"), ip_address("fd00:77::2")))
    wire = lan.wire(lambda frame: read_advertisement(frame) is not None)
    ports = LinuxKernel(wanted).open(group, lan.index)
    for version in group.versions:
        ports.advertisements.send(version, bytes(36))
    frames = [Ether(frame) for frame in wire.take(2)]
    assert [frames[0].payload.dst, frames[1].payload.dst] == ["10.0.0.2", "fd00:77::2"]
    ports.close()


@pytest.mark.parametrize("peers", [(), ("10.0.0.2", "fd00:77::2")], ids=["multicast", "peers"])
def test_out_of_descriptors_it_still_becomes_master(lan: Lan, peers: tuple[str, ...]) -> None:
    """Too many clients make a proxy serve badly and no more: a node that is alone takes the addresses, advertises, and
    goes on after its own addresses have changed."""
    wanted = settings(virtual_mac=True)
    kernel = LinuxKernel(wanted)
    ports = kernel.open(replace(wanted.groups[0], peers=tuple(map(ip_address, peers))), lan.index)
    with no_descriptors():
        ports.addresses.acquire()
        for _ in range(2):
            for version in (4, 6):
                ports.advertisements.send(version, bytes(36))
            ports.advertisements.refresh()
        ports.neighbours.announce()
        ports.addresses.renew()
        assert len(ports.addresses.held()) == 2
        ports.addresses.release()
        ports.addresses.settle()
    ports.close()


def test_the_links_and_their_changes(lan: Lan) -> None:
    """What is there at the start, and what changes later."""
    kernel = LinuxKernel(settings())
    monitor = kernel.monitor()
    assert next(link for link in kernel.links() if link.name == lan.LEFT).running
    lan.ip(f"link set {lan.LEFT} down")
    changes = [change for change in monitor.receive() if isinstance(change, LinkChanged)]
    assert any(change.name == lan.LEFT and not change.running for change in changes)
    monitor.close()


def test_neighbours_that_wait_for_an_answer_are_asked_for_again(lan: Lan) -> None:
    """Those of the interface with this index."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.sendto(b"?", ("10.0.0.66", 9))
    kernel = LinuxKernel(settings())
    assert kernel.ask_neighbours_again(lan.index) == [ip_address("10.0.0.66")]
    assert kernel.ask_neighbours_again(1) == []


def test_the_tie_break_is_the_last_byte_of_the_own_address(lan: Lan) -> None:
    """Never of the virtual one, which every node has."""
    lan.ip(f"address add 10.0.0.3/24 dev {lan.LEFT}")
    kernel = LinuxKernel(settings())
    assert kernel.tie_break(lan.LEFT) == 128  # of 10.0.0.1
    assert kernel.tie_break("none") == 0


@pytest.mark.parametrize("peers", [(), ("10.0.0.2",)], ids=["multicast", "peers"])
def test_a_virtual_address_of_a_later_configuration_is_never_a_source(lan: Lan, peers: tuple[str, ...]) -> None:
    """It may have been the host's own until then."""
    wanted = settings()
    lan.ip(f"address del 10.0.0.1/24 dev {lan.LEFT}")
    lan.ip(f"address add 10.0.0.77/24 dev {lan.LEFT}")
    kernel = LinuxKernel(wanted)
    ports = kernel.open(replace(wanted.groups[0], peers=tuple(map(ip_address, peers))), lan.index)
    carp = lan.wire(lambda frame: frame[12:14] == b"\x08\x00" and frame[23] == 112)
    ports.advertisements.send(4, bytes(36))
    assert carp.take(1)[0][26:30] == ip_address("10.0.0.77").packed
    lan.ip(f"address add 10.0.0.78/24 dev {lan.LEFT}")
    kernel.set_virtual([ip_address("10.0.0.3"), ip_address("10.0.0.77")])
    ports.advertisements.send(4, bytes(36))
    assert carp.take(1)[0][26:30] == ip_address("10.0.0.78").packed
    assert kernel.tie_break(lan.LEFT) == 0b01110010
    ports.close()


def test_the_proxy_goes_before_its_guardian(lan: Lan) -> None:
    """What the kernel ends first when memory runs out: the one that holds the most, and the guardian outlives it."""
    before = int(Path("/proc/self/oom_score_adj").read_text())
    leases = LinuxKernel(settings()).leases()
    assert int(Path(f"/proc/{leases.guardian}/oom_score_adj").read_text()) == before
    assert int(Path("/proc/self/oom_score_adj").read_text()) > before
    leases.close()


def test_as_process_1_it_says_what_that_means(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No guardian outlives it then."""
    kernel_module._warn_as_process_1()
    assert not caplog.text
    monkeypatch.setattr(os, "getpid", lambda: 1)
    kernel_module._warn_as_process_1()
    assert "process 1 of its container" in caplog.text and "docker run --init" in caplog.text
