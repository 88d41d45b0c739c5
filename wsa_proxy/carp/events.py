"""Everything that can happen to a virtual host. Events go in with the time, commands come out.

The counterpart is ``commands.py``; ``virtual_host.py`` is what turns one into the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.carp.wire import Version


@dataclass(frozen=True, slots=True)
class Started:
    """The node may take part: link up, proxy listening and proven. INIT becomes BACKUP."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The node must not take part any more: orderly stop, link down, proxy unable to serve."""

    reason: str


@dataclass(frozen=True, slots=True)
class AdvertisementReceived:
    """An authentic advertisement of this virtual host from somebody else."""

    advertisement: Advertisement
    version: Version
    """The IP version that carried it; each has a master-down deadline of its own (BSDs), or one stands for all."""
    sender: str
    """For the reason of a transition; unsigned, so never an identity."""
    waited_s: float = 0.0
    """Since it arrived, as far as that is known: of a bow-out."""


@dataclass(frozen=True, slots=True)
class FarewellReceived:
    """A master of this virtual host has yielded, and says so."""

    sender: str


@dataclass(frozen=True, slots=True)
class FirstContact:
    """A member was heard that cannot be told from a replay yet, because this node does not know the group's time."""

    sender: str


@dataclass(frozen=True, slots=True)
class DeadlineReached:
    """The clock may have passed ``next_deadline()``. Harmless when it has not."""


@dataclass(frozen=True, slots=True)
class DemotionChanged:
    """The node's health changed: 0 is well, more is worse. A demoted node serves on until a well one takes over."""

    demotion: int
    reason: str


@dataclass(frozen=True, slots=True)
class SettingsChanged:
    """The operator has other settings for the virtual host, whose id and addresses stay. It goes on as what it is."""

    settings: VirtualHostSettings


@dataclass(frozen=True, slots=True)
class PreemptionReleased:
    """The operator wants a better backup to wait no longer before it preempts (``calm.py``)."""


@dataclass(frozen=True, slots=True)
class AddressAnswered:
    """A probe for the virtual address was answered by a host that is not the master just heard."""

    by: str


type Event = (
    Started
    | Stopped
    | AdvertisementReceived
    | FarewellReceived
    | FirstContact
    | DeadlineReached
    | DemotionChanged
    | SettingsChanged
    | PreemptionReleased
    | AddressAnswered
)
