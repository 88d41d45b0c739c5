"""One fault of the master, done and undone, and what the client saw of it. Only inside the namespaces of the lab."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import Any

from wsa_proxy.bench.peer_files import MASTER
from wsa_proxy.bench.peer_lab import PEER_FAULTS
from wsa_proxy.bench.peer_lab import PeerLab
from wsa_proxy.bench.peer_lab import held_text
from wsa_proxy.bench.products import Product
from wsa_proxy.bench.trials import Step
from wsa_proxy.bench.trials import Trial
from wsa_proxy.lab.lab import STEADY_S
from wsa_proxy.lab.lab import Lab
from wsa_proxy.lab.lab import NotBack
from wsa_proxy.lab.report import Row

PATIENCE_S = 10.0
"""For the service to come back by itself: more than twice the slowest takeover that any of the products promises."""
WATCHED_S = 6.0
"""A service that goes on where it was is watched for so long: what a fault does may come late, after the patience of a
standby (three intervals and more)."""
RETURN_S = 90.0
"""For the master to be back: more than the longest time for which ours is kept waiting (preempt_delay_max)."""
PHASES = 7
"""Runs begin at so many different moments of the advertisement interval."""
PHASE_STEP = 3
"""Of them; the first two or three runs are far from each other, too."""


@dataclass(frozen=True, slots=True)
class Part:
    """What the client saw of a fault, or of what undid it, until the next step."""

    outage_ms: float
    """The longest gap between two successes."""
    came_back: bool
    """False: no success followed before it was undone, and ``outage_ms`` is for how long that was waited for."""
    steady: bool
    """False: some requests still failed after PATIENCE_S."""
    failed: int
    two_holders_s: float
    two_holders_stayed: bool
    """There still were two when it was no longer watched."""
    late_ms: float
    """The latest start of a request: how far the machine blurs what was measured."""
    served_by: str | None


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a trial."""

    product: str
    trial: str
    number: int
    fault: Part
    back: Part | None
    """Of what undid it; None where nothing had to."""

    def document(self) -> dict[str, Any]:
        """For JSON; ``read_run`` is the way back."""
        return asdict(self)


def read_run(document: dict[str, Any]) -> Run:
    """What ``Run.document`` has made."""
    parts = {name: Part(**document[name]) if document[name] else None for name in ("fault", "back")}
    return Run(**(document | parts))


def make_lab(product: Product, say: Callable[[str], None], outside: Path, interval_s: float) -> Lab:
    """The product's, not yet entered. ``outside``: the network namespace around the lab's, for a product that cannot
    live in one of the lab's."""
    if product.is_peer:
        network = outside if product.hears_of_processes else None
        return PeerLab(product, interval_s=interval_s, say=say, network_of_master=network)
    return Lab(overrides=product.overrides, interval_s=interval_s, say=say)


def ready(lab: Lab) -> None:
    """The master serves a client. Raises NotBack."""
    lab.settle(RETURN_S)
    lab.start_client()
    lab.wait_service(RETURN_S)


def play(lab: Lab, product: Product, trial: Trial, number: int) -> Run:
    """One run. Raises NotBack when the master does not return, NodeFault when a fault is impossible."""
    time.sleep(phase_s(number))
    _apply(lab, trial.fault_of(peer=product.is_peer))
    fault = _part(lab, steady=_wait_served(lab))
    if not trial.holds_on:
        fault = replace(fault, two_holders_s=0.0, two_holders_stayed=False)
    undo = trial.undo_of(peer=product.is_peer)
    for step in undo:
        _apply(lab, step)
    _wait_master(lab)
    lab.settle(RETURN_S)
    lab.wait_service(RETURN_S)
    return Run(product.name, trial.name, number, fault, _part(lab, steady=True) if undo else None)


def phase_s(number: int) -> float:
    """How long a run waits before it begins: part of a second, another one for each."""
    return number * PHASE_STEP % PHASES / PHASES


def _apply(lab: Lab, step: Step) -> None:
    word, *targets = step
    lab.apply(PEER_FAULTS[word], *targets)


def _wait_served(lab: Lab) -> bool:
    """Wait until another node has served for a second, or the master has gone on for WATCHED_S, and requests succeed;
    tell whether it came to that."""
    began_s = time.monotonic()
    moved_s: list[float] = []

    def missing() -> str | None:
        """What a fault does may come late; and what it does, not all at once."""
        now = time.monotonic()
        row = lab.last_row()
        if not moved_s and row is not None and row.served_after not in (MASTER, None):
            moved_s.append(now)
        if moved_s:
            return None if now - moved_s[0] > STEADY_S else "another node has just begun to serve"
        return None if now - began_s > WATCHED_S else "the master serves as before"

    try:
        lab.wait_service(PATIENCE_S)
        lab.wait_for("what comes of it", missing, WATCHED_S + 2 * STEADY_S)
        lab.wait_service(max(PATIENCE_S - (time.monotonic() - began_s), 2 * STEADY_S))
    except NotBack:
        return False
    return True


def _wait_master(lab: Lab) -> None:
    """Wait until the master alone has the virtual IP and has served for a second: what its return does to the clients
    belongs to the return, and not to the next fault. Raises NotBack."""
    since_s: list[float] = []

    def missing() -> str | None:
        """A node that is not trusted yet, or has to wait, is settled as a backup, too."""
        holders, row = lab.holder_log.holders(), lab.last_row()
        if holders != {MASTER} or row is None or row.served_after != MASTER:
            since_s.clear()
            return held_text(holders)
        now = time.monotonic()
        since_s.append(now)
        return None if now - since_s[0] > STEADY_S else "the master has just begun to serve"

    lab.wait_for("the master to be back", missing, RETURN_S)


def _part(lab: Lab, *, steady: bool) -> Part:
    """Of the last step so far."""
    row = lab.last_row()
    assert row is not None
    return part_of(row, steady=steady, holders=len(lab.holder_log.holders()))


def part_of(row: Row, *, steady: bool, holders: int) -> Part:
    """A row of the lab with what the lab does not tell: what it was like at the end."""
    return Part(
        outage_ms=round(row.outage_ms, 1),
        came_back=row.closed,
        steady=steady,
        failed=row.failed,
        two_holders_s=round(row.two_holders_s, 3),
        two_holders_stayed=holders > 1,
        late_ms=round(row.late_ms, 1),
        served_by=row.served_after,
    )
