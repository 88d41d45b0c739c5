"""What carries member reports on the simulated LAN, beside the frames, and the host that keeps copies of them.

A report goes wherever a frame may go, unless it is stopped on its own way: the filters of advertisements and those of
reports are two. The hostile host sees every report and can read none (the product encrypts them). It may be faster
than the network, late, or hold back what it has seen; what it makes itself does not authenticate.
"""

from __future__ import annotations

from collections import Counter
from collections import deque
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from functools import partial
from random import Random

from wsa_proxy.members.report import Report
from wsa_proxy.simulation.lan import Lan

STOLEN_MAX = 200
HELD_MAX = 30


@dataclass(frozen=True, slots=True)
class Letter:
    """One report under way. ``forged``: made by a hostile host, so that it does not authenticate."""

    report: Report
    sender: int
    again: bool = False
    """Sent by the hostile host; only the judges read this."""
    forged: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page of a list of clients under way, packed; the rest as with a letter."""

    page: bytes
    sender: int
    again: bool = False
    forged: bool = False


type Sent = Letter | Sheet


class Post:
    """Of one LAN. ``random`` is its own source of chance."""

    def __init__(self, lan: Lan, random: Random) -> None:
        self.loss = 0.0
        """Beside the weather's."""
        self.delay_s_max = 0.0
        """Likewise."""
        self.stopped: set[tuple[int, int]] = set()
        """(from, to): no report gets through."""
        self.disturbed_at_s: dict[tuple[int, int], float] = {}
        """(from, to): when a report was lost or stopped last, on the LAN's clock."""
        self.stolen: deque[Sent] = deque(maxlen=STOLEN_MAX)
        self.held: deque[tuple[int, Sent]] = deque(maxlen=HELD_MAX)
        """(to, what)."""
        self.held_from: int | None = None
        """The hostile host holds back what this one sends."""
        self.sent: Counter[int] = Counter()
        self._lan = lan
        self._random = random
        self._receivers: dict[int, Callable[[Sent], None]] = {}

    def attach(self, number: int, receive: Callable[[Sent], None]) -> None:
        """Who reads reports at this port of the LAN."""
        self._receivers[number] = receive

    @property
    def members(self) -> Sequence[int]:
        """Their ports."""
        return tuple(self._receivers)

    @property
    def d_s(self) -> float:
        """The greatest delay of a report that nobody holds back."""
        return self._lan.weather.delay_s_max + self.delay_s_max

    def passes(self, sender: int, receiver: int) -> bool:
        """Would a report get from one to the other now, but for chance?"""
        path = (sender, receiver)
        clogged = self._lan.clogged_until_s.get(path, 0.0) > self._lan.timeline.now
        return path not in self.stopped and path not in self._lan.cuts and not clogged and self.held_from != sender

    def stop(self, ways: set[tuple[int, int]]) -> None:
        """On these, and no others, no report gets through."""
        for path in self.stopped | ways:
            self.disturbed_at_s[path] = self._lan.timeline.now
        self.stopped = ways

    def send(self, sender: int, report: Report, unreachable: frozenset[int] = frozenset()) -> None:
        """To all others that have a way from there."""
        self.sent[sender] += 1
        self._send(Letter(report, sender), unreachable)

    def send_page(self, sender: int, page: bytes, unreachable: frozenset[int] = frozenset()) -> None:
        """Likewise."""
        self._send(Sheet(page, sender), unreachable)

    def _send(self, letter: Sent, unreachable: frozenset[int]) -> None:
        self.stolen.append(letter)
        for receiver in self._receivers:
            if receiver != letter.sender:
                self._carry(receiver, letter, receiver in unreachable)

    def deliver(self, receiver: int, letter: Sent, after_s: float) -> None:
        """What the hostile host sends: nothing stops that."""
        self._lan.timeline.at(self._lan.timeline.now + after_s, partial(self._receivers[receiver], letter), receiver)

    def _carry(self, receiver: int, letter: Sent, unreachable: bool) -> None:
        path = (letter.sender, receiver)
        if self.held_from == letter.sender:
            self.held.append((receiver, letter))
        lost = self._random.random() < 1 - (1 - self.loss) * (1 - self._lan.weather.loss)
        clogged_s = self._lan.clogged_until_s.get(path, 0.0) - self._lan.timeline.now
        if lost or unreachable or not self.passes(*path):
            self.disturbed_at_s[path] = self._lan.timeline.now + max(clogged_s, 0.0)
        if lost or unreachable or (not self.passes(*path) and clogged_s <= 0):
            return
        delay_s = self._random.uniform(self._lan.weather.delay_s_min, self.d_s)
        self.deliver(receiver, letter, max(clogged_s, 0.0) + delay_s)


@dataclass(frozen=True, slots=True)
class Theft:
    """What the hostile host does to reports, each at times of its own."""

    replays: bool = False
    forges: bool = False


class Thief:
    """The hostile host, as far as reports are concerned; it goes on to the end. ``random`` is its own."""

    def __init__(self, post: Post, lan: Lan, random: Random, theft: Theft) -> None:
        self._post = post
        self._lan = lan
        self._random = random
        self._kinds = [kind for kind, does in (("replay", theft.replays), ("forgery", theft.forges)) if does]

    def begin(self, every_s: float) -> None:
        """Something in every so many seconds, twice as many at most."""
        if self._kinds:
            self._again(every_s)

    def _again(self, every_s: float) -> None:
        if self._post.stolen and self._post.members:
            letter = self._random.choice(self._post.stolen)
            forged = self._random.choice(self._kinds) == "forgery"
            stolen = replace(letter, again=True, forged=forged)
            self._post.deliver(self._random.choice(self._post.members), stolen, 0.0)
        self._lan.timeline.at(
            self._lan.timeline.now + self._random.uniform(0.01, 2 * every_s), partial(self._again, every_s)
        )

    def hold(self, sender: int) -> None:
        """Back, from now on: what this one says does not arrive."""
        self._post.held_from = sender

    def release(self, every_s: float) -> None:
        """One by one, in their order."""
        held, self._post.held_from = list(self._post.held), None
        self._post.held.clear()
        for number, (receiver, letter) in enumerate(held):
            self._post.deliver(receiver, replace(letter, again=True), number * every_s)
