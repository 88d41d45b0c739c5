"""The part of a node that member reports concern, if it sends any. What its process does with them is in
``reporting.py``."""

from __future__ import annotations

import math
from random import Random

from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.machine import Machine
from wsa_proxy.simulation.outlet import Outlet
from wsa_proxy.simulation.post import Letter
from wsa_proxy.simulation.post import Post
from wsa_proxy.simulation.post import Sent
from wsa_proxy.simulation.reporting import Reporter


class Membership(Machine):
    """Of one host. ``core`` is None while its process is dead."""

    core: VirtualHost | None
    outlet: Outlet

    def __init__(self, number: int, lan: Lan, random: Random) -> None:
        super().__init__(number, lan)
        self.post: Post | None = None
        """What carries its member reports, if it sends any,"""
        self.reports_chance = random
        """their source of chance,"""
        self.reporter: Reporter | None = None
        """and what its process does with them."""

    @property
    def unreachable(self) -> frozenset[int]:
        """To whom its host has no way."""
        return self.outlet.no_way

    def time_of_the_group_ms(self) -> int:
        """As far as it is known; else 0."""
        return 0

    def learn_time(self, group_ms: int) -> None:
        """A member that proves that it speaks now says the time of the group."""

    def read_report(self, letter: Sent) -> None:
        """One has come. (Pages are for who has clients: ``carrying_node.py``.)"""
        if self.reporter and isinstance(letter, Letter):
            self.reporter.receive(letter)

    def _deadline_s(self) -> float:
        """When the core is to be told, at the earliest."""
        assert self.core is not None
        due_s = self.core.next_deadline()
        if due_s is None:
            return math.inf
        return self.reporter.asking.counts_from_s(due_s) if self.reporter else due_s
