"""The faults that leave a process alive, and the power cut, each once; see scenarios.py for how this is run."""

from __future__ import annotations

from typing import Any

from tests.bench.repeated_fault import MASTER
from tests.bench.repeated_fault import once
from tests.lab.scenarios import seen
from tests.lab.scenarios import start

AILMENTS = {
    "block": ["unblock"],
    "starve": ["feed"],
    "mute": ["unmute"],
    "ignore": ["attend"],
    "power": ["plug", "start"],
}
"""What undoes each of them."""


def ailments() -> dict[str, Any]:
    """Each befalls the master, until the other one serves; undone, the master takes over again."""
    lab = start()
    runs = {
        fault: once(lab, {"fault": fault, "node": MASTER, "undo": undo}, number)
        for number, (fault, undo) in enumerate(AILMENTS.items())
    }
    return seen(lab, runs=runs)
