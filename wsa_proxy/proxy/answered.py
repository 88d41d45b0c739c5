"""Whether somebody who is not a self-test has been answered a moment ago: a busy proxy is not a sick one.

mitmproxy tells of responses, but of bytes in a tunnel that it does not look into it tells nothing (``ignore_hosts``): a
few hundred clients who download through such tunnels keep the loop so busy that a self-test takes longer than its
limit. The kernel knows when it last sent something to each client.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable

_TCP_INFO_RETRANSMITS = 2  # <linux/tcp.h>: u8, how often what is unanswered has been repeated in vain
_TCP_INFO_LAST_DATA_SENT = 44  # u32, milliseconds ago; of a connection on which nothing was sent its age
_TCP_INFO_DATA_SEGMENTS_SENT = 156  # u32, Linux 4.6
_TCP_INFO_SIZE = 160


def was_any_sent_data(clients: Iterable[socket.socket], within_s: float) -> bool:
    """Whether any of these connections was sent something new within so many seconds before now."""
    return any(_was_sent_data(client, within_s) for client in clients)


def _was_sent_data(client: socket.socket, within_s: float) -> bool:
    try:
        info = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_SIZE)
    except OSError:
        return False  # it is just being closed
    (last_ms,) = struct.unpack_from("=I", info, _TCP_INFO_LAST_DATA_SENT)
    (segments,) = struct.unpack_from("=I", info, _TCP_INFO_DATA_SEGMENTS_SENT)
    # What is repeated to a client that is gone was not sent by the proxy.
    return bool(segments) and not info[_TCP_INFO_RETRANSMITS] and last_ms < within_s * 1000
