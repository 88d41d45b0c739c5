"""One run, as playing.py makes it, on a lab that only answers; what is real of it, test_end_to_end.py plays."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.bench.cells import a_run
from wsa_proxy.bench import playing
from wsa_proxy.bench.peer_lab import PeerLab
from wsa_proxy.bench.products import PRODUCTS
from wsa_proxy.bench.trials import TRIALS
from wsa_proxy.lab.faults import Fault
from wsa_proxy.lab.lab import STEADY_S
from wsa_proxy.lab.lab import Lab
from wsa_proxy.lab.lab import NotBack
from wsa_proxy.lab.report import Row

OUTSIDE = Path("/proc/self/ns/net")


class FakeLab:
    """Answers with the rows that it is given, in virtual time: a wait moves the clock by a tenth of a second."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        served: Sequence[str | None],
        steady: bool = True,
        returns: Sequence[str | None] = ("a",),
    ) -> None:
        """``returns``: who serves while the master is waited for."""
        self.now = self.undone_s = 100.0
        self.done: list[str] = []
        self.holder_log = self
        self._served, self._steady, self._returns = list(served), steady, list(returns)
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "sleep", lambda seconds: None)

    def holders(self) -> set[str]:
        return {"a", "b"} if self.done[-1] in ("daemon-kill a", "power a") else {"a"}

    def apply(self, fault: Fault, *targets: str) -> None:
        self.done.append(fault.text(targets))

    def last_row(self) -> Row:
        """Of the last step: the first that is given, and the last one over and over."""
        after = self._served.pop(0) if len(self._served) > 1 else self._served[0]
        return Row(self.done[-1], 100.0, "a", after, 41.26, after is not None, 3, 0.1234, 2.04, 0, 0, None)

    def wait_service(self, limit_s: float) -> None:
        if not self._steady and len(self.done) == 1:
            raise NotBack("no request has succeeded")

    def settle(self, limit_s: float) -> None:
        self.done.append("settle")

    def wait_for(self, what: str, missing: Any, limit_s: float) -> None:
        if what == "the master to be back":
            self._served, self.undone_s = self._returns, self.now
        deadline_s = self.now + limit_s
        while (lacking := missing()) is not None:
            self.now += 0.1
            if self.now > deadline_s:
                raise NotBack(lacking)


def play(lab: FakeLab, product: str, trial: str) -> playing.Run:
    return playing.play(lab, PRODUCTS[product], TRIALS[trial], 0)  # type: ignore[arg-type]


def test_a_fault_is_done_undone_and_measured_both_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the master is back in its place; numbers are rounded to what can be known."""
    lab = FakeLab(monkeypatch, ["b"])
    run = play(lab, "ucarp", "power")
    assert lab.done == ["power a", "plug a", "start a", "settle"]
    assert run.fault.outage_ms == 41.3 and run.fault.late_ms == 2.0
    assert run.fault.came_back and run.fault.steady and run.fault.served_by == "b"
    assert run.back is not None and run.back.two_holders_s == 0.123


def test_a_takeover_that_comes_late_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what it does for a second more; a master that goes on is watched for WATCHED_S."""
    late = FakeLab(monkeypatch, ["a"] * 30 + ["b"])
    play(late, "ucarp", "cut")
    assert 104.0 < late.undone_s < 104.5
    unmoved = FakeLab(monkeypatch, ["a"])
    assert play(unmoved, "ucarp", "cut").fault.steady
    assert 100 + playing.WATCHED_S < unmoved.undone_s < 100.5 + playing.WATCHED_S


def test_a_service_that_does_not_come_back_is_undone_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """And told apart from one that came back and still failed now and then."""
    away = play(FakeLab(monkeypatch, [None], steady=False), "ucarp", "kill")
    assert not away.fault.came_back and not away.fault.steady
    unsteady = play(FakeLab(monkeypatch, ["b"], steady=False), "ucarp", "kill")
    assert unsteady.fault.came_back and not unsteady.fault.steady


def test_two_holders_at_the_end_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long they have been there."""
    run = play(FakeLab(monkeypatch, ["b"]), "ucarp", "daemon-kill")
    assert run.fault.two_holders_stayed and run.back is not None and not run.back.two_holders_stayed


def test_a_host_without_power_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lab's kernel is the machine's own: it keeps what a real one would have lost."""
    run = play(FakeLab(monkeypatch, ["b"]), "ucarp", "power")
    assert (run.fault.two_holders_s, run.fault.two_holders_stayed) == (0.0, False)


def test_a_return_is_over_when_the_master_has_served_for_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address may be back long before: what fails until then is of the return, and not of the next fault."""
    returns = ["b"] * 20 + ["a"] * 5 + [None] + ["a"]
    lab = FakeLab(monkeypatch, ["b"], returns=returns)
    run = play(lab, "ucarp", "kill")
    assert run.back is not None and run.back.served_by == "a"
    assert lab.now > lab.undone_s + 0.1 * (len(returns) - 1) + STEADY_S


@pytest.mark.parametrize("runs", [2, 3, 7])
def test_few_runs_are_spread_over_the_interval_as_well_as_many(runs: int) -> None:
    """A fault just after a check and one just before the next are a second apart: three runs in a corner of it would
    be good or bad luck."""
    phases = sorted(playing.phase_s(number) for number in range(runs))
    ring = [*phases, phases[0] + 1]
    assert max(later - earlier for earlier, later in itertools.pairwise(ring)) < 1.5 / runs
    assert len(set(phases)) == runs


def test_what_recovers_by_itself_is_not_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours opens its sockets again; a plain mitmdump is replaced."""
    ours = FakeLab(monkeypatch, ["b"])
    assert play(ours, "wsa-proxy", "deafen").back is None and ours.done == ["deafen a", "settle"]
    theirs = FakeLab(monkeypatch, ["b"])
    play(theirs, "ucarp", "deafen")
    assert theirs.done == ["deafen-all a", "kill a", "start a", "settle"]


def test_a_run_survives_the_pipe() -> None:
    """As JSON, with and without what undid it."""
    for run in (a_run(), playing.Run("ucarp", "deafen", 1, a_run().fault, None)):
        assert playing.read_run(json.loads(json.dumps(run.document()))) == run


def test_each_product_has_its_lab() -> None:
    """Ours is the lab as it is, with the product's settings; only process tracking reaches out of it."""
    ours = playing.make_lab(PRODUCTS["wsa-proxy, 50 ms"], print, OUTSIDE, 0.05)
    assert type(ours) is Lab and ours._interval_s == 0.05 and "advertisement_interval: 0.05" in ours._files["a"].text
    peer = playing.make_lab(PRODUCTS["keepalived"], print, OUTSIDE, 0.05)
    assert isinstance(peer, PeerLab) and peer.topology.interface("a") == "eth0"
    reaching = playing.make_lab(PRODUCTS["keepalived, process tracking"], print, OUTSIDE, 0.05)
    assert reaching.topology.networks == {"a": OUTSIDE} and reaching.topology.interface("b") == "eth0"
