"""Starts a guardian as a process of its own: what it is given, and what it is kept from."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from wsa_proxy.net import death_notice
from wsa_proxy.net.inheritance import handed_on
from wsa_proxy.net.socket_buffers import grow_send_buffer

SEND_BUFFER_BYTES = 4 * 1024 * 1024
"""For a will of each of 255 groups, to many peers, before a guardian on the only core has its turn."""

_PROGRAM = "import sys; sys.path.insert(0, sys.argv.pop(1)); from wsa_proxy.net.guardian_process import main; main()"
_ROOT = str(Path(__file__).resolve().parent.parent.parent)


def start_guardian(stall_limit_s: float) -> tuple[subprocess.Popen[bytes], socket.socket, socket.socket]:
    """The process, and our ends of the two sockets between us, which do not block: what is asked, and the wills.
    Raises OSError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    our_wills, their_wills = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pidfd = os.pidfd_open(os.getpid())
    try:
        command = [sys.executable, "-I", "-S", "-c", _PROGRAM, _ROOT]
        descriptors = (theirs.fileno(), their_wills.fileno(), pidfd, *death_notice.descriptors())
        with handed_on():
            process = subprocess.Popen(
                [*command, *map(str, descriptors), str(stall_limit_s)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=descriptors,  # and nothing else of ours: no listening socket outlives us there
                start_new_session=True,  # Ctrl-C is for us
            )
    except BaseException:
        ours.close()
        our_wills.close()
        raise
    finally:
        theirs.close()
        their_wills.close()
        os.close(pidfd)
    for each in (ours, our_wills):
        each.setblocking(False)
        grow_send_buffer(each, SEND_BUFFER_BYTES)
    return process, ours, our_wills
