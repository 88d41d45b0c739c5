"""What the kernel is to do with frames of connections that other members have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from wsa_proxy.members.client_page import Client


@dataclass(frozen=True, slots=True)
class ToSteer:
    """What is to be in force now."""

    targets: Mapping[Client, bytes]
    """To which MAC."""
    gap: bytes
    """Where what is not known goes; empty: nowhere."""
    members: frozenset[bytes]
    """MACs whose frames are never steered."""
    own: frozenset[Client] = frozenset()
    """This node's own: they are no unknown ones."""

    def at_once(self, count: int) -> Mapping[Client, bytes]:
        """Those that must be in force before this node answers for the addresses: of the node that gets the unknown so
        many, since its others go there for being unknown; of any other node all."""
        unknown = set(islice((client for client, mac in self.targets.items() if mac == self.gap), count, None))
        return {client: mac for client, mac in self.targets.items() if client not in unknown}
