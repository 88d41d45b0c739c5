"""A node with clients: what its driver does with the addresses while their connections last, in three states.

*Announced*: it is the master. *Silent*: it was the master, somebody else is, and its connections go on; its kernel has
the addresses and answers nobody who asks for them. *Absent*: else. Between the bow-out of an orderly stop and the first
advertisement of a successor they stay announced (``runtime/leaving.py``).

It drains when it stops, when its operator has it switched away, and when it yields to another master. Nothing else
leaves time for that: then the connections end, and the addresses go.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from enum import Enum
from functools import partial

from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import Reason
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.events import Stopped
from wsa_proxy.simulation.bounds import rank
from wsa_proxy.simulation.carrying import Carriage
from wsa_proxy.simulation.carrying import World
from wsa_proxy.simulation.kernel import RENEW_EVERY_S
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.node import NOTICE_S
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.post import Sent
from wsa_proxy.simulation.post import Sheet
from wsa_proxy.simulation.sealed import SealedNode
from wsa_proxy.simulation.stack import Stack

TOLD_S = 0.12
"""A node that leaves says first that it drains, and so much later that it leaves."""
SUCCESSOR_S = 1.0
"""So long it waits for one."""
ACQUIRES_S = 0.2
"""So long after his intent it takes a successor for the owner of a virtual MAC, if nothing is heard from there."""
AWAY_S = 4.0
"""So long an operator wants another node to be the master, at least."""


YIELDS = (Reason.OUTRANKED.value, Reason.TIED.value)
"""To another master that lives."""


class Keeps(Enum):
    """Whose addresses are here, when they are not the master's."""

    NOTHING = "absent"
    ANSWERING = "announced, until a successor is heard"
    SILENT = "held silently"


class CarryingNode(Node):
    """One of plain CARP; ``carry`` gives it clients."""

    carriage: Carriage | None = None
    """That of this life."""
    kept = Keeps.NOTHING
    _has_acquired = False
    """Whoever is heard now."""
    _is_followed = False
    """Somebody has said that he is about to acquire, and has not taken it back."""

    def carry(self, world: World) -> None:
        """Before it starts."""
        self.stack = Stack(self)
        self._world = world
        self._starts_again, self._until_s = False, 0.0
        world.segments.stacks[self.number] = self.stack

    @property
    def listens(self) -> bool:
        """Has it a process?"""
        return self.core is not None

    @property
    def keeps(self) -> bool:  # type: ignore[override]
        return self.kept is not Keeps.NOTHING

    @property
    def has_clients(self) -> bool:
        """Is it the master, or has it been and keeps the addresses?"""
        return self.state is State.MASTER or self.keeps

    # -- lives ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._starts_again = self.departs
        super().start()

    def _notice(self) -> None:
        if self.carriage is None and self.core is not None and self.reporter is not None:
            reporter = self.reporter
            self.carriage = Carriage(self, reporter.roster, self.stack, self._world, self._late_now_s)
            reporter.carrying, reporter.on_believed = self.carriage.carrying, self.carriage.hear
        if not self.departs or self.state is not State.INIT:
            super()._notice()
        elif self.awake:
            self._notice_health()
        else:
            self._at(self.asleep_until_s + NOTICE_S, self._notice)

    def crash(self) -> None:
        """Nobody is told: what a kernel says for a dead process is not modelled."""
        super().crash()
        if self.carriage:
            self.carriage.end()
        again = self.departs and self._starts_again
        self.carriage, self.departs = None, False
        self.kept = Keeps.NOTHING
        if again:
            self.after(0.0, self.start)

    def _in_this_life(self, what: Callable[[], None]) -> Callable[[], None]:
        """When its process turns, if it does."""
        life = self.core

        def do() -> None:
            if self.core is life and life is not None:
                if not self.awake:
                    self.after(RENEW_EVERY_S, do)
                    return
                self.read_guardian()
                what()

        return do

    # -- how it leaves -------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """In order: who is the master says first that it drains, and ends when it has."""
        if self.departs:
            return
        if not self.awake or self.carriage is None or not self.has_clients:
            super().stop()
            return
        self.departs, self._starts_again = True, False
        self._say_drains(self.carriage)
        self.after(TOLD_S, self._in_this_life(self._bow_out))

    def switch_away(self) -> None:
        """The operator wants another node to be the master: this one says that it drains, then that it is unwell, and
        takes both back if nobody takes over."""
        if self.awake and self.carriage is not None and self.state is State.MASTER and not self.departs:
            self._say_drains(self.carriage)
            self.after(TOLD_S, self._in_this_life(self._yield))

    def abstain(self) -> None:
        """Another one is to follow: this one is unwell for a while, if it is not already."""
        if not self.health:
            self.demote(1)
            self.after(AWAY_S, partial(self.demote, 0))

    def _say_drains(self, carriage: Carriage) -> None:
        if self.state is State.MASTER and not carriage.carrying.drains:
            carriage.drain()

    def _bow_out(self) -> None:
        if self.state is State.MASTER and self.carriage:
            self._say_drains(self.carriage)  # it may be the master again since
            self.kept, self._until_s, self._is_followed = Keeps.ANSWERING, self.now + SUCCESSOR_S, False
        self.handle(Stopped("orderly stop"))
        if not self.keeps:
            self._end_keeping()

    def _yield(self) -> None:
        if self.state is State.MASTER and not self.departs:
            self.demote(self.health + 1)
            self.after(SUCCESSOR_S, self._in_this_life(self._go_on))
            self.after(AWAY_S, self._in_this_life(partial(self.demote, 0)))

    def _go_on(self) -> None:
        if self.state is State.MASTER and self.carriage and not self.departs:
            self.carriage.carrying.end_drain()
            self.demote(0)

    # -- frames and time -----------------------------------------------------------------------------------------------

    def _hear(self, frame: Advertised, sender: int) -> None:
        self.read_guardian()  # it has held the addresses: the order that follows from the frame before may be refused
        self._has_acquired = frame.from_virtual_mac or self.core is None or not self.core.settings.says_intent
        if self.awake:
            super()._hear(frame, sender)

    def take_in(self, event: Event) -> None:
        super().take_in(event)
        if not isinstance(event, AdvertisementReceived) or self.kept is not Keeps.ANSWERING:
            return
        if event.advertisement.is_bow_out:
            self._is_followed = False
        elif self._has_acquired:
            self._fall_silent()
        elif not self._is_followed:
            self._is_followed = True
            self.after(ACQUIRES_S, self._in_this_life(self._follow))

    def _follow(self) -> None:
        """Whoever has said that he is about to acquire has done so."""
        if self._is_followed and self.kept is Keeps.ANSWERING:
            self._fall_silent()

    def read_report(self, letter: Sent) -> None:
        super().read_report(letter)
        if self.carriage and isinstance(letter, Sheet):
            self.carriage.receive(letter)

    def says_more(self) -> None:
        """What its next report says is new."""
        if self.reporter and not self.reporter.ended:
            self.reporter.say()

    def turn(self) -> None:
        super().turn()
        if self.carriage:
            self.carriage.look()

    def _do(self, commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, ReportTransition) and self.carriage:
                self._changes(command, self.carriage)
        super()._do(commands)

    def _changes(self, report: ReportTransition, carriage: Carriage) -> None:
        """As the driver does it, before anything is released or acquired."""
        if report.old is State.MASTER:
            if report.new is State.BACKUP and report.reason in YIELDS:
                self._say_drains_late(carriage)
            elif not self.keeps:
                carriage.carrying.end_drain()  # the connections end with the release
            carriage.left_master()
        if report.new is State.MASTER:
            self._now_keeps(Keeps.NOTHING)
            carriage.takes_over(from_living=report.from_living)

    def _say_drains_late(self, carriage: Carriage) -> None:
        """Another master is heard."""
        if not carriage.carrying.drains:
            carriage.drain()
        self._now_keeps(Keeps.SILENT)

    def _announce(self, decided_at_s: float) -> None:
        super()._announce(decided_at_s)
        if self.carriage:
            self.carriage.announced()

    # -- the addresses -------------------------------------------------------------------------------------------------

    def _release(self, again: bool = False) -> None:
        if self.keeps and not again:
            self._sending.bowed_out()
            if self.kept is Keeps.SILENT:
                self._fall_silent()
            else:
                self._now_keeps(self.kept)
                self._keep(self.kept)
        elif not self.keeps:
            if not again and self.carriage:
                self.carriage.close_connections()
            super()._release(again)

    def _now_keeps(self, kept: Keeps) -> None:
        self.kept = kept
        self._tell(self, "keeps", kept)

    def _fall_silent(self) -> None:
        """Somebody else answers from now on."""
        self.read_guardian()
        self._now_keeps(Keeps.SILENT)
        if not (self.guard.take(renew=False) if self.guard else self.kernel.take(self.now)):
            self._end_keeping()
        elif self.carriage:
            self.carriage.silent()
            self._keep(Keeps.SILENT)

    def _keep(self, kept: Keeps) -> None:
        """Look at it, and prolong the lease, as long as it is kept like this."""
        if self.kept is not kept or self.carriage is None:
            return
        self.read_guardian()
        self.carriage.look()
        unfollowed = kept is Keeps.ANSWERING and self.now >= self._until_s
        if self.kept is kept and (unfollowed or not self.holds or not self._prolong()):
            self._end_keeping()
        elif self.keeps:
            self.after(min(RENEW_EVERY_S, self.stall_limit_s / 4), self._in_this_life(partial(self._keep, kept)))

    def is_drained(self) -> None:
        """No connection is left, or the time is up; perhaps before anybody has taken over."""
        if self.keeps:
            self._end_keeping()
        elif self.carriage:
            self.carriage.carrying.end_drain()

    def _prolong(self) -> bool:
        return self.guard.take(renew=True) if self.guard else self.kernel.take(self.now)

    def _end_keeping(self) -> None:
        """Drained, or they cannot be kept any longer."""
        self._now_keeps(Keeps.NOTHING)
        if self.carriage:
            self.carriage.end_drain()
        super()._release()
        if self.departs:
            super().stop()


class CarryingSealedNode(CarryingNode, SealedNode):
    """The same of a sealed group."""


def switch(nodes: Sequence[CarryingNode], master: CarryingNode) -> None:
    """A planned switch, as ``members/switching.py`` has it: all but the old and the new master abstain."""
    others = [node for node in nodes if node is not master and node.awake and node.state is State.BACKUP]
    successor = min(others, key=rank, default=None)
    for other in others:
        if other is not successor:
            other.abstain()
    master.switch_away()
