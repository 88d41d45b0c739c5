"""Maintenance: an operator works on this host for a while, so any well node takes over from it until then.

It is a demotion of the whole node (``node_demotion.py``), and so the last node that can serve goes on serving. Unlike
the operator's demotion it has an end, and it survives the process: the intent is on the disk before the order is
answered, and is read before the node takes part. A node that was killed at any moment comes back as its file says.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable
from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any

from wsa_proxy.members import report
from wsa_proxy.runtime.clocks import Clocks
from wsa_proxy.runtime.driver import Driver
from wsa_proxy.runtime.maintenance_file import MaintenanceFile
from wsa_proxy.runtime.maintenance_period import DURATION_WANTED
from wsa_proxy.runtime.maintenance_period import Period
from wsa_proxy.runtime.maintenance_period import begun
from wsa_proxy.runtime.maintenance_period import duration_s
from wsa_proxy.runtime.node_demotion import REASON_WANTED
from wsa_proxy.runtime.node_demotion import NodeDemotion
from wsa_proxy.runtime.node_demotion import one_line
from wsa_proxy.runtime.timer import DeadlineTimer

logger = logging.getLogger(__name__)

FILE_NAME = "maintenance.json"
LOOK_EVERY_S = 10.0  # nobody tells that the wall clock was set
LOOK_AGAIN_S = 0.1  # an order is being written, and its end is what counts
TAKEOVER_LOOKS = 50
TAKEOVER_LOOK_S = 0.02  # one second in all: a well backup takes over at the first packet of a demoted master

type Answer = dict[str, Any]
type HandingOver = Callable[[], AbstractAsyncContextManager[None]]


class Maintenance:
    """Of a node whose drivers ``drivers`` answers; ``drain`` reads what the guardian has told. Made inside the running
    loop."""

    def __init__(
        self,
        file: MaintenanceFile,
        drivers: Callable[[], Collection[Driver]],
        drain: Callable[[], None],
        clocks: Clocks,
        handing_over: HandingOver = contextlib.nullcontext,
    ) -> None:
        """``handing_over``: around what makes others take over, for whoever lets them do so in order before."""
        self._file = file
        self._handing_over = handing_over
        self._drivers = drivers
        self._clocks = clocks
        self._told = NodeDemotion("maintenance", drivers, drain)
        self._period: Period | None = None
        self._orders = asyncio.Lock()  # what is in force follows what was written, in the same order
        self._timer = DeadlineTimer(clocks.now_s, self._next_look_s, self._pass)

    # -- life --------------------------------------------------------------------------------------------------------

    def read(self) -> None:
        """What an earlier life was told. Nothing is changed by it yet: the folder may be another node's."""
        self._period = self._file.read()

    def begin(self) -> None:
        """Have in force what was read. The folder is this node's alone by now, and no group takes part yet."""
        read = self._period
        if read is None:
            return
        if not read.left_s(self._clocks):
            self._pass()
            return
        here = read.in_this_boot(self._clocks)
        if here != read:
            self._file.store_later(here)
        self._take(here)

    def close(self) -> None:
        """What is in force stays in the file, for the next life."""
        self._timer.close()

    # -- orders ------------------------------------------------------------------------------------------------------

    def refusal(self, reason: str, duration: str) -> str | None:
        """What is wrong with an order; None if nothing is."""
        if one_line(reason) is None:
            return REASON_WANTED
        return DURATION_WANTED if duration_s(duration) is None else None

    async def on(self, reason: str, duration: str) -> Answer:
        """Give way to any well node for so long (``30m``). A second order replaces the first one."""
        line, seconds = one_line(reason), duration_s(duration)
        if line is None or seconds is None:
            return {"error": self.refusal(reason, duration)}
        async with self._orders:
            ordered = begun(line, seconds, self._clocks)
            try:
                await self._file.store(ordered)
            except OSError as error:
                return self._failed(f"{self._file.path} cannot be written: {error}; nothing has changed")
            # First the intent, then what follows from it.
            async with self._handing_over():
                self._take(ordered)
        await self._takeover()
        return {"changes": [_sentence(ordered), *self._group_lines()]}

    async def off(self) -> Answer:
        """As if nothing had been said. That the file cannot be removed is told, and holds up nothing else."""
        async with self._orders:
            ended = self._period
            try:
                await self._file.remove()
            except OSError as error:
                self._take(None)
                return self._failed(
                    f"{self._file.path} cannot be removed: {error}; this node is no longer in maintenance, but may be"
                    " again after a restart"
                )
            self._take(None)
        return {"changes": ["was not in maintenance" if ended is None else f"no longer in maintenance: {ended.reason}"]}

    def _take(self, ordered: Period | None) -> None:
        before, self._period = self._period, ordered
        if ordered is not None:
            logger.warning("carp this node is %s", _sentence(ordered))
            self._told.set(True, f"maintenance: {ordered.reason}")
        elif before is not None:
            logger.warning("carp this node is no longer in maintenance: %s", before.reason)
            self._told.set(False, "maintenance has ended")
        self._timer.arm()

    def _failed(self, sentence: str) -> Answer:
        logger.error("carp maintenance: %s", sentence)
        return {"error": sentence}

    async def _takeover(self) -> None:
        """Wait until somebody else serves every group, or it is clear that nobody will."""
        for _ in range(TAKEOVER_LOOKS):
            if not any(driver.is_master for driver in self._drivers()):
                return
            await asyncio.sleep(TAKEOVER_LOOK_S)

    def _group_lines(self) -> list[str]:
        alone = ", and goes on serving until another node is well"
        return [
            f"group {driver.record.vhid}: {driver.virtual_host.state.value.upper()}{alone if driver.is_master else ''}"
            for driver in self._drivers()
        ]

    # -- its end -----------------------------------------------------------------------------------------------------

    def _next_look_s(self) -> float:
        if self._period is None:
            return math.inf
        wait_s = min(self._period.left_s(self._clocks), LOOK_EVERY_S)
        if self._orders.locked():
            wait_s = max(wait_s, LOOK_AGAIN_S)
        return self._clocks.now_s() + wait_s if wait_s > 0 else -math.inf  # the past, however late it is by now

    def _pass(self) -> None:
        """Its time is over."""
        self._file.remove_later()
        self._take(None)

    # -- what others ask ---------------------------------------------------------------------------------------------

    def current(self) -> Period | None:
        """What is in force."""
        return self._period

    def reported(self) -> report.Maintenance | None:
        """As the other members are told."""
        if self._period is None:
            return None
        return report.Maintenance(self._period.until.isoformat(timespec="seconds"), self._period.reason)

    def tell(self, driver: Driver) -> None:
        """This group has just begun, or others are told as well."""
        self._told.tell(driver)

    def status(self) -> dict[str, Any] | None:
        """As in the status document; None when there is none."""
        if self._period is None:
            return None
        since, until = self._period.since.isoformat(), self._period.until.isoformat()
        left_s = round(self._period.left_s(self._clocks), 2)
        return {"reason": self._period.reason, "since": since, "until": until, "left_s": left_s}


def _sentence(ordered: Period) -> str:
    return f"in maintenance until {_shown(ordered.until)}: {ordered.reason}"


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
