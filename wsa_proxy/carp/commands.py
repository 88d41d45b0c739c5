"""Everything a virtual host can wish for. The order in which commands are returned is part of the protocol.

Promotion: advertise, acquire, announce; with a virtual MAC acquire comes first, and before it, if the master has bowed
out, the intent. Demotion: bow out (on an orderly stop) or say farewell (on defeat), then release. Never announce after
a release, unless acquired again. The driver carries them out one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """The three states of a host (carp(4), WSA guide 2-21)."""

    INIT = "init"
    BACKUP = "backup"
    MASTER = "master"


class Reason(Enum):
    """Why a transition happened, one word for the log line."""

    MASTER_SILENT = "master_silent"
    MASTER_BOWED_OUT = "master_bowed_out"
    MASTER_HOPELESS = "master_hopeless"
    MASTER_DEMOTED = "master_demoted"
    PREEMPTED = "preempted_inferior_master"
    OUTRANKED = "better_advertisement_received"
    TIED = "equal_advertisement_received"
    OVERSLEPT = "overslept"
    ADDRESS_ANSWERED = "address_answered_by_another_host"


_FROM_LIVING = {each.value for each in (Reason.PREEMPTED, Reason.MASTER_DEMOTED, Reason.MASTER_HOPELESS)}


@dataclass(frozen=True, slots=True)
class SendAdvertisement:
    """One advertisement for each IP version of the virtual host, all with these values."""

    advbase: int
    advskew: int
    demotion: int


@dataclass(frozen=True, slots=True)
class SendFarewell:
    """The same, said by a master that yields: the winner announces again, nobody else does anything."""

    advbase: int
    advskew: int
    demotion: int


@dataclass(frozen=True, slots=True)
class SendIntent:
    """The same, said with a virtual MAC before the addresses are acquired: of several backups that follow the same
    bow-out all but the best one stop. Never from the virtual MAC, which would bring the clients too soon."""

    advbase: int
    advskew: int
    demotion: int


type Advertising = SendAdvertisement | SendFarewell | SendIntent
"""What leaves as one advertisement in each IP version."""


@dataclass(frozen=True, slots=True)
class AcquireAddresses:
    """Put the virtual addresses on the interface, as a lease."""


@dataclass(frozen=True, slots=True)
class ReleaseAddresses:
    """End the connections on the virtual addresses, then take the addresses off the interface."""


@dataclass(frozen=True, slots=True)
class AnnounceAddresses:
    """Tell the LAN where the virtual addresses are: gratuitous ARP, unsolicited neighbour advertisement."""


@dataclass(frozen=True, slots=True)
class ProbeAddresses:
    """Ask the LAN who has the virtual addresses, before they are taken for the first time."""


@dataclass(frozen=True, slots=True)
class ReportTransition:
    """The state changed; the driver writes the one log line."""

    old: State
    new: State
    reason: str
    """One word, a value of ``Reason``, or the words that came with the event."""
    evidence: str
    """What was seen: ``silent_s=3.20 last_master=10.1.1.1``."""

    @property
    def from_living(self) -> bool:
        """It takes over from a master that was heard just now and is most likely still there."""
        return self.reason in _FROM_LIVING


@dataclass(frozen=True, slots=True)
class ReportRefusal:
    """The virtual host stays where it is although its deadline passed; the reason is for the operator."""

    reason: str
    evidence: str


@dataclass(frozen=True, slots=True)
class ReportWait:
    """A better backup does not preempt yet (``calm.py``). Said when the wait begins, and if it becomes another."""

    wait_s: float
    """Seconds from now; it preempts at the first advertisement of an inferior master after them."""
    role_changes: int
    """Its own, in quick succession, that have made the wait this long."""
    within_s: float
    """Seconds since the first of them; 0.0 if there was none."""


type Command = (
    SendAdvertisement
    | SendFarewell
    | SendIntent
    | AcquireAddresses
    | ReleaseAddresses
    | AnnounceAddresses
    | ProbeAddresses
    | ReportTransition
    | ReportRefusal
    | ReportWait
)
