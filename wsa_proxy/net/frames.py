"""Every frame that we send, built with scapy, and scapy's reading of an advertisement.

scapy takes about 1 ms to build a frame and 0.3 ms to read one. So a frame is built once and kept by its sender, and
the receive path does not come here: ``read_advertisement`` is the second reader, for tests and for people.
scapy's own ``contrib.carp`` signs wrongly and unbinds VRRP for the whole process when imported; ``Carp`` is ours and
is bound to nothing, because VRRP shares protocol 112 and scapy may serve other addons of this mitmproxy, too.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address
from ipaddress import IPv6Address
from typing import Any

from scapy.fields import BitField
from scapy.fields import ByteField
from scapy.fields import LongField
from scapy.fields import StrFixedLenField
from scapy.fields import XShortField
from scapy.layers.inet import IP
from scapy.layers.inet import TCP
from scapy.layers.inet6 import ICMPv6ND_NA
from scapy.layers.inet6 import ICMPv6ND_NS
from scapy.layers.inet6 import ICMPv6NDOptDstLLAddr
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP
from scapy.layers.l2 import Ether
from scapy.packet import Packet
from scapy.packet import Raw
from scapy.utils import checksum

from wsa_proxy.net.ports import Address
from wsa_proxy.net.ports import Version
from wsa_proxy.net.raw_socket import ETHERTYPE_ARP
from wsa_proxy.net.raw_socket import ETHERTYPE_IPV4
from wsa_proxy.net.raw_socket import ETHERTYPE_IPV6
from wsa_proxy.net.solicited_node import solicited_node

PROTOCOL_CARP = 112
GROUP_IPV4 = IPv4Address("224.0.0.18")
GROUP_IPV6 = IPv6Address("ff02::12")
GROUP_MAC_IPV4 = "01:00:5e:00:00:12"
GROUP_MAC_IPV6 = "33:33:00:00:00:12"
BROADCAST_MAC = "ff:ff:ff:ff:ff:ff"
ALL_NODES = IPv6Address("ff02::1")

TRAFFIC_CLASS = 0xE0  # DSCP 56, as FreeBSD sends it (net.inet.carp.dscp)
HOP_LIMIT = 255  # proof to the receiver that no router was passed


class Carp(Packet):
    """The 36 bytes of CARP, in the words of carp(4). The checksum is filled in when it is None."""

    name = "CARP"
    fields_desc = [  # noqa: RUF012  (scapy's metaclass reads it like this)
        BitField("version", 2, 4),
        BitField("type", 1, 4),
        ByteField("vhid", 1),
        ByteField("advskew", 0),
        ByteField("authlen", 7),
        ByteField("demotion", 0),
        ByteField("advbase", 1),
        XShortField("checksum", None),
        LongField("counter", 0),
        StrFixedLenField("digest", bytes(20), length=20),
    ]

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        if self.checksum is None:
            # Over these bytes alone: CARP has no pseudo header, with IPv6 neither.
            pkt = pkt[:6] + struct.pack("!H", checksum(pkt)) + pkt[8:]
        return pkt + pay


def read_advertisement(frame: bytes) -> Packet | None:
    """scapy's reading of a frame, with the payload of protocol 112 as ``Carp``; None for any other frame."""
    packet = Ether(frame)
    network = packet.getlayer(IP) or packet.getlayer(IPv6)
    if network is None or (network.proto if isinstance(network, IP) else network.nh) != PROTOCOL_CARP:
        return None
    # Whatever scapy takes protocol 112 for (VRRP, if somebody loaded it) becomes bytes and then CARP.
    payload = bytes(network.payload)
    network.remove_payload()
    return packet / Carp(payload)


def advertisement_header(version: Version, source_mac: str, source: Address, payload_bytes: int) -> bytes:
    """The Ethernet and IP header in front of a payload of protocol 112 with so many bytes."""
    network: Packet
    if version == 4:
        ethernet = Ether(src=source_mac, dst=GROUP_MAC_IPV4, type=ETHERTYPE_IPV4)
        # Identification 0 with "do not fragment", as FreeBSD does (RFC 6864).
        network = IP(src=str(source), dst=str(GROUP_IPV4), tos=TRAFFIC_CLASS, id=0, flags="DF", ttl=HOP_LIMIT)
        network.proto = PROTOCOL_CARP
    else:
        ethernet = Ether(src=source_mac, dst=GROUP_MAC_IPV6, type=ETHERTYPE_IPV6)
        network = IPv6(src=str(source), dst=str(GROUP_IPV6), tc=TRAFFIC_CLASS, hlim=HOP_LIMIT, nh=PROTOCOL_CARP)
    frame = bytes(ethernet / network / Raw(bytes(payload_bytes)))
    return frame[: len(frame) - payload_bytes]


def announcement(mac: str, address: Address, router: bool) -> bytes:
    """What tells the neighbours that this address is at this hardware address now.

    A gratuitous ARP request (sender = target = the address, target hardware 0; no reply, as the BSDs), or an
    unsolicited neighbour advertisement with the override flag. ``router``: hosts that use the address as their default
    router drop it when an advertisement takes the flag back (RFC 4861 7.2.5).
    """
    if isinstance(address, IPv4Address):
        return _arp_request(mac, sender=str(address), target=str(address))
    network = IPv6(src=str(address), dst=str(ALL_NODES), hlim=HOP_LIMIT)
    advertisement = ICMPv6ND_NA(tgt=str(address), R=int(router), S=0, O=1) / ICMPv6NDOptDstLLAddr(lladdr=mac)
    return bytes(Ether(src=mac, dst=_multicast_mac(ALL_NODES), type=ETHERTYPE_IPV6) / network / advertisement)


def probe(mac: str, address: Address) -> bytes:
    """The question who has an address, from a host that does not claim it.

    ARP probe (RFC 5227: sender address 0.0.0.0) or the neighbour solicitation of duplicate address detection
    (RFC 4862: from :: to the solicited-node group): neither changes anybody's neighbour cache.
    """
    if isinstance(address, IPv4Address):
        return _arp_request(mac, sender="0.0.0.0", target=str(address))
    group = solicited_node(address)
    network = IPv6(src="::", dst=str(group), hlim=HOP_LIMIT)
    solicitation = ICMPv6ND_NS(tgt=str(address))
    return bytes(Ether(src=mac, dst=_multicast_mac(group), type=ETHERTYPE_IPV6) / network / solicitation)


def bare_ack(version: Version) -> bytes:
    """An IP packet with a TCP segment that acknowledges and says nothing. Addresses, ports, numbers and the checksum of
    TCP are 0; that of IPv4 is filled in by the kernel."""
    segment = TCP(sport=0, dport=0, seq=0, ack=0, flags="A", chksum=0)
    if version == 4:
        return bytes(IP(src="0.0.0.0", dst="0.0.0.0", id=0, flags="DF") / segment)
    return bytes(IPv6(src="::", dst="::") / segment)


def _arp_request(mac: str, sender: str, target: str) -> bytes:
    fields: dict[str, Any] = {"hwsrc": mac, "psrc": sender, "hwdst": "00:00:00:00:00:00", "pdst": target}
    return bytes(Ether(src=mac, dst=BROADCAST_MAC, type=ETHERTYPE_ARP) / ARP(op="who-has", **fields))


def _multicast_mac(group: IPv6Address) -> str:
    return "33:33:" + group.packed[-4:].hex(":")
