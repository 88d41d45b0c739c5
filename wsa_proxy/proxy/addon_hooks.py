"""The hooks that this product offers to other addons of the same mitmproxy; README.md has an example.

An addon takes part by a method of the hook's name, as with mitmproxy's own hooks; async or not. The classes are in an
imported module, since mitmproxy executes a script's file again whenever it changes and a hook must not be made twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field

from mitmproxy.hooks import Hook

REASONS_MAX = 5  # of one addon at a time; those after them are not kept
REASON_CHARACTERS_MAX = 200  # it is shown in one line


@dataclass
class FailoverHealthData:
    """What one addon says about this node now."""

    reasons: list[str] = field(default_factory=list)

    def demote(self, reason: str) -> None:
        """This node serves badly, so any well one should take over. Say it again each time for as long as it is so."""
        if len(self.reasons) < REASONS_MAX:
            self.reasons.append(" ".join(str(reason).split())[:REASON_CHARACTERS_MAX])


@dataclass
class FailoverHealthHook(Hook):
    """Called about once a second: does this node serve well, as far as the addon knows?

    Whoever calls ``data.demote(reason)`` demotes the node until the next time. An addon that raises, or needs more than
    a second, is reported and demotes nothing: what it knows is unknown, and the clients are served meanwhile. It is not
    asked again before it has ended.
    """

    data: FailoverHealthData


@dataclass(frozen=True)
class FailoverTransitionData:
    """One failover group of this node has changed its state."""

    group: int
    """Failover Group ID."""
    old: str
    """The state before: ``init``, ``backup`` or ``master``."""
    new: str
    reason: str
    """Why, as in the log: a word like ``master_silent``, or a sentence."""
    evidence: str
    """What was seen, as in the log: ``silent_s=3.21 last_master=10.0.0.1``; may be empty."""
    who: str = ""
    """Who has ordered it, as far as is known by now: ``operator (uid 0, cli)``; empty: nobody has."""


@dataclass
class FailoverTransitionHook(Hook):
    """Called some moments after a group has changed its state; nothing waits for it.

    How long clients got no service is not known yet then: ``notify`` and ``wsa-proxy history`` tell it.
    Handlers are called in the order of the transitions. One that is async and still under way after ten seconds is
    cancelled. What changes while mitmproxy ends is not told to everybody any more.
    """

    data: FailoverTransitionData


@dataclass(frozen=True)
class FailoverRedundancyData:
    """Whether anybody could take over from the master of a failover group, as this node knows it from the others."""

    group: int
    """Failover Group ID."""
    healthy_standbys: int
    text: str
    """As in the log: ``no healthy standby: b: last heard 2.9 s ago``."""


@dataclass
class FailoverRedundancyHook(Hook):
    """Called when the last healthy standby of a group is lost, and when there is one again; as failover_transition is.

    Every node of the group calls it, so whoever pages somebody has to bear several calls.
    """

    data: FailoverRedundancyData
