"""Who should be master: the arithmetic of intervals and ranks. Pure functions, compared in 1/256 seconds.

advbase is in seconds, advskew in 1/256 seconds, so ``advbase * 256 + advskew`` orders two nodes exactly as the BSDs'
comparison of seconds and microseconds does (FreeBSD ip_carp.c).
"""

from __future__ import annotations

from dataclasses import dataclass

ADVSKEW_DEMOTED = 240
"""What a demoted node sends at least: FreeBSD's CARP_MAXSKEW, understood by every CARP."""

BOW_OUT = 255
"""advbase and advskew of a bow-out: the interval in which nobody can be a master."""

TIED_AGAIN_INTERVALS = 2
"""More than a ucarp needs to take over and be heard: it looks at its deadline once in an interval."""


@dataclass(frozen=True, slots=True, order=True)
class Rank:
    """What two nodes compare: the smaller one is the better master.

    The demotion byte counts first, as on OpenBSD, so that a node of the lowest priority still
    relieves one that is unwell. FreeBSD and ucarp always send 0 there and see the raised advskew instead.
    """

    demotion: int
    interval_256ths: int


def outranks(one: Rank, other: Rank) -> bool:
    """True when ``one`` is strictly the better master; equals do not outrank each other."""
    return one < other


def interval_256ths(advbase: int, advskew: int) -> int:
    """The advertisement interval; both 0 means 1/256 s (OpenBSD)."""
    return advbase * 256 + advskew or 1


def interval_s(advbase: int, advskew: int) -> float:
    """Seconds between two advertisements of a master with these values."""
    return interval_256ths(advbase, advskew) / 256


def master_down_s(advbase: int, advskew: int) -> float:
    """Seconds of silence after which a backup with these values becomes master.

    3 * advbase + advskew/256 (FreeBSD, WSA); with advbase 0, where the interval itself travels in advskew, three
    whole intervals (OpenBSD), because the first formula would forgive no loss at all.
    """
    if advbase == 0:
        return 3 * interval_s(advbase, advskew)
    return 3 * advbase + advskew / 256


def tie_wait_s(interval_256ths: int, tie_break: int, *, again: bool) -> float:
    """How much longer a node is patient that has yielded to its equal; a ``tie_break`` of 0 is for groups without ties.

    The last byte of the address decides, so that two that start together do not meet again for ever. If they do, the
    other one hears too late for that: a ucarp reads a packet up to a second after it came, so it takes over in spite
    of ours, and yields to it a moment later. Then it is given the time to be heard first.
    """
    interval_s = interval_256ths / 256
    return interval_s / 5 * tie_break / 256 + (TIED_AGAIN_INTERVALS * interval_s if again and tie_break else 0.0)


def effective_advskew(advbase: int, advskew: int, demotion: int) -> int:
    """The advskew a node sends and compares with: a demoted one says at least 240 (FreeBSD).

    Not with advbase 0, where 240 would be an interval longer than the others' patience: a group whose nodes are all
    demoted would change its master for ever. There the demotion byte alone says it, as on OpenBSD, whose intervals
    these are.
    """
    return max(advskew, ADVSKEW_DEMOTED) if demotion and advbase else advskew


def is_hopeless(advbase: int, advskew: int, heard_256ths: int) -> bool:
    """Will a master with this interval time out before its next advertisement anyway?

    Such a master counts as timed out (carp(4)). Not with advbase 0, as on OpenBSD: there
    a single demoted advertisement of a well-known peer would look hopeless.
    """
    return advbase != 0 and 3 * advbase * 256 + advskew < heard_256ths
