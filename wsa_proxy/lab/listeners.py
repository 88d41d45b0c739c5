"""Shuts the listening sockets of another process down, behind its back: the fault ``deafen``.

The kernel hands out a copy of any socket of a process that we may trace (pidfd_getfd(2), since Linux 5.6), and a
shutdown(2) of the copy is one of the original: the process keeps its file descriptor, but nothing arrives any more.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from ipaddress import IPv4Address
from ipaddress import IPv6Address
from ipaddress import ip_address
from pathlib import Path

from wsa_proxy.lab.namespace import LIBC

SYS_PIDFD_GETFD = 438  # The same number on every architecture: it came after the numbers were unified.
TCP_LISTEN = "0A"


def shut(pid: int, addresses: set[str], port: int) -> int:
    """Shut every TCP socket of the process that listens on one of the addresses at the port; return how many.

    Raises OSError when the process is gone or may not be traced.
    """
    inodes = _listening_inodes(pid, {ip_address(each) for each in addresses}, port)
    process = os.pidfd_open(pid)
    shut_sockets = 0
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            if _inode_of(entry) not in inodes:
                continue
            copy = LIBC.syscall(SYS_PIDFD_GETFD, process, int(entry.name), 0)
            if copy < 0:
                raise OSError(ctypes.get_errno(), f"pidfd_getfd of process {pid}")
            with socket.socket(fileno=copy) as listener:
                listener.shutdown(socket.SHUT_RDWR)
            shut_sockets += 1
    finally:
        os.close(process)
    return shut_sockets


def _inode_of(entry: Path) -> str | None:
    """The socket's inode of an entry of /proc/PID/fd, None for anything else or a descriptor closed meanwhile."""
    try:
        target = os.readlink(entry)
    except FileNotFoundError:
        return None
    return target.removeprefix("socket:[").removesuffix("]") if target.startswith("socket:[") else None


def _listening_inodes(pid: int, addresses: set[IPv4Address | IPv6Address], port: int) -> set[str]:
    """Read the inodes from the tables of the process's network namespace (proc(5): /proc/PID/net/tcp)."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            address, _, local_port = fields[1].partition(":")
            if fields[3] == TCP_LISTEN and int(local_port, 16) == port and parse_address(address) in addresses:
                inodes.add(fields[9])
    return inodes


def parse_address(digits: str) -> IPv4Address | IPv6Address:
    """Read an address of /proc/net/tcp: 32-bit words in the machine's byte order, in hexadecimal."""
    words = [int(digits[begin : begin + 8], 16) for begin in range(0, len(digits), 8)]
    packed = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
    return IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed)
