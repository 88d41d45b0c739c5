"""VRRP is read with its priority, interval and addresses, and its password is left where it was."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.vrrp import VRRPv3

from tests.watch.packets import heard
from tests.watch.packets import vrrp_2
from tests.watch.packets import vrrp_3
from wsa_proxy.watch.vrrp import ADDRESSES_MAX
from wsa_proxy.watch.vrrp import Vrrp
from wsa_proxy.watch.vrrp import read_vrrp


def test_version_2() -> None:
    """As scapy writes it (RFC 3768)."""
    expected = Vrrp(2, 9, 150, 3.0, ("10.0.0.3",), "none", intact=True)
    assert heard(vrrp_2(vrid=9, priority=150, adv=3)).says == expected


def test_version_3_in_both_ip_versions() -> None:
    """The interval is in hundredths of a second, and the checksum has a pseudo header (RFC 5798)."""
    assert heard(vrrp_3(vrid=9)).says == Vrrp(3, 9, 100, 0.5, ("10.0.0.3",), "", intact=True)
    in_ipv6 = VRRPv3(vrid=9, addrlist=["fe80::3", "fd00:77::3"])
    expected = Vrrp(3, 9, 100, 1.0, ("fe80::3", "fd00:77::3"), "", intact=True)
    assert heard(in_ipv6, source="fe80::1").says == expected


def test_priority_0_gives_up() -> None:
    """VRRP's bow-out."""
    says = heard(vrrp_2(priority=0)).says
    assert isinstance(says, Vrrp) and says.gives_up


def test_a_plain_text_password_is_not_kept() -> None:
    """Of authentication type 1 the type is told and nothing of the data."""
    says = heard(vrrp_2(authtype=1, auth1=0x73656372, auth2=0x65743132)).says
    assert isinstance(says, Vrrp) and says.auth == "plain text"
    assert "secr" not in repr(says) and "1936024434" not in repr(says)


@pytest.mark.parametrize("made", [vrrp_2, vrrp_3])
def test_damaged(made: Any) -> None:
    """A wrong checksum is told; what its length contradicts is no VRRP."""
    packet = bytearray(bytes(IP(bytes(IP(proto=112) / made())).payload))
    packet[2] ^= 1
    says = heard(bytes(packet)).says
    assert isinstance(says, Vrrp) and not says.intact
    assert heard(bytes(packet[:-1])).says is None


def test_many_addresses() -> None:
    """More than scapy reads in one list is not VRRP to us, and no exception."""
    packet = bytes([0x31, 1, 100, ADDRESSES_MAX + 1, 0, 100, 0, 0]) + bytes(4 * (ADDRESSES_MAX + 1))
    assert read_vrrp(packet, IP(src="10.0.0.1", dst="224.0.0.18")) is None
    assert read_vrrp(packet[:3] + bytes([ADDRESSES_MAX]) + packet[4:-4], IP()) is not None
    assert read_vrrp(b"\x31\x01", IPv6()) is None
