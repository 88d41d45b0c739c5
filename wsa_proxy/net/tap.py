"""Everything of protocol 112 that one interface hears or sends, for people who want to look.

A socket of one EtherType, as the node has it, does not hear what this host sends itself; one of all EtherTypes does
(the kernel shows outgoing frames to those only), so a watch on the master sees the master. It also sees the frames of
all VLANs of the interface, whose tags the kernel has taken off and tells beside the frame: they are put back.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass

from wsa_proxy.net.frames import PROTOCOL_CARP
from wsa_proxy.net.packet_socket import join_group
from wsa_proxy.net.ports import FRAMES_PER_TURN_MAX
from wsa_proxy.net.ports import Version
from wsa_proxy.net.raw_socket import ACCEPT
from wsa_proxy.net.raw_socket import ETHERNET_HEADER_BYTES
from wsa_proxy.net.raw_socket import ETHERTYPE_IPV4
from wsa_proxy.net.raw_socket import ETHERTYPE_IPV6
from wsa_proxy.net.raw_socket import FRAME_BYTES_MAX
from wsa_proxy.net.raw_socket import REJECT
from wsa_proxy.net.raw_socket import Instruction
from wsa_proxy.net.raw_socket import load_byte
from wsa_proxy.net.raw_socket import load_half
from wsa_proxy.net.raw_socket import open_receiver
from wsa_proxy.net.raw_socket import skip

VLAN_BYTES = 4

# From linux/if_ether.h, linux/if_packet.h and asm/socket.h; Python's socket module does not have them all.
_ETHERTYPE_ALL = 0x0003
_ETHERTYPE_VLAN = 0x8100
_ETHERTYPE_SERVICE_VLAN = 0x88A8
_SOL_PACKET = 263
_PACKET_ADD_MEMBERSHIP = 1
_PACKET_STATISTICS = 6
_PACKET_AUXDATA = 8
_PACKET_MR_ALLMULTI = 2
_PACKET_OUTGOING = 4
_SO_TIMESTAMPNS = 35
_STATUS_VLAN_VALID = 1 << 4
_STATUS_VLAN_TPID_VALID = 1 << 6
_AUXDATA = struct.Struct("=IIIHHHH")  # struct tpacket_auxdata
_TIMESPEC = struct.Struct("@ll")
_ANCILLARY_BYTES = 256


@dataclass(frozen=True, slots=True)
class TappedFrame:
    """One frame as it is on the wire, with its VLAN tag."""

    frame: bytes
    length_bytes: int
    """On the wire; more than the frame has when that was cut."""
    sent_here: bool
    """This host sends it, it does not come from the LAN."""
    at_s: float
    """The kernel's wall clock when it passed. In the moment after the tap was opened, when it was read: the kernel
    begins to stamp some milliseconds after it was asked to."""


class Tap:
    """Listens on one interface until it is closed. It hears the multicasts that a node hears, not all unicasts."""

    def __init__(self, interface: str, index: int) -> None:
        """Raises OSError, with words about the missing privilege or interface."""
        self.interface = interface
        self.trouble = ""
        """What has happened to the interface, in the kernel's words; empty if nothing has."""
        self._socket = open_receiver(interface, index, _ETHERTYPE_ALL, _filter())
        self._members: list[socket.socket] = []
        try:
            self._socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            request = struct.pack("=iHH8s", index, _PACKET_MR_ALLMULTI, 0, b"")  # struct packet_mreq
            self._socket.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, request)
            self._members = list(_memberships(interface, index))
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """Becomes readable when a frame has passed."""
        return self._socket.fileno()

    def receive(self) -> Sequence[TappedFrame]:
        """The frames that wait, FRAMES_PER_TURN_MAX at most. Raises OSError, but not for an interface that goes down
        or away: that is ``trouble``, and what comes after it is up again is heard."""
        frames: list[TappedFrame] = []
        for _ in range(FRAMES_PER_TURN_MAX):
            try:
                frame, ancillary, _flags, address = self._socket.recvmsg(FRAME_BYTES_MAX, _ANCILLARY_BYTES)
            except BlockingIOError:
                break
            except OSError as error:
                # The kernel says it once, before what is still queued.
                if error.errno not in (errno.ENETDOWN, errno.ENODEV, errno.ENXIO):
                    raise
                self.trouble = os.strerror(error.errno)
                continue
            frames.append(_tapped(frame, ancillary, sent_here=address[2] == _PACKET_OUTGOING))
        return frames

    def dropped(self) -> int:
        """The frames that found the queue full since the last call."""
        _, drops = struct.unpack("=II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
        return int(drops)

    def close(self) -> None:
        for opened in [self._socket, *self._members]:
            opened.close()


def _memberships(interface: str, index: int) -> Iterator[socket.socket]:
    """Of the groups that can be joined: where IPv6 is off, what IPv4 says is still worth looking at."""
    versions: tuple[Version, ...] = (4, 6)
    for version in versions:
        try:
            yield join_group(interface, index, version)
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.ENODEV, errno.EINVAL, errno.EACCES):
                raise


def _filter() -> list[Instruction]:
    """Protocol 112 in IPv4 or IPv6, also behind one VLAN tag that the kernel has left in the frame."""
    inner = ETHERNET_HEADER_BYTES + VLAN_BYTES
    return [
        load_half(ETHERNET_HEADER_BYTES - 2),
        skip(ETHERTYPE_IPV4, 3, 0),
        skip(ETHERTYPE_IPV6, 4, 0),
        skip(_ETHERTYPE_VLAN, 5, 0),
        skip(_ETHERTYPE_SERVICE_VLAN, 4, 12),
        load_byte(ETHERNET_HEADER_BYTES + 9),
        skip(PROTOCOL_CARP, 9, 10),
        load_byte(ETHERNET_HEADER_BYTES + 6),
        skip(PROTOCOL_CARP, 7, 8),
        load_half(inner - 2),
        skip(ETHERTYPE_IPV4, 1, 0),
        skip(ETHERTYPE_IPV6, 2, 5),
        load_byte(inner + 9),
        skip(PROTOCOL_CARP, 2, 3),
        load_byte(inner + 6),
        skip(PROTOCOL_CARP, 0, 1),
        ACCEPT,
        REJECT,
    ]


def _tapped(frame: bytes, ancillary: Sequence[tuple[int, int, bytes]], sent_here: bool) -> TappedFrame:
    at_s, length_bytes, tag = 0.0, len(frame), b""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            seconds, nanoseconds = _TIMESPEC.unpack(data[: _TIMESPEC.size])
            at_s = seconds + nanoseconds / 1e9
        elif (level, kind) == (_SOL_PACKET, _PACKET_AUXDATA):
            status, length_bytes, _, _, _, tci, tpid = _AUXDATA.unpack(data[: _AUXDATA.size])
            if status & _STATUS_VLAN_VALID:
                ethertype = tpid if status & _STATUS_VLAN_TPID_VALID else _ETHERTYPE_VLAN
                tag = struct.pack("!HH", ethertype, tci)
    return TappedFrame(frame[:12] + tag + frame[12:], length_bytes + len(tag), sent_here, at_s)
