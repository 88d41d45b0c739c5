"""``wsa-proxy simulate``: a campaign of seeds, or one seed as a story."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from functools import partial

from wsa_proxy.simulation.carrying_run import play_carrying
from wsa_proxy.simulation.clientele import Journey
from wsa_proxy.simulation.filters import Filter
from wsa_proxy.simulation.filters import LastDrill
from wsa_proxy.simulation.plan import Drill
from wsa_proxy.simulation.run import Outcome
from wsa_proxy.simulation.run import play
from wsa_proxy.simulation.run import play_moving
from wsa_proxy.simulation.run import play_reporting
from wsa_proxy.simulation.twins import BYSTANDERS
from wsa_proxy.simulation.twins import WALL_STEPS

MARKS = (
    "two masters",
    "bow-out heard",
    "master_silent",
    "master_bowed_out",
    "master_hopeless",
    "master_demoted",
    "preempted_inferior_master",
    "better_advertisement_received",
    "equal_advertisement_received",
    "overslept",
    "a backup overslept",
    "woke, and the timer came before the frames",
    "woke, and the frames came before the timer",
    "a lease ended while its process stood still",
    "the kernel refused",
    "a slow call was looked at again",
    "other settings",
    "asked who has the addresses",
    "address_answered_by_another_host",
    "queue full",
    "the host refused to send",
    "demoted by its host",
    "left, for it could tell nobody",
    "no way to a peer",
    "left a master that it could not reach",
    "fenced, and bowed out",
    "fenced in silence",
    "fenced",
    "bowed out by its guardian",
    "a guardian was replaced",
    "left for want of the addresses",
    "an inferior was answered",
    "a better backup waits",
    "a better backup waits longer",
    "link down",
    "stall",
    "pause",
    "FreeBSD",
    "OpenBSD",
    "ucarp",
    "forged, and believed by plain CARP",
    "an advertisement from the virtual MAC",
    "farewell",
    "intent",
    "a farewell was heard",
    "first_contact",
    "replay",
    "rewritten",
    "stale",
    "echo",
    "duplicate",
    "a forged copy came first",
    *(f"forged, and {why}" for why in ("replay", "rewritten", "stale", "bad_secret", "other_vhid", "other_family")),
    *(f"forged, and {why}" for why in ("short", "bad_ttl", "bad_checksum", "bad_version", "vrrp", "echo", "duplicate")),
    *(f"drill: {drill.value}" for drill in Drill),
    f"compared without {BYSTANDERS}",
    f"compared without {WALL_STEPS}",
)
"""What a campaign must have seen at least once, or it has tested less than it says ("sometimes" assertions)."""
MARKS_MOVING = (
    "a rotation was completed",
    "a migration was completed",
    "a return was completed",
    "a step was a restart",
    "a group was moved in the quiet",
    "a mixed group settled",
    "a takeover in a mixed group",
    "believed under another secret than its own",
    "refused under a secret that is gone",
)
"""The same, of the groups that change their secret or their way to sign."""
MARKS_REPORTING = (
    "a silence was none",
    "a master was answered by another",
    "a master asked another one",
    "an owner answered",
    "a report was a farewell",
    "a replayed report came first",
    "learned",
    *(f"report: {why}" for why in ("contact", "replay", "echo", "bad_secret")),
    *(f"drawn: {each.value}" for each in Filter),
    *(f"last drill: {each.value}" for each in LastDrill),
)
"""The same, of the groups whose nodes send member reports."""
MARKS_CARRYING = (
    "a segment was steered",
    "a client was reset",
    "a client was closed",
    "a client was tickled",
    *(f"journey: {each.value}" for each in Journey),
)
"""The same, of the groups that have clients."""
SEEDS = 2000
MARKED_SEEDS_MIN = 200  # fewer seeds may miss one by chance
MARKED_MOVING_MIN = 60
MOVING_EVERY = 25  # seeds: so many of them are played once more, with a group that is moved,
REPORTING_EVERY = 25  # so many with member reports,
CARRYING_EVERY = 50  # and so many with clients as well
MARKED_REPORTING_MIN = 70
MARKED_CARRYING_MIN = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.description = (
        "The real protocol core on a simulated LAN in virtual time: faults first, then quiet, then one drill."
        " A seed decides everything."
    )
    parser.add_argument("--seeds", type=int, metavar="N", help=f"how many runs (default {SEEDS})")
    parser.add_argument("--first-seed", type=int, metavar="K", help="the first seed (default 0)")
    parser.add_argument(
        "--nodes", type=int, metavar="M", help="number of nodes, 2 to 5 (default: each seed has its own)"
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="J", help="processes (default: all cores)"
    )
    parser.add_argument(
        "--moving",
        action="store_true",
        help=f"only runs with a group that changes its secret or security; else one for each {MOVING_EVERY} seeds",
    )
    parser.add_argument(
        "--reporting",
        action="store_true",
        help=f"only runs with member reports, and filters of them; else one for each {REPORTING_EVERY} seeds",
    )
    parser.add_argument(
        "--carrying",
        action="store_true",
        help=f"only runs with clients, whose connections are carried over; else one for each {CARRYING_EVERY} seeds",
    )
    parser.add_argument("--seed", type=int, metavar="S", help="one run only")
    parser.add_argument("--trace", action="store_true", help="print that run as a story")


def main(arguments: argparse.Namespace) -> int:
    """Run the campaign; answers the exit status."""
    if problem := _problem(arguments):
        print(f"wsa-proxy simulate: {problem}", file=sys.stderr)
        return 2
    arguments.seeds = SEEDS if arguments.seeds is None else arguments.seeds
    arguments.first_seed = arguments.first_seed or 0
    if arguments.seed is not None:
        tell = print if arguments.trace else None
        outcome = _PLAYS[_kind(arguments)](arguments.seed, arguments.nodes, tell)
        failed = outcome.violation is not None
        print(_failure(outcome, arguments) if failed else f"seed {outcome.seed}: every promise was kept")
        return 1 if failed else 0
    return _campaign(arguments)


def _problem(arguments: argparse.Namespace) -> str | None:
    if arguments.trace and arguments.seed is None:
        return "--trace prints one run; say which: --seed S"
    if arguments.seed is not None and (arguments.seeds is not None or arguments.first_seed is not None):
        return f"--seed {arguments.seed} is one run only; --seeds and --first-seed are of a campaign"
    if sum((arguments.moving, arguments.reporting, arguments.carrying)) > 1:
        return "--moving, --reporting, --carrying: a run is one of them"
    if arguments.nodes is not None and not 2 <= arguments.nodes <= 5:
        return f"--nodes {arguments.nodes}: 2 to 5 nodes"
    if arguments.seeds is not None and arguments.seeds < 1:
        return f"--seeds {arguments.seeds}: at least one"
    if arguments.jobs < 1:
        return f"--jobs {arguments.jobs}: at least one"
    return None


def _campaign(arguments: argparse.Namespace) -> int:
    from concurrent.futures import ProcessPoolExecutor

    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    marks: Counter[str] = Counter()
    runs = _runs(arguments, seeds)
    with ProcessPoolExecutor(arguments.jobs) as pool:
        outcomes = pool.map(partial(_play, nodes=arguments.nodes), runs, chunksize=20)
        told = track(outcomes, "simulating", len(runs), console=console, transient=True)
        for (_, kind), outcome in zip(runs, told, strict=True):
            marks += outcome.marks
            if outcome.violation:
                pool.shutdown(wait=False, cancel_futures=True)
                print(_failure(outcome, arguments, kind))
                return 1
    played = Counter(kind for _, kind in runs)
    expected = [mark for kind, least, marked in MARKED for mark in (marked if played[kind] >= least else ())]
    unseen = [mark for mark in expected if not marks[mark]]
    print(f"{len(seeds)} seeds from {arguments.first_seed}: every promise was kept")
    seen = dict.fromkeys(mark for _, _, marked in MARKED for mark in marked if marks[mark])
    print("seen: " + ", ".join(f"{mark} {marks[mark]}" for mark in seen))
    if unseen:
        print(f"never seen, so not tested: {', '.join(unseen)}")
    return 1 if unseen else 0


def _runs(arguments: argparse.Namespace, seeds: range) -> list[tuple[int, str]]:
    """The seed and the kind of each; the rarer kinds first."""
    if kind := _kind(arguments):
        return [(seed, kind) for seed in seeds]
    moving = [(seed, MOVING) for seed in seeds if seed % MOVING_EVERY == 0]
    reporting = [(seed, REPORTING) for seed in seeds if seed % REPORTING_EVERY == 0]
    carrying = [(seed, CARRYING) for seed in seeds if seed % CARRYING_EVERY == 0]
    return [*moving, *reporting, *carrying, *((seed, "") for seed in seeds)]


def _kind(arguments: argparse.Namespace) -> str:
    chosen = ((MOVING, arguments.moving), (REPORTING, arguments.reporting), (CARRYING, arguments.carrying))
    return next((kind for kind, is_chosen in chosen if is_chosen), "")


def _play(run: tuple[int, str], nodes: int | None) -> Outcome:
    seed, kind = run
    return _PLAYS[kind](seed, nodes)


MOVING, REPORTING, CARRYING = "--moving", "--reporting", "--carrying"
"""The kinds of runs, by their option; the usual ones have none."""
_PLAYS = {"": play, MOVING: play_moving, REPORTING: play_reporting, CARRYING: play_carrying}
MARKED = (
    ("", MARKED_SEEDS_MIN, MARKS),
    (MOVING, MARKED_MOVING_MIN, MARKS_MOVING),
    (REPORTING, MARKED_REPORTING_MIN, MARKS_REPORTING),
    (CARRYING, MARKED_CARRYING_MIN, MARKS_CARRYING),
)
"""Of each kind: with so many runs, what must have been seen."""


def _failure(outcome: Outcome, arguments: argparse.Namespace, kind: str = "") -> str:
    chosen = f" --nodes {arguments.nodes}" if arguments.nodes else ""
    if kind := kind or _kind(arguments):
        chosen += f" {kind}"
    return "\n".join(
        [
            *outcome.story,
            f"seed {outcome.seed} broke {outcome.violation}",
            f"at {outcome.at_s:.4f} s of virtual time; again: wsa-proxy simulate --seed {outcome.seed}{chosen} --trace",
        ]
    )
