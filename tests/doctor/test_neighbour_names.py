from __future__ import annotations

from typing import Any

import pytest

from wsa_proxy.doctor.neighbour_names import describe_mac
from wsa_proxy.doctor.neighbour_names import read_names


@pytest.mark.parametrize(
    ("mac", "text"),
    [
        ("00:00:5e:00:01:2a", "00:00:5e:00:01:2a, the virtual MAC of id 42 (CARP or VRRP)"),
        ("00:00:5e:00:02:01", "00:00:5e:00:02:01, the virtual MAC of id 1 (VRRP for IPv6)"),
        ("00:00:5e:00:00:07", "00:00:5e:00:00:07, the virtual MAC of id 7 (ucarp)"),
        (
            "02:00:00:00:00:09",
            "02:00:00:00:00:09, an address made by software: a virtual machine or a container, known here as 10.0.0.9",
        ),
        ("00:1b:21:00:00:01", "00:1b:21:00:00:01"),
    ],
)
def test_whose_a_hardware_address_is(mac: str, text: str) -> None:
    assert describe_mac(mac, {"02:00:00:00:00:09": "10.0.0.9"}) == text


def test_the_neighbour_table(lan: Any) -> None:
    """All addresses of one hardware address, of this interface only; entries without one are left out."""
    for address, device in (("fd00:77::9", lan.LEFT), ("10.0.0.9", lan.LEFT), ("10.0.0.8", "lo")):
        lan.ip(f"neighbour add {address} lladdr 02:00:00:00:00:09 dev {device} nud reachable")
    lan.ip(f"neighbour add 10.0.0.7 dev {lan.LEFT} nud failed")
    assert read_names(lan.index) == {"02:00:00:00:00:09": "10.0.0.9, fd00:77::9"}
