"""What is counted alike: a fault that is met in every request, for long enough and often enough."""

from __future__ import annotations

import re

from wsa_proxy.proxy.every_request import EveryRequest
from wsa_proxy.proxy.every_request import where
from wsa_proxy.settings import Limits


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Broken(EveryRequest):
    NAME, MEETS = "broken", "it broke"


def made(loaded: list[object]) -> tuple[Broken, Clock]:
    clock = Clock()
    return Broken(clock=clock, addons=lambda: list(loaded), limits=Limits(2.0, 2, 3)), clock


def meet(broken: Broken, clock: Clock, *after_s: float) -> str | None:
    for each in after_s:
        clock.now_s += each
        broken._met("X()")
    return broken.verdict(clock.now_s)[1]


def test_it_takes_both_the_number_and_the_time() -> None:
    """Three within a second are none, nor are two in three."""
    broken, clock = made([])
    assert meet(broken, clock, 0, 0.5, 0.5) is None
    assert meet(broken, clock, 1.0) == "it broke in each of the last 4 requests, for 2.0 s: X(); limit 3 in 2.0 s"
    broken, clock = made([])
    assert meet(broken, clock, 0, 3) is None and meet(broken, clock, 0) is not None


def test_one_that_passes_begins_the_count_anew() -> None:
    broken, clock = made([])
    meet(broken, clock, 0, 1)
    broken._passed()
    assert meet(broken, clock, 1, 0.5, 0.5) is None and meet(broken, clock, 1) is not None


def test_other_limits_other_addons_and_the_operator() -> None:
    """The one for what comes, the others end what there is, and its count."""
    loaded: list[object] = [object()]
    broken, clock = made(loaded)
    meet(broken, clock, 0, 1)
    broken.change(Limits(1.0, 2, 2))
    assert meet(broken, clock, 0) is not None
    assert broken.forgive("said so").startswith("it broke in each of the last 3") and broken.forgive("again") == ""
    assert meet(broken, clock, 0) is None and meet(broken, clock, 1) is not None
    loaded.append(object())
    assert broken.verdict(clock.now_s)[1] is None and meet(broken, clock, 0) is None


def test_where_names_the_entry_that_it_is_given() -> None:
    """File and line, or nothing."""
    try:
        raise KeyError
    except KeyError as error:
        assert re.fullmatch(r" \(test_every_request.py line \d+\)", where(error.__traceback__))
    assert where(None) == ""
