"""What is due is done, also while the loop does not come to its timers.

asyncio looks at its timers once in each turn of the loop. With hundreds of clients a turn has hundreds of callbacks
(1,000 TLS handshakes: 0.4 s and more), and an advertisement or a sign of life that becomes due meanwhile would wait for
the last of them. mitmproxy calls hooks in nearly all of these callbacks, and each such call comes here, to ``look``.

A *single* callback that blocks calls no hook, so nothing is sent: nobody but the loop's own thread ever looks.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from wsa_proxy.runtime.apart import apart
from wsa_proxy.runtime.beat import Beat

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 0.01  # a look goes through the timers of 255 groups, and hooks come by the thousand


class Pulse:
    """Of the node with this beat, and with its drivers. ``clock`` is the node's: monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.beat: Beat | None = None
        """Until it is there nothing is ever due."""
        self._clock = clock
        self._look_at_s = 0.0
        self._turning = False

    def look(self) -> None:
        """Do what is due. Any code may call it, as often as it likes, but for what a driver's turn itself calls without
        ``outside``; it never raises."""
        now_s = self._clock()
        if now_s < self._look_at_s or self._turning or self.beat is None:
            return
        self._look_at_s = now_s + LOOK_EVERY_S
        self._turning = True
        try:
            self._catch_up(self.beat)
        finally:
            self._turning = False

    def between(self) -> None:
        """Renew now if it is time to: a driver's turn has ended. All that are due together are one turn of the loop; so
        many groups that take over at once would outlast the leases of the first ones. It never raises."""
        try:
            if self.beat is not None:
                self.beat.catch_up()
        except Exception:
            logger.exception("carp a renewal failed between two turns of the loop")

    def _catch_up(self, beat: Beat) -> None:
        self.between()
        now_s = self._clock()
        for driver in beat.drivers:
            if driver.timer.fires_at_s <= now_s:
                with apart(driver.record.vhid, "keep its deadline"):
                    driver.timer.catch_up()
                now_s = self._clock()

    def outside[**P, R](self, call: Callable[P, R]) -> Callable[P, R]:
        """The same call, for a driver: what it leads to is in the middle of a turn, and begins no other one."""

        def called(*arguments: P.args, **named: P.kwargs) -> R:
            before, self._turning = self._turning, True
            try:
                return call(*arguments, **named)
            finally:
                self._turning = before

        return called
