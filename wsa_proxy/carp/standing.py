"""Where a virtual host stands: what it was told and heard, its rank, intervals and waits, when its patience ends.

Settings may change while it runs. Then everything here is reckoned anew at once, and what it remembers goes on:
``take`` is the one place for both, so nothing can still be of the old ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence

from wsa_proxy.carp import election
from wsa_proxy.carp.calm import Calm
from wsa_proxy.carp.election import Rank
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.wire import Version

PROBES = 3  # RFC 5227 PROBE_NUM: one lost question must not look like a free address
PROBE_LEAD_S_MAX = 0.6  # the questions are asked this long before the master-down deadline, so they cost no time


class Standing:
    """The numbers of one virtual host; ``virtual_host.py`` is what it does with them."""

    def __init__(self, settings: VirtualHostSettings) -> None:
        self.demotion = 0
        self.last_master: str | None = None
        """Who sent the last advertisement that was believed."""
        self.calm = Calm(settings)
        self.after_better_s = 0.0
        """So much longer it waits after a bow-out; set just before by whoever knows of better standbys."""
        self._tied_until_s = 0.0
        self._deadlines_master_down_s: dict[Version, float] = {}
        self._heard_at_s: dict[Version, float] = {}
        self._probes_left = PROBES
        self._take(settings)

    @property
    def advskew(self) -> int:
        """The advskew that counts now, raised while the node is demoted."""
        return election.effective_advskew(self.settings.advbase, self.settings.advskew, self.demotion)

    def _take(self, settings: VirtualHostSettings) -> None:
        """These from now on; the deadlines stay where they are."""
        self.settings = settings
        self.calm.settings = settings
        self.rank = self._own_rank()  # what this node would advertise, to be compared with what it hears
        self._master_down_s = election.master_down_s(settings.advbase, settings.advskew)
        self._probe_lead_s = min(PROBE_LEAD_S_MAX, self._master_down_s / 4)
        self._deadlines_master_down_s = by_version(self._deadlines_master_down_s, settings.versions)

    def _hear(self, event: AdvertisementReceived, now: float) -> None:
        self._heard_at_s[event.version] = now
        self.last_master = event.sender

    def _own_rank(self) -> Rank:
        return Rank(self.demotion, election.interval_256ths(self.settings.advbase, self.advskew))

    def _interval_s(self) -> float:
        return self.rank.interval_256ths / 256

    def _earliest_s(self) -> float:
        return min(self._deadlines_master_down_s.values())

    def _next_probe_s(self) -> float:
        return self._earliest_s() - self._probe_lead_s * self._probes_left / PROBES

    def _tie_wait_s(self, now: float) -> float:
        """For a while after a tie: equals that react to the same advertisement in the same instant would tie again."""
        return self._tie_extra_s() if now < self._tied_until_s else 0.0

    def _tie_extra_s(self, *, again: bool = False) -> float:
        return election.tie_wait_s(self.rank.interval_256ths, self.settings.tie_break, again=again)

    def _compared(self, other: Rank) -> str:
        own = self.rank
        intervals = f"its_interval_s={other.interval_256ths / 256:.3f} own_s={own.interval_256ths / 256:.3f}"
        return f"{intervals} its_demotion={other.demotion} own_demotion={own.demotion}"


def by_version(deadlines_s: Mapping[Version, float], versions: Sequence[Version]) -> dict[Version, float]:
    """Deadlines of IP versions, for those that count from now on.

    One version that stands for several has been silent since any of them was heard, so it gets the latest deadline. One
    that has not counted before gets it, too: nobody was to be heard in it, so its silence means nothing yet.
    """
    if not deadlines_s or set(deadlines_s) == set(versions):
        return dict(deadlines_s)
    return dict.fromkeys(versions, max(deadlines_s.values()))
