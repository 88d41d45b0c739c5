"""Which of several nodes that do not fit together gives way, and in which the group lives on.

Every node reckons the same from what all of them report: the one that fits most of the others is the measure, and who
does not fit it gives way. Whoever serves already stays: a node that joins with a mistake must not take the clients
from those that serve without one. Of as many on both sides, the greater (priority, address) is the measure. What a
node does not tell of, as its version knows nothing of it, fits.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from wsa_proxy.members.equal import ADVERTISING
from wsa_proxy.members.equal import SECURITY
from wsa_proxy.members.equal import VIRTUAL_IP
from wsa_proxy.members.equal import addresses_of
from wsa_proxy.members.report import Report


@dataclass(frozen=True, slots=True)
class Side:
    """A node as the others see it."""

    name: str
    vhid: int
    priority: int
    address: str
    is_master: bool
    settings: Mapping[str, str]
    fits: int = 0
    """How many nodes fit it, itself among them, of those that it knows or has known (``fits``); 0: it does not tell."""

    @property
    def rank(self) -> tuple[int, int, bytes]:
        """The greater (priority, address) counts more."""
        try:
            address = ip_address(self.address.partition("%")[0])
        except ValueError:
            return self.priority, 0, b""
        return self.priority, address.version, address.packed


def side_of(report: Report, vhid: int) -> Side:
    """That of a member."""
    return Side(
        report.node, vhid, report.priority, report.address, report.state == "master", report.settings, report.fits
    )


def fits(side: Side, others: Iterable[Side]) -> int:
    """How many nodes fit it, itself among them."""
    return 1 + sum(not two_masters(side, each) for each in others)


def two_masters(one: Side, other: Side) -> bool:
    """Each would be master, and neither would ever hear the other: another id for the same address, other addresses
    (which CARP signs), a way to sign that the other does not accept, or advertisements that do not arrive there."""
    if one.vhid != other.vhid:
        return bool(_addresses(one) & _addresses(other))
    both_tell = [name for name in (VIRTUAL_IP, ADVERTISING) if one.settings.get(name) and other.settings.get(name)]
    return (
        (VIRTUAL_IP in both_tell and _addresses(one) != _addresses(other))
        or not (_accepts(one, other) and _accepts(other, one))
        or (ADVERTISING in both_tell and one.settings[ADVERTISING] != other.settings[ADVERTISING])
    )


def gives_way_to(
    own: Side,
    others: Sequence[Side],
    misfit: Callable[[Side, Side], bool],
    absent: Sequence[Side] = (),
    *,
    whoever_serves_stays: bool = True,
) -> Side | None:
    """The node to which ``own`` does not fit and has to give way; None: it may stay. ``others`` are those that take
    part now; ``absent`` did once, and what they were counts still: with the death of a master the mistake of another
    node does not become the measure. Not all nodes have known the same absent ones; so that all reckon alike, what a
    node tells of how many fit it is taken from it. Without ``whoever_serves_stays`` nobody tells that, and who serves
    decides between as many on both sides."""
    everybody = [own, *others]

    def weight(side: Side) -> tuple[object, ...]:
        told = side.fits if whoever_serves_stays else 0
        friends = told or sum(not misfit(side, each) for each in [*everybody, *absent])
        serves = int(side.is_master)
        first = (serves, friends) if whoever_serves_stays else (friends, serves)
        # Nodes that do not fit differ in their ids or settings at least, so no two of them have the same weight.
        return *first, side.rank, side.vhid, sorted(side.settings.items()), side.name

    measure = max(everybody, key=weight)
    return measure if measure is not own and misfit(own, measure) else None


def _addresses(side: Side) -> frozenset[str]:
    return addresses_of(side.settings.get(VIRTUAL_IP, ""))


def _accepts(one: Side, other: Side) -> bool:
    """Whether ``one`` believes what ``other`` signs."""
    accepted, signed = one.settings.get(SECURITY, ""), other.settings.get(SECURITY, "")
    return not accepted or not signed or signed.split(", ")[0] in accepted.split(", ")
