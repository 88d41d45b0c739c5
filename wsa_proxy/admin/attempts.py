"""How often somebody may be wrong: a few times at once, then once in a while."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Network
from ipaddress import ip_address

AT_ONCE = 10  # a person mistypes, and a scraper with an old password asks on
ONE_MORE_AFTER_S = 5.0
SOURCES_MAX = 1024  # whoever has more addresses than that pushes out his own first ones


class Attempts:
    """Counted by address, of IPv6 by the network of a LAN (/64), in which a host takes any address it likes."""

    def __init__(self) -> None:
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """By source: how many attempts were left, and when that was."""

    def take(self, address: str, now_s: float) -> bool:
        """Use one, before it is known what comes of it: those who are being judged count. False: there is none."""
        source = _source(address)
        left = self._left_at(source, now_s)
        if left < 1:
            return False
        self._left[source] = left - 1, now_s
        self._left.move_to_end(source)
        if len(self._left) > SOURCES_MAX:
            self._left.popitem(last=False)
        return True

    def give_back(self, address: str, now_s: float) -> None:
        """It was right, and has cost nothing."""
        source = _source(address)
        left = self._left_at(source, now_s) + 1
        if left >= AT_ONCE:
            self._left.pop(source, None)
        else:
            self._left[source] = left, now_s

    def wait_s(self, address: str, now_s: float) -> float:
        """Until there is one."""
        return max(0.0, 1 - self._left_at(_source(address), now_s)) * ONE_MORE_AFTER_S

    def _left_at(self, source: str, now_s: float) -> float:
        left, at_s = self._left.get(source, (AT_ONCE, now_s))
        return min(AT_ONCE, left + (now_s - at_s) / ONE_MORE_AFTER_S)


def _source(address: str) -> str:
    parsed = ip_address(address.partition("%")[0])
    return str(parsed) if parsed.version == 4 else str(IPv6Network((parsed, 64), strict=False))
