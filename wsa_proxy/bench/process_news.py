"""Whether the kernel tells the end of other processes here: keepalived's process tracking lives of that.

The news come through the process events connector (CN_PROC), a netlink protocol of the initial network namespace only.
It is asked for them, and a process is ended: that says more than any number of a namespace.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import subprocess

NETLINK_CONNECTOR = 11  # linux/netlink.h
CN_IDX_PROC = CN_VAL_PROC = 1  # linux/connector.h
PROC_CN_MCAST_LISTEN = 1  # linux/cn_proc.h
NLMSG_DONE = 3
NEWS_S_MAX = 1.0


def refusal() -> str | None:
    """Say why nothing is told here, or None when it is."""
    if os.geteuid() != 0:
        return "process tracking needs root"
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, NETLINK_CONNECTOR) as listener:
            listener.bind((0, CN_IDX_PROC))
            listener.send(_listen())
            subprocess.run(["/bin/true"], check=False)
            heard = select.select([listener], [], [], NEWS_S_MAX)[0]
    except OSError as error:
        return f"the kernel tells nothing of processes here ({error.strerror}): run it in the initial namespaces"
    return None if heard else "the kernel tells nothing of processes here: run it in the initial namespaces"


def _listen() -> bytes:
    """struct nlmsghdr, struct cn_msg, and the operation."""
    message = struct.pack("=IIIIHHI", CN_IDX_PROC, CN_VAL_PROC, 0, 0, 4, 0, PROC_CN_MCAST_LISTEN)
    return struct.pack("=IHHII", 16 + len(message), NLMSG_DONE, 0, 0, os.getpid()) + message
