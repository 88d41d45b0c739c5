"""``make mutants``: every planted bug, a campaign with each, and the table of docs/mutants.md.

Exit status 1 when a bug is not caught by an invariant that names it, or when the table in the docs says otherwise.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.simulation import planted
from tests.simulation import planted_calm
from tests.simulation import planted_carrying
from tests.simulation import planted_guardians
from tests.simulation import planted_lines
from tests.simulation import planted_moves
from tests.simulation import planted_reports
from tests.simulation import planted_seals
from tests.simulation import planted_sending
from wsa_proxy.simulation.carrying_run import play_carrying
from wsa_proxy.simulation.run import play
from wsa_proxy.simulation.run import play_moving
from wsa_proxy.simulation.run import play_reporting

STANDING = (
    planted.PLANTED
    + planted_seals.PLANTED
    + planted_lines.PLANTED
    + planted_sending.PLANTED
    + planted_guardians.PLANTED
    + planted_calm.PLANTED
)
MOVING = STANDING + planted_moves.PLANTED
REPORTING = MOVING + planted_reports.PLANTED
PLANTED = REPORTING + planted_carrying.PLANTED
SEEDS = 60
SEEDS_REPORTING = 40  # such a run takes half as long again, and most of these bugs show in many of them
SEEDS_CARRYING = 20  # and such a one takes several times as long
SEEDS_MAX = 12_000  # for a bug that few seeds show
DOCS = Path(__file__).resolve().parents[2] / "docs" / "mutants.md"
HEAD = f"""# Planted bugs

Each is planted into the real core, the seal, what sends, the guardian, the members or the model of a process
(`tests/simulation/planted*.py`); then {SEEDS} seeds run, or as many as the first failure needs. Written by `make
mutants`, which fails if a bug is not caught by one of the invariants that name it, or if this table is not what it
found.
The last {len(planted_carrying.PLANTED)} are looked for in groups that have clients (`--carrying`), in
{SEEDS_CARRYING} seeds or more; the {len(planted_reports.PLANTED)} before them in groups whose nodes send member reports
(`--reporting`), in {SEEDS_REPORTING}; the {len(planted_moves.PLANTED)} before those in groups that change their secret
or security (`--moving`).

| planted bug | seeds that fail | by (first failing seed) |
| --- | --- | --- |
"""


def campaign(number: int) -> tuple[int, int, Counter[str], dict[str, int]]:
    """(the bug's number, how many seeds ran, how many failed by invariant, the first seed of each)."""
    plant, invariants = PLANTED[number]
    run, seeds = play, SEEDS
    if number >= len(REPORTING):
        run, seeds = play_carrying, SEEDS_CARRYING
    elif number >= len(MOVING):
        run, seeds = play_reporting, SEEDS_REPORTING
    elif number >= len(STANDING):
        run = play_moving
    failed: Counter[str] = Counter()
    first: dict[str, int] = {}
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        seed = 0
        while seed < seeds or (seed < SEEDS_MAX and not invariants & set(failed)):
            if invariant := run(seed).invariant:
                failed[invariant] += 1
                first.setdefault(invariant, seed)
            seed += 1
    return number, seed, failed, first


def name_of(plant: planted.Plant) -> str:
    """As in the table."""
    return plant.__name__.removeprefix("plant_").replace("_", " ")


@functools.cache
def _table() -> dict[str, str]:
    rows = [line.strip("| ").split(" | ") for line in DOCS.read_text().splitlines() if line.startswith("| ")]
    return {row[0]: row[2] for row in rows if len(row) == 3}


def shown_by(plant: planted.Plant) -> dict[str, int]:
    """The first seed by each invariant that has caught it, as the table has it; empty if it does not know the bug."""
    caught = re.findall(r"(\w+) \((\d+)\)", _table().get(name_of(plant), ""))
    return {invariant: int(seed) for invariant, seed in caught}


def main() -> int:
    """Run all campaigns."""
    lines, escaped = [], []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for number, seeds, failed, first in pool.map(campaign, range(len(PLANTED))):
            plant, invariants = PLANTED[number]
            name = name_of(plant)
            caught = ", ".join(f"{invariant} ({first[invariant]})" for invariant in sorted(failed))
            lines.append(f"| {name} | {failed.total()} of {seeds} | {caught} |")
            print(lines[-1], flush=True)
            if not invariants & set(failed):
                escaped.append(name)
    text = HEAD + "\n".join(lines) + "\n"
    known = DOCS.read_text() if DOCS.exists() else ""
    DOCS.write_text(text)
    for name in escaped:
        print(f"mutants: NOT caught: {name}")
    if text != known:
        print(f"mutants: {DOCS.name} was written anew; read the difference, then keep it")
    print(f"mutants: {len(PLANTED) - len(escaped)} of {len(PLANTED)} bugs caught")
    return 1 if escaped or text != known else 0


if __name__ == "__main__":
    sys.exit(main())
