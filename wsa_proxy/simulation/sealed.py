"""Nodes that sign with a sealed counter, and say farewell when they yield: what the protocol will need next.

The seal is the real one (``carp/seal.py``). The machine is the real one with three rules more: a defeated master says
farewell, a farewell makes the winner announce again and means nothing to others, and a first contact only ends a
silence. Equals need no wait after a tie, because a crossing is decided by the counters.

The node's clocks are modelled, too: one that counts from its boot and drifts, and a wall clock that may be hours wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from random import Random

from wsa_proxy.carp import wire
from wsa_proxy.carp.auth import Signature
from wsa_proxy.carp.commands import AnnounceAddresses
from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.seal import GroupTime
from wsa_proxy.carp.seal import Saved
from wsa_proxy.carp.seal import Verdict
from wsa_proxy.carp.seal import unpack
from wsa_proxy.carp.virtual_host import Reason
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.carp.virtual_host import VirtualHostSettings
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.carp.wire import Reject
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.lan import Frame
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.node import Tell

DRIFT_MAX = 450e-6
WALL_MS = 200_000_000_000.0  # the year 2026, from 2020
WALL_WRONG_MS_MAX = 7_200_000.0
STEPPED_TOO_EARLY = "a wall clock was stepped that may be looked at later"
MOVED_MS = 100.0  # a line that moved more is written down


@dataclass(frozen=True, slots=True)
class SendFarewell:
    """An advertisement with our own values and the farewell bit: I was master, and yield."""

    advbase: int
    advskew: int
    demotion: int


@dataclass(frozen=True, slots=True)
class Judged:
    """What the seal let through or refused: for the checker."""

    frame: Advertised
    counter: int
    verdict: Verdict
    arrived_s: float
    """On the node's clock, when the frame came into the socket's queue at the latest."""


class SealedHost(VirtualHost):
    """The virtual host of a sealed group. It has one master-down deadline, fed by either IP version."""

    def __init__(self, settings: VirtualHostSettings) -> None:
        super().__init__(replace(settings, versions=settings.versions[:1], tie_break=0))

    def hear_farewell(self, now: float) -> list[Command]:
        """The loser's clients may have heard it last. Who has overslept is master no longer, whatever it hears."""
        overslept = self._wake(now)
        return [*overslept, AnnounceAddresses()] if self.state is State.MASTER else overslept

    def first_contact(self, now: float) -> None:
        """Somebody is there, or was: listen, and believe nothing else of it."""
        if self.state is State.BACKUP:
            self._listen(now)

    def _yield(self, now: float, reason: Reason, evidence: str) -> list[Command]:
        farewell = SendFarewell(self.settings.advbase, self.advskew, self.demotion)
        commands = super()._yield(now, reason, evidence)
        said: list[Command] = [farewell] if reason in (Reason.TIED, Reason.OUTRANKED) else []  # type: ignore[list-item]
        return said + commands


class SealedNode(Node):
    """A node of a sealed group. ``signature`` is of the sealed key."""

    def __init__(
        self, number: int, settings: VirtualHostSettings, signature: Signature, lan: Lan, random: Random, tell: Tell
    ) -> None:
        super().__init__(number, settings, None, lan, random, tell)
        self.group_time = GroupTime("", None, 0.0)
        self._signature = signature
        self.saved: Saved | None = None
        """What its file says."""
        self._boot = 0
        self._booted_at_s = self.now - random.uniform(0, 1e6)
        self._drift = random.uniform(-DRIFT_MAX, DRIFT_MAX)
        self._wall_wrong_ms = random.choice([0.0, random.uniform(-WALL_WRONG_MS_MAX, WALL_WRONG_MS_MAX)])
        self._steps = Random(number)  # of its own: a run without steps draws the same chances
        self._queue_empty_at_s = self.now
        self._seen: set[tuple[int, int]] = set()
        """(counter, sender) of everything sent and heard."""

    # -- clocks --------------------------------------------------------------------------------------------------------

    @property
    def clock_ms(self) -> float:
        """Since the boot, drifting."""
        return (self.now - self._booted_at_s) * 1000 * (1 + self._drift)

    @property
    def boot_id(self) -> str:
        return str(self._boot)

    @property
    def wall_ms(self) -> float:
        return WALL_MS + self.now * 1000 + self._wall_wrong_ms

    def step_wall(self) -> None:
        """Somebody sets the wall clock, in either direction."""
        if self.group_time.line_ms is None:
            self._tell(self, STEPPED_TOO_EARLY, None)
        self._wall_wrong_ms += self._steps.uniform(-WALL_WRONG_MS_MAX, WALL_WRONG_MS_MAX)

    # -- lives ---------------------------------------------------------------------------------------------------------

    def _new_core(self) -> VirtualHost:
        self.group_time = GroupTime(self.boot_id, self.saved, self.clock_ms)
        self._queue_empty_at_s = self.now
        return SealedHost(self.settings)

    def demote(self, demotion: int) -> None:
        """The seal has one bit for it, and a rank that cannot be told must not be compared."""
        super().demote(min(demotion, 1))

    def power_off(self) -> None:
        """The next boot has another clock; one file in three was not written."""
        super().power_off()
        self._boot += 1
        self._booted_at_s = self.now
        if self._random.random() < 0.3:
            self.saved = None

    def stop(self) -> None:
        awake = self.awake
        super().stop()
        if awake:
            self.saved = self.group_time.saved

    def fingerprint(self) -> tuple[object, ...]:
        return (*super().fingerprint(), *vars(self.group_time).values(), tuple(self.group_time._own))

    def _write(self) -> None:
        """When the line is known first, has moved, or the node is master: what the file would say."""
        line_ms, saved = self.group_time.line_ms, self.saved
        moved = saved is None or saved.line_ms is None or saved.boot_id != self.boot_id
        if line_ms is not None and (moved or abs(line_ms - (saved.line_ms or 0.0)) > MOVED_MS):  # type: ignore[union-attr]
            self.saved = self.group_time.saved

    # -- frames --------------------------------------------------------------------------------------------------------

    def _send(self, command: SendAdvertisement) -> None:
        self._seal(command.advbase, command.advskew, command.demotion, False, command)

    def _do(self, commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, SendFarewell):
                self._seal(command.advbase, command.advskew, command.demotion, True, command)
        super()._do(commands)

    def _seal(self, advbase: int, advskew: int, demotion: int, farewell: bool, command: object) -> None:
        chance = self._random.randrange(16)
        counter = self.group_time.sign(advbase, advskew, demotion, farewell, self.clock_ms, self.wall_ms, chance)
        digest = self._signature.digest(counter)
        payload = wire.encode(Advertisement(self.settings.vhid, advbase, advskew, demotion, counter, digest))
        self._seen.add((counter, self.number))
        self._write()
        self._tell(self, "farewell" if farewell else "advertisement", command)
        self._tell(self, "said", counter)
        for version in self.settings.versions:
            self._lan.send(self.number, Advertised(version, payload))

    def receive(self, frame: Frame, sender: int) -> None:
        if self.awake:
            self._queue_empty_at_s = self.now
        super().receive(frame, sender)

    def _hear(self, frame: Advertised, sender: int) -> None:
        arrived_s = self._queue_empty_at_s
        heard = self._verify(frame)
        if isinstance(heard, Reject):
            self._refuse(frame, heard)
            return
        judged = Judged(frame, heard.counter, self._judge(heard, arrived_s), arrived_s)
        believed = judged.verdict in (Verdict.BELIEVED, Verdict.FIRST_CONTACT)
        if (heard.counter, sender) not in self._seen:
            self._seen.add((heard.counter, sender))
            # Overtaken by a third node's, or the same as our own (two who speak in the same millisecond with the same
            # chance, one in 16, take each other for an echo): a genuine one that is refused is a lost one.
            self._lan.lost[sender, self.number] += not believed and not frame.forged and sender != self.number
        if not believed:
            self._tell(self, "refused", judged)
            self._refuse(frame, judged.verdict)
            return
        self._tell(self, judged.verdict.value, judged)
        self._write()
        assert isinstance(self.core, SealedHost)
        if judged.verdict is Verdict.FIRST_CONTACT:
            self.core.first_contact(self.now)
            self._do([])
        elif unpack(heard.counter).farewell:
            self._tell(self, "farewell heard", heard)
            self._do(self.core.hear_farewell(self.now))
        else:
            self.handle(AdvertisementReceived(heard, self.settings.versions[0], f"node-{sender}"))

    def _verify(self, frame: Advertised) -> Advertisement | Reject:
        heard = wire.decode(frame.payload, frame.ttl)
        if isinstance(heard, Reject):
            return heard
        if heard.vhid != self.settings.vhid:
            return Reject.OTHER_VHID
        if frame.version not in self.settings.versions:
            return Reject.OTHER_FAMILY
        return heard if self._signature.digest(heard.counter) == heard.digest else Reject.BAD_SECRET

    def _judge(self, heard: Advertisement, arrived_s: float) -> Verdict:
        seal = unpack(heard.counter)
        if (heard.advbase, heard.advskew, heard.demotion) != (seal.advbase, seal.advskew, seal.demoted):
            return Verdict.REWRITTEN
        assert self.core is not None
        limit_ms = self.core.rank.interval_256ths / 256 * 1000
        arrived_ms = (arrived_s - self._booted_at_s) * 1000 * (1 + self._drift)
        return self.group_time.judge(heard.counter, limit_ms, self.clock_ms, arrived_ms, self.wall_ms)
