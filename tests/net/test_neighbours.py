from __future__ import annotations

import errno
from ipaddress import IPv4Address
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet6 import ICMPv6ND_NA
from scapy.layers.inet6 import ICMPv6NDOptDstLLAddr
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP
from scapy.layers.l2 import Ether

from wsa_proxy.net.neighbours import ADDRESSES_IN_FILTER_MAX
from wsa_proxy.net.neighbours import Neighbours
from wsa_proxy.net.ports import Answer

VIP4 = IPv4Address("10.0.0.3")
VIP6 = IPv6Address("fd00:77::3")
SECOND6 = IPv6Address("fd00:77::4:3")
FOREIGN_MAC = "02:00:00:00:00:02"


def open_neighbours(lan: Any) -> Neighbours:
    return Neighbours(lan.LEFT, lan.index, [VIP4, VIP6, SECOND6])


def is_about_addresses(frame: bytes) -> bool:
    """ARP, neighbour solicitation or advertisement for one of the virtual addresses."""
    if frame[12:14] == b"\x08\x06":
        return VIP4.packed in frame
    return frame[20] == 58 and frame[54] in (135, 136) and (VIP6.packed in frame or SECOND6.packed in frame)


def answers(lan: Any, neighbours: Neighbours, count: int) -> list[Answer]:
    """The next so many answers, and no more."""
    found: list[Answer] = []

    def enough() -> bool:
        found.extend(neighbours.receive())
        return len(found) >= count

    lan.until(enough, f"{count} answers")
    assert len(found) == count, found
    return found


def test_announcement_as_tcpdump_reads_it(lan: Any) -> None:
    """announce is a broadcast gratuitous ARP request and neighbour advertisements to all nodes that override."""
    wire = lan.wire(is_about_addresses)
    open_neighbours(lan).announce()
    text = lan.tcpdump(wire.take(3), "-vv")
    mac = lan.mac()
    assert f"{mac} > ff:ff:ff:ff:ff:ff" in text
    assert "Request who-has 10.0.0.3 tell 10.0.0.3" in text
    assert "Reply" not in text
    assert text.count(f"{mac} > 33:33:00:00:00:01") == 2
    assert "fd00:77::3 > ff02::1: [icmp6 sum ok] ICMP6, neighbor advertisement" in text
    assert "tgt is fd00:77::3, Flags [override]" in text
    assert "hlim 255" in text
    assert text.count(f"destination link-address option (2), length 8 (1): {mac}") == 2


def test_announcement_moves_the_neighbours(lan: Any) -> None:
    """A neighbour that knew another owner believes the announcement, in both versions."""
    with lan.on_the_right():
        for address in (VIP4, VIP6):
            lan.ip(f"neighbour replace {address} lladdr 02:00:00:00:00:99 dev {lan.RIGHT} nud stale")
    open_neighbours(lan).announce()

    def moved() -> bool:
        with lan.on_the_right():
            table = lan.ip("neighbour show")
        return all(f"{address} dev {lan.RIGHT} lladdr {mac}" in table for address in (VIP4, VIP6))

    mac = lan.mac()
    lan.until(moved, "both entries moved")


def test_router_flag_and_new_hardware_address(lan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forwarding host says that it is a router, and the announcement names the present hardware address."""
    wire = lan.wire(is_about_addresses)
    neighbours = open_neighbours(lan)
    neighbours.announce()
    assert [Ether(frame)[ICMPv6ND_NA].R for frame in wire.take(3)[1:]] == [0, 0]
    lan.ip(f"link set {lan.LEFT} address 02:00:00:00:00:77")
    # A file in place of the kernel's, which cannot be written where /proc/sys is read-only.
    (tmp_path / lan.LEFT).write_text("1\n")
    monkeypatch.setattr("wsa_proxy.net.neighbours._FORWARDING", f"{tmp_path}/{{interface}}")
    neighbours.announce()
    for frame in wire.take(3)[1:]:
        assert Ether(frame)[ICMPv6ND_NA].R == 1
        assert Ether(frame)[ICMPv6NDOptDstLLAddr].lladdr == Ether(frame).src == "02:00:00:00:00:77"


def test_probe_as_tcpdump_reads_it(lan: Any) -> None:
    """probe asks without claiming: ARP from 0.0.0.0, solicitations from :: to the solicited-node group."""
    wire = lan.wire(is_about_addresses)
    open_neighbours(lan).probe()
    text = lan.tcpdump(wire.take(3), "-vv")
    assert "who-has 10.0.0.3 tell 0.0.0.0" in text or "who-has 10.0.0.3 (00:00:00:00:00:00) tell 0.0.0.0" in text
    assert "33:33:ff:00:00:03" in text and "33:33:ff:04:00:03" in text
    assert ":: > ff02::1:ff00:3: [icmp6 sum ok] ICMP6, neighbor solicitation" in text
    assert "who has fd00:77::3" in text
    assert "link-address option" not in text


def test_foreign_host_answers(lan: Any) -> None:
    """The kernel of another host that has the addresses answers, and the answer names its hardware address."""
    neighbours = open_neighbours(lan)
    with lan.on_the_right():
        lan.ip(f"address add {VIP4}/24 dev {lan.RIGHT}")
        lan.ip(f"address add {VIP6}/64 dev {lan.RIGHT} nodad")
        # A worker of the kernel makes it one that is answered for.
        lan.until(lambda: "tentative" not in lan.ip(f"-6 address show dev {lan.RIGHT}"), "the address is ready")
        lan.wait_askable(VIP6)
        mac = lan.mac(lan.RIGHT)
    neighbours.probe()
    found = answers(lan, neighbours, 2)
    assert {Answer(VIP4, mac), Answer(VIP6, mac)} == set(found)


def test_nobody_answers(lan: Any) -> None:
    """Without an owner there is no answer; before and after probing there is no descriptor to wait for."""
    neighbours = open_neighbours(lan)
    assert neighbours.fileno_list() == []
    assert neighbours.receive() == []
    neighbours.probe()
    neighbours.probe()
    assert len(neighbours.fileno_list()) == 2
    assert not lan.readable(neighbours.fileno_list(), 0.3)
    neighbours.stop_probing()
    neighbours.stop_probing()
    assert neighbours.fileno_list() == []
    assert neighbours.receive() == []
    neighbours.probe()
    assert len(neighbours.fileno_list()) == 2
    neighbours.close()
    neighbours.close()


def test_between_two_questions_nothing_is_heard_and_nothing_is_closed(lan: Any) -> None:
    """Closing a packet socket takes the kernel milliseconds, in the middle of a takeover; so it becomes deaf instead,
    and an answer to the last question is none to the next."""
    neighbours = open_neighbours(lan)
    neighbours.probe()
    descriptors = neighbours.fileno_list()
    packet = ARP(op=2, hwsrc=FOREIGN_MAC, psrc=str(VIP4), hwdst="00:00:00:00:00:00", pdst=str(VIP4))
    claim = Ether(src=FOREIGN_MAC, dst="ff:ff:ff:ff:ff:ff") / packet
    lan.send_from_the_right(claim)
    assert lan.readable(descriptors, 1.0)
    neighbours.stop_probing()
    lan.send_from_the_right(claim)
    assert not lan.readable(descriptors, 0.1), "deaf, and what was queued is gone"
    neighbours.probe()
    assert neighbours.fileno_list() == descriptors
    assert neighbours.receive() == []
    lan.send_from_the_right(claim)
    assert answers(lan, neighbours, 1) == [Answer(VIP4, FOREIGN_MAC)]


def test_only_owners_wake_the_loop(lan: Any) -> None:
    """ARP and neighbour discovery about other addresses, and probes for ours, leave the descriptors unreadable."""
    neighbours = open_neighbours(lan)
    neighbours.probe()
    ethernet = Ether(src=FOREIGN_MAC, dst="ff:ff:ff:ff:ff:ff")
    lan.send_from_the_right(ethernet / ARP(op=2, hwsrc=FOREIGN_MAC, psrc="10.0.0.9", pdst="10.0.0.1"))
    lan.send_from_the_right(ethernet / ARP(op=1, hwsrc=FOREIGN_MAC, psrc="0.0.0.0", pdst=str(VIP4)))
    lan.send_from_the_right(ethernet / ARP(op=1, hwsrc=FOREIGN_MAC, psrc="10.0.0.2", pdst=str(VIP4)))
    network = IPv6(src="fe80::2", dst="ff02::1", hlim=255)
    lan.send_from_the_right(ethernet / network / ICMPv6ND_NA(tgt="fd00:77::9"))
    lan.send_from_the_right(ethernet / network / ICMPv6ND_NA(tgt="fd00:78::3"))
    routed = IPv6(src="fe80::2", dst="ff02::1", hlim=254)
    lan.send_from_the_right(ethernet / routed / ICMPv6ND_NA(tgt=str(VIP6)))
    with lan.on_the_right():
        lan.ip(f"neighbour flush dev {lan.RIGHT}")
    assert not lan.readable(neighbours.fileno_list(), 0.2)


def test_what_counts_as_an_answer(lan: Any) -> None:
    """Requests and replies of an owner count; ours do not; an option's hardware address is preferred."""
    neighbours = open_neighbours(lan)
    neighbours.probe()
    ethernet = Ether(src=FOREIGN_MAC, dst="ff:ff:ff:ff:ff:ff")
    for operation in (1, 2):
        lan.send_from_the_right(ethernet / ARP(op=operation, hwsrc=FOREIGN_MAC, psrc=str(VIP4), pdst=str(VIP4)))
    lan.send_from_the_right(ethernet / ARP(op=9, hwsrc=FOREIGN_MAC, psrc=str(VIP4), pdst=str(VIP4)))
    lan.send_from_the_right(ethernet / ARP(op=2, hwsrc=lan.mac(), psrc=str(VIP4), pdst=str(VIP4)))
    lan.send_from_the_right((bytes(ethernet / ARP(op=2, psrc=str(VIP4))))[:34])
    assert answers(lan, neighbours, 2) == [Answer(VIP4, FOREIGN_MAC)] * 2
    advertisement = IPv6(src=str(SECOND6), dst="ff02::1", hlim=255) / ICMPv6ND_NA(tgt=str(SECOND6))
    lan.send_from_the_right(ethernet / advertisement)
    lan.send_from_the_right(ethernet / advertisement / ICMPv6NDOptDstLLAddr(lladdr="00:00:5e:00:01:01"))
    lan.send_from_the_right(ethernet / advertisement / ICMPv6NDOptDstLLAddr(lladdr=lan.mac()))
    assert answers(lan, neighbours, 2) == [Answer(SECOND6, FOREIGN_MAC), Answer(SECOND6, "00:00:5e:00:01:01")]


def test_more_addresses_than_a_filter_takes(lan: Any) -> None:
    """With many addresses the kernel's filter is coarse, and the answers are still only those about ours."""
    many: list[Any] = [IPv4Address("10.0.1.0") + number for number in range(ADDRESSES_IN_FILTER_MAX + 1)]
    many += [IPv6Address("fd00:77::100") + number for number in range(ADDRESSES_IN_FILTER_MAX + 1)]
    neighbours = Neighbours(lan.LEFT, lan.index, many)
    neighbours.probe()
    ethernet = Ether(src=FOREIGN_MAC, dst="ff:ff:ff:ff:ff:ff")
    for address in ("10.0.1.7", "10.0.0.7"):
        lan.send_from_the_right(ethernet / ARP(op=2, hwsrc=FOREIGN_MAC, psrc=address))
    for address in ("fd00:77::107", "fd00:77::7"):
        target = ICMPv6ND_NA(tgt=address)
        lan.send_from_the_right(ethernet / IPv6(src="fe80::2", dst="ff02::1", hlim=255) / target)
    assert answers(lan, neighbours, 2) == [
        Answer(IPv4Address("10.0.1.7"), FOREIGN_MAC),
        Answer(IPv6Address("fd00:77::107"), FOREIGN_MAC),
    ]


def test_as_many_addresses_as_a_filter_takes(lan: Any) -> None:
    """The kernel accepts the longest filter that we make, and it finds the last address."""
    many: list[Any] = [IPv4Address("10.0.1.0") + number for number in range(ADDRESSES_IN_FILTER_MAX)]
    many += [IPv6Address("fd00:77::100") + number for number in range(ADDRESSES_IN_FILTER_MAX)]
    neighbours = Neighbours(lan.LEFT, lan.index, many)
    neighbours.probe()
    ethernet = Ether(src=FOREIGN_MAC, dst="ff:ff:ff:ff:ff:ff")
    lan.send_from_the_right(ethernet / ARP(op=2, hwsrc=FOREIGN_MAC, psrc=str(many[ADDRESSES_IN_FILTER_MAX - 1])))
    network = IPv6(src="fe80::2", dst="ff02::1", hlim=255)
    lan.send_from_the_right(ethernet / network / ICMPv6ND_NA(tgt=str(many[-1])))
    assert [answer.address for answer in answers(lan, neighbours, 2)] == [many[ADDRESSES_IN_FILTER_MAX - 1], many[-1]]


def test_interface_down_and_gone(lan: Any) -> None:
    """On an interface that is down or gone announce and probe raise OSError; receive does not."""
    neighbours = open_neighbours(lan)
    neighbours.probe()
    lan.ip(f"link set {lan.LEFT} down")
    for call in (neighbours.announce, neighbours.probe):
        with pytest.raises(OSError, match=lan.LEFT) as raised:
            call()
        assert raised.value.errno == errno.ENETDOWN
    lan.ip(f"link delete {lan.LEFT}")
    for call in (neighbours.announce, neighbours.probe):
        with pytest.raises(OSError):
            call()
    assert neighbours.receive() == []
    assert not lan.readable(neighbours.fileno_list(), 0.05), "a dead socket would keep the loop busy"
    with pytest.raises(OSError, match="no-such0"):
        Neighbours("no-such0", 7, [VIP4])


def test_virtual_mac(lan: Any) -> None:
    """Announcements come from the virtual MAC and name it, in both versions; probes come from the host's own."""
    wire = lan.wire(is_about_addresses)
    neighbours = Neighbours(lan.LEFT, lan.index, [VIP4, VIP6], "00:00:5e:00:01:01")
    neighbours.announce()
    arp, advertisement = (Ether(frame) for frame in wire.take(2))
    assert (arp.src, arp[ARP].hwsrc, arp[ARP].psrc) == ("00:00:5e:00:01:01", "00:00:5e:00:01:01", str(VIP4))
    assert advertisement.src == advertisement[ICMPv6NDOptDstLLAddr].lladdr == "00:00:5e:00:01:01"
    neighbours.probe()
    probes = wire.take(2)
    assert [Ether(frame).src for frame in probes] == [lan.mac(), lan.mac()]
    assert not any(bytes.fromhex("00005e000101") in frame for frame in probes)


def test_another_owner_with_the_virtual_mac(lan: Any) -> None:
    """Who answers with the virtual MAC, which is ours too, is another master; our own hardware address is no answer."""
    neighbours = Neighbours(lan.LEFT, lan.index, [VIP4], "00:00:5e:00:01:01")
    neighbours.probe()
    for mac in (lan.mac(), "00:00:5e:00:01:01"):
        lan.send_from_the_right(Ether(src=mac, dst=lan.mac()) / ARP(op=2, hwsrc=mac, psrc=str(VIP4), hwdst=lan.mac()))
    assert answers(lan, neighbours, 1) == [Answer(VIP4, "00:00:5e:00:01:01")]
