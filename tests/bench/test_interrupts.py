"""The first signal that ends a measurement raises KeyboardInterrupt; what follows does not disturb the tidying up."""

from __future__ import annotations

import os
import signal

import pytest

from wsa_proxy.bench import interrupts


@pytest.fixture(autouse=True)
def heeded() -> None:
    """Also where the tests run in the background, with SIGINT ignored."""
    if any(signal.getsignal(number) is signal.SIG_IGN for number in interrupts.SIGNALS):
        pytest.skip("a signal is ignored here")


@pytest.mark.parametrize("first", interrupts.SIGNALS)
@pytest.mark.parametrize("second", interrupts.SIGNALS)
def test_only_the_first_one_interrupts(first: signal.Signals, second: signal.Signals) -> None:
    """Ctrl-C is pressed twice by those who cannot wait."""
    before = [signal.getsignal(number) for number in interrupts.SIGNALS]
    tidied = False
    with pytest.raises(KeyboardInterrupt), interrupts.once():
        try:
            os.kill(os.getpid(), first)
        finally:
            os.kill(os.getpid(), second)
            tidied = True
    assert tidied and [signal.getsignal(number) for number in interrupts.SIGNALS] == before


def test_what_is_ignored_stays_ignored() -> None:
    """As under nohup, when the terminal is closed."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interrupts.once():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
