"""What a guardian is given when it is started, and what it is kept from."""

from __future__ import annotations

import os
import socket
from typing import Any

from wsa_proxy.net import death_notice
from wsa_proxy.net import orders
from wsa_proxy.net.guardian_start import SEND_BUFFER_BYTES
from wsa_proxy.net.guardian_start import start_guardian


def test_it_has_two_sockets_a_pidfd_and_the_notice_of_our_death_and_nothing_else(lan: Any) -> None:
    """A listening socket that it kept would go on accepting clients when the proxy is dead. Its own session, so that
    Ctrl-C is for the proxy; our ends never make the loop wait, and take wills for all groups."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        os.set_inheritable(listener.fileno(), True)
        death_notice.descriptors()  # made once, and kept for as long as this process runs
        before = set(os.listdir("/proc/self/fd"))
        process, asked, wills = start_guardian(1.0)
        try:
            asked.setblocking(True)
            assert orders.decode(asked.recv(1000)).kind == orders.DONE
            names = {os.readlink(f"/proc/{process.pid}/fd/{each}") for each in os.listdir(f"/proc/{process.pid}/fd")}
            assert f"socket:[{os.fstat(listener.fileno()).st_ino}]" not in names
            assert sum("pidfd" in name for name in names) == 1
            assert os.getsid(process.pid) == process.pid != os.getsid(0)
            assert not wills.getblocking()
            # The kernel answers twice of what was asked for.
            assert {each.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) for each in (asked, wills)} == {
                2 * SEND_BUFFER_BYTES
            }
            asked.close()
            assert process.wait(5) == 0
        finally:
            wills.close()
            process.kill()
        assert set(os.listdir("/proc/self/fd")) == before
