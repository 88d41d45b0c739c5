"""The machine under a node: its clock stands still while the machine is paused, and is behind for ever after."""

from __future__ import annotations

from collections.abc import Callable

from wsa_proxy.simulation.lan import Lan

CLOCK_ROUNDING_S = 1e-9


class Machine:
    """One machine with a port on the LAN, ``number``."""

    def __init__(self, number: int, lan: Lan) -> None:
        self.number = number
        self._lan = lan
        self._behind_s = 0.0
        self._paused_at_s: float | None = None

    @property
    def now(self) -> float:
        """Its own clock, seconds."""
        return self._paused_at_s if self._paused_at_s is not None else self._lan.timeline.now - self._behind_s

    @property
    def paused(self) -> bool:
        """Does its clock stand still?"""
        return self._paused_at_s is not None

    def _stop_clock(self) -> None:
        self._paused_at_s = self.now

    def _resume_clock(self) -> None:
        if self._paused_at_s is not None:
            self._behind_s = self._lan.timeline.now - self._paused_at_s
            self._paused_at_s = None

    def _on_the_lan_s(self, when_s: float) -> float:
        """A time of its own clock, on the LAN's; a rounding late, for what comes early rings again."""
        return when_s + self._behind_s + (CLOCK_ROUNDING_S if self._behind_s else 0.0)

    def after(self, wait_s: float, what: Callable[[], None]) -> None:
        """In so many seconds of the LAN's clock."""
        self._at(self._lan.timeline.now + wait_s, what)

    def at_own(self, when_s: float, what: Callable[[], None]) -> None:
        """At a time of its own clock; too early where it is paused meanwhile."""
        self._at(self._on_the_lan_s(when_s), what)

    def lan_now(self) -> float:
        """The LAN's clock, seconds."""
        return self._lan.timeline.now

    def _at(self, when_s: float, what: Callable[[], None]) -> int:
        """Put on what happens to this node, on the LAN's clock."""
        return self._lan.timeline.at(when_s, what, self.number)
