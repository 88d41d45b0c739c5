"""One name's demotion of a whole node: every group of it is told, and those that begin later, too.

It is a name of its own beside what the proxy's self-tests say (``Driver.set_demotion``), so none ends another one's. A
demoted node that nobody takes over from goes on serving.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable

from wsa_proxy.runtime.apart import apart
from wsa_proxy.runtime.driver import Driver

REASON_CHARACTERS_MAX = 200  # it is shown in one line
REASON_WANTED = f"give the reason: one line of text, at most {REASON_CHARACTERS_MAX} characters"


class NodeDemotion:
    """Of a node whose drivers ``drivers`` answers; ``drain`` reads what the guardian has told."""

    def __init__(self, name: str, drivers: Callable[[], Iterable[Driver]], drain: Callable[[], None]) -> None:
        self._name = name
        self._drivers = drivers
        self._drain = drain
        self._demoted = False
        self._because = "not demoted"

    def set(self, demoted: bool, because: str) -> None:
        """From now on; ``because`` is for the log."""
        self._demoted, self._because = demoted, because
        self._drain()  # a master says its other rank at once; the order may be what wakes one that was fenced
        for driver in self._drivers():
            with apart(driver.record.vhid, f"take the demotion {self._name!r}"):
                self.tell(driver)

    def tell(self, driver: Driver) -> None:
        """This group has just begun, or others are told as well."""
        driver.set_demotion(self._name, int(self._demoted), self._because)


def one_line(reason: str) -> str | None:
    """What an operator gave as a reason, its white space made even; None when it cannot be shown in one line."""
    reason = " ".join(reason.split())
    return reason if 0 < len(reason) <= REASON_CHARACTERS_MAX and reason.isprintable() else None
