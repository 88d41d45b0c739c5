"""Asks many virtual IPs, round and round, until each has answered: ``python -m tests.bench.vip_probe PORT ADDRESS...``.

A process of its own on the client's host, which knows nothing of the nodes. It asks all addresses once, one after the
other, prints ``ready`` and waits for SIGUSR1. From then on each address gets a new TCP connection every 20 ms (50 ms
where there are more than 64), and on it a request that the proxy answers by itself: one without a host, to which
mitmproxy says 400. What a web server has to answer would measure how many of those the proxy makes a second. Sockets
and epoll without streams, so that asking does not take the processor that the nodes need.

Prints, as JSON, when it began, for each address when the connection that was answered was open and when its answer was
there (CLOCK_MONOTONIC, seconds; null for an address that did not answer in time), and by how much it was late itself.
"""

from __future__ import annotations

import errno
import json
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

EACH_S = 0.02
EACH_OF_MANY_S = 0.05
MANY = 64
DYING_S = 0.05
"""So long the kernel of a proxy that was killed may accept for it: what was asked by then is asked again."""
AGAIN_S = 0.25
"""After a request that was not answered; the earlier one may still be."""
LIMIT_S = 15.0
REQUEST = b"GET / HTTP/1.0\r\n\r\n"
ANSWER = b"HTTP/1.1 400"


def each_s(addresses: int) -> float:
    """Seconds between two attempts at one address."""
    return EACH_S if addresses <= MANY else EACH_OF_MANY_S


@dataclass(slots=True)
class Attempt:
    """One connection."""

    address: str
    opened: socket.socket
    began_s: float
    connected_s: float | None = None

    def keeps_waiting(self, now_s: float, probe_began_s: float) -> bool:
        """Nobody need ask beside it now."""
        if self.connected_s is None or self.began_s - probe_began_s < DYING_S:
            return False
        return now_s - self.connected_s < AGAIN_S


class Probe:
    """All addresses; ``answered`` has those that have, with the moments of the connection and of the answer."""

    def __init__(self, addresses: Sequence[str], port: int) -> None:
        self._port = port
        self._open: dict[str, list[Attempt]] = {address: [] for address in addresses}
        self._by_descriptor: dict[int, Attempt] = {}
        self._poll = select.epoll()
        self.answered: dict[str, tuple[float, float]] = {}
        self.late_s = 0.0
        """The latest attempt, against its time."""

    def ask_round_and_round(self, limit_s: float = LIMIT_S) -> float:
        """Until all have answered, or the limit is over. Returns when it began."""
        began_s = due_s = time.monotonic()
        step_s = each_s(len(self._open)) / len(self._open)
        turn, order = 0, list(self._open)
        while len(self.answered) < len(order) and (now_s := time.monotonic()) < began_s + limit_s:
            self.late_s = max(self.late_s, now_s - due_s)
            while due_s <= now_s:
                if (address := order[turn % len(order)]) not in self.answered:
                    self._ask(address, began_s)
                turn, due_s = turn + 1, due_s + step_s
            self._read(max(0.0, due_s - time.monotonic()))
        return began_s

    def _ask(self, address: str, probe_began_s: float) -> None:
        now_s = time.monotonic()
        attempts = self._open[address]
        if any(each.keeps_waiting(now_s, probe_began_s) for each in attempts):
            return
        for each in attempts.copy():
            if each.connected_s is None or each.began_s - probe_began_s < DYING_S:
                self._end(each)
        opened = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        opened.setblocking(False)
        if opened.connect_ex((address, self._port)) not in (0, errno.EINPROGRESS):
            opened.close()  # no route now: asked again in its turn
            return
        attempt = Attempt(address, opened, now_s)
        attempts.append(attempt)
        self._by_descriptor[opened.fileno()] = attempt
        self._poll.register(opened, select.EPOLLOUT)

    def _read(self, timeout_s: float) -> None:
        for descriptor, _ in self._poll.poll(timeout_s):
            attempt = self._by_descriptor.get(descriptor)
            if attempt is None:
                continue  # ended by an answer of this same round
            try:
                self._go_on(attempt)
            except OSError:
                self._end(attempt)

    def _go_on(self, attempt: Attempt) -> None:
        """Send the request, or read the answer. Raises OSError: refused, reset, no way there."""
        if attempt.connected_s is None:
            if failure := attempt.opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(failure, "connect")
            attempt.connected_s = time.monotonic()
            attempt.opened.send(REQUEST)
            self._poll.modify(attempt.opened, select.EPOLLIN)
            return
        if not attempt.opened.recv(4096).startswith(ANSWER):
            raise OSError(errno.EPROTO, "not the answer of a proxy")
        self.answered[attempt.address] = attempt.connected_s, time.monotonic()
        for each in self._open[attempt.address].copy():
            self._end(each)

    def _end(self, attempt: Attempt) -> None:
        del self._by_descriptor[attempt.opened.fileno()]
        self._open[attempt.address].remove(attempt)
        attempt.opened.close()


def main() -> None:
    port, *addresses = sys.argv[1:]
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    for address in addresses:
        probe = Probe([address], int(port))
        probe.ask_round_and_round()
        if not probe.answered:
            raise SystemExit(f"{address} does not answer")
    print("ready", flush=True)
    signal.sigwait({signal.SIGUSR1})
    probe = Probe(addresses, int(port))
    began_s = probe.ask_round_and_round()
    answered = {each: probe.answered.get(each) for each in addresses}
    print(json.dumps({"began_s": began_s, "answered": answered, "late_s": probe.late_s}))


if __name__ == "__main__":
    main()
