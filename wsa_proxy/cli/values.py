"""Numbers and times on the command line. What is wrong with one is said in the words of the operator."""

from __future__ import annotations

import math
import re
from argparse import ArgumentTypeError

EVENTS_MAX = 1_000_000  # more than a node keeps
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
LISTENING_S_MAX = 3600
OBJECTIVE_MS_MAX = 60_000


def duration_s(text: str) -> float:
    """``90s``, ``30m``, ``2h``, ``7d`` in seconds. Raises ArgumentTypeError."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if found is None or int(found[1]) == 0:
        raise ArgumentTypeError(f"{text}: give a whole number and s, m, h or d, such as 90s, 30m, 2h or 7d")
    return float(int(found[1]) * UNITS_S[found[2]])


def number(text: str) -> int:
    """A whole number from 1 on. Raises ArgumentTypeError."""
    if not re.fullmatch(r"\d{1,7}", text, re.ASCII) or not 1 <= int(text) <= EVENTS_MAX:
        raise ArgumentTypeError(f"{text}: give a whole number from 1 to {EVENTS_MAX}")
    return int(text)


def seconds(text: str) -> float:
    """More than nothing, and an hour at most. Raises ArgumentTypeError."""
    value = _number_of(text)
    if not 0 < value <= LISTENING_S_MAX:
        raise ArgumentTypeError(f"{text}: give seconds, more than 0 and {LISTENING_S_MAX} at most")
    return value


def milliseconds(text: str) -> str:
    """``200ms``, ``0.5s``, ``2s``, as the node wants it. Raises ArgumentTypeError."""
    digits, unit_ms = (text[:-2], 1) if text.endswith("ms") else (text.removesuffix("s"), 1000)
    value_ms = _number_of(digits) * unit_ms
    if not text.endswith("s") or not 1 <= value_ms <= OBJECTIVE_MS_MAX:
        raise ArgumentTypeError(f"{text}: give a time from 1ms to 60s, such as 200ms, 0.5s or 2s")
    return str(round(value_ms))


def _number_of(text: str) -> float:
    """Not a number where it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
