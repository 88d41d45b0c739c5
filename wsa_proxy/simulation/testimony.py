"""The judge of member reports: who may say what, what may be believed, and what must follow. I1 to I4, I6, I9, V6, V11.

Here is known what no member can know: who is alive and serves, what was really said, and when. An answer is given by
nobody but a master that has the addresses and whose proxy was proven of late, and counts for what was asked just now.
A backup asks before it believes a silence, and does not take over from an owner that lives, serves and can be asked.
Two masters that can reach each other by reports are one soon, whatever becomes of their advertisements. What is not
believed changes nothing.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections import deque
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import ProbeAddresses
from wsa_proxy.carp.commands import Reason
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import DeadlineReached
from wsa_proxy.carp.events import FarewellReceived
from wsa_proxy.members.cipher import Unread
from wsa_proxy.members.report import Report
from wsa_proxy.simulation.bounds import EPSILON_S
from wsa_proxy.simulation.bounds import base_s
from wsa_proxy.simulation.bounds import down_s
from wsa_proxy.simulation.bounds import interval_s
from wsa_proxy.simulation.bounds import lateness_s
from wsa_proxy.simulation.bounds import rank
from wsa_proxy.simulation.memory import NEVER_S
from wsa_proxy.simulation.memory import Memory
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.post import Letter
from wsa_proxy.simulation.post import Post
from wsa_proxy.simulation.violation import Violation

LEAD_S = 0.6
LEAD_SHARE = 1 / 4
"""I2: so long before the end of a silence it is asked about, or a share of D; three times."""
QUESTIONS = 3
PROVEN_S = 2.5
"""V11: a self-test is no older, or than T."""
ANSWERS_WAIT_S = 0.05
ANSWERS_WAIT_SHARE = 1 / 6
"""I1: an answer waits no longer, or than this share of a question's lead."""
CHALLENGES = 8
OPEN_QUESTIONS = 4
QUESTIONS_KEPT = 32
"""I4: whoever repeats none of the last ones is not believed."""
UNASKED_MAX = 7
"""I9: reports in an interval, beside questions, answers and news."""


def lead_s(node: Node) -> float:
    """So long before the end of a silence it is asked about."""
    return min(LEAD_S, down_s(node) * LEAD_SHARE)


def quarrel_s(nodes: Sequence[Node], d_s: float, *, acquainted: bool = False) -> float:
    """I1: so long two masters that reach each other by reports need to find out. Each report of one is a question of
    the other, or a quarter of an interval later; who has not heard the other of late must be heard first."""
    slowest_s = max(map(base_s, nodes))
    return slowest_s * (1.0 if acquainted else 2.5) + 5 * d_s + ANSWERS_WAIT_S + 4 * max(map(lateness_s, nodes))


@dataclass(slots=True)
class Witness:
    """What is known of one node and its present life. Times are on the LAN's clock, unless it is said."""

    awake_since_s: float | None = None
    serves_since_s: float | None = None
    """Awake, master, with the addresses, and well."""
    master_since_s: float | None = None
    ill_since_s: float | None = None
    """On its own clock."""
    rank: object = None
    news_at_s: float = -NEVER_S
    """Its core was told something that is not the time."""
    asked_at_s: deque[float] = field(default_factory=lambda: deque(maxlen=QUESTIONS_KEPT))
    """On its own clock: of the owner."""
    asked: int = 0
    """Of the owner, and"""
    probes: int = 0
    """of the addresses, since that."""
    questions: deque[tuple[bytes, float]] = field(default_factory=lambda: deque(maxlen=QUESTIONS_KEPT))
    """And when."""
    challenges: deque[bytes] = field(default_factory=lambda: deque(maxlen=CHALLENGES))
    heard: dict[bytes, Report] = field(default_factory=dict)
    """By life: what came last."""
    believed: dict[bytes, Report] = field(default_factory=dict)
    answered: set[bytes] = field(default_factory=set)
    """Questions whose answer was taken."""
    unasked_at_s: deque[float] = field(default_factory=lambda: deque(maxlen=UNASKED_MAX + 1))
    said: str = ""
    known: object = None
    owes: Counter[int] = field(default_factory=Counter)
    """By IP version: what it must take in, for it was answered."""
    owes_farewell: bool = False


class ReportsJudge:
    """Of the nodes of one run; ``memories`` are what their other judges keep of them."""

    LISTENS: frozenset[str]

    def __init__(self, nodes: Sequence[Node], memories: dict[int, Memory], post: Post, marks: Counter[str]) -> None:
        self._nodes = {node.number: node for node in nodes}
        self._memories = memories
        self._post = post
        self._marks = marks
        self._witnesses = {node.number: Witness() for node in nodes}
        self._answers: dict[tuple[bytes, int], Report] = {}
        """By life and number: what an owner has said."""

    def told(self, node: Node, kind: str, what: Any) -> None:
        """One line of the story, as it happens."""
        _LISTENERS[kind](self, node, self._witnesses[node.number], what)

    # -- what a node says ----------------------------------------------------------------------------------------------

    def _life(self, node: Node, witness: Witness, _: None) -> None:
        self._witnesses[node.number] = Witness(ill_since_s=witness.ill_since_s)

    def _health(self, node: Node, witness: Witness, _: None) -> None:
        if not node.health:
            witness.ill_since_s = None
        elif witness.ill_since_s is None:
            witness.ill_since_s = node.now

    def _says(self, node: Node, witness: Witness, report: Report) -> None:
        # I6: a report says what is so.
        if (report.state, report.demotion) != (node.state.value, node.demotion):
            raise Violation("I6", f"node {node.number} reports {report.state}, and is {node.state.value}")
        if report.challenge not in witness.challenges:
            witness.challenges.append(report.challenge)
        if report.question:
            witness.questions.append((report.question, node.now))
        if report.answers:
            self._judge_answer(node, witness, report)
        drains = bool(report.carry.get("drains"))  # twice a second, whatever the interval is
        news = report.state != witness.said or report.leaves or drains
        if not report.question and not report.answers and not news:
            witness.unasked_at_s.append(node.now)
            # I9: nothing that arrives makes it say more.
            full = len(witness.unasked_at_s) > UNASKED_MAX
            if full and node.now - witness.unasked_at_s[0] < base_s(node) - EPSILON_S:
                raise Violation("I9", f"node {node.number} reports {UNASKED_MAX + 1} times in an interval")
        witness.said = report.state

    def _judge_answer(self, node: Node, witness: Witness, report: Report) -> None:
        limit_s = max(interval_s(node), PROVEN_S) + EPSILON_S
        ill_s = node.now - witness.ill_since_s if witness.ill_since_s is not None else 0.0
        overslept = node.due_s is None or node.now > node.due_s + down_s(node) / 2 + EPSILON_S
        # V11: who cannot serve holds nobody back.
        if node.state is not State.MASTER or not node.holds or overslept or ill_s > limit_s:
            raise Violation("V11", f"node {node.number}, {node.state.name}, answers as the owner of the addresses")
        self._answers[report.life, report.number] = report
        self._marks["an owner answered"] += 1

    def _asks(self, node: Node, witness: Witness, question: bytes) -> None:
        witness.asked_at_s.append(node.now)
        witness.asked += 1
        if node.state is not State.BACKUP:
            self._marks["a master asked another one"] += 1
            return
        # V11: it is asked three times, not again and again: each time the silence waits for an answer.
        if witness.asked > QUESTIONS * (1 + witness.probes):
            raise Violation("V11", f"node {node.number} asks {witness.asked} times about one silence")
        self._memories[node.number].asked_until_s = node.now + lead_s(node) / QUESTIONS

    # -- what a node hears ---------------------------------------------------------------------------------------------

    def _came(self, node: Node, witness: Witness, _: Letter) -> None:
        witness.known = node.fingerprint()

    def _not_believed(self, node: Node, witness: Witness, what: tuple[Unread, Letter]) -> None:
        why, letter = what
        self._marks[f"report: {why.value}"] += 1
        # I3: what is not believed changes nothing.
        if node.fingerprint() != witness.known:
            raise Violation("I3", f"a report that is not believed changed node {node.number}")
        if letter.forged:
            return
        report, before = letter.report, witness.heard.get(letter.report.life)
        new = before is None or report.number > before.number
        assert node.reporter is not None
        fresh = report.echoes.get(node.reporter.roster.life) in witness.challenges
        # I4, the other way round: what is new, and shows it, is not refused.
        if new and fresh and not letter.again:
            raise Violation("I4", f"node {node.number} refuses a new report: {why.value}")
        if new:
            witness.heard[report.life] = report
        elif not letter.again:
            self._post.disturbed_at_s[letter.sender, node.number] = node.lan_now()  # overtaken

    def _believes(self, node: Node, witness: Witness, letter: Letter) -> None:
        report, own = letter.report, node.reporter
        assert own is not None
        life, before = own.roster.life, witness.heard.get(report.life)
        # I4: nothing forged, nothing of its own, nothing that is not above all others of its life,
        if letter.forged or report.life == life or (before is not None and report.number <= before.number):
            raise Violation("I4", f"node {node.number} believes a forged report, or an old one")
        # nor what repeats none of its last challenges and questions.
        questions = [question for question, _ in witness.questions][-OPEN_QUESTIONS:]
        if report.echoes.get(life) not in witness.challenges and report.answers.get(life) not in questions:
            raise Violation("I4", f"node {node.number} believes a report that may be old")
        self._marks["a replayed report came first"] += letter.again
        # V6: a master that another one yields to by its report announces again.
        told = witness.believed.get(report.life)
        was_master = told is not None and told.state == State.MASTER.value
        witness.owes_farewell = was_master and report.state != told.state and node.state is State.MASTER  # type: ignore[union-attr]
        witness.heard[report.life] = witness.believed[report.life] = report

    def _answered(self, node: Node, witness: Witness, report: Report) -> None:
        assert node.reporter is not None
        answer = report.answers.get(node.reporter.roster.life, b"")
        asked_at_s = dict(witness.questions).get(answer)
        # V11: nothing but an owner's own answer, to what was asked just now, and once, holds a takeover back.
        if self._answers.get((report.life, report.number)) != report:
            raise Violation("V11", f"node {node.number} takes for an answer what no owner has said")
        if asked_at_s is None or node.now > asked_at_s + lead_s(node) + EPSILON_S:
            raise Violation("V11", f"node {node.number} believes an old answer")
        if answer in witness.answered:
            raise Violation("V11", f"node {node.number} believes an answer twice")
        witness.answered |= {question for question, _ in witness.questions}
        witness.owes = Counter(node.core.settings.versions if node.core else ())
        self._marks["a silence was none" if node.state is State.BACKUP else "a master was answered by another"] += 1

    def _event(self, node: Node, witness: Witness, event: object) -> None:
        if isinstance(event, AdvertisementReceived):
            witness.owes.pop(event.version, None)
        if isinstance(event, FarewellReceived):
            self._marks["a report was a farewell"] += witness.owes_farewell
            witness.owes_farewell = False
        if not isinstance(event, DeadlineReached):
            witness.news_at_s = node.lan_now()
            witness.asked = witness.probes = 0

    # -- what a node does ----------------------------------------------------------------------------------------------

    def _commands(self, node: Node, witness: Witness, commands: Iterable[Command]) -> None:
        for command in commands:
            if isinstance(command, ProbeAddresses):
                witness.probes += 1
            if isinstance(command, ReportTransition):
                if (command.old, command.reason) == (State.BACKUP, Reason.MASTER_SILENT.value):
                    self._judge_takeover(node, witness)
                witness.asked = witness.probes = 0

    def _judge_takeover(self, node: Node, witness: Witness) -> None:
        # The last question may be late, and the end after it; each probe of the addresses that is late puts both off.
        now, lead, late_s = node.now, lead_s(node), lateness_s(node) * (2 + witness.probes)
        asked_at_s = [at_s for at_s in witness.asked_at_s if at_s >= now - lead - late_s - EPSILON_S]
        # I2: no silence is believed that was not asked about.
        if not asked_at_s or asked_at_s[0] > now - lead / QUESTIONS + EPSILON_S:
            raise Violation("I2", f"node {node.number} takes over, and has asked nobody in time")
        # Nothing has come between, so there was time for all three.
        since_s = node.lan_now() - lead - late_s - EPSILON_S
        if witness.awake_since_s is None or max(witness.awake_since_s, witness.news_at_s) > since_s:
            return
        if len(asked_at_s) < QUESTIONS or asked_at_s[0] > now - lead + late_s + EPSILON_S:
            raise Violation("I2", f"node {node.number} takes over, and has asked {len(asked_at_s)} times")
        round_s = 2 * self._post.d_s + min(ANSWERS_WAIT_S, lead * ANSWERS_WAIT_SHARE)
        for number, owner in self._nodes.items():
            if number != node.number and round_s + late_s < lead:
                serves_since_s = self._witnesses[number].serves_since_s
                clean_s = max(self._clean_s(number, node.number), self._clean_s(node.number, number))
                # I1: nobody takes over from an owner that lives, serves, and can be asked.
                if serves_since_s is not None and max(serves_since_s, clean_s) < since_s:
                    raise Violation("I1", f"node {node.number} takes over from node {owner.number}, which serves")

    # -- seen from outside, after each event ---------------------------------------------------------------------------

    def look(self, whose: int | None) -> None:
        """At the station to which something happened, or at all."""
        for number, node in self._nodes.items():
            if whose is None or whose == number:
                self._look_at(node, self._witnesses[number])
        masters = [node for number, node in self._nodes.items() if self._witnesses[number].master_since_s is not None]
        for one, other in itertools.combinations(masters, 2):
            self._judge_quarrel(*sorted((one, other), key=rank))

    def _look_at(self, node: Node, witness: Witness) -> None:
        now, awake = node.lan_now(), node.awake
        if witness.owes_farewell and node.state is State.MASTER:
            raise Violation("V6", f"node {node.number} reads that another master has yielded, and does not announce")
        if not awake:
            witness.owes.clear()  # it took over at the first of several, and its kernel is slow
        if witness.owes:
            raise Violation("I1", f"node {node.number} was answered, and does not take it for an advertisement")
        # I6: a change of state is told at once.
        if awake and witness.said not in ("", node.state.value):
            raise Violation("I6", f"node {node.number} is {node.state.name}, and has reported {witness.said}")
        witness.owes_farewell = False
        master = awake and node.state is State.MASTER
        serves = master and node.holds and not node.health
        if rank(node) != witness.rank:
            witness.rank, witness.master_since_s, witness.serves_since_s = rank(node), None, None
        witness.awake_since_s = _since(awake, witness.awake_since_s, now)
        witness.master_since_s = _since(master, witness.master_since_s, now)
        witness.serves_since_s = _since(serves, witness.serves_since_s, now)

    def _clean_s(self, sender: int, receiver: int) -> float:
        """Since when reports have passed this way; for ever in the future if they do not now."""
        path = (sender, receiver)
        return self._post.disturbed_at_s.get(path, -NEVER_S) if self._post.passes(*path) else NEVER_S

    def _judge_quarrel(self, better: Node, worse: Node) -> None:
        first, second = self._witnesses[better.number], self._witnesses[worse.number]
        if first.serves_since_s is None or first.master_since_s is None or second.master_since_s is None:
            return
        tied = rank(better) == rank(worse)
        if tied and second.serves_since_s is None:
            return  # either may be the one that stays
        clean_s = max(self._clean_s(better.number, worse.number), self._clean_s(worse.number, better.number))
        assert first.awake_since_s is not None and second.awake_since_s is not None
        known_s = max(clean_s, first.awake_since_s, second.awake_since_s)
        # The proof of who has just recovered comes with its next self-test.
        since_s = max(known_s, first.serves_since_s, first.master_since_s, second.master_since_s)
        since_s = max(since_s, second.serves_since_s or 0.0) if tied else since_s
        bound_s = quarrel_s((better, worse), self._post.d_s)
        acquainted = since_s > known_s + bound_s
        bound_s = quarrel_s((better, worse), self._post.d_s, acquainted=acquainted)
        # I1: two masters that reach each other by reports, whatever becomes of their advertisements.
        if better.lan_now() > since_s + bound_s + EPSILON_S:
            raise Violation("I1", f"nodes {better.number} and {worse.number} are both master, and report to each other")


def _since(so: bool, since_s: float | None, now: float) -> float | None:
    return None if not so else since_s if since_s is not None else now


_LISTENERS: dict[str, Callable[[ReportsJudge, Node, Witness, Any], None]] = {
    "life": ReportsJudge._life,
    "health": ReportsJudge._health,
    "reports": ReportsJudge._says,
    "asks": ReportsJudge._asks,
    "a report came": ReportsJudge._came,
    "report not believed": ReportsJudge._not_believed,
    "report believed": ReportsJudge._believes,
    "answered": ReportsJudge._answered,
    "event": ReportsJudge._event,
    "commands": ReportsJudge._commands,
}
ReportsJudge.LISTENS = frozenset(_LISTENERS)
