from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.example import GOOD
from tests.config.example import HOST
from tests.config.example import Case
from tests.config.example import address
from tests.config.example import changed
from tests.config.example import interface
from tests.config.example import loaded
from tests.config.example import told
from wsa_proxy.net.host import HostFacts

CASES: list[Case] = [
    ("10.0.0.3/24", "10.0.0.3", "7: groups[0].virtual_ip: 10.0.0.3: must have a prefix; write 10.0.0.3/24"),
    (
        "10.0.0.3/24",
        "10.0.0.3/16",
        "warning 7: groups[0].virtual_ip: 10.0.0.3/16: the prefix differs from that of eth0; there it is 10.0.0.3/24",
    ),
    ("10.0.0.3/24", "192.168.7.9", "7: groups[0].virtual_ip: 192.168.7.9: must have a prefix; write 192.168.7.9/24"),
    ("10.0.0.3/24", "fd00:77::3", "7: groups[0].virtual_ip: fd00:77::3: must have a prefix; write fd00:77::3/64"),
    ("10.0.0.3/24", "172.16.0.3", "7: groups[0].virtual_ip: 172.16.0.3: must have a prefix; write 172.16.0.3/24"),
    (
        "10.0.0.3/24",
        "10.0.0.1/24",
        (
            "7: groups[0].virtual_ip: 10.0.0.1/24: is already a permanent address of eth0 on this host; a virtual IP "
            "belongs to the group alone: take a free address, or remove it there (ip address del 10.0.0.1/24 dev "
            "eth0)"
        ),
    ),
    (
        "10.0.0.3/24",
        "10.9.0.3/24",
        (
            "7: groups[0].virtual_ip: 10.9.0.3/24: no interface of this host is in its subnet; correct the virtual "
            "IP, or give an interface an address in its subnet; there are eth0 (10.0.0.1/24, fd00:77::1/64), eth1 "
            "(192.168.7.1/24)"
        ),
    ),
    (
        "10.0.0.3/24",
        "10.8.0.3/24",
        (
            "7: groups[0].virtual_ip: 10.8.0.3/24: no interface of this host is in its subnet; correct the virtual "
            "IP, or give an interface an address in its subnet; there are eth0 (10.0.0.1/24, fd00:77::1/64), eth1 "
            "(192.168.7.1/24)"
        ),
    ),
    (
        "10.0.0.3/24",
        "10.0.0.255/16",
        "7: groups[0].virtual_ip: 10.0.0.255/16: is the broadcast address of eth0's network 10.0.0.0/24",
    ),
    (
        "10.0.0.3/24",
        "10.0.0.0/16",
        (
            "7: groups[0].virtual_ip: 10.0.0.0/16: is the address of the network 10.0.0.0/16 itself; use a free host "
            "address of the LAN"
        ),
    ),
    (
        "10.0.0.3/24",
        "[10.0.0.3/24, 192.168.7.3/24]",
        (
            "7: groups[0].virtual_ip: all virtual IPs of a group must be on one interface; 10.0.0.3 to eth0, "
            "192.168.7.3 to eth1"
        ),
    ),
    (
        "10.0.0.3/24",
        "[10.0.0.3/24, 10.0.0.3/24]",
        "7: groups[0].virtual_ip[1]: 10.0.0.3/24: used twice, first on line 7; a virtual IP stands in one place only",
    ),
    (
        "10.0.0.3/24",
        "[10.0.0.3/24, fd00:88::3/64]",
        (
            "7: groups[0].virtual_ip[1]: fd00:88::3/64: no interface of this host is in its subnet; correct the "
            "virtual IP, or give an interface an address in its subnet; there are eth0 (10.0.0.1/24, fd00:77::1/64), "
            "eth1 (192.168.7.1/24)"
        ),
    ),
    (
        "interface: auto",
        "interface: eth7",
        (
            "8: groups[0].interface: eth7: there is no such interface on this host; there are eth0 (10.0.0.1/24, "
            "fd00:77::1/64), eth1 (192.168.7.1/24); did you mean eth1?"
        ),
    ),
    (
        "interface: auto",
        "interface: eht0",
        (
            "8: groups[0].interface: eht0: there is no such interface on this host; there are eth0 (10.0.0.1/24, "
            "fd00:77::1/64), eth1 (192.168.7.1/24); did you mean eth0?"
        ),
    ),
    (
        "interface: auto",
        "interface: lo",
        (
            "8: groups[0].interface: lo: is the loopback interface, where no neighbour sees a virtual IP; there are "
            "eth0 (10.0.0.1/24, fd00:77::1/64), eth1 (192.168.7.1/24)"
        ),
    ),
    (
        "interface: auto",
        "interface: tun0",
        (
            "8: groups[0].interface: tun0: is not an Ethernet interface, where no neighbour sees a virtual IP; there "
            "are eth0 (10.0.0.1/24, fd00:77::1/64), eth1 (192.168.7.1/24)"
        ),
    ),
    (
        "interface: auto",
        "interface: eth1",
        (
            "8: groups[0].interface: eth1: you must choose an interface in the same subnet as the virtual IP "
            "address: 10.0.0.3/24 is not in a subnet of eth1 (192.168.7.1/24); in that subnet is eth0"
        ),
    ),
    (
        "interface: auto",
        "interface: zzz",
        (
            "8: groups[0].interface: zzz: there is no such interface on this host; there are eth0 (10.0.0.1/24, "
            "fd00:77::1/64), eth1 (192.168.7.1/24)"
        ),
    ),
    ("interface: auto", "interface: [eth0]", "8: groups[0].interface: must be the name of an interface, or auto"),
    (
        "interface: auto",
        "interface: 2",
        "8: groups[0].interface: 2: must be the name of an interface, or auto; put it in quotes",
    ),
]


@pytest.mark.parametrize(("old", "new", "lines"), CASES)
def test_each_is_told_precisely(tmp_path: Path, old: str, new: str, lines: str) -> None:
    """What does not fit this host gives exactly the lines that help."""
    assert told(tmp_path, changed(old, new)) == lines


def test_the_live_master_has_nothing_wrong(tmp_path: Path) -> None:
    """A virtual IP that this host holds as a lease is its own."""
    assert any(str(facts.address) == "10.0.0.3/32" for each in HOST.interfaces for facts in each.addresses)
    assert told(tmp_path, GOOD) == ""


def test_a_lease_is_no_subnet(tmp_path: Path) -> None:
    """The virtual IP held as a lease does not make its own interface fit."""
    host = HostFacts((interface("eth0", address("10.0.0.3/24", 2), address("192.168.1.1/24")),))
    assert "no interface of this host is in its subnet" in told(tmp_path, GOOD, host=host)


def test_dhcp_addresses_count(tmp_path: Path) -> None:
    """An interface fits by an address from DHCP too; the same address as virtual IP is the host's own, not ours."""
    host = HostFacts((interface("eth0", address("10.0.0.1/24", 3600)),))
    assert loaded(tmp_path, GOOD, host=host).settings.groups[0].interface == "eth0"
    assert "is already an address with a lease (DHCP) of eth0" in told(
        tmp_path, changed("10.0.0.3/24", "10.0.0.1/24"), host=host
    )


def test_several_interfaces_match(tmp_path: Path) -> None:
    """Two interfaces in the virtual IP's subnet: both are named, and the operator names one."""
    host = HostFacts((interface("eth0", address("10.0.0.1/24")), interface("eth1", address("10.0.0.2/24"))))
    assert told(tmp_path, GOOD, host=host) == (
        "8: groups[0].interface: auto: several interfaces are in the subnet of the virtual IP: eth0 and eth1; name one"
    )
    named = changed("interface: auto", "interface: eth1")
    assert loaded(tmp_path, named, host=host).settings.groups[0].interface == "eth1"


def test_both_ip_versions_on_one_interface(tmp_path: Path) -> None:
    """A group with IPv4 and IPv6 virtual IPs leads to the interface that has both networks."""
    [group] = loaded(tmp_path, changed("10.0.0.3/24", "[10.0.0.3/24, fd00:77::3/64]")).settings.groups
    assert (group.interface, [str(each) for each in group.virtual_ips]) == ("eth0", ["10.0.0.3/24", "fd00:77::3/64"])


def test_no_network_at_all(tmp_path: Path) -> None:
    """On a host with the loopback interface only, the message says so."""
    assert told(tmp_path, GOOD, host=HostFacts(())).endswith("there are none but the loopback interface")


def test_a_cable_that_is_out_is_a_warning(tmp_path: Path) -> None:
    """An interface that is down is right, and worth a word."""
    host = HostFacts((interface("eth0", address("10.0.0.1/24"), up=False),))
    assert told(tmp_path, GOOD, host=host) == (
        "warning 8: groups[0].interface: eth0 is down; the group stays in INIT until it is up"
    )


IN_THE_WAY = "net.ipv4.conf.all.rp_filter is 1 (strict)"


@pytest.mark.parametrize(
    ("mac", "lines"), [("virtual", f"warning 5: groups[0]: {IN_THE_WAY}"), ("interface", "")], ids=["virtual", "own"]
)
def test_what_is_in_the_way_of_a_virtual_mac(tmp_path: Path, mac: str, lines: str) -> None:
    """One warning, however many groups want one."""
    host = HostFacts(HOST.interfaces, (IN_THE_WAY,))
    assert told(tmp_path, changed("    priority: 255\n", f"    priority: 255\n    mac: {mac}\n"), host=host) == lines


def test_it_is_told_once(tmp_path: Path) -> None:
    """It is the host's matter, not each group's."""
    second = "  - id: 2\n    hostname: proxy.example.com\n    virtual_ip: 10.0.0.4/24\n    priority: 255\n"
    text = GOOD + second + "    shared_secret: twelve-bytes!\n"
    assert told(tmp_path, text, host=HostFacts(HOST.interfaces, (IN_THE_WAY,))).count(IN_THE_WAY) == 1


def test_the_interface_of_a_running_group_is_not_offered(tmp_path: Path) -> None:
    """It has the virtual MAC and nothing but leases; a group is on its parent."""
    running = interface("carp1", address("10.0.0.3/32", 1), mac="00:00:5e:00:01:01")
    host = HostFacts((*HOST.interfaces[:1], interface("eth0", address("10.0.0.1/24")), running))
    assert told(tmp_path, GOOD, host=host) == ""
    assert "carp1" not in told(tmp_path, changed("interface: auto", "interface: eth9"), host=host)


def test_a_link_local_virtual_ip(tmp_path: Path) -> None:
    """Every interface is in its subnet, so one is named; and only there must nobody else have it."""
    here = interface("eth0", address("10.0.0.1/24"), address("fe80::1/64"), address("fe80::3/128", 1))
    host = HostFacts((here, interface("docker0", address("172.17.0.1/16"), address("fe80::3/64"))))
    alone = changed("10.0.0.3/24", "fe80::3/64").replace("interface: auto\n", "interface: auto\n    mac: interface\n")
    assert told(tmp_path, alone, host=host) == (
        "8: groups[0].interface: auto: several interfaces are in the subnet of the virtual IP: eth0 and docker0; "
        "name one"
    )
    named = alone.replace("interface: auto", "interface: eth0")
    assert told(tmp_path, named, host=host) == ""
    # With another virtual IP beside it the interface is clear.
    both = loaded(tmp_path, alone.replace("fe80::3/64", "[fe80::3/64, 10.0.0.3/24]"), host=host).settings.groups[0]
    assert both.interface == "eth0"
    there = told(tmp_path, named.replace("eth0", "docker0"), host=host)
    assert "is already a permanent address of docker0 on this host" in there
    assert told(tmp_path, named.replace("    mac: interface\n", ""), host=host) == (
        "7: groups[0].virtual_ip: a link-local virtual IP needs the network card's own hardware address; write mac: "
        "interface"
    )


def test_a_link_local_ipv4_virtual_ip_is_one_like_others(tmp_path: Path) -> None:
    """Where the hosts gave themselves addresses of 169.254.0.0/16, or were given them."""
    host = HostFacts((interface("eth0", address("169.254.7.1/16")),))
    assert told(tmp_path, changed("10.0.0.3/24", "169.254.7.3/16"), host=host) == ""
