"""AF_PACKET sockets of one interface: whole Ethernet frames, with a filter that runs in the kernel.

AF_PACKET and not a raw IP socket, because an output firewall stops the latter (EPERM), and a netfilter rule must not
be able to silence a master. A socket is opened for one EtherType and one interface: then it does not hear the frames
that this host sends itself, nor those of other interfaces.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import struct
import time
from collections.abc import Iterator
from collections.abc import Sequence

from wsa_proxy.net.ports import FRAMES_PER_TURN_MAX
from wsa_proxy.net.socket_buffers import grow_receive_buffer

ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_ARP = 0x0806
ETHERTYPE_IPV6 = 0x86DD
ETHERNET_HEADER_BYTES = 14

RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024  # a full queue keeps the oldest frames, so it must outlast a stall
FRAME_BYTES_MAX = 2048  # what we look for has 110 bytes at most; a longer frame is cut here and fails its length check

# From linux/socket.h and linux/filter.h; Python's socket module does not have them.
_SO_ATTACH_FILTER = 26
_SIOCGSTAMP = 0x8906  # asm-generic/sockios.h
_TIMEVAL = struct.Struct("@ll")
_PRIORITY_INTERACTIVE = 6  # linux/pkt_sched.h: leaves before bulk traffic; the highest that needs no privilege

type Instruction = tuple[int, int, int, int]
"""One instruction of classic BPF: code, jump if true, jump if false, value."""

REJECT: Instruction = (0x06, 0, 0, 0)
ACCEPT: Instruction = (0x06, 0, 0, FRAME_BYTES_MAX)
ACCEPT_WHOLE: Instruction = (0x06, 0, 0, 0xFFFFFFFF)
INDEX_IS_LOADED: Instruction = (0x07, 0, 0, 0)
"""What was loaded is the index from now on."""
# The kernel removes the tag of a VLAN that has no device here and hands the frame to the parent, marked as being for
# another host. Without this test a group would hear the advertisements of VLANs that it does not belong to.
LOAD_PACKET_TYPE: Instruction = (0x30, 0, 0, 0xFFFFF000 + 4)
PACKET_TYPE_OTHER_HOST = 3


def load_byte(offset: int) -> Instruction:
    """Load one byte of the frame; a frame that is too short is rejected."""
    return (0x30, 0, 0, offset)


def load_half(offset: int) -> Instruction:
    """Load two bytes of the frame."""
    return (0x28, 0, 0, offset)


def load_word(offset: int) -> Instruction:
    """Load four bytes of the frame."""
    return (0x20, 0, 0, offset)


def load_byte_at_index(offset: int) -> Instruction:
    """Load one byte so far behind the index; a frame that is too short is rejected."""
    return (0x50, 0, 0, offset)


def load_word_at_index(offset: int) -> Instruction:
    """Load four bytes so far behind the index."""
    return (0x40, 0, 0, offset)


def index_ipv4_payload(offset: int) -> Instruction:
    """The index is the length of the IPv4 header that begins at the offset: four times the low half of its byte."""
    return (0xB1, 0, 0, offset)


def find_attribute(offset: int, attribute_type: int) -> list[Instruction]:
    """Load the place of a netlink attribute, looking from the offset on; 0 when there is none."""
    return [(0x01, 0, 0, attribute_type), (0x00, 0, 0, offset), (0x20, 0, 0, 0xFFFFF000 + 12)]


def skip(value: int, if_equal: int, if_different: int) -> Instruction:
    """Skip so many instructions, depending on the value that was loaded."""
    return (0x15, if_equal, if_different, value)


def open_receiver(interface: str, index: int, ethertype: int, program: Sequence[Instruction]) -> socket.socket:
    """A non-blocking socket that hears only frames of one EtherType that pass the program. Raises OSError.

    It is created with protocol 0, which hears nothing, and told its EtherType by bind: so no frame slips in before
    the filter is attached.
    """
    receiver = _open(interface)
    try:
        attach_filter(receiver, program)
        grow_receive_buffer(receiver, RECEIVE_BUFFER_BYTES)
        _bind(receiver, interface, index, ethertype)
    except BaseException:
        receiver.close()
        raise
    waited_s(receiver)  # asked once, the kernel keeps the times of all frames that come from now on
    return receiver


def open_sender(interface: str, index: int) -> socket.socket:
    """A non-blocking socket that only sends. Raises OSError."""
    sender = _open(interface)
    try:
        _bind(sender, interface, index, 0)
    except BaseException:
        sender.close()
        raise
    return sender


def own_mac(bound: socket.socket) -> str:
    """The interface's hardware address as it is now, ``aa:bb:cc:dd:ee:ff``. Raises OSError if it has none."""
    name = bound.getsockname()
    mac: bytes = name[4]
    if len(mac) != 6:
        # A tunnel, or an interface that is gone; CARP is a protocol of Ethernet-like links.
        raise OSError(errno.ENODEV, f"{name[0] or 'the interface'} has no Ethernet address")
    return mac.hex(":")


def queued_frames(receiver: socket.socket) -> Iterator[bytes]:
    """The frames that wait in the socket, FRAMES_PER_TURN_MAX at most."""
    for _ in range(FRAMES_PER_TURN_MAX):
        try:
            yield receiver.recv(FRAME_BYTES_MAX)
        except BlockingIOError:
            return
        except OSError as error:
            # The kernel says once that the interface went down; the link monitor reports it, and more may be queued.
            if error.errno not in (errno.ENETDOWN, errno.ENODEV, errno.ENXIO):
                raise


def waited_s(receiver: socket.socket) -> float:
    """For how long the frame that was read last had waited in the socket: 0.0 where the kernel does not say."""
    stamp = bytearray(_TIMEVAL.size)
    try:
        fcntl.ioctl(receiver, _SIOCGSTAMP, stamp)
    except OSError:
        return 0.0
    seconds, microseconds = _TIMEVAL.unpack(stamp)
    return max(0.0, time.clock_gettime(time.CLOCK_REALTIME) - float(seconds + microseconds / 1e6))


def _open(interface: str) -> socket.socket:
    try:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
    except PermissionError as error:
        text = f"cannot open a packet socket on {interface}: {os.strerror(errno.EPERM)}, it needs CAP_NET_RAW"
        raise OSError(error.errno, text) from error
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, _PRIORITY_INTERACTIVE)
    return opened


def _bind(opened: socket.socket, interface: str, index: int, ethertype: int) -> None:
    """Bind by name and make sure that the name still means the interface that our caller looked at."""
    try:
        opened.bind((interface, ethertype))
        found = socket.if_nametoindex(interface)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise OSError(error.errno or errno.ENODEV, f"cannot use interface {interface}: {reason}") from error
    if found != index:
        raise OSError(errno.ENODEV, f"interface {interface} was re-created: it has index {found}, not {index}")


def attach_filter(receiver: socket.socket, program: Sequence[Instruction]) -> None:
    """Have the kernel drop what the program rejects. Raises OSError."""
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *instruction) for instruction in program))
    header = struct.pack("HL", len(program), ctypes.addressof(code))  # struct sock_fprog, native alignment
    receiver.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, header)
