"""Whether the silence of a master is believed: before it takes over, a driver has the members asked (``members``)."""

from __future__ import annotations

import math
from collections.abc import Callable

from wsa_proxy.carp import election
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.members.question import Question


class Asking:
    """Of one virtual host. ``ask`` sends the question; None where there are no reports: then nobody is asked."""

    def __init__(self, virtual_host: VirtualHost, clock: Callable[[], float]) -> None:
        self.ask: Callable[[], None] | None = None
        self._virtual_host = virtual_host
        self._clock = clock
        self._question = Question(0.0)
        self.take(virtual_host.settings)

    def take(self, settings: VirtualHostSettings) -> None:
        """Other settings."""
        self._question.set_master_down(election.master_down_s(settings.advbase, settings.advskew))

    def due_s(self) -> float:
        """When the next question is due; infinite if none is."""
        return math.inf if self.ask is None else self._question.due_s(self._virtual_host.silence_ends_s)

    def look(self) -> None:
        """Ask, if that is due."""
        if self.ask is not None and self._question.ask(self._virtual_host.silence_ends_s, self._clock()):
            self.ask()

    def counts_from_s(self, deadline_s: float) -> float:
        """When this deadline of the virtual host is to be looked at: the end of a silence not before an answer has had
        its time."""
        ends_s = self._virtual_host.silence_ends_s
        if self.ask is None or ends_s is None or deadline_s < ends_s:
            return deadline_s
        return max(deadline_s, self._question.waits_until_s(ends_s))
