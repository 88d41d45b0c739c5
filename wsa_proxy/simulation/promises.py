"""What one node promises whatever happens to it, for the exhaustive search: reckoned again from carp(4), by ticks."""

from __future__ import annotations

from typing import ClassVar
from typing import NamedTuple

from wsa_proxy.carp.commands import AcquireAddresses
from wsa_proxy.carp.commands import AnnounceAddresses
from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import Reason
from wsa_proxy.carp.commands import ReleaseAddresses
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import DeadlineReached
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.events import Started
from wsa_proxy.carp.events import Stopped
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.simulation.bounds import BOW_OUT_WAIT_S
from wsa_proxy.simulation.exhaustive import Judge
from wsa_proxy.simulation.exhaustive import ticks_of
from wsa_proxy.simulation.violation import Violation


class Memory(NamedTuple):
    """What the judge remembers of a node, beside what the node believes; times in ticks."""

    holds: bool = False  # its kernel has the addresses
    rests: tuple[int, ...] = ()  # of a backup, by IP version: until silence is long enough
    reasons: frozenset[str] = frozenset()  # to take over, that the last advertisement gave
    calm: int = 0  # until it may preempt
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
        self._wait = ticks_of(settings.preempt_delay_s, tick_s) if settings.preempt_delay_s else 0
        self._whole = (self.down,) * len(settings.versions)

    def event(self, memory: Memory, was: State, event: Event, now: State, commands: list[Command]) -> Memory:
        if isinstance(event, AdvertisementReceived):
            memory = self._hears(memory, was, event)
        elif isinstance(event, Started):
            memory = Memory(rests=self._whole, calm=self._wait)
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
            return memory._replace(rests=(), reasons=frozenset(), calm=0, takeover=-1)
        if was is State.MASTER:
            memory = memory._replace(rests=self._whole, calm=self._wait)
        return Memory() if now is State.INIT else Memory(False, *memory[1:5])

    def later(self, memory: Memory) -> Memory:
        if memory.takeover == 0:
            bowed_out = Reason.MASTER_BOWED_OUT.value in memory.reasons
            raise Violation("V3" if bowed_out else "V4", f"no takeover, for {sorted(memory.reasons)}")
        rests = tuple(max(ticks - 1, 0) for ticks in memory.rests)
        memory = memory._replace(rests=rests, calm=max(memory.calm - 1, 0), takeover=max(memory.takeover - 1, -1))
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
            Reason.PREEMPTED.value: self.settings.preempt and own < other and memory.calm == 0,
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
