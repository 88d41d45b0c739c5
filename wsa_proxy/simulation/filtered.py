"""A group's last drill where reports are sent: a filter that drops advertisements, or reports, and a master that dies.

As long as it lives and reports pass, a master keeps the addresses, though nobody hears it advertise; when it dies it
is followed within V2's bound, and several that follow find out by reports who it is. Without reports it is as ever.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from wsa_proxy.simulation.bounds import BOW_OUT_WAIT_S
from wsa_proxy.simulation.bounds import NOTICED_S
from wsa_proxy.simulation.bounds import Station
from wsa_proxy.simulation.bounds import down_s
from wsa_proxy.simulation.bounds import interval_s
from wsa_proxy.simulation.filters import LastDrill
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.post import Post
from wsa_proxy.simulation.settling import Settling
from wsa_proxy.simulation.testimony import quarrel_s
from wsa_proxy.simulation.violation import Violation

FILTERED_DOWNS = 5
"""D: so long the filter stands before the master dies."""


class FilteredSettling(Settling):
    """Of a run whose nodes send reports."""

    post: Post
    """What carries them."""

    def drill(self) -> None:
        """With the plan's filter, or its usual drill."""
        last = self._plan.reports.last if self._plan.reports else None
        if last is None:
            super().drill()
            return
        self._marks[f"last drill: {last.value}"] += 1
        master = self._the_master("V4")
        others = [station for station in self._stations if station is not master]
        numbers = [station.number for station in self._stations]
        everywhere = set(itertools.permutations(numbers, 2))
        if last is LastDrill.REPORTS:
            self.post.stop(everywhere)
        else:
            from_master = {(master.number, other.number) for other in others}
            self._lan.filtered = from_master if last is LastDrill.FROM_MASTER else everywhere
        self._keeps(master)
        self._dies(master, others)
        self._lan.filtered = set()
        self.post.stop(set())
        master.start()
        self._agree(self._stations)

    def _keeps(self, master: Station) -> None:
        self.transitions = 0
        self._pass(FILTERED_DOWNS * max(map(down_s, self._stations)))
        # I1: one owner throughout.
        if self.transitions or self._the_master("I1") is not master:
            raise Violation("I1", f"{self.transitions} transitions beside a master that lives and serves")

    def _dies(self, master: Station, others: Sequence[Station]) -> None:
        master.crash()
        # V2: as if nobody had asked.
        self._pass(min(map(down_s, others)) + 4 * self._slack_s + self._ties_s(others))
        self._somebody("V2", others)
        # I1: several that followed find out who it is. Nobody's silence is longer than D.
        nodes = [other for other in others if isinstance(other, Node)]
        self._pass(max(map(down_s, others)) + quarrel_s(nodes, self.post.d_s) + 4 * self._slack_s)
        self._pass(BOW_OUT_WAIT_S + NOTICED_S + min(map(interval_s, others)))
        self._the_master("V4")
