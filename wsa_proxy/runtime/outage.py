"""How long clients got no service in a takeover, as the new master can know it. Pure.

The end is measured: this node's virtual IP has answered its own probe. The beginning lies between the last sign that
somebody served and the first that nobody did, so the outage is told as an interval. The signs: an advertisement of a
master that goes on, an answered probe of the virtual IP; a bow-out, a probe without an answer, the takeover itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from wsa_proxy.carp.commands import Reason
from wsa_proxy.runtime.history_event import Outage

LIVING = {each.value for each in (Reason.PREEMPTED, Reason.MASTER_HOPELESS)}
GIVEN_UP = {each.value for each in (Reason.MASTER_DEMOTED, Reason.MASTER_BOWED_OUT)}
"""By a master that serves until it is followed if it does so in order."""


@dataclass(frozen=True, slots=True)
class Signs:
    """Of one takeover. Times are monotonic seconds; None: there was none."""

    reason: str
    """The protocol's word."""
    took_over_s: float
    serves_s: float
    """When this node's virtual IP has answered."""
    advertised_s: float | None
    """The last advertisement of a master that went on."""
    bowed_out_s: float | None
    answered_s: float | None
    """The last probe with an answer, when that came."""
    failed_s: float | None
    """The first without one since, when it was asked."""
    in_order: bool = False
    """The one that has bowed out has said since that it leaves in order, or somebody has ordered its demotion: it
    serves until it is followed."""


def outage(signs: Signs) -> Outage | None:
    """None: nobody was known to serve before, or it is not known until when."""
    if signs.failed_s is None and (signs.reason in LIVING or (signs.reason in GIVEN_UP and signs.in_order)):
        return _handed_over(signs)
    # One that is demoted by its own tests has served badly for as long as these took, whatever a probe has found.
    if signs.failed_s is None and signs.reason == Reason.MASTER_DEMOTED.value:
        return None
    ended = _first_without(signs)
    # A master that advertises, and whose virtual IP does not answer, does not serve.
    known = [signs.answered_s] if signs.failed_s is not None else [signs.answered_s, signs.advertised_s]
    served = max((each for each in known if each is not None), default=None)
    if served is None and signs.advertised_s is not None and signs.advertised_s <= ended:
        served = signs.advertised_s
    if served is None:
        return None
    least_s, most_s = signs.serves_s - max(ended, served), signs.serves_s - min(ended, served)
    sign = "answer of the virtual IP" if served == signs.answered_s else "advertisement of the old master"
    how = (
        f"{_what_ended(signs, ended)}; the virtual IP answered here {_ms(signs.serves_s - ended)} later;"
        f" the last {sign} had come {_ms(abs(ended - served))} {'before' if served <= ended else 'after'} that"
    )
    return Outage(max(0.0, least_s) * 1000, most_s * 1000, how)


def _handed_over(signs: Signs) -> Outage:
    begun_s = signs.took_over_s if signs.bowed_out_s is None else min(signs.bowed_out_s, signs.took_over_s)
    most_s = signs.serves_s - begun_s
    return Outage(
        0.0,
        most_s * 1000,
        f"the old master served until it was followed; the virtual IP answered here {_ms(most_s)} later",
    )


def _first_without(signs: Signs) -> float:
    """When it is certain that nobody served."""
    found = (signs.bowed_out_s, signs.failed_s, signs.took_over_s)
    return min(each for each in found if each is not None)


def _what_ended(signs: Signs, ended_s: float) -> str:
    if ended_s == signs.bowed_out_s:
        return "the old master's bow-out was heard"
    if ended_s == signs.failed_s:
        return "the virtual IP did not answer a probe"
    return "this node took over"


def _ms(seconds: float) -> str:
    return f"{max(0.0, seconds) * 1000:.0f} ms"
