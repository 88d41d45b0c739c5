"""The probe of many addresses, against servers on loopback addresses of its own."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.bench import vip_probe
from tests.bench.vip_probe import Attempt
from tests.bench.vip_probe import Probe

ANSWER = b"HTTP/1.1 400 Bad Request\r\n\r\n"


@contextlib.contextmanager
def server(address: str, port: int = 0, answers: int = 100, *, speaks: bool = True) -> Iterator[int]:
    """Accepts, and answers so many; the port."""
    with socket.create_server((address, port)) as listening:

        def serve() -> None:
            kept = []
            with contextlib.suppress(OSError):
                for _ in range(answers):
                    opened, _ = listening.accept()
                    kept.append(opened)
                    if speaks:
                        opened.recv(1000)
                        opened.sendall(ANSWER)

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]


def test_each_address_has_its_own_answer_and_moments() -> None:
    """Connected first, answered then; who has answered is asked no more."""
    with server("127.0.9.1", answers=1) as port, server("127.0.9.2", port, answers=1):
        probe = Probe(["127.0.9.1", "127.0.9.2"], port)
        began_s = probe.ask_round_and_round(5)
    assert set(probe.answered) == {"127.0.9.1", "127.0.9.2"}
    for connected_s, answered_s in probe.answered.values():
        assert began_s <= connected_s <= answered_s < began_s + 5


def test_who_refuses_is_asked_until_it_serves() -> None:
    """Every 20 ms, whatever the others do."""
    with server("127.0.9.3") as port:
        ready = threading.Timer(0.3, lambda: late.enter_context(server("127.0.9.4", port)))
        with contextlib.ExitStack() as late:
            ready.start()
            probe = Probe(["127.0.9.3", "127.0.9.4"], port)
            began_s = probe.ask_round_and_round(5)
            ready.join()
    assert probe.answered["127.0.9.3"][1] < began_s + 0.3 <= probe.answered["127.0.9.4"][0]


def test_an_answer_of_somebody_else_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is a connection that nobody serves."""
    monkeypatch.setattr(vip_probe, "ANSWER", b"HTTP/1.1 418")
    with server("127.0.9.5") as port, server("127.0.9.6", port, speaks=False):
        probe = Probe(["127.0.9.5", "127.0.9.6"], port)
        began_s = probe.ask_round_and_round(0.2)
    assert probe.answered == {} and time.monotonic() >= began_s + 0.2


def test_what_the_dying_node_may_have_accepted_is_not_waited_for() -> None:
    """A request after that is, for a quarter of a second; then another one is made beside it."""
    with socket.socket() as opened:
        early, later = (Attempt("127.0.9.7", opened, 10.0 + after_s, 10.0 + after_s) for after_s in (0.04, 0.06))
        waiting = Attempt("127.0.9.7", opened, 10.06)
    assert not early.keeps_waiting(10.041, 10.0) and not waiting.keeps_waiting(10.061, 10.0)
    assert later.keeps_waiting(10.30, 10.0) and not later.keeps_waiting(10.32, 10.0)


def test_many_addresses_are_asked_less_often() -> None:
    """The probe must not take the processor that the nodes need."""
    assert (vip_probe.each_s(64), vip_probe.each_s(65)) == (0.02, 0.05)
