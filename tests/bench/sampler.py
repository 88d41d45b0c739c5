"""Where the processor's time of a Python process goes, by room: a look at its main thread for each 2 ms that it works
(4 or 10 where the kernel's clock ticks no faster).

A sample belongs to the innermost frame that is ours or mitmproxy's: what the standard library does for somebody is that
one's. Frames without either are the loop's. A look that comes while another thread works is the main thread's as well.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import Any

EACH_S = 0.002
PACKAGES = ("wsa_proxy", "mitmproxy")
LOOP = "asyncio"
BENCH = str(Path(__file__).parent)


class Sampler:
    """One in a process: ITIMER_PROF runs while the process works, and stands still while it waits."""

    def __init__(self) -> None:
        self.places: Counter[tuple[str, str]] = Counter()
        """Samples by room and function."""

    def begin(self) -> None:
        """From now on; what was seen before is forgotten. In the main thread."""
        self.places.clear()
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, EACH_S, EACH_S)

    def end(self) -> dict[str, Any]:
        """What has been seen, for ``profile.py``: rooms, and functions of ours, each with its number of samples."""
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        rooms: Counter[str] = Counter()
        for (room, _), count in self.places.items():
            rooms[room] += count
        ours = Counter({name: count for (room, name), count in self.places.items() if room.startswith("wsa_proxy")})
        return {"rooms": dict(rooms.most_common()), "ours": dict(ours.most_common())}

    def _look(self, _number: int, frame: FrameType | None) -> None:
        names = []
        while frame is not None:
            names.append((frame.f_code.co_filename, frame.f_code.co_qualname))
            frame = frame.f_back
        self.places[place(names)] += 1


def place(frames: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """Room and function of a stack, the innermost frame first, each with its file."""
    for file, function in frames:
        parts = Path(file).parts
        for package in PACKAGES:
            if package not in parts:
                continue
            inside = parts[len(parts) - parts[::-1].index(package) :]
            room = f"{package}.{inside[0].removesuffix('.py')}" if package == "wsa_proxy" else package
            return room, f"{'/'.join(inside)}:{function}"
        if file.startswith(BENCH):
            return "the bench", function
    return LOOP, ""
