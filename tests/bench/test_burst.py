"""The short form of ``make burst``: that it measures what it says, and that nobody is lost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench import burst
from tests.bench import bursts
from tests.lab.inside import needs_namespaces

CLIENTS = 40


def result(kind: str, **changed: Any) -> dict[str, Any]:
    """One that keeps what was promised."""
    fine = {"first_ms": 100.0, "middle_ms": 500.0, "last_ms": 900.0, "stall_ms": 90.0, "cpu_s": 0.9, "failed": 0}
    told = ["b: carp vhid=1 BACKUP -> MASTER"] * burst.MOVES[kind]
    return fine | {"crowd": "tls", "kind": kind, "served": CLIENTS, "told": told} | changed


@needs_namespaces
def test_all_of_a_small_burst_are_served() -> None:
    """By plain mitmdump and by the master, with TLS and without; no node moves, and what was measured can be."""
    bursts_wanted = [(crowd, kind) for crowd in burst.CROWDS for kind in ("plain", "addon")]
    seen = burst.run(bursts_wanted, CLIENTS)
    assert [(each["crowd"], each["kind"]) for each in seen] == bursts_wanted
    assert [(each["served"], each["told"]) for each in seen] == [(CLIENTS, [])] * 4
    for each in seen:
        assert 0 < each["first_ms"] <= each["middle_ms"] <= each["last_ms"] and each["cpu_s"] > 0, each


@pytest.mark.parametrize(
    ("kind", "changed", "told"),
    [
        ("addon", {"served": CLIENTS - 2}, "2 clients were not served"),
        ("addon", {"told": ["a: carp vhid=1 MASTER -> INIT"]}, "a: carp vhid=1 MASTER -> INIT"),
        ("kill", {"told": ["one", "another"]}, "one; another"),
        ("kill", {"stall_ms": 501.0}, "the loop stood still for 501 ms"),
        ("kill", {"first_ms": 501.0}, "the first answer came after 501 ms"),
        ("addon", {"last_ms": 1000.0}, "the last client was served 1.11 times as late as with plain mitmdump"),
    ],
)
def test_each_promise_is_missed_by_name(kind: str, changed: dict[str, Any], told: str) -> None:
    """One sentence for each; and none when all are kept, whatever plain mitmdump does."""
    rest = [result("plain", served=0, stall_ms=9000.0, told=["a: carp vhid=1 MASTER -> INIT"])]
    rest += [result(each) for each in ("addon", "kill") if each != kind]
    assert burst.missed([*rest, result(kind)], CLIENTS) == []
    (problem,) = burst.missed([*rest, result(kind, **changed)], CLIENTS)
    assert told in problem
    assert burst.last_ratios([*rest, result(kind)]) == {"tls": 1.0}
    other = [result(each, crowd="http") for each in burst.KINDS]
    assert burst.missed([*rest, result(kind, **changed), *other], CLIENTS) == [problem], "crowds are not compared"


def test_stalls_are_those_of_the_burst() -> None:
    """Begun before and lasting into it counts, as does what lasts beyond; the line being written does not."""
    lines = ["9.00 0.50", "9.90 0.20", "10.50 0.30", "11.90 0.40", "12.10 0.90", "11.0"]
    assert bursts.stalls(lines, 10.0, 12.0) == [0.0, 0.2, 0.3, 0.4]


def test_moments_are_counted_from_the_beginning() -> None:
    """In milliseconds, whatever order they came in; a burst that served nobody is no measurement."""
    seen = bursts.measured({"served_s": [12.0, 10.5, 11.0], "failed": 3}, 10.0)
    assert seen == {"first_ms": 500.0, "middle_ms": 1000.0, "last_ms": 2000.0, "served": 3, "failed": 3}
    with pytest.raises(RuntimeError, match="nobody was served"):
        bursts.measured({"served_s": [], "failed": 3}, 10.0)
