"""The tap hears everything of protocol 112 that passes an interface, in both directions, as it is on the wire."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1AD
from scapy.layers.l2 import Dot1Q
from scapy.layers.l2 import Ether

from tests.net.test_packet_socket import F1
from tests.net.test_packet_socket import PAYLOAD
from tests.net.test_packet_socket import VECTORS
from wsa_proxy.net.packet_socket import Headers
from wsa_proxy.net.packet_socket import PacketSocket
from wsa_proxy.net.ports import FRAMES_PER_TURN_MAX
from wsa_proxy.net.tap import Tap
from wsa_proxy.net.tap import TappedFrame

MULTICAST: dict[str, Any] = {"src": "02:00:00:00:00:02", "dst": "01:00:5e:00:00:12"}


def ipv4(**fields: Any) -> Any:
    values: dict[str, Any] = {"src": "10.0.0.2", "dst": "224.0.0.18", "ttl": 255, "proto": 112} | fields
    return IP(**values) / PAYLOAD


def ipv6(**fields: Any) -> Any:
    values: dict[str, Any] = {"src": "fe80::2", "dst": "ff02::12", "hlim": 255, "nh": 112} | fields
    return IPv6(**values) / PAYLOAD


def tapped(lan: Any, tap: Tap, count: int) -> list[TappedFrame]:
    """The next so many frames, and no more."""
    found: list[TappedFrame] = []

    def enough() -> bool:
        found.extend(tap.receive())
        return len(found) >= count

    lan.until(enough, f"{count} frames")
    assert len(found) == count, found
    return found


def test_what_the_lan_sends_and_what_this_host_sends(lan: Any) -> None:
    """A watch on the master sees the master: its own frames are heard once, and marked."""
    tap = Tap(lan.LEFT, lan.index)
    node = PacketSocket(lan.LEFT, lan.index, F1["vhid"], (4, 6), Headers(()))
    for vector in VECTORS:
        lan.send_from_the_right(bytes.fromhex(vector["frame_hex"]))
    theirs = tapped(lan, tap, len(VECTORS))
    assert [each.frame for each in theirs] == [bytes.fromhex(vector["frame_hex"]) for vector in VECTORS]
    assert not any(each.sent_here for each in theirs)
    assert all(each.length_bytes == len(each.frame) and abs(time.time() - each.at_s) < 5 for each in theirs)
    node.send(4, PAYLOAD)
    node.send(6, PAYLOAD)
    ours = tapped(lan, tap, 2)
    assert [(each.sent_here, each.frame[-36:]) for each in ours] == [(True, PAYLOAD)] * 2
    assert ours[0].frame[6:12].hex(":") == lan.mac()
    tap.close()
    node.close()


TAGGED = {
    "IPv4": Ether(**MULTICAST) / Dot1Q(vlan=20) / ipv4(),
    "IPv6": Ether(**MULTICAST) / Dot1Q(vlan=4094, prio=7) / ipv6(),
    "service tag": Ether(**MULTICAST) / Dot1AD(vlan=7) / ipv4(),
    "two tags": Ether(**MULTICAST) / Dot1AD(vlan=7) / Dot1Q(vlan=20) / ipv4(),
    "two tags, IPv6": Ether(**MULTICAST) / Dot1Q(vlan=7) / Dot1Q(vlan=20) / ipv6(),
}


@pytest.mark.parametrize("name", TAGGED)
def test_vlan_tags_are_put_back(lan: Any, name: str) -> None:
    """The kernel takes the outer tag off; the frame is told as it was on the wire."""
    tap = Tap(lan.LEFT, lan.index)
    lan.send_from_the_right(bytes(TAGGED[name]))
    (found,) = tapped(lan, tap, 1)
    assert found.frame == bytes(TAGGED[name]) and found.length_bytes == len(found.frame)


def test_nothing_else_wakes_it(lan: Any) -> None:
    """The filter is in the kernel: other protocols cost this host nothing."""
    tap = Tap(lan.LEFT, lan.index)
    header = Ether(**MULTICAST)
    others = [header / ipv4(proto=17), header / ipv6(nh=58), header / Dot1Q(vlan=20) / ipv4(proto=17)]
    arp = bytes.fromhex("ffffffffffff02000000000208060001080006040001") + bytes(20)
    lan.send_from_the_right(*map(bytes, others), arp, bytes(header / Dot1Q(vlan=3, type=0x0806))[:20])
    with lan.on_the_right(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ordinary:
        ordinary.sendto(b"hello", ("10.0.0.1", 9))
    assert not lan.readable([tap.fileno()], 0.2)
    lan.send_from_the_right(bytes(header / ipv4()))
    assert len(tapped(lan, tap, 1)) == 1


def test_the_groups_are_joined_and_left(lan: Any) -> None:
    """Switches that snoop forward to members only; without IPv6 there is still IPv4 to look at."""
    tap = Tap(lan.LEFT, lan.index)
    assert "120000E0" in Path("/proc/net/igmp").read_text()
    assert "allmulti 1" in lan.ip(f"-details link show dev {lan.LEFT}")
    tap.close()
    assert "120000E0" not in Path("/proc/net/igmp").read_text()
    Path(f"/proc/sys/net/ipv6/conf/{lan.LEFT}/disable_ipv6").write_text("1")
    tap = Tap(lan.LEFT, lan.index)
    lan.send_from_the_right(bytes(Ether(**MULTICAST) / ipv6()))
    assert len(tapped(lan, tap, 1)) == 1


def test_a_storm_is_read_in_portions_and_what_is_lost_is_told(lan: Any) -> None:
    """One call answers a bounded number; the kernel counts what found the queue full."""
    tap = Tap(lan.LEFT, lan.index)
    sent = 20_000
    lan.send_from_the_right(*[bytes(Ether(**MULTICAST) / ipv4())] * sent)
    portions: list[int] = []
    while portions[-1:] != [0]:
        portions.append(len(tap.receive()))
    assert max(portions) == FRAMES_PER_TURN_MAX
    assert 0 < tap.dropped() == sent - sum(portions)
    assert tap.dropped() == 0


def test_an_interface_that_goes_down(lan: Any) -> None:
    """It is told once, nothing of what came before is lost, and what comes after it is up again is heard."""
    tap = Tap(lan.LEFT, lan.index)
    lan.send_from_the_right(bytes(Ether(**MULTICAST) / ipv4()))
    assert lan.readable([tap.fileno()], 5.0)
    lan.ip(f"link set {lan.LEFT} down")
    assert [each.frame[-36:] for each in tap.receive()] == [PAYLOAD]
    assert tap.trouble == "Network is down"
    tap.trouble = ""
    assert (tap.receive(), tap.trouble) == ([], "")
    lan.ip(f"link set {lan.LEFT} up")
    lan.wait_up(lan.LEFT)
    with lan.on_the_right():
        lan.wait_up(lan.RIGHT)
    lan.send_from_the_right(bytes(Ether(**MULTICAST) / ipv4()))
    assert len(tapped(lan, tap, 1)) == 1


def test_without_the_privilege(lan: Any) -> None:
    """The error names it."""
    lan.lose_privileges()
    with pytest.raises(OSError, match=r"cannot open a packet socket on left: .* it needs CAP_NET_RAW"):
        Tap(lan.LEFT, lan.index)
