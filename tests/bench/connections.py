"""What a node's connections cost it: the list of them, once a second, and telling the clients of a node that has died.

    .venv/bin/python -m wsa_proxy.lab tests/bench/connections.py:table
    .venv/bin/python -m wsa_proxy.lab tests/bench/connections.py:tickles

In network namespaces of their own, with the real kernel; the connections have no other end (TCP_REPAIR), so that 10,000
of them are made in a moment (``CROWD=500``: so many). What is told is processor time of the thread that asks or sends,
since the machine may have other work, or else "on the clock"; the median (lowest..highest).
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import time
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from functools import partial
from ipaddress import ip_address

from tests.bench.medians import milliseconds
from tests.bench.medians import spread
from tests.bench.world import build_lan
from tests.cable import Lan
from tests.learning_switch import run
from tests.net.lost_clients import PORT
from tests.net.lost_clients import VIP4
from tests.net.lost_clients import VIP6
from tests.net.lost_clients import client_of
from tests.net.lost_clients import fall_silent
from tests.net.lost_clients import hold_both
from tests.net.lost_clients import make_connected
from tests.net.lost_clients import vanish
from wsa_proxy.net.ports import Address
from wsa_proxy.net.ports import Client
from wsa_proxy.net.socket_table import SocketTable
from wsa_proxy.net.tickle import Tickler

RUNS = 20
CROWD = int(os.environ.get("CROWD", "10000"))
PER_TURN = (50, 100, 200)
PAUSE_S = 0.01
RUNS_OF_CROWDS = 5
CLOSED = 7  # TCP_CLOSE, net/tcp_states.h
DEAF = """table netdev deaf {
    chain in { type filter hook ingress device right priority filter; meta l4proto tcp drop; }
}"""
OTHER = ip_address("10.0.0.1")
THEIRS = {4: "10.0.0.2", 6: "fd00:77::2"}


def table() -> dict[str, str]:
    """One list of all the clients of one virtual IP."""
    prepare()
    found = {"with none": timed(SocketTable(), 0, VIP4)}
    for count, address in ((CROWD // 100, VIP4), (CROWD // 10, VIP4), (CROWD, VIP4), (CROWD, VIP6)):
        with connections(address, count):
            found[f"with {count}, IPv{address.version}"] = timed(SocketTable(), count, address)
    with connections(OTHER, CROWD):
        found[f"with none, and {CROWD} others"] = timed(SocketTable(), 0, VIP4)
        with connections(VIP4, CROWD // 10):
            found[f"with {CROWD // 10}, and {CROWD} others"] = timed(SocketTable(), CROWD // 10, VIP4)
    with connections(VIP4, CROWD):
        for where, asking in (("its loop", in_the_loop), ("a thread", asyncio.to_thread)):
            late_ms = [asyncio.run(lateness(asking)) for _ in range(RUNS)]
            found[f"with {CROWD}, asked in {where}: the loop is late"] = spread(late_ms) + " ms on the clock"
    return found


def prepare() -> Lan:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    lan = build_lan()
    hold_both(lan)
    return lan


@contextmanager
def connections(address: Address, count: int) -> Iterator[None]:
    """They belong to a process of their own, which has as many descriptors as it needs."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        made = [make_connected((str(address), PORT), (THEIRS[address.version], 10_000 + each)) for each in range(count)]
        for each in made:
            fall_silent(each)
        os.write(writing, b"%d" % len(made))
        signal.pause()
    os.close(writing)
    assert os.read(reading, 9) == b"%d" % count
    os.close(reading)
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def timed(asked: SocketTable, count: int, address: Address) -> str:
    assert len(asked.clients([address])) == count
    return spread([milliseconds(lambda: asked.clients([address])) for _ in range(RUNS)]) + " ms"


async def in_the_loop[Result](work: Callable[[], Result]) -> Result:
    return work()


async def lateness(asking: Callable[[Callable[[], object]], Awaitable[object]]) -> float:
    """By how many milliseconds a timer of the loop, due each of them, is late at most while somebody asks."""
    asked, late_s, ended = SocketTable(), 0.0, asyncio.Event()

    async def watch() -> None:
        nonlocal late_s
        while not ended.is_set():
            start = time.perf_counter()
            await asyncio.sleep(0.001)
            late_s = max(late_s, time.perf_counter() - start - 0.001)

    watching = asyncio.get_running_loop().create_task(watch())
    await asyncio.sleep(0)
    await asking(lambda: asked.clients([VIP4]))
    ended.set()
    await watching
    asked.close()
    return 1000 * late_s


def tickles() -> dict[str, str]:
    """10,000 clients on a host at the other end of a cable: the processor's time for each, and how long all take."""
    lan = prepare()
    found = {}
    for address in (VIP4, VIP6):
        alone = [at_once(lan, address, heard=False) for _ in range(RUNS_OF_CROWDS)]
        both = [at_once(lan, address, heard=True) for _ in range(RUNS_OF_CROWDS)]
        found[f"IPv{address.version}, each client"] = spread(alone) + " us"
        found[f"IPv{address.version}, each client, and what its kernel does"] = spread(both) + " us"
    for per_turn in PER_TURN:
        runs = [asyncio.run(paced(lan, per_turn)) for _ in range(RUNS_OF_CROWDS)]
        found[f"{per_turn} a turn, the longest turn"] = spread([each[0] for each in runs]) + " ms"
        found[f"{per_turn} a turn, until all are told"] = spread([each[1] for each in runs]) + " ms on the clock"
    return found


@contextmanager
def crowd(lan: Lan, address: Address) -> Iterator[list[socket.socket]]:
    """Clients of a node that has died."""
    port = (str(address), PORT)
    with lan.on_the_right():
        clients = [make_connected((THEIRS[address.version], 10_000 + each), port) for each in range(CROWD)]
    yield clients
    for each in clients:
        vanish(each)


def at_once(lan: Lan, address: Address, heard: bool) -> float:
    """Microseconds of this thread for each client; over this cable the kernel does the client's part in it as well."""
    if not heard:
        with lan.on_the_right():
            run("nft", "-f", "-", text=DEAF)
    tickler = Tickler(lan.index)
    with crowd(lan, address) as clients:
        keys = [client_of(each) for each in clients]
        tickler.send(keys[0])  # the kernel asks for the neighbour
        lan.until(lambda: told(clients[:1]) or not heard, "the first one told")
        spent_ms = milliseconds(partial(send_all, tickler, keys))
        lan.until(lambda: told(clients) == heard, "all told", within_s=10)
    tickler.close()
    if not heard:
        with lan.on_the_right():
            run("nft", "flush", "ruleset")
    return 1000 * spent_ms / CROWD


async def paced(lan: Lan, per_turn: int) -> tuple[float, float]:
    """Milliseconds of the longest turn, and on the clock until the last client has been told."""
    tickler = Tickler(lan.index)
    with crowd(lan, VIP4) as clients:
        keys, longest_ms, start = [client_of(each) for each in clients], 0.0, time.perf_counter()
        for first in range(0, CROWD, per_turn):
            longest_ms = max(longest_ms, milliseconds(partial(send_all, tickler, keys[first : first + per_turn])))
            await asyncio.sleep(PAUSE_S)
        lan.until(lambda: told(clients), "all told", within_s=10)
        ended = time.perf_counter()
    tickler.close()
    return longest_ms, 1000 * (ended - start)


def send_all(tickler: Tickler, keys: Sequence[Client]) -> None:
    for each in keys:
        tickler.send(each)


def told(clients: Sequence[socket.socket]) -> bool:
    """All of them have learnt of it."""
    return all(each.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == CLOSED for each in clients)
