"""Where to listen is what was named, else what the file says, else the only possibility, else a list to choose from."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_interface
from pathlib import Path

import pytest

from tests.watch.packets import configuration
from wsa_proxy.net.host import AddressFacts
from wsa_proxy.net.host import HostFacts
from wsa_proxy.net.host import InterfaceFacts
from wsa_proxy.watch.groups import read_groups
from wsa_proxy.watch.interfaces import NoInterface
from wsa_proxy.watch.interfaces import choose


def interface(
    name: str, index: int, address: str = "", mac: str = "02:00:00:00:00:01", up: bool = True
) -> InterfaceFacts:
    facts = (AddressFacts(ip_interface(address), ip_interface(address).network),) if address else ()
    return InterfaceFacts(name, index, mac, up, True, name == "lo", facts)


LO, ETH0, ETH1 = interface("lo", 1), interface("eth0", 2, "10.0.0.1/24"), interface("eth1", 3)
TUN, DOWN = interface("tun0", 4, mac=""), interface("eth2", 5, up=False)


def names(chosen: list[InterfaceFacts]) -> list[str]:
    return [each.name for each in chosen]


def test_the_only_one_that_is_up() -> None:
    """Loopback, tunnels and what is down are none."""
    assert names(choose([], None, HostFacts((LO, ETH0, TUN, DOWN)))) == ["eth0"]


def test_those_of_the_groups(tmp_path: Path) -> None:
    """Each once, in the order of the file; a name that was given comes before the file."""
    (group,) = read_groups(configuration(tmp_path), HostFacts((LO, ETH0, ETH1)))
    assert group.interface == "eth0"
    groups = [group, replace(group, interface="eth1"), group]
    assert names(choose([], groups, HostFacts((LO, ETH0, ETH1)))) == ["eth0", "eth1"]
    assert names(choose(["eth1"], groups, HostFacts((LO, ETH0, ETH1)))) == ["eth1"]


@pytest.mark.parametrize(
    ("named", "there", "text"),
    [
        ([], (LO, ETH0, ETH1), "several .* --interface: eth0 [(]10.0.0.1/24[)], eth1 [(]no address[)]"),
        ([], (LO, TUN), "no interface is up .* there are none but the loopback interface"),
        ([], (LO, DOWN), "no interface is up .* eth2 [(]no address, down[)]"),
        (["ethh0"], (LO, ETH0), "there is no interface ethh0 on this host; .*; did you mean eth0[?]"),
        (["lo"], (LO, ETH0), "lo is the loopback interface"),
        (["tun0"], (LO, TUN), "tun0 is not an Ethernet interface"),
        (["eth2"], (LO, DOWN), "eth2 is down, nothing can be heard there: ip link set eth2 up"),
        (["\x1b[2J"], (LO, ETH0), r"there is no interface \\u001b\[2J"),
    ],
)
def test_nothing_to_listen_on(named: list[str], there: tuple[InterfaceFacts, ...], text: str) -> None:
    """The error names what there is, without control characters."""
    with pytest.raises(NoInterface, match=text):
        choose(named, None, HostFacts(there))
