"""What is proposed for each question."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_interface
from ipaddress import ip_network

import pytest

from tests.init.host import ETH0
from tests.init.host import HOST
from tests.init.host import LO
from tests.init.host import interface
from wsa_proxy.config.files import SECRET_BYTES_ADVISED
from wsa_proxy.config.schema import SECRET_BYTES_MAX
from wsa_proxy.init.draft import problems_of
from wsa_proxy.init.questions import QUESTIONS
from wsa_proxy.init.questions import networks_text
from wsa_proxy.init.questions import with_prefix
from wsa_proxy.net.host import AddressFacts
from wsa_proxy.net.host import HostFacts

BY_KEY = {question.key: question for question in QUESTIONS}


def test_they_come_in_the_order_in_which_one_helps_the_next() -> None:
    """The address before its interface and its name; each has one line of explanation that fits a terminal."""
    keys = "node virtual_ip interface hostname id priority shared_secret port"
    assert " ".join(BY_KEY) == keys
    assert all("\n" not in each.explains and len(each.explains) <= 110 for each in QUESTIONS)


def test_a_secret_is_made_anew_each_time() -> None:
    """As long as CARP takes it, so long that nobody guesses it, and right for the real checks."""
    made = {str(BY_KEY["shared_secret"].propose({}, HOST)) for _ in range(50)}
    assert len(made) == 50
    assert {len(each) for each in made} == {SECRET_BYTES_MAX} and SECRET_BYTES_MAX >= SECRET_BYTES_ADVISED
    assert not problems_of({"shared_secret": made.pop()}, "groups[0].shared_secret", HOST)


@pytest.mark.parametrize(
    ("virtual_ip", "name"),
    [("10.0.0.3/24", "10.0.0.3"), ("10.0.0.3/24, fd00:77::3/64", "10.0.0.3"), ("fd00:77::3/64", None), ("", None)],
)
def test_an_address_is_a_name_where_there_is_no_other(virtual_ip: str, name: str | None) -> None:
    """IPv6 addresses are no host names."""
    assert BY_KEY["hostname"].propose({"virtual_ip": virtual_ip}, HOST) == name


def test_the_networks_of_this_host_are_shown() -> None:
    """With an address that this host has not; never loopback, link-local, or a virtual IP that is held."""
    text = "networks here: eth0 10.0.0.0/24, eth0 fd00:77::/64; for instance 10.0.0.250/24, if it is free"
    assert networks_text(HOST) == text
    taken = HostFacts((interface("eth0", 2, "10.0.0.250/24", "fe80::1/64"),))
    assert networks_text(taken) == "networks here: eth0 10.0.0.0/24; for instance 10.0.0.249/24, if it is free"
    held = interface("eth0", 2, "192.0.2.3/32", "fd00:77::3/128")
    assert networks_text(HostFacts((held,))) == ""
    by_dhcp = AddressFacts(ip_interface("192.0.2.3/24"), ip_network("192.0.2.0/24"), valid_s=3600)
    assert networks_text(HostFacts((replace(ETH0, addresses=(by_dhcp,)),))).startswith(
        "networks here: eth0 192.0.2.0/24"
    )
    assert networks_text(HostFacts((LO, replace(ETH0, addresses=())))) == ""
    assert networks_text(HostFacts((interface("eth0", 2, "10.0.0.1/30"),))) == "networks here: eth0 10.0.0.0/30"


@pytest.mark.parametrize(
    ("answer", "completed"),
    [
        ("10.0.0.3", "10.0.0.3/24"),
        ("fd00:77::3", "fd00:77::3/64"),
        ("10.0.0.3/25", "10.0.0.3/25"),
        ("192.0.2.3", "192.0.2.3"),
        ("eth0", "eth0"),
    ],
)
def test_a_prefix_that_is_left_out_is_that_of_the_lan(answer: str, completed: str) -> None:
    """Where this host is in it, also while it holds that address; what cannot be completed is told by the checks."""
    holding = HostFacts((LO, replace(ETH0, addresses=(*interface("", 0, "10.0.0.3/32").addresses, *ETH0.addresses))))
    assert with_prefix(answer, HOST) == with_prefix(answer, holding) == completed
