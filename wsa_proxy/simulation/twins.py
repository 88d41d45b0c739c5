"""What must make no difference: the run is played once more without it, and every station must do the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from wsa_proxy.simulation.plan import Fault
from wsa_proxy.simulation.plan import Plan
from wsa_proxy.simulation.sealed import STEPPED_TOO_EARLY

BYSTANDERS = "the other virtual host"
WALL_STEPS = "the steps of the wall clocks"


def twins(plan: Plan, marks: Counter[str]) -> Iterator[tuple[str, str, Plan]]:
    """Of each: the invariant, what is missing, and the plan without it. ``marks`` are of the run of the plan itself."""
    if marks["queue full"]:
        return  # of a process that stands still; all groups of an interface share it
    faults = {mishap.fault for mishap in plan.mishaps}
    # I8: groups do not touch each other. (A hostile host repeats whatever it sees, so it would do other things. And the
    # more traffic, the better a process that stood still knows when its socket was last empty, and what is old in it.)
    clogged = plan.sealed and Fault.CLOG in faults
    if plan.bystanders and not plan.hostile and not clogged:
        yield "I8", BYSTANDERS, replace(plan, bystanders=())
    # I10: steps of the wall clock change nothing. (A wall clock is looked at until its node has spoken or has heard who
    # has, and when the machine may have lost its memory of that. Nor need it be left out where nobody reads one.)
    if plan.sealed and Fault.WALL_STEP in faults and Fault.POWER not in faults and not marks[STEPPED_TOO_EARLY]:
        kept = tuple(mishap for mishap in plan.mishaps if mishap.fault is not Fault.WALL_STEP)
        yield "I10", WALL_STEPS, replace(plan, mishaps=kept)
