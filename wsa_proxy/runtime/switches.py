"""The planned switches and drills of a node: an order for one of its groups, and what became of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from collections.abc import Awaitable
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

from wsa_proxy.runtime.apart import apart
from wsa_proxy.runtime.drill_report import DrillReport
from wsa_proxy.runtime.group_drill import DrillRefused
from wsa_proxy.runtime.group_reports import GroupReports
from wsa_proxy.runtime.group_switch import GroupSwitch
from wsa_proxy.runtime.group_switch import ProxySide
from wsa_proxy.runtime.record import Transition
from wsa_proxy.runtime.reporting import NO_SECRET
from wsa_proxy.runtime.reporting import Reporting

logger = logging.getLogger(__name__)

OBJECTIVE_MS_MAX = 60_000
HANDED_OVER_S_MAX = 6.0
"""Twice as long as a standby may take to prove itself."""


class Switches:
    """Of the groups whose reports ``reporting`` sends."""

    def __init__(self, reporting: Reporting, proxy: ProxySide, keep: Callable[[DrillReport], Awaitable[None]]) -> None:
        """``keep`` writes the report of a drill."""
        self._keep = keep
        self.groups: dict[int, GroupSwitch] = {}
        self._proxy = proxy
        reporting.on_begin.append(self._begin)
        reporting.on_end.append(self._end)

    def _begin(self, reports: GroupReports) -> None:
        self.groups[reports.group.vhid] = GroupSwitch(reports, self._proxy)

    def _end(self, vhid: int) -> None:
        self.groups.pop(vhid).close()

    def transition(self, vhid: int, transition: Transition) -> None:
        """Of a driver, in the middle of its turn."""
        if vhid in self.groups:
            self.groups[vhid].transition(transition)

    def ordered_by(self, vhid: int) -> str:
        """As ``GroupSwitch`` has it; empty for a group without reports."""
        return self.groups[vhid].ordered_by if vhid in self.groups else ""

    @asynccontextmanager
    async def handing_over(self) -> AsyncIterator[None]:
        """What is done in this block has healthy standbys take over: each group is with one by then, in order, if it
        can be. Who then holds to no decision comes back when that has ended."""
        ways = [self._hand_over(vhid, each) for vhid, each in self.groups.items()]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HANDED_OVER_S_MAX):
                await asyncio.gather(*ways)
        try:
            yield
        finally:
            for vhid, each in self.groups.items():
                with apart(vhid, "let go of a switch"):
                    each.let_go()

    async def _hand_over(self, vhid: int, group: GroupSwitch) -> None:
        with apart(vhid, "be handed over"):
            await group.hand_over()

    async def switch(self, vhids: list[int], group: str, to: str) -> dict[str, Any]:
        """Of one of the node's groups ``vhids`` by its id; answers ``changes`` or an ``error``."""
        chosen = self._chosen(vhids, group)
        if isinstance(chosen, str):
            return _refused(chosen)
        outcome = await chosen.order(to)
        text = f"group {group}: {outcome.text}"
        return {"changes": [text]} if outcome.done else {"error": text}

    async def drill(self, vhids: list[int], group: str, objective_ms: str) -> dict[str, Any]:
        """Likewise; answers the ``drill``'s report, which is kept, or an ``error``."""
        chosen = self._chosen(vhids, group)
        if isinstance(chosen, str):
            return _refused(chosen)
        if not objective_ms.isdecimal() or not 0 < int(objective_ms) <= OBJECTIVE_MS_MAX:
            return _refused(f"the objective must be a whole number of milliseconds from 1 to {OBJECTIVE_MS_MAX}")
        try:
            report = await chosen.drill.run(int(objective_ms))
        except DrillRefused as error:
            return _refused(f"group {group}: {error}")
        for line in report.lines():
            logger.warning("carp %s", line)
        await self._keep(report)
        return {"drill": report.document()}

    def _chosen(self, vhids: list[int], group: str) -> GroupSwitch | str:
        if not group.isdecimal() or int(group) not in vhids:
            return f"no group has the id {group}"
        return self.groups.get(int(group)) or f"group {group}: {NO_SECRET}"


def _refused(reason: str) -> dict[str, Any]:
    """For whoever waits, and in the log for who does not."""
    logger.warning("carp not begun: %s", reason)
    return {"error": reason}
