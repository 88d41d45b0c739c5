"""Every run of a small LAN, not a million drawn ones: a complete search of the states that the real core can reach.

Time goes in ticks. After each event the deadlines are rounded up to a tick, as the BSDs' timers are: with a tick of
1/2 s, advbase 1 is 2 ticks and an advskew of 128 is 1; the waits after a bow-out and after a tie are 1, or 0 if none.

An adversary orders what may happen in a tick: whose timer comes first, a frame before or after a timer, a start. A
frame arrives in the tick in which it was sent or in the next, at each receiver in its own time. Losses (one frame at
one receiver), crashes and orderly stops are counted; starts and restarts are free. No state knows how late it is, only
how far off its deadlines are: there is no horizon, and what is found to hold, holds for ever.

Judged in every state: I1, and what a ``Judge`` of one node says. Then the adversary gives up, in every state that was
reached: V4 and V5, by the longest way to one right master for good.

Left out, because plain CARP does not promise it: frames of one sender overtake each other (an advertisement after a
bow-out counts as new); a delay between equals when the adversary has given up (they agree only if it is less than the
difference of their waits). Nobody stalls, is demoted or answers a probe; only strangers have probes to send. A delay of
preemption does not grow here (``preempt_delay_max`` is ``preempt_delay``), so that no state has a past.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from typing import NamedTuple

from wsa_proxy.carp import events
from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import Reason
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.standing import PROBES
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.simulation.violation import Violation

NOW_S = 1000.0
LATE_S = 1e-6  # a timer fires a little after its deadline, so sums of floats do not matter
STATES_MAX = 1_000_000
TICK, CRASH, TIMER, START, STOP = range(-2, 3)  # a greater number is an advertisement heard
AIR: tuple[Event, ...] = (events.DeadlineReached(), events.Started("ready"), events.Stopped("stop"))

DROPPED = {"settings", "_master_down_s", "_probe_lead_s", "demotion", "_answered_by"}  # nobody is demoted, or answers
DROPPED |= {"rank", "after_better_s"}  # follows from the settings and the demotion; nobody here knows who is better
DROPPED |= {"last_master", "_heard_at_s"}  # for the operator's log only
DROPPED |= {"_advertisements_sent", "_announce_at"}  # say only which advertisement an announcement precedes

type Place = tuple[Any, ...]
"""The LAN: each node's number in its ``Seat``, the frames on each way with their ages, each pair's time, budgets."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """A LAN, and how often its adversary may do what in a whole run. Strangers have not held the addresses before;
    nodes that start together do so in one tick, and only restarts are at any time."""

    name: str
    nodes: tuple[VirtualHostSettings, ...]
    losses: int = 2
    crashes: int = 1
    stops: int = 0
    tick_s: float = 0.5  # so small that T and a tick, rounded up, are less than D
    strangers: bool = False
    together: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """``settled_ticks`` is the longest time to one right master for good; ``complete`` is False if anything cut the
    search short; ``story`` is the shortest way to the violation, which begins with the name of the promise."""

    states: int
    transitions: int
    violation: str | None
    story: tuple[str, ...]
    complete: bool
    settled_ticks: float = math.inf
    bound_ticks: int = 0


class Step(NamedTuple):
    """Something that may happen: ``node`` is -1 for a tick."""

    node: int
    action: int
    after: Place
    broken: str | None = None


class Outcome(NamedTuple):
    """What one node does at one event: its next number, the frames that it sends, a line for the story."""

    number: int
    sends: tuple[int, ...] = ()
    text: str = ""
    broken: str | None = None


class Known(NamedTuple):
    """All of a core that decides what it does next. What is past, or is set before it is read again, counts as now."""

    state: State
    held_before: bool
    probes_left: int
    reason: Reason
    owed: bool
    times: tuple[int, ...]
    """Ticks from now: the advertisement, the end of a tie's memory, of an answer's pause, of a wait to preempt;
    master-down by version."""


class Judge:
    """Judges one node by what it remembers of it, which is part of the state of the search. This one says yes."""

    def __init__(self, settings: VirtualHostSettings, tick_s: float) -> None:
        pass

    def event(self, memory: Any, was: State, event: Event, now: State, commands: list[Command]) -> Any:
        """What is remembered after this event; None of a node that was dead. Raises Violation."""

    def later(self, memory: Any) -> Any:
        """What is remembered a tick later. Raises Violation when something should have happened until now."""


def ticks_of(duration_s: float, tick_s: float) -> int:
    """Rounded up, as a timer is."""
    return math.ceil((duration_s - 2 * LATE_S) / tick_s)


class Seat:
    """One node as a table that fills itself: its states by number, so the real core is asked everything once."""

    def __init__(self, settings: VirtualHostSettings, configuration: Configuration, judge: Judge, air: list[Event]):
        host = VirtualHost(settings)
        self.settings, self._tick_s = settings, configuration.tick_s
        self._judge, self._air = judge, air
        host._held_before = not configuration.strangers
        self._newborn = self._known(host)
        self.known: list[Known | None] = []
        """By number; None for the core of a dead one."""
        self.due: list[bool] = []
        self.absent: list[bool] = []
        """Dead, or in INIT."""
        self.master: list[bool] = []
        self._memories: list[Any] = []
        self._numbers: dict[tuple[Known | None, Any], int] = {}
        self._outcomes: dict[tuple[int, int], Outcome] = {}

    def number(self, known: Known | None, memory: Any = None) -> int:
        """The number of this state."""
        if (number := self._numbers.get((known, memory))) is None:
            number = self._numbers[known, memory] = len(self.known)
            self.known.append(known)
            self._memories.append(memory)
            deadline_s = self._host(known).next_deadline() if known is not None else None
            self.due.append(deadline_s is not None and deadline_s <= NOW_S + LATE_S)
            self.absent.append(known is None or known.state is State.INIT)
            self.master.append(known is not None and known.state is State.MASTER)
        return number

    def take(self, number: int, action: int) -> Outcome:
        """What the node does."""
        if (outcome := self._outcomes.get((number, action))) is None:
            try:
                outcome = self._take(self.known[number], self._memories[number], action)
            except Violation as promise:
                outcome = Outcome(number, broken=str(promise))
            self._outcomes[number, action] = outcome
        return outcome

    def _take(self, known: Known | None, memory: Any, action: int) -> Outcome:
        if action == CRASH or (known is None and action != START):
            return Outcome(self.number(None))
        if known is not None and action == TICK:
            known = known._replace(times=tuple(max(ticks - 1, 0) for ticks in known.times))
            return Outcome(self.number(known, self._judge.later(memory)))
        before, event = known or self._newborn, self._air[action]
        host = self._host(before)
        commands = host.handle(event, NOW_S + LATE_S)
        memory = self._judge.event(memory, before.state, event, host.state, commands)
        reports = [command for command in commands if isinstance(command, ReportTransition)]
        text = "".join(f", {report.old.name} -> {report.new.name} {report.reason}" for report in reports)
        sends = [command for command in commands if isinstance(command, SendAdvertisement)]
        said = [Advertisement(1, send.advbase, send.advskew, send.demotion, 7, bytes(20)) for send in sends]
        heard = [AdvertisementReceived(ad, ip, f"skew {ad.advskew}") for ad in said for ip in self.settings.versions]
        self._air += [event for event in heard if event not in self._air]
        return Outcome(self.number(self._known(host), memory), tuple(map(self._air.index, heard)), text)

    def _host(self, known: Known) -> VirtualHost:
        host = VirtualHost(self.settings)
        host.state, host._held_before, host._probes_left, host._reason_master_down, host._answer_owed, times = known
        times_s = [NOW_S + ticks * self._tick_s for ticks in times]
        host._deadline_advertisement_s, host._tied_until_s, host._answer_after_s, preempts_s, *downs_s = times_s
        host.calm.begin(preempts_s - self.settings.preempt_delay_s)
        host._deadlines_master_down_s = dict(zip(self.settings.versions, downs_s, strict=False))
        return host

    def _known(self, host: VirtualHost) -> Known:
        master, downs_s = host.state is State.MASTER, host._deadlines_master_down_s
        times_s = [host._deadline_advertisement_s, host._tied_until_s, host._answer_after_s]
        times_s.append(max(host.calm.due_s, NOW_S) if host.state is State.BACKUP else NOW_S)
        times_s += [downs_s[version] for version in self.settings.versions if version in downs_s]
        times = [max(ticks_of(at_s - NOW_S, self._tick_s), 0) for at_s in times_s]
        times[0], times[2] = times[0] * master, times[2] * master
        probes_left = PROBES if host._held_before else host._probes_left
        reason = host._reason_master_down if host.state is State.BACKUP else Reason.MASTER_SILENT
        return Known(host.state, host._held_before, probes_left, reason, host._answer_owed and master, tuple(times))


class Space:
    """All the LAN's places and the steps between them; without the adversary nothing is lost, spent or judged."""

    def __init__(self, configuration: Configuration, judge: type[Judge], air: list[Event], adversary: bool) -> None:
        mine, nodes = configuration, configuration.nodes
        self._adversary, self._air = adversary, air
        self.seats = [Seat(node, mine, judge(node, mine.tick_s), air) for node in nodes]
        everyone = range(len(nodes))
        self._ways_at = {way: at for at, way in enumerate(itertools.permutations(everyone, 2), len(nodes))}
        self._pairs_at = {pair: at for at, pair in enumerate(itertools.combinations(everyone, 2), len(nodes) ** 2)}
        self._into = [[at for way, at in self._ways_at.items() if way[1] == node] for node in everyone]
        self._from = [[(way[1], at) for way, at in self._ways_at.items() if way[0] == node] for node in everyone]
        self._intervals_s = [node.advbase + node.advskew / 256 for node in nodes]
        self._intervals = [ticks_of(interval_s, mine.tick_s) for interval_s in self._intervals_s]
        equals = len({*self._intervals_s}) < len(nodes)
        self._delay = 0 if equals and not adversary else 1
        down = max(ticks_of(3 * node.advbase + node.advskew / 256, mine.tick_s) for node in nodes)
        ties = down + ticks_of(max(self._intervals_s) / 5, mine.tick_s) if equals else 0
        waits = max(ticks_of(node.preempt_delay_s, mine.tick_s) for node in nodes)
        waits += max(self._intervals) if waits else 0  # it is the next advertisement that is not endured
        self.bound = down + min(self._intervals) + 2 * self._delay + ties + waits
        self._lan = (*((),) * len(self._ways_at), *(-1,) * len(self._pairs_at))
        numbers = [seat.number(None) for seat in self.seats]
        if mine.together:
            numbers = [seat.take(number, START).number for seat, number in zip(self.seats, numbers, strict=True)]
        self.beginning: Place = (*numbers, *self._lan, mine.losses, mine.crashes, mine.stops)

    def quiet(self, loud: Space, place: Place) -> Place:
        """The place in this space, of an adversary who has given up, for that one in his."""
        here = [seat.number(there.known[at]) for seat, there, at in zip(self.seats, loud.seats, place, strict=False)]
        return (*here, *place[len(here) : len(here) ** 2], *self._lan[len(self._ways_at) :], 0, 0, 0)

    def is_right(self, place: Place) -> bool:
        """V4: exactly one of the nodes that take part is master, and none that preempts outranks it."""
        present = [node for node, seat in enumerate(self.seats) if not seat.absent[place[node]]]
        masters = [node for node in present if self.seats[node].master[place[node]]]
        if len(masters) != 1:
            return not present
        preempting = [self._intervals_s[node] for node in present if self.seats[node].settings.preempt]
        return self._intervals_s[masters[0]] <= min(preempting, default=math.inf)

    def story(self, path: list[tuple[Place, Step]]) -> Iterator[str]:
        """A line for each of these steps."""
        ticks = 0
        for place, step in path:
            ticks += step.action == TICK
            if step.action != TICK:
                event = "crash" if step.action == CRASH else self._air[step.action]
                word = f"hears {event.sender}" if isinstance(event, AdvertisementReceived) else event
                text = self.seats[step.node].take(place[step.node], step.action).text
                yield f"tick {ticks}: node {step.node}, {word}{text}"

    def steps(self, place: Place) -> Iterator[Step]:
        """All that may happen now; a tick only if no timer is due and every frame may wait."""
        may_wait = True
        for node, seat in enumerate(self.seats):
            if seat.due[place[node]]:
                may_wait = False
                yield from self._act(place, node, TIMER, place)
            for at in self._into[node]:
                if frames := place[at]:
                    may_wait = may_wait and frames[0][1] < self._delay
                    yield from self._act(place, node, frames[0][0], (*place[:at], frames[1:], *place[at + 1 :]))
            if seat.absent[place[node]]:
                if self._adversary:
                    yield from self._act(place, node, START, place)
                continue
            if place[-2]:
                yield from self._act(place, node, CRASH, (*place[:-2], place[-2] - 1, place[-1]))
            if place[-1]:
                yield from self._act(place, node, STOP, (*place[:-1], place[-1] - 1))
        if may_wait:
            yield self._tick(place)

    def _act(self, place: Place, node: int, action: int, begun: Place) -> Iterator[Step]:
        outcome = self.seats[node].take(place[node], action)
        if not outcome.sends:
            yield self._step(begun, node, action, outcome, ())
            return
        frames = [(receiver, at, sent) for receiver, at in self._from[node] for sent in outcome.sends]
        for number in range(min(len(frames), begun[-3]) + 1):
            for lost in itertools.combinations(frames, number):
                after = list(begun)
                after[-3] -= number
                for _, at, sent in (frame for frame in frames if frame not in lost):
                    after[at] += ((sent, 0),)
                yield self._step(after, node, action, outcome, [receiver for receiver, _, _ in lost])

    def _step(self, begun: Iterable[Any], node: int, action: int, outcome: Outcome, lost: Sequence[int]) -> Step:
        after = list(begun)
        after[node] = outcome.number
        if self._adversary:
            self._pair(after, node, lost)
        return Step(node, action, tuple(after), outcome.broken)

    def _pair(self, after: list[Any], node: int, lost: Sequence[int]) -> None:
        # I1: two masters are so for (L + 1) * T_best + d at most; here is what is left of that time.
        for (one, other), at in self._pairs_at.items():
            if not (self.seats[one].master[after[one]] and self.seats[other].master[after[other]]):
                after[at] = -1
                continue
            # An advertisement is lost when it is lost in every IP version.
            losses = lost.count(one + other - node) // len(self.seats[node].settings.versions)
            interval = min(self._intervals[one], self._intervals[other])
            after[at] = after[at] + losses * interval if after[at] >= 0 else interval + self._delay

    def _tick(self, place: Place) -> Step:
        after = list(place)
        outcomes = [seat.take(at, TICK) for seat, at in zip(self.seats, place, strict=False)]
        after[: len(outcomes)] = [outcome.number for outcome in outcomes]
        broken = [outcome.broken for outcome in outcomes if outcome.broken]
        for at in self._ways_at.values():
            after[at] = tuple([(sent, age + 1) for sent, age in place[at]]) if place[at] else ()
        for pair, at in self._pairs_at.items():
            broken += [f"I1: nodes {pair} have both been master for too long"] if place[at] == 0 else []
            after[at] = max(place[at] - 1, -1)
        return Step(-1, TICK, tuple(after), broken[0] if broken else None)


def search(configuration: Configuration, judge: type[Judge] = Judge) -> Result:
    """The whole search, breadth first, so that a story is short; never raises for a broken promise."""
    air = [*AIR]
    space, quiet = Space(configuration, judge, air, True), Space(configuration, Judge, air, False)
    places, came = [space.beginning], {space.beginning: (space.beginning, Step(-1, TICK, ()))}
    transitions = 0

    def result(broken: str, place: Place, path: list[tuple[Place, Step]]) -> Result:
        while place != space.beginning:
            path.insert(0, came[place])
            place = path[0][0]
        return Result(len(places), transitions, broken, (*space.story(path), broken), False, bound_ticks=quiet.bound)

    for place in places:
        for step in space.steps(place):
            transitions += 1
            if step.broken:
                return result(step.broken, place, [(place, step)])
            if step.after not in came:
                came[step.after] = (place, step)
                places.append(step.after)
        if len(places) > STATES_MAX:
            return Result(len(places), transitions, None, (), False)
    givings_up: dict[Place, Place] = {}
    for place in places:
        givings_up.setdefault(quiet.quiet(space, place), place)
    late = _lateness(quiet, list(givings_up))
    worst = max(givings_up, key=lambda place: late.get(place, 0.0))
    ticks = late.get(worst, 0.0)
    if ticks > quiet.bound:
        broken = f"V4: the adversary gives up, and one right master for good takes {ticks} ticks, not {quiet.bound}"
        return result(broken, givings_up[worst], [])
    return Result(len(places), transitions, None, (), True, ticks, quiet.bound)


def _lateness(quiet: Space, places: list[Place]) -> dict[Place, float]:
    """The most ticks until the last moment without one right master, from each place that may come to such a moment:
    the longest way, reckoned from its end; infinite where the way has a circle."""
    steps: dict[Place, list[Step]] = {}
    before: dict[Place, list[Place]] = {place: [] for place in places}
    for place in places:
        steps[place] = list(quiet.steps(place))
        for step in steps[place]:
            if step.after not in before:
                before[step.after] = []
                places.append(step.after)
            before[step.after].append(place)
    wrong = [place for place in places if not quiet.is_right(place)]
    late = dict.fromkeys(wrong, math.inf)
    for place in wrong:
        for earlier in before[place]:
            if earlier not in late:
                late[earlier] = math.inf
                wrong.append(earlier)
    ways = {place: sum(step.after in late for step in steps[place]) for place in wrong}
    ready = [place for place in wrong if ways[place] == 0]
    for place in ready:
        further = [late[step.after] + (step.action == TICK) for step in steps[place] if step.after in late]
        late[place] = max(further, default=0.0)
        for earlier in before[place]:
            ways[earlier] -= 1
            if ways[earlier] == 0:
                ready.append(earlier)
    return late
