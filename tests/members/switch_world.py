"""Members of a group that know nothing but each other's reports: real ``Switching`` and ``Roster``, no node, no LAN.

A member is master, or not; who is demoted for another's sake gives way to the only one that is not, as CARP has it.
Reports are lost as the world says, and time passes in steps.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from wsa_proxy.members.report import Report
from wsa_proxy.members.report import pack
from wsa_proxy.members.report import unpack
from wsa_proxy.members.roster import Member
from wsa_proxy.members.roster import Roster
from wsa_proxy.members.switch_words import written
from wsa_proxy.members.switching import HandOver
from wsa_proxy.members.switching import Outcome
from wsa_proxy.members.switching import Prove
from wsa_proxy.members.switching import Switching

STEP_S = 0.05
NOW = "2026-01-01T00:00:00+00:00"


class Peer:
    """One member."""

    def __init__(self, world: World, name: str, priority: int, random: Random) -> None:
        self.world = world
        self.node, self.priority = name, priority
        self.is_master = self.is_unfit = self.is_dead = self.is_demoted = False
        self.trouble: str | None = None
        self.why_not = ""
        self.proofs = 0
        self.outcomes: list[Outcome] = []
        self.roster = Roster(random.randbytes)
        self.switching = Switching(self, self.roster, random.randbytes)
        self.hands_over = 0
        """Steps until the clients are handed over; 0: nothing is under way."""

    def not_ready(self, member: Member, now_s: float) -> list[str]:
        if not member.is_fresh(now_s):
            return ["silent"]
        return ["unwell"] if member.report is not None and member.report.health != "well" else []

    def report(self) -> Report:
        return Report(
            node=self.node,
            life=self.roster.life,
            number=self.roster.next_number(),
            challenge=self.roster.new_challenge(),
            echoes=self.roster.echoes(self.world.now_s),
            state="master" if self.is_master else "backup",
            priority=self.priority,
            demotion=int(self.is_demoted),
            health="soft" if self.is_unfit else "well",
            interval_s=1.0,
            switch=written(self.switching.says()),
        )

    def hear(self, report: Report) -> None:
        member = self.roster.hear(report, 1, report.node, self.world.now_s)
        if isinstance(member, Member):
            self.switching.hear(member, NOW, self.world.now_s)

    def act(self) -> None:
        """Do what is wished; the demotion follows the decision."""
        self.switching.step(self.world.now_s)
        for wish in self.switching.take_wishes():
            match wish:
                case Prove():
                    self.proofs += 1
                    self.switching.proven(wish.id, self.why_not)
                case HandOver():
                    self.hands_over = 6
                case Outcome():
                    self.outcomes.append(wish)
        if self.hands_over:
            self.hands_over -= 1
            if self.hands_over == 4:
                self.switching.move(NOW, self.world.now_s)
            elif self.hands_over == 0:
                self.switching.handed_over(self.world.now_s)
        self.is_demoted = self.is_unfit or self.switching.abstains_for is not None


class World:
    """``carries`` answers whether a report of this member arrives at that one."""

    def __init__(self, seed: int = 0, names: str = "abc") -> None:
        random = Random(seed)
        self.now_s = 0.0
        self.peers = [Peer(self, name, 255 - 50 * number, random) for number, name in enumerate(names)]
        self.carries: Callable[[str, str], bool] = lambda sender, receiver: True
        self.peers[0].is_master = True
        self.run(3.0)

    def __getitem__(self, name: str) -> Peer:
        return next(peer for peer in self.peers if peer.node == name)

    @property
    def master(self) -> str:
        return "".join(peer.node for peer in self.peers if peer.is_master)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / STEP_S)):
            self.step()

    def step(self) -> None:
        self.now_s += STEP_S
        living = [peer for peer in self.peers if not peer.is_dead]
        for sender in living:
            report = unpack(pack(sender.report()))
            for receiver in living:
                if receiver is not sender and self.carries(sender.node, receiver.node):
                    receiver.hear(report)
        for peer in living:
            peer.act()
        self._elect(living)

    def _elect(self, living: list[Peer]) -> None:
        """A demoted master gives way to the best that is not; without a master the best follows."""
        fit = [peer for peer in living if not peer.is_demoted]
        masters = [peer for peer in living if peer.is_master]
        if fit and (not masters or masters[0].is_demoted):
            best: Any = max(fit, key=lambda peer: peer.priority)
            for peer in self.peers:
                peer.is_master = peer is best
        for peer in self.peers:
            peer.is_master = peer.is_master and not peer.is_dead
