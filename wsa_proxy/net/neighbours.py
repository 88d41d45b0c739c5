"""Talks ARP and neighbour discovery about the virtual addresses of one virtual host.

Two directions: ``announce`` tells the LAN where the addresses are now; ``probe`` asks whether somebody else has them,
and only while that is asked the receivers hear anything, so that ARP does not wake the proxy's loop for nothing. They
are made deaf by a filter and not closed: closing a packet socket waits until no processor of the kernel can be using it
any more (measured: 6 ms), and that in the middle of every takeover, for each group one after another.
Answers are not signed. They are told to people and keep a starting node modest; they never hold a takeover back.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterable
from collections.abc import Sequence
from ipaddress import IPv4Address
from ipaddress import IPv6Address
from pathlib import Path

from wsa_proxy.net import frames
from wsa_proxy.net.ports import Address
from wsa_proxy.net.ports import Answer
from wsa_proxy.net.raw_socket import ACCEPT
from wsa_proxy.net.raw_socket import ETHERNET_HEADER_BYTES
from wsa_proxy.net.raw_socket import ETHERTYPE_ARP
from wsa_proxy.net.raw_socket import ETHERTYPE_IPV6
from wsa_proxy.net.raw_socket import REJECT
from wsa_proxy.net.raw_socket import Instruction
from wsa_proxy.net.raw_socket import attach_filter
from wsa_proxy.net.raw_socket import load_byte
from wsa_proxy.net.raw_socket import load_half
from wsa_proxy.net.raw_socket import load_word
from wsa_proxy.net.raw_socket import open_receiver
from wsa_proxy.net.raw_socket import open_sender
from wsa_proxy.net.raw_socket import own_mac
from wsa_proxy.net.raw_socket import queued_frames
from wsa_proxy.net.raw_socket import skip

ADDRESSES_IN_FILTER_MAX = 64  # the kernel bounds a filter's size; with more addresses Python alone looks for them

_ARP_BYTES = 28
_ARP_ETHERNET_IPV4 = bytes.fromhex("000108000604")  # hardware type, protocol type, their lengths
_ARP_OPERATIONS = (1, 2)  # request and reply: both say who their sender is
_SENDER_OFFSET = ETHERNET_HEADER_BYTES + 14
_TARGET_OFFSET = ETHERNET_HEADER_BYTES + 40 + 8
_PROTOCOL_ICMPV6 = 58
_NEIGHBOUR_ADVERTISEMENT = 136
_FORWARDING = "/proc/sys/net/ipv6/conf/{interface}/forwarding"
_OPTION_TARGET_MAC = bytes([2, 1])  # type and length (in units of 8 bytes)


class Neighbours:
    """The NeighbourPort of one virtual host on one interface. A re-created interface needs a new one."""

    def __init__(self, interface: str, index: int, addresses: Sequence[Address], source_mac: str | None = None) -> None:
        """Opens the sending socket and builds the frames, about 1 ms each.

        ``source_mac``: the virtual MAC, which the announcements name and come from; else it is the interface's own.
        A probe always comes from the interface's own: who probes is not MASTER. Raises OSError.
        """
        self._interface = interface
        self._index = index
        self._addresses = frozenset(addresses)
        self._source_mac = source_mac
        self._receivers: list[tuple[socket.socket, list[Instruction]]] = []
        """Each with the filter that it has while something is asked."""
        self._probing = False
        self._sender = open_sender(interface, index)
        try:
            self._mac = own_mac(self._sender)
            self._router = self._is_router()
            self._build()
        except BaseException:
            self._sender.close()
            raise

    def announce(self) -> None:
        self._look_again()
        self._send("announce", self._announcements)

    def probe(self) -> None:
        self._look_again()
        if not self._receivers:
            self._open_receivers()
        elif not self._probing:
            for receiver, program in self._receivers:
                attach_filter(receiver, program)
        self._probing = True
        self._send("probe", self._probes)

    def receive(self) -> Sequence[Answer]:
        answers: list[Answer] = []
        for receiver, _ in self._receivers if self._probing else ():
            for frame in queued_frames(receiver):
                answer = _read_answer(frame)
                # Our own announcement may come back to us through a switch; it is no foreign owner. The virtual MAC
                # is one: who probes has not announced anything from there.
                if answer is not None and answer.address in self._addresses and answer.mac != self._mac:
                    answers.append(answer)
        return answers

    def stop_probing(self) -> None:
        if not self._probing:
            return
        self._probing = False
        for receiver, _ in self._receivers:
            attach_filter(receiver, [REJECT])
            while any(True for _ in queued_frames(receiver)):
                pass  # an answer to the last question is none to the next

    def fileno_list(self) -> list[int]:
        return [receiver.fileno() for receiver, _ in self._receivers] if self._probing else []

    def close(self) -> None:
        """Close everything; harmless when repeated."""
        for receiver, _ in self._receivers:
            receiver.close()
        self._receivers.clear()
        self._probing = False
        self._sender.close()

    def _look_again(self) -> None:
        """Build the frames anew when the hardware address or the forwarding changed under us."""
        mac, router = own_mac(self._sender), self._is_router()
        if (mac, router) != (self._mac, self._router):
            self._mac, self._router = mac, router
            self._build()

    def _is_router(self) -> bool:
        """Only neighbour advertisements say it."""
        return any(address.version == 6 for address in self._addresses) and _forwards(self._interface)

    def _build(self) -> None:
        ordered = sorted(self._addresses, key=lambda address: (address.version, address.packed))
        announced = self._source_mac or self._mac
        self._announcements = [frames.announcement(announced, address, self._router) for address in ordered]
        self._probes = [frames.probe(self._mac, address) for address in ordered]

    def _send(self, verb: str, built: Iterable[bytes]) -> None:
        for frame in built:
            try:
                self._sender.send(frame)
            except OSError as error:
                text = f"cannot {verb} the virtual addresses on {self._interface}: {error.strerror or error}"
                raise OSError(error.errno or errno.EIO, text) from error

    def _open_receivers(self) -> None:
        ipv4 = [address for address in self._addresses if isinstance(address, IPv4Address)]
        ipv6 = [address for address in self._addresses if isinstance(address, IPv6Address)]
        programs = ([(ETHERTYPE_ARP, arp_filter(ipv4))] if ipv4 else []) + (
            [(ETHERTYPE_IPV6, neighbour_filter(ipv6))] if ipv6 else []
        )
        try:
            for ethertype, program in programs:
                receiver = open_receiver(self._interface, self._index, ethertype, program)
                self._receivers.append((receiver, program))
        except BaseException:
            for receiver, _ in self._receivers:
                receiver.close()
            self._receivers.clear()
            raise


def arp_filter(addresses: Sequence[IPv4Address]) -> list[Instruction]:
    """ARP of any operation whose sender says that it has one of the addresses."""
    if len(addresses) > ADDRESSES_IN_FILTER_MAX:
        return [ACCEPT]
    program = [load_word(_SENDER_OFFSET)]
    for address in addresses:
        program += [skip(int(address), 0, 1), ACCEPT]
    return [*program, REJECT]


def neighbour_filter(addresses: Sequence[IPv6Address]) -> list[Instruction]:
    """Neighbour advertisements (directly after the IPv6 header) for one of the addresses."""
    next_header_and_hop_limit = ETHERNET_HEADER_BYTES + 6
    program = [
        load_half(next_header_and_hop_limit),
        skip(_PROTOCOL_ICMPV6 << 8 | 255, 1, 0),  # a hop limit below 255 came through a router: forged (RFC 4861)
        REJECT,
        load_byte(ETHERNET_HEADER_BYTES + 40),
        skip(_NEIGHBOUR_ADVERTISEMENT, 1, 0),
        REJECT,
    ]
    if len(addresses) > ADDRESSES_IN_FILTER_MAX:
        return [*program, ACCEPT]
    for address in addresses:
        for number, word in enumerate(struct.unpack("!4I", address.packed)):
            to_the_next_address = 7 - 2 * number
            program += [load_word(_TARGET_OFFSET + 4 * number), skip(word, 0, to_the_next_address)]
        program.append(ACCEPT)
    return [*program, REJECT]


def _read_answer(frame: bytes) -> Answer | None:
    """Who says to have which address; None when the frame makes no sense."""
    ethertype = int.from_bytes(frame[12:14])
    return _read_arp(frame) if ethertype == ETHERTYPE_ARP else _read_neighbour_advertisement(frame)


def _read_arp(frame: bytes) -> Answer | None:
    packet = frame[ETHERNET_HEADER_BYTES : ETHERNET_HEADER_BYTES + _ARP_BYTES]
    if len(packet) < _ARP_BYTES or packet[:6] != _ARP_ETHERNET_IPV4:
        return None
    if int.from_bytes(packet[6:8]) not in _ARP_OPERATIONS:
        return None
    return Answer(IPv4Address(packet[14:18]), packet[8:14].hex(":"))


def _read_neighbour_advertisement(frame: bytes) -> Answer | None:
    target = frame[_TARGET_OFFSET : _TARGET_OFFSET + 16]
    if len(target) < 16:
        return None
    option = frame[_TARGET_OFFSET + 16 : _TARGET_OFFSET + 24]
    # An owner with a virtual MAC names it in the option and may send from its own.
    mac = option[2:] if len(option) == 8 and option[:2] == _OPTION_TARGET_MAC else frame[6:12]
    return Answer(IPv6Address(target), mac.hex(":"))


def _forwards(interface: str) -> bool:
    """Whether this host routes IPv6 on the interface; a host without IPv6 does not."""
    try:
        return Path(_FORWARDING.format(interface=interface)).read_text().strip() == "1"
    except OSError:
        return False
