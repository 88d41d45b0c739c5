"""What carp(4) and ip_carp.c ask of one node, in as few words as possible: the judge of ``virtual_host.py``.

Written from the rules, not from the machine, and it imports none of its arithmetic: a formula that is wrong there is
not believed here. An event goes in, the expected effects come out as words, each one as ``trace.words`` puts it.

``preempt_delay`` is our own, so its rules are those of the manual: they stand apart, under "calm".

Not modelled: the evidence in a report, who sent what, the authentication before and the kernel behind. Taken from the
machine, since no source says it: that a wait, once longer, stays so over a stop and start.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field

from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AddressAnswered
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import DeadlineReached
from wsa_proxy.carp.events import DemotionChanged
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.events import PreemptionReleased
from wsa_proxy.carp.events import SettingsChanged
from wsa_proxy.carp.events import Started
from wsa_proxy.carp.events import Stopped
from wsa_proxy.carp.host_settings import VirtualHostSettings

EPSILON_S = 1e-9
"""Sums of floats in another order differ by less, and no two moments of a test lie so close together."""
SILENT = "master_silent"
QUESTIONS = 3  # RFC 5227, PROBE_NUM


@dataclass
class Model:
    """One node: its settings, then what it remembers. All times in seconds."""

    advbase: int
    advskew: int
    preempt: bool
    versions: tuple[int, ...]
    tie_break: int
    state: State = State.INIT
    demotion: int = 0
    patience_ends_s: dict[int, float] = field(default_factory=dict)
    """By IP version (FreeBSD: sc_md_tmo, sc_md6_tmo)."""
    due: str = SILENT
    """Why the end of the patience will make it master."""
    questions: int = QUESTIONS
    held: bool = False
    foreigner: bool = False
    tied_until_s: float = 0.0
    speaks_at_s: float = 0.0
    spoken: int = 0
    announces_with: int = 0
    may_answer_s: float = 0.0
    owes: bool = False
    """An inferior was heard that could not be answered yet."""
    delay_s: float = 0.0
    delay_max_s: float = 60.0
    calm_since_s: float | None = None
    """When its wait began; None where the operator has ended it."""
    changes_s: list[float] = field(default_factory=list)
    """From or to MASTER, each soon after the one before."""
    told_s: float | None = None
    """The end of the wait that the operator was told of."""

    # -- numbers -------------------------------------------------------------------------------------------------------

    @property
    def skew(self) -> int:
        # FreeBSD carp_input: a demoted node says at least 240. Below a second only the demotion byte tells (OpenBSD).
        return max(self.advskew, 240) if self.demotion and self.advbase else self.advskew

    @property
    def interval_s(self) -> float:
        # OpenBSD carp_setrun: both 0 is 1/256 s.
        return max(self.advbase + self.skew / 256, 1 / 256)

    @property
    def patience_s(self) -> float:
        # FreeBSD carp_setrun: 3 * advbase + advskew/256, of the configured advskew. OpenBSD, advbase 0: 3 intervals.
        return 3 * self.advbase + self.advskew / 256 if self.advbase else max(3 * self.advskew / 256, 3 / 256)

    @property
    def asks_early_s(self) -> float:
        # Three questions, spread over the last part of the patience, so that they cost no time.
        return min(0.6, self.patience_s / 4) * self.questions / QUESTIONS

    @property
    def asks(self) -> bool:
        return not self.held and self.questions > 0

    @property
    def deadline_s(self) -> float | None:
        """What the node waits for next; None in INIT."""
        if self.state is State.INIT:
            return None
        if self.state is State.MASTER:
            return self.speaks_at_s
        # carp(4), dual stack: either family's silence makes the node master.
        return min(self.patience_ends_s.values()) - (self.asks_early_s if self.asks else 0.0)

    # -- events --------------------------------------------------------------------------------------------------------

    def happens(self, event: Event, now: float) -> list[str]:
        """The effects of this event, in their order."""
        effects = self._wakes(now)
        match event, self.state:
            case Started(reason=reason), State.INIT:  # carp(4): it listens before it speaks
                effects += self._becomes(State.BACKUP, reason, now)
                self._listens(now, self.versions)
            case Stopped(reason=reason), State.BACKUP:  # it has nothing to give away
                effects += self._becomes(State.INIT, reason, now)
            case Stopped(reason=reason), State.MASTER:  # OpenBSD carp_ioctl: 255/255 tells the others at once
                effects += [f"advertise 255/255 demotion {self.demotion}", "release"]
                effects += self._becomes(State.INIT, reason, now)
            case DemotionChanged(demotion=demotion), _:
                if self.state is State.BACKUP and demotion < self.demotion:
                    self.calm_since_s = now
                self.demotion = demotion
                # FreeBSD carp_demote_adj: a master says so at once.
                effects += self._speaks(now) if self.state is State.MASTER else []
            case SettingsChanged(settings=new), _:
                effects += self._is_told(new, now)
            case PreemptionReleased(), State.BACKUP:
                self.calm_since_s = None
            # RFC 5227 2.1.1: somebody has the address. (The master that was heard last had it, too.)
            case AddressAnswered(), State.BACKUP if not self.held and self.due == SILENT:
                self.foreigner = True
            case AdvertisementReceived(), State.BACKUP:
                effects += self._backup_hears(event, now)
            case AdvertisementReceived(), State.MASTER:
                effects += self._master_hears(event, now)
            case DeadlineReached(), State.MASTER | State.BACKUP:
                assert self.deadline_s is not None
                effects += self._is_due(now) if now >= self.deadline_s - EPSILON_S else []
        return effects

    def _wakes(self, now: float) -> list[str]:
        # Late by more than half of its patience, a node has slept: it knows nothing and listens again.
        slept_s = self.patience_s / 2 + EPSILON_S
        if self.state is State.MASTER and now > self.speaks_at_s + slept_s:
            return self._steps_down(now, "overslept", 0.0)
        if self.state is State.BACKUP and now > min(self.patience_ends_s.values()) + slept_s:
            self._listens(now, self.versions)
        return []

    def _is_due(self, now: float) -> list[str]:
        if self.state is State.MASTER:
            owed = self.owes and now >= self.may_answer_s - EPSILON_S
            return self._answers(now) if owed else self._speaks(now)  # carp_send_ad
        if self.asks:  # a question that is asked late has its time for an answer all the same
            least_s = now + self.asks_early_s
            self.patience_ends_s = {each: max(least_s, end_s) for each, end_s in self.patience_ends_s.items()}
            self.questions -= 1
            return ["probe"]
        if self.foreigner:
            self._listens(now, self.versions)
            return ["refuse address_answered_by_another_host"]
        return self._takes_over(now, self.due)  # carp_master_down

    def _backup_hears(self, event: AdvertisementReceived, now: float) -> list[str]:
        own, heard = self._interval_256ths(self.advbase, self.skew), event.advertisement
        other = self._interval_256ths(heard.advbase, heard.advskew)
        wait_s = self.interval_s / 5 * self.tie_break / 256 if now < self.tied_until_s else 0.0
        reason, is_better = "", self.preempt and (self.demotion, own) < (heard.demotion, other)
        if (heard.advbase, heard.advskew) == (255, 255):  # carp(4), "bow out"; the best backup is the first to follow
            reason, wait_s = "master_bowed_out", min(0.010, 40e-6 * self.skew)
        elif heard.demotion > self.demotion:  # OpenBSD carp_proto_input_c: whether it preempts or not
            reason = "master_demoted"
        elif is_better and now >= self.calm_until_s - EPSILON_S:  # carp(4), net.inet.carp.preempt
            reason = "preempted_inferior_master"
        elif self.advbase and other > 256 * 3 * self.advbase + self.skew:  # FreeBSD: "it'll time out anyway"
            reason = "master_hopeless"
        if not reason:
            # carp_setrun restarts the timer of the family that was heard. A takeover that was due is off for both.
            self._listens(now, (event.version,) if self.due == SILENT else self.versions, wait_s)
            return self._says_that_it_waits(now) if is_better else []
        if not wait_s:
            return self._takes_over(now, reason)
        self.patience_ends_s = {each: min(now + wait_s, end_s) for each, end_s in self.patience_ends_s.items()}
        self.due, self.questions, self.foreigner = reason, 0, False
        return []

    def _master_hears(self, event: AdvertisementReceived, now: float) -> list[str]:
        heard = event.advertisement
        own = (self.demotion, self._interval_256ths(self.advbase, self.skew))
        other = (heard.demotion, self._interval_256ths(heard.advbase, heard.advskew))
        if (heard.advbase, heard.advskew) == (255, 255):  # a better one leaves: nothing changes for a master
            return []
        if own == other:  # FreeBSD carp_input: an equal is yielded to; the address decides who waits longer then
            # Tied again: the other hears too late (ucarp, CAPTURE_TIMEOUT), so it must have spoken before we do.
            late_s = 2 * self.interval_s if now < self.tied_until_s and self.tie_break else 0.0
            self.tied_until_s = now + 2 * self.patience_s
            extra_s = self.interval_s / 5 * self.tie_break / 256 + late_s
            return self._steps_down(now, "equal_advertisement_received", extra_s)
        if own > other:
            return self._steps_down(now, "better_advertisement_received", 0.0)
        if now < self.may_answer_s - EPSILON_S:  # once in a quarter of the interval, or two masters never fall silent
            self.speaks_at_s = min(self.speaks_at_s, self.may_answer_s)
            self.owes = True
            return []
        return self._answers(now)

    def _is_told(self, new: VirtualHostSettings, now: float) -> list[str]:
        before, patience_s, versions = (self.advbase, self.skew), self.patience_s, self.versions
        self.advbase, self.advskew, self.preempt = new.advbase, new.advskew, new.preempt
        self.versions, self.tie_break = new.versions, new.tie_break
        self.delay_s, self.delay_max_s = new.preempt_delay_s, new.preempt_delay_max_s
        if new.versions != versions and self.patience_ends_s:
            # All that were silent each for itself are heard as one now; a new one was never due to be heard before.
            self.patience_ends_s = dict.fromkeys(new.versions, max(self.patience_ends_s.values()))
        if self.state is not State.BACKUP:  # what it waited for earlier is no longer than it would have been by these
            longer_s = self.patience_s - patience_s
            self.patience_ends_s = {each: end_s + longer_s for each, end_s in self.patience_ends_s.items()}
        if self.state is State.MASTER and before != (self.advbase, self.skew):  # as a demotion: told at once
            self.may_answer_s = min(self.may_answer_s, now + self.interval_s / 4)
            return self._speaks(now)
        if self.state is State.BACKUP and self.due == SILENT and self.patience_s != patience_s:
            # The silence goes on; only how much of it is needed is another number.
            ends_s = {each: end_s - patience_s + self.patience_s for each, end_s in self.patience_ends_s.items()}
            self.patience_ends_s = {each: max(end_s, now) for each, end_s in ends_s.items()}
            self.questions, self.foreigner = QUESTIONS, False
        elif self.state is State.BACKUP and self.due not in (SILENT, "master_bowed_out"):
            # It was to follow from a comparison of ranks that is none any more: the next advertisement decides.
            wait_s = self.interval_s / 5 * self.tie_break / 256 if now < self.tied_until_s else 0.0
            self._listens(now, self.versions, wait_s)
        return []

    # -- effects -------------------------------------------------------------------------------------------------------

    def _answers(self, now: float) -> list[str]:
        self.may_answer_s = now + self.interval_s / 4  # RFC 9568 6.4.3: a lower priority is answered at once
        self.announces_with = self.spoken + 3
        return [*self._speaks(now), "announce"]

    def _speaks(self, now: float) -> list[str]:
        self.speaks_at_s, self.owes = now + self.interval_s, False
        self.spoken += 1
        said = f"advertise {self.advbase}/{self.skew} demotion {self.demotion}"
        # OpenBSD, sc_delayed_arp: again with the second one after; and with each tenth, before it is said.
        return ["announce", said] if self.spoken == self.announces_with or self.spoken % 10 == 0 else [said]

    def _takes_over(self, now: float, reason: str) -> list[str]:
        # FreeBSD carp_master_down: carp_send_ad, then the addresses, then carp_send_arp and carp_send_na.
        self.held, self.spoken, self.announces_with, self.may_answer_s = True, 0, 3, now
        return [*self._speaks(now), "acquire", "announce", *self._becomes(State.MASTER, reason, now)]

    def _steps_down(self, now: float, reason: str, extra_s: float) -> list[str]:
        self._listens(now, self.versions, extra_s)
        return ["release", *self._becomes(State.BACKUP, reason, now)]

    def _listens(self, now: float, versions: tuple[int, ...], extra_s: float = 0.0) -> None:
        first_s = min(self.patience_ends_s.values(), default=now)
        for each in versions:  # a wait that was longer stays: an equal is heard once in each family
            self.patience_ends_s[each] = max(now + self.patience_s + extra_s, self.patience_ends_s.get(each, 0.0))
        self.due = SILENT
        # The questions are the first deadline's: one that stays is not put off by them.
        if versions == self.versions or min(self.patience_ends_s.values()) != first_s:
            self.questions, self.foreigner = QUESTIONS, False

    def _becomes(self, new: State, reason: str, now: float) -> list[str]:
        old, self.state = self.state, new
        if State.MASTER in (old, new):
            self.changes_s = [*(self.changes_s if self._ends_s > now + EPSILON_S else []), now]
        if new is State.BACKUP:
            self.calm_since_s = now
        return [f"{old.name} -> {new.name} {reason}"]

    # -- calm ----------------------------------------------------------------------------------------------------------

    @property
    def _delay_s(self) -> float:
        delay_s = self.delay_s
        for _ in self.changes_s[1:]:
            delay_s = min(2 * delay_s, max(self.delay_s, self.delay_max_s))
        return delay_s

    @property
    def _ends_s(self) -> float:
        """The succession of changes does."""
        return max(60.0, 4 * self._delay_s) + self.changes_s[-1] if self.changes_s else 0.0

    @property
    def calm_until_s(self) -> float:
        """The wait ends with the succession that has made it longer."""
        if self.calm_since_s is None:
            return 0.0
        shortest_s, longest_s = self.calm_since_s + self.delay_s, self.calm_since_s + self._delay_s
        return min(longest_s, max(shortest_s, self._ends_s))

    def _says_that_it_waits(self, now: float) -> list[str]:
        if self.told_s == self.calm_until_s:
            return []
        self.told_s = self.calm_until_s
        changes = len(self.changes_s) if self._ends_s > now + EPSILON_S else 0
        return [f"wait {self.told_s - now:.2f} s after {changes} role changes"]

    @staticmethod
    def _interval_256ths(advbase: int, advskew: int) -> int:
        return max(256 * advbase + advskew, 1)  # FreeBSD compares seconds and microseconds: the same order
