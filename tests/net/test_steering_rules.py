"""What the kernel does with frames: real ones, on a cable, and on a switch between two nodes."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import Any

import pytest
from scapy.layers.inet import ICMP
from scapy.layers.inet import IP
from scapy.layers.inet import UDP
from scapy.layers.inet import fragment
from scapy.layers.inet6 import IPv6
from scapy.layers.inet6 import IPv6ExtHdrFragment
from scapy.layers.inet6 import IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP
from scapy.layers.l2 import Dot1AD
from scapy.layers.l2 import Dot1Q
from scapy.layers.l2 import Ether
from scapy.packet import Packet
from scapy.packet import Raw

from tests.learning_switch import Switch
from tests.learning_switch import Tap
from tests.net.steered import CLIENT
from tests.net.steered import CLIENT_PORT
from tests.net.steered import MEMBER
from tests.net.steered import OLD
from tests.net.steered import OTHER
from tests.net.steered import PORT
from tests.net.steered import VHID
from tests.net.steered import VIP
from tests.net.steered import Version
from tests.net.steered import client
from tests.net.steered import one_processor
from tests.net.steered import packed
from tests.net.steered import segment
from tests.net.steered import steered
from wsa_proxy.net.nft_expressions import accept
from wsa_proxy.net.nft_expressions import count
from wsa_proxy.net.nft_expressions import differs
from wsa_proxy.net.nft_expressions import equals
from wsa_proxy.net.nft_expressions import extension_header
from wsa_proxy.net.nft_expressions import masked
from wsa_proxy.net.nft_expressions import meta
from wsa_proxy.net.nft_expressions import payload
from wsa_proxy.net.nft_expressions import write
from wsa_proxy.net.ports import Steered
from wsa_proxy.net.steering import Steering
from wsa_proxy.net.steering_rules import BEGUN_MAX
from wsa_proxy.net.steering_rules import Lan
from wsa_proxy.net.steering_rules import new_lan
from wsa_proxy.net.steering_rules import new_way_in

ALIKE = (meta, payload, write, extension_header, equals, differs, masked, count, accept)
VERSIONS: tuple[Version, ...] = (4, 6)
VIRTUAL_MAC = "00:00:5e:00:01:2a"
LAST = 65_000
"""The client port of a listed connection whose frame comes after all others."""


@pytest.mark.usefixtures("lan")
def test_a_takeover_makes_only_what_is_its_lan_s_own() -> None:
    """What the rules of all LANs have alike was made when the node found out whether it can steer."""
    Steering().close()
    made = [step.cache_info().misses for step in ALIKE]
    assert all(made)
    new_lan("table", Lan("eth0", 2, bytes(6)))
    new_way_in("table", "carp42", "eth0")
    assert [step.cache_info().misses for step in ALIKE] == made


class Cable:
    """The left host steers; what it sends on arrives at the right."""

    def __init__(self, lan: Any, virtual: bool = False) -> None:
        one_processor()
        self.lan = lan
        self.devices: tuple[str, ...] = ()
        self.own_mac = self.to = packed(lan.mac())
        if virtual:
            lan.ip(f"link add carp42 link left address {VIRTUAL_MAC} type macvlan mode bridge")
            lan.ip("link set carp42 addrgenmode none up")
            self.devices, self.to = ("carp42",), packed(VIRTUAL_MAC)
        self.steering = Steering()
        assert self.steering.trouble is None
        self._wire = lan.wire(lambda frame: frame[6:12] == self.own_mac and frame[:6] == OLD)

    def steer(self, clients: list[bytes], unknown: tuple[Version, ...] = ()) -> None:
        clients = [*clients, client(4, LAST)]
        wanted = steered(self.lan, clients, unknown=unknown, more_devices=self.devices)
        self.steering.steer(VHID, wanted)

    def sent_on(self, *frames: Packet) -> list[bytes]:
        """Those of them that are steered, as they leave."""
        self._wire.queued()  # what else there was
        last = segment(4, self.to, "A", sport=LAST)
        self.lan.send_from_the_right(*frames, last)
        found: list[bytes] = []

        def all_there() -> bool:
            found.extend(self._wire.queued())
            return bool(found) and found[-1][12:] == bytes(last)[12:]

        self.lan.until(all_there, "the last frame")
        return found[:-1]

    def as_steered(self, *frames: Packet) -> list[bytes]:
        return [OLD + self.own_mac + bytes(frame)[12:] for frame in frames]


@pytest.mark.parametrize("virtual", [False, True])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_listed_connection_is_steered_whatever_its_flags_are(lan: Any, version: Version, virtual: bool) -> None:
    """SYN too: the node that has the connection judges it. Only the hardware addresses are others afterwards."""
    cable = Cable(lan, virtual)
    cable.steer([client(version)])
    flags = ["A", "PA", "S", "SA", "F", "FA", "R", "RA", "", "SF", "FSRPAU"]
    frames = [segment(version, cable.to, each) / Raw(b"data " * 30) for each in flags]
    if version == 6:
        ether, ip = frames[0].copy(), IPv6(src=str(CLIENT[6]), dst=str(VIP[6]))
        tcp = ether["TCP"].copy()
        frames.append(Ether(src=ether.src, dst=ether.dst) / ip / IPv6ExtHdrHopByHop() / tcp)
    assert cable.sent_on(*frames) == cable.as_steered(*frames)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_priority_is_no_vlan(lan: Any, version: Version) -> None:
    """A tag with the number 0 only says how urgent a frame is. The kernel tells the tag beside the frame."""
    cable = Cable(lan, virtual=False)
    cable.steer([client(version)])
    plain = segment(version, cable.to, "A")
    urgent = Ether(src=plain.src, dst=plain.dst) / Dot1Q(vlan=0, prio=5) / plain.payload
    assert cable.sent_on(urgent) == cable.as_steered(plain)


def not_listed(version: Version, to: bytes) -> dict[str, list[Any]]:
    """Frames that look like those of a listed connection and are none, or must not be steered."""
    listed = segment(version, to, "A") / Raw(bytes(100))
    source, destination = str(CLIENT[version]), str(VIP[version])
    ip = IP(src=source, dst=destination) if version == 4 else IPv6(src=source, dst=destination)
    ether = Ether(src=listed.src, dst=listed.dst)
    found: dict[str, list[Any]] = {
        "another client port": [segment(version, to, "A", sport=CLIENT_PORT + 1)],
        "another port": [segment(version, to, "A", dport=PORT + 1)],
        "another client": [segment(version, to, "A", src=OTHER[version])],
        "another address": [segment(version, to, "A", dst=OTHER[version])],
        "from a member": [segment(version, to, "A", mac=MEMBER)],
        "from the node that has it": [segment(version, to, "A", mac=OLD)],
        "to another host, on a LAN that floods": [segment(version, bytes.fromhex("020000000077"), "A")],
        "to all": [segment(version, bytes.fromhex("ffffffffffff"), "A")],
        "to many": [segment(version, bytes.fromhex("01005e000001"), "A")],
        "of a VLAN": [ether / Dot1Q(vlan=10) / listed.payload, ether / Dot1AD(vlan=10) / listed.payload],
        "of a VLAN in a VLAN": [ether / Dot1AD(vlan=10) / Dot1Q(vlan=0) / listed.payload],
        "UDP": [ether / ip / UDP(sport=CLIENT_PORT, dport=PORT)],
        "too short": [ether / ip / Raw(bytes(listed["TCP"])[:3])],
    }
    if version == 4:
        found |= {
            "ICMP": [ether / ip / ICMP() / Raw(bytes(listed["TCP"]))],
            "ARP": [ether / ARP(op=1, psrc=source, pdst=destination), ether / ARP(op=2, psrc=source, pdst=destination)],
            "fragments": fragment(listed, fragsize=64),  # type: ignore[no-untyped-call]
        }
    else:
        tcp = bytes(listed["TCP"])
        first = ether / ip / IPv6ExtHdrFragment(nh=6, m=1, offset=0, id=7) / Raw(tcp[:64])
        found["fragments"] = [first, ether / ip / IPv6ExtHdrFragment(nh=6, m=0, offset=8, id=7) / Raw(tcp[64:])]
    return found


@pytest.mark.parametrize("virtual", [False, True])
@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_else_is_steered(lan: Any, version: Version, virtual: bool) -> None:
    """Each kind of frame is left to this host, which is a member of a LAN that floods, with its card open to all."""
    cable = Cable(lan, virtual)
    lan.ip("link set left promisc on")
    cable.steer([client(version)])
    for what, frames in not_listed(version, cable.to).items():
        assert cable.sent_on(*frames) == [], what


@pytest.mark.parametrize("virtual", [False, True])
@pytest.mark.parametrize("version", VERSIONS)
def test_the_unknown_of_the_first_second(lan: Any, version: Version, virtual: bool) -> None:
    """A connection that was not listed goes on where it is, also if it had begun here before; one that begins meanwhile
    is served here; and then none of the unknown is steered any more, nor those that have begun."""
    cable = Cable(lan, virtual)
    cable.steer([])

    def from_port(port: int, flags: str, **fields: Any) -> Packet:
        return segment(version, cable.to, flags, sport=port, **fields)

    assert cable.sent_on(from_port(50_001, "S"), from_port(50_001, "A")) == []
    cable.steer([], unknown=(version,))
    unknown = [from_port(50_001, flags) for flags in ("A", "PA", "F", "R", "SA", "")]
    assert cable.sent_on(*unknown) == cable.as_steered(*unknown)
    new = [from_port(50_002, flags) for flags in ("S", "A", "PA", "R")]
    assert cable.sent_on(*new) == []
    # A connection with the same client port elsewhere is another one.
    other = from_port(50_002, "A", src=OTHER[version])
    assert cable.sent_on(other) == cable.as_steered(other)
    elsewhere = [from_port(50_003, "A", dport=PORT + 1), from_port(50_003, "A", dst=OTHER[version])]
    members = [from_port(50_004, flags, mac=mac) for mac in (OLD, MEMBER) for flags in ("A", "S")]
    assert cable.sent_on(*elsewhere, *members) == []
    cable.steer([client(version, 50_001)])
    assert cable.sent_on(*unknown, *new, other) == cable.as_steered(*unknown)


def test_a_listed_connection_comes_before_what_has_begun(lan: Any) -> None:
    """Somebody who makes up a SYN in the first second does not take a listed connection from the node that has it."""
    cable = Cable(lan)
    cable.steer([client(4)], unknown=(4,))
    frames = [segment(4, cable.to, flags) for flags in ("S", "A")]
    assert cable.sent_on(*frames) == cable.as_steered(*frames)


def test_a_flood_of_syns_pushes_nobody_out(lan: Any) -> None:
    """More than there is room for, in the first second: what is listed or unknown goes on, new SYNs stay here."""
    cable = Cable(lan)
    cable.steer([client(4)], unknown=(4,))
    frame = bytearray(bytes(segment(4, cable.to, "S", src="10.9.0.0", chksum=0)))
    with lan.on_the_right():
        sender = lan.raw_socket(lan.RIGHT)
    sender.setblocking(True)
    for number in range(BEGUN_MAX + 2000):
        frame[28:30] = divmod(number, 256) if number < 65_536 else divmod(number - 65_536, 256)
        frame[34:36] = (40_000 + number // 65_536).to_bytes(2)
        sender.send(frame)
    listed, unknown = segment(4, cable.to, "A"), segment(4, cable.to, "A", sport=50_001)
    assert cable.sent_on(listed, unknown) == cable.as_steered(listed, unknown)
    assert cable.sent_on(*(segment(4, cable.to, "S", sport=port) for port in range(50_100, 50_200))) == []
    # There was no room for that one, so nobody can know that it is ours: what a flood costs.
    not_noted = segment(4, cable.to, "A", sport=50_100)
    assert cable.sent_on(not_noted) == cable.as_steered(not_noted)


def test_two_nodes_never_send_a_frame_to_each_other_for_ever(lan: Any) -> None:
    """Switch and switch back: each has the other's table. One stray segment passes the wire once more."""
    switch = Switch(lan)
    one_processor()
    macs = {}
    for name in ("a", "b"):
        with switch.on(name):
            macs[name] = packed(lan.mac("eth0"))
    taps = {name: Tap(name) for name in macs}
    nodes = []
    for name, other in (("a", "b"), ("b", "a")):
        with switch.on(name):
            each = Steering()
            unknown = {(VIP[4].packed, PORT): macs[other]}
            each.steer(VHID, Steered("eth0", ("eth0",), macs[name], frozenset(), {client(4): macs[other]}, unknown))
            nodes.append(each)  # it would be gone with its last name
    for port in (CLIENT_PORT, CLIENT_PORT + 1):
        with switch.on("client"), lan.raw_socket("eth0") as sender:
            frame = bytes(segment(4, macs["a"], "A", sport=port))
            sender.send(frame)
        once = [macs["b"] + macs["a"] + frame[12:]]
        lan.until(lambda: ipv4_frames(taps["a"]) == once, "the frame leaves a, and has not come back before")  # noqa: B023
    assert ipv4_frames(taps["b"]) == []


def ipv4_frames(tap: Tap) -> list[bytes]:
    return [frame for frame in tap.queued() if frame[12:14] == b"\x08\x00"]


@pytest.mark.parametrize("virtual", [False, True])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_connection_goes_on_at_the_old_node(lan: Any, version: Version, virtual: bool) -> None:
    """With a real client, whose host sends to the new node by now, and real TCP: both ways, in large pieces."""
    switch = Switch(lan)
    address, bits = VIP[version], VIP[version].max_prefixlen
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    with switch.on("b"):
        lan.ip(f"address add {address}/{bits} dev eth0 {'nodad' if version == 6 else ''}")
        listening = socket.create_server((str(address), PORT), family=family)
        old = packed(lan.mac("eth0"))
    with switch.on("a"):
        own_mac, to = packed(lan.mac("eth0")), lan.mac("eth0")
        devices: tuple[str, ...] = ("eth0",)
        if virtual:
            to = VIRTUAL_MAC
            lan.ip(f"link add carp42 link eth0 address {to} type macvlan mode bridge")
            lan.ip("link set carp42 addrgenmode none up")
            devices = ("eth0", "carp42")
        steering = Steering()
    with switch.on("client"):
        lan.ip(f"neighbour replace {address} lladdr {old.hex(':')} dev eth0 nud permanent")
        connected = socket.create_connection((str(address), PORT), timeout=10)
    served, (_, client_port, *_) = listening.accept()
    served.settimeout(10)
    connected.sendall(b"before")
    assert served.recv(100) == b"before"
    own = {4: "10.0.0.3", 6: "fd00:77::3"}[version]
    key = address.packed + PORT.to_bytes(2) + socket.inet_pton(family, own) + client_port.to_bytes(2)
    with switch.on("a"):
        steering.steer(VHID, Steered("eth0", devices, own_mac, frozenset((old,)), {key: old}, {}))
    with switch.on("client"):
        lan.ip(f"neighbour replace {address} lladdr {to} dev eth0 nud permanent")
    for sender, receiver in ((connected, served), (served, connected)):
        sent = bytes(range(256)) * 400
        sender.sendall(sent)
        found = b""
        while len(found) < len(sent):
            found += receiver.recv(len(sent))
        assert found == sent
    connected.shutdown(socket.SHUT_WR)
    assert served.recv(1) == b""
    served.close()
    assert connected.recv(1) == b""
    steering.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_this_nodes_own_connections_are_no_unknown_ones(lan: Any, version: Version) -> None:
    """A node that is master again before its connections have ended: what it has stays here, the rest does not."""
    cable = Cable(lan)
    wanted = steered(lan, [client(4, LAST)], unknown=(version,))
    cable.steering.steer(VHID, replace(wanted, own=frozenset([client(version, 50_001)])))
    own = [segment(version, cable.to, flags, sport=50_001) for flags in ("A", "PA", "F")]
    unknown = segment(version, cable.to, "A", sport=50_002)
    assert cable.sent_on(*own) == []
    assert cable.sent_on(unknown) == cable.as_steered(unknown)
