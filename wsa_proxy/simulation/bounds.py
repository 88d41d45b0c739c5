"""The promises in numbers, reckoned again from carp(4), so that a wrong formula in the core is not believed.

T is the interval of an advertisement, D the master-down interval, d the greatest delay, l the greatest lateness of a
loop, L the advertisements that were lost meanwhile.
"""

from __future__ import annotations

from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.peers import Peer
from wsa_proxy.simulation.peers import Ucarp

type Station = Node | Peer

EPSILON_S = 1e-6  # sums of floats
SKEW_DEMOTED = 240
BOW_OUT_WAIT_S = 0.010
BOW_OUT_WAIT_PER_SKEW_S = 40e-6
"""After a bow-out a backup waits so long for each 1/256 s of its advskew, and no longer than that."""
ANNOUNCE_EVERY = 10
"""V6: advertisements."""
ANNOUNCE_AGAIN = 2
"""V6: advertisements after a promotion or an answer."""
TIE_REMEMBERED = 2
"""D: so long a tie's wait counts."""
TIED_AGAIN = 2
"""T: so much longer waits who ties again meanwhile."""
RETRIES_MAX = 20
"""I9: of a refused release."""
LEASE_S = 2.3
"""V8: what a dead process leaves on its kernel is gone by then."""
LEASE_LEFT_S = 0.75
"""I5: of a lease, while the process turns: so long it may stand still without losing its addresses."""
CLAIM_S = 0.5
"""I7: a decision is not carried out later than this after it was taken."""
QUICK_S = 60.0
QUICK_DELAYS = 4
"""I2, V4: role changes are in quick succession within this time, or so many of the delay that they have made."""
UNHEARD_INTERVALS = 2.5
"""I1: so long after its last advertisement a master that cannot send is one; the others' patience is three and more."""
DEMOTED_ERRORS = 3
"""V9: in a row,"""
WELL_SENT = 3
"""and so many in a row that were sent take it back;"""
UNTOLD_WAIT_S = 5.0
UNTOLD_WAIT_S_MAX = 300.0
"""or that time, twice as long each time, and so long stays out who has left."""
UNTOLD_LEFT_S = 20.0
"""V4: of such waits is left when all faults end. There are 5, 10 and 20 s; no fourth begins within 30 s of faults."""
NOTICED_S = 0.06
"""V8: in which a guardian learns of a death."""
GUARDIAN_LATE_S = 0.003
STALL_LIMIT_S = 1.0
"""V8: so long a process may stand still, or half of D, before its guardian takes the addresses from it."""
BOW_OUT_WITHIN_S = 2.0
"""I6: a guardian bows out no later than this after its process turned last."""
LAST_BEAT_S = 0.35
"""Before it died or stood still; the loop may be late."""
GUARDIANS_REST_S = 10.0
"""V4: so long no other one is started when three have ended."""
BOW_OUT_COPIES = 3
BOW_OUT_COPIES_S = 0.2
"""I6: in which they are said."""
FRESH_S = 0.25
FRESH_BOW_OUT_S = 10.0
TOLERANCE_MS = 3_600_000.0
"""How much older than the wall clock a first contact may be."""


def rank(station: Station) -> tuple[int, int]:
    """(demotion, interval in 1/256 s) as it would be sent now: the smaller one should be master."""
    if isinstance(station, Peer):
        return station.demotion_byte(), station.settings.advbase * 256 + station.effective_skew
    demotion, advbase, advskew = station.demotion, station.settings.advbase, station.settings.advskew
    return demotion, advbase * 256 + (max(advskew, SKEW_DEMOTED) if demotion and advbase else advskew)


def own_values(station: Station) -> tuple[int, int, int]:
    """advbase, advskew and demotion, as it would send them now."""
    demotion, interval = rank(station)
    return station.settings.advbase, interval - 256 * station.settings.advbase, demotion


def interval_s(station: Station) -> float:
    """T, seconds: as a demoted node sends it, too."""
    return rank(station)[1] / 256


def base_s(node: Node) -> float:
    """What those who wait for it reckon with: its interval without the advskew, or below one second with it."""
    return node.settings.advbase or node.settings.advskew / 256


def down_s(station: Station) -> float:
    """D, seconds."""
    if isinstance(station, Peer):
        return station.down_s
    advbase, advskew = station.settings.advbase, station.settings.advskew
    return 3 * advbase + advskew / 256 if advbase else 3 * advskew / 256


def stall_limit_s(node: Node) -> float:
    """What its guardian lets pass."""
    return min(STALL_LIMIT_S, down_s(node) / 2)


def bow_out_within_s(node: Node) -> float:
    """After its last beat: later somebody else may be master."""
    return min(BOW_OUT_WITHIN_S, 2 * stall_limit_s(node))


def tie_wait_s(station: Station) -> float:
    """What a node waits longer, at most, after it has tied; it may have been demoted then."""
    settings = station.settings
    return max(interval_s(station), settings.advbase + SKEW_DEMOTED / 256 if settings.advbase else 0.0) / 5


def own_tie_wait_s(node: Node) -> float:
    """What this node waits longer after it has tied: the last byte of its address decides."""
    return interval_s(node) / 5 * node.settings.tie_break / 256


def lateness_s(station: Station) -> float:
    """l, seconds."""
    if isinstance(station, Peer):
        return Ucarp.LATE_S_MAX if isinstance(station, Ucarp) else 0.0
    return station.lateness_s_max


def heard_256ths(heard: Advertisement) -> int:
    """The interval that an advertisement tells."""
    return heard.advbase * 256 + heard.advskew or 1


def heard_rank(heard: Advertisement) -> tuple[int, int]:
    """The rank that an advertisement tells."""
    return heard.demotion, heard_256ths(heard)
