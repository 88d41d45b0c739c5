"""What must make no difference: the run is played once more without it, and every station must do the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from wsa_proxy.simulation.plan import HOPELESS_ADVBASE
from wsa_proxy.simulation.plan import Fault
from wsa_proxy.simulation.plan import Mishap
from wsa_proxy.simulation.plan import Plan

BYSTANDERS = "the other virtual host"
WALL_STEPS = "the steps of the wall clocks"
GROUP_TIME_KNOWN_S = 20.0
"""Until then every node has spoken, or has heard who has: a wall clock is looked at before, and never again."""


def twins(plan: Plan) -> Iterator[tuple[str, str, Plan]]:
    """Of each: the invariant, what is missing, and the plan without it."""
    # I8: groups do not touch each other. (A hostile host repeats whatever it sees, so it would do other things. And the
    # more traffic, the better a process that stood still knows when its socket was last empty, and what is old in it.)
    clogged = plan.sealed and any(mishap.fault is Fault.CLOG for mishap in plan.mishaps)
    if plan.bystanders and not plan.hostile and not clogged:
        yield "I8", BYSTANDERS, replace(plan, bystanders=())
    # I10: steps of the wall clock change nothing. (Nor need they be left out where nobody reads one, a machine may
    # have lost its memory of the time of the group, or nobody may have spoken yet.)
    steps = tuple(mishap for mishap in plan.mishaps if _is_late_step(mishap))
    forgetful = any(mishap.fault is Fault.POWER for mishap in plan.mishaps)
    late = any(mishap.fault is Fault.SQUATTER for mishap in plan.mishaps) or any(
        member.settings.advbase == HOPELESS_ADVBASE for member in plan.members
    )
    if plan.sealed and steps and not forgetful and not late:
        yield "I10", WALL_STEPS, replace(plan, mishaps=tuple(each for each in plan.mishaps if each not in steps))


def _is_late_step(mishap: Mishap) -> bool:
    return mishap.fault is Fault.WALL_STEP and mishap.at_s >= GROUP_TIME_KNOWN_S
