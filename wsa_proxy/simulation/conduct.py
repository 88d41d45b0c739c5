"""What one node answers to what it is told, and in which order: I2, I3, I5 to I7, V3, V5 to V7, V11.

Every answer of the core is judged at the moment of the decision, before a slow kernel delays what follows from it. It
is read in steps, each with at most one transition: a master that overslept and then hears a better one takes two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

from wsa_proxy.carp.commands import AcquireAddresses
from wsa_proxy.carp.commands import Advertising
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
from wsa_proxy.carp.events import AddressAnswered
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import DeadlineReached
from wsa_proxy.carp.events import DemotionChanged
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.events import FarewellReceived
from wsa_proxy.carp.events import FirstContact
from wsa_proxy.carp.events import SettingsChanged
from wsa_proxy.carp.events import Started
from wsa_proxy.carp.events import Stopped
from wsa_proxy.simulation import telling
from wsa_proxy.simulation.bounds import ANNOUNCE_AGAIN
from wsa_proxy.simulation.bounds import ANNOUNCE_EVERY
from wsa_proxy.simulation.bounds import CLAIM_S
from wsa_proxy.simulation.bounds import EPSILON_S
from wsa_proxy.simulation.bounds import RETRIES_MAX
from wsa_proxy.simulation.bounds import TIE_REMEMBERED
from wsa_proxy.simulation.bounds import TIED_AGAIN
from wsa_proxy.simulation.bounds import down_s
from wsa_proxy.simulation.bounds import heard_rank
from wsa_proxy.simulation.bounds import interval_s
from wsa_proxy.simulation.bounds import lateness_s
from wsa_proxy.simulation.bounds import own_tie_wait_s
from wsa_proxy.simulation.bounds import own_values
from wsa_proxy.simulation.bounds import rank
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.memory import NEVER_S
from wsa_proxy.simulation.memory import Memory
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.rights import Rights
from wsa_proxy.simulation.violation import Violation


class Conduct:
    """Judges one node. ``marks`` counts the situations that a campaign must have seen."""

    def __init__(self, node: Node, marks: Counter[str]) -> None:
        self.node = node
        self.marks = marks
        self.memory = Memory(down_s(node), lateness_s(node) + EPSILON_S)
        self.rights = Rights(node, self.memory, marks)
        self._says: Advertising | None = None
        self.telling = telling.Telling(node, self.memory, marks)

    def told(self, kind: str, what: Any) -> None:
        """One line of the story, as it happens."""
        if hears := telling.LISTENERS.get(kind):
            hears(self.telling, what)
        if listener := _LISTENERS.get(kind):
            listener(self, what)
        else:
            self.marks[kind] += 1
        self.rights.restraint.told(kind, what)

    # -- what it is told -----------------------------------------------------------------------------------------------

    def _life(self, _: None) -> None:
        self.memory.answer_due_s, self.memory.tied_until_s = NEVER_S, -NEVER_S
        self.memory.held_before = self.memory.left = self.memory.refused = False
        self.memory.down_s = down_s(self.node)
        self._done(None)

    def _done(self, _: None) -> None:
        self.memory.known, self.memory.rejects = self.node.fingerprint(), self.node.rejects.total()

    def _way(self, _: object) -> None:
        self.rights.moves()
        self.memory.patient_until_s = -NEVER_S

    def _accept(self, frame: Advertised) -> None:
        self.marks["forged, and believed by plain CARP"] += frame.forged

    def _reject(self, _: object) -> None:
        # I3: a rejected frame changes exactly one counter and nothing else.
        node, memory = self.node, self.memory
        if node.fingerprint() != memory.known or node.rejects.total() != memory.rejects + 1:
            raise Violation("I3", f"a rejected frame changed node {node.number}: {memory.known} {node.fingerprint()}")
        memory.rejects += 1

    def _retry(self, _: None) -> None:
        # I9: a refused release is tried again as long as the lease runs, no longer.
        self.memory.retries = 0 if self.node.holds else self.memory.retries + 1
        if self.memory.retries > RETRIES_MAX:
            raise Violation("I9", f"node {self.node.number} has tried {RETRIES_MAX} times to release what it has not")

    def _advertisement(self, command: Advertising) -> None:
        self._says = command
        # I7: who leaves or yields says so before it removes the addresses.
        leaves = isinstance(command, SendFarewell) or command.advbase == 255
        if leaves and not (self.node.holds or self.node.is_refused or self._has_just_woken):
            raise Violation("I7", f"node {self.node.number} has removed the addresses, and says {command}")
        self.marks["farewell"] += isinstance(command, SendFarewell)
        self.marks["intent"] += isinstance(command, SendIntent)

    def _from_virtual_mac(self, _: object) -> None:
        # I7: what draws the clients here comes from a master that has the addresses, or that is about to lose them.
        self.marks["an advertisement from the virtual MAC"] += 1
        if isinstance(self._says, SendFarewell | SendIntent) or not (self.node.holds or self._has_just_woken):
            raise Violation("I7", f"node {self.node.number} lacks the addresses, and says from their MAC: {self._says}")

    @property
    def _has_just_woken(self) -> bool:
        """Waking up, it renews its lease after the turn."""
        return self.memory.still_since_s is not None or self.memory.woke_at_s == self.node.now

    def _announcement(self, age_s: float) -> None:
        # I7: nothing is claimed that was decided more than half a second ago.
        if age_s > CLAIM_S + EPSILON_S:
            raise Violation("I7", f"node {self.node.number} announces what it decided {age_s:.2f} s ago")
        self.memory.announce_due_s = NEVER_S
        # I5: announced if and only if MASTER, and held.
        if self.node.state is not State.MASTER or not (self.node.holds or self._has_just_woken):
            raise Violation("I5", f"node {self.node.number} announces what it does not hold")
        # V7: nor by a master that has overslept.
        if self._late_s() > self.memory.down_s / 2 + EPSILON_S:
            raise Violation("V7", f"node {self.node.number} is {self._late_s():.2f} s late as master, and announces")

    def _transition(self, report: ReportTransition) -> None:
        self.marks[report.reason] += 1

    def _event(self, event: Event) -> None:
        self._begin(event)
        memory, node = self.memory, self.node
        if isinstance(event, AdvertisementReceived):
            self.rights.hears(event.advertisement, event.version)
        elif isinstance(event, SettingsChanged):
            self.marks["other settings"] += 1
            self.rights.told(down_s(node))
            memory.may_answer_from_s = min(memory.may_answer_from_s, node.now + interval_s(node) / 4)
        elif isinstance(event, FirstContact):
            self.rights.rest(node.settings.versions)
        elif isinstance(event, FarewellReceived):
            self.marks["a farewell was heard"] += 1
        elif isinstance(event, AddressAnswered):
            # What holds back a silence's end holds back no takeover for a reason.
            memory.answered, memory.answered_at_s = not memory.reasons, node.now
        elif node.state is not State.BACKUP:
            self.rights.forget()  # what a master heard is no reason for the backup that it becomes
            if isinstance(event, Started) and node.state is State.INIT:
                memory.answered = memory.left = False
                self.rights.rest(node.settings.versions)

    def _begin(self, cause: object) -> None:
        self.memory.cause, self.memory.was = cause, self.node.state
        if self.memory.was is State.BACKUP:
            self.rights.wake()

    # -- what it answers -----------------------------------------------------------------------------------------------

    def _commands(self, commands: list[Command]) -> None:
        state = self.memory.was
        for step in _steps(commands):
            report = step[-1] if isinstance(step[-1], ReportTransition) else None
            if report is not None and report.old is not state:
                raise Violation("I2", f"node {self.node.number} was {state.name}, and reports {report}")
            new = report.new if report is not None else state
            _JUDGES.get((state, new), Conduct._silence)(self, step, report)
            state = new
        if state is not self.node.state:
            raise Violation("I2", f"node {self.node.number} became {self.node.state.name} without a report")
        if self.memory.was is State.MASTER:
            self._judge_duties(commands, state)
        if state is not State.MASTER:
            self.memory.announce_due_s = NEVER_S
        elif AnnounceAddresses() in commands and not self.node.kernel.refuses:
            self.memory.announce_due_s = self.node.now

    def _silence(self, step: list[Command], report: ReportTransition | None) -> None:
        # I6: BACKUP and INIT are silent, and I7: they take and announce nothing.
        for command in step:
            match command:
                case SendAdvertisement() | SendFarewell() | SendIntent():
                    raise Violation("I6", f"node {self.node.number}, {self.memory.was.name}, says {command}")
                case AcquireAddresses() | AnnounceAddresses():
                    raise Violation("I7", f"node {self.node.number}, {self.memory.was.name}: {command}")
                case ProbeAddresses() if self.memory.held_before:
                    raise Violation("V11", f"node {self.node.number} has held the addresses, and asks who has them")
                case ProbeAddresses():
                    self.marks["asked who has the addresses"] += 1
                case ReportRefusal():
                    self._judge_refusal(command)
                case _:
                    pass

    def _judge_refusal(self, command: ReportRefusal) -> None:
        # V11: nothing but a stranger who answers holds a takeover back, by one D at a time.
        self.marks[command.reason] += 1
        if not self.memory.answered:
            raise Violation("V11", f"node {self.node.number} does not take over: {command}")
        self.memory.answered = False
        self.rights.rest(self.node.settings.versions)

    def _promotion(self, step: list[Command], report: ReportTransition) -> None:
        memory, node = self.memory, self.node
        # I2: nobody is master before its deadline, unless a rule names the reason; the best is first after a bow-out.
        rests = node.now < min(memory.rests_until_s.values()) - EPSILON_S
        early = rests
        if report.reason != Reason.MASTER_SILENT.value:
            early = report.reason not in memory.reasons or (rests and node.now < memory.follows_from_s - EPSILON_S)
        if early:
            raise Violation("I2", f"node {node.number} became master too early: {report.reason} {report.evidence}")
        # I7: promotion = advertisement, address, announcement; with a virtual MAC intent, address, advertisement.
        kinds = [type(command) for command in step]
        claims: list[type[Command]] = [SendAdvertisement, AcquireAddresses]
        if node.settings.acquires_first:
            says_intent = node.way.signs_sealed and not node.unicast and report.reason == Reason.MASTER_BOWED_OUT.value
            claims = [*[SendIntent] * says_intent, *reversed(claims)]
        if kinds != [*claims, AnnounceAddresses, ReportTransition]:
            raise Violation("I7", f"promotion out of order: {step}")
        if SendIntent in kinds and step[0] != SendIntent(*own_values(node)):
            raise Violation("I6", f"node {node.number} says {step[0]}, and is {rank(node)}")
        memory.held_before, memory.answered, memory.may_answer_from_s = True, False, -NEVER_S
        memory.unannounced, memory.again_in = 0, ANNOUNCE_AGAIN
        self.rights.forget()
        self._sends(step[claims.index(SendAdvertisement)])

    def _defeat(self, step: list[Command], report: ReportTransition) -> None:
        memory, node, cause = self.memory, self.node, self.memory.cause
        # V5: a master steps down for a better or equal one that it hears, or when it has overslept, never else.
        heard = isinstance(cause, AdvertisementReceived) and report.reason != Reason.OVERSLEPT.value
        if heard:
            assert isinstance(cause, AdvertisementReceived)
            justified = not cause.advertisement.is_bow_out and heard_rank(cause.advertisement) <= rank(node)
        else:
            due_s = min(memory.sent_at_s + interval_s(node), memory.answer_due_s)
            justified = node.now > due_s + memory.down_s / 2 - EPSILON_S
        if not justified:
            raise Violation("V5", f"node {node.number} steps down without a cause: {report.reason} {report.evidence}")
        # I7: demotion = farewell, address removed. V6: losers that sign sealed say farewell, once.
        farewells = heard and node.way.signs_sealed
        kinds = [type(command) for command in step]
        if kinds != [*[SendFarewell] * farewells, ReleaseAddresses, ReportTransition]:
            raise Violation("V6" if farewells else "I7", f"defeat out of order: {step}")
        memory.answer_due_s, longer_s, again_s = NEVER_S, 0.0, 0.0
        if heard:
            self.rights.forget()  # it has heard it as a master
            assert isinstance(cause, AdvertisementReceived)
            tied = heard_rank(cause.advertisement) == rank(node)
            if tied != (report.reason == Reason.TIED.value):
                raise Violation("V5", f"node {node.number} steps down for another reason than {report.reason}")
            if tied and not node.way.decided:
                again_s = TIED_AGAIN * interval_s(node) * (node.now < memory.tied_until_s)
                longer_s = own_tie_wait_s(node) + again_s
            if tied:
                memory.tied_until_s = node.now + TIE_REMEMBERED * memory.down_s
        self.rights.rest(node.settings.versions, longer_s, again_s)

    def _stop(self, step: list[Command], report: ReportTransition) -> None:
        # V3: who leaves in order bows out, once, and I7: before it removes the address.
        kinds = [type(command) for command in step]
        bow_outs = [command for command in step if isinstance(command, SendAdvertisement) and command.advbase == 255]
        if not isinstance(self.memory.cause, Stopped) or len(bow_outs) != 1:
            raise Violation("V3", f"node {self.node.number} leaves with {step}, at {self.memory.cause}")
        if kinds != [SendAdvertisement, ReleaseAddresses, ReportTransition]:
            raise Violation("I7", f"stop out of order: {step}")
        self.memory.answer_due_s = NEVER_S
        self.memory.left = True

    def _mastery(self, step: list[Command], report: None) -> None:
        memory, node, cause = self.memory, self.node, self.memory.cause
        kinds = [type(command) for command in step]
        sent = [command for command in step if isinstance(command, SendAdvertisement | SendFarewell)]
        if ReleaseAddresses in kinds or AcquireAddresses in kinds:
            raise Violation("I7", f"node {node.number}, MASTER: {step}")
        if AnnounceAddresses in kinds:
            memory.unannounced = 0
        if not sent:
            return
        # V7: a master that comes later than half of D is BACKUP before it sends anything.
        if self._late_s() > memory.down_s / 2 + EPSILON_S and not isinstance(cause, DemotionChanged):
            raise Violation("V7", f"node {node.number} is {self._late_s():.2f} s late as master, and advertises")
        # I6: a MASTER advertises once per T, at each change of its own rank, and to an inferior once per T/4.
        answers = memory.answer_due_s < NEVER_S or isinstance(cause, AdvertisementReceived)
        if len(sent) > 1 or not self._was_asked():
            since_s = node.now - memory.sent_at_s
            raise Violation("I6", f"node {node.number} says {sent} {since_s:.3f} s after the last time, at {cause}")
        # V6: winners announce again. I7: a periodic announcement goes first: what is advertised may make a better one
        # master, whose clients this one would draw back.
        if isinstance(cause, AdvertisementReceived) and AnnounceAddresses not in kinds:
            raise Violation("V6", f"node {node.number} answers an inferior with {step}")
        if not answers and AnnounceAddresses in kinds and kinds[0] is not AnnounceAddresses:
            raise Violation("I7", f"node {node.number} announces after it has advertised: {step}")
        # V6: and once more with the second advertisement after a promotion or an answer.
        memory.again_in = ANNOUNCE_AGAIN if kinds[-1] is AnnounceAddresses else memory.again_in - 1
        if memory.again_in == 0 and AnnounceAddresses not in kinds:
            raise Violation("V6", f"node {node.number} does not announce once more")
        self._sends(sent[0])

    def _late_s(self) -> float:
        """After its next advertisement was due, as a master."""
        return self.node.now - self.memory.sent_at_s - interval_s(self.node)

    def _was_asked(self) -> bool:
        memory, node = self.memory, self.node
        if isinstance(memory.cause, DemotionChanged):
            return True
        if isinstance(memory.cause, SettingsChanged):
            return memory.said != rank(node)
        asked = memory.answer_due_s < NEVER_S
        if isinstance(memory.cause, AdvertisementReceived):
            heard = memory.cause.advertisement
            asked = asked or (not heard.is_bow_out and heard_rank(heard) > rank(node))
        if asked and node.now >= memory.may_answer_from_s - EPSILON_S:
            memory.may_answer_from_s = node.now + interval_s(node) / 4
            self.marks["an inferior was answered"] += 1
            return True
        return isinstance(memory.cause, DeadlineReached) and self._late_s() >= -EPSILON_S

    def _sends(self, command: Command) -> None:
        # I6: what it says is its rank.
        memory, node = self.memory, self.node
        if command != (own := SendAdvertisement(*own_values(node))):
            raise Violation("I6", f"node {node.number} says {command}, and is {own}")
        memory.sent_at_s, memory.said = node.now, rank(node)
        memory.answer_due_s = NEVER_S
        # V6: a master announces with every tenth advertisement.
        memory.unannounced += 1
        if memory.unannounced > ANNOUNCE_EVERY:
            raise Violation("V6", f"node {node.number} advertises {memory.unannounced} times and does not announce")

    def _judge_duties(self, commands: list[Command], state: State) -> None:
        """What a master must do at once."""
        memory, node, cause = self.memory, self.node, self.memory.cause
        sent = any(isinstance(command, SendAdvertisement) for command in commands)
        if isinstance(cause, FarewellReceived) and state is State.MASTER and AnnounceAddresses() not in commands:
            raise Violation("V6", f"node {node.number} hears a farewell and does not announce")
        told = isinstance(cause, DemotionChanged) or (isinstance(cause, SettingsChanged) and memory.said != rank(node))
        if told and state is State.MASTER and not sent:
            raise Violation("I6", f"node {node.number} does not tell that its rank has changed")
        if not isinstance(cause, AdvertisementReceived) or cause.advertisement.is_bow_out or state is State.BACKUP:
            return
        # I1: a master yields to a better one and to an equal, and answers an inferior, at once or as soon as it may.
        if heard_rank(cause.advertisement) <= rank(node):
            raise Violation("I1", f"node {node.number} hears {cause.advertisement} and stays master")
        if not sent:
            memory.answer_due_s = min(memory.answer_due_s, max(node.now, memory.may_answer_from_s))


def _steps(commands: list[Command]) -> Iterator[list[Command]]:
    """Each ends with a report, but for the last."""
    step: list[Command] = []
    for command in commands:
        step.append(command)
        if isinstance(command, ReportTransition):
            yield step
            step = []
    if step:
        yield step


_JUDGES: dict[tuple[State, State], Callable[[Conduct, list[Command], Any], None]] = {
    (State.BACKUP, State.MASTER): Conduct._promotion,
    (State.MASTER, State.MASTER): Conduct._mastery,
    (State.MASTER, State.BACKUP): Conduct._defeat,
    (State.MASTER, State.INIT): Conduct._stop,
}
"""Of each step, by the state before and after it; all others are silent."""

_LISTENERS: dict[str, Callable[[Conduct, Any], None]] = {
    "life": Conduct._life,
    "done": Conduct._done,
    "way": Conduct._way,
    "event": Conduct._event,
    "commands": Conduct._commands,
    "transition": Conduct._transition,
    "announcement": Conduct._announcement,
    "accept": Conduct._accept,
    "reject": Conduct._reject,
    "release again": Conduct._retry,
    "advertisement": Conduct._advertisement,
    "farewell": Conduct._advertisement,
    "from the virtual MAC": Conduct._from_virtual_mac,
}
"""Who hears each kind of line; of the others it is counted that they were there."""
