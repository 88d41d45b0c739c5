from __future__ import annotations

from ipaddress import ip_address
from ipaddress import ip_interface
from pathlib import Path

import pytest

from tests.doctor.patients import VIP
from tests.doctor.patients import status
from tests.watch.packets import configuration
from wsa_proxy.config import ConfigError
from wsa_proxy.doctor.facts import Group
from wsa_proxy.doctor.subject import read_subject
from wsa_proxy.doctor.subject import subject_of_status
from wsa_proxy.net.host import AddressFacts
from wsa_proxy.net.host import HostFacts
from wsa_proxy.net.host import InterfaceFacts

OWN = ip_interface("10.0.0.1/24")
ETH0 = InterfaceFacts("eth0", 2, "02:00:00:00:00:0a", True, True, False, (AddressFacts(OWN, OWN.network),))
HOST = HostFacts((ETH0,), in_the_way=("rp_filter is strict",))
GROUP = Group(1, "eth0", (VIP,), True, (), 1, 8112)


def test_a_good_file(tmp_path: Path) -> None:
    """Its group, its keys, its folders; what is in the way of a virtual MAC is another check's."""
    file = configuration(tmp_path, name="a.yaml")
    file.write_text(f"state_dir: {tmp_path}\nclock_tolerance: 60\n{file.read_text()}")
    found = read_subject(file, HOST)
    assert (found.groups, found.problems, found.host_problems) == ((GROUP,), (), ())
    assert found.watched is not None and found.watched[0].vhid == 1
    assert (found.clock_tolerance_s, found.state_dir, found.holds_secret) == (60, tmp_path, True)


def test_the_secret_may_be_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("correct-horse-1\n")
    (tmp_path / "secret").chmod(0o600)
    file = configuration(tmp_path, shared_secret=None, shared_secret_file="secret")
    found = read_subject(file, HOST)
    assert (found.secret_files, found.holds_secret) == ((tmp_path / "secret",), False)
    assert found.groups[0].report_port == 8112
    assert read_subject(configuration(tmp_path, shared_secret=None), HOST).groups[0].report_port is None


def test_the_members_that_are_named(tmp_path: Path) -> None:
    """This node itself is nobody to wait for."""
    file = configuration(tmp_path, members="{port: 9000, nodes: [a, b, c]}")
    file.write_text(f"node: b\n{file.read_text()}")
    group = read_subject(file, HOST).groups[0]
    assert (group.report_port, group.expected) == (9000, ("a", "c"))


def test_what_is_wrong_on_this_host_is_told_apart_and_once(tmp_path: Path) -> None:
    """The group is examined all the same, where its interface is there."""
    found = read_subject(configuration(tmp_path, virtual_ip="10.0.9.3/24", interface="eth0", priority=300), HOST)
    assert ["10.0.9.3/24" in str(each) for each in found.host_problems] == [True]
    assert ["priority" in each.key for each in found.problems if each.key != "state_dir"] == [True]
    assert found.groups[0].interface == "eth0" and found.watched is None
    lost = read_subject(configuration(tmp_path, interface="eth9"), HOST)
    assert lost.groups[0].interface == "" and len(lost.host_problems) == 1


def test_a_group_that_cannot_be_examined(tmp_path: Path) -> None:
    assert read_subject(configuration(tmp_path, id=None), HOST).groups == ()
    assert read_subject(configuration(tmp_path, virtual_ip=None), HOST).groups == ()


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        read_subject(tmp_path / "none.yaml", HOST)


def test_the_groups_of_a_running_node() -> None:
    """The same group, as its status document says it; nothing is known of files."""
    found = subject_of_status({"groups": [status()]})
    assert found.groups == (GROUP,) and found.watched is None and found.state_dir is None
    other = status(virtual_mac=None, peers=["10.0.0.2"], members=None)
    assert subject_of_status({"groups": [other]}).groups == (
        Group(1, "eth0", (VIP,), False, (ip_address("10.0.0.2"),), 1, None),
    )
