"""The real kernel behind the ports, on a cable of its own."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from ipaddress import ip_interface
from pathlib import Path

from tests.cable import Lan
from wsa_proxy.net.ports import LinkChanged
from wsa_proxy.runtime.kernel import LinuxKernel
from wsa_proxy.settings import GroupSettings
from wsa_proxy.settings import Settings


def settings() -> Settings:
    group = GroupSettings(
        vhid=1,
        description="",
        hostname="proxy.example.com",
        virtual_ips=(ip_interface("10.0.0.3/24"), ip_interface("fd00:77::3/64")),
        interface=Lan.LEFT,
        priority=255,
        advbase=1,
        advskew=0,
        pass_phrases=(b"a good phrase",),
        security=("carp",),
        port=8080,
    )
    return Settings(Path("node.yaml"), "a", True, Path("state"), (group,))


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
