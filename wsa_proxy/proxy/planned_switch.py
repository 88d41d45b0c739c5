"""The proxy's part of a planned switch: the clients of one group's virtual IPs are handed over as on an orderly stop.

The process goes on, and so do its other groups: only on these addresses every answer ends its connection, and when the
successor has them all of it is as before. If nobody takes over, no connection was cut.
"""

from __future__ import annotations

from collections.abc import Collection

from wsa_proxy.proxy.connections import Address
from wsa_proxy.proxy.connections import Connections
from wsa_proxy.proxy.planned_stop import Departure
from wsa_proxy.proxy.planned_stop import PlannedStop

SUCCESSOR_S_MAX = 0.5
"""Longer than on a stop, as the node serves meanwhile: the order may be lost, and is repeated."""
ALL_S_MAX = 5.0
"""Of the three waits together; each has a limit of its own that is less."""


class PlannedSwitch:
    """Of one node's proxy."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def hand_over(self, departure: Departure, addresses: Collection[Address]) -> None:
        """Drain, go, and answer what has come in until the successor was heard; ``departure`` is of the group of these
        ``addresses``."""
        try:
            await PlannedStop(self._connections, ALL_S_MAX, SUCCESSOR_S_MAX).hand_over(departure, addresses)
        finally:
            if not departure.drains:  # else it is ``runtime/group_carry.py`` that ends it
                self._connections.stay(addresses)
