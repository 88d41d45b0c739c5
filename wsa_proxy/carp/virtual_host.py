"""One virtual host: the machine that decides who is master. Events and the time go in, commands come out.

Theory of operation
===================

A virtual host is in one of three states (carp(4), WSA guide 2-21):

INIT    The node does not take part: it starts, stops, its link is down, or its proxy cannot serve. It is silent.
BACKUP  It is silent. Each authentic advertisement of a master moves its *master-down deadline* by
        3 * advbase + advskew/256 seconds.
MASTER  It holds the addresses and advertises at each *advertisement deadline*, every advbase + advskew/256 seconds.

There are four ways to become master, all from BACKUP: the master-down deadline passes in silence; the master bows
out (255/255) or is hopelessly slow; a demoted master is heard by a node in better health; and, if preemptive, a
master is heard that this node outranks (after a while only, if the operator wants it calm: ``calm.py``). There are two
ways to lose mastery: another master is heard that this node does not outrank (equals step down too, because a BSD
master never yields to its equal's silence), or the node is stopped.

One rule stands before all of them: a node whose deadline passed more than half a master-down interval ago has been
asleep. It forgets that it was master and listens for a whole master-down interval first, whatever the event that woke
it. Only silence is not believed then; a master that it hears is one that it may yield to, or take over from.

What cannot be seen here
========================

Frames, addresses and clocks are the driver's. It drains what has arrived before it says ``DeadlineReached``: a queued
advertisement counts before the silence does. Timers are of the dialect of FreeBSD, which is the WSA's: a master-down
deadline for each IP version, and either of them makes the node master, unless one version stands for all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wsa_proxy.carp import election
from wsa_proxy.carp.commands import AcquireAddresses
from wsa_proxy.carp.commands import AnnounceAddresses
from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import ProbeAddresses
from wsa_proxy.carp.commands import Reason
from wsa_proxy.carp.commands import ReleaseAddresses
from wsa_proxy.carp.commands import ReportRefusal
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import SendFarewell
from wsa_proxy.carp.commands import SendIntent
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.election import Rank
from wsa_proxy.carp.events import AddressAnswered
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import DeadlineReached
from wsa_proxy.carp.events import DemotionChanged
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.events import FarewellReceived
from wsa_proxy.carp.events import FirstContact
from wsa_proxy.carp.events import PreemptionReleased
from wsa_proxy.carp.events import SettingsChanged
from wsa_proxy.carp.events import Started
from wsa_proxy.carp.events import Stopped
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.standing import PROBES
from wsa_proxy.carp.standing import Standing
from wsa_proxy.carp.wire import Version

BOW_OUT_WAIT_PER_ADVSKEW_S = 40e-6  # the best backup answers a bow-out first and its advertisement stops the others
BOW_OUT_WAIT_S_MIN, BOW_OUT_WAIT_S_MAX = 1e-4, 0.010  # at least for what waits behind it in the socket

TIE_REMEMBERED_INTERVALS = 2  # master-down intervals: a worse third node may become master in between

ANNOUNCE_AGAIN_AFTER = 2  # advertisements after a promotion or a won conflict (OpenBSD's delayed ARP)
ANNOUNCE_EVERY = 10  # advertisements: a lost announcement costs a client that long at most


class VirtualHost(Standing):
    """The state of one virtual host. ``handle`` is the only way to change it; ``now`` is monotonic seconds."""

    def __init__(self, settings: VirtualHostSettings) -> None:
        super().__init__(settings)
        self.state = State.INIT
        self._deadline_advertisement_s = 0.0
        self._reason_master_down = Reason.MASTER_SILENT
        self._held_before = False
        self._answered_by: str | None = None
        self._advertisements_sent = 0
        self._announce_at = 0
        self._answer_after_s = 0.0
        self._answer_owed = False

    # -- what the driver asks ----------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When ``DeadlineReached`` is due, in the seconds of ``now``; None while there is nothing to wait for."""
        if self.state is State.MASTER:
            return self._deadline_advertisement_s
        if self.state is State.BACKUP:
            return self._next_probe_s() if self._probes_left and not self._held_before else self._earliest_s()
        return None

    @property
    def silence_ends_s(self) -> float | None:
        """When a master that is not heard is taken for dead; None where no silence is waited for."""
        silent = self.state is State.BACKUP and self._reason_master_down is Reason.MASTER_SILENT
        return self._earliest_s() if silent else None

    def handle(self, event: Event, now: float) -> list[Command]:
        """Take one event at the time ``now`` and answer what must be done, in this order."""
        commands = self._wake(now)
        cell = CELLS[self.state, type(event)]
        if isinstance(cell, Ignored):
            return commands
        return commands + cell(self, event, now)

    # -- INIT and BACKUP ---------------------------------------------------------------------------------------------

    def _start(self, event: Started, now: float) -> list[Command]:
        self._listen(now)
        return [self._report(now, State.BACKUP, event.reason, f"listening_s={self._master_down_s:.2f}")]

    def _backup_hears(self, event: AdvertisementReceived, now: float) -> list[Command]:
        heard = event.advertisement
        other = Rank(heard.demotion, election.interval_256ths(heard.advbase, heard.advskew))
        self._hear(event, now)
        if heard.is_bow_out:  # known by its value, so it works at any advbase
            wait_s = min(self.advskew * BOW_OUT_WAIT_PER_ADVSKEW_S, BOW_OUT_WAIT_S_MAX) + self.after_better_s
            left_s = max(wait_s - event.waited_s, min(wait_s, BOW_OUT_WAIT_S_MIN))
            return self._take_over(now, left_s, Reason.MASTER_BOWED_OUT, f"last_master={self.last_master}")
        # The demotion of a master counts regardless of preempt (OpenBSD ip_carp.c).
        if other.demotion > self.demotion:
            evidence = f"its_demotion={other.demotion} own={self.demotion}"
            return self._take_over(now, self._tie_wait_s(now), Reason.MASTER_DEMOTED, evidence)
        # A preemptive node takes over from a master that it outranks (carp(4)), once it has waited (``calm.py``).
        inferior = self.settings.preempt and election.outranks(self.rank, other)
        if inferior and now >= self.calm.due_s:
            return self._take_over(now, self._tie_wait_s(now), Reason.PREEMPTED, self._compared(other))
        # A master so slow that it must time out anyway counts as timed out (carp(4)).
        if election.is_hopeless(self.settings.advbase, self.advskew, other.interval_256ths):
            return self._take_over(now, self._tie_wait_s(now), Reason.MASTER_HOPELESS, self._compared(other))
        # Equals of which two have tied go on waiting differently, or the next two tie while these start again together.
        extra_s = self._tie_wait_s(now)
        if self._reason_master_down is not Reason.MASTER_SILENT:
            # A takeover was due in both IP versions; so whoever came first is heard for both.
            self._listen(now, extra_s)
        else:
            self._restart_master_down(event.version, now, extra_s)
        return self.calm.endure(now) if inferior else self.calm.rest()

    def _backup_deadline(self, event: DeadlineReached, now: float) -> list[Command]:
        if self._probes_left and not self._held_before and now >= self._next_probe_s():
            return self._probe(now)
        if now < self._earliest_s():
            return []
        if self._answered_by is not None:
            refusal = ReportRefusal(Reason.ADDRESS_ANSWERED.value, f"mac={self._answered_by}")
            self._listen(now)
            return [refusal]
        # The IP version whose silence it is.
        version = min(self._deadlines_master_down_s, key=self._deadlines_master_down_s.__getitem__)
        heard_at_s = self._heard_at_s.get(version)
        silent_s = f"silent_s={now - heard_at_s:.2f} " if heard_at_s is not None else ""
        return self._promote(now, self._reason_master_down, f"{silent_s}last_master={self.last_master or 'none'}")

    def _probe(self, now: float) -> list[Command]:
        """Before the first acquisition the LAN is asked; a late question still gets its whole time for an answer."""
        for version, deadline_s in self._deadlines_master_down_s.items():
            time_to_answer_s = self._probe_lead_s * self._probes_left / PROBES
            self._deadlines_master_down_s[version] = max(deadline_s, now + time_to_answer_s)
        self._probes_left -= 1
        return [ProbeAddresses()]

    def _backup_address_answered(self, event: AddressAnswered, now: float) -> list[Command]:
        # Once a takeover by hearing is due, a late answer may have been the master's own, who has left since.
        if not self._held_before and self._reason_master_down is Reason.MASTER_SILENT:
            self._answered_by = event.by
        return []

    def _backup_first_contact(self, event: FirstContact, now: float) -> list[Command]:
        # Somebody is there, or was: the silence has ended, and nothing else of it is believed.
        self._listen(now)
        return []

    def _backup_demotion(self, event: DemotionChanged, now: float) -> list[Command]:
        if event.demotion < self.demotion:
            self.calm.begin(now)
        return self._set_demotion(event, now)

    def _backup_released(self, event: PreemptionReleased, now: float) -> list[Command]:
        self.calm.release()
        return []

    def _backup_stop(self, event: Stopped, now: float) -> list[Command]:
        return [self._report(now, State.INIT, event.reason, "")]

    # -- MASTER ------------------------------------------------------------------------------------------------------

    def _master_hears(self, event: AdvertisementReceived, now: float) -> list[Command]:
        heard = event.advertisement
        other = Rank(heard.demotion, election.interval_256ths(heard.advbase, heard.advskew))
        if heard.is_bow_out:
            return []
        # A master steps down for a better one, and for an equal: nothing else ends a tie with a BSD.
        if not election.outranks(self.rank, other):
            self._hear(event, now)
            reason = Reason.TIED if other == self.rank else Reason.OUTRANKED
            return self._yield(now, reason, f"{self._compared(other)} from={event.sender}")
        return self._answer_inferior(now)

    def _answer_inferior(self, now: float) -> list[Command]:
        """The loser must hear at once that there is a better master, and the LAN where the addresses are; not for every
        packet, or two masters that each think they win would answer each other for ever."""
        if now < self._answer_after_s:
            # Not now, but as soon as the limit allows: this one may be a third node that missed the last answer.
            self._deadline_advertisement_s = min(self._deadline_advertisement_s, self._answer_after_s)
            self._answer_owed = True
            return []
        self._answer_after_s = now + self._interval_s() / 4
        self._announce_at = self._advertisements_sent + 1 + ANNOUNCE_AGAIN_AFTER
        return [*self._advertise(now), AnnounceAddresses()]

    def _master_farewell(self, event: FarewellReceived, now: float) -> list[Command]:
        return [AnnounceAddresses()]  # the loser's clients may have heard it last

    def _master_deadline(self, event: DeadlineReached, now: float) -> list[Command]:
        if now < self._deadline_advertisement_s:
            return []
        owed = self._answer_owed and now >= self._answer_after_s
        return self._answer_inferior(now) if owed else self._advertise(now)

    def _master_demotion(self, event: DemotionChanged, now: float) -> list[Command]:
        # Every change is advertised at once, so that a better node reacts within one packet (FreeBSD).
        return [*self._set_demotion(event, now), *self._advertise(now)]

    def _master_stop(self, event: Stopped, now: float) -> list[Command]:
        bow_out = SendAdvertisement(election.BOW_OUT, election.BOW_OUT, self.demotion)
        return [bow_out, ReleaseAddresses(), self._report(now, State.INIT, event.reason, "")]

    # -- other settings ----------------------------------------------------------------------------------------------

    def _change(self, event: SettingsChanged, now: float) -> list[Command]:
        before_s = self._master_down_s
        self._take(event.settings)
        # Waits never become shorter by listening anew: one of a longer interval would outlive it by minutes.
        for version in self._deadlines_master_down_s:
            self._deadlines_master_down_s[version] += self._master_down_s - before_s
        return []

    def _backup_change(self, event: SettingsChanged, now: float) -> list[Command]:
        before_s = self._master_down_s
        self._take(event.settings)
        longer_s = self._master_down_s - before_s
        if self._reason_master_down not in (Reason.MASTER_SILENT, Reason.MASTER_BOWED_OUT):
            # A takeover that the old rank was due to: the master's next advertisement is compared with the new one.
            self._listen(now, self._tie_wait_s(now))
        elif self._reason_master_down is Reason.MASTER_SILENT and longer_s:
            # The silence counts from where it began (carp_setrun would begin anew), or many changes in a row would
            # put a takeover off. What has been silent for the new interval already is due now.
            for version, deadline_s in self._deadlines_master_down_s.items():
                self._deadlines_master_down_s[version] = max(now, deadline_s + longer_s)
            self._probes_left = PROBES
            self._answered_by = None
        return []

    def _master_change(self, event: SettingsChanged, now: float) -> list[Command]:
        before = self.rank
        self._change(event, now)
        if self.rank == before:
            return []
        # As with a demotion, the others hear at once whom to compare with, and how long to wait for the next one.
        self._answer_after_s = min(self._answer_after_s, now + self._interval_s() / 4)
        return self._advertise(now)

    # -- steps that several cells share ------------------------------------------------------------------------------

    def _set_demotion(self, event: DemotionChanged, now: float) -> list[Command]:
        self.demotion = event.demotion
        self.rank = self._own_rank()
        return []

    def _wake(self, now: float) -> list[Command]:
        """The rule before all rules: see "Theory of operation"."""
        too_late_s = self._master_down_s / 2
        if self.state is State.MASTER and now - self._deadline_advertisement_s > too_late_s:
            return self._yield(now, Reason.OVERSLEPT, f"late_s={now - self._deadline_advertisement_s:.2f}")
        if self.state is State.BACKUP and now - self._earliest_s() > too_late_s:
            self._listen(now)
        return []

    def _listen(self, now: float, extra_s: float = 0.0) -> None:
        """Start a whole master-down interval of listening."""
        for version in self.settings.versions:
            self._restart_master_down(version, now, extra_s)
        self._probes_left = PROBES
        self._answered_by = None

    def _restart_master_down(self, version: Version, now: float, extra_s: float = 0.0) -> None:
        # Never earlier than before: a tie is heard once in each IP version and from each equal, and the longer wait
        # that ends it must survive all of them.
        first_s = min(self._deadlines_master_down_s.values(), default=None)
        before_s = self._deadlines_master_down_s.get(version, now)
        self._deadlines_master_down_s[version] = max(before_s, now + self._master_down_s + extra_s)
        self._reason_master_down = Reason.MASTER_SILENT
        # The questions belong to the deadline that comes first; asked anew, they would put off another that stays.
        if self._earliest_s() != first_s:
            self._probes_left = PROBES
            self._answered_by = None

    def _take_over(self, now: float, wait_s: float, reason: Reason, evidence: str) -> list[Command]:
        """At once, or after a wait in which somebody else may be heard to have done it."""
        if wait_s == 0:
            return self._promote(now, reason, evidence)
        for version, deadline_s in self._deadlines_master_down_s.items():
            self._deadlines_master_down_s[version] = min(deadline_s, now + wait_s)
        self._reason_master_down = reason
        self._probes_left = 0  # a master was there just now: nobody else has the addresses
        self._answered_by = None
        return []

    def _promote(self, now: float, reason: Reason, evidence: str) -> list[Command]:
        """Advertise, acquire, announce (FreeBSD ip_carp.c), or acquire first; then the others are told before that."""
        report = self._report(now, State.MASTER, reason.value, evidence)
        self._held_before = True
        self._advertisements_sent, self._announce_at = 0, 1 + ANNOUNCE_AGAIN_AFTER
        self._answer_after_s = now
        advertise, acquire = self._advertise(now), AcquireAddresses()
        claims = [acquire, *advertise] if self.settings.acquires_first else [*advertise, acquire]
        if self.settings.says_intent and reason is Reason.MASTER_BOWED_OUT:
            claims.insert(0, SendIntent(self.settings.advbase, self.advskew, self.demotion))
        return [*claims, AnnounceAddresses(), report]

    def _yield(self, now: float, reason: Reason, evidence: str) -> list[Command]:
        extra_s = 0.0
        if reason is Reason.TIED:
            # Equals that start together would meet again for ever; the address decides who waits longer.
            extra_s = self._tie_extra_s(again=now < self._tied_until_s)
            self._tied_until_s = now + TIE_REMEMBERED_INTERVALS * self._master_down_s
        self._listen(now, extra_s)
        commands: list[Command] = [ReleaseAddresses(), self._report(now, State.BACKUP, reason.value, evidence)]
        if self.settings.says_farewell and reason is not Reason.OVERSLEPT:
            commands.insert(0, SendFarewell(self.settings.advbase, self.advskew, self.demotion))
        return commands

    def _advertise(self, now: float) -> list[Command]:
        self._deadline_advertisement_s = now + self._interval_s()
        self._answer_owed = False
        self._advertisements_sent += 1
        advertisement = SendAdvertisement(self.settings.advbase, self.advskew, self.demotion)
        due = self._advertisements_sent == self._announce_at or self._advertisements_sent % ANNOUNCE_EVERY == 0
        # The announcement first: the advertisement may make a better node take over, and what this one announced after
        # that would draw the LAN back to it.
        return [AnnounceAddresses(), advertisement] if due else [advertisement]

    def _report(self, now: float, new: State, reason: str, evidence: str) -> ReportTransition:
        old, self.state = self.state, new
        if State.MASTER in (old, new):
            self.calm.role_changed(now)
        if new is State.BACKUP:
            self.calm.begin(now)
        return ReportTransition(old, new, reason, evidence)


@dataclass(frozen=True, slots=True)
class Ignored:
    """A cell of the table that is empty on purpose."""

    reason: str


CELLS: dict[tuple[State, type], Callable[..., list[Command]] | Ignored] = {
    (State.INIT, Started): VirtualHost._start,
    (State.INIT, Stopped): Ignored("already out"),
    (State.INIT, AdvertisementReceived): Ignored("a node in INIT knows nothing and says nothing (FreeBSD ip_carp.c)"),
    (State.INIT, FarewellReceived): Ignored("as any other advertisement"),
    (State.INIT, FirstContact): Ignored("as any other advertisement"),
    (State.INIT, DeadlineReached): Ignored("INIT has no deadline; a timer that was armed before may still fire"),
    (State.INIT, DemotionChanged): VirtualHost._set_demotion,
    (State.INIT, SettingsChanged): VirtualHost._change,
    (State.INIT, PreemptionReleased): Ignored("no wait has begun"),
    (State.INIT, AddressAnswered): Ignored("the question belongs to an earlier life"),
    (State.BACKUP, Started): Ignored("already listening"),
    (State.BACKUP, Stopped): VirtualHost._backup_stop,
    (State.BACKUP, AdvertisementReceived): VirtualHost._backup_hears,
    (State.BACKUP, FarewellReceived): Ignored("the loser's last word: a better master is there, or its silence counts"),
    (State.BACKUP, FirstContact): VirtualHost._backup_first_contact,
    (State.BACKUP, DeadlineReached): VirtualHost._backup_deadline,
    (State.BACKUP, DemotionChanged): VirtualHost._backup_demotion,
    (State.BACKUP, SettingsChanged): VirtualHost._backup_change,
    (State.BACKUP, PreemptionReleased): VirtualHost._backup_released,
    (State.BACKUP, AddressAnswered): VirtualHost._backup_address_answered,
    (State.MASTER, Started): Ignored("already serving"),
    (State.MASTER, Stopped): VirtualHost._master_stop,
    (State.MASTER, AdvertisementReceived): VirtualHost._master_hears,
    (State.MASTER, FarewellReceived): VirtualHost._master_farewell,
    (State.MASTER, FirstContact): Ignored("it may be a replay, and the next one tells"),
    (State.MASTER, DeadlineReached): VirtualHost._master_deadline,
    (State.MASTER, DemotionChanged): VirtualHost._master_demotion,
    (State.MASTER, SettingsChanged): VirtualHost._master_change,
    (State.MASTER, PreemptionReleased): Ignored("there is nobody to preempt"),
    (State.MASTER, AddressAnswered): Ignored("the answer came after the addresses were taken: the election decides"),
}
"""The machine: every state and every event. ``handle`` looks here and nowhere else."""
