"""What survives the process: the time of a sealed group, and the highest counter, for each of its keys.

A node that comes back knows then what it had heard before, so that nothing of it can be played to it again. Written
rarely (when the time of the group is first known or has moved, once an hour, on becoming master, at the end), and in a
thread that nobody waits for: a slow disk must not stop the loop. A lost file costs a first contact, nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path

from wsa_proxy.carp.seal import YEAR_2110_MS
from wsa_proxy.carp.seal import GroupTime
from wsa_proxy.carp.seal import Saved
from wsa_proxy.runtime import state_file

logger = logging.getLogger(__name__)

MOVED_MS = 100.0
"""A time of the group that has moved by more since the last writing is written again."""
EVERY_S = 3600.0
KEYS_MAX = 64
"""Of one group: a secret that comes back is no stranger, but who changes it for ever must not fill the file."""

type Submit = Callable[[Callable[[], None]], object]
"""Has a function carried out later, one after the other."""


class SealFile:
    """The file of one group. ``submit`` is a thread that writes, ``boot`` names the clock that the times are of."""

    def __init__(self, path: Path, boot: str, submit: Submit) -> None:
        self._path = path
        self._boot = boot
        self._submit = submit
        self._written = self._read()
        self._written_at_s: float | None = None
        self._times: dict[str, GroupTime] = {}
        self._failed = False

    def group_time(self, name: str, clock_ms: float, tolerance_ms: float) -> GroupTime:
        """What is known of the key with this name; from now on the file is about it, too.

        Asked for a key again, it is the same one: what this process has said and heard with it counts.
        """
        time = self._times.pop(name, None) or GroupTime(self._boot, self._written.get(name), clock_ms, tolerance_ms)
        time.tolerate(tolerance_ms)
        self._times[name] = time
        if len(self._times) > KEYS_MAX:
            del self._times[next(iter(self._times))]  # the one that nobody has asked for the longest
        return time

    def look(self, now_s: float) -> None:
        """Write if it is time to; cheap, for every packet."""
        if self._written_at_s is not None and now_s >= self._written_at_s + EVERY_S:
            self.write(now_s)
            return
        for name, time in self._times.items():
            if self._has_moved(name, time):
                self.write(now_s)
                return

    def write(self, now_s: float) -> None:
        """Have the present state written."""
        known = {name: time.saved for name, time in self._times.items() if time.line_ms is not None}
        if not known:
            return
        # A secret that this life does not use may come back in the next one, and what was captured with it.
        others = [(name, saved) for name, saved in self._written.items() if name not in known]
        kept = dict(others[max(0, len(others) + len(known) - KEYS_MAX) :]) | known
        self._written, self._written_at_s = kept, now_s
        self._submit(lambda: self._store(kept))

    def _has_moved(self, name: str, time: GroupTime) -> bool:
        if time.line_ms is None:
            return False
        written = self._written.get(name)
        if written is None or written.line_ms is None or written.boot_id != self._boot:
            return True
        return abs(time.line_ms - written.line_ms) > MOVED_MS

    def _store(self, known: Mapping[str, Saved]) -> None:
        """Runs in the writing thread."""
        keys = {
            name: {"boot": saved.boot_id, "line_ms": saved.line_ms, "top": saved.top} for name, saved in known.items()
        }
        try:
            state_file.store(self._path, {"keys": keys})
        except OSError as error:
            if not self._failed:
                logger.warning("%s cannot be written: %s; a restarted node must be met anew", self._path, error)
            self._failed = True
        else:
            self._failed = False

    def _read(self) -> dict[str, Saved]:
        try:
            return {str(name): _saved(entry) for name, entry in state_file.load(self._path)["keys"].items()}
        except FileNotFoundError:
            pass
        except OSError as error:
            logger.warning("%s cannot be read: %s; this node starts without the group's time", self._path, error)
        except (ValueError, TypeError, KeyError, AttributeError):
            logger.warning("%s is damaged; this node starts without the group's time", self._path)
        return {}


def _saved(entry: Mapping[str, object]) -> Saved:
    """Raises ValueError, TypeError or KeyError when it is none."""
    boot, line_ms, top = entry["boot"], entry["line_ms"], entry["top"]
    if not isinstance(boot, str) or not isinstance(line_ms, int | float) or not isinstance(top, int):
        raise TypeError("not what was written")
    if not 0 <= top < 1 << 64 or not abs(line_ms) <= YEAR_2110_MS:
        raise ValueError("no time that a counter can say")
    return Saved(boot, float(line_ms), top)
