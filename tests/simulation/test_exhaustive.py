"""Every run of a few small LANs keeps the promises, and the search that says so is complete and can say no."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar
from typing import NamedTuple

import pytest

from tests.simulation import planted
from wsa_proxy.carp.commands import AcquireAddresses
from wsa_proxy.carp.commands import AnnounceAddresses
from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import ReleaseAddresses
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import DeadlineReached
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.events import Started
from wsa_proxy.carp.events import Stopped
from wsa_proxy.carp.virtual_host import Reason
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.carp.virtual_host import VirtualHostSettings
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.simulation import exhaustive
from wsa_proxy.simulation.bounds import BOW_OUT_WAIT_S
from wsa_proxy.simulation.checker import Violation
from wsa_proxy.simulation.exhaustive import CONFIGURATIONS
from wsa_proxy.simulation.exhaustive import Configuration
from wsa_proxy.simulation.exhaustive import Judge
from wsa_proxy.simulation.exhaustive import search
from wsa_proxy.simulation.exhaustive import ticks_of

PINNED = {
    "two, preemptive": (46603, 8),
    "two, not preemptive": (14280, 9),
    "two, finer ticks": (39884, 14),
    "two strangers": (19587, 17),
    "two equals": (14917, 12),
    "two equals, one stop": (37678, 12),
    "two, dual stack": (76478, 8),
    "two equals, dual stack": (69361, 12),
    "three, preemptive": (33162, 10),
    "three, not preemptive": (56162, 8),
    "three, two equals": (35876, 12),
}
"""How many states the search must have seen, and the most ticks until one master is agreed on for good."""

BY_NAME = {configuration.name: configuration for configuration in CONFIGURATIONS}

KEPT = {"state", "_held_before", "_probes_left", "_reason_master_down", "_answer_owed", "_deadline_advertisement_s"}
KEPT |= {"_deadlines_master_down_s", "_tied_until_s", "_answer_after_s"}


class Memory(NamedTuple):
    """What the judge remembers of a node, beside what the node believes; times in ticks."""

    holds: bool = False  # its kernel has the addresses
    rests: tuple[int, ...] = ()  # of a backup, by IP version: until silence is long enough
    reasons: frozenset[str] = frozenset()  # to take over, that the last advertisement gave
    takeover: int = -1  # until it must be master for one of these reasons; -1 for none
    sent: int = 0  # of a master: since it advertised
    asked: bool = False  # an inferior was heard since
    answered: int = 0  # since an inferior was answered


class Promises(Judge):
    """I2, I5, I6, I7 and V3 of one node; the numbers are reckoned again from carp(4)."""

    rules: ClassVar[set[str]] = set()
    """The reasons of all transitions that were judged."""

    def __init__(self, settings: VirtualHostSettings, tick_s: float) -> None:
        self.settings = settings
        self.interval_256ths = settings.advbase * 256 + settings.advskew
        self.interval = ticks_of(self.interval_256ths / 256, tick_s)
        self.down = ticks_of(3 * settings.advbase + settings.advskew / 256, tick_s)
        self._tie_wait = ticks_of(self.interval_256ths / 256 / 5, tick_s)
        self._pause = ticks_of(self.interval_256ths / 256 / 4, tick_s)
        self._bow_out_wait = ticks_of(BOW_OUT_WAIT_S, tick_s)
        self._whole = (self.down,) * len(settings.versions)

    def event(self, memory: Memory, was: State, event: Event, now: State, commands: list[Command]) -> Memory:
        if isinstance(event, AdvertisementReceived):
            memory = self._hears(memory, was, event)
        elif isinstance(event, Started):
            memory = Memory(rests=self._whole)
        kinds = [type(command) for command in commands]
        for place, command in enumerate(commands):
            match command:
                case ReportTransition(_, State.MASTER, reason):
                    self.rules.add(reason)
                    silent = reason == Reason.MASTER_SILENT.value and min(memory.rests) == 0
                    if not silent and reason not in memory.reasons:
                        raise Violation("I2", f"master too early, {reason}")
                case SendAdvertisement():
                    memory = self._sends(memory, was, event, now, kinds[:place])
                case AcquireAddresses():
                    memory = memory._replace(holds=True)
                    if SendAdvertisement not in kinds[:place] or AnnounceAddresses not in kinds[place:]:
                        raise Violation("I7", "a promotion is advertise, acquire, announce")
                case ReleaseAddresses():
                    memory = memory._replace(holds=False)
                case AnnounceAddresses() if not memory.holds:
                    raise Violation("I7", "announced what it does not hold")
                case ReportTransition(_, _, reason):
                    self.rules.add(reason)
        if isinstance(event, Stopped) and was is State.MASTER and SendAdvertisement not in kinds:
            raise Violation("V3", "stops as master, and does not bow out")
        if memory.holds != (now is State.MASTER):
            raise Violation("I5", f"{now.name}, and its kernel {'holds' if memory.holds else 'lacks'} the addresses")
        if now is State.MASTER:
            return memory._replace(rests=(), reasons=frozenset(), takeover=-1)
        rests = self._whole if was is State.MASTER else memory.rests
        return Memory() if now is State.INIT else Memory(False, rests, memory.reasons, memory.takeover)

    def later(self, memory: Memory) -> Memory:
        if memory.takeover == 0:
            bowed_out = Reason.MASTER_BOWED_OUT.value in memory.reasons
            raise Violation("V3" if bowed_out else "V4", f"no takeover, for {sorted(memory.reasons)}")
        rests = tuple(max(ticks - 1, 0) for ticks in memory.rests)
        memory = memory._replace(rests=rests, takeover=max(memory.takeover - 1, -1))
        if not memory.holds:
            return memory
        return memory._replace(sent=min(memory.sent + 1, self.interval), answered=min(memory.answered + 1, self._pause))

    def _hears(self, memory: Memory, was: State, event: AdvertisementReceived) -> Memory:
        heard, own = event.advertisement, self.interval_256ths
        other = heard.advbase * 256 + heard.advskew
        if was is State.MASTER:
            return memory._replace(asked=memory.asked or (own < other and not heard.is_bow_out))
        rules = {
            Reason.MASTER_BOWED_OUT.value: heard.is_bow_out,
            Reason.PREEMPTED.value: self.settings.preempt and own < other,
            Reason.MASTER_HOPELESS.value: own + 2 * 256 * self.settings.advbase < other,
        }
        reasons = frozenset(reason for reason, applies in rules.items() if applies)
        # A takeover that was due is off for both IP versions.
        rests = tuple(
            self.down if not reasons and (memory.reasons or version == event.version) else ticks
            for version, ticks in zip(self.settings.versions, memory.rests, strict=False)
        )
        takeover = self._bow_out_wait if heard.is_bow_out else self._tie_wait
        if memory.takeover >= 0:
            takeover = min(takeover, memory.takeover)
        takeover = takeover if reasons and was is State.BACKUP else -1
        return memory._replace(reasons=reasons, rests=rests, takeover=takeover)

    def _sends(self, memory: Memory, was: State, event: Event, now: State, sooner: list[type]) -> Memory:
        # I6: a BACKUP is silent; a MASTER advertises once per T, at its promotion, and to an inferior once per T/4.
        done = memory._replace(sent=0, asked=False)
        if isinstance(event, Stopped) and was is State.MASTER:
            if ReleaseAddresses in sooner:
                raise Violation("I7", "a demotion is bow out, release")
            return done
        if now is not State.MASTER or SendAdvertisement in sooner:
            raise Violation("I6", f"{now.name}, and advertises")
        if was is not State.MASTER:
            return done._replace(answered=self._pause)
        if isinstance(event, DeadlineReached) and memory.sent >= self.interval:
            return done
        if memory.asked and memory.answered >= self._pause:
            return done._replace(answered=0)
        raise Violation("I6", f"advertises {memory.sent} ticks after the last time")


# -- the search says yes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=lambda configuration: configuration.name)
def test_every_run_keeps_the_promises(configuration: Configuration) -> None:
    """In every state that the core and its adversary can reach; fewer states than before are a defect of the search."""
    result = search(configuration, Promises)
    print(
        f"{configuration.name}: {result.states} states, {result.transitions} transitions, {result.settled_ticks} ticks"
    )
    assert result.violation is None, "\n".join(result.story)
    assert result.complete
    states, settled_ticks = PINNED[configuration.name]
    assert result.states >= states
    assert result.settled_ticks <= settled_ticks <= result.bound_ticks


def test_every_rule_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The searches judge every reason for a transition that their adversary can bring about."""
    monkeypatch.setattr(Promises, "rules", set())
    for name in ("two, preemptive", "two equals"):
        assert search(replace(BY_NAME[name], losses=1, crashes=0, stops=1), Promises).complete
    unseen = {Reason.MASTER_DEMOTED, Reason.MASTER_HOPELESS, Reason.OVERSLEPT, Reason.ADDRESS_ANSWERED}
    assert Promises.rules == {reason.value for reason in set(Reason) - unseen} | {"ready", "stop"}


def test_every_field_of_the_core_is_remembered_or_dropped_for_a_reason() -> None:
    """A new field of the virtual host must be judged before the search may forget it."""
    assert vars(VirtualHost(CONFIGURATIONS[0].nodes[0])).keys() == KEPT | exhaustive.DROPPED


def test_what_is_dropped_decides_nothing() -> None:
    """Cores that differ only in what the search drops answer every event alike, and differ in nothing else after it."""
    settings = CONFIGURATIONS[0].nodes[0]
    inferior, bow_out = (
        AdvertisementReceived(Advertisement(1, base, skew, 0, 7, bytes(20)), 4, "")
        for base, skew in ((1, 128), (255, 255))
    )
    story: list[tuple[Event, float]] = []
    story += [(Started(""), 0.0), (DeadlineReached(), 3.0), (inferior, 3.1), (inferior, 3.2), (DeadlineReached(), 3.35)]
    story += [
        (DeadlineReached(), 4.35),
        (Stopped(""), 4.5),
        (Started(""), 5.0),
        (bow_out, 5.5),
        (DeadlineReached(), 6.5),
    ]
    one, other = VirtualHost(settings), VirtualHost(settings)
    one._held_before = other._held_before = True
    for event, now in story:
        other.last_master, other._heard_at_s = "somebody", {4: now - 1}
        other._advertisements_sent, other._announce_at = 0, 0
        assert decisive(one.handle(event, now)) == decisive(other.handle(event, now))
        assert {name: vars(one)[name] for name in KEPT} == {name: vars(other)[name] for name in KEPT}


def decisive(commands: list[Command]) -> list[Command | State]:
    """The commands without the periodic announcements and the words for the operator."""
    promoted = AcquireAddresses() in commands
    kept = [command for command in commands if promoted or not isinstance(command, AnnounceAddresses)]
    return [command.new if isinstance(command, ReportTransition) else command for command in kept]


# -- the search can say no ---------------------------------------------------------------------------------------------

EQUALS = tuple(replace(node, preempt=False) for node in BY_NAME["two equals"].nodes)
PATIENT_EQUALS = Configuration("equals that do not preempt", EQUALS)


@pytest.mark.parametrize(
    ("plant", "configuration", "promise"),
    [
        (planted.plant_dead_ratio_2, BY_NAME["two, not preemptive"], "I2"),
        (planted.plant_deadline_not_pushed_back, BY_NAME["two, not preemptive"], "I2"),
        (planted.plant_bow_out_ignored, BY_NAME["two, preemptive"], "V3"),
        (planted.plant_bow_out_heard_for_one_version_only, BY_NAME["two, dual stack"], "I2"),
        (planted.plant_no_bow_out, BY_NAME["two, preemptive"], "V3"),
        (planted.plant_nobody_yields_to_an_equal, BY_NAME["two equals"], "I2"),
        (planted.plant_nobody_yields_to_an_equal, PATIENT_EQUALS, "I6"),
        (planted.plant_no_longer_wait_after_a_tie, BY_NAME["two equals"], "V4"),
        (planted.plant_no_release_on_defeat, BY_NAME["three, not preemptive"], "I5"),
        (planted.plant_no_preemption, BY_NAME["two, preemptive"], "V4"),
        (planted.plant_no_announcement, BY_NAME["two, preemptive"], "I7"),
        (planted.plant_storm_of_answers, BY_NAME["two, not preemptive"], "I6"),
    ],
    ids=lambda value: getattr(value, "__name__", None) or getattr(value, "name", value),
)
def test_a_planted_bug_is_found(
    plant: planted.Plant, configuration: Configuration, promise: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the name of the promise that it breaks, with a story that ends there."""
    plant(monkeypatch)
    result = search(configuration, Promises)
    assert result.violation is not None
    assert result.violation.startswith(f"{promise}: "), "\n".join(result.story)
    assert not result.complete
    assert result.story[-1] == result.violation
    assert len(result.story) > 1


def test_two_masters_are_seen_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """I1 needs no judge of the single node, who would complain sooner: equals of which nobody yields stay two."""
    planted.plant_nobody_yields_to_an_equal(monkeypatch)
    violation = search(PATIENT_EQUALS).violation
    assert violation is not None
    assert violation.startswith("I1: nodes (0, 1)")


def test_a_story_is_short_and_has_the_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing stands in it that the violation does not need: here a start, and three seconds of silence."""
    planted.plant_no_announcement(monkeypatch)
    result = search(BY_NAME["two, preemptive"], Promises)
    assert result.story == (
        "tick 0: node 0, Started(reason='ready'), INIT -> BACKUP ready",
        "tick 6: node 0, DeadlineReached()",
        "I7: a promotion is advertise, acquire, announce",
    )


def test_a_longer_patience_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time to agree is measured, not only bounded: a dead ratio of 4 is within the bound, and is seen."""
    planted.plant_dead_ratio_4(monkeypatch)
    configuration = BY_NAME["two, not preemptive"]
    assert search(configuration, Promises).settled_ticks > PINNED[configuration.name][1]


def test_a_search_cut_short_is_not_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cap on the states makes no promise."""
    monkeypatch.setattr(exhaustive, "STATES_MAX", 100)
    result = search(CONFIGURATIONS[0], Promises)
    assert not result.complete
    assert result.violation is None
