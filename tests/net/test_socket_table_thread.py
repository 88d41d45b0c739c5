"""The same table, asked beside the loop."""

from __future__ import annotations

import socket
import threading
from ipaddress import ip_address

import pytest

from tests.descriptors import no_descriptors
from wsa_proxy.net.socket_table import SocketTable
from wsa_proxy.net.socket_table_thread import SocketTableThread

HERE = ip_address("127.0.0.9")


def test_it_tells_what_the_table_tells() -> None:
    """In another thread, again and again."""
    thread, table = SocketTableThread(), SocketTable()
    with socket.create_server((str(HERE), 0)) as listening:
        assert thread.ask([HERE]).result(10) == frozenset()
        with socket.create_connection(listening.getsockname()):
            found = thread.ask([HERE]).result(10)
            assert len(found) == 1 and found == table.clients([HERE])
    table.close()
    thread.close()


def test_what_the_kernel_refuses_is_the_answer() -> None:
    """Out of descriptors, say; the next question is a new one."""
    thread = SocketTableThread()
    with no_descriptors(), pytest.raises(OSError, match="Too many open files"):
        thread.ask([HERE]).result(10)
    assert thread.ask([HERE]).result(10) == frozenset()
    thread.close()


def test_what_is_over_is_forgotten() -> None:
    """In the same thread; nothing of that here."""
    thread = SocketTableThread()
    assert thread.forget([HERE.packed + b"\x1f\x90" + HERE.packed + b"\x1f\x91"]).result(10) == 0
    thread.close()


def workers() -> set[threading.Thread]:
    """Those of earlier tests may still be about to end."""
    return {each for each in threading.enumerate() if each.name.startswith("failover connections")}


def test_after_the_end_no_thread_is_left() -> None:
    """Also of one that was never asked."""
    before = workers()
    never_asked, asked = SocketTableThread(), SocketTableThread()
    asked.ask([HERE]).result(10)
    never_asked.close()
    asked.close()
    for worker in workers() - before:
        worker.join(10)
        assert not worker.is_alive()
