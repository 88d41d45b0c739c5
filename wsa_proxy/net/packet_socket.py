"""Sends and receives the payloads of protocol 112 with one id on one interface; it judges none of them.

Received frames are selected by interface, EtherType, protocol number and id, never by hardware address: ucarp, the BSDs
and virtual switches all use different ones, some of them wrong, so the interface also takes all multicast.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address

from wsa_proxy.net import orders
from wsa_proxy.net.frames import GROUP_IPV4
from wsa_proxy.net.frames import GROUP_IPV6
from wsa_proxy.net.frames import GROUP_MAC_IPV4
from wsa_proxy.net.frames import GROUP_MAC_IPV6
from wsa_proxy.net.frames import PROTOCOL_CARP
from wsa_proxy.net.frames import advertisement_header
from wsa_proxy.net.netlink import RouteSocket
from wsa_proxy.net.netlink import read_addresses
from wsa_proxy.net.netlink import reading
from wsa_proxy.net.ports import FRAMES_PER_TURN_MAX
from wsa_proxy.net.ports import Address
from wsa_proxy.net.ports import Packet
from wsa_proxy.net.ports import Version
from wsa_proxy.net.raw_socket import ACCEPT
from wsa_proxy.net.raw_socket import ETHERNET_HEADER_BYTES
from wsa_proxy.net.raw_socket import ETHERTYPE_IPV4
from wsa_proxy.net.raw_socket import ETHERTYPE_IPV6
from wsa_proxy.net.raw_socket import LOAD_PACKET_TYPE
from wsa_proxy.net.raw_socket import PACKET_TYPE_OTHER_HOST
from wsa_proxy.net.raw_socket import REJECT
from wsa_proxy.net.raw_socket import Instruction
from wsa_proxy.net.raw_socket import index_ipv4_payload
from wsa_proxy.net.raw_socket import load_byte
from wsa_proxy.net.raw_socket import load_byte_at_index
from wsa_proxy.net.raw_socket import open_receiver
from wsa_proxy.net.raw_socket import own_mac
from wsa_proxy.net.raw_socket import queued_frames
from wsa_proxy.net.raw_socket import skip
from wsa_proxy.net.raw_socket import waited_s

_IPV4_HEADER_BYTES_MIN = 20
_IPV6_HEADER_BYTES = 40
_UNSPECIFIED = IPv4Address("0.0.0.0")

_ADVSKEW, _ADVBASE = 2, 5
"""Where an advertisement has them; both are 255 in a bow-out."""
_UNREACHABLE = 255

# From linux/if_packet.h and linux/in.h; Python's socket module does not have them all.
_SOL_PACKET = 263
_PACKET_ADD_MEMBERSHIP = 1
_PACKET_MR_MULTICAST = 0
_PACKET_MR_ALLMULTI = 2
_IPV6_JOIN_GROUP = 20


class Headers:
    """What stands in front of the payloads of a node's groups: one table for all, since only the payloads differ.

    scapy takes 1 ms for a header, and the addresses of an interface with 255 virtual ones take about as long to read.
    """

    def __init__(self, never_source: Collection[Address] = ()) -> None:
        """``never_source``: the virtual addresses, which are not ours to speak from."""
        self.route: RouteSocket | None = None
        """An open socket to read the interfaces' addresses with, when the process has no descriptor left for one."""
        self._never_source = frozenset(never_source)
        self._sources: dict[tuple[int, Version], Address] = {}
        self._built: dict[tuple[int, Version, int], bytes] = {}
        """Of any hardware address: that of each group with a virtual one is another, and a node may take over all of
        its groups in one moment."""
        self._headers: dict[tuple[int, Version, str, int], bytes] = {}
        self.edition = 0
        """Another one whenever the headers may have changed."""

    def never_from(self, never_source: Collection[Address]) -> None:
        """These are the virtual addresses from now on."""
        self._never_source = frozenset(never_source)
        self.clear()

    def clear(self) -> None:
        """An address of an interface came or went: choose the source addresses anew."""
        self._sources.clear()
        self._built.clear()
        self._headers.clear()
        self.edition += 1

    def header(self, index: int, version: Version, mac: str, payload_bytes: int) -> bytes:
        """Ethernet and IP header; scapy builds it when interface or length is new. Raises OSError."""
        key = (index, version, mac, payload_bytes)
        header = self._headers.get(key)
        if header is None:
            built = self._built.get((index, version, payload_bytes))
            if built is None:
                built = advertisement_header(version, mac, self._source(index, version), payload_bytes)
                self._built[index, version, payload_bytes] = built
            header = self._headers[key] = built[:6] + bytes.fromhex(mac.replace(":", "")) + built[12:]
        return header

    def _source(self, index: int, version: Version) -> Address:
        source = self._sources.get((index, version))
        if source is None:
            source = self._sources[index, version] = _choose_source(index, version, self._never_source, self.route)
        return source


class PacketSocket:
    """The AdvertisementPort of one interface. A re-created interface needs a new one."""

    def __init__(
        self,
        interface: str,
        index: int,
        vhid: int,
        versions: Collection[Version],
        headers: Headers,
        source_mac: str | None = None,
    ) -> None:
        """Joins the groups of these IP versions. ``source_mac``: the virtual MAC, from which to send; else it is the
        interface's own. Raises OSError."""
        self._interface = interface
        self._source_mac = source_mac
        self._index = index
        self._headers = headers
        self._receivers: dict[Version, socket.socket] = {}
        self._members: list[socket.socket] = []
        self._envelopes: dict[tuple[Version, int], tuple[bytes, ...]] = {}
        self._edition = 0
        try:
            for version in sorted(versions):
                self._receivers[version] = _open_multicast_receiver(interface, index, vhid, version)
                self._members.append(join_group(interface, index, version))
        except BaseException:
            self.close()
            raise

    def fileno_list(self) -> list[int]:
        return [receiver.fileno() for receiver in self._receivers.values()]

    def refresh(self) -> None:
        """An address of the interface came or went: choose the source addresses anew at the next send."""
        self._headers.clear()

    def send(self, version: Version, payload: bytes, *, from_own_mac: bool = False) -> None:
        """Multicast one payload. Raises OSError when the frame could not leave.

        ``from_own_mac``: not from the virtual MAC, since we are no longer MASTER; a farewell from there would turn the
        switch's port back to us. A pulled cable is no error to the kernel: the link monitor tells of it.
        """
        sender = self._receivers.get(version)
        if sender is None:
            raise OSError(errno.EBADF, f"no socket for IPv{version} on {self._interface}")
        try:
            mac = self._source_mac if self._source_mac and not from_own_mac else own_mac(sender)
            sender.send(self._headers.header(self._index, version, mac, len(payload)) + payload)
        except OSError as error:
            reason = error.strerror or str(error)
            text = f"cannot send an IPv{version} advertisement on {self._interface}: {reason}"
            raise OSError(error.errno or errno.EIO, text) from error

    def envelopes(self, version: Version, payload_bytes: int) -> tuple[bytes, ...]:
        if self._edition != self._headers.edition:
            self._envelopes.clear()
            self._edition = self._headers.edition
        envelopes = self._envelopes.get((version, payload_bytes))
        if envelopes is None:
            # Not from the virtual MAC: by the last copy somebody else has it, and the switch must not turn back to us.
            mac = own_mac(self._receivers[version])
            header = self._headers.header(self._index, version, mac, payload_bytes)
            envelopes = self._envelopes[version, payload_bytes] = (orders.frame(self._index, header),)
        return envelopes

    def receive(self) -> Sequence[Packet]:
        return queued_packets(self._receivers)

    def close(self) -> None:
        for opened in [*self._receivers.values(), *self._members]:
            opened.close()
        self._receivers.clear()
        self._members.clear()


def queued_packets(receivers: Mapping[Version, socket.socket]) -> list[Packet]:
    """What waits in the sockets that ``open_advertisement_receiver`` made, FRAMES_PER_TURN_MAX at most."""
    packets: list[Packet] = []
    for version, receiver in receivers.items():
        decode = _decode_ipv4 if version == 4 else _decode_ipv6
        # Each socket gets its share of the turn, so that a storm of one version does not starve the other.
        for number, frame in enumerate(queued_frames(receiver), start=1):
            packet = decode(frame)
            if _looks_like_bow_out(packet.payload):  # there milliseconds count
                packet = replace(packet, waited_s=waited_s(receiver))
            packets.append(packet)
            if number == FRAMES_PER_TURN_MAX // len(receivers):
                break
    return packets


def _looks_like_bow_out(payload: bytes) -> bool:
    """By advbase and advskew, unjudged."""
    return len(payload) > _ADVBASE and payload[_ADVSKEW] == payload[_ADVBASE] == _UNREACHABLE


def _choose_source(index: int, version: Version, never: frozenset[Address], route: RouteSocket | None) -> Address:
    """The first permanent address that is not virtual, else the first leased one (DHCP, router advertisements).

    Without any, IPv4 speaks from 0.0.0.0 as FreeBSD does. IPv6 has a link-local address or cannot speak: OSError.
    """
    with reading(route) as opened:
        entries = read_addresses(opened, index)
    own = [entry for entry in entries if entry.address.version == version and entry.address not in never]
    own.sort(key=lambda entry: (not entry.usable_as_source, not entry.permanent))  # stable: the kernel's order
    if own:
        return own[0].address
    if version == 4:
        return _UNSPECIFIED
    raise OSError(errno.EADDRNOTAVAIL, "the interface has no IPv6 address, not even a link-local one")


def _filter(vhid: int, version: Version) -> list[Instruction]:
    """Protocol 112 with this id, and nothing else, may wake the proxy's loop: with 255 groups on a LAN each would be
    woken for all the others' advertisements.

    The id is the second byte of CARP and of every VRRP, so whoever uses ours is heard and named, whatever he speaks. A
    frame that ends before it belongs to nobody and is dropped here, uncounted: if all groups counted it, a stranger
    would wake all of them with each frame.
    """
    vhid_after = ETHERNET_HEADER_BYTES + 1
    if version == 4:
        protocol = ETHERNET_HEADER_BYTES + 9
        load_vhid = [index_ipv4_payload(ETHERNET_HEADER_BYTES), load_byte_at_index(vhid_after)]
    else:
        protocol = ETHERNET_HEADER_BYTES + 6
        load_vhid = [load_byte(_IPV6_HEADER_BYTES + vhid_after)]
    to_the_end = len(load_vhid) + 2
    return [
        LOAD_PACKET_TYPE,
        skip(PACKET_TYPE_OTHER_HOST, 2 + to_the_end, 0),
        load_byte(protocol),
        skip(PROTOCOL_CARP, 0, to_the_end),
        *load_vhid,
        skip(vhid, 0, 1),
        ACCEPT,
        REJECT,
    ]


def open_advertisement_receiver(interface: str, index: int, vhid: int, version: Version) -> socket.socket:
    """Hears protocol 112 with this id that reaches the interface, multicast or to this host. Raises OSError."""
    ethertype = ETHERTYPE_IPV4 if version == 4 else ETHERTYPE_IPV6
    return open_receiver(interface, index, ethertype, _filter(vhid, version))


def _open_multicast_receiver(interface: str, index: int, vhid: int, version: Version) -> socket.socket:
    receiver = open_advertisement_receiver(interface, index, vhid, version)
    try:
        mac = bytes.fromhex((GROUP_MAC_IPV4 if version == 4 else GROUP_MAC_IPV6).replace(":", ""))
        for kind, address in ((_PACKET_MR_MULTICAST, mac), (_PACKET_MR_ALLMULTI, b"")):
            request = struct.pack("=iHH8s", index, kind, len(address), address)  # struct packet_mreq
            receiver.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, request)
    except BaseException:
        receiver.close()
        raise
    return receiver


def join_group(interface: str, index: int, version: Version) -> socket.socket:
    """A socket that is a member of the group and receives nothing: its IGMP or MLD report opens snooping switches."""
    member = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    try:
        if version == 4:
            request = struct.pack("=4s4si", GROUP_IPV4.packed, bytes(4), index)  # struct ip_mreqn
            member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        else:
            request = struct.pack("=16si", GROUP_IPV6.packed, index)  # struct ipv6_mreq
            member.setsockopt(socket.IPPROTO_IPV6, _IPV6_JOIN_GROUP, request)
    except OSError as error:
        member.close()
        group = GROUP_IPV4 if version == 4 else GROUP_IPV6
        reason = os.strerror(error.errno) if error.errno else str(error)
        hint = "; is IPv6 disabled there?" if version == 6 else ""
        raise OSError(error.errno, f"cannot join {group} on {interface}: {reason}{hint}") from error
    return member


def _decode_ipv4(frame: bytes) -> Packet:
    header = frame[ETHERNET_HEADER_BYTES:]
    header_bytes = (header[0] & 0x0F) * 4  # the filter has read bytes behind it
    total_bytes = header[2] << 8 | header[3]
    fragment = (header[6] & 0x3F) << 8 | header[7]  # "more fragments" and the offset
    sensible = header[0] >> 4 == 4 and _IPV4_HEADER_BYTES_MIN <= header_bytes <= total_bytes <= len(header)
    return Packet(
        4,
        socket.inet_ntop(socket.AF_INET, header[12:16].ljust(4, b"\0")),
        frame[6:12].hex(":"),
        header[8],
        header[header_bytes:total_bytes] if sensible and not fragment else b"",
        not sensible or _sums_to_ones(header[:header_bytes]),
    )


def _decode_ipv6(frame: bytes) -> Packet:
    header = frame[ETHERNET_HEADER_BYTES:]
    end = _IPV6_HEADER_BYTES + int.from_bytes(header[4:6])
    sensible = header[0] >> 4 == 6 and end <= len(header)
    return Packet(
        version=6,
        source=socket.inet_ntop(socket.AF_INET6, header[8:24].ljust(16, b"\0")),
        source_mac=frame[6:12].hex(":"),
        ttl=header[7] if len(header) > 7 else 0,
        payload=header[_IPV6_HEADER_BYTES:end] if sensible else b"",
    )


def _sums_to_ones(header: bytes) -> bool:
    """The Internet checksum of an intact header, its own field included, is all ones; as a sum without carry, a
    multiple of that, and so are all bytes as one number, since 2**16 is 1 modulo 0xffff. (A sum of nothing is none, but
    a header has its length in it.)"""
    return int.from_bytes(header) % 0xFFFF == 0
