"""What a report says of connections that are carried over: its ``carry`` map, to and from a value. What is not as it
should be is missing, and what this version does not know is passed over, as everywhere in a report."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import fields
from typing import Any

from wsa_proxy.members import values
from wsa_proxy.members.report import NUMBER_MAX
from wsa_proxy.members.report import Report

MAC_BYTES = 6
_GROUP_BIT = 1
"""In the first byte of a hardware address: a multicast or broadcast one."""
WHY_CHARACTERS_MAX = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """By one member."""

    drains: bool = False
    """It is master no more, or about to be, and finishes its connections."""
    settled: int | None = None
    """No new ones can have reached it since the position of its list that this says."""
    mac: bytes = b""
    """Where it is to be steered to; empty: it does not know."""
    steers: bool = False
    """It could steer for others, if it took over."""
    why_not: str = ""
    """ASCII."""


NOTHING = Carried()


def written(carried: Carried) -> Mapping[str, bool | int | bytes | str]:
    """As it stands in a report; never empty, so that whoever keeps no lists can be told apart. The reason comes last:
    a long report leaves it out."""
    said: dict[str, bool | int | bytes | str] = {"steers": carried.steers}
    if carried.drains:
        said["drains"] = True
    if carried.mac:
        said["mac"] = carried.mac
    if carried.settled is not None:
        said["settled"] = carried.settled
    if carried.why_not:
        said["why_not"] = carried.why_not[:WHY_CHARACTERS_MAX]
    return said


def read(report: Report | None) -> Carried:
    """Of a report that is believed; nothing, if there is none."""
    said = report.carry if report is not None else {}
    right: dict[str, Any] = {name: _READERS[name](each) for name, each in said.items() if name in _READERS}
    return Carried(**{name: value for name, value in right.items() if value is not None}) if right else NOTHING


def _hardware_address(value: object) -> bytes | None:
    """Of one host: what is sent to a group address would reach every host of the LAN."""
    given = values.bytes_of(MAC_BYTES)(value)
    return given if given and any(given) and not given[0] & _GROUP_BIT else None


_READERS: dict[str, Callable[[object], object]] = {
    "drains": values.truth,
    "settled": values.below(NUMBER_MAX),
    "mac": _hardware_address,
    "steers": values.truth,
    "why_not": values.short_text(WHY_CHARACTERS_MAX),
}
assert list(_READERS) == [each.name for each in fields(Carried)]
