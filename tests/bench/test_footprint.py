from __future__ import annotations

import os
import socket
import threading

from tests.bench import footprint
from tests.bench.soak_probe import Count
from tests.bench.soak_probe import read

ROLLUP = "55d4c0000000-7ffd000 ---p 00000000 00:00 0 [rollup]\nRss:  102400 kB\nPss:   51712 kB\nTHPeligible:  0\n"
STAT = "77 (a (b) c) S 1 1 1 0 -1 4194560 9 0 0 0 1234 567 0 0 20 0 3 0 100 200 300"
SNMP = "Tcp: InSegs OutSegs RetransSegs\nTcp: 10 2000 15\nUdp: InDatagrams\nUdp: 1\n"
SOCKSTAT = "sockets: used 20\nTCP: inuse 12 orphan 0 tw 340 alloc 14 mem 3\nUDP: inuse 2 mem 1\n"


def test_what_the_kernel_prints_is_read() -> None:
    """The name in stat may have spaces and brackets; the header of a rollup is no size."""
    assert footprint.sizes_kib(ROLLUP) == {"Rss": 102400, "Pss": 51712}
    fields = footprint.stat_fields(STAT)
    assert (fields[11:13], fields[17]) == ([1234, 567], 3) and footprint.stat_fields("") == []
    assert footprint.table(SNMP, "Tcp:") == {"InSegs": 10, "OutSegs": 2000, "RetransSegs": 15}
    assert footprint.pairs(SOCKSTAT, "TCP:")["tw"] == 340


def test_a_process_is_what_it_is() -> None:
    """One socket and one thread more are seen, of this process."""
    before = footprint.footprint(os.getpid())
    released = threading.Event()
    thread = threading.Thread(target=released.wait)
    with socket.socket():
        thread.start()
        after = footprint.footprint(os.getpid())
        released.set()
    thread.join()
    assert (after.sockets - before.sockets, after.threads - before.threads) == (1, 1)
    assert after.descriptors - before.descriptors == 1
    assert after.rss_mib > after.pss_mib > 1.0 and after.cpu_s > 0.0


def test_the_networks_counters_are_those_of_now() -> None:
    """All four are there; what was sent never shrinks."""
    counters = footprint.tcp_counters(os.getpid())
    assert set(counters) == {"sent", "sent_again", "in_use", "time_wait"}
    assert footprint.tcp_counters(os.getpid())["sent"] >= counters["sent"] > 0


def test_who_waits_to_be_accepted_is_counted() -> None:
    """At this port only, and until he is."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
        assert footprint.waiting(os.getpid(), port) == 2
        clients += [server.accept()[0]]
        assert footprint.waiting(os.getpid(), port) == 1
        for each in clients:
            each.close()


def test_a_line_of_the_probe_is_read() -> None:
    """As it writes it."""
    assert read("12.50 31 800123 790456\n") == Count(12.5, 31, 800123, 790456)
