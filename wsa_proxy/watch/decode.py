"""scapy's reading of one captured frame, and what a node would object to in it before it looks at the digest.

A node takes the payload of protocol 112 out of the first IP header of a frame without VLAN tag, and so does this, but
it goes on where a node drops, so that a person sees who sent the thing and which field is wrong. The one reason why a
node drops it is that of ``carp/wire.py``, asked as the node asks; the words about it are made here.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from scapy.config import conf
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import CookedLinux
from scapy.layers.l2 import Dot1Q
from scapy.layers.l2 import Ether
from scapy.packet import Packet
from scapy.utils import checksum

from wsa_proxy.carp import wire
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.carp.wire import Reject
from wsa_proxy.carp.wire import Version
from wsa_proxy.net.frames import PROTOCOL_CARP
from wsa_proxy.net.frames import Carp
from wsa_proxy.watch.vrrp import Vrrp
from wsa_proxy.watch.vrrp import read_vrrp

ETHERNET, COOKED, COOKED_2 = 1, 113, 276
LINKS = frozenset({ETHERNET, COOKED, COOKED_2, 12, 14, 101, 228, 229})
"""The link types (pcap-linktype(7)) that are understood: Ethernet, Linux cooked captures, and IP without a link."""

_HEADERS_BYTES_MAX = 128  # the byte with the protocol's number stands before that, whatever the link and its tags
_VLANS_MAX = 4
_COOKED_OUTGOING = 4  # linux/if_packet.h: PACKET_OUTGOING
_AUTHLEN_WORDS = 7


@dataclass(frozen=True, slots=True)
class Captured:
    """One frame as it was captured."""

    at_s: float
    """Seconds since 1970, in the capture's clock."""
    frame: bytes
    link: int = ETHERNET
    """Its link type, a number of LINKS."""
    interface: str = ""
    """Empty when the capture does not say."""
    sent_here: bool = False
    """By the host that captured it."""
    length_bytes: int = 0
    """On the wire; more than the frame has when the capture has cut it. 0: not known."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a node drops it unread: its word, and the field that is wrong with what was expected."""

    reject: Reject
    text: str


@dataclass(frozen=True, slots=True)
class Heard:
    """One packet of protocol 112, as far as it could be read."""

    captured: Captured
    mac: str
    """Of the sender; empty when the link has none."""
    vlans: tuple[int, ...]
    version: Version
    source: str
    destination: str
    ttl: int
    payload: bytes
    """As a node sees it: empty when the IP header makes no sense."""
    says: Advertisement | Vrrp | None
    """None when it is neither CARP nor VRRP, or too short to tell."""
    fault: Fault | None
    sent_here: bool
    """By the host that captured it."""

    @property
    def number(self) -> int | None:
        """The Failover Group ID, VRID with VRRP; None where there is no such byte."""
        return self.payload[1] if len(self.payload) > 1 else None

    @property
    def protocol(self) -> str:
        """CARP, ``VRRP 2``, ``VRRP 3`` or ``?``."""
        if isinstance(self.says, Vrrp):
            return f"VRRP {self.says.version}"
        return "CARP" if self.says is not None else "?"


def decode(captured: Captured) -> Heard | None:
    """What was heard; None when it is not of protocol 112. Raises nothing, whatever the frame holds."""
    # scapy takes 0.3 ms; a capture of all traffic has a hundred other frames for each of ours.
    if PROTOCOL_CARP not in captured.frame[:_HEADERS_BYTES_MAX] or captured.link not in LINKS:
        return None
    try:
        link: Packet = conf.l2types.num2layer[captured.link](captured.frame)
        network, vlans = _network(link)
        if network is None:
            return None
        return _read(captured, link, network, vlans)
    except Exception:  # scapy promises nothing about damaged frames, so whatever it raises means: not readable
        return None


def _network(link: Packet) -> tuple[Packet | None, tuple[int, ...]]:
    """The first IP layer if it carries protocol 112, and the VLANs before it."""
    layer = link
    vlans: list[int] = []
    while isinstance(layer, Ether | CookedLinux | Dot1Q) and len(vlans) <= _VLANS_MAX:
        if isinstance(layer, Dot1Q):
            vlans.append(layer.vlan)
        layer = layer.payload
    if isinstance(layer, IP) and layer.proto == PROTOCOL_CARP:
        return layer, tuple(vlans)
    if isinstance(layer, IPv6) and layer.nh == PROTOCOL_CARP:
        return layer, tuple(vlans)
    return None, ()


def _read(captured: Captured, link: Packet, network: Packet, vlans: tuple[int, ...]) -> Heard:
    is_ipv4 = isinstance(network, IP)
    ttl = network.ttl if is_ipv4 else network.hlim
    payload, fault = _payload(network)
    missing = captured.length_bytes - len(captured.frame)
    if fault is None:
        # Between unicast peers routers are allowed: whether this is one, the judge knows from the file.
        fault = _fault(payload, ttl if ip_address(network.dst).is_multicast else None)
    says = _says(payload, network)
    if isinstance(says, Vrrp):
        # With 7 addresses its shape is right for CARP, and its digest is not.
        fault = Fault(fault.reject if fault else Reject.BAD_SECRET, "" if says.intact else "its checksum is wrong")
    elif fault and fault.reject is Reject.SHORT and missing > 0:
        fault = Fault(fault.reject, f"the capture has cut {missing} bytes off; what was on the wire cannot be told")
    return Heard(
        captured=captured,
        mac=_mac(link),
        vlans=vlans,
        version=4 if is_ipv4 else 6,
        source=network.src,
        destination=network.dst,
        ttl=ttl,
        payload=payload,
        says=says,
        fault=fault,
        sent_here=captured.sent_here or (isinstance(link, CookedLinux) and link.pkttype == _COOKED_OUTGOING),
    )


def _mac(link: Packet) -> str:
    if isinstance(link, Ether):
        return str(link.src)
    if isinstance(link, CookedLinux):
        return bytes(link.src)[: min(link.lladdrlen, 6)].hex(":")
    return ""


def _payload(network: Packet) -> tuple[bytes, Fault | None]:
    """What follows the IP header, as long as that says, and what is wrong with the header."""
    raw: bytes = network.original
    if isinstance(network, IPv6):
        end = 40 + network.plen
        if network.version != 6 or end > len(raw):
            return b"", Fault(Reject.SHORT, f"the IPv6 header says {end} bytes, and there are {len(raw)}")
        return raw[40:end], None
    header_bytes, total_bytes = network.ihl * 4, network.len
    if network.frag or network.flags.MF:
        return b"", Fault(Reject.SHORT, "it is a fragment; an advertisement fits into one packet")
    if network.version != 4 or not 20 <= header_bytes <= total_bytes <= len(raw):
        text = f"the IP header says {header_bytes} bytes of header and {total_bytes} in all, and there are {len(raw)}"
        return b"", Fault(Reject.SHORT, text)
    header = raw[:header_bytes]
    fault = None
    if checksum(header) != 0:
        right = checksum(header[:10] + b"\0\0" + header[12:])
        text = f"the IP header's checksum is {network.chksum:04x}, {right:04x} expected"
        fault = Fault(Reject.BAD_CHECKSUM, text)
    return raw[header_bytes:total_bytes], fault


def _says(payload: bytes, network: Packet) -> Advertisement | Vrrp | None:
    vrrp = read_vrrp(payload, network)
    # With 7 addresses it looks like a CARP advertisement with a tail: then only a right checksum makes it VRRP.
    if vrrp is not None and (vrrp.intact or payload[3] != _AUTHLEN_WORDS):
        return vrrp
    if len(payload) < wire.HEADER_BYTES or payload[0] >> 4 != 2:
        return None
    read = Carp(payload)
    return Advertisement(read.vhid, read.advbase, read.advskew, read.demotion, read.counter, read.digest)


def _fault(payload: bytes, ttl: int | None) -> Fault | None:
    """The node's own reason, with the field that is wrong and what was expected."""
    reject = wire.decode(payload, ttl)
    match reject:
        case Reject.BAD_TTL:
            return Fault(reject, wrong_ttl(ttl))
        case Reject.SHORT:
            return Fault(reject, f"{len(payload)} bytes, {wire.HEADER_BYTES} expected")
        case Reject.BAD_VERSION:
            text = f"version {payload[0] >> 4} type {payload[0] & 15}, version 2 type 1 expected"
            return Fault(reject, text)
        case Reject.VRRP:
            return Fault(reject, f"authlen {payload[3]}, {_AUTHLEN_WORDS} expected; nor is it as long as VRRP")
        case Reject.BAD_CHECKSUM:
            head = payload[: wire.HEADER_BYTES]
            right = wire.checksum(head[:6] + b"\0\0" + head[8:])
            return Fault(reject, f"checksum {payload[6:8].hex()}, {right:04x} expected")
        case Reject():
            return Fault(reject, reject.value)
    return None


def wrong_ttl(ttl: int | None) -> str:
    """What to say of a TTL that is not 255."""
    return f"TTL {ttl}, {wire.TTL} expected: it has passed a router, or was made by hand"
