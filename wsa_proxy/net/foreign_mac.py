"""Finds out whether the network carries frames of a hardware address that is not the network card's.

Hypervisors, clouds, wireless LANs and switches with port security may refuse it, and then a virtual MAC cannot work.
Hosts that are known to be alive (the gateway, neighbours) are asked who has their own address, each time from a test
address and, as a control, from the interface's own. The question is an ARP probe (RFC 5227: sender 0.0.0.0), so that
nobody's neighbour cache changes, and the test address is a locally administered one, never the virtual MAC, whose port
at the switch may be the master's.

Here is no time: whoever drives it calls ``send`` some times, tenths of a second apart, and ``receive`` in between
and at the end. A network without IPv4 hosts that answer stays unknown.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections import Counter
from collections.abc import Collection
from collections.abc import Sequence
from ipaddress import IPv4Address

from pyroute2.netlink import NLM_F_DUMP
from pyroute2.netlink.rtnl import RTM_GETNEIGH
from pyroute2.netlink.rtnl import RTM_GETROUTE
from pyroute2.netlink.rtnl import RTM_NEWNEIGH
from pyroute2.netlink.rtnl import RTM_NEWROUTE
from pyroute2.netlink.rtnl.ndmsg import NUD_DELAY
from pyroute2.netlink.rtnl.ndmsg import NUD_PERMANENT
from pyroute2.netlink.rtnl.ndmsg import NUD_PROBE
from pyroute2.netlink.rtnl.ndmsg import NUD_REACHABLE
from pyroute2.netlink.rtnl.ndmsg import NUD_STALE
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from wsa_proxy.net import frames
from wsa_proxy.net.neighbours import arp_filter
from wsa_proxy.net.netlink import RouteSocket
from wsa_proxy.net.netlink import encode
from wsa_proxy.net.ports import MacVerdict
from wsa_proxy.net.raw_socket import ETHERNET_HEADER_BYTES
from wsa_proxy.net.raw_socket import ETHERTYPE_ARP
from wsa_proxy.net.raw_socket import open_receiver
from wsa_proxy.net.raw_socket import open_sender
from wsa_proxy.net.raw_socket import own_mac
from wsa_proxy.net.raw_socket import queued_frames

WITNESSES_MAX = 4  # each is asked with two broadcasts a round; one that answers is enough
NEIGHBOURS_MAX = 64  # of which some may be virtual addresses
ANSWERS_TO_BE_SURE = 3  # the network may lose a frame; three answers to the control and none to the test are no chance

_ENTRY = struct.Struct("=16x4xiH")  # after the netlink header, struct ndmsg: interface index, state
_DESTINATION_BITS = 17  # struct rtmsg behind that header: family, then the destination's prefix length
_ARP_REPLY = 2
_OPERATION = slice(ETHERNET_HEADER_BYTES + 6, ETHERNET_HEADER_BYTES + 8)
_SENDER = slice(ETHERNET_HEADER_BYTES + 14, ETHERNET_HEADER_BYTES + 18)
_KNOWN = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT
# From linux/if_packet.h.
_SOL_PACKET = 263
_PACKET_ADD_MEMBERSHIP = 1
_PACKET_MR_UNICAST = 3


class ForeignMacTest:
    """One test on one interface."""

    def __init__(self, interface: str, index: int, witnesses: Sequence[IPv4Address]) -> None:
        """Opens its sockets and builds the frames, about 1 ms each; sends nothing. Raises OSError."""
        self._interface = interface
        self._witnesses = list(witnesses)[:WITNESSES_MAX]
        self._answers: Counter[tuple[str, IPv4Address]] = Counter()
        self._sender = open_sender(interface, index)
        self._receiver: socket.socket | None = None
        try:
            self._own = own_mac(self._sender)
            self.mac = _test_mac(self._own)
            self._receiver = open_receiver(interface, index, ETHERTYPE_ARP, arp_filter(self._witnesses))
            _receive_for(self._receiver, index, self.mac)
            self._probes = [frames.probe(mac, each) for each in self._witnesses for mac in (self.mac, self._own)]
        except BaseException:
            self.close()
            raise

    def fileno_list(self) -> list[int]:
        """The descriptor that becomes readable when an answer arrived."""
        return [self._receiver.fileno()] if self._receiver is not None else []

    def send(self) -> None:
        """Ask every witness once from both addresses. Raises OSError."""
        for frame in self._probes:
            try:
                self._sender.send(frame)
            except OSError as error:
                text = f"cannot ask from another hardware address on {self._interface}: {error.strerror or error}"
                raise OSError(error.errno or errno.EIO, text) from error

    def receive(self) -> MacVerdict:
        """Count the answers that are queued, and judge."""
        for frame in queued_frames(self._receiver) if self._receiver is not None else ():
            # Only what was sent to the address that asked: a broadcast answer shows one direction only.
            asked = frame[:6].hex(":")
            if asked in (self.mac, self._own) and int.from_bytes(frame[_OPERATION]) == _ARP_REPLY:
                self._answers[asked, IPv4Address(frame[_SENDER])] += 1
        return self.verdict()

    def verdict(self) -> MacVerdict:
        """What can be said by now. CARRIED is final; REFUSED may still become CARRIED by a late answer."""
        if any(mac == self.mac for mac, _ in self._answers):
            return MacVerdict.CARRIED
        sure = any(count >= ANSWERS_TO_BE_SURE for count in self._answers.values())
        return MacVerdict.REFUSED if sure else MacVerdict.UNKNOWN

    def sentence(self) -> str | None:
        """One line for the log when the network seems to refuse it, else None."""
        if self.verdict() is not MacVerdict.REFUSED:
            return None
        names = ", ".join(sorted(str(witness) for _, witness in self._answers))
        return (
            f"the network seems to refuse the virtual MAC on {self._interface}: answers to this host's own hardware"
            f" address, but none to another one ({self.mac}), came from {names}; allow promiscuous mode, MAC changes"
            " and forged transmits for this port, or use mac: interface"
        )

    def close(self) -> None:
        """Close the descriptors; harmless when repeated."""
        self._sender.close()
        if self._receiver is not None:
            self._receiver.close()
        self._receiver = None


def find_witnesses(index: int, never: Collection[IPv4Address] = ()) -> list[IPv4Address]:
    """Who may be asked on one interface: the default gateways first, then neighbours that the kernel knows.

    ``never``: the virtual addresses, whose owner may be ourselves a moment later. Raises OSError.
    """
    with RouteSocket() as route:
        found = [*_read_gateways(route, index), *_read_neighbours(route, index)]
    return [each for each in dict.fromkeys(found) if each not in never][:WITNESSES_MAX]


def _read_gateways(route: RouteSocket, index: int) -> list[IPv4Address]:
    request = rtmsg()
    request["family"] = socket.AF_INET
    request["attrs"] = [("RTA_OIF", index)]
    gateways = []
    for answer in route.dump(encode(request, RTM_GETROUTE, NLM_F_DUMP)):
        # A host may have thousands of routes, and each that is decoded costs the loop 0.05 ms and more.
        if answer.type != RTM_NEWROUTE or answer.data[_DESTINATION_BITS] != 0:
            continue
        decoded = rtmsg(answer.data)
        decoded.decode()
        gateway = decoded.get_attr("RTA_GATEWAY")
        # Some kernels do not filter by interface.
        if decoded.get_attr("RTA_OIF") == index and gateway:
            gateways.append(IPv4Address(gateway))
    return gateways


def _read_neighbours(route: RouteSocket, index: int) -> list[IPv4Address]:
    """Those whose hardware address the kernel knows; the ones that answered lately come first."""
    request = ndmsg()
    request["family"] = socket.AF_INET
    request["attrs"] = [("NDA_IFINDEX", index)]
    known = []
    for answer in route.dump(encode(request, RTM_GETNEIGH, NLM_F_DUMP)):
        entry_index, state = _ENTRY.unpack_from(answer.data)
        if answer.type == RTM_NEWNEIGH and entry_index == index and state & _KNOWN:
            known.append((state != NUD_REACHABLE, answer.data))
    # A table may have thousands of entries; only the few that matter are decoded by pyroute2, at 0.1 ms each.
    known.sort(key=lambda entry: entry[0])
    neighbours = []
    for _, data in known[:NEIGHBOURS_MAX]:
        decoded = ndmsg(data)
        decoded.decode()
        neighbours.append(IPv4Address(decoded.get_attr("NDA_DST")))
    return neighbours


def _test_mac(own: str) -> str:
    """A locally administered address that no other host tests with: its end is that of the interface's own."""
    mac = f"02:00:5e:{own[9:]}"
    return mac if mac != own else f"06:00:5e:{own[9:]}"


def _receive_for(receiver: socket.socket, index: int, mac: str) -> None:
    """Have the network card take frames for one more hardware address, as long as the socket is open."""
    address = bytes.fromhex(mac.replace(":", ""))
    request = struct.pack("=iHH8s", index, _PACKET_MR_UNICAST, len(address), address)  # struct packet_mreq
    try:
        receiver.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, request)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise OSError(error.errno, f"cannot receive for the hardware address {mac}: {reason}") from error
