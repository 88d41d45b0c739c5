"""Why a virtual host is demoted: by several names, none of which ends another one's."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping

SWITCH = "switch"
"""The name by which a node is demoted that is well, and was switched away from (``group_switch.py``)."""
BYTE_MAX = 255


class Demotions:
    """Of one virtual host. A demotion of 0 is none."""

    def __init__(self) -> None:
        self._by_name: dict[str, tuple[int, str]] = {}
        self.reasons: Mapping[str, str] = {}
        """By name, of those that demote now."""

    def set(self, name: str, demotion: int, reason: str) -> None:
        """By this name it is so much from now on."""
        if self._by_name.get(name) == (demotion, reason):
            return  # said again with each self-test, to all groups
        self._by_name[name] = demotion, reason
        self.reasons = {name: reason for name, (demotion, reason) in self._by_name.items() if demotion}

    def of(self, name: str) -> int:
        """By this name alone."""
        return self._by_name.get(name, (0, ""))[0]

    @property
    def total(self) -> int:
        """Of all names."""
        return sum(demotion for demotion, _ in self._by_name.values())

    def told(self, *, is_sealed: bool) -> int:
        """As advertisements say it, in one byte. A seal has one bit for it, and a rank that cannot be told must not be
        compared."""
        return min(self.total, 1 if is_sealed else BYTE_MAX)

    def beside(self, names: Collection[str]) -> dict[str, str]:
        """The reasons of all others, by name."""
        return {name: reason for name, reason in self.reasons.items() if name not in names}
