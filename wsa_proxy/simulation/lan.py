"""Virtual time and a LAN: links that lose, delay, double and cut, and a switch that believes the last announcement."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from wsa_proxy.carp.wire import Version

SWITCH = -1
"""The port of the clients: what arrives there decides whom they talk to."""


class Timeline:
    """What happens when. Things due at the same time happen in the order in which they were asked for."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = itertools.count()

    def at(self, when_s: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (max(when_s, self.now), next(self._sequence), what))

    def run(self, until_s: float, after_each: Callable[[], None]) -> None:
        """Everything up to and including ``until_s``; ``after_each`` looks at the world after each thing."""
        while self._heap and self._heap[0][0] <= until_s:
            self.now, _, what = heapq.heappop(self._heap)
            what()
            after_each()
        self.now = until_s
        after_each()


@dataclass(frozen=True, slots=True)
class Advertised:
    """An advertisement's frame: 36 bytes in an IP version."""

    version: Version
    payload: bytes
    ttl: int = 255


@dataclass(frozen=True, slots=True)
class Announced:
    """A gratuitous ARP or an unsolicited neighbour advertisement."""


type Frame = Advertised | Announced


@dataclass(slots=True)
class Weather:
    """What the LAN does to frames; shares of 1 and seconds."""

    loss: float = 0.0
    delay_s_min: float = 0.0001
    delay_s_max: float = 0.001
    duplicates: float = 0.0
    reflection: float = 0.0
    """The share of frames that a switch sends back to their sender."""


class Lan:
    """Carries frames between ports. A frame with a shorter delay overtakes one with a longer."""

    def __init__(self, timeline: Timeline, random: Random, weather: Weather) -> None:
        self.timeline = timeline
        self.weather = weather
        self.cuts: set[tuple[int, int]] = set()
        """(from, to): nothing gets through in this direction."""
        self.clogged_until_s: dict[tuple[int, int], float] = {}
        """(from, to): what is sent before is held back until then."""
        self.lost: Counter[tuple[int, int]] = Counter()
        """Advertisements that chance took, by (from, to)."""
        self.believed: int | None = None
        """Whom the switch and the clients' ARP tables take for the owner of the addresses."""
        self._random = random
        self._ports: dict[int, Callable[[Frame, int], None]] = {SWITCH: self._learn}

    def attach(self, port: int, receive: Callable[[Frame, int], None]) -> None:
        self._ports[port] = receive

    def hears(self, receiver: int, sender: int) -> bool:
        """May a frame get from ``sender`` to ``receiver`` now?"""
        path = (sender, receiver)
        return path not in self.cuts and self.clogged_until_s.get(path, 0.0) <= self.timeline.now

    def send(self, sender: int, frame: Frame) -> None:
        for receiver in self._ports:
            if receiver != sender:
                self._carry(sender, receiver, frame)
            elif self._random.random() < self.weather.reflection:
                self._deliver_later(sender, receiver, frame)

    def _carry(self, sender: int, receiver: int, frame: Frame) -> None:
        if (sender, receiver) in self.cuts:
            return
        if self._random.random() < self.weather.loss:
            self.lost[sender, receiver] += isinstance(frame, Advertised)
            return
        self._deliver_later(sender, receiver, frame)
        if self._random.random() < self.weather.duplicates:
            self._deliver_later(sender, receiver, frame)

    def _deliver_later(self, sender: int, receiver: int, frame: Frame) -> None:
        sent_s = max(self.timeline.now, self.clogged_until_s.get((sender, receiver), 0.0))
        delay_s = self._random.uniform(self.weather.delay_s_min, self.weather.delay_s_max)
        self.timeline.at(sent_s + delay_s, lambda: self._ports[receiver](frame, sender))

    def _learn(self, frame: Frame, sender: int) -> None:
        if isinstance(frame, Announced):
            self.believed = sender
